//! Names that this machine knows by itself.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

use super::{Answer, Data, Failure, Kind, Lookup, Name, Question};

/// For how long what stands in a file holds, in seconds: until it is asked for again.
const TTL: u32 = 0;

/// The addresses in `/etc/hosts`: for whoever connects to a name. What is to be proved by DNS, such as
/// who may send for a domain, is not asked there: Debian's file gives the machine's own name an
/// address that nobody else knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts {
    addresses: BTreeMap<Name, Vec<IpAddr>>,
}

impl Hosts {
    /// Reads `/etc/hosts`: an address and its names in each line. What cannot be read is passed
    /// over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut hosts = Self::default();
        for line in text.lines() {
            let line = line.split_once('#').map_or(line, |(line, _)| line);
            let mut words = line.split_ascii_whitespace();
            let Some(Ok(ip)) = words.next().map(str::parse::<IpAddr>) else { continue };
            for name in words.filter_map(|word| Name::parse(word).ok()) {
                let addresses = hosts.addresses.entry(name).or_default();
                if !addresses.contains(&ip) {
                    addresses.push(ip);
                }
            }
        }
        hosts
    }

    /// The addresses of a name; `None` where DNS is to be asked. Nothing of it is proved.
    #[must_use]
    pub fn look(&self, question: &Question) -> Option<Lookup> {
        let Question { name, kind: kind @ (Kind::A | Kind::Aaaa) } = question else { return None };
        // Who has put one of its addresses there does not want the other to be used.
        self.addresses.get(name).map(|addresses| answer(name, of_kind(*kind, addresses)))
    }
}

/// What is so everywhere, so that no server is asked: `localhost` and what is below it has addresses
/// of this machine and nothing else (RFC 6761 §6.3), below `invalid` there is nothing
/// (RFC 6761 §6.4). `None` for all other names.
#[must_use]
pub fn reserved(question: &Question) -> Option<Lookup> {
    match question.name.labels().next_back() {
        Some("localhost") => Some(answer(&question.name, of_kind(question.kind, &LOOPBACK))),
        Some("invalid") => Some(Err(Failure::NoName { secure: false })),
        _ => None,
    }
}

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

fn of_kind(kind: Kind, addresses: &[IpAddr]) -> Vec<Data> {
    let data = |ip: &IpAddr| match (kind, ip) {
        (Kind::A, IpAddr::V4(ip)) => Some(Data::A(*ip)),
        (Kind::Aaaa, IpAddr::V6(ip)) => Some(Data::Aaaa(*ip)),
        _ => None,
    };
    addresses.iter().filter_map(data).collect()
}

fn answer(name: &Name, records: Vec<Data>) -> Lookup {
    if records.is_empty() {
        return Err(Failure::NoRecord { secure: false });
    }
    Ok(Answer { name: name.clone(), records, ttl: TTL, secure: false })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dns::{SERVERS_MAX, Settings, Zone};

    proptest! {
        /// Files of the machine, whatever is in them.
        #[test]
        fn any_text_is_read(
            words in prop::collection::vec(
                prop_oneof![
                    "[ -~\t\n\u{e9}]{0,8}",
                    prop::sample::select(vec![
                        "192.0.2.1", "::1", "a.example", "nameserver", "options", "timeout:9", "\n",
                        "$ORIGIN", "$TTL", "@", "IN", "A", "TXT", "MX", "CNAME", "\"", "(", ")", "\\",
                    ])
                    .prop_map(str::to_owned),
                ],
                0..60,
            ),
            between in prop::sample::select(vec![" ", "", "\n"]),
        ) {
            let text = words.join(between);
            let hosts = Hosts::parse(&text);
            let question = Question { name: Name::parse("a.example").unwrap(), kind: Kind::A };
            let _known = hosts.look(&question);
            let settings = Settings::from_resolv_conf(&text);
            prop_assert!((1..=SERVERS_MAX).contains(&settings.servers.len()));
            let mut zone = Zone::default();
            let _fault = zone.read(&text, &Name::parse("example").unwrap());
            let _known = zone.lookup(&question);
        }
    }

    #[test]
    fn the_machine_knows_some_names() {
        let hosts = Hosts::parse(
            "# 192.0.2.9 no\n192.0.2.1\tMX.example mx # the relay\n\
             2001:db8::1 mx2.example\n192.0.2.2 mx.example\n192.0.2.1 mx.example\nx y\n\n\
             192.0.2.3 0.0.0.0 b@d\n",
        );
        for (name, kind, expected) in [
            ("mx.example", Kind::A, "[A(192.0.2.1), A(192.0.2.2)]"),
            ("mx.example", Kind::Aaaa, "the name has no such record"),
            ("mx.example", Kind::Mx, "-"),
            ("mx", Kind::A, "[A(192.0.2.1)]"),
            ("mx2.example", Kind::Aaaa, "[Aaaa(2001:db8::1)]"),
            ("1.2.0.192.in-addr.arpa", Kind::Ptr, "-"),
            ("no", Kind::A, "-"),
            ("localhost", Kind::A, "[A(127.0.0.1)]"),
            ("a.localhost", Kind::Aaaa, "[Aaaa(::1)]"),
            ("localhost", Kind::Mx, "the name has no such record"),
            ("localhost.example", Kind::A, "-"),
            ("a.invalid", Kind::Txt, "there is no such name"),
        ] {
            let question = Question { name: Name::parse(name).unwrap(), kind };
            let found = hosts.look(&question).or_else(|| reserved(&question));
            let told = match found {
                Some(Ok(answer)) => format!("{:?}", answer.records),
                Some(Err(failure)) => failure.to_string(),
                None => "-".to_owned(),
            };
            assert_eq!(told, expected, "{name} {}", kind.name());
        }
    }
}
