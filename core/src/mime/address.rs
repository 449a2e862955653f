//! Address lists (RFC 5322 §3.4), with the obsolete forms of §4.4 and some that no standard knows.

use super::lexer::{ADDRESS, Lexer, Token, unquote};

/// One entry of an address list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A mailbox.
    Mailbox {
        /// The name of whom it belongs to, without quotes, encoded words left as they are; else
        /// the comment beside the address.
        name: Option<&'a [u8]>,
        /// The route in front of the address (RFC 5322 §4.4), as `@a,@b`.
        route: Option<&'a [u8]>,
        /// The part before the `@`, without quotes.
        local: &'a [u8],
        /// The part behind it; empty if there is none.
        domain: &'a [u8],
    },
    /// A group of this name begins.
    GroupStart(&'a [u8]),
    /// The group ends.
    GroupEnd,
}

/// Reads the entries of an address list one by one. Each lends from the reader until the next one.
#[derive(Debug, Clone)]
pub struct Addresses<'a> {
    lexer: Lexer<'a>,
    in_group: bool,
    /// The group ends after the entry that was given last.
    group_ends: bool,
    /// The words read so far, [`JOINT`] between each two: a name, or a local part.
    words: Vec<u8>,
    name: Vec<u8>,
    comment: Vec<u8>,
    route: Vec<u8>,
    domain: Vec<u8>,
}

/// Where an entry ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// At a comma, at the semicolon of a group, or at the end of the list.
    Entry,
    /// At the colon that begins a group.
    Group,
}

/// What has been read of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Words that may be a name or a local part.
    Words,
    /// The domain of an address without angle brackets.
    Domain,
    /// All of it: what follows the angle brackets says nothing.
    Done,
}

impl<'a> Addresses<'a> {
    /// The entries of a field's value, folded or not.
    #[must_use]
    pub const fn new(value: &'a [u8]) -> Self {
        Self {
            lexer: Lexer::new(value, &ADDRESS),
            in_group: false,
            group_ends: false,
            words: Vec::new(),
            name: Vec::new(),
            comment: Vec::new(),
            route: Vec::new(),
            domain: Vec::new(),
        }
    }

    /// The next entry.
    #[expect(clippy::should_implement_trait, reason = "an entry lends from the reader")]
    pub fn next(&mut self) -> Option<Entry<'_>> {
        loop {
            if std::mem::take(&mut self.group_ends) {
                self.in_group = false;
                return Some(Entry::GroupEnd);
            }
            if self.lexer.rest().is_empty() {
                // A group that is never closed ends with the list.
                return std::mem::take(&mut self.in_group).then_some(Entry::GroupEnd);
            }
            match self.read() {
                Stop::Group => {
                    self.in_group = true;
                    as_phrase(&mut self.words);
                    return Some(Entry::GroupStart(&self.words));
                }
                Stop::Entry if self.is_empty() => {}
                Stop::Entry => break,
            }
        }
        as_local(&mut self.words);
        let name = if self.name.is_empty() { &self.comment } else { &self.name };
        Some(Entry::Mailbox {
            name: (!name.is_empty()).then_some(name),
            route: (!self.route.is_empty()).then_some(&self.route),
            local: &self.words,
            domain: &self.domain,
        })
    }

    /// Nothing that could be told of: two commas beside each other, `<>`.
    const fn is_empty(&self) -> bool {
        self.words.is_empty() && self.domain.is_empty() && self.name.is_empty()
    }

    /// Reads one entry into the buffers.
    fn read(&mut self) -> Stop {
        for buffer in
            [&mut self.words, &mut self.name, &mut self.comment, &mut self.route, &mut self.domain]
        {
            buffer.clear();
        }
        let mut stage = Stage::Words;
        while let Some(token) = self.lexer.next() {
            match token {
                Token::Comment(comment) => self.note(comment),
                Token::Special(b',') => return Stop::Entry,
                Token::Special(b';') => {
                    // Outside a group some programs separate addresses by it.
                    self.group_ends = self.in_group;
                    return Stop::Entry;
                }
                _ if stage == Stage::Done => {}
                Token::Special(b'<') => {
                    // `a@b <c@d>`: what looked like an address is a name.
                    if stage == Stage::Domain {
                        self.words.push(b'@');
                        self.words.append(&mut self.domain);
                    }
                    as_phrase(&mut self.words);
                    std::mem::swap(&mut self.name, &mut self.words);
                    self.words.clear();
                    self.angle();
                    stage = Stage::Done;
                }
                Token::Special(b'@') if stage == Stage::Words => stage = Stage::Domain,
                Token::Special(b':')
                    if stage == Stage::Words && !self.in_group && !self.words.is_empty() =>
                {
                    return Stop::Group;
                }
                Token::Special(b'>') => {}
                token if stage == Stage::Domain => append(token, &mut self.domain),
                token => word(token, &mut self.words),
            }
        }
        Stop::Entry
    }

    /// What stands in angle brackets: `[route:] local@domain`.
    fn angle(&mut self) {
        let mut stage = Stage::Words;
        loop {
            // What follows a comma or semicolon may be the next address, where a `>` is missing.
            let before = self.lexer.clone();
            let Some(token) = self.lexer.next() else { return };
            match token {
                Token::Special(b'>') => return,
                Token::Special(b',') if self.words.is_empty() && stage == Stage::Domain => {
                    self.domain.push(b',');
                }
                Token::Special(b',' | b';') => {
                    self.lexer = before;
                    return;
                }
                Token::Special(b':') if stage == Stage::Domain && self.words.is_empty() => {
                    self.route.push(b'@');
                    self.route.append(&mut self.domain);
                    stage = Stage::Words;
                }
                Token::Special(b'@') if stage == Stage::Words => stage = Stage::Domain,
                Token::Comment(_) => {}
                token if stage == Stage::Domain => append(token, &mut self.domain),
                token => word(token, &mut self.words),
            }
        }
    }

    /// Old mail has the name in a comment behind the address (RFC 5322 §3.4).
    fn note(&mut self, comment: &[u8]) {
        if self.comment.is_empty() {
            unquote(super::header::trim(comment), &mut self.comment);
        }
    }
}

/// Appends a token to words that are joined later, with blanks or without.
fn word(token: Token<'_>, words: &mut Vec<u8>) {
    if !words.is_empty() {
        words.push(JOINT);
    }
    append(token, words);
}

fn append(token: Token<'_>, out: &mut Vec<u8>) {
    match token {
        Token::Quoted(text) => unquote(text, out),
        Token::Literal(text) => out.extend(text.iter().filter(|byte| !super::lexer::blank(**byte))),
        Token::Atom(text) => out.extend_from_slice(text),
        Token::Special(byte) => out.push(byte),
        Token::Comment(_) => {}
    }
}

fn as_phrase(words: &mut Vec<u8>) {
    for byte in words.iter_mut().filter(|byte| **byte == JOINT) {
        *byte = b' ';
    }
    // `""` in front of an address is no name.
    let length = super::header::trim(words).len();
    if length == 0 {
        words.clear();
    }
}

fn as_local(words: &mut Vec<u8>) {
    words.retain(|byte| *byte != JOINT);
}

/// Stands between words; the lexer lets no NUL through.
const JOINT: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    /// One line for each entry: name, route, local part, domain.
    fn read(value: &str) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let maybe = |bytes: Option<&[u8]>| bytes.map_or_else(|| "-".to_owned(), text);
        let mut list = Addresses::new(value.as_bytes());
        let mut out = Vec::new();
        while let Some(entry) = list.next() {
            out.push(match entry {
                Entry::Mailbox { name, route, local, domain } => {
                    format!("{}|{}|{}|{}", maybe(name), maybe(route), text(local), text(domain))
                }
                Entry::GroupStart(name) => format!("{{{}", text(name)),
                Entry::GroupEnd => "}".to_owned(),
            });
        }
        out.join(" ")
    }

    #[test]
    fn the_examples_of_the_standard() {
        for (value, entries) in [
            // RFC 5322, appendix A.1.1 to A.1.3, A.5, A.6.1, A.6.3.
            ("John Doe <jdoe@machine.example>", "John Doe|-|jdoe|machine.example"),
            (
                "\"Joe Q. Public\" <john.q.public@example.com>",
                "Joe Q. Public|-|john.q.public|example.com",
            ),
            (
                "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
                "Mary Smith|-|mary|x.test -|-|jdoe|example.org Who?|-|one|y.test",
            ),
            (
                "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
                "-|-|boss|nil.test Giant; \"Big\" Box|-|sysservices|example.net",
            ),
            (
                "A Group:Ed Jones <joe@where.test>,john@one.test;",
                "{A Group Ed Jones|-|joe|where.test -|-|john|one.test }",
            ),
            ("Undisclosed recipients:;", "{Undisclosed recipients }"),
            (
                "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
                "Pete|-|pete|silly.test",
            ),
            (
                "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n \
                 joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
                "{A Group Chris Jones|-|c|public.example -|-|joe|example.org \
                 John|-|jdoe|one.test }",
            ),
            (
                "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
                "Mary Smith|@node.test|mary|example.net -|-|jdoe|test.example",
            ),
        ] {
            assert_eq!(read(value), entries, "{value}");
        }
    }

    #[test]
    fn what_is_met_in_the_wild() {
        for (value, entries) in [
            ("", ""),
            (" , ,", ""),
            ("<>", ""),
            ("Nobody <>", "Nobody|-||"),
            ("root", "-|-|root|"),
            ("<root>", "-|-|root|"),
            ("\"\" <a@b>", "-|-|a|b"),
            ("a@b (Real Name)", "Real Name|-|a|b"),
            ("a@b (Real (or) \\(not\\))", "Real (or) (not)|-|a|b"),
            ("\"john doe\"@x.test", "-|-|john doe|x.test"),
            ("a@[192.0.2.1]", "-|-|a|[192.0.2.1]"),
            ("a@b <c@d>", "a@b|-|c|d"),
            ("a@b; c@d", "-|-|a|b -|-|c|d"),
            ("<@a,@b:c@d>", "-|@a,@b|c|d"),
            ("Missing <a@b, c@d", "Missing|-|a|b -|-|c|d"),
            ("\"unclosed <a@b>, c@d", "-|-|unclosed <a@b>, c@d|"),
            ("(unclosed a@b", ""),
            (
                "=?utf-8?q?=C3=A4?=\r\n =?utf-8?q?b?= <a@b>",
                "=?utf-8?q?=C3=A4?= =?utf-8?q?b?=|-|a|b",
            ),
            ("J\u{e4}ger <j\u{e4}ger@b\u{fc}ro.test>", "J\u{e4}ger|-|j\u{e4}ger|b\u{fc}ro.test"),
            ("G: a@b", "{G -|-|a|b }"),
            ("G: a@b; c@d", "{G -|-|a|b } -|-|c|d"),
            ("G: H: a@b;", "{G -|-|H:a|b }"),
            ("a@b > c", "-|-|a|bc"),
        ] {
            assert_eq!(read(value), entries, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_a_list_that_is_well_formed(
            value in proptest::collection::vec(proptest::sample::select(b"ab.<>:;@,\"()[]\\ \r\n\0\xFF".to_vec()), 0..60)
        ) {
            let mut list = Addresses::new(&value);
            let (mut inside, mut count) = (false, 0);
            while let Some(entry) = list.next() {
                count += 1;
                match entry {
                    Entry::GroupStart(_) => proptest::prop_assert!(!std::mem::replace(&mut inside, true)),
                    Entry::GroupEnd => proptest::prop_assert!(std::mem::replace(&mut inside, false)),
                    Entry::Mailbox { name, local, domain, .. } => {
                        for text in [name.unwrap_or_default(), local, domain] {
                            proptest::prop_assert!(!text.contains(&0) && !text.contains(&b'\n'));
                        }
                    }
                }
            }
            proptest::prop_assert!(!inside);
            proptest::prop_assert!(count <= value.len() + 1);
        }
    }
}
