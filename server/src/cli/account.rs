//! `pillarbox account`.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::place::{self, Place};
use super::table::{self, Column, count, size, table};
use super::{Trouble, password};
use crate::address::{Address, account_name};
use crate::control::reach::Hand;
use crate::control::wire::{AccountRow, Additions, Request};

#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Add an account, and ask for its password.
    #[command(after_help = ADD_HELP)]
    Add(AddArgs),
    /// List accounts with their addresses and what lies in their mailboxes.
    List {
        /// As JSON: an array of objects with name, addresses, mailboxes, messages, bytes.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Set a new password. The old one is useless at once, and whoever is logged in with it is
    /// logged out.
    #[command(after_help = PASSWORD_HELP)]
    Password {
        /// The account's name or one of its addresses.
        account: String,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Remove an account with all its addresses and mail, for good.
    ///
    /// From the first moment on nobody can log in to it, and mail to it is refused; whoever is
    /// logged in is logged out. The mail is then removed step by step while the server goes on
    /// serving others. If that is interrupted, the rest follows at the next start.
    #[command(after_help = REMOVE_HELP)]
    Remove {
        /// The account's name or one of its addresses.
        account: String,
        /// Really do it. Without this the command only says what would be removed.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// The account's first address, or its name.
    #[arg(value_name = "ADDRESS")]
    account: String,
    /// The account's name, where it is not what stands before the @.
    #[arg(long)]
    name: Option<String>,
    /// A further address; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<String>,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    place: Place,
}

const ADD_HELP: &str = "\
The address's domain must be one of the server's: see `pillarbox domain add`.
Both the name and every address can be used to log in. Names are unique on a server: where two
domains have an alice each, one of them needs another name.

Examples:
  pillarbox account add alice@example.org
  pillarbox account add alice@example.org --address info@example.org --address sales@example.org
  pillarbox account add alice@example.com --name alice.com
  pillarbox account add alice --address alice@example.org
  pillarbox account add bot@example.org --password-stdin --config /etc/pillarbox.toml < secret";

const PASSWORD_HELP: &str = "\
Examples:
  pillarbox account password alice@example.org
  pillarbox account password alice --password-stdin < file";

const REMOVE_HELP: &str = "\
Examples:
  pillarbox account remove alice@example.org         (says what would be removed)
  pillarbox account remove alice@example.org --yes";

pub(super) fn run(command: AccountCommand) -> Result<(), Trouble> {
    match command {
        AccountCommand::Add(args) => add(&args),
        AccountCommand::List { json, place } => list(json, &place),
        AccountCommand::Password { account, password_stdin, place } => {
            set_password(&account, password_stdin, &place)
        }
        AccountCommand::Remove { account, yes, place } => remove(&account, yes, &place),
    }
}

fn add(args: &AddArgs) -> Result<(), Trouble> {
    let (name, addresses) = named(&args.account, args.name.as_deref(), &args.address)?;
    let mut hand = args.place.reach()?;
    let mut additions = Additions {
        accounts: vec![(name.clone(), Vec::new())],
        addresses: addresses.iter().map(|address| (address.to_string(), name.clone())).collect(),
        ..Additions::default()
    };
    // Before somebody types a password in vain.
    place::ask(&mut hand, Request::Check(additions.clone()))?;
    let secrets = password::new(&name, args.password_stdin)?;
    additions.accounts = vec![(name.clone(), secrets)];
    place::ask(&mut hand, Request::Add(additions))?;
    let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    Ok(table::print(&format!("account `{name}` added: {}\n", list.join(", ")))?)
}

/// The name and the addresses that the words of the command line mean.
fn named(
    account: &str,
    name: Option<&str>,
    more: &[String],
) -> Result<(String, Vec<Address>), Trouble> {
    let mut texts: Vec<&str> = more.iter().map(String::as_str).collect();
    let name = if account.contains('@') {
        texts.insert(0, account);
        let first: Address = account.parse().map_err(Trouble::Usage)?;
        let localpart = first.localpart;
        name.map_or_else(
            || {
                account_name(&localpart).map_err(|_| {
                    format!("`{localpart}` cannot be an account's name: give one with --name")
                })
            },
            account_name,
        )
    } else if name.is_some() {
        Err(format!("`{account}` is a name too: give an address, or leave --name out"))
    } else if texts.is_empty() {
        Err(format!("say which address it has: `pillarbox account add {account}@example.org`"))
    } else {
        account_name(account)
    };
    let name = name.map_err(Trouble::Usage)?;
    let mut addresses: Vec<Address> = Vec::new();
    for text in texts {
        let address = text.parse().map_err(Trouble::Usage)?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok((name, addresses))
}

fn list(json: bool, place: &Place) -> Result<(), Trouble> {
    let rows = place::accounts(&mut place.reach()?, false)?;
    if json {
        return Ok(table::print(&table::json(&rows)?)?);
    }
    let columns = [
        Column::Left("NAME"),
        Column::Left("ADDRESSES"),
        Column::Right("MAILBOXES"),
        Column::Right("MESSAGES"),
        Column::Right("SIZE"),
    ];
    let cells = |row: AccountRow| {
        vec![
            row.name,
            row.addresses.join(", "),
            row.mailboxes.to_string(),
            row.messages.to_string(),
            size(row.bytes),
        ]
    };
    let rows: Vec<_> = rows.into_iter().map(cells).collect();
    Ok(table::print(&table(&columns, &rows))?)
}

fn set_password(login: &str, from_stdin: bool, place: &Place) -> Result<(), Trouble> {
    let mut hand = place.reach()?;
    let name = place::account(&mut hand, login)?.name;
    let secrets = password::new(&name, from_stdin)?;
    place::ask(&mut hand, Request::Password { login: name.clone(), secrets })?;
    Ok(table::print(&format!("account `{name}` has a new password\n"))?)
}

fn remove(login: &str, yes: bool, place: &Place) -> Result<(), Trouble> {
    let mut hand = place.reach()?;
    let row = place::account(&mut hand, login)?;
    let holds = format!(
        "{} ({}) in {}",
        count(row.messages, "message"),
        size(row.bytes),
        count(row.mailboxes, "mailbox")
    );
    if !yes {
        return Err(Trouble::Failed(format!(
            "account `{}`{} would be removed for good, with {holds}; if so, say it again with \
             --yes",
            row.name,
            also(&mut hand, &row)?,
        )));
    }
    let mut told: Option<Instant> = None;
    let mut progress = |left: u64| {
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            table::note(&format!("{} left", count(left, "message")));
            told = Some(Instant::now());
        }
    };
    hand.ask(Request::RemoveAccount { login: row.name.clone() }, &mut progress)?;
    Ok(table::print(&format!("account `{}` removed, with {holds}\n", row.name))?)
}

/// What else goes with an account.
fn also(hand: &mut Hand, row: &AccountRow) -> Result<String, String> {
    let domains = place::domains(hand)?;
    let catches = domains.into_iter().filter(|domain| domain.catch_all.as_ref() == Some(&row.name));
    let catches: Vec<_> =
        catches.map(|domain| format!("the catch-all of {}", domain.name)).collect();
    let parts: Vec<_> = row.addresses.iter().cloned().chain(catches).collect();
    Ok(if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) })
}

/// How often a long removal says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(account: &str, name: Option<&str>, more: &[&str]) -> Result<(String, String), String> {
        let more: Vec<_> = more.iter().map(|text| (*text).to_owned()).collect();
        match named(account, name, &more) {
            Ok((name, addresses)) => {
                let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                Ok((name, list.join(" ")))
            }
            Err(Trouble::Usage(why)) => Err(why),
            Err(Trouble::Failed(why)) => panic!("{why}"),
        }
    }

    #[test]
    fn the_common_case_is_short() {
        for (account, name, more, expected, list) in [
            ("alice@a.org", None, &[][..], "alice", "alice@a.org"),
            ("Alice@A.org", None, &["alice@a.org", "i@a.org"], "alice", "alice@a.org i@a.org"),
            ("alice@b.org", Some("Alice.b"), &[], "alice.b", "alice@b.org"),
            ("alice", None, &["a@a.org", "b@a.org"], "alice", "a@a.org b@a.org"),
            ("\"a b\"@a.org", Some("ab"), &[], "ab", "\"a b\"@a.org"),
        ] {
            assert_eq!(read(account, name, more), Ok((expected.into(), list.into())));
        }
    }

    #[test]
    fn what_is_not_clear_is_asked_back() {
        for (account, name, more, word) in [
            ("alice", None, &[][..], "alice@example.org"),
            ("alice", Some("bob"), &[], "leave --name out"),
            ("\"a b\"@a.org", None, &[], "--name"),
            ("alice@", None, &[], "no domain"),
            ("alice@a.org", Some("a@b"), &[], "has no @"),
            ("alice@a.org", None, &["bob"], "`bob` is no address"),
        ] {
            let why = read(account, name, more).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }
}
