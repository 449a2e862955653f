//! A thousand TLS handshakes a second for ten seconds, and nothing of them is left: `./test --long`
//! runs it, with the program as released.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use pillarbox_benches::client::{Imap, Trust};
use pillarbox_benches::servers::{Kind, Server};

/// Each second.
const RATE: u32 = 1_000;
const SECONDS: u32 = 10;
const CLIENTS: u32 = 8;
/// In KiB: what the allocator may keep for the next ones.
const GROWTH_MAX: u64 = 8 << 10;

fn program() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("../target/release/pillarbox");
    assert!(program.exists(), "first: cargo build --release -p pillarbox");
    program
}

/// Descriptors of a process.
fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// One client's share of the handshakes, evenly over the time. Every second client leaves without a
/// word, the others say goodbye.
fn knock(to: SocketAddr, trust: &Trust, count: u32, polite: bool) {
    let begun = Instant::now();
    for index in 0..count {
        let due = Duration::from_secs(u64::from(SECONDS)) * index / count;
        thread::sleep(due.saturating_sub(begun.elapsed()));
        let mut imap = Imap::connect(to, Some(trust)).unwrap();
        if polite {
            imap.command("LOGOUT").unwrap();
        }
    }
}

fn storm(runtime: &'static str) {
    let server = Server::start(Kind::Pillarbox(runtime), &program()).unwrap_or_else(|why| {
        panic!("{why:?}");
    });
    let trust = Trust::in_ca(&server.ca).unwrap().asking("imap");
    // The port that speaks by ALPN stands beside the one of IMAP under TLS.
    let to = SocketAddr::new(server.imaps.ip(), server.imaps.port() - 1_993 + 1_443);
    let all = |count: u32| {
        let begun = Instant::now();
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let trust = &trust;
                scope.spawn(move || knock(to, trust, count / CLIENTS, client % 2 == 0));
            }
        });
        begun.elapsed()
    };
    all(RATE);
    server.tree.settle();
    let (files, memory) =
        (open_files(*server.tree.roots().first().unwrap()), server.tree.memory().pss);
    let cpu = server.tree.cpu();
    let took = all(RATE * SECONDS);
    let cpu = server.tree.cpu_when_idle().saturating_sub(cpu);
    let grown = server.tree.memory().pss.saturating_sub(memory);
    let each = cpu.as_secs_f64() * 1e3 / f64::from(RATE * SECONDS);
    println!("{runtime}: {took:.1?}, {each:.3} ms of CPU each, {grown} KiB more");
    assert_eq!(open_files(*server.tree.roots().first().unwrap()), files, "descriptors");
    assert!(grown < GROWTH_MAX, "{grown} KiB more than before");
    let limit = Duration::from_secs(u64::from(SECONDS)) * 11 / 10;
    assert!(took < limit, "no {RATE} handshakes a second: {took:?}");
}

#[test]
#[ignore = "for ./test --long"]
fn a_thousand_handshakes_a_second_leave_nothing_behind() {
    for runtime in ["smol", "std", "glommio"] {
        storm(runtime);
    }
}
