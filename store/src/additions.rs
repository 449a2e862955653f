//! What is added to accounts, addresses and domains at once.

use crate::{NewAlias, NewKey, Quota, Secret};

/// What [`Write::Add`](crate::Write::Add) makes. An account is named by its name, of which case is no
/// difference; so are domains.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Additions {
    /// Domains.
    pub domains: Vec<String>,
    /// Domains that want CRAM-MD5, of these or of others.
    pub cram_md5: Vec<String>,
    /// Accounts.
    pub accounts: Vec<NewAccount>,
    /// Addresses, of these domains and accounts or of others.
    pub addresses: Vec<NewAddress>,
    /// Aliases, with addresses of these or of others.
    pub aliases: Vec<NewAlias>,
    /// Domains, each with the account that gets what is nobody's there.
    pub catch_alls: Vec<(String, String)>,
    /// Accounts, each with its quota.
    pub quotas: Vec<(String, Quota)>,
    /// Accounts that are out of use.
    pub disabled: Vec<String>,
    /// Accounts, each with a key.
    pub keys: Vec<(String, NewKey)>,
    /// Accounts, each with a capability that its clients are not told of.
    pub hidden: Vec<(String, String)>,
}

/// An account to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Its name; not empty and without `@`.
    pub name: String,
    /// At most one of each kind.
    pub secrets: Vec<Secret>,
}

/// An address to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAddress {
    /// Before the `@`, unquoted.
    pub localpart: String,
    /// A domain of ours.
    pub domain: String,
    /// The name of the account whose mail it is.
    pub account: String,
}
