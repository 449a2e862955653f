//! What may never be in a log, and what must be.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pillarbox::context::SystemRandom;
use pillarbox::serve::FirstAccounts;
use pillarbox_core::UnixSeconds;
use pillarbox_core::sasl::Secret;
use pillarbox_store::{Options, Store};

use crate::on_each_runtime;
use crate::server::{Place, Server, run};
use crate::talk::Talk;

on_each_runtime!(tell_no_secret_and_no_text, name_the_connection);

const GOOD: &str = "Zaunkoenig-4711";
const WRONG: &str = "Nachtigall-0815";
const BODY: &str = "Wasserfall-2323";
const SUBJECT: &str = "Eichhorn-5656";

fn tell_no_secret_and_no_text(runtime: &'static str) {
    let place = Place::new(runtime);
    place.localserve().stop();
    std::fs::remove_file(place.dir().join("pillarbox.db")).unwrap();
    for left in ["-wal", "-shm"] {
        let _not_there = std::fs::remove_file(place.dir().join(format!("pillarbox.db{left}")));
    }
    account(&place.dir(), GOOD);
    let server = place.serve("", "[log]\nlevel = \"trace\"");

    let plain = |password: &str| STANDARD.encode(format!("\0user@localhost\0{password}"));
    let mut talk = Talk::smtp(place.submission()).unwrap();
    let wrong = plain(WRONG);
    assert!(talk.say(&format!("AUTH PLAIN {wrong}")).unwrap().starts_with("535"));
    assert!(talk.say("AUTH LOGIN").unwrap().starts_with("334"));
    assert!(talk.say(&STANDARD.encode("user@localhost")).unwrap().starts_with("334"));
    assert!(talk.say(&STANDARD.encode(WRONG)).unwrap().starts_with("535"));
    // Not even where the command is wrong.
    assert!(talk.say(&format!("AUTHH PLAIN {wrong}")).unwrap().starts_with('5'));
    assert!(talk.say(&format!("AUTH PLAIN {wrong} {wrong}")).unwrap().starts_with('5'));
    assert!(talk.say(&format!("AUTH PLAIN {}", plain(GOOD))).unwrap().starts_with("235"));
    let text = format!("Subject: {SUBJECT}\r\n\r\n{BODY}\r\n");
    assert!(talk.deliver(&["user@localhost"], text.as_bytes()).unwrap().starts_with("250"));
    let smuggled = format!("Subject: {SUBJECT}\r\n\r\n{BODY}\n.\n");
    assert!(talk.deliver(&["user@localhost"], smuggled.as_bytes()).unwrap().starts_with('5'));

    let mut imap = Talk::to(place.imap()).unwrap();
    assert!(imap.line().unwrap().starts_with("* OK"));
    for (command, answer) in [
        (format!("a LOGIN user@localhost {WRONG}"), "a NO"),
        (format!("a LOGIN user@localhost {WRONG} {WRONG}"), "a BAD"),
        (format!("a LOGIN user@localhost \"{GOOD}\""), "a OK"),
        (format!("a APPEND INBOX {{{}+}}\r\n{text}", text.len()), "a OK"),
        (format!("a APPEND Nowhere {{{}+}}\r\n{text}", text.len()), "a NO"),
    ] {
        imap.send(format!("{command}\r\n").as_bytes()).unwrap();
        let mut lines = std::iter::repeat_with(|| imap.line().unwrap());
        let tagged = lines.find(|line| line.starts_with("a ")).unwrap();
        assert!(tagged.starts_with(answer), "{command}: {tagged}");
    }
    let swaks = run(std::process::Command::new("swaks").args([
        "--server",
        &format!("127.0.0.1:{}", place.submissions()),
        "--tls-on-connect",
        "--auth-user",
        "user@localhost",
        "--auth-password",
        GOOD,
        "--to",
        "user@localhost",
        "--body",
        BODY,
    ]));
    assert!(swaks.status.success(), "{swaks:?}");
    let metrics = place.metrics();
    let log = stop(server);
    for word in [GOOD, WRONG, BODY, SUBJECT] {
        for secret in [word.to_owned(), STANDARD.encode(word), plain(word)] {
            let found = log.lines().chain(metrics.lines()).find(|line| line.contains(&secret));
            assert_eq!(found, None, "{secret} was told");
        }
    }
    // It did log what it should: the same test on an empty log would be worth nothing.
    for wanted in ["login=user", "\"login failed\"", "\"message accepted\"", "\"message refused\""]
    {
        assert!(log.contains(wanted), "no {wanted} in {log}");
    }
}

/// A store with one account whose password stands nowhere else.
fn account(dir: &Path, password: &str) {
    let store = Store::open(dir, &Options::default()).unwrap();
    let mut writer = store.writer().unwrap();
    let first = FirstAccounts {
        domain: "localhost".into(),
        names: vec!["user".into()],
        password: Secret::new(password.into()),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = UnixSeconds(i64::try_from(now.as_secs()).unwrap());
    let mut random = SystemRandom::default();
    pillarbox::accounts::create_first(&store, &mut writer, &first, now, &mut random).unwrap();
}

fn stop(mut server: Server) -> String {
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.stderr.wait_for(|line| line.contains(" stopped")).is_some());
    server.stderr.text()
}

fn name_the_connection(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let mut talk = Talk::smtp(place.smtp()).unwrap();
    let greeting = server.stderr.wait_for(|line| line.contains(" smtp connection ")).unwrap();
    let cid = value(&greeting, "cid");
    let behind = format!("({cid})");
    for command in ["NONSENSE", "RCPT TO:<user@localhost>", "MAIL FROM:<", "AUTH PLAIN"] {
        let reply = talk.say(command).unwrap();
        assert!(reply.starts_with('5') && reply.ends_with(&behind), "{command}: {reply}");
        let code = format!(" code={} ", &reply[..3]);
        let told = |line: &str| line.contains("command refused") && line.contains(&code);
        let refused = server.stderr.wait_for(told).unwrap();
        assert_eq!(value(&refused, "cid"), cid);
        assert_eq!(refused.contains(command), command.contains(':'), "{refused}");
    }
    assert!(talk.say("MAIL FROM:<ann@client.example>").unwrap().starts_with("250"));
    let reply = talk.say("RCPT TO:<bob@elsewhere.example>").unwrap();
    assert!(reply.starts_with("550") && reply.ends_with(&behind), "{reply}");
    let refused = server.stderr.wait_for(|line| line.contains("recipient refused")).unwrap();
    assert_eq!(value(&refused, "cid"), cid);
    assert_eq!(value(&refused, "from"), "ann@client.example");
    assert_eq!(value(&refused, "to"), "bob@elsewhere.example");
    assert_eq!(value(&refused, "code"), "550");
    let reply = talk.say("STARTTLS").unwrap();
    assert!(reply.starts_with("220") && reply.ends_with(&behind), "{reply}");

    let mut imap = Talk::to(place.imap()).unwrap();
    assert!(imap.line().unwrap().starts_with("* OK"));
    let greeting = server.stderr.wait_for(|line| line.contains(" imap connection ")).unwrap();
    let cid = value(&greeting, "cid");
    for (command, answer) in
        [("a NONSENSE", "a BAD"), ("a LOGIN user no", "a NO"), ("a STARTTLS", "a OK")]
    {
        let reply = imap.say(command).unwrap();
        assert!(reply.starts_with(answer) && reply.contains(cid), "no {cid} in {reply}");
    }
    drop((talk, imap));
    server.stop();
}

fn value<'a>(line: &'a str, key: &str) -> &'a str {
    let begin = format!(" {key}=");
    let (_, rest) = line.split_once(&begin).unwrap_or_else(|| panic!("no {key} in {line}"));
    rest.split(' ').next().unwrap()
}
