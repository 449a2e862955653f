//! One SMTP, submission or LMTP session: the conversation's events, and what is answered to each.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_core::connection::Session;
use pillarbox_core::effect::{Completion, Effect, Fault as WorldFault};
use pillarbox_core::flow::Desk;
use pillarbox_core::message::HeadLimits;
use pillarbox_core::sasl::{Bindings, Exchange};
use pillarbox_core::smtp::address::ForwardPath;
use pillarbox_core::smtp::command::{Hold, Mail, Rcpt};
use pillarbox_core::smtp::config::{Config, Protocol};
use pillarbox_core::smtp::reply::{Class, Code, Enhanced, Reply};
use pillarbox_core::smtp::{Event, Next, Secret, Server};
use pillarbox_core::tls::{Agreed, TlsError};
use pillarbox_core::{
    EffectId, Input, Io, Machine, Moment, Now, Outbox, Stream, UnixSeconds, Want,
};
use pillarbox_store::Routing;

use super::checks::Inquiry;
use super::letter::{self, Client, Letter, Recipient};
use super::receive::Received;
use super::recipient::{self, Asking};
use super::sender::{self, Sending};
use super::spool::Spool;
use super::trouble::{self, Stage, Trouble};
use crate::config::{Checks, Delivery, Queue};
use crate::context::{Context, Id};
use crate::job::Job;
use crate::login::{User, Verdict, Who};
use crate::rates::{Refused, What};
use crate::session::{DISMISSED, Ending, Fate, Question, WAIT_ALONE};

mod auth;
mod patience;
mod received;
mod refused;
mod slow;
mod text;

use patience::Patience;
pub use patience::TimeLimits;
use slow::Slowness;
use text::Waiting;

/// What a listener's SMTP is like.
#[derive(Debug)]
pub struct Door {
    /// What is announced and how strict the conversation is.
    pub smtp: Arc<Config>,
    /// Whether it is for our own people, who must log in (RFC 6409 §4.3).
    pub submission: bool,
    /// Whose mail an address is.
    pub delivery: Delivery,
    /// Whether everybody may send as anybody: it is not looked at whose the sender's address is,
    /// nor what the message says whom it is from.
    pub any_sender: bool,
    /// How much the header of a message may hold.
    pub head: HeadLimits,
    /// How long a session may take, and how slowly it is answered.
    pub times: TimeLimits,
    /// How many MIME parts a message may have.
    pub parts_max: usize,
    /// What mail is asked that nobody has logged in for; `None`: nothing.
    pub checks: Option<Arc<Checks>>,
    /// How mail leaves; `None`: it does not.
    pub queue: Option<Arc<Queue>>,
}

/// One session.
#[derive(Debug)]
pub struct SmtpSession {
    context: Arc<Context>,
    door: Arc<Door>,
    client: Client,
    smtp: Server,
    desk: Desk<Job>,
    /// The question whose answer is the next reply.
    flow: Option<Question<Outcome>>,
    letter: Option<Letter>,
    /// What is being found out about the letter.
    inquiry: Option<Box<Inquiry>>,
    /// The letter that has come whole, until that is known.
    waiting: Option<Box<Waiting>>,
    exchange: Option<Exchange>,
    /// By which somebody logs in.
    mechanism: &'static str,
    user: Option<User>,
    /// The watch that tells of the user's account.
    account: Option<EffectId>,
    /// The moment of the present step.
    present: Moment,
    wall: UnixSeconds,
    patience: Patience,
    slowness: Slowness,
    ending: Ending,
    takes_tls: bool,
    /// What a login can be bound to.
    bindings: Bindings,
}

/// What a flow has come to.
#[derive(Debug)]
enum Outcome {
    Sender(Result<(), Reply>, Mail<'static>),
    Recipient(Result<Recipient, Reply>, String),
    Received(Received),
    /// A large body's piece was written; the letter comes back.
    Spooled(Spool, Result<(), WorldFault>),
    Login(Verdict, Who),
}

impl SmtpSession {
    /// A session on an accepted connection; with `full` it only says that there is no room.
    #[must_use]
    pub fn new(context: Arc<Context>, door: Arc<Door>, peer: IpAddr, id: Id, full: bool) -> Self {
        let id = id.to_string();
        // Whom we trust with any number of connections need not be slowed down either.
        let slow = if context.rates.exempts(peer) { Duration::ZERO } else { door.times.slow_max };
        Self {
            smtp: Server::new(Arc::clone(&door.smtp), &id),
            client: Client {
                id,
                peer,
                protocol: door.smtp.protocol(),
                hello: None,
                tls: None,
                login: None,
            },
            patience: Patience::new(door.times, Moment::START),
            slowness: Slowness::new(slow),
            context,
            door,
            desk: Desk::default(),
            flow: None,
            letter: None,
            inquiry: None,
            waiting: None,
            exchange: None,
            mechanism: "",
            user: None,
            account: None,
            present: Moment::START,
            wall: UnixSeconds(0),
            ending: if full { Ending::Full } else { Ending::No },
            takes_tls: false,
            bindings: Bindings::default(),
        }
    }

    fn greet(&mut self, out: &mut Outbox) {
        self.context.counters.smtp_sessions.count();
        log::info!(cid = self.client.id.as_str(), peer:% = self.client.peer; "connection");
        let reply = if self.ending == Ending::Full {
            let text = "too many connections, try again later";
            Reply::new(Code::SHUTTING_DOWN, Enhanced::new(7, 0), text)
        } else if let Err(refused) =
            self.context.rates.take(What::Connection, self.present, self.client.peer, 1)
        {
            self.count_refusal("too many connections", refused);
            let text = format!("too many connections {refused}");
            Reply::new(Code::SHUTTING_DOWN, Enhanced::new(7, 0), text)
        } else {
            // RFC 5321 §4.2: that we speak the extended protocol. The machine puts the name first.
            Reply::greeting(match self.client.protocol {
                Protocol::Smtp => "ESMTP",
                Protocol::Lmtp => "LMTP",
            })
        };
        if let Err(misuse) = self.smtp.greet(&reply, out) {
            log::error!(cid = self.client.id.as_str(), why:% = misuse; "our own mistake");
        }
    }

    /// Takes the conversation as far as it goes.
    fn advance(&mut self, now: Now, io: &mut Io<'_, Effect<Job>>) -> Want {
        loop {
            if let Some(flow) = &mut self.flow {
                let Some(outcome) = flow.poll() else { break };
                self.flow = None;
                self.on_outcome(outcome, io.outbox);
            }
            if self.is_known(now) {
                self.conclude(now, io.outbox);
                continue;
            }
            if self.ending == Ending::Gone {
                io.outbox.clear();
                let _nobody_hears = self.end();
                return Want::ABORT;
            }
            if self.ending != Ending::No {
                self.slowness.stop();
            }
            if self.slowness.lasts(now.moment) {
                break;
            }
            self.patience.resume(now.moment);
            if !io.outbox.below_mark() {
                break;
            }
            if self.ending == Ending::Dismissed {
                let reply = Reply::new(Code::SHUTTING_DOWN, Enhanced::new(7, 0), DISMISSED);
                self.smtp.close(&reply, io.outbox);
            }
            if self.spool_is_due() {
                self.write_out();
                continue;
            }
            let unread = io.inbox.unread();
            let step = self.smtp.next(unread, io.outbox);
            let used = step.used;
            if let Some(fault) = self.smtp.refused() {
                self.note_refused(fault, &step.next, unread.get(..used).unwrap_or_default());
            }
            match step.next {
                Next::Event(event) => self.on_event(now, event, io.outbox),
                Next::NeedBytes if used == 0 => match self.ending {
                    Ending::No => {
                        self.slowness.caught_up();
                        let unread = io.inbox.unread();
                        self.patience.wait_for_more(now.moment, unread, self.smtp.reading());
                        break;
                    }
                    Ending::Stop if !self.smtp.is_busy() => {
                        self.smtp.close(&Reply::stopping(), io.outbox);
                    }
                    Ending::Eof => return self.end(),
                    Ending::Stop | Ending::Full | Ending::Gone | Ending::Dismissed => break,
                },
                Next::NeedBytes => {}
                // A silence that was asked for (`trouble`): nobody waits for its end.
                Next::AwaitReply
                    if !self.is_asking()
                        && self.smtp.is_busy()
                        && matches!(self.ending, Ending::Eof | Ending::Stop) =>
                {
                    return self.end();
                }
                Next::AwaitReply => break,
                Next::Closed => return self.end(),
            }
            io.inbox.consume(used);
            self.patience.follow(now.moment, used, self.smtp.reading());
            self.slowness.count_bad_commands(now.moment, self.smtp.bad_commands());
        }
        self.wish(now.moment)
    }

    /// What is wished for once the conversation is as far as it goes.
    fn wish(&mut self, now: Moment) -> Want {
        if self.ending == Ending::Gone {
            return WAIT_ALONE;
        }
        let slow_until = self.slowness.until();
        if self.is_asking() || slow_until.is_some() {
            self.patience.pause(now);
        }
        let known = self.inquiry.as_ref().filter(|_| self.waiting.is_some());
        let known = known.map(|inquiry| inquiry.until());
        Want {
            read: true,
            // What was answered before a flow leaves with the flow's own answer, in one write.
            hold: slow_until.is_some() || self.is_asking(),
            deadline: slow_until.or(known).or_else(|| self.patience.deadline()),
            stream: Stream::Keep,
            done: false,
        }
    }

    fn on_event(&mut self, now: Now, event: Event<'_>, out: &mut Outbox) {
        match event {
            Event::Hello(hello) => {
                self.drop_letter();
                self.client.hello = Some((hello.name.to_owned(), hello.extended));
                // RFC 5321 §4.1.1.1: behind our name, which the machine puts first.
                let text = format!("greets {}", hello.name);
                self.reply(&Reply::hello(text), out);
            }
            Event::Mail(mail) => self.on_mail(mail, out),
            Event::Rcpt(rcpt) => self.on_rcpt(rcpt, out),
            Event::Data => self.reply(&Reply::start_mail(), out),
            Event::Body(text) => self.on_text(now, text),
            Event::BodyEnd => self.on_body_end(now, out),
            Event::BodyRefused(fault) => self.on_body_refused(fault),
            Event::Reset => self.drop_letter(),
            Event::Auth { mechanism, initial } => self.on_auth(mechanism, initial.as_ref(), out),
            Event::AuthResponse(Secret(response)) => match self.exchange.take() {
                Some(exchange) => self.on_sasl(exchange.answer(&response), out),
                None => self.reply(&Reply::try_later(), out),
            },
            Event::AuthCancelled(_) => self.exchange = None,
            Event::StartTls => {
                self.takes_tls = true;
                self.reply(&Reply::start_tls(), out);
            }
        }
    }

    fn on_mail(&mut self, mail: Mail<'_>, out: &mut Outbox) {
        if self.door.submission && self.user.is_none() {
            // RFC 6409 §4.3, RFC 4954 §6.
            let text = "log in first: this port is for mail from our own accounts";
            self.reply(&Reply::new(Code::AUTH_REQUIRED, Enhanced::new(7, 0), text), out);
            return;
        }
        if let (Some(Hold::Until(time)), Some(offered)) =
            (mail.hold, self.door.smtp.capabilities().future_release)
            && time > offered.until_max
        {
            // RFC 4865 §4.
            let text = "that is later than messages are held here";
            self.reply(&Reply::new(Code::ARGUMENT_SYNTAX, Enhanced::new(5, 4), text), out);
            return;
        }
        if self.user.is_none()
            && let Err(refused) = self.admit_message(mail.size.unwrap_or(1))
        {
            self.slowness.mistake(self.present);
            self.count_refusal("too much mail", refused);
            // RFC 5321 §4.2.3 has 450 and 451 for what may be tried again.
            let text = format!("too much mail {refused}");
            self.reply(&Reply::new(Code::MAILBOX_BUSY, Enhanced::new(7, 1), text), out);
            return;
        }
        let localpart = mail.sender.mailbox().map_or("", |mailbox| mailbox.localpart.as_str());
        if let Some(trouble) = self.trouble(Stage::Mail, [localpart]) {
            self.make(trouble, &letter::sender_text(&mail.sender), "", out);
            return;
        }
        match self.user.as_ref().filter(|_| !self.door.any_sender) {
            None => self.begin(mail.into_owned(), out),
            Some(user) => {
                let (desk, user, mail) = (self.desk.clone(), self.sending(user), mail.into_owned());
                self.flow = Some(Question::new(Fate::WithClient, async move {
                    let result = sender::check_envelope(&desk, user, &mail.sender).await;
                    Outcome::Sender(result, mail)
                }));
            }
        }
    }

    fn sending(&self, user: &User) -> Sending {
        let separators = self.door.delivery.separators.clone();
        let limits = self.door.queue.as_ref().map(|queue| queue.limits);
        Sending { account: user.account, separators, limits }
    }

    fn begin(&mut self, mail: Mail<'static>, out: &mut Outbox) {
        self.letter = Some(Letter::new(mail, &self.door.head, self.door.parts_max));
        self.reply(&Reply::sender_ok(), out);
    }

    /// A message counts when it begins, its bytes when they have come.
    fn admit_message(&self, bytes: u64) -> Result<(), Refused> {
        let (rates, peer, now) = (&self.context.rates, self.client.peer, self.present);
        rates.allows(What::Bytes, now, peer, bytes)?;
        rates.take(What::Message, now, peer, 1)
    }

    fn count_refusal(&self, what: &str, refused: Refused) {
        self.context.counters.rate_refusals.count();
        let cid = self.client.id.as_str();
        log::warn!(cid, peer:% = self.client.peer, why:% = refused; "{what}");
    }

    fn on_rcpt(&mut self, rcpt: Rcpt<'_>, out: &mut Outbox) {
        let Some(letter) = &self.letter else { return };
        let rcpt = rcpt.into_owned();
        let address = match &rcpt.recipient {
            ForwardPath::Postmaster => "postmaster".to_owned(),
            ForwardPath::Mailbox(mailbox) => mailbox.to_string(),
        };
        if let Err(reply) = recipient::another(&letter.envelope, self.door.submission) {
            self.refuse_recipient(&reply, &address, out);
            return;
        }
        let asking = Asking {
            login: self.user.as_ref().map(|user| user.account),
            from: letter.envelope.mail.sender.mailbox().and_then(recipient::address),
            size: letter.envelope.mail.size.unwrap_or(0),
            routing: Routing {
                hostname: self.context.hostname.clone(),
                separators: self.door.delivery.separators.clone(),
            },
            queue: self.door.queue.clone().filter(|_| self.user.is_some()),
            held: letter.envelope.mail.hold.is_some(),
        };
        if let ForwardPath::Mailbox(mailbox) = &rcpt.recipient
            && let Some(trouble) = self.trouble(Stage::Rcpt, [mailbox.localpart.as_str()])
        {
            let from = self.sender_text();
            self.make(trouble, &from, &address, out);
            return;
        }
        let desk = self.desk.clone();
        self.flow = Some(Question::new(Fate::WithClient, async move {
            Outcome::Recipient(recipient::look_up(desk, rcpt, asking).await, address)
        }));
    }

    /// For the log.
    fn sender_text(&self) -> String {
        self.letter.as_ref().map(|letter| letter.envelope.sender_text()).unwrap_or_default()
    }

    fn refuse_recipient(&mut self, reply: &Reply, address: &str, out: &mut Outbox) {
        self.context.counters.recipients_refused.count();
        if reply.code().class() == Class::Permanent {
            self.slowness.mistake(self.present);
        }
        log::info!(
            cid = self.client.id.as_str(),
            from:% = self.sender_text(),
            to:% = address,
            code = reply.code().number(),
            why = reply.text();
            "recipient refused"
        );
        self.reply(reply, out);
    }

    /// The first trouble that one of these local parts asks for, where that is allowed.
    fn trouble<'a>(
        &self,
        stage: Stage,
        localparts: impl IntoIterator<Item = &'a str>,
    ) -> Option<Trouble> {
        if !self.door.delivery.trouble {
            return None;
        }
        localparts
            .into_iter()
            .find_map(|localpart| trouble::asked_for(stage, localpart, self.door.submission))
    }

    fn make(&mut self, trouble: Trouble, from: &str, to: &str, out: &mut Outbox) {
        let cid = self.client.id.as_str();
        match trouble {
            // Nobody answers; the deadline runs on.
            Trouble::Silence => log::info!(cid, from, to; "no answer, as asked for"),
            Trouble::Refuse(reply) => {
                log::info!(cid, from, to, code = reply.code().number(); "refused, as asked for");
                if reply.code() == Code::SHUTTING_DOWN {
                    self.drop_letter();
                    self.smtp.close(&reply, out);
                } else {
                    self.reply(&reply, out);
                }
            }
        }
    }

    fn on_outcome(&mut self, outcome: Outcome, out: &mut Outbox) {
        match outcome {
            Outcome::Sender(Ok(()), mail) => self.begin(mail, out),
            Outcome::Sender(Err(reply), mail) => {
                let (cid, code) = (self.client.id.as_str(), reply.code().number());
                let from = letter::sender_text(&mail.sender);
                log::info!(cid, from:% = from, code, why = reply.text(); "sender refused");
                self.slowness.mistake(self.present);
                self.reply(&reply, out);
            }
            Outcome::Recipient(Ok(recipient), _) => {
                if let Some(letter) = &mut self.letter {
                    letter.envelope.add(recipient, self.client.protocol);
                }
                self.reply(&Reply::recipient_ok(), out);
            }
            Outcome::Recipient(Err(reply), address) => {
                self.refuse_recipient(&reply, &address, out);
            }
            Outcome::Received(received) => self.on_received(&received, out),
            Outcome::Spooled(spool, result) => match (self.spool(), result) {
                (Some(slot), Ok(())) => *slot = spool,
                (_, Err(fault)) => {
                    spool.discard(&self.desk);
                    self.give_up(&fault, out);
                }
                (None, Ok(())) => spool.discard(&self.desk),
            },
            Outcome::Login(verdict, who) => self.on_verdict(verdict, &who, out),
        }
    }

    fn reply(&mut self, reply: &Reply, out: &mut Outbox) {
        if let Err(misuse) = self.smtp.reply(reply, out) {
            log::error!(cid = self.client.id.as_str(), why:% = misuse; "our own mistake");
            self.smtp.close(&Reply::try_later(), out);
        }
    }

    fn drop_letter(&mut self) {
        self.inquiry = None;
        if let Some(letter) = self.letter.take() {
            letter.discard(&self.desk);
        }
        if let Some(waiting) = self.waiting.take() {
            waiting.letter.spool.discard(&self.desk);
        }
    }

    /// Nothing is said any more: what waits is sent, then the stream is closed.
    fn end(&mut self) -> Want {
        self.drop_letter();
        log::debug!(cid = self.client.id.as_str(); "connection ended");
        Want::END
    }
}

impl Machine for SmtpSession {
    type Effect = Effect<Job>;
    type Completion = Completion<Job>;

    fn step(
        &mut self,
        now: Now,
        input: Input<Completion<Job>>,
        io: &mut Io<'_, Effect<Job>>,
    ) -> Want {
        (self.present, self.wall) = (now.moment, now.wall);
        match input {
            Input::Start => {
                self.patience = Patience::new(self.door.times, now.moment);
                self.greet(io.outbox);
            }
            Input::Done(id, Completion::Noticed) => {
                if self.account == Some(id) && self.ending == Ending::No {
                    log::info!(cid = self.client.id.as_str(); "account changed: logged out");
                    self.ending = Ending::Dismissed;
                }
            }
            Input::Done(id, completion) => {
                self.desk.deliver(id, completion);
            }
            Input::Eof if self.ending != Ending::Gone => self.ending = Ending::Eof,
            Input::Stop if self.ending == Ending::No => self.ending = Ending::Stop,
            Input::Gone => {
                self.ending = Ending::Gone;
                self.flow.take_if(|flow| !flow.outlives_client());
            }
            Input::Timer => self.on_timer(now.moment, io.outbox),
            Input::Bytes | Input::Drained | Input::Stop | Input::Eof => {}
        }
        let want = self.advance(now, io);
        self.desk.take_effects(io.effects);
        want
    }
}

impl Session for SmtpSession {
    fn takes_tls(&mut self) -> bool {
        std::mem::take(&mut self.takes_tls)
    }

    fn secured(&mut self, mut agreed: Agreed) {
        self.context.counters.tls_handshakes.count();
        log::debug!(
            cid = self.client.id.as_str(),
            version = agreed.version,
            cipher = agreed.cipher.as_str();
            "tls"
        );
        // RFC 3207 §4.2: what was said before does not count, a login in clear included.
        self.drop_letter();
        self.user = None;
        self.client.login = None;
        if let Some(watch) = self.account.take() {
            self.desk.send(Effect::Release(watch));
        }
        self.client.hello = None;
        self.bindings = std::mem::take(&mut agreed.bindings);
        self.client.tls = Some(agreed);
        if let Err(misuse) = self.smtp.tls_started() {
            log::error!(cid = self.client.id.as_str(), why:% = misuse; "our own mistake");
        }
    }

    fn tls_failed(&mut self, error: &TlsError) {
        self.context.counters.tls_failures.count();
        log::info!(
            cid = self.client.id.as_str(),
            peer:% = self.client.peer,
            why:% = error;
            "tls failed"
        );
    }
}

#[cfg(test)]
mod tests;
