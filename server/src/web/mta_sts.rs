//! What other servers are told about TLS on the way to us (RFC 8461).

use super::host::Name;
use super::reply::Reply;
use super::service::Asked;

/// RFC 8461 §3.3: at a well-known place of the host `mta-sts.` in front of the domain.
pub(super) fn answer(asked: &Asked) -> Result<Reply, Reply> {
    match (&asked.door.mta_sts, &asked.place.name) {
        (Some(policy), Name::MtaSts(_)) => Ok(Reply::lasting("text/plain", policy.to_text())),
        _ => Err(Reply::not_found()),
    }
}
