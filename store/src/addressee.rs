//! Who gets what is sent to an address.

use pillarbox_core::international::{domain_key, fold};
use rusqlite::Connection;

use crate::alias::AliasId;
use crate::{AccountId, AliasSettings, DomainId, StoreError, accounts, alias, quota, sql};

/// An address in a message's envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Before the `@`, unquoted. Case is no difference, nor is how letters are composed.
    pub localpart: String,
    /// Case is no difference, nor whether it is written with A-labels or U-labels.
    pub domain: String,
}

/// What a server's configuration says about whose mail an address is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routing {
    /// The server's own name: postmaster is known there too.
    pub hostname: String,
    /// Each of these characters begins what is left out of a local part that is nobody's.
    pub separators: String,
}

/// Who gets what is sent to an address, and what bears on whether they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    /// One account.
    Account(Holder),
    /// The members of an alias, each account once.
    Alias(AliasSettings, Vec<Holder>),
}

/// An account that may get mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Which.
    pub account: AccountId,
    /// It is out of use.
    pub disabled: bool,
    /// How many bytes more it may have; `None`: any number.
    pub room: Option<u64>,
}

/// Whose mail an address is, first hit wins: the address itself; without what follows a separator;
/// the domain's catch-all; for postmaster, whoever takes its part.
///
/// # Errors
///
/// [`StoreError::NoSuchAddress`], [`StoreError::NotOurDomain`].
pub(crate) fn find(
    conn: &Connection,
    to: &Address,
    routing: &Routing,
    default: Option<u64>,
) -> Result<Addressee, StoreError> {
    let holder = |account| quota::holder(conn, account, default);
    match target(conn, to, routing)? {
        Target::Account(account) => holder(account).map(Addressee::Account),
        Target::Alias(id, settings) => {
            let members = alias::accounts_of(conn, id)?.into_iter().map(holder);
            Ok(Addressee::Alias(settings, members.collect::<Result<_, _>>()?))
        }
    }
}

enum Target {
    Account(AccountId),
    Alias(AliasId, AliasSettings),
}

fn target(conn: &Connection, to: &Address, routing: &Routing) -> Result<Target, StoreError> {
    // RFC 5321 §4.5.1: postmaster, at each domain of ours and at the server itself.
    let localpart = fold(&to.localpart);
    let postmaster = localpart == POSTMASTER;
    let (domain, catch_all) = match accounts::domain_row(conn, &to.domain) {
        Ok(found) => found,
        Err(StoreError::NotOurDomain)
            if postmaster && domain_key(&to.domain) == domain_key(&routing.hostname) =>
        {
            return substitute(conn);
        }
        Err(error) => return Err(error),
    };
    if let Some(found) = exact(conn, &localpart, domain)? {
        return Ok(found);
    }
    if let Some(base) = base(&localpart, &routing.separators)
        && let Some(found) = exact(conn, base, domain)?
    {
        return Ok(found);
    }
    match catch_all {
        Some(account) => Ok(Target::Account(account)),
        None if postmaster => substitute(conn),
        None => Err(StoreError::NoSuchAddress),
    }
}

fn exact(
    conn: &Connection,
    localpart: &str,
    domain: DomainId,
) -> Result<Option<Target>, StoreError> {
    if let Some(account) = accounts::address(conn, localpart, domain)? {
        return Ok(Some(Target::Account(account)));
    }
    let found = alias::by_address(conn, localpart, domain)?;
    Ok(found.map(|(id, settings)| Target::Alias(id, settings)))
}

/// A local part without what follows its first separator. Nothing before it is no base. It is
/// folded before: a separator may compose with what follows it to another character.
fn base<'a>(localpart: &'a str, separators: &str) -> Option<&'a str> {
    let at = localpart.find(|char| separators.contains(char))?;
    localpart.get(..at).filter(|base| !base.is_empty())
}

/// Who takes postmaster's mail where nobody has that address and no catch-all takes it: the account
/// of that name, else the one that was there first.
fn substitute(conn: &Connection) -> Result<Target, StoreError> {
    sql::first(
        conn,
        "SELECT id FROM account WHERE name NOT GLOB '@*' AND disabled = 0 \
         ORDER BY name <> ?1, id LIMIT 1",
        [POSTMASTER],
        |row| row.get(0).map(AccountId),
    )?
    .map(Target::Account)
    .ok_or(StoreError::NoSuchAddress)
}

const POSTMASTER: &str = "postmaster";

/// Whose an address is, as a sender: what catch-alls take is nobody's.
pub(crate) fn owner(
    conn: &Connection,
    address: &Address,
    separators: &str,
) -> Result<Option<AccountId>, StoreError> {
    Ok(match sender(conn, address, separators)? {
        Some(Target::Account(account)) => Some(account),
        _ => None,
    })
}

/// Whether an account may send as this address: it is its own, with or without what follows a
/// separator, or that of an alias which lets its members do so, or nobody's in a domain whose
/// catch-all it is.
pub(crate) fn may_send_as(
    conn: &Connection,
    account: AccountId,
    address: &Address,
    separators: &str,
) -> Result<bool, StoreError> {
    Ok(match sender(conn, address, separators)? {
        Some(Target::Account(owner)) => owner == account,
        Some(Target::Alias(id, settings)) => {
            settings.allow_from && alias::accounts_of(conn, id)?.contains(&account)
        }
        None => match accounts::domain_row(conn, &address.domain) {
            Ok((_, catch_all)) => catch_all == Some(account),
            Err(StoreError::NotOurDomain) => false,
            Err(error) => return Err(error),
        },
    })
}

fn sender(
    conn: &Connection,
    address: &Address,
    separators: &str,
) -> Result<Option<Target>, StoreError> {
    let domain = match accounts::domain_row(conn, &address.domain) {
        Ok((domain, _)) => domain,
        Err(StoreError::NotOurDomain) => return Ok(None),
        Err(error) => return Err(error),
    };
    let localpart = fold(&address.localpart);
    if let Some(found) = exact(conn, &localpart, domain)? {
        return Ok(Some(found));
    }
    match base(&localpart, separators) {
        Some(base) => exact(conn, base, domain),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn what_follows_a_separator_is_left_out() {
        for (localpart, separators, expected) in [
            ("alice", "+", None),
            ("alice+lists", "+", Some("alice")),
            ("alice+a+b", "+", Some("alice")),
            ("alice-a+b", "+-", Some("alice")),
            ("alice+", "+", Some("alice")),
            ("+lists", "+", None),
            ("alice+lists", "", None),
            ("jürgen=x", "=", Some("jürgen")),
        ] {
            assert_eq!(base(localpart, separators), expected, "{localpart}");
        }
    }
}
