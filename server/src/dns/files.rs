//! Where the server's answers come from: its configuration, and files of the machine, which are read
//! again when they change.

use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use pillarbox_core::dns::{Hosts, Name, Server, Settings, Zone};

use super::{Resolver, Source};
use crate::config::{Dns, folder_of};

const RESOLV_CONF: &str = "/etc/resolv.conf";
const HOSTS: &str = "/etc/hosts";
/// More of a file is not read: lists of hosts that are to be blocked are long.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What has to stay readable while the server runs: the files, and the folders of those that are not
/// changed but replaced by others.
#[must_use]
pub(crate) fn paths(dns: &Dns) -> Vec<PathBuf> {
    let files = files(dns);
    // Whoever keeps a file there makes it anew each time.
    let led_to = (files.iter().filter_map(|path| path.canonicalize().ok()))
        .filter(|path| path.starts_with("/run"))
        .filter_map(|path| folder_of(&path));
    let own = dns.zones.iter().filter_map(|path| folder_of(path));
    files.iter().cloned().chain(led_to).chain(own).collect()
}

fn files(dns: &Dns) -> Vec<PathBuf> {
    if !dns.zones.is_empty() {
        return dns.zones.clone();
    }
    let servers = dns.servers.is_empty().then(|| PathBuf::from(RESOLV_CONF));
    servers.into_iter().chain([PathBuf::from(HOSTS)]).collect()
}

/// Reads where answers come from.
///
/// # Errors
/// A zone cannot be read. What the machine's own files do not say is as if they were not there.
pub(crate) fn read(dns: &Dns) -> Result<Source, String> {
    if !dns.zones.is_empty() {
        return read_zones(&dns.zones).map(Source::Zone);
    }
    let text = |path: &str| {
        read_file(Path::new(path)).unwrap_or_else(|why| {
            log::warn!(file = path, why = why.as_str(); "cannot be read");
            String::new()
        })
    };
    let mut settings = if dns.servers.is_empty() {
        Settings::from_resolv_conf(&text(RESOLV_CONF))
    } else {
        let servers = dns.servers.iter().copied().map(Server::at).collect();
        Settings { servers, ..Settings::default() }
    };
    if let Some(validating) = &dns.validating {
        for server in &mut settings.servers {
            let ip = server.address.ip();
            server.validating = validating.iter().any(|network| network.contains(ip));
        }
    }
    settings.timeout = dns.timeout.unwrap_or(settings.timeout);
    settings.rounds = dns.attempts.unwrap_or(settings.rounds);
    Ok(Source::Servers(settings, Hosts::parse(&text(HOSTS))))
}

fn read_zones(files: &[PathBuf]) -> Result<Zone, String> {
    let mut zone = Zone::default();
    for file in files {
        let text =
            read_file(file).map_err(|why| format!("cannot read {}: {why}", file.display()))?;
        zone.read(&text, &Name::root()).map_err(|why| format!("{}:{why}", file.display()))?;
    }
    Ok(zone)
}

fn read_file(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Says what the answers are worth.
fn tell(source: &Source) {
    let Source::Servers(settings, _) = source else {
        log::info!("DNS: all answers come from the zone files of the configuration");
        return;
    };
    let asked: Vec<SocketAddr> = settings.asked().iter().map(|server| server.address).collect();
    if settings.is_validating() {
        let not_asked = settings.servers.len() - asked.len();
        log::info!(servers:? = asked, not_asked; "DNS: these servers are believed to validate (DNSSEC); \
            others would not be asked");
    } else {
        log::warn!(servers:? = asked; "DNS: none of these servers is known to validate (DNSSEC), so \
            that no answer counts as secure: run one on this machine, such as unbound, or name one \
            that can be reached safely in [dns] validating");
    }
}

/// By what a file is known to have changed.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

fn stamps(dns: &Dns) -> Vec<Stamp> {
    let of = |it: Metadata| (it.dev(), it.ino(), it.size(), it.mtime(), it.mtime_nsec());
    files(dns).iter().map(|path| fs::metadata(path).ok().map(of)).collect()
}

/// The files that answers come from, and how they were when they were read last.
#[derive(Debug)]
pub(crate) struct Files {
    dns: Dns,
    known: Vec<Stamp>,
}

impl Files {
    /// Reads where answers come from, for the first time.
    ///
    /// # Errors
    /// See [`read`].
    pub(crate) fn open(dns: &Dns) -> Result<(Self, Source), String> {
        let files = Self { dns: dns.clone(), known: stamps(dns) };
        Ok((files, read(dns)?))
    }

    /// Takes up what has changed; says whether anything has.
    fn look(&mut self, resolver: &Resolver) -> bool {
        // Before the files: a change while they are read is seen the next time.
        let now = stamps(&self.dns);
        if now == self.known {
            return false;
        }
        self.known = now;
        reload(&self.dns, resolver)
    }

    /// Looks after the files: at once, and on a thread of its own at each call through `orders`, and
    /// every few seconds by itself.
    ///
    /// # Errors
    /// No thread is left.
    pub(crate) fn watch(
        mut self,
        resolver: Arc<Resolver>,
        orders: Receiver<()>,
    ) -> std::io::Result<()> {
        self.look(&resolver);
        tell(&resolver.source());
        let look = move || {
            loop {
                match orders.recv_timeout(LOOK_EVERY) {
                    Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                if self.look(&resolver) {
                    tell(&resolver.source());
                }
            }
        };
        thread::Builder::new().name("dns".into()).stack_size(256 << 10).spawn(look).map(drop)
    }
}

/// Reads the files again; says whether they say something else now. What cannot be read changes
/// nothing.
fn reload(dns: &Dns, resolver: &Resolver) -> bool {
    let unreadable =
        files(dns).into_iter().find(|file| fs::metadata(file).is_ok() && File::open(file).is_err());
    if let Some(file) = unreadable {
        log::error!(file:% = file.display(); "has changed and cannot be read: what it said before \
            stays in use until the server starts again");
        return false;
    }
    match read(dns) {
        Ok(source) if source == *resolver.source() => false,
        Ok(source) => {
            resolver.replace(source);
            true
        }
        Err(why) => {
            log::error!(why = why.as_str(); "the old zone files stay in use");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use pillarbox_core::dns::{Kind, Question};

    use super::*;
    use crate::context::SystemRandom;

    fn dns(zone: &Path) -> Dns {
        Dns { zones: vec![zone.to_owned()], ..Dns::default() }
    }

    #[test]
    fn a_change_of_the_files_is_taken_up_and_half_a_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("zone");
        fs::write(&file, "a. A 192.0.2.1\n").unwrap();
        let dns = dns(&file);
        let (mut files, source) = Files::open(&dns).unwrap();
        let resolver = Resolver::new(source, || Box::new(SystemRandom::default()));
        let has = |name: &str| {
            let question = Question { name: Name::parse(name).unwrap(), kind: Kind::A };
            match &*resolver.source() {
                Source::Zone(zone) => zone.lookup(&question).is_ok(),
                other @ Source::Servers(..) => panic!("{other:?}"),
            }
        };
        fs::write(&file, "b. A 192.0.2.1 ; longer\n").unwrap();
        assert!(files.look(&resolver) && !files.look(&resolver));
        assert!(has("b") && !has("a"));
        for broken in ["c. A nothing\n", "c. A 192.0.2.1\nd. A"] {
            fs::write(&file, broken).unwrap();
            assert!(!files.look(&resolver) && has("b") && !has("c"), "{broken}");
        }
        fs::remove_file(&file).unwrap();
        assert!(!files.look(&resolver) && has("b"));
        assert!(read(&dns).unwrap_err().contains("cannot read"));
    }

    #[test]
    fn who_validates_is_configured() {
        let ips = ["127.0.0.1:53", "192.0.2.1:53", "192.0.2.2:5353"];
        let servers: Vec<SocketAddr> = ips.map(|ip| ip.parse().unwrap()).to_vec();
        for (validating, expected) in [
            (None, vec!["127.0.0.1:53"]),
            (Some("192.0.2.2/32"), vec!["192.0.2.2:5353"]),
            (Some("192.0.2.0/24"), vec!["192.0.2.1:53", "192.0.2.2:5353"]),
            // None: all are asked, and nothing is secure.
            (Some("198.51.100.1/32"), ips.to_vec()),
        ] {
            let validating = validating.map(|network| vec![network.parse().unwrap()]);
            let attempts = Some(1);
            let dns = Dns { servers: servers.clone(), validating, attempts, ..Dns::default() };
            let Source::Servers(settings, _) = read(&dns).unwrap() else { panic!() };
            let asked = settings.asked();
            let asked: Vec<String> =
                asked.iter().map(|server| server.address.to_string()).collect();
            assert_eq!(asked, expected);
            assert_eq!((settings.rounds, settings.timeout), (1, Duration::from_secs(5)));
        }
    }

    #[test]
    fn what_is_read_later_stays_readable() {
        let found = paths(&dns(Path::new("/srv/mail/zone.txt")));
        assert_eq!(found, [Path::new("/srv/mail/zone.txt"), Path::new("/srv/mail")]);
        let found = paths(&Dns::default());
        assert_eq!(found[..2], [Path::new(RESOLV_CONF), Path::new(HOSTS)]);
        assert!(found[2..].iter().all(|folder| folder.starts_with("/run")), "{found:?}");
        let servers = vec![([127, 0, 0, 1], 53).into()];
        assert_eq!(paths(&Dns { servers, ..Dns::default() })[..1], [Path::new(HOSTS)]);
    }
}
