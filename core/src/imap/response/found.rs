//! What SEARCH and SORT have found.

use super::{Sink, decimal, number_set, string};
use crate::imap::grammar::{PartialRange, SearchReturn};

/// `* SEARCH …`: what was found, perhaps nothing; and the highest MODSEQ among it, if that was to be
/// told (RFC 7162 §3.1.6).
pub fn search(found: impl IntoIterator<Item = u32>, modseq: Option<u64>, out: &mut impl Sink) {
    numbers(b"* SEARCH", found, modseq, out);
}

/// `* SORT …`: what was found, in its order (RFC 5256 §4); and the highest MODSEQ, likewise
/// (RFC 7162 §7).
pub fn sort(found: impl IntoIterator<Item = u32>, modseq: Option<u64>, out: &mut impl Sink) {
    numbers(b"* SORT", found, modseq, out);
}

fn numbers(
    name: &[u8],
    found: impl IntoIterator<Item = u32>,
    modseq: Option<u64>,
    out: &mut impl Sink,
) {
    out.put(name);
    for number in found {
        out.put(b" ");
        decimal(number.into(), out);
    }
    if let Some(modseq) = modseq {
        out.put(b" (MODSEQ ");
        decimal(modseq, out);
        out.put(b")");
    }
    out.put(b"\r\n");
}

/// `* ESEARCH (TAG "…") …`: of what was found, what the search or sort of this tag was to tell
/// (RFC 4731 §3.1, §4), and the highest MODSEQ among that, if a MODSEQ was asked for (§3.2). What a
/// search finds ascends; what a sort does has its own order, and MIN and MAX are its first and last
/// (RFC 5267 §3.1).
///
/// ```
/// use pillarbox_core::imap::grammar::SearchReturn::{All, Count, Min};
/// use pillarbox_core::imap::response::extended_search;
/// let mut out = Vec::new();
/// extended_search("a", true, &[Count, All, Min], &[2, 10, 11], None, &mut out);
/// assert_eq!(out, b"* ESEARCH (TAG \"a\") UID MIN 2 ALL 2,10:11 COUNT 3\r\n");
/// ```
pub fn extended_search(
    tag: &str,
    uid: bool,
    wanted: &[SearchReturn],
    found: &[u32],
    modseq: Option<u64>,
    out: &mut impl Sink,
) {
    out.put(b"* ESEARCH (TAG ");
    string(tag.as_bytes(), out);
    out.put(if uid { b") UID" } else { b")" });
    // Where nothing was found there is no lowest, no highest and no set of them.
    if let (Some(first), Some(last)) = (found.first(), found.last()) {
        if wanted.contains(&SearchReturn::Min) {
            out.put(b" MIN ");
            decimal((*first).into(), out);
        }
        if wanted.contains(&SearchReturn::Max) {
            out.put(b" MAX ");
            decimal((*last).into(), out);
        }
        if wanted.contains(&SearchReturn::All) {
            out.put(b" ALL");
            number_runs(found, out);
        }
    }
    for option in wanted {
        if let SearchReturn::Partial(range) = option {
            partial(*range, found, out);
        }
    }
    if wanted.contains(&SearchReturn::Count) {
        out.put(b" COUNT ");
        decimal(u64::try_from(found.len()).unwrap_or(u64::MAX), out);
    }
    if let Some(modseq) = modseq {
        out.put(b" MODSEQ ");
        decimal(modseq, out);
    }
    out.put(b"\r\n");
}

/// `PARTIAL (range set)`: the range as it was asked for, and what of the found lies in it
/// (RFC 9394 §3.1).
fn partial(range: PartialRange, found: &[u32], out: &mut impl Sink) {
    let sign: &[u8] = if range.from_end { b"-" } else { b"" };
    out.put(b" PARTIAL (");
    out.put(sign);
    decimal(range.ends.0.into(), out);
    out.put(b":");
    out.put(sign);
    decimal(range.ends.1.into(), out);
    match found.get(range.of(found.len())) {
        Some(told) if !told.is_empty() => number_runs(told, out),
        _ => out.put(b" NIL"),
    }
    out.put(b")");
}

/// A space and numbers in their order, those that follow each other as ranges.
fn number_runs(numbers: &[u32], out: &mut impl Sink) {
    let runs = numbers.chunk_by(|before, next| before.checked_add(1) == Some(*next));
    number_set(runs.filter_map(|run| Some((*run.first()?, *run.last()?))), out);
}
