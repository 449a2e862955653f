//! Names that can be asked for.

use core::net::IpAddr;
use std::fmt::{self, Write as _};

use crate::international::DomainName;

/// The longest label (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;
/// The longest name with dots: with its lengths and its root, 255 bytes (RFC 1035 §2.3.4).
const NAME_MAX: usize = 253;

/// A name in the domain name system, in ASCII and in small letters, without a dot at its end; the
/// root is the empty one.
///
/// Other than a [`DomainName`] it may hold underscores (RFC 8552 §1.1), which names of hosts do not.
/// A name out of an answer may hold any bytes (RFC 2181 §11): those beyond letters, digits and
/// `-_/*+=~` stand in it as a backslash and three decimal digits (RFC 1035 §5.1), a dot within a
/// label too. So what is printed is one word, and two names are the same if their texts are.
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
    /// The root.
    #[must_use]
    pub fn root() -> Self {
        Self("".into())
    }

    /// The name under which the names of an address are (RFC 1035 §3.5, RFC 3596 §2.5). An IPv4
    /// address in the form of an IPv6 one is the IPv4 address.
    #[must_use]
    pub fn of_address(address: IpAddr) -> Self {
        let mut text = String::new();
        // Writing to a String cannot fail.
        match address.to_canonical() {
            IpAddr::V4(address) => {
                for byte in address.octets().iter().rev() {
                    let _infallible = write!(text, "{byte}.");
                }
                text.push_str("in-addr.arpa");
            }
            IpAddr::V6(address) => {
                for byte in address.octets().iter().rev() {
                    let _infallible = write!(text, "{:x}.{:x}.", byte & 15, byte >> 4);
                }
                text.push_str("ip6.arpa");
            }
        }
        Self(text.into())
    }

    /// The name with these labels, of any bytes, the one of the host first.
    ///
    /// # Errors
    /// Where a label has no length that labels have, or all together are too long.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NameFault> {
        let (mut text, mut length) = (String::new(), 0);
        for label in labels {
            if label.is_empty() || label.len() > LABEL_MAX {
                return Err(NameFault::Label);
            }
            length += label.len() + 1;
            if length > NAME_MAX + 1 {
                return Err(NameFault::TooLong);
            }
            if !text.is_empty() {
                text.push('.');
            }
            for byte in label {
                write_byte(&mut text, *byte);
            }
        }
        Ok(Self(text.into()))
    }

    /// The wildcard below this name (RFC 4592 §2.1.1); `None` where there is no room for one.
    pub(super) fn wildcard(&self) -> Option<Self> {
        let labels: Vec<Vec<u8>> = self.label_bytes().collect();
        let star = std::iter::once(&b"*"[..]);
        Self::from_labels(star.chain(labels.iter().map(Vec::as_slice))).ok()
    }

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
            if !label.bytes().all(is_plain) {
                return Err(NameFault::Characters);
            }
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The name as text: one word of printable ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has letters, digits, hyphens and underscores only, so that [`Name::parse`] takes
    /// it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.bytes().all(|byte| is_plain(byte) || byte == b'.')
    }

    /// The bytes of its labels, the one of the host first.
    pub fn label_bytes(&self) -> impl DoubleEndedIterator<Item = Vec<u8>> {
        self.labels().map(unescaped)
    }

    /// How long it is in a message, with the lengths of its labels and its end (RFC 1035 §3.1).
    fn wire_length(&self) -> usize {
        self.label_bytes().map(|label| label.len() + 1).sum::<usize>() + 1
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
        let labels = Self::parse(labels)?;
        if self.0.is_empty() {
            return Ok(labels);
        }
        if labels.wire_length() + self.wire_length() > NAME_MAX + 3 {
            return Err(NameFault::TooLong);
        }
        Ok(Self(format!("{labels}.{self}").into()))
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn write_byte(text: &mut String, byte: u8) {
    if is_plain(byte) || b"/*+=~".contains(&byte) {
        text.push(char::from(byte.to_ascii_lowercase()));
    } else {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "\\{byte:03}");
    }
}

/// The bytes of a label as [`write_byte`] wrote them.
fn unescaped(label: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(label.len());
    let mut rest = label.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after.split_first_chunk::<3>()) {
            (b'\\', Some((digits, after))) => {
                let value = digits
                    .iter()
                    .fold(0_u32, |sum, digit| sum * 10 + u32::from(digit.wrapping_sub(b'0')));
                bytes.push(u8::try_from(value).unwrap_or(b'?'));
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    bytes
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
    fn addresses_have_names() {
        for (address, name) in [
            ("192.0.2.7", "7.2.0.192.in-addr.arpa"),
            ("::ffff:192.0.2.7", "7.2.0.192.in-addr.arpa"),
            (
                "2001:db8::567:89ab",
                "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
            ),
        ] {
            assert_eq!(Name::of_address(address.parse().unwrap()).as_str(), name);
        }
    }

    #[test]
    fn any_bytes_are_one_printable_word() {
        // RFC 2317 §4 has slashes.
        for (labels, text) in [
            (
                &[&b"0/25"[..], b"2", b"0", b"192", b"in-addr", b"arpa"][..],
                "0/25.2.0.192.in-addr.arpa",
            ),
            (&[b"*", b"A"], "*.a"),
            (&[b"a.b", b"c"], "a\\046b.c"),
            (&[b"\r\nX: \"", b"\\"], "\\013\\010x\\058\\032\\034.\\092"),
            (&[b"\xff\x00"], "\\255\\000"),
            (&[], ""),
        ] {
            let name = Name::from_labels(labels.iter().copied()).unwrap();
            assert_eq!(name.as_str(), text);
            let bytes: Vec<Vec<u8>> =
                labels.iter().map(|label| label.to_ascii_lowercase()).collect();
            assert_eq!(name.label_bytes().collect::<Vec<_>>(), bytes);
            assert_eq!(name.label_count(), labels.len());
        }
        let strange = Name::from_labels([&b"a.b"[..], b"c"]).unwrap();
        assert!(!strange.is_plain() && Name::parse(strange.as_str()).is_err());
        assert!(strange.is_within(&Name::parse("c").unwrap()));
        assert!(!strange.is_within(&Name::parse("b.c").unwrap()));
        assert_eq!(strange.below("_a").unwrap().as_str(), "_a.a\\046b.c");
        assert_eq!(Name::from_labels([&b""[..]]), Err(NameFault::Label));
        assert_eq!(Name::from_labels([&[b'a'; 64][..]]), Err(NameFault::Label));
        let long = |last: usize| {
            let label = [0; 63];
            Name::from_labels([&label[..], &label, &label, &label[..last]])
        };
        assert_eq!(long(61).unwrap().wire_length(), 255);
        assert_eq!(long(62), Err(NameFault::TooLong));
        assert_eq!(long(59).unwrap().below("a").unwrap().wire_length(), 255);
        assert_eq!(long(60).unwrap().below("a"), Err(NameFault::TooLong));
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
