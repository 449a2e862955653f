//! `pillarbox serve`: from a configuration to a running server, and to its end.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pillarbox_core::effect::{Crew, Factory};
use pillarbox_core::sasl::Secret as Password;
use pillarbox_core::tls::Roots;
use pillarbox_core::wire::network::Network;
use pillarbox_core::{Random, UnixSeconds};
use pillarbox_runtime_std::{Accepted, Limits, Listener, Setup, Statistics, Stopper};
use pillarbox_store::{Found, Options, Read, Store, Sync, Writer};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config::{Config, Protocol, RuntimeKind};
use crate::context::{Context, SystemRandom};
use crate::control::clerk::{Clerk, Inlet};
use crate::control::wire::dkim::DkimRow;
use crate::control::{Control, Office};
use crate::dns::files::Files;
use crate::dns::probe::Probe;
use crate::dns::{Resolver, Source};
use crate::doors::{self, Entrance, Shown};
use crate::gleaner::Telling;
use crate::job::{self, Job, Worker};
use crate::pulse::Pulse;
#[cfg(target_os = "linux")]
use crate::sandbox;
use crate::scribe::Scribe;
use crate::tls::Certificates;
use crate::web::{Landing, Metrics};
use crate::{accounts, dkim_keys, gleaner, logging, notify, ports, privileges, queue};

/// What `localserve` adds to a plain `serve`.
#[derive(Default)]
pub struct Extras {
    /// Made if the store has no accounts yet.
    pub first_accounts: Option<FirstAccounts>,
    /// Told the keys by which the domain of the first accounts signs, which it has then, before
    /// names are looked up.
    pub on_keys: Option<OnKeys>,
    /// What the page at `/` tells of accounts and certificates, on listeners that have one.
    pub landing: Landing,
    /// Called once every port is bound; where it fails, the server does not start.
    pub on_ready: Option<OnReady>,
}

/// What to do with the keys by which a domain signs.
pub type OnKeys = Box<dyn FnOnce(&[DkimRow]) -> Result<(), String>>;

/// What to do once every port is bound.
pub type OnReady = Box<dyn FnOnce() -> Result<(), String>>;

impl fmt::Debug for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extras")
            .field("first_accounts", &self.first_accounts)
            .field("landing", &self.landing)
            .finish_non_exhaustive()
    }
}

/// Accounts to begin with. The first gets all mail of the domain that is nobody's.
#[derive(Debug, Clone)]
pub struct FirstAccounts {
    /// Their domain.
    pub domain: String,
    /// Their names, which are also their local parts.
    pub names: Vec<String>,
    /// The password of each.
    pub password: Password,
}

/// Serves until a signal. SIGTERM or SIGINT stop gracefully, a second one at once.
///
/// # Errors
/// One clear line with what to do.
pub fn run(config: &Config, extras: Extras) -> Result<(), String> {
    logging::start(config.log);
    #[cfg(target_os = "linux")]
    if config.runtime == RuntimeKind::Glommio {
        pillarbox_runtime_glommio::probe().map_err(|why| why.to_string())?;
    }
    let mut certificates =
        config.tls.as_ref().map(|tls| Certificates::open(tls, now)).transpose()?;
    let roots = roots(config)?;
    // As the keys, it may be root's alone.
    let names = Files::open(&config.dns)?;
    let sockets = ports::open(config)?;
    // Before the first thread, so that none is left with more, and before the first file is made.
    privileges::drop_root(config.user.as_deref(), &config.data)?;
    #[cfg(target_os = "linux")]
    sandbox::enter(config)?;
    let store = open(config)?;
    let mut writer = store.writer().map_err(|error| error.to_string())?;
    if let Some(first) = &extras.first_accounts {
        begin_accounts(&store, &mut writer, first, extras.on_keys)?;
    }
    let statistics = Arc::new(Statistics::default());
    let secret = store.login_secret().map_err(|error| error.to_string())?;
    let random: fn() -> Box<dyn Random> = || Box::new(SystemRandom::default());
    let (resolver, dns_reload) = resolver(names, random)?;
    let hostname = config.hostname.clone();
    let context = Context::new(hostname, first_id(), &config.rates, secret, random)
        .remembering(config.logins.remembered)
        .offering_cram_md5(wants_cram_md5(&store)?)
        .resolving(Arc::clone(&resolver));
    let context = Arc::new(context);
    let metrics = metrics(&context, &statistics);
    let shown = Shown { metrics: Some(metrics.clone()), landing: extras.landing };
    let listeners = listeners(config, sockets, &context, certificates.as_mut(), &shown)?;
    let bodies = store.bodies().to_owned();
    let store = Arc::new(store);
    let crew = crew(&store, writer, config.threads)?;
    let inlet = Arc::new(Inlet::default());
    let _control = control(&config.data, metrics, &store, &inlet)?;
    let stopper = Stopper::new();
    let (reload, orders) = sync_channel(1);
    if let Some(certificates) = certificates {
        certificates.watch(orders).map_err(|error| error.to_string())?;
    }
    listen_to_signals(&stopper, reload, dns_reload, config.limits.stop_within)?;
    // Tasks go round the threads, so that each has a beat of its own.
    let beats = Pulse::wanted(config.shards(), &statistics);
    let mut tasks = tasks(&context, inlet, resolver);
    tasks.extend(dispatcher(config, context, roots));
    tasks.extend(beats);
    let setup = Setup {
        listeners,
        tasks,
        crew,
        bodies,
        limits: limits(config),
        threads: config.threads,
        statistics,
    };
    log::info!(host = config.hostname.as_str(), runtime = config.runtime.name(); "ready");
    if let Some(on_ready) = extras.on_ready {
        on_ready()?;
    }
    let ended = match config.runtime {
        RuntimeKind::Smol => pillarbox_runtime_smol::run(setup, &stopper),
        #[cfg(target_os = "linux")]
        RuntimeKind::Glommio => pillarbox_runtime_glommio::run(setup, &stopper),
        RuntimeKind::Std => pillarbox_runtime_std::run(setup, &stopper),
    };
    log::info!("stopped");
    ended.map_err(|error| error.to_string())
}

/// The authorities that are believed of other servers.
fn roots(config: &Config) -> Result<Roots, String> {
    let public = Roots::public();
    let Some(file) = config.queue.as_ref().and_then(|queue| queue.authorities.as_ref()) else {
        return Ok(public);
    };
    let wrong = |why: &dyn fmt::Display| format!("{}: {why}", file.display());
    let pem = std::fs::read(file).map_err(|error| wrong(&error))?;
    public.and_pem(&pem).map_err(|error| wrong(&error))
}

/// What runs beside the connections, whatever the configuration says.
fn tasks(context: &Arc<Context>, inlet: Arc<Inlet>, resolver: Arc<Resolver>) -> Vec<Factory<Job>> {
    let attempts = Arc::clone(&context.attempts);
    let (waiting, seen) = (Arc::clone(&attempts), Arc::clone(&context.seen));
    vec![
        Box::new(move || Clerk::machine(inlet, attempts)),
        Box::new(move || Scribe::machine(waiting, seen)),
        Box::new(move || Probe::machine(resolver)),
    ]
}

/// Who sends what leaves.
fn dispatcher(config: &Config, context: Arc<Context>, roots: Roots) -> Option<Factory<Job>> {
    let rules = config.queue.clone()?;
    let own_port = own_port(config);
    Some(Box::new(move || queue::machine(context, rules, own_port, roots)))
}

/// Where mail from everybody comes in.
fn own_port(config: &Config) -> Option<SocketAddr> {
    let listener = config.listeners.iter().find(|one| one.protocol == Protocol::Smtp)?;
    let ip = match listener.address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    Some(SocketAddr::new(ip, listener.address.port()))
}

/// Makes what there is to begin with.
fn begin_accounts(
    store: &Store,
    writer: &mut Writer,
    first: &FirstAccounts,
    on_keys: Option<OnKeys>,
) -> Result<(), String> {
    accounts::create_first(store, writer, first, now(), &mut SystemRandom::default())?;
    match on_keys {
        Some(on_keys) => on_keys(&dkim_keys::ensure(store, writer, &first.domain, now())?),
        None => Ok(()),
    }
}

/// What looks names up, and how to have it read its files again.
fn resolver(
    (files, source): (Files, Source),
    random: fn() -> Box<dyn Random>,
) -> Result<(Arc<Resolver>, SyncSender<()>), String> {
    let resolver = Arc::new(Resolver::new(source, random));
    let (reload, orders) = sync_channel(1);
    files.watch(Arc::clone(&resolver), orders).map_err(|error| error.to_string())?;
    Ok((resolver, reload))
}

/// Whether a domain wants CRAM-MD5.
fn wants_cram_md5(store: &Store) -> Result<bool, String> {
    match store.reader().and_then(|mut reader| reader.read(Read::Counts)) {
        Ok(Found::Counts(counts)) => Ok(counts.cram_md5_domains > 0),
        Ok(_) => Err(job::astray("counts").to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads the wall clock.
pub(crate) fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Ids of connections go on from the clock, so that those of an earlier run are not given again.
fn first_id() -> u64 {
    u64::try_from(now().0).unwrap_or(0) << 20
}

fn open(config: &Config) -> Result<Store, String> {
    let sync = if config.sync { Sync::Full } else { Sync::Off };
    Store::open(
        &config.data,
        &Options { sync, quota: config.limits.account_bytes_max, ..Options::default() },
    )
    .map_err(|error| error.to_string())
}

/// Each listener's sockets, with the way in behind them.
fn listeners(
    config: &Config,
    sockets: Vec<Vec<TcpListener>>,
    context: &Arc<Context>,
    mut certificates: Option<&mut Certificates>,
    shown: &Shown,
) -> Result<Vec<Listener<Job>>, String> {
    let mut listeners = Vec::new();
    for (listener, sockets) in config.listeners.iter().zip(sockets) {
        let offer = match (&config.tls, certificates.as_mut()) {
            (Some(tls), Some(certificates)) => {
                Some(certificates.offer(doors::rules(tls, listener)))
            }
            _ => None,
        };
        let offer = offer.transpose().map_err(|error| error.to_string())?;
        let entrance = Entrance::new(context, config, listener, offer, shown)
            .map_err(|fault| format!("hostname `{}`: {fault}", config.hostname))?;
        let accept =
            move |accepted: Accepted| entrance.accept(accepted.peer, accepted.crowded.is_some());
        listeners.push(Listener { sockets, accept: Arc::new(accept) });
    }
    Ok(listeners)
}

fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    // A proxy brings everybody's connections from its one address.
    let proxies = config.listeners.iter().flat_map(|listener| &listener.proxies);
    Limits {
        uncounted: Network::LOOPBACK.iter().chain(proxies).copied().collect(),
        connections_max: limits.connections_max,
        connections_per_address_max: limits.connections_per_address_max,
        stop_grace: limits.stop_within,
        ..Limits::default()
    }
}

/// Hands for each lane. The writer tells a thread of its own when the WAL should be written back,
/// so that no commit waits for that.
fn crew(store: &Arc<Store>, writer: Writer, threads: usize) -> Result<Crew<Job>, String> {
    let reader = || store.reader().map(Box::new).map_err(|error| error.to_string());
    let mut readers: Vec<Box<dyn pillarbox_core::effect::Hands<Job>>> = Vec::new();
    for _ in 0..threads.clamp(1, 4) {
        readers.push(Box::new(Worker::Reader(reader()?)));
    }
    let checkpoints = checkpointer(Arc::clone(store)).map_err(|error| error.to_string())?;
    let gleaner = gleaner::begin(store)?;
    // One more than check passwords: one waits for commands.
    let workers = threads.clamp(1, 4) + 1;
    Ok(Crew {
        writer: Box::new(Telling { writer: Worker::Writer(writer, Some(checkpoints)), gleaner }),
        readers,
        workers: (0..workers).map(|_| Box::new(Worker::Checker) as _).collect(),
    })
}

fn checkpointer(store: Arc<Store>) -> std::io::Result<SyncSender<()>> {
    let (tell, told) = sync_channel(1);
    thread::Builder::new().name("checkpoint".into()).stack_size(256 << 10).spawn(move || {
        while told.recv().is_ok() {
            if let Err(error) = store.checkpoint() {
                log::error!(why:% = error; "checkpoint failed");
            }
        }
    })?;
    Ok(tell)
}

fn metrics(context: &Arc<Context>, statistics: &Arc<Statistics>) -> Metrics {
    let (context, statistics) = (Arc::clone(context), Arc::clone(statistics));
    Metrics(Arc::new(move || context.counters.to_text(&statistics.table())))
}

fn control(
    dir: &Path,
    metrics: Metrics,
    store: &Arc<Store>,
    inlet: &Arc<Inlet>,
) -> Result<Control, String> {
    let (store, inlet) = (Arc::clone(store), Arc::clone(inlet));
    let office = Office { metrics: metrics.0, store, inlet };
    Control::open(dir, office)
        .map_err(|error| format!("cannot make the control socket in {}: {error}", dir.display()))
}

/// SIGHUP orders the certificates to be read again, and the files that DNS is asked by.
fn listen_to_signals(
    stopper: &Stopper,
    reload: SyncSender<()>,
    dns_reload: SyncSender<()>,
    grace: Duration,
) -> Result<(), String> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(|error| error.to_string())?;
    let stopper = stopper.clone();
    let wait = move || {
        let mut stopping = false;
        for signal in signals.forever() {
            if signal == SIGHUP {
                // It looks soon anyway.
                let _told_already = dns_reload.try_send(());
                // One order that waits is enough; without certificates there is nothing to read.
                if let Err(TrySendError::Disconnected(())) = reload.try_send(()) {
                    notify::reloading();
                    notify::ready();
                }
            } else if stopping {
                stopper.stop_now();
                return;
            } else {
                log::info!("stopping: transactions may end, nothing new begins");
                stopper.stop();
                notify::stopping(grace);
                stopping = true;
            }
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .stack_size(256 << 10)
        .spawn(wait)
        .map(drop)
        .map_err(|error| error.to_string())
}
