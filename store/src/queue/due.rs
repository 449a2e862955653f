//! What can be tried now.

use std::path::Path;

use pillarbox_core::UnixSeconds;
use rusqlite::{Connection, Row, params};

use super::{Due, DueCursor, Outgoing, OutgoingId, QueueId};
use crate::body::{self, BodyId};
use crate::{AccountId, StoreError, sql};

/// The columns of a [`Due`].
pub(super) const COLUMNS: &str = "t.id, t.address, t.domain, t.rcpt, t.next, t.attempts, t.warned, \
    t.transport, o.id, o.account, o.sender, o.mail, o.message_id, o.cid, o.since, o.size, \
    o.tls_optional";

pub(super) fn due_of(row: &Row<'_>) -> rusqlite::Result<Due> {
    Ok(Due {
        id: QueueId(row.get(0)?),
        address: row.get(1)?,
        domain: row.get(2)?,
        rcpt: row.get(3)?,
        next: UnixSeconds(row.get(4)?),
        attempts: row.get(5)?,
        warned: row.get(6)?,
        transport: row.get(7)?,
        message: Outgoing {
            id: OutgoingId(row.get(8)?),
            account: row.get::<_, Option<i64>>(9)?.map(AccountId),
            sender: row.get(10)?,
            mail: row.get(11)?,
            message_id: row.get(12)?,
            cid: row.get(13)?,
            since: UnixSeconds(row.get(14)?),
            size: sql::u64_at(row, 15)?,
            tls_optional: row.get(16)?,
        },
    })
}

/// One step for each domain, however much waits there.
pub(crate) fn destinations(
    conn: &Connection,
    now: UnixSeconds,
    after: &str,
    count_max: usize,
) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut after = after.to_owned();
    while found.len() < count_max {
        let next: Option<(String, bool)> = sql::first(
            conn,
            "SELECT domain, next <= ?2 FROM outgoing_to INDEXED BY outgoing_to_domain \
             WHERE state = 0 AND domain > ?1 ORDER BY domain, next LIMIT 1",
            params![after, now.0],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let Some((domain, is_due)) = next else { break };
        after.clone_from(&domain);
        if is_due {
            found.push(domain);
        }
    }
    Ok(found)
}

pub(crate) fn due(
    conn: &Connection,
    now: UnixSeconds,
    domains: &[(String, DueCursor)],
    count_max: usize,
) -> Result<Vec<Due>, StoreError> {
    let mut found = Vec::new();
    for (domain, after) in domains {
        let ask = format!(
            "SELECT {COLUMNS} FROM outgoing_to t INDEXED BY outgoing_to_domain \
             JOIN outgoing o ON o.id = t.outgoing \
             WHERE t.state = 0 AND t.domain = ?1 AND (t.next, t.id) > (?2, ?3) AND t.next <= ?4 \
             ORDER BY t.next, t.id LIMIT ?5"
        );
        let given = params![domain, after.next.0, after.id.0, now.0, sql::count(count_max)];
        found.extend(sql::all(conn, &ask, given, due_of)?);
    }
    Ok(found)
}

pub(crate) fn next(conn: &Connection, now: UnixSeconds) -> Result<Option<UnixSeconds>, StoreError> {
    Ok(sql::first(
        conn,
        "SELECT next FROM outgoing_to INDEXED BY outgoing_to_next \
         WHERE state = 0 AND next > ?1 ORDER BY next LIMIT 1",
        [now.0],
        |row| row.get(0).map(UnixSeconds),
    )?)
}

/// A piece of a message, the lines in front of it included.
pub(crate) fn bytes(
    conn: &Connection,
    bodies: &Path,
    message: OutgoingId,
    offset: u64,
    count: usize,
) -> Result<Vec<u8>, StoreError> {
    let found = sql::first(
        conn,
        "SELECT o.size, o.body, o.prefix, p.size FROM outgoing o \
         LEFT JOIN body p ON p.id = o.prefix WHERE o.id = ?1",
        [message.0],
        |row| {
            let body = row.get::<_, Option<i64>>(1)?.map(BodyId);
            let prefix = row.get::<_, Option<i64>>(2)?.map(BodyId);
            let before = if prefix.is_some() { sql::u64_at(row, 3)? } else { 0 };
            Ok((sql::u64_at(row, 0)?, body, prefix, before))
        },
    )?;
    let (size, body, prefix, before) = found.ok_or(StoreError::NoSuchMessage)?;
    let body = body.ok_or(StoreError::NoSuchMessage)?;
    let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
    let count = count.min(left);
    let mut bytes = Vec::with_capacity(count);
    if let Some(prefix) = prefix.filter(|_| offset < before) {
        body::read_piece(conn, bodies, prefix, offset, count, &mut bytes)?;
    }
    let rest = count.saturating_sub(bytes.len());
    if rest > 0 {
        body::read_piece(conn, bodies, body, offset.saturating_sub(before), rest, &mut bytes)?;
    }
    if bytes.len() == count {
        Ok(bytes)
    } else {
        Err(StoreError::corrupt("a body is shorter than its message says"))
    }
}
