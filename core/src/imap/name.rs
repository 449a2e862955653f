//! Mailbox names: as sent, as meant, and as asked for with wildcards.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// The longest name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 512;
/// The most levels that a name has: all of them above a new mailbox are made with it.
pub const LEVELS_MAX: usize = 32;
/// What stands between a mailbox and the one within it.
pub const DELIMITER: char = '/';

/// A mailbox's name in UTF-8, known to be one that a mailbox can have: not empty, at most
/// [`NAME_BYTES_MAX`] bytes and [`LEVELS_MAX`] levels, no control characters or wildcards, no empty,
/// `.` or `..` level. `INBOX` is written so, however it was sent, and so it is as the first level
/// of a longer name: otherwise `inbox/a` would lie below no mailbox that can be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxName(String);

impl MailboxName {
    /// A name given in UTF-8.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let mut name = name.into();
        if is_inbox(first_level(&name))
            && let Some(first) = name.get_mut(..INBOX.len())
        {
            first.make_ascii_uppercase();
        }
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        if name.chars().any(is_control) {
            return Err(NameError::Control);
        }
        if name.contains(['*', '%']) {
            return Err(NameError::Wildcard);
        }
        if name.split(DELIMITER).any(|level| matches!(level, "" | "." | "..")) {
            return Err(NameError::Level);
        }
        if name.split(DELIMITER).count() > LEVELS_MAX {
            return Err(NameError::TooDeep);
        }
        Ok(Self(name))
    }

    /// A name as the client sent it. However its letters are composed, it means the mailbox whose
    /// name has them composed as far as can be (RFC 9051 §5.1, RFC 5198 §2: NFC).
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn read(sent: &[u8], spelling: Spelling) -> Result<Self, NameError> {
        Self::new(spelling.read(sent)?)
    }

    /// The name of a mailbox to be made. RFC 3501 §6.3.3: a delimiter at its end announces that
    /// others will lie below it, which need not be known, and is no part of the name.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn read_new(sent: &[u8], spelling: Spelling) -> Result<Self, NameError> {
        Self::read(sent.strip_suffix(b"/").unwrap_or(sent), spelling)
    }

    /// The names of the levels above, the highest first: for `a/b/c`, `a` and `a/b`.
    pub fn above(&self) -> impl Iterator<Item = &str> {
        let name = self.as_str();
        name.match_indices(DELIMITER).filter_map(move |(place, _)| name.get(..place))
    }

    /// The name in UTF-8.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the mailbox where mail arrives.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0 == INBOX
    }

    /// The name as it is sent.
    #[must_use]
    pub fn spelled(&self, spelling: Spelling) -> Cow<'_, str> {
        match spelling {
            Spelling::Utf7 => to_utf7(&self.0),
            Spelling::Utf8 => Cow::Borrowed(&self.0),
        }
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How names of mailboxes are written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// In modified UTF-7 (RFC 3501 §5.1.3).
    Utf7,
    /// As they are: `&` is nothing special (RFC 9051 §5.1).
    Utf8,
}

impl Spelling {
    /// What was sent, in NFC.
    fn read(self, sent: &[u8]) -> Result<String, NameError> {
        let name = match self {
            Self::Utf7 => from_utf7(sent)?,
            Self::Utf8 => {
                // As for the other: much longer ones are not looked through.
                if sent.len() > NAME_BYTES_MAX * ENCODED_GROWTH_MAX {
                    return Err(NameError::TooLong);
                }
                std::str::from_utf8(sent).map_err(|_| NameError::NotUtf8)?.to_owned()
            }
        };
        Ok(if is_nfc(&name) { name } else { name.nfc().collect() })
    }
}

/// Why a mailbox cannot have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameError {
    /// It is empty.
    Empty,
    /// It is longer than [`NAME_BYTES_MAX`].
    TooLong,
    /// It is not modified UTF-7, or not as short as it could be (RFC 3501 §5.1.3).
    Encoding,
    /// It is not UTF-8, where it has to be.
    NotUtf8,
    /// It has a control character, or one that ends a line or paragraph.
    Control,
    /// It has a wildcard of LIST.
    Wildcard,
    /// A level of it is empty, `.` or `..`.
    Level,
    /// It has more than [`LEVELS_MAX`] levels.
    TooDeep,
}

impl NameError {
    /// The rule, for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Empty => "a mailbox name cannot be empty",
            Self::TooLong => "a mailbox name has at most 512 bytes",
            Self::Encoding => "the mailbox name is not canonical modified UTF-7",
            Self::NotUtf8 => "the mailbox name is not UTF-8",
            Self::Control => "a mailbox name has no control characters",
            Self::Wildcard => "a mailbox name has no * and no %",
            Self::Level => "no level of a mailbox name is empty, . or ..",
            Self::TooDeep => "a mailbox name has at most 32 levels",
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for NameError {}

/// What LIST asks for: a name in which `*` stands for anything, and `%` for anything within one
/// level (RFC 3501 §6.3.8). The reference is simply put in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPattern(String);

impl ListPattern {
    /// A reference and a pattern as the client sent them.
    ///
    /// # Errors
    /// [`NameError::Encoding`], [`NameError::NotUtf8`], [`NameError::Control`] or
    /// [`NameError::TooLong`].
    pub fn read(reference: &[u8], pattern: &[u8], spelling: Spelling) -> Result<Self, NameError> {
        if pattern.is_empty() {
            return Ok(Self(String::new()));
        }
        let mut whole = spelling.read(reference)?;
        whole.push_str(&spelling.read(pattern)?);
        if whole.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        if whole.chars().any(is_control) {
            return Err(NameError::Control);
        }
        Ok(Self(whole))
    }

    /// Whether the pattern is empty: then LIST asks only for the hierarchy delimiter, and is
    /// answered with [`list_delimiter`](super::response::list_delimiter).
    #[must_use]
    pub fn asks_for_delimiter(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the levels above matching mailboxes are asked for too, even where no mailbox has
    /// their names (RFC 3501 §6.3.8): so they are if the last character is `%`.
    #[must_use]
    pub fn asks_for_levels(&self) -> bool {
        self.0.ends_with('%')
    }

    /// Whether a mailbox is asked for. Costs at most the product of both lengths.
    #[must_use]
    pub fn matches(&self, name: &MailboxName) -> bool {
        // RFC 3501 §6.3.8: INBOX is listed if its name in capitals matches the pattern in capitals.
        let any_case = if is_inbox(first_level(&name.0)) { INBOX.len() } else { 0 };
        let pattern = self.0.as_bytes();
        // `reached` says after which beginnings of the pattern all bytes so far are accounted for.
        let mut reached = vec![false; pattern.len() + 1];
        if let Some(first) = reached.first_mut() {
            *first = true;
        }
        pass_wildcards(pattern, &mut reached);
        for (place, byte) in name.0.bytes().enumerate() {
            let same = |wanted: u8| {
                wanted == byte || place < any_case && wanted.eq_ignore_ascii_case(&byte)
            };
            let mut next = vec![false; pattern.len() + 1];
            for (index, wanted) in pattern.iter().enumerate() {
                if !reached.get(index).copied().unwrap_or(false) {
                    continue;
                }
                let stays = *wanted == b'*' || *wanted == b'%' && byte != b'/';
                let goes = !matches!(wanted, b'*' | b'%') && same(*wanted);
                if let Some(behind) = next.get_mut(index + usize::from(goes)) {
                    *behind |= stays || goes;
                }
            }
            pass_wildcards(pattern, &mut next);
            reached = next;
        }
        reached.last().copied().unwrap_or(false)
    }
}

/// A wildcard may stand for nothing.
fn pass_wildcards(pattern: &[u8], reached: &mut [bool]) {
    for (index, wanted) in pattern.iter().enumerate() {
        if matches!(wanted, b'*' | b'%')
            && reached.get(index).copied().unwrap_or(false)
            && let Some(behind) = reached.get_mut(index + 1)
        {
            *behind = true;
        }
    }
}

/// RFC 6855 §3: neither control characters nor what ends lines and paragraphs.
fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

fn first_level(name: &str) -> &str {
    name.split(DELIMITER).next().unwrap_or(name)
}

fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case(INBOX)
}

/// Modified UTF-7 (RFC 3501 §5.1.3) to UTF-8. Only the one canonical spelling is taken, so that no
/// mailbox has two names.
fn from_utf7(sent: &[u8]) -> Result<String, NameError> {
    let sent = std::str::from_utf8(sent).map_err(|_| NameError::Encoding)?;
    // No character is shorter when encoded.
    if sent.len() > NAME_BYTES_MAX * ENCODED_GROWTH_MAX {
        return Err(NameError::TooLong);
    }
    let mut name = String::with_capacity(sent.len());
    let mut rest = sent;
    while let Some((plain, shifted)) = rest.split_once('&') {
        name.push_str(plain);
        let (encoded, after) = shifted.split_once('-').ok_or(NameError::Encoding)?;
        if encoded.is_empty() {
            name.push('&');
        } else {
            decode_run(encoded, &mut name)?;
        }
        rest = after;
    }
    name.push_str(rest);
    if to_utf7(&name) == sent { Ok(name) } else { Err(NameError::Encoding) }
}

/// One run of base64 over UTF-16, big end first.
fn decode_run(encoded: &str, name: &mut String) -> Result<(), NameError> {
    let bytes = MODIFIED.decode(encoded).map_err(|_| NameError::Encoding)?;
    if bytes.len() % 2 != 0 {
        return Err(NameError::Encoding);
    }
    let units = bytes.chunks_exact(2).map(|pair| match *pair {
        [high, low] => u16::from_be_bytes([high, low]),
        _ => 0,
    });
    for character in char::decode_utf16(units) {
        name.push(character.map_err(|_| NameError::Encoding)?);
    }
    Ok(())
}

/// UTF-8 to modified UTF-7: printable ASCII as it is but for `&`, all else in runs as long as can
/// be.
fn to_utf7(name: &str) -> Cow<'_, str> {
    if name.chars().all(|character| plain(character) && character != '&') {
        return Cow::Borrowed(name);
    }
    let mut sent = String::with_capacity(name.len() * 2);
    let mut run = Vec::new();
    for character in name.chars() {
        if !plain(character) {
            let mut units = [0_u16; 2];
            run.extend(
                character.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()),
            );
            continue;
        }
        end_run(&mut run, &mut sent);
        sent.push(character);
        if character == '&' {
            sent.push('-');
        }
    }
    end_run(&mut run, &mut sent);
    Cow::Owned(sent)
}

fn end_run(run: &mut Vec<u8>, sent: &mut String) {
    if !run.is_empty() {
        sent.push('&');
        MODIFIED.encode_string(&run, sent);
        sent.push('-');
        run.clear();
    }
}

const fn plain(character: char) -> bool {
    matches!(character, ' '..='~')
}

const INBOX: &str = "INBOX";
/// A character of one byte alone between plain ones becomes five: `&AAA-`; of two bytes, five too.
const ENCODED_GROWTH_MAX: usize = 5;
const MODIFIED: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

#[cfg(test)]
mod tests {
    use super::*;
    use Spelling::{Utf7, Utf8};

    #[test]
    fn names_as_sent_and_as_meant() {
        for (sent, meant) in [
            ("Work", "Work"),
            ("Work/2026 plans", "Work/2026 plans"),
            ("inbox", "INBOX"),
            ("InBoX", "INBOX"),
            ("inbox/a/inbox", "INBOX/a/inbox"),
            ("inboxes", "inboxes"),
            ("A&-B", "A&B"),
            // RFC 3501 §5.1.3
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("&2D3eAA-", "\u{1F600}"),
            ("Entw&APw-rfe", "Entwürfe"),
        ] {
            let name = MailboxName::read(sent.as_bytes(), Utf7).unwrap();
            assert_eq!(name.as_str(), meant);
            if !sent.to_ascii_lowercase().starts_with("inbox") {
                assert_eq!(name.spelled(Utf7), sent);
            }
        }
    }

    #[test]
    fn names_in_utf_8() {
        for (sent, meant) in [
            ("Entw\u{fc}rfe", "Entw\u{fc}rfe"),
            // However it is composed.
            ("Entwu\u{308}rfe", "Entw\u{fc}rfe"),
            ("inbox", "INBOX"),
            ("A&B", "A&B"),
            ("&U,BTFw-", "&U,BTFw-"),
        ] {
            let name = MailboxName::read(sent.as_bytes(), Utf8).unwrap();
            assert_eq!((name.as_str(), &*name.spelled(Utf8)), (meant, meant));
        }
        assert_eq!(MailboxName::read(b"Entwu&Awg-rfe", Utf7).unwrap().as_str(), "Entw\u{fc}rfe");
        for (sent, error) in [
            (&b"a\xFC"[..], NameError::NotUtf8),
            ("a\u{2028}".as_bytes(), NameError::Control),
            ("a\u{85}".as_bytes(), NameError::Control),
            ("\u{fc}*".as_bytes(), NameError::Wildcard),
            (&[b'a'; NAME_BYTES_MAX + 1], NameError::TooLong),
        ] {
            assert_eq!(MailboxName::read(sent, Utf8), Err(error));
        }
        let pattern = ListPattern::read(b"", "u\u{308}%".as_bytes(), Utf8).unwrap();
        assert!(pattern.matches(&MailboxName::new("\u{fc}x").unwrap()));
    }

    #[test]
    fn new_names_may_end_in_a_delimiter() {
        let name = MailboxName::read_new(b"a/b/", Utf7).unwrap();
        assert_eq!(name.as_str(), "a/b");
        assert_eq!(name.above().collect::<Vec<_>>(), ["a"]);
        assert_eq!(MailboxName::read_new(b"a//", Utf7), Err(NameError::Level));
        assert_eq!(MailboxName::read_new(b"/", Utf7), Err(NameError::Empty));
    }

    #[test]
    fn names_that_cannot_be() {
        use NameError::{Control, Empty, Encoding, Level, Wildcard};
        for (sent, error) in [
            (&b""[..], Empty),
            // RFC 3501 §5.1.3: US-ASCII is never encoded, and no run follows another.
            (b"&AGE-", Encoding),
            (b"&U,BTFw-&ZeVnLIqe-", Encoding),
            (b"&Jjo!", Encoding),
            (b"&Jjo", Encoding),
            (b"a&", Encoding),
            (b"&U,BTF-", Encoding),
            (b"&2D0-", Encoding),
            ("Entwürfe".as_bytes(), Encoding),
            (b"\xFF", Encoding),
            (b"a\x01", Encoding),
            (b"a&AAE-", Control),
            (b"a&AIU-", Control),
            (b"a*", Wildcard),
            (b"a/%", Wildcard),
            (b"/a", Level),
            (b"a/", Level),
            (b"a//b", Level),
            (b"a/../b", Level),
            (b".", Level),
        ] {
            assert_eq!(MailboxName::read(sent, Utf7), Err(error), "{}", sent.escape_ascii());
        }
    }

    #[test]
    fn the_longest_name_and_one_byte_more() {
        assert!(MailboxName::read(&[b'a'; NAME_BYTES_MAX], Utf7).is_ok());
        assert_eq!(MailboxName::read(&[b'a'; NAME_BYTES_MAX + 1], Utf7), Err(NameError::TooLong));
        let deep = |levels: usize| vec!["a"; levels].join("/");
        assert!(MailboxName::new(deep(LEVELS_MAX)).is_ok());
        assert_eq!(MailboxName::new(deep(LEVELS_MAX + 1)), Err(NameError::TooDeep));
        assert!(ListPattern::read(b"a", &[b'*'; NAME_BYTES_MAX - 1], Utf7).is_ok());
        assert_eq!(ListPattern::read(b"a", &[b'*'; NAME_BYTES_MAX], Utf7), Err(NameError::TooLong));
    }

    #[test]
    fn patterns() {
        for (reference, pattern, name, matches) in [
            ("", "*", "INBOX", true),
            ("", "*", "a/b/c", true),
            ("", "%", "a", true),
            ("", "%", "a/b", false),
            ("", "%/%", "a/b", true),
            ("", "a/%", "a", false),
            ("a/", "%", "a/b", true),
            ("a/", "*", "a/b/c", true),
            ("", "inbox", "INBOX", true),
            ("", "iNb%", "INBOX", true),
            ("inbox/", "%", "INBOX/a", true),
            ("", "INBOX/A", "INBOX/a", false),
            ("", "work", "Work", false),
            ("", "*b*", "a/b/c", true),
            ("", "%b*", "a/b/c", false),
            ("", "*%", "a/b", true),
            ("", "a*c", "a/b/cd", false),
            ("", "&U,BTFw-*", "台北/日", true),
            ("", "", "INBOX", false),
        ] {
            let pattern =
                ListPattern::read(reference.as_bytes(), pattern.as_bytes(), Utf7).unwrap();
            let name = MailboxName::new(name).unwrap();
            assert_eq!(pattern.matches(&name), matches, "{pattern:?} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_wildcards_ends_soon() {
        let pattern = ListPattern::read(b"", "*a%".repeat(170).as_bytes(), Utf7).unwrap();
        assert!(!pattern.matches(&MailboxName::new("b".repeat(NAME_BYTES_MAX)).unwrap()));
    }

    /// The definition of the wildcards, said plainly.
    fn plainly(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|end| plainly(rest, &name[end..])),
            Some((b'%', rest)) => (0..=name.len())
                .take_while(|end| !name[..*end].contains(&b'/'))
                .any(|end| plainly(rest, &name[end..])),
            Some((first, rest)) => name.first() == Some(first) && plainly(rest, &name[1..]),
        }
    }

    proptest::proptest! {
        #[test]
        fn names_round_trip(name in "[ -~ü台\u{1F600}&]{1,20}") {
            if let Ok(name) = MailboxName::new(name) {
                let sent = name.spelled(Utf7).into_owned();
                proptest::prop_assert_eq!(MailboxName::read(sent.as_bytes(), Utf7), Ok(name));
            }
        }

        #[test]
        fn any_bytes_are_judged(sent in proptest::collection::vec(0_u8.., 0..40)) {
            if let Ok(name) = MailboxName::read(&sent, Utf7) && !is_inbox(first_level(name.as_str())) {
                let again = name.spelled(Utf7).into_owned().into_bytes();
                // Only what is encoded can be composed in another way.
                proptest::prop_assert!(again == sent || sent.contains(&b'&'));
            }
        }

        #[test]
        fn patterns_match_as_defined(pattern in "[ab/*%]{1,8}", name in "[ab/]{1,8}") {
            if let Ok(name) = MailboxName::new(name) {
                let asked = ListPattern::read(b"", pattern.as_bytes(), Utf7).unwrap();
                proptest::prop_assert_eq!(
                    asked.matches(&name),
                    plainly(pattern.as_bytes(), name.as_str().as_bytes())
                );
            }
        }
    }
}
