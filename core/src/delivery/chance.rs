//! Lots drawn from random bytes that are given.

use crate::Random;

/// A number below `bound`, each as likely as the others but for one in four thousand millions.
pub(super) fn below(bound: usize, random: &mut dyn Random) -> usize {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
    usize::try_from(u64::from_le_bytes(bytes) % bound).unwrap_or(0)
}

/// Puts items into an order of chance.
pub(super) fn shuffle<T>(items: &mut [T], random: &mut dyn Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1, random));
    }
}

/// The same on every run, and not too simple.
#[cfg(test)]
pub(super) struct Counter(pub(super) u64);

#[cfg(test)]
impl Random for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            *byte = (self.0 >> 56) as u8;
        }
    }
}
