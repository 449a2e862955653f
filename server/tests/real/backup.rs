//! Backups of a running server, the scripts of docs/backup.md, and the way back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::commands::done;
use crate::server::{PATIENCE, Place, exists, pillarbox, run, succeed};
use crate::talk::{Imap, Talk, letter};

/// What a client keeps of a mailbox.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    uidvalidity: Vec<u8>,
    messages: Vec<Vec<u8>>,
}

fn look(place: &Place, mailbox: &str) -> Seen {
    let mut imap = Imap::login(place.imap(), "user");
    let selected = imap.command(&format!("EXAMINE {mailbox}"));
    let uidvalidity = selected.iter().find(|line| line.starts_with(b"* OK [UIDVALIDITY"));
    let all = "UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])";
    Seen { uidvalidity: uidvalidity.unwrap().clone(), messages: imap.command(all) }
}

fn deliver(place: &Place, word: &str, size: usize) {
    let reply = Talk::smtp(place.smtp()).unwrap().deliver(&["user@localhost"], &letter(word, size));
    let reply = reply.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
}

fn uids(place: &Place) -> Vec<u32> {
    let mut imap = Imap::login(place.imap(), "user");
    imap.command("EXAMINE INBOX");
    let found = imap.command("UID SEARCH ALL").pop().unwrap();
    let text = String::from_utf8(found).unwrap();
    text.split(' ').filter_map(|word| word.parse().ok()).collect()
}

/// The script under this name in docs/backup.md, run with our program and no service manager.
fn script(place: &Place, name: &str, variables: &[(&str, &Path)]) {
    let bin = place.beside("bin");
    fs::create_dir_all(&bin).unwrap();
    for stub in ["systemctl", "chown"] {
        fs::write(bin.join(stub), "#!/bin/sh\n").unwrap();
        fs::set_permissions(bin.join(stub), fs::Permissions::from_mode(0o755)).unwrap();
    }
    if !exists(&bin.join("pillarbox")) {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pillarbox"), bin.join("pillarbox")).unwrap();
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/backup.md");
    let text = fs::read_to_string(docs).unwrap();
    let begin = format!("```sh\n#!/bin/sh\n# {name}\n");
    let script = text.split(&begin).nth(1).unwrap().split("```").next().unwrap();
    let path = std::env::join_paths(
        [bin].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut command = Command::new("sh");
    command.args(["-c", script]).env("PATH", path.unwrap());
    command.envs(variables.iter().copied());
    succeed(&mut command);
}

/// The only folder in there.
fn only(folder: &Path) -> std::path::PathBuf {
    let found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[test]
fn a_restored_server_serves_what_it_had() {
    let place = Place::new("smol");
    let server = place.localserve();
    for (word, size) in [("one", 0), ("two", 200_000), ("three", 0)] {
        deliver(&place, word, size);
    }
    let mut imap = Imap::login(place.imap(), "user");
    imap.append("Sent", &letter("sent", 100_000));
    imap.command("SELECT INBOX");
    imap.command("UID STORE 2 +FLAGS (\\Seen \\Answered Blue)");
    imap.command("UID STORE 1 +FLAGS (\\Deleted)");
    imap.command("EXPUNGE");
    let before = (look(&place, "INBOX"), look(&place, "Sent"));

    let (data, backups) = (place.dir(), place.beside("backups"));
    script(&place, "backup", &[("data", &data), ("backups", &backups)]);
    let backup = only(&backups);
    // What comes later is lost, and so is what is done to what was there.
    deliver(&place, "lost", 0);
    imap.command("UID STORE 2,3 +FLAGS (\\Deleted)");
    imap.command("EXPUNGE");
    place.settles_at_body_files(1);
    let lost = uids(&place);
    server.kill();

    script(&place, "restore", &[("data", &data), ("backup", &backup)]);
    let server = place.localserve();
    assert_eq!((look(&place, "INBOX"), look(&place, "Sent")), before);
    deliver(&place, "new", 0);
    let now = uids(&place);
    assert!(now.iter().all(|uid| !lost.contains(uid)), "{now:?} {lost:?}");
    server.stop();
    place.verify();
    // The backup is still what it was.
    done(&backup, &["verify"]);
}

#[test]
fn deliveries_go_on_during_backups_that_are_killed_or_not() {
    let place = Place::new("smol");
    let server = place.localserve();
    for number in 0..60 {
        deliver(&place, &format!("before{number}"), 60_000 + 10_000 * (number % 2));
    }
    let stopping = AtomicBool::new(false);
    let to = place.beside("backup");
    let partial = place.beside("backup.partial");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !stopping.load(Ordering::Relaxed) {
                deliver(&place, &format!("during{number}"), 70_000);
                // Files of bodies go, too.
                let mut imap = Imap::login(place.imap(), "user");
                imap.command("SELECT INBOX");
                imap.command("STORE 1:2 +FLAGS (\\Deleted)");
                imap.command("EXPUNGE");
                deliver(&place, &format!("small{number}"), 0);
                number += 1;
            }
        });
        for _ in 0..5 {
            let mut child = pillarbox()
                .args(["backup", "--copy", "--dir"])
                .args([&place.dir(), &to])
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let until = Instant::now() + PATIENCE;
            while !exists(&partial) && !exists(&to) {
                assert!(Instant::now() < until);
            }
            child.kill().unwrap();
            child.wait().unwrap();
            if exists(&to) {
                // It was faster.
                done(&to, &["verify"]);
                fs::remove_dir_all(&to).unwrap();
            } else if exists(&partial.join("pillarbox.db.partial")) {
                let output = run(pillarbox().args(["verify", "--dir"]).arg(&partial));
                let said = String::from_utf8(output.stderr).unwrap();
                assert!(said.contains("was not finished"), "{said}");
            }
        }
        let said = done(&place.dir(), &["backup", to.to_str().unwrap()]);
        assert!(said.contains("database"), "{said}");
        stopping.store(true, Ordering::Relaxed);
    });
    assert!(!exists(&partial));
    done(&to, &["verify"]);
    let again = run(pillarbox().args(["backup", "--dir"]).args([&place.dir(), &to]));
    assert!(String::from_utf8(again.stderr).unwrap().contains("is there already"));

    // Stopped: under its lock.
    server.stop();
    let other = place.beside("other");
    done(&place.dir(), &["backup", other.to_str().unwrap()]);
    done(&other, &["verify"]);
    place.verify();
}
