//! What a sender is told of a message, as a message of our own (RFC 3461 §6).

use pillarbox_core::dsn::{self, Original, Outcome, Shape};
use pillarbox_core::smtp::address::{Host, Mailbox, ReversePath};
use pillarbox_core::smtp::command::{Command, Mail, Notify};
use pillarbox_core::wire::date::HeaderDate;
use pillarbox_core::{Random, UnixSeconds};
use pillarbox_store::{AccountId, NewBody, NewOutgoing, Report};

use super::enter::queued;
use crate::smtp::spool::INLINE_MAX;

/// The message that is told of.
#[derive(Debug)]
pub(crate) struct About<'a> {
    /// Our name.
    pub(crate) hostname: &'a str,
    pub(crate) mail: &'a Mail<'static>,
    /// The connection by which it came.
    pub(crate) cid: &'a str,
    /// Its beginning; all of it where it goes back as a whole.
    pub(crate) text: &'a [u8],
    /// It goes back as a whole, if it failed.
    pub(crate) whole: bool,
    pub(crate) size: u64,
    /// When it came.
    pub(crate) since: UnixSeconds,
    pub(crate) now: UnixSeconds,
}

/// A report that is written.
#[derive(Debug)]
pub(crate) struct Telling {
    body: NewBody,
    message_id: String,
    international: bool,
}

impl Telling {
    /// `None` where nobody is to be told.
    pub(crate) fn write(
        about: &About<'_>,
        outcomes: &[Outcome<'_>],
        random: &mut dyn Random,
    ) -> Option<Self> {
        let mut bytes = [0; 20];
        random.fill(&mut bytes);
        let boundary: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let message_id = format!("{boundary}@{}", about.hostname);
        let sender = about.mail.sender.mailbox().map(Mailbox::to_string).unwrap_or_default();
        let shape = if about.text.is_ascii() { Shape::SevenBit } else { Shape::EightBit };
        let written = dsn::Report {
            reporter: about.hostname,
            to: &sender,
            message_id: &message_id,
            boundary: &boundary,
            date: about.now,
            arrived: about.since,
            envelope_id: about.mail.envid.as_deref(),
            international: about.mail.smtp_utf8 || !sender.is_ascii(),
            outcomes,
            original: Original {
                whole: about.whole.then_some(shape),
                size: about.size,
                ..Original::header(about.text)
            },
        }
        .write()?;
        let original = if written.whole { about.text } else { &[] };
        let body = NewBody::Inline([&written.head, original, &written.tail].concat());
        Some(Self { body, message_id, international: written.international })
    }

    /// Into the mailbox of who submitted the message.
    pub(crate) fn inward(self, about: &About<'_>, account: AccountId) -> Report {
        let sender = about.mail.sender.mailbox().map(Mailbox::to_string).unwrap_or_default();
        let prefix = format!(
            "Return-Path: <>\r\nReceived: by {} id {}\r\n\tfor <{sender}>; {}\r\n",
            about.hostname,
            about.cid,
            HeaderDate(about.now)
        );
        Report::Inward { account, prefix: prefix.into_bytes(), body: self.body }
    }

    /// To whoever the message is from; `None` where that cannot be reached.
    pub(crate) fn outward(self, about: &About<'_>) -> Option<(NewOutgoing, NewBody)> {
        let mailbox = about.mail.sender.mailbox()?;
        if matches!(mailbox.host, Host::Other(_)) {
            return None;
        }
        let mut mail = Mail::new(ReversePath::Null);
        mail.smtp_utf8 = self.international;
        // RFC 3461 §6.1: nobody is told of what becomes of a report.
        let to = queued(mailbox, Some(Notify::default()), None, about.now);
        let outgoing = NewOutgoing {
            account: None,
            sender: String::new(),
            mail: Command::Mail(mail).to_string(),
            message_id: self.message_id,
            cid: about.cid.to_owned(),
            tls_optional: false,
            limits: None,
            prefix: Vec::new(),
            recipients: vec![to],
        };
        Some((outgoing, self.body))
    }
}

/// The largest message that goes back as a whole, and how much of another one is looked at: a report
/// has room beside it for what it says itself.
pub(crate) const WHOLE_BYTES_MAX: u64 = (INLINE_MAX as u64) / 2;
