//! A part's body as text, piece by piece: without its transfer encoding, in UTF-8.

use super::media::{Described, Encoding};
use super::structure::{Content, Part, Structure};
use super::{charset, transfer};

/// Reads the body of one part. How it is cut into pieces makes no difference.
#[derive(Debug)]
pub struct TextReader {
    transfer: transfer::Decoder,
    charset: charset::Decoder,
    decoded: Vec<u8>,
}

impl TextReader {
    /// For a part that is text: `text/…`; `message/…` that is no message with a header, such as a
    /// delivery status (RFC 3464); and what could not be taken apart, as it stands.
    #[must_use]
    pub fn of(structure: &Structure, part: &Part) -> Option<Self> {
        let media = structure.media_type(part);
        let charset = match (part.content, media) {
            (Content::Multipart(_) | Content::Message(_), _) => return None,
            (Content::Opaque, _) => return Some(Self::new(Encoding::Identity, None)),
            (Content::Leaf, Some(media)) if is_text(&media) => media.parameter(b"charset"),
            (Content::Leaf, Some(_)) => return None,
            (Content::Leaf, None) => None,
        };
        let encoding = structure.field(part, b"Content-Transfer-Encoding");
        let encoding = encoding.map_or(Encoding::Identity, |field| Encoding::read(field.value));
        Some(Self::new(encoding, charset.as_deref()))
    }

    fn new(encoding: Encoding, charset: Option<&[u8]>) -> Self {
        Self {
            transfer: transfer::Decoder::new(encoding),
            charset: charset::Decoder::new(charset),
            decoded: Vec::new(),
        }
    }

    /// Appends what these bytes of the body say.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        self.decoded.clear();
        self.transfer.push(bytes, &mut self.decoded);
        self.charset.push(&self.decoded, false, out);
    }

    /// Appends what was held back: the body has ended.
    pub fn finish(&mut self, out: &mut String) {
        self.decoded.clear();
        self.transfer.finish(&mut self.decoded);
        self.charset.push(&self.decoded, true, out);
    }
}

const fn is_text(media: &Described<'_>) -> bool {
    media.is_kind(b"text") || media.is_kind(b"message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_parts() {
        for (message, text) in [
            ("\r\nplain \u{e4}", Some("plain \u{e4}")),
            ("Content-Type: text/html\r\n\r\n<p>", Some("<p>")),
            (
                "Content-Type: text/plain; charset=iso-8859-1\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\nR3L832U=\r\n",
                Some("Gr\u{fc}\u{df}e"),
            ),
            (
                "Content-Type: text/plain; charset*=us-ascii''utf-8\r\n\
                 Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=\r\n=BC=C3=9Fe=",
                Some("Gr\u{fc}\u{df}e"),
            ),
            ("Content-Type: message/delivery-status\r\n\r\nAction: failed", Some("Action: failed")),
            ("Content-Type: multipart/mixed\r\n\r\nno parts", Some("no parts")),
            ("Content-Type: application/pdf\r\n\r\nPDF", None),
        ] {
            let structure = Structure::of(message.as_bytes());
            let part = structure.root();
            let body = &message.as_bytes()[usize::try_from(part.body.start).unwrap()..];
            for size in [1, 2, 3, 100] {
                let read = TextReader::of(&structure, part).map(|mut reader| {
                    let mut out = String::new();
                    for piece in body.chunks(size) {
                        reader.push(piece, &mut out);
                    }
                    reader.finish(&mut out);
                    out
                });
                assert_eq!(read.as_deref(), text, "{message}");
            }
        }
    }
}
