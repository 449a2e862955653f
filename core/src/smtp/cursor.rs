//! A place in a line that is being parsed, and what is said when the parse ends there.

use std::fmt;

/// Where a parse failed, and what would have been right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Bytes from the start of the line.
    pub offset: usize,
    /// What stands there; nothing at the line's end.
    pub found: Option<char>,
    /// What was expected there, such as "a domain".
    pub expected: &'static str,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            None => f.write_str("at the end")?,
            Some(' ') => write!(f, "at the space at byte {}", self.offset)?,
            Some(found) if found.is_ascii_graphic() => write!(f, "at `{found}`")?,
            Some(_) => write!(f, "at byte {}", self.offset)?,
        }
        write!(f, ": expected {}", self.expected)
    }
}

impl std::error::Error for At {}

/// Some of the ASCII characters, each found by one look.
#[derive(Debug, Clone)]
pub(super) struct AsciiSet([bool; 256]);

impl AsciiSet {
    /// Letters, digits, and these.
    pub(super) const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut slots: &mut [bool] = &mut set;
        let mut char = 0_u8;
        while let [slot, behind @ ..] = slots {
            let mut wanted = char.is_ascii_alphanumeric();
            let mut left = others;
            while let [other, rest @ ..] = left {
                wanted |= char == *other;
                left = rest;
            }
            *slot = wanted && char.is_ascii();
            char = char.wrapping_add(1);
            slots = behind;
        }
        Self(set)
    }

    #[inline]
    pub(super) fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)) == Some(&true)
    }
}

/// How far a line has been parsed. It stands between characters always.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Before the byte `at`; at the end where no character begins there.
    #[inline]
    pub(super) fn new(line: &'a str, at: usize) -> Self {
        let at = if line.is_char_boundary(at) { at } else { line.len() };
        Self { line, at }
    }

    #[inline]
    pub(super) fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    #[inline]
    pub(super) fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// What has been passed since `start`.
    #[inline]
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.line.get(start..self.at).unwrap_or_default()
    }

    /// Passes `text`, whatever its case, if it comes next.
    #[inline]
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let next = self.line.as_bytes().get(self.at..self.at + text.len());
        let comes = next.is_some_and(|next| {
            next.iter().zip(text.as_bytes()).all(|(is, wanted)| is.eq_ignore_ascii_case(wanted))
        });
        if comes {
            self.at += text.len();
        }
        comes
    }

    /// Passes the next character, if there is one.
    pub(super) fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    #[inline]
    pub(super) fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'a str {
        let start = self.at;
        // Nearly all is ASCII, which need not be decoded.
        self.skip(|byte| byte.is_ascii() && wanted(char::from(byte)));
        self.skip_beyond_ascii(wanted);
        self.since(start)
    }

    /// Passes the characters of a set, and beyond ASCII those that are wanted.
    #[inline]
    pub(super) fn take_set(
        &mut self,
        set: &AsciiSet,
        mut beyond: impl FnMut(char) -> bool,
    ) -> &'a str {
        let start = self.at;
        self.skip(|byte| set.has(byte));
        self.skip_beyond_ascii(|char| match u8::try_from(char) {
            Ok(byte) if byte.is_ascii() => set.has(byte),
            _ => beyond(char),
        });
        self.since(start)
    }

    #[inline]
    fn skip(&mut self, mut wanted: impl FnMut(u8) -> bool) {
        let rest = self.line.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len());
    }

    /// Goes on where something other than ASCII comes next.
    #[inline]
    fn skip_beyond_ascii(&mut self, mut wanted: impl FnMut(char) -> bool) {
        if self.line.as_bytes().get(self.at).is_some_and(|byte| !byte.is_ascii()) {
            let rest = self.rest();
            self.at += rest.find(|char| !wanted(char)).unwrap_or(rest.len());
        }
    }

    /// Passes spaces and says how many.
    #[inline]
    pub(super) fn spaces(&mut self) -> usize {
        let count =
            self.line.as_bytes().iter().skip(self.at).take_while(|byte| **byte == b' ').count();
        self.at += count;
        count
    }

    #[inline]
    pub(super) fn expect(&mut self, text: &str, expected: &'static str) -> Result<(), At> {
        if self.eat(text) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// The fault of not finding this here.
    pub(super) fn expected(&self, expected: &'static str) -> At {
        At { offset: self.at, found: self.peek(), expected }
    }

    /// The fault of not having found this at an earlier place.
    pub(super) fn expected_at(&self, offset: usize, expected: &'static str) -> At {
        Self::new(self.line, offset).expected(expected)
    }
}
