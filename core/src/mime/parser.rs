//! Finds the parts of a message while it passes by (RFC 2046 §5.1.1, §5.2.1).
//!
//! Nothing is kept but headers, up to a limit, and the beginning of a line that may turn out to be
//! a boundary. Each byte is looked at a bounded number of times, and how the message is cut into
//! pieces makes no difference.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use super::media::{Described, Encoding};
use super::structure::{Content, Part, PartId, Structure};

/// How deep parts may be nested. What would be deeper is told as a whole.
pub const DEPTH_MAX: usize = 32;
/// How many parts of a message are told apart. What follows the last of them is one more, whole.
pub const PARTS_MAX: usize = 1_000;
/// How many bytes of each header are kept; fields behind that are not known.
pub const HEADER_BYTES_MAX: usize = 64 << 10;
/// How many bytes of all headers of a message together are kept.
pub const HEADERS_BYTES_MAX: usize = 256 << 10;
/// The longest boundary. RFC 2046 §5.1.1 allows 70 bytes.
pub const BOUNDARY_BYTES_MAX: usize = 200;

/// Takes a message in pieces and gives its [`Structure`].
///
/// ```
/// use pillarbox_core::mime::{Content, Parser};
/// let mut parser = Parser::new();
/// parser.push(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nHel");
/// parser.push(b"lo\r\n--x--\r\n");
/// let structure = parser.finish();
/// let first = structure.children(structure.root()).next().unwrap();
/// assert_eq!(structure.part(first).body, 52..57);
/// ```
#[derive(Debug, Clone)]
pub struct Parser {
    structure: Structure,
    /// The parts that have begun and not ended, each within the one before. Never empty.
    open: Vec<Open>,
    /// The multiparts among them whose boundary is looked for, by their place in `open`.
    bounded: Vec<usize>,
    zone: Zone,
    line: Line,
    /// The beginning of a line that is not judged yet.
    head: Vec<u8>,
    /// How many bytes of a line tell all about it.
    head_wanted: usize,
    /// How many bytes have come.
    offset: u64,
    /// Where the present line begins.
    line_begin: u64,
    /// How long the line end before it is.
    line_end_before: u64,
    /// How many line ends have come.
    lines: u64,
    /// The last byte.
    previous: u8,
    /// How many parts are told apart.
    parts_max: usize,
    manner: Manner,
    /// Whether there was a part that could have been looked into, had it not been so deep.
    too_deep: bool,
}

/// How a message is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As mail is, with line ends of any kind.
    Lenient,
    /// By the letter, since there may be data in it that looks like a boundary: that stands behind
    /// a CRLF only (RFC 2046 §5.1.1). A message/global is looked into as a message/rfc822 is.
    Exact,
}

/// A part that has not ended.
#[derive(Debug, Clone)]
struct Open {
    id: PartId,
    /// How many line ends stand before its body.
    lines_before: u64,
    /// Its boundary, if it is a multipart.
    boundary: Vec<u8>,
    /// Whether its parts are messages where they do not say otherwise.
    is_digest: bool,
    last_child: Option<PartId>,
}

/// In what the present line lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// In the header of the innermost part.
    Header,
    /// In its body, or before or behind its parts.
    Body,
    /// In a boundary line that begins a part of the innermost multipart.
    Boundary,
    /// In a boundary line that ends the innermost multipart.
    LastBoundary,
}

/// Where in a line we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// So near its beginning that it could still be anything.
    Begin,
    /// Behind that.
    Within,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// At the beginning of a message.
    #[must_use]
    pub fn new() -> Self {
        Self::with_parts_max(PARTS_MAX)
    }

    /// The same, where another number of parts than [`PARTS_MAX`] is told apart.
    #[must_use]
    pub fn with_parts_max(parts_max: usize) -> Self {
        Self::begin(parts_max, Manner::Lenient)
    }

    /// For a message that is to be changed.
    pub(super) fn exact(parts_max: usize) -> Self {
        Self::begin(parts_max, Manner::Exact)
    }

    fn begin(parts_max: usize, manner: Manner) -> Self {
        let mut parser = Self {
            structure: Structure { parts: Vec::new(), headers: Vec::new() },
            open: Vec::new(),
            bounded: Vec::new(),
            zone: Zone::Header,
            line: Line::Begin,
            head: Vec::new(),
            head_wanted: EMPTY_LINE,
            offset: 0,
            line_begin: 0,
            line_end_before: 0,
            lines: 0,
            previous: 0,
            parts_max,
            manner,
            too_deep: false,
        };
        let _root = parser.begin_part(0);
        parser
    }

    /// Where the header of the message ends, once that is known.
    #[must_use]
    pub fn header_end(&self) -> Option<u64> {
        let within = self.open.len() == 1 && self.zone == Zone::Header;
        (!within).then(|| self.structure.root().header.end)
    }

    /// How many parts have begun, the message itself and those that hold others counted too. It is
    /// one more than are told apart where there are too many.
    #[must_use]
    pub const fn parts(&self) -> usize {
        self.structure.parts.len()
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = self.step(rest);
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// Takes some of the next bytes, which must not be empty: as many as are of one kind. Tells how
    /// many; not none twice.
    pub(super) fn step(&mut self, bytes: &[u8]) -> usize {
        let used = match self.line {
            Line::Begin => self.line_begins(bytes),
            Line::Within => self.line_goes_on(bytes),
        };
        let taken = bytes.get(..used).unwrap_or(bytes);
        self.offset += length(taken.len());
        self.previous = taken.last().copied().unwrap_or(self.previous);
        if self.line == Line::Begin && self.previous == b'\n' && self.head.is_empty() {
            self.line_begin = self.offset;
        }
        taken.len()
    }

    /// The message has ended.
    #[must_use]
    pub fn finish(mut self) -> Structure {
        self.end();
        self.structure
    }

    /// The message has ended; nothing more is pushed.
    pub(super) fn end(&mut self) {
        if !self.head.is_empty() {
            self.judge();
        }
        if self.zone == Zone::Header {
            self.end_header(self.offset);
        }
        self.close(0, self.offset, self.lines);
        self.zone = Zone::Body;
    }

    /// The parts so far. Those that are still open seem to end where they begin.
    pub(super) const fn structure(&self) -> &Structure {
        &self.structure
    }

    /// The part of this number, if its header has ended.
    pub(super) fn headed(&self, number: usize) -> Option<PartId> {
        let headed = self.parts() - usize::from(self.zone == Zone::Header);
        (number < headed).then(|| PartId(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// Whether a part has not ended yet.
    pub(super) fn is_open(&self, id: PartId) -> bool {
        self.open.iter().any(|open| open.id == id)
    }

    pub(super) const fn is_too_deep(&self) -> bool {
        self.too_deep
    }

    /// Up to where it is known what all bytes are: none of these will turn out to be a boundary, the
    /// line end before one, or a header.
    pub(super) fn settled(&self) -> u64 {
        let Some(innermost) = self.open.last().map(|open| self.structure.part(open.id)) else {
            return self.offset;
        };
        match (self.zone, self.line) {
            (Zone::Header, _) => innermost.header.start,
            (Zone::Boundary | Zone::LastBoundary, _) => self.offset,
            (Zone::Body, _) if self.bounded.is_empty() => self.offset,
            // As in `found_boundary`: a line end of the header's is not the boundary's.
            (Zone::Body, Line::Begin) => {
                self.line_begin.saturating_sub(self.line_end_before).max(innermost.body.start)
            }
            (Zone::Body, Line::Within) => self.offset - u64::from(self.previous == b'\r'),
        }
    }

    /// Gathers the beginning of a line until it is known what the line is.
    fn line_begins(&mut self, bytes: &[u8]) -> usize {
        if self.head.is_empty() {
            let candidate = match bytes.first() {
                Some(b'-') => !self.bounded.is_empty(),
                Some(b'\r' | b'\n') => self.zone == Zone::Header,
                _ => false,
            };
            if !candidate {
                self.line = Line::Within;
                return 0;
            }
        }
        let missing = self.head_wanted.saturating_sub(self.head.len());
        let near = bytes.get(..missing).unwrap_or(bytes);
        let near = match memchr(b'\n', near) {
            Some(end) => near.get(..=end).unwrap_or(near),
            None => near,
        };
        self.head.extend_from_slice(near);
        if self.head.len() == self.head_wanted || self.head.ends_with(b"\n") {
            // What is decided counts from behind the bytes judged.
            self.offset += length(near.len());
            self.judge();
            self.offset -= length(near.len());
        }
        near.len()
    }

    /// Decides what a line is by its beginning.
    fn judge(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.line = Line::Within;
        if let Some((index, last)) = self.boundary(&head) {
            self.found_boundary(index, last);
        } else if self.zone == Zone::Header {
            if matches!(&*head, b"\n" | b"\r\n") {
                self.keep(&head);
                self.lines += 1;
                self.line = Line::Begin;
                self.line_end_before = length(head.len());
                self.end_header(self.offset);
                self.reuse(head);
                return;
            }
            self.keep(&head);
        }
        if head.ends_with(b"\n") {
            let before = head.get(head.len().wrapping_sub(2)).copied().unwrap_or(0);
            self.line_ended(before, self.offset);
        }
        self.reuse(head);
    }

    /// Gives the buffer back, so that it is allocated once.
    fn reuse(&mut self, mut head: Vec<u8>) {
        head.clear();
        self.head = head;
    }

    /// The rest of a line, or of a body many lines.
    fn line_goes_on(&mut self, bytes: &[u8]) -> usize {
        if self.zone == Zone::Body {
            return self.body(bytes);
        }
        let Some(end) = memchr(b'\n', bytes) else {
            if self.zone == Zone::Header {
                self.keep(bytes);
            }
            return bytes.len();
        };
        let line = bytes.get(..=end).unwrap_or(bytes);
        if self.zone == Zone::Header {
            self.keep(line);
        }
        let before = end.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        self.line_ended(before.unwrap_or(self.previous), self.offset + length(line.len()));
        line.len()
    }

    /// Runs through a body up to the next line that could be a boundary.
    fn body(&mut self, bytes: &[u8]) -> usize {
        if self.bounded.is_empty() {
            self.lines += length(memchr_iter(b'\n', bytes).count());
            return bytes.len();
        }
        for end in memchr_iter(b'\n', bytes) {
            self.lines += 1;
            // What is not here yet may be in the next piece.
            if matches!(bytes.get(end + 1..end + 3), Some(b"--") | None)
                && matches!(bytes.get(end + 1), Some(b'-') | None)
            {
                let before = end.checked_sub(1).and_then(|at| bytes.get(at)).copied();
                self.line_end_before = line_end_length(before.unwrap_or(self.previous));
                self.line = Line::Begin;
                return end + 1;
            }
        }
        bytes.len()
    }

    /// A line has ended just before the byte at `next`.
    fn line_ended(&mut self, before: u8, next: u64) {
        self.lines += 1;
        self.line = Line::Begin;
        self.line_end_before = line_end_length(before);
        match self.zone {
            Zone::Header | Zone::Body => {}
            Zone::Boundary => {
                let id = self.begin_part(next);
                self.link(id);
            }
            Zone::LastBoundary => self.zone = Zone::Body,
        }
    }

    /// The open multipart whose boundary a line begins with, and whether it is its last. RFC 2046
    /// §5.1.1: what stands behind the boundary does not matter. Where one boundary begins with
    /// another, the longest decides, and of equal ones the innermost.
    fn boundary(&self, head: &[u8]) -> Option<(usize, bool)> {
        let text = head.strip_prefix(b"--")?;
        if self.manner == Manner::Exact && self.line_end_before == LF {
            return None;
        }
        let (index, rest) = self
            .bounded
            .iter()
            .filter_map(|index| Some((*index, text.strip_prefix(self.boundary_of(*index)?)?)))
            .min_by_key(|(index, rest)| (rest.len(), std::cmp::Reverse(*index)))?;
        Some((index, rest.starts_with(b"--")))
    }

    fn boundary_of(&self, index: usize) -> Option<&[u8]> {
        self.open.get(index).map(|open| &*open.boundary)
    }

    /// All parts within the multipart end, before the line end that belongs to the boundary.
    fn found_boundary(&mut self, index: usize, last: bool) {
        if self.zone == Zone::Header {
            self.end_header(self.line_begin);
        }
        let innermost = self.open.last().map(|open| open.id);
        let floor = innermost.map_or(0, |id| self.structure.part(id).body.start);
        let end = self.line_begin.saturating_sub(self.line_end_before);
        // Directly behind a header there is no line end left for the boundary.
        let (end, lines) = if end >= floor && self.line_end_before > 0 {
            (end, self.lines.saturating_sub(1))
        } else {
            (self.line_begin, self.lines)
        };
        self.close(index + 1, end, lines);
        self.zone = if last { Zone::LastBoundary } else { Zone::Boundary };
        if last {
            // What follows the last boundary has none any more.
            self.bounded.retain(|bounded| *bounded < index);
            self.measure();
        }
    }

    /// Ends the innermost parts, all but the first `keep`.
    fn close(&mut self, keep: usize, end: u64, lines: u64) {
        for open in self.open.drain(keep.min(self.open.len())..).rev() {
            let Some(part) = self.structure.parts.get_mut(open.id.index()) else { continue };
            part.body.end = end;
            part.lines = lines.saturating_sub(open.lines_before);
        }
        self.bounded.retain(|index| *index < keep);
        self.measure();
    }

    /// A part begins at this offset.
    fn begin_part(&mut self, at: u64) -> PartId {
        let id = PartId(u32::try_from(self.structure.parts.len()).unwrap_or(u32::MAX));
        let kept = self.structure.headers.len();
        self.structure.parts.push(Part {
            header: at..at,
            body: at..at,
            lines: 0,
            content: Content::Leaf,
            next: None,
            kept: kept..kept,
        });
        self.open.push(Open {
            id,
            lines_before: self.lines,
            boundary: Vec::new(),
            is_digest: false,
            last_child: None,
        });
        self.zone = Zone::Header;
        if self.structure.parts.len() > self.parts_max {
            self.bounded.clear();
            self.measure();
        }
        id
    }

    /// Makes a part that has just begun the last one of the multipart around it.
    fn link(&mut self, id: PartId) {
        let Some(parent) = self.open.len().checked_sub(2).and_then(|at| self.open.get_mut(at))
        else {
            return;
        };
        let before = parent.last_child.replace(id);
        let parent = parent.id;
        match before.and_then(|before| self.structure.parts.get_mut(before.index())) {
            Some(before) => before.next = Some(id),
            None => self.set_content(parent, Content::Multipart(id)),
        }
    }

    fn set_content(&mut self, id: PartId, content: Content) {
        if let Some(part) = self.structure.parts.get_mut(id.index()) {
            part.content = content;
        }
    }

    /// The header of the innermost part ends before this offset, and its body begins.
    fn end_header(&mut self, at: u64) {
        self.zone = Zone::Body;
        let Some(open) = self.open.last_mut() else { return };
        open.lines_before = self.lines;
        let id = open.id;
        let Some(part) = self.structure.parts.get_mut(id.index()) else { return };
        part.header.end = at;
        part.body = at..at;
        let kept = part.kept.clone();
        if length(kept.len()) < at - part.header.start {
            // Half a field would tell something else than the whole.
            let text = self.structure.headers.get(kept.clone()).unwrap_or_default();
            let whole = memchr::memrchr(b'\n', text).map_or(0, |end| end + 1);
            part.kept = kept.start..kept.start + whole;
            self.structure.headers.truncate(kept.start + whole);
        }
        self.look_inside(id, at);
    }

    /// Finds out whether a body has parts.
    fn look_inside(&mut self, id: PartId, at: u64) {
        // RFC 2046 §5.1.5: in a digest a message is the default.
        let around = self.open.len().checked_sub(2).and_then(|at| self.open.get(at));
        let in_digest = around.is_some_and(|open| open.is_digest);
        let part = self.structure.part(id);
        let (deep, full) = (self.open.len() >= DEPTH_MAX, self.parts() > self.parts_max);
        let room = !deep && !full;
        match self.structure.media_type(part) {
            Some(media) if media.is_kind(b"multipart") => {
                let boundary = media.parameter(b"boundary").unwrap_or_default();
                let boundary = super::header::trim(&boundary).to_vec();
                let is_digest = media.is(b"multipart", b"digest");
                self.too_deep |= deep;
                // Opaque until a part is found in it.
                self.set_content(id, Content::Opaque);
                if room && (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()) {
                    self.bounded.push(self.open.len() - 1);
                    if let Some(open) = self.open.last_mut() {
                        open.boundary = boundary;
                        open.is_digest = is_digest;
                    }
                    self.measure();
                }
            }
            Some(media) if !self.is_message(&media, part) => {}
            None if !in_digest => {}
            Some(_) | None if room => {
                let child = self.begin_part(at);
                self.set_content(id, Content::Message(child));
            }
            Some(_) | None => {
                self.too_deep |= deep;
                self.set_content(id, Content::Opaque);
            }
        }
    }

    /// Whether there is a message in a part. A message/global may be encoded (RFC 6532 §3.5), and
    /// then there is nothing to be seen in it.
    fn is_message(&self, media: &Described<'_>, part: &Part) -> bool {
        let encoding = || self.structure.field(part, b"Content-Transfer-Encoding");
        media.is(b"message", b"rfc822")
            || self.manner == Manner::Exact
                && media.is(b"message", b"global")
                && encoding().is_none_or(|field| Encoding::read(field.value) == Encoding::Identity)
    }

    /// Keeps bytes of the innermost header, as far as there is room.
    fn keep(&mut self, bytes: &[u8]) {
        let Some(open) = self.open.last() else { return };
        let Some(part) = self.structure.parts.get_mut(open.id.index()) else { return };
        let room = HEADER_BYTES_MAX
            .saturating_sub(part.kept.len())
            .min(HEADERS_BYTES_MAX.saturating_sub(part.kept.end));
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.structure.headers.extend_from_slice(taken);
        part.kept = Range { start: part.kept.start, end: part.kept.end + taken.len() };
    }

    /// How much of a line's beginning tells whether it is a boundary, and whether the last.
    fn measure(&mut self) {
        let longest =
            self.bounded.iter().filter_map(|index| self.boundary_of(*index).map(<[u8]>::len)).max();
        self.head_wanted = longest.map_or(EMPTY_LINE, |longest| longest + 4);
    }
}

const fn line_end_length(before: u8) -> u64 {
    if before == b'\r' { 2 } else { LF }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// The length of a line end that is a bare LF.
const LF: u64 = 1;
/// The length of CRLF, by which an empty line is known.
const EMPTY_LINE: usize = 2;

#[cfg(test)]
mod tests;
