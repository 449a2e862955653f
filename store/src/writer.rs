//! Carries out changes: what waits becomes one durable transaction.

use std::collections::VecDeque;
use std::sync::Arc;

use pillarbox_core::effect::{Fault, FaultKind, Handle};
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, DEFAULT_NAME};

use crate::append::{self, Appending};
use crate::dmarc_seen::About;
use crate::flags::{self, Flagging};
use crate::import::{self, Importing};
use crate::names::Names;
use crate::store::Shared;
use crate::{
    MESSAGES_MAX, MailboxId, StoreError, Write, Written, account_key, accounts, alias, attempts,
    capability, changes, deliver, directory, dkim_key, dmarc_seen, expunge, hold, mailbox, queue,
    quota, removal, sql, stage,
};

/// A connection that writes. SQLite lets one write at a time; more writers than one only wait for
/// each other.
#[derive(Debug)]
pub struct Writer {
    pub(crate) conn: Connection,
    pub(crate) shared: Arc<Shared>,
    pub(crate) checkpoint_due: bool,
    /// Mailboxes with more to purge than one job does, and up to which MODSEQ.
    pub(crate) unpurged: VecDeque<(MailboxId, u64)>,
}

impl Writer {
    /// Carries out all jobs as one transaction and answers each, in their order, after it is on
    /// the disk. A job that fails leaves no trace and spoils no other. If the transaction as a
    /// whole fails, every job that had been done gets that error instead.
    ///
    /// After [`StoreError::Io`] every further call answers the same: reopen the store. Where the
    /// commit itself failed in this way, the error's kind is `Unknown`: its jobs may be found done
    /// after the store is reopened.
    pub fn commit(&mut self, jobs: Vec<Write>) -> Vec<Result<Written, StoreError>> {
        let count = jobs.len();
        if count == 0 {
            return Vec::new();
        }
        let distrust = jobs.iter().find_map(|job| match job {
            Write::Distrust { reason } => Some(reason.as_str()),
            _ => None,
        });
        if let Some(reason) = distrust {
            self.shared.mark(&StoreError::Io(Fault::new(FaultKind::Temporary, reason)));
        }
        let purges: Vec<_> = jobs
            .iter()
            .enumerate()
            .filter_map(|(index, job)| match job {
                Write::Purge { mailbox, up_to_modseq } => Some((index, *mailbox, *up_to_modseq)),
                _ => None,
            })
            .collect();
        let mut gone = Vec::new();
        let outcome = match self.shared.check() {
            Ok(()) => self.transact(jobs, &mut gone),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(answers) => {
                // After the commit only: a file removed before could be named again by a rollback.
                hold::remove(&self.shared, gone);
                self.look_at_wal();
                for (index, mailbox, up_to_modseq) in purges {
                    if let Some(Ok(Written::Purged(count))) = answers.get(index)
                        && *count >= MOST_PURGED
                    {
                        self.unpurged.push_back((mailbox, up_to_modseq));
                    }
                }
                answers
            }
            Err(error) => {
                self.shared.mark(&error);
                vec![Err(error); count]
            }
        }
    }

    /// Goes on, by a bounded piece, with what earlier jobs have left: the rest of what was to be
    /// purged. Says whether there is more. What is not come to is swept at the next start.
    pub fn go_on(&mut self) -> bool {
        if let Some((mailbox, up_to_modseq)) = self.unpurged.pop_front() {
            // Its own failure stops all that comes, or says that the mailbox is gone.
            let _ = self.commit(vec![Write::Purge { mailbox, up_to_modseq }]);
        }
        !self.unpurged.is_empty()
    }

    /// Whether the WAL has grown enough, by the last commit, for a
    /// [`Store::checkpoint`](crate::Store::checkpoint), away from the commit path.
    #[must_use]
    pub const fn checkpoint_due(&self) -> bool {
        self.checkpoint_due
    }

    /// The transaction: begun, filled and committed, or rolled back.
    fn transact(
        &self,
        jobs: Vec<Write>,
        gone: &mut Vec<Handle>,
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        sql::run(&self.conn, "BEGIN IMMEDIATE", [])?;
        let outcome = self.carry_out(jobs, gone).and_then(|answers| {
            let committed = sql::run(&self.conn, "COMMIT", []).map_err(StoreError::from);
            committed.map_err(StoreError::in_doubt).map(|_| answers)
        });
        if outcome.is_err() && !self.conn.is_autocommit() {
            // Its own failure adds nothing: SQLite rolls back when the connection closes, too.
            let _ = sql::run(&self.conn, "ROLLBACK", []);
        }
        outcome
    }

    /// Each job in its own savepoint. An error here means that the transaction is lost as a whole.
    fn carry_out(
        &self,
        jobs: Vec<Write>,
        gone: &mut Vec<Handle>,
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            sql::run(&self.conn, "SAVEPOINT job", [])?;
            let mut released = Vec::new();
            let answer = self.carry_out_one(&job, &mut released);
            match &answer {
                Ok(_) => gone.append(&mut released),
                // After these SQLite may have rolled back more than the savepoint.
                Err(error @ StoreError::Io(_)) => return Err(error.clone()),
                Err(error) if self.conn.is_autocommit() => return Err(error.clone()),
                Err(_) => {
                    sql::run(&self.conn, "ROLLBACK TO job", [])?;
                }
            }
            sql::run(&self.conn, "RELEASE job", [])?;
            answers.push(answer);
        }
        Ok(answers)
    }

    fn carry_out_one(&self, job: &Write, gone: &mut Vec<Handle>) -> Result<Written, StoreError> {
        let conn = &self.conn;
        match job {
            Write::Deliver { recipients, body, leaving, received } => {
                deliver::deliver(conn, &self.shared, recipients, body, leaving, *received)
                    .map(Written::Delivered)
            }
            Write::DeliverEach { recipients, body, leaving, received } => {
                deliver::deliver_each(conn, &self.shared, recipients, body, leaving, *received)
                    .map(Written::DeliveredEach)
            }
            Write::Copy { .. }
            | Write::Stage { .. }
            | Write::Appear { .. }
            | Write::Unstage { .. }
            | Write::Move { .. } => self.carry_out_copying(job, gone),
            Write::StoreFlags { by, mailbox, uids, unchanged_since, change, flags, keywords } => {
                let what = Flagging {
                    change: *change,
                    flags: *flags,
                    keywords,
                    unchanged_since: *unchanged_since,
                };
                flags::store(conn, *by, *mailbox, uids, &what).map(Written::Flagged)
            }
            Write::Expunge { by, mailbox, uids } => {
                expunge::expunge(conn, *by, *mailbox, uids.as_deref()).map(Written::Expunged)
            }
            Write::Purge { mailbox, up_to_modseq } => {
                self.purge(*mailbox, *up_to_modseq, gone).map(Written::Purged)
            }
            Write::Append { .. }
            | Write::Meet { .. }
            | Write::Import { .. }
            | Write::Forget { .. } => self.carry_out_bringing(job),
            Write::Claim { by, mailbox, up_to } => {
                mailbox::claim(conn, *by, *mailbox, *up_to).map(|()| Written::Done)
            }
            Write::CreateMailbox { .. }
            | Write::RenameMailbox { .. }
            | Write::DeleteMailbox { .. }
            | Write::Subscribe { .. } => self.carry_out_naming(job, gone),
            Write::CreateAccount { .. }
            | Write::SetSecrets { .. }
            | Write::AddKey { .. }
            | Write::RemoveKey { .. }
            | Write::Note { .. }
            | Write::SetCramMd5 { .. }
            | Write::ChangeDkimKey { .. }
            | Write::CreateDomain { .. }
            | Write::CreateAddress { .. }
            | Write::SetCatchAll { .. }
            | Write::Add { .. }
            | Write::ChangeAlias { .. }
            | Write::RemoveAlias { .. }
            | Write::SetQuota { .. }
            | Write::SetDisabled { .. }
            | Write::HideCapability { .. }
            | Write::RemoveAddress { .. }
            | Write::RemoveDomain { .. }
            | Write::RemoveAccount { .. }
            | Write::Clear { .. } => self.carry_out_directing(job, gone),
            Write::Queue(job) => queue::write(conn, &self.shared, job, gone),
            // Marked before the transaction, which was then not begun.
            Write::Distrust { .. } => Err(StoreError::Misuse("distrust is not part of a commit")),
        }
    }

    /// What copies and moves messages.
    fn carry_out_copying(
        &self,
        job: &Write,
        gone: &mut Vec<Handle>,
    ) -> Result<Written, StoreError> {
        let conn = &self.conn;
        match job {
            Write::Copy { by, from, uids, to, now } => {
                deliver::copy(conn, &self.shared, *by, *from, uids, *to, *now)
                    .map(|(uidvalidity, pairs)| Written::Copied(uidvalidity, pairs))
            }
            Write::Move { by, from, uids, to, now } => {
                deliver::relocate(conn, *by, *from, uids, *to, *now, MESSAGES_MAX)
                    .map(Written::Moved)
            }
            Write::Stage { by, from, uids, to, batch, now } => {
                stage::stage(conn, *by, (*from, *to), uids, *batch, *now).map(Written::Staged)
            }
            Write::Appear { by, batch, to } => {
                stage::appear(conn, &self.shared, *by, *batch, *to).map(Written::Appeared)
            }
            Write::Unstage { batch } => stage::unstage(conn, *batch, gone).map(Written::Purged),
            _ => Err(StoreError::Misuse("that copies nothing")),
        }
    }

    /// What is done to accounts, addresses and domains.
    fn carry_out_directing(
        &self,
        job: &Write,
        gone: &mut Vec<Handle>,
    ) -> Result<Written, StoreError> {
        let conn = &self.conn;
        match job {
            Write::CreateAccount { name, now } => {
                accounts::create(conn, name, *now).map(Written::Account)
            }
            Write::SetSecrets { account, secrets } => {
                accounts::set_secrets(conn, *account, secrets).map(|()| Written::Done)
            }
            Write::AddKey { account, key, now } => {
                account_key::add(conn, *account, key, *now).map(|()| Written::Done)
            }
            Write::RemoveKey { account, fingerprint } => {
                account_key::remove(conn, *account, fingerprint).map(|()| Written::Done)
            }
            Write::Note { attempts, dmarc, now } => {
                attempts::note(conn, attempts, *now)?;
                dmarc_seen::note(conn, About::Messages, dmarc, *now).map(|()| Written::Done)
            }
            Write::ChangeDkimKey { domain, selector, change } => {
                dkim_key::change(conn, domain, selector, change).map(|()| Written::Done)
            }
            Write::SetCramMd5 { domain, on } => {
                accounts::set_cram_md5(conn, domain, *on).map(|()| Written::Done)
            }
            Write::CreateDomain { name } => {
                accounts::create_domain(conn, name).map(Written::Domain)
            }
            Write::CreateAddress { localpart, domain, account } => {
                accounts::create_address(conn, localpart, domain, *account).map(|()| Written::Done)
            }
            Write::SetCatchAll { domain, account } => {
                accounts::set_catch_all(conn, domain, *account).map(|()| Written::Done)
            }
            Write::Add { additions, now } => {
                directory::add(conn, additions, *now).map(|()| Written::Done)
            }
            Write::ChangeAlias { alias, change } => {
                alias::change(conn, alias, change).map(|()| Written::Done)
            }
            Write::RemoveAlias { alias } => alias::remove(conn, alias).map(|()| Written::Done),
            Write::SetQuota { account, quota } => {
                quota::set(conn, *account, *quota).map(|()| Written::Done)
            }
            Write::HideCapability { account, name, hidden } => {
                capability::set(conn, *account, name, *hidden).map(|()| Written::Done)
            }
            Write::SetDisabled { account, disabled } => {
                quota::set_disabled(conn, *account, *disabled).map(|()| Written::Done)
            }
            Write::RemoveAddress { localpart, domain } => {
                removal::address(conn, localpart, domain).map(|()| Written::Done)
            }
            Write::RemoveDomain { name, with_addresses } => {
                removal::domain(conn, name, *with_addresses).map(|()| Written::Done)
            }
            Write::RemoveAccount { account } => {
                removal::account(conn, *account).map(|()| Written::Done)
            }
            Write::Clear { messages_max } => {
                removal::clear(conn, *messages_max, gone).map(Written::Cleared)
            }
            _ => Err(StoreError::Misuse("that is not about accounts")),
        }
    }

    /// What a client or a file brings.
    fn carry_out_bringing(&self, job: &Write) -> Result<Written, StoreError> {
        let conn = &self.conn;
        match job {
            Write::Append { by, mailbox, messages, replaces, now } => {
                let what = Appending { messages, replaces: *replaces, now: *now };
                append::append(conn, &self.shared, *by, *mailbox, &what).map(Written::Appended)
            }
            Write::Meet { by, run, once, keys } => {
                import::meet(conn, *by, *run, *once, keys).map(Written::Wanted)
            }
            Write::Import { by, mailbox, run, met, messages, now } => {
                let what = Importing { run: *run, met: *met, messages, now: *now };
                import::import(conn, &self.shared, *by, *mailbox, &what).map(Written::Imported)
            }
            Write::Forget { by } => import::forget(conn, *by).map(Written::Forgotten),
            _ => Err(StoreError::Misuse("no job that brings a message")),
        }
    }

    /// Expunged messages go; and what is remembered of those that went long ago.
    fn purge(
        &self,
        mailbox: MailboxId,
        up_to_modseq: u64,
        gone: &mut Vec<Handle>,
    ) -> Result<u64, StoreError> {
        let purged = expunge::purge(&self.conn, mailbox, up_to_modseq, gone)?;
        changes::forget(&self.conn, mailbox, self.shared.options.tombstones_max)?;
        Ok(purged)
    }

    /// What is done to mailboxes by their names.
    fn carry_out_naming(&self, job: &Write, gone: &mut Vec<Handle>) -> Result<Written, StoreError> {
        let most = self.shared.options.mailboxes_max;
        let of = |account| Names { conn: &self.conn, account, most };
        match job {
            Write::CreateMailbox { by, name, special, now } => {
                of(*by).create(name, *special, *now).map(Written::Mailbox)
            }
            Write::RenameMailbox { by, from, to, now } => {
                of(*by).rename(from, to, *now).map(Written::Renamed)
            }
            Write::DeleteMailbox { by, name } => of(*by).delete(name, gone).map(Written::Mailbox),
            Write::Subscribe { by, name, on } => {
                of(*by).subscribe(name, *on).map(|()| Written::Done)
            }
            _ => Err(StoreError::Misuse("no job that names a mailbox")),
        }
    }

    /// Compares the pages in the WAL that are not yet in the database with the mark.
    fn look_at_wal(&mut self) {
        let looked = self.conn.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::NOOP);
        self.checkpoint_due = looked.is_ok_and(|(pages, done)| {
            i64::from(pages) - i64::from(done) >= i64::from(self.shared.options.checkpoint_pages)
        });
    }
}

/// The same as [`MESSAGES_MAX`], as it is counted in answers.
const MOST_PURGED: u64 = MESSAGES_MAX as u64;
