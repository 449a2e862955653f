//! What is at hand of messages without their bytes.

use pillarbox_core::mime::Digest;
use pillarbox_store::{
    Change, Flags, Found, MailboxId, Message, Place, Read, Store, UidRange, What, Write,
};

use crate::fixture::{Fixture, NOW, deliver, message, options, recipient};

const LETTER: &str = "Subject: here\r\nX-Odd: 1\r\n\r\nHello.\r\n";

fn digests(fixture: &mut Fixture, mailbox: MailboxId, what: What) -> Vec<Message> {
    let job = Read::Messages {
        by: fixture.ann,
        mailbox,
        uids: vec![UidRange::ALL],
        after: 0,
        count_max: 100,
        what,
        also_expunged: false,
    };
    match fixture.read(job) {
        Ok(Found::Messages(found)) => found.messages,
        other => panic!("{other:?}"),
    }
}

fn read(message: &Message) -> Option<Digest> {
    Digest::read(message.digest.as_deref()?, message.facts.size)
}

#[test]
fn a_small_message_comes_with_its_digest() {
    let mut fixture = Fixture::new();
    fixture.deliver(LETTER);
    let inbox = fixture.inbox();
    let found = digests(&mut fixture, inbox, What::Digest);
    assert_eq!(found[0].text, None);
    let digest = read(&found[0]).unwrap();
    assert_eq!(digest.header(), b"Subject: here\r\n\r\n");
    assert_eq!(digest.preview(), "Hello.");
    let front = "Received: here\r\n".len() as u64;
    let body = digest.structure().root().body.clone();
    assert_eq!(body, 27 + front..LETTER.len() as u64 + front);
    let what = What::Text { each_max: 10, all_max: 100 };
    assert_eq!(read(&digests(&mut fixture, inbox, what)[0]), Some(digest));
    let what = What::Text { each_max: 100, all_max: 100 };
    assert_eq!(digests(&mut fixture, inbox, what)[0].digest, None);
}

#[test]
fn those_of_files_are_made_later() {
    let mut fixture = Fixture::new();
    let file = fixture.file(1, LETTER.as_bytes());
    let ann = fixture.ann;
    fixture.done(deliver(vec![recipient(ann, Place::Inbox)], file));
    let inbox = fixture.inbox();
    assert_eq!(digests(&mut fixture, inbox, What::Digest)[0].digest, None);
    let mut filler = fixture.store.filler().unwrap();
    assert_eq!(filler.fill(), Ok(1));
    assert_eq!(filler.fill(), Ok(0));
    let found = digests(&mut fixture, inbox, What::Digest);
    assert_eq!(read(&found[0]).unwrap().preview(), "Hello.");
}

#[test]
fn a_body_takes_its_digest_along() {
    let mut fixture = Fixture::new();
    fixture.deliver(LETTER);
    let inbox = fixture.inbox();
    let trash = fixture.mailbox(fixture.ann, "Trash");
    let by = fixture.ann;
    let uids = vec![UidRange::ALL];
    fixture.done(Write::Copy { by, from: inbox, uids: uids.clone(), to: trash, now: NOW });
    assert!(read(&digests(&mut fixture, trash, What::Digest)[0]).is_some());
    fixture.flag(&uids, Change::Add, Flags::DELETED);
    fixture.done(Write::Expunge { by, mailbox: inbox, uids: None });
    fixture.done(Write::Purge { mailbox: inbox, up_to_modseq: u64::MAX });
    assert!(read(&digests(&mut fixture, trash, What::Digest)[0]).is_some());
    let (fixture, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
    drop((fixture.store, fixture.writer, fixture.reader));
    let conn = rusqlite::Connection::open(fixture.dir.path().join("pillarbox.db")).unwrap();
    let count = |conn: &rusqlite::Connection| -> i64 {
        conn.query_row("SELECT count(*) FROM digest", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&conn), 1);
}

#[test]
fn an_old_store_gets_its_digests() {
    let mut fixture = Fixture::new();
    for text in [LETTER, "no header", ""] {
        fixture.deliver(text);
    }
    let by = fixture.ann;
    let mailbox = fixture.inbox();
    fixture.done(Write::Append {
        by,
        mailbox,
        messages: vec![message(LETTER)],
        replaces: None,
        now: NOW,
    });
    let before: Vec<_> = digests(&mut fixture, mailbox, What::Digest);
    let Fixture { dir, store, writer, reader, ann, bob } = fixture;
    drop((store, writer, reader));
    let conn = rusqlite::Connection::open(dir.path().join("pillarbox.db")).unwrap();
    conn.execute_batch(
        "DROP TABLE digest; DROP TABLE imported; ALTER TABLE mailbox DROP COLUMN forgotten; PRAGMA user_version = 9;",
    )
    .unwrap();
    drop(conn);
    let store = Store::open(dir.path(), &options()).unwrap();
    let (writer, reader) = (store.writer().unwrap(), store.reader().unwrap());
    let mut fixture = Fixture { dir, store, writer, reader, ann, bob };
    assert!(digests(&mut fixture, mailbox, What::Digest).iter().all(|m| m.digest.is_none()));
    let mut filler = fixture.store.filler().unwrap();
    assert_eq!(filler.fill(), Ok(4));
    assert_eq!(digests(&mut fixture, mailbox, What::Digest), before);
    drop(filler);
    assert_eq!(fixture.verified().1, [""; 0]);
}
