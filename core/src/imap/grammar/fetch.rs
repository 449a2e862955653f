//! What FETCH can be asked for (RFC 3501 §6.4.5, RFC 3516 §4.2).

use super::primitive::{Text, astring, atom_char, byte, number, nz_number, space};
use super::{Miss, Read};

/// The most items in one FETCH.
pub const ITEMS_MAX: usize = 64;
/// The most field names in one section.
pub const NAMES_MAX: usize = 128;
/// The most numbers in the name of a part; no part has one that is longer.
pub const NUMBERS_MAX: usize = 64;

/// One item of FETCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// A plain fact: `FLAGS`, `UID`, `INTERNALDATE`, `RFC822.SIZE`, `MODSEQ`.
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
    /// `BINARY[…]`, `BINARY.PEEK[…]`: the bytes of a part, decoded (RFC 3516 §4.2).
    Binary {
        /// Whether `\Seen` is not set.
        peek: bool,
        /// The numbers of a part. None for the message itself.
        part: Vec<u32>,
        /// Which piece of what is decoded.
        partial: Option<Partial>,
    },
    /// `BINARY.SIZE[…]`: how many bytes there are of this part once it is decoded.
    BinarySize(Vec<u32>),
    /// `ENVELOPE`.
    Envelope,
    /// `BODYSTRUCTURE`, or `BODY`, which is the same without what can be added to it.
    Structure {
        /// Whether with it.
        extended: bool,
    },
    /// `PREVIEW` (RFC 8970 §6).
    Preview {
        /// `(LAZY)`: only if nothing has to be read for it.
        lazy: bool,
    },
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
    /// `SAVEDATE` (RFC 8514 §4.2): when it came into the mailbox.
    SaveDate,
    /// `EMAILID` (RFC 8474 §5.1): the same for copies.
    EmailId,
    /// `THREADID` (RFC 8474 §5.2).
    ThreadId,
    /// `MODSEQ` (RFC 7162 §3.1.4.2).
    ModSeq,
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

/// Which bytes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// The numbers of a part: `1.2`. None for the message itself.
    pub part: Vec<u32>,
    /// What of the part or message.
    pub text: SectionText<Text<'a>>,
}

/// What of a part or message; field names as `N`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionText<N> {
    /// All of the message; of a part its body.
    Whole,
    /// `HEADER`: with the empty line that ends it.
    Header,
    /// `TEXT`: what follows the header.
    Text,
    /// `MIME`: the header of a part.
    Mime,
    /// `HEADER.FIELDS` and `HEADER.FIELDS.NOT`.
    Fields(Fields, Vec<N>),
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
            (rest, Some(Word::Macro(items))) => Ok((rest, items.to_vec())),
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
    let whole = |which, text| {
        let section = Section { part: Vec::new(), text };
        Item::Body { which, section, partial: None }
    };
    let item = match found {
        Some(Word::Field(field)) => Item::Field(field),
        Some(Word::Body(which)) if rest.first() == Some(&b'[') => return section(rest, which),
        Some(Word::Binary { peek }) => {
            let (rest, part) = binary_section(rest)?;
            let (rest, partial) = optional_partial(rest)?;
            return Ok((rest, Item::Binary { peek, part, partial }));
        }
        Some(Word::BinarySize) => {
            return binary_section(rest).map(|(rest, part)| (rest, Item::BinarySize(part)));
        }
        Some(Word::Body(Which::Body)) => Item::Structure { extended: false },
        Some(Word::Rfc822) => whole(Which::Rfc822, SectionText::Whole),
        Some(Word::Header) => whole(Which::Header, SectionText::Header),
        Some(Word::Text) => whole(Which::Text, SectionText::Text),
        Some(Word::Item(item)) => item,
        Some(Word::Preview) => return preview(rest),
        Some(Word::Body(_)) => return Err(Miss::error(rest, "[")),
        Some(Word::Macro(_)) | None => return Err(Miss::error(input, "a fetch item")),
    };
    Ok((rest, item))
}

/// RFC 8970 §6: what follows `PREVIEW`, which may be modifiers in parentheses; there is only one.
fn preview(input: &[u8]) -> Read<'_, Item<'_>> {
    let Some(mut rest) = input.strip_prefix(b" (") else {
        return Ok((input, Item::Preview { lazy: false }));
    };
    loop {
        let after = match rest.split_at_checked(LAZY.len()) {
            Some((name, after)) if name.eq_ignore_ascii_case(LAZY) => after,
            _ => return Err(Miss::error(rest, "LAZY")),
        };
        match after.split_first() {
            Some((b')', after)) => return Ok((after, Item::Preview { lazy: true })),
            Some((b' ', after)) => rest = after,
            _ => return Err(Miss::error(after, "a space or closing parenthesis")),
        }
    }
}

const LAZY: &[u8] = b"LAZY";

/// From the opening bracket to the partial.
fn section(input: &[u8], which: Which) -> Read<'_, Item<'_>> {
    let (rest, ()) = byte(input, b'[', "[")?;
    let (rest, section) = match rest.first() {
        Some(b']') => (rest, Section { part: Vec::new(), text: SectionText::Whole }),
        Some(b'0'..=b'9') => part(rest)?,
        _ => {
            let (rest, text) = named_section(rest)?;
            (rest, Section { part: Vec::new(), text })
        }
    };
    let (rest, ()) = byte(rest, b']', "]")?;
    let (rest, partial) = optional_partial(rest)?;
    Ok((rest, Item::Body { which, section, partial }))
}

/// `section-binary` (RFC 3516 §7): the numbers of a part, or none.
fn binary_section(input: &[u8]) -> Read<'_, Vec<u32>> {
    let (rest, ()) = byte(input, b'[', "[")?;
    let (rest, part) = match rest.first() {
        Some(b']') => (rest, Vec::new()),
        _ => numbers(rest)?,
    };
    byte(rest, b']', "]").map(|(rest, ())| (rest, part))
}

/// `section-part` (RFC 3501 §9).
fn numbers(input: &[u8]) -> Read<'_, Vec<u32>> {
    let (mut rest, first) = nz_number(input)?;
    let mut part = vec![first];
    while let Some((b'.', after)) = rest.split_first()
        && after.first().is_some_and(u8::is_ascii_digit)
    {
        let (after, number) = nz_number(after)?;
        if part.len() == NUMBERS_MAX {
            return Err(Miss::error(rest, "at most 64 part numbers"));
        }
        part.push(number);
        rest = after;
    }
    Ok((rest, part))
}

/// `section-part ["." section-text]` (RFC 3501 §9).
fn part(input: &[u8]) -> Read<'_, Section<'_>> {
    let (rest, part) = numbers(input)?;
    let Some((b'.', after)) = rest.split_first() else {
        return Ok((rest, Section { part, text: SectionText::Whole }));
    };
    let (rest, text) = match after.split_at_checked(4) {
        Some((name, rest)) if name.eq_ignore_ascii_case(b"MIME") => (rest, SectionText::Mime),
        _ => named_section(after)?,
    };
    Ok((rest, Section { part, text }))
}

fn named_section(input: &[u8]) -> Read<'_, SectionText<Text<'_>>> {
    let length = input.iter().position(|byte| !is_word(*byte)).unwrap_or(input.len());
    let (name, rest) = input.split_at_checked(length).unwrap_or((input, &[]));
    let fields = |fields| {
        let (rest, ()) = space(rest)?;
        let (rest, names) = field_names(rest)?;
        Ok((rest, SectionText::Fields(fields, names)))
    };
    if name.eq_ignore_ascii_case(b"HEADER") {
        Ok((rest, SectionText::Header))
    } else if name.eq_ignore_ascii_case(b"TEXT") {
        Ok((rest, SectionText::Text))
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

fn optional_partial(input: &[u8]) -> Read<'_, Option<Partial>> {
    match input.first() {
        Some(b'<') => partial(input).map(|(rest, partial)| (rest, Some(partial))),
        _ => Ok((input, None)),
    }
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

enum Word {
    Field(Field),
    Body(Which),
    Binary { peek: bool },
    BinarySize,
    Rfc822,
    Header,
    Text,
    Item(Item<'static>),
    Preview,
    Macro(&'static [Item<'static>]),
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
        b"SAVEDATE" => Word::Field(Field::SaveDate),
        b"EMAILID" => Word::Field(Field::EmailId),
        b"THREADID" => Word::Field(Field::ThreadId),
        b"MODSEQ" => Word::Field(Field::ModSeq),
        b"BODY" => Word::Body(Which::Body),
        b"BODY.PEEK" => Word::Body(Which::Peek),
        b"BINARY" => Word::Binary { peek: false },
        b"BINARY.PEEK" => Word::Binary { peek: true },
        b"BINARY.SIZE" => Word::BinarySize,
        b"RFC822" => Word::Rfc822,
        b"RFC822.HEADER" => Word::Header,
        b"RFC822.TEXT" => Word::Text,
        b"FAST" => Word::Macro(FULL.get(..FAST).unwrap_or_default()),
        b"ALL" => Word::Macro(FULL.get(..ALL).unwrap_or_default()),
        b"FULL" => Word::Macro(&FULL),
        b"ENVELOPE" => Word::Item(Item::Envelope),
        b"BODYSTRUCTURE" => Word::Item(Item::Structure { extended: true }),
        b"PREVIEW" => Word::Preview,
        _ => return (rest, None),
    };
    (rest, Some(found))
}

const fn is_word(byte: u8) -> bool {
    atom_char(byte) && !matches!(byte, b'[' | b'<')
}

/// RFC 3501 §6.4.5: the macro FULL, of which ALL and FAST are the beginning.
const FULL: [Item<'static>; 5] = [
    Item::Field(Field::Flags),
    Item::Field(Field::InternalDate),
    Item::Field(Field::Size),
    Item::Envelope,
    Item::Structure { extended: false },
];
const ALL: usize = 4;
const FAST: usize = 3;
