//! STORE of messages that nobody has changed meanwhile (RFC 7162 §3.1.3).

use std::collections::BTreeSet;

use super::changes::fetched_with;
use super::client::{Answer, Client, Stop};
use super::pick::{Picked, uid_set};

impl Client<'_> {
    /// Changes its own keyword, where nobody has changed the message since a MODSEQ.
    pub(super) fn store_if_unchanged(&mut self) -> Result<(), Stop> {
        let Some(picked) = self.some_messages() else { return Ok(()) };
        let known: Option<Vec<u64>> = picked.uids.iter().map(|uid| self.modseq(*uid)).collect();
        let Some(known) = known.filter(|_| self.counts_changes()) else { return self.store() };
        let (least, most) =
            known.iter().fold((u64::MAX, 0), |(a, b), one| (a.min(*one), b.max(*one)));
        let since = match self.prng.below(4) {
            0 => least.saturating_sub(1),
            1 => least,
            _ => most,
        };
        let (adds, silent) = (self.prng.once_in(2), self.prng.once_in(2));
        let (sign, quiet) = (if adds { "+" } else { "-" }, if silent { ".SILENT" } else { "" });
        let (prefix, set, keyword) = (picked.prefix(), &picked.set, self.keyword());
        let command =
            format!("{prefix}STORE {set} (UNCHANGEDSINCE {since}) {sign}FLAGS{quiet} ({keyword})");
        let mailbox = self.lasting();
        let name = mailbox.as_deref().unwrap_or_default();
        let own = |uid: &u32| self.record.own(name, *uid, self.index);
        let before: Vec<Option<bool>> = picked.uids.iter().map(own).collect();
        if mailbox.is_some() {
            self.record.set_own(name, &picked.uids, self.index, None);
        }
        // Dovecot tells nothing of what it need not change; the examples of the RFC do.
        let flags = [keyword];
        let idle = |uid: &&u32| !self.plan.target.ours && self.is_so(**uid, sign, &flags);
        let untold: BTreeSet<u32> = picked.uids.iter().filter(idle).copied().collect();
        let answer = self.ask(&command)?;
        let may_lack = |uid: u32| mailbox.as_ref().is_none_or(|name| self.record.may_go(name, uid));
        if !answer.is_ok() {
            let excused = picked.uids.iter().any(|uid| may_lack(*uid));
            return if excused { Ok(()) } else { self.must(&answer, &command) };
        }
        let left = self.left_alone(&answer, &picked, &command)?;
        let heard = fetched_with(&answer, "MODSEQ");
        for ((uid, known), own) in picked.uids.iter().zip(known).zip(before) {
            let is_left = left.contains(uid);
            // What is gone is neither changed nor must it be named.
            if !is_left && known > since && !may_lack(*uid) {
                return Err(Stop::Wrong(format!("{command}: UID {uid} had MODSEQ {known}")));
            }
            if !is_left && !heard.contains(uid) && !untold.contains(uid) && !may_lack(*uid) {
                return Err(Stop::Wrong(format!("{command}: no MODSEQ of UID {uid}")));
            }
            if mailbox.is_some() && !may_lack(*uid) {
                let now = if is_left { own } else { Some(adds) };
                self.record.set_own(name, &[*uid], self.index, now);
            }
        }
        if silent {
            let told = fetched_with(&answer, "FLAGS");
            self.assume(&picked, sign, &flags, &told.union(&left).copied().collect());
        }
        self.were_changed(&left, since, &command)
    }

    /// Those that MODIFIED names: by UID where the command did so, else by number.
    fn left_alone(
        &self,
        answer: &Answer,
        picked: &Picked,
        command: &str,
    ) -> Result<BTreeSet<u32>, Stop> {
        let mut left = BTreeSet::new();
        for values in answer.all_of("MODIFIED") {
            let set = values.first().and_then(|value| uid_set(&value.text())).unwrap_or_default();
            for number in set {
                let uid = if picked.by_uid { Some(number) } else { self.uid_at(number) };
                match uid.filter(|uid| picked.uids.contains(uid)) {
                    Some(uid) => left.insert(uid),
                    None => return Err(Stop::Wrong(format!("{command}: MODIFIED {number}"))),
                };
            }
        }
        Ok(left)
    }

    /// Who is named as changed was changed: its new MODSEQ is told at the latest with the next
    /// command.
    fn were_changed(
        &mut self,
        left: &BTreeSet<u32>,
        since: u64,
        command: &str,
    ) -> Result<(), Stop> {
        if left.is_empty() {
            return Ok(());
        }
        let answer = self.ask("NOOP")?;
        self.must(&answer, "NOOP")?;
        match left.iter().find(|uid| self.modseq(**uid).is_some_and(|modseq| modseq <= since)) {
            Some(uid) => Err(Stop::Wrong(format!("{command}: UID {uid} was not changed"))),
            None => Ok(()),
        }
    }

    /// The MODSEQ of a message, as far as the client was told.
    fn modseq(&self, uid: u32) -> Option<u64> {
        let view = self.view.as_ref()?;
        view.seen.get(view.place_of(uid)?)?.modseq
    }
}
