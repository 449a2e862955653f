//! What an attempt came to.

use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::Handle;
use rusqlite::{Connection, params};

use super::{
    Inward, OutgoingId, QueueId, Report, Settled, Settlement, State, Try, correspondents,
    enter_body,
};
use crate::body::{self, BodyId};
use crate::store::Shared;
use crate::{Flags, Place, Recipient, StoreError, deliver, sql};

/// Keeps an attempt and what came of it; reports are there in the same commit, or nothing is.
pub(crate) fn settle(
    conn: &Connection,
    shared: &Shared,
    (tried, settlements, reports): (&Try, &[Settlement], &[Report]),
    now: UnixSeconds,
    gone: &mut Vec<Handle>,
) -> Result<Inward, StoreError> {
    let mut open = Vec::new();
    for settlement in settlements {
        if let Some(message) = settle_one(conn, settlement, now)? {
            correspondents::learn(conn, settlement, now)?;
            open.push((settlement, message));
        }
    }
    keep(conn, tried, &open)?;
    let mut messages: Vec<OutgoingId> = open.iter().map(|(_, message)| *message).collect();
    messages.dedup();
    for message in messages {
        let_go(conn, message, gone)?;
    }
    let mut inward = Vec::new();
    // Whoever took the message out meanwhile wants nobody to hear of it.
    if !open.is_empty() {
        for report in reports {
            put(conn, shared, report, now, &mut inward)?;
        }
    }
    Ok(inward)
}

/// `None` where it is not open any more.
fn settle_one(
    conn: &Connection,
    settlement: &Settlement,
    now: UnixSeconds,
) -> Result<Option<OutgoingId>, StoreError> {
    let Settlement { id, outcome, said, .. } = settlement;
    let (state, next, warned) = match *outcome {
        Settled::Delivered => (State::Delivered.number(), now, false),
        Settled::Failed => (State::Failed.number(), now, false),
        // One that was held meanwhile stays held.
        Settled::Again { next, warned } => (State::Waiting.number(), next, warned),
    };
    Ok(sql::first(
        conn,
        "UPDATE outgoing_to SET state = max(?2, (?2 = 0) * state), next = ?3, \
         attempts = attempts + 1, warned = warned OR ?4, said = ?5 \
         WHERE id = ?1 AND state <= 1 RETURNING outgoing",
        params![id.0, state, next.0, warned, said],
        |row| row.get(0).map(OutgoingId),
    )?)
}

fn keep(
    conn: &Connection,
    tried: &Try,
    open: &[(&Settlement, OutgoingId)],
) -> Result<(), StoreError> {
    if open.is_empty() {
        return Ok(());
    }
    sql::run(
        conn,
        "INSERT INTO outgoing_try (began, server, address, tls, transcript) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![tried.began.0, tried.server, tried.address, tried.tls, tried.transcript],
    )?;
    let number = conn.last_insert_rowid();
    for (Settlement { id: QueueId(id), said, .. }, _) in open {
        sql::run(
            conn,
            "INSERT INTO outgoing_tried (recipient, try, said) VALUES (?1, ?2, ?3)",
            params![id, number, said],
        )?;
    }
    Ok(())
}

/// Nobody waits for it any more: its body goes, unless others name it too.
pub(super) fn let_go(
    conn: &Connection,
    message: OutgoingId,
    gone: &mut Vec<Handle>,
) -> Result<(), StoreError> {
    let bodies = sql::first(
        conn,
        "SELECT body, prefix FROM outgoing o WHERE id = ?1 AND body IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM outgoing_to WHERE outgoing = o.id AND state <= 1)",
        [message.0],
        |row| Ok([row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?]),
    )?;
    let Some(bodies) = bodies else { return Ok(()) };
    sql::run(conn, "UPDATE outgoing SET body = NULL, prefix = NULL WHERE id = ?1", [message.0])?;
    for id in bodies.into_iter().flatten().map(BodyId) {
        body::remember(conn, id)?;
        body::release(conn, id, gone)?;
    }
    Ok(())
}

fn put(
    conn: &Connection,
    shared: &Shared,
    report: &Report,
    now: UnixSeconds,
    inward: &mut Inward,
) -> Result<(), StoreError> {
    match report {
        Report::Outward(message, body) => enter_body(conn, shared, message, body, now),
        Report::Inward { account, prefix, body } => {
            let recipient = Recipient {
                account: *account,
                into: Place::Inbox,
                prefix: prefix.clone(),
                flags: Flags::NONE,
                alias: None,
            };
            match deliver::put_report(conn, shared, &recipient, body, now) {
                Ok(delivered) => {
                    inward.push(delivered);
                    Ok(())
                }
                // There is nobody left to tell.
                Err(StoreError::NoSuchAccount | StoreError::NoSuchMailbox) => Ok(()),
                Err(error) => Err(error),
            }
        }
    }
}
