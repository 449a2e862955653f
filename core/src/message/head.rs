//! The header of a message, gathered while the message comes in.

use std::fmt;

use memchr::{memchr, memchr2_iter};

use crate::mime::address::{Addresses, Entry};
use crate::mime::header::{self, Field, Fields};

/// Gathers the header of a message that comes in pieces. How it is cut makes no difference.
///
/// ```
/// use pillarbox_core::message::Gatherer;
/// let mut gatherer = Gatherer::new(1_000);
/// assert_eq!(gatherer.push(b"Subject: x\r\n\r"), Ok(None));
/// assert_eq!(gatherer.push(b"\nHello"), Ok(Some(1)));
/// assert_eq!(gatherer.into_head().as_bytes(), b"Subject: x\r\n\r\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gatherer {
    bytes: Vec<u8>,
    bytes_max: usize,
    line: Line,
}

/// Where in a line the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Start,
    /// Behind a CR that began the line.
    Cr,
    Within,
}

/// A header: its fields, and the empty line behind them if the message has one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head(Vec<u8>);

/// How much the header of a message may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes, the empty line included. Default: 256 KiB.
    pub bytes_max: usize,
    /// Fields. Default: 1,000.
    pub fields_max: usize,
    /// Addresses in all address fields together. Default: 5,000.
    pub addresses_max: usize,
    /// `Received` fields: more say that the message runs in a circle. Default: 100
    /// (RFC 5321 §6.3).
    pub received_max: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { bytes_max: 256 << 10, fields_max: 1_000, addresses_max: 5_000, received_max: 100 }
    }
}

/// What a header has too much of, with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// More bytes than [`HeadLimits::bytes_max`].
    Bytes(usize),
    /// More fields than [`HeadLimits::fields_max`].
    Fields(usize),
    /// More addresses than [`HeadLimits::addresses_max`].
    Addresses(usize),
    /// More `Received` fields than [`HeadLimits::received_max`].
    Received(usize),
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(max) => write!(f, "the header is larger than {max} bytes"),
            Self::Fields(max) => write!(f, "the header has more than {max} fields"),
            Self::Addresses(max) => write!(f, "the header names more than {max} addresses"),
            Self::Received(max) => {
                write!(f, "more than {max} Received fields: the message runs in a circle")
            }
        }
    }
}

impl std::error::Error for Excess {}

impl Gatherer {
    /// At the beginning of a message whose header may have so many bytes.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max, line: Line::Start }
    }

    /// Takes the next bytes of the message. Once the header is whole, tells how many of them were
    /// its own: the rest is the body's, and nothing more is pushed.
    ///
    /// # Errors
    /// [`Excess::Bytes`]. What was gathered is gone, and nothing more is pushed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<usize>, Excess> {
        let end = self.end(bytes);
        let own = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes);
        if own.len() > self.bytes_max - self.bytes.len() {
            self.bytes = Vec::new();
            return Err(Excess::Bytes(self.bytes_max));
        }
        self.bytes.extend_from_slice(own);
        Ok(end)
    }

    /// How many bytes are gathered.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether none are.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The header; all that came, where the message ended within it.
    #[must_use]
    pub fn into_head(self) -> Head {
        Head(self.bytes)
    }

    /// Where the header ends in the next bytes: behind the first empty line.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..)?;
            match (self.line, rest.first()?) {
                (Line::Start | Line::Cr, b'\n') => return Some(at + 1),
                (Line::Start, b'\r') => {
                    self.line = Line::Cr;
                    at += 1;
                }
                (Line::Start | Line::Cr | Line::Within, _) => {
                    self.line = Line::Within;
                    at += memchr(b'\n', rest)? + 1;
                    self.line = Line::Start;
                }
            }
        }
    }
}

impl From<Vec<u8>> for Head {
    /// One that is at hand.
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Head {
    /// As it came.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As it came.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Its fields.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        header::fields(&self.0)
    }

    /// Counts what it holds. Its bytes are the [`Gatherer`]'s to count.
    ///
    /// # Errors
    /// What there is too much of.
    pub fn check(&self, limits: &HeadLimits) -> Result<(), Excess> {
        let (mut fields, mut received, mut most) = (0, 0, 0);
        for field in self.fields() {
            fields += 1;
            if fields > limits.fields_max {
                return Err(Excess::Fields(limits.fields_max));
            }
            if field.is(b"Received") {
                received += 1;
                if received > limits.received_max {
                    return Err(Excess::Received(limits.received_max));
                }
            } else if holds_addresses(&field) {
                // Each entry but the last ends at one of these.
                most += memchr2_iter(b',', b';', field.value).count() + 1;
            }
        }
        // Nearly always few enough, and then no address needs to be read.
        if most > limits.addresses_max && self.has_more_addresses(limits.addresses_max) {
            return Err(Excess::Addresses(limits.addresses_max));
        }
        Ok(())
    }

    fn has_more_addresses(&self, max: usize) -> bool {
        let mut count = 0;
        for field in self.fields().filter(holds_addresses) {
            let mut list = Addresses::new(field.value);
            while let Some(entry) = list.next() {
                count += usize::from(matches!(entry, Entry::Mailbox { .. }));
                if count > max {
                    return true;
                }
            }
        }
        false
    }

    /// Its bytes without some of the fields: those for which `out` says so, with their folded
    /// lines. Where there are none of them nothing is copied.
    #[must_use]
    pub fn without(self, out: impl Fn(&Field<'_>) -> bool) -> Vec<u8> {
        let mut kept = Vec::new();
        let mut from = 0;
        for field in self.fields().filter(|field| out(field)) {
            kept.extend_from_slice(self.0.get(from..field.offset).unwrap_or_default());
            from = field.offset + field.whole.len();
        }
        if from == 0 {
            return self.0;
        }
        kept.extend_from_slice(self.0.get(from..).unwrap_or_default());
        kept
    }
}

fn holds_addresses(field: &Field<'_>) -> bool {
    ADDRESS_FIELDS.iter().any(|name| field.is(name))
}

/// RFC 5322 §3.6.2, §3.6.3, §3.6.6.
const ADDRESS_FIELDS: [&[u8]; 11] = [
    b"From",
    b"Sender",
    b"Reply-To",
    b"To",
    b"Cc",
    b"Bcc",
    b"Resent-From",
    b"Resent-Sender",
    b"Resent-To",
    b"Resent-Cc",
    b"Resent-Bcc",
];

#[cfg(test)]
mod tests;
