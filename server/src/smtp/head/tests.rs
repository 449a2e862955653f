use pillarbox_core::flow::Desk;
use proptest::prelude::*;

use super::super::spool::Body;
use super::*;

struct Sevens;

impl Random for Sevens {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

static LIMITS: HeadLimits =
    HeadLimits { bytes_max: 200, fields_max: 6, addresses_max: 5, received_max: 2 };

/// How it comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Exchange,
    Submission,
    /// Submission where anybody may send as anybody.
    Trial,
}

fn rules(port: Port) -> Rules<'static> {
    Rules {
        limits: &LIMITS,
        parts_max: 3,
        submission: port != Port::Exchange,
        any_sender: port != Port::Submission,
        checked: false,
        hostname: "mx.example",
        at: UnixSeconds(1_795_527_240),
        random: || Box::new(Sevens),
    }
}

fn take(text: &[u8], cuts: &[usize], port: Port) -> Result<(Vec<u8>, Facts), Reply> {
    let rules = rules(port);
    let mut letter = Text::new(&LIMITS);
    let mut cuts = cuts.iter();
    let mut rest = text;
    while !rest.is_empty() {
        let length = cuts.next().copied().unwrap_or(usize::MAX).min(rest.len());
        let (piece, after) = rest.split_at(length);
        letter.push(piece, &rules);
        rest = after;
    }
    letter.finish(&rules).map_err(|refusal| refusal.reply).map(|Taken { spool, facts, .. }| {
        let mut flow = pillarbox_core::flow::Flow::new(async {
            match spool.finish(Desk::default(), &mut Sevens).await {
                (None, Ok(Body::Inline(bytes))) => bytes,
                other => panic!("{other:?}"),
            }
        });
        (flow.poll().unwrap(), facts)
    })
}

fn stored(text: &str, port: Port) -> String {
    String::from_utf8(take(text.as_bytes(), &[], port).unwrap().0).unwrap()
}

const DATE: &str = "Date: Tue, 24 Nov 2026 13:34:00 +0000\r\n";
const MESSAGE_ID: &str = "Message-ID: <07070707070707070707070707070707@mx.example>\r\n";
const BOTH: &str = "Date: today\r\nMessage-ID: <a@x>\r\n";

#[test]
fn what_is_stored_of_a_head() {
    use Port::{Exchange, Submission, Trial};
    let from = "From: a@x\r\n";
    for (text, port, expected) in [
        (format!("{from}\r\nx\r\n"), Exchange, format!("{from}\r\nx\r\n")),
        (format!("{from}\r\nx\r\n"), Submission, format!("{DATE}{MESSAGE_ID}{from}\r\nx\r\n")),
        (
            format!("{from}DATE: 1\r\n\r\n"),
            Submission,
            format!("{MESSAGE_ID}{from}DATE: 1\r\n\r\n"),
        ),
        (format!("{from}message-id : 1\r\n"), Trial, format!("{DATE}{from}message-id : 1\r\n")),
        (String::new(), Exchange, String::new()),
        (String::new(), Trial, format!("{DATE}{MESSAGE_ID}")),
        // What is below the head stays, whatever it looks like.
        (
            format!(
                "{BOTH}{from}Bcc: b@x,\r\n c@x\r\nbcc:\r\n\td@x\r\nTo: e@x\r\n\r\nBcc: f@x\r\n"
            ),
            Submission,
            format!("{BOTH}{from}To: e@x\r\n\r\nBcc: f@x\r\n"),
        ),
        (format!("{BOTH}Resent-Bcc: b@x\r\n"), Trial, BOTH.to_owned()),
        (format!("{from}Bcc: b@x\r\n\r\n"), Exchange, format!("{from}Bcc: b@x\r\n\r\n")),
        (
            format!("Return-Path: <b@x>\r\n{from}return-path:\r\n <c@x>\r\n\r\nReturn-Path: d\r\n"),
            Exchange,
            format!("{from}\r\nReturn-Path: d\r\n"),
        ),
        (format!("Return-Path: <b@x>\r\n{BOTH}{from}"), Submission, format!("{BOTH}{from}")),
    ] {
        assert_eq!(stored(&text, port), expected, "{text}");
    }
}

#[test]
fn what_a_head_says() {
    let facts = |text: &str| take(text.as_bytes(), &[], Port::Exchange).unwrap().1;
    for (text, optional) in [
        ("TLS-Required: No\r\n", true),
        ("tls-required:\r\n\tno \r\n", true),
        ("TLS-Required: Yes\r\n", false),
        ("TLS-Required: No, really\r\n", false),
        ("TLS-Required: No\r\nTLS-Required: No\r\n", false),
        ("A: 1\r\n\r\nTLS-Required: No\r\n", false),
    ] {
        assert_eq!(facts(text).tls_optional, optional, "{text}");
    }
    assert!(facts("Subject: gr\u{fc}n\r\n\r\n").eight_bit_head);
    assert!(!facts("Subject: x\r\n\r\ngr\u{fc}n\r\n").eight_bit_head);
    assert_eq!(facts("From: a@x\r\n").originators, []);
    let (_, facts) = take(b"Sender: b@x\r\nFrom: a@x\r\n", &[], Port::Submission).unwrap();
    let named: Vec<_> = facts.originators.iter().map(Originator::to_string).collect();
    assert_eq!(named, ["a@x", "b@x"]);
}

#[test]
fn what_is_refused() {
    use Port::{Exchange, Submission, Trial};
    let long = |length: usize| format!("A: {}\r\n\r\n", "x".repeat(length - 7));
    for (text, port, refusal) in [
        (long(200), Exchange, None),
        (long(201), Exchange, Some("552 header is larger than 200")),
        ("A: 1\r\n".repeat(6), Exchange, None),
        ("A: 1\r\n".repeat(7), Exchange, Some("554 more than 6 fields")),
        ("To: a@x,b@x,c@x\r\nCc: d@x,e@x\r\n".into(), Exchange, None),
        (
            "To: a@x,b@x,c@x\r\nCc: d@x,e@x,f@x\r\n".into(),
            Exchange,
            Some("554 more than 5 addresses"),
        ),
        ("Received: x\r\n".repeat(2), Exchange, None),
        ("Received: x\r\n".repeat(3), Exchange, Some("554 more than 2 Received")),
        ("A: 1\r\n\r\n".into(), Exchange, None),
        ("A: 1\r\n\r\n".into(), Trial, None),
        ("From: a@x\r\nFrom: a@x\r\n".into(), Trial, None),
        ("A: 1\r\n\r\nFrom: a@x\r\n".into(), Submission, Some("554 has no From")),
        (String::new(), Submission, Some("554 has no From")),
        ("From: a@x\r\nFrom: a@x\r\n".into(), Submission, Some("554 more than one From")),
        ("From: Ann\r\n <>\r\n".into(), Submission, None),
        ("From: none:;\r\n".into(), Submission, Some("554 From field of the message names no")),
    ] {
        let result = take(text.as_bytes(), &[], port);
        match (result, refusal) {
            (Ok(_), None) => {}
            (Err(reply), Some(refusal)) => {
                let (code, words) = refusal.split_at(4);
                assert_eq!(reply.code().to_string(), code.trim_end(), "{text}");
                assert!(reply.text().contains(words), "{}", reply.text());
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_refused_text_is_read_and_not_kept() {
    let mut letter = Text::new(&LIMITS);
    letter.push(&[b'x'; 201], &rules(Port::Exchange));
    assert!(matches!(letter, Text::Refused(_)));
    for _ in 0..10 {
        letter.push(&[b'x'; 1_000], &rules(Port::Exchange));
    }
    assert_eq!(letter.spool_mut().unwrap().size(), 0);
    let refusal = letter.finish(&rules(Port::Exchange)).unwrap_err();
    assert_eq!(refusal.reply.code(), Code::TOO_LARGE);
    // What came before it is not kept either.
    let mut letter = Text::new(&LIMITS);
    letter.push(b"A: 1\r\n\r\ntext\r\n\0", &rules(Port::Exchange));
    letter.push(&[b'x'; 1_000], &rules(Port::Exchange));
    assert_eq!(letter.spool_mut().unwrap().size(), 0);
    let refusal = letter.finish(&rules(Port::Exchange)).unwrap_err();
    assert!(refusal.reply.text().starts_with("a NUL at byte 14 "), "{}", refusal.reply.text());
}

#[test]
fn nul_and_too_many_parts_are_refused_by_what_comes_first() {
    let mixed = "Content-Type: multipart/mixed; boundary=x\r\n";
    let parts = |count: usize| format!("{mixed}\r\n{}", "--x\r\n\r\na\r\n".repeat(count));
    let fits = parts(2) + "--x--\r\n";
    for (text, refusal) in [
        (fits.clone(), None),
        (parts(3), Some("554 more than 3 MIME parts")),
        (parts(30) + "\0", Some("554 more than 3 MIME parts")),
        ("Content-Type: message/rfc822\r\n\r\n".repeat(2), None),
        ("Content-Type: message/rfc822\r\n\r\n".repeat(3), Some("554 more than 3 MIME parts")),
        // No parts at all.
        (parts(30).replace("multipart", "text"), None),
        (parts(30).replace("Content-Type", "X"), None),
        ("\0".into(), Some("554 NUL at byte 0 of")),
        ("A: \0\r\n\r\n".into(), Some("554 NUL at byte 3 of")),
        ("A: 1\r\n\r\nab\0\0".into(), Some("554 NUL at byte 10 of")),
        (fits.clone() + "\0", Some("554 NUL at byte 72 of")),
        (fits + "\0" + &parts(30), Some("554 NUL at byte 72 of")),
        ("A: 1\r\n".repeat(7) + "\r\n\0", Some("554 more than 6 fields")),
        ("A: 1\r\n".repeat(7) + "\0", Some("554 NUL at byte 42 of")),
        (format!("A: {}\0", "x".repeat(197)), Some("554 NUL at byte 200 of")),
        (format!("A: {}\0", "x".repeat(198)), Some("552 header is larger than 200")),
    ] {
        let whole = take(text.as_bytes(), &[], Port::Exchange);
        assert_eq!(take(text.as_bytes(), &[1; 2_000], Port::Exchange), whole, "{text:?}");
        match (whole, refusal) {
            (Ok((stored, _)), None) => assert_eq!(stored, text.as_bytes()),
            (Err(reply), Some(refusal)) => {
                let (code, words) = refusal.split_at(4);
                assert_eq!(reply.code().to_string(), code.trim_end(), "{text:?}");
                assert!(reply.text().contains(words), "{text:?}: {}", reply.text());
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_and_the_body_stays_as_it_is(
        head in prop::collection::vec(prop::sample::select(vec![
            "From: a@x\r\n", "Bcc: b@x,\r\n c@x\r\n", "Return-Path: <d@x>\r\n", "Date: 1\r\n",
            "no field\r\n", " folded\r\n", "Received: x\r\n", "Subject: \u{fc}\r\n",
        ]), 0..8),
        body in prop::collection::vec(prop::sample::select(b"Bc: \r\n\xFF".to_vec()), 0..60),
        cuts in prop::collection::vec(1_usize..40, 0..80),
        port in prop::sample::select(vec![Port::Exchange, Port::Submission, Port::Trial]),
    ) {
        let mut text = head.concat().into_bytes();
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(&body);
        let whole = take(&text, &[], port);
        prop_assert_eq!(&take(&text, &cuts, port), &whole);
        if let Ok((stored, _)) = whole {
            let mut end = b"\r\n".to_vec();
            end.extend_from_slice(&body);
            prop_assert!(stored.ends_with(&end));
        }
    }
}
