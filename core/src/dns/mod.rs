//! The domain name system (RFC 1034, RFC 1035) as mail sees it.

mod name;

pub use name::{Name, NameFault};
