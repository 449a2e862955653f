//! People who log in by the key of a client certificate.

use std::fs;
use std::path::PathBuf;

use crate::clients::curl;
use crate::commands::done;
use crate::logins::{all, ways};
use crate::on_each_runtime;
use crate::secure::{Secure, TLS12, TLS13, Trust};
use crate::server::{PASSWORD, Place, Server, succeed};

on_each_runtime!(
    a_key_opens_its_account,
    curl_logs_in_by_its_key,
    nothing_else_opens_an_account,
    a_key_is_of_use_until_it_is_removed,
    only_who_asks_for_certificates_takes_them,
);

type Made = rcgen::CertifiedKey<rcgen::KeyPair>;

/// A server whose ports ask for certificates, and a key of `user`'s in a file.
fn asking(place: &Place) -> (Server, Made, PathBuf) {
    place.localserve().stop();
    let file = place.dir().join("pillarbox.toml");
    let mut text = fs::read_to_string(&file).unwrap();
    for protocol in ["imap", "imaps", "submission", "submissions", "https"] {
        let line = format!("protocol = \"{protocol}\"\n");
        text = text.replace(&line, &format!("{line}client_certificates = true\n"));
    }
    fs::write(&file, text).unwrap();
    let (made, file) = (key(), place.beside("user.pem"));
    fs::write(&file, made.cert.pem()).unwrap();
    // On a stopped server.
    let words = ["account", "key", "add", "user", file.to_str().unwrap(), "--label", "laptop"];
    let said = done(&place.dir(), &words);
    assert!(said.starts_with("account `user` has the key "), "{said}");
    (place.serve("", ""), made, file)
}

fn key() -> Made {
    rcgen::generate_simple_self_signed(vec!["whatever.example".to_owned()]).unwrap()
}

/// A connection that is greeted, and the greeting.
fn enter(port: u16, trust: &Trust) -> (Secure, String) {
    let mut client = Secure::to(port, trust).unwrap();
    let greeting = client.line().unwrap();
    (client, greeting)
}

/// What a connection to the port of IMAP hears, with and without an initial response.
fn imap(port: u16, trust: &Trust, message: &str) -> String {
    let (mut client, greeting) = enter(port, trust);
    assert!(greeting.contains(" AUTH=EXTERNAL"), "{greeting}");
    let initial = if message.is_empty() { "=" } else { message };
    let said = client.say(&format!("a AUTHENTICATE EXTERNAL {initial}")).unwrap();
    let (mut client, _) = enter(port, trust);
    assert_eq!(client.say("a AUTHENTICATE EXTERNAL").unwrap(), "+");
    assert_eq!(without_id(&client.say(message).unwrap()), without_id(&said));
    said
}

/// The same by SMTP.
fn smtp(port: u16, trust: &Trust, message: &str) -> String {
    let (mut client, _) = enter(port, trust);
    let mut line = client.say("EHLO client.example").unwrap();
    let mut announced = false;
    while line.starts_with("250-") {
        announced |= line.starts_with("250-AUTH ") && line.ends_with(" EXTERNAL");
        line = client.line().unwrap();
    }
    assert!(announced);
    let initial = if message.is_empty() { "=" } else { message };
    let said = client.say(&format!("AUTH EXTERNAL {initial}")).unwrap();
    let (mut client, _) = enter(port, trust);
    assert!(client.say("HELO client.example").unwrap().starts_with("250"));
    assert!(client.say("AUTH EXTERNAL").unwrap().starts_with("334"));
    assert_eq!(without_id(&client.say(message).unwrap()), without_id(&said));
    said
}

/// What was said, without the connection's id at its end.
fn without_id(said: &str) -> &str {
    said.split_once(" (").map_or(said, |(text, _)| text)
}

const USER: &str = "dXNlcg==";
const USER_AT_LOCALHOST: &str = "dXNlckBsb2NhbGhvc3Q=";
const FRIEND: &str = "ZnJpZW5k";
const NOBODY: &str = "bm9ib2R5";

fn a_key_opens_its_account(runtime: &'static str) {
    let place = Place::new(runtime);
    let (server, made, _) = asking(&place);
    for versions in [[TLS12], [TLS13]] {
        let trust = || Trust::new(&place.ca(), &versions).showing(&made);
        for message in ["", USER, USER_AT_LOCALHOST] {
            let said = imap(place.imaps(), &trust(), message);
            assert!(said.starts_with("a OK"), "{said}");
            let said = smtp(place.submissions(), &trust(), message);
            assert!(said.starts_with("235"), "{said}");
        }
        // By ALPN on the one port.
        let said = imap(place.https(), &trust().listing(&["imap"]), "");
        assert!(said.starts_with("a OK"), "{said}");
        let said = smtp(place.https(), &trust().listing(&["smtp"]), "");
        assert!(said.starts_with("235"), "{said}");
    }
    assert_eq!(ways(&place, "user"), all(["imap EXTERNAL tls ok", "smtp EXTERNAL tls ok"]));
    server.stop();
}

fn curl_logs_in_by_its_key(runtime: &'static str) {
    let place = Place::new(runtime);
    let (server, made, certificate) = asking(&place);
    let (key, letter) = (place.beside("user.key"), place.beside("letter"));
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    fs::write(&letter, "Subject: by key\r\n\r\nhello\r\n").unwrap();
    let by_key = || {
        let mut curl = curl(&place.ca());
        curl.arg("--cert").arg(&certificate).arg("--key").arg(&key);
        curl.args(["--login-options", "AUTH=EXTERNAL", "--user", "user:"]);
        curl
    };
    let to = format!("smtps://localhost:{}", place.submissions());
    let mut send = by_key();
    send.args(["--mail-from", "user@localhost", "--mail-rcpt", "user@localhost", "-T"]);
    succeed(send.arg(&letter).arg(to));
    assert!(server.stderr.wait_for(|line| line.contains("message delivered")).is_some());
    let from = format!("imaps://localhost:{}/INBOX;UID=1", place.imaps());
    let read = String::from_utf8(succeed(by_key().arg(from))).unwrap();
    assert!(read.contains("Subject: by key"), "{read}");
    assert_eq!(ways(&place, "user"), all(["imap EXTERNAL tls ok", "smtp EXTERNAL tls ok"]));
    server.stop();
}

fn nothing_else_opens_an_account(runtime: &'static str) {
    let place = Place::new(runtime);
    let (server, made, _) = asking(&place);
    let bare = || Trust::new(&place.ca(), &[TLS13]);
    for trust in [bare(), bare().showing(&key())] {
        for message in ["", USER] {
            let said = imap(place.imaps(), &trust, message);
            assert!(said.starts_with("a NO [AUTHENTICATIONFAILED]"), "{said}");
            let said = smtp(place.submissions(), &trust, message);
            assert!(said.starts_with("535 5.7.8"), "{said}");
        }
        // The connection lives, and passwords are taken as ever.
        let (mut client, _) = enter(place.imaps(), &trust);
        assert!(client.say("a AUTHENTICATE EXTERNAL =").unwrap().starts_with("a NO"));
        let said = client.say(&format!("b LOGIN user {PASSWORD}")).unwrap();
        assert!(said.starts_with("b OK"), "{said}");
    }
    let trust = bare().showing(&made);
    for message in [FRIEND, NOBODY] {
        let said = imap(place.imaps(), &trust, message);
        assert!(said.starts_with("a NO [NOPERM]"), "{said}");
    }
    let (mut client, _) = enter(place.imaps(), &trust);
    let said = client.say("a AUTHENTICATE EXTERNAL YQBi").unwrap();
    assert!(said.starts_with("a BAD"), "{said}");
    // The attempts are told to whom the key belongs, and not to whom was named.
    let expected = all(["imap LOGIN tls ok", "imap EXTERNAL tls not as"]);
    assert_eq!(ways(&place, "user"), expected);
    assert_eq!(ways(&place, "friend"), all([]));
    server.stop();
}

fn a_key_is_of_use_until_it_is_removed(runtime: &'static str) {
    let place = Place::new(runtime);
    let (server, made, file) = asking(&place);
    let dir = place.dir();
    let trust = Trust::new(&place.ca(), &[TLS13]).showing(&made);
    let rows: serde_json::Value =
        serde_json::from_str(&done(&dir, &["account", "key", "list", "user", "--json"])).unwrap();
    assert_eq!(rows[0]["label"], "laptop");
    let fingerprint = rows[0]["fingerprint"].as_str().unwrap().to_owned();
    done(&dir, &["account", "disable", "user"]);
    let said = imap(place.imaps(), &trust, "");
    assert!(said.starts_with("a NO [AUTHENTICATIONFAILED]"), "{said}");
    done(&dir, &["account", "enable", "user"]);
    let (mut open, _) = enter(place.imaps(), &trust);
    assert!(open.say("a AUTHENTICATE EXTERNAL =").unwrap().starts_with("a OK"));
    // On a running server.
    done(&dir, &["account", "key", "remove", "user@localhost", &fingerprint]);
    let said = open.line().unwrap();
    assert!(said.starts_with("* BYE"), "{said}");
    let said = imap(place.imaps(), &trust, "");
    assert!(said.starts_with("a NO [AUTHENTICATIONFAILED]"), "{said}");
    assert_eq!(done(&dir, &["account", "key", "list", "user", "--json"]), "[]\n");
    // It may be somebody else's now.
    done(&dir, &["account", "key", "add", "friend", file.to_str().unwrap()]);
    assert!(imap(place.imaps(), &trust, FRIEND).starts_with("a OK"));
    server.stop();
    let text = done(&dir, &["account", "key", "list", "friend"]);
    assert!(text.contains(&fingerprint), "{text}");
    place.verify();
}

fn only_who_asks_for_certificates_takes_them(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let trust = Trust::new(&place.ca(), &[TLS13]).showing(&key());
    let (mut client, greeting) = enter(place.imaps(), &trust);
    assert!(!greeting.contains("EXTERNAL"), "{greeting}");
    let said = client.say("a AUTHENTICATE EXTERNAL =").unwrap();
    assert!(said.starts_with("a NO"), "{said}");
    let (mut client, _) = enter(place.submissions(), &trust);
    assert!(client.say("HELO client.example").unwrap().starts_with("250"));
    let said = client.say("AUTH EXTERNAL =").unwrap();
    assert!(said.starts_with("504"), "{said}");
    server.stop();
}
