//! Who a message says it is from (RFC 5322 §3.6.2).

use std::fmt;

use super::Head;
use crate::mime::address::{Addresses, Entry};

/// An address that a message says it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Originator {
    /// The field that names it: `From` or `Sender`.
    pub field: &'static str,
    /// The part before the `@`, unquoted; what is not UTF-8 in it is replaced.
    pub localpart: String,
    /// The part behind it; empty if there is none.
    pub domain: String,
}

impl fmt::Display for Originator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.domain.is_empty() { "" } else { "@" };
        write!(f, "{}{at}{}", self.localpart, self.domain)
    }
}

/// Why a message does not say whom it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginFault {
    /// There is no field of this name, and there must be (RFC 5322 §3.6).
    Missing(&'static str),
    /// There are several fields of this name (RFC 5322 §3.6): one program believes the first of
    /// them, another the last.
    Several(&'static str),
    /// The field of this name holds no address.
    Nobody(&'static str),
}

impl fmt::Display for OriginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "the message has no {field} field"),
            Self::Several(field) => write!(f, "the message has more than one {field} field"),
            Self::Nobody(field) => write!(f, "the {field} field of the message names no address"),
        }
    }
}

impl std::error::Error for OriginFault {}

/// All addresses in the From field of a message, and in Sender if it has one.
///
/// # Errors
/// Where these do not say it. A Sender field is not asked for where From names several, as RFC 5322
/// §3.6.2 would have it: few programs write one.
pub fn originators(head: &Head) -> Result<Vec<Originator>, OriginFault> {
    let mut all = authors(head)?;
    read(head, "Sender", &mut all)?;
    Ok(all)
}

/// All addresses in the From field of a message.
///
/// # Errors
/// Where these do not say it.
pub fn authors(head: &Head) -> Result<Vec<Originator>, OriginFault> {
    let mut all = Vec::new();
    match read(head, "From", &mut all)? {
        true => Ok(all),
        false => Err(OriginFault::Missing("From")),
    }
}

/// Reads the one field of this name; tells whether there is one.
fn read(head: &Head, name: &'static str, all: &mut Vec<Originator>) -> Result<bool, OriginFault> {
    let mut fields = head.fields().filter(|field| field.is(name.as_bytes()));
    let Some(field) = fields.next() else { return Ok(false) };
    if fields.next().is_some() {
        return Err(OriginFault::Several(name));
    }
    let before = all.len();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut list = Addresses::new(field.value);
    while let Some(entry) = list.next() {
        if let Entry::Mailbox { local, domain, .. } = entry {
            all.push(Originator { field: name, localpart: text(local), domain: text(domain) });
        }
    }
    if all.len() == before { Err(OriginFault::Nobody(name)) } else { Ok(true) }
}

#[cfg(test)]
mod tests {
    use super::super::Gatherer;
    use super::*;

    #[test]
    fn who_a_message_is_from() {
        for (text, expected) in [
            ("From: a@x\r\n", Ok("From a@x")),
            ("from : Ann\r\n <a@x>\r\n", Ok("From a@x")),
            ("From: a@x, \"B@c\" <b@x>\r\nSender: c@x\r\n", Ok("From a@x From b@x Sender c@x")),
            ("Sender: c@x\r\nFrom: Us: a@x, b@x;\r\n", Ok("From a@x From b@x Sender c@x")),
            ("From: a@x <b@y>\r\n", Ok("From b@y")),
            ("From: root\r\n", Ok("From root")),
            ("From: \"a b\"@x\r\n", Ok("From a b@x")),
            ("", Err(OriginFault::Missing("From"))),
            ("Sender: a@x\r\n", Err(OriginFault::Missing("From"))),
            ("From: a@x\r\nFROM: b@x\r\n", Err(OriginFault::Several("From"))),
            ("From: a@x\r\nSender: b@x\r\nSender: c@x\r\n", Err(OriginFault::Several("Sender"))),
            ("From:\r\n", Err(OriginFault::Nobody("From"))),
            ("From: nobody:;\r\n", Err(OriginFault::Nobody("From"))),
            ("From: a@x\r\nSender: <>\r\n", Err(OriginFault::Nobody("Sender"))),
            ("Subject: x\r\n\r\nFrom: a@x\r\n", Err(OriginFault::Missing("From"))),
        ] {
            let mut gatherer = Gatherer::new(1_000);
            gatherer.push(text.as_bytes()).unwrap();
            let found = originators(&gatherer.into_head()).map(|all| {
                all.iter().map(|one| format!("{} {one}", one.field)).collect::<Vec<_>>().join(" ")
            });
            assert_eq!(found, expected.map(str::to_owned), "{text}");
        }
    }
}
