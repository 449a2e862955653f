//! Whether a message is what a search looks for (RFC 3501 §6.4.4): a question to facts, without
//! reading the message.

use super::command::{MessageSet, SearchKey};
use super::flags::{FlagBits, Keywords};
use super::grammar::Day;
use super::view::{View, contains, resolve_ranges};

/// What a search needs to know of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its number in this session.
    pub sequence: u32,
    /// Its UID.
    pub uid: u32,
    /// Its flags.
    pub flags: FlagBits,
    /// The day of its internal date.
    pub received: Day,
    /// Its size in bytes.
    pub size: u64,
}

/// A search made ready for one mailbox: names are bits, `*` is a number.
///
/// Each message costs the number of keys, and for a set the logarithm of its ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search(Node);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    /// Whether everything or nothing.
    Constant(bool),
    /// Sorted ranges that do not touch, both ends in them.
    Sequences(Vec<(u32, u32)>),
    Uids(Vec<(u32, u32)>),
    Flag(u64, bool),
    Before(Day),
    On(Day),
    Since(Day),
    Larger(u64),
    Smaller(u64),
    Not(Box<Self>),
    Or(Box<Self>, Box<Self>),
    And(Vec<Self>),
}

impl Search {
    /// A search in the mailbox of this view. `Err` names what is not supported.
    ///
    /// # Errors
    /// The name of the first key that IMAP knows and we do not yet.
    pub fn new(key: &SearchKey, view: &View, keywords: &Keywords) -> Result<Self, &'static str> {
        Node::new(key, view, keywords).map(Self)
    }

    /// Whether a message is among what is looked for.
    #[must_use]
    pub fn matches(&self, facts: &Facts) -> bool {
        self.0.matches(facts)
    }
}

impl Node {
    /// Recursion is as deep as the grammar lets keys nest.
    fn new(key: &SearchKey, view: &View, keywords: &Keywords) -> Result<Self, &'static str> {
        let inner = |key: &SearchKey| Self::new(key, view, keywords);
        Ok(match key {
            SearchKey::All => Self::Constant(true),
            SearchKey::In(MessageSet { uid: false, ranges }) => {
                Self::Sequences(resolve_ranges(ranges, view.count()))
            }
            SearchKey::In(MessageSet { uid: true, ranges }) => {
                Self::Uids(resolve_ranges(ranges, view.last_uid()))
            }
            SearchKey::Recent => Self::Uids(view.recent().to_vec()),
            SearchKey::System(bit, set) => Self::Flag(*bit, *set),
            // No message has a keyword that the mailbox does not know.
            SearchKey::Keyword(name, set) => match keywords.bit(name) {
                Some(bit) => Self::Flag(bit, *set),
                None => Self::Constant(!set),
            },
            SearchKey::Before(day) => Self::Before(*day),
            SearchKey::On(day) => Self::On(*day),
            SearchKey::Since(day) => Self::Since(*day),
            SearchKey::Larger(size) => Self::Larger(*size),
            SearchKey::Smaller(size) => Self::Smaller(*size),
            SearchKey::Not(key) => Self::Not(Box::new(inner(key)?)),
            SearchKey::Or(one, other) => Self::Or(Box::new(inner(one)?), Box::new(inner(other)?)),
            SearchKey::And(keys) => Self::And(keys.iter().map(inner).collect::<Result<_, _>>()?),
            SearchKey::Unsupported(name) => return Err(name),
        })
    }

    fn matches(&self, facts: &Facts) -> bool {
        match self {
            Self::Constant(answer) => *answer,
            Self::Sequences(ranges) => contains(ranges, facts.sequence),
            Self::Uids(ranges) => contains(ranges, facts.uid),
            Self::Flag(bit, set) => facts.flags.has(*bit) == *set,
            Self::Before(day) => facts.received < *day,
            Self::On(day) => facts.received == *day,
            Self::Since(day) => facts.received >= *day,
            Self::Larger(size) => facts.size > *size,
            Self::Smaller(size) => facts.size < *size,
            Self::Not(key) => !key.matches(facts),
            Self::Or(one, other) => one.matches(facts) || other.matches(facts),
            Self::And(keys) => keys.iter().all(|key| key.matches(facts)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::Command;
    use crate::imap::flags::{ANSWERED, SEEN};
    use crate::imap::grammar;

    /// Which of four messages a search finds, by sequence number.
    fn found(keys: &str) -> Result<Vec<u32>, &'static str> {
        let view = View::new([2, 3, 10, 11], 1).with_recent_above(9);
        let keywords = Keywords::new(["$Junk"]);
        let line = format!("a SEARCH {keys}");
        let (_, request) = grammar::command(line.as_bytes()).unwrap();
        let Some(Command::Search { key, .. }) = Command::from_request(request).unwrap() else {
            panic!("no search");
        };
        let search = Search::new(&key, &view, &keywords)?;
        let day = 20_000;
        let all = [
            Facts { sequence: 1, uid: 2, flags: FlagBits(SEEN), received: Day(day), size: 10 },
            Facts { sequence: 2, uid: 3, flags: FlagBits(0), received: Day(day + 1), size: 20 },
            Facts { sequence: 3, uid: 10, flags: FlagBits(32), received: Day(day + 2), size: 30 },
            Facts {
                sequence: 4,
                uid: 11,
                flags: FlagBits(SEEN | ANSWERED),
                received: Day(day + 3),
                size: 40,
            },
        ];
        Ok(all.iter().filter(|facts| search.matches(facts)).map(|facts| facts.sequence).collect())
    }

    #[test]
    fn keys_find_what_the_rfc_says() {
        // Day 20,000 is 4 October 2024.
        for (keys, numbers) in [
            ("ALL", &[1, 2, 3, 4][..]),
            ("SEEN", &[1, 4]),
            ("UNSEEN", &[2, 3]),
            ("SEEN UNANSWERED", &[1]),
            ("KEYWORD $junk", &[3]),
            ("UNKEYWORD $Junk", &[1, 2, 4]),
            ("KEYWORD other", &[]),
            ("UNKEYWORD other", &[1, 2, 3, 4]),
            ("2:3", &[2, 3]),
            ("4:2", &[2, 3, 4]),
            ("*", &[4]),
            ("9:*", &[4]),
            ("7", &[]),
            ("UID 3:10", &[2, 3]),
            ("UID 100:*", &[4]),
            ("UID 4:9", &[]),
            ("BEFORE 5-Oct-2024", &[1]),
            ("ON 5-Oct-2024", &[2]),
            ("SINCE 5-Oct-2024", &[2, 3, 4]),
            ("LARGER 20", &[3, 4]),
            ("SMALLER 20", &[1]),
            ("RECENT", &[3, 4]),
            ("OLD", &[1, 2]),
            ("NEW", &[3]),
            ("NOT NEW", &[1, 2, 4]),
            ("NOT SEEN", &[2, 3]),
            ("OR ANSWERED KEYWORD $Junk", &[3, 4]),
            ("NOT (SEEN LARGER 15)", &[1, 2, 3]),
            ("CHARSET utf-8 1,3", &[1, 3]),
        ] {
            assert_eq!(found(keys), Ok(numbers.to_vec()), "{keys}");
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (keys, name) in
            [("SUBJECT x", "SUBJECT"), ("OR ALL NOT (SEEN TO x)", "TO"), ("HEADER a b", "HEADER")]
        {
            assert_eq!(found(keys), Err(name));
        }
    }
}
