//! What others write.

use crate::dsn::{Action, LOOK_BYTES_MAX, Notice, OUTCOMES_MAX, Status};

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn report(status: &str) -> Vec<u8> {
    crlf(&format!(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=x\n\n\
         --x\n\nSorry\n--x\nContent-Type: message/delivery-status\n\n{status}\n--x--\n"
    ))
}

/// Recipient, action, status, each in a line.
fn told(notice: Option<Notice>) -> String {
    let lines =
        notice.unwrap_or_default().outcomes.into_iter().map(|outcome| {
            format!("{} {} {}", outcome.address, outcome.action.name(), outcome.status)
        });
    lines.collect::<Vec<_>>().join("\n")
}

const POSTFIX: &str = "Return-Path: <>
From: MAILER-DAEMON@relay.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Content-Type: multipart/report; report-type=delivery-status;
\tboundary=\"4B2A1.1795527240/relay.example\"

This is a MIME-encapsulated message.

--4B2A1.1795527240/relay.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host relay.example.

--4B2A1.1795527240/relay.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example
Original-Envelope-Id: e42
X-Postfix-Queue-ID: 4B2A1
X-Postfix-Sender: rfc822; ann@example.org
Arrival-Date: Tue, 24 Nov 2026 13:34:00 +0000 (UTC)

Final-Recipient: rfc822; bob@example.net
Original-Recipient: rfc822;bob@example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.net
Diagnostic-Code: smtp; 550 5.1.1 <bob@example.net>: Recipient address rejected:
    User unknown in virtual mailbox table

Final-Recipient: rfc822; carol@example.net
Action: delayed
Status: 4.4.1
Diagnostic-Code: X-Postfix; connect to mx2.example.net[192.0.2.1]:25: Connection
    timed out
Will-Retry-Until: Sun, 29 Nov 2026 13:34:00 +0000 (UTC)

--4B2A1.1795527240/relay.example
Content-Description: Undelivered Message
Content-Type: message/rfc822

Received: by relay.example
Message-Id: <m1@example.org>
Subject: Lunch

Hello
--4B2A1.1795527240/relay.example--
";

#[test]
fn postfix() {
    let notice = Notice::read(&crlf(POSTFIX)).unwrap();
    assert_eq!(notice.envelope_id.as_deref(), Some("e42"));
    assert_eq!(notice.reporter.as_deref(), Some("relay.example"));
    assert_eq!(notice.message_id.as_deref(), Some("m1@example.org"));
    let [bob, carol] = &*notice.outcomes else { panic!("{notice:?}") };
    assert_eq!(bob.original.as_deref(), Some("bob@example.net"));
    assert_eq!(bob.server.as_deref(), Some("mx.example.net"));
    assert!(bob.diagnostic.as_deref().unwrap().starts_with("550 5.1.1 <bob@example.net>: Rec"));
    assert_eq!((bob.action, bob.status), (Action::Failed, Status::new(5, 1, 1)));
    assert_eq!((carol.action, carol.status), (Action::Delayed, Status::new(4, 4, 1)));
    assert_eq!(carol.server, None);
    assert_eq!(carol.retry_until.unwrap().0, 1_795_959_240);
    // The same with bare line feeds.
    assert_eq!(Notice::read(POSTFIX.as_bytes()), Some(notice));
}

const EXCHANGE: &str = "From: postmaster@corp.example
Content-Type: multipart/report; report-type=delivery-status; boundary=\"_7c_\"
In-Reply-To: <m2@example.org>
Auto-Submitted: auto-replied

--_7c_
Content-Type: multipart/alternative; differences=Content-Type; boundary=\"_7d_\"

--_7d_
Content-Type: text/plain; charset=\"us-ascii\"
Content-Transfer-Encoding: quoted-printable

Delivery has failed to these recipients or groups:

--_7d_
Content-Type: text/html

<p>Delivery has failed</p>
--_7d_--

--_7c_
Content-Type: message/delivery-status

Reporting-MTA: dns;EX01.corp.example
Received-From-MTA: dns;mx.corp.example
Arrival-Date: Tue, 24 Nov 2026 13:34:00 +0000


Original-Recipient: rfc822;Dave@corp.example
Final-Recipient: rfc822;Dave@corp.example
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient
\tDave@corp.example not found by SMTP address lookup
X-Display-Name: Dave

--_7c_
Content-Type: text/rfc822-headers

Subject: Lunch
Message-ID:
 <m2@example.org>
--_7c_--
";

const GMAIL: &str = "Auto-Submitted: auto-replied
X-Failed-Recipients: erin@gmail.example
Content-Type: multipart/report; boundary=\"0000cafe\"; report-type=delivery-status
References: <m3@example.org>

--0000cafe
Content-Type: text/plain; charset=\"UTF-8\"

** Address not found **
--0000cafe
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Tue, 24 Nov 2026 05:34:00 -0800 (PST)
X-Original-Message-ID: <m3@example.org>

Final-Recipient: rfc822; erin@gmail.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; gmail-smtp-in.l.google.com. (2001:db8::1b, the server for the domain)
Diagnostic-Code: smtp; 550-5.1.1 The account that you tried to reach does not exist. Try
 550-5.1.1 double-checking the recipient's email address
 550 5.1.1  https://support.google.com/mail/?p=NoSuchUser x1 - gsmtp
Last-Attempt-Date: Tue, 24 Nov 2026 05:34:00 -0800 (PST)
--0000cafe
Content-Type: message/rfc822

Message-ID: <m3@example.org>

--0000cafe--
";

const EXIM: &str = "X-Failed-Recipients: frank@example.net,
 gina@example.net
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@exim.example>
References: <m4@example.org>
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients.
";

const SENDMAIL: &str = "Content-Type: multipart/report; report-type=delivery-status;
 boundary=\"vB4x.1/sm.example\"
Auto-Submitted: auto-generated (failure)

--vB4x.1/sm.example

   ----- The following addresses had permanent fatal errors -----
--vB4x.1/sm.example
Content-Type: message/delivery-status

Reporting-MTA: dns; sm.example
Received-From-MTA: DNS; client.example
Arrival-Date: Tue, 24 Nov 2026 13:34:00 GMT

Original-Recipient: rfc822;harry@example.net
Final-Recipient: RFC822; harry@example.net
X-Actual-Recipient: RFC822; h@inner.example
Action: failed
Status: 5.7.1
Remote-MTA: DNS; mx.example.net
Diagnostic-Code: SMTP; 550 5.7.1 Access denied
Last-Attempt-Date: Tue, 24 Nov 2026 13:34:00 GMT

--vB4x.1/sm.example
Content-Type: text/rfc822-headers

Message-Id: <m5@example.org>

--vB4x.1/sm.example--
";

const QMAIL: &str = "From: MAILER-DAEMON@qm.example
Subject: failure notice

Hi. This is the qmail-send program at qm.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ida@example.net>:
192.0.2.9 does not like recipient.
Remote host said: 550 5.2.1 mailbox disabled
Giving up on 192.0.2.9.

<jon@qm.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <ann@example.org>
Message-ID: <m6@example.org>

Hello
";

#[test]
fn others() {
    for (text, outcomes, id) in [
        (EXCHANGE, "Dave@corp.example failed 5.1.10", "m2@example.org"),
        (GMAIL, "erin@gmail.example failed 5.1.1", "m3@example.org"),
        (EXIM, "frank@example.net failed 5.0.0\ngina@example.net failed 5.0.0", "m4@example.org"),
        (SENDMAIL, "harry@example.net failed 5.7.1", "m5@example.org"),
        (QMAIL, "ida@example.net failed 5.2.1\njon@qm.example failed 5.1.1", "m6@example.org"),
    ] {
        let notice = Notice::read(&crlf(text));
        assert_eq!(notice.as_ref().and_then(|notice| notice.message_id.as_deref()), Some(id));
        assert_eq!(told(notice), outcomes);
        assert_eq!(told(Notice::read(text.as_bytes())), outcomes);
    }
    let gmail = Notice::read(GMAIL.as_bytes()).unwrap();
    assert_eq!(gmail.outcomes[0].server.as_deref(), Some("gmail-smtp-in.l.google.com."));
    let qmail = Notice::read(QMAIL.as_bytes()).unwrap();
    assert_eq!(qmail.reporter.as_deref(), Some("qm.example"));
}

#[test]
fn fields_in_odd_order_and_form() {
    for (status, expected) in [
        // All in one group, and two recipients without an empty line between them.
        (
            "Reporting-MTA: dns; a\nFinal-Recipient: rfc822; a@b\nAction: failed\nStatus: 5.1.1\n\
             Final-Recipient: rfc822; c@d\nAction: delayed\nStatus: 4.0.0",
            "a@b failed 5.1.1\nc@d delayed 4.0.0",
        ),
        (
            "Original-Recipient: rfc822; a@b\nFinal-Recipient: rfc822; x@b\nAction: failed\n\
             Original-Recipient: rfc822; c@d\nFinal-Recipient: rfc822; y@d\nAction: failed",
            "x@b failed 5.0.0\ny@d failed 5.0.0",
        ),
        // Final-Recipient before Original-Recipient.
        (
            "Final-Recipient: rfc822; a@b\nOriginal-Recipient: rfc822; x@b\nAction: relayed",
            "a@b relayed 2.0.0",
        ),
        // No status, no action; and a status that tells less than the reply.
        ("\nFinal-Recipient: a@b\nDiagnostic-Code: smtp; 452 4.2.2 full", "a@b delayed 4.2.2"),
        ("Final-Recipient: a@b\nStatus: 2.1.5 (ok)", "a@b delivered 2.1.5"),
        (
            "Final-Recipient: a@b\nAction: failed\nStatus: 5.0.0\n\
             Diagnostic-Code: smtp; 550-5.2.2 full",
            "a@b failed 5.2.2",
        ),
        (
            "Final-Recipient: a@b\nAction: failed\nStatus: 4.0.0\n\
             Diagnostic-Code: smtp; 550 5.2.2 full",
            "a@b failed 4.0.0",
        ),
        // Of the original only.
        ("Original-Recipient: rfc822; a@b\nAction: Failure\nStatus: 5.4.7", "a@b failed 5.4.7"),
        // A blank line of blanks.
        (
            "Reporting-MTA: dns; a\n \nFinal-Recipient: rfc822; a@b\nAction: failed",
            "a@b failed 5.0.0",
        ),
        // Nothing of use.
        ("Reporting-MTA: dns; a", ""),
        ("Final-Recipient: rfc822; a@b", ""),
        ("Action: failed\nStatus: 5.0.0", ""),
    ] {
        assert_eq!(told(Notice::read(&report(status))), expected, "{status}");
    }
}

#[test]
fn what_is_no_report() {
    let forwarded = format!(
        "Content-Type: multipart/mixed; boundary=y\n\n--y\n\nLook at this\n\
         --y\nContent-Type: message/rfc822\n\n{POSTFIX}\n--y--\n"
    );
    for text in [
        "",
        "Subject: x\n\nHi. This is Bob.\n\n<a@b>:\nno",
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=x\n\n\
         --x--\n",
        "X-Failed-Recipients: nobody\n\n",
        &forwarded,
    ] {
        assert_eq!(Notice::read(&crlf(text)), None, "{text}");
    }
}

#[test]
fn a_long_report_is_bounded() {
    let mut status = "Reporting-MTA: dns; a\n".to_owned();
    for number in 0..3_000 {
        status.push_str(&format!("\nFinal-Recipient: rfc822; a{number}@b\nAction: failed\n"));
    }
    let notice = Notice::read(&report(&status)).unwrap();
    assert_eq!(notice.outcomes.len(), OUTCOMES_MAX);
    let long =
        format!("Final-Recipient: rfc822; a@b\nAction: failed\nX: {}", "x".repeat(LOOK_BYTES_MAX));
    assert_eq!(told(Notice::read(&report(&long))), "a@b failed 5.0.0");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read(pieces in proptest::collection::vec(
        proptest::sample::select(vec![
            "Final-Recipient: ", "rfc822;", "a@b", "\n", "\n\n", "Action: failed\n", "Status: 5.1.1",
            "Diagnostic-Code: smtp; 550 5.1.1", "\u{e4}", "\\x{", "}", "\0", "\n--x\n", " ", "<", ">:",
        ]), 0..60))
    {
        let text = pieces.concat();
        let _notice = Notice::read(&report(&text));
        let hi = format!("\nHi. This is the qmail-send program at \n{text}");
        for bytes in [text.as_bytes(), hi.as_bytes()] {
            if let Some(notice) = Notice::read(bytes) {
                proptest::prop_assert!(!notice.outcomes.is_empty());
            }
        }
    }
}
