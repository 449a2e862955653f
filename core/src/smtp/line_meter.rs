//! How long the lines of a message are.

use memchr::memrchr;

/// Follows the length of lines through text that comes in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineMeter {
    /// Bytes since the last line end.
    length: usize,
    max: usize,
    too_long: bool,
}

impl LineMeter {
    /// Notes lines of more than `max` bytes, their CRLF included (RFC 5321 §4.5.3.1.6).
    pub(super) const fn new(max: usize) -> Self {
        Self { length: 0, max, too_long: false }
    }

    /// Whether one was too long.
    pub(super) const fn too_long(&self) -> bool {
        self.too_long
    }

    /// Follows the length of lines. From a line's start, the last LF within `max` bytes is
    /// looked for: all lines up to there are short enough, so a search costs what it skips.
    pub(super) fn measure(&mut self, mut text: &[u8]) {
        loop {
            let room = self.max.saturating_sub(self.length);
            let (window, beyond) = text.split_at_checked(room).unwrap_or((text, &[]));
            let Some(end) = memrchr(LF, window) else { break };
            if beyond.is_empty() {
                self.length = window.len() - end - 1;
                return;
            }
            self.length = 0;
            text = text.get(end + 1..).unwrap_or_default();
        }
        self.too_long |= text.len() > self.max.saturating_sub(self.length);
        // What is too long already need not be measured exactly, only its end found.
        self.length = match memrchr(LF, text) {
            Some(end) => text.len() - end - 1,
            None => self.length.saturating_add(text.len()),
        };
    }
}

const LF: u8 = b'\n';
