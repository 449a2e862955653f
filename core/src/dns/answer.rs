//! Questions and what comes of them.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;

use super::Name;

/// A kind of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Addresses of IPv4 (RFC 1035 §3.4.1).
    A,
    /// Addresses of IPv6 (RFC 3596 §2.1).
    Aaaa,
    /// The name of an address (RFC 1035 §3.3.12).
    Ptr,
    /// Who takes mail (RFC 1035 §3.3.9, RFC 7505).
    Mx,
    /// Texts (RFC 1035 §3.3.14).
    Txt,
    /// The name that a name stands for (RFC 1035 §3.3.1).
    Cname,
    /// The servers of a zone (RFC 1035 §3.3.11).
    Ns,
    /// The start of a zone (RFC 1035 §3.3.13).
    Soa,
    /// Keys and certificates of a TLS server (RFC 6698 §2).
    Tlsa,
    /// Where a service is (RFC 2782).
    Srv,
    /// Who may certify (RFC 8659 §4).
    Caa,
    /// How a service is reached (RFC 9460 §2).
    Svcb,
    /// The same for HTTPS (RFC 9460 §9).
    Https,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// Of this name.
    pub name: Name,
    /// Records of this kind.
    pub kind: Kind,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Data {
    /// An address of IPv4.
    A(Ipv4Addr),
    /// An address of IPv6.
    Aaaa(Ipv6Addr),
    /// The name of an address.
    Ptr(Name),
    /// Who takes mail.
    Mx {
        /// The lower the better.
        preference: u16,
        /// The host; the root where nobody does (RFC 7505 §3).
        exchange: Name,
    },
    /// A text: its strings joined, as every use in mail wants it.
    Txt(Vec<u8>),
    /// The name that this one stands for.
    Cname(Name),
    /// A server of the zone.
    Ns(Name),
    /// The start of a zone.
    Soa {
        /// Its first server.
        primary: Name,
        /// Its edition.
        serial: u32,
        /// How long a missing name may be remembered, in seconds (RFC 2308 §4).
        minimum: u32,
    },
    /// A key or certificate of a TLS server.
    Tlsa {
        /// Certificate usage (RFC 6698 §2.1.1).
        usage: u8,
        /// Selector (RFC 6698 §2.1.2).
        selector: u8,
        /// Matching type (RFC 6698 §2.1.3).
        matching: u8,
        /// Certificate association data.
        association: Vec<u8>,
    },
    /// Where a service is.
    Srv {
        /// The lower the better.
        priority: u16,
        /// Among those of one priority.
        weight: u16,
        /// The port.
        port: u16,
        /// The host; the root where there is no such service.
        target: Name,
    },
    /// Who may certify.
    Caa {
        /// Whoever does not understand the tag must not certify.
        critical: bool,
        /// The property.
        tag: String,
        /// Its value.
        value: Vec<u8>,
    },
    /// How a service is reached, of [`Kind::Svcb`] and [`Kind::Https`].
    Svcb {
        /// The lower the better; 0 for an alias.
        priority: u16,
        /// The host; the root for the name itself.
        target: Name,
        /// Parameters by their numbers.
        parameters: Vec<(u16, Vec<u8>)>,
    },
}

/// Records that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whose records they are: the name asked for, or the one that it stands for in the end.
    pub name: Name,
    /// At least one, all of the kind asked for.
    pub records: Vec<Data>,
    /// For how many seconds they hold.
    pub ttl: u32,
    /// Whether they were proved genuine, with each step of the way (RFC 4035 §3.2.3), as told by a
    /// resolver that we believe.
    pub secure: bool,
}

/// Why there are no records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The name is not there (RFC 8020 §2).
    NoName {
        /// Whether that was proved.
        secure: bool,
    },
    /// The name has none of this kind (RFC 2308 §2.2).
    NoRecord {
        /// Whether that was proved.
        secure: bool,
    },
    /// It could not be found out now. The text says why, in printable ASCII, with the addresses of
    /// the servers and what they say of it (RFC 8914): for the log and our own reports.
    Trouble(String),
}

/// What comes of a question.
pub type Lookup = Result<Answer, Failure>;

impl Failure {
    /// Whether it is known that there is nothing: a "void lookup" (RFC 7208 §4.6.4).
    #[must_use]
    pub const fn is_void(&self) -> bool {
        matches!(self, Self::NoName { .. } | Self::NoRecord { .. })
    }
}

impl Data {
    /// About how many bytes it takes in memory.
    pub(super) fn size(&self) -> usize {
        let beside = match self {
            Self::A(_) | Self::Aaaa(_) => 0,
            Self::Ptr(name) | Self::Cname(name) | Self::Ns(name) => name.as_str().len(),
            Self::Mx { exchange: name, .. }
            | Self::Soa { primary: name, .. }
            | Self::Srv { target: name, .. } => name.as_str().len(),
            Self::Txt(bytes) | Self::Tlsa { association: bytes, .. } => bytes.len(),
            Self::Caa { tag, value, .. } => tag.len() + value.len(),
            Self::Svcb { target, parameters, .. } => {
                let each = size_of::<(u16, Vec<u8>)>();
                let all = parameters.iter().map(|(_, value)| each + value.len());
                target.as_str().len() + all.sum::<usize>()
            }
        };
        size_of::<Self>() + beside
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::A,
        Self::Aaaa,
        Self::Ptr,
        Self::Mx,
        Self::Txt,
        Self::Cname,
        Self::Ns,
        Self::Soa,
        Self::Tlsa,
        Self::Srv,
        Self::Caa,
        Self::Svcb,
        Self::Https,
    ];

    /// As zone files have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Ptr => "PTR",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Cname => "CNAME",
            Self::Ns => "NS",
            Self::Soa => "SOA",
            Self::Tlsa => "TLSA",
            Self::Srv => "SRV",
            Self::Caa => "CAA",
            Self::Svcb => "SVCB",
            Self::Https => "HTTPS",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.as_str().is_empty() { "." } else { self.name.as_str() };
        write!(f, "{name} {}", self.kind.name())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName { .. } => f.write_str("there is no such name"),
            Self::NoRecord { .. } => f.write_str("the name has no such record"),
            Self::Trouble(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}
