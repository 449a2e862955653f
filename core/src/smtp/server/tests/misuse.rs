//! Calls out of order, and refusals by the owner.

use super::*;
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn fresh() -> (Server, Outbox) {
    (Server::new(Arc::new(Setting::Trusting.config()), "c7"), Outbox::new(1 << 16))
}

/// A server that has heard these bytes, each event answered by `reply`.
fn heard(mut bytes: &[u8], reply: &Reply) -> (Server, Outbox) {
    let (mut server, mut out) = fresh();
    server.greet(&Reply::greeting(""), &mut out).unwrap();
    loop {
        let step = server.next(bytes, &mut out);
        bytes = &bytes[step.used..];
        match step.next {
            Next::Event(_) if bytes.is_empty() => return (server, out),
            Next::Event(_) => server.reply(reply, &mut out).unwrap(),
            Next::NeedBytes => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn misuse_writes_nothing_and_changes_nothing() {
    let (mut server, mut out) = fresh();
    assert_eq!(server.reply(&Reply::accepted(), &mut out), Err(Misuse::NothingAsked));
    assert_eq!(server.challenge(b"", &mut out), Err(Misuse::NoExchange));
    assert!(out.is_empty());
    assert!(matches!(server.next(b"NOOP\r\n", &mut out), Step { used: 0, next: Next::AwaitReply }));
    server.greet(&Reply::greeting(""), &mut out).unwrap();
    assert_eq!(out.unsent(), b"220 mx.example\r\n");
    out.clear();
    assert_eq!(server.greet(&Reply::greeting(""), &mut out), Err(Misuse::Greeted));
    assert_eq!(server.tls_started(), Err(Misuse::NoHandshake));
    assert_eq!(server.reply(&Reply::accepted(), &mut out), Err(Misuse::NothingAsked));
    assert!(matches!(server.next(b"HELO x\r\n", &mut out).next, Next::Event(Event::Hello(_))));
    assert_eq!(server.challenge(b"", &mut out), Err(Misuse::NoExchange));
    assert!(matches!(server.next(b"NOOP\r\n", &mut out), Step { used: 0, next: Next::AwaitReply }));
    assert!(out.is_empty());
    assert!(server.is_busy());
    server.reply(&Reply::hello(""), &mut out).unwrap();
    assert_eq!(out.unsent(), b"250 mx.example\r\n");
    assert!(!server.is_busy());
}

#[test]
fn a_refused_connection_is_closed() {
    let (mut server, mut out) = fresh();
    server.greet(&Reply::try_later(), &mut out).unwrap();
    assert!(out.unsent().ends_with(b" (c7)\r\n"));
    assert!(matches!(server.next(b"EHLO x\r\n", &mut out), Step { used: 0, next: Next::Closed }));
}

#[test]
fn tls_may_run_before_the_greeting() {
    let (mut server, mut out) = fresh();
    server.tls_started().unwrap();
    server.greet(&Reply::greeting("ESMTP"), &mut out).unwrap();
    assert!(matches!(server.next(b"EHLO x\r\n", &mut out).next, Next::Event(_)));
    server.reply(&Reply::hello("hello"), &mut out).unwrap();
    let said = replies(&mut out).join("\n");
    assert!(said.contains("S: 250-AUTH LOGIN PLAIN") && !said.contains("STARTTLS"), "{said}");
}

/// RFC 5321 §4.1.4: the session stays as it was.
#[test]
fn a_refused_hello_changes_nothing() {
    let (mut server, mut out) =
        heard(b"EHLO x\r\nMAIL FROM:<a@b>\r\nEHLO y\r\n", &Reply::hello(""));
    server.reply(&Reply::try_later(), &mut out).unwrap();
    assert!(server.is_busy());
    assert!(matches!(
        server.next(b"RCPT TO:<c@d>\r\n", &mut out).next,
        Next::Event(Event::Rcpt(_))
    ));
}

#[test]
fn what_is_refused_may_be_tried_again() {
    for (before, command) in [
        ("", "EHLO x\r\n"),
        ("EHLO x\r\n", "MAIL FROM:<a@b>\r\n"),
        ("EHLO x\r\n", "STARTTLS\r\n"),
        ("EHLO x\r\n", "AUTH PLAIN AAA=\r\n"),
        ("EHLO x\r\nMAIL FROM:<a@b>\r\n", "RCPT TO:<c@d>\r\n"),
        ("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n", "DATA\r\n"),
    ] {
        let bytes = format!("{before}{command}");
        let (mut server, mut out) = heard(bytes.as_bytes(), &Reply::hello(""));
        out.clear();
        server.reply(&Reply::try_later(), &mut out).unwrap();
        assert!(out.unsent().starts_with(b"451 4.3.0 ") && out.unsent().ends_with(b" (c7)\r\n"));
        let step = server.next(command.as_bytes(), &mut out);
        assert!(matches!(step.next, Next::Event(_)), "{command}: {step:?}");
    }
}

#[test]
fn a_challenge_is_base64_and_421_closes() {
    let (mut server, mut out) = heard(b"EHLO x\r\nAUTH PLAIN\r\n", &Reply::hello(""));
    out.clear();
    server.challenge(b"Username:", &mut out).unwrap();
    assert_eq!(out.unsent(), b"334 VXNlcm5hbWU6\r\n");
    assert!(matches!(server.next(b"", &mut out), Step { used: 0, next: Next::NeedBytes }));
    assert!(matches!(server.next(b"\r\n", &mut out).next, Next::Event(Event::AuthResponse(_))));
    server.reply(&Reply::stopping(), &mut out).unwrap();
    assert!(matches!(server.next(b"NOOP\r\n", &mut out).next, Next::Closed));
    out.clear();
    server.close(&Reply::stopping(), &mut out);
    assert!(out.is_empty(), "closed twice");
}

#[test]
fn a_message_that_was_refused_is_gone() {
    let bytes = b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
    let (mut server, mut out) = heard(bytes, &Reply::hello(""));
    server.reply(&Reply::recipient_ok(), &mut out).unwrap();
    assert!(matches!(server.next(b"DATA\r\n", &mut out).next, Next::Event(Event::Data)));
    server.reply(&Reply::start_mail(), &mut out).unwrap();
    assert!(matches!(server.next(b".\r\n", &mut out).next, Next::Event(Event::BodyEnd)));
    server.reply(&Reply::no_storage(), &mut out).unwrap();
    assert!(!server.is_busy());
    out.clear();
    assert!(matches!(server.next(b"DATA\r\n", &mut out).next, Next::NeedBytes));
    assert_eq!(out.unsent(), b"503 5.5.1 send MAIL first (c7)\r\n");
}

#[test]
fn debug_hides_passwords() {
    let shown = format!("{:?}", Event::AuthResponse(Secret(b"secret".to_vec())));
    assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
}

#[derive(Debug, Clone)]
enum Call {
    /// More bytes come.
    Come(Vec<u8>),
    /// Bytes that were never used vanish.
    Lose(Index),
    Next,
    Greet(Reply),
    Reply(Reply),
    ReplyEach(Vec<Reply>),
    Challenge(Vec<u8>),
    TlsStarted,
    Close,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let reply = select(vec![
        Reply::hello("x"),
        Reply::start_mail(),
        Reply::try_later(),
        Reply::no_such_mailbox(),
        Reply::stopping(),
    ]);
    let known = select(vec![
        "EHLO x\r\n",
        "LHLO x\r\n",
        "BDAT 2 LAST\r\n",
        "MAIL FROM:<a@b>\r\n",
        "RCPT TO:<c@d>\r\n",
        "DATA\r\n",
        "text\r\n",
        ".\r\n",
        "RSET\r\n",
        "STARTTLS\r\n",
        "AUTH PLAIN\r\n",
        "AUTH PLAIN AAA=\r\n",
        "*\r\n",
        "\r",
        "\n.",
    ]);
    let bytes = prop_oneof![
        8 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => (0_usize..15_000).prop_map(|length| vec![b'x'; length]),
    ];
    let call = prop_oneof![
        8 => bytes.prop_map(Call::Come),
        1 => any::<Index>().prop_map(Call::Lose),
        16 => Just(Call::Next),
        1 => reply.clone().prop_map(Call::Greet),
        12 => select(vec![Reply::hello("x"), Reply::start_mail()]).prop_map(Call::Reply),
        3 => reply.clone().prop_map(Call::Reply),
        3 => prop::collection::vec(reply, 0..4).prop_map(Call::ReplyEach),
        2 => prop::collection::vec(any::<u8>(), 0..9).prop_map(Call::Challenge),
        1 => Just(Call::TlsStarted),
        1 => prop::bool::weighted(0.05).prop_map(|yes| if yes { Call::Close } else { Call::Next }),
    ];
    prop::collection::vec(call, 0..120)
}

proptest! {
    #[test]
    fn any_calls_in_any_order(
        calls in calls(),
        greeted in any::<bool>(),
        setting in select(vec![Setting::Trusting, Setting::Lmtp]),
    ) {
        let mut server = Server::new(Arc::new(setting.config()), "c7");
        let mut out = Outbox::new(1 << 16);
        let mut unread = Vec::new();
        if greeted {
            server.greet(&Reply::greeting(""), &mut out).unwrap();
        }
        for call in calls {
            let written = out.unsent().len();
            let misused = match call {
                Call::Come(bytes) => {
                    unread.extend(bytes);
                    false
                }
                Call::Lose(index) => {
                    unread.truncate(index.index(unread.len() + 1));
                    false
                }
                Call::Next => {
                    let step = server.next(&unread, &mut out);
                    prop_assert!(step.used <= unread.len());
                    let used = step.used;
                    unread.drain(..used);
                    false
                }
                Call::Greet(reply) => server.greet(&reply, &mut out).is_err(),
                Call::Reply(reply) => server.reply(&reply, &mut out).is_err(),
                Call::ReplyEach(replies) => server.reply_each(&replies, &mut out).is_err(),
                Call::Challenge(data) => server.challenge(&data, &mut out).is_err(),
                Call::TlsStarted => server.tls_started().is_err(),
                Call::Close => {
                    server.close(&Reply::stopping(), &mut out);
                    prop_assert!(matches!(server.next(&unread, &mut out).next, Next::Closed));
                    false
                }
            };
            prop_assert!(!misused || out.unsent().len() == written, "misuse wrote something");
        }
    }

    /// Each step that is not the last uses bytes, or hands something to the owner.
    #[test]
    fn what_has_come_is_soon_read(lines in prop::collection::vec(
        prop_oneof![
            4 => select(vec!["EHLO x\r\n", "MAIL FROM:<a@b>\r\n", "RCPT TO:<c@d>\r\n", "DATA\r\n", ".\r\n"])
                .prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..3_000),
        ], 0..30),
    ) {
        let (mut server, mut out) = fresh();
        server.greet(&Reply::greeting(""), &mut out).unwrap();
        let came = lines.concat();
        let mut unread = came.as_slice();
        let mut letter = Letter::default();
        loop {
            let step = server.next(unread, &mut out);
            let used = step.used;
            match step.next {
                Next::Event(event) => {
                    prop_assert!(used > 0 || matches!(event, Event::BodyRefused(_)));
                    let _ = decide(&mut server, &mut out, &mut letter, event);
                }
                Next::NeedBytes if used > 0 => {}
                Next::NeedBytes => {
                    // An unfinished line at most is left.
                    prop_assert!(unread.len() < 12_288);
                    break;
                }
                Next::AwaitReply | Next::Closed => break,
            }
            unread = &unread[used..];
        }
    }
}
