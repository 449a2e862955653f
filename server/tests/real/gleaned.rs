//! What the gleaner makes in the background (digests, `index.db`) changes no answer: whether it is
//! there, half there after `kill -9`, or deleted while the server was stopped.

use std::fs;

use crate::on_each_runtime;
use crate::server::{Place, exists};
use crate::talk::{Imap, letter};

on_each_runtime!(answers_stay_the_same_whatever_becomes_of_what_was_gleaned);

const KILLS: u32 = 5;
/// Letters that come before each kill.
const LETTERS: u32 = 30;
const FILES: [&str; 3] = ["index.db", "index.db-wal", "index.db-shm"];

fn answers_stay_the_same_whatever_becomes_of_what_was_gleaned(runtime: &'static str) {
    let place = Place::new(runtime);
    let mut told = Vec::new();
    for round in 0..KILLS {
        let server = place.localserve();
        let mut imap = Imap::login(place.imap(), "user");
        assert_eq!(answers(&mut imap, round * LETTERS), told, "after {round} kills");
        for number in 0..LETTERS {
            // Some are files, whose digests are made later.
            let size = if number % 10 == 3 { 400_000 } else { 2_000 };
            let number = round * LETTERS + number;
            let answer = imap.append("INBOX", &letter(&format!("n{number}n"), size));
            assert!(answer.starts_with("OK"), "{answer}");
        }
        told = answers(&mut imap, (round + 1) * LETTERS);
        server.kill();
    }
    // Whole, and then made anew.
    for deletes in [false, true] {
        for file in FILES.iter().filter(|_| deletes) {
            let file = place.dir().join(file);
            assert!(!exists(&file) || fs::remove_file(&file).is_ok());
        }
        let server = place.localserve();
        let mut imap = Imap::login(place.imap(), "user");
        assert_eq!(answers(&mut imap, KILLS * LETTERS), told, "deleted: {deletes}");
        while !exists(&place.dir().join("index.db")) {
            std::thread::yield_now();
        }
        assert_eq!(answers(&mut imap, KILLS * LETTERS), told, "deleted: {deletes}");
        server.stop();
        place.verify();
    }
}

/// What is told of all messages, once each string was found in its own message and nowhere else.
fn answers(imap: &mut Imap, count: u32) -> Vec<Vec<u8>> {
    imap.command("SELECT INBOX");
    for number in (0..count).step_by(7) {
        let found = imap.command(&format!("SEARCH TEXT n{number}n"));
        assert_eq!(found[0], format!("* SEARCH {}", number + 1).as_bytes());
    }
    assert_eq!(imap.command("SEARCH TEXT nowhere-at-all")[0], b"* SEARCH");
    if count == 0 {
        return Vec::new();
    }
    imap.command("FETCH 1:* (ENVELOPE BODYSTRUCTURE PREVIEW)")
}
