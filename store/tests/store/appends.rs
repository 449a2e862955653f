//! APPEND of several messages, and REPLACE: all of it or nothing.

use pillarbox_core::effect::Handle;
use pillarbox_store::{
    Appended, MailboxId, NewBody, NewMessage, Options, Quota, Replaced, StoreError, UidRange,
    Write, Written,
};

use crate::fixture::{Fixture, NOW, message, options, range};

fn append(
    fixture: &mut Fixture,
    mailbox: MailboxId,
    messages: Vec<NewMessage>,
    replaces: Option<Replaced>,
) -> Result<Appended, StoreError> {
    let by = fixture.ann;
    match fixture.write(Write::Append { by, mailbox, messages, replaces, now: NOW })? {
        Written::Appended(appended) => Ok(appended),
        other => panic!("{other:?}"),
    }
}

fn texts(fixture: &mut Fixture, mailbox: MailboxId) -> Vec<(u32, String)> {
    let messages = fixture.messages(mailbox, false);
    let text = |text: Option<Vec<u8>>| String::from_utf8(text.unwrap()).unwrap();
    messages.into_iter().map(|found| (found.facts.uid, text(found.text))).collect()
}

fn told(found: &[(u32, &str)]) -> Vec<(u32, String)> {
    found.iter().map(|(uid, text)| (*uid, (*text).to_owned())).collect()
}

#[test]
fn several_come_together_or_not_at_all() {
    let mut fixture = Fixture::new();
    let inbox = fixture.inbox();
    append(&mut fixture, inbox, vec![message("one")], None).unwrap();
    let more = vec![message("two"), message("three"), message("four")];
    let appended = append(&mut fixture, inbox, more, None).unwrap();
    assert_eq!((appended.uids, appended.removed), (range(2, 4), None));
    let all = [(1, "one"), (2, "two"), (3, "three"), (4, "four")];
    assert_eq!(texts(&mut fixture, inbox), told(&all));
    let absent = NewBody::File { handle: Handle([7; 16]), size: 5 };
    let keyword = NewMessage { keywords: vec!["new".into()], ..message("five") };
    let broken = NewMessage { body: absent, ..message("") };
    let before = fixture.select(inbox);
    let failed = append(&mut fixture, inbox, vec![keyword, broken], None);
    assert_eq!(failed, Err(StoreError::NoSuchBody));
    assert!(matches!(append(&mut fixture, inbox, vec![], None), Err(StoreError::Misuse(_))));
    assert_eq!(fixture.select(inbox), before);
    assert_eq!(fixture.verified().1, [""; 0]);
}

#[test]
fn one_takes_the_place_of_another() {
    let mut fixture = Fixture::new();
    let ann = fixture.ann;
    let (drafts, sent) = (fixture.mailbox(ann, "Drafts"), fixture.mailbox(ann, "Sent"));
    append(&mut fixture, drafts, vec![message("one"), message("other")], None).unwrap();
    let replaced = |uid| Some(Replaced { mailbox: drafts, uid });
    let appended = append(&mut fixture, drafts, vec![message("two")], replaced(1)).unwrap();
    assert_eq!(appended.uids, UidRange::one(3));
    assert_eq!(appended.removed, Some(fixture.select(drafts).status.highestmodseq));
    assert_eq!(texts(&mut fixture, drafts), told(&[(2, "other"), (3, "two")]));
    // What is not there, or no more, is not replaced.
    for uid in [1, 9] {
        let failed = append(&mut fixture, drafts, vec![message("x")], replaced(uid));
        assert_eq!(failed, Err(StoreError::NoSuchMessage));
    }
    let appended = append(&mut fixture, sent, vec![message("three")], replaced(3)).unwrap();
    assert_eq!(appended.uids, UidRange::one(1));
    assert_eq!(texts(&mut fixture, drafts), told(&[(2, "other")]));
    assert_eq!(texts(&mut fixture, sent), told(&[(1, "three")]));
    assert_eq!(fixture.select(drafts).status.messages, 1);
    assert_eq!(fixture.verified().1, [""; 0]);
}

#[test]
fn the_quota_counts_all_that_come_and_what_goes() {
    let mut fixture = Fixture::with(&Options { quota: Some(10), ..options() });
    let inbox = fixture.inbox();
    let two = |one: &str, other: &str| vec![message(one), message(other)];
    assert_eq!(
        append(&mut fixture, inbox, two("123456", "12345"), None),
        Err(StoreError::OverQuota)
    );
    append(&mut fixture, inbox, two("123456", "1234"), None).unwrap();
    let replaced = |uid| Some(Replaced { mailbox: inbox, uid });
    let larger = append(&mut fixture, inbox, vec![message("12345")], replaced(2));
    assert_eq!(larger, Err(StoreError::OverQuota));
    append(&mut fixture, inbox, vec![message("4321")], replaced(2)).unwrap();
    // Whoever has too much already may make it less.
    fixture.done(Write::SetQuota { account: fixture.ann, quota: Quota::Bytes(3) });
    append(&mut fixture, inbox, vec![message("21")], replaced(1)).unwrap();
    assert_eq!(fixture.select(inbox).status.bytes, 6);
}
