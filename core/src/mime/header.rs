//! A header as fields (RFC 5322 §2.2).

use std::borrow::Cow;

use memchr::{memchr, memchr3};

/// One field of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name, without the space that old mail may have before the colon (RFC 5322 §4.5).
    pub name: &'a [u8],
    /// What follows the colon, as it stands there: folded, and without its last line end.
    pub value: &'a [u8],
    /// Where the field begins in the header.
    pub offset: usize,
    /// The whole field with its last line end.
    pub whole: &'a [u8],
}

impl Field<'_> {
    /// Whether this is its name, in any case.
    #[must_use]
    pub const fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The fields of a header, up to the empty line or the end. Lines end with CRLF or LF; a line that
/// is no field is passed over with the folded lines below it.
#[must_use]
pub const fn fields(header: &[u8]) -> Fields<'_> {
    Fields { header, offset: 0 }
}

/// See [`fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    header: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let rest = self.header.get(self.offset..)?;
            if matches!(rest, [] | [b'\n', ..] | [b'\r', b'\n', ..]) {
                self.offset = self.header.len();
                return None;
            }
            let offset = self.offset;
            let whole = rest.get(..logical_line(rest))?;
            self.offset += whole.len();
            if let Some((name, value)) = split(whole) {
                return Some(Field { name, value, offset, whole });
            }
        }
    }
}

/// A field's value in one line: without line ends (RFC 5322 §2.2.3), without blanks around it,
/// and without NUL, which no string of a protocol can hold.
#[must_use]
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = trim(value);
    if memchr3(b'\r', b'\n', 0, value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)).collect())
}

/// Without blanks and line ends around it.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let Some((b' ' | b'\t' | b'\r' | b'\n' | 0, rest)) = value.split_first() {
        value = rest;
    }
    while let Some((b' ' | b'\t' | b'\r' | b'\n' | 0, rest)) = value.split_last() {
        value = rest;
    }
    value
}

/// The length of the first line and of the folded ones that belong to it (RFC 5322 §2.2.3).
fn logical_line(text: &[u8]) -> usize {
    let mut end = 0;
    loop {
        let Some(rest) = text.get(end..) else { return text.len() };
        let Some(line) = memchr(b'\n', rest) else { return text.len() };
        end += line + 1;
        if !matches!(text.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
}

fn split(whole: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = whole.split_at_checked(memchr(b':', whole)?)?;
    let length = name.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'))? + 1;
    let name = name.get(..length)?;
    // RFC 5322 §3.6.8; so the `From ` line of a mailbox file is no field.
    if !name.iter().all(|byte| matches!(byte, 0x21..=0x7E)) {
        return None;
    }
    let value = value.get(1..)?;
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    Some((name, value.strip_suffix(b"\r").unwrap_or(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &[u8]) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        fields(header).map(|field| (text(field.name), text(field.value))).collect()
    }

    #[test]
    fn fields_are_found_in_orderly_and_in_odd_headers() {
        for (header, expected) in [
            (&b""[..], &[][..]),
            (b"\r\nA: 1\r\n", &[]),
            (b"A: 1\r\nB:2\r\n\r\nC: 3", &[("A", " 1"), ("B", "2")]),
            (b"A: 1\n\nB: 2\n", &[("A", " 1")]),
            (b"A: 1\r\n two\r\n\tthree\r\nB:", &[("A", " 1\r\n two\r\n\tthree"), ("B", "")]),
            (b"Subject : old\r\n", &[("Subject", " old")]),
            (b"From joe Mon Jan  1 10:00\nA: 1\n", &[("A", " 1")]),
            (b" lost\r\nA: 1\r\ngarbage\r\n of: more\r\nB: 2", &[("A", " 1"), ("B", " 2")]),
            (b": none\r\nA: b:c\r\n", &[("A", " b:c")]),
            (b"\xC3\xA4: 1\r\nA: \xC3\xA4\r\n", &[("A", " \u{e4}")]),
            (b"A: 1\r\n \r\nB: 2\r\n", &[("A", " 1\r\n "), ("B", " 2")]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            assert_eq!(read(header), expected, "{}", header.escape_ascii());
        }
    }

    #[test]
    fn values_in_one_line() {
        for (value, line) in [
            (&b" plain "[..], &b"plain"[..]),
            (b" This\r\n is a test", b"This is a test"),
            (b"\ta\n\tb\0c\r", b"a\tbc"),
            (b"  ", b""),
        ] {
            assert_eq!(&*unfold(value), line);
        }
    }

    proptest::proptest! {
        #[test]
        fn fields_lie_where_they_say(
            header in proptest::collection::vec(proptest::sample::select(b"Ab: \t\r\n\0\xFF".to_vec()), 0..80)
        ) {
            let mut end = 0;
            for field in fields(&header) {
                proptest::prop_assert!(field.offset >= end);
                end = field.offset + field.whole.len();
                proptest::prop_assert_eq!(&header[field.offset..end], field.whole);
                proptest::prop_assert!(field.whole.starts_with(field.name));
            }
        }
    }
}
