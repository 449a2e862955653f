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
}

impl Entrance {
    /// The way in that a listener describes. `acceptor` is the server's TLS, where it has one.
    ///
    /// # Errors
    /// What is wrong with the server's name.
    pub fn new(
        context: &Arc<Context>,
        config: &Config,
        listener: &Listener,
        acceptor: Option<&Acceptor>,
    ) -> Result<Self, ConfigFault> {
        let security = match acceptor {
            None => Security::Clear,
            Some(acceptor) if listener.protocol.implicit_tls() => {
                Security::Implicit(acceptor.clone())
            }
            Some(acceptor) => Security::Offered(acceptor.clone()),
        };
        let starttls = matches!(security, Security::Offered(_));
        let spoken = match listener.protocol {
            Protocol::Smtp | Protocol::Lmtp | Protocol::Submission | Protocol::Submissions => {
                Spoken::Smtp(Arc::new(smtp_door(config, listener, starttls, context.cram_md5)?))
            }
            Protocol::Imap | Protocol::Imaps => {
                Spoken::Imap(Arc::new(imap_door(config, listener, starttls, context.cram_md5)))
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

fn smtp_door(
    config: &Config,
    listener: &Listener,
    starttls: bool,
    cram_md5: bool,
) -> Result<Door, ConfigFault> {
    let submission = listener.protocol.is_submission();
    let [auth, auth_under_tls] = mechanisms(listener, cram_md5);
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
fn mechanisms(listener: &Listener, cram_md5: bool) -> [Vec<String>; 2] {
    let (mut always, mut under_tls) = (Vec::new(), Vec::new());
    if !listener.protocol.has_logins() {
        return [always, under_tls];
    }
    for mechanism in Mechanism::ALL {
        // What binds to the channel cannot be had as long as the channel does not tell its bindings.
        let useless = mechanism == Mechanism::CramMd5 && !cram_md5;
        if binds(mechanism) || useless || listener.hide_mechanisms.contains(&mechanism) {
            continue;
        }
        let names = if listener.login_without_tls { &mut always } else { &mut under_tls };
        names.push(mechanism.name().to_owned());
    }
    [always, under_tls]
}

const fn binds(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Scram { plus: true, .. })
}

fn imap_door(config: &Config, listener: &Listener, starttls: bool, cram_md5: bool) -> ImapDoor {
    let [mechanisms, mechanisms_under_tls] = mechanisms(listener, cram_md5);
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
