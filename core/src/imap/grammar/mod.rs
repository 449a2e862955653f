//! Reads one whole command: bytes to values, no state.
//!
//! The input is a command as `fragment` found it: its line without the last CRLF, each literal
//! standing where it was announced, as `{5}` CRLF and five bytes. Results borrow from it; a string
//! is copied only where a backslash had to go. What is read here is made an owned
//! [`Command`](super::Command) in one place, [`Command::from_request`](super::Command::from_request).
//!
//! The rules are those of RFC 3501 §9, and a little wider where RFC 9051 §9 is: UTF-8 in quoted
//! strings, 63-bit sizes.

mod append;
mod fetch;
mod list;
mod modifier;
mod paging;
mod primitive;
mod request;
mod search;
mod sequence;
mod sort;
mod thread;

use std::fmt;

use nom::error::{ErrorKind, ParseError};

pub use append::{AppendMessage, append, append_next};
pub use fetch::{
    Field, Fields, ITEMS_MAX, Item, NAMES_MAX, NUMBERS_MAX, Origin, Partial, Section, SectionText,
    Which,
};
pub use list::{ListOptions, ListReturn, ListSelect, PATTERNS_MAX};
pub use modifier::{FetchModifiers, Resync, Sample, SelectParams};
pub use paging::PartialRange;
pub use primitive::{Day, Text};
pub use request::{FlagRef, Head, Request, StatusItem, StoreMode, arguments, command, head, tag};
pub use search::{DEPTH_MAX, KEYS_MAX, Key, SearchReturn};
pub use sequence::{Numbers, RANGES_MAX, SetRange};
pub use sort::{Criterion, SortKey};
pub use thread::Algorithm;

pub(crate) use primitive::{atom_char, write_number};

/// Where a command stopped making sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Bytes from the beginning of the command.
    pub offset: usize,
    /// What would have been right there.
    pub expected: &'static str,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} at byte {}", self.expected, self.offset)
    }
}

impl std::error::Error for At {}

/// A nom error: what was left when the rule failed, and what the rule was looking for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Miss<'a> {
    rest: &'a [u8],
    expected: &'static str,
}

impl<'a> Miss<'a> {
    /// The place of the miss within the whole command, of which `rest` is a tail.
    fn at(&self, whole: usize) -> At {
        At { offset: whole.saturating_sub(self.rest.len()), expected: self.expected }
    }

    /// Ends an alternative that other alternatives may follow.
    fn error(rest: &'a [u8], expected: &'static str) -> nom::Err<Self> {
        nom::Err::Error(Self { rest, expected })
    }
}

impl<'a> ParseError<&'a [u8]> for Miss<'a> {
    fn from_error_kind(rest: &'a [u8], _: ErrorKind) -> Self {
        Self { rest, expected: "something else" }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }

    /// Of two alternatives the one that came further tells more.
    fn or(self, other: Self) -> Self {
        if other.rest.len() < self.rest.len() { other } else { self }
    }
}

/// What each rule returns: what is left, and the value.
type Read<'a, T> = nom::IResult<&'a [u8], T, Miss<'a>>;

#[cfg(test)]
mod tests;
