//! The scheduler: what happens next is drawn from the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use pillarbox::job::{Answer, Job};
use pillarbox_core::effect::{BoxMachine, Completion, Effect, FileWork, Job as _, Lane, Topic};
use pillarbox_core::{EffectId, Inbox, Input, Io, Moment, Now, Outbox, Stream, UnixSeconds, Want};

use super::disk::{Disk, Loss};
use super::house::{ConnId, House};
use super::ledger::Ledger;
use super::prng::{self, Prng};
use super::seat::{Client, Seat};
use super::trace::Trace;

/// What was done in a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Steps of the scheduler.
    pub steps: u64,
    /// Commits, and the jobs in them.
    pub commits: u64,
    /// Jobs in all commits.
    pub jobs: u64,
    /// Connections cut or half-closed.
    pub cuts: u64,
    /// Deaths of the process.
    pub kills: u64,
    /// Losses of power.
    pub losses: u64,
    /// Of both: those in the midst of a commit or a checkpoint.
    pub torn: u64,
}

/// Everything.
pub(super) struct World {
    /// What the clients know.
    pub(super) ledger: Ledger,
    /// The clients.
    pub(super) seats: Vec<Seat>,
    /// The counts.
    pub(super) figures: Figures,
    /// The trace.
    pub(super) trace: Trace,
    /// Whether faults happen.
    pub(super) faults: bool,
    prng: Prng,
    clock: Duration,
    house: Option<House>,
    disk: Disk,
    dir: PathBuf,
    starts: u64,
    conns: BTreeMap<ConnId, Conn>,
    next_conn: ConnId,
    /// How the server is to die in the next commit or checkpoint.
    doomed: Option<Loss>,
    /// The step up to which the writer is at work: what comes meanwhile becomes one commit.
    busy: u64,
}

/// A connection: the machine and its stream.
struct Conn {
    machine: Option<BoxMachine<Job>>,
    inbox: Inbox,
    outbox: Outbox,
    want: Want,
    above: bool,
    told: Option<Moment>,
    /// Whose it is; [`NOBODY`]'s once its client is gone.
    seat: usize,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    /// The client sends nothing more; told to the machine behind the last byte.
    eof: Eof,
    /// The server's end is closed, once the outbox is empty.
    closing: bool,
    watches: Vec<(EffectId, Topic)>,
    answers: Vec<(EffectId, Completion<Job>)>,
    notices: BTreeSet<EffectId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Eof {
    No,
    Coming,
    Told,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Connect(usize),
    ToServer(ConnId),
    ToClient(ConnId),
    Answer(ConnId),
    Notice(ConnId),
    Timer(ConnId),
    Act(usize),
    Commit,
    Look,
    File,
    Checkpoint,
}

impl World {
    /// A server on the store in `dir`, and clients, which come when they like.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub(super) fn new(
        dir: PathBuf,
        prng: Prng,
        seats: Vec<Client>,
        ledger: Ledger,
        trace: Trace,
    ) -> Result<Self, String> {
        let house = House::open(&dir, 1)?;
        let seat = |client| Seat { client, conn: None, not_before: Duration::ZERO };
        Ok(Self {
            ledger,
            seats: seats.into_iter().map(seat).collect(),
            figures: Figures::default(),
            trace,
            faults: true,
            prng,
            clock: Duration::ZERO,
            house: Some(house),
            disk: Disk::new(dir.clone()),
            dir,
            starts: 1,
            conns: BTreeMap::new(),
            next_conn: 0,
            doomed: None,
            busy: 0,
        })
    }

    /// Something happens. False: nothing is left that could.
    ///
    /// # Errors
    /// The server could not be started again.
    pub(super) fn step(&mut self, may_act: bool) -> Result<bool, String> {
        self.figures.steps += 1;
        self.clock += Duration::from_millis(self.prng.bits() % 8);
        if self.faults {
            self.fault()?;
        }
        let actions = self.actions(may_act);
        let Some(&action) = actions.get(self.prng.below(actions.len())) else {
            return Ok(self.wait_for_somebody(may_act));
        };
        self.act(action)?;
        Ok(true)
    }

    fn actions(&self, may_act: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        let now = Moment::after_start(self.clock);
        for (&id, conn) in &self.conns {
            let alive = conn.machine.is_some();
            let eof = conn.eof == Eof::Coming && conn.to_server.is_empty();
            if alive
                && conn.want.read
                && !conn.closing
                && conn.inbox.room() > 0
                && (!conn.to_server.is_empty() || eof)
            {
                actions.push(Action::ToServer(id));
            }
            if conn.may_send() || !conn.to_client.is_empty() || conn.is_over() {
                actions.push(Action::ToClient(id));
            }
            if alive && !conn.answers.is_empty() {
                actions.push(Action::Answer(id));
            }
            if alive && !conn.notices.is_empty() {
                actions.push(Action::Notice(id));
            }
            if conn.timer().is_some_and(|at| at <= now) {
                actions.push(Action::Timer(id));
            }
        }
        for (index, seat) in self.seats.iter().enumerate() {
            if seat.wants_connection(may_act) && seat.not_before <= self.clock {
                actions.push(Action::Connect(index));
            }
            if seat.wants_to_act(may_act) && self.client_may_speak(seat) {
                actions.push(Action::Act(index));
            }
        }
        let Some(house) = &self.house else { return actions };
        if !house.writes.is_empty() && (self.busy <= self.figures.steps || actions.is_empty()) {
            actions.push(Action::Commit);
            // A checkpoint is due after commits only.
            actions.push(Action::Checkpoint);
        }
        if !house.looks.is_empty() {
            actions.push(Action::Look);
            actions.push(Action::Look);
        }
        if !house.files.is_empty() {
            actions.push(Action::File);
        }
        actions
    }

    fn client_may_speak(&self, seat: &Seat) -> bool {
        let conn = seat.conn.and_then(|id| self.conns.get(&id));
        conn.is_some_and(|conn| conn.eof == Eof::No && !conn.closing)
    }

    /// Time goes on to the next thing that waits for it.
    fn wait_for_somebody(&mut self, may_act: bool) -> bool {
        let seats = self.seats.iter().filter(|seat| seat.wants_connection(may_act));
        match seats.map(|seat| seat.not_before).min() {
            Some(at) => {
                self.clock = self.clock.max(at);
                true
            }
            None => false,
        }
    }

    fn act(&mut self, action: Action) -> Result<(), String> {
        self.trace.note(format_args!("{} {action:?}", self.clock.as_millis()));
        match action {
            Action::Connect(seat) => self.connect(seat),
            Action::ToServer(id) => self.feed_server(id),
            Action::ToClient(id) => self.feed_client(id),
            Action::Answer(id) => {
                let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
                let index = self.prng.below(conn.answers.len());
                let (effect, completion) = conn.answers.swap_remove(index);
                self.run(id, Input::Done(effect, completion));
            }
            Action::Notice(id) => {
                let notice = self.conns.get_mut(&id).and_then(|conn| conn.notices.pop_first());
                if let Some(effect) = notice {
                    self.run(id, Input::Done(effect, Completion::Noticed));
                }
            }
            Action::Timer(id) => {
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.told = conn.want.deadline;
                }
                self.run(id, Input::Timer);
            }
            Action::Act(seat) => self.speak(seat),
            Action::Commit => return self.commit(),
            Action::Look => {
                let index = self.prng.below(self.house.as_ref().map_or(0, |h| h.looks.len()));
                let found = self.house.as_mut().and_then(|house| house.look(index));
                if let Some((id, effect, answer)) = found {
                    self.answer(id, effect, Completion::Answer(Ok(answer)));
                }
            }
            Action::File => self.file(),
            Action::Checkpoint => return self.checkpoint(),
        }
        Ok(())
    }

    fn connect(&mut self, index: usize) {
        let (Some(seat), Some(house)) = (self.seats.get_mut(index), &self.house) else { return };
        let id = self.next_conn;
        self.next_conn += 1;
        seat.conn = Some(id);
        let imap = match &mut seat.client {
            Client::Sender(sender) => {
                sender.connected();
                false
            }
            Client::Reader(reader) => {
                reader.connected();
                true
            }
        };
        let conn = Conn {
            machine: Some(house.machine(imap)),
            inbox: Inbox::new(self.prng.between(1_024, 16_384)),
            outbox: Outbox::new(self.prng.between(512, 16_384)),
            want: Want::READ,
            above: false,
            told: None,
            seat: index,
            to_server: Vec::new(),
            to_client: Vec::new(),
            eof: Eof::No,
            closing: false,
            watches: Vec::new(),
            answers: Vec::new(),
            notices: BTreeSet::new(),
        };
        self.conns.insert(id, conn);
        self.run(id, Input::Start);
    }

    fn now(&self) -> Now {
        let seconds = i64::try_from(self.clock.as_secs()).unwrap_or(0);
        Now { moment: Moment::after_start(self.clock), wall: UnixSeconds(1_800_000_000 + seconds) }
    }

    /// One call of a machine and what follows from it.
    fn run(&mut self, id: ConnId, input: Input<Completion<Job>>) {
        let now = self.now();
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let Some(machine) = &mut conn.machine else { return };
        let mut effects = Vec::new();
        let mut io = Io { inbox: &mut conn.inbox, outbox: &mut conn.outbox, effects: &mut effects };
        conn.want = machine.step(now, input, &mut io);
        conn.above |= !conn.outbox.below_mark();
        match conn.want.stream {
            Stream::Keep if !conn.want.done => {}
            Stream::Keep | Stream::Flush => conn.closing = true,
            Stream::Abort => {
                conn.closing = true;
                conn.outbox.clear();
            }
        }
        if conn.want.done {
            conn.machine = None;
            conn.watches.clear();
        }
        for (effect_id, effect) in effects {
            self.carry_out(id, effect_id, effect);
        }
    }

    fn carry_out(&mut self, id: ConnId, effect_id: EffectId, effect: Effect<Job>) {
        self.trace.note(format_args!("  {id} asks {effect:?}"));
        let (Some(house), Some(conn)) = (&mut self.house, self.conns.get_mut(&id)) else { return };
        match effect {
            Effect::Job(job) if job.lane() == Lane::Write => {
                house.writes.push_back((id, effect_id, job));
            }
            Effect::Job(job) => house.looks.push((id, effect_id, job)),
            Effect::File(handle, work) => house.files.push((id, effect_id, handle, work)),
            Effect::Watch(topic) => conn.watches.push((effect_id, topic)),
            Effect::Release(watch) => conn.watches.retain(|(watched, _)| *watched != watch),
            Effect::Notify(topic) => {
                for conn in self.conns.values_mut() {
                    let watches = conn.watches.iter().filter(|(_, watched)| *watched == topic);
                    conn.notices.extend(watches.map(|(watch, _)| *watch));
                }
            }
            Effect::Connect { .. }
            | Effect::Exchange { .. }
            | Effect::Start(_)
            | Effect::Outcome(_) => {
                self.ledger.violation(format!("nobody asks for {effect:?} yet"));
            }
        }
    }

    fn answer(&mut self, id: ConnId, effect: EffectId, completion: Completion<Job>) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.answers.push((effect, completion));
        }
    }

    fn feed_server(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.to_server.is_empty() {
            conn.eof = Eof::Told;
            return self.run(id, Input::Eof);
        }
        let count = piece(conn.to_server.len(), &mut self.prng);
        let taken = conn.inbox.extend(conn.to_server.get(..count).unwrap_or_default());
        conn.to_server.drain(..taken);
        self.trace.note(format_args!("  {taken} bytes"));
        self.run(id, Input::Bytes);
    }

    /// Bytes leave the outbox, or arrive at the client, or the client learns of the end.
    fn feed_client(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.may_send() && (conn.to_client.is_empty() || self.prng.once_in(2)) {
            let unsent = conn.outbox.unsent();
            let count = piece(unsent.len(), &mut self.prng);
            conn.to_client.extend_from_slice(unsent.get(..count).unwrap_or_default());
            conn.outbox.sent(count);
            if conn.above && conn.outbox.below_mark() {
                conn.above = false;
                self.run(id, Input::Drained);
            }
            return;
        }
        if conn.is_over() {
            return self.part(id);
        }
        let count = piece(conn.to_client.len(), &mut self.prng);
        let bytes: Vec<u8> = conn.to_client.drain(..count).collect();
        self.trace.bytes('S', conn.seat, &bytes);
        let Some(seat) = self.seats.get_mut(conn.seat) else { return };
        let mut out = Vec::new();
        let stays = match &mut seat.client {
            Client::Sender(sender) => {
                sender.heard(&bytes, &mut self.ledger, &mut self.prng, &mut out)
            }
            Client::Reader(reader) => reader.heard(&bytes, &mut self.ledger, &mut out),
        };
        self.trace.bytes('C', conn.seat, &out);
        if conn.eof == Eof::No {
            conn.to_server.extend_from_slice(&out);
        }
        if !stays {
            self.cut(id, false);
        }
    }

    fn speak(&mut self, index: usize) {
        let Some(seat) = self.seats.get_mut(index) else { return };
        let mut out = Vec::new();
        if let Client::Reader(reader) = &mut seat.client {
            if reader.is_idle() {
                reader.end_idle(&mut out);
            } else {
                reader.act(&mut self.ledger, &mut self.prng, &mut out);
            }
        }
        self.trace.bytes('C', index, &out);
        if let Some(conn) = seat.conn.and_then(|id| self.conns.get_mut(&id)) {
            conn.to_server.extend_from_slice(&out);
        }
    }

    /// Lets all readers ask for what is new.
    pub(super) fn ask_for_news(&mut self) {
        for seat in &mut self.seats {
            let conn = seat.conn.and_then(|id| self.conns.get_mut(&id));
            if let (Client::Reader(reader), Some(conn)) = (&mut seat.client, conn) {
                reader.noop(&mut conn.to_server);
            }
        }
    }

    fn commit(&mut self) -> Result<(), String> {
        let before = match self.doomed {
            Some(_) => Some(self.disk.before().map_err(|error| error.to_string())?),
            None => None,
        };
        let Some(house) = &mut self.house else { return Ok(()) };
        let count = self.prng.between(1, house.writes.len());
        let answers = house.commit(count);
        self.figures.commits += 1;
        self.busy = self.figures.steps + u64::try_from(self.prng.between(0, 150)).unwrap_or(0);
        self.figures.jobs += u64::try_from(answers.len()).unwrap_or(0);
        self.trace.note(format_args!("  {} jobs", answers.len()));
        if before.is_some() {
            return self.die(before);
        }
        for (id, effect, answer) in answers {
            if let Answer::Written(Err(error)) = &answer {
                self.ledger.violation(format!("the store refuses a write: {error}"));
            }
            self.answer(id, effect, Completion::Answer(Ok(answer)));
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), String> {
        let Some(house) = &self.house else { return Ok(()) };
        if house.checkpoint.try_recv().is_err() {
            return Ok(());
        }
        self.trace.note(format_args!("  due"));
        let before = match self.doomed {
            Some(_) => Some(self.disk.before().map_err(|error| error.to_string())?),
            None => None,
        };
        house.store.checkpoint().map_err(|error| error.to_string())?;
        if before.is_some() { self.die(before) } else { Ok(()) }
    }

    /// The work of one connection is done in its order.
    fn file(&mut self) {
        let Some(house) = &mut self.house else { return };
        let chosen = self.prng.below(house.files.len());
        let Some(asker) = house.files.get(chosen).map(|(id, ..)| *id) else { return };
        let first = house.files.iter().position(|(id, ..)| *id == asker).unwrap_or(0);
        let (id, effect, handle, work) = house.files.remove(first);
        let syncs = matches!(work, FileWork::Sync);
        let result = house.bodies.carry_out(handle, work);
        if syncs && result.is_ok() {
            self.disk.synced(handle.to_string());
        }
        self.answer(id, effect, Completion::File(result));
    }

    /// Draws whether the world fails now.
    fn fault(&mut self) -> Result<(), String> {
        if self.prng.once_in(250) {
            let ids: Vec<_> = self.conns.keys().copied().collect();
            if let Some(&id) = ids.get(self.prng.below(ids.len())) {
                self.figures.cuts += 1;
                self.trace.note(format_args!("cut {id}"));
                if self.prng.once_in(3) {
                    self.half_close(id);
                } else {
                    self.cut(id, true);
                }
            }
        }
        if self.prng.once_in(2_000) {
            // Long silences: deadlines pass.
            self.clock += Duration::from_secs(self.prng.bits() % 2_000);
        }
        if self.prng.once_in(900) {
            let loss = if self.prng.once_in(3) { Loss::Killed } else { Loss::Power };
            if self.prng.once_in(2) {
                self.doomed = Some(loss);
            } else {
                self.doomed = Some(loss);
                return self.die(None);
            }
        }
        Ok(())
    }

    fn half_close(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id)
            && conn.eof == Eof::No
        {
            let kept = self.prng.below(conn.to_server.len() + 1);
            conn.to_server.truncate(kept);
            conn.eof = Eof::Coming;
        }
    }

    /// The stream breaks; of what was on its way to the server some may still have arrived.
    fn cut(&mut self, id: ConnId, arrives: bool) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if arrives && conn.machine.is_some() && conn.want.read && !conn.closing {
            let count = piece(conn.to_server.len(), &mut self.prng);
            let taken = conn.inbox.extend(conn.to_server.get(..count).unwrap_or_default());
            if taken > 0 {
                self.run(id, Input::Bytes);
            }
        }
        self.run(id, Input::Gone);
        self.part(id);
    }

    /// Client and server have each lost the other. A machine that goes on stays without a stream.
    fn part(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let seat = std::mem::replace(&mut conn.seat, NOBODY);
        if conn.machine.is_some() {
            conn.closing = true;
            conn.to_server.clear();
            conn.to_client.clear();
        } else {
            self.conns.remove(&id);
        }
        let later = self.clock + Duration::from_millis(self.prng.bits() % 3_000);
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.lost(&mut self.ledger);
            seat.not_before = later;
        }
    }

    /// The server ends without warning and is started again.
    fn die(&mut self, before: Option<super::disk::Before>) -> Result<(), String> {
        let loss = self.doomed.take().unwrap_or(Loss::Killed);
        self.trace.note(format_args!("{loss:?}, torn {}", before.is_some()));
        match loss {
            Loss::Killed => self.figures.kills += 1,
            Loss::Power => self.figures.losses += 1,
        }
        self.figures.torn += u64::from(before.is_some());
        let house = self.house.take();
        let conns = std::mem::take(&mut self.conns);
        for conn in conns.values() {
            if let Some(seat) = self.seats.get_mut(conn.seat) {
                seat.lost(&mut self.ledger);
                seat.not_before = self.clock + Duration::from_millis(self.prng.bits() % 5_000);
            }
        }
        self.disk
            .die(loss, before, &mut self.prng, || drop((conns, house)))
            .map_err(|error| format!("simulated disk: {error}"))?;
        self.starts += 1;
        prng::seed_server(self.prng.bits());
        let opened = House::open(&self.dir, self.starts);
        self.house = Some(opened.map_err(|why| format!("after {loss:?}: {why}"))?);
        Ok(())
    }

    /// The end: the server dies once more, without any fault under way, and starts again.
    ///
    /// # Errors
    /// It does not start.
    pub(super) fn restart(&mut self, loss: Loss) -> Result<(), String> {
        self.doomed = Some(loss);
        self.die(None)
    }

    /// The store, for whoever looks at the end.
    #[must_use]
    pub(super) const fn house(&mut self) -> Option<&mut House> {
        self.house.as_mut()
    }

    /// Stops the server.
    pub(super) fn close(&mut self) {
        self.conns.clear();
        self.house = None;
    }

    /// What is not done, for a run that is stuck.
    #[must_use]
    pub(super) fn stuck(&self) -> String {
        let conns: Vec<_> = self
            .conns
            .iter()
            .map(|(id, conn)| {
                format!("{id}: {:?}, in {:?}, out {:?}", conn.want, conn.inbox, conn.outbox)
            })
            .collect();
        let seats: Vec<_> = self.seats.iter().map(|seat| format!("{:?}", seat.client)).collect();
        format!("{}\n{}", conns.join("\n"), seats.join("\n"))
    }
}

impl Conn {
    /// The machine's hold is kept, unless the outbox is above its mark.
    fn may_send(&self) -> bool {
        let held = self.want.hold && self.outbox.below_mark() && !self.closing;
        !self.outbox.is_empty() && !held
    }

    /// Closed by the server, and everything has arrived.
    fn is_over(&self) -> bool {
        self.closing
            && self.machine.is_none()
            && self.outbox.is_empty()
            && self.to_client.is_empty()
    }

    fn timer(&self) -> Option<Moment> {
        self.machine.as_ref()?;
        self.want.deadline.filter(|at| self.told != Some(*at))
    }
}

/// The seat of a connection whose client is gone.
const NOBODY: usize = usize::MAX;

/// Mostly all of it, sometimes a few bytes, sometimes a single one.
fn piece(len: usize, prng: &mut Prng) -> usize {
    match prng.below(8) {
        0 => len.min(1),
        1 => prng.between(len.min(1), len.min(40)),
        2 | 3 => prng.between(len.min(1), len),
        _ => len,
    }
}
