//! Mail that leaves: to Postfix's `smtp-sink`, to another Pillarbox, by DNS with proofs and without.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pillarbox_core::UnixSeconds;
use pillarbox_core::dsn::{Action, Notice};
use pillarbox_store::{Found, Options, QueueRead, Read, Store};

use crate::commands::done;
use crate::dns::{Root, Unbound};
use crate::on_each_runtime;
use crate::server::{PASSWORD, PATIENCE, Place, Server, pillarbox, run, succeed};
use crate::talk::{Imap, Talk, letter};

on_each_runtime!(
    mail_leaves_to_a_sink,
    what_cannot_be_delivered_comes_back,
    what_was_accepted_leaves_after_a_kill,
);

/// A session of user@localhost's at the port for our own people.
fn submission(place: &Place) -> Talk {
    let mut talk = Talk::smtp(place.submission()).unwrap();
    let login = "AUTH PLAIN AHVzZXJAbG9jYWxob3N0AHBpbGxhcmJveA==";
    assert_eq!(PASSWORD, "pillarbox");
    assert!(talk.say(login).unwrap().starts_with("235"));
    talk
}

/// Hands a message in for these, each with the parameters behind it.
fn submit(talk: &mut Talk, mail: &str, to: &[&str], text: &[u8]) -> String {
    assert!(talk.say(&format!("MAIL FROM:<user@localhost>{mail}")).unwrap().starts_with("250"));
    for to in to {
        let (address, more) = to.split_once(' ').unwrap_or((to, ""));
        let reply = talk.say(format!("RCPT TO:<{address}> {more}").trim_end()).unwrap();
        assert!(reply.starts_with("250"), "{to}: {reply}");
    }
    assert!(talk.say("DATA").unwrap().starts_with("354"));
    talk.send(text).unwrap();
    talk.send(b".\r\n").unwrap();
    talk.reply().unwrap()
}

/// `pillarbox queue`, what it prints.
fn queue(place: &Place, arguments: &[&str]) -> String {
    let mut command = pillarbox();
    command.arg("queue").args(arguments).arg("--dir").arg(place.dir());
    String::from_utf8(succeed(&mut command)).unwrap()
}

/// Waits until nothing waits any more.
fn drains(place: &Place) {
    let until = Instant::now() + PATIENCE;
    while !queue(place, &["list", "--ids"]).is_empty() {
        assert!(Instant::now() < until, "{}", queue(place, &["list"]));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port of this machine on which nobody listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Postfix's `smtp-sink`, which writes each message into a file.
struct Sink {
    _process: Server,
    folder: PathBuf,
}

impl Sink {
    fn new(place: &Place, port: u16, options: &[&str]) -> Self {
        let folder = place.beside("sink");
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("smtp-sink");
        command.current_dir(&folder).args(["-u", "root", "-d", "m."]).args(options);
        let process = Server::spawn(command.arg(format!("127.0.0.1:{port}")).arg("100"));
        let until = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "smtp-sink did not start: {}", process.stderr.text());
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { _process: process, folder }
    }

    /// What has come, envelope and message.
    fn messages(&self) -> Vec<String> {
        let files = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        files.map(|file| String::from_utf8(fs::read(file).unwrap()).unwrap()).collect()
    }
}

fn mail_leaves_to_a_sink(runtime: &'static str) {
    let place = Place::new(runtime);
    let port = free_port();
    let route = format!("ext.example=127.0.0.1:{port}");
    let server = place.localserve_with(&["--route", &route, "--retry-scale", "1000"]);
    let mut talk = submission(&place);
    // Nobody is there yet.
    let dots =
        [b"From: user@localhost\r\n", &letter("w0", 0)[..], b"..two\r\nthree\r\n...\r\n"].concat();
    submit(&mut talk, "", &["a@ext.example", "b@ext.example", "friend@localhost"], &dots);
    let said = server.stderr.wait_for(|line| line.contains("put off") && line.contains("b@ext"));
    assert!(said.unwrap().contains("cid="));
    assert!(queue(&place, &["list"]).contains("waiting"));
    let sink = Sink::new(&place, port, &["-h", "sink.example"]);
    for number in 1..20 {
        submit(&mut talk, "", &["c@ext.example"], &letter(&format!("w{number}"), 3_000));
    }
    // More than one piece.
    submit(&mut talk, " BODY=8BITMIME", &["d@ext.example"], &letter("large", 900_000));
    drains(&place);
    let messages = sink.messages();
    let of = |word: &str| {
        let line = format!("\nid {word}\n");
        messages.iter().filter(|text| text.contains(&line)).collect::<Vec<_>>()
    };
    let [first] = of("w0")[..] else { panic!("{messages:?}") };
    assert!(first.contains("a@ext.example") && first.contains("b@ext.example"));
    assert!(!first.contains("friend@localhost"));
    assert!(first.contains("\n.two\nthree\n..\n"), "{first}");
    assert!(first.contains("DKIM-Signature: "), "{first}");
    for number in 1..20 {
        assert_eq!(of(&format!("w{number}")).len(), 1);
    }
    assert_eq!(of("large").len(), 1);
    assert!(of("large")[0].len() > 850_000);
    assert_eq!(Imap::login(place.imap(), "friend").inbox_of(1).len(), 1);
    let shown = queue(&place, &["show", "1"]);
    assert!(shown.contains("delivered at") && shown.contains("attempt 2"), "{shown}");
    server.stop();
    place.verify();
}

/// What reports say of each recipient.
fn told(place: &Place, count: usize) -> BTreeMap<String, Action> {
    let inbox = Imap::login(place.imap(), "user").inbox_of(count);
    let notices = inbox.iter().map(|message| Notice::read(message).expect("a report"));
    let outcomes = notices.flat_map(|notice| notice.outcomes);
    outcomes.map(|outcome| (outcome.address, outcome.action)).collect()
}

fn what_cannot_be_delivered_comes_back(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let mut talk = submission(&place);
    for (address, mail) in [
        ("queuercptto550@localhost", ""),
        ("queuepermerror@localhost", " RET=FULL ENVID=e1"),
        ("friend@localhost NOTIFY=SUCCESS", ""),
        ("friend+never@localhost NOTIFY=NEVER", ""),
        ("queuercpttopermerror@localhost NOTIFY=NEVER", ""),
    ] {
        submit(&mut talk, mail, &[address], &letter("w", 0));
    }
    drains(&place);
    assert_eq!(
        told(&place, 3),
        BTreeMap::from([
            ("queuercptto550@localhost".to_owned(), Action::Failed),
            ("queuepermerror@localhost".to_owned(), Action::Failed),
            ("friend@localhost".to_owned(), Action::Delivered),
        ])
    );
    let inbox = Imap::login(place.imap(), "user").inbox();
    let whole: Vec<_> =
        inbox.iter().filter_map(|message| Notice::read(message)?.envelope_id).collect();
    assert_eq!(whole, ["e1"]);
    // What is held until later leaves then; what an operator gives up comes back.
    submit(&mut talk, " HOLDFOR=3600", &["friend@localhost"], &letter("later", 0));
    submit(&mut talk, " HOLDFOR=1", &["friend+soon@localhost"], &letter("soon", 0));
    assert_eq!(Imap::login(place.imap(), "friend").inbox_of(3).len(), 3);
    let id = queue(&place, &["list", "--ids"]);
    assert_eq!(
        queue(&place, &["fail", id.trim(), "--reason", "not wanted"]),
        "1 message given up\n"
    );
    drains(&place);
    assert_eq!(told(&place, 4).get("friend@localhost"), Some(&Action::Failed));
    server.stop();
    place.verify();
}

fn what_was_accepted_leaves_after_a_kill(runtime: &'static str) {
    let there = Place::new(runtime);
    there.localserve().stop();
    done(&there.dir(), &["domain", "add", "ext.example"]);
    done(&there.dir(), &["address", "add", "bob@ext.example", "friend"]);
    let other = there.localserve();
    let here = Place::new(runtime);
    let route = format!("ext.example=127.0.0.1:{}", there.smtp());
    let arguments = ["--route", &route, "--retry-scale", "1000"];
    let mut accepted = Vec::new();
    for round in 0..5 {
        let server = here.localserve_with(&arguments);
        let mut talk = submission(&here);
        for number in 0..20 {
            let word = format!("r{round}n{number}");
            let size = if number == 7 { 100_000 } else { 1_000 };
            if submit(&mut talk, "", &["bob@ext.example"], &letter(&word, size)).starts_with("250")
            {
                accepted.push(word);
            }
        }
        server.kill();
    }
    let server = here.localserve_with(&arguments);
    drains(&here);
    let inbox = Imap::login(there.imap(), "friend").inbox();
    let mut doubled = 0;
    for word in &accepted {
        let line = format!("\r\nid {word}\r\n");
        let found = inbox.iter().filter(|message| String::from_utf8_lossy(message).contains(&line));
        match found.count() {
            0 => panic!("{word} is lost"),
            count => doubled += count - 1,
        }
    }
    assert_eq!(accepted.len(), 100);
    // Only those whose answer was on its way at a kill.
    assert!(doubled <= 5 * 4, "{doubled}");
    server.stop();
    here.verify();
    other.stop();
}

/// The TLSA record of a server's key (RFC 6698): usage 3, selector 1, SHA-256.
fn tlsa(place: &Place) -> String {
    let script = format!(
        "openssl x509 -in {} -pubkey -noout | openssl pkey -pubin -outform der | sha256sum",
        place.dir().join("tls/cert.pem").display()
    );
    let said = succeed(Command::new("sh").args(["-c", &script]));
    String::from_utf8(said).unwrap()[..64].to_owned()
}

/// An address of this machine, of which no other test has the well-known ports.
fn own_address(place: &Place, kind: u8) -> String {
    let [.., high, low] = place.offset().to_be_bytes();
    format!("127.{kind}.{high}.{}", low.max(1))
}

/// A server whose key DNS proves gets mail; one that shows another key gets none.
#[test]
fn dane_is_held_to() {
    let there = Place::new("smol");
    there.localserve().stop();
    let ip = own_address(&there, 100);
    for domain in ["good.signed", "wrong.signed", "plain.signed"] {
        done(&there.dir(), &["domain", "add", domain]);
        done(&there.dir(), &["address", "add", &format!("bob@{domain}"), "friend"]);
    }
    let other =
        there.serve("", &format!("[[listener]]\nprotocol = \"smtp\"\naddress = \"{ip}:25\""));
    let key = tlsa(&there);
    let zone = format!(
        "good.signed MX 10 mx.good.signed.\nmx.good.signed A {ip}\n\
         _25._tcp.mx.good.signed TLSA 3 1 1 {key}\n\
         wrong.signed MX 10 mx.wrong.signed.\nmx.wrong.signed A {ip}\n\
         _25._tcp.mx.wrong.signed TLSA 3 1 1 {}\n\
         plain.signed MX 10 mx.plain.signed.\nmx.plain.signed A {ip}\n\
         null.signed MX 0 .\n",
        "00".repeat(32)
    );
    let unbound = Unbound::knowing(Root::Signed, &zone);
    let here = Place::new("smol");
    here.localserve().stop();
    let server = here.serve_edited(|text| {
        let servers = format!("servers = [\"{}\"]", unbound.address());
        text.replace("zones = [\"localhost.zone\", \"zone.txt\"]", &servers)
            .replace("only_routes = true", "")
    });
    let mut talk = submission(&here);
    for domain in ["good.signed", "wrong.signed", "plain.signed", "null.signed"] {
        submit(&mut talk, "", &[&format!("bob@{domain}")], &letter(domain, 0));
    }
    assert_eq!(Imap::login(there.imap(), "friend").inbox_of(2).len(), 2);
    assert_eq!(told(&here, 1).len(), 1);
    let said = server.stderr.wait_for(|line| line.contains("put off")).unwrap();
    assert!(said.contains("bob@wrong.signed") && said.contains("TLSA"), "{said}");
    let shown = |id| queue(&here, &["show", id]);
    assert!(shown("1").contains(", verified\n"), "{}", shown("1"));
    assert!(shown("2").contains("waiting") && shown("2").contains("4.7.5"), "{}", shown("2"));
    assert!(shown("3").contains("not verified"), "{}", shown("3"));
    assert!(shown("4").contains("5.1.10"), "{}", shown("4"));
    server.stop();
    other.stop();
}

/// Answers by HTTPS with the policy of the host that is asked for.
const POLICIES: &str = "
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        modes = {'good': ('enforce', 'localhost'), 'other': ('enforce', '*.other.example'),
                 'testing': ('testing', '*.testing.example')}
        mode, mx = modes[self.headers['Host'].split('.')[1]]
        text = f'version: STSv1\\r\\nmode: {mode}\\r\\nmx: {mx}\\r\\nmax_age: 86400\\r\\n'.encode()
        self.send_response(200 if self.path == '/.well-known/mta-sts.txt' else 404)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)
server = http.server.HTTPServer((sys.argv[1], 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print('ready', flush=True)
server.serve_forever()
";

/// Who answers with policies at an address, and the certificate by which it is known.
fn policy_server(place: &Place, ip: &str) -> (Server, String) {
    let pem = place.beside("policies.pem");
    let names = ["good", "other", "testing"].map(|name| format!("DNS:mta-sts.{name}.example"));
    let subject = format!("subjectAltName={}", names.join(","));
    let openssl = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days", "2"];
    let basic = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", &subject];
    succeed(
        Command::new("openssl")
            .args(openssl)
            .args(basic)
            .args(["-keyout".as_ref(), pem.as_os_str(), "-out".as_ref()])
            .arg(place.beside("cert.pem")),
    );
    let certificate = fs::read_to_string(place.beside("cert.pem")).unwrap();
    fs::write(&pem, fs::read_to_string(&pem).unwrap() + &certificate).unwrap();
    let mut python = Command::new("python3");
    let policies = Server::spawn(python.args(["-c", POLICIES, ip]).arg(&pem));
    assert!(
        policies.stdout.wait_for(|line| line == "ready").is_some(),
        "{}",
        policies.stderr.text()
    );
    (policies, certificate)
}

/// Servers that a policy names get mail only if an authority has certified them; in testing mode
/// always.
#[test]
fn mta_sts_is_held_to() {
    let there = Place::new("smol");
    there.localserve().stop();
    let ip = own_address(&there, 150);
    for domain in ["good.example", "other.example", "testing.example"] {
        done(&there.dir(), &["domain", "add", domain]);
        done(&there.dir(), &["address", "add", &format!("bob@{domain}"), "friend"]);
    }
    let other =
        there.serve("", &format!("[[listener]]\nprotocol = \"smtp\"\naddress = \"{ip}:25\""));
    let (policies, certificate) = policy_server(&there, &ip);
    let here = Place::new("smol");
    here.localserve().stop();
    let domain = |name: &str, mx: &str| {
        format!(
            "{name}.example. MX 10 {mx}\n_mta-sts.{name}.example. TXT \"v=STSv1; id=1;\"\n\
             mta-sts.{name}.example. A {ip}\n"
        )
    };
    let zone = format!(
        "{}{}{}mx.other.example. A {ip}\nmx.testing.example. A {ip}\nlocalhost. A {ip}\n",
        domain("good", "localhost."),
        domain("other", "mx.other.example."),
        domain("testing", "mx.testing.example.")
    );
    fs::write(here.dir().join("zone.txt"), zone).unwrap();
    let roots = certificate + &fs::read_to_string(there.ca()).unwrap();
    fs::write(here.dir().join("roots.pem"), roots).unwrap();
    let server = here.serve_edited(|text| {
        // `localhost` is the other server here.
        text.replace("\"localhost.zone\", ", "")
            .replace("hostname = \"localhost\"", "hostname = \"here.example\"")
            .replace("only_routes = true", "authorities = \"roots.pem\"")
    });
    let mut talk = submission(&here);
    for name in ["good", "other", "testing"] {
        submit(&mut talk, "", &[&format!("bob@{name}.example")], &letter(name, 0));
    }
    assert_eq!(Imap::login(there.imap(), "friend").inbox_of(2).len(), 2);
    let said = server.stderr.wait_for(|line| line.contains("put off")).unwrap();
    assert!(said.contains("bob@other.example") && said.contains("another name"), "{said}");
    let shown = |id| queue(&here, &["show", id]);
    assert!(shown("1").contains(", verified\n"), "{}", shown("1"));
    assert!(shown("2").contains("4.7.5"), "{}", shown("2"));
    assert!(shown("3").contains("not verified"), "{}", shown("3"));
    server.stop();
    other.stop();
    drop(policies);
    what_reports_will_tell(&here);
}

fn what_reports_will_tell(here: &Place) {
    let store = Store::open(&here.dir(), &Options::default()).unwrap();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let day = UnixSeconds(seconds - seconds % 86_400);
    let question = Read::Queue(QueueRead::TlsSeen(day, 0, 100));
    let Found::DmarcSeen(seen) = store.reader().unwrap().read(question).unwrap() else { panic!() };
    for (domain, told) in [
        ("good.example", "\"failure\":null"),
        ("other.example", "certificate-host-mismatch"),
        ("testing.example", "certificate-host-mismatch"),
    ] {
        let row = seen.iter().find(|row| row.domain == domain).unwrap();
        assert!(row.facts.contains(told) && row.facts.contains("\"sts\""), "{}", row.facts);
    }
}

/// By way of a smarthost, with a login bound to its TLS, and by LMTP.
#[test]
fn relays_take_what_routes_name() {
    let there = Place::new("smol");
    there.localserve().stop();
    done(&there.dir(), &["domain", "add", "lmtp.example"]);
    done(&there.dir(), &["address", "add", "bob@lmtp.example", "friend"]);
    let lmtp = free_port();
    let listener = format!("[[listener]]\nprotocol = \"lmtp\"\naddress = \"127.0.0.1:{lmtp}\"");
    let other = there.serve("", &listener);
    let here = Place::new("smol");
    here.localserve().stop();
    fs::write(here.dir().join("password"), format!("{PASSWORD}\n")).unwrap();
    let relay = |name: &str, more: &str| {
        format!(
            "[[queue.transport]]\nname = \"{name}\"\nhost = \"localhost\"\n{more}\n\
             [[queue.route]]\nto = [\"{name}.example\"]\ntransport = \"{name}\"\n"
        )
    };
    let login = "user = \"user@localhost\"\npassword_file = \"password\"";
    let relays = [
        relay("starttls", &format!("kind = \"smtp\"\nport = {}\n{login}", there.submission())),
        relay(
            "implicit",
            &format!(
                "kind = \"smtp\"\nport = {}\ntls = \"implicit\"\n{login}",
                there.submissions()
            ),
        ),
        relay("lmtp", &format!("kind = \"lmtp\"\nport = {lmtp}")),
    ]
    .concat();
    let ca = there.ca();
    let server = here.serve_edited(|text| {
        let authorities = format!("only_routes = true\nauthorities = \"{}\"", ca.display());
        text.replace("only_routes = true", &authorities) + &relays
    });
    let mut talk = submission(&here);
    for name in ["starttls", "implicit", "lmtp"] {
        submit(&mut talk, "", &[&format!("bob@{name}.example")], &letter(name, 0));
    }
    drains(&here);
    // The smarthost keeps what it has no route for.
    assert_eq!(Imap::login(there.imap(), "user").inbox_of(2).len(), 2);
    assert_eq!(Imap::login(there.imap(), "friend").inbox_of(1).len(), 1);
    for id in ["1", "2"] {
        let shown = queue(&here, &["show", id]);
        let found = ["delivered at", ", verified\n", "SCRAM-SHA-256-PLUS"];
        assert!(found.iter().all(|part| shown.contains(part)), "{shown}");
        assert!(
            !shown.contains(PASSWORD) && !shown.contains("C: AUTH") && !shown.contains("S: 334"),
            "{shown}"
        );
    }
    assert!(queue(&here, &["show", "3"]).contains("LHLO localhost"));
    server.stop();
    other.stop();
}

/// What our own people hold is held, for accounts here too; and is not held for ever.
#[test]
fn what_is_held_for_accounts_here_waits_too() {
    let place = Place::new("smol");
    place.localserve().stop();
    let server = place.serve_edited(|text| text.replace("own = true", "own = false"));
    let mut talk = submission(&place);
    submit(&mut talk, "", &["friend@localhost"], &letter("now", 0));
    assert_eq!(queue(&place, &["list", "--all", "--ids"]), "");
    submit(&mut talk, " HOLDFOR=3600", &["friend@localhost"], &letter("later", 0));
    assert_eq!(queue(&place, &["list", "--ids"]), "1\n");
    assert_eq!(Imap::login(place.imap(), "friend").inbox_of(1).len(), 1);
    for (hold, code) in [
        ("HOLDUNTIL=2106-02-07T06:28:15Z", "250"),
        ("HOLDUNTIL=2106-02-07T06:28:16Z", "501"),
        ("HOLDFOR=31622400", "250"),
        ("HOLDFOR=31622401", "501"),
    ] {
        let reply = talk.say(&format!("MAIL FROM:<user@localhost> {hold}")).unwrap();
        assert!(reply.starts_with(code), "{hold}: {reply}");
        talk.say("RSET").unwrap();
    }
    server.stop();
}

#[test]
fn routes_and_scales_are_checked() {
    for (arguments, why) in
        [(["--route", "a.example"], "is not as in"), (["--retry-scale", "0"], "1000000")]
    {
        let output = run(pillarbox().arg("localserve").args(arguments));
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains(why));
    }
}

/// Who tries a program out sees its messages as they were sent.
#[test]
fn localserve_keeps_the_order() {
    let place = Place::new("smol");
    let server = place.localserve();
    let mut talk = submission(&place);
    let words: Vec<String> = (0..100).map(|number| format!("number {number}")).collect();
    for word in &words {
        let reply = submit(&mut talk, "", &["friend@localhost"], &letter(word, 0));
        assert!(reply.starts_with("250"), "{reply}");
    }
    let inbox = Imap::login(place.imap(), "friend").inbox_of(words.len());
    assert_eq!(inbox.len(), words.len());
    for (message, word) in inbox.iter().zip(&words) {
        assert!(message.ends_with(format!("id {word}\r\n").as_bytes()), "{word}");
    }
    server.stop();
}
