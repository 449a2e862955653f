//! `pillarbox dns`.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;

use clap::Subcommand;
use pillarbox_core::Moment;
use pillarbox_core::dns::{Answer, Exchange, Failure, Heard, Kind, Lookup, Name, PORT, Question};
use pillarbox_core::effect::Transport;
use pillarbox_core::flow::{Desk, Flow};

use super::{Trouble, load, table};
use crate::config::Dns;
use crate::context::SystemRandom;
use crate::dns::{Resolver, Source, console, files};

#[derive(Debug, Subcommand)]
pub(super) enum DnsCommand {
    /// Look a name up as the server does, and show each step.
    #[command(after_help = LOOKUP_HELP)]
    Lookup {
        /// The name; or an address, for the name that belongs to it (PTR).
        name: String,
        /// What kind of records: A, AAAA, MX, TXT, PTR, CNAME, NS, SOA, TLSA, SRV, CAA, SVCB, HTTPS.
        /// Without it: A, AAAA, MX and TXT.
        #[arg(value_parser = kind)]
        kind: Option<Kind>,
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
Whether an answer is secure: DNSSEC proves that a name's owner has said it. A validating resolver
looks at the proof, and its word is believed only where nobody can change it on its way to us:
where it runs on this machine, or is named in [dns] validating of the configuration. Without such
a resolver everything is insecure, and mail cannot be protected by DANE.

What is not there is an answer too (exit code 0). Where no server gives an answer, their reasons
are shown (exit code 1): SERVFAIL with \"DNSSEC Bogus\" means that somebody's proof is broken, or
that somebody forges.

Examples:
  pillarbox dns lookup example.org MX
  pillarbox dns lookup _25._tcp.mail.example.org TLSA
  pillarbox dns lookup 192.0.2.1
  pillarbox dns lookup example.org TXT --server 9.9.9.9";

fn kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("use one of {}", Kind::ALL.map(Kind::name).join(", ")))
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let ip = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
    ip.or_else(|_| text.parse()).map_err(|_| "use an address such as 192.0.2.1".into())
}

pub(super) fn run(command: DnsCommand) -> Result<(), Trouble> {
    let DnsCommand::Lookup { name, kind, server, config } = command;
    let (name, kinds) = match name.parse::<IpAddr>() {
        Ok(ip) => (Name::of_address(ip), vec![kind.unwrap_or(Kind::Ptr)]),
        Err(_) => {
            let parsed = if name == "." { Ok(Name::root()) } else { Name::parse(&name) };
            let name =
                parsed.map_err(|fault| Trouble::Usage(format!("`{name}` is no name: {fault}")))?;
            let usual = vec![Kind::A, Kind::Aaaa, Kind::Mx, Kind::Txt];
            (name, kind.map_or(usual, |kind| vec![kind]))
        }
    };
    let resolver = resolver(server, config)?;
    let mut failed = None;
    table::print(&begin(&resolver.source()))?;
    for kind in kinds {
        let question = Question { name: name.clone(), kind };
        let (steps, lookup) = look(&resolver, question.clone())?;
        let hosts = resolver.host(&question).map_or_else(String::new, |known| own(&known));
        table::print(&format!("\n{question}\n{steps}{}{hosts}", told(&question, &lookup)))?;
        if let Err(Failure::Trouble(why)) = lookup {
            failed = Some(format!("{question}: {why}"));
        }
    }
    failed.map_or(Ok(()), |why| Err(Trouble::Failed(why)))
}

/// Asks this server, or whom a configuration names, or those of the machine.
pub(super) fn resolver(
    server: Option<SocketAddr>,
    config: Option<PathBuf>,
) -> Result<Rc<Resolver>, Trouble> {
    let dns = match (server, config) {
        (Some(server), _) => Dns { servers: vec![server], ..Dns::default() },
        (None, Some(file)) => load(&file)?.dns,
        (None, None) => Dns::default(),
    };
    let source = files::read(&dns)?;
    Ok(Rc::new(Resolver::new(source, || Box::new(SystemRandom::default()))))
}

/// Whom is asked.
fn begin(source: &Source) -> String {
    let Source::Servers(settings, _) = source else {
        return "answers come from the zone files of the configuration\n".into();
    };
    let mut text = String::new();
    for server in settings.asked() {
        let worth =
            if server.validating { "believed to validate" } else { "not known to validate" };
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "server {}: {worth}", server.address);
    }
    text
}

/// Looks one question up; also tells the steps, a line each.
pub(super) fn look(
    resolver: &Rc<Resolver>,
    question: Question,
) -> Result<(String, Lookup), String> {
    let steps = Rc::new(RefCell::new(String::new()));
    let desk = Desk::default();
    let flow = {
        let (resolver, desk, steps) = (Rc::clone(resolver), desk.clone(), Rc::clone(&steps));
        async move {
            let mut tell = |exchange: &Exchange, heard: &Heard| {
                let over = match exchange.over {
                    Transport::Udp => "UDP",
                    Transport::Tcp => "TCP",
                };
                let mut steps = steps.borrow_mut();
                let _infallible = writeln!(steps, "  {} by {over}: {heard}", exchange.to);
            };
            resolver.lookup_and_tell(&desk, Moment::START, &question, &mut tell).await
        }
    };
    let lookup = console::drive(&desk, Flow::new(flow))?;
    Ok((steps.take(), lookup))
}

/// What stands in `/etc/hosts`.
fn own(known: &Lookup) -> String {
    let records = known.iter().flat_map(|answer| &answer.records);
    let all: Vec<String> = records.map(ToString::to_string).collect();
    let all = if all.is_empty() { "no such address".to_owned() } else { all.join(", ") };
    format!("  beside DNS, /etc/hosts has {all}\n")
}

fn told(question: &Question, lookup: &Lookup) -> String {
    let worth = |secure: bool| if secure { "secure: proved by DNSSEC" } else { "insecure" };
    match lookup {
        Ok(Answer { name, records, ttl, secure }) => {
            let mut text = String::new();
            if *name != question.name {
                let _infallible = writeln!(text, "  stands for {name}");
            }
            for data in records {
                let _infallible = writeln!(text, "  {name}. {ttl} {} {data}", question.kind.name());
            }
            let _infallible = writeln!(text, "  {}", worth(*secure));
            text
        }
        Err(failure @ (Failure::NoName { secure } | Failure::NoRecord { secure })) => {
            format!("  {failure}\n  {}\n", worth(*secure))
        }
        Err(Failure::Trouble(_)) => "  no answer\n".into(),
    }
}
