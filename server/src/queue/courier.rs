//! Carries the parcels of one destination: finds its servers, and tries one address after the other.

use std::cell::Cell;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use pillarbox_core::connection::{Connection, Limits, Security};
use pillarbox_core::delivery::{Hosts, Route, Wish, alternating};
use pillarbox_core::dns::{Data, Failure, Kind, Lookup, Name, Question};
use pillarbox_core::dsn::Status;
use pillarbox_core::effect::{BoxMachine, Completion, Effect};
use pillarbox_core::flow::{Desk, Flow, both};
use pillarbox_core::mta_sts::Policy;
use pillarbox_core::smtp::config::Protocol;
use pillarbox_core::{Input, Io, Machine, Now, Stream, UnixSeconds, Want};
use pillarbox_store::{Found, QueueWrite, Read, StoreError, Try, Write};

use super::Post;
use super::call::{Call, Called, Server, Tls, TlsOutcome, TlsTrouble, Trouble};
use super::parcel::Parcel;
use super::security::{self, Known, wish};
use super::settle::{End, settle_all};
use super::tls_seen::{self, Whom};
use super::way::Way;
use crate::config::{Relay, RelayLogin, Transport};
use crate::job::{self, Answer, Job};

/// What a courier has come to.
#[derive(Debug)]
pub struct Carried {
    /// Those who are to be tried again at once, in another connection.
    pub(crate) left: Vec<Parcel>,
    /// At least one server took something, or said no to it.
    pub(crate) reached: bool,
    /// The destination is not to be tried for a while: its servers have enough of us, or our own
    /// store fails.
    pub(crate) pause: bool,
}

/// A courier under way.
pub(crate) struct Courier {
    desk: Desk<Job>,
    clock: Rc<Cell<Now>>,
    flow: Option<Flow<Carried>>,
    trip: Option<(Arc<Post>, Way, Vec<Parcel>)>,
}

impl Courier {
    /// The courier of these parcels.
    pub(crate) fn machine(post: Arc<Post>, way: Way, parcels: Vec<Parcel>) -> BoxMachine<Job> {
        let desk = Desk::default();
        let trip = Some((post, way, parcels));
        Box::new(Self { desk, clock: Rc::default(), flow: None, trip })
    }
}

impl Machine for Courier {
    type Effect = Effect<Job>;
    type Completion = Completion<Job>;

    fn step(
        &mut self,
        now: Now,
        input: Input<Completion<Job>>,
        io: &mut Io<'_, Effect<Job>>,
    ) -> Want {
        self.clock.set(now);
        if let Some((post, way, parcels)) = self.trip.take() {
            let trip = Trip { desk: self.desk.clone(), post, clock: Rc::clone(&self.clock) };
            self.flow = Some(Flow::new(trip.carry(way, parcels)));
        }
        if let Input::Done(id, completion) = input {
            self.desk.deliver(id, completion);
        }
        let done = match self.flow.as_mut().and_then(Flow::poll) {
            Some(carried) => {
                self.flow = None;
                self.desk.send(Effect::Outcome(Answer::Carried(Box::new(carried))));
                true
            }
            None => false,
        };
        self.desk.take_effects(io.effects);
        Want { read: false, hold: false, deadline: None, stream: Stream::Keep, done }
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Courier")
    }
}

/// What a courier knows.
pub(super) struct Trip {
    pub(super) desk: Desk<Job>,
    pub(super) post: Arc<Post>,
    clock: Rc<Cell<Now>>,
}

/// Servers to be tried, in their order; or why there are none.
enum Reach {
    By(Vec<Target>),
    Nobody(End, Status, String),
}

/// A server to be tried.
struct Target {
    name: String,
    addresses: Vec<IpAddr>,
    port: u16,
    protocol: Protocol,
    tls: Protection,
    login: Option<RelayLogin>,
}

/// How TLS is to be with it.
enum Protection {
    /// The same for all messages.
    Fixed(Tls),
    /// As the domain and the sender want it.
    Wanted(Rc<Wanting>, Known),
}

/// What a domain wants.
struct Wanting {
    domain: Name,
    policy: Option<Policy>,
}

/// RFC 5321 §4.5.4.2.
const PORT: u16 = 25;

impl Trip {
    async fn carry(self, way: Way, parcels: Vec<Parcel>) -> Carried {
        let found = match &way {
            Way::Domain(domain) => self.of_domain(domain).await,
            Way::Fail(text) => Reach::Nobody(End::Never, Status::new(5, 7, 0), text.clone()),
            Way::Transport(name) => match self.post.rules.transports.get(name) {
                Some(Transport::Relay(relay)) => self.of_relay(relay).await,
                Some(Transport::Fail(text)) => {
                    Reach::Nobody(End::Never, Status::new(5, 7, 1), text.clone())
                }
                Some(Transport::Discard) => {
                    let why = "it was thrown away, as configured".to_owned();
                    Reach::Nobody(End::Delivered, Status::new(2, 0, 0), why)
                }
                Some(Transport::Direct) | None => {
                    let why = format!("there is no way named {name}");
                    Reach::Nobody(End::Later, Status::new(4, 3, 5), why)
                }
            },
        };
        match found {
            Reach::By(targets) => self.try_each_wish(&targets, parcels).await,
            Reach::Nobody(end, status, why) => {
                self.give_up(parcels, (end, status, &why), None).await
            }
        }
    }

    /// Those whose senders want the same of TLS share connections.
    async fn try_each_wish(&self, targets: &[Target], parcels: Vec<Parcel>) -> Carried {
        let mut rest = parcels;
        let mut all = Carried { left: Vec::new(), reached: false, pause: false };
        while let Some(first) = rest.first() {
            let present = wish(&first.message);
            let (these, others) =
                rest.into_iter().partition(|parcel: &Parcel| wish(&parcel.message) == present);
            rest = others;
            let Carried { left, reached, pause } = self.try_all(targets, these, present).await;
            all.left.extend(left);
            (all.reached, all.pause) = (all.reached | reached, all.pause | pause);
        }
        all
    }

    /// One address after the other, until nothing is left.
    async fn try_all(&self, targets: &[Target], mut parcels: Vec<Parcel>, wish: Wish) -> Carried {
        let mut last = None;
        for target in targets {
            let tls = match self.protection(target, wish) {
                Ok(tls) => tls,
                Err((status, why)) => {
                    keep(&mut last, (status, format!("{}: {why}", target.name), None));
                    continue;
                }
            };
            for ip in target.addresses.iter().copied() {
                let mut tls = tls.clone();
                loop {
                    let Some(called) = self.call(target, ip, tls.clone(), &mut parcels).await
                    else {
                        return Carried { left: parcels, reached: false, pause: true };
                    };
                    let Called { left, trouble, settled, tls: outcome } = called;
                    self.note_outcome(target, ip, outcome);
                    parcels = left;
                    // The connection broke after it had been good, or it has carried enough: what
                    // is left goes by another one, at once.
                    if parcels.is_empty() || settled > 0 {
                        return Carried { left: parcels, reached: settled > 0, pause: false };
                    }
                    let Some(trouble) = trouble else {
                        return Carried { left: parcels, reached: false, pause: true };
                    };
                    let Trouble { status, why, tls: tls_trouble, tried } = trouble;
                    keep(&mut last, (status, why, Some(tried)));
                    // RFC 7435: better in clear than not at all, where nothing forbids it. Where TLS
                    // was not offered, it has been in clear.
                    let broken = tls_trouble.is_some_and(|trouble| trouble != TlsTrouble::Missing);
                    if matches!(tls, Tls::Offered(_)) && broken {
                        tls = Tls::Never;
                        continue;
                    }
                    break;
                }
            }
        }
        let (status, why, tried) = last.unwrap_or_else(|| {
            (Status::new(4, 4, 4), "none of its servers has an address".to_owned(), None)
        });
        // RFC 5321 §3.1: whoever greets with 554 takes no mail at all.
        let end = if status.class() == 5 { End::Never } else { End::Later };
        self.give_up(parcels, (end, status, &why), tried).await
    }

    /// For the reports to the domain.
    fn note_outcome(&self, target: &Target, ip: IpAddr, outcome: TlsOutcome) {
        let Protection::Wanted(wanting, known) = &target.tls else { return };
        let Wanting { domain, policy } = &**wanting;
        let policies = tls_seen::policies(domain, known.records(), policy.as_ref());
        let whom = Whom { mx: &target.name, ip };
        let facts = policies.iter().filter_map(|policy| tls_seen::facts(policy, outcome, whom));
        self.note_tls(domain.as_str(), facts.collect());
    }

    /// Kept beside all else: reports are a service, and no message waits for them.
    pub(super) fn note_tls(&self, domain: &str, facts: Vec<String>) {
        if !facts.is_empty() {
            let job = QueueWrite::NoteTls(domain.to_owned(), facts, self.wall());
            self.desk.send(Effect::Job(Job::Write(Write::Queue(Box::new(job)))));
        }
    }

    fn protection(&self, target: &Target, wish: Wish) -> Result<Tls, (Status, String)> {
        match &target.tls {
            Protection::Fixed(tls) => Ok(tls.clone()),
            Protection::Wanted(wanting, known) => {
                let Wanting { domain, policy } = &**wanting;
                known.tls(domain, policy.as_ref(), wish, &self.post.roots)
            }
        }
    }

    /// Settles all alike.
    async fn give_up(
        &self,
        parcels: Vec<Parcel>,
        what: (End, Status, &str),
        tried: Option<Try>,
    ) -> Carried {
        let nothing = || Try {
            began: self.wall(),
            server: String::new(),
            address: String::new(),
            tls: String::new(),
            transcript: format!("-- {}\n", what.2),
        };
        let tried = tried.unwrap_or_else(nothing);
        let now = self.wall();
        let settled = settle_all(&self.desk, &self.post, parcels, what, &tried, now).await;
        if let Err(error) = &settled {
            log::error!(why:% = error; "outgoing mail cannot be settled");
        }
        Carried { left: Vec::new(), reached: false, pause: settled.is_err() }
    }

    /// One conversation. `None`: not now; what it had is where it was.
    async fn call(
        &self,
        target: &Target,
        ip: IpAddr,
        tls: Tls,
        parcels: &mut Vec<Parcel>,
    ) -> Option<Called> {
        let seat = self.post.seat(ip)?;
        let server = Server {
            name: target.name.clone(),
            address: SocketAddr::new(ip, target.port),
            from: self.from(ip),
            protocol: target.protocol,
            tls,
            login: target.login.clone(),
        };
        let (post, taken) = (Arc::clone(&self.post), std::mem::take(parcels));
        let factory = Box::new(move || match Call::new(post, server, seat, taken) {
            Some(call) => Box::new(Connection::new(call, Security::Clear, Limits::default()))
                as BoxMachine<Job>,
            None => Box::new(Nobody),
        });
        match self.desk.ask("call", Effect::Start(factory)).await {
            Completion::Outcome(Some(Answer::Called(called))) => Some(*called),
            // The machine has fallen: what it had stays in the store.
            _ => None,
        }
    }

    /// Our own address to connect from.
    fn from(&self, to: IpAddr) -> Option<SocketAddr> {
        let own = self.post.rules.from.iter().find(|own| own.is_ipv4() == to.is_ipv4())?;
        Some(SocketAddr::new(*own, 0))
    }

    pub(super) fn wall(&self) -> UnixSeconds {
        self.clock.get().wall
    }

    async fn of_relay(&self, relay: &Relay) -> Reach {
        let protocol = if relay.lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        let bare = relay.host.trim_start_matches('[').trim_end_matches(']');
        let addresses = match (bare.parse::<IpAddr>(), Name::parse(&relay.host)) {
            (Ok(ip), _) => Ok(vec![ip]),
            (_, Ok(name)) => self.addresses(&name).await.0,
            _ => Err(format!("`{}` is no name", relay.host)),
        };
        match addresses {
            Ok(addresses) if !addresses.is_empty() => {
                match security::of_relay(relay, &self.post.roots) {
                    Ok(tls) => Reach::By(vec![Target {
                        name: relay.host.clone(),
                        addresses,
                        port: relay.port,
                        protocol,
                        tls: Protection::Fixed(tls),
                        login: relay.login.clone(),
                    }]),
                    Err((status, why)) => Reach::Nobody(End::Later, status, why),
                }
            }
            Ok(_) => {
                let why = format!("{} has no address", relay.host);
                Reach::Nobody(End::Later, Status::new(4, 4, 4), why)
            }
            Err(why) => Reach::Nobody(End::Later, Status::new(4, 4, 3), why),
        }
    }

    async fn of_domain(&self, domain: &str) -> Reach {
        if let Some(ip) = literal(domain) {
            let tls = security::of_address(&ip.to_string(), &self.post.roots);
            return Reach::By(vec![plain(domain, ip, PORT, tls)]);
        }
        match self.is_ours(domain).await {
            Ok(true) => return self.of_ourselves(),
            Ok(false) => {}
            Err(error) => {
                let why = error.to_string();
                return Reach::Nobody(End::Later, Status::new(4, 3, 0), why);
            }
        }
        let Ok(name) = Name::parse(domain) else {
            let why = format!("`{domain}` is no domain");
            return Reach::Nobody(End::Never, Status::new(5, 1, 2), why);
        };
        let lookup = self.look_up(&name, Kind::Mx).await;
        let mut random = self.post.context.random();
        let nobody = |status, why: &str| Reach::Nobody(End::Never, status, why.to_owned());
        match Route::of(&name, &lookup, &self.post.own, &mut *random) {
            Route::Hosts(hosts) => self.of_hosts(&name, hosts).await,
            // RFC 7505 §4.2.
            Route::NullMx => nobody(Status::new(5, 1, 10), "this domain takes no mail"),
            Route::NoDomain => nobody(Status::new(5, 1, 2), "there is no such domain"),
            Route::Unusable => {
                nobody(Status::new(5, 4, 4), "none of the servers that it names can be one")
            }
            Route::Loop => {
                nobody(Status::new(5, 4, 6), "its mail comes to us, who do not know the domain")
            }
            Route::Later(why) => Reach::Nobody(End::Later, Status::new(4, 4, 3), why),
        }
    }

    /// All addresses are looked up side by side.
    async fn of_hosts(&self, domain: &Name, hosts: Hosts) -> Reach {
        let Hosts { names, secure, implicit } = hosts;
        let policy = self.policy(domain).await;
        let wanting = Rc::new(Wanting { domain: domain.clone(), policy });
        let asked = names.iter().map(|name| self.addresses(name));
        let answers = pillarbox_core::flow::all(asked).await;
        let mut trouble = None;
        let mut targets = Vec::new();
        for (host, (answer, lookups)) in names.iter().zip(answers) {
            match answer {
                Ok(addresses) if addresses.is_empty() => {}
                Ok(addresses) => {
                    let lookups = [&lookups.0, &lookups.1];
                    let ask = async |question: Question| self.ask(&question).await;
                    let known = Known::of(host.clone(), secure, lookups, PORT, ask).await;
                    targets.push(Target {
                        name: host.as_str().to_owned(),
                        addresses,
                        port: PORT,
                        protocol: Protocol::Smtp,
                        tls: Protection::Wanted(Rc::clone(&wanting), known),
                        login: None,
                    });
                }
                Err(why) => trouble = Some(why),
            }
        }
        match trouble {
            _ if !targets.is_empty() => Reach::By(targets),
            Some(why) => Reach::Nobody(End::Later, Status::new(4, 4, 3), why),
            // RFC 5321 §5.1: without MX and without addresses nobody takes its mail.
            None if implicit => {
                let why = "this domain has no mail server and no address".to_owned();
                Reach::Nobody(End::Never, Status::new(5, 1, 2), why)
            }
            None => {
                let why = "none of its mail servers has an address".to_owned();
                Reach::Nobody(End::Never, Status::new(5, 4, 4), why)
            }
        }
    }

    /// By our own port, where there is one.
    fn of_ourselves(&self) -> Reach {
        match self.post.own_port {
            Some(address) => {
                let name = &self.post.context.hostname;
                let tls = security::of_address(name, &self.post.roots);
                Reach::By(vec![plain(name, address.ip(), address.port(), tls)])
            }
            None => {
                let why = "this server takes no mail by SMTP itself".to_owned();
                Reach::Nobody(End::Never, Status::new(5, 4, 6), why)
            }
        }
    }

    async fn is_ours(&self, domain: &str) -> Result<bool, StoreError> {
        let read = Read::IsOurs { domain: domain.to_owned() };
        match job::read(&self.desk, "own domain", read).await? {
            Found::Ours(ours) => Ok(ours),
            _ => Err(job::astray("own domain")),
        }
    }

    async fn look_up(&self, name: &Name, kind: Kind) -> Lookup {
        let question = Question { name: name.clone(), kind };
        let resolver = self.post.context.resolver();
        // Names that are connected to may stand in the machine's own file.
        let known =
            matches!(kind, Kind::A | Kind::Aaaa).then(|| resolver.host(&question)).flatten();
        match known {
            Some(known) => known,
            None => self.ask(&question).await,
        }
    }

    pub(super) async fn ask(&self, question: &Question) -> Lookup {
        let resolver = self.post.context.resolver();
        resolver.lookup(&self.desk, self.clock.get().moment, question).await
    }

    /// The addresses of a server in the order in which they are tried, empty where it has none; and
    /// what DNS said.
    pub(super) async fn addresses(
        &self,
        name: &Name,
    ) -> (Result<Vec<IpAddr>, String>, (Lookup, Lookup)) {
        let (four, six) = both(self.look_up(name, Kind::A), self.look_up(name, Kind::Aaaa)).await;
        let mut trouble = None;
        let (mut fours, mut sixes) = (Vec::new(), Vec::new());
        for lookup in [&four, &six] {
            match lookup {
                Ok(answer) => {
                    for record in &answer.records {
                        match record {
                            Data::A(ip) => fours.push(*ip),
                            Data::Aaaa(ip) => sixes.push(*ip),
                            _ => {}
                        }
                    }
                }
                Err(Failure::Trouble(why)) => trouble = Some(why.clone()),
                Err(_) => {}
            }
        }
        let mut random = self.post.context.random();
        let found = alternating(&fours, &sixes, self.post.rules.first, &mut *random);
        let found = match trouble {
            Some(why) if found.is_empty() => Err(why),
            _ => Ok(found),
        };
        (found, (four, six))
    }
}

/// What was wrong with a server.
type Wrong = (Status, String, Option<Try>);

/// Of what was wrong with servers, what may pass counts before what does not: another attempt may then
/// find the other one well (RFC 5321 §5.1).
fn keep(last: &mut Option<Wrong>, wrong: Wrong) {
    let passes = |(status, ..): &Wrong| status.class() == 4;
    if passes(&wrong) || !last.as_ref().is_some_and(passes) {
        *last = Some(wrong);
    }
}

/// A server that is known by its address.
fn plain(name: &str, ip: IpAddr, port: u16, tls: Tls) -> Target {
    Target {
        name: name.to_owned(),
        addresses: vec![ip],
        port,
        protocol: Protocol::Smtp,
        tls: Protection::Fixed(tls),
        login: None,
    }
}

/// An address in brackets (RFC 5321 §4.1.3).
fn literal(domain: &str) -> Option<IpAddr> {
    let inside = domain.strip_prefix('[')?.strip_suffix(']')?;
    inside.strip_prefix("IPv6:").unwrap_or(inside).parse().ok()
}

/// Ends at once.
struct Nobody;

impl Machine for Nobody {
    type Effect = Effect<Job>;
    type Completion = Completion<Job>;

    fn step(&mut self, _: Now, _: Input<Completion<Job>>, _: &mut Io<'_, Effect<Job>>) -> Want {
        Want::END
    }
}
