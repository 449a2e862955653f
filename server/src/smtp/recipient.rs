//! RCPT: whose mail is it, and do we take it?

use std::sync::Arc;

use pillarbox_core::effect::FaultKind;
use pillarbox_core::flow::Desk;
use pillarbox_core::smtp::address::{ForwardPath, Host, Mailbox};
use pillarbox_core::smtp::command::Rcpt;
use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};
use pillarbox_store::{
    AccountId, Address, Addressee, AliasSettings, Found, Holder, QueueRead, Read, Routing,
    StoreError,
};

use super::letter::{Envelope, Recipient, To};
use crate::config::Queue;
use crate::job::{self, Job};

/// Of whom and for what a recipient is asked.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    /// The account that has logged in: whether the client is one of our own people.
    pub(super) login: Option<AccountId>,
    /// The sender's address, if it has one that could be ours.
    pub(super) from: Option<Address>,
    /// How large the message will be, by the word of the client; 0 where it does not say.
    pub(super) size: u64,
    pub(super) routing: Routing,
    /// How mail leaves, where the client is one of our own people and it does.
    pub(super) queue: Option<Arc<Queue>>,
    /// It is not to arrive before some time (RFC 4865): it waits in the queue.
    pub(super) held: bool,
}

/// Looks a recipient up.
pub(super) async fn look_up(
    desk: Desk<Job>,
    rcpt: Rcpt<'static>,
    asking: Asking,
) -> Result<Recipient, Reply> {
    let Asking { login, from, size, routing, queue, held } = asking;
    let sender = from.as_ref().map(|from| format!("{}@{}", from.localpart, from.domain));
    let queue = queue.as_deref();
    let (to, address) = match &rcpt.recipient {
        ForwardPath::Postmaster => {
            let (localpart, domain) = ("postmaster".to_owned(), routing.hostname.clone());
            (Some(Address { localpart, domain }), "postmaster".to_owned())
        }
        ForwardPath::Mailbox(mailbox) => (address(mailbox), mailbox.to_string()),
    };
    let away = |to: &Rcpt<'_>| leave(to, sender.as_deref(), login, queue);
    let Some(to) = to else {
        let to = away(&rcpt).ok_or_else(|| not_ours(login.is_some()))?;
        return Ok(Recipient { address, rcpt, to });
    };
    let found = match job::read(&desk, "recipient", Read::Resolve { to, from, routing }).await {
        Ok(Found::Addressee(addressee, sender)) => Ok((addressee, sender)),
        Ok(_) => Err(job::astray("recipient")),
        Err(error) => Err(error),
    };
    let to = match judge(found, login, size) {
        // One of our own people writes to the world.
        Err((true, reply)) => away(&rcpt).ok_or(reply)?,
        Err((false, reply)) => return Err(reply),
        // The queue delivers to ourselves as to others.
        Ok(_) if queue.is_some_and(|queue| queue.own || held) => To::Away,
        Ok(to) => to,
    };
    if let (To::Away, Some(account)) = (&to, login) {
        allows(&desk, account, &address).await?;
    }
    Ok(Recipient { address, rcpt, to })
}

/// What came back from an address is not sent there again, until somebody says so.
async fn allows(desk: &Desk<Job>, account: AccountId, address: &str) -> Result<(), Reply> {
    let question = QueueRead::IsSuppressed(account, address.to_owned());
    match job::read(desk, "suppressed", Read::Queue(question)).await {
        Ok(Found::Suppressed(found)) => match found.first() {
            None => Ok(()),
            Some(one) => {
                let plain = |char: char| if char.is_ascii_graphic() { char } else { ' ' };
                let said: String = one.reason.chars().take(SAID_MAX).map(plain).collect();
                let text = format!(
                    "your mail to this address came back ({said}): ask your postmaster to allow it \
                     again, if it is right"
                );
                Err(Reply::new(Code::MAILBOX_UNAVAILABLE, Enhanced::new(1, 1), text))
            }
        },
        Ok(_) => Err(unavailable(&job::astray("suppressed"))),
        Err(error) => Err(unavailable(&error)),
    }
}

/// So much of what a server has said is said again.
const SAID_MAX: usize = 200;

/// Where mail for somebody elsewhere goes; `None` where it does not leave.
fn leave(
    rcpt: &Rcpt<'_>,
    sender: Option<&str>,
    login: Option<AccountId>,
    queue: Option<&Queue>,
) -> Option<To> {
    let (queue, login) = (queue?, login?);
    let domain = match &rcpt.recipient.mailbox()?.host {
        Host::Domain(domain) => domain.as_str().to_owned(),
        Host::Address(ip) => ip.to_string(),
        Host::Other(_) => return None,
    };
    if queue.only_routes && queue.route(sender.unwrap_or_default(), &domain, 1).is_none() {
        log::info!(to:% = rcpt.recipient, account = login.0; "kept here: no --route names its domain");
        return Some(To::Account(login));
    }
    Some(To::Away)
}

/// An address that could be ours: not one at an address literal.
pub(super) fn address(mailbox: &Mailbox<'_>) -> Option<Address> {
    match &mailbox.host {
        Host::Domain(domain) => Some(Address {
            localpart: mailbox.localpart.as_str().to_owned(),
            domain: domain.as_str().to_owned(),
        }),
        Host::Address(_) | Host::Other(_) => None,
    }
}

/// The one place where a recipient is refused for what it is; tells whether it is one elsewhere.
fn judge(
    found: Result<(Addressee, Option<AccountId>), StoreError>,
    login: Option<AccountId>,
    size: u64,
) -> Result<To, (bool, Reply)> {
    let (addressee, sender) = found.map_err(|error| match error {
        StoreError::NoSuchAddress => (false, Reply::no_such_mailbox()),
        StoreError::NotOurDomain => (true, not_ours(login.is_some())),
        error => (false, unavailable(&error)),
    })?;
    let to = match addressee {
        Addressee::Account(holder) => takes(holder, size).map(|()| To::Account(holder.account)),
        Addressee::Alias(settings, members) => {
            judge_alias(settings, &members, login, login.or(sender), size).map(To::Members)
        }
    };
    to.map_err(|reply| (false, reply))
}

/// An alias is taken if at least one member takes it. Whether the others do is seen when it is
/// stored.
fn judge_alias(
    settings: AliasSettings,
    members: &[Holder],
    login: Option<AccountId>,
    sender: Option<AccountId>,
    size: u64,
) -> Result<Vec<AccountId>, Reply> {
    // Members are accounts of ours, so that they can log in: anybody can write any MAIL FROM.
    let is_member = |account| members.iter().any(|member| member.account == account);
    if !settings.post_public && !login.is_some_and(is_member) {
        let text = "only members may write to this list, and only logged in";
        return Err(Reply::new(Code::MAILBOX_UNAVAILABLE, Enhanced::new(7, 2), text));
    }
    // Who wrote it has it, unless it would then be nobody's.
    let mut others: Vec<Holder> =
        members.iter().filter(|member| Some(member.account) != sender).copied().collect();
    if others.is_empty() {
        others = members.to_vec();
    }
    let mut why = None;
    let mut taken = false;
    for member in &others {
        match takes(*member, size) {
            Ok(()) => taken = true,
            // The reason that may pass wins.
            Err(reply) if reply.code() == Code::NO_STORAGE => why = Some(reply),
            Err(reply) => why = why.or(Some(reply)),
        }
    }
    if taken {
        return Ok(others.iter().map(|member| member.account).collect());
    }
    Err(why.unwrap_or_else(|| {
        let text = "this list has no members";
        Reply::new(Code::MAILBOX_UNAVAILABLE, Enhanced::new(2, 4), text)
    }))
}

/// Whether an account gets mail now.
fn takes(holder: Holder, size: u64) -> Result<(), Reply> {
    if holder.disabled {
        return Err(out_of_use());
    }
    // Whatever its size is, a message has one.
    if holder.room.is_some_and(|room| room < size.max(1)) {
        return Err(mailbox_full());
    }
    Ok(())
}

/// Whether a letter may have one more recipient at all.
pub(super) fn another(envelope: &Envelope, submission: bool) -> Result<(), Reply> {
    // A report of failure goes to one sender (RFC 5321 §4.5.5). Another server that has one for two
    // splits it at this code (RFC 5321 §4.5.3.1.10); a user's client would not.
    if !submission && envelope.mail.sender.mailbox().is_none() && !envelope.recipients.is_empty() {
        let text = "a message from the null sender has one recipient";
        return Err(Reply::new(Code::NO_STORAGE, Enhanced::new(5, 3), text));
    }
    // Each member of an alias gets lines of its own.
    if envelope.copies() >= COPIES_MAX {
        let text = "these are recipients enough for one message: send it to the others apart";
        return Err(Reply::new(Code::NO_STORAGE, Enhanced::new(5, 3), text));
    }
    Ok(())
}

/// From so many accounts on, members of aliases counted, a message gets no more recipients.
const COPIES_MAX: usize = 10_000;

/// A domain that is not ours: somebody else's server is asked to relay, or one of our people
/// writes to the world from where nothing leaves.
fn not_ours(login: bool) -> Reply {
    let text = if login {
        "this server sends no mail to others: it delivers to its own accounts only"
    } else {
        "this server does not take mail for that domain"
    };
    Reply::new(Code::MAILBOX_UNAVAILABLE, Enhanced::new(7, 1), text)
}

fn out_of_use() -> Reply {
    let text = "this mailbox is out of use";
    Reply::new(Code::MAILBOX_UNAVAILABLE, Enhanced::new(2, 1), text)
}

/// RFC 3463 §3.3.
fn mailbox_full() -> Reply {
    let text = "this mailbox is full, try again later";
    Reply::new(Code::NO_STORAGE, Enhanced::new(2, 2), text)
}

/// The store's failure as a reply: `452` where there is no room, else `451`.
pub(super) fn unavailable(error: &StoreError) -> Reply {
    match error {
        // Of one of them, which is not told.
        StoreError::OverQuota => {
            let text = "the mailbox of a recipient is full, try again later";
            Reply::new(Code::NO_STORAGE, Enhanced::new(2, 2), text)
        }
        StoreError::SentEnough(..) => {
            Reply::new(Code::MAILBOX_BUSY, Enhanced::new(7, 1), error.to_string())
        }
        error if error.kind() == FaultKind::NoSpace => Reply::no_storage(),
        _ => Reply::try_later(),
    }
}

/// The same where one recipient is answered by itself (RFC 2033 §4.2).
pub(super) fn unavailable_to_one(error: &StoreError) -> Reply {
    match error {
        StoreError::OverQuota => mailbox_full(),
        StoreError::Disabled => out_of_use(),
        StoreError::NoSuchAccount => Reply::no_such_mailbox(),
        error => unavailable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pillarbox_core::effect::Fault;
    use pillarbox_core::smtp::address::ReversePath;
    use pillarbox_core::smtp::command::Mail;

    const ANN: AccountId = AccountId(1);
    const BOB: AccountId = AccountId(2);

    #[test]
    fn what_the_store_cannot_say() {
        let fault = |kind| StoreError::Fault(Fault::new(kind, "x"));
        for (error, login, code, part) in [
            (StoreError::NoSuchAddress, None, 550, "5.1.1"),
            (StoreError::NotOurDomain, None, 550, "5.7.1"),
            (StoreError::NotOurDomain, Some(ANN), 550, "5.7.1"),
            (fault(FaultKind::Temporary), None, 451, "4.3.0"),
            (fault(FaultKind::NoSpace), None, 452, "4.3.1"),
            (StoreError::OverQuota, None, 452, "4.2.2"),
            (StoreError::Io(Fault::new(FaultKind::Unknown, "x")), None, 451, "4.3.0"),
        ] {
            let (_, reply) = judge(Err(error.clone()), login, 0).unwrap_err();
            assert_eq!(said(&reply), format!("{code} {part}"), "{error}");
        }
    }

    #[test]
    fn what_one_is_told_by_itself() {
        let fault = StoreError::Fault(Fault::new(FaultKind::NoSpace, "x"));
        for (error, codes) in [
            (StoreError::OverQuota, "452 4.2.2"),
            (StoreError::Disabled, "550 5.2.1"),
            (StoreError::NoSuchAccount, "550 5.1.1"),
            (fault, "452 4.3.1"),
            (StoreError::UidLimit, "451 4.3.0"),
        ] {
            assert_eq!(said(&unavailable_to_one(&error)), codes, "{error}");
        }
    }

    /// The codes of a reply.
    fn said(reply: &Reply) -> String {
        let mut out = pillarbox_core::Outbox::new(1 << 10);
        reply.write(None, &mut out);
        String::from_utf8_lossy(out.unsent()).chars().take(9).collect()
    }

    const fn holder(account: AccountId) -> Holder {
        Holder { account, disabled: false, room: None }
    }

    #[test]
    fn accounts() {
        let account = |disabled, room| Addressee::Account(Holder { disabled, room, ..holder(ANN) });
        for (addressee, size, expected) in [
            (account(false, None), 0, None),
            (account(false, None), u64::MAX, None),
            (account(false, Some(100)), 100, None),
            (account(false, Some(100)), 101, Some("452 4.2.2")),
            (account(false, Some(1)), 0, None),
            (account(false, Some(0)), 0, Some("452 4.2.2")),
            (account(true, Some(0)), 0, Some("550 5.2.1")),
        ] {
            let found = judge(Ok((addressee.clone(), None)), None, size);
            match expected {
                None => assert_eq!(found, Ok(To::Account(ANN)), "{addressee:?}"),
                Some(codes) => assert_eq!(said(&found.unwrap_err().1), codes, "{addressee:?}"),
            }
        }
    }

    #[test]
    fn aliases() {
        let public = AliasSettings { post_public: true, ..AliasSettings::default() };
        let members_only = AliasSettings::default();
        let eve = AccountId(3);
        let (ann, bob) = (holder(ANN), holder(BOB));
        let full = |member| Holder { room: Some(9), ..member };
        let off = |member| Holder { disabled: true, ..member };
        let both = [ann, bob];
        for (settings, members, login, sender, expected) in [
            (public, &both[..], None, None, Ok(&[ANN, BOB][..])),
            (public, &both, None, Some(ANN), Ok(&[BOB])),
            (public, &both, Some(BOB), Some(ANN), Ok(&[ANN])),
            (public, &both, Some(eve), None, Ok(&[ANN, BOB])),
            (public, &[ann], Some(ANN), None, Ok(&[ANN])),
            (public, &[], None, None, Err("550 5.2.4")),
            (members_only, &both, Some(ANN), None, Ok(&[BOB])),
            (members_only, &both, Some(eve), None, Err("550 5.7.2")),
            // A claim is no proof.
            (members_only, &both, None, Some(ANN), Err("550 5.7.2")),
            (members_only, &[], None, None, Err("550 5.7.2")),
            (public, &[full(ann), bob], None, None, Ok(&[ANN, BOB])),
            (public, &[full(ann), off(bob)], None, None, Err("452 4.2.2")),
            (public, &[off(ann), full(bob)], None, None, Err("452 4.2.2")),
            (public, &[off(ann), off(bob)], None, None, Err("550 5.2.1")),
            (public, &[ann, full(bob)], Some(ANN), None, Err("452 4.2.2")),
        ] {
            let found =
                judge(Ok((Addressee::Alias(settings, members.to_vec()), sender)), login, 10);
            match expected {
                Ok(accounts) => assert_eq!(found, Ok(To::Members(accounts.to_vec()))),
                Err(codes) => assert_eq!(said(&found.unwrap_err().1), codes, "{members:?}"),
            }
        }
    }

    #[test]
    fn so_many_copies_and_no_more() {
        let mail = Mail::new(ReversePath::Null);
        let mut envelope = Envelope::new(mail);
        assert_eq!(another(&envelope, false), Ok(()));
        let to = To::Members(vec![ANN; COPIES_MAX - 1]);
        let rcpt = Rcpt::new(ForwardPath::Postmaster);
        let recipient = Recipient { address: "team@x".into(), rcpt, to };
        envelope.recipients.push(recipient.clone());
        assert_eq!(said(&another(&envelope, false).unwrap_err()), "452 4.5.3");
        assert_eq!(another(&envelope, true), Ok(()));
        envelope.recipients.push(Recipient { to: To::Account(ANN), ..recipient });
        assert_eq!(said(&another(&envelope, true).unwrap_err()), "452 4.5.3");
    }
}
