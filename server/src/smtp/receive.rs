//! The end of a body: the letter becomes durable for every recipient, or for none; by LMTP for each
//! by itself.

use pillarbox_core::dsn::{Action, Outcome, Status};
use pillarbox_core::effect::{Effect, FaultKind, FileWork, Handle, Topic};
use pillarbox_core::flow::Desk;
use pillarbox_core::smtp::config::Protocol;
use pillarbox_core::smtp::reply::Reply;
use pillarbox_core::{Now, Random, UnixSeconds};
use pillarbox_store::{
    AccountId, Delivered, Flags, Leaving, NewBody, Place, Recipient as Into, SendLimits, Special,
    StoreError, Write, Written,
};

use super::letter::{Client, Envelope, To, Whole};
use super::sender::{self, Sending};
use super::spool::Body;
use super::trace::{Spoken, Trace, with};
use crate::job::{self, Job};
use crate::queue;

/// Where and when a letter comes.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) client: Client,
    /// Our name.
    pub(super) hostname: String,
    pub(super) now: Now,
}

/// What became of a letter.
#[derive(Debug)]
pub(super) struct Received {
    /// For the log.
    pub(super) sender: String,
    pub(super) recipients: Vec<String>,
    pub(super) size: u64,
    pub(super) result: Result<Stored, NotReceived>,
}

/// A letter that is on disk for all recipients, but for those that were refused.
#[derive(Debug)]
pub(super) struct Stored {
    /// How many mailboxes have a copy.
    pub(super) copies: usize,
    /// By LMTP: who has none, by the place among the recipients, and why.
    pub(super) refused: Vec<(usize, StoreError)>,
}

/// Why a letter was not stored.
#[derive(Debug)]
pub(super) enum NotReceived {
    /// It is not to be.
    Refused(Reply),
    /// It could not be.
    Failed(StoreError),
}

/// Stores a letter. When this answers with success, it is on disk for all its recipients that are
/// not refused, and those who watch their mailboxes know. `user` is who has logged in.
pub(super) async fn receive(
    desk: Desk<Job>,
    mut random: Box<dyn Random>,
    mut letter: Whole,
    user: Option<Sending>,
    scene: Scene,
) -> Received {
    let (at, client) = (scene.now.wall, &scene.client);
    let sender = letter.envelope.sender_text();
    let recipients = letter.envelope.addresses();
    let size = letter.spool.size();
    let originators = std::mem::take(&mut letter.facts.originators);
    let account = user.as_ref().map(|user| user.account);
    let limits = user.as_ref().and_then(|user| user.limits);
    if let Some(user) = user
        && let Err(reply) =
            sender::check_head(&desk, user, &letter.envelope.mail.sender, originators).await
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
    if let Some(signing) = letter.signing.take() {
        match signing.sign(&desk, at).await {
            Ok(fields) => letter.found.push_str(&fields),
            Err(why) => {
                letter.spool.discard(&desk);
                let result = Err(NotReceived::Failed(why));
                return Received { sender, recipients, size, result };
            }
        }
    }
    let into = addressed(&letter, client, &scene.hostname, at);
    let leaving = leaving(&letter, account, limits, &scene, random.as_mut());
    let leaves = leaving.outgoing.is_some() || !leaving.reports.is_empty();
    let (file, body) = letter.spool.finish(desk.clone(), random.as_mut()).await;
    let result = match body {
        Ok(body) => {
            let result =
                deliver(&desk, into, body, leaving, at, &letter.envelope, client.protocol).await;
            // Where nobody knows whether it was stored, the file stays: a row may name it, and if
            // none does, the next start sweeps it.
            let unused = match &result {
                Ok((delivered, _)) => delivered.is_empty() && !leaves,
                Err(error) => error.kind() != FaultKind::Unknown,
            };
            if unused {
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
    for delivered in result.iter().flat_map(|(delivered, _)| delivered) {
        desk.send(Effect::Notify(topic(delivered)));
    }
    if leaves && result.is_ok() {
        desk.send(Effect::Notify(queue::TOPIC));
    }
    let stored = result.map(|(delivered, refused)| Stored { copies: delivered.len(), refused });
    Received { sender, recipients, size, result: stored.map_err(NotReceived::Failed) }
}

/// How the letter came.
fn trace<'a>(
    letter: &'a Whole,
    client: &'a Client,
    hostname: &'a str,
    at: UnixSeconds,
) -> Trace<'a> {
    let (hello, extended) =
        client.hello.as_ref().map_or(("unknown", false), |(name, extended)| (name, *extended));
    let spoken = match client.protocol {
        Protocol::Lmtp => Spoken::Lmtp,
        Protocol::Smtp if extended => Spoken::Extended,
        Protocol::Smtp => Spoken::Smtp,
    };
    let utf8 = letter.envelope.mail.smtp_utf8 && letter.needs_smtp_utf8();
    Trace {
        hello,
        peer: client.login.is_none().then_some(client.peer),
        hostname,
        with: with(spoken, client.tls.is_some(), client.login.is_some(), utf8),
        tls: client.tls.as_ref().map(|agreed| (agreed.version, agreed.cipher.as_str())),
        id: &client.id,
        at,
        found: &letter.found,
    }
}

/// Each recipient gets lines of its own in front of the one body that all share.
fn addressed(letter: &Whole, client: &Client, hostname: &str, at: UnixSeconds) -> Vec<Into> {
    let trace = trace(letter, client, hostname, at);
    let into = if letter.junk { Place::Special(Special::Junk) } else { Place::Inbox };
    let sender = letter.envelope.sender_text();
    let mut all = Vec::with_capacity(letter.envelope.copies());
    for (number, recipient) in letter.envelope.recipients.iter().enumerate() {
        let prefix = trace.lines(&sender, &recipient.address);
        all.extend(recipient.to.accounts().iter().map(|account| Into {
            account: *account,
            into,
            prefix: prefix.clone(),
            flags: Flags::NONE,
            alias: matches!(recipient.to, To::Members(_)).then_some(number),
        }));
    }
    all
}

/// What enters the queue: the letter for those elsewhere, and what its sender wants to hear of those
/// who have it now.
fn leaving(
    letter: &Whole,
    account: Option<AccountId>,
    limits: Option<SendLimits>,
    scene: &Scene,
    random: &mut dyn Random,
) -> Leaving {
    let Scene { client, hostname, now } = scene;
    let envelope = &letter.envelope;
    let away: Vec<_> = envelope.recipients.iter().filter(|to| to.to == To::Away).collect();
    let outgoing = (!away.is_empty()).then(|| {
        let lines = trace(letter, client, hostname, now.wall);
        let only = away.first().filter(|_| away.len() == 1).map(|to| to.address.as_str());
        let entry = queue::Entry {
            mail: &envelope.mail,
            account,
            limits,
            message_id: letter.facts.message_id.clone(),
            cid: &client.id,
            prefix: lines.passing(only),
            eight_bit: letter.eight_bit,
            international: letter.needs_smtp_utf8(),
            tls_optional: letter.facts.tls_optional,
            now: now.wall,
        };
        let recipients: Vec<_> = away.iter().map(|to| to.rcpt.clone()).collect();
        queue::outgoing(entry, &recipients)
    });
    let told: Vec<Outcome<'_>> = envelope
        .recipients
        .iter()
        .filter(|to| to.to != To::Away && to.rcpt.notify.is_some_and(|notify| notify.success))
        .map(|to| Outcome {
            original: to.rcpt.original.as_ref().map(|it| (&*it.kind, &*it.address)),
            ..Outcome::new(&to.address, Action::Delivered, Status::new(2, 1, 5))
        })
        .collect();
    if told.is_empty() {
        return Leaving { outgoing, reports: Vec::new() };
    }
    let about = queue::About {
        hostname,
        mail: &envelope.mail,
        cid: &client.id,
        text: letter.spool.head(),
        whole: false,
        size: letter.spool.size(),
        since: now.wall,
        now: now.wall,
    };
    let telling = queue::Telling::write(&about, &told, random);
    let reports = telling.and_then(|telling| telling.outward(&about)).into_iter().collect();
    Leaving { outgoing, reports }
}

/// Where it lies now, and by LMTP who has none and why.
type Fate = (Vec<Delivered>, Vec<(usize, StoreError)>);

async fn deliver(
    desk: &Desk<Job>,
    recipients: Vec<Into>,
    body: Body,
    leaving: Leaving,
    received: UnixSeconds,
    envelope: &Envelope,
    protocol: Protocol,
) -> Result<Fate, StoreError> {
    let body = match body {
        Body::Inline(bytes) => NewBody::Inline(bytes),
        Body::File { handle, size } => NewBody::File { handle, size },
    };
    let write = match protocol {
        Protocol::Smtp => Write::Deliver { recipients, body, leaving, received },
        // RFC 2033 §4.2: each is answered by itself.
        Protocol::Lmtp => Write::DeliverEach { recipients, body, leaving, received },
    };
    match (protocol, job::write(desk, "deliver", write).await?) {
        (Protocol::Smtp, Written::Delivered(delivered)) => Ok((delivered, Vec::new())),
        (Protocol::Lmtp, Written::DeliveredEach(each)) => Ok(by_recipient(envelope, each)),
        _ => Err(job::astray("deliver")),
    }
}

/// Of an alias one member must have it.
fn by_recipient(envelope: &Envelope, each: Vec<Result<Option<Delivered>, StoreError>>) -> Fate {
    let mut each = each.into_iter();
    let (mut delivered, mut refused) = (Vec::new(), Vec::new());
    for (number, recipient) in envelope.recipients.iter().enumerate() {
        let (mut reached, mut why) = (false, None);
        for outcome in each.by_ref().take(recipient.to.accounts().len()) {
            match outcome {
                Ok(copy) => {
                    reached = true;
                    delivered.extend(copy);
                }
                // The reason that may pass wins.
                Err(StoreError::OverQuota) => why = Some(StoreError::OverQuota),
                Err(error) => why = why.or(Some(error)),
            }
        }
        if !reached {
            refused.push((number, why.unwrap_or_else(|| job::astray("deliver"))));
        }
    }
    (delivered, refused)
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
