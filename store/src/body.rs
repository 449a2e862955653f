//! Bodies: stored once, counted, removed with the last message that names them.
//!
//! The lines in front of a body are stored in the same way, as a body of their own: they land on
//! the same page of the database as the body that they precede, and a copy shares them too.

use std::fs::File;
use std::io::{self, Read as _, Seek, SeekFrom};
use std::path::Path;

use pillarbox_core::effect::Handle;
use rusqlite::{Connection, params};

use crate::{NewBody, StoreError, body_path, digest, sql};

/// A body's id in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BodyId(pub(crate) i64);

/// Stores a body that `refs` messages are going to name.
pub(crate) fn put(
    conn: &Connection,
    bodies: &Path,
    body: &NewBody,
    refs: usize,
) -> Result<BodyId, StoreError> {
    let id = next_id(conn)?;
    match body {
        NewBody::Inline(bytes) => insert_bytes(conn, id, bytes)?,
        NewBody::File { handle, size } => insert_file(conn, bodies, id, *handle, *size)?,
    }
    digest::put(conn, id, body)?;
    if refs > 1 {
        let refs = i64::try_from(refs).map_err(|_| StoreError::Misuse("too many recipients"))?;
        sql::run(conn, "INSERT INTO shared (body, refs) VALUES (?1, ?2)", params![id.0, refs])?;
    }
    Ok(id)
}

/// Stores the lines that stand in front of a body for one message; none have no row.
pub(crate) fn put_prefix(conn: &Connection, prefix: &[u8]) -> Result<Option<BodyId>, StoreError> {
    if prefix.is_empty() {
        return Ok(None);
    }
    let id = next_id(conn)?;
    insert_bytes(conn, id, prefix)?;
    Ok(Some(id))
}

/// Counts one message more that names this body.
pub(crate) fn share(conn: &Connection, id: BodyId) -> Result<(), StoreError> {
    sql::run(
        conn,
        "INSERT INTO shared (body, refs) VALUES (?1, 2) \
         ON CONFLICT (body) DO UPDATE SET refs = refs + 1",
        [id.0],
    )?;
    Ok(())
}

/// Counts one message less that names this body. If it was the last, the row goes; the handle of
/// its file, if it has one, joins `gone`, to be removed once this is committed.
pub(crate) fn release(
    conn: &Connection,
    id: BodyId,
    gone: &mut Vec<Handle>,
) -> Result<(), StoreError> {
    let refs: Option<i64> =
        sql::first(conn, "SELECT refs FROM shared WHERE body = ?1", [id.0], |row| row.get(0))?;
    match refs {
        Some(2) => {
            sql::run(conn, "DELETE FROM shared WHERE body = ?1", [id.0])?;
        }
        Some(_) => {
            sql::run(conn, "UPDATE shared SET refs = refs - 1 WHERE body = ?1", [id.0])?;
        }
        None => {
            let handle: Option<Option<[u8; 16]>> =
                sql::first(conn, "SELECT handle FROM body WHERE id = ?1", [id.0], |row| {
                    row.get(0)
                })?;
            digest::remove(conn, id)?;
            sql::run(conn, "DELETE FROM body WHERE id = ?1", [id.0])?;
            gone.extend(handle.flatten().map(Handle));
        }
    }
    Ok(())
}

/// Remembers the highest id removed, so that it is not given again: what a client keeps of a
/// message by its id (RFC 8474) must not mean another one later.
pub(crate) fn remember(conn: &Connection, highest: BodyId) -> Result<(), StoreError> {
    sql::run(conn, "UPDATE meta SET body_last = max(body_last, ?1)", [highest.0])?;
    Ok(())
}

/// Appends at most `count` bytes from `offset` of a body to `bytes`; fewer only at its end.
pub(crate) fn read_piece(
    conn: &Connection,
    bodies: &Path,
    id: BodyId,
    offset: u64,
    count: usize,
    bytes: &mut Vec<u8>,
) -> Result<(), StoreError> {
    // A row is at most `inline_max` long, so that `substr` may load it whole.
    let first = offset.saturating_add(1).min(i64::MAX.cast_unsigned()).cast_signed();
    let length = i64::try_from(count).unwrap_or(i64::MAX);
    let handle = sql::first(
        conn,
        "SELECT handle, substr(data, ?2, ?3) FROM body WHERE id = ?1",
        params![id.0, first, length],
        |row| {
            if let Some(data) = row.get_ref(1)?.as_blob_or_null()? {
                bytes.extend_from_slice(data);
            }
            row.get::<_, Option<[u8; 16]>>(0)
        },
    )?;
    match handle {
        None => Err(StoreError::corrupt("a message names a body that is not there")),
        Some(None) => Ok(()),
        Some(Some(handle)) => {
            read_file(bodies, Handle(handle), offset, count, bytes).map_err(StoreError::from)
        }
    }
}

/// The same, where the body may have gone: tells whether it is there.
pub(crate) fn read_if_there(
    conn: &Connection,
    bodies: &Path,
    id: BodyId,
    offset: u64,
    count: usize,
    bytes: &mut Vec<u8>,
) -> Result<bool, StoreError> {
    match read_piece(conn, bodies, id, offset, count, bytes) {
        Ok(()) => Ok(true),
        Err(error) => {
            let ask = "SELECT 1 FROM body WHERE id = ?1";
            match sql::first(conn, ask, [id.0], |_| Ok(()))? {
                Some(()) => Err(error),
                None => Ok(false),
            }
        }
    }
}

fn read_file(
    bodies: &Path,
    handle: Handle,
    offset: u64,
    count: usize,
    bytes: &mut Vec<u8>,
) -> io::Result<()> {
    let mut file = File::open(body_path(bodies, handle))?;
    file.seek(SeekFrom::Start(offset))?;
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    file.take(count).read_to_end(bytes)?;
    Ok(())
}

/// One more than any id that was ever given. Not AUTOINCREMENT, which would write a page of its
/// own with each message.
fn next_id(conn: &Connection) -> Result<BodyId, StoreError> {
    let next = sql::first(
        conn,
        "SELECT 1 + max(body_last, coalesce((SELECT max(id) FROM body), 0)) FROM meta",
        [],
        |row| row.get(0),
    )?;
    next.map(BodyId).ok_or_else(|| StoreError::corrupt("the table meta is empty"))
}

fn insert_bytes(conn: &Connection, id: BodyId, bytes: &[u8]) -> Result<(), StoreError> {
    sql::run(
        conn,
        "INSERT INTO body (id, size, data) VALUES (?1, ?2, ?3)",
        params![id.0, sql::len(bytes).cast_signed(), bytes],
    )?;
    Ok(())
}

/// Names a file, after a look at whether it is there: a row that names nothing would be a message
/// that was accepted and cannot be read.
fn insert_file(
    conn: &Connection,
    bodies: &Path,
    id: BodyId,
    handle: Handle,
    size: u64,
) -> Result<(), StoreError> {
    let found = std::fs::metadata(body_path(bodies, handle));
    if !found.is_ok_and(|found| found.is_file() && found.len() == size) {
        return Err(StoreError::NoSuchBody);
    }
    let inserted = sql::run(
        conn,
        "INSERT INTO body (id, size, handle) VALUES (?1, ?2, ?3) ON CONFLICT (handle) \
         WHERE handle IS NOT NULL DO NOTHING",
        params![id.0, size.cast_signed(), handle.0.as_slice()],
    )?;
    if inserted == 1 { Ok(()) } else { Err(StoreError::AlreadyExists) }
}
