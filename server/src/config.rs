//! `pillarbox.toml`: what belongs to this machine. Domains, accounts and rules live in the store.

mod checks;
mod dns;
mod listener;
mod queue;
pub(crate) mod reader;
mod tls;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use checks::{Checks, Forwarder, Obedience, SpfFail};
pub use dns::Dns;
pub use listener::{Listener, Protocol, Spoken};
use pillarbox_core::message::HeadLimits;
use pillarbox_core::mime::PARTS_MAX;
use pillarbox_core::mta_sts::{MAX_AGE_MAX, Mode, MxPattern, Policy};
use pillarbox_core::smtp::limits::Limits as SmtpLimits;
use pillarbox_core::wire::network::Network;
pub use queue::{DIRECT, Queue, Relay, RelayLogin, RelayTls, RouteRule, Transport};
use reader::Reader;
pub use tls::{Tls, TlsFiles};

use crate::context::REMEMBERED;
use crate::rates::Allowances;
use crate::smtp::TimeLimits;
use crate::web::WebLimits;

/// All that a server needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it was read from.
    pub file: PathBuf,
    /// The name that this server has in greetings and in `Received`.
    pub hostname: String,
    /// Where everything that must survive lies.
    pub data: PathBuf,
    /// The user that the server becomes once its ports are bound, where it was started as root.
    pub user: Option<String>,
    /// Whether the process gives up what it will not need, where the kernel can take it.
    pub sandbox: bool,
    /// What drives the machines.
    pub runtime: RuntimeKind,
    /// How many threads drive connections, on runtimes that share threads.
    pub threads: usize,
    /// Its certificates.
    pub tls: Option<Tls>,
    /// Where clients and servers connect.
    pub listeners: Vec<Listener>,
    /// Sizes and counts.
    pub limits: Limits,
    /// How much may come from one network.
    pub rates: Allowances,
    /// How people log in.
    pub logins: Logins,
    /// Whose mail an address is.
    pub delivery: Delivery,
    /// What mail from outside is asked; `None`: nothing.
    pub checks: Option<Checks>,
    /// Whom names are asked of.
    pub dns: Dns,
    /// How mail leaves; `None`: it does not, and is not taken for elsewhere.
    pub queue: Option<Queue>,
    /// What all HTTP listeners have in common.
    pub web: Web,
    /// From which level on is logged.
    pub log: log::LevelFilter,
    /// Whether a commit waits for the disk.
    pub sync: bool,
}

/// What drives the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeKind {
    /// smol: a few threads share all connections.
    Smol,
    /// glommio: the same on io_uring. On Linux only.
    #[cfg(target_os = "linux")]
    Glommio,
    /// One blocking thread for each connection.
    Std,
}

impl RuntimeKind {
    /// The name used in the configuration and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smol => "smol",
            #[cfg(target_os = "linux")]
            Self::Glommio => "glommio",
            Self::Std => "std",
        }
    }

    /// The kind of this name; where it is not one, what can be said instead.
    ///
    /// # Errors
    /// A sentence that names what there is.
    pub fn from_name(name: &str) -> Result<Self, String> {
        match name {
            "smol" => Ok(Self::Smol),
            "std" => Ok(Self::Std),
            #[cfg(target_os = "linux")]
            "glommio" => Ok(Self::Glommio),
            #[cfg(not(target_os = "linux"))]
            "glommio" => Err("the glommio runtime needs Linux: use smol or std".into()),
            other => Err(format!("there is no runtime `{other}`: use smol, glommio or std")),
        }
    }
}

/// Whose mail an address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Each of these characters begins what is left out of a local part that is nobody's:
    /// `alice+lists` is then `alice`.
    pub separators: String,
    /// Some addresses fail on purpose, for those who try a client out.
    pub trouble: bool,
}

impl Default for Delivery {
    fn default() -> Self {
        Self { separators: "+".into(), trouble: false }
    }
}

/// What all HTTP listeners have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// For how long browsers are to come with TLS only, in seconds; 0: not said.
    pub hsts_seconds: u64,
    /// What other servers are told about TLS on the way to us, if anything.
    pub mta_sts: Option<Policy>,
}

impl Default for Web {
    fn default() -> Self {
        Self { hsts_seconds: 365 * DAY, mta_sts: None }
    }
}

/// How people log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logins {
    /// For how long a password that was right is remembered, so that it need not be checked anew;
    /// 0: not at all.
    pub remembered: Duration,
}

impl Default for Logins {
    fn default() -> Self {
        Self { remembered: REMEMBERED }
    }
}

/// Sizes and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What one SMTP session may hold: its largest message is also the largest of an APPEND.
    pub smtp: SmtpLimits,
    /// How long an SMTP session may take, and how slowly it is answered.
    pub times: TimeLimits,
    /// How many bytes of messages an account may have that has no quota of its own; `None`: any
    /// number.
    pub account_bytes_max: Option<u64>,
    /// What the header of a message may hold.
    pub head: HeadLimits,
    /// How many MIME parts a message may have that comes by SMTP: itself, and all in it.
    pub parts_max: usize,
    /// What one HTTP connection may take.
    pub web: WebLimits,
    /// Open connections in all.
    pub connections_max: usize,
    /// Open connections from one address; loopback is not counted.
    pub connections_per_address_max: usize,
    /// How long a graceful stop waits for transactions to end.
    pub stop_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            smtp: SmtpLimits::default(),
            times: TimeLimits::default(),
            account_bytes_max: None,
            head: HeadLimits::default(),
            parts_max: PARTS_MAX,
            web: WebLimits::default(),
            connections_max: 10_000,
            connections_per_address_max: 100,
            stop_within: Duration::from_secs(10),
        }
    }
}

/// One thing wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong and what to do.
    pub what: String,
}

/// Everything wrong with a configuration, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaws {
    /// The file.
    pub file: PathBuf,
    /// At least one.
    pub flaws: Vec<Flaw>,
}

impl fmt::Display for Flaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Flaw { line, column, what }) in self.flaws.iter().enumerate() {
            let between = if index == 0 { "" } else { "\n" };
            write!(f, "{between}{}:{line}:{column}: {what}", self.file.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for Flaws {}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, with line and column; for a file that cannot be read,
    /// the reason at line 1.
    pub fn load(file: &Path) -> Result<Self, Flaws> {
        let text = std::fs::read_to_string(file).map_err(|error| Flaws {
            file: file.to_owned(),
            flaws: vec![Flaw { line: 1, column: 1, what: format!("cannot be read: {error}") }],
        })?;
        Self::parse(file, &text)
    }

    /// Among how many threads the runtime spreads listeners and tasks.
    #[must_use]
    pub fn shards(&self) -> usize {
        match self.runtime {
            RuntimeKind::Std => 1,
            _ => self.threads,
        }
    }

    /// The folders of the files that may be read again while the server runs: its own and those of
    /// the certificates, where a name leads to another folder also that one.
    #[must_use]
    pub fn folders_read(&self) -> Vec<PathBuf> {
        let tls = self.tls.iter().flat_map(Tls::files).flat_map(|it| [&it.certificate, &it.key]);
        let named: Vec<&PathBuf> = std::iter::once(&self.file).chain(tls).collect();
        let led_to = named.iter().filter_map(|path| path.canonicalize().ok());
        let all = named.iter().map(|path| (*path).clone()).chain(led_to);
        let mut folders: Vec<PathBuf> = all.filter_map(|path| folder_of(&path)).collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// Checks the text of a configuration. Relative paths in it are taken from the file's folder.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Flaws> {
        let mut flaws = reader::FlawList::new(text);
        let folder = file.parent().unwrap_or_else(|| Path::new(""));
        let config = reader::with_document(text, &mut flaws, |root| read(root, file, folder));
        let mut flaws = flaws.into_flaws();
        flaws.sort_by_key(|flaw| (flaw.line, flaw.column));
        if flaws.is_empty() { Ok(config) } else { Err(Flaws { file: file.to_owned(), flaws }) }
    }
}

/// A bare name lies in the present folder.
pub(crate) fn folder_of(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?;
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
}

fn read(root: &mut Reader<'_, '_>, file: &Path, folder: &Path) -> Config {
    let hostname = root.required_string("hostname");
    if let Some(name) = &hostname
        && !is_hostname(name)
    {
        root.flaw_at("hostname", format!("`{name}` is not a host name such as mail.example.org"));
    }
    // By its components, so that `.` leaves no trace in messages.
    let data = root.required_string("data").map(|path| folder.join(path).components().collect());
    let data: PathBuf = data.unwrap_or_default();
    let user = root.string("user");
    if user.as_deref() == Some("root") {
        root.flaw_at("user", "root is what is given up: name another user".to_owned());
    }
    let sandbox = root.boolean("sandbox").unwrap_or(true);
    let sync = match root.string("sync").as_deref() {
        None | Some("full") => true,
        Some("off") => false,
        Some(other) => {
            root.flaw_at("sync", format!("`{other}` is neither \"full\" nor \"off\""));
            true
        }
    };
    let (runtime, threads) = root.table("runtime", read_runtime).unwrap_or_else(default_runtime);
    let tls = root.table("tls", |table| tls::read(table, folder)).flatten();
    let listeners = root.tables("listener", listener::read).into_iter().flatten().collect();
    let limits = root.table("limits", read_limits).unwrap_or_default();
    let delivery = root.table("delivery", read_delivery).unwrap_or_default();
    let checks = root.table("checks", checks::read).unwrap_or_else(|| Some(Checks::default()));
    let dns = root.table("dns", |table| dns::read(table, folder)).unwrap_or_default();
    let queue = root.table("queue", |table| queue::read(table, folder));
    let queue = queue.unwrap_or_else(|| Some(Queue::default()));
    let rates = root.table("rates", read_rates).unwrap_or_default();
    let web = root.table("web", |table| read_web(table, hostname.as_deref())).unwrap_or_default();
    let logins = root.table("login", read_logins).unwrap_or_default();
    let log = root.table("log", read_log).unwrap_or(log::LevelFilter::Info);
    let hostname = hostname.unwrap_or_default();
    let config = Config {
        file: file.to_owned(),
        hostname,
        data,
        user,
        sandbox,
        runtime,
        threads,
        tls,
        listeners,
        limits,
        rates,
        logins,
        delivery,
        checks,
        dns,
        queue,
        web,
        log,
        sync,
    };
    check_listeners(root, &config);
    config
}

fn check_listeners(root: &mut Reader<'_, '_>, config: &Config) {
    if config.listeners.is_empty() && !root.has("listener") {
        root.flaw("there is no [[listener]]: nobody could connect".to_owned());
    }
    let first_without_certificate =
        config.listeners.iter().position(|listener| listener.protocol.implicit_tls());
    if let Some(index) = first_without_certificate
        && config.tls.is_none()
        && !root.has("tls")
    {
        let name = config.listeners.get(index).map_or("imaps", |l| l.protocol.name());
        root.flaw_at(
            "listener",
            format!("`{name}` needs a certificate: add [tls] with `certificate` and `key`"),
        );
    }
}

fn default_runtime() -> (RuntimeKind, usize) {
    (RuntimeKind::Smol, std::thread::available_parallelism().map_or(1, usize::from))
}

fn read_runtime(table: &mut Reader<'_, '_>) -> (RuntimeKind, usize) {
    let (mut kind, mut threads) = default_runtime();
    if let Some(name) = table.string("kind") {
        match RuntimeKind::from_name(&name) {
            Ok(found) => kind = found,
            Err(why) => table.flaw_at("kind", why),
        }
    }
    if let Some(count) = table.integer("threads", 1, 1_024) {
        threads = usize::try_from(count).unwrap_or(threads);
    }
    (kind, threads)
}

fn read_networks(table: &mut Reader<'_, '_>, key: &'static str) -> Vec<Network> {
    let mut networks = Vec::new();
    for (text, place) in table.strings(key) {
        match text.parse() {
            Ok(network) => networks.push(network),
            Err(error) => table.flaw_in(&place, format!("`{text}` is {error}")),
        }
    }
    networks
}

fn read_limits(table: &mut Reader<'_, '_>) -> Limits {
    let mut limits = Limits::default();
    read_smtp_limits(table, &mut limits.smtp);
    read_times(table, &mut limits.times);
    read_web_limits(table, &mut limits.web);
    limits.account_bytes_max = table.integer("account_bytes_max", 0, 1 << 62);
    let HeadLimits { bytes_max, fields_max, addresses_max, received_max } = &mut limits.head;
    for (key, min, max, limit) in [
        ("header_bytes_max", 1 << 12, 1 << 20, bytes_max),
        ("header_fields_max", 50, 1 << 20, fields_max),
        ("header_addresses_max", 100, 1 << 20, addresses_max),
        ("header_received_max", 30, 1 << 20, received_max),
        // More than IMAP tells apart would be of no use.
        ("parts_max", 100, PARTS_MAX as u64, &mut limits.parts_max),
    ] {
        if let Some(count) = table.integer(key, min, max) {
            *limit = usize::try_from(count).unwrap_or(usize::MAX);
        }
    }
    if let Some(count) = table.integer("connections_max", 1, 1 << 24) {
        limits.connections_max = usize::try_from(count).unwrap_or(usize::MAX);
    }
    if let Some(count) = table.integer("connections_per_address_max", 1, 1 << 24) {
        limits.connections_per_address_max = usize::try_from(count).unwrap_or(usize::MAX);
    }
    if let Some(seconds) = table.integer("stop_within_seconds", 0, 3_600) {
        limits.stop_within = Duration::from_secs(seconds);
    }
    limits
}

fn read_smtp_limits(table: &mut Reader<'_, '_>, limits: &mut SmtpLimits) {
    if let Some(bytes) = table.integer("message_bytes_max", 1 << 16, 1 << 31) {
        limits.message_bytes_max = bytes;
    }
    for (key, min, max, limit) in [
        // No less than RFC 5321 §4.5.3.1.6 and §4.5.3.1.8 ask of every server.
        ("text_line_bytes_max", 1_000, 1 << 31, &mut limits.text_line_max),
        ("recipients_max", 100, 1 << 20, &mut limits.recipients_max),
        ("transactions_max", 1, 1 << 31, &mut limits.transactions_max),
        ("bad_commands_max", 1, 1 << 20, &mut limits.bad_commands_max),
    ] {
        if let Some(count) = table.integer(key, min, max) {
            *limit = usize::try_from(count).unwrap_or(usize::MAX);
        }
    }
}

fn read_times(table: &mut Reader<'_, '_>, times: &mut TimeLimits) {
    for (key, min, max, limit) in [
        ("idle_seconds_max", 10, DAY, &mut times.idle_max),
        ("command_seconds_max", 10, DAY, &mut times.command_max),
        ("body_seconds_max", 60, DAY, &mut times.body_max),
        ("session_seconds_max", 60, 30 * DAY, &mut times.session_max),
        ("slow_answer_seconds_max", 0, TimeLimits::LINE_WAIT_MAX.as_secs(), &mut times.slow_max),
    ] {
        if let Some(seconds) = table.integer(key, min, max) {
            *limit = Duration::from_secs(seconds);
        }
    }
    if let Some(bytes) = table.integer("body_bytes_per_second_min", 0, 1 << 20) {
        times.body_rate_min = bytes;
    }
}

fn read_web_limits(table: &mut Reader<'_, '_>, limits: &mut WebLimits) {
    for (key, min, max, limit) in [
        ("web_header_bytes_max", 1 << 10, 1 << 20, &mut limits.header_bytes_max),
        ("web_headers_max", 20, 1 << 10, &mut limits.headers_max),
        ("web_body_bytes_max", 1 << 10, 1 << 20, &mut limits.body_bytes_max),
        ("web_streams_max", 1, 1 << 10, &mut limits.streams_max),
    ] {
        if let Some(count) = table.integer(key, min, max) {
            *limit = usize::try_from(count).unwrap_or(usize::MAX);
        }
    }
    for (key, limit) in [
        ("web_header_seconds_max", &mut limits.header_max),
        ("web_idle_seconds_max", &mut limits.idle_max),
        ("web_request_seconds_max", &mut limits.request_max),
    ] {
        if let Some(seconds) = table.integer(key, 1, DAY) {
            *limit = Duration::from_secs(seconds);
        }
    }
}

fn read_web(table: &mut Reader<'_, '_>, hostname: Option<&str>) -> Web {
    let mut web = Web::default();
    if let Some(seconds) = table.integer("hsts_seconds", 0, 2 * MAX_AGE_MAX) {
        web.hsts_seconds = seconds;
    }
    let mode = table.string("mta_sts").and_then(|name| {
        let found = Mode::ALL.into_iter().find(|mode| mode.name() == name);
        if found.is_none() {
            let what = format!("`{name}` is none of \"none\", \"testing\" and \"enforce\"");
            table.flaw_at("mta_sts", what);
        }
        found
    });
    let max_age = table.integer("mta_sts_max_age_seconds", 0, MAX_AGE_MAX).unwrap_or(7 * DAY);
    let mut mx = Vec::new();
    for (name, place) in table.strings("mta_sts_mx") {
        let host = name.strip_prefix("*.").unwrap_or(&name);
        if let Some(pattern) = MxPattern::parse(&name).filter(|_| is_hostname(host)) {
            mx.push(pattern);
        } else {
            table.flaw_in(&place, format!("`{name}` is not a host name such as mail.example.org"));
        }
    }
    if mx.is_empty() {
        mx.extend(hostname.and_then(MxPattern::parse));
    }
    web.mta_sts = mode.map(|mode| Policy { mode, max_age, mx });
    web
}

fn read_rates(table: &mut Reader<'_, '_>) -> Allowances {
    let mut rates = Allowances::default();
    for (key, amounts) in [
        ("connections_per_minute", &mut rates.connections),
        ("messages_per_hour", &mut rates.messages),
        ("megabytes_per_hour", &mut rates.megabytes),
        ("failed_logins_per_ten_minutes", &mut rates.failed_logins),
    ] {
        if let Some(given) = table.three_integers(key, 0, 1 << 32) {
            *amounts = given;
        }
    }
    if let Some(count) = table.integer("failed_logins_per_account_and_hour", 1, 1 << 32) {
        rates.failed_logins_per_account = count;
    }
    rates.exempt = read_networks(table, "exempt");
    rates
}

fn read_logins(table: &mut Reader<'_, '_>) -> Logins {
    let mut logins = Logins::default();
    if let Some(seconds) = table.integer("remembered_seconds", 0, DAY) {
        logins.remembered = Duration::from_secs(seconds);
    }
    logins
}

fn read_delivery(table: &mut Reader<'_, '_>) -> Delivery {
    let mut delivery = Delivery::default();
    if let Some(separators) = table.string("separators") {
        // Of what may stand in a local part without quotes (RFC 5321 §4.1.2).
        let odd = |char: char| !"!#$%&'*+-/=?^_`{|}~.".contains(char);
        if separators.contains(odd) {
            let what = format!("`{separators}` holds more than signs such as + or -");
            table.flaw_at("separators", what);
        }
        delivery.separators = separators;
    }
    delivery.trouble = table.boolean("trouble").unwrap_or(false);
    delivery
}

fn read_log(table: &mut Reader<'_, '_>) -> log::LevelFilter {
    let Some(name) = table.string("level") else { return log::LevelFilter::Info };
    name.parse().unwrap_or_else(|_| {
        let what = format!("`{name}` is no level: use off, error, warn, info, debug or trace");
        table.flaw_at("level", what);
        log::LevelFilter::Info
    })
}

/// In seconds.
const DAY: u64 = 24 * 60 * 60;

/// RFC 5321 §4.1.2 (Domain), RFC 1034 §3.5: letters, digits and hyphens between dots.
pub(crate) fn is_hostname(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 255 && name.split('.').all(label)
}

#[cfg(test)]
mod tests;
