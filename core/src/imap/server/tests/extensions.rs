//! What came after RFC 3501, and mailboxes that are made and go.

use super::*;
use crate::imap::name::Spelling;

#[test]
fn what_the_machine_answers_alone_after_login() {
    greeted(
        "C: a ID (\"name\" {3}
        S: + go on
        C: xyz)
        S: * ID (\"name\" \"Pillarbox\")
        S: a OK ID completed
        C: b ENABLE CONDSTORE
        S: b BAD log in first (id7)
        C: c NAMESPACE
        S: c BAD log in first (id7)",
    );
    logged_in(
        "C: a ENABLE X-GOOD-IDEA
        S: * ENABLED
        S: a OK ENABLE completed
        C: e ENABLE X-GOOD-IDEA Condstore
        S: * ENABLED CONDSTORE
        S: e OK ENABLE completed
        C: b ENABLE
        S: b BAD expected a space at byte 8 (id7)
        C: c NAMESPACE
        S: * NAMESPACE ((\"\" \"/\")) NIL NIL
        S: c OK NAMESPACE completed
        C: d ID NIL
        S: * ID (\"name\" \"Pillarbox\")
        S: d OK ID completed",
    );
}

/// RFC 6855 §3, §4.
#[test]
fn utf_8_is_switched_on() {
    logged_in(
        "C: a APPEND x UTF8 (~{2}
        S: + go on
        C| hi)\\r\\n
        S: a OK done
        C: b APPEND x UTF8 (~{2+}
        C| hi) () UTF8 (~{1+}\\r\\nx) {1+}\\r\\ny\\r\\n
        S: b OK done
        C: c APPEND x UTF8 (~{2+}
        C| hi\\r\\n
        S: c BAD expected the end of the command after the message (id7)
        C: d APPEND x UTF8 (~{2+}
        C| hi {1+}\\r\\ny)\\r\\n
        S: d BAD expected the end of the command after the message (id7)
        C: e APPEND x UTF8 ({2+}
        C| hi)\\r\\n
        S: e BAD expected a literal8 at byte 17 (id7)
        C: f SEARCH CHARSET UTF-8 ALL
        S: f BAD select a mailbox first (id7)
        C: g ENABLE UTF8=ACCEPT
        S: * ENABLED UTF8=ACCEPT
        S: g OK ENABLE completed
        C: h SELECT \"B\u{fc}cher\"
        S: h OK [READ-WRITE] done
        C: i SEARCH CHARSET UTF-8 ALL
        S: i BAD no CHARSET after ENABLE UTF8=ACCEPT (id7)
        C: j SEARCH SUBJECT \"B\u{fc}cher\"
        S: j OK done",
    );
}

/// RFC 7162 §3.2.3.
#[test]
fn qresync_is_switched_on_before_it_is_used() {
    logged_in(
        "C: a SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))
        S: a BAD ENABLE QRESYNC first (id7)
        C: b ENABLE CONDSTORE
        S: * ENABLED CONDSTORE
        S: b OK ENABLE completed
        C: c SELECT INBOX (QRESYNC (67890007 20050715194045000))
        S: c BAD ENABLE QRESYNC first (id7)
        C: d SELECT INBOX
        S: d OK [READ-WRITE] done
        C: e UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)
        S: e BAD ENABLE QRESYNC first (id7)
        C: f ENABLE QRESYNC
        S: * ENABLED CONDSTORE QRESYNC
        S: f OK ENABLE completed
        C: g UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)
        S: g OK done
        C: h SELECT INBOX (QRESYNC (67890007 20050715194045000))
        S: h OK [READ-WRITE] done",
    );
}

/// RFC 7162 §3.1: the commands that say that a client knows MODSEQs.
#[test]
fn some_commands_switch_modseqs_on() {
    for (line, switches) in [
        ("a ENABLE CONDSTORE", true),
        ("a SELECT INBOX (CONDSTORE)", true),
        ("a STATUS INBOX (HIGHESTMODSEQ)", true),
        ("a FETCH 1 MODSEQ", true),
        ("a UID FETCH 1 (FLAGS) (CHANGEDSINCE 5)", true),
        ("a SEARCH OR SEEN (NOT MODSEQ 5)", true),
        ("a STORE 1 (UNCHANGEDSINCE 5) FLAGS ()", true),
        ("a SELECT INBOX", false),
        ("a FETCH 1 FLAGS", false),
        ("a SEARCH ALL", false),
        ("a FETCH 1 (MODSEQ", false),
    ] {
        let mut server = Server::new(Arc::new(config()), "id7");
        let mut out = Outbox::new(1 << 20);
        server.greet(&mut out);
        for line in ["l LOGIN u secret", "s SELECT INBOX", line] {
            let line = format!("{line}\r\n");
            if let Next::Event(event) = server.next(line.as_bytes(), &mut out).next {
                answer(&mut server, &event, &mut out);
            }
        }
        assert_eq!(server.enabled().has(Enabled::CONDSTORE), switches, "{line}");
    }
}

#[test]
fn a_first_message_comes_with_authenticate() {
    let (events, _) = converse(config(), &[b"a AUTHENTICATE PLAIN AHUAc2VjcmV0\r\n"]);
    // What is in it is not printed.
    let told = "Command(Authenticate { mechanism: \"PLAIN\", initial: Some(Initial) })";
    assert_eq!(events, [told]);
    for (sent, bytes) in [("AHUAcw==", &b"\0u\0s"[..]), ("=", b"")] {
        let line = format!("a AUTHENTICATE PLAIN {sent}");
        let (_, request) = grammar::command(line.as_bytes()).unwrap();
        let Ok(Some(Command::Authenticate { initial: Some(initial), .. })) =
            Command::from_request(request, Spelling::Utf7)
        else {
            panic!("{line}")
        };
        assert_eq!(initial.0, bytes);
    }
    // As long as an answer to a challenge may be, and four more.
    let longest = "QUFB".repeat(10);
    greeted(&format!(
        "C: a AUTHENTICATE PLAIN {longest}QUFB
        S: a BAD the command is too long (id7)
        C: b AUTHENTICATE PLAIN AHU
        S: b BAD expected base64 (id7)
        C: c AUTHENTICATE NONE AHUA
        S: c NO this mechanism is not offered (id7)
        C: d AUTHENTICATE PLAIN {longest}
        S: + \n        C: *
        S: d BAD authentication cancelled (id7)"
    ));
}

#[test]
fn compression_begins_once() {
    greeted(
        "C: a COMPRESS DEFLATE
        S: a BAD log in first (id7)",
    );
    logged_in(
        "C: a COMPRESS
        S: a BAD expected a space at byte 10 (id7)
        C: b COMPRESS LZW
        S: b BAD expected DEFLATE at byte 11 (id7)
        C: c compress deflate
        S: c OK done
        C: d COMPRESS DEFLATE
        S: d BAD [COMPRESSIONACTIVE] DEFLATE already active (id7)",
    );
    // Nothing is read between the answer and the beginning.
    let mut server = Server::new(Arc::new(config()), "id7");
    let mut out = Outbox::new(1 << 20);
    server.greet(&mut out);
    let _login = server.next(b"a LOGIN u secret\r\n", &mut out);
    server.finish(&Done::ok("done"), &mut out).unwrap();
    assert_eq!(server.compression_started(), Err(Misuse::NoCompression));
    let line = b"b COMPRESS DEFLATE\r\nc NOOP\r\n";
    let Step { used, .. } = server.next(line, &mut out);
    assert_eq!(used, 20);
    server.finish(&Done::ok("done"), &mut out).unwrap();
    assert_eq!(server.next(&line[used..], &mut out), Step { used: 0, next: Next::AwaitReply });
    server.compression_started().unwrap();
}

#[test]
fn a_mailbox_is_closed_by_unselect_and_by_its_end() {
    logged_in(
        "C: a SELECT INBOX
        S: a OK [READ-WRITE] done
        C: b CHECK
        S: b OK done
        C: c UNSELECT
        S: c OK done
        C: d CHECK
        S: d BAD select a mailbox first (id7)",
    );
    let mut server = Server::new(Arc::new(config()), "id7");
    let mut out = Outbox::new(1 << 20);
    server.greet(&mut out);
    for line in [&b"a LOGIN u secret\r\n"[..], b"b SELECT INBOX\r\n", b"c DELETE x\r\n"] {
        let Step { next: Next::Event(event), .. } = server.next(line, &mut out) else { panic!() };
        if server.selected().is_some() {
            server.deselect();
        }
        answer(&mut server, &event, &mut out);
    }
    assert_eq!(server.selected(), None);
}

#[test]
fn names_beyond_their_limits() {
    let config = Config { command_bytes_max: 1_000, ..config() };
    let deep = |levels: usize| vec!["d"; levels].join("/");
    let long = "x".repeat(513);
    transcript(
        config,
        &format!(
            "{GREETING}{LOGIN}
            C: a CREATE {}
            S: a NO [LIMIT] a mailbox name has at most 32 levels (id7)
            C: b CREATE {}/
            S: b OK done
            C: c RENAME x {long}
            S: c NO [LIMIT] a mailbox name has at most 512 bytes (id7)
            C: d SUBSCRIBE a//b
            S: d NO [CANNOT] no level of a mailbox name is empty, . or .. (id7)",
            deep(33),
            deep(32),
        ),
    );
}

#[test]
fn what_is_hidden_is_not_announced_and_served_all_the_same() {
    let mut server = Server::new(Arc::new(config()), "id7");
    let mut out = Outbox::new(1 << 20);
    server.greet(&mut out);
    let _ = server.next(b"a LOGIN u secret\r\n", &mut out);
    server.hide(["move", "AppendLimit", "COMPRESS=DEFLATE", "IMAP4rev1"].map(Into::into).into());
    server.finish(&Done::ok("done"), &mut out).unwrap();
    let said = String::from_utf8(out.unsent().to_vec()).unwrap();
    let announced = said.lines().last().unwrap();
    for (name, is_there) in [
        ("IMAP4rev1", true),
        ("IDLE", true),
        ("MOVE", false),
        ("APPENDLIMIT", false),
        ("COMPRESS", false),
    ] {
        assert_eq!(announced.contains(name), is_there, "{name}: {announced}");
    }
    let _ = server.next(b"b SELECT INBOX\r\n", &mut out);
    server.finish(&Done::ok("done"), &mut out).unwrap();
    let moved = server.next(b"c MOVE 1 x\r\n", &mut out);
    assert!(matches!(moved.next, Next::Event(Event::Command(Command::Move { .. }))));
    for (name, can) in [("idle", true), ("APPENDLIMIT", true), ("IMAP4rev1", false), ("X", false)] {
        assert_eq!(can_be_hidden(name), can, "{name}");
    }
}
