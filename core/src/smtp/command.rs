//! Commands (RFC 5321 §4.1): parsed from a line, and printed as one.

use std::fmt;

use super::address::Grammar;
use super::cursor::{At, Cursor};
pub use super::envelope::{Mail, Rcpt};
use super::fault::Fault;
pub use super::parameter::{
    ByMode, DeliverBy, Encoding, Hold, Keyword, Notify, OriginalRecipient, Return,
};

/// One command with its arguments, borrowed from its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO or HELO.
    Hello(Hello<'a>),
    /// LHLO of LMTP (RFC 2033 §4.1), with what the client calls itself.
    Lhlo(&'a str),
    /// MAIL.
    Mail(Mail<'a>),
    /// RCPT.
    Rcpt(Rcpt<'a>),
    /// DATA.
    Data,
    /// BDAT (RFC 3030 §2).
    Bdat(Chunk),
    /// RSET.
    Rset,
    /// NOOP; its argument is not looked at.
    Noop,
    /// VRFY, with what is to be verified.
    Vrfy(&'a str),
    /// EXPN, with what is to be expanded.
    Expn(&'a str),
    /// HELP; its argument is not looked at.
    Help,
    /// QUIT.
    Quit,
    /// STARTTLS (RFC 3207).
    StartTls,
    /// AUTH (RFC 4954).
    Auth(Auth<'a>),
}

/// The first word of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the word that it names")]
pub enum Verb {
    Ehlo,
    Helo,
    Lhlo,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
    StartTls,
    Auth,
}

/// Who says hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello<'a> {
    /// EHLO or LHLO rather than HELO.
    pub extended: bool,
    /// What the client calls itself: any text without control characters, not checked further.
    pub name: &'a str,
}

/// A piece of a message that follows its command (RFC 3030 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// How many bytes follow the command's line.
    pub size: u64,
    /// Whether the message is whole with them.
    pub last: bool,
}

/// A client wants to authenticate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Auth<'a> {
    /// The mechanism's name as the client wrote it, in any case.
    pub mechanism: &'a str,
    /// The initial response, still in base64; `=` is an empty one.
    pub initial: Option<&'a str>,
}

impl fmt::Debug for Auth<'_> {
    /// Hides the response: it may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Auth({}, initial: {})", self.mechanism, self.initial.is_some())
    }
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Ehlo,
        Self::Helo,
        Self::Lhlo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Bdat,
        Self::Rset,
        Self::Noop,
        Self::Vrfy,
        Self::Expn,
        Self::Help,
        Self::Quit,
        Self::StartTls,
        Self::Auth,
    ];

    /// The verb of a command line, in any case.
    #[must_use]
    pub fn of(line: &[u8]) -> Option<Self> {
        let mut word = *line.first_chunk()?;
        word.make_ascii_uppercase();
        let (verb, length) = match &word {
            b"EHLO" => (Self::Ehlo, 4),
            b"HELO" => (Self::Helo, 4),
            b"LHLO" => (Self::Lhlo, 4),
            b"MAIL" => (Self::Mail, 4),
            b"RCPT" => (Self::Rcpt, 4),
            b"DATA" => (Self::Data, 4),
            b"BDAT" => (Self::Bdat, 4),
            b"RSET" => (Self::Rset, 4),
            b"NOOP" => (Self::Noop, 4),
            b"VRFY" => (Self::Vrfy, 4),
            b"EXPN" => (Self::Expn, 4),
            b"HELP" => (Self::Help, 4),
            b"QUIT" => (Self::Quit, 4),
            b"AUTH" => (Self::Auth, 4),
            b"STAR" if line.get(4..8)?.eq_ignore_ascii_case(b"TTLS") => (Self::StartTls, 8),
            _ => return None,
        };
        matches!(line.get(length), None | Some(b' ')).then_some(verb)
    }

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Lhlo => "LHLO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Bdat => "BDAT",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::Quit => "QUIT",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'a> Command<'a> {
    /// Parses a line without its line end. Nothing is allocated for one that fails, but to look up
    /// the letters of a domain that is not ASCII.
    ///
    /// # Errors
    /// What is wrong with it, by its place.
    pub fn parse(line: &'a [u8], grammar: Grammar) -> Result<Self, Fault> {
        // The place is looked for only where there is one.
        if has_control(line)
            && let Some(at) = line.iter().position(|byte| is_control(*byte))
        {
            return Err(Fault::ControlCharacter(at));
        }
        let verb = Verb::of(line).ok_or(Fault::UnknownCommand)?;
        let line = std::str::from_utf8(line).map_err(|bad| Fault::NotUtf8(bad.valid_up_to()))?;
        let mut cursor = Cursor::new(line, verb.name().len());
        match verb {
            Verb::Ehlo | Verb::Helo => {
                let name = required(&mut cursor, "a host name").map_err(Fault::Argument)?;
                Ok(Self::Hello(Hello { extended: verb == Verb::Ehlo, name }))
            }
            Verb::Lhlo => {
                required(&mut cursor, "a host name").map(Self::Lhlo).map_err(Fault::Argument)
            }
            Verb::Mail => Mail::read(&mut cursor, grammar).map(Self::Mail),
            Verb::Rcpt => Rcpt::read(&mut cursor, grammar).map(Self::Rcpt),
            Verb::Data => bare(&mut cursor, Self::Data),
            Verb::Bdat => Chunk::read(&mut cursor).map(Self::Bdat).map_err(Fault::Chunk),
            Verb::Rset => bare(&mut cursor, Self::Rset),
            Verb::Noop => Ok(Self::Noop),
            Verb::Vrfy => required(&mut cursor, "a user or mailbox name")
                .map(Self::Vrfy)
                .map_err(Fault::Argument),
            Verb::Expn => {
                required(&mut cursor, "a list's name").map(Self::Expn).map_err(Fault::Argument)
            }
            Verb::Help => Ok(Self::Help),
            Verb::Quit => bare(&mut cursor, Self::Quit),
            Verb::StartTls => bare(&mut cursor, Self::StartTls),
            Verb::Auth => Auth::read(&mut cursor).map(Self::Auth).map_err(Fault::Argument),
        }
    }

    /// Its verb.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Hello(Hello { extended: true, .. }) => Verb::Ehlo,
            Self::Hello(Hello { extended: false, .. }) => Verb::Helo,
            Self::Lhlo(_) => Verb::Lhlo,
            Self::Mail(_) => Verb::Mail,
            Self::Rcpt(_) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Bdat(_) => Verb::Bdat,
            Self::Rset => Verb::Rset,
            Self::Noop => Verb::Noop,
            Self::Vrfy(_) => Verb::Vrfy,
            Self::Expn(_) => Verb::Expn,
            Self::Help => Verb::Help,
            Self::Quit => Verb::Quit,
            Self::StartTls => Verb::StartTls,
            Self::Auth(_) => Verb::Auth,
        }
    }
}

impl fmt::Display for Command<'_> {
    /// The line without its line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.verb().fmt(f)?;
        match self {
            Self::Hello(Hello { name, .. }) | Self::Lhlo(name) => write!(f, " {name}"),
            Self::Mail(mail) => mail.fmt(f),
            Self::Rcpt(rcpt) => rcpt.fmt(f),
            Self::Bdat(Chunk { size, last: false }) => write!(f, " {size}"),
            Self::Bdat(Chunk { size, last: true }) => write!(f, " {size} LAST"),
            Self::Vrfy(argument) | Self::Expn(argument) => write!(f, " {argument}"),
            Self::Auth(Auth { mechanism, initial: None }) => write!(f, " {mechanism}"),
            Self::Auth(Auth { mechanism, initial: Some(initial) }) => {
                write!(f, " {mechanism} {initial}")
            }
            Self::Data | Self::Rset | Self::Noop | Self::Help | Self::Quit | Self::StartTls => {
                Ok(())
            }
        }
    }
}

impl Chunk {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, At> {
        let apart = cursor.spaces() > 0;
        let at = cursor.at();
        let digits = cursor.take_while(|char| char.is_ascii_digit());
        let size = digits.parse().ok().filter(|_| apart);
        let size = size.ok_or_else(|| cursor.expected_at(at, "a number of bytes"))?;
        let last = cursor.spaces() > 0 && cursor.eat("LAST");
        cursor.take_while(|char| matches!(char, ' ' | '\t'));
        if cursor.is_at_end() {
            Ok(Self { size, last })
        } else {
            Err(cursor.expected("LAST or the end"))
        }
    }
}

impl<'a> Auth<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, At> {
        let mut word = || {
            let apart = cursor.spaces() > 0;
            Some(cursor.take_while(|char| char != ' ')).filter(|word| apart && !word.is_empty())
        };
        let mechanism = word();
        let initial = word();
        cursor.spaces();
        match mechanism {
            None => Err(cursor.expected("a mechanism")),
            Some(_) if !cursor.is_at_end() => Err(cursor.expected("the end")),
            Some(mechanism) => Ok(Self { mechanism, initial }),
        }
    }
}

/// Sixteen bytes at a time, which is one vector.
fn has_control(line: &[u8]) -> bool {
    let any = |chunk: &[u8; 16]| chunk.iter().fold(false, |any, byte| any | is_control(*byte));
    let (chunks, rest) = line.as_chunks();
    let mut last = [b' '; 16];
    last.iter_mut().zip(rest).for_each(|(slot, byte)| *slot = *byte);
    chunks.iter().any(any) || any(&last)
}

const fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

/// All that follows the verb, which must be something.
fn required<'a>(cursor: &mut Cursor<'a>, what: &'static str) -> Result<&'a str, At> {
    cursor.spaces();
    let argument = cursor.rest().trim_end_matches([' ', '\t']);
    if argument.is_empty() { Err(cursor.expected(what)) } else { Ok(argument) }
}

/// A command without arguments; spaces behind it are no argument (RFC 5321 §4.1.1).
fn bare<'a>(cursor: &mut Cursor<'a>, command: Command<'a>) -> Result<Command<'a>, Fault> {
    cursor.take_while(|char| matches!(char, ' ' | '\t'));
    if cursor.is_at_end() {
        Ok(command)
    } else {
        Err(Fault::Argument(cursor.expected("the end: this command has no argument")))
    }
}

#[cfg(test)]
mod tests;
