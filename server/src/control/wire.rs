//! What a command and the server that holds the store say to each other: one line of JSON each
//! way, and lines of progress between.
//!
//! ```text
//! {"pillarbox":1,"request":{"account":{"login":"alice"}}}
//! {"ok":{"accounts":{"accounts":[{"name":"alice", …}],"more":false}}}
//! ```
//!
//! `pillarbox` is the version of all this. Whatever else changes, a server answers another version
//! with an `error` that says so, and a command shows it.

pub mod dkim;
pub mod mail;
pub mod queue;

use std::fmt;

use dkim::{DkimRequest, DkimRow};
use mail::{MailAnswer, MailRequest};
use pillarbox_store as store;
use queue::{HoldRow, QueueRequest, QueueRow, SuppressedRow, TryRow};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::fingerprint::Fingerprint;
use crate::secrets;

/// Raised with each change that an older side would misunderstand.
const VERSION: u32 = 1;

/// A request in its line.
#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    pillarbox: u32,
    request: Request,
}

/// What every version of a request line has.
#[derive(Debug, Deserialize)]
struct Versioned {
    pillarbox: u32,
}

/// What a command wants. A *login* is an account's name or one of its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The counters. Answer: [`Answer::Text`].
    Metrics,
    /// Keep the files of bodies, whatever goes, until this connection ends: somebody copies them.
    /// Answer: [`Answer::Done`].
    HoldBodies,
    /// One account. Answer: [`Answer::Accounts`].
    Account {
        /// Which.
        login: String,
    },
    /// A page of accounts by name. Answer: [`Answer::Accounts`].
    Accounts {
        /// Empty, or the last name of the page before.
        after: String,
        /// With their secrets.
        secrets: bool,
    },
    /// A page of logins to an account and attempts at them, the newest first.
    /// Answer: [`Answer::Logins`].
    Logins {
        /// To which.
        login: String,
        /// How many of the newest have been told already.
        skip: usize,
    },
    /// A page of domains by name. Answer: [`Answer::Domains`].
    Domains {
        /// Empty, or the last name of the page before.
        after: String,
    },
    /// A page of aliases by address. Answer: [`Answer::Aliases`].
    Aliases {
        /// Empty, or the last address of the page before.
        after: String,
    },
    /// Make all of this, or nothing. Answer: [`Answer::Done`].
    Add(Additions),
    /// Whether [`Add`](Self::Add) would succeed now. Answer: [`Answer::Done`].
    Check(Additions),
    /// Say who gets what is nobody's. Answer: [`Answer::Done`].
    CatchAll {
        /// Where.
        domain: String,
        /// Nobody where `None`.
        login: Option<String>,
    },
    /// Say whether a domain wants CRAM-MD5. Answer: [`Answer::Done`].
    CramMd5 {
        /// Which.
        domain: String,
        /// It does.
        on: bool,
    },
    /// Change an alias. Answer: [`Answer::Done`].
    ChangeAlias {
        /// Its address.
        alias: String,
        /// How.
        change: AliasChange,
    },
    /// Take an alias away. Answer: [`Answer::Done`].
    RemoveAlias {
        /// Its address.
        alias: String,
    },
    /// Say how much mail an account may have. Answer: [`Answer::Done`].
    Quota {
        /// Whose.
        login: String,
        /// The new one.
        quota: Quota,
    },
    /// Take an account out of use and end its sessions, or into use again.
    /// Answer: [`Answer::Done`].
    Disable {
        /// Which.
        login: String,
        /// Out of use.
        disabled: bool,
    },
    /// Say whether an account's IMAP clients are told of a capability. Answer: [`Answer::Done`].
    HideCapability {
        /// Whose.
        login: String,
        /// Its name.
        capability: String,
        /// They are not.
        hidden: bool,
    },
    /// Replace an account's secrets, and end its sessions. Answer: [`Answer::Done`].
    Password {
        /// Whose.
        login: String,
        /// The new ones.
        secrets: Vec<SecretText>,
    },
    /// Add a key to an account, with which its owner logs in. Answer: [`Answer::Done`].
    AddKey {
        /// Whose.
        login: String,
        /// The SHA-256 of the public key, in hexadecimal digits.
        fingerprint: String,
        /// What its owner calls it.
        label: String,
    },
    /// Take a key away from an account, and end its sessions. Answer: [`Answer::Done`].
    RemoveKey {
        /// Whose.
        login: String,
        /// Which.
        fingerprint: String,
    },
    /// Remove an account and its mail. Answer: progress, then [`Answer::Done`].
    RemoveAccount {
        /// Which.
        login: String,
    },
    /// Take an address away. Answer: [`Answer::Done`].
    RemoveAddress {
        /// Which.
        address: String,
    },
    /// Give a domain up. Answer: [`Answer::Done`].
    RemoveDomain {
        /// Which.
        name: String,
        /// Its addresses too.
        with_addresses: bool,
    },
    /// About the keys by which domains sign. Answer: [`Answer::DkimKeys`] to the question for them,
    /// else [`Answer::Done`].
    Dkim(DkimRequest),
    /// About mail from files. Answer: [`Answer::Mail`].
    Mail(MailRequest),
    /// About mail that leaves. Answer: as [`QueueRequest`] says.
    Queue(QueueRequest),
}

impl Request {
    /// Whether it changes what is stored.
    #[must_use]
    pub const fn changes(&self) -> bool {
        match self {
            Self::Metrics
            | Self::HoldBodies
            | Self::Account { .. }
            | Self::Accounts { .. }
            | Self::Domains { .. }
            | Self::Logins { .. }
            | Self::Aliases { .. }
            | Self::Dkim(DkimRequest::List { .. })
            | Self::Queue(
                QueueRequest::List { .. }
                | QueueRequest::Tries { .. }
                | QueueRequest::Suppressed { .. }
                | QueueRequest::Holds,
            )
            | Self::Check(_) => false,
            Self::Add(_)
            | Self::CatchAll { .. }
            | Self::CramMd5 { .. }
            | Self::ChangeAlias { .. }
            | Self::RemoveAlias { .. }
            | Self::Quota { .. }
            | Self::Disable { .. }
            | Self::Password { .. }
            | Self::AddKey { .. }
            | Self::HideCapability { .. }
            | Self::RemoveKey { .. }
            | Self::RemoveAccount { .. }
            | Self::RemoveAddress { .. }
            | Self::RemoveDomain { .. }
            | Self::Dkim(_)
            | Self::Queue(_)
            | Self::Mail(_) => true,
        }
    }
}

/// What is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Additions {
    /// Domains.
    pub domains: Vec<String>,
    /// Accounts: name and secrets.
    pub accounts: Vec<(String, Vec<SecretText>)>,
    /// Addresses, each with the name of its account.
    pub addresses: Vec<(String, String)>,
    /// Domains, each with the name of the account that gets what is nobody's.
    pub catch_alls: Vec<(String, String)>,
    /// Domains that want CRAM-MD5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cram_md5: Vec<String>,
    /// Aliases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<AliasRow>,
    /// Accounts with quotas of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<(String, Quota)>,
    /// Accounts that are out of use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disabled: Vec<String>,
    /// Accounts' keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<NewKeyRow>,
    /// Accounts, each with a capability that its clients are not told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<(String, String)>,
}

impl Additions {
    /// Whether nothing is to be made.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.domains.is_empty()
            && self.cram_md5.is_empty()
            && self.accounts.is_empty()
            && self.addresses.is_empty()
            && self.catch_alls.is_empty()
            && self.aliases.is_empty()
            && self.quotas.is_empty()
            && self.disabled.is_empty()
            && self.keys.is_empty()
            && self.hidden.is_empty()
    }
}

/// A key to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKeyRow {
    /// The name of its account.
    pub account: String,
    /// As in [`KeyRow`].
    pub fingerprint: String,
    /// As in [`KeyRow`].
    pub label: String,
}

/// How many bytes of messages an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quota {
    /// What the configuration says.
    #[default]
    Default,
    /// Any number.
    None,
    /// So many.
    Bytes(u64),
}

impl From<store::Quota> for Quota {
    fn from(quota: store::Quota) -> Self {
        match quota {
            store::Quota::Default => Self::Default,
            store::Quota::None => Self::None,
            store::Quota::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl From<Quota> for store::Quota {
    fn from(quota: Quota) -> Self {
        match quota {
            Quota::Default => Self::Default,
            Quota::None => Self::None,
            Quota::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// An alias as commands list it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AliasRow {
    /// Its address.
    pub address: String,
    /// Anybody may write to it; otherwise members only.
    pub post_public: bool,
    /// Members may see who the others are.
    pub list_members: bool,
    /// Members may send as the alias.
    pub allow_from: bool,
    /// Their addresses.
    pub members: Vec<String>,
}

impl From<store::AliasInfo> for AliasRow {
    fn from(info: store::AliasInfo) -> Self {
        let address = |(localpart, domain)| Address { localpart, domain }.to_string();
        Self {
            address: address((info.localpart, info.domain)),
            post_public: info.settings.post_public,
            list_members: info.settings.list_members,
            allow_from: info.settings.allow_from,
            members: info.members.into_iter().map(address).collect(),
        }
    }
}

/// What is to be different about an alias.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasChange {
    /// As in [`AliasRow`], where given.
    pub post_public: Option<bool>,
    /// As in [`AliasRow`], where given.
    pub list_members: Option<bool>,
    /// As in [`AliasRow`], where given.
    pub allow_from: Option<bool>,
    /// Addresses of new members.
    pub add: Vec<String>,
    /// Addresses of members no more.
    pub remove: Vec<String>,
}

/// A derived secret as text, see [`secrets::to_text`]. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl SecretText {
    /// As the store keeps it.
    #[must_use]
    pub fn to_stored(&self) -> Option<store::Secret> {
        secrets::from_text(&self.0)
    }
}

impl From<&store::Secret> for SecretText {
    fn from(secret: &store::Secret) -> Self {
        Self(secrets::to_text(secret))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText")
    }
}

/// A line of the answer. The last is not `Progress`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is done.
    Ok(Answer),
    /// It is not done: one line for the user.
    Error(String),
    /// A removal goes on.
    Progress {
        /// How many messages are left.
        messages_left: u64,
    },
}

/// What a command is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// There is nothing more to say.
    Done,
    /// Lines for the user.
    Text(String),
    /// Accounts by name.
    Accounts {
        /// A page of them.
        accounts: Vec<AccountRow>,
        /// There are more.
        more: bool,
    },
    /// Logins and attempts at them.
    Logins {
        /// A page of them.
        logins: Vec<LoginRow>,
        /// There are more.
        more: bool,
    },
    /// Aliases by address.
    Aliases {
        /// A page of them.
        aliases: Vec<AliasRow>,
        /// There are more.
        more: bool,
    },
    /// Keys of a domain.
    DkimKeys(Vec<DkimRow>),
    /// About mail from files.
    Mail(MailAnswer),
    /// What leaves.
    Queued {
        /// A page of it.
        rows: Vec<QueueRow>,
        /// There is more.
        more: bool,
    },
    /// What was tried.
    Tries(Vec<TryRow>),
    /// Addresses to which nothing is sent.
    Suppressed {
        /// A page of them.
        rows: Vec<SuppressedRow>,
        /// There are more.
        more: bool,
    },
    /// Rules by which mail is held.
    Holds(Vec<HoldRow>),
    /// How many were changed.
    Changed(u64),
    /// Domains by name.
    Domains {
        /// A page of them.
        domains: Vec<DomainRow>,
        /// There are more.
        more: bool,
    },
}

/// An account as commands list it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Its name.
    pub name: String,
    /// Its addresses, as they are written.
    pub addresses: Vec<String>,
    /// How many mailboxes it has.
    pub mailboxes: u64,
    /// How many messages lie in them.
    pub messages: u64,
    /// Their size.
    pub bytes: u64,
    /// How many bytes they may have.
    #[serde(default)]
    pub quota: Quota,
    /// It is out of use.
    #[serde(default)]
    pub disabled: bool,
    /// Its keys, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyRow>,
    /// The capabilities that its IMAP clients are not told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// Left out where they were not asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretText>,
}

impl From<store::AccountInfo> for AccountRow {
    fn from(info: store::AccountInfo) -> Self {
        let address = |(localpart, domain)| Address { localpart, domain }.to_string();
        Self {
            name: info.name,
            addresses: info.addresses.into_iter().map(address).collect(),
            mailboxes: info.mailboxes,
            messages: info.messages,
            bytes: info.bytes,
            quota: info.quota.into(),
            disabled: info.disabled,
            keys: info.keys.into_iter().map(Into::into).collect(),
            hidden: info.hidden,
            secrets: info.secrets.iter().map(SecretText::from).collect(),
        }
    }
}

/// A key as commands list it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// The SHA-256 of the public key, in hexadecimal digits.
    pub fingerprint: String,
    /// What its owner calls it.
    pub label: String,
    /// When it was added, in seconds since 1970-01-01T00:00:00Z.
    pub since: i64,
}

impl From<store::AccountKey> for KeyRow {
    fn from(key: store::AccountKey) -> Self {
        let store::AccountKey { fingerprint, label, since } = key;
        Self { fingerprint: Fingerprint(fingerprint).to_string(), label, since: since.0 }
    }
}

/// Logins that are alike, within one hour, as commands list them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRow {
    /// When the last of them was, in seconds since 1970-01-01T00:00:00Z.
    pub last: i64,
    /// `ok`, or why not.
    pub result: String,
    /// How many there were.
    pub count: u64,
    /// Where the last of them came from.
    pub peer: String,
    /// The network that they all came from.
    pub network: String,
    /// The protocol.
    pub protocol: String,
    /// The SASL mechanism.
    pub mechanism: String,
    /// Under TLS.
    pub tls: bool,
    /// The name that the last of them gave.
    pub login: String,
    /// The connection of the last of them, as the log names it.
    pub cid: String,
}

impl From<store::Attempt> for LoginRow {
    fn from(attempt: store::Attempt) -> Self {
        let store::Attempt { account: _, network, protocol, mechanism, tls, result, count, .. } =
            attempt;
        let store::Attempt { last, login, peer, cid, .. } = attempt;
        let last = last.0;
        Self { last, result, count, peer, network, protocol, mechanism, tls, login, cid }
    }
}

/// A domain as commands list it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRow {
    /// Its name.
    pub name: String,
    /// How many addresses it has.
    pub addresses: u64,
    /// The account that gets what is nobody's.
    pub catch_all: Option<String>,
    /// Accounts with an address there may log in with CRAM-MD5.
    #[serde(default)]
    pub cram_md5: bool,
}

impl From<store::DomainInfo> for DomainRow {
    fn from(info: store::DomainInfo) -> Self {
        let store::DomainInfo { name, addresses, catch_all, cram_md5 } = info;
        Self { name, addresses, catch_all, cram_md5 }
    }
}

/// The line of a request, without its end.
///
/// # Errors
/// One line for the user.
pub fn request_line(request: Request) -> Result<String, String> {
    serde_json::to_string(&Envelope { pillarbox: VERSION, request })
        .map_err(|error| error.to_string())
}

/// Reads the line of a request.
///
/// # Errors
/// One line for the user of the command.
pub fn parse_request(line: &str) -> Result<Request, String> {
    let ours = env!("CARGO_PKG_VERSION");
    let Ok(Versioned { pillarbox }) = serde_json::from_str(line) else {
        return Err(format!("that is no request that Pillarbox {ours} understands"));
    };
    if pillarbox != VERSION {
        return Err(format!(
            "the running server is Pillarbox {ours}, the command is of another version: restart \
             the server with the new program, or use the old one"
        ));
    }
    serde_json::from_str(line).map(|Envelope { request, .. }| request).map_err(|_| {
        format!("the running server (Pillarbox {ours}) does not know this command: restart it")
    })
}

/// The line of a reply, without its end.
#[must_use]
pub fn reply_line(reply: &Reply) -> String {
    serde_json::to_string(reply).unwrap_or_else(|_| r#"{"error":"no answer"}"#.into())
}

/// Reads the line of a reply.
///
/// # Errors
/// One line for the user.
pub fn parse_reply(line: &str) -> Result<Reply, String> {
    serde_json::from_str(line).map_err(|_| {
        "the running server is of another version than this command: restart it, or use its own \
         program"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        for request in [
            Request::Metrics,
            Request::Quota { login: "alice".into(), quota: Quota::Bytes(7) },
            Request::RemoveKey { login: "alice".into(), fingerprint: "00".into() },
            Request::ChangeAlias { alias: "a@b".into(), change: AliasChange::default() },
            Request::Accounts { after: "a".into(), secrets: true },
            Request::Add(Additions {
                domains: vec!["example.org".into()],
                accounts: vec![("alice".into(), vec![SecretText("$argon2id$x".into())])],
                ..Additions::default()
            }),
        ] {
            let line = request_line(request.clone()).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(parse_request(&line).unwrap(), request);
        }
        for reply in [
            Reply::Progress { messages_left: 7 },
            Reply::Error("no\nsuch".into()),
            Reply::Ok(Answer::Done),
            Reply::Ok(Answer::Domains { domains: vec![], more: false }),
        ] {
            let line = reply_line(&reply);
            assert!(!line.contains('\n'));
            assert_eq!(parse_reply(&line).unwrap(), reply);
        }
    }

    #[test]
    fn other_versions_are_told_so() {
        let said = |line: &str| parse_request(line).unwrap_err();
        assert!(said("metrics").contains("no request"));
        assert!(said(r#"{"pillarbox":2,"wish":[]}"#).contains("another version"));
        assert!(said(r#"{"pillarbox":1,"request":"fly"}"#).contains("does not know"));
        let more = r#"{"pillarbox":1,"request":{"account":{"login":"a","deep":true}}}"#;
        assert!(said(more).contains("does not know"));
        assert!(parse_reply("unknown request").unwrap_err().contains("another version"));
    }

    #[test]
    fn secrets_do_not_print() {
        let secrets = vec![SecretText("$argon2id$x".into())];
        let request = Request::Password { login: "alice".into(), secrets };
        assert!(!format!("{request:?}").contains("argon2id"));
    }
}
