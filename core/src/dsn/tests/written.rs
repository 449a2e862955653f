//! What we write: by the letter, within bounds, and read again.

use proptest::prelude::*;

use crate::UnixSeconds;
use crate::dsn::{Action, Limits, Notice, Original, Outcome, Report, Shape, Status, Written};
use crate::mime::{Content, Structure};

const HEADER: &[u8] = b"Received: from a by b\r\n\t; Tue, 24 Nov 2026 13:30:00 +0000\r\n\
    From: ann@example.org\r\nTo: Bob <bob@example.net>\r\nSubject: Lunch\r\n\
    References: <m0@example.net>\r\nMessage-ID: <m1@example.org>\r\n\r\nnot a field: x\r\n";

fn report<'a>(outcomes: &'a [Outcome<'a>], original: Original<'a>) -> Report<'a> {
    Report {
        reporter: "mx.example.org",
        to: "ann@example.org",
        message_id: "r1@mx.example.org",
        boundary: "b1",
        date: UnixSeconds(1_795_527_240),
        arrived: UnixSeconds(1_795_527_000),
        envelope_id: None,
        international: false,
        outcomes,
        original,
    }
}

fn text(written: &Written, original: &[u8]) -> Vec<u8> {
    let whole = if written.whole { original } else { &[] };
    [&written.head, whole, &written.tail].concat()
}

#[test]
fn a_failure_by_the_letter() {
    let outcomes = [Outcome {
        original: Some(("rfc822", "bobby@example.com")),
        server: Some("mx.example.net"),
        said: Some("550-5.1.1 no such mailbox\n550 5.1.1 here"),
        last_attempt: Some(UnixSeconds(1_795_527_240)),
        retry_until: Some(UnixSeconds(1_795_527_999)),
        ..Outcome::new("bob@example.net", Action::Failed, Status::new(5, 1, 1))
    }];
    let report =
        Report { envelope_id: Some("QQ 314+159"), ..report(&outcomes, Original::header(HEADER)) };
    let written = report.write().unwrap();
    assert!(!written.whole && !written.eight_bit && !written.international);
    let expected = "From: Mail Delivery System <MAILER-DAEMON@mx.example.org>
To: <ann@example.org>
Subject: Mail could not be delivered: bob@example.net
Date: Tue, 24 Nov 2026 13:34:00 +0000
Message-ID: <r1@mx.example.org>
In-Reply-To: <m1@example.org>
References: <m0@example.net> <m1@example.org>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=\"b1\"

--b1
Content-Type: text/plain; charset=us-ascii

This is the mail system of mx.example.org.

About your message:

    Subject: Lunch
    To: Bob <bob@example.net>

It could NOT be delivered to:

    bob@example.net (you wrote to bobby@example.com)
        mx.example.net said:
            550-5.1.1 no such mailbox
            550 5.1.1 here
        There is no such mailbox, or not any more. Look whether the
        address is spelled right, or ask the person by other means.

Nothing more is tried for the addresses that failed. Technical details
and your message, or its header, are attached.

--b1
Content-Type: message/delivery-status

Original-Envelope-Id: QQ 314+159
Reporting-MTA: dns; mx.example.org
Arrival-Date: Tue, 24 Nov 2026 13:30:00 +0000

Original-Recipient: rfc822; bobby@example.com
Final-Recipient: rfc822; bob@example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.net
Diagnostic-Code: smtp; 550-5.1.1 no such mailbox 550 5.1.1 here
Last-Attempt-Date: Tue, 24 Nov 2026 13:34:00 +0000

--b1
Content-Type: text/rfc822-headers

Received: from a by b
\t; Tue, 24 Nov 2026 13:30:00 +0000
From: ann@example.org
To: Bob <bob@example.net>
Subject: Lunch
References: <m0@example.net>
Message-ID: <m1@example.org>

--b1--
";
    let found = String::from_utf8(text(&written, b"")).unwrap();
    assert_eq!(found.replace("\r\n", "\n"), expected);
    assert_eq!(found.matches('\n').count(), found.matches("\r\n").count());
}

#[test]
fn nobody_is_told_of_nothing_and_the_null_sender_never() {
    let outcomes = [Outcome::new("b@c", Action::Failed, Status::new(5, 0, 0))];
    assert!(report(&[], Original::header(HEADER)).write().is_none());
    let to_nobody = Report { to: "", ..report(&outcomes, Original::header(HEADER)) };
    assert!(to_nobody.write().is_none());
}

#[test]
fn what_goes_back_of_the_message() {
    let ascii = "Subject: x\r\nMessage-ID: <a@b>\r\n\r\n".as_bytes();
    let utf8 = "Subject: \u{e4}\r\nMessage-ID: <a@b>\r\n\r\n".as_bytes();
    let latin = b"Subject: \xE4\r\nMessage-ID: <a@b>\r\n\r\n".as_slice();
    let long = format!("Subject: {}\r\nMessage-ID: <a@b>\r\n\r\n", "x".repeat(2_000));
    let long = long.as_bytes();
    let (seven, eight) = (Some(Shape::SevenBit), Some(Shape::EightBit));
    for (header, whole, size, failed, international, expected) in [
        (ascii, None, 9, true, false, "text/rfc822-headers"),
        (ascii, seven, 9, true, false, "message/rfc822 whole"),
        (ascii, eight, 9, true, false, "message/rfc822 8bit whole"),
        (ascii, Some(Shape::Binary), 9, true, false, "text/rfc822-headers"),
        (ascii, seven, 300_000, true, false, "text/rfc822-headers"),
        (ascii, seven, 9, false, false, "text/rfc822-headers"),
        (utf8, None, 9, true, true, "message/global-headers 8bit SMTPUTF8"),
        (utf8, None, 9, true, false, "message/global-headers quoted-printable"),
        (utf8, eight, 9, true, true, "message/global 8bit whole SMTPUTF8"),
        (utf8, eight, 9, true, false, "message/global-headers quoted-printable"),
        (latin, None, 9, true, true, "text/rfc822-headers quoted-printable"),
        (latin, eight, 9, true, false, "message/rfc822 8bit whole"),
        (long, None, 9, true, false, "text/rfc822-headers quoted-printable"),
    ] {
        let action = if failed { Action::Failed } else { Action::Delayed };
        let outcomes = [Outcome::new("b@c", action, Status::new(5, 0, 0))];
        let original = Original { header, whole, size, limits: Limits::default() };
        let report = Report { international, ..report(&outcomes, original) };
        let written = report.write().unwrap();
        let message = text(&written, &[header, b"Hello\r\n"].concat());
        assert_eq!(returned(&written, &message), expected);
        let about = String::from_utf8_lossy(header);
        assert_eq!(Notice::read(&message).unwrap().message_id.as_deref(), Some("a@b"), "{about}");
    }
}

/// The last part of a report, and what is said of the report.
fn returned(written: &Written, message: &[u8]) -> String {
    let structure = Structure::of(message);
    let parts: Vec<_> = structure.children(structure.root()).collect();
    assert_eq!(parts.len(), 3);
    let last = structure.part(parts[2]);
    let field = |name: &[u8]| {
        let value = structure.field(last, name).map_or(&b""[..], |field| field.value);
        String::from_utf8_lossy(value).trim().to_owned()
    };
    let (media, encoding) = (field(b"Content-Type"), field(b"Content-Transfer-Encoding"));
    assert_eq!(matches!(last.content, Content::Message(_)), media == "message/rfc822");
    assert_eq!(written.eight_bit, encoding == "8bit");
    let whole = if written.whole { "whole" } else { "" };
    let utf8 = if written.international { "SMTPUTF8" } else { "" };
    let words = [&*media, &*encoding, whole, utf8];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_long_header_is_cut_between_fields() {
    let header = b"A: 1\r\nB: 2\r\n 3\r\nC: 4\r\n\r\n";
    for (bytes_max, kept) in [
        (0, ""),
        (5, ""),
        (6, "A: 1\r\n"),
        (15, "A: 1\r\n"),
        (16, "A: 1\r\nB: 2\r\n 3\r\n"),
        (22, "A: 1\r\nB: 2\r\n 3\r\nC: 4\r\n"),
        (99, "A: 1\r\nB: 2\r\n 3\r\nC: 4\r\n"),
    ] {
        let limits = Limits { header_bytes_max: bytes_max, ..Limits::default() };
        let original = Original { limits, ..Original::header(header) };
        let outcomes = [Outcome::new("b@c", Action::Delayed, Status::new(4, 0, 0))];
        let written = report(&outcomes, original).write().unwrap();
        let head = String::from_utf8(written.head).unwrap();
        assert_eq!(head.rsplit_once("rfc822-headers\r\n\r\n").unwrap().1, kept);
    }
}

#[test]
fn addresses_in_utf8() {
    let outcomes = [
        Outcome {
            original: Some(("utf-8", "\u{4e2d}@example.net")),
            said: Some("550 5.6.7 \u{4e2d}"),
            ..Outcome::new("j\u{f6}rg@example.net", Action::Failed, Status::new(5, 6, 7))
        },
        Outcome::new("bob@example.net", Action::Failed, Status::new(5, 6, 7)),
    ];
    for international in [true, false] {
        let report = Report { international, ..report(&outcomes, Original::header(HEADER)) };
        let written = report.write().unwrap();
        assert_eq!((written.eight_bit, written.international), (international, international));
        let head = String::from_utf8(written.head.clone()).unwrap();
        assert_eq!(head.contains("message/global-delivery-status"), international);
        assert_eq!(head.contains("utf-8; j\\x{F6}rg@example.net\r\n"), !international);
        let notice = Notice::read(&text(&written, b"")).unwrap();
        assert_eq!(notice.outcomes[0].address, "j\u{f6}rg@example.net");
        assert_eq!(notice.outcomes[0].original.as_deref(), Some("\u{4e2d}@example.net"));
        assert_eq!(notice.outcomes[1].address, "bob@example.net");
    }
}

#[test]
fn references_are_few_and_plain() {
    let ids: Vec<_> = (0..50).map(|number| format!("<i{number}@b>")).collect();
    for (header, parent, references) in [
        ("Subject: x\r\n".to_owned(), None, String::new()),
        ("Message-ID: <a b\"@c>\r\n".to_owned(), None, String::new()),
        ("Message-ID: <m@b>\r\nIn-Reply-To: <a@b>\r\n".to_owned(), Some("m@b"), "a@b m@b".into()),
        ("Message-ID: <m@b>\r\nIn-Reply-To: <a@b> <c@d>\r\n".to_owned(), Some("m@b"), "m@b".into()),
        ("References: <a@b>\r\n".to_owned(), None, "a@b".into()),
        (
            format!("Message-ID: <m@b>\r\nReferences: {}\r\n", ids.join("\r\n ")),
            Some("m@b"),
            format!(
                "i0@b {} m@b",
                (32..50).map(|n| format!("i{n}@b")).collect::<Vec<_>>().join(" ")
            ),
        ),
    ] {
        let (own, all) = Original::header(header.as_bytes()).references();
        assert_eq!((own.as_deref(), all.join(" ")), (parent, references), "{header}");
    }
}

fn words() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop::sample::select(vec![
            "a",
            "5.1.1",
            " ",
            "\r\n",
            "\r",
            "\n",
            "\u{e4}",
            "--b1",
            ":",
            "\0",
            "xxxxxxxxxx",
        ]),
        0..200,
    )
    .prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_words_stay_in_their_place(
        said in words(),
        why in words(),
        address in "[a-z\u{e4}+=\\\\]{1,8}@[a-z]{1,8}",
        header in words(),
        international in any::<bool>(),
        actions in proptest::collection::vec(0_usize..5, 1..4),
    ) {
        let header = header.replace("--b1", "--b2");
        let (said, why) = (said.replace("--b1", "-- b1"), why.replace("--b1", "-- b1"));
        let outcomes: Vec<_> = actions
            .iter()
            .map(|action| Outcome {
                said: Some(&said),
                why: Some(&why),
                server: Some("mx.example"),
                ..Outcome::new(&address, Action::ALL[*action], Status::new(5, 7, 1))
            })
            .collect();
        let header = format!("Subject: {header}");
        let original = Original::header(header.as_bytes());
        let report = Report { international, ..report(&outcomes, original) };
        let written = report.write().unwrap();
        let message = text(&written, b"");
        for line in message.strip_suffix(b"\r\n").unwrap().split(|byte| *byte == b'\n') {
            prop_assert!(line.len() <= 999);
        }
        let all = String::from_utf8(message.clone()).unwrap();
        prop_assert!(!all.replace("\r\n", "").contains(['\r', '\n', '\0']));
        prop_assert_eq!(written.eight_bit, !all.is_ascii());
        prop_assert!(international || !written.international);
        prop_assert!(!written.international || written.eight_bit);
        let structure = Structure::of(&message);
        prop_assert_eq!(structure.children(structure.root()).count(), 3);
        let notice = Notice::read(&message).unwrap();
        prop_assert_eq!(notice.outcomes.len(), outcomes.len());
        for (read, outcome) in notice.outcomes.iter().zip(&outcomes) {
            prop_assert_eq!(&*read.address, outcome.address);
            prop_assert_eq!((read.action, read.status), (outcome.action, outcome.status));
            prop_assert_eq!(read.server.as_deref(), outcome.server);
        }
    }
}
