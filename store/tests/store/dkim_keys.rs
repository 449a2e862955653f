//! The keys by which domains sign.

use pillarbox_core::UnixSeconds;
use pillarbox_store::{DkimChange, DkimKey, Found, Read, StoreError, Write};

use crate::fixture::Fixture;

fn key(selector: &str, signs: bool) -> DkimKey {
    let domain = "xn--bcher-kva.example".to_owned();
    DkimKey { domain, selector: selector.into(), pkcs8: vec![1, 2], since: UnixSeconds(7), signs }
}

fn change(selector: &str, change: DkimChange) -> Write {
    Write::ChangeDkimKey { domain: "B\u{fc}cher.example".into(), selector: selector.into(), change }
}

fn keys(fixture: &mut Fixture, domain: &str) -> Vec<DkimKey> {
    match fixture.reader.read(Read::DkimKeys { domain: domain.into() }) {
        Ok(Found::DkimKeys(found)) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_come_sign_and_go() {
    let mut fixture = Fixture::new();
    let domain = "b\u{fc}cher.example";
    let unknown = fixture.write(change("a", DkimChange::Add(key("a", false))));
    assert_eq!(unknown, Err(StoreError::NotOurDomain));
    fixture.write(Write::CreateDomain { name: domain.into() }).unwrap();
    for (selector, signs) in [("b", false), ("a", true)] {
        fixture.done(change(selector, DkimChange::Add(key(selector, signs))));
    }
    let again = fixture.write(change("a", DkimChange::Add(key("a", false))));
    assert_eq!(again, Err(StoreError::AlreadyExists));
    assert_eq!(keys(&mut fixture, domain), [key("a", true), key("b", false)]);
    assert_eq!(keys(&mut fixture, "other.example"), []);
    fixture.done(change("b", DkimChange::Sign(true)));
    fixture.done(change("a", DkimChange::Remove));
    assert_eq!(keys(&mut fixture, domain), [key("b", true)]);
    for missing in [DkimChange::Remove, DkimChange::Sign(true)] {
        assert_eq!(fixture.write(change("a", missing)), Err(StoreError::NoSuchKey));
    }
    assert_eq!(format!("{:?}", key("a", true)), "DkimKey(a of xn--bcher-kva.example, signs: true)");
    // The domain takes its keys with it.
    fixture.done(Write::RemoveDomain { name: domain.into(), with_addresses: false });
    assert_eq!(keys(&mut fixture, domain), []);
}
