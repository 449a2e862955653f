//! Passwords that were right a moment ago, so that a phone that connects again does not cost the
//! tens of milliseconds that checking a password takes.
//!
//! What is kept is no password and no hash that could be tried elsewhere: an HMAC under a key that
//! this process draws at its start and never shows, over the account, what is stored of its
//! password, and the password that was given. Since what is stored is part of it, a password that
//! was changed, or an account that is removed or out of use, matches nothing any more; who logs in
//! is looked up in the store each time. Wrong passwords leave no trace here.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pillarbox_core::sasl::Secret;
use pillarbox_core::{Moment, Random};
use pillarbox_store::AccountId;
use ring::hmac;

/// The right passwords of the last minutes.
pub(crate) struct Remembered {
    key: hmac::Key,
    /// Zero: nothing is remembered.
    span: Duration,
    table: Mutex<Table>,
}

/// What one login is remembered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tag([u8; TAG_BYTES]);

#[derive(Default)]
struct Table {
    until: HashMap<Tag, Moment>,
    /// The same tags, the one that ends first in front: all are kept equally long.
    order: VecDeque<Tag>,
}

impl Remembered {
    /// Remembers each login for `span`; 0: none.
    pub(crate) fn new(span: Duration, random: &mut dyn Random) -> Self {
        let mut key = [0; TAG_BYTES];
        random.fill(&mut key);
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key), span, table: Mutex::default() }
    }

    /// The same key, another span.
    pub(crate) fn lasting(self, span: Duration) -> Self {
        Self { span, ..self }
    }

    /// What a login with this password would be remembered by. `stored` is what the store has of
    /// the account's password.
    pub(crate) fn tag(&self, account: AccountId, stored: &str, password: &Secret) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&account.0.to_be_bytes());
        // Its length first, so that what is stored and the password cannot run into each other.
        context.update(&u64::try_from(stored.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(stored.as_bytes());
        context.update(password.reveal().as_bytes());
        let mut tag = [0; TAG_BYTES];
        for (to, from) in tag.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        Tag(tag)
    }

    /// Whether this login succeeded a moment ago. That the tag is found by its bytes tells nobody
    /// anything by the time it takes: without the key nobody can aim at one.
    pub(crate) fn knows(&self, tag: Tag, now: Moment) -> bool {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.forget(now);
        table.until.contains_key(&tag)
    }

    /// Remembers a login that succeeded. A login that is remembered already is not kept longer.
    pub(crate) fn remember(&self, tag: Tag, now: Moment) {
        if self.span.is_zero() {
            return;
        }
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.forget(now);
        if table.until.len() >= LOGINS_MAX {
            table.forget_first();
        }
        if let Entry::Vacant(free) = table.until.entry(tag) {
            free.insert(now + self.span);
            table.order.push_back(tag);
        }
    }
}

impl Table {
    fn forget(&mut self, now: Moment) {
        while let Some(first) = self.order.front()
            && self.until.get(first).is_none_or(|until| *until <= now)
        {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.order.pop_front() {
            self.until.remove(&first);
        }
    }
}

impl fmt::Debug for Remembered {
    /// Neither the key nor what was made with it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remembered({:?})", self.span)
    }
}

const TAG_BYTES: usize = 32;
/// Each costs some 120 bytes; beyond, the oldest is forgotten.
const LOGINS_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;
    impl Random for Ones {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(1);
        }
    }

    fn remembering(seconds: u64) -> Remembered {
        Remembered::new(Duration::from_secs(seconds), &mut Ones)
    }

    const fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn each_part_of_a_login_counts() {
        let logins = remembering(600);
        let tag = |account, stored: &str, password: &str| {
            logins.tag(AccountId(account), stored, &Secret::new(password.into()))
        };
        logins.remember(tag(1, "phc", "right"), at(0));
        assert!(logins.knows(tag(1, "phc", "right"), at(1)));
        for other in [
            tag(2, "phc", "right"),
            tag(1, "other", "right"),
            tag(1, "phc", "wrong"),
            tag(1, "phcr", "ight"),
        ] {
            assert!(!logins.knows(other, at(1)));
        }
    }

    #[test]
    fn a_login_is_forgotten_in_time_and_not_kept_by_being_used() {
        let logins = remembering(600);
        let tag = Tag([1; TAG_BYTES]);
        logins.remember(tag, at(0));
        assert!(logins.knows(tag, at(599)));
        assert!(!logins.knows(tag, at(600)));
        assert!(logins.table.lock().unwrap().order.is_empty());
        let none = remembering(0);
        none.remember(tag, at(0));
        assert!(!none.knows(tag, at(0)));
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let logins = remembering(600);
        let tag = |number: u64| {
            let mut tag = [0; TAG_BYTES];
            tag[..8].copy_from_slice(&number.to_be_bytes());
            Tag(tag)
        };
        let count = LOGINS_MAX as u64;
        for number in 0..=count {
            logins.remember(tag(number), at(number / 100));
        }
        let table = logins.table.lock().unwrap();
        assert_eq!((table.until.len(), table.order.len()), (LOGINS_MAX, LOGINS_MAX));
        assert!(!table.until.contains_key(&tag(0)));
        assert!(table.until.contains_key(&tag(1)) && table.until.contains_key(&tag(count)));
    }
}
