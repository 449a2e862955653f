//! Which expunged messages somebody may still ask for.
//!
//! A session goes on numbering a message until it has been told that it is gone, and until then its
//! bytes must stay readable. Each open mailbox is pinned at the MODSEQ up to which its session has
//! been told; what was expunged up to the lowest pin can be purged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_store::MailboxId;

/// The pins of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Pins(Mutex<BTreeMap<MailboxId, Mailbox>>);

#[derive(Debug, Default)]
struct Mailbox {
    /// How many sessions stand at each MODSEQ.
    sessions: BTreeMap<u64, usize>,
    /// The MODSEQs of expunges that wait for their purge.
    expunged: BTreeSet<u64>,
}

/// One session's pin in one mailbox; taken out when dropped.
#[derive(Debug)]
pub(crate) struct Pin {
    pins: Arc<Pins>,
    mailbox: MailboxId,
    at: u64,
}

impl Pins {
    pub(crate) fn pin(self: &Arc<Self>, mailbox: MailboxId, at: u64) -> Pin {
        let mut mailboxes = self.lock();
        *mailboxes.entry(mailbox).or_default().sessions.entry(at).or_default() += 1;
        Pin { pins: Arc::clone(self), mailbox, at }
    }

    /// Messages were expunged with this MODSEQ.
    pub(crate) fn expunged(&self, mailbox: MailboxId, modseq: u64) {
        self.lock().entry(mailbox).or_default().expunged.insert(modseq);
    }

    /// Up to which MODSEQ the mailbox can be purged, if something waits for that. Told once.
    pub(crate) fn due(&self, mailbox: MailboxId) -> Option<u64> {
        let mut mailboxes = self.lock();
        let found = mailboxes.get_mut(&mailbox)?;
        let lowest = found.sessions.keys().next().copied().unwrap_or(u64::MAX);
        let later = found.expunged.split_off(&lowest.saturating_add(1));
        let due = !found.expunged.is_empty();
        found.expunged = later;
        if found.sessions.is_empty() && found.expunged.is_empty() {
            mailboxes.remove(&mailbox);
        }
        due.then_some(lowest)
    }

    /// A panic elsewhere leaves the table whole: each change is one step.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<MailboxId, Mailbox>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pin {
    /// Up to which MODSEQ the session has been told.
    pub(crate) const fn at(&self) -> u64 {
        self.at
    }

    /// The session has been told everything up to this MODSEQ.
    pub(crate) fn advance(&mut self, to: u64) {
        if to > self.at {
            let moved = self.pins.pin(self.mailbox, to);
            *self = moved;
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut mailboxes = self.pins.lock();
        if let Some(mailbox) = mailboxes.get_mut(&self.mailbox) {
            if let Some(count) = mailbox.sessions.get_mut(&self.at) {
                *count -= 1;
                if *count == 0 {
                    mailbox.sessions.remove(&self.at);
                }
            }
            if mailbox.sessions.is_empty() && mailbox.expunged.is_empty() {
                mailboxes.remove(&self.mailbox);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_numbers_can_go() {
        let pins = Arc::new(Pins::default());
        let mailbox = MailboxId(1);
        assert_eq!(pins.due(mailbox), None);
        let mut slow = pins.pin(mailbox, 10);
        let mut quick = pins.pin(mailbox, 10);
        pins.expunged(mailbox, 12);
        quick.advance(12);
        assert_eq!(pins.due(mailbox), None, "the slow one has not been told");
        slow.advance(12);
        assert_eq!(pins.due(mailbox), Some(12));
        assert_eq!(pins.due(mailbox), None);
        pins.expunged(mailbox, 14);
        drop(slow);
        assert_eq!(pins.due(mailbox), None);
        drop(quick);
        assert_eq!(pins.due(mailbox), Some(u64::MAX));
        assert!(pins.lock().is_empty());
    }
}
