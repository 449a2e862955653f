//! Accounts' keys, as commands change them.

use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::Effect;
use pillarbox_core::flow::Desk;
use pillarbox_store::{Credentials, NewKey, StoreError, Write};

use super::find;
use crate::control::wire::Answer;
use crate::fingerprint::Fingerprint;
use crate::job::{self, Job};

pub(super) async fn add(
    desk: &Desk<Job>,
    login: &str,
    (fingerprint, label): (&str, String),
    now: UnixSeconds,
) -> Result<Answer, String> {
    let key = new(fingerprint, label)?;
    let shown = Fingerprint(key.fingerprint).to_string();
    let Credentials { account, name, .. } = find(desk, login).await?;
    match job::write(desk, "key", Write::AddKey { account, key, now }).await {
        Ok(_) => {
            log::info!(account = name.as_str(), key = shown.as_str(); "key added by command");
            Ok(Answer::Done)
        }
        Err(StoreError::AlreadyExists) => {
            Err(format!("the key {shown} belongs to this or another account already"))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Whoever is logged in is logged out: it may be with this key.
pub(super) async fn remove(
    desk: &Desk<Job>,
    login: &str,
    fingerprint: &str,
) -> Result<Answer, String> {
    let fingerprint: Fingerprint = fingerprint.parse()?;
    let Credentials { account, name, .. } = find(desk, login).await?;
    let job = Write::RemoveKey { account, fingerprint: fingerprint.0 };
    match job::write(desk, "key", job).await {
        Ok(_) => {
            log::info!(account = name.as_str(), key:% = fingerprint; "key removed by command");
            desk.send(Effect::Notify(crate::topic_of_account(account)));
            Ok(Answer::Done)
        }
        Err(StoreError::NoSuchKey) => Err(format!(
            "the account `{name}` has no key {fingerprint}: `pillarbox account key list {name}` \
             shows all"
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// What comes from a command or a file is taken as it would be typed.
pub(super) fn new(fingerprint: &str, label: String) -> Result<NewKey, String> {
    if label.chars().any(char::is_control) {
        return Err("a key's label is one line without control characters".into());
    }
    Ok(NewKey { fingerprint: fingerprint.parse::<Fingerprint>()?.0, label })
}
