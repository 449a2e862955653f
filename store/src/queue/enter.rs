//! How a message enters.

use pillarbox_core::UnixSeconds;
use rusqlite::{Connection, params};

use super::{HoldRule, NewOutgoing, State, correspondents, hold};
use crate::body::{self, BodyId};
use crate::store::Shared;
use crate::{NewBody, StoreError, deliver, sql};

/// A message whose body is stored, and counts this one.
pub(crate) fn enter(
    conn: &Connection,
    message: &NewOutgoing,
    body: BodyId,
    size: u64,
    since: UnixSeconds,
) -> Result<(), StoreError> {
    if message.recipients.is_empty() {
        return Err(StoreError::Misuse("outgoing mail has at least one recipient"));
    }
    if let (Some(account), Some(limits)) = (message.account, message.limits) {
        correspondents::count_in(conn, account, &message.recipients, limits, since)?;
    }
    let prefix = body::put_prefix(conn, &message.prefix)?;
    let size = size.saturating_add(sql::len(&message.prefix));
    sql::run(
        conn,
        "INSERT INTO outgoing (account, sender, mail, message_id, cid, since, size, body, prefix, \
         tls_optional) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            message.account.map(|account| account.0),
            message.sender,
            message.mail,
            message.message_id,
            message.cid,
            since.0,
            size.cast_signed(),
            body.0,
            prefix.map(|prefix| prefix.0),
            message.tls_optional,
        ],
    )?;
    let id = conn.last_insert_rowid();
    let rules = hold::rules(conn)?;
    for to in &message.recipients {
        let fits =
            |(_, rule): &(_, HoldRule)| rule.fits(message.account, &message.sender, &to.domain);
        let state = if to.held || rules.iter().any(fits) { State::Held } else { State::Waiting };
        sql::run(
            conn,
            "INSERT INTO outgoing_to (outgoing, address, domain, rcpt, state, next, attempts, \
             warned, said) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, '')",
            params![id, to.address, to.domain, to.rcpt, state.number(), to.next.0],
        )?;
    }
    Ok(())
}

/// A message with its body.
pub(crate) fn enter_body(
    conn: &Connection,
    shared: &Shared,
    message: &NewOutgoing,
    body: &NewBody,
    since: UnixSeconds,
) -> Result<(), StoreError> {
    deliver::check_inline(shared, body)?;
    let id = body::put(conn, &shared.bodies, body, 1)?;
    enter(conn, message, id, body.size(), since)
}
