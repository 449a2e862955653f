//! What a client that comes back is told to be gone (RFC 7162 §3.2.5, §3.2.6).

use super::grammar::Sample;
use super::view::View;

/// Of the UIDs that are `gone`, those that a client is told of in `VANISHED (EARLIER)`: among those
/// that it asks about, above those that it is known to know, and not shown. What is shown and gone
/// is for [`View::tell`]. All ranges ascend and have both ends in them.
#[must_use]
pub fn vanished_earlier(
    view: &View,
    gone: &[(u32, u32)],
    asked: Option<&[(u32, u32)]>,
    known_up_to: u32,
) -> Vec<(u32, u32)> {
    let above = [(known_up_to.saturating_add(1), u32::MAX)];
    if known_up_to == u32::MAX {
        return Vec::new();
    }
    let gone = common(gone, &above);
    let gone = match asked {
        Some(asked) => common(&gone, asked),
        None => gone,
    };
    let shown: Vec<_> = view.within_uids(&gone).iter().map(super::view::Stretch::uids).collect();
    without(&gone, &shown)
}

/// Up to which UID the client knows what is gone, by its sample of numbers and UIDs: those of a
/// message are the same as in the view only if no other below it has gone since (RFC 7162
/// §3.2.5.2). 0 if nothing matches. The sample is looked at from its end.
#[must_use]
pub fn known_up_to(view: &View, sample: &Sample) -> u32 {
    let mut pairs = Vec::new();
    let (mut numbers, mut uids) = (sample.numbers.iter(), sample.uids.iter());
    let (mut number, mut uid) = (numbers.next().copied(), uids.next().copied());
    // Runs in which both ascend by one.
    while let (Some((n, n_last)), Some((u, u_last))) = (number, uid) {
        let more = (n_last - n).min(u_last - u);
        pairs.push((n, u, more));
        number =
            if n_last - n > more { Some((n + more + 1, n_last)) } else { numbers.next().copied() };
        uid = if u_last - u > more { Some((u + more + 1, u_last)) } else { uids.next().copied() };
    }
    let matches = |number: u32, uid: u32| view.uid_at(number) == Some(uid);
    for (number, uid, more) in pairs.into_iter().rev() {
        if !matches(number, uid) {
            continue;
        }
        // Within the run those that match come first.
        let (mut fits, mut beyond) = (0, more.saturating_add(1));
        while beyond - fits > 1 {
            let middle = fits + (beyond - fits) / 2;
            if matches(number + middle, uid + middle) {
                fits = middle;
            } else {
                beyond = middle;
            }
        }
        return uid + fits;
    }
    0
}

/// What lies in both. Walks both once.
fn common(one: &[(u32, u32)], other: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    let mut others = other.iter().copied().peekable();
    for (first, last) in one.iter().copied() {
        while let Some((from, to)) = others.peek().copied() {
            let (begin, end) = (from.max(first), to.min(last));
            if begin <= end {
                found.push((begin, end));
            }
            if to > last {
                break;
            }
            others.next();
        }
    }
    found
}

/// The same without those, which lie within it. Walks both once.
fn without(ranges: &[(u32, u32)], gone: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut left = Vec::new();
    let mut gone = gone.iter().copied().peekable();
    for (first, last) in ranges.iter().copied() {
        let mut next = Some(first);
        while let Some((from, to)) = gone.next_if(|(from, _)| *from <= last) {
            if let Some(next) = next.filter(|next| *next < from) {
                left.push((next, from - 1));
            }
            next = to.checked_add(1);
        }
        left.extend(next.filter(|next| *next <= last).map(|next| (next, last)));
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(numbers: &[(u32, u32)], uids: &[(u32, u32)]) -> Sample {
        Sample { numbers: numbers.to_vec(), uids: uids.to_vec() }
    }

    /// RFC 7162 §3.2.5.2: the fourth message has UID 8, and the twelfth 25.
    #[test]
    fn a_sample_says_what_is_known() {
        let view = View::new([1, 3, 7, 8, 10, 11, 15, 16, 17, 18, 20, 25], 1);
        assert_eq!(known_up_to(&view, &sample(&[(4, 4), (12, 12)], &[(8, 8), (24, 24)])), 8);
        assert_eq!(known_up_to(&view, &sample(&[(4, 5)], &[(8, 8), (10, 10)])), 10);
        // A run of which the beginning matches.
        assert_eq!(known_up_to(&view, &sample(&[(7, 11)], &[(15, 19)])), 18);
        assert_eq!(known_up_to(&view, &sample(&[(1, u32::MAX)], &[(1, u32::MAX)])), 1);
        assert_eq!(known_up_to(&view, &sample(&[(2, 3)], &[(2, 2)])), 0);
        assert_eq!(known_up_to(&View::new([], 1), &sample(&[(1, 1)], &[(1, 1)])), 0);
    }

    #[test]
    fn what_is_gone_is_told_within_what_is_asked() {
        let view = View::new([2, 9, 117], 1);
        let gone = [(1, 1), (3, 8), (10, 116), (118, 540)];
        assert_eq!(vanished_earlier(&view, &gone, None, 0), gone);
        let asked = [(41, 211), (214, 541)];
        let told = [(41, 116), (118, 211), (214, 540)];
        assert_eq!(vanished_earlier(&view, &gone, Some(&asked), 0), told);
        assert_eq!(vanished_earlier(&view, &gone, Some(&asked), 150), [(151, 211), (214, 540)]);
        // Gone meanwhile, but shown: that is told otherwise.
        assert_eq!(vanished_earlier(&view, &[(1, 10)], None, 0), [(1, 1), (3, 8), (10, 10)]);
        assert!(vanished_earlier(&view, &gone, None, u32::MAX).is_empty());
    }

    proptest! {
        #[test]
        fn told_is_what_is_gone_asked_and_not_shown(
            shown in proptest::collection::btree_set(1_u32..40, 0..20),
            gone in proptest::collection::btree_set(1_u32..40, 0..40),
            asked in proptest::collection::btree_set(1_u32..40, 0..40),
            known in 0_u32..40,
        ) {
            let view = View::new(shown.iter().copied(), 1);
            let runs = |set: &std::collections::BTreeSet<u32>| -> Vec<(u32, u32)> {
                set.iter().map(|uid| (*uid, *uid)).collect()
            };
            let told = vanished_earlier(&view, &runs(&gone), Some(&runs(&asked)), known);
            let told: Vec<u32> = told.iter().flat_map(|(from, to)| *from..=*to).collect();
            let expected = gone.iter().filter(|uid| {
                asked.contains(uid) && !shown.contains(uid) && **uid > known
            });
            prop_assert_eq!(told, expected.copied().collect::<Vec<_>>());
        }
    }
}
