//! A client and its place: whether it is connected, and when it wants to be.

use std::time::Duration;

use super::house::ConnId;
use super::ledger::Ledger;
use super::reader::ImapReader;
use super::sender::Sender;

/// A client of either kind.
#[derive(Debug)]
pub(super) enum Client {
    /// Speaks SMTP.
    Sender(Sender),
    /// Speaks IMAP.
    Reader(Box<ImapReader>),
}

/// A client and when it wants to connect.
#[derive(Debug)]
pub(super) struct Seat {
    /// Who.
    pub(super) client: Client,
    /// Its connection.
    pub(super) conn: Option<ConnId>,
    /// It does not connect earlier.
    pub(super) not_before: Duration,
}

impl Seat {
    pub(super) fn wants_connection(&self, may_act: bool) -> bool {
        self.conn.is_none()
            && match &self.client {
                Client::Sender(sender) => !sender.todo.is_empty(),
                Client::Reader(_) => may_act || !self.is_done(),
            }
    }

    pub(super) fn wants_to_act(&self, may_act: bool) -> bool {
        match &self.client {
            Client::Reader(reader) => (reader.is_quiet() && may_act) || reader.is_idle(),
            Client::Sender(_) => false,
        }
    }

    /// Whether it has done what it wanted, and waits for no answer.
    #[must_use]
    pub(super) fn is_done(&self) -> bool {
        match &self.client {
            Client::Sender(sender) => sender.todo.is_empty() && self.conn.is_none(),
            Client::Reader(reader) => self.conn.is_some() && reader.is_quiet(),
        }
    }

    pub(super) fn lost(&mut self, ledger: &mut Ledger) {
        self.conn = None;
        match &mut self.client {
            Client::Sender(sender) => sender.lost(ledger),
            Client::Reader(reader) => reader.lost(ledger),
        }
    }
}
