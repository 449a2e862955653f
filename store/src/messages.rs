//! Reading messages: what is known of them, and their bytes.

use std::path::Path;

use pillarbox_core::UnixSeconds;
use rusqlite::{Connection, Row, params};

use crate::body::{self, BodyId};
use crate::rights::{Principal, Right, may};
use crate::{
    AccountId, Facts, Flags, MailboxId, Message, Messages, StoreError, UidRange, What, sql,
};

/// Which messages are asked for.
pub(crate) struct Asked<'a> {
    pub(crate) uids: &'a [UidRange],
    pub(crate) after: u32,
    pub(crate) count_max: usize,
    pub(crate) what: What,
    pub(crate) also_expunged: bool,
}

/// Messages in ascending order of UID, as many as fit.
pub(crate) fn list(
    conn: &Connection,
    bodies: &Path,
    by: AccountId,
    mailbox: MailboxId,
    asked: &Asked<'_>,
) -> Result<Messages, StoreError> {
    may(conn, Principal::Account(by), Right::Read, mailbox)?;
    let mut page = Page {
        found: Messages { messages: Vec::new(), more: None },
        count_max: asked.count_max.max(1),
        bytes: 0,
    };
    for range in UidRange::joined(asked.uids) {
        let first = range.first.max(asked.after.saturating_add(1));
        if asked.after == u32::MAX || first > range.last {
            continue;
        }
        let range = UidRange { first, last: range.last };
        let full = match asked.what {
            What::Facts => page.add_facts(conn, mailbox, range, asked.also_expunged)?,
            What::Digest => page.add_digests(conn, mailbox, range, asked.also_expunged)?,
            What::Text { each_max, all_max } => {
                let limits = Limits { each_max, all_max, starts: false };
                page.add_texts(conn, bodies, mailbox, range, asked.also_expunged, limits)?
            }
            What::Start { bytes_max, all_max } => {
                let limits = Limits { each_max: bytes_max, all_max, starts: true };
                page.add_texts(conn, bodies, mailbox, range, asked.also_expunged, limits)?
            }
        };
        if full {
            page.found.more = page.found.messages.last().map(|message| message.facts.uid);
            break;
        }
    }
    Ok(page.found)
}

/// An answer that is being filled.
struct Page {
    found: Messages,
    count_max: usize,
    bytes: u64,
}

#[derive(Clone, Copy)]
struct Limits {
    each_max: u64,
    all_max: u64,
    /// Whether larger ones come with their beginning.
    starts: bool,
}

impl Page {
    /// Adds what is known of the messages in `range`; tells whether the page ended before it did.
    fn add_facts(
        &mut self,
        conn: &Connection,
        mailbox: MailboxId,
        range: UidRange,
        also_expunged: bool,
    ) -> Result<bool, StoreError> {
        let mut statement = conn.prepare_cached(FACTS)?;
        let mut rows =
            statement.query(params![mailbox.0, range.first, range.last, also_expunged])?;
        while let Some(row) = rows.next()? {
            if self.found.messages.len() >= self.count_max {
                return Ok(true);
            }
            self.found.messages.push(Message { facts: facts(row)?, text: None, digest: None });
        }
        Ok(false)
    }

    /// The same with their digests.
    fn add_digests(
        &mut self,
        conn: &Connection,
        mailbox: MailboxId,
        range: UidRange,
        also_expunged: bool,
    ) -> Result<bool, StoreError> {
        let mut statement = conn.prepare_cached(DIGESTS)?;
        let mut rows =
            statement.query(params![mailbox.0, range.first, range.last, also_expunged])?;
        while let Some(row) = rows.next()? {
            if self.found.messages.len() >= self.count_max {
                return Ok(true);
            }
            let message = Message { facts: facts(row)?, text: None, digest: digest(row, 8)? };
            self.found.messages.push(message);
        }
        Ok(false)
    }

    /// The same with their bytes.
    fn add_texts(
        &mut self,
        conn: &Connection,
        bodies: &Path,
        mailbox: MailboxId,
        range: UidRange,
        also_expunged: bool,
        limits: Limits,
    ) -> Result<bool, StoreError> {
        let mut statement = conn.prepare_cached(TEXTS)?;
        let mut rows = statement.query(params![
            mailbox.0,
            range.first,
            range.last,
            also_expunged,
            i64::try_from(limits.each_max).unwrap_or(i64::MAX)
        ])?;
        while let Some(row) = rows.next()? {
            let facts = facts(row)?;
            let whole = facts.size <= limits.each_max;
            let wanted = if whole || limits.starts { facts.size.min(limits.each_max) } else { 0 };
            let bytes = self.bytes.saturating_add(wanted);
            let len = self.found.messages.len();
            if len >= self.count_max || (len > 0 && bytes > limits.all_max) {
                return Ok(true);
            }
            self.bytes = bytes;
            let text = match (whole, limits.starts) {
                (true, _) => Some(text(conn, bodies, row, facts.size)?),
                (false, true) => {
                    let count = usize::try_from(wanted).unwrap_or(usize::MAX);
                    let piece = Piece { uid: facts.uid, offset: 0, count, also_expunged };
                    Some(piece_of(conn, bodies, mailbox, &piece)?)
                }
                (false, false) => None,
            };
            self.found.messages.push(Message { facts, text, digest: digest(row, 10)? });
        }
        Ok(false)
    }
}

const FACTS: &str = "SELECT uid, flags, modseq, size, internaldate, saved, body, prefix FROM message \
     WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 AND expunged <= ?4 ORDER BY uid";

const DIGESTS: &str = "SELECT m.uid, m.flags, m.modseq, m.size, m.internaldate, m.saved, m.body, \
     m.prefix, d.facts FROM message m LEFT JOIN digest d ON d.body = m.body \
     WHERE m.mailbox = ?1 AND m.uid BETWEEN ?2 AND ?3 AND m.expunged <= ?4 ORDER BY m.uid";

const TEXTS: &str = "SELECT m.uid, m.flags, m.modseq, m.size, m.internaldate, m.saved, m.body, \
     m.prefix, p.data, b.data, d.facts FROM message m \
     LEFT JOIN body p ON p.id = m.prefix AND m.size <= ?5 \
     LEFT JOIN body b ON b.id = m.body AND m.size <= ?5 \
     LEFT JOIN digest d ON d.body = m.body AND m.size > ?5 \
     WHERE m.mailbox = ?1 AND m.uid BETWEEN ?2 AND ?3 AND m.expunged <= ?4 ORDER BY m.uid";

/// Columns 0 to 7 of these queries.
fn facts(row: &Row<'_>) -> rusqlite::Result<Facts> {
    Ok(Facts {
        uid: row.get(0)?,
        flags: Flags(sql::u64_at(row, 1)?),
        modseq: sql::u64_at(row, 2)?,
        size: sql::u64_at(row, 3)?,
        internaldate: UnixSeconds(row.get(4)?),
        saved: UnixSeconds(row.get(5)?),
        body: sql::u64_at(row, 6)?,
        prefix: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
    })
}

/// A digest that has been made.
fn digest(row: &Row<'_>, column: usize) -> Result<Option<Vec<u8>>, StoreError> {
    let facts = row.get_ref(column)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    Ok(facts.filter(|facts| !facts.is_empty()).map(<[u8]>::to_vec))
}

/// The bytes of a message whose row is at hand; only a file's are fetched by themselves.
fn text(conn: &Connection, bodies: &Path, row: &Row<'_>, size: u64) -> Result<Vec<u8>, StoreError> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let prefix = row.get_ref(8)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let data = row.get_ref(9)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let prefix = prefix.unwrap_or_default();
    let mut text = Vec::with_capacity(prefix.len().saturating_add(data.map_or(0, <[u8]>::len)));
    text.extend_from_slice(prefix);
    match data {
        Some(data) => text.extend_from_slice(data),
        None => {
            body::read_piece(conn, bodies, BodyId(row.get(6)?), 0, size, &mut text)?;
        }
    }
    if text.len() == size { Ok(text) } else { Err(StoreError::corrupt("a body has a wrong size")) }
}

/// Which piece of which message.
pub(crate) struct Piece {
    pub(crate) uid: u32,
    pub(crate) offset: u64,
    pub(crate) count: usize,
    pub(crate) also_expunged: bool,
}

/// A piece of a message: prefix and body seen as one string.
pub(crate) fn bytes(
    conn: &Connection,
    bodies: &Path,
    by: AccountId,
    mailbox: MailboxId,
    piece: &Piece,
) -> Result<Vec<u8>, StoreError> {
    may(conn, Principal::Account(by), Right::Read, mailbox)?;
    piece_of(conn, bodies, mailbox, piece)
}

/// The same for somebody who may.
fn piece_of(
    conn: &Connection,
    bodies: &Path,
    mailbox: MailboxId,
    piece: &Piece,
) -> Result<Vec<u8>, StoreError> {
    let found = sql::first(
        conn,
        "SELECT m.size, m.body, m.prefix, p.size FROM message m \
         LEFT JOIN body p ON p.id = m.prefix \
         WHERE m.mailbox = ?1 AND m.uid = ?2 AND m.expunged <= ?3",
        params![mailbox.0, piece.uid, piece.also_expunged],
        |row| {
            let prefix = row.get::<_, Option<i64>>(2)?.map(BodyId);
            let before = if prefix.is_some() { sql::u64_at(row, 3)? } else { 0 };
            Ok((sql::u64_at(row, 0)?, BodyId(row.get(1)?), prefix, before))
        },
    )?;
    let (size, body, prefix, before) = found.ok_or(StoreError::NoSuchMessage)?;
    // No more memory than there are bytes, whatever the client asks for.
    let left = usize::try_from(size.saturating_sub(piece.offset)).unwrap_or(usize::MAX);
    let count = piece.count.min(left);
    let mut bytes = Vec::with_capacity(count);
    if let Some(prefix) = prefix.filter(|_| piece.offset < before) {
        body::read_piece(conn, bodies, prefix, piece.offset, count, &mut bytes)?;
    }
    let rest = count.saturating_sub(bytes.len());
    if rest > 0 {
        let offset = piece.offset.saturating_sub(before);
        body::read_piece(conn, bodies, body, offset, rest, &mut bytes)?;
    }
    if bytes.len() == count {
        Ok(bytes)
    } else {
        Err(StoreError::corrupt("a body is shorter than its message says"))
    }
}
