//! What MODSEQs are told, and what is asked by them (RFC 7162).

use pillarbox_core::imap::Enabled;
use pillarbox_core::imap::command::MessageSet;
use pillarbox_core::imap::grammar::Resync;
use pillarbox_core::imap::response::{self, Code};
use pillarbox_core::imap::resync;
use pillarbox_store::{Changes, Found, Read, StoreError, UidRange, What};

use super::commands::{PAGE, Told, tell_flags};
use super::open::{GATHERED_MAX, Open, Tools};
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

    /// RFC 7162 §3.2: where a message that is gone may not be told to be so yet, and a higher MODSEQ
    /// was told, the client must hear how far it knows the mailbox; and again once it knows all.
    pub(super) fn confine(&mut self, tools: &Tools) {
        if !tools.enabled.has(Enabled::QRESYNC) {
            return;
        }
        let behind = self.told_modseq > self.pin.at();
        if behind || self.behind {
            let code = Code::HighestModSeq(self.pin.at());
            tools.pen.write(|out| response::ok(code, "highest", out));
        }
        self.behind = behind;
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

/// Which of these messages have a MODSEQ above that of the modifiers (RFC 7162 §3.1.4.1): they are
/// found by what changed, which costs nothing for what did not. Those of the set that went since are
/// told, if that is wanted (§3.2.6), before anything else.
pub(super) async fn changed_since(
    tools: &Tools,
    open: &mut Open,
    since: u64,
    vanished: Option<&MessageSet>,
    uids: &[UidRange],
) -> Result<Vec<UidRange>, StoreError> {
    let question = Read::Changes { by: tools.account, mailbox: open.id, since };
    let Found::Changes(changes) = tools.read("changed since", question).await? else {
        return Err(job::astray("changed since"));
    };
    if let Some(set) = vanished {
        let asked = open.view.asked_uids(&set.numbers);
        tell_vanished(tools, open, &changes.vanished, Some(&asked), 0).await;
        // What is still shown is told at the end of the command.
        open.tells_modseq(changes.modseq);
    }
    let states = changes.changed.iter().chain(&changes.new);
    let mut changed: Vec<u32> =
        states.map(|state| state.uid).filter(|uid| within(uids, *uid)).collect();
    changed.sort_unstable();
    Ok(runs(&changed))
}

/// What has changed in a mailbox since the client has had it open, with SELECT (RFC 7162 §3.2.5.1).
pub(super) async fn resync(tools: &Tools, open: &mut Open, resync: &Resync, changes: Changes) {
    let known_up_to =
        resync.sample.as_ref().map_or(0, |sample| resync::known_up_to(&open.view, sample));
    tell_vanished(tools, open, &changes.vanished, resync.known.as_deref(), known_up_to).await;
    let range = |&(first, last): &(u32, u32)| UidRange { first, last };
    let known: Option<Vec<_>> =
        resync.known.as_ref().map(|known| known.iter().map(range).collect());
    let told = Told { uid: true, flags: true, modseq: true };
    // New ones are above all others.
    for state in changes.changed.iter().chain(&changes.new) {
        if known.as_ref().is_none_or(|known| within(known, state.uid)) {
            tell_flags(tools, open, state, &told).await;
        }
    }
}

/// RFC 7162 §3.2.10.1.
async fn tell_vanished(
    tools: &Tools,
    open: &Open,
    vanished: &[UidRange],
    asked: Option<&[(u32, u32)]>,
    known_up_to: u32,
) {
    let gone: Vec<_> = vanished.iter().map(|range| (range.first, range.last)).collect();
    let told = resync::vanished_earlier(&open.view, &gone, asked, known_up_to);
    for some in told.chunks(RANGES_AT_ONCE) {
        let gathered = tools.pen.write(|out| {
            response::vanished(true, some.iter().copied(), out);
            out.len()
        });
        if gathered > GATHERED_MAX {
            tools.pen.room().await;
        }
    }
}

/// The highest MODSEQ of what a search tells, messages whose UIDs ascend (RFC 7162 §3.1.5, RFC 4731
/// §3.2); `None` if there are none.
pub(super) async fn highest(
    tools: &Tools,
    open: &mut Open,
    told: &[u32],
) -> Result<Option<u64>, StoreError> {
    let uids = runs(told);
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

/// How many ranges are told in one VANISHED.
const RANGES_AT_ONCE: usize = 512;

/// Whether ranges that ascend have this UID.
fn within(ranges: &[UidRange], uid: u32) -> bool {
    let index = ranges.partition_point(|range| range.last < uid);
    ranges.get(index).is_some_and(|range| range.contains(uid))
}
