//! Replies (RFC 5321 §4.2) with enhanced status codes (RFC 3463, RFC 2034), and how they are
//! written.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::Outbox;

/// One reply: a code, an enhanced code where one belongs, and text of one line or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: Code,
    enhanced: Option<Enhanced>,
    text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced code. `\n` in the text begins a new line of the reply.
    #[must_use]
    pub fn new(code: Code, enhanced: Enhanced, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: Some(enhanced), text: text.into() }
    }

    /// A reply without an enhanced code: the greeting, the replies to EHLO, HELO and DATA
    /// (RFC 2034 §4).
    #[must_use]
    pub fn plain(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, text: text.into() }
    }

    /// The greeting. The machine puts its host name before the text.
    #[must_use]
    pub fn greeting(text: impl Into<Cow<'static, str>>) -> Self {
        Self::plain(Code::READY, text)
    }

    /// Hello accepted. The machine puts its host name before the text, and its list behind it.
    #[must_use]
    pub fn hello(text: impl Into<Cow<'static, str>>) -> Self {
        Self::plain(Code::OK, text)
    }

    /// MAIL accepted.
    #[must_use]
    pub const fn sender_ok() -> Self {
        Self::fixed(Code::OK, Enhanced::new(1, 0), "sender ok")
    }

    /// RCPT accepted.
    #[must_use]
    pub const fn recipient_ok() -> Self {
        Self::fixed(Code::OK, Enhanced::new(1, 5), "recipient ok")
    }

    /// DATA accepted.
    #[must_use]
    pub const fn start_mail() -> Self {
        let text = Cow::Borrowed("send the message, end it with <CRLF>.<CRLF>");
        Self { code: Code::START_MAIL, enhanced: None, text }
    }

    /// The message is durable: it is ours now.
    #[must_use]
    pub const fn accepted() -> Self {
        Self::fixed(Code::OK, Enhanced::new(0, 0), "message accepted")
    }

    /// STARTTLS accepted (RFC 3207 §4).
    #[must_use]
    pub const fn start_tls() -> Self {
        Self::fixed(Code::READY, Enhanced::new(0, 0), "ready to start TLS")
    }

    /// AUTH succeeded (RFC 4954 §6).
    #[must_use]
    pub const fn authenticated() -> Self {
        Self::fixed(Code::AUTHENTICATED, Enhanced::new(7, 0), "authenticated")
    }

    /// AUTH failed (RFC 4954 §6).
    #[must_use]
    pub const fn authentication_failed() -> Self {
        let text = "user name or password wrong, or this mechanism is not set up for the account";
        Self::fixed(Code::AUTH_FAILED, Enhanced::new(7, 8), text)
    }

    /// A mailbox that does not exist (RFC 3463 §3.2).
    #[must_use]
    pub const fn no_such_mailbox() -> Self {
        Self::fixed(Code::MAILBOX_UNAVAILABLE, Enhanced::new(1, 1), "no such mailbox here")
    }

    /// Something failed on our side; the client is to try again later.
    #[must_use]
    pub const fn try_later() -> Self {
        let text = "this cannot be done at the moment, try again later";
        Self::fixed(Code::LOCAL_ERROR, Enhanced::new(3, 0), text)
    }

    /// No room to store the message.
    #[must_use]
    pub const fn no_storage() -> Self {
        Self::fixed(Code::NO_STORAGE, Enhanced::new(3, 1), "no room for mail, try again later")
    }

    /// The server is stopping; for [`Server::close`](super::Server::close).
    #[must_use]
    pub const fn stopping() -> Self {
        Self::fixed(Code::SHUTTING_DOWN, Enhanced::new(3, 2), "the server is stopping")
    }

    /// The peer was silent for too long; for [`Server::close`](super::Server::close).
    #[must_use]
    pub const fn timed_out() -> Self {
        Self::fixed(Code::SHUTTING_DOWN, Enhanced::new(4, 2), "nothing came for too long")
    }

    const fn fixed(code: Code, enhanced: Enhanced, text: &'static str) -> Self {
        Self { code, enhanced: Some(enhanced), text: Cow::Borrowed(text) }
    }

    /// The three digits.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The enhanced code.
    #[must_use]
    pub const fn enhanced(&self) -> Option<Enhanced> {
        self.enhanced
    }

    /// The text, its lines separated by `\n`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes it, with ` (id)` behind the last line where an id is given. Lines that would pass
    /// 512 bytes (RFC 5321 §4.5.3.1.5) are continued on another one.
    pub fn write(&self, id: Option<&str>, out: &mut Outbox) {
        let mut lines = self.text.split('\n').flat_map(wrapped).peekable();
        while let Some(line) = lines.next() {
            let last = lines.peek().is_none();
            let place = if last { Place::Last(id) } else { Place::Before };
            write_line(self.code, self.enhanced, format_args!("{line}"), place, out);
        }
    }
}

/// A reply code: three digits, 200 to 599 (RFC 5321 §4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl Code {
    /// 214, the answer to HELP.
    pub const HELP: Self = Self(214);
    /// 220, the greeting; go on with TLS.
    pub const READY: Self = Self(220);
    /// 221, closing.
    pub const CLOSING: Self = Self(221);
    /// 235, authentication succeeded (RFC 4954 §6).
    pub const AUTHENTICATED: Self = Self(235);
    /// 250, done.
    pub const OK: Self = Self(250);
    /// 252, cannot verify, but will take it.
    pub const CANNOT_VERIFY: Self = Self(252);
    /// 334, a challenge (RFC 4954 §4).
    pub const CHALLENGE: Self = Self(334);
    /// 354, send the message.
    pub const START_MAIL: Self = Self(354);
    /// 421, closing although not asked to.
    pub const SHUTTING_DOWN: Self = Self(421);
    /// 450, mailbox unavailable for now.
    pub const MAILBOX_BUSY: Self = Self(450);
    /// 451, a local error.
    pub const LOCAL_ERROR: Self = Self(451);
    /// 452, not enough room.
    pub const NO_STORAGE: Self = Self(452);
    /// 454, TLS or authentication is not to be had for now.
    pub const TEMPORARY_AUTH_FAILURE: Self = Self(454);
    /// 500, not understood.
    pub const SYNTAX: Self = Self(500);
    /// 501, understood, but not its arguments.
    pub const ARGUMENT_SYNTAX: Self = Self(501);
    /// 502, not implemented here.
    pub const NOT_IMPLEMENTED: Self = Self(502);
    /// 503, not in this order.
    pub const BAD_SEQUENCE: Self = Self(503);
    /// 504, argument not implemented.
    pub const ARGUMENT_NOT_IMPLEMENTED: Self = Self(504);
    /// 530, authentication required (RFC 4954 §6).
    pub const AUTH_REQUIRED: Self = Self(530);
    /// 535, authentication failed (RFC 4954 §6).
    pub const AUTH_FAILED: Self = Self(535);
    /// 538, the mechanism needs encryption (RFC 4954 §6).
    pub const ENCRYPTION_REQUIRED: Self = Self(538);
    /// 550, mailbox unavailable, or refused by policy.
    pub const MAILBOX_UNAVAILABLE: Self = Self(550);
    /// 552, over a limit of storage.
    pub const TOO_LARGE: Self = Self(552);
    /// 553, the mailbox name is not allowed.
    pub const MAILBOX_NAME: Self = Self(553);
    /// 554, failed.
    pub const FAILED: Self = Self(554);
    /// 555, parameters not known.
    pub const PARAMETER_UNKNOWN: Self = Self(555);

    /// The code of this number, if it is one.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number >= 200 && number <= 599 { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// What its first digit says.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.0 / 100 {
            2 => Class::Done,
            3 => Class::GoOn,
            4 => Class::Temporary,
            _ => Class::Permanent,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the first digit of a code says (RFC 5321 §4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// 2: done.
    Done,
    /// 3: more is wanted from the client.
    GoOn,
    /// 4: refused for now.
    Temporary,
    /// 5: refused.
    Permanent,
}

/// Subject and detail of an enhanced code (RFC 3463 §2). Its class is the reply code's first
/// digit, so the two cannot disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enhanced {
    subject: u16,
    detail: u16,
}

impl Enhanced {
    /// `X.subject.detail`; each has three digits at most, and higher numbers become 999.
    #[must_use]
    pub const fn new(subject: u16, detail: u16) -> Self {
        const fn capped(number: u16) -> u16 {
            if number > 999 { 999 } else { number }
        }
        Self { subject: capped(subject), detail: capped(detail) }
    }

    /// Its second number: what it is about.
    #[must_use]
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// Its third number.
    #[must_use]
    pub const fn detail(self) -> u16 {
        self.detail
    }
}

/// Which line of a reply.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// Others follow.
    Before,
    /// The last, with the connection's id behind it.
    Last(Option<&'a str>),
}

/// Writes one line of a reply. The enhanced code stands on each line (RFC 2034 §4).
pub(super) fn write_line(
    code: Code,
    enhanced: Option<Enhanced>,
    text: fmt::Arguments<'_>,
    place: Place<'_>,
    out: &mut Outbox,
) {
    let mut line = Printable(out);
    let sign = if matches!(place, Place::Before) { '-' } else { ' ' };
    // Writing to an outbox cannot fail.
    let _ = write!(line, "{code}{sign}");
    if let Some(Enhanced { subject, detail }) = enhanced {
        let _ = write!(line, "{}.{subject}.{detail} ", code.number() / 100);
    }
    let _ = line.write_fmt(text);
    if let Place::Last(Some(id)) = place {
        let _ = write!(line, " ({id})");
    }
    out.push(b"\r\n");
}

/// Lets through what a reply's text may hold (RFC 5321 §4.2: HT and printable ASCII); anything
/// else becomes a question mark, so that no text can end a line.
struct Printable<'a>(&'a mut Outbox);

impl fmt::Write for Printable<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut parts = text.split(|char| !matches!(char, '\t' | ' '..='~'));
        self.0.push(parts.next().unwrap_or_default().as_bytes());
        for part in parts {
            self.0.push(b"?");
            self.0.push(part.as_bytes());
        }
        Ok(())
    }
}

/// The line in parts of at most [`TEXT_MAX`] characters; one empty part for an empty line.
fn wrapped(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        let cut = text.char_indices().nth(TEXT_MAX).map(|(at, _)| at);
        let (part, more) = match cut.and_then(|at| text.split_at_checked(at)) {
            Some((part, more)) => (part, Some(more)),
            None => (text, None),
        };
        rest = more;
        Some(part)
    })
}

/// Leaves room in 512 bytes for both codes, the id and CRLF.
const TEXT_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply, id: Option<&str>) -> String {
        let mut out = Outbox::new(100);
        reply.write(id, &mut out);
        String::from_utf8(out.unsent().to_vec()).unwrap()
    }

    #[test]
    fn one_line_and_several() {
        assert_eq!(written(&Reply::sender_ok(), None), "250 2.1.0 sender ok\r\n");
        assert_eq!(
            written(&Reply::plain(Code::READY, "mx.example ESMTP"), None),
            "220 mx.example ESMTP\r\n"
        );
        let reply = Reply::new(Code::FAILED, Enhanced::new(7, 1), "no\nand\nno");
        assert_eq!(
            written(&reply, Some("c7")),
            "554-5.7.1 no\r\n554-5.7.1 and\r\n554 5.7.1 no (c7)\r\n"
        );
    }

    #[test]
    fn text_cannot_end_a_line() {
        let reply = Reply::plain(Code::OK, "a\r\u{0}\u{7f}\u{e9}\tb");
        assert_eq!(written(&reply, None), "250 a????\tb\r\n");
    }

    #[test]
    fn long_text_is_continued() {
        for (length, lines) in [(0, 1), (TEXT_MAX, 1), (TEXT_MAX + 1, 2), (TEXT_MAX * 2 + 1, 3)] {
            let reply = Reply::new(Code::FAILED, Enhanced::new(0, 0), "x".repeat(length));
            let written = written(&reply, Some(&"i".repeat(64)));
            assert_eq!(written.matches("\r\n").count(), lines);
            assert!(written.split_inclusive("\r\n").all(|line| line.len() <= 512));
        }
    }

    #[test]
    fn codes_are_three_digits() {
        assert_eq!(Code::new(199), None);
        assert_eq!(Code::new(200).map(Code::class), Some(Class::Done));
        assert_eq!(Code::new(354).map(Code::class), Some(Class::GoOn));
        assert_eq!(Code::new(421).map(Code::class), Some(Class::Temporary));
        assert_eq!(Code::new(599).map(Code::class), Some(Class::Permanent));
        assert_eq!(Code::new(600), None);
    }
}
