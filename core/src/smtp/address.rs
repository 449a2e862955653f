//! Addresses (RFC 5321 §4.1.2, with non-ASCII characters as RFC 6531 §3.3 adds them).
//!
//! Each type is made by parsing only and borrows from what was parsed; `into_owned` frees it from
//! that. Local parts are kept as they are meant: `"a\b"@x` and `ab@x` are one address.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::borrow::Cow;
use std::fmt;

use super::config::{Config, Strictness};
use super::cursor::{AsciiSet, At, Cursor};
use super::limits::Limits;
use crate::international::{DomainError, DomainFlaw, DomainName};

/// How addresses are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grammar {
    /// Whether odd dots, underscores and spaces are refused.
    pub strictness: Strictness,
    /// As [`Limits::localpart_max`].
    pub localpart_max: usize,
    /// As [`Limits::domain_max`].
    pub domain_max: usize,
}

impl Grammar {
    /// The grammar of a server with this configuration.
    #[must_use]
    pub const fn of(config: &Config) -> Self {
        let Limits { localpart_max, domain_max, .. } = *config.limits();
        Self { strictness: config.strictness(), localpart_max, domain_max }
    }

    pub(super) fn is_lenient(self) -> bool {
        self.strictness == Strictness::Lenient
    }
}

impl Default for Grammar {
    /// Lenient, with the default limits.
    fn default() -> Self {
        let Limits { localpart_max, domain_max, .. } = Limits::default();
        Self { strictness: Strictness::Lenient, localpart_max, domain_max }
    }
}

/// The part before the `@`, as it is meant: without quotes and backslashes.
///
/// Printed as it must be written, quoted where it is no dot-string. Compared with regard to case
/// (RFC 5321 §2.4); a host that does otherwise for its own mailboxes folds it first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Localpart<'a>(Cow<'a, str>);

/// A domain name, spelled as it came; compared as the name that it is, without regard to case or to
/// which of its labels are A-labels and which U-labels (RFC 5890 §2.3.2.4).
#[derive(Debug, Clone, Eq)]
pub struct Domain<'a>(Cow<'a, str>);

/// What stands behind the `@`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host<'a> {
    /// A domain.
    Domain(Domain<'a>),
    /// An address literal: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
    Address(IpAddr),
    /// A literal of another kind, without its brackets; there is no use for these yet.
    Other(Cow<'a, str>),
}

/// Local part and host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox<'a> {
    /// Before the `@`.
    pub localpart: Localpart<'a>,
    /// Behind the `@`.
    pub host: Host<'a>,
}

/// Where reports of failure go: the argument of MAIL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReversePath<'a> {
    /// `<>`: nowhere, since this is such a report itself (RFC 5321 §4.5.5).
    Null,
    /// A mailbox.
    Mailbox(Mailbox<'a>),
}

/// To whom a message goes: the argument of RCPT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardPath<'a> {
    /// `<postmaster>` without a domain, in any case (RFC 5321 §4.5.1).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox<'a>),
}

impl<'a> Localpart<'a> {
    /// Parses the whole of `text`, quoted or not.
    ///
    /// # Errors
    /// Where it is no local part.
    pub fn parse(text: &'a str, grammar: Grammar) -> Result<Self, At> {
        whole(text, |cursor| Self::read(cursor, grammar))
    }

    /// As it is meant, unquoted.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> Localpart<'static> {
        Localpart(Cow::Owned(self.0.into_owned()))
    }

    #[inline]
    fn read(cursor: &mut Cursor<'a>, grammar: Grammar) -> Result<Self, At> {
        let start = cursor.at();
        let localpart = if cursor.eat("\"") {
            Self(quoted(cursor)?)
        } else {
            let text = cursor.take_set(&DOT_ATEXT, is_international);
            if text.is_empty() {
                return Err(cursor.expected("a local part"));
            }
            if !grammar.is_lenient() && !is_dot_string(text) {
                return Err(cursor.expected_at(start, "a local part with dots only within it"));
            }
            Self(Cow::Borrowed(text))
        };
        if localpart.0.len() > grammar.localpart_max {
            return Err(cursor.expected_at(start, "a shorter local part"));
        }
        Ok(localpart)
    }
}

impl fmt::Display for Localpart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.0) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for part in self.0.split_inclusive(['"', '\\']) {
            match part.strip_suffix(['"', '\\']) {
                Some(plain) => {
                    let escaped = part.get(plain.len()..).unwrap_or_default();
                    write!(f, "{plain}\\{escaped}")?;
                }
                None => f.write_str(part)?,
            }
        }
        f.write_str("\"")
    }
}

impl<'a> Domain<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    /// Where it is no domain.
    pub fn parse(text: &'a str, grammar: Grammar) -> Result<Self, At> {
        whole(text, |cursor| Self::read(cursor, grammar))
    }

    /// As it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that it is: with both of its forms.
    ///
    /// # Errors
    /// Where it is spelled as a domain may be and is none: `xn--` with what cannot be decoded behind
    /// it, or an underscore in one with other letters.
    pub fn name(&self) -> Result<DomainName<'_>, DomainError> {
        DomainName::parse(&self.0)
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> Domain<'static> {
        Domain(Cow::Owned(self.0.into_owned()))
    }

    #[inline]
    fn read(cursor: &mut Cursor<'a>, grammar: Grammar) -> Result<Self, At> {
        let start = cursor.at();
        let set = if grammar.is_lenient() { &AND_UNDERSCORE } else { &LETTER_DIGIT_HYPHEN };
        loop {
            let label_start = cursor.at();
            let label = cursor.take_set(set, is_international);
            if label.is_empty() {
                return Err(cursor.expected("a domain"));
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(cursor.expected_at(label_start, "no hyphen at a label's ends"));
            }
            if !label.is_ascii() {
                check_u_label(label, grammar)
                    .map_err(|flaw| cursor.expected_at(label_start, flaw.expected()))?;
            } else if label.len() > LABEL_MAX {
                return Err(cursor.expected_at(label_start, "a label of at most 63 bytes"));
            }
            if !cursor.eat(".") {
                break;
            }
        }
        let text = cursor.since(start);
        if text.len() > grammar.domain_max {
            return Err(cursor.expected_at(start, "a shorter domain"));
        }
        Ok(Self(Cow::Borrowed(text)))
    }
}

impl PartialEq for Domain<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.0.eq_ignore_ascii_case(&other.0) {
            return true;
        }
        // Two spellings of one name differ in what is not ASCII.
        !(self.0.is_ascii() && other.0.is_ascii())
            && matches!((self.name(), other.name()), (Ok(one), Ok(two)) if one == two)
    }
}

impl fmt::Display for Domain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> Host<'a> {
    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> Host<'static> {
        match self {
            Self::Domain(domain) => Host::Domain(domain.into_owned()),
            Self::Address(address) => Host::Address(address),
            Self::Other(text) => Host::Other(Cow::Owned(text.into_owned())),
        }
    }

    /// RFC 5321 §4.1.3.
    #[inline]
    fn read(cursor: &mut Cursor<'a>, grammar: Grammar) -> Result<Self, At> {
        if !cursor.eat("[") {
            return Domain::read(cursor, grammar).map(Self::Domain);
        }
        let start = cursor.at();
        let text = cursor.take_while(|char| matches!(char, '!'..='Z' | '^'..='~'));
        if text.len() > grammar.domain_max {
            return Err(cursor.expected_at(start, "a shorter address literal"));
        }
        cursor.expect("]", "`]` behind an address literal")?;
        let host = match text.split_once(':') {
            None => text.parse::<Ipv4Addr>().ok().map(|address| Self::Address(address.into())),
            Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => {
                address.parse::<Ipv6Addr>().ok().map(|address| Self::Address(address.into()))
            }
            Some((tag, content)) => {
                let named = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
                (named && !content.is_empty()).then_some(Self::Other(Cow::Borrowed(text)))
            }
        };
        host.ok_or_else(|| {
            cursor.expected_at(start, "an address such as 192.0.2.1 or IPv6:2001:db8::1")
        })
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Address(IpAddr::V4(address)) => write!(f, "[{address}]"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[IPv6:{address}]"),
            Self::Other(text) => write!(f, "[{text}]"),
        }
    }
}

impl<'a> Mailbox<'a> {
    /// Parses the whole of `text`, such as `ann@example.org`.
    ///
    /// # Errors
    /// Where it is no mailbox.
    pub fn parse(text: &'a str, grammar: Grammar) -> Result<Self, At> {
        whole(text, |cursor| Self::read(cursor, grammar))
    }

    /// Whether it can be used without SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        let host = match &self.host {
            Host::Domain(domain) => domain.0.is_ascii(),
            Host::Address(_) | Host::Other(_) => true,
        };
        host && self.localpart.0.is_ascii()
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> Mailbox<'static> {
        Mailbox { localpart: self.localpart.into_owned(), host: self.host.into_owned() }
    }

    #[inline]
    fn read(cursor: &mut Cursor<'a>, grammar: Grammar) -> Result<Self, At> {
        let localpart = Localpart::read(cursor, grammar)?;
        cursor.expect("@", "`@`")?;
        Ok(Self { localpart, host: Host::read(cursor, grammar)? })
    }
}

impl fmt::Display for Mailbox<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.localpart, self.host)
    }
}

impl<'a> ReversePath<'a> {
    /// The mailbox, if there is one.
    #[must_use]
    pub const fn mailbox(&self) -> Option<&Mailbox<'a>> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> ReversePath<'static> {
        match self {
            Self::Null => ReversePath::Null,
            Self::Mailbox(mailbox) => ReversePath::Mailbox(mailbox.into_owned()),
        }
    }

    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'a>, grammar: Grammar) -> Result<Self, At> {
        if cursor.eat("<>") {
            return Ok(Self::Null);
        }
        open(cursor, grammar)?;
        let mailbox = Mailbox::read(cursor, grammar)?;
        cursor.expect(">", "`>`")?;
        Ok(Self::Mailbox(mailbox))
    }
}

impl fmt::Display for ReversePath<'_> {
    /// With its angle brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

impl<'a> ForwardPath<'a> {
    /// The mailbox, if there is one.
    #[must_use]
    pub const fn mailbox(&self) -> Option<&Mailbox<'a>> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> ForwardPath<'static> {
        match self {
            Self::Postmaster => ForwardPath::Postmaster,
            Self::Mailbox(mailbox) => ForwardPath::Mailbox(mailbox.into_owned()),
        }
    }

    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'a>, grammar: Grammar) -> Result<Self, At> {
        open(cursor, grammar)?;
        let localpart = Localpart::read(cursor, grammar)?;
        let postmaster = localpart.0.eq_ignore_ascii_case("postmaster");
        if postmaster && cursor.eat(">") {
            return Ok(Self::Postmaster);
        }
        cursor.expect("@", "`@`")?;
        let mailbox = Mailbox { localpart, host: Host::read(cursor, grammar)? };
        cursor.expect(">", "`>`")?;
        Ok(Self::Mailbox(mailbox))
    }
}

impl fmt::Display for ForwardPath<'_> {
    /// With its angle brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<postmaster>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

/// Passes `<` and a source route: `@a,@b:`. It is parsed and ignored (RFC 5321 §4.1.1.3).
fn open(cursor: &mut Cursor<'_>, grammar: Grammar) -> Result<(), At> {
    cursor.expect("<", "`<`")?;
    if cursor.peek() != Some('@') {
        return Ok(());
    }
    loop {
        cursor.expect("@", "`@` and a domain of the source route")?;
        Domain::read(cursor, grammar)?;
        if !cursor.eat(",") {
            return cursor.expect(":", "`:` behind the source route");
        }
    }
}

/// The rest of a quoted string, behind its first quote.
fn quoted<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, str>, At> {
    let mut text = Cow::Borrowed("");
    loop {
        let plain = cursor.take_while(|char| is_quoted_text(char) && !matches!(char, '"' | '\\'));
        if text.is_empty() {
            text = Cow::Borrowed(plain);
        } else {
            text.to_mut().push_str(plain);
        }
        if cursor.eat("\"") {
            return Ok(text);
        }
        if !cursor.eat("\\") {
            return Err(cursor.expected("`\"` at the end of the quoted local part"));
        }
        // RFC 5321 §4.1.2: a backslash stands before any printable ASCII character.
        match cursor.peek() {
            Some(escaped @ ' '..='~') => text.to_mut().push(escaped),
            _ => return Err(cursor.expected("a printable ASCII character behind the backslash")),
        }
        cursor.take();
    }
}

/// Lets `read` parse all of `text`.
fn whole<'a, T>(
    text: &'a str,
    read: impl FnOnce(&mut Cursor<'a>) -> Result<T, At>,
) -> Result<T, At> {
    let mut cursor = Cursor::new(text, 0);
    let value = read(&mut cursor)?;
    if cursor.is_at_end() { Ok(value) } else { Err(cursor.expected("the end")) }
}

fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5322 §3.2.3, with RFC 6531 §3.3.
#[inline]
fn is_atext(char: char) -> bool {
    u8::try_from(char).is_ok_and(|byte| ATEXT.has(byte)) || is_international(char)
}

fn is_quoted_text(char: char) -> bool {
    matches!(char, ' '..='~') || is_international(char)
}

/// A label with other letters is a U-label (RFC 6531 §3.3), and what is none is no domain. Capitals
/// and letters in pieces are no U-label either (RFC 5890 §2.3.2.1), but name one, and people write
/// them. That a label begins with `xn--` and is no A-label is not looked at here: it is one that
/// RFC 5321 §4.1.2 knows, the name of nothing.
fn check_u_label(label: &str, grammar: Grammar) -> Result<(), DomainFlaw> {
    let name = DomainName::parse(label).map_err(|error| error.flaw)?;
    if grammar.is_lenient() || name.to_unicode() == label {
        Ok(())
    } else {
        Err(DomainFlaw::Letters)
    }
}

/// RFC 6531 §3.3 allows every character beyond ASCII; those that end lines or move text about on
/// a screen stay out.
fn is_international(char: char) -> bool {
    !char.is_ascii() && !char.is_control() && !char.is_whitespace()
}

static ATEXT: AsciiSet = AsciiSet::alphanumeric_and(b"!#$%&'*+-/=?^_`{|}~");
static DOT_ATEXT: AsciiSet = AsciiSet::alphanumeric_and(b".!#$%&'*+-/=?^_`{|}~");
static LETTER_DIGIT_HYPHEN: AsciiSet = AsciiSet::alphanumeric_and(b"-");
static AND_UNDERSCORE: AsciiSet = AsciiSet::alphanumeric_and(b"-_");
/// RFC 1035 §2.3.4.
const LABEL_MAX: usize = 63;

#[cfg(test)]
mod tests;
