//! One question and its answer, as DNS wants it.
//!
//! One thread carries on all exchanges of a server: it waits in one `poll` for all their sockets.
//! A machine therefore waits for DNS without a thread of its own on every runtime.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use pillarbox_core::effect::{Completion, Fault, FaultKind, Job, Transport};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::bell::Bell;
use crate::lanes::{ReplyTo, panic_message};
use crate::link::{begin_connect, finish_connect};
use crate::lock::lock;

/// A question to be asked.
pub struct Question<J: Job> {
    /// By which transport.
    pub over: Transport,
    /// The server asked. Only its answers are taken.
    pub to: SocketAddr,
    /// The question, without a length prefix.
    pub bytes: Vec<u8>,
    /// The longest answer taken.
    pub answer_max: usize,
    /// Given up then.
    pub until: Instant,
    /// Who asks.
    pub reply_to: ReplyTo<J>,
}

/// The thread that carries on all exchanges.
pub struct Exchanges<J: Job> {
    desk: Arc<Desk<J>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread and its customers share.
struct Desk<J: Job> {
    bell: Arc<Bell>,
    state: Mutex<State<J>>,
}

enum State<J: Job> {
    /// Asked and not yet begun.
    Open(Vec<Question<J>>),
    Closed,
}

impl<J: Job> Exchanges<J> {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread or descriptor.
    pub fn begin() -> io::Result<Self> {
        let desk = Desk { bell: Bell::new()?, state: Mutex::new(State::Open(Vec::new())) };
        let desk = Arc::new(desk);
        let thread = Builder::new().name("exchange".into()).spawn({
            let desk = Arc::clone(&desk);
            move || carry_on(&desk)
        })?;
        Ok(Self { desk, thread: Mutex::new(Some(thread)) })
    }

    /// Asks. Beyond [`UNDER_WAY_MAX`] exchanges, questions wait; their time runs.
    pub fn ask(&self, question: Question<J>) {
        if let State::Open(questions) = &mut *lock(&self.desk.state) {
            questions.push(question);
        }
        self.desk.bell.ring();
    }

    /// Drops what is under way and ends the thread.
    pub fn close(&self) {
        *lock(&self.desk.state) = State::Closed;
        self.desk.bell.ring();
        if let Some(thread) = lock(&self.thread).take()
            && let Err(panic) = thread.join()
        {
            log::error!(reason:% = panic_message(panic.as_ref()); "the exchange thread failed");
        }
    }
}

fn carry_on<J: Job>(desk: &Desk<J>) {
    let mut under_way: Vec<Exchange<J>> = Vec::new();
    loop {
        match &mut *lock(&desk.state) {
            State::Closed => return,
            State::Open(questions) => {
                let room = UNDER_WAY_MAX.saturating_sub(under_way.len()).min(questions.len());
                under_way.extend(questions.drain(..room).map(Exchange::begin));
            }
        }
        let now = Instant::now();
        under_way.retain_mut(|exchange| !exchange.advance(now));
        wait(&desk.bell, &under_way);
    }
}

/// Waits until any socket or the bell is ready, or the first question's time is over. Which one
/// it was does not matter: each exchange then tries to go on, and most are few.
fn wait<J: Job>(bell: &Bell, under_way: &[Exchange<J>]) {
    let mut fds = vec![PollFd::new(bell, PollFlags::IN)];
    fds.extend(under_way.iter().filter_map(Exchange::poll_fd));
    let until = under_way.iter().map(|exchange| exchange.question.until).min();
    let timeout = until.map(|until| {
        let left = until.saturating_duration_since(Instant::now());
        Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 })
    });
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) if fds.first().is_some_and(|bell| !bell.revents().is_empty()) => bell.hush(),
        _ => {}
    }
}

struct Exchange<J: Job> {
    question: Question<J>,
    state: Progress,
}

enum Progress {
    Failed(Fault),
    AwaitDatagram(UdpSocket),
    Stream(TcpStream, Stage),
}

enum Stage {
    Connecting,
    /// The bytes not yet sent.
    Sending(Vec<u8>),
    /// The prefix and the answer as far as received.
    Receiving(Vec<u8>),
}

impl<J: Job> Exchange<J> {
    fn begin(question: Question<J>) -> Self {
        let begun = match question.over {
            Transport::Udp => send_datagram(&question.bytes, question.to),
            Transport::Tcp => begin_connect(question.to, None)
                .map(|stream| Progress::Stream(stream, Stage::Connecting)),
        };
        let state = begun.unwrap_or_else(|error| Progress::Failed(fault(question.to, &error)));
        Self { question, state }
    }

    /// Goes as far as it can without waiting; true once it has been answered.
    fn advance(&mut self, now: Instant) -> bool {
        let Question { to, answer_max, until, .. } = self.question;
        let result = match self.proceed(to, answer_max) {
            Ok(None) if now < until => return false,
            Ok(None) => {
                Err(Fault::new(FaultKind::TimedOut, format!("{to} did not answer in time")))
            }
            Ok(Some(answer)) => Ok(answer),
            Err(fault) => Err(fault),
        };
        self.question.reply_to.answer(Completion::Exchanged(result));
        true
    }

    fn proceed(&mut self, to: SocketAddr, answer_max: usize) -> Result<Option<Vec<u8>>, Fault> {
        match &mut self.state {
            Progress::Failed(fault) => Err(fault.clone()),
            Progress::AwaitDatagram(socket) => receive_datagram(socket, to, answer_max),
            Progress::Stream(stream, stage) => loop {
                match stage {
                    Stage::Connecting => {
                        match finish_connect(stream).map_err(|error| fault(to, &error))? {
                            None => return Ok(None),
                            Some(_) => {
                                *stage = Stage::Sending(prefixed(to, &self.question.bytes)?);
                            }
                        }
                    }
                    Stage::Sending(bytes) => {
                        let sent = ready(stream.write(bytes)).map_err(|error| fault(to, &error))?;
                        let Some(sent) = sent else { return Ok(None) };
                        bytes.drain(..sent.min(bytes.len()));
                        if bytes.is_empty() {
                            *stage = Stage::Receiving(Vec::new());
                        }
                    }
                    Stage::Receiving(received) => {
                        return receive_message(stream, received, to, answer_max);
                    }
                }
            },
        }
    }

    fn poll_fd(&self) -> Option<PollFd<'_>> {
        match &self.state {
            Progress::Failed(_) => None,
            Progress::AwaitDatagram(socket) => Some(PollFd::new(socket, PollFlags::IN)),
            Progress::Stream(stream, Stage::Receiving(_)) => {
                Some(PollFd::new(stream, PollFlags::IN))
            }
            Progress::Stream(stream, _) => Some(PollFd::new(stream, PollFlags::OUT)),
        }
    }
}

/// From a port that the system draws at random for each question, so that whoever wants to forge
/// the answer has to guess it (RFC 5452 §9.2). A connected socket takes only the asked server's
/// answers.
fn send_datagram(bytes: &[u8], to: SocketAddr) -> io::Result<Progress> {
    let any = match to {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    socket.connect(to)?;
    socket.send(bytes)?;
    Ok(Progress::AwaitDatagram(socket))
}

fn receive_datagram(
    socket: &UdpSocket,
    to: SocketAddr,
    answer_max: usize,
) -> Result<Option<Vec<u8>>, Fault> {
    // One byte more than is taken shows that there was more.
    let mut answer = vec![0; answer_max.min(DATAGRAM_MAX) + 1];
    let Some(count) = ready(socket.recv(&mut answer)).map_err(|error| fault(to, &error))? else {
        return Ok(None);
    };
    if count > answer_max {
        return Err(too_long(to, count, answer_max));
    }
    answer.truncate(count);
    Ok(Some(answer))
}

/// The message behind its length in two bytes (RFC 1035 §4.2.2).
fn prefixed(to: SocketAddr, message: &[u8]) -> Result<Vec<u8>, Fault> {
    let Ok(length) = u16::try_from(message.len()) else {
        let reason = format!("a question of {} bytes to {to} has no length prefix", message.len());
        return Err(Fault::new(FaultKind::Permanent, reason));
    };
    Ok([&length.to_be_bytes(), message].concat())
}

fn receive_message(
    stream: &mut TcpStream,
    received: &mut Vec<u8>,
    to: SocketAddr,
    answer_max: usize,
) -> Result<Option<Vec<u8>>, Fault> {
    loop {
        let wanted = match received.split_first_chunk::<2>() {
            None => 2,
            Some((prefix, rest)) => {
                let length = usize::from(u16::from_be_bytes(*prefix));
                if length > answer_max {
                    return Err(too_long(to, length, answer_max));
                }
                if rest.len() == length {
                    return Ok(Some(rest.to_vec()));
                }
                2 + length
            }
        };
        let before = received.len();
        received.resize(wanted, 0);
        let result = stream.read(received.get_mut(before..).unwrap_or_default());
        received.truncate(before + result.as_ref().map_or(0, |count| *count));
        match ready(result).map_err(|error| fault(to, &error))? {
            None => return Ok(None),
            Some(0) => {
                let reason = format!("{to} closed the connection before its answer was whole");
                return Err(Fault::new(FaultKind::Temporary, reason));
            }
            Some(_) => {}
        }
    }
}

fn ready<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn fault(to: SocketAddr, error: &io::Error) -> Fault {
    Fault::new(FaultKind::Temporary, format!("{to}: {error}"))
}

fn too_long(to: SocketAddr, length: usize, answer_max: usize) -> Fault {
    let reason = format!("an answer of {length} bytes from {to} is longer than {answer_max}");
    Fault::new(FaultKind::Permanent, reason)
}

/// Exchanges carried on at the same time; each holds a descriptor.
pub const UNDER_WAY_MAX: usize = 512;

/// No datagram is longer.
const DATAGRAM_MAX: usize = 65_535;

impl<J: Job> fmt::Debug for Question<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({:?} {})", self.over, self.to)
    }
}

impl<J: Job> fmt::Debug for Exchanges<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchanges")
    }
}
