//! Chains of an authority, one between, and a server, held to records of all kinds.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData as _,
    date_time_ymd,
};
use ring::digest;

use super::*;

/// 1 July 2026.
const NOW: UnixSeconds = UnixSeconds(1_782_864_000);

struct Made {
    params: CertificateParams,
    key: KeyPair,
    der: Vec<u8>,
}

fn params(name: &str, authority: bool) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

fn made(name: &str, authority: bool, by: Option<&Made>) -> Made {
    let (params, key) = (params(name, authority), KeyPair::generate().unwrap());
    let certificate = match by {
        Some(by) => params.signed_by(&key, &Issuer::from_params(&by.params, &by.key)),
        None => params.self_signed(&key),
    };
    let der = certificate.unwrap().der().to_vec();
    Made { params, key, der }
}

struct World {
    root: Made,
    between: Made,
    server: Made,
    stranger: Made,
}

fn world() -> World {
    let root = made("root.example", true, None);
    let between = made("between.example", true, Some(&root));
    let server = made("mx.example", false, Some(&between));
    World { stranger: made("mx.example", false, None), root, between, server }
}

fn record(usage: Usage, selector: Selector, matching: Matching, of: &Made) -> Tlsa {
    let bytes = match selector {
        Selector::Certificate => of.der.clone(),
        Selector::PublicKey => of.key.subject_public_key_info(),
    };
    let association = match matching {
        Matching::Full => bytes,
        Matching::Sha256 => digest::digest(&digest::SHA256, &bytes).as_ref().to_vec(),
        Matching::Sha512 => digest::digest(&digest::SHA512, &bytes).as_ref().to_vec(),
    };
    Tlsa { usage, selector, matching, association }
}

fn all(usage: Usage, of: &Made) -> Vec<Tlsa> {
    let mut records = Vec::new();
    for selector in [Selector::Certificate, Selector::PublicKey] {
        for matching in [Matching::Full, Matching::Sha256, Matching::Sha512] {
            records.push(record(usage, selector, matching, of));
        }
    }
    records
}

fn held(
    record: &Tlsa,
    chain: &[&Made],
    name: &str,
    now: UnixSeconds,
) -> Result<Matched, DaneFault> {
    let chain: Vec<_> = chain.iter().map(|made| &*made.der).collect();
    authenticate(std::slice::from_ref(record), &chain, &[Name::parse(name).unwrap()], now)
}

#[test]
fn a_key_of_the_server_is_all_that_counts() {
    let World { server, between, stranger, .. } = world();
    for record in all(Usage::EndEntity, &server) {
        let good = Ok(Matched::EndEntity);
        assert_eq!(held(&record, &[&server], "mx.example", NOW), good);
        // Neither the name, nor the time, nor the chain.
        assert_eq!(held(&record, &[&server, &stranger], "other.example", UnixSeconds(0)), good);
        assert_eq!(
            held(&record, &[&stranger, &server], "mx.example", NOW),
            Err(DaneFault::NoMatch)
        );
        assert_eq!(held(&record, &[&between], "mx.example", NOW), Err(DaneFault::NoMatch));
    }
    for record in all(Usage::EndEntity, &stranger) {
        assert_eq!(held(&record, &[&stranger], "mx.example", NOW), Ok(Matched::EndEntity));
    }
}

#[test]
fn an_authority_has_to_have_certified_the_server() {
    let World { root, between, server, stranger } = world();
    let good = Ok(Matched::TrustAnchor);
    for record in all(Usage::TrustAnchor, &root) {
        let full = [&server, &between, &root];
        assert_eq!(held(&record, &full, "mx.example", NOW), good, "{record:?}");
        assert_eq!(held(&record, &full, "other.example", NOW), Err(DaneFault::Name));
        let late = UnixSeconds(NOW.0 + 366 * 86_400);
        assert_eq!(held(&record, &full, "mx.example", late), Err(DaneFault::Expired));
        assert_eq!(held(&record, &full, "mx.example", UnixSeconds(0)), Err(DaneFault::Expired));
        // In any order.
        assert_eq!(held(&record, &[&server, &root, &between], "mx.example", NOW), good);
        // A gap.
        assert_eq!(held(&record, &[&server, &root], "mx.example", NOW), Err(DaneFault::Chain));
        // Somebody else's certificate with the authority's beside it.
        let strange = [&stranger, &between, &root];
        assert_eq!(held(&record, &strange, "mx.example", NOW), Err(DaneFault::Chain));
        // Without the authority's own: only where the record holds it as a whole.
        let expected = match record.matching {
            Matching::Full => good,
            Matching::Sha256 | Matching::Sha512 => Err(DaneFault::NoMatch),
        };
        assert_eq!(held(&record, &[&server, &between], "mx.example", NOW), expected, "{record:?}");
    }
    for record in all(Usage::TrustAnchor, &between) {
        assert_eq!(held(&record, &[&server, &between], "mx.example", NOW), good);
        assert_eq!(held(&record, &[&server, &between, &root], "mx.example", NOW), good);
    }
}

#[test]
fn one_record_and_one_name_of_several_are_enough() {
    let World { root, between, server, stranger } = world();
    let records = [
        record(Usage::EndEntity, Selector::PublicKey, Matching::Sha256, &stranger),
        record(Usage::TrustAnchor, Selector::PublicKey, Matching::Sha256, &stranger),
        record(Usage::TrustAnchor, Selector::PublicKey, Matching::Sha256, &root),
    ];
    let chain = [&*server.der, b"garbage", &between.der, &root.der];
    let names = ["a.example", "mx.example"].map(|name| Name::parse(name).unwrap());
    assert_eq!(authenticate(&records, &chain, &names, NOW), Ok(Matched::TrustAnchor));
    assert_eq!(authenticate(&records, &chain, &names[..1], NOW), Err(DaneFault::Name));
    assert_eq!(authenticate(&records, &chain, &[], NOW), Err(DaneFault::Name));
    assert_eq!(authenticate(&records, &[], &names, NOW), Err(DaneFault::NoCertificate));
    assert_eq!(authenticate(&records, &[b"x"], &names, NOW), Err(DaneFault::Unreadable));
    assert_eq!(authenticate(&[], &chain, &names, NOW), Err(DaneFault::NoMatch));
}

#[test]
fn the_key_of_a_server_is_no_authority_over_itself() {
    let World { server, between, .. } = world();
    for record in all(Usage::TrustAnchor, &server) {
        for chain in [&[&server][..], &[&server, &between]] {
            let fault = match record.matching {
                Matching::Full => DaneFault::Chain,
                Matching::Sha256 | Matching::Sha512 => DaneFault::NoMatch,
            };
            assert_eq!(held(&record, chain, "mx.example", NOW), Err(fault), "{record:?}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_no_certificate(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        at in 0_usize..900,
        to in proptest::num::u8::ANY,
    ) {
        let record = Tlsa {
            usage: Usage::TrustAnchor,
            selector: Selector::PublicKey,
            matching: Matching::Full,
            association: bytes.clone(),
        };
        let names = [Name::parse("mx.example").unwrap()];
        let _fault = authenticate(std::slice::from_ref(&record), &[&bytes], &names, NOW);
        let _content = content(&bytes);
        // A certificate with one byte changed is another one.
        let mut der = made("mx.example", false, None).der;
        let own = Tlsa {
            usage: Usage::EndEntity,
            selector: Selector::Certificate,
            matching: Matching::Full,
            association: der.clone(),
        };
        if let Some(byte) = der.get_mut(at).filter(|byte| **byte != to) {
            *byte = to;
            proptest::prop_assert!(authenticate(&[own], &[&der], &names, NOW).is_err());
        }
    }
}
