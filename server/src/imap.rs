//! IMAP: what is decided about what `pillarbox_core::imap` tells.
//!
//! `session` follows the conversation. Each command that needs the store is a flow in
//! `commands`, `mailboxes`, `copy`, `fetch`, `search` or `append`; it takes the open mailbox
//! (`open`) with it, writes untagged responses, and gives both the mailbox and the tagged answer
//! back.

mod append;
mod commands;
mod copy;
mod fetch;
mod mailboxes;
mod modseqs;
mod open;
mod outlines;
mod pieces;
pub(crate) mod pins;
pub(crate) mod recents;
mod search;
mod session;
mod sort;
mod thread;

pub use session::{ImapDoor, ImapSession};
