//! Names in other letters than ASCII: domains in both of their forms, and local parts folded so
//! that one name is one string.
//!
//! What is all ASCII, and holds no label that begins with `xn--`, never meets a table of Unicode.

mod domain;
mod localpart;

pub use domain::{DomainError, DomainFlaw, DomainName, domain_key};
pub use localpart::fold;
