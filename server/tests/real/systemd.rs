//! What a service manager does: it hands over sockets, hears that the server is ready and alive,
//! and that it stops. The tests play the manager.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use crate::contract::one_line;
use crate::on_each_runtime;
use crate::secure::{Secure, TLS13, Trust};
use crate::server::{PATIENCE, Place, Server, run};
use crate::talk::{Imap, Talk, letter};

on_each_runtime!(
    serves_on_sockets_handed_over,
    tells_of_its_life_from_ready_to_stopping,
    falls_silent_when_it_is_stuck,
    reads_renewed_certificates_when_it_is_told_to,
);

/// The manager of one unit.
struct Manager {
    place: Place,
    hears: UnixDatagram,
    /// What is handed over, with its names.
    sockets: Vec<(&'static str, OwnedFd)>,
    watchdog: Option<Duration>,
}

impl Manager {
    fn new(runtime: &'static str) -> Self {
        let place = Place::new(runtime);
        let hears = UnixDatagram::bind(place.beside("notify")).unwrap();
        hears.set_read_timeout(Some(PATIENCE)).unwrap();
        place.localserve().stop();
        Self { place, hears, sockets: Vec::new(), watchdog: None }
    }

    /// A `.socket` unit; its address.
    fn socket(&mut self, name: &'static str, address: &str) -> SocketAddr {
        let socket = TcpListener::bind(address).unwrap();
        let address = socket.local_addr().unwrap();
        // Out of the way of the numbers that it gets in the server.
        let socket = fcntl_dupfd_cloexec(&socket, 100).unwrap();
        fcntl_setfd(&socket, FdFlags::empty()).unwrap();
        self.sockets.push((name, socket));
        address
    }

    /// A configuration with two threads and these listeners; the accounts are `localserve`'s.
    fn configure(&self, listeners: &[(&str, SocketAddr)]) -> PathBuf {
        let mut text = format!(
            "hostname = \"localhost\"\ndata = \".\"\n[checks]\nenabled = false\n\
             [runtime]\nkind = \"{}\"\nthreads = 2\n",
            self.place.runtime
        );
        for (protocol, address) in listeners {
            text.push_str(&format!(
                "[[listener]]\nprotocol = \"{protocol}\"\naddress = \"{address}\"\n\
                 login_without_tls = true\n"
            ));
        }
        let file = self.place.dir().join("own.toml");
        fs::write(&file, text).unwrap();
        file
    }

    /// What starts the server with its sockets from 3 on, and tells it that they are its own.
    fn command(&self, file: &PathBuf) -> Command {
        let mut steps = String::new();
        for (index, (_, socket)) in self.sockets.iter().enumerate() {
            let number = socket.as_raw_fd();
            steps.push_str(&format!("exec {}<&{number} {number}<&-; ", 3 + index));
        }
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("{steps} export LISTEN_PID=$$ WATCHDOG_PID=$$; exec \"$@\""));
        command.args(["bash", env!("CARGO_BIN_EXE_pillarbox"), "serve", "--config"]).arg(file);
        let names: Vec<_> = self.sockets.iter().map(|(name, _)| *name).collect();
        command.env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
        command.env("NOTIFY_SOCKET", self.place.beside("notify"));
        if let Some(period) = self.watchdog {
            command.env("WATCHDOG_USEC", period.as_micros().to_string());
        }
        command
    }

    /// The next message, as its lines; `None` where none comes.
    fn hear(&self) -> Option<Vec<String>> {
        let mut bytes = [0; 4096];
        let count = self.hears.recv(&mut bytes).ok()?;
        let text = std::str::from_utf8(&bytes[..count]).unwrap();
        Some(text.lines().map(str::to_owned).collect())
    }

    fn start(&self, file: &PathBuf) -> Server {
        let server = Server::spawn(&mut self.command(file));
        let message = self.hear().unwrap_or_else(|| panic!("{}", server.stderr.text()));
        assert_eq!(message, ["READY=1", "STATUS=serving"]);
        server
    }
}

fn serves_on_sockets_handed_over(runtime: &'static str) {
    let mut manager = Manager::new(runtime);
    let smtp = manager.socket("smtp", "127.0.0.1:0");
    let imap = manager.socket("imap", "127.0.0.1:0");
    let own = SocketAddr::from(([127, 0, 0, 1], manager.place.smtp()));
    // In another order than they are handed over, and one between them that is not.
    let file = manager.configure(&[("imap", imap), ("smtp", own), ("smtp", smtp)]);
    let server = manager.start(&file);
    // More at once than there are threads, on the socket that these share.
    let mut talks: Vec<_> = (0..20).map(|_| Talk::smtp(smtp.port()).unwrap()).collect();
    for talk in &mut talks {
        let reply = talk.deliver(&["user@localhost"], &letter("handed", 0)).unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    }
    drop(talks);
    assert!(Talk::smtp(own.port()).unwrap().say("NOOP").unwrap().starts_with("250"));
    assert_eq!(Imap::login(imap.port(), "user").inbox().len(), 20);
    server.stop();
    while manager.hear().unwrap().first().is_none_or(|line| line != "STOPPING=1") {}

    // Who comes between two starts waits, and is served.
    let mut early = Talk::to(smtp.port()).unwrap();
    let server = manager.start(&file);
    assert!(early.reply().unwrap().starts_with("220"));
    server.stop();
}

fn tells_of_its_life_from_ready_to_stopping(runtime: &'static str) {
    let mut manager = Manager::new(runtime);
    manager.watchdog = Some(Duration::from_millis(200));
    let smtp = manager.socket("smtp", "127.0.0.1:0");
    let file = manager.configure(&[("smtp", smtp)]);
    let begun = Instant::now();
    let server = manager.start(&file);
    let _talk = Talk::smtp(smtp.port()).unwrap();
    let counted = ["WATCHDOG=1", "STATUS=serving, 1 connections"];
    while manager.hear().unwrap() != counted {}
    for _ in 0..5 {
        assert_eq!(manager.hear().unwrap(), counted);
    }
    // One each 100 ms, and no flood of them.
    assert!(begun.elapsed() > Duration::from_millis(500), "{:?}", begun.elapsed());
    server.signal("TERM");
    let last = loop {
        let message = manager.hear().unwrap();
        if message[0] != "WATCHDOG=1" {
            break message;
        }
    };
    // The grace of 10 s, and the margin.
    let stopping = ["STOPPING=1", "STATUS=stopping: transactions may end"];
    assert_eq!(last[..2], stopping);
    assert_eq!(last[2..], ["EXTEND_TIMEOUT_USEC=40000000", "WATCHDOG=1"]);
    server.stop();
}

fn falls_silent_when_it_is_stuck(runtime: &'static str) {
    let mut manager = Manager::new(runtime);
    manager.watchdog = Some(Duration::from_millis(200));
    let smtp = manager.socket("smtp", "127.0.0.1:0");
    let server = manager.start(&manager.configure(&[("smtp", smtp)]));
    assert_eq!(manager.hear().unwrap()[0], "WATCHDOG=1");
    // One thread of the runtime is enough: strace holds it before whatever it calls next. Where
    // each machine has a thread, that of the beat is the last; helpers of an executor, which have
    // its name, come after it.
    let named = if runtime == "std" { "machine" } else { runtime };
    let mut threads = fs::read_dir(format!("/proc/{}/task", server.pid()))
        .unwrap()
        .map(|thread| thread.unwrap().path())
        .filter(|path| fs::read_to_string(path.join("comm")).unwrap().trim() == named);
    let thread = if runtime == "std" { threads.last() } else { threads.next() }.unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-o", "/dev/null", "-e", "inject=all:delay_enter=60000000"]);
    strace.arg("-p").arg(thread.file_name().unwrap());
    let strace = Server::spawn(&mut strace);
    assert!(strace.stderr.wait_for(|line| line.contains("attached")).is_some());
    // What was told until strace came.
    manager.hears.set_nonblocking(true).unwrap();
    while manager.hear().is_some() {}
    manager.hears.set_nonblocking(false).unwrap();
    manager.hears.set_read_timeout(Some(Duration::from_millis(1_500))).unwrap();
    let heard = (0..20).take_while(|_| manager.hear().is_some()).count();
    assert!(heard < 10, "{heard} signs of life from a thread that is stuck");
    strace.kill();
    server.kill();
}

/// As certbot renews them: new files beside the old ones, and links that lead to them.
fn reads_renewed_certificates_when_it_is_told_to(runtime: &'static str) {
    let mut manager = Manager::new(runtime);
    let imaps = manager.socket("imaps", "127.0.0.1:0");
    let [live, archive] = ["live", "archive"].map(|name| manager.place.beside(name));
    fs::create_dir(&live).unwrap();
    fs::create_dir(&archive).unwrap();
    // Lays the files of this number, and lets the links lead there; the CA that vouches for them.
    let renew = |number: u8| {
        let made = manager.place.beside(&format!("made{number}"));
        pillarbox::certificates::ensure(&made).unwrap();
        for kind in ["cert", "key"] {
            let file = archive.join(format!("{kind}{number}.pem"));
            fs::rename(made.join(format!("{kind}.pem")), &file).unwrap();
            symlink(&file, live.join("next")).unwrap();
            fs::rename(live.join("next"), live.join(format!("{kind}.pem"))).unwrap();
        }
        Trust::new(&made.join("ca.pem"), &[TLS13])
    };
    let first = renew(1);
    let file = manager.configure(&[("imaps", imaps)]);
    let text = fs::read_to_string(&file).unwrap();
    let pair = |kind: &str| live.join(kind).display().to_string();
    let tls = format!("certificate = \"{}\"\nkey = \"{}\"", pair("cert.pem"), pair("key.pem"));
    fs::write(&file, format!("{text}[tls]\n{tls}\n")).unwrap();
    let server = manager.start(&file);
    let said = server.stderr.text();
    assert!(said.contains(" sandboxed ") && !said.contains("not in this kernel"), "{said}");
    let mut early = Secure::to(imaps.port(), &first).unwrap();
    assert!(early.line().unwrap().starts_with("* OK"));

    let second = renew(2);
    server.signal("HUP");
    let message = manager.hear().unwrap();
    assert_eq!(message[0], "RELOADING=1");
    assert!(message[1].starts_with("MONOTONIC_USEC="), "{message:?}");
    assert_eq!(manager.hear().unwrap(), ["READY=1", "STATUS=serving"]);
    let late = Secure::to(imaps.port(), &second).unwrap();
    assert_ne!(late.certificate(), early.certificate());
    assert!(early.say("a NOOP").unwrap().starts_with("a OK"), "who was there stays");
    assert!(Secure::to(imaps.port(), &first).is_err(), "the old certificate is gone");
    server.stop();
}

/// By systemd's own hand: its tool starts the server when the first client comes.
#[test]
fn is_started_by_the_first_who_comes() {
    let manager = Manager::new("smol");
    let address = SocketAddr::from(([127, 0, 0, 1], manager.place.smtp()));
    let file = manager.configure(&[("smtp", address)]);
    let mut command = Command::new("systemd-socket-activate");
    command.arg(format!("--listen={address}")).arg("--fdname=smtp");
    command.args([env!("CARGO_BIN_EXE_pillarbox"), "serve", "--config"]).arg(&file);
    let server = Server::spawn(&mut command);
    assert!(server.stderr.wait_for(|line| line.starts_with("Listening on")).is_some());
    let mut talk = Talk::smtp(address.port()).unwrap();
    let reply = talk.deliver(&["user@localhost"], &letter("first", 0)).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    server.stop();
}

#[test]
fn a_socket_that_nobody_wants_is_told() {
    let mut manager = Manager::new("smol");
    let smtp = manager.socket("smtp", "127.0.0.1:0");
    let left = manager.socket("left", "127.0.0.1:0");
    let file = manager.configure(&[("smtp", smtp)]);
    let output = run(&mut manager.command(&file));
    assert_eq!(output.status.code(), Some(1));
    let words = ["`left`", &left.to_string(), "no [[listener]] has that address"];
    one_line(&output.stderr, &words);
}

#[test]
fn a_socket_that_cannot_be_used_is_told() {
    let mut manager = Manager::new("smol");
    let both = manager.socket("both", "[::]:0");
    let file = manager.configure(&[("smtp", both)]);
    let output = run(&mut manager.command(&file));
    assert_eq!(output.status.code(), Some(1));
    one_line(&output.stderr, &["`both`", "BindIPv6Only=ipv6-only"]);

    let datagrams = UnixDatagram::bind(manager.place.beside("other")).unwrap();
    let datagrams = fcntl_dupfd_cloexec(&datagrams, 100).unwrap();
    fcntl_setfd(&datagrams, FdFlags::empty()).unwrap();
    manager.sockets = vec![("odd", datagrams)];
    let output = run(&mut manager.command(&file));
    assert_eq!(output.status.code(), Some(1));
    one_line(&output.stderr, &["`odd`", "is not one that listens for TCP"]);
}
