//! Whether a message from outside is what it says: found out while its text comes in, and judged once
//! it has come. [`Inquiry`] asks, [`verdict`] judges, [`fields`] tells.

mod early;
mod fields;
mod late;
mod seen;
mod verdict;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use pillarbox_core::arc;
use pillarbox_core::dkim::{self, Verifier};
use pillarbox_core::dmarc::{self, Author};
use pillarbox_core::dns::{Lookup, Name, Question};
use pillarbox_core::effect::Effect;
use pillarbox_core::flow::{Desk, Flow};
use pillarbox_core::message::{Head, OriginFault};
use pillarbox_core::smtp::address::{Mailbox, ReversePath};
use pillarbox_core::spf;
use pillarbox_core::{Moment, Now, UnixSeconds};

use super::letter::{Client, sender_text};
use crate::config::Checks;
use crate::dns::Resolver;
use crate::job::Job;
use crate::scribe;
use early::Early;
pub(super) use fields::{REASON, summary};
use late::Late;
pub(super) use late::Wanted;
pub(crate) use seen::Seen;
pub(super) use verdict::{Facts, Judgement, Verdict};

/// Asks questions for a flow.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub(super) resolver: Arc<Resolver>,
    pub(super) seen: Arc<Seen>,
    pub(super) desk: Desk<Job>,
    pub(super) now: Moment,
}

impl Asker {
    async fn look_up(&self, question: &Question) -> Lookup {
        self.resolver.lookup(&self.desk, self.now, question).await
    }
}

/// What a message says of where it is from, and what proves it.
#[derive(Debug)]
pub(super) struct Claims {
    verifier: Verifier,
    chain: arc::Validator,
    author: Author,
}

impl Claims {
    /// As they stand in the header, as it came.
    ///
    /// # Errors
    /// Where it has more than one From, which RFC 7489 §6.6.1 would have refused. One that has none
    /// is from nobody.
    pub(super) fn of(head: &Head) -> Result<Self, OriginFault> {
        let author = match dmarc::author(head) {
            Err(fault @ OriginFault::Several(_)) => return Err(fault),
            Err(_) => Author::Nobody,
            Ok(author) => author,
        };
        let limits = dkim::Limits::default();
        let verifier = Verifier::new(head.as_bytes().to_vec(), limits);
        let chain = arc::Validator::new(head.as_bytes().to_vec(), limits);
        Ok(Self { verifier, chain, author })
    }

    /// Takes the next bytes of the body.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.verifier.push(bytes);
        self.chain.push(bytes);
    }

    /// What has to be asked.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted::by(&self.verifier, &self.chain, self.author.clone())
    }
}

/// What is being found out about one message.
pub(super) struct Inquiry {
    checks: Arc<Checks>,
    client: spf::Client,
    /// The address of MAIL FROM.
    sender: String,
    /// Its domain, or what the client called itself where it has none.
    domain: String,
    asker: Asker,
    early: Slot<Early>,
    late: Slot<Late>,
    until: Moment,
}

enum Slot<T> {
    /// Nothing is asked yet.
    Empty,
    Asked(Flow<T>),
    Known(T),
}

impl<T> Slot<T> {
    /// Goes on as far as the answers allow; whether it is known.
    fn poll(&mut self) -> bool {
        if let Self::Asked(flow) = self
            && let Some(known) = flow.poll()
        {
            *self = Self::Known(known);
        }
        matches!(self, Self::Known(_))
    }

    fn into_known(self) -> Option<T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Empty | Self::Asked(_) => None,
        }
    }
}

impl Inquiry {
    /// Begins with what is known before the text.
    pub(super) fn begin(
        checks: &Arc<Checks>,
        asker: Asker,
        client: &Client,
        hostname: &str,
        sender: &ReversePath<'_>,
        now: Now,
    ) -> Self {
        let helo = client.hello.as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
        let (receiver, single_labels) = (hostname.to_owned(), checks.single_labels);
        let client = spf::Client { ip: client.peer.to_canonical(), helo, receiver, single_labels };
        let (check, domain) = match sender.mailbox() {
            Some(Mailbox { localpart, host }) => {
                let domain = host.to_string();
                let local = localpart.as_str();
                (spf::Check::mail_from(client.clone(), local, &domain, now.wall), domain)
            }
            None => (spf::Check::helo(client.clone(), now.wall), client.helo.clone()),
        };
        let reachable = sender.mailbox().and_then(|_| Name::parse(&domain).ok());
        let early = Slot::Asked(Flow::new(early::look(asker.clone(), check, reachable)));
        let (checks, sender) = (Arc::clone(checks), sender_text(sender));
        let until = now.moment + checks.within;
        let late = Slot::Empty;
        Self { checks, client, sender, domain, asker, early, late, until }
    }

    /// The header has come.
    pub(super) fn go_on(&mut self, wanted: Wanted) {
        let sender = Name::parse(&self.domain).ok();
        self.late = Slot::Asked(Flow::new(late::look(self.asker.clone(), wanted, sender)));
    }

    /// Goes on as far as the answers allow. Whether all is known, or as much as will be in time.
    pub(super) fn poll(&mut self, now: Moment) -> bool {
        let (early, late) = (self.early.poll(), self.late.poll());
        early && late || now >= self.until
    }

    /// When it ends, whatever is known then.
    pub(super) const fn until(&self) -> Moment {
        self.until
    }

    /// What was found, what comes of it, and the fields that tell it. What reports are made of is
    /// noted.
    pub(super) fn conclude(self, claims: Claims, now: UnixSeconds) -> (Facts, Judgement, String) {
        let Claims { verifier, chain, author } = claims;
        let early = self.early.into_known();
        let (keys, dmarc) = match self.late.into_known() {
            Some(Late { keys, dmarc }) => (keys, dmarc),
            None => (HashMap::new(), None),
        };
        let (dkim, arc) = (verifier.finish(&keys, now), chain.finish(&keys, now));
        let facts = Facts::new(self.client.ip, self.domain, early, dmarc, (dkim, arc), author);
        let judgement = verdict::judge(&facts, &self.checks);
        if self.asker.seen.note(&facts, &judgement.verdict, now) {
            self.asker.desk.send(Effect::Notify(scribe::TOPIC));
        }
        let lines = fields::lines(&facts, &judgement, &self.client, &self.sender);
        (facts, judgement, lines)
    }
}

impl fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inquiry({} from {})", self.domain, self.client.ip)
    }
}

#[cfg(test)]
mod tests;
