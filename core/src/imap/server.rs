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
//! - AUTHENTICATE: [`Server::challenge`] as often as the mechanism wants; each is answered by
//!   [`Event::AuthResponse`]. Then `finish`.
//! - IDLE: [`Server::idle`], then untagged responses as they come; after [`Event::IdleDone`]
//!   `finish`.
//! - APPEND: [`Event::AppendBegin`] tells all but the message. Either [`Server::accept_append`] or
//!   `finish` with a refusal must follow; after the former the message comes as
//!   [`Event::AppendData`] and [`Event::AppendEnd`], which `finish` ends.
//!
//! A peer's mistake is answered here, and [`Event::Abandoned`] says so where something was under
//! way.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::command::{Append, Command, Verb};
use super::fragment::{Broken, Found, Framer, Kind, Literal};
use super::grammar::{self, At};
use super::legality::{Legality, Standing, legality};
use super::mistake::Mistake;
use super::response::{self, Code, plain_text};
use crate::Outbox;

mod config;
mod event;

pub use config::Config;
pub use event::{Done, Event, Misuse, Next, Status, Step};

/// One session, as the [module](self) tells.
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    /// Told in texts, so that a user's report can be found in the log.
    id: Box<str>,
    tls: bool,
    standing: Standing,
    phase: Phase,
    framer: Framer,
    /// Commands answered with BAD since the last good one.
    bad: u32,
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
    /// The session is over.
    Closed,
}

/// A command that will be answered.
#[derive(Debug)]
struct Pending {
    tag: Box<str>,
    verb: Verb,
}

impl Server {
    /// A session that has not begun. Its `id` is told in refusals and in the answer to STARTTLS.
    #[must_use]
    pub fn new(config: Arc<Config>, id: &str) -> Self {
        Self {
            config,
            id: id.into(),
            tls: false,
            standing: Standing::NotAuthenticated,
            phase: Phase::Greeting,
            framer: Framer::new(),
            bad: 0,
        }
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

    /// Whether a mailbox is open, and if so, whether nothing may be changed in it.
    #[must_use]
    pub const fn selected(&self) -> Option<bool> {
        match self.standing {
            Standing::Selected => Some(false),
            Standing::ReadOnly => Some(true),
            Standing::NotAuthenticated | Standing::Authenticated => None,
        }
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
            Phase::Greeting | Phase::Ready | Phase::Handshake | Phase::Closed => None,
        }
    }

    /// Goes on with the input, which begins where the last call's `used` ended.
    pub fn next<'b>(&mut self, unread: &'b [u8], out: &mut Outbox) -> Step<'b> {
        let mut used = 0;
        loop {
            let rest = unread.get(used..).unwrap_or_default();
            let (kind, limit) = match &self.phase {
                Phase::Closed => return Step { used, next: Next::Closed },
                Phase::Greeting | Phase::Pending(_) | Phase::Offered(..) | Phase::Handshake => {
                    return Step { used, next: Next::AwaitReply };
                }
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
        self.become_next(|pending| match literal.size {
            0 => Phase::Tail(pending),
            _ => Phase::Streaming(pending),
        });
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
            _ => {}
        }
        done.code
    }

    /// A whole line: a command, or what stands where one would.
    fn line<'b>(&mut self, line: &[u8], out: &mut Outbox) -> Option<Event<'b>> {
        match self.phase {
            Phase::Exchange(_) => self.auth_response(line, out),
            Phase::Idling(_) if line.eq_ignore_ascii_case(b"DONE") => {
                self.become_next(Phase::Pending);
                Some(Event::IdleDone)
            }
            Phase::Idling(_) => self.abandon(&Mistake::NotDone, out),
            Phase::Tail(_) if line.is_empty() => {
                self.become_next(Phase::Pending);
                Some(Event::AppendEnd)
            }
            Phase::Tail(_) => self.abandon(&Mistake::AfterMessage, out),
            _ => self.command(line, out),
        }
    }

    fn auth_response<'b>(&mut self, line: &[u8], out: &mut Outbox) -> Option<Event<'b>> {
        // RFC 3501 §6.2.2: a single asterisk cancels, and is answered with BAD.
        if line == b"*" {
            return self.abandon(&Mistake::Cancelled, out);
        }
        match STANDARD.decode(line) {
            Ok(response) => {
                self.become_next(Phase::Pending);
                Some(Event::AuthResponse(response))
            }
            Err(_) => self.abandon(&Mistake::Base64, out),
        }
    }

    fn command<'b>(&mut self, line: &[u8], out: &mut Outbox) -> Option<Event<'b>> {
        let (tag, result) = self.judge(line, |verb, rest| {
            let request = grammar::arguments(verb, rest, line.len()).map_err(Mistake::Syntax)?;
            match Command::from_request(request).map_err(Mistake::Refused)? {
                Some(Command::Authenticate { mechanism, .. })
                    if !self.config.offers(&mechanism, self.tls) =>
                {
                    Err(self.not_offered(&mechanism, Mistake::Mechanism))
                }
                // Base64 holds three bytes in four.
                Some(Command::Authenticate { initial: Some(initial), .. })
                    if initial.0.len() > self.config.auth_bytes_max / 4 * 3 =>
                {
                    Err(Mistake::TooLong)
                }
                command => Ok(command),
            }
        });
        let (verb, command) = match result {
            Ok(read) => read,
            Err(mistake) => {
                self.mistake(tag, &mistake, out);
                return None;
            }
        };
        self.bad = 0;
        match (verb, command) {
            (Verb::Capability | Verb::Id | Verb::Enable | Verb::Namespace, _) => {
                self.tell(verb, out);
                self.done(tag, verb, out);
                None
            }
            (Verb::Logout, _) => {
                // RFC 3501 §6.1.3: BYE comes before OK.
                out.push(b"* BYE ");
                self.text_with_id("logging out", out);
                self.done(tag, verb, out);
                self.phase = Phase::Closed;
                None
            }
            (_, Some(command)) => {
                self.phase = Phase::Pending(Pending { tag: tag.unwrap_or_default().into(), verb });
                Some(Event::Command(command))
            }
            // An APPEND becomes an event at its literal; one without has failed as syntax.
            (_, None) => {
                self.mistake(tag, &Mistake::Syntax(NO_MESSAGE), out);
                None
            }
        }
    }

    /// The untagged response to a command that the machine answers alone.
    fn tell(&self, verb: Verb, out: &mut Outbox) {
        match verb {
            Verb::Id => response::id(&self.config.software, out),
            Verb::Enable => response::enabled(out),
            Verb::Namespace => response::namespace(out),
            _ => {
                out.push(b"* CAPABILITY ");
                self.capabilities(out);
                out.push(b"\r\n");
            }
        }
    }

    /// A literal was announced: the message of APPEND, or a string that joins its command.
    fn literal<'b>(&mut self, literal: Literal, out: &mut Outbox) -> Option<Event<'b>> {
        if matches!(self.phase, Phase::Tail(_)) {
            self.framer.refuse(literal);
            return self.abandon(&Mistake::AfterMessage, out);
        }
        let limit = self.config.command_bytes_max;
        let append_max = self.append_bytes_max().into();
        let so_far = self.framer.take();
        let (tag, result) = self.judge(&so_far, |verb, rest| {
            let append = match verb {
                Verb::Append => grammar::append(rest, so_far.len()).map_err(Mistake::Syntax)?,
                _ => None,
            };
            match append.map(Append::from_request).transpose().map_err(Mistake::Refused)?.flatten()
            {
                Some((append, _)) if append.size > append_max => Err(Mistake::MessageTooLarge),
                Some((append, _)) => Ok(Some(append)),
                None if literal.size
                    > u64::try_from(limit - so_far.len().min(limit)).unwrap_or(0) =>
                {
                    Err(Mistake::TooLong)
                }
                None => Ok(None),
            }
        });
        match result {
            Ok((verb, Some(append))) => {
                self.bad = 0;
                let tag = tag.unwrap_or_default().into();
                self.phase = Phase::Offered(Pending { tag, verb }, literal);
                Some(Event::AppendBegin(append))
            }
            Ok((_, None)) => {
                if literal.waits {
                    out.push(GO_ON);
                }
                self.framer.gather(so_far, literal);
                None
            }
            Err(mistake) => {
                self.framer.refuse(literal);
                self.mistake(tag, &mistake, out);
                None
            }
        }
    }

    /// Judges the head of a command and then, by `then`, what follows it. Comes with the tag, if
    /// there is one.
    fn judge<'l, T>(
        &self,
        line: &'l [u8],
        then: impl FnOnce(Verb, &'l [u8]) -> Result<T, Mistake>,
    ) -> (Option<&'l str>, Result<(Verb, T), Mistake>) {
        let head = match grammar::head(line) {
            Ok(head) => head,
            Err(at) => return (grammar::tag(line), Err(Mistake::Syntax(at))),
        };
        let result = match head.verb {
            None => Err(Mistake::Unknown),
            Some(verb) => self.allowed(verb).and_then(|()| Ok((verb, then(verb, head.rest)?))),
        };
        (Some(head.tag), result)
    }

    fn allowed(&self, verb: Verb) -> Result<(), Mistake> {
        match legality(self.standing, verb) {
            Legality::Yes => {}
            other => return Err(Mistake::NotNow(other)),
        }
        match verb {
            Verb::StartTls if self.tls => Err(Mistake::UnderTls),
            Verb::StartTls if !self.config.starttls => Err(Mistake::NoTls),
            // RFC 3501 §6.2.3: what LOGINDISABLED says is held to.
            Verb::Login if !self.config.offers(PLAIN, self.tls) => {
                Err(self.not_offered(PLAIN, Mistake::NoLogin))
            }
            _ => Ok(()),
        }
    }

    /// What a client did wrong that wants to log in with a mechanism that is not offered now:
    /// PRIVACYREQUIRED where it is offered under TLS (RFC 5530 §3).
    fn not_offered(&self, mechanism: &str, otherwise: Mistake) -> Mistake {
        if self.config.offers(mechanism, true) { Mistake::Privacy } else { otherwise }
    }

    fn broken<'b>(&mut self, broken: Broken, out: &mut Outbox) -> Option<Event<'b>> {
        let mistake = match broken {
            Broken::TooLong => Mistake::TooLong,
            Broken::BareLf => Mistake::BareLf,
            Broken::Lost => Mistake::Lost,
        };
        let line = self.framer.take();
        if self.pending().is_some() {
            return self.abandon(&mistake, out);
        }
        self.mistake(grammar::tag(&line), &mistake, out);
        None
    }

    /// Answers the command under way with the client's mistake.
    fn abandon<'b>(&mut self, mistake: &Mistake, out: &mut Outbox) -> Option<Event<'b>> {
        let pending = self.take_pending()?;
        self.mistake(Some(&pending.tag), mistake, out);
        Some(Event::Abandoned(pending.verb))
    }

    /// Answers a mistake, and ends a session in which there are too many.
    fn mistake(&mut self, tag: Option<&str>, mistake: &Mistake, out: &mut Outbox) {
        let reply = mistake.reply();
        self.tagged(
            tag.unwrap_or("*"),
            reply.status,
            |server, out| {
                if let Some(code) = reply.code {
                    code.write(out);
                }
                match mistake {
                    Mistake::Syntax(at) => server.text_with_id(&at.to_string(), out),
                    _ => server.text_with_id(reply.text, out),
                }
            },
            out,
        );
        if *mistake == Mistake::Lost {
            self.close("what follows cannot be understood", out);
        } else if reply.status == Status::Bad {
            self.bad += 1;
            if self.bad >= self.config.bad_commands_max {
                self.close("too many bad commands", out);
            }
        }
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
            other @ (Phase::Greeting | Phase::Ready | Phase::Handshake | Phase::Closed) => {
                self.phase = other;
                None
            }
        }
    }

    fn capability_code(&self, out: &mut Outbox) {
        out.push(b"[CAPABILITY ");
        self.capabilities(out);
        out.push(b"] ");
    }

    /// What is offered in this state (RFC 3501 §6.1.1): after login nothing about logging in.
    fn capabilities(&self, out: &mut Outbox) {
        out.push(SERVED);
        out.push(b" APPENDLIMIT=");
        response::decimal(self.append_bytes_max().into(), out);
        if self.standing != Standing::NotAuthenticated {
            return;
        }
        if self.config.starttls && !self.tls {
            out.push(b" STARTTLS");
        }
        for (index, mechanism) in self.config.offered(self.tls).enumerate() {
            if index == 0 {
                out.push(b" SASL-IR");
            }
            out.push(b" AUTH=");
            out.push(mechanism.as_bytes());
        }
        if !self.config.offers(PLAIN, self.tls) {
            out.push(b" LOGINDISABLED");
        }
    }

    fn done(&self, tag: Option<&str>, verb: Verb, out: &mut Outbox) {
        out.push(tag.unwrap_or("*").as_bytes());
        out.push(b" OK ");
        out.push(verb.name().as_bytes());
        out.push(b" completed\r\n");
    }

    fn tagged(
        &self,
        tag: &str,
        status: Status,
        rest: impl FnOnce(&Self, &mut Outbox),
        out: &mut Outbox,
    ) {
        out.push(tag.as_bytes());
        out.push(match status {
            Status::Ok => b" OK ",
            Status::No => b" NO ",
            Status::Bad => b" BAD ",
        });
        rest(self, out);
    }

    fn text_with_id(&self, text: &str, out: &mut Outbox) {
        plain_text(text, out);
        out.push(b" (");
        plain_text(&self.id, out);
        out.push(b")\r\n");
    }
}

/// What is served in every state.
const SERVED: &[u8] =
    b"IMAP4rev1 LITERAL+ ID ENABLE IDLE NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE \
      ESEARCH SEARCHRES WITHIN STATUS=SIZE LIST-EXTENDED LIST-STATUS SPECIAL-USE";
/// What the command LOGIN goes with.
const PLAIN: &str = "PLAIN";
/// The longest line during IDLE; all that is expected is `DONE`.
const IDLE_BYTES_MAX: usize = 64;
/// The answer to a literal that is welcome.
const GO_ON: &[u8] = b"+ go on\r\n";
const NO_MESSAGE: At = At { offset: 0, expected: "a message" };

#[cfg(test)]
mod tests;
