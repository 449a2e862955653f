//! Which messages a command is about, and how it names them.

use crate::sim::prng::Prng;

use super::record::Record;
use super::view::View;

/// Messages that a client knows by number, UID and letter.
#[derive(Debug, Clone)]
pub(super) struct Picked {
    /// Their UIDs, ascending.
    pub(super) uids: Vec<u32>,
    /// Their letters.
    pub(super) letters: Vec<u64>,
    /// How they are named: by UID, or by number.
    pub(super) by_uid: bool,
    /// The set.
    pub(super) set: String,
}

impl Picked {
    /// `UID ` in front of a command where it is needed.
    pub(super) fn prefix(&self) -> &'static str {
        if self.by_uid { "UID " } else { "" }
    }
}

/// Some messages; `None` where the client knows none.
pub(super) fn some(view: &View, record: &Record, prng: &mut Prng) -> Option<Picked> {
    let known: Vec<(u32, u32, u64)> = view
        .seen
        .iter()
        .enumerate()
        .filter_map(|(at, seen)| {
            let uid = seen.uid?;
            let letter = record.letter_of(&view.mailbox, view.validity, uid)?;
            Some((u32::try_from(at).ok()? + 1, uid, letter))
        })
        .collect();
    if known.is_empty() {
        return None;
    }
    // Often one of those that others choose too.
    let hot = if prng.once_in(3) { known.len() } else { HOT };
    let from = known.len().saturating_sub(1 + prng.below(hot));
    let count = if prng.once_in(3) { prng.between(2, 9) } else { 1 };
    let run: Vec<_> = known.iter().skip(from).take(count).copied().collect();
    let by_uid = prng.once_in(2);
    let number = |one: &(u32, u32, u64)| if by_uid { one.1 } else { one.0 };
    // All in between are known where the numbers follow each other.
    let first = run.first().map_or(0, |one| one.0);
    let last = run.last().map_or(0, |one| one.0);
    let follow = usize::try_from(last - first).is_ok_and(|more| more + 1 == run.len());
    let set = match (run.as_slice(), follow && prng.once_in(2)) {
        ([one, .., other], true) if prng.once_in(3) => format!("{}:{}", number(other), number(one)),
        ([one, .., other], true) => format!("{}:{}", number(one), number(other)),
        _ => {
            let mut parts: Vec<_> = run.iter().map(|one| number(one).to_string()).collect();
            if prng.once_in(2) {
                parts.reverse();
            }
            parts.join(",")
        }
    };
    Some(Picked {
        uids: run.iter().map(|one| one.1).collect(),
        letters: run.iter().map(|one| one.2).collect(),
        by_uid,
        set,
    })
}

/// A set of UIDs as a server writes it (RFC 4315 §4: without `*`).
pub(super) fn uid_set(text: &str) -> Option<Vec<u32>> {
    let mut uids = Vec::new();
    for part in text.split(',') {
        let (from, to) = part.split_once(':').unwrap_or((part, part));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        let range = from.min(to)..=from.max(to);
        if range.clone().count() > 100_000 {
            return None;
        }
        uids.extend(range);
    }
    Some(uids)
}

/// How many of the last messages are chosen more often than others.
const HOT: usize = 5;
