//! Whether a message is what a search looks for (RFC 3501 §6.4.4).
//!
//! A message is read only as far as it decides: first its facts are asked ([`Search::matching`]),
//! then its header, then its texts, and each time [`Matching::verdict`] may know already. What it
//! does not know yet is `None`, and `NOT`, `OR` and the rest reckon with that.

use super::command::{MessageSet, SearchKey};
use super::flags::{FlagBits, Keywords};
use super::grammar::{Day, Numbers};
use super::object::EmailId;
use super::section::header_end;
use super::view::{View, contains, resolve_ranges};
use crate::UnixSeconds;
use crate::mime::header::{Field, fields};
use crate::mime::{Structure, TextReader, date, keeps, words};
use needle::{Needle, Window};
use trigrams::Filter;

mod needle;
pub mod trigrams;

/// What a search needs to know of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its number in this session.
    pub sequence: u32,
    /// Its UID.
    pub uid: u32,
    /// Its flags.
    pub flags: FlagBits,
    /// Its internal date.
    pub received: UnixSeconds,
    /// When it came into the mailbox.
    pub saved: UnixSeconds,
    /// Its name among all messages.
    pub email: EmailId,
    /// Its size in bytes.
    pub size: u64,
    /// Its MODSEQ.
    pub modseq: u64,
}

/// A search made ready for one mailbox: names are bits, `*` is a number.
///
/// Each message costs the number of keys, and for a set the logarithm of its ranges; its text, if
/// that decides, is run through once for each string that has not been found.
#[derive(Debug, Clone)]
pub struct Search {
    root: Node,
    /// What cannot be told from facts.
    questions: Vec<Question>,
    /// The longest string looked for in texts.
    longest: usize,
}

/// What of a message's [`Facts`] a search goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asks {
    /// Its number and UID.
    Numbers,
    /// These and its flags.
    Flags,
    /// Any of them.
    All,
}

/// Where and when is searched.
struct Scene<'s> {
    view: &'s View,
    keywords: &'s Keywords,
    now: UnixSeconds,
}

#[derive(Debug, Clone)]
enum Node {
    /// Whether everything or nothing.
    Constant(bool),
    /// Sorted ranges that do not touch, both ends in them.
    Sequences(Vec<(u32, u32)>),
    Uids(Vec<(u32, u32)>),
    Flag(u64, bool),
    Before(Day),
    On(Day),
    Since(Day),
    /// Received then or earlier,
    Until(UnixSeconds),
    /// or then or later.
    From(UnixSeconds),
    SavedBefore(Day),
    SavedOn(Day),
    SavedSince(Day),
    Email(EmailId),
    Larger(u64),
    Smaller(u64),
    ModSeq(u64),
    /// The question of this number.
    Asked(usize),
    Not(Box<Self>),
    Or(Box<Self>, Box<Self>),
    And(Vec<Self>),
}

/// A question to a message's bytes.
#[derive(Debug, Clone)]
enum Question {
    /// Whether a field of this name has the string in it, or is there at all.
    Field(Box<[u8]>, Option<Needle>),
    /// Whether the Date field names a day before this one,
    SentBefore(Day),
    /// this day,
    SentOn(Day),
    /// or this day or a later one.
    SentSince(Day),
    /// Whether the texts have the string in them,
    Body(Needle),
    /// or a header has.
    Text(Needle),
}

impl Search {
    /// A search in the mailbox of this view, at this moment.
    #[must_use]
    pub fn new(key: &SearchKey, view: &View, keywords: &Keywords, now: UnixSeconds) -> Self {
        let mut questions = Vec::new();
        let root = Node::new(key, &Scene { view, keywords, now }, &mut questions);
        let lengths = questions.iter().map(|question| match question {
            Question::Body(needle) | Question::Text(needle) => needle.length(),
            _ => 0,
        });
        let longest = lengths.max().unwrap_or(0);
        Self { root, questions, longest }
    }

    /// Whether anything is looked for in the texts of messages.
    #[must_use]
    pub fn reads_texts(&self) -> bool {
        self.questions.iter().any(Question::is_of_text)
    }

    /// Which messages it may find, as far as their trigrams tell.
    #[must_use]
    pub fn filter(&self) -> Filter {
        self.root.filter(&self.questions)
    }

    /// What of a message's facts it goes by.
    #[must_use]
    pub fn asks(&self) -> Asks {
        self.root.asks()
    }

    /// Whether a message is among what is looked for, if these facts tell.
    #[must_use]
    pub fn verdict(&self, facts: &Facts) -> Option<bool> {
        self.root.verdict(facts, &[])
    }

    /// Whether anything is looked for that a [`Digest`](crate::mime::Digest) may tell.
    #[must_use]
    pub fn asks_digests(&self) -> bool {
        self.questions.iter().any(Question::is_of_digest)
    }

    /// How many strings are looked for in the texts of messages.
    #[must_use]
    pub fn strings(&self) -> usize {
        self.questions.iter().filter(|question| question.is_of_text()).count()
    }

    /// Begins to look at a message.
    #[must_use]
    pub fn matching(&self, facts: Facts) -> Matching<'_> {
        Matching {
            search: self,
            facts,
            answers: vec![None; self.questions.len()],
            window: Window::new(self.longest),
            text: String::new(),
            folded: Vec::new(),
        }
    }
}

impl Node {
    /// Recursion is as deep as the grammar lets keys nest.
    fn new(key: &SearchKey, scene: &Scene<'_>, questions: &mut Vec<Question>) -> Self {
        let Scene { view, keywords, now } = scene;
        let ago = |seconds: &u32| UnixSeconds(now.0.saturating_sub((*seconds).into()));
        let mut inner = |key: &SearchKey| Self::new(key, scene, &mut *questions);
        match key {
            SearchKey::All => Self::Constant(true),
            SearchKey::In(MessageSet { numbers: Numbers::Saved, .. }) => {
                Self::Uids(view.saved().to_vec())
            }
            SearchKey::In(MessageSet { uid: false, numbers: Numbers::Ranges(ranges) }) => {
                Self::Sequences(resolve_ranges(ranges, view.count()))
            }
            SearchKey::In(MessageSet { uid: true, numbers: Numbers::Ranges(ranges) }) => {
                Self::Uids(resolve_ranges(ranges, view.last_uid()))
            }
            SearchKey::Recent => Self::Uids(view.recent().to_vec()),
            SearchKey::System(bit, set) => Self::Flag(*bit, *set),
            // No message has a keyword that the mailbox does not know.
            SearchKey::Keyword(name, set) => match keywords.bit(name) {
                Some(bit) => Self::Flag(bit, *set),
                None => Self::Constant(!set),
            },
            SearchKey::Before(day) => Self::Before(*day),
            SearchKey::On(day) => Self::On(*day),
            SearchKey::Since(day) => Self::Since(*day),
            SearchKey::SavedBefore(day) => Self::SavedBefore(*day),
            SearchKey::SavedOn(day) => Self::SavedOn(*day),
            SearchKey::SavedSince(day) => Self::SavedSince(*day),
            SearchKey::EmailId(id) => id.map_or(Self::Constant(false), Self::Email),
            SearchKey::Older(seconds) => Self::Until(ago(seconds)),
            SearchKey::Younger(seconds) => Self::From(ago(seconds)),
            SearchKey::Larger(size) => Self::Larger(*size),
            SearchKey::Smaller(size) => Self::Smaller(*size),
            SearchKey::ModSeq(modseq) => Self::ModSeq(*modseq),
            SearchKey::SentBefore(day) => asked(questions, Question::SentBefore(*day)),
            SearchKey::SentOn(day) => asked(questions, Question::SentOn(*day)),
            SearchKey::SentSince(day) => asked(questions, Question::SentSince(*day)),
            SearchKey::Header(name, text) => {
                let needle = (!text.is_empty()).then(|| Needle::new(text));
                asked(questions, Question::Field(name.clone(), needle))
            }
            // Every text has the empty string in it.
            SearchKey::Body(text) | SearchKey::Text(text) if text.is_empty() => {
                Self::Constant(true)
            }
            SearchKey::Body(text) => asked(questions, Question::Body(Needle::new(text))),
            SearchKey::Text(text) => asked(questions, Question::Text(Needle::new(text))),
            SearchKey::Not(key) => Self::Not(Box::new(inner(key))),
            SearchKey::Or(one, other) => Self::Or(Box::new(inner(one)), Box::new(inner(other))),
            SearchKey::And(keys) => Self::And(keys.iter().map(inner).collect()),
        }
    }

    /// Lets pass whatever may satisfy it.
    fn filter(&self, questions: &[Question]) -> Filter {
        match self {
            Self::Asked(index) => questions.get(*index).map_or(Filter::Any, Question::filter),
            Self::Or(one, other) => Filter::one([one.filter(questions), other.filter(questions)]),
            Self::And(keys) => Filter::all(keys.iter().map(|key| key.filter(questions))),
            // What is not to be there tells nothing of what is, and facts are not asked here.
            _ => Filter::Any,
        }
    }

    fn asks(&self) -> Asks {
        match self {
            Self::Constant(_) | Self::Sequences(_) | Self::Uids(_) | Self::Asked(_) => {
                Asks::Numbers
            }
            Self::Flag(..) => Asks::Flags,
            Self::Not(key) => key.asks(),
            Self::Or(one, other) => one.asks().max(other.asks()),
            Self::And(keys) => keys.iter().map(Self::asks).max().unwrap_or(Asks::Numbers),
            _ => Asks::All,
        }
    }

    /// `None` where an answer that decides is missing.
    fn verdict(&self, facts: &Facts, answers: &[Option<bool>]) -> Option<bool> {
        Some(match self {
            Self::Constant(answer) => *answer,
            Self::Sequences(ranges) => contains(ranges, facts.sequence),
            Self::Uids(ranges) => contains(ranges, facts.uid),
            Self::Flag(bit, set) => facts.flags.has(*bit) == *set,
            Self::Before(day) => Day::of(facts.received) < *day,
            Self::On(day) => Day::of(facts.received) == *day,
            Self::Since(day) => Day::of(facts.received) >= *day,
            Self::SavedBefore(day) => Day::of(facts.saved) < *day,
            Self::SavedOn(day) => Day::of(facts.saved) == *day,
            Self::SavedSince(day) => Day::of(facts.saved) >= *day,
            Self::Email(id) => facts.email == *id,
            Self::Until(moment) => facts.received <= *moment,
            Self::From(moment) => facts.received >= *moment,
            Self::Larger(size) => facts.size > *size,
            Self::Smaller(size) => facts.size < *size,
            Self::ModSeq(modseq) => facts.modseq >= *modseq,
            Self::Asked(index) => answers.get(*index).copied().flatten()?,
            Self::Not(key) => !key.verdict(facts, answers)?,
            Self::Or(one, other) => {
                match (one.verdict(facts, answers), other.verdict(facts, answers)) {
                    (Some(true), _) | (_, Some(true)) => true,
                    (Some(false), Some(false)) => false,
                    _ => return None,
                }
            }
            Self::And(keys) => {
                let mut all = Some(true);
                for key in keys {
                    match key.verdict(facts, answers) {
                        Some(true) => {}
                        Some(false) => return Some(false),
                        None => all = None,
                    }
                }
                return all;
            }
        })
    }
}

impl Question {
    const fn is_of_text(&self) -> bool {
        matches!(self, Self::Body(_) | Self::Text(_))
    }

    fn filter(&self) -> Filter {
        match self {
            Self::Field(_, Some(needle)) | Self::Body(needle) | Self::Text(needle) => {
                Filter::has(trigrams::marks(needle.folded()))
            }
            Self::Field(_, None) | Self::SentBefore(_) | Self::SentOn(_) | Self::SentSince(_) => {
                Filter::Any
            }
        }
    }

    /// Whether the fields that are kept in a digest have the answer.
    fn is_of_digest(&self) -> bool {
        match self {
            Self::Field(name, _) => keeps(name),
            Self::SentBefore(_) | Self::SentOn(_) | Self::SentSince(_) => true,
            Self::Body(_) | Self::Text(_) => false,
        }
    }

    /// The answer of a message's own header, if it has one.
    fn ask(&self, header: &[u8], buffers: &mut (String, Vec<u8>)) -> Option<bool> {
        Some(match self {
            Self::Field(name, needle) => {
                fields(header).any(|field| field.is(name) && has(&field, needle.as_ref(), buffers))
            }
            // What names no day was sent on none.
            Self::SentBefore(day) => sent(header).is_some_and(|sent| sent < *day),
            Self::SentOn(day) => sent(header).is_some_and(|sent| sent == *day),
            Self::SentSince(day) => sent(header).is_some_and(|sent| sent >= *day),
            Self::Body(_) | Self::Text(_) => return None,
        })
    }
}

/// A message that is looked at.
#[derive(Debug)]
pub struct Matching<'s> {
    search: &'s Search,
    facts: Facts,
    answers: Vec<Option<bool>>,
    window: Window,
    text: String,
    folded: Vec<u8>,
}

impl Matching<'_> {
    /// Begins to look at another message, in the room of the last one.
    pub fn again(&mut self, facts: Facts) {
        self.facts = facts;
        self.answers.fill(None);
        self.window.clear();
    }

    /// Whether the message is among what is looked for, if that is known already.
    #[must_use]
    pub fn verdict(&self) -> Option<bool> {
        self.search.root.verdict(&self.facts, &self.answers)
    }

    /// Looks at the message's header.
    pub fn header(&mut self, header: &[u8]) {
        self.ask(header, |_| true);
    }

    /// Looks at what a [digest](crate::mime::Digest::header) keeps of the message's header.
    pub fn digest(&mut self, header: &[u8]) {
        self.ask(header, Question::is_of_digest);
    }

    fn ask(&mut self, header: &[u8], which: impl Fn(&Question) -> bool) {
        let mut buffers = (std::mem::take(&mut self.text), std::mem::take(&mut self.folded));
        for (question, answer) in self.search.questions.iter().zip(&mut self.answers) {
            if answer.is_none() && which(question) {
                *answer = question.ask(header, &mut buffers);
            }
        }
        (self.text, self.folded) = buffers;
    }

    /// Looks at the headers of all parts: `TEXT` is in any of them (RFC 9051 §6.4.4), the message's
    /// own among them.
    pub fn headers(&mut self, structure: &Structure) {
        if !self.search.questions.iter().any(|question| matches!(question, Question::Text(_))) {
            return;
        }
        let mut text = std::mem::take(&mut self.text);
        field_texts(structure, &mut text, |text| {
            self.window.clear();
            self.look(text, true);
        });
        self.text = text;
        self.window.clear();
    }

    /// Looks at the next piece of the text of a part.
    pub fn piece(&mut self, reader: &mut TextReader, bytes: &[u8]) {
        let mut text = std::mem::take(&mut self.text);
        for bytes in bytes.chunks(AT_ONCE) {
            text.clear();
            reader.push(bytes, &mut text);
            self.look(&text, false);
        }
        self.text = text;
    }

    /// The text of a part has ended.
    pub fn part_end(&mut self, reader: &mut TextReader) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        reader.finish(&mut text);
        self.look(&text, false);
        self.text = text;
        self.window.clear();
    }

    /// The message has been looked at: what was not found is not there.
    #[must_use]
    pub fn end(&mut self) -> bool {
        for answer in &mut self.answers {
            answer.get_or_insert(false);
        }
        self.verdict().unwrap_or(false)
    }

    /// Looks at a message that is at hand, as far as it decides.
    #[must_use]
    pub fn whole(&mut self, message: &[u8]) -> bool {
        self.header(message.get(..header_end(message)).unwrap_or(message));
        if let Some(verdict) = self.verdict() {
            return verdict;
        }
        let structure = Structure::of(message);
        self.headers(&structure);
        for part in structure.parts() {
            if let Some(verdict) = self.verdict() {
                return verdict;
            }
            let Some(mut reader) = TextReader::of(&structure, part) else { continue };
            let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
            let body = message.get(index(part.body.start)..index(part.body.end));
            self.piece(&mut reader, body.unwrap_or_default());
            self.part_end(&mut reader);
        }
        self.end()
    }

    /// Looks for what has not been found.
    fn look(&mut self, text: &str, header: bool) {
        if text.is_empty() {
            return;
        }
        self.window.push(text);
        for (question, answer) in self.search.questions.iter().zip(&mut self.answers) {
            let needle = match question {
                Question::Text(needle) => needle,
                Question::Body(needle) if !header => needle,
                _ => continue,
            };
            if answer.is_none() && self.window.has(needle) {
                *answer = Some(true);
            }
        }
    }
}

/// Gives each field of all headers, decoded, as it is looked through.
fn field_texts(structure: &Structure, buffer: &mut String, mut each: impl FnMut(&str)) {
    for part in structure.parts() {
        for field in fields(structure.header(part)) {
            buffer.clear();
            buffer.push_str(&String::from_utf8_lossy(field.name));
            buffer.push_str(": ");
            words::decode(field.value, buffer);
            each(buffer);
        }
    }
}

/// RFC 3501 §6.4.4: the day as it is written, whatever the time and zone.
fn sent(header: &[u8]) -> Option<Day> {
    let date = fields(header).find(|field| field.is(b"Date"))?;
    Some(Day::of(date::day(date.value)?.to_unix()))
}

fn asked(questions: &mut Vec<Question>, question: Question) -> Node {
    questions.push(question);
    Node::Asked(questions.len() - 1)
}

fn has(field: &Field<'_>, needle: Option<&Needle>, buffers: &mut (String, Vec<u8>)) -> bool {
    let Some(needle) = needle else { return true };
    let (text, folded) = buffers;
    text.clear();
    words::decode(field.value, text);
    needle.is_in(text, folded)
}

/// How many bytes of a text are decoded at once.
const AT_ONCE: usize = 16 << 10;

#[cfg(test)]
mod tests;
