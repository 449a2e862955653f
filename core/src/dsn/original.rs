//! The message that a report is about, and how much of it goes back (RFC 3461 §6.2).

use std::ops::Range;

use memchr::memchr;

use super::fields;
use crate::mime::header;
use crate::mime::{MessageIds, quoted_printable, words};

/// The message that a report is about.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// Its header; what stands behind the empty line is not looked at.
    pub header: &'a [u8],
    /// What the whole of it is like, where the sender asked for it (RET=FULL).
    pub whole: Option<Shape>,
    /// How many bytes it has.
    pub size: u64,
    /// How much goes back at most.
    pub limits: Limits,
}

/// What a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Lines of ASCII, of 998 bytes at most, each with CRLF at its end.
    SevenBit,
    /// The same with other bytes.
    EightBit,
    /// Anything else, which never goes back as a whole.
    Binary,
}

/// How much of a message goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of its header, in bytes; it is cut between two fields. Default: 64 KiB.
    pub header_bytes_max: usize,
    /// The largest message that goes back as a whole, in bytes. Default: 256 KiB.
    pub whole_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { header_bytes_max: 64 << 10, whole_bytes_max: 256 << 10 }
    }
}

/// What goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// As in Content-Type.
    pub(super) media: &'static str,
    /// As in Content-Transfer-Encoding.
    pub(super) encoding: &'static str,
    /// The header, encoded; `None` where the message as a whole is put here.
    pub(super) text: Option<Vec<u8>>,
}

impl<'a> Original<'a> {
    /// Only the header goes back.
    #[must_use]
    pub fn header(header: &'a [u8]) -> Self {
        Self { header, whole: None, size: 0, limits: Limits::default() }
    }

    /// What goes back. As a whole only with failures, and where it fits through the way back.
    pub(super) fn part(&self, failed: bool, international: bool) -> Part {
        let lines = self.lines();
        let utf8 = !lines.is_ascii() && std::str::from_utf8(&lines).is_ok();
        if let Some(shape) =
            self.whole.filter(|_| failed && self.goes_back_whole(utf8, international))
        {
            let seven = shape == Shape::SevenBit && lines.is_ascii();
            return Part {
                media: if utf8 { "message/global" } else { "message/rfc822" },
                encoding: if seven { "7bit" } else { "8bit" },
                text: None,
            };
        }
        // RFC 6522 §4 has the one, RFC 6533 §4.3 the other.
        let media = if utf8 { "message/global-headers" } else { "text/rfc822-headers" };
        let clean = lines.split(|byte| *byte == b'\n').all(|line| line.len() <= LINE_BYTES_MAX)
            && (lines.is_ascii() || (utf8 && international));
        if clean {
            let encoding = if utf8 { "8bit" } else { "7bit" };
            return Part { media, encoding, text: Some(lines) };
        }
        let mut text = Vec::with_capacity(lines.len() * 2);
        quoted_printable(&lines, &mut text);
        Part { media, encoding: "quoted-printable", text: Some(text) }
    }

    fn goes_back_whole(&self, utf8: bool, international: bool) -> bool {
        self.size <= self.limits.whole_bytes_max
            && self.whole != Some(Shape::Binary)
            && (international || !utf8)
    }

    /// The header's lines up to the limit, each with CRLF at its end, without the empty one.
    fn lines(&self) -> Vec<u8> {
        let mut lines = Vec::with_capacity(self.header.len().min(self.limits.header_bytes_max));
        let mut field_at = 0;
        let mut rest = self.header;
        while !rest.is_empty() {
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = after.get(1..).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                break;
            }
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                field_at = lines.len();
            }
            if lines.len() + line.len() + 2 > self.limits.header_bytes_max {
                lines.truncate(field_at);
                break;
            }
            lines.extend(
                line.iter().map(|byte| if matches!(byte, 0 | b'\r') { b' ' } else { *byte }),
            );
            lines.extend_from_slice(b"\r\n");
        }
        lines
    }

    /// A field as text in one line, decoded.
    pub(super) fn text(&self, name: &[u8], bytes_max: usize) -> Option<String> {
        let field = header::fields(self.header).find(|field| field.is(name))?;
        let near = field.value.get(..VALUE_BYTES_MAX).unwrap_or(field.value);
        let mut text = String::new();
        words::decode(near, &mut text);
        let text = fields::printable(&text, true);
        let text = text.trim();
        let short = fields::clipped(text, bytes_max);
        let dots = if short.len() < text.len() { "..." } else { "" };
        (!text.is_empty()).then(|| format!("{short}{dots}"))
    }

    /// The ids that a reply has (RFC 5322 §3.6.4): In-Reply-To, and References of the first one and
    /// the last ones.
    pub(super) fn references(&self) -> (Option<String>, Vec<String>) {
        let own = self.ids(b"Message-ID").into_iter().next();
        let mut all = self.ids(b"References");
        if all.is_empty() {
            all = self.ids(b"In-Reply-To");
            // RFC 5322 §3.6.4: of several it is not known which one is meant.
            all.truncate(usize::from(all.len() == 1));
        }
        all.extend(own.clone());
        let surplus: Range<usize> = 1..all.len().saturating_sub(REFERENCES_MAX - 1).max(1);
        if surplus.end <= all.len() {
            drop(all.drain(surplus));
        }
        (own, all)
    }

    /// The ids in a field, those that can be written as they are.
    fn ids(&self, name: &[u8]) -> Vec<String> {
        let Some(field) = header::fields(self.header).find(|field| field.is(name)) else {
            return Vec::new();
        };
        let mut ids = MessageIds::new(field.value.get(..VALUE_BYTES_MAX).unwrap_or(field.value));
        let mut found = Vec::new();
        while let Some(id) = ids.next() {
            let plain = id.len() <= ID_BYTES_MAX
                && id.iter().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\()".contains(byte));
            if let Ok(id) = std::str::from_utf8(id)
                && plain
            {
                found.push(id.to_owned());
            }
        }
        found
    }
}

/// RFC 5322 §2.1.1, with a CR behind it.
const LINE_BYTES_MAX: usize = 998 + 1;
/// Of a field that is looked into.
const VALUE_BYTES_MAX: usize = 8 << 10;
/// A longer id is not referred to.
const ID_BYTES_MAX: usize = 250;
/// How many ids References holds.
const REFERENCES_MAX: usize = 20;
