//! Commands as the owner is told them: owned, checked, and decoded.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::flags::{FlagBits, FlagNames};
use super::grammar::{
    self, Algorithm, Criterion, FetchModifiers, Field, FlagRef, Item, ListOptions, Numbers,
    Partial, Request, SearchReturn, Section, SectionText, SelectParams, StatusItem, StoreMode,
    Text, Which,
};
use super::name::{ListPattern, MailboxName, NameError, Spelling};
use crate::UnixSeconds;

pub use super::verb::Verb;
pub use key::SearchKey;

mod key;

/// A command for the owner. What the machine answers alone (CAPABILITY, ENABLE, ID, LOGOUT,
/// NAMESPACE) is not here, nor APPEND, which comes in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Tell what has changed, and finish. CHECK (RFC 3501 §6.4.1) is the same to an owner to whom
    /// what is answered is durable.
    Noop,
    /// Finish with OK, then begin TLS.
    StartTls,
    /// Finish with OK, then compress all that follows (RFC 4978).
    Compress,
    /// Log in with a password.
    Login {
        /// The user's name.
        user: String,
        /// The password.
        password: Password,
    },
    /// Begin an exchange of this SASL mechanism (upper case).
    Authenticate {
        /// Its name, such as `PLAIN`.
        mechanism: String,
        /// The client's first message, if it did not wait for the challenge (RFC 4959).
        initial: Option<Initial>,
    },
    /// Tell the mailboxes that match.
    List {
        /// At least one; only one if there are no options.
        patterns: Vec<ListPattern>,
        /// `None` for LIST as it is in RFC 3501 §6.3.8.
        options: Option<ListOptions>,
    },
    /// Tell the names that match among those subscribed to.
    Lsub(ListPattern),
    /// Make a mailbox, and those above it that are missing.
    Create {
        /// Its name.
        mailbox: MailboxName,
        /// What it is to be for, as the client says it without the backslash (RFC 6154 §3): each
        /// once, in any case.
        uses: Vec<Box<str>>,
    },
    /// Remove a mailbox with all that is in it; not those below it. If it is the open one, call
    /// [`Server::deselect`](super::Server::deselect).
    Delete(MailboxName),
    /// Give a mailbox, and those below it, another name.
    Rename {
        /// Which.
        from: MailboxName,
        /// Its name from now on.
        to: MailboxName,
    },
    /// Tell how much mail there is of a quota root, and how much there may be (RFC 9208 §4.1.1).
    GetQuota {
        /// Which.
        root: Box<[u8]>,
    },
    /// Tell the same of the quota roots of a mailbox, and which they are (RFC 9208 §4.1.2).
    GetQuotaRoot(MailboxName),
    /// Change limits, which no user of ours may.
    SetQuota,
    /// Subscribe to a name, or no longer.
    Subscribe {
        /// Which. There may be no such mailbox.
        mailbox: MailboxName,
        /// Whether it is to be subscribed to.
        on: bool,
    },
    /// Tell these numbers of a mailbox.
    Status {
        /// Which mailbox.
        mailbox: MailboxName,
        /// Which numbers, each once.
        items: Vec<StatusItem>,
    },
    /// Open a mailbox; the one that was open is closed first, whatever comes of it.
    Select {
        /// Which mailbox.
        mailbox: MailboxName,
        /// Whether nothing may be changed in it: EXAMINE.
        read_only: bool,
        /// What else is wanted.
        params: SelectParams,
    },
    /// Tell changes as they come, until the client has enough.
    Idle,
    /// Remove the messages marked as deleted without telling (not if read-only); close the mailbox.
    Close,
    /// Close the mailbox and change nothing (RFC 3691).
    Unselect,
    /// Remove the messages marked as deleted, and tell.
    Expunge,
    /// The same, only among these (RFC 4315 §2.1).
    UidExpunge(MessageSet),
    /// Put copies of messages into another mailbox, or the same.
    Copy {
        /// Which messages.
        set: MessageSet,
        /// To where.
        mailbox: MailboxName,
    },
    /// The same, and remove the originals (RFC 6851).
    Move {
        /// Which messages.
        set: MessageSet,
        /// To where.
        mailbox: MailboxName,
    },
    /// Tell which messages satisfy the key.
    Search {
        /// Whether UIDs are to be told.
        uid: bool,
        /// What is to be told of them, each once, by
        /// [`extended_search`](super::response::extended_search); `None` for all in a plain
        /// [`search`](super::response::search).
        returns: Option<Vec<SearchReturn>>,
        /// What must hold. Where that cannot be known, the answer is NO with
        /// [`Code::BadCharset`](super::response::Code::BadCharset), and nothing is saved any more
        /// (RFC 5182 §2.1).
        key: Result<SearchKey, UnknownCharset>,
    },
    /// Tell which messages satisfy the key, in an order.
    Sort {
        /// Whether UIDs are to be told.
        uid: bool,
        /// As of [`Search`](Self::Search); `None` for a plain
        /// [`sort`](super::response::sort).
        returns: Option<Vec<SearchReturn>>,
        /// By what they are sorted, each key once, the first first; at least one.
        criteria: Vec<Criterion>,
        /// As of [`Search`](Self::Search).
        key: Result<SearchKey, UnknownCharset>,
    },
    /// Tell which messages satisfy the key, as threads.
    Thread {
        /// Whether UIDs are to be told.
        uid: bool,
        /// How messages become threads.
        algorithm: Algorithm,
        /// As of [`Search`](Self::Search).
        key: Result<SearchKey, UnknownCharset>,
    },
    /// Tell something of messages.
    Fetch {
        /// Which messages.
        set: MessageSet,
        /// What of each. `UID FETCH` always has [`Field::Uid`] among it (RFC 3501 §6.4.8).
        items: Vec<FetchItem>,
        /// Which of them only. With a CHANGEDSINCE [`Field::ModSeq`] is among the items
        /// (RFC 7162 §3.1.4.1).
        modifiers: FetchModifiers,
    },
    /// Change flags of messages.
    Store {
        /// Which messages.
        set: MessageSet,
        /// Those that have a higher MODSEQ stay as they are, and are told by
        /// [`Code::Modified`](super::response::Code::Modified) (RFC 7162 §3.1.3).
        unchanged_since: Option<u64>,
        /// What to do with the flags.
        mode: StoreMode,
        /// Whether the client does not want to be told the outcome.
        silent: bool,
        /// Which flags.
        flags: FlagNames,
    },
}

impl Command {
    /// The owned form of what was read, with names of mailboxes in this spelling. What the machine
    /// answers alone, and APPEND, have none: `None`.
    ///
    /// # Errors
    /// What cannot be done with a command that is well formed.
    pub fn from_request(request: Request<'_>, spelling: Spelling) -> Result<Option<Self>, Refusal> {
        let mailbox_name = |sent: &Text<'_>| MailboxName::read(sent, spelling);
        Ok(Some(match request {
            Request::Plain(verb) => return Ok(Self::plain(verb)),
            Request::Append { .. } | Request::Enable(_) => return Ok(None),
            Request::Login(user, password) => {
                Self::Login { user: utf8(user)?, password: Password(utf8(password)?) }
            }
            Request::Authenticate(name, initial) => Self::Authenticate {
                mechanism: name.to_ascii_uppercase(),
                initial: initial.map(Initial::read).transpose()?,
            },
            Request::List { reference, patterns, options } => {
                let read = |pattern: &Text<'_>| ListPattern::read(&reference, pattern, spelling);
                let patterns = patterns.iter().map(read).collect::<Result<_, _>>()?;
                Self::List { patterns, options }
            }
            Request::Lsub(reference, pattern) => {
                Self::Lsub(ListPattern::read(&reference, &pattern, spelling)?)
            }
            Request::Create { mailbox, uses } => {
                let mailbox = MailboxName::read_new(&mailbox, spelling)?;
                Self::Create { mailbox, uses: own_uses(&uses) }
            }
            Request::Delete(name) => Self::Delete(mailbox_name(&name)?),
            Request::GetQuota(root) => Self::GetQuota { root: root.into_owned().into() },
            Request::GetQuotaRoot(name) => Self::GetQuotaRoot(mailbox_name(&name)?),
            Request::SetQuota => Self::SetQuota,
            Request::Rename(from, to) => Self::Rename {
                from: mailbox_name(&from)?,
                to: MailboxName::read_new(&to, spelling)?,
            },
            Request::Subscribe(name, on) => Self::Subscribe { mailbox: mailbox_name(&name)?, on },
            Request::Status(mailbox, items) => {
                Self::Status { mailbox: mailbox_name(&mailbox)?, items }
            }
            Request::Select { mailbox, read_only, params } => {
                Self::Select { mailbox: mailbox_name(&mailbox)?, read_only, params }
            }
            Request::Copy { uid, set, mailbox } => Self::Copy {
                set: MessageSet { uid, numbers: set },
                mailbox: mailbox_name(&mailbox)?,
            },
            Request::Move { uid, set, mailbox } => Self::Move {
                set: MessageSet { uid, numbers: set },
                mailbox: mailbox_name(&mailbox)?,
            },
            Request::UidExpunge(set) => Self::UidExpunge(MessageSet { uid: true, numbers: set }),
            Request::Search { uid, returns, charset, key } => {
                Self::Search { uid, returns, key: SearchKey::read(charset.as_deref(), key) }
            }
            Request::Sort { uid, returns, criteria, charset, key } => {
                Self::Sort { uid, returns, criteria, key: SearchKey::read(Some(&charset), key) }
            }
            Request::Thread { uid, algorithm, charset, key } => {
                Self::Thread { uid, algorithm, key: SearchKey::read(Some(&charset), key) }
            }
            Request::Fetch { uid, set, items, modifiers } => {
                let items = own_items(items, uid, modifiers.changed_since.is_some());
                Self::Fetch { set: MessageSet { uid, numbers: set }, items, modifiers }
            }
            Request::Store { uid, set, unchanged_since, mode, silent, flags } => Self::Store {
                set: MessageSet { uid, numbers: set },
                unchanged_since,
                mode,
                silent,
                flags: own_flags(flags),
            },
        }))
    }

    /// Whether it says that the client knows MODSEQs: a "CONDSTORE enabling command"
    /// (RFC 7162 §3.1).
    #[must_use]
    pub fn knows_modseqs(&self) -> bool {
        let status = |items: &[StatusItem]| items.contains(&StatusItem::HighestModSeq);
        match self {
            Self::Select { params, .. } => params.condstore,
            Self::Status { items, .. } => status(items),
            Self::List { options: Some(options), .. } => status(&options.status),
            Self::Fetch { items, .. } => items.contains(&FetchItem::Field(Field::ModSeq)),
            Self::Search { key: Ok(key), .. }
            | Self::Sort { key: Ok(key), .. }
            | Self::Thread { key: Ok(key), .. } => key.asks_modseq(),
            Self::Store { unchanged_since, .. } => unchanged_since.is_some(),
            _ => false,
        }
    }

    /// Whether it may be given only after ENABLE QRESYNC (RFC 7162 §3.2.3).
    #[must_use]
    pub const fn needs_qresync(&self) -> bool {
        match self {
            Self::Select { params, .. } => params.qresync.is_some(),
            Self::Fetch { modifiers, .. } => modifiers.vanished,
            _ => false,
        }
    }

    const fn plain(verb: Verb) -> Option<Self> {
        match verb {
            Verb::Noop | Verb::Check => Some(Self::Noop),
            Verb::StartTls => Some(Self::StartTls),
            Verb::Idle => Some(Self::Idle),
            Verb::Compress => Some(Self::Compress),
            Verb::Close => Some(Self::Close),
            Verb::Unselect => Some(Self::Unselect),
            Verb::Expunge => Some(Self::Expunge),
            _ => None,
        }
    }
}

/// The beginning of an APPEND, or of a REPLACE: all but the messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The one message of the open mailbox that goes when the new one comes (RFC 8508 §3.4).
    pub replaces: Option<MessageSet>,
    /// Where to.
    pub mailbox: MailboxName,
    /// What is said of the first message. Only APPEND can have others (RFC 3502, RFC 8508 §4.7).
    pub message: AppendMessage,
}

/// What is said of one message of an APPEND.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendMessage {
    /// Its flags.
    pub flags: FlagNames,
    /// Its internal date, if not the present.
    pub date: Option<UnixSeconds>,
    /// How many bytes it will have; never 0.
    pub size: u64,
    /// Whether NUL may be among them (RFC 3516 §4.4).
    pub binary: bool,
    /// Whether the client says that there is UTF-8 in its header (RFC 6855 §4).
    pub utf8: bool,
}

impl Append {
    /// The owned form of what was read; `None` if it is another command.
    ///
    /// # Errors
    /// A mailbox name that cannot be.
    pub fn from_request(request: Request<'_>, spelling: Spelling) -> Result<Option<Self>, Refusal> {
        let Request::Append { uid, replaces, mailbox, message } = request else {
            return Ok(None);
        };
        Ok(Some(Self {
            replaces: replaces.map(|numbers| MessageSet { uid, numbers }),
            mailbox: MailboxName::read(&mailbox, spelling)?,
            message: message.into(),
        }))
    }
}

impl From<grammar::AppendMessage<'_>> for AppendMessage {
    fn from(read: grammar::AppendMessage<'_>) -> Self {
        let grammar::AppendMessage { flags, date, size, binary, utf8 } = read;
        Self { flags: own_flags(flags), date, size, binary, utf8 }
    }
}

/// Why a well-formed command cannot be carried out, before anybody tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A mailbox name that cannot be.
    Name(NameError),
    /// A user name or password that is not UTF-8.
    Utf8,
    /// A first message of AUTHENTICATE that is not base64.
    Base64,
}

/// A search in a charset other than US-ASCII and UTF-8, or for a string that is of neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCharset;

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

/// A password, which nothing prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// The first message of a SASL exchange, decoded; nothing prints it, for it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Initial(pub Vec<u8>);

impl Initial {
    /// RFC 4959 §3: one `=` stands for an empty message.
    fn read(sent: &str) -> Result<Self, Refusal> {
        let sent = if sent == "=" { "" } else { sent };
        STANDARD.decode(sent).map(Self).map_err(|_| Refusal::Base64)
    }
}

impl fmt::Debug for Initial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Initial")
    }
}

/// Messages by number. What the numbers mean, only the session's view knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSet {
    /// Whether they are UIDs, not sequence numbers.
    pub uid: bool,
    /// The numbers, as written.
    pub numbers: Numbers,
}

/// One item of FETCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    /// A fact told without reading the message.
    Field(Field),
    /// Bytes of the message.
    Body(BodyItem),
    /// Bytes of a part, decoded.
    Binary(BinaryItem),
    /// How many bytes there are of this part once it is decoded.
    BinarySize(Vec<u32>),
    /// What its header says of it.
    Envelope,
    /// Of which parts it consists.
    Structure {
        /// Whether to tell what `BODYSTRUCTURE` has and `BODY` has not.
        extended: bool,
    },
    /// Its first words (RFC 8970).
    Preview {
        /// Only if nothing has to be read for it.
        lazy: bool,
    },
}

impl FetchItem {
    /// Whether telling it sets `\Seen` (RFC 3501 §6.4.5, RFC 3516 §4.2).
    #[must_use]
    pub const fn sets_seen(&self) -> bool {
        match self {
            Self::Body(item) => item.sets_seen(),
            Self::Binary(item) => !item.peek,
            Self::Field(_)
            | Self::BinarySize(_)
            | Self::Envelope
            | Self::Structure { .. }
            | Self::Preview { .. } => false,
        }
    }
}

/// Bytes of a part, decoded (RFC 3516 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinaryItem {
    /// Whether `\Seen` is not set.
    pub peek: bool,
    /// The numbers of the part; none for the message itself, which is not encoded.
    pub part: Vec<u32>,
    /// Which piece of what is decoded.
    pub partial: Option<Partial>,
}

/// Bytes of a message that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyItem {
    /// How it was asked for, and so how the answer is named.
    pub which: Which,
    /// Which bytes.
    pub section: BodySection,
    /// Which piece of them.
    pub partial: Option<Partial>,
}

impl BodyItem {
    /// Whether reading it sets `\Seen` (RFC 3501 §6.4.5).
    #[must_use]
    pub const fn sets_seen(&self) -> bool {
        matches!(self.which, Which::Body | Which::Rfc822 | Which::Text)
    }
}

/// Which bytes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodySection {
    /// The numbers of a part; none for the message itself.
    pub part: Vec<u32>,
    /// What of it.
    pub text: SectionText<Box<str>>,
}

fn utf8(text: Text<'_>) -> Result<String, Refusal> {
    String::from_utf8(text.into_owned()).map_err(|_| Refusal::Utf8)
}

/// RFC 3501 §6.4.4: US-ASCII must be known.
fn known_charset(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"UTF-8") || name.eq_ignore_ascii_case(b"US-ASCII")
}

fn own_items(items: Vec<Item<'_>>, uid: bool, modseq: bool) -> Vec<FetchItem> {
    let mut owned: Vec<_> = items.into_iter().map(own_item).collect();
    let told = FetchItem::Field(Field::Uid);
    if uid && !owned.contains(&told) {
        owned.insert(0, told);
    }
    let told = FetchItem::Field(Field::ModSeq);
    if modseq && !owned.contains(&told) {
        owned.push(told);
    }
    owned
}

fn own_item(item: Item<'_>) -> FetchItem {
    match item {
        Item::Field(field) => FetchItem::Field(field),
        Item::Envelope => FetchItem::Envelope,
        Item::Structure { extended } => FetchItem::Structure { extended },
        Item::Preview { lazy } => FetchItem::Preview { lazy },
        Item::Body { which, section, partial } => {
            FetchItem::Body(BodyItem { which, section: own_section(section), partial })
        }
        Item::Binary { peek, part, partial } => {
            FetchItem::Binary(BinaryItem { peek, part, partial })
        }
        Item::BinarySize(part) => FetchItem::BinarySize(part),
    }
}

fn own_section(section: Section<'_>) -> BodySection {
    let text = match section.text {
        SectionText::Whole => SectionText::Whole,
        SectionText::Header => SectionText::Header,
        SectionText::Text => SectionText::Text,
        SectionText::Mime => SectionText::Mime,
        SectionText::Fields(fields, names) => {
            // The grammar lets only ASCII through, so nothing is lost.
            let own = |name: &Text<'_>| String::from_utf8_lossy(name).into();
            SectionText::Fields(fields, names.iter().map(own).collect())
        }
    };
    BodySection { part: section.part, text }
}

/// Each once, whatever its case.
fn own_uses(uses: &[&str]) -> Vec<Box<str>> {
    let mut own: Vec<Box<str>> = Vec::new();
    for name in uses {
        if !own.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            own.push((*name).into());
        }
    }
    own
}

fn own_flags(flags: Vec<FlagRef<'_>>) -> FlagNames {
    let mut owned = FlagNames::default();
    for flag in flags {
        match flag {
            FlagRef::System(bit) => owned.system = FlagBits(owned.system.0 | bit),
            FlagRef::Keyword(name) => {
                if !owned.keywords.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    owned.keywords.push(name.into());
                }
            }
        }
    }
    owned
}
