//! SMTP, submission and LMTP: what is decided about what `pillarbox_core::smtp` tells.
//!
//! `session` follows the conversation and answers what needs no look outside. A question that
//! needs one is a flow: `sender` for MAIL, `recipient` for RCPT, `receive` for the end of a body,
//! and `login`. While a flow is under way the conversation waits; its result is the reply.

mod checks;
mod denied;
mod head;
mod letter;
mod receive;
mod recipient;
mod sender;
mod session;
pub(crate) mod signing;
pub(crate) mod spool;
mod trace;
mod trouble;

pub(crate) use checks::Seen;
pub use session::{Door, SmtpSession, TimeLimits};
