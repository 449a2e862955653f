//! The order in which SORT tells messages (RFC 5256 §3, RFC 5957).
//!
//! Of each message only a key is kept: its values one after the other, written so that comparing
//! the bytes of two keys compares the messages. A date and a size are 8 bytes, a string at most
//! 129; so a message costs at most [`KEY_BYTES_MAX`] and 16 bytes more, and mostly a tenth of that.

use super::collation;
use super::grammar::{Criterion, SortKey};
use super::subject;
use crate::UnixSeconds;
use crate::mime::address::{Addresses, Entry};
use crate::mime::header::fields;
use crate::mime::{date, words};

/// The longest key of a message: three numbers and six strings.
pub const KEY_BYTES_MAX: usize = 3 * 8 + 6 * (collation::BYTES_MAX + 1);

/// Messages to be sorted.
#[derive(Debug, Clone)]
pub struct Sorter {
    criteria: Vec<Criterion>,
    rows: Vec<Row>,
    keys: Vec<u8>,
}

/// A message and its key.
#[derive(Debug, Clone, Copy)]
struct Row {
    begin: usize,
    length: u32,
    number: u32,
}

impl Sorter {
    /// For messages that are sorted by these criteria, the first of them first.
    #[must_use]
    pub const fn new(criteria: Vec<Criterion>) -> Self {
        Self { criteria, rows: Vec::new(), keys: Vec::new() }
    }

    /// Whether the headers of messages must be known.
    #[must_use]
    pub fn reads_headers(&self) -> bool {
        let known = |key| matches!(key, SortKey::Arrival | SortKey::Size);
        !self.criteria.iter().all(|criterion| known(criterion.key))
    }

    /// Takes the next message, in the order of the mailbox: its number, when it was received, how
    /// many bytes it has, and its header, empty if that is not [read](Self::reads_headers).
    pub fn push(&mut self, number: u32, received: UnixSeconds, size: u64, header: &[u8]) {
        let begin = self.keys.len();
        for criterion in &self.criteria {
            let begin = self.keys.len();
            match criterion.key {
                SortKey::Arrival => moment(received, &mut self.keys),
                SortKey::Date => moment(sent(header, received), &mut self.keys),
                SortKey::Size => self.keys.extend_from_slice(&size.to_be_bytes()),
                key => {
                    let text = text(key, header);
                    collation::prepare(&text, &mut self.keys);
                    // Lower than any byte of a string: what is a beginning of another comes first.
                    self.keys.push(0);
                }
            }
            if criterion.reverse {
                let value = self.keys.get_mut(begin..).unwrap_or_default();
                value.iter_mut().for_each(|byte| *byte = !*byte);
            }
        }
        // A key is far shorter.
        let length = u32::try_from(self.keys.len() - begin).unwrap_or(u32::MAX);
        self.rows.push(Row { begin, length, number });
    }

    /// The numbers of the messages in their order; where two are the same, the one that was taken
    /// first is first.
    #[must_use]
    pub fn sorted(mut self) -> Vec<u32> {
        let keys = &self.keys;
        self.rows.sort_by(|one, other| one.key(keys).cmp(other.key(keys)));
        self.rows.into_iter().map(|row| row.number).collect()
    }
}

impl Row {
    fn key<'k>(&self, keys: &'k [u8]) -> &'k [u8] {
        let rest = keys.get(self.begin..).unwrap_or_default();
        usize::try_from(self.length).ok().and_then(|length| rest.get(..length)).unwrap_or(rest)
    }
}

/// When a message was sent: what its Date field says, else when it was received (RFC 5256 §2.2).
pub(super) fn sent(header: &[u8], received: UnixSeconds) -> UnixSeconds {
    let field = fields(header).find(|field| field.is(b"Date"));
    field.and_then(|field| date::moment(field.value)).unwrap_or(received)
}

/// A moment so that earlier ones have lower bytes.
fn moment(moment: UnixSeconds, out: &mut Vec<u8>) {
    let shifted = moment.0.cast_unsigned() ^ (1 << 63);
    out.extend_from_slice(&shifted.to_be_bytes());
}

/// The string by which a message is sorted; empty if its header has none (RFC 5256 §3).
fn text(key: SortKey, header: &[u8]) -> String {
    let (name, shown): (&[u8], _) = match key {
        SortKey::Cc => (b"Cc", false),
        SortKey::From => (b"From", false),
        SortKey::To => (b"To", false),
        SortKey::DisplayFrom => (b"From", true),
        SortKey::DisplayTo => (b"To", true),
        SortKey::Subject => {
            let mut text = String::new();
            if let Some(field) = fields(header).find(|field| field.is(b"Subject")) {
                subject::decode(field.value, &mut text);
            }
            return subject::base(&text).text.to_owned();
        }
        SortKey::Arrival | SortKey::Date | SortKey::Size => return String::new(),
    };
    // As ENVELOPE has it: the first address there is, in whichever field of the name.
    let mut lists = fields(header).filter(|field| field.is(name));
    lists.find_map(|field| address(field.value, shown)).unwrap_or_default()
}

/// The first address of a list, or the name of a group that begins there: ENVELOPE tells that in
/// the place of a local part (RFC 3501 §7.4.2).
fn address(value: &[u8], shown: bool) -> Option<String> {
    let mut list = Addresses::new(value);
    let (name, local, domain) = match list.next()? {
        Entry::Mailbox { name, local, domain, .. } => (name, local, domain),
        Entry::GroupStart(group) => (None, group, &b""[..]),
        Entry::GroupEnd => (None, &b""[..], &b""[..]),
    };
    let mut text = String::new();
    if !shown {
        text.push_str(&String::from_utf8_lossy(local));
        return Some(text);
    }
    // RFC 5957 §3: the name, else the address, as far as there is one.
    words::decode(name.unwrap_or_default(), &mut text);
    if text.is_empty() {
        text.push_str(&String::from_utf8_lossy(local));
        if !domain.is_empty() {
            text.push('@');
            text.push_str(&String::from_utf8_lossy(domain));
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::grammar::{self, Request};

    /// The order of messages by criteria as a client writes them.
    fn order(criteria: &str, messages: &[(i64, u64, &str)]) -> Vec<u32> {
        let line = format!("a SORT ({criteria}) UTF-8 ALL");
        let (_, request) = grammar::command(line.as_bytes()).unwrap();
        let Request::Sort { criteria, .. } = request else { panic!("no sort") };
        let mut sorter = Sorter::new(criteria);
        for (number, (received, size, header)) in (1..).zip(messages) {
            sorter.push(number, UnixSeconds(*received), *size, header.as_bytes());
        }
        sorter.sorted()
    }

    #[test]
    fn criteria_order_as_the_standards_say() {
        let messages = [
            (
                30,
                5,
                "Subject: Re: beta\nDate: 2 Jan 2001 00:00 +0000\nFrom: \"Zoe\" <anna@a.test>\n\
                 To: x@y.test\nCc: c@c.test\n",
            ),
            (
                20,
                9,
                "Subject: [list] Alpha\nDate: 1 Jan 2001 23:30 -0100\nFrom: Bob <bob@b.test>\n",
            ),
            (
                10,
                9,
                "Subject: alpha (fwd)\nFrom: =?utf-8?q?=C3=89mile?= <ZED@z.test>\nTo: G: a@b;\n",
            ),
            (40, 1, "Date: nonsense\nFrom: carl@a.test\nTo: \nTo: \"\" <m@n.test>\n"),
        ];
        for (criteria, expected) in [
            ("ARRIVAL", [3, 2, 1, 4]),
            ("REVERSE ARRIVAL", [4, 1, 2, 3]),
            ("SIZE", [4, 1, 2, 3]),
            ("REVERSE SIZE", [2, 3, 1, 4]),
            // Without a date that can be read, it is that of the arrival: 1970.
            ("DATE", [3, 4, 1, 2]),
            ("SUBJECT", [4, 2, 3, 1]),
            ("SUBJECT REVERSE DATE", [4, 2, 3, 1]),
            ("SUBJECT DATE", [4, 3, 2, 1]),
            ("REVERSE SUBJECT", [1, 2, 3, 4]),
            ("FROM", [1, 2, 4, 3]),
            ("DISPLAYFROM", [2, 4, 3, 1]),
            ("CC", [2, 3, 4, 1]),
            ("TO", [2, 3, 4, 1]),
            ("DISPLAYTO", [2, 3, 4, 1]),
            ("SIZE ARRIVAL", [4, 1, 3, 2]),
            ("size reverse arrival", [4, 1, 2, 3]),
            ("SIZE REVERSE SIZE ARRIVAL", [4, 1, 3, 2]),
        ] {
            assert_eq!(order(criteria, &messages), expected, "{criteria}");
        }
    }

    #[test]
    fn a_beginning_comes_first_and_last_in_reverse() {
        let messages = [
            (0, 0, "Subject: ab\nFrom: z@z\n"),
            (0, 0, "Subject: a\nFrom: a@a\n"),
            (0, 0, "Subject: \nFrom: m@m\n"),
        ];
        assert_eq!(order("SUBJECT FROM", &messages), [3, 2, 1]);
        assert_eq!(order("REVERSE SUBJECT FROM", &messages), [1, 2, 3]);
        assert_eq!(order("SUBJECT", &[]), [0_u32; 0]);
    }

    #[test]
    fn keys_are_bounded() {
        let line = b"a SORT (ARRIVAL DATE SIZE CC FROM TO SUBJECT DISPLAYTO DISPLAYFROM) UTF-8 ALL";
        let (_, request) = grammar::command(line).unwrap();
        let Request::Sort { criteria, .. } = request else { panic!("no sort") };
        let mut sorter = Sorter::new(criteria);
        let long = "x".repeat(5_000);
        let header = format!("Subject: {long}\nFrom: {long}\nTo: {long}\nCc: {long}\n");
        sorter.push(1, UnixSeconds(i64::MIN), u64::MAX, header.as_bytes());
        assert_eq!(sorter.keys.len(), KEY_BYTES_MAX);
    }

    proptest::proptest! {
        #[test]
        fn the_order_is_that_of_a_plain_comparison(
            messages in proptest::collection::vec((0_i64..4, 0_u64..3, "[abAB]{0,2}"), 0..20)
        ) {
            let headers: Vec<_> = messages
                .iter()
                .map(|(received, size, subject)| (*received, *size, format!("Subject: {subject}x")))
                .collect();
            let given: Vec<_> = headers.iter().map(|(r, s, h)| (*r, *s, h.as_str())).collect();
            let mut expected: Vec<u32> = (1..).take(messages.len()).collect();
            expected.sort_by_key(|number| {
                let (received, size, subject) = &messages[*number as usize - 1];
                let folded = subject.to_uppercase() + "X";
                (std::cmp::Reverse(folded), *size, std::cmp::Reverse(*received))
            });
            proptest::prop_assert_eq!(
                order("REVERSE SUBJECT SIZE REVERSE ARRIVAL", &given), expected
            );
        }
    }
}
