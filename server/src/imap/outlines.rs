//! What SORT, THREAD and a SEARCH in headers go by: the facts and the header of many messages, in
//! pages; of those that have a digest, from that.

use pillarbox_core::imap::section::{Needs, header_end};
use pillarbox_store::{Facts, Found, Message, Read, StoreError, What};

use super::commands::PAGE;
use super::fetch::{digest, parse};
use super::open::{Open, Tools};
use super::search::runs;
use crate::job;

/// Most headers are shorter; a longer one is read by itself.
const START_MAX: u64 = 16 << 10;
/// The beginnings of one page together, and so what is looked at before others have their turn.
const PAGE_BYTES_MAX: u64 = 1 << 20;
/// How many messages there are in a page of facts.
const FACTS: usize = PAGE * 10;

/// The same as [`outlines`] with headers, of which only the fields are there that digests keep: all
/// that SORT and THREAD go by.
pub(super) async fn in_short(
    tools: &Tools,
    open: &Open,
    uids: &[u32],
    mut take: impl FnMut(&Facts, &[u8]),
) -> Result<(), StoreError> {
    for uids in uids.chunks(PAGE) {
        let question = Read::Messages {
            by: tools.account,
            mailbox: open.id,
            uids: runs(uids),
            after: 0,
            count_max: PAGE,
            what: What::Digest,
            also_expunged: true,
        };
        let Found::Messages(page) = tools.read("outlines", question).await? else {
            return Err(job::astray("outlines"));
        };
        for message in &page.messages {
            match digest(message) {
                Some(digest) => take(&message.facts, digest.header()),
                None => outlines(tools, open, &[message.facts.uid], true, &mut take).await?,
            }
        }
    }
    Ok(())
}

/// Hands over each of these messages, whose UIDs ascend: what is known of it, and, if `headers`, its
/// header with the fields that are looked at, else nothing.
pub(super) async fn outlines(
    tools: &Tools,
    open: &Open,
    uids: &[u32],
    headers: bool,
    mut take: impl FnMut(&Facts, &[u8]),
) -> Result<(), StoreError> {
    let (count_max, what) = if headers {
        (PAGE, What::Start { bytes_max: START_MAX, all_max: PAGE_BYTES_MAX })
    } else {
        (FACTS, What::Facts)
    };
    for uids in uids.chunks(count_max).map(runs) {
        let mut after = Some(0);
        while let Some(start) = after {
            let question = Read::Messages {
                by: tools.account,
                mailbox: open.id,
                uids: uids.clone(),
                after: start,
                count_max,
                what,
                also_expunged: true,
            };
            let Found::Messages(page) = tools.read("outlines", question).await? else {
                return Err(job::astray("outlines"));
            };
            for Message { facts, text, .. } in &page.messages {
                let start = text.as_deref().unwrap_or_default();
                let end = header_end(start);
                if headers && end == start.len() && (end as u64) < facts.size {
                    let structure = parse(tools, open, facts, Needs::Header).await?;
                    take(facts, structure.header(structure.root()));
                } else {
                    take(facts, start.get(..end).unwrap_or(start));
                }
            }
            after = page.more;
        }
    }
    Ok(())
}
