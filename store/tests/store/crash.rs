//! The process or the power dies: what was acknowledged is there.

use std::fs;
use std::path::Path;

use pillarbox_store::{
    AccountId, Found, Options, Place, Read, Store, Sync, UidRange, Write, Written, verify::verify,
};
use rusqlite::wal::CheckpointMode;

use crate::fixture::{Fixture, NOW, deliver, inline, options, recipient};

/// Bytes of the WAL that hold committed frames.
pub(crate) fn wal_length(dir: &Path, page_size: u64) -> u64 {
    let conn = rusqlite::Connection::open(dir.join("pillarbox.db")).unwrap();
    // A connection finds the WAL with its first read.
    conn.query_row("SELECT count(*) FROM meta", [], |row| row.get::<_, i64>(0)).unwrap();
    let looked = conn.wal_checkpoint_v2(rusqlite::DEFAULT_NAME, CheckpointMode::NOOP).unwrap();
    32 + u64::try_from(looked.0).unwrap() * (page_size + 24)
}

/// What the disk holds behind the point up to which it was told to hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behind {
    Nothing,
    Zeros,
    Garbage,
}

/// A copy of the directory with the WAL cut after `length` bytes.
pub(crate) fn copy(from: &Path, to: &Path, length: u64, behind: Behind) {
    fs::create_dir(to).unwrap();
    fs::copy(from.join("pillarbox.db"), to.join("pillarbox.db")).unwrap();
    let mut wal = fs::read(from.join("pillarbox.db-wal")).unwrap();
    let length = usize::try_from(length).unwrap();
    match behind {
        Behind::Nothing => wal.truncate(length),
        Behind::Zeros => wal[length..].fill(0),
        Behind::Garbage => wal[length..].fill(0xA5),
    }
    fs::write(to.join("pillarbox.db-wal"), wal).unwrap();
}

/// The UIDs that are left in the first account's INBOX, after a start and a look by `verify`.
fn survivors(dir: &Path, at: &str) -> u64 {
    let store = Store::open(dir, &options()).unwrap();
    let mut reader = store.reader().unwrap();
    let status = Read::Counts;
    let Ok(Found::Counts(counts)) = reader.read(status) else { panic!() };
    drop((store, reader));
    verify(dir, &mut |finding| panic!("{at}: {finding}")).unwrap();
    counts.messages
}

#[test]
fn a_wal_cut_anywhere_keeps_what_was_acknowledged_before() {
    let mut fixture = Fixture::with(&Options { sync: Sync::Full, wal_size: 2 << 20, ..options() });
    let dir = fixture.dir.path().to_owned();
    // The length of the WAL once each commit was answered.
    let mut acknowledged = vec![wal_length(&dir, 8192)];
    let mut delivered = vec![0];
    // What each commit writes last does not end with a zero, which cannot be told from one.
    let letter = format!("Subject: x\r\n\r\n{}", "x".repeat(3000));
    for batch in [1, 3, 1, 2] {
        let jobs: Vec<Write> = (0..batch)
            .map(|_| deliver(vec![recipient(fixture.ann, Place::Inbox)], inline(&letter)))
            .collect();
        assert!(fixture.writer.commit(jobs).iter().all(Result::is_ok));
        acknowledged.push(wal_length(&dir, 8192));
        delivered.push(delivered.last().unwrap() + batch);
    }
    assert!(acknowledged.is_sorted_by(|a, b| a < b), "{acknowledged:?}");
    let scratch = tempfile::tempdir().unwrap();
    let last = *acknowledged.last().unwrap();
    let points = (acknowledged[0]..=last)
        .step_by(1999)
        .chain(acknowledged.iter().flat_map(|&at| [at - 1, at, at + 1]))
        .filter(|&at| at >= acknowledged[0]);
    for (number, at) in points.enumerate() {
        for behind in [Behind::Nothing, Behind::Zeros, Behind::Garbage] {
            let to = scratch.path().join(format!("{number}-{behind:?}"));
            copy(&dir, &to, at, behind);
            let place = acknowledged.iter().rposition(|&length| length <= at).unwrap();
            let found = survivors(&to, &format!("{at} {behind:?}"));
            // Exactly: a commit is there as a whole or not at all.
            assert_eq!(found, delivered[place], "cut at {at}, {behind:?}");
        }
    }
}

/// The names of the first account's mailboxes, each with how many messages it holds.
fn holdings(dir: &Path, at: &str) -> Vec<(String, u64)> {
    let store = Store::open(dir, &options()).unwrap();
    let mut reader = store.reader().unwrap();
    let by = AccountId(1);
    let Ok(Found::Mailboxes(list)) = reader.read(Read::Mailboxes { account: by }) else { panic!() };
    let mut found = Vec::new();
    for info in list {
        let status = reader.read(Read::Status { by, mailbox: info.id });
        let Ok(Found::Status(status)) = status else { panic!() };
        found.push((info.name, status.messages));
    }
    drop((store, reader));
    verify(dir, &mut |finding| panic!("{at}: {finding}")).unwrap();
    found
}

#[test]
fn a_wal_cut_anywhere_leaves_mailboxes_and_moves_whole() {
    let mut fixture = Fixture::with(&Options { sync: Sync::Full, wal_size: 1 << 20, ..options() });
    let dir = fixture.dir.path().to_owned();
    for _ in 0..3 {
        fixture.deliver(&"x".repeat(3000));
    }
    let (by, from, sent) = (fixture.ann, fixture.inbox(), fixture.mailbox(fixture.ann, "Sent"));
    let uids = vec![UidRange { first: 1, last: 2 }];
    let steps = [
        Write::CreateMailbox { by, name: "a/b/c".into(), special: None, now: NOW },
        Write::Move { by, from, uids, to: sent, now: NOW },
        Write::RenameMailbox { by, from: "a".into(), to: "z/a".into(), now: NOW },
        Write::RenameMailbox { by, from: "INBOX".into(), to: "old".into(), now: NOW },
        Write::DeleteMailbox { by, name: "Sent".into() },
        Write::DeleteMailbox { by, name: "old".into() },
    ];
    let scratch = tempfile::tempdir().unwrap();
    let look = |name: &str, at: u64, behind| {
        let to = scratch.path().join(name);
        copy(&dir, &to, at, behind);
        holdings(&to, name)
    };
    let mut at = wal_length(&dir, 8192);
    let mut known = look("begin", at, Behind::Nothing);
    for (number, step) in steps.into_iter().enumerate() {
        fixture.done(step);
        let end = wal_length(&dir, 8192);
        let next = look(&format!("{number}"), end, Behind::Nothing);
        assert_ne!(next, known, "step {number}");
        for cut in (at + 1..end).step_by(4099).chain([end - 1]) {
            // The frames of later steps are not there yet, whatever lies behind the cut.
            let found = look(&format!("{number}-{cut}"), cut, Behind::Garbage);
            assert_eq!(found, known, "step {number} cut at {cut}");
        }
        (at, known) = (end, next);
    }
}

#[test]
fn a_wal_that_was_used_again_keeps_what_was_acknowledged() {
    let mut fixture = Fixture::with(&Options { sync: Sync::Full, wal_size: 1 << 20, ..options() });
    let dir = fixture.dir.path().to_owned();
    for _ in 0..20 {
        fixture.deliver("before");
    }
    fixture.store.checkpoint().unwrap();
    // These overwrite the beginning; behind them lie valid frames of the last round.
    fixture.deliver("after");
    let scratch = tempfile::tempdir().unwrap();
    let length = wal_length(&dir, 8192);
    let whole = fs::metadata(dir.join("pillarbox.db-wal")).unwrap().len();
    for (name, at) in [("cut", length), ("whole", whole)] {
        let to = scratch.path().join(name);
        copy(&dir, &to, at, Behind::Nothing);
        assert_eq!(survivors(&to, name), 21);
    }
}

#[test]
fn a_killed_process_leaves_no_half_delivery() {
    let mut fixture = Fixture::new();
    let dir = fixture.dir.path().to_owned();
    let file = fixture.file(1, b"committed");
    fixture.done(deliver(vec![recipient(fixture.ann, Place::Inbox)], file));
    fixture.file(2, b"written, and then the process died");
    let scratch = tempfile::tempdir().unwrap();
    let to = scratch.path().join("copy");
    copy(&dir, &to, wal_length(&dir, 8192), Behind::Nothing);
    fs::create_dir(to.join("bodies")).unwrap();
    for entry in fs::read_dir(fixture.store.bodies()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join("bodies").join(path.file_name().unwrap())).unwrap();
    }
    assert_eq!(survivors(&to, "killed"), 1);
    assert_eq!(fs::read_dir(to.join("bodies")).unwrap().count(), 1);
}

#[test]
fn an_answer_comes_after_the_commit_is_visible() {
    let mut fixture = Fixture::new();
    let account = Write::CreateAccount { name: "eve".into(), now: NOW };
    let Written::Account(eve) = fixture.done(account) else { panic!() };
    // Another process's view, through files only.
    let conn = rusqlite::Connection::open(fixture.dir.path().join("pillarbox.db")).unwrap();
    let name: String =
        conn.query_row("SELECT name FROM account WHERE id = ?1", [eve.0], |r| r.get(0)).unwrap();
    assert_eq!(name, "eve");
}
