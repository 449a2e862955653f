//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): an account is one quota root, named "".

use pillarbox_core::imap::name::MailboxName;
use pillarbox_core::imap::response::{self, Code};
use pillarbox_store::{Found, Read, StoreError};

use super::commands::Answer;
use super::open::Tools;
use crate::job;

/// GETQUOTA.
pub(super) async fn of_root(tools: &Tools, root: &[u8]) -> Result<Answer, StoreError> {
    if !root.is_empty() {
        return Ok(Answer::no(Some(Code::NonExistent), "there is no such quota root"));
    }
    tell(tools).await?;
    Ok(Answer::ok("done"))
}

/// GETQUOTAROOT, also of a mailbox that there is not (RFC 9208 §4.1.2).
pub(super) async fn of_mailbox(tools: &Tools, name: &MailboxName) -> Result<Answer, StoreError> {
    tools.pen.write(|out| response::quota_root(name, tools.enabled.spelling(), out));
    tell(tools).await?;
    Ok(Answer::ok("done"))
}

/// SETQUOTA, which is not announced (QUOTASET): limits are the operator's.
pub(super) fn refused() -> Answer {
    Answer::no(Some(Code::NoPerm), "quotas are set by `pillarbox account quota`")
}

async fn tell(tools: &Tools) -> Result<(), StoreError> {
    let question = Read::Storage { account: tools.account };
    let Found::Storage(storage) = tools.read("quota", question).await? else {
        return Err(job::astray("quota"));
    };
    let storage = storage.map(|storage| (storage.used, storage.limit));
    tools.pen.write(|out| response::quota(storage, out));
    Ok(())
}
