//! The smallest SMTP and IMAP clients that can put a load on a server: blocking, and trusting it
//! to speak well.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use pillarbox_conformance::zip::Zip;

use crate::servers::PASSWORD;

/// How a client trusts a server. Each connection shakes hands anew.
#[derive(Debug, Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Whom the certificate in this file vouches for.
    ///
    /// # Errors
    /// Where it is none.
    pub fn in_ca(file: &Path) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(file).map_err(io::Error::other)?;
        roots.add(certificate).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self(Arc::new(config)))
    }

    /// The same, asking for this protocol by ALPN.
    #[must_use]
    pub fn asking(self, protocol: &str) -> Self {
        let mut config = (*self.0).clone();
        config.alpn_protocols = vec![protocol.into()];
        Self(Arc::new(config))
    }

    fn wrap(&self, tcp: TcpStream) -> io::Result<Stream> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let tls = ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        Ok(Stream::Tls(Box::new(StreamOwned::new(tls, tcp))))
    }
}

/// A connection in clear or under TLS.
#[derive(Debug)]
enum Stream {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// Compressed, around one of the others.
    Packed(Box<Packed>),
}

/// What COMPRESS needs.
#[derive(Debug)]
struct Packed {
    stream: Stream,
    zip: Zip,
    /// Unpacked, and not yet read.
    come: VecDeque<u8>,
}

impl Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.come.is_empty() {
            let mut space = [0; BUFFER];
            let count = self.stream.read(&mut space)?;
            if count == 0 {
                return Ok(0);
            }
            self.come.extend(self.zip.unpack(space.get(..count).unwrap_or_default()));
        }
        self.come.read(buffer)
    }
}

impl Stream {
    fn connect(to: SocketAddr) -> io::Result<TcpStream> {
        let tcp = TcpStream::connect(to)?;
        tcp.set_nodelay(true)?;
        // A server that hangs ends the run with an error.
        tcp.set_read_timeout(Some(PATIENCE))?;
        Ok(tcp)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
            Self::Packed(packed) => packed.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
            Self::Packed(packed) => {
                let sent = packed.zip.pack(bytes);
                packed.stream.write_all(&sent).map(|()| bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
            Self::Packed(packed) => packed.stream.flush(),
        }
    }
}

/// Lines from a server.
#[derive(Debug)]
struct Lines {
    stream: BufReader<Stream>,
    line: Vec<u8>,
}

impl Lines {
    fn new(stream: Stream) -> Self {
        Self { stream: BufReader::with_capacity(BUFFER, stream), line: Vec::new() }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    /// The next line, with its end.
    fn next(&mut self) -> io::Result<&[u8]> {
        self.line.clear();
        if self.stream.read_until(b'\n', &mut self.line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(&self.line)
    }

    fn skip(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.stream).take(count), &mut io::sink())?;
        if skipped == count { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// What the server says, without its own number for the conversation.
fn refused(line: &[u8]) -> io::Error {
    let line = String::from_utf8_lossy(line);
    let said = line.trim_end().rsplit_once(" (").map_or_else(|| line.trim_end(), |(said, _)| said);
    io::Error::other(format!("the server says `{said}`"))
}

/// An SMTP client.
#[derive(Debug)]
pub struct Smtp {
    lines: Lines,
}

impl Smtp {
    /// Connects and says EHLO.
    ///
    /// # Errors
    /// Of the stream, or a refusal.
    pub fn connect(to: SocketAddr) -> io::Result<Self> {
        let mut smtp = Self { lines: Lines::new(Stream::Clear(Stream::connect(to)?)) };
        smtp.expect(b"220")?;
        smtp.command(b"EHLO client.example\r\n", b"250")?;
        Ok(smtp)
    }

    /// Goes on under TLS.
    ///
    /// # Errors
    /// Of the stream or of TLS, or a refusal.
    pub fn starttls(mut self, trust: &Trust) -> io::Result<Self> {
        self.command(b"STARTTLS\r\n", b"220")?;
        let Stream::Clear(tcp) = self.lines.stream.into_inner() else {
            return Err(io::Error::other("TLS runs already"));
        };
        let mut smtp = Self { lines: Lines::new(trust.wrap(tcp)?) };
        smtp.command(b"EHLO client.example\r\n", b"250")?;
        Ok(smtp)
    }

    /// Sends one letter: its envelope in one write, then the text with the line that ends it.
    ///
    /// # Errors
    /// Of the stream, or a refusal.
    pub fn send(&mut self, recipient: &str, text: &[u8]) -> io::Result<()> {
        let envelope =
            format!("MAIL FROM:<sender@client.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
        self.lines.send(envelope.as_bytes())?;
        for code in [b"250", b"250", b"354"] {
            self.expect(code)?;
        }
        self.command(text, b"250")
    }

    /// Says QUIT and waits for the answer.
    ///
    /// # Errors
    /// Of the stream, or a refusal.
    pub fn quit(mut self) -> io::Result<()> {
        self.command(b"QUIT\r\n", b"221")
    }

    fn command(&mut self, bytes: &[u8], code: &[u8; 3]) -> io::Result<()> {
        self.lines.send(bytes)?;
        self.expect(code)
    }

    fn expect(&mut self, code: &[u8; 3]) -> io::Result<()> {
        loop {
            let line = self.lines.next()?;
            if !line.starts_with(code) {
                return Err(refused(line));
            }
            if line.get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }
}

/// An IMAP client.
#[derive(Debug)]
pub struct Imap {
    lines: Lines,
}

impl Imap {
    /// Connects; under TLS where there is whom to trust.
    ///
    /// # Errors
    /// Of the stream or of TLS, or a refusal.
    pub fn connect(to: SocketAddr, trust: Option<&Trust>) -> io::Result<Self> {
        let tcp = Stream::connect(to)?;
        let stream = match trust {
            Some(trust) => trust.wrap(tcp)?,
            None => Stream::Clear(tcp),
        };
        let mut imap = Self { lines: Lines::new(stream) };
        let greeting = imap.lines.next()?;
        if greeting.starts_with(b"* OK") { Ok(imap) } else { Err(refused(greeting)) }
    }

    /// Logs in and opens INBOX.
    ///
    /// # Errors
    /// Of the stream, or a refusal.
    pub fn open(&mut self, user: &str) -> io::Result<()> {
        self.command(&format!("LOGIN {user} {PASSWORD}"))?;
        self.command("SELECT INBOX").map(drop)
    }

    /// Gives a command and reads to the end of its answer: how many bytes came.
    ///
    /// # Errors
    /// Of the stream, or an answer other than OK.
    pub fn command(&mut self, command: &str) -> io::Result<u64> {
        self.lines.send(format!("t {command}\r\n").as_bytes())?;
        self.answer()
    }

    /// How many messages are in a mailbox.
    ///
    /// # Errors
    /// Of the stream, or an answer that cannot be understood.
    pub fn count(&mut self, mailbox: &str) -> io::Result<usize> {
        self.lines.send(format!("t STATUS {mailbox} (MESSAGES)\r\n").as_bytes())?;
        let line = String::from_utf8_lossy(self.lines.next()?).into_owned();
        self.answer()?;
        let count = line
            .split("MESSAGES ")
            .nth(1)
            .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse());
        count.and_then(Result::ok).ok_or_else(|| refused(line.as_bytes()))
    }

    /// Appends a message to INBOX.
    ///
    /// # Errors
    /// Of the stream, or a refusal.
    pub fn append(&mut self, text: &[u8]) -> io::Result<()> {
        self.lines.send(format!("t APPEND INBOX {{{}}}\r\n", text.len()).as_bytes())?;
        let line = self.lines.next()?;
        if !line.starts_with(b"+") {
            return Err(refused(line));
        }
        self.lines.send(text)?;
        self.lines.send(b"\r\n")?;
        self.answer().map(drop)
    }

    /// From here on everything is compressed (RFC 4978).
    ///
    /// # Errors
    /// Of the stream, or a refusal.
    pub fn compress(mut self) -> io::Result<Self> {
        self.command("COMPRESS DEFLATE")?;
        let stream = self.lines.stream.into_inner();
        let packed = Packed { stream, zip: Zip::new(), come: VecDeque::new() };
        Ok(Self { lines: Lines::new(Stream::Packed(Box::new(packed))) })
    }

    /// Begins to wait for changes.
    ///
    /// # Errors
    /// Of the stream, or a refusal.
    pub fn idle(&mut self) -> io::Result<()> {
        self.lines.send(b"t IDLE\r\n")?;
        let line = self.lines.next()?;
        if line.starts_with(b"+") { Ok(()) } else { Err(refused(line)) }
    }

    /// Waits until a new message is told.
    ///
    /// # Errors
    /// Of the stream.
    pub fn told(&mut self) -> io::Result<()> {
        while !self.lines.next()?.ends_with(b" EXISTS\r\n") {}
        Ok(())
    }

    fn answer(&mut self) -> io::Result<u64> {
        let mut bytes = 0;
        loop {
            let line = self.lines.next()?;
            bytes += line.len() as u64;
            if line.starts_with(b"t ") {
                return if line.starts_with(b"t OK") { Ok(bytes) } else { Err(refused(line)) };
            }
            if let Some(size) = literal(line) {
                self.lines.skip(size)?;
                bytes += size;
            }
        }
    }
}

/// How many bytes follow a line, as it announces.
fn literal(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line.strip_suffix(b"}\r\n")?).ok()?;
    line.rsplit_once('{')?.1.parse().ok()
}

const PATIENCE: Duration = Duration::from_secs(120);
/// Small, since a thousand idle clients have one each.
const BUFFER: usize = 4 << 10;
