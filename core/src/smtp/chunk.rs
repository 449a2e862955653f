//! A message that comes in chunks of a known size (BDAT, RFC 3030).
//!
//! Nothing in a chunk can be taken for its end, so there are no dots to take away and nothing to
//! smuggle past us. What is stored may still be sent on by DATA one day: so a message in lines has
//! its bare LFs made CRLF and is refused for a bare CR, as with DATA ([`body`](super::body)). A
//! binary message (`BODY=BINARYMIME`) is kept as it is.

use memchr::memchr2;

use super::line_meter::LineMeter;

/// A message while its chunks are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    kind: Kind,
    /// Bytes of the message given out so far.
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Binary,
    Lines {
        meter: LineMeter,
        /// A CR came last and what follows it may be in the next chunk; it was not given out.
        after_cr: bool,
        refuse_bare_lf: bool,
    },
}

/// One answer of [`Chunks::next`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'b> {
    /// So many bytes are done with, and this is what they mean; empty where that will show later.
    Text(usize, &'b [u8]),
    /// A line end that is none.
    Bare(Bare),
}

/// What a message in lines may not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bare {
    /// A CR without an LF.
    Cr,
    /// An LF without a CR.
    Lf,
}

impl Chunks {
    /// No message at all.
    pub(super) const NONE: Self = Self { kind: Kind::Binary, size: 0 };

    /// A message of which nothing has come.
    pub(super) const fn new(binary: bool, line_max: usize, refuse_bare_lf: bool) -> Self {
        let kind = if binary {
            Kind::Binary
        } else {
            Kind::Lines { meter: LineMeter::new(line_max), after_cr: false, refuse_bare_lf }
        };
        Self { kind, size: 0 }
    }

    /// Bytes of the message so far, as it will be stored.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Whether a line was longer than allowed.
    pub(super) const fn line_too_long(&self) -> bool {
        match &self.kind {
            Kind::Binary => false,
            Kind::Lines { meter, .. } => meter.too_long(),
        }
    }

    /// Whether the message ends in half a line end, which it may not.
    pub(super) const fn ends_in_cr(&self) -> bool {
        matches!(self.kind, Kind::Lines { after_cr: true, .. })
    }

    /// Judges bytes of a chunk, which must not be empty.
    pub(super) fn next<'b>(&mut self, bytes: &'b [u8]) -> Part<'b> {
        let Kind::Lines { meter, after_cr, refuse_bare_lf } = &mut self.kind else {
            self.size = self.size.saturating_add(bytes.len() as u64);
            return Part::Text(bytes.len(), bytes);
        };
        let (used, text) = match (bytes, *after_cr) {
            ([LF, ..], true) => {
                *after_cr = false;
                (1, &b"\r\n"[..])
            }
            (_, true) => return Part::Bare(Bare::Cr),
            ([LF, ..], false) if *refuse_bare_lf => return Part::Bare(Bare::Lf),
            ([LF, ..], false) => (1, &b"\r\n"[..]),
            ([CR], false) => {
                *after_cr = true;
                (1, &b""[..])
            }
            ([CR, next, ..], false) if *next != LF => return Part::Bare(Bare::Cr),
            _ => {
                let clean = bytes.get(..clean(bytes)).unwrap_or(bytes);
                (clean.len(), clean)
            }
        };
        meter.measure(text);
        self.size = self.size.saturating_add(text.len() as u64);
        Part::Text(used, text)
    }
}

/// How many bytes from the start hold no line end but CRLF, without a CR that comes last. The
/// first byte is no bare CR and no LF.
fn clean(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..) {
        let Some(found) = memchr2(CR, LF, rest) else { return bytes.len() };
        match rest.get(found..) {
            Some([CR, LF, ..]) => at += found + 2,
            _ => return at + found,
        }
    }
    at
}

const CR: u8 = b'\r';
const LF: u8 = b'\n';

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All that comes of a message in these chunks, or the fault.
    fn read(chunks: &mut Chunks, pieces: &[&[u8]]) -> Result<Vec<u8>, Bare> {
        let mut text = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                match chunks.next(rest) {
                    Part::Text(used, given) => {
                        assert!(used > 0);
                        text.extend_from_slice(given);
                        rest = &rest[used..];
                    }
                    Part::Bare(bare) => return Err(bare),
                }
            }
        }
        if chunks.ends_in_cr() { Err(Bare::Cr) } else { Ok(text) }
    }

    fn reference(bytes: &[u8]) -> Result<Vec<u8>, Bare> {
        let mut text = Vec::new();
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                CR if bytes.get(at + 1) != Some(&LF) => return Err(Bare::Cr),
                CR => {}
                LF => text.extend_from_slice(b"\r\n"),
                other => text.push(other),
            }
        }
        Ok(text)
    }

    #[test]
    fn every_short_string_in_any_two_chunks() {
        for length in 0..8 {
            for number in 0..4_u32.pow(length) {
                let bytes: Vec<u8> =
                    (0..length).map(|at| b"\r\n.x"[(number >> (2 * at) & 3) as usize]).collect();
                for cut in 0..=bytes.len() {
                    let (one, other) = bytes.split_at(cut);
                    let mut chunks = Chunks::new(false, 1000, false);
                    let text = read(&mut chunks, &[one, other]);
                    assert_eq!(text, reference(&bytes), "{} at {cut}", bytes.escape_ascii());
                    if let Ok(text) = text {
                        assert_eq!(chunks.size(), text.len() as u64);
                    }
                    let mut binary = Chunks::new(true, 1, true);
                    assert_eq!(read(&mut binary, &[one, other]), Ok(bytes.clone()));
                }
            }
        }
    }

    #[test]
    fn bare_lf_is_refused_where_asked() {
        let mut chunks = Chunks::new(false, 1000, true);
        assert_eq!(read(&mut chunks, &[b"a\r", b"\nb\n"]), Err(Bare::Lf));
    }

    #[test]
    fn long_lines_are_noted() {
        for (line, too_long) in [(8, false), (9, true)] {
            let text = [b"x".repeat(line), b"\r\n".to_vec()].concat();
            let mut chunks = Chunks::new(false, 10, false);
            read(&mut chunks, &[&text, &text[..3]]).unwrap();
            assert_eq!(chunks.line_too_long(), too_long);
        }
    }

    proptest! {
        #[test]
        fn lines_in_any_chunks(
            lines in prop::collection::vec("[a-z.]{0,40}(\r\n|\n)", 0..20),
            tail in "[a-z]{0,5}",
            mut cuts in prop::collection::vec(0..900_usize, 0..9),
        ) {
            let bytes = [lines.concat(), tail].concat().into_bytes();
            cuts.retain(|&cut| cut <= bytes.len());
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let text = read(&mut Chunks::new(false, 1000, false), &pieces);
            prop_assert_eq!(text, reference(&bytes));
        }
    }
}
