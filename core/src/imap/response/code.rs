//! What a program should know beside OK, NO or BAD.

use super::{Sink, decimal, number_set, write};
use crate::imap::object::MailboxId;

/// A response code (RFC 3501 §7.1, RFC 5530): what a program should know beside OK, NO or BAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code<'a> {
    /// `ALERT`: the user must see the text.
    Alert,
    /// `ALREADYEXISTS`: there is such a mailbox.
    AlreadyExists,
    /// `APPENDUID` (RFC 4315 §3, RFC 3502): the mailbox's UIDVALIDITY and the UIDs of the new
    /// messages, the first and the last.
    AppendUid(u32, u32, u32),
    /// `AUTHENTICATIONFAILED`.
    AuthenticationFailed,
    /// `BADCHARSET`, with those that are known.
    BadCharset,
    /// `CANNOT`: it would break a rule that cannot be changed.
    Cannot,
    /// `COMPRESSIONACTIVE` (RFC 4978 §3).
    CompressionActive,
    /// `CONTACTADMIN`.
    ContactAdmin,
    /// `COPYUID`: which messages became which.
    CopyUid(CopyUid<'a>),
    /// `CLOSED` (RFC 7162 §3.2.11): what follows is about another mailbox.
    Closed,
    /// `EXPUNGEISSUED`: some of the messages are gone, which has not been told yet.
    ExpungeIssued,
    /// `HIGHESTMODSEQ` (RFC 7162 §3.1.2.1): all that has a MODSEQ up to this one has been told.
    HighestModSeq(u64),
    /// `INUSE`.
    InUse,
    /// `LIMIT`.
    Limit,
    /// `MODIFIED` (RFC 7162 §3.1.3): these, in ranges with both ends in them, have changed since,
    /// and were left as they are.
    Modified(&'a [(u32, u32)]),
    /// `NONEXISTENT`: there is no such mailbox.
    NonExistent,
    /// `NOPERM`: this user may not.
    NoPerm,
    /// `OVERQUOTA`.
    OverQuota,
    /// `PRIVACYREQUIRED`: not without TLS.
    PrivacyRequired,
    /// `READ-ONLY`.
    ReadOnly,
    /// `READ-WRITE`.
    ReadWrite,
    /// `SERVERBUG`.
    ServerBug,
    /// `TOOBIG` (RFC 4469 §4.2): the message is larger than any that is taken.
    TooBig,
    /// `TRYCREATE`: it may work after the mailbox has been created.
    TryCreate,
    /// `UIDNEXT`.
    UidNext(u32),
    /// `UIDVALIDITY`.
    UidValidity(u32),
    /// `MAILBOXID` (RFC 8474 §4.1, §4.2): the mailbox's name for good.
    MailboxId(MailboxId),
    /// `USEATTR` (RFC 6154 §3): no mailbox can be for that.
    UseAttr,
    /// `UNAVAILABLE`: it may work later.
    Unavailable,
    /// `UNKNOWN-CTE` (RFC 3516 §4.3, §4.4): what is said of how the content is encoded cannot be
    /// followed.
    UnknownCte,
    /// `UNSEEN`: the number of the first message without `\Seen`.
    Unseen(u32),
}

/// What COPYUID tells (RFC 4315 §3): the n-th UID of one set became the n-th of the other. Both are
/// ranges with both ends in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyUid<'a> {
    /// UIDVALIDITY of the mailbox where the copies are.
    pub uidvalidity: u32,
    /// The UIDs of the originals.
    pub from: &'a [(u32, u32)],
    /// The UIDs of the copies.
    pub to: &'a [(u32, u32)],
}

impl Code<'_> {
    /// Writes it with its brackets and a space after.
    pub fn write(self, out: &mut impl Sink) {
        let (name, number) = match self {
            Self::Alert => ("ALERT", None),
            Self::AlreadyExists => ("ALREADYEXISTS", None),
            Self::AppendUid(uidvalidity, ..) => ("APPENDUID", Some(uidvalidity.into())),
            Self::AuthenticationFailed => ("AUTHENTICATIONFAILED", None),
            Self::BadCharset => ("BADCHARSET (US-ASCII UTF-8)", None),
            Self::Cannot => ("CANNOT", None),
            Self::CompressionActive => ("COMPRESSIONACTIVE", None),
            Self::ContactAdmin => ("CONTACTADMIN", None),
            Self::Closed => ("CLOSED", None),
            Self::CopyUid(copied) => ("COPYUID", Some(copied.uidvalidity.into())),
            Self::ExpungeIssued => ("EXPUNGEISSUED", None),
            Self::HighestModSeq(modseq) => ("HIGHESTMODSEQ", Some(modseq)),
            Self::InUse => ("INUSE", None),
            Self::Limit => ("LIMIT", None),
            Self::Modified(_) => ("MODIFIED", None),
            Self::NonExistent => ("NONEXISTENT", None),
            Self::NoPerm => ("NOPERM", None),
            Self::OverQuota => ("OVERQUOTA", None),
            Self::PrivacyRequired => ("PRIVACYREQUIRED", None),
            Self::ReadOnly => ("READ-ONLY", None),
            Self::ReadWrite => ("READ-WRITE", None),
            Self::ServerBug => ("SERVERBUG", None),
            Self::TooBig => ("TOOBIG", None),
            Self::TryCreate => ("TRYCREATE", None),
            Self::UidNext(number) => ("UIDNEXT", Some(number.into())),
            Self::UidValidity(number) => ("UIDVALIDITY", Some(number.into())),
            Self::MailboxId(_) => ("MAILBOXID", None),
            Self::UseAttr => ("USEATTR", None),
            Self::Unavailable => ("UNAVAILABLE", None),
            Self::UnknownCte => ("UNKNOWN-CTE", None),
            Self::Unseen(number) => ("UNSEEN", Some(number.into())),
        };
        out.put(b"[");
        out.put(name.as_bytes());
        if let Some(number) = number {
            out.put(b" ");
            decimal(number, out);
        }
        match self {
            Self::MailboxId(id) => write(format_args!(" ({id})"), out),
            Self::AppendUid(_, first, last) => number_set([(first, last)], out),
            Self::CopyUid(copied) => {
                number_set(copied.from.iter().copied(), out);
                number_set(copied.to.iter().copied(), out);
            }
            Self::Modified(numbers) => number_set(numbers.iter().copied(), out),
            _ => {}
        }
        out.put(b"] ");
    }
}
