//! Reports of deliveries that come back, and messages that reports are about.

use pillarbox_core::UnixSeconds;
use pillarbox_core::dsn::{
    Action, Limits, Notice, OUTCOMES_MAX, Original, Outcome, Report, Shape, Status,
};

use crate::fuzz::Tape;

const WORDS: &[&str] = &[
    "Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n",
    "\r\n",
    "\r\n--x\r\n",
    "\r\n--x--\r\n",
    "Content-Type: message/delivery-status\r\n\r\n",
    "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    "Content-Type: message/rfc822\r\n\r\n",
    "Content-Type: text/rfc822-headers\r\n\r\n",
    "Reporting-MTA: dns; a.example (x)\r\n",
    "Original-Envelope-Id: e1\r\n",
    "Final-Recipient: rfc822;a@b.example\r\n",
    "Final-Recipient: utf-8; \\x{E4}@b.example\r\n",
    "Original-Recipient: rfc822;<c@d.example>\r\n",
    "Action: failed (x)\r\n",
    "Action: delayed\r\n",
    "Status: 5.1.1\r\n",
    "Status: 4.0.0 (x)\r\n",
    "Remote-MTA: dns;mx.example\r\n",
    "Diagnostic-Code: smtp; 550-5.1.1 no\r\n",
    "Will-Retry-Until: Tue, 24 Nov 2026 13:34:00 +0000\r\n",
    "Message-ID: <m@a.example>\r\n",
    "References: <r@a.example>\r\n <s@a.example>\r\n",
    "X-Failed-Recipients: a@b.example, c@d.example\r\n",
    "Subject: =?utf-8?q?=C3=A4?= word\r\n",
    "Hi. This is the qmail-send program at a.example.\n",
    "\n<a@b.example>:\n",
    "Remote host said: 550 5.1.1 no (#5.1.1)\n",
    "\n--- Below this line is a copy of the message.\n\n",
    "\u{e4}",
    "\0",
    "\r",
    "\n",
    " ",
];

/// What is read is bounded and whole; what is written of any message is read again.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let choice = tape.byte();
    let said = tape.said(WORDS);
    if let Some(notice) = Notice::read(&said) {
        assert!((1..=OUTCOMES_MAX).contains(&notice.outcomes.len()));
        for outcome in &notice.outcomes {
            assert!(!outcome.address.is_empty() || outcome.original.is_some() || choice > 0);
            let texts = [Some(&outcome.address), outcome.diagnostic.as_ref()];
            for text in texts.into_iter().flatten() {
                assert!(!text.contains(['\r', '\n']) && text.len() < 5_000);
            }
        }
    }
    write(choice, &said);
}

/// A report about a message with these bytes for its header, and for the words of its server.
fn write(choice: u8, said: &[u8]) {
    let words = String::from_utf8_lossy(said);
    let action = Action::ALL.into_iter().cycle().nth(usize::from(choice % 5)).expect("endless");
    let outcome = Outcome {
        said: (choice & 8 != 0).then_some(&*words),
        why: Some(&words),
        ..Outcome::new("j\u{f6}rg@b.example", action, Status::new(5, 7, 1))
    };
    let whole = (choice & 16 != 0).then_some(Shape::EightBit);
    let limits = Limits { header_bytes_max: 4_000, whole_bytes_max: 4_000 };
    let report = Report {
        reporter: "a.example",
        to: "ann@a.example",
        message_id: "r@a.example",
        boundary: "Qb1zR7",
        date: UnixSeconds(0),
        arrived: UnixSeconds(0),
        envelope_id: Some(&words),
        international: choice & 32 != 0,
        outcomes: &[outcome],
        original: Original { header: said, whole, size: 1, limits },
    };
    let written = report.write().expect("somebody is told");
    let text = [&*written.head, &written.tail].concat();
    assert!(text.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
    let ends = text.windows(2).filter(|pair| pair == b"\r\n").count();
    for end in [b'\r', b'\n'] {
        assert_eq!(text.iter().filter(|byte| **byte == end).count(), ends, "no bare CR or LF");
    }
    assert!(written.eight_bit || text.is_ascii());
    let notice = Notice::read(&text).expect("it is a report");
    let [again] = &*notice.outcomes else { panic!("one recipient: {notice:?}") };
    assert_eq!((&*again.address, again.action), ("j\u{f6}rg@b.example", action));
}
