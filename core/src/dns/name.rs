//! Names that can be asked for.

use std::fmt;

use crate::international::DomainName;

/// The longest label (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;
/// The longest name with dots: with its lengths and its root, 255 bytes (RFC 1035 §2.3.4).
const NAME_MAX: usize = 253;

/// A name in the domain name system, in ASCII and in small letters, without a dot at its end; the
/// root is the empty one.
///
/// Other than a [`DomainName`] it may hold underscores (RFC 8552 §1.1), which names of hosts do not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// A label is empty, or has more than 63 bytes.
    Label,
    /// It has more than 253 bytes.
    TooLong,
    /// It holds characters that no name in mail has.
    Characters,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Label => "a label of a name has 1 to 63 bytes",
            Self::TooLong => "a name has at most 253 bytes",
            Self::Characters => "a name has letters, digits, hyphens and underscores",
        })
    }
}

impl std::error::Error for NameFault {}

impl Name {
    /// Parses the whole of `text`, perhaps with a dot at its end. Labels may be A-labels or
    /// U-labels (RFC 5890 §2.3.2.1).
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if !text.is_ascii() {
            return text
                .split('.')
                .map(ascii)
                .collect::<Result<Vec<_>, _>>()
                .and_then(|labels| Self::parse(&labels.join(".")));
        }
        if text.len() > NAME_MAX {
            return Err(NameFault::TooLong);
        }
        for label in text.split('.') {
            if label.is_empty() || label.len() > LABEL_MAX {
                return Err(NameFault::Label);
            }
            if !label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            {
                return Err(NameFault::Characters);
            }
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The name as it is asked for.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its labels, the one of the host first.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.').filter(|label| !label.is_empty())
    }

    /// How many labels it has.
    #[must_use]
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The name without its first label; `None` for one of a single label.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, parent)| Self(parent.into()))
    }

    /// Whether it is this name or one below it.
    #[must_use]
    pub fn is_within(&self, above: &Self) -> bool {
        let rest = self.0.strip_suffix(&*above.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.') || above.0.is_empty())
    }

    /// The name below this one that these labels lead to, such as `_dmarc`.
    ///
    /// # Errors
    /// Where it would be none.
    pub fn below(&self, labels: &str) -> Result<Self, NameFault> {
        match &*self.0 {
            "" => Self::parse(labels),
            name => Self::parse(&format!("{labels}.{name}")),
        }
    }
}

/// A label in ASCII.
fn ascii(label: &str) -> Result<String, NameFault> {
    if label.is_ascii() {
        return Ok(label.to_owned());
    }
    let name = DomainName::parse(label).map_err(|_| NameFault::Characters)?;
    Ok(name.into_ascii().into_owned())
}

impl From<&DomainName<'_>> for Name {
    fn from(domain: &DomainName<'_>) -> Self {
        Self(domain.as_ascii().into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_folded() {
        for (text, expected) in [
            ("Example.ORG", Ok("example.org")),
            ("example.org.", Ok("example.org")),
            ("s1._domainkey.M\u{fc}nchen.example", Ok("s1._domainkey.xn--mnchen-3ya.example")),
            ("", Err(NameFault::Label)),
            (".", Err(NameFault::Label)),
            ("a..b", Err(NameFault::Label)),
            ("a b", Err(NameFault::Characters)),
            ("a\u{2014}@.b", Err(NameFault::Characters)),
        ] {
            assert_eq!(Name::parse(text).map(|name| name.to_string()), expected.map(str::to_owned));
        }
        assert!(Name::parse(&"a".repeat(63)).is_ok());
        assert_eq!(Name::parse(&"a".repeat(64)), Err(NameFault::Label));
        let long = |last: usize| {
            ["a".repeat(63), "a".repeat(63), "a".repeat(63), "a".repeat(last)].join(".")
        };
        assert!(Name::parse(&long(61)).is_ok());
        assert_eq!(Name::parse(&long(62)), Err(NameFault::TooLong));
    }

    #[test]
    fn names_lie_within_each_other() {
        let name = |text: &str| Name::parse(text).unwrap();
        for (low, high, within) in [
            ("a.example", "example", true),
            ("example", "example", true),
            ("example", "a.example", false),
            ("aexample", "example", false),
        ] {
            assert_eq!(name(low).is_within(&name(high)), within, "{low} {high}");
        }
        assert_eq!(name("a.b.c").parent(), Some(name("b.c")));
        assert_eq!(name("c").parent(), None);
        assert_eq!(name("b.c").below("_dmarc"), Ok(name("_dmarc.b.c")));
        assert_eq!(name("b.c").below(""), Err(NameFault::Label));
        assert_eq!(name("a.b.c").label_count(), 3);
    }
}
