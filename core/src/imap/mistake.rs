//! What a client can do wrong, and the one place that says how it is answered.

use super::command::Refusal;
use super::grammar::At;
use super::legality::Legality;
use super::name::NameError;
use super::response::Code;
use super::server::Done;

/// A client's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    /// Against the grammar. The text is that of [`At`].
    Syntax(At),
    /// No command that we know.
    Unknown,
    /// A command that may not be given in this state.
    NotNow(Legality),
    /// STARTTLS, where TLS has begun.
    UnderTls,
    /// STARTTLS, where there is none.
    NoTls,
    /// COMPRESS, where all is compressed.
    UnderCompression,
    /// A password without TLS.
    Privacy,
    /// LOGIN, where it is not offered.
    NoLogin,
    /// A SASL mechanism that is not offered.
    Mechanism,
    /// What needs QRESYNC, where it is not switched on.
    NoQresync,
    /// A charset, where all is UTF-8 (RFC 6855 §3).
    Charset,
    /// Well formed, and yet impossible.
    Refused(Refusal),
    /// A command above its limit.
    TooLong,
    /// A message above its limit.
    MessageTooLarge,
    /// A line that ends with LF alone.
    BareLf,
    /// A literal whose end cannot be found.
    Lost,
    /// Something behind a message of APPEND that is neither the line end nor another message.
    AfterMessage,
    /// A message of no bytes.
    EmptyMessage,
    /// More messages in one APPEND than its limit lets be told of.
    TooManyMessages,
    /// Not base64.
    Base64,
    /// AUTHENTICATE was given up.
    Cancelled,
    /// Anything but DONE in IDLE.
    NotDone,
}

impl Mistake {
    /// How it is answered.
    pub(super) const fn reply(&self) -> Done<'static> {
        match self {
            // The text is made where the place is known.
            Self::Syntax(at) => Done::bad(at.expected),
            Self::Unknown => Done::bad("unknown or unsupported command"),
            Self::NotNow(Legality::Yes) => Done::bad("not now"),
            Self::NotNow(Legality::LoggedIn) => Done::bad("only before login"),
            Self::NotNow(Legality::LogInFirst) => Done::bad("log in first"),
            Self::NotNow(Legality::SelectFirst) => Done::bad("select a mailbox first"),
            Self::NotNow(Legality::ReadOnly) => Done::no("the mailbox is open read-only"),
            Self::UnderTls => Done::bad("TLS already active"),
            Self::NoTls => Done::bad("TLS is not offered here"),
            // RFC 4978 §3: BAD where a COMPRESS came before; the code is that of its NO.
            Self::UnderCompression => {
                Done::bad("DEFLATE already active").with(Code::CompressionActive)
            }
            Self::Privacy => Done::no("no login without TLS").with(Code::PrivacyRequired),
            Self::NoLogin => Done::no("LOGIN is not offered here"),
            Self::Mechanism => Done::no("this mechanism is not offered"),
            Self::NoQresync => Done::bad("ENABLE QRESYNC first"),
            Self::Charset => Done::bad("no CHARSET after ENABLE UTF8=ACCEPT"),
            Self::Refused(Refusal::Name(name)) => Done::no(name.text()).with(match name {
                NameError::TooLong | NameError::TooDeep => Code::Limit,
                _ => Code::Cannot,
            }),
            Self::Refused(Refusal::Utf8) => Done::bad("names and passwords are UTF-8"),
            Self::TooLong => Done::bad("the command is too long"),
            Self::MessageTooLarge => Done::no("the message is too large").with(Code::TooBig),
            Self::BareLf => Done::bad("lines end with CRLF, not with LF alone"),
            Self::Lost => Done::bad("the literal has no size that can be counted"),
            Self::AfterMessage => Done::bad("expected the end of the command after the message"),
            // RFC 3502 §6.3.11: so a client takes back what it has begun.
            Self::EmptyMessage => Done::no("a message has no bytes: nothing is appended"),
            Self::TooManyMessages => {
                Done::no("these are too many messages for one command").with(Code::Limit)
            }
            Self::Base64 | Self::Refused(Refusal::Base64) => Done::bad("expected base64"),
            Self::Cancelled => Done::bad("authentication cancelled"),
            Self::NotDone => Done::bad("expected DONE"),
        }
    }
}
