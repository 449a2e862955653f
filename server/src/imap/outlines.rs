//! What SORT, THREAD and a SEARCH in headers go by: the facts and the headers of many messages, in
//! pages.

use pillarbox_core::imap::section::{Needs, header_end};
use pillarbox_core::mime::Digest;
use pillarbox_store::{Facts, Found, Message, Read, StoreError, What};

use super::commands::PAGE;
use super::fetch::parse;
use super::open::{Open, Tools};
use super::search::runs;
use crate::job;

/// Most headers are shorter; a longer one is read by itself.
const START_MAX: u64 = 16 << 10;
/// The beginnings of one page together, and so what is looked at before others have their turn.
const PAGE_BYTES_MAX: u64 = 1 << 20;

/// Hands over each of these messages, whose UIDs ascend, in their order: what is known of it, and,
/// if `headers`, of its header at least the fields that [digests keep](pillarbox_core::mime::keeps).
pub(super) async fn outlines(
    tools: &Tools,
    open: &Open,
    uids: &[u32],
    headers: bool,
    mut take: impl FnMut(&Facts, &[u8]),
) -> Result<(), StoreError> {
    let (count, what) = if headers { (PAGE, What::Digest) } else { (PAGE * 10, What::Facts) };
    for uids in uids.chunks(count) {
        let page = page(tools, open, uids, 0, what).await?;
        for group in page.0.chunk_by(|one, other| one.digest.is_some() == other.digest.is_some()) {
            if headers && group.iter().any(|message| message.digest.is_none()) {
                let uids: Vec<u32> = group.iter().map(|message| message.facts.uid).collect();
                self::headers(tools, open, &uids, &mut take).await?;
                continue;
            }
            for message in group {
                match message.digest.as_deref().and_then(Digest::header_of) {
                    Some(header) => take(&message.facts, header),
                    None if headers => {
                        self::headers(tools, open, &[message.facts.uid], &mut take).await?;
                    }
                    None => take(&message.facts, &[]),
                }
            }
        }
    }
    Ok(())
}

/// The same with the whole headers.
pub(super) async fn headers(
    tools: &Tools,
    open: &Open,
    uids: &[u32],
    take: &mut impl FnMut(&Facts, &[u8]),
) -> Result<(), StoreError> {
    let what = What::Start { bytes_max: START_MAX, all_max: PAGE_BYTES_MAX };
    for uids in uids.chunks(PAGE) {
        let mut after = Some(0);
        while let Some(start) = after {
            let (messages, more) = page(tools, open, uids, start, what).await?;
            for Message { facts, text, .. } in &messages {
                let start = text.as_deref().unwrap_or_default();
                let end = header_end(start);
                if end == start.len() && (end as u64) < facts.size {
                    let structure = parse(tools, open, facts, Needs::Header).await?;
                    take(facts, structure.header(structure.root()));
                } else {
                    take(facts, start.get(..end).unwrap_or(start));
                }
            }
            after = more;
        }
    }
    Ok(())
}

/// Of these messages those behind a UID, as many as fit, and where to go on.
async fn page(
    tools: &Tools,
    open: &Open,
    uids: &[u32],
    after: u32,
    what: What,
) -> Result<(Vec<Message>, Option<u32>), StoreError> {
    let question = Read::Messages {
        by: tools.account,
        mailbox: open.id,
        uids: runs(uids),
        after,
        count_max: uids.len(),
        what,
        also_expunged: true,
    };
    match tools.read("outlines", question).await? {
        Found::Messages(page) => Ok((page.messages, page.more)),
        _ => Err(job::astray("outlines")),
    }
}
