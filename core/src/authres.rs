//! The Authentication-Results field (RFC 8601): what a server has found of a message, for those who
//! read it later.

use std::fmt::Write as _;

use crate::mime::lexer::{Lexer, PARAMETER, Token};

/// What one method has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// Its name, such as `spf` (RFC 8601 §2.7).
    pub name: &'static str,
    /// What it has come to, such as `pass`.
    pub result: &'static str,
    /// A remark for people, in ASCII; empty: none.
    pub comment: String,
    /// Why, in words; empty: not said.
    pub reason: String,
    /// What was looked at: type, property and value, such as `smtp`, `mailfrom`, `example.org`.
    pub properties: Vec<(&'static str, &'static str, String)>,
}

/// The longest line that is begun with another property on it (RFC 5322 §2.1.1).
const LINE_MAX: usize = 78;
/// Strangers' words are cut here.
const VALUE_MAX: usize = 300;

impl Method {
    /// One without remarks.
    #[must_use]
    pub const fn new(name: &'static str, result: &'static str) -> Self {
        Self { name, result, comment: String::new(), reason: String::new(), properties: Vec::new() }
    }

    /// With a remark.
    #[must_use]
    pub fn comment(self, comment: impl Into<String>) -> Self {
        Self { comment: comment.into(), ..self }
    }

    /// With a reason.
    #[must_use]
    pub fn reason(self, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..self }
    }

    /// With a property; an empty value is left out.
    #[must_use]
    pub fn with(
        mut self,
        kind: &'static str,
        property: &'static str,
        value: impl Into<String>,
    ) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.properties.push((kind, property, value));
        }
        self
    }
}

/// Writes the field, with its line end. `authserv_id` is the name by which our own readers know that
/// it is ours (RFC 8601 §2.5).
#[must_use]
pub fn field(authserv_id: &str, methods: &[Method]) -> String {
    let mut field =
        Folded { text: format!("Authentication-Results: {}", value(authserv_id)), line: 0 };
    field.line = field.text.len();
    if methods.is_empty() {
        // RFC 8601 §2.2: nothing was looked at.
        field.add("; none");
    }
    for Method { name, result, comment, reason, properties } in methods {
        field.text.push(';');
        field.fold();
        field.add(&format!("{name}={result}"));
        if !comment.is_empty() {
            field.add(&format!(" ({})", in_comment(comment)));
        }
        if !reason.is_empty() {
            field.add(&format!(" reason={}", quoted(reason)));
        }
        for (kind, property, text) in properties {
            field.add(&format!(" {kind}.{property}={}", value(text)));
        }
    }
    field.text.push_str("\r\n");
    field.text
}

/// Text that is broken into lines between its words.
struct Folded {
    text: String,
    /// How long the last line is.
    line: usize,
}

impl Folded {
    /// Adds a word, with the space in front of it if it has one.
    fn add(&mut self, word: &str) {
        if self.line + word.len() > LINE_MAX && word.starts_with(' ') {
            self.fold();
            return self.add(word.trim_start());
        }
        self.text.push_str(word);
        self.line += word.len();
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n\t");
        self.line = 8;
    }
}

/// A `pvalue` (RFC 8601 §2.2): a token, an address, or else a string in quotes.
fn value(text: &str) -> String {
    let token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c);
    let is_plain = |text: &str| !text.is_empty() && text.chars().all(token);
    let plain = match text.rsplit_once('@') {
        Some((local, domain)) => (local.is_empty() || is_plain(local)) && is_plain(domain),
        None => is_plain(text),
    };
    if plain && text.len() <= VALUE_MAX { text.to_owned() } else { quoted(text) }
}

/// A string in quotes (RFC 5322 §3.2.4), which no words break out of.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars().take(VALUE_MAX) {
        match c {
            '"' | '\\' => {
                let _infallible = write!(quoted, "\\{c}");
            }
            c if c.is_control() => quoted.push('?'),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Words within a comment (RFC 5322 §3.2.2).
fn in_comment(text: &str) -> String {
    let inner = |c: char| if c.is_control() || "()\\".contains(c) { '?' } else { c };
    text.chars().map(inner).take(VALUE_MAX).collect()
}

/// Whose results a field's value says it holds; `None` where it is malformed.
#[must_use]
pub fn authserv_id(value: &[u8]) -> Option<String> {
    match Lexer::new(value, &PARAMETER).word()? {
        Token::Atom(word) => Some(String::from_utf8_lossy(word).into_owned()),
        Token::Quoted(word) => {
            let text = String::from_utf8_lossy(word);
            let mut plain = String::new();
            let mut characters = text.chars();
            while let Some(c) = characters.next() {
                plain.push(if c == '\\' { characters.next().unwrap_or('\\') } else { c });
            }
            Some(plain)
        }
        _ => None,
    }
}

/// Whether a field from outside says that it is ours, or may be taken for ours: it is to be removed
/// (RFC 8601 §5). What is malformed is, since nobody knows how others will read it.
#[must_use]
pub fn claims_to_be(value: &[u8], authserv_id: &str) -> bool {
    self::authserv_id(value).is_none_or(|claimed| {
        let claimed = claimed.trim_end_matches('.');
        claimed.eq_ignore_ascii_case(authserv_id)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn results_are_written() {
        assert_eq!(field("mx.example", &[]), "Authentication-Results: mx.example; none\r\n");
        let methods = [
            Method::new("spf", "pass").with("smtp", "mailfrom", "example.org"),
            Method::new("dkim", "fail")
                .comment("2048-bit (rsa) key")
                .reason("the body was \"changed\"")
                .with("header", "d", "example.org")
                .with("header", "s", "s1")
                .with("header", "b", "aB+/9=")
                .with("header", "i", "@news.example.org")
                .with("header", "x", ""),
            Method::new("dmarc", "none").with("header", "from", "a b\r\nX: y"),
        ];
        assert_eq!(
            field("mx.example", &methods),
            "Authentication-Results: mx.example;\r\n\
             \tspf=pass smtp.mailfrom=example.org;\r\n\
             \tdkim=fail (2048-bit ?rsa? key) reason=\"the body was \\\"changed\\\"\"\r\n\
             \theader.d=example.org header.s=s1 header.b=\"aB+/9=\"\r\n\
             \theader.i=@news.example.org;\r\n\
             \tdmarc=none header.from=\"a b??X: y\"\r\n"
        );
    }

    /// RFC 8601 §5: also in comments, quotes and other cases.
    #[test]
    fn who_says_to_be_us() {
        for (text, ours) in [
            (" mx.example; none", true),
            ("MX.Example. ; none", true),
            (" mx.example 1; none", true),
            (" (x (y)) mx.example", true),
            (" \"mx.exam\\ple\"; none", true),
            ("\r\n\tmx.example;\r\n none", true),
            (" mx.example.org; none", false),
            (" xmx.example; none", false),
            ("", true),
            (" ; none", true),
            (" (mx.example", true),
        ] {
            assert_eq!(claims_to_be(text.as_bytes(), "mx.example"), ours, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_words_break_out(id in ".{0,20}", comment in ".{0,400}", reason in ".{0,400}", text in ".{0,400}") {
            let method = Method::new("dkim", "pass").comment(comment).reason(reason);
            let methods = [method.with("header", "d", text)];
            let field = field(&id, &methods);
            prop_assert!(field.ends_with("\r\n"));
            for line in field.split_terminator("\r\n").skip(1) {
                prop_assert!(line.starts_with('\t') && !line.contains(['\r', '\n', '\0']));
            }
            prop_assert!(field.len() < 3_000);
        }

        #[test]
        fn what_is_written_is_ours(id in "[ -~]{1,20}") {
            let field = field(&id, &[]);
            let value = field.strip_prefix("Authentication-Results:").unwrap();
            prop_assert!(claims_to_be(value.as_bytes(), id.trim_end_matches('.')));
        }
    }
}
