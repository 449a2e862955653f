//! Mail as it lies in files: mbox and maildir. Pure: bytes and names in, values out, and back.
//!
//! Neither has a standard; RFC 4155 describes one kind of mbox. What programs agree on is here:
//!
//! - [`mbox`]: one file for a mailbox, a `From ` line ([`from_line`]) before each message. Read
//!   and written in pieces of any size.
//! - [`status`]: the flags of a message in an mbox, in its header.
//! - [`maildir`]: one file for a message, its flags in its name.
//! - [`lines`]: between LF, as files have it, and CRLF, as mail does.

pub mod from_line;
pub mod lines;
pub mod maildir;
pub mod mbox;
pub mod status;

/// What is marked on a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// It was read.
    pub seen: bool,
    /// It was answered.
    pub answered: bool,
    /// It is of note.
    pub flagged: bool,
    /// It is to be removed.
    pub deleted: bool,
    /// It is not finished.
    pub draft: bool,
    /// Other marks, by their names.
    pub keywords: Vec<String>,
}
