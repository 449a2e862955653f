//! GNU SASL's own client: each mechanism by SMTP and by IMAP, by IMAP also under TLS.

use std::process::Command;

use crate::commands::{done, with_password};
use crate::server::{PASSWORD, Place, Server, run};

const MECHANISMS: [&str; 5] = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"];

/// `gsasl` with this protocol and mechanism: what it did, and what it saw.
fn gsasl(place: &Place, imap: bool, tls: bool, mechanism: &str, password: &str) -> (bool, String) {
    let (protocol, port) =
        if imap { ("--imap", place.imap()) } else { ("--smtp", place.submission()) };
    let mut command = Command::new("gsasl");
    command.args([protocol, "--no-cb", "--verbose", "--mechanism", mechanism]);
    command.args(["--authentication-id", "user@localhost", "--password", password]);
    if tls {
        command.arg("--starttls").arg("--x509-ca-file").arg(place.ca());
    } else {
        command.arg("--no-starttls");
    }
    let output = run(command.args(["localhost", &port.to_string()]));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn started() -> (Place, Server) {
    let place = Place::new("smol");
    let server = place.localserve();
    (place, server)
}

#[test]
fn gsasl_logs_in_with_each_mechanism() {
    let (place, server) = started();
    for (imap, yes) in [(false, "235 2.7.0"), (true, "OK [CAPABILITY")] {
        for mechanism in MECHANISMS {
            // By SMTP it says STARTTLS before EHLO (gsasl 2.2.0), which RFC 5321 §4.1.4 does not
            // allow.
            for tls in [false, true].into_iter().filter(|tls| imap || !tls) {
                let (done, said) = gsasl(&place, imap, tls, mechanism, PASSWORD);
                assert!(done && said.contains(yes), "{mechanism}, imap {imap}, tls {tls}: {said}");
            }
        }
    }
    server.stop();
}

#[test]
fn gsasl_is_refused_with_a_wrong_password() {
    let (place, server) = started();
    for (imap, no) in [(false, "535 5.7.8"), (true, "NO [AUTHENTICATIONFAILED]")] {
        for mechanism in MECHANISMS {
            let (done, said) = gsasl(&place, imap, false, mechanism, "wrong");
            assert!(!done && said.contains(no), "{mechanism}, imap {imap}: {said}");
        }
    }
    let logins = done(&place.dir(), &["account", "logins", "user"]);
    for mechanism in MECHANISMS {
        assert!(logins.contains(mechanism), "{logins}");
    }
    server.stop();
}

/// The keys are made with the password, and taken away with the wish.
#[test]
fn gsasl_logs_in_with_cram_md5_where_the_domain_wants_it() {
    let (place, server) = started();
    let dir = place.dir();
    let works = || gsasl(&place, true, false, "CRAM-MD5", PASSWORD).0;
    assert!(works());
    done(&dir, &["domain", "cram-md5", "localhost", "off"]);
    assert!(!works());
    done(&dir, &["domain", "cram-md5", "localhost", "on"]);
    assert!(!works(), "the password was set before");
    let logins = done(&dir, &["account", "logins", "user"]);
    assert!(logins.contains("no keys"), "{logins}");
    let (code, said) = with_password(&dir, &["account", "password", "user"], PASSWORD);
    assert_eq!(code, 0, "{said}");
    assert!(works());
    done(&dir, &["domain", "cram-md5", "localhost", "off"]);
    server.stop();
    // Announced as it is at the start.
    let server = place.localserve();
    let (_, said) = gsasl(&place, true, false, "CRAM-MD5", PASSWORD);
    assert!(said.contains("NO this mechanism is not offered"), "{said}");
    server.stop();
}
