//! Jobs that change the store, and their answers.

use std::fmt;

use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::Handle;

use crate::{
    AccountId, Address, AliasChange, Attempt, DomainId, Flags, MailboxId, NewAlias, NewKey, Quota,
    Secret, Special, StoreError, UidRange,
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
    /// Keep who has logged in or tried to; and forget what is older than
    /// [`KEPT_SECONDS`](crate::KEPT_SECONDS). Answer: [`Written::Done`].
    NoteLogins {
        /// Those of accounts that are no more are passed over.
        attempts: Vec<Attempt>,
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
        /// At least one.
        recipients: Vec<Recipient>,
        /// What they all get.
        body: NewBody,
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
    /// The sync of a body's file has failed: the disk is not to be trusted. Answered, as all jobs
    /// from then on, by [`StoreError::Io`](crate::StoreError::Io), until the store is reopened.
    Distrust {
        /// What failed, for the log.
        reason: String,
    },
}

/// What [`Write::Add`] makes. An account is named by its name, of which case is no
/// difference; so are domains.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Additions {
    /// Domains.
    pub domains: Vec<String>,
    /// Domains that want CRAM-MD5, of these or of others.
    pub cram_md5: Vec<String>,
    /// Accounts.
    pub accounts: Vec<NewAccount>,
    /// Addresses, of these domains and accounts or of others.
    pub addresses: Vec<NewAddress>,
    /// Aliases, with addresses of these or of others.
    pub aliases: Vec<NewAlias>,
    /// Domains, each with the account that gets what is nobody's there.
    pub catch_alls: Vec<(String, String)>,
    /// Accounts, each with its quota.
    pub quotas: Vec<(String, Quota)>,
    /// Accounts that are out of use.
    pub disabled: Vec<String>,
    /// Accounts, each with a key.
    pub keys: Vec<(String, NewKey)>,
}

/// An account to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Its name; not empty and without `@`.
    pub name: String,
    /// At most one of each kind.
    pub secrets: Vec<Secret>,
}

/// An address to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAddress {
    /// Before the `@`, unquoted.
    pub localpart: String,
    /// A domain of ours.
    pub domain: String,
    /// The name of the account whose mail it is.
    pub account: String,
}

/// A message that comes from a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The same whenever this message comes from this file for this mailbox.
    pub key: [u8; 16],
    /// System flags; other bits are ignored.
    pub flags: Flags,
    /// Keywords by name. Those that the mailbox cannot have are left out.
    pub keywords: Vec<String>,
    /// When it was received.
    pub internaldate: UnixSeconds,
    /// The message.
    pub body: NewBody,
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

/// A mailbox of a known account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// INBOX.
    Inbox,
    /// The one with this use.
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

impl fmt::Debug for Write {
    /// Names the job and where it works: never contents, secrets or flags.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateAccount { name, .. } => write!(f, "CreateAccount({name})"),
            Self::SetSecrets { account, .. } => write!(f, "SetSecrets({})", account.0),
            Self::AddKey { account, .. } => write!(f, "AddKey({})", account.0),
            Self::RemoveKey { account, .. } => write!(f, "RemoveKey({})", account.0),
            Self::CreateDomain { name } => write!(f, "CreateDomain({name})"),
            Self::CreateAddress { localpart, domain, account } => {
                write!(f, "CreateAddress({localpart}@{domain} for {})", account.0)
            }
            Self::SetCatchAll { domain, .. } => write!(f, "SetCatchAll({domain})"),
            Self::Add { additions, .. } => write!(
                f,
                "Add({} domains, {} accounts, {} addresses, {} aliases, {} catch-alls)",
                additions.domains.len(),
                additions.accounts.len(),
                additions.addresses.len(),
                additions.aliases.len(),
                additions.catch_alls.len()
            ),
            Self::ChangeAlias { alias, .. } => {
                write!(f, "ChangeAlias({}@{})", alias.localpart, alias.domain)
            }
            Self::RemoveAlias { alias } => {
                write!(f, "RemoveAlias({}@{})", alias.localpart, alias.domain)
            }
            Self::SetQuota { account, quota } => write!(f, "SetQuota({}: {quota:?})", account.0),
            Self::SetDisabled { account, disabled } => {
                write!(f, "SetDisabled({}: {disabled})", account.0)
            }
            Self::RemoveAddress { localpart, domain } => {
                write!(f, "RemoveAddress({localpart}@{domain})")
            }
            Self::RemoveDomain { name, .. } => write!(f, "RemoveDomain({name})"),
            Self::NoteLogins { attempts, .. } => write!(f, "NoteLogins({})", attempts.len()),
            Self::SetCramMd5 { domain, on } => write!(f, "SetCramMd5({domain}: {on})"),
            Self::RemoveAccount { account } => write!(f, "RemoveAccount({})", account.0),
            Self::Clear { messages_max } => write!(f, "Clear({messages_max})"),
            Self::Deliver { recipients, body, .. } | Self::DeliverEach { recipients, body, .. } => {
                write!(f, "Deliver({} bytes to {})", body.size(), recipients.len())
            }
            Self::Append { mailbox, messages, .. } => {
                write!(f, "Append({} messages to {})", messages.len(), mailbox.0)
            }
            Self::Meet { by, keys, .. } => write!(f, "Meet({} of {})", keys.len(), by.0),
            Self::Import { mailbox, messages, .. } => {
                write!(f, "Import({} messages to {})", messages.len(), mailbox.0)
            }
            Self::Forget { by } => write!(f, "Forget({})", by.0),
            Self::Copy { from, to, .. } => write!(f, "Copy({} to {})", from.0, to.0),
            Self::Move { from, to, .. } => write!(f, "Move({} to {})", from.0, to.0),
            Self::CreateMailbox { by, name, .. } => write!(f, "CreateMailbox({name} of {})", by.0),
            Self::RenameMailbox { by, from, to, .. } => {
                write!(f, "RenameMailbox({from} to {to} of {})", by.0)
            }
            Self::DeleteMailbox { by, name } => write!(f, "DeleteMailbox({name} of {})", by.0),
            Self::Subscribe { by, name, on } => write!(f, "Subscribe({name} of {}: {on})", by.0),
            Self::Claim { mailbox, up_to, .. } => write!(f, "Claim({} up to {up_to})", mailbox.0),
            Self::StoreFlags { mailbox, change, .. } => {
                write!(f, "StoreFlags({change:?} in {})", mailbox.0)
            }
            Self::Expunge { mailbox, .. } => write!(f, "Expunge({})", mailbox.0),
            Self::Purge { mailbox, up_to_modseq } => {
                write!(f, "Purge({} up to {up_to_modseq})", mailbox.0)
            }
            Self::Distrust { reason } => write!(f, "Distrust({reason})"),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({} into {:?})", self.account.0, self.into)
    }
}

impl fmt::Debug for Incoming {
    /// Tells sizes, never contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({:?})", self.body)
    }
}

impl fmt::Debug for NewBody {
    /// Tells sizes, never contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(bytes) => write!(f, "Inline({} bytes)", bytes.len()),
            Self::File { handle, size } => write!(f, "File({handle}, {size} bytes)"),
        }
    }
}
