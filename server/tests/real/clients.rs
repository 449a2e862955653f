//! The clients that people have: swaks, curl, Python's imaplib, openssl.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::logins::ways;
use crate::on_each_runtime;
use crate::server::{PASSWORD, Place, run, script, succeed};
use crate::talk::{Imap, letter};

on_each_runtime!(
    swaks_sends_in_every_way,
    swaks_is_refused_where_it_must_be,
    swaks_submits_as_itself_only,
    curl_reads_back_what_it_sent,
    curl_appends_and_reads_back,
    imaplib_works,
    openssl_speaks_starttls,
);

fn swaks_sends_in_every_way(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let login = ["--auth-user", "user@localhost", "--auth-password", PASSWORD];
    let ca = place.ca();
    let ca = ["--tls-ca-path", ca.to_str().unwrap(), "--tls-verify"];
    let auth = |mechanism| [&["--auth", mechanism], &login[..]].concat();
    let ways: [(u16, Vec<&str>, &str); 10] = [
        (place.smtp(), vec![], "ESMTP"),
        (place.smtp(), vec!["--protocol", "SMTP"], "SMTP"),
        (place.smtp(), vec!["--pipeline"], "ESMTP"),
        (place.smtp(), [&["-tls"], &ca[..]].concat(), "ESMTPS"),
        (place.submission(), auth("PLAIN"), "ESMTPA"),
        (place.submission(), auth("LOGIN"), "ESMTPA"),
        (place.submission(), [&["-tls"], &ca[..], &auth("PLAIN")].concat(), "ESMTPSA"),
        (place.submission(), [&["-tls"], &ca[..], &auth("LOGIN")].concat(), "ESMTPSA"),
        (place.submissions(), [&["-tlsc"], &ca[..], &auth("PLAIN")].concat(), "ESMTPSA"),
        (place.submissions(), [&["-tlsc"], &ca[..], &auth("LOGIN")].concat(), "ESMTPSA"),
    ];
    for (number, (port, options, _)) in ways.iter().enumerate() {
        let to = if number % 2 == 0 { "friend@localhost" } else { "friend@localhost,x@localhost" };
        let subject = format!("Subject: way {number}");
        succeed(swaks(*port).args(options).args(["--to", to, "--header", &subject]));
    }
    let inbox = Imap::login(place.imap(), "friend").inbox_of(ways.len());
    assert_eq!(inbox.len(), ways.len());
    for (number, (message, (.., with))) in inbox.iter().zip(&ways).enumerate() {
        let text = String::from_utf8(message.clone()).unwrap();
        assert!(text.starts_with("Return-Path: <ann@client.example>\r\n"), "{text}");
        assert!(text.contains(&format!("\r\nSubject: way {number}\r\n")), "{text}");
        assert!(text.contains(&format!(" with {with} id ")), "{number}: {text}");
    }
    // Mail for any other name goes to the first account.
    assert_eq!(Imap::login(place.imap(), "user").inbox_of(ways.len() / 2).len(), ways.len() / 2);
    server.stop();
}

fn swaks_is_refused_where_it_must_be(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let wrong = ["--auth-user", "user@localhost", "--auth-password", "wrong"];
    for (port, options, code) in [
        (place.smtp(), &["--to", "bob@elsewhere.example"][..], "550"),
        (place.submission(), &["--to", "user@localhost"], "530"),
        (place.submission(), &[&["--to", "user@localhost"], &wrong[..]].concat(), "535"),
    ] {
        let output = run(swaks(port).args(options));
        assert!(!output.status.success());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(&format!("<** {code} ")), "no {code}: {said}");
    }
    assert_eq!(Imap::login(place.imap(), "user").inbox(), Vec::<Vec<u8>>::new());
    server.stop();
}

/// Where `any_sender` is not said; `localserve` says it.
fn swaks_submits_as_itself_only(runtime: &'static str) {
    let place = Place::new(runtime);
    place.localserve().stop();
    let port = place.smtp() + 1;
    let listener = format!(
        "[[listener]]\nprotocol = \"submission\"\naddress = \"127.0.0.1:{port}\"\n\
         login_without_tls = true"
    );
    let server = place.serve("", &listener);
    let login = ["--auth", "PLAIN", "--auth-user", "friend", "--auth-password", PASSWORD];
    for (from, header, code) in [
        ("friend+news@localhost", "From: Friend <friend@localhost>", None),
        ("user@localhost", "From: friend@localhost", Some("550")),
        ("friend@localhost", "From: user@localhost", Some("550")),
        ("friend@localhost", "X-From: friend@localhost", Some("554")),
    ] {
        let data = format!("{header}\\nBcc: user@localhost\\nSubject: own\\n\\nHello\\n");
        let output = run(swaks(port)
            .args(login)
            .args(["--local-interface", "127.0.0.2", "--to", "user@localhost"])
            .args(["--from", from, "--data", &data]));
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.success(), code.is_none(), "{said}");
        assert!(code.is_none_or(|code| said.contains(&format!("<** {code} "))), "{code:?}: {said}");
    }
    let inbox = Imap::login(place.imap(), "user").inbox_of(1);
    assert_eq!(inbox.len(), 1);
    let text = String::from_utf8(inbox[0].clone()).unwrap();
    for (part, is_there) in [
        ("Return-Path: <friend+news@localhost>\r\n", true),
        ("\r\nReceived: from localhost\r\n", true),
        ("\r\nDate: ", true),
        ("\r\nMessage-ID: <", true),
        ("Bcc", false),
        ("127.0.0.2", false),
        ("client.example", false),
    ] {
        assert_eq!(text.contains(part), is_there, "{part}: {text}");
    }
    server.stop();
}

/// Messages in which something may be changed on the way.
fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let header = b"Subject: =?utf-8?q?caf=C3=A9?=\r\n\r\n";
    let of = |body: &[u8]| [&header[..], body].concat();
    vec![
        ("plain", letter("plain", 2 << 10)),
        ("dots", of(b".\r\n..\r\n...x\r\n.x\r\nx.\r\n.\r\n\r\n.\r\n")),
        (
            "8bit",
            of("gr\u{fc}\u{df}e \u{1f40c} \r\n".as_bytes())
                .into_iter()
                .chain(*b"\xff\xfe\x80\r\n")
                .collect(),
        ),
        ("long line", of(&[&vec![b'x'; 900][..], b"\r\n"].concat())),
        ("very long line", of(&[&vec![b'y'; 200_000][..], b"\r\n"].concat())),
        ("empty lines", of(b"\r\n\r\n\r\n \r\n\t\r\n")),
        ("3 MB", letter("large", 3_000_000)),
    ]
}

fn curl_reads_back_what_it_sent(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let file = place.beside("message");
    let messages = messages();
    for (_, text) in &messages {
        fs::write(&file, text).unwrap();
        succeed(
            curl(&place.ca())
                .arg(format!("smtp://localhost:{}/client.example", place.smtp()))
                .args(["--ssl-reqd", "--mail-from", "ann@client.example"])
                .args(["--mail-rcpt", "user@localhost", "--upload-file"])
                .arg(&file),
        );
    }
    let login = format!("user@localhost:{PASSWORD}");
    for (number, (name, text)) in messages.iter().enumerate() {
        let index = format!("INBOX;MAILINDEX={}", number + 1);
        let tls = succeed(
            curl(&place.ca())
                .args(["-u", &login])
                .arg(format!("imaps://localhost:{}/{index}", place.imaps())),
        );
        let starttls = succeed(
            curl(&place.ca())
                .args(["-u", &login, "--ssl-reqd"])
                .arg(format!("imap://localhost:{}/{index}", place.imap())),
        );
        assert!(tls == starttls, "{name} differs between imaps and imap");
        let ours = tls.len().checked_sub(text.len()).unwrap();
        let trace = String::from_utf8(tls[..ours].to_vec()).unwrap();
        assert!(trace.starts_with("Return-Path: ") && trace.ends_with("\r\n"), "{name}: {trace}");
        assert!(tls[ours..] == text[..], "{name} came back changed");
    }
    place.settles_at_body_files(2);
    server.stop();
}

fn curl_appends_and_reads_back(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let file = place.beside("message");
    let login = format!("user@localhost:{PASSWORD}");
    let url = format!("imaps://localhost:{}/Sent", place.imaps());
    for (number, (name, text)) in messages().into_iter().enumerate() {
        fs::write(&file, &text).unwrap();
        succeed(curl(&place.ca()).args(["-u", &login, "--upload-file"]).arg(&file).arg(&url));
        let url = format!("{url};UID={}", number + 1);
        let read = succeed(curl(&place.ca()).args(["-u", &login]).arg(url));
        assert!(read == text, "{name} came back changed");
    }
    server.stop();
}

#[test]
fn curl_logs_in_by_each_mechanism() {
    let place = Place::new("smol");
    let server = place.localserve();
    let file = place.beside("message");
    fs::write(&file, letter("curl", 0)).unwrap();
    let mechanisms = ["PLAIN", "LOGIN", "CRAM-MD5"];
    for mechanism in mechanisms {
        let login = |url: String| {
            let mut command = curl(&place.ca());
            command.args(["-u", &format!("user@localhost:{PASSWORD}"), "--ssl-reqd", &url]);
            command.args(["--login-options", &format!("AUTH={mechanism}")]);
            command
        };
        for (scheme, port) in [("imap", place.imap()), ("imaps", place.imaps())] {
            succeed(&mut login(format!("{scheme}://localhost:{port}/INBOX")));
        }
        for (scheme, port) in [("smtp", place.submission()), ("smtps", place.submissions())] {
            let mut command = login(format!("{scheme}://localhost:{port}"));
            command.args(["--mail-from", "user@localhost", "--mail-rcpt", "friend@localhost"]);
            succeed(command.arg("--upload-file").arg(&file));
        }
    }
    let used = |protocol| mechanisms.map(|name| format!("{protocol} {name} tls ok"));
    assert_eq!(ways(&place, "user"), ["imap", "smtp"].into_iter().flat_map(used).collect());
    assert_eq!(
        Imap::login(place.imap(), "friend").inbox_of(2 * mechanisms.len()).len(),
        2 * mechanisms.len()
    );
    server.stop();
}

fn imaplib_works(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    succeed(
        Command::new("python3")
            .arg(script("imaplib_session.py"))
            .args([&place.imap().to_string(), &place.imaps().to_string()])
            .arg(place.ca())
            .arg(place.smtp().to_string()),
    );
    let used = ["CRAM-MD5", "LOGIN", "PLAIN"].map(|name| format!("imap {name} tls ok"));
    assert_eq!(ways(&place, "user"), used.into());
    server.stop();
    place.verify();
}

fn openssl_speaks_starttls(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    for (port, protocol, says, wanted) in [
        (place.smtp(), Some("smtp"), "EHLO x\r\nQUIT\r\n", "221 2.0.0"),
        (place.submission(), Some("smtp"), "EHLO x\r\nQUIT\r\n", "221 2.0.0"),
        (place.imap(), Some("imap"), "a NOOP\r\na LOGOUT\r\n", "a OK"),
        (place.submissions(), None, "EHLO x\r\nQUIT\r\n", "221 2.0.0"),
        (place.imaps(), None, "a NOOP\r\na LOGOUT\r\n", "a OK"),
    ] {
        for version in ["-tls1_2", "-tls1_3"] {
            let mut command = Command::new("openssl");
            command.args(["s_client", "-quiet", "-verify_return_error", version, "-CAfile"]);
            command.arg(place.ca()).args(["-verify_hostname", "localhost"]);
            command.args(["-connect", &format!("127.0.0.1:{port}")]);
            if let Some(protocol) = protocol {
                command.args(["-starttls", protocol]);
            }
            let said = converse(&mut command, says);
            assert!(said.contains(wanted), "{port} {version}: {said}");
            assert!(!said.contains("STARTTLS"), "offered again: {said}");
        }
    }
    assert_eq!(place.metric("tls_handshakes_total"), 10);
    assert_eq!(place.metric("tls_failures_total"), 0);
    server.stop();
}

/// What a program answers to this on its standard input, until it ends by itself.
fn converse(command: &mut Command, says: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{error}; install the Debian package `openssl`"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(says.as_bytes()).unwrap();
    // Held open until the end: the server is to close, not we.
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn swaks(port: u16) -> Command {
    let mut command = Command::new("swaks");
    command.args(["--server", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--helo", "client.example", "--from", "ann@client.example"]);
    command
}

pub(crate) fn curl(ca: &Path) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "50", "--cacert"]).arg(ca);
    command
}
