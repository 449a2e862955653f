//! Sections of a message by their offsets (RFC 3501 §6.4.5). Bytes are never changed.

use std::ops::Range;

use memchr::memchr;

use super::command::BodySection;
use super::grammar::{Fields, Origin, Partial};

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

/// A section of a message; `fields` takes in the header fields that were asked for, since they need
/// not lie beside each other.
#[must_use]
pub fn section<'a>(message: &'a [u8], section: &BodySection, fields: &'a mut Vec<u8>) -> &'a [u8] {
    let (header, text) = message.split_at_checked(header_end(message)).unwrap_or((message, &[]));
    match section {
        BodySection::Whole => message,
        BodySection::Header => header,
        BodySection::Text => text,
        BodySection::Fields(which, names) => {
            fields.clear();
            header_fields(header, *which, names, fields);
            fields
        }
    }
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

    #[test]
    fn sections_are_exact() {
        let take = |section: &BodySection| {
            let mut fields = b"left over".to_vec();
            super::section(LETTER, section, &mut fields).to_vec()
        };
        assert_eq!(take(&BodySection::Whole), LETTER);
        let mut both = take(&BodySection::Header);
        assert!(both.ends_with(b"c@d\r\n\r\n"));
        both.extend(take(&BodySection::Text));
        assert_eq!(both, LETTER);
        let fields = |which, names: &[&str]| {
            let names = names.iter().map(|name| (*name).into()).collect();
            String::from_utf8(take(&BodySection::Fields(which, names))).unwrap()
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
