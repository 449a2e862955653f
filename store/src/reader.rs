//! Answers questions, each from one snapshot.

use std::sync::Arc;

use rusqlite::Connection;

use crate::index::find::Index;
use crate::messages::{Asked, Piece};
use crate::rights::{Principal, Right, may};
use crate::store::Shared;
use crate::{
    AccountId, Address, Found, Read, Routing, StoreError, account_key, accounts, addressee, alias,
    attempts, changes, directory, mailbox, messages, names, sender,
};

/// A connection that only reads. Have as many as there are lanes that read at the same time.
#[derive(Debug)]
pub struct Reader {
    pub(crate) conn: Connection,
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: Index,
}

impl Reader {
    /// Answers one question. It sees every commit that was answered before the call, and no
    /// snapshot outlives the call: one that did would keep the WAL from being used again.
    ///
    /// # Errors
    ///
    /// Each [`Read`] names its own; any can give [`StoreError::Fault`] or [`StoreError::Io`].
    pub fn read(&mut self, job: Read) -> Result<Found, StoreError> {
        // Dropped, and so rolled back, at the end of this call.
        let snapshot = self.conn.unchecked_transaction()?;
        let bodies = &self.shared.bodies;
        match job {
            Read::Resolve { to, from, routing } => {
                resolve(&snapshot, &to, from, &routing, self.shared.options.quota)
            }
            Read::Foreign { account, addresses, separators } => {
                sender::foreign(&snapshot, account, &addresses, &separators).map(Found::Foreign)
            }
            Read::Credentials { login } => {
                accounts::credentials(&snapshot, &login).map(Found::Credentials)
            }
            Read::Namesake { localpart } => {
                accounts::namesake(&snapshot, &localpart).map(Found::Namesake)
            }
            Read::Logins { account, skip, count_max } => {
                attempts::list(&snapshot, account, skip, count_max).map(Found::Logins)
            }
            Read::KnowsNetwork { account, network } => {
                attempts::knows(&snapshot, account, &network).map(Found::KnowsNetwork)
            }
            Read::Mailboxes { account } => mailboxes(&snapshot, account),
            Read::MailboxByName { account, name } => mailbox_by_name(&snapshot, account, &name),
            Read::Select { by, mailbox, since } => {
                mailbox::select(&snapshot, by, mailbox, since).map(Found::Selected)
            }
            Read::Subscriptions { account } => {
                names::subscriptions(&snapshot, account).map(Found::Subscriptions)
            }
            Read::Recent { by, mailbox, above } => {
                mailbox::recent(&snapshot, by, mailbox, above).map(Found::Recent)
            }
            Read::Status { by, mailbox } => {
                may(&snapshot, Principal::Account(by), Right::Read, mailbox)
                    .map(|opened| Found::Status(opened.status))
            }
            Read::Changes { by, mailbox, since } => {
                changes::since(&snapshot, by, mailbox, since).map(Found::Changes)
            }
            Read::Messages { by, mailbox, uids, after, count_max, what, also_expunged } => {
                let asked = Asked { uids: &uids, after, count_max, what, also_expunged };
                messages::list(&snapshot, bodies, by, mailbox, &asked).map(Found::Messages)
            }
            Read::Candidates { by, mailbox, filter } => {
                self.index.ask(&snapshot, &self.shared, by, mailbox, &filter).map(Found::Candidates)
            }
            Read::Bytes { by, mailbox, uid, offset, count, also_expunged } => {
                let piece = Piece { uid, offset, count, also_expunged };
                messages::bytes(&snapshot, bodies, by, mailbox, &piece).map(Found::Bytes)
            }
            Read::KeyHolder { fingerprint } => {
                account_key::holder(&snapshot, &fingerprint).map(Found::KeyHolder)
            }
            Read::Counts => accounts::counts(&snapshot).map(Found::Counts),
            Read::Account { account } => {
                directory::account(&snapshot, account).map(|found| Found::Accounts(vec![found]))
            }
            Read::Accounts { after, count_max, secrets } => {
                directory::accounts(&snapshot, &after, count_max, secrets).map(Found::Accounts)
            }
            Read::Aliases { after, count_max } => {
                alias::list(&snapshot, (&after.domain, &after.localpart), count_max)
                    .map(Found::Aliases)
            }
            Read::IsOurs { domain } => accounts::is_ours(&snapshot, &domain).map(Found::Ours),
            Read::Domains { after, count_max } => {
                directory::domains(&snapshot, &after, count_max).map(Found::Domains)
            }
        }
    }
}

fn resolve(
    conn: &Connection,
    to: &Address,
    from: Option<Address>,
    routing: &Routing,
    quota: Option<u64>,
) -> Result<Found, StoreError> {
    let found = addressee::find(conn, to, routing, quota)?;
    let from = match from {
        Some(from) => addressee::owner(conn, &from, &routing.separators)?,
        None => None,
    };
    Ok(Found::Addressee(found, from))
}

fn mailbox_by_name(conn: &Connection, account: AccountId, name: &str) -> Result<Found, StoreError> {
    // That the account is gone is worth a look only where nothing was found.
    mailbox::by_name(conn, account, name)
        .or_else(|error| accounts::require(conn, account).and(Err(error)))
        .map(Found::Mailbox)
}

fn mailboxes(conn: &Connection, account: AccountId) -> Result<Found, StoreError> {
    accounts::require(conn, account)?;
    mailbox::list(conn, account).map(Found::Mailboxes)
}
