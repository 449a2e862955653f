//! Answers out of a file, for those who try and test: no server is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::base::iana::Class;
use domain::zonefile::inplace::{Entry, Zonefile};

use super::wire;
use super::{Answer, Data, Failure, Kind, Lookup, Name, Question};

/// As long as a name may stand for others in answers of servers.
const ALIASES_MAX: usize = 10;

/// Everything that there is: what it does not hold is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    sets: BTreeMap<(Name, Kind), Set>,
    /// The names that are there: of records, and those above them (RFC 4592 §2.2.2).
    names: BTreeSet<Name>,
}

/// The records of one kind that a name has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    ttl: u32,
    records: Vec<Data>,
}

/// What is wrong with a zone file, and where: `line:column: what`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneFault(String);

impl fmt::Display for ZoneFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ZoneFault {}

impl Zone {
    /// Adds what a zone file says (RFC 1035 §5.1). Names without a dot at their end are below
    /// `origin` until the file has an `$ORIGIN`. Kinds of records that nobody here asks for are
    /// passed over.
    ///
    /// # Errors
    /// The first thing that cannot be read. What stands before it was added.
    pub fn read(&mut self, text: &str, origin: &Name) -> Result<(), ZoneFault> {
        let mut file = Zonefile::with_capacity(text.len() + 1);
        file.extend_from_slice(text.as_bytes());
        file.extend_from_slice(b"\n");
        file.set_default_class(Class::IN);
        // Both write the same bytes in the same way.
        if let Ok(origin) = domain::base::Name::bytes_from_str(&format!("{origin}.")) {
            file.set_origin(origin);
        }
        while let Some(entry) = file.next_entry().map_err(|fault| ZoneFault(fault.to_string()))? {
            let Entry::Record(record) = entry else {
                return Err(ZoneFault("$INCLUDE: one file is all there is".into()));
            };
            let Some(kind) = wire::kind(record.rtype()) else { continue };
            let name = wire::name(record.owner());
            let data = wire::data(kind, record.data());
            let (Some(name), Some(data)) = (name, data) else {
                return Err(ZoneFault(format!("{}: cannot be read", record.owner())));
            };
            self.insert(name, kind, data, record.ttl().as_secs());
        }
        Ok(())
    }

    /// Adds a record; `ttl` is in seconds.
    pub fn insert(&mut self, name: Name, kind: Kind, data: Data, ttl: u32) {
        let mut above = Some(name.clone());
        while let Some(name) = above.filter(|name| !self.names.contains(name)) {
            above = name.parent();
            self.names.insert(name);
        }
        let set = self.sets.entry((name, kind)).or_insert_with(|| Set { ttl, records: Vec::new() });
        set.ttl = set.ttl.min(ttl);
        if !set.records.contains(&data) {
            set.records.push(data);
        }
    }

    /// What is there. Nothing of it is proved.
    ///
    /// # Errors
    /// That there is nothing; trouble only where aliases go round in a circle.
    pub fn lookup(&self, question: &Question) -> Lookup {
        let (mut name, mut ttl) = (question.name.clone(), u32::MAX);
        for _ in 0..=ALIASES_MAX {
            let Some(source) = self.source(&name) else {
                return Err(Failure::NoName { secure: false });
            };
            if let Some(set) = self.sets.get(&(source.clone(), question.kind)) {
                let (records, ttl) = (set.records.clone(), ttl.min(set.ttl));
                return Ok(Answer { name, records, ttl, secure: false });
            }
            let alias = self.sets.get(&(source, Kind::Cname));
            match alias.and_then(|set| Some((set.ttl, set.records.first()?))) {
                Some((alias_ttl, Data::Cname(target))) => {
                    ttl = ttl.min(alias_ttl);
                    name = target.clone();
                }
                _ => return Err(Failure::NoRecord { secure: false }),
            }
        }
        Err(Failure::Trouble(format!("more than {ALIASES_MAX} aliases, or aliases in a circle")))
    }

    /// Whose records answer for a name: its own, or those of the wildcard below the closest name
    /// above it that is there (RFC 4592 §3.3.1).
    fn source(&self, name: &Name) -> Option<Name> {
        if self.names.contains(name) {
            return Some(name.clone());
        }
        let mut closest = name.parent();
        while let Some(above) = closest {
            if self.names.contains(&above) {
                let wildcard = above.wildcard()?;
                return self.names.contains(&wildcard).then_some(wildcard);
            }
            closest = above.parent();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
$TTL 3600
@       MX 10 mx                ; a comment
        MX 10 mx
        TXT \"v=spf1 \" \"-all\"
        DNSKEY 257 3 13 AAAA
mx  60  IN A 192.0.2.1
        A 192.0.2.2
www     CNAME mx
_dmarc  TXT ( \"v=DMARC1; \"
              \"p=none\" )
a.b     TXT x
*.w     MX 0 .
*.w     CNAME www
here.w  A 192.0.2.3
round   CNAME Round
out     CNAME other.test.
$ORIGIN test.
other   AAAA 2001:db8::1
";

    fn zone() -> Zone {
        let mut zone = Zone::default();
        zone.read(TEXT, &Name::parse("example").unwrap()).unwrap();
        zone
    }

    #[test]
    fn a_file_answers() {
        let zone = zone();
        for (name, kind, expected) in [
            (
                "example",
                Kind::Mx,
                "example 3600 [Mx { preference: 10, exchange: Name(\"mx.example\") }]",
            ),
            ("mx.example", Kind::A, "mx.example 60 [A(192.0.2.1), A(192.0.2.2)]"),
            ("WWW.example", Kind::A, "mx.example 60 [A(192.0.2.1), A(192.0.2.2)]"),
            ("www.example", Kind::Cname, "www.example 3600 [Cname(Name(\"mx.example\"))]"),
            ("www.example", Kind::Txt, "the name has no such record"),
            ("out.example", Kind::Aaaa, "other.test 3600 [Aaaa(2001:db8::1)]"),
            ("a.b.example", Kind::Txt, "a.b.example 3600 [Txt([120])]"),
            // A name without records of its own (RFC 4592 §2.2.2), and none.
            ("b.example", Kind::Txt, "the name has no such record"),
            ("c.example", Kind::Txt, "there is no such name"),
            ("else", Kind::Txt, "there is no such name"),
            // Wildcards: several labels, never a name that is there or below one.
            (
                "x.w.example",
                Kind::Mx,
                "x.w.example 3600 [Mx { preference: 0, exchange: Name(\"\") }]",
            ),
            ("y.x.w.example", Kind::A, "mx.example 60 [A(192.0.2.1), A(192.0.2.2)]"),
            ("here.w.example", Kind::Mx, "the name has no such record"),
            ("x.here.w.example", Kind::Mx, "there is no such name"),
            ("w.example", Kind::Mx, "the name has no such record"),
            ("round.example", Kind::A, "more than 10 aliases, or aliases in a circle"),
        ] {
            let found = zone.lookup(&Question { name: Name::parse(name).unwrap(), kind });
            let told = match found {
                Ok(Answer { name, records, ttl, secure: false }) => {
                    format!("{name} {ttl} {records:?}")
                }
                Ok(answer) => panic!("{answer:?}"),
                Err(failure) => failure.to_string(),
            };
            assert_eq!(told, expected, "{name} {}", kind.name());
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (text, expected) in [
            ("a A 192.0.2.1\nb A x\n", "expected IPv4 address"),
            ("a A\n", "1:"),
            ("a\n", "1:"),
            ("$INCLUDE other\n", "one file"),
            ("a TXT \"open", ""),
        ] {
            let fault = Zone::default().read(text, &Name::parse("example").unwrap()).unwrap_err();
            assert!(fault.to_string().contains(expected), "{text:?}: {fault}");
        }
        assert!(Zone::default().read("", &Name::root()).is_ok());
        for origin in [Name::root(), Name::from_labels([&b"\xff."[..], b"x"]).unwrap()] {
            let mut zone = Zone::default();
            zone.read("a A 192.0.2.1", &origin).unwrap();
            let name = Name::from_labels(
                [b"a".to_vec()]
                    .into_iter()
                    .chain(origin.label_bytes())
                    .collect::<Vec<_>>()
                    .iter()
                    .map(Vec::as_slice),
            );
            assert!(zone.lookup(&Question { name: name.unwrap(), kind: Kind::A }).is_ok());
        }
    }
}
