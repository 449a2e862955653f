//! The keys that domains publish (RFC 6376 §3.6.1, RFC 8463 §4).

use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::signature::{self, UnparsedPublicKey};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::signature::Algorithm;
use super::tags::{self, TagFault, Tags};

/// The longest record that is looked at, in bytes: an RSA key of 16,384 bits has less than half.
pub const RECORD_BYTES_MAX: usize = 8 << 10;

/// A key record that is well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// `k=` and `p=`: the key.
    pub key: PublicKey,
    /// `t=y`: the domain only tries DKIM; its messages are not to be treated otherwise than those
    /// of one that does not.
    pub testing: bool,
    /// `t=s`: `i=` must name the domain itself and none below it.
    pub strict: bool,
    /// `n=`: what people may want to know.
    pub notes: Option<String>,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// `rsa`: an `RSAPublicKey` in DER.
    Rsa {
        /// The key.
        der: Vec<u8>,
        /// How many bits its modulus has.
        bits: usize,
    },
    /// `ed25519`.
    Ed25519([u8; 32]),
}

/// Why a record holds no key for a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFault {
    /// It is no list of tags.
    Tags(TagFault),
    /// It is longer than [`RECORD_BYTES_MAX`].
    TooLong,
    /// `v=` is another version than `DKIM1`, or does not come first.
    Version,
    /// It has no `p=`.
    Missing,
    /// `p=` is empty: the key has been revoked.
    Revoked,
    /// `k=` names a kind of keys that is not known.
    Kind,
    /// `p=` is not base64, or no key of its kind.
    Broken,
    /// `h=` does not allow SHA-256.
    Hash,
    /// `s=` does not allow mail.
    Service,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tags(fault) => write!(f, "{fault}"),
            Self::TooLong => write!(f, "the key record is longer than {RECORD_BYTES_MAX} bytes"),
            Self::Version => f.write_str("the key record is of a version that is not known"),
            Self::Missing => f.write_str("the key record has no p= tag"),
            Self::Revoked => f.write_str("the key has been revoked"),
            Self::Kind => f.write_str("the key is of a kind that is not known"),
            Self::Broken => f.write_str("the key record's p= is no key of its kind"),
            Self::Hash => f.write_str("the key is not for SHA-256"),
            Self::Service => f.write_str("the key is not for mail"),
        }
    }
}

impl std::error::Error for KeyFault {}

impl KeyRecord {
    /// Parses a TXT record, its strings joined (RFC 6376 §3.6.2.2).
    ///
    /// # Errors
    /// What is wrong first.
    pub fn parse(text: &[u8]) -> Result<Self, KeyFault> {
        if text.len() > RECORD_BYTES_MAX {
            return Err(KeyFault::TooLong);
        }
        let tags = Tags::parse(text).map_err(KeyFault::Tags)?;
        // RFC 6376 §3.6.1: if it is there it comes first.
        if let Some(version) = tags.get("v")
            && (version != "DKIM1" || tags.first().is_none_or(|tag| tag.name != "v"))
        {
            return Err(KeyFault::Version);
        }
        let lists = |name: &str, one: &str| {
            tags.get(name).is_none_or(|list| tags::items(list).any(|item| item == one))
        };
        if !lists("h", "sha256") {
            return Err(KeyFault::Hash);
        }
        if !lists("s", "email") && !lists("s", "*") {
            return Err(KeyFault::Service);
        }
        let flag = |flag: &str| tags.get("t").is_some_and(|_| lists("t", flag));
        let value = tags::without_space(tags.get("p").ok_or(KeyFault::Missing)?);
        if value.is_empty() {
            return Err(KeyFault::Revoked);
        }
        let bytes = LENIENT.decode(value).map_err(|_| KeyFault::Broken)?;
        Ok(Self {
            key: PublicKey::read(tags.get("k").unwrap_or("rsa"), &bytes)?,
            testing: flag("y"),
            strict: flag("s"),
            notes: tags.get("n").map(str::to_owned),
        })
    }

    /// Whether a text is a key record at all, be it a broken one: other records may stand at the
    /// same name.
    #[must_use]
    pub fn is_one(text: &[u8]) -> bool {
        Tags::parse(text.get(..text.len().min(RECORD_BYTES_MAX)).unwrap_or_default())
            .is_ok_and(|tags| tags.get("p").is_some() || tags.get("v") == Some("DKIM1"))
    }
}

/// People forget the padding when they copy a key.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl PublicKey {
    fn read(kind: &str, bytes: &[u8]) -> Result<Self, KeyFault> {
        match kind {
            "rsa" => Self::rsa(bytes).ok_or(KeyFault::Broken),
            // RFC 8463 §4: the 32 bytes themselves.
            "ed25519" => bytes.try_into().map(Self::Ed25519).map_err(|_| KeyFault::Broken),
            _ => Err(KeyFault::Kind),
        }
    }

    /// RFC 6376 errata 3017: a `SubjectPublicKeyInfo`, as everybody writes it, or an
    /// `RSAPublicKey`, as its §3.6.1 says.
    fn rsa(bytes: &[u8]) -> Option<Self> {
        let der = match SubjectPublicKeyInfo::from_der(bytes) {
            Ok((_, info)) => info.subject_public_key.data.to_vec(),
            Err(_) => bytes.to_vec(),
        };
        let (_, key) = RSAPublicKey::from_der(&der).ok()?;
        let modulus: Vec<u8> = key.modulus.iter().copied().skip_while(|byte| *byte == 0).collect();
        let unused = modulus.first()?.leading_zeros();
        let bits = (modulus.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or(0));
        Some(Self::Rsa { bits, der })
    }

    /// What its kind is called.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "rsa",
            Self::Ed25519(_) => "ed25519",
        }
    }

    /// Whether signatures of this algorithm are made with keys of this kind.
    #[must_use]
    pub const fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => matches!(algorithm, Algorithm::RsaSha256 | Algorithm::RsaSha1),
            Self::Ed25519(_) => matches!(algorithm, Algorithm::Ed25519Sha256),
        }
    }

    /// Whether this is the signature of `header`, in its canonical form, with SHA-256.
    #[must_use]
    pub(crate) fn verifies(&self, header: &[u8], value: &[u8]) -> bool {
        match self {
            // RFC 8301 §3.2: verifiers must know keys from 1,024 bits on.
            Self::Rsa { der, .. } => UnparsedPublicKey::new(
                &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                der,
            )
            .verify(header, value)
            .is_ok(),
            // RFC 8463 §3: what is signed is the hash.
            Self::Ed25519(key) => {
                let hash = ring::digest::digest(&ring::digest::SHA256, header);
                UnparsedPublicKey::new(&signature::ED25519, key)
                    .verify(hash.as_ref(), value)
                    .is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8463 appendix A.2.
    const ED25519: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[test]
    fn records_are_read_as_the_rfc_says() {
        use KeyFault as F;
        assert!(KeyRecord::parse(ED25519.as_bytes()).is_ok());
        for (from, to, expected) in [
            ("v=DKIM1; ", "", None),
            ("v=DKIM1; k", "k", None),
            ("v=DKIM1; k=ed25519", "k=ed25519; v=DKIM1", Some(F::Version)),
            ("DKIM1", "DKIM2", Some(F::Version)),
            ("ed25519", "dsa", Some(F::Kind)),
            ("k=ed25519; ", "", Some(F::Broken)),
            ("p=11qY", "p=", Some(F::Broken)),
            ("URo=", "URo", None),
            ("URo=", "U Ro=\r\n", None),
            ("p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "p=", Some(F::Revoked)),
            ("; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "", Some(F::Missing)),
            ("v=DKIM1;", "v=DKIM1; h=sha1:sha256;", None),
            ("v=DKIM1;", "v=DKIM1; h=sha1;", Some(F::Hash)),
            ("v=DKIM1;", "v=DKIM1; s=tlsrpt;", Some(F::Service)),
            ("v=DKIM1;", "v=DKIM1; s=tlsrpt:email;", None),
            ("v=DKIM1;", "v=DKIM1; t=y; t=s", Some(F::Tags(TagFault::Twice))),
        ] {
            let text = ED25519.replacen(from, to, 1);
            assert_eq!(KeyRecord::parse(text.as_bytes()).err(), expected, "{text}");
        }
        let long = format!("{ED25519}; n={}", "x".repeat(RECORD_BYTES_MAX));
        assert_eq!(KeyRecord::parse(long.as_bytes()), Err(F::TooLong));
    }

    #[test]
    fn flags_are_a_list() {
        for (flags, testing, strict) in
            [("", false, false), ("y", true, false), ("s", false, true), ("x : s : y", true, true)]
        {
            let record = KeyRecord::parse(format!("{ED25519}; t={flags}").as_bytes()).unwrap();
            assert_eq!((record.testing, record.strict), (testing, strict), "{flags}");
        }
    }
}
