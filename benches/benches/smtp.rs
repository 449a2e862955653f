//! Six SMTP commands that came in one piece, as from a client that pipelines.
//!
//! The limit is what finding the six line ends by `memchr` costs. smtp-proto frames and parses.
//! Ours is measured twice: framing and parsing as smtp-proto does, which must cost at most 0.4 µs
//! and allocate nothing; and the whole conversation, each command judged, answered, and its reply
//! written to the outbox.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench may panic")]

mod cpu;

use std::alloc::System;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use memchr::memchr;
use pillarbox_core::Outbox;
use pillarbox_core::smtp::address::Grammar;
use pillarbox_core::smtp::command::Command;
use pillarbox_core::smtp::config::{Capabilities, Config, Strictness};
use pillarbox_core::smtp::limits::Limits;
use pillarbox_core::smtp::reply::Reply;
use pillarbox_core::smtp::{Event, Next, Server};
use smtp_proto::request::receiver::RequestReceiver;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use cpu::CpuTime;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const COMMANDS: &[u8] = b"EHLO client.example.org\r\n\
    MAIL FROM:<sender@example.org> SIZE=2048 BODY=8BITMIME\r\n\
    RCPT TO:<recipient@example.com>\r\n\
    RCPT TO:<other.recipient@example.com>\r\n\
    NOOP\r\n\
    RSET\r\n";

fn commands(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("smtp, six commands");
    group.bench_function("limit memchr", |b| b.iter(|| lines(black_box(COMMANDS), |_| true)));
    let grammar = Grammar::default();
    let parse = |line: &[u8]| black_box(&Command::parse(black_box(line), grammar)).is_ok();
    let before = Region::new(ALLOCATOR);
    assert_eq!(lines(COMMANDS, parse), 6);
    assert_eq!(before.change().allocations, 0, "parsing allocates");
    group.bench_function("pillarbox", |b| b.iter(|| lines(black_box(COMMANDS), parse)));

    let mut server = server();
    let mut out = Outbox::new(1 << 16);
    assert_eq!(converse(&mut server, &mut out), 6);
    group.bench_function("pillarbox, answered", |b| b.iter(|| converse(&mut server, &mut out)));

    assert_eq!(peer(COMMANDS), 6);
    group.bench_function("smtp-proto", |b| b.iter(|| peer(black_box(COMMANDS))));
    group.finish();
}

/// How many lines there are of which `parse` approves.
fn lines(mut bytes: &[u8], mut parse: impl FnMut(&[u8]) -> bool) -> usize {
    let mut count = 0;
    while let Some((line, rest)) =
        memchr(b'\n', bytes).and_then(|end| bytes.split_at_checked(end + 1))
    {
        count += usize::from(parse(line.strip_suffix(b"\r\n").unwrap_or(line)));
        bytes = rest;
    }
    count
}

fn server() -> Server {
    let limits = Limits { transactions_max: usize::MAX, ..Limits::default() };
    let config = Config::new("mx.example", limits, Capabilities::default(), Strictness::Lenient)
        .expect("a name");
    let mut server = Server::new(Arc::new(config), "c1");
    server.greet(&Reply::greeting("ESMTP"), &mut Outbox::new(1 << 16)).expect("the first word");
    server
}

/// How many commands were answered.
fn converse(server: &mut Server, out: &mut Outbox) -> usize {
    let (mut rest, mut answered) = (black_box(COMMANDS), 0);
    while !rest.is_empty() {
        let step = server.next(rest, out);
        let reply = match step.next {
            Next::Event(Event::Hello(_)) => Some(Reply::hello("hello")),
            Next::Event(Event::Mail(_)) => Some(Reply::sender_ok()),
            Next::Event(Event::Rcpt(_)) => Some(Reply::recipient_ok()),
            Next::Event(Event::Reset) | Next::NeedBytes => None,
            other => panic!("{other:?}"),
        };
        rest = rest.get(step.used..).unwrap_or_default();
        answered += 1;
        if let Some(reply) = reply {
            server.reply(&reply, out).expect("a question");
        }
    }
    black_box(out.unsent());
    out.clear();
    answered
}

fn peer(bytes: &[u8]) -> usize {
    let mut receiver = RequestReceiver::default();
    let mut rest = bytes.iter();
    let mut count = 0;
    while let Ok(request) = receiver.ingest(&mut rest) {
        black_box(request);
        count += 1;
    }
    count
}

criterion_group! {
    name = smtp;
    config = Criterion::default().with_measurement(CpuTime);
    targets = commands
}
criterion_main!(smtp);
