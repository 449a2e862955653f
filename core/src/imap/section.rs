//! Sections of a message by their offsets (RFC 3501 §6.4.5). Bytes are never changed.

use std::ops::Range;

use memchr::memchr;

use super::command::BodySection;
use super::grammar::{Fields, Origin, Partial, SectionText};
use crate::mime::media::Encoding;
use crate::mime::{Content, PartId, Structure};

/// Where the header of a message ends and its text begins: behind the first empty line. A message
/// without one is all header.
#[must_use]
pub fn header_end(message: &[u8]) -> usize {
    let mut begin = 0;
    while let Some(rest) = message.get(begin..)
        && let Some(end) = memchr(b'\n', rest)
    {
        begin += end + 1;
        if matches!(rest.get(..end), Some(b"" | b"\r")) {
            return begin;
        }
    }
    message.len()
}

/// What is known of a message when a section is looked for.
#[derive(Debug, Clone, Copy)]
pub enum Layout<'a> {
    /// Where its header ends, and how long it is; so it has no parts that could be found.
    Header {
        /// In bytes from its beginning.
        end: u64,
        /// In bytes.
        size: u64,
    },
    /// All its parts.
    Structure(&'a Structure),
}

impl Layout<'_> {
    /// Where a section lies; of `HEADER.FIELDS` the header that has the fields.
    ///
    /// `None` for a part that there is not, and for `HEADER` and its kin of a part that is no
    /// message. RFC 3501 does not say how that is answered; its author did, on the list
    /// imap-protocol in April 2011: with an empty string. Dovecot does so too.
    #[must_use]
    pub fn place(&self, section: &BodySection) -> Option<Range<u64>> {
        if section.part.is_empty() {
            let (header, body) = match self {
                Self::Header { end, size } => (0..*end, *end..*size),
                Self::Structure(structure) => {
                    (structure.root().header.clone(), structure.root().body.clone())
                }
            };
            return match section.text {
                SectionText::Whole => Some(0..body.end),
                SectionText::Header | SectionText::Fields(..) => Some(header),
                SectionText::Text => Some(body),
                SectionText::Mime => None,
            };
        }
        let Self::Structure(structure) = self else { return None };
        let part = structure.part(part(structure, &section.part)?);
        let message = match part.content {
            Content::Message(id) => Some(structure.part(id)),
            Content::Leaf | Content::Opaque | Content::Multipart(_) => None,
        };
        match section.text {
            SectionText::Whole => Some(part.body.clone()),
            SectionText::Mime => Some(part.header.clone()),
            SectionText::Header | SectionText::Fields(..) => Some(message?.header.clone()),
            SectionText::Text => Some(message?.body.clone()),
        }
    }
}

/// A part as it lies in its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Where its bytes lie.
    pub place: Range<u64>,
    /// How they are encoded; `None` if that is not known.
    pub encoding: Option<Encoding>,
}

impl Layout<'_> {
    /// Where the bytes of a part lie, and how they are encoded (RFC 3516 §3). The message itself,
    /// with its header, is not encoded; its body is the part 1 of a message without parts. A part
    /// that there is not is empty, as it is for [`place`](Self::place).
    #[must_use]
    pub fn encoded(&self, numbers: &[u32]) -> Encoded {
        let identity = |place| Encoded { place, encoding: Some(Encoding::Identity) };
        let structure = match self {
            Self::Header { size, .. } if numbers.is_empty() => return identity(0..*size),
            Self::Header { .. } => return identity(0..0),
            Self::Structure(structure) if numbers.is_empty() => {
                return identity(0..structure.root().body.end);
            }
            Self::Structure(structure) => structure,
        };
        let Some(id) = part(structure, numbers) else { return identity(0..0) };
        let part = structure.part(id);
        // RFC 2045 §6.1: what does not say how it is encoded is not.
        let encoding = match structure.field(part, b"Content-Transfer-Encoding") {
            Some(field) => Encoding::known(field.value),
            None => Some(Encoding::Identity),
        };
        Encoded { place: part.body.clone(), encoding }
    }
}

/// What must be known of a message; each takes in those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing but its size.
    Nothing,
    /// Where its header ends, and what is in it.
    Header,
    /// Its parts.
    Structure,
}

impl Needs {
    /// What must be known to find a section.
    #[must_use]
    pub const fn of(section: &BodySection) -> Self {
        match (section.part.is_empty(), &section.text) {
            (true, SectionText::Whole) => Self::Nothing,
            (true, _) => Self::Header,
            (false, _) => Self::Structure,
        }
    }

    /// What must be known to decode a part.
    #[must_use]
    pub const fn of_part(numbers: &[u32]) -> Self {
        if numbers.is_empty() { Self::Nothing } else { Self::Structure }
    }
}

/// The part with these numbers (RFC 3501 §6.4.5): a multipart counts its parts; a message that is
/// none has its body as part 1; a `message/rfc822` counts as the message in it does.
fn part(structure: &Structure, numbers: &[u32]) -> Option<PartId> {
    let mut found = PartId::ROOT;
    let mut as_message = true;
    for number in numbers {
        if !as_message && let Content::Message(inner) = structure.part(found).content {
            found = inner;
            as_message = true;
        }
        let index = usize::try_from(*number).ok()?.checked_sub(1)?;
        found = match structure.part(found).content {
            Content::Multipart(_) => structure.children(structure.part(found)).nth(index)?,
            _ if as_message && index == 0 => found,
            _ => return None,
        };
        as_message = false;
    }
    Some(found)
}

/// Appends those fields of a header that are among the names, or those that are not, in their
/// order and with the empty line at the end, if the header has one. Whatever is no field is among
/// no names.
pub fn header_fields<S: AsRef<str>>(header: &[u8], which: Fields, names: &[S], out: &mut Vec<u8>) {
    let mut wanted = false;
    let mut rest = header;
    while !rest.is_empty() {
        let length = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (line, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        rest = after;
        match line.first() {
            _ if matches!(line, b"\n" | b"\r\n") => wanted = true,
            // A folded line belongs to the field above it (RFC 5322 §2.2.3).
            Some(b' ' | b'\t') => {}
            _ => {
                let named = field_name(line).is_some_and(|name| {
                    names.iter().any(|known| known.as_ref().as_bytes().eq_ignore_ascii_case(name))
                });
                wanted = named == (which == Fields::These);
            }
        }
        if wanted {
            out.extend_from_slice(line);
        }
    }
}

/// The piece of a section that was asked for, of a section of `length` bytes: empty where it
/// begins behind the end (RFC 3501 §6.4.5).
#[must_use]
pub fn piece(length: u64, partial: Option<Partial>) -> Range<u64> {
    let Some(Partial { origin: Origin(origin), count }) = partial else { return 0..length };
    let begin = origin.min(length);
    begin..begin.saturating_add(count).min(length)
}

/// The name of a field, without the space that old mail may have before its colon (RFC 5322 §4.5).
fn field_name(line: &[u8]) -> Option<&[u8]> {
    let name = line.get(..memchr(b':', line)?)?;
    let end = name.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'))? + 1;
    name.get(..end)
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::string_slice, reason = "small messages")]
mod tests {
    use super::*;

    const LETTER: &[u8] = b"From: a@b\r\nSubject: long\r\n\tand folded\r\nX-Odd : 1\r\nfrom: c@d\r\n\r\nText\r\n\r\nmore";

    #[test]
    fn headers_end_at_the_first_empty_line() {
        for (message, end) in [
            (&b"A: 1\r\n\r\ntext"[..], 8),
            (b"A: 1\n\ntext", 6),
            (b"A: 1\n\r\ntext", 7),
            (b"\r\ntext", 2),
            (b"\ntext", 1),
            (b"A: 1\r\n", 6),
            (b"A: 1", 4),
            (b"", 0),
            (b"A: 1\r\n \r\n\r\nx", 11),
        ] {
            assert_eq!(header_end(message), end, "{}", message.escape_ascii());
        }
    }

    fn section(part: &[u32], text: SectionText<Box<str>>) -> BodySection {
        BodySection { part: part.to_vec(), text }
    }

    #[test]
    fn sections_are_exact() {
        let end = header_end(LETTER);
        let layout = Layout::Header { end: end as u64, size: LETTER.len() as u64 };
        let take = |text| {
            let place = layout.place(&section(&[], text)).unwrap();
            &LETTER[place.start as usize..place.end as usize]
        };
        assert_eq!(take(SectionText::Whole), LETTER);
        assert!(take(SectionText::Header).ends_with(b"c@d\r\n\r\n"));
        assert_eq!([take(SectionText::Header), take(SectionText::Text)].concat(), LETTER);
        let fields = |which, names: &[&str]| {
            let mut fields = Vec::new();
            header_fields(take(SectionText::Fields(which, Vec::new())), which, names, &mut fields);
            String::from_utf8(fields).unwrap()
        };
        assert_eq!(fields(Fields::These, &["FROM"]), "From: a@b\r\nfrom: c@d\r\n\r\n");
        assert_eq!(
            fields(Fields::These, &["x-odd", "subject"]),
            "Subject: long\r\n\tand folded\r\nX-Odd : 1\r\n\r\n"
        );
        assert_eq!(fields(Fields::These, &["To"]), "\r\n");
        assert_eq!(
            fields(Fields::Not, &["from"]),
            "Subject: long\r\n\tand folded\r\nX-Odd : 1\r\n\r\n"
        );
    }

    /// The complex message of RFC 3501 §6.4.5, each part telling its number.
    fn complex() -> String {
        let part = |boundary: &str, header: &str, body: &str| {
            format!("--{boundary}\r\nContent-Type: {header}\r\n\r\n{body}\r\n")
        };
        let multi = |kind: &str, boundary: &str| {
            format!("Content-Type: multipart/{kind}; boundary={boundary}\r\n\r\n")
        };
        let inner = format!(
            "Subject: 3\r\n{}{}{}--b--",
            multi("mixed", "b"),
            part("b", "text/plain", "3.1"),
            part("b", "application/octet-stream", "3.2"),
        );
        let alternative = format!(
            "{}{}--e--",
            part("e", "text/plain", "4.2.2.1"),
            part("e", "text/richtext", "4.2.2.2")
        );
        let last = format!(
            "Subject: 4.2\r\n{}{}{}--d--",
            multi("mixed", "d"),
            part("d", "text/plain", "4.2.1"),
            part("d", "multipart/alternative; boundary=e", &alternative),
        );
        let four =
            format!("{}{}--c--", part("c", "image/gif", "4.1"), part("c", "message/rfc822", &last));
        format!(
            "Subject: all\r\n{}{}{}{}{}--a--",
            multi("mixed", "a"),
            part("a", "text/plain", "1"),
            part("a", "application/octet-stream", "2"),
            part("a", "message/rfc822", &inner),
            part("a", "multipart/mixed; boundary=c", &four),
        )
    }

    fn found(message: &str, part: &[u32], text: SectionText<Box<str>>) -> Option<String> {
        let structure = Structure::of(message.as_bytes());
        let place = Layout::Structure(&structure).place(&section(part, text))?;
        Some(message[place.start as usize..place.end as usize].to_owned())
    }

    #[test]
    fn the_parts_of_the_standards_example() {
        use SectionText::{Header, Mime, Text, Whole};
        let message = complex();
        let take = |part: &[u32], text| found(&message, part, text);
        for part in
            [&[1][..], &[2], &[3, 1], &[3, 2], &[4, 1], &[4, 2, 1], &[4, 2, 2, 1], &[4, 2, 2, 2]]
        {
            let name = part.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
            assert_eq!(take(part, Whole), Some(name));
            for text in [Header, Text] {
                assert_eq!(take(part, text), None, "no message");
            }
        }
        for part in
            [&[5][..], &[1, 1], &[3, 3], &[3, 1, 1], &[4, 3], &[4, 2, 2, 3], &[4, 2, 2, 1, 1]]
        {
            assert_eq!(take(part, Whole), None, "{part:?}");
            assert_eq!(take(part, Mime), None, "{part:?}");
        }
        let header = "Subject: 3\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
        assert_eq!(take(&[3], Header).unwrap(), header);
        assert_eq!(take(&[3], Mime).unwrap(), "Content-Type: message/rfc822\r\n\r\n");
        assert_eq!(take(&[3], Whole).unwrap(), header.to_owned() + &take(&[3], Text).unwrap());
        assert!(take(&[4, 2], Header).unwrap().starts_with("Subject: 4.2\r\n"));
        assert_eq!(take(&[4, 1], Mime).unwrap(), "Content-Type: image/gif\r\n\r\n");
        assert!(take(&[4], Whole).unwrap().starts_with("--c\r\n"));
        assert!(take(&[], Header).unwrap().starts_with("Subject: all\r\n"));
    }

    #[test]
    fn a_message_that_is_no_multipart_is_its_own_part_1() {
        use SectionText::{Header, Mime, Text, Whole};
        let message = "Subject: a\r\n\r\ntext";
        assert_eq!(found(message, &[1], Whole).unwrap(), "text");
        assert_eq!(found(message, &[1], Mime).unwrap(), "Subject: a\r\n\r\n");
        for part in [&[2][..], &[1, 1]] {
            assert_eq!(found(message, part, Whole), None);
        }
        let message = "Content-Type: message/rfc822\r\n\r\nSubject: b\r\n\r\ninner";
        assert_eq!(found(message, &[1], Whole).unwrap(), "Subject: b\r\n\r\ninner");
        assert_eq!(found(message, &[1], Header).unwrap(), "Subject: b\r\n\r\n");
        assert_eq!(found(message, &[1], Text).unwrap(), "inner");
        assert_eq!(found(message, &[1, 1], Whole).unwrap(), "inner");
        assert_eq!(found(message, &[1, 1], Mime).unwrap(), "Subject: b\r\n\r\n");
        assert_eq!(found(message, &[1, 1, 1], Whole), None);
    }

    #[test]
    fn parts_and_how_they_are_encoded() {
        let part = |encoding: &str| format!("--a\r\n{encoding}\r\ntext\r\n");
        let cte = "Content-Transfer-Encoding:";
        let message = format!(
            "{cte} 8bit\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n{}{}{}{}{}{}--a--",
            part(""),
            part(&format!("{cte} BASE64\r\n")),
            part(&format!("{cte} (a) quoted-printable; x\r\n")),
            part(&format!("{cte} x-uuencode\r\n")),
            part(&format!("{cte}\r\n")),
            part(&format!("{cte} Binary\r\n")),
        );
        let structure = Structure::of(message.as_bytes());
        let take = |numbers: &[u32]| {
            let Encoded { place, encoding } = Layout::Structure(&structure).encoded(numbers);
            (&message[place.start as usize..place.end as usize], encoding)
        };
        let identity = Some(Encoding::Identity);
        for (number, encoding) in [
            (1, identity),
            (2, Some(Encoding::Base64)),
            (3, Some(Encoding::QuotedPrintable)),
            (4, None),
            (5, identity),
            (6, identity),
        ] {
            assert_eq!(take(&[number]), ("text", encoding), "{number}");
        }
        assert_eq!(take(&[]), (&message[..], identity));
        assert_eq!(take(&[7]), ("", identity));
        let header = Layout::Header { end: 5, size: 9 };
        assert_eq!(header.encoded(&[]).place, 0..9);
        // The only part of a message without parts is encoded as its header says.
        let message = format!("{cte} base64\r\n\r\ndGV4dA==");
        let structure = Structure::of(message.as_bytes());
        let encoded = Layout::Structure(&structure).encoded(&[1]);
        assert_eq!(encoded.encoding, Some(Encoding::Base64));
        assert_eq!(&message[encoded.place.start as usize..], "dGV4dA==");
    }

    #[test]
    fn a_header_without_an_empty_line_gets_none() {
        let mut out = Vec::new();
        header_fields(b"A: 1\r\nB: 2", Fields::These, &["b"], &mut out);
        assert_eq!(out, b"B: 2");
        out.clear();
        header_fields(b"no field\r\n folded\r\nA: 1\r\n\r\n", Fields::Not, &["A"], &mut out);
        assert_eq!(out, b"no field\r\n folded\r\n\r\n");
    }

    #[test]
    fn pieces_stay_within_the_section() {
        let partial = |origin, count| Some(Partial { origin: Origin(origin), count });
        for (length, partial, range) in [
            (10, None, 0..10),
            (10, partial(0, 4), 0..4),
            (10, partial(8, 4), 8..10),
            (10, partial(10, 1), 10..10),
            (10, partial(11, 1), 10..10),
            (10, partial(u64::MAX, u64::MAX), 10..10),
            (u64::MAX, partial(5, u64::MAX), 5..u64::MAX),
            (0, partial(0, 1), 0..0),
        ] {
            assert_eq!(piece(length, partial), range);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_line_is_either_among_the_fields_or_not(
            header in proptest::collection::vec(proptest::sample::select(b"Aa: \t\r\nx".to_vec()), 0..60)
        ) {
            let end = header_end(&header);
            let header = &header[..end];
            let (mut these, mut others) = (Vec::new(), Vec::new());
            header_fields(header, Fields::These, &["a"], &mut these);
            header_fields(header, Fields::Not, &["a"], &mut others);
            // A folded line above all fields belongs to none.
            let lost: usize = header
                .split_inclusive(|byte| *byte == b'\n')
                .take_while(|line| matches!(line.first(), Some(b' ' | b'\t')))
                .map(<[u8]>::len)
                .sum();
            let empty = header
                .split_inclusive(|byte| *byte == b'\n')
                .next_back()
                .filter(|line| matches!(*line, b"\n" | b"\r\n"))
                .map_or(0, <[u8]>::len);
            proptest::prop_assert_eq!(these.len() + others.len() + lost, header.len() + empty);
        }
    }
}
