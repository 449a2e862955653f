//! What is looked at before the first byte of a transaction is sent.

use std::fmt;

use super::offers::Offers;
use super::transaction::{Carrier, Fate, Recipient, Transaction};
use crate::smtp::address::{Host, Mailbox};
use crate::smtp::command::{ByMode, Command, Encoding, Hold, Mail, Rcpt};

/// From whom and to whom a message goes, and what is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// MAIL. Parameters that the server does not offer are left out where that loses nothing but a
    /// report or a rank; where it would lose more, the message is [`NotSent`].
    pub mail: Mail<'static>,
    /// RCPT, one each.
    pub recipients: Vec<Rcpt<'static>>,
}

/// Why a transaction was not begun. Nothing was sent, and the conversation may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotSent {
    /// The conversation is not where a transaction may begin.
    Busy,
    /// There is no recipient.
    NoRecipients,
    /// An address or parameter holds a control character.
    Unprintable,
    /// The server has announced to take no more transactions in this connection (RFC 9422).
    Exhausted,
    /// The message is larger than the server takes, which is so many bytes (RFC 1870 §6.1).
    TooLarge(u64),
    /// The body must be brought into another encoding first: the server takes no text of 8 bits
    /// (RFC 6152 §3).
    NeedsSevenBit,
    /// The body must be brought into lines first: the server takes no binary bodies
    /// (RFC 3030 §3).
    NeedsLines,
    /// Addresses or headers are not ASCII, and the server takes such not (RFC 6531 §3.2).
    SmtpUtf8,
    /// REQUIRETLS is asked for, and TLS does not run or is not verified (RFC 8689 §4).
    TlsNotVerified,
    /// REQUIRETLS is asked for and not offered (RFC 8689 §4).
    RequireTls,
    /// The server does not hold messages, or not for so long (RFC 4865).
    Hold,
    /// The server does not promise to return the message in time (RFC 2852).
    DeliverBy,
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "no transaction may begin now",
            Self::NoRecipients => "there is no recipient",
            Self::Unprintable => "an address or parameter holds a control character",
            Self::Exhausted => "the server takes no more messages in this connection",
            Self::TooLarge(max) => {
                return write!(f, "the server takes messages of at most {max} bytes");
            }
            Self::NeedsSevenBit => "the server takes text of 7 bits only",
            Self::NeedsLines => "the server takes no binary messages",
            Self::SmtpUtf8 => "the server does not take internationalized mail (SMTPUTF8)",
            Self::TlsNotVerified => "the message requires TLS, which is not verified",
            Self::RequireTls => "the message requires TLS, which the server does not promise",
            Self::Hold => "the server does not hold messages for so long",
            Self::DeliverBy => "the server does not promise to return the message in time",
        })
    }
}

impl std::error::Error for NotSent {}

/// What is known of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) offers: &'a Offers,
    /// TLS runs, and the owner has verified the server.
    pub(super) verified: bool,
    /// Transactions so far.
    pub(super) transactions: u32,
    /// BDAT is used where it is offered.
    pub(super) chunks: bool,
}

/// Brings an envelope into what is sent.
pub(super) fn prepare(envelope: Envelope, known: Known<'_>) -> Result<Transaction, NotSent> {
    let Envelope { mut mail, recipients } = envelope;
    let offers = known.offers;
    if recipients.is_empty() {
        return Err(NotSent::NoRecipients);
    }
    if offers.limits.transactions.is_some_and(|max| known.transactions >= max) {
        return Err(NotSent::Exhausted);
    }
    mail.smtp_utf8 |= !mail.sender.mailbox().is_none_or(Mailbox::is_ascii)
        || recipients.iter().any(|to| !to.recipient.mailbox().is_none_or(Mailbox::is_ascii));
    if mail.smtp_utf8 && !offers.smtp_utf8 {
        return Err(NotSent::SmtpUtf8);
    }
    if mail.require_tls && !known.verified {
        return Err(NotSent::TlsNotVerified);
    }
    if mail.require_tls && !offers.require_tls {
        return Err(NotSent::RequireTls);
    }
    check_size(&mail, offers)?;
    check_times(&mail, offers)?;
    let carrier = carrier(&mut mail, known)?;
    leave_out(&mut mail, offers);
    let line = line(&Command::Mail(mail))?;
    let recipients = asked(recipients, offers)?;
    Ok(Transaction::new(line, recipients, carrier))
}

const fn check_size(mail: &Mail<'_>, offers: &Offers) -> Result<(), NotSent> {
    match (mail.size, offers.size) {
        // RFC 1870 §4: zero says that there is no fixed limit.
        (Some(size), Some(max)) if max > 0 && size > max => Err(NotSent::TooLarge(max)),
        _ => Ok(()),
    }
}

const fn check_times(mail: &Mail<'_>, offers: &Offers) -> Result<(), NotSent> {
    match (mail.hold, offers.future_release) {
        (Some(_), None) => return Err(NotSent::Hold),
        (Some(Hold::For(seconds)), Some((max, _))) if seconds > max => return Err(NotSent::Hold),
        (Some(Hold::Until(time)), Some((_, max))) if time.0 > max.0 => return Err(NotSent::Hold),
        _ => {}
    }
    // What is only to be told of when it is late may go on without the promise.
    match (mail.by, offers.deliver_by) {
        (Some(by), None) if matches!(by.mode, ByMode::Return) => Err(NotSent::DeliverBy),
        (Some(by), Some(least))
            if matches!(by.mode, ByMode::Return) && (by.seconds as i64) < least as i64 =>
        {
            Err(NotSent::DeliverBy)
        }
        _ => Ok(()),
    }
}

fn carrier(mail: &mut Mail<'_>, known: Known<'_>) -> Result<Carrier, NotSent> {
    let offers = known.offers;
    match mail.body {
        Some(Encoding::BinaryMime) if !(offers.chunking && offers.binary_mime) => {
            return Err(NotSent::NeedsLines);
        }
        // RFC 3030 §3: by BDAT only.
        Some(Encoding::BinaryMime) => return Ok(Carrier::Binary),
        Some(Encoding::EightBitMime) if !offers.eight_bit_mime => {
            return Err(NotSent::NeedsSevenBit);
        }
        Some(Encoding::SevenBit) if !offers.eight_bit_mime => mail.body = None,
        _ => {}
    }
    Ok(if offers.chunking && known.chunks { Carrier::Chunks } else { Carrier::Data })
}

fn leave_out(mail: &mut Mail<'_>, offers: &Offers) {
    mail.size = mail.size.filter(|_| offers.size.is_some());
    mail.by = mail.by.filter(|_| offers.deliver_by.is_some());
    mail.priority = mail.priority.filter(|_| offers.mt_priority);
    if !offers.dsn {
        mail.ret = None;
        mail.envid = None;
    }
    if offers.auth.is_empty() {
        mail.submitter = None;
    }
}

/// The recipients as they are asked for; those beyond the server's limits (RFC 9422) have their
/// fate already.
fn asked(recipients: Vec<Rcpt<'static>>, offers: &Offers) -> Result<Vec<Recipient>, NotSent> {
    let max = |limit: Option<u32>| limit.and_then(|max| usize::try_from(max).ok());
    let (most, domains_most) = (max(offers.limits.recipients), max(offers.limits.domains));
    let mut domains: Vec<Host<'static>> = Vec::new();
    let mut count = 0;
    let mut asked = Vec::with_capacity(recipients.len());
    for mut recipient in recipients {
        if !offers.dsn {
            recipient.notify = None;
            recipient.original = None;
        }
        let host = recipient.recipient.mailbox().map(|mailbox| mailbox.host.clone());
        let mut fits = most.is_none_or(|most| count < most);
        if let (Some(most), Some(host)) = (domains_most, host)
            && fits
            && !domains.contains(&host)
        {
            fits = domains.len() < most;
            if fits {
                domains.push(host);
            }
        }
        count += usize::from(fits);
        let line = line(&Command::Rcpt(recipient))?;
        let fate = (!fits).then_some(Fate::Another(None));
        asked.push(Recipient { line, accepted: false, fate });
    }
    Ok(asked)
}

fn line(command: &Command<'_>) -> Result<String, NotSent> {
    let line = command.to_string();
    if line.chars().any(char::is_control) { Err(NotSent::Unprintable) } else { Ok(line) }
}
