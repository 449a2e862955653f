//! From hyper's request to our answer: the judgement of what every request has, and the bytes that
//! go back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use pillarbox_core::flow::Desk;

use super::WebDoor;
use super::conditions::Conditions;
use super::host::{self, Place};
use super::ledger::{Ledger, Ticket};
use super::reply::Reply;
use super::routes::{self, Route};
use super::session::Never;
use crate::context::Context;
use crate::job::Job;

/// What is handed to hyper at once of an answer's body.
const PIECE: usize = 16_384;

/// Answers the requests of one connection.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) context: Arc<Context>,
    pub(super) door: Arc<WebDoor>,
    pub(super) desk: Desk<Job>,
    pub(super) ledger: Ledger,
    /// Whether the connection has TLS.
    pub(super) secure: bool,
}

/// A request whose form is right, for a handler.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) door: Arc<WebDoor>,
    pub(super) desk: Desk<Job>,
    pub(super) secure: bool,
    pub(super) stopping: bool,
    /// What the client calls us.
    pub(super) place: Place,
    /// `host:port` as the client has it, for links to ourselves.
    pub(super) authority: String,
    /// Behind the `?`.
    pub(super) query: String,
    pub(super) body: Incoming,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Content>;
    type Error = Never;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Never>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let service = self.clone();
        let (parts, body) = request.into_parts();
        let (method, path) = (parts.method.as_str().to_owned(), parts.uri.path().to_owned());
        let mut ticket = self.ledger.begin(method, path, version(parts.version));
        Box::pin(async move {
            let conditions = Conditions::of(&parts.method, &parts.headers);
            let host = host_of(&parts);
            let reply = match ticket.in_time(service.answer(parts, body)).await {
                Some(reply) => reply,
                None => Reply::late(),
            };
            let now = service.ledger.now().wall;
            let mut reply = reply.under(&conditions);
            if service.secure && host.is_ok_and(|host| host::takes_hsts(&host)) {
                reply.insist_on_tls(service.door.hsts_seconds);
            }
            let (parts, body) = reply.finish(now).into_parts();
            ticket.status = parts.status.as_u16();
            Ok(Response::from_parts(parts, Content { left: body, ticket }))
        })
    }
}

impl Service {
    async fn answer(&self, parts: Parts, body: Incoming) -> Reply {
        // RFC 9112 §9.3: a body that nobody reads is in the way of the next request. Whether it has
        // come by now must make no difference.
        let closes = parts.version < Version::HTTP_2 && !body.is_end_stream();
        let unread = |reply: Reply| if closes { reply.closing() } else { reply };
        match self.judge(&parts).await {
            Ok((route, place, authority)) => {
                let read = route.reads_body();
                let asked = Asked {
                    door: Arc::clone(&self.door),
                    desk: self.desk.clone(),
                    secure: self.secure,
                    stopping: self.ledger.is_stopping(),
                    place,
                    authority,
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    body,
                };
                let reply = routes::answer(route, asked).await;
                if read { reply } else { unread(reply) }
            }
            Err(reply) => unread(reply),
        }
    }

    /// What can be said against a request before anybody looks at what it asks for.
    async fn judge(&self, parts: &Parts) -> Result<(Route, Place, String), Reply> {
        // HTTP/2 has no such limit of its own; HTTP/1.1 is held to it by hyper.
        if parts.headers.len() > self.door.limits.headers_max {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Reply::text(status, "too many header fields"));
        }
        let authority = host_of(parts)?;
        let route = routes::find(&self.door, parts.uri.path(), &parts.method)?;
        let place = host::place(&self.context, &self.desk, &authority).await?;
        Ok((route, place, authority))
    }
}

/// RFC 9112 §3.2, RFC 9113 §8.3.1: a request names its host once, and a target with a host of its
/// own says more than a header.
fn host_of(parts: &Parts) -> Result<String, Reply> {
    let bad = |text| Err(Reply::text(StatusCode::BAD_REQUEST, text));
    let mut named = parts.headers.get_all(hyper::header::HOST).into_iter();
    let header = named.next().map(|value| value.to_str());
    if named.next().is_some() {
        return bad("more than one Host");
    }
    match (parts.uri.authority(), header) {
        (Some(authority), _) if authority.as_str().contains('@') => bad("a user in the target"),
        (Some(authority), _) => Ok(authority.as_str().to_owned()),
        (None, Some(Ok(host))) if is_authority(host) => Ok(host.to_owned()),
        (None, Some(_)) => bad("no Host that can be read"),
        (None, None) if parts.version < Version::HTTP_11 => Ok(String::new()),
        (None, None) => bad("no Host"),
    }
}

fn is_authority(host: &str) -> bool {
    host.parse::<Uri>().is_ok_and(|uri| uri.authority().is_some_and(|it| it.as_str() == host))
        && !host.contains('@')
}

const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        _ => "other",
    }
}

impl Asked {
    /// The values of a parameter in the query, decoded.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decoded(key)? == name).then(|| percent_decoded(value))?
        })
    }

    /// The body, all of it.
    ///
    /// # Errors
    /// The answer to one that is longer than allowed, or ends too early.
    pub(super) async fn body(&mut self) -> Result<Vec<u8>, Reply> {
        let max = self.door.limits.body_bytes_max;
        let too_long =
            || Reply::text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long").closing();
        let said = self.body.size_hint().lower();
        if usize::try_from(said).map_or(true, |said| said > max) {
            return Err(too_long());
        }
        let mut bytes = Vec::new();
        loop {
            let body = &mut self.body;
            let next = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
            match next {
                None => return Ok(bytes),
                Some(Err(_)) => {
                    let status = StatusCode::BAD_REQUEST;
                    return Err(Reply::text(status, "the body is cut short").closing());
                }
                Some(Ok(frame)) => {
                    // Trailers say nothing to us.
                    let Ok(data) = frame.into_data() else { continue };
                    if bytes.len() + data.len() > max {
                        return Err(too_long());
                    }
                    bytes.extend_from_slice(&data);
                }
            }
        }
    }
}

/// `%41` and `+`, as forms and URLs have them; `None` for what is not UTF-8 then.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.bytes();
    while let Some(byte) = left.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(left.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The body of an answer. Its request is over when this is dropped.
#[derive(Debug)]
pub(super) struct Content {
    left: Bytes,
    ticket: Ticket,
}

impl Body for Content {
    type Data = Bytes;
    type Error = Never;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Never>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let count = self.left.len().min(PIECE);
        let piece = self.left.split_to(count);
        self.ticket.bytes += count as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// One value of a header, where it is text.
pub(super) fn header<'a>(
    headers: &'a HeaderMap,
    name: &hyper::header::HeaderName,
) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a method asks for what GET asks for.
pub(super) fn is_get(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        for (text, decoded) in [
            ("", Some("")),
            ("a%40b.example", Some("a@b.example")),
            ("a+b%2Bc", Some("a b+c")),
            ("%c3%bc", Some("ü")),
            ("%c3", None),
            ("%4", None),
            ("%4g", None),
            ("%", None),
        ] {
            assert_eq!(percent_decoded(text).as_deref(), decoded, "{text}");
        }
    }
}
