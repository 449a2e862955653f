//! What is worth knowing of a message without reading it: its parts with their places, the header
//! fields that clients ask for, and its first words. One row of bytes, made once.
//!
//! ```text
//! version   one byte
//! preview   its length, and that many bytes of UTF-8
//! parts     how many; of each: how far its header begins behind the one before, the lengths of
//!           header and body, line ends of the body, what it holds (two bits) and whose number is
//!           next (as a difference), how many bytes of its header are kept
//! headers   the kept bytes of all parts
//! ```
//! Numbers have seven bits in each byte, the lowest first. A digest of the version alone says that
//! the message is not one to be told in short: it is to be read.

use super::header::fields;
use super::parser::DEPTH_MAX;
use super::preview;
use super::structure::{Content, Part, PartId, Structure};

/// The longest digest, in bytes. What would be longer has none.
pub const DIGEST_BYTES_MAX: usize = 8 << 10;

/// How many numbers tell of a part; the last one is the length of the fields that are kept of it.
const NUMBERS: usize = 7;
/// Another form of the digest, other fields in it or other previews have another number.
const VERSION: u8 = 1;
/// Headers of more bytes than this are not kept, so that none is cut short by the limits of the
/// parser, be there lines in front of it or not.
const HEADERS_READ_MAX: usize = 32 << 10;

/// A message in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    structure: Structure,
    preview: String,
}

impl Digest {
    /// The digest of a message that is at hand, in bytes for [`read`](Self::read). The lines that
    /// are put in front of a message later do not belong to it.
    #[must_use]
    pub fn of(message: &[u8]) -> Vec<u8> {
        let structure = Structure::of(message);
        let preview = preview::of_bytes(&structure, message);
        Self::write(&structure, &preview)
    }

    /// The same of a message that has been run through.
    #[must_use]
    pub fn write(structure: &Structure, preview: &str) -> Vec<u8> {
        let mut out = vec![VERSION];
        let cut = |part: &Part| part.kept.len() as u64 != part.header.end - part.header.start;
        if structure.headers.len() > HEADERS_READ_MAX || structure.parts().any(cut) {
            return out;
        }
        number(preview.len() as u64, &mut out);
        out.extend_from_slice(preview.as_bytes());
        number(structure.parts.len() as u64, &mut out);
        let mut headers = Vec::new();
        let mut before = 0;
        for (index, part) in structure.parts.iter().enumerate() {
            let begin = headers.len();
            keep(structure.header(part), &mut headers);
            let (kind, id) = match part.content {
                Content::Leaf => (0, None),
                Content::Opaque => (1, None),
                Content::Multipart(id) => (2, Some(id)),
                Content::Message(id) => (3, Some(id)),
            };
            // Parts that others lead to come behind them.
            let behind = |id: Option<PartId>| id.map_or(0, |id| (id.index() - index) as u64);
            number(part.header.start - before, &mut out);
            number(part.header.end - part.header.start, &mut out);
            number(part.body.end - part.body.start, &mut out);
            number(part.lines, &mut out);
            number(behind(id) << 2 | kind, &mut out);
            number(behind(part.next), &mut out);
            number((headers.len() - begin) as u64, &mut out);
            before = part.header.start;
            if out.len() + headers.len() > DIGEST_BYTES_MAX {
                return vec![VERSION];
            }
        }
        out.extend_from_slice(&headers);
        out
    }

    /// Reads a digest as the message of this size has it: with lines in front, if it is larger
    /// than what was digested. `None` where the message itself is to be read.
    #[must_use]
    pub fn read(bytes: &[u8], size: u64) -> Option<Self> {
        let mut reader = Reader(bytes.strip_prefix(&[VERSION])?);
        let length = reader.length()?;
        let preview = std::str::from_utf8(reader.take(length)?).ok()?.to_owned();
        let count = reader.length()?;
        if count == 0 || count > reader.0.len() / NUMBERS {
            return None;
        }
        let mut structure = Structure { parts: Vec::with_capacity(count), headers: Vec::new() };
        // How deep each part lies; it is known once another has led to it, which only one may:
        // walks through the parts must end.
        let mut depths = vec![None; count];
        if let Some(root) = depths.first_mut() {
            *root = Some(0);
        }
        let (mut before, mut kept) = (0_u64, 0_usize);
        for index in 0..count {
            let depth = depths.get(index).copied().flatten()?;
            let mut lead = |distance: u64, depth: usize| -> Option<PartId> {
                let id = usize::try_from(distance).ok()?.checked_add(index)?;
                let place = depths.get_mut(id).filter(|place| place.is_none())?;
                *place = Some(depth).filter(|depth| *depth <= DEPTH_MAX);
                u32::try_from(id).ok().map(PartId)
            };
            let header = before.checked_add(reader.number()?)?;
            let end = header.checked_add(reader.number()?)?;
            let body_end = end.checked_add(reader.number()?)?;
            let lines = reader.number()?;
            let content = reader.number()?;
            let content = match content & 3 {
                0 => Content::Leaf,
                1 => Content::Opaque,
                2 => Content::Multipart(lead(content >> 2, depth + 1)?),
                _ => Content::Message(lead(content >> 2, depth + 1)?),
            };
            let next = match reader.number()? {
                0 => None,
                distance => Some(lead(distance, depth)?),
            };
            let kept_end = kept.checked_add(reader.length()?)?;
            structure.parts.push(Part {
                header: header..end,
                body: end..body_end,
                lines,
                content,
                next,
                kept: kept..kept_end,
            });
            (before, kept) = (header, kept_end);
        }
        structure.headers = reader.take(kept)?.to_vec();
        let whole = structure.root().body.end;
        let in_front = size.checked_sub(whole)?;
        if structure.parts().any(|part| part.body.end > whole) {
            return None;
        }
        for (index, part) in structure.parts.iter_mut().enumerate() {
            if index > 0 {
                part.header.start += in_front;
            }
            part.header.end += in_front;
            part.body.start += in_front;
            part.body.end += in_front;
        }
        Some(Self { structure, preview })
    }

    /// What [`header`](Self::header) gives, without reading the rest.
    #[must_use]
    pub fn header_of(bytes: &[u8]) -> Option<&[u8]> {
        let mut reader = Reader(bytes.strip_prefix(&[VERSION])?);
        let preview = reader.length()?;
        reader.take(preview)?;
        let count = reader.length()?;
        for _ in 0..NUMBERS - 1 {
            reader.number()?;
        }
        let kept = reader.length()?;
        for _ in 0..count.checked_sub(1)?.checked_mul(NUMBERS)? {
            reader.number()?;
        }
        reader.take(kept)
    }

    /// The parts with their true places. Of their headers there are only the fields that are
    /// [kept](keeps), which are all that ENVELOPE and BODYSTRUCTURE tell.
    #[must_use]
    pub const fn structure(&self) -> &Structure {
        &self.structure
    }

    /// The same, and the [preview](Self::preview).
    #[must_use]
    pub fn into_parts(self) -> (Structure, String) {
        (self.structure, self.preview)
    }

    /// The fields that are [kept](keeps) of the message's own header, as they stand there, in
    /// their order: what to sort and thread by is among them.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        self.structure.header(self.structure.root())
    }

    /// How the text of the message begins; empty where there is none to be shown.
    #[must_use]
    pub fn preview(&self) -> &str {
        &self.preview
    }
}

/// Whether all fields of this name are in a [`Digest`]. Those that we put in front of a message
/// (Received, Return-Path) must not be: the message that was digested does not have them.
#[must_use]
pub fn keeps(name: &[u8]) -> bool {
    let starts = |prefix: &[u8]| {
        name.split_at_checked(prefix.len())
            .is_some_and(|(begin, _)| begin.eq_ignore_ascii_case(prefix))
    };
    match name.first() {
        Some(b'C' | b'c') if starts(b"Content-") => true,
        Some(b'L' | b'l') if starts(b"List-") => true,
        Some(b'R' | b'r') if starts(b"Resent-") => true,
        Some(first) => KEPT
            .iter()
            .filter(|kept| kept.len() == name.len())
            .filter(|kept| kept.first().is_some_and(|begin| begin.eq_ignore_ascii_case(first)))
            .any(|kept| kept.eq_ignore_ascii_case(name)),
        None => false,
    }
}

/// What ENVELOPE and BODYSTRUCTURE are made of, what SORT and THREAD go by, and what Thunderbird,
/// Apple's and Google's clients, K-9, mutt and others ask for in their lists of messages.
const KEPT: [&[u8]; 33] = [
    b"Date",
    b"Subject",
    b"From",
    b"Sender",
    b"Reply-To",
    b"To",
    b"Cc",
    b"Bcc",
    b"In-Reply-To",
    b"Message-ID",
    b"References",
    b"MIME-Version",
    b"Priority",
    b"X-Priority",
    b"X-MSMail-Priority",
    b"Importance",
    b"Sensitivity",
    b"Newsgroups",
    b"Followup-To",
    b"Disposition-Notification-To",
    b"Return-Receipt-To",
    b"Auto-Submitted",
    b"Precedence",
    b"Keywords",
    b"Lines",
    b"User-Agent",
    b"X-Mailer",
    b"X-Label",
    b"X-Spam-Flag",
    b"X-K9mail-Identity",
    b"X-Uniform-Type-Identifier",
    b"X-Universally-Unique-Identifier",
    b"Chat-Version",
];

/// Appends the fields that are kept of a header, and the empty line at its end, if it has one.
fn keep(header: &[u8], out: &mut Vec<u8>) {
    for field in fields(header).filter(|field| keeps(field.name)) {
        out.extend_from_slice(field.whole);
    }
    for end in [&b"\n\r\n"[..], b"\n\n"] {
        if header.ends_with(end) {
            out.extend_from_slice(end.get(1..).unwrap_or_default());
        }
    }
    if matches!(header, b"\r\n" | b"\n") {
        out.extend_from_slice(header);
    }
}

fn number(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7F {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
}
