//! The envelope of a message: MAIL and RCPT with their parameters.

use std::borrow::Cow;
use std::fmt;

use super::address::{ForwardPath, Grammar, ReversePath};
use super::cursor::{At, Cursor};
use super::fault::Fault;
use super::parameter::{
    self, DeliverBy, Encoding, Hold, Keyword, Notify, OriginalRecipient, Parameter, Return,
    write_xtext,
};

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
    /// Whether it may go on only where TLS is verified and the next server promises the same
    /// (RFC 8689 §4).
    pub require_tls: bool,
    /// How much of it a report of failure returns (RFC 3461 §4.3).
    pub ret: Option<Return>,
    /// What the sender calls this transaction, for reports (RFC 3461 §4.4).
    pub envid: Option<Cow<'a, str>>,
    /// Not before a time (RFC 4865).
    pub hold: Option<Hold>,
    /// Within a time (RFC 2852).
    pub by: Option<DeliverBy>,
    /// Before other mail or behind it: -9 to 9 (RFC 6710).
    pub priority: Option<i8>,
}

/// One more recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rcpt<'a> {
    /// To whom.
    pub recipient: ForwardPath<'a>,
    /// When to report (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// The recipient as the sender first wrote it (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient<'a>>,
}

impl<'a> Mail<'a> {
    /// A transaction without parameters.
    #[must_use]
    pub const fn new(sender: ReversePath<'a>) -> Self {
        Self {
            sender,
            size: None,
            body: None,
            smtp_utf8: false,
            submitter: None,
            require_tls: false,
            ret: None,
            envid: None,
            hold: None,
            by: None,
            priority: None,
        }
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> Mail<'static> {
        Mail {
            sender: self.sender.into_owned(),
            submitter: self.submitter.map(ReversePath::into_owned),
            envid: self.envid.map(|envid| Cow::Owned(envid.into_owned())),
            size: self.size,
            body: self.body,
            smtp_utf8: self.smtp_utf8,
            require_tls: self.require_tls,
            ret: self.ret,
            hold: self.hold,
            by: self.by,
            priority: self.priority,
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'a>, grammar: Grammar) -> Result<Self, Fault> {
        path_follows(cursor, "FROM:", "`FROM:`", grammar).map_err(Fault::Argument)?;
        let mut mail = Self::new(ReversePath::read(cursor, grammar).map_err(Fault::Sender)?);
        while let Some(parameter) = Parameter::next(cursor)? {
            mail.set(&parameter, cursor, grammar)?;
        }
        Ok(mail)
    }

    fn set(
        &mut self,
        given: &Parameter<'a>,
        at: &Cursor<'a>,
        grammar: Grammar,
    ) -> Result<(), Fault> {
        match given.keyword {
            Keyword::Size => {
                given.fill(&mut self.size, parameter::read_size, at, "a number of bytes")
            }
            Keyword::Body => {
                let expected = "7BIT, 8BITMIME or BINARYMIME";
                given.fill(&mut self.body, Encoding::read, at, expected)
            }
            Keyword::SmtpUtf8 => given.set(&mut self.smtp_utf8, at),
            Keyword::Auth => {
                let read = |value| parameter::read_submitter(value, grammar);
                given.fill(&mut self.submitter, read, at, "an address in xtext, or <>")
            }
            Keyword::RequireTls => given.set(&mut self.require_tls, at),
            Keyword::Ret => given.fill(&mut self.ret, Return::read, at, "FULL or HDRS"),
            Keyword::Envid => {
                let expected = "at most 100 printable characters in xtext";
                given.fill(&mut self.envid, parameter::read_envid, at, expected)
            }
            // RFC 4865 §4: one of the two; a second is one too many.
            Keyword::HoldFor => {
                given.fill(&mut self.hold, Hold::read_for, at, "a number of seconds")
            }
            Keyword::HoldUntil => {
                let expected = "a time such as 2026-11-24T13:34:00Z";
                given.fill(&mut self.hold, Hold::read_until, at, expected)
            }
            Keyword::By => {
                let expected = "seconds and a mode such as 3600;N, more than 0 with R";
                given.fill(&mut self.by, DeliverBy::read, at, expected)
            }
            Keyword::MtPriority => {
                given.fill(&mut self.priority, parameter::read_priority, at, "-9 to 9")
            }
            Keyword::Notify | Keyword::Orcpt => Err(Fault::ParameterUnknown(given.at)),
        }
    }
}

impl fmt::Display for Mail<'_> {
    /// What follows the verb.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " FROM:{}", self.sender)?;
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if let Some(body) = self.body {
            write!(f, " BODY={}", body.name())?;
        }
        if self.smtp_utf8 {
            f.write_str(" SMTPUTF8")?;
        }
        match &self.submitter {
            Some(ReversePath::Null) => f.write_str(" AUTH=<>")?,
            Some(ReversePath::Mailbox(mailbox)) => {
                f.write_str(" AUTH=")?;
                write_xtext(&mailbox.to_string(), f)?;
            }
            None => {}
        }
        if self.require_tls {
            f.write_str(" REQUIRETLS")?;
        }
        if let Some(ret) = self.ret {
            write!(f, " RET={}", ret.name())?;
        }
        if let Some(envid) = &self.envid {
            f.write_str(" ENVID=")?;
            write_xtext(envid, f)?;
        }
        if let Some(hold) = self.hold {
            write!(f, " {hold}")?;
        }
        if let Some(by) = self.by {
            write!(f, " BY={by}")?;
        }
        match self.priority {
            Some(priority) => write!(f, " MT-PRIORITY={priority}"),
            None => Ok(()),
        }
    }
}

impl<'a> Rcpt<'a> {
    /// A recipient without parameters.
    #[must_use]
    pub const fn new(recipient: ForwardPath<'a>) -> Self {
        Self { recipient, notify: None, original: None }
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> Rcpt<'static> {
        Rcpt {
            recipient: self.recipient.into_owned(),
            notify: self.notify,
            original: self.original.map(OriginalRecipient::into_owned),
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'a>, grammar: Grammar) -> Result<Self, Fault> {
        path_follows(cursor, "TO:", "`TO:`", grammar).map_err(Fault::Argument)?;
        let mut rcpt = Self::new(ForwardPath::read(cursor, grammar).map_err(Fault::Recipient)?);
        while let Some(given) = Parameter::next(cursor)? {
            match given.keyword {
                Keyword::Notify => {
                    let expected = "NEVER, or some of SUCCESS,FAILURE,DELAY";
                    given.fill(&mut rcpt.notify, Notify::read, cursor, expected)?;
                }
                Keyword::Orcpt => {
                    let expected = "an address type, a semicolon and an address in xtext";
                    given.fill(&mut rcpt.original, OriginalRecipient::read, cursor, expected)?;
                }
                _ => return Err(Fault::ParameterUnknown(given.at)),
            }
        }
        Ok(rcpt)
    }
}

impl fmt::Display for Rcpt<'_> {
    /// What follows the verb.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " TO:{}", self.recipient)?;
        if let Some(notify) = self.notify {
            write!(f, " NOTIFY={notify}")?;
        }
        match &self.original {
            Some(original) => write!(f, " ORCPT={original}"),
            None => Ok(()),
        }
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
