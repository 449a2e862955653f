//! Answers questions, each from one snapshot.

use std::sync::Arc;

use rusqlite::Connection;

use crate::dmarc_seen::About;
use crate::index::find::Index;
use crate::messages::{Asked, Piece};
use crate::rights::{Principal, Right, may};
use crate::store::Shared;
use crate::{
    AccountId, Address, Found, Read, Routing, StoreError, account_key, accounts, addressee, alias,
    attempts, capability, changes, directory, dkim_key, dmarc_seen, mailbox, messages, names,
    queue, quota, sender,
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
            Read::Queue(job) => queue::read(&snapshot, bodies, &job),
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
            Read::Mailboxes { account } => mailboxes(&snapshot, account),
            Read::MailboxByName { account, name } => mailbox_by_name(&snapshot, account, &name),
            Read::Select { by, mailbox, since } => {
                mailbox::select(&snapshot, &self.shared.flag_runs, by, mailbox, since)
                    .map(Found::Selected)
            }
            Read::Subscriptions { account } => {
                names::subscriptions(&snapshot, account).map(Found::Subscriptions)
            }
            Read::Storage { account } => {
                quota::storage(&snapshot, account, self.shared.options.quota).map(Found::Storage)
            }
            Read::DeletedStorage { by, mailbox } => {
                mailbox::deleted_bytes(&snapshot, by, mailbox).map(Found::DeletedStorage)
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
            Read::FlagRuns { by, mailbox } => {
                self.shared.flag_runs.ask(&snapshot, by, mailbox).map(Found::FlagRuns)
            }
            Read::Bytes { by, mailbox, uid, offset, count, also_expunged } => {
                let piece = Piece { uid, offset, count, also_expunged };
                messages::bytes(&snapshot, bodies, by, mailbox, &piece).map(Found::Bytes)
            }
            Read::KeyHolder { .. }
            | Read::Logins { .. }
            | Read::KnowsNetwork { .. }
            | Read::DkimKeys { .. }
            | Read::DmarcSeen { .. }
            | Read::Counts
            | Read::Hidden { .. }
            | Read::Account { .. }
            | Read::Accounts { .. }
            | Read::Aliases { .. }
            | Read::IsOurs { .. }
            | Read::Domains { .. } => of_the_directory(&snapshot, job),
        }
    }
}

/// What is asked about accounts, aliases and domains, and what was noted.
fn of_the_directory(conn: &Connection, job: Read) -> Result<Found, StoreError> {
    match job {
        Read::KeyHolder { fingerprint } => {
            account_key::holder(conn, &fingerprint).map(Found::KeyHolder)
        }
        Read::Logins { account, skip, count_max } => {
            attempts::list(conn, account, skip, count_max).map(Found::Logins)
        }
        Read::KnowsNetwork { account, network } => {
            attempts::knows(conn, account, &network).map(Found::KnowsNetwork)
        }
        Read::DkimKeys { domain } => dkim_key::of(conn, &domain).map(Found::DkimKeys),
        Read::DmarcSeen { day, skip, count_max } => {
            dmarc_seen::list(conn, About::Messages, day, skip, count_max).map(Found::DmarcSeen)
        }
        Read::Hidden { account } => capability::of(conn, account).map(Found::Hidden),
        Read::Counts => accounts::counts(conn).map(Found::Counts),
        Read::Account { account } => {
            directory::account(conn, account).map(|found| Found::Accounts(vec![found]))
        }
        Read::Accounts { after, count_max, secrets } => {
            directory::accounts(conn, &after, count_max, secrets).map(Found::Accounts)
        }
        Read::Aliases { after, count_max } => {
            alias::list(conn, (&after.domain, &after.localpart), count_max).map(Found::Aliases)
        }
        Read::IsOurs { domain } => accounts::is_ours(conn, &domain).map(Found::Ours),
        Read::Domains { after, count_max } => {
            directory::domains(conn, &after, count_max).map(Found::Domains)
        }
        _ => Err(StoreError::Misuse("that is not about accounts")),
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
