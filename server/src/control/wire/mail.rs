//! What is said about mail from files.

use serde::{Deserialize, Serialize};

/// A request about an account's mail from files. A *run* is a number that no other import has; a
/// *key* is the same whenever a message comes from the same file for the same mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum MailRequest {
    /// Which of these have not been imported yet? Answer: [`MailAnswer::Wanted`].
    Meet {
        /// Whose.
        login: String,
        /// The import.
        run: i64,
        /// Each key is that of one message, however often it is met.
        once: bool,
        /// Of the messages.
        keys: Vec<[u8; 16]>,
    },
    /// Put messages into a mailbox, which is made if it is not there. Behind the request they come
    /// themselves, see `control::payload`. Answer: [`MailAnswer::Imported`].
    Import {
        /// Whose.
        login: String,
        /// The import.
        run: i64,
        /// The mailbox's name in UTF-8. One of the names that other programs give to the mailbox
        /// for sent mail, say, means that mailbox.
        mailbox: String,
        /// All of them were met, and are wanted.
        met: bool,
        /// In their order.
        messages: Vec<MessageRow>,
    },
    /// Forget what was imported. Answer: [`MailAnswer::Forgotten`].
    Forget {
        /// Whose.
        login: String,
    },
}

/// What is known of a message beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageRow {
    /// Bits as in the store's `Flags`: system flags only.
    pub flags: u64,
    /// By name.
    pub keywords: Vec<String>,
    /// INTERNALDATE, in seconds since 1970-01-01T00:00:00Z.
    pub date: i64,
}

/// The answer to a [`MailRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailAnswer {
    /// Whether each is wanted.
    Wanted(Vec<bool>),
    /// How many of them were put into the mailbox.
    Imported {
        /// Those that were not there already.
        new: u64,
    },
    /// How many were remembered.
    Forgotten(u64),
}
