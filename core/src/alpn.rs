//! Which protocol a fresh TLS connection speaks (RFC 7301).
//!
//! The rule is the same every time: of the names that the client lists, the first that the
//! listener offers. So a client that lists `imap` before `h2` gets IMAP, whatever we would rather
//! speak.
//!
//! ```
//! use pillarbox_core::alpn::{Choice, Protocol, choose};
//!
//! let offered = [Protocol::Http2, Protocol::Http11, Protocol::Imap];
//! let client: [&[u8]; 2] = [b"imap", b"h2"];
//! assert_eq!(choose(Some(client), &offered), Choice::Agreed(Protocol::Imap));
//! ```

/// A protocol with a name that clients ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// RFC 9113.
    Http2,
    /// RFC 9112.
    Http11,
    /// RFC 9051.
    Imap,
    /// RFC 6409, submission. The name `smtp` is not registered; chat clients send it.
    Smtp,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Http2, Self::Http11, Self::Imap, Self::Smtp];

    /// The name in the handshake.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http2 => "h2",
            Self::Http11 => "http/1.1",
            Self::Imap => "imap",
            Self::Smtp => "smtp",
        }
    }
}

/// What a client's list comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Both sides say so.
    Agreed(Protocol),
    /// The client did not ask, or nobody looks at what it asks for: what is spoken is the
    /// listener's own rule.
    Open,
    /// The client wants only what is not offered: `no_application_protocol` (RFC 7301 §3.2).
    Refused,
}

/// Chooses from what the client lists, `None` where it sent no list. Where `offered` is empty the
/// listener takes no part in ALPN, and any list is overlooked.
pub fn choose<'a>(
    listed: Option<impl IntoIterator<Item = &'a [u8]>>,
    offered: &[Protocol],
) -> Choice {
    let Some(listed) = listed.filter(|_| !offered.is_empty()) else { return Choice::Open };
    let known = |name: &[u8]| offered.iter().find(|it| it.name().as_bytes() == name);
    match listed.into_iter().find_map(known) {
        Some(protocol) => Choice::Agreed(*protocol),
        None => Choice::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_clients_names_that_is_offered_wins() {
        use Choice::{Agreed, Open, Refused};
        use Protocol::{Http2, Http11, Imap, Smtp};
        let all = [Http2, Http11, Imap, Smtp];
        assert_eq!(choose(None::<[&[u8]; 0]>, &all), Open);
        let table: [(&[&str], &[Protocol], Choice); 9] = [
            (&["imap"], &all, Agreed(Imap)),
            (&["imap", "h2"], &all, Agreed(Imap)),
            (&["h2", "imap"], &all, Agreed(Http2)),
            (&["http/0.9", "smtp"], &all, Agreed(Smtp)),
            (&["smtp", "http/1.1"], &[Http2, Http11], Agreed(Http11)),
            // RFC 7301 §6: names are octets, and compared as such.
            (&["IMAP", "imap\0", "ima", ""], &all, Refused),
            (&["http/1.1"], &[Imap], Refused),
            (&[], &all, Refused),
            (&["http/1.1"], &[], Open),
        ];
        for (listed, offered, expected) in table {
            let names = listed.iter().map(|name| name.as_bytes());
            assert_eq!(choose(Some(names), offered), expected, "{offered:?}");
        }
    }
}
