//! What happened, as a number: equal for equal runs.

use std::fmt::{self, Write as _};

/// Hashes every line of a run (FNV-1a), and prints it if asked.
#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    print: bool,
    line: String,
}

impl Trace {
    /// An empty trace.
    #[must_use]
    pub(super) const fn new(print: bool) -> Self {
        Self { hash: 0xCBF2_9CE4_8422_2325, print, line: String::new() }
    }

    /// A line.
    pub(super) fn note(&mut self, what: fmt::Arguments<'_>) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        // Writing to a String cannot fail.
        let _infallible = line.write_fmt(what);
        if self.print {
            println!("{line}");
        }
        self.add(line.as_bytes());
        self.line = line;
    }

    /// What a client said (`C`) or was told (`S`).
    pub(super) fn bytes(&mut self, who: char, client: usize, bytes: &[u8]) {
        if self.print && !bytes.is_empty() {
            let shown = bytes.get(..bytes.len().min(160)).unwrap_or_default();
            println!("  {who}{client}: {}", shown.escape_ascii());
        }
        self.add(bytes);
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    /// The hash of all so far.
    #[must_use]
    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }
}
