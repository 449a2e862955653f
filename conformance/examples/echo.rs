//! The smallest server: sends back what it gets, on either runtime, until its standard input ends.
//! `cargo run -p pillarbox-conformance --example echo -- 127.0.0.1:7000 smol` (or `std`).

use std::error::Error;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

use pillarbox_core::effect::{Completion, Crew, Effect, Hands, Job, Lane};
use pillarbox_core::{Input, Io, Machine, Now, Want};
use pillarbox_runtime_std::{Limits, Listener, Setup, Statistics, Stopper, listen};

/// What this server asks of the world beyond the runtime's own effects: nothing.
enum Never {}

impl Job for Never {
    type Answer = ();
    fn lane(&self) -> Lane {
        match *self {}
    }
}

struct Idle;

impl Hands<Never> for Idle {
    fn carry_out(&mut self, _: Vec<Never>, _: &mut Vec<()>) {}
}

struct Echo;

impl Machine for Echo {
    type Effect = Effect<Never>;
    type Completion = Completion<Never>;

    fn step(
        &mut self,
        _: Now,
        input: Input<Completion<Never>>,
        io: &mut Io<'_, Effect<Never>>,
    ) -> Want {
        if io.outbox.below_mark() {
            io.outbox.push(io.inbox.unread());
            io.inbox.clear();
        }
        if matches!(input, Input::Eof | Input::Gone | Input::Stop) { Want::END } else { Want::READ }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let addr: SocketAddr = std::env::args().nth(1).ok_or("which address?")?.parse()?;
    let threads = 2;
    let sockets = listen::bind(addr, threads)?;
    let setup = Setup {
        listeners: vec![Listener { sockets, accept: Arc::new(|_| Box::new(Echo)) }],
        tasks: Vec::new(),
        crew: Crew {
            writer: Box::new(Idle),
            readers: vec![Box::new(Idle)],
            workers: vec![Box::new(Idle)],
        },
        bodies: std::env::temp_dir().join("echo-bodies"),
        limits: Limits::default(),
        threads,
        statistics: Arc::new(Statistics::default()),
    };
    let stopper = Stopper::new();
    let stop = stopper.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stop.stop();
    });
    match std::env::args().nth(2).as_deref() {
        Some("std") => pillarbox_runtime_std::run(setup, &stopper)?,
        _ => pillarbox_runtime_smol::run(setup, &stopper)?,
    }
    Ok(())
}
