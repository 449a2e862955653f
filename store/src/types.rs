//! The small values that jobs and answers are made of.

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

/// Names an account. Never used again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

/// Names a domain of ours. Never used again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainId(pub i64);

/// Names a mailbox, whoever owns it. Never used again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId(pub i64);

/// The UIDs from `first` to `last`, both included. Empty where `last` is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UidRange {
    /// The lowest UID.
    pub first: u32,
    /// The highest UID.
    pub last: u32,
}

impl UidRange {
    /// Every UID that there can be.
    pub const ALL: Self = Self { first: 1, last: u32::MAX };

    /// Just this one.
    #[must_use]
    pub const fn one(uid: u32) -> Self {
        Self { first: uid, last: uid }
    }

    /// How many UIDs the range holds.
    #[must_use]
    pub fn count(self) -> u64 {
        (u64::from(self.last) + 1).saturating_sub(u64::from(self.first))
    }

    /// Whether the range holds `uid`.
    #[must_use]
    pub const fn contains(self, uid: u32) -> bool {
        self.first <= uid && uid <= self.last
    }

    /// Adds `uid`, higher than all before it, to ascending ranges.
    pub(crate) fn push(ranges: &mut Vec<Self>, uid: u32) {
        match ranges.last_mut() {
            Some(range) if range.last.checked_add(1) == Some(uid) => range.last = uid,
            _ => ranges.push(Self::one(uid)),
        }
    }

    /// What of these ranges lies above `uid`, ascending.
    #[must_use]
    pub fn after(ranges: &[Self], uid: u32) -> Vec<Self> {
        let mut left = Self::joined(ranges);
        left.retain(|range| range.last > uid);
        if let Some(range) = left.first_mut()
            && range.first <= uid
        {
            range.first = uid + 1;
        }
        left
    }

    /// Sorted, with what touches or overlaps joined and what is empty left out.
    pub(crate) fn joined(ranges: &[Self]) -> Vec<Self> {
        let mut sorted: Vec<Self> =
            ranges.iter().copied().filter(|range| range.first <= range.last).collect();
        sorted.sort_unstable_by_key(|range| range.first);
        let mut joined: Vec<Self> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match joined.last_mut() {
                Some(before) if range.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(range.last);
                }
                _ => joined.push(range),
            }
        }
        joined
    }
}

/// The flags of a message as bits: five system flags (RFC 9051 §2.3.2), then the mailbox's
/// keywords, each at the bit that [`Keyword`] tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u64);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// `\Seen`
    pub const SEEN: Self = Self(1);
    /// `\Answered`
    pub const ANSWERED: Self = Self(1 << 1);
    /// `\Flagged`
    pub const FLAGGED: Self = Self(1 << 2);
    /// `\Deleted`
    pub const DELETED: Self = Self(1 << 3);
    /// `\Draft`
    pub const DRAFT: Self = Self(1 << 4);
    /// The five system flags together.
    pub const SYSTEM: Self = Self((1 << 5) - 1);

    /// Whether all of `flags` are among these.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Flags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Flags {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({:#b})", self.0)
    }
}

/// A keyword of a mailbox (RFC 9051 §2.3.2): a flag that clients made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    /// Its bit in [`Flags`], 5 to 63.
    pub bit: u8,
    /// Its name as first given. Names are compared without regard to ASCII case.
    pub name: String,
}

impl Keyword {
    /// The keyword's bit as a flag.
    #[must_use]
    pub const fn flag(&self) -> Flags {
        Flags(1 << (self.bit & 63))
    }
}

/// What a mailbox is for (RFC 6154 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Special {
    /// `\Drafts`
    Drafts,
    /// `\Sent`
    Sent,
    /// `\Archive`
    Archive,
    /// `\Trash`
    Trash,
    /// `\Junk`
    Junk,
}

impl Special {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Drafts, Self::Sent, Self::Archive, Self::Trash, Self::Junk];

    /// The name under which a new account finds it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drafts => "Drafts",
            Self::Sent => "Sent",
            Self::Archive => "Archive",
            Self::Trash => "Trash",
            Self::Junk => "Junk",
        }
    }

    /// As the database holds it.
    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::Drafts => 1,
            Self::Sent => 2,
            Self::Archive => 3,
            Self::Trash => 4,
            Self::Junk => 5,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|special| special.code() == code)
    }
}

/// What an account's password is checked against. Never the password.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// argon2id, as a PHC string.
    Argon2id(String),
    /// For SCRAM-SHA-256 (RFC 7677).
    ScramSha256(ScramKeys),
    /// For SCRAM-SHA-1 (RFC 5802).
    ScramSha1(ScramKeys),
    /// For CRAM-MD5 (RFC 2195). Kept only of accounts with an address in a domain that wants it.
    CramMd5(CramKeys),
}

impl fmt::Debug for Secret {
    /// Tells the kind only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Argon2id(_) => "Argon2id",
            Self::ScramSha256(_) => "ScramSha256",
            Self::ScramSha1(_) => "ScramSha1",
            Self::CramMd5(_) => "CramMd5",
        })
    }
}

/// What a server keeps of a password for CRAM-MD5: HMAC's two states.
#[derive(Clone, PartialEq, Eq)]
pub struct CramKeys {
    /// The one that goes on with the challenge.
    pub inner: [u8; 16],
    /// The one that goes on with the inner hash.
    pub outer: [u8; 16],
}

impl fmt::Debug for CramKeys {
    /// Never the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CramKeys")
    }
}

/// What a SCRAM server keeps of a password (RFC 5802 §3).
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// Drawn at random when the password was set.
    pub salt: Vec<u8>,
    /// The iteration count; at least 1.
    pub iterations: u32,
    /// StoredKey.
    pub stored_key: Vec<u8>,
    /// ServerKey.
    pub server_key: Vec<u8>,
}

impl fmt::Debug for ScramKeys {
    /// Tells the iteration count only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScramKeys({} iterations)", self.iterations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_where_they_touch() {
        let range = |first, last| UidRange { first, last };
        let joined = UidRange::joined(&[range(7, 9), range(1, 2), range(3, 4), range(6, 5)]);
        assert_eq!(joined, [range(1, 4), range(7, 9)]);
        let all = UidRange::joined(&[UidRange::ALL, range(u32::MAX, u32::MAX), range(5, 6)]);
        assert_eq!(all, [UidRange::ALL]);
        assert_eq!(UidRange::ALL.count(), u64::from(u32::MAX));
        assert_eq!(range(6, 5).count(), 0);
    }

    #[test]
    fn secrets_do_not_print() {
        let keys =
            ScramKeys { salt: vec![1], iterations: 4096, stored_key: vec![2], server_key: vec![3] };
        assert_eq!(format!("{keys:?}"), "ScramKeys(4096 iterations)");
        assert_eq!(format!("{:?}", Secret::Argon2id("$argon2id$x".into())), "Argon2id");
    }

    #[test]
    fn special_codes_return() {
        for special in Special::ALL {
            assert_eq!(Special::from_code(special.code()), Some(special));
        }
        assert_eq!(Special::from_code(0), None);
    }
}
