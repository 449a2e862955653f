//! Who is this? The one way to log in, for SMTP and IMAP alike.

mod remembered;

use std::net::IpAddr;
use std::sync::Arc;

use pillarbox_core::Moment;
use pillarbox_core::flow::Desk;
use pillarbox_core::international::fold;
use pillarbox_core::sasl::{
    Hash, KeysWanted, Login, NONCE_BYTES, Proven, ScramKeys, Step, Unproven,
};
use pillarbox_store::{AccountId, Credentials, Found, Read, Secret, StoreError};

pub(crate) use remembered::Remembered;

use crate::context::Context;
use crate::job::{self, Job};
use crate::rates::{Refused, What};
use crate::secrets::{SALT_BYTES, SCRAM_ITERATIONS};

/// Somebody who has shown the right password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) account: AccountId,
    /// The account's name, for logs.
    pub(crate) name: String,
}

/// Why somebody may not log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No such account, or the password is wrong: deliberately the same.
    Wrong,
    /// The account has a password, but nothing was kept of it for this mechanism: no guess was
    /// made. Whoever logs in hears the same as for a wrong password.
    NoKeys(Hash),
    /// The password is right, but they want to act as somebody else.
    NotAs,
    /// Too many failed from their network: the password is not even looked at.
    TooOften(Refused),
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

impl Claim {
    /// Who somebody says they are, for logs.
    fn name(&self) -> &str {
        match self {
            Self::Password(login) => &login.authcid,
            Self::Keys(wanted) => wanted.authcid(),
            Self::Proven(proven) => &proven.authcid,
            Self::Unproven(unproven) => &unproven.authcid,
        }
    }

    /// Answers it, with the name for logs; unless too many logins failed from the network of
    /// `peer`.
    pub(crate) async fn settle(
        self,
        desk: Desk<Job>,
        context: Arc<Context>,
        now: Moment,
        peer: IpAddr,
    ) -> (Verdict, String) {
        let name = self.name().to_owned();
        let verdict = match context.rates.allows(What::FailedLogin, now, peer, 1) {
            Ok(()) => self.answer(desk, &context, now).await,
            Err(refused) => Verdict::End(Err(Denied::TooOften(refused))),
        };
        (verdict, name)
    }

    /// It takes as long for an account that does not exist.
    async fn answer(self, desk: Desk<Job>, context: &Context, now: Moment) -> Verdict {
        match self {
            Self::Password(login) => Verdict::End(check(desk, context, now, login).await),
            Self::Keys(wanted) => match keys(desk, context, &wanted).await {
                Ok(keys) => {
                    let mut nonce = [0; NONCE_BYTES];
                    context.random().fill(&mut nonce);
                    Verdict::Further(wanted.found(keys, nonce))
                }
                Err(denied) => Verdict::End(Err(denied)),
            },
            Self::Proven(proven) => Verdict::End(accept(desk, &proven).await),
            Self::Unproven(unproven) => Verdict::End(Err(explain(desk, &unproven).await)),
        }
    }
}

/// Counts how it ended. A wrong guess counts against the network it came from.
pub(crate) fn count(context: &Context, now: Moment, peer: IpAddr, result: &Result<User, Denied>) {
    let counters = &context.counters;
    if result.is_ok() {
        counters.logins.count();
    } else {
        counters.logins_failed.count();
    }
    if let Err(Denied::Wrong) = result {
        context.rates.charge(What::FailedLogin, now, peer, 1);
    }
}

async fn check(
    desk: Desk<Job>,
    context: &Context,
    now: Moment,
    login: Login,
) -> Result<User, Denied> {
    let credentials = credentials(&desk, &login.authcid).await?.ok();
    let stored = credentials.as_ref().and_then(|credentials| {
        credentials.secrets.iter().find_map(|secret| match secret {
            Secret::Argon2id(hash) => Some((credentials.account, hash.clone())),
            Secret::ScramSha256(_) | Secret::ScramSha1(_) => None,
        })
    });
    let remembered = &context.remembered;
    let tag = stored.as_ref().map(|(id, hash)| remembered.tag(*id, hash, &login.password));
    if tag.is_some_and(|tag| remembered.knows(tag, now)) {
        context.counters.logins_remembered.count();
    } else {
        let stored = stored.map(|(_, hash)| hash);
        let right = job::check(&desk, login.password, stored).await.map_err(Denied::Failed)?;
        let tag = tag.filter(|_| right).ok_or(Denied::Wrong)?;
        remembered.remember(tag, now);
    }
    admit(credentials.ok_or(Denied::Wrong)?, &login.authcid, &login.authzid)
}

/// The keys of a name, or such as nobody can have.
async fn keys(
    desk: Desk<Job>,
    context: &Context,
    wanted: &KeysWanted,
) -> Result<ScramKeys, Denied> {
    let hash = wanted.hash();
    let name = match credentials(&desk, wanted.authcid()).await? {
        Ok(credentials) => match scram(&credentials, hash) {
            Some(keys) => return Ok(keys),
            None => credentials.name,
        },
        Err(Unknown { name }) => name,
    };
    let secret = &context.login_secret;
    Ok(ScramKeys::decoy(hash, &name, secret, SALT_BYTES, SCRAM_ITERATIONS))
}

/// The keys are looked up again: somebody could hold an exchange open until after the password
/// was changed because they know the old one.
async fn accept(desk: Desk<Job>, proven: &Proven) -> Result<User, Denied> {
    let credentials = credentials(&desk, &proven.authcid).await?.map_err(|_| Denied::Wrong)?;
    if scram(&credentials, proven.keys.hash).as_ref() != Some(&proven.keys) {
        return Err(Denied::Wrong);
    }
    admit(credentials, &proven.authcid, &proven.authzid)
}

async fn explain(desk: Desk<Job>, unproven: &Unproven) -> Denied {
    match credentials(&desk, &unproven.authcid).await {
        Ok(Ok(known)) if !known.secrets.is_empty() && scram(&known, unproven.hash).is_none() => {
            Denied::NoKeys(unproven.hash)
        }
        Ok(_) => Denied::Wrong,
        Err(denied) => denied,
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
    /// What its salt is derived from. As an account has the same salt under its name and under
    /// its addresses here, only the local part counts there.
    name: String,
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
            Ok(Err(Unknown { name: fold(name).into_owned() }))
        }
        Err(StoreError::NotOurDomain) => Ok(Err(Unknown { name: fold(login).into_owned() })),
        Ok(_) => Err(Denied::Failed(job::astray("credentials"))),
        Err(error) => Err(Denied::Failed(error)),
    }
}
