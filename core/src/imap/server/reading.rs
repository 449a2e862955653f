//! Reading: what a line, a literal or what is broken of one comes to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Event, GO_ON, PLAIN, Pending, Phase, Server};
use crate::Outbox;
use crate::imap::command::{Append, Command, Verb};
use crate::imap::enabled::Enabled;
use crate::imap::fragment::{Broken, Literal};
use crate::imap::grammar::{self, At};
use crate::imap::legality::{Legality, legality};
use crate::imap::mistake::Mistake;
use crate::imap::response;

const NO_MESSAGE: At = At { offset: 0, expected: "a message" };

impl Server {
    /// A whole line: a command, or what stands where one would.
    pub(super) fn line<'b>(&mut self, line: &[u8], out: &mut Outbox) -> Option<Event<'b>> {
        match self.phase {
            Phase::Exchange(_) => self.auth_response(line, out),
            Phase::Idling(_) if line.eq_ignore_ascii_case(b"DONE") => {
                self.become_next(Phase::Pending);
                Some(Event::IdleDone)
            }
            Phase::Idling(_) => self.abandon(&Mistake::NotDone, out),
            Phase::Tail(ref pending) if pending.closed(line) == Some(b"") => {
                self.become_next(Phase::Pending);
                Some(Event::AppendEnd)
            }
            Phase::Tail(_) => self.abandon(&Mistake::AfterMessage, out),
            _ => self.command(line, out),
        }
    }

    pub(super) fn auth_response<'b>(&mut self, line: &[u8], out: &mut Outbox) -> Option<Event<'b>> {
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

    pub(super) fn command<'b>(&mut self, line: &[u8], out: &mut Outbox) -> Option<Event<'b>> {
        let mut asked = Enabled::default();
        let (tag, result) = self.judge(line, |verb, rest| {
            let request = grammar::arguments(verb, rest, line.len()).map_err(Mistake::Syntax)?;
            if let grammar::Request::Enable(words) = request {
                asked = words;
            }
            if let grammar::Request::Search { charset: Some(_), .. } = request
                && self.enabled.has(Enabled::UTF8_ACCEPT)
            {
                return Err(Mistake::Charset);
            }
            match Command::from_request(request, self.enabled.spelling())
                .map_err(Mistake::Refused)?
            {
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
                Some(command) if command.needs_qresync() && !self.enabled.has(Enabled::QRESYNC) => {
                    Err(Mistake::NoQresync)
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
            (Verb::Enable, _) => {
                self.enabled = self.enabled.with(asked);
                response::enabled(asked, out);
                self.done(tag, verb, out);
                None
            }
            (Verb::Capability | Verb::Id | Verb::Namespace, _) => {
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
                if command.knows_modseqs() {
                    self.enabled = self.enabled.with(Enabled::CONDSTORE);
                }
                let tag = tag.unwrap_or_default().into();
                self.phase = Phase::Pending(Pending { tag, verb, bytes: 0, closes: false });
                Some(Event::Command(command))
            }
            // An APPEND becomes an event at its literal; one without has failed as syntax.
            (_, None) => {
                self.mistake(tag, &Mistake::Syntax(NO_MESSAGE), out);
                None
            }
        }
    }

    /// A literal was announced: the message of APPEND, or a string that joins its command.
    pub(super) fn literal<'b>(&mut self, literal: Literal, out: &mut Outbox) -> Option<Event<'b>> {
        if matches!(self.phase, Phase::Tail(_)) {
            return self.next_message(literal, out);
        }
        let limit = self.config.command_bytes_max;
        let so_far = self.framer.take();
        let (tag, result) = self.judge(&so_far, |verb, rest| {
            let append = match verb {
                Verb::Append | Verb::Replace | Verb::UidReplace => {
                    grammar::append(verb, rest, so_far.len()).map_err(Mistake::Syntax)?
                }
                _ => None,
            };
            match append
                .map(|append| Append::from_request(append, self.enabled.spelling()))
                .transpose()
                .map_err(Mistake::Refused)?
                .flatten()
            {
                Some(append) => self.size_allowed(append.message.size).map(|()| Some(append)),
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
                let closes = append.message.utf8;
                let pending = Pending { tag, verb, bytes: so_far.len(), closes };
                self.phase = Phase::Offered(pending, literal);
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

    /// A literal was announced behind a message of APPEND: that of the next one.
    fn next_message<'b>(&mut self, literal: Literal, out: &mut Outbox) -> Option<Event<'b>> {
        let line = self.framer.take();
        let bytes = self.under_way().map_or(0, |pending| pending.bytes.saturating_add(line.len()));
        // What is not closed is read as nothing, which no message begins with.
        let closed = self.under_way().and_then(|pending| pending.closed(&line));
        let message = match grammar::append_next(closed.unwrap_or_default()) {
            // RFC 8508 §4.7: there is one message in a REPLACE.
            _ if self.pending() != Some(Verb::Append) => Err(Mistake::AfterMessage),
            Err(_) => Err(Mistake::AfterMessage),
            // What is said of the messages of one command is kept until its end.
            Ok(_) if bytes > self.config.command_bytes_max => Err(Mistake::TooManyMessages),
            Ok(message) => self.size_allowed(message.size).map(|()| (message.utf8, message.into())),
        };
        match message {
            Ok((closes, message)) => {
                self.become_next(|pending| {
                    Phase::Offered(Pending { bytes, closes, ..pending }, literal)
                });
                Some(Event::AppendNext(message))
            }
            Err(mistake) => {
                self.framer.refuse(literal);
                self.abandon(&mistake, out)
            }
        }
    }

    /// Whether a message may have so many bytes.
    fn size_allowed(&self, size: u64) -> Result<(), Mistake> {
        match size {
            0 => Err(Mistake::EmptyMessage),
            size if size > self.append_bytes_max().into() => Err(Mistake::MessageTooLarge),
            _ => Ok(()),
        }
    }

    /// Judges the head of a command and then, by `then`, what follows it. Comes with the tag, if
    /// there is one.
    pub(super) fn judge<'l, T>(
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

    pub(super) fn allowed(&self, verb: Verb) -> Result<(), Mistake> {
        match legality(self.standing, verb) {
            Legality::Yes => {}
            other => return Err(Mistake::NotNow(other)),
        }
        match verb {
            Verb::StartTls if self.tls => Err(Mistake::UnderTls),
            Verb::Compress if self.compressed => Err(Mistake::UnderCompression),
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
    pub(super) fn not_offered(&self, mechanism: &str, otherwise: Mistake) -> Mistake {
        if self.config.offers(mechanism, true) { Mistake::Privacy } else { otherwise }
    }

    pub(super) fn broken<'b>(&mut self, broken: Broken, out: &mut Outbox) -> Option<Event<'b>> {
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
}
