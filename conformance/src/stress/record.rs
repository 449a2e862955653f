//! What is known for certain about the mailboxes, from what all clients have been told: which
//! letter has which UID, which may be gone, and which must not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::letter::DELIVERED;

/// Shared by all clients.
#[derive(Debug, Default)]
pub(super) struct Record(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    next_letter: u64,
    /// By mailbox, UIDVALIDITY and UID, in every mailbox.
    letters: BTreeMap<(String, u32, u32), u64>,
    /// In the mailboxes that stay for the whole run.
    messages: BTreeMap<(String, u32), Message>,
    validities: BTreeMap<String, u32>,
    /// The next UID of each, as far as it was told.
    floors: BTreeMap<String, u32>,
    /// The HIGHESTMODSEQ of each, as far as it was told.
    highest: BTreeMap<String, u64>,
    /// Letters of which there may be copies that nobody was told of.
    doubts: BTreeMap<u64, usize>,
    /// Letters that were delivered, and their UIDs in the shared mailbox, once they were seen there
    /// in a moment of quiet.
    arrived: BTreeMap<u64, Option<u32>>,
    violations: Vec<String>,
    counts: BTreeMap<String, u64>,
}

/// What is known of one message.
#[derive(Debug, Default, Clone)]
struct Message {
    /// Some client was told that it has made it.
    claimed: bool,
    /// By which command.
    made: String,
    /// Some client has asked for what may remove it.
    doomed: bool,
    /// It may have `\Deleted`, which its copies then have too.
    marked: bool,
    /// Some client was told that it is gone.
    gone: bool,
    /// Some client was told that it has moved it away.
    moved: bool,
    /// Whether it has the keyword that only one client sets, by client; where that is known.
    own: BTreeMap<usize, Option<bool>>,
}

/// A message that a client has made.
#[derive(Debug, Clone)]
pub(super) struct Claim<'a> {
    pub(super) mailbox: &'a str,
    pub(super) validity: u32,
    pub(super) uid: u32,
    pub(super) letter: u64,
    /// It may have `\Deleted` from the beginning.
    pub(super) marked: bool,
    /// The clients whose keyword it has; `None` where it is a copy.
    pub(super) own: Option<&'a BTreeSet<usize>>,
    /// How many clients there are.
    pub(super) clients: usize,
    /// Who has made it, and by which command.
    pub(super) made: &'a str,
}

impl Record {
    /// A number for a new letter.
    pub(super) fn new_letter(&self) -> u64 {
        let mut known = self.lock();
        known.next_letter += 1;
        known.next_letter
    }

    /// A number for a letter that comes by SMTP.
    pub(super) fn new_delivery(&self) -> u64 {
        DELIVERED + self.new_letter()
    }

    /// The server has promised that a letter is there.
    pub(super) fn delivered(&self, letter: u64) {
        self.lock().arrived.insert(letter, None);
    }

    /// In a moment of quiet, a letter that was delivered is in the shared mailbox, and nobody has put
    /// it there: once, and never again.
    pub(super) fn arrives(&self, mailbox: &str, uid: u32, letter: u64) -> Result<(), String> {
        let mut known = self.lock();
        let is_doubtful = known.doubts.get(&letter).is_some_and(|count| *count > 0);
        let Some(arrived) = known.arrived.get_mut(&letter) else {
            return Err(format!("UID {uid} of {mailbox}, letter {letter}: nobody has made it"));
        };
        if let Some(other) = arrived.replace(uid).filter(|other| *other != uid) {
            // A MOVE that has failed may have left a copy.
            return if is_doubtful {
                Ok(())
            } else {
                Err(format!("letter {letter} came into {mailbox} as UID {other} and UID {uid}"))
            };
        }
        let message = known.messages.entry((mailbox.to_owned(), uid)).or_default();
        message.claimed = true;
        "SMTP".clone_into(&mut message.made);
        Ok(())
    }

    /// Letters that the server has promised, and that nobody has ever seen in the mailbox.
    pub(super) fn never_seen(&self, mailbox: &str) -> Option<u64> {
        let known = self.lock();
        let seen: BTreeSet<u64> = known
            .letters
            .iter()
            .filter(|((name, ..), _)| name == mailbox)
            .map(|(_, letter)| *letter)
            .collect();
        known.arrived.keys().copied().find(|letter| !seen.contains(letter))
    }

    /// Counts a command and how it ended.
    pub(super) fn count(&self, what: &str) {
        *self.lock().counts.entry(what.to_owned()).or_default() += 1;
    }

    /// How often each command was given, by its end.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.lock().counts.clone()
    }

    /// Something is wrong.
    pub(super) fn violation(&self, what: String) {
        self.lock().violations.push(what);
    }

    /// All that was wrong.
    pub(super) fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// RFC 3501 §2.3.1.1: it stays what it is, and the next UID never becomes less.
    pub(super) fn opened(&self, mailbox: &str, validity: u32, next: u32) -> Result<(), String> {
        let mut known = self.lock();
        let before = *known.validities.entry(mailbox.to_owned()).or_insert(validity);
        if before != validity {
            return Err(format!("UIDVALIDITY of {mailbox} was {before} and is {validity}"));
        }
        let floor = known.floors.entry(mailbox.to_owned()).or_default();
        *floor = next.max(*floor);
        Ok(())
    }

    /// The HIGHESTMODSEQ, as far as it was told to anybody.
    pub(super) fn highest(&self, mailbox: &str) -> u64 {
        self.lock().highest.get(mailbox).copied().unwrap_or_default()
    }

    /// A HIGHESTMODSEQ, where it was at least so much before (RFC 7162 §3.1.2.1: it only grows).
    pub(super) fn reached(&self, mailbox: &str, before: u64, is: u64) -> Result<(), String> {
        let mut known = self.lock();
        let highest = known.highest.entry(mailbox.to_owned()).or_default();
        *highest = is.max(*highest);
        if is < before {
            return Err(format!("HIGHESTMODSEQ {is} of {mailbox} after {before}"));
        }
        Ok(())
    }

    /// The next UID, as far as it was told to anybody.
    pub(super) fn floor(&self, mailbox: &str) -> u32 {
        self.lock().floors.get(mailbox).copied().unwrap_or_default()
    }

    /// The letter of a message, if somebody has seen it.
    pub(super) fn letter_of(&self, mailbox: &str, validity: u32, uid: u32) -> Option<u64> {
        self.lock().letters.get(&(mailbox.to_owned(), validity, uid)).copied()
    }

    /// RFC 3501 §2.3.1.1: what a name, UIDVALIDITY and UID stand for never changes.
    pub(super) fn identify(
        &self,
        mailbox: &str,
        validity: u32,
        uid: u32,
        letter: u64,
    ) -> Result<(), String> {
        let key = (mailbox.to_owned(), validity, uid);
        let before = *self.lock().letters.entry(key).or_insert(letter);
        if before != letter {
            return Err(format!("UID {uid} of {mailbox} was letter {before} and is {letter}"));
        }
        Ok(())
    }

    /// A client was told that it has made a message.
    pub(super) fn claim(&self, claim: &Claim<'_>, tracked: bool) -> Result<(), String> {
        let Claim { mailbox, validity, uid, letter, .. } = *claim;
        self.identify(mailbox, validity, uid, letter)?;
        if !tracked {
            return Ok(());
        }
        self.opened(mailbox, validity, uid.saturating_add(1))?;
        let mut known = self.lock();
        let message = known.messages.entry((mailbox.to_owned(), uid)).or_default();
        if message.claimed {
            return Err(format!("UID {uid} of {mailbox} was given out twice"));
        }
        message.claimed = true;
        claim.made.clone_into(&mut message.made);
        message.marked |= claim.marked;
        message.doomed |= claim.marked;
        if message.gone && !message.doomed {
            return Err(gone_by_itself(mailbox, uid, message));
        }
        if let Some(own) = claim.own {
            for client in 0..claim.clients {
                message.own.entry(client).or_insert_with(|| Some(own.contains(&client)));
            }
        }
        Ok(())
    }

    /// A client is about to do what may remove these: with `marks`, to give them `\Deleted`.
    pub(super) fn doom(&self, mailbox: &str, uids: &[u32], marks: bool) {
        let mut known = self.lock();
        for uid in uids {
            let message = known.messages.entry((mailbox.to_owned(), *uid)).or_default();
            message.doomed = true;
            message.marked |= marks;
        }
    }

    /// Whether it may have `\Deleted`.
    pub(super) fn is_marked(&self, mailbox: &str, uid: u32) -> bool {
        self.lock().messages.get(&(mailbox.to_owned(), uid)).is_some_and(|known| known.marked)
    }

    /// Whether it may be gone any time: nobody can tell where its maker has not been answered yet.
    pub(super) fn may_go(&self, mailbox: &str, uid: u32) -> bool {
        let known = self.lock();
        let message = known.messages.get(&(mailbox.to_owned(), uid));
        message.is_none_or(|one| one.doomed || !one.claimed)
    }

    /// Messages that must be there.
    pub(super) fn sure(&self, mailbox: &str) -> BTreeSet<u32> {
        let known = self.lock();
        let of = known.messages.range((mailbox.to_owned(), 0)..=(mailbox.to_owned(), u32::MAX));
        of.filter(|(_, one)| one.claimed && !one.doomed).map(|((_, uid), _)| *uid).collect()
    }

    /// A client was told that it is gone.
    pub(super) fn gone(&self, mailbox: &str, uid: u32) -> Result<(), String> {
        let mut known = self.lock();
        let message = known.messages.entry((mailbox.to_owned(), uid)).or_default();
        message.gone = true;
        // A copy may have been made ready to be removed: its maker knows.
        if message.claimed && !message.doomed {
            return Err(gone_by_itself(mailbox, uid, message));
        }
        Ok(())
    }

    /// A client was told that it has moved it away. RFC 6851 §3.3: that is one step, so no two can.
    pub(super) fn moved(&self, mailbox: &str, uid: u32) -> Result<(), String> {
        let mut known = self.lock();
        let message = known.messages.entry((mailbox.to_owned(), uid)).or_default();
        if std::mem::replace(&mut message.moved, true) {
            return Err(format!("UID {uid} of {mailbox} was moved away twice"));
        }
        message.gone = true;
        Ok(())
    }

    /// A client could not move it away, though it has numbered it: somebody else has removed it.
    pub(super) fn must_be_gone(&self, mailbox: &str, uid: u32) {
        self.lock().messages.entry((mailbox.to_owned(), uid)).or_default().gone = true;
    }

    /// Whether it must not be there any more.
    pub(super) fn is_gone(&self, mailbox: &str, uid: u32) -> bool {
        self.lock().messages.get(&(mailbox.to_owned(), uid)).is_some_and(|known| known.gone)
    }

    /// Whether somebody was told of having made it, or may have made it.
    pub(super) fn is_accounted_for(&self, mailbox: &str, uid: u32, letter: u64) -> bool {
        let known = self.lock();
        known.doubts.get(&letter).is_some_and(|count| *count > 0)
            || known.messages.get(&(mailbox.to_owned(), uid)).is_some_and(|one| one.claimed)
    }

    /// Whether somebody was told of having made it, or it was delivered.
    pub(super) fn is_claimed(&self, mailbox: &str, uid: u32) -> bool {
        self.lock().messages.get(&(mailbox.to_owned(), uid)).is_some_and(|one| one.claimed)
    }

    /// There may be more copies of these than anybody was told.
    pub(super) fn doubt(&self, letters: &[u64]) {
        let mut known = self.lock();
        for letter in letters {
            *known.doubts.entry(*letter).or_default() += 1;
        }
    }

    /// What was in doubt is told now.
    pub(super) fn settle(&self, letters: &[u64]) {
        let mut known = self.lock();
        for letter in letters {
            if let Some(count) = known.doubts.get_mut(letter) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// Whether it has the keyword of a client, where that is certain.
    pub(super) fn own(&self, mailbox: &str, uid: u32, client: usize) -> Option<bool> {
        if may_replace(uid) {
            return None;
        }
        let known = self.lock();
        known.messages.get(&(mailbox.to_owned(), uid))?.own.get(&client).copied().flatten()
    }

    /// It has the keyword of a client now, or not; with `None` nobody knows.
    pub(super) fn set_own(&self, mailbox: &str, uids: &[u32], client: usize, has: Option<bool>) {
        let mut known = self.lock();
        for uid in uids {
            let message = known.messages.entry((mailbox.to_owned(), *uid)).or_default();
            message.own.insert(client, has);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone_by_itself(mailbox: &str, uid: u32, message: &Message) -> String {
    let made = &message.made;
    format!("UID {uid} of {mailbox}, made by {made}, is gone, and nobody has removed it")
}

/// Whether clients replace all flags of a message, their own and those of others. Where they do not,
/// each client knows what its own keyword must be.
pub(super) const fn may_replace(uid: u32) -> bool {
    uid.is_multiple_of(2)
}
