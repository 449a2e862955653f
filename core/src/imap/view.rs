//! What one session shows its client: which UID has which number, and what it has been told.
//!
//! A message that is gone keeps its number until the client is told, and that may be done only at
//! certain moments (RFC 3501 §7.4.1). So the view is what the client believes, not what is so.
//!
//! UIDs are kept as runs: a mailbox without gaps costs 8 bytes, however large it is.

use std::collections::VecDeque;

use super::command::MessageSet;
use super::enabled::Enabled;
use super::flags::{FlagBits, Keywords};
use super::grammar::{Numbers, PartialRange, SetRange};
use super::response::{self, Fetch, Sink};

/// The messages of an open mailbox as the client knows them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    shown: Runs,
    /// Gone, but still shown: sorted, each within `shown`.
    vanished: Vec<(u32, u32)>,
    /// Flags that the client has yet to be told: UID, flags, MODSEQ.
    flags: VecDeque<(u32, FlagBits, u64)>,
    /// How many messages the client believes there are.
    told: u32,
    /// Which UIDs are recent to this session: sorted; some may not be shown.
    recent: Vec<(u32, u32)>,
    /// How many of them the client believes to be shown.
    told_recent: u32,
    /// What `$` stands for, as UIDs: sorted; some may not be shown any more.
    saved: Vec<(u32, u32)>,
    modseq: u64,
}

/// What has happened to a mailbox since the view was last told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// UIDs of new messages, ascending, above all that the view was ever told.
    pub new: Vec<u32>,
    /// Messages whose flags have changed: UID, flags, MODSEQ. Those of new messages, too, may be
    /// here.
    pub flags: Vec<(u32, FlagBits, u64)>,
    /// UIDs of messages that are gone, in ranges with both ends in them, in any order; UIDs that
    /// were never shown do no harm.
    pub vanished: Vec<(u32, u32)>,
    /// The MODSEQ up to which all this tells.
    pub modseq: u64,
}

/// Messages that follow each other both by number and by UID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The number of the first.
    pub sequence: u32,
    /// The UID of the first.
    pub uid: u32,
    /// How many.
    pub count: u32,
}

/// Those of these messages that are in a range of them (RFC 9394 §3.3).
#[must_use]
pub fn part_of(stretches: &[Stretch], range: PartialRange) -> Vec<Stretch> {
    let index = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let wanted = range.of(stretches.iter().map(|stretch| index(stretch.count)).sum());
    let mut part = Vec::new();
    let mut before = 0;
    for stretch in stretches {
        let places = before..before + index(stretch.count);
        before = places.end;
        let (begin, end) = (wanted.start.max(places.start), wanted.end.min(places.end));
        // Both differences are below the count.
        if let (Ok(skip), Ok(count)) =
            (u32::try_from(begin - places.start), u32::try_from(end.saturating_sub(begin)))
            && count > 0
        {
            let (sequence, uid) = (stretch.sequence + skip, stretch.uid + skip);
            part.push(Stretch { sequence, uid, count });
        }
    }
    part
}

/// Whether the client may be told now that messages are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expunges {
    /// It may: while a command is under way that [lets it](super::Verb::lets_expunge), IDLE
    /// included.
    Tell,
    /// It may not: no command is under way, or FETCH, STORE or SEARCH by number.
    Hold,
}

/// A number above that of the last message (RFC 3501 §9: an error, to be answered with BAD).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchMessage;

impl View {
    /// A mailbox as it is when it is opened: its UIDs, ascending, and its MODSEQ. Tell EXISTS with
    /// [`count`](Self::count).
    pub fn new(uids: impl IntoIterator<Item = u32>, modseq: u64) -> Self {
        let mut shown = Runs::default();
        uids.into_iter().for_each(|uid| shown.push(uid));
        let told = shown.count;
        Self { shown, told, modseq, ..Self::default() }
    }

    /// The same view of a mailbox in which those above this UID are recent (RFC 3501 §2.3.2). Tell
    /// RECENT with [`recent_count`](Self::recent_count).
    #[must_use]
    pub fn with_recent_above(mut self, uid: u32) -> Self {
        self.mark_recent(uid, self.last_uid());
        self.told_recent = self.recent_count();
        self
    }

    /// From here on, those above one UID and up to another are recent: to be said before they are
    /// [noted](Self::note) as new.
    pub fn mark_recent(&mut self, above: u32, up_to: u32) {
        if above < up_to {
            self.recent.push((above + 1, up_to));
            self.recent = merge(std::mem::take(&mut self.recent));
        }
    }

    /// How many of the messages shown are recent.
    #[must_use]
    pub fn recent_count(&self) -> u32 {
        self.shown.within_uids(&self.recent).iter().map(|stretch| stretch.count).sum()
    }

    /// Whether this message is recent: `\Recent` belongs to its flags.
    #[must_use]
    pub fn is_recent(&self, uid: u32) -> bool {
        contains(&self.recent, uid)
    }

    /// The UIDs that are recent, in sorted ranges with both ends in them; some may not be shown.
    pub(super) fn recent(&self) -> &[(u32, u32)] {
        &self.recent
    }

    /// From here on `$` stands for these messages, whose UIDs ascend. Before, it stands for none;
    /// those that are told to be gone are no longer among them (RFC 5182 §2.1).
    pub fn save(&mut self, uids: &[u32]) {
        self.saved = merge(uids.iter().map(|uid| (*uid, *uid)).collect());
    }

    /// What `$` stands for, as UIDs in sorted ranges; some may not be shown.
    pub(super) fn saved(&self) -> &[(u32, u32)] {
        &self.saved
    }

    /// How many messages are shown.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.shown.count
    }

    /// The highest UID that is shown; 0 if none is.
    #[must_use]
    pub fn last_uid(&self) -> u32 {
        self.uid_at(self.count()).unwrap_or(0)
    }

    /// The MODSEQ up to which changes have been taken in.
    #[must_use]
    pub const fn modseq(&self) -> u64 {
        self.modseq
    }

    /// The UID of the message of this number.
    #[must_use]
    pub fn uid_at(&self, sequence: u32) -> Option<u32> {
        self.shown.uid_at(sequence)
    }

    /// The number of the message of this UID.
    #[must_use]
    pub fn sequence_of(&self, uid: u32) -> Option<u32> {
        self.shown.sequence_of(uid)
    }

    /// All messages shown, in order.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch> + '_ {
        self.shown.stretches()
    }

    /// Whether a message that is shown is gone: its bytes may be gone too.
    #[must_use]
    pub fn has_vanished(&self, uid: u32) -> bool {
        contains(&self.vanished, uid)
    }

    /// Whether all is told that was taken in, up to [`modseq`](Self::modseq).
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.vanished.is_empty() && self.flags.is_empty() && self.told == self.count()
    }

    /// The messages of a set, ascending, each once. UIDs that are not shown are passed over
    /// (RFC 3501 §6.4.8).
    ///
    /// # Errors
    /// [`NoSuchMessage`] for a sequence number beyond the last one, or `*` in an empty mailbox.
    pub fn resolve(&self, set: &MessageSet) -> Result<Vec<Stretch>, NoSuchMessage> {
        let ranges = match &set.numbers {
            Numbers::Ranges(ranges) => ranges,
            // RFC 5182 §2.1: no error, even if there is none.
            Numbers::Saved => return Ok(self.shown.within_uids(&self.saved)),
        };
        if set.uid {
            return Ok(self.shown.within_uids(&resolve_ranges(ranges, self.last_uid())));
        }
        let numbers = resolve_ranges(ranges, self.count());
        if numbers.last().is_some_and(|(_, to)| *to > self.count())
            || numbers.first().is_none_or(|(from, _)| *from == 0)
        {
            return Err(NoSuchMessage);
        }
        Ok(self.shown.within_sequences(&numbers))
    }

    /// The UIDs of a set in ranges that ascend, shown or not; `*` is the highest there can be.
    #[must_use]
    pub fn asked_uids(&self, numbers: &Numbers) -> Vec<(u32, u32)> {
        match numbers {
            Numbers::Ranges(ranges) => resolve_ranges(ranges, u32::MAX),
            Numbers::Saved => self.saved.clone(),
        }
    }

    /// The messages with UIDs in these ranges, which ascend.
    #[must_use]
    pub fn within_uids(&self, ranges: &[(u32, u32)]) -> Vec<Stretch> {
        self.shown.within_uids(ranges)
    }

    /// Takes in changes. New messages are shown at once, though not told; those that are gone stay
    /// shown until [`tell`](Self::tell) may say so.
    pub fn note(&mut self, changes: &Changes) {
        let mut gone = changes.vanished.clone();
        gone.extend_from_slice(&self.vanished);
        let gone = merge(gone);
        let last = self.last_uid();
        for uid in changes.new.iter().copied().filter(|uid| *uid > last) {
            // What came and went meanwhile need never be shown.
            let index = gone.partition_point(|(_, to)| *to < uid);
            if gone.get(index).is_none_or(|(from, _)| *from > uid) {
                self.shown.push(uid);
            }
        }
        // Only what is shown can be told to be gone.
        let stretches = self.shown.within_uids(&gone);
        self.vanished = merge(stretches.iter().map(Stretch::uids).collect());
        self.flags.extend(&changes.flags);
        self.modseq = self.modseq.max(changes.modseq);
    }

    /// Tells what may be told now, as long as `room` says that there is room in the output. Says
    /// whether something that may be told is left for lack of room: then call again later. What is
    /// `enabled` decides how it is told.
    pub fn tell<S: Sink>(
        &mut self,
        expunges: Expunges,
        enabled: Enabled,
        keywords: &Keywords,
        out: &mut S,
        room: impl Fn(&S) -> bool,
    ) -> bool {
        let mut resized = false;
        if expunges == Expunges::Tell {
            while !self.vanished.is_empty() {
                if !room(out) {
                    return true;
                }
                if enabled.has(Enabled::QRESYNC) {
                    self.vanish(out);
                } else {
                    self.expunge(out);
                }
                resized = true;
            }
        }
        let grown = self.told < self.count();
        if grown {
            self.told = self.count();
            response::exists(self.told, out);
        }
        // RFC 3501 §7.3.2: with the size of the mailbox; but RFC 9051 has no recent messages
        // (appendix E).
        let recents = !enabled.has(Enabled::IMAP4REV2);
        if recents && (grown || resized) {
            let recent = self.recent_count();
            if grown || recent != self.told_recent {
                self.told_recent = recent;
                response::recent(recent, out);
            }
        }
        while let Some((uid, flags, modseq)) = self.flags.front().copied() {
            if !room(out) {
                return true;
            }
            self.flags.pop_front();
            if let Some(sequence) = self.sequence_of(uid) {
                let mut fetch = Fetch::begin(sequence, out);
                fetch.uid(uid, out);
                fetch.flags(flags, recents && self.is_recent(uid), keywords, out);
                if enabled.has(Enabled::CONDSTORE) {
                    fetch.modseq(modseq, out);
                }
                fetch.end(out);
            }
        }
        // A session that was told of very many keeps no room for them.
        self.flags = VecDeque::new();
        false
    }

    /// Tells of the next messages that are gone: a bounded number, so that the output stays
    /// bounded, and many at once, so that the whole is linear.
    fn expunge(&mut self, out: &mut impl Sink) {
        let gone = self.shown.within_uids(&take_some(&mut self.vanished, EXPUNGES_AT_ONCE));
        let (mut removed, mut untold) = (0, 0);
        for stretch in &gone {
            // Each one makes those behind it move up, so the next has the same number.
            for number in stretch.sequence..=stretch.sequence + (stretch.count - 1) {
                if number <= self.told {
                    response::expunge(stretch.sequence - removed, out);
                } else {
                    // What was never told to be there is not told to be gone.
                    untold += 1;
                }
            }
            removed += stretch.count;
        }
        self.told -= removed - untold;
        self.shown = self.shown.without(&gone);
    }

    /// The same by UIDs, and only of those that the client was told to be there (RFC 7162
    /// §3.2.10.2).
    fn vanish(&mut self, out: &mut impl Sink) {
        let rest = self.vanished.split_off(self.vanished.len().min(RANGES_AT_ONCE));
        let gone = self.shown.within_uids(&std::mem::replace(&mut self.vanished, rest));
        let untold = self.told + 1;
        let told = gone.iter().filter(|stretch| stretch.sequence < untold).map(|stretch| Stretch {
            count: stretch.count.min(untold - stretch.sequence),
            ..*stretch
        });
        let told: Vec<_> = told.collect();
        if !told.is_empty() {
            response::vanished(false, told.iter().map(Stretch::uids), out);
        }
        self.told -= told.iter().map(|stretch| stretch.count).sum::<u32>();
        self.shown = self.shown.without(&gone);
    }
}

impl Stretch {
    /// Its UIDs, both ends in the range.
    #[must_use]
    pub const fn uids(&self) -> (u32, u32) {
        (self.uid, self.uid + (self.count - 1))
    }
}

/// Ascending UIDs, each numbered by its place, as runs without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Runs {
    /// UID and number of each run's first message.
    runs: Vec<(u32, u32)>,
    count: u32,
}

impl Runs {
    /// Adds a UID above all others; any other is passed over.
    fn push(&mut self, uid: u32) {
        let last = self.uid_at(self.count).unwrap_or(0);
        if uid > last {
            if self.count == 0 || uid - last > 1 {
                self.runs.push((uid, self.count + 1));
            }
            self.count += 1;
        }
    }

    fn stretches(&self) -> impl Iterator<Item = Stretch> + '_ {
        self.stretches_from(0)
    }

    fn stretches_from(&self, index: usize) -> impl Iterator<Item = Stretch> + '_ {
        let runs = self.runs.get(index..).unwrap_or_default();
        let ends = runs.iter().skip(1).map(|(_, sequence)| *sequence);
        runs.iter().zip(ends.chain([self.count + 1])).map(|((uid, sequence), end)| Stretch {
            sequence: *sequence,
            uid: *uid,
            count: end - sequence,
        })
    }

    fn uid_at(&self, sequence: u32) -> Option<u32> {
        let index = self.runs.partition_point(|(_, first)| *first <= sequence).checked_sub(1)?;
        let (uid, first) = self.runs.get(index)?;
        (sequence <= self.count).then(|| uid + (sequence - first))
    }

    fn sequence_of(&self, uid: u32) -> Option<u32> {
        let index = self.runs.partition_point(|(first, _)| *first <= uid).checked_sub(1)?;
        let run = self.stretches_from(index).next()?;
        (uid - run.uid < run.count).then(|| run.sequence + (uid - run.uid))
    }

    /// What lies within sorted ranges of UIDs. Walks both once.
    fn within_uids(&self, ranges: &[(u32, u32)]) -> Vec<Stretch> {
        let mut found = Vec::new();
        let mut ranges = ranges.iter().copied().peekable();
        for run in self.stretches() {
            let (first, last) = run.uids();
            while let Some((from, to)) = ranges.peek().copied() {
                let (begin, end) = (from.max(first), to.min(last));
                if begin <= end {
                    let sequence = run.sequence + (begin - first);
                    found.push(Stretch { sequence, uid: begin, count: end - begin + 1 });
                }
                if to > last {
                    break;
                }
                ranges.next();
            }
        }
        found
    }

    /// What lies within sorted ranges of numbers. Walks both once.
    fn within_sequences(&self, ranges: &[(u32, u32)]) -> Vec<Stretch> {
        let mut found = Vec::new();
        let mut ranges = ranges.iter().copied().peekable();
        for run in self.stretches() {
            let last = run.sequence + (run.count - 1);
            while let Some((from, to)) = ranges.peek().copied() {
                let (begin, end) = (from.max(run.sequence), to.min(last));
                if begin <= end {
                    let uid = run.uid + (begin - run.sequence);
                    found.push(Stretch { sequence: begin, uid, count: end - begin + 1 });
                }
                if to > last {
                    break;
                }
                ranges.next();
            }
        }
        found
    }

    /// The same without these, which ascend and lie within it. Walks both once.
    fn without(&self, gone: &[Stretch]) -> Self {
        let mut left = Self::default();
        let mut gone = gone.iter().peekable();
        for run in self.stretches() {
            // How many of the run's messages are dealt with.
            let mut past = 0;
            while let Some(cut) = gone.next_if(|cut| cut.uid <= run.uids().1) {
                let before = cut.uid - run.uid;
                left.push_run(run.uid.saturating_add(past), before - past);
                past = before + cut.count;
            }
            left.push_run(run.uid.saturating_add(past), run.count - past);
        }
        left
    }

    /// Adds UIDs that follow each other, above all others.
    fn push_run(&mut self, uid: u32, count: u32) {
        if count > 0 {
            self.runs.push((uid, self.count + 1));
            self.count += count;
        }
    }
}

/// Ranges as written to ranges that ascend and do not touch; `*` is `last`, also where it is less
/// than the other end (RFC 3501 §9: `seq-range`).
pub(super) fn resolve_ranges(ranges: &[SetRange], last: u32) -> Vec<(u32, u32)> {
    let both = |range: &SetRange| {
        let (one, other) = (range.0.unwrap_or(last), range.1.unwrap_or(last));
        (one.min(other), one.max(other))
    };
    merge(ranges.iter().map(both).collect())
}

/// Whether sorted ranges that do not touch have this number.
pub(super) fn contains(ranges: &[(u32, u32)], number: u32) -> bool {
    let index = ranges.partition_point(|(_, to)| *to < number);
    ranges.get(index).is_some_and(|(from, _)| *from <= number)
}

fn merge(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let joins = next.0 <= kept.1.saturating_add(1);
        if joins {
            kept.1 = kept.1.max(next.1);
        }
        joins
    });
    ranges
}

/// Takes ranges of at most `most` numbers in all from the front; a range may be cut.
fn take_some(ranges: &mut Vec<(u32, u32)>, most: u32) -> Vec<(u32, u32)> {
    let mut taken = Vec::new();
    let mut left = most;
    let mut whole = 0;
    for (from, to) in ranges.iter_mut() {
        if left == 0 {
            break;
        }
        if *to - *from < left {
            taken.push((*from, *to));
            left -= *to - *from + 1;
            whole += 1;
        } else {
            taken.push((*from, *from + (left - 1)));
            *from += left;
            break;
        }
    }
    ranges.drain(..whole);
    taken
}

/// How many EXPUNGE are written before the room is looked at again.
const EXPUNGES_AT_ONCE: u32 = 1_024;
/// How many ranges are told in one VANISHED.
const RANGES_AT_ONCE: usize = 512;

#[cfg(test)]
mod tests;
