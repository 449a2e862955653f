//! What is carried: a message with those of its recipients who are reached together.

use std::collections::HashMap;

use pillarbox_core::UnixSeconds;
use pillarbox_core::dsn::Asked;
use pillarbox_core::smtp::address::Grammar;
use pillarbox_core::smtp::client::Envelope;
use pillarbox_core::smtp::command::{Command, Hold, Mail, Rcpt};
use pillarbox_core::smtp::config::Strictness;
use pillarbox_store::{Due, Outgoing, OutgoingId, QueueId};

/// A message with those of its recipients who are reached together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) message: Outgoing,
    /// At least one.
    pub(crate) to: Vec<To>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct To {
    pub(crate) id: QueueId,
    pub(crate) address: String,
    pub(crate) domain: String,
    /// RCPT as a command.
    pub(crate) rcpt: String,
    pub(crate) attempts: u32,
    /// The sender knows that it takes long.
    pub(crate) warned: bool,
}

/// How addresses are read that were taken already.
const GRAMMAR: Grammar =
    Grammar { strictness: Strictness::Lenient, localpart_max: 1_024, domain_max: 1_024 };

impl Parcel {
    /// Those of one message become one parcel, in the order of the first.
    pub(crate) fn pack(due: Vec<Due>) -> Vec<Self> {
        let mut places: HashMap<OutgoingId, usize> = HashMap::new();
        let mut parcels: Vec<Self> = Vec::new();
        for Due { id, address, domain, rcpt, attempts, warned, message, .. } in due {
            let to = To { id, address, domain, rcpt, attempts, warned };
            let place = places.entry(message.id).or_insert(parcels.len());
            match parcels.get_mut(*place) {
                Some(parcel) => parcel.to.push(to),
                None => parcels.push(Self { message, to: vec![to] }),
            }
        }
        parcels
    }

    /// What MAIL and RCPT say; `None` where they cannot be read any more.
    pub(crate) fn envelope(&self) -> Option<Envelope> {
        let mut mail = mail(&self.message)?;
        // It was held here.
        mail.hold = None;
        mail.size = Some(self.message.size);
        let recipients = self.to.iter().map(To::rcpt).collect::<Option<Vec<_>>>()?;
        Some(Envelope { mail, recipients })
    }
}

/// What MAIL says.
pub(crate) fn mail(message: &Outgoing) -> Option<Mail<'static>> {
    match Command::parse(message.mail.as_bytes(), GRAMMAR) {
        Ok(Command::Mail(mail)) => Some(mail.into_owned()),
        _ => None,
    }
}

/// MAIL of a message that goes only where TLS is verified and stays so, or as usual.
pub(crate) fn requiring_tls(message: &Outgoing, on: bool) -> Option<String> {
    let mut mail = mail(message)?;
    mail.require_tls = on;
    Some(Command::Mail(mail).to_string())
}

/// Since when a message is tried: since it came, or was to be held no longer (RFC 4865).
pub(crate) fn begins(message: &Outgoing) -> UnixSeconds {
    match mail(message).and_then(|mail| mail.hold) {
        Some(Hold::Until(time)) => UnixSeconds(message.since.0.max(time.0)),
        _ => message.since,
    }
}

impl To {
    /// What RCPT says.
    pub(crate) fn rcpt(&self) -> Option<Rcpt<'static>> {
        match Command::parse(self.rcpt.as_bytes(), GRAMMAR) {
            Ok(Command::Rcpt(rcpt)) => Some(rcpt.into_owned()),
            _ => None,
        }
    }

    /// What the sender wants to hear of.
    pub(crate) fn asked(&self) -> Asked {
        match self.rcpt().and_then(|rcpt| rcpt.notify) {
            Some(notify) => {
                Asked { success: notify.success, failure: notify.failure, delay: notify.delay }
            }
            None => Asked::default(),
        }
    }
}
