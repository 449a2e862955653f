//! What the protocol machine has refused by itself, told to the log.

use pillarbox_core::smtp::command::Verb;
use pillarbox_core::smtp::{Event, Fault, Next};

use super::super::letter::Envelope;
use super::SmtpSession;

/// So many bytes of a line are shown.
const SHOWN_MAX: usize = 300;

impl SmtpSession {
    /// `line` is what was read. It is shown where it names a sender or a recipient: any other line
    /// may hold a password, be it a mistyped AUTH.
    pub(super) fn note_refused(&self, fault: Fault, next: &Next<'_>, line: &[u8]) {
        if matches!(next, Next::Event(Event::BodyRefused(_))) {
            // It is told with the whole envelope.
            return;
        }
        let envelope = self.letter.as_ref().map(|letter| &letter.envelope);
        let line = line.trim_ascii_end();
        let shown = match Verb::of(line) {
            Some(Verb::Mail | Verb::Rcpt) => line.get(..SHOWN_MAX).unwrap_or(line),
            _ => &[],
        };
        log::info!(
            cid = self.client.id.as_str(),
            peer:% = self.client.peer,
            from:% = envelope.map(Envelope::sender_text).unwrap_or_default(),
            to:% = envelope.map(Envelope::recipients_text).unwrap_or_default(),
            line:% = String::from_utf8_lossy(shown).escape_debug(),
            code = fault.reply().code().number(),
            why:% = fault;
            "command refused"
        );
    }
}
