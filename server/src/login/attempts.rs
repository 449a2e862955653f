//! Who has logged in and who has tried to, on the way to the store. Attempts that are alike are
//! counted together here, and the scribe (`server/src/scribe.rs`) brings them to the store some
//! seconds later: no session waits for that, and a thousand guesses are one commit.
//!
//! Names that no account has are not kept: there is no end to them. They stand in the log.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use pillarbox_core::UnixSeconds;
use pillarbox_core::rate::WIDTHS;
use pillarbox_core::wire::network::Network;
use pillarbox_store::{AccountId, Attempt, SUCCEEDED};

/// By which way somebody logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way<'s> {
    /// From where.
    pub(crate) peer: IpAddr,
    /// The connection's id.
    pub(crate) cid: &'s str,
    /// The protocol's name.
    pub(crate) protocol: &'static str,
    /// The mechanism's name.
    pub(crate) mechanism: &'static str,
    /// Under TLS.
    pub(crate) tls: bool,
}

/// Attempts that the store does not have yet.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<BTreeMap<Alike, Last>>);

/// What alike attempts have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    account: AccountId,
    hour: i64,
    network: Network,
    protocol: &'static str,
    mechanism: &'static str,
    tls: bool,
    result: &'static str,
}

/// How many they are, and what is kept of the last of them.
#[derive(Debug)]
struct Last {
    count: u64,
    at: UnixSeconds,
    login: String,
    peer: IpAddr,
    cid: String,
}

impl Attempts {
    /// Counts one in. Where too many wait that are not alike, it is left out: the log has it.
    pub(crate) fn note(
        &self,
        account: AccountId,
        login: &str,
        way: &Way<'_>,
        result: &'static str,
        at: UnixSeconds,
    ) {
        let Way { peer, cid, protocol, mechanism, tls } = *way;
        let (hour, network) = (at.0.div_euclid(3_600), network(peer));
        let alike = Alike { account, hour, network, protocol, mechanism, tls, result };
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX && !waiting.contains_key(&alike) {
            return;
        }
        let count = waiting.get(&alike).map_or(0, |last| last.count);
        let (login, cid) = (login.to_owned(), cid.to_owned());
        waiting.insert(alike, Last { count: count.saturating_add(1), at, login, peer, cid });
    }

    /// Takes all that wait, for the store.
    pub(crate) fn take(&self) -> Vec<Attempt> {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let attempt = |(alike, last): (Alike, Last)| Attempt {
            account: alike.account,
            network: alike.network.to_string(),
            protocol: alike.protocol.into(),
            mechanism: alike.mechanism.into(),
            tls: alike.tls,
            result: alike.result.into(),
            count: last.count,
            last: last.at,
            login: last.login,
            peer: last.peer.to_canonical().to_string(),
            cid: last.cid,
        };
        waiting.into_iter().map(attempt).collect()
    }

    /// Whether one waits that succeeded, of this account and from around there.
    pub(super) fn knows(&self, account: AccountId, peer: IpAddr) -> bool {
        let network = network(peer);
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.keys().any(|alike| {
            (alike.account, alike.network, alike.result) == (account, network, SUCCEEDED)
        })
    }
}

/// What is one place: the network that a customer may have, since a phone changes its address.
pub(super) fn network(peer: IpAddr) -> Network {
    let [_, (v4, v6), _] = WIDTHS;
    let peer = peer.to_canonical();
    Network::around(peer, if peer.is_ipv4() { v4 } else { v6 })
}

/// Each takes some 300 bytes.
const WAITING_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn way(peer: &str) -> Way<'static> {
        let peer = peer.parse().unwrap();
        Way { peer, cid: "c1", protocol: "imap", mechanism: "PLAIN", tls: true }
    }

    #[test]
    fn alike_ones_are_counted_and_taken_once() {
        let attempts = Attempts::default();
        let ann = AccountId(1);
        let note = |peer, result, at| {
            attempts.note(ann, "ann", &way(peer), result, UnixSeconds(at));
        };
        note("192.0.2.1", "wrong", 0);
        note("::ffff:192.0.2.2", "wrong", 3_599);
        note("192.0.2.64", "wrong", 1);
        note("192.0.2.1", "wrong", 3_600);
        note("192.0.2.1", SUCCEEDED, 3_600);
        assert!(attempts.knows(ann, "192.0.2.63".parse().unwrap()));
        assert!(!attempts.knows(ann, "192.0.2.64".parse().unwrap()));
        assert!(!attempts.knows(AccountId(2), "192.0.2.1".parse().unwrap()));
        let taken = attempts.take();
        let rows: Vec<_> = taken
            .iter()
            .map(|row| (&*row.network, &*row.result, row.count, row.last.0, &*row.peer))
            .collect();
        assert_eq!(
            rows,
            [
                ("192.0.2.0/26", "wrong", 2, 3_599, "192.0.2.2"),
                ("192.0.2.64/26", "wrong", 1, 1, "192.0.2.64"),
                ("192.0.2.0/26", "ok", 1, 3_600, "192.0.2.1"),
                ("192.0.2.0/26", "wrong", 1, 3_600, "192.0.2.1"),
            ]
        );
        assert_eq!(attempts.take(), []);
    }

    #[test]
    fn no_more_than_so_many_wait() {
        let attempts = Attempts::default();
        for number in 0..WAITING_MAX + 10 {
            let account = AccountId(i64::try_from(number).unwrap());
            attempts.note(account, "x", &way("::1"), "wrong", UnixSeconds(0));
        }
        attempts.note(AccountId(0), "x", &way("::1"), "wrong", UnixSeconds(0));
        let taken = attempts.take();
        assert_eq!((taken.len(), taken[0].count), (WAITING_MAX, 2));
    }
}
