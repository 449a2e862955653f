//! The two buffers between a machine and its stream. The runtime owns both; empty ones hold no
//! memory, so a limit costs nothing until somebody comes near it.

use std::fmt;

/// Freed at once when empty, if larger than this: an idle connection keeps no buffer.
const KEPT_WHEN_EMPTY: usize = 64;

/// Bytes received and not yet used, up to a fixed limit.
///
/// A machine looks at [`unread`](Self::unread) in place and says how much it has used with
/// [`consume`](Self::consume). A full inbox is back-pressure: the runtime stops reading.
#[derive(Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    used: usize,
    limit: usize,
}

impl Inbox {
    /// An empty inbox that will hold at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), used: 0, limit }
    }

    /// What has come and has not been used.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    /// Marks the first `count` unread bytes as used; at most all of them.
    pub fn consume(&mut self, count: usize) {
        self.used = self.used.saturating_add(count).min(self.bytes.len());
        if self.used == self.bytes.len() {
            self.clear();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.used = 0;
        if self.bytes.capacity() > KEPT_WHEN_EMPTY {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }

    /// How many bytes still fit.
    #[must_use]
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.unread().len())
    }

    /// The most that it will hold.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Whether nothing is unread.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unread().is_empty()
    }

    /// Takes as much of `bytes` as fits and says how much that was.
    pub fn extend(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.get(..self.room()).unwrap_or(bytes);
        self.make_room(taken.len());
        self.bytes.extend_from_slice(taken);
        taken.len()
    }

    /// Lets `read` write into at most `most` bytes of free space; it returns how many it wrote.
    ///
    /// # Errors
    /// What `read` returns; the inbox is then as before.
    pub fn fill<E>(
        &mut self,
        most: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let most = most.min(self.room());
        self.make_room(most);
        let end = self.bytes.len();
        self.bytes.resize(end + most, 0);
        let result = read(self.bytes.get_mut(end..).unwrap_or_default());
        let count = *result.as_ref().unwrap_or(&0);
        self.bytes.truncate(end + count.min(most));
        if self.is_empty() {
            self.clear();
        }
        result
    }

    /// Moves the unread bytes to the front, but only where the allocation would have to grow
    /// otherwise: each byte is moved a bounded number of times.
    fn make_room(&mut self, more: usize) {
        if self.used > 0 && self.bytes.len() + more > self.bytes.capacity() {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
    }
}

impl fmt::Debug for Inbox {
    /// Tells how much it holds, never what: it may be a password or a letter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({} of {} bytes)", self.unread().len(), self.limit)
    }
}

/// Bytes to be sent. A machine appends whole replies and stops producing once
/// [`below_mark`](Self::below_mark) is false; it may pass the mark by one append.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    mark: usize,
}

impl Outbox {
    /// An empty outbox whose high-water mark is `mark` bytes.
    #[must_use]
    pub const fn new(mark: usize) -> Self {
        Self { bytes: Vec::new(), sent: 0, mark }
    }

    /// Appends bytes to be sent.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.sent > 0 && self.bytes.len() + bytes.len() > self.bytes.capacity() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a whole buffer; without a copy where nothing else waits.
    pub fn push_vec(&mut self, bytes: Vec<u8>) {
        if self.is_empty() {
            self.sent = 0;
            self.bytes = bytes;
        } else {
            self.push(&bytes);
        }
    }

    /// What waits to be sent.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Marks the first `count` unsent bytes as sent; at most all of them.
    pub fn sent(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count).min(self.bytes.len());
        if self.sent == self.bytes.len() {
            self.clear();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.sent = 0;
        if self.bytes.capacity() > KEPT_WHEN_EMPTY {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }

    /// Whether a machine may go on producing.
    #[must_use]
    pub fn below_mark(&self) -> bool {
        self.unsent().len() < self.mark.max(1)
    }

    /// Whether nothing waits to be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unsent().is_empty()
    }

    /// The high-water mark in bytes.
    #[must_use]
    pub const fn mark(&self) -> usize {
        self.mark
    }
}

impl fmt::Write for Outbox {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for Outbox {
    /// Tells how much it holds, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbox({} bytes, mark {})", self.unsent().len(), self.mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_takes_up_to_its_limit_and_no_more() {
        let mut inbox = Inbox::new(4);
        assert_eq!(inbox.extend(b"abcdef"), 4);
        assert_eq!(inbox.extend(b"g"), 0);
        inbox.consume(3);
        assert_eq!(inbox.extend(b"efgh"), 3);
        assert_eq!(inbox.unread(), b"defg");
    }

    #[test]
    fn inbox_fill_writes_in_place_and_keeps_nothing_on_error() {
        let mut inbox = Inbox::new(8);
        let result: Result<usize, ()> = inbox.fill(16, |space| {
            assert_eq!(space.len(), 8);
            space[..3].copy_from_slice(b"abc");
            Ok(3)
        });
        assert_eq!(result, Ok(3));
        assert_eq!(inbox.fill(4, |_| Err::<usize, _>("reset")), Err("reset"));
        assert_eq!(inbox.unread(), b"abc");
    }

    #[test]
    fn empty_buffers_hold_no_memory() {
        let mut inbox = Inbox::new(1 << 16);
        inbox.extend(&[1; 10_000]);
        inbox.consume(10_000);
        assert_eq!(inbox.bytes.capacity(), 0);
        let mut outbox = Outbox::new(10);
        outbox.push(&[1; 10_000]);
        assert!(!outbox.below_mark());
        outbox.sent(9_991);
        assert!(outbox.below_mark());
        outbox.sent(9);
        assert_eq!(outbox.bytes.capacity(), 0);
    }
}
