//! What a part says of itself: Content-Type, Content-Disposition and their parameters (RFC 2045
//! §5, RFC 2183), Content-Transfer-Encoding (RFC 2045 §6), Content-Language (RFC 3282).

use std::borrow::Cow;
use std::ops::Range;

use super::lexer::{Lexer, PARAMETER, Token, blank, unquote};

/// A value with parameters: `text/plain; charset=utf-8`, `attachment; filename=a.txt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described<'a> {
    /// The type of a Content-Type, or all of a Content-Disposition, as written.
    pub kind: &'a [u8],
    /// The subtype of a Content-Type, as written; else empty.
    pub subtype: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Described<'a> {
    /// Reads a Content-Type. What has no type and subtype is none: the default holds then (RFC 2045
    /// §5.2).
    #[must_use]
    pub fn content_type(value: &'a [u8]) -> Option<Self> {
        let mut lexer = Lexer::new(value, &PARAMETER);
        let Some(Token::Atom(kind)) = lexer.word() else { return None };
        let Some(Token::Special(b'/')) = lexer.word() else { return None };
        let Some(Token::Atom(subtype)) = lexer.word() else { return None };
        Some(Self { kind, subtype, rest: lexer.rest() })
    }

    /// Reads a Content-Disposition.
    #[must_use]
    pub fn disposition(value: &'a [u8]) -> Option<Self> {
        let mut lexer = Lexer::new(value, &PARAMETER);
        let Some(Token::Atom(kind)) = lexer.word() else { return None };
        Some(Self { kind, subtype: &[], rest: lexer.rest() })
    }

    /// Whether it is this type, whatever the subtype.
    #[must_use]
    pub const fn is_kind(&self, kind: &[u8]) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// Whether it is this type and subtype.
    #[must_use]
    pub const fn is(&self, kind: &[u8], subtype: &[u8]) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Its parameters in their order, those of RFC 2231 as they stand there.
    #[must_use]
    pub const fn parameters(&self) -> Parameters<'a> {
        Parameters { lexer: Lexer::new(self.rest, &PARAMETER) }
    }

    /// The first parameter of this name; else one written in the ways of RFC 2231, in pieces
    /// (§3) or with a charset of its own, which is not looked at (§4).
    #[must_use]
    pub fn parameter(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        let mut pieces: Option<Vec<u8>> = None;
        for (found, value) in self.parameters() {
            let Some((head, tail)) = found.split_at_checked(name.len()) else { continue };
            if !head.eq_ignore_ascii_case(name) {
                continue;
            }
            match tail {
                [] => return Some(value),
                [b'*', .., b'*'] => continued(&value, pieces.get_or_insert_default()),
                [b'*'] => continued(&value, pieces.insert(Vec::new())),
                [b'*', ..] => pieces.get_or_insert_default().extend_from_slice(&value),
                _ => {}
            }
        }
        pieces.map(Cow::Owned)
    }
}

/// Parameters, as name and value without quotes.
#[derive(Debug, Clone)]
pub struct Parameters<'a> {
    lexer: Lexer<'a>,
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], Cow<'a, [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // What is no parameter is passed over up to the next semicolon.
            while self.lexer.word()? != Token::Special(b';') {}
            let mut ahead = self.lexer.clone();
            let Some(Token::Atom(name)) = ahead.word() else { continue };
            let Some(Token::Special(b'=')) = ahead.word() else { continue };
            self.lexer = ahead;
            return Some((name, value(&mut self.lexer)));
        }
    }
}

/// A quoted string, or all up to a blank or semicolon: many a value has a special in it that ought
/// to be quoted.
fn value<'a>(lexer: &mut Lexer<'a>) -> Cow<'a, [u8]> {
    let mut ahead = lexer.clone();
    match ahead.word() {
        Some(Token::Quoted(text)) => {
            *lexer = ahead;
            if memchr::memchr3(b'\\', b'\r', b'\n', text).is_none()
                && memchr::memchr(0, text).is_none()
            {
                return Cow::Borrowed(text);
            }
            let mut plain = Vec::with_capacity(text.len());
            unquote(text, &mut plain);
            Cow::Owned(plain)
        }
        Some(Token::Special(b';')) | None => Cow::Borrowed(&[]),
        Some(_) => {
            let rest = super::header::trim(lexer.rest());
            let ends = |byte: &u8| blank(*byte) || *byte == b';';
            let length = rest.iter().position(ends).unwrap_or(rest.len());
            let (text, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            *lexer = Lexer::new(after, &PARAMETER);
            Cow::Borrowed(text)
        }
    }
}

/// `utf-8'en'plain%20text` (RFC 2231 §4): the text, decoded; its pieces after the first have no
/// charset in front.
fn continued(value: &[u8], out: &mut Vec<u8>) {
    let text = match value.splitn(3, |byte| *byte == b'\'').nth(2) {
        Some(text) if out.is_empty() => text,
        _ => value,
    };
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%'
            && let Some((digits, later)) = after.split_at_checked(2)
            && let [high, low] = digits
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            rest = later;
        } else {
            out.push(*byte);
        }
    }
}

/// The value of a hexadecimal digit.
pub(super) const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// How a body was encoded for transport (RFC 2045 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Not at all: `7bit`, `8bit`, `binary`, and whatever is not known.
    #[default]
    Identity,
    /// `quoted-printable`.
    QuotedPrintable,
    /// `base64`.
    Base64,
}

impl Encoding {
    /// Reads a Content-Transfer-Encoding.
    #[must_use]
    pub fn read(value: &[u8]) -> Self {
        Self::known(value).unwrap_or_default()
    }

    /// Reads a Content-Transfer-Encoding; `None` if it is not one of RFC 2045 §6.1. An empty one
    /// says nothing, and is as good as none.
    #[must_use]
    pub fn known(value: &[u8]) -> Option<Self> {
        let Some(word) = word(value) else { return Some(Self::Identity) };
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"base64") {
            Some(Self::Base64)
        } else if is(b"quoted-printable") {
            Some(Self::QuotedPrintable)
        } else if is(b"7bit") || is(b"8bit") || is(b"binary") {
            Some(Self::Identity)
        } else {
            None
        }
    }
}

/// The first word of a field, such as the name of an encoding. What has a NUL in its quotes is no
/// word: no string of a protocol can hold it.
#[must_use]
pub fn word(value: &[u8]) -> Option<&[u8]> {
    match Lexer::new(value, &PARAMETER).word() {
        Some(Token::Atom(word) | Token::Quoted(word)) if is_word(word) => Some(word),
        _ => None,
    }
}

fn is_word(text: &[u8]) -> bool {
    !text.is_empty() && memchr::memchr(0, text).is_none()
}

/// Where this word stands in a field, if it is the first one there.
pub(super) fn place_of_word(value: &[u8], wanted: &[u8]) -> Option<Range<usize>> {
    let mut lexer = Lexer::new(value, &PARAMETER);
    let Some(Token::Atom(word)) = lexer.word() else { return None };
    let end = value.len() - lexer.rest().len();
    word.eq_ignore_ascii_case(wanted).then(|| end - word.len()..end)
}

/// The words of a list with commas, such as Content-Language.
pub fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    Lexer::new(value, &PARAMETER).filter_map(|token| match token {
        Token::Atom(word) => Some(word),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let found = Described::content_type(value.as_bytes())?;
        let mut out = format!("{}/{}", text(found.kind), text(found.subtype));
        for (name, value) in found.parameters() {
            out += &format!(" {}={}", text(name), text(&value));
        }
        Some(out)
    }

    #[test]
    fn content_types_good_and_bad() {
        for (value, expected) in [
            // RFC 2045 §5.1: these three are the same.
            ("text/plain; charset=us-ascii (Plain text)", Some("text/plain charset=us-ascii")),
            ("text/plain; charset=\"us-ascii\"", Some("text/plain charset=us-ascii")),
            ("TEXT / (c) plain ;charset = us-ascii", Some("TEXT/plain charset=us-ascii")),
            (
                "multipart/mixed;\r\n\tboundary=\"a b\\\"c\"",
                Some("multipart/mixed boundary=a b\"c"),
            ),
            ("multipart/mixed; boundary=a/b=c", Some("multipart/mixed boundary=a/b=c")),
            ("text/plain; a; =b; c=; d=\"x\" junk; e=1;", Some("text/plain c= d=x e=1")),
            ("text/html charset=utf-8", Some("text/html")),
            ("text/plain; name=\"unclosed; a=b", Some("text/plain name=unclosed; a=b")),
            ("a/b; f*0*=utf-8'en'x%20; f*1=y", Some("a/b f*0*=utf-8'en'x%20 f*1=y")),
            ("text", None),
            ("/plain", None),
            ("text/", None),
            ("", None),
        ] {
            assert_eq!(read(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn parameters_are_found_in_all_their_spellings() {
        for (value, name, expected) in [
            ("a/b; CharSet=x; charset=y", "charset", Some("x")),
            ("a/b; charset*=us-ascii'en-us'iso-8859-1", "charset", Some("iso-8859-1")),
            // RFC 2231 §3 and §4.1.
            ("a/b; URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/\"", "url", Some("ftp://cs.utk.edu/")),
            (
                "a/b; title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n \
                 title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n title*2=\"isn't it!\"",
                "title",
                Some("This is even more ***fun*** isn't it!"),
            ),
            ("a/b; charsets=x", "charset", None),
        ] {
            let found = Described::content_type(value.as_bytes()).unwrap();
            let got = found.parameter(name.as_bytes());
            assert_eq!(got.as_deref(), expected.map(str::as_bytes), "{value}");
        }
    }

    #[test]
    fn encodings() {
        for (value, encoding) in [
            (" BASE64", Encoding::Base64),
            ("(c) quoted-printable", Encoding::QuotedPrintable),
            ("\"base64\"", Encoding::Base64),
            ("7bit", Encoding::Identity),
            ("x-other", Encoding::Identity),
            ("", Encoding::Identity),
        ] {
            assert_eq!(Encoding::read(value.as_bytes()), encoding, "{value}");
        }
        let all: Vec<_> = words(b" en, (c) de-AT ,fr").collect();
        assert_eq!(all, [&b"en"[..], b"de-AT", b"fr"]);
    }
}
