//! Whether a chain is whole (RFC 8617 §5.2).

use std::collections::HashMap;

use super::set::{self, Fault, Found, Set};
use crate::UnixSeconds;
use crate::dkim::selection::Selection;
use crate::dkim::signature::{key_name, without_value};
use crate::dkim::verify::{self, judge, key_of};
use crate::dkim::{BodyHash, BodyHasher, Canonicalization, KeyAnswer, Limits, Why};
use crate::dns::Name;

/// What has become of a chain (RFC 8617 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// There is none.
    None,
    /// It is whole.
    Pass,
    /// It is not, for good: the message is to be treated as one without a chain.
    Fail,
}

impl Status {
    /// As fields have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

/// The chain of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// What has become of it.
    pub status: Status,
    /// Why it failed.
    pub why: Option<Fault>,
    /// Who handed the message on, in their order; of a chain that fails they prove nothing, and are
    /// empty where its fields make no chain.
    pub hops: Vec<Hop>,
}

/// One who handed a message on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Who sealed.
    pub domain: Name,
    /// With which of the domain's keys.
    pub selector: Name,
    /// When, as the seal says.
    pub made: Option<UnixSeconds>,
    /// What was found of the message: the value of an Authentication-Results field, in one line.
    pub results: String,
}

/// A chain on the way to its status.
#[derive(Debug)]
pub struct Validator {
    head: Vec<u8>,
    limits: Limits,
    found: Found,
    /// Only the last set's signature is of the message as it is now.
    body: Option<BodyHasher>,
}

impl Validator {
    /// For a message with this header: its fields, and the empty line behind them or not.
    #[must_use]
    pub fn new(head: Vec<u8>, limits: Limits) -> Self {
        let found = Found::read(&head);
        let last = found.sets.as_ref().ok().and_then(|sets| sets.last());
        let body =
            last.map(|Set { message, .. }| BodyHasher::new(message.body_form, message.body_length));
        Self { head, limits, found, body }
    }

    /// The names whose TXT records are wanted, each once; at most 51.
    #[must_use]
    pub fn key_names(&self) -> Vec<Name> {
        let sets = self.found.sets.as_deref().unwrap_or_default();
        let seals = sets.iter().map(|Set { seal, .. }| key_name(&seal.domain, &seal.selector));
        let message = sets.last().map(|set| set.message.key_name());
        let mut names: Vec<_> = seals.chain(message).filter_map(Result::ok).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Takes the next bytes of the body.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(body) = &mut self.body {
            body.push(bytes);
        }
    }

    /// The body has ended. `keys` holds what was found at [`key_names`](Self::key_names). What could
    /// not be looked up breaks the chain as everything else does (RFC 8617 §5.2.1).
    #[must_use]
    pub fn finish(self, keys: &HashMap<Name, KeyAnswer>, now: UnixSeconds) -> Chain {
        let Self { head, limits, found, body } = self;
        let sets = match found.sets {
            Ok(sets) => sets,
            Err(why) => return Chain { status: Status::Fail, why: Some(why), hops: Vec::new() },
        };
        let (Some(last), Some(body)) = (sets.last(), body) else {
            return Chain { status: Status::None, why: None, hops: Vec::new() };
        };
        let check = Check { head: &head, limits: &limits, keys };
        let judged = check.message(last, &body.finish(), now);
        // There are at most 50.
        let number = u8::try_from(sets.len()).unwrap_or(set::SETS_MAX);
        let judged = judged.map_err(|why| Fault::Message(number, why));
        let why = judged.and_then(|()| check.seals(&sets)).err();
        let status = if why.is_none() { Status::Pass } else { Status::Fail };
        let hops = sets.into_iter().map(|set| Hop {
            results: set::results(&head, &set.places.results),
            domain: set.seal.domain,
            selector: set.seal.selector,
            made: set.seal.made,
        });
        Chain { status, why, hops: hops.collect() }
    }
}

struct Check<'a> {
    head: &'a [u8],
    limits: &'a Limits,
    keys: &'a HashMap<Name, KeyAnswer>,
}

impl Check<'_> {
    /// RFC 8617 §4.1.2: as a DKIM signature.
    fn message(&self, set: &Set, body: &BodyHash, now: UnixSeconds) -> Result<(), Why> {
        let message = &set.message;
        let mut found = verify::Found::default();
        let key = judge(self.limits, message, Some(body), self.keys, now, &mut found);
        let key = key.map_err(|(_, why)| why)?;
        let place = &set.places.message;
        let field = set::whole(self.head, place);
        let header = Selection::new(self.head);
        let text = header.signed(&message.fields, message.header_form, field, Some(place.start));
        if key.verifies(&text, &message.value) { Ok(()) } else { Err(Why::Header) }
    }

    /// Each is over all sets up to its own (RFC 8617 §5.1.1).
    fn seals(&self, sets: &[Set]) -> Result<(), Fault> {
        let mut text = Vec::new();
        for (number, Set { seal, places, .. }) in (1..).zip(sets) {
            set::unsealed(self.head, places, &mut text);
            let (field, sealed) = (set::whole(self.head, &places.seal), text.len());
            Canonicalization::Relaxed.field(&without_value(field), &mut text);
            text.truncate(text.len().saturating_sub(LINE_END));
            let name = key_name(&seal.domain, &seal.selector);
            let mut found = verify::Found::default();
            let record = key_of(self.limits, seal.algorithm, name, self.keys, &mut found);
            let record = record.map_err(|(_, why)| Fault::Seal(number, why))?;
            if !record.key.verifies(&text, &seal.value) {
                return Err(Fault::Seal(number, Why::Header));
            }
            text.truncate(sealed);
            Canonicalization::Relaxed.field(field, &mut text);
        }
        Ok(())
    }
}

/// The CRLF behind a field.
pub(super) const LINE_END: usize = 2;
