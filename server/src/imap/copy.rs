//! COPY and MOVE.

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::command::MessageSet;
use pillarbox_core::imap::name::MailboxName;
use pillarbox_core::imap::response::{self, Code, CopyUid};
use pillarbox_store::{MailboxId, Moved, StoreError, UidRange, Write, Written};

use super::commands::{Answer, by_name, no_such_message};
use super::open::{Open, Tools, ranges};
use super::pieces::{Progress, rest};
use crate::job;

/// Which messages became which (COPYUID, RFC 4315 §3).
#[derive(Debug)]
pub(super) struct Copied {
    uidvalidity: u32,
    from: Vec<(u32, u32)>,
    to: Vec<(u32, u32)>,
}

impl Copied {
    /// From pairs that ascend in both. `None` where nothing was copied: there is no empty set.
    fn new(uidvalidity: u32, pairs: &[(u32, u32)]) -> Option<Self> {
        let from = runs(pairs.iter().map(|(from, _)| *from));
        let to = runs(pairs.iter().map(|(_, to)| *to));
        (!pairs.is_empty()).then_some(Self { uidvalidity, from, to })
    }

    pub(super) fn code(&self) -> Code<'_> {
        let Self { uidvalidity, from, to } = self;
        Code::CopyUid(CopyUid { uidvalidity: *uidvalidity, from, to })
    }
}

/// COPY and UID COPY. Those that were asked for and are gone, which will be told after, are passed
/// over (RFC 2180 §4.4).
pub(super) async fn copy(
    tools: &Tools,
    open: &Open,
    set: &MessageSet,
    name: &MailboxName,
    now: UnixSeconds,
) -> Result<Answer, StoreError> {
    let Ok(stretches) = open.view.resolve(set) else { return Ok(no_such_message()) };
    let to = match target(tools, name).await? {
        Ok(to) => to,
        Err(answer) => return Ok(answer),
    };
    let uids = ranges(&stretches);
    let write = Write::Copy { by: tools.account, from: open.id, uids, to, now };
    let Written::Copied(uidvalidity, pairs) = job::write(&tools.desk, "copy", write).await? else {
        return Err(job::astray("copy"));
    };
    let copied = Copied::new(uidvalidity, &pairs);
    if copied.is_some() {
        tools.notify(to);
    }
    Ok(Answer { copied, ..Answer::ok("copied") })
}

/// MOVE and UID MOVE.
pub(super) async fn relocate(
    tools: &Tools,
    open: &Open,
    set: &MessageSet,
    name: &MailboxName,
    now: UnixSeconds,
) -> Result<Answer, StoreError> {
    if open.read_only {
        return Ok(Answer::no(Some(Code::ReadOnly), "the mailbox is open read-only"));
    }
    let Ok(stretches) = open.view.resolve(set) else { return Ok(no_such_message()) };
    let to = match target(tools, name).await? {
        Ok(to) => to,
        Err(answer) => return Ok(answer),
    };
    let mut progress = Progress::begin(tools, &stretches);
    let mut uids = ranges(&stretches);
    let (mut uidvalidity, mut pairs) = (0, Vec::new());
    // Each piece is one commit: a message is never in both mailboxes or in neither
    // (RFC 6851 §3.3), wherever it ends.
    let ended = loop {
        let moved = match piece(tools, open, uids.clone(), to, now).await {
            Ok(moved) => moved,
            Err(error) => break Err(error),
        };
        uidvalidity = moved.uidvalidity;
        pairs.extend(moved.pairs);
        uids = rest(&uids, moved.more);
        if uids.is_empty() {
            break Ok(Answer { took_out: !pairs.is_empty(), ..Answer::ok("moved") });
        }
        progress.came_to(tools, &uids);
    };
    if let Some(copied) = Copied::new(uidvalidity, &pairs) {
        // RFC 6851 §4.3: before the client hears that the originals are gone.
        tools.pen.write(|out| response::ok(copied.code(), "moved", out));
    }
    ended
}

async fn piece(
    tools: &Tools,
    open: &Open,
    uids: Vec<UidRange>,
    to: MailboxId,
    now: UnixSeconds,
) -> Result<Moved, StoreError> {
    let write = Write::Move { by: tools.account, from: open.id, uids, to, now };
    let Written::Moved(moved) = job::write(&tools.desk, "move", write).await? else {
        return Err(job::astray("move"));
    };
    if !moved.pairs.is_empty() {
        tools.pins.expunged(open.id, moved.modseq);
        tools.notify(open.id);
        if to != open.id {
            tools.notify(to);
        }
    }
    Ok(moved)
}

/// Where to; or that it may be created first (RFC 3501 §6.4.7).
async fn target(
    tools: &Tools,
    name: &MailboxName,
) -> Result<Result<MailboxId, Answer>, StoreError> {
    match by_name(tools, name).await {
        Ok(info) => Ok(Ok(info.id)),
        Err(StoreError::NoSuchMailbox) => {
            Ok(Err(Answer::no(Some(Code::TryCreate), "there is no such mailbox")))
        }
        Err(error) => Err(error),
    }
}

/// Ascending numbers as ranges.
pub(super) fn runs(numbers: impl Iterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_become_sets_as_short_as_can_be() {
        let pairs = [(1, 8), (2, 9), (5, 10), (u32::MAX, 12)];
        let Some(copied) = Copied::new(7, &pairs) else { panic!("nothing copied") };
        assert_eq!(copied.from, [(1, 2), (5, 5), (u32::MAX, u32::MAX)]);
        assert_eq!(copied.to, [(8, 10), (12, 12)]);
        assert!(Copied::new(7, &[]).is_none());
    }
}
