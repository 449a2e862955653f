//! LMTP (RFC 2033): its greeting, and one reply for each accepted recipient.

use super::Setting::{Generous, Lmtp};
use super::*;

#[test]
fn each_goes_as_written() {
    CONVERSATIONS.iter().for_each(hold);
}

#[test]
fn too_few_and_too_many_replies_are_misuse() {
    let mut server = Server::new(Arc::new(Lmtp.config()), "c7");
    let mut out = Outbox::new(1 << 16);
    assert_eq!(server.reply_each(&[], &mut out), Err(Misuse::NothingAsked));
    server.greet(&Reply::greeting("LMTP"), &mut out).unwrap();
    let lines = [
        (&b"LHLO x\r\n"[..], Reply::hello("")),
        (b"MAIL FROM:<a@b>\r\n", Reply::sender_ok()),
        (b"RCPT TO:<c@d>\r\n", Reply::recipient_ok()),
        (b"RCPT TO:<nobody@d>\r\n", Reply::no_such_mailbox()),
        (b"RCPT TO:<c@d>\r\n", Reply::recipient_ok()),
        (b"DATA\r\n", Reply::start_mail()),
    ];
    for (line, reply) in &lines {
        assert!(matches!(server.next(line, &mut out).next, Next::Event(_)));
        out.clear();
        assert_eq!(server.reply_each(&[], &mut out), Err(Misuse::Replies(1)));
        let twice = [reply.clone(), reply.clone()];
        assert_eq!(server.reply_each(&twice, &mut out), Err(Misuse::Replies(1)));
        assert!(out.is_empty());
        server.reply_each(std::slice::from_ref(reply), &mut out).unwrap();
    }
    assert!(matches!(server.next(b".\r\n", &mut out).next, Next::Event(Event::BodyEnd)));
    out.clear();
    for count in [0, 1, 3] {
        let replies = vec![Reply::accepted(); count];
        assert_eq!(server.reply_each(&replies, &mut out), Err(Misuse::Replies(2)));
    }
    assert!(out.is_empty() && server.is_busy());
    server.reply_each(&[Reply::no_storage(), Reply::accepted()], &mut out).unwrap();
    let said = replies(&mut out);
    assert!(said[0].starts_with("S: 452 ") && said[1..] == ["S: 250 2.0.0 message accepted"]);
    assert!(!server.is_busy());
    assert_eq!(server.reply_each(&[], &mut out), Err(Misuse::NothingAsked));
}

/// Whoever is told of a refusal by 421 is told once: nothing follows it.
#[test]
fn a_421_closes_behind_the_replies() {
    let closing = || {
        let mut house = House::new(Lmtp.config());
        let lines = ["LHLO x", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "RCPT TO:<e@d>", "DATA"];
        lines.iter().for_each(|line| drop(house.answers(line)));
        assert!(matches!(house.server.next(b".\r\n", &mut house.out).next, Next::Event(_)));
        house
    };
    let mut house = closing();
    house.server.reply(&Reply::stopping(), &mut house.out).unwrap();
    assert_eq!(replies(&mut house.out).len(), 1);
    assert!(matches!(house.server.next(b"", &mut house.out).next, Next::Closed));
    let mut house = closing();
    let both = [Reply::stopping(), Reply::accepted()];
    house.server.reply_each(&both, &mut house.out).unwrap();
    assert_eq!(replies(&mut house.out).len(), 2);
    assert!(matches!(house.server.next(b"", &mut house.out).next, Next::Closed));
}

/// A message taken for one of them shows that the client is of use.
#[test]
fn bad_commands_are_forgotten_where_one_recipient_has_the_message() {
    for (recipients, forgotten) in [(["full", "full"], false), (["full", "ann"], true)] {
        let mut house = House::new(Lmtp.config());
        let max = Limits::default().bad_commands_max;
        (0..max).for_each(|_| drop(house.answers("XYZZY")));
        house.answers("LHLO x");
        house.answers("MAIL FROM:<a@b>");
        recipients.iter().for_each(|name| drop(house.answers(&format!("RCPT TO:<{name}@d>"))));
        house.answers("DATA");
        assert_eq!(house.answers(".").len(), 3);
        assert_eq!(house.answers("XYZZY").len(), if forgotten { 1 } else { 3 });
    }
}

pub(super) const CONVERSATIONS: &[Conversation] = &[
    Conversation {
        name: "LHLO is in the place of EHLO and HELO (RFC 2033 §4.1)",
        setting: Lmtp,
        script: r"
            S: 220 mx.example ESMTP
            C: EHLO client.example
            S: 500 5.5.1 command not known (c7)
            C: EHLO
            S: 500 5.5.1 command not known (c7)
            C: HELO client.example
            S: 500 5.5.1 command not known (c7)
            C: MAIL FROM:<a@b>
            S: 503 5.5.1 send LHLO first (c7)
            C: BDAT 0 LAST
            S: 503 5.5.1 send LHLO first (c7)
            C: LHLO
            S: 501 5.5.4 at the end: expected a host name (c7)
            C: lhlo client.example
            S: 250-mx.example greets client.example
            S: 250-PIPELINING
            S: 250-SIZE 200
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-BINARYMIME
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: EHLO client.example
            S: 500 5.5.1 command not known (c7)
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C: HELP
            S: 214 2.0.0 commands: LHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT; LHLO tells the extensions
            C: QUIT
            S: 221 2.0.0 mx.example says goodbye
            X:
        ",
    },
    Conversation {
        name: "nobody else knows LHLO",
        setting: Generous,
        script: r"
            S: 220 mx.example ESMTP
            C: LHLO client.example
            S: 500 5.5.1 command not known (c7)
            C: MAIL FROM:<a@b>
            S: 503 5.5.1 send EHLO first (c7)
        ",
    },
    Conversation {
        name: "one reply for each accepted recipient, in the order of RCPT (RFC 2033 §4.2)",
        setting: Lmtp,
        script: r"
            S: 220 mx.example ESMTP
            C: LHLO client.example
            S: 250-mx.example greets client.example
            S: 250-PIPELINING
            S: 250-SIZE 200
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-BINARYMIME
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C| MAIL FROM:<a@b>\r\nRCPT TO:<nobody@d>\r\nDATA\r\n
            S: 250 2.0.0 ok FROM:<a@b>
            S: 550 5.1.1 no such mailbox here (c7)
            S: 503 5.5.1 no recipient has been accepted (c7)
            C| RCPT TO:<ann@d>\r\nRCPT TO:<full@d>\r\nRCPT TO:<nobody@d>\r\nRCPT TO:<ann@d>\r\nDATA\r\n
            S: 250 2.0.0 ok <ann@d>
            S: 250 2.0.0 ok <full@d>
            S: 550 5.1.1 no such mailbox here (c7)
            S: 250 2.0.0 ok <ann@d>
            S: 354 send the message, end it with <CRLF>.<CRLF>
            C| ..x\r\n.\r\nNOOP\r\n
            E: body .x\r\n
            S: 250 2.0.0 for ann
            S: 452 4.3.1 no room for mail, try again later (c7)
            S: 250 2.0.0 for ann
            S: 250 2.0.0 ok
            C| MAIL FROM:<>\r\nRCPT TO:<ann@d>\r\nRCPT TO:<bob@d>\r\nDATA\r\n.\r\n
            S: 250 2.0.0 ok FROM:<>
            S: 250 2.0.0 ok <ann@d>
            S: 250 2.0.0 ok <bob@d>
            S: 354 send the message, end it with <CRLF>.<CRLF>
            E: body\x20
            S: 250 2.0.0 message accepted
            S: 250 2.0.0 message accepted
            C: DATA
            S: 503 5.5.1 send MAIL first (c7)
        ",
    },
    Conversation {
        name: "a mistake in the body is told to each recipient, in step",
        setting: Lmtp,
        script: r"
            S: 220 mx.example ESMTP
            C: LHLO client.example
            S: 250-mx.example greets client.example
            S: 250-PIPELINING
            S: 250-SIZE 200
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-BINARYMIME
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C| MAIL FROM:<a@b>\r\nRCPT TO:<ann@d>\r\nRCPT TO:<bob@d>\r\nDATA\r\n
            S: 250 2.0.0 ok FROM:<a@b>
            S: 250 2.0.0 ok <ann@d>
            S: 250 2.0.0 ok <bob@d>
            S: 354 send the message, end it with <CRLF>.<CRLF>
            C| 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n.\r\nNOOP\r\n
            S: 554 5.6.0 the message has a line that is too long: 80 bytes at most (c7)
            S: 554 5.6.0 the message has a line that is too long: 80 bytes at most (c7)
            E: body refused 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n
            S: 250 2.0.0 ok
            C| MAIL FROM:<a@b>\r\nRCPT TO:<ann@d>\r\nRCPT TO:<bob@d>\r\nDATA\r\n
            S: 250 2.0.0 ok FROM:<a@b>
            S: 250 2.0.0 ok <ann@d>
            S: 250 2.0.0 ok <bob@d>
            S: 354 send the message, end it with <CRLF>.<CRLF>
            C| x\n.\r\nNOOP\r\n
            S: 500 5.5.2 SMTP smuggling refused: LF.CRLF at byte 3 of the message; lines end in CRLF only, and a message in CRLF.CRLF (c7)
            S: 500 5.5.2 SMTP smuggling refused: LF.CRLF at byte 3 of the message; lines end in CRLF only, and a message in CRLF.CRLF (c7)
            E: body refused x\r\n
            X:
        ",
    },
    Conversation {
        name: "the last chunk has a reply for each recipient, and for none it has none (RFC 2033 §4.3)",
        setting: Lmtp,
        script: r"
            S: 220 mx.example ESMTP
            C: LHLO client.example
            S: 250-mx.example greets client.example
            S: 250-PIPELINING
            S: 250-SIZE 200
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-BINARYMIME
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C| BDAT 4 LAST\r\nQUITNOOP\r\n
            S: 250 2.0.0 ok
            C| MAIL FROM:<a@b>\r\nRCPT TO:<nobody@d>\r\nBDAT 4\r\nQUITBDAT 4 LAST\r\nQUITNOOP\r\n
            S: 250 2.0.0 ok FROM:<a@b>
            S: 550 5.1.1 no such mailbox here (c7)
            S: 503 5.5.1 no recipient has been accepted (c7)
            S: 250 2.0.0 ok
            C| RCPT TO:<ann@d>\r\nRCPT TO:<full@d>\r\nBDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\nNOOP\r\n
            S: 250 2.0.0 ok <ann@d>
            S: 250 2.0.0 ok <full@d>
            S: 250 2.0.0 3 bytes so far
            E: body a\r\nb\r\n
            S: 250 2.0.0 for ann
            S: 452 4.3.1 no room for mail, try again later (c7)
            S: 250 2.0.0 ok
        ",
    },
    Conversation {
        name: "behind a chunk that was refused the last one has its replies all the same",
        setting: Lmtp,
        script: r"
            S: 220 mx.example ESMTP
            C: LHLO client.example
            S: 250-mx.example greets client.example
            S: 250-PIPELINING
            S: 250-SIZE 200
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-BINARYMIME
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C| MAIL FROM:<a@b>\r\nRCPT TO:<ann@d>\r\nRCPT TO:<bob@d>\r\nBDAT 4\r\na\rb\nBDAT 2\r\n\r\nBDAT 2 LAST\r\n\r\nNOOP\r\n
            S: 250 2.0.0 ok FROM:<a@b>
            S: 250 2.0.0 ok <ann@d>
            S: 250 2.0.0 ok <bob@d>
            S: 554 5.6.0 a CR without an LF in the message: lines end in CRLF (c7)
            E: body refused a
            S: 503 5.5.1 send MAIL first (c7)
            S: 503 5.5.1 send MAIL first (c7)
            S: 503 5.5.1 send MAIL first (c7)
            S: 250 2.0.0 ok
            C| BDAT 2 LAST\r\n\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ann@d>\r\nRCPT TO:<bob@d>\r\nBDAT 4 LAST\r\na\rb\nNOOP\r\n
            S: 250 2.0.0 ok FROM:<a@b>
            S: 250 2.0.0 ok <ann@d>
            S: 250 2.0.0 ok <bob@d>
            S: 554 5.6.0 a CR without an LF in the message: lines end in CRLF (c7)
            S: 554 5.6.0 a CR without an LF in the message: lines end in CRLF (c7)
            E: body refused a
            S: 250 2.0.0 ok
            C| MAIL FROM:<a@b>\r\nRCPT TO:<ann@d>\r\nRCPT TO:<bob@d>\r\nBDAT 201\r\n
            S: 250 2.0.0 ok FROM:<a@b>
            S: 250 2.0.0 ok <ann@d>
            S: 250 2.0.0 ok <bob@d>
            S: 552 5.3.4 message too large: 200 bytes at most (c7)
            E: body refused\x20
            C| 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
            C| 01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890RSET\r\nBDAT 0 LAST\r\nNOOP\r\n
            S: 250 2.0.0 reset
            S: 250 2.0.0 ok
            C| MAIL FROM:<a@b>\r\nRCPT TO:<ann@d>\r\nRCPT TO:<bob@d>\r\nBDAT 2 LAST\r\nx\r
            S: 250 2.0.0 ok FROM:<a@b>
            S: 250 2.0.0 ok <ann@d>
            S: 250 2.0.0 ok <bob@d>
            S: 554 5.6.0 a CR without an LF in the message: lines end in CRLF (c7)
            S: 554 5.6.0 a CR without an LF in the message: lines end in CRLF (c7)
            E: body refused x
        ",
    },
];
