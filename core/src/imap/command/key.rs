//! What a search asks, owned.

use super::{MessageSet, UnknownCharset, known_charset};
use crate::imap::grammar::{Day, Key, Numbers, Text};
use crate::imap::object::EmailId;

/// What a search asks of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// Anything.
    All,
    /// To be in this set.
    In(MessageSet),
    /// To be recent.
    Recent,
    /// To have this system flag set, or not.
    System(u64, bool),
    /// To have this keyword set, or not.
    Keyword(Box<str>, bool),
    /// To have been received before this day.
    Before(Day),
    /// To have been received on this day.
    On(Day),
    /// To have been received on this day or later.
    Since(Day),
    /// To have come into the mailbox before this day (RFC 8514 §4.3).
    SavedBefore(Day),
    /// To have come on this day.
    SavedOn(Day),
    /// To have come on this day or later.
    SavedSince(Day),
    /// To have this name among all messages (RFC 8474 §6); `None`: one that no message has.
    EmailId(Option<EmailId>),
    /// To have been received this many seconds ago or earlier.
    Older(u32),
    /// To have been received at most this many seconds ago.
    Younger(u32),
    /// To name a day before this one in its Date field.
    SentBefore(Day),
    /// To name this day there.
    SentOn(Day),
    /// To name this day there, or a later one.
    SentSince(Day),
    /// To have a header field of this name with this text in it; with an empty text, to have the
    /// field.
    Header(Box<[u8]>, Box<str>),
    /// To have this text in the body.
    Body(Box<str>),
    /// To have this text in a header or in the body.
    Text(Box<str>),
    /// To have more bytes than this.
    Larger(u64),
    /// To have fewer bytes than this.
    Smaller(u64),
    /// To have this MODSEQ or a higher one.
    ModSeq(u64),
    /// Not to satisfy the key.
    Not(Box<Self>),
    /// To satisfy at least one of the two.
    Or(Box<Self>, Box<Self>),
    /// To satisfy each.
    And(Vec<Self>),
}

impl SearchKey {
    /// Whether messages are named by number: those must not change while the search goes on, though
    /// its answer be in UIDs (RFC 7162 §3.2.10.2, RFC 9051 §7.5.1). Recursion is as deep as the
    /// grammar lets keys nest.
    #[must_use]
    pub fn has_numbers(&self) -> bool {
        match self {
            Self::In(set) => !set.uid && set.numbers != Numbers::Saved,
            Self::Not(key) => key.has_numbers(),
            Self::Or(one, other) => one.has_numbers() || other.has_numbers(),
            Self::And(keys) => keys.iter().any(Self::has_numbers),
            _ => false,
        }
    }

    /// Whether a MODSEQ is among what is asked: then the highest one of what is found is told with
    /// it (RFC 7162 §3.1.5). Recursion is as deep as the grammar lets keys nest.
    #[must_use]
    pub fn asks_modseq(&self) -> bool {
        match self {
            Self::ModSeq(_) => true,
            Self::Not(key) => key.asks_modseq(),
            Self::Or(one, other) => one.asks_modseq() || other.asks_modseq(),
            Self::And(keys) => keys.iter().any(Self::asks_modseq),
            _ => false,
        }
    }

    pub(super) fn read(charset: Option<&[u8]>, key: Key<'_>) -> Result<Self, UnknownCharset> {
        match charset {
            Some(name) if !known_charset(name) => Err(UnknownCharset),
            _ => Self::own(key),
        }
    }

    /// Recursion is as deep as the grammar lets keys nest.
    pub(super) fn own(key: Key<'_>) -> Result<Self, UnknownCharset> {
        // RFC 3501 §6.4.4: without CHARSET strings are US-ASCII, which is UTF-8 too.
        let text = |text: Text<'_>| match std::str::from_utf8(&text) {
            Ok(text) => Ok(Box::from(text)),
            Err(_) => Err(UnknownCharset),
        };
        Ok(match key {
            Key::All => Self::All,
            Key::Sequence(numbers) => Self::In(MessageSet { uid: false, numbers }),
            Key::Uid(numbers) => Self::In(MessageSet { uid: true, numbers }),
            Key::Recent => Self::Recent,
            Key::System(bit, set) => Self::System(bit, set),
            Key::Keyword(name, set) => Self::Keyword(name.into(), set),
            Key::Before(day) => Self::Before(day),
            Key::On(day) => Self::On(day),
            Key::Since(day) => Self::Since(day),
            Key::SavedBefore(day) => Self::SavedBefore(day),
            Key::SavedOn(day) => Self::SavedOn(day),
            Key::SavedSince(day) => Self::SavedSince(day),
            Key::EmailId(id) => Self::EmailId(EmailId::read(id)),
            // RFC 8474 §5.2: none is told, so none is found.
            Key::ThreadId(_) => Self::EmailId(None),
            Key::Older(seconds) => Self::Older(seconds),
            Key::Younger(seconds) => Self::Younger(seconds),
            Key::SentBefore(day) => Self::SentBefore(day),
            Key::SentOn(day) => Self::SentOn(day),
            Key::SentSince(day) => Self::SentSince(day),
            Key::Header(name, value) => Self::Header(name.into_owned().into(), text(value)?),
            Key::Body(value) => Self::Body(text(value)?),
            Key::Text(value) => Self::Text(text(value)?),
            Key::Larger(size) => Self::Larger(size),
            Key::Smaller(size) => Self::Smaller(size),
            Key::ModSeq(modseq) => Self::ModSeq(modseq),
            Key::Not(key) => Self::Not(Box::new(Self::own(*key)?)),
            Key::Or(one, other) => {
                Self::Or(Box::new(Self::own(*one)?), Box::new(Self::own(*other)?))
            }
            Key::And(keys) => Self::And(keys.into_iter().map(Self::own).collect::<Result<_, _>>()?),
        })
    }
}
