//! What changes messages: STORE, COPY and MOVE.

use std::collections::BTreeSet;

use crate::address::imap::response::Value;
use crate::address::keeper::quoted;

use super::client::{Answer, Client, Stop};
use super::pick::{Picked, uid_set};
use super::record::{Claim, may_replace};
use super::view::item;

const SYSTEM: [&str; 4] = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft"];

impl Client<'_> {
    pub(super) fn some_flag(&mut self) -> String {
        let place = self.prng.below(SYSTEM.len() + 3);
        SYSTEM.get(place).map_or_else(|| format!("stress-k{}", place - 4), |name| (*name).into())
    }

    /// Gives `\Deleted` to messages, or takes it away.
    pub(super) fn mark(&mut self) -> Result<(), Stop> {
        let Some(picked) = self.some_messages() else { return Ok(()) };
        if let Some(mailbox) = self.lasting() {
            self.record.doom(&mailbox, &picked.uids, true);
        }
        let sign = if self.prng.once_in(6) { "-" } else { "+" };
        let flags = ["\\Deleted".to_owned()];
        self.store_flags(&picked, sign, &flags)
    }

    /// Changes flags that do no harm.
    pub(super) fn store(&mut self) -> Result<(), Stop> {
        let Some(picked) = self.some_messages() else { return Ok(()) };
        if self.prng.once_in(2) {
            return self.store_own(&picked);
        }
        let sign = if picked.uids.iter().all(|uid| may_replace(*uid)) && self.prng.once_in(2) {
            ""
        } else {
            ["+", "-"].get(self.prng.below(2)).copied().unwrap_or("+")
        };
        let flags = [self.some_flag(), self.some_flag()];
        self.store_flags(&picked, sign, &flags)
    }

    /// Changes the keyword that only this client changes.
    fn store_own(&mut self, picked: &Picked) -> Result<(), Stop> {
        let adds = self.prng.once_in(2);
        let mailbox = self.lasting();
        if let Some(mailbox) = &mailbox {
            self.record.set_own(mailbox, &picked.uids, self.index, None);
        }
        let flags = [self.keyword()];
        self.store_flags(picked, if adds { "+" } else { "-" }, &flags)?;
        if let Some(mailbox) = &mailbox {
            // One that is gone meanwhile is passed over (RFC 2180 §4.2), and may still be read.
            let stays = |uid: &u32| !self.record.may_go(mailbox, *uid);
            let uids: Vec<u32> = picked.uids.iter().copied().filter(stays).collect();
            self.record.set_own(mailbox, &uids, self.index, Some(adds));
        }
        Ok(())
    }

    fn store_flags(&mut self, picked: &Picked, sign: &str, flags: &[String]) -> Result<(), Stop> {
        let silent = self.prng.once_in(2);
        let item = if silent { ".SILENT" } else { "" };
        let (prefix, set) = (picked.prefix(), &picked.set);
        let command = format!("{prefix}STORE {set} {sign}FLAGS{item} ({})", flags.join(" "));
        let answer = self.ask(&command)?;
        let told: BTreeSet<u32> = fetched_with(&answer, "FLAGS");
        let mailbox = self.lasting();
        let may_lack = |uid: u32| mailbox.as_ref().is_none_or(|name| self.record.may_go(name, uid));
        if !answer.is_ok() {
            let excused = picked.uids.iter().any(|uid| may_lack(*uid));
            return if excused { Ok(()) } else { self.must(&answer, &command) };
        }
        if silent {
            self.assume(picked, sign, flags, &told);
            return Ok(());
        }
        // What changes nothing need not be told.
        let untold = |uid: &&u32| !told.contains(uid) && !may_lack(**uid);
        match picked.uids.iter().filter(untold).find(|uid| !self.is_so(**uid, sign, flags)) {
            Some(uid) => Err(Stop::Wrong(format!("{command}: nothing about UID {uid}"))),
            None => Ok(()),
        }
    }

    /// Whether the client knows a message to have flags as if they had been stored just so.
    pub(super) fn is_so(&self, uid: u32, sign: &str, flags: &[String]) -> bool {
        let seen = self.view.as_ref().and_then(|view| view.seen.get(view.place_of(uid)?));
        let Some(known) = seen.and_then(|seen| seen.flags.as_ref()) else { return false };
        let mut flags = flags.iter().map(|flag| flag.to_ascii_lowercase());
        match sign {
            "+" => flags.all(|flag| known.contains(&flag)),
            "-" => !flags.any(|flag| known.contains(&flag)),
            _ => *known == flags.collect(),
        }
    }

    /// RFC 3501 §6.4.6: in silence a client takes flags to be what it has made them.
    pub(super) fn assume(
        &mut self,
        picked: &Picked,
        sign: &str,
        flags: &[String],
        told: &BTreeSet<u32>,
    ) {
        let Some(view) = &mut self.view else { return };
        let flags: BTreeSet<String> = flags.iter().map(|flag| flag.to_ascii_lowercase()).collect();
        for seen in &mut view.seen {
            let meant = |uid: u32| picked.uids.contains(&uid) && !told.contains(&uid);
            if let (Some(uid), Some(known)) = (seen.uid, &mut seen.flags)
                && meant(uid)
            {
                match sign {
                    "+" => known.extend(flags.clone()),
                    "-" => known.retain(|flag| !flags.contains(flag)),
                    _ => known.clone_from(&flags),
                }
            }
        }
    }

    /// COPY or MOVE.
    pub(super) fn transfer(&mut self, verb: &str) -> Result<(), Stop> {
        let moves = verb == "MOVE";
        let Some(picked) = self.some_messages() else { return Ok(()) };
        if moves && !self.announces("MOVE") {
            return Ok(());
        }
        let from = self.lasting();
        let to = self.some_mailbox();
        let onto_itself = self.view.as_ref().is_some_and(|view| view.mailbox == to);
        if onto_itself && self.plan.moves_are_copies {
            return Ok(());
        }
        let floor = self.record.floor(&to);
        if let (Some(from), true) = (&from, moves) {
            self.record.doom(from, &picked.uids, false);
        }
        self.record.doubt(&picked.letters);
        let (prefix, set) = (picked.prefix(), &picked.set);
        let command = format!("{prefix}{verb} {set} {}", quoted(&to));
        let answer = self.ask(&command)?;
        if !answer.is_ok() {
            // RFC 3501 §6.4.7: a COPY that fails leaves nothing; of MOVE some may be done.
            if !moves {
                self.record.settle(&picked.letters);
            }
            let from = from.as_ref();
            let excused = !self.plan.stays(&to)
                || from.is_none_or(|name| picked.uids.iter().any(|u| self.record.may_go(name, *u)));
            return if excused { Ok(()) } else { self.must(&answer, &command) };
        }
        let pairs = pairs(&answer).map_err(Stop::Wrong)?;
        if pairs.is_empty() && !self.announces("UIDPLUS") {
            return Ok(());
        }
        self.record.settle(&picked.letters);
        let made = format!("client {}: {command}", self.index);
        self.check_transfer(&picked, &pairs, (from.as_deref(), &to), (floor, &made))?;
        for uid in picked.uids.iter().filter(|_| moves) {
            let Some(from) = &from else { break };
            if pairs.iter().any(|(_, source, _)| source == uid) {
                let moved = self.record.moved(from, *uid);
                moved.or_else(|why| self.let_pass(why)).map_err(Stop::Wrong)?;
            } else {
                self.record.must_be_gone(from, *uid);
            }
        }
        Ok(())
    }

    fn let_pass(&self, why: String) -> Result<(), String> {
        if self.plan.moves_are_copies { Ok(()) } else { Err(why) }
    }

    /// What was copied is what was asked for, and all of it.
    fn check_transfer(
        &self,
        picked: &Picked,
        pairs: &[(u32, u32, u32)],
        (from, to): (Option<&str>, &str),
        (floor, made): (u32, &str),
    ) -> Result<(), Stop> {
        let stays = self.plan.stays(to);
        let mut last = 0;
        for (validity, source, uid) in pairs {
            let at = picked.uids.iter().position(|picked| picked == source);
            let letter = at.and_then(|at| picked.letters.get(at)).copied();
            let letter =
                letter.ok_or_else(|| Stop::Wrong(format!("UID {source} was not meant")))?;
            if *uid <= last || (stays && *uid < floor) {
                let what = format!("COPYUID {uid} after {last}, where UIDNEXT was {floor}");
                return Err(Stop::Wrong(what));
            }
            last = *uid;
            let marked = from.is_none_or(|from| self.record.is_marked(from, *source));
            let claim = Claim {
                mailbox: to,
                validity: *validity,
                uid: *uid,
                letter,
                marked,
                own: None,
                clients: self.plan.clients,
                made,
            };
            self.record.claim(&claim, stays).map_err(Stop::Wrong)?;
        }
        let copied = |uid: u32| pairs.iter().any(|(_, source, _)| *source == uid);
        let lost = picked.uids.iter().find(|uid| {
            !copied(**uid) && from.is_some_and(|from| !self.record.may_go(from, **uid))
        });
        lost.map_or(Ok(()), |uid| Err(Stop::Wrong(format!("UID {uid} was passed over"))))
    }
}

/// The UIDs of messages of which an item was told.
pub(super) fn fetched_with(answer: &Answer, name: &str) -> BTreeSet<u32> {
    let has = answer.fetched.iter().filter(|(_, items)| item(items, name).is_some());
    has.filter_map(|(uid, _)| *uid).collect()
}

/// What COPYUID tells (RFC 4315 §3): UIDVALIDITY, and which message became which.
fn pairs(answer: &Answer) -> Result<Vec<(u32, u32, u32)>, String> {
    let mut all = Vec::new();
    for values in answer.all_of("COPYUID") {
        let texts: Vec<String> = values.iter().map(Value::text).collect();
        let [validity, from, to] = texts.as_slice() else {
            return Err(format!("COPYUID {texts:?}"));
        };
        let validity = validity.parse().map_err(|_| format!("COPYUID {texts:?}"))?;
        let sets = uid_set(from).zip(uid_set(to)).filter(|(from, to)| from.len() == to.len());
        let (from, to) = sets.ok_or_else(|| format!("COPYUID {texts:?}"))?;
        all.extend(from.into_iter().zip(to).map(|(from, to)| (validity, from, to)));
    }
    Ok(all)
}
