//! The stream of a machine: its states, and how bytes move without waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use pillarbox_core::effect::Connected;
use pillarbox_core::{EffectId, Inbox, Moment, Outbox};
use socket2::{Domain, Protocol, Type};

use crate::conversation::Ready;

/// What a runtime makes of a stream so that it can wait for it. Nothing here waits: what cannot be
/// done at once is [`ErrorKind::WouldBlock`].
pub trait Socket: Sized {
    /// Takes a non-blocking stream over.
    ///
    /// # Errors
    /// The runtime cannot wait for it.
    fn adopt(stream: TcpStream) -> io::Result<Self>;

    /// Reads what has come; nothing where the peer has ended its side.
    ///
    /// # Errors
    /// The stream is gone.
    fn receive(&mut self, space: &mut [u8]) -> io::Result<usize>;

    /// Writes what the peer takes.
    ///
    /// # Errors
    /// The stream is gone.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Ends our side.
    ///
    /// # Errors
    /// The stream is gone.
    fn end(&mut self) -> io::Result<()>;

    /// The error that lies on it, if there is one, which is then forgotten.
    ///
    /// # Errors
    /// There is no telling.
    fn take_error(&mut self) -> io::Result<Option<io::Error>>;

    /// Its two ends.
    ///
    /// # Errors
    /// [`ErrorKind::NotConnected`] where it has only one.
    fn ends(&self) -> io::Result<Connected>;
}

impl Socket for TcpStream {
    fn adopt(stream: TcpStream) -> io::Result<Self> {
        Ok(stream)
    }

    fn receive(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.read(space)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn take_error(&mut self) -> io::Result<Option<io::Error>> {
        Self::take_error(self)
    }

    fn ends(&self) -> io::Result<Connected> {
        let peer = self.peer_addr()?;
        Ok(Connected { local: self.local_addr()?, peer })
    }
}

/// Where a machine's stream stands.
#[derive(Debug)]
pub(crate) enum Link<S> {
    /// There is none.
    None,
    /// A connect effect is under way.
    Connecting(Box<Connecting<S>>),
    /// Bytes flow.
    Open(Open<S>),
    /// The machine has done with it; the last bytes are on their way.
    Closing(Box<Closing<S>>),
}

/// A connection to be made.
#[derive(Debug)]
pub(crate) struct Dial {
    pub(crate) id: EffectId,
    pub(crate) to: SocketAddr,
    pub(crate) from: Option<SocketAddr>,
    pub(crate) until: Moment,
}

#[derive(Debug)]
pub(crate) struct Connecting<S> {
    pub(crate) socket: S,
    pub(crate) id: EffectId,
    pub(crate) to: SocketAddr,
    pub(crate) until: Moment,
}

#[derive(Debug)]
pub(crate) struct Open<S> {
    pub(crate) socket: S,
    /// How much the next read asks for: it grows while the peer fills it.
    appetite: usize,
    pub(crate) receiving: Receiving,
    /// The peer did not take all; since when it has taken nothing.
    pub(crate) stalled: Option<Moment>,
}

/// What is known of the receiving side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receiving {
    /// The last read got less than it asked for: nothing more had come.
    Emptied,
    /// The last read got all that it asked for: more may be there.
    MoreLikely,
    /// Bytes or an end came while nothing was to be read. Readiness tells nothing further then,
    /// and a reset has to be asked for.
    Unheard,
    /// The peer sends nothing more.
    Ended,
}

/// How a read ended.
#[derive(Debug)]
pub(crate) enum Received {
    Nothing,
    Bytes(usize),
    Eof,
    Gone,
}

impl<S: Socket> Open<S> {
    pub(crate) const fn new(socket: S) -> Self {
        Self { socket, appetite: APPETITE_MIN, receiving: Receiving::Emptied, stalled: None }
    }

    /// One read.
    pub(crate) fn receive(&mut self, inbox: &mut Inbox) -> Received {
        let asked = self.appetite.min(inbox.room());
        match inbox.fill(asked, |space| self.socket.receive(space)) {
            Ok(0) => {
                self.receiving = Receiving::Ended;
                Received::Eof
            }
            Ok(count) if count == asked => {
                self.appetite = (self.appetite * 4).min(APPETITE_MAX);
                self.receiving = Receiving::MoreLikely;
                Received::Bytes(count)
            }
            Ok(count) => {
                if count < self.appetite / 8 {
                    self.appetite = (self.appetite / 4).max(APPETITE_MIN);
                }
                self.receiving = Receiving::Emptied;
                Received::Bytes(count)
            }
            Err(error) if is_passing(&error) => {
                self.receiving = Receiving::Emptied;
                Received::Nothing
            }
            Err(_) => Received::Gone,
        }
    }

    /// One write of all that waits; how much the peer took.
    ///
    /// # Errors
    /// The stream is gone.
    pub(crate) fn send(&mut self, outbox: &mut Outbox, now: Moment) -> io::Result<usize> {
        let waiting = outbox.unsent().len();
        let count = write(&mut self.socket, outbox)?;
        if count == waiting {
            self.stalled = None;
        } else if count > 0 || self.stalled.is_none() {
            self.stalled = Some(now);
        }
        Ok(count)
    }

    /// While nothing is read: whether a reset has come. Whatever else has come is left where it
    /// is, and remembered.
    pub(crate) fn hears_reset(&mut self, ready: Ready) -> bool {
        if ready.readable && self.receiving != Receiving::Ended {
            self.receiving = Receiving::Unheard;
        }
        let unheard = matches!(self.receiving, Receiving::Unheard | Receiving::Ended);
        ready.broken || (unheard && !matches!(self.socket.take_error(), Ok(None)))
    }
}

/// A stream that is closed in good order.
#[derive(Debug)]
pub(crate) struct Closing<S> {
    pub(crate) socket: S,
    pub(crate) phase: Phase,
    /// Cut off then.
    pub(crate) until: Moment,
    /// Whether the peer has ended its side already.
    pub(crate) ended: bool,
    /// What comes after it.
    pub(crate) then: Option<Dial>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The outbox is not empty yet.
    Sending,
    /// Our side has ended. What the peer still sends is read, so that the kernel does not answer
    /// it with a reset, which would destroy our last reply on its way (RFC 9293 §3.6.1 and
    /// RFC 1122 §4.2.2.13).
    Discarding {
        /// No more than this many bytes are put up with.
        left: usize,
    },
}

impl<S: Socket> Closing<S> {
    /// Goes as far as it can without waiting; the count is of bytes sent.
    ///
    /// # Errors
    /// The stream is gone.
    pub(crate) fn advance(
        &mut self,
        outbox: &mut Outbox,
        linger_until: Moment,
    ) -> io::Result<Step> {
        if self.phase == Phase::Sending {
            let sent = if outbox.is_empty() { 0 } else { write(&mut self.socket, outbox)? };
            if !outbox.is_empty() {
                return Ok(Step::Wait(sent));
            }
            if self.ended {
                return Ok(Step::Over(sent));
            }
            self.socket.end()?;
            self.phase = Phase::Discarding { left: DISCARD_MAX };
            self.until = linger_until;
            return Ok(Step::Wait(sent));
        }
        self.discard()
    }

    fn discard(&mut self) -> io::Result<Step> {
        let mut waste = [0; 4096];
        while let Phase::Discarding { left } = self.phase {
            match self.socket.receive(&mut waste) {
                Ok(0) => break,
                Ok(count) if count < left => {
                    self.phase = Phase::Discarding { left: left - count };
                }
                Ok(_) => break,
                Err(error) if is_passing(&error) => return Ok(Step::Wait(0)),
                Err(error) => return Err(error),
            }
        }
        Ok(Step::Over(0))
    }
}

/// How far a closing has come, with the bytes it has sent meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Wait(usize),
    Over(usize),
}

/// Begins to connect without waiting. Writable once it is decided.
pub(crate) fn begin_connect(to: SocketAddr, from: Option<SocketAddr>) -> io::Result<TcpStream> {
    let socket = socket2::Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(from) = from {
        socket.bind(&from.into())?;
    }
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}

/// Whether it is connected by now.
pub(crate) fn finish_connect(stream: &mut impl Socket) -> io::Result<Option<Connected>> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.ends() {
        Ok(connected) => Ok(Some(connected)),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(socket: &mut impl Socket, outbox: &mut Outbox) -> io::Result<usize> {
    match socket.send(outbox.unsent()) {
        Ok(count) => {
            outbox.sent(count);
            Ok(count)
        }
        Err(error) if is_passing(&error) => Ok(0),
        Err(error) => Err(error),
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();

/// The first read of a connection asks for this much: a command, or a group of them.
const APPETITE_MIN: usize = 4 * 1024;
/// And one in the middle of a large body for this much.
const APPETITE_MAX: usize = 64 * 1024;

/// What a peer may still send after we have closed.
const DISCARD_MAX: usize = 1024 * 1024;
