//! One mail transaction, from MAIL to the end of the body.

use std::net::IpAddr;

use pillarbox_core::flow::Desk;
use pillarbox_core::smtp::address::{Mailbox, ReversePath};
use pillarbox_core::tls::Agreed;
use pillarbox_store::AccountId;

use super::spool::Spool;
use crate::job::Job;

/// A mail transaction.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) sender: ReversePath<'static>,
    /// In bytes, by the word of the client; 0 where it does not say.
    pub(super) declared: u64,
    pub(super) smtp_utf8: bool,
    pub(super) recipients: Vec<Recipient>,
    pub(super) spool: Spool,
}

/// An accepted recipient.
#[derive(Debug, Clone)]
pub(super) struct Recipient {
    /// As it was written in RCPT.
    pub(super) address: String,
    /// Whose mail it is.
    pub(super) to: To,
}

/// Whose mail it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    Account(AccountId),
    /// The members of an alias; not all of them need get it.
    Members(Vec<AccountId>),
}

impl To {
    pub(super) fn accounts(&self) -> &[AccountId] {
        match self {
            Self::Account(account) => std::slice::from_ref(account),
            Self::Members(accounts) => accounts,
        }
    }
}

/// What is known of the client; it stays the same through a transaction.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// The connection's id.
    pub(super) id: String,
    pub(super) peer: IpAddr,
    /// What it called itself, and whether with EHLO.
    pub(super) hello: Option<(String, bool)>,
    pub(super) tls: Option<Agreed>,
    /// The name of the account that logged in.
    pub(super) login: Option<String>,
}

impl Letter {
    pub(super) fn new(sender: ReversePath<'static>, smtp_utf8: bool) -> Self {
        Self { sender, declared: 0, smtp_utf8, recipients: Vec::new(), spool: Spool::default() }
    }

    /// The sender as `Return-Path` and logs have it: empty for the null sender.
    pub(super) fn sender_text(&self) -> String {
        self.sender.mailbox().map(Mailbox::to_string).unwrap_or_default()
    }

    /// How many copies of it there are to be at most.
    pub(super) fn copies(&self) -> usize {
        self.recipients.iter().map(|recipient| recipient.to.accounts().len()).sum()
    }

    /// The recipients for the log.
    pub(super) fn recipients_text(&self) -> String {
        let addresses: Vec<_> = self.recipients.iter().map(|r| r.address.as_str()).collect();
        addresses.join(" ")
    }

    /// Throws away what was spooled.
    pub(super) fn discard(self, desk: &Desk<Job>) {
        self.spool.discard(desk);
    }
}
