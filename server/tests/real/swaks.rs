//! swaks where the recipient is more than a mailbox, and through a proxy; curl's other commands
//! and many recipients.

use std::fs;

use crate::clients::{curl, swaks};
use crate::commands::done;
use crate::server::{PASSWORD, Place, run, succeed};
use crate::talk::{Imap, letter};

/// What swaks prints where a reply is not what it wanted.
fn refusal(code: &str) -> String {
    format!("<** {code} ")
}

#[test]
fn swaks_meets_every_kind_of_recipient() {
    let place = Place::new("smol");
    let server = place.localserve();
    let dir = place.dir();
    // Without a catch-all, unlike `localhost`.
    done(&dir, &["domain", "add", "example.org"]);
    done(&dir, &["address", "add", "frida@example.org", "friend"]);
    done(&dir, &["address", "add", "jörg@example.org", "friend"]);
    let members = ["user@localhost", "friend@localhost"];
    done(
        &dir,
        &[&["alias", "add", "team@example.org"], &members[..], &["--post-public", "true"]].concat(),
    );
    done(&dir, &[&["alias", "add", "own@example.org"], &members[..]].concat());
    for (to, code) in [
        ("frida@example.org", None),
        ("Frida+news@Example.ORG", None),
        ("team@example.org", None),
        ("postmaster", None),
        ("nobody@example.org", Some("550 5.1.1")),
        ("own@example.org", Some("550 5.7.2")),
        ("user@elsewhere.example", Some("550 5.7.1")),
        // swaks cannot say SMTPUTF8.
        ("jörg@example.org", Some("553 5.6.7")),
    ] {
        for pipeline in [&[][..], &["--pipeline"]] {
            let output = run(swaks(place.smtp()).args(pipeline).args(["--to", to]));
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.success(), code.is_none(), "{to}: {said}");
            assert!(code.is_none_or(|code| said.contains(&refusal(code))), "{to}: {said}");
        }
    }
    assert_eq!(Imap::login(place.imap(), "friend").inbox_of(6).len(), 6);
    assert_eq!(Imap::login(place.imap(), "user").inbox_of(4).len(), 4);
    server.stop();
}

#[test]
fn swaks_meets_a_quota() {
    let place = Place::new("smol");
    let server = place.localserve();
    done(&place.dir(), &["account", "quota", "friend", "20kB"]);
    let message = place.beside("message");
    fs::write(&message, letter("large", 15_000)).unwrap();
    let large = format!("@{}", message.display());
    for (data, code) in
        [(&large[..], None), (&large, Some("452 4.2.2")), ("Subject: small\\n\\nsmall\\n", None)]
    {
        let output = run(swaks(place.smtp()).args(["--to", "friend@localhost", "--data", data]));
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.success(), code.is_none(), "{said}");
        assert!(code.is_none_or(|code| said.contains(&refusal(code))), "{said}");
    }
    assert_eq!(Imap::login(place.imap(), "friend").inbox_of(2).len(), 2);
    server.stop();
}

#[test]
fn swaks_comes_through_a_proxy() {
    let place = Place::new("smol");
    place.localserve().stop();
    let (smtp, submissions) = (place.smtp() + 1, place.smtp() + 2);
    let server = place.serve(
        "",
        &format!(
            "[[listener]]\nprotocol = \"smtp\"\naddress = \"127.0.0.1:{smtp}\"\n\
             proxies = [\"127.0.0.1\"]\n\
             [[listener]]\nprotocol = \"submissions\"\naddress = \"127.0.0.1:{submissions}\"\n\
             proxies = [\"127.0.0.1\"]"
        ),
    );
    let ends = ["--proxy-source-port", "56324", "--proxy-dest-port", "25"];
    let v4 = ["--proxy-source", "192.0.2.7", "--proxy-dest", "192.0.2.1"];
    let v6 = ["--proxy-source", "2001:db8::7", "--proxy-dest", "2001:db8::1"];
    let headers = [
        (["--proxy-version", "1", "--proxy-family", "TCP4"], v4, "192.0.2.7"),
        (["--proxy-version", "1", "--proxy-family", "TCP6"], v6, "2001:db8::7"),
        (["--proxy-version", "2", "--proxy-family", "AF_INET"], v4, "192.0.2.7"),
        (["--proxy-version", "2", "--proxy-family", "AF_INET6"], v6, "2001:db8::7"),
    ];
    let login = ["--auth", "PLAIN", "--auth-user", "user@localhost", "--auth-password", PASSWORD];
    let mut inbox = Vec::new();
    for (version, addresses, seen) in headers {
        let proxied = [&version[..], &addresses, &ends].concat();
        succeed(swaks(smtp).args(&proxied).args(["-tls", "--to", "friend@localhost"]));
        let own = ["-tlsc", "--from", "user@localhost", "--to", "friend@localhost"];
        succeed(swaks(submissions).args(&proxied).args(login).args(own));
        let peer = format!("peer={seen}");
        assert!(server.stderr.wait_for(|line| line.contains(&peer)).is_some(), "{seen}");
        inbox = Imap::login(place.imap(), "friend").inbox_of(inbox.len() + 2);
    }
    assert_eq!(inbox.len(), 2 * headers.len());
    for (pair, (.., seen)) in inbox.chunks(2).zip(headers) {
        let [direct, submitted] = [0, 1].map(|of| String::from_utf8(pair[of].clone()).unwrap());
        assert!(direct.contains(seen) && !direct.contains("127.0.0.1"), "{direct}");
        // Where our own people are is nobody's business.
        assert!(!submitted.contains(seen), "{submitted}");
    }
    server.stop();
}

#[test]
fn curl_sends_to_many_and_asks() {
    let place = Place::new("smol");
    let server = place.localserve();
    done(&place.dir(), &["address", "add", "jörg@localhost", "friend"]);
    let smtp = format!("smtp://localhost:{}/client.example", place.smtp());
    let submissions = format!("smtps://localhost:{}/client.example", place.submissions());
    let login = format!("user@localhost:{PASSWORD}");
    let file = place.beside("message");
    let text = letter("many", 5_000);
    fs::write(&file, &text).unwrap();
    let to = |names: &[&'static str]| {
        let each = names.iter().flat_map(|name| ["--mail-rcpt", name]);
        each.chain(["--mail-from", "user@localhost"]).collect::<Vec<_>>()
    };
    let upload = |url: &str, to: &[&str]| {
        run(curl(&place.ca())
            .args(["--ssl-reqd", "-u", &login, "--upload-file"])
            .arg(&file)
            .arg(url)
            .args(to))
    };
    let both = to(&["user@localhost", "friend@localhost"]);
    let partly = to(&["user@localhost", "rcpttopermerror@localhost"]);
    let submission = format!("smtp://localhost:{}/client.example", place.submission());
    assert!(upload(&submissions, &both).status.success());
    assert!(upload(&submission, &both).status.success());
    // 55: curl's word for a command that was refused; nothing is sent to anybody.
    assert_eq!(upload(&submissions, &partly).status.code(), Some(55));
    let lenient = [&partly[..], &["--mail-rcpt-allowfails"]].concat();
    assert!(upload(&submissions, &lenient).status.success());
    // curl says SMTPUTF8 by itself where an address needs it.
    assert!(upload(&submission, &to(&["jörg@localhost"])).status.success());
    let [user, friend] = ["user", "friend"].map(|name| Imap::login(place.imap(), name).inbox_of(3));
    assert_eq!((user.len(), friend.len()), (3, 3));
    assert!(user.iter().chain(&friend).all(|message| message.ends_with(&text)));

    for (command, reply) in [
        ("VRFY user", "252 2.5.2 "),
        ("VRFY nobody@elsewhere.example", "252 2.5.2 "),
        ("EXPN user", "252 2.5.2 "),
        ("HELP", "214 2.0.0 "),
        ("HELP MAIL", "214 2.0.0 "),
        ("NOOP", "250 2.0.0 "),
    ] {
        let said = succeed(curl(&place.ca()).args([&smtp, "-X", command]));
        assert!(said.starts_with(reply.as_bytes()), "{command}: {}", said.escape_ascii());
    }
    server.stop();
}
