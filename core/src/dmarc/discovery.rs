//! Whose policy it is, and who is of one organization: the DNS tree walk (RFC 9989 §4.10).

use std::collections::BTreeMap;

use super::record::{Policy, Record, SuffixDomain, is_record};
use crate::dns::{Data, Failure, Kind, Lookup, Name, Question};

/// How many labels the longest name has that is asked for on the way up (RFC 9989 §4.10).
const LABELS_MAX: usize = 7;
/// How many domains are looked at beside the author's: those of a message's signatures and of its
/// sender.
const IDENTIFIERS_MAX: usize = 20;

/// A search for policies. It ends after at most eight questions for each domain.
#[derive(Debug, Clone)]
pub struct Discovery {
    author: Name,
    identifiers: Vec<Name>,
    /// What is at the names that have been asked for.
    known: BTreeMap<Name, Place>,
    /// Whether the author's domain is there, once that is known.
    exists: Existence,
}

#[derive(Debug, Clone)]
enum Place {
    /// No policy.
    Nothing,
    /// A record that says nothing that can be understood.
    Broken,
    Policy(Box<Record>),
    /// It could not be found out, and why.
    Trouble(String),
}

/// Whether a name has anything that mail needs (RFC 9989 §3.2.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existence {
    /// Nothing of these kinds so far; the first of them is asked for next.
    Unknown(&'static [Kind]),
    Known(bool),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask this, and tell what came of it by [`Discovery::answered`].
    Ask(Question),
    /// It is known.
    Done(Box<Found>),
}

/// A policy, and where it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// By this domain.
    pub domain: Name,
    /// What it says.
    pub record: Record,
    /// What it wants done with messages of the author's domain that fail, testing or not.
    pub policy: Policy,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The domain in From.
    pub author: Name,
    /// The domain of its organization.
    pub organization: Name,
    /// The policy; `None` if none is published. An error where it could not be found out now.
    pub published: Result<Option<Published>, String>,
    /// Of the identifiers: whether each is of the same organization. An error as above.
    pub related: BTreeMap<Name, Result<bool, String>>,
}

/// What is missing to go on: the answer to a question.
struct Missing(Question);

impl Discovery {
    /// Begins. `identifiers` are all domains that may prove to stand behind the message: of its
    /// signatures, and the one that SPF is asked about. Of more than 20 the rest counts as strangers.
    #[must_use]
    pub fn new(author: Name, mut identifiers: Vec<Name>) -> Self {
        identifiers.truncate(IDENTIFIERS_MAX);
        let exists = Existence::Unknown(&[Kind::A, Kind::Aaaa, Kind::Mx]);
        Self { author, identifiers, known: BTreeMap::new(), exists }
    }

    /// What to do next. The same until it is answered.
    pub fn step(&mut self) -> Step {
        match self.find() {
            Ok(found) => Step::Done(Box::new(found)),
            Err(Missing(question)) => Step::Ask(question),
        }
    }

    /// Takes the answer to a question.
    pub fn answered(&mut self, question: &Question, lookup: &Lookup) {
        if question.kind != Kind::Txt {
            let Existence::Unknown([_, rest @ ..]) = self.exists else { return };
            self.exists = match (lookup, rest) {
                // What cannot be looked up is taken to be there: the milder policy.
                (Ok(_) | Err(Failure::Trouble(_)), _) => Existence::Known(true),
                (Err(Failure::NoName { .. }), _) | (_, []) => Existence::Known(false),
                (Err(Failure::NoRecord { .. }), rest) => Existence::Unknown(rest),
            };
            return;
        }
        self.known.insert(question.name.clone(), Place::of(lookup));
    }

    fn find(&self) -> Result<Found, Missing> {
        let own = self.policy_at(&self.author)?;
        let way = self.walk(&self.author)?;
        let trouble = |way: &Way<'_>| way.trouble.clone();
        let organization = way.organization(&self.author);
        let published = match own {
            Place::Trouble(why) => Err(why.clone()),
            Place::Policy(record) => Ok(Some(Published {
                domain: self.author.clone(),
                policy: record.policy,
                record: (**record).clone(),
            })),
            // RFC 7489 §6.6.3: then nothing is done by DMARC.
            Place::Broken => Ok(None),
            Place::Nothing => match (way.published(&organization), trouble(&way)) {
                // What is nearer could not be read.
                (_, Some(why)) => Err(why),
                (None, None) => Ok(None),
                (Some((domain, record)), None) => {
                    let policy = self.policy_below(record)?;
                    Ok(Some(Published { domain, policy, record: record.clone() }))
                }
            },
        };
        let mut related = BTreeMap::new();
        if matches!(published, Ok(Some(_))) {
            for identifier in &self.identifiers {
                let verdict = self.is_related(identifier, &organization, trouble(&way))?;
                related.insert(identifier.clone(), verdict);
            }
        }
        Ok(Found { author: self.author.clone(), organization, published, related })
    }

    /// Whether a domain is of this organization, which is the author's as far as is known.
    fn is_related(
        &self,
        identifier: &Name,
        organization: &Name,
        trouble: Option<String>,
    ) -> Result<Result<bool, String>, Missing> {
        if *identifier == self.author {
            return Ok(Ok(true));
        }
        if let Some(why) = trouble {
            return Ok(Err(why));
        }
        // Only what lies within it can be of it: strangers cost no questions.
        if !identifier.is_within(organization) {
            return Ok(Ok(false));
        }
        let way = self.walk(identifier)?;
        Ok(match &way.trouble {
            Some(why) => Err(why.clone()),
            None => Ok(way.organization(identifier) == *organization),
        })
    }

    /// What a record says of the author's domain that lies below it.
    fn policy_below(&self, record: &Record) -> Result<Policy, Missing> {
        let there = record.subdomains.unwrap_or(record.policy);
        let Some(nonexistent) = record.nonexistent.filter(|policy| *policy != there) else {
            return Ok(there);
        };
        match self.exists {
            Existence::Known(true) | Existence::Unknown([]) => Ok(there),
            Existence::Known(false) => Ok(nonexistent),
            Existence::Unknown([kind, ..]) => {
                Err(Missing(Question { name: self.author.clone(), kind: *kind }))
            }
        }
    }

    fn policy_at(&self, domain: &Name) -> Result<&Place, Missing> {
        // Where the name would be too long, nothing is published.
        let Ok(name) = domain.below("_dmarc") else { return Ok(&Place::Nothing) };
        match self.known.get(&name) {
            Some(place) => Ok(place),
            None => Err(Missing(Question { name, kind: Kind::Txt })),
        }
    }

    /// Goes up from a domain until a record says where to stop (RFC 9989 §4.10).
    fn walk(&self, from: &Name) -> Result<Way<'_>, Missing> {
        let mut way = Way { policies: Vec::new(), trouble: None };
        let mut next = Some(from.clone());
        while let Some(domain) = next {
            match self.policy_at(&domain)? {
                Place::Nothing | Place::Broken => {}
                Place::Trouble(why) => {
                    way.trouble.get_or_insert_with(|| why.clone());
                }
                Place::Policy(record) => {
                    way.policies.push((domain.clone(), record));
                    let ends = match record.suffix {
                        SuffixDomain::No => true,
                        SuffixDomain::Yes => domain != *from,
                        SuffixDomain::Unknown => false,
                    };
                    if ends {
                        break;
                    }
                }
            }
            next = domain.parent();
            while next.as_ref().is_some_and(|name| name.label_count() > LABELS_MAX) {
                next = next.and_then(|name| name.parent());
            }
        }
        Ok(way)
    }
}

/// The policies on the way up, the nearest first.
struct Way<'d> {
    policies: Vec<(Name, &'d Record)>,
    /// The first thing that could not be read.
    trouble: Option<String>,
}

impl Way<'_> {
    /// The domain of the organization (RFC 9989 §4.10.2).
    fn organization(&self, from: &Name) -> Name {
        let Some((last, record)) = self.policies.last() else { return from.clone() };
        if record.suffix != SuffixDomain::Yes || last == from {
            return last.clone();
        }
        // The one below it on the way.
        let below = from.label_count().saturating_sub(last.label_count() + 1);
        (0..below).try_fold(from.clone(), |name, _| name.parent()).unwrap_or_else(|| from.clone())
    }

    /// The policy for a domain without one of its own: that of its organization, or of the suffix
    /// above it (RFC 9989 §4.10.1).
    fn published(&self, organization: &Name) -> Option<(Name, &Record)> {
        let of_organization = self.policies.iter().find(|(domain, _)| domain == organization);
        let of_suffix = || {
            let last = self.policies.last();
            last.filter(|(_, record)| record.suffix == SuffixDomain::Yes)
        };
        of_organization.or_else(of_suffix).map(|(domain, record)| (domain.clone(), *record))
    }
}

impl Place {
    fn of(lookup: &Lookup) -> Self {
        let records = match lookup {
            Ok(answer) => answer.records.as_slice(),
            Err(Failure::Trouble(why)) => return Self::Trouble(why.clone()),
            Err(_) => return Self::Nothing,
        };
        let mut texts = records.iter().filter_map(|record| match record {
            Data::Txt(text) if is_record(text) => Some(text),
            _ => None,
        });
        // RFC 9989 §4.10: of several none counts.
        match (texts.next(), texts.next()) {
            (Some(text), None) => {
                Record::parse(text).map_or(Self::Broken, |record| Self::Policy(Box::new(record)))
            }
            _ => Self::Nothing,
        }
    }
}
