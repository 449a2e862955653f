//! TLS over memory: a layer between the runtime's buffers and a session's.
//!
//! rustls does TLS; this module gives it our shape. Cipher bytes are taken from one inbox and
//! plain bytes put into another, and the same the other way round. The runtime never knows.
//!
//! No type of rustls shows outside, so that its next major version is a change of this file.
//! The ring provider is given explicitly: never the process's default.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject as _};

use crate::{Inbox, Outbox, UnixSeconds};

/// The longest plain text in one TLS record (RFC 8446 §5.1): written in such pieces, a large
/// answer costs the fewest records.
const RECORD_MAX: usize = 16_384;

/// A certificate chain and its private key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads a chain (the server's certificate first) and a private key from PEM text.
    ///
    /// # Errors
    /// Where the text holds no certificate or no key, or is no PEM.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| TlsError(format!("the certificate file is no PEM: {error}")))?;
        if chain.is_empty() {
            return Err(TlsError("the certificate file holds no certificate".into()));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| TlsError(format!("the key file holds no private key: {error}")))?;
        Ok(Self { chain, key })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.chain.len())
    }
}

/// What the server side needs to begin TLS, shared by all connections of a listener.
#[derive(Clone)]
pub struct Acceptor(Arc<rustls::ServerConfig>);

impl Acceptor {
    /// Serves TLS 1.2 and 1.3 with this identity, whatever name the client asks for. `clock` dates
    /// session tickets.
    ///
    /// # Errors
    /// Where the key does not belong to the certificate, or is of a kind that ring cannot use.
    pub fn new(
        identity: Identity,
        clock: impl Fn() -> UnixSeconds + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config =
            rustls::ServerConfig::builder_with_details(provider, Arc::new(Clock(Box::new(clock))))
                .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
                .and_then(|builder| {
                    builder.with_no_client_auth().with_single_cert(identity.chain, identity.key)
                })
                .map_err(|error| {
                    TlsError(format!("certificate and key cannot be used: {error}"))
                })?;
        // Tickets instead of a table: the state of a resumable session lies with the client.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.ticketer = rustls::crypto::ring::Ticketer::new()
            .map_err(|error| TlsError(format!("no ticket keys: {error}")))?;
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

struct Clock(Box<dyn Fn() -> UnixSeconds + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl rustls::time_provider::TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from((self.0)().0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// What the handshake has agreed, for the log and for `Received` (RFC 3848).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// As `TLSv1.3`.
    pub version: &'static str,
    /// As `TLS13_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// The name that the client asked for, if it did.
    pub server_name: Option<String>,
}

/// TLS went wrong; the alert for the peer, if one is due, is in the outbox already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError(String);

impl TlsError {
    pub(crate) fn timed_out() -> Self {
        Self("the handshake took too long".into())
    }

    pub(crate) fn closed_early() -> Self {
        Self("the peer ended the handshake".into())
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

/// How far the cipher bytes have been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Plain bytes were added to the session's inbox.
    pub bytes: bool,
    /// The peer has said `close_notify`: it will send nothing more, and this is the true end.
    pub closed: bool,
}

/// One connection's TLS, server side.
pub struct Layer {
    connection: rustls::ServerConnection,
}

impl Layer {
    /// Begins a handshake as the server.
    ///
    /// # Errors
    /// Where rustls refuses its configuration.
    pub fn accept(acceptor: &Acceptor) -> Result<Self, TlsError> {
        let mut connection = rustls::ServerConnection::new(Arc::clone(&acceptor.0))
            .map_err(|error| TlsError(error.to_string()))?;
        connection.set_buffer_limit(Some(RECORD_MAX));
        Ok(Self { connection })
    }

    /// Whether the handshake still goes on.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// What was agreed; complete once the handshake has ended.
    #[must_use]
    pub fn agreed(&self) -> Agreed {
        Agreed {
            version: match self.connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLS",
            },
            cipher: self
                .connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown")
                .to_owned(),
            server_name: self.connection.server_name().map(str::to_owned),
        }
    }

    /// Deciphers from `cipher` into `plain` as far as `plain` has room.
    ///
    /// # Errors
    /// Where the peer breaks TLS. The alert for it is in `reply` and the connection is over.
    pub fn open(
        &mut self,
        cipher: &mut Inbox,
        plain: &mut Inbox,
        reply: &mut Outbox,
    ) -> Result<Opened, TlsError> {
        let mut opened = Opened { bytes: false, closed: false };
        loop {
            opened.bytes |= self.take_plain(plain)?;
            if cipher.is_empty() || plain.room() == 0 || opened.closed {
                break;
            }
            let mut unread = cipher.unread();
            let before = unread.len();
            self.connection.read_tls(&mut unread).map_err(|error| TlsError(error.to_string()))?;
            let used = before - unread.len();
            cipher.consume(used);
            let state = self.connection.process_new_packets();
            self.write_records(reply);
            let state = state.map_err(|error| TlsError(error.to_string()))?;
            opened.closed = state.peer_has_closed();
            if used == 0 && state.plaintext_bytes_to_read() == 0 {
                break;
            }
        }
        opened.bytes |= self.take_plain(plain)?;
        Ok(opened)
    }

    /// Enciphers from `plain` into `cipher` until `plain` is empty or `cipher` is at its mark.
    pub fn seal(&mut self, plain: &mut Outbox, cipher: &mut Outbox) {
        while !plain.is_empty() && cipher.below_mark() && !self.connection.is_handshaking() {
            self.seal_record(plain, cipher);
        }
    }

    /// Enciphers all of `plain` and then says `close_notify`.
    pub fn finish(&mut self, plain: &mut Outbox, cipher: &mut Outbox) {
        while !plain.is_empty() && !self.connection.is_handshaking() {
            self.seal_record(plain, cipher);
        }
        self.connection.send_close_notify();
        self.write_records(cipher);
    }

    fn seal_record(&mut self, plain: &mut Outbox, cipher: &mut Outbox) {
        let unsent = plain.unsent();
        let piece = unsent.get(..RECORD_MAX).unwrap_or(unsent);
        // Memory only: rustls takes what its buffer limit allows, and an empty buffer allows all.
        let count = self.connection.writer().write(piece).unwrap_or(0);
        plain.sent(count);
        self.write_records(cipher);
        debug_assert!(count > 0, "the record buffer was emptied before");
        if count == 0 {
            plain.clear();
        }
    }

    fn write_records(&mut self, cipher: &mut Outbox) {
        let mut sink = Sink(cipher);
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut sink).is_err() {
                break;
            }
        }
    }

    fn take_plain(&mut self, plain: &mut Inbox) -> Result<bool, TlsError> {
        let mut any = false;
        while plain.room() > 0 {
            let mut reader = self.connection.reader();
            match plain.fill(RECORD_MAX, |space| reader.read(space)) {
                Ok(0) => break,
                Ok(_) => any = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(TlsError(error.to_string())),
            }
        }
        Ok(any)
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Layer({:?})", self.agreed())
    }
}

/// Lets rustls write into an outbox.
struct Sink<'a>(&'a mut Outbox);

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
