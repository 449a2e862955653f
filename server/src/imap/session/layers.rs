//! What may lie around a session: TLS and compression.

use pillarbox_core::compression::Compresses;
use pillarbox_core::connection::Session;
use pillarbox_core::tls::{Agreed, TlsError};

use super::ImapSession;

impl Compresses for ImapSession {
    fn takes_compression(&mut self) -> bool {
        let takes = std::mem::take(&mut self.takes_compression);
        if takes && let Err(misuse) = self.imap.compression_started() {
            log::error!(cid = self.id.as_str(), why:% = misuse; "our own mistake");
        }
        takes
    }

    fn compression_failed(&mut self) {
        log::info!(cid = self.id.as_str(), peer:% = self.peer; "what came is not compressed data");
    }
}

impl Session for ImapSession {
    fn takes_tls(&mut self) -> bool {
        std::mem::take(&mut self.takes_tls)
    }

    fn secured(&mut self, agreed: Agreed) {
        self.context.counters.tls_handshakes.count();
        self.tls = true;
        log::debug!(cid = self.id.as_str(), version = agreed.version; "tls");
        self.bindings = Some(Box::new(agreed.bindings));
        if let Err(misuse) = self.imap.tls_started() {
            log::error!(cid = self.id.as_str(), why:% = misuse; "our own mistake");
        }
    }

    fn tls_failed(&mut self, error: &TlsError) {
        self.context.counters.tls_failures.count();
        log::info!(cid = self.id.as_str(), peer:% = self.peer, why:% = error; "tls failed");
    }
}
