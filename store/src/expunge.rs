//! How messages leave a mailbox: expunged first, and purged once nobody numbers them any more; or
//! all at once with the mailbox.

use pillarbox_core::effect::Handle;
use rusqlite::{Connection, params};

use crate::body::{self, BodyId};
use crate::mailbox::Mailbox;
use crate::rights::{Principal, Right, may};
use crate::{AccountId, Expunged, Flags, MESSAGES_MAX, MailboxId, StoreError, UidRange, sql};

/// Takes messages with `\Deleted` out of the mailbox; their rows stay for sessions that still
/// number them.
pub(crate) fn expunge(
    conn: &Connection,
    by: AccountId,
    mailbox: MailboxId,
    uids: Option<&[UidRange]>,
) -> Result<Expunged, StoreError> {
    let mailbox = may(conn, Principal::Account(by), Right::Expunge, mailbox)?;
    // The counter spares the scan in the usual case of CLOSE.
    if mailbox.status.deleted == 0 {
        let modseq = mailbox.status.highestmodseq;
        return Ok(Expunged { modseq, uids: Vec::new(), more: None });
    }
    // No more are sought than there are.
    let deleted = usize::try_from(mailbox.status.deleted).unwrap_or(usize::MAX);
    let most = deleted.min(MESSAGES_MAX);
    let mut expunged =
        take_out(conn, mailbox, uids.unwrap_or(&[UidRange::ALL]), Flags::DELETED, most)?;
    if most == deleted {
        expunged.more = None;
    }
    Ok(expunged)
}

/// Takes messages out of the mailbox whatever their flags: the other half of a move.
pub(crate) fn take(
    conn: &Connection,
    by: AccountId,
    mailbox: MailboxId,
    uids: &[UidRange],
) -> Result<Expunged, StoreError> {
    let mailbox = may(conn, Principal::Account(by), Right::Expunge, mailbox)?;
    take_out(conn, mailbox, uids, Flags::NONE, usize::MAX)
}

/// Takes out those among `uids` that have all of `flags`, at most so many, with one modification
/// sequence.
fn take_out(
    conn: &Connection,
    mut mailbox: Mailbox,
    uids: &[UidRange],
    flags: Flags,
    most: usize,
) -> Result<Expunged, StoreError> {
    let modseq = mailbox.status.highestmodseq + 1;
    let mut expunged = Vec::new();
    for (uid, flags, size) in flagged(conn, mailbox.id, uids, flags, most)? {
        sql::run(
            conn,
            "UPDATE message SET expunged = 1, modseq = ?3 WHERE mailbox = ?1 AND uid = ?2",
            params![mailbox.id.0, uid, modseq.cast_signed()],
        )?;
        mailbox.count_out(flags, size);
        expunged.push(uid);
    }
    if !expunged.is_empty() {
        mailbox.status.highestmodseq = modseq;
        mailbox.save(conn)?;
    }
    let more = expunged.last().copied().filter(|_| expunged.len() >= most);
    Ok(Expunged { modseq: mailbox.status.highestmodseq, uids: expunged, more })
}

fn flagged(
    conn: &Connection,
    mailbox: MailboxId,
    uids: &[UidRange],
    flags: Flags,
    most: usize,
) -> Result<Vec<(u32, Flags, u64)>, StoreError> {
    let mut found = Vec::new();
    for range in UidRange::joined(uids) {
        let left = sql::count(most - found.len());
        if left == 0 {
            break;
        }
        found.extend(sql::all(
            conn,
            "SELECT uid, flags, size FROM message WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 \
             AND expunged = 0 AND flags & ?4 = ?4 ORDER BY uid LIMIT ?5",
            params![mailbox.0, range.first, range.last, flags.0.cast_signed(), left],
            |row| Ok((row.get(0)?, Flags(sql::u64_at(row, 1)?), sql::u64_at(row, 2)?)),
        )?);
    }
    Ok(found)
}

/// Lets expunged messages go: rows become tombstones, bodies lose a reference. The handles of
/// files that nobody names any more join `gone`. At most [`MESSAGES_MAX`] go, the oldest first.
pub(crate) fn purge(
    conn: &Connection,
    mailbox: MailboxId,
    up_to_modseq: u64,
    gone: &mut Vec<Handle>,
) -> Result<u64, StoreError> {
    purge_some(conn, mailbox, up_to_modseq, MESSAGES_MAX, gone)
}

/// The same with all of them.
pub(crate) fn purge_all(
    conn: &Connection,
    mailbox: MailboxId,
    up_to_modseq: u64,
    gone: &mut Vec<Handle>,
) -> Result<u64, StoreError> {
    purge_some(conn, mailbox, up_to_modseq, usize::MAX, gone)
}

fn purge_some(
    conn: &Connection,
    mailbox: MailboxId,
    up_to_modseq: u64,
    most: usize,
    gone: &mut Vec<Handle>,
) -> Result<u64, StoreError> {
    let mailbox = may(conn, Principal::Server, Right::Purge, mailbox)?;
    let up_to = i64::try_from(up_to_modseq).unwrap_or(i64::MAX);
    let rows = sql::all(
        conn,
        "SELECT uid, modseq, body, prefix FROM message \
         WHERE mailbox = ?1 AND modseq <= ?2 AND expunged = 1 ORDER BY modseq, uid LIMIT ?3",
        params![mailbox.id.0, up_to, sql::count(most)],
        |row| {
            Ok(Leaving {
                uid: row.get(0)?,
                modseq: row.get(1)?,
                body: BodyId(row.get(2)?),
                prefix: row.get::<_, Option<i64>>(3)?.map(BodyId),
            })
        },
    )?;
    for row in &rows {
        sql::run(
            conn,
            "DELETE FROM message WHERE mailbox = ?1 AND uid = ?2",
            params![mailbox.id.0, row.uid],
        )?;
        for id in row.bodies() {
            body::release(conn, id, gone)?;
        }
    }
    if let Some(highest) = rows.iter().flat_map(Leaving::bodies).max() {
        body::remember(conn, highest)?;
    }
    bury(conn, mailbox.id, &rows)?;
    Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
}

/// Removes a mailbox with all that is in it, expunged or not. The handles of files that nobody
/// names any more join `gone`. Asks for no right: the caller has.
pub(crate) fn delete(
    conn: &Connection,
    mailbox: MailboxId,
    gone: &mut Vec<Handle>,
) -> Result<(), StoreError> {
    let bodies: Vec<(BodyId, Option<BodyId>)> = sql::all(
        conn,
        "SELECT body, prefix FROM message WHERE mailbox = ?1",
        [mailbox.0],
        |row| Ok((BodyId(row.get(0)?), row.get::<_, Option<i64>>(1)?.map(BodyId))),
    )?;
    sql::run(conn, "DELETE FROM message WHERE mailbox = ?1", [mailbox.0])?;
    sql::run(conn, "DELETE FROM tombstone WHERE mailbox = ?1", [mailbox.0])?;
    sql::run(conn, "DELETE FROM keyword WHERE mailbox = ?1", [mailbox.0])?;
    let mut highest = None;
    for id in bodies.into_iter().flat_map(|(body, prefix)| [Some(body), prefix]).flatten() {
        body::release(conn, id, gone)?;
        highest = highest.max(Some(id));
    }
    if let Some(highest) = highest {
        body::remember(conn, highest)?;
    }
    sql::run(conn, "DELETE FROM mailbox WHERE id = ?1", [mailbox.0])?;
    Ok(())
}

/// A row that is about to go.
struct Leaving {
    uid: u32,
    modseq: i64,
    body: BodyId,
    prefix: Option<BodyId>,
}

impl Leaving {
    fn bodies(&self) -> impl Iterator<Item = BodyId> {
        [Some(self.body), self.prefix].into_iter().flatten()
    }
}

/// One tombstone for each run of UIDs that went together.
fn bury(conn: &Connection, mailbox: MailboxId, rows: &[Leaving]) -> Result<(), StoreError> {
    for together in rows.chunk_by(|a, b| a.modseq == b.modseq) {
        let mut runs = Vec::new();
        for row in together {
            UidRange::push(&mut runs, row.uid);
        }
        for (run, row) in runs.iter().zip(together) {
            sql::run(
                conn,
                "INSERT INTO tombstone (mailbox, modseq, first, last) VALUES (?1, ?2, ?3, ?4)",
                params![mailbox.0, row.modseq, run.first, run.last],
            )?;
        }
    }
    Ok(())
}
