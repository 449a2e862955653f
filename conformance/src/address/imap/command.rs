//! What a transcript's client sends, cut into the pieces that a server answers, and rewritten for
//! its names and UIDs.

use std::collections::BTreeSet;

use crate::address::imap::Pending;
use crate::address::imap::response::literal_at_end;
use crate::address::names::Names;

/// A command, or a piece of one up to a literal that waits.
#[derive(Debug, Clone)]
pub struct Unit {
    raw: Vec<u8>,
    before: Pending,
    /// The command's name in capitals, without `UID`; empty within a command.
    pub verb: String,
    /// The first line, to be shown.
    pub line: String,
    /// What the client's next bytes are, if the server asks for more.
    pub next: Pending,
    /// What else may be answered.
    pub alternatives: Vec<String>,
}

impl Unit {
    /// Takes the first piece from what is sent, and says how long it was.
    #[must_use]
    pub fn cut(sent: &[u8], before: Pending, alternatives: Vec<String>) -> (Self, usize) {
        let mut length = if let Pending::Literal { bytes, .. } = before { bytes } else { 0 };
        let mut waits = None;
        loop {
            let rest = sent.get(length..).unwrap_or_default();
            let line = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
            let head = rest.get(..line).unwrap_or_default();
            length += line;
            match literal_at_end(head) {
                Some(bytes) if head.trim_ascii_end().ends_with(b"+}") => length += bytes,
                Some(bytes) => waits = Some(bytes),
                None => {}
            }
            if literal_at_end(head).is_none() || waits.is_some() || length >= sent.len() {
                break;
            }
        }
        let length = length.min(sent.len());
        let raw = sent.get(..length).unwrap_or(sent).to_vec();
        let text = String::from_utf8_lossy(&raw).into_owned();
        let line = text.lines().next().unwrap_or_default().to_owned();
        let verb = if before == Pending::Command { verb(&line) } else { String::new() };
        let login = verb == "LOGIN" || matches!(before, Pending::Literal { login: true, .. });
        let next = match (waits, verb.as_str(), before) {
            (Some(bytes), ..) => Pending::Literal { bytes, login },
            (None, "AUTHENTICATE", _) | (None, _, Pending::Sasl) => Pending::Sasl,
            (None, "IDLE", _) => Pending::Idle,
            _ => Pending::Command,
        };
        (Self { raw, before, verb, line, next, alternatives }, length)
    }

    /// What is sent to the server.
    #[must_use]
    pub fn bytes(&self, names: &Names, base: u32) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(&self.raw) else { return self.raw.clone() };
        match self.before {
            Pending::Command if self.verb == "LOGIN" => login(text, names),
            Pending::Command if self.verb == "AUTHENTICATE" => {
                let (head, last) = text.trim_end().rsplit_once(' ').unwrap_or_default();
                let mapped = names
                    .sasl(last)
                    .filter(|_| head.contains(' ') && head.matches(' ').count() > 1);
                mapped.map_or_else(
                    || self.raw.clone(),
                    |last| format!("{head} {last}\r\n").into_bytes(),
                )
            }
            Pending::Command => uids(text, base).into_bytes(),
            Pending::Literal { bytes, login: true } => {
                let (word, rest) = text.split_at_checked(bytes).unwrap_or((text, ""));
                format!("{}{rest}", names.word(word)).into_bytes()
            }
            Pending::Sasl => {
                let mapped = names.sasl(text.trim_end());
                mapped.map_or_else(|| self.raw.clone(), |last| format!("{last}\r\n").into_bytes())
            }
            Pending::Literal { .. } | Pending::Idle => self.raw.clone(),
        }
    }

    /// What the command needs and the server does not announce.
    #[must_use]
    pub fn missing(&self, capabilities: &BTreeSet<String>) -> Option<String> {
        let upper = self.line.to_ascii_uppercase();
        let needed = match self.verb.as_str() {
            "AUTHENTICATE" => {
                let mechanism = upper.split(' ').nth(2).unwrap_or_default().to_owned();
                Some(format!("AUTH={mechanism}"))
            }
            "EXPUNGE" if self.by_uid() => Some("UIDPLUS".into()),
            verb => EXTENSIONS.iter().find(|name| **name == verb).map(|name| (*name).to_owned()),
        };
        let has = |name: &str| capabilities.contains(name);
        if let Some(needed) = needed.filter(|name| !has(name)) {
            return Some(needed);
        }
        if self.verb == "AUTHENTICATE" && upper.split(' ').count() > 3 && !has("SASL-IR") {
            return Some("SASL-IR".into());
        }
        if upper.contains("PARTIAL ") && !has("PARTIAL") {
            return Some("PARTIAL".into());
        }
        let literal = upper.ends_with("+}") && !has("LITERAL+") && !has("LITERAL-");
        literal.then(|| "LITERAL+".into())
    }

    /// SELECT or EXAMINE.
    #[must_use]
    pub fn opens(&self) -> bool {
        ["SELECT", "EXAMINE"].contains(&self.verb.as_str())
    }

    /// The mailbox that it opens.
    #[must_use]
    pub fn mailbox(&self) -> Option<String> {
        let name = self.line.split(' ').nth(2)?.trim_matches('"');
        Some(if name.eq_ignore_ascii_case("inbox") { "INBOX".into() } else { name.to_owned() })
    }

    /// Whether UIDs must come with what is fetched.
    #[must_use]
    pub fn asks_uid(&self) -> bool {
        let words = self.line.split([' ', '(', ')']).skip(1);
        words.map(str::to_ascii_uppercase).any(|word| word == "UID")
    }

    /// Whether what is found are UIDs.
    #[must_use]
    pub fn finds_uids(&self) -> bool {
        self.verb == "SEARCH" && self.by_uid()
    }

    /// RFC 3501 §7.4.1: while one of these is answered, message numbers stay what they are.
    #[must_use]
    pub fn forbids_expunge(&self) -> bool {
        ["FETCH", "STORE", "SEARCH"].contains(&self.verb.as_str()) && !self.by_uid()
    }

    /// It logs the second account in.
    #[must_use]
    pub fn names_friend(&self) -> bool {
        self.line.split(' ').nth(2).is_some_and(|name| name.trim_matches('"').starts_with("friend"))
    }

    fn by_uid(&self) -> bool {
        self.line.split(' ').nth(1).is_some_and(|word| word.eq_ignore_ascii_case("UID"))
    }
}

/// Commands that a server serves only where it says so, by the same name.
const EXTENSIONS: [&str; 9] =
    ["STARTTLS", "IDLE", "NAMESPACE", "ID", "ENABLE", "UNSELECT", "MOVE", "COMPRESS", "REPLACE"];

fn verb(line: &str) -> String {
    let mut words = line.split(' ').skip(1).map(str::to_ascii_uppercase);
    let first = words.next().unwrap_or_default();
    if first == "UID" { words.next().unwrap_or_default() } else { first }
}

/// LOGIN with the server's names, each in the form that it had.
fn login(text: &str, names: &Names) -> Vec<u8> {
    let mut words = Vec::new();
    let mut forms = Vec::new();
    let mut left = text.splitn(3, ' ').nth(2).unwrap_or_default();
    let lead = text.len() - left.len();
    loop {
        left = left.trim_start_matches(' ');
        let line = left.find("\r\n").map_or(left, |at| left.get(..at).unwrap_or(left));
        if line.is_empty() {
            break;
        }
        let (word, form, rest) = if line.starts_with('{') {
            let length = literal_at_end(line.as_bytes()).unwrap_or_default();
            let rest = left.get(line.len() + 2..).unwrap_or_default();
            let form = if line.ends_with("+}") { '+' } else { '{' };
            match rest.split_at_checked(length) {
                Some((word, rest)) if form == '+' => (word, form, rest),
                // Its text comes later; which it is can be told from its length.
                _ => (of_length(length), form, rest),
            }
        } else if let Some(quoted) = line.strip_prefix('"') {
            let word = quoted.split('"').next().unwrap_or_default();
            (word, '"', left.get(word.len() + 2..).unwrap_or_default())
        } else {
            let word = line.split(' ').next().unwrap_or_default();
            (word, 'a', left.get(word.len()..).unwrap_or_default())
        };
        words.push(word);
        forms.push(form);
        left = rest;
    }
    let mut mapped = text.get(..lead).unwrap_or_default().to_owned();
    let mut parts = Vec::new();
    let mut end = "\r\n";
    for (word, form) in names.login(&words).iter().zip(forms) {
        let plain =
            word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@.-_".contains(&byte));
        parts.push(match form {
            '+' => format!("{{{}+}}\r\n{word}", word.len()),
            '{' => {
                end = "";
                format!("{{{}}}\r\n", word.len())
            }
            'a' if plain => word.clone(),
            _ => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
        });
    }
    mapped.push_str(&parts.join(" "));
    mapped.push_str(if text.ends_with('\n') { end } else { "" });
    mapped.into_bytes()
}

/// The names of the transcripts by their length.
const fn of_length(length: usize) -> &'static str {
    match length {
        4 => "user",
        6 => "friend",
        _ => "pillarbox",
    }
}

/// The command with the server's UIDs in place of the transcript's, which begin with 1.
fn uids(text: &str, base: u32) -> String {
    let mut is_set = false;
    let mut words: Vec<String> = Vec::new();
    for (index, word) in text.split(' ').enumerate() {
        let by_uid = index == 3
            && words.get(1).is_some_and(|word| word.eq_ignore_ascii_case("UID"))
            && words.get(2).is_some_and(|word| !word.eq_ignore_ascii_case("SEARCH"));
        words.push(if is_set || by_uid { shifted(word, base) } else { word.to_owned() });
        let searches = words.iter().take(3).any(|word| word.eq_ignore_ascii_case("SEARCH"));
        is_set = searches && index > 1 && word.trim_start_matches('(').eq_ignore_ascii_case("UID");
    }
    words.join(" ")
}

/// A set of UIDs, moved. `*` stays what it is.
fn shifted(set: &str, base: u32) -> String {
    let mut moved = String::new();
    let mut digits = String::new();
    for c in set.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if let Ok(number) = digits.parse::<u32>() {
            moved.push_str(&number.saturating_add(base).to_string());
        }
        digits.clear();
        if c != '\0' {
            moved.push(c);
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::names::Person;

    fn names() -> Names {
        let person =
            |login: &str, password: &str| Person { login: login.into(), password: password.into() };
        Names {
            user: person("anna@a.example", "se cret"),
            friend: Some(person("bert", "other")),
            domain: "a.example".into(),
        }
    }

    fn sent(text: &str, before: Pending) -> String {
        let (unit, _) = Unit::cut(text.as_bytes(), before, Vec::new());
        String::from_utf8(unit.bytes(&names(), 10)).unwrap()
    }

    #[test]
    fn names_and_passwords_are_the_servers_in_every_form() {
        for (ours, theirs) in [
            ("a LOGIN user pillarbox\r\n", "a LOGIN anna@a.example \"se cret\"\r\n"),
            ("a LOGIN \"friend\" \"pillarbox\"\r\n", "a LOGIN \"bert\" \"other\"\r\n"),
            ("a LOGIN {4+}\r\nuser {9}\r\n", "a LOGIN {14+}\r\nanna@a.example {7}\r\n"),
            ("a LOGIN user\r\n", "a LOGIN anna@a.example\r\n"),
            ("a NOOP\r\n", "a NOOP\r\n"),
        ] {
            assert_eq!(sent(ours, Pending::Command), theirs);
        }
        let literal = Pending::Literal { bytes: 9, login: true };
        assert_eq!(sent("pillarbox\r\n", literal), "se cret\r\n");
        assert_eq!(sent("dXNlcg==\r\n", Pending::Sasl), "YW5uYUBhLmV4YW1wbGU=\r\n");
        assert_eq!(sent("*\r\n", Pending::Sasl), "*\r\n");
    }

    #[test]
    fn uids_are_the_servers() {
        for (ours, theirs) in [
            ("a UID FETCH 1:2,* (UID 5)\r\n", "a UID FETCH 11:12,* (UID 5)\r\n"),
            ("a FETCH 1 UID\r\n", "a FETCH 1 UID\r\n"),
            ("a UID SEARCH 1 UID 2:3\r\n", "a UID SEARCH 1 UID 12:13\r\n"),
            ("a SEARCH (UID 2) 3\r\n", "a SEARCH (UID 12) 3\r\n"),
            ("a UID EXPUNGE 1\r\n", "a UID EXPUNGE 11\r\n"),
        ] {
            assert_eq!(sent(ours, Pending::Command), theirs);
        }
    }

    #[test]
    fn a_command_with_literals_is_one_piece_up_to_one_that_waits() {
        let cut = |text: &str, before| {
            let (unit, length) = Unit::cut(text.as_bytes(), before, Vec::new());
            (length, unit.next)
        };
        let text = "a APPEND x {3+}\r\nabc\r\nb NOOP\r\n";
        assert_eq!(cut(text, Pending::Command), (22, Pending::Command));
        let waits = Pending::Literal { bytes: 3, login: false };
        assert_eq!(cut("a APPEND x {3}\r\n", Pending::Command), (16, waits));
        assert_eq!(cut("a\nc\r\nb NOOP\r\n", waits), (5, Pending::Command));
        assert_eq!(cut("a IDLE\r\n", Pending::Command), (8, Pending::Idle));
    }
}
