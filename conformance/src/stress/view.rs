//! What one client believes about the mailbox that it has open, and what a server may tell it.

use std::collections::BTreeSet;

use crate::address::imap::response::{Response, Value};

/// Flags, without `\Recent`: what is recent to one session need not be to another (RFC 3501 §2.3.2).
pub(super) type Flags = BTreeSet<String>;

/// A mailbox as a client sees it.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Its name.
    pub(super) mailbox: String,
    /// Its UIDVALIDITY, once told.
    pub(super) validity: u32,
    /// The next UID, as it was when the mailbox was opened.
    pub(super) next: u32,
    /// Its HIGHESTMODSEQ, as it was then, if it has one.
    pub(super) highest: Option<u64>,
    /// It was opened by EXAMINE.
    pub(super) read_only: bool,
    /// The messages, by number.
    pub(super) seen: Vec<Seen>,
    /// How many of them were there when it was opened.
    first: usize,
    /// All flags that may come.
    announced: BTreeSet<String>,
    /// SELECT or EXAMINE is under way.
    opening: bool,
}

/// What is known of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its UID, once told.
    pub(super) uid: Option<u32>,
    /// Its flags, once told.
    pub(super) flags: Option<Flags>,
    /// Its MODSEQ, once told.
    pub(super) modseq: Option<u64>,
}

/// What is under way while the server tells something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum During {
    /// No command.
    Nothing,
    /// FETCH, STORE or SEARCH by number: no number may move (RFC 3501 §7.4.1).
    Numbers,
    /// Another command.
    Command,
}

/// What a client has learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing that others would want to know.
    Nothing,
    /// A message is gone: its UID, if it was known.
    Gone(Option<u32>),
    /// Something about the message in this place.
    Fetched(usize),
}

impl View {
    /// A mailbox that is about to be opened.
    pub(super) fn opening(mailbox: &str, read_only: bool) -> Self {
        Self {
            mailbox: mailbox.to_owned(),
            validity: 0,
            next: 0,
            highest: None,
            read_only,
            seen: Vec::new(),
            first: 0,
            announced: BTreeSet::new(),
            opening: true,
        }
    }

    /// It is open now.
    ///
    /// # Errors
    /// What RFC 3501 §6.3.1 demands and was not told.
    pub(super) fn opened(&mut self) -> Result<(), String> {
        self.opening = false;
        self.first = self.seen.len();
        if self.validity == 0 || self.next == 0 || self.announced.is_empty() {
            return Err(format!(
                "{} was opened without UIDVALIDITY, UIDNEXT or FLAGS",
                self.mailbox
            ));
        }
        Ok(())
    }

    /// Takes in what a server tells.
    ///
    /// # Errors
    /// What it may not tell now, or what contradicts what it has told before.
    pub(super) fn take(&mut self, told: &Response, during: During) -> Result<News, String> {
        match told {
            Response::Status { code: Some((code, values)), .. } if self.opening => {
                let number = values.first().map(Value::text);
                if code == "HIGHESTMODSEQ" {
                    self.highest = number.as_ref().and_then(|number| number.parse().ok());
                }
                match (code.as_str(), number.and_then(|number| number.parse().ok())) {
                    ("UIDVALIDITY", Some(number)) => self.validity = number,
                    ("UIDNEXT", Some(number)) => self.next = number,
                    _ => {}
                }
                Ok(News::Nothing)
            }
            Response::Data { number: None, name, values } if name == "FLAGS" => {
                let flags = values.first().map(Value::list).unwrap_or_default();
                self.announced =
                    flags.iter().map(|flag| flag.text().to_ascii_lowercase()).collect();
                Ok(News::Nothing)
            }
            Response::Data { number: Some(number), name, values } => {
                let number = usize::try_from(*number).unwrap_or(usize::MAX);
                match name.as_str() {
                    "EXISTS" => self.exists(number),
                    "EXPUNGE" => self.expunge(number, during),
                    "FETCH" => self.fetch(number, values),
                    _ => Ok(News::Nothing),
                }
            }
            _ => Ok(News::Nothing),
        }
    }

    /// RFC 3501 §7.3.1: what is less is told by EXPUNGE.
    fn exists(&mut self, count: usize) -> Result<News, String> {
        if count < self.seen.len() {
            return Err(format!("EXISTS {count} where there were {}", self.seen.len()));
        }
        self.seen.resize(count, Seen::default());
        Ok(News::Nothing)
    }

    fn expunge(&mut self, number: usize, during: During) -> Result<News, String> {
        if during != During::Command || self.opening {
            return Err(format!("EXPUNGE {number} during {during:?} (RFC 3501 §7.4.1)"));
        }
        let at = self.place(number, "EXPUNGE")?;
        self.first -= usize::from(at < self.first);
        Ok(News::Gone(self.seen.remove(at).uid))
    }

    fn fetch(&mut self, number: usize, values: &[Value]) -> Result<News, String> {
        let at = self.place(number, "FETCH")?;
        let items = values.first().map(Value::list).unwrap_or_default();
        if let Some(uid) = item(items, "UID") {
            let uid = uid.text().parse().map_err(|_| format!("UID {}", uid.text()))?;
            self.learn_uid(at, uid)?;
        }
        if let Some(modseq) = item(items, "MODSEQ") {
            let told = modseq.list().first().and_then(|value| value.text().parse().ok());
            let modseq = told.ok_or_else(|| format!("MODSEQ {}", modseq.text()))?;
            self.learn_modseq(at, modseq)?;
        }
        if let Some(flags) = item(items, "FLAGS") {
            let flags: Vec<String> = flags.list().iter().map(Value::text).collect();
            let unheard = |flag: &&String| {
                let flag = flag.to_ascii_lowercase();
                flag != RECENT && !self.announced.contains(&flag)
            };
            if let Some(flag) = flags.iter().find(unheard) {
                return Err(format!("message {number} has {flag}, which FLAGS did not name"));
            }
            let flags = flags.into_iter().map(|flag| flag.to_ascii_lowercase());
            let flags = flags.filter(|flag| flag != RECENT).collect();
            if let Some(seen) = self.seen.get_mut(at) {
                seen.flags = Some(flags);
            }
        }
        Ok(News::Fetched(at))
    }

    /// RFC 3501 §2.3.1.1: they ascend with the numbers, and new ones are above the next one that was
    /// told.
    fn learn_uid(&mut self, at: usize, uid: u32) -> Result<(), String> {
        let number = at + 1;
        if let Some(old) = self.seen.get(at).and_then(|seen| seen.uid)
            && old != uid
        {
            return Err(format!("message {number} had UID {old} and has {uid}"));
        }
        let below = self.seen.iter().take(at).rev().find_map(|seen| seen.uid);
        let above = self.seen.iter().skip(number).find_map(|seen| seen.uid);
        if below.is_some_and(|below| below >= uid) || above.is_some_and(|above| above <= uid) {
            return Err(format!("message {number} has UID {uid} between {below:?} and {above:?}"));
        }
        if !self.opening && (at < self.first) != (uid < self.next) {
            let (first, next) = (self.first, self.next);
            return Err(format!(
                "message {number} has UID {uid}, where {first} were there and UIDNEXT was {next}"
            ));
        }
        if let Some(seen) = self.seen.get_mut(at) {
            seen.uid = Some(uid);
        }
        Ok(())
    }

    /// RFC 7162 §3.1.1: it only grows.
    fn learn_modseq(&mut self, at: usize, modseq: u64) -> Result<(), String> {
        let Some(seen) = self.seen.get_mut(at) else { return Ok(()) };
        let before = seen.modseq.replace(modseq).unwrap_or(0);
        if modseq < before {
            return Err(format!("message {} has MODSEQ {modseq} after {before}", at + 1));
        }
        Ok(())
    }

    fn place(&self, number: usize, what: &str) -> Result<usize, String> {
        let at = number.checked_sub(1).filter(|at| *at < self.seen.len());
        at.ok_or_else(|| format!("{what} of message {number} where there are {}", self.seen.len()))
    }

    /// The place of a message.
    pub(super) fn place_of(&self, uid: u32) -> Option<usize> {
        self.seen.iter().position(|seen| seen.uid == Some(uid))
    }

    /// The numbers of the messages of which the UID or the flags are not known, as far as they follow
    /// each other.
    pub(super) fn unknown(&self) -> Option<(usize, usize)> {
        let lacks = |seen: &Seen| seen.uid.is_none() || seen.flags.is_none();
        let from = self.seen.iter().position(lacks)?;
        let count = self.seen.iter().skip(from).take_while(|seen| lacks(seen)).count();
        Some((from + 1, from + count))
    }
}

/// An item of a FETCH response by its name.
pub(super) fn item<'a>(items: &'a [Value], name: &str) -> Option<&'a Value> {
    let mut pairs = items.chunks_exact(2);
    pairs.find_map(|pair| {
        let [key, value] = pair else { return None };
        key.text().eq_ignore_ascii_case(name).then_some(value)
    })
}

const RECENT: &str = "\\recent";

#[cfg(test)]
mod tests {
    use super::*;

    fn view(lines: &[&str]) -> View {
        let mut view = View::opening("x", false);
        let opening =
            ["* FLAGS (\\Seen a)", "* 3 EXISTS", "* OK [UIDVALIDITY 1] x", "* OK [UIDNEXT 9] x"];
        for line in opening {
            assert!(told(&mut view, line, During::Command).is_ok());
        }
        view.opened().unwrap();
        for line in lines {
            assert!(told(&mut view, line, During::Command).is_ok(), "{line}");
        }
        view
    }

    fn told(view: &mut View, line: &str, during: During) -> Result<News, String> {
        view.take(&Response::parse(line.as_bytes()).unwrap(), during)
    }

    #[test]
    fn what_a_server_may_not_tell_is_found() {
        let known = ["* 1 FETCH (UID 2 FLAGS ())", "* 2 FETCH (UID 4)", "* 3 FETCH (UID 8)"];
        for (line, during) in [
            ("* 2 EXISTS", During::Command),
            ("* 1 EXPUNGE", During::Nothing),
            ("* 1 EXPUNGE", During::Numbers),
            ("* 4 EXPUNGE", During::Command),
            ("* 0 EXPUNGE", During::Command),
            ("* 4 FETCH (UID 9)", During::Command),
            ("* 1 FETCH (UID 3)", During::Command),
            ("* 1 FETCH (FLAGS (b))", During::Command),
        ] {
            assert!(told(&mut view(&known), line, during).is_err(), "{line} {during:?}");
        }
        for line in ["* 2 FETCH (UID 2)", "* 2 FETCH (UID 8)", "* 1 FETCH (UID 9)"] {
            assert!(
                told(&mut view(&[known[0], known[2]]), line, During::Command).is_err(),
                "{line}"
            );
        }
        // What has come since is above the next UID that was told.
        let mut grown = view(&["* 4 EXISTS"]);
        assert!(told(&mut grown, "* 4 FETCH (UID 8)", During::Command).is_err());
        assert!(told(&mut grown, "* 4 FETCH (UID 9)", During::Command).is_ok());
    }

    #[test]
    fn numbers_move_when_something_goes() {
        let mut view = view(&["* 1 FETCH (UID 2)", "* 2 FETCH (UID 4)", "* 3 FETCH (UID 8)"]);
        let gone = told(&mut view, "* 2 EXPUNGE", During::Command);
        assert_eq!(gone, Ok(News::Gone(Some(4))));
        assert_eq!(view.place_of(8), Some(1));
        assert!(
            told(&mut view, "* 2 FETCH (UID 8 FLAGS (\\Seen \\Recent))", During::Nothing).is_ok()
        );
        assert_eq!(view.seen[1].flags, Some(Flags::from(["\\seen".to_owned()])));
        assert_eq!(view.unknown(), Some((1, 1)));
    }
}
