//! `pillarbox domain`.

use clap::Subcommand;

use super::Trouble;
use super::place::{self, Place};
use super::table::{self, Column, table};
use crate::address::{both_forms, domain_name};
use crate::control::wire::{Additions, DomainRow, Request};

#[derive(Debug, Subcommand)]
pub(super) enum DomainCommand {
    /// Take mail for a domain from now on.
    #[command(after_help = ADD_HELP)]
    Add {
        /// The domain. One in other letters may be written in them or in its ASCII form, xn--…
        name: String,
        /// The account (name or address) that gets mail for what is nobody's there. Without one
        /// such mail is refused.
        #[arg(long, value_name = "ACCOUNT")]
        catch_all: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// List domains with the number of their addresses and their catch-all.
    List {
        /// As JSON: an array of objects with name, addresses, `catch_all`, `cram_md5`.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Say who gets mail for what is nobody's in a domain, or that nobody does.
    #[command(after_help = CATCH_ALL_HELP)]
    CatchAll {
        /// The domain.
        name: String,
        /// The account's name or one of its addresses.
        #[arg(required_unless_present = "none")]
        account: Option<String>,
        /// Such mail is refused.
        #[arg(long, conflicts_with = "account")]
        none: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Say whether the accounts with an address in a domain may log in with CRAM-MD5.
    ///
    /// For old programs that know nothing better: what is stored for it is as good as the password
    /// to a thief. It is made when a password is set, so it serves for passwords that are set from
    /// now on. A server announces it from its next start on, where one domain wants it.
    #[command(after_help = CRAM_MD5_HELP)]
    CramMd5 {
        /// The domain.
        name: String,
        /// `on` or `off`. With `off` what was stored for it is removed at once.
        #[arg(value_parser = switch, action = clap::ArgAction::Set)]
        to: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Give a domain up: its mail is refused from now on. Accounts and their mail stay.
    #[command(after_help = REMOVE_HELP)]
    Remove {
        /// The domain.
        name: String,
        /// Also where it has addresses, which go too.
        #[arg(long)]
        with_addresses: bool,
        #[command(flatten)]
        place: Place,
    },
}

const ADD_HELP: &str = "\
Examples:
  pillarbox domain add example.org
  pillarbox domain add example.org --catch-all alice";

const CATCH_ALL_HELP: &str = "\
Examples:
  pillarbox domain catch-all example.org alice
  pillarbox domain catch-all example.org --none";

const CRAM_MD5_HELP: &str = "\
Examples:
  pillarbox domain cram-md5 example.org on
  pillarbox domain cram-md5 example.org off";

const REMOVE_HELP: &str = "\
Examples:
  pillarbox domain remove example.org
  pillarbox domain remove example.org --with-addresses";

pub(super) fn run(command: DomainCommand) -> Result<(), Trouble> {
    match command {
        DomainCommand::Add { name, catch_all, place } => add(&name, catch_all.as_deref(), &place),
        DomainCommand::List { json, place } => list(json, &place),
        DomainCommand::CatchAll { name, account, none: _, place } => {
            set_catch_all(&name, account, &place)
        }
        DomainCommand::CramMd5 { name, to, place } => {
            let domain = domain_name(&name).map_err(Trouble::Usage)?;
            let said = if to {
                "is allowed: set the passwords anew that are to be used with it, and start the \
                 server again"
            } else {
                "is not allowed any more"
            };
            let said = format!("CRAM-MD5 for {} {said}\n", both_forms(&domain));
            place::ask(&mut place.reach()?, Request::CramMd5 { domain, on: to })?;
            Ok(table::print(&said)?)
        }
        DomainCommand::Remove { name, with_addresses, place } => {
            let name = domain_name(&name).map_err(Trouble::Usage)?;
            let request = Request::RemoveDomain { name: name.clone(), with_addresses };
            place::ask(&mut place.reach()?, request)?;
            Ok(table::print(&format!("domain {} removed\n", both_forms(&name)))?)
        }
    }
}

fn add(name: &str, catch_all: Option<&str>, place: &Place) -> Result<(), Trouble> {
    let name = domain_name(name).map_err(Trouble::Usage)?;
    let mut hand = place.reach()?;
    let mut additions = Additions { domains: vec![name.clone()], ..Additions::default() };
    if let Some(login) = catch_all {
        let account = place::account(&mut hand, login)?.name;
        additions.catch_alls.push((name.clone(), account));
    }
    place::ask(&mut hand, Request::Add(additions))?;
    Ok(table::print(&format!("domain {} added\n", both_forms(&name)))?)
}

fn list(json: bool, place: &Place) -> Result<(), Trouble> {
    let rows = place::domains(&mut place.reach()?)?;
    if json {
        return Ok(table::print(&table::json(&rows)?)?);
    }
    let columns = [Column::Left("NAME"), Column::Right("ADDRESSES"), Column::Left("CATCH-ALL")];
    let cells = |row: DomainRow| {
        vec![
            both_forms(&row.name),
            row.addresses.to_string(),
            row.catch_all.unwrap_or_else(|| "-".into()),
        ]
    };
    let rows: Vec<_> = rows.into_iter().map(cells).collect();
    Ok(table::print(&table(&columns, &rows))?)
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("say on or off".into()),
    }
}

fn set_catch_all(name: &str, account: Option<String>, place: &Place) -> Result<(), Trouble> {
    let domain = domain_name(name).map_err(Trouble::Usage)?;
    let shown = both_forms(&domain);
    let said = match &account {
        Some(login) => format!("what is nobody's in {shown} goes to `{login}`\n"),
        None => format!("what is nobody's in {shown} is refused\n"),
    };
    place::ask(&mut place.reach()?, Request::CatchAll { domain, login: account })?;
    Ok(table::print(&said)?)
}
