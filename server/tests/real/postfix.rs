//! Postfix as the other side: its `smtp-source`, which sends as fast as it can, and a whole
//! Postfix that relays its queue to us under TLS.
//!
//! The Postfix is private to the test: its configuration, queue and log lie in the test's folder,
//! it listens nowhere, and nothing of an instance that the system may run is read or touched.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pillarbox_core::dsn::{Action, Notice};

use crate::commands::done;
use crate::on_each_runtime;
use crate::server::{PATIENCE, Place, succeed};
use crate::talk::{Imap, letter};

on_each_runtime!(takes_what_smtp_source_sends);

const MESSAGES: usize = 500;

fn takes_what_smtp_source_sends(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    succeed(
        // `-d`: a session goes on with its next message.
        Command::new("smtp-source")
            .args(["-d", "-s", "10", "-l", "2048", "-m", &MESSAGES.to_string()])
            .args(["-M", "client.example", "-f", "ann@client.example", "-t", "user@localhost"])
            .arg(format!("127.0.0.1:{}", place.smtp())),
    );
    let inbox = Imap::login(place.imap(), "user").inbox();
    assert_eq!(inbox.len(), MESSAGES);
    let ids: HashSet<_> = inbox
        .iter()
        .map(|message| {
            let text = std::str::from_utf8(message).unwrap();
            text.lines().find(|line| line.starts_with("Message-Id: ")).unwrap()
        })
        .collect();
    assert_eq!(ids.len(), MESSAGES, "some came twice");
    assert!(inbox.iter().all(|message| message.len() > 2_048));
    assert_eq!(place.metric("smtp_sessions_total"), 10);
    server.stop();
}

#[test]
fn a_postfix_relays_its_queue() {
    let place = Place::new("smol");
    let server = place.localserve();
    done(&place.dir(), &["address", "add", "jörg@localhost", "friend"]);
    let dots = [&letter("dots", 0)[..], b"\r\n.\r\n..\r\n.x\r\nx.\r\n.\r\n"].concat();
    let large = letter("large", 3_000_000);
    let other = [
        "From: Jörg <jörg@relay.example>\r\nTo: jörg@localhost\r\nSubject: grüße ✓\r\n",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
        "\r\nfrüh\r\n",
    ]
    .concat();
    let both = ["user@localhost", "friend@localhost"];

    let mut postfix = Postfix::new(&place);
    postfix.queue("ann@relay.example", &both, &dots);
    postfix.queue("ann@relay.example", &both, &large);
    postfix.queue("jörg@relay.example", &["jörg@localhost"], other.as_bytes());
    // Comes back to its sender, who is one of ours.
    postfix.queue("friend@localhost", &["permerror@localhost"], &letter("back", 0));
    for number in 0..10 {
        postfix.queue("ann@relay.example", &["user@localhost"], &letter(&number.to_string(), 0));
    }
    postfix.start();
    postfix.empties_its_queue();

    let log = postfix.log();
    // One for each recipient, and the bounce.
    assert_eq!(log.matches(" status=sent (250 2.0.0 ").count(), 4 + 1 + 1 + 10, "{log}");
    assert_eq!(log.matches(" status=bounced ").count(), 1, "{log}");
    assert!(!log.contains(" status=deferred "), "{log}");
    assert!(log.contains("Verified TLS connection established to 127.0.0.1"), "{log}");
    for line in log.lines().filter(|line| line.contains(" postfix/smtp[")) {
        assert!(!line.contains("warning") && !line.contains("Untrusted"), "{line}");
    }
    let [user, friend] = ["user", "friend"].map(|name| Imap::login(place.imap(), name).inbox());
    assert_eq!((user.len(), friend.len()), (12, 4));
    let ending = |inbox: &[Vec<u8>], end: &[u8]| {
        let body = end.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        inbox.iter().filter(|message| message.ends_with(&end[body..])).count()
    };
    for inbox in [&user, &friend] {
        assert_eq!((ending(inbox, &dots), ending(inbox, &large)), (1, 1));
    }
    let texts = friend.iter().map(|message| String::from_utf8_lossy(message));
    let [mut bounces, mut international] = [0, 0];
    for text in texts {
        if text.starts_with("Return-Path: <>\r\n") {
            bounces += 1;
            let notice = Notice::read(text.as_bytes()).unwrap();
            let [outcome] = &*notice.outcomes else { panic!("{notice:?}") };
            assert_eq!(outcome.address, "permerror@localhost");
            assert_eq!((outcome.action, outcome.status.class()), (Action::Failed, 5));
            assert!(outcome.diagnostic.as_deref().is_some_and(|said| said.starts_with('5')));
            assert!(outcome.server.is_some() && notice.reporter.is_some(), "{notice:?}");
            assert!(notice.message_id.is_some(), "Postfix gives one to what has none");
        } else if text.starts_with("Return-Path: <jörg@relay.example>\r\n") {
            international += 1;
            assert!(text.contains(" with UTF8SMTPS id "), "{text}");
            assert!(text.contains("\r\nSubject: grüße ✓\r\n"), "{text}");
            assert!(text.ends_with("\r\n\r\nfrüh\r\n"), "{text}");
        } else {
            assert!(text.contains(" with ESMTPS id "));
        }
    }
    assert_eq!((bounces, international), (1, 1));
    drop(postfix);
    server.stop();
    place.verify();
}

/// A Postfix that hands everything on to the server of this place.
struct Postfix {
    dir: PathBuf,
    /// A shell that ends Postfix when its input ends: also where the test is killed.
    watcher: Option<Child>,
}

impl Postfix {
    fn new(place: &Place) -> Self {
        let dir = place.beside("postfix");
        // Postfix works as a user of its own, and must get in.
        for folder in [place.beside(""), dir.clone(), dir.join("queue"), dir.join("data")] {
            fs::create_dir_all(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::copy(place.ca(), dir.join("ca.pem")).unwrap();
        let fill = |text: &str| {
            let port = place.smtp().to_string();
            text.replace("DIR", dir.to_str().unwrap()).replace("PORT", &port)
        };
        fs::write(dir.join("main.cf"), fill(MAIN_CF)).unwrap();
        fs::write(dir.join("master.cf"), MASTER_CF).unwrap();
        let root = String::from_utf8(succeed(Command::new("id").arg("-u"))).unwrap() == "0\n";
        assert!(root, "Postfix starts for root only: run the tests with real clients as root");
        succeed(Command::new("chown").arg("postfix").arg(dir.join("data")));
        // Makes the folders of the queue.
        let postfix = Self { dir, watcher: None };
        succeed(postfix.command("postfix").arg("check"));
        postfix
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(format!("/usr/sbin/{program}"));
        command.env("MAIL_CONFIG", &self.dir).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// Puts a message into the queue, as a program on the same machine does.
    fn queue(&self, from: &str, to: &[&str], text: &[u8]) {
        let mut child = self
            .command("sendmail")
            .args(["-i", "-f", from])
            .args(to)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\r').collect();
        child.stdin.take().unwrap().write_all(&text).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn start(&mut self) {
        let mut watcher = Command::new("/bin/sh")
            .args(["-c", WATCHER])
            .env("MAIL_CONFIG", &self.dir)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut stdout = BufReader::new(watcher.stdout.take().unwrap());
        while !said.ends_with("started\n") {
            assert_ne!(stdout.read_line(&mut said).unwrap(), 0, "Postfix did not start: {said}");
        }
        self.watcher = Some(watcher);
    }

    /// Waits until nothing is left to send.
    fn empties_its_queue(&self) {
        let until = Instant::now() + PATIENCE;
        let folders = ["maildrop", "incoming", "active", "deferred", "hold"];
        let left = |folder: &str| {
            succeed(
                Command::new("find").arg(self.dir.join("queue").join(folder)).args(["-type", "f"]),
            )
        };
        while folders.iter().any(|folder| !left(folder).is_empty()) {
            assert!(Instant::now() < until, "the queue is not empty: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
        let said = succeed(self.command("postqueue").arg("-p"));
        assert_eq!(said, b"Mail queue is empty\n");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            drop(watcher.stdin.take());
            let _ended = watcher.wait();
        }
        if thread::panicking() {
            eprintln!("what Postfix said:\n{}", self.log());
        }
    }
}

/// `abort` ends all of it at once and waits for nobody.
const WATCHER: &str = "
exec 2>&1
postfix start >$MAIL_CONFIG/start 2>&1 || { cat $MAIL_CONFIG/start; exit 1; }
echo started
exec >/dev/null 2>&1
read _until_the_end
postfix abort
";

const MAIN_CF: &str = "\
compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
maillog_file = DIR/log
maillog_file_prefixes = DIR
myhostname = relay.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_header_rewrite_clients =
relayhost = [127.0.0.1]:PORT
smtp_tls_security_level = secure
smtp_tls_secure_cert_match = localhost
smtp_tls_CAfile = DIR/ca.pem
smtp_tls_loglevel = 1
message_size_limit = 52428800
";

/// No `smtpd`: mail comes in by `sendmail` alone.
const MASTER_CF: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";
