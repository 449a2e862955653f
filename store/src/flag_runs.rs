//! The UIDs and flags of a whole mailbox at once, which every SELECT and searches for unseen or
//! flagged messages ask for. Those of the mailboxes that were asked for last are kept, and brought up
//! to date by what has changed since, so that a large mailbox costs what has changed in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Row, params};

use crate::changes::tombstones;
use crate::rights::{Principal, Right, may};
use crate::{AccountId, FlagRun, Flags, MailboxId, StoreError, UidRange, mailbox, sql};

/// How many runs are kept of all mailboxes together: 1.5 MiB.
const RUNS_MAX: usize = 64 << 10;
/// Of more changes than this a mailbox is read anew.
const CHANGES_MAX: usize = 1_000;

/// What is kept.
#[derive(Debug, Default)]
pub(crate) struct FlagRuns {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    mailboxes: HashMap<MailboxId, Mailbox>,
    /// Grows with each question.
    clock: u64,
}

#[derive(Debug, Clone)]
struct Mailbox {
    /// Everything up to this MODSEQ is in the runs.
    modseq: u64,
    runs: Arc<[FlagRun]>,
    asked: u64,
}

impl FlagRuns {
    /// The flags of all messages, those too that are expunged and kept, ascending.
    pub(crate) fn ask(
        &self,
        conn: &Connection,
        by: AccountId,
        mailbox: MailboxId,
    ) -> Result<Arc<[FlagRun]>, StoreError> {
        self.at(conn, &may(conn, Principal::Account(by), Right::Read, mailbox)?)
    }

    /// The same of a mailbox whose row is at hand.
    pub(crate) fn at(
        &self,
        conn: &Connection,
        opened: &mailbox::Mailbox,
    ) -> Result<Arc<[FlagRun]>, StoreError> {
        let (mailbox, now) = (opened.id, opened.status.highestmodseq);
        let runs = match self.find(mailbox) {
            Some(known) if known.modseq == now => return Ok(known.runs),
            // Another reader has looked at a later snapshot.
            Some(known) if known.modseq > now => return Ok(all(conn, mailbox)?.into()),
            // What was purged since must be known.
            Some(known) if known.modseq >= opened.forgotten => {
                match changes(conn, mailbox, known.modseq)? {
                    Some(changed) => merged(&known.runs, &changed),
                    None => all(conn, mailbox)?,
                }
            }
            _ => all(conn, mailbox)?,
        };
        let runs: Arc<[FlagRun]> = runs.into();
        self.keep(mailbox, now, &runs);
        Ok(runs)
    }

    fn find(&self, mailbox: MailboxId) -> Option<Mailbox> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        let found = kept.mailboxes.get_mut(&mailbox)?;
        found.asked = now;
        Some(found.clone())
    }

    /// Keeps these, and lets those go that were not asked for the longest.
    fn keep(&self, mailbox: MailboxId, modseq: u64, runs: &Arc<[FlagRun]>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() > RUNS_MAX {
            kept.mailboxes.remove(&mailbox);
            return;
        }
        let asked = kept.clock;
        kept.mailboxes.insert(mailbox, Mailbox { modseq, runs: Arc::clone(runs), asked });
        // What a mailbox costs beside its runs counts as a few of them.
        let cost = |mailbox: &Mailbox| mailbox.runs.len() + 8;
        while kept.mailboxes.values().map(cost).sum::<usize>() > RUNS_MAX {
            let oldest = kept.mailboxes.iter().min_by_key(|(_, mailbox)| mailbox.asked);
            let Some(oldest) = oldest.map(|(key, _)| *key) else { break };
            kept.mailboxes.remove(&oldest);
        }
    }
}

/// All of a mailbox.
fn all(conn: &Connection, mailbox: MailboxId) -> Result<Vec<FlagRun>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT uid, flags, expunged FROM message WHERE mailbox = ?1 ORDER BY uid",
    )?;
    let mut rows = statement.query(params![mailbox.0])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        push(&mut runs, one(row)?);
    }
    Ok(runs)
}

/// What has changed since, ascending, or is gone (`false`); `None` if that is much.
fn changes(
    conn: &Connection,
    mailbox: MailboxId,
    since: u64,
) -> Result<Option<Vec<(FlagRun, bool)>>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT uid, flags, expunged FROM message WHERE mailbox = ?1 AND modseq > ?2 LIMIT ?3",
    )?;
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![mailbox.0, since, sql::count(CHANGES_MAX + 1)])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        changed.push((one(row)?, true));
    }
    for UidRange { first, last } in tombstones(conn, mailbox, since)? {
        changed.push((FlagRun { first, last, flags: Flags(0), expunged: true }, false));
    }
    changed.sort_unstable_by_key(|(one, _)| one.first);
    Ok((changed.len() <= CHANGES_MAX).then_some(changed))
}

/// A message of these queries.
fn one(row: &Row<'_>) -> rusqlite::Result<FlagRun> {
    let uid = row.get(0)?;
    let (flags, expunged) = (Flags(sql::u64_at(row, 1)?), row.get(2)?);
    Ok(FlagRun { first: uid, last: uid, flags, expunged })
}

/// The runs with the changed ones in the place of what lies there, and without those that are gone.
fn merged(runs: &[FlagRun], changed: &[(FlagRun, bool)]) -> Vec<FlagRun> {
    let mut out = Vec::with_capacity(runs.len() + changed.len());
    let mut changed = changed.iter().copied().peekable();
    let add = |out: &mut Vec<FlagRun>, (one, there): (FlagRun, bool)| {
        if there {
            push(out, one);
        }
        one.last.saturating_add(1)
    };
    // Up to here what has changed was put in.
    let mut next = 0;
    for run in runs {
        while let Some(one) = changed.next_if(|(one, _)| one.first < run.first) {
            next = add(&mut out, one);
        }
        let mut first = run.first.max(next);
        while let Some(one) = changed.next_if(|(one, _)| one.first <= run.last) {
            if first < one.0.first {
                push(&mut out, FlagRun { first, last: one.0.first - 1, ..*run });
            }
            next = add(&mut out, one);
            first = next;
        }
        if first <= run.last {
            push(&mut out, FlagRun { first, ..*run });
        }
    }
    for one in changed {
        add(&mut out, one);
    }
    out
}

/// Adds a run behind all others, to the last one if they are one.
fn push(runs: &mut Vec<FlagRun>, run: FlagRun) {
    match runs.last_mut() {
        Some(last)
            if (last.flags, last.expunged) == (run.flags, run.expunged)
                && last.last.checked_add(1) == Some(run.first) =>
        {
            last.last = run.last;
        }
        _ => runs.push(run),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::*;

    fn runs(messages: impl IntoIterator<Item = (u32, u64)>) -> Vec<FlagRun> {
        let mut runs = Vec::new();
        for (uid, flags) in messages {
            // Bit 1 for those that are expunged.
            let expunged = flags & 2 > 0;
            push(&mut runs, FlagRun { first: uid, last: uid, flags: Flags(flags), expunged });
        }
        runs
    }

    proptest! {
        #[test]
        fn what_changed_takes_its_place(
            before in btree_map(1..60_u32, 0..4_u64, 0..40),
            changed in btree_map(1..60_u32, proptest::option::of(0..4_u64), 0..20),
        ) {
            let one = |(uid, flags): (&u32, &Option<u64>)| {
                let bits = flags.unwrap_or(0);
                let (flags, expunged) = (Flags(bits), bits & 2 > 0);
                FlagRun { first: *uid, last: *uid, flags, expunged }
            };
            let single: Vec<_> =
                changed.iter().map(|(uid, flags)| (one((uid, flags)), flags.is_some())).collect();
            let mut after = before.clone();
            for (uid, flags) in changed {
                after.remove(&uid);
                after.extend(flags.map(|flags| (uid, flags)));
            }
            prop_assert_eq!(merged(&runs(before), &single), runs(after));
        }

        #[test]
        fn what_is_gone_goes_in_ranges(
            before in btree_map(1..60_u32, 0..4_u64, 0..40),
            first in 1..60_u32,
            count in 0..30_u32,
        ) {
            let range = FlagRun { first, last: first + count, flags: Flags(0), expunged: true };
            let mut after = before.clone();
            after.retain(|uid, _| *uid < range.first || *uid > range.last);
            prop_assert_eq!(merged(&runs(before), &[(range, false)]), runs(after));
        }
    }

    #[test]
    fn what_was_not_asked_for_goes_first() {
        let kept = FlagRuns::default();
        let long: Arc<[FlagRun]> = runs((1..30_000).map(|uid| (uid, u64::from(uid % 2)))).into();
        for id in 1..=3 {
            let _ = kept.find(MailboxId(1));
            kept.keep(MailboxId(id), 7, &long);
        }
        assert!(kept.find(MailboxId(1)).is_some(), "asked for again and again");
        assert!(kept.find(MailboxId(2)).is_none());
        assert!(kept.find(MailboxId(3)).is_some());
    }
}
