//! By which name we were called. Names that are not ours are answered with 421, so that a page
//! somewhere else cannot make a browser take us for its own server.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use hyper::StatusCode;
use pillarbox_core::flow::Desk;
use pillarbox_core::international::DomainName;
use pillarbox_core::mta_sts::POLICY_LABEL;
use pillarbox_store::{Found, Read};

use super::reply::Reply;
use crate::context::Context;
use crate::job::{self, Job};

/// The name by which a client called us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The host alone, without a port; in ASCII and lower case. Empty where none was named.
    pub(super) host: String,
    /// What the name stands for.
    pub(super) name: Name,
}

/// What a name of ours stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// The server itself: its host name, an address, or a name within somebody's own network.
    Server,
    /// A domain of ours.
    Domain(String),
    /// `mta-sts.` in front of one (RFC 8461 §3.3).
    MtaSts(String),
    /// `autoconfig.` or `autodiscover.` in front of one.
    ClientSetup(String),
}

/// What an authority names.
///
/// # Errors
/// RFC 9110 §15.5.20: it is not ours.
pub(super) async fn place(
    context: &Arc<Context>,
    desk: &Desk<Job>,
    authority: &str,
) -> Result<Place, Reply> {
    let host = bare(authority);
    if host.is_empty() || is_address(host) {
        return Ok(Place { host: host.to_owned(), name: Name::Server });
    }
    let ascii = match DomainName::parse(host.strip_suffix('.').unwrap_or(host)) {
        Ok(name) => name.into_ascii().into_owned(),
        Err(_) => return Err(misdirected()),
    };
    let server = ascii.eq_ignore_ascii_case(&context.hostname) || !ascii.contains('.');
    let name = match named(&ascii) {
        _ if server => Name::Server,
        Some(name) => name,
        None => Name::Domain(ascii.clone()),
    };
    if let Name::Domain(domain) | Name::MtaSts(domain) | Name::ClientSetup(domain) = &name
        && !is_ours(desk, domain).await?
    {
        return Err(misdirected());
    }
    Ok(Place { host: ascii, name })
}

/// Whether a domain is ours.
///
/// # Errors
/// The answer where the store could not say.
pub(super) async fn is_ours(desk: &Desk<Job>, domain: &str) -> Result<bool, Reply> {
    match job::read(desk, "domain", Read::IsOurs { domain: domain.to_owned() }).await {
        Ok(Found::Ours(ours)) => Ok(ours),
        Ok(_) => Err(Reply::unavailable()),
        Err(error) => {
            log::error!(why:% = error; "domain cannot be looked up");
            Err(Reply::unavailable())
        }
    }
}

/// A name with one of our services in front.
fn named(host: &str) -> Option<Name> {
    let (first, domain) = host.split_once('.')?;
    match first {
        POLICY_LABEL => Some(Name::MtaSts(domain.to_owned())),
        "autoconfig" | "autodiscover" => Some(Name::ClientSetup(domain.to_owned())),
        _ => None,
    }
}

/// Without its port.
fn bare(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority.split_inclusive(']').next().unwrap_or(authority);
    }
    authority.split(':').next().unwrap_or(authority)
}

/// RFC 3986 §3.2.2: an IP literal.
fn is_address(host: &str) -> bool {
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match inside {
        Some(inside) => inside.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<IpAddr>().is_ok(),
    }
}

fn misdirected() -> Reply {
    Reply::text(StatusCode::MISDIRECTED_REQUEST, "this server does not have that name")
}

/// RFC 6797 §8.1.1: not for addresses; nor for `localhost`, whose other ports are not ours.
pub(super) fn takes_hsts(authority: &str) -> bool {
    let host = bare(authority);
    !is_address(host) && host.trim_end_matches('.').contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_apart() {
        for (authority, host, address) in [
            ("a.example", "a.example", false),
            ("a.example:80", "a.example", false),
            ("192.0.2.1:80", "192.0.2.1", true),
            ("[2001:db8::1]", "[2001:db8::1]", true),
            ("[2001:db8::1]:80", "[2001:db8::1]", true),
            ("[192.0.2.1]", "[192.0.2.1]", false),
            ("[", "[", false),
            ("", "", false),
        ] {
            assert_eq!(bare(authority), host);
            assert_eq!(is_address(host), address, "{host}");
        }
    }

    #[test]
    fn tls_is_insisted_on_where_the_name_is_ours_alone() {
        assert!(takes_hsts("mail.example.org") && takes_hsts("mail.example.org:8443"));
        for host in ["localhost:1443", "192.0.2.1", "[2001:db8::1]:443", "", "pillarbox"] {
            assert!(!takes_hsts(host), "{host}");
        }
    }

    #[test]
    fn services_have_names() {
        assert_eq!(named("mta-sts.a.example"), Some(Name::MtaSts("a.example".into())));
        assert_eq!(named("autoconfig.a.example"), Some(Name::ClientSetup("a.example".into())));
        assert_eq!(named("www.a.example"), None);
        assert_eq!(named("mta-sts"), None);
    }
}
