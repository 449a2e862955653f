//! The one place that decides who may do what to a mailbox.

use rusqlite::{Connection, params};

use crate::mailbox::Mailbox;
use crate::{AccountId, MailboxId, StoreError, accounts, sql};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Principal {
    /// A client that has proved who it is, or mail for this account.
    Account(AccountId),
    /// The server itself, keeping house.
    Server,
}

/// What is to be done, in the terms of RFC 4314 §2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// `r`: select it, read what lies in it.
    Read,
    /// `i`: put a message into it (by delivery, APPEND or COPY).
    Insert,
    /// `s`, `w` and `t`: change flags and keywords.
    Write,
    /// `e`: expunge.
    Expunge,
    /// `x`: delete or rename the mailbox.
    Delete,
    /// Let expunged messages go for good; no client has this right.
    Purge,
}

/// The mailbox, if `principal` has this `right` to it. Nothing else in this crate gives out a
/// mailbox's row.
///
/// An owner may do everything to what is its own, nobody else anything: sharing, once it exists,
/// is a row that is looked up here.
///
/// # Errors
///
/// [`StoreError::NoSuchMailbox`], [`StoreError::NotPermitted`], and [`StoreError::NoSuchAccount`]
/// where the principal itself is gone. Whether a client is told the
/// difference is for its protocol to decide (RFC 4314 §6).
pub(crate) fn may(
    conn: &Connection,
    principal: Principal,
    right: Right,
    mailbox: MailboxId,
) -> Result<Mailbox, StoreError> {
    let found = sql::first(conn, SELECT, params![mailbox.0], |row| {
        Ok((AccountId(row.get(0)?), Mailbox::from_row(row)?))
    })?;
    let refused = match (principal, found) {
        (Principal::Server, Some((_, mailbox))) => return Ok(mailbox),
        (Principal::Account(account), Some((owner, mailbox)))
            if account == owner && right != Right::Purge =>
        {
            return Ok(mailbox);
        }
        (_, Some(_)) => StoreError::NotPermitted,
        (_, None) => StoreError::NoSuchMailbox,
    };
    // An account that was removed has lost its mailboxes first: that it is gone says more.
    if let Principal::Account(account) = principal {
        accounts::require(conn, account)?;
    }
    Err(refused)
}

const SELECT: &str = "SELECT account, id, uidvalidity, uidnext, highestmodseq, messages, unseen, \
                      deleted, bytes, claimed, forgotten FROM mailbox WHERE id = ?1";
