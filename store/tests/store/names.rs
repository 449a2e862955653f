//! Mailboxes made, renamed, removed and subscribed to: by examples, and against a model.

use std::collections::{BTreeMap, BTreeSet};

use pillarbox_core::imap::name::{LEVELS_MAX, MailboxName, NAME_BYTES_MAX};
use pillarbox_store::{
    Found, MailboxId, Options, Place, Read, Special, Status, StoreError, UidRange, Write, Written,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fixture::{Fixture, NOW, deliver, inline, options, recipient};

impl Fixture {
    fn create(&mut self, name: &str) -> Result<Written, StoreError> {
        self.write(Write::CreateMailbox {
            by: self.ann,
            name: name.into(),
            special: None,
            now: NOW,
        })
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<Written, StoreError> {
        let (from, to) = (from.into(), to.into());
        self.write(Write::RenameMailbox { by: self.ann, from, to, now: NOW })
    }

    fn delete(&mut self, name: &str) -> Result<Written, StoreError> {
        self.write(Write::DeleteMailbox { by: self.ann, name: name.into() })
    }

    fn subscribe(&mut self, name: &str, on: bool) -> Result<Written, StoreError> {
        self.write(Write::Subscribe { by: self.ann, name: name.into(), on })
    }

    /// Names that a new account does not have.
    fn names(&mut self) -> Vec<String> {
        let job = Read::Mailboxes { account: self.ann };
        let Ok(Found::Mailboxes(list)) = self.read(job) else { panic!() };
        let first = |name: &str| Special::ALL.iter().any(|special| special.name() == name);
        list.into_iter().map(|info| info.name).filter(|n| !first(n) && n != "INBOX").collect()
    }

    fn subscriptions(&mut self) -> BTreeSet<String> {
        let job = Read::Subscriptions { account: self.ann };
        let Ok(Found::Subscriptions(names)) = self.read(job) else { panic!() };
        names.into_iter().collect()
    }

    fn status(&mut self, name: &str) -> Status {
        let (by, mailbox) = (self.ann, self.mailbox(self.ann, name));
        let Ok(Found::Status(status)) = self.read(Read::Status { by, mailbox }) else { panic!() };
        status
    }

    fn file_into(&mut self, name: &str, text: &str) {
        let place = Place::Mailbox(self.mailbox(self.ann, name));
        self.done(deliver(vec![recipient(self.ann, place)], inline(text)));
    }
}

#[test]
fn a_mailbox_is_made_with_those_above_it() {
    let mut fixture = Fixture::new();
    fixture.create("a/b/c").unwrap();
    assert_eq!(fixture.names(), ["a", "a/b", "a/b/c"]);
    for (name, error) in [
        ("a/b", StoreError::AlreadyExists),
        ("iNbOx", StoreError::AlreadyExists),
        ("Sent", StoreError::AlreadyExists),
        ("", StoreError::Misuse("no mailbox can have such a name")),
        ("a//b", StoreError::Misuse("no mailbox can have such a name")),
    ] {
        assert_eq!(fixture.create(name), Err(error), "{name}");
    }
    // A level that is missing again is made again.
    fixture.delete("a/b").unwrap();
    fixture.create("inbox/x").unwrap();
    fixture.create("a/b/d").unwrap();
    assert_eq!(fixture.names(), ["INBOX/x", "a", "a/b", "a/b/c", "a/b/d"]);
    // RFC 3501 §6.3.6: it does not subscribe.
    assert!(!fixture.subscriptions().contains("a"));
}

#[test]
fn names_as_long_and_as_deep_as_can_be_and_one_more() {
    let mut fixture = Fixture::new();
    let long = |bytes: usize| "x".repeat(bytes);
    let deep = |levels: usize| vec!["d"; levels].join("/");
    fixture.create(&long(NAME_BYTES_MAX)).unwrap();
    assert_eq!(fixture.create(&long(NAME_BYTES_MAX + 1)), Err(StoreError::NameLimit));
    fixture.create(&deep(LEVELS_MAX)).unwrap();
    assert_eq!(fixture.create(&deep(LEVELS_MAX + 1)), Err(StoreError::NameLimit));
    // The names of those below would grow with it.
    fixture.create("a/b").unwrap();
    fixture.rename("a", &long(NAME_BYTES_MAX - 2)).unwrap();
    assert_eq!(
        fixture.rename(&long(NAME_BYTES_MAX - 2), &long(510 + 1)),
        Err(StoreError::NameLimit)
    );
    assert_eq!(fixture.rename("d", "e/d"), Err(StoreError::NameLimit));
    assert_eq!(fixture.names().iter().filter(|name| name.starts_with('e')).count(), 0);
}

#[test]
fn as_many_mailboxes_as_there_may_be_and_one_more() {
    let mut fixture = Fixture::with(&Options { mailboxes_max: 8, ..options() });
    fixture.create("a/b").unwrap();
    assert_eq!(fixture.create("c"), Err(StoreError::MailboxLimit));
    assert_eq!(fixture.rename("a/b", "x/y"), Err(StoreError::MailboxLimit));
    assert_eq!(fixture.rename("INBOX", "x"), Err(StoreError::MailboxLimit));
    assert_eq!(fixture.names(), ["a", "a/b"]);
    fixture.delete("a/b").unwrap();
    assert_eq!(fixture.create("c/d"), Err(StoreError::MailboxLimit));
    assert_eq!(fixture.names(), ["a"]);
    // Six are there from the beginning.
    fixture.subscribe("one", true).unwrap();
    fixture.subscribe("two", true).unwrap();
    assert_eq!(fixture.subscribe("three", true), Err(StoreError::MailboxLimit));
    fixture.subscribe("two", true).unwrap();
    fixture.subscribe("one", false).unwrap();
    fixture.subscribe("three", true).unwrap();
}

#[test]
fn a_mailbox_made_again_has_a_higher_uidvalidity() {
    let mut fixture = Fixture::new();
    let mut last = 0;
    for _ in 0..3 {
        fixture.create("a").unwrap();
        let status = fixture.status("a");
        assert!(status.uidvalidity > last);
        last = status.uidvalidity;
        fixture.delete("a").unwrap();
        fixture = fixture.reopen();
    }
}

#[test]
fn what_is_renamed_keeps_what_is_in_it_and_its_use() {
    let mut fixture = Fixture::new();
    fixture.create("a/b").unwrap();
    fixture.file_into("a/b", "one");
    fixture.create("ab").unwrap();
    let before = fixture.status("a/b");
    fixture.rename("a", "x/y").unwrap();
    assert_eq!(fixture.names(), ["ab", "x", "x/y", "x/y/b"]);
    assert_eq!(fixture.status("x/y/b"), before);
    fixture.rename("Sent", "Gone").unwrap();
    let gone = fixture.mailbox(fixture.ann, "Gone");
    let sent = vec![recipient(fixture.ann, Place::Special(Special::Sent))];
    let Written::Delivered(delivered) = fixture.done(deliver(sent, inline("x"))) else { panic!() };
    assert_eq!(delivered[0].mailbox, gone);
    // RFC 3501 §6.3.6: a subscription is a name.
    assert!(fixture.subscriptions().contains("Sent") && !fixture.subscriptions().contains("Gone"));
    for (from, to, error) in [
        ("none", "other", StoreError::NoSuchMailbox),
        ("none", "ab", StoreError::AlreadyExists),
        ("ab", "INBOX", StoreError::AlreadyExists),
        ("ab", "ab", StoreError::AlreadyExists),
        ("x", "x/y/z", StoreError::Cannot("a mailbox cannot be moved below itself")),
    ] {
        assert_eq!(fixture.rename(from, to), Err(error), "{from} {to}");
    }
}

#[test]
fn a_level_without_a_mailbox_can_be_renamed_and_not_deleted() {
    let mut fixture = Fixture::new();
    fixture.create("a/b").unwrap();
    fixture.delete("a").unwrap();
    assert_eq!(fixture.names(), ["a/b"]);
    assert!(matches!(fixture.delete("a"), Err(StoreError::Cannot(_))));
    fixture.rename("a", "c").unwrap();
    assert_eq!(fixture.names(), ["c/b"]);
    assert_eq!(fixture.delete("a"), Err(StoreError::NoSuchMailbox));
    // What is below is in the way as much as what is there.
    fixture.create("d/b").unwrap();
    fixture.delete("d").unwrap();
    assert_eq!(fixture.rename("c", "d"), Err(StoreError::AlreadyExists));
    assert_eq!(fixture.names(), ["c/b", "d/b"]);
}

#[test]
fn inbox_gives_its_messages_away_and_stays() {
    let mut fixture = Fixture::new();
    fixture.create("INBOX/below").unwrap();
    fixture.deliver("one");
    fixture.deliver("two");
    let inbox = fixture.inbox();
    let Ok(Written::Renamed(Some((id, expunged)))) = fixture.rename("inbox", "old/mail") else {
        panic!()
    };
    assert_eq!((id, expunged.uids), (inbox, vec![1, 2]));
    assert_eq!(fixture.names(), ["INBOX/below", "old", "old/mail"]);
    assert_eq!((fixture.status("INBOX").messages, fixture.status("INBOX").uidnext), (0, 3));
    assert_eq!(fixture.status("old/mail").messages, 2);
    // Sessions that number them can still read them.
    assert_eq!(fixture.messages(inbox, true).len(), 2);
    assert!(matches!(fixture.delete("INBOX"), Err(StoreError::Cannot(_))));
    assert_eq!(fixture.deliver("three").uid, 3);
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_file_goes_with_the_last_mailbox_that_names_it() {
    let mut fixture = Fixture::new();
    fixture.create("a").unwrap();
    fixture.create("b").unwrap();
    let (a, b) = (fixture.mailbox(fixture.ann, "a"), fixture.mailbox(fixture.ann, "b"));
    let file = fixture.file(1, b"large");
    fixture.done(deliver(vec![recipient(fixture.ann, Place::Mailbox(a))], file));
    let (by, uids) = (fixture.ann, vec![UidRange::ALL]);
    fixture.done(Write::Copy { by, from: a, uids: uids.clone(), to: b, now: NOW });
    // An expunged message holds it too, as long as there is its mailbox.
    fixture.done(Write::Move { by, from: b, uids, to: b, now: NOW });
    fixture.delete("a").unwrap();
    assert_eq!(fixture.body_files(), 1);
    assert_eq!(fixture.messages(b, true).len(), 2);
    fixture.delete("b").unwrap();
    assert_eq!(fixture.body_files(), 0);
    let late = Write::Purge { mailbox: b, up_to_modseq: u64::MAX };
    assert_eq!(fixture.write(late), Err(StoreError::NoSuchMailbox));
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_rename_that_fails_leaves_no_trace_and_no_file_goes() {
    let mut fixture = Fixture::new();
    fixture.create("a").unwrap();
    let a = Place::Mailbox(fixture.mailbox(fixture.ann, "a"));
    let file = fixture.file(1, b"large");
    fixture.done(deliver(vec![recipient(fixture.ann, a)], file));
    let by = fixture.ann;
    let answers = fixture.writer.commit(vec![
        Write::CreateMailbox { by, name: "b/c".into(), special: None, now: NOW },
        Write::RenameMailbox { by, from: "b".into(), to: "a".into(), now: NOW },
        Write::DeleteMailbox { by, name: "b/c/d".into() },
        Write::DeleteMailbox { by: fixture.bob, name: "a".into() },
    ]);
    assert!(answers[0].is_ok());
    assert_eq!(answers[1], Err(StoreError::AlreadyExists));
    assert_eq!(answers[2], Err(StoreError::NoSuchMailbox));
    assert_eq!(answers[3], Err(StoreError::NoSuchMailbox));
    assert_eq!(fixture.names(), ["a", "b", "b/c"]);
    assert_eq!(fixture.body_files(), 1);
}

/// What one mailbox holds: the texts by UID.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    id: MailboxId,
    letters: BTreeMap<u32, String>,
    last_uid: u32,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Create(&'static str),
    Rename(&'static str, &'static str),
    Delete(&'static str),
    Subscribe(&'static str, bool),
    Deliver(&'static str),
    Move(&'static str, &'static str),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    const NAMES: [&str; 9] = ["INBOX", "INBOX/a", "a", "a/b", "a/b/c", "a0", "ab", "b", "b/a"];
    let name = || prop::sample::select(&NAMES[..]);
    prop_oneof![
        4 => name().prop_map(Step::Create),
        3 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => name().prop_map(Step::Delete),
        1 => (name(), any::<bool>()).prop_map(|(name, on)| Step::Subscribe(name, on)),
        4 => name().prop_map(Step::Deliver),
        2 => (name(), name()).prop_map(|(from, to)| Step::Move(from, to)),
        1 => Just(Step::Reopen),
    ]
}

struct Model {
    fixture: Option<Fixture>,
    boxes: BTreeMap<String, Known>,
    subscribed: BTreeSet<String>,
    letters: usize,
}

impl Model {
    fn new() -> Self {
        let mut fixture = Fixture::new();
        let inbox = Known { id: fixture.inbox(), letters: BTreeMap::new(), last_uid: 0 };
        let subscribed = fixture.subscriptions();
        let boxes = BTreeMap::from([("INBOX".to_owned(), inbox)]);
        Self { fixture: Some(fixture), boxes, subscribed, letters: 0 }
    }

    fn fixture(&mut self) -> &mut Fixture {
        self.fixture.as_mut().unwrap()
    }

    /// What must have been made is made in the model too.
    fn made(&mut self, name: &str) {
        let name = MailboxName::new(name).unwrap();
        for level in name.above().chain([name.as_str()]) {
            if !self.boxes.contains_key(level) {
                let ann = self.fixture().ann;
                let id = self.fixture().mailbox(ann, level);
                let known = Known { id, letters: BTreeMap::new(), last_uid: 0 };
                assert!(self.boxes.values().all(|other| other.id != id));
                self.boxes.insert(level.to_owned(), known);
            }
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Create(name) => {
                let expected = !self.boxes.contains_key(name);
                assert_eq!(self.fixture().create(name).is_ok(), expected);
                if expected {
                    self.made(name);
                }
            }
            Step::Rename(from, to) => self.rename(from, to),
            Step::Delete(name) => {
                let expected = name != "INBOX" && self.boxes.contains_key(name);
                assert_eq!(self.fixture().delete(name).is_ok(), expected);
                if expected {
                    self.boxes.remove(name);
                }
            }
            Step::Subscribe(name, on) => {
                self.fixture().subscribe(name, on).unwrap();
                if on {
                    self.subscribed.insert(name.to_owned());
                } else {
                    self.subscribed.remove(name);
                }
            }
            Step::Deliver(name) => {
                self.letters += 1;
                let text = format!("letter {}", self.letters);
                if let Some(known) = self.boxes.get_mut(name) {
                    known.last_uid += 1;
                    known.letters.insert(known.last_uid, format!("Received: here\r\n{text}"));
                    self.fixture().file_into(name, &text);
                }
            }
            Step::Move(from, to) => {
                let ids = self.boxes.get(from).map(|b| b.id).zip(self.boxes.get(to).map(|b| b.id));
                let Some((source, target)) = ids else { return };
                let by = self.fixture().ann;
                let uids = vec![UidRange::ALL];
                self.fixture().done(Write::Move { by, from: source, uids, to: target, now: NOW });
                self.relocate(from, to);
            }
            Step::Reopen => self.fixture = self.fixture.take().map(Fixture::reopen),
        }
    }

    fn relocate(&mut self, from: &str, to: &str) {
        let letters = std::mem::take(&mut self.boxes.get_mut(from).unwrap().letters);
        let target = self.boxes.get_mut(to).unwrap();
        for text in letters.into_values() {
            target.last_uid += 1;
            target.letters.insert(target.last_uid, text);
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        let under = format!("{from}/");
        let leaving: Vec<String> = self
            .boxes
            .keys()
            .filter(|name| *name == from || name.starts_with(&under))
            .cloned()
            .collect();
        let new = |name: &str| format!("{to}{}", name.strip_prefix(from).unwrap());
        let inbox = from == "INBOX";
        let expected = !self.boxes.contains_key(to)
            && (inbox
                || !leaving.is_empty()
                    && !to.starts_with(&under)
                    && leaving.iter().all(|name| !self.boxes.contains_key(&new(name))));
        assert_eq!(self.fixture().rename(from, to).is_ok(), expected, "{from} {to}");
        if expected && inbox {
            self.made(to);
            self.relocate(from, to);
        } else if expected {
            let moved: Vec<_> =
                leaving.iter().map(|name| (new(name), self.boxes.remove(name).unwrap())).collect();
            self.boxes.extend(moved);
            // Those above, not a level that only others have in their names.
            if let Some((above, _)) = to.rsplit_once('/') {
                self.made(above);
            }
        }
    }

    fn check(&mut self) {
        let mut names = self.fixture().names();
        names.push("INBOX".to_owned());
        names.sort();
        assert_eq!(names, self.boxes.keys().cloned().collect::<Vec<_>>());
        assert_eq!(self.fixture.as_mut().unwrap().subscriptions(), self.subscribed);
        for known in self.boxes.clone().into_values() {
            let found: BTreeMap<u32, String> = self
                .fixture()
                .messages(known.id, false)
                .into_iter()
                .map(|m| (m.facts.uid, String::from_utf8(m.text.unwrap()).unwrap()))
                .collect();
            assert_eq!(found, known.letters);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn mailboxes_are_where_the_model_has_them(steps in vec(step(), 1..40)) {
        let mut model = Model::new();
        for step in steps {
            model.run(step);
            model.check();
        }
        let (_, found) = model.fixture.take().unwrap().verified();
        prop_assert_eq!(found, Vec::<String>::new());
    }
}
