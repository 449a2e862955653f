//! Tag lists, `name=value; name=value` (RFC 6376 §3.2): DKIM's fields and records are such, and so
//! are those of DMARC and ARC.

use std::fmt;

/// The most tags of one list.
pub const TAGS_MAX: usize = 64;

/// One tag of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'a> {
    /// Its name, in the case in which it stands there: case counts.
    pub name: &'a str,
    /// Its value, without the white space around it.
    pub value: &'a str,
}

/// A list of tags, no two with the same name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags<'a>(Vec<Tag<'a>>);

/// Why a text is no list of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagFault {
    /// It is not UTF-8 (RFC 8616 §3), or holds control characters.
    Characters,
    /// Something between two semicolons has no equals sign.
    NoEquals,
    /// A name does not begin with a letter, or holds other than letters, digits and `_`.
    Name,
    /// Two tags have the same name: then nothing of the list counts.
    Twice,
    /// There are more than [`TAGS_MAX`].
    TooMany,
}

impl fmt::Display for TagFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Characters => "a tag list holds characters that none may hold",
            Self::NoEquals => "a tag has no equals sign",
            Self::Name => "a tag has no proper name",
            Self::Twice => "a tag stands twice in one list",
            Self::TooMany => "a tag list holds more than 64 tags",
        })
    }
}

impl std::error::Error for TagFault {}

impl<'a> Tags<'a> {
    /// Parses the whole of `text`. What may be at its end is one semicolon and white space.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn parse(text: &'a [u8]) -> Result<Self, TagFault> {
        let text = std::str::from_utf8(text).map_err(|_| TagFault::Characters)?;
        if text.chars().any(|char| char.is_control() && !is_space(char)) {
            return Err(TagFault::Characters);
        }
        let mut tags: Vec<Tag<'a>> = Vec::new();
        let mut specs = text.split(';').peekable();
        while let Some(spec) = specs.next() {
            let spec = trim(spec);
            if spec.is_empty() && specs.peek().is_none() {
                break;
            }
            let (name, value) = spec.split_once('=').ok_or(TagFault::NoEquals)?;
            let (name, value) = (trim(name), trim(value));
            if !is_name(name) {
                return Err(TagFault::Name);
            }
            if tags.iter().any(|tag| tag.name == name) {
                return Err(TagFault::Twice);
            }
            if tags.len() == TAGS_MAX {
                return Err(TagFault::TooMany);
            }
            tags.push(Tag { name, value });
        }
        Ok(Self(tags))
    }

    /// The value of the tag of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|tag| tag.name == name).map(|tag| tag.value)
    }

    /// The first tag, where there is one.
    #[must_use]
    pub fn first(&self) -> Option<Tag<'a>> {
        self.0.first().copied()
    }
}

/// What stands between colons in a value, without the white space around each.
pub(crate) fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(':').map(trim)
}

/// A value without any white space: base64 may be folded anywhere (RFC 6376 §3.5).
pub(crate) fn without_space(value: &str) -> String {
    value.chars().filter(|char| !is_space(*char)).collect()
}

fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

const fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_the_rfc_says() {
        for (text, expected) in [
            ("", Ok("")),
            (" ; ", Err(TagFault::NoEquals)),
            ("a=1", Ok("a=1")),
            ("a=1;", Ok("a=1")),
            ("a=1;;", Err(TagFault::NoEquals)),
            (" a = 1 ;\r\n\tb= x y ; ", Ok("a=1,b=x y")),
            ("a=;b==", Ok("a=,b==")),
            ("A=1;a=2", Ok("A=1,a=2")),
            ("a=1;a=1", Err(TagFault::Twice)),
            ("a", Err(TagFault::NoEquals)),
            ("=1", Err(TagFault::Name)),
            ("1a=1", Err(TagFault::Name)),
            ("a b=1", Err(TagFault::Name)),
            ("a_1=\u{e4}", Ok("a_1=\u{e4}")),
            ("a=\u{1}", Err(TagFault::Characters)),
        ] {
            let found = Tags::parse(text.as_bytes()).map(|tags| {
                let all = tags.0.iter().map(|tag| format!("{}={}", tag.name, tag.value));
                all.collect::<Vec<_>>().join(",")
            });
            assert_eq!(found, expected.map(str::to_owned), "{text:?}");
        }
        assert_eq!(Tags::parse(b"a=\xFF"), Err(TagFault::Characters));
    }

    #[test]
    fn the_number_of_tags_is_limited() {
        let list = |count: usize| (0..count).map(|n| format!("a{n}=;")).collect::<String>();
        assert!(Tags::parse(list(TAGS_MAX).as_bytes()).is_ok());
        assert_eq!(Tags::parse(list(TAGS_MAX + 1).as_bytes()), Err(TagFault::TooMany));
    }
}
