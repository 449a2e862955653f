//! What a peer can do wrong, and the reply to each: decided in one place.

use std::fmt;

use crate::Outbox;

use super::body::Refusal;
use super::chunk::Bare;
use super::command::Verb;
use super::cursor::At;
use super::reply::{Code, Enhanced, Place, Reply, write_line};

/// A peer's mistake that the machine answers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A command line longer than this; the rest of it is skipped.
    LineTooLong(usize),
    /// A line of an AUTH exchange longer than this; the exchange is cancelled.
    AuthLineTooLong(usize),
    /// A control character at this byte of a command, such as NUL or a bare CR.
    ControlCharacter(usize),
    /// A bare LF behind a command, where the server is pedantic.
    BareLf,
    /// Not UTF-8 from this byte of the command on.
    NotUtf8(usize),
    /// No command of ours.
    UnknownCommand,
    /// A command that is not offered to this client, or not now.
    NotOffered(Verb),
    /// This greeting must come first: EHLO, or LHLO in LMTP.
    HelloFirst(Verb),
    /// MAIL must come first.
    MailFirst,
    /// A recipient must have been accepted first.
    RecipientFirst,
    /// Something came in clear behind STARTTLS; the conversation is over.
    BehindStartTls,
    /// Not within a transaction.
    InTransaction(Verb),
    /// The client has authenticated already.
    Authenticated,
    /// TLS has started already.
    TlsActive,
    /// The sender's address is malformed.
    Sender(At),
    /// The recipient's address is malformed.
    Recipient(At),
    /// Another argument is malformed.
    Argument(At),
    /// A BDAT without a size: where its chunk ends cannot be known; the conversation is over.
    Chunk(At),
    /// A binary message (RFC 3030 §3) by DATA.
    BinaryByData,
    /// A parameter of MAIL or RCPT that is not known or not offered, at this byte.
    ParameterUnknown(usize),
    /// A parameter given twice, at this byte.
    ParameterTwice(usize),
    /// A mechanism that is not offered.
    UnknownMechanism,
    /// A mechanism that is offered under TLS only.
    NeedsTls,
    /// What should be base64 is not.
    BadBase64,
    /// The client gave up authenticating.
    AuthCancelled,
    /// A sender with other than ASCII characters, without SMTPUTF8.
    NonAsciiSender,
    /// A recipient with other than ASCII characters, without SMTPUTF8.
    NonAsciiRecipient,
    /// A message larger than this many bytes, as declared or as it came.
    TooLarge(u64),
    /// A message with a line longer than this many bytes.
    TextLineTooLong(usize),
    /// A line end that another server may take for the end of the message.
    Smuggling(Refusal),
    /// A line end that is none, in a message that came in chunks.
    BareInChunk(Bare),
    /// A message that is to be held for more than so many seconds (RFC 4865).
    HoldTooLong(u32),
    /// More recipients than this.
    TooManyRecipients(usize),
    /// More transactions than this in one connection.
    TooManyTransactions(usize),
    /// More useless commands than this.
    TooManyBadCommands(usize),
}

impl Fault {
    /// The reply to it: its code, with what [`Display`](fmt::Display) says as the text.
    #[must_use]
    pub fn reply(self) -> Reply {
        let (code, enhanced) = self.codes();
        Reply::new(code, enhanced, self.to_string())
    }

    /// Writes the reply, with the connection's id, and says its code. Nothing is allocated.
    pub(super) fn write(self, id: &str, out: &mut Outbox) -> Code {
        let (code, enhanced) = self.codes();
        write_line(code, Some(enhanced), format_args!("{self}"), Place::Last(Some(id)), out);
        code
    }

    const fn codes(self) -> (Code, Enhanced) {
        match self {
            Self::LineTooLong(_)
            | Self::ControlCharacter(_)
            | Self::BareLf
            | Self::Smuggling(_) => (Code::SYNTAX, Enhanced::new(5, 2)),
            // RFC 4954 §4 and §6.
            Self::AuthLineTooLong(_) => (Code::SYNTAX, Enhanced::new(5, 6)),
            Self::UnknownCommand => (Code::SYNTAX, Enhanced::new(5, 1)),
            Self::NotUtf8(_) | Self::BadBase64 => (Code::ARGUMENT_SYNTAX, Enhanced::new(5, 2)),
            // RFC 3463 §3.2.
            Self::Sender(_) => (Code::ARGUMENT_SYNTAX, Enhanced::new(1, 7)),
            Self::Recipient(_) => (Code::ARGUMENT_SYNTAX, Enhanced::new(1, 3)),
            Self::Argument(_)
            | Self::ParameterTwice(_)
            | Self::Chunk(_)
            // RFC 4865 §5.
            | Self::HoldTooLong(_) => (Code::ARGUMENT_SYNTAX, Enhanced::new(5, 4)),
            // RFC 4954 §4.
            Self::AuthCancelled => (Code::ARGUMENT_SYNTAX, Enhanced::new(7, 0)),
            Self::UnknownMechanism => (Code::ARGUMENT_NOT_IMPLEMENTED, Enhanced::new(5, 4)),
            // RFC 4954 §6; §4 would have 504 for it, which tells the client less.
            Self::NeedsTls => (Code::ENCRYPTION_REQUIRED, Enhanced::new(7, 11)),
            Self::NotOffered(_) => (Code::NOT_IMPLEMENTED, Enhanced::new(5, 1)),
            // RFC 5321 §4.1.4.
            Self::HelloFirst(_)
            | Self::MailFirst
            | Self::RecipientFirst
            | Self::InTransaction(_)
            | Self::Authenticated
            | Self::BehindStartTls
            // RFC 3030 §3.
            | Self::BinaryByData
            | Self::TlsActive => (Code::BAD_SEQUENCE, Enhanced::new(5, 1)),
            // RFC 5321 §4.1.1.11.
            Self::ParameterUnknown(_) => (Code::PARAMETER_UNKNOWN, Enhanced::new(5, 4)),
            // RFC 6531 §3.5.
            Self::NonAsciiSender | Self::NonAsciiRecipient => {
                (Code::MAILBOX_NAME, Enhanced::new(6, 7))
            }
            // RFC 1870 §6.
            Self::TooLarge(_) => (Code::TOO_LARGE, Enhanced::new(3, 4)),
            Self::TextLineTooLong(_) | Self::BareInChunk(_) => (Code::FAILED, Enhanced::new(6, 0)),
            // RFC 5321 §4.5.3.1.10.
            Self::TooManyRecipients(_) => (Code::NO_STORAGE, Enhanced::new(5, 3)),
            Self::TooManyTransactions(_) | Self::TooManyBadCommands(_) => {
                (Code::SHUTTING_DOWN, Enhanced::new(7, 0))
            }
        }
    }

    /// Whether it counts against [`Limits::bad_commands_max`](super::limits::Limits).
    ///
    /// A client that pipelines does not know yet that its MAIL or its recipients were refused, so
    /// what follows those in the group is no fault of its own; nor is a letter that we do not
    /// take, or one more recipient than we take.
    pub(super) const fn is_bad_command(self) -> bool {
        match self {
            Self::LineTooLong(_)
            | Self::AuthLineTooLong(_)
            | Self::ControlCharacter(_)
            | Self::BareLf
            | Self::NotUtf8(_)
            | Self::UnknownCommand
            | Self::NotOffered(_)
            | Self::HelloFirst(_)
            | Self::InTransaction(_)
            | Self::Authenticated
            | Self::BehindStartTls
            | Self::TlsActive
            | Self::Sender(_)
            | Self::Recipient(_)
            | Self::Argument(_)
            | Self::ParameterUnknown(_)
            | Self::ParameterTwice(_)
            | Self::Chunk(_)
            | Self::BinaryByData
            | Self::HoldTooLong(_)
            | Self::UnknownMechanism
            | Self::NeedsTls
            | Self::BadBase64
            | Self::AuthCancelled => true,
            Self::MailFirst
            | Self::RecipientFirst
            | Self::NonAsciiSender
            | Self::NonAsciiRecipient
            | Self::TooLarge(_)
            | Self::TextLineTooLong(_)
            | Self::Smuggling(_)
            | Self::BareInChunk(_)
            | Self::TooManyRecipients(_)
            | Self::TooManyTransactions(_)
            | Self::TooManyBadCommands(_) => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong(max) | Self::AuthLineTooLong(max) => {
                write!(f, "line too long: {max} bytes at most")
            }
            Self::ControlCharacter(at) => write!(f, "at byte {at}: a control character"),
            Self::BareLf => f.write_str("a command ends in CRLF, not in LF alone"),
            Self::NotUtf8(at) => write!(f, "at byte {at}: expected UTF-8"),
            Self::UnknownCommand => f.write_str("command not known"),
            Self::NotOffered(verb) => write!(f, "{verb} is not offered here"),
            Self::HelloFirst(verb) => write!(f, "send {verb} first"),
            Self::MailFirst => f.write_str("send MAIL first"),
            Self::RecipientFirst => f.write_str("no recipient has been accepted"),
            Self::InTransaction(verb) => write!(f, "{verb} must wait until this mail is done"),
            Self::Authenticated => f.write_str("you have authenticated already"),
            Self::BehindStartTls => f.write_str("nothing may follow STARTTLS before the handshake"),
            Self::TlsActive => f.write_str("TLS has started already"),
            Self::Sender(at) | Self::Recipient(at) | Self::Argument(at) => at.fmt(f),
            Self::Chunk(at) => write!(f, "{at}; what follows cannot be told from commands"),
            Self::BinaryByData => f.write_str("a binary message comes by BDAT only"),
            Self::BareInChunk(Bare::Cr) => {
                f.write_str("a CR without an LF in the message: lines end in CRLF")
            }
            Self::BareInChunk(Bare::Lf) => {
                f.write_str("an LF without a CR in the message: lines end in CRLF")
            }
            Self::HoldTooLong(max) => write!(f, "held for too long: {max} seconds at most"),
            Self::ParameterUnknown(at) => write!(f, "at byte {at}: parameter not offered"),
            Self::ParameterTwice(at) => write!(f, "at byte {at}: parameter given before"),
            Self::UnknownMechanism => f.write_str("mechanism not offered"),
            Self::NeedsTls => f.write_str("start TLS first: no such login without it"),
            Self::BadBase64 => f.write_str("this is not base64"),
            Self::AuthCancelled => f.write_str("authentication cancelled"),
            Self::NonAsciiSender | Self::NonAsciiRecipient => {
                f.write_str("this address needs SMTPUTF8, which this mail does not have")
            }
            Self::TooLarge(max) => write!(f, "message too large: {max} bytes at most"),
            Self::TextLineTooLong(max) => {
                write!(f, "the message has a line that is too long: {max} bytes at most")
            }
            Self::Smuggling(Refusal { sequence, offset }) => write!(
                f,
                "SMTP smuggling refused: {} at byte {offset} of the message; \
                 lines end in CRLF only, and a message in CRLF.CRLF",
                sequence.name()
            ),
            Self::TooManyRecipients(max) => write!(f, "too many recipients: {max} at most"),
            Self::TooManyTransactions(max) => {
                write!(f, "too many mails in one connection: {max} at most")
            }
            Self::TooManyBadCommands(max) => {
                write!(f, "too many commands that cannot be served: {max} at most")
            }
        }
    }
}

impl std::error::Error for Fault {}
