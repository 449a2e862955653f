//! What is said about mail that leaves.

use serde::{Deserialize, Serialize};

/// A request about mail that leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum QueueRequest {
    /// What waits or has left, a page of it. Answer: `Queued`.
    List {
        /// Which.
        filter: QueueFilter,
        /// Those behind this id.
        after: i64,
    },
    /// What was tried for one recipient. Answer: `Tries`.
    Tries {
        /// Which.
        id: i64,
    },
    /// Change what waits. Answer: `Changed`.
    Change {
        /// Which.
        filter: QueueFilter,
        /// How.
        change: QueueChange,
    },
    /// Addresses to which nothing of an account's is sent any more. Answer: `Suppressed`.
    Suppressed {
        /// Whose.
        account: String,
        /// Those behind this one.
        after: String,
    },
    /// Send nothing of an account's to an address. Answer: `Done`.
    Suppress {
        /// Whose.
        account: String,
        /// To whom.
        address: String,
    },
    /// Send there again. Answer: `Done`.
    Allow {
        /// Whose.
        account: String,
        /// To whom.
        address: String,
    },
    /// Rules by which mail is held. Answer: `Holds`.
    Holds,
    /// Hold what enters from now on. Answer: `Done`.
    AddHold(HoldRow),
    /// Hold that no longer. Answer: `Done`.
    RemoveHold {
        /// Which rule.
        id: i64,
    },
}

/// Which recipients are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueFilter {
    /// These; all where it is empty.
    pub ids: Vec<i64>,
    /// Submitted by this account: a name or an address.
    pub account: Option<String>,
    /// From this address or domain.
    pub from: Option<String>,
    /// To this address or domain.
    pub to: Option<String>,
    /// With this Message-ID.
    pub message_id: Option<String>,
    /// In these states; any where it is empty.
    pub states: Vec<State>,
}

/// How it stands with a recipient's copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It waits for its next attempt, or is being tried.
    Waiting,
    /// It waits until somebody lets it go.
    Held,
    /// The server has it.
    Delivered,
    /// Nobody got it.
    Failed,
    /// Somebody took it out.
    Dropped,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Held, Self::Delivered, Self::Failed, Self::Dropped];

    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// What is done with what waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueChange {
    /// It waits until it is let go.
    Hold,
    /// It is tried when it is due.
    Release,
    /// It is tried in so many seconds.
    Retry(i64),
    /// It goes by this way; `None`: as the rules say.
    Transport(Option<String>),
    /// It goes only where TLS is verified and stays so, or as usual.
    RequireTls(bool),
    /// It goes back to whoever sent it, with this reason.
    Fail(String),
    /// It is taken out, and nobody is told.
    Drop,
}

/// A recipient's copy as commands list it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRow {
    /// Which; never means another one.
    pub id: i64,
    /// The message; recipients of one share it.
    pub message: i64,
    /// How it stands.
    pub state: State,
    /// The reverse path; empty for the null sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// Without angle brackets.
    pub message_id: String,
    /// The connection by which it came, as the log names it.
    pub cid: String,
    /// In bytes.
    pub size: u64,
    /// When it came, in seconds since 1970.
    pub since: i64,
    /// When it is tried next; when it ended, where it has.
    pub next: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// By which way it has to go, where somebody has said so.
    pub transport: Option<String>,
    /// What came of it last.
    pub said: String,
}

/// An attempt as commands show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TryRow {
    /// When it began, in seconds since 1970.
    pub began: i64,
    /// The server's name.
    pub server: String,
    /// Its address and port.
    pub address: String,
    /// How it was protected.
    pub tls: String,
    /// What came of it.
    pub said: String,
    /// What was said, line by line.
    pub transcript: String,
}

/// An address to which nothing of an account's is sent any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressedRow {
    /// Which.
    pub address: String,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// What was said.
    pub reason: String,
}

/// A rule by which mail is held. What is missing fits all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HoldRow {
    /// Which rule.
    pub id: i64,
    /// Submitted by this account.
    pub account: Option<String>,
    /// From this domain.
    pub from: Option<String>,
    /// To this domain.
    pub to: Option<String>,
}
