//! What a machine may ask of the world, and the answers.
//!
//! Effects are few and dumb. What every server needs from its system has a variant here; all else
//! is a [`Job`], opaque to the runtime, that the application's [`Hands`] carry out on one of
//! three [`Lane`]s.

use std::fmt;
use std::time::Duration;

use core::net::SocketAddr;

use crate::Machine;

/// Something to be done outside, whose answer is wanted. Exhaustive on purpose: a new effect must
/// break the build of every runtime.
pub enum Effect<J: Job> {
    /// Connect this machine's stream. The answer is [`Completion::Connected`]; both buffers are
    /// then fresh. Asked for only while the machine has no stream.
    Connect {
        /// The address to connect to.
        to: SocketAddr,
        /// The local address to connect from, where it matters.
        from: Option<SocketAddr>,
        /// Given up after this long.
        within: Duration,
    },
    /// One question and its answer, as DNS wants it. Answer: [`Completion::Exchanged`].
    Exchange {
        /// By which transport.
        over: Transport,
        /// The server asked.
        to: SocketAddr,
        /// The question, without a length prefix.
        question: Vec<u8>,
        /// The longest answer taken; a longer one is a fault.
        answer_max: usize,
        /// Given up after this long.
        within: Duration,
    },
    /// Something done to a body's file, by its handle. Answer: [`Completion::File`].
    File(Handle, FileWork),
    /// Start another machine; its outcome is the answer: [`Completion::Outcome`].
    Start(Factory<J>),
    /// The outcome of this machine, for the one that started it. Not answered.
    Outcome(J::Answer),
    /// Tell each [`Effect::Notify`] of this topic, until [`Effect::Release`]. Each is answered by
    /// [`Completion::Noticed`]; notices that come quickly one after the other may be told as one.
    Watch(Topic),
    /// End the watch that was begun with this id. Not answered.
    Release(crate::EffectId),
    /// Wake everyone who watches the topic, in every thread. Not answered.
    Notify(Topic),
    /// Something only the application knows how to do. Answer: [`Completion::Answer`].
    Job(J),
}

/// The answer to an effect.
pub enum Completion<J: Job> {
    /// The stream is connected.
    Connected(Result<Connected, Fault>),
    /// The answer of an exchange.
    Exchanged(Result<Vec<u8>, Fault>),
    /// The file work is done; holds what was read, empty for other work.
    File(Result<Vec<u8>, Fault>),
    /// The machine started has ended; with what it said as its outcome, if it did.
    Outcome(Option<J::Answer>),
    /// The watched topic was notified.
    Noticed,
    /// The job's answer; a fault here means that the hands themselves failed (panicked).
    Answer(Result<J::Answer, Fault>),
}

/// How an exchange travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram each way.
    Udp,
    /// Over a connection of its own, each message behind its length in two bytes (RFC 1035 §4.2.2).
    Tcp,
}

/// Both ends of a connected stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connected {
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub peer: SocketAddr,
}

/// Names a body without saying where it lies. Drawn at random; printed as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(pub [u8; 16]);

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}

/// What can be done to a body's file.
#[derive(Clone, PartialEq, Eq)]
pub enum FileWork {
    /// Append these bytes; the first append creates the file.
    Append(Vec<u8>),
    /// Make what was appended, and the file's name in its folder, survive a power loss.
    Sync,
    /// Read at most `count` bytes from `offset`; fewer only at the file's end.
    Read {
        /// Where to begin.
        offset: u64,
        /// How many bytes at most.
        count: usize,
    },
    /// Remove it; one that is not there is no fault.
    Remove,
}

impl fmt::Debug for FileWork {
    /// Tells sizes, never contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(bytes) => write!(f, "Append({} bytes)", bytes.len()),
            Self::Sync => f.write_str("Sync"),
            Self::Read { offset, count } => write!(f, "Read({count} bytes at {offset})"),
            Self::Remove => f.write_str("Remove"),
        }
    }
}

/// Something that can be watched and notified, such as a mailbox: the application gives numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(pub u64);

/// The world's failure, as a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What a caller can do about it.
    pub kind: FaultKind,
    /// For the log, never for the peer.
    pub reason: String,
}

impl Fault {
    /// A fault of this kind for this reason.
    #[must_use]
    pub fn new(kind: FaultKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Fault {}

/// What a caller can do about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// It may work later.
    Temporary,
    /// It will not work later either.
    Permanent,
    /// There is no room (disk full, quota of the file system).
    NoSpace,
    /// It did not end in time.
    TimedOut,
    /// Nobody knows whether it was done.
    Unknown,
}

/// Where a job is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// One lane, in order: what waits is carried out together, as one commit.
    Write,
    /// Several lanes side by side, for short blocking reads.
    Read,
    /// Several lanes side by side, for slow computations such as password hashing.
    Work,
}

/// The application's own effect.
pub trait Job: Send + 'static {
    /// What it is answered with.
    type Answer: Send + 'static;

    /// Where it is carried out.
    fn lane(&self) -> Lane;
}

/// Those of the application that carry out jobs of one lane. Plain blocking code: the runtime
/// decides on which thread it runs.
pub trait Hands<J: Job>: Send {
    /// Carries out all `jobs` (more than one only on [`Lane::Write`]) and pushes exactly one
    /// answer for each, in their order.
    fn carry_out(&mut self, jobs: Vec<J>, answers: &mut Vec<J::Answer>);

    /// Does a bounded piece of what earlier jobs have left to be done, and says whether there is
    /// more of it. Called when no job waits.
    fn go_on(&mut self) -> bool {
        false
    }
}

/// All the hands of a server.
pub struct Crew<J: Job> {
    /// For [`Lane::Write`].
    pub writer: Box<dyn Hands<J>>,
    /// For [`Lane::Read`]; at least one.
    pub readers: Vec<Box<dyn Hands<J>>>,
    /// For [`Lane::Work`]; at least one.
    pub workers: Vec<Box<dyn Hands<J>>>,
}

/// Any machine that speaks these effects.
pub type BoxMachine<J> = Box<dyn Machine<Effect = Effect<J>, Completion = Completion<J>>>;

/// Builds a machine on the thread where it will live.
pub type Factory<J> = Box<dyn FnOnce() -> BoxMachine<J> + Send>;

impl<J: Job> fmt::Debug for Crew<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crew({} readers, {} workers)", self.readers.len(), self.workers.len())
    }
}

impl<J: Job> fmt::Debug for Effect<J> {
    /// Names the effect without its contents: jobs carry letters and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { to, .. } => write!(f, "Connect({to})"),
            Self::Exchange { to, over, .. } => write!(f, "Exchange({over:?} {to})"),
            Self::File(handle, work) => write!(f, "File({handle} {work:?})"),
            Self::Start(_) => f.write_str("Start"),
            Self::Outcome(_) => f.write_str("Outcome"),
            Self::Watch(topic) => write!(f, "Watch({})", topic.0),
            Self::Release(id) => write!(f, "Release({})", id.0),
            Self::Notify(topic) => write!(f, "Notify({})", topic.0),
            Self::Job(job) => write!(f, "Job({:?})", job.lane()),
        }
    }
}

impl<J: Job> fmt::Debug for Completion<J> {
    /// Names the completion without its contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(result) => write!(f, "Connected({result:?})"),
            Self::Exchanged(result) => write!(f, "Exchanged(ok: {})", result.is_ok()),
            Self::File(result) => write!(f, "File(ok: {})", result.is_ok()),
            Self::Outcome(_) => f.write_str("Outcome"),
            Self::Noticed => f.write_str("Noticed"),
            Self::Answer(result) => write!(f, "Answer(ok: {})", result.is_ok()),
        }
    }
}
