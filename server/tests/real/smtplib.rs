//! Python's smtplib, and what people do by hand with it: groups in one write, BDAT, logins.

use std::process::Command;

use crate::commands::done;
use crate::on_each_runtime;
use crate::server::{Place, script, succeed};
use crate::talk::Imap;

on_each_runtime!(smtplib_works);

/// Says on its side what each reply must be; here it is seen what came of it.
fn smtplib_works(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    done(&place.dir(), &["address", "add", "jörg@localhost", "friend"]);
    let ports = [place.smtp(), place.submission(), place.submissions()].map(|p| p.to_string());
    succeed(Command::new("python3").arg(script("smtplib_session.py")).args(ports).arg(place.ca()));

    let [user, friend] = [("user", 6), ("friend", 13)]
        .map(|(name, count)| Imap::login(place.imap(), name).inbox_of(count));
    let subjects = |inbox: &[Vec<u8>]| {
        let texts = inbox.iter().map(|message| String::from_utf8_lossy(message).into_owned());
        let of = |text: String| {
            text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
        };
        texts.map(of).collect::<Vec<_>>()
    };
    assert_eq!(subjects(&user), ["both", "one", "dots", "pipelined 1", "chunked", "large"]);
    assert_eq!(
        subjects(&friend),
        [
            "both",
            "pipelined 1",
            "pipelined 2",
            "chunked",
            "grüße ✓",
            "grüße ✓",
            "login 1",
            "login LOGIN False",
            "login PLAIN False",
            "login PLAIN True",
            "login CRAM-MD5 False",
            "login 5",
            "large",
        ]
    );
    for (message, end) in [
        (&user[2], "\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\n"),
        (&user[4], "\r\n\r\n.\r\nno stuffing\r\ngrüße, and no end of line"),
        (&friend[3], "\r\n\r\n.\r\nno stuffing\r\n"),
        (&friend[4], "\r\n\r\nfrüh\r\n"),
    ] {
        let whole = String::from_utf8_lossy(message);
        assert!(whole.ends_with(end), "{whole:?}");
    }
    for message in [&friend[4], &friend[5]] {
        let text = String::from_utf8_lossy(message);
        assert!(text.starts_with("Return-Path: <jörg@localhost>\r\n"), "{text}");
        assert!(text.contains(" with UTF8SMTP"), "{text}");
    }
    for message in [user.last().unwrap(), friend.last().unwrap()] {
        assert!(message.len() > 10 << 20 && message.ends_with(b"again and again.\r\n"));
    }
    server.stop();
    place.verify();
}
