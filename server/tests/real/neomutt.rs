//! neomutt of Debian 12, which reads on a terminal and sends from a script.

use std::fs;
use std::process::{Command, Output};

use crate::logins::{all, ways};
use crate::server::{PASSWORD, Place, hiding_plus, run, script};
use crate::talk::{Imap, letter};

/// neomutt's own configuration.
fn configure(place: &Place) {
    let text = format!(
        "set certificate_file = {ca} ssl_ca_certificates_file = {ca}\n\
         set ssl_force_tls = yes ssl_starttls = yes sleep_time = 0 wait_key = no\n\
         set imap_user = user@localhost imap_pass = {PASSWORD} smtp_pass = {PASSWORD}\n\
         set from = user@localhost use_envelope_from = yes hostname = localhost\n\
         set record = '' folder = {dir} tmpdir = {dir}\n",
        ca = place.ca().display(),
        dir = place.beside("").display(),
    );
    fs::write(place.beside("neomuttrc"), text).unwrap();
}

/// neomutt by this command, with these settings and arguments.
fn neomutt(command: &mut Command, place: &Place, settings: &[&str], last: &[&str]) -> Output {
    command.args(["-n", "-F"]).arg(place.beside("neomuttrc"));
    for setting in settings {
        command.args(["-e", setting]);
    }
    command.envs([("TERM", "xterm"), ("LC_ALL", "C.UTF-8")]).env("HOME", place.beside(""));
    run(command.args(last))
}

fn send(place: &Place, url: &str, more: &[&str]) -> Output {
    let text = place.beside("text");
    fs::write(&text, "gr\u{fc}\u{df}e \u{2713}\n.\n..\n").unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "exec neomutt \"$@\" <\"$0\""]).arg(&text);
    let url = format!("set smtp_url = {url}");
    let letter = ["-s", "neomutt", "friend@localhost"];
    neomutt(&mut command, place, &[&[&url[..]], more].concat(), &letter)
}

/// The first message of INBOX, as somebody who reads it would save it.
fn read(place: &Place, url: &str, more: &[&str]) -> String {
    let to = place.beside("read");
    let _none = fs::remove_file(&to);
    let keys = format!("push '<pipe-message>cat >{}<enter><exit>'", to.display());
    let mut command = Command::new("python3");
    command.arg(script("terminal.py")).args(["", "neomutt"]);
    let output = neomutt(&mut command, place, &[more, &[&keys]].concat(), &["-f", url]);
    assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stdout));
    fs::read_to_string(to).unwrap_or_else(|_| {
        panic!("{url} was not read: {}", String::from_utf8_lossy(&output.stdout))
    })
}

/// RFC 5802 §6: who knows no binding must not take a -PLUS. This one does where it sends, and gives
/// up.
#[test]
fn neomutt_reads_and_sends_where_it_does_not_hear_of_bindings() {
    let place = Place::new("smol");
    place.localserve().stop();
    let [imaps, submission, submissions] = [1, 2, 3].map(|more| place.smtp() + more);
    let listeners = [
        hiding_plus("imaps", imaps),
        hiding_plus("submission", submission),
        hiding_plus("submissions", submissions),
    ];
    let server = place.serve("", &listeners.concat());
    configure(&place);

    let url = |scheme: &str, port: u16| format!("{scheme}://user%40localhost@localhost:{port}/");
    let open = url("smtps", place.submissions());
    let output = send(&place, &open, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("SASL authentication failed"), "{said}");
    // Cancelled by the client: nothing that counts as an attempt.
    assert_eq!(ways(&place, "user"), all([]));

    let [starttls, tls] = [url("smtp", submission), url("smtps", submissions)];
    for (url, more) in [
        (&starttls, &[][..]),
        (&tls, &[]),
        (&tls, &["set smtp_authenticators = plain"]),
        (&tls, &["set smtp_authenticators = login"]),
        // What helps on a server that hides nothing.
        (&open, &["set smtp_authenticators = plain"]),
    ] {
        let output = send(&place, url, more);
        assert!(output.status.success(), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let inbox = Imap::login(place.imap(), "friend").inbox_of(5);
    assert_eq!(inbox.len(), 5);
    for message in inbox {
        let text = String::from_utf8_lossy(&message);
        assert!(text.contains(" with ESMTPSA id "), "{text}");
        assert!(text.contains("\r\nSubject: neomutt\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\ngr\u{fc}\u{df}e \u{2713}\r\n.\r\n..\r\n"), "{text}");
    }

    Imap::login(place.imap(), "user").append("INBOX", &letter("read", 0));
    for (port, more) in [
        (imaps, &[][..]),
        (place.imaps(), &[]),
        (place.imaps(), &["set imap_authenticators = login"]),
    ] {
        let text = read(&place, &format!("imaps://localhost:{port}/INBOX"), more);
        assert!(text.contains("Subject: read\n") && text.ends_with("\n\nid read\n"), "{text}");
    }
    assert!(ways(&place, "user").is_superset(&all([
        "imap PLAIN tls ok",
        "imap LOGIN tls ok",
        "smtp SCRAM-SHA-256 tls ok",
        "smtp PLAIN tls ok",
        "smtp LOGIN tls ok",
    ])));
    server.stop();
}

/// What somebody does with new mail: one is read, one flagged, one filed, one deleted.
#[test]
fn neomutt_reads_flags_files_and_deletes() {
    let place = Place::new("smol");
    let server = place.localserve();
    configure(&place);
    let mut imap = Imap::login(place.imap(), "user");
    for word in ["read", "flagged", "filed", "deleted"] {
        imap.append("INBOX", &letter(word, 0));
    }
    let url = format!("imaps://localhost:{}/", place.imaps());
    let keys = "push '<first-entry><display-message><exit><next-entry><flag-message><next-entry>\
                <save-message><kill-line>=Archive<enter><next-entry><delete-message>\
                <sync-mailbox><exit>'";
    let settings = [
        &format!("set folder = {url} sort = mailbox-order resolve = no delete = yes move = no"),
        "set confirmappend = no confirmcreate = no mark_old = no pager = builtin",
        keys,
    ];
    let mut command = Command::new("python3");
    command.arg(script("terminal.py")).args(["", "neomutt"]);
    let output = neomutt(&mut command, &place, &settings, &["-f", &format!("{url}INBOX")]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let told = |imap: &mut Imap, mailbox: &str| {
        imap.command(&format!("EXAMINE {mailbox}"));
        let told = imap.command("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
        String::from_utf8(told.concat()).unwrap()
    };
    let inbox = told(&mut imap, "INBOX");
    assert!(inbox.contains("* 1 FETCH (FLAGS (\\Seen)"), "{inbox}{said}");
    assert!(inbox.contains("* 2 FETCH (FLAGS (\\Flagged)") && !inbox.contains("* 3 "), "{inbox}");
    assert!(!inbox.contains("deleted") && !inbox.contains("filed"), "{inbox}");
    assert!(told(&mut imap, "Archive").contains("Subject: filed"));
    server.stop();
    place.verify();
}
