//! What happened in a mailbox since a client or session last looked.

use rusqlite::{Connection, params};

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
    let from = i64::try_from(since).unwrap_or(i64::MAX);
    let mut changes = Changes {
        modseq: opened.status.highestmodseq,
        new: Vec::new(),
        changed: Vec::new(),
        vanished: tombstones(conn, mailbox, from)?,
        keywords: mailbox::keywords(conn, mailbox)?,
    };
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
            (true, true) => changes.vanished.push(UidRange::one(state.uid)),
            (true, false) => changes.changed.push(state),
            (false, false) => changes.new.push(state),
            // Came and went: the asker never knew it.
            (false, true) => {}
        }
    }
    changes.vanished = UidRange::joined(&changes.vanished);
    changes.new.sort_unstable_by_key(|state| state.uid);
    changes.changed.sort_unstable_by_key(|state| state.uid);
    Ok(changes)
}

fn tombstones(
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
