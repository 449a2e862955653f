//! What MODSEQs are told, and what is asked by them (RFC 7162).

use pillarbox_core::imap::Enabled;
use pillarbox_core::imap::grammar::SearchReturn;
use pillarbox_core::imap::response::{self, Code};
use pillarbox_store::{Found, Read, StoreError, UidRange, What};

use super::commands::PAGE;
use super::open::{Open, Tools};
use super::search::runs;
use crate::job;

impl Open {
    /// RFC 7162 §3.1: the first command by which a client says that it knows MODSEQs is answered
    /// with the mailbox's, if one is open. What is not told yet has a higher one.
    pub(super) fn acquaint(&mut self, tools: &Tools) {
        if tools.enabled.has(Enabled::CONDSTORE) && !self.aware {
            self.aware = true;
            let code = Code::HighestModSeq(self.pin.at());
            tools.pen.write(|out| response::ok(code, "highest", out));
        }
    }

    /// A message's MODSEQ is told. A client takes the highest one that it was told for how far it
    /// knows the mailbox (RFC 7162 §6), so that what has lower ones must be told before the command
    /// ends.
    pub(super) const fn tells_modseq(&mut self, modseq: u64) {
        if modseq > self.told_modseq {
            self.told_modseq = modseq;
        }
    }
}

/// Which of these messages have a MODSEQ above `since` (RFC 7162 §3.1.4.1). They are found by what
/// changed, which costs nothing for what did not.
pub(super) async fn changed_since(
    tools: &Tools,
    open: &Open,
    since: u64,
    uids: &[UidRange],
) -> Result<Vec<UidRange>, StoreError> {
    let question = Read::Changes { by: tools.account, mailbox: open.id, since };
    let Found::Changes(changes) = tools.read("changed since", question).await? else {
        return Err(job::astray("changed since"));
    };
    let states = changes.changed.iter().chain(&changes.new);
    let mut changed: Vec<u32> =
        states.map(|state| state.uid).filter(|uid| within(uids, *uid)).collect();
    changed.sort_unstable();
    Ok(runs(&changed))
}

/// The highest MODSEQ of what a search tells of the messages that it has found, whose UIDs ascend
/// (RFC 7162 §3.1.5, RFC 4731 §3.2); `None` if there are none.
pub(super) async fn highest(
    tools: &Tools,
    open: &mut Open,
    returns: Option<&[SearchReturn]>,
    found: &[u32],
) -> Result<Option<u64>, StoreError> {
    let wants = |option| returns.is_some_and(|wanted| wanted.contains(&option));
    let (min, max) = (wants(SearchReturn::Min), wants(SearchReturn::Max));
    let only_ends = (min || max) && !wants(SearchReturn::All) && !wants(SearchReturn::Count);
    let uids = match (found.first(), found.last()) {
        (Some(first), Some(last)) if only_ends => {
            let ends = [(min, *first), (max, *last)].into_iter().filter(|(told, _)| *told);
            ends.map(|(_, uid)| UidRange::one(uid)).collect()
        }
        _ => runs(found),
    };
    let mut highest = None;
    let mut after = (!uids.is_empty()).then_some(0);
    while let Some(start) = after {
        let question = Read::Messages {
            by: tools.account,
            mailbox: open.id,
            uids: uids.clone(),
            after: start,
            count_max: PAGE * 10,
            what: What::Facts,
            also_expunged: true,
        };
        let Found::Messages(page) = tools.read("highest modseq", question).await? else {
            return Err(job::astray("highest modseq"));
        };
        highest = highest.max(page.messages.iter().map(|message| message.facts.modseq).max());
        after = page.more;
    }
    highest.into_iter().for_each(|modseq| open.tells_modseq(modseq));
    Ok(highest)
}

/// Whether ranges that ascend have this UID.
fn within(ranges: &[UidRange], uid: u32) -> bool {
    let index = ranges.partition_point(|range| range.last < uid);
    ranges.get(index).is_some_and(|range| range.contains(uid))
}
