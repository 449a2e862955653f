//! What a listener's TLS is, and what a `ClientHello` makes of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use rustls::server::{ClientHello, NoServerSessionStorage};
use rustls::sign::SingleCertAndKey;

use super::TlsError;
use super::client_certificate::AnyCertificate;
use super::identity::{Identity, provider};
use crate::{UnixSeconds, alpn};

/// What becomes of a client that asks for a name that no certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownName {
    /// It gets the host's own certificate and may like it.
    Serve,
    /// The handshake ends with `unrecognized_name` (RFC 6066 §3).
    Refuse,
}

/// The rules of one listener.
#[derive(Debug, Clone)]
pub struct Rules {
    /// See there.
    pub unknown_name: UnknownName,
    /// What can be asked for by ALPN; where it is empty, ALPN is overlooked.
    pub alpn: Vec<alpn::Protocol>,
    /// Whether a client may take up an earlier session by a ticket.
    pub resumption: bool,
    /// Whether the client is asked for a certificate. It need not have one; any is taken.
    pub client_certificates: bool,
    /// Whether the channel's bindings are told: where a login can be bound to it.
    pub bindings: bool,
}

impl Default for Rules {
    /// Serves any name, overlooks ALPN, gives tickets, asks for no certificate, tells the bindings.
    fn default() -> Self {
        Self {
            unknown_name: UnknownName::Serve,
            alpn: Vec::new(),
            resumption: true,
            client_certificates: false,
            bindings: true,
        }
    }
}

/// What the server side needs to begin TLS, shared by all connections of a listener.
#[derive(Clone)]
pub struct Acceptor(Arc<Inner>);

struct Inner {
    /// The host's own first.
    identities: Vec<Served>,
    rules: Rules,
}

/// An identity, and what rustls needs to serve it: without ALPN, and with each protocol alone, so
/// that the choice is ours.
struct Served {
    identity: Identity,
    plain: Arc<ServerConfig>,
    by_protocol: Vec<(alpn::Protocol, Arc<ServerConfig>)>,
}

/// What a `ClientHello` comes to.
pub(super) struct Chosen {
    pub(super) config: Arc<ServerConfig>,
    pub(super) identity: Identity,
    pub(super) alpn: Option<alpn::Protocol>,
    pub(super) bindings: bool,
}

/// Why nothing is spoken with a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NotTls,
    Name(String),
    Protocols(String),
}

impl Acceptor {
    /// Serves TLS 1.2 and 1.3 with these identities, the host's own first, by these rules.
    /// `clock` dates session tickets, which hold until there is a new acceptor.
    ///
    /// # Errors
    /// Where there is no identity, or no random bytes for the keys of tickets.
    pub fn new(
        identities: &[Identity],
        rules: Rules,
        clock: impl Fn() -> UnixSeconds + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        if identities.is_empty() {
            return Err(TlsError::new("there is no certificate"));
        }
        let base = base(&rules, Arc::new(Clock(Box::new(clock))))?;
        let identities = identities.iter().map(|own| Served::new(&base, own, &rules)).collect();
        Ok(Self(Arc::new(Inner { identities, rules })))
    }

    pub(super) fn choose(&self, hello: &ClientHello<'_>) -> Result<Chosen, Refusal> {
        let protocol = match alpn::choose(hello.alpn(), &self.0.rules.alpn) {
            alpn::Choice::Agreed(protocol) => Some(protocol),
            alpn::Choice::Open => None,
            alpn::Choice::Refused => return Err(Refusal::protocols(hello)),
        };
        let served = self.named(hello.server_name(), hello)?;
        let config = served
            .by_protocol
            .iter()
            .find(|(own, _)| Some(*own) == protocol)
            .map_or(&served.plain, |(_, config)| config);
        Ok(Chosen {
            config: Arc::clone(config),
            identity: served.identity.clone(),
            alpn: protocol,
            bindings: self.0.rules.bindings,
        })
    }

    /// Of the identities for a name the first that the client can use; where it can use none, the
    /// first, and rustls tells it so.
    fn named(&self, name: Option<&str>, hello: &ClientHello<'_>) -> Result<&Served, Refusal> {
        let Inner { identities, rules } = &*self.0;
        let known = |name: &str| identities.iter().any(|it| it.identity.covers(name));
        // rustls gives it in lower case, and none where it is an address.
        let name = match name {
            Some(name) if known(name) => Some(name),
            Some(name) if rules.unknown_name == UnknownName::Refuse => {
                return Err(Refusal::Name(name.to_owned()));
            }
            _ => None,
        };
        let own = identities.first().ok_or_else(|| Refusal::Name(String::new()))?;
        // Where none is asked for: the host's own, and what stands in for it with another key.
        let host = || own.identity.names().next();
        let for_name = |served: &&Served| match name.or_else(host) {
            Some(name) => served.identity.covers(name),
            None => std::ptr::eq(*served, own),
        };
        let candidates = || identities.iter().filter(for_name);
        let fits = candidates().find(|served| served.identity.suits(hello));
        Ok(fits.or_else(|| candidates().next()).unwrap_or(own))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.identities.iter().map(|served| &served.identity);
        f.debug_list().entries(names).finish()
    }
}

/// What is the same for all identities of a listener.
fn base(rules: &Rules, clock: Arc<Clock>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(provider());
    let fault = |error: rustls::Error| TlsError::new(error.to_string());
    let builder = ServerConfig::builder_with_details(Arc::clone(&provider), clock)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(fault)?;
    let builder = if rules.client_certificates {
        builder.with_client_cert_verifier(Arc::new(AnyCertificate::new(provider)))
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_cert_resolver(Arc::new(NoCertificate));
    // Tickets instead of a table: the state of a resumable session lies with the client.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if rules.resumption {
        config.ticketer = rustls::crypto::ring::Ticketer::new()
            .map_err(|error| TlsError::new(format!("no ticket keys: {error}")))?;
    } else {
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

impl Served {
    fn new(base: &ServerConfig, identity: &Identity, rules: &Rules) -> Self {
        let mut config = base.clone();
        config.cert_resolver = Arc::new(SingleCertAndKey::from(identity.key()));
        let speaking = |protocol: &alpn::Protocol| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.name().into()];
            (*protocol, Arc::new(config))
        };
        let by_protocol = rules.alpn.iter().map(speaking).collect();
        Self { identity: identity.clone(), by_protocol, plain: Arc::new(config) }
    }
}

impl Refusal {
    fn protocols(hello: &ClientHello<'_>) -> Self {
        let names: Vec<_> = hello.alpn().into_iter().flatten().take(8).collect();
        Self::Protocols(names.join(&b", "[..]).escape_ascii().to_string())
    }

    /// The fatal alert (RFC 8446 §6.2) as a record (§5.1): no key is agreed on yet, so it is in
    /// clear.
    pub(super) const fn alert(&self) -> [u8; 7] {
        let description = match self {
            Self::NotTls => 10,
            Self::Name(_) => 112,
            Self::Protocols(_) => 120,
        };
        [21, 3, 3, 0, 2, 2, description]
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTls => f.write_str("what the client sends is not TLS"),
            Self::Name(name) => write!(f, "there is no certificate for the name `{name}`"),
            Self::Protocols(names) => {
                write!(f, "the client offers only protocols that are not spoken here: {names}")
            }
        }
    }
}

/// Never asked: each identity brings its own.
#[derive(Debug)]
struct NoCertificate;

impl rustls::server::ResolvesServerCert for NoCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }
}

struct Clock(Box<dyn Fn() -> UnixSeconds + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl rustls::time_provider::TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from((self.0)().0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
