//! Encoded words in header fields (RFC 2047).

use super::charset;
use super::header::unfold;
use super::media::Encoding;
use super::transfer;

/// Appends a field's value as text: unfolded, with its encoded words decoded. They are found
/// wherever they stand, also where RFC 2047 §5 does not allow them.
pub fn decode(value: &[u8], out: &mut String) {
    let value = unfold(value);
    let mut rest: &[u8] = &value;
    let mut run = Run::default();
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        let Some((word, after)) = read(tail) else {
            // Not an encoded word: go on behind the `=`.
            let length = at + 1;
            run.plain(rest.get(..length).unwrap_or_default(), out);
            rest = rest.get(length..).unwrap_or_default();
            continue;
        };
        // RFC 2047 §6.2: blanks between two encoded words are not part of the text.
        if !(run.is_open() && plain.iter().all(|byte| matches!(byte, b' ' | b'\t'))) {
            run.plain(plain, out);
        }
        run.word(&word, out);
        rest = after;
    }
    run.plain(rest, out);
    run.end(out);
}

/// `=?charset?B?text?=`, not decoded.
struct Word<'a> {
    charset: &'a [u8],
    base64: bool,
    text: &'a [u8],
}

/// Encoded words in a row, so that a character may begin in one and end in the next: RFC 2047 §5
/// forbids that, and it happens.
#[derive(Default)]
struct Run {
    charset: Vec<u8>,
    decoder: Option<charset::Decoder>,
}

impl Run {
    const fn is_open(&self) -> bool {
        self.decoder.is_some()
    }

    fn plain(&mut self, text: &[u8], out: &mut String) {
        if !text.is_empty() {
            self.end(out);
            // RFC 6532 §3.1: what is not encoded is UTF-8.
            out.push_str(&String::from_utf8_lossy(text));
        }
    }

    fn word(&mut self, word: &Word<'_>, out: &mut String) {
        if !word.charset.eq_ignore_ascii_case(&self.charset) {
            self.end(out);
            self.charset = word.charset.to_vec();
        }
        let decoder = self.decoder.get_or_insert_with(|| charset::Decoder::new(Some(word.charset)));
        let mut bytes = Vec::new();
        let encoding = if word.base64 { Encoding::Base64 } else { Encoding::QuotedPrintable };
        let mut transfer = transfer::Decoder::new(encoding);
        if word.base64 {
            transfer.push(word.text, &mut bytes);
        } else {
            // RFC 2047 §4.2: an underscore is a space.
            let spaced: Vec<u8> =
                word.text.iter().map(|b| if *b == b'_' { b' ' } else { *b }).collect();
            transfer.push(&spaced, &mut bytes);
        }
        transfer.finish(&mut bytes);
        decoder.push(&bytes, false, out);
    }

    fn end(&mut self, out: &mut String) {
        if let Some(mut decoder) = self.decoder.take() {
            decoder.push(&[], true, out);
        }
        self.charset.clear();
    }
}

impl Word<'_> {
    /// The longest charset name that is looked at, so that each `=?` costs little.
    const CHARSET_BYTES_MAX: usize = 64;
}

/// An encoded word at the beginning of a text, and what follows it.
fn read(text: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let text = text.strip_prefix(b"=?")?;
    let near = text.get(..Word::CHARSET_BYTES_MAX).unwrap_or(text);
    let (charset, rest) = text.split_at_checked(memchr::memchr(b'?', near)?)?;
    // RFC 2231 §5: a language may stand behind the charset.
    let charset = charset.split(|byte| *byte == b'*').next().filter(|name| !name.is_empty())?;
    let (base64, rest) = match rest {
        [b'?', b'B' | b'b', b'?', rest @ ..] => (true, rest),
        [b'?', b'Q' | b'q', b'?', rest @ ..] => (false, rest),
        _ => return None,
    };
    // A question mark can stand in neither encoding, so this ends the word or there is none.
    let (text, rest) = rest.split_at_checked(memchr::memchr(b'?', rest)?)?;
    let rest = rest.strip_prefix(b"?=")?;
    Some((Word { charset, base64, text }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_become_text() {
        for (value, text) in [
            ("plain text", "plain text"),
            ("", ""),
            // RFC 2047 §8.
            ("=?ISO-8859-1?Q?a?=", "a"),
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
            ("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
            ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n \
                 =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example.",
            ),
            // RFC 2231 §5.
            ("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
            // Odd ones.
            ("x=?utf-8?q?=C3=A4?=y", "xäy"),
            ("=?utf-8?q?=C3?= =?UTF-8?B?pA==?=", "ä"),
            ("=?utf-8?q?=C3?=", "\u{FFFD}"),
            ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
            ("=?utf-8?q?a", "=?utf-8?q?a"),
            ("=?utf-8?q?a?b?=", "=?utf-8?q?a?b?="),
            ("=?=?utf-8?q?a?=", "=?a"),
            ("=??q?a?=", "=??q?a?="),
            ("ü", "ü"),
        ] {
            let mut out = String::new();
            decode(value.as_bytes(), &mut out);
            assert_eq!(out, text, "{value}");
        }
    }
}
