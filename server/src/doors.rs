//! From a listener in the configuration to the sessions behind it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pillarbox_core::connection::{Connection, Limits as TlsLimits, Security};
use pillarbox_core::effect::BoxMachine;
use pillarbox_core::imap::Config as ImapConfig;
use pillarbox_core::proxy::Behind;
use pillarbox_core::sasl::Mechanism;
use pillarbox_core::smtp::config::{
    Capabilities, Config as SmtpConfig, ConfigFault, Protocol as SmtpProtocol, Strictness,
};
use pillarbox_core::tls::Acceptor;
use pillarbox_core::wire::network::Network;

use crate::config::{Config, Limits, Listener, Protocol};
use crate::context::Context;
use crate::imap::{ImapDoor, ImapSession};
use crate::job::Job;
use crate::smtp::{Door, SmtpSession};
use crate::web::{Landing, Metrics, Setup, WebDoor, WebSession};

/// One listener's way in: makes a machine for each connection.
#[derive(Debug, Clone)]
pub struct Entrance {
    context: Arc<Context>,
    security: Security,
    spoken: Spoken,
    proxies: Arc<[Network]>,
}

#[derive(Debug, Clone)]
enum Spoken {
    Smtp(Arc<Door>),
    Imap(Arc<ImapDoor>),
    Web(Arc<WebDoor>),
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
    /// The way in that a listener describes. `acceptor` is the server's TLS, where it has one;
    /// `shown` is for HTTP alone.
    ///
    /// # Errors
    /// What is wrong with the server's name.
    pub fn new(
        context: &Arc<Context>,
        config: &Config,
        listener: &Listener,
        acceptor: Option<&Acceptor>,
        shown: &Shown,
    ) -> Result<Self, ConfigFault> {
        let security = match acceptor {
            None => Security::Clear,
            Some(_) if listener.protocol == Protocol::Http => Security::Clear,
            Some(acceptor) if listener.protocol.implicit_tls() => {
                Security::Implicit(acceptor.clone())
            }
            Some(acceptor) => Security::Offered(acceptor.clone()),
        };
        let starttls = matches!(security, Security::Offered(_));
        let spoken = match listener.protocol {
            Protocol::Smtp | Protocol::Lmtp | Protocol::Submission | Protocol::Submissions => {
                Spoken::Smtp(Arc::new(smtp_door(config, listener, starttls)?))
            }
            Protocol::Imap | Protocol::Imaps => {
                Spoken::Imap(Arc::new(imap_door(config, listener, starttls)))
            }
            Protocol::Http | Protocol::Https => {
                Spoken::Web(Arc::new(web_door(config, listener, shown)))
            }
        };
        let proxies = listener.proxies.as_slice().into();
        Ok(Self { context: Arc::clone(context), security, spoken, proxies })
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
        let id = self.context.next_id();
        let context = Arc::clone(&self.context);
        match &self.spoken {
            Spoken::Smtp(door) => {
                let session = SmtpSession::new(context, Arc::clone(door), peer, id, full);
                self.connection(session)
            }
            Spoken::Imap(door) => self.connection(ImapSession::new(context, door, peer, id, full)),
            Spoken::Web(door) => {
                let session = WebSession::new(context, Arc::clone(door), peer, id, full);
                self.connection(session)
            }
        }
    }

    fn connection<S>(&self, session: S) -> BoxMachine<Job>
    where
        S: pillarbox_core::connection::Session<
                Effect = pillarbox_core::effect::Effect<Job>,
                Completion = pillarbox_core::effect::Completion<Job>,
            > + 'static,
    {
        Box::new(Connection::new(session, self.security.clone(), TlsLimits::default()))
    }
}

fn smtp_door(config: &Config, listener: &Listener, starttls: bool) -> Result<Door, ConfigFault> {
    let submission = listener.protocol.is_submission();
    // RFC 4954 belongs to our own people; other servers have nothing to log in for.
    let mechanisms: Vec<String> = if submission { mechanisms() } else { Vec::new() };
    let (auth, auth_under_tls) = if listener.login_without_tls {
        (mechanisms, Vec::new())
    } else {
        (Vec::new(), mechanisms)
    };
    let capabilities = Capabilities { starttls, auth, auth_under_tls, ..Capabilities::default() };
    let Limits { smtp: limits, times, head, parts_max, .. } = config.limits;
    let spoken = match listener.protocol {
        Protocol::Lmtp => SmtpProtocol::Lmtp,
        _ => SmtpProtocol::Smtp,
    };
    let smtp = SmtpConfig::new(config.hostname.clone(), limits, capabilities, Strictness::Lenient)?
        .speaking(spoken)?;
    // Other servers bring mail from everybody.
    let any_sender = listener.any_sender || !submission;
    let delivery = config.delivery.clone();
    Ok(Door { smtp: Arc::new(smtp), submission, delivery, any_sender, head, parts_max, times })
}

/// What people can log in with. What binds to the channel is left out as long as the channel does
/// not tell its bindings.
fn mechanisms() -> Vec<String> {
    let bound = |mechanism: &Mechanism| matches!(mechanism, Mechanism::Scram { plus: true, .. });
    let all = Mechanism::ALL.into_iter().filter(|mechanism| !bound(mechanism));
    all.map(|mechanism| mechanism.name().to_owned()).collect()
}

fn imap_door(config: &Config, listener: &Listener, starttls: bool) -> ImapDoor {
    ImapDoor {
        imap: Arc::new(ImapConfig {
            greeting: format!("{} IMAP", config.hostname),
            starttls,
            login_without_tls: listener.login_without_tls,
            mechanisms: mechanisms(),
            append_bytes_max: config.limits.smtp.message_bytes_max,
            ..ImapConfig::default()
        }),
    }
}

fn web_door(config: &Config, listener: &Listener, shown: &Shown) -> WebDoor {
    WebDoor {
        limits: config.limits.web,
        setup: Setup::of(config),
        mta_sts: config.web.mta_sts.clone(),
        hsts_seconds: config.web.hsts_seconds,
        metrics: shown.metrics.clone().filter(|_| listener.metrics),
        landing: listener.landing_page.then(|| shown.landing.clone()),
    }
}
