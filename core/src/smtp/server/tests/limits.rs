//! Each limit, at it and one past it.

use super::*;

const HELLO: &str = "HELO x";
const MAIL: &str = "MAIL FROM:<a@b>";
const RCPT: &str = "RCPT TO:<c@d>";

fn with(limits: Limits) -> House {
    let capabilities = Capabilities { auth: vec!["PLAIN".into()], ..Capabilities::default() };
    let config = Config::new("mx.example", limits, capabilities, Strictness::Lenient);
    let mut house = House::new(config.unwrap());
    house.answers(HELLO);
    house
}

/// A command of so many bytes, its CRLF included.
fn noop(length: usize) -> String {
    format!("{:x<1$}\r\n", "NOOP ", length - 2)
}

#[test]
fn command_line() {
    let limits = Limits { command_line_max: 600, ..Limits::default() };
    let too_long = "S: 500 5.5.2 line too long: 600 bytes at most (c7)";
    let bytes = [noop(600), noop(601), noop(1300), noop(600)].concat();
    for cut in 0..bytes.len() {
        let mut house = with(limits);
        house.log.clear();
        house.hears(&bytes.as_bytes()[..cut]);
        house.hears(&bytes.as_bytes()[cut..]);
        let expected = ["S: 250 2.0.0 ok", too_long, too_long, "S: 250 2.0.0 ok"];
        assert_eq!(house.said(), expected, "cut at {cut}");
    }
    let mut house = with(limits);
    house.log.clear();
    bytes.bytes().for_each(|byte| house.hears(&[byte]));
    assert_eq!(house.said(), ["S: 250 2.0.0 ok", too_long, too_long, "S: 250 2.0.0 ok"]);
}

/// RFC 4954 §4: an initial response is as long as any other one.
#[test]
fn auth_line() {
    let limits = Limits { command_line_max: 512, auth_line_max: 1_000, ..Limits::default() };
    let base64 = |length: usize| "A".repeat(length);
    // `AUTH PLAIN ` and CRLF are 13 bytes; base64 comes in fours.
    for (response, spaces, fits) in [(984, 3, true), (984, 4, false), (988, 0, false)] {
        let line = format!("AUTH PLAIN {}{}", base64(response), " ".repeat(spaces));
        let last = with(limits).answers(&line).pop().unwrap();
        let expected = if fits {
            "S: 235 2.7.0 authenticated"
        } else {
            "S: 500 5.5.6 line too long: 1000 bytes at most (c7)"
        };
        assert_eq!(last, expected, "{response} and {spaces}");
    }
    // A response of 998 bytes is no base64, but is no line too long either.
    for (response, reply) in [
        (996, "S: 235 2.7.0 authenticated"),
        (998, "S: 501 5.5.2 this is not base64 (c7)"),
        (999, "S: 500 5.5.6 line too long: 1000 bytes at most (c7)"),
        (5000, "S: 500 5.5.6 line too long: 1000 bytes at most (c7)"),
    ] {
        let mut house = with(limits);
        house.answers("AUTH PLAIN");
        let said = house.answers(&base64(response));
        assert!(said.contains(&reply.to_string()), "{response}: {said:?}");
        assert_eq!(said.contains(&"E: cancelled".into()), response > 996);
        assert_eq!(house.answers("NOOP"), ["S: 250 2.0.0 ok"]);
    }
}

#[test]
fn recipients() {
    let mut house = with(Limits { recipients_max: 2, ..Limits::default() });
    for _ in 0..2 {
        house.answers(MAIL);
        assert_eq!(house.answers(RCPT), ["S: 250 2.0.0 ok <c@d>"]);
        // One that was refused does not count.
        house.answers("RCPT TO:<nobody@d>");
        assert_eq!(house.answers(RCPT), ["S: 250 2.0.0 ok <c@d>"]);
        assert_eq!(house.answers(RCPT), ["S: 452 4.5.3 too many recipients: 2 at most (c7)"]);
        house.answers("DATA");
        assert_eq!(house.answers(".").pop().unwrap(), "S: 250 2.0.0 message accepted");
    }
}

#[test]
fn transactions() {
    let mut house = with(Limits { transactions_max: 2, ..Limits::default() });
    for _ in 0..2 {
        assert_eq!(house.answers(MAIL), ["S: 250 2.0.0 ok FROM:<a@b>"]);
        house.answers("RSET");
    }
    let refused = "S: 421 4.7.0 too many mails in one connection: 2 at most (c7)";
    assert_eq!(house.answers(MAIL), [refused, "X:"]);
}

#[test]
fn bad_commands() {
    let mut house = with(Limits { bad_commands_max: 2, ..Limits::default() });
    let unknown = "S: 500 5.5.1 command not known (c7)";
    for _ in 0..3 {
        assert_eq!(house.answers("XYZZY"), [unknown]);
        assert_eq!(house.answers("XYZZY"), [unknown]);
        // What a client that pipelines cannot know, and what the owner refuses, does not count.
        assert_eq!(house.answers(RCPT), ["S: 503 5.5.1 send MAIL first (c7)"]);
        house.answers(MAIL);
        house.answers("RCPT TO:<nobody@d>");
        assert_eq!(house.answers("DATA"), ["S: 503 5.5.1 no recipient has been accepted (c7)"]);
        house.answers(RCPT);
        house.answers("DATA");
        // An accepted message wipes the slate.
        assert_eq!(house.answers(".").pop().unwrap(), "S: 250 2.0.0 message accepted");
    }
    house.answers("XYZZY");
    house.answers("XYZZY");
    let closing = "S: 421 4.7.0 too many commands that cannot be served: 2 at most (c7)";
    assert_eq!(house.answers("XYZZY\r\nNOOP"), [unknown, closing, "X:"]);
}

#[test]
fn message_bytes() {
    let max = 20;
    for (text, fits) in [
        ("1234567890\r\n123456", true),
        ("1234567890\r\n1234567", false),
        ("..\r\n123456789012345", true),
    ] {
        let mut house = with(Limits { message_bytes_max: max, ..Limits::default() });
        house.answers(&format!("{MAIL}\r\n{RCPT}\r\nDATA"));
        let said = house.answers(&format!("{text}\r\n.")).join("\n");
        assert_eq!(said.contains("S: 250 2.0.0 message accepted"), fits, "{text:?}: {said}");
        assert_eq!(said.contains("S: 552 5.3.4 "), !fits, "{text:?}: {said}");
        assert_eq!(house.answers("NOOP"), ["S: 250 2.0.0 ok"]);
    }
    for (size, code) in [(20, "S: 250 "), (21, "S: 552 ")] {
        let mut house = with(Limits { message_bytes_max: max, ..Limits::default() });
        let said = house.answers(&format!("{MAIL} SIZE={size}")).remove(0);
        assert!(said.starts_with(code), "{size}: {said}");
    }
}

#[test]
fn text_line() {
    for (text, fits) in [("12345678", true), ("..2345678", true), ("123456789", false)] {
        let mut house = with(Limits { text_line_max: 10, ..Limits::default() });
        house.answers(&format!("{MAIL}\r\n{RCPT}\r\nDATA"));
        let said = house.answers(&format!("{text}\r\n.")).join("\n");
        assert_eq!(said.contains("S: 250 2.0.0 message accepted"), fits, "{text:?}: {said}");
        assert_eq!(said.contains("S: 554 5.6.0 "), !fits, "{text:?}: {said}");
    }
}

/// A chunk counts as the lines of DATA do.
#[test]
fn chunks() {
    let limits = Limits { message_bytes_max: 20, text_line_max: 10, ..Limits::default() };
    for (text, reply) in [
        ("12345678\r\n1234\r\n78\r\n", "S: 250 2.0.0 message accepted"),
        ("12345678\r\n1234\r\n789\r\n", "S: 552 5.3.4 message too large: 20 bytes at most (c7)"),
        (
            "123456789\r\n",
            "S: 554 5.6.0 the message has a line that is too long: 10 bytes at most (c7)",
        ),
    ] {
        for first in 0..text.len() {
            let mut house = with(limits);
            house.answers(&format!("{MAIL}\r\n{RCPT}"));
            let (one, two) = text.split_at(first);
            house
                .hears(format!("BDAT {first}\r\n{one}BDAT {} LAST\r\n{two}", two.len()).as_bytes());
            let said = house.said();
            assert!(said.iter().any(|line| line == reply), "{text:?} at {first}: {said:?}");
        }
    }
}

#[test]
fn localparts_and_domains() {
    let limits = Limits { localpart_max: 6, domain_max: 12, ..Limits::default() };
    for (mailbox, expected) in [
        ("abcdef@b", None),
        ("abcdefg@b", Some("a shorter local part")),
        // Quotes and backslashes do not count.
        (r#""a\\ cd\""@b"#, None),
        (r#""a\\ cd\"e"@b"#, Some("a shorter local part")),
        ("a@abcd.example", None),
        ("a@abcde.example", Some("a shorter domain")),
        ("a@[192.168.10.1]", None),
        ("a@[192.168.10.11]", Some("a shorter address literal")),
    ] {
        let said = with(limits).answers(&format!("MAIL FROM:<{mailbox}>")).join("\n");
        match expected {
            None => assert!(said.starts_with("S: 250 "), "{mailbox}: {said}"),
            Some(expected) => {
                assert!(
                    said.starts_with("S: 501 ") && said.contains(expected),
                    "{mailbox}: {said}"
                );
            }
        }
    }
}

/// Whoever limits the time must know what is being read.
#[test]
fn what_is_read_is_told() {
    let mut house = with(Limits::default());
    for (bytes, reading) in [
        ("NOO", Reading::Line),
        ("P\r\nAUTH PLAIN\r\n", Reading::Line),
        ("*\r\n", Reading::Line),
        (noop(3_000).trim_end(), Reading::LongLine),
        ("x\r\n", Reading::Line),
        ("BDAT 2\r\nx", Reading::Body),
        ("x", Reading::Line),
        (MAIL, Reading::Line),
        ("\r\nRCPT TO:<c@d>\r\nDATA\r\n", Reading::Body),
        ("x\r\n.\r", Reading::Body),
        ("\n", Reading::Line),
        ("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 1\r\n", Reading::Body),
        ("x", Reading::BetweenChunks),
        ("RSET\r\n", Reading::Line),
        ("QUIT\r\n", Reading::Nothing),
    ] {
        house.hears(bytes.as_bytes());
        assert_eq!(house.server.reading(), reading, "after {bytes:?}");
    }
}
