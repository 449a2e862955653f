//! One client of the run: its connection, what it sends, and how it takes in what it is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::address::imap::Session;
use crate::address::imap::response::{Response, Value};
use crate::address::keeper;
use crate::sim::prng::Prng;

use super::Plan;
use super::letter::Mint;
use super::record::Record;
use super::view::{During, Kept, News, View, item};

/// A client.
#[derive(Debug)]
pub(super) struct Client<'a> {
    /// Which one it is.
    pub(super) index: usize,
    pub(super) plan: &'a Plan,
    pub(super) record: &'a Record,
    pub(super) mint: Mint,
    pub(super) prng: Prng,
    pub(super) mood: Mood,
    /// What the server announces.
    pub(super) capabilities: BTreeSet<String>,
    /// The mailbox that is open.
    pub(super) view: Option<View>,
    /// What it knows of mailboxes from last time: UIDVALIDITY, MODSEQ and messages.
    pub(super) kept: BTreeMap<String, (u32, u64, Kept)>,
    /// The one that was open before.
    pub(super) left: Option<String>,
    session: Session,
    /// Everything is compressed.
    packed: bool,
    /// The UIDs that `$` stands for in this session, as far as the client can know.
    pub(super) saved: BTreeSet<u32>,
    tag: u64,
    /// The last lines, to be shown where something is wrong.
    tail: VecDeque<String>,
}

/// What all clients do more than anything else for a while, so that they do it at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Any,
    Flags,
    Removal,
}

/// Why a session ends.
#[derive(Debug)]
pub(super) enum Stop {
    /// The server has done what it may not do.
    Wrong(String),
    /// The connection is gone, and that may be.
    Away,
}

/// The answer to a command.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// OK, NO or BAD.
    pub(super) kind: String,
    /// All codes, of untagged statuses too.
    pub(super) codes: Vec<(String, Vec<Value>)>,
    /// FETCH responses: the UID as the client knows it, and the items.
    pub(super) fetched: Vec<(Option<u32>, Vec<Value>)>,
    /// Any other data: its name and values.
    pub(super) data: Vec<(String, Vec<Value>)>,
}

impl<'a> Client<'a> {
    /// A client that has logged in.
    pub(super) fn enter(plan: &'a Plan, record: &'a Record, index: usize) -> Result<Self, String> {
        let mut session = keeper::connect(&plan.target)?;
        keeper::login(&mut session, &plan.target.names.user)?;
        let capabilities = keeper::capabilities(&mut session)?;
        if index % 3 == 2 && capabilities.contains("QRESYNC") {
            session.ask("e", "ENABLE QRESYNC")?;
        }
        let index_bits = u64::try_from(index).unwrap_or_default();
        Ok(Self {
            index,
            plan,
            record,
            mint: plan.mint(),
            prng: Prng::new(plan.seed ^ index_bits.wrapping_mul(0x0100_0000_01B3)),
            mood: Mood::Any,
            capabilities,
            view: None,
            kept: BTreeMap::new(),
            left: None,
            session,
            packed: false,
            saved: BTreeSet::new(),
            tag: 0,
            tail: VecDeque::new(),
        })
    }

    /// The same client on a new connection.
    pub(super) fn again(&mut self) -> Result<(), String> {
        self.keep();
        let fresh = Self::enter(self.plan, self.record, self.index)?;
        self.session = fresh.session;
        (self.view, self.left, self.packed) = (None, None, false);
        self.saved.clear();
        self.note("-", "(connected again)");
        Ok(())
    }

    /// Has everything compressed from here on, once in a session.
    pub(super) fn compress(&mut self) -> Result<(), Stop> {
        if self.packed || !self.announces("COMPRESS=DEFLATE") {
            return Ok(());
        }
        let answer = self.ask("COMPRESS DEFLATE")?;
        if !answer.is_ok() {
            return Err(Stop::Wrong(format!("{} for COMPRESS", answer.kind)));
        }
        self.session.compress();
        self.packed = true;
        Ok(())
    }

    /// The keyword that only this client sets.
    pub(super) fn keyword(&self) -> String {
        keyword(self.index)
    }

    pub(super) fn announces(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    /// A command, and all that is answered.
    pub(super) fn ask(&mut self, text: &str) -> Result<Answer, Stop> {
        self.send(text);
        self.answer(text)
    }

    /// Sends a command, and waits for nothing.
    pub(super) fn send(&mut self, text: &str) {
        self.tag += 1;
        let line = format!("{}{} {text}", self.index, self.tag);
        self.note("C", &line);
        self.session.say(format!("{line}\r\n").as_bytes());
    }

    /// Sends what is no command of its own.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.note("C", &format!("({} bytes)", bytes.len()));
        self.session.say(bytes);
    }

    /// All up to the tagged answer to the last command.
    pub(super) fn answer(&mut self, command: &str) -> Result<Answer, Stop> {
        let during = during(command);
        let mut answer = Answer::default();
        let tag = format!("{}{}", self.index, self.tag);
        loop {
            match self.next()? {
                Response::Status { tag: Some(told), kind, code } if told == tag => {
                    answer.codes.extend(code);
                    let verb = command.split([' ', '(']).next().unwrap_or_default();
                    let by_uid = if verb == "UID" { command.split(' ').nth(1) } else { None };
                    let verb = by_uid.map_or_else(|| verb.into(), |verb| format!("UID {verb}"));
                    self.record.count(&format!("{verb} {kind}"));
                    answer.kind = kind;
                    if answer.kind == "BAD" {
                        return Err(Stop::Wrong(format!("BAD for {command}")));
                    }
                    return Ok(answer);
                }
                Response::Status { tag: Some(told), .. } => {
                    return Err(Stop::Wrong(format!("answer {told}, where {tag} is to come")));
                }
                Response::Continue => return Err(Stop::Wrong("`+` where nothing waits".into())),
                other => self.take(other, during, &mut answer)?,
            }
        }
    }

    /// Waits for the server to ask for more; an answer that it gives instead.
    pub(super) fn invited(&mut self, command: &str) -> Result<Option<Answer>, Stop> {
        let mut heard = Answer::default();
        loop {
            match self.next()? {
                Response::Continue => return Ok(None),
                Response::Status { tag: Some(_), kind, code } => {
                    heard.codes.extend(code);
                    self.record.count(&format!("{command} {kind}"));
                    return Ok(Some(Answer { kind, ..heard }));
                }
                other => self.take(other, During::Command, &mut heard)?,
            }
        }
    }

    /// Takes in what comes within a time.
    pub(super) fn listen(&mut self, wait: Duration, during: During) -> Result<(), Stop> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.session.speaks(left) {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(why) => return Err(self.silence(&why)),
            }
            let response = self.next()?;
            self.take(response, during, &mut Answer::default())?;
        }
    }

    fn next(&mut self) -> Result<Response, Stop> {
        match self.session.hears() {
            Ok((response, line)) => {
                self.note("S", &line);
                Ok(response)
            }
            Err(why) => Err(self.silence(&why)),
        }
    }

    /// A session whose mailbox is deleted or renamed by another may end (RFC 2180 §3.3).
    fn silence(&self, why: &str) -> Stop {
        let open = self.view.as_ref().map(|view| &view.mailbox);
        let beside = open.into_iter().chain(&self.left).any(|name| !self.plan.stays(name));
        let gone = why.contains("was closed");
        if beside && gone { Stop::Away } else { Stop::Wrong(format!("no answer: {why}")) }
    }

    fn take(&mut self, told: Response, during: During, into: &mut Answer) -> Result<(), Stop> {
        let news = match &mut self.view {
            Some(view) => view.take(&told, during).map_err(Stop::Wrong)?,
            None => News::Nothing,
        };
        match (news, told) {
            (News::Gone(uids), _) => self.heard_gone(&uids)?,
            (News::Fetched(at), Response::Data { values, .. }) => {
                let items = values.into_iter().next();
                let items = items.as_ref().map(Value::list).unwrap_or_default().to_vec();
                let uid = self.heard_about(at, &items)?;
                into.fetched.push((uid, items));
            }
            (_, Response::Status { code, .. }) => into.codes.extend(code),
            (_, Response::Data { name, values, .. }) => into.data.push((name, values)),
            (_, Response::Continue) => {}
        }
        Ok(())
    }

    fn heard_gone(&self, uids: &[u32]) -> Result<(), Stop> {
        let Some(view) = self.view.as_ref().filter(|view| self.plan.stays(&view.mailbox)) else {
            return Ok(());
        };
        let mut gone = uids.iter().map(|uid| self.record.gone(&view.mailbox, *uid));
        gone.try_for_each(|one| one.map_err(Stop::Wrong))
    }

    /// Every third client keeps what it knows of a mailbox for the next time (RFC 7162 §3.2), where
    /// the server lets it.
    pub(super) fn resyncs(&self) -> bool {
        self.index % 3 == 2 && self.announces("QRESYNC")
    }

    /// Keeps what it knows of the open mailbox.
    pub(super) fn keep(&mut self) {
        let Some(view) = self.view.as_ref().filter(|view| self.plan.stays(&view.mailbox)) else {
            return;
        };
        if let (true, Some(modseq), Some(kept)) = (self.resyncs(), view.highest, view.keep()) {
            self.kept.insert(view.mailbox.clone(), (view.validity, modseq, kept));
        }
    }

    /// What was told about a message must agree with what only this client can have done, and with
    /// the letter that it is.
    fn heard_about(&self, at: usize, items: &[Value]) -> Result<Option<u32>, Stop> {
        let Some(view) = &self.view else { return Ok(None) };
        let Some(seen) = view.seen.get(at) else { return Ok(None) };
        let Some(uid) = seen.uid else { return Ok(None) };
        if let (Some(_), Some(flags)) = (item(items, "FLAGS"), &seen.flags)
            && let Some(own) = self.record.own(&view.mailbox, uid, self.index)
            && own != flags.contains(&self.keyword())
        {
            let is = if own { "set" } else { "not set" };
            let mailbox = &view.mailbox;
            return Err(Stop::Wrong(format!(
                "{} of UID {uid} of {mailbox} is {is}",
                self.keyword()
            )));
        }
        for pair in items.chunks_exact(2) {
            let [name, value] = pair else { continue };
            let name = name.text().to_ascii_uppercase();
            let is_known = name == "BODY[]" || name.starts_with("BODY[HEADER.FIELDS ");
            if let (true, Value::Text(text)) = (is_known, value)
                && let Some(letter) = self.mint.number_in(text)
            {
                self.record
                    .identify(&view.mailbox, view.validity, uid, letter)
                    .map_err(Stop::Wrong)?;
                if name == "BODY[]" && !self.mint.is(text, letter) {
                    let what = format!("UID {uid}: letter {letter} is not as it was sent");
                    return Err(Stop::Wrong(what));
                }
            } else if let (true, Value::Text(text)) = (is_known, value)
                && !text.is_empty()
            {
                return Err(Stop::Wrong(format!("UID {uid} is a letter that nobody has sent")));
            }
        }
        Ok(Some(uid))
    }

    fn note(&mut self, who: &str, line: &str) {
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(format!("{who}: {}", line.chars().take(SHOWN).collect::<String>()));
    }

    /// Writes down what is wrong, with the lines that have led there.
    pub(super) fn report(&self, what: &str) {
        let mailbox = self.view.as_ref().map_or("none", |view| &view.mailbox);
        let tail: Vec<_> = self.tail.iter().map(|line| format!("\n      {line}")).collect();
        let index = self.index;
        self.record.violation(format!("client {index} in {mailbox}: {what}{}", tail.concat()));
    }
}

impl Answer {
    pub(super) fn is_ok(&self) -> bool {
        self.kind == "OK"
    }

    /// The arguments of all response codes of a name.
    pub(super) fn all_of<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b [Value]> {
        self.codes.iter().filter(move |(code, _)| code == name).map(|(_, values)| &values[..])
    }
}

/// RFC 3501 §7.4.1: which commands keep the numbers as they are.
fn during(command: &str) -> During {
    let by_number = ["FETCH ", "STORE ", "SEARCH "].iter().any(|verb| command.starts_with(verb));
    if by_number { During::Numbers } else { During::Command }
}

/// The keyword that only this client sets.
pub(super) fn keyword(client: usize) -> String {
    format!("$stress{client}")
}

/// Lines that are shown.
const TAIL: usize = 60;
/// Characters of each.
const SHOWN: usize = 160;
