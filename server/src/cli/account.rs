//! `pillarbox account`.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::capability::{self, CapabilityCommand};
use super::key::{self, KeyCommand};
use super::place::{self, Place};
use super::table::{self, Column, count, size, table};
use super::{Trouble, password};
use crate::address::{Address, account_name};
use crate::control::reach::Hand;
use crate::control::wire::{AccountRow, Additions, LoginRow, Quota, Request};

#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Add an account, and make up its password, which is told once and kept nowhere.
    #[command(after_help = ADD_HELP)]
    Add(AddArgs),
    /// List accounts with their addresses and what lies in their mailboxes.
    List {
        /// As JSON: an array of objects with name, addresses, mailboxes, messages, bytes,
        /// quota ("default", "none" or {"bytes": N}), disabled and, where there are, keys and hidden
        /// capabilities.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Set a new password, made up unless it is asked for or given. The old one is useless at once, and whoever is logged in with it is
    /// logged out.
    #[command(after_help = PASSWORD_HELP)]
    Password {
        /// The account's name or one of its addresses.
        account: String,
        #[command(flatten)]
        source: password::Source,
        #[command(flatten)]
        place: Place,
    },
    /// Say how much mail an account may have.
    ///
    /// Mail that would be more is put off (452), and the account's own programs can store no more.
    #[command(after_help = QUOTA_HELP)]
    Quota {
        /// The account's name or one of its addresses.
        account: String,
        /// Bytes, or with a unit: kB, MB, GB, TB; `none`: any number; `default`: what the
        /// configuration says (`account_bytes_max` under [limits]).
        #[arg(value_parser = quota)]
        size: Quota,
        #[command(flatten)]
        place: Place,
    },
    /// List who has logged in to an account, or tried to, in the last 30 days, the newest first.
    ///
    /// Those of one hour that are alike are one line. A name that no account has is in the log only.
    #[command(after_help = LOGINS_HELP)]
    Logins {
        /// The account's name or one of its addresses.
        account: String,
        /// No more lines than this.
        #[arg(long, default_value_t = 100, value_name = "N")]
        max: usize,
        /// As JSON: an array of objects with last (seconds since 1970), result, count, peer,
        /// network, protocol, mechanism, tls, login and cid.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// The keys with which people log in without a password, by a client certificate (SASL
    /// EXTERNAL): at listeners with `client_certificates = true`.
    #[command(subcommand)]
    Key(KeyCommand),
    /// The capabilities of IMAP that the account's programs are not told of: some do badly with one.
    #[command(subcommand)]
    Capability(CapabilityCommand),
    /// Take an account out of use: nobody can log in to it, and mail to it is refused. Whoever is
    /// logged in is logged out. Its mail, addresses and password are kept.
    Disable {
        /// The account's name or one of its addresses.
        account: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take an account into use again.
    Enable {
        /// The account's name or one of its addresses.
        account: String,
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
    #[command(flatten)]
    source: password::Source,
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
  pillarbox account password alice --ask
  pillarbox account password alice --password-stdin < file";

const QUOTA_HELP: &str = "\
Examples:
  pillarbox account quota alice@example.org 5GB
  pillarbox account quota alice none
  pillarbox account quota alice default";

const LOGINS_HELP: &str = "\
RESULT is `ok`; `wrong`: the password was; `no keys`: the password was set before the mechanism was;
`too often`: not looked at, see [rates] in the configuration; `not as`: as somebody else.
LOG names the connection of the last one in the server's log.

Examples:
  pillarbox account logins alice@example.org
  pillarbox account logins alice --json --max 10000";

const REMOVE_HELP: &str = "\
Examples:
  pillarbox account remove alice@example.org         (says what would be removed)
  pillarbox account remove alice@example.org --yes";

pub(super) fn run(command: AccountCommand) -> Result<(), Trouble> {
    match command {
        AccountCommand::Add(args) => add(&args),
        AccountCommand::List { json, place } => list(json, &place),
        AccountCommand::Password { account, source, place } => {
            set_password(&account, source, &place)
        }
        AccountCommand::Quota { account, size, place } => set_quota(&account, size, &place),
        AccountCommand::Logins { account, max, json, place } => logins(&account, max, json, &place),
        AccountCommand::Key(command) => key::run(command),
        AccountCommand::Capability(command) => capability::run(command),
        AccountCommand::Disable { account, place } => disable(&account, true, &place),
        AccountCommand::Enable { account, place } => disable(&account, false, &place),
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
    let password::New { secrets, told } = password::new(&name, args.source)?;
    additions.accounts = vec![(name.clone(), secrets)];
    place::ask(&mut hand, Request::Add(additions))?;
    let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    Ok(table::print(&format!("account `{name}` added: {}\n{told}", list.join(", ")))?)
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
        Column::Right("QUOTA"),
        Column::Left("STATE"),
    ];
    let cells = |row: AccountRow| {
        vec![
            row.name,
            row.addresses.join(", "),
            row.mailboxes.to_string(),
            row.messages.to_string(),
            size(row.bytes),
            quota_text(row.quota),
            if row.disabled { "disabled".into() } else { String::new() },
        ]
    };
    let rows: Vec<_> = rows.into_iter().map(cells).collect();
    Ok(table::print(&table(&columns, &rows))?)
}

fn set_password(login: &str, source: password::Source, place: &Place) -> Result<(), Trouble> {
    let mut hand = place.reach()?;
    let name = place::account(&mut hand, login)?.name;
    let password::New { secrets, told } = password::new(&name, source)?;
    place::ask(&mut hand, Request::Password { login: name.clone(), secrets })?;
    Ok(table::print(&format!("account `{name}` has a new password\n{told}"))?)
}

fn set_quota(login: &str, quota: Quota, place: &Place) -> Result<(), Trouble> {
    let mut hand = place.reach()?;
    let name = place::account(&mut hand, login)?.name;
    place::ask(&mut hand, Request::Quota { login: name.clone(), quota })?;
    Ok(table::print(&format!("account `{name}` may have: {}\n", quota_text(quota)))?)
}

fn logins(login: &str, max: usize, json: bool, place: &Place) -> Result<(), Trouble> {
    let rows = place::logins(&mut place.reach()?, login, max)?;
    if json {
        return Ok(table::print(&table::json(&rows)?)?);
    }
    let columns = [
        Column::Left("LAST"),
        Column::Left("RESULT"),
        Column::Right("COUNT"),
        Column::Left("FROM"),
        Column::Left("PROTOCOL"),
        Column::Left("MECHANISM"),
        Column::Left("TLS"),
        Column::Left("NAME"),
        Column::Left("LOG"),
    ];
    let cells = |row: LoginRow| {
        vec![
            table::time(row.last),
            row.result,
            row.count.to_string(),
            if row.network == "*" { "many networks".into() } else { row.peer },
            row.protocol,
            row.mechanism,
            if row.tls { "yes".into() } else { "no".into() },
            row.login,
            row.cid,
        ]
    };
    let rows: Vec<_> = rows.into_iter().map(cells).collect();
    Ok(table::print(&table(&columns, &rows))?)
}

fn disable(login: &str, disabled: bool, place: &Place) -> Result<(), Trouble> {
    let mut hand = place.reach()?;
    let name = place::account(&mut hand, login)?.name;
    place::ask(&mut hand, Request::Disable { login: name.clone(), disabled })?;
    let state = if disabled { "disabled" } else { "enabled" };
    Ok(table::print(&format!("account `{name}` is {state}\n"))?)
}

/// As it is read on the command line; sizes rounded down.
fn quota_text(quota: Quota) -> String {
    match quota {
        Quota::Default => "default".into(),
        Quota::None => "none".into(),
        Quota::Bytes(bytes) => size(bytes),
    }
}

/// A quota as it is written: `default`, `none`, or a number with or without a unit.
fn quota(text: &str) -> Result<Quota, String> {
    match text {
        "default" => return Ok(Quota::Default),
        "none" => return Ok(Quota::None),
        _ => {}
    }
    let digits = text.trim_end_matches(|char: char| !char.is_ascii_digit());
    let unit = text.get(digits.len()..).unwrap_or_default().trim();
    let factor = ["B", "kB", "MB", "GB", "TB"]
        .into_iter()
        .zip([1, 1_000, 1_000_000, 1_000_000_000, 1_000_000_000_000_u64])
        .find(|(name, _)| name.eq_ignore_ascii_case(unit) || unit.is_empty())
        .map(|(_, factor)| factor);
    let bytes =
        digits.parse::<u64>().ok().zip(factor).and_then(|(n, factor)| n.checked_mul(factor));
    bytes
        .filter(|bytes| *bytes <= QUOTA_MAX)
        .map(Quota::Bytes)
        .ok_or_else(|| "write a size such as 500MB or 5GB, `none` or `default`".to_owned())
}

/// What a configuration can say, too.
const QUOTA_MAX: u64 = 1 << 62;

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
    fn quotas_are_written_in_a_few_ways() {
        for (text, expected) in [
            ("default", Some(Quota::Default)),
            ("none", Some(Quota::None)),
            ("0", Some(Quota::Bytes(0))),
            ("1234", Some(Quota::Bytes(1_234))),
            ("5GB", Some(Quota::Bytes(5_000_000_000))),
            ("5 mb", Some(Quota::Bytes(5_000_000))),
            ("4611686018427387904", Some(Quota::Bytes(1 << 62))),
            ("4611686018427387905", None),
            ("99999999TB", None),
            ("", None),
            ("GB", None),
            ("-5", None),
            ("1.5GB", None),
            ("5GiB", None),
        ] {
            assert_eq!(quota(text).ok(), expected, "{text}");
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
