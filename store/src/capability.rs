//! Capabilities of IMAP that an account's clients are not told of, because they do badly with them.

use rusqlite::{Connection, params};

use crate::{AccountId, StoreError, accounts, sql};

/// Hides a capability, or shows it again. What is so already stays so.
pub(crate) fn set(
    conn: &Connection,
    account: AccountId,
    name: &str,
    hidden: bool,
) -> Result<(), StoreError> {
    accounts::require(conn, account)?;
    let name = name.to_ascii_uppercase();
    let row = params![account.0, name];
    if !hidden {
        let show = "DELETE FROM hidden_capability WHERE account = ?1 AND name = ?2";
        sql::run(conn, show, row)?;
        return Ok(());
    }
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(StoreError::Cannot("no capability has such a name"));
    }
    if of(conn, account)?.len() >= HIDDEN_MAX {
        return Err(StoreError::Cannot("an account hides at most 100 capabilities"));
    }
    let hide =
        "INSERT INTO hidden_capability (account, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    sql::run(conn, hide, row)?;
    Ok(())
}

/// Those that are hidden, by name.
pub(crate) fn of(conn: &Connection, account: AccountId) -> Result<Vec<String>, StoreError> {
    Ok(sql::all(
        conn,
        "SELECT name FROM hidden_capability WHERE account = ?1 ORDER BY name",
        [account.0],
        |row| row.get(0),
    )?)
}

const NAME_MAX: usize = 64;
/// They are listed with the account, at once.
const HIDDEN_MAX: usize = 100;
