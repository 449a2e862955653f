use proptest::prelude::*;

use super::*;
use crate::dns::{Answer, Data, Failure, Lookup, Name, Question, Zone};
use crate::message::Gatherer;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Runs a search in a zone; names in `trouble` cannot be looked up. Says how much was asked.
fn search(author: &str, identifiers: &[&str], zone: &str, trouble: &[&str]) -> (Found, usize) {
    let mut records = Zone::default();
    records.read(&format!("$TTL 60\n{zone}"), &Name::root()).unwrap();
    let identifiers = identifiers.iter().map(|text| name(text)).collect();
    let mut discovery = Discovery::new(name(author), identifiers);
    let mut asked = 0;
    loop {
        match discovery.step() {
            Step::Ask(question) => {
                asked += 1;
                let lookup = match trouble.contains(&question.name.as_str()) {
                    true => Err(Failure::Trouble("SERVFAIL".into())),
                    false => records.lookup(&question),
                };
                discovery.answered(&question, &lookup);
            }
            Step::Done(found) => return (*found, asked),
        }
    }
}

#[test]
fn records_are_read_as_far_as_they_can_be() {
    let read = |text: &str| Record::parse(text.as_bytes());
    let record = read(
        "v=DMARC1; p=Reject;sp=quarantine; np=none; adkim=s; aspf=r; t=y; psd=n; fo=1:d; \
         rua=mailto:a@example.org, mailto:b@example.net!10m,https://x.example ; ruf=mailto:c@d;",
    );
    let record = record.unwrap();
    assert_eq!(record.policy, Policy::Reject);
    assert_eq!(record.subdomains, Some(Policy::Quarantine));
    assert_eq!(record.nonexistent, Some(Policy::None));
    assert_eq!((record.dkim, record.spf), (Alignment::Strict, Alignment::Relaxed));
    assert_eq!((record.testing, record.suffix), (true, SuffixDomain::No));
    assert_eq!(record.aggregate_to, ["a@example.org", "b@example.net"]);
    assert_eq!((record.failures_to, &*record.failure_options), (vec!["c@d".into()], "1:d"));
    for (text, policy) in [
        ("v=DMARC1;p=none", Ok(Policy::None)),
        ("v=DMARC1 ; rua=mailto:a@b ; p = quarantine", Ok(Policy::Quarantine)),
        ("v=DMARC1;p=reject;p=none", Ok(Policy::Reject)),
        ("V = DMARC1;p=reject;adkim=x;x;=;y=z", Ok(Policy::Reject)),
        ("v=DMARC1;p=reject;sp=moo", Err(RecordFault::NoPolicy)),
        ("v=DMARC1;p=reject;np=moo;rua=mailto:a@b", Ok(Policy::None)),
        ("v=DMARC1;p=moo;rua=mailto:a@b", Ok(Policy::None)),
        ("v=DMARC1;rua=mailto:a@b", Ok(Policy::None)),
        ("v=DMARC1;rua=http:a@b", Err(RecordFault::NoPolicy)),
        ("v=DMARC1;p=moo", Err(RecordFault::NoPolicy)),
        ("v=DMARC1", Err(RecordFault::NoPolicy)),
    ] {
        assert_eq!(read(text).map(|record| record.policy), policy, "{text}");
    }
    for (text, testing) in [
        ("v=DMARC1;p=reject;pct=0", true),
        ("v=DMARC1;p=reject;pct=50", false),
        ("v=DMARC1;p=reject;pct=0;t=n", false),
    ] {
        assert_eq!(read(text).unwrap().testing, testing, "{text}");
    }
}

#[test]
fn who_has_said_what_and_where_the_organization_ends() {
    for (author, zone, organization, published, policy) in [
        ("a.b.c", "", "a.b.c", None, ""),
        ("b.c", "_dmarc.b.c TXT \"v=DMARC1;p=reject\"", "b.c", Some("b.c"), "reject"),
        // What is not a record is passed over, and of several none counts.
        (
            "b.c",
            "_dmarc.b.c TXT \"v=spf1 -all\"\n_dmarc.b.c TXT \"v=DMARC1;p=reject\"",
            "b.c",
            Some("b.c"),
            "reject",
        ),
        (
            "b.c",
            "_dmarc.b.c TXT \"v=DMARC1;p=none\"\n_dmarc.b.c TXT \"v=DMARC1;p=reject\"",
            "b.c",
            None,
            "",
        ),
        ("b.c", "_dmarc.b.c TXT \"v=DMARC10;p=none\"", "b.c", None, ""),
        // One that cannot be understood ends it.
        (
            "a.b.c",
            "_dmarc.a.b.c TXT \"v=DMARC1;p=moo\"\n_dmarc.b.c TXT \"v=DMARC1;p=reject\"",
            "b.c",
            None,
            "",
        ),
        ("b.c", "_dmarc.b.c TXT \"V=DMARC1;p=reject\"", "b.c", Some("b.c"), "reject"),
        // Below the organization: `sp` where there is one.
        ("a.b.c", "_dmarc.b.c TXT \"v=DMARC1;p=reject\"", "b.c", Some("b.c"), "reject"),
        ("a.b.c", "_dmarc.b.c TXT \"v=DMARC1;p=reject;sp=none\"", "b.c", Some("b.c"), "none"),
        // `np` where the domain is not there.
        ("a.b.c", "_dmarc.b.c TXT \"v=DMARC1;p=none;np=reject\"", "b.c", Some("b.c"), "reject"),
        (
            "a.b.c",
            "a.b.c MX 10 m.b.c.\n_dmarc.b.c TXT \"v=DMARC1;p=none;np=reject\"",
            "b.c",
            Some("b.c"),
            "none",
        ),
        // The highest record is that of the organization, but the nearest policy is the domain's.
        (
            "a.b.c",
            "_dmarc.a.b.c TXT \"v=DMARC1;p=none\"\n_dmarc.b.c TXT \"v=DMARC1;p=reject\"",
            "b.c",
            Some("a.b.c"),
            "none",
        ),
        // psd=n ends the way.
        (
            "a.b.c.d",
            "_dmarc.b.c.d TXT \"v=DMARC1;p=quarantine;psd=n\"\n_dmarc.c.d TXT \"v=DMARC1;p=reject\"",
            "b.c.d",
            Some("b.c.d"),
            "quarantine",
        ),
        // psd=y: the organization is one label below.
        ("a.b.c.d", "_dmarc.c.d TXT \"v=DMARC1;p=reject;psd=y\"", "b.c.d", Some("c.d"), "reject"),
        (
            "a.b.c.d",
            "_dmarc.c.d TXT \"v=DMARC1;p=reject;psd=y\"\n_dmarc.b.c.d TXT \"v=DMARC1;p=none\"",
            "b.c.d",
            Some("b.c.d"),
            "none",
        ),
        ("c.d", "_dmarc.c.d TXT \"v=DMARC1;p=reject;psd=y\"", "c.d", Some("c.d"), "reject"),
    ] {
        let (found, asked) = search(author, &[], zone, &[]);
        let told = found.published.unwrap();
        assert_eq!(found.organization.as_str(), organization, "{author}: {zone}");
        assert_eq!(told.as_ref().map(|told| told.domain.as_str()), published, "{author}: {zone}");
        let found = told.map_or("", |told| told.policy.name());
        assert_eq!(found, policy, "{author}: {zone}");
        assert!(asked <= 11);
    }
}

/// RFC 9989 §4.10: of a long name the labels between are left out.
#[test]
fn long_names_cost_eight_questions() {
    let long = "a.b.c.d.e.f.g.h.i.j.mail.example.com";
    let (found, asked) = search(long, &[], "_dmarc.example.com TXT \"v=DMARC1;p=reject\"", &[]);
    assert_eq!((found.organization.as_str(), asked), ("example.com", 8));
}

#[test]
fn alignment() {
    let relaxed = "_dmarc.b.c TXT \"v=DMARC1;p=reject\"";
    let strict = "_dmarc.b.c TXT \"v=DMARC1;p=reject;adkim=s;aspf=s\"";
    let apart = "_dmarc.b.c TXT \"v=DMARC1;p=reject\"\n_dmarc.x.b.c TXT \"v=DMARC1;p=none;psd=n\"";
    for (zone, author, proved, verdict) in [
        (relaxed, "b.c", "b.c", Verdict::Pass),
        (relaxed, "b.c", "a.b.c", Verdict::Pass),
        (relaxed, "a.b.c", "b.c", Verdict::Pass),
        (relaxed, "a.b.c", "x.b.c", Verdict::Pass),
        (relaxed, "b.c", "c", Verdict::Fail),
        (relaxed, "b.c", "xb.c", Verdict::Fail),
        (strict, "b.c", "b.c", Verdict::Pass),
        (strict, "b.c", "a.b.c", Verdict::Fail),
        (apart, "b.c", "x.b.c", Verdict::Fail),
        (apart, "x.b.c", "b.c", Verdict::Fail),
        (apart, "y.x.b.c", "x.b.c", Verdict::Pass),
    ] {
        let (found, _) = search(author, &[proved], zone, &[]);
        let by_spf = Evidence { spf: Some(name(proved)), ..Evidence::default() };
        let by_dkim =
            Evidence { dkim: vec![name("other.example"), name(proved)], ..by_spf.clone() };
        let outcome = found.evaluate(&by_spf);
        assert_eq!(outcome.verdict, verdict, "{zone}: {author} {proved}");
        assert_eq!(outcome.spf_aligned, verdict == Verdict::Pass);
        assert_eq!(found.evaluate(&by_dkim).dkim_aligned, verdict == Verdict::Pass);
    }
}

#[test]
fn what_could_not_be_found_out_is_no_verdict() {
    let zone = "_dmarc.b.c TXT \"v=DMARC1;p=reject\"";
    let verdict = |trouble: &[&str], evidence: Evidence| {
        let (found, _) = search("a.b.c", &["b.c", "x.b.c"], zone, trouble);
        found.evaluate(&evidence).verdict
    };
    let dkim = |domain: &str| Evidence { dkim: vec![name(domain)], ..Evidence::default() };
    assert_eq!(verdict(&["_dmarc.a.b.c"], dkim("a.b.c")), Verdict::TempError);
    assert_eq!(verdict(&["_dmarc.c"], dkim("x.b.c")), Verdict::TempError);
    assert_eq!(verdict(&["_dmarc.x.b.c"], dkim("x.b.c")), Verdict::TempError);
    assert_eq!(verdict(&["_dmarc.x.b.c"], dkim("b.c")), Verdict::Pass);
    assert_eq!(verdict(&["_dmarc.x.b.c"], dkim("other.example")), Verdict::Fail);
    let unknown = Evidence { dkim_trouble: vec![name("b.c")], ..Evidence::default() };
    assert_eq!(verdict(&[], unknown), Verdict::TempError);
    let strange = Evidence { spf_trouble: Some(name("other.example")), ..Evidence::default() };
    assert_eq!(verdict(&[], strange), Verdict::Fail);
    // What cannot be looked up is there: the milder policy.
    let zone = "_dmarc.b.c TXT \"v=DMARC1;p=none;np=reject\"";
    let (found, _) = search("a.b.c", &[], zone, &["a.b.c"]);
    assert_eq!(found.published.unwrap().unwrap().policy, Policy::None);
}

#[test]
fn a_policy_that_is_tried_is_one_milder() {
    for (record, disposition) in [
        ("p=reject", Policy::Reject),
        ("p=reject;t=y", Policy::Quarantine),
        ("p=quarantine;t=y", Policy::None),
        ("p=none", Policy::None),
    ] {
        let (found, _) = search("b.c", &[], &format!("_dmarc.b.c TXT \"v=DMARC1;{record}\""), &[]);
        assert_eq!(found.evaluate(&Evidence::default()).disposition, disposition, "{record}");
    }
}

#[test]
fn whom_a_message_is_from() {
    use crate::message::OriginFault;
    for (text, expected) in [
        ("From: Ann <a@B.example>\r\n", Ok(Author::Domain(name("b.example")))),
        ("From: a@b.example, c@B.EXAMPLE\r\n", Ok(Author::Domain(name("b.example")))),
        ("From: a@b\u{fc}.example\r\n", Ok(Author::Domain(name("xn--b-eha.example")))),
        ("From: a@b.example, c@d.example\r\n", Ok(Author::Several)),
        ("From: root\r\n", Ok(Author::Nobody)),
        ("From: a@[192.0.2.1]\r\n", Ok(Author::Nobody)),
        ("To: a@b\r\n", Err(OriginFault::Missing("From"))),
        ("From: a@b\r\nFrom: a@b\r\n", Err(OriginFault::Several("From"))),
    ] {
        let mut gatherer = Gatherer::new(1_000);
        gatherer.push(text.as_bytes()).unwrap();
        assert_eq!(author(&gatherer.into_head()), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn any_answers_end(
        text in "v ?= ?DMARC1;(( ?(p|sp|np|t|psd|rua|adkim|pct) ?=[a-z0-9:@,!]{0,9} ?;?){0,6}|.{0,40})",
        labels in 1_usize..30,
        seed in any::<u64>(),
    ) {
        let domain = vec!["a"; labels].join(".");
        let mut discovery = Discovery::new(name(&domain), vec![name(&format!("b.{domain}"))]);
        let (mut asked, mut seed) = (0, seed);
        loop {
            let question: Question = match discovery.step() {
                Step::Ask(question) => question,
                Step::Done(found) => {
                    let _outcome = found.evaluate(&Evidence::default());
                    break;
                }
            };
            asked += 1;
            prop_assert!(asked <= 20);
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let lookup: Lookup = match seed >> 62 {
                0 => Err(Failure::NoName { secure: false }),
                1 => Err(Failure::Trouble("x".into())),
                _ => Ok(Answer {
                    name: question.name.clone(),
                    records: vec![Data::Txt(text.clone().into_bytes())],
                    ttl: 1,
                    secure: false,
                }),
            };
            discovery.answered(&question, &lookup);
        }
    }
}
