//! A disk that fails: every fault is a 4xx and never a `250`, and what was accepted stays.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::on_each_runtime;
use crate::server::{Place, Server, succeed};
use crate::talk::{Imap, Talk, letter};
use crate::trace::{Strace, Threads};

on_each_runtime!(
    a_failed_sync_ends_all_writing,
    a_failed_write_of_the_wal_puts_off,
    no_room_puts_off_until_there_is_room,
    a_body_that_cannot_be_synced_is_put_off,
    a_body_that_cannot_be_written_is_put_off,
    a_full_disk_is_survived,
);

const SMALL: usize = 2 << 10;
/// A body in a file, written at its end.
const LARGE: usize = 100 << 10;
/// A body in a file, of which pieces are written while it comes.
const HUGE: usize = 1 << 20;

/// A server in trouble, and what it has accepted.
struct Trial {
    place: Place,
    server: Server,
    accepted: Vec<String>,
}

impl Trial {
    fn new(runtime: &'static str) -> Self {
        let place = Place::new(runtime);
        let server = place.localserve();
        let mut trial = Self { place, server, accepted: Vec::new() };
        trial.accepts("before", SMALL);
        trial
    }

    fn fault(&self, threads: Threads<'_>, path: Option<&Path>, inject: &str) -> Strace {
        let mut options = vec!["-e", inject];
        if let Some(path) = path {
            options.extend(["-P", path.to_str().unwrap()]);
        }
        Strace::attach(&self.server, threads, self.place.beside("strace.log"), &options)
    }

    fn wal(&self) -> std::path::PathBuf {
        self.place.dir().join("pillarbox.db-wal")
    }

    fn send(&self, word: &str, size: usize) -> String {
        let mut talk = Talk::smtp(self.place.smtp()).unwrap();
        match talk.deliver(&["user@localhost"], &letter(word, size)) {
            Ok(reply) => reply,
            // The server may say 421 and close while we still send.
            Err(_) => talk.reply().unwrap_or_else(|_| "421 (lost)".into()),
        }
    }

    fn accepts(&mut self, word: &str, size: usize) {
        let reply = self.send(word, size);
        assert!(reply.starts_with("250 2.0.0"), "{word}: {reply}");
        self.accepted.push(word.to_owned());
    }

    fn puts_off(&self, word: &str, size: usize, codes: &[&str]) {
        let reply = self.send(word, size);
        assert!(codes.iter().any(|code| reply.starts_with(code)), "{word}: {reply}");
    }

    /// After a restart, every accepted message is there once, `refused` ones are not, and the
    /// store is whole. Ones that are neither may be there.
    fn judge(self, refused: &[&str]) {
        let Self { place, server, accepted } = self;
        server.stop();
        place.verify();
        let server = place.localserve();
        let inbox = Imap::login(place.imap(), "user").inbox();
        let times = |word: &str| {
            let end = format!("id {word}\r\n");
            let holds = |message: &&Vec<u8>| String::from_utf8_lossy(message).contains(&end);
            inbox.iter().filter(holds).count()
        };
        for word in &accepted {
            assert_eq!(times(word), 1, "{word}");
        }
        for word in refused {
            assert_eq!(times(word), 0, "{word}");
        }
        let mut trial = Self { place, server, accepted };
        trial.accepts("after the restart", LARGE);
        trial.server.stop();
        trial.place.verify();
    }
}

fn a_failed_sync_ends_all_writing(runtime: &'static str) {
    let trial = Trial::new(runtime);
    let fault =
        trial.fault(Threads::All, Some(&trial.wal()), "inject=fdatasync,fsync:error=EIO:when=1");
    trial.puts_off("unsynced", SMALL, &["451"]);
    let log = fault.detach();
    assert!(log.contains("(INJECTED)"), "{log}");
    // The disk is well again, but nobody knows what it has lost.
    for (word, size) in [("second", SMALL), ("third", LARGE), ("fourth", HUGE)] {
        trial.puts_off(word, size, &["451"]);
    }
    for size in [SMALL, LARGE] {
        let answer =
            Imap::login(trial.place.imap(), "user").append("INBOX", &letter("fifth", size));
        assert!(answer.starts_with("NO "), "{answer}");
    }
    assert_eq!(trial.place.metric("messages_accepted_total"), 1);
    assert!(trial.server.stderr.text().contains("the disk failed"));
    // What is there can still be read.
    assert!(!Imap::login(trial.place.imap(), "user").inbox().is_empty());
    trial.judge(&["second", "third", "fourth", "fifth"]);
}

fn a_failed_write_of_the_wal_puts_off(runtime: &'static str) {
    let trial = Trial::new(runtime);
    let inject = "inject=pwrite64:error=EIO:when=1";
    let fault = trial.fault(Threads::All, Some(&trial.wal()), inject);
    trial.puts_off("unwritten", SMALL, &["451"]);
    let log = fault.detach();
    assert!(log.contains("(INJECTED)"), "{log}");
    trial.puts_off("second", SMALL, &["451"]);
    trial.judge(&["second"]);
}

fn no_room_puts_off_until_there_is_room(runtime: &'static str) {
    let mut trial = Trial::new(runtime);
    let inject = "inject=pwrite64:error=ENOSPC";
    let fault = trial.fault(Threads::All, Some(&trial.wal()), inject);
    trial.puts_off("no room", SMALL, &["452"]);
    trial.puts_off("no room for large", LARGE, &["452"]);
    let log = fault.detach();
    assert!(log.contains("(INJECTED)"), "{log}");
    trial.place.settles_at_body_files(0);
    trial.accepts("room again", SMALL);
    trial.accepts("room for large", LARGE);
    trial.judge(&["no room", "no room for large"]);
}

fn a_body_that_cannot_be_synced_is_put_off(runtime: &'static str) {
    for (name, sync, of_the_folder) in [("file", "fdatasync", false), ("folder", "fsync", true)] {
        let trial = Trial::new(runtime);
        let bodies = trial.place.dir().join("bodies");
        let path = of_the_folder.then_some(&*bodies);
        let inject = format!("inject={sync}:error=EIO:when=1");
        let fault = trial.fault(Threads::Named("files"), path, &inject);
        trial.puts_off(name, LARGE, &["451"]);
        let log = fault.detach();
        assert!(log.contains("(INJECTED)"), "{log}");
        // Nobody knows what else of the folder was lost: no body is trusted to it any more.
        trial.puts_off("second", LARGE, &["451"]);
        trial.puts_off("third", HUGE, &["451", "421"]);
        trial.place.settles_at_body_files(0);
        // Nor is anything else: the store lies on the same disk.
        trial.puts_off("small", SMALL, &["451"]);
        trial.judge(&[name, "second", "third", "small"]);
    }
}

fn a_body_that_cannot_be_written_is_put_off(runtime: &'static str) {
    for (error, code) in [("EIO", "451"), ("ENOSPC", "452")] {
        let mut trial = Trial::new(runtime);
        // Bodies are written at a place in their file; a plain write of such a thread wakes others.
        let inject = format!("inject=pwrite64:error={error}:when=1");
        let fault = trial.fault(Threads::Named("files"), None, &inject);
        trial.puts_off("large", LARGE, &[code]);
        drop(fault);
        let fault = trial.fault(Threads::Named("files"), None, &inject);
        // The reply to the end is not waited for: the rest would be sent in vain.
        trial.puts_off("huge", HUGE, &[code, "421"]);
        let log = fault.detach();
        assert!(log.contains("(INJECTED)"), "{log}");
        trial.accepts("large again", LARGE);
        trial.accepts("huge again", HUGE);
        trial.place.settles_at_body_files(2);
        trial.judge(&["large", "huge"]);
    }
}

/// A small disk, filled to the last byte and then emptied. Needs root, for mount: where that is
/// not permitted the injected faults above have to do.
fn a_full_disk_is_survived(runtime: &'static str) {
    let place = Place::new(runtime);
    fs::create_dir(place.dir()).unwrap();
    let Some(_disk) = SmallDisk::mount(&place.dir()) else {
        eprintln!("not run: no permission to mount a small tmpfs");
        return;
    };
    let server = place.localserve();
    let mut trial = Trial { place, server, accepted: Vec::new() };
    trial.accepts("before", SMALL);
    let filler = trial.place.dir().join("filler");
    fill(&filler);
    trial.puts_off("no room for large", LARGE, &["452"]);
    trial.puts_off("no room for huge", HUGE, &["452", "421"]);
    // Small ones find room in the WAL, which was made long at the start, and then none.
    let mut refused = None;
    for number in 0..400 {
        let word = format!("filling {number}");
        let reply = trial.send(&word, 60 << 10);
        if reply.starts_with("250 2.0.0") {
            trial.accepted.push(word);
        } else {
            assert!(reply.starts_with("452"), "{reply}");
            refused = Some(word);
            break;
        }
    }
    let refused = refused.expect("the disk never became full");
    trial.puts_off("still no room", SMALL, &["452", "250"]);
    fs::remove_file(&filler).unwrap();
    trial.accepts("room again", SMALL);
    trial.accepts("room for large", LARGE);
    trial.accepts("room for huge", HUGE);
    trial.judge(&["no room for large", "no room for huge", &refused]);
}

fn fill(file: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(file).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

/// A tmpfs, until dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=20m", "tmpfs"]).arg(at);
        mount.output().is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: after a failed test the server may still be there for a moment.
        succeed(Command::new("umount").arg("-l").arg(&self.0));
    }
}
