//! The forms in which a message is hashed (RFC 6376 §3.4).

use ring::digest;

/// How much of its form a header or a body may lose on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Canonicalization {
    /// Nearly nothing.
    Simple,
    /// White space and the case of field names.
    Relaxed,
}

impl Canonicalization {
    /// Its name as `c=` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Relaxed => "relaxed",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Simple, Self::Relaxed].into_iter().find(|one| one.name() == name)
    }

    /// Appends a header field (with its line end) as it is hashed, its line end included.
    pub(crate) fn field(self, whole: &[u8], out: &mut Vec<u8>) {
        match self {
            // RFC 6376 §3.4.1. A file may have other line ends than mail on its way.
            Self::Simple => {
                let text = whole.strip_suffix(b"\n").unwrap_or(whole);
                out.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
            }
            Self::Relaxed => relaxed_field(whole, out),
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// RFC 6376 §3.4.2: the name in small letters, one line, single spaces, none at the ends.
fn relaxed_field(whole: &[u8], out: &mut Vec<u8>) {
    let mut bytes = whole.iter().copied();
    let begin = out.len();
    for byte in bytes.by_ref() {
        if byte == b':' {
            break;
        }
        out.push(byte.to_ascii_lowercase());
    }
    while out.len() > begin && matches!(out.last(), Some(b' ' | b'\t')) {
        out.pop();
    }
    out.push(b':');
    let value = out.len();
    let mut space = false;
    for byte in bytes {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => space = true,
            byte => {
                if std::mem::take(&mut space) && out.len() > value {
                    out.push(b' ');
                }
                out.push(byte);
            }
        }
    }
}

/// Hashes a body that comes in pieces, in its canonical form. How it is cut makes no difference.
/// Lines end with CRLF; a CR or LF alone is a character like others.
#[derive(Clone, Debug)]
pub struct BodyHasher {
    form: Canonicalization,
    sink: Sink,
    /// Line ends that count only if something follows.
    ends: u64,
    /// A CR that may begin a line end.
    cr: bool,
    /// Relaxed: white space that counts only if something follows in its line.
    space: bool,
    /// Relaxed: what is made of a block, before it is hashed.
    scratch: Vec<u8>,
}

/// Where the canonical body goes: into the hash, up to a length.
#[derive(Clone)]
struct Sink {
    context: digest::Context,
    /// How much of it is hashed: the `l=` of a signature.
    limit: Option<u64>,
    /// How long it is.
    length: u64,
}

/// What became of a body.
#[derive(Debug, Clone, Copy)]
pub struct BodyHash {
    /// SHA-256 of its canonical form, or of the beginning of it.
    pub hash: digest::Digest,
    /// How many bytes its canonical form has, hashed or not.
    pub length: u64,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("limit", &self.limit).field("length", &self.length).finish()
    }
}

impl BodyHasher {
    /// For a body of which at most so many canonical bytes are hashed.
    #[must_use]
    pub fn new(form: Canonicalization, limit: Option<u64>) -> Self {
        let sink = Sink { context: digest::Context::new(&digest::SHA256), limit, length: 0 };
        Self { form, sink, ends: 0, cr: false, space: false, scratch: Vec::new() }
    }

    /// Takes the next bytes of the body.
    pub fn push(&mut self, bytes: &[u8]) {
        match self.form {
            Canonicalization::Simple => self.simple(bytes),
            Canonicalization::Relaxed => self.relaxed(bytes),
        }
    }

    /// The body has ended.
    #[must_use]
    pub fn finish(mut self) -> BodyHash {
        if std::mem::take(&mut self.cr) {
            if std::mem::take(&mut self.space) {
                self.content(b" ");
            }
            self.content(b"\r");
        }
        // RFC 6376 §3.4.3, §3.4.4: all line ends at the end are one, and there is one; only an
        // empty body stays empty, and only in the relaxed form.
        if self.sink.length > 0 || self.form == Canonicalization::Simple {
            self.sink.put(b"\r\n");
        }
        BodyHash { hash: self.sink.context.finish(), length: self.sink.length }
    }

    /// RFC 6376 §3.4.3: only the line ends at the end of what came so far can matter.
    fn simple(&mut self, bytes: &[u8]) {
        let Some((first, rest)) = bytes.split_first() else { return };
        let mut bytes = bytes;
        if std::mem::take(&mut self.cr) {
            if *first == b'\n' {
                self.ends += 1;
                bytes = rest;
            } else {
                self.content(b"\r");
            }
        }
        // Where line ends wait, those that follow are of the same run.
        while let Some(rest) = bytes.strip_prefix(b"\r\n") {
            self.ends += 1;
            bytes = rest;
        }
        let (text, ends, cr) = tail(bytes);
        if !text.is_empty() {
            self.content(text);
        }
        self.ends += ends;
        self.cr = cr;
    }

    /// RFC 6376 §3.4.4.
    fn relaxed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // Most text is in its relaxed form already, and is hashed where it lies.
            let clean = if self.cr || self.space { 0 } else { clean_length(bytes) };
            let (part, rest) = match clean {
                0 => bytes.split_at(bytes.len().min(BLOCK)),
                clean => bytes.split_at(clean),
            };
            match clean {
                0 => self.relaxed_block(part),
                _ => self.simple(part),
            }
            bytes = rest;
        }
    }

    fn relaxed_block(&mut self, block: &[u8]) {
        for byte in block {
            if std::mem::take(&mut self.cr) {
                if *byte == b'\n' {
                    self.space = false;
                    self.put_scratch();
                    self.ends += 1;
                    continue;
                }
                self.relaxed_byte(b'\r');
            }
            match byte {
                b' ' | b'\t' => self.space = true,
                b'\r' => self.cr = true,
                other => self.relaxed_byte(*other),
            }
        }
        self.put_scratch();
    }

    fn relaxed_byte(&mut self, byte: u8) {
        self.put_ends();
        if std::mem::take(&mut self.space) {
            self.scratch.push(b' ');
        }
        self.scratch.push(byte);
    }

    fn put_scratch(&mut self) {
        self.sink.put(&self.scratch);
        self.scratch.clear();
    }

    /// What is no line end, or one with something behind it.
    fn content(&mut self, bytes: &[u8]) {
        self.put_ends();
        self.sink.put(bytes);
    }

    fn put_ends(&mut self) {
        let mut ends = std::mem::take(&mut self.ends);
        while ends > 0 {
            let now = ends.min(ENDS.len() as u64 / 2);
            let length = usize::try_from(now * 2).unwrap_or(ENDS.len());
            self.sink.put(ENDS.get(..length).unwrap_or(ENDS));
            ends -= now;
        }
    }
}

impl Sink {
    fn put(&mut self, bytes: &[u8]) {
        let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.length));
        self.length += bytes.len() as u64;
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        self.context.update(bytes.get(..count).unwrap_or(bytes));
    }
}

/// Line ends to be hashed, many at once.
const ENDS: &[u8] = b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";

/// Text, how many line ends follow it, and whether a CR follows those.
fn tail(bytes: &[u8]) -> (&[u8], u64, bool) {
    let (mut text, cr) = match bytes.strip_suffix(b"\r") {
        Some(text) => (text, true),
        None => (bytes, false),
    };
    let mut ends = 0;
    while let Some(before) = text.strip_suffix(b"\r\n") {
        ends += 1;
        text = before;
    }
    (text, ends, cr)
}

/// How many bytes at the front are the same in the relaxed form, whatever follows them: text in
/// which each blank is one space between two characters, up to a place behind a character or a
/// line end.
fn clean_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    // By blocks, each with the byte behind it, in a form that the compiler makes vectors of.
    while let Some(block) = bytes.get(length..=length + BLOCK) {
        let (here, next) = (block.iter(), block.iter().skip(1));
        let odd = here.zip(next).fold(false, |odd, (here, next)| {
            let blank_next = (*next == b' ') | (*next == b'\t') | (*next == b'\r');
            odd | (*here == b'\t') | ((*here == b' ') & blank_next)
        });
        if odd {
            break;
        }
        length += BLOCK;
    }
    length
}

const BLOCK: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Canonicalization::{Relaxed, Simple};
    use super::*;

    /// The whole at once, as the RFC has it.
    fn plain(form: Canonicalization, body: &[u8]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            let end = memchr::memmem::find(rest, b"\r\n");
            lines.push(rest[..end.unwrap_or(rest.len())].to_vec());
            rest = end.map_or(&[], |end| &rest[end + 2..]);
        }
        if form == Relaxed {
            for line in &mut lines {
                let mut out = Vec::new();
                for byte in line.iter().map(|byte| if *byte == b'\t' { b' ' } else { *byte }) {
                    if byte != b' ' || out.last() != Some(&b' ') {
                        out.push(byte);
                    }
                }
                if out.last() == Some(&b' ') {
                    out.pop();
                }
                *line = out;
            }
        }
        while lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        if lines.is_empty() && form == Simple {
            lines.push(Vec::new());
        }
        lines.iter().flat_map(|line| [line, &b"\r\n"[..]].concat()).collect()
    }

    fn hashed(form: Canonicalization, pieces: &[&[u8]], limit: Option<u64>) -> BodyHash {
        let mut hasher = BodyHasher::new(form, limit);
        pieces.iter().for_each(|piece| hasher.push(piece));
        hasher.finish()
    }

    fn sha256(bytes: &[u8]) -> Vec<u8> {
        digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
    }

    /// RFC 6376 §3.4.5's examples.
    #[test]
    fn the_examples_of_the_rfc() {
        let mut out = Vec::new();
        for (form, expected) in
            [(Relaxed, &b"a:X\r\nb:Y Z\r\n"[..]), (Simple, b"A: X\r\nB : Y\t\r\n\tZ  \r\n")]
        {
            out.clear();
            form.field(b"A: X\r\n", &mut out);
            form.field(b"B : Y\t\r\n\tZ  \r\n", &mut out);
            assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
        }
        let body = b" C \r\nD \t E\r\n\r\n\r\n";
        for (form, expected) in [(Relaxed, &b" C\r\nD E\r\n"[..]), (Simple, b" C \r\nD \t E\r\n")] {
            assert_eq!(plain(form, body), expected);
            let found = hashed(form, &[body], None);
            assert_eq!(found.hash.as_ref(), sha256(expected));
            assert_eq!(found.length, expected.len() as u64);
        }
    }

    #[test]
    fn what_is_empty_or_ends_oddly() {
        for (body, simple, relaxed) in [
            (&b""[..], &b"\r\n"[..], &b""[..]),
            (b"\r\n\r\n", b"\r\n", b""),
            (b" \t\r\n\r\n", b" \t\r\n", b""),
            (b"a", b"a\r\n", b"a\r\n"),
            (b"a \r", b"a \r\r\n", b"a \r\r\n"),
            (b"a\n\rb  ", b"a\n\rb  \r\n", b"a\n\rb\r\n"),
        ] {
            assert_eq!(hashed(Simple, &[body], None).hash.as_ref(), sha256(simple), "{body:?}");
            assert_eq!(hashed(Relaxed, &[body], None).hash.as_ref(), sha256(relaxed), "{body:?}");
        }
    }

    #[test]
    fn a_body_is_hashed_up_to_its_limit_and_counted_to_its_end() {
        let found = hashed(Relaxed, &[b"ab", b"cd\r\n"], Some(3));
        assert_eq!((found.hash.as_ref(), found.length), (&*sha256(b"abc"), 6));
    }

    proptest! {
        #[test]
        fn pieces_and_blocks_make_no_difference(
            words in prop::collection::vec(
                prop::sample::select(vec!["a", "bcd", " ", "  ", "\t", "\r\n", "\r", "\n", " \r\n",
                    "0123456789012345678901234567890123456789012345678901234567890123456789"]),
                0..60),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let body = words.concat().into_bytes();
            let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
            at.extend([0, body.len()]);
            at.sort_unstable();
            let pieces: Vec<_> = at.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
            for form in [Simple, Relaxed] {
                let expected = plain(form, &body);
                let found = hashed(form, &pieces, None);
                prop_assert_eq!(found.length, expected.len() as u64);
                prop_assert_eq!(found.hash.as_ref(), sha256(&expected));
            }
        }
    }
}
