//! The body that follows DATA: where it ends, what its lines are, and what is refused in it.
//!
//! Only `CRLF . CRLF` ends a body (RFC 5321 §4.1.1.4), and the `CRLF` of the DATA command itself
//! counts as the first of the two, so that an empty body is `. CRLF`. Servers that took other
//! sequences for the end could be made to read a part of one letter as the commands of another
//! ("SMTP smuggling"). Hence:
//!
//! - a CR that is not followed by LF is refused wherever it stands (RFC 5321 §2.3.8);
//! - a line that holds one dot alone, with a bare LF on either side of it, is refused;
//! - any other bare LF is made CRLF, or refused where the owner is pedantic.
//!
//! Everything else is text. A dot that begins a line is taken away (RFC 5321 §4.5.2); a line
//! begins at the start, after CRLF, and after a bare LF, since that has been made CRLF: programs
//! that send bare LF double the dot there too.
//!
//! The scanner keeps no bytes: what is undecided (a last CR, a dot that may be the end) stays with
//! the caller, three bytes at most.

use super::line_meter::LineMeter;

/// The body of one message while it is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    place: Place,
    bare_lf: BareLf,
    /// Bytes of the body used so far, as they came.
    offset: u64,
    lines: LineMeter,
}

/// What becomes of an LF without a CR before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareLf {
    /// It is made CRLF, except around a lone dot.
    Mend,
    /// The message is refused.
    Refuse,
}

/// One answer of [`Body::next`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'b> {
    /// How many of the unread bytes are done with.
    pub used: usize,
    /// What they were.
    pub part: Part<'b>,
}

/// What the scanner found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'b> {
    /// Text of the message, never empty, as long as possible: it is split only by a dot taken
    /// away, by a bare LF made CRLF, and where the unread bytes end.
    Text(&'b [u8]),
    /// More bytes are wanted.
    NeedBytes,
    /// The body has ended. Said again at each later call.
    End,
    /// The message is refused, and where the next command begins cannot be known: nothing that
    /// follows may be read as one. Said again at each later call.
    Refused(Refusal),
}

/// Why a body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What was found.
    pub sequence: Sequence,
    /// Where the CR or LF stands that decided it: bytes from the body's start, as they came.
    pub offset: u64,
}

/// The line ends that are refused, each named by what is known at the byte that decides: the
/// longer forms (`CR . CRLF`, `CRLF . CR CRLF`, …) begin with one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// `LF . LF`
    LfDotLf,
    /// `LF . CRLF`
    LfDotCrLf,
    /// `LF . CR`, no LF after it
    LfDotCr,
    /// `CRLF . LF`
    CrLfDotLf,
    /// `CRLF . CR`, no LF after it
    CrLfDotCr,
    /// `CR .`
    CrDot,
    /// A CR that something else follows.
    BareCr,
    /// A bare LF, where those are refused.
    BareLf,
}

impl Sequence {
    /// As written in a reply.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LfDotLf => "LF.LF",
            Self::LfDotCrLf => "LF.CRLF",
            Self::LfDotCr => "LF.CR",
            Self::CrLfDotLf => "CRLF.LF",
            Self::CrLfDotCr => "CRLF.CR",
            Self::CrDot => "CR.",
            Self::BareCr => "a bare CR",
            Self::BareLf => "a bare LF",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    LineStart(After),
    /// Within a line, or behind a dot that was taken away.
    InLine,
    Ended,
    Refused(Refusal),
}

/// What stands before a line. The start of the body counts as `CrLf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    CrLf,
    BareLf,
}

impl Body {
    /// A body of which nothing has been read. A line longer than `line_max` bytes, its CRLF
    /// included and a doubled dot not (RFC 5321 §4.5.3.1.6), is noted in
    /// [`line_too_long`](Self::line_too_long).
    #[must_use]
    pub const fn new(bare_lf: BareLf, line_max: usize) -> Self {
        Self {
            place: Place::LineStart(After::CrLf),
            bare_lf,
            offset: 0,
            lines: LineMeter::new(line_max),
        }
    }

    /// Judges the beginning of `unread`: what came and has not been used, without a gap since the
    /// last call.
    pub fn next<'b>(&mut self, unread: &'b [u8]) -> Piece<'b> {
        let piece = match self.place {
            Place::LineStart(after) => self.line_start(after, unread),
            Place::InLine => self.text(0, unread),
            Place::Ended => Piece { used: 0, part: Part::End },
            Place::Refused(refusal) => Piece { used: 0, part: Part::Refused(refusal) },
        };
        self.offset = self.offset.saturating_add(piece.used as u64);
        if let Part::Text(text) = piece.part {
            self.lines.measure(text);
        }
        piece
    }

    /// Whether a line was longer than allowed, as far as the body has been read.
    #[must_use]
    pub const fn line_too_long(&self) -> bool {
        self.lines.too_long()
    }

    /// RFC 5321 §4.5.2: a line of one dot alone ends the body; from any other line that begins
    /// with a dot, that dot is taken away.
    fn line_start<'b>(&mut self, after: After, unread: &'b [u8]) -> Piece<'b> {
        let [b'.', rest @ ..] = unread else { return self.text(0, unread) };
        match (rest, after) {
            ([] | [CR], _) => NEED_BYTES,
            ([CR, LF, ..], After::CrLf) => {
                self.place = Place::Ended;
                Piece { used: 3, part: Part::End }
            }
            ([CR, LF, ..], After::BareLf) => self.refuse(Sequence::LfDotCrLf, 1),
            ([CR, ..], After::CrLf) => self.refuse(Sequence::CrLfDotCr, 1),
            ([CR, ..], After::BareLf) => self.refuse(Sequence::LfDotCr, 1),
            ([LF, ..], After::CrLf) => self.refuse(Sequence::CrLfDotLf, 1),
            ([LF, ..], After::BareLf) => self.refuse(Sequence::LfDotLf, 1),
            (text, _) => self.text(1, text),
        }
    }

    /// Text, behind a dot that was taken away where `dot` is 1; what follows that is no line end.
    fn text<'b>(&mut self, dot: usize, text: &'b [u8]) -> Piece<'b> {
        match (text, self.bare_lf) {
            ([] | [CR], _) => return NEED_BYTES,
            ([CR, LF, ..], _) => {}
            ([CR, b'.', ..], _) => return self.refuse(Sequence::CrDot, 0),
            ([CR, ..], _) => return self.refuse(Sequence::BareCr, 0),
            ([LF, ..], BareLf::Refuse) => return self.refuse(Sequence::BareLf, 0),
            ([LF, ..], BareLf::Mend) => {
                self.place = Place::LineStart(After::BareLf);
                return Piece { used: 1, part: Part::Text(b"\r\n") };
            }
            _ => {}
        }
        let (clean, _) = text.split_at_checked(clean(text)).unwrap_or((text, &[]));
        self.place =
            if clean.ends_with(b"\n") { Place::LineStart(After::CrLf) } else { Place::InLine };
        Piece { used: dot + clean.len(), part: Part::Text(clean) }
    }

    fn refuse<'b>(&mut self, sequence: Sequence, ahead: u64) -> Piece<'b> {
        let refusal = Refusal { sequence, offset: self.offset.saturating_add(ahead) };
        self.place = Place::Refused(refusal);
        Piece { used: 0, part: Part::Refused(refusal) }
    }
}

/// How many bytes can be given out as they are: up to the first bare CR, bare LF, or dot that
/// begins a line, and without a CR that comes last. `text` begins with none of these.
fn clean(text: &[u8]) -> usize {
    let start = clean_blocks::<BLOCK>(text);
    let rest = text.get(start..).unwrap_or_default();
    let start = start + clean_blocks::<SMALL_BLOCK>(rest);
    let rest = text.get(start..).unwrap_or_default();
    let end = rest.windows(2).position(|pair| match *pair {
        [CR, next] => next != LF,
        [LF, next] => next == b'.' || next == LF,
        [_, next] => next == LF,
        _ => false,
    });
    match end.map(|at| (at, rest.get(at))) {
        Some((at, Some(&CR))) => start + at,
        Some((at, _)) => start + at + 1,
        None if text.ends_with(b"\r") => text.len() - 1,
        None => text.len(),
    }
}

/// How many whole blocks of `N` bytes from the start are beyond doubt, in bytes.
///
/// Nearly all text is, so a block is judged as a whole, in a form that compilers turn into vector
/// instructions: no branch, no index, three views of the same bytes.
fn clean_blocks<const N: usize>(text: &[u8]) -> usize {
    let mut start = 0;
    while let Some((here, next, after)) = text.get(start..).and_then(views::<N>) {
        let bad = here.iter().zip(next).zip(after).fold(0_u8, |bad, ((&here, &next), &after)| {
            let line_end = next == LF;
            bad | u8::from((here == CR) != line_end) | u8::from(line_end & (after == b'.'))
        });
        if bad != 0 {
            break;
        }
        start += N;
    }
    start
}

/// The first `N` bytes, and as many from the second and from the third byte on.
fn views<const N: usize>(text: &[u8]) -> Option<(&[u8; N], &[u8; N], &[u8; N])> {
    Some((text.first_chunk()?, text.get(1..)?.first_chunk()?, text.get(2..)?.first_chunk()?))
}

const CR: u8 = b'\r';
const LF: u8 = b'\n';
const NEED_BYTES: Piece<'static> = Piece { used: 0, part: Part::NeedBytes };

/// Large enough that judging it costs little beside reading it, small enough that a bad one is
/// soon searched.
const BLOCK: usize = 128;
const SMALL_BLOCK: usize = 16;

#[cfg(test)]
mod tests;
