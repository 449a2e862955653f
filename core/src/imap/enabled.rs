//! What a client has switched on for the rest of its connection (RFC 5161).

/// Extensions that change what a server says without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Enabled(u8);

impl Enabled {
    /// MODSEQ is told with every change of a message (RFC 7162 §3.1).
    pub const CONDSTORE: Self = Self(1);

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

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(_, extension)| self.has(*extension)).map(|(name, _)| *name)
    }
}

const NAMES: [(&str, Enabled); 1] = [("CONDSTORE", Enabled::CONDSTORE)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_their_extensions() {
        for (name, extension) in NAMES {
            assert_eq!(Enabled::named(&name.to_ascii_lowercase()), extension);
            assert!(Enabled::default().with(extension).has(extension));
            assert!(!Enabled::default().has(extension));
            assert_eq!(extension.names().collect::<Vec<_>>(), [name]);
        }
        assert_eq!(Enabled::named("IDLE"), Enabled::default());
    }
}
