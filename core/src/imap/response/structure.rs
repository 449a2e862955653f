//! BODY and BODYSTRUCTURE (RFC 3501 §7.4.2): the tree of a message's parts.

use super::{Sink, decimal, envelope, nstring, string};
use crate::mime::header::{fields, unfold};
use crate::mime::media::{Described, word, words};
use crate::mime::{Content, Part, Structure};

/// What a part's header says of it; of each field the first counts.
#[derive(Debug, Default)]
struct About<'a> {
    media: Option<Described<'a>>,
    id: Option<&'a [u8]>,
    description: Option<&'a [u8]>,
    encoding: Option<&'a [u8]>,
    md5: Option<&'a [u8]>,
    disposition: Option<&'a [u8]>,
    language: Option<&'a [u8]>,
    location: Option<&'a [u8]>,
}

/// Writes a part with those in it. As deep as the parser lets parts nest.
pub(super) fn write(structure: &Structure, part: &Part, extended: bool, out: &mut impl Sink) {
    let about = About::of(structure.header(part));
    out.put(b"(");
    if let Content::Multipart(_) = part.content {
        for child in structure.children(part) {
            write(structure, structure.part(child), extended, out);
        }
        out.put(b" ");
        lower(about.media.map_or(b"mixed", |media| media.subtype), out);
        if extended {
            out.put(b" ");
            parameters(about.media, out);
            about.rest(out);
        }
    } else {
        about.single(structure, part, extended, out);
    }
    out.put(b")");
}

impl<'a> About<'a> {
    fn of(header: &'a [u8]) -> Self {
        let mut about = Self::default();
        let mut media = None;
        for field in fields(header) {
            let Some((prefix, name)) = field.name.split_at_checked(PREFIX.len()) else { continue };
            if !prefix.eq_ignore_ascii_case(PREFIX) {
                continue;
            }
            let place = if name.eq_ignore_ascii_case(b"Type") {
                &mut media
            } else if name.eq_ignore_ascii_case(b"Transfer-Encoding") {
                &mut about.encoding
            } else if name.eq_ignore_ascii_case(b"Disposition") {
                &mut about.disposition
            } else if name.eq_ignore_ascii_case(b"ID") {
                &mut about.id
            } else if name.eq_ignore_ascii_case(b"Description") {
                &mut about.description
            } else if name.eq_ignore_ascii_case(b"MD5") {
                &mut about.md5
            } else if name.eq_ignore_ascii_case(b"Language") {
                &mut about.language
            } else if name.eq_ignore_ascii_case(b"Location") {
                &mut about.location
            } else {
                continue;
            };
            place.get_or_insert(field.value);
        }
        about.media = media.and_then(Described::content_type);
        about
    }

    /// A part that is no multipart.
    fn single(&self, structure: &Structure, part: &Part, extended: bool, out: &mut impl Sink) {
        match (part.content, self.media) {
            // What cannot be taken apart cannot be told as what it says it is: a multipart has
            // parts here and a message an envelope. RFC 2049 §2 has this type for what is not
            // understood.
            (Content::Opaque, _) => out.put(b"\"application\" \"octet-stream\" NIL"),
            (Content::Message(_), None) => out.put(b"\"message\" \"rfc822\" NIL"),
            (_, Some(media)) => {
                lower(media.kind, out);
                out.put(b" ");
                lower(media.subtype, out);
                out.put(b" ");
                parameters(self.media, out);
            }
            // RFC 2045 §5.2.
            (_, None) => out.put(b"\"text\" \"plain\" (\"charset\" \"us-ascii\")"),
        }
        out.put(b" ");
        text(self.id, out);
        out.put(b" ");
        text(self.description, out);
        out.put(b" ");
        // RFC 2045 §6.1: the default.
        lower(self.encoding.and_then(word).unwrap_or(b"7bit"), out);
        out.put(b" ");
        decimal(part.body.end - part.body.start, out);
        let is_text = self.media.is_none_or(|media| media.is_kind(b"text"));
        match part.content {
            Content::Message(inner) => {
                let inner = structure.part(inner);
                out.put(b" ");
                envelope::write(structure.header(inner), out);
                out.put(b" ");
                write(structure, inner, extended, out);
                out.put(b" ");
                decimal(part.lines, out);
            }
            Content::Leaf if is_text => {
                out.put(b" ");
                decimal(part.lines, out);
            }
            Content::Leaf | Content::Opaque | Content::Multipart(_) => {}
        }
        if extended {
            out.put(b" ");
            text(self.md5, out);
            self.rest(out);
        }
    }

    /// What extended forms of all parts end with: disposition, language, location.
    fn rest(&self, out: &mut impl Sink) {
        out.put(b" ");
        match self.disposition.and_then(Described::disposition) {
            Some(disposition) => {
                out.put(b"(");
                lower(disposition.kind, out);
                out.put(b" ");
                parameters(Some(disposition), out);
                out.put(b")");
            }
            None => out.put(b"NIL"),
        }
        out.put(b" ");
        let mut languages = words(self.language.unwrap_or_default()).peekable();
        if languages.peek().is_none() {
            out.put(b"NIL");
        } else {
            let mut before: &[u8] = b"(";
            for language in languages {
                out.put(before);
                string(language, out);
                before = b" ";
            }
            out.put(b")");
        }
        out.put(b" ");
        text(self.location, out);
    }
}

/// `("name" "value" …)`, or `NIL`. What RFC 2231 made of names and values is the client's to undo.
fn parameters(of: Option<Described<'_>>, out: &mut impl Sink) {
    let mut before: &[u8] = b"(";
    for (name, value) in of.iter().flat_map(Described::parameters) {
        out.put(before);
        lower(name, out);
        out.put(b" ");
        string(&value, out);
        before = b" ";
    }
    out.put(if before == b"(" { b"NIL" } else { b")" });
}

fn text(value: Option<&[u8]>, out: &mut impl Sink) {
    match value {
        Some(value) => nstring(Some(&unfold(value)), out),
        None => nstring(None, out),
    }
}

/// A name whose case says nothing, in lower case: some clients compare it to the letter.
fn lower(name: &[u8], out: &mut impl Sink) {
    let mut buffer = [0_u8; 64];
    match buffer.get_mut(..name.len()) {
        Some(copy) => {
            copy.copy_from_slice(name);
            copy.make_ascii_lowercase();
            string(copy, out);
        }
        None => string(name, out),
    }
}

const PREFIX: &[u8] = b"Content-";

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str, extended: bool) -> String {
        let structure = Structure::of(message.as_bytes());
        let mut out = Vec::new();
        write(&structure, structure.root(), extended, &mut out);
        String::from_utf8(out).unwrap()
    }

    const PLAIN: &str = "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\"";
    const NO_ENVELOPE: &str = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";

    #[test]
    fn single_parts() {
        for (message, expected) in [
            // RFC 3501 §7.4.2, by its header.
            (
                "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\none\r\ntwo\r\n",
                format!("({} 10 2)", PLAIN.replace("us-ascii", "US-ASCII")),
            ),
            ("", format!("({PLAIN} 0 0)")),
            ("\r\ntext", format!("({PLAIN} 4 0)")),
            ("Content-Type: nonsense\r\n\r\na\r\n", format!("({PLAIN} 3 1)")),
            (
                "Content-Type: text/html\r\nContent-Transfer-Encoding: BASE64\r\n\
                 Content-ID: <a@b>\r\nContent-Description: a\r\n \"picture\"\r\n\r\n",
                "(\"text\" \"html\" NIL \"<a@b>\" \"a \\\"picture\\\"\" \"base64\" 0 0)".to_owned(),
            ),
            (
                "Content-Type: image/gif; name=\"\u{e4}.gif\"\r\n\r\nGIF",
                "(\"image\" \"gif\" (\"name\" {6}\r\n\u{e4}.gif) NIL NIL \"7bit\" 3)".to_owned(),
            ),
            (
                "Content-Type: message/rfc822\r\n\r\nA: 1\r\n\r\ntext\r\n",
                format!(
                    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 14 {NO_ENVELOPE} ({PLAIN} 6 1) 3)"
                ),
            ),
            (
                "Content-Type: multipart/mixed\r\n\r\ntext\r\n",
                "(\"application\" \"octet-stream\" NIL NIL NIL \"7bit\" 6)".to_owned(),
            ),
        ] {
            assert_eq!(told(message, false), expected, "{message}");
        }
    }

    #[test]
    fn extension_data_comes_with_bodystructure_only() {
        let message = "Content-Type: text/plain\r\nContent-MD5: Q2hlY2s=\r\n\
            Content-Disposition: ATTACHMENT; filename*=utf-8''%C3%A4; Size=3\r\n\
            Content-Language: en, de\r\nContent-Location: a\r\n b\r\n\r\n";
        let basic = "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0";
        assert_eq!(told(message, false), format!("{basic})"));
        let more = "\"Q2hlY2s=\" (\"attachment\" (\"filename*\" \"utf-8''%C3%A4\" \"size\" \"3\")) \
            (\"en\" \"de\") \"a b\"";
        assert_eq!(told(message, true), format!("{basic} {more})"));
        let inline = "Content-Disposition: inline\r\nContent-Type: a/b\r\n";
        let more = "NIL (\"inline\" NIL) NIL NIL";
        assert_eq!(told(inline, true), format!("(\"a\" \"b\" NIL NIL NIL \"7bit\" 0 {more})"));
    }

    #[test]
    fn multiparts() {
        let message = "Content-Type: Multipart/MIXED; boundary=x\r\nContent-Language: en\r\n\r\n\
            --x\r\n\r\none\r\n\
            --x\r\nContent-Type: multipart/digest; boundary=y\r\n\r\n--y\r\n\r\n\r\ntwo\r\n--y--\r\n\
            --x--\r\n";
        let digest = format!(
            "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 5 {NO_ENVELOPE} ({PLAIN} 3 0) 1)"
        );
        assert_eq!(told(message, false), format!("(({PLAIN} 3 0)({digest} \"digest\") \"mixed\")"));
        let rest = "NIL NIL NIL NIL";
        let digest = format!(
            "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 5 {NO_ENVELOPE} \
             ({PLAIN} 3 0 {rest}) 1 {rest})"
        );
        assert_eq!(
            told(message, true),
            format!(
                "(({PLAIN} 3 0 {rest})({digest} \"digest\" (\"boundary\" \"y\") NIL NIL NIL) \
                 \"mixed\" (\"boundary\" \"x\") NIL (\"en\") NIL)"
            )
        );
    }
}
