//! Names in other letters than ASCII: each spelling leads to the same.

use pillarbox_core::international::fold;
use pillarbox_store::{
    Additions, Address, Addressee, AliasSettings, Found, NewAddress, NewAlias, Read, Routing,
    StoreError, Write,
};

use crate::aliases::resolve;
use crate::fixture::{Fixture, NOW};

const DOMAINS: [&str; 4] = [
    "b\u{fc}cher.example",
    "xn--bcher-kva.example",
    "XN--Bcher-KVA.Example",
    "BU\u{308}CHER.example",
];

/// jörg@bücher.example is ann's, and a member of öl@bücher.example; bob has his name at two more.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    let address = |localpart: &str, domain: &str, account: &str| NewAddress {
        localpart: localpart.into(),
        domain: domain.into(),
        account: account.into(),
    };
    let additions = Additions {
        domains: vec![DOMAINS[0].into(), "xn--mnchen-3ya.example".into(), "xn--a".into()],
        addresses: vec![
            address("Jo\u{308}rg", DOMAINS[1], "ann"),
            address("bob", DOMAINS[0], "bob"),
            address("bob", "M\u{dc}NCHEN.example", "bob"),
            address("bob", "XN--A", "bob"),
        ],
        aliases: vec![NewAlias {
            localpart: "\u{d6}l".into(),
            domain: DOMAINS[0].into(),
            settings: AliasSettings::default(),
            members: vec![("J\u{d6}RG".into(), DOMAINS[1].into())],
        }],
        ..Additions::default()
    };
    fixture.done(Write::Add { additions, now: NOW });
    fixture
}

#[test]
fn every_spelling_leads_to_the_same() {
    let mut fixture = fixture();
    let ann = fixture.ann;
    for domain in DOMAINS {
        let again = Write::CreateDomain { name: domain.into() };
        assert_eq!(fixture.write(again), Err(StoreError::AlreadyExists), "{domain}");
        for localpart in ["j\u{f6}rg", "jo\u{308}rg", "J\u{d6}RG", "JO\u{308}RG", "J\u{d6}rg+x-y"] {
            let Ok(Found::Addressee(Addressee::Account(holder), _)) =
                fixture.read(resolve(localpart, domain))
            else {
                panic!("{localpart}@{domain}")
            };
            assert_eq!(holder.account, ann);
            let addresses = vec![(localpart.into(), domain.into())];
            let separators = "+-".to_owned();
            let foreign = Read::Foreign { account: ann, addresses, separators };
            assert_eq!(fixture.read(foreign), Ok(Found::Foreign(Vec::new())));
        }
        let ours = Read::IsOurs { domain: domain.into() };
        assert_eq!(fixture.read(ours), Ok(Found::Ours(true)), "{domain}");
        let alias = fixture.read(resolve("\u{f6}L", domain));
        assert!(matches!(alias, Ok(Found::Addressee(Addressee::Alias(..), _))), "{domain}");
        let login = format!("J\u{d6}RG@{domain}");
        let found = fixture.read(Read::Credentials { login });
        assert!(matches!(found, Ok(Found::Credentials(found)) if found.account == ann));
    }
    for (localpart, domain) in [("BOB", "m\u{fc}nchen.example"), ("bob", "xn--a")] {
        assert!(fixture.read(resolve(localpart, domain)).is_ok(), "{domain}");
    }
    for (domain, expected) in [
        ("xn--b\u{fc}.example", StoreError::NotOurDomain),
        ("xn--bcher-kv.example", StoreError::NotOurDomain),
        ("bucher.example", StoreError::NotOurDomain),
        (DOMAINS[0], StoreError::NoSuchAddress),
    ] {
        let ours = Read::IsOurs { domain: domain.into() };
        let expected_ours = expected == StoreError::NoSuchAddress;
        assert_eq!(fixture.read(ours), Ok(Found::Ours(expected_ours)), "{domain}");
        assert_eq!(fixture.read(resolve("jorg", domain)), Err(expected), "{domain}");
    }
}

#[test]
fn a_separator_that_is_part_of_another_character_is_none() {
    let mut fixture = fixture();
    assert_eq!(fold("=\u{338}"), "\u{2260}");
    for (localpart, known) in [("bob", true), ("bob=x", true), ("bob=\u{338}", false)] {
        let to = Address { localpart: localpart.into(), domain: DOMAINS[0].into() };
        let routing = Routing { separators: "=".into(), ..Routing::default() };
        let found = fixture.read(Read::Resolve { to, from: None, routing });
        assert_eq!(found.is_ok(), known, "{localpart}");
    }
}

#[test]
fn the_server_itself_is_known_in_both_forms() {
    let mut fixture = fixture();
    let routing = Routing { hostname: "xn--bro-hoa.example".into(), ..Routing::default() };
    let to = Address { localpart: "Postmaster".into(), domain: "b\u{fc}ro.example".into() };
    let found = fixture.read(Read::Resolve { to, from: None, routing });
    assert!(matches!(found, Ok(Found::Addressee(Addressee::Account(_), _))), "{found:?}");
}
