//! Whole commands (RFC 3501 §6).

use super::append::{AppendMessage, read_append};
use super::fetch::{Item, items};
use super::list::{ListOptions, list};
use super::modifier::{
    FetchModifiers, SelectParams, fetch_modifiers, select_params, unchanged_since,
};
use super::primitive::{
    Text, astring, atom, byte, command_tag, end, list_mailbox, space, string, word,
};
use super::search::{Key, Program, SearchReturn, program};
use super::sequence::{Numbers, sequence_set};
use super::sort::{Criterion, sort};
use super::thread::{Algorithm, thread};
use super::{At, Miss, Read};
use crate::imap::command::Verb;
use crate::imap::enabled::Enabled;
use crate::imap::flags;

/// The beginning of a command: enough to know whether it may be given now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// The client's name for this command, given back in the reply.
    pub tag: &'a str,
    /// What is asked for; `None` if it is nothing that we know.
    pub verb: Option<Verb>,
    /// What follows the word, with the space before it.
    pub rest: &'a [u8],
}

/// A command with its arguments, borrowed from the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// Those without arguments: CAPABILITY NOOP LOGOUT STARTTLS NAMESPACE CHECK CLOSE UNSELECT
    /// EXPUNGE IDLE. Also ID, whose arguments change nothing here.
    Plain(Verb),
    /// `ENABLE capability …`: those of them that are known.
    Enable(Enabled),
    /// `LOGIN user password`.
    Login(Text<'a>, Text<'a>),
    /// `AUTHENTICATE mechanism [initial-response]`: the response still in base64 (RFC 4959 §7).
    Authenticate(&'a str, Option<&'a str>),
    /// `LIST [(selection)] reference pattern [RETURN (…)]`.
    List {
        /// What is put in front of the patterns.
        reference: Text<'a>,
        /// At least one; only one if there are no options.
        patterns: Vec<Text<'a>>,
        /// `None` if nothing is in it that RFC 3501 has not (RFC 5258 §3).
        options: Option<ListOptions>,
    },
    /// `LSUB reference pattern`.
    Lsub(Text<'a>, Text<'a>),
    /// `CREATE mailbox [(USE (…))]`.
    Create {
        /// Its name.
        mailbox: Text<'a>,
        /// What it is to be for (RFC 6154 §3), each without its backslash.
        uses: Vec<&'a str>,
    },
    /// `DELETE mailbox`.
    Delete(Text<'a>),
    /// `RENAME mailbox mailbox`.
    Rename(Text<'a>, Text<'a>),
    /// `SUBSCRIBE mailbox`, or `UNSUBSCRIBE` with `false`.
    Subscribe(Text<'a>, bool),
    /// `STATUS mailbox (items)`.
    Status(Text<'a>, Vec<StatusItem>),
    /// `SELECT mailbox [(parameters)]`, or `EXAMINE`.
    Select {
        /// Which mailbox.
        mailbox: Text<'a>,
        /// Whether it is EXAMINE.
        read_only: bool,
        /// What else is wanted.
        params: SelectParams,
    },
    /// `APPEND mailbox …` and `REPLACE number mailbox …`: up to the first message.
    Append {
        /// Whether the number is a UID.
        uid: bool,
        /// The message that goes with it: one number.
        replaces: Option<Numbers>,
        /// Where to.
        mailbox: Text<'a>,
        /// The first message.
        message: AppendMessage<'a>,
    },
    /// `SEARCH` and `UID SEARCH`.
    Search {
        /// Whether UIDs are to be told instead of sequence numbers.
        uid: bool,
        /// What is to be told, each once; `None` if the search is not an extended one (RFC 4731).
        returns: Option<Vec<SearchReturn>>,
        /// The charset of its strings, if named.
        charset: Option<Text<'a>>,
        /// What must hold.
        key: Key<'a>,
    },
    /// `SORT` and `UID SORT` (RFC 5256 §3).
    Sort {
        /// Whether UIDs are to be told instead of sequence numbers.
        uid: bool,
        /// What is to be told, each once; `None` if the sort is not an extended one (RFC 5267 §3).
        returns: Option<Vec<SearchReturn>>,
        /// By what, each key once, the first first; at least one.
        criteria: Vec<Criterion>,
        /// The charset of the key's strings.
        charset: Text<'a>,
        /// What must hold of the messages.
        key: Key<'a>,
    },
    /// `THREAD` and `UID THREAD` (RFC 5256 §3).
    Thread {
        /// Whether UIDs are to be told instead of sequence numbers.
        uid: bool,
        /// How.
        algorithm: Algorithm,
        /// The charset of the key's strings.
        charset: Text<'a>,
        /// What must hold of the messages.
        key: Key<'a>,
    },
    /// `FETCH` and `UID FETCH`.
    Fetch {
        /// Whether the set holds UIDs.
        uid: bool,
        /// Which messages.
        set: Numbers,
        /// What of each.
        items: Vec<Item<'a>>,
        /// Which of them only.
        modifiers: FetchModifiers,
    },
    /// `COPY` and `UID COPY`.
    Copy {
        /// Whether the set holds UIDs.
        uid: bool,
        /// Which messages.
        set: Numbers,
        /// To where.
        mailbox: Text<'a>,
    },
    /// `MOVE` and `UID MOVE` (RFC 6851 §4).
    Move {
        /// Whether the set holds UIDs.
        uid: bool,
        /// Which messages.
        set: Numbers,
        /// To where.
        mailbox: Text<'a>,
    },
    /// `UID EXPUNGE` (RFC 4315 §2.1): the set holds UIDs.
    UidExpunge(Numbers),
    /// `STORE` and `UID STORE`.
    Store {
        /// Whether the set holds UIDs.
        uid: bool,
        /// Which messages.
        set: Numbers,
        /// Only those that have no higher MODSEQ.
        unchanged_since: Option<u64>,
        /// What to do with the flags.
        mode: StoreMode,
        /// Whether the client does not want to be told the outcome.
        silent: bool,
        /// Which flags.
        flags: Vec<FlagRef<'a>>,
    },
}

/// What STATUS can be asked for (RFC 3501 §6.3.10, RFC 7162 §3.1.7, RFC 7889 §3, RFC 8438 §3,
/// RFC 8474 §4.3, RFC 9051 §6.3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the RFC")]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    AppendLimit,
    Size,
    HighestModSeq,
    Deleted,
    MailboxId,
}

/// What STORE does with the flags that it names (RFC 3501 §6.4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreMode {
    /// `FLAGS`: these and no others.
    Replace,
    /// `+FLAGS`.
    Add,
    /// `-FLAGS`.
    Remove,
}

/// A flag as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagRef<'a> {
    /// A system flag: its bit ([`flags`]).
    System(u64),
    /// A keyword.
    Keyword(&'a str),
}

/// Reads the tag and the word that follows it.
///
/// # Errors
/// The place where no tag, space or word was found.
pub fn head(input: &[u8]) -> Result<Head<'_>, At> {
    read_head(input).map(|(_, head)| head).map_err(|miss| at(&miss, input.len()))
}

/// The tag alone, if the line has one.
#[must_use]
pub fn tag(input: &[u8]) -> Option<&str> {
    command_tag(input).ok().map(|(_, tag)| tag)
}

/// Reads what follows the word of `verb`, of a command that is `whole` bytes long.
///
/// # Errors
/// The place, counted from the beginning of the command, where the arguments went wrong.
pub fn arguments<'a>(verb: Verb, rest: &'a [u8], whole: usize) -> Result<Request<'a>, At> {
    let read = || {
        let (rest, request) = read_arguments(verb, rest)?;
        let (_, ()) = end(rest)?;
        Ok(request)
    };
    read().map_err(|miss| at(&miss, whole))
}

/// Reads a whole command.
///
/// # Errors
/// The place where it went wrong; of a word that names no command, the word's.
pub fn command(input: &[u8]) -> Result<(&str, Request<'_>), At> {
    let head = head(input)?;
    let Some(verb) = head.verb else {
        return Err(At { offset: head.tag.len() + 1, expected: "a command" });
    };
    Ok((head.tag, arguments(verb, head.rest, input.len())?))
}

pub(super) fn at(miss: &nom::Err<Miss<'_>>, whole: usize) -> At {
    match miss {
        nom::Err::Error(miss) | nom::Err::Failure(miss) => miss.at(whole),
        nom::Err::Incomplete(_) => At { offset: whole, expected: "more" },
    }
}

fn read_head(input: &[u8]) -> Read<'_, Head<'_>> {
    let (rest, tag) = command_tag(input)?;
    let (rest, ()) = space(rest)?;
    let (after, word) = command_word(rest)?;
    if !word.eq_ignore_ascii_case("UID") {
        return Ok((after, Head { tag, verb: Verb::named(word), rest: after }));
    }
    let (rest, ()) = space(after)?;
    let (after, word) = command_word(rest)?;
    Ok((after, Head { tag, verb: Verb::uid_named(word), rest: after }))
}

fn command_word(input: &[u8]) -> Read<'_, &str> {
    let miss = || Miss::error(input, "a command");
    let looked_at = input.get(..WORD_BYTES_MAX).unwrap_or(input);
    let (_, word) = atom(looked_at).map_err(|_| miss())?;
    Ok((input.get(word.len()..).unwrap_or_default(), word))
}

fn read_arguments(verb: Verb, input: &[u8]) -> Read<'_, Request<'_>> {
    match verb {
        Verb::Capability
        | Verb::Noop
        | Verb::Logout
        | Verb::StartTls
        | Verb::Namespace
        | Verb::Check
        | Verb::Close
        | Verb::Unselect
        | Verb::Expunge
        | Verb::Idle => Ok((input, Request::Plain(verb))),
        Verb::Login => pair(input, astring, Request::Login),
        Verb::Authenticate => authenticate(input),
        Verb::Id => spaced(input, id_params),
        Verb::Enable => enable(input),
        Verb::Compress => compress(input),
        Verb::List => list(input),
        Verb::Lsub => pair(input, list_mailbox, Request::Lsub),
        Verb::Rename => pair(input, astring, Request::Rename),
        Verb::Create => create(input),
        Verb::Delete => mailbox(input, Request::Delete),
        Verb::Subscribe => mailbox(input, |name| Request::Subscribe(name, true)),
        Verb::Unsubscribe => mailbox(input, |name| Request::Subscribe(name, false)),
        Verb::Status => status(input),
        Verb::Select => select(input, false),
        Verb::Examine => select(input, true),
        Verb::Append | Verb::Replace | Verb::UidReplace => read_append(verb, input),
        Verb::Search | Verb::UidSearch => {
            let (rest, Program { returns, charset, key }) = spaced(input, program)?;
            Ok((rest, Request::Search { uid: verb == Verb::UidSearch, returns, charset, key }))
        }
        Verb::Sort | Verb::UidSort => {
            let (rest, (criteria, program)) = spaced(input, sort)?;
            let Program { returns, charset, key } = program;
            let charset = charset.unwrap_or_default();
            let uid = verb == Verb::UidSort;
            Ok((rest, Request::Sort { uid, returns, criteria, charset, key }))
        }
        Verb::Thread | Verb::UidThread => {
            let (rest, (algorithm, Program { charset, key, .. })) = spaced(input, thread)?;
            let charset = charset.unwrap_or_default();
            Ok((rest, Request::Thread { uid: verb == Verb::UidThread, algorithm, charset, key }))
        }
        Verb::Fetch | Verb::UidFetch => {
            let (rest, set) = spaced(input, sequence_set)?;
            let (rest, items) = spaced(rest, items)?;
            let uid = verb == Verb::UidFetch;
            let (rest, modifiers) = fetch_modifiers(rest, uid)?;
            Ok((rest, Request::Fetch { uid, set, items, modifiers }))
        }
        Verb::Store | Verb::UidStore => store(input, verb == Verb::UidStore),
        Verb::UidExpunge => {
            spaced(input, sequence_set).map(|(rest, set)| (rest, Request::UidExpunge(set)))
        }
        Verb::Copy | Verb::UidCopy | Verb::Move | Verb::UidMove => {
            let (rest, set) = spaced(input, sequence_set)?;
            let uid = matches!(verb, Verb::UidCopy | Verb::UidMove);
            mailbox(rest, |mailbox| match verb {
                Verb::Copy | Verb::UidCopy => Request::Copy { uid, set, mailbox },
                _ => Request::Move { uid, set, mailbox },
            })
        }
    }
}

fn mailbox<'a>(
    input: &'a [u8],
    make: impl FnOnce(Text<'a>) -> Request<'a>,
) -> Read<'a, Request<'a>> {
    spaced(input, astring).map(|(rest, name)| (rest, make(name)))
}

/// `create` (RFC 4466 §2.2), of whose parameters there is `USE` (RFC 6154 §6).
fn create(input: &[u8]) -> Read<'_, Request<'_>> {
    let (rest, mailbox) = spaced(input, astring)?;
    let Ok((rest, ())) = space(rest) else {
        return Ok((rest, Request::Create { mailbox, uses: Vec::new() }));
    };
    let (rest, ()) = byte(rest, b'(', "an opening parenthesis")?;
    let (rest, ()) = word(rest, "USE")?;
    let (rest, ()) = space(rest)?;
    let (mut rest, ()) = byte(rest, b'(', "an opening parenthesis")?;
    let mut uses = Vec::new();
    while rest.first() != Some(&b')') {
        if uses.len() == USES_MAX {
            return Err(Miss::error(rest, "at most 16 uses"));
        }
        if !uses.is_empty() {
            (rest, ()) = space(rest)?;
        }
        let (after, ()) = byte(rest, b'\\', "a use with its backslash")?;
        let (after, name) = atom(after)?;
        uses.push(name);
        rest = after;
    }
    let (rest, ()) = byte(rest, b')', "a closing parenthesis")?;
    let (rest, ()) = byte(rest, b')', "a closing parenthesis")?;
    Ok((rest, Request::Create { mailbox, uses }))
}

fn pair<'a>(
    input: &'a [u8],
    second: impl Fn(&'a [u8]) -> Read<'a, Text<'a>>,
    make: impl FnOnce(Text<'a>, Text<'a>) -> Request<'a>,
) -> Read<'a, Request<'a>> {
    let (rest, first) = spaced(input, astring)?;
    let (rest, second) = spaced(rest, second)?;
    Ok((rest, make(first, second)))
}

fn authenticate(input: &[u8]) -> Read<'_, Request<'_>> {
    let (rest, name) = spaced(input, atom)?;
    if rest.is_empty() {
        return Ok((rest, Request::Authenticate(name, None)));
    }
    // All of base64 may stand in an atom.
    let (rest, initial) = spaced(rest, atom)?;
    Ok((rest, Request::Authenticate(name, Some(initial))))
}

/// `compress` (RFC 4978 §5): another algorithm is an error of grammar, and there BAD (RFC 4978 §3).
fn compress(input: &[u8]) -> Read<'_, Request<'_>> {
    let (after, ()) = space(input)?;
    let (rest, algorithm) = atom(after)?;
    if !algorithm.eq_ignore_ascii_case("DEFLATE") {
        return Err(Miss::error(after, "DEFLATE"));
    }
    Ok((rest, Request::Plain(Verb::Compress)))
}

/// `enable` (RFC 5161 §5): names of capabilities.
fn enable(input: &[u8]) -> Read<'_, Request<'_>> {
    let (mut rest, first) = spaced(input, atom)?;
    let mut asked = Enabled::named(first);
    while !rest.is_empty() {
        let (after, next) = spaced(rest, atom)?;
        asked = asked.with(Enabled::named(next));
        rest = after;
    }
    Ok((rest, Request::Enable(asked)))
}

/// `id-params-list` (RFC 2971 §4): `NIL`, or fields and values within the limits of §3.3. They are
/// for statistics, which nobody makes here, and nothing else may depend on them (§2): read and
/// forgotten.
fn id_params(input: &[u8]) -> Read<'_, Request<'_>> {
    if let Ok((rest, ())) = word(input, "NIL") {
        return Ok((rest, Request::Plain(Verb::Id)));
    }
    let (mut rest, ()) = byte(input, b'(', "NIL or an opening parenthesis")?;
    for place in 0..ID_FIELDS_MAX {
        if let Some((b')', after)) = rest.split_first() {
            return Ok((after, Request::Plain(Verb::Id)));
        }
        if place > 0 {
            (rest, ()) = space(rest)?;
        }
        let (after, field) = string(rest)?;
        if field.len() > ID_FIELD_BYTES_MAX {
            return Err(Miss::error(rest, "a field of at most 30 bytes"));
        }
        (rest, ()) = space(after)?;
        if let Ok((after, ())) = word(rest, "NIL") {
            rest = after;
            continue;
        }
        let (after, value) = string(rest)?;
        if value.len() > ID_VALUE_BYTES_MAX {
            return Err(Miss::error(rest, "a value of at most 1024 bytes"));
        }
        rest = after;
    }
    let (rest, ()) = byte(rest, b')', "at most 30 fields")?;
    Ok((rest, Request::Plain(Verb::Id)))
}

fn spaced<'a, T>(input: &'a [u8], then: impl Fn(&'a [u8]) -> Read<'a, T>) -> Read<'a, T> {
    let (rest, ()) = space(input)?;
    then(rest)
}

fn select(input: &[u8], read_only: bool) -> Read<'_, Request<'_>> {
    let (rest, mailbox) = spaced(input, astring)?;
    let (rest, params) = select_params(rest)?;
    Ok((rest, Request::Select { mailbox, read_only, params }))
}

fn status(input: &[u8]) -> Read<'_, Request<'_>> {
    let (rest, mailbox) = spaced(input, astring)?;
    let (rest, items) = spaced(rest, status_items)?;
    Ok((rest, Request::Status(mailbox, items)))
}

pub(super) fn status_items(input: &[u8]) -> Read<'_, Vec<StatusItem>> {
    let (mut rest, ()) = byte(input, b'(', "an opening parenthesis")?;
    let mut items = Vec::with_capacity(STATUS_ITEMS.len());
    loop {
        let (after, name) = atom(rest)?;
        let item = STATUS_ITEMS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .ok_or_else(|| Miss::error(rest, "a status item"))?
            .1;
        // Told once each, so the list is never longer than there are items.
        if !items.contains(&item) {
            items.push(item);
        }
        match after.split_first() {
            Some((b')', after)) => return Ok((after, items)),
            Some((b' ', after)) => rest = after,
            _ => return Err(Miss::error(after, "a space or closing parenthesis")),
        }
    }
}

fn store(input: &[u8], uid: bool) -> Read<'_, Request<'_>> {
    let (rest, set) = spaced(input, sequence_set)?;
    let (rest, unchanged_since) = unchanged_since(rest)?;
    let (rest, ()) = space(rest)?;
    let (rest, mode) = match rest.split_first() {
        Some((b'+', rest)) => (rest, StoreMode::Add),
        Some((b'-', rest)) => (rest, StoreMode::Remove),
        _ => (rest, StoreMode::Replace),
    };
    let (rest, ()) = word(rest, "FLAGS")?;
    let (rest, silent) = match word(rest, ".SILENT") {
        Ok((rest, ())) => (rest, true),
        Err(_) => (rest, false),
    };
    let (rest, ()) = space(rest)?;
    let (rest, flags) = match rest.first() {
        Some(b'(') => flag_list(rest)?,
        _ => flags_until(rest, None)?,
    };
    Ok((rest, Request::Store { uid, set, unchanged_since, mode, silent, flags }))
}

pub(super) fn flag_list(input: &[u8]) -> Read<'_, Vec<FlagRef<'_>>> {
    let (rest, ()) = byte(input, b'(', "an opening parenthesis")?;
    match rest.split_first() {
        Some((b')', after)) => Ok((after, Vec::new())),
        _ => flags_until(rest, Some(b')')),
    }
}

/// Flags with one space between them, up to the closing byte, if there is to be one.
fn flags_until(input: &[u8], close: Option<u8>) -> Read<'_, Vec<FlagRef<'_>>> {
    let (mut rest, first) = flag(input)?;
    let mut flags = vec![first];
    loop {
        match (rest.split_first(), close) {
            (Some((b' ', after)), _) => {
                let (after, next) = flag(after)?;
                if flags.len() == flags::NAMED_MAX {
                    return Err(Miss::error(rest, "at most 64 flags"));
                }
                flags.push(next);
                rest = after;
            }
            (_, None) => return Ok((rest, flags)),
            (Some((last, after)), Some(close)) if *last == close => return Ok((after, flags)),
            _ => return Err(Miss::error(rest, "a space or closing parenthesis")),
        }
    }
}

/// `flag` (RFC 3501 §9). `\Recent` is not among them: only the server sets it (§2.3.2). Other
/// flags with a backslash are for standards to come, so a client that sends one is in error.
fn flag(input: &[u8]) -> Read<'_, FlagRef<'_>> {
    match input.split_first() {
        Some((b'\\', rest)) => {
            let miss = || Miss::error(input, "a flag that clients may set");
            let (after, name) = atom(rest).map_err(|_| miss())?;
            let bit = flags::system(name).ok_or_else(miss)?;
            Ok((after, FlagRef::System(bit)))
        }
        _ => {
            let (rest, name) = atom(input).map_err(|_| Miss::error(input, "a flag"))?;
            if name.len() > flags::KEYWORD_BYTES_MAX {
                return Err(Miss::error(input, "a keyword of at most 64 bytes"));
            }
            Ok((rest, FlagRef::Keyword(name)))
        }
    }
}

/// RFC 2971 §3.3.
const ID_FIELDS_MAX: usize = 30;
const ID_FIELD_BYTES_MAX: usize = 30;
const ID_VALUE_BYTES_MAX: usize = 1024;
/// There are fewer to be had.
const USES_MAX: usize = 16;
/// No command's name comes near it.
const WORD_BYTES_MAX: usize = 32;
const STATUS_ITEMS: [(&str, StatusItem); 10] = [
    ("MESSAGES", StatusItem::Messages),
    ("RECENT", StatusItem::Recent),
    ("UIDNEXT", StatusItem::UidNext),
    ("UIDVALIDITY", StatusItem::UidValidity),
    ("UNSEEN", StatusItem::Unseen),
    ("APPENDLIMIT", StatusItem::AppendLimit),
    ("SIZE", StatusItem::Size),
    ("HIGHESTMODSEQ", StatusItem::HighestModSeq),
    ("DELETED", StatusItem::Deleted),
    ("MAILBOXID", StatusItem::MailboxId),
];
