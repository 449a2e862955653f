//! How a message enters: what is kept of its envelope.

use pillarbox_core::UnixSeconds;
use pillarbox_core::international::domain_key;
use pillarbox_core::smtp::address::{ForwardPath, Host, Mailbox};
use pillarbox_core::smtp::command::{
    Command, Encoding, Hold, Mail, Notify, OriginalRecipient, Rcpt,
};
use pillarbox_store::{AccountId, NewOutgoing, NewQueued, SendLimits};

/// What is known of a message that enters.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// MAIL, as it came.
    pub(crate) mail: &'a Mail<'static>,
    pub(crate) account: Option<AccountId>,
    /// How much it may send.
    pub(crate) limits: Option<SendLimits>,
    pub(crate) message_id: String,
    pub(crate) cid: &'a str,
    pub(crate) prefix: Vec<u8>,
    /// Its text has bytes above ASCII.
    pub(crate) eight_bit: bool,
    /// Its header has.
    pub(crate) international: bool,
    /// `TLS-Required: No`.
    pub(crate) tls_optional: bool,
    pub(crate) now: UnixSeconds,
}

/// The row of a message for these recipients.
pub(crate) fn outgoing(entry: Entry<'_>, recipients: &[Rcpt<'static>]) -> NewOutgoing {
    let Entry { mail, account, now, .. } = entry;
    let next = match mail.hold {
        None => now,
        Some(Hold::For(seconds)) => UnixSeconds(now.0.saturating_add(seconds.into())),
        Some(Hold::Until(time)) => UnixSeconds(time.0.max(now.0)),
    };
    let kept = Mail {
        // What was binary has been brought into lines.
        body: entry.eight_bit.then_some(Encoding::EightBitMime),
        smtp_utf8: entry.international,
        // Its size is known better; who submitted it is nobody's business.
        hold: mail.hold.is_some().then_some(Hold::Until(next)),
        size: None,
        submitter: None,
        ..mail.clone()
    };
    let sender = mail.sender.mailbox().map(Mailbox::to_string).unwrap_or_default();
    let recipients = recipients
        .iter()
        .filter_map(|rcpt| {
            let mailbox = rcpt.recipient.mailbox()?;
            Some(queued(mailbox, rcpt.notify, rcpt.original.clone(), next))
        })
        .collect();
    NewOutgoing {
        account,
        sender,
        mail: Command::Mail(kept).to_string(),
        message_id: entry.message_id,
        cid: entry.cid.to_owned(),
        // RFC 8689 §5: with REQUIRETLS it does not count.
        tls_optional: entry.tls_optional && !mail.require_tls,
        limits: entry.limits,
        prefix: entry.prefix,
        recipients,
    }
}

/// The row of one recipient.
pub(super) fn queued(
    mailbox: &Mailbox<'_>,
    notify: Option<Notify>,
    original: Option<OriginalRecipient<'static>>,
    next: UnixSeconds,
) -> NewQueued {
    let domain = match &mailbox.host {
        Host::Domain(domain) => domain_key(domain.as_str()).into_owned(),
        other => other.to_string(),
    };
    let address = mailbox.to_string();
    let recipient = ForwardPath::Mailbox(mailbox.clone().into_owned());
    let rcpt = Command::Rcpt(Rcpt { recipient, notify, original }).to_string();
    NewQueued { address, domain, rcpt, next, held: false }
}
