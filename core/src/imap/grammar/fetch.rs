//! What FETCH can be asked for (RFC 3501 §6.4.5).

use super::primitive::{Text, astring, atom_char, byte, number, space, word};
use super::{Miss, Read};

/// The most items in one FETCH.
pub const ITEMS_MAX: usize = 64;
/// The most field names in one section.
pub const NAMES_MAX: usize = 128;

/// One item of FETCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// A plain fact: `FLAGS`, `UID`, `INTERNALDATE`, `RFC822.SIZE`.
    Field(Field),
    /// Bytes of the message: `BODY[…]`, `BODY.PEEK[…]`, `RFC822`, `RFC822.HEADER`, `RFC822.TEXT`.
    Body {
        /// How it was asked for, and so how the answer is named.
        which: Which,
        /// Which bytes.
        section: Section<'a>,
        /// Which piece of them.
        partial: Option<Partial>,
    },
    /// Known to IMAP and not to us yet.
    Unsupported(&'static str),
}

/// A fact that FETCH tells without reading the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// `FLAGS`.
    Flags,
    /// `UID`.
    Uid,
    /// `INTERNALDATE`.
    InternalDate,
    /// `RFC822.SIZE`.
    Size,
}

/// The spelling by which bytes were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Which {
    /// `BODY[…]`: sets `\Seen`.
    Body,
    /// `BODY.PEEK[…]`: does not. The answer is named `BODY[…]` too.
    Peek,
    /// `RFC822`, as `BODY[]`.
    Rfc822,
    /// `RFC822.HEADER`, as `BODY.PEEK[HEADER]`.
    Header,
    /// `RFC822.TEXT`, as `BODY[TEXT]`.
    Text,
}

/// Which part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Section<'a> {
    /// All of it.
    Whole,
    /// `HEADER`: with the empty line that ends it.
    Header,
    /// `TEXT`: what follows the header.
    Text,
    /// `HEADER.FIELDS` and `HEADER.FIELDS.NOT`.
    Fields(Fields, Vec<Text<'a>>),
}

/// Which header fields of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fields {
    /// Those named.
    These,
    /// All but those named.
    Not,
}

/// `<0.2048>`: a piece of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Partial {
    /// The first byte wanted, counted from 0.
    pub origin: Origin,
    /// How many bytes at most; not 0.
    pub count: u64,
}

/// The first byte of a piece of a section, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Origin(pub u64);

/// One item, a macro, or a list of items in parentheses.
pub(super) fn items(input: &[u8]) -> Read<'_, Vec<Item<'_>>> {
    let Some((b'(', mut rest)) = input.split_first() else {
        return match take_word(input) {
            (rest, Some(Word::Fast)) => Ok((rest, FAST.to_vec())),
            (rest, Some(Word::Macro(name))) => Ok((rest, vec![Item::Unsupported(name)])),
            _ => item(input).map(|(rest, item)| (rest, vec![item])),
        };
    };
    let mut items = Vec::new();
    loop {
        let (after, next) = item(rest)?;
        if items.len() == ITEMS_MAX {
            return Err(Miss::error(rest, "at most 64 items"));
        }
        items.push(next);
        match after.split_first() {
            Some((b')', after)) => return Ok((after, items)),
            Some((b' ', after)) => rest = after,
            _ => return Err(Miss::error(after, "a space or closing parenthesis")),
        }
    }
}

fn item(input: &[u8]) -> Read<'_, Item<'_>> {
    let (rest, found) = take_word(input);
    let whole = |which, section| Item::Body { which, section, partial: None };
    let item = match found {
        Some(Word::Field(field)) => Item::Field(field),
        Some(Word::Body(which)) if rest.first() == Some(&b'[') => return section(rest, which),
        Some(Word::Body(Which::Body)) => Item::Unsupported("BODY"),
        Some(Word::Rfc822) => whole(Which::Rfc822, Section::Whole),
        Some(Word::Header) => whole(Which::Header, Section::Header),
        Some(Word::Text) => whole(Which::Text, Section::Text),
        Some(Word::Unsupported(name)) => Item::Unsupported(name),
        Some(Word::Body(_)) => return Err(Miss::error(rest, "[")),
        Some(Word::Fast | Word::Macro(_)) | None => {
            return Err(Miss::error(input, "a fetch item"));
        }
    };
    Ok((rest, item))
}

/// From the opening bracket to the partial.
fn section(input: &[u8], which: Which) -> Read<'_, Item<'_>> {
    let (rest, ()) = byte(input, b'[', "[")?;
    let (rest, section) = match rest.first() {
        Some(b']') => (rest, Some(Section::Whole)),
        Some(b'0'..=b'9') => (part(rest)?.0, None),
        _ => named_section(rest).map(|(rest, section)| (rest, Some(section)))?,
    };
    let (rest, ()) = byte(rest, b']', "]")?;
    let (rest, partial) = match rest.first() {
        Some(b'<') => partial(rest).map(|(rest, partial)| (rest, Some(partial)))?,
        _ => (rest, None),
    };
    let item = match section {
        Some(section) => Item::Body { which, section, partial },
        None => Item::Unsupported("BODY[part]"),
    };
    Ok((rest, item))
}

fn named_section(input: &[u8]) -> Read<'_, Section<'_>> {
    let length = input.iter().position(|byte| !is_word(*byte)).unwrap_or(input.len());
    let (name, rest) = input.split_at_checked(length).unwrap_or((input, &[]));
    let fields = |fields| {
        let (rest, ()) = space(rest)?;
        let (rest, names) = field_names(rest)?;
        Ok((rest, Section::Fields(fields, names)))
    };
    if name.eq_ignore_ascii_case(b"HEADER") {
        Ok((rest, Section::Header))
    } else if name.eq_ignore_ascii_case(b"TEXT") {
        Ok((rest, Section::Text))
    } else if name.eq_ignore_ascii_case(b"HEADER.FIELDS") {
        fields(Fields::These)
    } else if name.eq_ignore_ascii_case(b"HEADER.FIELDS.NOT") {
        fields(Fields::Not)
    } else {
        Err(Miss::error(input, "a section"))
    }
}

fn field_names(input: &[u8]) -> Read<'_, Vec<Text<'_>>> {
    let (mut rest, ()) = byte(input, b'(', "an opening parenthesis")?;
    let mut names = Vec::with_capacity(8);
    loop {
        let (after, name) = astring(rest)?;
        // A name that could be no field's would only confuse whoever prints it back: RFC 5322
        // §3.6.8, printable ASCII without a colon.
        if name.is_empty() || !name.iter().all(|byte| matches!(byte, 0x21..=0x39 | 0x3B..=0x7E)) {
            return Err(Miss::error(rest, "a header field name"));
        }
        if names.len() == NAMES_MAX {
            return Err(Miss::error(rest, "at most 128 field names"));
        }
        names.push(name);
        match after.split_first() {
            Some((b')', after)) => return Ok((after, names)),
            Some((b' ', after)) => rest = after,
            _ => return Err(Miss::error(after, "a space or closing parenthesis")),
        }
    }
}

/// The number of a part, with what may follow it: read, to be refused as a whole.
fn part(input: &[u8]) -> Read<'_, ()> {
    let (mut rest, _) = super::primitive::nz_number(input)?;
    while let Some((b'.', after)) = rest.split_first() {
        rest = match after.first() {
            Some(b'0'..=b'9') => super::primitive::nz_number(after)?.0,
            Some(b'M' | b'm') => return word(after, "MIME"),
            _ => return named_section(after).map(|(rest, _)| (rest, ())),
        };
    }
    Ok((rest, ()))
}

fn partial(input: &[u8]) -> Read<'_, Partial> {
    let (rest, ()) = byte(input, b'<', "<")?;
    let (rest, origin) = number(rest)?;
    let (rest, ()) = byte(rest, b'.', "a dot between origin and count")?;
    let (after, count) = number(rest)?;
    if count == 0 {
        return Err(Miss::error(rest, "a count above 0"));
    }
    let (rest, ()) = byte(after, b'>', ">")?;
    Ok((rest, Partial { origin: Origin(origin), count }))
}

#[derive(Clone, Copy)]
enum Word {
    Field(Field),
    Body(Which),
    Rfc822,
    Header,
    Text,
    Fast,
    Macro(&'static str),
    Unsupported(&'static str),
}

/// The next word in upper case, looked up; what is left begins behind it.
fn take_word(input: &[u8]) -> (&[u8], Option<Word>) {
    let length = input.iter().position(|byte| !is_word(*byte)).unwrap_or(input.len());
    let (word, rest) = input.split_at_checked(length).unwrap_or((input, &[]));
    let mut buffer = [0_u8; 16];
    let Some(upper) = buffer.get_mut(..word.len()) else { return (rest, None) };
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    let found = match &*upper {
        b"FLAGS" => Word::Field(Field::Flags),
        b"UID" => Word::Field(Field::Uid),
        b"INTERNALDATE" => Word::Field(Field::InternalDate),
        b"RFC822.SIZE" => Word::Field(Field::Size),
        b"BODY" => Word::Body(Which::Body),
        b"BODY.PEEK" => Word::Body(Which::Peek),
        b"RFC822" => Word::Rfc822,
        b"RFC822.HEADER" => Word::Header,
        b"RFC822.TEXT" => Word::Text,
        b"FAST" => Word::Fast,
        b"ALL" => Word::Macro("ALL"),
        b"FULL" => Word::Macro("FULL"),
        b"ENVELOPE" => Word::Unsupported("ENVELOPE"),
        b"BODYSTRUCTURE" => Word::Unsupported("BODYSTRUCTURE"),
        _ => return (rest, None),
    };
    (rest, Some(found))
}

const fn is_word(byte: u8) -> bool {
    atom_char(byte) && !matches!(byte, b'[' | b'<')
}

/// RFC 3501 §6.4.5: the macro FAST.
const FAST: [Item<'static>; 3] =
    [Item::Field(Field::Flags), Item::Field(Field::InternalDate), Item::Field(Field::Size)];
