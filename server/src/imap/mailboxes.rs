//! The commands that are about mailboxes as a whole: told, made, renamed, removed, subscribed to.

use std::collections::HashMap;

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::listing::{Listed, listed};
use pillarbox_core::imap::name::{ListPattern, MailboxName};
use pillarbox_core::imap::response;
use pillarbox_store::{Found, MailboxId, MailboxInfo, Read, Special, StoreError, Write, Written};

use super::commands::Answer;
use super::open::Tools;
use crate::job;

/// LIST.
pub(super) async fn list(tools: &Tools, pattern: &ListPattern) -> Result<Answer, StoreError> {
    if pattern.asks_for_delimiter() {
        tools.pen.write(response::list_delimiter);
        return Ok(Answer::ok("done"));
    }
    let known = known(tools).await?;
    for Listed { name, itself, children } in listed(pattern, known.keys()) {
        let mut attributes = Vec::new();
        if !itself {
            attributes.push("\\Noselect");
        }
        attributes.push(if children { "\\HasChildren" } else { "\\HasNoChildren" });
        // RFC 6154 §2: the special use may be told to those who did not ask for it.
        let special = known.get(&name).copied().flatten();
        let special = special.map(|special| format!("\\{}", special.name()));
        attributes.extend(special.as_deref());
        tools.pen.write(|out| response::list(&attributes, &name, out));
    }
    Ok(Answer::ok("done"))
}

/// LSUB.
pub(super) async fn lsub(tools: &Tools, pattern: &ListPattern) -> Result<Answer, StoreError> {
    let question = Read::Subscriptions { account: tools.account };
    let Found::Subscriptions(names) = tools.read("subscriptions", question).await? else {
        return Err(job::astray("subscriptions"));
    };
    let names: Vec<_> = names.into_iter().filter_map(|name| MailboxName::new(name).ok()).collect();
    let known = known(tools).await?;
    for Listed { name, itself, .. } in listed(pattern, &names) {
        // RFC 3501 §6.3.9: so is a level that is not subscribed to itself, mailbox or not, and so
        // should be a name that no mailbox has.
        let selectable = itself && known.contains_key(&name);
        let attributes: &[&str] = if selectable { &[] } else { &["\\Noselect"] };
        tools.pen.write(|out| response::lsub(attributes, &name, out));
    }
    Ok(Answer::ok("done"))
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
    now: UnixSeconds,
) -> Result<Answer, StoreError> {
    let write = Write::CreateMailbox { by: tools.account, name: name.as_str().into(), now };
    job::write(&tools.desk, "create", write).await?;
    Ok(Answer::ok("created"))
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
