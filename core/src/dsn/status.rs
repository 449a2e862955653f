//! What became of a message for one recipient, and who is told.

use std::fmt;

/// What was done for a recipient (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It could not be delivered, and nothing more is tried.
    Failed,
    /// It could not be delivered yet.
    Delayed,
    /// It is in the mailbox, or with a mailing list.
    Delivered,
    /// It went to a server that will not tell whether it was delivered.
    Relayed,
    /// It was delivered to an alias, and sent on to several addresses.
    Expanded,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Failed, Self::Delayed, Self::Delivered, Self::Relayed, Self::Expanded];

    /// As the field has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }

    /// Reads the field's value, in any case; what stands behind the word does not matter.
    #[must_use]
    pub fn read(value: &str) -> Option<Self> {
        let end = |char: char| !char.is_ascii_alphabetic();
        let word = value.trim_start().split(end).next().unwrap_or_default();
        // Some write it as RFC 3464 §2.3.3 itself does in a note.
        let word = if word.eq_ignore_ascii_case("failure") { "failed" } else { word };
        Self::ALL.into_iter().find(|action| word.eq_ignore_ascii_case(action.name()))
    }
}

/// A status code (RFC 3463 §2): class, subject and detail, as in `5.1.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status {
    class: u8,
    subject: u16,
    detail: u16,
}

impl Status {
    /// `class.subject.detail`. A class other than 2 and 4 is 5; subject and detail are 999 at most.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        const fn capped(number: u16) -> u16 {
            if number > 999 { 999 } else { number }
        }
        let class = if class == 2 || class == 4 { class } else { 5 };
        Self { class, subject: capped(subject), detail: capped(detail) }
    }

    /// 2: done; 4: not now; 5: never.
    #[must_use]
    pub const fn class(self) -> u8 {
        self.class
    }

    /// What it is about: 1 addresses, 2 the mailbox, 3 the server, 4 the way there, 5 the protocol,
    /// 6 the content, 7 policy (RFC 3463 §3).
    #[must_use]
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// What it is precisely.
    #[must_use]
    pub const fn detail(self) -> u16 {
        self.detail
    }

    /// Whether it tells nothing but its class.
    #[must_use]
    pub const fn is_vague(self) -> bool {
        self.subject == 0 && self.detail == 0
    }

    /// The code at the beginning of a text, where nothing of a number stands behind it.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let end = |char: char| !(char.is_ascii_digit() || char == '.');
        let word = text.trim_start().split(end).next().unwrap_or_default();
        let mut parts = word.trim_end_matches('.').split('.');
        let class = match parts.next()? {
            "2" => 2,
            "4" => 4,
            "5" => 5,
            _ => return None,
        };
        let mut number = || -> Option<u16> {
            let digits = parts.next().filter(|digits| (1..=3).contains(&digits.len()))?;
            digits.parse().ok()
        };
        let status = Self { class, subject: number()?, detail: number()? };
        parts.next().is_none().then_some(status)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// Of what the sender wants to hear for a recipient: the NOTIFY parameter (RFC 3461 §4.1), where
/// none of these is NEVER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked {
    /// That it was delivered.
    pub success: bool,
    /// That it was not.
    pub failure: bool,
    /// That it takes long.
    pub delay: bool,
}

impl Default for Asked {
    /// As without the parameter.
    fn default() -> Self {
        Self { success: false, failure: true, delay: true }
    }
}

/// Whether a recipient belongs into a report to `sender`, which is empty for the null sender: about
/// reports there are none (RFC 5321 §4.5.5, §6.1; RFC 3461 §5.2.4 to §5.2.7).
#[must_use]
pub const fn is_due(sender: &str, asked: Asked, action: Action) -> bool {
    if sender.is_empty() {
        return false;
    }
    match action {
        Action::Failed => asked.failure,
        Action::Delayed => asked.delay,
        Action::Delivered | Action::Relayed | Action::Expanded => asked.success,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read() {
        for (text, expected) in [
            ("5.1.1", Some((5, 1, 1))),
            (" 4.4.7 (delivery time expired)", Some((4, 4, 7))),
            ("2.0.0\t", Some((2, 0, 0))),
            ("5.7.509 Access denied", Some((5, 7, 509))),
            ("5.1.1.", Some((5, 1, 1))),
            ("5.1", None),
            ("5.1.1.1", None),
            ("3.0.0", None),
            ("550 5.1.1", None),
            ("5..1", None),
            ("5.1000.1", None),
            ("", None),
        ] {
            let expected =
                expected.map(|(class, subject, detail)| Status::new(class, subject, detail));
            assert_eq!(Status::read(text), expected, "{text}");
        }
        assert_eq!(Status::new(9, 1_000, 1_001).to_string(), "5.999.999");
    }

    #[test]
    fn actions_are_read() {
        for action in Action::ALL {
            assert_eq!(Action::read(action.name()), Some(action));
            assert_eq!(
                Action::read(&format!(" {} (x)", action.name().to_uppercase())),
                Some(action)
            );
        }
        assert_eq!(Action::read("failure"), Some(Action::Failed));
        assert_eq!(Action::read("fail"), None);
        assert_eq!(Action::read(""), None);
    }

    #[test]
    fn who_is_told_of_what() {
        let never = Asked { success: false, failure: false, delay: false };
        let all = Asked { success: true, failure: true, delay: true };
        for action in Action::ALL {
            let trouble = matches!(action, Action::Failed | Action::Delayed);
            assert_eq!(is_due("a@b", Asked::default(), action), trouble);
            assert!(is_due("a@b", all, action));
            assert!(!is_due("a@b", never, action));
            assert!(!is_due("", all, action), "about reports there are none");
        }
        assert!(!is_due("a@b", Asked { failure: true, ..never }, Action::Delayed));
        assert!(is_due("a@b", Asked { success: true, ..never }, Action::Expanded));
    }
}
