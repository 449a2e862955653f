//! Signing (RFC 6376 §5), while the body passes by once.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::SecureRandom;
use ring::signature::{self, Ed25519KeyPair, KeyPair as _, RsaKeyPair};

use super::canonical::{BodyHash, BodyHasher, Canonicalization};
use super::selection::Selection;
use super::signature::Algorithm;
use crate::UnixSeconds;
use crate::dns::Name;

/// A private key that signs.
#[derive(Debug)]
pub struct SigningKey(Kind);

#[derive(Debug)]
enum Kind {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Why a key cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningFault {
    /// It is no private key in PKCS#8, of Ed25519 or of RSA with 2,048 bits at least.
    NoKey,
    /// The signature could not be made.
    Failed,
}

impl fmt::Display for SigningFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => {
                "it is no private key in PKCS#8, of Ed25519 or of RSA with 2048 bits at least"
            }
            Self::Failed => "no signature could be made with the key",
        })
    }
}

impl std::error::Error for SigningFault {}

impl SigningKey {
    /// A private key in PKCS#8, in DER (RFC 5208).
    ///
    /// # Errors
    /// Where it is none that can be used.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SigningFault> {
        // A key that was made elsewhere does not always come with its public half.
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self(Kind::Ed25519(Box::new(key))));
        }
        let key = RsaKeyPair::from_pkcs8(der).map_err(|_| SigningFault::NoKey)?;
        Ok(Self(Kind::Rsa(Box::new(key))))
    }

    /// How its signatures are called.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Kind::Rsa(_) => Algorithm::RsaSha256,
            Kind::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// The TXT record under which its public half is to be published (RFC 6376 §3.6.1,
    /// RFC 8463 §4).
    #[must_use]
    pub fn record(&self) -> String {
        match &self.0 {
            Kind::Rsa(key) => {
                let info = spki(key.public().as_ref());
                format!("v=DKIM1; k=rsa; p={}", BASE64.encode(info))
            }
            Kind::Ed25519(key) => {
                format!("v=DKIM1; k=ed25519; p={}", BASE64.encode(key.public_key().as_ref()))
            }
        }
    }

    /// The signature of `text`. RSA is blinded with `random`; the signature does not depend on it.
    ///
    /// # Errors
    /// [`SigningFault::Failed`].
    pub(crate) fn sign(
        &self,
        text: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, SigningFault> {
        match &self.0 {
            Kind::Rsa(key) => {
                let mut value = vec![0; key.public().modulus_len()];
                key.sign(&signature::RSA_PKCS1_SHA256, random, text, &mut value)
                    .map_err(|_| SigningFault::Failed)?;
                Ok(value)
            }
            // RFC 8463 §3: what is signed is the hash.
            Kind::Ed25519(key) => {
                let hash = ring::digest::digest(&ring::digest::SHA256, text);
                Ok(key.sign(hash.as_ref()).as_ref().to_vec())
            }
        }
    }
}

/// An `RSAPublicKey` as a `SubjectPublicKeyInfo` (RFC 5280 §4.1, RFC 3279 §2.3.1).
fn spki(key: &[u8]) -> Vec<u8> {
    // The algorithm rsaEncryption, with its NULL.
    const ALGORITHM: &[u8] = &[0x30, 13, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1, 5, 0];
    let bits = der(0x03, &[&[0], key]);
    der(0x30, &[ALGORITHM, &bits])
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let bytes = length.to_be_bytes();
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(0));
            out.extend_from_slice(&significant);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// How a domain signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// `d=`.
    pub domain: Name,
    /// `s=`.
    pub selector: Name,
    /// `c=` for the header.
    pub header_form: Canonicalization,
    /// `c=` for the body.
    pub body_form: Canonicalization,
    /// The names of the fields that are signed where there are such, in small letters.
    pub fields: Vec<String>,
    /// Those of which one more is signed than there is, so that none can be added unseen
    /// (RFC 6376 §5.4).
    pub sealed: Vec<String>,
    /// After how many seconds the signature expires; `None`: never.
    pub lifetime_seconds: Option<i64>,
}

impl Terms {
    /// Relaxed forms and what RFC 6376 §5.4.1 says to sign; sealed against what a reader is shown
    /// or a program goes by.
    #[must_use]
    pub fn new(domain: Name, selector: Name) -> Self {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Self {
            domain,
            selector,
            header_form: Canonicalization::Relaxed,
            body_form: Canonicalization::Relaxed,
            fields: names(&FIELDS),
            sealed: names(&SEALED),
            lifetime_seconds: None,
        }
    }
}

const SEALED: [&str; 13] = [
    "from",
    "to",
    "cc",
    "bcc",
    "reply-to",
    "references",
    "in-reply-to",
    "subject",
    "date",
    "message-id",
    "content-type",
    "content-transfer-encoding",
    "mime-version",
];

const FIELDS: [&str; 17] = [
    "sender",
    "content-id",
    "content-description",
    "resent-date",
    "resent-from",
    "resent-sender",
    "resent-to",
    "resent-cc",
    "resent-message-id",
    "list-id",
    "list-help",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-subscribe",
    "list-post",
    "list-owner",
    "list-archive",
];

impl Terms {
    /// The field that is to stand in front of the header, with its line end, for a message whose
    /// body has this hash in the form of these terms. `random` is what `ring` blinds RSA with; the
    /// signature does not depend on it.
    ///
    /// # Errors
    /// [`SigningFault::Failed`].
    pub fn sign(
        &self,
        head: &[u8],
        body: &BodyHash,
        key: &SigningKey,
        now: UnixSeconds,
        random: &dyn SecureRandom,
    ) -> Result<String, SigningFault> {
        self.field(("DKIM-Signature:", "v", "1"), head, body, key, now, random)
    }

    /// The field of this name, whose first tag is this one.
    pub(crate) fn field(
        &self,
        (name, first, value): (&str, &str, &str),
        head: &[u8],
        body: &BodyHash,
        key: &SigningKey,
        now: UnixSeconds,
        random: &dyn SecureRandom,
    ) -> Result<String, SigningFault> {
        let header = Selection::new(head);
        let mut names = Vec::new();
        for name in &self.sealed {
            names.extend(std::iter::repeat_n(name.clone(), header.count(name) + 1));
        }
        for name in self.fields.iter().filter(|name| !self.sealed.contains(name)) {
            names.extend(std::iter::repeat_n(name.clone(), header.count(name)));
        }
        let mut field = Folded::new(name);
        field.tag(first, value);
        field.tag("a", key.algorithm().name());
        field.tag("c", &format!("{}/{}", self.header_form.name(), self.body_form.name()));
        field.tag("d", self.domain.as_str());
        field.tag("s", self.selector.as_str());
        field.tag("t", &now.0.to_string());
        if let Some(seconds) = self.lifetime_seconds {
            field.tag("x", &now.0.saturating_add(seconds).to_string());
        }
        field.list("h", &names);
        field.base64("bh", body.hash.as_ref());
        field.open("b");
        let signed = header.signed(&names, self.header_form, field.text.as_bytes(), None);
        field.value(&key.sign(&signed, random)?);
        field.text.push_str("\r\n");
        Ok(field.text)
    }
}

/// A message on the way to its signature.
#[derive(Debug)]
pub struct Signer {
    terms: Terms,
    hasher: BodyHasher,
}

impl Signer {
    /// For a message that is to be signed on these terms.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        let hasher = BodyHasher::new(terms.body_form, None);
        Self { terms, hasher }
    }

    /// Takes the next bytes of the body, whose lines end with CRLF.
    pub fn push(&mut self, bytes: &[u8]) {
        self.hasher.push(bytes);
    }

    /// The body has ended: as [`Terms::sign`].
    ///
    /// # Errors
    /// [`SigningFault::Failed`].
    pub fn finish(
        self,
        head: &[u8],
        key: &SigningKey,
        now: UnixSeconds,
        random: &dyn SecureRandom,
    ) -> Result<String, SigningFault> {
        self.terms.sign(head, &self.hasher.finish(), key, now, random)
    }
}

/// A field of tags that is folded as it grows (RFC 5322 §2.1.1: 78 characters at most).
pub(crate) struct Folded {
    pub(crate) text: String,
    column: usize,
}

impl Folded {
    pub(crate) fn new(name: &str) -> Self {
        Self { text: name.to_owned(), column: name.len() }
    }

    pub(crate) fn tag(&mut self, name: &str, value: &str) {
        self.separate(name.len() + value.len() + 2);
        self.append(&format!("{name}={value};"));
    }

    fn list(&mut self, name: &str, items: &[String]) {
        self.open(name);
        for (index, item) in items.iter().enumerate() {
            let end = if index + 1 == items.len() { ";" } else { ":" };
            if self.column + item.len() + end.len() > COLUMNS {
                self.fold();
            }
            self.append(item);
            self.append(end);
        }
    }

    pub(crate) fn base64(&mut self, name: &str, bytes: &[u8]) {
        let value = BASE64.encode(bytes);
        self.tag(name, &value);
    }

    /// Begins a tag whose value follows.
    pub(crate) fn open(&mut self, name: &str) {
        self.separate(name.len() + 12);
        self.append(name);
        self.append("=");
    }

    /// Base64, folded where a line is full.
    pub(crate) fn value(&mut self, bytes: &[u8]) {
        for char in BASE64.encode(bytes).chars() {
            if self.column >= COLUMNS {
                self.fold();
            }
            self.text.push(char);
            self.column += 1;
        }
    }

    fn separate(&mut self, length: usize) {
        if self.column + 1 + length > COLUMNS {
            self.fold();
        } else {
            self.append(" ");
        }
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n\t");
        // A tab is shown as up to eight.
        self.column = 8;
    }

    fn append(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.len();
    }
}

const COLUMNS: usize = 78;
