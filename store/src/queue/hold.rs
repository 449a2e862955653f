//! Rules by which mail is held as soon as it enters.

use rusqlite::{Connection, params};

use super::{HoldId, HoldRule};
use crate::{AccountId, StoreError, sql};

/// Which recipients' copies are held: asked once for a message.
pub(super) fn rules(conn: &Connection) -> Result<Vec<(HoldId, HoldRule)>, StoreError> {
    Ok(sql::all(
        conn,
        "SELECT id, account, sender, recipient FROM outgoing_hold ORDER BY id",
        [],
        |row| {
            let rule = HoldRule {
                account: row.get::<_, Option<i64>>(1)?.map(AccountId),
                sender: row.get(2)?,
                recipient: row.get(3)?,
            };
            Ok((HoldId(row.get(0)?), rule))
        },
    )?)
}

pub(super) fn add(conn: &Connection, rule: &HoldRule) -> Result<(), StoreError> {
    let HoldRule { account, sender, recipient } = rule;
    sql::run(
        conn,
        "INSERT INTO outgoing_hold (account, sender, recipient) VALUES (?1, ?2, ?3)",
        params![account.map(|account| account.0), sender, recipient],
    )?;
    Ok(())
}

pub(super) fn remove(conn: &Connection, id: HoldId) -> Result<bool, StoreError> {
    Ok(sql::run(conn, "DELETE FROM outgoing_hold WHERE id = ?1", [id.0])? > 0)
}

impl HoldRule {
    /// Whether it holds a message of this sender for this domain.
    pub(super) fn fits(&self, account: Option<AccountId>, sender: &str, domain: &str) -> bool {
        let of = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
        self.account.is_none_or(|wanted| account == Some(wanted))
            && self.sender.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(of))
            && self.recipient.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(domain))
    }
}
