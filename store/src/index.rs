//! An index of the texts of messages, in a database file of its own: which of them may have a
//! string. Each that it tells is looked at; those that it does not know yet, too.
//!
//! ```text
//! DIR/index.db          beside it SQLite's own -wal and -shm
//! ```
//!
//! For each body there are the marks of its trigrams
//! ([`trigrams`](pillarbox_core::imap::search::trigrams)). One message after the other would be read
//! in full for each search, so 128 of them are turned into a block: a search reads of it a few rows
//! of bits, one for each mark of the string, and what is set in all of them is who may have it.
//!
//! The index follows the mail database by the ids of bodies, which only grow: it knows all up to the
//! last that it has come to, and a crash takes away the last steps of both or of the index alone.
//! Docs whose bodies are gone stay until there are many in their block; nobody asks for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pillarbox_core::imap::search::trigrams::Trigrams;
use pillarbox_core::mime::{Parser, TextReader};
use rusqlite::{Connection, OpenFlags, params};

use crate::body::{self, BodyId};
use crate::store::Shared;
use crate::{StoreError, sql};

mod block;
pub(crate) mod find;

pub(crate) const INDEX: &str = "index.db";
/// The version of its form, and of what is gathered from texts. Another one is thrown away.
const VERSION: i64 = 1;
/// The most rows of bodies in one step, and about how many bytes of them.
const STEP_ROWS: usize = 256;
const STEP_BYTES: u64 = 1 << 20;
/// A larger body is read in pieces.
const WHOLE_MAX: u64 = 256 << 10;
const PIECE: usize = 256 << 10;

/// Makes the index.
#[derive(Debug)]
pub struct Indexer {
    mail: Connection,
    conn: Connection,
    shared: Arc<Shared>,
    trigrams: Trigrams,
}

/// A body, with lines in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doc {
    first: i64,
    last: i64,
    bytes: i64,
}

impl Indexer {
    /// Opens the index; one that is broken, or of another store's mail, is made anew.
    pub(crate) fn open(mail: Connection, shared: Arc<Shared>) -> Result<Self, StoreError> {
        mail.pragma_update(None, "query_only", true)?;
        let path = shared.index();
        let conn = match connect(&path).and_then(|conn| {
            let fits = is_of(&conn, &mail)?;
            Ok((conn, fits))
        }) {
            Ok((conn, true)) => conn,
            outcome => {
                log::info!(file:? = path.file_name(), why:? = outcome.as_ref().err(); "the index of texts is made anew");
                drop(outcome);
                remove(&path)?;
                connect(&path)?
            }
        };
        Ok(Self { mail, conn, shared, trigrams: Trigrams::default() })
    }

    /// Takes in some of what has come; tells how many bodies, none if there is nothing new.
    ///
    /// # Errors
    ///
    /// The world's failures. The mail is not touched.
    pub fn step(&mut self) -> Result<usize, StoreError> {
        let docs = self.next_docs()?;
        let Some(last) = docs.last().map(|doc| doc.last) else { return Ok(0) };
        let mut gathered = Vec::with_capacity(docs.len());
        for doc in &docs {
            if self.gather(*doc)? {
                gathered.push((*doc, self.trigrams.take()));
            }
        }
        let transaction = self.conn.transaction()?;
        for (doc, marks) in gathered {
            let (bits, marks) = marks.unwrap_or_default();
            block::put(&transaction, doc, bits, &marks)?;
        }
        block::turn_pending(&transaction)?;
        sql::run(&transaction, "UPDATE state SET last = ?1", [last])?;
        transaction.commit()?;
        Ok(docs.len())
    }

    /// Looks over a few blocks, from one on, and lets go what is of bodies that are gone; tells
    /// where to go on, `None` at the end.
    ///
    /// # Errors
    ///
    /// As of [`step`](Self::step).
    pub fn tidy(&mut self, from: i64) -> Result<Option<i64>, StoreError> {
        let transaction = self.conn.transaction()?;
        let next = block::tidy(&transaction, &self.mail, from)?;
        transaction.commit()?;
        Ok(next)
    }

    /// Which come next. A row without a digest is no body but lines in front of one, which stand
    /// behind it; where they do not, they are a doc of their own.
    fn next_docs(&self) -> Result<Vec<Doc>, StoreError> {
        let last: i64 = sql::first(&self.conn, "SELECT last FROM state", [], |row| row.get(0))?
            .ok_or_else(|| StoreError::corrupt("the index has no state"))?;
        let mut statement = self.mail.prepare_cached(
            "SELECT b.id, b.size, d.body IS NULL FROM body b LEFT JOIN digest d ON d.body = b.id \
             WHERE b.id > ?1 ORDER BY b.id LIMIT ?2",
        )?;
        let limit = i64::try_from(STEP_ROWS).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![last, limit])?;
        let (mut docs, mut bytes, mut count): (Vec<Doc>, u64, usize) = (Vec::new(), 0, 0);
        while let Some(row) = rows.next()? {
            let (id, size) = (row.get(0)?, row.get::<_, i64>(1)?);
            count += 1;
            match docs.last_mut() {
                Some(doc) if row.get(2)? => {
                    (doc.last, doc.bytes) = (id, doc.bytes.saturating_add(size));
                }
                _ if bytes >= STEP_BYTES => return Ok(docs),
                _ => docs.push(Doc { first: id, last: id, bytes: size }),
            }
            bytes = bytes.saturating_add(size.unsigned_abs());
        }
        // The lines of the last may not be among these.
        if count == STEP_ROWS && docs.len() > 1 {
            docs.pop();
        }
        Ok(docs)
    }

    /// Gathers the marks of a doc; tells whether there is still something of it.
    fn gather(&mut self, doc: Doc) -> Result<bool, StoreError> {
        let ask = "SELECT id, size FROM body WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
        let rows: Vec<(BodyId, u64)> = sql::all(&self.mail, ask, [doc.first, doc.last], |row| {
            Ok((BodyId(row.get(0)?), sql::u64_at(row, 1)?))
        })?;
        let mut any = false;
        for (id, size) in rows {
            any |= if size <= WHOLE_MAX {
                let mut bytes = Vec::new();
                let count = usize::try_from(size).unwrap_or(usize::MAX);
                let there = self.read(id, 0, count, &mut bytes)?;
                self.trigrams.message(&bytes);
                there
            } else {
                self.gather_large(id, size)?
            };
        }
        Ok(any)
    }

    fn gather_large(&mut self, id: BodyId, size: u64) -> Result<bool, StoreError> {
        let (mut parser, mut bytes, mut first) = (Parser::new(), Vec::new(), None);
        let mut offset = 0;
        while offset < size {
            bytes.clear();
            if !self.read(id, offset, PIECE, &mut bytes)? {
                return Ok(false);
            }
            first = first.or_else(|| bytes.first().copied());
            parser.push(&bytes);
            offset += sql::len(&bytes);
        }
        let structure = parser.finish();
        self.trigrams.headers(&structure, first);
        for part in structure.parts() {
            let Some(mut reader) = TextReader::of(&structure, part) else { continue };
            let mut offset = part.body.start;
            while offset < part.body.end && !self.trigrams.is_full() {
                let left = usize::try_from(part.body.end - offset).unwrap_or(PIECE);
                bytes.clear();
                if !self.read(id, offset, left.min(PIECE), &mut bytes)? {
                    return Ok(false);
                }
                offset += sql::len(&bytes);
                self.trigrams.piece(&mut reader, &bytes);
            }
            self.trigrams.part_end(&mut reader);
        }
        Ok(true)
    }

    /// Reads a piece of a body; tells whether the body is there. There is at least a byte of it.
    fn read(
        &self,
        id: BodyId,
        offset: u64,
        count: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<bool, StoreError> {
        let there = body::read_if_there(&self.mail, &self.shared.bodies, id, offset, count, bytes)?;
        if there && bytes.is_empty() && count > 0 {
            return Err(StoreError::corrupt("a body is shorter than its row says"));
        }
        Ok(there)
    }
}

/// Opens the index, and makes it where there is none.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let mut conn = Connection::open(path)?;
    configure(&conn)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    // A power loss may take the last steps, which are then done again.
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    let version = |conn: &Connection| {
        conn.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
    };
    if version(&conn)? == 0 {
        let transaction = conn.transaction()?;
        transaction.execute_batch(include_str!("index/schema.sql"))?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    match version(&conn)? {
        VERSION => Ok(conn),
        _ => Err(StoreError::corrupt("the index has another form")),
    }
}

/// Opens the index for questions, if there is one.
fn connect_to_ask(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    configure(&conn)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

fn configure(conn: &Connection) -> Result<(), StoreError> {
    conn.busy_timeout(crate::store::BUSY)?;
    // Negative: KiB.
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(crate::store::keep_statements(conn)?)
}

/// The page cache of each connection.
const CACHE_KIB: i64 = 1024;

fn remove(path: &Path) -> Result<(), StoreError> {
    for end in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Whether an index is of this mail: it has not come further than there are bodies, and the last of
/// its docs that are still there have the sizes that they had. Mail that was put back from a copy
/// may give ids again that the index knows.
fn is_of(conn: &Connection, mail: &Connection) -> Result<bool, StoreError> {
    let last: Option<i64> = sql::first(conn, "SELECT last FROM state", [], |row| row.get(0))?;
    let highest = "SELECT max(body_last, coalesce((SELECT max(id) FROM body), 0)) FROM meta";
    let highest: Option<i64> = sql::first(mail, highest, [], |row| row.get(0))?;
    if last > highest {
        return Ok(false);
    }
    for doc in block::latest(conn)? {
        let ask = "SELECT coalesce(sum(size), 0), count(*) FROM body WHERE id BETWEEN ?1 AND ?2";
        let found = sql::first(mail, ask, [doc.first, doc.last], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        // Bodies that are gone make it less.
        let whole = doc.last - doc.first + 1;
        if found
            .is_some_and(|(bytes, rows)| bytes > doc.bytes || rows == whole && bytes != doc.bytes)
        {
            return Ok(false);
        }
    }
    Ok(true)
}
