//! What THREAD has in front of its search keys (RFC 5256 §5).

use super::primitive::{atom, space};
use super::search::{Program, search_criteria};
use super::{Miss, Read};

/// By what messages are made into threads (RFC 5256 §3; REFS: draft-ietf-morg-inthread-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// By their base subjects.
    OrderedSubject,
    /// By the messages that they refer to, then by their base subjects.
    References,
    /// By the messages that they refer to; the thread that got a message last is last.
    Refs,
}

/// `THREAD algorithm charset key …`, from the algorithm on.
pub(super) fn thread(input: &[u8]) -> Read<'_, (Algorithm, Program<'_>)> {
    let miss = || Miss::error(input, "a threading algorithm");
    let (rest, name) = atom(input).map_err(|_| miss())?;
    let known = ALGORITHMS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let (_, algorithm) = known.ok_or_else(miss)?;
    let (rest, ()) = space(rest)?;
    let (rest, program) = search_criteria(rest)?;
    Ok((rest, (*algorithm, program)))
}

const ALGORITHMS: [(&str, Algorithm); 3] = [
    ("ORDEREDSUBJECT", Algorithm::OrderedSubject),
    ("REFERENCES", Algorithm::References),
    ("REFS", Algorithm::Refs),
];
