//! What was found out a moment ago.

use std::collections::BTreeMap;
use std::mem::size_of;
use std::time::Duration;

use super::{Answer, Data, Lookup, Question};
use crate::Moment;

/// For how long records are remembered at most, in seconds: who has made a mistake of years wants
/// to mend it.
const RECORDS_MAX: u32 = 24 * 60 * 60;
/// And for how long that there are none (RFC 2308 §5).
const NOTHING_MAX: u32 = 3 * 60 * 60;

/// Answers, and that there are none, for as long as they hold. When it is full, what nobody has
/// asked for lately is forgotten.
#[derive(Debug)]
pub struct Cache {
    /// Asked for lately, and before that.
    recent: BTreeMap<Question, Entry>,
    older: BTreeMap<Question, Entry>,
    recent_bytes: usize,
    /// Of each of the two.
    bytes_max: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    lookup: Lookup,
    until: Moment,
    bytes: usize,
}

impl Cache {
    /// Holds about as many bytes as this.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            recent: BTreeMap::new(),
            older: BTreeMap::new(),
            recent_bytes: 0,
            bytes_max: bytes_max / 2,
        }
    }

    /// What is known, with the time for which it still holds.
    pub fn look(&mut self, now: Moment, question: &Question) -> Option<Lookup> {
        if let Some(entry) = self.older.remove(question) {
            self.insert(question.clone(), entry);
        }
        let entry = self.recent.get(question)?;
        let left = entry.until.since(now);
        if left == Duration::ZERO {
            if let Some(entry) = self.recent.remove(question) {
                self.recent_bytes = self.recent_bytes.saturating_sub(entry.bytes);
            }
            return None;
        }
        let left = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
        Some(entry.lookup.clone().map(|answer| Answer { ttl: answer.ttl.min(left), ..answer }))
    }

    /// Remembers for so many seconds, at most a day, and that there is nothing at most three hours.
    pub fn keep(&mut self, now: Moment, question: &Question, lookup: &Lookup, seconds: u32) {
        let most = if lookup.is_ok() { RECORDS_MAX } else { NOTHING_MAX };
        let seconds = seconds.min(most);
        let bytes = size(question, lookup);
        // One that takes much of it would drive out many.
        if seconds == 0 || bytes > self.bytes_max / 4 {
            return;
        }
        self.older.remove(question);
        let until = now + Duration::from_secs(seconds.into());
        self.insert(question.clone(), Entry { lookup: lookup.clone(), until, bytes });
    }

    fn insert(&mut self, question: Question, entry: Entry) {
        if self.recent_bytes + entry.bytes > self.bytes_max {
            self.older = std::mem::take(&mut self.recent);
            self.recent_bytes = 0;
        }
        self.recent_bytes += entry.bytes;
        if let Some(before) = self.recent.insert(question, entry) {
            self.recent_bytes = self.recent_bytes.saturating_sub(before.bytes);
        }
    }

    /// Forgets all: other servers are asked from now on.
    pub fn clear(&mut self) {
        *self = Self::new(self.bytes_max * 2);
    }
}

/// About how many bytes an entry takes.
fn size(question: &Question, lookup: &Lookup) -> usize {
    let base = size_of::<Question>() + size_of::<Entry>() + question.name.as_str().len();
    base + match lookup {
        Err(failure) => failure.to_string().len(),
        Ok(answer) => {
            let records = answer.records.iter().map(Data::size);
            answer.name.as_str().len() + records.sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dns::{Failure, Kind, Name};

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    fn question(number: u32) -> Question {
        Question { name: Name::parse(&format!("n{number}.example")).unwrap(), kind: Kind::Txt }
    }

    fn answer(text: &[u8], ttl: u32) -> Lookup {
        let records = vec![Data::Txt(text.to_vec())];
        Ok(Answer { name: question(1).name, records, ttl, secure: true })
    }

    #[test]
    fn what_is_known_ends() {
        let mut cache = Cache::new(1 << 16);
        let nothing = Err(Failure::NoName { secure: false });
        let days = 7 * RECORDS_MAX;
        for (lookup, seconds, last) in [
            (answer(b"a", 60), 60, Some(59)),
            (answer(b"a", days), days, Some(RECORDS_MAX - 1)),
            (nothing.clone(), 60, Some(59)),
            (nothing, days, Some(NOTHING_MAX - 1)),
            (answer(b"a", 0), 0, None),
        ] {
            cache.clear();
            cache.keep(at(10), &question(1), &lookup, seconds);
            let found = |cache: &mut Cache, seconds: u32| {
                cache.look(at(10 + u64::from(seconds)), &question(1))
            };
            assert_eq!(found(&mut cache, 0).is_some(), last.is_some());
            if let Some(last) = last {
                let found_late = found(&mut cache, last).unwrap();
                assert_eq!(found_late.is_ok(), lookup.is_ok());
                if let Ok(answer) = found_late {
                    assert_eq!(answer.ttl, 1, "what is left of it");
                }
                assert_eq!(found(&mut cache, last + 1), None);
            }
        }
    }

    #[test]
    fn what_is_asked_for_stays() {
        let mut cache = Cache::new(1 << 14);
        for number in 0..1_000 {
            cache.keep(at(0), &question(number), &answer(b"text", 60), 60);
            assert!(cache.look(at(1), &question(0)).is_some(), "after {number} others");
        }
        assert!(cache.look(at(1), &question(999)).is_some());
        assert!(cache.look(at(1), &question(500)).is_none());
        cache.keep(at(0), &question(0), &answer(&[b'x'; 5_000], 60), 60);
        assert_eq!(cache.look(at(1), &question(0)), answer(b"text", 59).into(), "too large");
    }

    proptest! {
        #[test]
        fn it_never_holds_more(
            work in prop::collection::vec((0..200_u32, 0..3_000_usize, 0..100_u64), 0..300)
        ) {
            let mut cache = Cache::new(20_000);
            for (number, length, moment) in work {
                cache.keep(at(moment), &question(number), &answer(&vec![0; length], 9), 9);
                let _known = cache.look(at(moment), &question(number / 2));
                let bytes = |all: &BTreeMap<Question, Entry>| -> usize {
                    all.values().map(|entry| entry.bytes).sum()
                };
                prop_assert_eq!(bytes(&cache.recent), cache.recent_bytes);
                prop_assert!(bytes(&cache.recent) + bytes(&cache.older) <= 20_000);
            }
        }
    }
}
