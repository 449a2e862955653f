//! mbsync between a Maildir and the server: 500 messages each way, changes on both sides, and
//! nothing left to do when it runs again.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::logins::ways;
use crate::on_each_runtime;
use crate::server::{Place, succeed};
use crate::talk::{Imap, letter};

on_each_runtime!(syncs_both_ways_and_has_nothing_left);

const MESSAGES: usize = 500;

fn syncs_both_ways_and_has_nothing_left(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let near = Near::new(&place);
    for number in 0..MESSAGES / 2 {
        near.add("INBOX", &format!("near-{number}"));
    }
    near.add("Work", "work");
    let mut imap = Imap::login(place.imap(), "user");
    for number in 0..MESSAGES / 2 {
        imap.append("INBOX", &letter(&format!("far-{number}"), 0));
    }
    imap.command("CREATE Far/Deep");
    imap.append("Far/Deep", &letter("deep", 0));

    near.sync();
    assert_eq!(near.messages("INBOX").len(), MESSAGES);
    assert_eq!(near.messages("Far/Deep").len(), 1);
    assert_eq!(imap.inbox().len(), MESSAGES);
    near.has_nothing_left(&place);

    // Flags, removals and new messages, on both sides at once.
    imap.command("SELECT INBOX");
    imap.command("STORE 1:10 +FLAGS.SILENT (\\Seen \\Flagged)");
    imap.command("STORE 11:20 +FLAGS.SILENT (\\Deleted)");
    imap.command("CLOSE");
    imap.append("INBOX", &letter("far-new", 0));
    near.mark(|text| text.contains("near-7.") || text.contains("near-8."), "S");
    near.mark(|text| text.contains("near-9."), "T");
    near.add("INBOX", "near-new");
    near.sync();
    assert_eq!(near.messages("INBOX").len(), MESSAGES - 11 + 2);
    assert_eq!(imap.inbox().len(), MESSAGES - 11 + 2);
    imap.command("EXAMINE INBOX");
    let seen = imap.command("SEARCH SEEN");
    let seen = String::from_utf8(seen.concat()).unwrap();
    assert_eq!(seen.split_whitespace().filter(|word| word.parse::<u32>().is_ok()).count(), 12);
    assert_eq!(near.messages("INBOX").iter().filter(|file| flags(file).contains('F')).count(), 10);
    near.has_nothing_left(&place);

    drop(imap);
    server.stop();
    place.verify();
}

/// Those of Cyrus SASL, and of its own: LOGIN is the command of that name.
#[test]
fn logs_in_by_each_mechanism() {
    let place = Place::new("smol");
    let server = place.localserve();
    let near = Near::new(&place);
    let text = fs::read_to_string(&near.config).unwrap();
    let [clear, host] = [format!("Port {}", place.imap()), "Host 127.0.0.1".to_owned()];
    let mut expected = BTreeSet::new();
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "*"] {
        for (port, kind) in [(place.imap(), "STARTTLS"), (place.imaps(), "IMAPS")] {
            let more = format!("CertificateFile {}\nAuthMechs {mechanism}", place.ca().display());
            let text = text
                .replace(&clear, &format!("Port {port}"))
                .replace(&host, "Host localhost")
                .replace("SSLType None", &format!("SSLType {kind}\n{more}"));
            fs::write(&near.config, text).unwrap();
            near.sync();
        }
        // Left the choice, it binds to nothing.
        let used = if mechanism == "*" { "SCRAM-SHA-256" } else { mechanism };
        expected.insert(format!("imap {used} tls ok"));
    }
    assert_eq!(ways(&place, "user"), expected);
    server.stop();
}

/// The Maildir, and mbsync's configuration for it.
struct Near {
    mail: PathBuf,
    config: PathBuf,
}

impl Near {
    fn new(place: &Place) -> Self {
        let (mail, config) = (place.beside("mail"), place.beside("mbsyncrc"));
        fs::create_dir_all(&mail).unwrap();
        let text = format!(
            "IMAPStore far\nHost 127.0.0.1\nPort {}\nUser user\nPass pillarbox\nSSLType None\n\n\
             MaildirStore near\nPath {mail}/\nInbox {mail}/INBOX\nSubFolders Verbatim\n\n\
             Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\n\
             Expunge Both\nSyncState *\n",
            place.imap(),
            mail = mail.display(),
        );
        fs::write(&config, text).unwrap();
        Self { mail, config }
    }

    fn add(&self, folder: &str, word: &str) {
        let folder = self.mail.join(folder);
        for kind in ["cur", "new", "tmp"] {
            fs::create_dir_all(folder.join(kind)).unwrap();
        }
        // A Maildir has bare LF.
        let text = String::from_utf8(letter(&format!("{word}."), 0)).unwrap().replace('\r', "");
        fs::write(folder.join("new").join(format!("1795527240.{word}.host")), text).unwrap();
    }

    /// The files of a folder.
    fn messages(&self, folder: &str) -> Vec<PathBuf> {
        let kinds = ["cur", "new"].map(|kind| self.mail.join(folder).join(kind));
        let files = kinds.iter().flat_map(|kind| fs::read_dir(kind).unwrap());
        files.map(|file| file.unwrap().path()).collect()
    }

    /// Gives a flag to those messages of INBOX whose text is meant.
    fn mark(&self, meant: impl Fn(&str) -> bool, flag: &str) {
        for file in self.messages("INBOX") {
            if meant(&fs::read_to_string(&file).unwrap()) {
                let name = file.file_name().unwrap().to_str().unwrap();
                let name = name.split(":2,").next().unwrap();
                let marked = format!("cur/{name}:2,{}{flag}", flags(&file));
                fs::rename(&file, self.mail.join("INBOX").join(marked)).unwrap();
            }
        }
    }

    fn sync(&self) {
        succeed(Command::new("mbsync").arg("-c").arg(&self.config).arg("-a"));
    }

    /// Another run changes nothing on either side, to the last byte of names and answers.
    fn has_nothing_left(&self, place: &Place) {
        let before = self.state(place);
        self.sync();
        assert_eq!(self.state(place), before);
    }

    fn state(&self, place: &Place) -> String {
        let mut imap = Imap::login(place.imap(), "user");
        let mut state = String::new();
        for folder in ["INBOX", "Work", "Far/Deep"] {
            let mut files = self.messages(folder);
            files.sort();
            imap.command(&format!("EXAMINE {folder}"));
            let told = imap.command("UID FETCH 1:* (FLAGS RFC822.SIZE)");
            let told = String::from_utf8(told.concat()).unwrap();
            let status = imap.command(&format!("STATUS {folder} (UIDNEXT UIDVALIDITY MESSAGES)"));
            let status = String::from_utf8(status.concat()).unwrap();
            writeln!(state, "{folder}\n{files:#?}\n{told}\n{status}").unwrap();
        }
        state
    }
}

/// The flags in a Maildir file's name.
fn flags(file: &Path) -> &str {
    file.to_str().unwrap().split_once(":2,").map_or("", |(_, flags)| flags)
}
