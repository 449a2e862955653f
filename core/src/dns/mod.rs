//! The domain name system (RFC 1034, RFC 1035) as mail sees it.
//!
//! A [`Question`] becomes a [`Lookup`] by a [`Resolution`], which asks the servers of [`Settings`]:
//! these ask all others on our behalf. Answers are remembered in a [`Cache`]. What
//! this machine alone says of names it connects to are its [`Hosts`]; a [`Zone`] answers in the place of all servers.

mod answer;
mod cache;
mod hosts;
mod name;
mod print;
mod resolution;
mod settings;
mod wire;
mod zone;

pub use answer::{Answer, Data, Failure, Kind, Lookup, Question};
pub use cache::Cache;
pub use hosts::{Hosts, reserved};
pub use name::{Name, NameFault};
pub use resolution::{Exchange, Heard, Outcome, Resolution, Step};
pub use settings::{PORT, SERVERS_MAX, Server, Settings};
pub use zone::{Zone, ZoneFault};
