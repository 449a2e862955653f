//! Copies of very many messages: prepared in pieces that nobody sees, and then there all at once.
//!
//! RFC 9051 §6.4.7: a COPY is done as a whole or leaves nothing. To copy a large mailbox in one
//! transaction would keep everybody else from writing for as long as that takes. So the pieces
//! [`stage`] what is to be copied in a table of its own, and [`appear`] brings it into its mailbox
//! by one statement. What was staged and never appeared is put away by [`unstage`], or at the next
//! start.

use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::Handle;
use rusqlite::{Connection, params};

use crate::body::{self, BodyId};
use crate::deliver::{self, Coming};
use crate::rights::{Principal, Right, may};
use crate::store::Shared;
use crate::{
    AccountId, Appeared, Flags, MESSAGES_MAX, MailboxId, Staged, StoreError, UidRange, quota, sql,
};

/// Prepares the next piece of a batch, or the first of a new one.
pub(crate) fn stage(
    conn: &Connection,
    by: AccountId,
    (from, to): (MailboxId, MailboxId),
    uids: &[UidRange],
    batch: Option<i64>,
    now: UnixSeconds,
) -> Result<Staged, StoreError> {
    let from = may(conn, Principal::Account(by), Right::Read, from)?;
    let to = may(conn, Principal::Account(by), Right::Insert, to)?;
    let (batch, mut place) = match batch {
        Some(batch) => {
            (batch, next(conn, "SELECT max(place) FROM staged WHERE batch = ?1", batch)?)
        }
        None => (next(conn, "SELECT max(batch) FROM staged WHERE batch >= ?1", 0)?, 0),
    };
    let coming = deliver::to_copy(conn, (from.id, to.id), uids, now, MESSAGES_MAX)?;
    let mut staged = Vec::with_capacity(coming.len());
    for (uid, message) in coming {
        deliver::share(conn, &message)?;
        put(conn, batch, place, &message)?;
        place += 1;
        staged.push(uid);
    }
    let more = staged.get(MESSAGES_MAX - 1).copied();
    Ok(Staged { batch, uids: staged, more })
}

/// Brings a batch into its mailbox. The copies count against the quota in full.
pub(crate) fn appear(
    conn: &Connection,
    shared: &Shared,
    by: AccountId,
    batch: i64,
    to: MailboxId,
) -> Result<Appeared, StoreError> {
    let mut to = may(conn, Principal::Account(by), Right::Insert, to)?;
    let totals = "SELECT count(*), coalesce(sum(size), 0), \
         count(*) FILTER (WHERE flags & ?2 = 0), count(*) FILTER (WHERE flags & ?3 <> 0) \
         FROM staged WHERE batch = ?1";
    let flags = [Flags::SEEN, Flags::DELETED].map(|flags| flags.0.cast_signed());
    let read = |row: &rusqlite::Row<'_>| {
        Ok([sql::u64_at(row, 0)?, sql::u64_at(row, 1)?, sql::u64_at(row, 2)?, sql::u64_at(row, 3)?])
    };
    let found = sql::first(conn, totals, params![batch, flags[0], flags[1]], read)?;
    let [count, bytes, unseen, deleted] = found.unwrap_or_default();
    quota::check(conn, by, shared.options.quota, bytes)?;
    let status = &mut to.status;
    let first = status.uidnext;
    let last = u32::try_from(count).ok().and_then(|count| first.checked_add(count));
    status.uidnext = last.ok_or(StoreError::UidLimit)?;
    sql::run(
        conn,
        "INSERT INTO message (mailbox, uid, expunged, flags, modseq, size, internaldate, saved, \
         created, body, prefix) SELECT ?2, ?3 + place, 0, flags, ?4 + place, size, internaldate, \
         saved, ?4 + place, body, prefix FROM staged WHERE batch = ?1 ORDER BY place",
        params![batch, to.id.0, first, (status.highestmodseq + 1).cast_signed()],
    )?;
    status.highestmodseq += count;
    status.messages += count;
    status.bytes += bytes;
    status.unseen += unseen;
    status.deleted += deleted;
    to.save(conn)?;
    sql::run(conn, "DELETE FROM staged WHERE batch = ?1", [batch])?;
    Ok(Appeared { uidvalidity: to.status.uidvalidity, first })
}

/// Puts away a part of a batch that is not to appear; says how much that was. The handles of files
/// that nobody names any more join `gone`.
pub(crate) fn unstage(
    conn: &Connection,
    batch: i64,
    gone: &mut Vec<Handle>,
) -> Result<u64, StoreError> {
    let rows = sql::all(
        conn,
        "SELECT place, body, prefix FROM staged WHERE batch = ?1 ORDER BY place DESC LIMIT ?2",
        params![batch, sql::count(MESSAGES_MAX)],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<i64>>(2)?)),
    )?;
    let mut highest = None;
    for (place, body, prefix) in &rows {
        sql::run(conn, "DELETE FROM staged WHERE batch = ?1 AND place = ?2", [batch, *place])?;
        for id in [Some(*body), *prefix].into_iter().flatten().map(BodyId) {
            body::release(conn, id, gone)?;
            highest = highest.max(Some(id));
        }
    }
    if let Some(highest) = highest {
        body::remember(conn, highest)?;
    }
    Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
}

/// Puts away all that a crash left behind.
pub(crate) fn sweep(conn: &Connection) -> Result<(), StoreError> {
    while let Some(batch) =
        sql::first(conn, "SELECT max(batch) FROM staged", [], |row| row.get::<_, Option<i64>>(0))?
            .flatten()
    {
        // The files go with the others that no row names.
        unstage(conn, batch, &mut Vec::new())?;
    }
    Ok(())
}

/// One more than the highest; 0 where there is none.
fn next(conn: &Connection, highest: &str, of: i64) -> Result<i64, StoreError> {
    let found = sql::first(conn, highest, [of], |row| row.get::<_, Option<i64>>(0))?;
    Ok(found.flatten().map_or(0, |highest| highest + 1))
}

fn put(conn: &Connection, batch: i64, place: i64, message: &Coming) -> Result<(), StoreError> {
    sql::run(
        conn,
        "INSERT INTO staged (batch, place, flags, size, internaldate, saved, body, prefix) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            batch,
            place,
            message.flags.0.cast_signed(),
            message.size.cast_signed(),
            message.internaldate.0,
            message.saved.0,
            message.body.0,
            message.prefix.map(|prefix| prefix.0),
        ],
    )?;
    Ok(())
}
