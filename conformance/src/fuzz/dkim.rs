//! Key records, signatures and chains in a stranger's message.
//!
//! What stands before the first NUL is the record of every key; the rest is the message.

use std::collections::HashMap;

use pillarbox_core::UnixSeconds;
use pillarbox_core::arc::{Chain, SETS_MAX, Status, Validator};
use pillarbox_core::dkim::{KeyAnswer, KeyRecord, Limits, Outcome, Verdict, Verifier};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// How a body is cut makes no difference; nothing passes without a key; there are never more outcomes
/// than the limits say.
pub fn target(bytes: &[u8]) {
    let nul = bytes.iter().position(|byte| *byte == 0);
    let (record, message) = bytes.split_at(nul.unwrap_or(bytes.len()));
    let message = message.get(1..).unwrap_or_default();
    let blank = message.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = message.split_at(blank.map_or(message.len(), |at| at + 4));
    let usable = KeyRecord::parse(record).is_ok();

    let (whole, chain) = judged(record, head, &[body]);
    let pieces: Vec<_> = body.chunks(3).collect();
    let in_pieces = judged(record, head, &pieces);
    assert_eq!((&whole, &chain), (&in_pieces.0, &in_pieces.1));
    assert!(whole.len() <= Limits::default().signatures_max);
    assert!(chain.hops.len() <= usize::from(SETS_MAX));
    assert_eq!(chain.status == Status::Fail, chain.why.is_some());
    for outcome in whole {
        assert_eq!(outcome.verdict == Verdict::Pass, outcome.why.is_none());
        assert!(usable || outcome.verdict != Verdict::Pass);
    }
    assert!(usable || chain.status != Status::Pass);
}

fn judged(record: &[u8], head: &[u8], body: &[&[u8]]) -> (Vec<Outcome>, Chain) {
    let limits = Limits::default();
    let mut verifier = Verifier::new(head.to_vec(), limits);
    let mut validator = Validator::new(head.to_vec(), limits);
    for piece in body {
        verifier.push(piece);
        validator.push(piece);
    }
    let names = verifier.key_names().into_iter().chain(validator.key_names());
    let keys: HashMap<_, _> =
        names.map(|name| (name, KeyAnswer::Records(vec![record.to_vec()]))).collect();
    (verifier.finish(&keys, NOW), validator.finish(&keys, NOW))
}
