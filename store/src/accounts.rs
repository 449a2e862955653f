//! Accounts, their secrets, and the addresses that lead to them.

use pillarbox_core::UnixSeconds;
use pillarbox_core::international::{domain_key, fold};
use rusqlite::{Connection, Row, params};

use crate::mailbox::{self, INBOX};
use crate::{
    AccountId, Counts, CramKeys, Credentials, DomainId, ScramKeys, Secret, Special, StoreError,
    alias, sql,
};

/// An account with the mailboxes that every account has.
pub(crate) fn create(
    conn: &Connection,
    name: &str,
    now: UnixSeconds,
) -> Result<AccountId, StoreError> {
    if name.is_empty() || name.contains('@') {
        return Err(StoreError::Misuse("an account's name is not empty and holds no @"));
    }
    let made = sql::run(
        conn,
        "INSERT INTO account (name, created) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![fold(name), now.0],
    )?;
    if made == 0 {
        return Err(StoreError::AlreadyExists);
    }
    let account = AccountId(conn.last_insert_rowid());
    let mailboxes = std::iter::once((INBOX, None))
        .chain(Special::ALL.into_iter().map(|special| (special.name(), Some(special))));
    for (name, special) in mailboxes {
        mailbox::create(conn, account, name, special, now)?;
        sql::run(
            conn,
            "INSERT INTO subscription (account, name) VALUES (?1, ?2)",
            params![account.0, name],
        )?;
    }
    Ok(account)
}

/// Replaces all secrets of an account.
pub(crate) fn set_secrets(
    conn: &Connection,
    account: AccountId,
    secrets: &[Secret],
) -> Result<(), StoreError> {
    require(conn, account)?;
    sql::run(conn, "DELETE FROM secret WHERE account = ?1", [account.0])?;
    for secret in secrets {
        let insert = "INSERT INTO secret (account, kind, phc, salt, iterations, stored_key, \
                      server_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
        let scram = |kind: i64, keys: &ScramKeys| {
            let ScramKeys { salt, iterations, stored_key, server_key } = keys;
            sql::run(
                conn,
                insert,
                params![account.0, kind, None::<&str>, salt, iterations, stored_key, server_key],
            )
        };
        let inserted = match secret {
            Secret::Argon2id(phc) => sql::run(
                conn,
                insert,
                params![
                    account.0,
                    ARGON2ID,
                    phc,
                    None::<i64>,
                    None::<i64>,
                    None::<i64>,
                    None::<i64>
                ],
            ),
            Secret::ScramSha256(keys) => scram(SCRAM_SHA_256, keys),
            Secret::ScramSha1(keys) => scram(SCRAM_SHA_1, keys),
            Secret::CramMd5(CramKeys { inner, outer }) => sql::run(
                conn,
                insert,
                params![account.0, CRAM_MD5, None::<&str>, [0_u8; 0], 1, inner, outer],
            ),
        }?;
        if inserted == 0 {
            return Err(StoreError::Misuse("an account has one secret of each kind"));
        }
    }
    drop_unwanted(conn, Some(account))
}

/// Takes the keys of CRAM-MD5 away where no domain of the account's addresses wants them; of all
/// accounts where none is named.
pub(crate) fn drop_unwanted(
    conn: &Connection,
    account: Option<AccountId>,
) -> Result<(), StoreError> {
    sql::run(
        conn,
        "DELETE FROM secret WHERE kind = ?1 AND (?2 IS NULL OR account = ?2) AND account NOT IN \
         (SELECT a.account FROM address a JOIN domain d ON d.id = a.domain WHERE d.cram_md5 <> 0)",
        params![CRAM_MD5, account.map(|account| account.0)],
    )?;
    Ok(())
}

/// Says whether a domain wants CRAM-MD5.
pub(crate) fn set_cram_md5(conn: &Connection, domain: &str, on: bool) -> Result<(), StoreError> {
    let (domain, _) = domain_row(conn, domain)?;
    sql::run(conn, "UPDATE domain SET cram_md5 = ?2 WHERE id = ?1", params![domain.0, on])?;
    drop_unwanted(conn, None)
}

const ARGON2ID: i64 = 1;
const SCRAM_SHA_256: i64 = 2;
const SCRAM_SHA_1: i64 = 3;
const CRAM_MD5: i64 = 4;

/// Makes a domain ours.
pub(crate) fn create_domain(conn: &Connection, name: &str) -> Result<DomainId, StoreError> {
    let made = sql::run(
        conn,
        "INSERT INTO domain (name) VALUES (?1) ON CONFLICT DO NOTHING",
        [domain_key(name)],
    )?;
    if made == 0 {
        return Err(StoreError::AlreadyExists);
    }
    Ok(DomainId(conn.last_insert_rowid()))
}

/// Gives an account an address.
pub(crate) fn create_address(
    conn: &Connection,
    localpart: &str,
    domain: &str,
    account: AccountId,
) -> Result<(), StoreError> {
    require(conn, account)?;
    let (domain, _) = domain_row(conn, domain)?;
    if alias::by_address(conn, localpart, domain)?.is_some() {
        return Err(StoreError::AlreadyExists);
    }
    let made = sql::run(
        conn,
        "INSERT INTO address (domain, localpart, account) VALUES (?1, ?2, ?3) \
         ON CONFLICT DO NOTHING",
        params![domain.0, fold(localpart), account.0],
    )?;
    if made == 0 { Err(StoreError::AlreadyExists) } else { Ok(()) }
}

/// Says who gets what is nobody's.
pub(crate) fn set_catch_all(
    conn: &Connection,
    domain: &str,
    account: Option<AccountId>,
) -> Result<(), StoreError> {
    if let Some(account) = account {
        require(conn, account)?;
    }
    let (domain, _) = domain_row(conn, domain)?;
    sql::run(
        conn,
        "UPDATE domain SET catch_all = ?2 WHERE id = ?1",
        params![domain.0, account.map(|account| account.0)],
    )?;
    Ok(())
}

/// What a login's password is checked against.
pub(crate) fn credentials(conn: &Connection, login: &str) -> Result<Credentials, StoreError> {
    let account = match login.rsplit_once('@') {
        Some((localpart, domain)) => match domain_row(conn, domain) {
            Ok((domain, _)) => address(conn, localpart, domain)?,
            Err(StoreError::NotOurDomain) => None,
            Err(error) => return Err(error),
        },
        None => Some(by_name(conn, login)?),
    };
    of(conn, account.ok_or(StoreError::NoSuchAccount)?)
}

fn of(conn: &Connection, account: AccountId) -> Result<Credentials, StoreError> {
    let (name, disabled) =
        sql::first(conn, "SELECT name, disabled FROM account WHERE id = ?1", [account.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .ok_or(StoreError::NoSuchAccount)?;
    // Nobody can know the password of an account that is out of use.
    let secrets = if disabled { Vec::new() } else { secrets(conn, account)? };
    Ok(Credentials { account, name, secrets })
}

/// The account of this name, else the first that has an address with this local part in whatever
/// domain.
pub(crate) fn namesake(
    conn: &Connection,
    localpart: &str,
) -> Result<Option<Credentials>, StoreError> {
    let account = match by_name(conn, localpart) {
        Ok(account) => Some(account),
        Err(StoreError::NoSuchAccount) => sql::first(
            conn,
            "SELECT account FROM address WHERE localpart = ?1 ORDER BY account LIMIT 1",
            [fold(localpart)],
            |row| row.get(0).map(AccountId),
        )?,
        Err(error) => return Err(error),
    };
    account.map(|account| of(conn, account)).transpose()
}

/// All secrets of an account.
pub(crate) fn secrets(conn: &Connection, account: AccountId) -> Result<Vec<Secret>, StoreError> {
    let secrets = sql::all(
        conn,
        "SELECT kind, phc, salt, iterations, stored_key, server_key FROM secret \
         WHERE account = ?1 ORDER BY kind",
        [account.0],
        secret,
    )?;
    Ok(secrets.into_iter().flatten().collect())
}

/// A kind that is not known here is passed over: a later version may have written it.
fn secret(row: &Row<'_>) -> rusqlite::Result<Option<Secret>> {
    let keys = || -> rusqlite::Result<ScramKeys> {
        Ok(ScramKeys {
            salt: row.get(2)?,
            iterations: row.get(3)?,
            stored_key: row.get(4)?,
            server_key: row.get(5)?,
        })
    };
    Ok(match row.get(0)? {
        ARGON2ID => Some(Secret::Argon2id(row.get(1)?)),
        SCRAM_SHA_256 => Some(Secret::ScramSha256(keys()?)),
        SCRAM_SHA_1 => Some(Secret::ScramSha1(keys()?)),
        CRAM_MD5 => Some(Secret::CramMd5(CramKeys { inner: row.get(4)?, outer: row.get(5)? })),
        _ => None,
    })
}

/// Totals.
pub(crate) fn counts(conn: &Connection) -> Result<Counts, StoreError> {
    let counts = sql::first(
        conn,
        "SELECT (SELECT count(*) FROM account WHERE name NOT GLOB '@*'), (SELECT count(*) FROM domain), \
         (SELECT count(*) FROM domain WHERE cram_md5 <> 0), count(*), \
         coalesce(sum(messages), 0), coalesce(sum(bytes), 0) FROM mailbox",
        [],
        |row| {
            Ok(Counts {
                accounts: sql::u64_at(row, 0)?,
                domains: sql::u64_at(row, 1)?,
                cram_md5_domains: sql::u64_at(row, 2)?,
                mailboxes: sql::u64_at(row, 3)?,
                messages: sql::u64_at(row, 4)?,
                bytes: sql::u64_at(row, 5)?,
            })
        },
    )?;
    Ok(counts.unwrap_or_default())
}

/// The account with this name.
pub(crate) fn by_name(conn: &Connection, name: &str) -> Result<AccountId, StoreError> {
    sql::first(conn, "SELECT id FROM account WHERE name = ?1", [fold(name)], |row| {
        row.get(0).map(AccountId)
    })?
    .ok_or(StoreError::NoSuchAccount)
}

/// That the account exists.
pub(crate) fn require(conn: &Connection, account: AccountId) -> Result<(), StoreError> {
    sql::first(conn, "SELECT 1 FROM account WHERE id = ?1", [account.0], |_| Ok(()))?
        .ok_or(StoreError::NoSuchAccount)
}

/// Whether a domain is one of ours.
pub(crate) fn is_ours(conn: &Connection, domain: &str) -> Result<bool, StoreError> {
    match domain_row(conn, domain) {
        Ok(_) => Ok(true),
        Err(StoreError::NotOurDomain) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(crate) fn domain_row(
    conn: &Connection,
    name: &str,
) -> Result<(DomainId, Option<AccountId>), StoreError> {
    sql::first(
        conn,
        "SELECT id, catch_all FROM domain WHERE name = ?1",
        [domain_key(name)],
        |row| Ok((DomainId(row.get(0)?), row.get::<_, Option<i64>>(1)?.map(AccountId))),
    )?
    .ok_or(StoreError::NotOurDomain)
}

/// Whose exactly this address is.
pub(crate) fn address(
    conn: &Connection,
    localpart: &str,
    domain: DomainId,
) -> Result<Option<AccountId>, StoreError> {
    Ok(sql::first(
        conn,
        "SELECT account FROM address WHERE domain = ?1 AND localpart = ?2",
        params![domain.0, fold(localpart)],
        |row| row.get(0).map(AccountId),
    )?)
}
