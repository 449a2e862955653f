//! One IMAP session: the conversation's events, and what is answered to each.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_core::effect::{Completion, Effect, Fault};
use pillarbox_core::flow::{Desk, Pen};
use pillarbox_core::imap::command::{Command, Verb};
use pillarbox_core::imap::response::{self, Code};
use pillarbox_core::imap::view::Expunges;
use pillarbox_core::imap::{Config, Event, Next, Server};
use pillarbox_core::sasl::{Bindings, Exchange, Login, Secret};
use pillarbox_core::{
    EffectId, Input, Io, Machine, Moment, Now, Outbox, Stream, UnixSeconds, Want,
};
use pillarbox_store::StoreError;

use super::append::{self, Filing, Refusal};
use super::commands::{self, Answer, answered};
use super::open::{Open, Tools};
use super::{copy, fetch, mailboxes, quota};
use crate::context::{Context, Id};
use crate::job::Job;
use crate::login::{Claim, User, Verdict, Who};
use crate::rates::What;
use crate::session::{DISMISSED, Ending, Fate, Question, WAIT_ALONE};
use crate::smtp::spool::Spool;

mod appending;
mod auth;
mod finding;
mod layers;

/// RFC 3501 §5.4: at least thirty minutes once somebody has logged in.
const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// Somebody who does not log in need not be waited for that long.
const LOGIN_MAX: Duration = Duration::from_secs(3 * 60);

/// What a listener's IMAP is like.
#[derive(Debug)]
pub struct ImapDoor {
    /// What is announced, and the limits.
    pub imap: Arc<Config>,
}

/// One session.
#[derive(Debug)]
pub struct ImapSession {
    context: Arc<Context>,
    id: String,
    peer: IpAddr,
    imap: Server,
    desk: Desk<Job>,
    pen: Pen,
    /// The command under way, where it needs answers from outside.
    flow: Option<Question<Outcome>>,
    user: Option<User>,
    /// The watch that tells of the user's account.
    account: Option<EffectId>,
    /// The selected mailbox; with the flow while one is under way.
    open: Option<Open>,
    /// These three are small beside what they hold, which most clients that wait do not have.
    filing: Option<Box<Filing>>,
    exchange: Option<Box<Exchange>>,
    /// By which somebody logs in.
    mechanism: &'static str,
    tls: bool,
    /// Something has changed in the selected mailbox that the client has not been told of.
    changed: bool,
    /// The moment of the present step.
    present: Rc<Cell<Moment>>,
    wall: UnixSeconds,
    deadline: Moment,
    ending: Ending,
    takes_tls: bool,
    takes_compression: bool,
    /// What a login can be bound to, until there is one.
    bindings: Option<Box<Bindings>>,
}

/// What a flow has come to.
#[derive(Debug)]
enum Outcome {
    /// A command is done; the mailbox that is selected now.
    Done(Option<Open>, Answer, Option<StoreError>),
    /// The client in IDLE has been told.
    Told(Option<Open>, Option<StoreError>),
    /// The selected mailbox was deleted meanwhile; and what the command has come to, if one was
    /// under way.
    Deleted(Option<Answer>),
    AppendBegun(Result<Filing, Refusal>),
    Spooled(Spool, Result<(), Fault>),
    /// With the capabilities that whoever has logged in is not told of.
    Login(Verdict, Who, Box<[String]>),
}

impl ImapSession {
    /// A session on an accepted connection; with `full` it only says that there is no room.
    #[must_use]
    pub fn new(context: Arc<Context>, door: &ImapDoor, peer: IpAddr, id: Id, full: bool) -> Self {
        let id = id.to_string();
        Self {
            imap: Server::new(Arc::clone(&door.imap), &id),
            id,
            peer,
            context,
            desk: Desk::default(),
            pen: Pen::default(),
            flow: None,
            user: None,
            account: None,
            open: None,
            filing: None,
            exchange: None,
            mechanism: "",
            tls: false,
            changed: false,
            present: Rc::default(),
            wall: UnixSeconds(0),
            deadline: Moment::START + LOGIN_MAX,
            ending: if full { Ending::Full } else { Ending::No },
            takes_tls: false,
            takes_compression: false,
            bindings: None,
        }
    }

    fn greet(&mut self, out: &mut Outbox) {
        self.context.counters.imap_sessions.count();
        log::info!(cid = self.id.as_str(), peer:% = self.peer; "connection");
        let rates = &self.context.rates;
        if self.ending == Ending::Full {
            self.imap.close("too many connections, try again later", out);
        } else if let Err(refused) = rates.take(What::Connection, self.present.get(), self.peer, 1)
        {
            self.context.counters.rate_refusals.count();
            log::warn!(cid = self.id.as_str(), peer:% = self.peer, why:% = refused; "too many connections");
            self.imap.close(&format!("too many connections {refused}"), out);
        } else {
            self.imap.greet(out);
        }
    }

    /// Takes the conversation as far as it goes.
    fn advance(&mut self, now: Now, io: &mut Io<'_, Effect<Job>>) -> Want {
        loop {
            if let Some(flow) = &mut self.flow {
                let outcome = flow.poll();
                let poured = self.pen.pour(io.outbox);
                match outcome {
                    Some(outcome) => {
                        self.flow = None;
                        let was_nobody = self.user.is_none();
                        self.on_outcome(outcome, io.outbox);
                        if was_nobody && self.user.is_some() {
                            // RFC 3501 §5.4: from here on, at least 30 minutes.
                            self.deadline = now.moment + IDLE_MAX;
                        }
                    }
                    // What nobody reads any more leaves at once.
                    None if poured && self.ending == Ending::Gone => {
                        io.outbox.clear();
                        self.pen.pour(io.outbox);
                        continue;
                    }
                    // It may only have waited for its page to be taken.
                    None if poured && io.outbox.below_mark() => continue,
                    None => break,
                }
            }
            if self.ending == Ending::Gone {
                io.outbox.clear();
                let _nobody_hears = self.end();
                return Want::ABORT;
            }
            if !io.outbox.below_mark() {
                break;
            }
            if self.ending == Ending::Dismissed {
                self.imap.close(DISMISSED, io.outbox);
            }
            if self.filing.as_ref().is_some_and(|filing| filing.spool.is_due()) {
                self.write_out();
                continue;
            }
            if self.changed && self.imap.pending() == Some(Verb::Idle) && self.open.is_some() {
                self.tell_idle();
                continue;
            }
            let step = self.imap.next(io.inbox.unread(), io.outbox);
            let used = step.used;
            match step.next {
                Next::Event(event) => self.on_event(now, event, io.outbox),
                Next::NeedBytes if used == 0 => match self.ending {
                    Ending::Stop => self.imap.close("the server is stopping", io.outbox),
                    Ending::Eof => return self.end(),
                    Ending::No | Ending::Full | Ending::Gone | Ending::Dismissed => break,
                },
                Next::NeedBytes => {}
                Next::AwaitReply => break,
                Next::Closed => return self.end(),
            }
            io.inbox.consume(used);
            if used > 0 {
                let patience = if self.user.is_some() { IDLE_MAX } else { LOGIN_MAX };
                self.deadline = now.moment + patience;
            }
        }
        if self.ending == Ending::Gone {
            return WAIT_ALONE;
        }
        Want {
            read: true,
            hold: self.flow.is_some() && !io.inbox.is_empty(),
            deadline: Some(self.deadline),
            stream: Stream::Keep,
            done: false,
        }
    }

    fn on_event(&mut self, now: Now, event: Event<'_>, out: &mut Outbox) {
        match event {
            Event::Command(command) => {
                self.context.counters.imap_commands.count();
                self.on_command(command, now.wall, out);
            }
            Event::AppendBegin(append) => self.on_append(append, out),
            Event::AppendData(bytes) => {
                if let Some(filing) = &mut self.filing {
                    filing.push(bytes);
                }
            }
            Event::AppendNext(message) => self.on_append_next(message),
            Event::AppendEnd => self.on_append_end(now.wall),
            Event::AuthResponse(response) => match self.exchange.take() {
                Some(exchange) => self.on_sasl(exchange.answer(&response), out),
                None => self.finish(&Answer::bad("no exchange is under way"), out),
            },
            Event::IdleDone => self.finish(&Answer::ok("done"), out),
            Event::Abandoned(_) => {
                self.exchange = None;
                self.drop_filing();
            }
        }
    }

    fn on_command(&mut self, command: Command, now: UnixSeconds, out: &mut Outbox) {
        match command {
            Command::StartTls => {
                self.takes_tls = true;
                self.finish(&Answer::ok("begin TLS now"), out);
            }
            Command::Compress => {
                self.finish(&Answer::ok("DEFLATE active"), out);
                // The layer around the session does it from the end of this step on, and nothing
                // behind the answer is said before.
                self.takes_compression = true;
            }
            Command::Login { user, password } => {
                self.mechanism = "LOGIN";
                self.ask(Claim::Password(Login {
                    authzid: String::new(),
                    authcid: user,
                    password: Secret::new(password.0),
                }));
            }
            Command::Authenticate { mechanism, initial } => {
                self.on_authenticate(&mechanism, initial.as_ref().map(|initial| &*initial.0), out);
            }
            Command::Idle => {
                if let Err(misuse) = self.imap.idle(out) {
                    log::error!(cid = self.id.as_str(), why:% = misuse; "our own mistake");
                }
            }
            // RFC 3501 §6.1.2: before a login too.
            Command::Noop if self.user.is_none() => self.finish(&Answer::ok("done"), out),
            command => match self.tools() {
                Some(tools) => self.begin(tools, command, now),
                None => self.finish(&Answer::bad("log in first"), out),
            },
        }
    }

    /// What a flow of a logged-in user works with.
    fn tools(&self) -> Option<Tools> {
        Some(Tools {
            desk: self.desk.clone(),
            pen: self.pen.clone(),
            account: self.user.as_ref()?.account,
            enabled: self.imap.enabled(),
            tag: self.imap.tag().unwrap_or_default().into(),
            clock: Rc::clone(&self.present),
            append_bytes_max: self.imap.append_bytes_max(),
            pins: Arc::clone(&self.context.pins),
            recents: Arc::clone(&self.context.recents),
        })
    }

    fn begin(&mut self, tools: Tools, command: Command, now: UnixSeconds) {
        let open = self.open.take();
        let changed = std::mem::take(&mut self.changed);
        let fate = match command {
            Command::Store { .. }
            | Command::Expunge
            | Command::UidExpunge(_)
            | Command::Close
            | Command::Copy { .. }
            | Command::Move { .. }
            | Command::Create { .. }
            | Command::Delete(_)
            | Command::Rename { .. }
            | Command::Subscribe { .. } => Fate::ToTheEnd,
            _ => Fate::WithClient,
        };
        self.flow = Some(Question::new(fate, run(tools, open, command, changed, now)));
    }

    /// In IDLE: tells what has changed (RFC 2177 §3).
    fn tell_idle(&mut self) {
        self.changed = false;
        let (Some(tools), Some(mut open)) = (self.tools(), self.open.take()) else { return };
        self.flow = Some(Question::new(Fate::WithClient, async move {
            match open.sync(&tools, Expunges::Tell, None).await {
                Err(StoreError::NoSuchMailbox) => {
                    open.close(&tools);
                    Outcome::Deleted(None)
                }
                told => {
                    open.confine(&tools);
                    Outcome::Told(Some(open), told.err())
                }
            }
        }));
    }

    fn on_outcome(&mut self, outcome: Outcome, out: &mut Outbox) {
        match outcome {
            Outcome::Done(open, answer, error) => {
                if open.is_none() {
                    self.imap.deselect();
                }
                self.open = open;
                self.log_failure(error.as_ref());
                self.finish(&answer, out);
            }
            Outcome::Told(open, error) => {
                self.open = open;
                self.log_failure(error.as_ref());
            }
            // RFC 2180 §3.3: a client that went on would ask for messages by numbers that mean
            // nothing any more; one that comes again sees what mailboxes there are.
            Outcome::Deleted(answer) => {
                if let Some(answer) = answer {
                    self.finish(&answer, out);
                }
                self.imap.close("the selected mailbox was deleted", out);
            }
            Outcome::AppendBegun(Ok(filing)) => {
                self.filing = Some(Box::new(filing));
                if let Err(misuse) = self.imap.accept_append(out) {
                    log::error!(cid = self.id.as_str(), why:% = misuse; "our own mistake");
                }
            }
            Outcome::AppendBegun(Err(refusal)) => {
                let (answer, error) = refusal.told();
                self.log_failure(error.as_ref());
                self.finish(&answer, out);
            }
            Outcome::Spooled(spool, result) => match (&mut self.filing, result) {
                (Some(filing), Ok(())) => filing.spool = spool,
                (_, Err(fault)) => {
                    spool.discard(&self.desk);
                    self.drop_filing();
                    log::error!(cid = self.id.as_str(), why:% = fault; "message cannot be written");
                    self.finish(&append::not_written(fault), out);
                }
                (None, Ok(())) => spool.discard(&self.desk),
            },
            Outcome::Login(verdict, who, hidden) => {
                self.imap.hide(hidden);
                self.on_verdict(verdict, &who, out);
            }
        }
    }

    fn log_failure(&mut self, error: Option<&StoreError>) {
        match error {
            None | Some(StoreError::NoSuchMailbox) => {}
            // Removed between the login's check and its watch.
            Some(StoreError::NoSuchAccount) => self.dismiss(),
            Some(error) => {
                log::error!(cid = self.id.as_str(), why:% = error; "command failed");
            }
        }
    }

    fn dismiss(&mut self) {
        if self.ending == Ending::No {
            log::info!(cid = self.id.as_str(); "account changed: logged out");
            self.ending = Ending::Dismissed;
        }
    }

    fn finish(&mut self, answer: &Answer, out: &mut Outbox) {
        if let Err(misuse) = self.imap.finish(&answer.done(), out) {
            log::error!(cid = self.id.as_str(), why:% = misuse; "our own mistake");
            self.imap.close("the server has made a mistake", out);
        }
    }

    fn drop_filing(&mut self) {
        if let Some(filing) = self.filing.take() {
            filing.discard(&self.desk);
        }
    }

    fn end(&mut self) -> Want {
        self.drop_filing();
        if let (Some(tools), Some(open)) = (self.tools(), self.open.take()) {
            open.close(&tools);
        }
        log::debug!(cid = self.id.as_str(); "connection ended");
        Want::END
    }
}

/// One command of a logged-in user, from its arguments to its tagged answer.
async fn run(
    tools: Tools,
    mut open: Option<Open>,
    command: Command,
    changed: bool,
    now: UnixSeconds,
) -> Outcome {
    if let Some(open) = open.as_mut().filter(|_| !matches!(command, Command::Select { .. })) {
        open.acquaint(&tools);
    }
    match (command, open) {
        (Command::Status { mailbox, items }, open) => {
            let status = commands::status(&tools, &mailbox, &items).await;
            settle(tools, open, changed, status).await
        }
        (Command::Select { mailbox, read_only, params }, open) => {
            if let Some(open) = open {
                open.close(&tools);
                // RFC 7162 §3.2.11: the border between what is told of the one and of the other.
                tools.pen.write(|out| response::ok(Code::Closed, "closed", out));
            }
            match commands::select(&tools, &mailbox, read_only, &params).await {
                Ok((open, answer)) => Outcome::Done(Some(open), answer, None),
                Err(error) => Outcome::Done(None, Answer::failed(&error), Some(error)),
            }
        }
        (Command::Close, Some(open)) => {
            // RFC 3501 §6.4.2: expunges silently, but not in a mailbox that is read-only.
            let closed = if open.read_only {
                Ok(Answer::ok("closed"))
            } else {
                commands::expunge(&tools, &open, None).await
            };
            open.close(&tools);
            let (answer, error) = answered(closed);
            Outcome::Done(None, answer, error)
        }
        (Command::Unselect, Some(open)) => {
            open.close(&tools);
            Outcome::Done(None, Answer::ok("closed"), None)
        }
        (Command::Expunge, Some(open)) => {
            let expunged = commands::expunge(&tools, &open, None).await;
            settle(tools, Some(open), true, expunged).await
        }
        (Command::UidExpunge(set), Some(open)) => {
            let expunged = commands::expunge(&tools, &open, Some(&set)).await;
            settle(tools, Some(open), true, expunged).await
        }
        (Command::Copy { set, mailbox }, Some(open)) => {
            let copied = copy::copy(&tools, &open, &set, &mailbox, now).await;
            settle(tools, Some(open), true, copied).await
        }
        (Command::Move { set, mailbox }, Some(open)) => {
            let moved = copy::relocate(&tools, &open, &set, &mailbox, now).await;
            settle(tools, Some(open), true, moved).await
        }
        (
            command @ (Command::Search { .. } | Command::Sort { .. } | Command::Thread { .. }),
            Some(open),
        ) => finding::run(tools, open, command, changed, now).await,
        (Command::Fetch { set, items, modifiers }, Some(mut open)) => {
            let fetched = fetch::fetch(&tools, &mut open, &set, &items, &modifiers).await;
            wrap_up(tools, open, changed, expunges(set.uid), fetched).await
        }
        (Command::Store { set, unchanged_since, mode, silent, flags }, Some(mut open)) => {
            let since = unchanged_since;
            let stored = commands::store(&tools, &mut open, &set, since, mode, silent, flags).await;
            wrap_up(tools, open, changed, expunges(set.uid), stored).await
        }
        (command, open) => run_naming(tools, open, command, changed, now).await,
    }
}

/// The same for the commands that are about mailboxes as a whole.
async fn run_naming(
    tools: Tools,
    mut open: Option<Open>,
    command: Command,
    changed: bool,
    now: UnixSeconds,
) -> Outcome {
    let answer = match command {
        Command::List { patterns, options } => {
            mailboxes::list(&tools, &patterns, options.as_ref()).await
        }
        Command::Lsub(pattern) => mailboxes::lsub(&tools, &pattern).await,
        Command::Create { mailbox, uses } => mailboxes::create(&tools, &mailbox, &uses, now).await,
        Command::Delete(name) => mailboxes::delete(&tools, &name).await.map(|id| {
            if let Some(open) = open.take_if(|open| open.id == id) {
                open.close(&tools);
            }
            Answer::ok("deleted")
        }),
        Command::Rename { from, to } => mailboxes::rename(&tools, &from, &to, now).await,
        Command::GetQuota { root } => quota::of_root(&tools, &root).await,
        Command::GetQuotaRoot(mailbox) => quota::of_mailbox(&tools, &mailbox).await,
        Command::SetQuota => Ok(quota::refused()),
        Command::Subscribe { mailbox, on } => mailboxes::subscribe(&tools, &mailbox, on).await,
        // NOOP; and what the machine lets through only in other states.
        _ => Ok(Answer::ok("done")),
    };
    settle(tools, open, changed, answer).await
}

/// RFC 3501 §7.4.1: numbers must not move while a command uses them; UIDs stay what they are.
const fn expunges(uid: bool) -> Expunges {
    if uid { Expunges::Tell } else { Expunges::Hold }
}

/// The end of a command that has nothing to do with numbers: all may be told.
async fn settle(
    tools: Tools,
    open: Option<Open>,
    changed: bool,
    result: Result<Answer, StoreError>,
) -> Outcome {
    let result = result.map(|answer| (answer, None));
    match open {
        Some(open) => wrap_up(tools, open, changed, Expunges::Tell, result).await,
        None => {
            let (answer, error) = answered(result.map(|(answer, _)| answer));
            Outcome::Done(None, answer, error)
        }
    }
}

/// The end of a command with a mailbox open. Beside the answer comes the MODSEQ of what the command
/// itself has changed and told.
async fn wrap_up(
    tools: Tools,
    mut open: Open,
    changed: bool,
    expunges: Expunges,
    result: Result<(Answer, Option<u64>), StoreError>,
) -> Outcome {
    let (mut answer, own, error) = match result {
        Ok((answer, own)) => (answer, own, None),
        Err(error) => (Answer::failed(&error), None, Some(error)),
    };
    // Whether it is this mailbox that does not exist, only a look at it can tell.
    let look = changed
        || own.is_some()
        || open.told_modseq > open.view.modseq()
        || error == Some(StoreError::NoSuchMailbox);
    let late = if look {
        open.sync(&tools, expunges, own).await
    } else {
        // What had to be held back before may be told now.
        open.tell(&tools, expunges).await;
        Ok(())
    };
    match late {
        Err(StoreError::NoSuchMailbox) => {
            open.close(&tools);
            Outcome::Deleted(Some(answer))
        }
        late => {
            // RFC 7162 §3.2.7, RFC 6851 §4.4; not at CLOSE (§3.2.8), after which nothing is told.
            if answer.took_out && open.aware && late.is_ok() {
                open.behind = false;
                answer.code = Some(Code::HighestModSeq(open.pin.at()));
            } else {
                open.confine(&tools);
            }
            Outcome::Done(Some(open), answer, error.or_else(|| late.err()))
        }
    }
}

impl Machine for ImapSession {
    type Effect = Effect<Job>;
    type Completion = Completion<Job>;

    fn step(
        &mut self,
        now: Now,
        input: Input<Completion<Job>>,
        io: &mut Io<'_, Effect<Job>>,
    ) -> Want {
        self.present.set(now.moment);
        self.wall = now.wall;
        match input {
            Input::Start => {
                self.deadline = now.moment + LOGIN_MAX;
                self.greet(io.outbox);
            }
            Input::Done(id, Completion::Noticed) if self.account == Some(id) => self.dismiss(),
            Input::Done(_, Completion::Noticed) => self.changed = true,
            Input::Done(id, completion) => {
                self.desk.deliver(id, completion);
            }
            Input::Eof if self.ending != Ending::Gone => self.ending = Ending::Eof,
            Input::Stop if self.ending == Ending::No => self.ending = Ending::Stop,
            Input::Gone => {
                self.ending = Ending::Gone;
                self.flow.take_if(|flow| !flow.outlives_client());
                io.outbox.clear();
                self.pen.pour(io.outbox);
            }
            Input::Timer if now.moment >= self.deadline && self.flow.is_none() => {
                log::info!(cid = self.id.as_str(); "connection idle for too long");
                self.imap.close("nothing came for too long", io.outbox);
            }
            Input::Drained => {
                self.pen.pour(io.outbox);
            }
            Input::Bytes | Input::Timer | Input::Stop | Input::Eof => {}
        }
        if self.flow.is_some() && now.moment >= self.deadline {
            self.deadline = now.moment + IDLE_MAX;
        }
        let want = self.advance(now, io);
        self.desk.take_effects(io.effects);
        want
    }
}
