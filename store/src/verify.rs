//! `pillarbox verify`: whether a store is as it should be. Only looks.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::Path;

use pillarbox_core::effect::Handle;
use pillarbox_core::imap::name::MailboxName;
use rusqlite::{Connection, OpenFlags};

use crate::store::{BODIES, DATABASE, take_lock};
use crate::{OpenError, StoreError, backup, body_path, schema, sql, sweep};

/// Something that is not as it should be. Reads as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// What SQLite says of its file.
    Database(String),
    /// A row of this table names a row that is not there.
    Dangling(String),
    /// A mailbox's number is not what its messages say.
    Number {
        /// Which mailbox.
        mailbox: i64,
        /// Which number.
        what: &'static str,
        /// What its row says.
        says: i64,
        /// What its messages say: the same for a counter, the highest in use otherwise.
        is: i64,
    },
    /// A mailbox has a name that none can have.
    Name(i64),
    /// An address is an account's and an alias's, so that nobody knows whose mail it is.
    Ambiguous(String),
    /// An account has no INBOX.
    NoInbox(i64),
    /// A message's size is not that of its prefix and body together.
    MessageSize {
        /// Which mailbox.
        mailbox: i64,
        /// Which message.
        uid: u32,
    },
    /// A message has a flag that is no keyword of its mailbox.
    NoKeyword {
        /// Which mailbox.
        mailbox: i64,
        /// Which message.
        uid: u32,
    },
    /// A message names a body that is not there.
    NoBody {
        /// Which mailbox.
        mailbox: i64,
        /// Which message.
        uid: u32,
    },
    /// A body that messages name has no digest (one that is still to be made counts), or lines in
    /// front of one have one.
    Digest(i64),
    /// A body's count is not the number of messages that name it.
    References {
        /// Which body.
        body: i64,
        /// What is counted.
        says: i64,
        /// How many name it.
        is: i64,
    },
    /// A body's row does not hold as many bytes as it says.
    BodySize(i64),
    /// The file of a body is not there or has another size.
    BodyFile(Handle),
    /// A file in the folder of bodies that no row names; the next start removes it.
    Stray(OsString),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(text) => write!(f, "database: {text}"),
            Self::Dangling(table) => write!(f, "a row of {table} names a row that is not there"),
            Self::Number { mailbox, what, says, is } => {
                write!(f, "mailbox {mailbox}: {what} is {says}, its messages say {is}")
            }
            Self::Name(mailbox) => write!(f, "mailbox {mailbox}: a name that none can have"),
            Self::Ambiguous(address) => write!(f, "{address}: an account's and an alias's"),
            Self::NoInbox(account) => write!(f, "account {account}: no INBOX"),
            Self::MessageSize { mailbox, uid } => {
                write!(f, "mailbox {mailbox}, message {uid}: wrong size")
            }
            Self::NoKeyword { mailbox, uid } => {
                write!(f, "mailbox {mailbox}, message {uid}: a flag without a keyword")
            }
            Self::NoBody { mailbox, uid } => {
                write!(f, "mailbox {mailbox}, message {uid}: its body is not there")
            }
            Self::Digest(body) => write!(f, "body {body}: its digest is missing, or one too many"),
            Self::References { body, says, is } => {
                write!(f, "body {body}: counted {says} times, named {is} times")
            }
            Self::BodySize(body) => write!(f, "body {body}: wrong size"),
            Self::BodyFile(handle) => write!(f, "file {handle}: missing or of wrong size"),
            Self::Stray(name) => write!(f, "file {}: no message names it", name.display()),
        }
    }
}

/// Looks over the whole store in `dir` and reports what is not as it should be. Changes nothing.
/// No server may have it open: a delivery under way looks like a fault.
///
/// # Errors
///
/// See [`OpenError`]; a store that has not been migrated to this program's version is
/// [`OpenError::Older`].
pub fn verify(dir: &Path, report: &mut dyn FnMut(Finding)) -> Result<(), OpenError> {
    let _lock = take_lock(dir)?;
    backup::refuse_unfinished(dir)?;
    // Not read-only: after a crash the WAL has to be read first, which writes its index.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(dir.join(DATABASE), flags)?;
    conn.pragma_update(None, "query_only", true)?;
    let (found, known) = (schema::version(&conn)?, schema::known());
    if found < known {
        return Err(OpenError::Older { found, known });
    }
    check_database(&conn, report)?;
    check_names(&conn, report)?;
    check_numbers(&conn, report)?;
    check_messages(&conn, report)?;
    check_references(&conn, report)?;
    check_digests(&conn, report)?;
    check_files(&conn, &dir.join(BODIES), report)
}

fn check_database(conn: &Connection, report: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
    let lines = sql::all(conn, "PRAGMA integrity_check", [], |row| row.get::<_, String>(0))?;
    for line in lines.into_iter().filter(|line| line != "ok") {
        report(Finding::Database(line));
    }
    for table in sql::all(conn, "PRAGMA foreign_key_check", [], |row| row.get(0))? {
        report(Finding::Dangling(table));
    }
    Ok(())
}

/// Names are such as can be told, and mail can arrive everywhere.
fn check_names(conn: &Connection, report: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
    let names = "SELECT id, name FROM mailbox ORDER BY id";
    for (mailbox, name) in
        sql::all(conn, names, [], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?
    {
        if MailboxName::new(name.as_str()).is_ok_and(|read| read.as_str() == name) {
            continue;
        }
        report(Finding::Name(mailbox));
    }
    let twice = "SELECT a.localpart || '@' || d.name FROM alias a JOIN address USING \
                 (domain, localpart) JOIN domain d ON d.id = a.domain ORDER BY 1";
    for address in sql::all(conn, twice, [], |row| row.get(0))? {
        report(Finding::Ambiguous(address));
    }
    // An estate (see `removal`) has what is left of its mailboxes.
    let without = "SELECT id FROM account WHERE name NOT LIKE '@%' AND NOT EXISTS \
                   (SELECT 1 FROM mailbox WHERE account = account.id AND name = 'INBOX')";
    for account in sql::all(conn, without, [], |row| row.get(0))? {
        report(Finding::NoInbox(account));
    }
    Ok(())
}

/// Counters equal what they count; UIDNEXT and HIGHESTMODSEQ lie beyond what was given out.
fn check_numbers(conn: &Connection, report: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
    let mut statement = conn.prepare(NUMBERS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mailbox = row.get(0)?;
        for (column, what) in (1..).step_by(2).zip(["messages", "unseen", "deleted", "bytes"]) {
            let (says, is) = (row.get(column)?, row.get(column + 1)?);
            if says != is {
                report(Finding::Number { mailbox, what, says, is });
            }
        }
        let (says, is) = (row.get(9)?, row.get(10)?);
        if says <= is {
            report(Finding::Number { mailbox, what: "uidnext", says, is });
        }
        let (says, is) = (row.get(11)?, row.get(12)?);
        if says < is {
            report(Finding::Number { mailbox, what: "highestmodseq", says, is });
        }
        let (says, is) = (row.get(13)?, row.get::<_, i64>(9)? - 1);
        if says > is {
            report(Finding::Number { mailbox, what: "claimed", says, is });
        }
    }
    Ok(())
}

const NUMBERS: &str = "
    SELECT x.id,
        x.messages, coalesce(sum(m.expunged = 0), 0),
        x.unseen, coalesce(sum(m.expunged = 0 AND m.flags & 1 = 0), 0),
        x.deleted, coalesce(sum(m.expunged = 0 AND m.flags & 8 <> 0), 0),
        x.bytes, coalesce(sum((m.expunged = 0) * m.size), 0),
        x.uidnext, max(coalesce(max(m.uid), 0),
            coalesce((SELECT max(last) FROM tombstone WHERE mailbox = x.id), 0)),
        x.highestmodseq, max(coalesce(max(m.modseq), 0), coalesce(max(m.created), 0),
            coalesce((SELECT max(modseq) FROM tombstone WHERE mailbox = x.id), 0)),
        x.claimed
    FROM mailbox x LEFT JOIN message m ON m.mailbox = x.id GROUP BY x.id ORDER BY x.id";

/// Each message's bodies are there, its size is theirs, and its flags have names.
fn check_messages(conn: &Connection, report: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
    let mut keywords: HashMap<i64, u64> = HashMap::new();
    for (mailbox, bit) in sql::all(conn, "SELECT mailbox, bit FROM keyword", [], |row| {
        Ok((row.get(0)?, row.get::<_, u32>(1)?))
    })? {
        *keywords.entry(mailbox).or_insert(crate::Flags::SYSTEM.0) |= 1 << (bit & 63);
    }
    let mut statement = conn.prepare(
        "SELECT m.mailbox, m.uid, m.flags, m.size, m.prefix IS NULL, b.size, p.size \
         FROM message m LEFT JOIN body b ON b.id = m.body LEFT JOIN body p ON p.id = m.prefix",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (mailbox, uid) = (row.get(0)?, row.get(1)?);
        let known = keywords.get(&mailbox).copied().unwrap_or(crate::Flags::SYSTEM.0);
        if sql::u64_at(row, 2)? & !known != 0 {
            report(Finding::NoKeyword { mailbox, uid });
        }
        let size: i64 = row.get(3)?;
        let no_prefix = row.get::<_, bool>(4)?.then_some(0);
        match (row.get::<_, Option<i64>>(5)?, row.get::<_, Option<i64>>(6)?.or(no_prefix)) {
            (Some(body), Some(prefix)) if body.checked_add(prefix) == Some(size) => {}
            (Some(_), Some(_)) => report(Finding::MessageSize { mailbox, uid }),
            _ => report(Finding::NoBody { mailbox, uid }),
        }
    }
    Ok(())
}

/// Bodies are counted as often as they are named. One without a count counts once.
fn check_references(conn: &Connection, report: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
    let mut statement = conn.prepare(
        "WITH named (id, times) AS (
            SELECT id, count(*) FROM (
                SELECT body AS id FROM message
                UNION ALL SELECT prefix FROM message WHERE prefix IS NOT NULL
                UNION ALL SELECT body FROM staged
                UNION ALL SELECT prefix FROM staged WHERE prefix IS NOT NULL
                UNION ALL SELECT body FROM outgoing WHERE body IS NOT NULL
                UNION ALL SELECT prefix FROM outgoing WHERE prefix IS NOT NULL
            ) GROUP BY id)
         SELECT b.id, coalesce(s.refs, 1), coalesce(n.times, 0) FROM body b
         LEFT JOIN shared s ON s.body = b.id LEFT JOIN named n ON n.id = b.id
         WHERE coalesce(s.refs, 1) <> coalesce(n.times, 0) ORDER BY b.id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (body, says, is) = (row.get(0)?, row.get(1)?, row.get(2)?);
        report(Finding::References { body, says, is });
    }
    Ok(())
}

/// Those bodies have digests that are the bodies of messages.
fn check_digests(conn: &Connection, report: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
    let wrong = "SELECT body FROM (SELECT DISTINCT body FROM message) \
                 WHERE body NOT IN (SELECT body FROM digest) \
                 UNION SELECT body FROM digest WHERE body NOT IN \
                 (SELECT body FROM message UNION ALL SELECT body FROM staged \
                 UNION ALL SELECT body FROM outgoing WHERE body IS NOT NULL) \
                 ORDER BY 1";
    for body in sql::all(conn, wrong, [], |row| row.get(0))? {
        report(Finding::Digest(body));
    }
    Ok(())
}

/// Bodies have the size that their rows say, in the row or as a file; no file is left over.
fn check_files(
    conn: &Connection,
    bodies: &Path,
    report: &mut dyn FnMut(Finding),
) -> Result<(), OpenError> {
    let wrong = "SELECT id FROM body WHERE data IS NOT NULL AND length(data) <> size ORDER BY id";
    for body in sql::all(conn, wrong, [], |row| row.get(0))? {
        report(Finding::BodySize(body));
    }
    let files = "SELECT handle, size FROM body WHERE handle IS NOT NULL ORDER BY id";
    for (handle, size) in
        sql::all(conn, files, [], |row| Ok((Handle(row.get(0)?), sql::u64_at(row, 1)?)))?
    {
        let found = fs::metadata(body_path(bodies, handle));
        if !found.is_ok_and(|found| found.is_file() && found.len() == size) {
            report(Finding::BodyFile(handle));
        }
    }
    let named = sweep::named(conn)?;
    for (name, handle) in sweep::files(bodies)? {
        if handle.is_none_or(|handle| !named.contains(&handle)) {
            report(Finding::Stray(name));
        }
    }
    Ok(())
}
