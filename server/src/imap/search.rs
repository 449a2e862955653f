//! SEARCH and UID SEARCH.

use pillarbox_core::imap::command::SearchKey;
use pillarbox_core::imap::flags::FlagBits;
use pillarbox_core::imap::grammar::Day;
use pillarbox_core::imap::response::{self, Code};
use pillarbox_core::imap::search::{Facts, Search};
use pillarbox_store::{Found, Read, StoreError, UidRange, What};

use super::commands::{Answer, PAGE};
use super::open::{Open, Tools};
use crate::job;

/// SEARCH and UID SEARCH.
pub(super) async fn search(
    tools: &Tools,
    open: &Open,
    uid: bool,
    key: &SearchKey,
) -> Result<Answer, StoreError> {
    let search = match Search::new(key, &open.view, &open.keywords) {
        Ok(search) => search,
        Err(name) => return Ok(not_yet("SEARCH", name)),
    };
    let mut found = Vec::new();
    let mut after = Some(0);
    while let Some(start) = after {
        let question = Read::Messages {
            by: tools.account,
            mailbox: open.id,
            uids: vec![UidRange::ALL],
            after: start,
            count_max: PAGE * 10,
            what: What::Facts,
            also_expunged: true,
        };
        let Found::Messages(page) = tools.read("search", question).await? else {
            return Err(job::astray("search"));
        };
        for message in &page.messages {
            let facts = &message.facts;
            let Some(sequence) = open.view.sequence_of(facts.uid) else { continue };
            let matches = search.matches(&Facts {
                sequence,
                uid: facts.uid,
                flags: FlagBits(facts.flags.0),
                received: Day::of(facts.internaldate),
                size: facts.size,
            });
            if matches {
                found.push(if uid { facts.uid } else { sequence });
            }
        }
        after = page.more;
    }
    tools.pen.write(|out| response::search(found, out));
    Ok(Answer::ok("done"))
}

/// What IMAP knows and this version does not do yet.
pub(super) fn not_yet(command: &str, name: &str) -> Answer {
    Answer::no(Some(Code::Cannot), format!("{command} {name} is not in this version yet"))
}
