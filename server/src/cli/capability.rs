//! `pillarbox account capability`.

use clap::Subcommand;

use super::Trouble;
use super::place::{self, Place};
use super::table;
use crate::control::wire::Request;

#[derive(Debug, Subcommand)]
pub(super) enum CapabilityCommand {
    /// Tell the account's IMAP programs no more of a capability, from their next login on. What
    /// belongs to it is served all the same.
    #[command(after_help = HIDE_HELP)]
    Hide {
        /// The account's name or one of its addresses.
        account: String,
        /// Its name as the answer to CAPABILITY has it, in any case; APPENDLIMIT without a number.
        capability: String,
        #[command(flatten)]
        place: Place,
    },
    /// Tell them of it again.
    Show {
        /// The account's name or one of its addresses.
        account: String,
        /// Its name.
        capability: String,
        #[command(flatten)]
        place: Place,
    },
    /// List those that are hidden.
    List {
        /// The account's name or one of its addresses.
        account: String,
        /// As JSON: an array of names.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
}

const HIDE_HELP: &str = "\
IMAP4rev1 and what is about logging in cannot be hidden.

Examples:
  pillarbox account capability hide alice@example.org COMPRESS=DEFLATE
  pillarbox account capability hide alice OBJECTID";

pub(super) fn run(command: CapabilityCommand) -> Result<(), Trouble> {
    match command {
        CapabilityCommand::Hide { account, capability, place } => {
            set(&account, capability, true, &place)
        }
        CapabilityCommand::Show { account, capability, place } => {
            set(&account, capability, false, &place)
        }
        CapabilityCommand::List { account, json, place } => {
            let hidden = place::account(&mut place.reach()?, &account)?.hidden;
            if json {
                return Ok(table::print(&table::json(&hidden)?)?);
            }
            let lines: String = hidden.iter().map(|name| format!("{name}\n")).collect();
            Ok(table::print(&lines)?)
        }
    }
}

fn set(login: &str, capability: String, hidden: bool, place: &Place) -> Result<(), Trouble> {
    let mut hand = place.reach()?;
    let name = place::account(&mut hand, login)?.name;
    let how = if hidden { "not told" } else { "told" };
    let said = format!("programs of account `{name}` are {how} of {capability}\n");
    place::ask(&mut hand, Request::HideCapability { login: name, capability, hidden })?;
    Ok(table::print(&said)?)
}
