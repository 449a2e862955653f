//! `kill -9` under load, again and again: what got its `250` is there, once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::on_each_runtime;
use crate::server::Place;
use crate::talk::{Imap, Talk, letter};

on_each_runtime!(loses_and_doubles_nothing_when_killed);

const KILLS: u32 = 20;
const CONNECTIONS: u32 = 10;
/// One message in so many is large enough to be a file.
const LARGE_EVERY: u32 = 16;
const RECIPIENTS: [&str; 2] = ["user@localhost", "friend@localhost"];

/// What the client knows of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Its `250` came.
    Accepted,
    /// Its end was sent, or may have been, and no reply came.
    InDoubt,
}

fn loses_and_doubles_nothing_when_killed(runtime: &'static str) {
    let place = Place::new(runtime);
    let mut fates = BTreeMap::new();
    let begun = Instant::now();
    for round in 0..KILLS {
        let server = place.localserve();
        let before = fates.len();
        let over = AtomicBool::new(false);
        let port = place.smtp();
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CONNECTIONS)
                .map(|client| {
                    let over = &over;
                    scope.spawn(move || load(port, &format!("r{round}c{client}n"), over))
                })
                .collect();
            // A different moment each time; the commits in between are what is to be hit.
            thread::sleep(Duration::from_millis(u64::from(200 + 37 * round % 300)));
            server.kill();
            over.store(true, Ordering::Relaxed);
            for client in clients {
                fates.extend(client.join().unwrap());
            }
        });
        assert!(fates.len() > before, "round {round}: there was no load");
    }

    let server = place.localserve();
    let found = RECIPIENTS.map(|address| {
        let user = address.strip_suffix("@localhost").unwrap();
        count(&Imap::login(place.imap(), user).inbox())
    });
    server.stop();
    place.verify();
    judge(&fates, &found);
    let accepted = fates.values().filter(|fate| **fate == Fate::Accepted).count();
    println!(
        "{runtime}: {KILLS} kills, {accepted} accepted, {} in doubt, none lost or doubled, {:?}",
        fates.len() - accepted,
        begun.elapsed()
    );
}

/// One client, until the server is gone.
fn load(port: u16, prefix: &str, over: &AtomicBool) -> Vec<(String, Fate)> {
    let mut fates = Vec::new();
    let Ok(mut talk) = Talk::smtp(port) else { return fates };
    for number in 0.. {
        let id = format!("{prefix}{number}");
        let size = if number % LARGE_EVERY == 3 { 100 << 10 } else { 2 << 10 };
        match talk.deliver(&RECIPIENTS, &letter(&id, size)) {
            Ok(reply) => {
                assert!(reply.starts_with("250 2.0.0"), "{reply}");
                fates.push((id, Fate::Accepted));
            }
            Err(_) => {
                fates.push((id, Fate::InDoubt));
                break;
            }
        }
        if over.load(Ordering::Relaxed) {
            break;
        }
    }
    fates
}

/// How often each id was found, and that each message came back as it was sent.
fn count(inbox: &[Vec<u8>]) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for message in inbox {
        let text = String::from_utf8(message.clone()).unwrap();
        let (_, sent) = text.split_at(text.find("Subject: ").unwrap());
        let id = sent.strip_prefix("Subject: ").unwrap().split("\r\n").next().unwrap();
        let number: u32 = id.rsplit_once('n').unwrap().1.parse().unwrap();
        let size = if number % LARGE_EVERY == 3 { 100 << 10 } else { 2 << 10 };
        assert!(sent.as_bytes() == letter(id, size), "{id} has changed");
        *found.entry(id.to_owned()).or_insert(0) += 1;
    }
    found
}

fn judge(fates: &BTreeMap<String, Fate>, found: &[BTreeMap<String, u32>; 2]) {
    let mut lost = Vec::new();
    let mut doubled = Vec::new();
    let mut halved = Vec::new();
    for (id, fate) in fates {
        let times = found.each_ref().map(|found| found.get(id).copied().unwrap_or(0));
        if times.contains(&0) && *fate == Fate::Accepted {
            lost.push(id);
        }
        if times.iter().any(|times| *times > 1) {
            doubled.push(id);
        }
        if times[0] != times[1] {
            halved.push(id);
        }
    }
    assert!(
        lost.is_empty() && doubled.is_empty() && halved.is_empty(),
        "lost: {lost:?}\ndoubled: {doubled:?}\nfor one recipient of two: {halved:?}"
    );
    let unknown = found.iter().flat_map(BTreeMap::keys).find(|id| !fates.contains_key(*id));
    assert_eq!(unknown, None, "nobody sent this");
}

#[test]
fn a_loss_would_be_noticed() {
    let fates = BTreeMap::from([("a".to_owned(), Fate::Accepted), ("b".to_owned(), Fate::InDoubt)]);
    let both = |list: &[(&str, u32)]| -> [BTreeMap<String, u32>; 2] {
        let map: BTreeMap<_, _> = list.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect();
        [map.clone(), map]
    };
    judge(&fates, &both(&[("a", 1)]));
    judge(&fates, &both(&[("a", 1), ("b", 1)]));
    for wrong in [
        both(&[("b", 1)]),
        both(&[("a", 2)]),
        both(&[("a", 1), ("b", 2)]),
        both(&[("a", 1), ("c", 1)]),
        [both(&[("a", 1), ("b", 1)])[0].clone(), both(&[("a", 1)])[0].clone()],
    ] {
        let fates = fates.clone();
        assert!(std::panic::catch_unwind(move || judge(&fates, &wrong)).is_err());
    }
}
