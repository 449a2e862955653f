//! `pillarbox queue`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};

use super::Trouble;
use super::place::{self, Place};
use super::table::{self, Column, count, size, table, time};
use crate::control::reach::Hand;
use crate::control::wire::queue::{
    HoldRow, QueueChange, QueueFilter, QueueRequest, QueueRow, State, SuppressedRow, TryRow,
};
use crate::control::wire::{Answer, Request};

#[derive(Debug, Subcommand)]
pub(super) enum QueueCommand {
    /// List mail that waits, one recipient a line.
    #[command(after_help = LIST_HELP)]
    List {
        #[command(flatten)]
        which: Which,
        /// Also what has left, failed or was dropped.
        #[arg(long)]
        all: bool,
        /// Only those in this state: waiting, held, delivered, failed, dropped.
        #[arg(long, value_name = "STATE", value_parser = state)]
        state: Vec<State>,
        /// Only the ids, one a line.
        #[arg(long, conflicts_with = "json")]
        ids: bool,
        /// As JSON: an array of objects.
        #[arg(long)]
        json: bool,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        limit: usize,
        /// Those behind this id: to go on where a list has ended.
        #[arg(long, value_name = "ID", default_value_t = 0)]
        after: i64,
        #[command(flatten)]
        place: Place,
    },
    /// Tell where a message is: what was tried, what the other side said, when it is tried next.
    #[command(after_help = SHOW_HELP)]
    Show {
        /// An id of `queue list`, or a Message-ID.
        what: String,
        #[command(flatten)]
        place: Place,
    },
    /// Let mail wait until it is released.
    Hold(Changing),
    /// Let held mail go.
    Release(Changing),
    /// Try mail now, or at another time.
    Retry {
        #[command(flatten)]
        changing: Changing,
        /// In so many seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        within: i64,
    },
    /// Give mail up: it goes back to whoever sent it.
    Fail {
        #[command(flatten)]
        changing: Changing,
        /// What the sender is told.
        #[arg(long, value_name = "TEXT", default_value = "the postmaster has given it up")]
        reason: String,
    },
    /// Take mail out; nobody is told.
    Drop(Changing),
    /// Send mail by a way of the configuration, or `direct`; `auto` is what the rules say.
    Transport {
        /// The name of a `[[queue.transport]]`, `direct` or `auto`.
        name: String,
        #[command(flatten)]
        changing: Changing,
    },
    /// Say whether mail may go only where TLS is verified and stays so (REQUIRETLS).
    RequireTls {
        /// `true` or `false`.
        #[arg(action = clap::ArgAction::Set)]
        on: bool,
        #[command(flatten)]
        changing: Changing,
    },
    /// Rules by which mail is held as soon as it enters.
    #[command(subcommand)]
    Rule(RuleCommand),
    /// Addresses to which nothing of an account's is sent any more, since it came back from there.
    #[command(subcommand)]
    Suppressed(SuppressedCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum SuppressedCommand {
    /// List them, each with what was said.
    List {
        /// The account: a name or an address.
        account: String,
        /// As JSON: an array of objects with address, since, reason.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Send nothing more to an address.
    Add {
        /// The account: a name or an address.
        account: String,
        /// To whom.
        address: String,
        #[command(flatten)]
        place: Place,
    },
    /// Send to an address again.
    Remove {
        /// The account: a name or an address.
        account: String,
        /// To whom.
        address: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RuleCommand {
    /// List the rules.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Hold mail from now on: all, or what fits.
    #[command(after_help = "Example:\n  pillarbox queue rule add --to example.org")]
    Add {
        /// Submitted by this account.
        #[arg(long)]
        account: Option<String>,
        /// From this domain.
        #[arg(long, value_name = "DOMAIN")]
        from: Option<String>,
        /// To this domain.
        #[arg(long, value_name = "DOMAIN")]
        to: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Take a rule away; what is held stays so until it is released.
    Remove {
        /// The number of the rule.
        id: i64,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Submitted by this account: a name or an address.
    #[arg(long)]
    account: Option<String>,
    /// From this address or domain.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// To this address or domain.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// With this Message-ID.
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Changing {
    /// Ids of `queue list`.
    ids: Vec<i64>,
    /// All that waits.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    place: Place,
}

const LIST_HELP: &str = "\
Examples:
  pillarbox queue list
  pillarbox queue list --to example.org --state held
  pillarbox queue list --ids --from alice@example.net | xargs pillarbox queue retry";

const SHOW_HELP: &str = "\
Examples:
  pillarbox queue show 17
  pillarbox queue show '<20261201124655.019712@mail.example.org>'";

fn state(text: &str) -> Result<State, String> {
    let found = State::ALL.into_iter().find(|state| state.name() == text);
    found.ok_or_else(|| "none of waiting, held, delivered, failed, dropped".to_owned())
}

pub(super) fn run(command: QueueCommand) -> Result<(), Trouble> {
    match command {
        QueueCommand::List { which, all, state, ids, json, limit, after, place } => {
            let states = match (all, state.is_empty()) {
                (true, _) => Vec::new(),
                (false, true) => vec![State::Waiting, State::Held],
                (false, false) => state,
            };
            let filter = QueueFilter { states, ..filter(which) };
            let (rows, more) = list(&mut place.reach()?, &filter, after, limit)?;
            print_list(&rows, more, (ids, json))
        }
        QueueCommand::Show { what, place } => show(&what, &place),
        QueueCommand::Hold(changing) => change(changing, QueueChange::Hold, "held"),
        QueueCommand::Release(changing) => change(changing, QueueChange::Release, "released"),
        QueueCommand::Retry { changing, within } => {
            change(changing, QueueChange::Retry(within), "to be tried")
        }
        QueueCommand::Fail { changing, reason } => {
            change(changing, QueueChange::Fail(reason), "given up")
        }
        QueueCommand::Drop(changing) => change(changing, QueueChange::Drop, "dropped"),
        QueueCommand::Transport { name, changing } => {
            let name = (name != "auto").then_some(name);
            change(changing, QueueChange::Transport(name), "sent another way")
        }
        QueueCommand::RequireTls { on, changing } => {
            change(changing, QueueChange::RequireTls(on), "changed")
        }
        QueueCommand::Rule(command) => rule(command),
        QueueCommand::Suppressed(command) => suppressed(command),
    }
}

fn filter(which: Which) -> QueueFilter {
    let Which { account, from, to, message_id } = which;
    QueueFilter { account, from, to, message_id, ..QueueFilter::default() }
}

fn ask(hand: &mut Hand, request: QueueRequest) -> Result<Answer, String> {
    place::ask(hand, Request::Queue(request))
}

/// At most so many behind an id, page by page; and whether there are more.
fn list(
    hand: &mut Hand,
    filter: &QueueFilter,
    after: i64,
    limit: usize,
) -> Result<(Vec<QueueRow>, bool), String> {
    let mut all: Vec<QueueRow> = Vec::new();
    loop {
        let after = all.last().map_or(after, |row| row.id);
        let request = QueueRequest::List { filter: filter.clone(), after };
        let Answer::Queued { rows, more } = ask(hand, request)? else {
            return Err(place::astray());
        };
        let any = !rows.is_empty();
        all.extend(rows);
        if all.len() > limit {
            all.truncate(limit);
            return Ok((all, true));
        }
        if !(more && any) {
            return Ok((all, false));
        }
    }
}

fn print_list(rows: &[QueueRow], more: bool, (ids, json): (bool, bool)) -> Result<(), Trouble> {
    if json {
        return Ok(table::print(&table::json(rows)?)?);
    }
    if ids {
        let lines: String = rows.iter().map(|row| format!("{}\n", row.id)).collect();
        return Ok(table::print(&lines)?);
    }
    if rows.is_empty() {
        return Ok(table::print("nothing waits\n")?);
    }
    let columns = [
        Column::Right("ID"),
        Column::Left("STATE"),
        Column::Right("SIZE"),
        Column::Right("TRIED"),
        Column::Left("NEXT"),
        Column::Left("FROM"),
        Column::Left("TO"),
        Column::Left("LAST"),
    ];
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let said: String = row.said.chars().take(60).collect();
            vec![
                row.id.to_string(),
                row.state.name().to_owned(),
                size(row.size),
                row.attempts.to_string(),
                time(row.next),
                if row.from.is_empty() { "<>".to_owned() } else { row.from.clone() },
                row.to.clone(),
                said,
            ]
        })
        .collect();
    let mut text = table(&columns, &cells);
    if let Some(last) = rows.last().filter(|_| more) {
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "there are more: --after {}", last.id);
    }
    Ok(table::print(&text)?)
}

fn show(what: &str, place: &Place) -> Result<(), Trouble> {
    let mut hand = place.reach()?;
    let filter = match what.parse() {
        Ok(id) => QueueFilter { ids: vec![id], ..QueueFilter::default() },
        Err(_) => QueueFilter { message_id: Some(what.to_owned()), ..QueueFilter::default() },
    };
    let (rows, _) = list(&mut hand, &filter, 0, SHOWN_MAX)?;
    if rows.is_empty() {
        let why = format!(
            "nothing of `{what}` waits or has left lately: `pillarbox queue list --all` shows what is \
             known; what came for accounts here lies in their mailboxes"
        );
        return Err(Trouble::Failed(why));
    }
    let mut text = String::new();
    for row in &rows {
        let Answer::Tries(tries) = ask(&mut hand, QueueRequest::Tries { id: row.id })? else {
            return Err(Trouble::Failed(place::astray()));
        };
        describe(&mut text, row, &tries);
    }
    Ok(table::print(&text)?)
}

/// So many recipients of a message are shown.
const SHOWN_MAX: usize = 100;

fn describe(text: &mut String, row: &QueueRow, tries: &[TryRow]) {
    let from = if row.from.is_empty() { "<>" } else { &row.from };
    let stands = match row.state {
        State::Waiting => format!("waiting: it is tried at {}", time(row.next)),
        State::Held => "held: `pillarbox queue release` lets it go".to_owned(),
        State::Delivered => format!("delivered at {}", time(row.next)),
        State::Failed => format!("failed at {}", time(row.next)),
        State::Dropped => format!("dropped at {}", time(row.next)),
    };
    // Writing to a String cannot fail.
    let _infallible = write!(
        text,
        "{id}: {from} to {to}\n  {stands}\n  came at {since} by connection {cid}, {size}\n  \
         Message-ID: <{message_id}>\n",
        id = row.id,
        to = row.to,
        since = time(row.since),
        cid = row.cid,
        size = size(row.size),
        message_id = row.message_id,
    );
    if let Some(transport) = &row.transport {
        let _infallible = writeln!(text, "  goes by {transport}");
    }
    for (number, tried) in tries.iter().enumerate() {
        let TryRow { began, server, address, tls, said, transcript } = tried;
        let _infallible = writeln!(text, "\n  attempt {} at {}", number + 1, time(*began));
        if !server.is_empty() {
            let _infallible = writeln!(text, "    {server} ({address}), TLS: {tls}");
        }
        let _infallible = writeln!(text, "    {said}");
        for line in transcript.lines() {
            let _infallible = writeln!(text, "      {line}");
        }
    }
    text.push('\n');
}

fn change(changing: Changing, change: QueueChange, done: &str) -> Result<(), Trouble> {
    let Changing { ids, all, which, place } = changing;
    let filter = QueueFilter { ids, ..filter(which) };
    if filter == QueueFilter::default() && !all {
        let what = "say which: ids, --from, --to, --account, --message-id, or --all";
        return Err(Trouble::Usage(what.into()));
    }
    match ask(&mut place.reach()?, QueueRequest::Change { filter, change })? {
        Answer::Changed(number) => {
            Ok(table::print(&format!("{} {done}\n", count(number, "message")))?)
        }
        _ => Err(Trouble::Failed(place::astray())),
    }
}

fn rule(command: RuleCommand) -> Result<(), Trouble> {
    match command {
        RuleCommand::List { place } => {
            let Answer::Holds(rows) = ask(&mut place.reach()?, QueueRequest::Holds)? else {
                return Err(Trouble::Failed(place::astray()));
            };
            if rows.is_empty() {
                return Ok(table::print("no rule holds mail\n")?);
            }
            let columns = [
                Column::Right("RULE"),
                Column::Left("ACCOUNT"),
                Column::Left("FROM"),
                Column::Left("TO"),
            ];
            let any = |cell: Option<String>| cell.unwrap_or_else(|| "any".to_owned());
            let cells: Vec<Vec<String>> = rows
                .into_iter()
                .map(|row| vec![row.id.to_string(), any(row.account), any(row.from), any(row.to)])
                .collect();
            Ok(table::print(&table(&columns, &cells))?)
        }
        RuleCommand::Add { account, from, to, place } => {
            let row = HoldRow { id: 0, account, from, to };
            ask(&mut place.reach()?, QueueRequest::AddHold(row))?;
            Ok(table::print("what enters from now on and fits is held\n")?)
        }
        RuleCommand::Remove { id, place } => {
            ask(&mut place.reach()?, QueueRequest::RemoveHold { id })?;
            Ok(table::print(&format!("rule {id} removed\n"))?)
        }
    }
}

fn suppressed(command: SuppressedCommand) -> Result<(), Trouble> {
    match command {
        SuppressedCommand::List { account, json, place } => {
            let rows = all_suppressed(&mut place.reach()?, &account)?;
            if json {
                return Ok(table::print(&table::json(&rows)?)?);
            }
            if rows.is_empty() {
                return Ok(table::print("none\n")?);
            }
            let columns = [Column::Left("ADDRESS"), Column::Left("SINCE"), Column::Left("WHY")];
            let cell = |row: SuppressedRow| vec![row.address, time(row.since), row.reason];
            let cells: Vec<Vec<String>> = rows.into_iter().map(cell).collect();
            Ok(table::print(&table(&columns, &cells))?)
        }
        SuppressedCommand::Add { account, address, place } => {
            let said = format!("nothing of {account}'s goes to {address} any more\n");
            ask(&mut place.reach()?, QueueRequest::Suppress { account, address })?;
            Ok(table::print(&said)?)
        }
        SuppressedCommand::Remove { account, address, place } => {
            let said = format!("{account} can write to {address} again\n");
            ask(&mut place.reach()?, QueueRequest::Allow { account, address })?;
            Ok(table::print(&said)?)
        }
    }
}

/// All of an account's, page by page.
fn all_suppressed(hand: &mut Hand, account: &str) -> Result<Vec<SuppressedRow>, String> {
    let mut all: Vec<SuppressedRow> = Vec::new();
    loop {
        let after = all.last().map_or_else(String::new, |row| row.address.clone());
        let request = QueueRequest::Suppressed { account: account.to_owned(), after };
        let Answer::Suppressed { rows, more } = ask(hand, request)? else {
            return Err(place::astray());
        };
        let any = !rows.is_empty();
        all.extend(rows);
        if !(more && any) {
            return Ok(all);
        }
    }
}
