//! What the clients know of each letter: the promise in numbers.

use std::collections::BTreeMap;

use super::prng::Prng;

/// The accounts of the simulation, each with the address `NAME@localhost`.
pub(super) const ACCOUNTS: [&str; 2] = ["user", "friend"];

/// The mailboxes that readers open, in each account; letters come into the first.
pub(super) const MAILBOXES: [&str; 2] = ["INBOX", "Archive"];

/// A mailbox: by place in [`ACCOUNTS`] and in [`MAILBOXES`].
pub(super) type Place = (usize, usize);

/// What a letter is sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To be delivered exactly as it is.
    Plain,
    /// Must be refused, and nothing of it stored.
    Smuggling,
    /// Filed by a reader with APPEND.
    Appended,
}

/// A letter and what its sender knows of it.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// What it is sent for.
    pub(super) kind: Kind,
    /// Its recipients, by place in [`ACCOUNTS`].
    pub(super) to: Vec<usize>,
    /// Its text: for a plain one what must be found behind the lines that the server puts in front.
    pub(super) text: Vec<u8>,
    /// The server has said that it is stored.
    pub(super) acknowledged: bool,
    /// The server has said that it never will be.
    pub(super) refused: bool,
    /// How often it was sent whole and no answer came: each may have stored it.
    pub(super) doubts: usize,
    /// A reader has begun to delete it: it may be there or not.
    pub(super) deleting: bool,
    /// How many copies readers have made, by account: for certain, and perhaps.
    pub(super) copies: BTreeMap<usize, (usize, usize)>,
}

/// All letters, and everything that was found to be wrong.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By number.
    pub(super) letters: Vec<Letter>,
    /// Which letter has which UID: never to change.
    pub(super) uids: BTreeMap<(Place, u32), usize>,
    /// UIDVALIDITY of each mailbox as first seen.
    pub(super) uidvalidity: BTreeMap<Place, u32>,
    /// Whether a message has the keyword that only one reader sets, by reader; where that is certain.
    pub(super) own: BTreeMap<(Place, u32, usize), bool>,
    /// How often a reader has gone on where it was.
    pub(super) resyncs: usize,
    /// What broke the promise.
    pub(super) violations: Vec<String>,
}

impl Ledger {
    /// Makes up a letter and gives its number.
    pub(super) fn write(&mut self, kind: Kind, prng: &mut Prng) -> usize {
        let number = self.letters.len();
        let mut text = format!("X-Sim: {number}\r\nSubject: letter {number}\r\n\r\n").into_bytes();
        let size = match prng.below(24) {
            0 => prng.between(300_000, 420_000),
            1 | 2 => prng.between(66_000, 90_000),
            3 => 0,
            _ => prng.between(1, 900),
        };
        let end = text.len() + if kind == Kind::Smuggling { size.min(2_000) } else { size };
        while text.len() < end {
            // Dots in a smuggler's text would end it honestly.
            let choice = if kind == Kind::Smuggling { 7 } else { prng.below(8) };
            let line: &[u8] = match choice {
                0 => b".",
                1 => b"..",
                2 => b"",
                3 => b".x",
                4 => b"RSET",
                _ => b"The quick brown fox jumps over the lazy dog, and over the other one.",
            };
            text.extend_from_slice(line);
            text.extend_from_slice(b"\r\n");
        }
        if kind == Kind::Smuggling {
            let ends: [&[u8]; 5] = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"x\ry"];
            text.extend_from_slice(ends.get(prng.below(ends.len())).copied().unwrap_or_default());
            text.extend_from_slice(
                b"MAIL FROM:<evil@localhost>\r\nRCPT TO:<user@localhost>\r\nDATA\r\n\
                  X-Sim: smuggled\r\n\r\nsmuggled\r\n",
            );
        }
        let to = match prng.below(4) {
            0 | 1 => vec![0],
            2 => vec![1],
            _ => vec![0, 1],
        };
        self.letters.push(Letter {
            kind,
            to,
            text,
            acknowledged: false,
            refused: false,
            doubts: 0,
            deleting: false,
            copies: BTreeMap::new(),
        });
        number
    }

    /// Takes down that the promise was broken.
    pub(super) fn violation(&mut self, what: String) {
        if self.violations.len() < 20 {
            self.violations.push(what);
        }
    }

    /// The letter that a stored text is; anything else breaks the promise.
    pub(super) fn recognise(&mut self, account: usize, text: &[u8]) -> Option<usize> {
        let number = number_in(text);
        let found = number.and_then(|number| Some((number, self.letters.get(number)?)));
        let what = match found {
            None => "a message that nobody sent",
            Some((_, letter)) if letter.kind == Kind::Smuggling => "a smuggling letter is stored",
            Some((_, letter)) if !letter.to.contains(&account) => "a letter of somebody else",
            Some((_, letter)) if !is_whole(letter, text) => "not as it was sent",
            Some((number, _)) => return Some(number),
        };
        let name = ACCOUNTS.get(account).unwrap_or(&"?");
        self.violation(format!("letter {number:?} in the mailbox of {name}: {what}"));
        None
    }

    /// Remembers which letter has a UID, and that it is the same as before.
    pub(super) fn saw(&mut self, place: Place, uid: u32, number: usize) {
        let before = *self.uids.entry((place, uid)).or_insert(number);
        if before != number {
            self.violation(format!("UID {uid} was letter {before} and is letter {number}"));
        }
    }

    /// Remembers a UIDVALIDITY, and that it is the same as before.
    pub(super) fn saw_uidvalidity(&mut self, place: Place, value: u32) {
        let before = *self.uidvalidity.entry(place).or_insert(value);
        if before != value {
            self.violation(format!("UIDVALIDITY was {before} and is {value}"));
        }
    }

    /// Whether a letter's sender need not send it again.
    #[must_use]
    pub(super) fn is_settled(&self, number: usize) -> bool {
        self.letters.get(number).is_none_or(|letter| letter.acknowledged || letter.refused)
    }
}

/// The keyword that only one reader sets.
pub(super) fn keyword(reader: usize) -> String {
    format!("$r{reader}")
}

/// A plain letter stands behind the lines of the server; an appended one is all there is.
fn is_whole(letter: &Letter, text: &[u8]) -> bool {
    match text.strip_suffix(letter.text.as_slice()) {
        Some(before) if letter.kind == Kind::Appended => before.is_empty(),
        Some(before) => {
            before.starts_with(b"Return-Path: <")
                && before.ends_with(b"\r\n")
                && !before.windows(4).any(|four| four == b"\r\n\r\n")
        }
        None => false,
    }
}

/// The number in the line `X-Sim`.
fn number_in(text: &[u8]) -> Option<usize> {
    let mark = b"X-Sim: ";
    let at = text.windows(mark.len()).position(|part| part == mark)?;
    let rest = text.get(at + mark.len()..)?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}
