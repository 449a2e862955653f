//! Takes a body's transfer encoding away (RFC 2045 §6), piece by piece, or gives it one.
//!
//! In taking away, what is not as it should be is passed over (base64) or left as it is (quoted-printable), as
//! RFC 2045 §6.7 and §6.8 advise: this is for reading and searching, not for judging mail.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::media::{Encoding, hex};

/// Decodes one body. How it is cut into pieces makes no difference.
#[derive(Debug, Clone)]
pub struct Decoder(State);

#[derive(Debug, Clone)]
enum State {
    Identity,
    Base64 {
        /// The bits that do not make a byte yet, lowest last.
        bits: u32,
        /// How many characters they came from: 0 to 3.
        count: u8,
    },
    QuotedPrintable(Escape),
}

/// How much of `=41` has come.
#[derive(Debug, Clone, Copy)]
enum Escape {
    None,
    Equals,
    /// The first digit.
    High(u8),
    /// Blanks between an `=` and the end of its line.
    Blanks,
}

impl Decoder {
    /// For a body with this encoding.
    #[must_use]
    pub const fn new(encoding: Encoding) -> Self {
        Self(match encoding {
            Encoding::Identity => State::Identity,
            Encoding::Base64 => State::Base64 { bits: 0, count: 0 },
            Encoding::QuotedPrintable => State::QuotedPrintable(Escape::None),
        })
    }

    /// Appends what these bytes decode to.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            State::Identity => out.extend_from_slice(input),
            State::Base64 { bits, count } => base64(input, bits, count, out),
            State::QuotedPrintable(escape) => quoted_printable(input, escape, out),
        }
    }

    /// Appends what was held back: the body has ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match &mut self.0 {
            State::Identity => {}
            State::Base64 { bits, count } => flush(bits, count, out),
            State::QuotedPrintable(escape) => {
                if let Escape::High(digit) = std::mem::replace(escape, Escape::None) {
                    out.extend_from_slice(&[b'=', digit]);
                }
            }
        }
    }
}

/// Writes one body in base64, in lines of [`BASE64_LINE`] characters with CRLF between them. How it
/// is cut into pieces makes no difference.
#[derive(Debug, Clone)]
pub struct Base64Encoder {
    /// The bytes of a line that is not whole, at its beginning.
    line: [u8; LINE_BYTES],
    filled: usize,
    /// Whether a line has been written.
    begun: bool,
}

impl Default for Base64Encoder {
    fn default() -> Self {
        Self { line: [0; LINE_BYTES], filled: 0, begun: false }
    }
}

impl Base64Encoder {
    /// Appends the lines that these bytes complete.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let mut rest = input;
        while !rest.is_empty() {
            let free = self.line.get_mut(self.filled..).unwrap_or_default();
            let (taken, after) = rest.split_at_checked(free.len()).unwrap_or((rest, &[]));
            for (place, byte) in free.iter_mut().zip(taken) {
                *place = *byte;
            }
            self.filled += taken.len();
            rest = after;
            if self.filled == LINE_BYTES {
                self.write(out);
            }
        }
    }

    /// Appends what was held back: the body has ended. Tells whether it had anything in it. There
    /// is no line end behind the last line.
    pub fn finish(mut self, out: &mut Vec<u8>) -> bool {
        if self.filled > 0 {
            self.write(out);
        }
        self.begun
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        if self.begun {
            out.extend_from_slice(b"\r\n");
        }
        self.begun = true;
        let mut text = [0; BASE64_LINE];
        let bytes = self.line.get(..self.filled).unwrap_or_default();
        // A line has room for what it is made of.
        let written = STANDARD.encode_slice(bytes, &mut text).unwrap_or(0);
        out.extend_from_slice(text.get(..written).unwrap_or_default());
        self.filled = 0;
    }
}

/// RFC 2045 §6.8: no encoded line is longer, without its line end.
pub const BASE64_LINE: usize = 76;
/// What makes one such line.
const LINE_BYTES: usize = BASE64_LINE / 4 * 3;

fn base64(input: &[u8], bits: &mut u32, count: &mut u8, out: &mut Vec<u8>) {
    out.reserve(input.len() / 4 * 3);
    for byte in input {
        let value = match *byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            // Some join several encoded texts into one.
            b'=' => {
                flush(bits, count, out);
                continue;
            }
            _ => continue,
        };
        *bits = *bits << 6 | u32::from(value);
        *count += 1;
        if *count == 4 {
            let [_, one, two, three] = bits.to_be_bytes();
            out.extend_from_slice(&[one, two, three]);
            (*bits, *count) = (0, 0);
        }
    }
}

/// The one or two bytes of an unfinished group.
fn flush(bits: &mut u32, count: &mut u8, out: &mut Vec<u8>) {
    let [_, one, two, _] = (*bits << (6 * (4 - u32::from(*count).min(4)))).to_be_bytes();
    match *count {
        2 => out.push(one),
        3 => out.extend_from_slice(&[one, two]),
        _ => {}
    }
    (*bits, *count) = (0, 0);
}

fn quoted_printable(input: &[u8], escape: &mut Escape, out: &mut Vec<u8>) {
    let mut rest = input;
    while let Some((byte, after)) = rest.split_first() {
        match (*escape, *byte) {
            (Escape::None, b'=') => *escape = Escape::Equals,
            (Escape::None, _) => {
                let length = memchr::memchr(b'=', rest).unwrap_or(rest.len());
                let (plain, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                out.extend_from_slice(plain);
                rest = after;
                continue;
            }
            (Escape::Equals | Escape::Blanks, b'\n') => *escape = Escape::None,
            (Escape::Equals | Escape::Blanks, b' ' | b'\t' | b'\r') => *escape = Escape::Blanks,
            (Escape::Equals, digit) if hex(digit).is_some() => *escape = Escape::High(digit),
            (Escape::Equals, _) => {
                out.push(b'=');
                *escape = Escape::None;
                continue;
            }
            (Escape::Blanks, _) => {
                *escape = Escape::None;
                continue;
            }
            (Escape::High(high), low) => {
                *escape = Escape::None;
                let (Some(high_value), Some(low_value)) = (hex(high), hex(low)) else {
                    out.extend_from_slice(&[b'=', high]);
                    continue;
                };
                out.push(high_value << 4 | low_value);
            }
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: Encoding, pieces: &[&[u8]]) -> String {
        let mut decoder = Decoder::new(encoding);
        let mut out = Vec::new();
        for piece in pieces {
            decoder.push(piece, &mut out);
        }
        decoder.finish(&mut out);
        out.escape_ascii().to_string()
    }

    #[test]
    fn base64_good_and_bad() {
        for (text, expected) in [
            // RFC 4648 §10.
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9v\r\n YmFy\r\n", "foobar"),
            ("Zm9v!YmFy", "foobar"),
            ("Zm8", "fo"),
            ("Z", ""),
            ("Zg==Zm8=", "ffo"),
            ("====", ""),
        ] {
            assert_eq!(decode(Encoding::Base64, &[text.as_bytes()]), expected, "{text}");
        }
    }

    #[test]
    fn quoted_printable_good_and_bad() {
        for (text, expected) in [
            ("a=3Db", "a=b"),
            ("a=C3=A4", "a\\xc3\\xa4"),
            ("a=c3=a4", "a\\xc3\\xa4"),
            // RFC 2045 §6.7: soft line breaks, with blanks that a gateway added.
            ("long =\r\nline", "long line"),
            ("long=  \r\nline", "longline"),
            ("long=\nline", "longline"),
            ("a=", "a"),
            ("a=4", "a=4"),
            ("a=xy", "a=xy"),
            ("a=4y", "a=4y"),
            ("a==41", "a=A"),
            ("a=4=41", "a=4A"),
            ("= b", "b"),
        ] {
            assert_eq!(decode(Encoding::QuotedPrintable, &[text.as_bytes()]), expected, "{text}");
        }
    }

    fn encode(pieces: &[&[u8]]) -> Vec<u8> {
        let mut encoder = Base64Encoder::default();
        let mut out = Vec::new();
        for piece in pieces {
            encoder.push(piece, &mut out);
        }
        let any = encoder.finish(&mut out);
        assert_eq!(any, pieces.iter().any(|piece| !piece.is_empty()));
        out
    }

    #[test]
    fn base64_is_written_in_lines() {
        for (bytes, expected) in [(&b""[..], ""), (b"f", "Zg=="), (b"foo\0\xFF", "Zm9vAP8=")] {
            assert_eq!(encode(&[bytes]), expected.as_bytes());
        }
        let full = "AAAA".repeat(19);
        assert_eq!(encode(&[&[0; 57]]), full.as_bytes());
        assert_eq!(encode(&[&[0; 58]]), format!("{full}\r\nAA==").as_bytes());
        assert_eq!(encode(&[&[0; 114]]), format!("{full}\r\n{full}").as_bytes());
    }

    proptest::proptest! {
        #[test]
        fn what_was_written_is_read_again(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            at in 0_usize..300,
        ) {
            let (one, two) = bytes.split_at(at.min(bytes.len()));
            let text = encode(&[one, two]);
            proptest::prop_assert_eq!(&encode(&[&bytes]), &text);
            let mut again = Vec::new();
            let mut decoder = Decoder::new(Encoding::Base64);
            decoder.push(&text, &mut again);
            decoder.finish(&mut again);
            proptest::prop_assert_eq!(again, bytes);
        }

        #[test]
        fn any_split_gives_the_same(
            text in proptest::collection::vec(proptest::sample::select(b"=4aZ \r\n!".to_vec()), 0..40),
            at in 0_usize..40,
        ) {
            let (one, two) = text.split_at(at.min(text.len()));
            for encoding in [Encoding::Identity, Encoding::Base64, Encoding::QuotedPrintable] {
                proptest::prop_assert_eq!(
                    decode(encoding, &[&text]),
                    decode(encoding, &[one, two])
                );
            }
        }
    }
}
