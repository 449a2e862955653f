//! What a refused command costs a server's memory: nothing, whoever sends how many of them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::alloc::System;
use std::sync::Arc;

use pillarbox_core::Outbox;
use pillarbox_core::smtp::config::{Capabilities, Config, Strictness};
use pillarbox_core::smtp::limits::Limits;
use pillarbox_core::smtp::reply::Reply;
use pillarbox_core::smtp::{Event, Next, Server};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// By grammar, by order, by what is offered, by a limit; and what each is answered.
const REFUSED: [(&[u8], &str); 20] = [
    (b"XYZZY\r\n", "500"),
    (b"NO\x01OP\r\n", "500"),
    (b"NOOP \xff\r\n", "501"),
    (b"DATA now\r\n", "501"),
    (b"DATA\r\n", "503"),
    (b"RCPT TO:<a@example.org>\r\n", "503"),
    (b"BDAT 0\r\n", "503"),
    (b"STARTTLS\r\n", "502"),
    (b"AUTH PLAIN\r\n", "502"),
    (b"MAIL FROM:a@example.org\r\n", "501"),
    (b"MAIL FROM:<a@example..org>\r\n", "501"),
    (b"MAIL FROM:<\"a@example.org>\r\n", "501"),
    (b"MAIL FROM:<a@[192.0.2.256]>\r\n", "501"),
    (b"MAIL FROM:<a@example.org> SIZE=x\r\n", "501"),
    (b"MAIL FROM:<a@example.org> SIZE=99999999999\r\n", "552"),
    (b"MAIL FROM:<a@example.org> SIZE=1 SIZE=1\r\n", "501"),
    (b"MAIL FROM:<a@example.org> RET=FULL\r\n", "555"),
    (b"MAIL FROM:<a@example.org> X=Y\r\n", "555"),
    (b"MAIL FROM:<\xc3\xa4@example.org>\r\n", "553"),
    (&LONG, "500"),
];

const LONG: [u8; 5_000] = {
    let mut line = [b'x'; 5_000];
    line[4_999] = b'\n';
    line
};

#[test]
fn a_refused_command_allocates_nothing() {
    let limits = Limits { bad_commands_max: usize::MAX, ..Limits::default() };
    let config =
        Config::new("mx.example", limits, Capabilities::default(), Strictness::Lenient).unwrap();
    let mut server = Server::new(Arc::new(config), "c1");
    let mut out = Outbox::new(1 << 16);
    server.greet(&Reply::greeting("ESMTP"), &mut out).unwrap();
    hello(&mut server, &mut out);
    let mut wrong = Vec::new();
    for (line, code) in REFUSED {
        // An empty outbox holds no memory; this one is not empty, and the first reply makes it as
        // large as it gets.
        out.push(&[b' '; 4 << 10]);
        refuse(&mut server, line, &mut out);
        let told = out.unsent().len();
        let before = Region::new(ALLOCATOR);
        refuse(&mut server, line, &mut out);
        let made = before.change().allocations;
        let reply = String::from_utf8_lossy(&out.unsent()[told..]).into_owned();
        if made != 0 || !reply.starts_with(code) {
            wrong.push(format!("{}: {made} allocations, {reply}", line.escape_ascii()));
        }
        out.clear();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn hello(server: &mut Server, out: &mut Outbox) {
    let Next::Event(Event::Hello(_)) = server.next(b"EHLO client.example\r\n", out).next else {
        panic!("EHLO is not heard");
    };
    server.reply(&Reply::hello("hello"), out).unwrap();
}

/// To the end of its line, what is skipped of it included.
fn refuse(server: &mut Server, line: &[u8], out: &mut Outbox) {
    let mut rest = line;
    while !rest.is_empty() {
        let step = server.next(rest, out);
        assert!(matches!(step.next, Next::NeedBytes) && step.used > 0, "{:?}", step.next);
        rest = rest.get(step.used..).unwrap();
    }
}
