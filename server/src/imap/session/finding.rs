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
    let by_uid =
        |uid, key: &Result<SearchKey, _>| uid && !key.as_ref().is_ok_and(SearchKey::has_numbers);
    let (by_uid, told) = match command {
        Command::Search { uid, returns, key } => {
            // RFC 9051 §6.4.4: every search is answered by ESEARCH.
            let returns = returns.or_else(|| tools.rev2().then(|| vec![SearchReturn::All]));
            let by_uid = by_uid(uid, &key);
            let returns = returns.as_deref();
            (by_uid, search::search(&tools, &mut open, uid, returns, key, now).await)
        }
        Command::Sort { uid, returns, criteria, key } => {
            let (by_uid, returns) = (by_uid(uid, &key), returns.as_deref());
            (by_uid, sort::sort(&tools, &mut open, uid, returns, criteria, key, now).await)
        }
        Command::Thread { uid, algorithm, key } => {
            let by_uid = by_uid(uid, &key);
            (by_uid, thread::thread(&tools, &mut open, uid, algorithm, key, now).await)
        }
        // No other comes here.
        _ => (true, Ok(Answer::ok("done"))),
    };
    wrap_up(tools, open, changed, expunges(by_uid), told.map(|answer| (answer, None))).await
}
