//! The commands that look at mailboxes and change flags, each a flow.

use std::borrow::Cow;

use pillarbox_core::effect::{Effect, FaultKind};
use pillarbox_core::imap::Enabled;
use pillarbox_core::imap::command::MessageSet;
use pillarbox_core::imap::flags::{FlagBits, FlagNames};
use pillarbox_core::imap::grammar::{SelectParams, StatusItem, StoreMode};
use pillarbox_core::imap::name::MailboxName;
use pillarbox_core::imap::response::{self, Code, Fetch};
use pillarbox_core::imap::server::{Done, Status};
use pillarbox_core::imap::view::{Expunges, View};
use pillarbox_store::{
    Change, FlagState, Flagged, Flags, Found, MailboxInfo, Read, StoreError, UidRange, Write,
    Written,
};

use super::copy::{Copied, runs};
use super::mailboxes::{self, mailbox_id};
use super::modseqs;
use super::open::{GATHERED_MAX, Open, Tools, keywords, ranges};
use super::pieces::{Progress, rest};
use crate::job;

/// How many messages are looked at in one read.
pub(super) const PAGE: usize = 500;

/// The tagged answer to a command.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) code: Option<Code<'static>>,
    /// What COPY has to tell in place of a code.
    pub(super) copied: Option<Copied>,
    /// What STORE has to tell in place of a code: those that it left as they are.
    pub(super) modified: Vec<(u32, u32)>,
    /// Messages were taken out: the MODSEQ that the mailbox has then belongs to the answer.
    pub(super) took_out: bool,
    pub(super) text: Cow<'static, str>,
}

impl Answer {
    pub(super) fn ok(text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: Status::Ok,
            code: None,
            copied: None,
            modified: Vec::new(),
            took_out: false,
            text: text.into(),
        }
    }

    pub(super) fn no(code: Option<Code<'static>>, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::No, code, ..Self::ok(text) }
    }

    pub(super) fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Bad, ..Self::ok(text) }
    }

    pub(super) fn done(&self) -> Done<'_> {
        let modified = (!self.modified.is_empty()).then_some(Code::Modified(&self.modified));
        let code = self.copied.as_ref().map(Copied::code).or(modified).or(self.code);
        Done { status: self.status, code, text: &self.text }
    }

    /// The store's failure, as the client may see it (RFC 5530).
    pub(super) fn failed(error: &StoreError) -> Self {
        let (code, text) = match error {
            StoreError::NoSuchMailbox => (Code::NonExistent, "there is no such mailbox"),
            StoreError::NotPermitted => (Code::NoPerm, "you may not do that with this mailbox"),
            StoreError::OverQuota => {
                (Code::OverQuota, "this account may have no more mail: remove some first")
            }
            StoreError::KeywordLimit => {
                (Code::Limit, "this mailbox cannot have more keywords, or the name is too long")
            }
            StoreError::AlreadyExists => (Code::AlreadyExists, "there is such a mailbox already"),
            StoreError::MailboxLimit => {
                (Code::Limit, "this account can have no more mailboxes or subscriptions")
            }
            StoreError::NameLimit => {
                (Code::Limit, "a mailbox would have a name of too many bytes or levels")
            }
            StoreError::Cannot(reason) => (Code::Cannot, *reason),
            StoreError::UidLimit => (Code::Limit, "this mailbox has given out its last UID"),
            error if error.kind() == FaultKind::NoSpace => {
                (Code::Unavailable, "there is no room for that now, try again later")
            }
            _ => (Code::Unavailable, "that cannot be done at the moment, try again later"),
        };
        Self::no(Some(code), text)
    }
}

/// A result that is an answer in any case.
pub(super) fn answered(result: Result<Answer, StoreError>) -> (Answer, Option<StoreError>) {
    match result {
        Ok(answer) => (answer, None),
        Err(error) => (Answer::failed(&error), Some(error)),
    }
}

/// STATUS.
pub(super) async fn status(
    tools: &Tools,
    name: &MailboxName,
    items: &[StatusItem],
) -> Result<Answer, StoreError> {
    let mailbox = by_name(tools, name).await?.id;
    let question = Read::Status { by: tools.account, mailbox };
    let Found::Status(status) = tools.read("status", question).await? else {
        return Err(job::astray("status"));
    };
    let recent = if items.contains(&StatusItem::Recent) {
        let above = tools.recents.claimed(mailbox);
        let question = Read::Recent { by: tools.account, mailbox, above };
        match tools.read("recent", question).await? {
            Found::Recent(count) => count,
            _ => return Err(job::astray("recent")),
        }
    } else {
        0
    };
    let values: Vec<_> = items
        .iter()
        .map(|item| {
            let value = match item {
                StatusItem::Messages => status.messages,
                StatusItem::Recent => recent,
                StatusItem::UidNext => status.uidnext.into(),
                StatusItem::UidValidity => status.uidvalidity.into(),
                StatusItem::Unseen => status.unseen,
                StatusItem::AppendLimit => tools.append_bytes_max.into(),
                StatusItem::Size => status.bytes,
                StatusItem::HighestModSeq => status.highestmodseq,
                StatusItem::Deleted => status.deleted,
                StatusItem::MailboxId => mailbox.0.unsigned_abs(),
            };
            (*item, value)
        })
        .collect();
    tools.pen.write(|out| response::status(name, &values, tools.enabled.spelling(), out));
    Ok(Answer::ok("done"))
}

/// SELECT and EXAMINE.
pub(super) async fn select(
    tools: &Tools,
    name: &MailboxName,
    read_only: bool,
    params: &SelectParams,
) -> Result<(Open, Answer), StoreError> {
    let id = by_name(tools, name).await?.id;
    // The watch begins before the look: what changes between the two is then told, not missed.
    let watch = tools.desk.send(Effect::Watch(crate::topic_of(id)));
    let known = params.qresync.as_ref();
    let since = known.map(|known| (known.uidvalidity, known.modseq));
    let question = Read::Select { by: tools.account, mailbox: id, since };
    let mut selected = match tools.read("select", question).await {
        Ok(Found::Selected(selected)) => selected,
        other => {
            tools.desk.send(Effect::Release(watch));
            return Err(other.err().unwrap_or_else(|| job::astray("select")));
        }
    };
    let modseq = selected.status.highestmodseq;
    let pin = tools.pins.pin(id, modseq);
    let claims = tools.recents.open(id, selected.claimed);
    let claimed = if read_only {
        claims.claimed()
    } else {
        claims.claim(selected.status.uidnext.saturating_sub(1))
    };
    let view = View::new(selected.uids.iter().flat_map(|r| r.first..=r.last), modseq)
        .with_recent_above(claimed);
    let keywords = keywords(&selected.keywords);
    let mut open = Open {
        id,
        read_only,
        view,
        keywords,
        watch,
        pin,
        claims,
        aware: tools.enabled.has(Enabled::CONDSTORE),
        told_modseq: modseq,
        behind: false,
        parsed: None,
        decoding: None,
    };
    open.store_claims(tools);
    tools.pen.write(|out| {
        response::flags(&open.keywords, out);
        response::exists(open.view.count(), out);
        if !tools.rev2() {
            response::recent(open.view.recent_count(), out);
            if let Some(first) = selected.first_unseen.and_then(|uid| open.view.sequence_of(uid)) {
                response::ok(Code::Unseen(first), "first unseen", out);
            }
        }
        response::ok(Code::UidValidity(selected.status.uidvalidity), "valid", out);
        response::ok(Code::UidNext(selected.status.uidnext), "next", out);
        response::ok(Code::HighestModSeq(modseq), "highest", out);
        // RFC 8474 §4.2.
        response::ok(mailbox_id(id), "id", out);
        response::permanent_flags((!read_only).then_some(&open.keywords), out);
    });
    if tools.rev2()
        && let Err(error) = mailboxes::tell_one(tools, name).await
    {
        open.close(tools);
        return Err(error);
    }
    if let (Some(known), Some(changes)) = (known, selected.changes.take()) {
        modseqs::resync(tools, &mut open, known, changes).await;
    }
    Ok((open, Answer::ok("selected")))
}

/// STORE and UID STORE.
pub(super) async fn store(
    tools: &Tools,
    open: &mut Open,
    set: &MessageSet,
    unchanged_since: Option<u64>,
    mode: StoreMode,
    silent: bool,
    flags: FlagNames,
) -> Result<(Answer, Option<u64>), StoreError> {
    if open.read_only {
        return Ok((Answer::no(Some(Code::ReadOnly), "the mailbox is open read-only"), None));
    }
    let Ok(stretches) = open.view.resolve(set) else { return Ok((no_such_message(), None)) };
    let mut progress = Progress::begin(tools, &stretches);
    let mut uids = ranges(&stretches);
    let (mut modified, mut first) = (Vec::new(), true);
    let own = loop {
        let write = Write::StoreFlags {
            by: tools.account,
            mailbox: open.id,
            uids: uids.clone(),
            unchanged_since,
            change: match mode {
                StoreMode::Replace => Change::Replace,
                StoreMode::Add => Change::Add,
                StoreMode::Remove => Change::Remove,
            },
            flags: Flags(flags.system.0),
            keywords: flags.keywords.iter().map(ToString::to_string).collect(),
        };
        let Written::Flagged(flagged) = job::write(&tools.desk, "store", write).await? else {
            return Err(job::astray("store"));
        };
        tools.notify(open.id);
        if first && !flags.keywords.is_empty() {
            // A keyword that is new to the mailbox has a bit only now.
            let question = Read::Select { by: tools.account, mailbox: open.id, since: None };
            if let Found::Selected(selected) = tools.read("keywords", question).await? {
                open.learn_keywords(&selected.keywords, &tools.pen);
            }
        }
        first = false;
        tell_stored(tools, open, set.uid, silent, unchanged_since, &flagged).await;
        modified.extend(refused(tools, open, set.uid, &flagged.modified).await);
        // In silence the client takes the flags to be what it made them: where another session had
        // a hand in them since it was told last, it must hear what they are (RFC 3501 §6.4.6).
        let overtaken = silent && flagged.before > open.view.modseq();
        let own = flagged.modseq.filter(|_| !overtaken);
        uids = rest(&uids, flagged.more);
        if uids.is_empty() {
            break own;
        }
        // Each piece is a change of its own, which others see before the next.
        open.sync(tools, Expunges::Hold, own).await?;
        progress.came_to(tools, &uids);
    };
    let text = if modified.is_empty() { "done" } else { "some have changed since" };
    Ok((Answer { modified, ..Answer::ok(text) }, own))
}

async fn tell_stored(
    tools: &Tools,
    open: &mut Open,
    uid: bool,
    silent: bool,
    unchanged_since: Option<u64>,
    flagged: &Flagged,
) {
    let aware = tools.enabled.has(Enabled::CONDSTORE);
    for state in &flagged.messages {
        // RFC 7162 §3.1.3: a client that knows MODSEQs must hear the new ones in any case, and all of
        // those that it has asked about.
        let modseq =
            aware && (!silent || unchanged_since.is_some() || Some(state.modseq) == flagged.modseq);
        if !silent || modseq {
            let told = Told { uid: uid || aware, flags: !silent, modseq };
            tell_flags(tools, open, state, &told).await;
        }
    }
}

/// What is told of a message that was changed.
pub(super) struct Told {
    pub(super) uid: bool,
    pub(super) flags: bool,
    pub(super) modseq: bool,
}

pub(super) async fn tell_flags(tools: &Tools, open: &mut Open, state: &FlagState, told: &Told) {
    let Some(sequence) = open.view.sequence_of(state.uid) else { return };
    if told.modseq {
        open.tells_modseq(state.modseq);
    }
    let gathered = tools.pen.write(|out| {
        let mut fetch = Fetch::begin(sequence, out);
        if told.uid {
            fetch.uid(state.uid, out);
        }
        if told.flags {
            let recent = tools.is_recent(open, state.uid);
            fetch.flags(FlagBits(state.flags.0), recent, &open.keywords, out);
        }
        if told.modseq {
            fetch.modseq(state.modseq, out);
        }
        fetch.end(out);
        out.len()
    });
    if gathered > GATHERED_MAX {
        tools.pen.room().await;
    }
}

/// The numbers of those that a conditional STORE has left as they are. Their flags are told, so that
/// the client need not ask what has become of them (RFC 7162 §3.1.3).
async fn refused(
    tools: &Tools,
    open: &mut Open,
    uid: bool,
    modified: &[FlagState],
) -> Vec<(u32, u32)> {
    let told = Told { uid: true, flags: true, modseq: true };
    for state in modified {
        if state.modseq > open.view.modseq() {
            // It is among what is told at the end of the command.
            open.tells_modseq(state.modseq);
        } else {
            tell_flags(tools, open, state, &told).await;
        }
    }
    let uids = modified.iter().map(|state| state.uid);
    let numbers = uids.filter_map(|number| match uid {
        true => Some(number),
        false => open.view.sequence_of(number),
    });
    runs(numbers)
}

/// EXPUNGE, and the silent one of CLOSE; UID EXPUNGE where messages are named.
pub(super) async fn expunge(
    tools: &Tools,
    open: &Open,
    set: Option<&MessageSet>,
) -> Result<Answer, StoreError> {
    if open.read_only {
        return Ok(Answer::no(Some(Code::ReadOnly), "the mailbox is open read-only"));
    }
    let Ok(stretches) = set.map(|set| open.view.resolve(set)).transpose() else {
        return Ok(no_such_message());
    };
    let all = || open.view.stretches().collect();
    let stretches: Vec<_> = stretches.unwrap_or_else(all);
    let mut progress = Progress::begin(tools, &stretches);
    let mut uids = match set {
        Some(_) => ranges(&stretches),
        // Those that the client does not know of, too.
        None => vec![UidRange::ALL],
    };
    let mut took_out = false;
    loop {
        let write =
            Write::Expunge { by: tools.account, mailbox: open.id, uids: Some(uids.clone()) };
        let Written::Expunged(expunged) = job::write(&tools.desk, "expunge", write).await? else {
            return Err(job::astray("expunge"));
        };
        if !expunged.uids.is_empty() {
            took_out = true;
            tools.pins.expunged(open.id, expunged.modseq);
            tools.notify(open.id);
        }
        uids = rest(&uids, expunged.more);
        if uids.is_empty() {
            return Ok(Answer { took_out, ..Answer::ok("done") });
        }
        progress.came_to(tools, &uids);
    }
}

pub(super) async fn by_name(tools: &Tools, name: &MailboxName) -> Result<MailboxInfo, StoreError> {
    let question = Read::MailboxByName { account: tools.account, name: name.as_str().to_owned() };
    match tools.read("mailbox", question).await? {
        Found::Mailbox(info) => Ok(info),
        _ => Err(job::astray("mailbox")),
    }
}

/// RFC 3501 §9: a sequence number beyond the last message is an error.
pub(super) fn no_such_message() -> Answer {
    Answer::bad("there is no message with such a number")
}
