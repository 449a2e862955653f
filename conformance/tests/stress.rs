//! Clients that do everything at random, against our own server on each runtime. A minute of it is
//! part of `./test --long`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod localserve;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use localserve::Server;
use pillarbox_conformance::stress::{self, Plan};

fn finds_nothing(runtime: &str, way: &'static str, seconds: u64, seed: u64) {
    let server = Server::start(runtime);
    let mut target = server.target();
    let address = target.addresses.get(way).unwrap().clone();
    let smtp = target.addresses.get("smtp").unwrap().clone();
    target.addresses = BTreeMap::from([(way, address), ("smtp", smtp)]);
    let plan = Plan::new(target, 6, Duration::from_secs(seconds), seed).delivering();
    let report = stress::run(&plan).unwrap();
    println!("{runtime}, seed {seed}\n{report}");
    assert!(report.violations.is_empty(), "{runtime}, seed {seed}:\n{report}");
    // Whoever is refused everything finds nothing either.
    for verb in [
        "APPEND", "REPLACE", "STORE", "COPY", "MOVE", "EXPUNGE", "FETCH", "SEARCH", "IDLE",
        "COMPRESS",
    ] {
        let done = |what: &String| what.ends_with(&format!("{verb} OK"));
        assert!(report.counts.keys().any(done), "no {verb}:\n{report}");
    }
}

#[test]
fn some_seconds_of_it_on_smol() {
    finds_nothing("smol", "imap", 5, 1);
}

#[test]
fn some_seconds_of_it_on_threads() {
    finds_nothing("std", "imaps", 5, 2);
}

#[cfg(target_os = "linux")]
#[test]
fn some_seconds_of_it_on_glommio() {
    finds_nothing("glommio", "imap", 5, 3);
}

#[test]
#[ignore = "takes minutes: ./test --long"]
fn a_minute_of_it_on_each_runtime() {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for (runtime, way) in [("smol", "imaps"), ("std", "imap"), ("glommio", "imaps")] {
        finds_nothing(runtime, way, 60, seed);
    }
}
