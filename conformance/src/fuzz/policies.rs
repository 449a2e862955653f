//! What domains say of TLS with their mail servers: MTA-STS, TLS reporting, DANE.

use pillarbox_core::UnixSeconds;
use pillarbox_core::dane::{Tlsa, authenticate};
use pillarbox_core::dns::{Data, Name};
use pillarbox_core::mta_sts::{self, MAX_AGE_MAX, Mode};
use pillarbox_core::tlsrpt::{
    Attempt, DESTINATIONS_MAX, Day, Destinations, Failure, Policy, Report, ResultType,
};

use crate::fuzz::Tape;

const WORDS: &[&str] = &[
    "v=STSv1;",
    "v=TLSRPTv1;",
    " ",
    ";",
    "=",
    ",",
    "id=20261124",
    "rua=mailto:a@b.example",
    "rua = https://b.example/x",
    "x-1.y=z",
    "version: STSv1\n",
    "mode: enforce\r\n",
    "mode: testing\n",
    "mode: none\n",
    "max_age: 86400\n",
    "max_age: 9999999999\n",
    "mx: mx.b.example\n",
    "mx: *.b.example\n",
    "mx:",
    "other: x\n",
    "\n",
    "\u{e4}",
    "\"",
    "\\",
    "\0",
];

/// Certificates that are none, records of any kind, and texts: what is taken has one form, and what
/// is told of it is JSON.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let (usage, selector, matching) = (tape.byte() % 4, tape.byte() % 3, tape.byte() % 4);
    dane(usage, selector, matching, bytes);
    let said = tape.said(WORDS);
    if let Ok(record) = mta_sts::Record::parse(&said) {
        let again = mta_sts::Record::parse(format!("v=STSv1; id={}", record.id).as_bytes());
        assert_eq!(again, Ok(record));
    }
    if let Ok(Destinations(places)) = Destinations::parse(&said) {
        assert!((1..=DESTINATIONS_MAX).contains(&places.len()));
        let again = format!("v=TLSRPTv1; rua={}", places.join(","));
        assert_eq!(Destinations::parse(again.as_bytes()), Ok(Destinations(places)));
    }
    if let Ok(policy) = mta_sts::Policy::parse(&said) {
        assert!(policy.max_age <= MAX_AGE_MAX);
        assert!(policy.mode == Mode::None || !policy.mx.is_empty());
        let again = mta_sts::Policy::parse(policy.to_text().as_bytes());
        assert_eq!(again.as_ref(), Ok(&policy));
        report(Policy::sts("b.example", &policy), &said);
    }
    report(Policy::none(&String::from_utf8_lossy(&said)), &said);
}

fn dane(usage: u8, selector: u8, matching: u8, bytes: &[u8]) {
    let association = bytes.get(3..).unwrap_or_default().to_vec();
    let data = Data::Tlsa { usage, selector, matching, association };
    if let Some(record) = Tlsa::usable(&data) {
        assert!(usage >= 2 && selector < 2 && matching < 3);
        let names = [Name::parse("mx.b.example").expect("it is a name")];
        let chain = [bytes, &record.association];
        let found = authenticate(std::slice::from_ref(&record), &chain, &names, UnixSeconds(0));
        assert!(found.is_err(), "nobody has certified these bytes: {found:?}");
    }
    let _in_words = Policy::tlsa("mx.b.example", &[data]);
}

fn report(policy: Policy, said: &[u8]) {
    let words = String::from_utf8_lossy(said).into_owned();
    let reason = Some(words.clone());
    let failure = Failure { reason, ..Failure::new(ResultType::ValidationFailure) };
    let mut day = Day::default();
    day.record(Attempt { policy, failure: Some(failure) });
    let report = Report {
        organization: words.clone(),
        contact: words.clone(),
        id: words,
        submitter: "a.example".into(),
        domain: "b.example".into(),
        start: UnixSeconds(0),
        day,
    };
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("it is JSON");
    for place in ["/contact-info", "/policies/0/failure-details/0/failure-reason-code"] {
        let text = json.pointer(place).and_then(serde_json::Value::as_str);
        assert_eq!(text, Some(&*report.contact));
    }
    assert!(report.file_name().is_ascii());
}
