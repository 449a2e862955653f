//! `pillarbox export` and `pillarbox import`.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Trouble;
use super::place::{self, Place};
use super::table::{self, count};
use crate::control::reach::Hand;
use crate::control::wire::{Additions, Request};
use crate::directory::{self, Plan, Present};

#[derive(Debug, Args)]
#[command(after_help = EXPORT_HELP)]
pub(super) struct ExportArgs {
    /// The file, which only you will be able to read; replaced if it is there. Standard output
    /// without one.
    file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

const EXPORT_HELP: &str = "\
The file holds domains, accounts, addresses, aliases, catch-alls, quotas,
fingerprints of accounts' keys, and the keys derived from passwords, with
which everybody can go on logging in. It holds no password and no mail. Whoever has it can try
passwords on it unnoticed: keep it as safe as the mail itself.

Examples:
  pillarbox export accounts.toml
  pillarbox export --config /etc/pillarbox.toml | gpg -e -r admin > accounts.toml.gpg

Mail: pillarbox mail export. Everything: pillarbox backup.";

#[derive(Debug, Args)]
#[command(after_help = IMPORT_HELP)]
pub(super) struct ImportArgs {
    /// The file; `-` for standard input.
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

const IMPORT_HELP: &str = "\
All of the file is imported, or nothing. What is there already and equal is left as it is, so that
an import can be repeated. What contradicts the server is told with its line and column: an account
that has other secrets there, an address of somebody else, another catch-all. Nothing is ever
removed or replaced.

A file written by hand:
  [[domain]]
  name = \"example.org\"
  catch_all = \"alice\"               # may be left out

  [[account]]
  name = \"alice\"
  addresses = [\"alice@example.org\"]
  quota = 5_000_000_000             # bytes, or \"none\"; may be left out
  # without `secrets`; afterwards: pillarbox account password alice

  [[alias]]
  address = \"info@example.org\"
  members = [\"alice@example.org\"]
  post_public = true                # anybody may write to it

Examples:
  pillarbox import accounts.toml
  pillarbox export --dir old | pillarbox import - --dir new

Mail: pillarbox mail import.";

pub(super) fn export(args: &ExportArgs) -> Result<(), Trouble> {
    let mut hand = args.place.reach()?;
    let present = present(&mut hand)?;
    let text = directory::to_text(&present);
    let Some(file) = &args.file else { return Ok(table::print(&text)?) };
    write_private(file, &text).map_err(|error| format!("{}: {error}", file.display()))?;
    table::note(&format!(
        "{} and {} written to {}: it holds secrets, keep it as safe as the mail",
        count(present.domains.len() as u64, "domain"),
        count(present.accounts.len() as u64, "account"),
        file.display()
    ));
    Ok(())
}

/// Replaces the file in one step by one that nobody else could read at any moment.
fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = file.with_file_name(name);
    // One that an interrupted export has left may be open to others.
    if let Err(error) = fs::remove_file(&new)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&new, file)
}

pub(super) fn import(args: &ImportArgs) -> Result<(), Trouble> {
    let (file, text) = read(&args.file)?;
    let listed = directory::read(&file, &text).map_err(|flaws| flaws.to_string())?;
    let mut hand = args.place.reach()?;
    let present = present(&mut hand)?;
    let Plan { additions, known } = directory::plan(&file, &text, &listed, &present)
        .map_err(|flaws| format!("{flaws}\nnothing was imported"))?;
    let said = summary(&additions, known);
    if !additions.is_empty() {
        place::ask(&mut hand, Request::Add(additions))
            .map_err(|error| format!("nothing was imported: {error}"))?;
    }
    Ok(table::print(&said)?)
}

fn summary(additions: &Additions, known: usize) -> String {
    let parts: Vec<String> = [
        (additions.domains.len(), "domain"),
        (additions.accounts.len(), "account"),
        (additions.addresses.len(), "address"),
        (additions.aliases.len(), "alias"),
        (additions.catch_alls.len(), "catch-all"),
        (additions.quotas.len(), "quota"),
        (additions.keys.len(), "key"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, one)| count(number as u64, one))
    .collect();
    let added = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let were = match known {
        0 => String::new(),
        1 => "; 1 domain, account or alias was there already".into(),
        _ => format!("; {known} domains, accounts and aliases were there already"),
    };
    format!("{added} added{were}\n")
}

fn read(file: &Path) -> Result<(PathBuf, String), String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map_err(|error| format!("cannot read standard input: {error}"))?;
        return Ok((PathBuf::from("standard input"), text));
    }
    fs::read_to_string(file)
        .map(|text| (file.to_owned(), text))
        .map_err(|error| format!("cannot read {}: {error}", file.display()))
}

fn present(hand: &mut Hand) -> Result<Present, String> {
    let domains = place::domains(hand)?;
    let accounts = place::accounts(hand, true)?;
    Ok(Present { domains, accounts, aliases: place::aliases(hand)? })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_the_owner_reads_an_export() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("accounts.toml");
        for text in ["first", "second"] {
            write_private(&file, text).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(write_private(&dir.path().join("no/such"), "x").is_err());
    }

    #[test]
    fn an_import_says_what_it_did() {
        let mut additions = Additions::default();
        assert_eq!(summary(&additions, 0), "nothing added\n");
        additions.domains.push("a".into());
        additions.addresses.extend([("a".into(), "b".into()), ("c".into(), "d".into())]);
        let said =
            "1 domain, 2 addresses added; 2 domains, accounts and aliases were there already\n";
        assert_eq!(summary(&additions, 2), said);
    }
}
