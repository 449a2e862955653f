//! APPEND and REPLACE: the messages that come, until they are stored.

use pillarbox_core::imap::command::{Append, AppendMessage};
use pillarbox_core::{Outbox, UnixSeconds};

use super::{ImapSession, Outcome, settle};
use crate::imap::append;
use crate::imap::commands::{self, Answer};
use crate::session::{Fate, Question};

impl ImapSession {
    pub(super) fn on_append(&mut self, append: Append, out: &mut Outbox) {
        let Some(tools) = self.tools() else {
            self.finish(&Answer::bad("log in first"), out);
            return;
        };
        // What the number means is settled now: nothing is told before the command ends.
        let named = append.replaces.as_ref().zip(self.open.as_ref());
        let replaces = match named.map(|(set, open)| open.only(set)) {
            None => None,
            Some(Ok(Some(replaced))) => Some(replaced),
            Some(Ok(None)) => return self.finish(&append::gone(), out),
            Some(Err(_)) => return self.finish(&commands::no_such_message(), out),
        };
        self.flow = Some(Question::new(Fate::WithClient, async move {
            Outcome::AppendBegun(append::begin(&tools, append, replaces).await)
        }));
    }

    pub(super) fn on_append_next(&mut self, message: AppendMessage) {
        let (Some(tools), Some(filing)) = (self.tools(), self.filing.take()) else { return };
        let mut random = self.context.random();
        self.flow = Some(Question::new(Fate::ToTheEnd, async move {
            Outcome::AppendBegun(append::next(&tools, random.as_mut(), *filing, message).await)
        }));
    }

    pub(super) fn on_append_end(&mut self, now: UnixSeconds) {
        let (Some(tools), Some(filing)) = (self.tools(), self.filing.take()) else { return };
        let mut random = self.context.random();
        let open = self.open.take();
        self.flow = Some(Question::new(Fate::ToTheEnd, async move {
            let ended = append::end(&tools, random.as_mut(), *filing, now).await;
            // RFC 3501 §6.3.11: if the mailbox is the selected one, its client is told.
            settle(tools, open, true, ended).await
        }));
    }

    /// Writes a piece of a large message out; nothing more of it is read meanwhile.
    pub(super) fn write_out(&mut self) {
        let Some(filing) = &mut self.filing else { return };
        let spool = std::mem::take(&mut filing.spool);
        let (desk, mut random) = (self.desk.clone(), self.context.random());
        self.flow = Some(Question::new(Fate::ToTheEnd, async move {
            let (spool, result) = spool.write_out(desk, random.as_mut()).await;
            Outcome::Spooled(spool, result)
        }));
    }
}
