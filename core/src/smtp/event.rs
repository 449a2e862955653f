//! What [`Server`](super::Server) tells its owner, and how the owner may not call it.

use std::fmt;

use super::command::{Hello, Mail, Rcpt};
use super::fault::Fault;

/// How far [`Server::next`](super::Server::next) has come.
#[derive(Debug)]
#[must_use = "what was used must be taken from the inbox"]
pub struct Step<'b> {
    /// So many of the unread bytes are done with.
    pub used: usize,
    /// What follows.
    pub next: Next<'b>,
}

/// What follows from the bytes read.
#[derive(Debug)]
pub enum Next<'b> {
    /// Something for the owner.
    Event(Event<'b>),
    /// The client is next. Where bytes were used, the machine has answered by itself, and there
    /// may be more in what is left.
    NeedBytes,
    /// The owner is next: a [`Server::reply`](super::Server::reply) is owed, or the handshake.
    AwaitReply,
    /// Nothing is read any more: send what is in the outbox and close.
    Closed,
}

/// What is being read: how long it may take is for the owner to say, who knows the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A command, or an answer in an AUTH exchange.
    Line,
    /// A command between two chunks of one message (RFC 3030 §2).
    BetweenChunks,
    /// The rest of a line that was too long.
    LongLine,
    /// A body, or a chunk, be it taken or not.
    Body,
    /// Nothing: the owner is next, or the conversation is over.
    Nothing,
}

/// What the owner must know or decide.
///
/// A transaction ends with [`Event::Reset`] and [`Event::BodyRefused`], with the reply to
/// [`Event::BodyEnd`], and with a yes to [`Event::Hello`] (RFC 5321 §4.1.4: a refused one changes
/// nothing) or to [`Event::StartTls`].
#[derive(Debug)]
pub enum Event<'b> {
    /// EHLO or HELO, or LHLO in LMTP. Decide; after a yes the extensions are announced, to HELO not.
    Hello(Hello<'b>),
    /// MAIL begins a transaction. Decide.
    Mail(Mail<'b>),
    /// RCPT. Decide.
    Rcpt(Rcpt<'b>),
    /// DATA, with at least one recipient accepted. Decide: [`Reply::start_mail`](super::reply::Reply::start_mail) to go on.
    Data,
    /// A piece of the body, unstuffed, every line end CRLF. No reply.
    Body(&'b [u8]),
    /// The body is whole. Decide: a yes makes the message ours (RFC 5321 §4.2.5). In LMTP with
    /// [`Server::reply_each`](super::Server::reply_each), or with one reply that goes for all
    /// recipients.
    BodyEnd,
    /// The body was refused and the client knows why. No reply; the transaction is gone
    /// (RFC 5321 §4.1.1.4).
    BodyRefused(Fault),
    /// The client withdrew its transaction. No reply.
    Reset,
    /// AUTH with a mechanism that is offered. [`Server::challenge`](super::Server::challenge), or decide.
    Auth {
        /// As the client wrote it, in any case.
        mechanism: &'b str,
        /// The initial response, decoded.
        initial: Option<Secret>,
    },
    /// The answer to a challenge. [`Server::challenge`](super::Server::challenge) again, or decide.
    AuthResponse(Secret),
    /// The exchange is over without a login, and the client knows why. No reply.
    AuthCancelled(Fault),
    /// STARTTLS. Decide; after a yes nothing is read until [`Server::tls_started`](super::Server::tls_started).
    StartTls,
}

/// A decoded message of an AUTH exchange. Prints nothing of it: it may be a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The owner called out of order. Nothing was written and nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The greeting was said already.
    Greeted,
    /// No reply is owed.
    NothingAsked,
    /// Another number of replies than this is owed.
    Replies(usize),
    /// A challenge, but no AUTH is under way.
    NoExchange,
    /// TLS has started, but STARTTLS was not accepted and something was said already.
    NoHandshake,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Greeted => "the greeting was said already",
            Self::NothingAsked => "no reply is owed",
            Self::Replies(owed) => return write!(f, "{owed} replies are owed, and not so many"),
            Self::NoExchange => "no AUTH is under way",
            Self::NoHandshake => "STARTTLS was not accepted",
        };
        f.write_str(text)
    }
}

impl std::error::Error for Misuse {}
