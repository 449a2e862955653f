//! The domain name system (RFC 1034, RFC 1035) as mail sees it.

mod answer;
mod name;

pub use answer::{Answer, Data, Failure, Kind, Lookup, Question};
pub use name::{Name, NameFault};
