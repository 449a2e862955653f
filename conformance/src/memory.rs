//! Runs a transcript without sockets: the bytes are cut at will, and the clock is made up.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a run that cannot go on fails the test"
)]

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr};

use pillarbox::job::Job;
use pillarbox_core::effect::{
    BoxMachine, Completion, Crew, Effect, Fault, FaultKind, Hands, Job as _, Lane, Topic,
};
use pillarbox_core::{EffectId, Inbox, Input, Io, Moment, Now, Outbox, Stream, UnixSeconds, Want};
use pillarbox_runtime_std::bodies::Bodies;

use crate::transcript::{Action, Heard, Hearing, Session, Transcript};
use crate::world::{BEGINNING, Mold, World};
use crate::zip::Zip;

/// How the client's bytes reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Each group as it was sent.
    Whole,
    /// One byte after the other.
    Bytes,
    /// Pieces of any length, from a seed.
    Random(u64),
}

/// Runs it and says what was heard. With `tls`, the conversation is held under TLS: from the first
/// byte where the listener has a twin with implicit TLS, else after STARTTLS.
#[must_use]
pub fn run(mold: &Mold, transcript: &Transcript, cut: Cut, tls: bool) -> Vec<Hearing> {
    let world = mold.world();
    let mut server = Server::new(&world);
    let mut scissors = Scissors::new(cut);
    let mut all = Vec::new();
    for step in &transcript.steps {
        match &step.action {
            Action::Open => {
                let protocol = *transcript.listeners.get(&step.session).unwrap();
                let twin = tls::Twin::of(protocol, tls);
                let entrance = world.entrance_for(transcript, twin.protocol);
                server.open(step.session, entrance.machine(PEER, false));
                if twin.protocol.implicit_tls() {
                    server.shake_hands(step.session, mold, &mut scissors);
                } else if tls {
                    let greeting = server.hear_one(step.session);
                    server.send(step.session, twin.prelude(), &mut scissors);
                    server.hear_one(step.session);
                    server.shake_hands(step.session, mold, &mut scissors);
                    server.say_again(step.session, greeting);
                }
            }
            Action::Send(bytes) => server.send(step.session, bytes, &mut scissors),
            Action::Tls => server.shake_hands(step.session, mold, &mut scissors),
            Action::Deflate => server.compress(step.session),
            Action::End => server.end(step.session, &mut scissors),
            Action::Clock(span) => {
                server.now.moment = server.now.moment + *span;
                server.now.wall.0 += i64::try_from(span.as_secs()).unwrap();
                server.settle();
            }
        }
        all.push(server.hear());
    }
    all
}

pub(crate) mod tls {
    //! What a conversation under TLS is held with, and what is different in it.

    use pillarbox::config::Protocol;

    /// Where a conversation under TLS connects.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Twin {
        pub(crate) protocol: Protocol,
    }

    impl Twin {
        pub(crate) const fn of(protocol: Protocol, tls: bool) -> Self {
            let protocol = match protocol {
                Protocol::Submission if tls => Protocol::Submissions,
                Protocol::Imap if tls => Protocol::Imaps,
                other => other,
            };
            Self { protocol }
        }

        /// Said before STARTTLS on a port that has no twin.
        pub(crate) const fn prelude(self) -> &'static [u8] {
            match self.protocol {
                Protocol::Lmtp => b"LHLO before.example\r\nSTARTTLS\r\n",
                _ => b"EHLO before.example\r\nSTARTTLS\r\n",
            }
        }
    }
}

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// All connections of a world, and what carries out their effects.
struct Server {
    now: Now,
    crew: Crew<Job>,
    bodies: Bodies,
    links: BTreeMap<Session, Link>,
    watches: Vec<(Topic, Session, EffectId)>,
    answers: VecDeque<(Session, EffectId, Completion<Job>)>,
}

/// One connection, both ends of it.
struct Link {
    machine: Option<BoxMachine<Job>>,
    inbox: Inbox,
    outbox: Outbox,
    want: Want,
    above: bool,
    /// On the way to the server.
    wire: VecDeque<u8>,
    /// Deciphered at the client, and not yet heard.
    heard: Heard,
    client: Option<rustls::ClientConnection>,
    zip: Option<Zip>,
}

impl Server {
    fn new(world: &World) -> Self {
        Self {
            now: Now { moment: Moment::START, wall: UnixSeconds(BEGINNING.0) },
            crew: world.crew(),
            bodies: Bodies::open(world.bodies()).unwrap(),
            links: BTreeMap::new(),
            watches: Vec::new(),
            answers: VecDeque::new(),
        }
    }

    fn open(&mut self, session: Session, machine: BoxMachine<Job>) {
        let link = Link {
            machine: Some(machine),
            inbox: Inbox::new(65_536),
            outbox: Outbox::new(65_536),
            want: Want::READ,
            above: false,
            wire: VecDeque::new(),
            heard: Heard::default(),
            client: None,
            zip: None,
        };
        self.links.insert(session, link);
        self.step(session, Input::Start);
        self.settle();
    }

    fn compress(&mut self, session: Session) {
        self.links.get_mut(&session).unwrap().zip = Some(Zip::new());
    }

    /// Sends what the client says, compressed and under TLS where those have begun, and waits for
    /// all that follows.
    fn send(&mut self, session: Session, bytes: &[u8], scissors: &mut Scissors) {
        let link = self.links.get_mut(&session).unwrap();
        let packed = link.zip.as_mut().map(|zip| zip.pack(bytes));
        let bytes = packed.as_deref().unwrap_or(bytes);
        let cipher = match &mut link.client {
            None => bytes.to_vec(),
            Some(client) => {
                client.set_buffer_limit(None);
                client.writer().write_all(bytes).unwrap();
                flight(client)
            }
        };
        self.deliver(session, &cipher, scissors);
    }

    fn deliver(&mut self, session: Session, bytes: &[u8], scissors: &mut Scissors) {
        let mut left = bytes;
        while !left.is_empty() {
            let (piece, rest) = left.split_at(scissors.next(left.len()));
            left = rest;
            self.links.get_mut(&session).unwrap().wire.extend(piece);
            self.settle();
        }
    }

    fn end(&mut self, session: Session, scissors: &mut Scissors) {
        let link = self.links.get_mut(&session).unwrap();
        if let Some(client) = &mut link.client {
            client.send_close_notify();
            let notify = flight(client);
            self.deliver(session, &notify, scissors);
        }
        self.step(session, Input::Eof);
        self.settle();
    }

    fn shake_hands(&mut self, session: Session, mold: &Mold, scissors: &mut Scissors) {
        self.links.get_mut(&session).unwrap().client = Some(mold.client());
        loop {
            let link = self.links.get_mut(&session).unwrap();
            let client = link.client.as_mut().unwrap();
            let (cipher, done) = (flight(client), !client.is_handshaking());
            if cipher.is_empty() {
                assert!(done || link.heard.closed, "the handshake is stuck");
                return;
            }
            self.deliver(session, &cipher, scissors);
        }
    }

    /// Everything that happens without anything new from outside.
    fn settle(&mut self) {
        loop {
            if let Some((session, id, completion)) = self.answers.pop_front() {
                self.step(session, Input::Done(id, completion));
                continue;
            }
            let sessions: Vec<_> = self.links.keys().copied().collect();
            if !sessions.into_iter().any(|session| self.turn(session)) {
                return;
            }
        }
    }

    /// One thing that one connection can do now; `false` where there is none.
    fn turn(&mut self, session: Session) -> bool {
        let link = self.links.get_mut(&session).unwrap();
        link.carry();
        if link.above && link.outbox.below_mark() {
            link.above = false;
            self.step(session, Input::Drained);
            return true;
        }
        if link.machine.is_none() {
            return false;
        }
        if link.want.deadline.is_some_and(|deadline| deadline <= self.now.moment) {
            self.step(session, Input::Timer);
            let link = self.links.get_mut(&session).unwrap();
            // A deadline that stays is not told twice.
            let stays = link.want.deadline.is_some_and(|deadline| deadline <= self.now.moment);
            assert!(!stays || link.machine.is_none(), "a deadline in the past is wished for");
            return true;
        }
        if !link.want.read || link.wire.is_empty() || link.inbox.room() == 0 {
            return false;
        }
        let pieces: Vec<u8> = link.wire.iter().copied().collect();
        let taken = link.inbox.extend(&pieces);
        link.wire.drain(..taken);
        self.step(session, Input::Bytes);
        true
    }

    fn step(&mut self, session: Session, input: Input<Completion<Job>>) {
        let link = self.links.get_mut(&session).unwrap();
        let Some(machine) = &mut link.machine else { return };
        let mut effects = Vec::new();
        let mut io = Io { inbox: &mut link.inbox, outbox: &mut link.outbox, effects: &mut effects };
        link.want = machine.step(self.now, input, &mut io);
        link.above |= !link.outbox.below_mark();
        if link.want.stream == Stream::Abort {
            link.outbox.clear();
        }
        link.carry();
        if link.want.done || link.want.stream != Stream::Keep {
            link.machine = None;
            link.heard.closed = true;
            self.watches.retain(|(_, watcher, _)| *watcher != session);
        }
        for (id, effect) in effects {
            self.carry_out(session, id, effect);
        }
    }

    fn carry_out(&mut self, session: Session, id: EffectId, effect: Effect<Job>) {
        match effect {
            Effect::Job(job) => {
                let hands: &mut dyn Hands<Job> = match job.lane() {
                    Lane::Write => self.crew.writer.as_mut(),
                    Lane::Read => self.crew.readers.first_mut().unwrap().as_mut(),
                    Lane::Work => self.crew.workers.first_mut().unwrap().as_mut(),
                };
                let mut answers = Vec::new();
                hands.carry_out(vec![job], &mut answers);
                let answer = answers.pop().ok_or_else(|| Fault::new(FaultKind::Unknown, "none"));
                self.answers.push_back((session, id, Completion::Answer(answer)));
            }
            Effect::File(handle, work) => {
                let done = Completion::File(self.bodies.carry_out(handle, work));
                self.answers.push_back((session, id, done));
            }
            Effect::Watch(topic) => self.watches.push((topic, session, id)),
            Effect::Release(watch) => {
                self.watches.retain(|(_, watcher, id)| (*watcher, *id) != (session, watch));
            }
            Effect::Notify(topic) => {
                let told = self.watches.iter().filter(|(watched, ..)| *watched == topic);
                let told: Vec<_> =
                    told.map(|(_, watcher, id)| (*watcher, *id, Completion::Noticed)).collect();
                self.answers.extend(told);
            }
            Effect::Connect { .. }
            | Effect::Exchange { .. }
            | Effect::Start(_)
            | Effect::Outcome(_) => panic!("no session asks for this yet"),
        }
    }

    fn hear_one(&mut self, session: Session) -> Heard {
        std::mem::take(&mut self.links.get_mut(&session).unwrap().heard)
    }

    fn say_again(&mut self, session: Session, greeting: Heard) {
        self.links.get_mut(&session).unwrap().heard = greeting;
    }

    /// What has come to the clients since the last time.
    fn hear(&mut self) -> Hearing {
        let heard = self.links.iter_mut().map(|(session, link)| {
            // An end is told once, where it happens.
            (*session, std::mem::take(&mut link.heard))
        });
        heard.filter(|(_, heard)| *heard != Heard::default()).collect()
    }
}

impl Link {
    /// Carries the server's bytes to the client.
    fn carry(&mut self) {
        let bytes = self.outbox.unsent().to_vec();
        self.outbox.sent(bytes.len());
        let Some(client) = &mut self.client else {
            self.hear(&bytes);
            return;
        };
        let (mut left, mut all) = (bytes.as_slice(), Vec::new());
        while !left.is_empty() {
            client.read_tls(&mut left).unwrap();
            // An alert ends the conversation; what came before it counts.
            let alive = client.process_new_packets().is_ok();
            let mut plain = Vec::new();
            let _no_more = client.reader().read_to_end(&mut plain);
            all.append(&mut plain);
            if !alive {
                break;
            }
        }
        self.hear(&all);
    }

    fn hear(&mut self, bytes: &[u8]) {
        match &mut self.zip {
            None => self.heard.bytes.extend_from_slice(bytes),
            Some(zip) => self.heard.bytes.append(&mut zip.unpack(bytes)),
        }
    }
}

/// What a TLS client has to send now.
fn flight(client: &mut rustls::ClientConnection) -> Vec<u8> {
    let mut cipher = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut cipher).unwrap();
    }
    cipher
}

/// Cuts what is sent.
struct Scissors {
    cut: Cut,
    state: u64,
}

impl Scissors {
    fn new(cut: Cut) -> Self {
        let seed = if let Cut::Random(seed) = cut { seed } else { 0 };
        Self { cut, state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// The length of the next piece of `left` bytes: mostly short, sometimes all.
    fn next(&mut self, left: usize) -> usize {
        match self.cut {
            Cut::Whole => left,
            Cut::Bytes => 1,
            Cut::Random(_) => {
                // xorshift64: the same pieces for the same seed, everywhere.
                self.state ^= self.state << 13;
                self.state ^= self.state >> 7;
                self.state ^= self.state << 17;
                let most = [3, 17, 200, left].get((self.state >> 20) as usize % 4).copied();
                1 + (self.state >> 32) as usize % most.unwrap_or(1).clamp(1, left)
            }
        }
    }
}
