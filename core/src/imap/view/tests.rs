use proptest::prelude::*;

use super::*;

fn stretch(sequence: u32, uid: u32, count: u32) -> Stretch {
    Stretch { sequence, uid, count }
}

fn set(uid: bool, ranges: &[(u32, u32)]) -> MessageSet {
    let end = |number: u32| (number != 0).then_some(number);
    let ranges = ranges.iter().map(|(from, to)| SetRange(end(*from), end(*to))).collect();
    MessageSet { uid, numbers: Numbers::Ranges(ranges) }
}

#[test]
fn what_is_saved_shrinks_with_the_mailbox() {
    let mut view = View::new([2, 3, 5, 9], 1);
    for uid in [false, true] {
        let saved = MessageSet { uid, numbers: Numbers::Saved };
        assert_eq!(view.resolve(&saved), Ok(Vec::new()));
    }
    let saved = MessageSet { uid: false, numbers: Numbers::Saved };
    view.save(&[2, 3, 9]);
    assert_eq!(view.resolve(&saved), Ok(vec![stretch(1, 2, 2), stretch(4, 9, 1)]));
    view.note(&Changes { vanished: vec![(2, 2), (5, 5)], new: vec![10], ..Changes::default() });
    // Gone, but the client does not know.
    assert_eq!(view.resolve(&saved), Ok(vec![stretch(1, 2, 2), stretch(4, 9, 1)]));
    tell(&mut view, Expunges::Tell);
    assert_eq!(view.resolve(&saved), Ok(vec![stretch(1, 3, 1), stretch(2, 9, 1)]));
    view.save(&[]);
    assert_eq!(view.resolve(&saved), Ok(Vec::new()));
}

fn tell(view: &mut View, expunges: Expunges) -> String {
    let mut out = Vec::new();
    let more = view.tell(expunges, Enabled::default(), &Keywords::default(), &mut out, |_| true);
    assert!(!more);
    String::from_utf8(out).unwrap()
}

#[test]
fn recent_messages_are_counted_and_told_with_the_size() {
    let mut view = View::new([1, 2, 5, 9], 1).with_recent_above(4);
    assert_eq!(view.recent_count(), 2);
    assert!(view.is_recent(5) && view.is_recent(9) && !view.is_recent(2));
    // Somebody else has claimed 10; 12 came and is not there any more.
    view.mark_recent(10, 12);
    view.note(&Changes {
        new: vec![10, 11],
        flags: vec![(11, FlagBits(1), 2), (10, FlagBits(1), 2)],
        modseq: 2,
        ..Changes::default()
    });
    assert_eq!(
        tell(&mut view, Expunges::Hold),
        "* 6 EXISTS\r\n* 3 RECENT\r\n* 6 FETCH (UID 11 FLAGS (\\Recent \\Seen))\r\n\
         * 5 FETCH (UID 10 FLAGS (\\Seen))\r\n"
    );
    view.note(&Changes { vanished: vec![(5, 5)], modseq: 3, ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Hold), "");
    assert_eq!(tell(&mut view, Expunges::Tell), "* 3 EXPUNGE\r\n* 2 RECENT\r\n");
    view.note(&Changes { vanished: vec![(1, 2)], modseq: 4, ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Tell), "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n");
    // The number that stays the same is told with new messages none the less.
    view.note(&Changes { new: vec![13], modseq: 5, ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Tell), "* 4 EXISTS\r\n* 2 RECENT\r\n");
}

#[test]
fn the_edges_of_what_is_recent() {
    assert_eq!(View::new([], 1).with_recent_above(0).recent_count(), 0);
    assert_eq!(View::new([1, u32::MAX], 1).with_recent_above(0).recent_count(), 2);
    let view = View::new([1, u32::MAX], 1).with_recent_above(u32::MAX);
    assert_eq!((view.recent_count(), view.is_recent(u32::MAX)), (0, false));
    let mut view = View::new(1..5, 1).with_recent_above(4);
    view.mark_recent(9, 3);
    assert!(view.recent.is_empty());
}

#[test]
fn a_mailbox_without_gaps_is_one_run() {
    let view = View::new(7..5_007, 1);
    assert_eq!(view.shown.runs, [(7, 1)]);
    assert_eq!(view.count(), 5_000);
    assert_eq!(view.last_uid(), 5_006);
    assert_eq!(view.uid_at(5_000), Some(5_006));
    assert_eq!(view.uid_at(5_001), None);
    assert_eq!(view.uid_at(0), None);
    assert_eq!(view.sequence_of(6), None);
    assert_eq!(view.sequence_of(7), Some(1));
    assert_eq!(view.sequence_of(5_007), None);
}

#[test]
fn sets_are_resolved_as_the_rfc_says() {
    // RFC 3501 §9: 2,4:7,9,12:* of 15 is 2,4,5,6,7,9,12,13,14,15.
    let view = View::new(101..116, 1);
    let found = view.resolve(&set(false, &[(2, 2), (4, 7), (9, 9), (12, 0)])).unwrap();
    let numbers: Vec<_> =
        found.iter().flat_map(|found| found.sequence..found.sequence + found.count).collect();
    assert_eq!(numbers, [2, 4, 5, 6, 7, 9, 12, 13, 14, 15]);
    let view = View::new([2, 3, 10, 11], 1);
    for (uid, ranges, found) in [
        (false, &[(1, 0)][..], Ok(vec![stretch(1, 2, 2), stretch(3, 10, 2)])),
        (false, &[(0, 0)], Ok(vec![stretch(4, 11, 1)])),
        (false, &[(3, 2), (2, 2)], Ok(vec![stretch(2, 3, 1), stretch(3, 10, 1)])),
        (false, &[(5, 5)], Err(NoSuchMessage)),
        (false, &[(5, 0)], Err(NoSuchMessage)),
        (true, &[(4, 9)], Ok(vec![])),
        (true, &[(3, 10)], Ok(vec![stretch(2, 3, 1), stretch(3, 10, 1)])),
        // RFC 3501 §6.4.8: 559:* always includes the last message.
        (true, &[(559, 0)], Ok(vec![stretch(4, 11, 1)])),
    ] {
        assert_eq!(view.resolve(&set(uid, ranges)), found, "{ranges:?}");
    }
    let empty = View::new([], 1);
    assert_eq!(empty.resolve(&set(false, &[(0, 0)])), Err(NoSuchMessage));
    assert_eq!(empty.resolve(&set(false, &[(1, 0)])), Err(NoSuchMessage));
    assert_eq!(empty.resolve(&set(true, &[(1, 0)])), Ok(vec![]));
}

#[test]
fn expunge_numbers_shift_one_by_one() {
    // RFC 3501 §6.4.3: 3, 4, 7 and 11 are told as 3, 3, 5, 8.
    let mut view = View::new(1..12, 1);
    view.note(&Changes {
        vanished: vec![(11, 11), (3, 4), (7, 7), (50, 60)],
        modseq: 5,
        ..Changes::default()
    });
    assert_eq!(view.count(), 11);
    assert!(view.has_vanished(4));
    assert!(!view.has_vanished(5));
    assert_eq!(tell(&mut view, Expunges::Hold), "");
    assert_eq!(
        tell(&mut view, Expunges::Tell),
        "* 3 EXPUNGE\r\n* 3 EXPUNGE\r\n* 5 EXPUNGE\r\n* 8 EXPUNGE\r\n"
    );
    assert_eq!(view.count(), 7);
    assert_eq!(view.modseq(), 5);
}

#[test]
fn numbers_stay_while_expunge_is_held_back() {
    let mut view = View::new([1, 2, 3], 1);
    view.note(&Changes {
        new: vec![4, 6],
        flags: vec![(3, FlagBits(1), 2), (9, FlagBits(1), 2), (6, FlagBits(0), 2)],
        vanished: vec![(2, 2), (4, 4)],
        modseq: 2,
    });
    assert_eq!(
        tell(&mut view, Expunges::Hold),
        "* 4 EXISTS\r\n* 0 RECENT\r\n* 3 FETCH (UID 3 FLAGS (\\Seen))\r\n* 4 FETCH (UID 6 FLAGS ())\r\n"
    );
    assert_eq!(view.sequence_of(3), Some(3));
    assert_eq!(tell(&mut view, Expunges::Tell), "* 2 EXPUNGE\r\n");
    assert_eq!(view.sequence_of(3), Some(2));
    assert_eq!(view.sequence_of(6), Some(3));
}

#[test]
fn a_message_that_was_never_told_is_not_expunged_aloud() {
    let mut view = View::new([1], 1);
    view.note(&Changes { new: vec![2, 3], ..Changes::default() });
    view.note(&Changes { vanished: vec![(2, 2)], ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Tell), "* 2 EXISTS\r\n* 0 RECENT\r\n");
    assert_eq!(view.uid_at(2), Some(3));
}

#[test]
fn telling_stops_when_there_is_no_room_and_goes_on() {
    let mut view = View::new(1..=5_000, 1);
    view.note(&Changes { vanished: vec![(1, 4_999)], ..Changes::default() });
    let mut all = Vec::new();
    let mut calls = 0;
    loop {
        calls += 1;
        let mut out = Vec::new();
        let (none, room) = (Enabled::default(), |out: &Vec<u8>| out.len() < 99);
        let more = view.tell(Expunges::Tell, none, &Keywords::default(), &mut out, room);
        assert!(out.len() < 99 + 1_024 * 15);
        all.extend(out);
        if !more {
            break;
        }
    }
    assert_eq!(calls, 5);
    assert_eq!(all, "* 1 EXPUNGE\r\n".repeat(4_999).into_bytes());
    assert_eq!(view, View { told: 1, modseq: 1, ..View::new([5_000], 1) });
}

#[test]
fn the_last_uid_of_all_can_be_removed() {
    let mut view = View::new([u32::MAX - 1, u32::MAX], 1);
    view.note(&Changes { vanished: vec![(u32::MAX, u32::MAX)], ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Tell), "* 2 EXPUNGE\r\n");
    assert_eq!(view.last_uid(), u32::MAX - 1);
    view.note(&Changes { vanished: vec![(0, u32::MAX)], ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Tell), "* 1 EXPUNGE\r\n");
    assert_eq!(view.last_uid(), 0);
}

/// A client that knows only what it is told, with the UIDs that it would learn by asking.
#[derive(Default)]
struct Client {
    uids: Vec<u32>,
    recent: usize,
}

impl Client {
    fn hear(&mut self, text: &str, view: &View) {
        for line in text.lines() {
            let mut words = line.split(' ').skip(1);
            let number: usize = words.next().unwrap().parse().unwrap();
            match words.next().unwrap() {
                "EXPUNGE" => {
                    self.uids.remove(number - 1);
                }
                "EXISTS" => {
                    assert!(number > self.uids.len(), "EXISTS never tells of fewer");
                    for sequence in self.uids.len() + 1..=number {
                        self.uids.push(view.uid_at(u32::try_from(sequence).unwrap()).unwrap());
                    }
                }
                "RECENT" => self.recent = number,
                "FETCH" => {
                    let uid: u32 = line
                        .split("UID ")
                        .nth(1)
                        .unwrap()
                        .split(' ')
                        .next()
                        .unwrap()
                        .parse()
                        .unwrap();
                    assert_eq!(self.uids[number - 1], uid);
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Arrive(u32),
    Vanish(u32, u32),
    Flags(u32),
    Note,
    Tell(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1_u32..4).prop_map(Step::Arrive),
        (0_u32..40, 0_u32..4).prop_map(|(from, more)| Step::Vanish(from, from + more)),
        (1_u32..40).prop_map(Step::Flags),
        Just(Step::Note),
        any::<bool>().prop_map(Step::Tell),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn a_part_of_the_messages_is_what_a_list_would_give(
        uids in proptest::collection::btree_set(1_u32..60, 0..30),
        from_end in any::<bool>(),
        ends in (1_u32..40, 1_u32..40),
    ) {
        let range = PartialRange { from_end, ends };
        let uids: Vec<u32> = uids.into_iter().collect();
        let view = View::new(uids.iter().copied(), 1);
        let all: Vec<Stretch> = view.stretches().collect();
        let part = part_of(&all, range);
        let told = part.iter().flat_map(|s| s.uid..s.uid + s.count);
        prop_assert!(told.eq(uids[range.of(uids.len())].iter().copied()));
        for stretch in &part {
            prop_assert_eq!(view.sequence_of(stretch.uid), Some(stretch.sequence));
        }
    }

    /// Whatever happens in whatever order: who applies the responses has the same list.
    #[test]
    fn a_client_that_listens_knows_the_mailbox(steps in steps(), gaps in any::<bool>()) {
        let first: Vec<u32> = if gaps { vec![1, 3, 4, 9] } else { vec![1, 2, 3] };
        let mut view = View::new(first.iter().copied(), 0);
        let mut client = Client { uids: first.clone(), recent: 0 };
        let (mut truth, mut next, mut changes) = (first, 10, Changes::default());
        for step in steps.into_iter().chain([Step::Note, Step::Tell(true)]) {
            match step {
                Step::Arrive(gap) => {
                    next += gap;
                    truth.push(next);
                    changes.new.push(next);
                }
                Step::Vanish(from, to) => {
                    truth.retain(|uid| !(from..=to).contains(uid));
                    // Only what has arrived can go.
                    changes.vanished.push((from, to.min(next)));
                    if from > to.min(next) {
                        changes.vanished.pop();
                    }
                }
                Step::Flags(uid) => changes.flags.push((uid, FlagBits(1), 1)),
                Step::Note => {
                    // The others were claimed by somebody else.
                    for uid in changes.new.iter().filter(|uid| **uid % 2 == 1) {
                        view.mark_recent(uid - 1, *uid);
                    }
                    view.note(&std::mem::take(&mut changes));
                }
                Step::Tell(expunges) => {
                    let held = view.count();
                    let when = if expunges { Expunges::Tell } else { Expunges::Hold };
                    let text = tell(&mut view, when);
                    if !expunges {
                        prop_assert!(!text.contains("EXPUNGE"));
                        prop_assert_eq!(view.count(), held);
                    }
                    client.hear(&text, &view);
                    let shown: Vec<u32> = (1..=view.count()).map(|n| view.uid_at(n).unwrap()).collect();
                    prop_assert_eq!(&client.uids, &shown);
                    for (index, uid) in shown.iter().enumerate() {
                        prop_assert_eq!(view.sequence_of(*uid), u32::try_from(index + 1).ok());
                    }
                }
            }
        }
        let recent = truth.iter().filter(|uid| **uid > 10 && **uid % 2 == 1).count();
        prop_assert_eq!(client.recent, recent);
        prop_assert_eq!(client.uids, truth);
    }

    #[test]
    fn sets_are_resolved_as_a_plain_list_would_be(
        uids in proptest::collection::btree_set(1_u32..60, 0..30),
        ranges in proptest::collection::vec((0_u32..70, 0_u32..70), 1..6),
        by_uid in any::<bool>(),
    ) {
        let uids: Vec<u32> = uids.into_iter().collect();
        let view = View::new(uids.iter().copied(), 0);
        let last = if by_uid { view.last_uid() } else { view.count() };
        let wanted = |number: u32| ranges.iter().any(|(one, other)| {
            let (one, other) = (if *one == 0 { last } else { *one }, if *other == 0 { last } else { *other });
            (one.min(other)..=one.max(other)).contains(&number)
        });
        let plain: Vec<(u32, u32)> = uids.iter().enumerate()
            .map(|(index, uid)| (u32::try_from(index + 1).unwrap(), *uid))
            .filter(|(number, uid)| wanted(if by_uid { *uid } else { *number }))
            .collect();
        match view.resolve(&set(by_uid, &ranges)) {
            Ok(found) => {
                let found: Vec<_> = found.iter()
                    .flat_map(|found| (0..found.count).map(|n| (found.sequence + n, found.uid + n)))
                    .collect();
                prop_assert_eq!(found, plain);
            }
            Err(NoSuchMessage) => prop_assert!(!by_uid && (
                view.count() == 0 || ranges.iter().any(|(one, other)| *one.max(other) > view.count())
            )),
        }
    }
}

#[test]
fn who_knows_modseqs_is_told_them() {
    let mut view = View::new([1, 5], 1);
    view.note(&Changes { flags: vec![(5, FlagBits(1), 9)], modseq: 9, ..Changes::default() });
    assert!(!view.is_settled());
    let (mut out, enabled) = (Vec::new(), Enabled::CONDSTORE);
    view.tell(Expunges::Hold, enabled, &Keywords::default(), &mut out, |_| true);
    let told = String::from_utf8(out).unwrap();
    assert_eq!(told, "* 2 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (9))\r\n");
    assert!(view.is_settled());
    view.note(&Changes { vanished: vec![(1, 1)], modseq: 10, ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Hold), "");
    assert!(!view.is_settled(), "what may not be told is not told");
}

/// RFC 7162 §3.2.10.2.
#[test]
fn what_is_gone_is_told_by_uid_to_those_who_want_that() {
    let tell = |view: &mut View, expunges| {
        let (mut out, enabled) = (Vec::new(), Enabled::QRESYNC);
        view.tell(expunges, enabled, &Keywords::default(), &mut out, |_| true);
        String::from_utf8(out).unwrap()
    };
    let mut view = View::new([1, 504, 505, 507, 508, 509, 510, 600, 601, 602, 625], 1);
    let vanished = vec![(505, 505), (507, 507), (510, 510), (511, 511), (625, 625)];
    // What was never told to be there is not told to be gone.
    view.note(&Changes { new: vec![626], vanished, modseq: 2, ..Changes::default() });
    view.note(&Changes { new: vec![627], vanished: vec![(626, 626)], ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Hold), "* 13 EXISTS\r\n* 0 RECENT\r\n");
    view.note(&Changes { new: vec![628], ..Changes::default() });
    view.note(&Changes { vanished: vec![(628, 628)], ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Tell), "* VANISHED 505,507,510,625:626\r\n");
    assert_eq!((view.count(), view.last_uid()), (8, 627));
    view.note(&Changes { vanished: vec![(504, 504), (508, 508)], ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Tell), "* VANISHED 504,508\r\n");
    let untold = Changes { new: vec![700], ..Changes::default() };
    view.note(&untold);
    view.note(&Changes { vanished: vec![(700, 700)], ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Tell), "");
    assert!(view.is_settled());
    // Many ranges are told in several responses.
    let mut view = View::new(1..=2_000, 1);
    let vanished = (1..=1_000).map(|half| (2 * half, 2 * half)).collect();
    view.note(&Changes { vanished, ..Changes::default() });
    let told = tell(&mut view, Expunges::Tell);
    assert_eq!(told.lines().count(), 2);
    assert_eq!(view.count(), 1_000);
}

#[test]
fn a_hundred_thousand_changes_leave_nothing_behind_once_they_are_told() {
    let mut view = View::new(1..=100_000, 1);
    let flags = (1..=100_000).map(|uid| (uid, FlagBits(1), 2)).collect();
    view.note(&Changes { flags, modseq: 2, ..Changes::default() });
    assert_eq!(tell(&mut view, Expunges::Hold).lines().count(), 100_000);
    assert_eq!(view.flags.capacity(), 0);
    view.note(&Changes { vanished: vec![(1, 100_000)], modseq: 3, ..Changes::default() });
    // As one range, however many there are.
    assert_eq!(view.vanished, [(1, 100_000)]);
    tell(&mut view, Expunges::Tell);
    assert_eq!((view.vanished.len(), view.shown.runs.len()), (0, 0));
}

/// RFC 3501 §7.4.1: who asks only what lets nothing be told to be gone keeps all numbers, and that
/// costs no more, however much comes and goes meanwhile.
#[test]
fn much_that_may_not_be_told_costs_little() {
    const ROUNDS: u32 = 100_000;
    let mut view = View::new(1..=10, 1);
    let keywords = Keywords::new([""; 0]);
    let mut out = Vec::new();
    for round in 1..=ROUNDS {
        let uid = 10 + round;
        view.note(&Changes {
            new: vec![uid],
            flags: vec![(1, FlagBits(u64::from(round % 2)), u64::from(round))],
            // The one that came before it goes, and again and again one that is long gone.
            vanished: vec![(uid - 1, uid - 1), (10, 10)],
            modseq: u64::from(round),
        });
        out.clear();
        let more = view.tell(Expunges::Hold, Enabled::default(), &keywords, &mut out, |_| true);
        assert!(!more);
        let text = std::str::from_utf8(&out).unwrap();
        assert!(text.starts_with(&format!("* {uid} EXISTS\r\n")) && !text.contains("EXPUNGE"));
        assert!(view.flags.is_empty() && view.vanished.len() == 1 && view.shown.runs.len() == 1);
    }
    // Once it may be told, all is, in pieces: nine and the last are left.
    let mut gone = 0;
    let mut more = true;
    while more {
        out.clear();
        let room = |out: &Vec<u8>| out.len() < 4 << 10;
        more = view.tell(Expunges::Tell, Enabled::default(), &keywords, &mut out, room);
        assert!(out.len() < 64 << 10, "{}", out.len());
        let text = std::str::from_utf8(&out).unwrap();
        gone += text.lines().filter(|line| *line == "* 10 EXPUNGE").count();
    }
    assert_eq!(gone, usize::try_from(ROUNDS).unwrap());
    let left: Vec<_> = view.stretches().map(|stretch| stretch.uids()).collect();
    assert_eq!(left, [(1, 9), (10 + ROUNDS, 10 + ROUNDS)]);
    assert!(view.is_settled());
}
