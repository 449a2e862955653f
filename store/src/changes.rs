//! What happened in a mailbox since a client or session last looked.

use rusqlite::{Connection, params};

use crate::mailbox::Mailbox;
use crate::rights::{Principal, Right, may};
use crate::{AccountId, Changes, FlagState, Flags, MailboxId, StoreError, UidRange, mailbox, sql};

/// The difference between `since` and now. Costs as much as changed, not as much as there is: the
/// rows are found by the index on (mailbox, modseq).
pub(crate) fn since(
    conn: &Connection,
    by: AccountId,
    mailbox: MailboxId,
    since: u64,
) -> Result<Changes, StoreError> {
    let opened = may(conn, Principal::Account(by), Right::Read, mailbox)?;
    of(conn, &opened, since)
}

/// The same, of a mailbox whose row is at hand.
pub(crate) fn of(conn: &Connection, opened: &Mailbox, since: u64) -> Result<Changes, StoreError> {
    let mailbox = opened.id;
    let from = i64::try_from(since).unwrap_or(i64::MAX);
    let mut changes = Changes {
        modseq: opened.status.highestmodseq,
        new: Vec::new(),
        changed: Vec::new(),
        vanished: Vec::new(),
        keywords: mailbox::keywords(conn, mailbox)?,
    };
    // RFC 7162 §3.2.6: to somebody who was away for longer than is remembered, all that is not there
    // is told to be gone.
    let remembered = since >= opened.forgotten;
    if remembered {
        changes.vanished = tombstones(conn, mailbox, from)?;
    }
    let mut statement = conn.prepare_cached(
        "SELECT uid, flags, modseq, created, expunged FROM message \
         WHERE mailbox = ?1 AND modseq > ?2",
    )?;
    let mut rows = statement.query(params![mailbox.0, from])?;
    while let Some(row) = rows.next()? {
        let state = FlagState {
            uid: row.get(0)?,
            flags: Flags(sql::u64_at(row, 1)?),
            modseq: sql::u64_at(row, 2)?,
        };
        let was_there = row.get::<_, i64>(3)? <= from;
        match (was_there, row.get::<_, bool>(4)?) {
            // Also what came and went: a client may have seen it, and come back with the MODSEQ that it
            // was told before (RFC 7162 §3.2.5.1: it is taken to know all UIDs).
            (_, true) => changes.vanished.push(UidRange::one(state.uid)),
            (true, false) => changes.changed.push(state),
            (false, false) => changes.new.push(state),
        }
    }
    changes.vanished =
        if remembered { UidRange::joined(&changes.vanished) } else { absent(conn, opened)? };
    changes.new.sort_unstable_by_key(|state| state.uid);
    changes.changed.sort_unstable_by_key(|state| state.uid);
    Ok(changes)
}

/// What was purged since then, as far as it is remembered.
pub(crate) fn tombstones(
    conn: &Connection,
    mailbox: MailboxId,
    since: i64,
) -> Result<Vec<UidRange>, StoreError> {
    Ok(sql::all(
        conn,
        "SELECT first, last FROM tombstone WHERE mailbox = ?1 AND modseq > ?2",
        params![mailbox.0, since],
        |row| Ok(UidRange { first: row.get(0)?, last: row.get(1)? }),
    )?)
}

/// All UIDs that were given and that no message has now.
fn absent(conn: &Connection, opened: &Mailbox) -> Result<Vec<UidRange>, StoreError> {
    let mut absent = Vec::new();
    let mut next = 1_u32;
    for range in mailbox::uids(conn, opened.id)? {
        if next < range.first {
            absent.push(UidRange { first: next, last: range.first - 1 });
        }
        next = range.last.saturating_add(1);
    }
    if next < opened.status.uidnext {
        absent.push(UidRange { first: next, last: opened.status.uidnext - 1 });
    }
    Ok(absent)
}

/// Forgets the oldest tombstones of a mailbox, if it has more than `most`.
pub(crate) fn forget(conn: &Connection, mailbox: MailboxId, most: u32) -> Result<(), StoreError> {
    let last = sql::first(
        conn,
        "SELECT modseq FROM tombstone WHERE mailbox = ?1 ORDER BY modseq DESC, first DESC \
         LIMIT 1 OFFSET ?2",
        params![mailbox.0, most],
        |row| row.get::<_, i64>(0),
    )?;
    if let Some(last) = last {
        sql::run(
            conn,
            "DELETE FROM tombstone WHERE mailbox = ?1 AND modseq <= ?2",
            params![mailbox.0, last],
        )?;
        sql::run(
            conn,
            "UPDATE mailbox SET forgotten = ?2 WHERE id = ?1",
            params![mailbox.0, last],
        )?;
    }
    Ok(())
}
