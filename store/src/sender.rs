//! As whom an account may send.

use rusqlite::Connection;

use crate::{AccountId, StoreError, accounts};

/// Which of the addresses are not this account's, by their place.
pub(crate) fn foreign(
    conn: &Connection,
    account: AccountId,
    addresses: &[(String, String)],
    separators: &str,
) -> Result<Vec<usize>, StoreError> {
    let mut foreign = Vec::new();
    for (index, (localpart, domain)) in addresses.iter().enumerate() {
        if owner(conn, localpart, domain, separators)? != Some(account) {
            foreign.push(index);
        }
    }
    Ok(foreign)
}

/// Whose an address is, first hit wins: the address itself; without what follows a separator; the
/// domain's catch-all.
fn owner(
    conn: &Connection,
    localpart: &str,
    domain: &str,
    separators: &str,
) -> Result<Option<AccountId>, StoreError> {
    let (domain, catch_all) = match accounts::domain_row(conn, domain) {
        Ok(found) => found,
        Err(StoreError::NotOurDomain) => return Ok(None),
        Err(error) => return Err(error),
    };
    let base = localpart
        .find(|char| separators.contains(char))
        .and_then(|at| localpart.get(..at))
        .filter(|base| !base.is_empty());
    for localpart in std::iter::once(localpart).chain(base) {
        if let Some(account) = accounts::address(conn, localpart, domain)? {
            return Ok(Some(account));
        }
    }
    Ok(catch_all)
}
