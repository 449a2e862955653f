//! What SORT has in front of its search keys (RFC 5256 §5).

use super::primitive::{atom, byte, space};
use super::search::{Program, search_criteria};
use super::{Miss, Read};

/// One thing by which messages are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Criterion {
    /// What is compared.
    pub key: SortKey,
    /// Whether what is greater comes first.
    pub reverse: bool,
}

/// What SORT compares (RFC 5256 §3, RFC 5957 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortKey {
    /// When a message was received.
    Arrival,
    /// The local part of the first Cc address.
    Cc,
    /// When a message was sent.
    Date,
    /// The local part of the first From address.
    From,
    /// How many bytes a message has.
    Size,
    /// Its base subject.
    Subject,
    /// The local part of the first To address.
    To,
    /// What is shown of the first From address: its name, else the address.
    DisplayFrom,
    /// What is shown of the first To address.
    DisplayTo,
}

/// `SORT [RETURN (…)] (criteria) charset key …`, from the criteria on.
pub(super) fn sort<'a>(input: &'a [u8]) -> Read<'a, (Vec<Criterion>, Program<'a>)> {
    let (rest, returns) = super::search::return_options(input)?;
    let (rest, criteria) = criteria(rest)?;
    let (rest, ()) = space(rest)?;
    let (rest, program) = search_criteria(rest)?;
    Ok((rest, (criteria, Program { returns, ..program })))
}

/// `sort-criteria`, each key once: where two messages are the same by it, they are so again.
fn criteria(input: &[u8]) -> Read<'_, Vec<Criterion>> {
    let (mut rest, ()) = byte(input, b'(', "an opening parenthesis")?;
    let mut criteria: Vec<Criterion> = Vec::with_capacity(KEYS.len());
    loop {
        let (after, criterion) = criterion(rest)?;
        if !criteria.iter().any(|known| known.key == criterion.key) {
            criteria.push(criterion);
        }
        match after.split_first() {
            Some((b')', after)) => return Ok((after, criteria)),
            Some((b' ', after)) => rest = after,
            _ => return Err(Miss::error(after, "a space or closing parenthesis")),
        }
    }
}

fn criterion(input: &[u8]) -> Read<'_, Criterion> {
    let miss = || Miss::error(input, "a sort criterion");
    let (mut rest, mut name) = atom(input).map_err(|_| miss())?;
    let reverse = name.eq_ignore_ascii_case("REVERSE");
    if reverse {
        (rest, ()) = space(rest)?;
        (rest, name) = atom(rest).map_err(|_| miss())?;
    }
    let known = KEYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let (_, key) = known.ok_or_else(miss)?;
    Ok((rest, Criterion { key: *key, reverse }))
}

const KEYS: [(&str, SortKey); 9] = [
    ("ARRIVAL", SortKey::Arrival),
    ("CC", SortKey::Cc),
    ("DATE", SortKey::Date),
    ("FROM", SortKey::From),
    ("SIZE", SortKey::Size),
    ("SUBJECT", SortKey::Subject),
    ("TO", SortKey::To),
    ("DISPLAYFROM", SortKey::DisplayFrom),
    ("DISPLAYTO", SortKey::DisplayTo),
];
