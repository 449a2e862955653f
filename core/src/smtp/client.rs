//! The client's side of a conversation by SMTP (RFC 5321) or LMTP (RFC 2033): one connection that
//! carries one message after another.
//!
//! # What the machine does, and what its owner does
//!
//! [`Client`] says EHLO (HELO where that is not known, LHLO by LMTP), keeps to what the server
//! offers, sends MAIL, RCPT and DATA in one go where it may (RFC 2920), reads every mix of answers,
//! and tells what became of a message for each recipient. Its *owner* carries the bytes, runs TLS,
//! tells the time, and decides: whether TLS and a login are wanted, and what is sent.
//!
//! - [`Client::next`] looks at what has come and was not used, and says what follows: an [`Event`],
//!   the server's turn ([`Next::NeedBytes`]), the owner's ([`Next::AwaitOwner`]), a piece of the
//!   body ([`Next::AwaitBody`]), or the end. The owner calls it again after each call of its own.
//! - After [`Event::Ready`] the owner calls [`Client::start_tls`], [`Client::authenticate`],
//!   [`Client::send`] or [`Client::quit`]; so again after each event that does not end it.
//! - The body goes by [`Client::body`] in pieces of any size, while `next` says
//!   [`Next::AwaitBody`] and the outbox is below its mark, and ends with [`Client::body_end`].
//! - What the server says before it is asked ends the conversation ([`Ending::Unexpected`]).
//! - Where the connection or TLS fails, the owner says so by [`Client::lost`].
//!
//! # Bounds
//!
//! An answer has at most [`LINES_MAX`] lines of [`LINE_MAX`] bytes and [`TEXT_MAX`] bytes of text;
//! the unread bytes stay with the owner, whose inbox has room for a line. For each recipient at
//! most [`KEPT_MAX`] bytes of text are kept. Commands for all recipients of a transaction may be
//! written at once.
//!
//! ```
//! use pillarbox_core::smtp::address::{ForwardPath, Grammar, Mailbox, ReversePath};
//! use pillarbox_core::smtp::client::{Client, Config, Envelope, Event, Fate, Next};
//! use pillarbox_core::smtp::command::{Mail, Rcpt};
//! use pillarbox_core::smtp::config::{Protocol, Strictness};
//! use pillarbox_core::{Moment, Outbox};
//!
//! let mut out = Outbox::new(16_384);
//! let mut client = Client::new(Config::new(Protocol::Smtp, "mail.example").unwrap());
//! let step = client.next(Moment::START, b"220 mx\r\n", &mut out);
//! assert_eq!((step.used, step.next), (8, Next::NeedBytes));
//! assert_eq!(out.unsent(), b"EHLO mail.example\r\n");
//! let step = client.next(Moment::START, b"250-mx\r\n250 PIPELINING\r\n", &mut out);
//! assert_eq!(step.next, Next::Event(Event::Ready));
//!
//! let grammar = Grammar { strictness: Strictness::Pedantic, localpart_max: 64, domain_max: 255 };
//! let ann = Mailbox::parse("ann@mail.example", grammar).unwrap();
//! let bob = Mailbox::parse("bob@mx.example", grammar).unwrap();
//! let envelope = Envelope {
//!     mail: Mail::new(ReversePath::Mailbox(ann)),
//!     recipients: vec![Rcpt::new(ForwardPath::Mailbox(bob))],
//! };
//! client.send(envelope, &mut out).unwrap();
//! let answers = b"250 ok\r\n250 ok\r\n354 go\r\n";
//! assert_eq!(client.next(Moment::START, answers, &mut out).next, Next::AwaitBody);
//! client.body(b"Subject: hello\r\n", &mut out).unwrap();
//! client.body_end(&mut out).unwrap();
//! let step = client.next(Moment::START, b"250 taken\r\n", &mut out);
//! let Next::Event(Event::Sent(fates)) = step.next else { panic!() };
//! assert!(matches!(&fates[..], [Fate::Delivered(_)]));
//! ```

mod answer;
mod ending;
mod envelope;
mod hearing;
mod login;
mod offers;
mod patience;
mod text;
mod transaction;

use std::collections::VecDeque;
use std::time::Duration;

pub use answer::{Answer, KEPT_MAX, LINE_MAX, LINES_MAX, Malformed, TEXT_MAX};
pub use ending::Ending;
pub use envelope::{Envelope, NotSent};
pub use login::{LoginFailed, NotBegun};
pub use offers::{Offers, Told};
pub use patience::Patience;
pub use text::{BareEnd, BareEnds};
pub use transaction::{At, Fate};

use crate::smtp::config::Protocol;
use crate::{Moment, Outbox};
use answer::Reader;
use login::Login;
use text::Text;
use transaction::{Carrier, Todo, Transaction};

/// What does not change in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// SMTP or LMTP.
    protocol: Protocol,
    name: String,
    /// How long each answer is waited for.
    pub patience: Patience,
    /// What becomes of bare line ends in bodies that are not binary.
    pub bare_ends: BareEnds,
    /// Whether BDAT is used for all messages where it is offered (RFC 3030), or only for binary
    /// ones. Default: for all.
    pub chunks: bool,
}

impl Config {
    /// A client that calls itself so, with defaults. `None` where the name is empty or holds
    /// anything but printable ASCII without spaces.
    #[must_use]
    pub fn new(protocol: Protocol, name: &str) -> Option<Self> {
        let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self {
            protocol,
            name: name.to_owned(),
            patience: Patience::default(),
            bare_ends: BareEnds::default(),
            chunks: true,
        })
    }
}

/// One conversation with a server.
#[derive(Debug)]
pub struct Client {
    config: Config,
    offers: Offers,
    reader: Reader,
    /// What the next answers are to, in order.
    awaited: VecDeque<Awaited>,
    phase: Phase,
    login: Option<Login>,
    /// TLS runs; whether the server is who it should be.
    tls: Option<bool>,
    transactions: u32,
    /// The server still has a transaction that came to nothing.
    stale: bool,
    /// What is to be told next, before anything is read.
    pending: Option<Event>,
    /// Grows with each command, piece and answer: the wait for the next answer begins anew.
    progress: u64,
    since: Option<(u64, Moment)>,
}

/// Whose turn it is where no answer is awaited.
#[derive(Debug)]
enum Phase {
    /// Before the first EHLO is answered.
    Opening,
    Idle,
    Handshake,
    Sending(Transaction),
    /// A message is on its way.
    Body(Transaction, Text),
    Closed,
}

/// What an answer is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Greeting,
    Hello {
        extended: bool,
    },
    StartTls,
    Auth,
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// The lone dot of a message without recipients.
    LoneDot,
    Chunk,
    /// The message: all recipients, or one by LMTP.
    Message(Option<usize>),
    Quit,
}

/// How far [`Client::next`] has come.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// How many of the unread bytes are done with.
    pub used: usize,
    /// What follows.
    pub next: Next,
}

/// What follows.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The server's turn, until [`Client::deadline`].
    NeedBytes,
    /// The owner's turn.
    AwaitOwner,
    /// The owner's turn: the next piece of the body, or its end.
    AwaitBody,
    /// Something has happened.
    Event(Event),
    /// The conversation is over.
    Closed,
}

/// What has happened.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The server has said what it offers: [`Client::offers`]. Also after TLS has started.
    Ready,
    /// The server is ready for the handshake. Then [`Client::tls_started`] or [`Client::lost`].
    StartTls,
    /// It is not; the conversation may go on in clear, if the owner wants that.
    TlsRefused(Answer),
    /// Logged in.
    Authenticated(Answer),
    /// Not logged in; another mechanism may be tried.
    LoginFailed(LoginFailed),
    /// A transaction is over: what became of it, for each recipient in the envelope's order.
    Sent(Vec<Fate>),
    /// The conversation is over. What waits in the outbox may still be sent, unless a message was
    /// on its way; then the connection is closed.
    Ended {
        /// Why.
        why: Ending,
        /// Of the transaction that was under way, as in [`Event::Sent`]; else empty.
        fates: Vec<Fate>,
    },
}

/// The owner called out of order. Nothing was written and nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misuse;

impl Client {
    /// A conversation of which nothing has been heard. The server speaks first.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            offers: Offers::default(),
            reader: Reader::default(),
            awaited: VecDeque::from([Awaited::Greeting]),
            phase: Phase::Opening,
            login: None,
            tls: None,
            transactions: 0,
            stale: false,
            pending: None,
            progress: 0,
            since: None,
        }
    }

    /// What the server offers; nothing before [`Event::Ready`].
    #[must_use]
    pub const fn offers(&self) -> &Offers {
        &self.offers
    }

    /// When the present wait is over: [`Client::next`] then ends the conversation. `None` where
    /// nothing is awaited from the server, and before the first call of `next`.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let (_, since) = self.since?;
        Some(since + self.allowance()?)
    }

    fn allowance(&self) -> Option<Duration> {
        let patience = &self.config.patience;
        match (self.awaited.front(), &self.phase) {
            (Some(Awaited::Greeting), _) => Some(patience.greeting),
            (Some(Awaited::Data), _) => Some(patience.data),
            (Some(Awaited::Chunk), _) | (None, Phase::Body(..)) => Some(patience.block),
            (Some(Awaited::Message(_) | Awaited::LoneDot), _) => Some(patience.message),
            (Some(Awaited::Quit), _) => Some(patience.quit),
            (Some(_), _) => Some(patience.command),
            (None, _) => None,
        }
    }

    /// Asks for TLS.
    ///
    /// # Errors
    /// Where it is not offered, runs already, or the conversation is not idle.
    pub fn start_tls(&mut self, out: &mut Outbox) -> Result<(), Misuse> {
        if !self.is_idle() || !self.offers.starttls || self.tls.is_some() {
            return Err(Misuse);
        }
        self.say("STARTTLS", Awaited::StartTls, out);
        Ok(())
    }

    /// TLS runs now: after [`Event::StartTls`], or before the greeting. `verified`: the owner is
    /// sure who the server is. What the server has said before is forgotten (RFC 3207 §4.2).
    ///
    /// # Errors
    /// At any other time.
    pub fn tls_started(&mut self, verified: bool, out: &mut Outbox) -> Result<(), Misuse> {
        match self.phase {
            Phase::Handshake => {
                self.phase = Phase::Opening;
                self.offers = Offers::default();
                self.stale = false;
                self.hello(out);
            }
            Phase::Opening if self.tls.is_none() && self.progress == 0 => {}
            _ => return Err(Misuse),
        }
        self.tls = Some(verified);
        Ok(())
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// Why the message cannot go to this server, or not now. Nothing was sent.
    pub fn send(&mut self, envelope: Envelope, out: &mut Outbox) -> Result<(), NotSent> {
        if !self.is_idle() {
            return Err(NotSent::Busy);
        }
        let known = envelope::Known {
            offers: &self.offers,
            verified: self.tls == Some(true),
            transactions: self.transactions,
            chunks: self.config.chunks,
        };
        self.phase = Phase::Sending(envelope::prepare(envelope, known)?);
        self.transactions = self.transactions.saturating_add(1);
        self.say_next(out);
        while self.offers.pipelining && self.say_next(out) {}
        Ok(())
    }

    /// Whether the next piece of a body is wanted.
    #[must_use]
    pub fn wants_body(&self) -> bool {
        let window = if self.offers.pipelining && self.config.protocol == Protocol::Smtp {
            CHUNKS_UNANSWERED_MAX
        } else {
            1
        };
        self.pending.is_none()
            && matches!(&self.phase, Phase::Body(transaction, _) if transaction.any())
            && self.awaited.len() < window
    }

    /// Sends a piece of the body. A bare CR or LF that must not be sent ends the conversation, as
    /// [`Client::next`] then tells.
    ///
    /// # Errors
    /// Where none is wanted: [`Client::wants_body`].
    pub fn body(&mut self, piece: &[u8], out: &mut Outbox) -> Result<(), Misuse> {
        if !self.wants_body() {
            return Err(Misuse);
        }
        let Phase::Body(transaction, text) = &mut self.phase else { return Err(Misuse) };
        self.progress += 1;
        let written = match transaction.carrier {
            Carrier::Data => text.write(piece, &mut |bytes| out.push(bytes)),
            Carrier::Binary => {
                chunk(piece, &mut self.awaited, out);
                Ok(())
            }
            Carrier::Chunks => {
                let mut lines = Vec::with_capacity(piece.len() + 2);
                let written = text.write(piece, &mut |bytes| lines.extend_from_slice(bytes));
                if written.is_ok() {
                    chunk(&lines, &mut self.awaited, out);
                }
                written
            }
        };
        self.pending = written.err().map(|bare| self.end(Ending::BareEnd(bare)));
        Ok(())
    }

    /// The body has ended: sends its last line end, where it has none, and the end of the message.
    ///
    /// # Errors
    /// As for [`Client::body`].
    pub fn body_end(&mut self, out: &mut Outbox) -> Result<(), Misuse> {
        if !self.wants_body() {
            return Err(Misuse);
        }
        let Phase::Body(transaction, text) = &mut self.phase else { return Err(Misuse) };
        let mut lines = Vec::new();
        let finished = match transaction.carrier {
            Carrier::Binary => Ok(()),
            Carrier::Data | Carrier::Chunks => {
                text.finish(&mut |bytes| lines.extend_from_slice(bytes))
            }
        };
        if let Err(bare) = finished {
            self.pending = Some(self.end(Ending::BareEnd(bare)));
            return Ok(());
        }
        self.progress += 1;
        match transaction.carrier {
            Carrier::Data => {
                out.push(&lines);
                out.push(b".\r\n");
            }
            Carrier::Chunks | Carrier::Binary => {
                out.push(format!("BDAT {} LAST\r\n", lines.len()).as_bytes());
                out.push(&lines);
            }
        }
        transaction.handed = true;
        match self.config.protocol {
            Protocol::Smtp => self.awaited.push_back(Awaited::Message(None)),
            // RFC 2033 §4.2: an answer for each recipient that was accepted.
            Protocol::Lmtp => {
                let each = transaction.accepted().map(|index| Awaited::Message(Some(index)));
                self.awaited.extend(each);
            }
        }
        if let Phase::Body(transaction, _) = std::mem::replace(&mut self.phase, Phase::Closed) {
            self.phase = Phase::Sending(transaction);
        }
        Ok(())
    }

    /// Ends the conversation in good order; [`Event::Ended`] follows.
    ///
    /// # Errors
    /// Where it is not idle. Then it may be dropped, or ended by [`Client::lost`].
    pub fn quit(&mut self, out: &mut Outbox) -> Result<(), Misuse> {
        if !self.is_idle() {
            return Err(Misuse);
        }
        self.say("QUIT", Awaited::Quit, out);
        Ok(())
    }

    /// The conversation cannot go on: the server has closed ([`Ending::Lost`]), TLS has failed
    /// ([`Ending::Tls`]), or the owner wants no more ([`Ending::Withdrawn`]). `None` where it had
    /// ended already. What came before the end is to be shown to [`Client::next`] first.
    pub fn lost(&mut self, why: Ending) -> Option<Event> {
        match self.pending.take() {
            Some(event) => Some(event),
            None if matches!(self.phase, Phase::Closed) => None,
            None => Some(self.end(why)),
        }
    }

    fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle) && self.awaited.is_empty() && self.pending.is_none()
    }

    fn say(&mut self, line: &str, awaited: Awaited, out: &mut Outbox) {
        out.push(line.as_bytes());
        out.push(b"\r\n");
        self.awaited.push_back(awaited);
        self.progress += 1;
    }

    fn hello(&mut self, out: &mut Outbox) {
        let verb = if self.config.protocol == Protocol::Lmtp { "LHLO" } else { "EHLO" };
        let line = format!("{verb} {}", self.config.name);
        self.say(&line, Awaited::Hello { extended: true }, out);
    }

    /// Says the next command of a transaction, if one may be said now.
    fn say_next(&mut self, out: &mut Outbox) -> bool {
        let Phase::Sending(transaction) = &mut self.phase else { return false };
        if std::mem::take(&mut self.stale) {
            self.say("RSET", Awaited::Reset, out);
            return true;
        }
        let told = self.awaited.is_empty();
        let (line, awaited) = match transaction.todo {
            Todo::Mail => {
                transaction.todo = Todo::Rcpt(0);
                (transaction.mail.clone(), Awaited::Mail)
            }
            Todo::Rcpt(from) => {
                if let Some((index, recipient)) = transaction.to_ask(from) {
                    let line = recipient.line.clone();
                    transaction.todo = Todo::Rcpt(index + 1);
                    (line, Awaited::Rcpt(index))
                } else {
                    transaction.todo = Todo::Data;
                    return self.say_next(out);
                }
            }
            // Who would get the message is known, and nobody would.
            Todo::Data if told && !transaction.any() => return false,
            Todo::Data if transaction.carrier == Carrier::Data => {
                transaction.todo = Todo::Done;
                ("DATA".to_owned(), Awaited::Data)
            }
            Todo::Data | Todo::Done => return false,
        };
        self.say(&line, awaited, out);
        true
    }

    /// Closes, and tells why and what became of a transaction.
    fn end(&mut self, why: Ending) -> Event {
        self.awaited.clear();
        let fates = match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Sending(transaction) | Phase::Body(transaction, _) => transaction.end(&why),
            _ => Vec::new(),
        };
        Event::Ended { why, fates }
    }
}

fn chunk(bytes: &[u8], awaited: &mut VecDeque<Awaited>, out: &mut Outbox) {
    if !bytes.is_empty() {
        out.push(format!("BDAT {}\r\n", bytes.len()).as_bytes());
        out.push(bytes);
        awaited.push_back(Awaited::Chunk);
    }
}

/// BDAT commands that may wait for their answers, where the server offers PIPELINING.
const CHUNKS_UNANSWERED_MAX: usize = 4;

#[cfg(test)]
mod tests;
