//! LIST (RFC 3501 §6.3.8) with what RFC 5258 §6 and RFC 5819 §2 add to it.

use super::primitive::{astring, atom, byte, list_mailbox, space, word};
use super::request::{Request, StatusItem, status_items};
use super::{Miss, Read};

/// How many patterns one LIST may have.
pub const PATTERNS_MAX: usize = 64;

/// The options of an extended LIST, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListOptions {
    /// Which mailboxes are chosen.
    pub selects: Vec<ListSelect>,
    /// What is told of them beside their names.
    pub returns: Vec<ListReturn>,
    /// What STATUS is to tell of each of them.
    pub status: Vec<StatusItem>,
}

/// Which mailboxes an extended LIST chooses (RFC 5258 §3.1, RFC 6154 §2). REMOTE, which asks for
/// those of other servers too, is read and forgotten: there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListSelect {
    /// Names that are subscribed to, whether or not there is such a mailbox.
    Subscribed,
    /// Also names above those chosen.
    RecursiveMatch,
    /// Those with a special use.
    SpecialUse,
}

/// What an extended LIST tells (RFC 5258 §3.2, RFC 6154 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListReturn {
    /// Whether a name is subscribed to.
    Subscribed,
    /// Whether there are mailboxes below.
    Children,
    /// The special use.
    SpecialUse,
}

/// What follows `LIST`.
pub(super) fn list(input: &[u8]) -> Read<'_, Request<'_>> {
    let mut options = ListOptions::default();
    let (mut rest, ()) = space(input)?;
    let mut extended = false;
    if rest.first() == Some(&b'(') {
        let begin = rest;
        (rest, ()) = listed(rest, |rest| select(rest, &mut options.selects))?;
        // RFC 5258 §3.1: it says how others are to be taken, and so needs one of them.
        if options.selects == [ListSelect::RecursiveMatch] {
            return Err(Miss::error(begin, "what RECURSIVEMATCH goes with"));
        }
        (rest, ()) = space(rest)?;
        extended = true;
    }
    let (rest, reference) = astring(rest)?;
    let (mut rest, ()) = space(rest)?;
    let mut patterns = Vec::new();
    if rest.first() == Some(&b'(') {
        let begin = rest;
        (rest, ()) = listed(rest, |rest| {
            if patterns.len() == PATTERNS_MAX {
                return Err(Miss::error(rest, "at most 64 patterns"));
            }
            list_mailbox(rest).map(|(rest, pattern)| (rest, patterns.push(pattern)))
        })?;
        if patterns.is_empty() {
            return Err(Miss::error(begin, "at least one pattern"));
        }
        extended = true;
    } else {
        let (after, pattern) = list_mailbox(rest)?;
        patterns.push(pattern);
        rest = after;
    }
    if let Ok((after, ())) = word(rest, " RETURN ") {
        (rest, ()) = listed(after, |rest| option(rest, &mut options))?;
        extended = true;
    }
    Ok((rest, Request::List { reference, patterns, options: extended.then_some(options) }))
}

fn select<'a>(input: &'a [u8], selects: &mut Vec<ListSelect>) -> Read<'a, ()> {
    let miss = || Miss::error(input, "a selection option");
    let (rest, name) = atom(input).map_err(|_| miss())?;
    let known = SELECTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    match known.ok_or_else(miss)?.1 {
        Some(option) if !selects.contains(&option) => selects.push(option),
        _ => {}
    }
    Ok((rest, ()))
}

fn option<'a>(input: &'a [u8], options: &mut ListOptions) -> Read<'a, ()> {
    let miss = || Miss::error(input, "a return option");
    let (rest, name) = atom(input).map_err(|_| miss())?;
    // RFC 5819 §2.
    if name.eq_ignore_ascii_case("STATUS") {
        let (rest, ()) = space(rest)?;
        let (rest, items) = status_items(rest)?;
        options.status = items;
        return Ok((rest, ()));
    }
    let known = RETURNS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let (_, told) = known.ok_or_else(miss)?;
    if !options.returns.contains(told) {
        options.returns.push(*told);
    }
    Ok((rest, ()))
}

/// Parentheses around nothing, or around some with one space between them.
fn listed<'a>(input: &'a [u8], mut one: impl FnMut(&'a [u8]) -> Read<'a, ()>) -> Read<'a, ()> {
    let (mut rest, ()) = byte(input, b'(', "an opening parenthesis")?;
    if let Some((b')', after)) = rest.split_first() {
        return Ok((after, ()));
    }
    loop {
        let (after, ()) = one(rest)?;
        match after.split_first() {
            Some((b')', after)) => return Ok((after, ())),
            Some((b' ', after)) => rest = after,
            _ => return Err(Miss::error(after, "a space or closing parenthesis")),
        }
    }
}

const SELECTS: [(&str, Option<ListSelect>); 4] = [
    ("SUBSCRIBED", Some(ListSelect::Subscribed)),
    ("REMOTE", None),
    ("RECURSIVEMATCH", Some(ListSelect::RecursiveMatch)),
    ("SPECIAL-USE", Some(ListSelect::SpecialUse)),
];
const RETURNS: [(&str, ListReturn); 3] = [
    ("SUBSCRIBED", ListReturn::Subscribed),
    ("CHILDREN", ListReturn::Children),
    ("SPECIAL-USE", ListReturn::SpecialUse),
];
