//! An IMAP client that keeps its own view of a mailbox from what the server tells it.

use super::ledger::{ACCOUNTS, Kind, Ledger, MAILBOXES, Place, keyword};
use super::prng::Prng;
use super::resync::{self, Kept, Mark};

/// A client with a mailbox open.
#[derive(Debug)]
pub(super) struct ImapReader {
    /// Whose mail, by place in [`ACCOUNTS`].
    pub(super) account: usize,
    /// Which mailbox it has open, by place in [`MAILBOXES`].
    mailbox: usize,
    /// Which reader it is.
    index: usize,
    /// The messages as the client numbers them.
    pub(super) view: Vec<Seen>,
    doing: Doing,
    tag: usize,
    gathered: Vec<u8>,
    /// How many bytes of `gathered` are whole lines and literals already looked at.
    literals: Vec<Vec<u8>>,
    text: Vec<u8>,
    /// The letter that is being filed or copied.
    letter: Option<usize>,
    /// The message whose keyword is being set, or taken away.
    storing: Option<(u32, bool)>,
    /// Whether it was told that this is done.
    stored: bool,
    /// Where the open mailbox stood when it was opened.
    mark: Mark,
    /// What it knew of it when the last connection ended.
    kept: Option<Kept>,
}

/// What is known of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its UID, once told.
    pub(super) uid: Option<u32>,
    /// Its flags, once told: sorted, joined by blanks.
    pub(super) flags: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Away,
    Greeting,
    Login,
    Enabling,
    Select,
    /// Logged in and selected; nothing asked.
    Quiet,
    /// A command by sequence numbers: none may move.
    Numbers,
    Command,
    /// APPEND: waits for the server to ask for the text.
    Asking,
    Filing,
    Deleting,
    Copying,
    IdleAsked,
    Idle,
    IdleEnds,
}

impl ImapReader {
    /// A client that is not connected.
    #[must_use]
    pub(super) const fn new(account: usize, index: usize) -> Self {
        Self {
            account,
            mailbox: 0,
            index,
            view: Vec::new(),
            doing: Doing::Away,
            tag: 0,
            gathered: Vec::new(),
            literals: Vec::new(),
            text: Vec::new(),
            letter: None,
            storing: None,
            stored: false,
            mark: Mark::NOWHERE,
            kept: None,
        }
    }

    /// A connection begins.
    pub(super) fn connected(&mut self) {
        let (tag, mailbox, kept) = (self.tag, self.mailbox, self.kept.take());
        *self = Self { tag, mailbox, kept, ..Self::new(self.account, self.index) };
        self.doing = Doing::Greeting;
    }

    /// The connection has ended; what was being filed is in doubt.
    pub(super) fn lost(&mut self, ledger: &mut Ledger) {
        if self.doing == Doing::Filing
            && let Some(letter) = self.letter.take().and_then(|n| ledger.letters.get_mut(n))
        {
            letter.doubts += 1;
        }
        if self.doing == Doing::Copying
            && let Some(letter) = self.letter.take().and_then(|n| ledger.letters.get_mut(n))
        {
            letter.copies.entry(self.account).or_default().1 += 1;
        }
        // Before SELECT is answered, what it has kept is still as good as ever.
        if !matches!(self.doing, Doing::Away | Doing::Greeting | Doing::Login | Doing::Enabling)
            && self.resyncs()
            && self.doing != Doing::Select
        {
            self.kept = Kept::of(self.mark, &self.view);
        }
        self.doing = Doing::Away;
    }

    /// Every other reader goes on where it was when it comes again (RFC 7162 §3.2.5).
    const fn resyncs(&self) -> bool {
        self.index.is_multiple_of(2)
    }

    /// The mailbox that it has open.
    pub(super) const fn place(&self) -> Place {
        (self.account, self.mailbox)
    }

    /// The other one's number.
    const fn other(&self) -> usize {
        1 - self.mailbox
    }

    /// Whether nothing is under way that the server has to answer.
    #[must_use]
    pub(super) fn is_quiet(&self) -> bool {
        self.doing == Doing::Quiet
    }

    /// Whether it waits in IDLE.
    #[must_use]
    pub(super) fn is_idle(&self) -> bool {
        self.doing == Doing::Idle
    }

    /// Ends IDLE.
    pub(super) fn end_idle(&mut self, out: &mut Vec<u8>) {
        self.doing = Doing::IdleEnds;
        out.extend_from_slice(b"DONE\r\n");
    }

    /// Asks for what is new and nothing else.
    pub(super) fn noop(&mut self, out: &mut Vec<u8>) {
        self.command(Doing::Command, "NOOP", out);
    }

    fn command(&mut self, doing: Doing, text: &str, out: &mut Vec<u8>) {
        self.tag += 1;
        self.doing = doing;
        out.extend_from_slice(format!("t{} {text}\r\n", self.tag).as_bytes());
    }

    /// Begins a command of its own choice.
    pub(super) fn act(&mut self, ledger: &mut Ledger, prng: &mut Prng, out: &mut Vec<u8>) {
        let number = prng.below(self.view.len()) + 1;
        let uid = self.view.get(number - 1).and_then(|seen| seen.uid);
        let flag = ["\\Seen", "\\Flagged", "\\Answered"].get(prng.below(3)).unwrap_or(&"\\Seen");
        // All flags are replaced where nobody counts on its own.
        let signs = if uid.is_some_and(is_counted_on) { 2 } else { 3 };
        let sign = ["+", "-", ""].get(prng.below(signs)).unwrap_or(&"+");
        let name = mailbox_name(self.mailbox);
        match (prng.below(16), uid) {
            (0, _) => self.command(Doing::IdleAsked, "IDLE", out),
            (1, _) => self.command(Doing::Command, "EXPUNGE", out),
            (2, _) => {
                let letter = ledger.write(Kind::Appended, prng);
                if let Some(filed) = ledger.letters.get_mut(letter) {
                    filed.to = vec![self.account];
                    let size = filed.text.len();
                    let plus = if prng.once_in(2) { "+" } else { "" };
                    let text = format!("APPEND {name} (\\Draft) {{{size}{plus}}}");
                    self.letter = Some(letter);
                    self.command(Doing::Asking, &text, out);
                    if plus == "+" {
                        self.file(ledger, out);
                    }
                }
            }
            (3 | 4, Some(uid)) => {
                self.command(Doing::Command, &format!("UID FETCH {uid} (UID BODY.PEEK[])"), out);
            }
            (5, Some(_)) => {
                self.command(Doing::Numbers, &format!("STORE {number} {sign}FLAGS ({flag})"), out);
            }
            (6, Some(uid)) => {
                self.command(Doing::Command, &format!("UID STORE {uid} {sign}FLAGS ({flag})"), out);
            }
            (7, Some(_)) => self.delete(ledger, prng, out),
            (9, _) => self.open(self.other(), out),
            (10 | 11, Some(uid)) => {
                let to = mailbox_name(self.other());
                self.command(Doing::Command, &format!("UID MOVE {uid} {to}"), out);
            }
            (12, Some(uid)) => self.copy(uid, ledger, out),
            (13 | 14, Some(uid)) if is_counted_on(uid) => {
                self.store_own(uid, prng.once_in(2), ledger, out);
            }
            (8, Some(_)) => self.command(Doing::Numbers, "FETCH 1:* (UID FLAGS)", out),
            _ => self.noop(out),
        }
    }

    fn open(&mut self, mailbox: usize, out: &mut Vec<u8>) {
        if mailbox != self.mailbox {
            self.kept = None;
        }
        self.mailbox = mailbox;
        self.view.clear();
        self.mark = Mark::NOWHERE;
        let with = self.kept.as_ref().map(Kept::parameter).unwrap_or_default();
        self.command(Doing::Select, &format!("SELECT {}{with}", mailbox_name(mailbox)), out);
    }

    /// Copies a message, if it is known which letter it is.
    fn copy(&mut self, uid: u32, ledger: &Ledger, out: &mut Vec<u8>) {
        let Some(number) = ledger.uids.get(&(self.place(), uid)) else { return self.noop(out) };
        self.letter = Some(*number);
        let to = mailbox_name(self.other());
        self.command(Doing::Copying, &format!("UID COPY {uid} {to}"), out);
    }

    /// Sets the keyword that only this client sets, or takes it away.
    fn store_own(&mut self, uid: u32, has: bool, ledger: &mut Ledger, out: &mut Vec<u8>) {
        ledger.own.remove(&(self.place(), uid, self.index));
        self.storing = Some((uid, has));
        self.stored = false;
        let (sign, keyword) = (if has { "+" } else { "-" }, keyword(self.index));
        self.command(Doing::Command, &format!("UID STORE {uid} {sign}FLAGS ({keyword})"), out);
    }

    /// Marks a message that some client filed; letters from outside stay.
    fn delete(&mut self, ledger: &mut Ledger, prng: &mut Prng, out: &mut Vec<u8>) {
        let known: Vec<(u32, usize)> = self
            .view
            .iter()
            .filter_map(|seen| {
                let uid = seen.uid?;
                let number = *ledger.uids.get(&(self.place(), uid))?;
                (ledger.letters.get(number)?.kind == Kind::Appended).then_some((uid, number))
            })
            .collect();
        let Some(&(uid, number)) = known.get(prng.below(known.len())) else {
            return self.noop(out);
        };
        if let Some(letter) = ledger.letters.get_mut(number) {
            letter.deleting = true;
        }
        self.command(Doing::Deleting, &format!("UID STORE {uid} +FLAGS (\\Deleted)"), out);
    }

    fn file(&mut self, ledger: &Ledger, out: &mut Vec<u8>) {
        if let Some(letter) = self.letter.and_then(|number| ledger.letters.get(number)) {
            out.extend_from_slice(&letter.text);
            out.extend_from_slice(b"\r\n");
            self.doing = Doing::Filing;
        }
    }

    /// Takes in what the server says; answers into `out`. False: close the connection.
    pub(super) fn heard(&mut self, bytes: &[u8], ledger: &mut Ledger, out: &mut Vec<u8>) -> bool {
        self.gathered.extend_from_slice(bytes);
        while let Some(end) = self.gathered.iter().position(|&byte| byte == b'\n') {
            let line = self.gathered.get(..end.saturating_sub(1)).unwrap_or_default();
            let literal = literal_at_end(line);
            if self.gathered.len() < end + 1 + literal.unwrap_or(0) {
                return true;
            }
            self.text.extend_from_slice(line);
            let rest = self.gathered.split_off(end + 1);
            self.gathered = rest;
            if let Some(len) = literal {
                let rest = self.gathered.split_off(len);
                self.literals.push(std::mem::replace(&mut self.gathered, rest));
                continue;
            }
            let text = String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned();
            let literals = std::mem::take(&mut self.literals);
            if !self.response(&text, &literals, ledger, out) {
                return false;
            }
        }
        true
    }

    fn response(
        &mut self,
        text: &str,
        literals: &[Vec<u8>],
        ledger: &mut Ledger,
        out: &mut Vec<u8>,
    ) -> bool {
        if text.starts_with("+ ") {
            match self.doing {
                Doing::Asking => self.file(ledger, out),
                Doing::IdleAsked => self.doing = Doing::Idle,
                _ => ledger.violation(format!("{text:?} while {:?}", self.doing)),
            }
            return true;
        }
        if let Some(data) = text.strip_prefix("* ") {
            return self.untagged(data, literals, ledger, out);
        }
        let ok = text.starts_with(&format!("t{} OK", self.tag));
        // One that is gone, of which this client has not heard yet, is passed over.
        if let (Some((uid, has)), true) = (self.storing.take(), ok && self.stored) {
            ledger.own.insert((self.place(), uid, self.index), has);
        }
        let copied = text.split_once("[COPYUID ").map(|(_, pair)| pair);
        if let Some(pair) = copied {
            self.copied(pair, ledger);
        }
        match (self.doing, ok) {
            (Doing::Login, true) if self.resyncs() => {
                self.command(Doing::Enabling, "ENABLE QRESYNC", out);
            }
            (Doing::Login | Doing::Enabling, true) => self.open(self.mailbox, out),
            (Doing::Select, true) if self.kept.is_some() => {
                let kept = self.kept.take();
                if let Some(Err(why)) = kept.map(|kept| kept.resync(self.mark, &mut self.view)) {
                    ledger.violation(why);
                }
                ledger.resyncs += 1;
                self.doing = Doing::Quiet;
            }
            (Doing::Select, true) => self.command(Doing::Numbers, "FETCH 1:* (UID FLAGS)", out),
            (Doing::Filing, true) => {
                if let Some(letter) = self.letter.take().and_then(|n| ledger.letters.get_mut(n)) {
                    letter.acknowledged = true;
                }
                self.doing = Doing::Quiet;
            }
            (Doing::Copying, _) => {
                // A message that is gone is passed over.
                if let Some(letter) = self.letter.take().and_then(|n| ledger.letters.get_mut(n))
                    && copied.is_some()
                {
                    letter.copies.entry(self.account).or_default().0 += 1;
                }
                self.doing = Doing::Quiet;
            }
            (
                Doing::Filing | Doing::Asking | Doing::Login | Doing::Enabling | Doing::Select,
                false,
            ) => {
                ledger.violation(format!("{text:?} while {:?}", self.doing));
                return false;
            }
            _ => self.doing = Doing::Quiet,
        }
        true
    }

    fn untagged(
        &mut self,
        data: &str,
        literals: &[Vec<u8>],
        ledger: &mut Ledger,
        out: &mut Vec<u8>,
    ) -> bool {
        let (first, rest) = data.split_once(' ').unwrap_or((data, ""));
        match (first, rest) {
            ("OK", _) if self.doing == Doing::Greeting => {
                let name = ACCOUNTS.get(self.account).unwrap_or(&"?");
                self.command(Doing::Login, &format!("LOGIN {name}@localhost pillarbox"), out);
            }
            ("OK", _) => {
                if let Some(value) = rest.strip_prefix("[UIDVALIDITY ") {
                    let value = value.split(']').next().and_then(|value| value.parse().ok());
                    self.mark.validity = value.unwrap_or(0);
                    ledger.saw_uidvalidity(self.place(), self.mark.validity);
                } else if let Some(value) = rest.strip_prefix("[HIGHESTMODSEQ ") {
                    let value = value.split(']').next().and_then(|value| value.parse().ok());
                    self.mark.modseq = value.unwrap_or(0);
                } else if let Some(pair) = rest.strip_prefix("[COPYUID ") {
                    self.copied(pair, ledger);
                }
            }
            ("BYE", _) => return false,
            ("VANISHED", _) => self.vanished(rest, ledger),
            _ => {
                if let Ok(number) = first.parse::<usize>() {
                    self.about_message(number, rest, literals, ledger);
                }
            }
        }
        true
    }

    /// RFC 4315 §3: which message became which in the other mailbox.
    fn copied(&self, pair: &str, ledger: &mut Ledger) {
        let mut numbers = pair.split([' ', ']']).skip(1).map(|number| number.parse().ok());
        let (Some(Some(from)), Some(Some(to))) = (numbers.next(), numbers.next()) else {
            return ledger.violation(format!("COPYUID {pair:?}"));
        };
        if let Some(letter) = ledger.uids.get(&(self.place(), from)).copied() {
            ledger.saw((self.account, self.other()), to, letter);
        }
    }

    fn about_message(
        &mut self,
        number: usize,
        what: &str,
        literals: &[Vec<u8>],
        ledger: &mut Ledger,
    ) {
        if what == "EXISTS" {
            if number < self.view.len() {
                ledger.violation(format!("EXISTS {number} after {}", self.view.len()));
            }
            self.view.resize(number, Seen::default());
        } else if number == 0 || number > self.view.len() {
            if what != "RECENT" {
                ledger.violation(format!("{number} {what:?} of {}", self.view.len()));
            }
        } else if what == "EXPUNGE" {
            // RFC 3501 §7.4.1.
            if matches!(self.doing, Doing::Quiet | Doing::Numbers | Doing::Select) {
                ledger.violation(format!("EXPUNGE while {:?}", self.doing));
            }
            self.view.remove(number - 1);
        } else if let Some(items) = what.strip_prefix("FETCH ") {
            self.fetched(number, items, literals, ledger);
        }
    }

    /// RFC 7162 §3.2.10: as EXPUNGE, by UID; or what has gone since it was here last.
    fn vanished(&mut self, what: &str, ledger: &mut Ledger) {
        let gone = match (what.strip_prefix("(EARLIER) "), &mut self.kept) {
            (Some(set), Some(kept)) => kept.lose(set),
            (Some(_), None) => Ok(()),
            (None, _) if matches!(self.doing, Doing::Quiet | Doing::Numbers | Doing::Select) => {
                Err(format!("VANISHED while {:?}", self.doing))
            }
            (None, _) => resync::vanish(&mut self.view, what),
        };
        if let Err(why) = gone {
            ledger.violation(why);
        }
    }

    fn fetched(&mut self, number: usize, items: &str, literals: &[Vec<u8>], ledger: &mut Ledger) {
        let place = self.place();
        let Some(seen) = self.view.get_mut(number - 1) else { return };
        let uid = items.split_once("UID ").and_then(|(_, rest)| {
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()
        });
        if let (Some(old), Some(new)) = (seen.uid, uid)
            && old != new
        {
            ledger.violation(format!("message {number} had UID {old} and has {new}"));
        }
        seen.uid = uid.or(seen.uid);
        if let Some((_, rest)) = items.split_once("FLAGS (") {
            let flags = rest.split(')').next().unwrap_or_default();
            // What is recent to one session need not be to another (RFC 3501 §2.3.2).
            let flags = flags.split_whitespace().filter(|flag| *flag != "\\Recent");
            let mut flags: Vec<&str> = flags.collect();
            flags.sort_unstable();
            let own = seen.uid.and_then(|uid| ledger.own.get(&(place, uid, self.index)));
            let has = flags.contains(&keyword(self.index).as_str());
            self.stored |= seen.uid.zip(Some(has)) == self.storing;
            if own.is_some_and(|own| *own != has) {
                ledger.violation(format!("{} of {:?} is told as {flags:?}", self.index, seen.uid));
            }
            seen.flags = Some(flags.join(" "));
        }
        let uid = seen.uid;
        for literal in literals {
            if let (Some(letter), Some(uid)) = (ledger.recognise(self.account, literal), uid) {
                ledger.saw(place, uid, letter);
            }
        }
    }
}

/// Whether readers set keywords of their own on a message, and must find them again.
const fn is_counted_on(uid: u32) -> bool {
    uid % 2 == 1
}

fn mailbox_name(mailbox: usize) -> &'static str {
    MAILBOXES.get(mailbox).copied().unwrap_or_default()
}

/// The length of the literal that a line announces.
fn literal_at_end(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|&byte| byte == b'{')?;
    std::str::from_utf8(inner.get(open + 1..)?).ok()?.parse().ok()
}
