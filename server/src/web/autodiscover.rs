//! Outlook's form of a client's setup: the "POX" Autodiscover.
//! <https://learn.microsoft.com/en-us/exchange/client-developer/web-service-reference/pox-autodiscover-web-service-reference-for-exchange>

use std::fmt::Write as _;

use super::markup::Escaped;
use super::reply::Reply;
use super::routes::bad;
use super::service::Asked;
use super::setup::{Asker, Kind, Offer, Security, asker, server_name};

/// In any case of letters.
pub(super) const PATH: &str = "/autodiscover/autodiscover.xml";

/// The one form of answer that we have.
const OUTLOOK: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// With POST the body says for whom; with GET `?emailaddress=`, or else the host's domain.
pub(super) async fn answer(mut asked: Asked) -> Result<Reply, Reply> {
    let body = asked.body().await?;
    let address = if body.is_empty() {
        asked.parameter("emailaddress").filter(|address| !address.is_empty())
    } else {
        let body = String::from_utf8(body).map_err(|_| bad("no UTF-8"))?;
        if element(&body, "AcceptableResponseSchema").is_some_and(|schema| schema != OUTLOOK) {
            return Ok(Reply::passing(MEDIA_TYPE, refusal()));
        }
        let address = element(&body, "EMailAddress").ok_or_else(|| bad("no EMailAddress"))?;
        Some(address.to_owned())
    };
    let asker = asker(&asked, address.as_deref()).await?;
    Ok(Reply::passing(MEDIA_TYPE, settings(&asked, &asker)))
}

const MEDIA_TYPE: &str = "text/xml; charset=utf-8";

fn settings(asked: &Asked, asker: &Asker) -> String {
    let server = server_name(asked);
    let mut protocols = String::new();
    for (kind, name) in [(Kind::Imap, "IMAP"), (Kind::Submission, "SMTP")] {
        for offer in asked.door.setup.of_kind(kind) {
            one(&mut protocols, name, &server, offer, asker.address.as_deref());
        }
    }
    let comment = asked.door.setup.comment();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n{comment}\
         <Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\n  \
         <Response xmlns=\"{OUTLOOK}\">\n    <Account>\n      <AccountType>email</AccountType>\n      \
         <Action>settings</Action>\n{protocols}    </Account>\n  </Response>\n</Autodiscover>\n"
    )
}

fn one(protocols: &mut String, name: &str, server: &str, offer: &Offer, login: Option<&str>) {
    let (ssl, encryption) = match offer.security {
        Security::Tls => ("on", "SSL"),
        Security::StartTls => ("on", "TLS"),
        Security::Clear => ("off", "None"),
    };
    let login = login.map_or_else(String::new, |login| {
        format!("        <LoginName>{}</LoginName>\n", Escaped(login))
    });
    // Writing to a String cannot fail.
    let _infallible = write!(
        protocols,
        "      <Protocol>\n        <Type>{name}</Type>\n        <Server>{server}</Server>\n        \
         <Port>{port}</Port>\n        <DomainRequired>off</DomainRequired>\n{login}        \
         <SPA>off</SPA>\n        <SSL>{ssl}</SSL>\n        <Encryption>{encryption}</Encryption>\n        \
         <AuthRequired>on</AuthRequired>\n      </Protocol>\n",
        server = Escaped(server),
        port = offer.port,
    );
}

/// Error 601, "the provider is not available": for who wants the form of other protocols.
fn refusal() -> &'static str {
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
     <Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\n  \
     <Response>\n    <Error>\n      <ErrorCode>601</ErrorCode>\n      \
     <Message>Requested schema version not supported</Message>\n    </Error>\n  </Response>\n\
     </Autodiscover>\n"
}

/// The text of the first element of this name, with any prefix. This is no reader of XML: what
/// Outlook sends is two elements with text, and an address with an entity in it is refused as none.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let mut left = xml;
    while let Some((_, behind)) = left.split_once('<') {
        let (tag, inside) = behind.split_once('>')?;
        let full = tag.split_ascii_whitespace().next().unwrap_or_default();
        let local = full.rsplit(':').next().unwrap_or(full);
        if local == name && !tag.ends_with('/') && !tag.starts_with('/') {
            let (text, _) = inside.split_once('<')?;
            return Some(text.trim());
        }
        left = inside;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found() {
        for (xml, found) in [
            ("<a><EMailAddress>x@y</EMailAddress></a>", Some("x@y")),
            ("<a:EMailAddress b='c'> x@y\n</a:EMailAddress>", Some("x@y")),
            ("<EMailAddress/><EMailAddress></EMailAddress>", Some("")),
            ("</EMailAddress><EMailAddress>x", None),
            ("<EMailAddress", None),
            ("<NoEMailAddress>x</NoEMailAddress>", None),
            ("", None),
        ] {
            assert_eq!(element(xml, "EMailAddress"), found, "{xml}");
        }
    }
}
