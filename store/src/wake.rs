//! The first start of a store that is a copy: what it gives from then on must not be what the store
//! that it was copied from has given since.

use rusqlite::{Connection, TransactionBehavior, params};

use crate::{OpenError, sql};

/// SQLite's `application_id` of a copy that was not started yet.
pub(crate) const COPY: i32 = i32::from_be_bytes(*b"PbxC");
/// That of a store.
const STORE: i32 = 0;

/// How many UIDs of each mailbox are left out: as many as may have been given after the copy.
const UIDS: u32 = 1 << 20;
/// From here on there are too few UIDs to leave any out.
const UIDNEXT_MAX: u32 = 1 << 31;
/// The same for modification sequences, and for ids of bodies, mailboxes and accounts.
const NUMBERS: i64 = 1 << 32;

/// Makes a store of a copy, in one transaction; a store is left as it is.
///
/// UIDs of messages that came after the copy was made must not mean others (RFC 9051 §2.3.1.1), so
/// they are left out, and told as gone to clients that ask what changed (RFC 7162 §3.2.10). So that
/// these learn of flags that were set back, too, all messages have a new modification sequence.
pub(crate) fn wake(conn: &mut Connection) -> Result<(), OpenError> {
    let id: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != COPY {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    sql::run(
        &transaction,
        "INSERT INTO tombstone (mailbox, modseq, first, last) \
         SELECT id, highestmodseq + ?1, uidnext, uidnext + ?2 - 1 FROM mailbox WHERE uidnext < ?3",
        params![NUMBERS, UIDS, UIDNEXT_MAX],
    )?;
    // Where there are too few, clients have to begin anew.
    let full = sql::all(
        &transaction,
        "SELECT id FROM mailbox WHERE uidnext >= ?1",
        [UIDNEXT_MAX],
        |row| row.get::<_, i64>(0),
    )?;
    sql::run(
        &transaction,
        "UPDATE mailbox SET uidnext = uidnext + ?1 WHERE uidnext < ?2",
        params![UIDS, UIDNEXT_MAX],
    )?;
    for mailbox in full {
        sql::run(&transaction, "UPDATE meta SET uidvalidity_last = uidvalidity_last + 1", [])?;
        sql::run(
            &transaction,
            "UPDATE mailbox SET uidvalidity = (SELECT uidvalidity_last FROM meta) WHERE id = ?1",
            [mailbox],
        )?;
    }
    sql::run(&transaction, "UPDATE mailbox SET highestmodseq = highestmodseq + ?1", [NUMBERS])?;
    sql::run(
        &transaction,
        "UPDATE message SET modseq = (SELECT highestmodseq FROM mailbox WHERE id = mailbox)",
        [],
    )?;
    sql::run(
        &transaction,
        "UPDATE meta SET body_last = ?1 + max(body_last, coalesce((SELECT max(id) FROM body), 0))",
        [NUMBERS],
    )?;
    sql::run(&transaction, "UPDATE sqlite_sequence SET seq = seq + ?1", [NUMBERS])?;
    // What waited when the copy was made may have left since: sent again, it would arrive twice.
    let held = sql::run(&transaction, "UPDATE outgoing_to SET state = 1 WHERE state = 0", [])?;
    transaction.pragma_update(None, "application_id", STORE)?;
    transaction.commit()?;
    log::info!("this store is a copy that is used from now on: its UIDs go on with a gap");
    if held > 0 {
        log::warn!(held; "mail of this copy may have left since: see `pillarbox queue list`");
    }
    Ok(())
}
