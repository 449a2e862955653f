//! What is at hand of a message without its bytes: one row for each body that messages name,
//! written in the commit that brings it. Of a body that is a file, and of those of old stores, the
//! row comes empty and is filled later, away from the writer (see [`Filler`]): nobody may wait
//! while it is read.

use std::sync::Arc;

use pillarbox_core::mime::{Digest, Parser, preview};
use rusqlite::{Connection, params};

use crate::body::{self, BodyId};
use crate::store::Shared;
use crate::{NewBody, StoreError, sql};

/// Notes what is worth knowing of a new body, or that it is still to be found out.
pub(crate) fn put(conn: &Connection, id: BodyId, body: &NewBody) -> Result<(), StoreError> {
    let facts = match body {
        NewBody::Inline(bytes) => Digest::of(bytes),
        NewBody::File { .. } => Vec::new(),
    };
    sql::run(conn, "INSERT INTO digest (body, facts) VALUES (?1, ?2)", params![id.0, facts])?;
    Ok(())
}

/// Forgets it, with the body; the lines in front of one have none.
pub(crate) fn remove(conn: &Connection, id: BodyId) -> Result<(), StoreError> {
    sql::run(conn, "DELETE FROM digest WHERE body = ?1", [id.0])?;
    Ok(())
}

/// Makes the digests that are missing. A second connection that writes, though only this, seldom
/// and without a sync of its own: a digest that a power loss takes is made again.
#[derive(Debug)]
pub struct Filler {
    conn: Connection,
    shared: Arc<Shared>,
}

impl Filler {
    pub(crate) fn new(conn: Connection, shared: Arc<Shared>) -> Result<Self, StoreError> {
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Self { conn, shared })
    }

    /// Makes a few of those that are missing, the oldest first; tells how many. The store's writer
    /// waits only while they are put down, not while the bodies are read.
    ///
    /// # Errors
    ///
    /// As of [`Writer::commit`](crate::Writer::commit); the store's state is the same.
    pub fn fill(&mut self) -> Result<usize, StoreError> {
        self.shared.check()?;
        let filled = self.fill_some();
        if let Err(error) = &filled {
            self.shared.mark(error);
        }
        filled
    }

    fn fill_some(&self) -> Result<usize, StoreError> {
        let due = sql::all(
            &self.conn,
            "SELECT d.body, b.size FROM digest d INDEXED BY digest_due JOIN body b ON b.id = d.body \
             WHERE d.facts = x'' ORDER BY d.body LIMIT 64",
            [],
            |row| Ok((BodyId(row.get(0)?), sql::u64_at(row, 1)?)),
        )?;
        let (mut made, mut bytes) = (Vec::new(), 0_u64);
        for (id, size) in due {
            if bytes >= STEP_BYTES {
                break;
            }
            bytes = bytes.saturating_add(size);
            // One that has gone meanwhile needs none.
            if let Some(facts) = self.of_body(id, size)? {
                made.push((id, facts));
            }
        }
        if made.is_empty() {
            return Ok(0);
        }
        sql::run(&self.conn, "BEGIN IMMEDIATE", [])?;
        let put = made.iter().try_for_each(|(id, facts)| {
            let update = "UPDATE digest SET facts = ?2 WHERE body = ?1";
            sql::run(&self.conn, update, params![id.0, facts]).map(|_| ())
        });
        let ended = put.and_then(|()| sql::run(&self.conn, "COMMIT", []));
        if ended.is_err() && !self.conn.is_autocommit() {
            // As in the writer: its own failure adds nothing.
            let _ = sql::run(&self.conn, "ROLLBACK", []);
        }
        ended?;
        Ok(made.len())
    }

    /// Runs through a body; `None` if it is not there any more.
    fn of_body(&self, id: BodyId, size: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut parser = Parser::new();
        let mut offset = 0;
        while offset < size {
            let Some(piece) = self.piece(id, offset, PIECE)? else { return Ok(None) };
            if piece.is_empty() {
                return Err(StoreError::corrupt("a body is shorter than its row says"));
            }
            offset += sql::len(&piece);
            parser.push(&piece);
        }
        let structure = parser.finish();
        let mut failed = None;
        let preview = preview::of(&structure, |part, count| {
            let length = usize::try_from(part.body.end - part.body.start).unwrap_or(usize::MAX);
            let piece = self.piece(id, part.body.start, count.min(length));
            piece
                .unwrap_or_else(|error| {
                    failed = Some(error);
                    None
                })
                .unwrap_or_default()
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(Some(Digest::write(&structure, &preview))),
        }
    }

    fn piece(&self, id: BodyId, offset: u64, count: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let (bodies, mut bytes) = (&self.shared.bodies, Vec::new());
        let there = body::read_if_there(&self.conn, bodies, id, offset, count, &mut bytes)?;
        Ok(there.then_some(bytes))
    }
}

/// Bodies of so many bytes are run through before others are told of.
const STEP_BYTES: u64 = 4 << 20;
/// How much of a body is read at once.
const PIECE: usize = 256 << 10;
