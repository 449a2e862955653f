//! What a `DKIM-Signature` field says (RFC 6376 §3.5).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::canonical::Canonicalization;
use super::tags::{self, TagFault, Tags};
use crate::UnixSeconds;
use crate::dns::{Name, NameFault};

/// The most field names in one signature.
pub const NAMES_MAX: usize = 1_000;

/// How a signature was made (RFC 6376 §3.3, RFC 8463 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `rsa-sha256`.
    RsaSha256,
    /// `ed25519-sha256`.
    Ed25519Sha256,
    /// `rsa-sha1`, which nobody may make or believe any more (RFC 8301 §3.1).
    RsaSha1,
}

impl Algorithm {
    /// Its name as `a=` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
            Self::RsaSha1 => "rsa-sha1",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [Self::RsaSha256, Self::Ed25519Sha256, Self::RsaSha1];
        all.into_iter().find(|one| one.name().eq_ignore_ascii_case(name))
    }
}

/// A `DKIM-Signature` field that is well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `a=`.
    pub algorithm: Algorithm,
    /// `c=`: how the header was hashed.
    pub header_form: Canonicalization,
    /// `c=`: how the body was hashed.
    pub body_form: Canonicalization,
    /// `d=`: who vouches.
    pub domain: Name,
    /// `s=`: which of the domain's keys.
    pub selector: Name,
    /// `h=`: the names of the fields that are signed, in small letters, in their order.
    pub fields: Vec<String>,
    /// `i=`: on whose behalf; what stands in front of the `@`, perhaps nothing.
    pub identity_local: String,
    /// `i=`: the domain behind the `@`: [`domain`](Self::domain) or one below it.
    pub identity_domain: Name,
    /// `l=`: how many bytes of the body are signed. Others can be added without a trace
    /// (RFC 6376 §8.2).
    pub body_length: Option<u64>,
    /// `t=`: when it was made.
    pub made: Option<UnixSeconds>,
    /// `x=`: from when on it is not to be believed any more.
    pub expires: Option<UnixSeconds>,
    /// `bh=`.
    pub body_hash: Vec<u8>,
    /// `b=`.
    pub value: Vec<u8>,
}

/// Why a field is no signature that can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureFault {
    /// It is no list of tags.
    Tags(TagFault),
    /// There is no tag of this name, and there must be.
    Missing(&'static str),
    /// `v=` is another version than 1.
    Version,
    /// `a=` names an algorithm that is not known.
    Algorithm,
    /// `c=` names a canonicalization that is not known.
    Canonicalization,
    /// The value of this tag is not base64.
    Base64(&'static str),
    /// The value of this tag is no domain.
    Domain(&'static str),
    /// The value of this tag is no number, or one that cannot be.
    Number(&'static str),
    /// `h=` holds what is no name of a field, or too many.
    Fields,
    /// `h=` does not name `From` (RFC 6376 §5.4).
    FromNotSigned,
    /// The domain of `i=` is not below that of `d=`.
    Identity,
    /// `q=` names no way to the key that is known.
    Query,
    /// It expires before it was made.
    Order,
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tags(fault) => write!(f, "{fault}"),
            Self::Missing(tag) => write!(f, "the signature has no {tag}= tag"),
            Self::Version => f.write_str("the signature is of a version that is not known"),
            Self::Algorithm => f.write_str("the signature's algorithm is not known"),
            Self::Canonicalization => f.write_str("the signature's canonicalization is not known"),
            Self::Base64(tag) => write!(f, "the signature's {tag}= is not base64"),
            Self::Domain(tag) => write!(f, "the signature's {tag}= is no domain"),
            Self::Number(tag) => write!(f, "the signature's {tag}= is no number that can be"),
            Self::Fields => f.write_str("the signature's h= is no list of field names"),
            Self::FromNotSigned => f.write_str("the signature does not cover From"),
            Self::Identity => f.write_str("the signature's i= is not within its d="),
            Self::Query => f.write_str("the signature's key is to be had in no way that is known"),
            Self::Order => f.write_str("the signature expires before it was made"),
        }
    }
}

impl std::error::Error for SignatureFault {}

impl Signature {
    /// Parses the value of a field: all that follows its colon.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn parse(value: &[u8]) -> Result<Self, SignatureFault> {
        let tags = Tags::parse(value).map_err(SignatureFault::Tags)?;
        if required(&tags, "v")? != "1" {
            return Err(SignatureFault::Version);
        }
        let mut signature = Self::read(&tags)?;
        if let Some(identity) = tags.get("i") {
            (signature.identity_local, signature.identity_domain) =
                identity_of(identity, &signature.domain)?;
        }
        Ok(signature)
    }

    /// All but `v=` and `i=`, which an `ARC-Message-Signature` has otherwise (RFC 8617 §4.1.2).
    pub(crate) fn read(tags: &Tags<'_>) -> Result<Self, SignatureFault> {
        let algorithm = Algorithm::named(required(tags, "a")?).ok_or(SignatureFault::Algorithm)?;
        let (header_form, body_form) = forms(tags.get("c").unwrap_or("simple"))?;
        let domain = domain(required(tags, "d")?, "d")?;
        let (made, expires) = (number(tags, "t")?, number(tags, "x")?);
        if made.zip(expires).is_some_and(|(made, expires)| expires <= made) {
            return Err(SignatureFault::Order);
        }
        // RFC 6376 §3.5: among what is listed, one that is known is enough.
        if !tags.get("q").is_none_or(|query| tags::items(query).any(|way| way == "dns/txt")) {
            return Err(SignatureFault::Query);
        }
        Ok(Self {
            algorithm,
            header_form,
            body_form,
            selector: self::domain(required(tags, "s")?, "s")?,
            fields: fields(required(tags, "h")?)?,
            identity_local: String::new(),
            identity_domain: domain.clone(),
            body_length: number(tags, "l")?,
            made: made.map(seconds),
            expires: expires.map(seconds),
            body_hash: base64(tags, "bh")?,
            value: base64(tags, "b")?,
            domain,
        })
    }

    /// Where its key is published (RFC 6376 §3.6.2.1).
    ///
    /// # Errors
    /// Where domain and selector together are longer than any name.
    pub fn key_name(&self) -> Result<Name, NameFault> {
        key_name(&self.domain, &self.selector)
    }
}

pub(crate) fn key_name(domain: &Name, selector: &Name) -> Result<Name, NameFault> {
    domain.below(&format!("{selector}._domainkey"))
}

/// The field's value without what its `b=` holds (RFC 6376 §3.7): the white space around that goes
/// too.
pub(crate) fn without_value(whole: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(whole.len());
    let colon = memchr::memchr(b':', whole).map_or(whole.len(), |colon| colon + 1);
    let (name, value) = whole.split_at_checked(colon).unwrap_or((whole, &[]));
    out.extend_from_slice(name);
    for (index, spec) in value.split(|byte| *byte == b';').enumerate() {
        if index > 0 {
            out.push(b';');
        }
        let equals = memchr::memchr(b'=', spec);
        match equals.and_then(|equals| spec.get(..=equals)) {
            Some(name) if is_b(name) => out.extend_from_slice(name),
            _ => out.extend_from_slice(spec),
        }
    }
    out
}

/// Whether this is `b=`, with white space.
fn is_b(name: &[u8]) -> bool {
    let mut letters = name.iter().filter(|byte| !byte.is_ascii_whitespace());
    letters.next() == Some(&b'b') && letters.next() == Some(&b'=')
}

pub(crate) fn required<'a>(tags: &Tags<'a>, name: &'static str) -> Result<&'a str, SignatureFault> {
    tags.get(name).filter(|value| !value.is_empty()).ok_or(SignatureFault::Missing(name))
}

/// RFC 6376 §3.5: the second one may be missing, and is `simple` then.
fn forms(value: &str) -> Result<(Canonicalization, Canonicalization), SignatureFault> {
    let (header, body) = value.split_once('/').unwrap_or((value, "simple"));
    let named = |name: &str| {
        Canonicalization::named(&name.to_ascii_lowercase()).ok_or(SignatureFault::Canonicalization)
    };
    Ok((named(header)?, named(body)?))
}

/// RFC 8616 §4: labels may be written in either form.
pub(crate) fn domain(text: &str, tag: &'static str) -> Result<Name, SignatureFault> {
    Name::parse(text).map_err(|_| SignatureFault::Domain(tag))
}

fn identity_of(text: &str, within: &Name) -> Result<(String, Name), SignatureFault> {
    let (local, domain) = text.rsplit_once('@').ok_or(SignatureFault::Identity)?;
    let domain = self::domain(domain, "i")?;
    if !domain.is_within(within) {
        return Err(SignatureFault::Identity);
    }
    Ok((local.to_owned(), domain))
}

fn fields(list: &str) -> Result<Vec<String>, SignatureFault> {
    let mut names = Vec::new();
    for name in tags::items(list) {
        // RFC 5322 §3.6.8.
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_graphic())
            || names.len() == NAMES_MAX
        {
            return Err(SignatureFault::Fields);
        }
        names.push(name.to_ascii_lowercase());
    }
    if names.iter().any(|name| name == "from") {
        Ok(names)
    } else {
        Err(SignatureFault::FromNotSigned)
    }
}

/// RFC 6376 §3.5: at most 76 digits for a length, and 12 for a time. What is beyond what we can
/// count is as far as we can count.
pub(crate) fn number(tags: &Tags<'_>, name: &'static str) -> Result<Option<u64>, SignatureFault> {
    let Some(digits) = tags.get(name) else { return Ok(None) };
    if digits.is_empty() || digits.len() > 76 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SignatureFault::Number(name));
    }
    Ok(Some(digits.parse().unwrap_or(u64::MAX)))
}

pub(crate) fn seconds(number: u64) -> UnixSeconds {
    UnixSeconds(i64::try_from(number).unwrap_or(i64::MAX))
}

pub(crate) fn base64(tags: &Tags<'_>, name: &'static str) -> Result<Vec<u8>, SignatureFault> {
    let value = tags::without_space(required(tags, name)?);
    BASE64.decode(value).map_err(|_| SignatureFault::Base64(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "v=1; a=rsa-sha256; c=relaxed/simple; d=example.net; s=brisbane;\r\n \
        h=From : To; l=12; t=10; x=20; i=joe@mail.example.net; q=dns/txt;\r\n bh=YWI=; b=Y2\r\n Q=";

    #[test]
    fn a_signature_is_read() {
        let found = Signature::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(found.key_name().unwrap().as_str(), "brisbane._domainkey.example.net");
        assert_eq!(
            (found.header_form, found.body_form),
            (Canonicalization::Relaxed, Canonicalization::Simple)
        );
        assert_eq!(found.fields, ["from", "to"]);
        assert_eq!(
            (found.identity_local.as_str(), found.identity_domain.as_str()),
            ("joe", "mail.example.net")
        );
        assert_eq!(
            (found.body_length, found.made, found.expires),
            (Some(12), Some(UnixSeconds(10)), Some(UnixSeconds(20)))
        );
        assert_eq!((&*found.body_hash, &*found.value), (&b"ab"[..], &b"cd"[..]));
    }

    #[test]
    fn what_is_missing_or_wrong_is_told() {
        use SignatureFault as F;
        for (from, to, expected) in [
            ("v=1", "v=2", F::Version),
            ("v=1; ", "", F::Missing("v")),
            ("rsa-sha256", "rsa-md5", F::Algorithm),
            ("relaxed/", "nofws/", F::Canonicalization),
            ("d=example.net", "d=example..net", F::Domain("d")),
            ("s=brisbane", "s=", F::Missing("s")),
            ("h=From : To", "h=To", F::FromNotSigned),
            ("h=From : To", "h=From::To", F::Fields),
            ("l=12", "l=-1", F::Number("l")),
            ("x=20", "x=10", F::Order),
            ("@mail.example.net", "@mail.example.com", F::Identity),
            ("@mail.example.net", "@notexample.net", F::Identity),
            ("dns/txt", "http", F::Query),
            ("bh=YWI=", "bh=*", F::Base64("bh")),
            ("bh=YWI=;", "", F::Missing("bh")),
            ("b=Y2\r\n Q=", "b=", F::Missing("b")),
            ("l=12", "v=1", F::Tags(TagFault::Twice)),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_eq!(Signature::parse(text.as_bytes()), Err(expected), "{text}");
        }
    }

    #[test]
    fn all_is_kept_but_the_value() {
        for (whole, expected) in [
            ("DKIM-Signature: v=1; b=abc", "DKIM-Signature: v=1; b="),
            ("X: b=a\r\n b; bh=b=;\r\n\tc=d", "X: b=; bh=b=;\r\n\tc=d"),
            ("X: a=b; B=x; bb=y; b =z=\r\n", "X: a=b; B=x; bb=y; b ="),
            ("b=: b=1", "b=: b="),
        ] {
            let found = without_value(whole.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), expected);
        }
    }
}
