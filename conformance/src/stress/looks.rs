//! What only looks at messages: FETCH and SEARCH.

use std::collections::BTreeSet;

use crate::address::imap::response::Value;

use super::changes::fetched_with;
use super::client::{Answer, Client, Stop};
use super::letter::{FIELD, is_delivered};
use super::pick;
use super::view::item;

/// What is asked for, and the items that must come.
const FETCHES: [(&str, &[&str]); 12] = [
    ("FLAGS", &["FLAGS"]),
    ("(UID FLAGS)", &["UID", "FLAGS"]),
    ("(UID BODY.PEEK[])", &["UID", "BODY[]"]),
    ("(UID RFC822.SIZE BODY.PEEK[])", &["UID", "RFC822.SIZE", "BODY[]"]),
    ("BODY[]", &["BODY[]"]),
    ("(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", &["INTERNALDATE", "RFC822.SIZE", "ENVELOPE"]),
    ("BODYSTRUCTURE", &["BODYSTRUCTURE"]),
    ("(BODY.PEEK[HEADER] BODY.PEEK[TEXT])", &["BODY[HEADER]", "BODY[TEXT]"]),
    ("(UID BODY.PEEK[]<0.40>)", &["UID", "BODY[]<0>"]),
    ("(BODY.PEEK[TEXT]<10.100>)", &["BODY[TEXT]<10>"]),
    ("ALL", &["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"]),
    ("FULL", &["FLAGS", "BODY"]),
];

impl Client<'_> {
    pub(super) fn fetch(&mut self) -> Result<(), Stop> {
        let Some(picked) = self.some_messages() else { return Ok(()) };
        let at = self.prng.below(FETCHES.len());
        let (what, items) = FETCHES.get(at).copied().unwrap_or_default();
        let command = format!("{}FETCH {} {what}", picked.prefix(), picked.set);
        let answer = self.ask(&command)?;
        let meant: BTreeSet<u32> = picked.uids.iter().copied().collect();
        let mailbox = self.lasting();
        let may_lack = |uid: u32| mailbox.as_ref().is_none_or(|name| self.record.may_go(name, uid));
        if !picked.uids.iter().any(|uid| may_lack(*uid)) {
            self.must(&answer, &command)?;
        }
        for name in items.iter().filter(|name| name.starts_with("BODY[")) {
            if let Some(uid) = fetched_with(&answer, name).difference(&meant).next() {
                return Err(Stop::Wrong(format!("{command}: {name} of UID {uid}")));
            }
        }
        for (uid, letter) in picked.uids.iter().zip(&picked.letters) {
            if may_lack(*uid) {
                continue;
            }
            for name in items {
                if !fetched_with(&answer, name).contains(uid) {
                    let what = format!("{command}: no {name} of UID {uid}");
                    return Err(Stop::Wrong(what));
                }
            }
            self.compare(&answer, *uid, *letter)?;
        }
        Ok(())
    }

    /// Pieces of a letter are those of the letter.
    fn compare(&self, answer: &Answer, uid: u32, number: u64) -> Result<(), Stop> {
        let letter = self.mint.letter(number);
        let header = letter.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0) + 4;
        let (head, text) = letter.split_at_checked(header).unwrap_or((&letter, &[]));
        let piece = |from: usize, to: usize, of: &[u8]| {
            of.get(from.min(of.len())..to.min(of.len())).unwrap_or_default().to_vec()
        };
        let sections = [
            ("BODY[TEXT]", text.to_vec()),
            ("BODY[TEXT]<10>", piece(10, 110, text)),
            ("BODY[]", letter.clone()),
            ("BODY[HEADER]", head.to_vec()),
            ("BODY[]<0>", piece(0, 40, &letter)),
        ];
        // One that was delivered has lines in front that nobody here can know.
        let known = if is_delivered(number) { 2 } else { sections.len() };
        for (_, items) in answer.fetched.iter().filter(|(told, _)| *told == Some(uid)) {
            for (name, wanted) in sections.iter().take(known) {
                if let Some(told) = item(items, name)
                    && *told != Value::Text(wanted.clone())
                    && !(wanted.is_empty() && told.text().eq_ignore_ascii_case("NIL"))
                {
                    let what =
                        format!("{name} of UID {uid}, letter {number}, is not as it was sent");
                    return Err(Stop::Wrong(what));
                }
            }
            if let Some(size) = item(items, "RFC822.SIZE")
                && size.text() != letter.len().to_string()
                && !is_delivered(number)
            {
                let what = format!("RFC822.SIZE {} of letter {number}", size.text());
                return Err(Stop::Wrong(what));
            }
        }
        Ok(())
    }

    pub(super) fn search(&mut self) -> Result<(), Stop> {
        let Some(view) = &self.view else { return Ok(()) };
        let Some(picked) = pick::some(view, self.record, &mut self.prng) else { return Ok(()) };
        let by_uid = self.prng.once_in(2);
        let (before, keyword) = (view.clone(), self.keyword());
        let Some((uid, letter)) = picked.uids.first().zip(picked.letters.first()) else {
            return Ok(());
        };
        let kind = self.prng.below(5);
        let keys = match kind {
            0 => "ALL".to_owned(),
            1 => format!("KEYWORD {keyword}"),
            2 => format!("UNKEYWORD {keyword}"),
            3 => format!("HEADER {FIELD} {}-{letter}", self.mint.seed),
            _ => format!("UID {uid}:*"),
        };
        let prefix = if by_uid { "UID " } else { "" };
        let command = format!("{prefix}SEARCH {keys}");
        let answer = self.ask(&command)?;
        self.must(&answer, &command)?;
        let numbers = answer.data.iter().filter(|(name, _)| name == "SEARCH");
        let numbers = numbers.flat_map(|(_, values)| values).map(|value| value.text().parse());
        let found: Result<BTreeSet<u32>, _> = numbers.collect();
        let found = found.map_err(|_| Stop::Wrong(format!("{command}: {answer:?}")))?;
        let count = self.view.as_ref().map_or(0, |view| view.seen.len());
        let most = found.last().copied().unwrap_or(0);
        if !by_uid && usize::try_from(most).is_ok_and(|most| most > count) {
            return Err(Stop::Wrong(format!("{command}: {most} of {count}")));
        }
        let Some(mailbox) = self.lasting() else { return Ok(()) };
        for (at, seen) in before.seen.iter().enumerate() {
            let Some(one) = seen.uid else { continue };
            if self.record.may_go(&mailbox, one) {
                continue;
            }
            let wanted = match kind {
                0 => Some(true),
                1 => self.record.own(&mailbox, one, self.index),
                2 => self.record.own(&mailbox, one, self.index).map(|has| !has),
                3 => {
                    let known = self.record.letter_of(&mailbox, before.validity, one);
                    // A search looks for a part of the field's text.
                    known.filter(|known| known == letter).map(|_| true)
                }
                _ => Some(one >= *uid),
            };
            let number = if by_uid { one } else { u32::try_from(at).unwrap_or(u32::MAX) + 1 };
            let is = found.contains(&number);
            if wanted.is_some_and(|wanted| wanted != is) {
                let what = if is { "is found" } else { "is not found" };
                return Err(Stop::Wrong(format!("{command}: UID {one} {what}")));
            }
        }
        Ok(())
    }
}
