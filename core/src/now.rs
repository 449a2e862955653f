//! Time as an argument. Nothing in this crate reads a clock: whoever calls says what time it is.

use std::ops::Add;
use std::time::Duration;

/// A point on a monotonic clock that began at zero when its owner began.
///
/// Unlike `std::time::Instant` it can be made up in a test and printed, and it is the same on
/// every run of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The beginning of the clock.
    pub const START: Self = Self(Duration::ZERO);

    /// The moment that lies `elapsed` after the clock's beginning.
    #[must_use]
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after the clock's beginning this moment lies.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to this moment, or zero where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Saturates at the end of time instead of overflowing.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

/// The wall clock: seconds since 1970-01-01T00:00:00Z, leap seconds left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixSeconds(pub i64);

/// The present, as told with each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For deadlines: never goes back.
    pub moment: Moment,
    /// For dates in messages and logs: may jump when the system's clock is set.
    pub wall: UnixSeconds,
}
