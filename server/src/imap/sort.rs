//! SORT and UID SORT (RFC 5256, RFC 5267 §3): what a search finds, in an order.

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::command::{SearchKey, UnknownCharset};
use pillarbox_core::imap::grammar::{Criterion, SearchReturn};
use pillarbox_core::imap::response;
use pillarbox_core::imap::sort::Sorter;
use pillarbox_store::StoreError;

use super::commands::Answer;
use super::open::{Open, Tools};
use super::outlines::outlines;
use super::search::{Hunt, unknown_charset};
use crate::job;

/// Tells which messages satisfy the key, in the order of the criteria.
pub(super) async fn sort(
    tools: &Tools,
    open: &mut Open,
    uid: bool,
    returns: Option<&[SearchReturn]>,
    criteria: Vec<Criterion>,
    key: Result<SearchKey, UnknownCharset>,
    now: UnixSeconds,
) -> Result<Answer, StoreError> {
    let Ok(hunt) = Hunt::begin(open, uid, returns, key, now) else { return Ok(unknown_charset()) };
    let found = hunt.find(tools, open).await?;
    let mut sorter = Sorter::new(criteria);
    let headers = sorter.reads_headers();
    outlines(tools, open, &found, headers, |facts, header| {
        sorter.push(facts.uid, facts.internaldate, facts.size, header);
    })
    .await?;
    let sorted = job::sort(&tools.desk, sorter).await?;
    hunt.conclude(tools, open, sorted, response::sort).await
}
