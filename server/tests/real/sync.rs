//! Before each `250`, and each OK to APPEND, stands a finished sync, as the kernel saw it.

use std::path::{Path, PathBuf};

use crate::on_each_runtime;
use crate::server::{Place, Server};
use crate::talk::{Imap, Talk, letter};
use crate::trace::{Call, Strace, Threads, calls};

on_each_runtime!(syncs_before_it_accepts, a_missing_sync_is_noticed);

/// All by which bytes come in, go out, and become durable.
pub(crate) const WATCHED: &str = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,\
                       pwrite64,pwritev,fsync,fdatasync";
/// The answers as strace shows the beginning of their writes.
pub(crate) const ACCEPTED: &str = "\"250 2.0.0 ";
const APPENDED: &str = "\"a OK ";
const SMALL: usize = 2 << 10;
const LARGE: usize = 100 << 10;

fn syncs_before_it_accepts(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    for (name, size) in [("small", SMALL), ("large", LARGE), ("huge", 20 * LARGE)] {
        let seen = delivery(&place, &server, name, size);
        assert_eq!(judge(&seen, ACCEPTED, &place.dir(), size > SMALL), Ok(()), "{name}");
        let seen = append(&place, &server, name, size);
        assert_eq!(judge(&seen, APPENDED, &place.dir(), size > SMALL), Ok(()), "{name}");
    }
    server.stop();
}

fn a_missing_sync_is_noticed(runtime: &'static str) {
    let place = Place::new(runtime);
    place.localserve().stop();
    let server = place.serve("sync = \"off\"", "");
    let seen = delivery(&place, &server, "small", SMALL);
    assert_eq!(judge(&seen, ACCEPTED, &place.dir(), false), Err(Missing::Wal));
    let seen = delivery(&place, &server, "large", LARGE);
    assert_eq!(judge(&seen, ACCEPTED, &place.dir(), true), Err(Missing::Wal));
    let seen = append(&place, &server, "small", SMALL);
    assert_eq!(judge(&seen, APPENDED, &place.dir(), false), Err(Missing::Wal));
    server.stop();
}

fn delivery(place: &Place, server: &Server, word: &str, size: usize) -> Vec<Call> {
    let mut talk = Talk::smtp(place.smtp()).unwrap();
    let log = place.beside("strace.log");
    let strace = Strace::attach(server, Threads::All, log, &["-e", WATCHED]);
    let reply = talk.deliver(&["user@localhost"], &letter(word, size)).unwrap();
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    // We hear the reply before strace has written down that it was sent: the thread that sends is
    // held until then, so whatever it answers next comes later.
    talk.say("NOOP").unwrap();
    calls(&strace.detach())
}

fn append(place: &Place, server: &Server, word: &str, size: usize) -> Vec<Call> {
    let mut imap = Imap::login(place.imap(), "user");
    let log = place.beside("strace.log");
    let strace = Strace::attach(server, Threads::All, log, &["-e", WATCHED]);
    let answer = imap.append("Sent", &letter(word, size));
    assert!(answer.starts_with("OK "), "{answer}");
    imap.command("NOOP");
    calls(&strace.detach())
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// No such answer was written, or nothing read before it.
    Delivery,
    Wal,
    BodyFile,
    BodyFolder,
}

/// Between the last read of the body and the write of the answer, each to or from one socket,
/// must stand the sync of the WAL: begun after the one and ended before the other. For a body in a
/// file, the syncs of that file and of its folder must have ended before it begins.
pub(crate) fn judge(
    calls: &[Call],
    answer: &str,
    dir: &Path,
    in_file: bool,
) -> Result<(), Missing> {
    let accepted = calls
        .iter()
        .filter(|call| matches!(&*call.name, "write" | "writev" | "sendto" | "sendmsg"))
        .find(|call| call.args.contains(answer))
        .ok_or(Missing::Delivery)?;
    let last_read = calls
        .iter()
        .filter(|call| matches!(&*call.name, "read" | "readv" | "recvfrom" | "recvmsg"))
        .rfind(|call| {
            call.file() == accepted.file() && call.result > 0 && call.end < accepted.begin
        })
        .ok_or(Missing::Delivery)?;
    let sync_between = |path: &Path, from: usize, until: usize| {
        calls.iter().find(|call| {
            call.is_sync_of(path) && call.result == 0 && call.begin > from && call.end < until
        })
    };
    let wal = sync_between(&dir.join("pillarbox.db-wal"), last_read.end, accepted.begin)
        .ok_or(Missing::Wal)?;
    if in_file {
        let bodies = dir.join("bodies");
        let file = body_file(calls, &bodies).ok_or(Missing::BodyFile)?;
        let file = sync_between(&file, last_read.end, wal.begin).ok_or(Missing::BodyFile)?;
        sync_between(&bodies, file.end, wal.begin).ok_or(Missing::BodyFolder)?;
    }
    Ok(())
}

/// The file in the folder of bodies that was written.
fn body_file(calls: &[Call], bodies: &Path) -> Option<PathBuf> {
    let written = calls.iter().filter(|call| call.name == "pwrite64");
    let mut files = written.map(|call| PathBuf::from(call.file()));
    files.find(|path| path.parent() == Some(bodies))
}
