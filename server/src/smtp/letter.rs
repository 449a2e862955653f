//! One mail transaction, from MAIL to the end of the body.

use std::net::IpAddr;

use pillarbox_core::flow::Desk;
use pillarbox_core::message::HeadLimits;
use pillarbox_core::smtp::address::{Mailbox, ReversePath};
use pillarbox_core::smtp::command::Mail;
use pillarbox_core::smtp::config::Protocol;
use pillarbox_core::tls::Agreed;
use pillarbox_store::AccountId;

use super::head::{Facts, Rules, Text};
use super::spool::Spool;
use crate::job::Job;

/// A mail transaction.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) envelope: Envelope,
    pub(super) text: Text,
    /// How many bytes of it have come.
    pub(super) size: u64,
}

/// From whom and to whom.
#[derive(Debug)]
pub(super) struct Envelope {
    /// All that MAIL said.
    pub(super) mail: Mail<'static>,
    pub(super) recipients: Vec<Recipient>,
}

/// A letter that has come, and is not refused so far.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) envelope: Envelope,
    pub(super) spool: Spool,
    pub(super) facts: Facts,
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
    /// What it speaks.
    pub(super) protocol: Protocol,
    /// What it called itself, and whether with EHLO or LHLO.
    pub(super) hello: Option<(String, bool)>,
    pub(super) tls: Option<Agreed>,
    /// The name of the account that logged in.
    pub(super) login: Option<String>,
}

impl Letter {
    pub(super) const fn new(mail: Mail<'static>, limits: &HeadLimits) -> Self {
        let envelope = Envelope { mail, recipients: Vec::new() };
        Self { envelope, text: Text::new(limits), size: 0 }
    }

    /// Takes the next bytes of its text.
    pub(super) fn push(&mut self, bytes: &[u8], rules: &Rules<'_>) {
        self.size += bytes.len() as u64;
        self.text.push(bytes, rules);
    }

    /// Throws away what was spooled.
    pub(super) fn discard(mut self, desk: &Desk<Job>) {
        if let Some(spool) = self.text.spool_mut() {
            std::mem::take(spool).discard(desk);
        }
    }
}

/// A sender as `Return-Path` and logs have it: empty for the null sender, and without brackets.
pub(super) fn sender_text(sender: &ReversePath<'_>) -> String {
    sender.mailbox().map(Mailbox::to_string).unwrap_or_default()
}

impl Envelope {
    /// The sender as `Return-Path` and logs have it.
    pub(super) fn sender_text(&self) -> String {
        sender_text(&self.mail.sender)
    }

    /// How many copies of it there are to be at most.
    pub(super) fn copies(&self) -> usize {
        self.recipients.iter().map(|recipient| recipient.to.accounts().len()).sum()
    }

    /// The recipients as they were written in RCPT.
    pub(super) fn addresses(&self) -> Vec<String> {
        self.recipients.iter().map(|recipient| recipient.address.clone()).collect()
    }

    /// The recipients for the log.
    pub(super) fn recipients_text(&self) -> String {
        self.addresses().join(" ")
    }
}

impl Whole {
    /// Whether it can go only where SMTPUTF8 is known. What the client said of it does not count:
    /// many say it of every message (RFC 6531 §3.4).
    pub(super) fn needs_smtp_utf8(&self) -> bool {
        self.facts.eight_bit_head
            || !self.envelope.sender_text().is_ascii()
            || !self.envelope.recipients.iter().all(|recipient| recipient.address.is_ascii())
    }
}
