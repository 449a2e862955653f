//! What a server says (RFC 3501 §7), written straight into the buffer where it is sent from.
//!
//! Nothing is allocated. Each function writes a whole line, except [`Fetch`], which is written item
//! by item, so that large contents can follow in pieces.

use super::command::{BinaryItem, BodyItem};
use super::enabled::Enabled;
use super::flags::{FlagBits, Keywords, SYSTEM};
use super::grammar::{
    Fields, Origin, Partial, SectionText, StatusItem, Which, atom_char, write_number,
};
use super::name::{MailboxName, Spelling};
use super::object::{EmailId, MailboxId};
use crate::mime::Structure;
use crate::wire::date::ImapDate;
use crate::{Outbox, UnixSeconds};

mod code;
#[cfg(test)]
mod digest;
mod envelope;
mod found;
mod structure;

pub use code::{Code, CopyUid};
pub use found::{extended_search, search, sort};

/// Where responses go.
pub trait Sink {
    /// Appends these bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for Outbox {
    fn put(&mut self, bytes: &[u8]) {
        self.push(bytes);
    }
}

/// A space and a `uid-set` (RFC 4315 §4) or a `sequence-set` without `*` (RFC 3501 §9).
fn number_set(ranges: impl IntoIterator<Item = (u32, u32)>, out: &mut impl Sink) {
    for (index, (first, last)) in ranges.into_iter().enumerate() {
        out.put(if index == 0 { b" " } else { b"," });
        decimal(first.into(), out);
        if last > first {
            out.put(b":");
            decimal(last.into(), out);
        }
    }
}

/// `* OK [code] text`.
pub fn ok(code: Code<'_>, text: &str, out: &mut impl Sink) {
    out.put(b"* OK ");
    code.write(out);
    plain_text(text, out);
    out.put(b"\r\n");
}

/// `* OK [INPROGRESS (tag done goal)]` (RFC 9585 §4): how many of how many items a command has dealt
/// with; `done` is less than the goal. Never a tagged answer.
pub fn in_progress(tag: &str, done: u32, goal: Option<u32>, out: &mut impl Sink) {
    out.put(b"* OK [INPROGRESS (");
    // RFC 9585 §4: a tag that would end the code is not told.
    if tag.is_empty() || tag.contains(']') {
        out.put(b"NIL ");
    } else {
        // RFC 3501 §9: nothing in a tag needs a backslash.
        out.put(b"\"");
        out.put(tag.as_bytes());
        out.put(b"\" ");
    }
    decimal(done.into(), out);
    out.put(b" ");
    match goal {
        Some(goal) => decimal(goal.into(), out),
        None => out.put(b"NIL"),
    }
    out.put(b")] still at it\r\n");
}

/// `* n EXISTS`: how many messages there are.
pub fn exists(count: u32, out: &mut impl Sink) {
    numbered(count, b" EXISTS\r\n", out);
}

/// `* n RECENT`: how many of them no other session was told of before this one.
pub fn recent(count: u32, out: &mut impl Sink) {
    numbered(count, b" RECENT\r\n", out);
}

/// `* n EXPUNGE`: this one is gone, and those behind it move up by one.
pub fn expunge(sequence: u32, out: &mut impl Sink) {
    numbered(sequence, b" EXPUNGE\r\n", out);
}

/// `* VANISHED …` (RFC 7162 §3.2.10): the messages with these UIDs are gone, in ranges that ascend
/// and have both ends in them. With `earlier`, they were gone when the mailbox was opened, and no
/// numbers change.
pub fn vanished(earlier: bool, uids: impl IntoIterator<Item = (u32, u32)>, out: &mut impl Sink) {
    out.put(if earlier { b"* VANISHED (EARLIER)" } else { b"* VANISHED" });
    number_set(uids, out);
    out.put(b"\r\n");
}

/// `* FLAGS (…)`: all flags that messages of this mailbox may have.
pub fn flags(keywords: &Keywords, out: &mut impl Sink) {
    out.put(b"* FLAGS (");
    flag_names(false, FlagBits(u64::MAX), keywords, out);
    out.put(b")\r\n");
}

/// `* OK [PERMANENTFLAGS (…)] …`: which flags the client may change for good: none, or all;
/// `\*` says that it may make new keywords.
pub fn permanent_flags(keywords: Option<&Keywords>, out: &mut impl Sink) {
    out.put(b"* OK [PERMANENTFLAGS ");
    match keywords {
        None => out.put(b"()] read-only"),
        Some(keywords) => {
            out.put(b"(");
            flag_names(false, FlagBits(u64::MAX), keywords, out);
            if keywords.len() < super::flags::KEYWORDS_MAX {
                out.put(b" \\*");
            }
            out.put(b")] limited");
        }
    }
    out.put(b"\r\n");
}

/// `* LIST (attributes) "/" name`: a mailbox. Attributes come with their backslash.
pub fn list(attributes: &[&str], name: &MailboxName, spelling: Spelling, out: &mut impl Sink) {
    list_extended(attributes, name, &[], spelling, out);
}

/// The same as an extended LIST is answered: with the options that chose names below this one, if
/// the client is to hear of them (RFC 5258 §3.5).
pub fn list_extended(
    attributes: &[&str],
    name: &MailboxName,
    child_info: &[&str],
    spelling: Spelling,
    out: &mut impl Sink,
) {
    out.put(b"* LIST (");
    listed(attributes, name, spelling, out);
    for (index, option) in child_info.iter().enumerate() {
        out.put(if index == 0 { &b" (\"CHILDINFO\" ("[..] } else { b" " });
        string(option.as_bytes(), out);
    }
    out.put(if child_info.is_empty() { &b"\r\n"[..] } else { b"))\r\n" });
}

/// `* LSUB (attributes) "/" name`: a name subscribed to.
pub fn lsub(attributes: &[&str], name: &MailboxName, spelling: Spelling, out: &mut impl Sink) {
    out.put(b"* LSUB (");
    listed(attributes, name, spelling, out);
    out.put(b"\r\n");
}

fn listed(attributes: &[&str], name: &MailboxName, spelling: Spelling, out: &mut impl Sink) {
    for (index, attribute) in attributes.iter().enumerate() {
        if index > 0 {
            out.put(b" ");
        }
        out.put(attribute.as_bytes());
    }
    out.put(b") \"/\" ");
    mailbox(name, spelling, out);
}

/// The answer to LIST with an empty pattern: the hierarchy delimiter (RFC 3501 §6.3.8).
pub fn list_delimiter(out: &mut impl Sink) {
    out.put(b"* LIST (\\Noselect) \"/\" \"\"\r\n");
}

/// `* NAMESPACE …` (RFC 2342 §5): all mailboxes are the user's own, and none of their names begins
/// with a prefix.
pub fn namespace(out: &mut impl Sink) {
    out.put(b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
}

/// `* ID ("name" …)` (RFC 2971 §3.2): what this program is called, and no more.
pub fn id(name: &str, out: &mut impl Sink) {
    out.put(b"* ID (\"name\" ");
    string(name.as_bytes(), out);
    out.put(b")\r\n");
}

/// `* ENABLED …` (RFC 5161 §3.2): what a command has switched on.
pub fn enabled(extensions: Enabled, out: &mut impl Sink) {
    out.put(b"* ENABLED");
    for name in extensions.names() {
        out.put(b" ");
        out.put(name.as_bytes());
    }
    out.put(b"\r\n");
}

/// `* STATUS name (…)`.
pub fn status(
    name: &MailboxName,
    items: &[(StatusItem, u64)],
    spelling: Spelling,
    out: &mut impl Sink,
) {
    out.put(b"* STATUS ");
    mailbox(name, spelling, out);
    out.put(b" (");
    for (index, (item, value)) in items.iter().enumerate() {
        if index > 0 {
            out.put(b" ");
        }
        out.put(match item {
            StatusItem::Messages => b"MESSAGES ",
            StatusItem::Recent => b"RECENT ",
            StatusItem::UidNext => b"UIDNEXT ",
            StatusItem::UidValidity => b"UIDVALIDITY ",
            StatusItem::Unseen => b"UNSEEN ",
            StatusItem::AppendLimit => b"APPENDLIMIT ",
            StatusItem::Size => b"SIZE ",
            StatusItem::HighestModSeq => b"HIGHESTMODSEQ ",
            StatusItem::Deleted => b"DELETED ",
            StatusItem::MailboxId => b"MAILBOXID ",
        });
        match item {
            StatusItem::MailboxId => write(format_args!("({})", MailboxId(*value)), out),
            _ => decimal(*value, out),
        }
    }
    out.put(b")\r\n");
}

/// One `* n FETCH (…)`, written item by item. It can be kept while the content of a literal is
/// sent in pieces.
///
/// ```
/// use pillarbox_core::imap::response::Fetch;
/// let mut out = Vec::new();
/// let mut fetch = Fetch::begin(2, &mut out);
/// fetch.uid(7, &mut out);
/// fetch.size(44, &mut out);
/// fetch.end(&mut out);
/// assert_eq!(out, b"* 2 FETCH (UID 7 RFC822.SIZE 44)\r\n");
/// ```
#[derive(Debug)]
#[must_use = "a response that is not ended makes what follows unreadable"]
pub struct Fetch {
    /// Whether the next item needs a space in front.
    follows: bool,
}

impl Fetch {
    /// Begins the response for the message of this number.
    pub fn begin(sequence: u32, out: &mut impl Sink) -> Self {
        numbered(sequence, b" FETCH (", out);
        Self { follows: false }
    }

    /// `FLAGS (…)`, with `\Recent` if the message is recent to this session.
    pub fn flags(
        &mut self,
        flags: FlagBits,
        recent: bool,
        keywords: &Keywords,
        out: &mut impl Sink,
    ) {
        self.name(if recent { b"FLAGS (\\Recent" } else { b"FLAGS (" }, out);
        flag_names(recent, flags, keywords, out);
        out.put(b")");
    }

    /// `UID n`.
    pub fn uid(&mut self, uid: u32, out: &mut impl Sink) {
        self.name(b"UID ", out);
        decimal(uid.into(), out);
    }

    /// `INTERNALDATE "…"`, in UTC.
    pub fn internal_date(&mut self, date: UnixSeconds, out: &mut impl Sink) {
        self.name(b"INTERNALDATE \"", out);
        write(format_args!("{}", ImapDate(date)), out);
        out.put(b"\"");
    }

    /// `SAVEDATE "…"`, in UTC (RFC 8514 §4.2).
    pub fn save_date(&mut self, date: UnixSeconds, out: &mut impl Sink) {
        self.name(b"SAVEDATE \"", out);
        write(format_args!("{}\"", ImapDate(date)), out);
    }

    /// `EMAILID (…)` (RFC 8474 §5.3).
    pub fn email_id(&mut self, id: EmailId, out: &mut impl Sink) {
        self.name(b"EMAILID ", out);
        write(format_args!("({id})"), out);
    }

    /// `THREADID NIL`: messages are not put together across mailboxes (RFC 8474 §5.2).
    pub fn no_thread_id(&mut self, out: &mut impl Sink) {
        self.name(b"THREADID NIL", out);
    }

    /// `RFC822.SIZE n`, in bytes.
    pub fn size(&mut self, bytes: u64, out: &mut impl Sink) {
        self.name(b"RFC822.SIZE ", out);
        decimal(bytes, out);
    }

    /// `MODSEQ (n)` (RFC 7162 §3.1.4.2).
    pub fn modseq(&mut self, modseq: u64, out: &mut impl Sink) {
        self.name(b"MODSEQ (", out);
        decimal(modseq, out);
        out.put(b")");
    }

    /// `ENVELOPE (…)`: what a message's header says of it.
    pub fn envelope(&mut self, header: &[u8], out: &mut impl Sink) {
        self.name(b"ENVELOPE ", out);
        envelope::write(header, out);
    }

    /// `BODYSTRUCTURE (…)` if `extended`, else `BODY (…)`: of which parts a message consists.
    pub fn structure(&mut self, structure: &Structure, extended: bool, out: &mut impl Sink) {
        self.name(if extended { b"BODYSTRUCTURE " } else { b"BODY " }, out);
        structure::write(structure, structure.root(), extended, out);
    }

    /// `PREVIEW text`, or `NIL` where it is not at hand and was asked for lazily (RFC 8970 §4.1).
    pub fn preview(&mut self, text: Option<&str>, out: &mut impl Sink) {
        self.name(b"PREVIEW ", out);
        nstring(text.map(str::as_bytes), out);
    }

    /// A section whose bytes are at hand: those of the piece asked for, if one was.
    pub fn body(&mut self, item: &BodyItem, bytes: &[u8], out: &mut impl Sink) {
        self.body_head(item, u64::try_from(bytes.len()).unwrap_or(u64::MAX), out);
        out.put(bytes);
    }

    /// A section of which exactly `length` bytes will be appended by the caller before anything
    /// else.
    pub fn body_head(&mut self, item: &BodyItem, length: u64, out: &mut impl Sink) {
        self.name(b"", out);
        section_name(item, out);
        out.put(b" {");
        decimal(length, out);
        out.put(b"}\r\n");
    }

    /// A decoded part of which exactly `length` bytes will be appended by the caller before
    /// anything else; `nul` says that there is one among them, which only a `literal8` can hold
    /// (RFC 3516 §4.3).
    pub fn binary_head(&mut self, item: &BinaryItem, length: u64, nul: bool, out: &mut impl Sink) {
        self.name(b"BINARY[", out);
        part_name(&item.part, out);
        out.put(b"]");
        origin(item.partial, out);
        out.put(if nul { b" ~{" } else { b" {" });
        decimal(length, out);
        out.put(b"}\r\n");
    }

    /// `BINARY.SIZE[…] n`: how many bytes a part has once it is decoded.
    pub fn binary_size(&mut self, part: &[u32], bytes: u64, out: &mut impl Sink) {
        self.name(b"BINARY.SIZE[", out);
        part_name(part, out);
        out.put(b"] ");
        decimal(bytes, out);
    }

    /// Ends the response.
    pub fn end(self, out: &mut impl Sink) {
        out.put(b")\r\n");
    }

    fn name(&mut self, name: &[u8], out: &mut impl Sink) {
        if self.follows {
            out.put(b" ");
        }
        self.follows = true;
        out.put(name);
    }
}

/// A string with quotes, or as a literal where quotes cannot hold it.
pub fn string(text: &[u8], out: &mut impl Sink) {
    if !text.iter().all(|byte| matches!(byte, 0x20..=0x7E)) {
        out.put(b"{");
        decimal(u64::try_from(text.len()).unwrap_or(u64::MAX), out);
        out.put(b"}\r\n");
        out.put(text);
        return;
    }
    quoted(text, out);
}

/// A string with quotes, of bytes that may stand within them.
fn quoted(text: &[u8], out: &mut impl Sink) {
    out.put(b"\"");
    let mut rest = text;
    while let Some(place) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        let (plain, special) = rest.split_at_checked(place).unwrap_or((rest, &[]));
        out.put(plain);
        out.put(b"\\");
        out.put(special.get(..1).unwrap_or_default());
        rest = special.get(1..).unwrap_or_default();
    }
    out.put(rest);
    out.put(b"\"");
}

/// A string, or `NIL` for none (RFC 3501 §4.5).
fn nstring(text: Option<&[u8]>, out: &mut impl Sink) {
    match text {
        Some(text) => string(text, out),
        None => out.put(b"NIL"),
    }
}

/// A string without quotes where none are needed.
fn astring(text: &[u8], out: &mut impl Sink) {
    if !text.is_empty() && text.iter().all(|byte| atom_char(*byte)) {
        out.put(text);
    } else {
        string(text, out);
    }
}

/// RFC 9051 §9, RFC 6855 §3: UTF-8 may stand in quotes for those who have said that they know it.
fn mailbox(name: &MailboxName, spelling: Spelling, out: &mut impl Sink) {
    let spelled = name.spelled(spelling);
    if spelled.is_ascii() {
        astring(spelled.as_bytes(), out);
    } else {
        quoted(spelled.as_bytes(), out);
    }
}

fn section_name(item: &BodyItem, out: &mut impl Sink) {
    match item.which {
        Which::Rfc822 => out.put(b"RFC822"),
        Which::Header => out.put(b"RFC822.HEADER"),
        Which::Text => out.put(b"RFC822.TEXT"),
        // RFC 3501 §6.4.5: the answer to BODY.PEEK is named BODY.
        Which::Body | Which::Peek => {
            out.put(b"BODY[");
            part_name(&item.section.part, out);
            if !item.section.part.is_empty() && item.section.text != SectionText::Whole {
                out.put(b".");
            }
            match &item.section.text {
                SectionText::Whole => {}
                SectionText::Header => out.put(b"HEADER"),
                SectionText::Text => out.put(b"TEXT"),
                SectionText::Mime => out.put(b"MIME"),
                SectionText::Fields(fields, names) => {
                    out.put(match fields {
                        Fields::These => b"HEADER.FIELDS (",
                        Fields::Not => b"HEADER.FIELDS.NOT (",
                    });
                    for (index, name) in names.iter().enumerate() {
                        if index > 0 {
                            out.put(b" ");
                        }
                        astring(name.as_bytes(), out);
                    }
                    out.put(b")");
                }
            }
            out.put(b"]");
            origin(item.partial, out);
        }
    }
}

fn part_name(part: &[u32], out: &mut impl Sink) {
    for (index, number) in part.iter().enumerate() {
        if index > 0 {
            out.put(b".");
        }
        decimal((*number).into(), out);
    }
}

/// The answer names where the piece begins, but not how long it was to be.
fn origin(partial: Option<Partial>, out: &mut impl Sink) {
    if let Some(partial) = partial {
        let Origin(origin) = partial.origin;
        out.put(b"<");
        decimal(origin, out);
        out.put(b">");
    }
}

/// The names of flags; `follows` says that one stands before them.
fn flag_names(mut follows: bool, flags: FlagBits, keywords: &Keywords, out: &mut impl Sink) {
    let mut name = |before: &[u8], name: &str| {
        if follows {
            out.put(b" ");
        }
        follows = true;
        out.put(before);
        out.put(name.as_bytes());
    };
    SYSTEM.iter().filter(|(_, bit)| flags.has(*bit)).for_each(|(known, _)| name(b"\\", known));
    if flags.0 >> super::flags::FIRST_KEYWORD != 0 {
        keywords.iter().filter(|(_, bit)| flags.has(*bit)).for_each(|(known, _)| name(b"", known));
    }
}

fn numbered(number: u32, what: &[u8], out: &mut impl Sink) {
    out.put(b"* ");
    decimal(number.into(), out);
    out.put(what);
}

/// Text for people: what would end the line or is not ASCII is left out.
pub(super) fn plain_text(text: &str, out: &mut impl Sink) {
    for piece in text.split(|character: char| !matches!(character, ' '..='~')) {
        out.put(piece.as_bytes());
    }
}

pub(super) fn decimal(value: u64, out: &mut impl Sink) {
    write_number(value, |digits| out.put(digits));
}

fn write(arguments: std::fmt::Arguments<'_>, out: &mut impl Sink) {
    struct Adapter<'a, S>(&'a mut S);
    impl<S: Sink> std::fmt::Write for Adapter<'_, S> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.put(text.as_bytes());
            Ok(())
        }
    }
    // Writing to a buffer does not fail.
    let _ = std::fmt::Write::write_fmt(&mut Adapter(out), arguments);
}

#[cfg(test)]
mod tests;
