//! The names of commands.

/// The commands that we know (RFC 3501 §6; ID: RFC 2971, ENABLE: RFC 5161, NAMESPACE: RFC 2342,
/// IDLE: RFC 2177, UNSELECT: RFC 3691, MOVE: RFC 6851, UID EXPUNGE: RFC 4315, COMPRESS: RFC 4978,
/// SORT, THREAD: RFC 5256, REPLACE: RFC 8508, quotas: RFC 9208).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the RFCs")]
pub enum Verb {
    Capability,
    Noop,
    Id,
    Logout,
    StartTls,
    Login,
    Authenticate,
    Enable,
    Namespace,
    List,
    Lsub,
    Status,
    Create,
    Delete,
    Rename,
    Subscribe,
    Unsubscribe,
    Select,
    Examine,
    Append,
    GetQuota,
    GetQuotaRoot,
    SetQuota,
    Idle,
    Compress,
    Check,
    Close,
    Unselect,
    Expunge,
    Search,
    Sort,
    Thread,
    Fetch,
    Store,
    Copy,
    Move,
    Replace,
    UidExpunge,
    UidSearch,
    UidSort,
    UidThread,
    UidFetch,
    UidStore,
    UidCopy,
    UidMove,
    UidReplace,
}

impl Verb {
    /// All of them, in the order of the legality table.
    pub const ALL: [Self; 46] = [
        Self::Capability,
        Self::Noop,
        Self::Id,
        Self::Logout,
        Self::StartTls,
        Self::Login,
        Self::Authenticate,
        Self::Enable,
        Self::Namespace,
        Self::List,
        Self::Lsub,
        Self::Status,
        Self::Create,
        Self::Delete,
        Self::Rename,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Select,
        Self::Examine,
        Self::Append,
        Self::GetQuota,
        Self::GetQuotaRoot,
        Self::SetQuota,
        Self::Idle,
        Self::Compress,
        Self::Check,
        Self::Close,
        Self::Unselect,
        Self::Expunge,
        Self::Search,
        Self::Sort,
        Self::Thread,
        Self::Fetch,
        Self::Store,
        Self::Copy,
        Self::Move,
        Self::Replace,
        Self::UidExpunge,
        Self::UidSearch,
        Self::UidSort,
        Self::UidThread,
        Self::UidFetch,
        Self::UidStore,
        Self::UidCopy,
        Self::UidMove,
        Self::UidReplace,
    ];

    /// The command of this name, in any case; not those that follow `UID`.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let mut buffer = [0_u8; 12];
        let upper = buffer.get_mut(..word.len())?;
        upper.copy_from_slice(word.as_bytes());
        upper.make_ascii_uppercase();
        Some(match &*upper {
            b"CAPABILITY" => Self::Capability,
            b"NOOP" => Self::Noop,
            b"ID" => Self::Id,
            b"LOGOUT" => Self::Logout,
            b"STARTTLS" => Self::StartTls,
            b"LOGIN" => Self::Login,
            b"AUTHENTICATE" => Self::Authenticate,
            b"ENABLE" => Self::Enable,
            b"NAMESPACE" => Self::Namespace,
            b"LIST" => Self::List,
            b"LSUB" => Self::Lsub,
            b"STATUS" => Self::Status,
            b"CREATE" => Self::Create,
            b"DELETE" => Self::Delete,
            b"RENAME" => Self::Rename,
            b"SUBSCRIBE" => Self::Subscribe,
            b"UNSUBSCRIBE" => Self::Unsubscribe,
            b"SELECT" => Self::Select,
            b"EXAMINE" => Self::Examine,
            b"APPEND" => Self::Append,
            b"GETQUOTA" => Self::GetQuota,
            b"GETQUOTAROOT" => Self::GetQuotaRoot,
            b"SETQUOTA" => Self::SetQuota,
            b"IDLE" => Self::Idle,
            b"COMPRESS" => Self::Compress,
            b"CHECK" => Self::Check,
            b"CLOSE" => Self::Close,
            b"UNSELECT" => Self::Unselect,
            b"EXPUNGE" => Self::Expunge,
            b"SEARCH" => Self::Search,
            b"SORT" => Self::Sort,
            b"THREAD" => Self::Thread,
            b"FETCH" => Self::Fetch,
            b"STORE" => Self::Store,
            b"COPY" => Self::Copy,
            b"MOVE" => Self::Move,
            b"REPLACE" => Self::Replace,
            _ => return None,
        })
    }

    /// The command of this name behind `UID`.
    #[must_use]
    pub fn uid_named(word: &str) -> Option<Self> {
        match Self::named(word)? {
            Self::Expunge => Some(Self::UidExpunge),
            Self::Search => Some(Self::UidSearch),
            Self::Sort => Some(Self::UidSort),
            Self::Thread => Some(Self::UidThread),
            Self::Fetch => Some(Self::UidFetch),
            Self::Store => Some(Self::UidStore),
            Self::Copy => Some(Self::UidCopy),
            Self::Move => Some(Self::UidMove),
            Self::Replace => Some(Self::UidReplace),
            _ => None,
        }
    }

    /// Its name as told in replies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capability => "CAPABILITY",
            Self::Noop => "NOOP",
            Self::Id => "ID",
            Self::Logout => "LOGOUT",
            Self::StartTls => "STARTTLS",
            Self::Login => "LOGIN",
            Self::Authenticate => "AUTHENTICATE",
            Self::Enable => "ENABLE",
            Self::Namespace => "NAMESPACE",
            Self::List => "LIST",
            Self::Lsub => "LSUB",
            Self::Status => "STATUS",
            Self::Create => "CREATE",
            Self::Delete => "DELETE",
            Self::Rename => "RENAME",
            Self::Subscribe => "SUBSCRIBE",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Select => "SELECT",
            Self::Examine => "EXAMINE",
            Self::Append => "APPEND",
            Self::GetQuota => "GETQUOTA",
            Self::GetQuotaRoot => "GETQUOTAROOT",
            Self::SetQuota => "SETQUOTA",
            Self::Idle => "IDLE",
            Self::Compress => "COMPRESS",
            Self::Check => "CHECK",
            Self::Close => "CLOSE",
            Self::Unselect => "UNSELECT",
            Self::Expunge => "EXPUNGE",
            Self::Search => "SEARCH",
            Self::Sort => "SORT",
            Self::Thread => "THREAD",
            Self::Fetch => "FETCH",
            Self::Store => "STORE",
            Self::Copy => "COPY",
            Self::Move => "MOVE",
            Self::Replace => "REPLACE",
            Self::UidExpunge => "UID EXPUNGE",
            Self::UidSearch => "UID SEARCH",
            Self::UidSort => "UID SORT",
            Self::UidThread => "UID THREAD",
            Self::UidFetch => "UID FETCH",
            Self::UidStore => "UID STORE",
            Self::UidCopy => "UID COPY",
            Self::UidMove => "UID MOVE",
            Self::UidReplace => "UID REPLACE",
        }
    }

    /// Whether EXPUNGE may be told while this command is answered: not with FETCH, STORE, SEARCH,
    /// SORT and THREAD, whose numbers must go on meaning what they meant (RFC 3501 §7.4.1,
    /// RFC 5256 §3); with their UID forms it may.
    #[must_use]
    pub const fn lets_expunge(self) -> bool {
        !matches!(self, Self::Fetch | Self::Store | Self::Search | Self::Sort | Self::Thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_their_commands() {
        for verb in Verb::ALL {
            let name = verb.name().to_ascii_lowercase();
            let found = match name.strip_prefix("uid ") {
                Some(name) => Verb::uid_named(name),
                None => Verb::named(&name),
            };
            assert_eq!(found, Some(verb));
        }
        assert_eq!(Verb::named("UID"), None);
        assert_eq!(Verb::uid_named("NOOP"), None);
        assert_eq!(Verb::named("AUTHENTICATED"), None);
    }
}
