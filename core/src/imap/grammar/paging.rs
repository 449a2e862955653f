//! `partial-range` (RFC 9394 §4): which of what a command finds is told.

use std::ops::Range;

use super::primitive::{byte, nz_number};
use super::{Miss, Read};

/// A page of what was found: `1:500`, or `-1:-100` for the last hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartialRange {
    /// Whether the numbers count from the end.
    pub from_end: bool,
    /// Both ends, as written: in either order, counted from 1, both in the range.
    pub ends: (u32, u32),
}

impl PartialRange {
    /// The places of the range among so many; none if it lies behind them.
    ///
    /// ```
    /// use pillarbox_core::imap::grammar::PartialRange;
    /// assert_eq!(PartialRange { from_end: false, ends: (3, 2) }.of(10), 1..3);
    /// assert_eq!(PartialRange { from_end: true, ends: (1, 4) }.of(10), 6..10);
    /// assert_eq!(PartialRange { from_end: true, ends: (9, 20) }.of(10), 0..2);
    /// assert!(PartialRange { from_end: false, ends: (11, 20) }.of(10).is_empty());
    /// ```
    #[must_use]
    pub fn of(self, count: usize) -> Range<usize> {
        let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).min(count);
        let (first, last) = (self.ends.0.min(self.ends.1), self.ends.0.max(self.ends.1));
        let (begin, end) = (place(first.saturating_sub(1)), place(last));
        if self.from_end { count - end..count - begin } else { begin..end }
    }
}

/// `partial-range`.
pub(super) fn partial_range(input: &[u8]) -> Read<'_, PartialRange> {
    let from_end = input.first() == Some(&b'-');
    let end = |input| {
        let (rest, ()) = if from_end { byte(input, b'-', "a minus")? } else { (input, ()) };
        nz_number(rest)
    };
    let (rest, one) = end(input)?;
    let (rest, ()) = byte(rest, b':', "a colon")?;
    let (rest, other) = end(rest)?;
    if rest.first().is_some_and(u8::is_ascii_alphanumeric) {
        return Err(Miss::error(rest, "the end of a range"));
    }
    Ok((rest, PartialRange { from_end, ends: (one, other) }))
}
