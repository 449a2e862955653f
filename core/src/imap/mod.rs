//! IMAP (RFC 9051, RFC 3501): framing, grammar, the server machine and the view of a mailbox.
//!
//! - `fragment` finds the borders of commands: lines and literals, nothing else.
//! - [`grammar`] reads one command that has its borders; its results borrow.
//! - [`command`] holds what the owner is told: the same commands, owned.
//! - [`enabled`] says which extensions a client has switched on.
//! - [`server`] is the machine: which command may be given when, and who answers it.
//! - [`response`] writes what a server says.
//! - [`view`] is what one session shows its client: which UID has which number just now.
//! - [`resync`] says what a client that comes back must hear.
//! - [`name`], [`listing`], [`flags`], [`section`] and [`search`] answer questions about mailbox
//!   names, which of them LIST tells, flags, the bytes of a message, and which messages a search
//!   finds; [`sort`] brings these into an order, [`thread`] under each other.
//!
//! Nothing here knows a store. What IMAP has beyond the commands of [`command::Verb`] is refused.

mod collation;
pub mod command;
pub mod enabled;
pub mod flags;
mod fragment;
pub mod grammar;
mod legality;
pub mod listing;
mod mistake;
pub mod name;
pub mod object;
pub mod response;
pub mod resync;
pub mod search;
pub mod section;
pub mod server;
pub mod sort;
mod subject;
pub mod thread;
mod verb;
pub mod view;

pub use command::{Command, Verb};
pub use enabled::Enabled;
pub use server::{Config, Event, Next, Server, Step};
pub use view::View;
