//! TLSA records that count with SMTP.

use ring::digest;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::dns::Data;

/// Of the usable records of one server, so many are looked at.
pub const RECORDS_MAX: usize = 64;

/// Whose key a record tells (RFC 6698 §2.1.1, RFC 7218).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Usage {
    /// 2: that of an authority which has certified the server.
    TrustAnchor,
    /// 3: that of the server.
    EndEntity,
}

/// Of what a record tells (RFC 6698 §2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Selector {
    /// 0: the whole certificate.
    Certificate,
    /// 1: its public key.
    PublicKey,
}

/// How it is told (RFC 6698 §2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matching {
    /// 0: as it is.
    Full,
    /// 1: its SHA-256.
    Sha256,
    /// 2: its SHA-512.
    Sha512,
}

/// A TLSA record that counts with SMTP.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tlsa {
    /// Whose key.
    pub usage: Usage,
    /// Of what.
    pub selector: Selector,
    /// In which form.
    pub matching: Matching,
    /// What is told.
    pub association: Vec<u8>,
}

impl Tlsa {
    /// The record, if it counts: usages 0 and 1 do not with SMTP (RFC 7672 §3.1.3), nor does what
    /// is not known or cannot match (RFC 7671 §4, §10.3).
    #[must_use]
    pub fn usable(data: &Data) -> Option<Self> {
        let Data::Tlsa { usage, selector, matching, association } = data else { return None };
        let usage = match usage {
            2 => Usage::TrustAnchor,
            3 => Usage::EndEntity,
            _ => return None,
        };
        let selector = match selector {
            0 => Selector::Certificate,
            1 => Selector::PublicKey,
            _ => return None,
        };
        let (matching, good) = match matching {
            0 => (Matching::Full, is_whole(selector, association)),
            1 => (Matching::Sha256, association.len() == digest::SHA256_OUTPUT_LEN),
            2 => (Matching::Sha512, association.len() == digest::SHA512_OUTPUT_LEN),
            _ => return None,
        };
        good.then(|| Self { usage, selector, matching, association: association.clone() })
    }

    /// Those of an answer that count, [`RECORDS_MAX`] at most. Where there are digests of two kinds
    /// for one usage and selector, the weaker ones do not (RFC 7671 §9, RFC 7672 §5).
    #[must_use]
    pub fn usable_of(records: &[Data]) -> Vec<Self> {
        let all: Vec<_> = records.iter().filter_map(Self::usable).take(RECORDS_MAX).collect();
        let outdone = |record: &Self| {
            record.matching == Matching::Sha256
                && all.iter().any(|other| {
                    other.matching == Matching::Sha512
                        && (other.usage, other.selector) == (record.usage, record.selector)
                })
        };
        all.iter().filter(|record| !outdone(record)).cloned().collect()
    }

    /// Whether it tells of this certificate.
    pub(super) fn tells_of(&self, certificate: &Shown<'_>) -> bool {
        let bytes = match self.selector {
            Selector::Certificate => certificate.whole,
            Selector::PublicKey => certificate.parsed.public_key().raw,
        };
        match self.matching {
            Matching::Full => bytes == self.association,
            Matching::Sha256 => digest::digest(&digest::SHA256, bytes).as_ref() == self.association,
            Matching::Sha512 => digest::digest(&digest::SHA512, bytes).as_ref() == self.association,
        }
    }
}

/// A certificate that a server showed.
pub(super) struct Shown<'a> {
    pub(super) whole: &'a [u8],
    pub(super) parsed: X509Certificate<'a>,
}

impl<'a> Shown<'a> {
    pub(super) fn read(whole: &'a [u8]) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(whole).ok()?;
        rest.is_empty().then_some(Self { whole, parsed })
    }
}

fn is_whole(selector: Selector, association: &[u8]) -> bool {
    match selector {
        Selector::Certificate => Shown::read(association).is_some(),
        Selector::PublicKey => {
            SubjectPublicKeyInfo::from_der(association).is_ok_and(|(rest, _)| rest.is_empty())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(usage: u8, selector: u8, matching: u8, length: usize) -> Data {
        Data::Tlsa { usage, selector, matching, association: vec![7; length] }
    }

    #[test]
    fn which_records_count() {
        for usage in 0..=4 {
            for selector in 0..=2 {
                for matching in 0..=3 {
                    for length in [0, 31, 32, 33, 64] {
                        let good = matches!(usage, 2 | 3)
                            && selector < 2
                            && matches!((matching, length), (1, 32) | (2, 64));
                        let found = Tlsa::usable(&data(usage, selector, matching, length));
                        assert_eq!(found.is_some(), good, "{usage} {selector} {matching} {length}");
                    }
                }
            }
        }
        assert_eq!(Tlsa::usable(&Data::Txt(vec![7; 32])), None);
    }

    #[test]
    fn the_stronger_digest_counts() {
        let kinds = |records: &[Data]| {
            let usable = Tlsa::usable_of(records);
            let lengths: Vec<_> = usable.iter().map(|record| record.association.len()).collect();
            lengths
        };
        assert_eq!(kinds(&[data(3, 1, 1, 32), data(3, 1, 2, 64)]), [64]);
        assert_eq!(kinds(&[data(3, 1, 1, 32), data(3, 0, 2, 64)]), [32, 64]);
        assert_eq!(kinds(&[data(3, 1, 1, 32), data(2, 1, 2, 64)]), [32, 64]);
        // One that does not count outdoes none.
        assert_eq!(kinds(&[data(3, 1, 1, 32), data(3, 1, 2, 63)]), [32]);
        assert_eq!(kinds(&vec![data(3, 1, 1, 32); 100]).len(), RECORDS_MAX);
        assert!(kinds(&[data(1, 1, 1, 32), data(0, 0, 1, 32)]).is_empty());
    }
}
