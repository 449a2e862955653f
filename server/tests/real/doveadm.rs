//! Dovecot's `doveadm` over its imapc: it brings our mail into a Maildir of its own as a backup, with
//! UIDs; carries changes in both directions; and imports. No Dovecot runs meanwhile.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::on_each_runtime;
use crate::server::{PASSWORD, Place, succeed};
use crate::talk::{Imap, letter};

on_each_runtime!(doveadm_backs_up_syncs_and_imports);

fn configure(place: &Place) {
    let root = is_root();
    let folder = place.beside("dove");
    for part in ["", "run", "home"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    // It does not touch mail as root.
    let (user, group) = if root { ("mail".into(), "mail".into()) } else { (id("-u"), id("-g")) };
    if root {
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(place.beside(""), open).unwrap();
        succeed(Command::new("chown").args(["-R", "mail:mail"]).arg(&folder));
    }
    let dir = folder.display();
    let text = format!(
        "base_dir = {dir}/run\nstate_dir = {dir}/run\nlog_path = /dev/stderr\nssl = no\n\
         mail_uid = {user}\nmail_gid = {group}\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n\
         mail_home = {dir}/home\nmail_location = maildir:{dir}/home/mail:LAYOUT=fs\n\
         mail_fsync = never\n\
         imapc_host = 127.0.0.1\nimapc_port = {}\nimapc_ssl = imaps\nimapc_ssl_verify = no\n\
         imapc_user = user@localhost\nimapc_password = {PASSWORD}\n\
         imapc_features = rfc822.size fetch-headers\n\
         namespace inbox {{\n  inbox = yes\n  separator = /\n}}\n",
        place.imaps(),
    );
    fs::write(folder.join("conf"), text).unwrap();
}

fn is_root() -> bool {
    id("-u") == "0"
}

fn id(option: &str) -> String {
    String::from_utf8(succeed(Command::new("id").arg(option))).unwrap().trim().to_owned()
}

fn command(place: &Place, words: &[&str]) -> Command {
    let mut command = Command::new("doveadm");
    command.arg("-c").arg(place.beside("dove/conf")).args(words);
    command.env("HOME", place.beside("dove/home")).env("USER", "user");
    command
}

fn doveadm(place: &Place, words: &[&str]) -> String {
    String::from_utf8(succeed(&mut command(place, words))).unwrap()
}

/// What the backup has, a line for each message.
fn near(place: &Place) -> Vec<String> {
    let words = ["-f", "flow", "fetch", "mailbox uid hdr.subject", "ALL"];
    let mut lines: Vec<String> = doveadm(place, &words).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn doveadm_backs_up_syncs_and_imports(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    configure(&place);
    let mut imap = Imap::login(place.imap(), "user");
    imap.command("CREATE Far/Deep");
    for word in ["gone", "one", "two"] {
        imap.append("INBOX", &letter(word, 0));
    }
    imap.append("Far/Deep", &letter("deep", 100_000));
    imap.command("SELECT INBOX");
    imap.command("STORE 1 +FLAGS (\\Deleted)");
    imap.command("EXPUNGE");

    doveadm(&place, &["backup", "-R", "imapc:"]);
    let line = |mailbox: &str, uid: u32, word: &str| {
        format!("mailbox={mailbox} uid={uid} hdr.subject={word}")
    };
    let mut known =
        vec![line("Far/Deep", 1, "deep"), line("INBOX", 2, "one"), line("INBOX", 3, "two")];
    assert_eq!(near(&place), known);
    let text = doveadm(&place, &["fetch", "text", "mailbox", "Far/Deep"]);
    let sent = String::from_utf8(letter("deep", 100_000)).unwrap();
    assert!(text.replace('\r', "").contains(&sent.replace('\r', "")), "the body is another");

    // A flag and a letter from there, a letter from here.
    doveadm(&place, &["flags", "add", "\\Answered $Own", "mailbox", "INBOX", "subject", "two"]);
    let mut save = command(&place, &["save", "-m", "INBOX"]).stdin(Stdio::piped()).spawn().unwrap();
    save.stdin.take().unwrap().write_all(&letter("near", 0)).unwrap();
    assert!(save.wait().unwrap().success());
    imap.append("Far/Deep", &letter("far", 0));
    doveadm(&place, &["sync", "-1", "imapc:"]);
    imap.command("NOOP");
    let told = imap.command("SEARCH ANSWERED KEYWORD $Own SUBJECT two");
    assert_eq!(told.concat(), b"* SEARCH 2");
    assert!(imap.inbox().iter().any(|text| *text == letter("near", 0)));
    doveadm(&place, &["sync", "-1", "-R", "imapc:"]);
    known.insert(1, line("Far/Deep", 2, "far"));
    known.push(line("INBOX", 4, "near"));
    assert_eq!(near(&place), known);

    doveadm(&place, &["import", "imapc:", "imported", "ALL"]);
    let imported = near(&place).iter().filter(|line| line.starts_with("mailbox=imported/")).count();
    assert_eq!(imported, known.len());
    drop(imap);
    server.stop();
    place.verify();
}
