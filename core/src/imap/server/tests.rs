//! Conversations with an owner who says yes to nearly everything.

use proptest::prelude::*;

use super::*;
use crate::imap::command::{Command, UnknownCharset};
use crate::imap::grammar;

mod appending;
mod extensions;

fn config() -> Config {
    Config {
        greeting: "hello".to_owned(),
        starttls: true,
        mechanisms: vec!["PLAIN".to_owned()],
        mechanisms_under_tls: Vec::new(),
        command_bytes_max: 200,
        auth_bytes_max: 40,
        append_bytes_max: 1_000,
        bad_commands_max: 5,
        ..Config::default()
    }
}

/// Answers an event as a simple owner would.
fn answer(server: &mut Server, event: &Event<'_>, out: &mut Outbox) {
    let ok = Done::ok("done");
    let result = match event {
        Event::Command(Command::Login { password, .. }) if password.0 != "secret" => {
            server.finish(&Done::no("wrong").with(Code::AuthenticationFailed), out)
        }
        Event::Command(Command::Authenticate { .. }) => server.challenge(b"", out),
        Event::Command(Command::Idle) => server.idle(out),
        Event::Command(Command::StartTls) => {
            server.finish(&ok, out).and_then(|()| server.tls_started())
        }
        Event::Command(Command::Compress) => {
            server.finish(&ok, out).and_then(|()| server.compression_started())
        }
        Event::Command(Command::Select { mailbox, .. }) if mailbox.as_str() == "Absent" => {
            server.finish(&Done::no("no such mailbox").with(Code::NonExistent), out)
        }
        Event::Command(Command::Search { key: Err(UnknownCharset), .. }) => {
            server.finish(&Done::no("this charset is not known").with(Code::BadCharset), out)
        }
        Event::AppendBegin(append) if append.mailbox.as_str() == "Absent" => {
            server.finish(&Done::no("no such mailbox").with(Code::TryCreate), out)
        }
        Event::AppendNext(message) if message.flags.keywords.iter().any(|k| &**k == "no") => {
            server.finish(&Done::no("not this one"), out)
        }
        Event::AppendBegin(_) | Event::AppendNext(_) => server.accept_append(out),
        Event::AppendData(b"full") => server.finish(&Done::no("no room"), out),
        Event::AppendData(_) | Event::Abandoned(_) => Ok(()),
        _ => server.finish(&ok, out),
    };
    result.unwrap();
}

/// Runs a conversation whose input comes in these pieces; what was told and what was said.
fn converse(config: Config, pieces: &[&[u8]]) -> (Vec<String>, String) {
    let mut server = Server::new(Arc::new(config), "id7");
    let mut out = Outbox::new(1 << 20);
    let (mut events, mut letter) = (Vec::new(), Vec::new());
    server.greet(&mut out);
    let mut inbox = Vec::new();
    for piece in pieces {
        inbox.extend_from_slice(piece);
        loop {
            let Step { used, next } = server.next(&inbox, &mut out);
            match next {
                Next::Event(event) => {
                    match &event {
                        Event::AppendData(bytes) => letter.extend_from_slice(bytes),
                        Event::AppendEnd | Event::AppendNext(_) => {
                            let letter = std::mem::take(&mut letter);
                            events.push(format!("letter {}, {event:?}", letter.escape_ascii()));
                        }
                        Event::AuthResponse(bytes) => {
                            events.push(format!("auth {}", bytes.escape_ascii()));
                        }
                        event => events.push(format!("{event:?}")),
                    }
                    answer(&mut server, &event, &mut out);
                }
                Next::NeedBytes if used == 0 => break,
                Next::NeedBytes => {}
                Next::AwaitReply => panic!("nothing is owed"),
                Next::Closed => {
                    events.push("closed".to_owned());
                    return (events, String::from_utf8(out.unsent().to_vec()).unwrap());
                }
            }
            inbox.drain(..used);
        }
    }
    (events, String::from_utf8(out.unsent().to_vec()).unwrap())
}

/// A conversation as lines: `C:` sent with CRLF, `C|` as it stands with escapes, `S:` expected.
/// All that is sent is sent at once; so what is tested is also that nothing is run twice or not.
fn transcript(config: Config, lines: &str) {
    let (mut sent, mut expected) = (Vec::new(), String::new());
    for line in lines.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        if let Some(text) = line.strip_prefix("C: ") {
            sent.extend_from_slice(text.as_bytes());
            sent.extend_from_slice(b"\r\n");
        } else if let Some(text) = line.strip_prefix("C| ") {
            let text = text.replace("\\r", "\r").replace("\\n", "\n");
            sent.extend_from_slice(text.as_bytes());
        } else if let Some(text) = line.strip_prefix("S: ") {
            let text = text.replace("...] done", "... COMPRESS=DEFLATE] done");
            expected.push_str(&text.replace("IMAP4rev1 ...", &offered()));
            expected.push_str("\r\n");
        } else {
            panic!("{line}");
        }
    }
    let (events, whole) = converse(config.clone(), &[&sent]);
    assert_eq!(whole, expected);
    let bytes: Vec<&[u8]> = sent.chunks(1).collect();
    assert_eq!(converse(config, &bytes), (events, whole));
}

/// What is offered at any time; `IMAP4rev1 ...` in a transcript.
fn offered() -> String {
    format!("{} APPENDLIMIT=1000", capability::SERVED.join(" "))
}

const GREETING: &str = "S: * OK [CAPABILITY IMAP4rev1 ... STARTTLS SASL-IR AUTH=PLAIN] hello\n";
const LOGIN: &str = "C: l LOGIN u secret\nS: l OK [CAPABILITY IMAP4rev1 ...] done\n";

/// A transcript that begins after greeting and login.
fn logged_in(lines: &str) {
    transcript(config(), &format!("{GREETING}{LOGIN}{lines}"));
}

/// A transcript that begins after the greeting.
fn greeted(lines: &str) {
    transcript(config(), &format!("{GREETING}{lines}"));
}

#[test]
fn what_is_hidden_is_not_announced() {
    let mut server = Server::new(Arc::new(config()), "i-1");
    server.hide(["WITHIN", "APPENDLIMIT", "IMAP4REV1"].map(str::to_owned).into());
    let mut out = Outbox::new(usize::MAX);
    server.greet(&mut out);
    let said = String::from_utf8_lossy(out.unsent()).into_owned();
    assert!(said.contains("[CAPABILITY IMAP4rev1 ") && said.contains(" ESEARCH "), "{said}");
    assert!(!said.contains("WITHIN") && !said.contains("APPENDLIMIT"), "{said}");
}

#[test]
fn what_the_machine_answers_alone() {
    greeted(
        "C: a CAPABILITY
        S: * CAPABILITY IMAP4rev1 ... STARTTLS SASL-IR AUTH=PLAIN
        S: a OK CAPABILITY completed
        C: b LOGOUT
        S: * BYE logging out (id7)
        S: b OK LOGOUT completed
        C: c NOOP",
    );
}

#[test]
fn login_without_tls_where_it_is_not_allowed() {
    transcript(
        Config {
            mechanisms: Vec::new(),
            mechanisms_under_tls: vec!["PLAIN".to_owned()],
            ..config()
        },
        "S: * OK [CAPABILITY IMAP4rev1 ... STARTTLS LOGINDISABLED] hello
        C: a LOGIN u secret
        S: a NO [PRIVACYREQUIRED] no login without TLS (id7)
        C: b AUTHENTICATE PLAIN
        S: b NO [PRIVACYREQUIRED] no login without TLS (id7)
        C: c AUTHENTICATE GSSAPI
        S: c NO this mechanism is not offered (id7)
        C: c STARTTLS
        S: c OK done (id7)
        C: d CAPABILITY
        S: * CAPABILITY IMAP4rev1 ... SASL-IR AUTH=PLAIN
        S: d OK CAPABILITY completed
        C: e STARTTLS
        S: e BAD TLS already active (id7)
        C: f LOGIN u secret
        S: f OK [CAPABILITY IMAP4rev1 ...] done",
    );
}

#[test]
fn login_goes_with_plain() {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    transcript(
        Config {
            mechanisms: names(&["LOGIN"]),
            mechanisms_under_tls: names(&["SCRAM-SHA-1"]),
            ..config()
        },
        "S: * OK [CAPABILITY IMAP4rev1 ... STARTTLS SASL-IR AUTH=LOGIN LOGINDISABLED] hello
        C: a LOGIN u {6}
        S: a NO LOGIN is not offered here (id7)
        C: b AUTHENTICATE PLAIN
        S: b NO this mechanism is not offered (id7)
        C: c AUTHENTICATE SCRAM-SHA-1
        S: c NO [PRIVACYREQUIRED] no login without TLS (id7)
        C: c STARTTLS
        S: c OK done (id7)
        C: d CAPABILITY
        S: * CAPABILITY IMAP4rev1 ... SASL-IR AUTH=SCRAM-SHA-1 AUTH=LOGIN LOGINDISABLED
        S: d OK CAPABILITY completed",
    );
}

#[test]
fn login_with_literals() {
    greeted(
        "C: a LOGIN {1}
        S: + go on
        C: u {6}
        S: + go on
        C: secret
        S: a OK [CAPABILITY IMAP4rev1 ...] done",
    );
    greeted(
        "C: a LOGIN {0+}
        C: {6+}
        C: secret
        S: a BAD expected a space at byte 14 (id7)
        C: b LOGIN {0+}
        C|  {5}\\r\\nwrong\\r\\n
        S: + go on
        S: b NO [AUTHENTICATIONFAILED] wrong (id7)",
    );
}

#[test]
fn authenticate() {
    greeted(
        "C: a AUTHENTICATE plain
        S: + \n        C: AHUAcw==
        S: a OK [CAPABILITY IMAP4rev1 ...] done",
    );
    greeted(
        "C: a AUTHENTICATE PLAIN AHUAcw== x
        S: a BAD expected the end of the command at byte 29 (id7)
        C: b AUTHENTICATE GSSAPI
        S: b NO this mechanism is not offered (id7)
        C: c AUTHENTICATE PLAIN
        S: + \n        C: *
        S: c BAD authentication cancelled (id7)
        C: d AUTHENTICATE PLAIN
        S: + \n        C: AHUAcw
        S: d BAD expected base64 (id7)
        C: e AUTHENTICATE PLAIN
        S: + \n        C: {5+}
        S: e BAD expected base64 (id7)
        C: f NOOP
        S: f OK done",
    );
}

#[test]
fn an_answer_at_its_limit_and_one_past_it() {
    let run = |length: usize| {
        let line = format!("a AUTHENTICATE PLAIN\r\n{}\r\nb NOOP\r\n", "A".repeat(length));
        converse(config(), &[line.as_bytes()])
    };
    assert!(run(40).1.ends_with("] done\r\nb OK done\r\n"));
    assert!(run(44).1.ends_with("a BAD the command is too long (id7)\r\nb OK done\r\n"));
    assert!(run(41).1.ends_with("a BAD the command is too long (id7)\r\nb OK done\r\n"));
}

#[test]
fn idle() {
    logged_in(
        "C: a IDLE
        S: + idling
        C: done
        S: a OK done
        C: b IDLE
        S: + idling
        C: c NOOP
        S: b BAD expected DONE (id7)
        C: d NOOP
        S: d OK done",
    );
}

#[test]
fn select_says_what_may_be_done() {
    logged_in(
        "C: a FETCH 1 FLAGS
        S: a BAD select a mailbox first (id7)
        C: b SELECT INBOX
        S: b OK [READ-WRITE] done
        C: c EXPUNGE
        S: c OK done
        C: d EXAMINE INBOX
        S: d OK [READ-ONLY] done
        C: e UID STORE 1 FLAGS ()
        S: e NO the mailbox is open read-only (id7)
        C: f SELECT Absent
        S: f NO [NONEXISTENT] no such mailbox (id7)
        C: g UID FETCH 1 FLAGS
        S: g BAD select a mailbox first (id7)
        C: h SELECT inbox
        S: h OK [READ-WRITE] done
        C: i CLOSE
        S: i OK done
        C: j CLOSE
        S: j BAD select a mailbox first (id7)",
    );
}

#[test]
fn refused_literals_are_not_run() {
    greeted(
        "C: a FROB {10+}
        S: a BAD unknown or unsupported command (id7)
        C: x LOGOUT
        C: rest {10+}
        C: x LOGOUT
        C|  \\r\\n
        C: b LOGIN u {201}
        S: b BAD the command is too long (id7)
        C: c SELECT {10+}
        S: c BAD log in first (id7)
        C: x LOGOUT
        C|  \\r\\n
        C: d LOGIN {10+}
        C: x LOGOUT
        C|  y {4}\\r\\n
        S: + go on
        C: more
        S: d BAD expected the end of the command at byte 27 (id7)
        C: e NOOP
        S: e OK done",
    );
}

#[test]
fn a_literal_and_the_line_behind_it_announce_nothing_together() {
    greeted(
        "C: a LOGIN u {3+}
        C: x{5+}
        S: a BAD expected the end of the command at byte 19 (id7)
        C: b NOOP
        S: b OK done",
    );
}

#[test]
fn a_command_at_its_limit_and_one_past_it() {
    let run = |length: usize| {
        let line = format!("a LOGIN u {}\r\nb NOOP\r\n", "x".repeat(length - 10));
        converse(config(), &[line.as_bytes()]).1
    };
    assert!(run(200).ends_with("a NO [AUTHENTICATIONFAILED] wrong (id7)\r\nb OK done\r\n"));
    assert!(run(201).ends_with("a BAD the command is too long (id7)\r\nb OK done\r\n"));
    let literal = |length: usize| {
        let size = length - 18;
        let line = format!("a LOGIN u {{{size}+}}\r\n{}\r\nb NOOP\r\n", "x".repeat(size));
        converse(config(), &[line.as_bytes()]).1
    };
    assert!(literal(200).ends_with("a NO [AUTHENTICATIONFAILED] wrong (id7)\r\nb OK done\r\n"));
    assert!(literal(201).ends_with("a BAD the command is too long (id7)\r\nb OK done\r\n"));
}

#[test]
fn the_literal_behind_a_line_too_long_is_not_run() {
    let long = "x".repeat(300);
    greeted(&format!(
        "C: a LOGIN {long} {{10+}}
        S: a BAD the command is too long (id7)
        C: x LOGOUT
        C|  \\r\\n
        C: b LOGIN {long} {{10}}
        S: b BAD the command is too long (id7)
        C: c NOOP
        S: c OK done"
    ));
}

#[test]
fn a_bare_line_feed_runs_nothing() {
    greeted(
        "C| a NOOP\\nb NOOP\\nc NOOP {10+}\\r\\n
        S: a BAD lines end with CRLF, not with LF alone (id7)
        C: x LOGOUT
        C| \\r\\n
        C| d NOOP\\r
        C| x\\r\\n
        S: d BAD expected the end of the command at byte 6 (id7)
        C: e NOOP
        S: e OK done",
    );
}

#[test]
fn a_literal_without_an_end_ends_the_session() {
    let nines = "9".repeat(20);
    greeted(&format!(
        "C: a LOGIN {{{nines}}}
        S: a BAD the command is too long (id7)
        C: b LOGIN {{{nines}+}}
        S: b BAD the literal has no size that can be counted (id7)
        S: * BYE what follows cannot be understood (id7)
        C: c NOOP"
    ));
}

#[test]
fn too_many_bad_commands_end_the_session() {
    greeted(
        "C: a FROB
        S: a BAD unknown or unsupported command (id7)
        C: b
        S: b BAD expected a space at byte 1 (id7)
        C: +
        S: * BAD expected a tag of at most 64 bytes at byte 0 (id7)
        C: d UID CHECK
        S: d BAD unknown or unsupported command (id7)
        C: e NOOP
        S: e OK done
        C: a FROB
        S: a BAD unknown or unsupported command (id7)
        C: a FROB
        S: a BAD unknown or unsupported command (id7)
        C: a FROB
        S: a BAD unknown or unsupported command (id7)
        C: a FROB
        S: a BAD unknown or unsupported command (id7)
        C: a FROB x
        S: a BAD unknown or unsupported command (id7)
        S: * BYE too many bad commands (id7)
        C: e NOOP",
    );
}

#[test]
fn a_charset_that_is_not_known() {
    logged_in(
        "C: a SELECT INBOX
        S: a OK [READ-WRITE] done
        C: b SEARCH CHARSET KOI8-R ALL
        S: b NO [BADCHARSET (US-ASCII UTF-8)] this charset is not known (id7)
        C: c SELECT Entw&APw-rfe
        S: c OK [READ-WRITE] done
        C: d SELECT &AGE-
        S: d NO [CANNOT] the mailbox name is not canonical modified UTF-7 (id7)",
    );
}

#[test]
fn one_command_at_a_time() {
    let mut server = Server::new(Arc::new(config()), "id7");
    let mut out = Outbox::new(1 << 16);
    let input = b"a NOOP\r\nb NOOP\r\n";
    assert_eq!(server.next(input, &mut out).next, Next::AwaitReply);
    server.greet(&mut out);
    server.greet(&mut out);
    let step = server.next(input, &mut out);
    assert_eq!(step, Step { used: 8, next: Next::Event(Event::Command(Command::Noop)) });
    assert_eq!(server.pending(), Some(Verb::Noop));
    assert_eq!(server.next(&input[8..], &mut out), Step { used: 0, next: Next::AwaitReply });
    assert_eq!(server.accept_append(&mut out), Err(Misuse::NothingOffered));
    assert_eq!(server.challenge(b"", &mut out), Err(Misuse::NoExchange));
    assert_eq!(server.idle(&mut out), Err(Misuse::NoIdle));
    assert_eq!(server.tls_started(), Err(Misuse::NoHandshake));
    server.finish(&Done::ok("one\r\nline"), &mut out).unwrap();
    assert_eq!(server.finish(&Done::ok(""), &mut out), Err(Misuse::NothingToFinish));
    assert!(out.unsent().ends_with(b"a OK oneline\r\n"));
    server.close("bye", &mut out);
    server.close("bye", &mut out);
    assert!(out.unsent().ends_with(b"a OK oneline\r\n* BYE bye (id7)\r\n"));
    assert_eq!(server.next(&input[8..], &mut out), Step { used: 0, next: Next::Closed });
}

#[test]
fn a_session_can_be_refused_and_a_message_not_be_finished_early() {
    let mut server = Server::new(Arc::new(config()), "id7");
    let mut out = Outbox::new(1 << 16);
    server.close("too many sessions", &mut out);
    assert_eq!(out.unsent(), b"* BYE too many sessions (id7)\r\n");

    let mut server = Server::new(Arc::new(config()), "id7");
    server.greet(&mut out);
    let _ = server.next(b"l LOGIN u secret\r\n", &mut out);
    server.finish(&Done::ok(""), &mut out).unwrap();
    let _ = server.next(b"a APPEND x {5}\r\n", &mut out);
    assert_eq!(server.finish(&Done::ok(""), &mut out), Err(Misuse::MessageToCome));
    server.accept_append(&mut out).unwrap();
    assert_eq!(server.finish(&Done::ok(""), &mut out), Err(Misuse::MessageToCome));
    let step = server.next(b"hello\r\n", &mut out);
    assert_eq!(step, Step { used: 5, next: Next::Event(Event::AppendData(b"hello")) });
    assert_eq!(server.finish(&Done::ok(""), &mut out), Err(Misuse::MessageToCome));
}

#[test]
fn nothing_is_read_between_starttls_and_tls() {
    let mut server = Server::new(Arc::new(config()), "id7");
    let mut out = Outbox::new(1 << 16);
    server.greet(&mut out);
    let _ = server.next(b"a STARTTLS\r\nb NOOP\r\n", &mut out);
    server.finish(&Done::ok(""), &mut out).unwrap();
    assert_eq!(server.next(b"b NOOP\r\n", &mut out), Step { used: 0, next: Next::AwaitReply });
}

#[test]
fn secrets_are_not_printed() {
    let (events, _) = converse(config(), &[b"a LOGIN u hunter2\r\n"]);
    assert!(!format!("{events:?}").contains("hunter2"));
    assert_eq!(format!("{:?}", Event::AuthResponse(b"hunter2".to_vec())), "AuthResponse(7 bytes)");
}

/// Conversations with every turn that there is.
const CORPUS: &[&[u8]] = &[
    b"a LOGIN {1}\r\nu {6+}\r\nsecret\r\nb SELECT INBOX\r\nc UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (TO)])\r\nd NOOP\r\ne IDLE\r\nDONE\r\nf LOGOUT\r\ng NOOP\r\n",
    b"a LOGIN u secret\r\nb APPEND {4+}\r\nWork (\\Seen) {12+}\r\nhello\r\nthere\r\nc APPEND Absent {8+}\r\nx NOOP\r\n{5+}\r\nabcde\r\nd APPEND Work {3+}\r\nabcd {2+}\r\nxy\r\ne NOOP\r\n",
    b"a LOGIN u secret\r\nb APPEND Work {5+}\r\nhello (\\Seen) ~{6+}\r\na\0b\r\nc {3}\r\nabc\r\nc APPEND x {3+}\r\nabc (no) {8+}\r\ny NOOP\r\n {8+}\r\nz NOOP\r\n\r\nd APPEND x {1+}\r\ny {0+}\r\n {8+}\r\nz NOOP\r\n\r\ne SELECT INBOX\r\nf REPLACE 4 {1+}\r\nx (\\Seen) {3+}\r\nabc\r\ng UID REPLACE 4 x {3+}\r\nabc {8+}\r\nz NOOP\r\n\r\nh NOOP\r\n",
    b"a AUTHENTICATE PLAIN\r\nAHUAcw==\r\nb IDLE\r\nNOOP\r\nc IDLE\r\ndone\r\nd NOOP\r\n",
    b"a NOOP\nb NOOP\r\r\nc NOOP\r\n\r\r\n\n\r\nd FROB {3+}\r\nabc{2+}\r\nab\r\ne NOOP\r\n",
    b"a LOGIN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\r\n {4+}\r\nabcd\r\nb NOOP\r\n",
    b"a LOGIN u {99999999999999999999999999+}\r\nb NOOP\r\n",
    b"a LOGIN {4+}\r\nx{5 +}\r\nb LOGIN {3+}\r\nx{5+}\r\nc NOOP\r\nd SEARCH ((\r\n",
];

/// Pieces of input that mean something, for random conversations.
const WORDS: &[&[u8]] = &[
    b"a ",
    b"LOGIN u secret",
    b"NOOP",
    b"\r\n",
    b"\n",
    b"\r",
    b"APPEND x ",
    b"REPLACE 1 x ",
    b" (no) {5+}\r\n",
    b"\0",
    b"~",
    b"{3}\r\n",
    b"{5+}\r\n",
    b"{0+}\r\n",
    b"SELECT ",
    b"IDLE\r\n",
    b"DONE\r\n",
    b"AUTHENTICATE PLAIN\r\n",
    b"AHU=",
    b"*",
    b"abc",
    b"{",
    b"+}",
    b"1",
    b"\"",
    b"FETCH 1 FLAGS",
    b"LOGOUT\r\n",
    b" ",
    b"a NOOP\r\n",
    b"b LOGIN u secret\r\n",
    b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

fn split<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut begin = 0;
    for place in places.into_iter().chain([bytes.len()]) {
        pieces.push(&bytes[begin..place]);
        begin = place;
    }
    pieces
}

proptest! {
    #[test]
    fn any_split_gives_the_same_conversation(
        which in 0..CORPUS.len(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let input = CORPUS[which];
        prop_assert_eq!(converse(config(), &split(input, &cuts)), converse(config(), &[input]));
    }

    #[test]
    fn any_split_of_nonsense_too(
        words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let input = words.concat();
        let whole = converse(config(), &[&input]);
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        prop_assert_eq!(&converse(config(), &bytes), &whole);
        prop_assert_eq!(converse(config(), &split(&input, &cuts)), whole);
    }

    /// Calls in any order, misuse included: nothing panics, nothing is used that is not there, and
    /// once closed it stays so.
    #[test]
    fn any_calls_are_survived(
        calls in proptest::collection::vec((0_u8..10, proptest::sample::select(WORDS)), 0..60),
    ) {
        let mut server = Server::new(Arc::new(config()), "id7");
        let mut out = Outbox::new(1 << 20);
        let mut inbox = Vec::new();
        let mut closed = false;
        for (call, word) in calls {
            match call {
                0 => server.greet(&mut out),
                1 => drop(server.accept_append(&mut out)),
                2 => drop(server.challenge(word, &mut out)),
                3 => drop(server.idle(&mut out)),
                4 => drop(server.finish(&Done::ok("x"), &mut out)),
                5 => drop(server.finish(&Done::no("x"), &mut out)),
                6 if word.len() > 30 => server.close("x", &mut out),
                7 => drop(server.tls_started()),
                _ => {
                    inbox.extend_from_slice(word);
                    let step = server.next(&inbox, &mut out);
                    prop_assert!(step.used <= inbox.len());
                    prop_assert!(!closed || step.next == Next::Closed);
                    closed = step.next == Next::Closed;
                    let used = step.used;
                    inbox.drain(..used);
                }
            }
        }
        prop_assert!(server.framer.held() <= config().command_bytes_max + 2);
    }
}
