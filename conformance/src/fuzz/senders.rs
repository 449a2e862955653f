//! SPF and DMARC records of strangers, whatever names they lead to.
//!
//! The first byte says what the net is like; what follows are the records, one a line.

use pillarbox_core::UnixSeconds;
use pillarbox_core::dmarc::{Discovery, Evidence, Step as DmarcStep};
use pillarbox_core::dns::{Answer, Data, Failure, Kind, Lookup, Name, Question};
use pillarbox_core::spf::{Check, Client, Record, Step, Verdict};

/// More than ten terms with ten hosts each can ask.
const QUESTIONS_MAX: usize = 122;

/// A check ends after a bounded number of questions, and its field cannot be broken out of; a search
/// for a policy ends, and its verdict is never a pass without evidence.
pub fn target(bytes: &[u8]) {
    let (kind, text) = bytes.split_first().unwrap_or((&0, &[]));
    let records: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    for record in &records {
        let _either = Record::parse(record);
    }
    let mut asked = 0_usize;
    let mut answer = |question: &Question| {
        asked += 1;
        assert!(asked <= QUESTIONS_MAX, "{question}");
        lookup(*kind, asked, question, &records)
    };
    let client = Client {
        ip: [192, 0, 2, 7].into(),
        helo: "mail.example".into(),
        receiver: "mx.example".into(),
        single_labels: false,
    };
    let mut check = Check::mail_from(client.clone(), "ann", "a.example", UnixSeconds(0));
    let outcome = loop {
        match check.step() {
            Step::Ask(question) => check.answered(&answer(&question)),
            Step::Done(outcome) => break outcome,
        }
    };
    let errs = matches!(outcome.verdict, Verdict::TempError | Verdict::PermError);
    assert_eq!(errs, outcome.problem.is_some());
    let field = outcome.received_spf(&client, "ann@a.example");
    let lines: Vec<&str> = field.split("\r\n").collect();
    assert!(lines.iter().all(|line| !line.contains(['\r', '\n', '\0'])), "{field}");
    assert!(lines.iter().skip(1).all(|line| line.is_empty() || line.starts_with('\t')), "{field}");

    let Ok(author) = Name::parse("a.b.c.d.example") else { return };
    let mut discovery = Discovery::new(author.clone(), vec![author]);
    let mut asked = 0_usize;
    loop {
        match discovery.step() {
            DmarcStep::Ask(question) => {
                asked += 1;
                assert!(asked <= 20, "{question}");
                discovery.answered(&question, &lookup(*kind, asked, &question, &records));
            }
            DmarcStep::Done(found) => {
                let outcome = found.evaluate(&Evidence::default());
                assert!(!outcome.dkim_aligned && !outcome.spf_aligned);
                break;
            }
        }
    }
}

/// Names are there or not, as the byte and the number of the question have it.
fn lookup(kind: u8, asked: usize, question: &Question, records: &[&[u8]]) -> Lookup {
    let name = question.name.clone();
    let chosen = asked.wrapping_mul(usize::from(kind) + 1);
    let data = match question.kind {
        _ if kind > 200 && chosen % 7 == 3 => return Err(Failure::Trouble("no answer".into())),
        _ if kind > 100 && chosen % 5 == 2 => return Err(Failure::NoName { secure: false }),
        Kind::Txt => {
            let record = records.get(chosen % records.len().max(1)).copied().unwrap_or_default();
            vec![Data::Txt(record.to_vec())]
        }
        Kind::A => vec![Data::A([192, 0, 2, 8].into())],
        Kind::Mx => (0..u16::from(kind % 13))
            .map(|preference| Data::Mx { preference, exchange: name.clone() })
            .collect(),
        Kind::Ptr => vec![Data::Ptr(name.clone()); usize::from(kind % 17)],
        _ => return Err(Failure::NoRecord { secure: false }),
    };
    if data.is_empty() {
        return Err(Failure::NoRecord { secure: false });
    }
    Ok(Answer { name, records: data, ttl: 1, secure: false })
}
