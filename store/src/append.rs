//! APPEND and REPLACE: messages that a client brings, all of them or none.

use pillarbox_core::UnixSeconds;
use rusqlite::{Connection, params};

use crate::deliver::{self, Coming};
use crate::rights::{Principal, Right, may};
use crate::store::Shared;
use crate::{
    AccountId, Appended, Flags, MailboxId, NewMessage, Replaced, StoreError, UidRange, body,
    expunge, flags, quota, sql,
};

/// What APPEND and REPLACE bring, and what goes for it.
pub(crate) struct Appending<'a> {
    pub(crate) messages: &'a [NewMessage],
    pub(crate) replaces: Option<Replaced>,
    pub(crate) now: UnixSeconds,
}

/// Messages into one mailbox, in their order. Where one fails, the caller's savepoint takes back
/// those before it.
pub(crate) fn append(
    conn: &Connection,
    shared: &Shared,
    by: AccountId,
    mailbox: MailboxId,
    what: &Appending<'_>,
) -> Result<Appended, StoreError> {
    let mut mailbox = may(conn, Principal::Account(by), Right::Insert, mailbox)?;
    let going = what.replaces.map(|replaced| size(conn, by, replaced)).transpose()?;
    // RFC 8508 §3.4: only what is left in the end counts.
    let coming = what.messages.iter().fold(0, |sum: u64, one| sum.saturating_add(one.body.size()));
    quota::check(conn, by, shared.options.quota, coming.saturating_sub(going.unwrap_or(0)))?;
    let (mut first, mut last) = (None, 0);
    for message in what.messages {
        deliver::check_inline(shared, &message.body)?;
        let keywords = flags::define(conn, mailbox.id, &message.keywords)?;
        let coming = Coming {
            body: body::put(conn, &shared.bodies, &message.body, 1)?,
            prefix: None,
            size: message.body.size(),
            flags: (message.flags & Flags::SYSTEM) | keywords,
            internaldate: message.internaldate,
            saved: what.now,
        };
        last = deliver::insert(conn, &mut mailbox, &coming)?;
        first.get_or_insert(last);
    }
    let first = first.ok_or(StoreError::Misuse("an append has at least one message"))?;
    mailbox.save(conn)?;
    let removed = match what.replaces {
        None => None,
        Some(Replaced { mailbox, uid }) => {
            Some(expunge::take(conn, by, mailbox, &[UidRange::one(uid)])?.modseq)
        }
    };
    let uids = UidRange { first, last };
    Ok(Appended { uidvalidity: mailbox.status.uidvalidity, uids, removed })
}

/// How many bytes the message has that is to go; it must be there.
fn size(conn: &Connection, by: AccountId, replaced: Replaced) -> Result<u64, StoreError> {
    let mailbox = may(conn, Principal::Account(by), Right::Expunge, replaced.mailbox)?;
    let size = sql::first(
        conn,
        "SELECT size FROM message WHERE mailbox = ?1 AND uid = ?2 AND expunged = 0",
        params![mailbox.id.0, replaced.uid],
        |row| sql::u64_at(row, 0),
    )?;
    size.ok_or(StoreError::NoSuchMessage)
}
