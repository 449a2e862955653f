//! `pillarbox localserve`: `serve` with a configuration made for trying and testing.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pillarbox_core::sasl::Secret;

use crate::cli::zone_line;
use crate::config::{Config, Protocol, RuntimeKind};
use crate::control::wire::dkim::DkimRow;
use crate::serve::{Extras, FirstAccounts};
use crate::web::Landing;
use crate::{certificates, serve};

/// The password of both accounts.
pub const PASSWORD: &str = "pillarbox";
const DOMAIN: &str = "localhost";
/// The configuration's file in the folder.
pub(crate) const CONFIGURATION: &str = "pillarbox.toml";
const ACCOUNTS: [&str; 2] = ["user", "friend"];

/// The ports, before the offset.
const PORTS: [(Protocol, u16); 7] = [
    (Protocol::Smtp, 1_025),
    (Protocol::Submission, 1_587),
    (Protocol::Submissions, 1_465),
    (Protocol::Imap, 1_143),
    (Protocol::Imaps, 1_993),
    (Protocol::Http, 1_080),
    (Protocol::Https, 1_443),
];

/// What the command line may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to keep everything; a folder among the user's data where it is not given.
    pub dir: Option<PathBuf>,
    /// What drives the connections.
    pub runtime: RuntimeKind,
    /// The address to listen on.
    pub ip: IpAddr,
    /// Added to every port.
    pub port_offset: u16,
    /// Which domains' mail goes to which servers; that of others stays here.
    pub routes: Vec<RouteTo>,
    /// By how much times between attempts are shorter.
    pub retry_scale: u32,
}

/// Where the mail of a domain goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTo {
    /// The domain; with a dot in front also those below.
    pub domain: String,
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl FromStr for RouteTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (domain, server) = text.split_once('=')?;
            let (host, port) = server.rsplit_once(':')?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let plain = |text: &str| !text.is_empty() && !text.contains(['"', '\\', ' ']);
            let port = port.parse().ok().filter(|port| *port > 0)?;
            (plain(domain) && plain(host)).then(|| Self {
                domain: domain.to_owned(),
                host: host.to_owned(),
                port,
            })
        };
        read().ok_or_else(|| format!("`{text}` is not as in example.org=127.0.0.1:2525"))
    }
}

/// Reads by how much times are shorter: 100 and 0.01 are the same.
///
/// # Errors
/// Where it is no such number.
pub fn read_scale(text: &str) -> Result<u32, String> {
    let scale: f64 = text.parse().map_err(|_| "a number is wanted, such as 100".to_owned())?;
    let times = if scale < 1.0 { 1.0 / scale } else { scale };
    if (1.0..=1e6).contains(&times) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in bounds")]
        Ok(times.round() as u32)
    } else {
        Err("it is 1000000 (or 0.000001) at most".to_owned())
    }
}

/// Prepares the folder and serves until a signal.
///
/// # Errors
/// One clear line with what to do.
pub fn run(options: &Options) -> Result<(), String> {
    let dir = match &options.dir {
        Some(dir) => dir.clone(),
        None => default_dir()?,
    };
    let ports = ports(options)?;
    let (config, text) = prepare(&dir, options, &ports)?;
    if !options.ip.is_loopback() {
        eprintln!(
            "pillarbox: warning: {} can be reached from other machines, and everyone knows the \
             passwords of these accounts",
            options.ip
        );
    }
    let table = table(&dir, options, &ports);
    let extras = Extras {
        first_accounts: Some(FirstAccounts {
            domain: DOMAIN.into(),
            names: ACCOUNTS.map(str::to_owned).to_vec(),
            password: Secret::new(PASSWORD.into()),
        }),
        on_keys: Some(Box::new({
            let dir = dir.clone();
            move |keys| publish(&dir, keys).map_err(|error| unwritable(&dir, &error))
        })),
        landing: Landing {
            accounts: ACCOUNTS.map(|name| format!("{name}@{DOMAIN}")).to_vec(),
            password: PASSWORD.into(),
            ca: fs::read_to_string(dir.join("tls/ca.pem")).ok(),
        },
        on_ready: Some(Box::new(move || {
            // Only now is the folder ours: before, another server may have had it.
            let file = dir.join(CONFIGURATION);
            fs::write(&file, text).map_err(|error| unwritable(&dir, &error))?;
            println!("{table}\nready");
            Ok(())
        })),
    };
    serve::run(&config, extras)
}

/// XDG Base Directory: `$XDG_DATA_HOME`, else `~/.local/share`.
pub(crate) fn default_dir() -> Result<PathBuf, String> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")));
    data.map(|data| data.join("pillarbox")).ok_or_else(|| {
        "there is no home folder ($HOME is not set): name a folder with --dir".to_owned()
    })
}

fn ports(options: &Options) -> Result<Vec<(Protocol, SocketAddr)>, String> {
    PORTS
        .into_iter()
        .map(|(protocol, port)| {
            let port = port.checked_add(options.port_offset).ok_or_else(|| {
                format!("--port-offset {} puts port {port} above 65535", options.port_offset)
            })?;
            Ok((protocol, SocketAddr::new(options.ip, port)))
        })
        .collect()
}

/// The configuration, and its text for the file that is left in the folder.
fn prepare(
    dir: &Path,
    options: &Options,
    ports: &[(Protocol, SocketAddr)],
) -> Result<(Config, String), String> {
    fs::create_dir_all(dir).map_err(|error| unwritable(dir, &error))?;
    certificates::ensure(&dir.join("tls")).map_err(|error| unwritable(dir, &error))?;
    fs::write(dir.join(OWN_ZONE), OWN_ZONE_TEXT).map_err(|error| unwritable(dir, &error))?;
    if !dir.join(ZONE).exists() {
        fs::write(dir.join(ZONE), ZONE_TEXT).map_err(|error| unwritable(dir, &error))?;
    }
    let text = configuration(options, ports);
    let config =
        Config::parse(&dir.join(CONFIGURATION), &text).map_err(|flaws| flaws.to_string())?;
    Ok((config, text))
}

/// Puts the public keys where they are found.
fn publish(dir: &Path, keys: &[DkimRow]) -> io::Result<()> {
    let mut zone = OWN_ZONE_TEXT.to_owned();
    let mut records = String::new();
    for key in keys {
        zone.push_str(&zone_line(key));
        // Writing to a String cannot fail.
        let DkimRow { selector, domain, record, .. } = key;
        let _infallible = writeln!(records, "{selector}._domainkey.{domain} \"{record}\"");
    }
    fs::write(dir.join(OWN_ZONE), zone)?;
    fs::write(dir.join(RECORDS), records)
}

fn unwritable(dir: &Path, error: &io::Error) -> String {
    format!("cannot write to {}: {error}; choose another folder with --dir", dir.display())
}

/// The configuration file, written to be read by somebody who wants to learn.
fn configuration(options: &Options, ports: &[(Protocol, SocketAddr)]) -> String {
    let mut text = format!(
        "# Made by `pillarbox localserve`, and made anew at each of its starts.\n\
         # Copy it to begin a configuration of your own: `pillarbox serve --config FILE`.\n\
         # `pillarbox config check FILE` explains what is wrong with one.\n\
         \n\
         # The name in greetings and in Received lines.\n\
         hostname = \"localhost\"\n\
         # Where mail lies; a relative path is taken from this file's folder.\n\
         data = \".\"\n\
         # Where root starts the server: whom it becomes, once it has its ports and has read the keys.\n\
         #user = \"pillarbox\"\n\
         # Give up what will not be needed, as far as the kernel can take it: all other files, other\n\
         # programs, new ports.\n\
         #sandbox = true\n\
         \n\
         [runtime]\n\
         # \"smol\": a few threads for all connections; \"glommio\": the same on io_uring, on Linux\n\
         # only; \"std\": a thread for each.\n\
         kind = \"{}\"\n\
         \n\
         [tls]\n\
         certificate = \"tls/cert.pem\"\n\
         key = \"tls/key.pem\"\n\
         # Only for trying: whatever name a client asks for, it gets this certificate.\n\
         any_server_name = true\n\
         \n\
         [delivery]\n\
         # user+anything@localhost is user@localhost.\n\
         separators = \"+\"\n\
         # For trying clients out: mail to temperror@, permerror@, timeout@ or 451@localhost fails.\n\
         trouble = true\n",
        options.runtime.name()
    );
    text.push_str(DNS);
    text.push_str(CHECKS);
    text.push_str(&queue(options));
    text.push_str(WEB);
    text.push_str(LIMITS);
    for (protocol, address) in ports {
        // Writing to a String cannot fail.
        let _infallible = write!(
            text,
            "\n[[listener]]\nprotocol = \"{}\"\naddress = \"{address}\"\n",
            protocol.name()
        );
        if *protocol == Protocol::Https {
            text.push_str(
                "# What a client asks for by ALPN, as `h2` and `http/1.1`, `imap`, `smtp`; who does\n\
                 # not ask gets HTTP.\n\
                 alpn = [\"http\", \"imap\", \"submission\"]\n",
            );
        }
        if matches!(protocol, Protocol::Submission | Protocol::Submissions | Protocol::Https) {
            text.push_str("any_sender = true # only for trying: everybody may send as anybody\n");
        }
        if matches!(protocol, Protocol::Submission | Protocol::Imap) {
            text.push_str(
                "login_without_tls = true # only for trying: passwords travel in clear\n",
            );
        }
        if protocol.is_web() {
            text.push_str("landing_page = true # tells at / how to set up a mail client\n");
        }
        if *protocol == Protocol::Http {
            text.push_str("metrics = true # shows the counters to everybody at /metrics\n");
        }
    }
    text
}

/// How mail leaves.
fn queue(options: &Options) -> String {
    let mut text = QUEUE.to_owned();
    // Writing to a String cannot fail.
    let _infallible = writeln!(text, "retry_scale = {}", options.retry_scale);
    for (index, RouteTo { domain, host, port }) in options.routes.iter().enumerate() {
        let _infallible = write!(
            text,
            "\n[[queue.transport]]\nname = \"route {index}\"\nkind = \"smtp\"\nhost = \"{host}\"\n\
             port = {port}\ntls = \"opportunistic\"\n\
             [[queue.route]]\nto = [\"{domain}\"]\ntransport = \"route {index}\"\n"
        );
    }
    text
}

fn table(dir: &Path, options: &Options, ports: &[(Protocol, SocketAddr)]) -> String {
    let address = |wanted| {
        ports
            .iter()
            .find(|(protocol, _)| *protocol == wanted)
            .map_or_else(String::new, |(_, address)| address.to_string())
    };
    let ca = dir.join("tls/ca.pem");
    let mut elsewhere = String::from("mail for other domains goes to whoever sends it");
    if !options.routes.is_empty() {
        let shown = |RouteTo { domain, host, port }: &RouteTo| format!("{domain} to {host}:{port}");
        let routes: Vec<String> = options.routes.iter().map(shown).collect();
        // Writing to a String cannot fail.
        let _infallible = write!(elsewhere, ", but {}", routes.join(", "));
    }
    format!(
        "Pillarbox {version}: a mail server for trying and testing ({runtime})\n\
         \n  \
           SMTP                   {smtp}\n  \
           submission, STARTTLS   {submission}\n  \
           submissions, TLS       {submissions}\n  \
           IMAP, STARTTLS         {imap}\n  \
           IMAPS, TLS             {imaps}\n  \
           web                    http://{http}/\n  \
           web, TLS               https://{https}/\n  \
           IMAP, submission too   {https}, by ALPN imap and smtp\n\
         \n  \
           accounts   user@localhost, friend@localhost; any other name goes to user@localhost\n  \
           password   {PASSWORD}\n  \
           folder     {dir}\n  \
           CA         {ca}\n  \
           DNS        {zone}; no server is asked\n  \
           elsewhere  {elsewhere}\n\
         \n\
         Send a message, then read it:\n\
         \n  \
           swaks --server {smtp} --to user@localhost\n  \
           curl --cacert {ca} -u user@localhost:{PASSWORD} 'imaps://localhost:{imaps_port}/INBOX;MAILINDEX=1'\n",
        version = env!("CARGO_PKG_VERSION"),
        runtime = options.runtime.name(),
        smtp = address(Protocol::Smtp),
        submission = address(Protocol::Submission),
        submissions = address(Protocol::Submissions),
        imap = address(Protocol::Imap),
        imaps = address(Protocol::Imaps),
        http = address(Protocol::Http),
        https = address(Protocol::Https),
        dir = dir.display(),
        zone = dir.join(ZONE).display(),
        ca = ca.display(),
        imaps_port = ports
            .iter()
            .find(|(protocol, _)| *protocol == Protocol::Imaps)
            .map_or(0, |(_, address)| address.port()),
    )
}

/// Whom names are asked of.
const DNS: &str = "
[dns]
# Only for trying: all answers come from these files, and no server is asked. Changes of them are seen
# within seconds.
zones = [\"localhost.zone\", \"zone.txt\"]
# Without zones; not set: the servers of /etc/resolv.conf.
#servers = [\"127.0.0.1\"]
# Whose word is believed that an answer was proved by DNSSEC. Not set: servers on this machine.
#validating = [\"127.0.0.0/8\", \"::1\"]
#timeout_seconds = 5
#attempts = 2
";

/// What mail from outside is asked.
const CHECKS: &str = "
[checks]
# Whether mail that comes to the SMTP port is what it says: SPF, DKIM and DMARC. The findings stand in
# Authentication-Results and X-Pillarbox-Reason.
#enabled = true
#within_seconds = 20
# Refuse senders whose domain cannot get mail. Here only what stands in the zones is known.
sender_domain = false
# What to do where a domain wants mail refused or kept apart that it does not stand behind: enforce,
# junk (never refuse) or watch.
#dmarc = \"enforce\"
# What to do with mail that SPF fails and nothing else stands behind: accept, junk or refuse.
#spf_fail = \"junk\"
# Who passes on other people's mail: networks, and domains that SPF or a signature proves.
#forwarders = [\"192.0.2.0/24\", \"lists.example.org\"]
# Only for a house of one's own: names such as localhost count as domains.
single_labels = true
";

/// How mail leaves.
const QUEUE: &str = "
[queue]
# Whether mail leaves at all.
#enabled = true
# How long it is tried, and after how long its sender hears that it takes long.
#lifetime_seconds = 432_000
#warn_after_seconds = 14_400
# For how long it is remembered what has left.
#kept_seconds = 604_800
# Connections in all, to one address, and to one destination: one, for trying, so that messages arrive in
# the order in which they were sent. Not set: 4.
#connections_max = 200
#connections_per_address_max = 20
connections_per_destination_max = 1
# Which kind of addresses of a server is tried first.
#first = \"ipv6\"
# Connect from these addresses of this machine, at most one of each kind.
#connect_from = [\"192.0.2.1\", \"2001:db8::1\"]
# Other ways than to the servers of a domain, and what goes there; the first route that fits counts.
#[[queue.transport]]
#name = \"provider\"
#kind = \"smtp\" # or \"lmtp\", \"fail\" (with a text), \"discard\"
#host = \"smtp.example.net\"
#port = 587
#tls = \"starttls\" # or \"implicit\", \"opportunistic\", \"off\"
#user = \"me\"
#password_file = \"provider.password\"
#[[queue.route]]
#to = [\"example.org\", \".example.com\"]
#from = [\"boss@localhost\"]
#attempt = 1 # from which attempt on
#transport = \"provider\"
# Only for trying: mail for this server's own domains goes through the queue, too; that for others goes to
# whoever sends it, unless a route names its domain.
own = true
only_routes = true
# How many recipients an account may send to in 24 hours, and to how many who are new to it; 0, for trying:
# any number. Not set: 2_000 and 500.
recipients_a_day_max = 0
new_recipients_a_day_max = 0
# Only for trying: all times between attempts are so many times shorter.
";

/// In the folder.
const OWN_ZONE: &str = "localhost.zone";
const OWN_ZONE_TEXT: &str = "\
; Made by `pillarbox localserve`, and made anew at each of its starts: what DNS is to say beside it
; goes into zone.txt.
$ORIGIN localhost.
@       A       127.0.0.1
        AAAA    ::1
        MX      10 localhost.
        TXT     \"v=spf1 ip4:127.0.0.0/8 ip6:::1 -all\"
_dmarc  TXT     \"v=DMARC1; p=none\"
1.0.0.127.in-addr.arpa. PTR localhost.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa. PTR localhost.
";
/// In the folder: the public keys, for programs that check signatures without DNS.
const RECORDS: &str = "dkim-records.txt";
/// In the folder; the user's own.
const ZONE: &str = "zone.txt";
const ZONE_TEXT: &str = "\
; What `pillarbox localserve` finds in DNS, beside localhost.zone: add what you want to try. It is a
; zone file; a change is seen within seconds. What stands in neither file is not there.
;
; $ORIGIN example.org.
; @         MX    10 mail
;           TXT   \"v=spf1 ip4:192.0.2.1 -all\"
; mail      A     192.0.2.1
; _dmarc    TXT   \"v=DMARC1; p=quarantine\"
";

/// What the HTTP listeners have in common, as it is where it is not set.
const WEB: &str = "
#[web]
# For how long browsers are to come with TLS only; 0: not said. Never said for localhost.
#hsts_seconds = 31_536_000
# What other servers are told about TLS on the way to us: \"none\", \"testing\" or \"enforce\".
# Not set: nothing.
#mta_sts = \"testing\"
#mta_sts_max_age_seconds = 604_800
# Not set: the hostname above.
#mta_sts_mx = [\"localhost\"]
";

/// What may be set, each as it is where it is not set: a test holds that.
const LIMITS: &str = "
#[limits]
# What one session of SMTP may hold.
#message_bytes_max = 52_428_800
#text_line_bytes_max = 1_048_576
#recipients_max = 1_000
# How many messages.
#transactions_max = 100_000
# Commands that are no use, since the last accepted message.
#bad_commands_max = 20
# How long SMTP waits: without a byte from the client, for the rest of a command, for a body, for a
# whole session.
#idle_seconds_max = 300
#command_seconds_max = 300
#body_seconds_max = 7_200
#session_seconds_max = 21_600
# How much of a body must have come by then, once idle_seconds_max has passed.
#body_bytes_per_second_min = 500
# Who makes one mistake after the other is answered later and later, up to this; 0: no later.
#slow_answer_seconds_max = 20
# What the header of a message may hold.
#header_bytes_max = 262_144
#header_fields_max = 1_000
#header_addresses_max = 5_000
#header_received_max = 100
# How many MIME parts a message may have.
#parts_max = 1_000
# What one HTTP connection may hold.
#web_header_bytes_max = 16_384
#web_headers_max = 100
#web_body_bytes_max = 65_536
#web_streams_max = 100
# How long HTTP waits: for the head of a request, between requests, and for the end of an answer.
#web_header_seconds_max = 10
#web_idle_seconds_max = 60
#web_request_seconds_max = 60
#connections_max = 10_000
# From one address; this machine's own are not counted.
#connections_per_address_max = 100
#stop_within_seconds = 10
# Bytes of mail that an account may have, where it has no quota of its own; not set: any number.
#account_bytes_max = 10_000_000_000

#[login]
# A password that was right is not checked anew for so long; 0: it is, each time.
#remembered_seconds = 600
";

#[cfg(test)]
mod tests {
    use pillarbox_core::dns::{Kind, Name, Question};

    use super::*;
    use crate::dns::{Source, files};

    fn options(port_offset: u16) -> Options {
        Options {
            dir: None,
            runtime: RuntimeKind::Std,
            ip: "::1".parse().unwrap(),
            port_offset,
            routes: vec!["a.example=[::1]:25".parse().unwrap()],
            retry_scale: 1,
        }
    }

    #[test]
    fn the_file_left_to_learn_from_is_the_configuration_that_runs() {
        let dir = tempfile::tempdir().unwrap();
        let options = options(20_000);
        let (config, text) = prepare(dir.path(), &options, &ports(&options).unwrap()).unwrap();
        assert_eq!(config.runtime, RuntimeKind::Std);
        assert_eq!(config.listeners.len(), PORTS.len());
        assert_eq!(config.listeners[0].address, "[::1]:21025".parse().unwrap());
        assert!(config.tls.is_some() && config.delivery.trouble);
        fs::write(dir.path().join(CONFIGURATION), text).unwrap();
        let again = Config::load(&dir.path().join(CONFIGURATION)).unwrap();
        assert_eq!(again.listeners, config.listeners);
        assert_eq!(again.dns, config.dns);
        let queue = config.queue.unwrap();
        assert_eq!(queue.route("user@localhost", "a.example", 1), Some("route 0"));
        assert_eq!(again.queue.unwrap(), queue);
    }

    #[test]
    fn routes_and_scales() {
        for (text, host, port) in
            [("a.example=127.0.0.1:1", "127.0.0.1", 1), ("x=[::1]:25", "::1", 25)]
        {
            let route: RouteTo = text.parse().unwrap();
            assert_eq!((&*route.host, route.port), (host, port));
        }
        for text in ["", "a", "a=b", "a=b:0", "=b:1", "a=:1", "a\"=b:1", "a=b:x"] {
            assert!(text.parse::<RouteTo>().is_err(), "{text}");
        }
        for (text, scale) in [("100", 100), ("0.01", 100), ("1", 1), ("2.5", 3)] {
            assert_eq!(read_scale(text), Ok(scale));
        }
        for text in ["", "x", "0", "-1", "1e9", "nan"] {
            assert!(read_scale(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_come_from_files_that_can_be_changed() {
        let dir = tempfile::tempdir().unwrap();
        let options = options(0);
        let prepared = || prepare(dir.path(), &options, &ports(&options).unwrap()).unwrap().0;
        let has = |config: &Config, name: &str, kind| {
            let question = Question { name: Name::parse(name).unwrap(), kind };
            let Source::Zone(zone) = files::read(&config.dns).unwrap() else { panic!() };
            zone.lookup(&question).is_ok()
        };
        let config = prepared();
        let loopback = Name::of_address("::1".parse().unwrap());
        for (name, kind) in [
            ("localhost", Kind::Aaaa),
            ("localhost", Kind::Txt),
            ("_dmarc.localhost", Kind::Txt),
            (loopback.as_str(), Kind::Ptr),
        ] {
            assert!(has(&config, name, kind), "{name}");
        }
        assert!(!has(&config, "mail.example.org", Kind::A));
        let shown = ZONE_TEXT.replace("\n; $", "\n$").replace("\n; ", "\n").replace("\n;", "\n");
        let shown: String = shown.lines().skip(2).map(|line| format!("{line}\n")).collect();
        fs::write(dir.path().join(ZONE), shown).unwrap();
        let config = prepared();
        assert!(has(&config, "mail.example.org", Kind::A) && has(&config, "localhost", Kind::A));
    }

    #[test]
    fn every_limit_that_is_shown_is_what_holds_without_it() {
        let head = "hostname = \"a\"\ndata = \".\"\n[[listener]]\nprotocol = \"smtp\"\n\
                    address = \"[::1]:25\"\n";
        let limits = |text: &str| {
            let config = Config::parse(Path::new("x.toml"), &format!("{head}{text}")).unwrap();
            (config.limits, config.logins)
        };
        assert_eq!(limits(LIMITS), limits(""));
        let all: String = LIMITS
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let mut shown = limits(&all);
        assert_eq!(shown.0.account_bytes_max.take(), Some(10_000_000_000));
        assert_eq!(shown, limits(""));
    }

    #[test]
    fn what_is_shown_of_the_web_is_what_holds_without_it() {
        let web = |text: &str| {
            let head = "hostname = \"localhost\"\ndata = \".\"\n[[listener]]\n\
                        protocol = \"http\"\naddress = \"[::1]:80\"\n";
            Config::parse(Path::new("x.toml"), &format!("{head}{text}")).unwrap().web
        };
        let shown = WEB.replace("\n#", "\n").replace("\n ", "\n# ").replace("Not set", "# Not set");
        let shown = shown.replace("# # ", "# ");
        assert_eq!(web(WEB), web(""));
        let mut set = web(&shown);
        let policy = set.mta_sts.take().unwrap();
        assert_eq!(set, web(""));
        let least = web("[web]\nmta_sts = \"testing\"\n").mta_sts.unwrap();
        assert_eq!(policy, least);
    }

    #[test]
    fn an_offset_past_the_last_port_is_refused() {
        assert!(ports(&options(65_535 - 1_993)).is_ok());
        assert!(ports(&options(65_535 - 1_992)).unwrap_err().contains("1993"));
    }
}
