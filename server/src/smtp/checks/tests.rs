//! What comes of messages in a net of a few domains.

use std::time::Duration;

use pillarbox_core::Random;
use pillarbox_core::arc::Sealer;
use pillarbox_core::authres::Method;
use pillarbox_core::dkim::{Signer, SigningKey, Terms};
use pillarbox_core::dns::Zone;
use pillarbox_core::message::Gatherer;
use pillarbox_core::smtp::address::Grammar;
use pillarbox_core::smtp::config::Protocol;
use pillarbox_core::smtp::reply::Enhanced;

use super::*;
use crate::config::{Forwarder, Obedience, SpfFail};
use crate::context::SystemRandom;
use crate::dkim_keys::KeyKind;
use crate::dns::Source;

const NET: &str = "\
$TTL 60
strict.example. MX 10 mx.strict.example.
strict.example. TXT \"v=spf1 ip4:192.0.2.1 -all\"
_dmarc.strict.example. TXT \"v=DMARC1; p=reject\"
mild.example. MX 10 mx.mild.example.
mild.example. TXT \"v=spf1 ip4:192.0.2.1 -all\"
_dmarc.mild.example. TXT \"v=DMARC1; p=quarantine\"
watching.example. MX 10 mx.watching.example.
_dmarc.watching.example. TXT \"v=DMARC1; p=none\"
trying.example. MX 10 mx.trying.example.
_dmarc.trying.example. TXT \"v=DMARC1; p=reject; t=y\"
plain.example. A 192.0.2.9
plain.example. TXT \"v=spf1 ip4:192.0.2.1 -all\"
list.example. MX 10 mx.list.example.
list.example. TXT \"v=spf1 ip4:192.0.2.50 -all\"
silent.example. MX 0 .
empty.example. TXT \"nothing\"
1.2.0.192.in-addr.arpa. PTR mx.strict.example.
mx.strict.example. A 192.0.2.1
50.2.0.192.in-addr.arpa. PTR other.example.
";

fn random() -> Box<dyn Random> {
    Box::new(SystemRandom::default())
}

fn asker() -> Asker {
    asker_with("")
}

/// With more records.
fn asker_with(records: &str) -> Asker {
    let mut zone = Zone::default();
    zone.read(&format!("{NET}{records}"), &Name::root()).unwrap();
    let resolver = Arc::new(Resolver::new(Source::Zone(zone), random));
    Asker { resolver, seen: Arc::default(), desk: Desk::default(), now: Moment::START }
}

fn client(ip: &str) -> Client {
    Client {
        id: "c1".into(),
        peer: ip.parse().unwrap(),
        protocol: Protocol::Smtp,
        hello: Some(("mail.client.example".into(), true)),
        tls: None,
        login: None,
    }
}

fn claims(from: &str) -> Result<Claims, OriginFault> {
    let mut gatherer = Gatherer::new(10_000);
    gatherer.push(from.as_bytes()).unwrap();
    Claims::of(&gatherer.into_head())
}

fn begin(checks: &Checks, ip: &str, sender: &str) -> Inquiry {
    let sender = match sender {
        "" => ReversePath::Null,
        text => ReversePath::Mailbox(Mailbox::parse(text, Grammar::default()).unwrap()),
    };
    let now = Now { moment: Moment::START, wall: UnixSeconds(1_795_527_240) };
    let checks = Arc::new(checks.clone());
    Inquiry::begin(&checks, asker(), &client(ip), "mx.example", &sender, now)
}

/// What comes of a message from nobody in particular: what was found, what is done, and why.
fn check(checks: &Checks, ip: &str, sender: &str, from: &str) -> (String, String, String) {
    let claims = claims(&format!("From: {from}\r\n\r\n")).unwrap();
    let mut inquiry = begin(checks, ip, sender);
    inquiry.go_on(claims.wanted());
    assert!(inquiry.poll(Moment::START));
    let (facts, judgement, fields) = inquiry.conclude(claims, UnixSeconds(1_795_527_240));
    assert!(fields.lines().all(|line| line.len() < 100), "{fields}");
    let done = match judgement.verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Junk => "junk".to_owned(),
        Verdict::Refuse(reply) => {
            let known = [(7, 26), (7, 27), (7, 23), (1, 8)];
            let is = |(subject, detail): &(u16, u16)| {
                reply.enhanced() == Some(Enhanced::new(*subject, *detail))
            };
            let (subject, detail) = known.into_iter().find(is).unwrap();
            format!("{} 5.{subject}.{detail}", reply.code().number())
        }
    };
    (summary(&facts), done, judgement.reason)
}

/// Client, sender, From; iprev, SPF, DKIM and DMARC; what is done.
const TABLE: [[&str; 5]; 14] = [
    ["192.0.2.1", "a@strict.example", "a@strict.example", "pass pass none pass", "accept"],
    [
        "::ffff:192.0.2.1",
        "a@strict.example",
        "a@sub.strict.example",
        "pass pass none pass",
        "accept",
    ],
    ["192.0.2.2", "a@strict.example", "a@strict.example", "permerror fail none fail", "550 5.7.26"],
    // SPF of another domain says nothing about the one in From.
    ["192.0.2.50", "a@list.example", "a@strict.example", "fail pass none fail", "550 5.7.26"],
    ["192.0.2.2", "a@mild.example", "a@mild.example", "permerror fail none fail", "junk"],
    ["192.0.2.2", "a@watching.example", "a@watching.example", "permerror none none fail", "accept"],
    ["192.0.2.2", "a@trying.example", "a@trying.example", "permerror none none fail", "junk"],
    ["192.0.2.2", "a@plain.example", "a@plain.example", "permerror fail none none", "junk"],
    ["192.0.2.2", "", "a@list.example", "permerror none none none", "accept"],
    // Whom nobody could answer.
    ["192.0.2.2", "a@silent.example", "a@list.example", "permerror none none none", "550 5.7.27"],
    ["192.0.2.2", "a@empty.example", "a@list.example", "permerror none none none", "550 5.1.8"],
    ["192.0.2.2", "a@nowhere.example", "a@list.example", "permerror none none none", "550 5.1.8"],
    ["192.0.2.2", "a@[192.0.2.2]", "a@list.example", "permerror none none none", "accept"],
    [
        "192.0.2.2",
        "a@list.example",
        "a@list.example, b@strict.example",
        "permerror fail none permerror",
        "junk",
    ],
];

#[test]
fn what_comes_of_what_is_found() {
    for [ip, sender, from, found, done] in TABLE {
        let told = check(&Checks::default(), ip, sender, from);
        let results: Vec<&str> =
            told.0.split(' ').map(|one| one.split_once('=').unwrap().1).collect();
        assert_eq!(
            (&*results.join(" "), &*told.1),
            (found, done),
            "{ip} {sender} {from}: {}",
            told.2
        );
    }
}

#[test]
fn what_is_done_is_a_choice() {
    let forger = ("192.0.2.2", "a@strict.example", "a@strict.example");
    let plain = ("192.0.2.2", "a@plain.example", "a@plain.example");
    let listed = ("192.0.2.50", "a@list.example", "a@strict.example");
    let unreachable = ("192.0.2.2", "a@nowhere.example", "a@nowhere.example");
    let forwarders = |text: &str| {
        let forwarder = match text.parse() {
            Ok(network) => Forwarder::From(network),
            Err(_) => Forwarder::Domain(Name::parse(text).unwrap()),
        };
        Checks { forwarders: vec![forwarder], ..Checks::default() }
    };
    for (checks, (ip, sender, from), done) in [
        (Checks { dmarc: Obedience::Junk, ..Checks::default() }, forger, "junk"),
        (Checks { dmarc: Obedience::Watch, ..Checks::default() }, forger, "accept"),
        (Checks { spf_fail: SpfFail::Accept, ..Checks::default() }, plain, "accept"),
        (Checks { spf_fail: SpfFail::Refuse, ..Checks::default() }, plain, "550 5.7.23"),
        (Checks { sender_domain: false, ..Checks::default() }, unreachable, "accept"),
        (forwarders("192.0.2.0/25"), listed, "accept"),
        (forwarders("198.51.100.0/24"), listed, "550 5.7.26"),
        (forwarders("list.example"), listed, "accept"),
        // Who says to be the forwarder is not.
        (
            forwarders("list.example"),
            ("192.0.2.2", "a@list.example", "a@strict.example"),
            "550 5.7.26",
        ),
    ] {
        assert_eq!(check(&checks, ip, sender, from).1, done, "{checks:?} {sender}");
    }
}

#[test]
fn what_is_not_found_out_in_time_is_no_verdict() {
    let checks = Checks { within: Duration::from_secs(20), ..Checks::default() };
    let claims = claims("From: a@strict.example\r\n\r\n").unwrap();
    let mut inquiry = begin(&checks, "192.0.2.2", "a@strict.example");
    // Nothing of the header was asked, as where no answer comes.
    assert!(!inquiry.poll(Moment::START + Duration::from_secs(19)));
    assert!(inquiry.poll(inquiry.until()));
    let (facts, judgement, fields) = inquiry.conclude(claims, UnixSeconds(0));
    assert_eq!(summary(&facts), "iprev=permerror spf=fail dkim=none dmarc=temperror");
    assert_ne!(judgement.verdict, Verdict::Accept, "SPF is known to fail");
    assert!(fields.contains("reason=\"not found out in time\""));
}

#[test]
fn more_than_one_from_is_refused() {
    let several = claims("From: a@b.example\r\nFrom: c@d.example\r\n\r\n");
    assert_eq!(several.err(), Some(OriginFault::Several("From")));
    assert_eq!(claims("Subject: x\r\n\r\n").unwrap().author, Author::Nobody);
}

#[test]
fn what_reports_are_made_of_is_noted() {
    let asker = asker();
    let seen = Arc::clone(&asker.seen);
    for (ip, count) in [("192.0.2.1", 2), ("192.0.2.2", 1)] {
        for _ in 0..count {
            let claims = claims("From: a@sub.strict.example\r\n\r\n").unwrap();
            let sender = ReversePath::Mailbox(
                Mailbox::parse("a@strict.example", Grammar::default()).unwrap(),
            );
            let now = Now { moment: Moment::START, wall: UnixSeconds(1_795_527_240) };
            let (checks, client) = (Arc::default(), client(ip));
            let asker = asker.clone();
            let mut inquiry = Inquiry::begin(&checks, asker, &client, "mx.example", &sender, now);
            inquiry.go_on(claims.wanted());
            assert!(inquiry.poll(now.moment));
            let _told = inquiry.conclude(claims, now.wall);
        }
    }
    let rows = seen.take();
    let told: Vec<_> = rows.iter().map(|row| (row.day.0, &*row.domain, row.count)).collect();
    let day = 1_795_478_400;
    assert_eq!(told, [(day, "strict.example", 1), (day, "strict.example", 2)]);
    let row: serde_json::Value = serde_json::from_str(&rows[0].facts).unwrap();
    assert_eq!(row["source_ip"], "192.0.2.2");
    assert_eq!(
        (&row["disposition"], &row["spf"], &row["dkim"]),
        (&"reject".into(), &"fail".into(), &"fail".into())
    );
    assert_eq!(
        (&row["header_from"], &row["policy"]["p"]),
        (&"sub.strict.example".into(), &"reject".into())
    );
    assert!(seen.take().is_empty());
}

/// A key of a domain, and its record.
fn key(domain: &str) -> (SigningKey, String) {
    let key = SigningKey::from_pkcs8(&KeyKind::Ed25519.make().unwrap()).unwrap();
    let record = format!("s1._domainkey.{domain}. TXT \"{}\"\n", key.record());
    (key, record)
}

/// What comes of a whole message that list.example passes on.
fn passed_on(checks: &Checks, records: &str, head: &str, body: &str) -> (String, Verdict, String) {
    let mut gatherer = Gatherer::new(100_000);
    gatherer.push(head.as_bytes()).unwrap();
    let mut claims = Claims::of(&gatherer.into_head()).unwrap();
    claims.push(body.as_bytes());
    let sender = Mailbox::parse("list@list.example", Grammar::default()).unwrap();
    let now = Now { moment: Moment::START, wall: UnixSeconds(1_795_527_240) };
    let (checks, client) = (Arc::new(checks.clone()), client("192.0.2.2"));
    let sender = ReversePath::Mailbox(sender);
    let asker = asker_with(records);
    let mut inquiry = Inquiry::begin(&checks, asker, &client, "mx.example", &sender, now);
    inquiry.go_on(claims.wanted());
    assert!(inquiry.poll(now.moment));
    let (facts, judgement, fields) = inquiry.conclude(claims, now.wall);
    (summary(&facts), judgement.verdict, fields)
}

#[test]
fn signatures_and_seals_stand_behind_a_message() {
    let (random, now) = (ring::rand::SystemRandom::new(), UnixSeconds(1_795_527_240));
    let name = |text| Name::parse(text).unwrap();
    let head = "From: a@strict.example\r\nSubject: Hi\r\n\r\n";
    let ((own, own_record), (list, list_record)) = (key("strict.example"), key("list.example"));
    let records = own_record + &list_record;
    let mut signer = Signer::new(Terms::new(name("strict.example"), name("s1")));
    signer.push(b"Hello\r\n");
    let signed = signer.finish(head.as_bytes(), &own, now, &random).unwrap() + head;
    let checks = Checks::default();
    let (found, verdict, _) = passed_on(&checks, &records, &signed, "Hello\r\n");
    assert_eq!(found, "iprev=permerror spf=fail dkim=pass dmarc=pass");
    assert_eq!(verdict, Verdict::Accept);
    // The list adds a line, and says under its seal that all was well before.
    let body = "Hello\r\n-- list\r\n";
    let mut sealer = Sealer::new(arc::terms(name("list.example"), name("s1")));
    sealer.push(body.as_bytes());
    let results = [Method::new("dmarc", "pass").with("header", "from", "strict.example")];
    let results = ("list.example", &results[..]);
    let status = arc::Status::None;
    let seal = sealer.finish(signed.as_bytes(), status, results, &list, now, &random).unwrap();
    let sealed = seal.unwrap() + &signed;
    let (found, verdict, fields) = passed_on(&checks, &records, &sealed, body);
    assert_eq!(found, "iprev=permerror spf=fail dkim=fail dmarc=fail arc=pass");
    assert!(
        matches!(verdict, Verdict::Refuse(_)),
        "nobody has said that the list is to be believed"
    );
    assert!(fields.contains("arc=pass (one set, by list.example)"), "{fields}");
    let checks =
        Checks { forwarders: vec![Forwarder::Domain(name("list.example"))], ..Checks::default() };
    assert_eq!(passed_on(&checks, &records, &sealed, body).1, Verdict::Accept);
    let (found, verdict, _) = passed_on(&checks, &records, &sealed, "Hello\r\nBuy this\r\n");
    assert_eq!(found, "iprev=permerror spf=fail dkim=fail dmarc=fail arc=fail");
    assert!(matches!(verdict, Verdict::Refuse(_)));
}

/// What could not be asked for might have been a pass: the client is to come again.
#[test]
fn a_key_that_cannot_be_had_now_puts_mail_off_that_would_be_refused() {
    let random = ring::rand::SystemRandom::new();
    let name = |text| Name::parse(text).unwrap();
    let (key, _) = key("strict.example");
    let head = "From: a@strict.example\r\n\r\n";
    let mut signer = Signer::new(Terms::new(name("strict.example"), name("s1")));
    signer.push(b"Hello\r\n");
    let now = UnixSeconds(1_795_527_240);
    let signed = signer.finish(head.as_bytes(), &key, now, &random).unwrap() + head;
    let mut claims = claims(&signed).unwrap();
    claims.push(b"Hello\r\n");
    let mut inquiry = begin(&Checks::default(), "192.0.2.2", "a@strict.example");
    inquiry.go_on(claims.wanted());
    assert!(inquiry.poll(Moment::START));
    let Slot::Known(late) = &mut inquiry.late else { panic!() };
    late.keys.values_mut().for_each(|answer| *answer = dkim::KeyAnswer::Failed);
    let (facts, judgement, _) = inquiry.conclude(claims, now);
    assert_eq!(summary(&facts), "iprev=permerror spf=fail dkim=temperror dmarc=temperror");
    let Verdict::Refuse(reply) = judgement.verdict else { panic!("{judgement:?}") };
    assert_eq!(reply.code().number(), 451);
}
