//! What a check has come to, and how it is told in a header.

use std::fmt;

use super::check::Client;
use super::record::{Malformed, Qualifier};
use crate::dns::Name;

/// How a check ended (RFC 7208 §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing is published, or there is no domain to ask.
    None,
    /// The domain says nothing of this host.
    Neutral,
    /// The host may send for the domain.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// It could not be found out now.
    TempError,
    /// What is published cannot be understood.
    PermError,
}

/// Whose domain was checked (RFC 7208 §2.3, §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity {
    /// That of MAIL FROM.
    MailFrom,
    /// That of HELO or EHLO.
    Helo,
}

/// Why there is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A name could not be looked up: the question and why.
    Lookup(String),
    /// A record is malformed.
    Malformed(Malformed),
    /// A domain has several records (RFC 7208 §4.5).
    SeveralRecords,
    /// More than ten terms need lookups (RFC 7208 §4.6.4).
    TooManyLookups,
    /// More than two lookups found nothing (RFC 7208 §4.6.4).
    TooManyVoidLookups,
    /// A name has more than ten hosts for mail (RFC 7208 §4.6.4).
    TooManyHosts,
    /// `include` or `redirect` leads to a domain without a record (RFC 7208 §5.2, §6.1).
    NoRecord,
}

/// Something that was tried, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// How many `include`s deep.
    pub depth: usize,
    /// Whose record it is.
    pub domain: Name,
    /// The term; `v=spf1` for the record itself.
    pub term: String,
    /// What came of it.
    pub result: &'static str,
}

/// What a check has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// Which identity was checked.
    pub identity: Identity,
    /// Its domain, as it was given.
    pub domain: String,
    /// The term that decided, and whose record it is in; `None` where none did.
    pub decided_by: Option<(Name, String)>,
    /// What the domain says to those who fail: a stranger's words, in ASCII without control
    /// characters, at most 500 of them.
    pub explanation: Option<String>,
    /// Of an error: what is wrong.
    pub problem: Option<Problem>,
    /// What was tried, at most 200 lines.
    pub trail: Vec<Trace>,
}

impl Verdict {
    /// As an Authentication-Results field has it (RFC 8601 §2.7.2).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl From<Qualifier> for Verdict {
    fn from(qualifier: Qualifier) -> Self {
        match qualifier {
            Qualifier::Pass => Self::Pass,
            Qualifier::Fail => Self::Fail,
            Qualifier::SoftFail => Self::SoftFail,
            Qualifier::Neutral => Self::Neutral,
        }
    }
}

impl Identity {
    /// As a `Received-SPF` field has it (RFC 7208 §9.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MailFrom => "mailfrom",
            Self::Helo => "helo",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lookup(why) => why,
            Self::Malformed(Malformed { term, fault }) if term.is_empty() => return fault.fmt(f),
            Self::Malformed(Malformed { term, fault }) => return write!(f, "`{term}`: {fault}"),
            Self::SeveralRecords => "the domain publishes several SPF records",
            Self::TooManyLookups => "the record needs more than 10 lookups",
            Self::TooManyVoidLookups => "more than 2 lookups found nothing",
            Self::TooManyHosts => "a domain has more than 10 hosts for mail",
            Self::NoRecord => "`include` or `redirect` leads to a domain without a record",
        })
    }
}

impl Outcome {
    /// One sentence for people.
    #[must_use]
    pub fn reason(&self, client: &Client) -> String {
        let (ip, domain) = (client.ip, harmless(&self.domain));
        match self.verdict {
            Verdict::None => format!("{domain} publishes no SPF record"),
            Verdict::Neutral => format!("{domain} does not say whether {ip} may send for it"),
            Verdict::Pass => format!("{domain} lets {ip} send for it"),
            Verdict::Fail => format!("{domain} does not let {ip} send for it"),
            Verdict::SoftFail => format!("{domain} discourages {ip} from sending for it"),
            Verdict::TempError | Verdict::PermError => match &self.problem {
                Some(problem) => harmless(&problem.to_string()),
                None => "it could not be found out".to_owned(),
            },
        }
    }

    /// The `Received-SPF` field, with its line end (RFC 7208 §9.1). `sender` is the whole address
    /// of MAIL FROM.
    #[must_use]
    pub fn received_spf(&self, client: &Client, sender: &str) -> String {
        let Client { ip, helo, receiver, .. } = client;
        let mut field = format!(
            "Received-SPF: {} (SPF: {})\r\n\tclient-ip={ip}; envelope-from={};\r\n\thelo={}; \
             receiver={}; identity={}",
            self.verdict.name(),
            self.reason(client).replace(['(', ')'], "?"),
            quoted(sender),
            quoted(helo),
            quoted(receiver),
            self.identity.name()
        );
        if let Some((_, term)) = &self.decided_by {
            field.push_str(";\r\n\tmechanism=");
            field.push_str(&quoted(term));
        }
        field.push_str("\r\n");
        field
    }
}

/// A stranger's words on one line.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == '\\' { '?' } else { c }).take(400).collect()
}

/// A value of RFC 7208 §9.1: an atom, or a string in quotes.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let inner: String = harmless(text).chars().map(|c| if c == '"' { '?' } else { c }).collect();
    format!("\"{inner}\"")
}
