//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, RuntimeKind};
use crate::{control, localserve, serve, verify};

/// A mail server in one binary, whose heart does no I/O.
#[derive(Debug, Parser)]
#[command(name = "pillarbox", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a mail server for trying and testing, with nothing to configure.
    ///
    /// It listens on this machine only, knows user@localhost and friend@localhost (password
    /// `pillarbox`), delivers mail for any other name at localhost to user@localhost, and keeps
    /// everything in one folder. The configuration it runs with is left there to learn from.
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
    /// Check that the stored mail is whole: run it while no server uses the store.
    Verify(Where),
    /// Print the counters of a running server, in the OpenMetrics text form.
    Metrics(Where),
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
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check a configuration file and explain everything that is wrong with it.
    Check {
        /// The configuration.
        file: PathBuf,
    },
}

/// Which server a command is about.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Where {
    /// The configuration of the server.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder with the server's data.
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Where {
    fn data(self) -> Result<PathBuf, String> {
        match (self.dir, self.config) {
            (Some(dir), _) => Ok(dir),
            (None, Some(file)) => {
                Config::load(&file).map(|config| config.data).map_err(|flaws| flaws.to_string())
            }
            (None, None) => Err("name the server by --config or --dir".into()),
        }
    }
}

/// Runs the program: exit code 0, 1 for what went wrong (one clear line on standard error), 2 for
/// a command line that cannot be understood.
#[must_use]
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Localserve(args) => localserve::run(&localserve::Options {
            dir: args.dir,
            runtime: args.runtime,
            ip: args.ip,
            port_offset: args.port_offset,
        }),
        Command::Serve { config } => Config::load(&config)
            .map_err(|flaws| flaws.to_string())
            .and_then(|config| serve::run(&config, serve::Extras::default())),
        Command::Config(ConfigCommand::Check { file }) => Config::load(&file)
            .map(|_| println!("{}: good", file.display()))
            .map_err(|flaws| flaws.to_string()),
        Command::Verify(place) => place.data().and_then(|dir| verify::run(&dir)),
        Command::Metrics(place) => {
            place.data().and_then(|dir| control::ask(&dir, "metrics")).map(|text| print!("{text}"))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("pillarbox: {why}");
            ExitCode::FAILURE
        }
    }
}
