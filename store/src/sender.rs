//! As whom an account may send.

use rusqlite::Connection;

use crate::{AccountId, Address, StoreError, addressee};

/// Which of the addresses are not this account's, by their place.
pub(crate) fn foreign(
    conn: &Connection,
    account: AccountId,
    addresses: &[(String, String)],
    separators: &str,
) -> Result<Vec<usize>, StoreError> {
    let mut foreign = Vec::new();
    for (index, (localpart, domain)) in addresses.iter().enumerate() {
        let address = Address { localpart: localpart.clone(), domain: domain.clone() };
        if !addressee::may_send_as(conn, account, &address, separators)? {
            foreign.push(index);
        }
    }
    Ok(foreign)
}
