//! Bytes, back-pressure, deadlines and ends.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use pillarbox_core::effect::{BoxMachine, Effect, Topic};
use pillarbox_core::{EffectId, Input, Stream, Want};
use pillarbox_runtime_std::{Crowded, Limits};

use super::harness::{Client, PATIENCE, Server, Sum, lines, machine};

/// Answers each line in capitals; at the end of the input also what has no line end.
fn shouter() -> BoxMachine<Sum> {
    machine(|_, input, io| {
        for line in lines(io) {
            io.outbox.push(format!("{}\n", line.to_uppercase()).as_bytes());
        }
        if matches!(input, Input::Eof) {
            let rest = io.inbox.unread().to_ascii_uppercase();
            io.outbox.push(&rest);
            return Want::END;
        }
        Want::READ
    })
}

/// Sends back all that comes, as far as the outbox allows.
fn echo() -> BoxMachine<Sum> {
    let mut ended = false;
    machine(move |_, input, io| {
        ended |= matches!(input, Input::Eof);
        if io.outbox.below_mark() {
            let count = io.inbox.unread().len();
            io.outbox.push(io.inbox.unread());
            io.inbox.consume(count);
        }
        if ended && io.inbox.is_empty() { Want::END } else { Want::READ }
    })
}

#[test]
fn lines_are_answered() {
    let server = Server::start(|_| shouter());
    let mut clients: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ask("one\n"), "ONE\n");
        client.send("two\nthr");
        assert_eq!(client.line(), "TWO\n");
        assert_eq!(client.ask("ee\n"), "THREE\n");
    }
    assert_eq!(server.statistics.open.value(), 5);
}

#[test]
fn after_a_half_close_the_rest_is_answered() {
    let server = Server::start(|_| shouter());
    let mut client = server.connect();
    client.send("one\ntw");
    client.end();
    assert_eq!(client.rest(), "ONE\nTW");
}

#[test]
fn a_large_transfer_is_exact_both_ways() {
    const SIZE: usize = 8 * 1024 * 1024;
    let server = Server::start(|_| echo());
    let client = server.connect();
    let mut state = 1u64;
    let bytes: Vec<u8> = (0..SIZE)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let mut sender = client.0.get_ref().try_clone().unwrap();
    let sent = bytes.clone();
    let sending = std::thread::spawn(move || {
        sender.write_all(&sent).unwrap();
        sender.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    client.0.into_inner().read_to_end(&mut received).unwrap();
    sending.join().unwrap();
    assert!(received == bytes, "{} bytes came back", received.len());
}

#[test]
fn a_peer_that_never_reads_costs_bounded_memory_and_ends_at_the_deadline() {
    let most = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let limits = Limits { inbox_bytes: 1000, outbox_mark: 1000, ..Limits::default() };
    let server = Server::limited(limits, move |_| {
        let seen = Arc::clone(&seen);
        let mut deadline = None;
        machine(move |now, _, io| {
            let deadline = *deadline.get_or_insert(now.moment + Duration::from_millis(500));
            if now.moment >= deadline {
                return Want::ABORT;
            }
            seen.0.fetch_max(io.inbox.unread().len(), Ordering::Relaxed);
            while io.outbox.below_mark() && !io.inbox.is_empty() {
                io.inbox.consume(1);
                io.outbox.push(&[b'x'; 300]);
            }
            seen.1.fetch_max(io.outbox.unsent().len(), Ordering::Relaxed);
            Want { deadline: Some(deadline), ..Want::READ }
        })
    });
    let mut client = server.connect();
    let ended = loop {
        if let Err(error) = client.0.get_mut().write(&[b'y'; 1000]) {
            break error.kind();
        }
    };
    assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended:?}");
    assert_eq!(most.0.load(Ordering::Relaxed), 1000);
    let outbox = most.1.load(Ordering::Relaxed);
    assert!((1000..1300).contains(&outbox), "{outbox}");
}

#[test]
fn a_peer_that_takes_nothing_for_long_is_gone() {
    let (told, gone) = channel();
    let limits = Limits { write_stall_max: Duration::from_millis(200), ..Limits::default() };
    let server = Server::limited(limits, move |_| {
        let told = told.clone();
        machine(move |_, input, io| {
            if matches!(input, Input::Gone) {
                told.send(()).unwrap();
                return Want::ABORT;
            }
            while io.outbox.below_mark() {
                io.outbox.push(&[b'x'; 10_000]);
            }
            Want { read: false, ..Want::READ }
        })
    });
    let _client = server.connect();
    gone.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn deadlines_fire_whether_they_move_on_or_come_nearer() {
    let server = Server::start(|_| {
        let mut deadline = None;
        machine(move |now, _, io| {
            if deadline.is_some_and(|deadline| deadline <= now.moment) {
                io.outbox.push(b"time\n");
                return Want::END;
            }
            for line in lines(io) {
                deadline = Some(now.moment + Duration::from_millis(line.parse().unwrap()));
                io.outbox.push(b"set\n");
            }
            Want { deadline, ..Want::READ }
        })
    });
    let mut client = server.connect();
    assert_eq!(client.ask("60000\n"), "set\n");
    let begun = Instant::now();
    assert_eq!(client.ask("100\n"), "set\n");
    assert_eq!(client.ask("200\n"), "set\n");
    assert_eq!(client.rest(), "time\n");
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
}

#[test]
fn a_deadline_that_stays_is_told_once() {
    let timers = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&timers);
    let server = Server::start(move |_| {
        let seen = Arc::clone(&seen);
        let mut deadline = None;
        machine(move |now, input, io| {
            let deadline = *deadline.get_or_insert(now.moment);
            if matches!(input, Input::Timer) {
                seen.fetch_add(1, Ordering::Relaxed);
                io.outbox.push(b"timer\n");
            }
            for line in lines(io) {
                io.outbox.push(format!("{line}\n").as_bytes());
            }
            Want { deadline: Some(deadline), ..Want::READ }
        })
    });
    let mut client = server.connect();
    assert_eq!(client.line(), "timer\n");
    assert_eq!(client.ask("still there\n"), "still there\n");
    assert_eq!(timers.load(Ordering::Relaxed), 1);
}

#[test]
fn a_reset_is_told_whether_reading_or_not() {
    let (told, gone) = channel();
    let server = Server::start(move |_| {
        let told = told.clone();
        let mut read = true;
        machine(move |_, input, io| {
            if matches!(input, Input::Gone) {
                told.send(read).unwrap();
                return Want::ABORT;
            }
            for line in lines(io) {
                read = line == "read";
                io.outbox.push(b"ok\n");
            }
            Want { read, ..Want::READ }
        })
    });
    for unread in ["", "bytes that nobody reads"] {
        for mode in ["read\n", "do not\n"] {
            let mut client = server.connect();
            assert_eq!(client.ask(mode), "ok\n");
            client.send(unread);
            client.reset();
            assert_eq!(gone.recv_timeout(PATIENCE), Ok(mode == "read\n"));
        }
    }
}

/// `hold` holds its own echo back and wakes all others, who say so; `go` wakes those who hold.
fn holder() -> BoxMachine<Sum> {
    const HELD: Topic = Topic(7);
    const GO: Topic = Topic(8);
    let mut hold = false;
    machine(move |_, input, io| {
        match input {
            Input::Start => {
                io.effects.push((EffectId(7), Effect::Watch(HELD)));
                io.effects.push((EffectId(8), Effect::Watch(GO)));
            }
            Input::Done(EffectId(7), _) if !hold => io.outbox.push(b"heard\n"),
            Input::Done(EffectId(8), _) if hold => {
                io.outbox.push(b"released\n");
                hold = false;
            }
            _ => {}
        }
        for line in lines(io) {
            hold = line == "hold";
            io.outbox.push(format!("{line}\n").as_bytes());
            io.effects.push((EffectId(0), Effect::Notify(if hold { HELD } else { GO })));
        }
        Want { hold, ..Want::READ }
    })
}

#[test]
fn held_output_waits_for_its_fellows() {
    let server = Server::start(|_| holder());
    let (mut one, mut other) = (server.connect(), server.connect());
    assert_eq!(other.ask("ready\n"), "ready\n");
    one.send("hold\n");
    assert_eq!(other.line(), "heard\n");
    one.0.get_ref().set_nonblocking(true).unwrap();
    let early = one.0.get_ref().peek(&mut [0]);
    assert_eq!(early.unwrap_err().kind(), ErrorKind::WouldBlock);
    one.0.get_ref().set_nonblocking(false).unwrap();
    assert_eq!(other.ask("go\n"), "go\n");
    assert_eq!(one.line(), "hold\n");
    assert_eq!(one.line(), "released\n");
}

#[test]
fn the_last_reply_survives_a_peer_that_still_sends() {
    let server = Server::start(|_| {
        machine(|_, input, io| {
            if matches!(input, Input::Bytes) {
                io.outbox.push(b"bye\n");
                return Want::END;
            }
            Want::READ
        })
    });
    for _ in 0..20 {
        let mut client = server.connect();
        for _ in 0..16 {
            client.send(&"still sending\n".repeat(1000));
        }
        assert_eq!(client.rest(), "bye\n");
        client.end();
    }
}

#[test]
fn a_peer_that_does_not_end_after_a_close_is_cut_off() {
    let limits = Limits { linger: Duration::from_millis(100), ..Limits::default() };
    let mut server = Server::limited(limits, |_| {
        machine(|_, _, io| {
            io.outbox.push(b"bye\n");
            Want::END
        })
    });
    let mut client = server.connect();
    assert_eq!(client.rest(), "bye\n");
    server.stopper.stop();
    server.join();
}

#[test]
fn an_abort_closes_at_once() {
    let server = Server::start(|_| {
        machine(|_, input, io| {
            io.outbox.push(b"dropped\n");
            if matches!(input, Input::Start) {
                return Want { hold: true, ..Want::READ };
            }
            Want::ABORT
        })
    });
    let mut client = server.connect();
    client.send("x\n");
    let mut rest = Vec::new();
    // A reset or an end: the line that was not read decides.
    let ended = client.0.read_to_end(&mut rest);
    assert!(ended.map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |_| true));
    assert_eq!(rest, b"");
}

#[test]
fn a_machine_that_panics_ends_its_own_connection_only() {
    let server = Server::start(|_| {
        machine(|_, _, io| {
            for line in lines(io) {
                assert_ne!(line, "panic");
                io.outbox.push(format!("{line}\n").as_bytes());
            }
            Want::READ
        })
    });
    let (mut one, mut other) = (server.connect(), server.connect());
    assert_eq!(one.ask("a\n"), "a\n");
    assert_eq!(other.ask("b\n"), "b\n");
    one.send("panic\n");
    assert_eq!(one.rest(), "");
    assert_eq!(other.ask("c\n"), "c\n");
    assert_eq!(server.statistics.machines_panicked.value(), 1);
}

/// Tells whether it is welcome, and stays.
fn doorkeeper(crowded: Option<Crowded>) -> BoxMachine<Sum> {
    machine(move |_, input, io| {
        if matches!(input, Input::Eof) {
            return Want::END;
        }
        if matches!(input, Input::Start) {
            io.outbox.push(format!("{crowded:?}\n").as_bytes());
        }
        let stream = if crowded.is_some() { Stream::Flush } else { Stream::Keep };
        Want { stream, done: crowded.is_some(), ..Want::READ }
    })
}

#[test]
fn too_many_are_refused_in_the_machines_own_words() {
    let limits = Limits { connections_max: 2, ..Limits::default() };
    let server = Server::limited(limits, |accepted| doorkeeper(accepted.crowded));
    let mut clients: Vec<Client> = (0..2).map(|_| server.connect()).collect();
    assert!(clients.iter_mut().all(|client| client.line() == "None\n"));
    assert_eq!(server.connect().rest(), "Some(Total)\n");
    assert_eq!(server.statistics.crowded_total.value(), 1);
    // Once one has gone, the next is welcome.
    let mut gone = clients.remove(0);
    gone.end();
    assert_eq!(gone.rest(), "");
    let begun = Instant::now();
    while server.connect().line() != "None\n" {
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn too_many_from_one_address_are_refused_too() {
    let limits =
        Limits { connections_per_address_max: 1, uncounted: Vec::new(), ..Limits::default() };
    let server = Server::limited(limits, |accepted| doorkeeper(accepted.crowded));
    let mut client = server.connect();
    assert_eq!(client.line(), "None\n");
    assert_eq!(server.connect().rest(), "Some(PerAddress)\n");
}
