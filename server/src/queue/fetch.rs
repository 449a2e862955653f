//! Fetches a domain's MTA-STS policy (RFC 8461 §3.3): one request of HTTP/1.1 under TLS, with hyper's
//! client driven by hand.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{self, Poll, Waker};
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use pillarbox_core::connection::{Connection, Limits, Security, Session};
use pillarbox_core::effect::{BoxMachine, Completion, Effect};
use pillarbox_core::flow::Desk;
use pillarbox_core::mta_sts::{POLICY_BYTES_MAX, POLICY_PATH, Policy, read_response};
use pillarbox_core::tls::{Agreed, Connector, TlsError};
use pillarbox_core::{EffectId, Input, Io, Machine, Moment, Now, Stream, Want};

use crate::job::{Answer, Job};
use crate::web::pipe::Pipe;

/// What came of a fetch; in words where it is no policy.
pub(crate) type Fetched = Result<Policy, String>;

/// A fetch under way.
pub(super) struct Fetch {
    /// The host of the policy.
    host: String,
    address: SocketAddr,
    connector: Option<Connector>,
    desk: Desk<Job>,
    connecting: Option<EffectId>,
    /// With whom TLS begins.
    connects: Option<Connector>,
    pipe: Pipe,
    asking: Option<Pin<Box<dyn Future<Output = Fetched>>>>,
    until: Option<Moment>,
    outcome: Option<Fetched>,
}

/// RFC 8461 §3.3 suggests a minute for all of it.
const WITHIN: Duration = Duration::from_secs(60);
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

impl Fetch {
    /// A machine that asks the host at this address.
    pub(super) fn machine(
        host: String,
        address: SocketAddr,
        connector: Connector,
    ) -> BoxMachine<Job> {
        let fetch = Self {
            host,
            address,
            connector: Some(connector.offering(&[b"http/1.1"])),
            desk: Desk::default(),
            connecting: None,
            connects: None,
            pipe: Pipe::default(),
            asking: None,
            until: None,
            outcome: None,
        };
        Box::new(Connection::new(fetch, Security::Clear, Limits::default()))
    }

    fn fail(&mut self, why: impl Into<String>) {
        self.outcome.get_or_insert_with(|| Err(why.into()));
    }

    fn advance(&mut self, io: &mut Io<'_, Effect<Job>>) {
        let Some(asking) = &mut self.asking else { return };
        let mut context = task::Context::from_waker(Waker::noop());
        loop {
            let fed = self.pipe.feed(io.inbox);
            if let Poll::Ready(fetched) = asking.as_mut().poll(&mut context) {
                self.outcome.get_or_insert(fetched);
                return;
            }
            if self.pipe.pour(io.outbox) == 0 && fed == 0 {
                return;
            }
        }
    }
}

/// The one request, and what is answered.
async fn ask(pipe: Pipe, host: String) -> Fetched {
    let words = |error: hyper::Error| format!("its answer cannot be read: {error}");
    let (mut sender, connection) = http1::handshake::<Pipe, Nothing>(pipe).await.map_err(words)?;
    let request = Request::get(POLICY_PATH)
        .header(HOST, &host)
        .header(USER_AGENT, concat!("Pillarbox/", env!("CARGO_PKG_VERSION")))
        .body(Nothing)
        .map_err(|error| error.to_string())?;
    let mut answer = pin!(async move {
        let response = sender.send_request(request).await.map_err(words)?;
        let status = response.status().as_u16();
        let media = response.headers().get(CONTENT_TYPE).cloned();
        let body = gather(response.into_body()).await?;
        let media = media.as_ref().and_then(|value| value.to_str().ok());
        read_response(status, media, &body).map_err(|fault| fault.to_string())
    });
    let mut connection = pin!(connection);
    let mut over = false;
    std::future::poll_fn(move |context| {
        if let Poll::Ready(fetched) = answer.as_mut().poll(context) {
            return Poll::Ready(fetched);
        }
        if !over && connection.as_mut().poll(context).is_ready() {
            over = true;
            // What it has heard may have been the end of the answer.
            return answer.as_mut().poll(context);
        }
        Poll::Pending
    })
    .await
}

/// A body, of bounded size.
async fn gather(body: Incoming) -> Result<Vec<u8>, String> {
    let mut body = pin!(body);
    let mut all = Vec::new();
    loop {
        let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await;
        match frame {
            None => return Ok(all),
            Some(Err(error)) => return Err(format!("its answer cannot be read: {error}")),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    all.extend_from_slice(data);
                }
                if all.len() > POLICY_BYTES_MAX {
                    return Err(format!("the policy is longer than {POLICY_BYTES_MAX} bytes"));
                }
            }
        }
    }
}

/// The body of a request that has none.
struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

impl Machine for Fetch {
    type Effect = Effect<Job>;
    type Completion = Completion<Job>;

    fn step(
        &mut self,
        now: Now,
        input: Input<Completion<Job>>,
        io: &mut Io<'_, Effect<Job>>,
    ) -> Want {
        let until = *self.until.get_or_insert(now.moment + WITHIN);
        match input {
            Input::Start => {
                let (to, from, within) = (self.address, None, CONNECT_WITHIN);
                self.connecting = Some(self.desk.send(Effect::Connect { to, from, within }));
            }
            Input::Done(id, Completion::Connected(result)) if self.connecting == Some(id) => {
                match result {
                    Ok(_) => self.connects = self.connector.take(),
                    Err(fault) => self.fail(fault.reason),
                }
            }
            Input::Eof => self.pipe.end(),
            Input::Gone => self.fail("the connection was lost"),
            Input::Stop => self.fail("the server stops"),
            Input::Bytes | Input::Drained | Input::Timer | Input::Done(..) => {}
        }
        if now.moment >= until {
            self.fail("it took too long");
        }
        if self.outcome.is_none() {
            self.advance(io);
        }
        let done = self.outcome.is_some();
        if let Some(outcome) = self.outcome.take() {
            self.desk.send(Effect::Outcome(Answer::Fetched(outcome)));
        }
        self.desk.take_effects(io.effects);
        if done {
            return Want::ABORT;
        }
        Want { read: true, hold: false, deadline: Some(until), stream: Stream::Keep, done: false }
    }
}

impl Session for Fetch {
    fn takes_tls(&mut self) -> bool {
        false
    }

    fn connects_tls(&mut self) -> Option<Connector> {
        self.connects.take()
    }

    fn secured(&mut self, _: Agreed) {
        self.asking = Some(Box::pin(ask(self.pipe.clone(), self.host.clone())));
    }

    fn tls_failed(&mut self, error: &TlsError) {
        self.fail(format!("TLS failed: {error}"));
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fetch({} at {})", self.host, self.address)
    }
}
