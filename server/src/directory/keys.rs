//! Accounts' keys in the file: `"FINGERPRINT LABEL"`.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Known, ListedAccount, Plan};
use crate::config::reader::{FlawList, Reader};
use crate::control::wire::{AccountRow, KeyRow, NewKeyRow};
use crate::fingerprint::Fingerprint;

pub(super) fn to_text(key: &KeyRow) -> String {
    if key.label.is_empty() {
        key.fingerprint.clone()
    } else {
        format!("{} {}", key.fingerprint, key.label)
    }
}

pub(super) fn read(
    table: &mut Reader<'_, '_>,
    seen: &mut BTreeSet<String>,
) -> Vec<(Fingerprint, String, Range<usize>)> {
    let mut keys = Vec::new();
    for (text, place) in table.strings("keys") {
        let (fingerprint, label) = text.split_once(' ').unwrap_or((&text, ""));
        match fingerprint.parse::<Fingerprint>() {
            Ok(fingerprint) if seen.insert(fingerprint.to_string()) => {
                keys.push((fingerprint, label.to_owned(), place));
            }
            Ok(_) => table.flaw_in(&place, "this key stands here a second time".into()),
            Err(what) => table.flaw_in(&place, what),
        }
    }
    keys
}

/// Whose keys are there, by fingerprint.
pub(super) fn owned(account: &AccountRow) -> impl Iterator<Item = (&str, &str)> {
    account.keys.iter().map(|key| (key.fingerprint.as_str(), account.name.as_str()))
}

/// What it is called does not matter where it is there already.
pub(super) fn plan(
    plan: &mut Plan,
    flaws: &mut FlawList<'_>,
    known: &Known<'_>,
    account: &ListedAccount,
) {
    for (fingerprint, label, place) in &account.keys {
        let fingerprint = fingerprint.to_string();
        match known.keys.get(fingerprint.as_str()) {
            Some(owner) if *owner == account.name => {}
            Some(owner) => {
                flaws.push(place, format!("this key belongs to the account `{owner}` already"));
            }
            None => plan.additions.keys.push(NewKeyRow {
                account: account.name.clone(),
                fingerprint,
                label: label.clone(),
            }),
        }
    }
}
