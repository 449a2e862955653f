//! What commands do to aliases.

use pillarbox_core::flow::Desk;
use pillarbox_store::{self as store, Found, Read, StoreError, Write};

use super::PAGE_MAX;
use crate::address::Address;
use crate::control::wire::{AliasChange, AliasRow, Answer};
use crate::job::{self, Job};

pub(super) async fn list(desk: &Desk<Job>, after: &str) -> Result<Answer, String> {
    let after = if after.is_empty() {
        store::Address { localpart: String::new(), domain: String::new() }
    } else {
        stored(after)?
    };
    match job::read(desk, "aliases", Read::Aliases { after, count_max: PAGE_MAX }).await {
        Ok(Found::Aliases(found)) => {
            let more = found.len() == PAGE_MAX;
            Ok(Answer::Aliases { aliases: found.into_iter().map(Into::into).collect(), more })
        }
        Ok(_) => Err(job::astray("aliases").to_string()),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) async fn change(
    desk: &Desk<Job>,
    alias: &str,
    change: &AliasChange,
) -> Result<Answer, String> {
    let checked = store::AliasChange {
        post_public: change.post_public,
        list_members: change.list_members,
        allow_from: change.allow_from,
        add: members(&change.add)?,
        remove: members(&change.remove)?,
    };
    let job = Write::ChangeAlias { alias: stored(alias)?, change: checked };
    match job::write(desk, "alias", job).await {
        Ok(_) => {
            log::info!(alias, change:? = change; "alias changed by command");
            Ok(Answer::Done)
        }
        Err(error) => Err(explain(alias, change, &error)),
    }
}

pub(super) async fn remove(desk: &Desk<Job>, alias: &str) -> Result<Answer, String> {
    match job::write(desk, "alias", Write::RemoveAlias { alias: stored(alias)? }).await {
        Ok(_) => {
            log::info!(alias; "alias removed by command");
            Ok(Answer::Done)
        }
        Err(error) => Err(explain(alias, &AliasChange::default(), &error)),
    }
}

/// An alias to be made, as the store takes it.
pub(super) fn new(row: &AliasRow) -> Result<store::NewAlias, String> {
    let Address { localpart, domain } = row.address.parse()?;
    let settings = store::AliasSettings {
        post_public: row.post_public,
        list_members: row.list_members,
        allow_from: row.allow_from,
    };
    Ok(store::NewAlias { localpart, domain, settings, members: members(&row.members)? })
}

fn members(texts: &[String]) -> Result<Vec<(String, String)>, String> {
    let read =
        |text: &String| text.parse().map(|Address { localpart, domain }| (localpart, domain));
    texts.iter().map(read).collect()
}

fn stored(text: &str) -> Result<store::Address, String> {
    text.parse().map(|Address { localpart, domain }| store::Address { localpart, domain })
}

fn explain(alias: &str, change: &AliasChange, error: &StoreError) -> String {
    match error {
        StoreError::NoSuchAlias => {
            format!("there is no alias {alias}: `pillarbox alias list` shows all")
        }
        StoreError::NoSuchMember => {
            format!("not all of {} are members of {alias}", change.remove.join(", "))
        }
        StoreError::NoSuchAddress | StoreError::NotOurDomain => {
            let named =
                if change.add.is_empty() { vec![alias.to_owned()] } else { change.add.clone() };
            format!(
                "not all of {} are addresses of accounts here: `pillarbox account list` shows \
                 them, and no alias can be a member of another",
                named.join(", ")
            )
        }
        StoreError::AlreadyExists => {
            format!("some of {} are members of {alias} already", change.add.join(", "))
        }
        error => error.to_string(),
    }
}
