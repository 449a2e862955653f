//! Accounts' keys: those of client certificates, with which people log in without a password.

use pillarbox_core::UnixSeconds;
use rusqlite::{Connection, params};

use crate::{AccountId, StoreError, accounts, sql};

/// A key to be added to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The SHA-256 of the public key (the `SubjectPublicKeyInfo`).
    pub fingerprint: [u8; 32],
    /// What its owner calls it; may be empty, at most 100 octets.
    pub label: String,
}

/// A key of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountKey {
    /// As in [`NewKey`].
    pub fingerprint: [u8; 32],
    /// As in [`NewKey`].
    pub label: String,
    /// When it was added.
    pub since: UnixSeconds,
}

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// It is out of use.
    pub disabled: bool,
}

/// Adds a key. One key opens one account.
pub(crate) fn add(
    conn: &Connection,
    account: AccountId,
    key: &NewKey,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    accounts::require(conn, account)?;
    if key.label.len() > LABEL_MAX {
        return Err(StoreError::Cannot("a key's label has at most 100 octets"));
    }
    if of(conn, account)?.len() >= KEYS_MAX {
        return Err(StoreError::Cannot("an account has at most 100 keys"));
    }
    let made = sql::run(
        conn,
        "INSERT INTO account_key (fingerprint, account, label, since) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO NOTHING",
        params![key.fingerprint, account.0, key.label, now.0],
    )?;
    if made == 0 { Err(StoreError::AlreadyExists) } else { Ok(()) }
}

/// Takes a key away.
pub(crate) fn remove(
    conn: &Connection,
    account: AccountId,
    fingerprint: &[u8; 32],
) -> Result<(), StoreError> {
    let removed = sql::run(
        conn,
        "DELETE FROM account_key WHERE fingerprint = ?1 AND account = ?2",
        params![fingerprint, account.0],
    )?;
    if removed == 0 { Err(StoreError::NoSuchKey) } else { Ok(()) }
}

/// All keys of an account, the oldest first.
pub(crate) fn of(conn: &Connection, account: AccountId) -> Result<Vec<AccountKey>, StoreError> {
    Ok(sql::all(
        conn,
        "SELECT fingerprint, label, since FROM account_key WHERE account = ?1 \
         ORDER BY since, fingerprint",
        [account.0],
        |row| {
            Ok(AccountKey {
                fingerprint: row.get(0)?,
                label: row.get(1)?,
                since: UnixSeconds(row.get(2)?),
            })
        },
    )?)
}

/// Whose key this is.
pub(crate) fn holder(
    conn: &Connection,
    fingerprint: &[u8; 32],
) -> Result<Option<KeyHolder>, StoreError> {
    Ok(sql::first(
        conn,
        "SELECT a.id, a.name, a.disabled FROM account_key k JOIN account a ON a.id = k.account \
         WHERE k.fingerprint = ?1",
        [fingerprint],
        |row| {
            let account = AccountId(row.get(0)?);
            Ok(KeyHolder { account, name: row.get(1)?, disabled: row.get(2)? })
        },
    )?)
}

const LABEL_MAX: usize = 100;
/// They are listed with the account, at once.
const KEYS_MAX: usize = 100;
