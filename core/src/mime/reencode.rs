//! Makes a binary message one of lines (RFC 2045 §2.7 to §2.9), while it passes by.
//!
//! `BODY=BINARYMIME` (RFC 3030 §3) brings messages whose parts may hold any bytes: NUL, bare CR and
//! bare LF, lines of any length. No IMAP string can hold a NUL (RFC 3501 §9, CHAR8), nor can DATA
//! send such a message on. RFC 3030 §3 lets it be converted, as long as nothing is lost and no
//! encoding stands within another:
//!
//! - each part without parts that says `Content-Transfer-Encoding: binary` gets base64, and says so;
//! - a part that holds others and says `binary` says `8bit`, since it may have no encoding of its
//!   own (RFC 2045 §6.4), and its parts are treated likewise;
//! - all other bytes stay as they are. A NUL among them, or a line end other than CRLF, has no place
//!   in a message of lines: it is refused. So is what cannot be looked into: too many parts, too
//!   deep, or with headers too large. Nothing is guessed, and nothing is lost.
//!
//! Held back are the header of a part until it ends, and what may be a boundary.

use std::fmt;
use std::ops::Range;

use memchr::{memchr, memchr3};

use super::header::{Field, fields};
use super::media::place_of_word;
use super::parser::{DEPTH_MAX, HEADER_BYTES_MAX, HEADERS_BYTES_MAX, Parser};
use super::structure::{Content, PartId, Structure};
use super::transfer::Base64Encoder;

/// Takes a binary message in pieces and gives out the same message without binary parts. How it is
/// cut makes no difference, neither to what is given out nor to what is refused.
///
/// ```
/// use pillarbox_core::mime::Reencoder;
/// let mut reencoder = Reencoder::new(1_000);
/// let mut out = Vec::new();
/// reencoder.push(b"Content-Transfer-Encoding: bin", &mut out)?;
/// reencoder.push(b"ary\r\n\r\n\0\n\xFF", &mut out)?;
/// reencoder.finish(&mut out)?;
/// assert_eq!(out, b"Content-Transfer-Encoding: base64\r\n\r\nAAr/\r\n");
/// # Ok::<(), pillarbox_core::mime::BinaryFault>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reencoder {
    parser: Parser,
    parts_max: usize,
    /// What has come and is not given out yet.
    held: Vec<u8>,
    /// How many bytes of the message came before it.
    at: u64,
    /// How many parts have their header given out.
    headed: usize,
    zone: Zone,
    text: Text,
}

/// What is given out next.
#[derive(Debug, Clone)]
enum Zone {
    /// As it came.
    Text,
    /// In base64: the body of this part.
    Binary(PartId, Base64Encoder),
}

/// What is given out as it came, looked at for what may not be in it.
#[derive(Debug, Clone, Default)]
struct Text {
    /// The last byte was a CR.
    after_cr: bool,
}

/// Why a binary message cannot be made one of lines. Places are bytes from its beginning, as it
/// came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryFault {
    /// A NUL here, outside of binary parts.
    Nul(u64),
    /// A CR without an LF here, outside of binary parts.
    BareCr(u64),
    /// An LF without a CR here, outside of binary parts.
    BareLf(u64),
    /// The header that begins here has several Content-Transfer-Encoding fields, and one of them
    /// says `binary`: some would read the part by the first of them, others by the last.
    SeveralEncodings(u64),
    /// The header that begins here is larger than [`HEADER_BYTES_MAX`], or it and those before it
    /// are larger than [`HEADERS_BYTES_MAX`].
    HeaderTooLarge(u64),
    /// Parts are nested deeper than [`DEPTH_MAX`].
    TooDeep,
    /// More parts than this.
    TooManyParts(usize),
}

impl fmt::Display for BinaryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nul(at) => {
                write!(f, "a NUL at byte {at} of the message, and not in a part that is binary")
            }
            Self::BareCr(at) => write!(
                f,
                "a CR without an LF at byte {at} of the message, and not in a part that is binary"
            ),
            Self::BareLf(at) => write!(
                f,
                "an LF without a CR at byte {at} of the message, and not in a part that is binary"
            ),
            Self::SeveralEncodings(at) => write!(
                f,
                "more than one Content-Transfer-Encoding field in the header at byte {at} of the \
                 message"
            ),
            Self::HeaderTooLarge(at) => write!(
                f,
                "the header at byte {at} of the message is too large for a binary message: \
                 {HEADER_BYTES_MAX} bytes at most, and {HEADERS_BYTES_MAX} in all"
            ),
            Self::TooDeep => {
                write!(f, "MIME parts are nested too deep: {DEPTH_MAX} levels at most")
            }
            Self::TooManyParts(max) => write!(f, "too many MIME parts: {max} at most"),
        }
    }
}

impl std::error::Error for BinaryFault {}

impl Reencoder {
    /// At the beginning of a message that may have so many parts, itself and those that hold others
    /// counted too.
    #[must_use]
    pub fn new(parts_max: usize) -> Self {
        Self {
            parser: Parser::exact(parts_max),
            parts_max,
            held: Vec::new(),
            at: 0,
            headed: 0,
            zone: Zone::Text,
            text: Text::default(),
        }
    }

    /// Takes the next bytes and appends what can be given out by now.
    ///
    /// # Errors
    /// Where the message is refused. What was appended is then worth nothing, and nothing more is
    /// pushed.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BinaryFault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = self.parser.step(rest);
            let (taken, after) = rest.split_at_checked(used).unwrap_or((rest, &[]));
            self.held.extend_from_slice(taken);
            rest = after;
            self.settle(out)?;
        }
        Ok(())
    }

    /// The message has ended: appends the rest.
    ///
    /// # Errors
    /// Where the message is refused.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), BinaryFault> {
        self.parser.end();
        self.settle(out)?;
        if self.text.after_cr { Err(BinaryFault::BareCr(self.at - 1)) } else { Ok(()) }
    }

    /// Gives out all of which it is known what it is.
    fn settle(&mut self, out: &mut Vec<u8>) -> Result<(), BinaryFault> {
        self.end_binary(out)?;
        while let Some(id) = self.parser.headed(self.headed) {
            self.headed += 1;
            let header = self.parser.structure().part(id).header.clone();
            self.give(header.start, out)?;
            self.give_header(id, out)?;
            self.end_binary(out)?;
        }
        self.give(self.parser.settled(), out)?;
        // All of what is held is a header now, or too little to matter.
        if self.held.len() > HEADER_BYTES_MAX {
            return Err(BinaryFault::HeaderTooLarge(self.at));
        }
        Ok(())
    }

    /// Ends the encoded body, where its part has ended.
    fn end_binary(&mut self, out: &mut Vec<u8>) -> Result<(), BinaryFault> {
        let Zone::Binary(id, _) = &self.zone else { return Ok(()) };
        if self.parser.is_open(*id) {
            return Ok(());
        }
        let end = self.parser.structure().part(*id).body.end;
        self.give(end, out)?;
        if let Zone::Binary(_, encoder) = std::mem::replace(&mut self.zone, Zone::Text)
            && encoder.finish(out)
            && self.held.is_empty()
        {
            // The message has ended: no boundary follows whose line end would end the last line.
            out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    /// Gives out what is held before this place.
    fn give(&mut self, end: u64, out: &mut Vec<u8>) -> Result<(), BinaryFault> {
        let count = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let bytes = self.held.get(..count).unwrap_or(&self.held);
        match &mut self.zone {
            Zone::Text => {
                self.text.check(bytes, self.at)?;
                out.extend_from_slice(bytes);
            }
            Zone::Binary(_, encoder) => encoder.push(bytes, out),
        }
        let count = bytes.len();
        self.done_with(count);
        Ok(())
    }

    /// Gives out the header that is held, with its encoding changed.
    fn give_header(&mut self, id: PartId, out: &mut Vec<u8>) -> Result<(), BinaryFault> {
        let structure = self.parser.structure();
        let part = structure.part(id);
        let header = structure.header(part);
        let length = header.len();
        if length as u64 != part.header.end - part.header.start {
            return Err(BinaryFault::HeaderTooLarge(self.at));
        }
        if self.headed > self.parts_max {
            return Err(BinaryFault::TooManyParts(self.parts_max));
        }
        if self.parser.is_too_deep() {
            return Err(BinaryFault::TooDeep);
        }
        self.text.check(header, self.at)?;
        let is_leaf = is_leaf(structure, id);
        match encodings(header) {
            (_, None) => out.extend_from_slice(header),
            (1, Some(binary)) => {
                out.extend_from_slice(header.get(..binary.start).unwrap_or_default());
                out.extend_from_slice(if is_leaf { b"base64" } else { b"8bit" });
                out.extend_from_slice(header.get(binary.end..).unwrap_or_default());
                if is_leaf {
                    self.zone = Zone::Binary(id, Base64Encoder::default());
                }
            }
            (_, Some(_)) => return Err(BinaryFault::SeveralEncodings(self.at)),
        }
        self.done_with(length);
        Ok(())
    }

    /// The next bytes of what is held are given out.
    fn done_with(&mut self, count: usize) {
        self.at += count as u64;
        self.held.drain(..count.min(self.held.len()));
    }
}

impl Text {
    /// Looks at the next bytes, which begin at this place.
    fn check(&mut self, bytes: &[u8], at: u64) -> Result<(), BinaryFault> {
        let Some(first) = bytes.first() else { return Ok(()) };
        let mut next = 0;
        if std::mem::take(&mut self.after_cr) {
            if *first != b'\n' {
                return Err(BinaryFault::BareCr(at - 1));
            }
            next = 1;
        }
        while let Some(rest) = bytes.get(next..)
            && let Some(found) = memchr3(0, b'\r', b'\n', rest)
        {
            let place = at + (next + found) as u64;
            match rest.get(found..) {
                Some([0, ..]) => return Err(BinaryFault::Nul(place)),
                Some([b'\n', ..]) => return Err(BinaryFault::BareLf(place)),
                Some([b'\r', b'\n', ..]) => next += found + 2,
                Some([_, _, ..]) => return Err(BinaryFault::BareCr(place)),
                Some([_] | []) | None => {
                    self.after_cr = true;
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Whether a part is not one that holds others, as multipart and message do (RFC 2045 §6.4).
fn is_leaf(structure: &Structure, id: PartId) -> bool {
    let part = structure.part(id);
    let is_message = || structure.media_type(part).is_some_and(|media| media.is_kind(b"message"));
    part.content == Content::Leaf && !is_message()
}

/// How many Content-Transfer-Encoding fields a header has, and where one says `binary`.
fn encodings(header: &[u8]) -> (usize, Option<Range<usize>>) {
    let (mut count, mut binary) = (0, None);
    for field in fields(header).filter(|field| field.is(b"Content-Transfer-Encoding")) {
        count += 1;
        let place = place_of_word(field.value, b"binary").map(|word| {
            let value = field.offset + value_begin(&field);
            value + word.start..value + word.end
        });
        binary = binary.or(place);
    }
    (count, binary)
}

/// Where in a field its value begins: behind the colon, which is the first one there is.
fn value_begin(field: &Field<'_>) -> usize {
    memchr(b':', field.whole).map_or(0, |colon| colon + 1)
}

#[cfg(test)]
mod tests;
