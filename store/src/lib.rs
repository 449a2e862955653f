//! What must survive: accounts, addresses and mail, on SQLite.
//!
//! There are no threads here, only plain blocking calls. [`Store`] opens a directory and holds its
//! lock. [`Writer::commit`] carries out the [`Write`] jobs that wait as one transaction and
//! answers after it is durable; [`Reader::read`] answers one [`Read`] job from one snapshot. Who
//! calls them on which thread is the caller's affair.
//!
//! - Jobs are named values. Whoever is outside hands in no SQL and no closures.
//! - Each write job has a savepoint, so that one that fails spoils no other.
//! - UIDs, modification sequences and counters are given inside the transaction.
//! - Each operation on a mailbox asks `rights::may` first; no other function gives out a
//!   mailbox's row.
//! - A body is stored once and counted. Small ones are rows, large ones files that rows name.
//! - Time is an argument. Nothing here reads a clock or draws a random number.

#![forbid(unsafe_code)]

mod account_key;
mod accounts;
mod additions;
mod addressee;
mod alias;
mod append;
mod attempts;
pub mod backup;
mod body;
mod capability;
mod changes;
mod deliver;
mod digest;
mod directory;
mod dkim_key;
mod dmarc_seen;
mod error;
mod expunge;
mod flag_runs;
mod flags;
mod hold;
mod import;
mod index;
mod mailbox;
mod messages;
mod names;
mod queue;
mod quota;
mod read;
mod reader;
mod removal;
mod rights;
mod schema;
mod sender;
mod sql;
mod stage;
mod store;
mod sweep;
mod types;
pub mod verify;
mod wake;
mod write;
mod writer;

pub use account_key::{AccountKey, KeyHolder, NewKey};
pub use additions::{Additions, NewAccount, NewAddress};
pub use addressee::{Address, Addressee, Holder, Routing};
pub use alias::{AliasChange, AliasInfo, AliasSettings, NewAlias};
pub use attempts::{Attempt, KEPT_SECONDS, SUCCEEDED};
pub use digest::Filler;
pub use dkim_key::{DkimChange, DkimKey};
pub use dmarc_seen::DmarcSeen;
pub use error::{OpenError, StoreError};
pub use hold::BodiesHold;
pub use import::Incoming;
pub use index::Indexer;
pub use queue::{
    Due, DueCursor, Filter, HoldId, HoldRule, NewOutgoing, NewQueued, Outgoing, OutgoingId,
    QueueChange, QueueCounts, QueueId, QueueRead, QueueWrite, Queued, Report, SendLimits, Settled,
    Settlement, State, StsPolicy, Suppressed, Try,
};
pub use quota::{Quota, Storage};
pub use read::{
    AccountInfo, Changes, Counts, Credentials, DomainInfo, Facts, FlagRun, FlagState, Found,
    MailboxInfo, Message, Messages, Read, Selected, Status, What,
};
pub use reader::Reader;
pub use store::{Options, Store, Sync, body_path, make_folder};
pub use types::{
    AccountId, CramKeys, DomainId, Flags, Keyword, MailboxId, ScramKeys, Secret, Special, UidRange,
};
pub use write::{
    Appeared, Appended, Change, Cleared, Delivered, Expunged, Flagged, Leaving, MESSAGES_MAX,
    Moved, NewBody, NewMessage, Place, Recipient, Replaced, Staged, Write, Written,
};
pub use writer::Writer;
