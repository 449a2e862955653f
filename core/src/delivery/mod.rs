//! The rules by which mail leaves (RFC 5321 §4.5.4.1, §5): when it is tried again, and which
//! servers are tried in which order.
//!
//! - [`Schedule`] tells after an attempt that failed when the next one is.
//! - [`Route::of`] makes of a domain's MX records the servers in their order.
//! - [`alternating`] puts the addresses of a server in order.
//! - [`Terms::of`] says how TLS is to be with a server, by DANE, MTA-STS and the sender's wish.

mod addresses;
mod chance;
mod route;
mod schedule;
mod security;

pub use addresses::{ADDRESSES_MAX, Family, alternating};
pub use route::{HOSTS_MAX, Hosts, Route};
pub use schedule::{Next, Schedule};
pub use security::{Security, Terms, Wish};
