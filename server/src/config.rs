//! `pillarbox.toml`: what belongs to this machine. Domains, accounts and rules live in the store.

pub(crate) mod reader;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pillarbox_core::message::HeadLimits;
use pillarbox_core::mime::PARTS_MAX;
use pillarbox_core::sasl::Mechanism;
use pillarbox_core::smtp::limits::Limits as SmtpLimits;
use pillarbox_core::wire::network::Network;
use reader::Reader;

use crate::context::REMEMBERED;
use crate::rates::Allowances;
use crate::smtp::TimeLimits;

/// All that a server needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name that this server has in greetings and in `Received`.
    pub hostname: String,
    /// Where everything that must survive lies.
    pub data: PathBuf,
    /// What drives the machines.
    pub runtime: RuntimeKind,
    /// How many threads drive connections, on runtimes that share threads.
    pub threads: usize,
    /// Certificate chain and key, as PEM files.
    pub tls: Option<TlsFiles>,
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

/// Where the certificate lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken there.
    pub protocol: Protocol,
    /// The address.
    pub address: SocketAddr,
    /// Whether people may log in without TLS, by whatever mechanism.
    pub login_without_tls: bool,
    /// Mechanisms that are neither announced nor taken there, though they would work.
    pub hide_mechanisms: Vec<Mechanism>,
    /// Whether those who submit there may send as anybody, and not only as themselves.
    pub any_sender: bool,
    /// The networks of the proxies in front of it, which say with the PROXY protocol whose
    /// connection it is; nobody else may connect then. Empty: there is no proxy.
    pub proxies: Vec<Network>,
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Mail from other servers (RFC 5321).
    Smtp,
    /// Mail from a relay of ours for our own mailboxes, answered for each recipient (RFC 2033).
    Lmtp,
    /// Mail from our own people, with STARTTLS (RFC 6409).
    Submission,
    /// Mail from our own people, TLS from the first byte (RFC 8314).
    Submissions,
    /// Reading mail, with STARTTLS (RFC 9051).
    Imap,
    /// Reading mail, TLS from the first byte (RFC 8314).
    Imaps,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Smtp, Self::Lmtp, Self::Submission, Self::Submissions, Self::Imap, Self::Imaps];

    /// The name used in the configuration and in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Imap => "imap",
            Self::Imaps => "imaps",
        }
    }

    /// Whether our own people send there.
    #[must_use]
    pub const fn is_submission(self) -> bool {
        matches!(self, Self::Submission | Self::Submissions)
    }

    /// Whether people log in there. Other servers and relays have nothing to log in for.
    #[must_use]
    pub const fn has_logins(self) -> bool {
        !matches!(self, Self::Smtp | Self::Lmtp)
    }

    /// Whether TLS begins with the first byte.
    #[must_use]
    pub const fn implicit_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps)
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

    /// Checks the text of a configuration. Relative paths in it are taken from the file's folder.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Flaws> {
        let mut flaws = reader::FlawList::new(text);
        let folder = file.parent().unwrap_or_else(|| Path::new(""));
        let config = reader::with_document(text, &mut flaws, |root| read(root, folder));
        let mut flaws = flaws.into_flaws();
        flaws.sort_by_key(|flaw| (flaw.line, flaw.column));
        if flaws.is_empty() { Ok(config) } else { Err(Flaws { file: file.to_owned(), flaws }) }
    }
}

fn read(root: &mut Reader<'_, '_>, folder: &Path) -> Config {
    let hostname = root.required_string("hostname");
    if let Some(name) = &hostname
        && !is_hostname(name)
    {
        root.flaw_at("hostname", format!("`{name}` is not a host name such as mail.example.org"));
    }
    // By its components, so that `.` leaves no trace in messages.
    let data = root.required_string("data").map(|path| folder.join(path).components().collect());
    let data: PathBuf = data.unwrap_or_default();
    let sync = match root.string("sync").as_deref() {
        None | Some("full") => true,
        Some("off") => false,
        Some(other) => {
            root.flaw_at("sync", format!("`{other}` is neither \"full\" nor \"off\""));
            true
        }
    };
    let (runtime, threads) = root.table("runtime", read_runtime).unwrap_or_else(default_runtime);
    let tls = root.table("tls", |table| read_tls(table, folder)).flatten();
    let listeners = root.tables("listener", read_listener).into_iter().flatten().collect();
    let limits = root.table("limits", read_limits).unwrap_or_default();
    let delivery = root.table("delivery", read_delivery).unwrap_or_default();
    let rates = root.table("rates", read_rates).unwrap_or_default();
    let logins = root.table("login", read_logins).unwrap_or_default();
    let log = root.table("log", read_log).unwrap_or(log::LevelFilter::Info);
    let hostname = hostname.unwrap_or_default();
    let config = Config {
        hostname,
        data,
        runtime,
        threads,
        tls,
        listeners,
        limits,
        rates,
        logins,
        delivery,
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

fn read_tls(table: &mut Reader<'_, '_>, folder: &Path) -> Option<TlsFiles> {
    let mut path = |key| {
        let path = folder.join(table.required_string(key)?);
        if let Err(error) = std::fs::File::open(&path) {
            table.flaw_at(key, format!("{} cannot be read: {error}", path.display()));
        }
        Some(path)
    };
    let (certificate, key) = (path("certificate"), path("key"));
    Some(TlsFiles { certificate: certificate?, key: key? })
}

fn read_listener(table: &mut Reader<'_, '_>) -> Option<Listener> {
    let protocol = table.required_string("protocol").and_then(|name| {
        let found = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name);
        if found.is_none() {
            let all = Protocol::ALL.map(Protocol::name).join(", ");
            table.flaw_at("protocol", format!("there is no protocol `{name}`: use one of {all}"));
        }
        found
    });
    let address = table.required_string("address").and_then(|text| {
        let address = text.parse().ok();
        if address.is_none() {
            let what = format!("`{text}` is no address such as 192.0.2.1:25 or [2001:db8::1]:25");
            table.flaw_at("address", what);
        }
        address
    });
    if protocol == Some(Protocol::Lmtp) && address.is_some_and(|it: SocketAddr| it.port() == 25) {
        // RFC 2033 §1: who connects there expects SMTP.
        table.flaw_at("address", "port 25 is for `smtp`: give `lmtp` another, such as 24".into());
    }
    let login_without_tls = table.boolean("login_without_tls").unwrap_or(false);
    let hide_mechanisms = read_mechanisms(table, "hide_mechanisms");
    if !hide_mechanisms.is_empty() && !protocol.is_none_or(Protocol::has_logins) {
        table.flaw_at("hide_mechanisms", "nobody logs in there: nothing is to be hidden".into());
    }
    let any_sender = table.boolean("any_sender").unwrap_or(false);
    if any_sender && !protocol.is_none_or(Protocol::is_submission) {
        let what = "only for submission: elsewhere nobody is asked who they are";
        table.flaw_at("any_sender", what.to_owned());
    }
    let proxies = read_networks(table, "proxies");
    let (protocol, address) = (protocol?, address?);
    Some(Listener { protocol, address, login_without_tls, hide_mechanisms, any_sender, proxies })
}

fn read_mechanisms(table: &mut Reader<'_, '_>, key: &'static str) -> Vec<Mechanism> {
    let mut mechanisms = Vec::new();
    for (name, place) in table.strings(key) {
        match Mechanism::from_name(&name) {
            Some(mechanism) => mechanisms.push(mechanism),
            None => {
                let all = Mechanism::ALL.map(Mechanism::name).join(", ");
                let what = format!("there is no mechanism `{name}`: known are {all}");
                table.flaw_in(&place, what);
            }
        }
    }
    mechanisms
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
