//! How messages come into a mailbox: delivery, COPY, MOVE.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use pillarbox_core::UnixSeconds;
use rusqlite::{Connection, params};

use crate::body::{self, BodyId};
use crate::mailbox::{self, Mailbox};
use crate::rights::{Principal, Right, may};
use crate::store::Shared;
use crate::{
    AccountId, Delivered, Flags, Holder, Leaving, MailboxId, Moved, NewBody, Recipient, StoreError,
    UidRange, expunge, flags, queue, quota, sql,
};

/// One letter into the mailboxes of all recipients. The first that fails fails them all: the
/// caller's savepoint takes back what was done. Those by their own address must be able to have it;
/// of the members of an alias one must.
pub(crate) fn deliver(
    conn: &Connection,
    shared: &Shared,
    recipients: &[Recipient],
    body: &NewBody,
    leaving: &Leaving,
    received: UnixSeconds,
) -> Result<Vec<Delivered>, StoreError> {
    if recipients.is_empty() && leaving.outgoing.is_none() {
        return Err(StoreError::Misuse("a delivery has at least one recipient"));
    }
    let outcomes = outcomes(conn, shared, recipients, body)?;
    let pairs = || recipients.iter().zip(&outcomes);
    for (_, outcome) in pairs().filter(|(recipient, _)| recipient.alias.is_none()) {
        outcome.clone()?;
    }
    let mut aliases: HashMap<usize, Result<(), StoreError>> = HashMap::new();
    for (recipient, outcome) in pairs() {
        let Some(alias) = recipient.alias else { continue };
        let all = aliases.entry(alias).or_insert(Err(StoreError::OverQuota));
        if outcome.is_ok() {
            *all = Ok(());
        }
    }
    aliases.into_values().collect::<Result<(), _>>()?;
    let delivered = put(conn, shared, recipients, outcomes, body, leaving, received)?;
    let of = |alias| {
        let pairs = recipients.iter().zip(&delivered);
        pairs.filter(move |(recipient, _)| recipient.alias.is_some() == alias)
    };
    Ok(of(false).chain(of(true)).filter_map(|(_, one)| one.clone().ok().flatten()).collect())
}

/// One letter into the mailboxes of all that can have it, and what became of each.
pub(crate) fn deliver_each(
    conn: &Connection,
    shared: &Shared,
    recipients: &[Recipient],
    body: &NewBody,
    leaving: &Leaving,
    received: UnixSeconds,
) -> Result<Vec<Result<Option<Delivered>, StoreError>>, StoreError> {
    if recipients.is_empty() {
        return Err(StoreError::Misuse("a delivery has at least one recipient"));
    }
    let outcomes = outcomes(conn, shared, recipients, body)?;
    put(conn, shared, recipients, outcomes, body, leaving, received)
}

/// What is to become of a recipient: whether there is a copy for it, since it has none yet.
type Outcome = Result<bool, StoreError>;

/// What is to become of each. Members of an alias come after those by their own address, and have
/// one copy at most. What an account may still get is counted down, since it may have several
/// addresses.
fn outcomes(
    conn: &Connection,
    shared: &Shared,
    recipients: &[Recipient],
    body: &NewBody,
) -> Result<Vec<Outcome>, StoreError> {
    check_inline(shared, body)?;
    let mut holders: HashMap<AccountId, Holder> = HashMap::new();
    let mut take = |recipient: &Recipient| -> Result<(), StoreError> {
        let holder = match holders.entry(recipient.account) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                new.insert(quota::holder(conn, recipient.account, shared.options.quota)?)
            }
        };
        if holder.disabled {
            return Err(StoreError::Disabled);
        }
        let size = body.size().saturating_add(sql::len(&recipient.prefix));
        if let Some(room) = &mut holder.room {
            *room = room.checked_sub(size).ok_or(StoreError::OverQuota)?;
        }
        Ok(())
    };
    let mut outcomes = vec![Ok(false); recipients.len()];
    let mut reached: HashSet<AccountId> = HashSet::new();
    for by_alias in [false, true] {
        for (recipient, outcome) in recipients.iter().zip(&mut outcomes) {
            let later = recipient.alias.is_some() != by_alias;
            if later || (by_alias && reached.contains(&recipient.account)) {
                continue;
            }
            *outcome = match take(recipient) {
                Ok(()) => {
                    reached.insert(recipient.account);
                    Ok(true)
                }
                // One that was removed since it was looked up, too.
                Err(
                    own
                    @ (StoreError::OverQuota | StoreError::Disabled | StoreError::NoSuchAccount),
                ) => Err(own),
                Err(error) => return Err(error),
            };
        }
    }
    Ok(outcomes)
}

/// Puts a copy where there is to be one, and what leaves into the queue.
fn put(
    conn: &Connection,
    shared: &Shared,
    recipients: &[Recipient],
    outcomes: Vec<Outcome>,
    body: &NewBody,
    leaving: &Leaving,
    received: UnixSeconds,
) -> Result<Vec<Result<Option<Delivered>, StoreError>>, StoreError> {
    let copies = outcomes.iter().filter(|outcome| matches!(outcome, Ok(true))).count();
    let copies = copies + usize::from(leaving.outgoing.is_some());
    let id = match copies {
        0 => None,
        copies => Some(body::put(conn, &shared.bodies, body, copies)?),
    };
    if let (Some(message), Some(id)) = (&leaving.outgoing, id) {
        queue::enter(conn, message, id, body.size(), received)?;
    }
    for (message, body) in &leaving.reports {
        queue::enter_body(conn, shared, message, body, received)?;
    }
    let mut delivered = Vec::with_capacity(recipients.len());
    for (recipient, outcome) in recipients.iter().zip(outcomes) {
        delivered.push(match (outcome, id) {
            (Ok(true), Some(id)) => Ok(Some(put_one(conn, recipient, id, body, received)?)),
            (Ok(_), _) => Ok(None),
            (Err(error), _) => Err(error),
        });
    }
    Ok(delivered)
}

/// A message of the server's own into a mailbox, whatever the quota says: it is small, and tells of
/// what was lost.
pub(crate) fn put_report(
    conn: &Connection,
    shared: &Shared,
    recipient: &Recipient,
    body: &NewBody,
    received: UnixSeconds,
) -> Result<Delivered, StoreError> {
    check_inline(shared, body)?;
    // The body is stored after the account is known to be there: nothing else would count it.
    mailbox::locate(conn, recipient.account, recipient.into)?;
    let id = body::put(conn, &shared.bodies, body, 1)?;
    put_one(conn, recipient, id, body, received)
}

fn put_one(
    conn: &Connection,
    recipient: &Recipient,
    id: BodyId,
    body: &NewBody,
    received: UnixSeconds,
) -> Result<Delivered, StoreError> {
    let place = mailbox::locate(conn, recipient.account, recipient.into)?;
    let principal = Principal::Account(recipient.account);
    let mut mailbox = may(conn, principal, Right::Insert, place)?;
    let message = Coming {
        body: id,
        prefix: body::put_prefix(conn, &recipient.prefix)?,
        size: body.size().saturating_add(sql::len(&recipient.prefix)),
        flags: recipient.flags & Flags::SYSTEM,
        internaldate: received,
        saved: received,
    };
    let uid = insert(conn, &mut mailbox, &message)?;
    mailbox.save(conn)?;
    Ok(Delivered { mailbox: place, uid })
}

/// Messages of one mailbox into another, or the same; bodies are shared. The copies count against
/// the quota in full.
pub(crate) fn copy(
    conn: &Connection,
    shared: &Shared,
    by: AccountId,
    from: MailboxId,
    uids: &[UidRange],
    to: MailboxId,
    now: UnixSeconds,
) -> Result<(u32, Vec<(u32, u32)>), StoreError> {
    let before = match quota::holder(conn, by, shared.options.quota) {
        Ok(holder) => holder.room,
        // Said by whoever looks at the mailboxes.
        Err(StoreError::NoSuchAccount) => None,
        Err(error) => return Err(error),
    };
    let copied = duplicate(conn, by, from, uids, to, now, usize::MAX)?;
    if let Some(room) = before
        && copied.bytes > room
    {
        return Err(StoreError::OverQuota);
    }
    Ok((copied.uidvalidity, copied.pairs))
}

fn duplicate(
    conn: &Connection,
    by: AccountId,
    from: MailboxId,
    uids: &[UidRange],
    to: MailboxId,
    now: UnixSeconds,
    most: usize,
) -> Result<Copies, StoreError> {
    let from = may(conn, Principal::Account(by), Right::Read, from)?;
    let mut to = may(conn, Principal::Account(by), Right::Insert, to)?;
    let (mut pairs, mut bytes) = (Vec::new(), 0_u64);
    // Read before the first insert: a copy into the same mailbox must not meet itself.
    for (uid, message) in to_copy(conn, (from.id, to.id), uids, now, most)? {
        share(conn, &message)?;
        pairs.push((uid, insert(conn, &mut to, &message)?));
        bytes = bytes.saturating_add(message.size);
    }
    to.save(conn)?;
    Ok(Copies { uidvalidity: to.status.uidvalidity, pairs, bytes })
}

/// What has become of messages that were copied.
struct Copies {
    uidvalidity: u32,
    /// Each one's UID and that of its copy.
    pairs: Vec<(u32, u32)>,
    bytes: u64,
}

/// The same, and the originals are taken out; in one transaction, so that a message is never in
/// both mailboxes or in neither (RFC 6851 §3.1). An account has no more mail after it than before, so
/// that no quota stands in the way. At most `most` are moved.
pub(crate) fn relocate(
    conn: &Connection,
    by: AccountId,
    from: MailboxId,
    uids: &[UidRange],
    to: MailboxId,
    now: UnixSeconds,
    most: usize,
) -> Result<Moved, StoreError> {
    let Copies { uidvalidity, pairs, .. } = duplicate(conn, by, from, uids, to, now, most)?;
    // Only what was copied: a move into the same mailbox leaves the copies.
    let mut copied = Vec::new();
    pairs.iter().for_each(|(uid, _)| UidRange::push(&mut copied, *uid));
    let expunged = expunge::take(conn, by, from, &copied)?;
    let more = pairs.last().map(|(uid, _)| *uid).filter(|_| pairs.len() >= most);
    Ok(Moved { uidvalidity, pairs, modseq: expunged.modseq, more })
}

/// A copy names the bodies of its original.
pub(crate) fn share(conn: &Connection, message: &Coming) -> Result<(), StoreError> {
    body::share(conn, message.body)?;
    message.prefix.map_or(Ok(()), |prefix| body::share(conn, prefix))
}

/// Copies of messages, with the keywords of the mailbox where they go. Asks for no right.
pub(crate) fn to_copy(
    conn: &Connection,
    (from, to): (MailboxId, MailboxId),
    uids: &[UidRange],
    now: UnixSeconds,
    most: usize,
) -> Result<Vec<(u32, Coming)>, StoreError> {
    let mut found: Vec<(u32, Coming)> = Vec::new();
    for range in UidRange::joined(uids) {
        let left = sql::count(most - found.len());
        if left == 0 {
            break;
        }
        found.extend(sql::all(
            conn,
            "SELECT uid, flags, size, internaldate, body, prefix FROM message \
             WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 AND expunged = 0 ORDER BY uid LIMIT ?4",
            params![from.0, range.first, range.last, left],
            |row| {
                let coming = Coming {
                    flags: Flags(sql::u64_at(row, 1)?),
                    size: sql::u64_at(row, 2)?,
                    internaldate: UnixSeconds(row.get(3)?),
                    saved: now,
                    body: BodyId(row.get(4)?),
                    prefix: row.get::<_, Option<i64>>(5)?.map(BodyId),
                };
                Ok((row.get(0)?, coming))
            },
        )?);
    }
    let known = mailbox::keywords(conn, from)?;
    for (_, message) in &mut found {
        let names: Vec<String> = known
            .iter()
            .filter(|keyword| message.flags.contains(keyword.flag()))
            .map(|keyword| keyword.name.clone())
            .collect();
        message.flags = (message.flags & Flags::SYSTEM) | flags::define(conn, to, &names)?;
    }
    Ok(found)
}

/// A message before it has a UID.
pub(crate) struct Coming {
    pub(crate) body: BodyId,
    pub(crate) prefix: Option<BodyId>,
    pub(crate) size: u64,
    pub(crate) flags: Flags,
    pub(crate) internaldate: UnixSeconds,
    pub(crate) saved: UnixSeconds,
}

/// Gives the message its UID and modification sequence. The mailbox's row is saved by the caller.
pub(crate) fn insert(
    conn: &Connection,
    mailbox: &mut Mailbox,
    message: &Coming,
) -> Result<u32, StoreError> {
    let uid = mailbox.take_uid()?;
    let modseq = mailbox.take_modseq();
    sql::run(
        conn,
        "INSERT INTO message (mailbox, uid, expunged, flags, modseq, size, internaldate, saved, \
         created, body, prefix) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?4, ?8, ?9)",
        params![
            mailbox.id.0,
            uid,
            message.flags.0.cast_signed(),
            modseq.cast_signed(),
            message.size.cast_signed(),
            message.internaldate.0,
            message.saved.0,
            message.body.0,
            message.prefix.map(|prefix| prefix.0),
        ],
    )?;
    mailbox.count_in(message.flags, message.size);
    Ok(uid)
}

pub(crate) fn check_inline(shared: &Shared, body: &NewBody) -> Result<(), StoreError> {
    match body {
        NewBody::Inline(bytes) if bytes.len() > shared.options.inline_max => {
            Err(StoreError::Misuse("a body above inline_max comes as a file"))
        }
        _ => Ok(()),
    }
}
