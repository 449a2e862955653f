//! FETCH and UID FETCH: messages leave in pages, large ones in pieces, as the client takes them.

use pillarbox_core::imap::command::{BodyItem, BodySection, FetchItem, MessageSet};
use pillarbox_core::imap::flags::FlagBits;
use pillarbox_core::imap::grammar::Field;
use pillarbox_core::imap::response::Fetch;
use pillarbox_core::imap::section;
use pillarbox_store::{
    Change, Facts, Flags, Found, Message, Read, StoreError, UidRange, What, Write, Written,
};

use super::commands::{Answer, PAGE, no_such_message, not_yet};
use super::open::{GATHERED_MAX, Open, Tools, ranges};
use crate::job;

/// A larger message is sent in pieces instead of being held whole.
const WHOLE_MAX: u64 = 256 << 10;
/// The texts of one page together.
const PAGE_BYTES_MAX: u64 = 1 << 20;
/// The size of a piece.
const PIECE: usize = 256 << 10;

/// Sends what was asked for. Beside the answer: the MODSEQ of `\Seen` set on the way.
pub(super) async fn fetch(
    tools: &Tools,
    open: &mut Open,
    set: &MessageSet,
    items: &[FetchItem],
) -> Result<(Answer, Option<u64>), StoreError> {
    let unsupported = items.iter().find_map(|item| match item {
        FetchItem::Unsupported(name) => Some(*name),
        FetchItem::Field(_) | FetchItem::Body(_) => None,
    });
    if let Some(name) = unsupported {
        return Ok((not_yet("FETCH", name), None));
    }
    let Ok(stretches) = open.view.resolve(set) else { return Ok((no_such_message(), None)) };
    let uids = ranges(&stretches);
    let sets_seen = items.iter().any(|item| matches!(item, FetchItem::Body(b) if b.sets_seen()));
    let seen = if sets_seen && !open.read_only && !uids.is_empty() {
        set_seen(tools, open, uids.clone()).await?
    } else {
        None
    };
    let reads_text = items.iter().any(|item| matches!(item, FetchItem::Body(_)));
    let what = if reads_text {
        What::Text { each_max: WHOLE_MAX, all_max: PAGE_BYTES_MAX }
    } else {
        What::Facts
    };
    let mut after = Some(0);
    while let Some(start) = after.filter(|_| !uids.is_empty()) {
        let question = Read::Messages {
            by: tools.account,
            mailbox: open.id,
            uids: uids.clone(),
            after: start,
            count_max: PAGE,
            what,
            // What was not yet told to be gone can still be read.
            also_expunged: true,
        };
        let Found::Messages(page) = tools.read("fetch", question).await? else {
            return Err(job::astray("fetch"));
        };
        for message in &page.messages {
            one(tools, open, message, items, seen).await?;
        }
        after = page.more;
    }
    Ok((Answer::ok("done"), seen))
}

/// RFC 3501 §6.4.5: reading a body without PEEK sets `\Seen`.
async fn set_seen(
    tools: &Tools,
    open: &Open,
    uids: Vec<UidRange>,
) -> Result<Option<u64>, StoreError> {
    let write = Write::StoreFlags {
        by: tools.account,
        mailbox: open.id,
        uids,
        change: Change::Add,
        flags: Flags::SEEN,
        keywords: Vec::new(),
    };
    let Written::Flagged(flagged) = job::write(&tools.desk, "seen", write).await? else {
        return Err(job::astray("seen"));
    };
    if flagged.modseq.is_some() {
        tools.notify(open.id);
    }
    Ok(flagged.modseq)
}

/// One message's response.
async fn one(
    tools: &Tools,
    open: &Open,
    message: &Message,
    items: &[FetchItem],
    seen: Option<u64>,
) -> Result<(), StoreError> {
    let facts = &message.facts;
    let Some(sequence) = open.view.sequence_of(facts.uid) else { return Ok(()) };
    let (flags, recent) = (FlagBits(facts.flags.0), open.view.is_recent(facts.uid));
    let mut fetch = tools.pen.write(|out| Fetch::begin(sequence, out));
    for item in items {
        match item {
            FetchItem::Field(field) => tools.pen.write(|out| match field {
                Field::Flags => fetch.flags(flags, recent, &open.keywords, out),
                Field::Uid => fetch.uid(facts.uid, out),
                Field::InternalDate => fetch.internal_date(facts.internaldate, out),
                Field::Size => fetch.size(facts.size, out),
            }),
            FetchItem::Body(item) => match &message.text {
                Some(text) => whole(tools, &mut fetch, item, text),
                None => in_pieces(tools, open, &mut fetch, item, facts).await?,
            },
            FetchItem::Unsupported(_) => {}
        }
    }
    // RFC 3501 §6.4.5: if `\Seen` was set by this, FLAGS belong to the response.
    let newly_seen = seen == Some(facts.modseq);
    if newly_seen && !items.contains(&FetchItem::Field(Field::Flags)) {
        tools.pen.write(|out| fetch.flags(flags, recent, &open.keywords, out));
    }
    let gathered = tools.pen.write(|out| {
        fetch.end(out);
        out.len()
    });
    if gathered > GATHERED_MAX {
        tools.pen.room().await;
    }
    Ok(())
}

/// A section of a message that is at hand.
fn whole(tools: &Tools, fetch: &mut Fetch, item: &BodyItem, text: &[u8]) {
    let mut fields = Vec::new();
    let bytes = section::section(text, &item.section, &mut fields);
    let piece = section::piece(bytes.len() as u64, item.partial);
    let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let bytes = bytes.get(place(piece.start)..place(piece.end)).unwrap_or_default();
    tools.pen.write(|out| fetch.body(item, bytes, out));
}

/// A section of a large message: only its header is ever held whole.
async fn in_pieces(
    tools: &Tools,
    open: &Open,
    fetch: &mut Fetch,
    item: &BodyItem,
    facts: &Facts,
) -> Result<(), StoreError> {
    let (begin, end) = match &item.section {
        BodySection::Whole => (0, facts.size),
        BodySection::Header | BodySection::Fields(..) => {
            let header = header(tools, open, facts).await?;
            whole(tools, fetch, item, &header);
            return Ok(());
        }
        BodySection::Text => (header(tools, open, facts).await?.len() as u64, facts.size),
    };
    let piece = section::piece(end - begin, item.partial);
    let (mut offset, end) = (begin + piece.start, begin + piece.end);
    tools.pen.write(|out| fetch.body_head(item, end - offset, out));
    while offset < end {
        let left = usize::try_from(end - offset).unwrap_or(PIECE);
        let bytes = bytes(tools, open, facts.uid, offset, left.min(PIECE)).await?;
        if bytes.is_empty() {
            return Err(job::astray("a message shorter than its size"));
        }
        offset += bytes.len() as u64;
        tools.pen.write(|out| out.extend_from_slice(&bytes));
        tools.pen.room().await;
    }
    Ok(())
}

/// The header of a large message, with its empty line.
async fn header(tools: &Tools, open: &Open, facts: &Facts) -> Result<Vec<u8>, StoreError> {
    let mut header = Vec::new();
    while (header.len() as u64) < facts.size {
        let more = bytes(tools, open, facts.uid, header.len() as u64, PIECE).await?;
        if more.is_empty() {
            break;
        }
        header.extend_from_slice(&more);
        let end = section::header_end(&header);
        if end < header.len() {
            header.truncate(end);
            break;
        }
    }
    Ok(header)
}

async fn bytes(
    tools: &Tools,
    open: &Open,
    uid: u32,
    offset: u64,
    count: usize,
) -> Result<Vec<u8>, StoreError> {
    let question = Read::Bytes {
        by: tools.account,
        mailbox: open.id,
        uid,
        offset,
        count,
        also_expunged: true,
    };
    match tools.read("bytes", question).await? {
        Found::Bytes(bytes) => Ok(bytes),
        _ => Err(job::astray("bytes")),
    }
}
