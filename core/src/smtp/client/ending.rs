//! How a conversation ends.

use std::fmt;

use super::answer::{Answer, Malformed};
use super::text::BareEnd;

/// Why a conversation has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// QUIT was said.
    Quit,
    /// The server did not want to begin: its greeting or its answer to EHLO, LHLO or HELO.
    Rejected(Answer),
    /// The server has said 421, at any time (RFC 5321 §3.8).
    ShuttingDown(Answer),
    /// The server did not answer in time (RFC 5321 §4.5.3.2).
    TimedOut,
    /// The server has closed the connection, or it was lost.
    Lost,
    /// TLS went wrong, as told.
    Tls(String),
    /// What was no answer.
    Malformed(Malformed),
    /// An answer that nothing asked for, or that does not fit what it answers.
    Unexpected(Answer),
    /// More came in clear behind the yes to STARTTLS: somebody put it there (RFC 3207 §4.2).
    Injected,
    /// The body has a bare CR or LF, which must not be sent.
    BareEnd(BareEnd),
    /// The owner has given the message up in its midst.
    Withdrawn,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quit => f.write_str("QUIT was said"),
            Self::Rejected(answer) => write!(f, "the server does not want us: {answer}"),
            Self::ShuttingDown(answer) => write!(f, "the server closes: {answer}"),
            Self::TimedOut => f.write_str("the server did not answer in time"),
            Self::Lost => f.write_str("the connection was lost"),
            Self::Tls(why) => write!(f, "TLS failed: {why}"),
            Self::Malformed(what) => write!(f, "the server does not speak SMTP: {what}"),
            Self::Unexpected(answer) => write!(f, "an answer that does not fit: {answer}"),
            Self::Injected => f.write_str("something was said in clear behind STARTTLS"),
            Self::BareEnd(BareEnd { offset }) => {
                write!(f, "the message has a bare CR or LF at byte {offset}")
            }
            Self::Withdrawn => f.write_str("the message was given up"),
        }
    }
}
