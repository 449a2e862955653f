//! Bytes of any charset to text, piece by piece.

use encoding_rs::{Encoding, REPLACEMENT, UTF_8};

/// Decodes one text. What is not of the charset becomes U+FFFD; nothing fails.
pub struct Decoder(encoding_rs::Decoder);

impl Decoder {
    /// For a text with this charset, as written. US-ASCII, none, and what is not known are read as
    /// UTF-8: where such mail has bytes above 127, it is nearly always that.
    #[must_use]
    pub fn new(charset: Option<&[u8]>) -> Self {
        Self(known(charset.unwrap_or_default()).new_decoder_without_bom_handling())
    }

    /// Appends what these bytes mean. `last` says that none follow: half a character is then told
    /// as U+FFFD.
    pub fn push(&mut self, mut bytes: &[u8], last: bool, out: &mut String) {
        loop {
            let room = self.0.max_utf8_buffer_length(bytes.len());
            out.reserve(room.unwrap_or(ROOM_MIN).clamp(ROOM_MIN, ROOM_MAX));
            let (result, read, _) = self.0.decode_to_string(bytes, out, last);
            bytes = bytes.get(read..).unwrap_or_default();
            match result {
                encoding_rs::CoderResult::InputEmpty => return,
                encoding_rs::CoderResult::OutputFull => {}
            }
        }
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoder({})", self.0.encoding().name())
    }
}

fn known(label: &[u8]) -> &'static Encoding {
    // ISO-8859-1 is read as windows-1252, which has letters where the former has controls.
    let ascii = label.eq_ignore_ascii_case(b"us-ascii") || label.eq_ignore_ascii_case(b"ascii");
    Encoding::for_label(label)
        .filter(|encoding| !ascii && *encoding != REPLACEMENT)
        .unwrap_or(UTF_8)
}

/// The least and the most room asked for at once, in bytes.
const ROOM_MIN: usize = 64;
const ROOM_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(charset: Option<&str>, pieces: &[&[u8]]) -> String {
        let mut decoder = Decoder::new(charset.map(str::as_bytes));
        let mut out = String::new();
        for piece in pieces {
            decoder.push(piece, false, &mut out);
        }
        decoder.push(b"", true, &mut out);
        out
    }

    #[test]
    fn charsets() {
        for (charset, bytes, text) in [
            (Some("utf-8"), &b"\xC3\xA4"[..], "ä"),
            (Some("ISO-8859-1"), b"\xE4", "ä"),
            (Some("iso-8859-15"), b"\xA4", "€"),
            (Some("koi8-r"), b"\xCD", "м"),
            (Some("iso-2022-jp"), b"\x1B$B$\"\x1B(B", "あ"),
            (Some("shift_jis"), b"\x82\xA0", "あ"),
            (Some("us-ascii"), b"a\xC3\xA4", "aä"),
            (Some("x-unknown"), b"a\xC3\xA4", "aä"),
            (None, b"a\xE4", "a\u{FFFD}"),
            (Some("utf-8"), b"\xC3", "\u{FFFD}"),
        ] {
            assert_eq!(decode(charset, &[bytes]), text, "{charset:?}");
            let each: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(decode(charset, &each), text, "{charset:?}");
        }
        let long = "ä".repeat(100_000);
        assert_eq!(decode(None, &[long.as_bytes()]), long);
    }
}
