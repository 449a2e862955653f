//! Both sides of a handshake in memory, ours on both.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use ring::digest::{SHA256, digest};

use super::super::{Acceptor, Agreed, Identity, Layer, Rules, TlsError};
use super::*;
use crate::dane::{Matching, Selector, Usage};
use crate::{Inbox, Outbox};

const NOW: UnixSeconds = UnixSeconds(1_796_000_000);

/// A server with a certificate by an authority.
struct Issued {
    identity: Identity,
    authority: String,
    own_der: Vec<u8>,
    authority_der: Vec<u8>,
    key: Vec<u8>,
}

fn issued(name: &str, year: i32) -> Issued {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let own = params.signed_by(&key, &authority).unwrap();
    let chain = format!("{}{}", own.pem(), authority.pem());
    Issued {
        identity: Identity::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes()).unwrap(),
        authority: authority.pem(),
        own_der: own.der().to_vec(),
        authority_der: authority.der().to_vec(),
        key: rcgen::PublicKeyData::subject_public_key_info(&key),
    }
}

fn roots(issued: &Issued) -> Roots {
    Roots::none().and_pem(issued.authority.as_bytes()).unwrap()
}

/// What came of a handshake on both sides, its bytes carried in pieces of this size.
fn shake(
    identity: &Identity,
    connector: &Connector,
    piece: usize,
) -> (Result<Agreed, TlsError>, Option<Agreed>, Vec<u8>) {
    let rules = Rules { alpn: vec![crate::alpn::Protocol::Http11], ..Rules::default() };
    let acceptor = Acceptor::new(std::slice::from_ref(identity), rules, || NOW).unwrap();
    let mut client = Layer::connect(connector, NOW).unwrap();
    let mut server = Layer::accept(&acceptor);
    let inbox = || Inbox::new(1 << 16);
    let (mut to_client, mut to_server) = (inbox(), inbox());
    let (mut client_plain, mut server_plain) = (inbox(), inbox());
    let (mut from_client, mut from_server) = (Outbox::new(1 << 16), Outbox::new(1 << 16));
    let mut said = false;
    for _ in 0..100_000 {
        if let Err(error) = client.open(&mut to_client, &mut client_plain, &mut from_client) {
            return (Err(error), None, Vec::new());
        }
        // A client that gives up says so by an alert, which is no surprise here.
        if server.open(&mut to_server, &mut server_plain, &mut from_server).is_err() {
            break;
        }
        if let (Some(agreed), false) = (server.agreed(), said) {
            said = true;
            assert!(agreed.server.is_none());
            let mut plain = Outbox::new(100);
            plain.push(b"hello");
            server.seal(&mut plain, &mut from_server);
        }
        if client_plain.unread() == b"hello" {
            let (ours, theirs) = (client.agreed().unwrap(), server.agreed());
            return (Ok(ours), theirs, client_plain.unread().to_vec());
        }
        for (from, to) in [(&mut from_client, &mut to_server), (&mut from_server, &mut to_client)] {
            let bytes = from.unsent();
            let count = bytes.len().min(piece);
            let count = to.extend(&bytes[..count]);
            from.sent(count);
        }
    }
    panic!("the handshake does not end")
}

fn outcome(issued: &Issued, name: &str, trust: Trust) -> Result<Result<(), Doubt>, Doubt> {
    let connector = Connector::new(name, trust).unwrap();
    match shake(&issued.identity, &connector, 1 << 16).0 {
        Ok(agreed) => Ok(agreed.server.unwrap()),
        Err(error) => Err(error.doubt().unwrap()),
    }
}

#[test]
fn whom_one_believes() {
    let good = issued("mx.example", 2040);
    let old = issued("mx.example", 2020);
    let other = roots(&issued("mx.example", 2040));
    for (issued, name, roots, expected) in [
        (&good, "mx.example", roots(&good), Ok(())),
        (&good, "other.example", roots(&good), Err(Doubt::Name)),
        (&old, "mx.example", roots(&old), Err(Doubt::Expired)),
        (&good, "mx.example", other, Err(Doubt::Unknown)),
        (&good, "mx.example", Roots::none(), Err(Doubt::Unknown)),
        (&good, "mx.example", Roots::public(), Err(Doubt::Unknown)),
    ] {
        let strict = outcome(issued, name, Trust::Authorities(roots.clone()));
        assert_eq!(strict, expected.map(|()| Ok(())), "{name} {roots:?}");
        assert_eq!(outcome(issued, name, Trust::Anyone(roots)), Ok(expected), "{name}");
    }
}

#[test]
fn tlsa_records_tell_who_it_is() {
    let good = issued("mx.example", 2040);
    let old = issued("mx.example", 2020);
    let tlsa = |usage, selector, association: &[u8]| Tlsa {
        usage,
        selector,
        matching: Matching::Sha256,
        association: digest(&SHA256, association).as_ref().to_vec(),
    };
    let name = |name: &str| vec![Name::parse(name).unwrap()];
    let (own, above) = (Usage::EndEntity, Usage::TrustAnchor);
    let (whole, key) = (Selector::Certificate, Selector::PublicKey);
    for (issued, record, names, expected) in [
        (&good, tlsa(own, key, &good.key), name("x.example"), None),
        (&old, tlsa(own, key, &old.key), name("x.example"), None),
        (&good, tlsa(own, whole, &good.own_der), name("x.example"), None),
        (&good, tlsa(above, whole, &good.authority_der), name("mx.example"), None),
        (&good, tlsa(own, key, b"?"), name("mx.example"), Some(DaneFault::NoMatch)),
        (&good, tlsa(above, whole, &good.authority_der), name("x.example"), Some(DaneFault::Name)),
        (
            &old,
            tlsa(above, whole, &old.authority_der),
            name("mx.example"),
            Some(DaneFault::Expired),
        ),
    ] {
        let records = vec![record];
        let found = outcome(issued, "mx.example", Trust::Dane { records, names });
        assert_eq!(found, expected.map_or(Ok(Ok(())), |fault| Err(Doubt::Dane(fault))));
    }
}

#[test]
fn both_sides_have_the_same_bindings_in_pieces_of_any_size() {
    let good = issued("mx.example", 2040);
    let connector = Connector::new("mx.example", Trust::Authorities(roots(&good))).unwrap();
    for piece in [1, 7, 100, 1 << 16] {
        let (ours, theirs, heard) = shake(&good.identity, &connector, piece);
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
        assert_eq!(heard, b"hello");
        assert!(ours.bindings.exporter.is_some() && ours.bindings.end_point.is_some());
        assert_eq!(ours.bindings, theirs.bindings);
        assert_eq!(theirs.server_name.as_deref(), Some("mx.example"));
    }
    let offering = connector.offering(&[b"http/1.1"]);
    let (_, theirs, _) = shake(&good.identity, &offering, 1 << 16);
    assert_eq!(theirs.unwrap().alpn, Some(crate::alpn::Protocol::Http11));
}

#[test]
fn what_is_no_name_and_no_authority() {
    assert!(Connector::new("a b", Trust::Anyone(Roots::none())).is_err());
    assert!(Connector::new("192.0.2.1", Trust::Anyone(Roots::none())).is_ok());
    assert!(Roots::none().and_pem(b"-----BEGIN CERTIFICATE-----\n???").is_err());
}

#[test]
fn what_is_no_tls_ends_it() {
    let connector = Connector::new("mx.example", Trust::Anyone(Roots::none())).unwrap();
    let mut client = Layer::connect(&connector, NOW).unwrap();
    let mut cipher = Inbox::new(1 << 10);
    cipher.extend(b"220 mx.example ESMTP\r\n");
    let error = client.open(&mut cipher, &mut Inbox::new(100), &mut Outbox::new(100)).unwrap_err();
    assert_eq!(error.doubt(), None);
}
