//! `[[listener]]`: where clients and servers connect, and on which terms.

use std::net::SocketAddr;

use pillarbox_core::sasl::Mechanism;
use pillarbox_core::wire::network::Network;

use super::read_networks;
use super::reader::Reader;

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken there.
    pub protocol: Protocol,
    /// The address.
    pub address: SocketAddr,
    /// What clients can ask for there, if it is HTTPS; nothing elsewhere.
    pub alpn: Vec<Spoken>,
    /// Whether people may log in without TLS, by whatever mechanism.
    pub login_without_tls: bool,
    /// Mechanisms that are neither announced nor taken there, though they would work.
    pub hide_mechanisms: Vec<Mechanism>,
    /// Whether those who submit there may send as anybody, and not only as themselves.
    pub any_sender: bool,
    /// The networks of the proxies in front of it, which say with the PROXY protocol whose
    /// connection it is; nobody else may connect then. Empty: there is no proxy.
    pub proxies: Vec<Network>,
    /// Whether a client may take up an earlier TLS session by a ticket.
    pub resumption: bool,
    /// Whether a client is asked for a certificate, to log in with by SASL EXTERNAL.
    pub client_certificates: bool,
    /// Whether its HTTP has a page at `/` that tells how to set up a client.
    pub landing_page: bool,
    /// Whether its HTTP shows the server's counters.
    pub metrics: bool,
}

impl Listener {
    /// Whether other servers, or relays of ours, send there.
    #[must_use]
    pub const fn is_for_servers(&self) -> bool {
        matches!(self.protocol, Protocol::Smtp | Protocol::Lmtp)
    }

    /// Whether our own people send there.
    #[must_use]
    pub fn is_submission(&self) -> bool {
        is_submission(self.protocol, &self.alpn)
    }

    /// Whether people log in there. Other servers and relays have nothing to log in for.
    #[must_use]
    pub fn has_logins(&self) -> bool {
        has_logins(self.protocol, &self.alpn)
    }
}

fn is_submission(protocol: Protocol, alpn: &[Spoken]) -> bool {
    matches!(protocol, Protocol::Submission | Protocol::Submissions)
        || alpn.contains(&Spoken::Submission)
}

fn has_logins(protocol: Protocol, alpn: &[Spoken]) -> bool {
    is_submission(protocol, alpn)
        || matches!(protocol, Protocol::Imap | Protocol::Imaps)
        || alpn.contains(&Spoken::Imap)
}

/// What a client can ask for by ALPN (RFC 7301) at a listener of [`Protocol::Https`]. Who does not
/// ask gets HTTP, or where that is not among them the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spoken {
    /// As `h2` or `http/1.1`.
    Http,
    /// As `imap`.
    Imap,
    /// As `smtp`.
    Submission,
}

impl Spoken {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Http, Self::Imap, Self::Submission];

    /// The name used in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Imap => "imap",
            Self::Submission => "submission",
        }
    }
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Mail from other servers (RFC 5321).
    Smtp,
    /// Mail from a relay of ours for our own mailboxes, answered for each recipient (RFC 2033).
    Lmtp,
    /// Mail from our own people, with STARTTLS (RFC 6409).
    Submission,
    /// Mail from our own people, TLS from the first byte (RFC 8314).
    Submissions,
    /// Reading mail, with STARTTLS (RFC 9051).
    Imap,
    /// Reading mail, TLS from the first byte (RFC 8314).
    Imaps,
    /// HTTP (RFC 9110), in clear.
    Http,
    /// HTTP under TLS.
    Https,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Smtp,
        Self::Lmtp,
        Self::Submission,
        Self::Submissions,
        Self::Imap,
        Self::Imaps,
        Self::Http,
        Self::Https,
    ];

    /// The name used in the configuration and in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Whether TLS begins with the first byte.
    #[must_use]
    pub const fn implicit_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps | Self::Https)
    }

    /// Whether HTTP is spoken there.
    #[must_use]
    pub const fn is_web(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}

pub(super) fn read(table: &mut Reader<'_, '_>) -> Option<Listener> {
    let protocol = table.required_string("protocol").and_then(|name| {
        let found = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name);
        if found.is_none() {
            let all = Protocol::ALL.map(Protocol::name).join(", ");
            table.flaw_at("protocol", format!("there is no protocol `{name}`: use one of {all}"));
        }
        found
    });
    let address = table.required_string("address").and_then(|text| {
        let address = text.parse().ok();
        if address.is_none() {
            let what = format!("`{text}` is no address such as 192.0.2.1:25 or [2001:db8::1]:25");
            table.flaw_at("address", what);
        }
        address
    });
    if protocol == Some(Protocol::Lmtp) && address.is_some_and(|it: SocketAddr| it.port() == 25) {
        // RFC 2033 §1: who connects there expects SMTP.
        table.flaw_at("address", "port 25 is for `smtp`: give `lmtp` another, such as 24".into());
    }
    let login_without_tls = table.boolean("login_without_tls").unwrap_or(false);
    let hide_mechanisms = read_mechanisms(table, "hide_mechanisms");
    let alpn = read_alpn(table, protocol);
    let has = |test: fn(Protocol, &[Spoken]) -> bool| protocol.is_none_or(|it| test(it, &alpn));
    let has_logins = has(has_logins);
    if !hide_mechanisms.is_empty() && !has_logins {
        table.flaw_at("hide_mechanisms", "nobody logs in there: nothing is to be hidden".into());
    }
    let any_sender = table.boolean("any_sender").unwrap_or(false);
    if any_sender && !has(is_submission) {
        let what = "only for submission: elsewhere nobody is asked who they are";
        table.flaw_at("any_sender", what.to_owned());
    }
    let proxies = read_networks(table, "proxies");
    let resumption = table.boolean("resumption").unwrap_or(true);
    let client_certificates = table.boolean("client_certificates").unwrap_or(false);
    if client_certificates && !has_logins {
        table.flaw_at("client_certificates", "nobody logs in there".to_owned());
    }
    let [landing_page, metrics] = ["landing_page", "metrics"].map(|key| {
        let on = table.boolean(key).unwrap_or(false);
        if on && !protocol.is_none_or(Protocol::is_web) {
            table.flaw_at(key, "only for http and https".to_owned());
        }
        on
    });
    Some(Listener {
        protocol: protocol?,
        address: address?,
        alpn,
        login_without_tls,
        hide_mechanisms,
        any_sender,
        proxies,
        resumption,
        client_certificates,
        landing_page,
        metrics,
    })
}

/// What a listener of `https` speaks: where nothing is said, HTTP alone.
fn read_alpn(table: &mut Reader<'_, '_>, protocol: Option<Protocol>) -> Vec<Spoken> {
    let mut spoken = Vec::new();
    for (name, place) in table.strings("alpn") {
        match Spoken::ALL.into_iter().find(|it| it.name() == name) {
            Some(one) if spoken.contains(&one) => {
                table.flaw_in(&place, format!("`{name}` stands there twice"));
            }
            Some(one) => spoken.push(one),
            None => {
                let all = Spoken::ALL.map(Spoken::name).join(", ");
                table.flaw_in(&place, format!("`{name}` cannot be asked for: use {all}"));
            }
        }
    }
    if table.has("alpn") && !protocol.is_none_or(|it| it == Protocol::Https) {
        table.flaw_at("alpn", "only for https: other listeners speak one protocol".to_owned());
    }
    if spoken.is_empty() && protocol == Some(Protocol::Https) {
        spoken.push(Spoken::Http);
    }
    spoken
}

fn read_mechanisms(table: &mut Reader<'_, '_>, key: &'static str) -> Vec<Mechanism> {
    let mut mechanisms = Vec::new();
    for (name, place) in table.strings(key) {
        match Mechanism::from_name(&name) {
            Some(mechanism) => mechanisms.push(mechanism),
            None => {
                let all = Mechanism::ALL.map(Mechanism::name).join(", ");
                let what = format!("there is no mechanism `{name}`: known are {all}");
                table.flaw_in(&place, what);
            }
        }
    }
    mechanisms
}
