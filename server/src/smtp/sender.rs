//! Whether those who submit send as themselves (RFC 6409 §6.1): in the envelope, and in the head.

use pillarbox_core::flow::Desk;
use pillarbox_core::international::{domain_key, fold};
use pillarbox_core::message::Originator;
use pillarbox_core::smtp::address::{Host, Mailbox, ReversePath};
use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};
use pillarbox_store::{AccountId, Found, Read, SendLimits, StoreError};

use super::recipient;
use crate::job::{self, Job};

/// Who sends.
#[derive(Debug, Clone)]
pub(super) struct Sending {
    pub(super) account: AccountId,
    /// Each of these begins what is left out of a local part.
    pub(super) separators: String,
    /// How much it may send; any amount where nothing leaves.
    pub(super) limits: Option<SendLimits>,
}

/// Whether an account may use this sender. It may always use the null one, since reports such as
/// read receipts have no other (RFC 8098 §3); whom they say they are from is looked at in their
/// head.
///
/// # Errors
/// Where it may not, or where that cannot be found out.
pub(super) async fn check_envelope(
    desk: &Desk<Job>,
    user: Sending,
    sender: &ReversePath<'_>,
) -> Result<(), Reply> {
    let ReversePath::Mailbox(mailbox) = sender else { return Ok(()) };
    let refused = || not_theirs(&format!("you are not <{mailbox}>"));
    let address = address(mailbox).ok_or_else(refused)?;
    match foreign(desk, user, vec![address]).await {
        Ok(foreign) if foreign.is_empty() => Ok(()),
        Ok(_) => Err(refused()),
        Err(error) => Err(recipient::unavailable(&error)),
    }
}

/// Whether an account may say that a message is from these. `sender` has been checked.
///
/// # Errors
/// As [`check_envelope`].
pub(super) async fn check_head(
    desk: &Desk<Job>,
    user: Sending,
    sender: &ReversePath<'_>,
    mut originators: Vec<Originator>,
) -> Result<(), Reply> {
    originators.retain(|originator| !is_same(sender, originator));
    if originators.is_empty() {
        return Ok(());
    }
    let addresses = originators.iter().map(|one| (one.localpart.clone(), one.domain.clone()));
    match foreign(desk, user, addresses.collect()).await {
        Ok(foreign) => match foreign.first().and_then(|index| originators.get(*index)) {
            None => Ok(()),
            Some(one) => Err(not_theirs(&format!("the {} field names <{one}>", one.field))),
        },
        Err(error) => Err(recipient::unavailable(&error)),
    }
}

/// Which of these are not the account's own.
async fn foreign(
    desk: &Desk<Job>,
    Sending { account, separators, .. }: Sending,
    addresses: Vec<(String, String)>,
) -> Result<Vec<usize>, StoreError> {
    let question = Read::Foreign { account, addresses, separators };
    match job::read(desk, "sender", question).await? {
        Found::Foreign(foreign) => Ok(foreign),
        _ => Err(job::astray("sender")),
    }
}

/// Nobody's address is at an address literal.
fn address(mailbox: &Mailbox<'_>) -> Option<(String, String)> {
    match &mailbox.host {
        Host::Domain(domain) => {
            Some((mailbox.localpart.as_str().to_owned(), domain.as_str().to_owned()))
        }
        Host::Address(_) | Host::Other(_) => None,
    }
}

fn is_same(sender: &ReversePath<'_>, originator: &Originator) -> bool {
    let ReversePath::Mailbox(Mailbox { localpart, host: Host::Domain(domain) }) = sender else {
        return false;
    };
    fold(localpart.as_str()) == fold(&originator.localpart)
        && domain_key(domain.as_str()) == domain_key(&originator.domain)
}

fn not_theirs(what: &str) -> Reply {
    let text = format!("{what}: send with an address of the account that you have logged in to");
    Reply::new(Code::MAILBOX_UNAVAILABLE, Enhanced::new(7, 1), text)
}
