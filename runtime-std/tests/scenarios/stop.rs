//! How a server ends.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use pillarbox_core::effect::{BoxMachine, Effect, Lane};
use pillarbox_core::{EffectId, Input, Want};
use pillarbox_runtime_std::Limits;

use super::harness::{Adder, PATIENCE, Server, Sum, lines, machine};

/// After `begin`, ends only after `end`, stop or not; otherwise ends at the stop.
fn transaction() -> BoxMachine<Sum> {
    let (mut begun, mut stopping) = (false, false);
    machine(move |_, input, io| {
        if matches!(input, Input::Stop) {
            stopping = true;
            io.outbox.push(b"stopping\n");
        }
        for line in lines(io) {
            begun = line == "begin";
            io.outbox.push(format!("{line}\n").as_bytes());
        }
        if stopping && !begun { Want::END } else { Want::READ }
    })
}

#[test]
fn what_is_begun_may_end_within_the_grace() {
    let mut server = Server::start(|_| transaction());
    let (mut idle, mut busy) = (server.connect(), server.connect());
    assert_eq!(idle.ask("end\n"), "end\n");
    assert_eq!(busy.ask("begin\n"), "begin\n");
    server.stopper.stop();
    assert_eq!(idle.rest(), "stopping\n");
    assert_eq!(busy.line(), "stopping\n");
    assert_eq!(busy.ask("end\n"), "end\n");
    assert_eq!(busy.rest(), "");
    drop((idle, busy));
    server.join();
    assert!(TcpStream::connect(server.addr).is_err());
}

#[test]
fn what_does_not_end_is_dropped_after_the_grace() {
    let grace = Duration::from_millis(200);
    let mut server =
        Server::limited(Limits { stop_grace: grace, ..Limits::default() }, |_| transaction());
    let mut client = server.connect();
    assert_eq!(client.ask("begin\n"), "begin\n");
    let begun = Instant::now();
    server.stopper.stop();
    assert_eq!(client.rest(), "stopping\n");
    server.join();
    assert!(begun.elapsed() >= grace);
}

#[test]
fn a_second_word_stops_at_once() {
    let mut server = Server::start(|_| transaction());
    let mut client = server.connect();
    assert_eq!(client.ask("begin\n"), "begin\n");
    server.stopper.stop();
    assert_eq!(client.line(), "stopping\n");
    let begun = Instant::now();
    server.stopper.stop_now();
    server.join();
    assert!(begun.elapsed() < Limits::default().stop_grace);
    let ended = client.0.read_to_end(&mut Vec::new());
    assert!(ended.map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |_| true));
}

#[test]
fn a_stop_before_the_start_is_a_stop() {
    let mut server =
        Server::adjusted(|_| transaction(), |setup| setup.tasks.push(Box::new(transaction)));
    server.stopper.stop();
    server.join();
}

#[test]
fn queued_jobs_are_carried_out_before_the_end() {
    let (told, batches) = channel();
    let (open, gate) = channel();
    let mut server = Server::adjusted(
        |_| {
            machine(|_, _, io| {
                for line in lines(io) {
                    let job = Sum::AddOne(Lane::Write, line.parse().unwrap());
                    io.effects.push((EffectId(0), Effect::Job(job)));
                    io.outbox.push(b"queued\n");
                }
                Want::READ
            })
        },
        |setup| setup.crew.writer = Box::new(Adder { told: Some(told), gate: Some(gate) }),
    );
    let mut client = server.connect();
    assert_eq!(client.ask("1\n"), "queued\n");
    assert_eq!(batches.recv_timeout(PATIENCE), Ok(1));
    for _ in 0..3 {
        assert_eq!(client.ask("1\n"), "queued\n");
    }
    server.stopper.stop_now();
    assert_eq!(client.rest(), "");
    open.send(()).unwrap();
    open.send(()).unwrap();
    server.join();
    assert_eq!(batches.try_recv(), Ok(3));
    assert_eq!(server.statistics.jobs.value(), 4);
}

#[test]
fn a_task_hears_of_the_stop() {
    let (told, heard) = channel();
    let mut server = Server::adjusted(
        |_| transaction(),
        |setup| {
            setup.tasks.push(Box::new(move || {
                machine(move |_, input, _| {
                    told.send(format!("{input:?}")).unwrap();
                    if matches!(input, Input::Stop) { Want::END } else { Want::READ }
                })
            }));
        },
    );
    assert_eq!(heard.recv_timeout(PATIENCE).as_deref(), Ok("Start"));
    server.stopper.stop();
    assert_eq!(heard.recv_timeout(PATIENCE).as_deref(), Ok("Stop"));
    server.join();
}
