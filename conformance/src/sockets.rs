//! Runs a transcript over real sockets, on a real runtime, within this process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a run that cannot go on fails the test"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use pillarbox::config::Protocol;
use pillarbox::job::Job;
use pillarbox_runtime_std::{Accepted, Limits, Listener, Setup, Statistics, Stopper, listen};

use crate::memory::tls::Twin;
use crate::transcript::{Action, Heard, Hearing, Session, Transcript};
use crate::world::{Mold, World};
use crate::zip::Zip;

/// What drives the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// A thread for each connection.
    Std,
    /// Connections share threads.
    Smol,
    /// The same, on io_uring.
    #[cfg(target_os = "linux")]
    Glommio,
}

/// Runs it and says what was heard. `expected` tells how much to wait for; what comes beyond that
/// is heard in a later step, or at the latest in the last.
#[must_use]
pub fn run(
    mold: &Mold,
    transcript: &Transcript,
    expected: &[Hearing],
    runtime: Runtime,
    tls: bool,
) -> Vec<Hearing> {
    let world = mold.world();
    let server = Server::start(&world, transcript, runtime, tls);
    let mut links: BTreeMap<Session, Link> = BTreeMap::new();
    let mut all = Vec::new();
    for (step, expected) in transcript.steps.iter().zip(expected) {
        let session = step.session;
        match &step.action {
            Action::Open => {
                let protocol = *transcript.listeners.get(&session).unwrap();
                let address = *server.addresses.get(&session).unwrap();
                links.insert(session, Link::open(mold, address, protocol, tls));
            }
            Action::Send(bytes) => links.get_mut(&session).unwrap().send(bytes),
            Action::Tls => links.get_mut(&session).unwrap().shake_hands(mold),
            Action::Deflate => links.get_mut(&session).unwrap().zip = Some(Zip::new()),
            Action::End => links.get_mut(&session).unwrap().end(),
            Action::Clock(_) => panic!("no real clock can be moved"),
        }
        let nothing = Heard::default();
        let hearing: Hearing = links
            .iter_mut()
            .map(|(session, link)| (*session, link.hear(expected.get(session).unwrap_or(&nothing))))
            .filter(|(_, heard)| *heard != Heard::default())
            .collect();
        all.push(hearing);
    }
    // Nobody says more than was expected.
    for (session, link) in &mut links {
        let rest = link.rest();
        if let Some(last) = all.last_mut()
            && !rest.is_empty()
        {
            last.entry(*session).or_default().bytes.extend(rest);
        }
    }
    drop(links);
    server.stop();
    all
}

/// A server under way.
struct Server {
    addresses: BTreeMap<Session, SocketAddr>,
    stopper: Stopper,
    thread: JoinHandle<()>,
}

impl Server {
    fn start(world: &World, transcript: &Transcript, runtime: Runtime, tls: bool) -> Self {
        let mut addresses = BTreeMap::new();
        let mut listeners = Vec::new();
        for (session, protocol) in &transcript.listeners {
            let sockets = listen::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
            addresses.insert(*session, sockets.first().unwrap().local_addr().unwrap());
            let entrance = world.entrance_for(transcript, Twin::of(*protocol, tls).protocol);
            let accept = move |accepted: Accepted| {
                entrance.machine(accepted.peer.ip(), accepted.crowded.is_some())
            };
            listeners.push(Listener { sockets, accept: Arc::new(accept) });
        }
        let setup: Setup<Job> = Setup {
            listeners,
            tasks: Vec::new(),
            crew: world.crew(),
            bodies: world.bodies().to_owned(),
            limits: Limits::default(),
            threads: 2,
            statistics: Arc::new(Statistics::default()),
        };
        let stopper = Stopper::new();
        let stop = stopper.clone();
        let thread = std::thread::spawn(move || {
            match runtime {
                Runtime::Std => pillarbox_runtime_std::run(setup, &stop),
                Runtime::Smol => pillarbox_runtime_smol::run(setup, &stop),
                #[cfg(target_os = "linux")]
                Runtime::Glommio => pillarbox_runtime_glommio::run(setup, &stop),
            }
            .unwrap();
        });
        Self { addresses, stopper, thread }
    }

    fn stop(self) {
        self.stopper.stop_now();
        self.thread.join().unwrap();
    }
}

/// The client's end of one connection.
struct Link {
    stream: TcpStream,
    tls: Option<rustls::ClientConnection>,
    zip: Option<Zip>,
    /// Come, and not heard yet.
    come: Vec<u8>,
    closed: bool,
    /// The end has been told.
    told: bool,
}

impl Link {
    fn open(mold: &Mold, address: SocketAddr, protocol: Protocol, tls: bool) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut link =
            Self { stream, tls: None, zip: None, come: Vec::new(), closed: false, told: false };
        let twin = Twin::of(protocol, tls);
        if twin.protocol.implicit_tls() {
            link.shake_hands(mold);
        } else if tls {
            let greeting = link.lines(1);
            link.send(twin.prelude());
            while !link.come.windows(4).any(|end| end == b"220 ") || !link.come.ends_with(b"\n") {
                assert!(link.more(), "the prelude is not answered");
            }
            link.come.clear();
            link.shake_hands(mold);
            link.come = greeting;
        }
        link
    }

    /// Writes; a server that has closed may refuse it.
    fn send(&mut self, bytes: &[u8]) {
        let packed = self.zip.as_mut().map(|zip| zip.pack(bytes));
        let bytes = packed.as_deref().unwrap_or(bytes);
        let _maybe_closed = match &mut self.tls {
            None => self.stream.write_all(bytes),
            Some(tls) => rustls::Stream::new(tls, &mut self.stream).write_all(bytes),
        };
    }

    fn shake_hands(&mut self, mold: &Mold) {
        let mut client = mold.client();
        while client.is_handshaking() {
            client.complete_io(&mut self.stream).unwrap();
        }
        self.tls = Some(client);
    }

    fn end(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            while tls.wants_write() {
                tls.write_tls(&mut self.stream).unwrap();
            }
        }
        let _maybe_closed = self.stream.shutdown(Shutdown::Write);
    }

    /// As many lines as are expected, and the end where that is expected.
    fn hear(&mut self, expected: &Heard) -> Heard {
        let count = expected.bytes.iter().filter(|byte| **byte == b'\n').count();
        let bytes = self.lines(count);
        while expected.closed && !self.closed && self.more() {}
        let closed = self.closed && expected.closed && !self.told;
        self.told |= closed;
        Heard { bytes, closed }
    }

    fn lines(&mut self, count: usize) -> Vec<u8> {
        loop {
            let ends = self.come.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            match (count, ends.map(|(at, _)| at + 1).nth(count.saturating_sub(1))) {
                (0, _) => return Vec::new(),
                (_, Some(end)) => return self.come.drain(..end).collect(),
                (_, None) if !self.more() => return std::mem::take(&mut self.come),
                (_, None) => {}
            }
        }
    }

    /// What has come and was not expected.
    fn rest(&mut self) -> Vec<u8> {
        if !self.closed {
            self.stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            while self.more() {}
        }
        std::mem::take(&mut self.come)
    }

    /// Waits for more; `false` where nothing more comes.
    fn more(&mut self) -> bool {
        if self.closed {
            return false;
        }
        let mut space = [0; 16_384];
        let read = match &mut self.tls {
            None => self.stream.read(&mut space),
            Some(tls) => rustls::Stream::new(tls, &mut self.stream).read(&mut space),
        };
        match read {
            Ok(0) => self.closed = true,
            Ok(count) => {
                let come = space.get(..count).unwrap_or_default();
                match &mut self.zip {
                    None => self.come.extend_from_slice(come),
                    Some(zip) => self.come.append(&mut zip.unpack(come)),
                }
            }
            Err(error) if is_patience(&error) => return false,
            // A reset, or an end without `close_notify`.
            Err(_) => self.closed = true,
        }
        !self.closed
    }
}

fn is_patience(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
