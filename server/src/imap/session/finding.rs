//! The commands that say which messages satisfy a key.

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::command::Command;

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
    let (uid, told) = match command {
        Command::Search { uid, returns, key } => {
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
    wrap_up(tools, open, changed, expunges(uid), told.map(|answer| (answer, None))).await
}
