//! Domains in their two forms: A-labels and U-labels (RFC 5890 §2.3.2.1).

use std::borrow::Cow;
use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// A domain name that IDNA allows.
///
/// It is held in its ASCII form and in small letters, which the same domain always has in common:
/// however it was written, with A-labels or U-labels (RFC 5890 §2.3.2.4), in whatever case, composed
/// or not, it compares, hashes and sorts as the one it is.
///
/// The rules are those of UTS #46 without its transitional ones: `ß` stays `ß`. That is IDNA 2008
/// (RFC 5891, RFC 5893) for all that is registered with it; symbols, which IDNA 2008 does not
/// allow, are taken, since there are such domains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName<'a>(Cow<'a, str>);

/// Why something is no domain, and which label is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainError {
    /// Where the label begins, in bytes of the text.
    pub offset: usize,
    /// Where it ends. For what concerns the name as a whole: all of it.
    pub end: usize,
    /// What is wrong.
    pub flaw: DomainFlaw,
}

/// What is wrong with a label, or with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainFlaw {
    /// Nothing between two dots, before the first or behind the last.
    Empty,
    /// A label of more than 63 bytes in its ASCII form (RFC 1035 §2.3.4).
    LabelTooLong,
    /// A name of more than 253 bytes in its ASCII form: with its lengths and its root, 255
    /// (RFC 1035 §2.3.4).
    TooLong,
    /// A hyphen where none may stand: at an end, or a second one behind the third character of a
    /// label with other letters than ASCII (RFC 5891 §4.2.3.1).
    Hyphen,
    /// An ASCII character other than letters, digits and hyphens.
    Character,
    /// It begins with `xn--` and is no A-label: it cannot be decoded, or decodes to what would be
    /// written otherwise (RFC 5890 §2.3.1).
    FakeALabel,
    /// Letters that IDNA does not allow, not here or not in this order (RFC 5892, RFC 5893).
    Letters,
    /// Letters from right to left beside labels that do not go with them (RFC 5893 §2).
    Direction,
}

impl<'a> DomainName<'a> {
    /// Parses the whole of `text`, in either form or mixed. There is no dot at the end.
    ///
    /// # Errors
    /// What is wrong with which label.
    pub fn parse(text: &'a str) -> Result<Self, DomainError> {
        let whole = |flaw| DomainError { offset: 0, end: text.len(), flaw };
        // No name is longer in UTF-8 than four times its ASCII form; nothing longer is looked at.
        if text.len() > 4 * NAME_MAX {
            return Err(whole(DomainFlaw::TooLong));
        }
        if is_plain(text) {
            labels(text).try_for_each(|(offset, label)| check_ascii(offset, label))?;
            return match text.len() <= NAME_MAX {
                true => Ok(Self(small(text))),
                false => Err(whole(DomainFlaw::TooLong)),
            };
        }
        // The label by itself first, so that it can be named.
        labels(text).try_for_each(|(offset, label)| check(offset, label))?;
        match to_ascii(text, DnsLength::Verify) {
            Some(ascii) => Ok(Self(ascii)),
            None if to_ascii(text, DnsLength::Ignore).is_some() => Err(whole(DomainFlaw::TooLong)),
            None => Err(whole(DomainFlaw::Direction)),
        }
    }

    /// With A-labels, in small letters: for DNS, for certificates, and for mail where SMTPUTF8 is
    /// not known.
    #[must_use]
    pub fn as_ascii(&self) -> &str {
        &self.0
    }

    /// With U-labels: for people, and for mail where SMTPUTF8 is known.
    #[must_use]
    pub fn to_unicode(&self) -> Cow<'_, str> {
        if is_plain(&self.0) {
            return Cow::Borrowed(&self.0);
        }
        let rules = (AsciiDenyList::STD3, Hyphens::Check);
        let (unicode, _checked) = Uts46::new().to_unicode(self.0.as_bytes(), rules.0, rules.1);
        unicode
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> DomainName<'static> {
        DomainName(Cow::Owned(self.0.into_owned()))
    }

    /// The ASCII form, taken out.
    #[must_use]
    pub fn into_ascii(self) -> Cow<'a, str> {
        self.0
    }
}

impl fmt::Display for DomainName<'_> {
    /// In ASCII.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl DomainError {
    /// The label that is to blame, or the whole name, in the text that was parsed.
    #[must_use]
    pub fn part<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.offset..self.end).unwrap_or_default()
    }
}

impl fmt::Display for DomainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: expected {}", self.offset, self.flaw.expected())
    }
}

impl std::error::Error for DomainError {}

impl DomainFlaw {
    /// What would have been right, such as "a label of at most 63 bytes".
    #[must_use]
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Empty => "a label",
            Self::LabelTooLong => "a label of at most 63 bytes in its ASCII form",
            Self::TooLong => "a name of at most 253 bytes in its ASCII form",
            Self::Hyphen => "no hyphen at a label's ends, nor two behind its second letter",
            Self::Character => "letters, digits and hyphens",
            Self::FakeALabel => "a label that can be decoded behind `xn--`",
            Self::Letters => "letters that a domain can have, in an order that it can have",
            Self::Direction => "labels that can stand beside those from right to left",
        }
    }
}

/// The form in which domains are looked up: ASCII in small letters where it is a domain, and where
/// it is none, which is then nobody's, small letters.
#[must_use]
pub fn domain_key(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return small(text);
    }
    DomainName::parse(text).map_or_else(|_| super::fold(text), DomainName::into_ascii)
}

/// Whether it has one form only: its own.
fn is_plain(text: &str) -> bool {
    text.is_ascii() && !text.split('.').any(is_encoded)
}

fn is_encoded(label: &str) -> bool {
    label.as_bytes().get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// In small letters; ASCII only.
fn small(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

/// Each label and where it begins.
fn labels(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('.').scan(0, |next, label| {
        let offset = *next;
        *next += label.len() + 1;
        Some((offset, label))
    })
}

/// RFC 1034 §3.5, with digits in front as RFC 1123 §2.1 allows them.
fn check_ascii(offset: usize, label: &str) -> Result<(), DomainError> {
    let flaw = if label.is_empty() {
        DomainFlaw::Empty
    } else if label.starts_with('-') || label.ends_with('-') {
        DomainFlaw::Hyphen
    } else if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        DomainFlaw::Character
    } else if label.len() > LABEL_MAX {
        DomainFlaw::LabelTooLong
    } else {
        return Ok(());
    };
    Err(DomainError { offset, end: offset + label.len(), flaw })
}

fn check(offset: usize, label: &str) -> Result<(), DomainError> {
    if label.is_ascii() {
        check_ascii(offset, label)?;
        if !is_encoded(label) {
            return Ok(());
        }
    }
    let flaw = match to_ascii(label, DnsLength::Ignore) {
        // Some characters are dots to IDNA; to the grammar of mail they are none.
        Some(ascii) if ascii.contains('.') => DomainFlaw::Letters,
        Some(ascii) if ascii.len() > LABEL_MAX => DomainFlaw::LabelTooLong,
        // Such as soft hyphens only, which are left out.
        Some(ascii) if ascii.is_empty() => DomainFlaw::Letters,
        Some(_) => return Ok(()),
        None if label.is_ascii() => DomainFlaw::FakeALabel,
        None if label.starts_with('-') || label.ends_with('-') || has_hyphens_behind_two(label) => {
            DomainFlaw::Hyphen
        }
        None if label.chars().any(is_odd_ascii) => DomainFlaw::Character,
        None => DomainFlaw::Letters,
    };
    Err(DomainError { offset, end: offset + label.len(), flaw })
}

fn has_hyphens_behind_two(label: &str) -> bool {
    label.chars().skip(2).take(2).eq(['-', '-'])
}

const fn is_odd_ascii(char: char) -> bool {
    char.is_ascii() && !char.is_ascii_alphanumeric() && char != '-'
}

fn to_ascii(text: &str, length: DnsLength) -> Option<Cow<'_, str>> {
    Uts46::new().to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, length).ok()
}

const PREFIX: &[u8] = b"xn--";
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 253;

#[cfg(test)]
mod tests;
