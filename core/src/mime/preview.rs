//! The first words of a message, for a list of messages (RFC 8970 §3.3): a few of them, as one
//! line of plain text.
//!
//! They are those of the first part that is text to be shown, or of one further on if there is
//! nothing in it. Of plain text, quotations and what follows the signature's dashes are left out,
//! unless there is nothing else; of HTML, markup and what is not shown.

use std::ops::ControlFlow;

use super::markup;
use super::media::Described;
use super::structure::{Content, Part, PartId, Structure};
use super::text::TextReader;

/// The most characters of a preview. RFC 8970 §3.3 wants no more than this.
pub const PREVIEW_CHARS_MAX: usize = 200;

/// How many texts of a message are looked at.
const TEXTS_MAX: usize = 4;
/// How many bytes of a plain text, and of one with markup, which may begin with much that is not
/// shown.
const PLAIN_BYTES_MAX: usize = 8 << 10;
const MARKUP_BYTES_MAX: usize = 64 << 10;

/// The preview of a message of this structure, whose headers must be there in full; empty if
/// there is nothing to be shown. `body` gives the first bytes of a part's body, up to so many.
pub fn of(structure: &Structure, mut body: impl FnMut(&Part, usize) -> Vec<u8>) -> String {
    let mut texts = Vec::new();
    gather(structure, PartId::ROOT, &mut texts);
    for id in texts {
        let part = structure.part(id);
        let has_markup = is_markup(structure, part);
        let count = if has_markup { MARKUP_BYTES_MAX } else { PLAIN_BYTES_MAX };
        let bytes = body(part, count);
        let Some(mut reader) = TextReader::of(structure, part) else { continue };
        let mut text = String::new();
        reader.push(&bytes, &mut text);
        if bytes.len() < count {
            reader.finish(&mut text);
        }
        let preview = if has_markup { of_markup(&text) } else { of_plain(&text) };
        if !preview.is_empty() {
            return preview;
        }
    }
    String::new()
}

/// The preview of a message, of which the beginning is at hand: some 100 KiB are enough.
#[must_use]
pub fn of_beginning(message: &[u8]) -> String {
    of_bytes(&Structure::of(message), message)
}

/// The same, where its structure is known.
pub(super) fn of_bytes(structure: &Structure, message: &[u8]) -> String {
    of(structure, |part, count_max| {
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let body = message.get(index(part.body.start)..index(part.body.end)).unwrap_or_default();
        body.get(..count_max).unwrap_or(body).to_vec()
    })
}

/// Finds the first texts to be shown, in their order. A message within the message is no text of
/// its own. Recursion is as deep as the parser lets parts nest.
fn gather(structure: &Structure, id: PartId, texts: &mut Vec<PartId>) {
    let part = structure.part(id);
    if texts.len() >= TEXTS_MAX {
        return;
    }
    match part.content {
        Content::Multipart(_) => {
            structure.children(part).for_each(|child| gather(structure, child, texts));
        }
        Content::Leaf if is_shown(structure, part) => texts.push(id),
        Content::Leaf | Content::Opaque | Content::Message(_) => {}
    }
}

fn is_shown(structure: &Structure, part: &Part) -> bool {
    let disposition = structure.field(part, b"Content-Disposition");
    // RFC 2183 §2.2: an attachment is not shown with the message.
    let attached = disposition
        .and_then(|field| Described::disposition(field.value))
        .is_some_and(|described| described.kind.eq_ignore_ascii_case(b"attachment"));
    let media = structure.media_type(part);
    !attached && media.is_none_or(|media| media.is(b"text", b"plain") || media.is(b"text", b"html"))
}

fn is_markup(structure: &Structure, part: &Part) -> bool {
    structure.media_type(part).is_some_and(|media| media.is(b"text", b"html"))
}

fn of_plain(text: &str) -> String {
    let (mut line, mut quoted) = (OneLine::default(), OneLine::default());
    for row in text.lines() {
        // RFC 3676 §4.3: what follows is the signature.
        if row == "-- " {
            break;
        }
        // There is nothing to be seen in what is encrypted.
        if row == "-----BEGIN PGP MESSAGE-----" {
            return String::new();
        }
        // RFC 3676 §4.5: a quotation.
        let into = if row.starts_with('>') { &mut quoted } else { &mut line };
        let _seen_below = into.push(row.trim_start_matches(['>', ' ']));
        if into.push("\n").is_break() && !line.0.is_empty() {
            break;
        }
    }
    if line.0.is_empty() { quoted.end() } else { line.end() }
}

fn of_markup(text: &str) -> String {
    let mut line = OneLine::default();
    markup::strip(text, |piece| line.push(piece));
    line.end()
}

/// Text as it is gathered: blanks and line ends in a row are one space, and what is not seen is
/// left out.
#[derive(Default)]
struct OneLine(String, usize);

impl OneLine {
    fn push(&mut self, text: &str) -> ControlFlow<()> {
        for character in text.chars() {
            if self.1 >= PREVIEW_CHARS_MAX {
                return ControlFlow::Break(());
            }
            if character.is_whitespace() {
                if !self.0.is_empty() && !self.0.ends_with(' ') {
                    self.add(' ');
                }
            } else if !is_unseen(character) {
                self.add(character);
            }
        }
        ControlFlow::Continue(())
    }

    fn add(&mut self, character: char) {
        self.0.push(character);
        self.1 += 1;
    }

    fn end(self) -> String {
        let length = self.0.trim_end().len();
        let mut text = self.0;
        text.truncate(length);
        text
    }
}

/// Controls, and the characters without width by which newsletters fill the space of a preview.
const fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1F}'
            | '\u{7F}'..='\u{9F}'
            | '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{180E}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(message: &str) -> String {
        of_beginning(message.as_bytes())
    }

    #[test]
    fn first_words() {
        let html = "Content-Type: text/html\r\n\r\n";
        for (message, expected) in [
            ("Subject: s\r\n\r\nHello,\r\n\r\n  how   are\tyou?\r\n", "Hello, how are you?"),
            ("\r\n> You said\r\n> much\r\nYes.\r\n-- \r\nAnn", "Yes."),
            ("\r\n> Only\r\n> this\r\n", "Only this"),
            ("\r\n\r\n \r\n", ""),
            ("", ""),
            ("\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n", ""),
            ("Content-Type: application/pdf\r\n\r\nPDF", ""),
            ("Content-Disposition: attachment\r\n\r\nfile", ""),
            ("Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ninner", ""),
            (
                "Content-Type: text/plain; charset=iso-8859-1\r\n\
                 Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe=\r\n!",
                "Gr\u{fc}\u{df}e!",
            ),
            ("\r\na\u{200B}b\u{FEFF}\u{7}c", "abc"),
            (&format!("{html}<p>One</p><p>two</p>"), "One two"),
        ] {
            assert_eq!(preview(message), expected, "{message}");
        }
    }

    #[test]
    fn parts_are_tried_in_their_order() {
        let part = |of: &str, text: &str| format!("--x\r\nContent-Type: {of}\r\n\r\n{text}\r\n");
        let whole = |kind: &str, parts: &[String]| {
            let parts = parts.concat();
            format!("Content-Type: multipart/{kind}; boundary=x\r\n\r\n{parts}--x--\r\n")
        };
        for (message, expected) in [
            (whole("alternative", &[part("text/plain", "a"), part("text/html", "b")]), "a"),
            (whole("alternative", &[part("text/plain", " "), part("text/html", "b")]), "b"),
            (whole("mixed", &[part("image/png", "a"), part("text/plain", "b")]), "b"),
            (whole("mixed", &[part("image/png", "a")]), ""),
        ] {
            assert_eq!(preview(&message), expected, "{message}");
        }
    }

    #[test]
    fn never_too_long() {
        let long = format!("\r\n{}", "\u{e4}b ".repeat(1000));
        assert_eq!(preview(&long).chars().count(), PREVIEW_CHARS_MAX);
        let long = format!("\r\n{}", "\u{e4}".repeat(10_000));
        assert_eq!(preview(&long).chars().count(), PREVIEW_CHARS_MAX);
    }
}
