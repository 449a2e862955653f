//! One port of HTTPS that speaks HTTP, IMAP or SMTP, as the client asks by ALPN; and names,
//! certificates and their renewal on all ports.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::on_each_runtime;
use crate::secure::{Secure, TLS12, TLS13, Trust};
use crate::server::{PASSWORD, Place, script, succeed};

on_each_runtime!(
    the_client_chooses_what_is_spoken,
    openssl_is_greeted_at_once,
    a_letter_goes_out_and_comes_in_through_the_one_port,
    what_is_not_spoken_is_refused,
    a_name_that_nobody_has_is_refused,
    who_says_no_name_is_served,
    certificates_are_renewed_under_way,
);

fn the_client_chooses_what_is_spoken(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    for versions in [[TLS12], [TLS13]] {
        for (listed, agreed, greeting) in [
            (&["imap"][..], Some("imap"), "* OK [CAPABILITY "),
            (&["smtp"], Some("smtp"), "220 localhost ESMTP"),
            (&["imap", "h2", "http/1.1"], Some("imap"), "* OK [CAPABILITY "),
            (&["xmpp-client", "smtp", "imap"], Some("smtp"), "220 localhost ESMTP"),
        ] {
            let trust = Trust::new(&place.ca(), &versions).listing(listed);
            let mut client = Secure::to(place.https(), &trust).unwrap();
            assert_eq!(client.alpn(), agreed.map(str::as_bytes));
            let said = client.line().unwrap();
            assert!(said.starts_with(greeting), "{listed:?}: {said}");
        }
        // Who does not ask, and who asks for it, gets HTTP.
        for listed in [&[][..], &["http/1.1"], &["http/1.1", "imap"]] {
            let trust = Trust::new(&place.ca(), &versions).listing(listed);
            let mut client = Secure::to(place.https(), &trust).unwrap();
            client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n").unwrap();
            assert_eq!(client.line().unwrap(), "HTTP/1.1 200 OK");
        }
    }
    server.stop();
}

/// What openssl hears, which says nothing of its own but this.
fn s_client(port: u16, options: &[&str], script: &str) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-quiet", "-ign_eof", "-connect", &format!("localhost:{port}")]);
    openssl.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = openssl.spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

fn openssl_is_greeted_at_once(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let imap = s_client(place.https(), &["-alpn", "imap"], "a STARTTLS\r\nb LOGOUT\r\n");
    assert!(imap.contains("* OK [CAPABILITY "), "{imap}");
    assert!(imap.contains("\na BAD TLS already active"), "{imap}");
    assert!(imap.contains("\nb OK "), "{imap}");
    let smtp = s_client(place.https(), &["-alpn", "smtp"], "QUIT\r\n");
    assert!(smtp.contains("220 localhost ESMTP") && smtp.contains("\n221 "), "{smtp}");
    let request = "GET /healthz HTTP/1.0\r\n\r\n";
    for options in [&[][..], &["-alpn", "http/1.1"], &["-noservername"]] {
        let http = s_client(place.https(), options, request);
        assert!(http.contains("HTTP/1.0 200 OK") || http.contains("HTTP/1.1 200 OK"), "{http}");
    }
    // curl asks for h2 first.
    let url = format!("https://localhost:{}/healthz", place.https());
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--http2", "-w", " %{http_version}", "--cacert"]).arg(place.ca()).arg(&url);
    let said = String::from_utf8(succeed(&mut curl)).unwrap();
    assert!(said.ends_with(" 2"), "{said}");
    server.stop();
}

fn a_letter_goes_out_and_comes_in_through_the_one_port(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let trust = |name| Trust::new(&place.ca(), &[TLS13, TLS12]).listing(&[name]);
    let mut smtp = Secure::to(place.https(), &trust("smtp")).unwrap();
    assert!(smtp.line().unwrap().starts_with("220 "));
    // RFC 4616: NUL user NUL password.
    for (command, code) in [
        ("HELO client.example", "250"),
        ("AUTH PLAIN AHVzZXJAbG9jYWxob3N0AHBpbGxhcmJveA==", "235"),
        ("MAIL FROM:<user@localhost>", "250"),
        ("RCPT TO:<friend@localhost>", "250"),
        ("DATA", "354"),
        ("From: <user@localhost>\r\nSubject: through 443\r\n\r\nhello\r\n.", "250"),
        ("QUIT", "221"),
    ] {
        let said = smtp.say(command).unwrap();
        assert!(said.starts_with(code), "{command}: {said}");
    }
    let mut imap = Secure::to(place.https(), &trust("imap")).unwrap();
    assert!(imap.line().unwrap().starts_with("* OK"));
    assert!(imap.say(&format!("a LOGIN friend@localhost {PASSWORD}")).unwrap().starts_with("a OK"));
    imap.send("b SELECT INBOX\r\nc FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]").unwrap();
    let until = |imap: &mut Secure, tag: &str| loop {
        let line = imap.line().unwrap();
        if line.starts_with(tag) || line.starts_with("Subject") {
            return line;
        }
    };
    assert!(until(&mut imap, "b ").starts_with("b OK"));
    assert_eq!(until(&mut imap, "c "), "Subject: through 443");
    server.stop();
}

/// RFC 7301 §3.2, and no way to lead what is meant for a web server to another port.
fn what_is_not_spoken_is_refused(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    for (port, listed) in [
        (place.https(), &["ftp", "IMAP"][..]),
        (place.imaps(), &["http/1.1"]),
        (place.imaps(), &["h2", "smtp"]),
        (place.submissions(), &["imap"]),
    ] {
        let trust = Trust::new(&place.ca(), &[TLS13, TLS12]).listing(listed);
        let error = Secure::to(port, &trust).unwrap_err().to_string();
        assert!(error.contains("NoApplicationProtocol"), "{listed:?}: {error}");
    }
    for (port, listed) in [(place.imaps(), ["imap"]), (place.submissions(), ["smtp"])] {
        let trust = Trust::new(&place.ca(), &[TLS13, TLS12]).listing(&listed);
        assert!(Secure::to(port, &trust).unwrap().line().is_ok());
    }
    // Another server is not turned away for a list.
    let smtp = s_client(place.smtp(), &["-starttls", "smtp", "-alpn", "nntp"], "QUIT\r\n");
    assert!(smtp.contains("\n221 ") || smtp.contains("221 2.0.0"), "{smtp}");
    server.stop();
}

fn a_name_that_nobody_has_is_refused(runtime: &'static str) {
    let place = Place::new(runtime);
    place.localserve().stop();
    let config = place.dir().join("pillarbox.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("any_server_name = true", "")).unwrap();
    let server = place.serve("", "");
    let options = ["-servername", "imap.example.com"];
    for port in [place.imaps(), place.submissions(), place.https()] {
        let said = s_client(port, &options, "");
        assert!(said.contains("unrecognized name"), "{said}");
        let none = s_client(port, &["-noservername", "-alpn", "imap,smtp"], "a LOGOUT\r\nQUIT\r\n");
        assert!(none.contains("localhost"), "{none}");
    }
    let more = [&options[..], &["-starttls", "smtp"]].concat();
    let said = s_client(place.smtp(), &more, "QUIT\r\n");
    assert!(said.contains("221 2.0.0"), "{said}");
    let more = [&options[..], &["-starttls", "imap"]].concat();
    assert!(s_client(place.imap(), &more, "").contains("unrecognized name"));
    server.stop();
}

/// RFC 6066 §3: a client need not say a name. It gets the host's certificate, on every port.
fn who_says_no_name_is_served(runtime: &'static str) {
    let place = Place::new(runtime);
    place.localserve().stop();
    let config = place.dir().join("pillarbox.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("any_server_name = true", "")).unwrap();
    let server = place.serve("", "");
    let ports =
        [place.imap(), place.imaps(), place.submission(), place.submissions(), place.https()];
    succeed(
        Command::new("python3")
            .arg(script("nameless_session.py"))
            .args(ports.map(|port| port.to_string()))
            .arg(place.ca()),
    );
    let ca = place.ca();
    let trust = ["-noservername", "-verify_return_error", "-CAfile", ca.to_str().unwrap()];
    for (port, more, says, wanted) in [
        (place.smtp(), &["-starttls", "smtp"][..], "QUIT\r\n", "221 2.0.0"),
        (place.submission(), &["-starttls", "smtp"], "QUIT\r\n", "221 2.0.0"),
        (place.submissions(), &[], "QUIT\r\n", "221 2.0.0"),
        (place.imap(), &["-starttls", "imap"], "a LOGOUT\r\n", "a OK"),
        (place.imaps(), &[], "a LOGOUT\r\n", "a OK"),
        (place.https(), &["-alpn", "imap"], "a LOGOUT\r\n", "a OK"),
        (place.https(), &["-alpn", "smtp"], "QUIT\r\n", "221 2.0.0"),
    ] {
        for version in ["-tls1_2", "-tls1_3"] {
            let said = s_client(port, &[&trust[..], more, &[version]].concat(), says);
            assert!(said.contains(wanted), "{port} {more:?} {version}: {said}");
        }
    }
    assert_eq!(place.metric("tls_failures_total"), 0);
    server.stop();
}

fn certificates_are_renewed_under_way(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let tls = place.dir().join("tls");
    let trust = Trust::new(&place.ca(), &[TLS13]);
    let mut old = Secure::to(place.imaps(), &trust).unwrap();
    assert!(old.line().unwrap().starts_with("* OK"));
    // A certificate without its key is not taken, and the server goes on.
    let other = place.beside("other");
    pillarbox::certificates::ensure(&other).unwrap();
    fs::copy(other.join("cert.pem"), tls.join("cert.pem")).unwrap();
    server.signal("HUP");
    let said = server.stderr.wait_for(|line| line.contains("the old certificates stay in use"));
    assert!(said.is_some_and(|line| line.contains("cert.pem")), "{}", server.stderr.text());
    assert!(Secure::to(place.imaps(), &trust).is_ok());
    fs::copy(other.join("key.pem"), tls.join("key.pem")).unwrap();
    server.signal("HUP");
    assert!(server.stderr.wait_for(|line| line.contains("certificates read")).is_some());
    let trust = Trust::new(&other.join("ca.pem"), &[TLS13]);
    for port in [place.imaps(), place.submissions(), place.https()] {
        assert!(Secure::to(port, &trust).is_ok());
    }
    // Who is connected stays so.
    assert!(old.say("a NOOP").unwrap().starts_with("a OK"));
    server.stop();
}
