//! Reads and writes an mbox in pieces.
//!
//! A message begins with a [`FromLine`] that stands at the file's beginning or behind an empty line.
//! That empty line is the separator and no part of the message before. So that no line of text is
//! taken for one, writers put a `>` before it: only before `From ` (mboxo), or before any number of
//! `>` with `From ` behind (mboxrd, which can be undone). Lengths in `Content-Length` (mboxcl,
//! mboxcl2) are not asked: they are often wrong.

use super::from_line::{FromLine, LENGTH_MAX};

/// How lines that look like the beginning of a message are told from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quoting {
    /// `>From ` was `From `, `>>From ` was `>From `, and so on.
    #[default]
    Rd,
    /// `>From ` was `From `; all else is as it was.
    O,
}

/// What is found in an mbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A message begins.
    Begin(FromLine),
    /// More of the message, as it lies in the file but for the quoting.
    Bytes(Vec<u8>),
    /// The message has ended.
    End,
}

/// Reads an mbox. Holds at most one line's beginning.
#[derive(Debug, Clone)]
pub struct Reader {
    quoting: Quoting,
    /// Where in a line we are.
    line: Line,
    /// An empty line that may be a separator.
    empty: Vec<u8>,
    /// A message may begin here.
    at_seam: bool,
    within: bool,
}

#[derive(Debug, Clone)]
enum Line {
    /// At its beginning, which may mean something: what there is of it.
    Beginning(Vec<u8>),
    /// After so many `>`.
    Quoted(u64, Vec<u8>),
    /// In its text.
    Middle,
}

/// The file does not begin with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMbox;

const FROM: &[u8] = b"From ";

impl Reader {
    /// A reader at the beginning of a file.
    #[must_use]
    pub const fn new(quoting: Quoting) -> Self {
        Self {
            quoting,
            line: Line::Beginning(Vec::new()),
            empty: Vec::new(),
            at_seam: true,
            within: false,
        }
    }

    /// Takes the next bytes and appends what is found. One piece follows the other: bytes that belong
    /// together come together.
    ///
    /// # Errors
    /// [`NoMbox`]; nothing can be read from then on.
    pub fn push(&mut self, bytes: &[u8], found: &mut Vec<Piece>) -> Result<(), NoMbox> {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            match &mut self.line {
                Line::Middle => {
                    let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
                    let (text, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                    emit(found, text);
                    if text.ends_with(b"\n") {
                        self.line = Line::Beginning(Vec::new());
                    }
                    rest = behind;
                }
                Line::Beginning(begun) if begun.is_empty() && *first == b'>' && self.within => {
                    self.line = Line::Quoted(0, Vec::new());
                }
                Line::Beginning(begun) => {
                    begun.push(*first);
                    rest = rest.get(1..).unwrap_or_default();
                    self.judge(found)?;
                }
                Line::Quoted(depth, begun) => {
                    if begun.is_empty() && *first == b'>' {
                        *depth += 1;
                        rest = rest.get(1..).unwrap_or_default();
                        continue;
                    }
                    let fits = FROM.get(begun.len()) == Some(first);
                    if fits {
                        begun.push(*first);
                        rest = rest.get(1..).unwrap_or_default();
                    }
                    if !fits || begun.len() == FROM.len() {
                        self.unquote(found);
                    }
                }
            }
        }
        Ok(())
    }

    /// The file has ended.
    ///
    /// # Errors
    /// [`NoMbox`].
    pub fn finish(mut self, found: &mut Vec<Piece>) -> Result<(), NoMbox> {
        match &mut self.line {
            Line::Beginning(begun) if !begun.is_empty() => {
                if !begun.ends_with(b"\n") && begun.starts_with(FROM) {
                    begun.push(b'\n');
                    self.judge(found)?;
                    // What was no beginning of a message has no end of a line either.
                    if let (Line::Beginning(_), Some(Piece::Bytes(bytes))) =
                        (&self.line, found.last_mut())
                    {
                        bytes.pop();
                    }
                } else {
                    let text = std::mem::take(begun);
                    self.text(&text, found)?;
                }
            }
            Line::Quoted(..) => self.unquote(found),
            _ => {}
        }
        if self.within {
            found.push(Piece::End);
        }
        Ok(())
    }

    /// Looks at the beginning of a line, which has grown by a byte.
    fn judge(&mut self, found: &mut Vec<Piece>) -> Result<(), NoMbox> {
        let Line::Beginning(begun) = &mut self.line else { return Ok(()) };
        if matches!(begun.as_slice(), b"\r") {
            return Ok(());
        }
        if matches!(begun.as_slice(), b"\n" | b"\r\n") {
            let line = std::mem::take(begun);
            if self.within {
                let before = std::mem::replace(&mut self.empty, line);
                emit(found, &before);
            }
            self.at_seam = true;
            return Ok(());
        }
        let may_begin = self.at_seam
            && (FROM.starts_with(begun) || begun.starts_with(FROM))
            && begun.len() <= LENGTH_MAX;
        if may_begin && !begun.ends_with(b"\n") {
            return Ok(());
        }
        let line = std::mem::take(begun);
        if may_begin && let Some(from) = FromLine::read(&line) {
            self.empty.clear();
            if self.within {
                found.push(Piece::End);
            }
            self.within = true;
            self.at_seam = false;
            found.push(Piece::Begin(from));
            return Ok(());
        }
        self.text(&line, found)
    }

    /// A line's beginning that means nothing.
    fn text(&mut self, begun: &[u8], found: &mut Vec<Piece>) -> Result<(), NoMbox> {
        if !self.within {
            return Err(NoMbox);
        }
        self.at_seam = false;
        let before = std::mem::take(&mut self.empty);
        emit(found, &before);
        emit(found, begun);
        self.line = if begun.ends_with(b"\n") { Line::Beginning(Vec::new()) } else { Line::Middle };
        Ok(())
    }

    /// What followed a line's first `>` is known as far as it matters.
    fn unquote(&mut self, found: &mut Vec<Piece>) {
        let Line::Quoted(depth, begun) = std::mem::replace(&mut self.line, Line::Middle) else {
            return;
        };
        let quotes = begun == FROM
            && match self.quoting {
                Quoting::Rd => depth > 0,
                Quoting::O => depth == 1,
            };
        self.at_seam = false;
        let before = std::mem::take(&mut self.empty);
        emit(found, &before);
        let mut left = depth - u64::from(quotes);
        while left > 0 {
            let some = left.min(QUOTES.len() as u64);
            emit(found, QUOTES.get(..usize::try_from(some).unwrap_or(0)).unwrap_or_default());
            left -= some;
        }
        emit(found, &begun);
    }
}

const QUOTES: &[u8] = &[b'>'; 64];

fn emit(found: &mut Vec<Piece>, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    match found.last_mut() {
        Some(Piece::Bytes(before)) => before.extend_from_slice(bytes),
        _ => found.push(Piece::Bytes(bytes.to_vec())),
    }
}

/// Writes messages into an mbox (mboxrd).
#[derive(Debug, Clone, Default)]
pub struct Writer {
    /// What there is of a line that may have to be quoted.
    begun: Vec<u8>,
    middle: bool,
    after_lf: bool,
    any: bool,
}

impl Writer {
    /// Begins a message.
    pub fn begin(&mut self, from: &FromLine, out: &mut Vec<u8>) {
        out.extend_from_slice(from.to_text().as_bytes());
        *self = Self::default();
    }

    /// Appends the next bytes of the message, with the line ends that the file is to have.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            self.any = true;
            if self.middle {
                let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
                let (text, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                out.extend_from_slice(text);
                self.after_lf = text.ends_with(b"\n");
                self.middle = !self.after_lf;
                rest = behind;
                continue;
            }
            let quotes = self.begun.iter().take_while(|byte| **byte == b'>').count();
            let expected = FROM.get(self.begun.len() - quotes);
            if (*first == b'>' && quotes == self.begun.len()) || expected == Some(first) {
                // Many `>` in a row: those before the last are what they are in any case.
                self.begun.push(*first);
                rest = rest.get(1..).unwrap_or_default();
                if self.begun.ends_with(FROM) {
                    out.push(b'>');
                    self.flush(out);
                } else if quotes >= BEGUN_MAX && *first == b'>' {
                    self.any_depth(out);
                }
            } else {
                self.flush(out);
            }
        }
    }

    /// The message has ended: its last line, if that has no end, and the empty line behind it.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
        if self.any && !self.after_lf {
            out.push(b'\n');
        }
        out.push(b'\n');
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.begun.is_empty() {
            self.after_lf = false;
        }
        out.append(&mut self.begun);
        self.middle = true;
    }

    /// A line of very many `>`: one of them is written; that there is one more is known at the end.
    fn any_depth(&mut self, out: &mut Vec<u8>) {
        if self.begun.pop().is_some() {
            out.push(b'>');
            self.after_lf = false;
        }
    }
}

/// How many `>` are held.
const BEGUN_MAX: usize = 64;

#[cfg(test)]
mod tests;
