//! The index of texts: it never misses what is there, and tells little that is not.

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::command::SearchKey;
use pillarbox_core::imap::flags::Keywords;
use pillarbox_core::imap::search::Search;
use pillarbox_core::imap::search::trigrams::Filter;
use pillarbox_core::imap::view::View;
use pillarbox_store::{Change, Flags, Found, Indexer, MailboxId, Place, Read, UidRange, Write};
use proptest::prelude::*;

use crate::fixture::{Fixture, NOW, deliver, inline, recipient};

fn filter(term: &str) -> Filter {
    let key = SearchKey::Text(term.into());
    Search::new(&key, &View::new([1], 1), &Keywords::new([""; 0]), UnixSeconds(0)).filter()
}

/// The UIDs that the index tells; `None` for any.
fn candidates(fixture: &mut Fixture, mailbox: MailboxId, term: &str) -> Option<Vec<u32>> {
    let job = Read::Candidates { by: fixture.ann, mailbox, filter: filter(term) };
    match fixture.read(job) {
        Ok(Found::Candidates(ranges)) => {
            Some(ranges?.into_iter().flat_map(|range| range.first..=range.last).collect())
        }
        other => panic!("{other:?}"),
    }
}

fn index_all(indexer: &mut Indexer) -> usize {
    std::iter::from_fn(|| Some(indexer.step().unwrap()).filter(|count| *count > 0)).sum()
}

/// A letter with a word of its own in it.
fn letter(number: usize) -> String {
    format!("Subject: letter word{number}word\r\n\r\nmuch that all have in common\r\n")
}

fn expunge(fixture: &mut Fixture, uids: UidRange) {
    let (by, mailbox) = (fixture.ann, fixture.inbox());
    fixture.flag(&[uids], Change::Add, Flags::DELETED);
    fixture.done(Write::Expunge { by, mailbox, uids: None });
    fixture.done(Write::Purge { mailbox, up_to_modseq: u64::MAX });
}

#[test]
fn few_are_told_of_many() {
    let mut fixture = Fixture::new();
    let inbox = fixture.inbox();
    for number in 0..10 {
        fixture.deliver(&letter(number));
    }
    // No index, or nothing in it: any.
    assert_eq!(candidates(&mut fixture, inbox, "word3word"), None);
    let mut indexer = fixture.store.indexer().unwrap();
    assert_eq!(candidates(&mut fixture, inbox, "word3word"), None);
    // Each with the lines in front of it.
    assert_eq!(index_all(&mut indexer), 10);
    assert_eq!(candidates(&mut fixture, inbox, "word3word"), Some(vec![4]));
    assert_eq!(candidates(&mut fixture, inbox, "nowhere"), Some(vec![]));
    assert_eq!(candidates(&mut fixture, inbox, "common"), None);
    assert_eq!(candidates(&mut fixture, inbox, "received: here"), None);
    // What is new is told until it is known.
    fixture.deliver(&letter(99));
    assert_eq!(candidates(&mut fixture, inbox, "word3word"), Some(vec![4, 11]));
    assert_eq!(index_all(&mut indexer), 1);
    assert_eq!(candidates(&mut fixture, inbox, "word3word"), Some(vec![4]));
    // What stands in front of a body belongs to the message.
    let mut special = recipient(fixture.ann, Place::Inbox);
    special.prefix = b"Received: from a special host\r\n".to_vec();
    fixture.done(deliver(vec![special], inline(&letter(100))));
    assert_eq!(index_all(&mut indexer), 1);
    assert_eq!(candidates(&mut fixture, inbox, "special host"), Some(vec![12]));
    // A copy has the same body.
    let (by, to) = (fixture.ann, fixture.mailbox(fixture.ann, "Trash"));
    let uids = vec![UidRange { first: 4, last: 6 }];
    fixture.done(Write::Copy { by, from: inbox, uids, to, now: NOW });
    assert_eq!(candidates(&mut fixture, to, "word3word"), Some(vec![1]));
}

#[test]
fn blocks_tell_the_same_and_go_with_their_bodies() {
    let mut fixture = Fixture::new();
    let inbox = fixture.inbox();
    let mut indexer = fixture.store.indexer().unwrap();
    for number in 0..300 {
        fixture.deliver(&letter(number));
        if number % 37 == 0 {
            index_all(&mut indexer);
        }
    }
    index_all(&mut indexer);
    let check = |fixture: &mut Fixture, gone: u32| {
        for number in [0, 1, 50, 127, 128, 129, 255, 256, 299] {
            let uid = number + 1;
            let found = candidates(fixture, inbox, &format!("word{number}word")).unwrap();
            assert_eq!(found.contains(&uid), uid > gone, "{number}");
            // Marks are shared, though not by many.
            assert!(found.len() < 30, "{found:?}");
        }
    };
    let tidy = |indexer: &mut Indexer| {
        let mut from = Some(0);
        while let Some(at) = from {
            from = indexer.tidy(at).unwrap();
        }
    };
    check(&mut fixture, 0);
    tidy(&mut indexer);
    check(&mut fixture, 0);
    let count = |table: &str| -> i64 {
        let path = fixture.dir.path().join("index.db");
        let conn = rusqlite::Connection::open(path).unwrap();
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("block"), count("pending")), (2, 44));
    expunge(&mut fixture, UidRange { first: 1, last: 100 });
    tidy(&mut indexer);
    check(&mut fixture, 100);
    let count = |table: &str| -> i64 {
        let path = fixture.dir.path().join("index.db");
        let conn = rusqlite::Connection::open(path).unwrap();
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("block"), count("docs"), count("pending")), (1, 1, 72));
}

#[test]
fn a_broken_index_and_one_of_other_mail_are_made_anew() {
    let mut fixture = Fixture::new();
    for number in 0..5 {
        fixture.deliver(&letter(number));
    }
    let mut indexer = fixture.store.indexer().unwrap();
    assert_eq!(index_all(&mut indexer), 5);
    drop(indexer);
    // It is kept otherwise.
    let mut fixture = fixture.reopen();
    let mut indexer = fixture.store.indexer().unwrap();
    assert_eq!(index_all(&mut indexer), 0);
    drop(indexer);
    let path = fixture.dir.path().join("index.db");
    std::fs::write(
        &path,
        b"this is no database, and it is long enough to look like one".repeat(20),
    )
    .unwrap();
    let mut indexer = fixture.store.indexer().unwrap();
    assert_eq!(index_all(&mut indexer), 5);
    let inbox = fixture.inbox();
    assert_eq!(candidates(&mut fixture, inbox, "word3word"), Some(vec![4]));
    drop(indexer);
    let conn = rusqlite::Connection::open(fixture.dir.path().join("pillarbox.db")).unwrap();
    // As if it had been put back, and others had come then.
    for other in [
        "UPDATE body SET data = CAST(data || data AS BLOB), size = 2 * size WHERE id = 9",
        "UPDATE message SET body = 5 WHERE body = 9; DELETE FROM digest WHERE body = 9;
         DELETE FROM body WHERE id >= 9",
    ] {
        conn.execute_batch(other).unwrap();
        let mut indexer = fixture.store.indexer().unwrap();
        assert!(index_all(&mut indexer) > 0, "{other}");
    }
}

#[test]
fn large_messages_are_read_in_pieces() {
    let mut fixture = Fixture::new();
    let text = format!("Subject: large\r\n\r\n{}needle in it\r\n", "hay \r\n".repeat(100_000));
    let file = fixture.file(1, text.as_bytes());
    let ann = fixture.ann;
    fixture.done(deliver(vec![recipient(ann, Place::Inbox)], file));
    fixture.deliver("Subject: small\r\n\r\n");
    fixture.deliver(" goes on with the lines in front");
    let mut indexer = fixture.store.indexer().unwrap();
    index_all(&mut indexer);
    let inbox = fixture.inbox();
    assert_eq!(candidates(&mut fixture, inbox, "needle"), None);
    fixture.deliver("Subject: small\r\n\r\n");
    index_all(&mut indexer);
    // The third may have anything in it.
    assert_eq!(candidates(&mut fixture, inbox, "needle"), Some(vec![1, 3]));
    assert_eq!(candidates(&mut fixture, inbox, "absent"), Some(vec![3]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn nothing_is_missed(steps in prop::collection::vec((0_u8..8, 0_usize..40), 1..120)) {
        let mut fixture = Fixture::new();
        let (inbox, ann) = (fixture.inbox(), fixture.ann);
        let mut indexer = fixture.store.indexer().unwrap();
        let mut there: Vec<(u32, usize)> = Vec::new();
        for (step, number) in steps {
            match step {
                0..4 => {
                    let jobs = (0..=number).map(|number| {
                        deliver(vec![recipient(ann, Place::Inbox)], inline(&letter(number)))
                    });
                    fixture.writer.commit(jobs.collect());
                    let last = there.last().map_or(0, |(uid, _)| *uid);
                    there.extend((last + 1..).zip(0..=number));
                }
                4 => {
                    indexer.step().unwrap();
                }
                5 => {
                    indexer.tidy(0).unwrap();
                }
                6 => {
                    let first = u32::try_from(number).unwrap() * 3 + 1;
                    let range = UidRange { first, last: first + 60 };
                    let last = there.last().copied();
                    // The last stays, so that UIDs are counted on from it.
                    there.retain(|(uid, _)| *uid < range.first || *uid > range.last || Some(*uid) == last.map(|l| l.0));
                    let keep = last.map_or(0, |(uid, _)| uid);
                    for range in [
                        UidRange { first: range.first, last: range.last.min(keep.saturating_sub(1)) },
                        UidRange { first: range.first.max(keep + 1), last: range.last },
                    ] {
                        if range.first <= range.last {
                            expunge(&mut fixture, range);
                        }
                    }
                }
                _ => {
                    drop(indexer);
                    indexer = fixture.store.indexer().unwrap();
                }
            }
            let found = candidates(&mut fixture, inbox, &format!("word{number}word"));
            if let Some(found) = found {
                for (uid, of) in &there {
                    prop_assert!(*of != number || found.contains(uid), "{}", uid);
                }
            }
        }
    }
}
