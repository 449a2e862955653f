//! What stands in parentheses with SELECT, FETCH and STORE (RFC 4466 §2): parameters and modifiers.

use super::primitive::{atom, byte, number, space};
use super::{Miss, Read};

/// Parameters of SELECT and EXAMINE.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectParams {
    /// `CONDSTORE` (RFC 7162 §3.1.8).
    pub condstore: bool,
}

/// Modifiers of FETCH and UID FETCH.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FetchModifiers {
    /// `CHANGEDSINCE`: only messages with a higher MODSEQ (RFC 7162 §3.1.4.1).
    pub changed_since: Option<u64>,
}

/// `[SP "(" select-param *(SP select-param) ")"]`.
pub(super) fn select_params(input: &[u8]) -> Read<'_, SelectParams> {
    let mut params = SelectParams::default();
    let (rest, ()) = optional(input, |at, name, rest| match name {
        "CONDSTORE" => {
            params.condstore = true;
            Ok((rest, ()))
        }
        _ => Err(Miss::error(at, "a parameter of SELECT")),
    })?;
    Ok((rest, params))
}

/// `[SP "(" fetch-modifier *(SP fetch-modifier) ")"]`.
pub(super) fn fetch_modifiers(input: &[u8]) -> Read<'_, FetchModifiers> {
    let mut modifiers = FetchModifiers::default();
    let (rest, ()) = optional(input, |at, name, rest| match name {
        "CHANGEDSINCE" if modifiers.changed_since.is_none() => {
            let (rest, modseq) = modseq(rest)?;
            modifiers.changed_since = Some(modseq);
            Ok((rest, ()))
        }
        _ => Err(Miss::error(at, "a modifier of FETCH, once")),
    })?;
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
