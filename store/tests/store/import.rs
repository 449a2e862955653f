//! Messages from files come as often as they stand there, however often the import is repeated.

use pillarbox_core::UnixSeconds;
use pillarbox_store::{Flags, Incoming, Quota, StoreError, Write, Written};

use crate::fixture::{Fixture, NOW, inline};

const ONE: [u8; 16] = [1; 16];
const TWO: [u8; 16] = [2; 16];

fn incoming(key: [u8; 16], text: &str) -> Incoming {
    Incoming {
        key,
        flags: Flags::SEEN,
        keywords: vec!["Blue".into()],
        internaldate: UnixSeconds(5),
        body: inline(text),
    }
}

fn import(fixture: &mut Fixture, run: i64, met: bool, messages: Vec<Incoming>) -> Vec<bool> {
    let (by, mailbox) = (fixture.ann, fixture.inbox());
    match fixture.done(Write::Import { by, mailbox, run, met, messages, now: NOW }) {
        Written::Imported(uids) => uids.iter().map(Option::is_some).collect(),
        other => panic!("{other:?}"),
    }
}

fn meet(fixture: &mut Fixture, run: i64, once: bool, keys: &[[u8; 16]]) -> Vec<bool> {
    match fixture.done(Write::Meet { by: fixture.ann, run, once, keys: keys.to_vec() }) {
        Written::Wanted(wanted) => wanted,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_has_come_does_not_come_again() {
    let mut fixture = Fixture::new();
    // Twice in the file: twice in the mailbox.
    let both = || vec![incoming(ONE, "one"), incoming(ONE, "one"), incoming(TWO, "two")];
    assert_eq!(import(&mut fixture, 7, false, both()), [true, true, true]);
    assert_eq!(import(&mut fixture, 8, false, both()), [false, false, false]);
    // The file has grown by another copy.
    let third = || vec![incoming(ONE, "one")];
    assert_eq!(import(&mut fixture, 8, false, third()), [true]);
    let inbox = fixture.inbox();
    let messages = fixture.messages(inbox, false);
    assert_eq!(messages.len(), 4);
    assert!(messages.iter().all(|message| message.facts.internaldate == UnixSeconds(5)));

    assert_eq!(
        meet(&mut fixture, 9, false, &[ONE, ONE, ONE, ONE, TWO]),
        [false, false, false, true, false]
    );
    assert_eq!(
        meet(&mut fixture, 9, true, &[TWO, TWO, [3; 16], [3; 16]]),
        [false, false, true, true]
    );
    // Met and not brought: an interrupted import. The next one brings it.
    assert_eq!(meet(&mut fixture, 10, false, &[[3; 16]]), [true]);
    assert_eq!(import(&mut fixture, 10, true, vec![incoming([3; 16], "three")]), [true]);
    assert_eq!(meet(&mut fixture, 11, false, &[[3; 16]]), [false]);

    let forgotten = fixture.done(Write::Forget { by: fixture.ann });
    assert_eq!(forgotten, Written::Forgotten(3));
    assert_eq!(meet(&mut fixture, 12, false, &[ONE, ONE]), [true, true]);
    let (mut fixture, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
    fixture.done(Write::RemoveAccount { account: fixture.ann });
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn all_of_a_batch_comes_or_nothing() {
    let mut fixture = Fixture::new();
    let (by, mailbox) = (fixture.ann, fixture.inbox());
    fixture.done(Write::SetQuota { account: by, quota: Quota::Bytes(5) });
    let messages = vec![incoming(ONE, "one"), incoming(TWO, "two")];
    let job = Write::Import { by, mailbox, run: 1, met: false, messages, now: NOW };
    assert_eq!(fixture.write(job), Err(StoreError::OverQuota));
    assert!(fixture.messages(mailbox, false).is_empty());
    assert_eq!(import(&mut fixture, 2, false, vec![incoming(ONE, "one")]), [true]);
    // That it was met is part of what it is to come.
    let messages = vec![incoming([9; 16], "")];
    let job = Write::Import { by, mailbox, run: 2, met: true, messages, now: NOW };
    assert!(matches!(fixture.write(job), Err(StoreError::Misuse(_))));
}

#[test]
fn a_message_comes_without_the_keywords_for_which_there_is_no_room() {
    let mut fixture = Fixture::new();
    let keywords = (0..70).map(|number| format!("k{number}")).collect();
    let message = Incoming { keywords, ..incoming(ONE, "one") };
    assert_eq!(import(&mut fixture, 1, false, vec![message]), [true]);
    let inbox = fixture.inbox();
    assert_eq!(fixture.select(inbox).keywords.len(), 59);
}
