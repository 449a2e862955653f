//! What a server is made of.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_core::effect::{BoxMachine, Crew, Factory, Job};
use pillarbox_core::wire::network::Network;

use crate::statistics::Statistics;

/// All that a runtime needs to run.
pub struct Setup<J: Job> {
    /// Where connections come in.
    pub listeners: Vec<Listener<J>>,
    /// Machines without a stream, started at once.
    pub tasks: Vec<Factory<J>>,
    /// Those that carry out jobs.
    pub crew: Crew<J>,
    /// The folder of the bodies' files; made if it is not there.
    pub bodies: PathBuf,
    /// How much is too much.
    pub limits: Limits,
    /// How many threads machines run on. Blocking threads ignore it: there each machine has one.
    pub threads: usize,
    /// Counted into; shared with whoever shows them.
    pub statistics: Arc<Statistics>,
}

/// One address, and who answers there.
pub struct Listener<J: Job> {
    /// Sockets of one address, from [`listen::bind`](crate::listen::bind): they are spread over
    /// the threads.
    pub sockets: Vec<TcpListener>,
    /// Builds the machine of each connection.
    pub accept: Accept<J>,
}

/// Builds the machine of a connection, on the thread where it will live.
pub type Accept<J> = Arc<dyn Fn(Accepted) -> BoxMachine<J> + Send + Sync>;

/// A connection that has come in.
#[derive(Debug, Clone, Copy)]
pub struct Accepted {
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub peer: SocketAddr,
    /// There are too many: the machine is to refuse in its protocol's own words, and end.
    pub crowded: Option<Crowded>,
}

/// Which limit a connection is above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowded {
    /// [`Limits::connections_max`].
    Total,
    /// [`Limits::connections_per_address_max`].
    PerAddress,
}

/// How much is too much.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections in all; those above are refused in the protocol's words. One in eight (and
    /// 16) more are let in to hear that, all others are closed without a word.
    pub connections_max: usize,
    /// The same for one IPv4 address or one IPv6 /64: the rest of an IPv6 address is its host's to
    /// choose (RFC 4291 §2.5.1).
    pub connections_per_address_max: usize,
    /// Addresses in these networks are not counted per address: by default this machine's own.
    pub uncounted: Vec<Network>,
    /// The most that a connection's inbox holds, in bytes.
    pub inbox_bytes: usize,
    /// A connection's outbox is to stay near this many bytes.
    pub outbox_mark: usize,
    /// After a stop, how long what is begun may take to end.
    pub stop_grace: Duration,
    /// After `Stream::Flush`, how long the peer's last bytes are read and discarded.
    pub linger: Duration,
    /// A peer that takes nothing for this long, although something waits for it, is gone.
    pub write_stall_max: Duration,
    /// The most jobs that the writer's hands are given at once.
    pub batch_max: usize,
    /// Threads that touch bodies' files.
    pub file_threads: usize,
    /// The stack of a connection's thread, in bytes. Address space: only what is used takes
    /// memory.
    pub stack_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_address_max: 50,
            uncounted: Network::LOOPBACK.to_vec(),
            inbox_bytes: 64 * 1024,
            outbox_mark: 64 * 1024,
            stop_grace: Duration::from_secs(10),
            linger: Duration::from_secs(1),
            write_stall_max: Duration::from_secs(5 * 60),
            batch_max: 512,
            file_threads: 2,
            stack_bytes: STACK_BYTES,
        }
    }
}

/// Unoptimized code uses several times the stack.
const STACK_BYTES: usize = if cfg!(debug_assertions) { 1024 * 1024 } else { 256 * 1024 };

/// Why a server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// The crew has no readers or no workers.
    NoHands,
    /// The bodies' folder cannot be used.
    Bodies(PathBuf, std::io::Error),
    /// The system gives no thread, descriptor or the like.
    System(std::io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHands => f.write_str("the crew needs at least one reader and one worker"),
            Self::Bodies(folder, error) => {
                write!(f, "cannot use the folder {}: {error}", folder.display())
            }
            Self::System(error) => write!(f, "the system refuses what a server needs: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

impl From<std::io::Error> for RunError {
    fn from(error: std::io::Error) -> Self {
        Self::System(error)
    }
}

impl<J: Job> fmt::Debug for Setup<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("listeners", &self.listeners)
            .field("tasks", &self.tasks.len())
            .field("crew", &self.crew)
            .field("bodies", &self.bodies)
            .field("limits", &self.limits)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl<J: Job> fmt::Debug for Listener<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("sockets", &self.sockets).finish_non_exhaustive()
    }
}
