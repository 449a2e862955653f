//! What a server says of itself and how strict it is: the same for many connections.

use super::command::Verb;
use super::limits::{INBOX_BYTES_MIN, Limits};
use crate::UnixSeconds;

/// A server's configuration, checked when it is made. Share it between connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    protocol: Protocol,
    host: String,
    limits: Limits,
    capabilities: Capabilities,
    strictness: Strictness,
}

/// What is spoken. The two differ only in what is said here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// SMTP (RFC 5321).
    #[default]
    Smtp,
    /// LMTP (RFC 2033), by which a relay hands mail over to the server that holds the mailboxes:
    /// LHLO is in the place of EHLO and HELO (§4.1), and a message is answered once for each
    /// accepted recipient, in the order of RCPT (§4.2, §4.3).
    Lmtp,
}

impl Protocol {
    /// The command that must come first, and is answered with what is offered.
    #[must_use]
    pub const fn hello(self) -> Verb {
        match self {
            Self::Smtp => Verb::Ehlo,
            Self::Lmtp => Verb::Lhlo,
        }
    }

    /// Whether it has this command. Neither knows the other's greeting (RFC 2033 §4.1).
    #[must_use]
    pub const fn knows(self, verb: Verb) -> bool {
        match verb {
            Verb::Ehlo | Verb::Helo => matches!(self, Self::Smtp),
            Verb::Lhlo => matches!(self, Self::Lmtp),
            _ => true,
        }
    }

    /// How many replies a message has that came for so many accepted recipients.
    #[must_use]
    pub const fn replies(self, recipients: usize) -> usize {
        match self {
            Self::Smtp => 1,
            Self::Lmtp => recipients,
        }
    }
}

/// What EHLO or LHLO lists. ENHANCEDSTATUSCODES is always there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// PIPELINING (RFC 2920). Commands may come in groups whether it is listed or not; LMTP must
    /// list it (RFC 2033 §5).
    pub pipelining: bool,
    /// SIZE (RFC 1870), with [`Limits::message_bytes_max`].
    pub size: bool,
    /// 8BITMIME (RFC 6152). Text of 8 bits is taken whether it is listed or not.
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtp_utf8: bool,
    /// CHUNKING (RFC 3030): BDAT.
    pub chunking: bool,
    /// BINARYMIME (RFC 3030); only with `chunking`.
    pub binary_mime: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// REQUIRETLS (RFC 8689); offered once TLS has started.
    pub require_tls: bool,
    /// FUTURERELEASE (RFC 4865).
    pub future_release: Option<FutureRelease>,
    /// DELIVERBY (RFC 2852).
    pub deliver_by: bool,
    /// MT-PRIORITY (RFC 6710).
    pub mt_priority: bool,
    /// LIMITS (RFC 9422), with [`Limits::recipients_max`] and [`Limits::transactions_max`].
    pub limits: bool,
    /// STARTTLS (RFC 3207); not offered once TLS has started.
    pub starttls: bool,
    /// The mechanisms of AUTH (RFC 4954) with TLS and without. Where a client has none to choose
    /// from, AUTH is not offered.
    pub auth: Vec<String>,
    /// The mechanisms of AUTH that are offered under TLS only.
    pub auth_under_tls: Vec<String>,
}

impl Default for Capabilities {
    /// A host that receives mail: all but what needs something behind it (TLS, AUTH, and what a
    /// queue must honour).
    fn default() -> Self {
        Self {
            pipelining: true,
            size: true,
            eight_bit_mime: true,
            smtp_utf8: true,
            chunking: true,
            binary_mime: true,
            dsn: false,
            require_tls: false,
            future_release: None,
            deliver_by: false,
            mt_priority: false,
            limits: true,
            starttls: false,
            auth: Vec::new(),
            auth_under_tls: Vec::new(),
        }
    }
}

/// For how long a message may be held (RFC 4865 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FutureRelease {
    /// HOLDFOR: seconds at most; a longer one gets `501`.
    pub seconds_max: u32,
    /// HOLDUNTIL: the latest time that is announced. The owner, who knows the present, judges it.
    pub until_max: UnixSeconds,
}

/// What becomes of small deviations that do no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// Taken as meant: a space before a path, a bare LF in a message or behind a command, dots in
    /// odd places of a local part, an underscore in a domain.
    #[default]
    Lenient,
    /// Refused: for trying out clients.
    Pedantic,
}

/// Why there can be no such configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigFault {
    /// The host name is empty, longer than 255 bytes, or not printable ASCII without spaces.
    Host,
    /// A line limit is below 512 (RFC 5321 §4.5.3.1.4) or above [`INBOX_BYTES_MIN`]: a longer
    /// line would fill the inbox and wait there for ever.
    LineLimit,
    /// A mechanism's name is not one (RFC 4422 §3.1).
    Mechanism(String),
    /// LMTP without PIPELINING (RFC 2033 §5).
    NotPipelining,
}

impl std::fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host => f.write_str("the host name is empty, too long, or no host name"),
            Self::LineLimit => {
                write!(f, "a line limit lies outside {LINE_MAX_LEAST} to {INBOX_BYTES_MIN} bytes")
            }
            Self::Mechanism(name) => write!(f, "{name:?} cannot name a SASL mechanism"),
            Self::NotPipelining => f.write_str("LMTP must offer PIPELINING"),
        }
    }
}

impl std::error::Error for ConfigFault {}

impl Config {
    /// Checks and keeps all this, for SMTP. `host` is the name the server goes by in greeting and
    /// EHLO.
    ///
    /// # Errors
    /// What [`ConfigFault`] says.
    pub fn new(
        host: impl Into<String>,
        limits: Limits,
        capabilities: Capabilities,
        strictness: Strictness,
    ) -> Result<Self, ConfigFault> {
        let host = host.into();
        let in_reach = |max| (LINE_MAX_LEAST..=INBOX_BYTES_MIN).contains(&max);
        if host.is_empty() || host.len() > 255 || !host.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(ConfigFault::Host);
        }
        if !in_reach(limits.command_line_max) || !in_reach(limits.auth_line_max) {
            return Err(ConfigFault::LineLimit);
        }
        let mut names = capabilities.auth.iter().chain(&capabilities.auth_under_tls);
        if let Some(name) = names.find(|name| !is_mechanism(name)) {
            return Err(ConfigFault::Mechanism(name.clone()));
        }
        Ok(Self { protocol: Protocol::Smtp, host, limits, capabilities, strictness })
    }

    /// The same for this protocol.
    ///
    /// # Errors
    /// Where the protocol cannot be had with what is offered.
    pub fn speaking(self, protocol: Protocol) -> Result<Self, ConfigFault> {
        match protocol {
            Protocol::Lmtp if !self.capabilities.pipelining => Err(ConfigFault::NotPipelining),
            Protocol::Smtp | Protocol::Lmtp => Ok(Self { protocol, ..self }),
        }
    }

    /// What is spoken.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The server's name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What EHLO or LHLO lists.
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// How strict it is.
    #[must_use]
    pub const fn strictness(&self) -> Strictness {
        self.strictness
    }
}

/// RFC 4422 §3.1: 1 to 20 upper-case letters, digits, hyphens and underscores.
fn is_mechanism(name: &str) -> bool {
    (1..=20).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_'))
}

/// No line limit may be below what RFC 5321 §4.5.3.1.4 asks for.
const LINE_MAX_LEAST: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Limits, &mut Capabilities)) -> Result<Config, ConfigFault> {
        let (mut limits, mut capabilities) = (Limits::default(), Capabilities::default());
        change(&mut limits, &mut capabilities);
        Config::new("mx.example", limits, capabilities, Strictness::Lenient)
    }

    #[test]
    fn line_limits_fit_the_inbox() {
        for (max, fits) in [(511, false), (512, true), (65_536, true), (65_537, false)] {
            assert_eq!(with(|limits, _| limits.command_line_max = max).is_ok(), fits);
            assert_eq!(with(|limits, _| limits.auth_line_max = max).is_ok(), fits);
        }
    }

    #[test]
    fn lmtp_pipelines() {
        for (pipelining, fits) in [(false, false), (true, true)] {
            let config = with(|_, capabilities| capabilities.pipelining = pipelining).unwrap();
            assert!(config.clone().speaking(Protocol::Smtp).is_ok());
            let made = config.speaking(Protocol::Lmtp);
            assert_eq!(made.is_ok_and(|made| made.protocol() == Protocol::Lmtp), fits);
        }
    }

    #[test]
    fn names_are_names() {
        for host in ["", "a b", "a\r\nb", "caf\u{e9}.example", &"x".repeat(256)] {
            let made =
                Config::new(host, Limits::default(), Capabilities::default(), Strictness::Lenient);
            assert_eq!(made, Err(ConfigFault::Host));
        }
        for name in ["", "plain", "A B", "ABCDEFGHIJKLMNOPQRSTU"] {
            let made = with(|_, capabilities| capabilities.auth_under_tls.push(name.into()));
            assert_eq!(made, Err(ConfigFault::Mechanism(name.into())));
        }
        assert!(
            with(|_, capabilities| capabilities.auth.push("SCRAM-SHA-256-PLUS".into())).is_ok()
        );
    }
}
