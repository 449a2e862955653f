//! Commands that change a large mailbox at once: in pieces, between which others have their turn,
//! and with a word to the client where they last long.

use std::time::Duration;

use pillarbox_core::Moment;
use pillarbox_core::imap::response;
use pillarbox_core::imap::view::Stretch;
use pillarbox_store::UidRange;

use super::open::Tools;

/// RFC 9585 §4: every 10 to 15 seconds.
const EVERY: Duration = Duration::from_secs(10);

/// How far a command has come.
#[derive(Debug)]
pub(super) struct Progress {
    /// The UIDs and places of the messages that it is about.
    stretches: Vec<Stretch>,
    total: u32,
    /// What the client was told last.
    told: u32,
    next: Moment,
}

impl Progress {
    /// At the beginning of a command about these messages, which ascend.
    pub(super) fn begin(tools: &Tools, stretches: &[Stretch]) -> Self {
        Self {
            stretches: stretches.to_vec(),
            total: stretches.iter().map(|stretch| stretch.count).sum(),
            told: 0,
            next: tools.clock.get() + EVERY,
        }
    }

    /// These are left: says so where it is time.
    pub(super) fn came_to(&mut self, tools: &Tools, left: &[UidRange]) {
        if let Some(first) = left.first() {
            self.came_before(tools, first.first);
        }
    }

    /// Those from this UID on are left.
    pub(super) fn came_before(&mut self, tools: &Tools, uid: u32) {
        let now = tools.clock.get();
        if now < self.next {
            return;
        }
        let done = self.stretches.iter().map(|stretch| before(stretch, uid)).sum::<u32>();
        // RFC 9585 §4: it does not go back, and is less than the goal while there is one.
        self.told = self.told.max(done).min(self.total.saturating_sub(1));
        let goal = (self.total > 0).then_some(self.total);
        tools.pen.write(|out| response::in_progress(&tools.tag, self.told, goal, out));
        self.next = now + EVERY;
    }
}

/// How many of a stretch's messages come before a UID.
fn before(stretch: &Stretch, uid: u32) -> u32 {
    uid.saturating_sub(stretch.uid).min(stretch.count)
}

/// What is left of a set after a piece of it that ended at `more`; nothing if that was all.
pub(super) fn rest(uids: &[UidRange], more: Option<u32>) -> Vec<UidRange> {
    more.map(|uid| UidRange::after(uids, uid)).unwrap_or_default()
}
