//! The present, read from the system's clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pillarbox_core::{Moment, Now, UnixSeconds};

/// A clock that began when it was made. All of a server's threads share one.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self { start: Instant::now() }
    }

    /// What a machine is told with each step.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { moment: self.moment(), wall: wall() }
    }

    /// The monotonic half of [`now`](Self::now).
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment::after_start(self.start.elapsed())
    }

    /// The same moment in the system's terms, for its timers. One that lies too far away to be
    /// named becomes one that is a year away: a timer may ring early.
    #[must_use]
    pub fn instant(&self, moment: Moment) -> Instant {
        self.start.checked_add(moment.since_start()).unwrap_or_else(|| Instant::now() + FAR_AWAY)
    }
}

/// Seconds before 1970 count backwards, rounded towards 1970; nobody's clock is there on purpose.
fn wall() -> UnixSeconds {
    let seconds = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    };
    UnixSeconds(seconds)
}

const FAR_AWAY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_without_end_has_an_instant() {
        let clock = Clock::begin();
        let far = clock.instant(Moment::after_start(Duration::MAX));
        assert!(far > Instant::now() + Duration::from_secs(86_400));
        let now = clock.moment();
        assert_eq!(clock.instant(now).duration_since(clock.start), now.since_start());
    }
}
