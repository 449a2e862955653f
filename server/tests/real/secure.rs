//! Clients under TLS, and somebody in the middle.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use pillarbox_core::sasl::Binding;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};

use crate::server::PATIENCE;

pub(crate) const TLS12: &SupportedProtocolVersion = &rustls::version::TLS12;
pub(crate) const TLS13: &SupportedProtocolVersion = &rustls::version::TLS13;

/// How a client does TLS: whom it trusts, what it asks for.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    pub(crate) config: ClientConfig,
    pub(crate) name: &'static str,
}

impl Trust {
    pub(crate) fn new(ca: &Path, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { config, name: "localhost" }
    }

    /// Shows the server a certificate where it asks for one.
    pub(crate) fn showing(mut self, made: &rcgen::CertifiedKey<rcgen::KeyPair>) -> Self {
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let chain = vec![made.cert.der().clone()];
        let own = CertifiedKey::from_der(chain, key, &provider).unwrap();
        self.config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(own));
        self
    }

    pub(crate) fn listing(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().into()).collect();
        self
    }
}

/// A connection under TLS, line by line.
#[derive(Debug)]
pub(crate) struct Secure {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl Secure {
    /// Connects and shakes hands.
    pub(crate) fn to(port: u16, trust: &Trust) -> io::Result<Self> {
        let mut tcp = TcpStream::connect(("127.0.0.1", port))?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let name = trust.name.try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(trust.config.clone()), name).unwrap();
        while client.is_handshaking() {
            client.complete_io(&mut tcp)?;
        }
        Ok(Self { stream: BufReader::new(StreamOwned::new(client, tcp)) })
    }

    pub(crate) fn send(&mut self, line: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes())
    }

    /// A line without its end.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// A line, and the line that comes back.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<String> {
        self.send(line)?;
        self.line()
    }

    /// The protocol agreed on.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.stream.get_ref().conn.alpn_protocol()
    }

    /// The certificate that the server has shown.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.stream.get_ref().conn.peer_certificates().unwrap()[0].to_vec()
    }

    /// What the channel is bound to, as the client sees it.
    pub(crate) fn binding(&self, binding: Binding) -> Vec<u8> {
        match binding {
            Binding::Exporter => {
                let label = b"EXPORTER-Channel-Binding";
                let connection = &self.stream.get_ref().conn;
                connection.export_keying_material(vec![0; 32], label, Some(b"")).unwrap()
            }
            // The certificates of localserve are signed with SHA-256.
            _ => ring::digest::digest(&ring::digest::SHA256, &self.certificate()).as_ref().into(),
        }
    }
}

/// Somebody between a client and the server who has a certificate that the client trusts: opens
/// what comes, reads it, and closes it again for the server. Returns the port.
pub(crate) fn somebody_between(tls: &Path, port: u16, onward: Trust) -> u16 {
    let chain = vec![CertificateDer::from_pem_slice(&fs::read(tls.join("cert.pem")).unwrap())];
    let chain: Vec<_> = chain.into_iter().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(tls.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (near, _) = listener.accept().unwrap();
        let near = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), near);
        let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let name = onward.name.try_into().unwrap();
        let far = ClientConnection::new(Arc::new(onward.config), name)
            .map(|connection| StreamOwned::new(connection, far));
        relay(near, far.unwrap());
    });
    own
}

/// The protocols take turns line by line, the server first; so do we.
fn relay(near: impl Read + Write, far: StreamOwned<ClientConnection, TcpStream>) {
    let (mut near, mut far) = (BufReader::new(near), BufReader::new(far));
    let mut line = Vec::new();
    loop {
        line.clear();
        if far.read_until(b'\n', &mut line).unwrap_or(0) == 0
            || near.get_mut().write_all(&line).is_err()
        {
            break;
        }
        line.clear();
        if near.read_until(b'\n', &mut line).unwrap_or(0) == 0
            || far.get_mut().write_all(&line).is_err()
        {
            break;
        }
    }
    let _closed = far.get_ref().sock.shutdown(Shutdown::Both);
}
