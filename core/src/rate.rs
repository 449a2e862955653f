//! How much comes from an address and from the networks around it, and whether that is too much.
//!
//! Abuse moves from one address to the next of the same network, so each event is counted three
//! times: for the address, for the network that one customer may have, and for a larger one
//! ([`WIDTHS`]). What each may do is an [`Allowance`]: so much at once, and no more than that in
//! its window, refilled evenly (a leaky bucket, kept as one moment: the generic cell rate
//! algorithm of ITU-T I.371).
//!
//! An event costs the same whatever came before it. The table has a bound: where more networks are
//! seen than it holds, those that were not seen for the longest time are forgotten, which errs on
//! the side of letting them in.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::Moment;
use crate::wire::network::Network;

/// How wide the three networks around an address are, in bits: IPv4 and IPv6.
pub const WIDTHS: [(u8, u8); 3] = [(32, 64), (26, 48), (21, 32)];

/// What one network may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// So much within the window, all of it at once if it likes. 0: nothing at all.
    pub amount: u64,
    /// After which it may do as much again.
    pub window: Duration,
}

/// It was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch {
    /// Of the networks around the address, the first that has used up what it may do.
    pub network: Network,
    /// After this long it will have been refilled so far that the same would be allowed, if nothing
    /// else comes.
    pub wait: Duration,
}

/// Counts one kind of event for networks.
#[derive(Debug)]
pub struct Rate {
    allowances: [Allowance; 3],
    meter: Meter<Network>,
}

/// Counts one kind of event for whatever has a key.
#[derive(Debug)]
pub struct Meter<K> {
    /// When each will have been refilled: nothing is owed from there on. Those seen lately and
    /// those seen before that.
    recent: BTreeMap<K, Moment>,
    older: BTreeMap<K, Moment>,
    /// As many in each of the two.
    keys_max: usize,
}

impl<K: Ord + Copy> Meter<K> {
    /// Nothing has come yet; at most twice `keys_max` keys are remembered, those that were seen
    /// last.
    #[must_use]
    pub fn new(keys_max: usize) -> Self {
        let (recent, older) = (BTreeMap::new(), BTreeMap::new());
        Self { recent, older, keys_max }
    }

    /// How long until `amount` would be allowed, if nothing else comes; zero where it is.
    #[must_use]
    pub fn wait(&self, now: Moment, key: K, allowance: Allowance, amount: u64) -> Duration {
        (self.owed(now, key).saturating_add(allowance.cost(amount)))
            .saturating_sub(allowance.window)
    }

    /// Counts `amount` whether or not it is allowed.
    pub fn charge(&mut self, now: Moment, key: K, allowance: Allowance, amount: u64) {
        // What is owed beyond two windows makes no difference: it would only be waited for.
        let owed = self.owed(now, key).saturating_add(allowance.cost(amount));
        let until = now + owed.min(allowance.window * 2);
        if self.recent.len() >= self.keys_max && !self.recent.contains_key(&key) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key, until);
    }

    /// How long until the key is refilled.
    fn owed(&self, now: Moment, key: K) -> Duration {
        let until = self.recent.get(&key).or_else(|| self.older.get(&key));
        until.map_or(Duration::ZERO, |until| until.since(now))
    }
}

impl Rate {
    /// Nothing has come yet. `allowances` are for the three [`WIDTHS`]; at most twice
    /// `networks_max` networks are remembered, at some 60 bytes each.
    #[must_use]
    pub fn new(allowances: [Allowance; 3], networks_max: usize) -> Self {
        Self { allowances, meter: Meter::new(networks_max.max(3)) }
    }

    /// Counts `amount`, unless it is more than any of the three networks may do: then it is not
    /// counted anywhere, so that trying again costs nothing.
    ///
    /// # Errors
    /// Which network it was.
    pub fn take(&mut self, now: Moment, from: IpAddr, amount: u64) -> Result<(), TooMuch> {
        self.allows(now, from, amount)?;
        self.charge(now, from, amount);
        Ok(())
    }

    /// Whether [`take`](Self::take) would be allowed.
    ///
    /// # Errors
    /// Which network it was.
    pub fn allows(&self, now: Moment, from: IpAddr, amount: u64) -> Result<(), TooMuch> {
        for (network, allowance) in around(from).zip(self.allowances) {
            let wait = self.meter.wait(now, network, allowance, amount);
            if wait > Duration::ZERO {
                return Err(TooMuch { network, wait });
            }
        }
        Ok(())
    }

    /// Counts `amount` whether or not it is allowed: for what is known only afterwards, such as a
    /// failed login.
    pub fn charge(&mut self, now: Moment, from: IpAddr, amount: u64) {
        for (network, allowance) in around(from).zip(self.allowances) {
            self.meter.charge(now, network, allowance, amount);
        }
    }
}

impl Allowance {
    /// How much of the window an amount takes.
    fn cost(self, amount: u64) -> Duration {
        let window = self.window.as_nanos();
        let nanos = window.saturating_mul(amount.into()) / u128::from(self.amount.max(1));
        let whole = if self.amount == 0 { window.saturating_add(1) } else { nanos };
        Duration::from_nanos(u64::try_from(whole).unwrap_or(u64::MAX))
    }
}

fn around(from: IpAddr) -> impl Iterator<Item = Network> {
    let from = from.to_canonical();
    WIDTHS
        .into_iter()
        .map(move |(v4, v6)| Network::around(from, if from.is_ipv4() { v4 } else { v6 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn rate(amounts: [u64; 3]) -> Rate {
        Rate::new(amounts.map(|amount| Allowance { amount, window: MINUTE }), 100)
    }

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn so_much_at_once_then_evenly() {
        let mut rate = rate([6, 100, 100]);
        let from = ip("192.0.2.1");
        for _ in 0..6 {
            assert_eq!(rate.take(at(0), from, 1), Ok(()));
        }
        let network = Network::around(from, 32);
        let wait = Duration::from_secs(10);
        assert_eq!(rate.take(at(0), from, 1), Err(TooMuch { network, wait }));
        assert_eq!(rate.take(at(9), from, 1).unwrap_err().wait, Duration::from_secs(1));
        assert_eq!(rate.take(at(10), from, 1), Ok(()));
        assert!(rate.take(at(10), from, 1).is_err());
        assert_eq!(rate.take(at(70), from, 6), Ok(()));
        assert!(rate.take(at(70), from, 1).is_err());
        assert_eq!(rate.take(at(500), from, 6), Ok(()));
        assert!(rate.take(at(900), from, 7).is_err(), "never more than all of it");
    }

    #[test]
    fn neighbours_share() {
        let mut rate = rate([2, 3, 5]);
        for (from, allowed) in [
            ("192.0.2.1", true),
            ("192.0.2.1", true),
            ("192.0.2.1", false),
            ("192.0.2.2", true),
            ("192.0.2.3", false),
            ("192.0.2.64", true),
            ("::ffff:192.0.3.1", true),
            ("192.0.7.255", false),
            ("192.0.8.1", true),
            ("2001:db8::1", true),
            ("2001:db8::ffff", true),
            ("2001:db8::2", false),
            ("2001:db8:0:1::1", true),
            ("2001:db8:0:2::1", false),
            ("2001:db8:1::1", true),
        ] {
            assert_eq!(rate.take(at(1), ip(from), 1).is_ok(), allowed, "{from}");
        }
    }

    #[test]
    fn what_is_refused_is_not_counted_and_what_is_charged_is() {
        let mut rate = rate([2, 9, 9]);
        let from = ip("192.0.2.1");
        for _ in 0..50 {
            assert!(rate.take(at(0), from, 3).is_err());
        }
        assert_eq!(rate.allows(at(0), from, 2), Ok(()));
        for _ in 0..50 {
            rate.charge(at(0), from, 1);
        }
        assert!(rate.allows(at(60), from, 1).is_err());
        assert_eq!(rate.allows(at(120), from, 2), Ok(()));
    }

    #[test]
    fn nothing_may_be_nothing() {
        let mut rate = rate([0, 9, 9]);
        assert!(rate.take(at(0), ip("192.0.2.1"), 1).is_err());
        assert!(rate.take(at(900), ip("192.0.2.1"), 1).is_err());
    }

    #[test]
    fn the_table_has_a_bound_and_forgets_the_oldest() {
        let mut rate = Rate::new([Allowance { amount: 1, window: MINUTE }; 3], 30);
        let from = |number: u8| ip(&format!("10.{number}.0.1"));
        for number in 0..200 {
            rate.charge(at(0), from(number), 1);
            assert!(rate.meter.recent.len() <= 30 && rate.meter.older.len() <= 30);
        }
        assert!(rate.allows(at(0), from(199), 1).is_err());
        assert_eq!(rate.allows(at(0), from(0), 1), Ok(()));
    }

    proptest! {
        /// However events come: within any window no more than twice the amount passes, and what
        /// is told to wait for is true.
        #[test]
        fn bounds_hold(
            amount in 1..20_u64,
            events in prop::collection::vec((0..30_u64, 1..4_u64), 1..200),
        ) {
            let mut rate = rate([amount, 1_000_000, 1_000_000]);
            let (from, mut now, mut passed) = (ip("192.0.2.1"), 0, Vec::new());
            for (later, much) in events {
                now += later;
                match rate.take(at(now), from, much) {
                    Ok(()) => passed.push((now, much)),
                    Err(TooMuch { wait, .. }) if much <= amount => {
                        prop_assert!(rate.allows(at(now) + wait, from, much).is_ok());
                        let before = wait.saturating_sub(Duration::from_nanos(1));
                        prop_assert!(rate.allows(at(now) + before, from, much).is_err());
                    }
                    Err(_) => {}
                }
            }
            for (index, (start, _)) in passed.iter().enumerate() {
                let within = passed[index..].iter().filter(|(at, _)| at - start < 60);
                prop_assert!(within.map(|(_, much)| much).sum::<u64>() <= 2 * amount);
            }
        }
    }
}
