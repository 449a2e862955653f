//! Logins that are bound to the channel: our own client, and Debian's `gsasl`.

use std::fs;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pillarbox_core::sasl::{
    Binding, Channel, Client, ClientStep, Credentials, Hash, Mechanism, NONCE_BYTES, Secret,
};

use crate::on_each_runtime;
use crate::secure::{Secure, TLS12, TLS13, Trust, somebody_between};
use crate::server::{PASSWORD, Place};

on_each_runtime!(
    a_login_is_bound_to_the_channel,
    somebody_between_cannot_log_in,
    a_channel_that_is_not_unique_is_not_bound_to,
    gsasl_binds_to_the_channel,
);

const PLUS: [Mechanism; 2] = [
    Mechanism::Scram { hash: Hash::Sha256, plus: true },
    Mechanism::Scram { hash: Hash::Sha1, plus: true },
];

/// Logs in by IMAP; the server's last word.
fn login(imap: &mut Secure, mechanism: Mechanism, channel: &Channel) -> String {
    assert!(imap.line().unwrap().starts_with("* OK"));
    let who = Credentials {
        authzid: String::new(),
        authcid: "user@localhost".into(),
        password: Secret::new(PASSWORD.into()),
    };
    let (mut client, first) = Client::start(mechanism, who, channel, [7; NONCE_BYTES]).unwrap();
    let first = BASE64.encode(first.unwrap());
    let mut line = imap.say(&format!("a AUTHENTICATE {} {first}", mechanism.name())).unwrap();
    while let Some(challenge) = line.strip_prefix("+ ") {
        let challenge = BASE64.decode(challenge).unwrap();
        match client.answer(&challenge) {
            ClientStep::Respond(next, response) => {
                client = next;
                line = imap.say(&BASE64.encode(response)).unwrap();
            }
            ClientStep::Failed(why) => panic!("{why}"),
        }
    }
    assert!(client.may_succeed() || !line.starts_with("a OK"), "{line}");
    line
}

fn a_login_is_bound_to_the_channel(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    for versions in [[TLS12], [TLS13]] {
        let trust = Trust::new(&place.ca(), &versions);
        for mechanism in PLUS {
            for binding in [Binding::Exporter, Binding::EndPoint] {
                let mut imap = Secure::to(place.imaps(), &trust).unwrap();
                let channel = Channel::Bound(binding, imap.binding(binding));
                let said = login(&mut imap, mechanism, &channel);
                assert!(said.starts_with("a OK"), "{mechanism:?} {binding:?}: {said}");
            }
            // The binding of another connection.
            let mut imap = Secure::to(place.imaps(), &trust).unwrap();
            let other = Secure::to(place.imaps(), &trust).unwrap().binding(Binding::Exporter);
            let said = login(&mut imap, mechanism, &Channel::Bound(Binding::Exporter, other));
            assert!(said.starts_with("a NO [AUTHENTICATIONFAILED]"), "{said}");
        }
        // RFC 5802 §6: who would bind, but was not told that it can, was told wrong.
        let mut imap = Secure::to(place.imaps(), &trust).unwrap();
        let unbound = Mechanism::Scram { hash: Hash::Sha256, plus: false };
        let said = login(&mut imap, unbound, &Channel::NotOffered);
        assert!(!said.starts_with("a OK"), "{said}");
        let mut imap = Secure::to(place.imaps(), &trust).unwrap();
        let said = login(&mut imap, unbound, &Channel::Unbound);
        assert!(said.starts_with("a OK"), "{said}");
    }
    server.stop();
}

fn somebody_between_cannot_log_in(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let other = place.beside("other");
    pillarbox::certificates::ensure(&other).unwrap();
    let onward = || Trust::new(&place.ca(), &[TLS13]);
    // The client trusts whoever signed the other certificate too.
    let trust = Trust::new(&other.join("ca.pem"), &[TLS13, TLS12]);
    for binding in [Binding::Exporter, Binding::EndPoint] {
        let port = somebody_between(&other, place.imaps(), onward());
        let mut imap = Secure::to(port, &trust).unwrap();
        let channel = Channel::Bound(binding, imap.binding(binding));
        let said = login(&mut imap, PLUS[0], &channel);
        assert!(said.starts_with("a NO [AUTHENTICATIONFAILED]"), "{said}");
    }
    // Without a binding nobody would have noticed.
    let port = somebody_between(&other, place.imaps(), onward());
    let mut imap = Secure::to(port, &trust).unwrap();
    let unbound = Mechanism::Scram { hash: Hash::Sha256, plus: false };
    assert!(login(&mut imap, unbound, &Channel::Unbound).starts_with("a OK"));
    server.stop();
}

/// RFC 9266 §4: TLS 1.2 without the extended master secret.
fn a_channel_that_is_not_unique_is_not_bound_to(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let first = BASE64.encode("p=tls-exporter,,n=user,r=nonce");
    let config = place.beside("openssl.cnf");
    for (options, expected) in [("ServerPreference", "\n+ "), ("-ExtendedMasterSecret", "\na ")] {
        let text = format!(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = own\n\
             [own]\nOptions = {options}\n"
        );
        fs::write(&config, text).unwrap();
        let mut openssl = Command::new("openssl");
        openssl.env("OPENSSL_CONF", &config);
        openssl.args(["s_client", "-quiet", "-tls1_2", "-ign_eof", "-connect"]);
        openssl.arg(format!("127.0.0.1:{}", place.imaps()));
        let script = format!("a AUTHENTICATE SCRAM-SHA-256-PLUS {first}\r\n*\r\nb LOGOUT\r\n");
        let said = converse(&mut openssl, &script);
        assert!(said.contains(expected), "{options}: {said}");
    }
    server.stop();
}

fn gsasl_binds_to_the_channel(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    for (protocol, port) in [("--imap", place.imap()), ("--smtp", place.submission())] {
        for mechanism in PLUS {
            let mut gsasl = Command::new("gsasl");
            gsasl.args([protocol, "--verbose", "-a", "user", "-p", PASSWORD, "--mechanism"]);
            gsasl.arg(mechanism.name()).arg(format!("--connect=localhost:{port}"));
            gsasl.arg(format!("--x509-ca-file={}", place.ca().display()));
            let said = converse(&mut gsasl, "");
            assert!(said.contains("Client authentication finished (server trusted)"), "{said}");
        }
    }
    server.stop();
}

/// All that a program says that is told this.
fn converse(command: &mut Command, script: &str) -> String {
    use std::io::Write as _;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}
