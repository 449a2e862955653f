//! Streams and listeners that the ring watches.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_lite::{AsyncRead, AsyncWrite};
use glommio::GlommioError;
use pillarbox_core::effect::Connected;
use pillarbox_runtime_std::Socket;
use socket2_04::SockRef;

/// A stream that the ring watches.
///
/// glommio reads and writes by a plain system call, and where that would wait it has the ring
/// tell. A read that ends early is followed by the next watch at once; while that is on its way,
/// reading costs nothing.
pub(crate) struct Watched {
    stream: glommio::net::TcpStream,
    /// Of the task that owns it.
    waker: Waker,
    /// A write of this turn found no room: the ring watches for it. One of an earlier turn says
    /// nothing: the ring tells once, and may have told together with somebody else.
    refused: bool,
    /// An error that was met while waiting. The kernel tells it once only.
    failed: Option<io::Error>,
}

impl Watched {
    /// A turn begins, of the task with this waker.
    pub(crate) fn begin_turn(&mut self, waker: &Waker) {
        self.waker.clone_from(waker);
        self.refused = false;
    }

    /// Ready when a read would not wait.
    pub(crate) fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.failed.is_some() {
            return Poll::Ready(());
        }
        // To receive nothing is to ask: EAGAIN where nothing has come (tcp(7) streams).
        let polled = Pin::new(&mut self.stream).poll_read(context, &mut []);
        self.note(polled.map_ok(drop))
    }

    /// Ready when a write would not wait.
    pub(crate) fn poll_writable(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.failed.is_some() {
            return Poll::Ready(());
        }
        if self.refused {
            return Poll::Pending;
        }
        // To send nothing waits only for a connection that is being made.
        let polled = Pin::new(&mut self.stream).poll_write(context, &[]);
        self.note(polled.map_ok(drop))
    }

    /// Whether an error was met while waiting.
    pub(crate) const fn is_broken(&self) -> bool {
        self.failed.is_some()
    }

    fn note(&mut self, polled: Poll<io::Result<()>>) -> Poll<()> {
        polled.map(|result| {
            if let Err(error) = result {
                self.failed = Some(error);
            }
        })
    }
}

impl Socket for Watched {
    fn adopt(stream: TcpStream) -> io::Result<Self> {
        let stream = socket2_04::Socket::from(stream).into();
        Ok(Self { stream, waker: Waker::noop().clone(), refused: false, failed: None })
    }

    fn receive(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut context = Context::from_waker(&self.waker);
        at_once(Pin::new(&mut self.stream).poll_read(&mut context, space))
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut context = Context::from_waker(&self.waker);
        let polled = Pin::new(&mut self.stream).poll_write(&mut context, bytes);
        self.refused = polled.is_pending();
        at_once(polled)
    }

    fn end(&mut self) -> io::Result<()> {
        SockRef::from(&self.stream).shutdown(Shutdown::Write)
    }

    fn take_error(&mut self) -> io::Result<Option<io::Error>> {
        match self.failed.take() {
            None => SockRef::from(&self.stream).take_error(),
            error => Ok(error),
        }
    }

    fn ends(&self) -> io::Result<Connected> {
        let peer = self.stream.peer_addr().map_err(plain)?;
        Ok(Connected { local: self.stream.local_addr().map_err(plain)?, peer })
    }
}

/// A listener that the ring watches, once.
///
/// glommio would accept by itself, but takes only listeners that it has bound. It takes any socket
/// for a stream, though, has the ring watch it from the first moment, and looks at it no closer
/// before the ring has told.
///
/// # Errors
/// No descriptor is left.
pub(crate) fn door(listener: &TcpListener) -> io::Result<glommio::net::TcpStream> {
    Ok(socket2_04::Socket::from(listener.try_clone()?).into())
}

/// Waits until somebody may stand at the door.
pub(crate) async fn somebody_comes(mut door: glommio::net::TcpStream) {
    // A listener cannot be read: the answer is an error, and says that the ring has told.
    poll_fn(|context| Pin::new(&mut door).poll_read(context, &mut []).map(drop)).await;
}

fn at_once(polled: Poll<io::Result<usize>>) -> io::Result<usize> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

/// glommio's error as the system's. Its own conversion keeps the system's error where there is
/// one, with its kind.
pub(crate) fn plain(error: GlommioError<()>) -> io::Error {
    error.into()
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched(refused {})", self.refused)
    }
}
