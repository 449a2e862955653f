//! What a client has switched on for the rest of its connection (RFC 5161).

use super::name::Spelling;

/// Extensions that change what a server says without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Enabled(u8);

impl Enabled {
    /// MODSEQ is told with every change of a message (RFC 7162 §3.1).
    pub const CONDSTORE: Self = Self(1);

    /// Messages that are gone are told by their UIDs (RFC 7162 §3.2). CONDSTORE is part of it
    /// (§3.2.3).
    pub const QRESYNC: Self = Self(1 << 1 | Self::CONDSTORE.0);

    /// The rules of RFC 9051 where they are others than those of RFC 3501 (appendix E).
    pub const IMAP4REV2: Self = Self(1 << 2);

    /// UTF-8 in quoted strings and in the headers of messages (RFC 6855, RFC 9755).
    pub const UTF8_ACCEPT: Self = Self(1 << 3);

    /// The extension of this name, in any case; none where it is no extension that is switched on:
    /// such words are passed over (RFC 5161 §3.1).
    #[must_use]
    pub fn named(word: &str) -> Self {
        let known = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        known.map(|(_, extension)| *extension).unwrap_or_default()
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether all of `others` are among these.
    #[must_use]
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// How names of mailboxes are written.
    #[must_use]
    pub const fn spelling(self) -> Spelling {
        if self.takes_utf8() { Spelling::Utf8 } else { Spelling::Utf7 }
    }

    /// Whether the client knows UTF-8 where RFC 3501 has none: in quoted strings, and in the headers
    /// of messages.
    #[must_use]
    pub const fn takes_utf8(self) -> bool {
        self.has(Self::IMAP4REV2) || self.has(Self::UTF8_ACCEPT)
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(_, extension)| self.has(*extension)).map(|(name, _)| *name)
    }
}

const NAMES: [(&str, Enabled); 4] = [
    ("CONDSTORE", Enabled::CONDSTORE),
    ("QRESYNC", Enabled::QRESYNC),
    ("IMAP4rev2", Enabled::IMAP4REV2),
    ("UTF8=ACCEPT", Enabled::UTF8_ACCEPT),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_their_extensions() {
        for (name, extension) in NAMES {
            assert_eq!(Enabled::named(&name.to_ascii_lowercase()), extension);
            assert!(Enabled::default().with(extension).has(extension));
            assert!(!Enabled::default().has(extension));
            assert!(extension.names().any(|told| told == name));
        }
        let both: Vec<_> = Enabled::QRESYNC.names().collect();
        assert_eq!(both, ["CONDSTORE", "QRESYNC"]);
        assert!(!Enabled::CONDSTORE.has(Enabled::QRESYNC));
        assert_eq!(Enabled::named("IDLE"), Enabled::default());
    }
}
