//! Messages that come from files, and the record of which have come.
//!
//! Each is known by a key that its file gives. The same message may stand in a file twice, and then
//! comes twice; so what is compared is how often the present import has met a key with how many
//! were imported. The record is written with the messages: what a crash takes back, it takes from
//! both.

use rusqlite::{Connection, params};

use crate::deliver::{self, Coming};
use crate::rights::{Principal, Right, may};
use crate::store::Shared;
use crate::{AccountId, Flags, Incoming, MailboxId, StoreError, accounts, body, flags, quota, sql};
use pillarbox_core::UnixSeconds;

/// Counts that an import has met these keys; says which of them are still to come.
pub(crate) fn meet(
    conn: &Connection,
    account: AccountId,
    run: i64,
    once: bool,
    keys: &[[u8; 16]],
) -> Result<Vec<bool>, StoreError> {
    accounts::require(conn, account)?;
    keys.iter().map(|key| meet_one(conn, account, run, once, key)).collect()
}

fn meet_one(
    conn: &Connection,
    account: AccountId,
    run: i64,
    once: bool,
    key: &[u8; 16],
) -> Result<bool, StoreError> {
    let wanted = sql::first(
        conn,
        "INSERT INTO imported (account, key, copies, run, met) VALUES (?1, ?2, 0, ?3, 1) \
         ON CONFLICT (account, key) DO UPDATE SET met = iif(run = ?3, met, 0) + 1, run = ?3 \
         RETURNING iif(?4, 1, met) > copies",
        params![account.0, key, run, once],
        |row| row.get(0),
    )?;
    Ok(wanted.unwrap_or(true))
}

/// How messages are imported.
pub(crate) struct Importing<'a> {
    pub(crate) run: i64,
    pub(crate) met: bool,
    pub(crate) messages: &'a [Incoming],
    pub(crate) now: UnixSeconds,
}

/// Puts messages into a mailbox, those that are wanted; the UID of each.
pub(crate) fn import(
    conn: &Connection,
    shared: &Shared,
    by: AccountId,
    mailbox: MailboxId,
    what: &Importing<'_>,
) -> Result<Vec<Option<u32>>, StoreError> {
    let mut mailbox = may(conn, Principal::Account(by), Right::Insert, mailbox)?;
    let room = quota::holder(conn, by, shared.options.quota)?.room;
    let mut bytes = 0_u64;
    let mut uids = Vec::with_capacity(what.messages.len());
    for message in what.messages {
        if !what.met && !meet_one(conn, by, what.run, false, &message.key)? {
            uids.push(None);
            continue;
        }
        deliver::check_inline(shared, &message.body)?;
        bytes = bytes.saturating_add(message.body.size());
        if room.is_some_and(|room| bytes > room) {
            return Err(StoreError::OverQuota);
        }
        let coming = Coming {
            body: body::put(conn, &shared.bodies, &message.body, 1)?,
            prefix: None,
            size: message.body.size(),
            flags: (message.flags & Flags::SYSTEM) | keywords(conn, mailbox.id, message)?,
            internaldate: message.internaldate,
            saved: what.now,
        };
        uids.push(Some(deliver::insert(conn, &mut mailbox, &coming)?));
        let count = "UPDATE imported SET copies = copies + 1 WHERE account = ?1 AND key = ?2";
        if sql::run(conn, count, params![by.0, message.key])? == 0 {
            return Err(StoreError::Misuse("a message was not met before it came"));
        }
    }
    mailbox.save(conn)?;
    Ok(uids)
}

/// A message is worth more than a keyword: those that a mailbox cannot have are left out.
fn keywords(
    conn: &Connection,
    mailbox: MailboxId,
    message: &Incoming,
) -> Result<Flags, StoreError> {
    match flags::define(conn, mailbox, &message.keywords) {
        Err(StoreError::KeywordLimit) => {}
        other => return other,
    }
    let mut found = Flags::NONE;
    for name in &message.keywords {
        match flags::define(conn, mailbox, std::slice::from_ref(name)) {
            Ok(flag) => found = found | flag,
            Err(StoreError::KeywordLimit) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Forgets what was imported: the next import brings all of it again.
pub(crate) fn forget(conn: &Connection, account: AccountId) -> Result<u64, StoreError> {
    accounts::require(conn, account)?;
    let count = sql::run(conn, "DELETE FROM imported WHERE account = ?1", [account.0])?;
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}
