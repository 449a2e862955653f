//! What a client does next, and what must be true of the answer.

use std::time::Duration;

use crate::address::imap::response::Value;
use crate::address::keeper::quoted;

use super::client::{Answer, Client, Mood, Stop};
use super::letter::FIELD;
use super::pick::{self, Picked};
use super::view::{During, View, item};

/// A client has this many messages in a mailbox before it rather removes some.
const CROWDED: usize = 60;

impl Client<'_> {
    /// Does something.
    ///
    /// # Errors
    /// The session is over; or what the server may not do.
    pub(super) fn act(&mut self) -> Result<(), Stop> {
        let Some(view) = &self.view else { return self.open_some() };
        let (count, read_only) = (view.seen.len(), view.read_only);
        if view.unknown().is_some() && !self.prng.once_in(10) {
            return self.learn();
        }
        if self.prng.once_in(40) {
            self.compress()?;
        }
        if self.prng.once_in(6) {
            // RFC 3501 §7.4.1: EXPUNGE does not come when no command is under way.
            let wait = Duration::from_millis(self.prng.bits() % 3);
            self.listen(wait, During::Nothing)?;
        }
        if !read_only && count > 5 && !self.prng.once_in(5) {
            match (self.mood, self.prng.below(6)) {
                (Mood::Flags, 0) => return self.save(),
                (Mood::Flags, 1 | 2) => return self.store_if_unchanged(),
                (Mood::Flags, _) => return self.store(),
                (Mood::Removal, 0) => return self.mark(),
                (Mood::Removal, 1) => return self.expunge(),
                (Mood::Removal, 2) => return self.transfer("MOVE"),
                (Mood::Removal, 3) => return self.append(),
                (Mood::Removal, 4) => return self.replace(),
                (Mood::Removal | Mood::Any, _) => {}
            }
        }
        let change = if read_only { 40 } else { 0 };
        match self.prng.between(change, 99) {
            0..=9 if count < CROWDED => self.append(),
            10..=12 if count < CROWDED => self.replace(),
            0..=18 => self.store(),
            19..=22 => self.store_if_unchanged(),
            23..=26 => self.transfer("MOVE"),
            27..=33 => self.expunge(),
            34..=37 => self.mark(),
            38..=43 if count < CROWDED => self.transfer("COPY"),
            38..=43 => self.close(),
            44..=60 => self.fetch(),
            61..=66 => self.search(),
            67..=70 => self.save(),
            71..=78 => self.simple("NOOP"),
            79..=84 => self.idle(),
            85..=88 => self.status(),
            89..=92 => self.open_some(),
            93..=96 => self.beside(),
            97 => self.simple("CHECK"),
            98 => self.close(),
            _ => self.leave(),
        }
    }

    /// Every other client wants to know each MODSEQ (RFC 7162 §3.1), where there are any.
    pub(super) fn counts_changes(&self) -> bool {
        self.index.is_multiple_of(2) && self.announces("CONDSTORE")
    }

    /// A mailbox; mostly the one that all share.
    pub(super) fn some_mailbox(&mut self) -> String {
        let all = &self.plan.mailboxes;
        let place = match self.prng.below(10) {
            0..=5 => 0,
            6 | 7 => 1,
            _ => self.prng.between(2, all.len().saturating_sub(1)),
        };
        all.get(place).cloned().unwrap_or_default()
    }

    fn picked(&mut self) -> Option<Picked> {
        let view = self.view.as_ref()?;
        pick::some(view, self.record, &mut self.prng)
    }

    /// The open mailbox, if it stays for the whole run.
    pub(super) fn lasting(&self) -> Option<String> {
        let name = self.view.as_ref().map(|view| &view.mailbox)?;
        self.plan.stays(name).then(|| name.clone())
    }

    /// A command that changes nothing by itself.
    fn simple(&mut self, command: &str) -> Result<(), Stop> {
        let answer = self.ask(command)?;
        self.must(&answer, command)
    }

    /// Only where a mailbox may vanish any time can a command fail.
    pub(super) fn must(&self, answer: &Answer, command: &str) -> Result<(), Stop> {
        if answer.is_ok() || self.lasting().is_none() {
            return Ok(());
        }
        Err(Stop::Wrong(format!("{} for {command}", answer.kind)))
    }

    fn open_some(&mut self) -> Result<(), Stop> {
        let mailbox = self.some_mailbox();
        let read_only = self.prng.once_in(6);
        self.open(&mailbox, read_only)
    }

    /// Opens a mailbox and looks at all that is in it.
    pub(super) fn open(&mut self, mailbox: &str, read_only: bool) -> Result<(), Stop> {
        let stays = self.plan.stays(mailbox);
        let (sure, floor) = (self.record.sure(mailbox), self.record.floor(mailbox));
        let highest = self.record.highest(mailbox);
        self.keep();
        // RFC 5182 §2.1.
        self.saved.clear();
        let kept = self.kept.remove(mailbox);
        let since = kept.as_ref().map(|(validity, modseq, _)| format!("{validity} {modseq}"));
        let mut view = View::opening(mailbox, read_only);
        if self.resyncs() {
            view = view.resyncing(kept.map(|(.., kept)| kept));
        }
        self.left = self.view.replace(view).map(|view| view.mailbox);
        let verb = if read_only { "EXAMINE" } else { "SELECT" };
        let with = match since {
            Some(since) => format!(" (QRESYNC ({since}))"),
            None if self.counts_changes() => " (CONDSTORE)".into(),
            None => String::new(),
        };
        let answer = self.ask(&format!("{verb} {}{with}", quoted(mailbox)))?;
        if !answer.is_ok() {
            self.view = None;
            let what = format!("{verb} {mailbox}: {}", answer.kind);
            return if stays { Err(Stop::Wrong(what)) } else { Ok(()) };
        }
        self.left = None;
        let Some(view) = &mut self.view else { return Ok(()) };
        view.opened().map_err(Stop::Wrong)?;
        if !stays {
            return Ok(());
        }
        self.record.opened(mailbox, view.validity, view.next).map_err(Stop::Wrong)?;
        if view.next < floor {
            return Err(Stop::Wrong(format!("UIDNEXT {} after {floor}", view.next)));
        }
        if let Some(is) = view.highest {
            self.record.reached(mailbox, highest, is).map_err(Stop::Wrong)?;
        }
        self.learn()?;
        let Some(view) = &self.view else { return Ok(()) };
        // What has been removed meanwhile may be missing.
        let missing =
            |uid: &&u32| view.place_of(**uid).is_none() && !self.record.may_go(mailbox, **uid);
        match sure.iter().find(missing) {
            Some(uid) => Err(Stop::Wrong(format!("UID {uid} of {mailbox} is lost"))),
            None => Ok(()),
        }
    }

    /// Asks for UIDs, flags and letters of what is new.
    pub(super) fn learn(&mut self) -> Result<(), Stop> {
        let Some(view) = &self.view else { return Ok(()) };
        let Some((from, to)) = view.unknown() else { return Ok(()) };
        let modseq = if self.counts_changes() { " MODSEQ" } else { "" };
        let what =
            format!("FETCH {from}:{to} (UID FLAGS{modseq} BODY.PEEK[HEADER.FIELDS ({FIELD})])");
        let answer = self.ask(&what)?;
        if self.view.as_ref().and_then(View::unknown).is_some_and(|(first, _)| first == from) {
            // Those that are gone need not be told about any more (RFC 2180 §4.1).
            self.simple("NOOP")?;
        } else {
            self.must(&answer, "FETCH")?;
        }
        Ok(())
    }

    fn expunge(&mut self) -> Result<(), Stop> {
        let picked = self.picked().filter(|_| self.announces("UIDPLUS"));
        let command = match picked {
            Some(picked) if self.prng.once_in(2) => {
                let uids: Vec<_> = picked.uids.iter().map(u32::to_string).collect();
                format!("UID EXPUNGE {}", uids.join(","))
            }
            _ => "EXPUNGE".into(),
        };
        self.simple(&command)
    }

    fn close(&mut self) -> Result<(), Stop> {
        let unselect = self.announces("UNSELECT") && self.prng.once_in(2);
        let command = if unselect { "UNSELECT" } else { "CLOSE" };
        let answer = self.ask(command)?;
        self.must(&answer, command)?;
        self.keep();
        self.view = None;
        Ok(())
    }

    fn idle(&mut self) -> Result<(), Stop> {
        if !self.announces("IDLE") {
            return self.simple("NOOP");
        }
        self.send("IDLE");
        if self.invited("IDLE")?.is_some() {
            return self.lasting().map_or(Ok(()), |_| Err(Stop::Wrong("no IDLE".into())));
        }
        let wait = Duration::from_millis(self.prng.bits() % 60);
        self.listen(wait, During::Command)?;
        self.say(b"DONE\r\n");
        let answer = self.answer("IDLE")?;
        self.must(&answer, "IDLE")
    }

    fn status(&mut self) -> Result<(), Stop> {
        let mailbox = self.some_mailbox();
        let (sure, floor) = (self.record.sure(&mailbox), self.record.floor(&mailbox));
        let command = format!("STATUS {} (MESSAGES UIDNEXT UIDVALIDITY)", quoted(&mailbox));
        let answer = self.ask(&command)?;
        // RFC 3501 §6.3.10: of the mailbox that is open, an answer need not be fresh.
        if !self.plan.stays(&mailbox) || self.lasting().as_ref() == Some(&mailbox) {
            return Ok(());
        }
        let told = answer.data.iter().find(|(name, _)| name == "STATUS");
        let items = told.and_then(|(_, values)| values.last()).map(Value::list).unwrap_or_default();
        let number = |name| item(items, name).and_then(|value| value.text().parse::<u32>().ok());
        let [Some(messages), Some(next), Some(validity)] =
            ["MESSAGES", "UIDNEXT", "UIDVALIDITY"].map(number)
        else {
            return Err(Stop::Wrong(format!("{command}: {answer:?}")));
        };
        self.record.opened(&mailbox, validity, next).map_err(Stop::Wrong)?;
        let still = sure.iter().filter(|uid| !self.record.may_go(&mailbox, **uid)).count();
        if next < floor || usize::try_from(messages).is_ok_and(|messages| messages < still) {
            let what = format!("{command}: {messages} of {still}, UIDNEXT {next} of {floor}");
            return Err(Stop::Wrong(what));
        }
        Ok(())
    }

    /// Makes, renames and deletes mailboxes beside those that stay.
    fn beside(&mut self) -> Result<(), Stop> {
        let count = self.plan.mailboxes.len();
        let mut one = || {
            let place = self.prng.between(2, count.saturating_sub(1));
            self.plan.mailboxes.get(place).cloned().unwrap_or_default()
        };
        let (one, other) = (one(), one());
        let kind = self.prng.below(4);
        let command = match kind {
            0 => format!("DELETE {}", quoted(&one)),
            1 => format!("RENAME {} {}", quoted(&one), quoted(&other)),
            _ => format!("CREATE {}", quoted(&one)),
        };
        // Whether it can be done nobody knows.
        let done = self.ask(&command)?.is_ok();
        match &mut self.view {
            // A session whose own mailbox is gone has nothing open, or ends; others may have renamed it.
            Some(view) if done && kind == 0 && !self.plan.stays(&view.mailbox) => Err(Stop::Away),
            Some(view) if done && kind == 1 && view.mailbox == one => {
                view.mailbox = other;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Leaves and comes again, with a farewell or in the midst of something.
    fn leave(&mut self) -> Result<(), Stop> {
        match self.prng.below(3) {
            0 => {
                let answer = self.ask("LOGOUT")?;
                self.must(&answer, "LOGOUT")?;
            }
            1 => {
                // Of this one nothing may ever be seen.
                let text = self.mint.letter(self.record.new_letter());
                let mailbox = quoted(&self.some_mailbox());
                if self.announces("LITERAL+") {
                    self.send(&format!("APPEND {mailbox} {{{}+}}", text.len()));
                    self.say(text.get(..text.len() / 2).unwrap_or_default());
                }
            }
            _ => self.send("IDLE"),
        }
        Err(Stop::Away)
    }
}
