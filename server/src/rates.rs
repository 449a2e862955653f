//! How much may come from one network: connections, messages and their bytes, failed logins.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pillarbox_core::Moment;
use pillarbox_core::rate::{Allowance, Meter, Rate, TooMuch};
use pillarbox_core::wire::network::Network;
use pillarbox_store::AccountId;
use ring::digest::{SHA256, digest};

/// What the configuration says: each for one address (IPv6: its /64), for the /26 around it
/// (IPv6: /48), and for the /21 (IPv6: /32).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowances {
    /// Connections a minute.
    pub connections: [u64; 3],
    /// Messages an hour, from those who have not logged in.
    pub messages: [u64; 3],
    /// MiB of such messages an hour.
    pub megabytes: [u64; 3],
    /// Failed logins in ten minutes.
    pub failed_logins: [u64; 3],
    /// Failed logins to one account in an hour, from all networks together but those that are known
    /// to be its owner's.
    pub failed_logins_per_account: u64,
    /// Networks that are not counted; this machine's own addresses never are.
    pub exempt: Vec<Network>,
}

impl Default for Allowances {
    fn default() -> Self {
        Self {
            connections: [300, 900, 2_700],
            messages: [1_000, 3_000, 9_000],
            megabytes: [1_000, 3_000, 9_000],
            failed_logins: [10, 30, 90],
            failed_logins_per_account: 100,
            exempt: Vec::new(),
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Connection,
    Message,
    Bytes,
    FailedLogin,
}

/// What all sessions count in together.
#[derive(Debug)]
pub(crate) struct Rates {
    counts: Mutex<Counts>,
    per_account: Allowance,
    exempt: Vec<Network>,
}

#[derive(Debug)]
struct Counts {
    connections: Rate,
    messages: Rate,
    bytes: Rate,
    failed_logins: Rate,
    accounts: Meter<Subject>,
}

/// Whose failed logins are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Account(AccountId),
    /// A name that no account has: the beginning of its hash.
    Nobody([u8; 16]),
}

impl Subject {
    /// A name that no account has.
    pub(crate) fn nobody(name: &str) -> Self {
        let mut start = [0; 16];
        let hash = digest(&SHA256, name.as_bytes());
        for (to, from) in start.iter_mut().zip(hash.as_ref()) {
            *to = *from;
        }
        Self::Nobody(start)
    }
}

impl Rates {
    pub(crate) fn new(allowances: &Allowances) -> Self {
        let rate = |amounts: [u64; 3], window| {
            Rate::new(amounts.map(|amount| Allowance { amount, window }), NETWORKS_MAX)
        };
        let counts = Counts {
            connections: rate(allowances.connections, MINUTE),
            messages: rate(allowances.messages, MINUTE * 60),
            bytes: rate(allowances.megabytes.map(|mib| mib.saturating_mul(1 << 20)), MINUTE * 60),
            failed_logins: rate(allowances.failed_logins, MINUTE * 10),
            accounts: Meter::new(NETWORKS_MAX),
        };
        let per_account =
            Allowance { amount: allowances.failed_logins_per_account, window: MINUTE * 60 };
        let exempt = Network::LOOPBACK.iter().chain(&allowances.exempt).copied().collect();
        Self { counts: Mutex::new(counts), per_account, exempt }
    }

    /// Counts it, unless it is too much.
    pub(crate) fn take(
        &self,
        what: What,
        now: Moment,
        from: IpAddr,
        amount: u64,
    ) -> Result<(), Refused> {
        self.with(what, from, |rate| rate.take(now, from, amount))
            .unwrap_or(Ok(()))
            .map_err(Refused)
    }

    /// Whether it would be too much.
    pub(crate) fn allows(
        &self,
        what: What,
        now: Moment,
        from: IpAddr,
        amount: u64,
    ) -> Result<(), Refused> {
        let allowed = self.with(what, from, |rate| rate.allows(now, from, amount));
        allowed.unwrap_or(Ok(())).map_err(Refused)
    }

    /// Counts what has happened already.
    pub(crate) fn charge(&self, what: What, now: Moment, from: IpAddr, amount: u64) {
        self.with(what, from, |rate| rate.charge(now, from, amount));
    }

    /// Whether one more failed login to an account would be allowed that comes from there; if not,
    /// how long it will not be.
    pub(crate) fn allows_account(
        &self,
        now: Moment,
        from: IpAddr,
        subject: Subject,
    ) -> Result<(), Duration> {
        if self.exempts(from) {
            return Ok(());
        }
        let wait = self.lock().accounts.wait(now, subject, self.per_account, 1);
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    /// Counts a failed login to an account.
    pub(crate) fn charge_account(&self, now: Moment, from: IpAddr, subject: Subject) {
        if !self.exempts(from) {
            self.lock().accounts.charge(now, subject, self.per_account, 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is counted that comes from there.
    pub(crate) fn exempts(&self, from: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(from))
    }

    /// `None` for those that are not counted.
    fn with<T>(&self, what: What, from: IpAddr, work: impl FnOnce(&mut Rate) -> T) -> Option<T> {
        if self.exempts(from) {
            return None;
        }
        let mut counts = self.lock();
        Some(work(match what {
            What::Connection => &mut counts.connections,
            What::Message => &mut counts.messages,
            What::Bytes => &mut counts.bytes,
            What::FailedLogin => &mut counts.failed_logins,
        }))
    }
}

/// More than a network may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) TooMuch);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooMuch { network, wait } = self.0;
        write!(f, "from {network}, try again in {} seconds", wait.as_secs() + 1)
    }
}

/// Twice as many networks are remembered for each kind: some 16 MiB in all under attack.
const NETWORKS_MAX: usize = 32_768;
const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_counted_and_friends_are_not() {
        let exempt = vec!["192.0.2.0/24".parse().unwrap()];
        let rates =
            Rates::new(&Allowances { failed_logins: [2, 9, 9], exempt, ..Allowances::default() });
        let now = Moment::START + MINUTE;
        for (from, strangers) in [("198.51.100.7", true), ("192.0.2.7", false), ("::1", false)] {
            let from: IpAddr = from.parse().unwrap();
            for _ in 0..2 {
                assert_eq!(rates.allows(What::FailedLogin, now, from, 1), Ok(()));
                rates.charge(What::FailedLogin, now, from, 1);
            }
            let third = rates.allows(What::FailedLogin, now, from, 1);
            assert_eq!(third.is_err(), strangers, "{from}");
            assert_eq!(rates.take(What::Connection, now, from, 1), Ok(()), "counted apart");
        }
        let refused = rates.allows(What::FailedLogin, now, "198.51.100.7".parse().unwrap(), 1);
        let text = refused.unwrap_err().to_string();
        assert_eq!(text, "from 198.51.100.7/32, try again in 301 seconds");
    }
}
