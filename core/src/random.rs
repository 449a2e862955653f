//! Random bytes as an argument, so that a simulation replays from its seed.

/// A source of random bytes fit for secrets. Given to a machine when it is built.
pub trait Random {
    /// Fills the whole of `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}
