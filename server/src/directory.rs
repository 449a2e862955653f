//! Domains, accounts and aliases as a TOML file: written by `pillarbox export`, read by `pillarbox import`.

mod aliases;
mod keys;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use crate::accounts::hideable;
use crate::address::{Address, account_name, domain_name};
use crate::config::Flaws;
use crate::config::reader::{self, FlawList, Reader};
use crate::control::wire::{AccountRow, Additions, AliasRow, DomainRow, Quota, SecretText};
use crate::fingerprint::Fingerprint;

/// All domains, accounts and aliases of a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Present {
    pub(crate) domains: Vec<DomainRow>,
    pub(crate) accounts: Vec<AccountRow>,
    pub(crate) aliases: Vec<AliasRow>,
}

/// A file as far as it is right in itself: its names are names, and each stands once.
#[derive(Debug)]
pub(crate) struct Listed {
    domains: Vec<ListedDomain>,
    accounts: Vec<ListedAccount>,
    aliases: Vec<(AliasRow, Range<usize>)>,
}

#[derive(Debug)]
struct ListedDomain {
    name: String,
    catch_all: Option<(String, Range<usize>)>,
    cram_md5: bool,
}

#[derive(Debug)]
struct ListedAccount {
    name: String,
    at: Range<usize>,
    addresses: Vec<(Address, Range<usize>)>,
    secrets: Vec<SecretText>,
    /// Fingerprint and label.
    keys: Vec<(Fingerprint, String, Range<usize>)>,
    quota: Quota,
    disabled: bool,
    /// Capabilities that its clients are not told of, in capitals.
    hidden: Vec<String>,
}

/// What an import comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What is not there yet.
    pub(crate) additions: Additions,
    /// How many of the file's domains, accounts and aliases are there already.
    pub(crate) known: usize,
}

/// The file.
pub(crate) fn to_text(present: &Present) -> String {
    let mut text = format!("{HEAD}\nformat = {FORMAT}\n");
    for domain in &present.domains {
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "\n[[domain]]\nname = {}", quoted(&domain.name));
        if let Some(account) = &domain.catch_all {
            let _infallible = writeln!(text, "catch_all = {}", quoted(account));
        }
        if domain.cram_md5 {
            text.push_str("cram_md5 = true\n");
        }
    }
    for account in &present.accounts {
        let _infallible = writeln!(text, "\n[[account]]\nname = {}", quoted(&account.name));
        list(&mut text, "addresses", account.addresses.iter().map(String::as_str));
        match account.quota {
            Quota::Default => {}
            Quota::None => text.push_str("quota = \"none\"\n"),
            Quota::Bytes(bytes) => _ = writeln!(text, "quota = {bytes}"),
        }
        if account.disabled {
            text.push_str("disabled = true\n");
        }
        list(&mut text, "secrets", account.secrets.iter().map(|secret| secret.0.as_str()));
        let keys: Vec<_> = account.keys.iter().map(keys::to_text).collect();
        list(&mut text, "keys", keys.iter().map(String::as_str));
        list(&mut text, HIDDEN, account.hidden.iter().map(String::as_str));
    }
    for alias in &present.aliases {
        let _infallible = writeln!(text, "\n[[alias]]\naddress = {}", quoted(&alias.address));
        for (key, value) in [
            ("post_public", alias.post_public),
            ("list_members", alias.list_members),
            ("allow_from", alias.allow_from),
        ] {
            let _infallible = writeln!(text, "{key} = {value}");
        }
        list(&mut text, "members", alias.members.iter().map(String::as_str));
    }
    text
}

fn list<'a>(text: &mut String, key: &str, items: impl Iterator<Item = &'a str>) {
    let items: Vec<_> = items.map(|item| format!("    {},\n", quoted(item))).collect();
    if !items.is_empty() {
        let _infallible = writeln!(text, "{key} = [\n{}]", items.concat());
    }
}

/// A basic string of TOML 1.0.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_ascii_control() => {
                let _infallible = write!(quoted, "\\u{:04x}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

/// Reads a file.
///
/// # Errors
/// Everything that is wrong with it, with line and column.
pub(crate) fn read(file: &Path, text: &str) -> Result<Listed, Flaws> {
    let mut flaws = FlawList::new(text);
    let listed = reader::with_document(text, &mut flaws, read_root);
    settle(file, flaws).map(|()| listed)
}

fn settle(file: &Path, flaws: FlawList<'_>) -> Result<(), Flaws> {
    let mut flaws = flaws.into_flaws();
    flaws.sort_by_key(|flaw| (flaw.line, flaw.column));
    if flaws.is_empty() { Ok(()) } else { Err(Flaws { file: file.to_owned(), flaws }) }
}

fn read_root(root: &mut Reader<'_, '_>) -> Listed {
    if root.integer("format", 1, u64::MAX >> 1).is_some_and(|format| format > FORMAT) {
        root.flaw_at(
            "format",
            "the file was written by a later version: use that one's import".into(),
        );
    }
    let mut seen = Seen::default();
    let domains = root.tables("domain", |table| read_domain(table, &mut seen));
    let accounts = root.tables("account", |table| read_account(table, &mut seen));
    let aliases = root.tables("alias", |table| aliases::read(table, &mut seen.addresses));
    Listed {
        aliases: aliases.into_iter().flatten().collect(),
        domains: domains.into_iter().flatten().collect(),
        accounts: accounts.into_iter().flatten().collect(),
    }
}

/// What stood in the file before.
#[derive(Default)]
struct Seen {
    domains: BTreeSet<String>,
    accounts: BTreeSet<String>,
    addresses: BTreeMap<Address, String>,
    keys: BTreeSet<String>,
}

fn read_domain(table: &mut Reader<'_, '_>, seen: &mut Seen) -> Option<ListedDomain> {
    let name = table.required_string("name");
    let name = checked(table, "name", name, domain_name);
    if let Some(name) = &name
        && !seen.domains.insert(name.clone())
    {
        table.flaw_at("name", format!("{name} stands here a second time"));
    }
    let catch_all = table.string("catch_all");
    let catch_all = checked(table, "catch_all", catch_all, account_name);
    let catch_all = catch_all.map(|account| (account, table.place("catch_all")));
    let cram_md5 = table.boolean("cram_md5").unwrap_or(false);
    Some(ListedDomain { name: name?, catch_all, cram_md5 })
}

fn read_account(table: &mut Reader<'_, '_>, seen: &mut Seen) -> Option<ListedAccount> {
    let name = table.required_string("name");
    let name = checked(table, "name", name, account_name);
    if let Some(name) = &name
        && !seen.accounts.insert(name.clone())
    {
        table.flaw_at("name", format!("the account `{name}` stands here a second time"));
    }
    let mut addresses = Vec::new();
    for (text, place) in table.strings("addresses") {
        match text.parse::<Address>() {
            Ok(address) => {
                let owner = name.clone().unwrap_or_default();
                if let Some(other) = seen.addresses.insert(address.clone(), owner) {
                    table.flaw_in(&place, format!("{address} is an address of `{other}` already"));
                }
                addresses.push((address, place));
            }
            Err(what) => table.flaw_in(&place, what),
        }
    }
    let secrets = read_secrets(table);
    let keys = keys::read(table, &mut seen.keys);
    let quota = read_quota(table);
    let disabled = table.boolean("disabled").unwrap_or(false);
    let hidden = read_hidden(table);
    let name = name?;
    let at = table.place("name");
    Some(ListedAccount { name, at, addresses, secrets, keys, quota, disabled, hidden })
}

/// Names of capabilities, as `account capability hide` takes them.
fn read_hidden(table: &mut Reader<'_, '_>) -> Vec<String> {
    let mut hidden = Vec::new();
    for (text, place) in table.strings(HIDDEN) {
        match hideable(&text) {
            Ok(name) => hidden.push(name),
            Err(what) => table.flaw_in(&place, what),
        }
    }
    hidden
}

/// A number of bytes, or `"none"`.
fn read_quota(table: &mut Reader<'_, '_>) -> Quota {
    match table.text_or_integer("quota", QUOTA_MAX) {
        None => Quota::Default,
        Some(Ok(text)) if text == "none" => Quota::None,
        Some(Ok(text)) => {
            table.flaw_at("quota", format!("`{text}` is no quota: give bytes, or \"none\""));
            Quota::Default
        }
        Some(Err(bytes)) => Quota::Bytes(bytes),
    }
}

/// At most one of each kind, in a fixed order, as they are exported.
fn read_secrets(table: &mut Reader<'_, '_>) -> Vec<SecretText> {
    let mut kinds = BTreeMap::new();
    for (text, place) in table.strings("secrets") {
        let Some(secret) = SecretText(text).to_stored() else {
            let what = "this is no secret as `pillarbox export` writes it: $argon2id$…, SCRAM-… \
                        or CRAM-MD5$…";
            table.flaw_in(&place, what.into());
            continue;
        };
        let kind = match secret {
            pillarbox_store::Secret::Argon2id(_) => 1,
            pillarbox_store::Secret::ScramSha256(_) => 2,
            pillarbox_store::Secret::ScramSha1(_) => 3,
            pillarbox_store::Secret::CramMd5(_) => 4,
        };
        if kinds.insert(kind, SecretText::from(&secret)).is_some() {
            table.flaw_in(&place, "an account has one secret of each kind".into());
        }
    }
    kinds.into_values().collect()
}

fn checked(
    table: &mut Reader<'_, '_>,
    key: &'static str,
    text: Option<String>,
    check: fn(&str) -> Result<String, String>,
) -> Option<String> {
    check(&text?).map_err(|what| table.flaw_at(key, what)).ok()
}

/// Compares a file with what is there.
///
/// # Errors
/// Everything in the file that contradicts it, or names what is nowhere.
pub(crate) fn plan(
    file: &Path,
    text: &str,
    listed: &Listed,
    present: &Present,
) -> Result<Plan, Flaws> {
    let mut flaws = FlawList::new(text);
    let known = Known::new(listed, present);
    let mut plan = Plan { additions: Additions::default(), known: 0 };
    for account in &listed.accounts {
        plan_account(&mut plan, &mut flaws, &known, account);
    }
    for domain in &listed.domains {
        plan_domain(&mut plan, &mut flaws, &known, domain);
    }
    for (alias, place) in &listed.aliases {
        aliases::plan(&mut plan, &mut flaws, &known, alias, place);
    }
    settle(file, flaws).map(|()| plan)
}

/// What is there, by name.
struct Known<'a> {
    domains: BTreeMap<&'a str, &'a DomainRow>,
    accounts: BTreeMap<&'a str, &'a AccountRow>,
    /// Whose.
    addresses: BTreeMap<&'a str, &'a str>,
    aliases: BTreeMap<&'a str, &'a AliasRow>,
    /// Whose, by fingerprint.
    keys: BTreeMap<&'a str, &'a str>,
    /// What comes with the file.
    new_domains: BTreeSet<&'a str>,
    new_accounts: BTreeSet<&'a str>,
    new_addresses: BTreeSet<String>,
}

impl<'a> Known<'a> {
    fn new(listed: &'a Listed, present: &'a Present) -> Self {
        let owned = |account: &'a AccountRow| {
            account.addresses.iter().map(|address| (address.as_str(), account.name.as_str()))
        };
        Self {
            domains: present.domains.iter().map(|row| (row.name.as_str(), row)).collect(),
            accounts: present.accounts.iter().map(|row| (row.name.as_str(), row)).collect(),
            addresses: present.accounts.iter().flat_map(owned).collect(),
            keys: present.accounts.iter().flat_map(keys::owned).collect(),
            aliases: present.aliases.iter().map(|row| (row.address.as_str(), row)).collect(),
            new_addresses: listed
                .accounts
                .iter()
                .flat_map(|account| {
                    account.addresses.iter().map(|(address, _)| address.to_string())
                })
                .collect(),
            new_domains: listed.domains.iter().map(|row| row.name.as_str()).collect(),
            new_accounts: listed.accounts.iter().map(|row| row.name.as_str()).collect(),
        }
    }

    fn will_have_account(&self, name: &str) -> bool {
        self.accounts.contains_key(name) || self.new_accounts.contains(name)
    }

    fn will_have_domain(&self, name: &str) -> bool {
        self.domains.contains_key(name) || self.new_domains.contains(name)
    }
}

fn plan_account(
    plan: &mut Plan,
    flaws: &mut FlawList<'_>,
    known: &Known<'_>,
    account: &ListedAccount,
) {
    let name = &account.name;
    match known.accounts.get(name.as_str()) {
        None => plan.additions.accounts.push((name.clone(), account.secrets.clone())),
        // A file without secrets, written by hand, claims nothing about them.
        Some(row) if account.secrets.is_empty() || row.secrets == account.secrets => {
            plan.known += 1;
        }
        Some(_) => flaws.push(
            &account.at,
            format!(
                "there is an account `{name}` with other secrets: remove it, or take this one out \
                 of the file"
            ),
        ),
    }
    plan_standing(plan, flaws, known, account);
    keys::plan(plan, flaws, known, account);
    for (address, place) in &account.addresses {
        let text = address.to_string();
        if known.aliases.contains_key(text.as_str()) {
            flaws.push(place, format!("{text} is an alias already"));
            continue;
        }
        match known.addresses.get(text.as_str()) {
            Some(owner) if owner == name => {}
            Some(owner) => {
                flaws.push(place, format!("{text} belongs to the account `{owner}` already"));
            }
            None if known.will_have_domain(&address.domain) => {
                plan.additions.addresses.push((text, name.clone()));
            }
            None => flaws.push(
                place,
                format!(
                    "{domain} is not a domain of this server: add it with `pillarbox domain add \
                     {domain}` or as [[domain]] in this file",
                    domain = address.domain
                ),
            ),
        }
    }
}

/// A file that says nothing about quota or use claims nothing about them.
fn plan_standing(
    plan: &mut Plan,
    flaws: &mut FlawList<'_>,
    known: &Known<'_>,
    account: &ListedAccount,
) {
    let name = &account.name;
    let row = known.accounts.get(name.as_str());
    if account.quota != Quota::Default {
        match row.map(|row| row.quota) {
            Some(present) if present == account.quota => {}
            None | Some(Quota::Default) => {
                plan.additions.quotas.push((name.clone(), account.quota));
            }
            Some(_) => flaws.push(
                &account.at,
                format!(
                    "the account `{name}` has another quota: change that with `pillarbox account \
                     quota`, or take it out of the file"
                ),
            ),
        }
    }
    if account.disabled && !row.is_some_and(|row| row.disabled) {
        plan.additions.disabled.push(name.clone());
    }
    for hidden in &account.hidden {
        if !row.is_some_and(|row| row.hidden.contains(hidden)) {
            plan.additions.hidden.push((name.clone(), hidden.clone()));
        }
    }
}

fn plan_domain(
    plan: &mut Plan,
    flaws: &mut FlawList<'_>,
    known: &Known<'_>,
    domain: &ListedDomain,
) {
    let name = &domain.name;
    let row = known.domains.get(name.as_str());
    match row {
        None => plan.additions.domains.push(name.clone()),
        Some(_) => plan.known += 1,
    }
    // As with the quota: a file that says nothing claims nothing.
    if domain.cram_md5 && !row.is_some_and(|row| row.cram_md5) {
        plan.additions.cram_md5.push(name.clone());
    }
    let Some((account, place)) = &domain.catch_all else { return };
    match row.and_then(|row| row.catch_all.as_ref()) {
        Some(present) if present == account => {}
        Some(present) => flaws.push(
            place,
            format!(
                "what is nobody's in {name} goes to `{present}`: change that with `pillarbox \
                 domain catch-all`, or take it out of the file"
            ),
        ),
        None if known.will_have_account(account) => {
            plan.additions.catch_alls.push((name.clone(), account.clone()));
        }
        None => flaws.push(place, format!("there is no account `{account}`")),
    }
}

/// What the command takes, too.
const QUOTA_MAX: u64 = 1 << 62;
/// Raised when an older import would misunderstand the file.
const HIDDEN: &str = "hidden_capabilities";
const FORMAT: u64 = 1;
const HEAD: &str = "\
# Domains, accounts and aliases of a Pillarbox server; `pillarbox import` reads them.
# This file holds secrets: whoever has it can try passwords on it without your server noticing.
# Keep it as safe as the mail itself.";

#[cfg(test)]
mod tests;
