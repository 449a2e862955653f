//! Where answers wait for a machine.
//!
//! Any thread may [`post`](Mailbox::post). The machine's own thread or task
//! [`take`](Mailbox::take)s what is there, and before it waits it [`arm`](Mailbox::arm)s the
//! mailbox with a [`Waker`]: a task's own in an asynchronous runtime, a [`Bell`](crate::Bell)'s on
//! a thread. A busy owner is not armed, and posting to it costs no system call.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;
use std::task::Waker;

use pillarbox_core::EffectId;
use pillarbox_core::effect::{Completion, Job};

use crate::lock::lock;
use crate::stop::Stopping;

/// The mailbox of one machine.
///
/// Its bound is the machine's own: it holds at most one answer for each effect that the machine
/// has asked for, and one notice for each watch.
pub struct Mailbox<J: Job> {
    number: u64,
    state: Mutex<State<J>>,
}

struct State<J: Job> {
    letters: Letters<J>,
    /// Nobody will take anything any more.
    closed: bool,
    /// Woken, and forgotten, by the next that comes.
    waker: Option<Waker>,
}

/// What was taken from a mailbox.
pub struct Letters<J: Job> {
    /// In the order in which they came.
    pub answers: Vec<(EffectId, Completion<J>)>,
    /// The watches that were notified, each once.
    pub notices: BTreeSet<EffectId>,
    /// How far the server's stop has gone.
    pub stop: Stopping,
}

impl<J: Job> Default for Letters<J> {
    fn default() -> Self {
        Self { answers: Vec::new(), notices: BTreeSet::new(), stop: Stopping::No }
    }
}

impl<J: Job> Letters<J> {
    fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.notices.is_empty() && self.stop == Stopping::No
    }
}

impl<J: Job> Mailbox<J> {
    /// An empty mailbox. The number tells it from all others of its server.
    #[must_use]
    pub fn new(number: u64) -> Self {
        let state = State { letters: Letters::default(), closed: false, waker: None };
        Self { number, state: Mutex::new(state) }
    }

    /// What tells it from all others of its server.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Lays an answer in. Dropped where the machine has gone.
    pub fn post(&self, id: EffectId, completion: Completion<J>) {
        self.put(move |letters| {
            letters.answers.push((id, completion));
            true
        });
    }

    /// Says that the watch of this id was notified. One that still lies there is not told twice.
    pub fn notice(&self, id: EffectId) {
        self.put(|letters| letters.notices.insert(id));
    }

    /// Says how far the server's stop has gone.
    pub fn stop(&self, stop: Stopping) {
        self.put(|letters| {
            letters.stop = letters.stop.max(stop);
            true
        });
    }

    /// Takes all that is there.
    #[must_use]
    pub fn take(&self) -> Option<Letters<J>> {
        let mut state = lock(&self.state);
        if state.letters.is_empty() { None } else { Some(std::mem::take(&mut state.letters)) }
    }

    /// Asks to be woken by the next that comes, once. False if something is there already: then
    /// nobody is woken, and there is no need to wait.
    #[must_use]
    pub fn arm(&self, waker: &Waker) -> bool {
        let mut state = lock(&self.state);
        if !state.letters.is_empty() {
            return false;
        }
        match &mut state.waker {
            Some(armed) => armed.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        true
    }

    /// Drops what is there and all that comes later.
    pub fn close(&self) {
        let dropped = {
            let mut state = lock(&self.state);
            state.closed = true;
            (std::mem::take(&mut state.letters), state.waker.take())
        };
        // Outside the lock: an answer's destructor is the application's code.
        drop(dropped);
    }

    fn put(&self, put: impl FnOnce(&mut Letters<J>) -> bool) {
        let mut state = lock(&self.state);
        if state.closed || !put(&mut state.letters) {
            return;
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<J: Job> fmt::Debug for Mailbox<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers = lock(&self.state).letters.answers.len();
        write!(f, "Mailbox({}, {answers} answers)", self.number)
    }
}

impl<J: Job> fmt::Debug for Letters<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (answers, notices) = (self.answers.len(), self.notices.len());
        write!(f, "Letters({answers} answers, {notices} notices, stop {:?})", self.stop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use pillarbox_core::effect::{Lane, Topic};

    use super::*;
    use crate::topics::Topics;

    struct Nothing;
    impl Job for Nothing {
        type Answer = ();
        fn lane(&self) -> Lane {
            Lane::Read
        }
    }

    #[derive(Default)]
    struct Counting(AtomicUsize);
    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn an_armed_mailbox_wakes_once() {
        let counting = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&counting));
        let mailbox = Mailbox::<Nothing>::new(0);
        mailbox.post(EffectId(1), Completion::Noticed);
        assert!(!mailbox.arm(&waker));
        assert_eq!(mailbox.take().unwrap().answers.len(), 1);
        assert!(mailbox.take().is_none());
        assert!(mailbox.arm(&waker));
        assert!(mailbox.arm(&waker));
        mailbox.notice(EffectId(2));
        mailbox.notice(EffectId(3));
        assert_eq!(counting.0.load(Ordering::Relaxed), 1);
        mailbox.close();
        assert!(mailbox.arm(&waker));
        mailbox.post(EffectId(1), Completion::Noticed);
        assert!(mailbox.take().is_none());
        assert_eq!(counting.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_notice_not_yet_taken_is_not_told_twice() {
        let topics = Topics::default();
        let mailbox = Arc::new(Mailbox::<Nothing>::new(0));
        topics.watch(Topic(1), EffectId(10), &mailbox);
        topics.watch(Topic(1), EffectId(11), &mailbox);
        topics.notify(Topic(1));
        topics.notify(Topic(1));
        let notices = mailbox.take().unwrap().notices;
        assert_eq!(Vec::from_iter(notices), [EffectId(10), EffectId(11)]);
        topics.release(Topic(1), EffectId(10), &mailbox);
        topics.notify(Topic(1));
        assert_eq!(Vec::from_iter(mailbox.take().unwrap().notices), [EffectId(11)]);
        topics.release(Topic(1), EffectId(11), &mailbox);
        topics.notify(Topic(1));
        assert!(mailbox.take().is_none());
        assert_eq!(topics.count(), 0);
    }
}
