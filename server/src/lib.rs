//! The application: configuration, the flows that decide, and the `pillarbox` program.

pub mod accounts;
mod address;
pub mod certificates;
pub mod cli;
pub mod config;
pub mod context;
pub mod control;
pub mod counters;
mod directory;
pub mod dkim_keys;
pub mod dns;
pub mod doors;
mod fingerprint;
mod gleaner;
pub mod imap;
pub mod job;
pub mod localserve;
pub mod logging;
mod login;
pub mod notify;
mod ports;
mod privileges;
pub mod pulse;
pub mod queue;
pub mod rates;
#[cfg(target_os = "linux")]
mod sandbox;
mod scribe;
pub mod secrets;
pub mod serve;
mod session;
pub mod smtp;
pub mod tls;
pub mod verify;
pub mod web;

use pillarbox_core::effect::Topic;
use pillarbox_store::{AccountId, MailboxId};

/// The topic that those who have a mailbox selected watch.
#[must_use]
pub fn topic_of(mailbox: MailboxId) -> Topic {
    Topic(mailbox.0.unsigned_abs())
}

/// The topic that an account's sessions watch. A notice ends them: the account was removed, or has
/// a new password.
#[must_use]
pub fn topic_of_account(account: AccountId) -> Topic {
    Topic(account.0.unsigned_abs() | 1 << 63)
}
