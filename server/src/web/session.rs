//! One connection of a browser or a mail client that asks by HTTP: hyper's server connection,
//! driven by hand.
//!
//! hyper has no clock here and no thread. Its own timeouts stay off: each wait is a deadline of
//! ours, the same for HTTP/1.1 and HTTP/2. (Only h2 reads the system's clock, to forget streams that
//! were reset.)

use std::convert::Infallible;
use std::fmt;
use std::future::Future as _;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use pillarbox_core::connection::Session;
use pillarbox_core::effect::{Completion, Effect};
use pillarbox_core::flow::Desk;
use pillarbox_core::tls::{Agreed, TlsError};
use pillarbox_core::wire::date::HttpDate;
use pillarbox_core::{Input, Io, Machine, Moment, Now, Outbox, Stream, Want};

use super::WebDoor;
use super::ledger::Ledger;
use super::pipe::Pipe;
use super::service::Service;
use super::tasks::Tasks;
use crate::context::{Context, Id};
use crate::job::Job;
use crate::rates::What;

/// RFC 9113 §3.4: with this a client begins that speaks HTTP/2. No request of HTTP/1.1 does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a connection of HTTP/2 that was told to go (GOAWAY) is waited for.
const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// One connection.
#[derive(Debug)]
pub struct WebSession {
    context: Arc<Context>,
    door: Arc<WebDoor>,
    cid: String,
    peer: IpAddr,
    /// No room: it is only told so.
    full: bool,
    secure: bool,
    desk: Desk<Job>,
    pipe: Pipe,
    tasks: Tasks,
    ledger: Ledger,
    spoken: Spoken,
    /// While no request is under way, the next one is waited for until then.
    waiting_until: Moment,
    /// The head of a request has begun to come.
    head_begun: bool,
    /// How many requests there were when this was last looked at.
    seen: u64,
    was_busy: bool,
    /// Told to go: it must have gone by then.
    goodbye_until: Option<Moment>,
    eof: bool,
}

/// Which HTTP.
enum Spoken {
    /// The first bytes will tell.
    Undecided,
    One(Pin<Box<http1::Connection<Pipe, Service>>>),
    Two(Pin<Box<http2::Connection<Pipe, Service, Tasks>>>),
    Over,
}

impl fmt::Debug for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undecided => "Undecided",
            Self::One(_) => "HTTP/1.1",
            Self::Two(_) => "HTTP/2",
            Self::Over => "Over",
        })
    }
}

impl WebSession {
    /// A session on an accepted connection; with `full` it only says that there is no room.
    #[must_use]
    pub fn new(
        context: Arc<Context>,
        door: Arc<WebDoor>,
        peer: IpAddr,
        id: Id,
        full: bool,
    ) -> Self {
        let cid = id.to_string();
        let ledger = Ledger::new(Arc::clone(&context), cid.clone(), peer, door.limits.request_max);
        Self {
            context,
            door,
            cid,
            peer,
            full,
            secure: false,
            desk: Desk::default(),
            pipe: Pipe::default(),
            tasks: Tasks::default(),
            ledger,
            spoken: Spoken::Undecided,
            waiting_until: Moment::START,
            head_begun: false,
            seen: 0,
            was_busy: false,
            goodbye_until: None,
            eof: false,
        }
    }

    /// Says why a client is not served, if it is not.
    fn admit(&self, now: Now, out: &mut Outbox) -> Result<(), Want> {
        self.context.counters.web_sessions.count();
        log::info!(cid = self.cid.as_str(), peer:% = self.peer; "connection");
        if self.full {
            let text = "too many connections, try again later";
            return Err(refuse("503 Service Unavailable", "Retry-After: 10\r\n", text, now, out));
        }
        let rates = &self.context.rates;
        if let Err(refused) = rates.take(What::Connection, now.moment, self.peer, 1) {
            self.context.counters.rate_refusals.count();
            log::warn!(cid = self.cid.as_str(), peer:% = self.peer, why:% = refused; "too many connections");
            let text = format!("too many connections {refused}");
            return Err(refuse("429 Too Many Requests", "Retry-After: 60\r\n", &text, now, out));
        }
        Ok(())
    }

    /// Chooses between the versions as soon as the bytes tell.
    fn decide(&mut self, unread: &[u8]) {
        let common = unread.len().min(PREFACE.len());
        if unread.get(..common) != PREFACE.get(..common) {
            self.spoken = self.begin_one();
        } else if common == PREFACE.len() {
            self.spoken = self.begin_two();
        } else if self.eof {
            self.spoken = Spoken::Over;
        }
    }

    fn service(&self) -> Service {
        Service {
            context: Arc::clone(&self.context),
            door: Arc::clone(&self.door),
            desk: self.desk.clone(),
            ledger: self.ledger.clone(),
            secure: self.secure,
        }
    }

    fn begin_one(&self) -> Spoken {
        let limits = &self.door.limits;
        let mut builder = http1::Builder::new();
        builder
            .auto_date_header(false)
            .header_read_timeout(None)
            .half_close(true)
            .max_headers(limits.headers_max)
            .max_header_size(limits.header_bytes_max)
            // hyper wants at least this much.
            .max_buf_size(limits.header_bytes_max.max(8_192));
        Spoken::One(Box::pin(builder.serve_connection(self.pipe.clone(), self.service())))
    }

    fn begin_two(&self) -> Spoken {
        let limits = &self.door.limits;
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut builder = http2::Builder::new(self.tasks.clone());
        builder
            .auto_date_header(false)
            .max_concurrent_streams(small(limits.streams_max))
            // RFC 9113 §6.5.2 counts 32 bytes for each field.
            .max_header_list_size(small(limits.header_bytes_max))
            .initial_stream_window_size(65_535)
            .initial_connection_window_size(65_535)
            .max_send_buf_size(16_384);
        Spoken::Two(Box::pin(builder.serve_connection(self.pipe.clone(), self.service())))
    }

    /// Takes the conversation as far as it goes.
    fn advance(&mut self, now: Now, io: &mut Io<'_, Effect<Job>>) -> Want {
        loop {
            if matches!(self.spoken, Spoken::Undecided) {
                self.decide(io.inbox.unread());
            }
            let fed = match self.spoken {
                Spoken::Undecided | Spoken::Over => 0,
                Spoken::One(_) | Spoken::Two(_) => self.pipe.feed(io.inbox),
            };
            if self.eof && io.inbox.is_empty() {
                self.pipe.end();
            }
            self.keep_time(now, fed > 0);
            self.poll();
            let woken = self.tasks.run();
            let poured = self.pipe.pour(io.outbox);
            if matches!(self.spoken, Spoken::Over) && self.pipe.is_poured() {
                return self.end();
            }
            if (fed == 0 && poured == 0 && !woken) || !io.outbox.below_mark() {
                break;
            }
        }
        self.keep_time(now, false);
        Want { deadline: self.deadline(), ..Want::READ }
    }

    /// Polls hyper's connection.
    fn poll(&mut self) {
        let waker = self.tasks.connection_waker();
        let mut context = task::Context::from_waker(&waker);
        let ended = match &mut self.spoken {
            Spoken::Undecided | Spoken::Over => Poll::Pending,
            Spoken::One(connection) => connection.as_mut().poll(&mut context),
            Spoken::Two(connection) => connection.as_mut().poll(&mut context),
        };
        let Poll::Ready(result) = ended else { return };
        if let Err(error) = result {
            log::info!(cid = self.cid.as_str(), why = why(&error).as_str(); "http connection failed");
        }
        self.close();
    }

    /// How long the next request is waited for.
    fn keep_time(&mut self, now: Now, fed: bool) {
        let limits = &self.door.limits;
        let (begun, busy) = (self.ledger.begun(), !self.ledger.is_empty());
        if begun != self.seen || (self.was_busy && !busy) {
            (self.seen, self.head_begun) = (begun, false);
            self.waiting_until = now.moment + limits.idle_max;
        } else if fed && !busy && !self.head_begun {
            self.head_begun = true;
            // What HTTP/2 sends between requests does not prolong the wait.
            if !matches!(self.spoken, Spoken::Two(_)) && self.seen > 0 {
                self.waiting_until = now.moment + limits.header_max;
            }
        }
        self.was_busy = busy;
    }

    fn deadline(&self) -> Option<Moment> {
        let waiting = self.goodbye_until.unwrap_or(self.waiting_until);
        Some(match self.ledger.deadline() {
            Some(request) => self.goodbye_until.map_or(request, |until| until.min(request)),
            None => waiting,
        })
    }

    /// A deadline may have passed.
    fn on_time(&mut self, now: Now, out: &mut Outbox) -> Option<Want> {
        if self.ledger.is_overdue() || self.goodbye_until.is_some_and(|until| now.moment >= until) {
            log::info!(cid = self.cid.as_str(); "connection takes too long");
            self.close();
            return Some(Want::ABORT);
        }
        if !self.ledger.is_empty()
            || self.goodbye_until.is_some()
            || now.moment < self.waiting_until
        {
            return None;
        }
        log::info!(cid = self.cid.as_str(); "connection idle for too long");
        if matches!(self.spoken, Spoken::Two(_)) {
            self.say_goodbye(now);
            return None;
        }
        self.close();
        if !out.is_empty() {
            // Nor has it taken what it was answered.
            return Some(Want::ABORT);
        }
        // RFC 9110 §15.5.9: who has begun to ask is told.
        if self.head_begun {
            let text = "the request took too long to come";
            return Some(refuse("408 Request Timeout", "", text, now, out));
        }
        Some(Want::END)
    }

    /// RFC 9112 §9.6, RFC 9113 §6.8: what is under way is answered, nothing new begins.
    fn say_goodbye(&mut self, now: Now) {
        match &mut self.spoken {
            Spoken::Undecided => self.spoken = Spoken::Over,
            Spoken::One(connection) => connection.as_mut().graceful_shutdown(),
            Spoken::Two(connection) => {
                connection.as_mut().graceful_shutdown();
                if self.ledger.is_empty() {
                    self.goodbye_until.get_or_insert(now.moment + GOODBYE_MAX);
                }
            }
            Spoken::Over => {}
        }
    }

    fn close(&mut self) {
        self.spoken = Spoken::Over;
        self.tasks.clear();
    }

    fn end(&mut self) -> Want {
        self.close();
        log::debug!(cid = self.cid.as_str(); "connection ended");
        Want::END
    }
}

/// The innermost reason, which says most.
fn why(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// An answer without a request, and the end (RFC 9112 §9.5).
fn refuse(status: &str, header: &str, text: &str, now: Now, out: &mut Outbox) -> Want {
    let date = HttpDate(now.wall);
    let length = text.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nCache-Control: no-store\r\n{header}Connection: close\r\n\r\n\
         {text}\n"
    );
    out.push(answer.as_bytes());
    Want::END
}

impl Machine for WebSession {
    type Effect = Effect<Job>;
    type Completion = Completion<Job>;

    fn step(
        &mut self,
        now: Now,
        input: Input<Completion<Job>>,
        io: &mut Io<'_, Effect<Job>>,
    ) -> Want {
        self.ledger.set_now(now);
        match input {
            Input::Start => {
                self.waiting_until = now.moment + self.door.limits.header_max;
                if let Err(want) = self.admit(now, io.outbox) {
                    return want;
                }
            }
            Input::Done(id, completion) => {
                self.desk.deliver(id, completion);
            }
            Input::Eof => self.eof = true,
            Input::Stop => {
                self.ledger.stop();
                self.say_goodbye(now);
            }
            Input::Gone => {
                self.close();
                return Want { stream: Stream::Abort, ..self.end() };
            }
            Input::Bytes | Input::Timer | Input::Drained => {}
        }
        if let Some(want) = self.on_time(now, io.outbox) {
            return want;
        }
        let want = self.advance(now, io);
        self.desk.take_effects(io.effects);
        want
    }
}

impl Session for WebSession {
    fn takes_tls(&mut self) -> bool {
        false
    }

    fn secured(&mut self, agreed: Agreed) {
        self.context.counters.tls_handshakes.count();
        log::debug!(cid = self.cid.as_str(), version = agreed.version; "tls");
        self.secure = true;
    }

    fn tls_failed(&mut self, error: &TlsError) {
        self.context.counters.tls_failures.count();
        log::info!(cid = self.cid.as_str(), peer:% = self.peer, why:% = error; "tls failed");
    }
}

/// A handler never fails: what goes wrong is an answer too.
pub(super) type Never = Infallible;

#[cfg(test)]
mod tests;
