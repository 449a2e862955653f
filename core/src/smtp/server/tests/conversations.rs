//! RFC 5321 itself: greeting, the order of commands, mail, and what is not understood.

use super::Setting::{Bare, Pedantic, Receiving};
use super::{Conversation, hold};

#[test]
fn each_goes_as_written() {
    CONVERSATIONS.iter().for_each(hold);
}

pub(super) const CONVERSATIONS: &[Conversation] = &[
    Conversation {
        name: "one letter to two recipients (RFC 5321 §3.3), then another",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: EHLO client.example
            S: 250-mx.example greets client.example
            S: 250-PIPELINING
            S: 250-SIZE 200
            S: 250-STARTTLS
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-BINARYMIME
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C: MAIL FROM:<ann@client.example> SIZE=120 BODY=8BITMIME
            S: 250 2.0.0 ok FROM:<ann@client.example> SIZE=120 BODY=8BITMIME
            C: RCPT TO:<bob@mx.example>
            S: 250 2.0.0 ok <bob@mx.example>
            C: RCPT TO:<nobody@mx.example>
            S: 550 5.1.1 no such mailbox here (c7)
            C: RCPT TO:<Postmaster>
            S: 250 2.0.0 ok <postmaster>
            C: DATA
            S: 354 send the message, end it with <CRLF>.<CRLF>
            C: Subject: dots
            C:
            C: ..one is taken away
            C: .so is a single one
            C: ...
            C: within. a line.
            C|
            C| caf\xe9, an LF\n..alone and\n\r\n
            C: .
            E: body Subject: dots\r\n\r\n.one is taken away\r\nso is a single one\r\n..\r\nwithin. a line.\r\ncaf\xe9, an LF\r\n.alone and\r\n\r\n
            S: 250 2.0.0 message accepted
            C: MAIL FROM:<>
            S: 250 2.0.0 ok FROM:<>
            C: RCPT TO:<ann@mx.example>
            S: 250 2.0.0 ok <ann@mx.example>
            C: DATA
            S: 354 send the message, end it with <CRLF>.<CRLF>
            C: .
            E: body\x20
            S: 250 2.0.0 message accepted
            C: QUIT
            S: 221 2.0.0 mx.example says goodbye
            X:
        ",
    },
    Conversation {
        name: "HELO announces nothing",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: HELO client.example
            S: 250 mx.example greets client.example
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
        ",
    },
    Conversation {
        name: "what is not offered is not announced, and its parameters are unknown",
        setting: Bare,
        script: r"
            S: 220 mx.example ESMTP
            C: EHLO [192.0.2.1]
            S: 250-mx.example greets [192.0.2.1]
            S: 250 ENHANCEDSTATUSCODES
            C: MAIL FROM:<a@b> SIZE=1
            S: 555 5.5.4 at byte 16: parameter not offered (c7)
            C: MAIL FROM:<a@b> body=8BITMIME
            S: 555 5.5.4 at byte 16: parameter not offered (c7)
            C: MAIL FROM:<a@b> SMTPUTF8
            S: 555 5.5.4 at byte 16: parameter not offered (c7)
            C: MAIL FROM:<a@b> AUTH=<>
            S: 555 5.5.4 at byte 16: parameter not offered (c7)
            C: STARTTLS
            S: 502 5.5.1 STARTTLS is not offered here (c7)
            C: AUTH PLAIN
            S: 502 5.5.1 AUTH is not offered here (c7)
        ",
    },
    Conversation {
        name: "commands at any time, before hello too (RFC 5321 §4.1.4)",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: NOOP
            S: 250 2.0.0 ok
            C: noop with an argument
            S: 250 2.0.0 ok
            C: HELP
            S: 214 2.0.0 commands: EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT; EHLO tells the extensions
            C: VRFY ann
            S: 252 2.5.2 cannot verify, but will take mail for it
            C: EXPN list
            S: 252 2.5.2 cannot verify, but will take mail for it
            C: RSET
            S: 250 2.0.0 reset
            C: QUIT
            S: 221 2.0.0 mx.example says goodbye
            X:
        ",
    },
    Conversation {
        name: "RSET and EHLO withdraw a transaction (RFC 5321 §4.1.1.5, §4.1.4)",
        setting: Bare,
        script: r"
            S: 220 mx.example ESMTP
            C: EHLO client.example
            S: 250-mx.example greets client.example
            S: 250 ENHANCEDSTATUSCODES
            C: RSET
            S: 250 2.0.0 reset
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RSET
            S: 250 2.0.0 reset
            E: reset
            C: RCPT TO:<c@d>
            S: 503 5.5.1 send MAIL first (c7)
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C: EHLO client.example
            S: 250-mx.example greets client.example
            S: 250 ENHANCEDSTATUSCODES
            C: DATA
            S: 503 5.5.1 send MAIL first (c7)
        ",
    },
    Conversation {
        name: "wrong order (RFC 5321 §4.1.4)",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: MAIL FROM:<a@b>
            S: 503 5.5.1 send EHLO first (c7)
            C: RCPT TO:<a@b>
            S: 503 5.5.1 send EHLO first (c7)
            C: DATA
            S: 503 5.5.1 send EHLO first (c7)
            C: STARTTLS
            S: 503 5.5.1 send EHLO first (c7)
            C: AUTH PLAIN
            S: 503 5.5.1 send EHLO first (c7)
            C: HELO x
            S: 250 mx.example greets x
            C: RCPT TO:<a@b>
            S: 503 5.5.1 send MAIL first (c7)
            C: DATA
            S: 503 5.5.1 send MAIL first (c7)
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: MAIL FROM:<a@b>
            S: 503 5.5.1 MAIL must wait until this mail is done (c7)
            C: AUTH PLAIN
            S: 503 5.5.1 AUTH must wait until this mail is done (c7)
            C: DATA
            S: 503 5.5.1 no recipient has been accepted (c7)
            C: RCPT TO:<nobody@mx.example>
            S: 550 5.1.1 no such mailbox here (c7)
            C: DATA
            S: 503 5.5.1 no recipient has been accepted (c7)
            C: RCPT TO:<a@b>
            S: 250 2.0.0 ok <a@b>
            C: DATA
            S: 354 send the message, end it with <CRLF>.<CRLF>
            C: DATA
            C: .
            E: body DATA\r\n
            S: 250 2.0.0 message accepted
        ",
    },
    Conversation {
        name: "what is not understood",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C:
            S: 500 5.5.1 command not known (c7)
            C: XYZZY
            S: 500 5.5.1 command not known (c7)
            C: BURL imap://host LAST
            S: 500 5.5.1 command not known (c7)
            C| NOOP\0\r\n
            S: 500 5.5.2 at byte 4: a control character (c7)
            C| NOOP\rRSET\r\n
            S: 500 5.5.2 at byte 4: a control character (c7)
            C| EHLO \xff\r\n
            S: 501 5.5.2 at byte 5: expected UTF-8 (c7)
            C: EHLO
            S: 501 5.5.4 at the end: expected a host name (c7)
            C: QUIT now
            S: 501 5.5.4 at `n`: expected the end: this command has no argument (c7)
            C: VRFY
            S: 501 5.5.4 at the end: expected a user or mailbox name (c7)
            C: EXPN
            S: 501 5.5.4 at the end: expected a list's name (c7)
            C: HELO x
            S: 250 mx.example greets x
            C: MAIL FROM:a@b
            S: 501 5.1.7 at `a`: expected `<` (c7)
            C: MAIL FROM:<a@b> SIZE=many
            S: 501 5.5.4 at `m`: expected a number of bytes (c7)
            C: MAIL FROM:<a@b> SIZE=1 SIZE=2
            S: 501 5.5.4 at byte 23: parameter given before (c7)
            C: MAIL FROM:<a@b> RET=HDRS
            S: 555 5.5.4 at byte 16: parameter not offered (c7)
            C: MAIL FROM: <a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<>
            S: 501 5.1.3 at `>`: expected a local part (c7)
            C: RCPT TO:<c@d> NOTIFY=NEVER
            S: 555 5.5.4 at byte 14: parameter not offered (c7)
            C: RCPT TO: <c@d>
            S: 250 2.0.0 ok <c@d>
            C| NOOP\n
            S: 250 2.0.0 ok
        ",
    },
    Conversation {
        name: "pedantic",
        setting: Pedantic,
        script: r"
            S: 220 mx.example ESMTP
            C| NOOP\n
            S: 500 5.5.2 a command ends in CRLF, not in LF alone (c7)
            C: HELO x
            S: 250 mx.example greets x
            C: MAIL FROM: <a@b>
            S: 501 5.1.7 at the space at byte 10: expected `<` (c7)
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C: DATA
            S: 354 send the message, end it with <CRLF>.<CRLF>
            C| one\ntwo\r\n
            S: 500 5.5.2 SMTP smuggling refused: a bare LF at byte 3 of the message; lines end in CRLF only, and a message in CRLF.CRLF (c7)
            E: body refused one
            X:
        ",
    },
];
