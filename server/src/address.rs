//! Addresses and names as operators write them.

use std::fmt;
use std::str::FromStr;

use pillarbox_core::international::{DomainName, fold};
use pillarbox_core::smtp::address::{Grammar, Localpart};
use pillarbox_core::smtp::config::Strictness;
use serde::{Deserialize, Serialize};

/// An address of ours, in the form in which it is kept: the local part folded, the domain in ASCII.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Address {
    /// Before the `@`, unquoted.
    pub(crate) localpart: String,
    pub(crate) domain: String,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let no_address = || format!("`{text}` is no address such as alice@example.org");
        let (localpart, domain) = text.rsplit_once('@').ok_or_else(no_address)?;
        let grammar = Grammar { strictness: Strictness::Pedantic, ..Grammar::default() };
        let localpart = Localpart::parse(localpart, grammar).map_err(|_| no_address())?;
        Ok(Self { localpart: fold(localpart.as_str()).into_owned(), domain: domain_name(domain)? })
    }
}

impl fmt::Display for Address {
    /// As it must be written, quoted where it is no dot-string (RFC 5321 §4.1.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grammar = Grammar { strictness: Strictness::Pedantic, ..Grammar::default() };
        let plain = Localpart::parse(&self.localpart, grammar)
            .is_ok_and(|parsed| parsed.as_str() == self.localpart);
        if plain {
            return write!(f, "{}@{}", self.localpart, self.domain);
        }
        let quoted = self.localpart.replace('\\', "\\\\").replace('"', "\\\"");
        write!(f, "\"{quoted}\"@{}", self.domain)
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

/// A domain's name as it is kept: in its ASCII form, however it was written.
///
/// # Errors
/// What is wrong with it and what to do.
pub(crate) fn domain_name(text: &str) -> Result<String, String> {
    DomainName::parse(text).map(|name| name.as_ascii().to_owned()).map_err(|error| {
        let (text, part) = (text.escape_debug(), error.part(text).escape_debug());
        let expected = error.flaw.expected();
        format!("`{text}` is no domain such as example.org: expected {expected}, not `{part}`")
    })
}

/// A domain as people read it, and its other form where it has one.
pub(crate) fn both_forms(domain: &str) -> String {
    match DomainName::parse(domain) {
        Ok(name) if name.to_unicode() != domain => format!("{} ({domain})", name.to_unicode()),
        _ => domain.to_owned(),
    }
}

/// An account's name, folded.
///
/// # Errors
/// What is wrong with it and what to do.
pub(crate) fn account_name(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Err(format!("`{text}` is an address: an account's name has no @"));
    }
    let odd = |char: char| char.is_whitespace() || char.is_control() || "\"\\".contains(char);
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.contains(odd) {
        return Err(format!(
            "`{}` cannot be an account's name: use up to {NAME_BYTES_MAX} letters, digits and \
             signs without blanks",
            text.escape_debug()
        ));
    }
    Ok(fold(text).into_owned())
}

/// As long as a local part may be (RFC 5321 §4.5.3.1.1), from which most names are taken.
const NAME_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_again() {
        for (text, written) in [
            ("alice@example.org", "alice@example.org"),
            ("Alice.B+x@Example.ORG", "alice.b+x@example.org"),
            ("\"alice\"@example.org", "alice@example.org"),
            ("\"a b@c\\\"\\\\\"@example.org", "\"a b@c\\\"\\\\\"@example.org"),
            ("müller@example.org", "müller@example.org"),
            ("MU\u{308}LLER@example.org", "m\u{fc}ller@example.org"),
            ("a@M\u{fc}ller.example", "a@xn--mller-kva.example"),
            ("a@XN--mller-KVA.example", "a@xn--mller-kva.example"),
            ("user@localhost", "user@localhost"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), written);
            assert_eq!(written.parse::<Address>().unwrap(), address);
        }
        for text in ["alice", "@example.org", "alice@", "a b@x.org", "a..b@x.org", "a@b@c.org"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(account_name("Alice"), Ok("alice".into()));
        assert_eq!(account_name(&"x".repeat(NAME_BYTES_MAX)), Ok("x".repeat(NAME_BYTES_MAX)));
        for wrong in ["", "a b", "a@b", "a\n", "a\0", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert!(account_name(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(domain_name("Example.org"), Ok("example.org".into()));
        assert_eq!(account_name("JO\u{308}RG"), Ok("j\u{f6}rg".into()));
        assert_eq!(domain_name("B\u{dc}CHER.example"), Ok("xn--bcher-kva.example".into()));
        for wrong in
            ["", ".", "a..b", "-a.org", "a_b.org", "a b", "xn--a.org", "b\u{fc}\u{200d}.org"]
        {
            assert!(domain_name(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(
            domain_name("b\u{fc}cher.a_b").unwrap_err(),
            "`b\u{fc}cher.a_b` is no domain such as example.org: expected letters, digits and \
             hyphens, not `a_b`"
        );
        assert_eq!(both_forms("example.org"), "example.org");
        assert_eq!(both_forms("xn--bcher-kva.org"), "b\u{fc}cher.org (xn--bcher-kva.org)");
    }
}
