//! An answer, from what a handler says to what is sent: entity tags, ranges, compression, and the
//! headers that every answer has.

use std::fmt::Display;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_ENCODING,
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, DATE, ETAG, HeaderMap,
    HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use pillarbox_core::UnixSeconds;
use pillarbox_core::wire::date::HttpDate;

use super::conditions::{Conditions, Part};

/// What is shorter is not compressed: it would hardly become smaller.
const GZIP_MIN: usize = 512;
/// Nothing is loaded but our own style sheet and pictures that are in the page; nobody may frame us.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    /// Boxed, since a refusal is the error of many results.
    headers: Box<HeaderMap>,
    body: Bytes,
    kind: Kind,
}

/// How long an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// For this moment.
    Passing,
    /// Until it is another: it has an entity tag.
    Lasting,
    /// The same, and it may be asked for in parts.
    Ranged,
}

impl Reply {
    fn new(status: StatusCode, media_type: &'static str, body: Bytes, kind: Kind) -> Self {
        let mut headers = Box::new(HeaderMap::new());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Self { status, headers, body, kind }
    }

    /// A line for people who look at what a program got.
    pub(super) fn text(status: StatusCode, text: impl Display) -> Self {
        let body = format!("{text}\n").into();
        Self::new(status, "text/plain; charset=utf-8", body, Kind::Passing)
    }

    /// What is another in a moment.
    pub(super) fn passing(media_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, media_type, body.into(), Kind::Passing)
    }

    /// What stays the same until the configuration changes.
    pub(super) fn lasting(media_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, media_type, body.into(), Kind::Lasting)
    }

    /// The same for what is a file, of which a part may be asked for.
    pub(super) fn file(media_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, media_type, body.into(), Kind::Ranged)
    }

    /// RFC 9110 §15.5.5.
    pub(super) fn not_found() -> Self {
        Self::text(StatusCode::NOT_FOUND, "there is nothing here")
    }

    /// RFC 9110 §15.5.6, §10.2.1.
    pub(super) fn wrong_method(allowed: &'static str) -> Self {
        let text = format!("allowed are: {allowed}");
        let mut reply = Self::text(StatusCode::METHOD_NOT_ALLOWED, text);
        reply.headers.insert(ALLOW, HeaderValue::from_static(allowed));
        reply
    }

    /// RFC 9110 §15.5.9: the request's body did not come, or its answer was not found, in time.
    pub(super) fn late() -> Self {
        Self::text(StatusCode::REQUEST_TIMEOUT, "this took too long").closing()
    }

    /// RFC 9110 §15.6.4: the store could not be asked.
    pub(super) fn unavailable() -> Self {
        Self::text(StatusCode::SERVICE_UNAVAILABLE, "try again later")
    }

    /// The connection ends behind it (RFC 9112 §9.6); HTTP/2 has no such header (RFC 9113 §8.2.2).
    pub(super) fn closing(mut self) -> Self {
        self.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        self
    }

    /// To be kept under this name; only letters, digits, dots and hyphens.
    pub(super) fn saved_as(mut self, name: &'static str) -> Self {
        let value = format!("attachment; filename=\"{name}\"");
        self.set(CONTENT_DISPOSITION, &value);
        self
    }

    /// RFC 6797 §7.1: from now on only with TLS; zero: not said.
    pub(super) fn insist_on_tls(&mut self, seconds: u64) {
        if seconds > 0 {
            self.set(STRICT_TRANSPORT_SECURITY, &format!("max-age={seconds}"));
        }
    }

    fn set(&mut self, name: HeaderName, value: &str) {
        // All that is set is printable: what a client has sent never is.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    /// The answer as the request's conditions want it, in the order of RFC 9110 §13.2.2.
    pub(super) fn under(mut self, conditions: &Conditions) -> Self {
        if self.status == StatusCode::OK && self.kind != Kind::Passing {
            let digest = ring::digest::digest(&ring::digest::SHA256, &self.body);
            let hex: String =
                digest.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
            let (plain, zipped) = (format!("\"{hex}\""), format!("\"{hex}-gz\""));
            let etags = [plain.as_str(), zipped.as_str()];
            if conditions.is_failed(&etags) {
                let text = "it is another now";
                return Self::text(StatusCode::PRECONDITION_FAILED, text).under(conditions);
            }
            self.set(ETAG, &plain);
            self.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            let known = conditions.is_known(&etags);
            if self.kind == Kind::Ranged {
                self.headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
                if !known {
                    self.cut(conditions.part(self.body.len(), &plain));
                }
            }
            self.compress(conditions, Some(&zipped));
            if known {
                // RFC 9110 §15.4.5: the headers that a cache needs, and no body.
                self.status = StatusCode::NOT_MODIFIED;
                self.headers.remove(CONTENT_TYPE);
                self.headers.remove(CONTENT_ENCODING);
                self.headers.remove(CONTENT_DISPOSITION);
                self.body = Bytes::new();
                return self;
            }
        } else {
            self.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            self.compress(conditions, None);
        }
        self.sized(conditions)
    }

    /// RFC 9110 §15.3.7, §15.5.17.
    fn cut(&mut self, part: Part) {
        let length = self.body.len();
        match part {
            Part::All => {}
            Part::Some(first, end) => {
                self.status = StatusCode::PARTIAL_CONTENT;
                self.body = self.body.slice(first..end);
                let last = end.saturating_sub(1);
                self.set(CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"));
            }
            Part::Outside => {
                self.status = StatusCode::RANGE_NOT_SATISFIABLE;
                self.body = "there are no such bytes\n".into();
                self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
                self.set(CONTENT_RANGE, &format!("bytes */{length}"));
            }
        }
    }

    /// RFC 9110 §8.4.1.3; an entity tag is of one encoding (RFC 9110 §8.8.3.3).
    fn compress(&mut self, conditions: &Conditions, etag: Option<&str>) {
        if self.status != StatusCode::OK || self.body.len() < GZIP_MIN {
            return;
        }
        self.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if !conditions.gzip() {
            return;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let zipped = encoder.write_all(&self.body).and_then(|()| encoder.finish());
        // Writing to memory does not fail; if it did, the plain body stands.
        if let Ok(zipped) = zipped {
            self.body = zipped.into();
            self.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            if let Some(etag) = etag {
                self.set(ETAG, etag);
            }
        }
    }

    /// RFC 9110 §9.3.2: HEAD has the headers of GET, and no body.
    fn sized(mut self, conditions: &Conditions) -> Self {
        self.headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        if conditions.head {
            self.body = Bytes::new();
        }
        self
    }

    /// With what every answer has; RFC 9110 §6.6.1 for the date.
    pub(super) fn finish(mut self, now: UnixSeconds) -> Response<Bytes> {
        self.set(DATE, &HttpDate(now).to_string());
        for (name, value) in [
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
        ] {
            self.headers.insert(name, HeaderValue::from_static(value));
        }
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = *self.headers;
        response
    }
}
