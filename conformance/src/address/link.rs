//! The client's end of one connection: lines, counted bytes and TLS, each with a time by which it
//! must have come.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use crate::zip::Zip;

/// A connection to the server that is looked at.
pub struct Link {
    stream: TcpStream,
    host: String,
    tls: Option<ClientConnection>,
    /// All is compressed.
    zip: Option<Box<Zip>>,
    /// Come, and not yet taken.
    come: Vec<u8>,
    closed: bool,
}

/// Why nothing more was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Nothing came in time.
    Patience,
    /// The server has closed the connection.
    Closed,
    /// One line or literal is larger than [`ANSWER_MAX`].
    TooMuch,
}

impl Link {
    /// Connects to `HOST:PORT`.
    ///
    /// # Errors
    /// What was wrong with the address, or why nobody answers there.
    pub fn open(address: &str, patience: Duration) -> Result<Self, String> {
        let why = |error: &dyn fmt::Display| format!("{address}: {error}");
        let (host, _) = address.rsplit_once(':').ok_or_else(|| why(&"write HOST:PORT"))?;
        let mut last = format!("{address}: no such host");
        for found in address.to_socket_addrs().map_err(|error| why(&error))? {
            match TcpStream::connect_timeout(&found, patience) {
                Err(error) => last = why(&error),
                Ok(stream) => {
                    let set = stream
                        .set_nodelay(true)
                        .and_then(|()| stream.set_write_timeout(Some(patience)));
                    set.map_err(|error| why(&error))?;
                    let host = host.trim_matches(['[', ']']).to_owned();
                    let come = Vec::new();
                    return Ok(Self { stream, host, tls: None, zip: None, come, closed: false });
                }
            }
        }
        Err(last)
    }

    /// Writes. A server that has closed may refuse it: what it said before is still to be heard.
    pub fn send(&mut self, bytes: &[u8]) {
        let packed = self.zip.as_mut().map(|zip| zip.pack(bytes));
        let bytes = packed.as_deref().unwrap_or(bytes);
        let _maybe_closed = match &mut self.tls {
            None => self.stream.write_all(bytes),
            Some(tls) => rustls::Stream::new(tls, &mut self.stream).write_all(bytes),
        };
    }

    /// One line, with its end.
    ///
    /// # Errors
    /// Why it did not come.
    pub fn line(&mut self, until: Instant) -> Result<Vec<u8>, Silence> {
        let mut looked = 0;
        loop {
            let fresh = self.come.iter().skip(looked).position(|byte| *byte == b'\n');
            if let Some(at) = fresh {
                return Ok(self.come.drain(..=looked + at).collect());
            }
            looked = self.come.len();
            self.more(until)?;
        }
    }

    /// So many bytes.
    ///
    /// # Errors
    /// Why they did not come.
    pub fn exactly(&mut self, count: usize, until: Instant) -> Result<Vec<u8>, Silence> {
        if count > ANSWER_MAX {
            return Err(Silence::TooMuch);
        }
        while self.come.len() < count {
            self.more(until)?;
        }
        Ok(self.come.drain(..count).collect())
    }

    /// Waits until something has come that was not taken yet, but no longer than this.
    ///
    /// # Errors
    /// Why nothing will come any more.
    pub fn comes(&mut self, until: Instant) -> Result<bool, Silence> {
        if !self.come.is_empty() {
            return Ok(true);
        }
        match self.more(until) {
            Ok(()) => Ok(true),
            Err(Silence::Patience) => Ok(false),
            Err(why) => Err(why),
        }
    }

    /// Whether the server closes the connection in time. What it says before is thrown away.
    pub fn closes(&mut self, until: Instant) -> bool {
        loop {
            self.come.clear();
            match self.more(until) {
                Ok(()) => {}
                Err(silence) => return silence == Silence::Closed,
            }
        }
    }

    /// TLS begins here. Whose the certificate is does not matter.
    ///
    /// # Errors
    /// Why it does not.
    pub fn shake_hands(&mut self, until: Instant) -> Result<(), String> {
        let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        let client = ClientConnection::new(Arc::new(config), name);
        let mut client = client.map_err(|error| error.to_string())?;
        while client.is_handshaking() {
            let left = left(until).ok_or("no handshake in time")?;
            self.stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
            client.complete_io(&mut self.stream).map_err(|error| error.to_string())?;
        }
        self.tls = Some(client);
        Ok(())
    }

    /// From here on everything is compressed, in both directions (RFC 4978).
    pub fn compress(&mut self) {
        let mut zip = Zip::new();
        self.come = zip.unpack(&self.come);
        self.zip = Some(Box::new(zip));
    }

    /// Says that nothing more will be sent.
    pub fn end(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _maybe_closed = tls.write_tls(&mut self.stream);
        }
        let _maybe_closed = self.stream.shutdown(Shutdown::Write);
    }

    fn more(&mut self, until: Instant) -> Result<(), Silence> {
        if self.closed {
            return Err(Silence::Closed);
        }
        if self.come.len() > ANSWER_MAX {
            return Err(Silence::TooMuch);
        }
        let left = left(until).ok_or(Silence::Patience)?;
        let _cannot_fail = self.stream.set_read_timeout(Some(left));
        let mut space = [0; 16_384];
        let read = match &mut self.tls {
            None => self.stream.read(&mut space),
            Some(tls) => rustls::Stream::new(tls, &mut self.stream).read(&mut space),
        };
        match read {
            Ok(count) if count > 0 => {
                let fresh = space.get(..count).unwrap_or_default();
                match &mut self.zip {
                    None => self.come.extend_from_slice(fresh),
                    Some(zip) => self.come.extend(zip.unpack(fresh)),
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(Silence::Patience);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The end, a reset, or an end without `close_notify`.
            Ok(_) | Err(_) => {
                self.closed = true;
                return Err(Silence::Closed);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("host", &self.host).finish_non_exhaustive()
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patience => "nothing in time",
            Self::Closed => "the connection was closed",
            Self::TooMuch => "more than this program takes",
        })
    }
}

/// The largest line or literal that is read, in bytes.
pub const ANSWER_MAX: usize = 16 * 1024 * 1024;

fn left(until: Instant) -> Option<Duration> {
    until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}

/// Takes any certificate: servers under test sign their own. Signatures are checked all the same.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
