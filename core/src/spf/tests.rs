use proptest::prelude::*;

use super::*;
use crate::UnixSeconds;
use crate::dns::{Answer, Data, Failure, Kind, Lookup, Question};

fn client(ip: &str) -> Client {
    let helo = "mail.example.org".to_owned();
    let receiver = "mx.example.com".to_owned();
    Client { ip: ip.parse().unwrap(), helo, receiver, single_labels: false }
}

fn txt(question: &Question, text: &[u8]) -> Lookup {
    let (name, records) = (question.name.clone(), vec![Data::Txt(text.to_vec())]);
    Ok(Answer { name, records, ttl: 60, secure: false })
}

/// Runs a check; says how many questions it has asked.
fn run(mut check: Check, mut answer: impl FnMut(&Question) -> Lookup) -> (Outcome, usize) {
    let mut asked = 0;
    loop {
        match check.step() {
            Step::Ask(question) => {
                asked += 1;
                assert!(asked <= 122, "{question}");
                check.answered(&answer(&question));
            }
            Step::Done(outcome) => return (*outcome, asked),
        }
    }
}

fn from(domain: &str, ip: &str) -> Check {
    Check::mail_from(client(ip), "ann", domain, UnixSeconds(1_795_527_240))
}

#[test]
fn terms_are_read_or_refused() {
    for (record, fault) in [
        ("v=spf1", None),
        ("v=spf1  -all  ", None),
        ("V=SPF1 +A:Example.org/24//64 mx//128 ptr ?ip4:192.0.2.0/0 x-y.z=%{d}", None),
        ("v=spf1 a:%{l1r+-}.example.org exists:%{ir}.%{v}.%{D2}", None),
        ("v=spf1 all:x", Some(SyntaxFault::Argument)),
        ("v=spf1 include", Some(SyntaxFault::Domain)),
        ("v=spf1 include:", Some(SyntaxFault::Domain)),
        ("v=spf1 a:localhost", Some(SyntaxFault::Domain)),
        ("v=spf1 a:a.-b", Some(SyntaxFault::Domain)),
        ("v=spf1 a:a.1", Some(SyntaxFault::Domain)),
        ("v=spf1 a:%{c}", Some(SyntaxFault::Macro)),
        ("v=spf1 a:%{d0}", Some(SyntaxFault::Macro)),
        ("v=spf1 a:%x.org", Some(SyntaxFault::Macro)),
        ("v=spf1 a:%{d.org", Some(SyntaxFault::Macro)),
        ("v=spf1 ip4:192.0.2.1/33", Some(SyntaxFault::Network)),
        ("v=spf1 ip4:192.0.2.1/024", Some(SyntaxFault::Network)),
        ("v=spf1 ip6:2001:db8::1/129", Some(SyntaxFault::Network)),
        ("v=spf1 redirect=a.org redirect=b.org", Some(SyntaxFault::Repeated)),
        ("v=spf1 exp=a.org EXP=b.org", Some(SyntaxFault::Repeated)),
        ("v=spf1 moo", Some(SyntaxFault::Mechanism)),
        ("v=spf1 x=%{z}", Some(SyntaxFault::Macro)),
        ("v=spf1 a:\u{e4}.org", Some(SyntaxFault::Character)),
        ("v=spf1 a\t-all", Some(SyntaxFault::Mechanism)),
    ] {
        let found = Record::parse(record.as_bytes());
        assert_eq!(found.err().map(|malformed| malformed.fault), fault, "{record}");
    }
}

/// RFC 7208 §7.4.
#[test]
fn macros_stand_for_what_the_rfc_says() {
    for (ip, text, expected) in [
        ("192.0.2.3", "%{s}", "strong-bad@email.example.com"),
        ("192.0.2.3", "%{o}", "email.example.com"),
        ("192.0.2.3", "%{d4}", "email.example.com"),
        ("192.0.2.3", "%{d3}", "email.example.com"),
        ("192.0.2.3", "%{d2}", "example.com"),
        ("192.0.2.3", "%{d1}", "com"),
        ("192.0.2.3", "%{dr}", "com.example.email"),
        ("192.0.2.3", "%{d2r}", "example.email"),
        ("192.0.2.3", "%{l}", "strong-bad"),
        ("192.0.2.3", "%{l-}", "strong.bad"),
        ("192.0.2.3", "%{lr}", "strong-bad"),
        ("192.0.2.3", "%{lr-}", "bad.strong"),
        ("192.0.2.3", "%{l1r-}", "strong"),
        ("192.0.2.3", "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("192.0.2.3", "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        (
            "2001:db8::cb01",
            "%{ir}.%{v}._spf.%{d2}",
            "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com",
        ),
        ("192.0.2.3", "%{S}%%%_%-", "strong-bad%40email.example.com% %20"),
        ("192.0.2.3", "%{c} %{t} %{h} %{r}", "192.0.2.3 7 mail.example.org mx.example.com"),
    ] {
        let parsed = MacroString::parse(text, true).unwrap();
        let domain = crate::dns::Name::parse("email.example.com").unwrap();
        let client = client(ip);
        let values = domain_spec::Values {
            ip: client.ip,
            helo: &client.helo,
            localpart: "strong-bad",
            sender_domain: "email.example.com",
            domain: &domain,
            validated: None,
            receiver: &client.receiver,
            now: UnixSeconds(7),
        };
        assert_eq!(parsed.expand(&values), expected, "{text}");
    }
}

#[test]
fn names_of_more_than_253_bytes_lose_labels_on_their_left() {
    let record = format!("v=spf1 exists:{}.%{{d}} -all", vec!["a".repeat(63); 4].join("."));
    let mut asked = Vec::new();
    let (outcome, _) = run(from("example.org", "192.0.2.7"), |question| {
        asked.push(question.to_string());
        match question.kind {
            Kind::Txt => txt(question, record.as_bytes()),
            _ => Err(Failure::NoName { secure: false }),
        }
    });
    assert_eq!(outcome.verdict, Verdict::Fail);
    assert_eq!(asked[1], format!("{}.example.org A", vec!["a".repeat(63); 3].join(".")));
}

#[test]
fn what_cannot_be_asked_for_is_an_error_and_never_a_verdict() {
    for record in [
        "v=spf1 a -all",
        "v=spf1 mx -all",
        "v=spf1 exists:%{i}.example.org -all",
        "v=spf1 include:other.example -all",
        "v=spf1 redirect=other.example",
    ] {
        let (outcome, _) = run(from("example.org", "192.0.2.7"), |question| {
            if question.to_string() == "example.org TXT" {
                return txt(question, record.as_bytes());
            }
            Err(Failure::Trouble("SERVFAIL".into()))
        });
        assert_eq!(outcome.verdict, Verdict::TempError, "{record}");
        assert!(outcome.problem.unwrap().to_string().ends_with(": SERVFAIL"));
    }
}

#[test]
fn a_bomb_costs_no_more_than_its_limits() {
    // Every record includes itself and asks for ten hosts of ten hosts.
    let bomb = b"v=spf1 mx:%{i}.a.example mx mx mx include:%{d} include:%{d} include:%{d}";
    let hosts = (0..10).map(|number| Data::Mx {
        preference: number,
        exchange: crate::dns::Name::parse(&format!("h{number}.example")).unwrap(),
    });
    let hosts: Vec<Data> = hosts.collect();
    let (outcome, asked) = run(from("example.org", "192.0.2.7"), |question| {
        let (name, secure) = (question.name.clone(), false);
        match question.kind {
            Kind::Txt => txt(question, bomb),
            Kind::Mx => Ok(Answer { name, records: hosts.clone(), ttl: 1, secure }),
            _ => {
                let records = vec![Data::A("198.51.100.1".parse().unwrap())];
                Ok(Answer { name, records, ttl: 1, secure })
            }
        }
    });
    assert_eq!(outcome.problem, Some(Problem::TooManyLookups));
    assert!(asked > 50 && asked <= 122, "{asked}");
    assert!(outcome.trail.len() <= 200);
}

#[test]
fn names_of_one_label_count_only_where_that_is_wanted() {
    for (single_labels, verdict) in [(false, Verdict::None), (true, Verdict::Pass)] {
        let client = Client { single_labels, ..client("192.0.2.7") };
        let check = Check::mail_from(client, "ann", "localhost", UnixSeconds(0));
        let (outcome, _) = run(check, |question| txt(question, b"v=spf1 ip4:192.0.2.7 -all"));
        assert_eq!(outcome.verdict, verdict);
    }
}

#[test]
fn letters_beyond_ascii() {
    // RFC 8616 §4: a name with U-labels is asked for with A-labels; a local part beyond ASCII makes
    // no name.
    let check =
        Check::mail_from(client("192.0.2.7"), "\u{e4}nn", "b\u{fc}cher.example", UnixSeconds(0));
    let mut asked = Vec::new();
    let (outcome, _) = run(check, |question| {
        asked.push(question.to_string());
        txt(question, b"v=spf1 exists:%{l}.a.example include:%{s}.b.example ip4:192.0.2.7 -all")
    });
    assert_eq!(asked, ["xn--bcher-kva.example TXT"]);
    assert_eq!(outcome.verdict, Verdict::Pass);
}

#[test]
fn the_field_holds_a_strangers_words_in_their_place() {
    let client = Client { helo: "a\r\nX: \"(y)".into(), ..client("2001:db8::1") };
    let check = Check::mail_from(client.clone(), "ann", "example.org", UnixSeconds(0));
    let (outcome, _) = run(check, |question| txt(question, b"v=spf1 ip6:2001:db8::/32 -all"));
    assert_eq!(
        outcome.received_spf(&client, "ann@example.org"),
        "Received-SPF: pass (SPF: example.org lets 2001:db8::1 send for it)\r\n\
         \tclient-ip=2001:db8::1; envelope-from=\"ann@example.org\";\r\n\
         \thelo=\"a??X: ?(y)\"; receiver=mx.example.com; identity=mailfrom;\r\n\
         \tmechanism=\"ip6:2001:db8::/32\"\r\n"
    );
}

#[test]
fn the_explanation_is_the_domains_own() {
    let (outcome, asked) =
        run(from("example.org", "192.0.2.7"), |question| match &*question.to_string() {
            "example.org TXT" => txt(question, b"v=spf1 -all exp=%{l}.why.%{d}"),
            "ann.why.example.org TXT" => {
                txt(question, b"%{i} is not ours: see http://%{d}/?s=%{S}")
            }
            _ => Err(Failure::NoName { secure: false }),
        });
    assert_eq!((outcome.verdict, asked), (Verdict::Fail, 2));
    let words = "192.0.2.7 is not ours: see http://example.org/?s=ann%40example.org";
    assert_eq!(outcome.explanation.as_deref(), Some(words));
    let decided = outcome.decided_by.unwrap();
    assert_eq!((decided.0.as_str(), &*decided.1), ("example.org", "-all"));
}

proptest! {
    #[test]
    fn any_record_ends(
        text in prop_oneof![
            "v=spf1( [-+~?]?(a|mx|ptr|include|exists|redirect=|exp=|ip4|ip6|all)[:/%{}a-z0-9.]{0,12}){0,12}",
            "v=spf1 .{0,60}",
        ],
        seed in any::<u64>(),
    ) {
        let mut seed = seed;
        let (outcome, _) = run(from("example.org", "192.0.2.7"), |question| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match (seed >> 60, question.kind) {
                (0..3, _) => Err(Failure::NoName { secure: false }),
                (3, _) => Err(Failure::Trouble("x".into())),
                (_, Kind::Txt) => txt(question, text.as_bytes()),
                _ => Err(Failure::NoRecord { secure: false }),
            }
        });
        let field = outcome.received_spf(&client("192.0.2.7"), "ann@example.org");
        prop_assert_eq!(field.matches("\r\n").count(), field.matches('\n').count());
        prop_assert!(!field.contains("\r\nX"));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _either = Record::parse(&[b"v=spf1 ".as_slice(), &bytes].concat());
    }
}
