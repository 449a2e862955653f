//! What is counted of a domain in one day.

use std::collections::BTreeMap;

use super::attempt::{Attempt, Failure, Policy};

/// So many policies of a domain are told apart in a day; sessions under others are not counted.
pub const POLICIES_MAX: usize = 100;
/// So many kinds of failures are told apart for each; others are counted in the sum only.
pub const DETAILS_MAX: usize = 200;

/// The sessions with the servers of one domain in one day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Day {
    policies: BTreeMap<Policy, Tally>,
}

/// The sessions under one policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many went well.
    pub successes: u64,
    /// How many did not.
    pub failures: u64,
    /// How many failed in which way; at most [`DETAILS_MAX`].
    pub details: BTreeMap<Failure, u64>,
}

impl Day {
    /// Counts one more session. False where that was not possible, since there are too many
    /// policies.
    pub fn record(&mut self, attempt: Attempt) -> bool {
        let tally = match attempt.failure {
            None => Tally { successes: 1, ..Tally::default() },
            Some(failure) => {
                Tally { failures: 1, details: BTreeMap::from([(failure, 1)]), ..Tally::default() }
            }
        };
        self.add(attempt.policy, tally)
    }

    /// Counts sessions that were counted elsewhere. False as with [`Day::record`].
    pub fn add(&mut self, policy: Policy, tally: Tally) -> bool {
        let full = self.policies.len() >= POLICIES_MAX;
        if full && !self.policies.contains_key(&policy) {
            return false;
        }
        let own = self.policies.entry(policy).or_default();
        own.successes = own.successes.saturating_add(tally.successes);
        own.failures = own.failures.saturating_add(tally.failures);
        for (failure, count) in tally.details {
            if own.details.len() < DETAILS_MAX || own.details.contains_key(&failure) {
                let sum = own.details.entry(failure).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        true
    }

    /// What was counted.
    pub fn policies(&self) -> impl Iterator<Item = (&Policy, &Tally)> {
        self.policies.iter()
    }

    /// Whether nothing was: then no report is due (RFC 8460 §4).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::attempt::ResultType;
    use super::*;

    fn failure(reason: u32) -> Failure {
        Failure { reason: Some(reason.to_string()), ..Failure::new(ResultType::ValidationFailure) }
    }

    #[test]
    fn sessions_are_counted_within_bounds() {
        let mut day = Day::default();
        assert!(day.is_empty());
        let policy = Policy::none("a.example");
        for reason in 0..1_000 {
            let attempt = Attempt { policy: policy.clone(), failure: Some(failure(reason)) };
            assert!(day.record(attempt));
        }
        assert!(day.record(Attempt { policy: policy.clone(), failure: Some(failure(0)) }));
        assert!(day.record(Attempt { policy: policy.clone(), failure: None }));
        let (_, tally) = day.policies().next().unwrap();
        assert_eq!((tally.successes, tally.failures), (1, 1_001));
        assert_eq!(tally.details.len(), DETAILS_MAX);
        assert_eq!(tally.details.get(&failure(0)), Some(&2));
        for number in 0..POLICIES_MAX {
            let policy = Policy::none(&format!("{number}.example"));
            let counted = day.record(Attempt { policy, failure: None });
            assert_eq!(counted, number + 1 < POLICIES_MAX);
        }
        assert!(day.record(Attempt { policy, failure: None }));
    }

    #[test]
    fn sums_add_up() {
        let policy = Policy::none("a.example");
        let (mut one, mut two) = (Day::default(), Day::default());
        for turn in 0..10 {
            let failure = (turn % 3 > 0).then(|| failure(turn % 3));
            let attempt = Attempt { policy: policy.clone(), failure };
            one.record(attempt.clone());
            one.record(attempt.clone());
            two.record(attempt);
        }
        let copy = two.clone();
        for (policy, tally) in copy.policies() {
            two.add(policy.clone(), tally.clone());
        }
        assert_eq!(one, two);
    }
}
