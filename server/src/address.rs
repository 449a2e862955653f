//! Addresses and names as operators write them.

use std::fmt;
use std::str::FromStr;

use pillarbox_core::smtp::address::{Grammar, Localpart};
use pillarbox_core::smtp::config::Strictness;
use serde::{Deserialize, Serialize};

use crate::config::is_hostname;

/// An address of ours. Small letters only: ASCII case is no difference in our addresses.
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
        Ok(Self {
            localpart: localpart.as_str().to_ascii_lowercase(),
            domain: domain_name(domain)?,
        })
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

/// A domain's name in small letters.
///
/// # Errors
/// What is wrong with it and what to do.
pub(crate) fn domain_name(text: &str) -> Result<String, String> {
    if is_hostname(text) {
        Ok(text.to_ascii_lowercase())
    } else if text.is_ascii() {
        Err(format!("`{text}` is no domain such as example.org"))
    } else {
        Err(format!("write the domain `{text}` in its ASCII form, with xn-- in it"))
    }
}

/// An account's name in small letters.
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
    Ok(text.to_ascii_lowercase())
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
            ("user@localhost", "user@localhost"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), written);
            assert_eq!(written.parse::<Address>().unwrap(), address);
        }
        for text in ["alice", "@example.org", "alice@", "a b@x.org", "a..b@x.org", "a@b@c.org"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        assert!("a@müller.example".parse::<Address>().unwrap_err().contains("xn--"));
    }

    #[test]
    fn names() {
        assert_eq!(account_name("Alice"), Ok("alice".into()));
        assert_eq!(account_name(&"x".repeat(NAME_BYTES_MAX)), Ok("x".repeat(NAME_BYTES_MAX)));
        for wrong in ["", "a b", "a@b", "a\n", "a\0", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert!(account_name(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(domain_name("Example.org"), Ok("example.org".into()));
        for wrong in ["", ".", "a..b", "-a.org", "a_b.org", "a b"] {
            assert!(domain_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
