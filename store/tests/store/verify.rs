//! `verify` finds each fault that is planted.

use pillarbox_store::{Change, Flags, Place, UidRange, Write};

use crate::fixture::{Fixture, NOW, deliver, recipient};

/// A store with a bit of everything: a row, a file, a shared body, a keyword, an expunged message,
/// a tombstone, and an alias.
fn furnished() -> Fixture {
    let mut fixture = Fixture::new();
    for text in ["one", "two", "three"] {
        fixture.deliver(text);
    }
    let file = fixture.file(1, b"large");
    let (ann, bob) = (fixture.ann, fixture.bob);
    fixture.done(deliver(vec![recipient(ann, Place::Inbox), recipient(bob, Place::Inbox)], file));
    let mailbox = fixture.inbox();
    fixture.done(Write::StoreFlags {
        by: ann,
        mailbox,
        uids: vec![UidRange::one(2)],
        unchanged_since: None,
        change: Change::Add,
        flags: Flags::SEEN,
        keywords: vec!["Blue".into()],
    });
    fixture.done(Write::Add { additions: crate::aliases::localhost(), now: NOW });
    fixture.flag(&[UidRange::one(1)], Change::Add, Flags::DELETED);
    fixture.done(Write::Expunge { by: ann, mailbox, uids: None });
    fixture.done(Write::Purge { mailbox, up_to_modseq: u64::MAX });
    fixture
}

#[test]
fn nothing_is_found_in_a_good_store() {
    let (_, found) = furnished().verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn each_planted_fault_is_found() {
    // INBOX of ann is mailbox 1. Bodies: 3 and 4 belong to message 2, 7 is the file (shared).
    let planted = [
        ("UPDATE mailbox SET messages = messages + 1 WHERE id = 1", "messages is 4, its"),
        ("UPDATE mailbox SET unseen = 9 WHERE id = 1", "unseen is 9"),
        ("UPDATE mailbox SET deleted = 1 WHERE id = 1", "deleted is 1"),
        ("UPDATE mailbox SET bytes = 0 WHERE id = 1", "bytes is 0"),
        ("UPDATE mailbox SET uidnext = 4 WHERE id = 1", "uidnext is 4"),
        ("UPDATE mailbox SET highestmodseq = 2 WHERE id = 1", "highestmodseq is 2"),
        ("UPDATE mailbox SET claimed = uidnext WHERE id = 1", "claimed is 5, its messages say 4"),
        ("UPDATE mailbox SET name = 'a//b' WHERE id = 2", "mailbox 2: a name that none can have"),
        ("UPDATE mailbox SET name = 'inbox/a' WHERE id = 2", "mailbox 2: a name that none can"),
        ("UPDATE mailbox SET name = 'moved' WHERE id = 1", "account 1: no INBOX"),
        (
            "UPDATE subscription SET account = 99 WHERE account = 1",
            "a row of subscription names a row",
        ),
        ("UPDATE tombstone SET modseq = 999", "its messages say 999"),
        ("UPDATE tombstone SET last = 77", "its messages say 77"),
        ("UPDATE message SET flags = flags | (1 << 60) WHERE uid = 2", "flag without a keyword"),
        ("DELETE FROM digest WHERE body = 3", "body 3: its digest is missing"),
        ("INSERT INTO digest VALUES (4, x'')", "body 4: its digest is missing, or one too many"),
        ("DELETE FROM keyword", "message 2: a flag without a keyword"),
        ("UPDATE body SET size = 4 WHERE id = 3", "body 3: wrong size"),
        ("UPDATE body SET size = 4 WHERE id = 3", "message 2: wrong size"),
        ("UPDATE body SET data = x'00' WHERE id = 3", "body 3: wrong size"),
        ("DELETE FROM body WHERE id = 3", "message 2: its body is not there"),
        ("DELETE FROM body WHERE id = 4", "message 2: its body is not there"),
        ("DELETE FROM shared", "body 7: counted 1 times, named 2 times"),
        ("UPDATE shared SET refs = 3", "body 7: counted 3 times, named 2 times"),
        ("INSERT INTO shared VALUES (3, 2)", "body 3: counted 2 times, named 1 times"),
        ("INSERT INTO body VALUES (99, 1, NULL, x'00')", "body 99: counted 1 times, named 0"),
        ("UPDATE body SET handle = zeroblob(16) WHERE id = 7", "file 0000000000000000"),
        ("UPDATE body SET handle = zeroblob(16) WHERE id = 7", "0101: no message names it"),
        ("UPDATE message SET mailbox = 99 WHERE uid = 2", "a row of message names a row"),
        (
            "INSERT INTO alias VALUES (9, 1, 'ann', 1, 0, 0)",
            "ann@localhost: an account's and an alias's",
        ),
        ("INSERT INTO member VALUES (1, 1, 'nobody')", "a row of member names a row"),
        ("UPDATE member SET alias = 99", "a row of member names a row"),
        ("UPDATE account SET created = 0, quota = 1, disabled = 1", ""),
    ];
    for (sql, expected) in planted {
        let Fixture { dir, store, writer, reader, .. } = furnished();
        drop((store, writer, reader));
        let conn = rusqlite::Connection::open(dir.path().join("pillarbox.db")).unwrap();
        conn.pragma_update(None, "foreign_keys", false).unwrap();
        conn.execute(sql, []).unwrap();
        drop(conn);
        let found = find(dir.path());
        if expected.is_empty() {
            assert_eq!(found, [""; 0], "{sql}");
        } else {
            assert!(found.iter().any(|line| line.contains(expected)), "{sql}: {found:?}");
        }
    }
}

#[test]
fn a_fault_in_a_file_is_found() {
    let Fixture { dir, store, writer, reader, .. } = furnished();
    drop((store, writer, reader));
    let file = dir.path().join("bodies").join("01".repeat(16));
    std::fs::write(&file, b"larg").unwrap();
    assert_eq!(find(dir.path()), [format!("file {}: missing or of wrong size", "01".repeat(16))]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(find(dir.path()).len(), 1);
    std::fs::write(dir.path().join("bodies/x"), b"").unwrap();
    assert!(find(dir.path()).contains(&"file x: no message names it".to_owned()));
}

#[test]
fn a_fault_in_the_database_itself_is_found() {
    use std::io::{Seek, SeekFrom, Write as _};
    let Fixture { dir, store, writer, reader, .. } = furnished();
    drop((store, writer, reader));
    let path = dir.path().join("pillarbox.db");
    // The index on message (mailbox, modseq) loses its cells.
    let conn = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'message_modseq'";
    let page: u32 = conn.query_row(sql, [], |row| row.get(0)).unwrap();
    drop(conn);
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(u64::from(page - 1) * 8192 + 3)).unwrap();
    file.write_all(&[0, 0]).unwrap();
    drop(file);
    let found = find(dir.path());
    assert!(found.iter().any(|line| line.starts_with("database: ")), "{found:?}");
}

fn find(dir: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    pillarbox_store::verify::verify(dir, &mut |finding| found.push(finding.to_string())).unwrap();
    found
}
