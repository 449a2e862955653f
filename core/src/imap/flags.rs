//! Flags as bits, and the names behind them.
//!
//! The five system flags have fixed bits; each other bit is a keyword whose name stands in its
//! mailbox's [`Keywords`]. So a message's flags are one number, at home and on the way.

/// `\Seen`.
pub const SEEN: u64 = 1;
/// `\Answered`.
pub const ANSWERED: u64 = 1 << 1;
/// `\Flagged`.
pub const FLAGGED: u64 = 1 << 2;
/// `\Deleted`.
pub const DELETED: u64 = 1 << 3;
/// `\Draft`.
pub const DRAFT: u64 = 1 << 4;
/// The bit of a mailbox's first keyword; those before it are system flags.
pub const FIRST_KEYWORD: u32 = 5;
/// The most keywords that one mailbox can have.
pub const KEYWORDS_MAX: usize = 59;
/// The most flags in one list of a command.
pub const NAMED_MAX: usize = 64;
/// The longest keyword.
pub const KEYWORD_BYTES_MAX: usize = 64;

/// The system flags by name, in the order in which they are told.
pub const SYSTEM: [(&str, u64); 5] = [
    ("Answered", ANSWERED),
    ("Flagged", FLAGGED),
    ("Deleted", DELETED),
    ("Seen", SEEN),
    ("Draft", DRAFT),
];

/// The bit of a system flag, named without its backslash in any case.
#[must_use]
pub fn system(name: &str) -> Option<u64> {
    SYSTEM.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, bit)| *bit)
}

/// A message's flags: bits 0 to 4 system flags, the rest keywords of its mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FlagBits(pub u64);

impl FlagBits {
    /// Whether any of these bits is set.
    #[must_use]
    pub const fn has(self, bits: u64) -> bool {
        self.0 & bits != 0
    }
}

/// The keywords of one mailbox: the n-th has the bit `5 + n`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keywords(Vec<Box<str>>);

impl Keywords {
    /// Keywords in the order of their bits; what is beyond the 59th has no bit and is left out.
    pub fn new<S: Into<Box<str>>>(names: impl IntoIterator<Item = S>) -> Self {
        Self(names.into_iter().take(KEYWORDS_MAX).map(Into::into).collect())
    }

    /// The bit of a keyword. Case does not count, as in all of the grammar (RFC 3501 §9).
    #[must_use]
    pub fn bit(&self, name: &str) -> Option<u64> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, bit)| bit)
    }

    /// All names with their bits.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().zip(FIRST_KEYWORD..).map(|(name, bit)| (&**name, 1 << bit))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Flags by name, as a command gives them: keywords whose mailbox may not know them yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlagNames {
    /// The system flags.
    pub system: FlagBits,
    /// The keywords, each once, spelled as the client did.
    pub keywords: Vec<Box<str>>,
}

impl FlagNames {
    /// These flags as bits of a mailbox; keywords that it does not know are left out.
    #[must_use]
    pub fn known(&self, keywords: &Keywords) -> FlagBits {
        let bits = self.keywords.iter().filter_map(|name| keywords.bit(name));
        FlagBits(bits.fold(self.system.0, |all, bit| all | bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_have_the_bits_above_the_system_flags() {
        let keywords = Keywords::new(["$Junk", "Work"]);
        assert_eq!(keywords.bit("$junk"), Some(32));
        assert_eq!(keywords.bit("work"), Some(64));
        assert_eq!(keywords.bit("Play"), None);
        assert_eq!(system("seen"), Some(SEEN));
        assert_eq!(system("recent"), None);
    }

    #[test]
    fn the_last_keyword_has_the_last_bit() {
        let names = (0..100).map(|number| format!("k{number}"));
        let keywords = Keywords::new(names);
        assert_eq!(keywords.len(), KEYWORDS_MAX);
        assert_eq!(keywords.bit("k58"), Some(1 << 63));
        assert_eq!(keywords.bit("k59"), None);
    }

    #[test]
    fn names_become_bits_of_a_mailbox() {
        let flags =
            FlagNames { system: FlagBits(SEEN), keywords: vec!["work".into(), "new".into()] };
        assert_eq!(flags.known(&Keywords::new(["Work"])), FlagBits(SEEN | 32));
    }
}
