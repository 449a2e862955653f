//! Packs what is said.

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::CompressionLevel;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output};

use crate::Outbox;

/// What is shorter goes out as it is: there is little in it to be found twice, and making a
/// compressor costs more than all of it.
const STORED_MAX: usize = 128;

/// How much one compressor packs. Nothing of it stays behind, so that a client that takes its
/// answers slowly costs no compressor: some 300 KiB.
const PACKED_AT_ONCE: usize = 64 << 10;

/// Packs the beginning of `plain` as blocks of one raw stream (RFC 1951), the last of which ends
/// with a byte: whoever has it can unpack all of it. Appends them to `outbox` and returns how much
/// of `plain` they hold; all, or 64 KiB.
///
/// The blocks refer to nothing before them, which a stream may do at any moment, so that no state
/// is needed between two calls.
#[must_use = "what was not packed is still to be"]
pub fn deflate(plain: &[u8], outbox: &mut Outbox) -> usize {
    let piece = plain.get(..PACKED_AT_ONCE).unwrap_or(plain);
    if piece.len() <= STORED_MAX {
        store(piece, outbox);
        return piece.len();
    }
    let mut compressor =
        CompressorOxide::with_format_and_level(DataFormat::Raw, CompressionLevel::BestSpeed);
    let (status, count) = compress_to_output(&mut compressor, piece, TDEFLFlush::Sync, |packed| {
        outbox.push(packed);
        true
    });
    debug_assert_eq!((status, count), (TDEFLStatus::Okay, piece.len()), "it goes to memory only");
    count
}

/// RFC 1951 §3.2.4: a block that is not compressed. It begins at a byte, as all before it ended
/// with one.
fn store(piece: &[u8], outbox: &mut Outbox) {
    let Ok(length) = u16::try_from(piece.len()) else { return };
    if length > 0 {
        let ([low, high], [not_low, not_high]) = (length.to_le_bytes(), (!length).to_le_bytes());
        outbox.push(&[0, low, high, not_low, not_high]);
        outbox.push(piece);
    }
}
