//! What a reader keeps of a mailbox when its connection ends, and how it goes on from there.

use std::collections::BTreeMap;

use super::reader::Seen;

/// Where a mailbox stood when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// UIDVALIDITY.
    pub(super) validity: u32,
    /// HIGHESTMODSEQ.
    pub(super) modseq: u64,
}

impl Mark {
    /// Nothing was told yet.
    pub(super) const NOWHERE: Self = Self { validity: 0, modseq: 0 };
}

/// What a reader knew.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    mark: Mark,
    /// By UID.
    messages: BTreeMap<u32, Seen>,
}

impl Kept {
    /// All that is known, if that is all there is.
    pub(super) fn of(mark: Mark, view: &[Seen]) -> Option<Self> {
        let whole = |seen: &Seen| Some((seen.uid?, seen.flags.is_some().then(|| seen.clone())?));
        let messages: Option<BTreeMap<u32, Seen>> = view.iter().map(whole).collect();
        (mark.modseq > 0).then_some(Self { mark, messages: messages? })
    }

    /// What SELECT is given (RFC 7162 §3.2.5).
    pub(super) fn parameter(&self) -> String {
        format!(" (QRESYNC ({} {}))", self.mark.validity, self.mark.modseq)
    }

    /// These are gone; others of them it may never have heard of.
    ///
    /// # Errors
    /// It is no set.
    pub(super) fn lose(&mut self, set: &str) -> Result<(), String> {
        for (from, to) in ranges(set)? {
            self.messages.retain(|uid, _| !(from..=to).contains(uid));
        }
        Ok(())
    }

    /// What was kept, with what SELECT has told to be gone, new or changed, is all there is.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn resync(mut self, now: Mark, view: &mut [Seen]) -> Result<(), String> {
        if now.validity != self.mark.validity || now.modseq < self.mark.modseq {
            return Err(format!("{now:?} after {:?}", self.mark));
        }
        for seen in view.iter() {
            if let Some(uid) = seen.uid {
                self.messages.insert(uid, seen.clone());
            }
        }
        let (knows, is) = (self.messages.len(), view.len());
        if knows != is {
            return Err(format!("after QRESYNC it knows {knows} messages of {is}"));
        }
        for (seen, (uid, known)) in view.iter_mut().zip(self.messages) {
            if seen.uid.is_some_and(|told| told != uid) {
                return Err(format!("UID {:?} was told in the place of UID {uid}", seen.uid));
            }
            *seen = known;
        }
        Ok(())
    }
}

/// Takes messages out of a view.
///
/// # Errors
/// One of them is not there.
pub(super) fn vanish(view: &mut Vec<Seen>, set: &str) -> Result<(), String> {
    for uid in ranges(set)?.into_iter().flat_map(|(from, to)| from..=to) {
        let below = view.iter().rposition(|seen| seen.uid.is_some_and(|one| one < uid));
        let next = below.map_or(0, |at| at + 1);
        // One whose UID was not told yet is as good as any other there.
        if view.get(next).is_none_or(|seen| seen.uid.is_some_and(|one| one != uid)) {
            return Err(format!("VANISHED {uid}, which is not there"));
        }
        let at = view.iter().position(|seen| seen.uid == Some(uid)).unwrap_or(next);
        view.remove(at);
    }
    Ok(())
}

fn ranges(set: &str) -> Result<Vec<(u32, u32)>, String> {
    let range = |part: &str| {
        let (from, to) = part.split_once(':').unwrap_or((part, part));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        Some((from.min(to), from.max(to)))
    };
    let all: Option<_> = set.trim_end().split(',').map(range).collect();
    all.ok_or_else(|| format!("VANISHED {set:?}"))
}
