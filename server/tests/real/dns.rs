//! DNS as it is out there: an unbound that proves answers (DNSSEC), for zones of our own.

use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::on_each_runtime;
use crate::server::{Place, Server, peer, pillarbox, run, succeed};

on_each_runtime!(it_is_found_out_whether_servers_prove_what_they_say);

/// What becomes of the root of our net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Signed,
    /// Signed, and then changed.
    Forged,
    Plain,
}

/// An unbound on a port of its own, which is the only one that knows its net.
pub(crate) struct Unbound {
    _folder: TempDir,
    _process: Server,
    port: u16,
}

const ROOT: &str = "\
$ORIGIN .
$TTL 3600
@ SOA ns. root. 1 3600 900 86400 300
@ NS ns.
ns A 127.0.0.1
mail.signed MX 10 mx.signed.
mx.signed A 192.0.2.1
_25._tcp.mx.signed TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
in.signed CNAME mx.signed.
out.signed CNAME a.plain.
forged.signed A 192.0.2.9
7.2.0.192.in-addr.arpa CNAME 7.0/25.2.0.192.in-addr.arpa.
7.0/25.2.0.192.in-addr.arpa PTR mx.signed.
plain NS ns.
";

/// Without proof, and without one that there ought to be one.
const PLAIN: &str = "\
$ORIGIN plain.
$TTL 3600
@ SOA ns. root. 1 3600 900 86400 300
@ NS ns.
a A 192.0.2.2
";

impl Unbound {
    fn new(root: Root) -> Self {
        Self::knowing(root, "")
    }

    /// The same, with more in its zone.
    pub(crate) fn knowing(root: Root, more: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("unbound-").tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // More than fits into a datagram.
        let large: String = (0..30)
            .map(|number| {
                let long = format!("{number}{}", "x".repeat(50));
                format!("large.signed TXT {long}\n@ NS ns.{long}.\n")
            })
            .collect();
        fs::write(path("root.zone"), ROOT.to_owned() + &large + more).unwrap();
        fs::write(path("plain.zone"), PLAIN).unwrap();
        let (mut zone, mut anchor) = (path("root.zone"), String::new());
        if root != Root::Plain {
            let keygen = ["-a", "ECDSAP256SHA256", "-k", "."];
            let key = succeed(Command::new("ldns-keygen").current_dir(&folder).args(keygen));
            let key = String::from_utf8(key).unwrap().trim().to_owned();
            let sign = ["-f", "root.signed", "root.zone", &key];
            succeed(Command::new("ldns-signzone").current_dir(&folder).args(sign));
            zone = path("root.signed");
            let mut signed =
                fs::read_to_string(&zone).unwrap().replace("192.0.2.9\n", "192.0.2.8\n");
            if root == Root::Forged {
                signed = signed.replace("\tNS\tns.\n", "\tNS\tother.\n");
            }
            fs::write(&zone, signed).unwrap();
            anchor = format!("trust-anchor-file: \"{}\"", path(&format!("{key}.key")).display());
        }
        let program = peer("unbound/usr/sbin/unbound");
        for _ in 0..20 {
            let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let text = configuration(folder.path(), free, &anchor, &zone);
            fs::write(path("unbound.conf"), text).unwrap();
            let process =
                Server::spawn(Command::new(&program).arg("-dc").arg(path("unbound.conf")));
            if process.stderr.wait_for(|line| line.contains("start of service")).is_some() {
                return Self { _folder: folder, _process: process, port: free };
            }
            let why = process.stderr.text();
            assert!(why.contains("can't bind"), "unbound did not start: {why}");
        }
        panic!("no free port found");
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn configuration(
    folder: &std::path::Path,
    port: u16,
    anchor: &str,
    zone: &std::path::Path,
) -> String {
    let zones = [(".", zone.to_owned()), ("plain.", folder.join("plain.zone"))];
    let zones: String = zones
        .iter()
        .map(|(name, file)| {
            format!(
                "auth-zone:\n name: \"{name}\"\n zonefile: \"{}\"\n for-downstream: no\n \
                 for-upstream: yes\n fallback-enabled: no\n",
                file.display()
            )
        })
        .collect();
    format!(
        "server:\n chroot: \"\"\n username: \"\"\n directory: \"{}\"\n pidfile: \"\"\n \
         use-syslog: no\n logfile: \"\"\n do-daemonize: no\n interface: 127.0.0.1\n port: {port}\n \
         do-ip6: no\n module-config: \"validator iterator\"\n val-log-level: 2\n ede: yes\n \
         local-zone: \"2.0.192.in-addr.arpa.\" nodefault\n {anchor}\n\
         remote-control:\n control-enable: no\n{zones}",
        folder.display()
    )
}

fn lookup(arguments: &[&str]) -> Output {
    run(pillarbox().args(["dns", "lookup"]).args(arguments))
}

/// What is told of a question, and whether the command did not fail. Unbound counts down for how long
/// an answer holds, which is left out.
fn told(arguments: &[&str]) -> (String, bool) {
    let output = lookup(arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    let lines = said.lines().map(|line| match line.trim().splitn(3, ' ').collect::<Vec<_>>()[..] {
        [name, ttl, rest] if ttl.parse::<u32>().is_ok() => format!("  {name} {rest}\n"),
        _ => format!("{line}\n"),
    });
    let said: String = lines.collect();
    let why = String::from_utf8(output.stderr).unwrap();
    (format!("{said}{why}"), output.status.success())
}

#[test]
fn what_is_proved_is_secure() {
    let unbound = Unbound::new(Root::Signed);
    let (secure, insecure) = ("  secure: proved by DNSSEC", "  insecure");
    for (name, kind, expected, worth) in [
        ("mail.signed", "MX", "mail.signed. MX 10 mx.signed.", secure),
        ("_25._tcp.mx.signed", "tlsa", "_25._tcp.mx.signed. TLSA 3 1 1 0011", secure),
        ("in.signed", "A", "mx.signed. A 192.0.2.1", secure),
        ("192.0.2.7", "PTR", "7.0/25.2.0.192.in-addr.arpa. PTR mx.signed.", secure),
        ("mx.signed", "AAAA", "the name has no such record", secure),
        ("a.signed", "A", "there is no such name", secure),
        ("out.signed", "A", "a.plain. A 192.0.2.2", insecure),
        ("a.plain", "A", "a.plain. A 192.0.2.2", insecure),
        ("b.plain", "A", "there is no such name", insecure),
        ("large.signed", "TXT", "by TCP: answered", secure),
        (".", "NS", "by TCP: answered", secure),
    ] {
        let (said, success) = told(&[name, kind, "--server", &unbound.address()]);
        assert!(success && said.contains(expected), "{name} {kind}: {said}");
        assert_eq!(said.lines().next_back(), Some(worth), "{name} {kind}: {said}");
    }
    let (said, success) = told(&["forged.signed", "A", "--server", &unbound.address()]);
    let why = "says SERVFAIL: DNSSEC Bogus (6): validation failure";
    assert!(!success && said.lines().next_back().unwrap().contains(why), "{said}");
    assert!(!said.contains("192.0.2.8"), "{said}");
}

/// The server asks by its runtime, from within its sandbox, first by UDP, then by TCP.
fn it_is_found_out_whether_servers_prove_what_they_say(runtime: &'static str) {
    let place = Place::new(runtime);
    place.localserve().stop();
    for (root, expected) in [
        (Root::Signed, "DNS: the root's servers are proved"),
        (Root::Forged, "says SERVFAIL: DNSSEC Bogus (6)"),
        (Root::Plain, "they do not say that the root's own servers are proved"),
    ] {
        let unbound = Unbound::new(root);
        ask_there(&place, &format!("servers = [\"{}\"]", unbound.address()));
        let server = place.serve("", "");
        let found = server.stderr.wait_for(|line| line.contains(expected));
        assert!(found.is_some(), "{root:?}: {}", server.stderr.text());
        assert!(server.stderr.text().contains("believed to validate"));
        assert!(!server.stderr.text().contains("cannot be read"), "{}", server.stderr.text());
        server.stop();
    }
    ask_there(&place, "servers = [\"192.0.2.1\"]");
    let server = place.serve("", "");
    assert!(server.stderr.text().contains("none of these servers is known to validate"));
    server.stop();
    // The machine's own.
    ask_there(&place, "attempts = 1");
    let server = place.serve("", "");
    let said = server.stderr.text();
    assert!(!said.contains("file=\"/etc/resolv.conf\"") && said.contains("DNS: "), "{said}");
    server.stop();
}

/// Puts these lines in the place of the zones in the configuration.
fn ask_there(place: &Place, lines: &str) {
    let file: PathBuf = place.dir().join("pillarbox.toml");
    let text = fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once("[dns]\n").unwrap();
    let (_, rest) = rest.split_once("\n\n").unwrap();
    fs::write(&file, format!("{head}[dns]\n{lines}\n\n{rest}")).unwrap();
}

#[test]
fn localserve_has_a_net_of_its_own() {
    let place = Place::new("smol");
    let server = place.localserve();
    let config = place.dir().join("pillarbox.toml");
    let told = |name: &str| told(&[name, "TXT", "--config", config.to_str().unwrap()]).0;
    assert!(told("localhost").contains("v=spf1"));
    assert!(told("example.org").contains("there is no such name"));
    let own = place.dir().join("zone.txt");
    fs::write(&own, "example.org. TXT \"by hand\"\n").unwrap();
    assert!(told("example.org").contains("example.org. TXT \"by hand\""));
    // The server sees it too; and what it cannot read changes nothing.
    server.signal("HUP");
    fs::write(&own, "example.org. A by hand\n").unwrap();
    server.signal("HUP");
    let why = server.stderr.wait_for(|line| line.contains("the old zone files stay in use"));
    assert!(why.unwrap().contains("zone.txt:"), "{}", server.stderr.text());
    server.stop();
    // Nor does it start with it.
    let output = run(&mut place.localserve_command());
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && why.contains("zone.txt:"), "{why}");
}
