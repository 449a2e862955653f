//! `pillarbox alias`.

use clap::{Args, Subcommand};

use super::Trouble;
use super::place::{self, Place};
use super::table::{self, Column, count, table};
use crate::address::Address;
use crate::control::wire::{Additions, AliasChange, AliasRow, Request};

#[derive(Debug, Subcommand)]
pub(super) enum AliasCommand {
    /// Make an address whose mail goes to several addresses of accounts.
    ///
    /// Each member gets one copy, however often a message reaches it; whoever wrote it gets none.
    /// A message is taken if at least one member takes it.
    #[command(after_help = ADD_HELP)]
    Add {
        /// The alias, in a domain of the server's.
        alias: String,
        /// Its members: addresses of accounts.
        members: Vec<String>,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        place: Place,
    },
    /// List aliases with their settings and members.
    List {
        /// As JSON: an array of objects with address, `post_public`, `list_members`, `allow_from`,
        /// members.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Change what members and others may do.
    #[command(after_help = SET_HELP)]
    Set {
        /// The alias.
        alias: String,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        place: Place,
    },
    /// Add members, or take some away.
    #[command(subcommand)]
    Member(MemberCommand),
    /// Take an alias away. Its members stay what they are.
    #[command(after_help = "Example:\n  pillarbox alias remove team@example.org")]
    Remove {
        /// The alias.
        alias: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum MemberCommand {
    /// Add members.
    #[command(
        after_help = "Example:\n  pillarbox alias member add team@example.org eve@example.org"
    )]
    Add(Members),
    /// Take members away. An alias without members refuses mail.
    #[command(
        after_help = "Example:\n  pillarbox alias member remove team@example.org eve@example.org"
    )]
    Remove(Members),
}

#[derive(Debug, Args)]
pub(super) struct Members {
    /// The alias.
    alias: String,
    /// Addresses of accounts.
    #[arg(required = true)]
    members: Vec<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Settings {
    /// Whether anybody may write to it [without this at `add`: false, only members who have logged
    /// in].
    #[arg(long, value_name = "BOOL")]
    post_public: Option<bool>,
    /// Whether members may see who the others are [at `add`: false].
    #[arg(long, value_name = "BOOL")]
    list_members: Option<bool>,
    /// Whether members may send as the alias [at `add`: false].
    #[arg(long, value_name = "BOOL")]
    allow_from: Option<bool>,
}

const ADD_HELP: &str = "\
Members are addresses of accounts, not other aliases. No one can log in with an alias.

Examples:
  pillarbox alias add info@example.org alice@example.org bob@example.org --post-public true
  pillarbox alias add team@example.org alice@example.org bob@example.org --allow-from true";

const SET_HELP: &str = "\
Example:
  pillarbox alias set team@example.org --post-public true --allow-from false";

pub(super) fn run(command: AliasCommand) -> Result<(), Trouble> {
    match command {
        AliasCommand::Add { alias, members, settings, place } => {
            add(&alias, &members, &settings, &place)
        }
        AliasCommand::List { json, place } => list(json, &place),
        AliasCommand::Set { alias, settings, place } => {
            let Settings { post_public, list_members, allow_from } = settings;
            if post_public.or(list_members).or(allow_from).is_none() {
                let what = "say what to set: --post-public, --list-members or --allow-from";
                return Err(Trouble::Usage(what.into()));
            }
            let change =
                AliasChange { post_public, list_members, allow_from, ..AliasChange::default() };
            let alias = address(&alias)?;
            self::change(&alias, change, &place)?;
            Ok(table::print(&format!("alias {alias} changed\n"))?)
        }
        AliasCommand::Member(MemberCommand::Add(members)) => {
            let (alias, add) = (address(&members.alias)?, addresses(&members.members)?);
            let said = format!("{} added to {alias}\n", add.join(", "));
            change(&alias, AliasChange { add, ..AliasChange::default() }, &members.place)?;
            Ok(table::print(&said)?)
        }
        AliasCommand::Member(MemberCommand::Remove(members)) => {
            let (alias, remove) = (address(&members.alias)?, addresses(&members.members)?);
            let said = format!("{} removed from {alias}\n", remove.join(", "));
            change(&alias, AliasChange { remove, ..AliasChange::default() }, &members.place)?;
            Ok(table::print(&said)?)
        }
        AliasCommand::Remove { alias, place } => {
            let alias = address(&alias)?;
            place::ask(&mut place.reach()?, Request::RemoveAlias { alias: alias.clone() })?;
            Ok(table::print(&format!("alias {alias} removed\n"))?)
        }
    }
}

fn add(alias: &str, members: &[String], settings: &Settings, place: &Place) -> Result<(), Trouble> {
    let row = AliasRow {
        address: address(alias)?,
        post_public: settings.post_public.unwrap_or(false),
        list_members: settings.list_members.unwrap_or(false),
        allow_from: settings.allow_from.unwrap_or(false),
        members: addresses(members)?,
    };
    let who = if row.post_public { "anybody" } else { "only its members" };
    let said = format!(
        "alias {} added with {}; {who} may write to it\n",
        row.address,
        count(row.members.len() as u64, "member")
    );
    let additions = Additions { aliases: vec![row], ..Additions::default() };
    place::ask(&mut place.reach()?, Request::Add(additions))?;
    Ok(table::print(&said)?)
}

fn change(alias: &str, change: AliasChange, place: &Place) -> Result<(), String> {
    let request = Request::ChangeAlias { alias: alias.to_owned(), change };
    place::ask(&mut place.reach()?, request).map(drop)
}

fn list(json: bool, place: &Place) -> Result<(), Trouble> {
    let rows = place::aliases(&mut place.reach()?)?;
    if json {
        return Ok(table::print(&table::json(&rows)?)?);
    }
    let columns = [
        Column::Left("ADDRESS"),
        Column::Left("POST-PUBLIC"),
        Column::Left("LIST-MEMBERS"),
        Column::Left("ALLOW-FROM"),
        Column::Left("MEMBERS"),
    ];
    let cells = |row: AliasRow| {
        vec![
            row.address,
            row.post_public.to_string(),
            row.list_members.to_string(),
            row.allow_from.to_string(),
            row.members.join(", "),
        ]
    };
    let rows: Vec<_> = rows.into_iter().map(cells).collect();
    Ok(table::print(&table(&columns, &rows))?)
}

/// An address in the form in which it is kept.
fn address(text: &str) -> Result<String, Trouble> {
    text.parse().map(|address: Address| address.to_string()).map_err(Trouble::Usage)
}

/// The same for several, each once.
fn addresses(texts: &[String]) -> Result<Vec<String>, Trouble> {
    let mut all: Vec<String> = Vec::new();
    for text in texts {
        let address = address(text)?;
        if !all.contains(&address) {
            all.push(address);
        }
    }
    Ok(all)
}
