//! The commands that are about mailboxes as a whole: told, made, renamed, removed, subscribed to.

use std::collections::{HashMap, HashSet};

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::grammar::{ListOptions, ListReturn, ListSelect};
use pillarbox_core::imap::listing::{Levels, Listed, listed};
use pillarbox_core::imap::name::{ListPattern, MailboxName};
use pillarbox_core::imap::object;
use pillarbox_core::imap::response::{self, Code};
use pillarbox_store::{Found, MailboxId, MailboxInfo, Read, Special, StoreError, Write, Written};

use super::commands::{Answer, status};
use super::open::Tools;
use crate::job;

/// RFC 3348 §3.
const HAS_CHILDREN: &str = "\\HasChildren";
const HAS_NO_CHILDREN: &str = "\\HasNoChildren";

/// LIST.
pub(super) async fn list(
    tools: &Tools,
    patterns: &[ListPattern],
    options: Option<&ListOptions>,
) -> Result<Answer, StoreError> {
    if let Some(options) = options {
        return list_extended(tools, patterns, options).await;
    }
    if patterns.iter().any(ListPattern::asks_for_delimiter) {
        tools.pen.write(response::list_delimiter);
        return Ok(Answer::ok("done"));
    }
    let known = known(tools).await?;
    for found in listed(patterns, known.keys(), Levels::Asked) {
        tell(tools, &known, &found);
    }
    Ok(Answer::ok("done"))
}

/// The mailbox that is being selected, as LIST has it (RFC 9051 §6.3.2).
pub(super) async fn tell_one(tools: &Tools, name: &MailboxName) -> Result<(), StoreError> {
    let known = known(tools).await?;
    let children = known.keys().flat_map(MailboxName::above).any(|above| above == name.as_str());
    tell(tools, &known, &Listed { name: name.clone(), itself: true, children });
    Ok(())
}

/// One mailbox or level.
fn tell(tools: &Tools, known: &HashMap<MailboxName, Option<Special>>, found: &Listed) {
    let mut attributes = Vec::new();
    if !found.itself {
        attributes.push("\\Noselect");
    }
    attributes.push(if found.children { HAS_CHILDREN } else { HAS_NO_CHILDREN });
    // RFC 6154 §2: the special use may be told to those who did not ask for it.
    let special = known.get(&found.name).copied().flatten().map(attribute);
    attributes.extend(special.as_deref());
    let spelling = tools.enabled.spelling();
    tools.pen.write(|out| response::list(&attributes, &found.name, spelling, out));
}

/// LIST with options or several patterns (RFC 5258 §3).
async fn list_extended(
    tools: &Tools,
    patterns: &[ListPattern],
    options: &ListOptions,
) -> Result<Answer, StoreError> {
    let spelling = tools.enabled.spelling();
    let selects = |option| options.selects.contains(&option);
    let returns = |option| options.returns.contains(&option);
    let (by_subscription, by_use) =
        (selects(ListSelect::Subscribed), selects(ListSelect::SpecialUse));
    let known = known(tools).await?;
    // RFC 5258 §3.1: who chooses by subscription is told of it.
    let subscribed = if by_subscription || returns(ListReturn::Subscribed) {
        subscriptions(tools).await?
    } else {
        Vec::new()
    };
    let special = |name: &MailboxName| known.get(name).copied().flatten().map(attribute);
    let names: Vec<_> =
        if by_subscription { subscribed.iter().collect() } else { known.keys().collect() };
    let chosen = names.into_iter().filter(|name| !by_use || special(name).is_some());
    let levels = match (selects(ListSelect::RecursiveMatch), by_subscription || by_use) {
        (true, _) => Levels::AboveUnmatched,
        (false, true) => Levels::Never,
        (false, false) => Levels::Asked,
    };
    let mut chosen_by = Vec::new();
    chosen_by.extend(by_subscription.then_some("SUBSCRIBED"));
    chosen_by.extend(by_use.then_some("SPECIAL-USE"));
    let known_subscribed: HashSet<_> = subscribed.iter().collect();
    let parents: HashSet<_> = known.keys().flat_map(MailboxName::above).collect();
    for Listed { name, children, .. } in listed(patterns, chosen, levels) {
        let exists = known.contains_key(&name);
        let mut attributes = Vec::new();
        attributes.extend((!exists).then_some("\\NonExistent"));
        attributes.extend(known_subscribed.contains(&name).then_some("\\Subscribed"));
        if returns(ListReturn::Children) {
            let children = parents.contains(name.as_str());
            attributes.push(if children { HAS_CHILDREN } else { HAS_NO_CHILDREN });
        }
        let special = special(&name).filter(|_| by_use || returns(ListReturn::SpecialUse));
        attributes.extend(special.as_deref());
        let child_info = match levels {
            Levels::AboveUnmatched if children => &*chosen_by,
            _ => &[],
        };
        tools
            .pen
            .write(|out| response::list_extended(&attributes, &name, child_info, spelling, out));
        if exists && !options.status.is_empty() {
            // RFC 5819 §2: what has gone meanwhile is passed over.
            match status(tools, &name, &options.status).await {
                Ok(_) | Err(StoreError::NoSuchMailbox) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Answer::ok("done"))
}

/// LSUB.
pub(super) async fn lsub(tools: &Tools, pattern: &ListPattern) -> Result<Answer, StoreError> {
    let names = subscriptions(tools).await?;
    let known = known(tools).await?;
    for Listed { name, itself, .. } in listed(std::slice::from_ref(pattern), &names, Levels::Asked)
    {
        // RFC 3501 §6.3.9: so is a level that is not subscribed to itself, mailbox or not, and so
        // should be a name that no mailbox has.
        let selectable = itself && known.contains_key(&name);
        let attributes: &[&str] = if selectable { &[] } else { &["\\Noselect"] };
        tools.pen.write(|out| response::lsub(attributes, &name, tools.enabled.spelling(), out));
    }
    Ok(Answer::ok("done"))
}

/// All names that are subscribed to.
async fn subscriptions(tools: &Tools) -> Result<Vec<MailboxName>, StoreError> {
    let question = Read::Subscriptions { account: tools.account };
    let Found::Subscriptions(names) = tools.read("subscriptions", question).await? else {
        return Err(job::astray("subscriptions"));
    };
    Ok(names.into_iter().filter_map(|name| MailboxName::new(name).ok()).collect())
}

/// A use as LIST tells it (RFC 6154 §2).
fn attribute(special: Special) -> String {
    format!("\\{}", special.name())
}

/// All mailboxes by name, each with its use.
async fn known(tools: &Tools) -> Result<HashMap<MailboxName, Option<Special>>, StoreError> {
    let question = Read::Mailboxes { account: tools.account };
    let Found::Mailboxes(mailboxes) = tools.read("mailboxes", question).await? else {
        return Err(job::astray("mailboxes"));
    };
    let named = |info: MailboxInfo| Some((MailboxName::new(info.name).ok()?, info.special));
    Ok(mailboxes.into_iter().filter_map(named).collect())
}

/// CREATE.
pub(super) async fn create(
    tools: &Tools,
    name: &MailboxName,
    uses: &[Box<str>],
    now: UnixSeconds,
) -> Result<Answer, StoreError> {
    let named = |name: &str| {
        Special::ALL.into_iter().find(|special| special.name().eq_ignore_ascii_case(name))
    };
    let special = match uses {
        [] => None,
        [one] => match named(one) {
            Some(special) => Some(special),
            None => return Ok(Answer::no(Some(Code::UseAttr), "no mailbox can be for that here")),
        },
        // RFC 6154 §3: what cannot be had as a whole is not made.
        [_, ..] => return Ok(Answer::no(Some(Code::UseAttr), "a mailbox is for one thing here")),
    };
    let write =
        Write::CreateMailbox { by: tools.account, name: name.as_str().into(), special, now };
    match job::write(&tools.desk, "create", write).await? {
        // RFC 8474 §4.1.
        Written::Mailbox(id) => Ok(Answer { code: Some(mailbox_id(id)), ..Answer::ok("created") }),
        _ => Err(job::astray("create")),
    }
}

/// What a mailbox is called for good.
pub(super) const fn mailbox_id(id: MailboxId) -> Code<'static> {
    Code::MailboxId(object::MailboxId(id.0.unsigned_abs()))
}

/// DELETE; tells which mailbox it was.
pub(super) async fn delete(tools: &Tools, name: &MailboxName) -> Result<MailboxId, StoreError> {
    let write = Write::DeleteMailbox { by: tools.account, name: name.as_str().into() };
    match job::write(&tools.desk, "delete", write).await? {
        Written::Mailbox(id) => {
            tools.notify(id);
            Ok(id)
        }
        _ => Err(job::astray("delete")),
    }
}

/// RENAME. A session that has the mailbox open keeps it: what it sees does not depend on the name.
pub(super) async fn rename(
    tools: &Tools,
    from: &MailboxName,
    to: &MailboxName,
    now: UnixSeconds,
) -> Result<Answer, StoreError> {
    let (from, to) = (from.as_str().into(), to.as_str().into());
    let write = Write::RenameMailbox { by: tools.account, from, to, now };
    let Written::Renamed(emptied) = job::write(&tools.desk, "rename", write).await? else {
        return Err(job::astray("rename"));
    };
    if let Some((inbox, expunged)) = emptied
        && !expunged.uids.is_empty()
    {
        tools.pins.expunged(inbox, expunged.modseq);
        tools.notify(inbox);
        tools.purge(inbox);
    }
    Ok(Answer::ok("renamed"))
}

/// SUBSCRIBE and UNSUBSCRIBE.
pub(super) async fn subscribe(
    tools: &Tools,
    name: &MailboxName,
    on: bool,
) -> Result<Answer, StoreError> {
    let write = Write::Subscribe { by: tools.account, name: name.as_str().into(), on };
    job::write(&tools.desk, "subscribe", write).await?;
    Ok(Answer::ok(if on { "subscribed" } else { "unsubscribed" }))
}
