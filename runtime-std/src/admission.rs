//! Who may come in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use pillarbox_core::wire::network::Network;

use crate::lock::lock;
use crate::setup::{Crowded, Limits};
use crate::statistics::Statistics;

/// Counts connections, in all and per address.
#[derive(Debug)]
pub struct Admission {
    connections_max: usize,
    per_address_max: usize,
    uncounted: Vec<Network>,
    statistics: Arc<Statistics>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    per_address: HashMap<IpAddr, usize>,
}

/// A place in the counts, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    key: Option<IpAddr>,
    /// The limit that the connection is above.
    pub crowded: Option<Crowded>,
}

impl Admission {
    /// Nobody has come yet.
    #[must_use]
    pub fn new(limits: &Limits, statistics: Arc<Statistics>) -> Self {
        Self {
            connections_max: limits.connections_max,
            per_address_max: limits.connections_per_address_max,
            uncounted: limits.uncounted.clone(),
            statistics,
            counts: Mutex::default(),
        }
    }

    /// A place for this peer; `None` so far above a limit that not even a refusal is due.
    #[must_use]
    pub fn admit(self: &Arc<Self>, peer: SocketAddr) -> Option<Permit> {
        self.statistics.accepted.add(1);
        let key = self.key(peer.ip());
        let crowded = match self.count(key) {
            Ok(crowded) => crowded,
            Err(FarAbove) => {
                self.statistics.closed_unserved.add(1);
                return None;
            }
        };
        match crowded {
            None => {}
            Some(Crowded::Total) => self.statistics.crowded_total.add(1),
            Some(Crowded::PerAddress) => self.statistics.crowded_per_address.add(1),
        }
        self.statistics.open.add(1);
        Some(Permit { admission: Arc::clone(self), key, crowded })
    }

    fn count(&self, key: Option<IpAddr>) -> Result<Option<Crowded>, FarAbove> {
        let mut counts = lock(&self.counts);
        let here = key.and_then(|key| counts.per_address.get(&key).copied()).unwrap_or(0);
        if counts.total >= hard_max(self.connections_max)
            || (key.is_some() && here >= hard_max(self.per_address_max))
        {
            return Err(FarAbove);
        }
        let crowded = if counts.total >= self.connections_max {
            Some(Crowded::Total)
        } else if key.is_some() && here >= self.per_address_max {
            Some(Crowded::PerAddress)
        } else {
            None
        };
        counts.total += 1;
        if let Some(key) = key {
            counts.per_address.insert(key, here + 1);
        }
        Ok(crowded)
    }

    /// The address under which a peer is counted, if it is.
    fn key(&self, peer: IpAddr) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        match peer {
            _ if self.uncounted.iter().any(|network| network.contains(peer)) => None,
            IpAddr::V4(_) => Some(peer),
            IpAddr::V6(peer) => {
                let [a, b, c, d, ..] = peer.segments();
                Some(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.statistics.open.subtract(1);
        let mut counts = lock(&self.admission.counts);
        counts.total -= 1;
        if let Some(key) = self.key
            && let Some(count) = counts.per_address.get_mut(&key)
        {
            *count -= 1;
            if *count == 0 {
                counts.per_address.remove(&key);
            }
        }
    }
}

struct FarAbove;

/// Up to here connections are let in to be refused.
const fn hard_max(max: usize) -> usize {
    max.saturating_add(max / 8).saturating_add(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(total: usize, per_address: usize, uncounted: &[Network]) -> Arc<Admission> {
        let limits = Limits {
            connections_max: total,
            connections_per_address_max: per_address,
            uncounted: uncounted.to_vec(),
            ..Limits::default()
        };
        Arc::new(Admission::new(&limits, Arc::default()))
    }

    #[test]
    fn limits_hold_at_the_limit_and_one_past_it() {
        let admission = admission(3, 2, &[]);
        let come = |from: &str| {
            admission.admit(SocketAddr::new(from.parse().unwrap(), 1)).map(|permit| {
                let crowded = permit.crowded;
                (permit, crowded)
            })
        };
        let first = come("2001:db8::1").unwrap();
        assert_eq!(first.1, None);
        let second = come("2001:db8::2:0:0:1").unwrap();
        assert_eq!(second.1, None);
        let third = come("2001:db8::3").unwrap();
        assert_eq!(third.1, Some(Crowded::PerAddress));
        assert_eq!(come("2001:db8:0:1::1").unwrap().1, Some(Crowded::Total));
        drop((first, second));
        assert_eq!(come("2001:db8::1").unwrap().1, None);
        drop(third);
        assert_eq!(lock(&admission.counts).total, 0);
        assert!(lock(&admission.counts).per_address.is_empty());
    }

    #[test]
    fn far_above_a_limit_nobody_is_let_in() {
        let admission = admission(1000, 8, &Network::LOOPBACK);
        let peer = "192.0.2.1:1".parse().unwrap();
        let permits: Vec<Permit> = (0..25).filter_map(|_| admission.admit(peer)).collect();
        assert_eq!(permits.len(), 8 + 1 + 16);
        assert!(admission.admit(peer).is_none());
        assert!(admission.admit("[::ffff:192.0.2.1]:1".parse().unwrap()).is_none());
        assert!(admission.admit("192.0.2.2:1".parse().unwrap()).is_some());
    }

    #[test]
    fn loopback_is_exempt_per_address_but_not_in_all() {
        let admission = admission(2, 1, &Network::LOOPBACK);
        let peer = "127.0.0.1:1".parse().unwrap();
        let permits: Vec<_> = (0..3).filter_map(|_| admission.admit(peer)).collect();
        let crowded: Vec<_> = permits.iter().map(|permit| permit.crowded).collect();
        assert_eq!(crowded, [None, None, Some(Crowded::Total)]);
    }
}
