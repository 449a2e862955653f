//! The queue among many servers: what enters is carried to servers that refuse, stall, close and come
//! back, while our own process dies at any step. In the end all of it has arrived, or has come back,
//! and nothing was handed over after it was kept that it had been.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use pillarbox::config::Queue;
use pillarbox::context::Context;
use pillarbox::dns::{Resolver, Source};
use pillarbox::job::{Answer, Job, Worker};
use pillarbox::queue;
use pillarbox::rates::Allowances;
use pillarbox_core::dns::{Name, Zone};
use pillarbox_core::effect::{
    BoxMachine, Completion, Connected, Effect, Fault, FaultKind, Hands as _, Job as _, Lane, Topic,
};
use pillarbox_core::tls::Roots;
use pillarbox_core::{EffectId, Inbox, Input, Io, Moment, Now, Outbox, Stream, UnixSeconds, Want};
use pillarbox_store::{
    AccountId, Filter, Found, NewBody, NewOutgoing, NewQueued, QueueId, QueueRead, QueueWrite,
    Queued, Read, Settled, State, Store, StoreError, Write, Written,
};
use tempfile::TempDir;

use super::fresh_folder;
use super::house::options;
use super::peer::{Mood, Peer, Talk};
use super::prng::{self, Prng};

/// How a run ended.
#[derive(Debug, Default)]
pub struct PostReport {
    /// Recipients to whom a message was handed over.
    pub delivered: usize,
    /// Recipients whose message came back.
    pub failed: usize,
    /// How often a server took a message that it had.
    pub doubled: usize,
    /// Deaths of our process.
    pub kills: u64,
    /// Conversations.
    pub calls: u64,
    /// What broke the promise; nothing, if all is well.
    pub violations: Vec<String>,
}

const DOMAINS: u8 = 12;
/// When all servers are well that do not refuse on purpose.
const HEALED: Duration = Duration::from_secs(10 * 3_600);
const STEPS_MAX: u64 = 400_000;
const START: i64 = 1_800_000_000;

/// A machine and its stream.
struct Unit {
    machine: BoxMachine<Job>,
    inbox: Inbox,
    outbox: Outbox,
    want: Want,
    told: Option<Moment>,
    parent: Option<(usize, EffectId)>,
    outcome: Option<Answer>,
    watches: Vec<(EffectId, Topic)>,
    notices: BTreeSet<EffectId>,
    answers: Vec<(EffectId, Completion<Job>)>,
    /// Where the stream goes, once it is connected.
    talk: Option<Talk>,
    from_peer: VecDeque<u8>,
    eof_told: bool,
}

struct Shop {
    _store: Store,
    writer: Worker,
    reader: Worker,
}

struct World {
    dir: TempDir,
    shop: Option<Shop>,
    prng: Prng,
    clock: Duration,
    units: BTreeMap<usize, Unit>,
    next: usize,
    writes: VecDeque<(usize, EffectId, Write)>,
    looks: Vec<(usize, EffectId, Job)>,
    peers: BTreeMap<IpAddr, Peer>,
    addresses: BTreeMap<QueueId, String>,
    settled: BTreeSet<String>,
    /// Whose message a server has taken, and said so to the process that still lives.
    answered: BTreeSet<String>,
    account: AccountId,
    entered: usize,
    resolver: Arc<Resolver>,
    report: PostReport,
}

/// Runs a seed.
///
/// # Errors
/// What kept it from being run to its end.
pub fn run_post(seed: u64) -> Result<PostReport, String> {
    let mut prng = Prng::new(seed);
    prng::seed_server(prng.bits());
    let mut world = World::new(prng)?;
    world.start()?;
    let messages = world.prng.between(5, 25);
    for step in 0..STEPS_MAX {
        if world.entered < messages && world.prng.once_in(40) {
            world.enter()?;
        }
        if world.clock < HEALED && world.prng.once_in(900) {
            world.kill()?;
        }
        let stuck = !world.step()?;
        if stuck && world.entered < messages {
            world.enter()?;
        } else if stuck || step % 500 == 0 && world.clock > HEALED && world.open()?.is_empty() {
            return world.finish();
        }
    }
    let open = world.open()?.len();
    Err(format!("{open} recipients wait after {STEPS_MAX} steps and {:?}", world.clock))
}

impl World {
    fn new(mut prng: Prng) -> Result<Self, String> {
        let mut zone = Zone::default();
        let mut text = String::new();
        let mut peers = BTreeMap::new();
        for domain in 0..DOMAINS {
            text.push_str(&format!("d{domain}.example. MX 10 mx{domain}.example.\n"));
            let (second, mut first) = (prng.once_in(3), None);
            for number in 0..=u8::from(second) {
                let ip = Ipv4Addr::new(192, 0, 2 + number, domain + 1);
                let host = if number == 0 { "mx" } else { "backup" };
                text.push_str(&format!("{host}{domain}.example. A {ip}\n"));
                // Whether somebody is there is known to all servers of a domain.
                let drawn = Mood::draw(&mut prng);
                let mood = match (first, drawn) {
                    (Some(Mood::Refuses), _) => Mood::Refuses,
                    (Some(_), Mood::Refuses) => Mood::Good,
                    (_, drawn) => drawn,
                };
                first = first.or(Some(mood));
                peers.insert(IpAddr::V4(ip), Peer::new(mood, &mut prng));
            }
            if second {
                text.push_str(&format!("d{domain}.example. MX 20 backup{domain}.example.\n"));
            }
        }
        zone.read(&text, &Name::root()).map_err(|fault| format!("{fault:?}"))?;
        Ok(Self {
            dir: fresh_folder()?,
            shop: None,
            prng,
            clock: Duration::ZERO,
            units: BTreeMap::new(),
            next: 0,
            writes: VecDeque::new(),
            looks: Vec::new(),
            peers,
            addresses: BTreeMap::new(),
            settled: BTreeSet::new(),
            answered: BTreeSet::new(),
            account: AccountId(0),
            entered: 0,
            resolver: Arc::new(Resolver::new(Source::Zone(zone), prng::server_random)),
            report: PostReport::default(),
        })
    }

    fn now(&self) -> Now {
        let seconds = i64::try_from(self.clock.as_secs()).unwrap_or(0);
        Now { moment: Moment::after_start(self.clock), wall: UnixSeconds(START + seconds) }
    }

    /// Our process begins.
    fn start(&mut self) -> Result<(), String> {
        let store = Store::open(self.dir.path(), &options()).map_err(|error| error.to_string())?;
        let writer = store.writer().map_err(|error| error.to_string())?;
        let reader = store.reader().map_err(|error| error.to_string())?;
        self.shop = Some(Shop {
            writer: Worker::Writer(writer, None),
            reader: Worker::Reader(Box::new(reader)),
            _store: store,
        });
        if self.account == AccountId(0) {
            let now = self.now().wall;
            match self.write(Write::CreateAccount { name: "ann".into(), now })? {
                Written::Account(account) => self.account = account,
                other => return Err(format!("{other:?}")),
            }
        }
        let random = prng::server_random;
        let context = Context::new("us.example".into(), 1, &Allowances::default(), [0; 32], random)
            .resolving(Arc::clone(&self.resolver));
        let machine = queue::machine(Arc::new(context), Queue::default(), None, Roots::none());
        self.begin(machine, None);
        Ok(())
    }

    /// It dies: all that is not in the store is gone.
    fn kill(&mut self) -> Result<(), String> {
        self.report.kills += 1;
        self.units.clear();
        self.answered.clear();
        self.writes.clear();
        self.looks.clear();
        self.shop = None;
        self.start()
    }

    fn begin(&mut self, machine: BoxMachine<Job>, parent: Option<(usize, EffectId)>) {
        let id = self.next;
        self.next += 1;
        let unit = Unit {
            machine,
            inbox: Inbox::new(4_096),
            outbox: Outbox::new(4_096),
            want: Want::READ,
            told: None,
            parent,
            outcome: None,
            watches: Vec::new(),
            notices: BTreeSet::new(),
            answers: Vec::new(),
            talk: None,
            from_peer: VecDeque::new(),
            eof_told: false,
        };
        self.units.insert(id, unit);
        self.run(id, Input::Start);
    }

    fn write(&mut self, write: Write) -> Result<Written, String> {
        let shop = self.shop.as_mut().ok_or("there is no store")?;
        let mut answers = Vec::new();
        shop.writer.carry_out(vec![Job::Write(write)], &mut answers);
        match answers.pop() {
            Some(Answer::Written(Ok(written))) => Ok(written),
            other => Err(format!("{other:?}")),
        }
    }

    fn list(&mut self, filter: Filter) -> Result<Vec<Queued>, String> {
        let shop = self.shop.as_mut().ok_or("there is no store")?;
        let question = QueueRead::List { filter, after: QueueId(0), count_max: usize::MAX >> 1 };
        let mut answers = Vec::new();
        shop.reader.carry_out(vec![Job::Read(Read::Queue(question))], &mut answers);
        match answers.pop() {
            Some(Answer::Found(Ok(Found::Queued(found)))) => Ok(found),
            other => Err(format!("{other:?}")),
        }
    }

    fn open(&mut self) -> Result<Vec<Queued>, String> {
        let states = vec![State::Waiting, State::Held];
        self.list(Filter { states, ..Filter::default() })
    }

    /// A message enters, for some recipients of some domains.
    fn enter(&mut self) -> Result<(), String> {
        let number = self.entered;
        self.entered += 1;
        let now = self.now().wall;
        let count = self.prng.between(1, 5);
        let recipients: Vec<NewQueued> = (0..count)
            .map(|place| {
                let domain = format!("d{}.example", self.prng.below(DOMAINS.into()));
                let address = format!("m{number}r{place}@{domain}");
                let rcpt = format!("RCPT TO:<{address}>");
                NewQueued { address, domain, rcpt, next: now, held: false }
            })
            .collect();
        let message = NewOutgoing {
            account: Some(self.account),
            sender: "ann@us.example".into(),
            mail: "MAIL FROM:<ann@us.example>".into(),
            message_id: format!("m{number}@us.example"),
            cid: "c".into(),
            tls_optional: false,
            limits: None,
            prefix: b"Received: by us.example\r\n".to_vec(),
            recipients,
        };
        let body = NewBody::Inline(b"Subject: x\r\n\r\n.dot\r\nlast\r\n".to_vec());
        self.write(Write::Queue(Box::new(QueueWrite::Enter(message, body, now))))?;
        for queued in self.list(Filter::default())? {
            self.addresses.insert(queued.due.id, queued.due.address);
        }
        self.notify(queue::TOPIC);
        Ok(())
    }

    fn notify(&mut self, topic: Topic) {
        for unit in self.units.values_mut() {
            let watches = unit.watches.iter().filter(|(_, watched)| *watched == topic);
            unit.notices.extend(watches.map(|(watch, _)| *watch));
        }
    }

    /// Something happens. False: nothing is left that could.
    fn step(&mut self) -> Result<bool, String> {
        self.clock += Duration::from_millis(self.prng.bits() % 20);
        let now = self.now().moment;
        let mut able: Vec<(usize, u8)> = Vec::new();
        for (&id, unit) in &self.units {
            for (kind, is_able) in [
                (0, !unit.answers.is_empty()),
                (1, !unit.notices.is_empty()),
                (2, unit.timer().is_some_and(|at| at <= now)),
                (3, !unit.outbox.is_empty() && unit.talk.is_some()),
                (4, unit.hears()),
            ] {
                if is_able {
                    able.push((id, kind));
                }
            }
        }
        if !self.writes.is_empty() {
            able.push((usize::MAX, 5));
        }
        if !self.looks.is_empty() {
            able.push((usize::MAX, 6));
        }
        if able.is_empty() {
            let Some(next) = self.units.values().filter_map(Unit::timer).min() else {
                return Ok(false);
            };
            self.clock = self.clock.max(next.since(Moment::START));
            // The dispatcher's own cleaning is no end of waiting.
            return Ok(self.clock < HEALED || !self.open()?.is_empty() || self.units.len() > 1);
        }
        let (id, kind) = able.get(self.prng.below(able.len())).copied().unwrap_or_default();
        match kind {
            5 => self.commit()?,
            6 => self.look(),
            3 => self.speak(id),
            4 => self.hear(id),
            _ => self.tell(id, kind),
        }
        Ok(true)
    }

    fn tell(&mut self, id: usize, kind: u8) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        match kind {
            0 => {
                let index = self.prng.below(unit.answers.len());
                let (effect, completion) = unit.answers.swap_remove(index);
                self.run(id, Input::Done(effect, completion));
            }
            1 => {
                if let Some(watch) = unit.notices.pop_first() {
                    self.run(id, Input::Done(watch, Completion::Noticed));
                }
            }
            _ => {
                unit.told = unit.want.deadline;
                self.run(id, Input::Timer);
            }
        }
    }

    fn run(&mut self, id: usize, input: Input<Completion<Job>>) {
        let now = self.now();
        let Some(unit) = self.units.get_mut(&id) else { return };
        let mut effects = Vec::new();
        let mut io = Io { inbox: &mut unit.inbox, outbox: &mut unit.outbox, effects: &mut effects };
        unit.want = unit.machine.step(now, input, &mut io);
        let (done, stream) = (unit.want.done, unit.want.stream);
        for (effect_id, effect) in effects {
            self.carry_out(id, effect_id, effect);
        }
        if done {
            if stream != Stream::Abort {
                self.speak(id);
            }
            if let Some(Unit { parent: Some((parent, effect)), outcome, .. }) =
                self.units.remove(&id)
                && let Some(parent) = self.units.get_mut(&parent)
            {
                parent.answers.push((effect, Completion::Outcome(outcome)));
            }
        }
    }

    fn carry_out(&mut self, id: usize, effect_id: EffectId, effect: Effect<Job>) {
        match effect {
            Effect::Job(Job::Write(write)) => self.writes.push_back((id, effect_id, write)),
            Effect::Job(job) if job.lane() == Lane::Read => self.looks.push((id, effect_id, job)),
            Effect::Notify(topic) => self.notify(topic),
            Effect::Start(factory) => self.begin(factory(), Some((id, effect_id))),
            Effect::Connect { to, .. } => self.connect(id, effect_id, to.ip()),
            effect => {
                let Some(unit) = self.units.get_mut(&id) else { return };
                match effect {
                    Effect::Watch(topic) => unit.watches.push((effect_id, topic)),
                    Effect::Outcome(answer) => unit.outcome = Some(answer),
                    effect => self.report.violations.push(format!("nobody asks for {effect:?}")),
                }
            }
        }
    }

    fn connect(&mut self, id: usize, effect: EffectId, ip: IpAddr) {
        self.report.calls += 1;
        let healed = self.clock >= HEALED;
        let talk = self.peers.get_mut(&ip).and_then(|peer| peer.answer(ip, healed, &mut self.prng));
        let Some(unit) = self.units.get_mut(&id) else { return };
        let completion = match talk {
            Some((talk, greeting)) => {
                unit.talk = Some(talk);
                unit.from_peer.extend(greeting.bytes());
                let local = (Ipv4Addr::LOCALHOST, 1).into();
                Ok(Connected { local, peer: (ip, 25).into() })
            }
            None => Err(Fault::new(FaultKind::TimedOut, "nobody answers")),
        };
        unit.answers.push((effect, Completion::Connected(completion)));
    }

    /// What was said reaches the server.
    fn speak(&mut self, id: usize) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        let bytes = unit.outbox.unsent().to_vec();
        unit.outbox.sent(bytes.len());
        let Some(talk) = &mut unit.talk else { return };
        let Some(peer) = self.peers.get_mut(&talk.ip) else { return };
        let heard = peer.hear(talk, &bytes, self.clock >= HEALED, &mut self.prng);
        unit.from_peer.extend(heard.says.bytes());
        for address in heard.taken {
            if self.settled.contains(&address) {
                let what = format!("{address} was sent again after it was kept as delivered");
                self.report.violations.push(what);
            }
            if self.answered.contains(&address) {
                let what = format!("{address} was sent again after its answer had come");
                self.report.violations.push(what);
            }
            if !talk.closed {
                self.answered.insert(address);
            }
        }
    }

    fn hear(&mut self, id: usize) {
        let Some(unit) = self.units.get_mut(&id) else { return };
        if unit.from_peer.is_empty() {
            unit.eof_told = true;
            return self.run(id, Input::Eof);
        }
        let count = self.prng.between(1, unit.from_peer.len()).min(unit.inbox.room());
        let bytes: Vec<u8> = unit.from_peer.drain(..count).collect();
        unit.inbox.extend(&bytes);
        self.run(id, Input::Bytes);
    }

    /// The disk is full: what came of an attempt cannot be kept.
    fn refuse(&mut self) -> bool {
        let is_settling = |(_, _, write): &(usize, EffectId, Write)| matches!(write, Write::Queue(job) if matches!(**job, QueueWrite::Settle { .. }));
        let full = self.clock < HEALED && self.prng.once_in(12);
        if !full || !self.writes.front().is_some_and(is_settling) {
            return false;
        }
        if let Some((id, effect, _)) = self.writes.pop_front()
            && let Some(unit) = self.units.get_mut(&id)
        {
            let fault = StoreError::Fault(Fault::new(FaultKind::NoSpace, "the disk is full"));
            let answer = Completion::Answer(Ok(Answer::Written(Err(fault))));
            unit.answers.push((effect, answer));
        }
        true
    }

    fn commit(&mut self) -> Result<(), String> {
        if self.refuse() {
            return Ok(());
        }
        let count = self.prng.between(1, self.writes.len());
        let (askers, writes): (Vec<_>, Vec<_>) =
            self.writes.drain(..count).map(|(id, effect, write)| ((id, effect), write)).unzip();
        let mut kept = Vec::new();
        for write in &writes {
            if let Write::Queue(job) = write
                && let QueueWrite::Settle { settlements, .. } = &**job
            {
                let delivered = settlements.iter().filter(|one| one.outcome == Settled::Delivered);
                kept.extend(delivered.map(|one| one.id));
            }
        }
        let shop = self.shop.as_mut().ok_or("there is no store")?;
        let mut answers = Vec::new();
        shop.writer.carry_out(writes.into_iter().map(Job::Write).collect(), &mut answers);
        for ((id, effect), answer) in askers.into_iter().zip(answers) {
            if let Answer::Written(Err(error)) = &answer {
                self.report.violations.push(format!("a job failed: {error}"));
            }
            if let Some(unit) = self.units.get_mut(&id) {
                unit.answers.push((effect, Completion::Answer(Ok(answer))));
            }
        }
        let kept = kept.iter().filter_map(|id| self.addresses.get(id).cloned());
        self.settled.extend(kept);
        Ok(())
    }

    fn look(&mut self) {
        let index = self.prng.below(self.looks.len());
        let (id, effect, job) = self.looks.swap_remove(index);
        let Some(shop) = &mut self.shop else { return };
        let mut answers = Vec::new();
        shop.reader.carry_out(vec![job], &mut answers);
        if let (Some(unit), Some(answer)) = (self.units.get_mut(&id), answers.pop()) {
            unit.answers.push((effect, Completion::Answer(Ok(answer))));
        }
    }

    /// What has become of everything.
    fn finish(mut self) -> Result<PostReport, String> {
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        for address in self.peers.values().flat_map(|peer| &peer.taken) {
            *taken.entry(address.clone()).or_default() += 1;
        }
        let all = self.list(Filter::default())?;
        for Queued { due, state, said } in &all {
            let address = &due.address;
            match (state, taken.get(address)) {
                (State::Delivered, Some(_)) => self.report.delivered += 1,
                (State::Failed, None) if said.starts_with('5') => self.report.failed += 1,
                other => {
                    self.report.violations.push(format!("{address} is {other:?}: {said}"));
                }
            }
        }
        if all.len() != self.addresses.len() {
            self.report.violations.push(format!("{} of {}", all.len(), self.addresses.len()));
        }
        self.report.doubled = taken.values().map(|count| count - 1).sum();
        drop(self.shop.take());
        let mut found = Vec::new();
        pillarbox_store::verify::verify(self.dir.path(), &mut |one| found.push(one.to_string()))
            .map_err(|error| error.to_string())?;
        self.report.violations.extend(found);
        Ok(self.report)
    }
}

impl Unit {
    fn timer(&self) -> Option<Moment> {
        self.want.deadline.filter(|deadline| Some(*deadline) != self.told)
    }

    /// Whether something of the server's can be told.
    fn hears(&self) -> bool {
        let Some(talk) = &self.talk else { return false };
        if !self.want.read || self.inbox.room() == 0 {
            return false;
        }
        !self.from_peer.is_empty() || talk.closed && !self.eof_told
    }
}
