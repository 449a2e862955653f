//! Which server a command is about.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;

use crate::config::Config;
use crate::control::reach::Hand;
use crate::control::wire::{AccountRow, AliasRow, Answer, DomainRow, LoginRow, Request};
use crate::localserve;

/// Which server a command is about. It may be running or stopped: a running one does the work
/// itself, at once.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct Place {
    /// The configuration of the server.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder with the server's data. Without this and --config: the folder of `pillarbox
    /// localserve`, if it was ever started.
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Place {
    /// The folder with the data.
    ///
    /// # Errors
    /// One line for the user.
    pub(super) fn data(&self) -> Result<PathBuf, String> {
        match (&self.dir, &self.config) {
            (Some(dir), _) => Ok(dir.clone()),
            (None, Some(file)) => {
                Config::load(file).map(|config| config.data).map_err(|flaws| flaws.to_string())
            }
            (None, None) => localserve::default_dir()
                .ok()
                .filter(|dir| dir.join(localserve::CONFIGURATION).is_file())
                .ok_or_else(|| "name the server by --config FILE or --dir DIR".into()),
        }
    }

    /// Whoever carries out requests there.
    ///
    /// # Errors
    /// One line for the user.
    pub(super) fn reach(&self) -> Result<Hand, String> {
        let dir = self.data()?;
        // A configuration says where a store is to be; a folder given by hand may be a mistake.
        if self.config.is_none()
            && let Err(error) = fs::metadata(dir.join("pillarbox.db"))
        {
            return Err(if error.kind() == io::ErrorKind::NotFound {
                format!(
                    "{} holds no mail: name a server's own folder, or its configuration with \
                     --config",
                    dir.display()
                )
            } else {
                format!("cannot look into {}: {error}", dir.display())
            });
        }
        Hand::reach(&dir)
    }
}

/// Asks for something that takes no time.
pub(super) fn ask(hand: &mut Hand, request: Request) -> Result<Answer, String> {
    hand.ask(request, &mut |_| {})
}

/// All accounts, page by page.
pub(super) fn accounts(hand: &mut Hand, secrets: bool) -> Result<Vec<AccountRow>, String> {
    let mut all: Vec<AccountRow> = Vec::new();
    loop {
        let after = all.last().map_or_else(String::new, |row| row.name.clone());
        let answer = ask(hand, Request::Accounts { after, secrets })?;
        let Answer::Accounts { accounts, more } = answer else { return Err(astray()) };
        let any = !accounts.is_empty();
        all.extend(accounts);
        if !(more && any) {
            return Ok(all);
        }
    }
}

/// The newest logins to an account, page by page.
pub(super) fn logins(hand: &mut Hand, login: &str, max: usize) -> Result<Vec<LoginRow>, String> {
    let mut all: Vec<LoginRow> = Vec::new();
    loop {
        let request = Request::Logins { login: login.to_owned(), skip: all.len() };
        let Answer::Logins { logins, more } = ask(hand, request)? else { return Err(astray()) };
        let any = !logins.is_empty();
        all.extend(logins);
        if !(more && any) || all.len() >= max {
            all.truncate(max);
            return Ok(all);
        }
    }
}

/// All domains, page by page.
pub(super) fn domains(hand: &mut Hand) -> Result<Vec<DomainRow>, String> {
    let mut all: Vec<DomainRow> = Vec::new();
    loop {
        let after = all.last().map_or_else(String::new, |row| row.name.clone());
        let answer = ask(hand, Request::Domains { after })?;
        let Answer::Domains { domains, more } = answer else { return Err(astray()) };
        let any = !domains.is_empty();
        all.extend(domains);
        if !(more && any) {
            return Ok(all);
        }
    }
}

/// All aliases, page by page.
pub(super) fn aliases(hand: &mut Hand) -> Result<Vec<AliasRow>, String> {
    let mut all: Vec<AliasRow> = Vec::new();
    loop {
        let after = all.last().map_or_else(String::new, |row| row.address.clone());
        let answer = ask(hand, Request::Aliases { after })?;
        let Answer::Aliases { aliases, more } = answer else { return Err(astray()) };
        let any = !aliases.is_empty();
        all.extend(aliases);
        if !(more && any) {
            return Ok(all);
        }
    }
}

/// One account by name or address.
pub(super) fn account(hand: &mut Hand, login: &str) -> Result<AccountRow, String> {
    match ask(hand, Request::Account { login: login.to_owned() })? {
        Answer::Accounts { accounts, .. } => accounts.into_iter().next().ok_or_else(astray),
        _ => Err(astray()),
    }
}

/// A server of another version that answers another question.
pub(super) fn astray() -> String {
    "the server gave another answer than was asked for: restart it".into()
}
