//! The one source of chance: SplitMix64. A seed is the whole run.

use std::cell::Cell;

use pillarbox_core::Random;

/// A generator that gives the same numbers for the same seed for ever.
#[derive(Debug, Clone)]
pub(crate) struct Prng(u64);

impl Prng {
    /// The generator of a seed.
    #[must_use]
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number less than `bound`; 0 where that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % bound).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// True once in `count` times; never where that is 0.
    pub(crate) fn once_in(&mut self, count: usize) -> bool {
        count > 0 && self.below(count) == 0
    }
}

thread_local! {
    /// What the server draws from. It takes a plain function, so the state lies beside it.
    static SERVER: Cell<u64> = const { Cell::new(0) };
}

/// Begins the server's random numbers in this thread.
pub(super) fn seed_server(seed: u64) {
    SERVER.set(seed);
}

/// A source for one session of the server.
#[must_use]
pub(super) fn server_random() -> Box<dyn Random> {
    let mut prng = Prng::new(SERVER.get());
    let own = prng.bits();
    SERVER.set(prng.bits());
    Box::new(Prng::new(own))
}

impl Random for Prng {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let bits = self.bits().to_le_bytes();
            for (byte, bit) in chunk.iter_mut().zip(bits) {
                *byte = bit;
            }
        }
    }
}
