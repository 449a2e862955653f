//! How much mail an account may have.

use rusqlite::{Connection, params};

use crate::{AccountId, Holder, StoreError, accounts, sql};

/// How many bytes of messages an account may have. Each message counts in full though bodies are
/// shared, and until it is expunged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quota {
    /// As many as [`Options::quota`](crate::Options::quota) says.
    #[default]
    Default,
    /// Any number.
    None,
    /// So many.
    Bytes(u64),
}

/// How much mail an account has, in bytes, and may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    /// The sizes of its messages that are not expunged, each in full though bodies are shared.
    pub used: u64,
    /// How many they may be together.
    pub limit: u64,
}

/// Sets how much mail an account may have.
pub(crate) fn set(conn: &Connection, account: AccountId, quota: Quota) -> Result<(), StoreError> {
    accounts::require(conn, account)?;
    let code = match quota {
        Quota::Default => None,
        Quota::None => Some(NONE),
        Quota::Bytes(bytes) => Some(bytes.min(i64::MAX.cast_unsigned()).cast_signed()),
    };
    let update = "UPDATE account SET quota = ?2 WHERE id = ?1";
    sql::run(conn, update, params![account.0, code])?;
    Ok(())
}

/// Takes an account out of use, or into it again.
pub(crate) fn set_disabled(
    conn: &Connection,
    account: AccountId,
    disabled: bool,
) -> Result<(), StoreError> {
    accounts::require(conn, account)?;
    let update = "UPDATE account SET disabled = ?2 WHERE id = ?1";
    sql::run(conn, update, params![account.0, disabled])?;
    Ok(())
}

/// How an account stands; `default` is the quota of those that have none of their own. The work
/// grows with its mailboxes, not with its messages, and only where there is a quota.
pub(crate) fn holder(
    conn: &Connection,
    account: AccountId,
    default: Option<u64>,
) -> Result<Holder, StoreError> {
    let (storage, disabled) = standing(conn, account, default)?;
    let room = storage.map(|storage| storage.limit.saturating_sub(storage.used));
    Ok(Holder { account, disabled, room })
}

/// How much mail an account has and may have, where there is a limit.
pub(crate) fn storage(
    conn: &Connection,
    account: AccountId,
    default: Option<u64>,
) -> Result<Option<Storage>, StoreError> {
    standing(conn, account, default).map(|(storage, _)| storage)
}

/// The same, and whether it is out of use.
fn standing(
    conn: &Connection,
    account: AccountId,
    default: Option<u64>,
) -> Result<(Option<Storage>, bool), StoreError> {
    let (quota, disabled) = sql::first(
        conn,
        "SELECT quota, disabled FROM account WHERE id = ?1",
        [account.0],
        |row| Ok((from_code(row.get(0)?), row.get(1)?)),
    )?
    .ok_or(StoreError::NoSuchAccount)?;
    let limit = match quota {
        Quota::Default => default,
        Quota::None => None,
        Quota::Bytes(bytes) => Some(bytes),
    };
    let Some(limit) = limit else { return Ok((None, disabled)) };
    let used = sql::first(
        conn,
        "SELECT coalesce(sum(bytes), 0) FROM mailbox WHERE account = ?1",
        [account.0],
        |row| sql::u64_at(row, 0),
    )?;
    Ok((Some(Storage { used: used.unwrap_or(0), limit }), disabled))
}

/// That so many bytes more have room.
pub(crate) fn check(
    conn: &Connection,
    account: AccountId,
    default: Option<u64>,
    bytes: u64,
) -> Result<(), StoreError> {
    match holder(conn, account, default)?.room {
        Some(room) if bytes > room => Err(StoreError::OverQuota),
        _ => Ok(()),
    }
}

pub(crate) fn from_code(code: Option<i64>) -> Quota {
    match code {
        None => Quota::Default,
        Some(code) => u64::try_from(code).map_or(Quota::None, Quota::Bytes),
    }
}

const NONE: i64 = -1;
