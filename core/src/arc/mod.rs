//! The Authenticated Received Chain (RFC 8617): what those who handed a message on have found of it,
//! each under a seal over all that was sealed before.
//!
//! - [`Validator`] is given the header, then the body in pieces, and then the keys that it named; it
//!   tells the [`Chain`].
//! - [`Sealer`] is given the body in pieces, then the header and the chain, and makes the next set.
//!
//! A chain that is whole says nothing of whether those who sealed it are to be believed.
//!
//! ```
//! use std::collections::HashMap;
//! use pillarbox_core::UnixSeconds;
//! use pillarbox_core::arc::{Status, Validator};
//! use pillarbox_core::dkim::Limits;
//!
//! let mut validator = Validator::new(b"From: a@b.example\r\n".to_vec(), Limits::default());
//! validator.push(b"Hello\r\n");
//! assert_eq!(validator.finish(&HashMap::new(), UnixSeconds(0)).status, Status::None);
//! ```

mod seal;
mod set;
mod validate;

#[cfg(test)]
mod tests;

pub use seal::{Sealer, terms};
pub use set::{BYTES_MAX, Fault, SETS_MAX};
pub use validate::{Chain, Hop, Status, Validator};
