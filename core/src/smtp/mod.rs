//! SMTP (RFC 5321): the server machine, its commands, replies and the body of DATA. The client
//! machine is [`client`].
//!
//! # What the machine does, and what its owner does
//!
//! [`Server`] knows the standard and nothing else: what a command looks like, which may come when,
//! where a message ends, and how each mistake is answered. It does not know whether a mailbox
//! exists, what a password is, or that there is a disk. For that it has an *owner*, the code that
//! holds it. It reads no socket either: the owner shows it the bytes that came, and sends what it
//! writes to an [`Outbox`](crate::Outbox).
//!
//! - [`Server::greet`] says the first word.
//! - [`Server::next`] looks at all bytes that have come and were not used yet. It says how many of
//!   them it is done with, and what follows: an [`Event`], the client's turn
//!   ([`Next::NeedBytes`]), the owner's turn ([`Next::AwaitReply`]), or the end.
//! - EHLO, HELO, MAIL, RCPT, DATA, the end of a body, AUTH and STARTTLS are questions to the owner.
//!   It answers with [`Server::reply`], now or after hours; until then nothing more is read. The
//!   first digit of the [`Reply`](reply::Reply) is the decision: after `250` to RCPT there is one
//!   more recipient, after `550` there is not. Nothing can be accepted that the client was not
//!   told of.
//! - NOOP, HELP, VRFY, RSET, QUIT and every [`Fault`] of the client the machine answers alone.
//!
//! # One transaction
//!
//! MAIL, RCPT and DATA come in the order of RFC 5321 §3.3, each as an event. Then the body streams
//! through as [`Event::Body`], in pieces as large as what has come, with doubled dots taken away
//! (§4.5.2). Nothing is collected. At [`Event::BodyEnd`] the owner makes the message durable and
//! only then says `250`: from there on it is ours to deliver (§4.2.5). Instead of `BodyEnd` there
//! may be [`Event::BodyRefused`]: too large, or a line end that another server could take for the
//! message's end ([`body`]). The client knows already; the owner drops what it has of the body.
//!
//! Clients that pipeline (RFC 2920) need no care: later commands stay among the unread bytes until
//! the reply is given. How the bytes are split never matters, with one exception that must be:
//! after STARTTLS nothing may have come in clear (RFC 3207 §4.2), so `next` ends the conversation
//! where it sees more, and the owner must do the same with what arrives before the handshake.
//!
//! # Bounds
//!
//! The machine holds no bytes; an unfinished line stays with the owner, whose inbox must have room
//! for [`INBOX_BYTES_MIN`](limits::INBOX_BYTES_MIN). All else that a client could make grow has a
//! field in [`Limits`](limits::Limits), which says what happens one past it. Replies are short, but
//! a client can ask for many: stop calling `next` while the outbox is above its mark.
//!
//! # A whole conversation
//!
//! ```
//! use pillarbox_core::smtp::config::{Capabilities, Config, Strictness};
//! use pillarbox_core::smtp::{Event, Next, Server, limits::Limits, reply::Reply};
//! use pillarbox_core::{Inbox, Outbox};
//!
//! let config = Config::new(
//!     "mx.example",
//!     Limits::default(),
//!     Capabilities { pipelining: false, ..Capabilities::default() },
//!     Strictness::Lenient,
//! )?;
//! let mut inbox = Inbox::new(pillarbox_core::smtp::limits::INBOX_BYTES_MIN);
//! let mut outbox = Outbox::new(16_384);
//! let mut letter = Vec::new();
//!
//! let mut server = Server::new(config.into(), "c7");
//! server.greet(&Reply::greeting("ESMTP"), &mut outbox)?;
//! inbox.extend(
//!     b"EHLO client.example\r\n\
//!       MAIL FROM:<ann@client.example>\r\n\
//!       RCPT TO:<nobody@mx.example>\r\n\
//!       RCPT TO:<bob@mx.example>\r\n\
//!       DATA\r\n\
//!       Subject: hello\r\n\
//!       \r\n\
//!       ..\r\n\
//!       .\r\n\
//!       QUIT\r\n",
//! );
//! while outbox.below_mark() {
//!     let step = server.next(inbox.unread(), &mut outbox);
//!     let used = step.used;
//!     let reply = match step.next {
//!         Next::Event(Event::Hello(hello)) => Some(Reply::hello(format!("greets {}", hello.name))),
//!         Next::Event(Event::Mail(_)) => Some(Reply::sender_ok()),
//!         Next::Event(Event::Rcpt(rcpt)) => match rcpt.recipient.mailbox() {
//!             Some(mailbox) if mailbox.localpart.as_str() == "bob" => Some(Reply::recipient_ok()),
//!             _ => Some(Reply::no_such_mailbox()),
//!         },
//!         Next::Event(Event::Data) => Some(Reply::start_mail()),
//!         Next::Event(Event::Body(text)) => {
//!             letter.extend_from_slice(text);
//!             None
//!         }
//!         // Here the letter would be made durable first.
//!         Next::Event(Event::BodyEnd) => Some(Reply::accepted()),
//!         // Not offered, so never asked; RSET and the like need no reply.
//!         Next::Event(_) => None,
//!         // Where nothing was used, more must come from the client first.
//!         Next::NeedBytes if used == 0 => break,
//!         Next::NeedBytes => None,
//!         Next::AwaitReply | Next::Closed => break,
//!     };
//!     if let Some(reply) = reply {
//!         server.reply(&reply, &mut outbox)?;
//!     }
//!     inbox.consume(used);
//! }
//!
//! assert_eq!(letter, b"Subject: hello\r\n\r\n.\r\n");
//! assert_eq!(
//!     String::from_utf8_lossy(outbox.unsent()).lines().collect::<Vec<_>>(),
//!     [
//!         "220 mx.example ESMTP",
//!         "250-mx.example greets client.example",
//!         "250-SIZE 52428800",
//!         "250-8BITMIME",
//!         "250-SMTPUTF8",
//!         "250-CHUNKING",
//!         "250-BINARYMIME",
//!         "250-LIMITS MAILMAX=100000 RCPTMAX=1000",
//!         "250 ENHANCEDSTATUSCODES",
//!         "250 2.1.0 sender ok",
//!         "550 5.1.1 no such mailbox here (c7)",
//!         "250 2.1.5 recipient ok",
//!         "354 send the message, end it with <CRLF>.<CRLF>",
//!         "250 2.0.0 message accepted",
//!         "221 2.0.0 mx.example says goodbye",
//!     ]
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The parts can be used alone: [`address`] and [`command`] parse and print, [`body`] finds the end
//! of a body, [`reply`] writes replies.

pub mod address;
pub mod body;
mod chunk;
pub mod client;
pub mod command;
pub mod config;
mod cursor;
mod envelope;
mod event;
mod fault;
pub mod limits;
mod line_meter;
mod order;
mod parameter;
pub mod reply;
mod server;

pub use cursor::At;
pub use event::{Event, Misuse, Next, Reading, Secret, Step};
pub use fault::Fault;
pub use server::Server;
