//! From a listener in the configuration to the sessions behind it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pillarbox_core::alpn;
use pillarbox_core::connection::{Connection, Limits as TlsLimits, Security};
use pillarbox_core::effect::BoxMachine;
use pillarbox_core::imap::Config as ImapConfig;
use pillarbox_core::proxy::Behind;
use pillarbox_core::sasl::Mechanism;
use pillarbox_core::smtp::config::{
    Capabilities, Config as SmtpConfig, ConfigFault, Protocol as SmtpProtocol, Strictness,
};
use pillarbox_core::tls::{Rules, UnknownName};
use pillarbox_core::wire::network::Network;

use crate::config::{Config, Limits, Listener, Protocol, Tls};
use crate::context::Context;
use crate::imap::{ImapDoor, ImapSession};
use crate::job::Job;
use crate::smtp::{Door, SmtpSession};
use crate::tls::Offer;

/// One listener's way in: makes a machine for each connection.
#[derive(Debug, Clone)]
pub struct Entrance {
    context: Arc<Context>,
    tls: Option<Offer>,
    implicit_tls: bool,
    spoken: Spoken,
    proxies: Arc<[Network]>,
}

#[derive(Debug, Clone)]
enum Spoken {
    Smtp(Arc<Door>),
    Imap(Arc<ImapDoor>),
}

impl Entrance {
    /// The way in that a listener describes. `tls` is what it begins TLS with, where the server has
    /// certificates; made by its [`rules`].
    ///
    /// # Errors
    /// What is wrong with the server's name.
    pub fn new(
        context: &Arc<Context>,
        config: &Config,
        listener: &Listener,
        tls: Option<Offer>,
    ) -> Result<Self, ConfigFault> {
        let implicit_tls = listener.protocol.implicit_tls();
        let starttls = tls.is_some() && !implicit_tls;
        let spoken = match listener.protocol {
            Protocol::Smtp | Protocol::Lmtp | Protocol::Submission | Protocol::Submissions => {
                Spoken::Smtp(Arc::new(smtp_door(config, listener, starttls)?))
            }
            Protocol::Imap | Protocol::Imaps => {
                Spoken::Imap(Arc::new(imap_door(config, listener, starttls)))
            }
        };
        let proxies = listener.proxies.as_slice().into();
        Ok(Self { context: Arc::clone(context), tls, implicit_tls, spoken, proxies })
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
        }
    }

    fn connection<S>(&self, session: S) -> BoxMachine<Job>
    where
        S: pillarbox_core::connection::Session<
                Effect = pillarbox_core::effect::Effect<Job>,
                Completion = pillarbox_core::effect::Completion<Job>,
            > + 'static,
    {
        let security = match &self.tls {
            None => Security::Clear,
            Some(tls) if self.implicit_tls => Security::Implicit(tls.acceptor()),
            Some(tls) => Security::Offered(tls.acceptor()),
        };
        Box::new(Connection::new(session, security, TlsLimits::default()))
    }
}

/// The rules of a listener's TLS.
#[must_use]
pub fn rules(tls: &Tls, listener: &Listener) -> Rules {
    // A server that delivers to us may like a certificate that is not for the name it asks for:
    // mostly it does not check names at all (RFC 7435).
    let serve = !listener.protocol.has_logins() || tls.any_server_name;
    Rules {
        unknown_name: if serve { UnknownName::Serve } else { UnknownName::Refuse },
        // Where a client says what it wants to speak, it must be this: so nobody can lead what was
        // meant for a web server here. What other servers say does not count.
        alpn: match listener.protocol {
            Protocol::Smtp | Protocol::Lmtp => Vec::new(),
            Protocol::Submission | Protocol::Submissions => vec![alpn::Protocol::Smtp],
            Protocol::Imap | Protocol::Imaps => vec![alpn::Protocol::Imap],
        },
        resumption: listener.resumption,
        client_certificates: listener.client_certificates,
        // RFC 5802 §6: a client that says it saw no -PLUS is believed where there is none.
        bindings: offered(listener).any(binds),
    }
}

fn smtp_door(config: &Config, listener: &Listener, starttls: bool) -> Result<Door, ConfigFault> {
    let submission = listener.protocol.is_submission();
    let [auth, auth_under_tls] = mechanisms(listener);
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

/// What people can log in with there: with TLS and without, and under TLS only.
///
/// Where passwords may not come without TLS, nothing else may: SCRAM in clear does not show the
/// password, but who listens can try passwords on what they heard, and reads and changes all that
/// follows the login.
fn mechanisms(listener: &Listener) -> [Vec<String>; 2] {
    let (mut always, mut under_tls) = (Vec::new(), Vec::new());
    for mechanism in offered(listener) {
        let needs_tls = binds(mechanism) || !listener.login_without_tls;
        let names = if needs_tls { &mut under_tls } else { &mut always };
        names.push(mechanism.name().to_owned());
    }
    [always, under_tls]
}

fn offered(listener: &Listener) -> impl Iterator<Item = Mechanism> {
    let hidden = |mechanism: &Mechanism| listener.hide_mechanisms.contains(mechanism);
    let all = Mechanism::ALL.into_iter().filter(|_| listener.protocol.has_logins());
    all.filter(move |mechanism| !hidden(mechanism))
}

const fn binds(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Scram { plus: true, .. })
}

fn imap_door(config: &Config, listener: &Listener, starttls: bool) -> ImapDoor {
    let [mechanisms, mechanisms_under_tls] = mechanisms(listener);
    ImapDoor {
        imap: Arc::new(ImapConfig {
            greeting: format!("{} IMAP", config.hostname),
            starttls,
            mechanisms,
            mechanisms_under_tls,
            append_bytes_max: config.limits.smtp.message_bytes_max,
            ..ImapConfig::default()
        }),
    }
}
