//! LMTP by Python's smtplib and by hand: each recipient has its own answer, and no yes comes before
//! the sync.

use std::process::Command;

use crate::on_each_runtime;
use crate::server::{Place, Server, pillarbox, script, succeed};
use crate::sync::{ACCEPTED, WATCHED, judge};
use crate::talk::{Imap, Talk, letter};
use crate::trace::{Strace, Threads, calls};

on_each_runtime!(smtplib_hands_over, no_yes_before_the_sync, nobodys_file_is_removed);

fn smtplib_hands_over(runtime: &'static str) {
    let (place, server) = begin(runtime);
    quota(&place, "friend", "1kB");
    succeed(
        Command::new("python3")
            .arg(script("lmtp_session.py"))
            .arg(port(&place).to_string())
            .arg(place.ca()),
    );
    let subjects = |user| -> Vec<String> {
        let inbox = Imap::login(place.imap(), user).inbox().into_iter();
        let texts = inbox.map(|message| String::from_utf8(message).unwrap());
        texts
            .map(|text| {
                assert!(text.starts_with("Return-Path: <ann@client.example>\r\n"), "{text}");
                let with =
                    if text.contains("TLSv1") { " with LMTPS id " } else { " with LMTP id " };
                assert!(text.contains(with), "{text}");
                text.split_once("Subject: ").unwrap().1.lines().next().unwrap().to_owned()
            })
            .collect()
    };
    assert_eq!(subjects("user"), ["both", "large", "alone", "under TLS"]);
    assert_eq!(subjects("friend"), ["both"]);
    for (name, count) in [
        ("messages_accepted_total", 4),
        ("messages_put_off_total", 1),
        ("recipients_delivered_total", 5),
        ("recipients_refused_total", 3),
    ] {
        assert_eq!(place.metric(name), count, "{name}");
    }
    for told in ["recipient refused", "message accepted"] {
        assert!(server.stderr.wait_for(|line| line.contains(told)).is_some(), "{told}");
    }
    server.stop();
    place.verify();
}

fn no_yes_before_the_sync(runtime: &'static str) {
    let (place, server) = begin(runtime);
    quota(&place, "friend", "1kB");
    for size in [2 << 10, 100 << 10] {
        let mut talk = relay(&place);
        let log = place.beside("strace.log");
        let strace = Strace::attach(&server, Threads::All, log, &["-e", WATCHED]);
        let to = ["user@localhost", "friend@localhost"];
        let first = talk.deliver(&to, &letter("synced", size)).unwrap();
        assert!(first.starts_with("250 2.0.0"), "{first}");
        let second = talk.reply().unwrap();
        assert!(second.starts_with("452 4.2.2"), "{second}");
        // strace has written the reply down before the next one comes.
        talk.say("NOOP").unwrap();
        let seen = calls(&strace.detach());
        assert_eq!(judge(&seen, ACCEPTED, &place.dir(), size > 2 << 10), Ok(()), "{size}");
    }
    server.stop();
    place.verify();
}

/// A large body that no recipient has room for, then one that one of them has.
fn nobodys_file_is_removed(runtime: &'static str) {
    let (place, server) = begin(runtime);
    quota(&place, "friend", "1kB");
    let text = letter("large", 1 << 20);
    let mut talk = relay(&place);
    let reply = talk.deliver(&["friend@localhost"], &text).unwrap();
    assert!(reply.starts_with("452 4.2.2"), "{reply}");
    place.settles_at_body_files(0);
    let reply = talk.deliver(&["friend@localhost", "user@localhost"], &text).unwrap();
    assert!(reply.starts_with("452 4.2.2"), "{reply}");
    assert!(talk.reply().unwrap().starts_with("250 2.0.0"));
    place.settles_at_body_files(1);
    server.stop();
    place.verify();
}

/// A server with an LMTP listener, and the accounts of `localserve`.
fn begin(runtime: &'static str) -> (Place, Server) {
    let place = Place::new(runtime);
    place.localserve().stop();
    let address = format!("address = \"127.0.0.1:{}\"", port(&place));
    let server = place.serve("", &format!("[[listener]]\nprotocol = \"lmtp\"\n{address}"));
    (place, server)
}

fn port(place: &Place) -> u16 {
    place.smtp() + 1
}

fn quota(place: &Place, account: &str, size: &str) {
    let words = ["account", "quota", account, size, "--dir"];
    succeed(pillarbox().args(words).arg(place.dir()));
}

/// An LMTP session that has greeted.
fn relay(place: &Place) -> Talk {
    let mut talk = Talk::to(port(place)).unwrap();
    let greeting = talk.reply().unwrap();
    assert!(greeting.starts_with("220 localhost LMTP"), "{greeting}");
    assert!(talk.say("EHLO relay.example").unwrap().starts_with("500"));
    assert!(talk.say("LHLO relay.example").unwrap().starts_with("250"));
    talk
}
