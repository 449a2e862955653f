//! The page at `/`: how to set up a mail client with this server.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

use super::markup::{Escaped, percent_encoded};
use super::reply::Reply;
use super::service::Asked;
use super::setup::{Kind, Security, server_name};
use super::{Landing, WebDoor};

/// The page.
pub(super) fn page(asked: &Asked) -> Result<Reply, Reply> {
    let landing = asked.door.landing.as_ref().ok_or_else(Reply::not_found)?;
    let server = server_name(asked);
    let text = format!(
        include_str!("landing.html"),
        version = env!("CARGO_PKG_VERSION"),
        server = Escaped(&server),
        accounts = accounts(landing),
        servers = servers(&asked.door, &server),
        note = note(&asked.door),
        ca = ca_hint(landing),
        profiles = profiles(asked, landing),
        metrics =
            if asked.door.metrics.is_some() { " · <a href=\"/metrics\">metrics</a>" } else { "" },
    );
    Ok(Reply::lasting("text/html; charset=utf-8", text))
}

/// How it looks.
pub(super) fn style() -> Reply {
    Reply::file("text/css; charset=utf-8", include_str!("style.css"))
}

/// The certificate to trust.
pub(super) fn ca(asked: &Asked) -> Result<Reply, Reply> {
    let ca = asked.door.landing.as_ref().and_then(|landing| landing.ca.clone());
    let ca = ca.ok_or_else(Reply::not_found)?;
    Ok(Reply::file("application/x-pem-file", ca).saved_as("ca.pem"))
}

fn accounts(landing: &Landing) -> String {
    if landing.accounts.is_empty() {
        return "<p>Log in with your address and its password.</p>\n".into();
    }
    let mut text = String::from("<ul class=\"accounts\">\n");
    for address in &landing.accounts {
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "<li><code>{}</code></li>", Escaped(address));
    }
    let _infallible = writeln!(
        text,
        "</ul>\n<p>The password of each is <code>{}</code>. Mail to any other name arrives at the \
         first.</p>",
        Escaped(&landing.password)
    );
    text
}

fn servers(door: &WebDoor, server: &str) -> String {
    let mut rows = String::new();
    for offer in &door.setup.offers {
        let kind = match offer.kind {
            Kind::Imap => "Read (IMAP)",
            Kind::Submission => "Send (SMTP)",
        };
        let security = match offer.security {
            Security::Tls => "TLS",
            Security::StartTls => "STARTTLS",
            Security::Clear => "none",
        };
        // Writing to a String cannot fail.
        let _infallible = writeln!(
            rows,
            "<tr><th scope=\"row\">{kind}</th><td data-name=\"Host\"><code>{}</code></td>\
             <td data-name=\"Port\"><code>{}</code></td><td data-name=\"Security\">{security}</td></tr>",
            Escaped(server),
            offer.port
        );
    }
    rows
}

fn note(door: &WebDoor) -> String {
    let note = door.setup.note();
    if note.is_empty() { note } else { format!("<p>{note}.</p>\n") }
}

fn ca_hint(landing: &Landing) -> &'static str {
    if landing.ca.is_some() {
        "<p>The certificate is from this server’s own authority: trust <a \
         href=\"/ca.pem\">ca.pem</a>, or accept the certificate when your client asks.</p>"
    } else {
        ""
    }
}

/// For each account, what sets a client up by itself; a picture of the first link for phones.
fn profiles(asked: &Asked, landing: &Landing) -> String {
    let mut text = String::new();
    for (index, address) in landing.accounts.iter().enumerate() {
        let encoded = percent_encoded(address);
        let profile = format!("/profile.mobileconfig?addresses={encoded}");
        let autoconfig = format!("/mail/config-v1.1.xml?emailaddress={encoded}");
        if index == 0 {
            let scheme = if asked.secure { "https" } else { "http" };
            let link = format!("{scheme}://{}{profile}", asked.authority);
            if let Some(picture) = qr_code(&link) {
                // Writing to a String cannot fail.
                let _infallible = writeln!(
                    text,
                    "<figure>{picture}<figcaption>For the camera of an iPhone or iPad that can \
                     reach <code>{}</code></figcaption></figure>",
                    Escaped(&asked.authority)
                );
            }
            text.push_str("<ul>\n");
        }
        let _infallible = writeln!(
            text,
            "<li><code>{address}</code>: <a href=\"{profile}\">profile for Apple devices</a>, <a \
             href=\"{autoconfig}\">autoconfig for Thunderbird</a></li>",
            address = Escaped(address),
            profile = Escaped(&profile),
            autoconfig = Escaped(&autoconfig),
        );
    }
    if !text.is_empty() {
        text.push_str("</ul>\n");
    }
    text
}

/// A QR code as SVG; `None` for more text than one holds.
fn qr_code(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        for x in 0..size {
            if code.get_module(x, y) {
                // Writing to a String cannot fail.
                let _infallible = write!(path, "M{x},{y}h1v1h-1z");
            }
        }
    }
    // Four modules of quiet around it, as readers expect.
    let full = size + 8;
    Some(format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"QR code\" viewBox=\"-4 -4 {full} {full}\" \
         shape-rendering=\"crispEdges\"><path class=\"paper\" d=\"M-4,-4h{full}v{full}h-{full}z\"/>\
         <path class=\"ink\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qr_code_has_its_quiet_zone() {
        let picture = qr_code("http://localhost:1080/profile.mobileconfig").unwrap();
        assert!(picture.contains("viewBox=\"-4 -4 37 37\""), "{picture}");
        assert!(picture.contains("d=\"M0,0h1v1h-1zM1,0h1v1h-1z"), "a finder pattern is there");
        assert_eq!(qr_code(&"x".repeat(3_000)), None);
    }
}
