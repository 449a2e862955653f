//! DomainKeys Identified Mail (RFC 6376): who vouches for a message, and whether it is the one
//! they vouched for.
//!
//! - [`Verifier`] is given the header, then the body in pieces, and then the keys that it named;
//!   it tells an [`Outcome`] for each signature. The body passes by once for all of them.
//! - [`Signer`] is given the body in pieces and then the header, and makes the field.
//! - [`KeyRecord`] is what a domain publishes.
//!
//! ```
//! use std::collections::HashMap;
//! use pillarbox_core::UnixSeconds;
//! use pillarbox_core::dkim::{Limits, Verdict, Verifier};
//!
//! let mut verifier = Verifier::new(b"From: a@b.example\r\nDKIM-Signature: v=2\r\n".to_vec(), Limits::default());
//! assert!(verifier.key_names().is_empty());
//! verifier.push(b"Hello\r\n");
//! let outcomes = verifier.finish(&HashMap::new(), UnixSeconds(0));
//! assert_eq!(outcomes[0].verdict, Verdict::Neutral);
//! ```

mod canonical;
mod key;
pub(crate) mod selection;
pub(crate) mod sign;
pub(crate) mod signature;
pub(crate) mod tags;
pub(crate) mod verify;

#[cfg(test)]
mod tests;

pub use canonical::{BodyHash, BodyHasher, Canonicalization};
pub use key::{KeyFault, KeyRecord, PublicKey, RECORD_BYTES_MAX};
pub use sign::{Signer, SigningFault, SigningKey, Terms};
pub use signature::{Algorithm, NAMES_MAX, Signature, SignatureFault};
pub use tags::{TAGS_MAX, Tag, TagFault, Tags};
pub use verify::{KeyAnswer, Limits, Outcome, Verdict, Verifier, Why};
