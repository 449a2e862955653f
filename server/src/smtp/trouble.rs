//! Trouble on demand: a client's author wants to see what it does when a server fails.
//!
//! Only where the configuration says so, as that of `localserve` does, an address whose local part
//! is one of these words fails:
//!
//! | local part | what happens |
//! |---|---|
//! | `temperror` | `451`: to be tried again later |
//! | `permerror` | `550`: for good |
//! | `400` to `599` | this code; after `421` the connection is closed |
//! | `timeout` | no answer, until the client has been silent for too long |
//!
//! It happens at the end of the message; with `rcptto` before the word (`rcptto451`) at RCPT; with
//! `mailfrom` before it, in the sender's address, at MAIL. With `queue` before all that
//! (`queuercptto451`) what is submitted is taken, and fails on its way from the queue.

use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};

/// Where in a transaction it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Mail,
    Rcpt,
    Message,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    Refuse(Reply),
    Silence,
}

/// The trouble that a local part asks for at this stage. `submission`: it comes from our own people.
pub(super) fn asked_for(stage: Stage, localpart: &str, submission: bool) -> Option<Trouble> {
    let localpart = localpart.to_ascii_lowercase();
    let localpart = match localpart.strip_prefix("queue") {
        Some(_) if submission => return None,
        Some(later) => later,
        None => &localpart,
    };
    let word = match stage {
        Stage::Mail => localpart.strip_prefix("mailfrom")?,
        Stage::Rcpt => localpart.strip_prefix("rcptto")?,
        Stage::Message => localpart,
    };
    let number = match word {
        "timeout" => return Some(Trouble::Silence),
        "temperror" => 451,
        "permerror" => 550,
        digits if digits.len() == 3 => {
            digits.parse().ok().filter(|number| (400..600).contains(number))?
        }
        _ => return None,
    };
    let text = "as the address asks for";
    Code::new(number).map(|code| Trouble::Refuse(Reply::new(code, Enhanced::new(0, 0), text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_only_at_its_stage() {
        let all = [Stage::Mail, Stage::Rcpt, Stage::Message];
        for (localpart, stage, code) in [
            ("temperror", Stage::Message, 451),
            ("PermError", Stage::Message, 550),
            ("timeout", Stage::Message, 0),
            ("400", Stage::Message, 400),
            ("599", Stage::Message, 599),
            ("mailfromtemperror", Stage::Mail, 451),
            ("mailfrom421", Stage::Mail, 421),
            ("rcpttopermerror", Stage::Rcpt, 550),
            ("rcpttotimeout", Stage::Rcpt, 0),
        ] {
            for other in all {
                let found = asked_for(other, localpart, false).map(|trouble| match trouble {
                    Trouble::Refuse(reply) => reply.code().number(),
                    Trouble::Silence => 0,
                });
                assert_eq!(found, (other == stage).then_some(code), "{localpart} at {other:?}");
                let later = format!("Queue{localpart}");
                assert_eq!(asked_for(other, &later, true), None);
                assert_eq!(asked_for(other, &later, false), asked_for(other, localpart, false));
            }
        }
        for localpart in
            ["", "user", "399", "600", "4512", "+45", "٤٥١", "temperror2", "rcptto", "mailfrom399"]
        {
            for stage in all {
                assert_eq!(asked_for(stage, localpart, false), None, "{localpart}");
            }
        }
    }
}
