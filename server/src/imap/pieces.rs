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
            self.came_past(tools, first.first.saturating_sub(1));
        }
    }

    /// Those above this UID are left.
    pub(super) fn came_past(&mut self, tools: &Tools, uid: u32) {
        let now = tools.clock.get();
        if now < self.next {
            return;
        }
        let done = self.stretches.iter().map(|stretch| up_to(stretch, uid)).sum::<u32>();
        // RFC 9585 §4: it does not go back, and is less than the goal while there is one.
        self.told = self.told.max(done).min(self.total.saturating_sub(1));
        let goal = (self.total > 0).then_some(self.total);
        tools.pen.write(|out| response::in_progress(&tools.tag, self.told, goal, out));
        self.next = now + EVERY;
    }
}

/// How many of a stretch's messages have no higher UID.
const fn up_to(stretch: &Stretch, uid: u32) -> u32 {
    match uid.checked_sub(stretch.uid) {
        Some(behind) if behind < stretch.count => behind + 1,
        Some(_) => stretch.count,
        None => 0,
    }
}

/// What is left of a set after a piece of it that ended at `more`; nothing if that was all.
pub(super) fn rest(uids: &[UidRange], more: Option<u32>) -> Vec<UidRange> {
    more.map(|uid| UidRange::after(uids, uid)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::Arc;

    use pillarbox_core::flow::{Desk, Pen};
    use pillarbox_core::imap::Enabled;
    use pillarbox_store::AccountId;

    use super::*;

    fn tools() -> Tools {
        Tools {
            desk: Desk::default(),
            pen: Pen::default(),
            account: AccountId(1),
            enabled: Enabled::default(),
            tag: "a7".into(),
            clock: Rc::new(Cell::new(Moment::START)),
            append_bytes_max: 1,
            pins: Arc::default(),
            recents: Arc::default(),
        }
    }

    fn said(tools: &Tools) -> String {
        String::from_utf8(tools.pen.write(std::mem::take)).unwrap()
    }

    #[test]
    fn a_client_hears_every_ten_seconds_how_far_it_has_come() {
        let tools = tools();
        let stretches = [
            Stretch { sequence: 1, uid: 10, count: 500 },
            Stretch { sequence: 501, uid: 2_000, count: 500 },
        ];
        let mut progress = Progress::begin(&tools, &stretches);
        let mut left: Vec<_> = vec![UidRange::ALL];
        let mut heard = String::new();
        // A piece each second.
        for second in 1..=60 {
            tools.clock.set(Moment::START + Duration::from_secs(second));
            left = rest(&left, Some(second.try_into().map_or(0, |second: u32| 100 * second)));
            progress.came_to(&tools, &left);
            heard += &said(&tools);
        }
        let lines: Vec<_> = heard.lines().filter_map(|line| line.split("\"a7\" ").nth(1)).collect();
        let expected = ["500 1000", "501 1000", "999 1000", "999 1000", "999 1000", "999 1000"];
        let expected = expected.map(|state| format!("{state})] still at it"));
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_command_that_is_soon_done_says_nothing_and_one_about_nothing_has_no_goal() {
        let tools = tools();
        let mut progress = Progress::begin(&tools, &[]);
        progress.came_to(&tools, &[UidRange::one(7)]);
        assert_eq!(said(&tools), "");
        tools.clock.set(Moment::START + EVERY);
        progress.came_to(&tools, &[UidRange::one(7)]);
        assert_eq!(said(&tools), "* OK [INPROGRESS (\"a7\" 0 NIL)] still at it\r\n");
    }

    #[test]
    fn what_is_left_of_a_set_lies_behind_the_piece() {
        let set = [UidRange { first: 1, last: 10 }, UidRange { first: 20, last: 30 }];
        assert_eq!(rest(&set, Some(10)), [set[1]]);
        assert_eq!(rest(&set, Some(20)), [UidRange { first: 21, last: 30 }]);
        assert_eq!(rest(&set, Some(30)), []);
        assert_eq!(rest(&[UidRange::ALL], Some(u32::MAX)), []);
        assert_eq!(rest(&set, None), []);
    }
}
