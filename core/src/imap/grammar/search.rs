//! `search-key` (RFC 3501 §6.4.4, §9), with its depth and number bounded.

use super::paging::{PartialRange, partial_range};
use super::primitive::{Day, Text, astring, atom, byte, date, number, nz_number, space, string};
use super::sequence::{Numbers, sequence_set};
use super::{Miss, Read};
use crate::imap::object::is_id;

/// How deep keys may be nested.
pub const DEPTH_MAX: usize = 32;
/// How many keys one search may have, those inside others counted too.
pub const KEYS_MAX: usize = 1_024;

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<'a> {
    /// `ALL`.
    All,
    /// Message sequence numbers.
    Sequence(Numbers),
    /// `UID …`.
    Uid(Numbers),
    /// `RECENT`; `NEW` and `OLD` are made from it (RFC 3501 §6.4.4).
    Recent,
    /// `SEEN` and its kin: bit of a system flag ([`crate::imap::flags`]), and whether it is to be
    /// set.
    System(u64, bool),
    /// `KEYWORD` and `UNKEYWORD`: the keyword, and whether it is to be set.
    Keyword(&'a str, bool),
    /// `BEFORE`: received before this day.
    Before(Day),
    /// `ON`: received on this day.
    On(Day),
    /// `SINCE`: received on this day or later.
    Since(Day),
    /// `SAVEDBEFORE` (RFC 8514 §4.3).
    SavedBefore(Day),
    /// `SAVEDON`.
    SavedOn(Day),
    /// `SAVEDSINCE`.
    SavedSince(Day),
    /// `EMAILID` (RFC 8474 §6).
    EmailId(&'a str),
    /// `THREADID`.
    ThreadId(&'a str),
    /// `OLDER`: received this many seconds ago or earlier (RFC 5032 §1).
    Older(u32),
    /// `YOUNGER`: received at most this many seconds ago.
    Younger(u32),
    /// `SENTBEFORE`: the Date field names a day before this one.
    SentBefore(Day),
    /// `SENTON`: it names this day.
    SentOn(Day),
    /// `SENTSINCE`: it names this day or a later one.
    SentSince(Day),
    /// `HEADER`, and `FROM` and its kin: a field of this name has this text in it.
    Header(Text<'a>, Text<'a>),
    /// `BODY`: the text is in the body.
    Body(Text<'a>),
    /// `TEXT`: the text is in a header or in the body.
    Text(Text<'a>),
    /// `LARGER`: more bytes than this.
    Larger(u64),
    /// `SMALLER`: fewer bytes than this.
    Smaller(u64),
    /// `MODSEQ`: this MODSEQ or a higher one (RFC 7162 §3.1.5).
    ModSeq(u64),
    /// `NOT`.
    Not(Box<Self>),
    /// `OR`.
    Or(Box<Self>, Box<Self>),
    /// Several keys, all of which must hold: those of the whole search, or of parentheses.
    And(Vec<Self>),
}

/// What an extended search is to tell of what it finds (RFC 4731 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SearchReturn {
    /// The lowest number.
    Min,
    /// The highest.
    Max,
    /// All of them, as a set.
    All,
    /// How many there are.
    Count,
    /// Those of this range, in place of all (RFC 9394 §3.1).
    Partial(PartialRange),
    /// Nothing: what is found is to be kept for `$` (RFC 5182 §2.1).
    Save,
}

/// What follows `SEARCH`.
pub(super) struct Program<'a> {
    /// What is to be told, each once; `None` if the search is not an extended one.
    pub(super) returns: Option<Vec<SearchReturn>>,
    /// The charset, as written.
    pub(super) charset: Option<Text<'a>>,
    pub(super) key: Key<'a>,
}

/// `[RETURN (…)] [CHARSET …] key …`.
pub(super) fn program(input: &[u8]) -> Read<'_, Program<'_>> {
    let (rest, returns) = return_options(input)?;
    let (rest, charset) = match rest.split_at_checked(8) {
        Some((word, after)) if word.eq_ignore_ascii_case(b"CHARSET ") => {
            let (rest, charset) = astring(after)?;
            let (rest, ()) = space(rest)?;
            (rest, Some(charset))
        }
        _ => (rest, None),
    };
    let mut budget = KEYS_MAX;
    let (rest, key) = keys(rest, DEPTH_MAX, &mut budget)?;
    Ok((rest, Program { returns, charset, key }))
}

/// `search-criteria` (RFC 5256 §5): the charset must be there.
pub(super) fn search_criteria(input: &[u8]) -> Read<'_, Program<'_>> {
    let (rest, charset) = astring(input)?;
    let (rest, ()) = space(rest)?;
    let mut budget = KEYS_MAX;
    let (rest, key) = keys(rest, DEPTH_MAX, &mut budget)?;
    Ok((rest, Program { returns: None, charset: Some(charset), key }))
}

/// `RETURN (…)` and the space behind it, if it is there.
pub(super) fn return_options(input: &[u8]) -> Read<'_, Option<Vec<SearchReturn>>> {
    match input.split_at_checked(7) {
        Some((word, after)) if word.eq_ignore_ascii_case(b"RETURN ") => {
            let (rest, wanted) = returns(after)?;
            let (rest, ()) = space(rest)?;
            Ok((rest, Some(wanted)))
        }
        _ => Ok((input, None)),
    }
}

/// The list of `search-return-opts` (RFC 4731 §4).
fn returns(input: &[u8]) -> Read<'_, Vec<SearchReturn>> {
    let (mut rest, ()) = byte(input, b'(', "an opening parenthesis")?;
    // RFC 4731 §3.1: an empty list asks for ALL.
    if let Some((b')', after)) = rest.split_first() {
        return Ok((after, vec![SearchReturn::All]));
    }
    let mut wanted = Vec::with_capacity(RETURNS.len());
    loop {
        let (after, option) = return_option(rest)?;
        // RFC 9394 §3.1: all are told, or a range of them, but not both, nor two ranges.
        let ranges = |option: &_| matches!(option, SearchReturn::Partial(_));
        let excludes = |other: &SearchReturn| {
            let all = [option, *other].contains(&SearchReturn::All);
            ranges(&option) && ranges(other) || all && (ranges(&option) || ranges(other))
        };
        if wanted.iter().any(excludes) {
            return Err(Miss::error(rest, "only one of PARTIAL and ALL"));
        }
        if !wanted.contains(&option) {
            wanted.push(option);
        }
        match after.split_first() {
            Some((b')', after)) => return Ok((after, wanted)),
            Some((b' ', after)) => rest = after,
            _ => return Err(Miss::error(after, "a space or closing parenthesis")),
        }
    }
}

/// One of `search-return-opts`.
fn return_option(input: &[u8]) -> Read<'_, SearchReturn> {
    let miss = || Miss::error(input, "a result option");
    let (rest, name) = atom(input).map_err(|_| miss())?;
    if name.eq_ignore_ascii_case("PARTIAL") {
        let (rest, ()) = space(rest)?;
        return partial_range(rest).map(|(rest, range)| (rest, SearchReturn::Partial(range)));
    }
    let known = RETURNS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, option)| (rest, *option)).ok_or_else(miss)
}

/// One key or several, up to the end or a closing parenthesis.
fn keys<'a>(input: &'a [u8], depth: usize, budget: &mut usize) -> Read<'a, Key<'a>> {
    let (mut rest, first) = key(input, depth, budget)?;
    let Some(b' ') = rest.first() else { return Ok((rest, first)) };
    let mut keys = vec![first];
    while let Some((b' ', after)) = rest.split_first() {
        let (after, next) = key(after, depth, budget)?;
        keys.push(next);
        rest = after;
    }
    Ok((rest, Key::And(keys)))
}

fn key<'a>(input: &'a [u8], depth: usize, budget: &mut usize) -> Read<'a, Key<'a>> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Miss::error(input, "at most 32 nested search keys"));
    };
    *budget =
        budget.checked_sub(1).ok_or_else(|| Miss::error(input, "at most 1024 search keys"))?;
    match input.first() {
        Some(b'(') => {
            let (rest, ()) = byte(input, b'(', "(")?;
            let (rest, keys) = keys(rest, depth, budget)?;
            let (rest, ()) = byte(rest, b')', "a closing parenthesis")?;
            return Ok((rest, keys));
        }
        Some(b'*' | b'$' | b'0'..=b'9') => {
            return sequence_set(input).map(|(rest, set)| (rest, Key::Sequence(set)));
        }
        _ => {}
    }
    let miss = || Miss::error(input, "a search key");
    let (rest, name) = atom(input).map_err(|_| miss())?;
    let mut buffer = [0_u8; 20];
    let upper = buffer.get_mut(..name.len()).ok_or_else(miss)?;
    upper.copy_from_slice(name.as_bytes());
    upper.make_ascii_uppercase();
    if let Some(key) = plain(upper) {
        return Ok((rest, key));
    }
    let takes = argument(upper).ok_or_else(miss)?;
    let (rest, ()) = space(rest)?;
    match takes {
        Argument::Keys(1) => {
            let (rest, inner) = key(rest, depth, budget)?;
            Ok((rest, Key::Not(Box::new(inner))))
        }
        Argument::Keys(_) => {
            let (rest, one) = key(rest, depth, budget)?;
            let (rest, ()) = space(rest)?;
            let (rest, other) = key(rest, depth, budget)?;
            Ok((rest, Key::Or(Box::new(one), Box::new(other))))
        }
        Argument::Uids => sequence_set(rest).map(|(rest, set)| (rest, Key::Uid(set))),
        Argument::Keyword(set) => atom(rest).map(|(rest, name)| (rest, Key::Keyword(name, set))),
        Argument::Date(make) => date(rest).map(|(rest, day)| (rest, make(day))),
        Argument::Number(make) => number(rest).map(|(rest, size)| (rest, make(size))),
        Argument::ModSeq => modseq(rest).map(|(rest, modseq)| (rest, Key::ModSeq(modseq))),
        Argument::Interval(make) => nz_number(rest).map(|(rest, seconds)| (rest, make(seconds))),
        Argument::Object(object) => {
            let (after, id) = atom(rest)?;
            if !is_id(id) {
                return Err(Miss::error(rest, "an object identifier"));
            }
            Ok((after, if object == Object::Email { Key::EmailId(id) } else { Key::ThreadId(id) }))
        }
        Argument::Body => astring(rest).map(|(rest, text)| (rest, Key::Body(text))),
        Argument::Text => astring(rest).map(|(rest, text)| (rest, Key::Text(text))),
        Argument::Field(name) => {
            astring(rest).map(|(rest, text)| (rest, Key::Header(name.as_bytes().into(), text)))
        }
        Argument::Header => {
            let (rest, name) = astring(rest)?;
            let (rest, ()) = space(rest)?;
            astring(rest).map(|(rest, text)| (rest, Key::Header(name, text)))
        }
    }
}

/// Keys of one word.
fn plain(upper: &[u8]) -> Option<Key<'static>> {
    use crate::imap::flags::{ANSWERED, DELETED, DRAFT, FLAGGED, SEEN};
    Some(match upper {
        // RFC 8514 §4.3: every mailbox knows when messages came.
        b"ALL" | b"SAVEDATESUPPORTED" => Key::All,
        b"ANSWERED" => Key::System(ANSWERED, true),
        b"DELETED" => Key::System(DELETED, true),
        b"DRAFT" => Key::System(DRAFT, true),
        b"FLAGGED" => Key::System(FLAGGED, true),
        b"SEEN" => Key::System(SEEN, true),
        b"UNANSWERED" => Key::System(ANSWERED, false),
        b"UNDELETED" => Key::System(DELETED, false),
        b"UNDRAFT" => Key::System(DRAFT, false),
        b"UNFLAGGED" => Key::System(FLAGGED, false),
        b"UNSEEN" => Key::System(SEEN, false),
        b"NEW" => Key::And(vec![Key::Recent, Key::System(SEEN, false)]),
        b"OLD" => Key::Not(Box::new(Key::Recent)),
        b"RECENT" => Key::Recent,
        _ => return None,
    })
}

/// What stands behind the key's name.
enum Argument {
    Keys(usize),
    Uids,
    Keyword(bool),
    Date(fn(Day) -> Key<'static>),
    Number(fn(u64) -> Key<'static>),
    /// Seconds, at least one (RFC 5032).
    Interval(fn(u32) -> Key<'static>),
    ModSeq,
    /// An object's name (RFC 8474 §6).
    Object(Object),
    Body,
    Text,
    /// The text of the field with this name.
    Field(&'static str),
    /// The name of a field, and its text.
    Header,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Object {
    Email,
    Thread,
}

fn argument(upper: &[u8]) -> Option<Argument> {
    Some(match upper {
        b"NOT" => Argument::Keys(1),
        b"OR" => Argument::Keys(2),
        b"UID" => Argument::Uids,
        b"KEYWORD" => Argument::Keyword(true),
        b"UNKEYWORD" => Argument::Keyword(false),
        b"BEFORE" => Argument::Date(Key::Before),
        b"ON" => Argument::Date(Key::On),
        b"SINCE" => Argument::Date(Key::Since),
        b"SENTBEFORE" => Argument::Date(Key::SentBefore),
        b"SENTON" => Argument::Date(Key::SentOn),
        b"SENTSINCE" => Argument::Date(Key::SentSince),
        b"SAVEDBEFORE" => Argument::Date(Key::SavedBefore),
        b"SAVEDON" => Argument::Date(Key::SavedOn),
        b"SAVEDSINCE" => Argument::Date(Key::SavedSince),
        b"EMAILID" => Argument::Object(Object::Email),
        b"THREADID" => Argument::Object(Object::Thread),
        b"OLDER" => Argument::Interval(Key::Older),
        b"YOUNGER" => Argument::Interval(Key::Younger),
        b"LARGER" => Argument::Number(Key::Larger),
        b"SMALLER" => Argument::Number(Key::Smaller),
        b"MODSEQ" => Argument::ModSeq,
        b"BCC" => Argument::Field("Bcc"),
        b"BODY" => Argument::Body,
        b"CC" => Argument::Field("Cc"),
        b"FROM" => Argument::Field("From"),
        b"SUBJECT" => Argument::Field("Subject"),
        b"TEXT" => Argument::Text,
        b"TO" => Argument::Field("To"),
        b"HEADER" => Argument::Header,
        _ => return None,
    })
}

/// `[entry-name SP entry-type-req SP] mod-sequence-valzer` (RFC 7162 §3.1.5): where a message has one
/// MODSEQ for all that can change of it, which of that is meant makes no difference.
fn modseq(input: &[u8]) -> Read<'_, u64> {
    let mut rest = input;
    if input.first() == Some(&b'"') {
        let (after, _) = string(input)?;
        let (after, ()) = space(after)?;
        let types = ["priv", "shared", "all"];
        let (after, found) = atom(after)?;
        if !types.iter().any(|known| known.eq_ignore_ascii_case(found)) {
            return Err(Miss::error(rest, "priv, shared or all behind the name of an entry"));
        }
        (rest, ()) = space(after)?;
    }
    number(rest)
}

const RETURNS: [(&str, SearchReturn); 5] = [
    ("MIN", SearchReturn::Min),
    ("MAX", SearchReturn::Max),
    ("ALL", SearchReturn::All),
    ("COUNT", SearchReturn::Count),
    ("SAVE", SearchReturn::Save),
];
