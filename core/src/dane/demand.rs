//! What is asked of DNS about a server, and what follows for TLS with it (RFC 7672 §2).

use super::record::Tlsa;
use crate::dns::{Failure, Kind, Lookup, Name, Question};

/// What DNS demands of TLS with one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Nothing: TLS where it is offered (RFC 7435).
    Opportunistic,
    /// TLS, with whomever: there are records, and none that counts (RFC 7672 §2.2).
    Encrypted,
    /// TLS, and the server has to be who one of these says. Never empty.
    Authenticated(Vec<Tlsa>),
    /// The server is not to be used now: it may be that somebody keeps its records from us
    /// (RFC 7672 §2.1.2). Says why.
    Unknown(String),
}

/// Where the records of a server are to be looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steps {
    /// Nowhere: without signatures on the way to the server there is nothing to hold it to.
    Opportunistic,
    /// At these names, one after the other, until there is an answer with records or a failure that
    /// is none of "no such name" and "no such record". The names that a certificate of usage 2 may
    /// be for begin with the one whose records they are.
    Ask(Vec<Name>),
    /// As [`Demand::Unknown`].
    Unknown(String),
}

impl Steps {
    /// What to do about a server, of which the domain's MX records, if there are any, or else the
    /// domain itself told us. `mx_secure` is whether that was proved (RFC 7672 §2.2.1, §2.2.2), and
    /// `addresses` what was found of its addresses, of both kinds, as far as they were asked for
    /// (RFC 7672 §2.2.3).
    #[must_use]
    pub fn of(host: &Name, mx_secure: bool, addresses: &[&Lookup]) -> Self {
        if !mx_secure {
            return Self::Opportunistic;
        }
        let mut found = false;
        let mut bases = Vec::new();
        for lookup in addresses {
            match lookup {
                Ok(answer) => {
                    // RFC 7672 §2.2.3: without this, servers of names that choke on TLSA would
                    // keep mail from domains that know nothing of DANE.
                    if !answer.secure {
                        return Self::Opportunistic;
                    }
                    found = true;
                    if answer.name != *host && !bases.contains(&answer.name) {
                        bases.push(answer.name.clone());
                    }
                }
                Err(Failure::NoName { .. } | Failure::NoRecord { .. }) => {}
                Err(Failure::Trouble(why)) => return Self::Unknown(why.clone()),
            }
        }
        if !found {
            return Self::Unknown("the server has no address".into());
        }
        // RFC 7672 §2.2.3: first at the end of the aliases, then at the name itself.
        bases.push(host.clone());
        Self::Ask(bases)
    }

    /// The question at one of the names.
    #[must_use]
    pub fn question(base: &Name, port: u16) -> Option<Question> {
        // RFC 6698 §3.
        let name = base.below(&format!("_{port}._tcp")).ok()?;
        Some(Question { name, kind: Kind::Tlsa })
    }
}

impl Demand {
    /// What follows from the last answer of [`Steps::Ask`].
    #[must_use]
    pub fn of(lookup: &Lookup) -> Self {
        match lookup {
            Ok(answer) if !answer.secure => Self::Opportunistic,
            Ok(answer) => {
                let usable = Tlsa::usable_of(&answer.records);
                if usable.is_empty() { Self::Encrypted } else { Self::Authenticated(usable) }
            }
            Err(Failure::NoName { .. } | Failure::NoRecord { .. }) => Self::Opportunistic,
            Err(Failure::Trouble(why)) => Self::Unknown(why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Answer, Data};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn found(at: &str, secure: bool, records: Vec<Data>) -> Lookup {
        Ok(Answer { name: name(at), records, ttl: 60, secure })
    }

    #[test]
    fn what_is_asked_about_a_server() {
        let address = || vec![Data::A([192, 0, 2, 1].into())];
        let good = found("mx.example", true, address());
        let plain = found("mx.example", false, address());
        let alias = found("real.example", true, address());
        let none = Err(Failure::NoRecord { secure: true });
        let trouble = Err(Failure::Trouble("bogus".into()));
        let unknown = |why: &str| Steps::Unknown(why.to_owned());
        let ask = |names: &[&str]| Steps::Ask(names.iter().map(|text| name(text)).collect());
        for (mx_secure, addresses, steps) in [
            (false, vec![&good], Steps::Opportunistic),
            (false, vec![&trouble], Steps::Opportunistic),
            (true, vec![&good], ask(&["mx.example"])),
            (true, vec![&none, &good], ask(&["mx.example"])),
            (true, vec![&alias, &alias], ask(&["real.example", "mx.example"])),
            (true, vec![&plain], Steps::Opportunistic),
            (true, vec![&good, &plain], Steps::Opportunistic),
            (true, vec![&good, &trouble], unknown("bogus")),
            (true, vec![&trouble], unknown("bogus")),
            (true, vec![&none, &none], unknown("the server has no address")),
        ] {
            assert_eq!(Steps::of(&name("mx.example"), mx_secure, &addresses), steps);
        }
        let question = Steps::question(&name("mx.example"), 25).unwrap();
        assert_eq!(question.to_string(), "_25._tcp.mx.example TLSA");
    }

    #[test]
    fn what_is_demanded() {
        let at = "_25._tcp.mx.example";
        let tlsa = |usage, length| Data::Tlsa {
            usage,
            selector: 1,
            matching: 1,
            association: vec![7; length],
        };
        let usable = Tlsa::usable(&tlsa(3, 32)).unwrap();
        for (lookup, demand) in [
            (found(at, true, vec![tlsa(3, 32)]), Demand::Authenticated(vec![usable.clone()])),
            (found(at, true, vec![tlsa(1, 32), tlsa(3, 32)]), Demand::Authenticated(vec![usable])),
            (found(at, true, vec![tlsa(1, 32), tlsa(3, 31)]), Demand::Encrypted),
            (found(at, false, vec![tlsa(3, 32)]), Demand::Opportunistic),
            (Err(Failure::NoName { secure: true }), Demand::Opportunistic),
            (Err(Failure::NoRecord { secure: true }), Demand::Opportunistic),
            (Err(Failure::NoRecord { secure: false }), Demand::Opportunistic),
            (Err(Failure::Trouble("x".into())), Demand::Unknown("x".into())),
        ] {
            assert_eq!(Demand::of(&lookup), demand);
        }
    }
}
