//! The server's side of an IMAP conversation.
//!
//! ```text
//! imap.greet(outbox);
//! while outbox.below_mark() {
//!     let step = imap.next(inbox.unread(), outbox);
//!     match step.next {
//!         Next::Event(event) => …          // act on it; later, or at once: finish(…)
//!         Next::NeedBytes if step.used == 0 => break,
//!         Next::NeedBytes => {}
//!         Next::AwaitReply | Next::Closed => break,
//!     }
//!     inbox.consume(step.used);
//! }
//! ```
//!
//! One command is under way at a time; those behind it wait in the inbox. Each
//! [`Event::Command`] is ended by [`Server::finish`], which also says what follows from it: after
//! OK to LOGIN the session is logged in, after OK to SELECT a mailbox is open, after anything else
//! to SELECT none is (RFC 3501 §6.3.1). Untagged responses ([`response`]) go into
//! the outbox before that.
//!
//! - STARTTLS: after `finish` with OK nothing is read until [`Server::tls_started`].
//! - COMPRESS: the same, until [`Server::compression_started`].
//! - AUTHENTICATE: [`Server::challenge`] as often as the mechanism wants; each is answered by
//!   [`Event::AuthResponse`]. Then `finish`.
//! - IDLE: [`Server::idle`], then untagged responses as they come; after [`Event::IdleDone`]
//!   `finish`.
//! - APPEND and REPLACE: [`Event::AppendBegin`] tells all but the message. Either
//!   [`Server::accept_append`] or `finish` with a refusal must follow; after the former the message
//!   comes as [`Event::AppendData`] and [`Event::AppendEnd`], which `finish` ends. Where there is
//!   [`Event::AppendNext`] instead, another message is to come, and the same choice is to be made.
//!
//! A peer's mistake is answered here, and [`Event::Abandoned`] says so where something was under
//! way.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::command::Verb;
use super::enabled::Enabled;
use super::fragment::{Found, Framer, Kind, Literal};
use super::legality::Standing;
use super::mistake::Mistake;
use super::response::{self, Code, plain_text};
use crate::Outbox;

mod capability;
mod config;
mod event;
mod reading;
mod saying;

pub use capability::can_be_hidden;
pub use config::Config;
pub use event::{Done, Event, Misuse, Next, Status, Step};

/// One session, as the [module](self) tells.
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    /// Told in texts, so that a user's report can be found in the log.
    id: Box<str>,
    tls: bool,
    compressed: bool,
    standing: Standing,
    phase: Phase,
    framer: Framer,
    /// Commands answered with BAD since the last good one.
    bad: u32,
    /// What the client has switched on.
    enabled: Enabled,
    /// The names of capabilities that this client is not told.
    hidden: Box<[String]>,
}

/// What is under way.
#[derive(Debug)]
enum Phase {
    /// Nothing has been said yet.
    Greeting,
    /// The next command is awaited.
    Ready,
    /// The owner owes the answer.
    Pending(Pending),
    /// The owner is to say whether the literal of APPEND is welcome.
    Offered(Pending, Literal),
    /// The message of APPEND is coming.
    Streaming(Pending),
    /// It has come; the end of the command has not.
    Tail(Pending),
    /// AUTHENTICATE: the answer to a challenge is awaited.
    Exchange(Pending),
    /// IDLE: `DONE` is awaited.
    Idling(Pending),
    /// STARTTLS was answered; TLS has not begun.
    Handshake,
    /// COMPRESS was answered; compression has not begun.
    Packing,
    /// The session is over.
    Closed,
}

/// A command that will be answered.
#[derive(Debug)]
struct Pending {
    tag: Box<str>,
    verb: Verb,
    /// Of an APPEND under way: how long its lines are so far, without the messages between them.
    bytes: usize,
    /// A parenthesis must close behind the message that is coming.
    closes: bool,
}

impl Pending {
    /// What stands behind a message, without the parenthesis that closes there; `None` if that is
    /// missing.
    fn closed<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        if self.closes { line.strip_prefix(b")") } else { Some(line) }
    }
}

impl Server {
    /// A session that has not begun. Its `id` is told in refusals and in the answer to STARTTLS.
    #[must_use]
    pub fn new(config: Arc<Config>, id: &str) -> Self {
        Self {
            config,
            id: id.into(),
            tls: false,
            compressed: false,
            standing: Standing::NotAuthenticated,
            phase: Phase::Greeting,
            framer: Framer::new(),
            bad: 0,
            enabled: Enabled::default(),
            hidden: Box::default(),
        }
    }

    /// From here on these capabilities are not announced: there are clients
    /// that do badly what they do well without. What belongs to them is served all the same.
    pub fn hide(&mut self, capabilities: Box<[String]>) {
        self.hidden = capabilities;
    }

    /// Says the greeting, once. On a port where TLS comes first, after
    /// [`tls_started`](Self::tls_started). To refuse a session call [`close`](Self::close) instead.
    pub fn greet(&mut self, out: &mut Outbox) {
        if matches!(self.phase, Phase::Greeting) {
            out.push(b"* OK ");
            self.capability_code(out);
            plain_text(&self.config.greeting, out);
            out.push(b"\r\n");
            self.phase = Phase::Ready;
        }
    }

    /// Ends the session with BYE, at any moment; once.
    pub fn close(&mut self, text: &str, out: &mut Outbox) {
        if !matches!(self.phase, Phase::Closed) {
            out.push(b"* BYE ");
            self.text_with_id(text, out);
            self.phase = Phase::Closed;
            self.framer = Framer::new();
        }
    }

    /// TLS has begun: before the greeting, or after STARTTLS.
    ///
    /// # Errors
    /// [`Misuse::NoHandshake`].
    pub fn tls_started(&mut self) -> Result<(), Misuse> {
        match self.phase {
            Phase::Greeting => {}
            Phase::Handshake => self.phase = Phase::Ready,
            _ => return Err(Misuse::NoHandshake),
        }
        self.tls = true;
        Ok(())
    }

    /// Compression has begun, after COMPRESS.
    ///
    /// # Errors
    /// [`Misuse::NoCompression`].
    pub fn compression_started(&mut self) -> Result<(), Misuse> {
        if !matches!(self.phase, Phase::Packing) {
            return Err(Misuse::NoCompression);
        }
        self.phase = Phase::Ready;
        self.compressed = true;
        Ok(())
    }

    /// Whether a mailbox is open, and if so, whether nothing may be changed in it.
    #[must_use]
    pub const fn selected(&self) -> Option<bool> {
        match self.standing {
            Standing::Selected => Some(false),
            Standing::ReadOnly => Some(true),
            Standing::NotAuthenticated | Standing::Authenticated => None,
        }
    }

    /// What the client has switched on so far, by ENABLE or by what it asks for: what is told from
    /// here on depends on it. It grows, and stays for the connection (RFC 5161 §3.1).
    #[must_use]
    pub const fn enabled(&self) -> Enabled {
        self.enabled
    }

    /// The open mailbox is no more: from here on none is open.
    pub const fn deselect(&mut self) {
        if self.selected().is_some() {
            self.standing = Standing::Authenticated;
        }
    }

    /// The command under way, if there is one.
    #[must_use]
    pub fn pending(&self) -> Option<Verb> {
        self.under_way().map(|pending| pending.verb)
    }

    /// Its tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.under_way().map(|pending| &*pending.tag)
    }

    /// The largest message of APPEND, in bytes.
    #[must_use]
    pub fn append_bytes_max(&self) -> u32 {
        self.config.append_bytes_max
    }

    const fn under_way(&self) -> Option<&Pending> {
        match &self.phase {
            Phase::Pending(pending)
            | Phase::Offered(pending, _)
            | Phase::Streaming(pending)
            | Phase::Tail(pending)
            | Phase::Exchange(pending)
            | Phase::Idling(pending) => Some(pending),
            Phase::Greeting | Phase::Ready | Phase::Handshake | Phase::Packing | Phase::Closed => {
                None
            }
        }
    }

    /// Goes on with the input, which begins where the last call's `used` ended.
    pub fn next<'b>(&mut self, unread: &'b [u8], out: &mut Outbox) -> Step<'b> {
        let mut used = 0;
        loop {
            let rest = unread.get(used..).unwrap_or_default();
            let (kind, limit) = match &self.phase {
                Phase::Closed => return Step { used, next: Next::Closed },
                Phase::Greeting
                | Phase::Pending(_)
                | Phase::Offered(..)
                | Phase::Handshake
                | Phase::Packing => return Step { used, next: Next::AwaitReply },
                Phase::Ready | Phase::Streaming(_) | Phase::Tail(_) => {
                    (Kind::Command, self.config.command_bytes_max)
                }
                Phase::Exchange(_) => (Kind::Answer, self.config.auth_bytes_max),
                Phase::Idling(_) => (Kind::Answer, IDLE_BYTES_MAX),
            };
            let (count, found) = self.framer.next(rest, kind, limit);
            used += count;
            let event = match found {
                Found::NeedBytes => return Step { used, next: Next::NeedBytes },
                Found::Data(begin, end) => {
                    self.data_came();
                    Some(Event::AppendData(rest.get(begin..end).unwrap_or_default()))
                }
                Found::Inline(begin, end) => {
                    self.line(rest.get(begin..end).unwrap_or_default(), out)
                }
                Found::Gathered => {
                    // The gathered bytes are taken out so that they can be looked at while the
                    // machine changes; they are freed with the command.
                    let line = self.framer.take();
                    self.line(&line, out)
                }
                Found::Literal(literal) => self.literal(literal, out),
                Found::Broken(broken) => self.broken(broken, out),
            };
            match event {
                Some(event) => return Step { used, next: Next::Event(event) },
                // Only what used nothing must be gone on with here: a step that uses nothing and
                // says NeedBytes means that there is nothing to do.
                None if used > 0 && matches!(self.phase, Phase::Ready) => {
                    return Step { used, next: Next::NeedBytes };
                }
                None => {}
            }
        }
    }

    /// Takes the message of APPEND that was offered.
    ///
    /// # Errors
    /// [`Misuse::NothingOffered`].
    pub fn accept_append(&mut self, out: &mut Outbox) -> Result<(), Misuse> {
        let Phase::Offered(_, literal) = &self.phase else { return Err(Misuse::NothingOffered) };
        let literal = *literal;
        if literal.waits {
            out.push(GO_ON);
        }
        self.framer.stream(literal.size);
        self.become_next(Phase::Streaming);
        Ok(())
    }

    /// Sends a challenge of AUTHENTICATE, perhaps an empty one.
    ///
    /// # Errors
    /// [`Misuse::NoExchange`].
    pub fn challenge(&mut self, data: &[u8], out: &mut Outbox) -> Result<(), Misuse> {
        if !matches!(&self.phase, Phase::Pending(Pending { verb: Verb::Authenticate, .. })) {
            return Err(Misuse::NoExchange);
        }
        out.push(b"+ ");
        out.push(STANDARD.encode(data).as_bytes());
        out.push(b"\r\n");
        self.become_next(Phase::Exchange);
        Ok(())
    }

    /// Begins IDLE: from here on changes may be told as they come.
    ///
    /// # Errors
    /// [`Misuse::NoIdle`].
    pub fn idle(&mut self, out: &mut Outbox) -> Result<(), Misuse> {
        if !matches!(&self.phase, Phase::Pending(Pending { verb: Verb::Idle, .. })) {
            return Err(Misuse::NoIdle);
        }
        out.push(b"+ idling\r\n");
        self.become_next(Phase::Idling);
        Ok(())
    }

    /// Ends the command under way. SELECT is to be given its code: [`Code::ReadOnly`] if nothing
    /// may be changed. An APPEND can be refused at any moment; what is still to come of it is
    /// thrown away.
    ///
    /// # Errors
    /// [`Misuse::NothingToFinish`] and [`Misuse::MessageToCome`].
    pub fn finish(&mut self, done: &Done<'_>, out: &mut Outbox) -> Result<(), Misuse> {
        match &self.phase {
            Phase::Pending(_) => {}
            Phase::Offered(..) | Phase::Streaming(_) | Phase::Tail(_)
                if done.status == Status::Ok =>
            {
                return Err(Misuse::MessageToCome);
            }
            Phase::Offered(_, literal) => self.framer.refuse(*literal),
            Phase::Streaming(_) | Phase::Tail(_) => self.framer.skip_stream(),
            Phase::Greeting
            | Phase::Ready
            | Phase::Exchange(_)
            | Phase::Idling(_)
            | Phase::Handshake
            | Phase::Packing
            | Phase::Closed => return Err(Misuse::NothingToFinish),
        }
        if let Some(pending) = self.take_pending() {
            let code = self.conclude(pending.verb, done);
            let capabilities = done.status == Status::Ok
                && code.is_none()
                && matches!(pending.verb, Verb::Login | Verb::Authenticate);
            self.tagged(
                &pending.tag,
                done.status,
                |server, out| {
                    if capabilities {
                        server.capability_code(out);
                    } else if let Some(code) = code {
                        code.write(out);
                    }
                    // RFC 3501 §6.2.1 has no id here; with it, what happened before TLS can be found.
                    if pending.verb == Verb::StartTls || done.status != Status::Ok {
                        server.text_with_id(done.text, out);
                    } else {
                        plain_text(done.text, out);
                        out.push(b"\r\n");
                    }
                },
                out,
            );
        }
        Ok(())
    }

    /// What follows from the end of a command; the response code to be told.
    fn conclude<'d>(&mut self, verb: Verb, done: &Done<'d>) -> Option<Code<'d>> {
        let ok = done.status == Status::Ok;
        match verb {
            Verb::Login | Verb::Authenticate if ok => self.standing = Standing::Authenticated,
            Verb::Select | Verb::Examine if ok => {
                let read_only = verb == Verb::Examine || done.code == Some(Code::ReadOnly);
                self.standing = if read_only { Standing::ReadOnly } else { Standing::Selected };
                return Some(if read_only { Code::ReadOnly } else { Code::ReadWrite });
            }
            // RFC 3501 §6.3.1: a mailbox that was open is closed even if the new one is not opened.
            Verb::Select | Verb::Examine => self.standing = Standing::Authenticated,
            Verb::Close | Verb::Unselect if ok => self.standing = Standing::Authenticated,
            Verb::StartTls if ok => self.phase = Phase::Handshake,
            Verb::Compress if ok => self.phase = Phase::Packing,
            _ => {}
        }
        done.code
    }

    /// Answers the command under way with the client's mistake.
    fn abandon<'b>(&mut self, mistake: &Mistake, out: &mut Outbox) -> Option<Event<'b>> {
        let pending = self.take_pending()?;
        self.mistake(Some(&pending.tag), mistake, out);
        Some(Event::Abandoned(pending.verb))
    }

    fn data_came(&mut self) {
        if !self.framer.streams() {
            self.become_next(Phase::Tail);
        }
    }

    /// Moves the pending command to its next phase.
    fn become_next(&mut self, next: impl FnOnce(Pending) -> Phase) {
        if let Some(pending) = self.take_pending() {
            self.phase = next(pending);
        }
    }

    /// Takes the pending command, leaving the session ready for the next.
    fn take_pending(&mut self) -> Option<Pending> {
        match std::mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Pending(pending)
            | Phase::Offered(pending, _)
            | Phase::Streaming(pending)
            | Phase::Tail(pending)
            | Phase::Exchange(pending)
            | Phase::Idling(pending) => Some(pending),
            other @ (Phase::Greeting
            | Phase::Ready
            | Phase::Handshake
            | Phase::Packing
            | Phase::Closed) => {
                self.phase = other;
                None
            }
        }
    }
}

/// What the command LOGIN goes with.
const PLAIN: &str = "PLAIN";
/// The longest line during IDLE; all that is expected is `DONE`.
const IDLE_BYTES_MAX: usize = 64;
/// The answer to a literal that is welcome.
const GO_ON: &[u8] = b"+ go on\r\n";

#[cfg(test)]
mod tests;
