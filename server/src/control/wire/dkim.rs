//! What is said about the keys by which domains sign.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A request about a domain's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum DkimRequest {
    /// All keys of a domain.
    List {
        /// Whose.
        domain: String,
    },
    /// Add a key.
    Add {
        /// To which domain.
        domain: String,
        /// By which name.
        selector: String,
        /// The private key.
        key: PrivateKey,
        /// Mail is signed with it at once.
        signs: bool,
    },
    /// Sign mail with a key, or no longer.
    Sign {
        /// Of which domain.
        domain: String,
        /// Which key.
        selector: String,
        /// It is.
        on: bool,
    },
    /// Take a key away for good.
    Remove {
        /// From which domain.
        domain: String,
        /// Which key.
        selector: String,
    },
}

/// A private key in PKCS#8: DER in base64. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrivateKey(pub String);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

/// A key as commands list it. The private half is never told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimRow {
    /// Whose.
    pub domain: String,
    /// By which name.
    pub selector: String,
    /// `rsa-sha256` or `ed25519-sha256`.
    pub algorithm: String,
    /// When it was added, in seconds since 1970.
    pub since: i64,
    /// Mail is signed with it.
    pub signs: bool,
    /// The TXT record that is to stand in DNS.
    pub record: String,
}
