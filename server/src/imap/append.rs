//! APPEND and REPLACE: messages that a client files itself, all of a command or none.

use memchr::memchr;
use pillarbox_core::effect::{Effect, Fault, FaultKind, FileWork};
use pillarbox_core::flow::Desk;
use pillarbox_core::imap::command::{Append, AppendMessage};
use pillarbox_core::imap::response::{self, Code};
use pillarbox_core::{Random, UnixSeconds};
use pillarbox_store::{
    Appended, Flags, MailboxId, NewBody, NewMessage, Replaced, StoreError, Write, Written,
};

use super::commands::{Answer, by_name};
use super::open::Tools;
use crate::job::{self, Job};
use crate::smtp::spool::{Body, INLINE_MAX, Spool};

mod binary;

/// Small messages of one command that wait in memory together; what is more waits in files.
const HELD_MAX: usize = 1 << 20;

/// The messages of one command, of which one is coming.
#[derive(Debug)]
pub(super) struct Filing {
    mailbox: MailboxId,
    replaces: Option<Replaced>,
    /// Those that have come whole.
    whole: Vec<(AppendMessage, Body)>,
    /// How many bytes of them are in memory.
    held: usize,
    message: AppendMessage,
    pub(super) spool: Spool,
    /// Where in it the first NUL stands. Where none may, it is refused at its end, and what follows
    /// is not kept.
    nul: Option<u64>,
}

/// Why nothing is appended.
#[derive(Debug)]
pub(super) enum Refusal {
    Answer(Answer),
    Failed(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Refusal {
    /// What the client is told, and the log.
    pub(super) fn told(self) -> (Answer, Option<StoreError>) {
        match self {
            Self::Answer(answer) => (answer, None),
            Self::Failed(error) => (Answer::failed(&error), Some(error)),
        }
    }
}

impl Filing {
    /// Takes the next bytes of the message.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.nul.is_none() {
            self.nul = memchr(0, bytes).map(|at| self.spool.size() + at as u64);
        }
        if self.nul.is_none() || self.message.binary {
            self.spool.push(bytes);
        }
    }

    /// Throws all of it away.
    pub(super) fn discard(self, desk: &Desk<Job>) {
        self.spool.discard(desk);
        for handle in self.whole.iter().filter_map(|(_, body)| body.file()) {
            desk.send(Effect::File(handle, FileWork::Remove));
        }
    }

    /// The message has come whole. Where it is refused, it has left nothing behind.
    async fn complete(&mut self, tools: &Tools, random: &mut dyn Random) -> Result<(), Refusal> {
        let spool = std::mem::take(&mut self.spool);
        let spool = match self.nul.take() {
            None => spool,
            Some(_) if self.message.binary => binary::lines(tools, random, spool).await?,
            Some(at) => {
                spool.discard(&tools.desk);
                // RFC 3501 §9: a literal is made of CHAR8. Any bytes come in a literal8
                // (RFC 3516 §4.4).
                return Err(Refusal::Answer(Answer::bad(format!(
                    "the message has a NUL at byte {at}: only a literal8 holds one"
                ))));
            }
        };
        let room = INLINE_MAX.min(HELD_MAX.saturating_sub(self.held));
        let (file, body) = spool.finish_within(room, tools.desk.clone(), random).await;
        match body {
            Ok(body) => {
                if let Body::Inline(bytes) = &body {
                    self.held += bytes.len();
                }
                self.whole.push((self.message.clone(), body));
                Ok(())
            }
            Err(fault) => {
                if let Some(handle) = file {
                    tools.desk.send(Effect::File(handle, FileWork::Remove));
                }
                Err(Refusal::Failed(StoreError::Fault(fault)))
            }
        }
    }
}

/// Whether there is such a mailbox; asked before the message is sent.
pub(super) async fn begin(
    tools: &Tools,
    append: Append,
    replaces: Option<Replaced>,
) -> Result<Filing, Refusal> {
    let mailbox = match by_name(tools, &append.mailbox).await {
        Ok(info) => info.id,
        // RFC 3501 §6.3.11.
        Err(StoreError::NoSuchMailbox) => {
            let answer = Answer::no(Some(Code::TryCreate), "there is no such mailbox");
            return Err(Refusal::Answer(answer));
        }
        Err(error) => return Err(Refusal::Failed(error)),
    };
    Ok(Filing {
        mailbox,
        replaces,
        whole: Vec::new(),
        held: 0,
        message: append.message,
        spool: Spool::default(),
        nul: None,
    })
}

/// A message has come, and another one will (RFC 3502).
pub(super) async fn next(
    tools: &Tools,
    random: &mut dyn Random,
    mut filing: Filing,
    message: AppendMessage,
) -> Result<Filing, Refusal> {
    match filing.complete(tools, random).await {
        Ok(()) => Ok(Filing { message, ..filing }),
        Err(refusal) => {
            filing.discard(&tools.desk);
            Err(refusal)
        }
    }
}

/// Makes the messages durable, in one commit.
pub(super) async fn end(
    tools: &Tools,
    random: &mut dyn Random,
    mut filing: Filing,
    now: UnixSeconds,
) -> Result<Answer, StoreError> {
    match filing.complete(tools, random).await {
        Ok(()) => {}
        Err(refusal) => {
            filing.discard(&tools.desk);
            return match refusal {
                Refusal::Answer(answer) => Ok(answer),
                Refusal::Failed(error) => Err(error),
            };
        }
    }
    let (mailbox, replaces) = (filing.mailbox, filing.replaces);
    let files: Vec<_> = filing.whole.iter().filter_map(|(_, body)| body.file()).collect();
    match write(tools, filing, now).await {
        Ok(appended) => Ok(told(tools, mailbox, replaces, appended)),
        Err(error) => {
            // Where nobody knows whether it was stored, rows may name the files: the next start
            // sweeps those that none does.
            if error.kind() != FaultKind::Unknown {
                for handle in files {
                    tools.desk.send(Effect::File(handle, FileWork::Remove));
                }
            }
            match error {
                // RFC 8508 §3.2.
                StoreError::NoSuchMessage => Ok(gone()),
                error => Err(error),
            }
        }
    }
}

async fn write(tools: &Tools, filing: Filing, now: UnixSeconds) -> Result<Appended, StoreError> {
    let Filing { mailbox, replaces, whole, .. } = filing;
    let message = |(message, body): (AppendMessage, Body)| NewMessage {
        flags: Flags(message.flags.system.0),
        keywords: message.flags.keywords.iter().map(ToString::to_string).collect(),
        internaldate: message.date.unwrap_or(now),
        body: match body {
            Body::Inline(bytes) => NewBody::Inline(bytes),
            Body::File { handle, size } => NewBody::File { handle, size },
        },
    };
    let messages = whole.into_iter().map(message).collect();
    let write = Write::Append { by: tools.account, mailbox, messages, replaces, now };
    match job::write(&tools.desk, "append", write).await? {
        Written::Appended(appended) => Ok(appended),
        _ => Err(job::astray("append")),
    }
}

/// Those who watch are told, and the client.
fn told(
    tools: &Tools,
    mailbox: MailboxId,
    replaces: Option<Replaced>,
    appended: Appended,
) -> Answer {
    let Appended { uidvalidity, uids, removed } = appended;
    // RFC 4315 §3, RFC 3502.
    let code = Code::AppendUid(uidvalidity, uids.first, uids.last);
    let (Some(replaced), Some(modseq)) = (replaces, removed) else {
        tools.notify(mailbox);
        return Answer { code: Some(code), ..Answer::ok("appended") };
    };
    // RFC 8508 §4.3: before the client hears that the other is gone.
    tools.pen.write(|out| response::ok(code, "appended", out));
    tools.pins.expunged(replaced.mailbox, modseq);
    tools.notify(mailbox);
    if replaced.mailbox != mailbox {
        tools.notify(replaced.mailbox);
    }
    Answer { took_out: true, ..Answer::ok("replaced") }
}

/// The message that was to be replaced is not there (RFC 5530 §3).
pub(super) fn gone() -> Answer {
    Answer::no(Some(Code::ExpungeIssued), "the message that was to be replaced is gone")
}

/// A piece of a large message could not be written.
pub(super) fn not_written(fault: Fault) -> Answer {
    Answer::failed(&StoreError::Fault(fault))
}
