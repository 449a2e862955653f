//! Who gets mail: addresses, aliases, quotas, and accounts out of use.

use std::collections::BTreeMap;

use pillarbox_store::{
    AccountId, Additions, Address, Addressee, AliasChange, AliasInfo, AliasSettings, Found, Holder,
    NewAddress, NewAlias, Options, Place, Quota, Read, Recipient, Routing, StoreError, UidRange,
    Write, Written,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fixture::{Fixture, NOW, deliver, inline, message, options, recipient};

fn at(localpart: &str) -> Address {
    Address { localpart: localpart.into(), domain: "localhost".into() }
}

fn pair(localpart: &str) -> (String, String) {
    (localpart.into(), "localhost".into())
}

/// `localhost` with ann, bob, and team@localhost for both.
pub(crate) fn localhost() -> Additions {
    let address = |name: &str| NewAddress {
        localpart: name.into(),
        domain: "localhost".into(),
        account: name.into(),
    };
    Additions {
        domains: vec!["localhost".into()],
        addresses: vec![address("ann"), address("bob")],
        aliases: vec![NewAlias {
            localpart: "Team".into(),
            domain: "localhost".into(),
            settings: AliasSettings { post_public: true, ..AliasSettings::default() },
            members: vec![pair("ann"), pair("BOB")],
        }],
        ..Additions::default()
    }
}

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.done(Write::Add { additions: localhost(), now: NOW });
    fixture
}

pub(crate) fn resolve(localpart: &str, domain: &str) -> Read {
    let to = Address { localpart: localpart.into(), domain: domain.into() };
    let routing = Routing { hostname: "mx.example".into(), separators: "+-".into() };
    Read::Resolve { to, from: None, routing }
}

/// The accounts that an address at localhost leads to.
fn leads_to(fixture: &mut Fixture, localpart: &str) -> Result<Vec<AccountId>, StoreError> {
    match fixture.read(resolve(localpart, "localhost"))? {
        Found::Addressee(Addressee::Account(holder), _) => Ok(vec![holder.account]),
        Found::Addressee(Addressee::Alias(_, holders), _) => {
            Ok(holders.iter().map(|holder| holder.account).collect())
        }
        other => panic!("{other:?}"),
    }
}

fn aliases(fixture: &mut Fixture, after: Address, count_max: usize) -> Vec<AliasInfo> {
    match fixture.read(Read::Aliases { after, count_max }) {
        Ok(Found::Aliases(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn change(fixture: &mut Fixture, change: AliasChange) -> Result<Written, StoreError> {
    fixture.write(Write::ChangeAlias { alias: at("team"), change })
}

#[test]
fn the_first_that_fits_gets_it() {
    let mut fixture = fixture();
    let (ann, bob) = (fixture.ann, fixture.bob);
    fixture.done(Write::CreateAddress {
        localpart: "ann-marie".into(),
        domain: "localhost".into(),
        account: bob,
    });
    for (localpart, expected) in [
        ("ANN", Ok(vec![ann])),
        ("ann+lists", Ok(vec![ann])),
        ("ann-lists+x", Ok(vec![ann])),
        ("ann-marie", Ok(vec![bob])),
        ("team", Ok(vec![ann, bob])),
        ("Team+x", Ok(vec![ann, bob])),
        ("+ann", Err(StoreError::NoSuchAddress)),
        ("ann.lists", Err(StoreError::NoSuchAddress)),
        ("nobody", Err(StoreError::NoSuchAddress)),
        // Nobody has it, and still it is somebody's.
        ("Postmaster", Ok(vec![ann])),
    ] {
        assert_eq!(leads_to(&mut fixture, localpart), expected, "{localpart}");
    }
    assert_eq!(fixture.read(resolve("ann", "mx.example")), Err(StoreError::NotOurDomain));
    assert!(fixture.read(resolve("postmaster", "MX.example")).is_ok());
    assert!(fixture.read(resolve("postmaster", "elsewhere.example")).is_err());

    fixture.done(Write::SetDisabled { account: ann, disabled: true });
    assert_eq!(leads_to(&mut fixture, "postmaster"), Ok(vec![bob]));
    let named = Write::CreateAccount { name: "postmaster".into(), now: NOW };
    let Written::Account(named) = fixture.done(named) else { panic!() };
    assert_eq!(leads_to(&mut fixture, "postmaster"), Ok(vec![named]));
    let catch_all = Write::SetCatchAll { domain: "localhost".into(), account: Some(bob) };
    fixture.done(catch_all);
    for localpart in ["postmaster", "nobody", "nobody+x"] {
        assert_eq!(leads_to(&mut fixture, localpart), Ok(vec![bob]), "{localpart}");
    }
    assert_eq!(leads_to(&mut fixture, "ann+x"), Ok(vec![ann]));
}

#[test]
fn postmaster_is_nobody_where_there_is_nobody() {
    let mut fixture = Fixture::new();
    fixture.done(Write::CreateDomain { name: "localhost".into() });
    for account in [fixture.ann, fixture.bob] {
        fixture.done(Write::RemoveAccount { account });
    }
    assert_eq!(leads_to(&mut fixture, "postmaster"), Err(StoreError::NoSuchAddress));
}

#[test]
fn the_sender_is_known_by_its_own_address() {
    let mut fixture = fixture();
    let ann = fixture.ann;
    for (from, expected) in [
        (Some(at("Ann")), Some(ann)),
        (Some(at("ann+x")), Some(ann)),
        (Some(at("team")), None),
        (Some(at("nobody")), None),
        (Some(Address { localpart: "ann".into(), domain: "elsewhere".into() }), None),
        (None, None),
    ] {
        let routing = Routing { hostname: String::new(), separators: "+".into() };
        match fixture.read(Read::Resolve { to: at("bob"), from: from.clone(), routing }) {
            Ok(Found::Addressee(_, found)) => assert_eq!(found, expected, "{from:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_account_sends_as_itself_and_as_what_lets_it() {
    let mut fixture = fixture();
    let (ann, bob) = (fixture.ann, fixture.bob);
    let catch_all = Write::SetCatchAll { domain: "localhost".into(), account: Some(ann) };
    fixture.done(catch_all);
    let mut may = |account, localpart: &str, domain: &str, separators: &str| {
        let addresses = vec![(localpart.to_owned(), domain.to_owned())];
        let separators = separators.to_owned();
        match fixture.read(Read::Foreign { account, addresses, separators }) {
            Ok(Found::Foreign(foreign)) => foreign.is_empty(),
            other => panic!("{other:?}"),
        }
    };
    for (account, localpart, separators, expected) in [
        (ann, "Ann", "+", true),
        (ann, "ann+x", "+", true),
        (bob, "ann", "+", false),
        (bob, "ann+x", "+", false),
        (ann, "team", "+", false),
        // What nobody has in its domain is the catch-all's.
        (ann, "anybody", "+", true),
        (ann, "ann+x", "", true),
        (bob, "anybody", "+", false),
    ] {
        assert_eq!(may(account, localpart, "localhost", separators), expected, "{localpart}");
    }
    assert!(!may(ann, "ann", "elsewhere", "+"));
    let allow =
        AliasChange { allow_from: Some(true), remove: vec![pair("bob")], ..AliasChange::default() };
    change(&mut fixture, allow).unwrap();
    for (account, expected) in [(ann, true), (bob, false)] {
        let (addresses, separators) = (vec![("team".into(), "localhost".into())], String::new());
        let foreign = if expected { Vec::new() } else { vec![0] };
        let found = fixture.read(Read::Foreign { account, addresses, separators });
        assert_eq!(found, Ok(Found::Foreign(foreign)));
    }
}

#[test]
fn aliases_are_made_changed_and_removed() {
    let mut fixture = fixture();
    let listed =
        aliases(&mut fixture, Address { localpart: String::new(), domain: String::new() }, 9);
    let team = AliasInfo {
        localpart: "team".into(),
        domain: "localhost".into(),
        settings: AliasSettings { post_public: true, ..AliasSettings::default() },
        members: vec![pair("ann"), pair("bob")],
    };
    assert_eq!(listed, [team]);
    assert_eq!(aliases(&mut fixture, at("team"), 9), []);

    let members = |add: &[&str], remove: &[&str]| AliasChange {
        add: add.iter().map(|name| pair(name)).collect(),
        remove: remove.iter().map(|name| pair(name)).collect(),
        ..AliasChange::default()
    };
    for (wrong, error) in [
        (members(&["nobody"], &[]), StoreError::NoSuchAddress),
        // No alias leads to another, nor to itself.
        (members(&["team"], &[]), StoreError::NoSuchAddress),
        (members(&["Ann"], &[]), StoreError::AlreadyExists),
        (members(&[], &["nobody"]), StoreError::NoSuchMember),
    ] {
        assert_eq!(change(&mut fixture, wrong), Err(error));
    }
    change(&mut fixture, members(&["ANN"], &["ann", "bob"])).unwrap();
    let set = AliasChange {
        post_public: Some(false),
        list_members: Some(true),
        ..AliasChange::default()
    };
    change(&mut fixture, set).unwrap();
    let listed = aliases(&mut fixture, at("a"), 9);
    assert_eq!(listed[0].members, [pair("ann")]);
    let settings = AliasSettings { list_members: true, ..AliasSettings::default() };
    assert_eq!(listed[0].settings, settings);

    // An address is one account's or one alias's.
    let address = |localpart: &str| Write::CreateAddress {
        localpart: localpart.into(),
        domain: "localhost".into(),
        account: AccountId(1),
    };
    assert_eq!(fixture.write(address("TEAM")), Err(StoreError::AlreadyExists));
    let mut twice = localhost();
    (twice.domains, twice.addresses) = (vec![], vec![]);
    for name in ["team", "ann"] {
        twice.aliases[0].localpart = name.into();
        let job = Write::Add { additions: twice.clone(), now: NOW };
        assert_eq!(fixture.write(job), Err(StoreError::AlreadyExists), "{name}");
    }
    // It cannot be logged in to.
    let login = Read::Credentials { login: "team@localhost".into() };
    assert_eq!(fixture.read(login), Err(StoreError::NoSuchAccount));

    let remove = || Write::RemoveAlias { alias: at("Team") };
    fixture.done(remove());
    assert_eq!(fixture.write(remove()), Err(StoreError::NoSuchAlias));
    fixture.done(address("team"));
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn an_alias_has_so_many_members_and_no_more() {
    let mut fixture = fixture();
    let names: Vec<_> = (0..1_000).map(|number| format!("x{number}")).collect();
    let addresses = names.iter().map(|name| NewAddress {
        localpart: name.clone(),
        domain: "localhost".into(),
        account: "ann".into(),
    });
    let additions = Additions { addresses: addresses.collect(), ..Additions::default() };
    fixture.done(Write::Add { additions, now: NOW });
    let add: Vec<_> = names.iter().map(|name| pair(name)).collect();
    let more = AliasChange { add: add[..998].to_vec(), ..AliasChange::default() };
    change(&mut fixture, more).unwrap();
    let more = AliasChange { add: add[998..999].to_vec(), ..AliasChange::default() };
    assert!(matches!(change(&mut fixture, more), Err(StoreError::Cannot(_))));
    // Many addresses of one account are one account.
    let (ann, bob) = (fixture.ann, fixture.bob);
    assert_eq!(leads_to(&mut fixture, "team"), Ok(vec![ann, bob]));
}

#[test]
fn members_go_with_their_addresses() {
    let mut fixture = fixture();
    let (ann, bob) = (fixture.ann, fixture.bob);
    fixture.done(Write::RemoveAccount { account: bob });
    assert_eq!(leads_to(&mut fixture, "team"), Ok(vec![ann]));
    let (localpart, domain) = pair("ann");
    fixture.done(Write::RemoveAddress { localpart, domain });
    assert_eq!(leads_to(&mut fixture, "team"), Ok(vec![]));
    let remove = |with_addresses| Write::RemoveDomain { name: "localhost".into(), with_addresses };
    assert_eq!(fixture.write(remove(false)), Err(StoreError::HasAddresses));
    fixture.done(remove(true));
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

fn member(account: AccountId, alias: usize) -> Recipient {
    Recipient { alias: Some(alias), ..recipient(account, Place::Inbox) }
}

/// How many messages each of ann and bob has.
fn counts(fixture: &mut Fixture) -> (u64, u64) {
    let mut of = |account| match fixture.read(Read::Account { account }) {
        Ok(Found::Accounts(found)) => found[0].messages,
        other => panic!("{other:?}"),
    };
    let (ann, bob) = (AccountId(1), AccountId(2));
    (of(ann), of(bob))
}

#[test]
fn a_member_gets_one_copy() {
    let mut fixture = fixture();
    let (ann, bob) = (fixture.ann, fixture.bob);
    let direct = || recipient(ann, Place::Inbox);
    for (recipients, expected) in [
        (vec![member(ann, 0), member(bob, 0)], (1, 1)),
        (vec![member(ann, 0), member(bob, 0), member(ann, 1), member(bob, 1)], (1, 1)),
        (vec![member(ann, 0), member(bob, 0), direct()], (1, 1)),
        // Who is written to at two addresses gets it at both.
        (vec![direct(), direct(), member(ann, 0)], (2, 0)),
    ] {
        let before = counts(&mut fixture);
        fixture.done(deliver(recipients, inline("x")));
        let after = counts(&mut fixture);
        assert_eq!((after.0 - before.0, after.1 - before.1), expected);
    }
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn members_without_room_are_passed_over_while_one_has_some() {
    let mut fixture = fixture();
    let (ann, bob) = (fixture.ann, fixture.bob);
    let quota = |account, bytes| Write::SetQuota { account, quota: Quota::Bytes(bytes) };
    fixture.done(quota(ann, 0));
    let both = || vec![member(ann, 0), member(bob, 0)];
    fixture.done(deliver(both(), inline("x")));
    assert_eq!(counts(&mut fixture), (0, 1));
    let direct = vec![recipient(ann, Place::Inbox), recipient(bob, Place::Inbox)];
    assert_eq!(fixture.write(deliver(direct, inline("x"))), Err(StoreError::OverQuota));
    // Each alias by itself: nobody of the second could take it.
    let two = vec![member(bob, 0), member(ann, 1)];
    assert_eq!(fixture.write(deliver(two, inline("x"))), Err(StoreError::OverQuota));
    fixture.done(Write::SetDisabled { account: bob, disabled: true });
    assert_eq!(fixture.write(deliver(both(), inline("x"))), Err(StoreError::OverQuota));
    let direct = vec![recipient(bob, Place::Inbox)];
    assert_eq!(fixture.write(deliver(direct, inline("x"))), Err(StoreError::Disabled));
    assert_eq!(counts(&mut fixture), (0, 1));
    let gone = vec![member(AccountId(99), 0), member(ann, 0)];
    fixture.done(Write::SetQuota { account: ann, quota: Quota::None });
    fixture.done(deliver(gone, inline("x")));
    assert_eq!(counts(&mut fixture), (1, 1));
}

#[test]
fn a_disabled_account_has_no_secrets_to_check_against() {
    let mut fixture = fixture();
    let account = fixture.ann;
    let secrets = vec![pillarbox_store::Secret::Argon2id("$x".into())];
    fixture.done(Write::SetSecrets { account, secrets: secrets.clone() });
    for (disabled, expected) in [(true, vec![]), (false, secrets)] {
        fixture.done(Write::SetDisabled { account, disabled });
        match fixture.read(Read::Credentials { login: "ann@localhost".into() }) {
            Ok(Found::Credentials(found)) => assert_eq!(found.secrets, expected),
            other => panic!("{other:?}"),
        }
    }
}

const PREFIX: u64 = b"Received: here\r\n".len() as u64;

#[test]
fn a_quota_is_kept_to_the_byte() {
    for (own, default) in [(Quota::Bytes(PREFIX + 5), Some(0)), (Quota::Default, Some(PREFIX + 5))]
    {
        let mut fixture = Fixture::with(&Options { quota: default, ..options() });
        let (ann, bob) = (fixture.ann, fixture.bob);
        fixture.done(Write::SetQuota { account: ann, quota: own });
        fixture.done(Write::SetQuota { account: bob, quota: Quota::None });
        let mut to_ann =
            |text: &str| fixture.write(deliver(vec![recipient(ann, Place::Inbox)], inline(text)));
        assert_eq!(to_ann("123456"), Err(StoreError::OverQuota));
        assert!(to_ann("12345").is_ok());
        let inbox = fixture.inbox();
        let sent = fixture.mailbox(ann, "Sent");
        let append = |text: &str| Write::Append {
            by: ann,
            mailbox: sent,
            messages: vec![message(text)],
            replaces: None,
            now: NOW,
        };
        assert_eq!(fixture.write(append("1")), Err(StoreError::OverQuota));
        fixture.done(append(""));
        let uids = || vec![UidRange::ALL];
        let copy = Write::Copy { by: ann, from: inbox, uids: uids(), to: sent, now: NOW };
        assert_eq!(fixture.write(copy.clone()), Err(StoreError::OverQuota));
        let nothing = Write::Copy { by: ann, from: inbox, uids: vec![], to: sent, now: NOW };
        fixture.done(nothing);
        // Moved, it is as much as before.
        fixture.done(Write::Move { by: ann, from: inbox, uids: uids(), to: sent, now: NOW });
        fixture.done(Write::SetQuota { account: ann, quota: Quota::Bytes(0) });
        fixture.done(Write::Move { by: ann, from: sent, uids: uids(), to: inbox, now: NOW });
        fixture.done(Write::SetQuota { account: ann, quota: Quota::Bytes(2 * (PREFIX + 5)) });
        fixture.done(copy);
        fixture.done(deliver(vec![recipient(bob, Place::Inbox)], inline("any number")));
        let (_, found) = fixture.verified();
        assert_eq!(found, [""; 0]);
    }
}

#[test]
fn two_addresses_of_one_account_count_together() {
    let mut fixture = fixture();
    let ann = fixture.ann;
    let both = || vec![recipient(ann, Place::Inbox), recipient(ann, Place::Inbox)];
    let quota = |bytes| Write::SetQuota { account: ann, quota: Quota::Bytes(bytes) };
    fixture.done(quota(2 * (PREFIX + 1) - 1));
    assert_eq!(fixture.write(deliver(both(), inline("1"))), Err(StoreError::OverQuota));
    fixture.done(quota(2 * (PREFIX + 1)));
    fixture.done(deliver(both(), inline("1")));
    let found = fixture.read(resolve("ann", "localhost"));
    let full = Holder { account: ann, disabled: false, room: Some(0) };
    assert_eq!(found, Ok(Found::Addressee(Addressee::Account(full), None)));
}

/// One delivery: recipients as (account, alias), and the body's length.
type Letter = (Vec<(usize, Option<usize>)>, usize);

fn letter() -> impl Strategy<Value = Letter> {
    (vec((0..2_usize, prop::option::of(0..2_usize)), 1..6), 0..60_usize)
}

/// Who gets a letter, said as plainly as can be.
fn expected(left: &BTreeMap<usize, u64>, (to, len): &Letter) -> Option<BTreeMap<usize, u64>> {
    let size = PREFIX + *len as u64;
    let mut left = left.clone();
    let mut have = Vec::new();
    for (account, _) in to.iter().filter(|(_, alias)| alias.is_none()) {
        let room = left.get_mut(account)?;
        *room = room.checked_sub(size)?;
        have.push(*account);
    }
    for (account, _) in to.iter().filter(|(_, alias)| alias.is_some()) {
        let room = left.get_mut(account)?;
        if !have.contains(account) && *room >= size {
            *room -= size;
            have.push(*account);
        }
    }
    let reached =
        |alias| to.iter().any(|(account, of)| *of == Some(alias) && have.contains(account));
    to.iter().filter_map(|(_, alias)| *alias).all(reached).then_some(left)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn letters_go_where_the_model_says(letters in vec(letter(), 1..12)) {
        let mut fixture = fixture();
        let accounts = [fixture.ann, fixture.bob];
        let mut left = BTreeMap::from([(0, 200), (1, 300)]);
        for (number, account) in accounts.into_iter().enumerate() {
            fixture.done(Write::SetQuota { account, quota: Quota::Bytes(left[&number]) });
        }
        for letter in letters {
            let recipients = letter.0.iter().map(|(number, alias)| Recipient {
                alias: *alias,
                ..recipient(accounts[*number], Place::Inbox)
            });
            let job = deliver(recipients.collect(), inline(&"x".repeat(letter.1)));
            let done = fixture.write(job);
            match expected(&left, &letter) {
                Some(then) => {
                    prop_assert!(done.is_ok(), "{:?}: {:?}", letter, done);
                    left = then;
                }
                None => prop_assert_eq!(done, Err(StoreError::OverQuota)),
            }
            for (number, name) in ["ann", "bob"].into_iter().enumerate() {
                let holder = Holder {
                    account: accounts[number],
                    disabled: false,
                    room: Some(left[&number]),
                };
                let found = fixture.read(resolve(name, "localhost"));
                prop_assert_eq!(found, Ok(Found::Addressee(Addressee::Account(holder), None)));
            }
        }
        let (fixture, found) = fixture.verified();
        prop_assert_eq!(found, Vec::<String>::new());
        drop(fixture);
    }
}
