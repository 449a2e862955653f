//! What stands in parentheses with SELECT, FETCH and STORE (RFC 4466 §2): parameters and modifiers.

use super::paging::{PartialRange, partial_range};
use super::primitive::{atom, byte, number, nz_number, space};
use super::sequence::{Numbers, SetRange, sequence_set};
use super::{Miss, Read};

/// Parameters of SELECT and EXAMINE.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectParams {
    /// `CONDSTORE` (RFC 7162 §3.1.8).
    pub condstore: bool,
    /// `QRESYNC (…)` (RFC 7162 §3.2.5).
    pub qresync: Option<Resync>,
}

/// What a client knows of a mailbox to which it comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resync {
    /// Its UIDVALIDITY.
    pub uidvalidity: u32,
    /// The MODSEQ up to which the client knows it.
    pub modseq: u64,
    /// The UIDs of which it wants to hear, in ranges that ascend and do not touch, both ends in
    /// them; all if `None`.
    pub known: Option<Vec<(u32, u32)>>,
    /// Which UIDs some messages had.
    pub sample: Option<Sample>,
}

/// Numbers of messages, and their UIDs: both in ranges that ascend, with both ends in them; the n-th
/// number goes with the n-th UID (RFC 7162 §3.2.5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Sequence numbers.
    pub numbers: Vec<(u32, u32)>,
    /// UIDs.
    pub uids: Vec<(u32, u32)>,
}

/// Modifiers of FETCH and UID FETCH.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FetchModifiers {
    /// `CHANGEDSINCE`: only messages with a higher MODSEQ (RFC 7162 §3.1.4.1).
    pub changed_since: Option<u64>,
    /// `VANISHED`: of those that are gone since then, too (RFC 7162 §3.2.6).
    pub vanished: bool,
    /// `PARTIAL`: only these of the messages, before anything else is asked of them (RFC 9394
    /// §3.3); with UID FETCH only.
    pub partial: Option<PartialRange>,
}

/// `[SP "(" select-param *(SP select-param) ")"]`.
pub(super) fn select_params(input: &[u8]) -> Read<'_, SelectParams> {
    let mut params = SelectParams::default();
    let (rest, ()) = optional(input, |at, name, rest| match name {
        "CONDSTORE" => {
            params.condstore = true;
            Ok((rest, ()))
        }
        "QRESYNC" if params.qresync.is_none() => {
            let (rest, resync) = resync(rest)?;
            params.qresync = Some(resync);
            Ok((rest, ()))
        }
        _ => Err(Miss::error(at, "a parameter of SELECT, once")),
    })?;
    Ok((rest, params))
}

/// `[SP "(" fetch-modifier *(SP fetch-modifier) ")"]`.
pub(super) fn fetch_modifiers(input: &[u8], uid: bool) -> Read<'_, FetchModifiers> {
    let mut modifiers = FetchModifiers::default();
    let (rest, ()) = optional(input, |at, name, rest| match name {
        "CHANGEDSINCE" if modifiers.changed_since.is_none() => {
            let (rest, modseq) = modseq(rest)?;
            modifiers.changed_since = Some(modseq);
            Ok((rest, ()))
        }
        // RFC 7162 §3.2.6: not with FETCH by number.
        "VANISHED" if uid => {
            modifiers.vanished = true;
            Ok((rest, ()))
        }
        "PARTIAL" if uid && modifiers.partial.is_none() => {
            let (rest, ()) = space(rest)?;
            let (rest, partial) = partial_range(rest)?;
            modifiers.partial = Some(partial);
            Ok((rest, ()))
        }
        _ => Err(Miss::error(at, "a modifier of FETCH, once")),
    })?;
    if modifiers.vanished && modifiers.changed_since.is_none() {
        return Err(Miss::error(input, "CHANGEDSINCE with VANISHED"));
    }
    Ok((rest, modifiers))
}

/// `[SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"]` (RFC 7162 §3.1.3).
pub(super) fn unchanged_since(input: &[u8]) -> Read<'_, Option<u64>> {
    let mut unchanged_since = None;
    let (rest, ()) = optional(input, |at, name, rest| match name {
        "UNCHANGEDSINCE" if unchanged_since.is_none() => {
            let (rest, modseq) = modseq(rest)?;
            unchanged_since = Some(modseq);
            Ok((rest, ()))
        }
        _ => Err(Miss::error(at, "a modifier of STORE, once")),
    })?;
    Ok((rest, unchanged_since))
}

/// `SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`
/// (RFC 7162 §7).
fn resync(input: &[u8]) -> Read<'_, Resync> {
    let (rest, ()) = space(input)?;
    let (rest, ()) = byte(rest, b'(', "an opening parenthesis")?;
    let (rest, uidvalidity) = nz_number(rest)?;
    let (mut rest, modseq) = modseq(rest)?;
    let mut resync = Resync { uidvalidity, modseq, known: None, sample: None };
    if let Some([b' ', b'0'..=b'9' | b'*' | b'$']) = rest.get(..2) {
        let (after, ()) = space(rest)?;
        let (after, mut known) = plain_set(after)?;
        known.sort_unstable();
        known.dedup_by(|next, kept| {
            let joins = next.0 <= kept.1.saturating_add(1);
            kept.1 = if joins { kept.1.max(next.1) } else { kept.1 };
            joins
        });
        resync.known = Some(known);
        rest = after;
    }
    if let Ok((after, ())) = space(rest) {
        let (after, ()) = byte(after, b'(', "an opening parenthesis")?;
        let (after, numbers) = ascending_set(after)?;
        let (after, ()) = space(after)?;
        let (after, uids) = ascending_set(after)?;
        (rest, ()) = byte(after, b')', "a closing parenthesis")?;
        resync.sample = Some(Sample { numbers, uids });
    }
    let (rest, ()) = byte(rest, b')', "a closing parenthesis")?;
    Ok((rest, resync))
}

/// A `sequence-set` of numbers alone, without `*`.
fn plain_set(input: &[u8]) -> Read<'_, Vec<(u32, u32)>> {
    let miss = || Miss::error(input, "a set of numbers without *");
    let (rest, set) = sequence_set(input)?;
    let Numbers::Ranges(ranges) = set else { return Err(miss()) };
    let plain = ranges.into_iter().map(|range| match range {
        SetRange(Some(one), Some(other)) => Some((one.min(other), one.max(other))),
        _ => None,
    });
    Ok((rest, plain.collect::<Option<_>>().ok_or_else(miss)?))
}

/// The same, in ascending order.
fn ascending_set(input: &[u8]) -> Read<'_, Vec<(u32, u32)>> {
    let (rest, set) = plain_set(input)?;
    if set.is_sorted_by(|before, next| before.1 < next.0) {
        Ok((rest, set))
    } else {
        Err(Miss::error(input, "numbers in ascending order"))
    }
}

/// `SP mod-sequence-valzer` (RFC 7162 §7). 0 is taken where only a positive one may stand, too:
/// there are clients that begin with it, and what they mean is clear.
fn modseq(input: &[u8]) -> Read<'_, u64> {
    let (rest, ()) = space(input)?;
    number(rest)
}

/// Nothing; or a space and, in parentheses, one or more that `one` reads: it is given where each
/// begins, its name in capitals, and what follows the name.
fn optional<'a>(
    input: &'a [u8],
    mut one: impl FnMut(&'a [u8], &str, &'a [u8]) -> Read<'a, ()>,
) -> Read<'a, ()> {
    if !input.starts_with(b" (") {
        return Ok((input, ()));
    }
    let (rest, ()) = space(input)?;
    let (mut rest, ()) = byte(rest, b'(', "an opening parenthesis")?;
    loop {
        let (after, name) = atom(rest)?;
        let (after, ()) = one(rest, &name.to_ascii_uppercase(), after)?;
        match after.split_first() {
            Some((b')', after)) => return Ok((after, ())),
            Some((b' ', after)) => rest = after,
            _ => return Err(Miss::error(after, "a space or closing parenthesis")),
        }
    }
}
