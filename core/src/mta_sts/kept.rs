//! What is kept of a domain's policy, and which policy counts (RFC 8461 §3.3, §5.1).

use super::policy::Policy;
use super::record::{Published, Record};
use crate::UnixSeconds;

/// After so many seconds a policy is fetched again although it holds still (RFC 8461 §10.2): who
/// keeps the way to a new one shut would have to do so for a policy's whole life.
pub const REFRESH_SECONDS: i64 = 86_400;
/// For so many seconds after a fetch that failed none is begun (RFC 8461 §3.3).
pub const FETCH_PAUSE_SECONDS: i64 = 300;

/// A policy that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The id that the record had then.
    pub id: String,
    /// The policy.
    pub policy: Policy,
    /// When it was fetched.
    pub fetched: UnixSeconds,
}

/// What is to be done before mail goes to a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan<'a> {
    /// The policy that counts, unless a fetch brings another one. It may say [`Mode::None`], which
    /// is as good as no policy.
    ///
    /// [`Mode::None`]: super::Mode::None
    pub policy: Option<&'a Policy>,
    /// Whether one is to be fetched.
    pub fetch: Fetch,
}

/// Whether a policy is to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// No.
    No,
    /// Yes, and mail need not wait for it.
    Beside,
    /// Yes, before mail goes out.
    First,
}

impl Kept {
    /// Until when it holds.
    #[must_use]
    pub fn expires(&self) -> UnixSeconds {
        let max_age = i64::try_from(self.policy.max_age).unwrap_or(i64::MAX);
        UnixSeconds(self.fetched.0.saturating_add(max_age))
    }

    fn holds(&self, now: UnixSeconds) -> bool {
        now < self.expires()
    }
}

/// Judges what is kept of a domain beside what is published. `failed` is when a fetch failed last.
///
/// A policy that holds still counts whatever DNS says: who can suppress the record could else have
/// mail sent without TLS (RFC 8461 §10.2).
#[must_use]
pub fn plan<'a>(
    published: &Published,
    kept: Option<&'a Kept>,
    failed: Option<UnixSeconds>,
    now: UnixSeconds,
) -> Plan<'a> {
    let kept = kept.filter(|kept| kept.holds(now));
    let policy = kept.map(|kept| &kept.policy);
    let paused = failed
        .is_some_and(|failed| (0..FETCH_PAUSE_SECONDS).contains(&now.0.saturating_sub(failed.0)));
    let fetch = match (published, kept) {
        _ if paused => Fetch::No,
        (Published::Record(record), Some(kept)) if record.id == kept.id => {
            let old = now.0.saturating_sub(kept.fetched.0) >= REFRESH_SECONDS;
            if old { Fetch::Beside } else { Fetch::No }
        }
        (Published::Record(_), _) => Fetch::First,
        (Published::Nothing | Published::Unknown, _) => Fetch::No,
    };
    Plan { policy, fetch }
}

/// What is kept after a fetch: the policy that it brought, else the one before while it holds
/// (RFC 8461 §3.3).
#[must_use]
pub fn after_fetch(
    kept: Option<Kept>,
    record: &Record,
    fetched: Option<Policy>,
    now: UnixSeconds,
) -> Option<Kept> {
    match fetched {
        Some(policy) => Some(Kept { id: record.id.clone(), policy, fetched: now }),
        None => kept.filter(|kept| kept.holds(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::Mode;
    use super::*;

    const DAY: i64 = 86_400;

    fn kept(id: &str, fetched: i64) -> Kept {
        let policy = Policy { mode: Mode::Enforce, max_age: 604_800, mx: Vec::new() };
        Kept { id: id.to_owned(), policy, fetched: UnixSeconds(fetched) }
    }

    #[test]
    fn which_policy_counts_and_what_is_fetched() {
        let record = |id: &str| Published::Record(Record { id: id.to_owned() });
        let (nothing, unknown) = (Published::Nothing, Published::Unknown);
        // Published; what is kept, of which day; the day of a failure; today: what counts, what is
        // fetched.
        for (published, mine, failed, now, counts, fetch) in [
            (&nothing, None, None, 0, false, Fetch::No),
            (&unknown, None, None, 0, false, Fetch::No),
            (&record("1"), None, None, 0, false, Fetch::First),
            (&record("1"), None, Some(0), 299, false, Fetch::No),
            (&record("1"), None, Some(0), 300, false, Fetch::First),
            // A clock that was set back does not stop fetching.
            (&record("1"), None, Some(9_999), 0, false, Fetch::First),
            (&record("1"), Some(("1", 0)), None, DAY - 1, true, Fetch::No),
            (&record("1"), Some(("1", 0)), None, DAY, true, Fetch::Beside),
            (&record("1"), Some(("1", 0)), Some(DAY), DAY + 1, true, Fetch::No),
            (&record("2"), Some(("1", 0)), None, 1, true, Fetch::First),
            (&record("2"), Some(("1", 0)), Some(0), 1, true, Fetch::No),
            (&nothing, Some(("1", 0)), None, 6 * DAY, true, Fetch::No),
            (&unknown, Some(("1", 0)), None, 6 * DAY, true, Fetch::No),
            (&nothing, Some(("1", 0)), None, 7 * DAY, false, Fetch::No),
            (&record("1"), Some(("1", 0)), None, 7 * DAY, false, Fetch::First),
        ] {
            let mine = mine.map(|(id, fetched)| kept(id, fetched));
            let failed = failed.map(UnixSeconds);
            let plan = plan(published, mine.as_ref(), failed, UnixSeconds(now));
            assert_eq!((plan.policy.is_some(), plan.fetch), (counts, fetch), "{published:?} {now}");
        }
    }

    #[test]
    fn a_fetch_that_fails_changes_nothing_while_the_policy_holds() {
        let record = Record { id: "2".into() };
        let old = kept("1", 0);
        let new = Kept { id: "2".into(), ..kept("1", 9) };
        for (before, fetched, now, after) in [
            (None, None, 9, None),
            (None, Some(old.policy.clone()), 9, Some(&new)),
            (Some(&old), Some(old.policy.clone()), 9, Some(&new)),
            (Some(&old), None, 9, Some(&old)),
            (Some(&old), None, 7 * DAY, None),
        ] {
            let found = after_fetch(before.cloned(), &record, fetched, UnixSeconds(now));
            assert_eq!(found.as_ref(), after);
        }
    }
}
