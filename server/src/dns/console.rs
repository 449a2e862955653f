//! Flows that ask DNS, driven by a command: no server is needed.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use pillarbox_core::effect::Effect;
use pillarbox_core::flow::{Desk, Flow};
use pillarbox_runtime_std::exchange::{Exchanges, Question};
use pillarbox_runtime_std::lanes::ReplyTo;
use pillarbox_runtime_std::mailbox::Mailbox;

use crate::job::Job;

/// Polls a flow until its end, and carries out its exchanges, side by side.
///
/// # Errors
/// One line for the user: the system gives no thread, or the flow wants more than exchanges.
pub(crate) fn drive<T>(desk: &Desk<Job>, mut flow: Flow<T>) -> Result<T, String> {
    let exchanges = Exchanges::begin().map_err(|error| error.to_string())?;
    let mailbox = Arc::new(Mailbox::new(0));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut open = 0_usize;
    let result = loop {
        if let Some(result) = flow.poll() {
            break Ok(result);
        }
        let mut effects = Vec::new();
        desk.take_effects(&mut effects);
        for (id, effect) in effects {
            let Effect::Exchange { over, to, question, answer_max, within } = effect else {
                continue;
            };
            let until = Instant::now() + within;
            let reply_to = ReplyTo { mailbox: Arc::clone(&mailbox), id };
            exchanges.ask(Question { over, to, bytes: question, answer_max, until, reply_to });
            open += 1;
        }
        if open == 0 {
            break Err("our own mistake: a command waits for nothing".into());
        }
        while mailbox.arm(&waker) {
            thread::park();
        }
        for (id, completion) in mailbox.take().unwrap_or_default().answers {
            open = open.saturating_sub(1);
            desk.deliver(id, completion);
        }
    };
    exchanges.close();
    result
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
