//! What a runtime counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only this module's owner changes and anyone may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The present value.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, count: usize) {
        self.0.fetch_sub(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn raise_to(&self, value: usize) {
        self.0.fetch_max(value as u64, Ordering::Relaxed);
    }
}

/// All that a runtime counts, from its start.
#[derive(Debug, Default)]
pub struct Statistics {
    /// Connections accepted, those refused included.
    pub accepted: Counter,
    /// Accepted connections open now.
    pub open: Counter,
    /// Connections whose machine was told that there are too many in all.
    pub crowded_total: Counter,
    /// Connections whose machine was told that there are too many from their address.
    pub crowded_per_address: Counter,
    /// Connections closed without a word, far above a limit or for want of a thread.
    pub closed_unserved: Counter,
    /// Machines alive now, with a stream or without.
    pub machines: Counter,
    /// Machines that panicked.
    pub machines_panicked: Counter,
    /// Bytes read from streams.
    pub bytes_in: Counter,
    /// Bytes written to streams.
    pub bytes_out: Counter,
    /// Calls of a machine.
    pub steps: Counter,
    /// Jobs carried out, on all lanes.
    pub jobs: Counter,
    /// Calls of the writer's hands.
    pub batches: Counter,
    /// The most jobs that one call of the writer's hands was given.
    pub batch_largest: Counter,
    /// Calls of hands that panicked or gave a wrong number of answers.
    pub hands_failed: Counter,
    /// Work done on files.
    pub file_works: Counter,
    /// Exchanges begun.
    pub exchanges: Counter,
}

impl Statistics {
    /// Each counter with its name, in a fixed order.
    #[must_use]
    pub fn table(&self) -> [(&'static str, u64); 16] {
        [
            ("accepted", self.accepted.value()),
            ("open", self.open.value()),
            ("crowded_total", self.crowded_total.value()),
            ("crowded_per_address", self.crowded_per_address.value()),
            ("closed_unserved", self.closed_unserved.value()),
            ("machines", self.machines.value()),
            ("machines_panicked", self.machines_panicked.value()),
            ("bytes_in", self.bytes_in.value()),
            ("bytes_out", self.bytes_out.value()),
            ("steps", self.steps.value()),
            ("jobs", self.jobs.value()),
            ("batches", self.batches.value()),
            ("batch_largest", self.batch_largest.value()),
            ("hands_failed", self.hands_failed.value()),
            ("file_works", self.file_works.value()),
            ("exchanges", self.exchanges.value()),
        ]
    }
}
