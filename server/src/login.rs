//! Who is this? The one way to log in, for SMTP and IMAP alike.

mod attempts;
mod remembered;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_core::effect::Effect;
use pillarbox_core::flow::Desk;
use pillarbox_core::international::fold;
use pillarbox_core::sasl::{
    Answered, CramKeys, External, Hash, KeysWanted, Login, Mechanism, NONCE_BYTES, Proven,
    ScramKeys, Step, Unproven,
};
use pillarbox_core::{Moment, Now};
use pillarbox_store::{
    AccountId, Credentials, Found, KeyHolder, Read, SUCCEEDED, Secret, StoreError,
};

pub(crate) use attempts::Attempts;
pub(crate) use attempts::Way;
pub(crate) use remembered::Remembered;

use crate::context::Context;
use crate::job::{self, Job};
use crate::rates::{Refused, Subject, What};
use crate::scribe;
use crate::secrets::{SALT_BYTES, SCRAM_ITERATIONS};

/// Somebody who has shown the right password or key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) account: AccountId,
    /// The account's name, for logs.
    pub(crate) name: String,
}

/// Why somebody may not log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No such account, or the password is wrong, or the key is nobody's: deliberately the same.
    Wrong,
    /// The account has a password, but nothing was kept of it for this mechanism: no guess was
    /// made. Whoever logs in hears the same as for a wrong password.
    NoKeys(&'static str),
    /// The password is right, but they want to act as somebody else.
    NotAs,
    /// Too many failed from their network: the password is not even looked at.
    TooOften(Refused),
    /// Too many failed for this account, and from their network nobody is known to have logged in
    /// to it: the password is not looked at for so long.
    Besieged(Duration),
    /// It could not be found out.
    Failed(StoreError),
}

/// What an exchange asks of the accounts.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Is this the password?
    Password(Login),
    /// What are the keys?
    Keys(KeysWanted),
    /// Do the keys give this digest?
    Answered(Answered),
    /// Whose key has the channel told?
    External(External),
    /// The keys fit: who is it?
    Proven(Proven),
    /// They do not: why not?
    Unproven(Unproven),
}

/// The answer to a [`Claim`].
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The exchange goes on.
    Further(Step),
    /// It has come to its end.
    End(Result<User, Denied>),
}

/// Who somebody says they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    /// The name that was given.
    pub(crate) name: String,
    /// The account that has it, as far as it was looked for.
    account: Option<AccountId>,
}

impl Claim {
    fn name(&self) -> &str {
        match self {
            Self::Password(login) => &login.authcid,
            Self::Keys(wanted) => wanted.authcid(),
            Self::Answered(answered) => answered.authcid(),
            Self::External(external) => &external.authzid,
            Self::Proven(proven) => &proven.authcid,
            Self::Unproven(unproven) => &unproven.authcid,
        }
    }

    /// Answers it, with who it is about; unless too many logins failed from the network of `peer`,
    /// or to this account from everywhere.
    pub(crate) async fn settle(
        self,
        desk: Desk<Job>,
        context: Arc<Context>,
        now: Moment,
        peer: IpAddr,
    ) -> (Verdict, Who) {
        let mut who = Who { name: self.name().to_owned(), account: None };
        if let Err(refused) = context.rates.allows(What::FailedLogin, now, peer, 1) {
            return (Verdict::End(Err(Denied::TooOften(refused))), who);
        }
        if let Self::External(external) = self {
            return recognise(&desk, &external, who).await;
        }
        let found = match credentials(&desk, &who.name).await {
            Ok(found) => found,
            Err(denied) => return (Verdict::End(Err(denied)), who),
        };
        who.account = found.as_ref().ok().map(|credentials| credentials.account);
        if let Err(denied) = may_try(&desk, &context, now, peer, &who).await {
            return (Verdict::End(Err(denied)), who);
        }
        (self.answer(&desk, &context, now, found).await, who)
    }

    /// It takes as long for an account that does not exist.
    async fn answer(
        self,
        desk: &Desk<Job>,
        context: &Context,
        now: Moment,
        found: Result<Credentials, Unknown>,
    ) -> Verdict {
        match self {
            Self::Password(login) => {
                Verdict::End(check(desk, context, now, login, found.ok()).await)
            }
            Self::Keys(wanted) => {
                let hash = wanted.hash();
                let keys = match keys(desk, context, hash, wanted.authcid(), found).await {
                    Ok(keys) => keys,
                    Err(denied) => return Verdict::End(Err(denied)),
                };
                let mut nonce = [0; NONCE_BYTES];
                context.random().fill(&mut nonce);
                Verdict::Further(wanted.found(keys, nonce))
            }
            Self::Answered(answered) => Verdict::End(compare(&answered, found.ok())),
            // Settled without looking a name up.
            Self::External(_) => Verdict::End(Err(Denied::Wrong)),
            Self::Proven(proven) => Verdict::End(accept(&proven, found.ok())),
            Self::Unproven(unproven) => Verdict::End(Err(explain(&unproven, found.ok()))),
        }
    }
}

/// Lets in whoever has shown an account's key. It is not a guess, so the failures of others count
/// for nothing here.
async fn recognise(desk: &Desk<Job>, external: &External, mut who: Who) -> (Verdict, Who) {
    let result = match holder(desk, external.client_key).await {
        Ok(Some(holder)) => {
            who.account = Some(holder.account);
            if who.name.is_empty() {
                who.name.clone_from(&holder.name);
            }
            admit_holder(desk, holder, &external.authzid).await
        }
        Ok(None) => Err(Denied::Wrong),
        Err(denied) => Err(denied),
    };
    (Verdict::End(result), who)
}

async fn holder(desk: &Desk<Job>, key: Option<[u8; 32]>) -> Result<Option<KeyHolder>, Denied> {
    let Some(fingerprint) = key else { return Ok(None) };
    match job::read(desk, "key", Read::KeyHolder { fingerprint }).await {
        Ok(Found::KeyHolder(holder)) => Ok(holder),
        Ok(_) => Err(Denied::Failed(job::astray("key"))),
        Err(error) => Err(Denied::Failed(error)),
    }
}

/// RFC 4422 appendix A.1: the authorization identity is checked against who the channel says it
/// is. It may be any name or address of the account: the client has no other way to say one.
async fn admit_holder(desk: &Desk<Job>, holder: KeyHolder, authzid: &str) -> Result<User, Denied> {
    let KeyHolder { account, name, disabled } = holder;
    if disabled {
        return Err(Denied::Wrong);
    }
    if !authzid.is_empty() {
        let meant = credentials(desk, authzid).await?.ok();
        if meant.is_none_or(|meant| meant.account != account) {
            return Err(Denied::NotAs);
        }
    }
    Ok(User { account, name })
}

/// Somebody who guesses from many networks is stopped by the account's own count. It must not keep
/// its owner out, who would only have to be attacked for that: so it does not hold for networks
/// from which somebody has logged in to this account within 30 days.
async fn may_try(
    desk: &Desk<Job>,
    context: &Context,
    now: Moment,
    peer: IpAddr,
    who: &Who,
) -> Result<(), Denied> {
    let Err(wait) = context.rates.allows_account(now, peer, who.subject()) else { return Ok(()) };
    let Some(account) = who.account else { return Err(Denied::Besieged(wait)) };
    if context.attempts.knows(account, peer) {
        return Ok(());
    }
    let network = attempts::network(peer).to_string();
    match job::read(desk, "network", Read::KnowsNetwork { account, network }).await {
        Ok(Found::KnowsNetwork(true)) => Ok(()),
        Ok(Found::KnowsNetwork(false)) => Err(Denied::Besieged(wait)),
        Ok(_) => Err(Denied::Failed(job::astray("network"))),
        Err(error) => Err(Denied::Failed(error)),
    }
}

impl Who {
    /// What failed logins are counted for. A name that no account has counts as well: else one
    /// could tell by the limit which accounts exist.
    fn subject(&self) -> Subject {
        match self.account {
            Some(account) => Subject::Account(account),
            None => Subject::nobody(&fold(&self.name)),
        }
    }
}

/// Counts how it ended, and keeps it for the account's owner. A wrong guess counts against the
/// network it came from, and for the account.
pub(crate) fn conclude(
    desk: &Desk<Job>,
    context: &Context,
    now: Now,
    (way, who): (&Way<'_>, &Who),
    result: &Result<User, Denied>,
) {
    let counters = &context.counters;
    if result.is_ok() {
        counters.logins.count();
    } else {
        counters.logins_failed.count();
    }
    if let Err(Denied::Wrong) = result {
        context.rates.charge(What::FailedLogin, now.moment, way.peer, 1);
        context.rates.charge_account(now.moment, way.peer, who.subject());
    }
    if let Some(account) = who.account {
        let result = result.as_ref().map_or_else(Denied::word, |_| SUCCEEDED);
        context.attempts.note(account, &who.name, way, result, now.wall);
        desk.send(Effect::Notify(scribe::TOPIC));
    }
}

impl Denied {
    /// For the list of attempts.
    const fn word(&self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::NoKeys(_) => "no keys",
            Self::NotAs => "not as",
            Self::TooOften(_) | Self::Besieged(_) => "too often",
            Self::Failed(_) => "failed",
        }
    }
}

/// What somebody is told whose login was not looked at for the account's sake.
pub(crate) fn besieged(wait: Duration) -> String {
    format!(
        "too many failed logins to this account from everywhere, try again in {} seconds, or from \
         where you have logged in before",
        wait.as_secs() + 1
    )
}

async fn check(
    desk: &Desk<Job>,
    context: &Context,
    now: Moment,
    login: Login,
    found: Option<Credentials>,
) -> Result<User, Denied> {
    let stored = found.as_ref().and_then(|credentials| {
        credentials.secrets.iter().find_map(|secret| match secret {
            Secret::Argon2id(hash) => Some((credentials.account, hash.clone())),
            Secret::ScramSha256(_) | Secret::ScramSha1(_) | Secret::CramMd5(_) => None,
        })
    });
    let remembered = &context.remembered;
    let tag = stored.as_ref().map(|(id, hash)| remembered.tag(*id, hash, &login.password));
    if tag.is_some_and(|tag| remembered.knows(tag, now)) {
        context.counters.logins_remembered.count();
    } else {
        let stored = stored.map(|(_, hash)| hash);
        let right = job::check(desk, login.password, stored).await.map_err(Denied::Failed)?;
        let tag = tag.filter(|_| right).ok_or(Denied::Wrong)?;
        remembered.remember(tag, now);
    }
    admit(found.ok_or(Denied::Wrong)?, &login.authcid, &login.authzid)
}

/// The keys of a name, or such as nobody can have.
///
/// An account has one salt, under its name and under each of its addresses. So who asks for `ann`,
/// `ann@one.example` and `ann@two.example` must hear one salt as well where none of them exists, or
/// only one: else a difference would tell. That is why a name that no account has gets the salt of
/// whoever has its local part elsewhere on this server, and one that is made of the local part only
/// where nobody has it. What is left: that two addresses with different local parts are of one
/// account, and that two accounts have the same local part in two domains.
async fn keys(
    desk: &Desk<Job>,
    context: &Context,
    hash: Hash,
    login: &str,
    found: Result<Credentials, Unknown>,
) -> Result<ScramKeys, Denied> {
    // Looked up in every case, so that the time tells nothing.
    let localpart = login.rsplit_once('@').map_or(login, |(localpart, _)| localpart);
    let question = Read::Namesake { localpart: localpart.to_owned() };
    let namesake = match job::read(desk, "namesake", question).await {
        Ok(Found::Namesake(namesake)) => namesake,
        Ok(_) => return Err(Denied::Failed(job::astray("namesake"))),
        Err(error) => return Err(Denied::Failed(error)),
    };
    let (name, shown) = match found {
        Ok(credentials) => match scram(&credentials, hash) {
            Some(keys) => return Ok(keys),
            None => (credentials.name, None),
        },
        Err(Unknown { name, ours: false }) => (name, None),
        Err(Unknown { name, ours: true }) => (name, namesake.and_then(|known| scram(&known, hash))),
    };
    let secret = &context.login_secret;
    let decoy = ScramKeys::decoy(hash, &name, secret, SALT_BYTES, SCRAM_ITERATIONS);
    Ok(match shown {
        Some(ScramKeys { salt, iterations, .. }) => ScramKeys { salt, iterations, ..decoy },
        None => decoy,
    })
}

/// The keys were looked up again: somebody could hold an exchange open until after the password
/// was changed because they know the old one.
fn accept(proven: &Proven, found: Option<Credentials>) -> Result<User, Denied> {
    let credentials = found.ok_or(Denied::Wrong)?;
    if scram(&credentials, proven.keys.hash).as_ref() != Some(&proven.keys) {
        return Err(Denied::Wrong);
    }
    admit(credentials, &proven.authcid, &proven.authzid)
}

fn explain(unproven: &Unproven, found: Option<Credentials>) -> Denied {
    match found {
        Some(known) if !known.secrets.is_empty() && scram(&known, unproven.hash).is_none() => {
            let mechanism = Mechanism::Scram { hash: unproven.hash, plus: false };
            Denied::NoKeys(mechanism.name())
        }
        _ => Denied::Wrong,
    }
}

/// A digest is made and compared in every case, so that the time tells nothing.
fn compare(answered: &Answered, found: Option<Credentials>) -> Result<User, Denied> {
    let keys = found.as_ref().and_then(|credentials| {
        credentials.secrets.iter().find_map(|secret| match secret {
            Secret::CramMd5(pillarbox_store::CramKeys { inner, outer }) => {
                Some(CramKeys { inner: *inner, outer: *outer })
            }
            _ => None,
        })
    });
    let nobodys = CramKeys { inner: [0; 16], outer: [0; 16] };
    let fits = answered.fits(keys.as_ref().unwrap_or(&nobodys));
    match (found, keys) {
        (Some(credentials), Some(_)) if fits => admit(credentials, answered.authcid(), ""),
        (Some(known), None) if !known.secrets.is_empty() => {
            Err(Denied::NoKeys(Mechanism::CramMd5.name()))
        }
        _ => Err(Denied::Wrong),
    }
}

/// RFC 4616 §2, RFC 5802 §5.1: an authorization identity other than one's own needs a permission,
/// and nobody has one yet.
fn admit(credentials: Credentials, authcid: &str, authzid: &str) -> Result<User, Denied> {
    let own = authzid.is_empty() || authzid == authcid || fold(authzid) == credentials.name;
    if own {
        Ok(User { account: credentials.account, name: credentials.name })
    } else {
        Err(Denied::NotAs)
    }
}

fn scram(credentials: &Credentials, hash: Hash) -> Option<ScramKeys> {
    credentials.secrets.iter().find_map(|secret| {
        let keys = match (secret, hash) {
            (Secret::ScramSha256(keys), Hash::Sha256) | (Secret::ScramSha1(keys), Hash::Sha1) => {
                keys.clone()
            }
            _ => return None,
        };
        let pillarbox_store::ScramKeys { salt, iterations, stored_key, server_key } = keys;
        Some(ScramKeys { hash, salt, iterations, stored_key, server_key })
    })
}

/// A login that no account has.
struct Unknown {
    /// What its salt is made of: the local part, where the domain is ours.
    name: String,
    /// It has no domain, or one of ours.
    ours: bool,
}

async fn credentials(
    desk: &Desk<Job>,
    login: &str,
) -> Result<Result<Credentials, Unknown>, Denied> {
    let question = Read::Credentials { login: login.to_owned() };
    match job::read(desk, "credentials", question).await {
        Ok(Found::Credentials(credentials)) => Ok(Ok(credentials)),
        Err(StoreError::NoSuchAccount | StoreError::NoSuchAddress) => {
            let name = login.rsplit_once('@').map_or(login, |(localpart, _)| localpart);
            Ok(Err(Unknown { name: fold(name).into_owned(), ours: true }))
        }
        Err(StoreError::NotOurDomain) => {
            Ok(Err(Unknown { name: fold(login).into_owned(), ours: false }))
        }
        Ok(_) => Err(Denied::Failed(job::astray("credentials"))),
        Err(error) => Err(Denied::Failed(error)),
    }
}
