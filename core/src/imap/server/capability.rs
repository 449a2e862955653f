//! What is announced (RFC 3501 §6.1.1, §7.2.1), in which state.

use super::{PLAIN, Server, Standing};
use crate::Outbox;
use crate::imap::response;

/// What is served in every state.
pub(super) const SERVED: &[&str] = &[
    "IMAP4rev1",
    "IMAP4rev2",
    "UTF8=ACCEPT",
    "LITERAL+",
    "ID",
    "ENABLE",
    "CONDSTORE",
    "QRESYNC",
    "IDLE",
    "NAMESPACE",
    "CHILDREN",
    "UNSELECT",
    "UIDPLUS",
    "MOVE",
    "ESEARCH",
    "SEARCHRES",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "THREAD=REFS",
    "PARTIAL",
    "WITHIN",
    "STATUS=SIZE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "SPECIAL-USE",
    "BINARY",
    "INPROGRESS",
    "PREVIEW",
    "MULTIAPPEND",
    "REPLACE",
    "CREATE-SPECIAL-USE",
    "SAVEDATE",
    "OBJECTID",
    "QUOTA",
    "QUOTA=RES-STORAGE",
];

const COMPRESS: &str = "COMPRESS=DEFLATE";

/// Whether a client can be spared a capability of this name, in any case ([`Server::hide`]): all
/// that may be announced but IMAP4rev1, and what is about logging in.
#[must_use]
pub fn can_be_hidden(name: &str) -> bool {
    let others = ["APPENDLIMIT", COMPRESS];
    let mut known = SERVED.iter().copied().filter(|name| *name != "IMAP4rev1").chain(others);
    known.any(|known| known.eq_ignore_ascii_case(name))
}

impl Server {
    /// What is offered in this state: after login nothing about logging in. Each has a space in
    /// front of it, but for the first.
    pub(super) fn capabilities(&self, out: &mut Outbox) {
        for name in SERVED.iter().filter(|name| !self.hides(name)) {
            if *name != "IMAP4rev1" {
                out.push(b" ");
            }
            out.push(name.as_bytes());
        }
        if !self.hides("APPENDLIMIT") {
            out.push(b" APPENDLIMIT=");
            response::decimal(self.append_bytes_max().into(), out);
        }
        if self.standing == Standing::NotAuthenticated {
            self.login_capabilities(out);
        } else if !self.compressed && !self.hides(COMPRESS) {
            // RFC 4978 §5: a command of those who have logged in.
            out.push(b" ");
            out.push(COMPRESS.as_bytes());
        }
    }

    /// What is about logging in.
    fn login_capabilities(&self, out: &mut Outbox) {
        if self.config.starttls && !self.tls {
            out.push(b" STARTTLS");
        }
        for (index, mechanism) in self.config.offered(self.tls).enumerate() {
            if index == 0 {
                out.push(b" SASL-IR");
            }
            out.push(b" AUTH=");
            out.push(mechanism.as_bytes());
        }
        if !self.config.offers(PLAIN, self.tls) {
            out.push(b" LOGINDISABLED");
        }
    }

    /// Whether this client is not told of a capability. IMAP4rev1 cannot be hidden.
    fn hides(&self, name: &str) -> bool {
        name != "IMAP4rev1" && self.hidden.iter().any(|hidden| hidden.eq_ignore_ascii_case(name))
    }
}
