//! How much of each thing a peer may send. Each limit says what happens one past it.

/// The limits of one session and of the messages in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in a command line, its CRLF included. A longer one gets `500` and is skipped.
    ///
    /// RFC 5321 §4.5.3.1.4 asks for 512, and each extension adds some (SMTPUTF8 and AUTH together
    /// some 500). The default is generous: 2,048.
    pub command_line_max: usize,
    /// Bytes in a line of an AUTH exchange, its CRLF included; AUTH itself counts as one. A longer
    /// one gets `500` and cancels. Default: 12,288 (RFC 4954 §4).
    pub auth_line_max: usize,
    /// Bytes in a line of a message, its CRLF included and a doubled dot not. A message with a
    /// longer one gets `554` at its end.
    ///
    /// RFC 5321 §4.5.3.1.6 asks for 1,000, and real senders pass that. Default: 1 MiB.
    pub text_line_max: usize,
    /// Bytes in a message, counted as RFC 1870 §5 says: with CRLF, without doubled dots. A larger
    /// one gets `552` at once where MAIL declares it, else at its end. Default: 50 MiB.
    pub message_bytes_max: u64,
    /// Accepted recipients in one transaction; a further one gets `452`
    /// (RFC 5321 §4.5.3.1.10). In LMTP so many replies at most, of 512 bytes at most if they have
    /// one line, are written at once. Default: 1,000.
    pub recipients_max: usize,
    /// Accepted MAIL commands in one connection; a further one gets `421`. Default: 100,000.
    pub transactions_max: usize,
    /// Commands that were no use (unknown, malformed, out of order) since the last accepted
    /// message; a further one gets `421`. Default: 20.
    pub bad_commands_max: usize,
    /// Bytes in a local part as it is meant, quotes and backslashes not counted. A longer one gets
    /// `501`. RFC 5321 §4.5.3.1.1 asks for 64. Default: 128.
    pub localpart_max: usize,
    /// Bytes in a domain or address literal. A longer one gets `501`.
    /// Default: 255 (RFC 5321 §4.5.3.1.2).
    pub domain_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line_max: 2_048,
            auth_line_max: 12_288,
            text_line_max: 1 << 20,
            message_bytes_max: 50 << 20,
            recipients_max: 1_000,
            transactions_max: 100_000,
            bad_commands_max: 20,
            localpart_max: 128,
            domain_max: 255,
        }
    }
}

/// The smallest inbox that a server machine works with: no line limit may be above it, since a
/// line stays in the inbox until it is whole.
pub const INBOX_BYTES_MIN: usize = 65_536;
