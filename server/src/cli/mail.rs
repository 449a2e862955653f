//! `pillarbox mail`: an account's mail from files and to files.

mod export;
mod folders;
mod import;
mod maildir;
mod mbox;

use clap::{Subcommand, ValueEnum};

use super::Trouble;
use super::place::{self, Place};
use super::table::{self, count};
use crate::control::wire::mail::{MailAnswer, MailRequest};
use crate::control::wire::{Answer, Request};

#[derive(Debug, Subcommand)]
pub(super) enum MailCommand {
    /// Bring mail from maildir or mbox files into an account.
    Import(import::ImportArgs),
    /// Write an account's mail to maildir or mbox files.
    Export(export::ExportArgs),
    /// Forget what was imported into an account, so that it can be imported again.
    Forget {
        /// The account's name or one of its addresses.
        account: String,
        #[command(flatten)]
        place: Place,
    },
}

/// A kind of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A folder for each mailbox, a file for each message.
    Maildir,
    /// A file for each mailbox; `>From ` and `>>From ` are quoted lines (mboxrd).
    Mbox,
    /// The same, but only `>From ` is a quoted line: for files of older programs. Import only.
    Mboxo,
}

pub(super) fn run(command: MailCommand) -> Result<(), Trouble> {
    match command {
        MailCommand::Import(args) => import::run(&args),
        MailCommand::Export(args) => export::run(&args),
        MailCommand::Forget { account, place } => {
            let mut hand = place.reach()?;
            let request = Request::Mail(MailRequest::Forget { login: account });
            let Answer::Mail(MailAnswer::Forgotten(number)) = place::ask(&mut hand, request)?
            else {
                return Err(place::astray().into());
            };
            Ok(table::print(&format!("{} forgotten\n", count(number, "message")))?)
        }
    }
}
