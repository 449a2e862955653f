//! HTTP/2, with hyper's client at the other end.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper::{Request, Response, StatusCode};
use pillarbox_core::flow::Flow;

use super::*;

/// A client, and what it was answered so far.
struct Client {
    pipe: Pipe,
    tasks: Tasks,
    connection: Pin<Box<Connection<Pipe, Nothing, Tasks>>>,
    send: SendRequest<Nothing>,
    answers: Answers,
    /// What it says next travels in pieces of so many bytes.
    piece: usize,
    to_server: Vec<u8>,
    gone: bool,
}

type Answers = Rc<RefCell<Vec<Heard>>>;
/// The path, and what came back.
type Heard = (String, Result<(StatusCode, String), String>);

/// The body of a request without one.
struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = Never;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Never>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

async fn whole(mut response: Response<Incoming>) -> (StatusCode, String) {
    let mut text = Vec::new();
    let body = response.body_mut();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        text.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    (response.status(), String::from_utf8_lossy(&text).into_owned())
}

impl Client {
    fn new(piece: usize) -> Self {
        Self::with(piece, 65_535)
    }

    /// One that takes so many bytes of an answer before it has read them.
    fn with(piece: usize, window: u32) -> Self {
        let (pipe, tasks) = (Pipe::default(), Tasks::default());
        let mut builder = Builder::new(tasks.clone());
        builder.initial_stream_window_size(window);
        let handshake = {
            let pipe = pipe.clone();
            async move { builder.handshake(pipe).await }
        };
        let (send, connection) = Flow::new(handshake).poll().unwrap().unwrap();
        let connection = Box::pin(connection);
        let (answers, to_server) = (Answers::default(), Vec::new());
        Self { pipe, tasks, connection, send, answers, piece, to_server, gone: false }
    }

    fn begin(&mut self, path: &str, headers: usize) {
        let mut request = Request::get(format!("http://example.org{path}"));
        for number in 0..headers {
            request = request.header(format!("x{number}"), "y");
        }
        let sent = self.send.send_request(request.body(Nothing).unwrap());
        let (answers, path) = (Rc::clone(&self.answers), path.to_owned());
        self.spawn(async move {
            let answer = match sent.await {
                Ok(response) => Ok(whole(response).await),
                Err(error) => Err(why(&error)),
            };
            answers.borrow_mut().push((path, answer));
        });
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        hyper::rt::Executor::execute(&self.tasks, future);
    }

    /// Carries bytes to and fro until nobody has any.
    fn talk(&mut self, rig: &mut Rig) {
        for _ in 0..10_000 {
            let waker = self.tasks.connection_waker();
            if !self.gone {
                let mut context = task::Context::from_waker(&waker);
                self.gone = self.connection.as_mut().poll(&mut context).is_ready();
            }
            let woken = self.tasks.run();
            let mut out = Outbox::new(1 << 20);
            self.pipe.pour(&mut out);
            self.to_server.extend_from_slice(out.unsent());
            let count = self.to_server.len().min(self.piece);
            let piece: Vec<u8> = self.to_server.drain(..count).collect();
            if !piece.is_empty() && !rig.want.done {
                rig.say(&piece);
            }
            let heard = std::mem::take(&mut rig.heard);
            let mut inbox = Inbox::new(1 << 20);
            inbox.extend(&heard);
            while self.pipe.feed(&mut inbox) > 0 {
                // hyper's client has its stream in a task.
                self.tasks.wake_all();
                self.tasks.run();
            }
            if rig.want.done {
                self.pipe.end();
                self.tasks.wake_all();
                self.tasks.run();
            }
            if count == 0 && heard.is_empty() && !woken {
                return;
            }
        }
        panic!("they talk for ever");
    }

    fn answers(&self) -> Vec<Heard> {
        let mut answers = std::mem::take(&mut *self.answers.borrow_mut());
        answers.sort_by(|one, other| one.0.cmp(&other.0));
        answers
    }
}

#[test]
fn many_requests_at_once_in_any_pieces() {
    let mut before = None;
    for piece in [1, 7, 100, 100_000] {
        let (mut client, mut rig) = (Client::new(piece), Rig::new());
        for path in ["/healthz", "/style.css", "/", "/nothing"] {
            client.begin(path, 0);
        }
        client.talk(&mut rig);
        let answers = client.answers();
        let statuses: Vec<_> =
            answers.iter().map(|(_, answer)| answer.as_ref().unwrap().0.as_u16()).collect();
        assert_eq!(statuses, [200, 200, 404, 200]);
        assert!(matches!(rig.session.spoken, Spoken::Two(_)));
        if let Some(before) = before.replace(answers.clone()) {
            assert_eq!(answers, before);
        }
    }
}

#[test]
fn answers_wait_for_the_store_side_by_side() {
    let (mut client, mut rig) = (Client::new(100_000), Rig::new());
    rig.slow_store = true;
    for number in 0..5 {
        client.begin(&format!("/healthz?{number}"), 0);
    }
    client.talk(&mut rig);
    assert_eq!((client.answers().len(), rig.effects.len()), (0, 5));
    for left in (0..5).rev() {
        rig.answer_store();
        client.talk(&mut rig);
        assert_eq!((client.answers().len(), rig.effects.len()), (1, left));
    }
}

#[test]
fn streams_and_fields_have_limits() {
    let limits = WebLimits { streams_max: 2, headers_max: 20, ..WebLimits::default() };
    let (mut client, mut rig) = (Client::new(100_000), Rig::with(limits));
    rig.slow_store = true;
    client.talk(&mut rig);
    for number in 0..3 {
        client.begin(&format!("/healthz?{number}"), 0);
    }
    client.talk(&mut rig);
    assert_eq!(rig.effects.len(), 2, "a third waits");
    rig.slow_store = false;
    rig.answer_store();
    client.talk(&mut rig);
    assert_eq!(client.answers().len(), 3);
    for (headers, status) in [(20, 200), (21, 431)] {
        client.begin("/healthz", headers);
        client.talk(&mut rig);
        assert_eq!(client.answers()[0].1.as_ref().unwrap().0.as_u16(), status);
    }
}

#[test]
fn an_answer_that_takes_too_long_is_given_up_alone() {
    let (mut client, mut rig) = (Client::new(100_000), Rig::new());
    rig.slow_store = true;
    client.begin("/healthz?1", 0);
    client.talk(&mut rig);
    rig.wait(30);
    client.begin("/healthz?2", 0);
    client.talk(&mut rig);
    assert_eq!(rig.deadline(), 30);
    rig.wait(30);
    client.talk(&mut rig);
    let answers = client.answers();
    assert_eq!((answers.len(), answers[0].0.as_str()), (1, "/healthz?1"));
    assert_eq!(answers[0].1.as_ref().unwrap().0, StatusCode::REQUEST_TIMEOUT);
    rig.answer_store();
    rig.answer_store();
    client.talk(&mut rig);
    assert_eq!(client.answers()[0].1.as_ref().unwrap().0, StatusCode::OK);
}

#[test]
fn a_client_that_does_not_take_its_answer_is_left() {
    let (mut client, mut rig) = (Client::with(100_000, 1_000), Rig::with_large_file());
    // RFC 9113 §6.9: bytes that are not read give no room for more.
    let request = Request::get("http://example.org/ca.pem").body(Nothing).unwrap();
    let sent = client.send.send_request(request);
    client.spawn(async move {
        let unread = sent.await.unwrap();
        std::future::pending::<()>().await;
        drop(unread);
    });
    client.talk(&mut rig);
    assert!(!rig.session.ledger.is_empty(), "not all of it has left");
    rig.wait(60);
    assert!(!rig.want.done);
    rig.wait(5);
    assert!(rig.want.done && rig.want.stream == Stream::Abort);
}

#[test]
fn stopping_lets_what_is_under_way_end() {
    let (mut client, mut rig) = (Client::new(100_000), Rig::new());
    rig.slow_store = true;
    client.begin("/healthz", 0);
    client.talk(&mut rig);
    rig.step(Input::Stop);
    client.talk(&mut rig);
    assert!(!rig.want.done);
    rig.answer_store();
    client.talk(&mut rig);
    let answers = client.answers();
    assert_eq!(answers[0].1.as_ref().unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(rig.want.done && rig.want.stream == Stream::Flush);
    assert!(client.gone, "GOAWAY has told it");
}

#[test]
fn an_idle_connection_is_told_to_go() {
    let (mut client, mut rig) = (Client::new(100_000), Rig::new());
    client.begin("/healthz", 0);
    client.talk(&mut rig);
    assert_eq!(rig.deadline(), 60);
    rig.wait(60);
    client.talk(&mut rig);
    assert!(rig.want.done && rig.want.stream == Stream::Flush && client.gone);

    // One that does not listen is left after some seconds.
    let (mut client, mut rig) = (Client::new(100_000), Rig::new());
    client.talk(&mut rig);
    rig.wait(10);
    assert!(!rig.want.done);
    assert!(!rig.heard.is_empty(), "GOAWAY");
    rig.wait(5);
    assert!(rig.want.done && rig.want.stream == Stream::Abort);
}

#[test]
fn a_preface_that_is_none_is_a_request() {
    let mut rig = Rig::new();
    rig.say(b"PRI * HTTP/2.0\r\n");
    assert!(matches!(rig.session.spoken, Spoken::Undecided) && rig.said().is_empty());
    rig.say(b"Host: a\r\n\r\n");
    assert!(rig.said().starts_with("HTTP/1.1 400 ") && rig.want.done);
    let mut rig = Rig::new();
    rig.say(b"PRI * HT");
    rig.step(Input::Eof);
    assert!(rig.want.done);
}
