//! What operators do with what waits, and what time does with what has left.

use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::Handle;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::settle::let_go;
use super::{Filter, OutgoingId, QueueChange, State};
use crate::{StoreError, sql};

/// What a filter says, as SQL over `t` and `o`, and its parameters.
pub(super) fn condition(filter: &Filter) -> (String, Vec<Value>) {
    let mut parts: Vec<String> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut ask = |part: &str, given: Vec<Value>| {
        parts.push(part.to_owned());
        values.extend(given);
    };
    if !filter.ids.is_empty() {
        let marks = vec!["?"; filter.ids.len()].join(",");
        let ids = filter.ids.iter().map(|id| Value::Integer(id.0)).collect();
        ask(&format!("t.id IN ({marks})"), ids);
    }
    if !filter.states.is_empty() {
        let marks = vec!["?"; filter.states.len()].join(",");
        let states = filter.states.iter().map(|state| Value::Integer(state.number())).collect();
        ask(&format!("t.state IN ({marks})"), states);
    }
    if let Some(account) = filter.account {
        ask("o.account = ?", vec![Value::Integer(account.0)]);
    }
    if let Some(id) = &filter.message_id {
        let bare = id.trim().trim_start_matches('<').trim_end_matches('>');
        ask("o.message_id = ?", vec![Value::Text(bare.to_owned())]);
    }
    for (column, wanted) in [("o.sender", &filter.from), ("t.address", &filter.to)] {
        if let Some(wanted) = wanted {
            // `example.org` and `@example.org` are everybody there.
            let whole = wanted.contains('@') && !wanted.starts_with('@');
            let bare = wanted.trim_start_matches('@');
            let part = if whole {
                format!("lower({column}) = lower(?)")
            } else {
                format!("lower(substr({column}, instr({column}, '@') + 1)) = lower(?)")
            };
            ask(&part, vec![Value::Text(bare.to_owned())]);
        }
    }
    let text = if parts.is_empty() { "1".to_owned() } else { parts.join(" AND ") };
    (text, values)
}

/// Changes those that are meant and open; tells how many.
pub(crate) fn change(
    conn: &Connection,
    filter: &Filter,
    what: &QueueChange,
    gone: &mut Vec<Handle>,
) -> Result<u64, StoreError> {
    let (condition, values) = condition(filter);
    let mut ask = conn.prepare(&format!(
        "SELECT t.id, t.outgoing FROM outgoing_to t JOIN outgoing o ON o.id = t.outgoing \
         WHERE t.state <= 1 AND {condition} ORDER BY t.outgoing, t.id"
    ))?;
    let meant: Vec<(i64, i64)> = ask
        .query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, message) in &meant {
        one(conn, *id, *message, what)?;
    }
    if matches!(what, QueueChange::Drop(_)) {
        let mut messages: Vec<i64> = meant.iter().map(|(_, message)| *message).collect();
        messages.dedup();
        for message in messages {
            let_go(conn, OutgoingId(message), gone)?;
        }
    }
    Ok(u64::try_from(meant.len()).unwrap_or(u64::MAX))
}

fn one(conn: &Connection, id: i64, message: i64, what: &QueueChange) -> Result<(), StoreError> {
    match what {
        QueueChange::Hold => {
            sql::run(conn, "UPDATE outgoing_to SET state = 1 WHERE id = ?1", [id])?;
        }
        QueueChange::Release => {
            sql::run(conn, "UPDATE outgoing_to SET state = 0 WHERE id = ?1", [id])?;
        }
        QueueChange::Reschedule(next) => {
            let set = "UPDATE outgoing_to SET state = 0, next = ?2 WHERE id = ?1";
            sql::run(conn, set, params![id, next.0])?;
        }
        QueueChange::Transport(name, now) => {
            let set = "UPDATE outgoing_to SET transport = ?2, next = ?3 WHERE id = ?1";
            sql::run(conn, set, params![id, name, now.0])?;
        }
        QueueChange::Mail(text) => {
            sql::run(conn, "UPDATE outgoing SET mail = ?2 WHERE id = ?1", params![message, text])?;
        }
        QueueChange::Drop(now) => {
            let set = "UPDATE outgoing_to SET state = ?2, next = ?3 WHERE id = ?1";
            sql::run(conn, set, params![id, State::Dropped.number(), now.0])?;
        }
    }
    Ok(())
}

/// Forgets what ended before a time: at most [`FORGOTTEN_MAX`] recipients.
pub(crate) fn forget(conn: &Connection, before: UnixSeconds) -> Result<u64, StoreError> {
    let mut forgotten = 0;
    for state in State::ALL.into_iter().filter(|state| !state.is_open()) {
        let ended: Vec<(i64, i64)> = sql::all(
            conn,
            "SELECT id, outgoing FROM outgoing_to INDEXED BY outgoing_to_next \
             WHERE state = ?1 AND next < ?2 ORDER BY next LIMIT ?3",
            params![state.number(), before.0, FORGOTTEN_MAX],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        for (id, message) in ended {
            forget_one(conn, id, message)?;
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

fn forget_one(conn: &Connection, id: i64, message: i64) -> Result<(), StoreError> {
    let tries: Vec<i64> = sql::all(
        conn,
        "DELETE FROM outgoing_tried WHERE recipient = ?1 RETURNING try",
        [id],
        |row| row.get(0),
    )?;
    for number in tries {
        sql::run(
            conn,
            "DELETE FROM outgoing_try WHERE id = ?1 AND NOT EXISTS \
             (SELECT 1 FROM outgoing_tried WHERE try = ?1)",
            [number],
        )?;
    }
    sql::run(conn, "DELETE FROM outgoing_to WHERE id = ?1", [id])?;
    sql::run(
        conn,
        "DELETE FROM outgoing WHERE id = ?1 AND NOT EXISTS \
         (SELECT 1 FROM outgoing_to WHERE outgoing = ?1)",
        [message],
    )?;
    Ok(())
}

const FORGOTTEN_MAX: i64 = 500;
