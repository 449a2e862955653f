//! Names of what stays the same under other names (RFC 8474): mailboxes and messages.
//!
//! Each begins with a letter of its kind (RFC 8474 §8.1); behind it stand numbers of the store that
//! are given once.

use std::fmt;

/// What a message's bytes are: its body, and the lines in front of it. Copies share both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EmailId {
    /// The body's number.
    pub body: u64,
    /// The number of the lines in front, if there are any.
    pub prefix: Option<u64>,
}

/// A mailbox, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MailboxId(pub u64);

impl fmt::Display for EmailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "M{}", self.body)?;
        self.prefix.map_or(Ok(()), |prefix| write!(f, "-{prefix}"))
    }
}

impl fmt::Display for MailboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "F{}", self.0)
    }
}

impl EmailId {
    /// The message that is called so; `None` if none is: case counts, and every digit.
    ///
    /// ```
    /// use pillarbox_core::imap::object::EmailId;
    /// let id = EmailId { body: 12, prefix: Some(13) };
    /// assert_eq!(EmailId::read(&id.to_string()), Some(id));
    /// assert_eq!(EmailId::read("m12-13"), None);
    /// ```
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let numbers = text.strip_prefix('M')?;
        let found = match numbers.split_once('-') {
            None => Self { body: numbers.parse().ok()?, prefix: None },
            Some((body, prefix)) => {
                Self { body: body.parse().ok()?, prefix: Some(prefix.parse().ok()?) }
            }
        };
        // One name for each.
        (found.to_string() == text).then_some(found)
    }
}

/// Whether a text can name an object: `objectid` (RFC 8474 §7).
#[must_use]
pub fn is_id(text: &str) -> bool {
    let may = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=255).contains(&text.len()) && text.bytes().all(may)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_has_one_name() {
        let id = |body, prefix| EmailId { body, prefix };
        for (text, found) in [
            ("M1", Some(id(1, None))),
            ("M12-13", Some(id(12, Some(13)))),
            ("M18446744073709551615", Some(id(u64::MAX, None))),
            ("M18446744073709551616", None),
            ("m1", None),
            ("M01", None),
            ("M+1", None),
            ("M1-", None),
            ("M-1", None),
            ("M1-2-3", None),
            ("F1", None),
            ("", None),
        ] {
            assert_eq!(EmailId::read(text), found, "{text}");
            assert!(found.is_none_or(|id| id.to_string() == text));
        }
    }

    #[test]
    fn what_can_be_an_id() {
        for (text, can) in [("aZ_-9", true), ("", false), ("a.b", false), ("\u{e9}", false)] {
            assert_eq!(is_id(text), can, "{text}");
        }
        assert!(is_id(&"x".repeat(255)) && !is_id(&"x".repeat(256)));
    }
}
