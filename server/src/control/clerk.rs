//! The machine that carries out commands in a running server, on the server's own lanes.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pillarbox_core::effect::{BoxMachine, Completion, Effect};
use pillarbox_core::flow::{Desk, Flow};
use pillarbox_core::{Input, Io, Machine, Now, Stream, Want};

use super::payload::Cargo;
use super::wire::{Reply, Request};
use crate::accounts::{self, Asker};
use crate::job::{Answer, Job};
use crate::login::Attempts;

/// Where requests wait for the clerk.
#[derive(Debug, Default)]
pub struct Inlet {
    state: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug)]
enum Queue {
    Open(VecDeque<Asked>),
    Closed,
}

impl Default for Queue {
    fn default() -> Self {
        Self::Open(VecDeque::new())
    }
}

/// A request, and where its replies go.
#[derive(Debug)]
pub struct Asked {
    /// What is wanted.
    pub request: Request,
    /// What came behind it.
    pub(crate) cargo: Cargo,
    /// For lines of progress and the end. That nobody hears them any more stops nothing.
    pub replies: Sender<Reply>,
}

impl Inlet {
    /// Lays a request in. Dropped where nobody listens any more, which ends its replies.
    pub fn lay(&self, asked: Asked) {
        if let Queue::Open(waiting) = &mut *self.lock() {
            waiting.push_back(asked);
        }
        self.changed.notify_one();
    }

    /// Waits for the next request; `None` once closed.
    pub(crate) fn wait(&self) -> Option<Asked> {
        let mut state = self.lock();
        loop {
            match &mut *state {
                Queue::Closed => return None,
                Queue::Open(waiting) => {
                    if let Some(asked) = waiting.pop_front() {
                        return Some(asked);
                    }
                }
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes nothing more; what waits is dropped.
    pub(crate) fn close(&self) {
        *self.lock() = Queue::Closed;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries out commands. It begins with what a crash has left of removals.
pub struct Clerk {
    inlet: Arc<Inlet>,
    attempts: Arc<Attempts>,
    desk: Desk<Job>,
    listening: Option<Flow<Option<Asked>>>,
    under_way: Vec<Flow<()>>,
    stopping: Rc<Cell<bool>>,
}

impl Clerk {
    /// A clerk who listens at this inlet, and knows which logins are on their way to the store.
    #[must_use]
    pub(crate) fn machine(inlet: Arc<Inlet>, attempts: Arc<Attempts>) -> BoxMachine<Job> {
        Box::new(Self {
            inlet,
            attempts,
            desk: Desk::default(),
            listening: None,
            under_way: Vec::new(),
            stopping: Rc::default(),
        })
    }

    fn listen(&mut self) {
        let (desk, inlet) = (self.desk.clone(), Arc::clone(&self.inlet));
        self.listening = Some(Flow::new(async move {
            match desk.job("command", Job::Listen(inlet)).await {
                Ok(Answer::Heard(asked)) => asked,
                Ok(_) => None,
                Err(fault) => {
                    log::error!(why:% = fault; "commands are not heard any more");
                    None
                }
            }
        }));
    }

    fn finish_removals(&mut self) {
        let (desk, stopping) = (self.desk.clone(), Rc::clone(&self.stopping));
        self.under_way.push(Flow::new(async move {
            if let Err(error) = accounts::finish_removals(&desk, &|_| {}, &stopping).await {
                log::error!(why:% = error; "the mail of removed accounts cannot be cleared");
            }
        }));
    }

    fn begin(&mut self, asked: Asked, now: Now) {
        let Asked { request, cargo, replies } = asked;
        let (desk, stopping) = (self.desk.clone(), Rc::clone(&self.stopping));
        let attempts = Arc::clone(&self.attempts);
        self.under_way.push(Flow::new(async move {
            let progress = replies.clone();
            let tell = move |messages_left| {
                let _nobody_hears = progress.send(Reply::Progress { messages_left });
            };
            let logins = Box::new(move || attempts.take());
            let asker = Asker { tell: Box::new(tell), stopping, logins, cargo, now: now.wall };
            let reply = match accounts::carry_out(desk, request, asker).await {
                Ok(answer) => Reply::Ok(answer),
                Err(error) => Reply::Error(error),
            };
            let _nobody_hears = replies.send(reply);
        }));
    }
}

impl Machine for Clerk {
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
                self.finish_removals();
                self.listen();
            }
            Input::Done(id, completion) => {
                self.desk.deliver(id, completion);
            }
            Input::Stop => {
                self.stopping.set(true);
                self.inlet.close();
            }
            Input::Bytes | Input::Eof | Input::Drained | Input::Timer | Input::Gone => {}
        }
        while let Some(heard) = self.listening.as_mut().and_then(Flow::poll) {
            self.listening = None;
            if let Some(asked) = heard {
                self.begin(asked, now);
                self.listen();
            }
        }
        self.under_way.retain_mut(|flow| flow.poll().is_none());
        self.desk.take_effects(io.effects);
        Want {
            read: false,
            hold: false,
            deadline: None,
            stream: Stream::Keep,
            done: self.listening.is_none() && self.under_way.is_empty(),
        }
    }
}

impl Drop for Clerk {
    /// However it ends, the lane that listens for it must not wait for ever.
    fn drop(&mut self) {
        self.inlet.close();
    }
}

impl fmt::Debug for Clerk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clerk({} under way)", self.under_way.len())
    }
}

#[cfg(test)]
mod tests;
