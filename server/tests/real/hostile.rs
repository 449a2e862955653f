//! Clients that wish us ill or do not care: they cost little, and nobody else waits for them.
//!
//! While they are at it, a client after the other comes and delivers a message, here and to a
//! second server that is left alone: what that one is slow at is the machine's doing, and so is how
//! long this one waits for a processor.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::on_each_runtime;
use crate::server::{PATIENCE, Place, Server};
use crate::talk::{Talk, letter};

on_each_runtime!(
    silent_and_dripping_clients,
    resets_in_mid_command,
    ten_mebibytes_without_a_line_end,
    two_thousand_quick_connects,
    heads_without_end,
);

/// How much a server's memory may grow.
const GROWTH_KIB_MAX: u64 = 32 * 1024;
/// How long a new client may take to be served, on a machine that has time for it.
const SERVED_WITHIN: Duration = Duration::from_secs(1);
/// How many times longer than beside it, where the machine has no time.
const SLOWER_MAX: u32 = 12;
/// How long clients hold on that do nothing else.
const HOLD: Duration = Duration::from_millis(1_500);

fn silent_and_dripping_clients(runtime: &'static str) {
    besieged(runtime, |port| {
        let silent: Vec<TcpStream> = (0..200).map(|_| connect(port)).collect();
        let mut dripping: Vec<TcpStream> = (0..50).map(|_| connect(port)).collect();
        for (index, stream) in dripping.iter_mut().enumerate() {
            if index % 2 == 0 {
                hear(stream, b"220 ");
                let begin = "EHLO drip\r\nMAIL FROM:<a@b>\r\nRCPT TO:<user@localhost>\r\nDATA\r\n";
                stream.write_all(begin.as_bytes()).unwrap();
                hear(stream, b"\r\n354 ");
            }
        }
        let until = Instant::now() + HOLD;
        while Instant::now() < until {
            for stream in &mut dripping {
                stream.write_all(b"x").unwrap();
            }
            thread::sleep(Duration::from_millis(10));
        }
        drop((silent, dripping));
    });
}

fn resets_in_mid_command(runtime: &'static str) {
    besieged(runtime, |port| {
        for round in 0..500 {
            let mut stream = connect(port);
            let begun = ["EHL", "EHLO x\r\nMAIL FRO", "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<user"];
            stream.write_all(begun[round % begun.len()].as_bytes()).unwrap();
            // What is closed with something unread is reset.
            assert!(stream.peek(&mut [0]).unwrap() > 0);
        }
    });
}

fn ten_mebibytes_without_a_line_end(runtime: &'static str) {
    besieged(runtime, |port| {
        let clients = [false, true].map(|in_body| {
            thread::spawn(move || {
                let mut stream = connect(port);
                hear(&mut stream, b"220 ");
                let (begin, heard, end, verdict) = if !in_body {
                    ("EHLO x\r\n", &b"250 "[..], "\r\n", &b"500 5.5.2 line too long"[..])
                } else {
                    let begin = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<user@localhost>\r\nDATA\r\n";
                    (begin, &b"354 "[..], "\r\n.\r\n", &b"554 5.6.0 the message has a line"[..])
                };
                stream.write_all(begin.as_bytes()).unwrap();
                hear(&mut stream, &[b"\r\n", heard].concat());
                for _ in 0..160 {
                    stream.write_all(&[b'x'; 64 << 10]).unwrap();
                }
                stream.write_all(end.as_bytes()).unwrap();
                hear(&mut stream, verdict);
            })
        });
        for client in clients {
            client.join().unwrap();
        }
    });
}

fn two_thousand_quick_connects(runtime: &'static str) {
    besieged(runtime, |port| {
        for round in 0..2_000 {
            let mut stream = connect(port);
            if round % 4 == 0 {
                hear(&mut stream, b"220 ");
            }
        }
    });
}

/// A field of 1 MiB in folded lines, and 4 MiB of the smallest fields in each of three sessions.
fn heads_without_end(runtime: &'static str) {
    besieged(runtime, |port| {
        let folded = [&b"Subject: x\r\n"[..], &b" x\r\n".repeat(1 << 18)].concat();
        let tiny = b"a:\r\n".repeat(1 << 20);
        let clients = [folded, tiny.clone(), tiny.clone(), tiny].map(|head| {
            thread::spawn(move || {
                let mut stream = connect(port);
                hear(&mut stream, b"220 ");
                let begin = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<user@localhost>\r\nDATA\r\n";
                stream.write_all(begin.as_bytes()).unwrap();
                hear(&mut stream, b"\r\n354 ");
                stream.write_all(&head).unwrap();
                stream.write_all(b"\r\ntext\r\n.\r\n").unwrap();
                hear(&mut stream, b"552 5.3.4 the header");
            })
        });
        for client in clients {
            client.join().unwrap();
        }
    });
}

/// Runs `attack` against a server, and holds the server to what it promises meanwhile.
fn besieged(runtime: &'static str, attack: impl FnOnce(u16)) {
    let (place, aside) = (Place::new(runtime), Place::new(runtime));
    let (server, control) = (place.localserve(), aside.localserve());
    for _ in 0..5 {
        serve(place.smtp());
    }
    let before = Memory::begin(&server);
    let idle = on_processors(&server);
    let over = AtomicBool::new(false);
    let (served, machine) = thread::scope(|scope| {
        let guests = scope.spawn(|| serve_until(&over, place.smtp()));
        let beside = scope.spawn(|| serve_until(&over, aside.smtp()));
        let ends = Ends(&over);
        attack(place.smtp());
        drop(ends);
        (guests.join().unwrap(), beside.join().unwrap())
    });
    let starved = starved(&idle, &on_processors(&server));
    let grown = before.grown(&server);
    let (slowest, beside) = (*served.iter().max().unwrap(), *machine.iter().max().unwrap());
    let allowed = SERVED_WITHIN.mul_f64(starved).max(beside * SLOWER_MAX);
    eprintln!(
        "{runtime}: {} served within {slowest:?} of {allowed:?}; beside it within {beside:?}; \
         {starved:.2} times slower for want of processors; grown by {grown} KiB",
        served.len(),
    );
    assert!(grown < GROWTH_KIB_MAX, "the server has grown by {grown} KiB");
    assert!(slowest < allowed, "a client waited for {slowest:?}, allowed were {allowed:?}");
    server.stop();
    control.stop();
}

/// Ends the clients that come one after the other, also where the attack panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One client after the other, the last one after the end; how long each took.
fn serve_until(over: &AtomicBool, port: u16) -> Vec<Duration> {
    let mut all = Vec::new();
    loop {
        let last = over.load(Ordering::Relaxed);
        all.push(serve(port));
        if last {
            return all;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// A new client comes and delivers a message; how long it took from its first packet.
fn serve(port: u16) -> Duration {
    let begin = Instant::now();
    let mut talk = Talk::smtp(port).unwrap();
    let reply = talk.deliver(&["user@localhost"], &letter("guest", 0)).unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
    begin.elapsed()
}

/// For how long each thread of the server has run, and has waited to run, in nanoseconds.
fn on_processors(server: &Server) -> BTreeMap<String, (u64, u64)> {
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap() {
        let entry = entry.unwrap();
        // A thread may end meanwhile; a kernel may not count.
        let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
        let mut numbers = text.split_ascii_whitespace().map(|number| number.parse().unwrap());
        let times = (numbers.next().unwrap(), numbers.next().unwrap());
        threads.insert(entry.file_name().into_string().unwrap(), times);
    }
    threads
}

/// How many times longer the server took than with processors for itself alone.
fn starved(before: &BTreeMap<String, (u64, u64)>, after: &BTreeMap<String, (u64, u64)>) -> f64 {
    let (mut ran, mut waited) = (0, 0);
    for (thread, (runs, waits)) in after {
        let (run, wait) = before.get(thread).copied().unwrap_or_default();
        ran += runs - run;
        waited += waits - wait;
    }
    1.0 + waited as f64 / (ran.max(1)) as f64
}

/// What a process has in memory.
struct Memory {
    resident_kib: u64,
}

impl Memory {
    /// The peak counts from here on.
    fn begin(server: &Server) -> Self {
        // proc(5): 5 puts the peak back to what there is.
        fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").unwrap();
        Self { resident_kib: kib(server, "VmRSS:") }
    }

    fn grown(&self, server: &Server) -> u64 {
        kib(server, "VmHWM:").saturating_sub(self.resident_kib)
    }
}

fn kib(server: &Server, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse().unwrap()
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads until this has come.
fn hear(stream: &mut TcpStream, wanted: &[u8]) {
    let mut heard = Vec::new();
    while !heard.windows(wanted.len()).any(|window| window == wanted) {
        let mut bytes = [0; 1_024];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&bytes[..count]);
    }
}
