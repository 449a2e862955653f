//! What a group of responses says, so that two groups can be compared: untagged data may come in
//! any order, flags are sets, and numbers that a server chooses by itself mean nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::imap::response::{Response, Value};

/// What was said between two answers to commands.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    exists: Option<u32>,
    recent: bool,
    /// Message numbers in the order in which they were told.
    expunged: Vec<u32>,
    /// By message number, then by item.
    fetched: BTreeMap<u32, BTreeMap<String, Value>>,
    found: Option<BTreeSet<u32>>,
    status: BTreeMap<String, BTreeMap<String, String>>,
    mailboxes: BTreeSet<String>,
    flags: Option<BTreeSet<String>>,
    /// Of untagged OK.
    codes: BTreeMap<String, Vec<Value>>,
    bye: bool,
    /// The rest, by name only.
    others: BTreeSet<String>,
}

/// What the command was that is answered, as far as it says what the RFC fixes.
#[derive(Debug, Clone, Copy, Default)]
pub struct About {
    /// SELECT or EXAMINE, which must tell of the mailbox.
    pub opens: bool,
    /// It asks for UIDs, so they must come; else they are told by the server's own choice.
    pub asks_uid: bool,
    /// UID SEARCH.
    pub finds_uids: bool,
    /// What is to be taken from the server's UIDs so that the first is 1.
    pub base: u32,
}

impl Facts {
    /// Adds what one response says.
    pub fn add(&mut self, response: &Response) {
        match response {
            Response::Status { tag: None, kind, code } => match (kind.as_str(), code) {
                ("OK", Some((name, values))) => {
                    self.codes.insert(name.clone(), values.clone());
                }
                ("BYE", _) => self.bye = true,
                _ => {}
            },
            Response::Continue | Response::Status { .. } => {}
            Response::Data { number, name, values } => self.data(*number, name, values),
        }
    }

    fn data(&mut self, number: Option<u32>, name: &str, values: &[Value]) {
        let numbers = || values.iter().filter_map(|value| value.text().parse().ok());
        match (name, number) {
            ("EXISTS", Some(count)) => self.exists = Some(count),
            ("RECENT", Some(_)) => self.recent = true,
            ("EXPUNGE", Some(gone)) => self.expunged.push(gone),
            ("FETCH", Some(message)) => {
                let items = values.first().map(Value::list).unwrap_or_default();
                let message = self.fetched.entry(message).or_default();
                for pair in items.chunks_exact(2) {
                    if let [name, value] = pair {
                        message.insert(name.text().to_ascii_uppercase(), value.clone());
                    }
                }
            }
            ("SEARCH", None) => self.found = Some(numbers().collect()),
            ("FLAGS", None) => {
                self.flags = Some(flags(values.first().map(Value::list).unwrap_or_default()));
            }
            ("STATUS", None) => {
                let [mailbox, items] = values else { return };
                let pairs = items.list().chunks_exact(2);
                let pairs = pairs.filter_map(|pair| Some((pair.first()?, pair.last()?)));
                let pairs =
                    pairs.map(|(key, value)| (key.text().to_ascii_uppercase(), value.text()));
                self.status.insert(mailbox_name(mailbox), pairs.collect());
            }
            ("LIST" | "LSUB", None) => {
                // RFC 5258 §6: more may stand behind the name.
                if let [_, _, name, ..] = values {
                    self.mailboxes.insert(mailbox_name(name));
                }
            }
            (name, _) => {
                self.others.insert(name.to_owned());
            }
        }
    }

    /// Adds all that `later` says.
    pub fn merge(&mut self, later: Self) {
        self.exists = later.exists.or(self.exists);
        self.recent |= later.recent;
        self.bye |= later.bye;
        self.expunged.extend(later.expunged);
        for (message, items) in later.fetched {
            self.fetched.entry(message).or_default().extend(items);
        }
        self.found = later.found.or_else(|| self.found.take());
        self.status.extend(later.status);
        self.mailboxes.extend(later.mailboxes);
        self.flags = later.flags.or_else(|| self.flags.take());
        self.codes.extend(later.codes);
        self.others.extend(later.others);
    }

    /// What was said unasked and may count for a later command: a server chooses when it tells
    /// what has changed.
    #[must_use]
    pub fn left_over(self, wanted: &Self) -> Self {
        let mut left = Self::default();
        if wanted.exists.is_none() {
            left.exists = self.exists;
        }
        if wanted.expunged.is_empty() {
            left.expunged = self.expunged;
        }
        for (message, items) in self.fetched {
            if !wanted.fetched.contains_key(&message) {
                left.fetched.insert(message, items);
            }
        }
        left
    }

    /// Whether messages are gone of which nobody should have been told.
    #[must_use]
    pub const fn tells_expunged(&self) -> bool {
        !self.expunged.is_empty()
    }

    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { exists, recent, expunged, fetched, found, .. } = self;
        exists.is_none()
            && !recent
            && !self.bye
            && expunged.is_empty()
            && fetched.is_empty()
            && found.is_none()
            && self.status.is_empty()
            && self.mailboxes.is_empty()
            && self.flags.is_none()
            && self.codes.is_empty()
            && self.others.is_empty()
    }

    /// The first thing that `self` says and `heard` does not. `heard` may say more.
    #[must_use]
    pub fn missing_in(&self, heard: &Self, about: About) -> Option<String> {
        self.counts(heard, about)
            .or_else(|| self.fetches(heard, about))
            .or_else(|| self.lists(heard))
            .or_else(|| about.opens.then(|| self.opening(heard)).flatten())
    }

    fn counts(&self, heard: &Self, about: About) -> Option<String> {
        if let Some(count) = self.exists
            && heard.exists != Some(count)
        {
            return Some(format!("expected {count} EXISTS, heard {:?}", heard.exists));
        }
        let (wanted, told) = (originals(&self.expunged), originals(&heard.expunged));
        if !wanted.is_empty() && wanted != told {
            return Some(format!("expected EXPUNGE of {wanted:?}, heard of {told:?}"));
        }
        if let Some(wanted) = &self.found {
            let base = if about.finds_uids { about.base } else { 0 };
            let told: Option<BTreeSet<u32>> = heard
                .found
                .as_ref()
                .map(|found| found.iter().map(|number| number.saturating_sub(base)).collect());
            if told.as_ref() != Some(wanted) {
                return Some(format!("expected SEARCH {wanted:?}, heard {told:?}"));
            }
        }
        (self.bye && !heard.bye).then(|| "expected BYE, heard none".into())
    }

    fn fetches(&self, heard: &Self, about: About) -> Option<String> {
        for (message, items) in &self.fetched {
            // Behind lines that a server adds, sizes mean nothing.
            let traced = items.values().any(is_traced);
            for (item, wanted) in items {
                let by_choice = (item == "UID" && !about.asks_uid)
                    || (item == "RFC822.SIZE" && traced)
                    || item == "MODSEQ";
                if by_choice {
                    continue;
                }
                let told = heard.fetched.get(message).and_then(|items| items.get(item));
                let Some(told) = told else {
                    return Some(format!("expected {item} of message {message}, heard none"));
                };
                if !same_item(item, wanted, told, about.base) {
                    let (wanted, told) = (wanted.text(), told.text());
                    return Some(format!(
                        "expected {item} {wanted:?} of message {message}, heard {told:?}"
                    ));
                }
            }
        }
        None
    }

    fn lists(&self, heard: &Self) -> Option<String> {
        for (mailbox, items) in &self.status {
            let Some(told) = heard.status.get(mailbox) else {
                return Some(format!("expected STATUS of {mailbox}, heard none"));
            };
            for (item, wanted) in items {
                let chosen = ["RECENT", "UIDNEXT", "UIDVALIDITY"].contains(&item.as_str());
                match told.get(item) {
                    Some(told) if told == wanted || chosen => {}
                    told => {
                        return Some(format!(
                            "expected {item} {wanted} of {mailbox}, heard {told:?}"
                        ));
                    }
                }
            }
        }
        // Which mailboxes an account begins with is the server's choice.
        let mut named =
            self.mailboxes.iter().filter(|name| !FIRST_MAILBOXES.contains(&name.as_str()));
        if let Some(name) = named.find(|name| !heard.mailboxes.contains(*name)) {
            return Some(format!("expected mailbox {name:?} to be listed"));
        }
        let mut others = self.others.iter();
        let missing = others.find(|name| !heard.others.contains(*name))?;
        Some(format!("expected {missing}, heard none"))
    }

    /// RFC 3501 §6.3.1: what SELECT and EXAMINE must tell.
    fn opening(&self, heard: &Self) -> Option<String> {
        let must = [
            ("FLAGS", self.flags.is_none() || heard.flags.is_some()),
            ("RECENT", !self.recent || heard.recent),
            ("[UIDVALIDITY]", heard.codes.contains_key("UIDVALIDITY")),
            ("[UIDNEXT]", heard.codes.contains_key("UIDNEXT")),
        ];
        if let Some((name, _)) = must.into_iter().find(|(_, good)| !good) {
            return Some(format!("expected {name}, heard none"));
        }
        let system = |all: &BTreeSet<String>| -> BTreeSet<String> {
            all.iter().filter(|flag| flag.starts_with('\\')).cloned().collect()
        };
        if let (Some(wanted), Some(told)) = (&self.flags, &heard.flags)
            && let Some(flag) = system(wanted).difference(told).next()
        {
            return Some(format!("expected {flag} among FLAGS"));
        }
        // Left out, it means that the client must look by itself.
        let (wanted, told) = (self.codes.get("UNSEEN"), heard.codes.get("UNSEEN"));
        let same = told.is_none() || wanted == told;
        (!same).then(|| format!("expected [UNSEEN] {wanted:?}, heard {told:?}"))
    }
}

/// Whether two servers mean the same by an item of FETCH.
fn same_item(item: &str, wanted: &Value, told: &Value, base: u32) -> bool {
    let number = |value: &Value| value.text().parse::<u32>().ok();
    match item {
        "FLAGS" => flags(wanted.list()) == flags(told.list()),
        "UID" => number(told).map(|uid| uid.saturating_sub(base)) == number(wanted),
        // The moment of delivery is the server's own; one that APPEND has set is kept.
        "INTERNALDATE" => match (instant(&wanted.text()), instant(&told.text())) {
            (Some(wanted), Some(told)) => wanted == told || wanted == DELIVERED,
            _ => false,
        },
        _ if is_traced(wanted) => match (wanted, told) {
            (Value::Text(wanted), Value::Text(told)) => untraced(wanted) == untraced(told),
            _ => false,
        },
        _ => wanted == told,
    }
}

/// Flags as a set, in small letters. `\Recent` is left out: it says which session was first to
/// see a message, which is a matter of chance.
fn flags(values: &[Value]) -> BTreeSet<String> {
    let all = values.iter().map(|value| value.text().to_ascii_lowercase());
    all.filter(|flag| flag != "\\recent").collect()
}

/// INBOX in any case is one name (RFC 3501 §5.1).
fn mailbox_name(value: &Value) -> String {
    let name = value.text();
    if name.eq_ignore_ascii_case("inbox") { "INBOX".into() } else { name }
}

/// The numbers that messages had before any of them was gone: servers may tell from the first to
/// the last or backwards.
fn originals(expunged: &[u32]) -> BTreeSet<u32> {
    let mut gone: BTreeSet<u32> = BTreeSet::new();
    for number in expunged {
        let mut original = *number;
        for earlier in &gone {
            if *earlier <= original {
                original = original.saturating_add(1);
            }
        }
        gone.insert(original);
    }
    gone
}

/// A message that begins with lines which the server has added (RFC 5321 §4.4).
fn is_traced(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.starts_with(b"Return-Path:"))
}

/// The message without the lines in front that servers add.
fn untraced(message: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    let mut ours = false;
    let mut lines = text.split_inclusive('\n').skip_while(|line| {
        if !line.starts_with([' ', '\t']) {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            ours = TRACES.contains(&name.as_str());
        }
        ours
    });
    lines.by_ref().collect::<String>().into_bytes()
}

/// A date-time of IMAP as minutes and seconds since some day, in UTC; `None` where it is none.
fn instant(text: &str) -> Option<i64> {
    let mut words = text.split_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let mut date = date.split('-');
    let day: i64 = date.next()?.parse().ok()?;
    let month = date.next()?.to_ascii_lowercase();
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()?;
    let year: i64 = date.next()?.parse().ok()?;
    let clock: Vec<i64> = time.split(':').filter_map(|part| part.parse().ok()).collect();
    let [hour, minute, second] = clock.as_slice() else { return None };
    let offset: i64 = zone.parse().ok()?;
    let offset = offset / 100 * 60 + offset % 100;
    // Days count as if each month had 31: nothing here crosses the end of one.
    let days = (year * 12 + month) * 31 + day;
    Some(((days * 24 + hour) * 60 + minute - offset) * 60 + second)
}

/// [`BEGINNING`](crate::world::BEGINNING) as [`instant`] counts.
const DELIVERED: i64 = (((2_026 * 12 + 10) * 31 + 24) * 24 + 13) * 3_600 + 34 * 60;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Lines in front of a message that servers add, in small letters.
const TRACES: [&str; 5] =
    ["return-path", "received", "delivered-to", "x-original-to", "received-spf"];

/// The mailboxes that our own accounts begin with, beside INBOX.
const FIRST_MAILBOXES: [&str; 5] = ["Archive", "Drafts", "Junk", "Sent", "Trash"];

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> Facts {
        let mut facts = Facts::default();
        for line in text.split('|') {
            facts.add(&Response::parse(line.as_bytes()).unwrap());
        }
        facts
    }

    fn opens() -> About {
        About { opens: true, ..About::default() }
    }

    #[test]
    fn what_may_differ_does() {
        for (wanted, told, about) in [
            (
                "* 1 FETCH (FLAGS (\\Seen a))",
                "* 1 FETCH (FLAGS (A \\Recent \\Seen))",
                About::default(),
            ),
            ("* 1 FETCH (UID 1 FLAGS ())", "* 1 FETCH (FLAGS ())", About::default()),
            ("* 1 FETCH (X 1 Y 2)", "* 1 FETCH (Y 2)|* 1 FETCH (X 1)", About::default()),
            ("* 1 EXPUNGE|* 1 EXPUNGE", "* 2 EXPUNGE|* 1 EXPUNGE", About::default()),
            ("* SEARCH 1 2", "* SEARCH 2 1", About::default()),
            ("* SEARCH 1", "* SEARCH 8", About { finds_uids: true, base: 7, ..About::default() }),
            (
                "* LIST () \"/\" INBOX|* LIST () \"/\" Sent",
                "* LIST (\\X) NIL Inbox",
                About::default(),
            ),
            (
                "* LIST () \"/\" INBOX (\"CHILDINFO\" (\"SUBSCRIBED\"))",
                "* LIST () \"/\" INBOX",
                About::default(),
            ),
            (
                "* STATUS INBOX (MESSAGES 1 UIDNEXT 2)",
                "* STATUS INBOX (UIDNEXT 9 MESSAGES 1)",
                About::default(),
            ),
            (
                "* 1 FETCH (INTERNALDATE \"24-Nov-2026 10:00:01 +0000\")",
                "* 1 FETCH (INTERNALDATE \"24-Nov-2026 11:30:01 +0130\")",
                About::default(),
            ),
            (
                "* 1 FETCH (INTERNALDATE \"24-Nov-2026 13:34:00 +0000\")",
                "* 1 FETCH (INTERNALDATE \" 1-Jan-2020 00:00:00 +0000\")",
                About::default(),
            ),
            (
                "* 1 FETCH (RFC822.SIZE 18 BODY[] {18}\r\nReturn-Path: a\r\nx\n)",
                "* 1 FETCH (RFC822.SIZE 99 BODY[] {19}\r\nReceived: a\r\n\tb\r\nx\n)",
                About::default(),
            ),
        ] {
            let difference = facts(wanted).missing_in(&facts(told), about);
            assert_eq!(difference, None, "{wanted} / {told}");
        }
    }

    #[test]
    fn what_must_not_differ_is_told() {
        for (wanted, told) in [
            ("* 1 FETCH (FLAGS (\\Seen))", "* 1 FETCH (FLAGS ())"),
            ("* 1 FETCH (FLAGS ())", "* 2 FETCH (FLAGS ())"),
            ("* 1 FETCH (RFC822.SIZE 9)", "* 1 FETCH (RFC822.SIZE 8)"),
            ("* 1 FETCH (BODY[] \"a\")", "* 1 FETCH (BODY[] \"b\")"),
            ("* 1 FETCH (BODY[] \"\")", "* 1 FETCH (BODY[] NIL)"),
            ("* 1 EXPUNGE|* 2 EXPUNGE", "* 1 EXPUNGE|* 1 EXPUNGE"),
            ("* SEARCH", "* 1 EXISTS"),
            ("* SEARCH 1", "* SEARCH 1 2"),
            ("* 2 EXISTS", "* 1 EXISTS"),
            ("* LIST () \"/\" own", "* LIST () \"/\" INBOX"),
            ("* STATUS INBOX (MESSAGES 1)", "* STATUS INBOX (MESSAGES 2)"),
            ("* BYE x", "* OK x"),
            ("* CAPABILITY IMAP4rev1", "* OK x"),
            (
                "* 1 FETCH (INTERNALDATE \"24-Nov-2026 10:00:01 +0000\")",
                "* 1 FETCH (INTERNALDATE \"24-Nov-2026 10:00:01 +0100\")",
            ),
        ] {
            let difference = facts(wanted).missing_in(&facts(told), About::default());
            assert!(difference.is_some(), "{wanted} / {told}");
        }
    }

    #[test]
    fn a_mailbox_that_is_opened_is_told_of() {
        let full =
            "* FLAGS (\\Seen)|* 0 EXISTS|* 0 RECENT|* OK [UIDVALIDITY 1] x|* OK [UIDNEXT 1] x";
        assert_eq!(facts(full).missing_in(&facts(full), opens()), None);
        for part in full.split('|') {
            let told = full.split('|').filter(|other| *other != part).collect::<Vec<_>>().join("|");
            assert!(facts(full).missing_in(&facts(&told), opens()).is_some(), "{part}");
        }
    }
}
