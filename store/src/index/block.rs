//! Docs with their marks: those that wait, and blocks of 128 that are turned.

use rusqlite::{Connection, params};

use super::Doc;
use crate::{StoreError, sql};

/// How many docs a block has: as many as a `u128` has bits.
const BLOCK: usize = 128;
/// How many marks one slice has, and how many bytes each has there.
const SLICE_MARKS: u32 = 64;
const WIDTH: usize = 16;
/// A block with fewer docs that are still there is taken apart.
const LIVING_MIN: usize = BLOCK / 2;
/// How many blocks are looked over at once.
const TIDY_BLOCKS: i64 = 4;

/// Puts a doc with those that wait.
pub(super) fn put(conn: &Connection, doc: Doc, bits: u32, marks: &[u8]) -> Result<(), StoreError> {
    sql::run(
        conn,
        "INSERT OR REPLACE INTO pending (first, last, bytes, bits, marks) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![doc.first, doc.last, doc.bytes, bits, marks],
    )?;
    Ok(())
}

/// Makes blocks of those that wait, where there are enough.
pub(super) fn turn_pending(conn: &Connection) -> Result<(), StoreError> {
    let full = "SELECT bits FROM pending WHERE bits > 0 GROUP BY bits HAVING count(*) >= ?1";
    loop {
        let count = i64::try_from(BLOCK).unwrap_or(i64::MAX);
        let found = sql::all(conn, full, [count], |row| row.get::<_, u32>(0))?;
        if found.is_empty() {
            return Ok(());
        }
        for bits in found {
            turn(conn, bits)?;
        }
    }
}

fn turn(conn: &Connection, bits: u32) -> Result<(), StoreError> {
    let take =
        "SELECT first, last, bytes, marks FROM pending WHERE bits = ?1 ORDER BY first LIMIT ?2";
    let count = i64::try_from(BLOCK).unwrap_or(i64::MAX);
    let rows = sql::all(conn, take, params![bits, count], |row| {
        let doc = Doc { first: row.get(0)?, last: row.get(1)?, bytes: row.get(2)? };
        Ok((doc, row.get::<_, Vec<u8>>(3)?))
    })?;
    let mut turned = vec![0_u128; 1 << bits];
    let mut docs = Vec::new();
    for (number, (doc, marks)) in rows.iter().enumerate() {
        for (place, byte) in marks.iter().enumerate() {
            for bit in (0..8).filter(|bit| byte & 1 << bit != 0) {
                if let Some(who) = turned.get_mut(place * 8 + bit) {
                    *who |= 1 << number;
                }
            }
        }
        for value in [doc.first, doc.last, doc.bytes] {
            docs.extend_from_slice(&value.to_le_bytes());
        }
        sql::run(conn, "DELETE FROM pending WHERE first = ?1", [doc.first])?;
    }
    sql::run(conn, "INSERT INTO block (bits) VALUES (?1)", [bits])?;
    let block = conn.last_insert_rowid();
    sql::run(conn, "INSERT INTO docs (block, docs) VALUES (?1, ?2)", params![block, docs])?;
    for (place, whos) in (0..).zip(turned.chunks(SLICE_MARKS as usize)) {
        if whos.iter().all(|who| *who == 0) {
            continue;
        }
        let bytes: Vec<u8> = whos.iter().flat_map(|who| who.to_le_bytes()).collect();
        sql::run(
            conn,
            "INSERT INTO slice (id, bits) VALUES (?1, ?2)",
            params![first_slice(block) | place, bytes],
        )?;
    }
    Ok(())
}

/// Slices of a block have consecutive ids from here.
const fn first_slice(block: i64) -> i64 {
    block << SLICE_BITS
}

/// The logarithm of how many slices a block has at most.
const SLICE_BITS: u32 = 11;

/// Which docs of a block have a mark.
pub(super) fn who_has(conn: &Connection, block: i64, mark: u32) -> Result<u128, StoreError> {
    let id = first_slice(block) | i64::from(mark / SLICE_MARKS);
    let place = usize::try_from(mark % SLICE_MARKS).unwrap_or(usize::MAX) * WIDTH;
    let who = sql::first(conn, "SELECT bits FROM slice WHERE id = ?1", [id], |row| {
        let bytes = row.get_ref(0)?.as_blob()?;
        Ok(bytes.get(place..).and_then(<[u8]>::first_chunk).copied().map(u128::from_le_bytes))
    })?;
    match who {
        // What no doc has is not there.
        None => Ok(0),
        Some(Some(who)) => Ok(who),
        Some(None) => Err(StoreError::corrupt("a slice of the index is too short")),
    }
}

/// The docs of a block.
pub(super) fn docs(conn: &Connection, block: i64) -> Result<Vec<Doc>, StoreError> {
    let docs = sql::first(conn, "SELECT docs FROM docs WHERE block = ?1", [block], |row| {
        let numbers: Vec<i64> = row
            .get_ref(0)?
            .as_blob()?
            .as_chunks()
            .0
            .iter()
            .map(|n| i64::from_le_bytes(*n))
            .collect();
        Ok(numbers
            .as_chunks()
            .0
            .iter()
            .map(|[first, last, bytes]| Doc { first: *first, last: *last, bytes: *bytes })
            .collect())
    })?;
    docs.ok_or_else(|| StoreError::corrupt("a block of the index has no docs"))
}

/// The docs that came last.
pub(super) fn latest(conn: &Connection) -> Result<Vec<Doc>, StoreError> {
    let ask = "SELECT first, last, bytes FROM pending ORDER BY first DESC LIMIT 100";
    let mut found = sql::all(conn, ask, [], |row| {
        Ok(Doc { first: row.get(0)?, last: row.get(1)?, bytes: row.get(2)? })
    })?;
    for block in
        sql::all(conn, "SELECT id FROM block ORDER BY id DESC LIMIT 2", [], |row| row.get(0))?
    {
        found.extend(docs(conn, block)?);
    }
    Ok(found)
}

/// Looks over some blocks, and at the end over those that wait. Of a block with few docs that are
/// still there, these wait again.
pub(super) fn tidy(
    conn: &Connection,
    mail: &Connection,
    from: i64,
) -> Result<Option<i64>, StoreError> {
    let ask = "SELECT id, bits FROM block WHERE id >= ?1 ORDER BY id LIMIT ?2";
    let blocks = sql::all(conn, ask, [from, TIDY_BLOCKS], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?))
    })?;
    for (block, bits) in &blocks {
        let docs = docs(conn, *block)?;
        let mut living = Vec::new();
        for (number, doc) in docs.into_iter().enumerate() {
            if is_there(mail, doc)? {
                living.push((number, doc));
            }
        }
        if living.len() < LIVING_MIN {
            take_apart(conn, *block, *bits, &living)?;
        }
    }
    if let Some((last, _)) = blocks.last() {
        return Ok(Some(last + 1));
    }
    let waiting = sql::all(conn, "SELECT first, last, bytes FROM pending", [], |row| {
        Ok(Doc { first: row.get(0)?, last: row.get(1)?, bytes: row.get(2)? })
    })?;
    for doc in waiting {
        if !is_there(mail, doc)? {
            sql::run(conn, "DELETE FROM pending WHERE first = ?1", [doc.first])?;
        }
    }
    turn_pending(conn)?;
    Ok(None)
}

fn is_there(mail: &Connection, doc: Doc) -> Result<bool, StoreError> {
    let ask = "SELECT 1 FROM body WHERE id BETWEEN ?1 AND ?2 LIMIT 1";
    Ok(sql::first(mail, ask, [doc.first, doc.last], |_| Ok(()))?.is_some())
}

fn take_apart(
    conn: &Connection,
    block: i64,
    bits: u32,
    living: &[(usize, Doc)],
) -> Result<(), StoreError> {
    let mut marks = vec![vec![0_u8; (1 << bits) / 8]; living.len()];
    for mark in 0..1_u32 << bits {
        let who = who_has(conn, block, mark)?;
        if who == 0 {
            continue;
        }
        let place = usize::try_from(mark / 8).unwrap_or(usize::MAX);
        for ((number, _), marks) in living.iter().zip(&mut marks) {
            if who >> number & 1 == 1
                && let Some(byte) = marks.get_mut(place)
            {
                *byte |= 1 << (mark % 8);
            }
        }
    }
    for ((_, doc), marks) in living.iter().zip(&marks) {
        put(conn, *doc, bits, marks)?;
    }
    let slices = [first_slice(block), first_slice(block + 1)];
    sql::run(conn, "DELETE FROM slice WHERE id >= ?1 AND id < ?2", slices)?;
    sql::run(conn, "DELETE FROM docs WHERE block = ?1", [block])?;
    sql::run(conn, "DELETE FROM block WHERE id = ?1", [block])?;
    Ok(())
}
