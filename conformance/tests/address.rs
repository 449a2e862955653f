//! Our own server as a process of its own, by its address: what the transcripts say must hold
//! there too, and what is wrong must be found.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod localserve;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use localserve::{Server, names};
use pillarbox_conformance::address::expected::Expectations;
use pillarbox_conformance::address::report::Report;
use pillarbox_conformance::address::{Outcome, Target, run_all};
use pillarbox_conformance::transcript::Transcript;

fn transcripts() -> Vec<Transcript> {
    Transcript::all(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts"))).unwrap()
}

#[test]
fn our_own_server_does_what_the_transcripts_say() {
    let server = Server::start("smol");
    let mut list = Expectations::default();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/expected/pillarbox.txt");
    list.read_file(Path::new(file)).unwrap();
    for tls in [false, true] {
        let target = Target { tls, ..server.target() };
        let outcomes = run_all(&target, &transcripts(), "", |_, _| {}).unwrap();
        let passed = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Passed).count();
        let report = Report::new(outcomes, &list);
        assert!(report.is_good(), "tls {tls}:\n{}", report.table());
        assert!(passed > 60, "{}", report.summary());
    }
}

#[test]
fn the_program_says_what_differs_and_exits_with_1() {
    let server = Server::start("std");
    let folder = tempfile::tempdir().unwrap();
    let lie = |name: &str, text: &str| {
        std::fs::create_dir_all(folder.path().join("own")).unwrap();
        std::fs::write(folder.path().join("own").join(name), text).unwrap();
    };
    lie("code.txt", "# RFC 5321: a lie\nlistener: smtp\nS: 220 x\nC: NOOP\nS: 251 x\n");
    lie(
        "flags.txt",
        "# RFC 3501: a lie\nlistener: imap\nS: * OK x\nC: a LOGIN user pillarbox\nS: a OK x\n\
         C: b STATUS INBOX (MESSAGES)\nS: * STATUS INBOX (MESSAGES 7)\nS: b OK x\n",
    );
    lie("true.txt", "# RFC 5321: the truth\nlistener: smtp\nS: 220 x\nC: NOOP\nS: 250 x\n");
    lie(
        "silent.txt",
        "# RFC 5321: a lie\nlistener: smtp\nS: 220 x\nC. ends\nS: 250 x\nS. closed\n",
    );
    std::fs::write(folder.path().join("list"), "own/code\n differs: heard 250\n because: a lie\n")
        .unwrap();
    let run = |more: &[&str]| {
        let addresses = server.target().addresses;
        let of = |name: &str| addresses.get(name).unwrap().clone();
        let output = Command::new(env!("CARGO_BIN_EXE_pillarbox-conformance"))
            .args(["--smtp", &of("smtp"), "--imap", &of("imap"), "--user", "user@localhost"])
            .args(["--password", "pillarbox", "--patience", "20", "--transcripts"])
            .arg(folder.path())
            .args(more)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code().unwrap(), said, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said, _) = run(&[]);
    assert_eq!(code, 1);
    for line in [
        "own/code    DIFFERS         expected 251, heard 250 2.0.0 ok\n",
        "own/true    passed\n",
        "    C: NOOP\n    S: 251 x    (expected)\n    S: 250 2.0.0 ok    (heard)\n",
        "expected MESSAGES 7 of INBOX, heard Some(\"0\")",
    ] {
        assert!(said.contains(line), "{line} is missing in\n{said}");
    }
    let list = folder.path().join("list").display().to_string();
    let (code, said, _) = run(&["--filter", "own/code", "--expect", &list]);
    assert_eq!((code, said.contains("a lie")), (0, true), "{said}");
    let (code, said, _) = run(&["--filter", "true", "--json"]);
    assert_eq!(code, 0);
    assert!(said.starts_with("{\"name\":\"own/true\",\"result\":\"passed\""), "{said}");
    let (code, _, why) = run(&["--filter", "no such"]);
    assert_eq!((code, why.contains("see --list")), (2, true), "{why}");
    let (code, _, why) = run(&["--imap", "127.0.0.1:1"]);
    assert_eq!(code, 2, "{why}");
}

/// A server that greets and then says nothing, or says something for ever, holds nobody.
#[test]
fn a_server_that_does_not_answer_ends_the_transcript_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let _gone = stream.write_all(b"220 hello\r\n");
                while index % 2 == 1 && stream.write_all(b"250-and\r\n").is_ok() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                let _gone = stream.read_to_end(&mut Vec::new());
            });
        }
    });
    let target = Target {
        addresses: BTreeMap::from([("smtp", address)]),
        names: names(),
        tls: false,
        ours: false,
        patience: Duration::from_millis(200),
    };
    let outcomes = run_all(&target, &transcripts(), "smtp/hel", |_, _| {}).unwrap();
    assert_eq!(outcomes.len(), 2);
    for (name, outcome) in outcomes {
        let Outcome::Differs(difference) = outcome else { panic!("{name}: {outcome:?}") };
        assert!(difference.summary.contains("nothing in time"), "{difference}");
    }
}
