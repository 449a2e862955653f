//! Who has logged in, and who has tried to. Kept for [`KEPT_SECONDS`], and never more than
//! [`ROWS_MAX`] rows of one account in one hour, whatever strangers do.

use pillarbox_core::UnixSeconds;
use rusqlite::{Connection, Row, params};

use crate::{AccountId, StoreError, accounts, sql};

/// Logins of one account that are alike: of one hour, from one network, by one way and with one
/// result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Of whom.
    pub account: AccountId,
    /// Where from: a network, so that a client that moves within it is one.
    pub network: String,
    /// The protocol's name.
    pub protocol: String,
    /// The mechanism's name.
    pub mechanism: String,
    /// Under TLS.
    pub tls: bool,
    /// [`SUCCEEDED`], or why not.
    pub result: String,
    /// How many.
    pub count: u64,
    /// When the last of them was.
    pub last: UnixSeconds,
    /// The name that the last of them gave.
    pub login: String,
    /// Where the last of them came from.
    pub peer: String,
    /// The connection of the last of them, as logs name it.
    pub cid: String,
}

/// The [`Attempt::result`] of a login that succeeded.
pub const SUCCEEDED: &str = "ok";

/// Counts attempts in, and forgets old ones. Those of an account that is no more are passed over.
pub(crate) fn note(
    conn: &Connection,
    attempts: &[Attempt],
    now: UnixSeconds,
) -> Result<(), StoreError> {
    sql::run(
        conn,
        "DELETE FROM login_attempt WHERE last < ?1",
        [now.0.saturating_sub(KEPT_SECONDS)],
    )?;
    for attempt in attempts {
        match accounts::require(conn, attempt.account) {
            Ok(()) => note_one(conn, attempt)?,
            Err(StoreError::NoSuchAccount) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn note_one(conn: &Connection, attempt: &Attempt) -> Result<(), StoreError> {
    let hour = attempt.last.0 - attempt.last.0.rem_euclid(3_600);
    let rows = sql::first(
        conn,
        "SELECT count(*) FROM login_attempt WHERE account = ?1 AND hour = ?2",
        params![attempt.account.0, hour],
        |row| row.get::<_, i64>(0),
    )?;
    let crowded = rows.unwrap_or(0) >= ROWS_MAX && attempt.result != SUCCEEDED;
    sql::run(
        conn,
        "INSERT INTO login_attempt (account, hour, network, protocol, mechanism, tls, result, \
         count, last, login, peer, cid) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
         ON CONFLICT (account, hour, network, protocol, mechanism, tls, result) DO UPDATE SET \
         count = count + excluded.count, last = max(last, excluded.last), \
         login = excluded.login, peer = excluded.peer, cid = excluded.cid",
        params![
            attempt.account.0,
            hour,
            if crowded { "*" } else { &attempt.network },
            attempt.protocol,
            attempt.mechanism,
            attempt.tls,
            attempt.result,
            attempt.count.cast_signed(),
            attempt.last.0,
            attempt.login,
            attempt.peer,
            attempt.cid,
        ],
    )?;
    Ok(())
}

/// Attempts on an account, the newest first, `skip` of them left out.
pub(crate) fn list(
    conn: &Connection,
    account: AccountId,
    skip: usize,
    count_max: usize,
) -> Result<Vec<Attempt>, StoreError> {
    let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(sql::all(
        conn,
        "SELECT account, network, protocol, mechanism, tls, result, count, last, login, peer, cid \
         FROM login_attempt WHERE account = ?1 ORDER BY last DESC, id DESC LIMIT ?2 OFFSET ?3",
        params![account.0, signed(count_max), signed(skip)],
        attempt,
    )?)
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        account: AccountId(row.get(0)?),
        network: row.get(1)?,
        protocol: row.get(2)?,
        mechanism: row.get(3)?,
        tls: row.get(4)?,
        result: row.get(5)?,
        count: sql::u64_at(row, 6)?,
        last: UnixSeconds(row.get(7)?),
        login: row.get(8)?,
        peer: row.get(9)?,
        cid: row.get(10)?,
    })
}

/// Whether somebody has logged in to the account from this network, as far as is remembered.
pub(crate) fn knows(
    conn: &Connection,
    account: AccountId,
    network: &str,
) -> Result<bool, StoreError> {
    let found = sql::first(
        conn,
        "SELECT 1 FROM login_attempt WHERE account = ?1 AND network = ?2 AND result = ?3 LIMIT 1",
        params![account.0, network, SUCCEEDED],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// For so long attempts are kept: 30 days.
pub const KEPT_SECONDS: i64 = 30 * 24 * 60 * 60;
/// An hour of an account has no more rows than this; what failed from further networks is counted
/// together. 30 days are then 144,000 rows at most, of some 200 bytes.
const ROWS_MAX: i64 = 200;
