//! One mail transaction, from MAIL to the end of the body.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pillarbox_core::flow::Desk;
use pillarbox_core::international::{domain_key, fold};
use pillarbox_core::message::HeadLimits;
use pillarbox_core::mime::{BinaryFault, Reencoder};
use pillarbox_core::smtp::address::{Mailbox, ReversePath};
use pillarbox_core::smtp::command::{Encoding, Mail, Rcpt};
use pillarbox_core::smtp::config::Protocol;
use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};
use pillarbox_core::tls::Agreed;
use pillarbox_store::AccountId;

use super::checks::Wanted;
use super::head::{Facts, Refusal, Rules, Taken, Text};
use super::signing::Signing;
use super::spool::Spool;
use crate::job::Job;

/// A mail transaction.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) envelope: Envelope,
    text: Text,
    /// Makes a binary message one of lines (RFC 3030 §3).
    binary: Option<Box<Reencoder>>,
    /// How many bytes of it have come.
    pub(super) size: u64,
    /// One of them is above ASCII.
    pub(super) eight_bit: bool,
}

/// From whom and to whom.
#[derive(Debug)]
pub(super) struct Envelope {
    /// All that MAIL said.
    pub(super) mail: Mail<'static>,
    pub(super) recipients: Vec<Recipient>,
    named: BTreeSet<String>,
}

/// A letter that has come, and is not refused so far.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) envelope: Envelope,
    pub(super) spool: Spool,
    pub(super) facts: Facts,
    /// What was found out about it: the fields to be put in front of it, and whether it goes into
    /// Junk.
    pub(super) found: String,
    pub(super) junk: bool,
    /// What its signatures will be about, where it is submitted.
    pub(super) signing: Option<Box<Signing>>,
    /// It has bytes above ASCII.
    pub(super) eight_bit: bool,
}

/// An accepted recipient.
#[derive(Debug, Clone)]
pub(super) struct Recipient {
    /// As it was written in RCPT.
    pub(super) address: String,
    /// All that RCPT said.
    pub(super) rcpt: Rcpt<'static>,
    /// Whose mail it is.
    pub(super) to: To,
}

/// Whose mail it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    Account(AccountId),
    /// The members of an alias; not all of them need get it.
    Members(Vec<AccountId>),
    /// Somebody elsewhere: it goes into the queue.
    Away,
}

impl Recipient {
    /// One string for all spellings of its address.
    fn key(&self) -> String {
        match self.address.rsplit_once('@') {
            Some((localpart, domain)) => format!("{}@{}", fold(localpart), domain_key(domain)),
            None => fold(&self.address).into_owned(),
        }
    }
}

impl To {
    pub(super) fn accounts(&self) -> &[AccountId] {
        match self {
            Self::Account(account) => std::slice::from_ref(account),
            Self::Members(accounts) => accounts,
            Self::Away => &[],
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
    pub(super) fn new(mail: Mail<'static>, limits: &HeadLimits, parts_max: usize) -> Self {
        let binary = mail.body == Some(Encoding::BinaryMime);
        let binary = binary.then(|| Box::new(Reencoder::new(parts_max)));
        let envelope = Envelope::new(mail);
        Self { envelope, text: Text::new(limits), binary, size: 0, eight_bit: false }
    }

    /// Takes the next bytes of its text.
    pub(super) fn push(&mut self, bytes: &[u8], rules: &Rules<'_>) {
        self.size += bytes.len() as u64;
        self.eight_bit |= !bytes.is_ascii();
        let Some(reencoder) = &mut self.binary else {
            self.text.push(bytes, rules);
            return;
        };
        let mut lines = Vec::new();
        let result = reencoder.push(bytes, &mut lines);
        self.text.push(&lines, rules);
        if let Err(fault) = result {
            self.refuse(fault);
        }
    }

    /// All of its text has come: the envelope, and the text where it is not refused.
    pub(super) fn finish(
        mut self,
        rules: &Rules<'_>,
        desk: &Desk<Job>,
    ) -> (Envelope, Result<Taken, Reply>) {
        if let Some(reencoder) = self.binary.take() {
            let mut lines = Vec::new();
            let result = reencoder.finish(&mut lines);
            self.text.push(&lines, rules);
            if let Err(fault) = result {
                self.refuse(fault);
            }
        }
        let result = self.text.finish(rules).map_err(|Refusal { reply, spool }| {
            spool.discard(desk);
            reply
        });
        (self.envelope, result)
    }

    /// What its head makes one ask, once.
    pub(super) fn take_wanted(&mut self) -> Option<Wanted> {
        self.text.take_wanted()
    }

    /// Where its text waits to be stored, once something of it is.
    pub(super) const fn spool_mut(&mut self) -> Option<&mut Spool> {
        self.text.spool_mut()
    }

    /// Throws away what was spooled.
    pub(super) fn discard(mut self, desk: &Desk<Job>) {
        if let Some(spool) = self.spool_mut() {
            std::mem::take(spool).discard(desk);
        }
    }

    /// It cannot be made one of lines; what else comes of it is not looked at.
    fn refuse(&mut self, fault: BinaryFault) {
        self.binary = None;
        self.text.refuse(Reply::new(Code::FAILED, Enhanced::new(6, 0), fault.to_string()));
    }
}

/// A sender as `Return-Path` and logs have it: empty for the null sender, and without brackets.
pub(super) fn sender_text(sender: &ReversePath<'_>) -> String {
    sender.mailbox().map(Mailbox::to_string).unwrap_or_default()
}

impl Envelope {
    pub(super) const fn new(mail: Mail<'static>) -> Self {
        Self { mail, recipients: Vec::new(), named: BTreeSet::new() }
    }

    /// The sender as `Return-Path` and logs have it.
    pub(super) fn sender_text(&self) -> String {
        sender_text(&self.mail.sender)
    }

    /// One more recipient. The same address again, in whichever spelling, is the same recipient, who
    /// gets one copy; but by LMTP each is answered by itself (RFC 2033 §4.2).
    pub(super) fn add(&mut self, recipient: Recipient, protocol: Protocol) {
        if self.named.insert(recipient.key()) || protocol == Protocol::Lmtp {
            self.recipients.push(recipient);
        }
    }

    /// How many copies of it there are to be at most.
    pub(super) fn copies(&self) -> usize {
        self.recipients.iter().map(|recipient| recipient.to.accounts().len().max(1)).sum()
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
