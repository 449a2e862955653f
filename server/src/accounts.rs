//! Domains, accounts and addresses, as commands change them: the same functions in a running
//! server and in a command that has opened the store itself.

mod aliases;
pub(crate) mod dkim;
mod explain;
mod keys;
mod mail;
mod queue;

use std::cell::Cell;
use std::rc::Rc;

use pillarbox_core::effect::Effect;
use pillarbox_core::flow::Desk;
use pillarbox_core::{Random, UnixSeconds};
use pillarbox_store::{
    Additions, Attempt, Cleared, Counts, Credentials, Found, NewAccount, NewAddress, Read, Store,
    StoreError, Write, Writer, Written,
};

use crate::address::{Address, account_name, domain_name};
use crate::control::payload::Cargo;
use crate::control::wire::{self, Answer, Request, SecretText};
use crate::job::{self, Job};
use crate::secrets;
use crate::serve::FirstAccounts;
use pillarbox_core::imap::server::can_be_hidden;

/// What a command's flow knows of whoever asked.
pub(crate) struct Asker {
    /// Told how many messages of removed accounts are left.
    pub(crate) tell: Box<dyn Fn(u64)>,
    /// Set once the server stops: what takes long ends at its next step.
    pub(crate) stopping: Rc<Cell<bool>>,
    /// Takes the logins that the store does not have yet.
    pub(crate) logins: Box<dyn Fn() -> Vec<Attempt>>,
    /// What came behind the request.
    pub(crate) cargo: Cargo,
    /// When it was asked.
    pub(crate) now: UnixSeconds,
}

/// Carries out a request.
///
/// # Errors
/// One line for the user, with what to do.
pub(crate) async fn carry_out(
    desk: Desk<Job>,
    request: Request,
    asker: Asker,
) -> Result<Answer, String> {
    match request {
        // Answered before it comes here.
        Request::Metrics | Request::HoldBodies => Err("only a running server does that".into()),
        Request::Account { login } => one(&desk, &login).await,
        Request::Accounts { after, secrets } => list(&desk, after, secrets).await,
        Request::Domains { after } => domains(&desk, after).await,
        Request::Logins { login, skip } => logins(&desk, &login, skip, &asker).await,
        Request::Aliases { after } => aliases::list(&desk, &after).await,
        Request::Add(additions) => add(&desk, additions, asker.now).await,
        Request::Check(additions) => check(&desk, &additions).await,
        Request::CatchAll { domain, login } => catch_all(&desk, &domain, login.as_deref()).await,
        Request::CramMd5 { domain, on } => cram_md5(&desk, &domain, on).await,
        Request::ChangeAlias { alias, change } => aliases::change(&desk, &alias, &change).await,
        Request::RemoveAlias { alias } => aliases::remove(&desk, &alias).await,
        Request::Quota { login, quota } => set_quota(&desk, &login, quota).await,
        Request::HideCapability { login, capability, hidden } => {
            hide(&desk, &login, &capability, hidden).await
        }
        Request::Disable { login, disabled } => disable(&desk, &login, disabled).await,
        Request::Password { login, secrets } => password(&desk, &login, &secrets).await,
        Request::AddKey { login, fingerprint, label } => {
            keys::add(&desk, &login, (&fingerprint, label), asker.now).await
        }
        Request::RemoveKey { login, fingerprint } => {
            keys::remove(&desk, &login, &fingerprint).await
        }
        Request::RemoveAccount { login } => remove(&desk, &login, &asker).await,
        Request::RemoveAddress { address } => remove_address(&desk, &address).await,
        Request::RemoveDomain { name, with_addresses } => {
            remove_domain(&desk, &name, with_addresses).await
        }
        Request::Dkim(request) => dkim::carry_out(&desk, request, asker.now).await,
        Request::Queue(request) => queue::carry_out(&desk, request, asker.now).await,
        Request::Mail(request) => {
            mail::carry_out(&desk, request, asker.cargo, asker.now).await.map(Answer::Mail)
        }
    }
}

async fn one(desk: &Desk<Job>, login: &str) -> Result<Answer, String> {
    let account = find(desk, login).await?.account;
    match job::read(desk, "account", Read::Account { account }).await {
        Ok(Found::Accounts(found)) => {
            let accounts = found.into_iter().map(Into::into).collect();
            Ok(Answer::Accounts { accounts, more: false })
        }
        Ok(_) => Err(job::astray("account").to_string()),
        Err(error) => Err(error.to_string()),
    }
}

async fn list(desk: &Desk<Job>, after: String, secrets: bool) -> Result<Answer, String> {
    let question = Read::Accounts { after, count_max: PAGE_MAX, secrets };
    match job::read(desk, "accounts", question).await {
        Ok(Found::Accounts(found)) => {
            let more = found.len() == PAGE_MAX;
            Ok(Answer::Accounts { accounts: found.into_iter().map(Into::into).collect(), more })
        }
        Ok(_) => Err(job::astray("accounts").to_string()),
        Err(error) => Err(error.to_string()),
    }
}

async fn domains(desk: &Desk<Job>, after: String) -> Result<Answer, String> {
    match job::read(desk, "domains", Read::Domains { after, count_max: PAGE_MAX }).await {
        Ok(Found::Domains(found)) => {
            let more = found.len() == PAGE_MAX;
            Ok(Answer::Domains { domains: found.into_iter().map(Into::into).collect(), more })
        }
        Ok(_) => Err(job::astray("domains").to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// What waits is brought to the store first, so that the login of a moment ago is told. That is
/// done with nothing waiting, too: it comes behind what another has begun to bring.
async fn logins(
    desk: &Desk<Job>,
    login: &str,
    skip: usize,
    asker: &Asker,
) -> Result<Answer, String> {
    let account = find(desk, login).await?.account;
    let write = Write::Note { attempts: (asker.logins)(), dmarc: Vec::new(), now: asker.now };
    job::write(desk, "logins", write).await.map_err(|error| error.to_string())?;
    match job::read(desk, "logins", Read::Logins { account, skip, count_max: PAGE_MAX }).await {
        Ok(Found::Logins(found)) => {
            let more = found.len() == PAGE_MAX;
            Ok(Answer::Logins { logins: found.into_iter().map(Into::into).collect(), more })
        }
        Ok(_) => Err(job::astray("logins").to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whoever has this name or address.
async fn find(desk: &Desk<Job>, login: &str) -> Result<Credentials, String> {
    explain::holder(desk, login).await.map_err(|error| error.to_string())?.ok_or_else(|| {
        format!("there is no account or address `{login}`: `pillarbox account list` shows all")
    })
}

async fn add(desk: &Desk<Job>, new: wire::Additions, now: UnixSeconds) -> Result<Answer, String> {
    let additions = checked(&new)?;
    match job::write(desk, "add", Write::Add { additions, now }).await {
        Ok(_) => {
            log_added(&new);
            Ok(Answer::Done)
        }
        Err(error) => Err(explain::refused(desk, &new, error).await),
    }
}

/// Each account, alias and domain by its name: who came when is asked years later.
fn log_added(new: &wire::Additions) {
    for domain in &new.domains {
        log::info!(domain = domain.as_str(); "domain added by command");
    }
    for (account, _) in &new.accounts {
        log::info!(account = account.as_str(); "account added by command");
    }
    for alias in &new.aliases {
        log::info!(alias = alias.address.as_str(); "alias added by command");
    }
    for (address, account) in &new.addresses {
        log::info!(account = account.as_str(), address = address.as_str(); "address added by command");
    }
}

async fn check(desk: &Desk<Job>, new: &wire::Additions) -> Result<Answer, String> {
    checked(new)?;
    match explain::first_in_the_way(desk, new).await {
        Ok(None) => Ok(Answer::Done),
        Ok(Some(line)) => Err(line),
        Err(error) => Err(error.to_string()),
    }
}

async fn catch_all(desk: &Desk<Job>, domain: &str, login: Option<&str>) -> Result<Answer, String> {
    let domain = domain_name(domain)?;
    let account = match login {
        Some(login) => Some(find(desk, login).await?.account),
        None => None,
    };
    let job = Write::SetCatchAll { domain: domain.clone(), account };
    match job::write(desk, "catch-all", job).await {
        Ok(_) => {
            log::info!(domain = domain.as_str(), account = login; "catch-all set by command");
            Ok(Answer::Done)
        }
        Err(StoreError::NotOurDomain) => Err(explain::not_ours(&domain)),
        Err(error) => Err(error.to_string()),
    }
}

async fn cram_md5(desk: &Desk<Job>, domain: &str, on: bool) -> Result<Answer, String> {
    let domain = domain_name(domain)?;
    let job = Write::SetCramMd5 { domain: domain.clone(), on };
    match job::write(desk, "cram-md5", job).await {
        Ok(_) => {
            log::info!(domain = domain.as_str(), on; "CRAM-MD5 set by command");
            Ok(Answer::Done)
        }
        Err(StoreError::NotOurDomain) => Err(explain::not_ours(&domain)),
        Err(error) => Err(error.to_string()),
    }
}

/// What comes from a command is taken as it would be typed.
fn checked(new: &wire::Additions) -> Result<Additions, String> {
    let mut additions = Additions::default();
    for name in &new.domains {
        additions.domains.push(domain_name(name)?);
    }
    for (name, secrets) in &new.accounts {
        additions
            .accounts
            .push(NewAccount { name: account_name(name)?, secrets: stored(secrets)? });
    }
    for (address, account) in &new.addresses {
        let Address { localpart, domain } = address.parse()?;
        additions.addresses.push(NewAddress { localpart, domain, account: account.clone() });
    }
    for row in &new.aliases {
        additions.aliases.push(aliases::new(row)?);
    }
    for name in &new.cram_md5 {
        additions.cram_md5.push(domain_name(name)?);
    }
    additions.catch_alls.clone_from(&new.catch_alls);
    additions.quotas =
        new.quotas.iter().map(|(account, quota)| (account.clone(), (*quota).into())).collect();
    additions.disabled.clone_from(&new.disabled);
    for (account, name) in &new.hidden {
        additions.hidden.push((account.clone(), hideable(name)?));
    }
    for row in &new.keys {
        additions.keys.push((row.account.clone(), keys::new(&row.fingerprint, row.label.clone())?));
    }
    Ok(additions)
}

fn stored(secrets: &[SecretText]) -> Result<Vec<pillarbox_store::Secret>, String> {
    let read = |secret: &SecretText| {
        secret.to_stored().ok_or_else(|| "a secret is of no kind that is known here".to_owned())
    };
    secrets.iter().map(read).collect()
}

async fn password(desk: &Desk<Job>, login: &str, secrets: &[SecretText]) -> Result<Answer, String> {
    let secrets = stored(secrets)?;
    let Credentials { account, name, .. } = find(desk, login).await?;
    job::write(desk, "password", Write::SetSecrets { account, secrets })
        .await
        .map_err(|error| error.to_string())?;
    log::info!(account = name.as_str(); "new password by command");
    desk.send(Effect::Notify(crate::topic_of_account(account)));
    Ok(Answer::Done)
}

async fn set_quota(desk: &Desk<Job>, login: &str, quota: wire::Quota) -> Result<Answer, String> {
    let Credentials { account, name, .. } = find(desk, login).await?;
    job::write(desk, "quota", Write::SetQuota { account, quota: quota.into() })
        .await
        .map_err(|error| error.to_string())?;
    log::info!(account = name.as_str(), quota:? = quota; "quota set by command");
    Ok(Answer::Done)
}

async fn hide(
    desk: &Desk<Job>,
    login: &str,
    capability: &str,
    hidden: bool,
) -> Result<Answer, String> {
    let name = if hidden { hideable(capability)? } else { capability.to_owned() };
    let Credentials { account, name: whose, .. } = find(desk, login).await?;
    let write = Write::HideCapability { account, name, hidden };
    job::write(desk, "hide", write).await.map_err(|error| error.to_string())?;
    log::info!(account = whose.as_str(), capability, hidden; "capability hidden or shown by command");
    Ok(Answer::Done)
}

/// A capability that clients can do without.
pub(crate) fn hideable(name: &str) -> Result<String, String> {
    if can_be_hidden(name) {
        return Ok(name.to_ascii_uppercase());
    }
    Err(format!(
        "`{name}` is no capability of IMAP that can be hidden: the answer to CAPABILITY names them \
         (APPENDLIMIT without its number)"
    ))
}

async fn disable(desk: &Desk<Job>, login: &str, disabled: bool) -> Result<Answer, String> {
    let Credentials { account, name, .. } = find(desk, login).await?;
    job::write(desk, "disable", Write::SetDisabled { account, disabled })
        .await
        .map_err(|error| error.to_string())?;
    log::info!(account = name.as_str(), disabled; "account disabled or enabled by command");
    if disabled {
        desk.send(Effect::Notify(crate::topic_of_account(account)));
    }
    Ok(Answer::Done)
}

/// The account is gone with the first commit; its sessions are told, and its mail follows.
async fn remove(desk: &Desk<Job>, login: &str, asker: &Asker) -> Result<Answer, String> {
    let Credentials { account, name, .. } = find(desk, login).await?;
    job::write(desk, "remove", Write::RemoveAccount { account })
        .await
        .map_err(|error| error.to_string())?;
    log::info!(account = name.as_str(); "account removed by command");
    desk.send(Effect::Notify(crate::topic_of_account(account)));
    finish_removals(desk, &asker.tell, &asker.stopping).await?;
    Ok(Answer::Done)
}

/// Clears what removed accounts have left, each step in a commit of its own between those of
/// others.
///
/// # Errors
/// One line for the user.
pub(crate) async fn finish_removals(
    desk: &Desk<Job>,
    tell: &dyn Fn(u64),
    stopping: &Cell<bool>,
) -> Result<(), String> {
    loop {
        if stopping.get() {
            return Err("the server is stopping: the account is gone, and the rest of its mail \
                        is removed at the next start"
                .into());
        }
        match job::write(desk, "clear", Write::Clear { messages_max: STEP_MESSAGES }).await {
            Ok(Written::Cleared(Cleared { more: false, .. })) => return Ok(()),
            Ok(Written::Cleared(Cleared { messages_left, .. })) => tell(messages_left),
            Ok(_) => return Err(job::astray("clear").to_string()),
            Err(error) => return Err(error.to_string()),
        }
    }
}

async fn remove_address(desk: &Desk<Job>, text: &str) -> Result<Answer, String> {
    let address: Address = text.parse()?;
    let Address { localpart, domain } = address.clone();
    match job::write(desk, "remove", Write::RemoveAddress { localpart, domain }).await {
        Ok(_) => {
            log::info!(address:% = address; "address removed by command");
            Ok(Answer::Done)
        }
        Err(StoreError::NoSuchAddress | StoreError::NotOurDomain) => {
            Err(format!("there is no address {address}: `pillarbox account list` shows all"))
        }
        Err(error) => Err(error.to_string()),
    }
}

async fn remove_domain(
    desk: &Desk<Job>,
    name: &str,
    with_addresses: bool,
) -> Result<Answer, String> {
    let name = domain_name(name)?;
    let job = Write::RemoveDomain { name: name.clone(), with_addresses };
    match job::write(desk, "remove", job).await {
        Ok(_) => {
            log::info!(domain = name.as_str(); "domain removed by command");
            Ok(Answer::Done)
        }
        Err(StoreError::NotOurDomain) => {
            Err(format!("{name} is not a domain of this server: `pillarbox domain list` shows all"))
        }
        Err(StoreError::HasAddresses) => Err(format!(
            "{name} has addresses: remove them first, or all at once with --with-addresses \
             (their accounts and mail stay)"
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// Makes the first accounts of a store that has none.
///
/// # Errors
/// One clear line.
pub fn create_first(
    store: &Store,
    writer: &mut Writer,
    first: &FirstAccounts,
    now: UnixSeconds,
    random: &mut dyn Random,
) -> Result<(), String> {
    let counts = store.reader().and_then(|mut reader| reader.read(Read::Counts));
    match counts {
        Ok(Found::Counts(Counts { accounts: 0, domains: 0, .. })) => {}
        Ok(_) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    }
    let domains = vec![first.domain.clone()];
    let mut additions = Additions { cram_md5: domains.clone(), domains, ..Additions::default() };
    for name in &first.names {
        let derived = secrets::derive(&first.password, random)
            .map_err(|error| format!("cannot derive keys of a password: {error}"))?;
        additions.accounts.push(NewAccount { name: name.clone(), secrets: derived.into_stored() });
        additions.addresses.push(NewAddress {
            localpart: name.clone(),
            domain: first.domain.clone(),
            account: name.clone(),
        });
    }
    let everyone_else = first.names.first().map(|name| (first.domain.clone(), name.clone()));
    additions.catch_alls.extend(everyone_else);
    let written = writer.commit(vec![Write::Add { additions, now }]).pop();
    match written {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(format!("cannot make accounts: {error}")),
        None => Err(job::astray("first accounts").to_string()),
    }
}

/// Rows of one answer.
const PAGE_MAX: usize = 500;
/// Messages removed by one commit: some milliseconds for those who wait behind it.
const STEP_MESSAGES: usize = 256;
