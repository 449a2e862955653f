//! Jobs that change the store, and their answers.

mod told;

use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::Handle;

use crate::{
    AccountId, Additions, Address, AliasChange, Attempt, DkimChange, DmarcSeen, DomainId, Flags,
    Incoming, MailboxId, NewKey, NewOutgoing, QueueWrite, Quota, Secret, Special, StoreError,
    UidRange,
};

/// A change, as a value. [`Writer::commit`](crate::Writer::commit) carries it out; each names the
/// [`Written`] that answers it.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Make an account with its mailboxes: INBOX and one for each [`Special`] use.
    /// Answer: [`Written::Account`].
    CreateAccount {
        /// Its name; case is no difference, nor is how letters are composed. Not empty and without
        /// `@`, which is an address.
        name: String,
        /// The present. UIDVALIDITY begins here.
        now: UnixSeconds,
    },
    /// Replace all secrets of an account. Answer: [`Written::Done`].
    SetSecrets {
        /// Whose.
        account: AccountId,
        /// At most one of each kind. [`Secret::CramMd5`] is kept only where a domain of the
        /// account's addresses wants it.
        secrets: Vec<Secret>,
    },
    /// Add a key to an account; no other account may have it. Answer: [`Written::Done`].
    AddKey {
        /// Whose.
        account: AccountId,
        /// At most 100 in one account.
        key: NewKey,
        /// The present.
        now: UnixSeconds,
    },
    /// Take a key away from an account. Answer: [`Written::Done`].
    RemoveKey {
        /// Whose.
        account: AccountId,
        /// Which.
        fingerprint: [u8; 32],
    },
    /// Keep who has logged in or tried to, and what was found of messages; and forget what is old.
    /// Answer: [`Written::Done`].
    Note {
        /// Those of accounts that are no more are passed over. Kept for
        /// [`KEPT_SECONDS`](crate::KEPT_SECONDS).
        attempts: Vec<Attempt>,
        /// Kept for two weeks.
        dmarc: Vec<DmarcSeen>,
        /// The present.
        now: UnixSeconds,
    },
    /// Make a domain ours. Answer: [`Written::Domain`].
    CreateDomain {
        /// Its name, with A-labels or U-labels; case is no difference.
        name: String,
    },
    /// Give an account an address. Answer: [`Written::Done`].
    CreateAddress {
        /// Case is no difference, which RFC 5321 §2.4 leaves to the domain's host: us.
        localpart: String,
        /// A domain of ours.
        domain: String,
        /// Whose mail it is.
        account: AccountId,
    },
    /// Say who gets mail for local parts that are nobody's. Answer: [`Written::Done`].
    SetCatchAll {
        /// A domain of ours.
        domain: String,
        /// Nobody where `None`.
        account: Option<AccountId>,
    },
    /// Say whether a domain wants CRAM-MD5. The keys for it are taken away from accounts that have
    /// no address any more where it is wanted; they come with new secrets. Answer:
    /// [`Written::Done`].
    SetCramMd5 {
        /// A domain of ours.
        domain: String,
        /// It does.
        on: bool,
    },
    /// Change one of the keys by which a domain signs. Answer: [`Written::Done`].
    ChangeDkimKey {
        /// A domain of ours.
        domain: String,
        /// Which key.
        selector: String,
        /// How.
        change: DkimChange,
    },
    /// Make domains, accounts, addresses, aliases and catch-alls, and set quotas: all of them, or none where one of them is
    /// there already or names what is not there. Answer: [`Written::Done`].
    Add {
        /// What is made.
        additions: Additions,
        /// As in [`CreateAccount`](Self::CreateAccount).
        now: UnixSeconds,
    },
    /// Change an alias. Answer: [`Written::Done`].
    ChangeAlias {
        /// Which.
        alias: Address,
        /// How.
        change: AliasChange,
    },
    /// Take an alias away. Answer: [`Written::Done`].
    RemoveAlias {
        /// Which.
        alias: Address,
    },
    /// Say how much mail an account may have. Answer: [`Written::Done`].
    SetQuota {
        /// Whose.
        account: AccountId,
        /// The new one.
        quota: Quota,
    },
    /// Say whether an account's IMAP clients are told of a capability, from their next login on.
    /// Answer: [`Written::Done`].
    HideCapability {
        /// Whose.
        account: AccountId,
        /// Its name; case is no difference. At most 100 in one account.
        name: String,
        /// They are not.
        hidden: bool,
    },
    /// Take an account out of use, or into it again: its addresses stay, mail to it is refused, and
    /// its secrets are kept but not told. Answer: [`Written::Done`].
    SetDisabled {
        /// Which.
        account: AccountId,
        /// Out of use.
        disabled: bool,
    },
    /// Take an address away. Answer: [`Written::Done`].
    RemoveAddress {
        /// Case is no difference.
        localpart: String,
        /// A domain of ours.
        domain: String,
    },
    /// Give a domain up. Answer: [`Written::Done`], or the error
    /// [`HasAddresses`](crate::StoreError::HasAddresses).
    RemoveDomain {
        /// A domain of ours.
        name: String,
        /// Its addresses and aliases go with it.
        with_addresses: bool,
    },
    /// Take an account away: its name, secrets, addresses and catch-alls are gone at once, and it
    /// is [`NoSuchAccount`](crate::StoreError::NoSuchAccount) from then on. Its mail is out of
    /// reach, and is removed by [`Clear`](Self::Clear). Answer: [`Written::Done`].
    RemoveAccount {
        /// Which.
        account: AccountId,
    },
    /// Remove some of the mail that removed accounts have left. Answer: [`Written::Cleared`].
    Clear {
        /// About this many messages at most, so that others who write need not wait for long;
        /// at least 1. Fewer where they are large.
        messages_max: usize,
    },
    /// Put one letter into the mailboxes of all recipients, or of none. Members of an alias are the
    /// exception: those that have it already, or have no room or are disabled, are passed over, as
    /// long as one member has it. Answer: [`Written::Delivered`].
    Deliver {
        /// At least one, unless it leaves.
        recipients: Vec<Recipient>,
        /// What they all get.
        body: NewBody,
        /// What enters the queue in the same commit.
        leaving: Leaving,
        /// When it was received: INTERNALDATE.
        received: UnixSeconds,
    },
    /// The same for each recipient by itself, in one commit: who has no room, is disabled or is gone
    /// does not stand in the way of the others. Any other failure is that of all, and nobody has
    /// it. Answer: [`Written::DeliveredEach`]; where it names no message at all, nothing holds the
    /// body, nor its file.
    DeliverEach {
        /// At least one.
        recipients: Vec<Recipient>,
        /// What they all get.
        body: NewBody,
        /// What enters the queue in the same commit.
        leaving: Leaving,
        /// When it was received: INTERNALDATE.
        received: UnixSeconds,
    },
    /// IMAP's APPEND (RFC 3502: all of them or none) and REPLACE. Answer: [`Written::Appended`], or
    /// the error [`NoSuchMessage`](crate::StoreError::NoSuchMessage) where the one to be replaced is
    /// not there.
    Append {
        /// Who does it.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
        /// At least one. They get UIDs that follow each other.
        messages: Vec<NewMessage>,
        /// The one that is taken out of its mailbox for it.
        replaces: Option<Replaced>,
        /// The present (SAVEDATE, RFC 8514).
        now: UnixSeconds,
    },
    /// Count that an import has met messages, by the keys that their files give them.
    /// Answer: [`Written::Wanted`].
    Meet {
        /// Whose.
        by: AccountId,
        /// The import: a number that no other has.
        run: i64,
        /// Each key is that of one message, however often it is met. Otherwise as many messages are
        /// wanted as times it is met.
        once: bool,
        /// Of the messages.
        keys: Vec<[u8; 16]>,
    },
    /// Put messages from files into a mailbox, all or none. Answer: [`Written::Imported`].
    Import {
        /// Whose.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
        /// The import, as in [`Meet`](Self::Meet).
        run: i64,
        /// They were met before, and are wanted. Otherwise they are met now, and those that have come
        /// already are passed over.
        met: bool,
        /// In their order.
        messages: Vec<Incoming>,
        /// The present (SAVEDATE, RFC 8514).
        now: UnixSeconds,
    },
    /// Forget what an account has imported, so that it can be imported again.
    /// Answer: [`Written::Forgotten`].
    Forget {
        /// Whose.
        by: AccountId,
    },
    /// IMAP's COPY (RFC 9051 §6.4.7): the copies share the bodies and keep flags, keywords and
    /// INTERNALDATE. Answer: [`Written::Copied`].
    Copy {
        /// Who does it.
        by: AccountId,
        /// From where.
        from: MailboxId,
        /// Which; those that are not there are passed over.
        uids: Vec<UidRange>,
        /// To where.
        to: MailboxId,
        /// The present (SAVEDATE, RFC 8514).
        now: UnixSeconds,
    },
    /// A piece of a COPY of more messages than one job takes: nobody sees it before
    /// [`Appear`](Self::Appear). At most [`MESSAGES_MAX`]. Answer: [`Written::Staged`].
    Stage {
        /// Who does it.
        by: AccountId,
        /// From where.
        from: MailboxId,
        /// Which; those that are not there are passed over.
        uids: Vec<UidRange>,
        /// To where.
        to: MailboxId,
        /// What the first piece was answered; `None` for the first.
        batch: Option<i64>,
        /// The present (SAVEDATE, RFC 8514).
        now: UnixSeconds,
    },
    /// What was staged is in its mailbox now: all of it, or none. Answer: [`Written::Appeared`].
    Appear {
        /// Who does it.
        by: AccountId,
        /// What the first piece was answered.
        batch: i64,
        /// To where, as it was for each piece.
        to: MailboxId,
    },
    /// Put away a part of what was staged and is not to appear, at most [`MESSAGES_MAX`]. What
    /// nobody puts away is swept at the next start. Answer: [`Written::Purged`].
    Unstage {
        /// What the first piece was answered.
        batch: i64,
    },
    /// IMAP's MOVE (RFC 6851): COPY, and the originals are expunged. Answer: [`Written::Moved`].
    Move {
        /// Who does it.
        by: AccountId,
        /// From where.
        from: MailboxId,
        /// Which; those that are not there are passed over.
        uids: Vec<UidRange>,
        /// To where; the same mailbox gives them new UIDs.
        to: MailboxId,
        /// The present (SAVEDATE, RFC 8514).
        now: UnixSeconds,
    },
    /// IMAP's CREATE: make a mailbox, and those above it that are missing (RFC 3501 §6.3.3).
    /// Answer: [`Written::Mailbox`].
    CreateMailbox {
        /// Whose it will be.
        by: AccountId,
        /// Its name, as [`MailboxName`](pillarbox_core::imap::name::MailboxName) allows it.
        name: String,
        /// What it is for; no other mailbox is from then on.
        special: Option<Special>,
        /// The present. UIDVALIDITY is taken from here.
        now: UnixSeconds,
    },
    /// IMAP's RENAME (RFC 3501 §6.3.5), with all mailboxes below. A mailbox keeps its messages,
    /// UIDVALIDITY and use; INBOX stays and gives its messages to a new mailbox. Subscriptions are
    /// names and stay what they are. Answer: [`Written::Renamed`].
    RenameMailbox {
        /// Whose it is.
        by: AccountId,
        /// Its name, or one that only mailboxes below it have in theirs.
        from: String,
        /// A name that no mailbox has.
        to: String,
        /// The present.
        now: UnixSeconds,
    },
    /// IMAP's DELETE (RFC 3501 §6.3.4): remove a mailbox with all that is in it, at once. Those
    /// below it stay. Answer: [`Written::Mailbox`].
    DeleteMailbox {
        /// Whose it is.
        by: AccountId,
        /// Its name; INBOX cannot be removed.
        name: String,
    },
    /// IMAP's SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7). Answer: [`Written::Done`].
    Subscribe {
        /// Who does it.
        by: AccountId,
        /// A name, whether or not a mailbox has it.
        name: String,
        /// Whether it is to be subscribed to.
        on: bool,
    },
    /// Remember up to which UID messages were told as recent (RFC 3501 §2.3.2); never back.
    /// Answer: [`Written::Done`].
    Claim {
        /// Who does it.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
        /// Up to this UID.
        up_to: u32,
    },
    /// IMAP's STORE. Answer: [`Written::Flagged`].
    StoreFlags {
        /// Who does it.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
        /// Which; those that are not there are passed over.
        uids: Vec<UidRange>,
        /// Those with a higher modification sequence are left as they are (RFC 7162 §3.1.3).
        unchanged_since: Option<u64>,
        /// What is done with the flags.
        change: Change,
        /// System flags; other bits are ignored.
        flags: Flags,
        /// Keywords by name. New ones are made, except for [`Change::Remove`].
        keywords: Vec<String>,
    },
    /// IMAP's EXPUNGE: take those with `\Deleted` out of the mailbox. They stay readable until
    /// purged. Answer: [`Written::Expunged`].
    Expunge {
        /// Who does it.
        by: AccountId,
        /// Where.
        mailbox: MailboxId,
        /// Only among these, where given (UID EXPUNGE, RFC 4315 §2.1).
        uids: Option<Vec<UidRange>>,
    },
    /// Let expunged messages go for good: no session numbers them any more. The server's own job.
    /// At most [`MESSAGES_MAX`] at once: [`Writer::go_on`](crate::Writer::go_on) does the rest.
    /// Answer: [`Written::Purged`].
    Purge {
        /// Where.
        mailbox: MailboxId,
        /// Those expunged with at most this modification sequence.
        up_to_modseq: u64,
    },
    /// What leaves. Answer: as [`QueueWrite`] says.
    Queue(Box<QueueWrite>),
    /// The sync of a body's file has failed: the disk is not to be trusted. Answered, as all jobs
    /// from then on, by [`StoreError::Io`](crate::StoreError::Io), until the store is reopened.
    Distrust {
        /// What failed, for the log.
        reason: String,
    },
}

/// A message that a client brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// System flags; other bits are ignored.
    pub flags: Flags,
    /// Keywords by name.
    pub keywords: Vec<String>,
    /// As the client wishes.
    pub internaldate: UnixSeconds,
    /// The message.
    pub body: NewBody,
}

/// A message whose place another takes (RFC 8508).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Where it is; not necessarily where the other goes.
    pub mailbox: MailboxId,
    /// Which one.
    pub uid: u32,
}

/// For whom a letter is, and what stands in front of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Whose mail.
    pub account: AccountId,
    /// Into which of its mailboxes.
    pub into: Place,
    /// Lines that stand in front of the body for this recipient, each ended by CRLF. May be empty.
    pub prefix: Vec<u8>,
    /// System flags that the message begins with; other bits are ignored.
    pub flags: Flags,
    /// It is a member of an alias; members of the same one have the same number.
    pub alias: Option<usize>,
}

/// What enters the queue together with a delivery.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Leaving {
    /// The same body for recipients elsewhere.
    pub outgoing: Option<NewOutgoing>,
    /// Messages of the server's own.
    pub reports: Vec<(NewOutgoing, NewBody)>,
}

/// A mailbox of a known account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// INBOX.
    Inbox,
    /// The one with this use; INBOX where there is none.
    Special(Special),
    /// This one.
    Mailbox(MailboxId),
}

/// A body to be stored.
#[derive(Clone, PartialEq, Eq)]
pub enum NewBody {
    /// These bytes; at most [`Options::inline_max`](crate::Options::inline_max).
    Inline(Vec<u8>),
    /// The file with this handle, complete and synced together with its folder. If the job fails,
    /// the file is still the caller's to remove; what is forgotten is swept at the next start.
    File {
        /// Its name in [`Store::bodies`](crate::Store::bodies).
        handle: Handle,
        /// Its size in bytes.
        size: u64,
    },
}

impl NewBody {
    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => crate::sql::len(bytes),
            Self::File { size, .. } => *size,
        }
    }
}

/// What [`Write::StoreFlags`] does with the flags given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`
    Replace,
}

/// The answer to a [`Write`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// There is nothing more to say.
    Done,
    /// The new account.
    Account(AccountId),
    /// The new domain.
    Domain(DomainId),
    /// Where the letter went: those by their own address first, each in the order of the
    /// recipients.
    Delivered(Vec<Delivered>),
    /// What became of each recipient, in their order. `None`: a member of an alias that has it
    /// already.
    DeliveredEach(Vec<Result<Option<Delivered>, StoreError>>),
    /// Where the messages went.
    Appended(Appended),
    /// Which of them are still to come.
    Wanted(Vec<bool>),
    /// The UID of each that came; `None`: it had come before.
    Imported(Vec<Option<u32>>),
    /// How many were remembered.
    Forgotten(u64),
    /// The copies' UIDVALIDITY, and pairs of UIDs: the original's and the copy's
    /// (COPYUID, RFC 4315 §3).
    Copied(u32, Vec<(u32, u32)>),
    /// A piece of a copy is prepared.
    Staged(Staged),
    /// All of it is there.
    Appeared(Appeared),
    /// Where the messages are now.
    Moved(Moved),
    /// The mailbox that was made or removed: whose watchers to notify.
    Mailbox(MailboxId),
    /// INBOX and what was taken out of it, if it was INBOX that was renamed.
    Renamed(Option<(MailboxId, Expunged)>),
    /// The flags as they are now.
    Flagged(Flagged),
    /// What was taken out.
    Expunged(Expunged),
    /// How many messages were let go.
    Purged(u64),
    /// How far the removal of accounts has come.
    Cleared(Cleared),
}

/// The outcome of [`Write::Clear`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleared {
    /// How many messages of removed accounts are left.
    pub messages_left: u64,
    /// Something is left: ask again.
    pub more: bool,
}

/// One message delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// Where it lies: whose watchers to notify.
    pub mailbox: MailboxId,
    /// Its UID.
    pub uid: u32,
}

/// Messages appended (APPENDUID, RFC 4315 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The mailbox's UIDVALIDITY.
    pub uidvalidity: u32,
    /// The messages' UIDs, in their order.
    pub uids: UidRange,
    /// The modification sequence with which the replaced one was taken out.
    pub removed: Option<u64>,
}

/// The outcome of [`Write::Stage`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Names all pieces of this copy.
    pub batch: i64,
    /// The UIDs of the originals, ascending. Their copies will have UIDs that follow each other.
    pub uids: Vec<u32>,
    /// As in [`Flagged`]: nothing above this UID was looked at.
    pub more: Option<u32>,
}

/// The outcome of [`Write::Appear`] (COPYUID, RFC 4315 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appeared {
    /// The mailbox's UIDVALIDITY.
    pub uidvalidity: u32,
    /// The UID of the first copy; the others follow, one after the other.
    pub first: u32,
}

/// The outcome of [`Write::Move`] (COPYUID, RFC 4315 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// UIDVALIDITY of where they are now.
    pub uidvalidity: u32,
    /// The UID that each had and the one that it has now; ascending in both.
    pub pairs: Vec<(u32, u32)>,
    /// The modification sequence with which they were taken out of where they were; that
    /// mailbox's own where nothing was moved.
    pub modseq: u64,
    /// As in [`Flagged`]: nothing above this UID was looked at.
    pub more: Option<u32>,
}

/// How many messages one job changes at most, so that others have their turn between the pieces of
/// what is asked for a large mailbox at once.
pub const MESSAGES_MAX: usize = 500;

/// The outcome of [`Write::StoreFlags`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flagged {
    /// The modification sequence of the messages that changed, `None` where none did; those that
    /// had the flags already keep theirs.
    pub modseq: Option<u64>,
    /// The highest modification sequence that those that changed had before. One above what the
    /// asker knows says that somebody else had changed them too.
    pub before: u64,
    /// Each message in the ranges, ascending, but for those that were left.
    pub messages: Vec<crate::FlagState>,
    /// Those that were left, since they have changed, ascending.
    pub modified: Vec<crate::FlagState>,
    /// Nothing above this UID was looked at: the job had [`MESSAGES_MAX`] messages. Go on behind it
    /// ([`UidRange::after`]).
    pub more: Option<u32>,
}

/// The outcome of [`Write::Expunge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expunged {
    /// Their modification sequence; the mailbox's own where nothing was taken out.
    pub modseq: u64,
    /// Ascending.
    pub uids: Vec<u32>,
    /// As in [`Flagged`]: nothing above this UID was looked at.
    pub more: Option<u32>,
}
