//! IMAP commands, each lying whole in the input.
//!
//! The limit is what finding the line's end by `memchr` costs. imap-codec parses into values that
//! borrow from the input, and so does our grammar ("pillarbox"): that is what the targets are
//! for. "pillarbox, answered" is the whole machine: framing, the tag, whether the command may come
//! now, the grammar, owned values for the flow, and the tagged answer.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench may panic")]

mod cpu;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use imap_codec::CommandCodec;
use imap_codec::decode::Decoder as _;
use memchr::memchr;
use pillarbox_core::Outbox;
use pillarbox_core::imap::server::{Done, Status};
use pillarbox_core::imap::{Config, Event, Next, Server, grammar};

use cpu::CpuTime;

const COMMANDS: [(&str, &[u8]); 4] = [
    ("NOOP", b"a1 NOOP\r\n"),
    ("LOGIN", b"a1 LOGIN user@example.org \"correct horse battery\"\r\n"),
    ("FETCH flags", b"a1 FETCH 1:* (FLAGS)\r\n"),
    (
        "UID FETCH 7 fields",
        b"a1 UID FETCH 1:500 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS \
          (DATE FROM TO CC SUBJECT MESSAGE-ID REFERENCES)])\r\n",
    ),
];

fn commands(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("imap");
    for (name, line) in COMMANDS {
        group.bench_with_input(BenchmarkId::new("limit memchr", name), line, |b, line| {
            b.iter(|| memchr(b'\n', black_box(line)).expect("the end"));
        });
        group.bench_with_input(BenchmarkId::new("pillarbox", name), line, |b, line| {
            b.iter(|| {
                let line = black_box(line);
                let end = memchr(b'\n', line).expect("the end");
                let line = line.get(..end - 1).unwrap_or_default();
                black_box(grammar::command(line).expect("a command"));
            });
        });
        let (mut server, mut out) = server(name == "LOGIN");
        group.bench_with_input(BenchmarkId::new("pillarbox, answered", name), line, |b, line| {
            b.iter(|| answer(&mut server, black_box(line), &mut out));
        });
        let codec = CommandCodec::default();
        group.bench_with_input(BenchmarkId::new("imap-codec", name), line, |b, line| {
            b.iter(|| {
                black_box(codec.decode(black_box(line)).expect("a command"));
            });
        });
    }
    group.finish();
}

/// A session; without `fresh`, one with an open mailbox.
fn server(fresh: bool) -> (Server, Outbox) {
    let config = Config { mechanisms: vec!["PLAIN".to_owned()], ..Config::default() };
    let (mut server, mut out) = (Server::new(Arc::new(config), "c1"), Outbox::new(1 << 16));
    server.greet(&mut out);
    if !fresh {
        for line in [&b"a LOGIN u p\r\n"[..], b"b SELECT INBOX\r\n"] {
            finish(&mut server, line, Status::Ok, &mut out);
        }
    }
    out.clear();
    (server, out)
}

/// With NO, so that a session does not move on.
fn answer(server: &mut Server, line: &[u8], out: &mut Outbox) {
    finish(server, line, Status::No, out);
    black_box(out.unsent());
    out.clear();
}

fn finish(server: &mut Server, line: &[u8], status: Status, out: &mut Outbox) {
    let Next::Event(Event::Command(command)) = server.next(line, out).next else {
        panic!("no command: {}", line.escape_ascii());
    };
    black_box(command);
    server.finish(&Done { status, code: None, text: "done" }, out).expect("a command under way");
}

criterion_group! {
    name = imap;
    config = Criterion::default().with_measurement(CpuTime);
    targets = commands
}
criterion_main!(imap);
