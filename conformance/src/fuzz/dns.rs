//! What a name server answers.
//!
//! The first byte chooses the kind that is asked for, and whether answers are the bytes as they are or
//! stand behind the question that they repeat; `|` parts answers.

use std::time::Duration;

use pillarbox_core::dns::{
    Cache, Data, Failure, Kind, Lookup, Name, Question, Resolution, Server, Settings, Step,
};
use pillarbox_core::effect::{Fault, FaultKind};
use pillarbox_core::{Moment, Random};

/// More than any question needs.
const STEPS_MAX: usize = 50;

/// The same on every run.
struct Ones;

impl Random for Ones {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0x11);
    }
}

/// Every question ends soon; nothing is believed that was not said; what comes out has one form.
pub fn target(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let kind = Kind::ALL.into_iter().cycle().nth(usize::from(first & 0x7f)).expect("it has no end");
    let name = Name::parse("a.example").expect("it is a name");
    let question = Question { name, kind };
    let servers = ["127.0.0.1:53", "127.0.0.2:53"]
        .map(|address| Server::at(address.parse().expect("it is an address")));
    let settings = Settings { servers: servers.to_vec(), ..Settings::default() };
    let mut resolution = Resolution::new(&question, &settings, 0);
    let mut answers = bytes.split(|byte| *byte == b'|');
    let mut proved = false;
    for _ in 0..STEPS_MAX {
        match resolution.step(&mut Ones) {
            Step::Done(outcome) => {
                check(kind, &outcome.lookup, proved);
                return remember(&question, &outcome.lookup, outcome.keep);
            }
            Step::Ask(exchange) => {
                let answer = answers.next().map(|answer| {
                    if first & 0x80 == 0 {
                        answer.to_vec()
                    } else {
                        behind(&exchange.question, answer)
                    }
                });
                let silence = || Fault::new(FaultKind::TimedOut, "silence");
                proved |= answer
                    .as_ref()
                    .and_then(|answer| answer.get(3))
                    .is_some_and(|flags| flags & 0x20 != 0);
                let _words = resolution.answered(answer.ok_or_else(silence)).to_string();
            }
        }
    }
    panic!("no end");
}

/// The header of an answer with the flags and counts that it begins with, the question, the rest.
fn behind(question: &[u8], answer: &[u8]) -> Vec<u8> {
    let (head, rest) = answer.split_at_checked(5).unwrap_or((answer, &[]));
    let of = |place: usize| head.get(place).copied().unwrap_or(0);
    let counts = [0, 1, 0, of(2), 0, of(3), 0, of(4)];
    let end = question.iter().skip(12).position(|byte| *byte == 0).unwrap_or(0) + 12 + 5;
    let asked = |from, to| question.get(from..to).expect("it is a question");
    [asked(0, 2), &[of(0) | 0x80, of(1)], &counts, asked(12, end), rest].concat()
}

fn check(kind: Kind, lookup: &Lookup, proved: bool) {
    let printable = |text: &str| assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    match lookup {
        Ok(answer) => {
            assert!(!answer.records.is_empty() && answer.ttl <= i32::MAX.cast_unsigned());
            assert!(answer.records.iter().all(|data| is_of(kind, data)), "{answer:?}");
            assert!(proved || !answer.secure);
            printable(answer.name.as_str());
            assert!(!answer.name.as_str().contains(' '));
            let again = Name::from_labels(
                answer.name.label_bytes().collect::<Vec<_>>().iter().map(Vec::as_slice),
            );
            assert_eq!(again.as_ref(), Ok(&answer.name));
        }
        Err(Failure::NoName { secure } | Failure::NoRecord { secure }) => {
            assert!(proved || !secure);
        }
        Err(Failure::Trouble(why)) => {
            printable(why);
            assert!(!why.is_empty() && why.len() < 1_000);
        }
    }
}

const fn is_of(kind: Kind, data: &Data) -> bool {
    matches!(
        (kind, data),
        (Kind::A, Data::A(_))
            | (Kind::Aaaa, Data::Aaaa(_))
            | (Kind::Ptr, Data::Ptr(_))
            | (Kind::Mx, Data::Mx { .. })
            | (Kind::Txt, Data::Txt(_))
            | (Kind::Cname, Data::Cname(_))
            | (Kind::Ns, Data::Ns(_))
            | (Kind::Soa, Data::Soa { .. })
            | (Kind::Tlsa, Data::Tlsa { .. })
            | (Kind::Srv, Data::Srv { .. })
            | (Kind::Caa, Data::Caa { .. })
            | (Kind::Svcb | Kind::Https, Data::Svcb { .. })
    )
}

fn remember(question: &Question, lookup: &Lookup, keep: u32) {
    let mut cache = Cache::new(1 << 20);
    let now = Moment::START + Duration::from_secs(1);
    cache.keep(now, question, lookup, keep);
    if let Some(known) = cache.look(now, question) {
        assert!(keep > 0);
        assert_eq!(known.map(|answer| answer.records), lookup.clone().map(|it| it.records));
    }
}
