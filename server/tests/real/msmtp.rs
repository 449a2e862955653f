//! msmtp, as `sendmail` of those who write from a terminal: a login in each way, and exit codes
//! (sysexits.h) by which a mail program knows what went wrong.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::commands::done;
use crate::logins::ways;
use crate::server::{PASSWORD, Place};
use crate::talk::Imap;

/// A message of no use as it is, as sysexits.h has it: here, an address was refused.
const EX_DATAERR: i32 = 65;
const EX_UNAVAILABLE: i32 = 69;
const EX_NOPERM: i32 = 77;

const STARTTLS: [&str; 2] = ["--tls=on", "--tls-starttls=on"];
const TLS: [&str; 2] = ["--tls=on", "--tls-starttls=off"];
const CLEAR: [&str; 1] = ["--tls=off"];

/// msmtp with these options, and this on its standard input.
fn msmtp(place: &Place, port: u16, options: &[&str], text: &str) -> Output {
    let mut child = Command::new("msmtp")
        .args(["--file=/dev/null", "--host=localhost", "--timeout=50"])
        .args([format!("--port={port}"), format!("--passwordeval=echo {PASSWORD}")])
        .arg(format!("--tls-trust-file={}", place.ca().display()))
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("msmtp: {error}; install the Debian package `msmtp`"));
    // It may have ended before it has read anything.
    let _closed = child.stdin.take().unwrap().write_all(text.as_bytes());
    child.wait_with_output().unwrap()
}

const LETTER: &str = "From: User <user@localhost>\nSubject: msmtp\n\n.\n.dot\nhello\n";

#[test]
fn msmtp_submits_in_every_way() {
    let place = Place::new("smol");
    let server = place.localserve();
    let from = ["--user=user@localhost", "--from=user@localhost", "friend@localhost"];
    let mut with = Vec::new();
    let mut expected = BTreeSet::new();
    for mechanism in ["plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "on"] {
        for (port, tls, trace) in [
            (place.submission(), &STARTTLS[..], "ESMTPSA"),
            (place.submissions(), &TLS, "ESMTPSA"),
            (place.submission(), &CLEAR, "ESMTPA"),
        ] {
            let auth = format!("--auth={mechanism}");
            let output = msmtp(&place, port, &[&[&auth[..]][..], tls, &from].concat(), LETTER);
            assert!(output.status.success(), "{auth} {tls:?}: {output:?}");
            with.push(trace);
            // By itself it says no password in clear.
            let used = match mechanism {
                "on" if tls == CLEAR => "SCRAM-SHA-256".to_owned(),
                "on" => "PLAIN".to_owned(),
                mechanism => mechanism.to_uppercase(),
            };
            let channel = if tls == CLEAR { "clear" } else { "tls" };
            expected.insert(format!("smtp {used} {channel} ok"));
        }
    }
    assert_eq!(ways(&place, "user"), expected);
    let inbox = Imap::login(place.imap(), "friend").inbox_of(with.len());
    assert_eq!(inbox.len(), with.len());
    for (message, with) in inbox.iter().zip(with) {
        let text = String::from_utf8(message.clone()).unwrap();
        assert!(text.contains(&format!(" with {with} id ")), "{text}");
        assert!(text.ends_with("\r\n\r\n.\r\n.dot\r\nhello\r\n"), "{text}");
    }
    server.stop();
}

/// Where `any_sender` is not said, unlike in `localserve`.
#[test]
fn msmtp_tells_what_was_refused() {
    let place = Place::new("smol");
    place.localserve().stop();
    let port = place.smtp() + 1;
    let listener =
        format!("[[listener]]\nprotocol = \"submissions\"\naddress = \"127.0.0.1:{port}\"");
    let server = place.serve("", &listener);
    let dir = place.dir();
    for (alias, allowed) in [("team@localhost", "true"), ("board@localhost", "false")] {
        done(&dir, &["alias", "add", alias, "user@localhost", "--allow-from", allowed]);
    }
    let user = ["--auth=plain", "--user=user@localhost"];
    let friend = "friend@localhost";
    let from = |address: &str| format!("From: {address}\nSubject: msmtp\n\nhello\n");
    for (options, text, exit) in [
        ([&user[..], &["--from=user@localhost", friend]].concat(), from("user@localhost"), None),
        ([&user[..], &["--from=team@localhost", friend]].concat(), from("team@localhost"), None),
        (
            [&user[..], &["--from=board@localhost", friend]].concat(),
            from("board@localhost"),
            Some((EX_DATAERR, "envelope from address board@localhost not accepted", "550 5.7.1")),
        ),
        (
            [&user[..], &["--from=friend@localhost", friend]].concat(),
            from("friend@localhost"),
            Some((EX_DATAERR, "envelope from address friend@localhost not accepted", "550 5.7.1")),
        ),
        (
            [&user[..], &["--from=user@localhost", friend]].concat(),
            from("friend@localhost"),
            Some((EX_UNAVAILABLE, "the server did not accept the mail", "550 5.7.1")),
        ),
        (
            [&user[..], &["--from=user@localhost", "rcpttopermerror@localhost"]].concat(),
            from("user@localhost"),
            Some((EX_DATAERR, "rcpttopermerror@localhost not accepted", "550 5.0.0")),
        ),
        (
            vec!["--auth=plain", "--user=nobody@localhost", "--from=user@localhost", friend],
            from("user@localhost"),
            Some((EX_NOPERM, "authentication failed", "535 5.7.8")),
        ),
        // An alias is nobody who could log in.
        (
            vec!["--auth=login", "--user=team@localhost", "--from=team@localhost", friend],
            from("team@localhost"),
            Some((EX_NOPERM, "authentication failed", "535 5.7.8")),
        ),
        (
            vec!["--auth=off", "--from=user@localhost", friend],
            from("user@localhost"),
            Some((EX_DATAERR, "not accepted", "530 5.7.0")),
        ),
    ] {
        let output = msmtp(&place, port, &[&TLS[..], &options].concat(), &text);
        let said = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code().unwrap();
        assert_eq!(code, exit.map_or(0, |(code, ..)| code), "{options:?}: {said}");
        if let Some((_, why, reply)) = exit {
            assert!(said.contains(why), "{options:?}: {said}");
            assert!(said.contains(&format!("server message: {reply} ")), "{options:?}: {said}");
        }
    }
    assert_eq!(Imap::login(place.imap(), "friend").inbox_of(2).len(), 2);
    server.stop();
}
