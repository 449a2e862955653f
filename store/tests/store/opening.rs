//! Opening: the lock, versions, what is decided once, and the sweep.

use pillarbox_store::verify::Finding;
use pillarbox_store::{
    AccountId, Addressee, Change, Flags, Found, MailboxId, OpenError, Options, Place, Read, Store,
    Sync, UidRange, Write,
};

use crate::aliases;
use crate::fixture::{Fixture, deliver, options, recipient};

fn pragma(fixture: &Fixture, name: &str) -> i64 {
    let conn = rusqlite::Connection::open(fixture.dir.path().join("pillarbox.db")).unwrap();
    conn.pragma_query_value(None, name, |row| row.get(0)).unwrap()
}

/// The version of the schema that this program writes.
const VERSION: i64 = 17;

#[test]
fn one_at_a_time() {
    let fixture = Fixture::new();
    let dir = fixture.dir.path().to_owned();
    let Err(error) = Store::open(&dir, &options()) else { panic!() };
    assert!(matches!(error, OpenError::InUse(_)));
    assert!(error.to_string().contains("in use by another server"), "{error}");
    let verified = pillarbox_store::verify::verify(&dir, &mut |_| {});
    assert!(matches!(verified, Err(OpenError::InUse(_))));
    let Fixture { store, writer, reader, dir: _keep, .. } = fixture;
    drop((store, reader));
    assert!(matches!(Store::open(&dir, &options()), Err(OpenError::InUse(_))), "a writer lives");
    drop(writer);
    assert!(Store::open(&dir, &options()).is_ok());
}

#[test]
fn an_empty_directory_becomes_the_present_version() {
    let fixture = Fixture::new();
    assert_eq!(pragma(&fixture, "user_version"), VERSION);
    assert_eq!(pragma(&fixture, "page_size"), 8192);
    assert_eq!(pragma(&fixture, "auto_vacuum"), 2);
    let mut fixture = fixture.reopen();
    fixture.deliver("still there after the second opening");
}

#[test]
fn a_database_at_version_zero_is_migrated() {
    // What a crash between making the file and the first step leaves.
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("pillarbox.db")).unwrap();
    conn.pragma_update(None, "page_size", 4096).unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    drop(conn);
    let store = Store::open(dir.path(), &options()).unwrap();
    let account = Write::CreateAccount { name: "ann".into(), now: crate::fixture::NOW };
    assert!(store.writer().unwrap().commit(vec![account])[0].is_ok());
}

#[test]
fn a_database_at_version_three_has_its_names_folded() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("pillarbox.db")).unwrap();
    for step in [
        include_str!("../../src/schema/1.sql"),
        include_str!("../../src/schema/2.sql"),
        include_str!("../../src/schema/3.sql"),
    ] {
        conn.execute_batch(step).unwrap();
    }
    conn.execute_batch(
        "INSERT INTO account (id, name, created) VALUES
             (1, 'j\u{d6}rg', 0), (2, 'uwe', 0), (3, '\u{c4}nne', 0), (4, '\u{e4}nne', 0);
         INSERT INTO domain (id, name) VALUES (1, 'x.example');
         INSERT INTO address VALUES
             (1, 'jo\u{308}rg', 1), (1, '\u{c4}nne', 3), (1, '\u{e4}nne', 4), (1, 'uwe', 2),
             (1, '\u{c9}lan', 2);
         INSERT INTO alias VALUES (1, 1, '\u{d6}l', 1, 0, 0), (2, 1, '\u{e9}lan', 1, 0, 0);
         INSERT INTO member VALUES (1, 1, 'jo\u{308}rg'), (1, 1, 'uwe'), (2, 1, '\u{c4}nne');
         PRAGMA user_version = 3;",
    )
    .unwrap();
    drop(conn);
    let store = Store::open(dir.path(), &options()).unwrap();
    let mut reader = store.reader().unwrap();
    let mut login = |login: &str| match reader.read(Read::Credentials { login: login.into() }) {
        Ok(Found::Credentials(found)) => Some(found.account.0),
        _ => None,
    };
    assert_eq!(login("j\u{f6}rg"), Some(1));
    assert_eq!(login("J\u{d6}RG@x.example"), Some(1));
    // Of two that have become one, the one that had the name already.
    assert_eq!(login("\u{c4}NNE"), Some(4));
    assert_eq!(login("\u{c4}nne@x.example"), Some(4));
    // What is an alias stays one.
    assert_eq!(login("\u{c9}lan@x.example"), None);
    let members = match reader.read(aliases::resolve("\u{d6}L", "x.example")) {
        Ok(Found::Addressee(Addressee::Alias(_, holders), _)) => holders,
        other => panic!("{other:?}"),
    };
    assert_eq!(members.iter().map(|member| member.account.0).collect::<Vec<_>>(), [1, 2]);
    drop((store, reader));
    pillarbox_store::verify::verify(dir.path(), &mut |finding| {
        // The accounts have no mailboxes, which is told; all else is in order.
        assert!(!matches!(finding, Finding::Database(_) | Finding::Dangling(_)), "{finding}");
    })
    .unwrap();
}

#[test]
fn a_database_at_version_one_keeps_its_subscriptions_and_is_not_recent() {
    let dir = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(dir.path().join("pillarbox.db")).unwrap();
    conn.execute_batch(include_str!("../../src/schema/1.sql")).unwrap();
    conn.execute_batch(
        "INSERT INTO account VALUES (1, 'ann', 0);
         INSERT INTO mailbox VALUES (1, 1, 'INBOX', NULL, 1, 7, 5, 9, 0, 0, 0, 0);
         INSERT INTO mailbox VALUES (2, 1, 'old', NULL, 0, 8, 1, 1, 0, 0, 0, 0);
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(conn);
    let store = Store::open(dir.path(), &options()).unwrap();
    let mut reader = store.reader().unwrap();
    let account = AccountId(1);
    let subscribed = reader.read(Read::Subscriptions { account });
    assert_eq!(subscribed, Ok(Found::Subscriptions(vec!["INBOX".to_owned()])));
    for (mailbox, claimed) in [(1, 4), (2, 0)] {
        let select = Read::Select { by: account, mailbox: MailboxId(mailbox), since: None };
        let Ok(Found::Selected(selected)) = reader.read(select) else { panic!() };
        assert_eq!(selected.claimed, claimed);
    }
    drop((store, reader));
    pillarbox_store::verify::verify(dir.path(), &mut |finding| panic!("{finding}")).unwrap();
}

#[test]
fn a_newer_database_is_left_alone() {
    let Fixture { dir, store, writer, reader, .. } = Fixture::new();
    drop((store, writer, reader));
    let conn = rusqlite::Connection::open(dir.path().join("pillarbox.db")).unwrap();
    conn.pragma_update(None, "user_version", VERSION + 1).unwrap();
    let opened = Store::open(dir.path(), &options());
    assert!(
        matches!(opened, Err(OpenError::Newer { found, known: VERSION }) if found == VERSION + 1)
    );
    conn.pragma_update(None, "user_version", 0).unwrap();
    let verified = pillarbox_store::verify::verify(dir.path(), &mut |_| {});
    assert!(matches!(verified, Err(OpenError::Older { found: 0, known: VERSION })));
}

#[test]
fn a_path_that_cannot_be_a_store_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "x").unwrap();
    let Err(error) = Store::open(&path.join("store"), &options()) else { panic!() };
    assert!(error.to_string().contains("file/store"), "{error}");
}

#[test]
fn the_holder_sweeps_what_no_row_names() {
    let mut fixture = Fixture::new();
    let bodies = [fixture.file(1, b"kept"), fixture.file(2, b"expunged")];
    for body in bodies {
        fixture.done(deliver(vec![recipient(fixture.ann, Place::Inbox)], body));
    }
    fixture.file(3, b"never delivered");
    std::fs::write(fixture.store.bodies().join("README"), "x").unwrap();
    std::fs::create_dir(fixture.store.bodies().join("lost+found")).unwrap();
    fixture.flag(&[UidRange::one(2)], Change::Add, Flags::DELETED);
    let (by, mailbox) = (fixture.ann, fixture.inbox());
    fixture.done(Write::Expunge { by, mailbox, uids: None });
    let modseq = fixture.select(mailbox).status.highestmodseq;
    assert_eq!(fixture.messages(mailbox, true).len(), 2);

    let mut fixture = fixture.reopen();
    assert_eq!(fixture.body_files(), 2, "the kept one and the folder");
    assert_eq!(fixture.messages(mailbox, true).len(), 1);
    assert_eq!(fixture.changes(mailbox, modseq - 1).vanished, [UidRange::one(2)]);
}

#[test]
fn a_full_wal_asks_for_a_checkpoint_and_is_used_again() {
    let options = Options { checkpoint_pages: 50, wal_size: 1 << 20, sync: Sync::Off, ..options() };
    let mut fixture = Fixture::with(&options);
    let wal = fixture.dir.path().join("pillarbox.db-wal");
    let length = |path: &std::path::Path| std::fs::metadata(path).unwrap().len();
    assert_eq!(length(&wal), 1 << 20);
    let mut checkpoints = 0;
    for _ in 0..200 {
        fixture.deliver(&"x".repeat(2000));
        if fixture.writer.checkpoint_due() {
            fixture.store.checkpoint().unwrap();
            checkpoints += 1;
        }
    }
    assert!(checkpoints > 5, "{checkpoints}");
    assert_eq!(length(&wal), 1 << 20, "neither grown nor cut");
    let inbox = fixture.inbox();
    assert_eq!(fixture.messages(inbox, false).len(), 200);
}
