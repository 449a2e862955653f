//! Node's imapflow and nodemailer: each mechanism that they know, STARTTLS, TLS and ALPN, what they
//! send and read back, and news while they wait.

use std::process::Command;

use crate::logins::{all, ways};
use crate::server::{Place, peer, script, succeed};

#[test]
fn imapflow_and_nodemailer_work() {
    let place = Place::new("smol");
    let server = place.localserve();
    let ports = [place.imap(), place.imaps(), place.submission(), place.submissions()];
    succeed(
        Command::new("node")
            .arg(script("node_session.js"))
            .arg(peer("node/node_modules"))
            .arg(place.ca())
            .args(ports.map(|port| port.to_string()))
            .arg(place.https().to_string()),
    );
    assert_eq!(
        ways(&place, "user"),
        all([
            "smtp CRAM-MD5 tls ok",
            "smtp LOGIN tls ok",
            "smtp PLAIN tls ok",
            "smtp PLAIN tls wrong",
        ])
    );
    assert_eq!(
        ways(&place, "friend"),
        all(["imap LOGIN tls ok", "imap PLAIN tls ok", "imap PLAIN tls wrong"])
    );
    assert_eq!(place.metric("tls_failures_total"), 0);
    server.stop();
    place.verify();
}
