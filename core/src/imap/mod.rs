//! IMAP (RFC 9051, RFC 3501): framing, grammar, the server machine and the view of a mailbox.
