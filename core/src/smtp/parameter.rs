//! Parameters of MAIL and RCPT (RFC 5321 §4.1.2): which there are, and what their values mean.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::address::{Grammar, Mailbox, ReversePath};
use super::cursor::{AsciiSet, At, Cursor};
use super::fault::Fault;
use crate::UnixSeconds;
use crate::wire::date::{self, InternetDate};

/// The parameters that we know. Which of them a client may use, EHLO tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keyword {
    /// Of MAIL: how many bytes (RFC 1870).
    Size,
    /// Of MAIL: the encoding (RFC 6152, RFC 3030).
    Body,
    /// Of MAIL: other than ASCII (RFC 6531).
    SmtpUtf8,
    /// Of MAIL: who submitted it (RFC 4954 §5).
    Auth,
    /// Of MAIL: TLS all the way, or not at all (RFC 8689).
    RequireTls,
    /// Of MAIL: how much of the message a report returns (RFC 3461 §4.3).
    Ret,
    /// Of MAIL: the sender's name for the transaction (RFC 3461 §4.4).
    Envid,
    /// Of MAIL: not before so many seconds have passed (RFC 4865).
    HoldFor,
    /// Of MAIL: not before this time (RFC 4865).
    HoldUntil,
    /// Of MAIL: within so many seconds (RFC 2852).
    By,
    /// Of MAIL: before or behind other mail (RFC 6710).
    MtPriority,
    /// Of RCPT: when to report (RFC 3461 §4.1).
    Notify,
    /// Of RCPT: the recipient as the sender first wrote it (RFC 3461 §4.2).
    Orcpt,
}

impl Keyword {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Size,
        Self::Body,
        Self::SmtpUtf8,
        Self::Auth,
        Self::RequireTls,
        Self::Ret,
        Self::Envid,
        Self::HoldFor,
        Self::HoldUntil,
        Self::By,
        Self::MtPriority,
        Self::Notify,
        Self::Orcpt,
    ];

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "SIZE",
            Self::Body => "BODY",
            Self::SmtpUtf8 => "SMTPUTF8",
            Self::Auth => "AUTH",
            Self::RequireTls => "REQUIRETLS",
            Self::Ret => "RET",
            Self::Envid => "ENVID",
            Self::HoldFor => "HOLDFOR",
            Self::HoldUntil => "HOLDUNTIL",
            Self::By => "BY",
            Self::MtPriority => "MT-PRIORITY",
            Self::Notify => "NOTIFY",
            Self::Orcpt => "ORCPT",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|keyword| keyword.name().eq_ignore_ascii_case(word))
    }
}

/// The encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `BODY=7BIT`
    SevenBit,
    /// `BODY=8BITMIME` (RFC 6152 §2)
    EightBitMime,
    /// `BODY=BINARYMIME`: any bytes, not in lines; by BDAT only (RFC 3030 §3).
    BinaryMime,
}

impl Encoding {
    pub(super) fn read(value: &str) -> Option<Self> {
        let all = [Self::SevenBit, Self::EightBitMime, Self::BinaryMime];
        all.into_iter().find(|encoding| encoding.name().eq_ignore_ascii_case(value))
    }

    /// The value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }
}

/// How much of the message a report of failure returns (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Return {
    /// All of it.
    Full,
    /// Its header.
    Headers,
}

impl Return {
    pub(super) fn read(value: &str) -> Option<Self> {
        let all = [Self::Full, Self::Headers];
        all.into_iter().find(|ret| ret.name().eq_ignore_ascii_case(value))
    }

    /// The value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }
}

/// When to report to the sender on this recipient (RFC 3461 §4.1). Nothing set is `NEVER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Notify {
    /// That it was delivered.
    pub success: bool,
    /// That it was not.
    pub failure: bool,
    /// That it takes long.
    pub delay: bool,
}

impl Notify {
    /// `NEVER` alone, or a list of the others without a repetition.
    pub(super) fn read(value: &str) -> Option<Self> {
        let mut notify = Self::default();
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(notify);
        }
        for word in value.split(',') {
            let slot = match word {
                _ if word.eq_ignore_ascii_case("SUCCESS") => &mut notify.success,
                _ if word.eq_ignore_ascii_case("FAILURE") => &mut notify.failure,
                _ if word.eq_ignore_ascii_case("DELAY") => &mut notify.delay,
                _ => return None,
            };
            if std::mem::replace(slot, true) {
                return None;
            }
        }
        Some(notify)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let mut between = "";
        for (_, word) in words.iter().filter(|(wanted, _)| *wanted) {
            write!(f, "{between}{word}")?;
            between = ",";
        }
        if between.is_empty() { f.write_str("NEVER") } else { Ok(()) }
    }
}

/// The recipient as the sender first wrote it (RFC 3461 §4.2), for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginalRecipient<'a> {
    /// What kind of address: `rfc822`, or `utf-8` (RFC 6533 §3).
    pub kind: Cow<'a, str>,
    /// The address, decoded.
    pub address: Cow<'a, str>,
}

impl<'a> OriginalRecipient<'a> {
    pub(super) fn read(value: &'a str) -> Option<Self> {
        if value.len() > ORCPT_BYTES_MAX {
            return None;
        }
        let (kind, text) = value.split_once(';')?;
        let atom = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if kind.is_empty() || !kind.bytes().all(atom) || text.is_empty() {
            return None;
        }
        let address = if is_utf8_kind(kind) { unescaped(text)? } else { decode_xtext(text)? };
        let printable = address.chars().all(|char| !char.is_control());
        printable.then_some(Self { kind: Cow::Borrowed(kind), address })
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> OriginalRecipient<'static> {
        OriginalRecipient {
            kind: Cow::Owned(self.kind.into_owned()),
            address: Cow::Owned(self.address.into_owned()),
        }
    }
}

impl fmt::Display for OriginalRecipient<'_> {
    /// In ASCII, so that it can be told to any server.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};", self.kind)?;
        if !is_utf8_kind(&self.kind) {
            return write_xtext(&self.address, f);
        }
        self.address.chars().try_for_each(|char| match char {
            '\\' | '+' | '=' => write!(f, "\\x{{{:02X}}}", u32::from(char)),
            '!'..='~' => f.write_char(char),
            char => write!(f, "\\x{{{:02X}}}", u32::from(char)),
        })
    }
}

/// Not before a time (RFC 4865 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Not before so many seconds have passed.
    For(u32),
    /// Not before this time.
    Until(UnixSeconds),
}

impl Hold {
    /// One to nine digits.
    pub(super) fn read_for(value: &str) -> Option<Self> {
        (1..=9).contains(&value.len()).then(|| number(value)).flatten().map(Self::For)
    }

    /// A date and time as RFC 3339 §5.6 writes it.
    pub(super) fn read_until(value: &str) -> Option<Self> {
        date::internet_date(value).map(Self::Until)
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(seconds) => write!(f, "HOLDFOR={seconds}"),
            Self::Until(time) => write!(f, "HOLDUNTIL={}", InternetDate(*time)),
        }
    }
}

/// Within a time (RFC 2852 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverBy {
    /// So many seconds from now; zero or less: the time has passed on the way here.
    pub seconds: i32,
    /// What happens if it is not delivered by then.
    pub mode: ByMode,
    /// Whether each relay reports that it took the message over.
    pub trace: bool,
}

/// What happens to a message that is late (RFC 2852 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByMode {
    /// It goes on, and the sender is told.
    Notify,
    /// It goes back.
    Return,
}

impl DeliverBy {
    /// A sign and one to nine digits; mode; trace.
    pub(super) fn read(value: &str) -> Option<Self> {
        let (time, mode) = value.split_once(';')?;
        let digits = time.strip_prefix(['+', '-']).unwrap_or(time);
        let size: i32 = (1..=9).contains(&digits.len()).then(|| number(digits)).flatten()?;
        let seconds = if time.starts_with('-') { -size } else { size };
        let (mode, trace) = match mode.as_bytes() {
            [b'N' | b'n'] => (ByMode::Notify, false),
            [b'R' | b'r'] => (ByMode::Return, false),
            [b'N' | b'n', b'T' | b't'] => (ByMode::Notify, true),
            [b'R' | b'r', b'T' | b't'] => (ByMode::Return, true),
            _ => return None,
        };
        // RFC 2852 §4: what must go back in no time at all makes no sense.
        let sensible = mode == ByMode::Notify || seconds > 0;
        sensible.then_some(Self { seconds, mode, trace })
    }
}

impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            ByMode::Notify => 'N',
            ByMode::Return => 'R',
        };
        write!(f, "{};{mode}{}", self.seconds, if self.trace { "T" } else { "" })
    }
}

/// RFC 6710 §2: -9 to 9, one digit with or without a minus.
pub(super) fn read_priority(value: &str) -> Option<i8> {
    let digit = value.strip_prefix('-').unwrap_or(value);
    (digit.len() == 1 && digit.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| value.parse().ok())
        .flatten()
}

/// RFC 1870 §3: up to 20 digits, which is more than 64 bits hold.
pub(super) fn read_size(value: &str) -> Option<u64> {
    let digits = (1..=20).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(u64::MAX))
}

/// RFC 3461 §4.4: printable characters and spaces in xtext, 100 characters at most as encoded.
pub(super) fn read_envid(value: &str) -> Option<Cow<'_, str>> {
    let decoded = (value.len() <= ENVID_BYTES_MAX).then(|| decode_xtext(value)).flatten()?;
    decoded.bytes().all(|byte| matches!(byte, b' '..=b'~')).then_some(decoded)
}

/// The value of MAIL's AUTH parameter (RFC 4954 §5): `<>` or a mailbox, in xtext.
pub(super) fn read_submitter(value: &str, grammar: Grammar) -> Option<ReversePath<'_>> {
    match decode_xtext(value)? {
        Cow::Borrowed("<>") => Some(ReversePath::Null),
        Cow::Borrowed(text) => Mailbox::parse(text, grammar).ok().map(ReversePath::Mailbox),
        Cow::Owned(text) if text == "<>" => Some(ReversePath::Null),
        Cow::Owned(text) => {
            let mailbox = Mailbox::parse(&text, grammar).ok()?;
            Some(ReversePath::Mailbox(mailbox.into_owned()))
        }
    }
}

/// One parameter as it stands in the line.
pub(super) struct Parameter<'a> {
    pub(super) keyword: Keyword,
    pub(super) at: usize,
    value_at: usize,
    value: Option<&'a str>,
}

impl<'a> Parameter<'a> {
    /// The next one, if the line has not ended.
    pub(super) fn next(cursor: &mut Cursor<'a>) -> Result<Option<Self>, Fault> {
        let apart = cursor.spaces() > 0;
        if cursor.is_at_end() {
            return Ok(None);
        }
        if !apart {
            return Err(Fault::Argument(cursor.expected("a space or the end")));
        }
        let at = cursor.at();
        let keyword = cursor.take_set(&KEYWORD, |_| false);
        if keyword.is_empty() || keyword.starts_with('-') {
            return Err(Fault::Argument(cursor.expected_at(at, "a parameter")));
        }
        let valued = cursor.eat("=");
        let value_at = cursor.at();
        let value = cursor.take_while(|char| valued && char != ' ' && char != '=');
        if valued && value.is_empty() {
            return Err(Fault::Argument(cursor.expected("a value")));
        }
        let keyword = Keyword::of(keyword).ok_or(Fault::ParameterUnknown(at))?;
        Ok(Some(Self { keyword, at, value_at, value: valued.then_some(value) }))
    }

    /// Reads the value into its slot, where no other may have been.
    pub(super) fn fill<T>(
        &self,
        slot: &mut Option<T>,
        read: impl FnOnce(&'a str) -> Option<T>,
        cursor: &Cursor<'a>,
        expected: &'static str,
    ) -> Result<(), Fault> {
        let value = self.value.and_then(read);
        let value = value.ok_or_else(|| Fault::Argument(self.malformed(cursor, expected)))?;
        if slot.replace(value).is_some() { Err(Fault::ParameterTwice(self.at)) } else { Ok(()) }
    }

    /// Sets what is said by the word alone.
    pub(super) fn set(&self, slot: &mut bool, cursor: &Cursor<'a>) -> Result<(), Fault> {
        if self.value.is_some() {
            return Err(Fault::Argument(self.malformed(cursor, "no value")));
        }
        if std::mem::replace(slot, true) { Err(Fault::ParameterTwice(self.at)) } else { Ok(()) }
    }

    fn malformed(&self, cursor: &Cursor<'a>, expected: &'static str) -> At {
        cursor.expected_at(self.value_at, expected)
    }
}

static KEYWORD: AsciiSet = AsciiSet::alphanumeric_and(b"-");

/// RFC 3461 §4: `+` and two upper-case hex digits stand for a byte.
fn decode_xtext(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut parts = text.split('+');
    let first = parts.next()?;
    if first.len() == text.len() {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = first.as_bytes().to_vec();
    for part in parts {
        let (hex, plain) = part.split_at_checked(2)?;
        let upper = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
        decoded.push(u8::from_str_radix(hex, 16).ok().filter(|_| upper)?);
        decoded.extend_from_slice(plain.as_bytes());
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// The same the other way.
pub(super) fn write_xtext(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.bytes().try_for_each(|byte| match byte {
        b'!'..=b'*' | b','..=b'<' | b'>'..=b'~' => f.write_char(char::from(byte)),
        _ => write!(f, "+{byte:02X}"),
    })
}

/// RFC 6533 §3: a backslash, `x`, and a code point in hex between braces stand for a character;
/// others stand for themselves.
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut parts = text.split('\\');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let (hex, plain) = part.strip_prefix("x{")?.split_once('}')?;
        let upper = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
        let code = (upper && (2..=6).contains(&hex.len())).then(|| u32::from_str_radix(hex, 16));
        decoded.push(code?.ok().and_then(char::from_u32)?);
        decoded.push_str(plain);
    }
    Some(Cow::Owned(decoded))
}

fn is_utf8_kind(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("utf-8")
}

/// Digits only: `parse` alone would take a sign.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// RFC 3461 §4.4.
const ENVID_BYTES_MAX: usize = 100;
/// RFC 3461 §4.2.
const ORCPT_BYTES_MAX: usize = 500;
