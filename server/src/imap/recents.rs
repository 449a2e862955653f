//! Which messages are recent, and to which session (RFC 3501 §2.3.2).
//!
//! A message is recent to the first session that is told of it and may change the mailbox. So each
//! mailbox has one number: up to this UID messages were claimed. The store keeps it, but it would
//! cost a commit for each letter that arrives while somebody watches. So it is kept here for
//! mailboxes that are open somewhere; the store is told, and nobody waits for that, when a session
//! comes that finds something new, or when one leaves. What a crash loses of it is recent once
//! more, which harms nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_store::MailboxId;

/// The claims of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Recents(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    mailboxes: BTreeMap<MailboxId, Mailbox>,
    /// How many of them nobody has open.
    left: usize,
}

#[derive(Debug, Default)]
struct Mailbox {
    /// How many have it open.
    sessions: usize,
    /// Up to which UID its messages were claimed.
    claimed: u32,
    /// What the store was asked to keep of that.
    asked: u32,
    /// What the store has been seen to keep.
    kept: u32,
}

/// One session's part in the claims of one mailbox; it leaves when dropped.
#[derive(Debug)]
pub(crate) struct Claims {
    recents: Arc<Recents>,
    mailbox: MailboxId,
}

impl Recents {
    /// A session opens a mailbox in which the store has messages claimed up to `kept`.
    pub(crate) fn open(self: &Arc<Self>, mailbox: MailboxId, kept: u32) -> Claims {
        let mut table = self.lock();
        let known = table.mailboxes.get(&mailbox).is_some_and(|entry| entry.sessions == 0);
        table.left -= usize::from(known);
        let entry = table.mailboxes.entry(mailbox).or_default();
        entry.sessions += 1;
        entry.claimed = entry.claimed.max(kept);
        entry.asked = entry.asked.max(kept);
        entry.kept = entry.kept.max(kept);
        Claims { recents: Arc::clone(self), mailbox }
    }

    /// Up to which UID the messages of a mailbox were claimed, as far as it is known here.
    pub(crate) fn claimed(&self, mailbox: MailboxId) -> u32 {
        self.lock().mailboxes.get(&mailbox).map_or(0, |entry| entry.claimed)
    }

    /// A panic elsewhere leaves the table whole: nothing in here panics.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// One session less has this mailbox open.
    fn leave(&mut self, mailbox: MailboxId) {
        let Some(entry) = self.mailboxes.get_mut(&mailbox) else { return };
        entry.sessions = entry.sessions.saturating_sub(1);
        if entry.sessions > 0 {
            return;
        }
        if entry.claimed == entry.kept {
            self.mailboxes.remove(&mailbox);
            return;
        }
        // What the store was asked for may not have got there before the next one looks.
        self.left += 1;
        if self.left > LEFT_MAX {
            self.mailboxes.retain(|_, entry| entry.sessions > 0);
            self.left = 0;
        }
    }
}

impl Claims {
    /// Claims all up to this UID; says up to where they had been claimed before.
    pub(crate) fn claim(&self, up_to: u32) -> u32 {
        let mut table = self.recents.lock();
        let entry = table.mailboxes.entry(self.mailbox).or_default();
        let before = entry.claimed;
        entry.claimed = before.max(up_to);
        before
    }

    /// Up to where messages were claimed: what a session asks that may not change that.
    pub(crate) fn claimed(&self) -> u32 {
        self.recents.claimed(self.mailbox)
    }

    /// What the store is to be asked to keep now, if it was not yet. Told once.
    pub(crate) fn due(&self) -> Option<u32> {
        let mut table = self.recents.lock();
        let entry = table.mailboxes.get_mut(&self.mailbox)?;
        let due = entry.claimed > entry.asked;
        entry.asked = entry.claimed;
        due.then_some(entry.claimed)
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        self.recents.lock().leave(self.mailbox);
    }
}

/// How many mailboxes that nobody has open are remembered. When there are more, the store has long
/// done what it was asked for the most of them.
const LEFT_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_claimed_by_one() {
        let recents = Arc::new(Recents::default());
        let mailbox = MailboxId(1);
        let one = recents.open(mailbox, 3);
        let other = recents.open(mailbox, 3);
        assert_eq!(one.claim(5), 3);
        assert_eq!(other.claim(5), 5);
        assert_eq!(other.claim(7), 5);
        assert_eq!(one.claim(6), 7, "never back");
        assert_eq!((one.claimed(), recents.claimed(mailbox)), (7, 7));
        assert_eq!(recents.claimed(MailboxId(2)), 0);
    }

    #[test]
    fn the_store_is_asked_once_and_only_for_news() {
        let recents = Arc::new(Recents::default());
        let mailbox = MailboxId(1);
        let one = recents.open(mailbox, 3);
        assert_eq!(one.due(), None);
        one.claim(5);
        let other = recents.open(mailbox, 3);
        assert_eq!(other.due(), Some(5));
        assert_eq!(one.due(), None);
    }

    #[test]
    fn a_claim_is_remembered_until_the_store_has_it() {
        let recents = Arc::new(Recents::default());
        let mailbox = MailboxId(1);
        let one = recents.open(mailbox, 3);
        one.claim(5);
        assert_eq!(one.due(), Some(5));
        drop(one);
        // The commit is still under way.
        let next = recents.open(mailbox, 3);
        assert_eq!((next.claim(5), next.due()), (5, None));
        drop(next);
        drop(recents.open(mailbox, 5));
        assert!(recents.lock().mailboxes.is_empty());
        assert_eq!(recents.lock().left, 0);
    }

    #[test]
    fn as_many_as_can_be_are_remembered_and_one_more_is_too_many() {
        let recents = Arc::new(Recents::default());
        let open = recents.open(MailboxId(0), 0);
        for id in 1..=4_096 {
            recents.open(MailboxId(id), 0).claim(1);
        }
        assert_eq!(recents.lock().mailboxes.len(), 4_097);
        recents.open(MailboxId(9_999), 0).claim(1);
        assert_eq!(recents.lock().mailboxes.len(), 1, "only what is open");
        drop(open);
    }
}
