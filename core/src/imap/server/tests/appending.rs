//! APPEND and REPLACE: messages that come, in one command or several, and those that do not.

use super::*;

#[test]
fn append() {
    logged_in(
        "C: a APPEND Work (\\Seen) {5}
        S: + go on
        C: hello
        S: a OK done
        C: b APPEND {4+}
        C: Work {1+}
        C| x \\r\\n
        S: b BAD expected the end of the command after the message (id7)
        C: d APPEND Work {5+}
        C: hello
        S: d OK done",
    );
}

#[test]
fn a_refused_message_is_not_run() {
    logged_in(
        "C: a APPEND Absent {11}
        S: a NO [TRYCREATE] no such mailbox (id7)
        C: b APPEND Absent {11+}
        S: b NO [TRYCREATE] no such mailbox (id7)
        C| x LOGOUT\\r\\nz\\r\\n
        C: c APPEND Work {1001}
        S: c NO [TOOBIG] the message is too large (id7)
        C: d APPEND Work (\\Frob) {10+}
        S: d BAD expected a flag that clients may set at byte 15 (id7)
        C: x LOGOUT
        C|  {9}\\r\\n
        C: e APPEND a//b {10+}
        S: e NO [CANNOT] no level of a mailbox name is empty, . or .. (id7)
        C: x LOGOUT
        C|  {10+}\\r\\n
        C: x LOGOUT
        C|  {0+}\\r\\n
        C: x LOGOUT
        C: f APPEND Work {1+}
        C: z{10+}
        S: f BAD expected the end of the command after the message (id7)
        C: x LOGOUT
        C| \\r\\n
        C: g NOOP
        S: g OK done",
    );
}

#[test]
fn a_message_at_its_limit() {
    let line = format!("l LOGIN u secret\r\na APPEND x {{1000+}}\r\n{}\r\n", "y".repeat(1_000));
    assert!(converse(config(), &[line.as_bytes()]).1.ends_with("a OK done\r\n"));
}

#[test]
fn an_owner_may_refuse_a_message_while_it_comes() {
    let pieces: [&[u8]; 4] =
        [b"l LOGIN u secret\r\na APPEND x {10+}\r\n", b"full", b"x LOGO", b"UT\r\nb NOOP\r\n"];
    let (events, text) = converse(config(), &pieces);
    assert!(text.ends_with("a NO no room (id7)\r\nb OK done\r\n"), "{text}");
    assert!(!events.iter().any(|event| event.contains("letter")));
}

#[test]
fn several_messages_in_one_command() {
    // RFC 3502 §6.3.11
    logged_in(
        "C: A003 APPEND saved-messages (\\Seen) {20}
        S: + go on
        C| Subject: afternoon\\r\\n
        C:  (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" {5+}
        C: 3:30. {3}
        S: + go on
        C: abc
        S: A003 OK done
        C: b NOOP
        S: b OK done",
    );
    let said = b"l LOGIN u secret\r\na APPEND x {3+}\r\nabc (\\Seen) ~{2+}\r\n\0\n\r\n";
    let (events, _) = converse(config(), &[said]);
    let told: Vec<_> = events.iter().map(|event| event.split(['(', '{']).next()).collect();
    assert_eq!(
        told,
        [
            Some("Command"),
            Some("AppendBegin"),
            Some("letter abc, AppendNext"),
            Some("letter \\x00\\n, AppendEnd")
        ]
    );
    assert!(events[2].contains("size: 2, binary: true"), "{}", events[2]);
}

#[test]
fn one_that_is_refused_takes_the_others_with_it() {
    logged_in(
        "C: a APPEND x {3+}
        C: abc {1001}
        S: a NO [TOOBIG] the message is too large (id7)
        C: b APPEND x {3+}
        C: abc {1001+}
        S: b NO [TOOBIG] the message is too large (id7)",
    );
    // What is refused is read to its end, with the messages behind it.
    logged_in(&format!(
        "C: a APPEND x {{3+}}
        C: abc {{1001+}}
        S: a NO [TOOBIG] the message is too large (id7)
        C| {} {{8+}}\\r\\n
        C: z LOGOUT {{8+}}
        C: z LOGOUT
        C: b APPEND x {{3+}}
        C: abc {{0}}
        S: b NO a message has no bytes: nothing is appended (id7)
        C: c APPEND x {{3+}}
        C: abc {{0+}}
        S: c NO a message has no bytes: nothing is appended (id7)
        C:  {{8+}}
        C: z LOGOUT
        C: d APPEND x {{3+}}
        C: abc (no) {{8}}
        S: d NO not this one (id7)
        C: e APPEND x {{3+}}
        C: abc (no) {{8+}}
        S: e NO not this one (id7)
        C: z LOGOUT {{8+}}
        C: z LOGOUT
        C: f APPEND x {{0}}
        S: f NO a message has no bytes: nothing is appended (id7)
        C: g APPEND x {{3+}}
        C: abc (\\Frob) {{8+}}
        S: g BAD expected the end of the command after the message (id7)
        C: z LOGOUT
        C: h NOOP
        S: h OK done",
        "y".repeat(1_001)
    ));
}

#[test]
fn what_is_said_of_all_messages_has_the_limit_of_one_command() {
    let many = |count: usize| {
        let more = "x {1+}\r\n".repeat(count);
        let said = format!("l LOGIN u secret\r\na APPEND xyz {{1+}}\r\n{more}x\r\nb NOOP\r\n");
        let (_, text) = converse(config(), &[said.as_bytes()]);
        text.lines().skip(2).collect::<Vec<_>>().join("|")
    };
    // Its first line has 19 bytes, each further one 7.
    assert_eq!(many(25), "a OK done|b OK done");
    let refused = "a NO [LIMIT] these are too many messages for one command (id7)|b OK done";
    assert_eq!(many(26), refused);
}

#[test]
fn a_message_that_replaces_another() {
    logged_in(
        "C: a REPLACE 1 x {8+}
        S: a BAD select a mailbox first (id7)
        C: z LOGOUT
        C: b EXAMINE INBOX
        S: b OK [READ-ONLY] done
        C: c UID REPLACE 1 x {8+}
        S: c NO the mailbox is open read-only (id7)
        C: z LOGOUT
        C: d SELECT INBOX
        S: d OK [READ-WRITE] done
        C: e REPLACE 4 {6+}
        C: Drafts (\\Draft) {5}
        S: + go on
        C: hello
        S: e OK done
        C: f UID REPLACE 2000 Drafts {5+}
        C: hello {8+}
        S: f BAD expected the end of the command after the message (id7)
        C: z LOGOUT
        C: g REPLACE 4 Absent {8+}
        S: g NO [TRYCREATE] no such mailbox (id7)
        C: z LOGOUT
        C: h NOOP
        S: h OK done",
    );
}
