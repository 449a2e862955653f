//! What can go wrong: with opening, and with a job.

use std::fmt;
use std::io;
use std::path::PathBuf;

use pillarbox_core::effect::{Fault, FaultKind};
use rusqlite::ErrorCode;

/// Why a store could not be opened. Each reads as one line that tells what to do.
#[derive(Debug)]
pub enum OpenError {
    /// Another process holds the lock.
    InUse(PathBuf),
    /// The database was written by a later version of this program.
    Newer {
        /// The version of its schema.
        found: i64,
        /// The highest that this program knows.
        known: i64,
    },
    /// The database was written by an earlier version, and is only looked at.
    Older {
        /// The version of its schema.
        found: i64,
        /// The version that this program writes.
        known: i64,
    },
    /// The folder holds a backup that was not finished.
    Unfinished(PathBuf),
    /// A folder or file could not be made, opened or synced.
    Io(PathBuf, io::Error),
    /// SQLite could not open or migrate the database.
    Database(StoreError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(dir) => write!(
                f,
                "{} is in use by another server; stop that one or name another directory",
                dir.display()
            ),
            Self::Newer { found, known } => write!(
                f,
                "the store has schema version {found}, this program knows versions up to {known}; \
                 use a newer program"
            ),
            Self::Older { found, known } => write!(
                f,
                "the store has schema version {found}; start the server once to bring it to {known}"
            ),
            Self::Unfinished(dir) => write!(
                f,
                "{} holds a backup that was not finished: make another, or remove it",
                dir.display()
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Database(error) => write!(f, "the database cannot be opened: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Database(error)
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Why a job was not done. Whatever it says, nothing of the job was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// No account has this name or id.
    NoSuchAccount,
    /// No mailbox has this name, use or id.
    NoSuchMailbox,
    /// The mailbox holds no message with this UID.
    NoSuchMessage,
    /// The domain is ours, the local part is nobody's.
    NoSuchAddress,
    /// The domain is not ours.
    NotOurDomain,
    /// The account has no such key.
    NoSuchKey,
    /// No alias has this address.
    NoSuchAlias,
    /// The alias has no such member.
    NoSuchMember,
    /// The account would have more bytes of messages than it may have.
    OverQuota,
    /// The account is out of use.
    Disabled,
    /// The account may not do this to this mailbox.
    NotPermitted,
    /// The name, address or handle is taken.
    AlreadyExists,
    /// The account has as many mailboxes, or has subscribed to as many names, as it can
    /// ([`Options::mailboxes_max`](crate::Options::mailboxes_max)).
    MailboxLimit,
    /// The name of the mailbox, or of one below it, would be longer or deeper than names can be.
    NameLimit,
    /// What mailboxes are forbids it, for the reason given.
    Cannot(&'static str),
    /// The domain has addresses.
    HasAddresses,
    /// The mailbox has as many keywords as it can have, or the keyword's name is too long.
    KeywordLimit,
    /// The mailbox has given out its last UID.
    UidLimit,
    /// The file of a body is not there or has another size than the job says.
    NoSuchBody,
    /// The account has sent to so many of these within 24 hours.
    SentEnough(&'static str, u64),
    /// The caller broke a rule that the job's documentation states.
    Misuse(&'static str),
    /// The world's failure.
    Fault(Fault),
    /// The disk failed (also: a sync). A [`Writer`](crate::Writer) that meets this takes nothing
    /// more until the store is reopened, since nobody knows what a second sync would mean.
    Io(Fault),
}

impl StoreError {
    /// What a caller can do about it: [`FaultKind::NoSpace`] is `452` in SMTP,
    /// [`FaultKind::Temporary`] and [`FaultKind::Unknown`] are `451`.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Fault(fault) | Self::Io(fault) => fault.kind,
            _ => FaultKind::Permanent,
        }
    }

    /// The same, where the failure came so late that it may have been done after all.
    pub(crate) fn in_doubt(self) -> Self {
        match self {
            Self::Io(fault) => Self::Io(Fault { kind: FaultKind::Unknown, ..fault }),
            other => other,
        }
    }

    /// A database that breaks its own rules.
    pub(crate) fn corrupt(reason: &str) -> Self {
        Self::Fault(Fault::new(FaultKind::Permanent, reason))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::SentEnough(whom, most) = self {
            return write!(f, "the account may send to {most} {whom} in 24 hours");
        }
        f.write_str(match self {
            Self::NoSuchAccount => "no such account",
            Self::NoSuchMailbox => "no such mailbox",
            Self::NoSuchMessage => "no such message",
            Self::NoSuchAddress => "no such address",
            Self::NotOurDomain => "not a domain of ours",
            Self::NoSuchKey => "no such key of the account",
            Self::NoSuchAlias => "no such alias",
            Self::NoSuchMember => "no such member of the alias",
            Self::OverQuota => "the account may have no more mail",
            Self::Disabled => "the account is disabled",
            Self::NotPermitted => "not permitted",
            Self::AlreadyExists => "already exists",
            Self::MailboxLimit => "no more mailboxes or subscriptions in this account",
            Self::NameLimit => "the mailbox name would be too long or too deep",
            Self::HasAddresses => "the domain has addresses",
            Self::KeywordLimit => "no more or no longer keywords in this mailbox",
            Self::UidLimit => "the mailbox has given out its last UID",
            Self::NoSuchBody => "the file of the body is missing or has another size",
            Self::SentEnough(whom, _) | Self::Cannot(whom) | Self::Misuse(whom) => whom,
            Self::Fault(fault) | Self::Io(fault) => &fault.reason,
        })
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let fault = |kind| Fault::new(kind, error.to_string());
        match code {
            Some(ErrorCode::DiskFull) => Self::Fault(fault(FaultKind::NoSpace)),
            Some(ErrorCode::SystemIoFailure) => Self::Io(fault(FaultKind::Temporary)),
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly,
            ) => Self::Fault(fault(FaultKind::Temporary)),
            _ => Self::Fault(fault(FaultKind::Permanent)),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Fault(Fault::new(FaultKind::NoSpace, error.to_string()))
            }
            _ => Self::Fault(Fault::new(FaultKind::Temporary, error.to_string())),
        }
    }
}
