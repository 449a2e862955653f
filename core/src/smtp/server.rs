//! The server's side of an SMTP conversation.
//!
//! The machine reads commands, keeps their order, and answers by itself what needs no owner:
//! NOOP, RSET, HELP, VRFY, QUIT and every mistake. What the owner has a say in comes as an
//! [`Event`]; the owner's [`Reply`] is also the decision, by its class.

mod offer;
mod reading;

use std::sync::Arc;

use super::address::Grammar;
use super::body::{BareLf, Body};
use super::chunk::Chunks;
use super::command::{Auth, Command, Encoding, Hello, Verb};
use super::config::{Config, Strictness};
use super::event::{Event, Misuse, Next, Reading, Secret, Step};
use super::fault::Fault;
use super::order::{self, Stage};
use super::reply::{Class, Code, Place, Reply, write_line};
use crate::Outbox;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offer::OK;
use reading::Line;

/// One client's conversation.
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    id: Box<str>,
    /// TLS runs under the conversation.
    secure: bool,
    authenticated: bool,
    bad_commands: usize,
    transactions: usize,
    /// How much of the unread bytes is known to hold no line end.
    scanned: usize,
    refused: Option<Fault>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The owner has not greeted yet.
    Fresh,
    /// A command is next.
    Command(Progress),
    /// The rest of a line that was too long is skipped.
    Skip(Progress),
    /// The owner owes a reply.
    Asked(Question, Progress),
    /// The client owes an answer to a challenge.
    Exchange(Progress),
    /// The body of DATA, and how large it is so far.
    Body {
        body: Body,
        size: u64,
        recipients: usize,
    },
    /// So many bytes of a chunk are still to come.
    Chunk {
        chunks: Chunks,
        left: u64,
        last: bool,
        recipients: usize,
    },
    /// So many bytes of a chunk that was refused.
    Swallow {
        left: u64,
        progress: Progress,
    },
    /// TLS is about to begin.
    Handshake,
    Closed,
}

/// How far the conversation has come.
#[derive(Debug, Clone, Copy)]
enum Progress {
    Start,
    Ready,
    Transaction {
        smtp_utf8: bool,
        binary: bool,
        recipients: usize,
    },
    /// Between two chunks of a message.
    Chunks {
        chunks: Chunks,
        recipients: usize,
    },
    /// As `Ready`, in LMTP behind a chunk that was refused and not the last: that one, should it
    /// come, has a reply for each of these all the same.
    Refused {
        recipients: usize,
    },
}

/// What the owner has been asked.
#[derive(Debug, Clone, Copy)]
enum Question {
    Hello { extended: bool },
    Mail { smtp_utf8: bool, binary: bool },
    Rcpt,
    Data,
    BodyEnd { recipients: usize },
    Auth,
    StartTls,
}

impl Server {
    /// A conversation of which nothing has been said. `id` names the connection; it stands behind
    /// every reply of refusal and the one to STARTTLS, so that the client's operator can ask ours.
    #[must_use]
    pub fn new(config: Arc<Config>, id: &str) -> Self {
        Self {
            config,
            id: id.into(),
            secure: false,
            authenticated: false,
            bad_commands: 0,
            transactions: 0,
            scanned: 0,
            refused: None,
            state: State::Fresh,
        }
    }

    /// Says the first word: `220`, or a refusal after which the conversation is closed.
    ///
    /// # Errors
    /// Where it was said already.
    pub fn greet(&mut self, reply: &Reply, out: &mut Outbox) -> Result<(), Misuse> {
        let State::Fresh = self.state else { return Err(Misuse::Greeted) };
        self.state = if reply.code().class() == Class::Done {
            self.write_named(reply, Place::Last(None), out);
            State::Command(Progress::Start)
        } else {
            self.write(reply, out);
            State::Closed
        };
        Ok(())
    }

    /// Ends the conversation with this reply (`421`), whatever is under way.
    pub fn close(&mut self, reply: &Reply, out: &mut Outbox) {
        if !matches!(self.state, State::Closed) {
            self.write(reply, out);
            self.state = State::Closed;
        }
    }

    /// TLS runs now: after STARTTLS was accepted, or before the greeting. All that was said before
    /// is forgotten, a login too (RFC 3207 §4.2). The caller sees to it that bytes which came in
    /// clear behind STARTTLS are never shown to [`Server::next`].
    ///
    /// # Errors
    /// At any other time.
    pub fn tls_started(&mut self) -> Result<(), Misuse> {
        match self.state {
            State::Fresh => {}
            State::Handshake => self.state = State::Command(Progress::Start),
            State::Command(_)
            | State::Skip(_)
            | State::Asked(..)
            | State::Exchange(_)
            | State::Body { .. }
            | State::Chunk { .. }
            | State::Swallow { .. }
            | State::Closed => return Err(Misuse::NoHandshake),
        }
        self.secure = true;
        self.authenticated = false;
        self.scanned = 0;
        Ok(())
    }

    /// Whether a transaction is under way, or the owner owes a reply: a server that stops lets
    /// these end.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        matches!(
            self.state,
            State::Command(Progress::Transaction { .. } | Progress::Chunks { .. })
                | State::Skip(Progress::Transaction { .. } | Progress::Chunks { .. })
                | State::Asked(..)
                | State::Body { .. }
                | State::Chunk { .. }
        )
    }

    /// What [`Server::next`] reads now.
    #[must_use]
    pub const fn reading(&self) -> Reading {
        match self.state {
            State::Command(Progress::Chunks { .. }) => Reading::BetweenChunks,
            State::Command(_) | State::Exchange(_) => Reading::Line,
            State::Skip(_) => Reading::LongLine,
            State::Body { .. } | State::Chunk { .. } | State::Swallow { .. } => Reading::Body,
            State::Fresh | State::Asked(..) | State::Handshake | State::Closed => Reading::Nothing,
        }
    }

    /// How many commands were no use since the last accepted message, as
    /// [`Limits::bad_commands_max`](super::limits::Limits::bad_commands_max) counts them.
    #[must_use]
    pub const fn bad_commands(&self) -> usize {
        self.bad_commands
    }

    /// The mistake that the last [`Server::next`] answered by itself: for a log.
    #[must_use]
    pub const fn refused(&self) -> Option<Fault> {
        self.refused
    }

    /// Reads on. `unread` is what has come and was not used, without a gap since the last call.
    pub fn next<'b>(&mut self, unread: &'b [u8], out: &mut Outbox) -> Step<'b> {
        self.refused = None;
        match &mut self.state {
            State::Command(progress) => {
                let progress = *progress;
                self.command(progress, unread, out)
            }
            State::Skip(progress) => {
                let progress = *progress;
                self.skip(progress, unread)
            }
            State::Exchange(progress) => {
                let progress = *progress;
                self.exchange(progress, unread, out)
            }
            State::Body { .. } => self.body(unread, out),
            State::Chunk { .. } => self.chunk(unread, out),
            State::Swallow { .. } => self.swallow(unread, out),
            State::Fresh | State::Asked(..) | State::Handshake => at(0, Next::AwaitReply),
            State::Closed => at(0, Next::Closed),
        }
    }

    /// Answers what the owner was asked; the reply's class is the decision. `421` also closes. In
    /// LMTP the one reply to a body goes for all recipients, and is written once for each (`421`
    /// once).
    ///
    /// # Errors
    /// Where nothing was asked.
    pub fn reply(&mut self, reply: &Reply, out: &mut Outbox) -> Result<(), Misuse> {
        let State::Asked(question, progress) = self.state else { return Err(Misuse::NothingAsked) };
        let class = reply.code().class();
        match question {
            Question::Hello { extended: true } if class == Class::Done => self.announce(reply, out),
            Question::Hello { extended: false } if class == Class::Done => {
                self.write_named(reply, Place::Last(None), out);
            }
            // A client whose handshake fails sees no later reply that could name the connection.
            Question::StartTls => reply.write(Some(&self.id), out),
            Question::Hello { .. }
            | Question::Mail { .. }
            | Question::Rcpt
            | Question::Data
            | Question::Auth => self.write(reply, out),
            Question::BodyEnd { .. } if reply.code() == Code::SHUTTING_DOWN => {
                self.write(reply, out);
            }
            Question::BodyEnd { recipients } => {
                let owed = self.config.protocol().replies(recipients);
                (0..owed).for_each(|_| self.write(reply, out));
            }
        }
        self.state = if reply.code() == Code::SHUTTING_DOWN {
            State::Closed
        } else {
            self.decided(question, progress, class)
        };
        Ok(())
    }

    /// Answers a body, in LMTP with one reply for each accepted recipient in the order of RCPT
    /// (RFC 2033 §4.2); anything else with one. A `421` among them closes behind the last.
    ///
    /// # Errors
    /// Where nothing was asked, or with another number of replies than is owed.
    pub fn reply_each(&mut self, replies: &[Reply], out: &mut Outbox) -> Result<(), Misuse> {
        let State::Asked(question, progress) = self.state else { return Err(Misuse::NothingAsked) };
        let owed = match question {
            Question::BodyEnd { recipients } => self.config.protocol().replies(recipients),
            _ => 1,
        };
        if replies.len() != owed {
            return Err(Misuse::Replies(owed));
        }
        if let [reply] = replies {
            return self.reply(reply, out);
        }
        replies.iter().for_each(|reply| self.write(reply, out));
        let codes = || replies.iter().map(Reply::code);
        self.state = if codes().any(|code| code == Code::SHUTTING_DOWN) {
            State::Closed
        } else {
            // Taken for one recipient is taken.
            let taken = codes().any(|code| code.class() == Class::Done);
            self.decided(question, progress, if taken { Class::Done } else { Class::Permanent })
        };
        Ok(())
    }

    /// Sends the next challenge of an AUTH exchange.
    ///
    /// # Errors
    /// Where no exchange is under way.
    pub fn challenge(&mut self, data: &[u8], out: &mut Outbox) -> Result<(), Misuse> {
        let State::Asked(Question::Auth, progress) = self.state else {
            return Err(Misuse::NoExchange);
        };
        out.push(b"334 ");
        out.push(STANDARD.encode(data).as_bytes());
        out.push(b"\r\n");
        self.state = State::Exchange(progress);
        Ok(())
    }

    fn decided(&mut self, question: Question, progress: Progress, class: Class) -> State {
        let yes = class == Class::Done;
        match (question, progress) {
            (Question::Hello { .. }, progress) => {
                State::Command(if yes { Progress::Ready } else { progress })
            }
            (Question::Mail { smtp_utf8, binary }, _) if yes => {
                self.transactions += 1;
                State::Command(Progress::Transaction { smtp_utf8, binary, recipients: 0 })
            }
            (Question::Rcpt, Progress::Transaction { smtp_utf8, binary, recipients }) if yes => {
                let recipients = recipients + 1;
                State::Command(Progress::Transaction { smtp_utf8, binary, recipients })
            }
            (Question::Data, progress) if class != Class::GoOn => State::Command(progress),
            (Question::Data, progress) => {
                let bare_lf = match self.config.strictness() {
                    Strictness::Lenient => BareLf::Mend,
                    Strictness::Pedantic => BareLf::Refuse,
                };
                let body = Body::new(bare_lf, self.config.limits().text_line_max);
                State::Body { body, size: 0, recipients: progress.recipients() }
            }
            // Whatever the answer to a body, its transaction is over (RFC 5321 §4.1.1.4).
            (Question::BodyEnd { .. }, _) => {
                if yes {
                    self.bad_commands = 0;
                }
                State::Command(Progress::Ready)
            }
            (Question::Auth, progress) => {
                self.authenticated |= yes;
                State::Command(progress)
            }
            (Question::StartTls, _) if yes => State::Handshake,
            (Question::Mail { .. } | Question::Rcpt | Question::StartTls, progress) => {
                State::Command(progress)
            }
        }
    }

    fn command<'b>(&mut self, progress: Progress, unread: &'b [u8], out: &mut Outbox) -> Step<'b> {
        let limits = self.config.limits();
        // RFC 4954 §4: an initial response may be as long as any other line of the exchange.
        // Only the first word is looked for: what follows may be many commands.
        let verb = Verb::of(unread.get(..AUTH.len()).unwrap_or(unread));
        let (max, too_long): (_, fn(usize) -> Fault) = match verb {
            Some(Verb::Auth) => (limits.auth_line_max, Fault::AuthLineTooLong),
            _ => (limits.command_line_max, Fault::LineTooLong),
        };
        let (line, used) = match self.line(unread, max) {
            Line::Whole { line, used } => (line, used),
            Line::Unfinished => return at(0, Next::NeedBytes),
            Line::TooLong { used, ended } => {
                self.state = if ended { State::Command(progress) } else { State::Skip(progress) };
                self.refuse(too_long(max), out);
                self.close_behind_bdat(verb);
                return at(used, Next::NeedBytes);
            }
        };
        let behind = unread.get(used..).unwrap_or_default();
        let mut chunk = None;
        let parsed = self.text_of(line).and_then(|text| self.parse(text)).and_then(|command| {
            if let Command::Bdat(bdat) = command {
                chunk = Some(bdat);
            }
            order::check(progress.stage(), command.verb(), self.config.protocol())?;
            self.check(&command, progress, line)?;
            Ok(command)
        });
        match parsed {
            Ok(command) => at(used, self.act(command, progress, behind, out)),
            Err(fault) => {
                if let Some(chunk) = chunk {
                    return at(used, self.refuse_chunk(fault, chunk, progress, out));
                }
                self.refuse(fault, out);
                self.close_behind_bdat(verb.or_else(|| Verb::of(line.trim_ascii_end())));
                at(used, Next::NeedBytes)
            }
        }
    }

    /// RFC 2033 §4.1: a greeting of the other protocol is a command that nobody knows.
    fn parse<'l>(&self, text: &'l [u8]) -> Result<Command<'l>, Fault> {
        let parsed = Command::parse(text, Grammar::of(&self.config));
        let verb = parsed.as_ref().map_or_else(|_| Verb::of(text), |command| Some(command.verb()));
        if verb.is_some_and(|verb| !self.config.protocol().knows(verb)) {
            return Err(Fault::UnknownCommand);
        }
        parsed
    }

    /// Behind a BDAT without a size that can be read, nobody knows where commands begin again.
    fn close_behind_bdat(&mut self, verb: Option<Verb>) {
        if verb == Some(Verb::Bdat) {
            self.state = State::Closed;
        }
    }

    /// A line without its end. A bare LF ends one too, unless we are pedantic.
    fn text_of<'l>(&self, line: &'l [u8]) -> Result<&'l [u8], Fault> {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        match (text.strip_suffix(b"\r"), self.config.strictness()) {
            (Some(text), _) => Ok(text),
            (None, Strictness::Lenient) => Ok(text),
            (None, Strictness::Pedantic) => Err(Fault::BareLf),
        }
    }

    fn act<'b>(
        &mut self,
        command: Command<'b>,
        progress: Progress,
        behind: &[u8],
        out: &mut Outbox,
    ) -> Next<'b> {
        let (question, event) = match command {
            Command::Hello(hello) => {
                (Question::Hello { extended: hello.extended }, Event::Hello(hello))
            }
            Command::Lhlo(name) => {
                let hello = Hello { extended: true, name };
                (Question::Hello { extended: true }, Event::Hello(hello))
            }
            Command::Mail(mail) => {
                let binary = mail.body == Some(Encoding::BinaryMime);
                (Question::Mail { smtp_utf8: mail.smtp_utf8, binary }, Event::Mail(mail))
            }
            Command::Rcpt(rcpt) => (Question::Rcpt, Event::Rcpt(rcpt)),
            Command::Data => (Question::Data, Event::Data),
            Command::Bdat(chunk) => {
                self.begin_chunk(chunk, progress);
                return Next::NeedBytes;
            }
            // RFC 3207 §4.2 and CVE-2011-0411: what came in clear behind STARTTLS must never be
            // read as if it had come under TLS.
            Command::StartTls if !behind.is_empty() => {
                self.refuse(Fault::BehindStartTls, out);
                self.state = State::Closed;
                return Next::Closed;
            }
            Command::StartTls => (Question::StartTls, Event::StartTls),
            Command::Auth(auth) => return self.begin_auth(auth, progress, out),
            Command::Rset => {
                write_line(Code::OK, Some(OK), format_args!("reset"), Place::Last(None), out);
                return match progress {
                    Progress::Transaction { .. } | Progress::Chunks { .. } => {
                        self.state = State::Command(Progress::Ready);
                        Next::Event(Event::Reset)
                    }
                    Progress::Refused { .. } => {
                        self.state = State::Command(Progress::Ready);
                        Next::NeedBytes
                    }
                    Progress::Start | Progress::Ready => Next::NeedBytes,
                };
            }
            Command::Noop | Command::Vrfy(_) | Command::Expn(_) | Command::Help => {
                self.answer(&command, out);
                return Next::NeedBytes;
            }
            Command::Quit => {
                let text = format_args!("{} says goodbye", self.config.host());
                write_line(Code::CLOSING, Some(OK), text, Place::Last(None), out);
                self.state = State::Closed;
                return Next::Closed;
            }
        };
        self.state = State::Asked(question, progress);
        Next::Event(event)
    }

    fn begin_auth<'b>(&mut self, auth: Auth<'b>, progress: Progress, out: &mut Outbox) -> Next<'b> {
        let initial = match auth.initial {
            None => Ok(None),
            // RFC 4954 §4: an empty initial response is one equals sign.
            Some("=") => Ok(Some(Secret(Vec::new()))),
            Some(text) => STANDARD.decode(text).map(|bytes| Some(Secret(bytes))),
        };
        match initial {
            Ok(initial) => {
                self.state = State::Asked(Question::Auth, progress);
                Next::Event(Event::Auth { mechanism: auth.mechanism, initial })
            }
            Err(_) => {
                self.refuse(Fault::BadBase64, out);
                Next::NeedBytes
            }
        }
    }

    fn exchange<'b>(&mut self, progress: Progress, unread: &'b [u8], out: &mut Outbox) -> Step<'b> {
        let max = self.config.limits().auth_line_max;
        let (used, answer) = match self.line(unread, max) {
            Line::Unfinished => return at(0, Next::NeedBytes),
            Line::TooLong { used, ended } => {
                self.state = if ended { State::Command(progress) } else { State::Skip(progress) };
                (used, Err(Fault::AuthLineTooLong(max)))
            }
            Line::Whole { line, used } => {
                self.state = State::Command(progress);
                let answer = self.text_of(line).and_then(|text| match text {
                    b"*" => Err(Fault::AuthCancelled),
                    text => STANDARD.decode(text).map_err(|_| Fault::BadBase64),
                });
                (used, answer)
            }
        };
        match answer {
            Ok(bytes) => {
                self.state = State::Asked(Question::Auth, progress);
                at(used, Next::Event(Event::AuthResponse(Secret(bytes))))
            }
            Err(fault) => {
                self.refuse(fault, out);
                at(used, Next::Event(Event::AuthCancelled(fault)))
            }
        }
    }

    /// Answers a mistake. One too many ends the conversation (RFC 5321 §7.8).
    fn refuse(&mut self, fault: Fault, out: &mut Outbox) {
        self.refused = Some(fault);
        let code = fault.write(&self.id, out);
        if code == Code::SHUTTING_DOWN {
            self.state = State::Closed;
        }
        if fault.is_bad_command() {
            self.bad_commands += 1;
            let max = self.config.limits().bad_commands_max;
            if self.bad_commands > max {
                Fault::TooManyBadCommands(max).write(&self.id, out);
                self.state = State::Closed;
            }
        }
    }

    /// Refuses a message: in LMTP as many recipients have their answer (RFC 2033 §4.2).
    fn refuse_body(&mut self, fault: Fault, recipients: usize, out: &mut Outbox) {
        for _ in 1..self.config.protocol().replies(recipients) {
            fault.write(&self.id, out);
        }
        self.refuse(fault, out);
    }

    fn write(&self, reply: &Reply, out: &mut Outbox) {
        let refusal = matches!(reply.code().class(), Class::Temporary | Class::Permanent);
        reply.write(refusal.then_some(&*self.id), out);
    }

    /// The greeting and the yes to a hello begin with our name (RFC 5321 §4.2, §4.1.1.1).
    fn write_named(&self, reply: &Reply, place: Place<'_>, out: &mut Outbox) {
        let (host, text) = (self.config.host(), reply.text());
        let space = if text.is_empty() { "" } else { " " };
        write_line(reply.code(), None, format_args!("{host}{space}{text}"), place, out);
    }
}

impl Progress {
    const fn stage(self) -> Stage {
        match self {
            Self::Start => Stage::Start,
            Self::Ready | Self::Refused { .. } => Stage::Ready,
            Self::Transaction { recipients: 0, .. } => Stage::Mail,
            Self::Transaction { .. } => Stage::Rcpt,
            Self::Chunks { .. } => Stage::Chunks,
        }
    }

    /// How many were accepted.
    const fn recipients(self) -> usize {
        match self {
            Self::Start | Self::Ready => 0,
            Self::Transaction { recipients, .. }
            | Self::Chunks { recipients, .. }
            | Self::Refused { recipients } => recipients,
        }
    }
}

const fn at(used: usize, next: Next<'_>) -> Step<'_> {
    Step { used, next }
}

/// So much of a line tells whether it is AUTH with an argument.
const AUTH: &[u8] = b"AUTH ";

#[cfg(test)]
mod tests;
