//! Certificates held to TLSA records (RFC 7671 §5, RFC 7672 §3).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, Der, ServerName, TrustAnchor, UnixTime};
use rustls::{CertificateError, RootCertStore};

use super::record::{Matching, Selector, Shown, Tlsa, Usage};
use crate::UnixSeconds;
use crate::dns::Name;

/// Of the certificates that a server shows, so many are looked at.
pub const CHAIN_MAX: usize = 16;

/// What was found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// The server's own key (usage 3).
    EndEntity,
    /// The key of an authority, which has certified the server for one of the names (usage 2).
    TrustAnchor,
}

/// Why a server is not who the records say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DaneFault {
    /// It showed no certificate.
    NoCertificate,
    /// Its certificate cannot be read.
    Unreadable,
    /// None of the records tells of its key or of an authority above it.
    NoMatch,
    /// An authority has certified it for another name.
    Name,
    /// A certificate below the authority holds no more, or not yet.
    Expired,
    /// The way from an authority to the server has a gap or a flaw.
    Chain,
}

impl fmt::Display for DaneFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCertificate => "the server showed no certificate",
            Self::Unreadable => "the server's certificate cannot be read",
            Self::NoMatch => "the server's certificate is not one that its TLSA records tell of",
            Self::Name => "the server's certificate is for another name",
            Self::Expired => "the server's certificate is out of its time",
            Self::Chain => {
                "the authority that the TLSA records tell of has not certified the server"
            }
        })
    }
}

impl std::error::Error for DaneFault {}

/// Holds the certificates that a server showed, its own first, to records of it. `names` are those
/// that a certificate of an authority's may be for: where the records were found, the server, and
/// if DNS proved the way from there, the domain of the mail (RFC 7672 §3.2.2).
///
/// For usage 3 neither names nor dates nor anything else in the certificate count (RFC 7671 §5.1):
/// the record says who the server is, and its signature for how long.
///
/// # Errors
/// Why the server is not to be believed; of several records, what the last one that came furthest
/// lacks.
pub fn authenticate(
    records: &[Tlsa],
    chain: &[&[u8]],
    names: &[Name],
    now: UnixSeconds,
) -> Result<Matched, DaneFault> {
    let (own, above) = chain.split_first().ok_or(DaneFault::NoCertificate)?;
    let own = Shown::read(own).ok_or(DaneFault::Unreadable)?;
    let mut own_records = records.iter().filter(|record| record.usage == Usage::EndEntity);
    if own_records.any(|record| record.tells_of(&own)) {
        return Ok(Matched::EndEntity);
    }
    // What cannot be read is nobody's authority.
    let above: Vec<_> =
        above.iter().take(CHAIN_MAX - 1).filter_map(|bytes| Shown::read(bytes)).collect();
    let mut fault = DaneFault::NoMatch;
    for record in records.iter().filter(|record| record.usage == Usage::TrustAnchor) {
        for anchor in anchors(record, &own, &above) {
            match certified(anchor, &own, &above, names, now) {
                Ok(()) => return Ok(Matched::TrustAnchor),
                Err(found) => fault = found,
            }
        }
    }
    Err(fault)
}

/// The authorities that a record tells of: those which the server shows (RFC 7671 §5.2.2), and
/// where the record holds a certificate or a key itself, that one (RFC 7671 §5.2.3).
fn anchors(record: &Tlsa, own: &Shown<'_>, above: &[Shown<'_>]) -> Vec<TrustAnchor<'static>> {
    let shown = above.iter().filter(|certificate| record.tells_of(certificate));
    let mut anchors: Vec<_> =
        shown.filter_map(|certificate| anchor_of(certificate.whole)).collect();
    if anchors.is_empty() && record.matching == Matching::Full {
        match record.selector {
            Selector::Certificate => anchors.extend(anchor_of(&record.association)),
            // A key has no name: it may be that of whoever issued the last certificate.
            Selector::PublicKey => {
                let last = above.last().unwrap_or(own);
                let subject = content(last.parsed.issuer().as_raw());
                let key = content(&record.association);
                if let (Some(subject), Some(key)) = (subject, key) {
                    anchors.push(TrustAnchor {
                        subject: Der::from(subject.to_vec()),
                        subject_public_key_info: Der::from(key.to_vec()),
                        name_constraints: None,
                    });
                }
            }
        }
    }
    anchors
}

fn anchor_of(certificate: &[u8]) -> Option<TrustAnchor<'static>> {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from(certificate.to_vec())).ok()?;
    store.roots.pop()
}

/// What stands in a DER value, without its tag and length.
fn content(der: &[u8]) -> Option<&[u8]> {
    match der.get(1)? {
        short @ 0..=0x7f => der.get(2..2 + usize::from(*short)),
        long => {
            let count = usize::from(long & 0x7f);
            let length = der.get(2..2 + count).filter(|_| (1..=3).contains(&count))?;
            let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            der.get(2 + count..2 + count + length)
        }
    }
}

/// Whether there is a way from an authority to the server, for one of the names (RFC 7672 §3.2.2).
fn certified(
    anchor: TrustAnchor<'static>,
    own: &Shown<'_>,
    above: &[Shown<'_>],
    names: &[Name],
    now: UnixSeconds,
) -> Result<(), DaneFault> {
    let roots = Arc::new(RootCertStore { roots: vec![anchor] });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(|_| DaneFault::Chain)?;
    let end = CertificateDer::from(own.whole);
    let between: Vec<_> =
        above.iter().map(|certificate| CertificateDer::from(certificate.whole)).collect();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.0.try_into().unwrap_or(0)));
    let mut fault = DaneFault::Name;
    for name in names {
        let Ok(name) = ServerName::try_from(name.as_str()) else { continue };
        match verifier.verify_server_cert(&end, &between, &name, &[], now) {
            Ok(_) => return Ok(()),
            Err(error) => fault = told(&error),
        }
        // Another name changes nothing of what else is wrong.
        if fault != DaneFault::Name {
            break;
        }
    }
    Err(fault)
}

const fn told(error: &rustls::Error) -> DaneFault {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => DaneFault::Name,
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => DaneFault::Expired,
        _ => DaneFault::Chain,
    }
}

#[cfg(test)]
mod tests;
