//! Fingerprints of public keys: by them a client is known, whatever certificate the key is in.

use std::fmt;

use ring::digest;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;

/// A text in which no public key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPublicKey {
    /// Neither a certificate nor a public key is in it.
    Missing,
    /// There is a private key only, which nobody needs to know.
    Private,
    /// It is not well formed.
    Broken,
}

impl fmt::Display for NoPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it holds no certificate and no public key in PEM",
            Self::Private => {
                "it holds a private key, which is not for others: give its certificate"
            }
            Self::Broken => "what it holds is broken",
        })
    }
}

impl std::error::Error for NoPublicKey {}

/// The SHA-256 of the public key (the `SubjectPublicKeyInfo`) in a text in PEM (RFC 7468): that of
/// the first certificate or public key.
///
/// # Errors
/// Where there is none.
pub fn fingerprint_of_pem(text: &[u8]) -> Result<[u8; 32], NoPublicKey> {
    let mut why = NoPublicKey::Missing;
    for block in Pem::iter_from_buffer(text) {
        let Ok(Pem { label, contents }) = block else { return Err(NoPublicKey::Broken) };
        match label.as_str() {
            "CERTIFICATE" => return of_certificate(&contents).ok_or(NoPublicKey::Broken),
            "PUBLIC KEY" => {
                let whole = SubjectPublicKeyInfo::from_der(&contents)
                    .is_ok_and(|(rest, _)| rest.is_empty());
                return if whole { hash(&contents) } else { None }.ok_or(NoPublicKey::Broken);
            }
            label if label.ends_with("PRIVATE KEY") => why = NoPublicKey::Private,
            _ => {}
        }
    }
    Err(why)
}

/// The fingerprint of the key in a certificate.
pub(super) fn of_certificate(der: &[u8]) -> Option<[u8; 32]> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    hash(certificate.public_key().raw)
}

fn hash(key: &[u8]) -> Option<[u8; 32]> {
    digest::digest(&digest::SHA256, key).as_ref().try_into().ok()
}
