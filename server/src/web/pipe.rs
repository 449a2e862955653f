//! What hyper reads from and writes to: two bounded buffers instead of a socket.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use pillarbox_core::{Inbox, Outbox};

/// What hyper has not read yet, at most; the rest waits in the inbox.
const IN_MAX: usize = 16_384;
/// What hyper may write ahead of the outbox.
const OUT_MAX: usize = 32_768;

/// Both ends of the buffers: hyper has one clone, the session another.
///
/// No waker is kept: the session polls hyper after each change.
#[derive(Debug, Clone)]
pub(crate) struct Pipe(Rc<RefCell<Ends>>);

#[derive(Debug)]
struct Ends {
    incoming: Inbox,
    /// Nothing more will come in.
    ended: bool,
    outgoing: Vec<u8>,
}

impl Default for Pipe {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(Ends {
            incoming: Inbox::new(IN_MAX),
            ended: false,
            outgoing: Vec::new(),
        })))
    }
}

impl Pipe {
    /// Moves what fits from the inbox to where hyper reads; how many bytes that was.
    pub(crate) fn feed(&self, inbox: &mut Inbox) -> usize {
        let taken = self.0.borrow_mut().incoming.extend(inbox.unread());
        inbox.consume(taken);
        taken
    }

    /// Nothing more will come in behind what is there.
    pub(crate) fn end(&self) {
        self.0.borrow_mut().ended = true;
    }

    /// Moves what hyper has written to the outbox, if there is room; how many bytes that was.
    pub(crate) fn pour(&self, outbox: &mut Outbox) -> usize {
        let mut ends = self.0.borrow_mut();
        if !outbox.below_mark() {
            return 0;
        }
        let written = std::mem::take(&mut ends.outgoing);
        let count = written.len();
        if count > 0 {
            outbox.push_vec(written);
        }
        count
    }

    /// Whether what hyper has written waits for the outbox.
    pub(crate) fn is_poured(&self) -> bool {
        self.0.borrow().outgoing.is_empty()
    }
}

impl Read for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut ends = self.0.borrow_mut();
        let unread = ends.incoming.unread();
        if unread.is_empty() {
            return if ends.ended { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let count = unread.len().min(into.remaining());
        into.put_slice(unread.get(..count).unwrap_or_default());
        ends.incoming.consume(count);
        Poll::Ready(Ok(()))
    }
}

impl Write for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut ends = self.0.borrow_mut();
        let room = OUT_MAX.saturating_sub(ends.outgoing.len());
        if room == 0 {
            return Poll::Pending;
        }
        let taken = bytes.get(..room).unwrap_or(bytes);
        ends.outgoing.extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The session closes the stream once hyper's connection has ended.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
