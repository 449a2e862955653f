//! DANE for SMTP (RFC 6698, RFC 7671, RFC 7672): a domain's own word, signed in DNS, for the keys
//! of its mail servers.
//!
//! - [`Steps`] says which questions are to be asked about a server, and [`Demand::of`] what follows
//!   from the answers: whether TLS has to be there, and who the server has to be.
//! - [`Tlsa::usable`] and [`Tlsa::usable_of`] sort out the records that count.
//! - [`authenticate`] holds the certificates that a server showed to them.
//!
//! ```
//! use pillarbox_core::dane::{Demand, authenticate};
//! use pillarbox_core::dns::{Answer, Data, Name};
//! use pillarbox_core::UnixSeconds;
//!
//! let tlsa = Data::Tlsa { usage: 3, selector: 1, matching: 1, association: vec![7; 32] };
//! let name = Name::parse("_25._tcp.mx.example.net").unwrap();
//! let answer = Answer { name, records: vec![tlsa], ttl: 60, secure: true };
//! let Demand::Authenticated(records) = Demand::of(&Ok(answer)) else { panic!() };
//! let fault = authenticate(&records, &[b"no certificate".as_slice()], &[], UnixSeconds(0)).unwrap_err();
//! assert_eq!(fault.to_string(), "the server's certificate cannot be read");
//! ```

mod authenticate;
mod demand;
mod record;

pub use authenticate::{CHAIN_MAX, DaneFault, Matched, authenticate};
pub use demand::{Demand, Steps};
pub use record::{Matching, RECORDS_MAX, Selector, Tlsa, Usage};
