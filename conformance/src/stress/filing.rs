//! What brings letters in: APPEND, of several at once too (RFC 3502), and REPLACE (RFC 8508).

use std::collections::BTreeSet;

use crate::address::keeper::quoted;

use super::client::{Answer, Client, Stop};
use super::pick::{self, uid_set};
use super::record::Claim;

/// A letter that is on its way.
struct Draft {
    letter: u64,
    text: Vec<u8>,
    flags: Vec<String>,
    /// The clients whose keyword it has.
    own: BTreeSet<usize>,
    marked: bool,
}

impl Client<'_> {
    /// Files a new letter, or several together.
    pub(super) fn append(&mut self) -> Result<(), Stop> {
        let several = self.announces("MULTIAPPEND") && self.prng.once_in(4);
        let count = if several { self.prng.between(2, 5) } else { 1 };
        let mailbox = self.some_mailbox();
        let floor = self.record.floor(&mailbox);
        let drafts: Vec<_> = (0..count).map(|_| self.draft()).collect();
        let answer = self.hand_over(&format!("APPEND {}", quoted(&mailbox)), "APPEND ", &drafts)?;
        if !answer.is_ok() {
            let stays = self.plan.stays(&mailbox);
            return if stays { Err(Stop::Wrong("APPEND is refused".into())) } else { Ok(()) };
        }
        self.claim_all(&mailbox, floor, &answer, &drafts)
    }

    /// Puts a new letter in the place of a message.
    pub(super) fn replace(&mut self) -> Result<(), Stop> {
        let Some(view) = &self.view else { return Ok(()) };
        let picked = pick::some(view, self.record, &mut self.prng);
        let Some(picked) = picked.filter(|_| self.announces("REPLACE")) else { return Ok(()) };
        let [uid] = picked.uids[..] else { return Ok(()) };
        let here = view.mailbox.clone();
        let to = if self.prng.once_in(3) { self.some_mailbox() } else { here };
        let (from, floor) = (self.lasting(), self.record.floor(&to));
        if let Some(from) = &from {
            self.record.doom(from, &[uid], false);
        }
        let draft = [self.draft()];
        let verb = format!("{}REPLACE ", picked.prefix());
        let command = format!("{verb}{} {}", picked.set, quoted(&to));
        let answer = self.hand_over(&command, &verb, &draft)?;
        if !answer.is_ok() {
            // Somebody else may have removed it meanwhile: then nothing is filed (RFC 8508 §3.2).
            return Ok(());
        }
        self.claim_all(&to, floor, &answer, &draft)?;
        let Some(from) = &from else { return Ok(()) };
        self.record.moved(from, uid).map_err(Stop::Wrong)?;
        // RFC 8508 §4.3: that it is gone is part of the answer.
        match self.view.as_ref().and_then(|view| view.place_of(uid)) {
            Some(_) => Err(Stop::Wrong(format!("{command}: nobody said that UID {uid} is gone"))),
            None => Ok(()),
        }
    }

    fn draft(&mut self) -> Draft {
        let letter = self.record.new_letter();
        let marked = self.prng.once_in(20);
        let mut flags = vec![self.some_flag()];
        let mut own = BTreeSet::new();
        if self.prng.once_in(3) {
            flags.push(self.keyword());
            own.insert(self.index);
        }
        if marked {
            flags.push("\\Deleted".into());
        }
        Draft { letter, text: self.mint.letter(letter), flags, own, marked }
    }

    /// Sends the command and the letters. Nobody knows which of them are there until it is answered;
    /// then all are, or none (RFC 3502).
    fn hand_over(&mut self, head: &str, verb: &str, drafts: &[Draft]) -> Result<Answer, Stop> {
        let waits = !self.announces("LITERAL+") || self.prng.once_in(2);
        let plus = if waits { "" } else { "+" };
        let letters: Vec<u64> = drafts.iter().map(|draft| draft.letter).collect();
        self.record.doubt(&letters);
        let mut refused = None;
        for (at, Draft { text, flags, .. }) in drafts.iter().enumerate() {
            let announced = format!(" ({}) {{{}{plus}}}", flags.join(" "), text.len());
            if at == 0 {
                self.send(&format!("{head}{announced}"));
            } else {
                self.say(format!("{announced}\r\n").as_bytes());
            }
            refused = if waits { self.invited(verb.trim_end())? } else { None };
            if refused.is_some() {
                break;
            }
            self.say(text);
        }
        let answer = match refused {
            Some(answer) => answer,
            None => {
                self.say(b"\r\n");
                self.answer(verb)?
            }
        };
        self.record.settle(&letters);
        Ok(answer)
    }

    /// What APPENDUID tells (RFC 4315 §3) is so.
    fn claim_all(
        &self,
        mailbox: &str,
        floor: u32,
        answer: &Answer,
        drafts: &[Draft],
    ) -> Result<(), Stop> {
        let told = answer.all_of("APPENDUID").find_map(|values| {
            let [validity, uids] = values else { return None };
            Some((validity.text().parse().ok()?, uid_set(&uids.text())?))
        });
        let Some((validity, uids)) = told else {
            if self.announces("UIDPLUS") {
                return Err(Stop::Wrong("no APPENDUID (RFC 4315 §3)".into()));
            }
            // Without it, nobody knows the UIDs.
            drafts.iter().for_each(|draft| self.record.doubt(&[draft.letter]));
            return Ok(());
        };
        if uids.len() != drafts.len() || uids.first().is_some_and(|uid| *uid < floor) {
            let count = drafts.len();
            let what = format!("APPENDUID {uids:?} of {count} where UIDNEXT was {floor}");
            return Err(Stop::Wrong(what));
        }
        let made = &format!("client {}: APPEND or REPLACE", self.index);
        for (draft, uid) in drafts.iter().zip(uids) {
            let Draft { letter, marked, own, .. } = draft;
            let (letter, marked, own) = (*letter, *marked, Some(own));
            let clients = self.plan.clients;
            let claim = Claim { mailbox, validity, uid, letter, marked, own, clients, made };
            self.record.claim(&claim, self.plan.stays(mailbox)).map_err(Stop::Wrong)?;
        }
        Ok(())
    }
}
