//! Keys with which people log in without a password.

use pillarbox_core::UnixSeconds;
use pillarbox_store::{
    AccountId, AccountKey, Additions, Found, KeyHolder, NewKey, Read, StoreError, Write, Written,
};

use crate::fixture::{Fixture, NOW};

fn add(fixture: &mut Fixture, account: AccountId, byte: u8) -> Result<Written, StoreError> {
    let key = NewKey { fingerprint: [byte; 32], label: format!("key {byte}") };
    fixture.write(Write::AddKey { account, key, now: NOW })
}

fn remove(fixture: &mut Fixture, account: AccountId, byte: u8) -> Result<Written, StoreError> {
    fixture.write(Write::RemoveKey { account, fingerprint: [byte; 32] })
}

fn keys(fixture: &mut Fixture, account: AccountId) -> Vec<AccountKey> {
    match fixture.read(Read::Account { account }) {
        Ok(Found::Accounts(found)) => found[0].keys.clone(),
        other => panic!("{other:?}"),
    }
}

fn holder(fixture: &mut Fixture, byte: u8) -> Option<KeyHolder> {
    match fixture.read(Read::KeyHolder { fingerprint: [byte; 32] }) {
        Ok(Found::KeyHolder(found)) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_opens_one_account_until_it_is_removed() {
    let mut fixture = Fixture::new();
    let (ann, bob) = (fixture.ann, fixture.bob);
    assert_eq!(holder(&mut fixture, 1), None);
    assert_eq!(add(&mut fixture, ann, 1), Ok(Written::Done));
    assert_eq!(add(&mut fixture, ann, 2), Ok(Written::Done));
    for account in [ann, bob] {
        assert_eq!(add(&mut fixture, account, 1), Err(StoreError::AlreadyExists));
    }
    let known = KeyHolder { account: ann, name: "ann".into(), disabled: false };
    assert_eq!(holder(&mut fixture, 1), Some(known.clone()));
    let key = |byte: u8| AccountKey {
        fingerprint: [byte; 32],
        label: format!("key {byte}"),
        since: UnixSeconds(NOW.0),
    };
    assert_eq!(keys(&mut fixture, ann), [key(1), key(2)]);
    fixture.done(Write::SetDisabled { account: ann, disabled: true });
    assert_eq!(holder(&mut fixture, 1), Some(KeyHolder { disabled: true, ..known }));
    assert_eq!(remove(&mut fixture, bob, 1), Err(StoreError::NoSuchKey));
    assert_eq!(remove(&mut fixture, ann, 1), Ok(Written::Done));
    assert_eq!(remove(&mut fixture, ann, 1), Err(StoreError::NoSuchKey));
    assert_eq!((holder(&mut fixture, 1), keys(&mut fixture, ann)), (None, vec![key(2)]));
}

#[test]
fn keys_go_with_their_account() {
    let mut fixture = Fixture::new();
    let (ann, bob) = (fixture.ann, fixture.bob);
    assert_eq!(add(&mut fixture, ann, 1), Ok(Written::Done));
    fixture.done(Write::RemoveAccount { account: ann });
    assert_eq!(holder(&mut fixture, 1), None);
    assert_eq!(add(&mut fixture, ann, 2), Err(StoreError::NoSuchAccount));
    assert_eq!(add(&mut fixture, bob, 1), Ok(Written::Done));
}

#[test]
fn keys_have_limits_and_come_with_others() {
    let mut fixture = Fixture::new();
    let (ann, bob) = (fixture.ann, fixture.bob);
    for byte in 0..100 {
        assert_eq!(add(&mut fixture, ann, byte), Ok(Written::Done));
    }
    assert!(matches!(add(&mut fixture, ann, 100), Err(StoreError::Cannot(_))));
    for (length, good) in [(100, true), (101, false)] {
        let key = NewKey { fingerprint: [200; 32], label: "x".repeat(length) };
        let keys = vec![("Bob".to_owned(), key)];
        let additions = Additions { keys, ..Additions::default() };
        assert_eq!(fixture.write(Write::Add { additions, now: NOW }).is_ok(), good, "{length}");
    }
    assert_eq!(keys(&mut fixture, bob).len(), 1);
}
