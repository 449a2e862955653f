//! `/healthz` and `/metrics`: for those who watch the server.

use hyper::StatusCode;

use super::reply::Reply;
use super::service::Asked;

/// What [`Counters::to_text`](crate::counters::Counters::to_text) writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// 200 while the server serves, 503 while it stops.
pub(super) fn lives(asked: &Asked) -> Reply {
    if asked.stopping {
        Reply::text(StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else {
        Reply::text(StatusCode::OK, "ok")
    }
}

/// The counters, as `pillarbox metrics` prints them.
pub(super) fn metrics(asked: &Asked) -> Result<Reply, Reply> {
    let metrics = asked.door.metrics.as_ref().ok_or_else(Reply::not_found)?;
    Ok(Reply::passing(OPEN_METRICS, (metrics.0)()))
}
