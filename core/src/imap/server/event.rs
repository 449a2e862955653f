//! What the machine and its owner say to each other.

use std::fmt;

use crate::imap::command::{Append, AppendMessage, Command, Verb};
use crate::imap::response::Code;

/// What one call of [`Server::next`](super::Server::next) has come to.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what was used must be taken from the inbox"]
pub struct Step<'b> {
    /// How many bytes of the input are done with.
    pub used: usize,
    /// What is to be done now.
    pub next: Next<'b>,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'b> {
    /// Something for the owner.
    Event(Event<'b>),
    /// Nothing before more bytes come. If some were used, the machine has answered by itself:
    /// call again.
    NeedBytes,
    /// Nothing before the owner has acted on the last event.
    AwaitReply,
    /// The session is over; the outbox holds its last words.
    Closed,
}

/// What the client wants.
#[derive(PartialEq, Eq)]
pub enum Event<'b> {
    /// A command, complete.
    Command(Command),
    /// APPEND or REPLACE, with its message still to come.
    AppendBegin(Append),
    /// A piece of the message, never empty.
    AppendData(&'b [u8]),
    /// The message is complete, and another one is to come in the same APPEND (RFC 3502).
    AppendNext(AppendMessage),
    /// The message and its command are complete.
    AppendEnd,
    /// The answer to a challenge, decoded.
    AuthResponse(Vec<u8>),
    /// The client has had enough of IDLE.
    IdleDone,
    /// APPEND, REPLACE, AUTHENTICATE or IDLE was ended by the client's mistake or wish, and that was
    /// answered. What belongs to it is to be dropped.
    Abandoned(Verb),
}

impl fmt::Debug for Event<'_> {
    /// Tells sizes of what may be a letter or a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => write!(f, "Command({command:?})"),
            Self::AppendBegin(append) => write!(f, "AppendBegin({append:?})"),
            Self::AppendData(bytes) => write!(f, "AppendData({} bytes)", bytes.len()),
            Self::AppendNext(message) => write!(f, "AppendNext({message:?})"),
            Self::AppendEnd => f.write_str("AppendEnd"),
            Self::AuthResponse(bytes) => write!(f, "AuthResponse({} bytes)", bytes.len()),
            Self::IdleDone => f.write_str("IdleDone"),
            Self::Abandoned(verb) => write!(f, "Abandoned({verb:?})"),
        }
    }
}

/// The end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<'a> {
    /// How it went.
    pub status: Status,
    /// What a program should know.
    pub code: Option<Code<'a>>,
    /// What a person should know, in ASCII.
    pub text: &'a str,
}

/// How a command went (RFC 3501 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// As asked.
    Ok,
    /// It was not done.
    No,
    /// It was not understood or not allowed at this point.
    Bad,
}

impl<'a> Done<'a> {
    /// Done as asked.
    #[must_use]
    pub const fn ok(text: &'a str) -> Self {
        Self { status: Status::Ok, code: None, text }
    }

    /// Not done.
    #[must_use]
    pub const fn no(text: &'a str) -> Self {
        Self { status: Status::No, code: None, text }
    }

    /// Not understood.
    #[must_use]
    pub const fn bad(text: &'a str) -> Self {
        Self { status: Status::Bad, code: None, text }
    }

    /// The same with a response code.
    #[must_use]
    pub const fn with(mut self, code: Code<'a>) -> Self {
        self.code = Some(code);
        self
    }
}

/// The owner called what cannot be called now. Nothing was written, nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Misuse {
    /// There is no command to be finished, or it wants something else first.
    NothingToFinish,
    /// An APPEND whose message has not come whole cannot be finished with OK.
    MessageToCome,
    /// No APPEND waits to be accepted.
    NothingOffered,
    /// No AUTHENTICATE waits for a challenge.
    NoExchange,
    /// No IDLE waits to begin.
    NoIdle,
    /// STARTTLS was not answered with OK just now.
    NoHandshake,
    /// Nor was COMPRESS.
    NoCompression,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingToFinish => "no command can be finished now",
            Self::MessageToCome => "the message of APPEND has not come yet",
            Self::NothingOffered => "no APPEND waits to be accepted",
            Self::NoExchange => "no AUTHENTICATE waits for a challenge",
            Self::NoIdle => "no IDLE waits to begin",
            Self::NoHandshake => "STARTTLS was not answered just now",
            Self::NoCompression => "COMPRESS was not answered just now",
        })
    }
}

impl std::error::Error for Misuse {}
