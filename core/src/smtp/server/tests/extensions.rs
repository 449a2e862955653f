//! Extensions: STARTTLS (RFC 3207), AUTH (RFC 4954), SIZE (RFC 1870), SMTPUTF8 (RFC 6531).

use super::Setting::{Receiving, Trusting};
use super::{Conversation, House, hold};

#[test]
fn each_goes_as_written() {
    CONVERSATIONS.iter().for_each(hold);
}

/// RFC 3207 §4.2 and CVE-2011-0411. What stands behind STARTTLS is known only as far as it has
/// come, so this is no conversation that may be split anywhere.
#[test]
fn nothing_may_follow_starttls_in_clear() {
    let mut house = House::new(Receiving.config());
    house.answers("EHLO client.example");
    assert_eq!(
        house.answers("STARTTLS\r\nMAIL FROM:<mallory@client.example>"),
        ["S: 503 5.5.1 nothing may follow STARTTLS before the handshake (c7)", "X:",]
    );
    house.hears(b"NOOP\r\n");
    assert!(house.said().is_empty());
    assert!(house.server.tls_started().is_err());
}

pub(super) const CONVERSATIONS: &[Conversation] = &[
    Conversation {
        name: "TLS, then a login in each way",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: HELO client.example
            S: 250 mx.example greets client.example
            C: AUTH PLAIN
            S: 538 5.7.11 start TLS first: no such login without it (c7)
            C: AUTH NTLM
            S: 502 5.5.1 AUTH is not offered here (c7)
            C: STARTTLS
            S: 220 2.0.0 ready to start TLS (c7)
            T:
            C: MAIL FROM:<a@b>
            S: 503 5.5.1 send EHLO first (c7)
            C: EHLO client.example
            S: 250-mx.example greets client.example
            S: 250-PIPELINING
            S: 250-SIZE 200
            S: 250-AUTH PLAIN LOGIN
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-BINARYMIME
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C: STARTTLS
            S: 503 5.5.1 TLS has started already (c7)
            C: AUTH CRAM-MD5
            S: 504 5.5.4 mechanism not offered (c7)
            C: AUTH
            S: 501 5.5.4 at the end: expected a mechanism (c7)
            C: AUTH PLAIN ?
            S: 501 5.5.2 this is not base64 (c7)
            C: AUTH PLAIN
            S: 334\x20
            C: *
            S: 501 5.7.0 authentication cancelled (c7)
            E: cancelled
            C: AUTH PLAIN
            S: 334\x20
            C: no base64
            S: 501 5.5.2 this is not base64 (c7)
            E: cancelled
            C: AUTH PLAIN AGFubgB3cm9uZw==
            E: PLAIN \x00ann\x00wrong
            S: 535 5.7.8 user name or password wrong, or this mechanism is not set up for the account (c7)
            C: auth plain
            S: 334\x20
            C: AGFubgBzZWNyZXQ=
            E: \x00ann\x00secret
            S: 235 2.7.0 authenticated
            C: AUTH PLAIN AGFubgBzZWNyZXQ=
            S: 503 5.5.1 you have authenticated already (c7)
            C: EHLO client.example
            S: 250-mx.example greets client.example
            S: 250-PIPELINING
            S: 250-SIZE 200
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-BINARYMIME
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C: MAIL FROM:<a@b> AUTH=<>
            S: 250 2.0.0 ok FROM:<a@b> AUTH=<>
        ",
    },
    Conversation {
        name: "all is forgotten when TLS starts: the transaction and the login (RFC 3207 §4.2)",
        setting: Trusting,
        script: r"
            S: 220 mx.example ESMTP
            C: EHLO client.example
            S: 250-mx.example greets client.example
            S: 250-PIPELINING
            S: 250-SIZE 200
            S: 250-STARTTLS
            S: 250-AUTH PLAIN
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-BINARYMIME
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C: AUTH LOGIN
            S: 538 5.7.11 start TLS first: no such login without it (c7)
            C: AUTH NTLM
            S: 504 5.5.4 mechanism not offered (c7)
            C: AUTH PLAIN =
            E: PLAIN\x20
            S: 235 2.7.0 authenticated
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C: STARTTLS
            S: 220 2.0.0 ready to start TLS (c7)
            T:
            C: RCPT TO:<c@d>
            S: 503 5.5.1 send EHLO first (c7)
            C: EHLO client.example
            S: 250-mx.example greets client.example
            S: 250-PIPELINING
            S: 250-SIZE 200
            S: 250-AUTH LOGIN PLAIN
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-BINARYMIME
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C: DATA
            S: 503 5.5.1 send MAIL first (c7)
            C: AUTH LOGIN =
            E: LOGIN\x20
            S: 235 2.7.0 authenticated
        ",
    },
    Conversation {
        name: "too large, as declared and as it comes (RFC 1870 §6)",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: HELO x
            S: 250 mx.example greets x
            C: MAIL FROM:<a@b> SIZE=201
            S: 552 5.3.4 message too large: 200 bytes at most (c7)
            C: MAIL FROM:<a@b> SIZE=99999999999999999999
            S: 552 5.3.4 message too large: 200 bytes at most (c7)
            C: MAIL FROM:<a@b> SIZE=200
            S: 250 2.0.0 ok FROM:<a@b> SIZE=200
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C: DATA
            S: 354 send the message, end it with <CRLF>.<CRLF>
            C: 1 3456789012345678901234567890123456789012345678
            C: 2 3456789012345678901234567890123456789012345678
            C: 3 3456789012345678901234567890123456789012345678
            C: 4 3456789012345678901234567890123456789012345678
            C: NOOP
            C: .
            S: 552 5.3.4 message too large: 200 bytes at most (c7)
            E: body refused 1 3456789012345678901234567890123456789012345678\r\n2 3456789012345678901234567890123456789012345678\r\n3 3456789012345678901234567890123456789012345678\r\n4 3456789012345678901234567890123456789012345678\r\n
            C: DATA
            S: 503 5.5.1 send MAIL first (c7)
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
        ",
    },
    Conversation {
        name: "a line of text that is too long (RFC 5321 §4.5.3.1.6)",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: HELO x
            S: 250 mx.example greets x
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C: DATA
            S: 354 send the message, end it with <CRLF>.<CRLF>
            C: 345678901234567890123456789012345678901234567890123456789012345678901234567890123
            C: .
            S: 554 5.6.0 the message has a line that is too long: 80 bytes at most (c7)
            E: body refused 345678901234567890123456789012345678901234567890123456789012345678901234567890123\r\n
            C: NOOP
            S: 250 2.0.0 ok
        ",
    },
    Conversation {
        name: "other than ASCII needs SMTPUTF8 (RFC 6531 §3.4, §3.5)",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: HELO x
            S: 250 mx.example greets x
            C| MAIL FROM:<j\xc3\xb6rg@x>\r\n
            S: 553 5.6.7 this address needs SMTPUTF8, which this mail does not have (c7)
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C| RCPT TO:<c@caf\xc3\xa9.example>\r\n
            S: 553 5.6.7 this address needs SMTPUTF8, which this mail does not have (c7)
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C: RSET
            S: 250 2.0.0 reset
            E: reset
            C| MAIL FROM:<j\xc3\xb6rg@x> SMTPUTF8\r\n
            S: 250 2.0.0 ok FROM:<j?rg@x> SMTPUTF8
            C| RCPT TO:<c@caf\xc3\xa9.example>\r\n
            S: 250 2.0.0 ok <c@caf?.example>
        ",
    },
];
