//! TLS over memory: a layer between the runtime's buffers and a session's.
//!
//! rustls does TLS; this module gives it our shape. Cipher bytes are taken from one inbox and
//! plain bytes put into another, and the same the other way round. The runtime never knows.
//!
//! The `ClientHello` is read first ([`Acceptor`]): the name in it chooses the certificate, the
//! protocols in it what is spoken, and only then does the handshake go on.
//!
//! No type of rustls shows outside, so that its next major version is a change of this module.
//! The ring provider is given explicitly: never the process's default.

mod acceptor;
mod client_certificate;
mod connector;
mod hello;
mod identity;
mod public_key;

use std::fmt;
use std::io::{self, Read as _, Write as _};

pub use acceptor::{Acceptor, Rules, UnknownName};
use acceptor::{Chosen, Refusal};
use connector::Finding;
pub use connector::{Connector, Doubt, Roots, Trust};
pub use identity::Identity;
pub use public_key::{NoPublicKey, fingerprint_of_pem};

use crate::alpn;
use crate::sasl::Bindings;
use crate::{Inbox, Outbox, UnixSeconds};

/// The longest plain text in one TLS record (RFC 8446 §5.1): written in such pieces, a large
/// answer costs the fewest records.
const RECORD_MAX: usize = 16_384;
/// RFC 9266 §2: with an empty context.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
/// In octets.
const EXPORTER_SIZE: usize = 32;

/// What the handshake has agreed, for the log and for `Received` (RFC 3848).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// As `TLSv1.3`.
    pub version: &'static str,
    /// As `TLS13_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// The name that the client asked for, if it did.
    pub server_name: Option<String>,
    /// The protocol that the client asked for and the listener offers.
    pub alpn: Option<alpn::Protocol>,
    /// What SASL needs of the channel: what it can bind to only where the listener's rules say
    /// that it is told.
    pub bindings: Bindings,
    /// To a client: whether the server has proven who it is.
    pub server: Option<Result<(), Doubt>>,
}

/// TLS went wrong; the alert for the peer, if one is due, is in the outbox already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError {
    what: String,
    doubt: Option<Doubt>,
}

impl TlsError {
    /// Something else than a doubt about who a server is.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), doubt: None }
    }

    /// Why the server is not who it should be, where that is what went wrong.
    #[must_use]
    pub const fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    pub(crate) fn injected() -> Self {
        Self::new("something came in clear before the handshake")
    }

    pub(crate) fn timed_out() -> Self {
        Self::new("the handshake took too long")
    }

    pub(crate) fn closed_early() -> Self {
        Self::new("the peer ended the handshake")
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.doubt.map_or(Ok(()), |doubt| write!(f, " ({doubt})"))
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

/// One connection's TLS.
pub struct Layer(Stage);

enum Stage {
    /// The `ClientHello` has not come in whole.
    Hello {
        acceptor: Acceptor,
        reader: Box<rustls::server::Acceptor>,
        /// The bytes so far; rustls keeps no more of them than a handshake message may have.
        seen: Vec<u8>,
    },
    Chosen(Box<Talking>),
    /// The peer was refused, with an alert.
    Over,
}

struct Talking {
    connection: rustls::Connection,
    side: Side,
    alpn: Option<alpn::Protocol>,
    /// Whether what one can bind to is told.
    bindings: bool,
    extended_master_secret: bool,
}

/// What one side knows.
enum Side {
    /// We have shown this.
    Server(Identity),
    /// What was found of the server's certificate.
    Client(Finding),
}

impl Layer {
    /// Begins a handshake as a client, at this time.
    ///
    /// # Errors
    /// Where it cannot be begun.
    pub fn connect(connector: &Connector, now: UnixSeconds) -> Result<Self, TlsError> {
        let (connection, finding) = connector.begin(now)?;
        let mut connection = rustls::Connection::from(connection);
        connection.set_buffer_limit(Some(RECORD_MAX));
        let side = Side::Client(finding);
        // Whether the server takes the extended master secret is not told: one binds under TLS 1.3.
        let (alpn, bindings, extended_master_secret) = (None, true, false);
        let talking = Talking { connection, side, alpn, bindings, extended_master_secret };
        Ok(Self(Stage::Chosen(Box::new(talking))))
    }

    /// Begins a handshake as the server.
    #[must_use]
    pub fn accept(acceptor: &Acceptor) -> Self {
        Self(Stage::Hello { acceptor: acceptor.clone(), reader: Box::default(), seen: Vec::new() })
    }

    /// Whether the handshake still goes on.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        match &self.0 {
            Stage::Hello { .. } => true,
            Stage::Chosen(talking) => talking.connection.is_handshaking(),
            Stage::Over => false,
        }
    }

    /// What was agreed, once the handshake has ended; before, nothing.
    #[must_use]
    pub fn agreed(&self) -> Option<Agreed> {
        match &self.0 {
            Stage::Chosen(talking) if !talking.connection.is_handshaking() => {
                Some(talking.agreed())
            }
            _ => None,
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
        let greeted = matches!(self.0, Stage::Hello { .. });
        if !self.greet(cipher, reply)? {
            return Ok(Opened { bytes: false, closed: false });
        }
        let mut opened = Opened { bytes: false, closed: false };
        match &mut self.0 {
            Stage::Chosen(talking) => {
                if greeted {
                    // What came together with the `ClientHello` has been read already.
                    talking.process(&mut opened, reply)?;
                }
                talking.open(cipher, plain, reply, opened)
            }
            Stage::Hello { .. } | Stage::Over => Ok(Opened { bytes: false, closed: true }),
        }
    }

    /// Reads the `ClientHello`; true once that is done.
    fn greet(&mut self, cipher: &mut Inbox, reply: &mut Outbox) -> Result<bool, TlsError> {
        let Stage::Hello { acceptor, reader, seen } = &mut self.0 else { return Ok(true) };
        while !cipher.is_empty() {
            let mut unread = cipher.unread();
            if let Some(first) = unread.first().filter(|_| seen.is_empty())
                && !hello::may_be_tls(*first)
            {
                self.0 = Stage::Over;
                return Err(refuse(&Refusal::NotTls, reply));
            }
            let before = unread.len();
            reader.read_tls(&mut unread).map_err(|error| TlsError::new(error.to_string()))?;
            let used = before - unread.len();
            seen.extend_from_slice(cipher.unread().get(..used).unwrap_or_default());
            cipher.consume(used);
            let hello = match reader.accept() {
                Ok(None) if used == 0 => {
                    return Err(TlsError::new("the ClientHello is too long"));
                }
                Ok(None) => continue,
                Ok(Some(hello)) => hello,
                Err((error, mut alert)) => {
                    // Memory only: it cannot fail.
                    let _infallible = alert.write_all(&mut Sink(reply));
                    self.0 = Stage::Over;
                    return Err(TlsError::new(error.to_string()));
                }
            };
            let extended_master_secret = hello::offers_extended_master_secret(seen);
            let chosen = acceptor.choose(&hello.client_hello());
            self.0 = Stage::Over;
            self.0 = Stage::Chosen(Box::new(begin(hello, chosen, extended_master_secret, reply)?));
            return Ok(true);
        }
        Ok(false)
    }

    /// Enciphers from `plain` into `cipher` until `plain` is empty or `cipher` is at its mark.
    pub fn seal(&mut self, plain: &mut Outbox, cipher: &mut Outbox) {
        let Stage::Chosen(talking) = &mut self.0 else { return };
        while !plain.is_empty() && cipher.below_mark() && !talking.connection.is_handshaking() {
            talking.seal_record(plain, cipher);
        }
    }

    /// Enciphers all of `plain` and then says `close_notify`.
    pub fn finish(&mut self, plain: &mut Outbox, cipher: &mut Outbox) {
        let Stage::Chosen(talking) = &mut self.0 else { return };
        while !plain.is_empty() && !talking.connection.is_handshaking() {
            talking.seal_record(plain, cipher);
        }
        talking.connection.send_close_notify();
        talking.write_records(cipher);
    }
}

/// Goes on with the handshake as was chosen, or says why not.
fn begin(
    hello: rustls::server::Accepted,
    chosen: Result<Chosen, Refusal>,
    extended_master_secret: bool,
    reply: &mut Outbox,
) -> Result<Talking, TlsError> {
    let Chosen { config, identity, alpn, bindings } =
        chosen.map_err(|refusal| refuse(&refusal, reply))?;
    let mut connection = hello.into_connection(config).map_err(|(error, mut alert)| {
        let _infallible = alert.write_all(&mut Sink(reply));
        TlsError::new(error.to_string())
    })?;
    connection.set_buffer_limit(Some(RECORD_MAX));
    let (connection, side) = (connection.into(), Side::Server(identity));
    Ok(Talking { connection, side, alpn, bindings, extended_master_secret })
}

fn refuse(refusal: &Refusal, reply: &mut Outbox) -> TlsError {
    reply.push(&refusal.alert());
    TlsError::new(refusal.to_string())
}

impl Talking {
    fn agreed(&self) -> Agreed {
        let connection = &self.connection;
        Agreed {
            version: match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLS",
            },
            cipher: connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown")
                .to_owned(),
            server_name: match connection {
                rustls::Connection::Server(connection) => connection.server_name(),
                rustls::Connection::Client(_) => None,
            }
            .map(str::to_owned),
            alpn: self.alpn,
            bindings: self.bindings(),
            server: self.finding(),
        }
    }

    fn bindings(&self) -> Bindings {
        let client_key = self.client_key();
        if !self.bindings {
            return Bindings { client_key, ..Bindings::default() };
        }
        let end_point = match &self.side {
            Side::Server(identity) => identity.end_point().map(<[u8]>::to_vec),
            Side::Client(_) => {
                let shown = self.connection.peer_certificates().and_then(<[_]>::first);
                shown.and_then(identity::end_point_of)
            }
        };
        Bindings { exporter: self.exporter(), end_point, client_key }
    }

    /// RFC 9266 §4: under TLS 1.2 only with the extended master secret (RFC 7627). Without it two
    /// connections can be made to have the same secrets.
    fn exporter(&self) -> Option<Vec<u8>> {
        let unique = self.extended_master_secret
            || self.connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
        let value = vec![0; EXPORTER_SIZE];
        let export =
            |value| self.connection.export_keying_material(value, EXPORTER_LABEL, Some(b"")).ok();
        unique.then_some(value).and_then(export)
    }

    fn finding(&self) -> Option<Result<(), Doubt>> {
        match &self.side {
            Side::Server(_) => None,
            Side::Client(finding) => finding.get().copied(),
        }
    }

    fn client_key(&self) -> Option<[u8; 32]> {
        if matches!(self.side, Side::Client(_)) {
            return None;
        }
        public_key::of_certificate(self.connection.peer_certificates()?.first()?)
    }

    fn open(
        &mut self,
        cipher: &mut Inbox,
        plain: &mut Inbox,
        reply: &mut Outbox,
        mut opened: Opened,
    ) -> Result<Opened, TlsError> {
        // A client speaks first.
        self.write_records(reply);
        loop {
            opened.bytes |= self.take_plain(plain)?;
            if cipher.is_empty() || plain.room() == 0 || opened.closed {
                break;
            }
            let mut unread = cipher.unread();
            let before = unread.len();
            self.connection
                .read_tls(&mut unread)
                .map_err(|error| TlsError::new(error.to_string()))?;
            let used = before - unread.len();
            cipher.consume(used);
            let waiting = self.process(&mut opened, reply)?;
            if used == 0 && waiting == 0 {
                break;
            }
        }
        opened.bytes |= self.take_plain(plain)?;
        Ok(opened)
    }

    /// How many bytes of plain text wait to be taken.
    fn process(&mut self, opened: &mut Opened, reply: &mut Outbox) -> Result<usize, TlsError> {
        let state = self.connection.process_new_packets();
        self.write_records(reply);
        let state = state.map_err(|error| TlsError {
            what: error.to_string(),
            doubt: self.finding().and_then(Result::err),
        })?;
        opened.closed |= state.peer_has_closed();
        Ok(state.plaintext_bytes_to_read())
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
                Err(error) => return Err(TlsError::new(error.to_string())),
            }
        }
        Ok(any)
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Stage::Hello { .. } => "Layer(ClientHello awaited)",
            Stage::Chosen(talking) if talking.connection.is_handshaking() => "Layer(handshake)",
            Stage::Chosen(_) => "Layer(open)",
            Stage::Over => "Layer(refused)",
        })
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

#[cfg(test)]
mod tests;
