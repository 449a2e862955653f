//! The keys by which domains sign the mail of their people (RFC 6376). Private keys are nowhere else.

use std::fmt;

use pillarbox_core::UnixSeconds;
use pillarbox_core::international::domain_key;
use rusqlite::{Connection, params};

use crate::{StoreError, accounts, sql};

/// A key of a domain.
#[derive(Clone, PartialEq, Eq)]
pub struct DkimKey {
    /// Whose, in A-labels.
    pub domain: String,
    /// By which name among the domain's keys; in small letters, at most 63 octets.
    pub selector: String,
    /// The private key in PKCS#8, in DER.
    pub pkcs8: Vec<u8>,
    /// When it was added.
    pub since: UnixSeconds,
    /// Whether mail is signed with it.
    pub signs: bool,
}

/// A change to the keys of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DkimChange {
    /// Add this one.
    Add(DkimKey),
    /// Sign with it, or no longer.
    Sign(bool),
    /// Take it away for good.
    Remove,
}

impl fmt::Debug for DkimKey {
    /// Without the key itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DkimKey({} of {}, signs: {})", self.selector, self.domain, self.signs)
    }
}

/// Carries out a change to one key.
pub(crate) fn change(
    conn: &Connection,
    domain: &str,
    selector: &str,
    change: &DkimChange,
) -> Result<(), StoreError> {
    let (domain, _) = accounts::domain_row(conn, domain)?;
    let changed = match change {
        DkimChange::Add(key) => {
            if count(conn, domain.0)? >= KEYS_MAX {
                return Err(StoreError::Cannot("a domain has at most 20 keys"));
            }
            let made = sql::run(
                conn,
                "INSERT INTO dkim_key (domain, selector, pkcs8, since, signs) \
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                params![domain.0, selector, key.pkcs8, key.since.0, key.signs],
            )?;
            return if made == 0 { Err(StoreError::AlreadyExists) } else { Ok(()) };
        }
        DkimChange::Sign(on) => sql::run(
            conn,
            "UPDATE dkim_key SET signs = ?3 WHERE domain = ?1 AND selector = ?2",
            params![domain.0, selector, on],
        )?,
        DkimChange::Remove => sql::run(
            conn,
            "DELETE FROM dkim_key WHERE domain = ?1 AND selector = ?2",
            params![domain.0, selector],
        )?,
    };
    if changed == 0 { Err(StoreError::NoSuchKey) } else { Ok(()) }
}

fn count(conn: &Connection, domain: i64) -> Result<i64, StoreError> {
    let count = "SELECT count(*) FROM dkim_key WHERE domain = ?1";
    Ok(sql::first(conn, count, [domain], |row| row.get(0))?.unwrap_or(0))
}

/// All keys of a domain, by selector; none where it is not ours.
pub(crate) fn of(conn: &Connection, domain: &str) -> Result<Vec<DkimKey>, StoreError> {
    let id = match accounts::domain_row(conn, domain) {
        Ok((id, _)) => id.0,
        Err(StoreError::NotOurDomain) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let name = domain_key(domain);
    Ok(sql::all(
        conn,
        "SELECT selector, pkcs8, since, signs FROM dkim_key WHERE domain = ?1 ORDER BY selector",
        [id],
        |row| {
            Ok(DkimKey {
                domain: name.clone().into_owned(),
                selector: row.get(0)?,
                pkcs8: row.get(1)?,
                since: UnixSeconds(row.get(2)?),
                signs: row.get(3)?,
            })
        },
    )?)
}

const KEYS_MAX: i64 = 20;
