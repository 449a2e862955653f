//! Copies of the store: whole whatever is written meanwhile, told from halves, and used afterwards
//! without giving a number twice.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use pillarbox_store::backup::{How, Made, Progress, backup};
use pillarbox_store::{
    Change, Flags, OpenError, Place, Selected, Store, UidRange, Write, verify::verify,
};

use crate::fixture::{Fixture, NOW, deliver, options, recipient};

const RUNNING: How = How { running: true, copy_files: false };

/// Rows, a shared file, a file of one's own, flags and a keyword; enough pages for several steps.
fn furnished() -> Fixture {
    let mut fixture = Fixture::new();
    let (ann, bob) = (fixture.ann, fixture.bob);
    let (shared, own) = (fixture.file(1, b"shared"), fixture.file(2, b"her own"));
    fixture.done(deliver(vec![recipient(ann, Place::Inbox), recipient(bob, Place::Inbox)], shared));
    fixture.done(deliver(vec![recipient(ann, Place::Inbox)], own));
    for number in 0..400 {
        fixture.deliver(&format!("{number}{}", "x".repeat(30_000)));
    }
    let mailbox = fixture.inbox();
    fixture.done(Write::StoreFlags {
        by: ann,
        mailbox,
        uids: vec![UidRange::one(5)],
        change: Change::Add,
        flags: Flags::SEEN,
        keywords: vec!["Blue".into()],
        unchanged_since: None,
    });
    fixture
}

fn quiet(_: Progress) {}

fn found(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    verify(dir, &mut |finding| found.push(finding.to_string())).unwrap();
    found
}

/// The copy as a store in use, of the same accounts.
fn woken(fixture: &Fixture, dir: &Path) -> Fixture {
    let store = Store::open(dir, &options()).unwrap();
    let (writer, reader) = (store.writer().unwrap(), store.reader().unwrap());
    let (ann, bob) = (fixture.ann, fixture.bob);
    // Its own folder is only there to be removed.
    Fixture { dir: tempfile::tempdir().unwrap(), store, writer, reader, ann, bob }
}

fn target(fixture: &Fixture) -> PathBuf {
    fixture.dir.path().join("copy")
}

#[test]
fn a_copy_is_the_store_at_one_moment_whatever_is_written_meanwhile() {
    let mut fixture = furnished();
    let mailbox = fixture.inbox();
    let (before, texts) = (fixture.select(mailbox), fixture.messages(mailbox, false));
    let (from, to) = (fixture.dir.path().to_owned(), target(&fixture));
    let held = fixture.store.hold_bodies();
    let (mut steps, mut last) = (0, Progress::Missing(pillarbox_core::effect::Handle([0; 16])));
    let made = backup(&from, &to, RUNNING, &mut |progress| {
        if let Progress::Database { .. } = progress {
            steps += 1;
            // Letters come, others go for good with their files, and the WAL is written back.
            fixture.deliver("meanwhile");
            fixture.flag(&[UidRange::one(2)], Change::Add, Flags::DELETED);
            fixture.done(Write::Expunge { by: fixture.ann, mailbox, uids: None });
            fixture.done(Write::Purge { mailbox, up_to_modseq: u64::MAX });
            fixture.store.checkpoint().unwrap();
        }
        last = progress;
    })
    .unwrap();
    assert!(steps > 2, "{steps}");
    assert_eq!(made, Made { files: 2, bytes: 13, linked: 2, missing: 0, ..made });
    assert_eq!(last, Progress::Bodies { done: 13, all: 13 });
    // The file of what went stayed until now.
    assert_eq!(fixture.body_files(), 2);
    drop(held);
    assert_eq!(fixture.body_files(), 1);

    assert_eq!(found(&to), [""; 0]);
    let mut copy = woken(&fixture, &to);
    let after = copy.select(mailbox);
    assert_eq!((after.status.uidvalidity, &after.uids), (before.status.uidvalidity, &before.uids));
    assert_eq!((after.keywords, after.status.messages), (before.keywords, before.status.messages));
    let flags = |messages: &[pillarbox_store::Message]| -> Vec<_> {
        messages.iter().map(|m| (m.facts.uid, m.facts.flags, m.text.clone())).collect()
    };
    assert_eq!(flags(&copy.messages(mailbox, false)), flags(&texts));
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_stopped_store_is_copied_under_its_lock() {
    let fixture = furnished();
    let (from, to) = (fixture.dir.path().to_owned(), target(&fixture));
    let how = How { running: false, copy_files: true };
    let open = backup(&from, &to, how, &mut quiet);
    assert!(matches!(open, Err(OpenError::InUse(_))), "{open:?}");
    let Fixture { dir, store, writer, reader, .. } = fixture;
    drop((store, writer, reader));
    let made = backup(&from, &to, how, &mut quiet).unwrap();
    assert_eq!((made.files, made.linked), (2, 0));
    let name = "01".repeat(16);
    assert_eq!(fs::metadata(to.join("bodies").join(&name)).unwrap().nlink(), 1);
    assert_eq!(found(&to), [""; 0]);

    // What is there is never touched, and what holds no store is left as it is.
    let again = backup(&from, &to, how, &mut quiet);
    assert!(
        matches!(again, Err(OpenError::Io(_, ref e)) if e.kind() == std::io::ErrorKind::AlreadyExists)
    );
    let empty = tempfile::tempdir().unwrap();
    assert!(backup(empty.path(), &dir.path().join("other"), how, &mut quiet).is_err());
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
    assert!(!dir.path().join("other.partial").exists());
}

#[test]
fn half_a_copy_is_told_as_such_and_made_anew() {
    let fixture = furnished();
    let (from, to) = (fixture.dir.path().to_owned(), target(&fixture));
    let partial = from.join("copy.partial");
    let _held = fixture.store.hold_bodies();
    let mut all = 0;
    backup(&from, &from.join("first"), RUNNING, &mut |_| all += 1).unwrap();
    assert!(all > 4);
    for end in 1..=all {
        let mut seen = 0;
        let ended = catch_unwind(AssertUnwindSafe(|| {
            backup(&from, &to, RUNNING, &mut |_| {
                seen += 1;
                assert!(seen < end, "killed");
            })
        }));
        assert!(ended.is_err() && !to.exists());
        let looked = verify(&partial, &mut |_| {});
        assert!(matches!(looked, Err(OpenError::Unfinished(_))), "{end}: {looked:?}");
        let opened = Store::open(&partial, &options());
        assert!(matches!(opened, Err(OpenError::Unfinished(_))), "{end}");
    }
    backup(&from, &to, RUNNING, &mut quiet).unwrap();
    assert!(!partial.exists());
    assert_eq!(found(&to), [""; 0]);
}

#[test]
fn a_missing_file_is_told_and_the_rest_is_copied() {
    let fixture = furnished();
    let (from, to) = (fixture.dir.path().to_owned(), target(&fixture));
    fs::write(from.join("bodies").join("01".repeat(16)), b"torn").unwrap();
    let mut missing = Vec::new();
    let made = backup(&from, &to, RUNNING, &mut |progress| {
        if let Progress::Missing(handle) = progress {
            missing.push(handle);
        }
    })
    .unwrap();
    assert_eq!((made.files, made.missing, missing.len()), (1, 1, 1));
    assert_eq!(found(&to).len(), 1);
}

/// A client that knows the store as it went on after the copy must not take one message for
/// another, and must learn what is gone and what has other flags again.
#[test]
fn what_was_given_after_the_copy_is_never_given_again() {
    let mut fixture = furnished();
    let mailbox = fixture.inbox();
    let to = target(&fixture);
    backup(fixture.dir.path(), &to, RUNNING, &mut quiet).unwrap();
    let last = fixture.deliver("after the copy").uid;
    fixture.flag(&[UidRange::one(5)], Change::Remove, Flags::SEEN);
    let known: Selected = fixture.select(mailbox);

    let mut copy = woken(&fixture, &to);
    let gone = copy.changes(mailbox, known.status.highestmodseq);
    assert!(gone.vanished.iter().any(|range| range.first <= last && last <= range.last));
    assert!(gone.new.is_empty());
    let five = gone.changed.iter().find(|state| state.uid == 5).unwrap();
    assert!(five.flags.contains(Flags::SEEN));
    assert!(copy.deliver("another").uid > last);
    let made = copy.done(Write::CreateMailbox {
        by: copy.ann,
        name: "New".into(),
        special: None,
        now: NOW,
    });
    let old = fixture.done(Write::CreateMailbox {
        by: fixture.ann,
        name: "New".into(),
        special: None,
        now: NOW,
    });
    assert_ne!(made, old);

    // Once: the next start is like any other.
    let before = copy.select(mailbox);
    drop((copy.store, copy.writer, copy.reader));
    let mut copy = woken(&fixture, &to);
    assert_eq!(copy.select(mailbox), before);
    drop((copy.store, copy.writer, copy.reader));
    assert_eq!(found(&to), [""; 0]);
}

#[test]
fn a_mailbox_with_few_uids_left_gets_another_uidvalidity() {
    let mut fixture = Fixture::new();
    let mailbox = fixture.inbox();
    let before = fixture.select(mailbox).status;
    let to = target(&fixture);
    backup(fixture.dir.path(), &to, RUNNING, &mut quiet).unwrap();
    let conn = rusqlite::Connection::open(to.join("pillarbox.db")).unwrap();
    let uidnext = 1_u32 << 31;
    conn.execute("UPDATE mailbox SET uidnext = ?1 WHERE id = ?2", [i64::from(uidnext), mailbox.0])
        .unwrap();
    drop(conn);
    let mut copy = woken(&fixture, &to);
    let after = copy.select(mailbox).status;
    assert_eq!(after.uidnext, uidnext);
    assert_ne!(after.uidvalidity, before.uidvalidity);
}
