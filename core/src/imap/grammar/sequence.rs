//! `sequence-set` (RFC 3501 §9, RFC 5182 §3): `1:*`, `*`, `2,4:7`, `$`.

use super::primitive::nz_number;
use super::{Miss, Read};

/// The most ranges that one set may have.
pub const RANGES_MAX: usize = 8_192;

/// One range of a set, both ends in it; `None` is `*`, the highest number there is. The ends may
/// come in either order (RFC 3501 §9: `4:2` is `2:4`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetRange(pub Option<u32>, pub Option<u32>);

/// Numbers as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Numbers {
    /// Ranges of them, at least one.
    Ranges(Vec<SetRange>),
    /// `$`: what the last search with SAVE has found (RFC 5182 §2.1).
    Saved,
}

pub(super) fn sequence_set(input: &[u8]) -> Read<'_, Numbers> {
    if let Some((b'$', rest)) = input.split_first() {
        return Ok((rest, Numbers::Saved));
    }
    let (mut rest, first) = range(input)?;
    let mut ranges = vec![first];
    while let Some((b',', after)) = rest.split_first() {
        if ranges.len() == RANGES_MAX {
            return Err(Miss::error(after, "at most 8192 ranges in a set"));
        }
        let (after, next) = range(after)?;
        ranges.push(next);
        rest = after;
    }
    Ok((rest, Numbers::Ranges(ranges)))
}

/// `seq-number` (RFC 3501 §9): one number.
pub(super) fn number(input: &[u8]) -> Read<'_, Numbers> {
    let (rest, number) = end_of_range(input)?;
    Ok((rest, Numbers::Ranges(vec![SetRange(number, number)])))
}

fn range(input: &[u8]) -> Read<'_, SetRange> {
    let (rest, from) = end_of_range(input)?;
    match rest.split_first() {
        Some((b':', after)) => {
            let (rest, to) = end_of_range(after)?;
            Ok((rest, SetRange(from, to)))
        }
        _ => Ok((rest, SetRange(from, from))),
    }
}

fn end_of_range(input: &[u8]) -> Read<'_, Option<u32>> {
    match input.split_first() {
        Some((b'*', rest)) => Ok((rest, None)),
        Some((digit, _)) if digit.is_ascii_digit() => {
            let (rest, number) = nz_number(input)?;
            Ok((rest, Some(number)))
        }
        _ => Err(Miss::error(input, "a number or *")),
    }
}
