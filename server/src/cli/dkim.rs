//! `pillarbox dkim`.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Subcommand;
use pillarbox_core::wire::date::Civil;

use super::Trouble;
use super::place::{self, Place};
use super::signatures::{self, VerifyArgs};
use super::table::{self, Column, table};
use crate::control::wire::dkim::{DkimRequest, DkimRow, PrivateKey};
use crate::control::wire::{Answer, Request};
use crate::dkim_keys::KeyKind;

#[derive(Debug, Subcommand)]
pub(super) enum DkimCommand {
    /// Make a key with which a domain signs the mail of its people.
    ///
    /// It signs nothing until its record stands in DNS and `pillarbox dkim start` says so.
    #[command(after_help = ADD_HELP)]
    Add {
        /// The domain, one of the server's.
        domain: String,
        /// What kind of key. Everybody can check RSA; have an Ed25519 key beside it for those who
        /// can check that.
        #[arg(long, value_enum, default_value_t = KeyKind::Rsa)]
        kind: KeyKind,
        /// The name of the key among the domain's; made of the date where it is not given.
        #[arg(long)]
        selector: Option<String>,
        /// Sign with it at once: the record is in DNS already, or nobody asks DNS.
        #[arg(long)]
        start: bool,
        #[command(flatten)]
        place: Place,
    },
    /// List the keys of a domain.
    List {
        /// The domain.
        domain: String,
        /// As JSON: an array of objects with domain, selector, algorithm, since (seconds since
        /// 1970), signs and record.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show what has to stand in DNS for the keys of a domain, as lines of a zone file.
    Txt {
        /// The domain.
        domain: String,
        /// One key only.
        selector: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Sign with a key from now on. All keys that are started sign each message.
    Start {
        /// The domain.
        domain: String,
        /// The key's name.
        selector: String,
        #[command(flatten)]
        place: Place,
    },
    /// Sign with a key no longer. Its record must stay in DNS for as long as mail is under way that
    /// was signed with it: a week.
    Stop {
        /// The domain.
        domain: String,
        /// The key's name.
        selector: String,
        #[command(flatten)]
        place: Place,
    },
    /// Say whether the signatures of a message are good, and why not; and its chain (ARC).
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
    /// Take a key away for good.
    Remove {
        /// The domain.
        domain: String,
        /// The key's name.
        selector: String,
        #[command(flatten)]
        place: Place,
    },
}

const ADD_HELP: &str = "\
A change of keys, without a message whose signature cannot be checked:
  pillarbox dkim add example.org              prints the record for DNS
  pillarbox dkim start example.org 20261201r  once DNS has it
  pillarbox dkim stop example.org OLD
  pillarbox dkim remove example.org OLD       a week later, with its record in DNS

The private key lies in the server's data only, and is never shown.";

const VERIFY_HELP: &str = "\
Exit code 0 if one of the signatures is good.

Examples:
  pillarbox dkim verify message.eml
  pillarbox dkim verify message.eml --records dkim-records.txt";

pub(super) fn run(command: DkimCommand) -> Result<(), Trouble> {
    match command {
        DkimCommand::Add { domain, kind, selector, start, place } => {
            add(&domain, kind, selector, start, &place)
        }
        DkimCommand::List { domain, json, place } => list(domain, json, &place),
        DkimCommand::Txt { domain, selector, place } => {
            let mut rows = keys(domain.clone(), &place)?;
            if let Some(selector) = selector {
                rows.retain(|row| row.selector.eq_ignore_ascii_case(&selector));
                if rows.is_empty() {
                    let why =
                        format!("{domain} has no key `{selector}`: see `pillarbox dkim list`");
                    return Err(Trouble::Failed(why));
                }
            }
            let lines: String = rows.iter().map(zone_line).collect();
            Ok(table::print(&lines)?)
        }
        DkimCommand::Start { domain, selector, place } => sign(domain, selector, true, &place),
        DkimCommand::Stop { domain, selector, place } => sign(domain, selector, false, &place),
        DkimCommand::Verify(args) => signatures::run(args),
        DkimCommand::Remove { domain, selector, place } => {
            let said = format!("{domain} has no more the key {selector}\n");
            change(DkimRequest::Remove { domain, selector }, &said, &place)
        }
    }
}

fn add(
    domain: &str,
    kind: KeyKind,
    selector: Option<String>,
    signs: bool,
    place: &Place,
) -> Result<(), Trouble> {
    let selector = selector.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = pillarbox_core::UnixSeconds(since.as_secs().cast_signed());
        let Civil { year, month, day, .. } = Civil::from_unix(now);
        format!("{year:04}{month:02}{day:02}{}", kind.letter())
    });
    let key = PrivateKey(BASE64.encode(kind.make()?));
    let request =
        DkimRequest::Add { domain: domain.into(), selector: selector.clone(), key, signs };
    change(request, "", place)?;
    let rows = keys(domain.into(), place)?;
    let row = rows.iter().find(|row| row.selector.eq_ignore_ascii_case(&selector));
    let Some(row) = row else { return Err(Trouble::Failed("the key is not there".into())) };
    let next = if signs {
        format!("{domain} signs with it from now on.\n")
    } else {
        format!("Once DNS has it: pillarbox dkim start {domain} {}\n", row.selector)
    };
    Ok(table::print(&format!("Put this into the zone of {domain}:\n{}{next}", zone_line(row)))?)
}

fn list(domain: String, json: bool, place: &Place) -> Result<(), Trouble> {
    let rows = keys(domain, place)?;
    if json {
        return Ok(table::print(&table::json(&rows)?)?);
    }
    let columns = ["SELECTOR", "ALGORITHM", "SINCE", "SIGNS"].map(Column::Left);
    let cells = |row: DkimRow| {
        let signs = if row.signs { "yes" } else { "no" };
        vec![row.selector, row.algorithm, table::time(row.since), signs.into()]
    };
    let rows: Vec<_> = rows.into_iter().map(cells).collect();
    Ok(table::print(&table(&columns, &rows))?)
}

fn sign(domain: String, selector: String, on: bool, place: &Place) -> Result<(), Trouble> {
    let said = match on {
        true => format!("{domain} signs with {selector} from now on\n"),
        false => format!("{domain} signs with {selector} no more\n"),
    };
    change(DkimRequest::Sign { domain, selector, on }, &said, place)
}

fn change(request: DkimRequest, said: &str, place: &Place) -> Result<(), Trouble> {
    place::ask(&mut place.reach()?, Request::Dkim(request))?;
    Ok(table::print(said)?)
}

fn keys(domain: String, place: &Place) -> Result<Vec<DkimRow>, Trouble> {
    match place::ask(&mut place.reach()?, Request::Dkim(DkimRequest::List { domain }))? {
        Answer::DkimKeys(rows) => Ok(rows),
        _ => Err(Trouble::Failed("the server has answered something else".into())),
    }
}

/// The record as a line of a zone file. A string in it has at most 255 bytes (RFC 1035 §3.3.14);
/// readers join them.
pub(crate) fn zone_line(row: &DkimRow) -> String {
    let bytes: Vec<char> = row.record.chars().collect();
    let strings: Vec<String> = bytes
        .chunks(250)
        .map(|chunk| format!("\"{}\"", chunk.iter().collect::<String>()))
        .collect();
    format!("{}._domainkey.{}. TXT {}\n", row.selector, row.domain, strings.join(" "))
}
