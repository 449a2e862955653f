//! Logins and attempts at them.

use pillarbox_core::UnixSeconds;
use pillarbox_store::{AccountId, Attempt, Found, Read, Write};

use crate::fixture::{Fixture, NOW};

fn attempt(account: AccountId, network: &str, result: &str, last: i64) -> Attempt {
    Attempt {
        account,
        network: network.into(),
        protocol: "imap".into(),
        mechanism: "PLAIN".into(),
        tls: true,
        result: result.into(),
        count: 1,
        last: UnixSeconds(last),
        login: "ann".into(),
        peer: "192.0.2.7".into(),
        cid: "c1".into(),
    }
}

fn note(fixture: &mut Fixture, attempts: Vec<Attempt>, now: i64) {
    fixture.done(Write::Note { attempts, dmarc: Vec::new(), now: UnixSeconds(now) });
}

fn logins(fixture: &mut Fixture, account: AccountId, skip: usize) -> Vec<Attempt> {
    match fixture.reader.read(Read::Logins { account, skip, count_max: 1_000 }) {
        Ok(Found::Logins(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn knows(fixture: &mut Fixture, network: &str) -> bool {
    let question = Read::KnowsNetwork { account: fixture.ann, network: network.into() };
    match fixture.reader.read(question) {
        Ok(Found::KnowsNetwork(known)) => known,
        other => panic!("{other:?}"),
    }
}

#[test]
fn alike_ones_of_an_hour_are_one_row_and_the_newest_is_first() {
    let mut fixture = Fixture::new();
    let (ann, hour) = (fixture.ann, NOW.0 - NOW.0.rem_euclid(3_600));
    let later = Attempt { peer: "192.0.2.8".into(), ..attempt(ann, "net", "wrong", hour + 9) };
    note(&mut fixture, vec![attempt(ann, "net", "wrong", hour), later.clone()], hour + 9);
    note(&mut fixture, vec![attempt(ann, "net", "ok", hour + 5)], hour + 10);
    note(&mut fixture, vec![attempt(ann, "net", "wrong", hour + 3_600)], hour + 3_600);
    let found = logins(&mut fixture, ann, 0);
    let expected = [
        attempt(ann, "net", "wrong", hour + 3_600),
        Attempt { count: 2, ..later },
        attempt(ann, "net", "ok", hour + 5),
    ];
    assert_eq!(found, expected);
    assert_eq!(logins(&mut fixture, ann, 2), expected[2..]);
    assert!(knows(&mut fixture, "net") && !knows(&mut fixture, "other"));
}

#[test]
fn they_are_kept_for_30_days() {
    let mut fixture = Fixture::new();
    let ann = fixture.ann;
    note(&mut fixture, vec![attempt(ann, "net", "ok", NOW.0)], NOW.0);
    let days = 30 * 24 * 3_600;
    note(&mut fixture, Vec::new(), NOW.0 + days);
    assert!(knows(&mut fixture, "net"));
    note(&mut fixture, Vec::new(), NOW.0 + days + 1);
    assert!(!knows(&mut fixture, "net"));
    assert_eq!(logins(&mut fixture, ann, 0), []);
}

#[test]
fn strangers_make_no_more_than_200_rows_an_hour() {
    let mut fixture = Fixture::new();
    let (ann, hour) = (fixture.ann, NOW.0 - NOW.0.rem_euclid(3_600));
    let many = (0..300).map(|number| attempt(ann, &format!("net {number}"), "wrong", hour));
    note(&mut fixture, many.collect(), hour);
    note(&mut fixture, vec![attempt(ann, "home", "ok", hour)], hour);
    let found = logins(&mut fixture, ann, 0);
    assert_eq!(found.len(), 202);
    let rest = found.iter().find(|row| row.network == "*").unwrap();
    assert_eq!(rest.count, 100);
    assert!(knows(&mut fixture, "home"), "a success has always room");
}

#[test]
fn they_go_with_their_account() {
    let mut fixture = Fixture::new();
    let ann = fixture.ann;
    note(&mut fixture, vec![attempt(ann, "net", "ok", NOW.0)], NOW.0);
    fixture.done(Write::RemoveAccount { account: ann });
    assert_eq!(logins(&mut fixture, ann, 0), []);
    // One that was under way meanwhile.
    note(&mut fixture, vec![attempt(ann, "net", "ok", NOW.0)], NOW.0);
    assert_eq!(logins(&mut fixture, ann, 0), []);
}
