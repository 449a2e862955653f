//! How mail clients reach us, as the listeners say; and whom a client asks it for.

use std::fmt::Write as _;

use super::host::{self, Name};
use super::reply::Reply;
use super::routes::bad;
use super::service::Asked;
use crate::address::{Address, domain_name};
use crate::config::{Config, Protocol, Spoken};

/// How mail clients reach us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The server's name.
    pub hostname: String,
    /// The best of each kind first.
    pub offers: Vec<Offer>,
    /// Ports of HTTPS where a client can ask for this by ALPN.
    pub by_alpn: Vec<(Kind, u16)>,
}

/// One port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// What is done there.
    pub kind: Kind,
    /// How passwords and mail are kept from others.
    pub security: Security,
    /// Where.
    pub port: u16,
}

/// What a client does at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It reads mail, by IMAP.
    Imap,
    /// It sends mail, by submission.
    Submission,
}

impl Kind {
    const fn of(spoken: Spoken) -> Option<Self> {
        match spoken {
            Spoken::Http => None,
            Spoken::Imap => Some(Self::Imap),
            Spoken::Submission => Some(Self::Submission),
        }
    }

    /// What a client asks for by ALPN.
    pub(super) const fn alpn(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Submission => "smtp",
        }
    }
}

/// How passwords and mail are kept from others; the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS by STARTTLS.
    StartTls,
    /// Not at all.
    Clear,
}

impl Setup {
    /// What the listeners of a configuration offer. A port without TLS is told of only where a
    /// password may come in clear.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let (mut offers, mut by_alpn) = (Vec::new(), Vec::new());
        for listener in &config.listeners {
            for kind in listener.alpn.iter().filter_map(|spoken| Kind::of(*spoken)) {
                if !by_alpn.contains(&(kind, listener.address.port())) {
                    by_alpn.push((kind, listener.address.port()));
                }
            }
            let kind = match listener.protocol {
                Protocol::Imap | Protocol::Imaps => Kind::Imap,
                Protocol::Submission | Protocol::Submissions => Kind::Submission,
                Protocol::Smtp | Protocol::Lmtp | Protocol::Http | Protocol::Https => continue,
            };
            let security = match config.tls {
                _ if listener.protocol.implicit_tls() => Security::Tls,
                Some(_) => Security::StartTls,
                None if listener.login_without_tls => Security::Clear,
                None => continue,
            };
            let offer = Offer { kind, security, port: listener.address.port() };
            if !offers.contains(&offer) {
                offers.push(offer);
            }
        }
        offers.sort_by_key(|offer| (offer.kind, offer.security));
        Self { hostname: config.hostname.clone(), offers, by_alpn }
    }

    /// One sentence on the ports where a client can ask by ALPN, for those who cannot reach the
    /// others; empty where there are none. None of the forms for clients has a place for it, so it
    /// stands there as a comment.
    pub(super) fn note(&self) -> String {
        let mut note = String::new();
        for (kind, port) in &self.by_alpn {
            let what = match kind {
                Kind::Imap => "IMAP",
                Kind::Submission => "SMTP",
            };
            let and = if note.is_empty() { "Behind a firewall: " } else { ", " };
            // Writing to a String cannot fail.
            let _infallible =
                write!(note, "{and}{what} on port {port} too, with TLS and ALPN {}", kind.alpn());
        }
        note
    }

    /// The same as a comment of XML.
    pub(super) fn comment(&self) -> String {
        let note = self.note();
        if note.is_empty() { note } else { format!("<!-- {note} -->\n") }
    }

    /// Those of one kind, the best first.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Offer> {
        self.offers.iter().filter(move |offer| offer.kind == kind)
    }
}

/// The name that the asker's mail client should connect to. A server whose own name is none that
/// others could look up, as `localhost`, is reached by the name that this request came to.
pub(super) fn server_name(asked: &Asked) -> String {
    let hostname = &asked.door.setup.hostname;
    let called = asked.place.host.trim_matches(['[', ']']);
    if hostname.contains('.') || asked.place.name != Name::Server || called.is_empty() {
        hostname.clone()
    } else {
        called.to_owned()
    }
}

/// For whom a client is set up. Whether the account exists is told to nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asker {
    /// As it was given, if it was.
    pub(super) address: Option<String>,
    /// A domain of ours.
    pub(super) domain: String,
}

/// Whose setup is wanted: that of an address, or of whoever has the domain that was called.
///
/// # Errors
/// The answer where the domain is not ours.
pub(super) async fn asker(asked: &Asked, address: Option<&str>) -> Result<Asker, Reply> {
    let domain = match (address, &asked.place.name) {
        (Some(address), _) => {
            let address: Address = address.trim().parse().map_err(|_| bad("that is no address"))?;
            address.domain
        }
        (None, Name::Domain(domain) | Name::MtaSts(domain) | Name::ClientSetup(domain)) => {
            domain.clone()
        }
        (None, Name::Server) => {
            domain_name(&asked.place.host).map_err(|_| bad("say for which address"))?
        }
    };
    if host::is_ours(&asked.desk, &domain).await? {
        let address = address.map(|address| address.trim().to_owned());
        Ok(Asker { address, domain })
    } else if address.is_some() {
        Err(Reply::not_found())
    } else {
        Err(bad("say for which address"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn setup(text: &str) -> Setup {
        let head = "hostname = \"mail.example.org\"\ndata = \".\"\n";
        Setup::of(&Config::parse(Path::new("x.toml"), &format!("{head}{text}")).unwrap())
    }

    #[test]
    fn what_can_be_asked_for_by_alpn_is_noted() {
        let by_alpn = vec![(Kind::Imap, 443), (Kind::Submission, 443)];
        let setup = Setup { hostname: String::new(), offers: Vec::new(), by_alpn };
        assert_eq!(
            setup.note(),
            "Behind a firewall: IMAP on port 443 too, with TLS and ALPN imap, SMTP on port 443 too, \
             with TLS and ALPN smtp"
        );
        let none = Setup { by_alpn: Vec::new(), ..setup };
        assert_eq!((none.note(), none.comment()), (String::new(), String::new()));
    }

    #[test]
    fn listeners_say_what_there_is() {
        let listener = |protocol: &str, port: u16, more: &str| {
            format!(
                "[[listener]]\nprotocol = \"{protocol}\"\naddress = \"[::1]:{port}\"\n{more}\n\
                 [[listener]]\nprotocol = \"{protocol}\"\naddress = \"127.0.0.1:{port}\"\n{more}\n"
            )
        };
        let none = setup(&listener("imap", 143, ""));
        assert_eq!(none.offers, [], "a login would be refused");
        let clear = setup(
            &[
                listener("submission", 587, "login_without_tls = true"),
                listener("imap", 143, "login_without_tls = true"),
                listener("smtp", 25, ""),
                listener("http", 80, ""),
            ]
            .concat(),
        );
        let offer = |kind, security, port| Offer { kind, security, port };
        assert_eq!(
            clear.offers,
            [
                offer(Kind::Imap, Security::Clear, 143),
                offer(Kind::Submission, Security::Clear, 587),
            ]
        );
    }
}
