//! Other people's servers against our transcripts. They need root, and packages that not every
//! machine has: `./test --long` runs these.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pillarbox_conformance::address::expected::Expectations;
use pillarbox_conformance::address::names::{Names, Person};
use pillarbox_conformance::address::report::Report;
use pillarbox_conformance::address::{Target, run_all};
use pillarbox_conformance::peers::{ACCOUNTS, DOMAIN, PASSWORD, Peers};
use pillarbox_conformance::stress::{self, Plan};
use pillarbox_conformance::transcript::Transcript;

#[test]
#[ignore = "needs Postfix, Dovecot and root: ./test --long"]
fn they_start_greet_and_stop() {
    let dir = tempfile::tempdir().unwrap();
    let peers = Peers::start(dir.path()).unwrap();
    let addresses = peers.addresses();
    for (address, greeting) in
        [(addresses.smtp, "220 "), (addresses.submission, "220 "), (addresses.imap, "* OK ")]
    {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        assert!(line.starts_with(greeting), "{line}");
    }
    drop(peers);
    assert!(TcpStream::connect(addresses.smtp).is_err());
    assert!(TcpStream::connect(addresses.imap).is_err());
}

#[test]
#[ignore = "needs Postfix, Dovecot and root: ./test --long"]
fn they_differ_from_the_transcripts_where_it_is_known_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let peers = Peers::start(dir.path()).unwrap();
    let target = target(&peers);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut list = Expectations::default();
    for name in ["postfix", "dovecot"] {
        list.read_file(&folder.join("expected").join(format!("{name}.txt"))).unwrap();
    }
    let transcripts = Transcript::all(&folder.join("transcripts")).unwrap();
    let report = Report::new(run_all(&target, &transcripts, "", |_, _| {}).unwrap(), &list);
    println!("{}", report.table());
    assert!(report.is_good(), "\n{}", report.table());
}

fn target(peers: &Peers) -> Target {
    let addresses = peers.addresses();
    let person =
        |name: &str| Person { login: format!("{name}@{DOMAIN}"), password: PASSWORD.into() };
    let [user, friend] = ACCOUNTS.map(person);
    Target {
        addresses: BTreeMap::from([
            ("smtp", addresses.smtp.to_string()),
            ("submission", addresses.submission.to_string()),
            ("submissions", addresses.submissions.to_string()),
            ("imap", addresses.imap.to_string()),
            ("imaps", addresses.imaps.to_string()),
        ]),
        names: Names { user, friend: Some(friend), domain: DOMAIN.into() },
        tls: false,
        ours: false,
        patience: Duration::from_secs(10),
    }
}

/// What is checked there must hold for more servers than ours.
#[test]
#[ignore = "needs Postfix, Dovecot and root: ./test --long"]
fn a_minute_of_stress_finds_nothing_in_dovecot() {
    let dir = tempfile::tempdir().unwrap();
    let peers = Peers::start(dir.path()).unwrap();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut plan = Plan::new(target(&peers), 6, Duration::from_secs(60), seed);
    plan.moves_are_copies = true;
    let report = stress::run(&plan).unwrap();
    println!("seed {seed}\n{report}");
    assert!(report.violations.is_empty(), "seed {seed}:\n{report}");
}
