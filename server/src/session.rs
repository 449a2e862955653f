//! What the sessions of all protocols have in common: how they end, and the question under way.

use std::future::Future;

use pillarbox_core::flow::Flow;
use pillarbox_core::{Stream, Want};

/// Something the runtime has told that stays true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    No,
    /// There is no room for this connection.
    Full,
    /// The server stops.
    Stop,
    /// The account is not what it was at the login: see [`DISMISSED`].
    Dismissed,
    /// The client will send nothing more.
    Eof,
    /// The client is gone; nothing can be said any more.
    Gone,
}

/// What somebody is told whose account was removed or has a new password.
pub(crate) const DISMISSED: &str = "your account was removed or disabled, or has a new password";

/// The question whose answer is the next reply.
#[derive(Debug)]
pub(crate) struct Question<T> {
    flow: Flow<T>,
    fate: Fate,
}

/// What becomes of a question whose client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was asked for the client alone: it is forgotten.
    WithClient,
    /// It changes what is stored, or holds a file: it is brought to its end, so that nothing is
    /// left behind and those who watch are told.
    ToTheEnd,
}

impl<T> Question<T> {
    pub(crate) fn new(fate: Fate, future: impl Future<Output = T> + 'static) -> Self {
        Self { flow: Flow::new(future), fate }
    }

    pub(crate) fn poll(&mut self) -> Option<T> {
        self.flow.poll()
    }

    pub(crate) fn outlives_client(&self) -> bool {
        self.fate == Fate::ToTheEnd
    }
}

/// The wish of a session whose client is gone while a question is brought to its end.
pub(crate) const WAIT_ALONE: Want =
    Want { read: false, hold: false, deadline: None, stream: Stream::Abort, done: false };
