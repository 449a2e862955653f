//! A mailbox's own row: its numbers, its name, and how messages enter and leave its counters.

use pillarbox_core::UnixSeconds;
use rusqlite::{Connection, Row, params};

use crate::flag_runs::FlagRuns;
use crate::rights::{Principal, Right, may};
use crate::{
    AccountId, Flags, Keyword, MailboxId, MailboxInfo, Place, Selected, Special, Status,
    StoreError, UidRange, changes, sql,
};

/// The name that RFC 9051 §5.1 gives to the mailbox where new mail arrives.
pub(crate) const INBOX: &str = "INBOX";

/// A mailbox's row, given out by [`may`]. Changes are made here and put back by [`Mailbox::save`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mailbox {
    pub(crate) id: MailboxId,
    pub(crate) status: Status,
    /// The highest UID that was claimed as recent; changed by [`claim`] alone.
    pub(crate) claimed: u32,
    /// Of what was purged with this modification sequence or a lower one, some is forgotten.
    pub(crate) forgotten: u64,
}

impl Mailbox {
    /// Columns 1 to 10 of the query in [`may`].
    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let status = Status {
            uidvalidity: row.get(2)?,
            uidnext: row.get(3)?,
            highestmodseq: sql::u64_at(row, 4)?,
            messages: sql::u64_at(row, 5)?,
            unseen: sql::u64_at(row, 6)?,
            deleted: sql::u64_at(row, 7)?,
            bytes: sql::u64_at(row, 8)?,
        };
        Ok(Self {
            id: MailboxId(row.get(1)?),
            status,
            claimed: row.get(9)?,
            forgotten: sql::u64_at(row, 10)?,
        })
    }

    /// The next UID, given once. The highest that 32 bits hold is not given, so that UIDNEXT can
    /// always be told (RFC 9051 §2.3.1.1).
    pub(crate) fn take_uid(&mut self) -> Result<u32, StoreError> {
        let uid = self.status.uidnext;
        self.status.uidnext = uid.checked_add(1).ok_or(StoreError::UidLimit)?;
        Ok(uid)
    }

    /// The next modification sequence, given once.
    pub(crate) const fn take_modseq(&mut self) -> u64 {
        self.status.highestmodseq += 1;
        self.status.highestmodseq
    }

    /// Counts a message that came.
    pub(crate) fn count_in(&mut self, flags: Flags, size: u64) {
        let status = &mut self.status;
        status.messages += 1;
        status.bytes += size;
        status.unseen += u64::from(!flags.contains(Flags::SEEN));
        status.deleted += u64::from(flags.contains(Flags::DELETED));
    }

    /// Counts a message that went. Saturating, so that wrong counters, which `verify` finds, do
    /// not stop mail.
    pub(crate) fn count_out(&mut self, flags: Flags, size: u64) {
        let status = &mut self.status;
        status.messages = status.messages.saturating_sub(1);
        status.bytes = status.bytes.saturating_sub(size);
        status.unseen = status.unseen.saturating_sub(u64::from(!flags.contains(Flags::SEEN)));
        status.deleted = status.deleted.saturating_sub(u64::from(flags.contains(Flags::DELETED)));
    }

    /// Puts the numbers back into the row.
    pub(crate) fn save(&self, conn: &Connection) -> Result<(), StoreError> {
        let status = &self.status;
        sql::run(
            conn,
            "UPDATE mailbox SET uidnext = ?2, highestmodseq = ?3, messages = ?4, unseen = ?5, \
             deleted = ?6, bytes = ?7 WHERE id = ?1",
            params![
                self.id.0,
                status.uidnext,
                status.highestmodseq.cast_signed(),
                status.messages.cast_signed(),
                status.unseen.cast_signed(),
                status.deleted.cast_signed(),
                status.bytes.cast_signed(),
            ],
        )?;
        Ok(())
    }
}

/// Makes a mailbox with a UIDVALIDITY that no mailbox had before (RFC 9051 §2.3.1.1).
pub(crate) fn create(
    conn: &Connection,
    account: AccountId,
    name: &str,
    special: Option<Special>,
    now: UnixSeconds,
) -> Result<MailboxId, StoreError> {
    let uidvalidity = next_uidvalidity(conn, now)?;
    sql::run(
        conn,
        "INSERT INTO mailbox (account, name, special, uidvalidity, uidnext, \
         highestmodseq, messages, unseen, deleted, bytes, claimed) \
         VALUES (?1, ?2, ?3, ?4, 1, 1, 0, 0, 0, 0, 0)",
        params![account.0, name, special.map(Special::code), uidvalidity],
    )?;
    Ok(MailboxId(conn.last_insert_rowid()))
}

/// A UIDVALIDITY that was never given: the time, or one more than the last where that is later.
fn next_uidvalidity(conn: &Connection, now: UnixSeconds) -> Result<u32, StoreError> {
    let now = u32::try_from(now.0).unwrap_or(1);
    let next = sql::first(
        conn,
        "UPDATE meta SET uidvalidity_last = max(uidvalidity_last + 1, ?1) \
         RETURNING uidvalidity_last",
        [now],
        |row| row.get(0),
    )?;
    next.ok_or_else(|| StoreError::corrupt("the table meta is empty"))
}

/// Remembers that the messages up to a UID were told as recent.
pub(crate) fn claim(
    conn: &Connection,
    by: AccountId,
    mailbox: MailboxId,
    up_to: u32,
) -> Result<(), StoreError> {
    let opened = may(conn, Principal::Account(by), Right::Read, mailbox)?;
    // A UID that was not given yet cannot have been told.
    let up_to = up_to.min(opened.status.uidnext.saturating_sub(1));
    if up_to > opened.claimed {
        sql::run(conn, "UPDATE mailbox SET claimed = ?2 WHERE id = ?1", params![mailbox.0, up_to])?;
    }
    Ok(())
}

/// How many bytes the messages with `\Deleted` have. The counter spares the scan where there are
/// none.
pub(crate) fn deleted_bytes(
    conn: &Connection,
    by: AccountId,
    mailbox: MailboxId,
) -> Result<u64, StoreError> {
    let opened = may(conn, Principal::Account(by), Right::Read, mailbox)?;
    if opened.status.deleted == 0 {
        return Ok(0);
    }
    let bytes = sql::first(
        conn,
        "SELECT coalesce(sum(size), 0) FROM message WHERE mailbox = ?1 AND expunged = 0 \
         AND flags & ?2 = ?2",
        params![mailbox.0, Flags::DELETED.0.cast_signed()],
        |row| sql::u64_at(row, 0),
    )?;
    Ok(bytes.unwrap_or(0))
}

/// How many messages above a UID are still to be told as recent.
pub(crate) fn recent(
    conn: &Connection,
    by: AccountId,
    mailbox: MailboxId,
    above: u32,
) -> Result<u64, StoreError> {
    let opened = may(conn, Principal::Account(by), Right::Read, mailbox)?;
    let count = sql::first(
        conn,
        "SELECT count(*) FROM message WHERE mailbox = ?1 AND uid > ?2 AND expunged = 0",
        params![mailbox.0, opened.claimed.max(above)],
        |row| sql::u64_at(row, 0),
    )?;
    Ok(count.unwrap_or(0))
}

/// The mailbox of `account` that `place` means. Asks for no right: [`may`] comes after.
pub(crate) fn locate(
    conn: &Connection,
    account: AccountId,
    place: Place,
) -> Result<MailboxId, StoreError> {
    let found = match place {
        Place::Mailbox(id) => Some(id.0),
        Place::Inbox => sql::first(
            conn,
            "SELECT id FROM mailbox WHERE account = ?1 AND name = ?2",
            params![account.0, INBOX],
            |row| row.get(0),
        )?,
        Place::Special(special) => {
            let found = sql::first(
                conn,
                "SELECT id FROM mailbox WHERE account = ?1 AND special = ?2 ORDER BY id",
                params![account.0, special.code()],
                |row| row.get(0),
            )?;
            match found {
                Some(id) => Some(id),
                None => return locate(conn, account, Place::Inbox),
            }
        }
    };
    found.map(MailboxId).ok_or(StoreError::NoSuchMailbox)
}

/// All mailboxes of an account, by name.
pub(crate) fn list(conn: &Connection, account: AccountId) -> Result<Vec<MailboxInfo>, StoreError> {
    Ok(sql::all(
        conn,
        "SELECT id, name, special FROM mailbox WHERE account = ?1 ORDER BY name",
        params![account.0],
        info,
    )?)
}

/// The mailbox of an account with this name.
pub(crate) fn by_name(
    conn: &Connection,
    account: AccountId,
    name: &str,
) -> Result<MailboxInfo, StoreError> {
    let name = if name.eq_ignore_ascii_case(INBOX) { INBOX } else { name };
    sql::first(
        conn,
        "SELECT id, name, special FROM mailbox WHERE account = ?1 AND name = ?2",
        params![account.0, name],
        info,
    )?
    .ok_or(StoreError::NoSuchMailbox)
}

fn info(row: &Row<'_>) -> rusqlite::Result<MailboxInfo> {
    let special: Option<i64> = row.get(2)?;
    Ok(MailboxInfo {
        id: MailboxId(row.get(0)?),
        name: row.get(1)?,
        special: special.and_then(Special::from_code),
    })
}

/// What SELECT tells, and what has changed if `since` names this UIDVALIDITY.
pub(crate) fn select(
    conn: &Connection,
    flag_runs: &FlagRuns,
    by: AccountId,
    mailbox: MailboxId,
    since: Option<(u32, u64)>,
) -> Result<Selected, StoreError> {
    let opened = may(conn, Principal::Account(by), Right::Read, mailbox)?;
    let name =
        sql::first(conn, "SELECT name FROM mailbox WHERE id = ?1", [mailbox.0], |row| row.get(0))?;
    let mut uids = Vec::new();
    let mut first_unseen = None;
    for run in flag_runs.at(conn, &opened)?.iter().filter(|run| !run.expunged) {
        match uids.last_mut() {
            Some(UidRange { last, .. }) if last.checked_add(1) == Some(run.first) => {
                *last = run.last;
            }
            _ => uids.push(UidRange { first: run.first, last: run.last }),
        }
        if first_unseen.is_none() && !run.flags.contains(Flags::SEEN) {
            first_unseen = Some(run.first);
        }
    }
    let since = since.filter(|(uidvalidity, _)| *uidvalidity == opened.status.uidvalidity);
    let changes = since.map(|(_, modseq)| changes::of(conn, &opened, modseq)).transpose()?;
    Ok(Selected {
        name: name.ok_or(StoreError::NoSuchMailbox)?,
        status: opened.status,
        claimed: opened.claimed,
        uids,
        keywords: keywords(conn, mailbox)?,
        first_unseen,
        changes,
    })
}

/// The UIDs in a mailbox, ascending, as runs without gaps.
pub(crate) fn uids(conn: &Connection, mailbox: MailboxId) -> Result<Vec<UidRange>, StoreError> {
    let mut uids = Vec::new();
    let mut statement = conn.prepare_cached(
        "SELECT uid FROM message WHERE mailbox = ?1 AND expunged = 0 ORDER BY uid",
    )?;
    let mut rows = statement.query([mailbox.0])?;
    while let Some(row) = rows.next()? {
        UidRange::push(&mut uids, row.get(0)?);
    }
    Ok(uids)
}

/// The keywords of a mailbox, by ascending bit.
pub(crate) fn keywords(conn: &Connection, mailbox: MailboxId) -> Result<Vec<Keyword>, StoreError> {
    Ok(sql::all(
        conn,
        "SELECT bit, name FROM keyword WHERE mailbox = ?1 ORDER BY bit",
        [mailbox.0],
        |row| Ok(Keyword { bit: row.get(0)?, name: row.get(1)? }),
    )?)
}
