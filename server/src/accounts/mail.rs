//! Mail from files.

use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::{Effect, FaultKind, FileWork};
use pillarbox_core::flow::Desk;
use pillarbox_core::imap::name::{MailboxName, Spelling};
use pillarbox_store::{
    AccountId, Credentials, Flags, Found, Incoming, MailboxId, NewBody, Read, Special, StoreError,
    Write, Written,
};

use super::find;
use crate::control::payload::{Arrived, Cargo};
use crate::control::wire::mail::{MailAnswer, MailRequest, MessageRow};
use crate::job::{self, Job};

/// Carries out a request about mail from files; `cargo` came behind it.
pub(super) async fn carry_out(
    desk: &Desk<Job>,
    request: MailRequest,
    cargo: Cargo,
    now: UnixSeconds,
) -> Result<MailAnswer, String> {
    match request {
        MailRequest::Meet { login, run, once, keys } => {
            let by = find(desk, &login).await?.account;
            match job::write(desk, "meet", Write::Meet { by, run, once, keys }).await {
                Ok(Written::Wanted(wanted)) => Ok(MailAnswer::Wanted(wanted)),
                Ok(_) => Err(job::astray("meet").to_string()),
                Err(error) => Err(error.to_string()),
            }
        }
        MailRequest::Import { login, run, mailbox, met, messages } => {
            let arrived = match cargo {
                Ok(arrived) => arrived,
                Err(reason) => {
                    let distrust = Write::Distrust { reason };
                    return Err(match job::write(desk, "import", distrust).await {
                        Ok(_) => job::astray("import").to_string(),
                        Err(error) => error.to_string(),
                    });
                }
            };
            let files = files(&arrived);
            let batch = Batch { run, mailbox, met, now };
            let result = import(desk, &login, batch, messages, arrived).await;
            remove_unnamed(desk, &files, &result);
            let new = result.map_err(|(why, _)| why)?.iter().filter(|came| **came).count();
            Ok(MailAnswer::Imported { new: u64::try_from(new).unwrap_or(u64::MAX) })
        }
        MailRequest::Forget { login } => {
            let Credentials { account: by, name, .. } = find(desk, &login).await?;
            match job::write(desk, "forget", Write::Forget { by }).await {
                Ok(Written::Forgotten(count)) => {
                    log::info!(account = name.as_str(), count; "imports forgotten by command");
                    Ok(MailAnswer::Forgotten(count))
                }
                Ok(_) => Err(job::astray("forget").to_string()),
                Err(error) => Err(error.to_string()),
            }
        }
    }
}

/// What messages of one request have in common.
struct Batch {
    run: i64,
    mailbox: String,
    met: bool,
    now: UnixSeconds,
}

/// Why a batch was not imported, and whether nobody knows if it was.
type Refused = (String, bool);

/// Each message's file, where it has one.
fn files(arrived: &[Arrived]) -> Vec<Option<pillarbox_core::effect::Handle>> {
    let file = |arrived: &Arrived| match arrived.body {
        NewBody::File { handle, .. } => Some(handle),
        NewBody::Inline(_) => None,
    };
    arrived.iter().map(file).collect()
}

/// Removes the files that no row names. Where nobody knows, the next start sweeps them.
fn remove_unnamed(
    desk: &Desk<Job>,
    files: &[Option<pillarbox_core::effect::Handle>],
    result: &Result<Vec<bool>, Refused>,
) {
    for (at, file) in files.iter().enumerate() {
        let unnamed = match result {
            Ok(came) => came.get(at) == Some(&false),
            Err((_, in_doubt)) => !in_doubt,
        };
        if let Some(handle) = file.filter(|_| unnamed) {
            desk.send(Effect::File(handle, FileWork::Remove));
        }
    }
}

/// Whether each message came: those that had come before do not.
async fn import(
    desk: &Desk<Job>,
    login: &str,
    batch: Batch,
    rows: Vec<MessageRow>,
    arrived: Vec<Arrived>,
) -> Result<Vec<bool>, Refused> {
    let Batch { run, mailbox: name, met, now } = batch;
    let sure = |why: String| (why, false);
    let by = find(desk, login).await.map_err(sure)?.account;
    let mailbox = place(desk, by, &name, now).await.map_err(sure)?;
    let messages = rows.into_iter().zip(arrived).map(|(row, arrived)| Incoming {
        key: arrived.key,
        flags: Flags(row.flags),
        keywords: row.keywords,
        internaldate: UnixSeconds(row.date),
        body: arrived.body,
    });
    let messages = messages.collect();
    let write = Write::Import { by, mailbox, run, met, messages, now };
    match job::write(desk, "import", write).await {
        Ok(Written::Imported(uids)) => {
            desk.send(Effect::Notify(crate::topic_of(mailbox)));
            Ok(uids.iter().map(Option::is_some).collect())
        }
        Ok(_) => Err((job::astray("import").to_string(), true)),
        Err(StoreError::OverQuota) => Err((
            format!(
                "{login} may have no more mail: raise that with `pillarbox account quota`, and \
                 import again to go on"
            ),
            false,
        )),
        Err(error) => Err((error.to_string(), error.kind() == FaultKind::Unknown)),
    }
}

/// The mailbox with this name; else the one of the use that it tells; else a new one.
async fn place(
    desk: &Desk<Job>,
    account: AccountId,
    name: &str,
    now: UnixSeconds,
) -> Result<MailboxId, String> {
    let name = MailboxName::read(name.as_bytes(), Spelling::Utf8)
        .map_err(|error| format!("`{name}`: {error}"))?;
    let known = match job::read(desk, "mailboxes", Read::Mailboxes { account }).await {
        Ok(Found::Mailboxes(known)) => known,
        Ok(_) => return Err(job::astray("mailboxes").to_string()),
        Err(error) => return Err(error.to_string()),
    };
    let use_of = special(name.as_str());
    let by_name = known.iter().find(|info| info.name == name.as_str());
    let by_use = || known.iter().find(|info| use_of.is_some() && info.special == use_of);
    if let Some(info) = by_name.or_else(by_use) {
        return Ok(info.id);
    }
    let name = name.as_str().to_owned();
    let make = Write::CreateMailbox { by: account, name: name.clone(), special: use_of, now };
    let id = match job::write(desk, "create", make).await {
        Ok(Written::Mailbox(id)) => id,
        Ok(_) => return Err(job::astray("create").to_string()),
        Err(error) => return Err(format!("`{name}`: {error}")),
    };
    // Mail programs show what is subscribed to.
    let subscribe = Write::Subscribe { by: account, name, on: true };
    job::write(desk, "subscribe", subscribe).await.map_err(|error| error.to_string())?;
    Ok(id)
}

/// What other programs call the mailboxes that every account has here (RFC 6154).
fn special(name: &str) -> Option<Special> {
    let special = match name.to_lowercase().as_str() {
        "drafts" | "draft" | "[gmail]/drafts" => Special::Drafts,
        "sent" | "sent items" | "sent messages" | "sent mail" | "sent-mail"
        | "[gmail]/sent mail" => Special::Sent,
        "archive" | "archives" | "all mail" | "[gmail]/all mail" => Special::Archive,
        "trash" | "deleted items" | "deleted messages" | "bin" | "[gmail]/trash" => Special::Trash,
        "junk" | "spam" | "junk e-mail" | "junk email" | "bulk mail" | "[gmail]/spam" => {
            Special::Junk
        }
        _ => return None,
    };
    Some(special)
}
