//! Taking connections in.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use pillarbox_core::effect::Job;
use rustix::net::{SocketFlags, acceptfrom_with};

use crate::admission::Permit;
use crate::services::Services;

/// A connection that may be served, and its place in the counts.
#[derive(Debug)]
pub struct Guest {
    /// Non-blocking.
    pub stream: TcpStream,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// To be given to the conversation.
    pub permit: Permit,
}

/// What one attempt to accept has brought.
#[derive(Debug)]
pub enum Arrival {
    /// A connection to be served.
    Guest(Guest),
    /// One that was turned away, or that had gone before we came; there may be more.
    Nobody,
    /// No more wait.
    Empty,
    /// The system is short of something (descriptors, memory): try again after
    /// [`SHORTAGE_PAUSE`].
    Shortage,
}

/// Accepts one connection without waiting.
pub fn accept<J: Job>(listener: &TcpListener, services: &Services<J>) -> Arrival {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (stream, peer) = match acceptfrom_with(listener, flags) {
        Ok((stream, Some(peer))) => (TcpStream::from(stream), peer),
        Ok((_, None)) => return Arrival::Nobody,
        Err(error) => return failed(&error.into()),
    };
    let Ok(peer) = SocketAddr::try_from(peer) else { return Arrival::Nobody };
    match services.admission.admit(peer) {
        Some(permit) => Arrival::Guest(Guest { stream, peer, permit }),
        None => Arrival::Nobody,
    }
}

/// Errors of the one connection are told by accept too (see accept(2), "Error handling"); they
/// say nothing about the next.
fn failed(error: &io::Error) -> Arrival {
    match error.kind() {
        io::ErrorKind::WouldBlock => Arrival::Empty,
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => Arrival::Nobody,
        _ => {
            log::warn!(reason:% = error; "cannot accept a connection");
            Arrival::Shortage
        }
    }
}

/// After a shortage, nothing is accepted for this long.
pub const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);
