//! Which servers take a domain's mail (RFC 5321 §5.1, RFC 7505).

use super::chance::shuffle;
use crate::Random;
use crate::dns::{Data, Failure, Lookup, Name};

/// Of one domain, so many servers are tried.
pub const HOSTS_MAX: usize = 20;

/// Where the mail of a domain goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To these servers.
    Hosts(Hosts),
    /// Nowhere: the domain takes no mail (RFC 7505 §3). Final: 5.1.10 (RFC 7505 §4.2).
    NullMx,
    /// Nowhere: there is no such domain. Final: 5.1.2.
    NoDomain,
    /// Nowhere: the domain says who takes its mail, and none of these can be used. Final: 5.4.4.
    Unusable,
    /// To us, who do not know the domain (RFC 5321 §5.1). Final: 5.4.6.
    Loop,
    /// That cannot be found out now; says why. To be tried later: 4.4.3.
    Later(String),
}

/// Servers in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// At least one, [`HOSTS_MAX`] at most.
    pub names: Vec<Name>,
    /// Whether DNS proved that these are the ones (RFC 7672 §2.2.1).
    pub secure: bool,
    /// Whether the domain itself is its server, for want of MX records (RFC 5321 §5.1).
    pub implicit: bool,
}

impl Route {
    /// What a domain's MX records say. `own` are the names of this server: it never hands a message
    /// on to itself, nor to a server that is no nearer than itself (RFC 5321 §5.1).
    #[must_use]
    pub fn of(domain: &Name, lookup: &Lookup, own: &[Name], random: &mut dyn Random) -> Self {
        match lookup {
            Ok(answer) => {
                let mut records: Vec<_> = answer.records.iter().filter_map(mx).collect();
                if let [(_, only)] = &*records
                    && **only == Name::root()
                {
                    return Self::NullMx;
                }
                // RFC 7505 §3 wants it alone; beside others it is no server.
                records.retain(|(_, name)| **name != Name::root() && name.is_plain());
                if records.is_empty() {
                    return Self::Unusable;
                }
                Self::to(records, answer.secure, own, random)
            }
            Err(Failure::NoRecord { .. }) if own.contains(domain) => Self::Loop,
            Err(Failure::NoRecord { secure }) => {
                Self::Hosts(Hosts { names: vec![domain.clone()], secure: *secure, implicit: true })
            }
            Err(Failure::NoName { .. }) => Self::NoDomain,
            Err(Failure::Trouble(why)) => Self::Later(why.clone()),
        }
    }

    fn to(
        mut records: Vec<(u16, &Name)>,
        secure: bool,
        own: &[Name],
        random: &mut dyn Random,
    ) -> Self {
        let ours = records.iter().filter(|(_, name)| own.contains(name));
        if let Some(nearest) = ours.map(|(preference, _)| *preference).min() {
            records.retain(|(preference, _)| *preference < nearest);
        }
        // The order in which they come may be the resolver's: it must not decide.
        records.sort_unstable();
        shuffle(&mut records, random);
        records.sort_by_key(|(preference, _)| *preference);
        let mut names: Vec<Name> = Vec::new();
        for (_, name) in records {
            if names.len() < HOSTS_MAX && !names.contains(name) {
                names.push(name.clone());
            }
        }
        if names.is_empty() {
            return Self::Loop;
        }
        Self::Hosts(Hosts { names, secure, implicit: false })
    }
}

const fn mx(data: &Data) -> Option<(u16, &Name)> {
    match data {
        Data::Mx { preference, exchange } => Some((*preference, exchange)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::chance::Counter;
    use super::*;
    use crate::dns::Answer;

    fn name(text: &str) -> Name {
        if text == "." { Name::root() } else { Name::parse(text).unwrap() }
    }

    fn found(records: &str) -> Lookup {
        let record = |text: &str| {
            let (preference, host) = text.split_once(' ').unwrap();
            Data::Mx { preference: preference.parse().unwrap(), exchange: name(host) }
        };
        let records = records.split(", ").map(record).collect();
        Ok(Answer { name: name("a.example"), records, ttl: 60, secure: true })
    }

    fn words(route: &Route) -> String {
        match route {
            Route::Hosts(hosts) => {
                hosts.names.iter().map(Name::as_str).collect::<Vec<_>>().join(" ")
            }
            Route::Later(why) => format!("later: {why}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn routes() {
        let own = [name("us.example"), name("also.example")];
        for (lookup, expected) in [
            (found("20 c.example, 10 B.example, 30 d.example"), "b.example c.example d.example"),
            (found("10 b.example, 20 b.example"), "b.example"),
            (found("0 ."), "NullMx"),
            (found("10 ."), "NullMx"),
            (found("0 ., 10 b.example"), "b.example"),
            (found("0 ., 0 ."), "Unusable"),
            // This server is in the list.
            (found("10 b.example, 20 us.example, 30 c.example"), "b.example"),
            (found("10 b.example, 20 us.example, 5 also.example"), "Loop"),
            (found("10 b.example, 20 us.example, 15 also.example, 15 c.example"), "b.example"),
            (found("10 us.example, 10 b.example"), "Loop"),
            (Err(Failure::NoRecord { secure: true }), "a.example"),
            (Err(Failure::NoName { secure: true }), "NoDomain"),
            (Err(Failure::Trouble("x".into())), "later: x"),
        ] {
            let route = Route::of(&name("a.example"), &lookup, &own, &mut Counter(1));
            assert_eq!(words(&route), expected, "{lookup:?}");
        }
        let nothing = Err(Failure::NoRecord { secure: false });
        let us = Route::of(&name("us.example"), &nothing, &own, &mut Counter(1));
        assert_eq!(us, Route::Loop);
        let implicit = Route::of(&name("a.example"), &nothing, &own, &mut Counter(1));
        let Route::Hosts(hosts) = implicit else { panic!() };
        assert!(hosts.implicit && !hosts.secure);
    }

    #[test]
    fn names_that_no_host_has_are_no_servers() {
        let strange = Name::from_labels([&b"a b"[..], b"example"]).unwrap();
        let record = |exchange: &Name| Data::Mx { preference: 1, exchange: exchange.clone() };
        let mut answer = Answer {
            name: name("a.example"),
            records: vec![record(&strange)],
            ttl: 60,
            secure: false,
        };
        let route = |answer: &Answer| {
            words(&Route::of(&name("a.example"), &Ok(answer.clone()), &[], &mut Counter(1)))
        };
        assert_eq!(route(&answer), "Unusable");
        answer.records.push(record(&name("b.example")));
        assert_eq!(route(&answer), "b.example");
    }

    #[test]
    fn chance_decides_among_equals_only() {
        let lookup = found("10 b.example, 10 c.example, 10 d.example, 5 first.example");
        let mut random = Counter(9);
        let mut seen: Vec<_> = (0..200)
            .map(|_| words(&Route::of(&name("a.example"), &lookup, &[], &mut random)))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 6, "every order of three");
        assert!(seen.iter().all(|order| order.starts_with("first.example ")));
    }

    proptest::proptest! {
        #[test]
        fn nobody_is_tried_twice_or_out_of_order(
            records in proptest::collection::vec((0_u16..5, 0_u8..40), 1..60),
            own in 0_u8..60,
            seed in proptest::num::u64::ANY,
        ) {
            let host = |number: u8| name(&format!("h{number}.example"));
            let data = records.iter().map(|(preference, number)| Data::Mx {
                preference: *preference,
                exchange: host(*number),
            });
            let lookup = Ok(Answer {
                name: name("a.example"),
                records: data.collect(),
                ttl: 60,
                secure: false,
            });
            let best = |number: &Name| {
                let of = records.iter().filter(|(_, own)| host(*own) == *number);
                of.map(|(preference, _)| *preference).min()
            };
            let own = host(own);
            let limit = best(&own).unwrap_or(u16::MAX);
            match Route::of(&name("a.example"), &lookup, &[own], &mut Counter(seed)) {
                Route::Hosts(Hosts { names, .. }) => {
                    proptest::prop_assert!((1..=HOSTS_MAX).contains(&names.len()));
                    let order: Vec<_> = names.iter().map(|name| best(name).unwrap()).collect();
                    proptest::prop_assert!(order.is_sorted());
                    proptest::prop_assert!(order.iter().all(|preference| *preference < limit));
                    let mut unique = names.clone();
                    unique.sort_unstable();
                    unique.dedup();
                    proptest::prop_assert_eq!(unique.len(), names.len());
                }
                Route::Loop => {
                    proptest::prop_assert!(records.iter().all(|(preference, _)| *preference >= limit));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
