//! Whose policy counts: the domain in From (RFC 9989 §3.2.2).

use crate::dns::Name;
use crate::message::{Head, OriginFault, authors};

/// The domain that a message says it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// This one.
    Domain(Name),
    /// Addresses of several domains, each with a policy of its own. RFC 7489 §6.6.1 would rather
    /// have such a message refused.
    Several,
    /// None that has a name, such as an address without `@`.
    Nobody,
}

/// Reads the From field.
///
/// # Errors
/// Where there is none, or more than one, or nobody in it: messages that RFC 7489 §6.6.1 would
/// rather have refused.
pub fn author(head: &Head) -> Result<Author, OriginFault> {
    let mut found = None;
    for one in authors(head)? {
        let Ok(name) = Name::parse(&one.domain) else { continue };
        match &found {
            None => found = Some(name),
            Some(first) if *first == name => {}
            Some(_) => return Ok(Author::Several),
        }
    }
    Ok(found.map_or(Author::Nobody, Author::Domain))
}
