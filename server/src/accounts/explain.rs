//! Why nothing was added: the store says only that something was in the way.

use pillarbox_core::flow::Desk;
use pillarbox_core::international::{domain_key, fold};
use pillarbox_store::{self as store, Credentials, Found, Read, StoreError};

use crate::address::Address;
use crate::control::wire::{Additions, AliasRow};
use crate::job::{self, Job};

/// The first thing in the way, as a line that says what to do.
pub(super) async fn refused(desk: &Desk<Job>, new: &Additions, error: StoreError) -> String {
    let known = matches!(
        error,
        StoreError::AlreadyExists
            | StoreError::NotOurDomain
            | StoreError::NoSuchAccount
            | StoreError::NoSuchAddress
    );
    let found = if known { first_in_the_way(desk, new).await } else { Ok(None) };
    match found {
        Ok(Some(line)) => line,
        Ok(None) => error.to_string(),
        Err(error) => error.to_string(),
    }
}

pub(super) async fn first_in_the_way(
    desk: &Desk<Job>,
    new: &Additions,
) -> Result<Option<String>, StoreError> {
    for name in &new.domains {
        if is_ours(desk, name).await? {
            return Ok(Some(format!("{name} is a domain of this server already")));
        }
    }
    for (name, _) in &new.accounts {
        if let Some(holder) = holder(desk, name).await? {
            let first = new.addresses.iter().find(|(_, account)| account == name);
            let address = first.map_or("ADDRESS", |(address, _)| address);
            if let Some(known) = self::holder(desk, address).await?
                && known.account == holder.account
            {
                return Ok(Some(format!(
                    "the account `{name}` with the address {address} is there already: \
                     `pillarbox account password {name}` sets its password"
                )));
            }
            return Ok(Some(format!(
                "there is an account `{name}` already{}: choose another name for this one with \
                 --name, or give that one the address: `pillarbox address add {address} {name}`",
                reached_by(desk, &holder).await?
            )));
        }
    }
    for (address, account) in &new.addresses {
        if let Some(line) = address_in_the_way(desk, new, address, account).await? {
            return Ok(Some(line));
        }
    }
    for alias in &new.aliases {
        if let Some(line) = alias_in_the_way(desk, new, alias).await? {
            return Ok(Some(line));
        }
    }
    for (domain, account) in &new.catch_alls {
        if !will_be_ours(desk, new, domain).await? {
            return Ok(Some(not_ours(domain)));
        }
        if !will_exist(desk, new, account).await? {
            return Ok(Some(no_account(account)));
        }
    }
    Ok(None)
}

async fn address_in_the_way(
    desk: &Desk<Job>,
    new: &Additions,
    text: &str,
    account: &str,
) -> Result<Option<String>, StoreError> {
    let Ok(address) = text.parse::<Address>() else { return Ok(None) };
    if !will_be_ours(desk, new, &address.domain).await? {
        return Ok(Some(not_ours(&address.domain)));
    }
    if let Some(line) = taken(desk, &address).await? {
        return Ok(Some(line));
    }
    if !will_exist(desk, new, account).await? {
        return Ok(Some(no_account(account)));
    }
    Ok(None)
}

async fn alias_in_the_way(
    desk: &Desk<Job>,
    new: &Additions,
    alias: &AliasRow,
) -> Result<Option<String>, StoreError> {
    let Ok(address) = alias.address.parse::<Address>() else { return Ok(None) };
    if !will_be_ours(desk, new, &address.domain).await? {
        return Ok(Some(not_ours(&address.domain)));
    }
    if let Some(line) = taken(desk, &address).await? {
        return Ok(Some(line));
    }
    for member in &alias.members {
        let comes = new.addresses.iter().any(|(address, _)| is_same(address, member));
        if !comes && (!member.contains('@') || holder(desk, member).await?.is_none()) {
            return Ok(Some(format!(
                "{member} is no address of an account here: `pillarbox account list` shows them, \
                 and no alias can be a member of another"
            )));
        }
    }
    Ok(None)
}

/// Whether both texts are the same address.
fn is_same(one: &str, two: &str) -> bool {
    matches!((one.parse::<Address>(), two.parse::<Address>()), (Ok(one), Ok(two)) if one == two)
}

/// Whose an address is already.
async fn taken(desk: &Desk<Job>, address: &Address) -> Result<Option<String>, StoreError> {
    let login = format!("{}@{}", address.localpart, address.domain);
    if let Some(holder) = holder(desk, &login).await? {
        return Ok(Some(format!("{address} belongs to the account `{}` already", holder.name)));
    }
    let Address { localpart, domain } = address.clone();
    let to = store::Address { localpart, domain };
    let question = Read::Resolve { to, from: None, routing: store::Routing::default() };
    match job::read(desk, "alias", question).await {
        Ok(Found::Addressee(store::Addressee::Alias(..), _)) => {
            Ok(Some(format!("{address} is an alias already")))
        }
        Ok(_) | Err(StoreError::NoSuchAddress | StoreError::NotOurDomain) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn not_ours(domain: &str) -> String {
    format!(
        "{domain} is not a domain of this server: add it first with `pillarbox domain add {domain}`"
    )
}

fn no_account(name: &str) -> String {
    format!("there is no account `{name}`: `pillarbox account list` shows all")
}

async fn will_be_ours(desk: &Desk<Job>, new: &Additions, name: &str) -> Result<bool, StoreError> {
    let comes = new.domains.iter().any(|domain| domain_key(domain) == domain_key(name));
    Ok(comes || is_ours(desk, name).await?)
}

async fn will_exist(desk: &Desk<Job>, new: &Additions, name: &str) -> Result<bool, StoreError> {
    let comes = new.accounts.iter().any(|(account, _)| fold(account) == fold(name));
    Ok(comes || (!name.contains('@') && holder(desk, name).await?.is_some()))
}

async fn is_ours(desk: &Desk<Job>, domain: &str) -> Result<bool, StoreError> {
    // Any local part will do: the domain is looked up first.
    let to = store::Address { localpart: "postmaster".into(), domain: domain.to_owned() };
    let question = Read::Resolve { to, from: None, routing: store::Routing::default() };
    match job::read(desk, "domain", question).await {
        Ok(_) | Err(StoreError::NoSuchAddress) => Ok(true),
        Err(StoreError::NotOurDomain) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whoever has this name or address.
pub(super) async fn holder(
    desk: &Desk<Job>,
    login: &str,
) -> Result<Option<Credentials>, StoreError> {
    let question = Read::Credentials { login: login.to_owned() };
    match job::read(desk, "credentials", question).await {
        Ok(Found::Credentials(found)) => Ok(Some(found)),
        Ok(_) => Err(job::astray("credentials")),
        Err(StoreError::NoSuchAccount | StoreError::NoSuchAddress | StoreError::NotOurDomain) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// One of its addresses in brackets, to tell namesakes apart.
async fn reached_by(desk: &Desk<Job>, holder: &Credentials) -> Result<String, StoreError> {
    let question = Read::Account { account: holder.account };
    let Found::Accounts(found) = job::read(desk, "account", question).await? else {
        return Err(job::astray("account"));
    };
    let first = found.into_iter().next().and_then(|info| info.addresses.into_iter().next());
    Ok(first.map_or_else(String::new, |(localpart, domain)| {
        format!(" ({})", Address { localpart, domain })
    }))
}
