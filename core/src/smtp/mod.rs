//! SMTP (RFC 5321): the server machine, its commands, replies and the body of DATA.

pub mod address;
pub mod body;
pub mod command;
pub mod config;
mod cursor;
mod event;
mod fault;
pub mod limits;
mod order;
pub mod reply;
mod server;

pub use cursor::At;
pub use event::{Event, Misuse, Next, Secret, Step};
pub use fault::Fault;
pub use server::Server;
