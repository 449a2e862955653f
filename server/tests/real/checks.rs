//! Whether mail is what it says, as people see it: the fields in front of it, and where it lies.

use std::fs;

use crate::clients::swaks;
use crate::on_each_runtime;
use crate::server::{PASSWORD, Place, pillarbox, run, succeed};
use crate::talk::{Imap, Talk};

on_each_runtime!(
    what_people_send_is_signed_and_arrives_as_proved,
    mail_from_outside_is_judged_by_what_domains_publish
);

/// A header as one line a field.
fn unfolded(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message).replace("\r\n\t", " ");
    text.split("\r\n\r\n").next().unwrap().to_owned()
}

fn messages(place: &Place, mailbox: &str) -> Vec<String> {
    let mut imap = Imap::login(place.imap(), "friend");
    imap.command(&format!("SELECT {mailbox}"));
    let found = imap.command("FETCH 1:* BODY.PEEK[]");
    found.iter().skip(1).step_by(3).map(|message| unfolded(message)).collect()
}

fn what_people_send_is_signed_and_arrives_as_proved(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    succeed(swaks(place.submission()).args([
        "-tls",
        "--auth",
        "PLAIN",
        "--auth-user",
        "user@localhost",
        "--auth-password",
        PASSWORD,
        "--from",
        "user@localhost",
        "--to",
        "friend@localhost",
        "--header",
        "Authentication-Results: localhost; spf=fail smtp.mailfrom=evil.example",
    ]));
    let sent = Imap::login(place.imap(), "friend").inbox_of(1);
    let all = messages(&place, "INBOX");
    let head = all.first().unwrap();
    let results: Vec<&str> =
        head.lines().filter(|line| line.starts_with("Authentication-Results:")).collect();
    assert_eq!(results.len(), 1, "{head}");
    for found in [
        "Authentication-Results: localhost;",
        " spf=pass smtp.mailfrom=localhost;",
        " dkim=pass header.d=localhost header.s=ed25519 header.a=ed25519-sha256",
        " dkim=pass (2048 bits) header.d=localhost header.s=rsa header.a=rsa-sha256",
        " dmarc=pass header.from=localhost",
    ] {
        assert!(results[0].contains(found), "{found}: {}", results[0]);
    }
    assert!(
        head.contains("\r\nX-Pillarbox-Reason: accepted: localhost stands behind it"),
        "{head}"
    );
    let file = place.beside("message.eml");
    fs::write(&file, &sent[0]).unwrap();
    let records = place.dir().join("dkim-records.txt");
    let verify = |file: &std::path::Path| {
        let args = ["dkim", "verify", "--records"];
        run(pillarbox().args(args).arg(&records).arg(file))
    };
    let told = String::from_utf8(verify(&file).stdout).unwrap();
    let good = "pass: localhost, key ed25519, ed25519-sha256\n\
                pass: localhost, key rsa, rsa-sha256, 2048 bits\n";
    assert_eq!(told, good);
    let changed = fs::read_to_string(&file).unwrap().replace("test mailing", "best mailing");
    fs::write(&file, changed).unwrap();
    let output = verify(&file);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("fail: localhost, key rsa, rsa-sha256, 2048 bits: the body was changed"),
        "{told}"
    );
    assert_eq!(output.status.code(), Some(1));
    let records = fs::read_to_string(records).unwrap();
    let names: Vec<&str> = records.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["ed25519._domainkey.localhost", "rsa._domainkey.localhost"]);
    server.stop();
}

const ZONE: &str = "\
strict.example.        MX  10 mx.strict.example.
_dmarc.strict.example. TXT \"v=DMARC1; p=reject\"
mild.example.          MX  10 mx.mild.example.
_dmarc.mild.example.   TXT \"v=DMARC1; p=quarantine\"
own.example.           TXT \"v=spf1 ip4:127.0.0.0/8 -all\"
_dmarc.own.example.    TXT \"v=DMARC1; p=reject\"
";

fn mail_from_outside_is_judged_by_what_domains_publish(runtime: &'static str) {
    let place = Place::new(runtime);
    fs::create_dir_all(place.dir()).unwrap();
    fs::write(place.dir().join("zone.txt"), ZONE).unwrap();
    let server = place.localserve();
    for (domain, reply) in [
        ("strict.example", "550 5.7.26 neither SPF nor a signature shows that it is from strict"),
        ("mild.example", "250 "),
        ("own.example", "250 "),
        ("unknown.example", "250 "),
    ] {
        let mut talk = Talk::smtp(place.smtp()).unwrap();
        for (command, code) in [
            (format!("MAIL FROM:<ann@{domain}>"), "250"),
            ("RCPT TO:<friend@localhost>".into(), "250"),
            ("DATA".into(), "354"),
        ] {
            assert!(talk.say(&command).unwrap().starts_with(code), "{command}");
        }
        let text = format!(
            "Authentication-Results: localhost; dmarc=pass\r\nX-Pillarbox-Reason: no\r\n\
             From: ann@{domain}\r\nSubject: {domain}\r\n\r\nHello\r\n."
        );
        let said = talk.say(&text).unwrap();
        assert!(said.starts_with(reply), "{domain}: {said}");
    }
    let inbox = messages(&place, "INBOX");
    assert_eq!(inbox.len(), 2, "{inbox:?}");
    assert!(
        inbox[0].contains(" dmarc=pass header.from=own.example polrec.p=reject"),
        "{}",
        inbox[0]
    );
    assert!(inbox[1].contains(" dmarc=none header.from=unknown.example"), "{}", inbox[1]);
    let junk = messages(&place, "Junk");
    let why = "X-Pillarbox-Reason: filed into Junk: neither SPF nor a signature shows that it is \
               from mild.example, which wants such mail kept apart or refused (DMARC)";
    assert!(junk.len() == 1 && junk[0].contains(why), "{junk:?}");
    for head in inbox.iter().chain(&junk) {
        assert!(!head.contains("dmarc=pass\r\n") && !head.contains("Reason: no"), "{head}");
    }
    server.stop();
}

const CONFIGURATION: &str = "\
hostname = \"mx.example\"
data = \".\"
[dns]
zones = [\"zone.txt\"]
[[listener]]
protocol = \"smtp\"
address = \"127.0.0.1:25\"
";

const DOMAINS: &str = "\
example.org.        TXT \"v=spf1 include:mail.example.net -all exp=why.example.org\"
why.example.org.    TXT \"%{i} is not ours\"
mail.example.net.   TXT \"v=spf1 ip4:192.0.2.0/24 ~all\"
_dmarc.example.org. TXT \"v=DMARC1; p=reject; sp=quarantine; rua=mailto:dmarc@example.org\"
";

/// The commands explain their steps.
#[test]
fn people_can_ask_what_a_server_would_find() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("zone.txt"), DOMAINS).unwrap();
    fs::write(folder.path().join("pillarbox.toml"), CONFIGURATION).unwrap();
    let told = |args: &[&str]| {
        let config = folder.path().join("pillarbox.toml");
        let output = succeed(pillarbox().args(args).arg("--config").arg(config));
        String::from_utf8(output).unwrap()
    };
    let check = ["spf", "check", "--mail-from", "ann@example.org", "--ip"];
    let passes = told(&[&check[..], &["192.0.2.7"]].concat());
    let steps = "  example.org: `v=spf1` found\n    mail.example.net: `v=spf1` found\n    \
                 mail.example.net: `ip4:192.0.2.0/24` matches\n  \
                 example.org: `include:mail.example.net` matches\n\
                 pass: example.org lets 192.0.2.7 send for it\nReceived-SPF: pass ";
    assert!(passes.starts_with(steps), "{passes}");
    let fails = told(&[&check[..], &["203.0.113.1"]].concat());
    for part in ["`-all` matches\n", "fail: ", "the domain says: 203.0.113.1 is not ours\n"] {
        assert!(fails.contains(part), "{part}: {fails}");
    }
    let policy = told(&["dmarc", "lookup", "news.example.org"]);
    let end = "organization: example.org\npolicy: quarantine (published by example.org)\n\
               alignment: SPF relaxed, DKIM relaxed\nreports to: dmarc@example.org\n";
    assert!(policy.ends_with(end), "{policy}");
    let none = told(&["dmarc", "lookup", "other.example"]);
    assert!(none.ends_with("policy: none is published\n"), "{none}");
}
