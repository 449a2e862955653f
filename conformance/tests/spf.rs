//! The OpenSPF test suite for RFC 7208: `conformance/data/spf`.

#[cfg(test)]
mod suite {
    use std::collections::BTreeMap;

    use pillarbox_core::UnixSeconds;
    use pillarbox_core::dns::{Answer, Data, Failure, Kind, Lookup, Name, Question};
    use pillarbox_core::spf::{Check, Client, Outcome, Step};
    use serde_json::{Map, Value};

    const SUITE: &str = include_str!("../data/spf/rfc7208-tests.json");

    /// Records by names in small letters.
    type Zone = BTreeMap<String, Vec<Value>>;

    fn text(value: &Value) -> &str {
        value.as_str().unwrap_or_default()
    }

    /// The suite's characters are bytes.
    fn bytes(value: &Value) -> Vec<u8> {
        match value {
            Value::Array(strings) => strings.iter().flat_map(bytes).collect(),
            other => text(other).chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect(),
        }
    }

    fn name(text: &str) -> Name {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Name::root();
        }
        Name::from_labels(text.split('.').map(str::as_bytes)).unwrap()
    }

    fn data(kind: Kind, value: &Value) -> Data {
        match kind {
            Kind::A => Data::A(text(value).parse().unwrap()),
            Kind::Aaaa => Data::Aaaa(text(value).parse().unwrap()),
            Kind::Ptr => Data::Ptr(name(text(value))),
            Kind::Txt => Data::Txt(bytes(value)),
            Kind::Mx => Data::Mx {
                preference: u16::try_from(value[0].as_u64().unwrap()).unwrap(),
                exchange: name(text(&value[1])),
            },
            other => panic!("{other:?}"),
        }
    }

    /// Of a name's list: all of a kind. Where it has no TXT, its SPF stands for it.
    fn of_kind(records: &[Value], kind: Kind) -> Vec<Data> {
        let all = |key: &str| -> Vec<Value> {
            records.iter().filter_map(|record| record.get(key)).cloned().collect()
        };
        let mut values = all(kind.name());
        if kind == Kind::Txt && values.is_empty() {
            values = all("SPF");
        }
        values.retain(|value| *value != "NONE");
        values.iter().map(|value| data(kind, value)).collect()
    }

    fn look_up(zone: &Zone, question: &Question) -> Lookup {
        let mut name = question.name.clone();
        for _ in 0..10 {
            let Some(records) = zone.get(name.as_str()) else {
                return Err(Failure::NoName { secure: false });
            };
            let found = of_kind(records, question.kind);
            if !found.is_empty() {
                return Ok(Answer { name, records: found, ttl: 60, secure: false });
            }
            match records.iter().find_map(|record| record.get("CNAME")) {
                Some(alias) => name = self::name(text(alias)),
                None if records.iter().any(|record| record == "TIMEOUT") => {
                    return Err(Failure::Trouble("no answer".into()));
                }
                None => return Err(Failure::NoRecord { secure: false }),
            }
        }
        Err(Failure::Trouble("a circle of aliases".into()))
    }

    fn run(test: &Map<String, Value>, zone: &Zone) -> (Outcome, usize) {
        let client = Client {
            ip: text(&test["host"]).parse().unwrap(),
            helo: text(&test["helo"]).to_owned(),
            receiver: "unknown".into(),
            single_labels: false,
        };
        let mut check = match text(&test["mailfrom"]).rsplit_once('@') {
            Some((local, domain)) => Check::mail_from(client, local, domain, UnixSeconds(0)),
            None => Check::helo(client, UnixSeconds(0)),
        };
        let mut questions = 0;
        loop {
            match check.step() {
                Step::Ask(question) => {
                    questions += 1;
                    check.answered(&look_up(zone, &question));
                }
                Step::Done(outcome) => return (*outcome, questions),
            }
        }
    }

    /// What is wrong with a test's outcome.
    fn flaw(test: &Map<String, Value>, outcome: &Outcome) -> Option<String> {
        let verdict = outcome.verdict.name();
        let allowed = match &test["result"] {
            Value::Array(several) => several.iter().any(|one| one == verdict),
            one => one == verdict,
        };
        if !allowed {
            let Outcome { problem, trail, .. } = outcome;
            return Some(format!("{verdict}, not {}: {problem:?} {trail:#?}", test["result"]));
        }
        let wanted = test.get("explanation").map(text).filter(|text| *text != "DEFAULT")?;
        let told = outcome.explanation.as_deref().unwrap_or_default();
        (wanted != told).then(|| format!("{told:?}, not {wanted:?}"))
    }

    #[test]
    fn every_case_passes() {
        let scenarios: Vec<Value> = serde_json::from_str(SUITE).unwrap();
        let (mut count, mut flaws) = (0, Vec::new());
        for scenario in &scenarios {
            let zone = scenario["zonedata"].as_object().unwrap().iter();
            let zone: Zone = zone
                .map(|(key, records)| (name(key).to_string(), records.as_array().unwrap().clone()))
                .collect();
            for (id, test) in scenario["tests"].as_object().unwrap() {
                count += 1;
                let (outcome, questions) = run(test.as_object().unwrap(), &zone);
                assert!(questions <= 122, "{id} asks {questions} questions");
                if let Some(flaw) = flaw(test.as_object().unwrap(), &outcome) {
                    flaws.push(format!("{} / {id}: {flaw}", scenario["description"]));
                }
            }
        }
        assert_eq!(count, 203);
        assert!(flaws.is_empty(), "{} of {count}:\n{}", flaws.len(), flaws.join("\n"));
    }
}
