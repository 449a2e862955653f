//! A report as it is written.

use std::fmt::Write as _;

use super::address::{is_plain, typed};
use super::fields::{clipped, push};
use super::original::Original;
use super::status::{Action, Status};
use super::words;
use crate::UnixSeconds;
use crate::mime::quoted_printable;
use crate::wire::date::HeaderDate;

/// What a sender is told of a message: for some of its recipients what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The name of our host (RFC 3464 §2.2.2).
    pub reporter: &'a str,
    /// Who is told: the reverse path of the message, without angle brackets. Empty for the null
    /// sender, who is told nothing.
    pub to: &'a str,
    /// The id of this report, without angle brackets.
    pub message_id: &'a str,
    /// What parts its parts: letters and digits that nobody else can guess, 60 at most.
    pub boundary: &'a str,
    /// Now.
    pub date: UnixSeconds,
    /// When the message came (RFC 3464 §2.2.5).
    pub arrived: UnixSeconds,
    /// What the sender calls the transaction: the value of ENVID as it is meant, not in xtext
    /// (RFC 3461 §6.3). None where there was none.
    pub envelope_id: Option<&'a str>,
    /// Whether headers and addresses may be in UTF-8 on the way back (RFC 6531).
    pub international: bool,
    /// What became of it. Those who are not to be told of ([`is_due`](super::is_due)) are left out
    /// by the caller.
    pub outcomes: &'a [Outcome<'a>],
    /// The message.
    pub original: Original<'a>,
}

/// What became of a message for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// The recipient, as it came to us (RFC 3464 §2.3.2).
    pub address: &'a str,
    /// The recipient as the sender wrote it: type and address of ORCPT, as they are meant
    /// (RFC 3464 §2.3.1).
    pub original: Option<(&'a str, &'a str)>,
    /// What was done.
    pub action: Action,
    /// Its code.
    pub status: Status,
    /// The server that said so; none where none was asked (RFC 3464 §2.3.5).
    pub server: Option<&'a str>,
    /// The reply in its words: `550 5.1.1 no such mailbox`, lines parted by `\n`
    /// (RFC 3464 §2.3.6).
    pub said: Option<&'a str>,
    /// What we have to say, as a sentence: where no server was asked, or none could be.
    pub why: Option<&'a str>,
    /// When it was tried last (RFC 3464 §2.3.7).
    pub last_attempt: Option<UnixSeconds>,
    /// Until when it will be tried; told of what is delayed (RFC 3464 §2.3.9).
    pub retry_until: Option<UnixSeconds>,
}

/// A report in the form of a message: `head`, then the original message where it is wanted, then
/// `tail`. Every line ends with CRLF and has 998 bytes at most, if those of the original do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its beginning.
    pub head: Vec<u8>,
    /// Whether the original message as a whole belongs here, byte by byte.
    pub whole: bool,
    /// Its end.
    pub tail: Vec<u8>,
    /// Whether it is not ASCII (BODY=8BITMIME, RFC 6152).
    pub eight_bit: bool,
    /// Whether its header, or one in it, is in UTF-8 (SMTPUTF8, RFC 6531).
    pub international: bool,
}

impl<'a> Outcome<'a> {
    /// An outcome of which no more is known.
    #[must_use]
    pub const fn new(address: &'a str, action: Action, status: Status) -> Self {
        Self {
            address,
            original: None,
            action,
            status,
            server: None,
            said: None,
            why: None,
            last_attempt: None,
            retry_until: None,
        }
    }
}

impl Report<'_> {
    /// Makes a message of it, to be sent with the null reverse path and without RET (RFC 3461
    /// §6.1). `None` where nobody is to be told: to the null sender (RFC 5321 §4.5.5), or of no
    /// recipient.
    #[must_use]
    pub fn write(&self) -> Option<Written> {
        if self.to.is_empty() || self.outcomes.is_empty() {
            return None;
        }
        let mut head = Vec::with_capacity(8 << 10);
        self.write_header(&mut head);
        self.write_text(&mut head);
        let global = self.write_status(&mut head);
        let failed = self.outcomes.iter().any(|outcome| outcome.action == Action::Failed);
        let part = self.original.part(failed, self.international);
        self.begin_part(&mut head, part.media, part.encoding);
        let whole = part.text.is_none();
        head.extend_from_slice(&part.text.unwrap_or_default());
        Some(Written {
            eight_bit: !head.is_ascii() || part.encoding == "8bit",
            international: global
                || !is_plain(self.to)
                || (part.encoding == "8bit" && part.media != "message/rfc822"),
            head,
            whole,
            tail: format!("\r\n--{}--\r\n", self.boundary).into_bytes(),
        })
    }

    fn write_header(&self, out: &mut Vec<u8>) {
        let utf8 = self.international;
        push(out, "From", &format!("Mail Delivery System <MAILER-DAEMON@{}>", self.reporter), utf8);
        // RFC 6531: an address in UTF-8 can only be reached by those who know it.
        push(out, "To", &format!("<{}>", self.to), true);
        push(out, "Subject", &self.subject(), utf8);
        push(out, "Date", &HeaderDate(self.date).to_string(), utf8);
        push(out, "Message-ID", &format!("<{}>", self.message_id), utf8);
        let (parent, references) = self.original.references();
        if let Some(parent) = parent {
            push(out, "In-Reply-To", &format!("<{parent}>"), utf8);
        }
        if !references.is_empty() {
            push(out, "References", &format!("<{}>", references.join("> <")), utf8);
        }
        // RFC 3834 §5: nobody answers what a program says.
        push(out, "Auto-Submitted", "auto-replied", utf8);
        push(out, "MIME-Version", "1.0", utf8);
        // RFC 6522 §3.
        let media = format!(
            "multipart/report; report-type=delivery-status; boundary=\"{}\"",
            self.boundary
        );
        push(out, "Content-Type", &media, utf8);
    }

    fn subject(&self) -> String {
        let worst = self.outcomes.iter().map(|outcome| outcome.action).min();
        let mut subject = String::from(match worst {
            None | Some(Action::Failed) => "Mail could not be delivered",
            Some(Action::Delayed) => "Mail is delayed",
            Some(Action::Delivered) => "Mail was delivered",
            Some(Action::Relayed) => "Mail was passed on",
            Some(Action::Expanded) => "Mail was delivered to several",
        });
        if let [only] = self.outcomes
            && (self.international || is_plain(only.address))
            && only.address.len() <= ADDRESS_SHOWN_MAX
        {
            // Writing to a String cannot fail.
            let _infallible = write!(subject, ": {}", only.address);
        }
        subject
    }

    fn begin_part(&self, out: &mut Vec<u8>, media: &str, encoding: &str) {
        out.extend_from_slice(format!("\r\n--{}\r\n", self.boundary).as_bytes());
        push(out, "Content-Type", media, false);
        if encoding != "7bit" {
            push(out, "Content-Transfer-Encoding", encoding, false);
        }
        out.extend_from_slice(b"\r\n");
    }

    fn write_text(&self, out: &mut Vec<u8>) {
        let text = words::text(self);
        if text.is_ascii() {
            self.begin_part(out, "text/plain; charset=us-ascii", "7bit");
            out.extend_from_slice(text.as_bytes());
        } else {
            self.begin_part(out, "text/plain; charset=utf-8", "quoted-printable");
            quoted_printable(text.as_bytes(), out);
        }
    }

    /// The fields for programs; true where they are in UTF-8.
    fn write_status(&self, out: &mut Vec<u8>) -> bool {
        let plain = self.outcomes.iter().all(|outcome| {
            is_plain(outcome.address) && outcome.original.is_none_or(|(_, text)| is_plain(text))
        });
        // RFC 6533 §4.1; §3: where it has to be ASCII, such addresses are escaped.
        let global = self.international && !plain;
        if global {
            self.begin_part(out, "message/global-delivery-status", "8bit");
        } else {
            self.begin_part(out, "message/delivery-status", "7bit");
        }
        // RFC 3461 §6.3 (a).
        if let Some(id) = self.envelope_id {
            push(out, "Original-Envelope-Id", id, global);
        }
        push(out, "Reporting-MTA", &format!("dns; {}", self.reporter), global);
        push(out, "Arrival-Date", &HeaderDate(self.arrived).to_string(), global);
        for outcome in self.outcomes {
            out.extend_from_slice(b"\r\n");
            outcome.write(out, global);
        }
        global
    }
}

impl Outcome<'_> {
    /// RFC 3464 §2.3, in its order.
    fn write(&self, out: &mut Vec<u8>, global: bool) {
        if let Some((kind, address)) = self.original {
            push(out, "Original-Recipient", &typed(Some(kind), address, !global), global);
        }
        push(out, "Final-Recipient", &typed(None, self.address, !global), global);
        push(out, "Action", self.action.name(), global);
        push(out, "Status", &self.status.to_string(), global);
        if let Some(server) = self.server {
            push(out, "Remote-MTA", &format!("dns; {server}"), global);
        }
        if let Some(said) = self.said {
            let said = format!("smtp; {}", clipped(said, DIAGNOSTIC_BYTES_MAX));
            push(out, "Diagnostic-Code", &said, global);
        } else if let Some(why) = self.why {
            let why = format!("x-pillarbox; {}", clipped(why, DIAGNOSTIC_BYTES_MAX));
            push(out, "Diagnostic-Code", &why, global);
        }
        if let Some(time) = self.last_attempt {
            push(out, "Last-Attempt-Date", &HeaderDate(time).to_string(), global);
        }
        if let (Action::Delayed, Some(time)) = (self.action, self.retry_until) {
            push(out, "Will-Retry-Until", &HeaderDate(time).to_string(), global);
        }
    }
}

/// A longer address is not in the subject.
const ADDRESS_SHOWN_MAX: usize = 120;
/// Of what a server said.
const DIAGNOSTIC_BYTES_MAX: usize = 2_000;
