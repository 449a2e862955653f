//! Thunderbird's form of a client's setup, which many clients read: `clientConfig` 1.1.
//! <https://wiki.mozilla.org/Thunderbird:Autoconfiguration:ConfigFileFormat>

use std::fmt::Write as _;

use super::markup::Escaped;
use super::reply::Reply;
use super::service::Asked;
use super::setup::{Asker, Kind, Offer, Security, asker, server_name};

/// `?emailaddress=` says for whom; without it, the host's domain.
pub(super) async fn answer(asked: &Asked) -> Result<Reply, Reply> {
    let address = asked.parameter("emailaddress").filter(|address| !address.is_empty());
    let Asker { domain, .. } = asker(asked, address.as_deref()).await?;
    let server = server_name(asked);
    let mut servers = String::new();
    for (kind, element) in [
        (Kind::Imap, "incomingServer type=\"imap\""),
        (Kind::Submission, "outgoingServer type=\"smtp\""),
    ] {
        for offer in asked.door.setup.of_kind(kind) {
            one(&mut servers, element, &server, offer);
        }
    }
    let domain = Escaped(domain);
    let comment = asked.door.setup.comment();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{comment}<clientConfig version=\"1.1\">\n  \
         <emailProvider id=\"{domain}\">\n    <domain>{domain}</domain>\n    \
         <displayName>{domain}</displayName>\n    \
         <displayShortName>{domain}</displayShortName>\n{servers}  </emailProvider>\n\
         </clientConfig>\n"
    );
    Ok(Reply::lasting("text/xml; charset=utf-8", text))
}

fn one(servers: &mut String, element: &str, server: &str, offer: &Offer) {
    let security = match offer.security {
        Security::Tls => "SSL",
        Security::StartTls => "STARTTLS",
        Security::Clear => "plain",
    };
    let name = element.split(' ').next().unwrap_or(element);
    // The client puts the address in that it was given. Writing to a String cannot fail.
    let _infallible = write!(
        servers,
        "    <{element}>\n      <hostname>{server}</hostname>\n      <port>{port}</port>\n      \
         <socketType>{security}</socketType>\n      \
         <authentication>password-cleartext</authentication>\n      \
         <username>%EMAILADDRESS%</username>\n    </{name}>\n",
        server = Escaped(server),
        port = offer.port,
    );
}
