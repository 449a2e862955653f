//! Accounts and domains made together, listed, and taken away again.

use std::collections::BTreeMap;

use pillarbox_store::{
    AccountId, AccountInfo, Additions, Cleared, Counts, DomainInfo, Found, NewAccount, NewAddress,
    NewBody, Options, Place, Read, Secret, Special, Store, StoreError, Sync, Write, Written,
    verify::verify,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crash::{Behind, copy, wal_length};
use crate::fixture::{Fixture, NOW, deliver, inline, options, recipient};

fn secret(text: &str) -> Vec<Secret> {
    vec![Secret::Argon2id(text.into())]
}

fn address(localpart: &str, account: &str) -> NewAddress {
    NewAddress { localpart: localpart.into(), domain: "b.example".into(), account: account.into() }
}

/// `b.example` with the account `eve` and two addresses, one of them bob's.
fn additions() -> Additions {
    Additions {
        domains: vec!["b.example".into()],
        accounts: vec![NewAccount { name: "eve".into(), secrets: secret("$eve") }],
        addresses: vec![address("Eve", "eve"), address("bob", "BOB")],
        catch_alls: vec![("b.example".into(), "eve".into())],
        ..Additions::default()
    }
}

fn add(fixture: &mut Fixture, additions: Additions) -> Result<Written, StoreError> {
    fixture.write(Write::Add { additions, now: NOW })
}

fn accounts(fixture: &mut Fixture, after: &str, count_max: usize) -> Vec<AccountInfo> {
    match fixture.read(Read::Accounts { after: after.into(), count_max, secrets: true }) {
        Ok(Found::Accounts(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn names(fixture: &mut Fixture) -> Vec<String> {
    accounts(fixture, "", 99).into_iter().map(|info| info.name).collect()
}

fn domains(fixture: &mut Fixture) -> Vec<DomainInfo> {
    match fixture.read(Read::Domains { after: String::new(), count_max: 99 }) {
        Ok(Found::Domains(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn counts(fixture: &mut Fixture) -> Counts {
    match fixture.read(Read::Counts) {
        Ok(Found::Counts(counts)) => counts,
        other => panic!("{other:?}"),
    }
}

fn clear(fixture: &mut Fixture, messages_max: usize) -> Cleared {
    match fixture.done(Write::Clear { messages_max }) {
        Written::Cleared(cleared) => cleared,
        other => panic!("{other:?}"),
    }
}

fn clear_all(fixture: &mut Fixture) {
    while clear(fixture, 2).more {}
}

#[test]
fn what_is_added_is_listed() {
    let mut fixture = Fixture::new();
    assert_eq!(add(&mut fixture, additions()), Ok(Written::Done));
    let listed = accounts(&mut fixture, "", 99);
    assert_eq!(
        listed.iter().map(|info| info.name.as_str()).collect::<Vec<_>>(),
        ["ann", "bob", "eve"]
    );
    let eve = &listed[2];
    assert_eq!(eve.addresses, [("eve".to_owned(), "b.example".to_owned())]);
    assert_eq!((eve.mailboxes, eve.messages, eve.bytes), (6, 0, 0));
    assert_eq!(eve.secrets, secret("$eve"));
    // Page by page it is the same.
    assert_eq!(accounts(&mut fixture, "ann", 1), listed[1..2]);
    assert_eq!(accounts(&mut fixture, "eve", 1), []);
    let domain = DomainInfo {
        name: "b.example".into(),
        addresses: 2,
        catch_all: Some("eve".into()),
        cram_md5: false,
    };
    assert_eq!(domains(&mut fixture), [domain]);
    let one = fixture.read(Read::Account { account: eve.id });
    assert_eq!(one, Ok(Found::Accounts(vec![AccountInfo { secrets: vec![], ..eve.clone() }])));
    let nobody = fixture.read(Read::Account { account: AccountId(99) });
    assert_eq!(nobody, Err(StoreError::NoSuchAccount));
}

#[test]
fn all_is_added_or_nothing() {
    let mut fixture = Fixture::new();
    let mut wrong: Vec<(Additions, StoreError)> = Vec::new();
    let mut with = |change: fn(&mut Additions), error| {
        let mut additions = additions();
        change(&mut additions);
        wrong.push((additions, error));
    };
    with(|a| a.domains.push("B.example".into()), StoreError::AlreadyExists);
    with(|a| a.accounts[0].name = "Ann".into(), StoreError::AlreadyExists);
    with(|a| a.addresses.push(address("EVE", "ann")), StoreError::AlreadyExists);
    with(|a| a.addresses.push(address("x", "nobody")), StoreError::NoSuchAccount);
    with(|a| a.domains.clear(), StoreError::NotOurDomain);
    with(|a| a.catch_alls.push(("c.example".into(), "eve".into())), StoreError::NotOurDomain);
    with(|a| a.catch_alls.push(("b.example".into(), "x".into())), StoreError::NoSuchAccount);
    for (additions, error) in wrong {
        assert_eq!(add(&mut fixture, additions), Err(error));
        assert_eq!(names(&mut fixture), ["ann", "bob"]);
        assert_eq!(domains(&mut fixture), []);
    }
    let unnamed = |name: &str| Additions {
        accounts: vec![NewAccount { name: name.into(), secrets: vec![] }],
        ..Additions::default()
    };
    for name in ["", "@1", "a@b"] {
        assert!(matches!(add(&mut fixture, unnamed(name)), Err(StoreError::Misuse(_))));
    }
}

#[test]
fn a_domain_goes_with_its_addresses_or_not_at_all() {
    let mut fixture = Fixture::new();
    add(&mut fixture, additions()).unwrap();
    let remove = |with_addresses| Write::RemoveDomain { name: "B.Example".into(), with_addresses };
    assert_eq!(fixture.write(remove(false)), Err(StoreError::HasAddresses));
    assert_eq!(domains(&mut fixture)[0].addresses, 2);
    let one = |localpart: &str| Write::RemoveAddress {
        localpart: localpart.into(),
        domain: "b.example".into(),
    };
    assert_eq!(fixture.write(one("EVE")), Ok(Written::Done));
    assert_eq!(fixture.write(one("eve")), Err(StoreError::NoSuchAddress));
    assert_eq!(domains(&mut fixture)[0].addresses, 1);
    assert_eq!(fixture.write(remove(true)), Ok(Written::Done));
    assert_eq!(fixture.write(remove(true)), Err(StoreError::NotOurDomain));
    assert_eq!(fixture.write(one("bob")), Err(StoreError::NotOurDomain));
    assert_eq!(names(&mut fixture), ["ann", "bob", "eve"]);
    assert_eq!(fixture.verified().1, Vec::<String>::new());
}

#[test]
fn a_removed_account_is_gone_at_once_and_its_mail_in_steps() {
    let mut fixture = Fixture::new();
    let shared = fixture.file(1, b"for both");
    let own = fixture.file(2, b"for ann alone");
    let (ann, bob) = (fixture.ann, fixture.bob);
    let both = vec![recipient(ann, Place::Inbox), recipient(bob, Place::Inbox)];
    fixture.done(deliver(both, shared));
    fixture.done(deliver(vec![recipient(ann, Place::Inbox)], own));
    for number in 0..5 {
        fixture.deliver(&format!("inline {number}"));
    }
    let sent = recipient(ann, Place::Special(Special::Sent));
    fixture.done(deliver(vec![sent], inline("sent")));
    let mut more = additions();
    more.addresses.push(address("ann", "ann"));
    more.catch_alls[0].1 = "ann".into();
    add(&mut fixture, more).unwrap();
    let inbox = fixture.inbox();

    assert_eq!(fixture.done(Write::RemoveAccount { account: ann }), Written::Done);
    let again = fixture.write(Write::RemoveAccount { account: ann });
    assert_eq!(again, Err(StoreError::NoSuchAccount));
    // Nobody logs in, gets mail or reads it any more.
    for login in ["ann", "ann@b.example", "@1"] {
        let found = fixture.read(Read::Credentials { login: login.into() });
        assert!(matches!(found, Err(StoreError::NoSuchAccount | StoreError::NotOurDomain)));
    }
    for localpart in ["ann", "anybody"] {
        let found = fixture.read(crate::aliases::resolve(localpart, "b.example"));
        assert_eq!(found, Err(StoreError::NoSuchAddress));
    }
    let status = Read::Status { by: ann, mailbox: inbox };
    assert_eq!(fixture.read(status), Err(StoreError::NoSuchAccount));
    let by_name = Read::MailboxByName { account: ann, name: "INBOX".into() };
    assert_eq!(fixture.read(by_name), Err(StoreError::NoSuchAccount));
    let late = deliver(vec![recipient(ann, Place::Mailbox(inbox))], inline("late"));
    assert_eq!(fixture.write(late), Err(StoreError::NoSuchAccount));
    let expunge = Write::Expunge { by: ann, mailbox: inbox, uids: None };
    assert_eq!(fixture.write(expunge), Err(StoreError::NoSuchAccount));
    assert_eq!(names(&mut fixture), ["bob", "eve"]);
    assert_eq!(counts(&mut fixture).accounts, 2);

    // The name is free for somebody who has nothing to do with it.
    let Written::Account(new) = fixture.done(Write::CreateAccount { name: "ann".into(), now: NOW })
    else {
        panic!()
    };
    let (mut fixture, found) = fixture.verified();
    assert_eq!(found, Vec::<String>::new());

    // Seven in INBOX, one in Sent.
    let mut left = Vec::new();
    loop {
        let step = clear(&mut fixture, 3);
        left.push(step.messages_left);
        let (again, found) = fixture.verified();
        assert_eq!(found, Vec::<String>::new());
        fixture = again;
        if !step.more {
            break;
        }
    }
    assert_eq!(left, [5, 2, 1, 0, 0], "a mailbox counts as a message does");
    assert_eq!(clear(&mut fixture, 3), Cleared { messages_left: 0, more: false });
    assert_eq!(counts(&mut fixture).mailboxes, 18);
    // Bob still has the shared one, and only its file is left.
    assert_eq!(fixture.body_files(), 1);
    assert_eq!(counts(&mut fixture).messages, 1);
    let listed = accounts(&mut fixture, "", 1);
    assert_eq!((listed[0].id, listed[0].mailboxes, listed[0].messages), (new, 6, 0));
    fixture.done(Write::RemoveAccount { account: bob });
    clear_all(&mut fixture);
    assert_eq!(fixture.body_files(), 0);
    assert!(matches!(fixture.write(Write::Clear { messages_max: 0 }), Err(StoreError::Misuse(_))));
}

#[test]
fn a_step_ends_with_a_large_message() {
    let mut fixture = Fixture::new();
    for number in 0..3 {
        let body = fixture.file(number, &vec![b'x'; 5 << 20]);
        fixture.done(deliver(vec![recipient(fixture.ann, Place::Inbox)], body));
    }
    fixture.done(Write::RemoveAccount { account: fixture.ann });
    for left in [2, 1, 0] {
        assert_eq!(clear(&mut fixture, 100), Cleared { messages_left: left, more: true });
        assert_eq!(fixture.body_files() as u64, left);
    }
    assert!(!clear(&mut fixture, 100).more);
}

#[test]
fn a_removal_cut_anywhere_goes_on() {
    let mut fixture = Fixture::with(&Options { sync: Sync::Full, wal_size: 1 << 20, ..options() });
    let dir = fixture.dir.path().to_owned();
    for number in 0..9 {
        let both = vec![recipient(fixture.ann, Place::Inbox), recipient(fixture.bob, Place::Inbox)];
        let body = "x".repeat(3000 * (number % 2));
        fixture.done(deliver(both, inline(&body)));
        fixture.deliver("for ann alone");
    }
    fixture.store.checkpoint().unwrap();
    fixture.deliver("the WAL begins anew");
    let mut acknowledged = vec![wal_length(&dir, 8192)];
    fixture.done(Write::RemoveAccount { account: fixture.ann });
    acknowledged.push(wal_length(&dir, 8192));
    while clear(&mut fixture, 4).more {
        acknowledged.push(wal_length(&dir, 8192));
    }
    let scratch = tempfile::tempdir().unwrap();
    let points = acknowledged.iter().flat_map(|&at| [at - 1, at, at + 1, at + 5000]).skip(1);
    for (number, at) in points.enumerate() {
        let to = scratch.path().join(number.to_string());
        copy(&dir, &to, at, Behind::Nothing);
        let store = Store::open(&to, &options()).unwrap();
        let (mut writer, mut reader) = (store.writer().unwrap(), store.reader().unwrap());
        let question = Read::Accounts { after: String::new(), count_max: 9, secrets: false };
        let Ok(Found::Accounts(listed)) = reader.read(question) else { panic!() };
        let removed = at >= acknowledged[1];
        assert_eq!(listed.len(), if removed { 1 } else { 2 }, "cut at {at}");
        while let Ok(Written::Cleared(Cleared { more: true, .. })) =
            writer.commit(vec![Write::Clear { messages_max: 4 }]).remove(0)
        {}
        let Ok(Found::Counts(counts)) = reader.read(Read::Counts) else { panic!() };
        assert_eq!(counts.messages, if removed { 9 } else { 28 }, "cut at {at}");
        drop((store, writer, reader));
        verify(&to, &mut |finding| panic!("cut at {at}: {finding}")).unwrap();
    }
}

/// A step, with accounts as numbers.
#[derive(Debug, Clone)]
enum Step {
    Create,
    Deliver { to: Vec<usize>, large: bool },
    Expunge { account: usize, purge: bool },
    Remove(usize),
    Clear(usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let account = || 0..4_usize;
    prop_oneof![
        2 => Just(Step::Create),
        6 => (vec(account(), 1..4), any::<bool>())
            .prop_map(|(to, large)| Step::Deliver { to, large }),
        2 => (account(), any::<bool>())
            .prop_map(|(account, purge)| Step::Expunge { account, purge }),
        2 => account().prop_map(Step::Remove),
        3 => (1..4_usize).prop_map(Step::Clear),
        1 => Just(Step::Reopen),
    ]
}

/// Messages in INBOX of each account that there is, and how many estates hold.
#[derive(Debug, Default)]
struct Model {
    accounts: BTreeMap<AccountId, u64>,
    left: u64,
    made: u8,
}

impl Model {
    fn pick(&self, number: usize) -> Option<AccountId> {
        self.accounts.keys().nth(number % self.accounts.len().max(1)).copied()
    }

    fn run(&mut self, mut fixture: Fixture, step: Step) -> Fixture {
        match step {
            Step::Create => {
                self.made += 1;
                let name = format!("n{}", self.accounts.len());
                match fixture.write(Write::CreateAccount { name, now: NOW }) {
                    Ok(Written::Account(id)) => _ = self.accounts.insert(id, 0),
                    other => assert_eq!(other, Err(StoreError::AlreadyExists)),
                }
            }
            Step::Deliver { to, large } => {
                let to: Vec<_> = to.iter().filter_map(|number| self.pick(*number)).collect();
                if to.is_empty() {
                    return fixture;
                }
                self.made += 1;
                let body: NewBody =
                    if large { fixture.file(self.made, b"large") } else { inline("small") };
                let recipients = to.iter().map(|id| recipient(*id, Place::Inbox)).collect();
                fixture.done(deliver(recipients, body));
                to.iter().for_each(|id| *self.accounts.get_mut(id).unwrap() += 1);
            }
            Step::Expunge { account, purge } => {
                let Some(by) = self.pick(account) else { return fixture };
                let mailbox = fixture.mailbox(by, "INBOX");
                fixture.done(Write::StoreFlags {
                    by,
                    mailbox,
                    uids: vec![pillarbox_store::UidRange { first: 1, last: 2 }],
                    unchanged_since: None,
                    change: pillarbox_store::Change::Add,
                    flags: pillarbox_store::Flags::DELETED,
                    keywords: vec![],
                });
                let expunge = Write::Expunge { by, mailbox, uids: None };
                let Written::Expunged(gone) = fixture.done(expunge) else { panic!() };
                *self.accounts.get_mut(&by).unwrap() -= gone.uids.len() as u64;
                if purge {
                    fixture.done(Write::Purge { mailbox, up_to_modseq: u64::MAX });
                }
            }
            Step::Remove(number) => {
                let Some(account) = self.pick(number) else { return fixture };
                fixture.done(Write::RemoveAccount { account });
                self.left += self.accounts.remove(&account).unwrap();
            }
            Step::Clear(messages_max) => {
                let cleared = clear(&mut fixture, messages_max);
                let removed = self.left - cleared.messages_left;
                assert!(removed <= messages_max as u64);
                assert!(cleared.more || cleared.messages_left == 0);
                self.left = cleared.messages_left;
            }
            Step::Reopen => return fixture.reopen(),
        }
        fixture
    }

    fn check(&self, fixture: &mut Fixture) {
        let listed: BTreeMap<_, _> =
            accounts(fixture, "", 99).into_iter().map(|info| (info.id, info.messages)).collect();
        assert_eq!(listed, self.accounts);
        let counts = counts(fixture);
        assert_eq!(counts.accounts, self.accounts.len() as u64);
        assert_eq!(counts.messages, self.accounts.values().sum::<u64>() + self.left);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn accounts_come_and_go_as_in_the_model(steps in vec(step(), 1..40)) {
        let mut fixture = Fixture::new();
        let mut model = Model::default();
        model.accounts.extend([(fixture.ann, 0), (fixture.bob, 0)]);
        for step in steps {
            fixture = model.run(fixture, step);
            model.check(&mut fixture);
        }
        let (mut fixture, found) = fixture.verified();
        prop_assert_eq!(found, Vec::<String>::new());
        for account in model.accounts.keys() {
            fixture.done(Write::RemoveAccount { account: *account });
        }
        clear_all(&mut fixture);
        prop_assert_eq!(counts(&mut fixture), Counts::default());
        prop_assert_eq!(fixture.body_files(), 0);
    }
}
