//! Jobs that only look, and their answers.

use std::fmt;
use std::sync::Arc;

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::search::trigrams::Filter;

use crate::{
    AccountId, AccountKey, Address, Addressee, AliasInfo, Attempt, DkimKey, DmarcSeen, Due, Flags,
    HoldId, HoldRule, KeyHolder, Keyword, MailboxId, QueueCounts, QueueRead, Queued, Quota,
    Routing, Secret, Special, Storage, StsPolicy, Suppressed, Try, UidRange,
};

/// A question, as a value. [`Reader::read`](crate::Reader::read) answers it from one snapshot;
/// each names the [`Found`] that answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// About what leaves. Answer: as [`QueueRead`] says.
    Queue(QueueRead),
    /// Who gets what is sent to an address? The first of these: whose it is, be that an account or
    /// an alias; whose it is without what follows a separator; who gets what is nobody's in the
    /// domain. Postmaster (RFC 5321 §4.5.1) is always somebody: at last the account of that name,
    /// or the one that was there first. Answer: [`Found::Addressee`], or the error
    /// [`NoSuchAddress`](crate::StoreError::NoSuchAddress) or
    /// [`NotOurDomain`](crate::StoreError::NotOurDomain).
    Resolve {
        /// To whom.
        to: Address,
        /// From whom; `None` for the null sender.
        from: Option<Address>,
        /// How.
        routing: Routing,
    },
    /// As which of these addresses may an account not send? It may as its own addresses, with or
    /// without what follows a separator; as an alias that allows it to its members; and as what is
    /// nobody's in a domain whose catch-all it is. Answer: [`Found::Foreign`].
    Foreign {
        /// Who wants to.
        account: AccountId,
        /// Local part and domain of each, as in [`Address`].
        addresses: Vec<(String, String)>,
        /// Each of these characters begins what is left out of a local part that is nobody's.
        separators: String,
    },
    /// Against what is a password checked? Answer: [`Found::Credentials`], or the error
    /// [`NoSuchAccount`](crate::StoreError::NoSuchAccount).
    Credentials {
        /// An account's name, or one of its addresses (a catch-all is nobody's address).
        login: String,
    },
    /// Who might be meant by a local part, whatever stands behind the @: the account of this name,
    /// else the first that has such an address. Answer: [`Found::Namesake`].
    Namesake {
        /// The local part, or an account's name.
        localpart: String,
    },
    /// Who has logged in to an account or tried to, the newest first. Answer: [`Found::Logins`].
    Logins {
        /// Which.
        account: AccountId,
        /// How many of the newest are left out.
        skip: usize,
        /// As in [`Accounts`](Self::Accounts).
        count_max: usize,
    },
    /// Whether somebody has logged in to an account from a network within the time that attempts
    /// are kept. Answer: [`Found::KnowsNetwork`].
    KnowsNetwork {
        /// Which account.
        account: AccountId,
        /// As [`Attempt::network`] has it.
        network: String,
    },
    /// All mailboxes that an account owns. Answer: [`Found::Mailboxes`], ordered by name.
    Mailboxes {
        /// Whose.
        account: AccountId,
    },
    /// All names that an account has subscribed to, whether or not mailboxes have them.
    /// Answer: [`Found::Subscriptions`], ordered by name.
    Subscriptions {
        /// Whose.
        account: AccountId,
    },
    /// The mailbox with this name. Answer: [`Found::Mailbox`].
    MailboxByName {
        /// Whose.
        account: AccountId,
        /// `INBOX` in any case (RFC 9051 §5.1), all else to the letter.
        name: String,
    },
    /// What SELECT tells. Answer: [`Found::Selected`].
    Select {
        /// Who asks.
        by: AccountId,
        /// Which.
        mailbox: MailboxId,
        /// UIDVALIDITY and modification sequence up to which the asker knows the mailbox.
        since: Option<(u32, u64)>,
    },
    /// What STATUS tells. Answer: [`Found::Status`].
    Status {
        /// Who asks.
        by: AccountId,
        /// Which.
        mailbox: MailboxId,
    },
    /// How much mail an account has and may have. Answer: [`Found::Storage`].
    Storage {
        /// Whose.
        account: AccountId,
    },
    /// How many bytes the messages with `\Deleted` have (RFC 9208 §4.1.4).
    /// Answer: [`Found::DeletedStorage`].
    DeletedStorage {
        /// Who asks.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
    },
    /// How many messages are still to be told as recent (RFC 3501 §2.3.2).
    /// Answer: [`Found::Recent`].
    Recent {
        /// Who asks.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
        /// Up to this UID they are known to have been claimed, though the store may not know it.
        above: u32,
    },
    /// What became different after a modification sequence. Answer: [`Found::Changes`].
    Changes {
        /// Who asks.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
        /// What the asker knows already.
        since: u64,
    },
    /// Messages in ascending order of UID. Answer: [`Found::Messages`].
    Messages {
        /// Who asks.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
        /// Which; those that are not there are passed over.
        uids: Vec<UidRange>,
        /// Only those with a higher UID: 0, or what [`Messages::more`] said.
        after: u32,
        /// At most this many messages in one answer; at least 1.
        count_max: usize,
        /// What about them.
        what: What,
        /// Expunged and not yet purged ones too.
        also_expunged: bool,
    },
    /// Which messages may be found by a search, as the index of texts has it: never fewer than are
    /// found. Answer: [`Found::Candidates`].
    Candidates {
        /// Who asks.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
        /// What they must have.
        filter: Filter,
    },
    /// The flags of all messages of a mailbox, expunged ones that are kept too. Answer:
    /// [`Found::FlagRuns`].
    FlagRuns {
        /// Who asks.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
    },
    /// A piece of a message. Answer: [`Found::Bytes`].
    Bytes {
        /// Who asks.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
        /// Which.
        uid: u32,
        /// Where the piece begins in the message.
        offset: u64,
        /// Its length; fewer bytes only at the message's end.
        count: usize,
        /// Also if it is expunged and not yet purged.
        also_expunged: bool,
    },
    /// Whether a domain is one of ours. Answer: [`Found::Ours`].
    IsOurs {
        /// Case is no difference, nor whether it is written with A-labels or U-labels.
        domain: String,
    },
    /// Whose key this is. Answer: [`Found::KeyHolder`].
    KeyHolder {
        /// The SHA-256 of the public key.
        fingerprint: [u8; 32],
    },
    /// Which capabilities an account's clients are not told of. Answer: [`Found::Hidden`].
    Hidden {
        /// Whose.
        account: AccountId,
    },
    /// The keys by which a domain signs, by selector; none if it is not ours. Answer:
    /// [`Found::DkimKeys`].
    DkimKeys {
        /// Whose.
        domain: String,
    },
    /// What was found of messages of one day, for reports by DMARC: ascending by domain. Answer:
    /// [`Found::DmarcSeen`].
    DmarcSeen {
        /// Its first second, in UTC.
        day: UnixSeconds,
        /// So many are left out.
        skip: usize,
        /// At most so many.
        count_max: usize,
    },
    /// How much there is, for metrics. Answer: [`Found::Counts`].
    Counts,
    /// One account, for its operator. Answer: [`Found::Accounts`] with this one.
    Account {
        /// Which.
        account: AccountId,
    },
    /// Accounts, ordered by name. Answer: [`Found::Accounts`].
    Accounts {
        /// Only those with a later name: empty, or the last name of the answer before.
        after: String,
        /// At most this many; fewer say that there are no more.
        count_max: usize,
        /// With their secrets.
        secrets: bool,
    },
    /// Aliases, ordered by domain and local part. Answer: [`Found::Aliases`].
    Aliases {
        /// Only those with a later domain and local part: both empty, or those of the last of the
        /// answer before.
        after: Address,
        /// As in [`Accounts`](Self::Accounts).
        count_max: usize,
    },
    /// Domains of ours, ordered by name. Answer: [`Found::Domains`].
    Domains {
        /// As in [`Accounts`](Self::Accounts).
        after: String,
        /// As in [`Accounts`](Self::Accounts).
        count_max: usize,
    },
}

/// What [`Read::Messages`] tells of each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// [`Facts`] only.
    Facts,
    /// Facts, and of each the digest that is kept of it.
    Digest,
    /// Facts, and the bytes of those that are not too large; of the others the digest.
    Text {
        /// Larger messages come without bytes, to be read with [`Read::Bytes`].
        each_max: u64,
        /// The answer ends before the message with which it would hold more bytes than this; one
        /// message is always given.
        all_max: u64,
    },
    /// Facts, and the first bytes of each message: mostly all of its header.
    Start {
        /// How many bytes, where the message has as many.
        bytes_max: u64,
        /// As of [`Text`](Self::Text).
        all_max: u64,
    },
}

/// The answer to a [`Read`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Those that are not its own, by their place in the question.
    Foreign(Vec<usize>),
    /// Who gets mail for an address; and the account whose address the sender's is, be it right or
    /// not that the sender claims it.
    Addressee(Addressee, Option<AccountId>),
    /// An account and its secrets.
    Credentials(Credentials),
    /// An account and its secrets, if there is one.
    Namesake(Option<Credentials>),
    /// Logins and attempts at them.
    Logins(Vec<Attempt>),
    /// Their names in capitals.
    Hidden(Vec<String>),
    /// Whose key it is, if anybody's.
    KeyHolder(Option<KeyHolder>),
    /// Whether it is known.
    KnowsNetwork(bool),
    /// Mailboxes.
    Mailboxes(Vec<MailboxInfo>),
    /// Names.
    Subscriptions(Vec<String>),
    /// One mailbox.
    Mailbox(MailboxInfo),
    /// A mailbox as SELECT tells it.
    Selected(Selected),
    /// A mailbox's numbers.
    Status(Status),
    /// How many messages.
    Recent(u64),
    /// How much there is and may be; `None` where there is no limit.
    Storage(Option<Storage>),
    /// How many bytes.
    DeletedStorage(u64),
    /// What is different.
    Changes(Changes),
    /// Messages.
    Messages(Messages),
    /// Messages, expunged ones too, ascending; `None`: any.
    Candidates(Option<Vec<UidRange>>),
    /// All messages, ascending.
    FlagRuns(Arc<[FlagRun]>),
    /// A piece of a message.
    Bytes(Vec<u8>),
    /// Whether it is.
    Ours(bool),
    /// Keys.
    DkimKeys(Vec<DkimKey>),
    /// What was found.
    DmarcSeen(Vec<DmarcSeen>),
    /// Totals.
    Counts(Counts),
    /// Accounts.
    Accounts(Vec<AccountInfo>),
    /// Domains.
    Domains(Vec<DomainInfo>),
    /// Aliases.
    Aliases(Vec<AliasInfo>),
    /// Domains for which something is due.
    Destinations(Vec<String>),
    /// What is due.
    Due(Vec<Due>),
    /// When something is due.
    NextDue(Option<UnixSeconds>),
    /// What waits or has left.
    Queued(Vec<Queued>),
    /// Attempts, each with what came of it.
    Tries(Vec<(Try, String)>),
    /// Rules by which mail is held.
    Holds(Vec<(HoldId, HoldRule)>),
    /// Addresses to which nothing is sent.
    Suppressed(Vec<Suppressed>),
    /// What is kept of a policy.
    StsPolicy(Option<StsPolicy>),
    /// Totals of what waits.
    QueueCounts(QueueCounts),
}

/// An account as its operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountInfo {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Local part and domain of each of its addresses, by domain.
    pub addresses: Vec<(String, String)>,
    /// How many mailboxes it has.
    pub mailboxes: u64,
    /// How many messages are in them.
    pub messages: u64,
    /// Their sizes, each counted in full though bodies are shared.
    pub bytes: u64,
    /// How many bytes they may have.
    pub quota: Quota,
    /// It is out of use: nobody can log in, and mail is refused.
    pub disabled: bool,
    /// Its keys, the oldest first.
    pub keys: Vec<AccountKey>,
    /// The capabilities that its clients are not told of, in capitals, by name.
    pub hidden: Vec<String>,
    /// Empty where they were not asked for.
    pub secrets: Vec<Secret>,
}

/// A domain as its operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainInfo {
    /// Its name.
    pub name: String,
    /// How many addresses it has.
    pub addresses: u64,
    /// The name of the account that gets what is nobody's.
    pub catch_all: Option<String>,
    /// Accounts with an address there may log in with CRAM-MD5.
    pub cram_md5: bool,
}

/// Who somebody is who proves to know the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// What a password is checked against; may be empty, and is for an account that is disabled.
    pub secrets: Vec<Secret>,
}

/// A mailbox in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxInfo {
    /// Its id.
    pub id: MailboxId,
    /// Its name, in UTF-8.
    pub name: String,
    /// What it is for.
    pub special: Option<Special>,
}

/// A mailbox's numbers (RFC 9051 §6.3.11). Expunged messages do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// UIDVALIDITY.
    pub uidvalidity: u32,
    /// UIDNEXT.
    pub uidnext: u32,
    /// HIGHESTMODSEQ (RFC 7162 §3.1.2.1).
    pub highestmodseq: u64,
    /// MESSAGES.
    pub messages: u64,
    /// UNSEEN.
    pub unseen: u64,
    /// DELETED.
    pub deleted: u64,
    /// SIZE, in bytes.
    pub bytes: u64,
}

/// A mailbox as a session needs it to number its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Its name, in UTF-8.
    pub name: String,
    /// Its numbers.
    pub status: Status,
    /// The highest UID that was claimed as recent ([`Write::Claim`](crate::Write::Claim)).
    pub claimed: u32,
    /// The UIDs in it, ascending, as runs without gaps.
    pub uids: Vec<UidRange>,
    /// Its keywords, by ascending bit.
    pub keywords: Vec<Keyword>,
    /// The lowest UID without `\Seen`.
    pub first_unseen: Option<u32>,
    /// What has changed since the asker was there, if it knows this UIDVALIDITY.
    pub changes: Option<Changes>,
}

/// What happened in a mailbox after a modification sequence. Applied to what was known at that
/// point, this gives the mailbox as it is at [`modseq`](Self::modseq).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The mailbox's modification sequence now: the next `since`.
    pub modseq: u64,
    /// Messages that came and are still there, ascending.
    pub new: Vec<FlagState>,
    /// Messages that were there and have other flags now, ascending.
    pub changed: Vec<FlagState>,
    /// Messages that went, ascending. Some may be unknown to the asker, or known to be gone: those
    /// that came and went since; and all that ever went, where the asker was
    /// away for longer than is remembered.
    pub vanished: Vec<UidRange>,
    /// All keywords of the mailbox, by ascending bit: new flags may need new names.
    pub keywords: Vec<Keyword>,
}

/// The flags of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagState {
    /// Which.
    pub uid: u32,
    /// Its flags.
    pub flags: Flags,
    /// Its modification sequence.
    pub modseq: u64,
}

/// Messages with UIDs that follow one another, and the same flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagRun {
    /// The lowest UID.
    pub first: u32,
    /// The highest UID.
    pub last: u32,
    /// The flags of each.
    pub flags: Flags,
    /// They are expunged, and kept for those who still number them.
    pub expunged: bool,
}

/// Messages, as many as fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages {
    /// Ascending.
    pub messages: Vec<Message>,
    /// There may be more: ask again with `after` set to this.
    pub more: Option<u32>,
}

/// One message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// What is known without reading it.
    pub facts: Facts,
    /// Its bytes, where they were asked for and are not too many.
    pub text: Option<Vec<u8>>,
    /// What [`Digest::read`](pillarbox_core::mime::Digest::read) reads, where it was asked for
    /// and has been made.
    pub digest: Option<Vec<u8>>,
}

/// What is known of a message without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its UID.
    pub uid: u32,
    /// Its flags.
    pub flags: Flags,
    /// Its modification sequence.
    pub modseq: u64,
    /// Its size in bytes: prefix and body.
    pub size: u64,
    /// When it was received, or what the client that appended it says.
    pub internaldate: UnixSeconds,
    /// When it came into this mailbox (RFC 8514).
    pub saved: UnixSeconds,
    /// The number of its body, never given to another; copies share it.
    pub body: u64,
    /// That of the lines in front of it, if there are any.
    pub prefix: Option<u64>,
}

/// Totals over the whole store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Accounts.
    pub accounts: u64,
    /// Domains of ours.
    pub domains: u64,
    /// Those of them that want CRAM-MD5.
    pub cram_md5_domains: u64,
    /// Mailboxes.
    pub mailboxes: u64,
    /// Messages that are not expunged.
    pub messages: u64,
    /// Their sizes, each counted in full though bodies are shared.
    pub bytes: u64,
}

impl fmt::Debug for Message {
    /// Tells sizes, never contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({:?}, text: {})", self.facts, self.text.is_some())
    }
}
