//! Unpacks what a client sends.

use std::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY,
    TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{BlockBoundaryState, DecompressorOxide, decompress};

use super::deflate;
use crate::{Inbox, Outbox};

/// How far back a stream may refer (RFC 1951 §2), in bytes.
const WINDOW: usize = 32_768;

/// At most so much is unpacked before it is handed on.
const PIECE: usize = 16_384;

/// A memory that is smaller is not worth packing.
const RESTS_ABOVE: usize = 1_024;

/// Takes a raw stream (RFC 1951) in any pieces.
///
/// Between two blocks, where a client leaves it that waits for an answer (it has to flush, or we
/// would not have its command), nothing stays but the plain bytes to which the stream may still
/// refer: what the client has said last, at most 32 KiB. Those can be [packed](Self::rest).
pub struct Inflater {
    stage: Stage,
    window: Window,
    /// The decoder has more to say than there was room for.
    more: bool,
}

enum Stage {
    /// Between two blocks: the bits of the last byte that belong to the next one.
    Between {
        bits: u8,
        count: u8,
    },
    Within(Box<DecompressorOxide>),
    Ended,
    Broken,
}

enum Window {
    Plain(Vec<u8>),
    /// By [`deflate`].
    Packed(Vec<u8>),
}

/// What has come is no stream that can be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

impl Inflater {
    /// At the beginning of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stage: Stage::Between { bits: 0, count: 0 },
            window: Window::Plain(Vec::new()),
            more: false,
        }
    }

    /// Unpacks from `packed` into `plain`, as far as `plain` has room and at most `most` bytes.
    /// Returns how many bytes were added to `plain`. What comes behind the end of a stream is
    /// thrown away.
    ///
    /// # Errors
    /// [`Broken`], once all that came before has been handed out.
    pub fn inflate(
        &mut self,
        packed: &mut Inbox,
        plain: &mut Inbox,
        most: usize,
    ) -> Result<usize, Broken> {
        let mut count = 0;
        while (self.more || !packed.is_empty()) && plain.room() > 0 && count < most {
            match self.stage {
                Stage::Ended => packed.clear(),
                Stage::Broken if count == 0 => return Err(Broken),
                Stage::Broken => break,
                Stage::Between { .. } | Stage::Within(_) => {
                    count += self.piece(packed, plain, most - count);
                }
            }
        }
        Ok(count)
    }

    /// Whether the client has ended its stream.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    /// Whether more can be unpacked though nothing more comes.
    #[must_use]
    pub const fn holds_more(&self) -> bool {
        self.more
    }

    /// Whether [`rest`](Self::rest) would free something.
    #[must_use]
    pub const fn can_rest(&self) -> bool {
        match (&self.stage, &self.window) {
            (Stage::Between { .. }, Window::Plain(bytes)) => bytes.len() > RESTS_ABOVE,
            _ => false,
        }
    }

    /// Packs what must be kept, for a client that is going to wait for long: what is said to a
    /// mail server repeats itself.
    pub fn rest(&mut self) {
        if let (true, Window::Plain(bytes)) = (self.can_rest(), &self.window) {
            let mut packed = Outbox::new(usize::MAX);
            // One piece: the window is not longer than that.
            if deflate(bytes, &mut packed) == bytes.len() {
                self.window = Window::Packed(packed.unsent().to_vec());
            }
        }
    }

    fn piece(&mut self, packed: &mut Inbox, plain: &mut Inbox, most: usize) -> usize {
        let Some(mut decoder) = self.decoder() else {
            self.stage = Stage::Broken;
            return 0;
        };
        let Window::Plain(window) = &mut self.window else { return 0 };
        let known = window.len();
        window.resize(known + plain.room().min(most).min(PIECE), 0);
        let (status, used, count) =
            decompress(&mut decoder, packed.unread(), window, known, DECODING);
        window.truncate(known + count);
        let added = plain.extend(window.get(known..).unwrap_or_default());
        debug_assert_eq!(added, count, "there was room");
        packed.consume(used);
        self.more = status == TINFLStatus::HasMoreOutput;
        self.stage = match status {
            TINFLStatus::Done => Stage::Ended,
            TINFLStatus::BlockBoundary => match decoder.block_boundary_state() {
                Some(at) if packed.is_empty() => {
                    Stage::Between { bits: at.bit_buf, count: at.num_bits }
                }
                _ => Stage::Within(decoder),
            },
            // It takes all that there is before it asks for more.
            TINFLStatus::NeedsMoreInput if packed.is_empty() => Stage::Within(decoder),
            TINFLStatus::HasMoreOutput if used + count > 0 => Stage::Within(decoder),
            _ => Stage::Broken,
        };
        self.forget();
        count
    }

    /// The decoder, and its window as plain bytes. `None` where there is none.
    fn decoder(&mut self) -> Option<Box<DecompressorOxide>> {
        if let Window::Packed(packed) = &mut self.window {
            self.window = Window::Plain(unpack(packed)?);
        }
        match std::mem::replace(&mut self.stage, Stage::Broken) {
            Stage::Within(decoder) => Some(decoder),
            Stage::Between { bits, count } => {
                let at = BlockBoundaryState {
                    num_bits: count,
                    bit_buf: bits,
                    ..BlockBoundaryState::default()
                };
                Some(Box::new(DecompressorOxide::from_block_boundary_state(&at)))
            }
            Stage::Ended | Stage::Broken => None,
        }
    }

    /// Lets go what the stream cannot refer to any more: at once between two blocks, else in
    /// pieces so large that each byte is moved once.
    fn forget(&mut self) {
        let Window::Plain(window) = &mut self.window else { return };
        match self.stage {
            Stage::Ended | Stage::Broken => *window = Vec::new(),
            Stage::Between { .. } => {
                window.drain(..window.len().saturating_sub(WINDOW));
                window.shrink_to_fit();
            }
            Stage::Within(_) if window.len() > 2 * WINDOW => {
                window.drain(..window.len() - WINDOW);
            }
            Stage::Within(_) => {}
        }
    }
}

/// What [`Inflater::rest`] has packed.
fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut window = vec![0; WINDOW];
    let mut decoder = Box::new(DecompressorOxide::new());
    let flags = TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, used, count) = decompress(&mut decoder, packed, &mut window, 0, flags);
    window.truncate(count);
    let whole = status == TINFLStatus::NeedsMoreInput || status == TINFLStatus::HasMoreOutput;
    (whole && used == packed.len()).then_some(window)
}

const DECODING: u32 = TINFL_FLAG_HAS_MORE_INPUT
    | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
    | TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY;

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Inflater {
    /// Tells how much it holds, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Between { .. } => "between blocks",
            Stage::Within(_) => "within a block",
            Stage::Ended => "ended",
            Stage::Broken => "broken",
        };
        match &self.window {
            Window::Plain(window) => write!(f, "Inflater({stage}, {} bytes)", window.len()),
            Window::Packed(window) => write!(f, "Inflater({stage}, {} packed)", window.len()),
        }
    }
}
