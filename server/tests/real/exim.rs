//! An Exim that relays its queue to us: under STARTTLS, with groups of commands in one write, and
//! by BDAT instead of DATA, which Exim chooses by itself where it is offered.
//!
//! Only one mail server can be installed on a Debian, so `./test` unpacks Exim into `target/peers/`
//! instead. It insists on a user `Debian-exim`; libnss-wrapper makes it see one, which is `mail`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::commands::done;
use crate::server::{Place, exists, peer};
use crate::talk::{Imap, letter};

#[test]
fn an_exim_relays_its_queue() {
    let place = Place::new("smol");
    let server = place.localserve();
    done(&place.dir(), &["address", "add", "jörg@localhost", "friend"]);
    let dots = [&letter("dots", 0)[..], b"\r\n.\r\n..\r\n.x\r\nx.\r\n.\r\n"].concat();
    let large = letter("large", 3_000_000);
    let both = ["user@localhost", "friend@localhost"];

    let exim = Exim::new(&place);
    exim.queue("ann@relay.example", &both, &dots);
    exim.queue("ann@relay.example", &both, &large);
    // Comes back to its sender, who is one of ours.
    exim.queue("friend@localhost", &["permerror@localhost"], &letter("back", 0));
    let many: Vec<_> = (0..100).map(|number| format!("user+{number}@localhost")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    exim.queue("ann@relay.example", &many, &letter("many", 0));
    let international = exim.run(
        &["-bs", "-odq"],
        "EHLO relay.example\r\nMAIL FROM:<jörg@relay.example> SMTPUTF8 BODY=8BITMIME\r\n\
         RCPT TO:<jörg@localhost>\r\nDATA\r\nFrom: Jörg <jörg@relay.example>\r\n\
         Subject: grüße ✓\r\n\r\nfrüh\r\n.\r\nQUIT\r\n"
            .as_bytes(),
    );
    assert!(String::from_utf8_lossy(&international.stdout).contains("\r\n250 OK id="));
    assert_eq!(exim.run(&["-bpc"], b"").stdout, b"5\n");

    let sent = exim.run(&["-d-all+transport", "-qff"], b"");
    let trace = String::from_utf8_lossy(&sent.stderr);
    assert_eq!(exim.run(&["-bpc"], b"").stdout, b"0\n", "{trace}");
    assert!(trace.contains("SMTP>> STARTTLS") && trace.contains("using PIPELINING"), "{trace}");
    assert!(trace.contains("SMTP+> BDAT ") && !trace.contains("> DATA"), "{trace}");
    let log = exim.log("mainlog");
    assert!(!exists(&exim.dir.join("paniclog")), "{log}");
    let deliveries: Vec<_> =
        log.lines().filter(|line| line.contains(" => ") || line.contains(" -> ")).collect();
    // Of the 100 recipients, too, each has a line; and the bounce.
    assert_eq!(deliveries.len(), 2 + 2 + 100 + 1 + 1, "{log}");
    for line in deliveries {
        // L: pipelining; K: chunking.
        assert!(line.contains(" X=TLS1.3:") && line.contains(" CV=yes "), "{line}");
        assert!(line.contains(" L K C=\"250 2.0.0 "), "{line}");
    }
    assert_eq!(log.matches(" ** permerror@localhost ").count(), 1, "{log}");

    let [user, friend] = ["user", "friend"].map(|name| Imap::login(place.imap(), name).inbox());
    // A copy for each address that the sender named.
    assert_eq!((user.len(), friend.len()), (2 + 100, 4));
    let ending = |inbox: &[Vec<u8>], end: &[u8]| {
        let body = end.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        inbox.iter().filter(|message| message.ends_with(&end[body..])).count()
    };
    for inbox in [&user, &friend] {
        assert_eq!((ending(inbox, &dots), ending(inbox, &large)), (1, 1));
    }
    let of = |sender: &str| {
        let begin = format!("Return-Path: <{sender}>\r\n");
        let mut found = friend.iter().filter(|message| message.starts_with(begin.as_bytes()));
        String::from_utf8(found.next().unwrap().clone()).unwrap()
    };
    assert!(of("").contains("report-type=delivery-status"));
    let text = of("jörg@relay.example");
    assert!(text.contains(" with UTF8SMTPS id ") && text.contains("\r\n\r\nfrüh\r\n"), "{text}");
    server.stop();
    place.verify();
}

/// An Exim that hands everything on to the server of this place, and runs only when it is called.
struct Exim {
    program: PathBuf,
    dir: PathBuf,
}

impl Exim {
    fn new(place: &Place) -> Self {
        let program = peer("exim/usr/sbin/exim4");
        let dir = place.beside("exim");
        // Exim gives up root, and must still get in.
        for folder in [place.beside(""), dir.clone()] {
            fs::create_dir_all(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        // Written anew and not copied: whoever Exim becomes must be able to read it.
        fs::write(dir.join("ca.pem"), fs::read(place.ca()).unwrap()).unwrap();
        fs::write(dir.join("passwd"), PASSWD).unwrap();
        fs::write(dir.join("group"), GROUP).unwrap();
        let text = CONFIGURATION
            .replace("DIR", dir.to_str().unwrap())
            .replace("PROGRAM", program.to_str().unwrap())
            .replace("PORT", &place.smtp().to_string());
        fs::write(dir.join("exim.conf"), text).unwrap();
        for folder in ["spool", "log"] {
            fs::create_dir(dir.join(folder)).unwrap();
            let _refused_below = std::os::unix::fs::chown(dir.join(folder), Some(8), Some(8));
        }
        Self { program, dir }
    }

    /// Exim with these options, and this on its standard input; it must succeed.
    fn run(&self, options: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(&self.program)
            .arg("-C")
            .arg(self.dir.join("exim.conf"))
            .args(options)
            .env("LD_PRELOAD", "libnss_wrapper.so")
            .env("NSS_WRAPPER_PASSWD", self.dir.join("passwd"))
            .env("NSS_WRAPPER_GROUP", self.dir.join("group"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _closed = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{options:?} (Exim needs root): {said}");
        output
    }

    fn queue(&self, from: &str, to: &[&str], text: &[u8]) {
        let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\r').collect();
        self.run(&[&["-odq", "-i", "-f", from], to].concat(), &text);
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join("log").join(name)).unwrap()
    }
}

const PASSWD: &str = "\
root:x:0:0::/:/bin/sh
Debian-exim:x:8:8::/:/bin/false
mail:x:8:8::/:/bin/false
";

const GROUP: &str = "\
root:x:0:
Debian-exim:x:8:
mail:x:8:
";

const CONFIGURATION: &str = "\
exim_path = PROGRAM
primary_hostname = relay.example
qualify_domain = relay.example
spool_directory = DIR/spool
log_file_path = DIR/log/%slog
log_selector = +pipelining
keep_environment = LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
acl_smtp_rcpt = accept
acl_smtp_data = accept
acl_not_smtp = accept
smtputf8_advertise_hosts = *
tls_advertise_hosts =
never_users =

begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = relay

begin transports
relay:
  driver = smtp
  port = PORT
  hosts_require_tls = *
  tls_verify_certificates = DIR/ca.pem
  tls_verify_hosts = *
  tls_verify_cert_hostnames =

begin retry
* * F,1h,1s
";
