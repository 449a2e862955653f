//! Mailboxes by name: made, renamed, removed, subscribed to.
//!
//! The name is all that there is of the hierarchy: `a/b` lies below `a`, whether or not a mailbox
//! `a` exists. So one that goes takes nothing with it.

use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::Handle;
use pillarbox_core::imap::name::{DELIMITER, MailboxName, NameError};
use rusqlite::{Connection, params};

use crate::mailbox;
use crate::rights::{Principal, Right, may};
use crate::{
    AccountId, Expunged, MailboxId, Place, Special, StoreError, UidRange, accounts, deliver,
    expunge, sql,
};

/// The names of one account.
pub(crate) struct Names<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) account: AccountId,
    /// How many mailboxes it can have, and how many subscriptions.
    pub(crate) most: u32,
}

impl Names<'_> {
    /// A mailbox, and those above it that are missing. A use that it is to have is taken from the
    /// mailbox that had it.
    pub(crate) fn create(
        &self,
        name: &str,
        special: Option<Special>,
        now: UnixSeconds,
    ) -> Result<MailboxId, StoreError> {
        accounts::require(self.conn, self.account)?;
        let name = valid(name)?;
        if self.find(name.as_str())?.is_some() {
            return Err(StoreError::AlreadyExists);
        }
        self.create_above(&name, now)?;
        if let Some(special) = special {
            let take = "UPDATE mailbox SET special = NULL WHERE account = ?1 AND special = ?2";
            sql::run(self.conn, take, params![self.account.0, special.code()])?;
        }
        self.make(name.as_str(), special, now)
    }

    /// Gives a mailbox and all below it other names. For INBOX: what was taken out of it.
    pub(crate) fn rename(
        &self,
        from: &str,
        to: &str,
        now: UnixSeconds,
    ) -> Result<Option<(MailboxId, Expunged)>, StoreError> {
        accounts::require(self.conn, self.account)?;
        let (from, to) = (valid(from)?, valid(to)?);
        if self.find(to.as_str())?.is_some() {
            return Err(StoreError::AlreadyExists);
        }
        if from.is_inbox() {
            return self.empty_inbox(&to, now).map(Some);
        }
        if below(to.as_str(), from.as_str()).is_some() {
            return Err(StoreError::Cannot("a mailbox cannot be moved below itself"));
        }
        let leaving = self.at_or_below(from.as_str())?;
        if leaving.is_empty() {
            return Err(StoreError::NoSuchMailbox);
        }
        let mut renamed = Vec::with_capacity(leaving.len());
        for (id, name) in leaving {
            may(self.conn, Principal::Account(self.account), Right::Delete, id)?;
            let rest = below(&name, from.as_str()).unwrap_or_default();
            let name = valid(&format!("{to}{rest}"))?;
            if self.find(name.as_str())?.is_some() {
                return Err(StoreError::AlreadyExists);
            }
            renamed.push((id, name));
        }
        self.create_above(&to, now)?;
        for (id, name) in renamed {
            sql::run(
                self.conn,
                "UPDATE mailbox SET name = ?2 WHERE id = ?1",
                params![id.0, name.as_str()],
            )?;
        }
        Ok(None)
    }

    /// RFC 3501 §6.3.5: INBOX stays, empty; its messages go into a new mailbox, and those below
    /// it are not touched.
    fn empty_inbox(
        &self,
        to: &MailboxName,
        now: UnixSeconds,
    ) -> Result<(MailboxId, Expunged), StoreError> {
        let inbox = mailbox::locate(self.conn, self.account, Place::Inbox)?;
        self.create_above(to, now)?;
        let new = self.make(to.as_str(), None, now)?;
        let all = [UidRange::ALL];
        let moved = deliver::relocate(self.conn, self.account, inbox, &all, new, now, usize::MAX)?;
        let uids = moved.pairs.into_iter().map(|(uid, _)| uid).collect();
        Ok((inbox, Expunged { modseq: moved.modseq, uids, more: None }))
    }

    /// A mailbox goes, with all that is in it; those below it stay.
    pub(crate) fn delete(
        &self,
        name: &str,
        gone: &mut Vec<Handle>,
    ) -> Result<MailboxId, StoreError> {
        let name = valid(name)?;
        if name.is_inbox() {
            return Err(StoreError::Cannot("INBOX cannot be deleted"));
        }
        let Some(id) = self.find(name.as_str())? else {
            // RFC 3501 §6.3.4: an error too, but not the same one.
            return Err(match self.at_or_below(name.as_str())?.is_empty() {
                true => StoreError::NoSuchMailbox,
                false => StoreError::Cannot("only mailboxes below it exist, delete those"),
            });
        };
        may(self.conn, Principal::Account(self.account), Right::Delete, id)?;
        expunge::delete(self.conn, id, gone)?;
        Ok(id)
    }

    /// Subscribes to a name, or no longer. What is so already stays so.
    pub(crate) fn subscribe(&self, name: &str, on: bool) -> Result<(), StoreError> {
        accounts::require(self.conn, self.account)?;
        let name = valid(name)?;
        let row = params![self.account.0, name.as_str()];
        if !on {
            let remove = "DELETE FROM subscription WHERE account = ?1 AND name = ?2";
            sql::run(self.conn, remove, row)?;
            return Ok(());
        }
        let added = sql::run(
            self.conn,
            "INSERT INTO subscription (account, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            row,
        )?;
        let count = "SELECT count(*) FROM subscription WHERE account = ?1";
        if added > 0 && self.count(count)? > self.most {
            return Err(StoreError::MailboxLimit);
        }
        Ok(())
    }

    /// RFC 3501 §6.3.3: the mailboxes above one are made with it.
    fn create_above(&self, name: &MailboxName, now: UnixSeconds) -> Result<(), StoreError> {
        for above in name.above() {
            if self.find(above)?.is_none() {
                self.make(above, None, now)?;
            }
        }
        Ok(())
    }

    fn make(
        &self,
        name: &str,
        special: Option<Special>,
        now: UnixSeconds,
    ) -> Result<MailboxId, StoreError> {
        if self.count("SELECT count(*) FROM mailbox WHERE account = ?1")? >= self.most {
            return Err(StoreError::MailboxLimit);
        }
        mailbox::create(self.conn, self.account, name, special, now)
    }

    fn count(&self, query: &str) -> Result<u32, StoreError> {
        let count = sql::first(self.conn, query, [self.account.0], |row| row.get(0))?;
        Ok(count.unwrap_or(0))
    }

    fn find(&self, name: &str) -> Result<Option<MailboxId>, StoreError> {
        Ok(sql::first(
            self.conn,
            "SELECT id FROM mailbox WHERE account = ?1 AND name = ?2",
            params![self.account.0, name],
            |row| row.get(0).map(MailboxId),
        )?)
    }

    /// The mailbox of this name, if there is one, and those below it.
    fn at_or_below(&self, name: &str) -> Result<Vec<(MailboxId, String)>, StoreError> {
        // Those below are those from `name/` up to, but without, `name0`: 0 comes next after /.
        Ok(sql::all(
            self.conn,
            "SELECT id, name FROM mailbox WHERE account = ?1 \
             AND (name = ?2 OR (name >= ?2 || '/' AND name < ?2 || '0')) ORDER BY name",
            params![self.account.0, name],
            |row| Ok((MailboxId(row.get(0)?), row.get(1)?)),
        )?)
    }
}

/// The names that an account has subscribed to.
pub(crate) fn subscriptions(
    conn: &Connection,
    account: AccountId,
) -> Result<Vec<String>, StoreError> {
    accounts::require(conn, account)?;
    Ok(sql::all(
        conn,
        "SELECT name FROM subscription WHERE account = ?1 ORDER BY name",
        [account.0],
        |row| row.get(0),
    )?)
}

/// What stands behind `above` in the name of a mailbox below it, with the delimiter.
fn below<'n>(name: &'n str, above: &str) -> Option<&'n str> {
    name.strip_prefix(above).filter(|rest| rest.starts_with(DELIMITER))
}

/// No name comes in that could not be told again.
fn valid(name: &str) -> Result<MailboxName, StoreError> {
    MailboxName::new(name).map_err(|error| match error {
        NameError::TooLong | NameError::TooDeep => StoreError::NameLimit,
        _ => StoreError::Misuse("no mailbox can have such a name"),
    })
}
