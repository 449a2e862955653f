//! A server with machines made of closures, and its clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use pillarbox_core::effect::{BoxMachine, Completion, Crew, Effect, Hands, Job, Lane};
use pillarbox_core::flow::{Desk, Flow};
use pillarbox_core::{Input, Io, Machine, Now, Want};
use pillarbox_runtime_std::listen::bind;
use pillarbox_runtime_std::{Accepted, Limits, Listener, RunError, Setup, Statistics, Stopper};

use super::super::run;

/// The application's effect in these tests.
#[derive(Debug)]
pub(super) enum Sum {
    /// Answered with one more.
    AddOne(Lane, u32),
    Panic(Lane),
    /// The hands forget the answer.
    Forget(Lane),
}

impl Job for Sum {
    type Answer = u32;

    fn lane(&self) -> Lane {
        match *self {
            Self::AddOne(lane, _) | Self::Panic(lane) | Self::Forget(lane) => lane,
        }
    }
}

/// Tells each batch's size, then waits for the gate, if there is one.
pub(super) struct Adder {
    pub(super) told: Option<Sender<usize>>,
    pub(super) gate: Option<Receiver<()>>,
}

impl Hands<Sum> for Adder {
    fn carry_out(&mut self, jobs: Vec<Sum>, answers: &mut Vec<u32>) {
        if let Some(told) = &self.told {
            told.send(jobs.len()).unwrap();
        }
        if let Some(gate) = &self.gate {
            gate.recv_timeout(PATIENCE).unwrap();
        }
        for job in jobs {
            match job {
                Sum::AddOne(_, number) => answers.push(number + 1),
                Sum::Panic(_) => panic!("as the test wants it"),
                Sum::Forget(_) => {}
            }
        }
    }
}

pub(super) type In = Input<Completion<Sum>>;
pub(super) type Out<'a> = Io<'a, Effect<Sum>>;

struct Closure<F>(F);

impl<F: FnMut(Now, In, &mut Out<'_>) -> Want> Machine for Closure<F> {
    type Effect = Effect<Sum>;
    type Completion = Completion<Sum>;

    fn step(&mut self, now: Now, input: In, io: &mut Out<'_>) -> Want {
        (self.0)(now, input, io)
    }
}

/// A machine that is one closure.
pub(super) fn machine(
    step: impl FnMut(Now, In, &mut Out<'_>) -> Want + 'static,
) -> BoxMachine<Sum> {
    Box::new(Closure(step))
}

/// A machine that runs one flow, sends what it returns, and ends.
pub(super) fn flow<T: Future<Output = String> + 'static>(
    run: impl FnOnce(Desk<Sum>) -> T,
) -> BoxMachine<Sum> {
    let desk = Desk::default();
    let mut flow = Flow::new(run(desk.clone()));
    machine(move |_, input, io| {
        if let Input::Done(id, completion) = input {
            desk.deliver(id, completion);
        }
        let result = flow.poll();
        desk.take_effects(io.effects);
        match result {
            Some(text) => {
                io.outbox.push(text.as_bytes());
                Want::END
            }
            None => Want { read: false, ..Want::READ },
        }
    })
}

/// The lines that are whole, each without its end.
pub(super) fn lines(io: &mut Out<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(end) = io.inbox.unread().iter().position(|byte| *byte == b'\n') {
        lines.push(String::from_utf8(io.inbox.unread()[..end].to_vec()).unwrap());
        io.inbox.consume(end + 1);
    }
    lines
}

/// A running server on a free port.
pub(super) struct Server {
    pub(super) addr: SocketAddr,
    pub(super) stopper: Stopper,
    pub(super) statistics: Arc<Statistics>,
    thread: Option<JoinHandle<Result<(), RunError>>>,
    _folder: tempfile::TempDir,
}

impl Server {
    pub(super) fn start(
        accept: impl Fn(Accepted) -> BoxMachine<Sum> + Send + Sync + 'static,
    ) -> Self {
        Self::adjusted(accept, |_| {})
    }

    pub(super) fn limited(
        limits: Limits,
        accept: impl Fn(Accepted) -> BoxMachine<Sum> + Send + Sync + 'static,
    ) -> Self {
        Self::adjusted(accept, |setup| setup.limits = limits)
    }

    pub(super) fn adjusted(
        accept: impl Fn(Accepted) -> BoxMachine<Sum> + Send + Sync + 'static,
        adjust: impl FnOnce(&mut Setup<Sum>),
    ) -> Self {
        let sockets = bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let addr = sockets[0].local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let adder = || Box::new(Adder { told: None, gate: None });
        let mut setup = Setup {
            listeners: vec![Listener { sockets, accept: Arc::new(accept) }],
            tasks: Vec::new(),
            crew: Crew { writer: adder(), readers: vec![adder()], workers: vec![adder()] },
            bodies: folder.path().join("bodies"),
            limits: Limits::default(),
            threads: 2,
            statistics: Arc::default(),
        };
        adjust(&mut setup);
        let (stopper, statistics) = (Stopper::new(), Arc::clone(&setup.statistics));
        let stop = stopper.clone();
        let thread = Some(std::thread::spawn(move || run(setup, &stop)));
        Self { addr, stopper, statistics, thread, _folder: folder }
    }

    pub(super) fn connect(&self) -> Client {
        Client::to(self.addr)
    }

    /// Waits until `run` has returned.
    pub(super) fn join(&mut self) {
        let thread = self.thread.take().unwrap();
        let (told, ended) = channel();
        std::thread::spawn(move || told.send(thread.join().unwrap()));
        ended.recv_timeout(PATIENCE).expect("the server does not end").unwrap();
        assert_eq!(self.statistics.open.value(), 0);
        assert_eq!(self.statistics.machines.value(), 0);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.thread.is_some() && !std::thread::panicking() {
            self.stopper.stop_now();
            self.join();
        }
    }
}

/// A blocking client that loses patience.
pub(super) struct Client(pub(super) BufReader<TcpStream>);

impl Client {
    pub(super) fn to(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).unwrap())
    }

    pub(super) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(super) fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    pub(super) fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }

    pub(super) fn ask(&mut self, text: &str) -> String {
        self.send(text);
        self.line()
    }

    pub(super) fn end(&self) {
        self.0.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// Ends with a reset.
    pub(super) fn reset(self) {
        socket2::SockRef::from(self.0.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Nothing here takes as long; whatever does has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
