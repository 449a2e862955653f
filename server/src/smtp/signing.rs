//! Signing what our own people send, with the keys of the domain in From (RFC 6376).

use std::fmt;

use pillarbox_core::UnixSeconds;
use pillarbox_core::dkim::{BodyHash, BodyHasher, Canonicalization, SigningKey, Terms};
use pillarbox_core::dns::Name;
use pillarbox_core::flow::Desk;
use pillarbox_store::{DkimKey, StoreError};
use ring::rand::SystemRandom;

use crate::accounts::dkim;
use crate::job::{self, Job};

/// A message on the way to its signatures.
#[derive(Debug)]
pub(super) struct Signing {
    domain: Name,
    /// As it is stored.
    head: Vec<u8>,
    hasher: BodyHasher,
}

/// A message whose signatures can be made.
pub struct Unsigned {
    domain: Name,
    head: Vec<u8>,
    body: BodyHash,
    keys: Vec<DkimKey>,
    at: UnixSeconds,
}

impl Signing {
    /// For a message of this domain, with this header.
    pub(super) fn new(domain: Name, head: Vec<u8>) -> Self {
        // As `Terms::new` has it.
        Self { domain, head, hasher: BodyHasher::new(Canonicalization::Relaxed, None) }
    }

    /// Takes the next bytes of the body.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.hasher.push(bytes);
    }

    /// The fields of its signatures, one for each key of the domain that signs: none where it has
    /// no keys.
    ///
    /// # Errors
    /// Where the keys cannot be read, or the hands failed: a domain's mail does not leave without the
    /// signatures that it wants.
    pub(super) async fn sign(
        self,
        desk: &Desk<Job>,
        at: UnixSeconds,
    ) -> Result<String, StoreError> {
        let mut keys = dkim::keys(desk, self.domain.as_str()).await?;
        keys.retain(|key| key.signs);
        if keys.is_empty() {
            return Ok(String::new());
        }
        let Self { domain, head, hasher } = self;
        let unsigned = Unsigned { domain, head, body: hasher.finish(), keys, at };
        job::sign(desk, Box::new(unsigned)).await
    }
}

impl Unsigned {
    /// Makes the signatures. A key that cannot be used is left out and told of in the log.
    pub(crate) fn sign(&self) -> String {
        let random = SystemRandom::new();
        let mut fields = String::new();
        for key in &self.keys {
            let Ok(selector) = Name::parse(&key.selector) else { continue };
            let terms = Terms::new(self.domain.clone(), selector);
            let signed = SigningKey::from_pkcs8(&key.pkcs8)
                .and_then(|key| terms.sign(&self.head, &self.body, &key, self.at, &random));
            match signed {
                Ok(field) => fields.push_str(&field),
                Err(fault) => {
                    let (domain, selector) = (key.domain.as_str(), key.selector.as_str());
                    log::error!(domain, selector, why:% = fault; "a key does not sign");
                }
            }
        }
        fields
    }
}

impl fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unsigned(from {}, {} keys)", self.domain, self.keys.len())
    }
}
