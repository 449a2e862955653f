//! Aliases: addresses whose mail goes to several of our addresses.
//!
//! A member is an address of an account, never another alias: there are no loops to be found.

use pillarbox_core::international::{domain_key, fold};
use rusqlite::{Connection, Row, params};

use crate::{AccountId, Address, DomainId, StoreError, accounts, sql};

/// An alias to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlias {
    /// Before the `@`, unquoted.
    pub localpart: String,
    /// A domain of ours.
    pub domain: String,
    /// What members and others may do.
    pub settings: AliasSettings,
    /// Local part and domain of addresses of accounts; at most 1,000. Without any, mail to the
    /// alias is refused.
    pub members: Vec<(String, String)>,
}

/// What the members of an alias and others may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AliasSettings {
    /// Anybody may write to it; otherwise members only.
    pub post_public: bool,
    /// Members may see who the others are.
    pub list_members: bool,
    /// Members may send as the alias.
    pub allow_from: bool,
}

/// What is to be different about an alias.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AliasChange {
    /// [`AliasSettings::post_public`], where given.
    pub post_public: Option<bool>,
    /// [`AliasSettings::list_members`], where given.
    pub list_members: Option<bool>,
    /// [`AliasSettings::allow_from`], where given.
    pub allow_from: Option<bool>,
    /// New members.
    pub add: Vec<(String, String)>,
    /// Members no more.
    pub remove: Vec<(String, String)>,
}

/// An alias as its operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasInfo {
    /// Before the `@`, unquoted.
    pub localpart: String,
    /// Its domain.
    pub domain: String,
    /// What members and others may do.
    pub settings: AliasSettings,
    /// Local part and domain of each member, by domain.
    pub members: Vec<(String, String)>,
}

/// Names an alias. Never used again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AliasId(pub(crate) i64);

/// Makes an alias with its members.
pub(crate) fn create(conn: &Connection, new: &NewAlias) -> Result<(), StoreError> {
    let (domain, _) = accounts::domain_row(conn, &new.domain)?;
    if accounts::address(conn, &new.localpart, domain)?.is_some() {
        return Err(StoreError::AlreadyExists);
    }
    let AliasSettings { post_public, list_members, allow_from } = new.settings;
    let made = sql::run(
        conn,
        "INSERT INTO alias (domain, localpart, post_public, list_members, allow_from) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        params![domain.0, fold(&new.localpart), post_public, list_members, allow_from],
    )?;
    if made == 0 {
        return Err(StoreError::AlreadyExists);
    }
    add_members(conn, AliasId(conn.last_insert_rowid()), &new.members)
}

/// Changes an alias: what is taken away goes first.
pub(crate) fn change(
    conn: &Connection,
    alias: &Address,
    change: &AliasChange,
) -> Result<(), StoreError> {
    let (domain, _) = accounts::domain_row(conn, &alias.domain)?;
    let (alias, _) = by_address(conn, &alias.localpart, domain)?.ok_or(StoreError::NoSuchAlias)?;
    sql::run(
        conn,
        "UPDATE alias SET post_public = coalesce(?2, post_public), \
         list_members = coalesce(?3, list_members), allow_from = coalesce(?4, allow_from) \
         WHERE id = ?1",
        params![alias.0, change.post_public, change.list_members, change.allow_from],
    )?;
    for (localpart, domain) in &change.remove {
        let (domain, _) = accounts::domain_row(conn, domain)?;
        let removed = sql::run(
            conn,
            "DELETE FROM member WHERE alias = ?1 AND domain = ?2 AND localpart = ?3",
            params![alias.0, domain.0, fold(localpart)],
        )?;
        if removed == 0 {
            return Err(StoreError::NoSuchMember);
        }
    }
    add_members(conn, alias, &change.add)
}

/// Takes an alias away.
pub(crate) fn remove(conn: &Connection, alias: &Address) -> Result<(), StoreError> {
    let (domain, _) = accounts::domain_row(conn, &alias.domain)?;
    let removed = sql::run(
        conn,
        "DELETE FROM alias WHERE domain = ?1 AND localpart = ?2",
        params![domain.0, fold(&alias.localpart)],
    )?;
    if removed == 0 { Err(StoreError::NoSuchAlias) } else { Ok(()) }
}

fn add_members(
    conn: &Connection,
    alias: AliasId,
    members: &[(String, String)],
) -> Result<(), StoreError> {
    for (localpart, domain) in members {
        let (domain, _) = accounts::domain_row(conn, domain)?;
        if accounts::address(conn, localpart, domain)?.is_none() {
            // An alias has no row among the addresses: it cannot be a member either.
            return Err(StoreError::NoSuchAddress);
        }
        let made = sql::run(
            conn,
            "INSERT INTO member (alias, domain, localpart) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO NOTHING",
            params![alias.0, domain.0, fold(localpart)],
        )?;
        if made == 0 {
            return Err(StoreError::AlreadyExists);
        }
    }
    let count =
        sql::first(conn, "SELECT count(*) FROM member WHERE alias = ?1", [alias.0], |row| {
            sql::u64_at(row, 0)
        })?;
    if count.is_some_and(|count| count > MEMBERS_MAX) {
        return Err(StoreError::Cannot("an alias has at most 1,000 members"));
    }
    Ok(())
}

/// One letter to an alias is stored this often at most.
const MEMBERS_MAX: u64 = 1_000;

/// The alias with this address.
pub(crate) fn by_address(
    conn: &Connection,
    localpart: &str,
    domain: DomainId,
) -> Result<Option<(AliasId, AliasSettings)>, StoreError> {
    Ok(sql::first(
        conn,
        "SELECT id, post_public, list_members, allow_from FROM alias \
         WHERE domain = ?1 AND localpart = ?2",
        params![domain.0, fold(localpart)],
        |row| Ok((AliasId(row.get(0)?), settings(row, 1)?)),
    )?)
}

/// The accounts behind an alias, each once.
pub(crate) fn accounts_of(conn: &Connection, alias: AliasId) -> Result<Vec<AccountId>, StoreError> {
    Ok(sql::all(
        conn,
        "SELECT DISTINCT a.account FROM member m JOIN address a \
         ON a.domain = m.domain AND a.localpart = m.localpart WHERE m.alias = ?1 \
         ORDER BY a.account",
        [alias.0],
        |row| row.get(0).map(AccountId),
    )?)
}

/// Aliases by domain and local part, after one of them.
pub(crate) fn list(
    conn: &Connection,
    (after_domain, after_localpart): (&str, &str),
    count_max: usize,
) -> Result<Vec<AliasInfo>, StoreError> {
    let found = sql::all(
        conn,
        "SELECT a.id, a.localpart, d.name, a.post_public, a.list_members, a.allow_from \
         FROM alias a JOIN domain d ON d.id = a.domain \
         WHERE (d.name, a.localpart) > (?1, ?2) ORDER BY d.name, a.localpart LIMIT ?3",
        params![
            domain_key(after_domain),
            fold(after_localpart),
            i64::try_from(count_max).unwrap_or(i64::MAX)
        ],
        |row| {
            let info = AliasInfo {
                localpart: row.get(1)?,
                domain: row.get(2)?,
                settings: settings(row, 3)?,
                members: Vec::new(),
            };
            Ok((row.get(0)?, info))
        },
    )?;
    let mut complete = Vec::with_capacity(found.len());
    for (id, info) in found {
        let members = members(conn, AliasId(id))?;
        complete.push(AliasInfo { members, ..info });
    }
    Ok(complete)
}

fn members(conn: &Connection, alias: AliasId) -> Result<Vec<(String, String)>, StoreError> {
    Ok(sql::all(
        conn,
        "SELECT m.localpart, d.name FROM member m JOIN domain d ON d.id = m.domain \
         WHERE m.alias = ?1 ORDER BY d.name, m.localpart",
        [alias.0],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?)
}

fn settings(row: &Row<'_>, first: usize) -> rusqlite::Result<AliasSettings> {
    Ok(AliasSettings {
        post_public: row.get(first)?,
        list_members: row.get(first + 1)?,
        allow_from: row.get(first + 2)?,
    })
}
