//! `pillarbox spf`.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Subcommand;
use pillarbox_core::spf::{Check, Client, Outcome, Step, Verdict};

use super::dns::{address, look, resolver};
use super::{Trouble, table};
use crate::serve::now;

#[derive(Debug, Subcommand)]
pub(super) enum SpfCommand {
    /// Say whether a host may send for a domain, as the server does, and why.
    #[command(after_help = CHECK_HELP)]
    Check {
        /// The address of the host.
        #[arg(long)]
        ip: IpAddr,
        /// The sender's address, as MAIL FROM has it. Without it the name of --helo is checked.
        #[arg(long, value_name = "ADDRESS", required_unless_present = "helo")]
        mail_from: Option<String>,
        /// What the host calls itself.
        #[arg(long, value_name = "NAME", default_value = "")]
        helo: String,
        /// Ask this server, as 192.0.2.1 or 192.0.2.1:5353, and no other.
        #[arg(long, value_name = "ADDRESS", value_parser = address, conflicts_with = "config")]
        server: Option<SocketAddr>,
        /// Ask whom the server of this configuration asks. Without this and --server: the servers of
        /// /etc/resolv.conf.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

const CHECK_HELP: &str = "\
The records are gone through term by term; the first that matches decides. Where a record cannot be
understood or needs more than 10 lookups, the result is permerror, and every server that checks
sees the same: mend the record.

Exit code 1: it could not be found out now (temperror).

Examples:
  pillarbox spf check --ip 192.0.2.7 --mail-from ann@example.org
  pillarbox spf check --ip 2001:db8::1 --helo mail.example.org --server 9.9.9.9";

pub(super) fn run(command: SpfCommand) -> Result<(), Trouble> {
    let SpfCommand::Check { ip, mail_from, helo, server, config } = command;
    let resolver = resolver(server, config)?;
    let client = Client { ip, helo, receiver: "localhost".into(), single_labels: false };
    let sender = mail_from.clone().unwrap_or_default();
    let mut check = match mail_from.as_deref().map(|text| text.rsplit_once('@')) {
        Some(Some((local, domain))) => Check::mail_from(client.clone(), local, domain, now()),
        Some(None) => {
            let why = format!("`{sender}` is no address such as ann@example.org");
            return Err(Trouble::Usage(why));
        }
        None => Check::helo(client.clone(), now()),
    };
    let outcome = loop {
        match check.step() {
            Step::Ask(question) => {
                let (_, lookup) = look(&resolver, question)?;
                check.answered(&lookup);
            }
            Step::Done(outcome) => break *outcome,
        }
    };
    table::print(&told(&outcome, &client, &sender))?;
    match outcome.verdict {
        Verdict::TempError => Err(Trouble::Failed(outcome.reason(&client))),
        _ => Ok(()),
    }
}

fn told(outcome: &Outcome, client: &Client, sender: &str) -> String {
    let mut text = String::new();
    for step in &outcome.trail {
        let indent = "  ".repeat(step.depth + 1);
        // Writing to a String cannot fail.
        let _infallible =
            writeln!(text, "{indent}{}: `{}` {}", step.domain, step.term, step.result);
    }
    let (verdict, reason) = (outcome.verdict.name(), outcome.reason(client));
    let _infallible = writeln!(text, "{verdict}: {reason}");
    if let Some(words) = &outcome.explanation {
        let _infallible = writeln!(text, "the domain says: {words}");
    }
    text + &outcome.received_spf(client, sender).replace("\r\n", "\n")
}
