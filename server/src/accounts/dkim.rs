//! The keys by which domains sign, as commands change them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pillarbox_core::UnixSeconds;
use pillarbox_core::dkim::SigningKey;
use pillarbox_core::dns::Name;
use pillarbox_core::flow::Desk;
use pillarbox_store::{DkimChange, DkimKey, Found, Read, StoreError, Write};

use crate::control::wire::Answer;
use crate::control::wire::dkim::{DkimRequest, DkimRow, PrivateKey};
use crate::job::{self, Job};

pub(super) async fn carry_out(
    desk: &Desk<Job>,
    request: DkimRequest,
    now: UnixSeconds,
) -> Result<Answer, String> {
    match request {
        DkimRequest::List { domain } => {
            // A domain that is not ours has no keys either; which it is should be known.
            let ours = job::read(desk, "domain", Read::IsOurs { domain: domain.clone() }).await;
            if ours == Ok(Found::Ours(false)) {
                return Err(refused(StoreError::NotOurDomain, &domain, ""));
            }
            let keys = keys(desk, &domain).await.map_err(|error| error.to_string())?;
            Ok(Answer::DkimKeys(keys.iter().map(row).collect()))
        }
        DkimRequest::Add { domain, selector, key, signs } => {
            let (selector, pkcs8) = (checked(&selector)?, read(&key)?);
            let since = now;
            let key =
                DkimKey { domain: domain.clone(), selector: selector.clone(), pkcs8, since, signs };
            change(desk, domain, selector, DkimChange::Add(key)).await
        }
        DkimRequest::Sign { domain, selector, on } => {
            change(desk, domain, selector.to_ascii_lowercase(), DkimChange::Sign(on)).await
        }
        DkimRequest::Remove { domain, selector } => {
            change(desk, domain, selector.to_ascii_lowercase(), DkimChange::Remove).await
        }
    }
}

/// All keys of a domain.
pub(crate) async fn keys(desk: &Desk<Job>, domain: &str) -> Result<Vec<DkimKey>, StoreError> {
    match job::read(desk, "dkim keys", Read::DkimKeys { domain: domain.into() }).await? {
        Found::DkimKeys(keys) => Ok(keys),
        _ => Err(job::astray("dkim keys")),
    }
}

async fn change(
    desk: &Desk<Job>,
    domain: String,
    selector: String,
    change: DkimChange,
) -> Result<Answer, String> {
    let what = match &change {
        DkimChange::Add(_) => "key for DKIM added by command",
        DkimChange::Sign(true) => "key for DKIM signs by command",
        DkimChange::Sign(false) => "key for DKIM signs no more, by command",
        DkimChange::Remove => "key for DKIM removed by command",
    };
    let (name, key) = (domain.clone(), selector.clone());
    match job::write(desk, "dkim key", Write::ChangeDkimKey { domain, selector, change }).await {
        Ok(_) => {
            log::info!(domain = name.as_str(), selector = key.as_str(); "{what}");
            Ok(Answer::Done)
        }
        Err(error) => Err(refused(error, &name, &key)),
    }
}

fn refused(error: StoreError, domain: &str, selector: &str) -> String {
    match error {
        StoreError::NotOurDomain => {
            format!("there is no domain `{domain}`: `pillarbox domain list` shows all")
        }
        StoreError::AlreadyExists => {
            format!("{domain} has a key `{selector}` already: choose another selector")
        }
        StoreError::NoSuchKey => {
            format!("{domain} has no key `{selector}`: `pillarbox dkim list {domain}` shows all")
        }
        error => error.to_string(),
    }
}

/// A selector: a name of one or more labels (RFC 6376 §3.1), short enough for one of a domain.
fn checked(selector: &str) -> Result<String, String> {
    let name = Name::parse(selector).map_err(|fault| format!("`{selector}`: {fault}"))?;
    if name.as_str().len() > 63 {
        return Err("a selector has at most 63 characters".into());
    }
    Ok(name.to_string())
}

fn read(key: &PrivateKey) -> Result<Vec<u8>, String> {
    let pkcs8 = BASE64.decode(&key.0).map_err(|_| "the key is not base64".to_owned())?;
    SigningKey::from_pkcs8(&pkcs8).map_err(|fault| fault.to_string())?;
    Ok(pkcs8)
}

/// As commands list it.
pub(crate) fn row(key: &DkimKey) -> DkimRow {
    let (algorithm, record) = match SigningKey::from_pkcs8(&key.pkcs8) {
        Ok(key) => (key.algorithm().name().to_owned(), key.record()),
        Err(fault) => (fault.to_string(), String::new()),
    };
    DkimRow {
        domain: key.domain.clone(),
        selector: key.selector.clone(),
        algorithm,
        since: key.since.0,
        signs: key.signs,
        record,
    }
}
