//! `pillarbox account key`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use clap::Subcommand;
use pillarbox_core::tls::fingerprint_of_pem;

use super::Trouble;
use super::place::{self, Place};
use super::table::{self, Column, table};
use crate::control::wire::{KeyRow, Request};
use crate::fingerprint::Fingerprint;

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Add a key to an account: whoever holds its private half can log in to it, without a password.
    #[command(after_help = ADD_HELP)]
    Add {
        /// The account's name or one of its addresses.
        account: String,
        /// A file in PEM with the certificate or the public key, or the key's fingerprint.
        #[arg(value_name = "FILE|FINGERPRINT")]
        key: String,
        /// What to call it, so that one knows later which it is; at most 100 octets.
        #[arg(long, default_value = "")]
        label: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take a key away from an account. Whoever is logged in to the account is logged out.
    #[command(after_help = REMOVE_HELP)]
    Remove {
        /// The account's name or one of its addresses.
        account: String,
        /// As with `add`.
        #[arg(value_name = "FILE|FINGERPRINT")]
        key: String,
        #[command(flatten)]
        place: Place,
    },
    /// List the keys of an account.
    List {
        /// The account's name or one of its addresses.
        account: String,
        /// As JSON: an array of objects with fingerprint, label and since (seconds since 1970).
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
}

const ADD_HELP: &str = "\
A fingerprint is the SHA-256 of the public key (the SubjectPublicKeyInfo), 64 hexadecimal digits. So
a new certificate for the same key needs nothing. Who issued a certificate, until when it holds and
which names are in it does not matter: the key does.

Examples:
  pillarbox account key add alice@example.org alice.pem --label laptop
  pillarbox account key add alice 5a2c…  (64 digits)";

const REMOVE_HELP: &str = "\
Examples:
  pillarbox account key remove alice alice.pem
  pillarbox account key remove alice 5a2c…  (64 digits, see `pillarbox account key list alice`)";

pub(super) fn run(command: KeyCommand) -> Result<(), Trouble> {
    match command {
        KeyCommand::Add { account, key, label, place } => {
            let fingerprint = fingerprint(&key)?.to_string();
            let mut hand = place.reach()?;
            let name = place::account(&mut hand, &account)?.name;
            let said = format!("account `{name}` has the key {fingerprint}\n");
            place::ask(&mut hand, Request::AddKey { login: name, fingerprint, label })?;
            Ok(table::print(&said)?)
        }
        KeyCommand::Remove { account, key, place } => {
            let fingerprint = fingerprint(&key)?.to_string();
            let mut hand = place.reach()?;
            let name = place::account(&mut hand, &account)?.name;
            let said = format!("account `{name}` has no more the key {fingerprint}\n");
            place::ask(&mut hand, Request::RemoveKey { login: name, fingerprint })?;
            Ok(table::print(&said)?)
        }
        KeyCommand::List { account, json, place } => list(&account, json, &place),
    }
}

fn list(login: &str, json: bool, place: &Place) -> Result<(), Trouble> {
    let rows = place::account(&mut place.reach()?, login)?.keys;
    if json {
        return Ok(table::print(&table::json(&rows)?)?);
    }
    let columns = [Column::Left("FINGERPRINT"), Column::Left("SINCE"), Column::Left("LABEL")];
    let cells = |row: KeyRow| vec![row.fingerprint, table::time(row.since), row.label];
    let rows: Vec<_> = rows.into_iter().map(cells).collect();
    Ok(table::print(&table(&columns, &rows))?)
}

/// The fingerprint that was given, or that of the key in a file.
fn fingerprint(key: &str) -> Result<Fingerprint, Trouble> {
    if let Ok(fingerprint) = key.parse() {
        return Ok(fingerprint);
    }
    let mut text = Vec::new();
    File::open(Path::new(key))
        .and_then(|file| file.take(FILE_MAX).read_to_end(&mut text))
        .map_err(|error| format!("`{key}` is no fingerprint and cannot be read: {error}"))?;
    let found = fingerprint_of_pem(&text).map_err(|why| format!("{key}: {why}"))?;
    Ok(Fingerprint(found))
}

/// More than any chain of certificates has.
const FILE_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_fingerprint_or_a_file() {
        let made = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let said = |name: &str, text: &str| {
            let file = dir.path().join(name);
            std::fs::write(&file, text).unwrap();
            match fingerprint(file.to_str().unwrap()) {
                Ok(fingerprint) => fingerprint.to_string(),
                Err(Trouble::Failed(why) | Trouble::Usage(why)) => why,
            }
        };
        let shown = said("certificate.pem", &made.cert.pem());
        assert_eq!(shown.len(), 64);
        assert_eq!(said("public.pem", &made.signing_key.public_key_pem()), shown);
        assert_eq!(fingerprint(&shown.to_uppercase()).ok().unwrap().to_string(), shown);
        assert!(said("key.pem", &made.signing_key.serialize_pem()).contains("private key"));
        assert!(said("text", "hello").contains("no certificate"));
        let Err(Trouble::Failed(why)) = fingerprint("5a2c") else { panic!() };
        assert!(why.contains("no fingerprint"), "{why}");
    }
}
