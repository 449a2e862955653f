//! The end of a body: the letter becomes durable for every recipient, or for none.

use pillarbox_core::effect::{Effect, FaultKind, FileWork, Handle, Topic};
use pillarbox_core::flow::Desk;
use pillarbox_core::smtp::reply::Reply;
use pillarbox_core::{Random, UnixSeconds};
use pillarbox_store::{
    AccountId, Delivered, Flags, NewBody, Place, Recipient as Into, StoreError, Write, Written,
};

use super::letter::{Client, To, Whole};
use super::sender;
use super::spool::Body;
use super::trace::{self, Trace};
use crate::job::{self, Job};

/// What became of a letter.
#[derive(Debug)]
pub(super) struct Received {
    /// For the log.
    pub(super) sender: String,
    pub(super) recipients: String,
    pub(super) size: u64,
    pub(super) result: Result<Vec<Delivered>, NotReceived>,
}

/// Why a letter was not stored.
#[derive(Debug)]
pub(super) enum NotReceived {
    /// It is not to be.
    Refused(Reply),
    /// It could not be.
    Failed(StoreError),
}

/// Stores a letter. When this answers with success, it is on disk for all its recipients, and
/// those who watch their mailboxes know. `account` is whose address its sender is.
pub(super) async fn receive(
    desk: Desk<Job>,
    mut random: Box<dyn Random>,
    mut letter: Whole,
    account: Option<AccountId>,
    client: Client,
    hostname: String,
    at: UnixSeconds,
) -> Received {
    let sender = letter.envelope.sender_text();
    let recipients = letter.envelope.recipients_text();
    let size = letter.spool.size();
    let originators = std::mem::take(&mut letter.facts.originators);
    if let Some(account) = account
        && let Err(reply) =
            sender::check_head(&desk, account, &letter.envelope.mail.sender, originators).await
    {
        letter.spool.discard(&desk);
        return Received { sender, recipients, size, result: Err(NotReceived::Refused(reply)) };
    }
    log::debug!(
        cid = client.id.as_str(),
        smtp_utf8 = letter.needs_smtp_utf8(),
        tls_optional = letter.facts.tls_optional;
        "whole"
    );
    let into = addressed(&letter, &client, &hostname, at);
    let (file, body) = letter.spool.finish(desk.clone(), random.as_mut()).await;
    let result = match body {
        Ok(body) => {
            let result = deliver(&desk, into, body, at).await;
            // Where nobody knows whether it was stored, the file stays: a row may name it, and if
            // none does, the next start sweeps it.
            if let Err(error) = &result
                && error.kind() != FaultKind::Unknown
            {
                remove(&desk, file);
            }
            result
        }
        // The store was not asked: no row names it.
        Err(fault) => {
            remove(&desk, file);
            Err(StoreError::Fault(fault))
        }
    };
    for delivered in result.iter().flatten() {
        desk.send(Effect::Notify(topic(delivered)));
    }
    Received { sender, recipients, size, result: result.map_err(NotReceived::Failed) }
}

/// Each recipient gets lines of its own in front of the one body that all share.
fn addressed(letter: &Whole, client: &Client, hostname: &str, at: UnixSeconds) -> Vec<Into> {
    let (hello, extended) =
        client.hello.as_ref().map_or(("unknown", false), |(name, extended)| (name, *extended));
    let utf8 = letter.envelope.mail.smtp_utf8 && letter.needs_smtp_utf8();
    let trace = Trace {
        hello,
        peer: client.login.is_none().then_some(client.peer),
        hostname,
        with: trace::with(extended, client.tls.is_some(), client.login.is_some(), utf8),
        tls: client.tls.as_ref().map(|agreed| (agreed.version, agreed.cipher.as_str())),
        id: &client.id,
        at,
    };
    let sender = letter.envelope.sender_text();
    let mut all = Vec::with_capacity(letter.envelope.copies());
    for (number, recipient) in letter.envelope.recipients.iter().enumerate() {
        let prefix = trace.lines(&sender, &recipient.address);
        all.extend(recipient.to.accounts().iter().map(|account| Into {
            account: *account,
            into: Place::Inbox,
            prefix: prefix.clone(),
            flags: Flags::NONE,
            alias: matches!(recipient.to, To::Members(_)).then_some(number),
        }));
    }
    all
}

async fn deliver(
    desk: &Desk<Job>,
    recipients: Vec<Into>,
    body: Body,
    received: UnixSeconds,
) -> Result<Vec<Delivered>, StoreError> {
    let body = match body {
        Body::Inline(bytes) => NewBody::Inline(bytes),
        Body::File { handle, size } => NewBody::File { handle, size },
    };
    match job::write(desk, "deliver", Write::Deliver { recipients, body, received }).await? {
        Written::Delivered(delivered) => Ok(delivered),
        _ => Err(job::astray("deliver")),
    }
}

/// The topic that those who have this mailbox selected watch.
fn topic(delivered: &Delivered) -> Topic {
    crate::topic_of(delivered.mailbox)
}

/// Removes the file of a letter that was not stored, if it has one.
fn remove(desk: &Desk<Job>, file: Option<Handle>) {
    if let Some(handle) = file {
        desk.send(Effect::File(handle, FileWork::Remove));
    }
}
