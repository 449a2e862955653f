//! Which strings may be in a message: its trigrams, as marks in a row of bits.
//!
//! A trigram is three bytes in a row of a text as strings are looked for in it: decoded and without
//! regard to case. Each has one mark, which others share, so that a message whose marks lack one of
//! a string's does not have the string; one that has them all may have it, and is looked at. The
//! texts are those of [`Matching`](super::Matching), read by the same functions: what that would
//! find is never missed.

use super::needle::fold;
use super::{AT_ONCE, field_texts};
use crate::mime::{HEADER_BYTES_MAX, HEADERS_BYTES_MAX, Structure, TextReader};

/// How many bits say which of [`MARKS`] marks there are.
pub const MARK_BITS: u32 = 17;
/// How many marks there are.
pub const MARKS: usize = 1 << MARK_BITS;
/// The mark of a message has fewer bits, as few as leave three of four unset: `BITS` to choose from.
pub const BITS: [u32; 4] = [11, 13, 15, MARK_BITS];

/// The marks of a message, or of lines in front of one, as they are gathered.
#[derive(Debug)]
pub struct Trigrams {
    words: Vec<u64>,
    count: usize,
    /// The last two bytes of the text so far, and in which buffer the next come behind them.
    folded: Vec<u8>,
    text: String,
    /// Nothing can be said of what is not there.
    unknown: bool,
}

impl Default for Trigrams {
    fn default() -> Self {
        Self {
            words: vec![0; MARKS / 64],
            count: 0,
            folded: Vec::new(),
            text: String::new(),
            unknown: false,
        }
    }
}

impl Trigrams {
    /// Whether all that could be added changes nothing any more: there is too much.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.unknown || self.count > MARKS / 4
    }

    /// Adds a message that is at hand, or lines that stand in front of one.
    pub fn message(&mut self, message: &[u8]) {
        let structure = Structure::of(message);
        self.headers(&structure, message.first().copied());
        for part in structure.parts() {
            let Some(mut reader) = TextReader::of(&structure, part) else { continue };
            let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
            let body = message.get(index(part.body.start)..index(part.body.end));
            self.piece(&mut reader, body.unwrap_or_default());
            self.part_end(&mut reader);
        }
    }

    /// Adds the headers of all parts of a message that begins with this byte.
    pub fn headers(&mut self, structure: &Structure, first: Option<u8>) {
        // Lines in front of a message make a difference where its own first line goes on with
        // theirs, and where headers come near the limits of the parser: it may then see more of
        // them without those lines, or less.
        let kept: usize = structure.parts().map(|part| structure.header(part).len()).sum();
        let all: u64 = structure.parts().map(|part| part.header.end - part.header.start).sum();
        let near = kept > HEADERS_BYTES_MAX / 2
            || structure.header(structure.root()).len() > HEADER_BYTES_MAX / 2;
        self.unknown |= near || kept as u64 != all || matches!(first, Some(b' ' | b'\t'));
        let mut text = std::mem::take(&mut self.text);
        field_texts(structure, &mut text, |text| {
            self.add(text);
            self.folded.clear();
        });
        self.text = text;
    }

    /// Adds the next piece of the text of a part.
    pub fn piece(&mut self, reader: &mut TextReader, bytes: &[u8]) {
        let mut text = std::mem::take(&mut self.text);
        for bytes in bytes.chunks(AT_ONCE) {
            if self.is_full() {
                break;
            }
            text.clear();
            reader.push(bytes, &mut text);
            self.add(&text);
        }
        self.text = text;
    }

    /// The text of a part has ended.
    pub fn part_end(&mut self, reader: &mut TextReader) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        reader.finish(&mut text);
        self.add(&text);
        self.text = text;
        self.folded.clear();
    }

    fn add(&mut self, text: &str) {
        let before = self.folded.len().saturating_sub(2);
        self.folded.drain(..before);
        fold(text, &mut self.folded);
        for three in self.folded.windows(3) {
            let mark = mark(three);
            let bit = 1 << (mark % 64);
            if let Some(word) =
                usize::try_from(mark / 64).ok().and_then(|at| self.words.get_mut(at))
            {
                self.count += usize::from(*word & bit == 0);
                *word |= bit;
            }
        }
    }

    /// What has been gathered: the logarithm of how many bits there are (one of [`BITS`]), and the
    /// bits, the lowest of each byte first. `None` where it cannot be said what is not there. What
    /// is gathered next begins anew.
    #[must_use]
    pub fn take(&mut self) -> Option<(u32, Vec<u8>)> {
        let full = self.is_full();
        let count = std::mem::take(&mut self.count);
        self.unknown = false;
        self.folded.clear();
        let bits = BITS.into_iter().find(|bits| count <= (1 << bits) / 4).filter(|_| !full);
        let found = bits.map(|bits| {
            let mut out = vec![0_u8; (1 << bits) / 8];
            for (index, word) in self.words.iter().enumerate() {
                let mut left = *word;
                while left != 0 {
                    let mark = (index * 64) as u64 + u64::from(left.trailing_zeros());
                    left &= left - 1;
                    let place = mark >> (MARK_BITS - bits);
                    if let Some(byte) =
                        usize::try_from(place / 8).ok().and_then(|at| out.get_mut(at))
                    {
                        *byte |= 1 << (place % 8);
                    }
                }
            }
            (bits, out)
        });
        self.words.fill(0);
        found
    }
}

/// The mark of three bytes. The high bits of a product depend on all bits of its factors, so that
/// fewer marks are these without their low bits.
fn mark(three: &[u8]) -> u32 {
    let number = three.iter().fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    number.wrapping_mul(0x9E37_79B1) >> (u32::BITS - MARK_BITS)
}

/// The marks that a message must have to have this string, which is folded; none where the string
/// is too short for any.
pub(super) fn marks(folded: &[u8]) -> Vec<u32> {
    let mut marks: Vec<u32> = folded.windows(3).map(mark).collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// Which messages a search may find, by the marks that they must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Any.
    Any,
    /// Those that have all of these marks (in their body or in the lines in front of it, not partly
    /// here and partly there); sorted.
    Has(Vec<u32>),
    /// Those that all of these let pass.
    All(Vec<Self>),
    /// Those that one of these lets pass.
    One(Vec<Self>),
}

impl Filter {
    pub(super) fn has(marks: Vec<u32>) -> Self {
        if marks.is_empty() { Self::Any } else { Self::Has(marks) }
    }

    pub(super) fn all(filters: impl Iterator<Item = Self>) -> Self {
        let mut filters: Vec<Self> = filters.filter(|filter| *filter != Self::Any).collect();
        match filters.len() {
            0 => Self::Any,
            1 => filters.remove(0),
            _ => Self::All(filters),
        }
    }

    pub(super) fn one(filters: [Self; 2]) -> Self {
        if filters.contains(&Self::Any) { Self::Any } else { Self::One(filters.into()) }
    }
}

#[cfg(test)]
mod tests;
