//! Who a server is: a certificate chain, its private key, and what they say.

use std::fmt;
use std::sync::Arc;

use ring::digest;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::DEFAULT_CIPHER_SUITES;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry as oid;
use x509_parser::prelude::FromDer as _;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

use super::TlsError;
use crate::UnixSeconds;

/// A certificate chain and its private key. All clones are one.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    key: Arc<CertifiedKey>,
    /// Lower case, of A-labels; `*.` may stand in front.
    names: Vec<String>,
    end_point: Option<Vec<u8>>,
    not_after: UnixSeconds,
}

impl Identity {
    /// Reads a chain (the server's certificate first) and a private key from PEM text.
    ///
    /// # Errors
    /// Where the text holds no certificate or no key, or is no PEM; where the key does not belong
    /// to the certificate, or is of a kind that cannot be used.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| TlsError::new(format!("the certificate file is no PEM: {error}")))?;
        let Some(own) = chain.first() else {
            return Err(TlsError::new("the certificate file holds no certificate"));
        };
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            TlsError::new(format!("the key file holds no private key: {error}"))
        })?;
        let (_, parsed) = X509Certificate::from_der(own)
            .map_err(|error| TlsError::new(format!("the certificate cannot be read: {error}")))?;
        let names = names(&parsed);
        let end_point = end_point(own, &parsed.signature_algorithm);
        let not_after = UnixSeconds(parsed.validity().not_after.timestamp());
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            TlsError::new(format!("certificate and key cannot be used: {error}"))
        })?;
        Ok(Self(Arc::new(Inner { key: Arc::new(key), names, end_point, not_after })))
    }

    /// The DNS names that the certificate is for, in lower case; `*.` may stand in front of one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.names.iter().map(String::as_str)
    }

    /// The last second of the certificate's validity.
    #[must_use]
    pub fn not_after(&self) -> UnixSeconds {
        self.0.not_after
    }

    /// Whether the certificate is for this name, which is in lower case.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.0.names.iter().any(|own| match own.strip_prefix("*.") {
            // RFC 9525 §6.3: the wildcard stands for the whole leftmost label, and for one only.
            Some(parent) => name
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
            None => own == name,
        })
    }

    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.key)
    }

    /// The data of the `tls-server-end-point` channel binding, where it is defined.
    pub(super) fn end_point(&self) -> Option<&[u8]> {
        self.0.end_point.as_deref()
    }

    /// Whether a client that says this can use it: EC and RSA may stand side by side.
    pub(super) fn suits(&self, hello: &ClientHello<'_>) -> bool {
        let key = &self.0.key.key;
        key.choose_scheme(hello.signature_schemes()).is_some()
            && DEFAULT_CIPHER_SUITES.iter().any(|suite| {
                suite.usable_for_signature_algorithm(key.algorithm())
                    && hello.cipher_suites().contains(&suite.suite())
            })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.0.names.join(", "))
    }
}

pub(super) fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// The subject's common name does not count, only what stands as an alternative name (RFC 9525).
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let dns = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}

/// RFC 5929 §4.1: the hash of the certificate, by the hash function of its signature; SHA-256 in
/// the place of MD5 and SHA-1. For a signature that uses none (Ed25519, Ed448) the binding is not
/// defined, and there is none: clients do not agree on one. Nor where we lack the function
/// (SHA-224).
/// The same, of a certificate that a server has shown.
pub(super) fn end_point_of(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    end_point(certificate, &parsed.signature_algorithm)
}

fn end_point(
    certificate: &CertificateDer<'_>,
    signature: &AlgorithmIdentifier<'_>,
) -> Option<Vec<u8>> {
    let hash = hash_of_signature(signature)?;
    Some(digest::digest(hash, certificate).as_ref().to_vec())
}

fn hash_of_signature(signature: &AlgorithmIdentifier<'_>) -> Option<&'static digest::Algorithm> {
    let algorithm = &signature.algorithm;
    if *algorithm == oid::OID_PKCS1_RSASSAPSS {
        return hash_of_pss(&RsaSsaPssParams::try_from(signature.parameters.as_ref()?).ok()?);
    }
    let table = [
        (oid::OID_PKCS1_MD5WITHRSAENC, &digest::SHA256),
        (oid::OID_PKCS1_SHA1WITHRSA, &digest::SHA256),
        (oid::OID_PKCS1_SHA256WITHRSA, &digest::SHA256),
        (oid::OID_PKCS1_SHA384WITHRSA, &digest::SHA384),
        (oid::OID_PKCS1_SHA512WITHRSA, &digest::SHA512),
        (oid::OID_SIG_ECDSA_WITH_SHA256, &digest::SHA256),
        (oid::OID_SIG_ECDSA_WITH_SHA384, &digest::SHA384),
        (oid::OID_SIG_ECDSA_WITH_SHA512, &digest::SHA512),
    ];
    table.into_iter().find(|(oid, _)| oid == algorithm).map(|(_, hash)| hash)
}

/// RFC 4055 §3.1: without a parameter, SHA-1.
fn hash_of_pss(parameters: &RsaSsaPssParams<'_>) -> Option<&'static digest::Algorithm> {
    let table = [
        (oid::OID_HASH_SHA1, &digest::SHA256),
        (oid::OID_NIST_HASH_SHA256, &digest::SHA256),
        (oid::OID_NIST_HASH_SHA384, &digest::SHA384),
        (oid::OID_NIST_HASH_SHA512, &digest::SHA512),
    ];
    let own = parameters.hash_algorithm_oid();
    table.into_iter().find(|(oid, _)| oid == own).map(|(_, hash)| hash)
}
