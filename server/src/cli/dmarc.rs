//! `pillarbox dmarc`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;
use pillarbox_core::dmarc::{Discovery, Found, Step};
use pillarbox_core::dns::{Answer, Lookup, Name};

use super::dns::{address, look, resolver};
use super::{Trouble, table};

#[derive(Debug, Subcommand)]
pub(super) enum DmarcCommand {
    /// Find the policy for mail from a domain, as the server does, and show each step.
    #[command(after_help = LOOKUP_HELP)]
    Lookup {
        /// The domain in From.
        domain: String,
        /// Ask this server, as 192.0.2.1 or 192.0.2.1:5353, and no other.
        #[arg(long, value_name = "ADDRESS", value_parser = address, conflicts_with = "config")]
        server: Option<SocketAddr>,
        /// Ask whom the server of this configuration asks. Without this and --server: the servers of
        /// /etc/resolv.conf.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

const LOOKUP_HELP: &str = "\
A policy is looked for at the domain itself, then at those above it (RFC 9989). Mail passes if SPF or a
signature proves a domain of the same organization; else the policy says what its owner wants done.

Exit code 1: it could not be found out now.

Example:
  pillarbox dmarc lookup news.example.org";

pub(super) fn run(command: DmarcCommand) -> Result<(), Trouble> {
    let DmarcCommand::Lookup { domain, server, config } = command;
    let name = Name::parse(&domain)
        .map_err(|fault| Trouble::Usage(format!("`{domain}` is no name: {fault}")))?;
    let resolver = resolver(server, config)?;
    let mut discovery = Discovery::new(name, Vec::new());
    let found = loop {
        match discovery.step() {
            Step::Ask(question) => {
                let (_, lookup) = look(&resolver, question.clone())?;
                table::print(&format!("  {question}: {}\n", heard(&lookup)))?;
                discovery.answered(&question, &lookup);
            }
            Step::Done(found) => break *found,
        }
    };
    table::print(&told(&found))?;
    found.published.map(drop).map_err(Trouble::Failed)
}

fn heard(lookup: &Lookup) -> String {
    match lookup {
        Ok(Answer { records, .. }) => {
            let all: Vec<String> = records.iter().map(ToString::to_string).collect();
            all.join(", ")
        }
        Err(failure) => failure.to_string(),
    }
}

fn told(found: &Found) -> String {
    let mut text = format!("organization: {}\n", found.organization);
    match &found.published {
        Ok(Some(published)) => {
            let record = &published.record;
            let testing = if record.testing { ", which is only tried" } else { "" };
            // Writing to a String cannot fail.
            let _infallible = writeln!(
                text,
                "policy: {} (published by {}){testing}\nalignment: SPF {}, DKIM {}\nreports to: {}",
                published.policy.name(),
                published.domain,
                long(record.spf.name()),
                long(record.dkim.name()),
                if record.aggregate_to.is_empty() {
                    "nobody".to_owned()
                } else {
                    record.aggregate_to.join(", ")
                }
            );
        }
        Ok(None) => text.push_str("policy: none is published\n"),
        Err(_) => {}
    }
    text
}

fn long(alignment: &str) -> &'static str {
    if alignment == "s" { "strict" } else { "relaxed" }
}
