//! Mail protocols as pure state machines.
//!
//! Nothing here opens a socket or a file, reads a clock, starts a thread, draws a random number
//! or writes a log. Bytes, answers and the time go in; events, bytes and requests come out.
//! (One stated exception: `ring` takes its own random bytes inside a TLS handshake.)
//!
//! Four layers, each with one rule:
//!
//! - *codec*: bytes to values and back, no state ([`wire`], [`mime`], [`message`], `smtp::command`,
//!   `imap::grammar`).
//! - *protocol machine*: the order of one standard ([`smtp`], [`imap`], [`sasl`]). Bytes in,
//!   events out; the replies told to it become bytes.
//! - *connection machine*: what a runtime drives ([`machine`]): TLS ([`tls`]), a protocol machine
//!   and the flows ([`flow`]) that decide.
//! - *runtime*: not here. It moves bytes and carries out [`effect`]s.

pub mod alpn;
pub mod arc;
pub mod archive;
pub mod authres;
pub mod compression;
pub mod connection;
pub mod dane;
pub mod delivery;
pub mod dkim;
pub mod dmarc;
pub mod dns;
pub mod dsn;
pub mod effect;
pub mod flow;
pub mod imap;
pub mod international;
mod io;
pub mod machine;
pub mod message;
pub mod mime;
pub mod mta_sts;
mod now;
pub mod proxy;
mod random;
pub mod rate;
pub mod sasl;
pub mod smtp;
pub mod spf;
pub mod tls;
pub mod tlsrpt;
pub mod wire;

pub use io::{Inbox, Outbox};
pub use machine::{EffectId, Input, Io, Machine, Stream, Want};
pub use now::{Moment, Now, UnixSeconds};
pub use random::Random;
