//! Commands (RFC 5321 §4.1): parsed from a line, and printed as one.

use std::borrow::Cow;
use std::fmt;

use super::address::{ForwardPath, Grammar, Mailbox, ReversePath};
use super::cursor::{At, Cursor};
use super::fault::Fault;

/// One command with its arguments, borrowed from its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO or HELO.
    Hello(Hello<'a>),
    /// MAIL.
    Mail(Mail<'a>),
    /// RCPT.
    Rcpt(Rcpt<'a>),
    /// DATA.
    Data,
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
    Mail,
    Rcpt,
    Data,
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
    /// EHLO rather than HELO.
    pub extended: bool,
    /// What the client calls itself: any text without control characters, not checked further.
    pub name: &'a str,
}

/// A transaction begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail<'a> {
    /// From whom.
    pub sender: ReversePath<'a>,
    /// How many bytes it will have, if the client says so (RFC 1870 §5).
    pub size: Option<u64>,
    /// What the client says of the body's encoding (RFC 6152 §2).
    pub body: Option<Encoding>,
    /// Whether headers and addresses may hold other than ASCII (RFC 6531 §3.4).
    pub smtp_utf8: bool,
    /// Who submitted it first, by the word of the client (RFC 4954 §5); to be believed only where
    /// the client itself is.
    pub submitter: Option<ReversePath<'a>>,
}

/// The encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `BODY=7BIT`
    SevenBit,
    /// `BODY=8BITMIME`
    EightBitMime,
}

/// One more recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rcpt<'a> {
    /// To whom.
    pub recipient: ForwardPath<'a>,
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
    pub const ALL: [Self; 13] = [
        Self::Ehlo,
        Self::Helo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
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
        let length = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
        let mut buffer = [0; 8];
        let upper = buffer.get_mut(..length)?;
        upper.copy_from_slice(line.get(..length)?);
        upper.make_ascii_uppercase();
        Some(match &*upper {
            b"EHLO" => Self::Ehlo,
            b"HELO" => Self::Helo,
            b"MAIL" => Self::Mail,
            b"RCPT" => Self::Rcpt,
            b"DATA" => Self::Data,
            b"RSET" => Self::Rset,
            b"NOOP" => Self::Noop,
            b"VRFY" => Self::Vrfy,
            b"EXPN" => Self::Expn,
            b"HELP" => Self::Help,
            b"QUIT" => Self::Quit,
            b"STARTTLS" => Self::StartTls,
            b"AUTH" => Self::Auth,
            _ => return None,
        })
    }

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
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
    /// Parses a line without its line end. Nothing is allocated for one that fails.
    ///
    /// # Errors
    /// What is wrong with it, by its place.
    pub fn parse(line: &'a [u8], grammar: Grammar) -> Result<Self, Fault> {
        let bad = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        // The whole line at once, which compilers turn into vector instructions; the place only
        // where there is one.
        if line.iter().fold(false, |any, byte| any | bad(byte))
            && let Some(at) = line.iter().position(bad)
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
            Verb::Mail => Mail::read(&mut cursor, grammar).map(Self::Mail),
            Verb::Rcpt => Rcpt::read(&mut cursor, grammar).map(Self::Rcpt),
            Verb::Data => bare(&mut cursor, Self::Data),
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
            Self::Mail(_) => Verb::Mail,
            Self::Rcpt(_) => Verb::Rcpt,
            Self::Data => Verb::Data,
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
            Self::Hello(Hello { name, .. }) => write!(f, " {name}"),
            Self::Mail(mail) => mail.fmt(f),
            Self::Rcpt(rcpt) => write!(f, " TO:{}", rcpt.recipient),
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

impl<'a> Mail<'a> {
    fn read(cursor: &mut Cursor<'a>, grammar: Grammar) -> Result<Self, Fault> {
        path_follows(cursor, "FROM:", "`FROM:`", grammar).map_err(Fault::Argument)?;
        let sender = ReversePath::read(cursor, grammar).map_err(Fault::Sender)?;
        let mut mail = Self { sender, size: None, body: None, smtp_utf8: false, submitter: None };
        while let Some(parameter) = Parameter::next(cursor).map_err(Fault::Argument)? {
            mail.set(&parameter, cursor, grammar)?;
        }
        Ok(mail)
    }

    fn set(
        &mut self,
        parameter: &Parameter<'a>,
        cursor: &Cursor<'a>,
        grammar: Grammar,
    ) -> Result<(), Fault> {
        let is = |keyword: &str| parameter.keyword.eq_ignore_ascii_case(keyword);
        let malformed = |what| Fault::Argument(cursor.expected_at(parameter.value_at, what));
        let twice = if is("SIZE") {
            // RFC 1870 §3: up to 20 digits, which is more than 64 bits hold.
            let digits = parameter.value.filter(|digits| (1..=20).contains(&digits.len()));
            let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            let digits = digits.ok_or_else(|| malformed("a number of bytes"))?;
            self.size.replace(digits.parse().unwrap_or(u64::MAX)).is_some()
        } else if is("BODY") {
            let body = parameter.value.and_then(Encoding::of);
            let body = body.ok_or_else(|| malformed("7BIT or 8BITMIME"))?;
            self.body.replace(body).is_some()
        } else if is("SMTPUTF8") {
            if parameter.value.is_some() {
                return Err(malformed("no value"));
            }
            std::mem::replace(&mut self.smtp_utf8, true)
        } else if is("AUTH") {
            let submitter = parameter.value.and_then(|value| submitter(value, grammar));
            let submitter = submitter.ok_or_else(|| malformed("an address in xtext, or <>"))?;
            self.submitter.replace(submitter).is_some()
        } else {
            return Err(Fault::ParameterUnknown(parameter.at));
        };
        if twice { Err(Fault::ParameterTwice(parameter.at)) } else { Ok(()) }
    }
}

impl fmt::Display for Mail<'_> {
    /// What follows the verb.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " FROM:{}", self.sender)?;
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        match self.body {
            Some(Encoding::SevenBit) => f.write_str(" BODY=7BIT")?,
            Some(Encoding::EightBitMime) => f.write_str(" BODY=8BITMIME")?,
            None => {}
        }
        if self.smtp_utf8 {
            f.write_str(" SMTPUTF8")?;
        }
        match &self.submitter {
            Some(ReversePath::Null) => f.write_str(" AUTH=<>"),
            Some(ReversePath::Mailbox(mailbox)) => {
                f.write_str(" AUTH=")?;
                mailbox.to_string().bytes().try_for_each(|byte| match byte {
                    b'!'..=b'*' | b','..=b'<' | b'>'..=b'~' => write!(f, "{}", char::from(byte)),
                    _ => write!(f, "+{byte:02X}"),
                })
            }
            None => Ok(()),
        }
    }
}

impl Encoding {
    fn of(value: &str) -> Option<Self> {
        if value.eq_ignore_ascii_case("7BIT") {
            Some(Self::SevenBit)
        } else if value.eq_ignore_ascii_case("8BITMIME") {
            Some(Self::EightBitMime)
        } else {
            None
        }
    }
}

impl<'a> Rcpt<'a> {
    fn read(cursor: &mut Cursor<'a>, grammar: Grammar) -> Result<Self, Fault> {
        path_follows(cursor, "TO:", "`TO:`", grammar).map_err(Fault::Argument)?;
        let recipient = ForwardPath::read(cursor, grammar).map_err(Fault::Recipient)?;
        match Parameter::next(cursor).map_err(Fault::Argument)? {
            Some(parameter) => Err(Fault::ParameterUnknown(parameter.at)),
            None => Ok(Self { recipient }),
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

/// One parameter of MAIL or RCPT (RFC 5321 §4.1.2).
struct Parameter<'a> {
    at: usize,
    keyword: &'a str,
    value_at: usize,
    value: Option<&'a str>,
}

impl<'a> Parameter<'a> {
    /// The next one, if the line has not ended.
    fn next(cursor: &mut Cursor<'a>) -> Result<Option<Self>, At> {
        let apart = cursor.spaces() > 0;
        if cursor.is_at_end() {
            return Ok(None);
        }
        if !apart {
            return Err(cursor.expected("a space or the end"));
        }
        let at = cursor.at();
        let keyword = cursor.take_while(|char| char.is_ascii_alphanumeric() || char == '-');
        if keyword.is_empty() || keyword.starts_with('-') {
            return Err(cursor.expected_at(at, "a parameter"));
        }
        let valued = cursor.eat("=");
        let value_at = cursor.at();
        let value = cursor.take_while(|char| valued && char != ' ' && char != '=');
        if valued && value.is_empty() {
            return Err(cursor.expected("a value"));
        }
        Ok(Some(Self { at, keyword, value_at, value: valued.then_some(value) }))
    }
}

/// Passes `FROM:` or `TO:`. Many clients put a space behind it, which RFC 5321 §4.1.1.2 does not
/// allow and which does no harm.
fn path_follows(
    cursor: &mut Cursor<'_>,
    word: &str,
    expected: &'static str,
    grammar: Grammar,
) -> Result<(), At> {
    cursor.spaces();
    cursor.expect(word, expected)?;
    if grammar.is_lenient() {
        cursor.spaces();
    }
    Ok(())
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

/// The value of MAIL's AUTH parameter (RFC 4954 §5): `<>` or a mailbox, in xtext.
fn submitter(value: &str, grammar: Grammar) -> Option<ReversePath<'_>> {
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

#[cfg(test)]
mod tests;
