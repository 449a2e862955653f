//! BDAT and BINARYMIME (RFC 3030), and the other parameters of MAIL and RCPT.

use super::Setting::{Bare, Generous, Pedantic, Receiving};
use super::{Conversation, House, hold};

#[test]
fn each_goes_as_written() {
    CONVERSATIONS.iter().for_each(hold);
}

/// A BDAT that cannot be read, in each way: what follows may be its chunk and is no command.
#[test]
fn nothing_is_read_behind_a_chunk_without_a_size() {
    for (setting, line) in [
        (Receiving, b"BDAT x\r\n".to_vec()),
        (Receiving, b"bdat\r\n".to_vec()),
        (Receiving, b"BDAT 6\0\r\n".to_vec()),
        (Receiving, b"BDAT 6 \xff\r\n".to_vec()),
        (Pedantic, b"BDAT 6\n".to_vec()),
        (Receiving, format!("BDAT 6{}\r\n", " ".repeat(3_000)).into_bytes()),
    ] {
        let mut house = House::new(setting.config());
        house.answers("HELO x");
        house.hears(&[&line[..], b"NOOP\r\n"].concat());
        let said = house.said();
        assert!(said[0].starts_with("S: 50") && said[1..] == ["X:"], "{said:?}");
    }
}

pub(super) const CONVERSATIONS: &[Conversation] = &[
    Conversation {
        name: "a message in three chunks, one of them empty (RFC 3030 §4.2)",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: HELO client.example
            S: 250 mx.example greets client.example
            C: BDAT 4
            S: 503 5.5.1 send MAIL first (c7)
            C| QUIT
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: BDAT 4
            S: 503 5.5.1 no recipient has been accepted (c7)
            C| RSET
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C| BDAT 6\r\n.\r\n.\r\n
            S: 250 2.0.0 6 bytes so far
            C: RCPT TO:<c@d>
            S: 503 5.5.1 RCPT must wait until this mail is done (c7)
            C: DATA
            S: 503 5.5.1 DATA must wait until this mail is done (c7)
            C: MAIL FROM:<a@b>
            S: 503 5.5.1 MAIL must wait until this mail is done (c7)
            C| BDAT 0\r\nBDAT 5 LAST\r\n..\r\nx
            S: 250 2.0.0 6 bytes so far
            E: body .\r\n.\r\n..\r\nx
            S: 250 2.0.0 message accepted
            C: BDAT 0 LAST
            S: 503 5.5.1 send MAIL first (c7)
            C: QUIT
            S: 221 2.0.0 mx.example says goodbye
            X:
        ",
    },
    Conversation {
        name: "line ends over the border of chunks; a bare CR is refused, in step",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: HELO client.example
            S: 250 mx.example greets client.example
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C| BDAT 2\r\na\rBDAT 4 LAST\r\n\nb\n\n
            S: 250 2.0.0 1 bytes so far
            E: body a\r\nb\r\n\r\n
            S: 250 2.0.0 message accepted
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C| BDAT 10\r\na\rb\r\nQUIT\rBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n
            S: 554 5.6.0 a CR without an LF in the message: lines end in CRLF (c7)
            E: body refused a
            S: 503 5.5.1 send MAIL first (c7)
            S: 250 2.0.0 ok
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C| BDAT 2 LAST\r\nx\r
            S: 554 5.6.0 a CR without an LF in the message: lines end in CRLF (c7)
            E: body refused x
            C: QUIT
            S: 221 2.0.0 mx.example says goodbye
            X:
        ",
    },
    Conversation {
        name: "too large by what is declared, and by what has gathered",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: HELO client.example
            S: 250 mx.example greets client.example
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C| BDAT 4\r\nabcd
            S: 250 2.0.0 4 bytes so far
            C: BDAT 197 LAST
            S: 552 5.3.4 message too large: 200 bytes at most (c7)
            E: body refused abcd
            C| 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
            C| 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456NOOP\r\n
            S: 250 2.0.0 ok
            C: BDAT
            S: 501 5.5.4 at the end: expected a number of bytes; what follows cannot be told from commands (c7)
            X:
        ",
    },
    Conversation {
        name: "a binary message comes by BDAT only and stays as it is (RFC 3030 §3)",
        setting: Receiving,
        script: r"
            S: 220 mx.example ESMTP
            C: HELO client.example
            S: 250 mx.example greets client.example
            C: MAIL FROM:<a@b> BODY=BINARYMIME
            S: 250 2.0.0 ok FROM:<a@b> BODY=BINARYMIME
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C: DATA
            S: 503 5.5.1 a binary message comes by BDAT only (c7)
            C| BDAT 6 LAST\r\n\r\0\n\xff\n\r
            E: body \r\x00\n\xff\n\r
            S: 250 2.0.0 message accepted
            C: QUIT
            S: 221 2.0.0 mx.example says goodbye
            X:
        ",
    },
    Conversation {
        name: "RSET between chunks; a pedantic server refuses a bare LF",
        setting: Pedantic,
        script: r"
            S: 220 mx.example ESMTP
            C: HELO client.example
            S: 250 mx.example greets client.example
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C| BDAT 4\r\nabcd
            S: 250 2.0.0 4 bytes so far
            C: RSET
            S: 250 2.0.0 reset
            E: reset
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C| BDAT 3\r\na\nb
            S: 554 5.6.0 an LF without a CR in the message: lines end in CRLF (c7)
            E: body refused abcda
            C: QUIT
            S: 221 2.0.0 mx.example says goodbye
            X:
        ",
    },
    Conversation {
        name: "what is not offered is refused, and its chunk read past",
        setting: Bare,
        script: r"
            S: 220 mx.example ESMTP
            C: HELO client.example
            S: 250 mx.example greets client.example
            C: MAIL FROM:<REQUIRETLS@b> REQUIRETLS
            S: 555 5.5.4 at byte 25: parameter not offered (c7)
            C: MAIL FROM:<a@b> RET=FULL
            S: 555 5.5.4 at byte 16: parameter not offered (c7)
            C: MAIL FROM:<a@b> ENVID=1
            S: 555 5.5.4 at byte 16: parameter not offered (c7)
            C: MAIL FROM:<a@b> HOLDFOR=1
            S: 555 5.5.4 at byte 16: parameter not offered (c7)
            C: MAIL FROM:<a@b> BY=1;R
            S: 555 5.5.4 at byte 16: parameter not offered (c7)
            C: MAIL FROM:<a@b> MT-PRIORITY=1
            S: 555 5.5.4 at byte 16: parameter not offered (c7)
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 ok FROM:<a@b>
            C: RCPT TO:<c@d> NOTIFY=NEVER
            S: 555 5.5.4 at byte 14: parameter not offered (c7)
            C: RCPT TO:<c@d> ORCPT=rfc822;a@b
            S: 555 5.5.4 at byte 14: parameter not offered (c7)
            C: RCPT TO:<c@d>
            S: 250 2.0.0 ok <c@d>
            C| BDAT 6\r\nQUIT\r\nNOOP\r\n
            S: 502 5.5.1 BDAT is not offered here (c7)
            E: body refused\x20
            S: 250 2.0.0 ok
            C: QUIT
            S: 221 2.0.0 mx.example says goodbye
            X:
        ",
    },
    Conversation {
        name: "all extensions, some only under TLS (RFC 8689 §2)",
        setting: Generous,
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
            S: 250-DSN
            S: 250-FUTURERELEASE 3600 2030-01-01T00:00:00Z
            S: 250-DELIVERBY
            S: 250-MT-PRIORITY
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C: MAIL FROM:<a@b> REQUIRETLS
            S: 555 5.5.4 at byte 16: parameter not offered (c7)
            C: STARTTLS
            S: 220 2.0.0 ready to start TLS (c7)
            T:
            C: EHLO client.example
            S: 250-mx.example greets client.example
            S: 250-PIPELINING
            S: 250-SIZE 200
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250-CHUNKING
            S: 250-BINARYMIME
            S: 250-DSN
            S: 250-REQUIRETLS
            S: 250-FUTURERELEASE 3600 2030-01-01T00:00:00Z
            S: 250-DELIVERBY
            S: 250-MT-PRIORITY
            S: 250-LIMITS MAILMAX=100000 RCPTMAX=1000
            S: 250 ENHANCEDSTATUSCODES
            C: MAIL FROM:<a@b> HOLDFOR=3601
            S: 501 5.5.4 held for too long: 3600 seconds at most (c7)
            C: MAIL FROM:<a@b> REQUIRETLS RET=HDRS ENVID=x HOLDFOR=3600 BY=60;N MT-PRIORITY=3
            S: 250 2.0.0 ok FROM:<a@b> REQUIRETLS RET=HDRS ENVID=x HOLDFOR=3600 BY=60;N MT-PRIORITY=3
            C: RCPT TO:<c@d> NOTIFY=FAILURE,DELAY ORCPT=rfc822;e@f
            S: 250 2.0.0 ok TO:<c@d> NOTIFY=FAILURE,DELAY ORCPT=rfc822;e@f
        ",
    },
];
