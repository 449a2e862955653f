//! Slow answers to those who make one mistake after the other: whoever guesses addresses or
//! passwords gets fewer guesses in an hour, and it costs us a deadline.
//!
//! The reply is ready and stays in the outbox until the deadline; what the client sends meanwhile
//! waits in the inbox.

use std::time::Duration;

use pillarbox_core::Moment;

use super::patience::TimeLimits;

/// How slowly a client is answered.
#[derive(Debug)]
pub(super) struct Slowness {
    /// Zero: never slowly.
    max: Duration,
    /// Since the last accepted message.
    mistakes: u32,
    /// Of them, the commands that were no use, as far as they were looked at.
    bad_commands: usize,
    /// By how much what the client has sent, and sees no answer to, was put off already.
    spent: Duration,
    /// Nothing is answered before this.
    until: Option<Moment>,
}

impl Slowness {
    pub(super) const fn new(max: Duration) -> Self {
        Self { max, mistakes: 0, bad_commands: 0, spent: Duration::ZERO, until: None }
    }

    /// The client has made a mistake: the reply to it may have to wait.
    pub(super) fn mistake(&mut self, now: Moment) {
        self.mistakes = self.mistakes.saturating_add(1);
        let Some(doublings) = self.mistakes.checked_sub(MISTAKES_FREE + 1) else { return };
        let delay = Duration::from_secs(1u64.checked_shl(doublings).unwrap_or(u64::MAX));
        let left = TimeLimits::LINE_WAIT_MAX.saturating_sub(self.spent);
        let delay = delay.min(self.max).min(left);
        if !delay.is_zero() {
            self.spent = self.spent.saturating_add(delay);
            self.until = Some(now + delay);
        }
    }

    /// So many commands were no use since the last accepted message.
    pub(super) fn count_bad_commands(&mut self, now: Moment, count: usize) {
        if count > self.bad_commands {
            self.mistake(now);
        }
        self.bad_commands = count;
    }

    /// A message was accepted: what was before is forgiven.
    pub(super) const fn forgive(&mut self) {
        self.mistakes = 0;
        self.bad_commands = 0;
    }

    /// Everything that has come whole is answered.
    pub(super) const fn caught_up(&mut self) {
        self.spent = Duration::ZERO;
    }

    /// Whether nothing is to be answered yet.
    pub(super) fn lasts(&mut self, now: Moment) -> bool {
        self.until.take_if(|until| *until <= now);
        self.until.is_some()
    }

    /// Nobody is there any more who could be made to wait.
    pub(super) const fn stop(&mut self) {
        self.until = None;
        self.max = Duration::ZERO;
    }

    pub(super) const fn until(&self) -> Option<Moment> {
        self.until
    }
}

/// Everybody mistypes an address or a password.
const MISTAKES_FREE: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(slowness: &mut Slowness, mistakes: usize, group: bool) -> Vec<u64> {
        let mut now = Moment::START;
        let mut all = Vec::new();
        for _ in 0..mistakes {
            slowness.mistake(now);
            let until = slowness.until().unwrap_or(now);
            assert_eq!(slowness.lasts(now), until > now);
            all.push(until.since(now).as_secs());
            now = until;
            assert!(!slowness.lasts(now));
            if !group {
                slowness.caught_up();
            }
        }
        all
    }

    #[test]
    fn each_mistake_waits_twice_as_long_up_to_the_limit() {
        let mut slowness = Slowness::new(Duration::from_secs(20));
        let expected = [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 20, 20];
        assert_eq!(delays(&mut slowness, 12, false), expected);
        slowness.mistakes = u32::MAX;
        assert_eq!(delays(&mut slowness, 1, false), [20]);
        slowness.forgive();
        assert_eq!(delays(&mut slowness, 6, false), [0, 0, 0, 0, 0, 1]);
        assert_eq!(delays(&mut Slowness::new(Duration::ZERO), 100, false), [0; 100]);
    }

    #[test]
    fn a_group_never_waits_longer_than_25_seconds() {
        let mut slowness = Slowness::new(Duration::from_secs(20));
        let expected = [0, 0, 0, 0, 0, 1, 2, 4, 8, 10, 0, 0];
        assert_eq!(delays(&mut slowness, 12, true), expected);
        slowness.caught_up();
        assert_eq!(delays(&mut slowness, 3, true), [20, 5, 0]);
    }

    #[test]
    fn bad_commands_are_counted_once_each() {
        let mut slowness = Slowness::new(Duration::from_secs(20));
        for count in [1, 1, 2, 0, 1, 1] {
            slowness.count_bad_commands(Moment::START, count);
        }
        assert_eq!(slowness.mistakes, 3);
    }
}
