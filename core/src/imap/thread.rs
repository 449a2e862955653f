//! Threads (RFC 5256 §3; REFS: draft-ietf-morg-inthread-01): which message answers which.
//!
//! Messages are taken one by one ([`Threader::push`]); each costs 40 bytes, and each message id
//! that anything names, be it there or not, some 40 more. Of the messages that one refers to, the
//! last [`REFERENCES_MAX`] count. Nothing here recurses: a thread may be as deep as there are
//! messages.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};

use super::collation;
use super::grammar::Algorithm;
use super::sort::sent;
use super::subject;
use crate::UnixSeconds;
use crate::mime::MessageIds;
use crate::mime::header::{Fields, fields};
use forest::Forest;
use links::{Links, NodeId};
pub use write::Threads;

mod forest;
mod links;
mod write;

/// How many of the messages that one refers to are looked at: the nearest.
pub const REFERENCES_MAX: usize = 100;

/// Messages that become threads.
#[derive(Debug)]
pub struct Threader {
    algorithm: Algorithm,
    members: Vec<Member>,
    links: Links,
    subjects: BTreeMap<Digest, u32>,
    ids: Vec<Digest>,
    text: String,
}

/// What is known of a message.
#[derive(Debug, Clone, Copy)]
struct Member {
    /// As it is told.
    number: u32,
    /// Which base subject it has; 0 is the empty one.
    subject: u32,
    /// Whether the subject says that it is a reply or was forwarded.
    replies: bool,
    sent: UnixSeconds,
    received: UnixSeconds,
    /// Its node among the links.
    node: NodeId,
}

/// Stands for a string: no two have the same.
type Digest = [u8; 16];

impl Threader {
    /// For messages that become threads in this way.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            members: Vec::new(),
            links: Links::default(),
            subjects: BTreeMap::new(),
            ids: Vec::new(),
            text: String::new(),
        }
    }

    /// Takes the next message, in the order of the mailbox: the number by which it is told, when
    /// it was received, and its header.
    pub fn push(&mut self, number: u32, received: UnixSeconds, header: &[u8]) {
        let (subject, replies) = match self.algorithm {
            Algorithm::Refs => (0, false),
            Algorithm::OrderedSubject | Algorithm::References => self.subject(header),
        };
        let node = match self.algorithm {
            Algorithm::OrderedSubject => NodeId::default(),
            Algorithm::References | Algorithm::Refs => self.link(header),
        };
        let sent = sent(header, received);
        self.members.push(Member { number, subject, replies, sent, received, node });
    }

    /// The threads of all that were taken.
    #[must_use]
    pub fn threads(self) -> Threads {
        let mut forest = match self.algorithm {
            Algorithm::OrderedSubject => Forest::by_subject(&self.members),
            Algorithm::References | Algorithm::Refs => Forest::by_links(&self.members, &self.links),
        };
        if self.algorithm == Algorithm::References {
            forest.merge(self.subjects.len());
        }
        forest.threads(self.algorithm == Algorithm::Refs)
    }

    /// The number of a message's base subject, and whether it is a reply.
    fn subject(&mut self, header: &[u8]) -> (u32, bool) {
        let Some(field) = fields(header).find(|field| field.is(b"Subject")) else {
            return (0, false);
        };
        self.text.clear();
        subject::decode(field.value, &mut self.text);
        let base = subject::base(&self.text);
        if base.text.is_empty() {
            return (0, base.replies);
        }
        let mut form = Vec::new();
        collation::prepare(base.text, &mut form);
        // There are fewer than 2^32 messages.
        let next = u32::try_from(self.subjects.len() + 1).unwrap_or(0);
        (*self.subjects.entry(digest_of(&form)).or_insert(next), base.replies)
    }

    /// Steps 1.A and 1.B.
    fn link(&mut self, header: &[u8]) -> NodeId {
        let own = first(fields(header), b"Message-ID");
        self.ids.clear();
        let references = fields(header).find(|field| field.is(b"References"));
        if let Some(field) = references {
            let mut ids = MessageIds::new(field.value);
            while let Some(id) = ids.next() {
                self.ids.push(digest_of(id));
            }
        }
        if self.ids.is_empty() {
            self.ids.extend(first(fields(header), b"In-Reply-To"));
        }
        let nearest = self.ids.len().saturating_sub(REFERENCES_MAX);
        self.links.add(own, self.ids.get(nearest..).unwrap_or_default())
    }
}

/// The first message id in the first field of a name.
fn first(mut fields: Fields<'_>, name: &[u8]) -> Option<Digest> {
    let field = fields.find(|field| field.is(name))?;
    MessageIds::new(field.value).next().map(digest_of)
}

fn digest_of(bytes: &[u8]) -> Digest {
    let whole = digest(&SHA256, bytes);
    whole.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
