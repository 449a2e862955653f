//! Which command may be given when (RFC 3501 §3, §6; those of other RFCs: see [`Verb`]).
//! RFC 5161 §3.1 wants ENABLE before a mailbox is opened; nothing here depends on that.
//!
//! | command | not authenticated | authenticated | selected | read-only |
//! |---|---|---|---|---|
//! | CAPABILITY | yes | yes | yes | yes |
//! | NOOP | yes | yes | yes | yes |
//! | ID | yes | yes | yes | yes |
//! | LOGOUT | yes | yes | yes | yes |
//! | STARTTLS | yes | no: logged in | no: logged in | no: logged in |
//! | LOGIN | yes | no: logged in | no: logged in | no: logged in |
//! | AUTHENTICATE | yes | no: logged in | no: logged in | no: logged in |
//! | ENABLE | no: log in first | yes | yes | yes |
//! | NAMESPACE | no: log in first | yes | yes | yes |
//! | LIST | no: log in first | yes | yes | yes |
//! | LSUB | no: log in first | yes | yes | yes |
//! | STATUS | no: log in first | yes | yes | yes |
//! | CREATE | no: log in first | yes | yes | yes |
//! | DELETE | no: log in first | yes | yes | yes |
//! | RENAME | no: log in first | yes | yes | yes |
//! | SUBSCRIBE | no: log in first | yes | yes | yes |
//! | UNSUBSCRIBE | no: log in first | yes | yes | yes |
//! | SELECT | no: log in first | yes | yes | yes |
//! | EXAMINE | no: log in first | yes | yes | yes |
//! | APPEND | no: log in first | yes | yes | yes |
//! | GETQUOTA | no: log in first | yes | yes | yes |
//! | GETQUOTAROOT | no: log in first | yes | yes | yes |
//! | SETQUOTA | no: log in first | yes | yes | yes |
//! | IDLE | no: log in first | yes | yes | yes |
//! | COMPRESS | no: log in first | yes | yes | yes |
//! | CHECK | no: log in first | no: select first | yes | yes |
//! | CLOSE | no: log in first | no: select first | yes | yes |
//! | UNSELECT | no: log in first | no: select first | yes | yes |
//! | EXPUNGE | no: log in first | no: select first | yes | no: read-only |
//! | SEARCH | no: log in first | no: select first | yes | yes |
//! | SORT | no: log in first | no: select first | yes | yes |
//! | THREAD | no: log in first | no: select first | yes | yes |
//! | FETCH | no: log in first | no: select first | yes | yes |
//! | STORE | no: log in first | no: select first | yes | no: read-only |
//! | COPY | no: log in first | no: select first | yes | yes |
//! | MOVE | no: log in first | no: select first | yes | no: read-only |
//! | REPLACE | no: log in first | no: select first | yes | no: read-only |
//! | UID EXPUNGE | no: log in first | no: select first | yes | no: read-only |
//! | UID SEARCH | no: log in first | no: select first | yes | yes |
//! | UID SORT | no: log in first | no: select first | yes | yes |
//! | UID THREAD | no: log in first | no: select first | yes | yes |
//! | UID FETCH | no: log in first | no: select first | yes | yes |
//! | UID STORE | no: log in first | no: select first | yes | no: read-only |
//! | UID COPY | no: log in first | no: select first | yes | yes |
//! | UID MOVE | no: log in first | no: select first | yes | no: read-only |
//! | UID REPLACE | no: log in first | no: select first | yes | no: read-only |

use super::command::Verb;

/// How far a session has come (RFC 3501 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Standing {
    NotAuthenticated,
    Authenticated,
    Selected,
    /// Selected by EXAMINE, or a mailbox in which nothing may be changed.
    ReadOnly,
}

/// Whether a command may be given now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Legality {
    Yes,
    /// Only before login.
    LoggedIn,
    /// Only after login.
    LogInFirst,
    /// Only with a mailbox open.
    SelectFirst,
    /// Only with a mailbox open in which things may be changed.
    ReadOnly,
}

/// The table of the [module](self).
pub(super) const fn legality(standing: Standing, verb: Verb) -> Legality {
    use Standing::{Authenticated, NotAuthenticated, ReadOnly, Selected};
    match (home(verb), standing) {
        (Home::Any, NotAuthenticated | Authenticated | Selected | ReadOnly)
        | (Home::BeforeLogin, NotAuthenticated)
        | (Home::AfterLogin, Authenticated | Selected | ReadOnly)
        | (Home::Mailbox, Selected | ReadOnly)
        | (Home::Changes, Selected) => Legality::Yes,
        (Home::BeforeLogin, Authenticated | Selected | ReadOnly) => Legality::LoggedIn,
        (Home::AfterLogin | Home::Mailbox | Home::Changes, NotAuthenticated) => {
            Legality::LogInFirst
        }
        (Home::Mailbox | Home::Changes, Authenticated) => Legality::SelectFirst,
        (Home::Changes, ReadOnly) => Legality::ReadOnly,
    }
}

/// Where a command belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    Any,
    BeforeLogin,
    AfterLogin,
    /// With a mailbox open.
    Mailbox,
    /// With a mailbox open in which things may be changed.
    Changes,
}

const fn home(verb: Verb) -> Home {
    match verb {
        Verb::Capability | Verb::Noop | Verb::Id | Verb::Logout => Home::Any,
        Verb::StartTls | Verb::Login | Verb::Authenticate => Home::BeforeLogin,
        Verb::Enable
        | Verb::Namespace
        | Verb::List
        | Verb::Lsub
        | Verb::Status
        | Verb::Create
        | Verb::Delete
        | Verb::Rename
        | Verb::Subscribe
        | Verb::Unsubscribe
        | Verb::Select
        | Verb::Examine
        | Verb::Append
        | Verb::GetQuota
        | Verb::GetQuotaRoot
        | Verb::SetQuota
        | Verb::Idle
        | Verb::Compress => Home::AfterLogin,
        Verb::Check
        | Verb::Close
        | Verb::Unselect
        | Verb::Search
        | Verb::Sort
        | Verb::Thread
        | Verb::Fetch
        | Verb::Copy
        | Verb::UidSearch
        | Verb::UidSort
        | Verb::UidThread
        | Verb::UidFetch
        | Verb::UidCopy => Home::Mailbox,
        Verb::Expunge
        | Verb::Store
        | Verb::Move
        | Verb::Replace
        | Verb::UidExpunge
        | Verb::UidStore
        | Verb::UidMove
        | Verb::UidReplace => Home::Changes,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn the_table_in_the_docs_is_the_table_in_the_code() {
        let mut table = String::new();
        for verb in Verb::ALL {
            write!(table, "//! | {} |", verb.name()).unwrap();
            for standing in [
                Standing::NotAuthenticated,
                Standing::Authenticated,
                Standing::Selected,
                Standing::ReadOnly,
            ] {
                let word = match legality(standing, verb) {
                    Legality::Yes => "yes",
                    Legality::LoggedIn => "no: logged in",
                    Legality::LogInFirst => "no: log in first",
                    Legality::SelectFirst => "no: select first",
                    Legality::ReadOnly => "no: read-only",
                };
                write!(table, " {word} |").unwrap();
            }
            table.push('\n');
        }
        let docs: String = include_str!("legality.rs")
            .lines()
            .filter(|line| line.starts_with("//! | ") && !line.contains("| command |"))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(table, docs);
    }
}
