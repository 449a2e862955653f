//! FETCH and UID FETCH: messages leave in pages, large ones in pieces, as the client takes them.

use std::ops::Range;
use std::rc::Rc;

use pillarbox_core::imap::Enabled;
use pillarbox_core::imap::command::{BinaryItem, BodyItem, BodySection, FetchItem, MessageSet};
use pillarbox_core::imap::flags::FlagBits;
use pillarbox_core::imap::grammar::{FetchModifiers, Field, Fields, SectionText};
use pillarbox_core::imap::response::{Code, Fetch};
use pillarbox_core::imap::section::{self, Layout, Needs};
use pillarbox_core::imap::view::part_of;
use pillarbox_core::mime::{self, Digest, Parser, Structure, keeps};
use pillarbox_store::{
    Change, Facts, Flags, Found, Message, Read, StoreError, UidRange, What, Write, Written,
};

use super::commands::{Answer, PAGE, no_such_message};
use super::modseqs;
use super::open::{GATHERED_MAX, Open, Tools, ranges};
use super::search::email_id;
use crate::job;

pub(super) mod binary;

/// A larger message is sent in pieces instead of being held whole.
pub(super) const WHOLE_MAX: u64 = 256 << 10;
/// The texts of one page together.
const PAGE_BYTES_MAX: u64 = 1 << 20;
/// The size of a piece.
pub(super) const PIECE: usize = 256 << 10;
/// How much of a large message's header is looked through for single fields.
const FIELDS_BYTES_MAX: usize = 1 << 20;

/// Sends what was asked for. Beside the answer: the MODSEQ of `\Seen` set on the way.
pub(super) async fn fetch(
    tools: &Tools,
    open: &mut Open,
    set: &MessageSet,
    items: &[FetchItem],
    modifiers: &FetchModifiers,
) -> Result<(Answer, Option<u64>), StoreError> {
    let Ok(mut stretches) = open.view.resolve(set) else { return Ok((no_such_message(), None)) };
    if let Some(partial) = modifiers.partial {
        stretches = part_of(&stretches, partial);
    }
    let mut uids = ranges(&stretches);
    // RFC 9394 §3.4: of the page, not a page of these.
    if let Some(since) = modifiers.changed_since {
        let vanished = modifiers.vanished.then_some(set);
        uids = modseqs::changed_since(tools, open, since, vanished, &uids).await?;
    }
    let sets_seen = items.iter().any(FetchItem::sets_seen);
    let seen = if sets_seen && !open.read_only && !uids.is_empty() {
        set_seen(tools, open, uids.clone()).await?
    } else {
        None
    };
    let needs = items.iter().filter_map(needs).max();
    let what = match needs {
        None => What::Facts,
        Some(_) if items.iter().all(is_in_digest) => What::Digest,
        Some(_) => What::Text { each_max: WHOLE_MAX, all_max: PAGE_BYTES_MAX },
    };
    let (mut after, mut all_told) = (Some(0), true);
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
            all_told &= one(tools, open, message, items, needs, seen).await?;
        }
        after = page.more;
    }
    // RFC 3516 §4.3.
    if !all_told {
        let text = "a part is encoded in a way that is not known here";
        // What was set in messages that have no response will be told as news.
        return Ok((Answer::no(Some(Code::UnknownCte), text), None));
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
        unchanged_since: None,
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

/// One message's response. Tells whether there is one; there is none where a part cannot be decoded.
async fn one(
    tools: &Tools,
    open: &mut Open,
    message: &Message,
    items: &[FetchItem],
    needs: Option<Needs>,
    seen: Option<u64>,
) -> Result<bool, StoreError> {
    let facts = &message.facts;
    let Some(sequence) = open.view.sequence_of(facts.uid) else { return Ok(true) };
    let known = Known::of(tools, open, message, needs.unwrap_or(Needs::Nothing)).await?;
    if binary::cannot_decode(items, &known) {
        return Ok(false);
    }
    let source = binary::Source { uid: facts.uid, text: message.text.as_deref() };
    let (flags, recent) = (FlagBits(facts.flags.0), tools.is_recent(open, facts.uid));
    let mut fetch = tools.pen.write(|out| Fetch::begin(sequence, out));
    for item in items {
        match item {
            FetchItem::Field(field) => tools.pen.write(|out| match field {
                Field::Flags => fetch.flags(flags, recent, &open.keywords, out),
                Field::Uid => fetch.uid(facts.uid, out),
                Field::InternalDate => fetch.internal_date(facts.internaldate, out),
                Field::Size => fetch.size(facts.size, out),
                Field::SaveDate => fetch.save_date(facts.saved, out),
                Field::EmailId => fetch.email_id(email_id(facts), out),
                Field::ThreadId => fetch.no_thread_id(out),
                Field::ModSeq => fetch.modseq(facts.modseq, out),
            }),
            FetchItem::Envelope => {
                let header = known.header(message.text.as_deref());
                tools.pen.write(|out| fetch.envelope(header, out));
            }
            FetchItem::Structure { extended } => {
                if let Some(structure) = &known.structure {
                    tools.pen.write(|out| fetch.structure(structure, *extended, out));
                }
            }
            FetchItem::Preview { lazy } => {
                let preview = preview(tools, open, message, &known, *lazy).await?;
                tools.pen.write(|out| fetch.preview(preview.as_deref(), out));
            }
            FetchItem::Body(item) => {
                let place = known.layout().place(&item.section).unwrap_or_default();
                match &message.text {
                    Some(text) => whole(tools, &mut fetch, item, slice(text, &place)),
                    None if known.in_short && is_kept(item) => {
                        whole(tools, &mut fetch, item, known.header(None));
                    }
                    None => in_pieces(tools, open, &mut fetch, item, facts.uid, place).await?,
                }
            }
            FetchItem::Binary(item) => {
                let encoded = known.layout().encoded(&item.part);
                binary::content(tools, open, &mut fetch, item, source, encoded).await?;
            }
            FetchItem::BinarySize(part) => {
                let encoded = known.layout().encoded(part);
                let size = binary::size(tools, open, part, source, &encoded).await?;
                tools.pen.write(|out| fetch.binary_size(part, size, out));
            }
        }
    }
    let newly_seen = seen == Some(facts.modseq);
    tell_change(tools, open, &mut fetch, items, facts, newly_seen);
    let gathered = tools.pen.write(|out| {
        fetch.end(out);
        out.len()
    });
    if gathered > GATHERED_MAX {
        tools.pen.room().await;
    }
    Ok(true)
}

/// What belongs to a response without having been asked for.
fn tell_change(
    tools: &Tools,
    open: &mut Open,
    fetch: &mut Fetch,
    items: &[FetchItem],
    facts: &Facts,
    newly_seen: bool,
) {
    let asked = |field| items.contains(&FetchItem::Field(field));
    // RFC 7162 §3.2.4: what tells a change, to those that know MODSEQs.
    let aware = tools.enabled.has(Enabled::CONDSTORE);
    if newly_seen {
        let (flags, recent) = (FlagBits(facts.flags.0), tools.is_recent(open, facts.uid));
        tools.pen.write(|out| {
            // RFC 3501 §6.4.5: if `\Seen` was set by this, FLAGS belong to the response.
            if !asked(Field::Flags) {
                fetch.flags(flags, recent, &open.keywords, out);
            }
            if aware && !asked(Field::Uid) {
                fetch.uid(facts.uid, out);
            }
            if aware && !asked(Field::ModSeq) {
                fetch.modseq(facts.modseq, out);
            }
        });
    }
    if asked(Field::ModSeq) || newly_seen && aware {
        open.tells_modseq(facts.modseq);
    }
}

/// What must be known of a message to tell an item; `None` if its bytes are not.
fn needs(item: &FetchItem) -> Option<Needs> {
    match item {
        FetchItem::Field(_) => None,
        // Where it is not at hand, the beginning of the message is read for it.
        FetchItem::Preview { .. } => Some(Needs::Nothing),
        FetchItem::Envelope => Some(Needs::Header),
        FetchItem::Structure { .. } => Some(Needs::Structure),
        FetchItem::Body(item) => Some(Needs::of(&item.section)),
        FetchItem::Binary(BinaryItem { part, .. }) | FetchItem::BinarySize(part) => {
            Some(Needs::of_part(part))
        }
    }
}

/// Whether an item can be told by a digest.
fn is_in_digest(item: &FetchItem) -> bool {
    match item {
        FetchItem::Field(_)
        | FetchItem::Envelope
        | FetchItem::Structure { .. }
        | FetchItem::Preview { .. } => true,
        FetchItem::Body(item) => is_kept(item),
        FetchItem::Binary(_) | FetchItem::BinarySize(_) => false,
    }
}

/// Whether only fields are asked for that digests have.
fn is_kept(item: &BodyItem) -> bool {
    let BodySection { part, text } = &item.section;
    part.is_empty()
        && matches!(text, SectionText::Fields(Fields::These, names)
            if names.iter().all(|name| keeps(name.as_bytes())))
}

/// What is known of the message whose response is written: found out once for all items.
struct Known {
    size: u64,
    header_end: u64,
    /// The headers have only what a digest keeps of them.
    in_short: bool,
    preview: Option<String>,
    /// There if all parts were needed.
    structure: Option<Rc<Structure>>,
    /// The header of a message that is not at hand.
    header: Vec<u8>,
}

impl Known {
    async fn of(
        tools: &Tools,
        open: &mut Open,
        message: &Message,
        needs: Needs,
    ) -> Result<Self, StoreError> {
        let size = message.facts.size;
        let mut known = Self {
            size,
            header_end: 0,
            in_short: false,
            preview: None,
            structure: None,
            header: Vec::new(),
        };
        if let Some(digest) = digest(message) {
            let (structure, preview) = digest.into_parts();
            known.in_short = true;
            known.preview = Some(preview);
            known.learn(Rc::new(structure));
            return Ok(known);
        }
        match (&message.text, needs) {
            (_, Needs::Nothing) => {}
            (Some(text), Needs::Header) => known.header_end = section::header_end(text) as u64,
            (Some(text), Needs::Structure) => known.learn(Rc::new(Structure::of(text))),
            (None, Needs::Header) => {
                let structure = parse(tools, open, &message.facts, needs).await?;
                known.header_end = structure.root().header.end;
                known.header = structure.header(structure.root()).to_vec();
            }
            (None, Needs::Structure) => {
                let uid = message.facts.uid;
                let structure = match open.parsed.take_if(|(of, _)| *of == uid) {
                    Some((_, structure)) => structure,
                    None => Rc::new(parse(tools, open, &message.facts, needs).await?),
                };
                open.parsed = Some((uid, Rc::clone(&structure)));
                known.learn(structure);
            }
        }
        Ok(known)
    }

    fn learn(&mut self, structure: Rc<Structure>) {
        self.header_end = structure.root().header.end;
        self.structure = Some(structure);
    }

    fn layout(&self) -> Layout<'_> {
        match &self.structure {
            Some(structure) => Layout::Structure(structure),
            None => Layout::Header { end: self.header_end, size: self.size },
        }
    }

    /// The header, as far as it is kept of a large message.
    fn header<'a>(&'a self, text: Option<&'a [u8]>) -> &'a [u8] {
        match (text, &self.structure) {
            (Some(text), _) => slice(text, &(0..self.header_end)),
            (None, Some(structure)) => structure.header(structure.root()),
            (None, None) => &self.header,
        }
    }
}

/// The first words of a message; `None` where they would have to be read, and are asked for lazily.
async fn preview(
    tools: &Tools,
    open: &Open,
    message: &Message,
    known: &Known,
    lazy: bool,
) -> Result<Option<String>, StoreError> {
    Ok(match (&known.preview, &message.text) {
        (Some(preview), _) => Some(preview.clone()),
        (None, Some(text)) => Some(mime::preview::of_beginning(text)),
        (None, None) if lazy => None,
        (None, None) => {
            let beginning = bytes(tools, open, message.facts.uid, 0, PIECE).await?;
            Some(mime::preview::of_beginning(&beginning))
        }
    })
}

/// What is kept at hand of a message that has come without its bytes.
pub(super) fn digest(message: &Message) -> Option<Digest> {
    Digest::read(message.digest.as_deref()?, message.facts.size)
}

/// Runs through a large message, to the end of its header or to its own.
pub(super) async fn parse(
    tools: &Tools,
    open: &Open,
    facts: &Facts,
    needs: Needs,
) -> Result<Structure, StoreError> {
    let mut parser = Parser::new();
    let mut offset = 0;
    while offset < facts.size && !(needs == Needs::Header && parser.header_end().is_some()) {
        let piece = bytes(tools, open, facts.uid, offset, PIECE).await?;
        if piece.is_empty() {
            return Err(job::astray("a message shorter than its size"));
        }
        offset += piece.len() as u64;
        parser.push(&piece);
    }
    Ok(parser.finish())
}

/// A section that is at hand, or the header of which fields were asked for.
fn whole(tools: &Tools, fetch: &mut Fetch, item: &BodyItem, section: &[u8]) {
    let mut found = Vec::new();
    let mut bytes = section;
    if let SectionText::Fields(fields, names) = &item.section.text {
        section::header_fields(bytes, *fields, names, &mut found);
        bytes = &found;
    }
    let bytes = slice(bytes, &section::piece(bytes.len() as u64, item.partial));
    tools.pen.write(|out| fetch.body(item, bytes, out));
}

/// A section of a large message.
async fn in_pieces(
    tools: &Tools,
    open: &Open,
    fetch: &mut Fetch,
    item: &BodyItem,
    uid: u32,
    place: Range<u64>,
) -> Result<(), StoreError> {
    let length = place.end - place.start;
    if matches!(item.section.text, SectionText::Fields(..)) {
        let count = usize::try_from(length).unwrap_or(usize::MAX).min(FIELDS_BYTES_MAX);
        let mut header = bytes(tools, open, uid, place.start, count).await?;
        if (header.len() as u64) < length {
            // Half a field would tell something else than the whole.
            let whole = header.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            header.truncate(whole);
        }
        whole(tools, fetch, item, &header);
        return Ok(());
    }
    let piece = section::piece(length, item.partial);
    let (mut offset, end) = (place.start + piece.start, place.start + piece.end);
    tools.pen.write(|out| fetch.body_head(item, end - offset, out));
    while offset < end {
        let left = usize::try_from(end - offset).unwrap_or(PIECE);
        let bytes = bytes(tools, open, uid, offset, left.min(PIECE)).await?;
        if bytes.is_empty() {
            return Err(job::astray("a message shorter than its size"));
        }
        offset += bytes.len() as u64;
        tools.pen.write(|out| out.extend_from_slice(&bytes));
        tools.pen.room().await;
    }
    Ok(())
}

fn slice<'a>(bytes: &'a [u8], place: &Range<u64>) -> &'a [u8] {
    let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    bytes.get(index(place.start)..index(place.end)).unwrap_or_default()
}

pub(super) async fn bytes(
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
