//! What was found of messages, for reports by DMARC.

use pillarbox_core::UnixSeconds;
use pillarbox_store::{DmarcSeen, Found, Read, Write};

use crate::fixture::Fixture;

const DAY: i64 = 86_400;

fn seen(day: i64, domain: &str, facts: &str, count: u64) -> DmarcSeen {
    let day = UnixSeconds(day * DAY);
    DmarcSeen { day, domain: domain.into(), facts: facts.into(), count }
}

fn note(fixture: &mut Fixture, dmarc: Vec<DmarcSeen>, today: i64) {
    fixture.done(Write::Note { attempts: Vec::new(), dmarc, now: UnixSeconds(today * DAY + 7) });
}

fn list(fixture: &mut Fixture, day: i64, skip: usize, count_max: usize) -> Vec<DmarcSeen> {
    let day = UnixSeconds(day * DAY);
    let found = fixture.reader.read(Read::DmarcSeen { day, skip, count_max }).unwrap();
    let Found::DmarcSeen(found) = found else { unreachable!("{found:?}") };
    found
}

#[test]
fn alike_ones_of_a_day_are_one_row() {
    let mut fixture = Fixture::new();
    note(&mut fixture, vec![seen(20_000, "b.example", "x", 1)], 20_000);
    let more = vec![
        seen(20_000, "b.example", "x", 2),
        seen(20_000, "a.example", "x", 1),
        seen(20_000, "b.example", "y", 1),
        seen(20_001, "b.example", "x", 1),
    ];
    note(&mut fixture, more, 20_001);
    let all = [
        seen(20_000, "a.example", "x", 1),
        seen(20_000, "b.example", "x", 3),
        seen(20_000, "b.example", "y", 1),
    ];
    assert_eq!(list(&mut fixture, 20_000, 0, 10), all);
    assert_eq!(list(&mut fixture, 20_000, 1, 1), all[1..2]);
    note(&mut fixture, Vec::new(), 20_014);
    assert_eq!(list(&mut fixture, 20_000, 0, 10).len(), 3);
    note(&mut fixture, Vec::new(), 20_015);
    assert_eq!(list(&mut fixture, 20_000, 0, 10), []);
    assert_eq!(list(&mut fixture, 20_001, 0, 10).len(), 1);
}

#[test]
fn a_day_has_a_limit_but_what_is_known_goes_on_counting() {
    let mut fixture = Fixture::new();
    let many = (0..10_000).map(|number| seen(20_000, "a.example", &number.to_string(), 1));
    let mut many: Vec<_> = many.collect();
    many.extend([seen(20_000, "a.example", "too much", 1), seen(20_000, "a.example", "9", 1)]);
    note(&mut fixture, many, 20_000);
    let found = list(&mut fixture, 20_000, 0, 20_000);
    assert_eq!(found.len(), 10_000);
    assert_eq!(found.iter().map(|seen| seen.count).sum::<u64>(), 10_001);
}
