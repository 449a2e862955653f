//! The record by which a domain asks for reports (RFC 8460 §3).

use std::fmt;

use crate::dns::{Data, Lookup};

/// Of the places of one record, so many are told.
pub const DESTINATIONS_MAX: usize = 10;

/// Where a domain wants its reports, in its order: URIs that begin with `mailto:` or `https:`.
/// Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destinations(pub Vec<String>);

/// Why a text is no such record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFault {
    /// It does not begin with `v=TLSRPTv1` and a semicolon.
    Version,
    /// Between two semicolons there is no name with a value.
    Field,
    /// It has no `rua`.
    Missing,
    /// It names no place that we can reach.
    Destination,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "the record does not begin with `v=TLSRPTv1;`",
            Self::Field => "the record has something in it that is no name with a value",
            Self::Missing => "the record has no rua",
            Self::Destination => "the record's rua has no mailto: and no https: in it",
        })
    }
}

impl std::error::Error for RecordFault {}

impl Destinations {
    /// Parses a whole TXT record, its strings joined. Places of other kinds, and fields that are
    /// not known, are passed over.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn parse(text: &[u8]) -> Result<Self, RecordFault> {
        let text = std::str::from_utf8(text).map_err(|_| RecordFault::Field)?;
        let mut fields = text.split(';').map(blanks_off).peekable();
        if fields.next() != Some("v=TLSRPTv1") || fields.peek().is_none() {
            return Err(RecordFault::Version);
        }
        let mut rua = None;
        while let Some(field) = fields.next() {
            if field.is_empty() && fields.peek().is_none() {
                break;
            }
            let (name, value) = field.split_once('=').ok_or(RecordFault::Field)?;
            if blanks_off(name) == "rua" {
                rua = rua.or(Some(value));
            } else if name.is_empty() || value.is_empty() {
                return Err(RecordFault::Field);
            }
        }
        let places = rua.ok_or(RecordFault::Missing)?.split(',').map(blanks_off);
        let known: Vec<_> = places
            .filter(|place| is_reachable(place))
            .take(DESTINATIONS_MAX)
            .map(str::to_owned)
            .collect();
        if known.is_empty() { Err(RecordFault::Destination) } else { Ok(Self(known)) }
    }

    /// What the TXT records of `_smtp._tls` in front of the domain say: of those that begin with
    /// the version there has to be exactly one.
    #[must_use]
    pub fn of(lookup: &Lookup) -> Option<Self> {
        let mut texts = lookup.as_ref().ok()?.records.iter().filter_map(|data| match data {
            Data::Txt(text) if text.starts_with(b"v=TLSRPTv1;") => Some(text),
            _ => None,
        });
        let first = texts.next()?;
        if texts.next().is_some() { None } else { Self::parse(first).ok() }
    }
}

fn blanks_off(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// RFC 8460 §3: other kinds of places are not known.
fn is_reachable(place: &str) -> bool {
    let begins = |scheme: &str| {
        let (head, rest) = place.split_at_checked(scheme.len()).unwrap_or(("", ""));
        head.eq_ignore_ascii_case(scheme) && !rest.is_empty()
    };
    place.bytes().all(|byte| byte.is_ascii_graphic()) && (begins("mailto:") || begins("https://"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Answer, Failure, Name};

    #[test]
    fn records() {
        for (text, expected) in [
            // RFC 8460 §3.1.
            ("v=TLSRPTv1; rua=mailto:reports@example.com", Ok("mailto:reports@example.com")),
            (
                "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt",
                Ok("https://reporting.example.com/v1/tlsrpt"),
            ),
            ("v=TLSRPTv1;rua = MAILTO:a@b , https://c ;", Ok("MAILTO:a@b https://c")),
            ("v=TLSRPTv1; x=1; rua=ftp://a,mailto:a@b,mailto:", Ok("mailto:a@b")),
            ("v=TLSRPTv1; rua=mailto:a@b; rua=mailto:c@d", Ok("mailto:a@b")),
            ("v=TLSRPTv1; rua=http://a", Err(RecordFault::Destination)),
            ("v=TLSRPTv1; rua=", Err(RecordFault::Destination)),
            ("v=TLSRPTv1; rua=mailto:a b", Err(RecordFault::Destination)),
            ("v=TLSRPTv1;", Err(RecordFault::Missing)),
            ("v=TLSRPTv1", Err(RecordFault::Version)),
            ("v=tlsrptv1; rua=mailto:a@b", Err(RecordFault::Version)),
            ("rua=mailto:a@b", Err(RecordFault::Version)),
            ("v=TLSRPTv1; rua", Err(RecordFault::Field)),
            ("v=TLSRPTv1;; rua=mailto:a@b", Err(RecordFault::Field)),
            ("v=TLSRPTv1; x=; rua=mailto:a@b", Err(RecordFault::Field)),
        ] {
            let found = Destinations::parse(text.as_bytes()).map(|places| places.0.join(" "));
            assert_eq!(found.as_deref(), expected.as_ref().map(|text| *text), "{text}");
        }
        let many = format!("v=TLSRPTv1; rua={}", ["mailto:a@b"; 50].join(","));
        assert_eq!(Destinations::parse(many.as_bytes()).unwrap().0.len(), DESTINATIONS_MAX);
    }

    #[test]
    fn one_record_has_to_be_there() {
        let found = |texts: &[&str]| {
            Destinations::of(&Ok(Answer {
                name: Name::parse("_smtp._tls.example.net").unwrap(),
                records: texts.iter().map(|text| Data::Txt(text.as_bytes().to_vec())).collect(),
                ttl: 60,
                secure: false,
            }))
        };
        let good = "v=TLSRPTv1; rua=mailto:a@b";
        assert!(found(&[good]).is_some());
        assert!(found(&["other", good]).is_some());
        assert!(found(&[good, good]).is_none());
        assert!(found(&["other"]).is_none());
        assert!(Destinations::of(&Err(Failure::NoName { secure: false })).is_none());
    }
}
