//! Who has logged in, as the account's owner is told.

use std::collections::BTreeSet;

use crate::commands::{done, with_password};
use crate::on_each_runtime;
use crate::server::{PASSWORD, Place};
use crate::talk::{Imap, Talk};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

on_each_runtime!(
    logins_are_listed_on_a_running_server_and_on_a_stopped_one,
    a_password_is_the_same_however_its_letters_are_composed,
    salts_do_not_tell_who_exists,
);

fn logins_are_listed_on_a_running_server_and_on_a_stopped_one(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let dir = place.dir();
    assert_eq!(done(&dir, &["account", "logins", "user", "--json"]), "[]\n");
    drop(Imap::enter(place.imap(), "user@localhost", PASSWORD).unwrap());
    drop(Imap::enter(place.imap(), "user", PASSWORD).unwrap());
    assert!(Imap::enter(place.imap(), "user", "wrong").is_err());
    assert!(Imap::enter(place.imap(), "nobody", "wrong").is_err());
    let mut talk = Talk::smtp(place.submission()).unwrap();
    let reply = talk.say("AUTH PLAIN AHVzZXIAcGlsbGFyYm94").unwrap();
    assert!(reply.starts_with("235"), "{reply}");
    // At once, though they are brought to the store some seconds later.
    let rows = facts(&done(&dir, &["account", "logins", "user@localhost", "--json"]));
    let expected = [
        ("smtp", "PLAIN", "ok", 1, "user"),
        ("imap", "LOGIN", "wrong", 1, "user"),
        ("imap", "LOGIN", "ok", 2, "user"),
    ];
    assert_eq!(rows.len(), expected.len());
    for row in expected {
        let (protocol, mechanism, result, count, login) = row;
        let row = [protocol, mechanism, result, login].map(str::to_owned);
        assert!(rows.contains(&(row, count)), "{rows:?}");
    }
    // The same password was right a moment before.
    assert_eq!(place.metric("logins_remembered_total"), 2);
    assert!(Imap::enter(place.imap(), "friend", "wrong").is_err());
    server.stop();
    let text = done(&dir, &["account", "logins", "user", "--max", "2"]);
    assert!(text.starts_with("LAST "), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("127.0.0.1"), "{text}");
    let friend = facts(&done(&dir, &["account", "logins", "friend", "--json"]));
    assert_eq!(friend.len(), 1, "what waits at the stop is kept: {friend:?}");
}

/// How somebody has logged in, or tried to: `imap PLAIN tls ok`.
pub(crate) fn ways(place: &Place, account: &str) -> BTreeSet<String> {
    let rows = done(&place.dir(), &["account", "logins", account, "--json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&rows).unwrap();
    let way = |row: &serde_json::Value| {
        let [protocol, mechanism, result] =
            ["protocol", "mechanism", "result"].map(|name| row[name].as_str().unwrap());
        let channel = if row["tls"] == true { "tls" } else { "clear" };
        format!("{protocol} {mechanism} {channel} {result}")
    };
    rows.iter().map(way).collect()
}

/// The same, to compare with.
pub(crate) fn all<const N: usize>(ways: [&str; N]) -> BTreeSet<String> {
    ways.map(str::to_owned).into()
}

/// Protocol, mechanism, result and name of each, and how many.
fn facts(json: &str) -> Vec<([String; 4], u64)> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(json).unwrap();
    let fact = |row: &serde_json::Value, name| row[name].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            assert_eq!((&row["tls"], &row["peer"]), (&false.into(), &"127.0.0.1".into()));
            let facts = ["protocol", "mechanism", "result", "login"].map(|name| fact(row, name));
            (facts, row["count"].as_u64().unwrap())
        })
        .collect()
}

fn a_password_is_the_same_however_its_letters_are_composed(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let words = ["account", "password", "user"];
    let (code, said) = with_password(&place.dir(), &words, "cafe\u{301} pillarbox");
    assert_eq!(code, 0, "{said}");
    for password in ["caf\u{e9} pillarbox", "cafe\u{301} pillarbox"] {
        for port in [place.imap(), place.submission()] {
            let message = BASE64.encode(format!("\0user\0{password}"));
            let mut talk =
                if port == place.imap() { Talk::to(port) } else { Talk::smtp(port) }.unwrap();
            let reply = if port == place.imap() {
                talk.line().unwrap();
                talk.send(format!("a AUTHENTICATE PLAIN {message}\r\n").as_bytes()).unwrap();
                talk.line().unwrap()
            } else {
                talk.say(&format!("AUTH PLAIN {message}")).unwrap()
            };
            assert!(reply.starts_with("a OK") || reply.starts_with("235"), "{reply}");
        }
    }
    let (code, said) = with_password(&place.dir(), &words, "pillar\u{200b}box");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("U+200B"), "{said}");
    server.stop();
}

/// The salt and the count that somebody hears who wants to log in with SCRAM.
fn challenge(place: &Place, login: &str, mechanism: &str) -> String {
    let mut talk = Talk::smtp(place.submission()).unwrap();
    let first = BASE64.encode(format!("n,,n={login},r=abc"));
    let reply = talk.say(&format!("AUTH {mechanism} {first}")).unwrap();
    let text = BASE64.decode(reply.strip_prefix("334 ").unwrap().trim_end()).unwrap();
    let text = String::from_utf8(text).unwrap();
    text.split_once(",s=").unwrap().1.to_owned()
}

fn salts_do_not_tell_who_exists(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let dir = place.dir();
    done(&dir, &["domain", "add", "example.org"]);
    let words = ["account", "add", "alice@example.org", "--name", "somebody"];
    let (code, said) = with_password(&dir, &words, PASSWORD);
    assert_eq!(code, 0, "{said}");
    let all = || {
        let mut salts = Vec::new();
        for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
            // One account by its name, one by an address only, and nobody at all.
            for localpart in ["user", "alice", "nobody"] {
                let heard = ["", "@localhost", "@example.org", "@Example.ORG"]
                    .map(|rest| challenge(&place, &format!("{localpart}{rest}"), mechanism));
                assert!(heard.iter().all(|salt| *salt == heard[0]), "{localpart}: {heard:?}");
                assert!(!salts.contains(&heard[0]));
                salts.push(heard[0].clone());
            }
        }
        salts
    };
    let first = all();
    server.stop();
    let server = place.localserve();
    assert_eq!(all(), first, "the same ones tomorrow");
    server.stop();
}
