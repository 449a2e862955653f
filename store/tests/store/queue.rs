//! Mail that leaves.

use pillarbox_core::UnixSeconds;
use pillarbox_store::{
    Due, DueCursor, Filter, Found, HoldRule, Leaving, NewBody, NewOutgoing, NewQueued, OutgoingId,
    Place, QueueChange, QueueCounts, QueueId, QueueRead, QueueWrite, Queued, Read, Report,
    SendLimits, Settled, Settlement, State, StoreError, Try, Write, Written,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fixture::{Fixture, NOW, inline, recipient};

const fn at(seconds: i64) -> UnixSeconds {
    UnixSeconds(NOW.0 + seconds)
}

fn queued(address: &str, next: i64) -> NewQueued {
    let domain = address.rsplit_once('@').unwrap().1.to_owned();
    let (address, rcpt) = (address.to_owned(), "NOTIFY=FAILURE".to_owned());
    NewQueued { address, domain, rcpt, next: at(next), held: false }
}

fn outgoing(fixture: &Fixture, recipients: Vec<NewQueued>) -> NewOutgoing {
    NewOutgoing {
        account: Some(fixture.ann),
        sender: "ann@here.example".into(),
        mail: "RET=HDRS".into(),
        message_id: "m1@here.example".into(),
        cid: "c1".into(),
        tls_optional: false,
        limits: None,
        prefix: b"Received: by us\r\n".to_vec(),
        recipients,
    }
}

impl Fixture {
    fn submit(&mut self, text: NewBody, to: &[(&str, i64)], copies: bool) {
        let recipients = to.iter().map(|(address, next)| queued(address, *next)).collect();
        let outgoing = Some(outgoing(self, recipients));
        let recipients = if copies { vec![recipient(self.bob, Place::Inbox)] } else { Vec::new() };
        let leaving = Leaving { outgoing, reports: Vec::new() };
        self.done(Write::Deliver { recipients, body: text, leaving, received: NOW });
    }

    fn ask(&mut self, question: QueueRead) -> Found {
        self.read(Read::Queue(question)).unwrap()
    }

    fn destinations(&mut self, now: i64, after: &str, count_max: usize) -> Vec<String> {
        let after = after.to_owned();
        match self.ask(QueueRead::Destinations { now: at(now), after, count_max }) {
            Found::Destinations(found) => found,
            other => panic!("{other:?}"),
        }
    }

    fn due(&mut self, now: i64, domain: &str, after: DueCursor, count_max: usize) -> Vec<Due> {
        let domains = vec![(domain.to_owned(), after)];
        match self.ask(QueueRead::Due { now: at(now), domains, count_max }) {
            Found::Due(found) => found,
            other => panic!("{other:?}"),
        }
    }

    fn settle(&mut self, outcomes: &[(i64, Settled)], reports: Vec<Report>) -> usize {
        let settlements = outcomes.iter().map(|(id, outcome)| Settlement {
            id: QueueId(*id),
            outcome: *outcome,
            said: format!("said of {id}"),
            suppresses: *id == 2,
        });
        let tried = Try {
            began: NOW,
            server: "mx.example".into(),
            address: "192.0.2.1:25".into(),
            tls: "none".into(),
            transcript: "C: QUIT".into(),
        };
        let job =
            QueueWrite::Settle { tried, settlements: settlements.collect(), reports, now: NOW };
        match self.done(Write::Queue(Box::new(job))) {
            Written::Delivered(inward) => inward.len(),
            other => panic!("{other:?}"),
        }
    }

    fn change(&mut self, filter: Filter, what: QueueChange) -> u64 {
        match self.done(Write::Queue(Box::new(QueueWrite::Change(filter, what)))) {
            Written::Purged(count) => count,
            other => panic!("{other:?}"),
        }
    }

    fn list(&mut self, filter: Filter) -> Vec<Queued> {
        let after = QueueId(0);
        match self.ask(QueueRead::List { filter, after, count_max: 100 }) {
            Found::Queued(found) => found,
            other => panic!("{other:?}"),
        }
    }

    fn states(&mut self) -> Vec<(i64, State)> {
        let all = self.list(Filter::default());
        all.iter().map(|queued| (queued.due.id.0, queued.state)).collect()
    }

    fn bytes(&mut self, message: i64, offset: u64, count: usize) -> Result<Vec<u8>, StoreError> {
        let message = OutgoingId(message);
        match self.read(Read::Queue(QueueRead::Bytes { message, offset, count }))? {
            Found::Bytes(bytes) => Ok(bytes),
            other => panic!("{other:?}"),
        }
    }
}

fn names(due: &[Due]) -> Vec<&str> {
    due.iter().map(|due| &*due.address).collect()
}

#[test]
fn what_is_due_is_found_by_domain_and_in_order() {
    let mut fixture = Fixture::new();
    fixture.submit(inline("x"), &[("d@b.example", 5), ("a@a.example", 0)], false);
    fixture.submit(inline("y"), &[("c@b.example", 3), ("e@c.example", 9)], false);
    assert_eq!(fixture.destinations(2, "", 9), ["a.example"]);
    assert_eq!(fixture.destinations(9, "", 9), ["a.example", "b.example", "c.example"]);
    assert_eq!(fixture.destinations(9, "", 2), ["a.example", "b.example"]);
    assert_eq!(fixture.destinations(9, "b.example", 2), ["c.example"]);
    let due = fixture.due(9, "b.example", DueCursor::START, 9);
    assert_eq!(names(&due), ["c@b.example", "d@b.example"]);
    assert_eq!(
        (due[0].rcpt.as_str(), due[0].message.mail.as_str()),
        ("NOTIFY=FAILURE", "RET=HDRS")
    );
    assert_eq!((due[0].message.size, due[0].message.since), (18, NOW));
    let after = DueCursor { next: due[0].next, id: due[0].id };
    assert_eq!(names(&fixture.due(9, "b.example", after, 9)), ["d@b.example"]);
    assert_eq!(names(&fixture.due(4, "b.example", DueCursor::START, 9)), ["c@b.example"]);
    assert_eq!(names(&fixture.due(9, "b.example", DueCursor::START, 1)), ["c@b.example"]);
    for (now, next) in [(0, Some(3)), (3, Some(5)), (8, Some(9)), (9, None)] {
        let Found::NextDue(found) = fixture.ask(QueueRead::Next(at(now))) else { panic!() };
        assert_eq!(found, next.map(at), "{now}");
    }
}

#[test]
fn a_body_goes_with_the_last_who_waits_for_it() {
    let mut fixture = Fixture::new();
    let file = fixture.file(7, b"large");
    fixture.submit(file, &[("a@a.example", 0), ("b@b.example", 0)], false);
    assert_eq!(fixture.bytes(1, 0, 99).unwrap(), b"Received: by us\r\nlarge");
    assert_eq!(fixture.bytes(1, 15, 4).unwrap(), b"\r\nla");
    let again = Settled::Again { next: at(60), warned: true };
    assert_eq!(fixture.settle(&[(1, Settled::Delivered), (2, again)], Vec::new()), 0);
    assert_eq!(fixture.destinations(0, "", 9), [""; 0]);
    let due = fixture.due(60, "b.example", DueCursor::START, 9);
    assert_eq!((due[0].attempts, due[0].warned), (1, true));
    assert_eq!((fixture.body_files(), fixture.bytes(1, 0, 9).unwrap().len()), (1, 9));
    let (mut fixture, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
    fixture.settle(&[(2, Settled::Failed)], Vec::new());
    assert_eq!(fixture.body_files(), 0);
    assert_eq!(fixture.bytes(1, 0, 9), Err(StoreError::NoSuchMessage));
    let (mut fixture, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
    assert_eq!(fixture.states(), [(1, State::Delivered), (2, State::Failed)]);
}

#[test]
fn copies_here_and_elsewhere_share_a_body() {
    let mut fixture = Fixture::new();
    let file = fixture.file(7, b"large");
    fixture.submit(file, &[("a@a.example", 0)], true);
    fixture.settle(&[(1, Settled::Delivered)], Vec::new());
    assert_eq!(fixture.body_files(), 1);
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn reports_come_with_what_they_tell_of() {
    let mut fixture = Fixture::new();
    fixture.submit(inline("x"), &[("a@a.example", 0), ("b@a.example", 0)], false);
    let inward =
        |account| Report::Inward { account, prefix: b"A: b\r\n".to_vec(), body: inline("r") };
    let outward = Report::Outward(
        NewOutgoing {
            account: None,
            sender: String::new(),
            ..outgoing(&fixture, vec![queued("c@c.example", 0)])
        },
        inline("report"),
    );
    let ann = fixture.ann;
    let quota = pillarbox_store::Quota::Bytes(1);
    fixture.done(Write::SetQuota { account: ann, quota });
    let reports = vec![inward(ann), inward(pillarbox_store::AccountId(99)), outward];
    assert_eq!(fixture.settle(&[(1, Settled::Failed)], reports), 1);
    assert_eq!(fixture.destinations(0, "a.example", 9), ["c.example"]);
    let inbox = fixture.inbox();
    assert_eq!(fixture.messages(inbox, false).len(), 1);
    // Nothing is told of what was dropped meanwhile.
    let ids = Filter { ids: vec![QueueId(2)], ..Filter::default() };
    assert_eq!(fixture.change(ids, QueueChange::Drop(NOW)), 1);
    assert_eq!(fixture.settle(&[(2, Settled::Failed)], vec![inward(ann)]), 0);
    assert_eq!(fixture.states()[1], (2, State::Dropped));
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn operators_change_what_waits() {
    let mut fixture = Fixture::new();
    fixture.submit(inline("x"), &[("a@a.example", 50), ("B@b.Example", 50)], false);
    fixture.submit(inline("y"), &[("c@b.example", 50)], false);
    let to = |to: &str| Filter { to: Some(to.into()), ..Filter::default() };
    assert_eq!(fixture.change(to("B.example"), QueueChange::Hold), 2);
    assert_eq!(fixture.destinations(99, "", 9), ["a.example"]);
    let counts = Found::QueueCounts(QueueCounts { waiting: 1, held: 2 });
    assert_eq!(fixture.ask(QueueRead::Counts), counts);
    assert_eq!(fixture.change(to("b@b.example"), QueueChange::Release), 1);
    assert_eq!(fixture.destinations(99, "", 9), ["a.example", "b.Example"]);
    // What was held while it was being tried stays held.
    fixture.settle(&[(3, Settled::Again { next: at(70), warned: false })], Vec::new());
    assert_eq!(fixture.states()[2], (3, State::Held));
    assert_eq!(fixture.change(to("@b.example"), QueueChange::Reschedule(at(1))), 2);
    assert_eq!(fixture.destinations(1, "", 9), ["b.Example", "b.example"]);
    let all = Filter::default();
    let fail = QueueChange::Transport(Some("fail".into()), at(0));
    assert_eq!(fixture.change(all.clone(), fail), 3);
    let due = fixture.due(0, "a.example", DueCursor::START, 9);
    assert_eq!(due[0].transport.as_deref(), Some("fail"));
    let message = Filter { message_id: Some("<m1@here.example>".into()), ..all.clone() };
    assert_eq!(fixture.change(message, QueueChange::Mail("REQUIRETLS".into())), 3);
    assert_eq!(fixture.due(0, "a.example", DueCursor::START, 9)[0].message.mail, "REQUIRETLS");
    let from = Filter { from: Some("here.example".into()), ..all.clone() };
    assert_eq!(fixture.list(from).len(), 3);
    let (bob, states) = (fixture.bob, vec![State::Waiting]);
    assert_eq!(fixture.list(Filter { account: Some(bob), states, ..all }).len(), 0);
}

#[test]
fn what_has_left_is_kept_for_a_while() {
    let mut fixture = Fixture::new();
    fixture.submit(inline("x"), &[("a@a.example", 0), ("b@b.example", 0)], false);
    let again = Settled::Again { next: at(9), warned: false };
    fixture.settle(&[(1, again), (2, Settled::Failed)], Vec::new());
    fixture.settle(&[(1, Settled::Delivered)], Vec::new());
    let tries = |fixture: &mut Fixture, id| match fixture.ask(QueueRead::Tries(QueueId(id))) {
        Found::Tries(found) => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(tries(&mut fixture, 1).len(), 2);
    let second = tries(&mut fixture, 2);
    assert_eq!((second[0].0.transcript.as_str(), second[0].1.as_str()), ("C: QUIT", "said of 2"));
    let forget = |fixture: &mut Fixture, before| match fixture
        .done(Write::Queue(Box::new(QueueWrite::Forget(at(before)))))
    {
        Written::Purged(count) => count,
        other => panic!("{other:?}"),
    };
    assert_eq!(forget(&mut fixture, 0), 0);
    assert_eq!(forget(&mut fixture, 1), 2);
    assert_eq!((fixture.states(), tries(&mut fixture, 1)), (Vec::new(), Vec::new()));
    let (mut fixture, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
    // An id never means another one.
    fixture.submit(inline("x"), &[("a@a.example", 0)], false);
    assert_eq!(fixture.states(), [(3, State::Waiting)]);
}

#[test]
fn rules_hold_what_enters() {
    let mut fixture = Fixture::new();
    let add = |fixture: &mut Fixture, rule| {
        fixture.done(Write::Queue(Box::new(QueueWrite::AddHold(rule))));
    };
    let to = |domain: &str| Some(domain.to_owned());
    add(&mut fixture, HoldRule { recipient: to("A.example"), ..HoldRule::default() });
    let bob = Some(fixture.bob);
    add(&mut fixture, HoldRule { account: bob, ..HoldRule::default() });
    add(&mut fixture, HoldRule { sender: to("there.example"), ..HoldRule::default() });
    fixture.submit(inline("x"), &[("a@a.example", 0), ("b@b.example", 0)], false);
    assert_eq!(fixture.states(), [(1, State::Held), (2, State::Waiting)]);
    let Found::Holds(rules) = fixture.ask(QueueRead::Holds) else { panic!() };
    assert_eq!(rules.len(), 3);
    let remove = QueueWrite::RemoveHold(rules[0].0);
    for removed in [1, 0] {
        let done = fixture.done(Write::Queue(Box::new(remove.clone())));
        assert_eq!(done, Written::Purged(removed));
    }
    add(&mut fixture, HoldRule { sender: to("here.example"), ..HoldRule::default() });
    fixture.submit(inline("x"), &[("a@a.example", 0)], false);
    assert_eq!(fixture.states()[2], (3, State::Held));
}

#[test]
fn an_account_sends_so_much_a_day() {
    let mut fixture = Fixture::new();
    let send = |fixture: &mut Fixture, to: &[&str], now: i64| {
        let limits = Some(SendLimits { recipients_a_day: Some(5), new_a_day: Some(3) });
        let to = to.iter().map(|address| queued(address, 0)).collect();
        let message = NewOutgoing { limits, ..outgoing(fixture, to) };
        let job = QueueWrite::Enter(message, inline("x"), at(now));
        fixture.write(Write::Queue(Box::new(job)))
    };
    assert_eq!(send(&mut fixture, &["a@a.example", "b@a.example"], 0), Ok(Written::Done));
    let enough = |found: Result<Written, StoreError>, most| {
        assert!(
            matches!(found, Err(StoreError::SentEnough(_, found)) if found == most),
            "{found:?}"
        );
    };
    enough(send(&mut fixture, &["c@a.example", "d@a.example"], 9), 3);
    assert_eq!(send(&mut fixture, &["A@A.example", "b@a.example"], 9), Ok(Written::Done));
    enough(send(&mut fixture, &["a@a.example", "b@a.example"], 10), 5);
    assert_eq!(send(&mut fixture, &["c@a.example"], 10), Ok(Written::Done));
    enough(send(&mut fixture, &["a@a.example"], 86_000), 5);
    assert_eq!(send(&mut fixture, &["d@a.example", "e@a.example"], 86_401), Ok(Written::Done));
}

#[test]
fn what_came_back_is_not_tried_anew() {
    let mut fixture = Fixture::new();
    let (ann, bob) = (fixture.ann, fixture.bob);
    fixture.submit(inline("x"), &[("a@a.example", 0), ("B@b.example", 0)], false);
    fixture.settle(&[(1, Settled::Failed), (2, Settled::Failed)], Vec::new());
    let of = |fixture: &mut Fixture, account, address: &str| match fixture
        .ask(QueueRead::IsSuppressed(account, address.into()))
    {
        Found::Suppressed(found) => found.first().map(|one| one.reason.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(of(&mut fixture, ann, "a@a.example"), None);
    assert_eq!(of(&mut fixture, ann, "b@B.example").as_deref(), Some("said of 2"));
    assert_eq!(of(&mut fixture, bob, "b@b.example"), None);
    let Found::Suppressed(all) = fixture.ask(QueueRead::Suppressed(ann, String::new(), 9)) else {
        panic!()
    };
    assert_eq!((all.len(), all[0].address.as_str(), all[0].since), (1, "b@b.example", NOW));
    for allowed in [1, 0] {
        let job = QueueWrite::Allow(ann, "b@b.example".into());
        assert_eq!(fixture.done(Write::Queue(Box::new(job))), Written::Purged(allowed));
    }
    assert_eq!(of(&mut fixture, ann, "b@b.example"), None);
}

#[test]
fn what_is_sent_outlives_its_account() {
    let mut fixture = Fixture::new();
    fixture.submit(inline("x"), &[("a@a.example", 0)], false);
    let account = fixture.ann;
    fixture.done(Write::RemoveAccount { account });
    assert_eq!(fixture.due(0, "a.example", DueCursor::START, 1)[0].message.account, None);
}

#[test]
fn a_message_for_nobody_is_none() {
    let mut fixture = Fixture::new();
    let outgoing = Some(outgoing(&fixture, Vec::new()));
    for leaving in [Leaving::default(), Leaving { outgoing, reports: Vec::new() }] {
        let body = inline("x");
        let job = Write::Deliver { recipients: Vec::new(), body, leaving, received: NOW };
        assert!(matches!(fixture.write(job), Err(StoreError::Misuse(_))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is done in whatever order: bodies are counted right, and none is left over.
    #[test]
    fn bodies_are_counted(steps in vec((0_u8..6, 1_i64..8), 1..30)) {
        let mut fixture = Fixture::new();
        let mut file = 0;
        for (step, id) in steps {
            let one = Filter { ids: vec![QueueId(id)], ..Filter::default() };
            match step {
                0 => {
                    file += 1;
                    let body = fixture.file(file, b"large");
                    fixture.submit(body, &[("a@a.example", 0), ("b@b.example", 0)], id % 2 == 0);
                }
                1 => {
                    fixture.settle(&[(id, Settled::Delivered)], Vec::new());
                }
                2 => {
                    let ann = fixture.ann;
                    let report = Report::Inward { account: ann, prefix: Vec::new(), body: inline("r") };
                    fixture.settle(&[(id, Settled::Failed), (id + 1, Settled::Delivered)], vec![report]);
                }
                3 => {
                    fixture.change(one, QueueChange::Drop(NOW));
                }
                4 => {
                    fixture.change(one, QueueChange::Hold);
                }
                _ => {
                    fixture.done(Write::Queue(Box::new(QueueWrite::Forget(at(1)))));
                }
            }
        }
        let (mut fixture, found) = fixture.verified();
        prop_assert_eq!(found, [""; 0]);
        fixture.change(Filter::default(), QueueChange::Drop(NOW));
        fixture.done(Write::Queue(Box::new(QueueWrite::Forget(at(1)))));
        prop_assert_eq!(fixture.states(), []);
    }
}
