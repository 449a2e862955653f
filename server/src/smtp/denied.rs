//! What somebody is told who could not log in.

use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};

use crate::login::{Denied, besieged};

/// RFC 4954 §6.
pub(super) fn refusal(denied: &Denied) -> Reply {
    match denied {
        Denied::Wrong | Denied::NoKeys(_) => Reply::authentication_failed(),
        Denied::NotAs => {
            let text = "you may only act as yourself";
            Reply::new(Code::AUTH_FAILED, Enhanced::new(7, 8), text)
        }
        Denied::TooOften(refused) => {
            let text = format!("too many failed logins {refused}");
            Reply::new(Code::TEMPORARY_AUTH_FAILURE, Enhanced::new(7, 0), text)
        }
        Denied::Besieged(wait) => {
            Reply::new(Code::TEMPORARY_AUTH_FAILURE, Enhanced::new(7, 0), besieged(*wait))
        }
        Denied::Failed(_) => {
            let text = "your login cannot be checked at the moment, try again later";
            Reply::new(Code::TEMPORARY_AUTH_FAILURE, Enhanced::new(7, 0), text)
        }
    }
}
