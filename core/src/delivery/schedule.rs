//! When a message is tried again (RFC 5321 §4.5.4.1).

use std::time::Duration;

use super::chance::below;
use crate::{Random, UnixSeconds};

/// When messages are tried again, and when no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The pauses after the first attempt, the second, and so on; the last one comes again and
    /// again. Default: 7.5, 15 and 30 minutes, 1, 2, 4, 8 and 16 hours.
    pub pauses: Vec<Duration>,
    /// How long a message is tried since it came. Default: 5 days.
    pub lifetime: Duration,
    /// After how long the sender hears that it takes long. Default: 4 hours.
    pub warn_after: Duration,
    /// By how many hundredths a pause may be longer or shorter, by chance, so that what failed
    /// together is not tried together for ever; at most 50. Default: 10.
    pub jitter: u8,
}

/// What comes after an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another one, then.
    At(UnixSeconds),
    /// None: it was tried for long enough.
    GiveUp,
}

impl Default for Schedule {
    fn default() -> Self {
        let minute = 60;
        let halves = [15, 30, 60, 120, 240, 480, 960, 1_920];
        Self {
            pauses: halves.map(|halves| Duration::from_secs(halves * minute / 2)).to_vec(),
            lifetime: Duration::from_secs(5 * 24 * 60 * minute),
            warn_after: Duration::from_secs(4 * 60 * minute),
            jitter: 10,
        }
    }
}

impl Schedule {
    /// The same with all times so many times shorter: for trying it out.
    #[must_use]
    pub fn shortened(&self, by: u32) -> Self {
        let short = |time: &Duration| time.checked_div(by).unwrap_or(*time);
        Self {
            pauses: self.pauses.iter().map(short).collect(),
            lifetime: short(&self.lifetime),
            warn_after: short(&self.warn_after),
            jitter: self.jitter,
        }
    }

    /// What comes after so many attempts for a message that came at `since`, of which the last one
    /// has just failed. The last one of all is at the end of the lifetime, not before.
    #[must_use]
    pub fn next(
        &self,
        attempts: u32,
        since: UnixSeconds,
        now: UnixSeconds,
        random: &mut dyn Random,
    ) -> Next {
        let end = since.0.saturating_add(seconds(self.lifetime));
        if now.0 >= end {
            return Next::GiveUp;
        }
        let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let pause = self.pauses.get(index).or_else(|| self.pauses.last());
        let pause = pause.copied().unwrap_or(self.lifetime);
        let pause = seconds(self.jittered(pause, random)).max(1);
        Next::At(UnixSeconds(now.0.saturating_add(pause).min(end)))
    }

    /// Whether the sender is to hear by now that it takes long. It is told once.
    #[must_use]
    pub fn is_late(&self, since: UnixSeconds, now: UnixSeconds) -> bool {
        now.0 >= since.0.saturating_add(seconds(self.warn_after))
    }

    /// Until when a message is tried that came at `since`.
    #[must_use]
    pub fn end(&self, since: UnixSeconds) -> UnixSeconds {
        UnixSeconds(since.0.saturating_add(seconds(self.lifetime)))
    }

    fn jittered(&self, pause: Duration, random: &mut dyn Random) -> Duration {
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let room = (millis / 100).saturating_mul(u64::from(self.jitter.min(50)));
        let span = usize::try_from(room.saturating_mul(2)).unwrap_or(usize::MAX).saturating_add(1);
        let more = u64::try_from(below(span, random)).unwrap_or(0);
        Duration::from_millis((millis - room).saturating_add(more))
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::chance::Counter;
    use super::*;

    /// The times of all attempts of a message that came at 0 and never gets through.
    fn attempts(schedule: &Schedule, random: &mut dyn Random) -> Vec<i64> {
        let mut times = vec![0];
        for attempts in 1..1_000 {
            let now = UnixSeconds(*times.last().unwrap());
            match schedule.next(attempts, UnixSeconds(0), now, random) {
                Next::At(time) => times.push(time.0),
                Next::GiveUp => return times,
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn a_message_is_tried_for_five_days() {
        let exact = Schedule { jitter: 0, ..Schedule::default() };
        let times = attempts(&exact, &mut Counter(1));
        let pauses: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]) / 30).collect();
        // In halves of minutes: the last one is what is left of five days.
        let hours = |hours: i64| hours * 120;
        let first = [15, 30, 60, hours(1), hours(2), hours(4), hours(8)];
        assert_eq!(pauses[..7], first);
        assert_eq!(pauses[7..13], [hours(16); 6]);
        assert_eq!(pauses.len(), 14);
        assert_eq!(times.last(), Some(&432_000));
    }

    #[test]
    fn shorter_ones_and_odd_ones() {
        let short = Schedule { jitter: 0, ..Schedule::default() }.shortened(450);
        assert_eq!(attempts(&short, &mut Counter(1))[..4], [0, 1, 3, 7]);
        assert_eq!(short.shortened(0), short);
        let none = Schedule { pauses: Vec::new(), ..Schedule::default() };
        assert_eq!(attempts(&none, &mut Counter(1)).last(), Some(&432_000));
        let once = Schedule { lifetime: Duration::ZERO, ..Schedule::default() };
        assert_eq!(attempts(&once, &mut Counter(1)), [0]);
        // Times that are shorter than a second still go on.
        assert!(attempts(&short.shortened(1_000), &mut Counter(1)).len() < 100);
    }

    #[test]
    fn the_sender_hears_after_a_while() {
        let schedule = Schedule::default();
        assert!(!schedule.is_late(UnixSeconds(5), UnixSeconds(5 + 4 * 3_600 - 1)));
        assert!(schedule.is_late(UnixSeconds(5), UnixSeconds(5 + 4 * 3_600)));
        assert_eq!(schedule.end(UnixSeconds(5)), UnixSeconds(432_005));
    }

    proptest::proptest! {
        #[test]
        fn chance_stays_within_its_bounds(seed in proptest::num::u64::ANY, jitter in 0_u8..=255) {
            let schedule = Schedule { jitter, ..Schedule::default() };
            let mut random = Counter(seed);
            let room = i64::from(jitter.min(50));
            for (index, pause) in schedule.pauses.iter().enumerate() {
                let attempts = u32::try_from(index + 1).unwrap();
                let next = schedule.next(attempts, UnixSeconds(0), UnixSeconds(0), &mut random);
                let Next::At(time) = next else { panic!("{next:?}") };
                let pause = seconds(*pause);
                let (least, most) = (pause * (100 - room) / 100, pause * (100 + room) / 100);
                proptest::prop_assert!((least..=most).contains(&time.0), "{pause} {time:?}");
            }
        }
    }
}
