//! To whom accounts write: how much, to how many who are new, and to whom not any more.

use pillarbox_core::UnixSeconds;
use pillarbox_core::international::{domain_key, fold};
use rusqlite::{Connection, params};

use super::{NewQueued, SendLimits, Settled, Settlement, Suppressed};
use crate::{AccountId, StoreError, sql};

const DAY: i64 = 86_400;

/// One string for all spellings of an address.
fn key(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((localpart, domain)) => format!("{}@{}", fold(localpart), domain_key(domain)),
        None => fold(address).into_owned(),
    }
}

/// Counts recipients in; refuses them all where an account has had its share of a day.
pub(super) fn count_in(
    conn: &Connection,
    account: AccountId,
    recipients: &[NewQueued],
    limits: SendLimits,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    let since = now.0.saturating_sub(DAY);
    // Counting costs as much as there is to count, so it is only done where that is little.
    let count = |ask: &str| {
        let found = sql::first(conn, ask, [account.0, since], |row| sql::u64_at(row, 0))?;
        Ok::<u64, StoreError>(found.unwrap_or(0))
    };
    if let Some(most) = limits.recipients_a_day {
        let sent = count(
            "SELECT count(*) FROM outgoing o JOIN outgoing_to t ON t.outgoing = o.id \
             WHERE o.account = ?1 AND o.since > ?2",
        )?;
        if sent.saturating_add(recipients.len() as u64) > most {
            return Err(StoreError::SentEnough("recipients", most));
        }
    }
    for recipient in recipients {
        sql::run(
            conn,
            "INSERT INTO correspondent (account, address, first) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO NOTHING",
            params![account.0, key(&recipient.address), now.0],
        )?;
    }
    if let Some(most) = limits.new_a_day
        && count("SELECT count(*) FROM correspondent WHERE account = ?1 AND first > ?2")? > most
    {
        let whom = "recipients to whom it has not written before";
        return Err(StoreError::SentEnough(whom, most));
    }
    Ok(())
}

/// Whether nothing of an account's goes to an address, and why.
pub(super) fn suppressed(
    conn: &Connection,
    account: AccountId,
    address: &str,
) -> Result<Option<String>, StoreError> {
    Ok(sql::first(
        conn,
        "SELECT reason FROM suppressed WHERE account = ?1 AND address = ?2",
        params![account.0, key(address)],
        |row| row.get(0),
    )?)
}

/// Those of an account, by address, behind one and at most so many.
pub(super) fn list(
    conn: &Connection,
    account: AccountId,
    after: &str,
    count_max: usize,
) -> Result<Vec<Suppressed>, StoreError> {
    Ok(sql::all(
        conn,
        "SELECT address, since, reason FROM suppressed WHERE account = ?1 AND address > ?2 \
         ORDER BY address LIMIT ?3",
        params![account.0, after, sql::count(count_max)],
        |row| {
            let since = UnixSeconds(row.get(1)?);
            Ok(Suppressed { address: row.get(0)?, since, reason: row.get(2)? })
        },
    )?)
}

pub(super) fn suppress(
    conn: &Connection,
    account: AccountId,
    one: &Suppressed,
) -> Result<(), StoreError> {
    sql::run(
        conn,
        "INSERT INTO suppressed (account, address, since, reason) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (account, address) DO UPDATE SET since = ?3, reason = ?4",
        params![account.0, key(&one.address), one.since.0, one.reason],
    )?;
    Ok(())
}

pub(super) fn allow(
    conn: &Connection,
    account: AccountId,
    address: &str,
) -> Result<bool, StoreError> {
    let remove = "DELETE FROM suppressed WHERE account = ?1 AND address = ?2";
    Ok(sql::run(conn, remove, params![account.0, key(address)])? > 0)
}

/// What came back for good, or again and again, is not tried anew.
pub(super) fn learn(
    conn: &Connection,
    settlement: &Settlement,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    if settlement.outcome != Settled::Failed || !settlement.suppresses {
        return Ok(());
    }
    let whose = sql::first(
        conn,
        "SELECT o.account, t.address FROM outgoing_to t JOIN outgoing o ON o.id = t.outgoing \
         WHERE t.id = ?1 AND o.account IS NOT NULL",
        [settlement.id.0],
        |row| Ok((AccountId(row.get(0)?), row.get(1)?)),
    )?;
    let Some((account, address)) = whose else { return Ok(()) };
    suppress(conn, account, &Suppressed { address, since: now, reason: settlement.said.clone() })
}
