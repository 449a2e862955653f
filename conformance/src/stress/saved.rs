//! `$`: what a SEARCH has found and the server keeps (RFC 5182).

use std::collections::BTreeSet;

use crate::address::imap::response::Value;

use super::client::{Answer, Client, Stop};
use super::pick::{self, Picked, uid_set};

impl Client<'_> {
    /// Has some messages found, and kept for `$`.
    pub(super) fn save(&mut self) -> Result<(), Stop> {
        let Some(view) = &self.view else { return Ok(()) };
        let picked = pick::some(view, self.record, &mut self.prng);
        let Some(picked) = picked.filter(|_| self.announces("SEARCHRES")) else { return Ok(()) };
        let told = self.prng.once_in(2);
        let (tells, by_uid) = (if told { " ALL" } else { "" }, self.prng.once_in(2));
        let prefix = if by_uid { "UID " } else { "" };
        let (of, set) = (picked.prefix(), &picked.set);
        let command = format!("{prefix}SEARCH RETURN (SAVE{tells}) {of}{set}");
        // RFC 5182 §2.1: what fails leaves nothing.
        self.saved.clear();
        let answer = self.ask(&command)?;
        self.must(&answer, &command)?;
        if !answer.is_ok() {
            return Ok(());
        }
        self.saved.extend(&picked.uids);
        if !told {
            return Ok(());
        }
        let numbers =
            found(&answer).ok_or_else(|| Stop::Wrong(format!("{command}: {answer:?}")))?;
        // By number, none moves before the command has ended; by UID it does not matter.
        let at = |number: &u32| self.uid_at(*number);
        let uids: BTreeSet<u32> =
            if by_uid { numbers } else { numbers.iter().filter_map(at).collect() };
        let mailbox = self.lasting();
        let may_lack = |uid: u32| mailbox.as_ref().is_none_or(|name| self.record.may_go(name, uid));
        let lost = picked.uids.iter().find(|uid| !uids.contains(uid) && !may_lack(**uid));
        let strange = uids.iter().find(|uid| !picked.uids.contains(uid));
        match (lost, strange) {
            (None, None) => Ok(()),
            (Some(uid), _) => Err(Stop::Wrong(format!("{command}: UID {uid} is not found"))),
            (None, Some(uid)) => Err(Stop::Wrong(format!("{command}: UID {uid} is found"))),
        }
    }

    /// Messages that the client knows, now and then those that `$` stands for.
    pub(super) fn some_messages(&mut self) -> Option<Picked> {
        let view = self.view.as_ref()?;
        if !self.saved.is_empty() && self.prng.once_in(3) {
            // RFC 5182 §2.1: who is gone is no longer among them.
            let uids: Vec<u32> =
                self.saved.iter().copied().filter(|uid| view.place_of(*uid).is_some()).collect();
            let letter = |uid: &u32| self.record.letter_of(&view.mailbox, view.validity, *uid);
            let letters: Option<Vec<u64>> = uids.iter().map(letter).collect();
            if let Some(letters) = letters.filter(|letters| !letters.is_empty()) {
                let by_uid = self.prng.once_in(2);
                return Some(Picked { uids, letters, by_uid, set: "$".into() });
            }
        }
        pick::some(view, self.record, &mut self.prng)
    }

    /// The UID of a message, as the client knows it.
    pub(super) fn uid_at(&self, number: u32) -> Option<u32> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        self.view.as_ref()?.seen.get(at)?.uid
    }
}

/// What ALL of an ESEARCH response says (RFC 4731 §3.1): nothing where nothing was found.
fn found(answer: &Answer) -> Option<BTreeSet<u32>> {
    let (_, values) = answer.data.iter().find(|(name, _)| name == "ESEARCH")?;
    let all = values.iter().skip_while(|value| !value.text().eq_ignore_ascii_case("ALL"));
    let Some(set) = all.map(Value::text).nth(1) else { return Some(BTreeSet::new()) };
    Some(uid_set(&set)?.into_iter().collect())
}
