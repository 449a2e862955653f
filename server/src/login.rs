//! Who is this? The one way to log in, for SMTP and IMAP alike.

use pillarbox_core::flow::Desk;
use pillarbox_core::international::fold;
use pillarbox_core::sasl::Login;
use pillarbox_store::{AccountId, Found, Read, Secret, StoreError};

use crate::job::{self, Job};
use crate::rates::Refused;

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
    /// The password is right, but they want to act as somebody else.
    NotAs,
    /// Too many failed from their network: the password is not even looked at.
    TooOften(Refused),
    /// It could not be found out.
    Failed(StoreError),
}

/// Checks a login. It takes as long for an account that does not exist.
pub(crate) async fn check(desk: Desk<Job>, login: Login) -> Result<User, Denied> {
    let question = Read::Credentials { login: login.authcid.clone() };
    let credentials = match job::read(&desk, "credentials", question).await {
        Ok(Found::Credentials(credentials)) => Some(credentials),
        Err(StoreError::NoSuchAccount | StoreError::NoSuchAddress | StoreError::NotOurDomain) => {
            None
        }
        Ok(_) => return Err(Denied::Failed(job::astray("credentials"))),
        Err(error) => return Err(Denied::Failed(error)),
    };
    let stored = credentials.as_ref().and_then(|credentials| {
        credentials.secrets.iter().find_map(|secret| match secret {
            Secret::Argon2id(hash) => Some(hash.clone()),
            Secret::ScramSha256(_) | Secret::ScramSha1(_) => None,
        })
    });
    let right = job::check(&desk, login.password, stored).await.map_err(Denied::Failed)?;
    let Some(credentials) = credentials.filter(|_| right) else { return Err(Denied::Wrong) };
    // RFC 4616 §2: an authorization identity other than one's own needs a permission, and nobody
    // has one yet.
    let own = login.authzid.is_empty()
        || login.authzid == login.authcid
        || fold(&login.authzid) == credentials.name;
    if own {
        Ok(User { account: credentials.account, name: credentials.name })
    } else {
        Err(Denied::NotAs)
    }
}
