//! From a listener in the configuration to the sessions behind it.

mod terms;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pillarbox_core::alpn;
use pillarbox_core::compression::Compressing;
use pillarbox_core::connection::{Connection, Limits as TlsLimits, Security, Session};
use pillarbox_core::effect::{BoxMachine, Completion, Effect};
use pillarbox_core::proxy::Behind;
use pillarbox_core::smtp::config::ConfigFault;
use pillarbox_core::wire::network::Network;
pub use terms::rules;

use crate::config::{Config, Listener, Protocol};
use crate::context::{Context, Id};
use crate::imap::{ImapDoor, ImapSession};
use crate::job::Job;
use crate::smtp::{Door, SmtpSession};
use crate::tls::Offer;
use crate::web::{Landing, Metrics, WebDoor, WebSession};

/// One listener's way in: makes a machine for each connection.
#[derive(Debug, Clone)]
pub struct Entrance {
    context: Arc<Context>,
    tls: Option<Offer>,
    implicit_tls: bool,
    speech: Speech,
    proxies: Arc<[Network]>,
}

/// What is spoken at a listener.
#[derive(Debug, Clone)]
enum Speech {
    /// One protocol.
    One(Spoken),
    /// What the client asks for by ALPN.
    Asked(Arc<Asked>),
}

/// A protocol, and what it is like here.
#[derive(Debug, Clone)]
enum Spoken {
    Smtp(Arc<Door>),
    Imap(Arc<ImapDoor>),
    Web(Arc<WebDoor>),
}

/// What clients can ask for at one port; never nothing.
#[derive(Debug)]
struct Asked {
    /// For who does not ask.
    first: Spoken,
    others: Vec<Spoken>,
}

/// What HTTP shows that no configuration says.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// The server's counters, for listeners that show them.
    pub metrics: Option<Metrics>,
    /// What the page at `/` tells of accounts and certificates, where there is one.
    pub landing: Landing,
}

impl Entrance {
    /// The way in that a listener describes. `tls` is what it begins TLS with, where the server has
    /// certificates, made by its [`rules`]; `shown` is for HTTP alone.
    ///
    /// # Errors
    /// What is wrong with the server's name.
    pub fn new(
        context: &Arc<Context>,
        config: &Config,
        listener: &Listener,
        tls: Option<Offer>,
        shown: &Shown,
    ) -> Result<Self, ConfigFault> {
        let implicit_tls = listener.protocol.implicit_tls();
        let tls = tls.filter(|_| listener.protocol != Protocol::Http);
        let starttls = tls.is_some() && !implicit_tls;
        let speech = terms::speech(config, listener, starttls, context.cram_md5, shown)?;
        let proxies = listener.proxies.as_slice().into();
        Ok(Self { context: Arc::clone(context), tls, implicit_tls, speech, proxies })
    }

    /// A machine for a connection that was accepted from `peer`, be it a client or the proxy in
    /// front of it; with `full` it only says that there is no room.
    #[must_use]
    pub fn accept(&self, peer: SocketAddr, full: bool) -> BoxMachine<Job> {
        if self.proxies.is_empty() {
            return self.machine(peer.ip(), full);
        }
        if !self.proxies.iter().any(|network| network.contains(peer.ip())) {
            log::warn!(peer:% = peer; "refused: not one of the proxies of this listener");
            return Box::new(Behind::<BoxMachine<Job>>::refused());
        }
        let entrance = self.clone();
        Box::new(Behind::new(Box::new(move |header| match header {
            Ok(source) => Some(entrance.machine(source.client(peer).ip(), full)),
            Err(wrong) => {
                log::warn!(peer:% = peer, why:% = wrong; "proxied connection refused");
                None
            }
        })))
    }

    /// A machine for a connection of the client `peer`; with `full` it only says that there is no
    /// room.
    #[must_use]
    pub fn machine(&self, peer: IpAddr, full: bool) -> BoxMachine<Job> {
        let caller = Caller { peer, id: self.context.next_id(), full };
        let context = &self.context;
        match &self.speech {
            Speech::One(Spoken::Smtp(door)) => self.connection(caller.smtp(context, door)),
            Speech::One(Spoken::Imap(door)) => self.connection(caller.imap(context, door)),
            Speech::One(Spoken::Web(door)) => self.connection(caller.web(context, door)),
            Speech::Asked(asked) => self.asked(caller, asked),
        }
    }

    fn connection<S>(&self, session: S) -> BoxMachine<Job>
    where
        S: Session<Effect = Effect<Job>, Completion = Completion<Job>> + 'static,
    {
        let security = match &self.tls {
            None => Security::Clear,
            Some(tls) if self.implicit_tls => Security::Implicit(tls.acceptor()),
            Some(tls) => Security::Offered(tls.acceptor()),
        };
        Box::new(Connection::new(session, security, TlsLimits::default()))
    }

    fn asked(&self, caller: Caller, asked: &Arc<Asked>) -> BoxMachine<Job> {
        let first = caller.session(&self.context, &asked.first);
        let Some(tls) = &self.tls else { return self.connection(first) };
        let (context, asked) = (Arc::clone(&self.context), Arc::clone(asked));
        let choose = move |protocol| caller.session(&context, asked.of(protocol));
        let acceptor = tls.acceptor();
        Box::new(Connection::choosing(first, Box::new(choose), acceptor, TlsLimits::default()))
    }
}

impl Asked {
    fn of(&self, protocol: alpn::Protocol) -> &Spoken {
        self.others.iter().find(|spoken| spoken.answers_to(protocol)).unwrap_or(&self.first)
    }
}

impl Spoken {
    const fn answers_to(&self, protocol: alpn::Protocol) -> bool {
        match self {
            Self::Smtp(_) => matches!(protocol, alpn::Protocol::Smtp),
            Self::Imap(_) => matches!(protocol, alpn::Protocol::Imap),
            Self::Web(_) => matches!(protocol, alpn::Protocol::Http2 | alpn::Protocol::Http11),
        }
    }
}

/// A session of any protocol.
type BoxSession = Box<dyn Session<Effect = Effect<Job>, Completion = Completion<Job>>>;

/// Who comes in.
#[derive(Debug, Clone, Copy)]
struct Caller {
    peer: IpAddr,
    id: Id,
    full: bool,
}

impl Caller {
    fn smtp(self, context: &Arc<Context>, door: &Arc<Door>) -> SmtpSession {
        SmtpSession::new(Arc::clone(context), Arc::clone(door), self.peer, self.id, self.full)
    }

    fn imap(self, context: &Arc<Context>, door: &ImapDoor) -> Compressing<ImapSession> {
        let context = Arc::clone(context);
        Compressing::new(ImapSession::new(context, door, self.peer, self.id, self.full))
    }

    fn web(self, context: &Arc<Context>, door: &Arc<WebDoor>) -> WebSession {
        WebSession::new(Arc::clone(context), Arc::clone(door), self.peer, self.id, self.full)
    }

    fn session(self, context: &Arc<Context>, spoken: &Spoken) -> BoxSession {
        match spoken {
            Spoken::Smtp(door) => Box::new(self.smtp(context, door)),
            Spoken::Imap(door) => Box::new(self.imap(context, door)),
            Spoken::Web(door) => Box::new(self.web(context, door)),
        }
    }
}
