//! Mail that leaves. A message enters in the commit that gives the `250`, waits for each recipient by
//! itself, and is kept for a while after it has left, so that it can be told where it went.
//!
//! MAIL and RCPT are kept as commands: who puts them in takes them out again.

mod change;
mod correspondents;
mod due;
mod enter;
mod hold;
mod look;
mod settle;
mod sts;

use std::fmt;

use pillarbox_core::UnixSeconds;
use rusqlite::Connection;

pub(crate) use change::{change, forget};
pub(crate) use due::{bytes, destinations, due, next};
pub(crate) use enter::{enter, enter_body};
pub(crate) use look::{show, transcript};
pub(crate) use settle::settle;

use crate::dmarc_seen::{self, About};
use crate::{AccountId, Delivered, NewBody, StoreError};

/// A message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutgoingId(pub i64);

/// One recipient of such a message. People name it, so it never means another one later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub i64);

/// A message that enters.
#[derive(Clone, PartialEq, Eq)]
pub struct NewOutgoing {
    /// Who submitted it.
    pub account: Option<AccountId>,
    /// The reverse path without brackets; empty for the null sender.
    pub sender: String,
    /// MAIL, as it is written.
    pub mail: String,
    /// Its Message-ID, without angle brackets.
    pub message_id: String,
    /// The connection by which it came.
    pub cid: String,
    /// It is to arrive, whatever protects it on its way (RFC 8689 §5).
    pub tls_optional: bool,
    /// How much its account may send.
    pub limits: Option<SendLimits>,
    /// Lines that stand in front of the body, each ended by CRLF.
    pub prefix: Vec<u8>,
    /// At least one.
    pub recipients: Vec<NewQueued>,
}

/// How much an account may send in 24 hours; `None`: any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendLimits {
    /// Recipients, each counted with each message.
    pub recipients_a_day: Option<u64>,
    /// Recipients to whom it had not written before.
    pub new_a_day: Option<u64>,
}

/// An address to which nothing of an account's is sent any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// Which; case is no difference.
    pub address: String,
    /// Since when.
    pub since: UnixSeconds,
    /// Why: what was said.
    pub reason: String,
}

/// A recipient who is to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewQueued {
    /// The address, as RCPT has it.
    pub address: String,
    /// Its domain, in A-labels; or a literal with its brackets.
    pub domain: String,
    /// RCPT, as it is written.
    pub rcpt: String,
    /// When it is tried first.
    pub next: UnixSeconds,
    /// It waits until somebody lets it go.
    pub held: bool,
}

/// What waits for one recipient and can be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The recipient.
    pub id: QueueId,
    /// The address, as RCPT has it.
    pub address: String,
    /// Its domain.
    pub domain: String,
    /// RCPT, as it is written.
    pub rcpt: String,
    /// Since when it can be tried.
    pub next: UnixSeconds,
    /// How often it was tried.
    pub attempts: u32,
    /// The sender knows that it takes long.
    pub warned: bool,
    /// By which way it has to go, where somebody has said so.
    pub transport: Option<String>,
    /// The message.
    pub message: Outgoing,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Which.
    pub id: OutgoingId,
    /// Who submitted it.
    pub account: Option<AccountId>,
    /// The reverse path; empty for the null sender.
    pub sender: String,
    /// MAIL, as it is written.
    pub mail: String,
    /// Its Message-ID, without angle brackets.
    pub message_id: String,
    /// The connection by which it came.
    pub cid: String,
    /// It is to arrive, whatever protects it on its way (RFC 8689 §5).
    pub tls_optional: bool,
    /// When it came.
    pub since: UnixSeconds,
    /// How many bytes it has.
    pub size: u64,
}

/// Where somebody who reads what is due has come to, in one domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueCursor {
    /// [`Due::next`] of the last one.
    pub next: UnixSeconds,
    /// The last one.
    pub id: QueueId,
}

impl DueCursor {
    /// Before all.
    pub const START: Self = Self { next: UnixSeconds(i64::MIN), id: QueueId(i64::MIN) };
}

/// An attempt, to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// When it began.
    pub began: UnixSeconds,
    /// The server's name; empty where none was asked.
    pub server: String,
    /// Its address and port.
    pub address: String,
    /// How it was protected, in words.
    pub tls: String,
    /// What was said.
    pub transcript: String,
}

/// What an attempt came to for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Which.
    pub id: QueueId,
    /// What becomes of it.
    pub outcome: Settled,
    /// What the server said, or what was wrong.
    pub said: String,
    /// Where it failed: nothing more of this account's is to go there.
    pub suppresses: bool,
}

/// What becomes of a recipient's copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The server has it.
    Delivered,
    /// Nobody will get it.
    Failed,
    /// It is tried again.
    Again {
        /// When.
        next: UnixSeconds,
        /// The sender knows that it takes long.
        warned: bool,
    },
}

/// A message of the server's own, which tells of another one.
#[derive(Clone, PartialEq, Eq)]
pub enum Report {
    /// Into the INBOX of an account, whatever its quota says.
    Inward {
        /// Whose.
        account: AccountId,
        /// The lines in front of it.
        prefix: Vec<u8>,
        /// The report.
        body: NewBody,
    },
    /// To another server.
    Outward(NewOutgoing, NewBody),
}

/// Which recipients are meant. Those that have left or were dropped are meant only where nothing but
/// looking is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// These; all where it is empty.
    pub ids: Vec<QueueId>,
    /// Of this account.
    pub account: Option<AccountId>,
    /// From this address; what is before the @ may be missing.
    pub from: Option<String>,
    /// To this address; what is before the @ may be missing.
    pub to: Option<String>,
    /// With this Message-ID.
    pub message_id: Option<String>,
    /// In one of these states; any where it is empty.
    pub states: Vec<State>,
}

/// How it stands with a recipient's copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits for its next attempt, or is being tried.
    Waiting,
    /// It waits until somebody lets it go.
    Held,
    /// The server has it.
    Delivered,
    /// Nobody got it.
    Failed,
    /// Somebody took it out.
    Dropped,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Held, Self::Delivered, Self::Failed, Self::Dropped];

    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::Held => 1,
            Self::Delivered => 2,
            Self::Failed => 3,
            Self::Dropped => 4,
        }
    }

    fn of(number: i64) -> Result<Self, StoreError> {
        let found = Self::ALL.into_iter().find(|state| state.number() == number);
        found.ok_or_else(|| StoreError::corrupt("a state of outgoing mail that is none"))
    }

    /// Whether somebody may still get it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Held)
    }
}

/// What an operator does with what waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueChange {
    /// It waits until it is let go.
    Hold,
    /// It is tried when it is due.
    Release,
    /// It is tried then.
    Reschedule(UnixSeconds),
    /// It goes by this way, whatever the rules say; `None`: as they say. It is tried at once.
    Transport(Option<String>, UnixSeconds),
    /// MAIL is this, for all recipients of the message.
    Mail(String),
    /// It is taken out, and nobody is told.
    Drop(UnixSeconds),
}

/// A recipient's copy as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// What waits; [`Due::next`] is when it ended, where it has.
    pub due: Due,
    /// How it stands.
    pub state: State,
    /// What came of it last.
    pub said: String,
}

/// A rule by which mail is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(pub i64);

/// What is held as soon as it enters. What is missing fits all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HoldRule {
    /// Of this account.
    pub account: Option<AccountId>,
    /// From this domain.
    pub sender: Option<String>,
    /// To this domain.
    pub recipient: Option<String>,
}

/// What a domain wants of TLS on the way to it (MTA-STS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsPolicy {
    /// Whose, in A-labels.
    pub domain: String,
    /// The id of the record that it was fetched for.
    pub id: String,
    /// The policy, as it was fetched.
    pub policy: String,
    /// When it was.
    pub fetched: UnixSeconds,
    /// Until when it holds; it is forgotten then.
    pub expires: UnixSeconds,
}

/// Totals of what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCounts {
    /// Waiting.
    pub waiting: u64,
    /// Held.
    pub held: u64,
}

/// Jobs that change what leaves.
#[derive(Clone, PartialEq, Eq)]
pub enum QueueWrite {
    /// A message of the server's own enters. Answer: [`Written::Done`](crate::Written::Done).
    Enter(NewOutgoing, NewBody, UnixSeconds),
    /// Keep what an attempt came to. Those that are not open any more are passed over.
    /// Answer: [`Written::Delivered`](crate::Written::Delivered): where inward reports lie.
    Settle {
        /// The attempt.
        tried: Try,
        /// What it came to.
        settlements: Vec<Settlement>,
        /// What senders are told of it, in the same commit.
        reports: Vec<Report>,
        /// The present.
        now: UnixSeconds,
    },
    /// Change what waits. Answer: [`Written::Purged`](crate::Written::Purged): how many recipients.
    Change(Filter, QueueChange),
    /// Hold what enters from now on. Answer: [`Written::Done`](crate::Written::Done).
    AddHold(HoldRule),
    /// Hold that no longer; what is held stays so.
    /// Answer: [`Written::Purged`](crate::Written::Purged): 0 where there is no such rule.
    RemoveHold(HoldId),
    /// Keep a domain's policy, at this time. Answer: [`Written::Done`](crate::Written::Done).
    KeepPolicy(StsPolicy, UnixSeconds),
    /// Send nothing of an account's to an address. Answer: [`Written::Done`](crate::Written::Done).
    Suppress(AccountId, Suppressed),
    /// Send there again. Answer: [`Written::Purged`](crate::Written::Purged): 0 where it was not
    /// suppressed.
    Allow(AccountId, String),
    /// Count in how TLS went with a domain's servers, as JSON, at this time; and forget what is old.
    /// Answer: [`Written::Done`](crate::Written::Done).
    NoteTls(String, Vec<String>, UnixSeconds),
    /// Forget what ended before a time, a bounded piece of it.
    /// Answer: [`Written::Purged`](crate::Written::Purged): how many recipients.
    Forget(UnixSeconds),
}

/// Questions about what leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueRead {
    /// The domains for which something is due, by name.
    /// Answer: [`Found::Destinations`](crate::Found::Destinations).
    Destinations {
        /// The present.
        now: UnixSeconds,
        /// Those behind this name.
        after: String,
        /// At most so many.
        count_max: usize,
    },
    /// What is due for domains, of each the oldest first.
    /// Answer: [`Found::Due`](crate::Found::Due).
    Due {
        /// The present.
        now: UnixSeconds,
        /// Each with what was read before.
        domains: Vec<(String, DueCursor)>,
        /// Of each domain at most so many.
        count_max: usize,
    },
    /// When something is due next that is not due now. Answer: [`Found::NextDue`](crate::Found::NextDue).
    Next(UnixSeconds),
    /// A piece of a message. Answer: [`Found::Bytes`](crate::Found::Bytes).
    Bytes {
        /// Which.
        message: OutgoingId,
        /// From where.
        offset: u64,
        /// How many bytes at most; fewer only at its end.
        count: usize,
    },
    /// A list, the newest recipients last. Answer: [`Found::Queued`](crate::Found::Queued).
    List {
        /// Which.
        filter: Filter,
        /// Those behind this one.
        after: QueueId,
        /// At most so many.
        count_max: usize,
    },
    /// What was tried for a recipient, the oldest first. Answer: [`Found::Tries`](crate::Found::Tries).
    Tries(QueueId),
    /// All rules by which mail is held. Answer: [`Found::Holds`](crate::Found::Holds).
    Holds,
    /// What is kept of a domain's policy. Answer: [`Found::StsPolicy`](crate::Found::StsPolicy).
    StsPolicy(String),
    /// Whether nothing of an account's goes to an address.
    /// Answer: [`Found::Suppressed`](crate::Found::Suppressed), of one or none.
    IsSuppressed(AccountId, String),
    /// Addresses to which nothing of an account's goes, behind one and at most so many.
    /// Answer: [`Found::Suppressed`](crate::Found::Suppressed).
    Suppressed(AccountId, String, usize),
    /// How TLS went on a day, by domain, behind so many rows and at most so many.
    /// Answer: [`Found::DmarcSeen`](crate::Found::DmarcSeen).
    TlsSeen(UnixSeconds, usize, usize),
    /// Totals. Answer: [`Found::QueueCounts`](crate::Found::QueueCounts).
    Counts,
}

/// Carries out a job.
pub(crate) fn write(
    conn: &Connection,
    shared: &crate::store::Shared,
    job: &QueueWrite,
    gone: &mut Vec<pillarbox_core::effect::Handle>,
) -> Result<crate::Written, StoreError> {
    use crate::Written;
    match job {
        QueueWrite::Enter(message, body, now) => {
            enter_body(conn, shared, message, body, *now).map(|()| Written::Done)
        }
        QueueWrite::Settle { tried, settlements, reports, now } => {
            settle(conn, shared, (tried, settlements, reports), *now, gone).map(Written::Delivered)
        }
        QueueWrite::Change(filter, what) => change(conn, filter, what, gone).map(Written::Purged),
        QueueWrite::AddHold(rule) => hold::add(conn, rule).map(|()| Written::Done),
        QueueWrite::RemoveHold(id) => {
            hold::remove(conn, *id).map(|removed| Written::Purged(removed.into()))
        }
        QueueWrite::KeepPolicy(policy, now) => {
            sts::keep(conn, policy, *now).map(|()| Written::Done)
        }
        QueueWrite::Suppress(account, one) => {
            correspondents::suppress(conn, *account, one).map(|()| Written::Done)
        }
        QueueWrite::Allow(account, address) => correspondents::allow(conn, *account, address)
            .map(|allowed| Written::Purged(allowed.into())),
        QueueWrite::NoteTls(domain, facts, now) => {
            let day = UnixSeconds(now.0 - now.0.rem_euclid(86_400));
            let (domain, count) = (domain.clone(), 1);
            let one = |facts: &String| {
                let (domain, facts) = (domain.clone(), facts.clone());
                crate::DmarcSeen { day, domain, facts, count }
            };
            let seen: Vec<_> = facts.iter().map(one).collect();
            dmarc_seen::note(conn, About::Tls, &seen, *now).map(|()| Written::Done)
        }
        QueueWrite::Forget(before) => forget(conn, *before).map(Written::Purged),
    }
}

/// Answers a question.
pub(crate) fn read(
    conn: &Connection,
    bodies: &std::path::Path,
    job: &QueueRead,
) -> Result<crate::Found, StoreError> {
    use crate::Found;
    match job {
        QueueRead::Destinations { now, after, count_max } => {
            destinations(conn, *now, after, *count_max).map(Found::Destinations)
        }
        QueueRead::Due { now, domains, count_max } => {
            due(conn, *now, domains, *count_max).map(Found::Due)
        }
        QueueRead::Next(now) => next(conn, *now).map(Found::NextDue),
        QueueRead::Bytes { message, offset, count } => {
            bytes(conn, bodies, *message, *offset, *count).map(Found::Bytes)
        }
        QueueRead::List { filter, after, count_max } => {
            show(conn, filter, *after, *count_max).map(Found::Queued)
        }
        QueueRead::Tries(id) => transcript(conn, *id).map(Found::Tries),
        QueueRead::Holds => hold::rules(conn).map(Found::Holds),
        QueueRead::StsPolicy(domain) => sts::look(conn, domain).map(Found::StsPolicy),
        QueueRead::IsSuppressed(account, address) => {
            let found = correspondents::suppressed(conn, *account, address)?;
            let one = |reason| {
                let (address, since) = (address.clone(), UnixSeconds(0));
                Suppressed { address, since, reason }
            };
            Ok(Found::Suppressed(found.map(one).into_iter().collect()))
        }
        QueueRead::Suppressed(account, after, count_max) => {
            correspondents::list(conn, *account, after, *count_max).map(Found::Suppressed)
        }
        QueueRead::TlsSeen(day, skip, count_max) => {
            dmarc_seen::list(conn, About::Tls, *day, *skip, *count_max).map(Found::DmarcSeen)
        }
        QueueRead::Counts => look::counts(conn).map(Found::QueueCounts),
    }
}

/// Where reports went, for those who watch.
type Inward = Vec<Delivered>;

impl fmt::Debug for QueueWrite {
    /// Names the job and what it is about: never contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enter(message, body, _) => {
                write!(f, "Enter({} bytes to {})", body.size(), message.recipients.len())
            }
            Self::Settle { settlements, .. } => write!(f, "Settle({})", settlements.len()),
            Self::Change(filter, what) => write!(f, "Change({filter:?}, {what:?})"),
            Self::AddHold(rule) => write!(f, "AddHold({rule:?})"),
            Self::RemoveHold(id) => write!(f, "RemoveHold({})", id.0),
            Self::KeepPolicy(policy, _) => write!(f, "KeepPolicy({})", policy.domain),
            Self::Suppress(account, one) => write!(f, "Suppress({} of {})", one.address, account.0),
            Self::Allow(account, address) => write!(f, "Allow({address} of {})", account.0),
            Self::NoteTls(domain, facts, _) => write!(f, "NoteTls({} of {domain})", facts.len()),
            Self::Forget(before) => write!(f, "Forget(before {})", before.0),
        }
    }
}

impl fmt::Debug for NewOutgoing {
    /// Without the lines in front of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewOutgoing(from <{}> to {})", self.sender, self.recipients.len())
    }
}

impl fmt::Debug for Report {
    /// Without the report itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inward { account, body, .. } => {
                write!(f, "Inward({} bytes for {})", body.size(), account.0)
            }
            Self::Outward(message, body) => write!(f, "Outward({message:?}, {})", body.size()),
        }
    }
}
