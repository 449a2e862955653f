//! The commands that say which messages satisfy a key.

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::command::{Command, SearchKey};
use pillarbox_core::imap::grammar::SearchReturn;

use super::{Outcome, expunges, wrap_up};
use crate::imap::commands::Answer;
use crate::imap::open::{Open, Tools};
use crate::imap::{search, sort, thread};

/// SEARCH, SORT and THREAD, from their arguments to the tagged answer.
pub(super) async fn run(
    tools: Tools,
    mut open: Open,
    command: Command,
    changed: bool,
    now: UnixSeconds,
) -> Outcome {
    let numbers = has_numbers(&command);
    let (uid, told) = match command {
        Command::Search { uid, returns, key } => {
            // RFC 9051 §6.4.4: every search is answered by ESEARCH.
            let returns = returns.or_else(|| tools.rev2().then(|| vec![SearchReturn::All]));
            (uid, search::search(&tools, &mut open, uid, returns.as_deref(), key, now).await)
        }
        Command::Sort { uid, returns, criteria, key } => {
            let returns = returns.as_deref();
            (uid, sort::sort(&tools, &mut open, uid, returns, criteria, key, now).await)
        }
        Command::Thread { uid, algorithm, key } => {
            (uid, thread::thread(&tools, &mut open, uid, algorithm, key, now).await)
        }
        // No other comes here.
        _ => (true, Ok(Answer::ok("done"))),
    };
    let expunges = expunges(uid && !numbers);
    wrap_up(tools, open, changed, expunges, told.map(|answer| (answer, None))).await
}

/// Whether numbers are among what is looked for: they must not change meanwhile, though the answer be
/// in UIDs (RFC 7162 §3.2.10.2, RFC 9051 §7.5.1).
fn has_numbers(command: &Command) -> bool {
    match command {
        Command::Search { key, .. } | Command::Sort { key, .. } | Command::Thread { key, .. } => {
            key.as_ref().is_ok_and(SearchKey::has_numbers)
        }
        _ => false,
    }
}
