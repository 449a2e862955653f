//! BINARY and BINARY.SIZE: parts with their transfer encoding taken away (RFC 3516 §4.2).
//!
//! A literal says how long it is before its first byte, and what it holds only its bytes tell: so
//! what is decoded is run through once to count it and to look for a NUL, and again to send it,
//! unless it is short enough to be kept meanwhile.

use std::ops::Range;

use memchr::memchr;
use pillarbox_core::imap::command::{BinaryItem, FetchItem};
use pillarbox_core::imap::grammar::{Origin, Partial};
use pillarbox_core::imap::response::Fetch;
use pillarbox_core::imap::section::Encoded;
use pillarbox_core::mime::media::Encoding;
use pillarbox_core::mime::transfer::Decoder;
use pillarbox_store::StoreError;

use super::{Known, PIECE, bytes, slice};
use crate::imap::open::{Open, Tools};
use crate::job;

/// Whether something is asked for that is encoded in a way that is not known here.
pub(super) fn cannot_decode(items: &[FetchItem], known: &Known) -> bool {
    items.iter().any(|item| match item {
        FetchItem::Binary(BinaryItem { part, .. }) | FetchItem::BinarySize(part) => {
            known.layout().encoded(part).encoding.is_none()
        }
        _ => false,
    })
}

/// The message that parts are asked of.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) uid: u32,
    /// Its bytes, if it is not too large.
    pub(super) text: Option<&'a [u8]>,
}

/// BINARY and BINARY.PEEK.
pub(super) async fn content(
    tools: &Tools,
    open: &mut Open,
    fetch: &mut Fetch,
    item: &BinaryItem,
    source: Source<'_>,
    encoded: Encoded,
) -> Result<(), StoreError> {
    let wanted = wanted(item.partial);
    if let Some(text) = source.text {
        let decoded = decode(&encoded, text);
        let bytes = within(&decoded, 0, &wanted);
        send_whole(tools, fetch, item, bytes, memchr(0, bytes).is_some());
        return Ok(());
    }
    let start = Decoding::resume(open, source.uid, &item.part, &encoded, wanted.start);
    let mut run = start.clone();
    let mut last = start.clone();
    let (mut held, mut length, mut nul) = (Vec::new(), 0, false);
    while run.told < wanted.end {
        let before = run.clone();
        let piece = run.next(tools, open).await?;
        if piece.is_empty() {
            break;
        }
        last = before;
        let piece = within(&piece, last.told, &wanted);
        nul |= memchr(0, piece).is_some();
        if length == held.len() as u64 && held.len() + piece.len() <= PIECE {
            held.extend_from_slice(piece);
        }
        length += piece.len() as u64;
    }
    // Who asks for one piece after the other goes on here.
    open.decoding = Some(last);
    if length == held.len() as u64 {
        send_whole(tools, fetch, item, &held, nul);
        return Ok(());
    }
    drop(held);
    tools.pen.write(|out| fetch.binary_head(item, length, nul, out));
    let mut run = start;
    let mut left = length;
    while left > 0 {
        let offset = run.told;
        let piece = run.next(tools, open).await?;
        if piece.is_empty() {
            return Err(job::astray("a part shorter than it was"));
        }
        let piece = within(&piece, offset, &wanted);
        left = left.saturating_sub(piece.len() as u64);
        tools.pen.write(|out| out.extend_from_slice(piece));
        tools.pen.room().await;
    }
    Ok(())
}

/// BINARY.SIZE: as many bytes as BINARY would send (RFC 3516 §4.3).
pub(super) async fn size(
    tools: &Tools,
    open: &Open,
    part: &[u32],
    source: Source<'_>,
    encoded: &Encoded,
) -> Result<u64, StoreError> {
    match source.text {
        _ if encoded.encoding == Some(Encoding::Identity) => {
            Ok(encoded.place.end - encoded.place.start)
        }
        Some(text) => Ok(decode(encoded, text).len() as u64),
        None => {
            let mut run = Decoding::new(source.uid, part, encoded);
            while !run.next(tools, open).await?.is_empty() {}
            Ok(run.told)
        }
    }
}

/// A part of a large message, decoded up to some place.
#[derive(Debug, Clone)]
pub(in crate::imap) struct Decoding {
    uid: u32,
    part: Vec<u32>,
    /// What is not yet decoded.
    left: Range<u64>,
    decoder: Decoder,
    /// How many bytes were decoded.
    told: u64,
}

impl Decoding {
    fn new(uid: u32, part: &[u32], encoded: &Encoded) -> Self {
        Self {
            uid,
            part: part.to_vec(),
            left: encoded.place.clone(),
            decoder: Decoder::new(encoded.encoding.unwrap_or_default()),
            told: 0,
        }
    }

    /// The one that was left off before this place of the same part, if there is one.
    fn resume(open: &Open, uid: u32, part: &[u32], encoded: &Encoded, origin: u64) -> Self {
        let fits = |known: &&Self| known.uid == uid && known.part == part && known.told <= origin;
        let mut found = match open.decoding.as_ref().filter(fits) {
            Some(known) => known.clone(),
            None => Self::new(uid, part, encoded),
        };
        // What is not encoded need not be read up to there.
        if encoded.encoding == Some(Encoding::Identity) {
            let length = encoded.place.end - encoded.place.start;
            found.told = origin.min(length);
            found.left = encoded.place.start + found.told..encoded.place.end;
        }
        found
    }

    /// Some of what follows; nothing at the end.
    async fn next(&mut self, tools: &Tools, open: &Open) -> Result<Vec<u8>, StoreError> {
        let mut decoded = Vec::new();
        while decoded.is_empty() && !self.left.is_empty() {
            let count = usize::try_from(self.left.end - self.left.start).unwrap_or(PIECE);
            let raw = bytes(tools, open, self.uid, self.left.start, count.min(PIECE)).await?;
            if raw.is_empty() {
                return Err(job::astray("a message shorter than its size"));
            }
            self.left.start += raw.len() as u64;
            self.decoder.push(&raw, &mut decoded);
            if self.left.is_empty() {
                self.decoder.finish(&mut decoded);
            }
        }
        self.told += decoded.len() as u64;
        Ok(decoded)
    }
}

fn decode(encoded: &Encoded, text: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(encoded.encoding.unwrap_or_default());
    let mut decoded = Vec::new();
    decoder.push(slice(text, &encoded.place), &mut decoded);
    decoder.finish(&mut decoded);
    decoded
}

/// The offsets of the piece that is asked for.
const fn wanted(partial: Option<Partial>) -> Range<u64> {
    match partial {
        None => 0..u64::MAX,
        Some(Partial { origin: Origin(origin), count }) => origin..origin.saturating_add(count),
    }
}

/// What of `bytes`, which begin at `offset`, lies in a range.
fn within<'a>(bytes: &'a [u8], offset: u64, wanted: &Range<u64>) -> &'a [u8] {
    let begin = wanted.start.saturating_sub(offset).min(bytes.len() as u64);
    let end = wanted.end.saturating_sub(offset).min(bytes.len() as u64);
    slice(bytes, &(begin..end))
}

fn send_whole(tools: &Tools, fetch: &mut Fetch, item: &BinaryItem, bytes: &[u8], nul: bool) {
    tools.pen.write(|out| {
        fetch.binary_head(item, bytes.len() as u64, nul, out);
        out.extend_from_slice(bytes);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_pieces() {
        let some = |origin, count| wanted(Some(Partial { origin: Origin(origin), count }));
        for (offset, range, found) in [
            (0, wanted(None), &b"abcdef"[..]),
            (0, some(2, 3), b"cde"),
            (2, some(2, 3), b"abc"),
            (4, some(2, 3), b"a"),
            (5, some(2, 3), b""),
            (u64::MAX, some(2, 3), b""),
            (0, some(6, 1), b""),
            (0, some(u64::MAX, u64::MAX), b""),
            (1, some(3, u64::MAX), b"cdef"),
        ] {
            assert_eq!(within(b"abcdef", offset, &range), found, "{offset} {range:?}");
        }
    }
}
