//! What scripts depend on: what is printed, the files, the exit codes.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::on_each_runtime;
use crate::server::{Place, Server, exists, pillarbox, run};
use crate::talk::{Imap, Talk, letter};

on_each_runtime!(
    says_what_it_offers_and_leaves_its_files,
    stops_in_good_order,
    ends_at_once_at_the_second_signal,
    refuses_a_taken_port,
    refuses_a_folder_in_use,
    refuses_a_folder_it_cannot_write,
    serves_from_the_file_it_left,
    counts,
);

fn says_what_it_offers_and_leaves_its_files(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let table = server.stdout.text();
    for wanted in [
        format!("127.0.0.1:{}", place.smtp()),
        format!("127.0.0.1:{}", place.submission()),
        format!("127.0.0.1:{}", place.submissions()),
        format!("127.0.0.1:{}", place.imap()),
        format!("127.0.0.1:{}", place.imaps()),
        "user@localhost".into(),
        "friend@localhost".into(),
        place.ca().display().to_string(),
        "swaks --server".into(),
        "curl --cacert".into(),
    ] {
        assert!(table.contains(&wanted), "no {wanted} in {table}");
    }
    assert!(table.ends_with("\nready"), "{table}");
    for file in ["tls/ca.pem", "tls/cert.pem", "tls/key.pem", "pillarbox.toml", "pillarbox.db"] {
        let file = place.dir().join(file);
        assert!(exists(&file), "no {}", file.display());
        // Mail and keys are nobody else's.
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
    }
    // The certificate is made once: who trusts the CA goes on to do so.
    let ca = fs::read(place.ca()).unwrap();
    server.stop();
    place.localserve().stop();
    assert_eq!(fs::read(place.ca()).unwrap(), ca);
}

fn stops_in_good_order(runtime: &'static str) {
    let place = Place::new(runtime);
    let mut server = place.localserve();
    let mut idle = Talk::smtp(place.smtp()).unwrap();
    let mut imap = Talk::to(place.imap()).unwrap();
    assert!(imap.line().unwrap().starts_with("* OK"));
    let mut sending = Talk::smtp(place.smtp()).unwrap();
    assert!(sending.say("MAIL FROM:<ann@client.example>").unwrap().starts_with("250"));
    assert!(sending.say("RCPT TO:<user@localhost>").unwrap().starts_with("250"));
    assert!(sending.say("DATA").unwrap().starts_with("354"));
    sending.send(b"Subject: last\r\n\r\nbegun").unwrap();
    // A word from it shows that the body's beginning was read before the signal.
    assert!(idle.say("NOOP").unwrap().starts_with("250"));
    server.signal("TERM");
    assert!(idle.reply().unwrap().starts_with("421"));
    assert!(idle.at_end());
    assert!(imap.line().unwrap().starts_with("* BYE"));
    assert!(server.is_running());
    // The transaction that had begun may end, and counts.
    sending.send(b" before the end\r\n.\r\n").unwrap();
    assert!(sending.reply().unwrap().starts_with("250 2.0.0"));
    assert!(sending.reply().unwrap().starts_with("421"));
    assert_eq!(server.wait().code(), Some(0));
    drop(server);
    let server = place.localserve();
    let inbox = Imap::login(place.imap(), "user").inbox();
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].ends_with(b"\r\n\r\nbegun before the end\r\n"));
    server.stop();
}

fn ends_at_once_at_the_second_signal(runtime: &'static str) {
    let place = Place::new(runtime);
    let mut server = place.localserve();
    let mut sending = Talk::smtp(place.smtp()).unwrap();
    let mut idle = Talk::smtp(place.smtp()).unwrap();
    assert!(sending.say("MAIL FROM:<ann@client.example>").unwrap().starts_with("250"));
    assert!(sending.say("RCPT TO:<user@localhost>").unwrap().starts_with("250"));
    assert!(sending.say("DATA").unwrap().starts_with("354"));
    sending.send(b"never ends").unwrap();
    server.signal("INT");
    assert!(idle.reply().unwrap().starts_with("421"));
    assert!(server.is_running());
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(0));
    assert!(sending.at_end());
    place.verify();
}

fn refuses_a_taken_port(runtime: &'static str) {
    let place = Place::new(runtime);
    // Somebody else's program on the last of the ports.
    let taken = loop {
        place.localserve().stop();
        if let Ok(taken) = TcpListener::bind(("127.0.0.1", place.imaps())) {
            break taken;
        }
    };
    let port = taken.local_addr().unwrap().port();
    let output = run(&mut place.localserve_command());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"", "nothing is promised");
    one_line(&output.stderr, &[&format!("port {port} is taken"), "or choose another port"]);
    drop(taken);

    // Another server of our own, also where it would share its ports.
    let server = place.localserve();
    let other = place.beside("other");
    let mut command = pillarbox();
    command.args(["localserve", "--runtime", runtime, "--dir"]).arg(&other);
    let output = run(command.args(["--port-offset", &place.offset().to_string()]));
    assert_eq!(output.status.code(), Some(1));
    one_line(&output.stderr, &["is taken"]);
    server.stop();
}

fn refuses_a_folder_in_use(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let before = fs::read_to_string(place.dir().join("pillarbox.toml")).unwrap();
    let mut command = pillarbox();
    command.args(["localserve", "--dir"]).arg(place.dir());
    let output = run(command.args(["--port-offset", &(place.offset() + 1_000).to_string()]));
    assert_eq!(output.status.code(), Some(1));
    one_line(&output.stderr, &["is in use by another server", "another directory"]);
    assert_eq!(
        fs::read_to_string(place.dir().join("pillarbox.toml")).unwrap(),
        before,
        "the file tells of the server that runs"
    );
    let output = run(pillarbox().args(["verify", "--dir"]).arg(place.dir()));
    assert_eq!(output.status.code(), Some(1));
    one_line(&output.stderr, &["is in use by another server"]);
    server.stop();
}

fn refuses_a_folder_it_cannot_write(runtime: &'static str) {
    let place = Place::new(runtime);
    fs::write(place.beside("data"), "a file").unwrap();
    let mut command = pillarbox();
    command.args(["localserve", "--runtime", runtime, "--dir"]).arg(place.dir().join("below"));
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(1));
    one_line(&output.stderr, &["cannot write to", "--dir"]);
}

#[test]
fn refuses_a_runtime_it_does_not_have() {
    let output = run(pillarbox().args(["localserve", "--runtime", "tokio"]));
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no runtime `tokio`: use smol, glommio or std"), "{said}");
}

#[test]
fn refuses_an_offset_past_the_last_port() {
    let place = Place::new("smol");
    let mut command = pillarbox();
    command.args(["localserve", "--port-offset", "65000", "--dir"]).arg(place.dir());
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(1));
    one_line(&output.stderr, &["--port-offset 65000", "65535"]);
}

fn serves_from_the_file_it_left(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let mut talk = Talk::smtp(place.smtp()).unwrap();
    let reply = talk.deliver(&["user@localhost"], &letter("first", 0)).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    server.stop();

    let file = place.dir().join("pillarbox.toml");
    let output = run(pillarbox().args(["config", "check"]).arg(&file));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let server = Server::spawn(pillarbox().args(["serve", "--config"]).arg(&file));
    assert!(server.stderr.wait_for(|line| line.contains(" ready ")).is_some());
    assert!(server.stderr.text().contains(&format!("runtime={runtime}")));
    assert_eq!(Imap::login(place.imap(), "user").inbox().len(), 1);
    server.stop();

    let text = fs::read_to_string(&file).unwrap().replace("\"imaps\"", "\"gopher\"");
    fs::write(&file, format!("{text}\n[limits]\nconnections_max = 0\n")).unwrap();
    let at = |word: &str| 1 + text.lines().position(|line| line.contains(word)).unwrap();
    for args in [["config", "check"], ["serve", "--config"]] {
        let output = run(pillarbox().args(args).arg(&file));
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let gopher = format!("{}:{}:12: there is no protocol", file.display(), at("gopher"));
        assert!(said.contains(&gopher), "{said}");
        // Everything wrong is told, not only the first.
        let zero = format!(":{}:19: ", text.lines().count() + 3);
        assert!(said.contains(&zero), "{said}");
    }
}

fn counts(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let text = place.metrics();
    let values: Vec<_> = text.lines().filter(|line| line.contains("_total ")).collect();
    assert!(values.len() >= 14, "{text}");
    assert!(values.iter().all(|line| line.ends_with("_total 0")), "{text}");
    assert!(text.ends_with("# EOF\n"));

    let mut talk = Talk::smtp(place.smtp()).unwrap();
    let to = ["user@localhost", "friend@localhost"];
    assert!(talk.deliver(&to, &letter("one", 0)).unwrap().starts_with("250"));
    assert!(talk.deliver(&["a@elsewhere.example"], b"").unwrap().starts_with("550"));
    assert!(talk.say("RSET").unwrap().starts_with("250"));
    Imap::login(place.imap(), "friend");
    for (name, value) in [
        ("smtp_sessions_total", 1),
        ("messages_accepted_total", 1),
        ("recipients_delivered_total", 2),
        ("recipients_refused_total", 1),
        ("imap_sessions_total", 1),
        ("logins_total", 1),
        ("logins_failed_total", 0),
    ] {
        assert_eq!(place.metric(name), value, "{name}");
    }
    server.stop();
    let output = run(pillarbox().args(["metrics", "--dir"]).arg(place.dir()));
    assert_eq!(output.status.code(), Some(1));
    one_line(&output.stderr, &["no server answers"]);
    place.verify();
}

/// What an operator reads: one line, the last (a warning may stand before), with these words.
pub(crate) fn one_line(stderr: &[u8], words: &[&str]) {
    let said = String::from_utf8(stderr.to_vec()).unwrap();
    let ours: Vec<_> = said.lines().filter(|line| line.starts_with("pillarbox: ")).collect();
    assert_eq!(ours.len(), 1, "{said}");
    for word in words {
        assert!(ours[0].contains(word), "no `{word}` in {said}");
    }
}
