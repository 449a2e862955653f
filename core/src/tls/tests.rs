use std::sync::Arc;

use base64::Engine as _;
use proptest::prelude::*;
use ring::digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error};
use rustls::{HandshakeKind, SignatureScheme, SupportedProtocolVersion};

use super::*;
use crate::UnixSeconds;
use crate::alpn::Protocol;

const RSA: [&[u8]; 2] =
    [include_bytes!("testdata/rsa.pem"), include_bytes!("testdata/rsa.key.pem")];
const PSS: [&[u8]; 2] =
    [include_bytes!("testdata/pss.pem"), include_bytes!("testdata/rsa.key.pem")];
const ED25519: [&[u8]; 2] =
    [include_bytes!("testdata/ed25519.pem"), include_bytes!("testdata/ed25519.key.pem")];
const TLS12: &SupportedProtocolVersion = &rustls::version::TLS12;
const TLS13: &SupportedProtocolVersion = &rustls::version::TLS13;

fn identity([chain, key]: [&[u8]; 2]) -> Identity {
    Identity::from_pem(chain, key).unwrap()
}

fn made(names: &[&str]) -> Identity {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = made.signing_key.serialize_pem();
    Identity::from_pem(made.cert.pem().as_bytes(), key.as_bytes()).unwrap()
}

/// Who the server is does not matter to this client; that it holds its key does.
#[derive(Debug)]
struct Trusting {
    verifier: Arc<WebPkiServerVerifier>,
    only_rsa: bool,
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.verifier.supported_verify_schemes();
        schemes.retain(|scheme| !self.only_rsa || format!("{scheme:?}").starts_with("RSA"));
        schemes
    }
}

struct Client {
    config: ClientConfig,
    name: Option<&'static str>,
}

impl Client {
    fn new(versions: &[&'static SupportedProtocolVersion]) -> Self {
        Self::with(versions, None, false)
    }

    fn with(
        versions: &[&'static SupportedProtocolVersion],
        key: Option<[&[u8]; 2]>,
        only_rsa: bool,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(RSA[0]).unwrap()).unwrap();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
                .build()
                .unwrap();
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trusting { verifier, only_rsa }));
        let config = match key {
            None => builder.with_no_client_auth(),
            Some([chain, key]) => {
                let chain = vec![CertificateDer::from_pem_slice(chain).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        Self { config, name: None }
    }

    fn named(self, name: &'static str) -> Self {
        Self { name: Some(name), ..self }
    }

    fn listing(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().into()).collect();
        self
    }

    fn connect(&self) -> ClientConnection {
        let config = Arc::new(self.config.clone());
        // No name is sent for an address.
        let name = self.name.unwrap_or("192.0.2.1");
        ClientConnection::new(config, name.try_into().unwrap()).unwrap()
    }
}

/// How a handshake ended for both.
struct Met {
    client: ClientConnection,
    layer: Layer,
    server: Result<(), TlsError>,
    error: Option<Error>,
}

fn meet(acceptor: &Acceptor, mut client: ClientConnection, piece: usize) -> Met {
    let mut layer = Layer::accept(acceptor);
    let (mut inbox, mut plain) = (Inbox::new(1 << 17), Inbox::new(1 << 16));
    let mut outbox = Outbox::new(1 << 16);
    let mut server = Ok(());
    let mut error = None;
    while client.wants_write() && server.is_ok() {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).unwrap();
        }
        for bytes in flight.chunks(piece) {
            inbox.extend(bytes);
            server =
                server.and_then(|()| layer.open(&mut inbox, &mut plain, &mut outbox).map(drop));
        }
        let mut answer = outbox.unsent();
        while !answer.is_empty() {
            client.read_tls(&mut answer).unwrap();
            error = client.process_new_packets().err().or(error);
        }
        outbox.clear();
    }
    Met { client, layer, server, error }
}

fn agreed(acceptor: &Acceptor, client: &Client) -> (Agreed, ClientConnection) {
    let met = meet(acceptor, client.connect(), 4_096);
    assert_eq!((met.server, met.error), (Ok(()), None));
    (met.layer.agreed().unwrap(), met.client)
}

fn acceptor(identities: &[Identity], rules: Rules) -> Acceptor {
    Acceptor::new(identities, rules, || UnixSeconds(1_795_527_240)).unwrap()
}

fn shown(client: &ClientConnection) -> &[u8] {
    client.peer_certificates().unwrap()[0].as_ref()
}

fn der(identity: &Identity) -> Vec<u8> {
    identity.key().cert[0].to_vec()
}

#[test]
fn the_name_chooses_the_certificate() {
    let identities = [
        made(&["mail.example.org"]),
        made(&["Mail.Example.net", "imap.example.net"]),
        made(&["*.example.com"]),
    ];
    let serve = acceptor(&identities, Rules::default());
    let refuse = Rules { unknown_name: UnknownName::Refuse, ..Rules::default() };
    let refuse = acceptor(&identities, refuse);
    let known = [
        (None, 0),
        (Some("mail.example.org"), 0),
        (Some("mail.example.net"), 1),
        (Some("IMAP.example.net"), 1),
        (Some("mx.example.com"), 2),
    ];
    for (name, index) in known {
        let client = Client { name, ..Client::new(&[TLS13, TLS12]) };
        for acceptor in [&serve, &refuse] {
            let (agreed, client) = agreed(acceptor, &client);
            assert_eq!(shown(&client), der(&identities[index]), "{name:?}");
            assert_eq!(agreed.server_name, name.map(str::to_ascii_lowercase));
        }
    }
    for name in ["example.com", "a.b.example.com", "example.org", "mail.example.org.example"] {
        let client = Client::new(&[TLS13, TLS12]).named(name);
        assert_eq!(shown(&agreed(&serve, &client).1), der(&identities[0]));
        for piece in [1, 7, 4_096] {
            let met = meet(&refuse, client.connect(), piece);
            assert_eq!(met.error, Some(Error::AlertReceived(AlertDescription::UnrecognisedName)));
            let said = met.server.unwrap_err().to_string();
            assert_eq!(said, format!("there is no certificate for the name `{name}`"));
        }
    }
}

#[test]
fn keys_of_two_kinds_stand_side_by_side() {
    let (ec, rsa) = (made(&["mail.example.org"]), identity(RSA));
    let acceptor = acceptor(&[ec.clone(), rsa.clone()], Rules::default());
    for versions in [&[TLS12][..], &[TLS13]] {
        for name in [None, Some("mail.example.org")] {
            let client = Client { name, ..Client::new(versions) };
            assert_eq!(shown(&agreed(&acceptor, &client).1), der(&ec));
            let client = Client { name, ..Client::with(versions, None, true) };
            assert_eq!(shown(&agreed(&acceptor, &client).1), der(&rsa), "{versions:?}");
        }
    }
}

#[test]
fn alpn_is_agreed_on_or_refused() {
    let rules = |alpn: &[Protocol]| Rules { alpn: alpn.into(), ..Rules::default() };
    let identities = [made(&["localhost"])];
    let all = acceptor(&identities, rules(&Protocol::ALL));
    for (listed, expected) in [
        (&["imap"][..], Some(Protocol::Imap)),
        (&["smtp", "h2"], Some(Protocol::Smtp)),
        (&["nntp", "h2", "imap"], Some(Protocol::Http2)),
        (&[], None),
    ] {
        let (agreed, client) = agreed(&all, &Client::new(&[TLS13, TLS12]).listing(listed));
        assert_eq!(agreed.alpn, expected);
        let heard = client.alpn_protocol();
        assert_eq!(heard, expected.map(|protocol| protocol.name().as_bytes()));
    }
    let imap = acceptor(&identities, rules(&[Protocol::Imap]));
    for versions in [&[TLS12][..], &[TLS13]] {
        let client = Client::new(versions).listing(&["h2", "http/1.1"]);
        let met = meet(&imap, client.connect(), 5);
        let alert = AlertDescription::NoApplicationProtocol;
        assert_eq!(met.error, Some(Error::AlertReceived(alert)));
        let said = met.server.unwrap_err().to_string();
        assert!(said.ends_with("not spoken here: h2, http/1.1"), "{said}");
    }
    // A listener without a rule overlooks it.
    let none = acceptor(&identities, Rules::default());
    assert_eq!(agreed(&none, &Client::new(&[TLS13]).listing(&["h2"])).0.alpn, None);
}

#[test]
fn both_sides_have_the_same_bindings() {
    for (identity, size) in [
        (made(&["localhost"]), Some(32)),
        (identity(RSA), Some(48)),
        (identity(PSS), Some(64)),
        (identity(ED25519), None),
    ] {
        let acceptor = acceptor(&[identity], Rules::default());
        for versions in [&[TLS12][..], &[TLS13]] {
            let (agreed, client) = agreed(&acceptor, &Client::new(versions));
            let exporter =
                client.export_keying_material([0; 32], EXPORTER_LABEL, Some(b"")).unwrap();
            assert_eq!(agreed.bindings.exporter.as_deref(), Some(&exporter[..]));
            let end_point = agreed.bindings.end_point;
            assert_eq!(end_point.as_ref().map(Vec::len), size);
            let hash = match size {
                Some(32) => &digest::SHA256,
                Some(48) => &digest::SHA384,
                _ => &digest::SHA512,
            };
            let expected = digest::digest(hash, shown(&client));
            assert!(end_point.is_none_or(|data| data == expected.as_ref()));
        }
    }
}

#[test]
fn a_client_is_known_by_its_key() {
    let rules = Rules { client_certificates: true, ..Rules::default() };
    let acceptor = acceptor(&[made(&["localhost"])], rules);
    let (_, certificate) = x509_parser::pem::parse_x509_pem(ED25519[0]).unwrap();
    let certificate = certificate.parse_x509().unwrap();
    let expected = digest::digest(&digest::SHA256, certificate.public_key().raw);
    for versions in [&[TLS12][..], &[TLS13]] {
        assert_eq!(agreed(&acceptor, &Client::new(versions)).0.bindings.client_key, None);
        let known = agreed(&acceptor, &Client::with(versions, Some(ED25519), false)).0;
        let known = known.bindings.client_key;
        assert_eq!(fingerprint_of_pem(ED25519[0]).ok(), known);
        assert_eq!(known.as_ref().map(<[u8; 32]>::as_slice), Some(expected.as_ref()));
    }
}

#[test]
fn a_session_is_taken_up_again_where_that_is_on() {
    for (resumption, kind) in [(true, HandshakeKind::Resumed), (false, HandshakeKind::Full)] {
        let rules = Rules { resumption, ..Rules::default() };
        let acceptor = acceptor(&[made(&["localhost"])], rules);
        for versions in [&[TLS12][..], &[TLS13]] {
            let client = Client::new(versions).named("localhost");
            let first = agreed(&acceptor, &client).0;
            let (again, connection) = agreed(&acceptor, &client);
            assert_eq!(connection.handshake_kind(), Some(kind));
            assert_eq!(again.bindings.end_point, first.bindings.end_point);
            assert_ne!(again.bindings.exporter, first.bindings.exporter);
        }
    }
}

#[test]
fn who_speaks_in_clear_is_told_apart() {
    let mut layer = Layer::accept(&acceptor(&[made(&["localhost"])], Rules::default()));
    let (mut inbox, mut plain) = (Inbox::new(1 << 16), Inbox::new(1 << 16));
    let mut outbox = Outbox::new(1 << 16);
    inbox.extend(b"EHLO client.example\r\n");
    let error = layer.open(&mut inbox, &mut plain, &mut outbox).unwrap_err();
    assert_eq!(error.to_string(), "what the client sends is not TLS");
}

/// A `ClientHello` that never ends is given up at a size, however its records are cut.
#[test]
fn a_hello_is_bounded() {
    for fragment in [1, 100, 16_000] {
        let acceptor = acceptor(&[made(&["localhost"])], Rules::default());
        let mut layer = Layer::accept(&acceptor);
        let (mut inbox, mut plain) = (Inbox::new(1 << 17), Inbox::new(1 << 16));
        let mut outbox = Outbox::new(1 << 16);
        let length = u16::try_from(fragment).unwrap().to_be_bytes();
        let record = [&[22, 3, 1][..], &length, &vec![0; fragment]].concat();
        // Its own length says 65,535.
        let first = [22, 3, 1, 0, 4, 1, 0, 255, 255];
        let (mut fed, mut bytes) = (0, &first[..]);
        while fed < 1 << 18 {
            inbox.extend(bytes);
            if layer.open(&mut inbox, &mut plain, &mut outbox).is_err() {
                break;
            }
            assert_eq!(inbox.unread().len(), 0);
            fed += bytes.len();
            bytes = &record;
        }
        assert!(fed <= 1 << 17, "{fed} bytes were taken in records of {fragment}");
        assert!(layer.agreed().is_none());
    }
}

#[test]
fn an_identity_says_what_is_wrong_with_it() {
    let wrong = |chain: &[u8], key: &[u8]| Identity::from_pem(chain, key).unwrap_err().to_string();
    assert!(wrong(b"", RSA[1]).contains("holds no certificate"));
    assert!(wrong(RSA[0], b"").contains("holds no private key"));
    assert!(wrong(RSA[0], ED25519[1]).contains("certificate and key cannot be used"));
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(wrong(broken, RSA[1]).contains("certificate cannot be read"));
    assert_eq!(identity(RSA).names().collect::<Vec<_>>(), ["mail.example.org"]);
}

proptest! {
    #[test]
    fn no_hello_makes_it_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..600), piece in 1usize..600
    ) {
        if let Some(first) = bytes.first_mut() {
            *first = 22;
        }
        let acceptor = acceptor(&[identity(ED25519)], Rules::default());
        let mut layer = Layer::accept(&acceptor);
        let (mut inbox, mut plain) = (Inbox::new(1 << 16), Inbox::new(1 << 16));
        let mut outbox = Outbox::new(1 << 16);
        for bytes in bytes.chunks(piece) {
            inbox.extend(bytes);
            if layer.open(&mut inbox, &mut plain, &mut outbox).is_err() {
                break;
            }
        }
        prop_assert!(layer.agreed().is_none());
    }
}

#[test]
fn a_fingerprint_is_of_the_first_public_key_in_a_text() {
    let (_, certificate) = x509_parser::pem::parse_x509_pem(ED25519[0]).unwrap();
    let certificate = certificate.parse_x509().unwrap();
    let key = certificate.public_key().raw;
    let expected = digest::digest(&digest::SHA256, key);
    let text = |label: &str, der: &[u8]| {
        let base64 = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n").into_bytes()
    };
    let public = text("PUBLIC KEY", key);
    for good in [
        ED25519[0].to_vec(),
        public.clone(),
        [b"Certificate:\n  Data:\n", ED25519[0]].concat(),
        [ED25519[1], ED25519[0]].concat(),
        [public.as_slice(), ED25519[1]].concat(),
    ] {
        let found = fingerprint_of_pem(&good);
        assert_eq!(found.as_ref().map(<[u8; 32]>::as_slice), Ok(expected.as_ref()));
    }
    for (bad, why) in [
        (Vec::new(), NoPublicKey::Missing),
        (b"-----BEGIN".to_vec(), NoPublicKey::Missing),
        (text("X509 CRL", b"x"), NoPublicKey::Missing),
        (ED25519[1].to_vec(), NoPublicKey::Private),
        (text("PUBLIC KEY", b"x"), NoPublicKey::Broken),
        (text("PUBLIC KEY", &[key, b"x"].concat()), NoPublicKey::Broken),
        (text("CERTIFICATE", key), NoPublicKey::Broken),
        (
            b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n".to_vec(),
            NoPublicKey::Broken,
        ),
    ] {
        assert_eq!(fingerprint_of_pem(&bad), Err(why), "{}", String::from_utf8_lossy(&bad));
    }
}
