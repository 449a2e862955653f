//! The fields of a chain, and whether they make sets (RFC 8617 §4).

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use super::validate::Status;
use crate::UnixSeconds;
use crate::dkim::signature::{base64, domain, number, required, seconds};
use crate::dkim::{Algorithm, Canonicalization, Signature, SignatureFault, Tags, Why};
use crate::dns::Name;
use crate::mime::header;
use crate::mime::lexer::{Lexer, PARAMETER, Token};

/// The most sets of a chain (RFC 8617 §4.2.1).
pub const SETS_MAX: u8 = 50;

/// How long the fields of a chain may be together, in bytes: each seal is over all sets before it.
pub const BYTES_MAX: usize = 256 << 10;

/// Why a chain is not whole. Sets are told by their numbers, from 1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It has more than [`SETS_MAX`] sets.
    TooMany,
    /// Its fields are longer than [`BYTES_MAX`].
    TooLong,
    /// A field of this name does not say of which set it is.
    Instance(&'static str),
    /// A set has two fields of one name.
    Repeated(u8),
    /// A set has not all of its three fields, or is missing below others.
    Missing(u8),
    /// The message signature of a set cannot be understood.
    MessageField(u8, SignatureFault),
    /// The message signature of a set says that it covers seals.
    CoversSeal(u8),
    /// The seal of a set cannot be understood.
    SealField(u8, SignatureFault),
    /// The seal of a set says which fields it covers, which none may.
    SealCovers(u8),
    /// The seal of a set says of the chain before it what cannot be.
    Order(u8),
    /// The seal of a set says that the chain was broken before.
    Ended(u8),
    /// The message signature of the last set does not hold.
    Message(u8, Why),
    /// The seal of a set does not hold.
    Seal(u8, Why),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "the chain has more than {SETS_MAX} sets"),
            Self::TooLong => write!(f, "the chain's fields are longer than {BYTES_MAX} bytes"),
            Self::Instance(name) => write!(f, "one {name} does not say of which set it is"),
            Self::Repeated(set) => write!(f, "set {set} has two fields of one name"),
            Self::Missing(set) => write!(f, "set {set} is missing, or one of its three fields"),
            Self::MessageField(set, why) => write!(f, "set {set}, message signature: {why}"),
            Self::CoversSeal(set) => write!(f, "set {set}: a message signature covers no seals"),
            Self::SealField(set, why) => write!(f, "set {set}, seal: {why}"),
            Self::SealCovers(set) => write!(f, "set {set}: a seal has no h= tag"),
            Self::Order(set) => write!(f, "set {set}: its seal's cv= is not what it must be"),
            Self::Ended(set) => write!(f, "set {set} says that the chain was broken before"),
            Self::Message(set, why) => write!(f, "set {set}, message signature: {why}"),
            Self::Seal(set, why) => write!(f, "set {set}, seal: {why}"),
        }
    }
}

impl std::error::Error for Fault {}

/// Three fields that belong together (RFC 8617 §4.2).
#[derive(Debug)]
pub(super) struct Set {
    pub(super) seal: Seal,
    pub(super) message: Signature,
    /// Where the fields lie in the header.
    pub(super) places: Places,
}

/// What an `ARC-Seal` field says (RFC 8617 §4.1.3).
#[derive(Debug)]
pub(super) struct Seal {
    pub(super) algorithm: Algorithm,
    pub(super) domain: Name,
    pub(super) selector: Name,
    pub(super) made: Option<UnixSeconds>,
    /// What had become of the chain before.
    pub(super) before: Status,
    pub(super) value: Vec<u8>,
}

/// Where the fields of a set lie in the header.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) results: Range<usize>,
    pub(super) message: Range<usize>,
    pub(super) seal: Range<usize>,
}

/// All that a header has of a chain.
#[derive(Debug)]
pub(super) struct Found {
    /// The sets in their order, from 1 on; none where there is no chain.
    pub(super) sets: Result<Vec<Set>, Fault>,
    /// The highest number of a set, even of a broken one; 0: none.
    pub(super) highest: u8,
    /// The last seal says that the chain is broken: nobody goes on with it.
    pub(super) ended: bool,
}

/// `ARC-Authentication-Results`, `ARC-Message-Signature` and `ARC-Seal`: the order in which the
/// fields of a set are sealed (RFC 8617 §5.1.1).
pub(super) const NAMES: [&str; 3] =
    ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];

/// The fields of one set, as far as there are such.
type Slots = [Option<Range<usize>>; 3];

impl Found {
    pub(super) fn read(head: &[u8]) -> Self {
        let mut slots: BTreeMap<u8, Slots> = BTreeMap::new();
        let mut fault = None;
        let mut length = 0_usize;
        for field in header::fields(head) {
            let Some(kind) = NAMES.iter().position(|name| field.is(name.as_bytes())) else {
                continue;
            };
            length += field.whole.len();
            if length > BYTES_MAX {
                fault = Some(Fault::TooLong);
                break;
            }
            let found =
                if kind == 0 { results_number(field.value) } else { number_of(field.value) };
            let number = match found {
                Ok(number) => number,
                Err(wrong) => {
                    let name = NAMES.get(kind).copied().unwrap_or_default();
                    let known = if wrong { Fault::TooMany } else { Fault::Instance(name) };
                    fault = fault.or(Some(known));
                    continue;
                }
            };
            let set = slots.entry(number).or_default();
            match set.get_mut(kind) {
                Some(slot @ None) => *slot = Some(field.offset..field.offset + field.whole.len()),
                _ => fault = fault.or(Some(Fault::Repeated(number))),
            }
        }
        let last = slots.last_key_value().map(|(number, set)| (*number, set.clone()));
        let ended = last.as_ref().is_some_and(|(_, [.., seal])| {
            let seal = seal.clone().and_then(|place| Seal::parse(value(head, &place)).ok());
            seal.is_some_and(|seal| seal.before == Status::Fail)
        });
        let sets = match fault {
            Some(fault) => Err(fault),
            None => sets(head, slots),
        };
        Self { sets, highest: last.map_or(0, |(number, _)| number), ended }
    }
}

/// RFC 8617 §5.2: three fields each, and no gap.
fn sets(head: &[u8], slots: BTreeMap<u8, Slots>) -> Result<Vec<Set>, Fault> {
    let mut sets = Vec::new();
    let last = slots.last_key_value().map(|(number, _)| *number);
    for (expected, (number, slots)) in (1..=SETS_MAX).zip(slots) {
        if number != expected {
            return Err(Fault::Missing(expected));
        }
        let [Some(results), Some(message), Some(seal)] = slots else {
            return Err(Fault::Missing(number));
        };
        sets.push(Set::read(head, number, Places { results, message, seal })?);
    }
    // It is the last one whose word counts.
    if let Some((set, number)) = sets.last().zip(last)
        && set.seal.before == Status::Fail
    {
        return Err(Fault::Ended(number));
    }
    for (number, set) in (1..).zip(&sets) {
        if set.seal.before != before(number) {
            return Err(Fault::Order(number));
        }
    }
    Ok(sets)
}

/// RFC 8617 §5.2: `cv=none` in the first set, `cv=pass` in all others.
const fn before(number: u8) -> Status {
    if number == 1 { Status::None } else { Status::Pass }
}

impl Set {
    fn read(head: &[u8], number: u8, places: Places) -> Result<Self, Fault> {
        let field = |fault| Fault::MessageField(number, fault);
        let tags = Tags::parse(value(head, &places.message));
        let tags = tags.map_err(|fault| field(SignatureFault::Tags(fault)))?;
        let message = Signature::read(&tags).map_err(field)?;
        // RFC 8617 §4.1.2. Old sealers covered the other fields of their set too.
        if message.fields.iter().any(|name| name == "arc-seal") {
            return Err(Fault::CoversSeal(number));
        }
        let text = value(head, &places.seal);
        // RFC 8617 §4.1.3.
        if Tags::parse(text).is_ok_and(|tags| tags.get("h").is_some()) {
            return Err(Fault::SealCovers(number));
        }
        let seal = Seal::parse(text).map_err(|fault| Fault::SealField(number, fault))?;
        Ok(Self { seal, message, places })
    }
}

impl Seal {
    fn parse(value: &[u8]) -> Result<Self, SignatureFault> {
        let tags = Tags::parse(value).map_err(SignatureFault::Tags)?;
        let before = required(&tags, "cv")?;
        let all = [Status::None, Status::Pass, Status::Fail];
        let before = all.into_iter().find(|one| one.name().eq_ignore_ascii_case(before));
        Ok(Self {
            algorithm: Algorithm::named(required(&tags, "a")?).ok_or(SignatureFault::Algorithm)?,
            domain: domain(required(&tags, "d")?, "d")?,
            selector: domain(required(&tags, "s")?, "s")?,
            made: number(&tags, "t")?.map(seconds),
            before: before.ok_or(SignatureFault::Missing("cv"))?,
            value: base64(&tags, "b")?,
        })
    }
}

/// The number of the set of a signature or seal; else whether it has one that is too high.
fn number_of(value: &[u8]) -> Result<u8, bool> {
    let tags = Tags::parse(value).map_err(|_| false)?;
    position(tags.get("i").unwrap_or_default().as_bytes())
}

/// RFC 8617 §4.1.1: `i=`, a number and a semicolon stand in front of the results.
fn results_number(value: &[u8]) -> Result<u8, bool> {
    let mut words = Lexer::new(value, &PARAMETER);
    let (name, equals) = (words.word(), words.word());
    match (name, equals, words.word(), words.word()) {
        (
            Some(Token::Atom(b"i")),
            Some(Token::Special(b'=')),
            Some(Token::Atom(digits)),
            Some(Token::Special(b';')),
        ) => position(digits),
        _ => Err(false),
    }
}

/// RFC 8617 §4.2.1: one or two digits, of 1 to 50.
fn position(digits: &[u8]) -> Result<u8, bool> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(false);
    }
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
    match number {
        Some(0) => Err(false),
        Some(number) if number <= SETS_MAX && digits.len() <= 2 => Ok(number),
        _ => Err(true),
    }
}

/// What the results of a set say, behind its number, in one line.
pub(super) fn results(head: &[u8], place: &Range<usize>) -> String {
    let value = value(head, place);
    let text = memchr::memchr(b';', value).and_then(|at| value.get(at + 1..));
    String::from_utf8_lossy(&header::unfold(text.unwrap_or_default())).into_owned()
}

/// Appends the fields of a set as they are sealed (RFC 8617 §5.1.1), all but the seal.
pub(super) fn unsealed(head: &[u8], places: &Places, text: &mut Vec<u8>) {
    for place in [&places.results, &places.message] {
        Canonicalization::Relaxed.field(whole(head, place), text);
    }
}

pub(super) fn whole<'h>(head: &'h [u8], place: &Range<usize>) -> &'h [u8] {
    head.get(place.clone()).unwrap_or_default()
}

/// What follows the colon.
fn value<'h>(head: &'h [u8], place: &Range<usize>) -> &'h [u8] {
    let field = whole(head, place);
    memchr::memchr(b':', field).and_then(|colon| field.get(colon + 1..)).unwrap_or_default()
}
