//! APPEND: a message that a client files itself.

use memchr::memchr;
use pillarbox_core::effect::{Effect, Fault, FaultKind, FileWork};
use pillarbox_core::imap::command::Append;
use pillarbox_core::imap::response::Code;
use pillarbox_core::{Random, UnixSeconds};
use pillarbox_store::{Appended, Flags, MailboxId, NewBody, StoreError, Write, Written};

use super::commands::{Answer, by_name};
use super::open::Tools;
use crate::job;
use crate::smtp::spool::{Body, Spool};

mod binary;

/// A message being appended.
#[derive(Debug)]
pub(super) struct Filing {
    pub(super) mailbox: MailboxId,
    pub(super) append: Append,
    pub(super) spool: Spool,
    /// Where in it the first NUL stands. Where none may, it is refused at its end, and what follows
    /// is not kept.
    nul: Option<u64>,
}

impl Filing {
    /// Takes the next bytes of the message.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.nul.is_none() {
            self.nul = memchr(0, bytes).map(|at| self.spool.size() + at as u64);
        }
        if self.nul.is_none() || self.append.binary {
            self.spool.push(bytes);
        }
    }
}

/// Whether there is such a mailbox; asked before the message is sent.
pub(super) async fn begin(tools: &Tools, append: Append) -> Result<Filing, Answer> {
    match by_name(tools, &append.mailbox).await {
        Ok(info) => Ok(Filing { mailbox: info.id, append, spool: Spool::default(), nul: None }),
        // RFC 3501 §6.3.11.
        Err(StoreError::NoSuchMailbox) => {
            Err(Answer::no(Some(Code::TryCreate), "there is no such mailbox"))
        }
        Err(error) => Err(Answer::failed(&error)),
    }
}

/// Makes the message durable.
pub(super) async fn end(
    tools: &Tools,
    random: &mut dyn Random,
    filing: Filing,
    now: UnixSeconds,
) -> Result<Answer, StoreError> {
    let Filing { mailbox, append, spool, nul } = filing;
    let spool = match nul {
        None => spool,
        Some(_) if append.binary => match binary::lines(tools, random, spool).await? {
            Ok(spool) => spool,
            Err(refused) => return Ok(refused),
        },
        Some(at) => {
            spool.discard(&tools.desk);
            // RFC 3501 §9: a literal is made of CHAR8. Any bytes come in a literal8 (RFC 3516 §4.4).
            return Ok(Answer::bad(format!(
                "the message has a NUL at byte {at}: only a literal8 holds one"
            )));
        }
    };
    let (file, body) = spool.finish(tools.desk.clone(), random).await;
    // Where nobody knows whether it was stored, a row may name the file: the next start sweeps it
    // if none does. Where the store was not asked, none does.
    let (result, unnamed) = match body {
        Ok(body) => {
            let result = write(tools, mailbox, append, body, now).await;
            let unnamed = matches!(&result, Err(error) if error.kind() != FaultKind::Unknown);
            (result, unnamed)
        }
        Err(fault) => (Err(StoreError::Fault(fault)), true),
    };
    if let Some(handle) = file.filter(|_| unnamed) {
        tools.desk.send(Effect::File(handle, FileWork::Remove));
    }
    if result.is_ok() {
        tools.notify(mailbox);
    }
    result
}

async fn write(
    tools: &Tools,
    mailbox: MailboxId,
    append: Append,
    body: Body,
    now: UnixSeconds,
) -> Result<Answer, StoreError> {
    let write = Write::Append {
        by: tools.account,
        mailbox,
        flags: Flags(append.flags.system.0),
        keywords: append.flags.keywords.iter().map(ToString::to_string).collect(),
        internaldate: append.date.unwrap_or(now),
        now,
        body: match body {
            Body::Inline(bytes) => NewBody::Inline(bytes),
            Body::File { handle, size } => NewBody::File { handle, size },
        },
    };
    match job::write(&tools.desk, "append", write).await? {
        // RFC 4315 §3.
        Written::Appended(Appended { uidvalidity, uid }) => {
            let code = Some(Code::AppendUid(uidvalidity, uid));
            Ok(Answer { code, ..Answer::ok("appended") })
        }
        _ => Err(job::astray("append")),
    }
}

/// A piece of a large message could not be written.
pub(super) fn not_written(fault: Fault) -> Answer {
    Answer::failed(&StoreError::Fault(fault))
}
