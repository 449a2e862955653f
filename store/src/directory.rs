//! Domains and accounts as their operator sees them, and many of them made at once.

use pillarbox_core::UnixSeconds;
use pillarbox_core::international::{domain_key, fold};
use rusqlite::{Connection, Row, params};

use crate::{
    AccountId, AccountInfo, Additions, DomainInfo, StoreError, account_key, accounts, alias,
    capability, quota, sql,
};

/// Makes what is new, in the order in which one needs the other.
pub(crate) fn add(
    conn: &Connection,
    additions: &Additions,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    for domain in &additions.domains {
        accounts::create_domain(conn, domain)?;
    }
    for domain in &additions.cram_md5 {
        accounts::set_cram_md5(conn, domain, true)?;
    }
    for new in &additions.accounts {
        accounts::create(conn, &new.name, now)?;
    }
    for new in &additions.addresses {
        let account = accounts::by_name(conn, &new.account)?;
        accounts::create_address(conn, &new.localpart, &new.domain, account)?;
    }
    // Which ones are kept depends on the domains of the addresses.
    for new in &additions.accounts {
        let account = accounts::by_name(conn, &new.name)?;
        accounts::set_secrets(conn, account, &new.secrets)?;
    }
    for alias in &additions.aliases {
        alias::create(conn, alias)?;
    }
    for (account, quota) in &additions.quotas {
        quota::set(conn, accounts::by_name(conn, account)?, *quota)?;
    }
    for account in &additions.disabled {
        quota::set_disabled(conn, accounts::by_name(conn, account)?, true)?;
    }
    for (account, key) in &additions.keys {
        account_key::add(conn, accounts::by_name(conn, account)?, key, now)?;
    }
    for (account, name) in &additions.hidden {
        capability::set(conn, accounts::by_name(conn, account)?, name, true)?;
    }
    for (domain, account) in &additions.catch_alls {
        let account = accounts::by_name(conn, account)?;
        accounts::set_catch_all(conn, domain, Some(account))?;
    }
    Ok(())
}

/// One account.
pub(crate) fn account(conn: &Connection, account: AccountId) -> Result<AccountInfo, StoreError> {
    let found = sql::first(
        conn,
        "SELECT a.id, a.name, count(m.id), coalesce(sum(m.messages), 0), \
         coalesce(sum(m.bytes), 0), a.quota, a.disabled FROM account a LEFT JOIN mailbox m ON m.account = a.id \
         WHERE a.id = ?1 GROUP BY a.id",
        [account.0],
        account_info,
    )?;
    completed(conn, found.ok_or(StoreError::NoSuchAccount)?)
}

/// Accounts by name. What a removed account has left behind is none, see `removal`.
pub(crate) fn accounts(
    conn: &Connection,
    after: &str,
    count_max: usize,
    secrets: bool,
) -> Result<Vec<AccountInfo>, StoreError> {
    let found = sql::all(
        conn,
        "SELECT a.id, a.name, count(m.id), coalesce(sum(m.messages), 0), \
         coalesce(sum(m.bytes), 0), a.quota, a.disabled FROM account a LEFT JOIN mailbox m ON m.account = a.id \
         WHERE a.name > ?1 AND a.name NOT GLOB '@*' GROUP BY a.name ORDER BY a.name LIMIT ?2",
        params![fold(after), i64::try_from(count_max).unwrap_or(i64::MAX)],
        account_info,
    )?;
    let mut complete = Vec::with_capacity(found.len());
    for info in found {
        let mut info = completed(conn, info)?;
        if secrets {
            info.secrets = accounts::secrets(conn, info.id)?;
        }
        complete.push(info);
    }
    Ok(complete)
}

fn account_info(row: &Row<'_>) -> rusqlite::Result<AccountInfo> {
    Ok(AccountInfo {
        id: AccountId(row.get(0)?),
        name: row.get(1)?,
        addresses: Vec::new(),
        mailboxes: sql::u64_at(row, 2)?,
        messages: sql::u64_at(row, 3)?,
        bytes: sql::u64_at(row, 4)?,
        quota: quota::from_code(row.get(5)?),
        disabled: row.get(6)?,
        keys: Vec::new(),
        hidden: Vec::new(),
        secrets: Vec::new(),
    })
}

/// Its addresses, keys and hidden capabilities, which are in tables of their own.
fn completed(conn: &Connection, mut info: AccountInfo) -> Result<AccountInfo, StoreError> {
    info.addresses = sql::all(
        conn,
        "SELECT a.localpart, d.name FROM address a JOIN domain d ON d.id = a.domain \
         WHERE a.account = ?1 ORDER BY d.name, a.localpart",
        [info.id.0],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    info.keys = account_key::of(conn, info.id)?;
    info.hidden = capability::of(conn, info.id)?;
    Ok(info)
}

/// Domains by name.
pub(crate) fn domains(
    conn: &Connection,
    after: &str,
    count_max: usize,
) -> Result<Vec<DomainInfo>, StoreError> {
    Ok(sql::all(
        conn,
        "SELECT d.name, (SELECT count(*) FROM address WHERE domain = d.id), \
         (SELECT name FROM account WHERE id = d.catch_all), d.cram_md5 \
         FROM domain d WHERE d.name > ?1 ORDER BY d.name LIMIT ?2",
        params![domain_key(after), i64::try_from(count_max).unwrap_or(i64::MAX)],
        |row| {
            Ok(DomainInfo {
                name: row.get(0)?,
                addresses: sql::u64_at(row, 1)?,
                catch_all: row.get(2)?,
                cram_md5: row.get(3)?,
            })
        },
    )?)
}
