//! Programs that bring mail home: offlineimap3, which keeps a Maildir and a mailbox alike; fetchmail
//! and getmail6, which take what is new. All check our certificate.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::on_each_runtime;
use crate::server::{PASSWORD, Place, run, succeed};
use crate::talk::{Imap, letter};

on_each_runtime!(
    offlineimap_keeps_both_sides_alike,
    fetchmail_brings_each_letter_once,
    getmail_brings_each_letter_once_and_deletes_it,
);

/// A file that only its owner reads, as these programs want it.
fn private(place: &Place, name: &str, text: &str) -> std::path::PathBuf {
    let file = place.beside(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// A letter with lines that look like ends, in a mailbox.
fn file(imap: &mut Imap, mailbox: &str, word: &str) {
    let text = [&letter(word, 0)[..], b".\r\n..\r\nthe end\r\n"].concat();
    assert!(imap.append(mailbox, &text).starts_with("OK"));
}

/// All files of a Maildir's folder, their names and what is in them.
fn maildir(folder: &Path) -> Vec<(String, String)> {
    let files = ["cur", "new"].iter().flat_map(|kind| fs::read_dir(folder.join(kind)).unwrap());
    let file = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    files.map(|entry| file(entry.unwrap().path())).collect()
}

fn offlineimap_keeps_both_sides_alike(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let near = place.beside("near");
    let text = format!(
        "[general]\naccounts = a\nui = basic\nfsync = False\nmetadata = {meta}\n\
         [Account a]\nlocalrepository = near\nremoterepository = far\n\
         [Repository near]\ntype = Maildir\nlocalfolders = {near}\n\
         [Repository far]\ntype = IMAP\nremotehost = localhost\nremoteport = {port}\n\
         remoteuser = user@localhost\nremotepass = {PASSWORD}\nssl = yes\nsslcacertfile = {ca}\n",
        meta = place.beside("meta").display(),
        near = near.display(),
        port = place.imaps(),
        ca = place.ca().display(),
    );
    let config = private(&place, "offlineimaprc", &text);
    let sync = || {
        let mut command = Command::new("offlineimap");
        succeed(command.arg("-c").arg(&config).arg("-o").env("HOME", place.beside("")));
    };
    let mut imap = Imap::login(place.imap(), "user");
    for word in ["one", "two", "three"] {
        file(&mut imap, "INBOX", word);
    }
    imap.command("CREATE Far/Deep");
    file(&mut imap, "Far/Deep", "deep");
    sync();
    assert_eq!(maildir(&near.join("Far.Deep")).len(), 1);
    let inbox = maildir(&near.join("INBOX"));
    assert_eq!(inbox.len(), 3);
    assert!(inbox.iter().all(|(_, text)| text.ends_with("\n.\n..\nthe end\n")), "{inbox:?}");

    // Something happens on each side: read there, marked here, new ones, and one is removed.
    imap.command("SELECT INBOX");
    imap.command("STORE 1 +FLAGS (\\Seen)");
    imap.command("STORE 3 +FLAGS (\\Deleted)");
    imap.command("EXPUNGE");
    file(&mut imap, "INBOX", "four");
    let (name, _) = inbox.iter().find(|(_, text)| text.contains("id two\n")).unwrap();
    let old = [near.join("INBOX/new").join(name), near.join("INBOX/cur").join(name)];
    let old = old.iter().find(|path| path.exists()).unwrap();
    let base = name.split(":2,").next().unwrap();
    fs::rename(old, near.join("INBOX/cur").join(format!("{base}:2,FS"))).unwrap();
    fs::write(near.join("INBOX/new/1796087954.near.host"), "Subject: near\n\nid near\n").unwrap();
    sync();
    let inbox = maildir(&near.join("INBOX"));
    let flags = |word: &str| {
        let id = format!("id {word}\n");
        let found = inbox.iter().find(|(_, text)| text.contains(&id));
        found.map(|(name, _)| name.rsplit_once(":2,").map_or("", |(_, flags)| flags))
    };
    assert_eq!(["one", "three"].map(flags), [Some("S"), None]);
    assert!(flags("four").is_some() && flags("near").is_some() && inbox.len() == 4, "{inbox:?}");
    imap.command("NOOP");
    let told = |imap: &mut Imap, keys: &str| {
        String::from_utf8(imap.command(&format!("SEARCH {keys}")).concat()).unwrap()
    };
    assert!(told(&mut imap, "FLAGGED SEEN SUBJECT two").ends_with("SEARCH 2"));
    assert!(told(&mut imap, "SUBJECT near").contains("SEARCH 4"));
    sync();
    assert_eq!(maildir(&near.join("INBOX")), inbox, "nothing is left to do");
    server.stop();
    place.verify();
}

fn fetchmail_brings_each_letter_once(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let fetched = place.beside("fetched");
    let text = format!(
        "poll localhost service {} protocol IMAP user \"user@localhost\" password \"{PASSWORD}\" ssl \
         sslcertfile \"{}\" sslcertck keep mda \"cat >>{}\"\n",
        place.imaps(),
        place.ca().display(),
        fetched.display(),
    );
    let config = private(&place, "fetchmailrc", &text);
    // It exits with 1 where there is nothing new.
    let fetch = |code: i32| {
        let output = run(Command::new("fetchmail")
            .arg("-f")
            .arg(&config)
            .arg("--pidfile")
            .arg(place.beside("pid"))
            .env("HOME", place.beside("")));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        let all = fs::read_to_string(&fetched).unwrap();
        ["one", "two", "three"].map(|word| all.matches(&format!("\nid {word}\n")).count())
    };
    let mut imap = Imap::login(place.imap(), "user");
    file(&mut imap, "INBOX", "one");
    file(&mut imap, "INBOX", "two");
    assert_eq!(fetch(0), [1, 1, 0]);
    let ends = "\n.\n..\nthe end\n";
    assert_eq!(fs::read_to_string(&fetched).unwrap().matches(ends).count(), 2);
    assert_eq!(fetch(1), [1, 1, 0]);
    file(&mut imap, "INBOX", "three");
    assert_eq!(fetch(0), [1, 1, 1]);
    server.stop();
}

fn getmail_brings_each_letter_once_and_deletes_it(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let got = place.beside("got");
    let text = format!(
        "[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = localhost\nport = {}\n\
         username = user@localhost\npassword = {PASSWORD}\nmailboxes = (\"INBOX\", \"Far/Deep\")\n\
         ca_certs = {}\n\
         [destination]\ntype = MDA_external\npath = /usr/bin/tee\narguments = (\"-a\", \"{}\")\n\
         allow_root_commands = true\n\
         [options]\nread_all = false\ndelete = true\ndelivered_to = false\nreceived = false\n",
        place.imaps(),
        place.ca().display(),
        got.display(),
    );
    private(&place, "getmailrc", &text);
    let get = || {
        let folder = format!("--getmaildir={}", place.beside("").display());
        let mut command = Command::new("getmail");
        let said = succeed(command.args([&folder, "--rcfile=getmailrc"]));
        let said = String::from_utf8_lossy(&said).into_owned();
        let all = fs::read_to_string(&got).unwrap();
        let count = ["one", "deep", "two"].map(|word| all.matches(&format!("id {word}\n")).count());
        (count, said)
    };
    let mut imap = Imap::login(place.imap(), "user");
    imap.command("CREATE Far/Deep");
    file(&mut imap, "INBOX", "one");
    file(&mut imap, "Far/Deep", "deep");
    let (count, said) = get();
    assert_eq!(count, [1, 1, 0], "{said}");
    assert_eq!(imap.inbox().len(), 0, "{said}");
    file(&mut imap, "INBOX", "two");
    let (count, said) = get();
    assert_eq!(count, [1, 1, 1], "{said}");
    assert!(said.contains("1 messages") && imap.inbox().is_empty(), "{said}");
    server.stop();
    place.verify();
}
