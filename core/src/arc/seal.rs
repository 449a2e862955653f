//! Sealing (RFC 8617 §5.1), while the body passes by once.

use ring::rand::SecureRandom;

use super::set::{self, Found, NAMES, SETS_MAX};
use super::validate::{LINE_END, Status};
use crate::UnixSeconds;
use crate::authres::{self, Method};
use crate::dkim::sign::Folded;
use crate::dkim::{BodyHasher, Canonicalization, SigningFault, SigningKey, Terms};
use crate::dns::Name;

/// As [`Terms::new`], and the DKIM signatures that are there already are covered too
/// (RFC 8617 §4.1.2).
#[must_use]
pub fn terms(domain: Name, selector: Name) -> Terms {
    let mut terms = Terms::new(domain, selector);
    terms.fields.push("dkim-signature".to_owned());
    terms
}

/// A message on the way to its next set.
#[derive(Debug)]
pub struct Sealer {
    terms: Terms,
    hasher: BodyHasher,
}

impl Sealer {
    /// For a message that is to be sealed on these terms. What they say of fields that no set may
    /// cover does not count: those of chains, and Authentication-Results, which others remove
    /// (RFC 8617 §4.1.2).
    #[must_use]
    pub fn new(mut terms: Terms) -> Self {
        let covered = |name: &String| {
            name != "authentication-results"
                && !NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        terms.fields.retain(covered);
        terms.sealed.retain(covered);
        let hasher = BodyHasher::new(terms.body_form, None);
        Self { terms, hasher }
    }

    /// Takes the next bytes of the body, whose lines end with CRLF, as it is handed on.
    pub fn push(&mut self, bytes: &[u8]) {
        self.hasher.push(bytes);
    }

    /// The body has ended: the three fields that are to stand in front of this header, with their line
    /// ends. `status` is what has become of the chain as the message came, and `methods` what
    /// was found of it. `None` where nobody may go on: the chain was sealed as broken, or has
    /// [`SETS_MAX`] sets.
    ///
    /// # Errors
    /// [`SigningFault::Failed`].
    pub fn finish(
        self,
        head: &[u8],
        status: Status,
        (authserv_id, methods): (&str, &[Method]),
        key: &SigningKey,
        now: UnixSeconds,
        random: &dyn SecureRandom,
    ) -> Result<Option<String>, SigningFault> {
        let Found { sets, highest, ended } = Found::read(head);
        if ended || highest >= SETS_MAX {
            return Ok(None);
        }
        let number = (highest + 1).to_string();
        // RFC 8617 §5.1.2: a seal that says so covers nothing of what is broken.
        let (status, before) = match (status, sets) {
            (Status::None, Ok(sets)) if sets.is_empty() => (Status::None, sets),
            (Status::Pass, Ok(sets)) if !sets.is_empty() => (Status::Pass, sets),
            _ => (Status::Fail, Vec::new()),
        };
        let mut text = Vec::new();
        for set in &before {
            set::unsealed(head, &set.places, &mut text);
            Canonicalization::Relaxed.field(set::whole(head, &set.places.seal), &mut text);
        }
        let results = authres::field(authserv_id, methods);
        let results = results.split_once(':').map_or("", |(_, value)| value.trim_start());
        let [results_name, message_name, seal_name] = NAMES.map(|name| format!("{name}:"));
        let results = format!("{results_name} i={number};\r\n\t{results}");
        let body = self.hasher.finish();
        let message =
            self.terms.field((&message_name, "i", &number), head, &body, key, now, random)?;
        Canonicalization::Relaxed.field(results.as_bytes(), &mut text);
        Canonicalization::Relaxed.field(message.as_bytes(), &mut text);
        let mut seal = Folded::new(&seal_name);
        seal.tag("i", &number);
        seal.tag("a", key.algorithm().name());
        seal.tag("t", &now.0.to_string());
        seal.tag("cv", status.name());
        seal.tag("d", self.terms.domain.as_str());
        seal.tag("s", self.terms.selector.as_str());
        seal.open("b");
        Canonicalization::Relaxed.field(seal.text.as_bytes(), &mut text);
        text.truncate(text.len().saturating_sub(LINE_END));
        seal.value(&key.sign(&text, random)?);
        Ok(Some(format!("{}\r\n{message}{results}", seal.text)))
    }
}
