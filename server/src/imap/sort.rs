//! SORT and UID SORT (RFC 5256, RFC 5267 §3): what a search finds, in an order.

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::command::{SearchKey, UnknownCharset};
use pillarbox_core::imap::grammar::{Criterion, SearchReturn};
use pillarbox_core::imap::response;
use pillarbox_core::imap::sort::Sorter;
use pillarbox_store::{Facts, StoreError};

use super::commands::Answer;
use super::open::{Open, Tools};
use super::outlines;
use super::search::{self, Telling};
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
    let asks_modseq = key.as_ref().is_ok_and(SearchKey::asks_modseq);
    let Ok(search) = search::begin(open, returns, key, now) else {
        return Ok(search::unknown_charset());
    };
    let found = search::find(tools, open, &search).await?;
    let mut sorter = Sorter::new(criteria);
    let headers = sorter.reads_headers();
    let take = |facts: &Facts, header: &[u8]| {
        sorter.push(facts.uid, facts.internaldate, facts.size, header);
    };
    if headers {
        outlines::in_short(tools, open, &found, take).await?;
    } else {
        outlines::outlines(tools, open, &found, false, take).await?;
    }
    let sorted = job::sort(&tools.desk, sorter).await?;
    let telling = Telling { uid, returns, asks_modseq };
    search::conclude(tools, open, telling, sorted, response::sort).await
}
