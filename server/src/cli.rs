//! The command line.

mod account;
mod address;
mod alias;
mod backup;
mod capability;
mod dkim;
mod dmarc;
mod dns;
mod domain;
mod key;
mod mail;
mod password;
mod place;
mod progress;
mod queue;
mod signatures;
mod spf;
mod table;
mod transfer;

pub(crate) use dkim::zone_line;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use place::Place;
use rustix::fs::Mode;

use crate::config::{Config, RuntimeKind};
use crate::{control, localserve, serve, verify};

/// A mail server in one binary, whose heart does no I/O.
#[derive(Debug, Parser)]
#[command(name = "pillarbox", version, about, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 not done, with one line that says why; 2 a command line that cannot be \
understood.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a mail server for trying and testing, with nothing to configure.
    ///
    /// It listens on this machine only, knows user@localhost and friend@localhost (password
    /// `pillarbox`), delivers mail for any other name at localhost to user@localhost, and keeps
    /// everything in one folder. The configuration it runs with is left there to learn from. It asks
    /// no name server: what DNS says stands in the folder's zone.txt, to be added to.
    ///
    /// To see what a client does when a server fails, write to one of these at localhost:
    /// temperror (451), permerror (550), any code such as 452, or timeout (no answer). It happens
    /// at the end of the message; with rcptto before it (rcptto452@localhost) at RCPT; with
    /// mailfrom before it, in the sender's address, at MAIL.
    Localserve(LocalserveArgs),
    /// Run the mail server with a configuration file.
    Serve {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Work with configuration files.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Add, list and remove accounts, set their passwords and how much mail they may have.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Give accounts more addresses, or take some away.
    #[command(subcommand)]
    Address(address::AddressCommand),
    /// Make addresses whose mail goes to several accounts.
    #[command(subcommand)]
    Alias(alias::AliasCommand),
    /// Manage the keys with which domains sign mail (DKIM).
    #[command(subcommand)]
    Dkim(dkim::DkimCommand),
    /// Find what a domain wants done with mail that it does not stand behind (DMARC).
    #[command(subcommand)]
    Dmarc(dmarc::DmarcCommand),
    /// Say whether a host may send for a domain (SPF).
    #[command(subcommand)]
    Spf(spf::SpfCommand),
    /// Add, list and remove the domains whose mail this server takes.
    #[command(subcommand)]
    Domain(domain::DomainCommand),
    /// Look names up in DNS as the server does, with each step shown.
    #[command(subcommand)]
    Dns(dns::DnsCommand),
    /// Bring an account's mail from maildir or mbox files, or write it to such.
    #[command(subcommand)]
    Mail(mail::MailCommand),
    /// Look after mail that leaves: list, show, hold, release, retry, fail, drop.
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    /// Write domains and accounts to a TOML file, with what is kept of passwords.
    Export(transfer::ExportArgs),
    /// Read domains and accounts from a TOML file.
    Import(transfer::ImportArgs),
    /// Make a copy of all mail and accounts, also while the server runs.
    Backup(backup::BackupArgs),
    /// Check that the stored mail, or a backup of it, is whole.
    ///
    /// No server may be using it: to check a running server, make a backup and check that.
    Verify(Place),
    /// Print the counters of a running server, in the OpenMetrics text form.
    Metrics(Place),
}

#[derive(Debug, Args)]
struct LocalserveArgs {
    /// Where to keep mail, certificates and the configuration [default: a folder `pillarbox`
    /// among your user's data].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// What drives the connections: smol (a few threads for all), glommio (the same on io_uring;
    /// Linux only) or std (one thread for each).
    #[arg(long, default_value = "smol", value_parser = RuntimeKind::from_name)]
    runtime: RuntimeKind,
    /// The address to listen on. Others than loopback ones let strangers in: the passwords are
    /// known to everyone.
    #[arg(long, default_value = "127.0.0.1")]
    ip: IpAddr,
    /// Added to every port number.
    #[arg(long, value_name = "N", default_value_t = 0)]
    port_offset: u16,
    /// Send mail for this domain there; may be given several times. Mail for other domains goes to
    /// whoever sends it, and nobody else is connected to.
    #[arg(long = "route", value_name = "DOMAIN=HOST:PORT")]
    routes: Vec<localserve::RouteTo>,
    /// Make the times between attempts to send so many times shorter.
    #[arg(long, value_name = "X", default_value = "1", value_parser = localserve::read_scale)]
    retry_scale: u32,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check a configuration file and explain everything that is wrong with it.
    Check {
        /// The configuration.
        file: PathBuf,
    },
}

/// Why a command was not done.
#[derive(Debug)]
enum Trouble {
    /// Exit code 1.
    Failed(String),
    /// Exit code 2.
    Usage(String),
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Failed(why) | Self::Usage(why)) = self;
        f.write_str(why)
    }
}

/// Runs the program: exit code 0, 1 for what went wrong (one clear line on standard error), 2 for
/// a command line that cannot be understood.
#[must_use]
pub fn run() -> ExitCode {
    // What we make holds mail and keys: other users of the machine have no business with it.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    match carry_out(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            table::note(&format!("pillarbox: {trouble}"));
            match trouble {
                Trouble::Failed(_) => ExitCode::FAILURE,
                Trouble::Usage(_) => ExitCode::from(2),
            }
        }
    }
}

fn carry_out(command: Command) -> Result<(), Trouble> {
    match command {
        Command::Localserve(args) => localserve::run(&localserve::Options {
            dir: args.dir,
            runtime: args.runtime,
            ip: args.ip,
            port_offset: args.port_offset,
            routes: args.routes,
            retry_scale: args.retry_scale,
        })?,
        Command::Serve { config } => serve::run(&load(&config)?, serve::Extras::default())?,
        Command::Config(ConfigCommand::Check { file }) => {
            load(&file)?;
            println!("{}: good", file.display());
        }
        Command::Account(command) => account::run(command)?,
        Command::Address(command) => address::run(command)?,
        Command::Alias(command) => alias::run(command)?,
        Command::Dkim(command) => dkim::run(command)?,
        Command::Dmarc(command) => dmarc::run(command)?,
        Command::Spf(command) => spf::run(command)?,
        Command::Queue(command) => queue::run(command)?,
        Command::Domain(command) => domain::run(command)?,
        Command::Dns(command) => dns::run(command)?,
        Command::Mail(command) => mail::run(command)?,
        Command::Export(args) => transfer::export(&args)?,
        Command::Import(args) => transfer::import(&args)?,
        Command::Backup(args) => backup::run(&args)?,
        Command::Verify(place) => verify::run(&place.data()?)?,
        Command::Metrics(place) => table::print(&control::metrics(&place.data()?)?)?,
    }
    Ok(())
}

fn load(file: &std::path::Path) -> Result<Config, String> {
    Config::load(file).map_err(|flaws| flaws.to_string())
}
