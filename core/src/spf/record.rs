//! What a domain publishes (RFC 7208 §4.6, §12).

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;

use super::domain_spec::MacroString;
use crate::wire::network::Network;

/// An SPF record that is well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// In their order.
    pub directives: Vec<Directive>,
    /// `redirect=`: whose record counts where no directive matches.
    pub redirect: Option<MacroString>,
    /// `exp=`: where the explanation of a `fail` is.
    pub explanation: Option<MacroString>,
}

/// A mechanism and what it means that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// What it means.
    pub qualifier: Qualifier,
    /// When it matches.
    pub mechanism: Mechanism,
    /// As it is written.
    pub text: Box<str>,
}

/// What it means that a mechanism matches (RFC 7208 §4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qualifier {
    /// `+`
    Pass,
    /// `-`
    Fail,
    /// `~`
    SoftFail,
    /// `?`
    Neutral,
}

/// Who may send (RFC 7208 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mechanism {
    /// Everybody.
    All,
    /// Whoever another domain lets pass.
    Include(MacroString),
    /// The addresses of a name.
    A(Hosts),
    /// Those of the hosts that take its mail.
    Mx(Hosts),
    /// Addresses with a name within this one, or within the domain.
    Ptr(Option<MacroString>),
    /// A network; `None` for IPv4 addresses in the form of IPv6 ones, which no client has here.
    Ip(Option<Network>),
    /// Everybody if there is such a name.
    Exists(MacroString),
}

/// Hosts, and how much of their addresses counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// Of this name; `None`: of the domain.
    pub domain: Option<MacroString>,
    /// The bits of an IPv4 address.
    pub prefix_v4: u8,
    /// The bits of an IPv6 address.
    pub prefix_v6: u8,
}

/// Why a text is no record (RFC 7208 §4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyntaxFault {
    /// It has other characters than visible ASCII and spaces.
    Character,
    /// There is no such mechanism.
    Mechanism,
    /// A macro is none.
    Macro,
    /// A name is none, or is missing.
    Domain,
    /// An address, a network or the length of its prefix is none.
    Network,
    /// Something follows `all`.
    Argument,
    /// `redirect` or `exp` stands there twice.
    Repeated,
}

impl fmt::Display for SyntaxFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Character => "a record has visible ASCII characters and spaces",
            Self::Mechanism => "there is no such mechanism",
            Self::Macro => "a macro is malformed",
            Self::Domain => "a name is missing or malformed",
            Self::Network => "an address or the length of a prefix is malformed",
            Self::Argument => "nothing follows `all`",
            Self::Repeated => "`redirect` and `exp` stand there once",
        })
    }
}

/// A fault, and the term that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The term; at most 100 characters of it.
    pub term: String,
    /// What is wrong.
    pub fault: SyntaxFault,
}

/// What every record begins with.
const VERSION: &str = "v=spf1";

/// Whether a text is an SPF record at all: others are passed over (RFC 7208 §4.5).
pub(super) fn is_record(text: &[u8]) -> bool {
    let Some((version, rest)) = text.split_at_checked(VERSION.len()) else { return false };
    version.eq_ignore_ascii_case(VERSION.as_bytes()) && matches!(rest.first(), None | Some(b' '))
}

impl Record {
    /// Reads a record, from its `v=spf1` on. Costs as much as the text is long.
    ///
    /// # Errors
    /// The first term that is malformed: then all of the record counts for nothing.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii());
        let text =
            text.ok_or_else(|| Malformed { term: String::new(), fault: SyntaxFault::Character })?;
        let mut record = Self { directives: Vec::new(), redirect: None, explanation: None };
        for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
            record.add(term).map_err(|fault| {
                let term = term.chars().take(100).map(|c| if c.is_control() { '?' } else { c });
                Malformed { term: term.collect(), fault }
            })?;
        }
        Ok(record)
    }

    fn add(&mut self, term: &str) -> Result<(), SyntaxFault> {
        if let Some((name, value)) = modifier(term) {
            let known = match &*name.to_ascii_lowercase() {
                "redirect" => &mut self.redirect,
                "exp" => &mut self.explanation,
                // RFC 7208 §6: what is not known is passed over, if it is well formed.
                _ => return MacroString::parse(value, false).map(drop),
            };
            return match known.replace(MacroString::parse_name(value)?) {
                Some(_) => Err(SyntaxFault::Repeated),
                None => Ok(()),
            };
        }
        let (qualifier, rest) = match term.split_at_checked(1) {
            Some(("+", rest)) => (Qualifier::Pass, rest),
            Some(("-", rest)) => (Qualifier::Fail, rest),
            Some(("~", rest)) => (Qualifier::SoftFail, rest),
            Some(("?", rest)) => (Qualifier::Neutral, rest),
            _ => (Qualifier::Pass, term),
        };
        let mechanism = Mechanism::parse(rest)?;
        self.directives.push(Directive { qualifier, mechanism, text: term.into() });
        Ok(())
    }
}

/// `name "=" macro-string`: a mechanism has `:` or `/` before any `=`.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let mut bytes = name.bytes();
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (bytes.next()?.is_ascii_alphabetic() && bytes.all(inner)).then_some((name, value))
}

impl Mechanism {
    fn parse(text: &str) -> Result<Self, SyntaxFault> {
        let end = text.find([':', '/']).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        let argument = rest.strip_prefix(':');
        match &*name.to_ascii_lowercase() {
            "all" if rest.is_empty() => Ok(Self::All),
            "all" => Err(SyntaxFault::Argument),
            "include" => named(argument).map(Self::Include),
            "exists" => named(argument).map(Self::Exists),
            "a" => Hosts::parse(rest).map(Self::A),
            "mx" => Hosts::parse(rest).map(Self::Mx),
            "ptr" if rest.is_empty() => Ok(Self::Ptr(None)),
            "ptr" => named(argument).map(|name| Self::Ptr(Some(name))),
            "ip4" => network(argument, 32).map(Self::Ip),
            "ip6" => network(argument, 128).map(Self::Ip),
            _ => Err(SyntaxFault::Mechanism),
        }
    }
}

impl Hosts {
    /// `[ ":" domain-spec ] [ "/" bits ] [ "//" bits ]`
    fn parse(rest: &str) -> Result<Self, SyntaxFault> {
        let (rest, v6) = match rest.rsplit_once("//") {
            Some((before, bits)) if is_number(bits) => (before, Some(bits)),
            _ => (rest, None),
        };
        let (rest, v4) = match rest.rsplit_once('/') {
            Some((before, bits)) if is_number(bits) => (before, Some(bits)),
            _ => (rest, None),
        };
        let domain = match rest {
            "" => None,
            rest => Some(named(rest.strip_prefix(':'))?),
        };
        let prefix_v4 = v4.map_or(Ok(32), |bits| prefix(bits, 32))?;
        let prefix_v6 = v6.map_or(Ok(128), |bits| prefix(bits, 128))?;
        Ok(Self { domain, prefix_v4, prefix_v6 })
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn named(argument: Option<&str>) -> Result<MacroString, SyntaxFault> {
    MacroString::parse_name(argument.ok_or(SyntaxFault::Domain)?)
}

/// Without zeros in front.
fn prefix(text: &str, max: u8) -> Result<u8, SyntaxFault> {
    let plain = is_number(text) && (text == "0" || !text.starts_with('0'));
    let bits = text.parse().ok().filter(|bits| plain && *bits <= max);
    bits.ok_or(SyntaxFault::Network)
}

fn network(argument: Option<&str>, bits: u8) -> Result<Option<Network>, SyntaxFault> {
    let text = argument.ok_or(SyntaxFault::Network)?;
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, prefix(length, bits)?),
        None => (text, bits),
    };
    if bits == 32 {
        let address: Ipv4Addr = address.parse().map_err(|_| SyntaxFault::Network)?;
        return Ok(Some(Network::around(address.into(), length)));
    }
    let address: Ipv6Addr = address.parse().map_err(|_| SyntaxFault::Network)?;
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    let address = Ipv6Addr::from_bits(address.to_bits() & mask);
    Ok(match address.to_ipv4_mapped() {
        Some(_) => None,
        None => Some(Network::around(address.into(), length)),
    })
}
