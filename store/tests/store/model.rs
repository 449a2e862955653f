//! Random jobs against a model that is too simple to be wrong.

use std::collections::BTreeMap;

use pillarbox_store::{
    Change, Changes, Flags, Found, MailboxId, NewMessage, Place, Read, UidRange, Write, Written,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fixture::{Fixture, NOW, deliver, inline, range, recipient};

/// A step, with UIDs as numbers that may or may not be in use.
#[derive(Debug, Clone)]
enum Step {
    Deliver(String),
    Append {
        text: String,
        keyword: Option<u8>,
    },
    Copy {
        uids: (u32, u32),
        back: bool,
    },
    Move {
        uids: (u32, u32),
        /// From where to where.
        way: (usize, usize),
    },
    Claim {
        up_to: u32,
    },
    Flag {
        uids: (u32, u32),
        change: Change,
        bits: u64,
        keyword: Option<u8>,
    },
    Expunge {
        uids: Option<(u32, u32)>,
    },
    /// Up to this many modification sequences before the present.
    Purge {
        back: u64,
    },
    /// A job that fails.
    Fail,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let text = "[a-z]{0,8}";
    let uids = || (1..12_u32, 0..6_u32).prop_map(|(first, more)| (first, first + more));
    let keyword = || prop::option::of(0..3_u8);
    let change = prop_oneof![Just(Change::Add), Just(Change::Remove), Just(Change::Replace)];
    prop_oneof![
        5 => text.prop_map(Step::Deliver),
        2 => (text, keyword()).prop_map(|(text, keyword)| Step::Append { text, keyword }),
        2 => (uids(), any::<bool>()).prop_map(|(uids, back)| Step::Copy { uids, back }),
        2 => (uids(), (0..2_usize, 0..2_usize)).prop_map(|(uids, way)| Step::Move { uids, way }),
        1 => (0..12_u32).prop_map(|up_to| Step::Claim { up_to }),
        6 => (uids(), change, 0..32_u64, keyword()).prop_map(|(uids, change, bits, keyword)| {
            Step::Flag { uids, change, bits, keyword }
        }),
        3 => prop::option::of(uids()).prop_map(|uids| Step::Expunge { uids }),
        2 => (0..4_u64).prop_map(|back| Step::Purge { back }),
        1 => Just(Step::Fail),
        1 => Just(Step::Reopen),
    ]
}

/// A mailbox as the model sees it.
#[derive(Debug, Clone, Default)]
struct Box_ {
    live: BTreeMap<u32, Letter>,
    expunged: BTreeMap<u32, Letter>,
    last_uid: u32,
    modseq: u64,
    keywords: Vec<String>,
    claimed: u32,
    /// What was there at each modification sequence that was ever the present one.
    history: BTreeMap<u64, BTreeMap<u32, (u64, u64)>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Letter {
    text: String,
    flags: u64,
    modseq: u64,
}

impl Box_ {
    fn put(&mut self, text: String, flags: u64) -> u32 {
        self.last_uid += 1;
        self.modseq += 1;
        self.live.insert(self.last_uid, Letter { text, flags, modseq: self.modseq });
        self.last_uid
    }

    fn bit(&mut self, keyword: Option<u8>, make: bool) -> (Vec<String>, u64) {
        let Some(keyword) = keyword else { return (vec![], 0) };
        let name = format!("k{keyword}");
        let place = self.keywords.iter().position(|known| *known == name);
        let place = place.or_else(|| {
            make.then(|| {
                self.keywords.push(name.clone());
                self.keywords.len() - 1
            })
        });
        (vec![name], place.map_or(0, |place| 1 << (5 + place)))
    }

    fn remember(&mut self) {
        let seen = self.live.iter().map(|(uid, letter)| (*uid, (letter.flags, letter.modseq)));
        self.history.insert(self.modseq, seen.collect());
    }
}

struct World {
    fixture: Option<Fixture>,
    /// INBOX and Sent.
    ids: [MailboxId; 2],
    boxes: [Box_; 2],
}

const PREFIX: &str = "Received: here\r\n";

impl World {
    fn new() -> Self {
        let mut fixture = Fixture::new();
        let ids = [fixture.inbox(), fixture.mailbox(fixture.ann, "Sent")];
        let empty = Box_ { modseq: 1, ..Box_::default() };
        Self { fixture: Some(fixture), ids, boxes: [empty.clone(), empty] }
    }

    fn fixture(&mut self) -> &mut Fixture {
        self.fixture.as_mut().unwrap()
    }

    fn run(&mut self, step: Step) {
        let (by, ids) = (self.fixture().ann, self.ids);
        match step {
            Step::Deliver(text) => {
                let uid = self.boxes[0].put(format!("{PREFIX}{text}"), 0);
                assert_eq!(self.fixture().deliver(&text).uid, uid);
            }
            Step::Append { text, keyword } => {
                let (keywords, bit) = self.boxes[0].bit(keyword, true);
                let expected = self.boxes[0].put(text.clone(), bit);
                let job = Write::Append {
                    by,
                    mailbox: ids[0],
                    messages: vec![NewMessage {
                        flags: Flags::NONE,
                        keywords,
                        internaldate: NOW,
                        body: inline(&text),
                    }],
                    replaces: None,
                    now: NOW,
                };
                let Written::Appended(found) = self.fixture().done(job) else { panic!() };
                assert_eq!(found.uids, UidRange::one(expected));
            }
            Step::Copy { uids, back } => {
                let (from, to) = if back { (1, 0) } else { (0, 1) };
                let pairs = self.copy(uids, from, to);
                let uids = vec![range(uids.0, uids.1)];
                let job = Write::Copy { by, from: ids[from], uids, to: ids[to], now: NOW };
                let Written::Copied(_, found) = self.fixture().done(job) else { panic!() };
                assert_eq!(found, pairs);
            }
            Step::Move { uids, way } => self.relocate(uids, way),
            Step::Claim { up_to } => {
                let known = &mut self.boxes[0];
                known.claimed = known.claimed.max(up_to.min(known.last_uid));
                let job = Write::Claim { by, mailbox: ids[0], up_to };
                assert_eq!(self.fixture().done(job), Written::Done);
            }
            Step::Flag { uids, change, bits, keyword } => self.flag(uids, change, bits, keyword),
            Step::Expunge { uids } => self.expunge(uids),
            Step::Purge { back } => {
                let up_to_modseq = self.boxes[0].modseq.saturating_sub(back);
                let before = self.boxes[0].expunged.len();
                self.boxes[0].expunged.retain(|_, letter| letter.modseq > up_to_modseq);
                let purged = (before - self.boxes[0].expunged.len()) as u64;
                let job = Write::Purge { mailbox: ids[0], up_to_modseq };
                assert_eq!(self.fixture().done(job), Written::Purged(purged));
            }
            Step::Fail => {
                let recipients = vec![
                    recipient(by, Place::Inbox),
                    recipient(by, Place::Mailbox(MailboxId(999))),
                ];
                assert!(self.fixture().write(deliver(recipients, inline("x"))).is_err());
            }
            Step::Reopen => {
                self.fixture = self.fixture.take().map(Fixture::reopen);
                self.boxes.iter_mut().for_each(|known| known.expunged.clear());
            }
        }
    }

    /// Copies in the model; which UID became which.
    fn copy(&mut self, uids: (u32, u32), from: usize, to: usize) -> Vec<(u32, u32)> {
        let letters: Vec<_> =
            self.boxes[from].live.range(uids.0..=uids.1).map(|(u, l)| (*u, l.clone())).collect();
        let mut pairs = Vec::new();
        for (uid, letter) in letters {
            let mut flags = letter.flags & 31;
            for (place, name) in self.boxes[from].keywords.clone().iter().enumerate() {
                if letter.flags & (1 << (5 + place)) != 0 {
                    let number = name.trim_start_matches("k").parse().unwrap();
                    flags |= self.boxes[to].bit(Some(number), true).1;
                }
            }
            pairs.push((uid, self.boxes[to].put(letter.text, flags)));
        }
        pairs
    }

    fn relocate(&mut self, uids: (u32, u32), (from, to): (usize, usize)) {
        let (by, ids) = (self.fixture().ann, self.ids);
        let pairs = self.copy(uids, from, to);
        let known = &mut self.boxes[from];
        known.modseq += u64::from(!pairs.is_empty());
        for (uid, _) in &pairs {
            let letter = known.live.remove(uid).unwrap();
            known.expunged.insert(*uid, Letter { modseq: known.modseq, ..letter });
        }
        let modseq = known.modseq;
        let uids = vec![range(uids.0, uids.1)];
        let job = Write::Move { by, from: ids[from], uids, to: ids[to], now: NOW };
        let Written::Moved(found) = self.fixture().done(job) else { panic!() };
        assert_eq!((found.pairs, found.modseq), (pairs, modseq));
    }

    fn flag(&mut self, uids: (u32, u32), change: Change, bits: u64, keyword: Option<u8>) {
        let (by, mailbox) = (self.fixture().ann, self.ids[0]);
        let known = &mut self.boxes[0];
        let (keywords, bit) = known.bit(keyword, change != Change::Remove);
        let (next, mut any) = (known.modseq + 1, false);
        for letter in known.live.range_mut(uids.0..=uids.1).map(|(_, letter)| letter) {
            let flags = match change {
                Change::Add => letter.flags | bits | bit,
                Change::Remove => letter.flags & !(bits | bit),
                Change::Replace => bits | bit,
            };
            if flags != letter.flags {
                (letter.flags, letter.modseq, any) = (flags, next, true);
            }
        }
        if any {
            known.modseq = next;
        }
        let expected: Vec<_> =
            known.live.range(uids.0..=uids.1).map(|(u, l)| (*u, l.flags, l.modseq)).collect();
        let (modseq, uids) = (any.then_some(next), vec![range(uids.0, uids.1)]);
        let job = Write::StoreFlags {
            by,
            mailbox,
            uids,
            unchanged_since: None,
            change,
            flags: Flags(bits),
            keywords,
        };
        let Written::Flagged(found) = self.fixture().done(job) else { panic!() };
        let states: Vec<_> = found.messages.iter().map(|s| (s.uid, s.flags.0, s.modseq)).collect();
        assert_eq!((found.modseq, states), (modseq, expected));
    }

    fn expunge(&mut self, uids: Option<(u32, u32)>) {
        let (by, mailbox) = (self.fixture().ann, self.ids[0]);
        let known = &mut self.boxes[0];
        let (first, last) = uids.unwrap_or((1, u32::MAX));
        let leaving: Vec<u32> = known
            .live
            .range(first..=last)
            .filter(|(_, letter)| letter.flags & Flags::DELETED.0 != 0)
            .map(|(uid, _)| *uid)
            .collect();
        if !leaving.is_empty() {
            known.modseq += 1;
        }
        for uid in &leaving {
            let letter = known.live.remove(uid).unwrap();
            known.expunged.insert(*uid, Letter { modseq: known.modseq, ..letter });
        }
        let modseq = known.modseq;
        let uids = uids.map(|(first, last)| vec![range(first, last)]);
        let job = Write::Expunge { by, mailbox, uids };
        let Written::Expunged(found) = self.fixture().done(job) else { panic!() };
        assert_eq!((found.modseq, found.uids), (modseq, leaving));
    }

    /// The store says what the model says.
    fn check(&mut self) {
        for place in 0..2 {
            let (id, known) = (self.ids[place], self.boxes[place].clone());
            let selected = self.fixture().select(id);
            assert_eq!(selected.status.highestmodseq, known.modseq);
            assert_eq!(selected.status.uidnext, known.last_uid + 1);
            assert_eq!(selected.claimed, known.claimed);
            let by = self.fixture().ann;
            let recent = self.fixture().read(Read::Recent { by, mailbox: id, above: 3 });
            let above = known.live.keys().filter(|uid| **uid > known.claimed.max(3)).count();
            assert_eq!(recent, Ok(Found::Recent(above as u64)));
            let uids: Vec<u32> =
                selected.uids.iter().flat_map(|run| run.first..=run.last).collect();
            assert_eq!(uids, known.live.keys().copied().collect::<Vec<_>>());
            let mut all = known.live.clone();
            all.extend(known.expunged.clone());
            let found: BTreeMap<u32, Letter> = self
                .fixture()
                .messages(id, true)
                .into_iter()
                .map(|found| {
                    let text = String::from_utf8(found.text.unwrap()).unwrap();
                    let (flags, modseq) = (found.facts.flags.0, found.facts.modseq);
                    (found.facts.uid, Letter { text, flags, modseq })
                })
                .collect();
            assert_eq!(found, all);
            self.boxes[place].remember();
        }
    }

    /// From every earlier state, the changes since lead to the present one.
    fn check_changes(&mut self) {
        for place in 0..2 {
            let history = self.boxes[place].history.clone();
            let (modseq, id) = (self.boxes[place].modseq, self.ids[place]);
            for (since, seen) in &history {
                let changes = self.fixture().changes(id, *since);
                assert_eq!(apply(seen.clone(), &changes), history[&modseq], "since {since}");
                assert_eq!(changes.modseq, modseq);
            }
        }
    }
}

fn apply(mut seen: BTreeMap<u32, (u64, u64)>, changes: &Changes) -> BTreeMap<u32, (u64, u64)> {
    for gone in &changes.vanished {
        seen.retain(|uid, _| !gone.contains(*uid));
    }
    for state in &changes.changed {
        assert!(seen.insert(state.uid, (state.flags.0, state.modseq)).is_some());
    }
    for state in &changes.new {
        assert!(seen.insert(state.uid, (state.flags.0, state.modseq)).is_none());
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(steps in vec(step(), 1..40)) {
        let mut world = World::new();
        world.check();
        for step in steps {
            world.run(step);
            world.check();
        }
        world.check_changes();
        let (fixture, found) = world.fixture.take().unwrap().verified();
        assert_eq!(found, Vec::<String>::new());
        drop(fixture);
    }

    #[test]
    fn joined_ranges_hold_the_same(ranges in vec((0..20_u32, 0..20_u32), 0..6)) {
        // Through the store, since joining is not public: each message is listed once.
        let mut fixture = Fixture::new();
        let jobs = (0..20)
            .map(|_| deliver(vec![recipient(fixture.ann, Place::Inbox)], inline("x")))
            .collect();
        fixture.writer.commit(jobs);
        let uids: Vec<UidRange> =
            ranges.iter().map(|&(first, last)| range(first, last)).collect();
        let expected: Vec<u32> =
            (1..=20).filter(|uid| uids.iter().any(|range| range.contains(*uid))).collect();
        let Written::Flagged(flagged) = fixture.flag(&uids, Change::Add, Flags::SEEN) else {
            panic!()
        };
        let found: Vec<u32> = flagged.messages.iter().map(|state| state.uid).collect();
        assert_eq!(found, expected);
    }
}
