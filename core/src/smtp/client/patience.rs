//! How long each answer is waited for.

use std::time::Duration;

/// How long each answer is waited for, from the command or the answer before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The greeting. Default: 5 minutes (RFC 5321 §4.5.3.2.1).
    pub greeting: Duration,
    /// MAIL, RCPT and all others. Default: 5 minutes (RFC 5321 §4.5.3.2.2, §4.5.3.2.3).
    pub command: Duration,
    /// DATA. Default: 2 minutes (RFC 5321 §4.5.3.2.4).
    pub data: Duration,
    /// A piece of the message to leave, or a chunk to be answered. Default: 3 minutes
    /// (RFC 5321 §4.5.3.2.5).
    pub block: Duration,
    /// The whole message. Default: 10 minutes (RFC 5321 §4.5.3.2.6).
    pub message: Duration,
    /// QUIT. Default: 10 seconds; nothing depends on it.
    pub quit: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(300),
            command: Duration::from_secs(300),
            data: Duration::from_secs(120),
            block: Duration::from_secs(180),
            message: Duration::from_secs(600),
            quit: Duration::from_secs(10),
        }
    }
}
