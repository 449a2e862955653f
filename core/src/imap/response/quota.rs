//! What quotas are told as (RFC 9208 §4.2).

use super::{MailboxName, Sink, Spelling, decimal, mailbox};

/// The one quota root that there is: all mailboxes of an account.
const ROOT: &[u8] = b"\"\"";

/// `* QUOTAROOT mailbox ""`.
pub fn quota_root(name: &MailboxName, spelling: Spelling, out: &mut impl Sink) {
    out.put(b"* QUOTAROOT ");
    mailbox(name, spelling, out);
    out.put(b" ");
    out.put(ROOT);
    out.put(b"\r\n");
}

/// `* QUOTA "" (STORAGE used limit)`: how many bytes of mail there are and may be, told in units of
/// 1,024 (RFC 9208 §5.1), of which one that is begun counts; nothing where there is no limit.
///
/// ```
/// use pillarbox_core::imap::response::quota;
/// let mut out = Vec::new();
/// quota(Some((10_240, 524_288)), &mut out);
/// quota(None, &mut out);
/// assert_eq!(out, b"* QUOTA \"\" (STORAGE 10 512)\r\n* QUOTA \"\" ()\r\n");
/// ```
pub fn quota(storage: Option<(u64, u64)>, out: &mut impl Sink) {
    out.put(b"* QUOTA ");
    out.put(ROOT);
    out.put(b" (");
    if let Some((used, limit)) = storage {
        out.put(b"STORAGE ");
        decimal(used.div_ceil(UNIT), out);
        out.put(b" ");
        decimal(limit.div_ceil(UNIT), out);
    }
    out.put(b")\r\n");
}

const UNIT: u64 = 1_024;
