//! One conversation with a server, in which one parcel after the other is handed over.

mod keeping;
mod login;
mod message;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_core::connection::Session;
use pillarbox_core::dsn::Status;
use pillarbox_core::effect::{Completion, Effect, Fault};
use pillarbox_core::flow::Desk;
use pillarbox_core::smtp::client::{Client, Config, Ending, Event, Fate, LoginFailed, Next};
use pillarbox_core::smtp::config::Protocol;
use pillarbox_core::tls::{Agreed, Connector, Doubt, TlsError};
use pillarbox_core::{EffectId, Input, Io, Machine, Now, Outbox, Stream, UnixSeconds, Want};
use pillarbox_store::Try;

use keeping::Settling;
use message::Present;

use super::parcel::Parcel;
use super::settle::Ruling;
use super::transcript::Transcript;
use super::{Post, Seat};
use crate::config::RelayLogin;
use crate::job::{Answer, Job};

/// Where a call goes.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Its name, or its address where it has none.
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// Our own address to connect from.
    pub(crate) from: Option<SocketAddr>,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Tls,
    /// Who we are there.
    pub(crate) login: Option<RelayLogin>,
}

/// How TLS is to be.
#[derive(Debug, Clone)]
pub(crate) enum Tls {
    /// Not at all.
    Never,
    /// Where the server offers it.
    Offered(Connector),
    /// By STARTTLS, or nothing is handed over.
    Required(Connector),
    /// From the first byte.
    Implicit(Connector),
}

/// What a call has come to.
#[derive(Debug)]
pub struct Called {
    /// Those of which nothing is known yet.
    pub(crate) left: Vec<Parcel>,
    /// Why there are any; `None`: the server takes no more in one connection.
    pub(crate) trouble: Option<Trouble>,
    /// How many parcels were settled.
    pub(crate) settled: usize,
    /// How TLS went.
    pub(crate) tls: TlsOutcome,
}

/// How TLS went in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsOutcome {
    /// It did not come to that, or none was wanted.
    NotReached,
    /// It was there; and whether the server has proven who it is.
    Secured(Result<(), Doubt>),
    /// It was not.
    Trouble(TlsTrouble),
}

/// What is wrong with a server.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) status: Status,
    pub(crate) why: String,
    /// It was TLS that went wrong.
    pub(crate) tls: Option<TlsTrouble>,
    /// The attempt, as it is kept.
    pub(crate) tried: Try,
}

/// What was wrong with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsTrouble {
    /// It is not offered, or was refused.
    Missing,
    /// The server is not who it should be.
    Doubt(Doubt),
    /// Anything else.
    Failed,
}

/// One conversation with a server.
pub(crate) struct Call {
    post: Arc<Post>,
    server: Server,
    _seat: Seat,
    parcels: VecDeque<Parcel>,
    client: Client,
    desk: Desk<Job>,
    connecting: Option<EffectId>,
    present: Option<Present>,
    settling: Option<Settling>,
    transcript: Transcript,
    began: UnixSeconds,
    now: Now,
    settled: usize,
    /// With whom the handshake is to begin.
    connects: Option<Connector>,
    /// The session waits for it.
    handshaking: bool,
    /// The client does not know yet that the handshake is done.
    fresh: bool,
    /// What was agreed.
    agreed: Option<Agreed>,
    tls_trouble: Option<TlsTrouble>,
    logging_in: bool,
    logged_in: bool,
    /// Why it has ended.
    over: Option<Over>,
    stopping: bool,
    gone: bool,
}

enum Over {
    /// In good order.
    Quit,
    Trouble(Status, String),
}

/// How long a connection may take to come about.
const CONNECT_WITHIN: Duration = Duration::from_secs(60);
impl Call {
    /// A call that is to carry these parcels. `None` where our own name cannot be said.
    pub(super) fn new(
        post: Arc<Post>,
        server: Server,
        seat: Seat,
        parcels: Vec<Parcel>,
    ) -> Option<Self> {
        let client = Client::new(Config::new(server.protocol, &post.context.hostname)?);
        Some(Self {
            post,
            server,
            _seat: seat,
            parcels: parcels.into(),
            client,
            desk: Desk::default(),
            connecting: None,
            present: None,
            settling: None,
            transcript: Transcript::default(),
            began: UnixSeconds(0),
            now: Now::default(),
            settled: 0,
            connects: None,
            handshaking: false,
            fresh: false,
            agreed: None,
            tls_trouble: None,
            logging_in: false,
            logged_in: false,
            over: None,
            stopping: false,
            gone: false,
        })
    }

    fn connect(&mut self) {
        let Server { address, from, .. } = self.server;
        let effect = Effect::Connect { to: address, from, within: CONNECT_WITHIN };
        self.connecting = Some(self.desk.send(effect));
    }

    fn connected(&mut self, result: Result<(), Fault>) {
        if let Err(fault) = result {
            self.transcript.note(&fault.reason);
            // RFC 3463 §3.5: no answer from the host.
            self.over = Some(Over::Trouble(Status::new(4, 4, 1), fault.reason));
        } else if let Tls::Implicit(connector) = &self.server.tls {
            self.connects = Some(connector.clone());
            self.handshaking = true;
        }
    }

    fn advance(&mut self, io: &mut Io<'_, Effect<Job>>) -> Want {
        if self.connecting.is_some() || self.handshaking && self.over.is_none() {
            return Want { read: self.handshaking, ..WAIT };
        }
        loop {
            if self.is_settling() {
                break;
            }
            if self.over.is_some() {
                return self.end(io);
            }
            let unread = io.inbox.unread();
            let before = io.outbox.unsent().len();
            let step = self.client.next(self.now.moment, unread, io.outbox);
            if !self.logging_in {
                self.transcript.heard(unread.get(..step.used).unwrap_or_default());
            }
            self.note_said(before, io.outbox);
            io.inbox.consume(step.used);
            match step.next {
                Next::NeedBytes | Next::AwaitOwner | Next::AwaitBody if self.gone => {
                    self.hang_up(Ending::Lost);
                }
                Next::NeedBytes => break,
                Next::AwaitOwner => self.go_on(io.outbox),
                Next::AwaitBody => {
                    if !self.feed(io.outbox) {
                        break;
                    }
                }
                Next::Event(event) => self.on_event(event, io.outbox),
                Next::Closed => return self.end(io),
            }
            if self.handshaking {
                return Want { read: true, ..WAIT };
            }
        }
        Want {
            read: true,
            hold: false,
            deadline: self.keep_again().or_else(|| self.client.deadline()),
            stream: Stream::Keep,
            done: false,
        }
    }

    fn note_said(&mut self, before: usize, outbox: &Outbox) {
        if self.logging_in {
            return;
        }
        self.transcript.said(outbox.unsent().get(before..).unwrap_or_default());
    }

    fn on_event(&mut self, event: Event, out: &mut Outbox) {
        match event {
            Event::Ready => self.on_ready(out),
            Event::StartTls => {
                self.connects = match &self.server.tls {
                    Tls::Offered(connector) | Tls::Required(connector) => Some(connector.clone()),
                    Tls::Never | Tls::Implicit(_) => None,
                };
                self.handshaking = true;
            }
            Event::TlsRefused(answer) => self.without_tls(&answer.to_string(), out),
            Event::Authenticated(_) => {
                (self.logging_in, self.logged_in) = (false, true);
                self.go_on(out);
            }
            Event::LoginFailed(why) => {
                let why = match why {
                    LoginFailed::Refused(answer) => format!("the login is refused: {answer}"),
                    LoginFailed::Server(why) => format!("the login has failed: {why}"),
                };
                // It is ours to mend; mail waits until then.
                self.over = Some(Over::Trouble(Status::new(4, 7, 8), why));
            }
            Event::Sent(fates) => self.settle(&fates),
            Event::Ended { why, fates } => {
                self.transcript.note(&why.to_string());
                self.over = Some(match &why {
                    Ending::Quit => Over::Quit,
                    Ending::Rejected(answer) | Ending::ShuttingDown(answer) => {
                        let status = match (answer.enhanced, answer.code.number()) {
                            (Some(enhanced), code) => {
                                let class = if code >= 500 { 5 } else { 4 };
                                Status::new(class, enhanced.subject(), enhanced.detail())
                            }
                            (None, 500..) => Status::new(5, 0, 0),
                            (None, _) => Status::new(4, 0, 0),
                        };
                        Over::Trouble(status, why.to_string())
                    }
                    Ending::BareEnd(_) => Over::Trouble(Status::new(5, 6, 0), why.to_string()),
                    _ => Over::Trouble(Status::new(4, 4, 2), why.to_string()),
                });
                if !fates.is_empty() {
                    self.settle(&fates);
                }
            }
        }
    }

    /// The server has said what it offers.
    fn on_ready(&mut self, out: &mut Outbox) {
        let before = out.unsent().len();
        if self.agreed.is_none() && !matches!(self.server.tls, Tls::Never) {
            if self.client.offers().starttls && self.client.start_tls(out).is_ok() {
                self.note_said(before, out);
                return;
            }
            return self.without_tls("the server does not offer STARTTLS", out);
        }
        match self.server.login.clone().filter(|_| !self.logged_in) {
            Some(login) => self.log_in(login, out),
            None => self.go_on(out),
        }
    }

    fn without_tls(&mut self, why: &str, out: &mut Outbox) {
        self.tls_trouble = Some(TlsTrouble::Missing);
        if matches!(self.server.tls, Tls::Offered(_)) {
            return self.go_on(out);
        }
        let why = format!("TLS is required: {why}");
        self.over = Some(Over::Trouble(Status::new(4, 7, 10), why));
    }

    /// The server has been told who we are: the next parcel, or the end.
    fn go_on(&mut self, out: &mut Outbox) {
        if self.present.is_some() || self.settling.is_some() {
            return;
        }
        let before = out.unsent().len();
        let parcel = if self.stopping { None } else { self.parcels.pop_front() };
        match parcel {
            Some(parcel) => self.begin(parcel, out),
            None => {
                if self.client.quit(out).is_err() {
                    self.over = Some(Over::Quit);
                }
            }
        }
        self.note_said(before, out);
    }

    fn hang_up(&mut self, why: Ending) {
        if let Some(event) = self.client.lost(why) {
            let mut nowhere = Outbox::new(1);
            self.on_event(event, &mut nowhere);
        } else if self.over.is_none() {
            self.over = Some(Over::Trouble(Status::new(4, 4, 2), "the connection was lost".into()));
        }
    }

    /// The transaction is over.
    fn settle(&mut self, fates: &[Fate]) {
        let Some(Present { parcel, .. }) = self.present.take() else { return };
        let Parcel { message, to } = parcel;
        let reports = self.client.offers().dsn;
        let (mut rulings, mut rest) = (Vec::new(), Vec::new());
        for (to, fate) in to.into_iter().zip(fates) {
            let untouched = matches!(fate, Fate::NotHandedOver(why) if !is_ours(why));
            match Ruling::of_fate(to.clone(), fate, &self.server.name, reports) {
                Some(ruling) if !untouched => rulings.push(ruling),
                _ => rest.push(to),
            }
        }
        if !rest.is_empty() {
            self.parcels.push_front(Parcel { message: message.clone(), to: rest });
        }
        if !rulings.is_empty() {
            self.begin_settling(message, rulings);
        }
    }

    fn tried(&self) -> Try {
        Try {
            began: self.began,
            server: self.server.name.clone(),
            address: self.server.address.to_string(),
            tls: self.agreed.as_ref().map_or_else(|| "none".to_owned(), in_words),
            transcript: self.transcript.text().to_owned(),
        }
    }

    fn end(&mut self, io: &mut Io<'_, Effect<Job>>) -> Want {
        let trouble = match self.over.take() {
            Some(Over::Trouble(status, why)) => {
                Some(Trouble { status, why, tls: self.tls_trouble, tried: self.tried() })
            }
            Some(Over::Quit) | None => None,
        };
        let left = self.parcels.drain(..).collect();
        let tls = match (self.tls_trouble, &self.agreed) {
            (Some(trouble), _) => TlsOutcome::Trouble(trouble),
            (None, Some(agreed)) => {
                TlsOutcome::Secured(agreed.server.unwrap_or(Err(Doubt::Unknown)))
            }
            (None, None) => TlsOutcome::NotReached,
        };
        let called = Called { left, trouble, settled: self.settled, tls };
        self.desk.send(Effect::Outcome(Answer::Called(Box::new(called))));
        self.desk.take_effects(io.effects);
        if self.gone { Want::ABORT } else { Want::END }
    }
}

/// How a conversation was protected.
fn in_words(agreed: &Agreed) -> String {
    let Agreed { version, cipher, server, .. } = agreed;
    let server = match server {
        Some(Ok(())) => "verified".to_owned(),
        Some(Err(doubt)) => format!("not verified: {doubt}"),
        None => "not verified".to_owned(),
    };
    format!("{version} {cipher}, {server}")
}

/// What is wrong with the message, not with the server.
const fn is_ours(why: &Ending) -> bool {
    matches!(why, Ending::BareEnd(_))
}

const WAIT: Want =
    Want { read: false, hold: false, deadline: None, stream: Stream::Keep, done: false };

impl Machine for Call {
    type Effect = Effect<Job>;
    type Completion = Completion<Job>;

    fn step(
        &mut self,
        now: Now,
        input: Input<Completion<Job>>,
        io: &mut Io<'_, Effect<Job>>,
    ) -> Want {
        self.now = now;
        match input {
            Input::Start => {
                self.began = now.wall;
                self.connect();
            }
            Input::Done(id, Completion::Connected(result)) if self.connecting == Some(id) => {
                self.connecting = None;
                self.connected(result.map(|_| ()));
            }
            Input::Done(id, completion) => {
                self.desk.deliver(id, completion);
            }
            Input::Eof | Input::Gone => self.gone = true,
            Input::Stop => self.stopping = true,
            Input::Bytes | Input::Drained | Input::Timer => {}
        }
        if std::mem::take(&mut self.fresh) {
            let before = io.outbox.unsent().len();
            let sure = matches!(self.server.tls, Tls::Required(_) | Tls::Implicit(_));
            if self.client.tls_started(sure, io.outbox).is_err() {
                self.hang_up(Ending::Withdrawn);
            }
            self.note_said(before, io.outbox);
        }
        let want = self.advance(io);
        self.desk.take_effects(io.effects);
        want
    }
}

impl Session for Call {
    fn takes_tls(&mut self) -> bool {
        false
    }

    fn connects_tls(&mut self) -> Option<Connector> {
        self.connects.take()
    }

    fn secured(&mut self, agreed: Agreed) {
        self.transcript.note(&in_words(&agreed));
        self.handshaking = false;
        self.agreed = Some(agreed);
        self.fresh = true;
    }

    fn tls_failed(&mut self, error: &TlsError) {
        self.tls_trouble = Some(error.doubt().map_or(TlsTrouble::Failed, TlsTrouble::Doubt));
        let why = format!("TLS failed: {error}");
        self.transcript.note(&why);
        self.over = Some(Over::Trouble(Status::new(4, 7, 5), why));
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({:?}, {} parcels left)", self.server, self.parcels.len())
    }
}
