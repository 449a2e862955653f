//! Where a command ends: lines and literals, and nothing of what they mean.
//!
//! Borders are found before anything is understood, so that no broken command can make the bytes
//! of its literals run as commands. A command of one line that lies whole in the input is looked
//! at there; any other is gathered, up to a limit. What is refused is skipped to its true end.
//!
//! Lines end with CRLF (RFC 3501 §2.2). After a bare LF the line is refused and skipped up to its
//! CRLF: whoever put it there may have meant another end of the command than we would see.

use memchr::memchr;

/// Finds borders in a stream that comes in any pieces.
#[derive(Debug)]
pub(super) struct Framer {
    /// What has come of a command that did not come in one piece.
    gathered: Vec<u8>,
    place: Place,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum Place {
    /// A line of the command, which begins at this offset of what is gathered.
    Line {
        begin: usize,
    },
    /// A literal that joins the command.
    Literal {
        left: usize,
    },
    /// A literal that its owner takes as it comes.
    Stream {
        left: u64,
    },
    SkipLine {
        tail: Tail,
        /// Whether the line may announce a literal.
        announces: bool,
    },
    SkipLiteral {
        left: u64,
    },
}

/// What kind of line is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A command, with literals.
    Command,
    /// A line of its own kind, in which braces mean nothing: an answer within AUTHENTICATE or IDLE.
    Answer,
}

/// What was found in the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// All was used; more is needed.
    NeedBytes,
    /// A command that lies between these offsets of the input, without its CRLF.
    Inline(usize, usize),
    /// A command, now in [`Framer::take`], without its CRLF.
    Gathered,
    /// A literal is announced; the command so far, with the announcement, is gathered. One of
    /// [`Framer::gather`], [`Framer::refuse`] and [`Framer::stream`] must follow.
    Literal(Literal),
    /// Bytes of the streamed literal, between these offsets of the input.
    Data(usize, usize),
    /// A rule is broken. What there is of the line (up to the limit) is gathered, for its tag's
    /// sake; the rest will be skipped.
    Broken(Broken),
}

/// An announcement of a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Literal {
    /// Its bytes.
    pub(super) size: u64,
    /// Whether the client waits to be told to go on.
    pub(super) waits: bool,
}

/// Which rule of framing was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The command is longer than its limit.
    TooLong,
    /// A line feed without a carriage return before it.
    BareLf,
    /// A literal will come whose size cannot be told, so its end cannot be found.
    Lost,
}

impl Framer {
    pub(super) const fn new() -> Self {
        Self { gathered: Vec::new(), place: FRESH }
    }

    /// Looks at the input from where the last call left off. Returns how much of it was used.
    pub(super) fn next(&mut self, input: &[u8], kind: Kind, limit: usize) -> (usize, Found) {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            if rest.is_empty() {
                return (used, Found::NeedBytes);
            }
            let available = u64::try_from(rest.len()).unwrap_or(u64::MAX);
            match &mut self.place {
                Place::Line { begin } => {
                    let begin = *begin;
                    let (count, found) = self.line(begin, rest, kind, limit);
                    return (used + count, found.moved(used));
                }
                Place::Literal { left } => {
                    let (now, _) = rest.split_at_checked(*left).unwrap_or((rest, &[]));
                    self.gathered.extend_from_slice(now);
                    *left -= now.len();
                    used += now.len();
                    if *left == 0 {
                        self.place = Place::Line { begin: self.gathered.len() };
                    }
                }
                Place::Stream { left } => {
                    let count = usize::try_from(available.min(*left)).unwrap_or(rest.len());
                    *left -= available.min(*left);
                    if *left == 0 {
                        self.place = FRESH;
                    }
                    return (used + count, Found::Data(used, used + count));
                }
                Place::SkipLiteral { left } => {
                    used += usize::try_from(available.min(*left)).unwrap_or(rest.len());
                    *left -= available.min(*left);
                    if *left == 0 {
                        self.skip_line();
                    }
                }
                Place::SkipLine { tail, announces } => {
                    let end = memchr(b'\n', rest);
                    let line = end.and_then(|end| rest.get(..=end)).unwrap_or(rest);
                    tail.push(line);
                    used += line.len();
                    let Some(content) = tail.bytes().strip_suffix(b"\r\n") else { continue };
                    let announced = if *announces { announcement(content) } else { None };
                    self.place = match announced {
                        None | Some(Announced::Literal(Literal { waits: true, .. })) => FRESH,
                        Some(Announced::Literal(Literal { size: 0, .. })) => {
                            Place::SkipLine { tail: Tail::default(), announces: true }
                        }
                        Some(Announced::Literal(Literal { size, .. })) => {
                            Place::SkipLiteral { left: size }
                        }
                        Some(Announced::Lost) => {
                            self.place = FRESH;
                            return (used, Found::Broken(Broken::Lost));
                        }
                    };
                }
            }
        }
    }

    /// Takes what has been gathered of the present command; a new one begins unless
    /// [`Framer::gather`] follows.
    pub(super) fn take(&mut self) -> Vec<u8> {
        if let Place::Line { begin } = &mut self.place {
            *begin = 0;
        }
        std::mem::take(&mut self.gathered)
    }

    /// How many bytes are gathered.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.gathered.len()
    }

    /// Whether a streamed literal has not come whole.
    pub(super) const fn streams(&self) -> bool {
        matches!(self.place, Place::Stream { .. })
    }

    /// The announced literal joins the command, of which this is what there was so far.
    pub(super) fn gather(&mut self, so_far: Vec<u8>, literal: Literal) {
        self.gathered = so_far;
        self.place = match usize::try_from(literal.size) {
            Ok(0) | Err(_) => Place::Line { begin: self.gathered.len() },
            Ok(left) => Place::Literal { left },
        };
    }

    /// The announced literal, and the command with it, is not wanted.
    pub(super) fn refuse(&mut self, literal: Literal) {
        self.gathered = Vec::new();
        // A client that waits will not send it (RFC 3501 §7.5); the others send it, and then the
        // rest of the command.
        if literal.waits {
            self.place = FRESH;
        } else if literal.size > 0 {
            self.place = Place::SkipLiteral { left: literal.size };
        } else {
            self.skip_line();
        }
    }

    /// The announced literal is taken as it comes.
    pub(super) fn stream(&mut self, size: u64) {
        self.place = if size > 0 { Place::Stream { left: size } } else { FRESH };
    }

    /// What is left of a streamed literal and of its command is not wanted.
    pub(super) fn skip_stream(&mut self) {
        match self.place {
            Place::Stream { left } => self.place = Place::SkipLiteral { left },
            _ => {
                let mut tail = Tail::default();
                tail.push(&self.take());
                self.place = Place::SkipLine { tail, announces: true };
            }
        }
    }

    fn skip_line(&mut self) {
        self.place = Place::SkipLine { tail: Tail::default(), announces: true };
    }

    /// Goes on with the line that begins at `begin` of what is gathered.
    fn line(&mut self, begin: usize, rest: &[u8], kind: Kind, limit: usize) -> (usize, Found) {
        let Some(end) = memchr(b'\n', rest) else {
            // A CR at the end may be half a line end.
            let content = rest.len() - usize::from(rest.last() == Some(&b'\r'));
            if self.gathered.len() + content > limit {
                return self.broken(begin, rest, kind, limit, Broken::TooLong);
            }
            self.gathered.extend_from_slice(rest);
            return (rest.len(), Found::NeedBytes);
        };
        let before = rest.get(..end).unwrap_or_default();
        // The CR may have come with the piece before.
        let (content, with_crlf) = match before.strip_suffix(b"\r") {
            Some(content) => (content, true),
            None if before.is_empty()
                && self.gathered.get(begin..).unwrap_or_default().ends_with(b"\r") =>
            {
                self.gathered.pop();
                (before, true)
            }
            None => (before, false),
        };
        if self.gathered.len() + content.len() > limit {
            return self.broken(begin, content, kind, limit, Broken::TooLong);
        }
        if !with_crlf {
            let line = rest.get(..=end).unwrap_or(rest);
            return self.broken(begin, line, kind, limit, Broken::BareLf);
        }
        let announced = match kind {
            Kind::Command => self.announced(begin, content),
            Kind::Answer => None,
        };
        match announced {
            None if self.gathered.is_empty() => (end + 1, Found::Inline(0, content.len())),
            None => {
                self.gathered.extend_from_slice(content);
                (end + 1, Found::Gathered)
            }
            Some(Announced::Literal(literal)) => {
                self.gathered.extend_from_slice(content);
                self.gathered.extend_from_slice(b"\r\n");
                (end + 1, Found::Literal(literal))
            }
            Some(Announced::Lost) => {
                self.gathered.extend_from_slice(content);
                (end + 1, Found::Broken(Broken::Lost))
            }
        }
    }

    /// What the line announces whose last piece is `content`.
    fn announced(&self, begin: usize, content: &[u8]) -> Option<Announced> {
        let earlier = self.gathered.get(begin..).unwrap_or_default();
        if earlier.is_empty() {
            return announcement(content);
        }
        let mut tail = Tail::default();
        tail.push(earlier);
        tail.push(content);
        announcement(tail.bytes())
    }

    /// Gathers the beginning of the line up to the limit and skips the rest.
    fn broken(
        &mut self,
        begin: usize,
        line: &[u8],
        kind: Kind,
        limit: usize,
        broken: Broken,
    ) -> (usize, Found) {
        let room = limit.saturating_sub(self.gathered.len());
        let (kept, rest) = line.split_at_checked(room).unwrap_or((line, &[]));
        // The tail must have seen every byte of the line up to where skipping goes on.
        let mut tail = Tail::default();
        tail.push(self.gathered.get(begin..).unwrap_or_default());
        tail.push(kept);
        self.gathered.extend_from_slice(kept);
        self.gathered.truncate(limit);
        let used = match broken {
            Broken::TooLong => kept.len(),
            Broken::BareLf | Broken::Lost => {
                tail.push(rest);
                line.len()
            }
        };
        self.place = Place::SkipLine { tail, announces: kind == Kind::Command };
        (used, Found::Broken(broken))
    }
}

impl Found {
    /// The same with offsets counted from the beginning of the whole input.
    const fn moved(self, by: usize) -> Self {
        match self {
            Self::Inline(begin, end) => Self::Inline(begin + by, end + by),
            other => other,
        }
    }
}

/// The last bytes of a line that is not kept: enough to see an announcement.
#[derive(Debug, Default)]
struct Tail {
    bytes: [u8; TAIL],
    length: usize,
}

impl Tail {
    fn push(&mut self, more: &[u8]) {
        let skipped = more.len().saturating_sub(TAIL);
        let more = more.get(skipped..).unwrap_or_default();
        let kept = self.length.min(TAIL - more.len());
        self.bytes.copy_within(self.length - kept..self.length, 0);
        if let Some(place) = self.bytes.get_mut(kept..kept + more.len()) {
            place.copy_from_slice(more);
        }
        self.length = kept + more.len();
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Announced {
    Literal(Literal),
    Lost,
}

/// What the end of a line, without its CRLF, announces.
fn announcement(line: &[u8]) -> Option<Announced> {
    let inner = line.strip_suffix(b"}")?;
    let (inner, waits) = match inner.strip_suffix(b"+") {
        Some(inner) => (inner, false),
        None => (inner, true),
    };
    let count =
        inner.iter().rev().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = inner.split_at_checked(inner.len() - count)?;
    if count == DIGITS_MAX && before.last() != Some(&b'{') {
        // More digits than anyone needs. A client that waits learns at once that it is not wanted.
        return Some(if waits {
            Announced::Literal(Literal { size: u64::MAX, waits })
        } else {
            Announced::Lost
        });
    }
    if count == 0 || before.last() != Some(&b'{') {
        return None;
    }
    let size = digits.iter().try_fold(0_u64, |size, digit| {
        size.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
    });
    Some(match size {
        Some(size) => Announced::Literal(Literal { size, waits }),
        None if waits => Announced::Literal(Literal { size: u64::MAX, waits }),
        None => Announced::Lost,
    })
}

/// At the beginning of a command.
const FRESH: Place = Place::Line { begin: 0 };
/// How many digits of a literal's size are looked at.
const DIGITS_MAX: usize = 24;
/// An announcement (brace, digits, plus, brace) and a line end.
const TAIL: usize = DIGITS_MAX + 5;
