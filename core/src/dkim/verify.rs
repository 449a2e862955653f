//! Verifying (RFC 6376 §6): all signatures of a message, while its body passes by once.

use std::collections::HashMap;
use std::fmt;

use super::canonical::{BodyHash, BodyHasher, Canonicalization};
use super::key::{KeyFault, KeyRecord, PublicKey};
use super::selection::Selection;
use super::signature::{Algorithm, Signature, SignatureFault};
use crate::UnixSeconds;
use crate::dns::{Data, Failure, Lookup, Name, NameFault};
use crate::mime::header;

/// What is looked at, and what is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Signatures that are looked at; of those beyond, only the number is told. Default: 10.
    pub signatures_max: usize,
    /// The smallest RSA key that is believed, in bits. Default: 1,024 (RFC 8301 §3.2).
    pub rsa_bits_min: usize,
    /// The largest one: it costs the square. Default: 4,096 (RFC 8301 §3.2 asks for so many).
    pub rsa_bits_max: usize,
    /// By how many seconds a signature may have been made in the future. Default: 300.
    pub skew_seconds: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { signatures_max: 10, rsa_bits_min: 1_024, rsa_bits_max: 4_096, skew_seconds: 300 }
    }
}

/// What was found at the name of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAnswer {
    /// These TXT records, the strings of each joined; none if there is no such name.
    Records(Vec<Vec<u8>>),
    /// It could not be found out now.
    Failed,
}

impl From<&Lookup> for KeyAnswer {
    fn from(lookup: &Lookup) -> Self {
        match lookup {
            Ok(answer) => Self::Records(
                answer
                    .records
                    .iter()
                    .filter_map(|record| match record {
                        Data::Txt(text) => Some(text.clone()),
                        _ => None,
                    })
                    .collect(),
            ),
            Err(Failure::Trouble(_)) => Self::Failed,
            Err(_) => Self::Records(Vec::new()),
        }
    }
}

/// How it ended (RFC 8601 §2.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The message is the one that was signed, as far as the signature covers it.
    Pass,
    /// It is not.
    Fail,
    /// The signature is good for nothing by our rules.
    Policy,
    /// The signature cannot be understood.
    Neutral,
    /// It could not be found out now.
    TempError,
    /// It cannot be found out.
    PermError,
}

impl Verdict {
    /// As an Authentication-Results field has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// Why a signature did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The field is none.
    Signature(SignatureFault),
    /// Domain and selector make no name.
    KeyName(NameFault),
    /// The key could not be asked for now.
    KeyUnavailable,
    /// There is no key.
    NoKey,
    /// There are several (RFC 6376 §3.6.2.2).
    SeveralKeys,
    /// It is none for this signature.
    Key(KeyFault),
    /// It is a key for another algorithm.
    KeyKind,
    /// `rsa-sha1` (RFC 8301 §3.1).
    Sha1,
    /// An RSA key of so few bits is no key.
    TooFewBits(usize),
    /// An RSA key of so many bits is not worked with.
    TooManyBits(usize),
    /// It has expired.
    Expired,
    /// It is said to have been made later than now.
    Future,
    /// More of the body is signed than there is.
    BodyTooShort,
    /// The body is another one.
    Body,
    /// The header is another one, or who signed had another key.
    Header,
    /// The key is not for domains below the one that published it.
    Strict,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature(fault) => return fault.fmt(f),
            Self::KeyName(fault) => return fault.fmt(f),
            Self::Key(fault) => return fault.fmt(f),
            Self::TooFewBits(bits) => return write!(f, "the key has only {bits} bits"),
            Self::TooManyBits(bits) => return write!(f, "the key has {bits} bits, too many"),
            Self::KeyUnavailable => "the key could not be looked up",
            Self::NoKey => "the domain publishes no such key",
            Self::SeveralKeys => "the domain publishes several keys under one name",
            Self::KeyKind => "the key is for another algorithm",
            Self::Sha1 => "rsa-sha1 proves nothing any more",
            Self::Expired => "the signature has expired",
            Self::Future => "the signature was made in the future",
            Self::BodyTooShort => "more of the body was signed than there is",
            Self::Body => "the body was changed",
            Self::Header => "the header was changed",
            Self::Strict => "the key is not for names below its domain",
        })
    }
}

/// What came of one `DKIM-Signature` field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it says, where that can be understood.
    pub signature: Option<Signature>,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it did not pass.
    pub why: Option<Why>,
    /// The domain only tries DKIM (`t=y`).
    pub testing: bool,
    /// How many bits its RSA key has.
    pub rsa_bits: Option<usize>,
    /// How many bytes at the end of the canonical body are not signed: others may have added them
    /// (RFC 6376 §8.2).
    pub unsigned_bytes: u64,
}

/// All signatures of a message, on the way to their outcomes.
#[derive(Debug)]
pub struct Verifier {
    head: Vec<u8>,
    limits: Limits,
    checks: Vec<Check>,
    bodies: Vec<(BodyForm, BodyHasher)>,
    left_out: usize,
}

/// One field.
#[derive(Debug)]
struct Check {
    /// Where it lies in the header.
    from: usize,
    to: usize,
    read: Result<Signature, SignatureFault>,
}

/// In which form and up to where a body is hashed: signatures that agree share one hash.
type BodyForm = (Canonicalization, Option<u64>);

impl Verifier {
    /// For a message with this header: its fields, and the empty line behind them or not.
    #[must_use]
    pub fn new(head: Vec<u8>, limits: Limits) -> Self {
        let mut checks = Vec::new();
        let mut left_out = 0;
        let mut bodies: Vec<(BodyForm, BodyHasher)> = Vec::new();
        for field in header::fields(&head).filter(|field| field.is(b"DKIM-Signature")) {
            if checks.len() == limits.signatures_max {
                left_out += 1;
                continue;
            }
            let read = Signature::parse(field.value);
            if let Ok(signature) = &read {
                let form = (signature.body_form, signature.body_length);
                if !bodies.iter().any(|(known, _)| *known == form) {
                    bodies.push((form, BodyHasher::new(form.0, form.1)));
                }
            }
            checks.push(Check { from: field.offset, to: field.offset + field.whole.len(), read });
        }
        Self { head, limits, checks, bodies, left_out }
    }

    /// How many signatures there are beyond those that are looked at.
    #[must_use]
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// The names whose TXT records are wanted, each once.
    #[must_use]
    pub fn key_names(&self) -> Vec<Name> {
        let signatures = self.checks.iter().filter_map(|check| check.read.as_ref().ok());
        let mut names: Vec<_> = signatures.filter_map(|one| one.key_name().ok()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The domains that vouch, each once.
    #[must_use]
    pub fn domains(&self) -> Vec<Name> {
        let signatures = self.checks.iter().filter_map(|check| check.read.as_ref().ok());
        let mut domains: Vec<_> = signatures.map(|one| one.domain.clone()).collect();
        domains.sort_unstable();
        domains.dedup();
        domains
    }

    /// Takes the next bytes of the body. Where no signature can be understood nothing is done.
    pub fn push(&mut self, bytes: &[u8]) {
        for (_, hasher) in &mut self.bodies {
            hasher.push(bytes);
        }
    }

    /// The body has ended. `keys` holds what was found at [`key_names`](Self::key_names); what is
    /// missing there could not be looked up.
    #[must_use]
    pub fn finish(self, keys: &HashMap<Name, KeyAnswer>, now: UnixSeconds) -> Vec<Outcome> {
        let bodies: HashMap<BodyForm, BodyHash> =
            self.bodies.into_iter().map(|(form, hasher)| (form, hasher.finish())).collect();
        let header = Selection::new(&self.head);
        let mut outcomes = Vec::new();
        for Check { from, to, read } in self.checks {
            let signature = match read {
                Ok(signature) => signature,
                Err(fault) => {
                    outcomes.push(Outcome::unread(fault));
                    continue;
                }
            };
            let body = bodies.get(&(signature.body_form, signature.body_length));
            let mut found = Found::default();
            let field = self.head.get(from..to).unwrap_or_default();
            let judged =
                judge(&self.limits, &signature, body, keys, now, &mut found).and_then(|key| {
                    let names = &signature.fields;
                    let signed = header.signed(names, signature.header_form, field, Some(from));
                    if key.verifies(&signed, &signature.value) { Ok(()) } else { FAIL_HEADER }
                });
            let (verdict, why) = match judged {
                Ok(()) => (Verdict::Pass, None),
                Err((verdict, why)) => (verdict, Some(why)),
            };
            let length = body.map_or(0, |body| body.length);
            let unsigned_bytes =
                signature.body_length.map_or(0, |signed| length.saturating_sub(signed));
            let Found { testing, rsa_bits } = found;
            let signature = Some(signature);
            outcomes.push(Outcome { signature, verdict, why, testing, rsa_bits, unsigned_bytes });
        }
        outcomes
    }
}

impl Outcome {
    const fn unread(fault: SignatureFault) -> Self {
        Self {
            signature: None,
            verdict: Verdict::Neutral,
            why: Some(Why::Signature(fault)),
            testing: false,
            rsa_bits: None,
            unsigned_bytes: 0,
        }
    }
}

/// What is told of a key, whatever comes of it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    testing: bool,
    rsa_bits: Option<usize>,
}

const FAIL_HEADER: Result<(), (Verdict, Why)> = Err((Verdict::Fail, Why::Header));

/// All but the signature itself: comes with the key by which that can be checked. What costs least
/// is asked first.
pub(crate) fn judge(
    limits: &Limits,
    signature: &Signature,
    body: Option<&BodyHash>,
    keys: &HashMap<Name, KeyAnswer>,
    now: UnixSeconds,
    found: &mut Found,
) -> Result<PublicKey, (Verdict, Why)> {
    if signature.expires.is_some_and(|expires| expires < now) {
        return Err((Verdict::Policy, Why::Expired));
    }
    if signature.made.is_some_and(|made| made.0 > now.0.saturating_add(limits.skew_seconds)) {
        return Err((Verdict::Policy, Why::Future));
    }
    let record = key_of(limits, signature.algorithm, signature.key_name(), keys, found)?;
    // RFC 6376 §3.6.1, `t=s`.
    if record.strict && signature.identity_domain != signature.domain {
        return Err((Verdict::PermError, Why::Strict));
    }
    // The limit of `l=` is not above the length (RFC 6376 §3.5).
    let body = body.ok_or((Verdict::Fail, Why::Body))?;
    if signature.body_length.is_some_and(|signed| signed > body.length) {
        return Err((Verdict::Fail, Why::BodyTooShort));
    }
    if body.hash.as_ref() != signature.body_hash {
        return Err((Verdict::Fail, Why::Body));
    }
    Ok(record.key)
}

/// The key that is published at this name, where signatures of this algorithm by it are believed.
pub(crate) fn key_of(
    limits: &Limits,
    algorithm: Algorithm,
    name: Result<Name, NameFault>,
    keys: &HashMap<Name, KeyAnswer>,
    found: &mut Found,
) -> Result<KeyRecord, (Verdict, Why)> {
    if algorithm == Algorithm::RsaSha1 {
        return Err((Verdict::Policy, Why::Sha1));
    }
    let record = record_at(name, keys)?;
    found.testing = record.testing;
    if !record.key.fits(algorithm) {
        return Err((Verdict::PermError, Why::KeyKind));
    }
    if let PublicKey::Rsa { bits, .. } = record.key {
        found.rsa_bits = Some(bits);
        if bits < limits.rsa_bits_min {
            return Err((Verdict::Policy, Why::TooFewBits(bits)));
        }
        if bits > limits.rsa_bits_max {
            return Err((Verdict::Policy, Why::TooManyBits(bits)));
        }
    }
    Ok(record)
}

fn record_at(
    name: Result<Name, NameFault>,
    keys: &HashMap<Name, KeyAnswer>,
) -> Result<KeyRecord, (Verdict, Why)> {
    let perm = |why| (Verdict::PermError, why);
    let name = name.map_err(|fault| perm(Why::KeyName(fault)))?;
    let records = match keys.get(&name) {
        None | Some(KeyAnswer::Failed) => return Err((Verdict::TempError, Why::KeyUnavailable)),
        Some(KeyAnswer::Records(records)) => records,
    };
    let mut keys = records.iter().filter(|text| records.len() == 1 || KeyRecord::is_one(text));
    let text = keys.next().ok_or((Verdict::PermError, Why::NoKey))?;
    if keys.next().is_some() {
        return Err(perm(Why::SeveralKeys));
    }
    KeyRecord::parse(text).map_err(|fault| perm(Why::Key(fault)))
}
