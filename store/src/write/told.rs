//! Jobs and answers as logs show them: where something works, never contents, secrets or flags.

use std::fmt;

use super::{Leaving, NewBody, Recipient, Write};

impl fmt::Debug for Write {
    /// Names the job and where it works: never contents, secrets or flags.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateAccount { name, .. } => write!(f, "CreateAccount({name})"),
            Self::SetSecrets { account, .. } => write!(f, "SetSecrets({})", account.0),
            Self::AddKey { account, .. } => write!(f, "AddKey({})", account.0),
            Self::RemoveKey { account, .. } => write!(f, "RemoveKey({})", account.0),
            Self::CreateDomain { name } => write!(f, "CreateDomain({name})"),
            Self::CreateAddress { localpart, domain, account } => {
                write!(f, "CreateAddress({localpart}@{domain} for {})", account.0)
            }
            Self::SetCatchAll { domain, .. } => write!(f, "SetCatchAll({domain})"),
            Self::Add { additions, .. } => write!(
                f,
                "Add({} domains, {} accounts, {} addresses, {} aliases, {} catch-alls)",
                additions.domains.len(),
                additions.accounts.len(),
                additions.addresses.len(),
                additions.aliases.len(),
                additions.catch_alls.len()
            ),
            Self::ChangeAlias { alias, .. } => {
                write!(f, "ChangeAlias({}@{})", alias.localpart, alias.domain)
            }
            Self::RemoveAlias { alias } => {
                write!(f, "RemoveAlias({}@{})", alias.localpart, alias.domain)
            }
            Self::SetQuota { account, quota } => write!(f, "SetQuota({}: {quota:?})", account.0),
            Self::HideCapability { account, name, hidden } => {
                write!(f, "HideCapability({}: {name} {hidden})", account.0)
            }
            Self::SetDisabled { account, disabled } => {
                write!(f, "SetDisabled({}: {disabled})", account.0)
            }
            Self::RemoveAddress { localpart, domain } => {
                write!(f, "RemoveAddress({localpart}@{domain})")
            }
            Self::RemoveDomain { name, .. } => write!(f, "RemoveDomain({name})"),
            Self::Note { attempts, dmarc, .. } => {
                write!(f, "Note({} logins, {} for DMARC)", attempts.len(), dmarc.len())
            }
            Self::ChangeDkimKey { domain, selector, .. } => {
                write!(f, "ChangeDkimKey({selector} of {domain})")
            }
            Self::SetCramMd5 { domain, on } => write!(f, "SetCramMd5({domain}: {on})"),
            Self::RemoveAccount { account } => write!(f, "RemoveAccount({})", account.0),
            Self::Clear { messages_max } => write!(f, "Clear({messages_max})"),
            Self::Distrust { reason } => write!(f, "Distrust({reason})"),
            mail => mail.told_of_mail(f),
        }
    }
}

impl Write {
    fn told_of_mail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver { recipients, body, .. } | Self::DeliverEach { recipients, body, .. } => {
                write!(f, "Deliver({} bytes to {})", body.size(), recipients.len())
            }
            Self::Queue(job) => write!(f, "Queue({job:?})"),
            Self::Append { mailbox, messages, .. } => {
                write!(f, "Append({} messages to {})", messages.len(), mailbox.0)
            }
            Self::Meet { by, keys, .. } => write!(f, "Meet({} of {})", keys.len(), by.0),
            Self::Import { mailbox, messages, .. } => {
                write!(f, "Import({} messages to {})", messages.len(), mailbox.0)
            }
            Self::Forget { by } => write!(f, "Forget({})", by.0),
            Self::Stage { from, to, .. } => write!(f, "Stage({} to {})", from.0, to.0),
            Self::Appear { batch, to, .. } => write!(f, "Appear({batch} in {})", to.0),
            Self::Unstage { batch } => write!(f, "Unstage({batch})"),
            Self::Copy { from, to, .. } => write!(f, "Copy({} to {})", from.0, to.0),
            Self::Move { from, to, .. } => write!(f, "Move({} to {})", from.0, to.0),
            Self::CreateMailbox { by, name, .. } => write!(f, "CreateMailbox({name} of {})", by.0),
            Self::RenameMailbox { by, from, to, .. } => {
                write!(f, "RenameMailbox({from} to {to} of {})", by.0)
            }
            Self::DeleteMailbox { by, name } => write!(f, "DeleteMailbox({name} of {})", by.0),
            Self::Subscribe { by, name, on } => write!(f, "Subscribe({name} of {}: {on})", by.0),
            Self::Claim { mailbox, up_to, .. } => write!(f, "Claim({} up to {up_to})", mailbox.0),
            Self::StoreFlags { mailbox, change, .. } => {
                write!(f, "StoreFlags({change:?} in {})", mailbox.0)
            }
            Self::Expunge { mailbox, .. } => write!(f, "Expunge({})", mailbox.0),
            Self::Purge { mailbox, up_to_modseq } => {
                write!(f, "Purge({} up to {up_to_modseq})", mailbox.0)
            }
            _ => f.write_str("Write"),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({} into {:?})", self.account.0, self.into)
    }
}

impl fmt::Debug for NewBody {
    /// Tells sizes, never contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(bytes) => write!(f, "Inline({} bytes)", bytes.len()),
            Self::File { handle, size } => write!(f, "File({handle}, {size} bytes)"),
        }
    }
}

impl fmt::Debug for Leaving {
    /// Without contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leaving({:?} and {} reports)", self.outgoing, self.reports.len())
    }
}
