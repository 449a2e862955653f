//! What is known before a message's header: where it comes from, and who says to have sent it.

use std::net::IpAddr;

use pillarbox_core::dns::{Answer, Data, Failure, Kind, Lookup, Name, Question};
use pillarbox_core::flow::{all, both};
use pillarbox_core::spf;

use super::Asker;

/// How many names of an address are looked at (RFC 7208 §4.6.4 has as many for SPF).
const NAMES_MAX: usize = 10;

/// What was found.
#[derive(Debug, Clone)]
pub(in crate::smtp) struct Early {
    pub(in crate::smtp) reverse: Reverse,
    pub(in crate::smtp) spf: spf::Outcome,
    pub(in crate::smtp) sender: Sender,
}

/// Whether the client's address has a name that has the address (RFC 8601 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::smtp) enum Reverse {
    /// This one.
    Pass(Name),
    /// It has names, and none of them has it.
    Fail,
    /// It has none.
    None,
    /// It could not be found out.
    Trouble,
}

/// Whether the sender could get an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::smtp) enum Sender {
    /// As far as is known; so can the null sender.
    Reachable,
    /// Its domain says that it takes no mail (RFC 7505).
    TakesNone,
    /// There is no such domain.
    NoDomain,
    /// Its domain has no host.
    NoHost,
}

/// Looks all of it up, side by side. `domain` is the sender's, if it has one.
pub(super) async fn look(asker: Asker, check: spf::Check, domain: Option<Name>) -> Early {
    let ip = check.client().ip;
    let identity = both(reverse(&asker, ip), spf(&asker, check));
    let ((reverse, spf), sender) = both(identity, sender(&asker, domain)).await;
    Early { reverse, spf, sender }
}

async fn spf(asker: &Asker, mut check: spf::Check) -> spf::Outcome {
    loop {
        match check.step() {
            spf::Step::Ask(question) => check.answered(&asker.look_up(&question).await),
            spf::Step::Done(outcome) => return *outcome,
        }
    }
}

/// RFC 8601 §3.
async fn reverse(asker: &Asker, ip: IpAddr) -> Reverse {
    let question = Question { name: Name::of_address(ip), kind: Kind::Ptr };
    let records = match asker.look_up(&question).await {
        Ok(Answer { records, .. }) => records,
        Err(Failure::Trouble(_)) => return Reverse::Trouble,
        Err(_) => return Reverse::None,
    };
    let kind = if ip.is_ipv4() { Kind::A } else { Kind::Aaaa };
    let names = records.into_iter().filter_map(|record| match record {
        Data::Ptr(name) => Some(name),
        _ => None,
    });
    let names: Vec<Name> = names.take(NAMES_MAX).collect();
    let ask = |name: &Name| {
        let question = Question { name: name.clone(), kind };
        async move { asker.look_up(&question).await }
    };
    let answers = all(names.iter().map(ask)).await;
    if let Some((name, _)) = names.iter().zip(&answers).find(|(_, answer)| has(answer, ip)) {
        return Reverse::Pass(name.clone());
    }
    let trouble = |answer: &Lookup| matches!(answer, Err(Failure::Trouble(_)));
    if answers.iter().any(trouble) { Reverse::Trouble } else { Reverse::Fail }
}

fn has(answer: &Lookup, ip: IpAddr) -> bool {
    answer.as_ref().is_ok_and(|answer| {
        answer.records.iter().any(|record| match record {
            Data::A(address) => IpAddr::V4(*address) == ip,
            Data::Aaaa(address) => IpAddr::V6(*address) == ip,
            _ => false,
        })
    })
}

/// RFC 5321 §5.1: by MX, or else by its addresses.
async fn sender(asker: &Asker, domain: Option<Name>) -> Sender {
    let Some(domain) = domain else { return Sender::Reachable };
    let ask = |kind| {
        let question = Question { name: domain.clone(), kind };
        async move { asker.look_up(&question).await }
    };
    match ask(Kind::Mx).await {
        Ok(Answer { records, .. }) => {
            let none = |record: &Data| matches!(record, Data::Mx { exchange, .. } if exchange.label_count() == 0);
            // RFC 7505 §3: the only one.
            return match records.as_slice() {
                [only] if none(only) => Sender::TakesNone,
                _ => Sender::Reachable,
            };
        }
        Err(Failure::NoName { .. }) => return Sender::NoDomain,
        Err(Failure::Trouble(_)) => return Sender::Reachable,
        Err(Failure::NoRecord { .. }) => {}
    }
    match both(ask(Kind::A), ask(Kind::Aaaa)).await {
        (Err(first), Err(second)) if first.is_void() && second.is_void() => Sender::NoHost,
        _ => Sender::Reachable,
    }
}
