//! RCPT: whose mail is it, and do we take it?

use pillarbox_core::effect::FaultKind;
use pillarbox_core::flow::Desk;
use pillarbox_core::smtp::address::{ForwardPath, Host};
use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};
use pillarbox_store::{AccountId, Found, Read, StoreError};

use super::letter::Recipient;
use crate::job::{self, Job};

/// Looks a recipient up. `login` tells whether the client is one of our own people.
pub(super) async fn look_up(
    desk: Desk<Job>,
    path: ForwardPath<'static>,
    hostname: String,
    login: bool,
) -> Result<Recipient, Reply> {
    let (localpart, domain) = match &path {
        ForwardPath::Postmaster => ("postmaster".to_owned(), hostname),
        ForwardPath::Mailbox(mailbox) => match &mailbox.host {
            Host::Domain(domain) => {
                (mailbox.localpart.as_str().to_owned(), domain.as_str().to_owned())
            }
            Host::Address(_) | Host::Other(_) => return Err(not_ours(login)),
        },
    };
    let found = match job::read(&desk, "recipient", Read::Resolve { localpart, domain }).await {
        Ok(Found::Account(account)) => Ok(account),
        Ok(_) => Err(job::astray("recipient")),
        Err(error) => Err(error),
    };
    let address = match &path {
        ForwardPath::Postmaster => "postmaster".to_owned(),
        ForwardPath::Mailbox(mailbox) => mailbox.to_string(),
    };
    judge(found, login).map(|account| Recipient { address, account })
}

/// The one place where a recipient is refused.
fn judge(found: Result<AccountId, StoreError>, login: bool) -> Result<AccountId, Reply> {
    found.map_err(|error| match error {
        StoreError::NoSuchAddress => Reply::no_such_mailbox(),
        StoreError::NotOurDomain => not_ours(login),
        error => unavailable(&error),
    })
}

/// A domain that is not ours: somebody else's server is asked to relay, or one of our people
/// writes to the world, which this version cannot do yet.
fn not_ours(login: bool) -> Reply {
    let text = if login {
        "mail to other servers cannot be sent yet: this version delivers to its own accounts only"
    } else {
        "this server does not take mail for that domain"
    };
    Reply::new(Code::MAILBOX_UNAVAILABLE, Enhanced::new(7, 1), text)
}

/// The store's failure as a reply: `452` where there is no room, else `451`.
pub(super) fn unavailable(error: &StoreError) -> Reply {
    match error.kind() {
        FaultKind::NoSpace => Reply::no_storage(),
        _ => Reply::try_later(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pillarbox_core::effect::Fault;

    #[test]
    fn verdicts() {
        let fault = |kind| StoreError::Fault(Fault::new(kind, "x"));
        for (error, login, code) in [
            (StoreError::NoSuchAddress, false, 550),
            (StoreError::NotOurDomain, false, 550),
            (StoreError::NotOurDomain, true, 550),
            (fault(FaultKind::Temporary), false, 451),
            (fault(FaultKind::NoSpace), false, 452),
            (StoreError::Io(Fault::new(FaultKind::Unknown, "x")), false, 451),
        ] {
            let reply = judge(Err(error.clone()), login).unwrap_err();
            assert_eq!(reply.code().number(), code, "{error}");
        }
        assert_eq!(judge(Ok(AccountId(1)), false), Ok(AccountId(1)));
    }
}
