//! Cyrus' `imtest` and `smtptest`, which log in by Cyrus SASL. `./test` unpacks them into
//! `target/peers/`: their package would bring a whole mail server.

use std::process::Command;

use crate::logins::{all, ways};
use crate::server::{PASSWORD, Place, hiding_plus, peer, run};

/// What a program showed that logged in, or tried to, and then left.
fn test(program: &str, port: u16, options: &[&str]) -> String {
    let libraries = format!("cyrus/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let output = run(Command::new(peer("cyrus/usr/lib/cyrus/bin").join(program))
        .env("LD_LIBRARY_PATH", peer(&libraries))
        .args(["-p", &port.to_string(), "-a", "user@localhost", "-u", "user@localhost"])
        .args(["-w", PASSWORD])
        .args(options)
        .arg("localhost"));
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// How a session ends that has not broken down.
const GOODBYE: [(&str, &str); 2] = [("imtest", "Q01 OK LOGOUT"), ("smtptest", "\n221 2.0.0")];

#[test]
fn imtest_and_smtptest_log_in_by_each_mechanism() {
    let place = Place::new("smol");
    let server = place.localserve();
    let mut expected = Vec::new();
    for (number, (program, goodbye)) in GOODBYE.into_iter().enumerate() {
        let clear = [place.imap(), place.submission()][number];
        let tls = [place.imaps(), place.submissions()][number];
        for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
            for (port, more) in [(clear, &[][..]), (clear, &["-t", ""]), (tls, &["-s"])] {
                let said = test(program, port, &[&["-m", mechanism], more].concat());
                assert!(said.contains("\nAuthenticated.\n"), "{program} {mechanism}: {said}");
                assert!(said.contains(goodbye), "{program} {mechanism}: {said}");
            }
            for channel in ["clear", "tls"] {
                let protocol = ["imap", "smtp"][number];
                expected.push(format!("{protocol} {mechanism} {channel} ok"));
            }
        }
        let said = test(program, tls, &["-s", "-m", "PLAIN", "-w", "wrong"]);
        assert!(said.contains("\nAuthentication failed."), "{said}");
        assert!(said.contains(goodbye), "{said}");
        expected.push(format!("{} PLAIN tls wrong", ["imap", "smtp"][number]));
    }
    assert_eq!(ways(&place, "user"), expected.into_iter().collect());
    server.stop();
}

/// Where it hears of -PLUS, Cyrus SASL says the plain name and binds to the channel all the same, by
/// `tls-unique`, which TLS 1.3 does not have. RFC 5802 §6 has the -PLUS name for a binding.
#[test]
fn a_binding_under_the_plain_name_is_refused_on_a_living_connection() {
    let place = Place::new("smol");
    place.localserve().stop();
    let [imaps, submissions] = [place.smtp() + 1, place.smtp() + 2];
    let hiding = [hiding_plus("imaps", imaps), hiding_plus("submissions", submissions)];
    let server = place.serve("", &hiding.concat());
    for (number, (program, goodbye)) in GOODBYE.into_iter().enumerate() {
        let port = [place.imaps(), place.submissions()][number];
        let said = test(program, port, &["-s"]);
        // p=tls-unique,
        assert!(said.contains(" SCRAM-SHA-256 cD10bHMtdW5pcXVlL"), "{said}");
        assert!(said.contains(["A01 BAD ", "S: 501 5.5.2 "][number]), "{said}");
        assert!(said.contains("\nAuthentication failed."), "{said}");
        assert!(said.contains(goodbye), "{said}");
        // Where it does not hear of it, it does not bind.
        let said = test(program, [imaps, submissions][number], &["-s"]);
        assert!(said.contains("\nAuthenticated.\n") && said.contains(goodbye), "{said}");
    }
    let known = ways(&place, "user");
    assert!(known.is_superset(&all(["imap SCRAM-SHA-256 tls ok", "smtp SCRAM-SHA-256 tls ok"])));
    server.stop();
}
