//! How addresses, domains and accounts go.
//!
//! An account may have so much mail that removing it at once would keep everybody else from
//! writing. So it goes in two parts. [`account`] is one short step after which the account does not
//! exist any more: its mailboxes pass to an *estate*, a row of the same table that nobody can name,
//! log in to or deliver to. [`clear`] then removes a bounded part of the estates' mail with each
//! call. A crash in between leaves an estate, which the next calls clear.
//!
//! An estate's name begins with `@`, which no account's name may hold.

use pillarbox_core::effect::Handle;
use pillarbox_core::international::fold;
use rusqlite::{Connection, params};

use crate::body::{self, BodyId};
use crate::rights::{Principal, Right, may};
use crate::{AccountId, Cleared, Flags, MailboxId, StoreError, accounts, sql};

/// Takes an address away, also from the aliases of which it is a member.
pub(crate) fn address(conn: &Connection, localpart: &str, domain: &str) -> Result<(), StoreError> {
    let (domain, _) = accounts::domain_row(conn, domain)?;
    let removed = sql::run(
        conn,
        "DELETE FROM address WHERE domain = ?1 AND localpart = ?2",
        params![domain.0, fold(localpart)],
    )?;
    if removed == 0 { Err(StoreError::NoSuchAddress) } else { accounts::drop_unwanted(conn, None) }
}

/// Gives a domain up.
pub(crate) fn domain(
    conn: &Connection,
    name: &str,
    with_addresses: bool,
) -> Result<(), StoreError> {
    let (domain, _) = accounts::domain_row(conn, name)?;
    for addresses in
        ["DELETE FROM address WHERE domain = ?1", "DELETE FROM alias WHERE domain = ?1"]
    {
        if sql::run(conn, addresses, [domain.0])? > 0 && !with_addresses {
            return Err(StoreError::HasAddresses);
        }
    }
    sql::run(conn, "DELETE FROM dkim_key WHERE domain = ?1", [domain.0])?;
    sql::run(conn, "DELETE FROM domain WHERE id = ?1", [domain.0])?;
    accounts::drop_unwanted(conn, None)
}

/// Makes an account an estate. The id that its sessions know is no account's any more.
pub(crate) fn account(conn: &Connection, account: AccountId) -> Result<(), StoreError> {
    let founded = sql::run(
        conn,
        "INSERT INTO account (name, created) SELECT '@' || id, created FROM account WHERE id = ?1",
        [account.0],
    )?;
    if founded == 0 {
        return Err(StoreError::NoSuchAccount);
    }
    let estate = conn.last_insert_rowid();
    sql::run(
        conn,
        "UPDATE mailbox SET account = ?2 WHERE account = ?1",
        params![account.0, estate],
    )?;
    for statement in [
        "DELETE FROM secret WHERE account = ?1",
        "DELETE FROM account_key WHERE account = ?1",
        "DELETE FROM hidden_capability WHERE account = ?1",
        "DELETE FROM login_attempt WHERE account = ?1",
        "DELETE FROM imported WHERE account = ?1",
        "DELETE FROM address WHERE account = ?1",
        "DELETE FROM subscription WHERE account = ?1",
        "UPDATE domain SET catch_all = NULL WHERE catch_all = ?1",
        // What it has sent goes on its way.
        "UPDATE outgoing SET account = NULL WHERE account = ?1",
        "DELETE FROM correspondent WHERE account = ?1",
        "DELETE FROM suppressed WHERE account = ?1",
        "DELETE FROM outgoing_hold WHERE account = ?1",
        "DELETE FROM account WHERE id = ?1",
    ] {
        sql::run(conn, statement, [account.0])?;
    }
    Ok(())
}

/// Removes a part of what estates hold. The handles of files that nobody names any more join
/// `gone`.
pub(crate) fn clear(
    conn: &Connection,
    messages_max: usize,
    gone: &mut Vec<Handle>,
) -> Result<Cleared, StoreError> {
    if messages_max == 0 {
        return Err(StoreError::Misuse("a step removes at least one message"));
    }
    let mut budget = Budget { rows: messages_max, bytes: STEP_BYTES };
    while !budget.is_spent()
        && let Some(estate) = first_estate(conn)?
    {
        let mailbox = sql::first(
            conn,
            "SELECT id FROM mailbox WHERE account = ?1 ORDER BY id LIMIT 1",
            [estate],
            |row| row.get(0).map(MailboxId),
        )?;
        match mailbox {
            Some(mailbox) => clear_mailbox(conn, mailbox, &mut budget, gone)?,
            None => {
                sql::run(conn, "DELETE FROM account WHERE id = ?1", [estate])?;
            }
        }
    }
    let messages_left = sql::first(
        conn,
        "SELECT coalesce(sum(m.messages), 0) FROM account a JOIN mailbox m ON m.account = a.id \
         WHERE a.name >= '@' AND a.name < 'A'",
        [],
        |row| sql::u64_at(row, 0),
    )?;
    Ok(Cleared { messages_left: messages_left.unwrap_or(0), more: first_estate(conn)?.is_some() })
}

/// `A` follows `@`: with both ends the index on names is used.
fn first_estate(conn: &Connection) -> Result<Option<i64>, StoreError> {
    let query = "SELECT id FROM account WHERE name >= '@' AND name < 'A' ORDER BY name LIMIT 1";
    Ok(sql::first(conn, query, [], |row| row.get(0))?)
}

/// What one step may still do.
struct Budget {
    rows: usize,
    bytes: u64,
}

impl Budget {
    const fn is_spent(&self) -> bool {
        self.rows == 0 || self.bytes == 0
    }

    const fn spend(&mut self, rows: usize, bytes: u64) {
        self.rows = self.rows.saturating_sub(rows);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// A step reads and frees no more bytes of messages than this, and one message.
const STEP_BYTES: u64 = 4 << 20;

/// Removes messages, then what else names the mailbox, then the mailbox itself, as far as the
/// budget goes. Its counters stay right in between; nobody will ask for tombstones.
fn clear_mailbox(
    conn: &Connection,
    mailbox: MailboxId,
    budget: &mut Budget,
    gone: &mut Vec<Handle>,
) -> Result<(), StoreError> {
    let mut mailbox = may(conn, Principal::Server, Right::Purge, mailbox)?;
    let mut highest = None;
    while !budget.is_spent()
        && let Some(message) = first_message(conn, mailbox.id)?
    {
        sql::run(
            conn,
            "DELETE FROM message WHERE mailbox = ?1 AND uid = ?2",
            params![mailbox.id.0, message.uid],
        )?;
        for id in [Some(message.body), message.prefix].into_iter().flatten() {
            body::release(conn, id, gone)?;
            highest = highest.max(Some(id));
        }
        if !message.expunged {
            mailbox.count_out(message.flags, message.size);
        }
        budget.spend(1, message.size);
    }
    if let Some(highest) = highest {
        body::remember(conn, highest)?;
        mailbox.save(conn)?;
    }
    let tombstones = sql::run(
        conn,
        "DELETE FROM tombstone WHERE mailbox = ?1 AND (modseq, first) IN \
         (SELECT modseq, first FROM tombstone WHERE mailbox = ?1 LIMIT ?2)",
        params![mailbox.id.0, i64::try_from(budget.rows).unwrap_or(i64::MAX)],
    )?;
    budget.spend(tombstones, 0);
    if !budget.is_spent() {
        sql::run(conn, "DELETE FROM keyword WHERE mailbox = ?1", [mailbox.id.0])?;
        sql::run(conn, "DELETE FROM mailbox WHERE id = ?1", [mailbox.id.0])?;
        budget.spend(1, 0);
    }
    Ok(())
}

/// A message that is about to go.
struct Leaving {
    uid: u32,
    expunged: bool,
    flags: Flags,
    size: u64,
    body: BodyId,
    prefix: Option<BodyId>,
}

fn first_message(conn: &Connection, mailbox: MailboxId) -> Result<Option<Leaving>, StoreError> {
    Ok(sql::first(
        conn,
        "SELECT uid, expunged, flags, size, body, prefix FROM message WHERE mailbox = ?1 \
         ORDER BY uid LIMIT 1",
        [mailbox.0],
        |row| {
            Ok(Leaving {
                uid: row.get(0)?,
                expunged: row.get(1)?,
                flags: Flags(sql::u64_at(row, 2)?),
                size: sql::u64_at(row, 3)?,
                body: BodyId(row.get(4)?),
                prefix: row.get::<_, Option<i64>>(5)?.map(BodyId),
            })
        },
    )?)
}
