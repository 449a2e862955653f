//! HTTP: how a mail client is set up, whether the server lives, and what it counts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_core::mta_sts::Policy;

mod autoconfig;
mod autodiscover;
mod conditions;
mod health;
mod host;
mod landing;
mod ledger;
mod markup;
mod mobileconfig;
mod mta_sts;
pub(crate) mod pipe;
mod reply;
mod routes;
mod service;
mod session;
mod setup;
mod tasks;

pub use session::WebSession;
pub use setup::{Kind, Offer, Security, Setup};

/// What a listener's HTTP is like.
#[derive(Debug)]
pub struct WebDoor {
    /// What one connection may take.
    pub limits: WebLimits,
    /// How mail clients reach us.
    pub setup: Setup,
    /// What other servers are told about TLS on the way to us, if anything.
    pub mta_sts: Option<Policy>,
    /// For how long browsers are to come with TLS only, in seconds; 0: not said.
    pub hsts_seconds: u64,
    /// The counters as text, where they are shown.
    pub metrics: Option<Metrics>,
    /// The page at `/`, where there is one.
    pub landing: Option<Landing>,
}

/// What one HTTP connection may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebLimits {
    /// The head of a request, with its first line, in bytes; for HTTP/2 as RFC 9113 §6.5.2 counts.
    /// Default: 16 KiB.
    pub header_bytes_max: usize,
    /// Header fields of a request. Default: 100.
    pub headers_max: usize,
    /// The body of a request, in bytes. Default: 64 KiB.
    pub body_bytes_max: usize,
    /// Requests of one HTTP/2 connection at the same time. Default: 100.
    pub streams_max: usize,
    /// From the connection, or the first byte, to the end of a request's head. Default: 10 s.
    pub header_max: Duration,
    /// Between requests. Default: 60 s.
    pub idle_max: Duration,
    /// From the end of a request's head to the end of its answer, but for 5 s in which one that
    /// takes longer is told so. Default: 60 s.
    pub request_max: Duration,
}

impl Default for WebLimits {
    fn default() -> Self {
        Self {
            header_bytes_max: 16 << 10,
            headers_max: 100,
            body_bytes_max: 64 << 10,
            streams_max: 100,
            header_max: Duration::from_secs(10),
            idle_max: Duration::from_secs(60),
            request_max: Duration::from_secs(60),
        }
    }
}

/// Writes the counters down.
#[derive(Clone)]
pub struct Metrics(pub Arc<dyn Fn() -> String + Send + Sync>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// What the page at `/` tells that is not in the configuration.
#[derive(Debug, Clone, Default)]
pub struct Landing {
    /// Addresses that anybody may log in with.
    pub accounts: Vec<String>,
    /// Their password.
    pub password: String,
    /// The certificate to trust, as PEM, if it is not one that everybody trusts.
    pub ca: Option<String>,
}
