//! SEARCH and UID SEARCH: facts first; of messages that these do not decide what is kept at hand of
//! them; then the header; and of those that are still in doubt the text, in pages and pieces like
//! FETCH.

use std::sync::Arc;

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::command::{SearchKey, UnknownCharset};
use pillarbox_core::imap::flags::FlagBits;
use pillarbox_core::imap::grammar::SearchReturn;
use pillarbox_core::imap::object::EmailId;
use pillarbox_core::imap::response::{self, Code};
use pillarbox_core::imap::search::trigrams::Filter;
use pillarbox_core::imap::search::{Asks, Facts, Matching, Search};
use pillarbox_core::imap::section::Needs;
use pillarbox_core::mime::{Digest, TextReader};
use pillarbox_store::{self as store, FlagRun, Found, Message, Read, StoreError, UidRange, What};

use super::commands::{Answer, PAGE};
use super::fetch::{PIECE, WHOLE_MAX, bytes, parse};
use super::modseqs;
use super::open::{Open, Tools};
use super::outlines;
use super::pieces::Progress;
use crate::job;

/// The texts of one page together, and so what is looked through before others have their turn.
const PAGE_BYTES_MAX: u64 = 256 << 10;
/// How many strings are looked for in a page or piece of full size.
const STRINGS: usize = 8;

/// Tells which messages satisfy the key.
pub(super) async fn search(
    tools: &Tools,
    open: &mut Open,
    uid: bool,
    returns: Option<&[SearchReturn]>,
    key: Result<SearchKey, UnknownCharset>,
    now: UnixSeconds,
) -> Result<Answer, StoreError> {
    let Ok(hunt) = Hunt::begin(open, uid, returns, key, now) else { return Ok(unknown_charset()) };
    let found = hunt.find(tools, open).await?;
    hunt.conclude(tools, open, found, response::search).await
}

/// A search, and what is to be told of it.
pub(super) struct Hunt<'r> {
    search: Search,
    uid: bool,
    returns: Option<&'r [SearchReturn]>,
    asks_modseq: bool,
}

impl<'r> Hunt<'r> {
    /// Begins with a key.
    pub(super) fn begin(
        open: &mut Open,
        uid: bool,
        returns: Option<&'r [SearchReturn]>,
        key: Result<SearchKey, UnknownCharset>,
        now: UnixSeconds,
    ) -> Result<Self, UnknownCharset> {
        let hunt = key.map(|key| {
            // The key may have `$` in it, as it was.
            let search = Search::new(&key, &open.view, &open.keywords, now);
            Self { search, uid, returns, asks_modseq: key.asks_modseq() }
        });
        if saves(returns) {
            // RFC 5182 §2.1: what fails leaves nothing.
            open.view.save(&[]);
        }
        hunt
    }

    /// The UIDs of the messages that are found, ascending.
    pub(super) async fn find(&self, tools: &Tools, open: &Open) -> Result<Vec<u32>, StoreError> {
        find(tools, open, &self.search).await
    }

    /// Keeps what was found if that is wanted, and tells it: in the order that it has here, and in
    /// the plain form of the command if no other was asked for.
    pub(super) async fn conclude(
        &self,
        tools: &Tools,
        open: &mut Open,
        mut found: Vec<u32>,
        plain: impl FnOnce(Vec<u32>, Option<u64>, &mut Vec<u8>),
    ) -> Result<Answer, StoreError> {
        if let Some(wanted) = self.returns.filter(|_| saves(self.returns)) {
            open.view.save(&kept(wanted, &found));
        }
        let modseq = if self.asks_modseq {
            let told = kept(self.returns.unwrap_or(&[SearchReturn::All]), &found);
            modseqs::highest(tools, open, &told).await?
        } else {
            None
        };
        if !self.uid {
            found = found.into_iter().filter_map(|uid| open.view.sequence_of(uid)).collect();
        }
        let (tag, uid) = (&tools.tag, self.uid);
        tools.pen.write(|out| match self.returns {
            // RFC 5182 §2.1: where nothing else is wanted, nothing is told.
            Some([SearchReturn::Save]) => {}
            Some(wanted) => response::extended_search(tag, uid, wanted, &found, modseq, out),
            None => plain(found, modseq, out),
        });
        Ok(Answer::ok("done"))
    }
}

pub(super) fn unknown_charset() -> Answer {
    Answer::no(Some(Code::BadCharset), "this charset is not known")
}

fn saves(returns: Option<&[SearchReturn]>) -> bool {
    returns.is_some_and(|wanted| wanted.contains(&SearchReturn::Save))
}

/// What of the found is told and kept for `$`, ascending: all, unless only the ends of it, or a
/// range, were wanted (RFC 5182 §2.4, RFC 9394 §3.2).
fn kept(wanted: &[SearchReturn], found: &[u32]) -> Vec<u32> {
    let mut kept = Vec::new();
    for option in wanted {
        match option {
            SearchReturn::All | SearchReturn::Count => {
                kept = found.to_vec();
                break;
            }
            SearchReturn::Min => kept.extend(found.first()),
            SearchReturn::Max => kept.extend(found.last()),
            SearchReturn::Partial(range) => {
                kept.extend_from_slice(found.get(range.of(found.len())).unwrap_or_default());
            }
            SearchReturn::Save if wanted.len() == 1 => kept.extend_from_slice(found),
            SearchReturn::Save => {}
        }
    }
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// The UIDs of the messages that a search finds, ascending.
async fn find(tools: &Tools, open: &Open, search: &Search) -> Result<Vec<u32>, StoreError> {
    let mut found = Vec::new();
    let uids = candidates(tools, open, search).await?;
    if uids.is_empty() {
        return Ok(found);
    }
    let mut progress = Progress::begin(tools, &open.view.stretches().collect::<Vec<_>>());
    if search.asks() == Asks::All {
        let mut after = Some(0);
        while let Some(start) = after {
            progress.came_past(tools, start);
            let (undecided, more) = by_facts(tools, open, search, &uids, start, &mut found).await?;
            by_content(tools, open, search, undecided, &mut found, &mut progress).await?;
            after = more;
        }
    } else {
        let undecided = by_numbers(tools, open, search, &uids, &mut found).await?;
        for undecided in undecided.chunks(PAGE * 10) {
            let undecided = undecided.to_vec();
            by_content(tools, open, search, undecided, &mut found, &mut progress).await?;
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Adds those of a page of messages behind a UID that are found by their facts; gives back those
/// that these do not decide, and where to go on.
async fn by_facts(
    tools: &Tools,
    open: &Open,
    search: &Search,
    uids: &[UidRange],
    after: u32,
    found: &mut Vec<u32>,
) -> Result<(Vec<u32>, Option<u32>), StoreError> {
    let question = Read::Messages {
        by: tools.account,
        mailbox: open.id,
        uids: uids.to_vec(),
        after,
        count_max: PAGE * 10,
        what: What::Facts,
        also_expunged: true,
    };
    let Found::Messages(page) = tools.read("search", question).await? else {
        return Err(job::astray("search"));
    };
    let mut undecided = Vec::new();
    for message in &page.messages {
        let Some(facts) = facts(open, &message.facts) else { continue };
        sort_in(search, &facts, found, &mut undecided);
    }
    Ok((undecided, page.more))
}

/// The same for all messages at once and a search that goes by their numbers and flags, which are
/// at hand.
async fn by_numbers(
    tools: &Tools,
    open: &Open,
    search: &Search,
    uids: &[UidRange],
    found: &mut Vec<u32>,
) -> Result<Vec<u32>, StoreError> {
    let runs: Arc<[FlagRun]> = if search.asks() == Asks::Flags {
        let question = Read::FlagRuns { by: tools.account, mailbox: open.id };
        match tools.read("search flags", question).await? {
            Found::FlagRuns(runs) => runs,
            _ => return Err(job::astray("search flags")),
        }
    } else {
        let all = FlagRun { first: 1, last: u32::MAX, flags: store::Flags(0), expunged: false };
        [all].into()
    };
    let ranges: Vec<_> = uids.iter().map(|range| (range.first, range.last)).collect();
    let mut runs = runs.iter().peekable();
    let mut undecided = Vec::new();
    for stretch in open.view.within_uids(&ranges) {
        for offset in 0..stretch.count {
            let (uid, sequence) = (stretch.uid + offset, stretch.sequence + offset);
            while runs.next_if(|run| run.last < uid).is_some() {}
            let Some(run) = runs.peek().filter(|run| run.first <= uid) else { continue };
            let facts = Facts { sequence, uid, flags: FlagBits(run.flags.0), ..NOTHING };
            sort_in(search, &facts, found, &mut undecided);
        }
    }
    Ok(undecided)
}

/// What is not asked.
const NOTHING: Facts = Facts {
    sequence: 0,
    uid: 0,
    flags: FlagBits(0),
    received: UnixSeconds(0),
    saved: UnixSeconds(0),
    email: EmailId { body: 0, prefix: None },
    size: 0,
    modseq: 0,
};

/// Puts a message where its facts lead it.
fn sort_in(search: &Search, facts: &Facts, found: &mut Vec<u32>, undecided: &mut Vec<u32>) {
    match search.verdict(facts) {
        Some(true) => found.push(facts.uid),
        Some(false) => {}
        None => undecided.push(facts.uid),
    }
}

/// Adds those of the messages, whose UIDs ascend, that are found by what stands in them.
async fn by_content(
    tools: &Tools,
    open: &Open,
    search: &Search,
    mut undecided: Vec<u32>,
    found: &mut Vec<u32>,
    progress: &mut Progress,
) -> Result<(), StoreError> {
    if search.asks_digests() {
        undecided = by_digest(tools, open, search, &undecided, found).await?;
    }
    by_text(tools, open, search, &undecided, found, progress).await
}

/// Which messages are worth a look: those that may have the strings in them, as the index has it.
async fn candidates(
    tools: &Tools,
    open: &Open,
    search: &Search,
) -> Result<Vec<UidRange>, StoreError> {
    let filter = search.filter();
    if filter == Filter::Any {
        return Ok(vec![UidRange::ALL]);
    }
    let question = Read::Candidates { by: tools.account, mailbox: open.id, filter };
    match tools.read("search index", question).await? {
        Found::Candidates(uids) => Ok(uids.unwrap_or_else(|| vec![UidRange::ALL])),
        _ => Err(job::astray("search index")),
    }
}

/// Adds those of the messages, whose UIDs ascend, that are found by what is kept at hand of them;
/// gives back those that this does not decide.
async fn by_digest(
    tools: &Tools,
    open: &Open,
    search: &Search,
    undecided: &[u32],
    found: &mut Vec<u32>,
) -> Result<Vec<u32>, StoreError> {
    let mut left = Vec::new();
    let mut matching = search.matching(NOTHING);
    let mut after = (!undecided.is_empty()).then_some(0);
    while let Some(start) = after {
        let question = Read::Messages {
            by: tools.account,
            mailbox: open.id,
            uids: runs(undecided),
            after: start,
            count_max: PAGE,
            what: What::Digest,
            also_expunged: true,
        };
        let Found::Messages(page) = tools.read("search digests", question).await? else {
            return Err(job::astray("search digests"));
        };
        for message in &page.messages {
            let Some(facts) = facts(open, &message.facts) else { continue };
            matching.again(facts);
            if let Some(header) = message.digest.as_deref().and_then(Digest::header_of) {
                matching.digest(header);
            }
            match matching.verdict() {
                Some(true) => found.push(facts.uid),
                Some(false) => {}
                None => left.push(facts.uid),
            }
        }
        after = page.more;
    }
    Ok(left)
}

/// Adds those of the messages, whose UIDs ascend, that are found by what stands in them.
async fn by_text(
    tools: &Tools,
    open: &Open,
    search: &Search,
    undecided: &[u32],
    found: &mut Vec<u32>,
    progress: &mut Progress,
) -> Result<(), StoreError> {
    if !search.reads_texts() {
        return outlines::headers(tools, open, undecided, &mut |message, header| {
            let Some(facts) = facts(open, message) else { return };
            let mut matching = search.matching(facts);
            matching.header(header);
            if matching.end() {
                found.push(facts.uid);
            }
        })
        .await;
    }
    let mut matching = search.matching(NOTHING);
    let mut after = (!undecided.is_empty()).then_some(0);
    while let Some(start) = after {
        progress.came_past(tools, start);
        let question = Read::Messages {
            by: tools.account,
            mailbox: open.id,
            uids: runs(undecided),
            after: start,
            count_max: PAGE,
            what: What::Text {
                each_max: WHOLE_MAX,
                all_max: PAGE_BYTES_MAX / share(search) as u64,
            },
            also_expunged: true,
        };
        let Found::Messages(page) = tools.read("search text", question).await? else {
            return Err(job::astray("search text"));
        };
        for message in &page.messages {
            let Some(facts) = facts(open, &message.facts) else { continue };
            let matches = match &message.text {
                Some(text) => {
                    matching.again(facts);
                    matching.whole(text)
                }
                None => large(tools, open, search, search.matching(facts), message).await?,
            };
            if matches {
                found.push(facts.uid);
            }
        }
        after = page.more;
    }
    Ok(())
}

/// Whether a message matches that is too large to be read at once.
async fn large(
    tools: &Tools,
    open: &Open,
    search: &Search,
    mut matching: Matching<'_>,
    message: &Message,
) -> Result<bool, StoreError> {
    let facts = &message.facts;
    let start = parse(tools, open, facts, Needs::Header).await?;
    matching.header(start.header(start.root()));
    if let Some(verdict) = matching.verdict() {
        return Ok(verdict);
    }
    let structure = parse(tools, open, facts, Needs::Structure).await?;
    matching.headers(&structure);
    for part in structure.parts() {
        let Some(mut reader) = TextReader::of(&structure, part) else { continue };
        let mut offset = part.body.start;
        while offset < part.body.end {
            if let Some(verdict) = matching.verdict() {
                return Ok(verdict);
            }
            let left = usize::try_from(part.body.end - offset).unwrap_or(PIECE);
            let count = left.min(PIECE / share(search));
            let piece = bytes(tools, open, facts.uid, offset, count).await?;
            if piece.is_empty() {
                return Err(job::astray("a message shorter than its size"));
            }
            offset += piece.len() as u64;
            matching.piece(&mut reader, &piece);
        }
        matching.part_end(&mut reader);
    }
    Ok(matching.end())
}

/// Where many strings are looked for, less is looked through at once.
fn share(search: &Search) -> usize {
    search.strings().div_ceil(STRINGS).max(1)
}

/// What a message is called among all (RFC 8474 §5.1).
pub(super) const fn email_id(facts: &store::Facts) -> EmailId {
    EmailId { body: facts.body, prefix: facts.prefix }
}

/// What is known of a message, if the client knows it.
fn facts(open: &Open, facts: &store::Facts) -> Option<Facts> {
    Some(Facts {
        sequence: open.view.sequence_of(facts.uid)?,
        uid: facts.uid,
        flags: FlagBits(facts.flags.0),
        received: facts.internaldate,
        saved: facts.saved,
        email: email_id(facts),
        size: facts.size,
        modseq: facts.modseq,
    })
}

/// Ascending UIDs as ranges.
pub(super) fn runs(uids: &[u32]) -> Vec<UidRange> {
    let next_to = |before: &u32, uid: &u32| before.checked_add(1) == Some(*uid);
    uids.chunk_by(next_to)
        .filter_map(|run| Some(UidRange { first: *run.first()?, last: *run.last()? }))
        .collect()
}
