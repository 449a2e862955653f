//! Messages: delivery, APPEND, COPY, STORE, EXPUNGE, purge, and reading them back.

use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::Handle;
use pillarbox_store::{
    Change, FlagState, Flags, Found, MailboxId, Messages, NewBody, NewMessage, Options, Place,
    Read, Recipient, Special, StoreError, UidRange, What, Write, Written,
};

use crate::fixture::{Fixture, NOW, deliver, inline, options, range, recipient};

const PREFIX: &str = "Received: here\r\n";

fn append(fixture: &mut Fixture, mailbox: MailboxId, body: NewBody, keywords: &[&str]) -> Written {
    fixture.done(Write::Append {
        by: fixture.ann,
        mailbox,
        messages: vec![NewMessage {
            flags: Flags::SEEN | Flags::FLAGGED | Flags(1 << 40),
            keywords: keywords.iter().map(|&name| name.into()).collect(),
            internaldate: UnixSeconds(-5),
            body,
        }],
        replaces: None,
        now: NOW,
    })
}

fn expunge(fixture: &mut Fixture, mailbox: MailboxId, uids: Option<Vec<UidRange>>) -> Vec<u32> {
    match fixture.done(Write::Expunge { by: fixture.ann, mailbox, uids }) {
        Written::Expunged(expunged) => expunged.uids,
        other => panic!("{other:?}"),
    }
}

fn texts(fixture: &mut Fixture, mailbox: MailboxId) -> Vec<String> {
    let messages = fixture.messages(mailbox, false);
    messages.into_iter().map(|found| String::from_utf8(found.text.unwrap()).unwrap()).collect()
}

fn no_findings(fixture: Fixture) -> Fixture {
    let (fixture, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
    fixture
}

#[test]
fn a_letter_reads_back_with_its_own_prefix() {
    let mut fixture = Fixture::new();
    let (ann, bob) = (fixture.ann, fixture.bob);
    let junk = Recipient {
        account: bob,
        into: Place::Special(Special::Junk),
        prefix: vec![],
        flags: Flags::SEEN,
        alias: None,
    };
    let job = deliver(vec![recipient(ann, Place::Inbox), junk], inline("Subject: x\r\n\r\ny\r\n"));
    let Written::Delivered(delivered) = fixture.done(job) else { panic!() };
    assert_eq!(delivered[0].mailbox, fixture.inbox());
    assert_eq!(delivered[1].mailbox, fixture.mailbox(bob, "Junk"));
    let inbox = fixture.inbox();
    let found = fixture.messages(inbox, false).remove(0);
    let text = format!("{PREFIX}Subject: x\r\n\r\ny\r\n");
    assert_eq!(found.text.unwrap(), text.as_bytes());
    assert_eq!((found.facts.uid, found.facts.size), (1, text.len() as u64));
    assert_eq!((found.facts.internaldate, found.facts.saved), (NOW, NOW));
    let selected = fixture.select(inbox);
    assert_eq!((selected.status.messages, selected.status.unseen), (1, 1));
    assert_eq!((selected.first_unseen, selected.status.uidnext), (Some(1), 2));
    let status = Read::Status { by: bob, mailbox: delivered[1].mailbox };
    let Ok(Found::Status(status)) = fixture.read(status) else { panic!() };
    assert_eq!((status.messages, status.unseen, status.bytes), (1, 0, 17));
    no_findings(fixture);
}

#[test]
fn every_piece_is_a_piece_of_the_whole() {
    let mut fixture = Fixture::new();
    let whole = format!("{PREFIX}0123456789");
    let file = fixture.file(7, b"0123456789");
    fixture.deliver("0123456789");
    fixture.done(deliver(vec![recipient(fixture.ann, Place::Inbox)], file));
    let (by, mailbox) = (fixture.ann, fixture.inbox());
    for uid in [1, 2] {
        for offset in 0..=whole.len() + 1 {
            for count in [0, 1, 5, whole.len(), usize::MAX] {
                let also_expunged = false;
                let job =
                    Read::Bytes { by, mailbox, uid, offset: offset as u64, count, also_expunged };
                let from = offset.min(whole.len());
                let to = from.saturating_add(count).min(whole.len());
                let expected = whole.as_bytes()[from..to].to_vec();
                assert_eq!(fixture.read(job), Ok(Found::Bytes(expected)), "{offset} {count}");
            }
        }
    }
    let (offset, count, also_expunged) = (u64::MAX, 1, true);
    let job = Read::Bytes { by, mailbox, uid: 1, offset, count, also_expunged };
    assert_eq!(fixture.read(job), Ok(Found::Bytes(vec![])));
    let job = Read::Bytes { by, mailbox, uid: 3, offset: 0, count, also_expunged };
    assert_eq!(fixture.read(job), Err(StoreError::NoSuchMessage));
    assert_eq!(texts(&mut fixture, mailbox), [whole.clone(), whole]);
}

#[test]
fn the_longest_inline_body_is_taken_and_one_byte_more_is_not() {
    let mut fixture = Fixture::with(&Options { inline_max: 100, ..options() });
    let to = vec![recipient(fixture.ann, Place::Inbox)];
    fixture.done(deliver(to.clone(), NewBody::Inline(vec![b'x'; 100])));
    let refused = fixture.write(deliver(to, NewBody::Inline(vec![b'x'; 101])));
    assert!(matches!(refused, Err(StoreError::Misuse(_))));
}

#[test]
fn a_file_must_be_there_and_is_named_once() {
    let mut fixture = Fixture::new();
    let to = vec![recipient(fixture.ann, Place::Inbox)];
    let missing = NewBody::File { handle: Handle([1; 16]), size: 3 };
    assert_eq!(fixture.write(deliver(to.clone(), missing)), Err(StoreError::NoSuchBody));
    let body = fixture.file(2, b"abc");
    let short = NewBody::File { handle: Handle([2; 16]), size: 4 };
    assert_eq!(fixture.write(deliver(to.clone(), short)), Err(StoreError::NoSuchBody));
    fixture.done(deliver(to.clone(), body.clone()));
    assert_eq!(fixture.write(deliver(to, body)), Err(StoreError::AlreadyExists));
    no_findings(fixture);
}

#[test]
fn appended_flags_and_keywords_are_kept() {
    let mut fixture = Fixture::new();
    let inbox = fixture.inbox();
    append(&mut fixture, inbox, inline("one"), &["$Forwarded", "Blue"]);
    let appended = append(&mut fixture, inbox, inline("two"), &["BLUE"]);
    let selected = fixture.select(inbox);
    let Written::Appended(appended) = appended else { panic!() };
    assert_eq!(
        (appended.uidvalidity, appended.uids),
        (selected.status.uidvalidity, UidRange::one(2))
    );
    let names: Vec<_> = selected.keywords.iter().map(|k| (k.bit, k.name.as_str())).collect();
    assert_eq!(names, [(5, "$Forwarded"), (6, "Blue")]);
    let messages = fixture.messages(inbox, false);
    let base = Flags::SEEN | Flags::FLAGGED;
    assert_eq!(messages[0].facts.flags, base | Flags(0b110_0000));
    assert_eq!(messages[1].facts.flags, base | Flags(0b100_0000));
    assert_eq!((messages[0].facts.internaldate, messages[0].facts.saved), (UnixSeconds(-5), NOW));
    assert_eq!(selected.first_unseen, None);
    no_findings(fixture);
}

#[test]
fn fifty_nine_keywords_fit_and_one_more_does_not() {
    let mut fixture = Fixture::new();
    fixture.deliver("x");
    let (by, mailbox) = (fixture.ann, fixture.inbox());
    let add = |keywords: Vec<String>, change| Write::StoreFlags {
        by,
        mailbox,
        uids: vec![UidRange::ALL],
        unchanged_since: None,
        change,
        flags: Flags::NONE,
        keywords,
    };
    let names: Vec<String> = (0..59).map(|number| format!("k{number}")).collect();
    let Written::Flagged(flagged) = fixture.done(add(names.clone(), Change::Add)) else { panic!() };
    assert_eq!(flagged.messages[0].flags, !Flags::SYSTEM);
    let more = add(vec!["one-more".into()], Change::Add);
    assert_eq!(fixture.write(more), Err(StoreError::KeywordLimit));
    fixture.done(add(vec!["one-more".into()], Change::Remove));
    let long = add(vec!["x".repeat(129)], Change::Replace);
    assert_eq!(fixture.write(long), Err(StoreError::KeywordLimit));
    let Written::Flagged(flagged) = fixture.done(add(names, Change::Remove)) else { panic!() };
    assert_eq!(flagged.messages[0].flags, Flags::NONE);
    no_findings(fixture);
}

#[test]
fn what_has_changed_since_is_left() {
    let mut fixture = Fixture::new();
    for text in ["one", "two", "three"] {
        fixture.deliver(text);
    }
    let (by, mailbox) = (fixture.ann, fixture.inbox());
    let known = fixture.select(mailbox).status.highestmodseq;
    fixture.flag(&[UidRange::one(2)], Change::Add, Flags::SEEN);
    let written = fixture.done(Write::StoreFlags {
        by,
        mailbox,
        uids: vec![UidRange::ALL],
        unchanged_since: Some(known),
        change: Change::Replace,
        flags: Flags::FLAGGED,
        keywords: vec![],
    });
    let Written::Flagged(flagged) = written else { panic!() };
    let seen = |states: &[FlagState]| -> Vec<_> {
        states.iter().map(|state| (state.uid, state.flags, state.modseq)).collect()
    };
    assert_eq!(seen(&flagged.modified), [(2, Flags::SEEN, known + 1)]);
    let stored = [(1, Flags::FLAGGED, known + 2), (3, Flags::FLAGGED, known + 2)];
    assert_eq!(seen(&flagged.messages), stored);
    no_findings(fixture);
}

#[test]
fn who_was_away_for_too_long_is_told_all_that_is_gone() {
    let mut fixture = Fixture::with(&Options { tombstones_max: 2, ..options() });
    for _ in 0..9 {
        fixture.deliver("x");
    }
    let (by, mailbox) = (fixture.ann, fixture.inbox());
    let selected = fixture.select(mailbox);
    let (uidvalidity, start) = (selected.status.uidvalidity, selected.status.highestmodseq);
    let mut known = start;
    for uid in [2, 4, 9] {
        known = fixture.select(mailbox).status.highestmodseq;
        fixture.flag(&[UidRange::one(uid)], Change::Add, Flags::DELETED);
        fixture.done(Write::Expunge { by, mailbox, uids: None });
        fixture.done(Write::Purge { mailbox, up_to_modseq: u64::MAX });
    }
    assert_eq!(fixture.changes(mailbox, known).vanished, [range(9, 9)]);
    // The first is forgotten: it cannot be told when it went, nor of others before it that they
    // had not gone already.
    let all = [range(2, 2), range(4, 4), range(9, 9)];
    assert_eq!(fixture.changes(mailbox, start).vanished, all);
    assert_eq!(fixture.changes(mailbox, 1).vanished, all);
    // What SELECT tells is of the same moment.
    let mut select = |since| match fixture.read(Read::Select { by, mailbox, since: Some(since) }) {
        Ok(Found::Selected(selected)) => selected.changes,
        other => panic!("{other:?}"),
    };
    assert_eq!(select((uidvalidity, known)).unwrap().vanished, [range(9, 9)]);
    assert_eq!(select((uidvalidity + 1, known)), None);
    no_findings(fixture);
}

#[test]
fn only_what_changes_gets_a_new_modseq() {
    let mut fixture = Fixture::new();
    for text in ["one", "two", "three"] {
        fixture.deliver(text);
    }
    let inbox = fixture.inbox();
    let before = fixture.select(inbox).status.highestmodseq;
    let Written::Flagged(one) = fixture.flag(&[UidRange::one(2)], Change::Add, Flags::SEEN) else {
        panic!()
    };
    assert_eq!(one.modseq, Some(before + 1));
    let Written::Flagged(all) = fixture.flag(&[UidRange::ALL], Change::Add, Flags::SEEN) else {
        panic!()
    };
    let expected: Vec<_> = [(1, before + 2), (2, before + 1), (3, before + 2)]
        .map(|(uid, modseq)| FlagState { uid, flags: Flags::SEEN, modseq })
        .into();
    assert_eq!((all.modseq, all.messages), (Some(before + 2), expected));
    let Written::Flagged(none) = fixture.flag(&[UidRange::ALL], Change::Replace, Flags::SEEN)
    else {
        panic!()
    };
    assert_eq!(none.modseq, None);
    assert_eq!(fixture.select(inbox).status.unseen, 0);
    fixture.flag(&[range(2, 3)], Change::Remove, Flags::SEEN);
    let selected = fixture.select(inbox);
    assert_eq!((selected.status.unseen, selected.first_unseen), (2, Some(2)));
    no_findings(fixture);
}

#[test]
fn expunged_messages_stay_readable_until_purged() {
    let mut fixture = Fixture::new();
    for text in ["one", "two", "three", "four"] {
        fixture.deliver(text);
    }
    let inbox = fixture.inbox();
    assert_eq!(expunge(&mut fixture, inbox, None), [0; 0]);
    fixture.flag(&[range(1, 3)], Change::Add, Flags::DELETED);
    assert_eq!(fixture.select(inbox).status.deleted, 3);
    assert_eq!(expunge(&mut fixture, inbox, Some(vec![range(2, 9)])), [2, 3]);
    let selected = fixture.select(inbox);
    assert_eq!(selected.uids, [UidRange::one(1), UidRange::one(4)]);
    assert_eq!((selected.status.messages, selected.status.deleted), (2, 1));
    assert_eq!(fixture.messages(inbox, true).len(), 4);
    let (by, uid, offset, count) = (fixture.ann, 2, PREFIX.len() as u64, 99);
    let bytes =
        |also_expunged| Read::Bytes { by, mailbox: inbox, uid, offset, count, also_expunged };
    assert_eq!(fixture.read(bytes(false)), Err(StoreError::NoSuchMessage));
    assert_eq!(fixture.read(bytes(true)), Ok(Found::Bytes(b"two".to_vec())));
    let modseq = selected.status.highestmodseq;
    let purge = |up_to_modseq| Write::Purge { mailbox: inbox, up_to_modseq };
    assert_eq!(fixture.done(purge(modseq - 1)), Written::Purged(0));
    assert_eq!(fixture.done(purge(modseq)), Written::Purged(2));
    assert_eq!(fixture.read(bytes(true)), Err(StoreError::NoSuchMessage));
    assert_eq!(fixture.changes(inbox, modseq - 1).vanished, [range(2, 3)]);
    assert_eq!(fixture.changes(inbox, modseq).vanished, []);
    // The highest UID goes too; it is not given again.
    fixture.flag(&[UidRange::ALL], Change::Add, Flags::DELETED);
    assert_eq!(expunge(&mut fixture, inbox, None), [1, 4]);
    fixture.done(purge(u64::MAX));
    assert_eq!(fixture.deliver("five").uid, 5);
    no_findings(fixture);
}

#[test]
fn copies_share_a_body_until_the_last_one_goes() {
    let mut fixture = Fixture::new();
    let file = fixture.file(3, b"large");
    fixture.done(deliver(vec![recipient(fixture.ann, Place::Inbox)], file));
    fixture.deliver("small");
    let (by, inbox) = (fixture.ann, fixture.inbox());
    let sent = fixture.mailbox(by, "Sent");
    let keywords = vec!["Blue".into()];
    let (uids, change, flags) = (vec![UidRange::ALL], Change::Add, Flags::FLAGGED);
    fixture.done(Write::StoreFlags {
        by,
        mailbox: inbox,
        uids,
        unchanged_since: None,
        change,
        flags,
        keywords,
    });
    let copy =
        |to| Write::Copy { by, from: inbox, uids: vec![UidRange::ALL], to, now: UnixSeconds(7) };
    let Written::Copied(_, pairs) = fixture.done(copy(sent)) else { panic!() };
    assert_eq!(pairs, [(1, 1), (2, 2)]);
    let Written::Copied(_, pairs) = fixture.done(copy(inbox)) else { panic!() };
    assert_eq!(pairs, [(1, 3), (2, 4)]);
    let copied = fixture.messages(sent, false);
    assert_eq!(copied[0].facts.flags, Flags::FLAGGED | Flags(1 << 5));
    assert_eq!((copied[0].facts.internaldate, copied[0].facts.saved), (NOW, UnixSeconds(7)));
    assert_eq!(fixture.select(sent).keywords[0].name, "Blue");
    let mut fixture = no_findings(fixture);

    fixture.flag(&[UidRange::ALL], Change::Add, Flags::DELETED);
    expunge(&mut fixture, inbox, None);
    fixture.done(Write::Purge { mailbox: inbox, up_to_modseq: u64::MAX });
    assert_eq!(fixture.body_files(), 1);
    assert_eq!(texts(&mut fixture, sent), [format!("{PREFIX}large"), format!("{PREFIX}small")]);
    let mut fixture = no_findings(fixture);
    let (uids, flags, keywords) = (vec![UidRange::ALL], Flags::DELETED, vec![]);
    fixture.done(Write::StoreFlags {
        by,
        mailbox: sent,
        uids,
        unchanged_since: None,
        change,
        flags,
        keywords,
    });
    expunge(&mut fixture, sent, None);
    assert_eq!(fixture.body_files(), 1);
    fixture.done(Write::Purge { mailbox: sent, up_to_modseq: u64::MAX });
    assert_eq!(fixture.body_files(), 0);
    no_findings(fixture);
}

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    let mut fixture = Fixture::new();
    for number in 0..10 {
        fixture.deliver(&"x".repeat(number * 10));
    }
    let mut page = |uids: &[UidRange], after, count_max, what| {
        let (by, mailbox) = (fixture.ann, fixture.inbox());
        let also_expunged = false;
        let uids = uids.to_vec();
        let job = Read::Messages { by, mailbox, uids, after, count_max, what, also_expunged };
        match fixture.read(job) {
            Ok(Found::Messages(Messages { messages, more })) => {
                let uids: Vec<_> = messages.iter().map(|found| found.facts.uid).collect();
                (uids, more, messages)
            }
            other => panic!("{other:?}"),
        }
    };
    let ranges = [range(7, 9), range(2, 4), range(3, 5), range(99, 100)];
    assert_eq!(page(&ranges, 0, 4, What::Facts).0, [2, 3, 4, 5]);
    assert_eq!(page(&ranges, 0, 4, What::Facts).1, Some(5));
    assert_eq!(page(&ranges, 5, 4, What::Facts).0, [7, 8, 9]);
    assert_eq!(page(&ranges, 5, 3, What::Facts).1, None);
    assert_eq!(page(&ranges, u32::MAX, 4, What::Facts).0, [0; 0]);
    assert_eq!(page(&[UidRange::ALL], 0, 0, What::Facts).0, [1]);
    // Messages are 16, 26, 36 … bytes long.
    let text = |each_max, all_max| What::Text { each_max, all_max };
    assert_eq!(page(&[UidRange::ALL], 0, 99, text(999, 78)).0, [1, 2, 3]);
    assert_eq!(page(&[UidRange::ALL], 0, 99, text(999, 77)).1, Some(2));
    assert_eq!(page(&[UidRange::ALL], 2, 99, text(999, 1)).0, [3]);
    let (uids, more, messages) = page(&[UidRange::ALL], 0, 99, text(36, 999));
    assert_eq!((uids.len(), more), (10, None));
    let with_text: Vec<_> = messages.iter().filter(|found| found.text.is_some()).collect();
    assert_eq!(with_text.len(), 3);
    let start = |bytes_max, all_max| What::Start { bytes_max, all_max };
    let (uids, more, messages) = page(&[UidRange::ALL], 0, 99, start(30, 999));
    assert_eq!((uids.len(), more), (10, None));
    let lengths: Vec<_> = messages.iter().map(|found| found.text.as_ref().unwrap().len()).collect();
    assert_eq!(lengths, [16, 26, 30, 30, 30, 30, 30, 30, 30, 30]);
    assert_eq!(page(&[UidRange::ALL], 0, 99, start(30, 16 + 26 + 30)).1, Some(3));
    assert_eq!(page(&[UidRange::ALL], 3, 99, start(30, 1)).0, [4]);
}

#[test]
fn the_last_uid_is_kept_back() {
    let mut fixture = Fixture::new();
    let inbox = fixture.inbox();
    let path = fixture.dir.path().join("pillarbox.db");
    let other = rusqlite::Connection::open(path).unwrap();
    let sql = "UPDATE mailbox SET uidnext = 4294967294 WHERE id = ?1";
    other.execute(sql, [inbox.0]).unwrap();
    assert_eq!(fixture.deliver("last").uid, u32::MAX - 1);
    let job = deliver(vec![recipient(fixture.ann, Place::Inbox)], inline("one more"));
    assert_eq!(fixture.write(job), Err(StoreError::UidLimit));
    assert_eq!(fixture.select(inbox).uids, [UidRange::one(u32::MAX - 1)]);
}

#[test]
fn a_body_id_is_never_given_again() {
    let mut fixture = Fixture::new();
    let path = fixture.dir.path().join("pillarbox.db");
    let highest = || {
        let conn = rusqlite::Connection::open(&path).unwrap();
        let sql = "SELECT coalesce(max(id), 0) FROM body";
        conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    fixture.deliver("one");
    let before = highest();
    let inbox = fixture.inbox();
    fixture.flag(&[UidRange::ALL], Change::Add, Flags::DELETED);
    expunge(&mut fixture, inbox, None);
    fixture.done(Write::Purge { mailbox: inbox, up_to_modseq: u64::MAX });
    assert_eq!(highest(), 0);
    fixture.deliver("two");
    assert_eq!(highest(), before + 2, "a prefix and a body");
}
