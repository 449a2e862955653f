//! The machine that brings logins and attempts at them, and what was found of messages for reports,
//! to the store: some seconds after the first
//! that waits, so that those of these seconds are one commit; and what waits at the server's stop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_core::effect::{BoxMachine, Completion, Effect, Topic};
use pillarbox_core::flow::{Desk, Flow};
use pillarbox_core::{Input, Io, Machine, Moment, Now, Stream, UnixSeconds, Want};
use pillarbox_store::Write;

use crate::job::{self, Job};
use crate::login::Attempts;
use crate::smtp::Seen;

/// The topic by which sessions tell the scribe that something waits. No mailbox and no account has
/// it: those begin with 1.
pub(crate) const TOPIC: Topic = Topic(0);

/// Keeps the list of logins.
pub(crate) struct Scribe {
    attempts: Arc<Attempts>,
    seen: Arc<Seen>,
    desk: Desk<Job>,
    writing: Option<Flow<()>>,
    /// When what waits is to be written.
    due: Option<Moment>,
    stopping: bool,
}

impl Scribe {
    /// The scribe of these attempts, and of what is found of messages.
    #[must_use]
    pub(crate) fn machine(attempts: Arc<Attempts>, seen: Arc<Seen>) -> BoxMachine<Job> {
        let desk = Desk::default();
        Box::new(Self { attempts, seen, desk, writing: None, due: None, stopping: false })
    }

    /// Also forgets what is old, so it is done without anything to write too.
    fn write(&mut self, now: UnixSeconds) {
        self.due = None;
        let (desk, attempts, dmarc) = (self.desk.clone(), self.attempts.take(), self.seen.take());
        self.writing = Some(Flow::new(async move {
            let write = Write::Note { attempts, dmarc, now };
            if let Err(error) = job::write(&desk, "logins", write).await {
                log::error!(why:% = error; "logins and findings could not be kept");
            }
        }));
    }
}

impl Machine for Scribe {
    type Effect = Effect<Job>;
    type Completion = Completion<Job>;

    fn step(
        &mut self,
        now: Now,
        input: Input<Completion<Job>>,
        io: &mut Io<'_, Effect<Job>>,
    ) -> Want {
        match input {
            Input::Start => {
                self.desk.send(Effect::Watch(TOPIC));
                self.write(now.wall);
            }
            Input::Done(_, Completion::Noticed) => {
                self.due = self.due.or(Some(now.moment + WAIT));
            }
            Input::Done(id, completion) => {
                self.desk.deliver(id, completion);
            }
            Input::Stop => (self.stopping, self.due) = (true, Some(now.moment)),
            Input::Bytes | Input::Eof | Input::Drained | Input::Timer | Input::Gone => {}
        }
        if self.writing.as_mut().is_some_and(|writing| writing.poll().is_some()) {
            self.writing = None;
        }
        if self.writing.is_none() && self.due.is_some_and(|due| due <= now.moment) {
            self.write(now.wall);
            // It is asked for by the first look at it.
            if self.writing.as_mut().is_some_and(|writing| writing.poll().is_some()) {
                self.writing = None;
            }
        }
        self.desk.take_effects(io.effects);
        Want {
            read: false,
            hold: false,
            deadline: self.due.filter(|_| self.writing.is_none()),
            stream: Stream::Keep,
            done: self.stopping && self.writing.is_none() && self.due.is_none(),
        }
    }
}

impl fmt::Debug for Scribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scribe(due {:?})", self.due)
    }
}

/// How long an attempt may wait for others.
const WAIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
