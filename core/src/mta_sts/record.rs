//! The record in DNS (RFC 8461 §3.1).

use std::fmt;

use crate::dns::{Data, Failure, Lookup};

/// A record that says that there is a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Another one means another policy: 1 to 32 letters and digits.
    pub id: String,
}

/// Why a text is no such record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFault {
    /// It does not begin with `v=STSv1` and a semicolon.
    Version,
    /// Between two semicolons there is no name with a value.
    Field,
    /// It has no id, or one that is not of 1 to 32 letters and digits.
    Id,
}

/// What DNS says of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// There is a policy.
    Record(Record),
    /// There is none: no record, several, or one that is broken.
    Nothing,
    /// It could not be found out now.
    Unknown,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "the record does not begin with `v=STSv1;`",
            Self::Field => "the record has something in it that is no name with a value",
            Self::Id => "the record has no id of 1 to 32 letters and digits",
        })
    }
}

impl std::error::Error for RecordFault {}

impl Record {
    /// Parses a whole TXT record, its strings joined.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn parse(text: &[u8]) -> Result<Self, RecordFault> {
        let text = std::str::from_utf8(text).map_err(|_| RecordFault::Field)?;
        let mut fields = text.split(';').map(blanks_off).peekable();
        if fields.next() != Some("v=STSv1") || fields.peek().is_none() {
            return Err(RecordFault::Version);
        }
        let mut id = None;
        while let Some(field) = fields.next() {
            if field.is_empty() && fields.peek().is_none() {
                break;
            }
            let (name, value) = field.split_once('=').ok_or(RecordFault::Field)?;
            let (name, value) = (blanks_off(name), blanks_off(value));
            if name == "id" {
                // Of several the first counts, as in a policy.
                id = id.or(Some(value));
            } else if !is_name(name) || !is_value(value) {
                return Err(RecordFault::Field);
            }
        }
        let good = |id: &&str| {
            (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        id.filter(good).map(|id| Self { id: id.to_owned() }).ok_or(RecordFault::Id)
    }
}

impl Published {
    /// What the TXT records of `_mta-sts` in front of the domain say. Others than those that begin
    /// with the version do not count; of these there has to be exactly one.
    #[must_use]
    pub fn of(lookup: &Lookup) -> Self {
        let answer = match lookup {
            Ok(answer) => answer,
            Err(Failure::NoName { .. } | Failure::NoRecord { .. }) => return Self::Nothing,
            Err(Failure::Trouble(_)) => return Self::Unknown,
        };
        let mut texts = answer.records.iter().filter_map(|data| match data {
            Data::Txt(text) if text.starts_with(b"v=STSv1;") => Some(text),
            _ => None,
        });
        match (texts.next().map(|text| Record::parse(text)), texts.next()) {
            (Some(Ok(record)), None) => Self::Record(record),
            _ => Self::Nothing,
        }
    }
}

fn blanks_off(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Of an extension: a letter or digit, then up to 31 of these and `_-.`.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|char: char| char.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn is_value(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Answer, Name};

    #[test]
    fn records() {
        for (text, expected) in [
            // RFC 8461 §3.1.
            ("v=STSv1; id=20160831085700Z;", Ok("20160831085700Z")),
            ("v=STSv1;id=a", Ok("a")),
            ("v=STSv1 ; x-y.z = 1:2 ; id = A9 ", Ok("A9")),
            ("v=STSv1; id=a; id=b", Ok("a")),
            (
                "v=STSv1; id=01234567890123456789012345678901",
                Ok("01234567890123456789012345678901"),
            ),
            ("v=STSv1; id=012345678901234567890123456789012", Err(RecordFault::Id)),
            ("v=STSv1; id=a-b", Err(RecordFault::Id)),
            ("v=STSv1; id=", Err(RecordFault::Id)),
            ("v=STSv1; ID=a", Err(RecordFault::Id)),
            ("v=STSv1;", Err(RecordFault::Id)),
            ("v=STSv1", Err(RecordFault::Version)),
            ("v=stsv1; id=a", Err(RecordFault::Version)),
            ("id=a; v=STSv1", Err(RecordFault::Version)),
            ("v=STSv1; ; id=a", Err(RecordFault::Field)),
            ("v=STSv1; id", Err(RecordFault::Field)),
            ("v=STSv1; id=a; _x=1", Err(RecordFault::Field)),
            ("v=STSv1; id=a; x=", Err(RecordFault::Field)),
            ("v=STSv1; id=a; x=1=2", Err(RecordFault::Field)),
            ("", Err(RecordFault::Version)),
        ] {
            let expected = expected.map(|id| Record { id: id.to_owned() });
            assert_eq!(Record::parse(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(Record::parse(b"v=STSv1; id=\xFF"), Err(RecordFault::Field));
    }

    #[test]
    fn what_is_published() {
        let found = |texts: &[&str]| {
            Published::of(&Ok(Answer {
                name: Name::parse("_mta-sts.example.net").unwrap(),
                records: texts.iter().map(|text| Data::Txt(text.as_bytes().to_vec())).collect(),
                ttl: 60,
                secure: false,
            }))
        };
        let record = Published::Record(Record { id: "1".into() });
        assert_eq!(found(&["v=STSv1; id=1"]), record);
        assert_eq!(found(&["v=spf1 -all", "v=STSv1; id=1"]), record);
        assert_eq!(found(&["v=STSv1; id=1", "v=STSv1; id=1"]), Published::Nothing);
        assert_eq!(found(&["v=STSv1; id=1", "v=STSv1; broken"]), Published::Nothing);
        assert_eq!(found(&["v=STSv2; id=1"]), Published::Nothing);
        assert_eq!(Published::of(&Err(Failure::NoName { secure: false })), Published::Nothing);
        assert_eq!(Published::of(&Err(Failure::NoRecord { secure: true })), Published::Nothing);
        assert_eq!(Published::of(&Err(Failure::Trouble("x".into()))), Published::Unknown);
    }
}
