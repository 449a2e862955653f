//! Fuzz targets: functions of any bytes that panic where an invariant does not hold.
//!
//! Each holds more than that nothing panics: any split of the input gives the same result, buffers
//! and work are bounded, what is misused says so and changes nothing. They are run three ways: on
//! the corpus in `conformance/corpus`, on mutations of it and on random bytes from a fixed seed by
//! `./test`; by bolero for 30 seconds each in `./test --long`; and by cargo-fuzz from `fuzz/`.
//!
//! Random bytes seldom make a command, so bytes are read as a [`Tape`]: most of them stand for a
//! word that the protocol knows. Input that begins with `=` is taken as it is behind that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a target panics where an invariant does not hold"
)]

pub mod archive;
pub mod calls;
pub mod client;
pub mod deflate;
pub mod digest;
pub mod dkim;
pub mod dns;
pub mod hello;
pub mod http;
pub mod imap;
pub mod notice;
pub mod order;
pub mod policies;
pub mod reencode;
pub mod sasl;
pub mod senders;
pub mod smtp;
pub mod tls;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by the name of their corpus.
pub const TARGETS: [(&str, Target); 18] = [
    ("smtp", smtp::target),
    ("imap", imap::target),
    ("sasl", sasl::target),
    ("tls", tls::target),
    ("hello", hello::target),
    ("calls", calls::target),
    ("client", client::target),
    ("reencode", reencode::target),
    ("digest", digest::target),
    ("http", http::target),
    ("order", order::target),
    ("archive", archive::target),
    ("deflate", deflate::target),
    ("dkim", dkim::target),
    ("dns", dns::target),
    ("notice", notice::target),
    ("policies", policies::target),
    ("senders", senders::target),
];

/// Bytes of a fuzzer, read from the front. Once there are none left, all that is read is zero.
#[derive(Debug, Clone)]
pub struct Tape<'a> {
    left: &'a [u8],
}

impl<'a> Tape<'a> {
    /// A tape at its beginning.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.left.split_first() else { return 0 };
        self.left = rest;
        *first
    }

    /// A number below `bound`, which is at most 256.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    /// The next bytes, at most so many.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.left.split_at_checked(count).unwrap_or((self.left, &[]));
        self.left = rest;
        head
    }

    /// Whether there are none left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// One piece of what a client may say: a word, bytes as they are, or a long run of one byte.
    pub fn piece(&mut self, words: &[&str]) -> Vec<u8> {
        match self.byte() {
            byte @ 0..=239 => {
                let word = words.get(usize::from(byte) % words.len().max(1));
                word.copied().unwrap_or_default().as_bytes().to_vec()
            }
            byte @ 240..=249 => self.bytes(usize::from(byte - 239)).to_vec(),
            250..=254 => self.bytes(40).to_vec(),
            255 => vec![self.byte(); usize::from(self.byte()) * 8],
        }
    }

    /// All that a client says, at most [`SAID_MAX`] bytes of it.
    pub fn said(&mut self, words: &[&str]) -> Vec<u8> {
        if let Some(plain) = self.left.strip_prefix(b"=") {
            self.left = &[];
            return plain.iter().take(SAID_MAX).copied().collect();
        }
        let mut said = Vec::new();
        while !self.is_empty() && said.len() < SAID_MAX {
            said.extend(self.piece(words));
        }
        said
    }
}

/// What one input makes a client say at most, in bytes.
pub const SAID_MAX: usize = 32_768;

/// The ways in which the same bytes are cut: whole, each byte alone, and uneven pieces.
#[must_use]
pub fn cuts(said: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut uneven = Vec::new();
    let mut left = said;
    let mut step = said.len();
    while !left.is_empty() {
        // Some multiplicative generator: the same pieces for the same bytes.
        step = step.wrapping_mul(0x9e37_79b1).rotate_left(7).wrapping_add(left.len());
        let (head, rest) = left.split_at_checked(1 + step % 23).unwrap_or((left, &[]));
        uneven.push(head);
        left = rest;
    }
    vec![vec![said], said.chunks(1).collect(), uneven]
}
