//! Which command may be given when (RFC 3501 §3, §6; IDLE: RFC 2177).
//!
//! | command | not authenticated | authenticated | selected | read-only |
//! |---|---|---|---|---|
//! | CAPABILITY | yes | yes | yes | yes |
//! | NOOP | yes | yes | yes | yes |
//! | LOGOUT | yes | yes | yes | yes |
//! | STARTTLS | yes | no: logged in | no: logged in | no: logged in |
//! | LOGIN | yes | no: logged in | no: logged in | no: logged in |
//! | AUTHENTICATE | yes | no: logged in | no: logged in | no: logged in |
//! | LIST | no: log in first | yes | yes | yes |
//! | STATUS | no: log in first | yes | yes | yes |
//! | SELECT | no: log in first | yes | yes | yes |
//! | EXAMINE | no: log in first | yes | yes | yes |
//! | APPEND | no: log in first | yes | yes | yes |
//! | IDLE | no: log in first | yes | yes | yes |
//! | CLOSE | no: log in first | no: select first | yes | yes |
//! | EXPUNGE | no: log in first | no: select first | yes | no: read-only |
//! | SEARCH | no: log in first | no: select first | yes | yes |
//! | FETCH | no: log in first | no: select first | yes | yes |
//! | STORE | no: log in first | no: select first | yes | no: read-only |
//! | UID SEARCH | no: log in first | no: select first | yes | yes |
//! | UID FETCH | no: log in first | no: select first | yes | yes |
//! | UID STORE | no: log in first | no: select first | yes | no: read-only |

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
    match (standing, verb) {
        (
            NotAuthenticated | Authenticated | Selected | ReadOnly,
            Verb::Capability | Verb::Noop | Verb::Logout,
        )
        | (NotAuthenticated, Verb::StartTls | Verb::Login | Verb::Authenticate)
        | (
            Authenticated | Selected | ReadOnly,
            Verb::List | Verb::Status | Verb::Select | Verb::Examine | Verb::Append | Verb::Idle,
        )
        | (
            Selected | ReadOnly,
            Verb::Close | Verb::Search | Verb::Fetch | Verb::UidSearch | Verb::UidFetch,
        )
        | (Selected, Verb::Expunge | Verb::Store | Verb::UidStore) => Legality::Yes,
        (
            Authenticated | Selected | ReadOnly,
            Verb::StartTls | Verb::Login | Verb::Authenticate,
        ) => Legality::LoggedIn,
        (
            NotAuthenticated,
            Verb::List
            | Verb::Status
            | Verb::Select
            | Verb::Examine
            | Verb::Append
            | Verb::Idle
            | Verb::Close
            | Verb::Expunge
            | Verb::Search
            | Verb::Fetch
            | Verb::Store
            | Verb::UidSearch
            | Verb::UidFetch
            | Verb::UidStore,
        ) => Legality::LogInFirst,
        (
            Authenticated,
            Verb::Close
            | Verb::Expunge
            | Verb::Search
            | Verb::Fetch
            | Verb::Store
            | Verb::UidSearch
            | Verb::UidFetch
            | Verb::UidStore,
        ) => Legality::SelectFirst,
        (ReadOnly, Verb::Expunge | Verb::Store | Verb::UidStore) => Legality::ReadOnly,
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
