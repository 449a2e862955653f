//! What an operator sees.

use pillarbox_core::UnixSeconds;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::change::condition;
use super::due::{COLUMNS, due_of};
use super::{Filter, QueueCounts, QueueId, Queued, State, Try};
use crate::{StoreError, sql};

/// Those that are meant, behind one and at most so many.
pub(crate) fn show(
    conn: &Connection,
    filter: &Filter,
    after: QueueId,
    count_max: usize,
) -> Result<Vec<Queued>, StoreError> {
    let (condition, mut values) = condition(filter);
    values.push(Value::Integer(after.0));
    values.push(Value::Integer(sql::count(count_max)));
    let mut ask = conn.prepare(&format!(
        "SELECT {COLUMNS}, t.state, t.said FROM outgoing_to t JOIN outgoing o ON o.id = t.outgoing \
         WHERE {condition} AND t.id > ? ORDER BY t.id LIMIT ?"
    ))?;
    let rows = ask.query_map(params_from_iter(values), |row| {
        Ok((due_of(row)?, row.get::<_, i64>(17)?, row.get::<_, String>(18)?))
    })?;
    rows.map(|row| {
        let (due, state, said) = row?;
        Ok(Queued { due, state: State::of(state)?, said })
    })
    .collect()
}

/// What was tried for a recipient, each with what came of it.
pub(crate) fn transcript(conn: &Connection, id: QueueId) -> Result<Vec<(Try, String)>, StoreError> {
    Ok(sql::all(
        conn,
        "SELECT y.began, y.server, y.address, y.tls, y.transcript, d.said \
         FROM outgoing_tried d JOIN outgoing_try y ON y.id = d.try \
         WHERE d.recipient = ?1 ORDER BY y.id",
        [id.0],
        |row| {
            let tried = Try {
                began: UnixSeconds(row.get(0)?),
                server: row.get(1)?,
                address: row.get(2)?,
                tls: row.get(3)?,
                transcript: row.get(4)?,
            };
            Ok((tried, row.get(5)?))
        },
    )?)
}

pub(crate) fn counts(conn: &Connection) -> Result<QueueCounts, StoreError> {
    let count = |state: State| {
        let ask = "SELECT count(*) FROM outgoing_to WHERE state = ?1";
        let found = sql::first(conn, ask, [state.number()], |row| sql::u64_at(row, 0))?;
        Ok::<_, StoreError>(found.unwrap_or(0))
    };
    Ok(QueueCounts { waiting: count(State::Waiting)?, held: count(State::Held)? })
}
