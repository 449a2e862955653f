//! Flags and keywords.

use rusqlite::{Connection, params};

use crate::mailbox::{self, Mailbox};
use crate::rights::{Principal, Right, may};
use crate::{
    AccountId, Change, FlagState, Flagged, Flags, Keyword, MESSAGES_MAX, MailboxId, StoreError,
    UidRange, sql,
};

/// The bits of [`Flags`] that keywords may have.
const KEYWORD_BITS: std::ops::RangeInclusive<u8> = 5..=63;

/// The longest keyword name taken, in bytes.
const KEYWORD_NAME_MAX: usize = 128;

/// What STORE says of its messages.
pub(crate) struct Flagging<'a> {
    pub(crate) change: Change,
    pub(crate) flags: Flags,
    pub(crate) keywords: &'a [String],
    /// Those that have changed after this are left.
    pub(crate) unchanged_since: Option<u64>,
}

/// Changes flags. All messages that change get one new modification sequence; those that stay as
/// they were keep theirs, so that nobody is told of them (RFC 7162 §3.1).
pub(crate) fn store(
    conn: &Connection,
    by: AccountId,
    mailbox: MailboxId,
    uids: &[UidRange],
    what: &Flagging<'_>,
) -> Result<Flagged, StoreError> {
    let mut mailbox = may(conn, Principal::Account(by), Right::Write, mailbox)?;
    let keywords = match what.change {
        Change::Remove => known(conn, mailbox.id, what.keywords)?,
        Change::Add | Change::Replace => define(conn, mailbox.id, what.keywords)?,
    };
    let mask = (what.flags & Flags::SYSTEM) | keywords;
    let modseq = mailbox.status.highestmodseq + 1;
    let (mut messages, mut modified) = (Vec::new(), Vec::new());
    let (mut any, mut before) = (false, 0);
    let states = states(conn, mailbox.id, uids)?;
    let more = states.get(MESSAGES_MAX - 1).map(|state| state.uid);
    for mut state in states {
        if what.unchanged_since.is_some_and(|since| state.modseq > since) {
            modified.push(state);
            continue;
        }
        let flags = match what.change {
            Change::Add => state.flags | mask,
            Change::Remove => state.flags & !mask,
            Change::Replace => mask,
        };
        if flags != state.flags {
            recount(&mut mailbox, state.flags, flags);
            set(conn, mailbox.id, state.uid, flags, modseq)?;
            before = before.max(state.modseq);
            state = FlagState { flags, modseq, ..state };
            any = true;
        }
        messages.push(state);
    }
    if any {
        mailbox.status.highestmodseq = modseq;
        mailbox.save(conn)?;
    }
    Ok(Flagged { modseq: any.then_some(modseq), before, messages, modified, more })
}

/// The bits of these keywords; those that the mailbox does not have yet are made.
pub(crate) fn define(
    conn: &Connection,
    mailbox: MailboxId,
    names: &[String],
) -> Result<Flags, StoreError> {
    let mut flags = Flags::NONE;
    if names.is_empty() {
        return Ok(flags);
    }
    let mut keywords = mailbox::keywords(conn, mailbox)?;
    for name in names {
        let keyword = match find(&keywords, name) {
            Some(keyword) => keyword.clone(),
            None => {
                let keyword = create(conn, mailbox, &keywords, name)?;
                keywords.push(keyword.clone());
                keyword
            }
        };
        flags = flags | keyword.flag();
    }
    Ok(flags)
}

/// The bits of those of these keywords that the mailbox has.
fn known(conn: &Connection, mailbox: MailboxId, names: &[String]) -> Result<Flags, StoreError> {
    let keywords = mailbox::keywords(conn, mailbox)?;
    let found = names.iter().filter_map(|name| find(&keywords, name));
    Ok(found.fold(Flags::NONE, |flags, keyword| flags | keyword.flag()))
}

fn find<'a>(keywords: &'a [Keyword], name: &str) -> Option<&'a Keyword> {
    keywords.iter().find(|keyword| keyword.name.eq_ignore_ascii_case(name))
}

fn create(
    conn: &Connection,
    mailbox: MailboxId,
    keywords: &[Keyword],
    name: &str,
) -> Result<Keyword, StoreError> {
    let mut bits = KEYWORD_BITS;
    let bit = bits.find(|bit| keywords.iter().all(|keyword| keyword.bit != *bit));
    let bit = bit.filter(|_| name.len() <= KEYWORD_NAME_MAX).ok_or(StoreError::KeywordLimit)?;
    sql::run(
        conn,
        "INSERT INTO keyword (mailbox, bit, name) VALUES (?1, ?2, ?3)",
        params![mailbox.0, bit, name],
    )?;
    Ok(Keyword { bit, name: name.to_owned() })
}

/// At most [`MESSAGES_MAX`].
fn states(
    conn: &Connection,
    mailbox: MailboxId,
    uids: &[UidRange],
) -> Result<Vec<FlagState>, StoreError> {
    let mut states = Vec::new();
    for range in UidRange::joined(uids) {
        let most = sql::count(MESSAGES_MAX - states.len());
        if most == 0 {
            break;
        }
        states.extend(sql::all(
            conn,
            "SELECT uid, flags, modseq FROM message \
             WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 AND expunged = 0 ORDER BY uid LIMIT ?4",
            params![mailbox.0, range.first, range.last, most],
            |row| {
                Ok(FlagState {
                    uid: row.get(0)?,
                    flags: Flags(sql::u64_at(row, 1)?),
                    modseq: sql::u64_at(row, 2)?,
                })
            },
        )?);
    }
    Ok(states)
}

fn set(
    conn: &Connection,
    mailbox: MailboxId,
    uid: u32,
    flags: Flags,
    modseq: u64,
) -> Result<(), StoreError> {
    sql::run(
        conn,
        "UPDATE message SET flags = ?3, modseq = ?4 WHERE mailbox = ?1 AND uid = ?2",
        params![mailbox.0, uid, flags.0.cast_signed(), modseq.cast_signed()],
    )?;
    Ok(())
}

/// As if the message went with its old flags and came with its new ones.
fn recount(mailbox: &mut Mailbox, old: Flags, new: Flags) {
    mailbox.count_out(old, 0);
    mailbox.count_in(new, 0);
}
