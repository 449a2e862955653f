//! What the sessions of one listener have in common.

/// What is the same for all sessions of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The text of the greeting.
    pub greeting: String,
    /// What the program is called, as ID tells it (RFC 2971).
    pub software: String,
    /// Whether STARTTLS is offered.
    pub starttls: bool,
    /// The SASL mechanisms offered with TLS and without, in capitals. The command LOGIN sends a
    /// password as PLAIN does, and is offered where PLAIN is.
    pub mechanisms: Vec<String>,
    /// The SASL mechanisms offered under TLS only.
    pub mechanisms_under_tls: Vec<String>,
    /// The longest command in bytes, its literals included, but for the message of APPEND.
    pub command_bytes_max: usize,
    /// The longest line in answer to a challenge, in bytes of base64.
    pub auth_bytes_max: usize,
    /// The largest message of APPEND, in bytes. It is announced (RFC 7889 §2), and there are
    /// clients that take a number above 32 bits for 0.
    pub append_bytes_max: u32,
    /// After this many commands answered with BAD, without a good one between them, the session
    /// ends.
    pub bad_commands_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            greeting: "IMAP4rev1 at your service".to_owned(),
            software: "Pillarbox".to_owned(),
            starttls: false,
            mechanisms: Vec::new(),
            mechanisms_under_tls: vec!["PLAIN".to_owned()],
            command_bytes_max: 64 * 1024,
            auth_bytes_max: 12 * 1024,
            append_bytes_max: 64 * 1024 * 1024,
            bad_commands_max: 10,
        }
    }
}

impl Config {
    /// The mechanisms offered with or without TLS. Those that need it come first: some bind to the
    /// channel, and there are clients that take the first one that they know.
    pub(super) fn offered(&self, tls: bool) -> impl Iterator<Item = &str> {
        let only_under_tls = tls.then_some(&self.mechanisms_under_tls);
        only_under_tls.into_iter().flatten().chain(&self.mechanisms).map(String::as_str)
    }

    /// Whether a mechanism, in capitals, is offered.
    pub(super) fn offers(&self, mechanism: &str, tls: bool) -> bool {
        self.offered(tls).any(|ours| ours == mechanism)
    }
}
