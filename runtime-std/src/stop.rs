//! How a server ends: first asked, then told.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pillarbox_core::effect::Job;

use crate::lock::lock;
use crate::mailbox::Mailbox;

/// How far the stop has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stopping {
    /// Not stopping.
    #[default]
    No,
    /// Nothing new is begun; what is begun may end within the grace.
    Graceful,
    /// All is dropped.
    Now,
}

/// Stops the servers that run with it. All clones are one; any thread may use it.
#[derive(Debug, Clone, Default)]
pub struct Stopper(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    stopping: Mutex<Stopping>,
    /// The stop went further, or a machine has ended meanwhile.
    changed: Condvar,
}

impl Stopper {
    /// Nothing is stopped yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops in good order: no new connection, `Input::Stop` to each machine; what is still there
    /// after `Limits::stop_grace` is dropped.
    pub fn stop(&self) {
        self.raise(Stopping::Graceful);
    }

    /// Drops every machine at once. Jobs that are queued already are still carried out.
    pub fn stop_now(&self) {
        self.raise(Stopping::Now);
    }

    /// How far the stop has gone.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        *lock(&self.0.stopping)
    }

    fn raise(&self, to: Stopping) {
        let mut stopping = lock(&self.0.stopping);
        *stopping = to.max(*stopping);
        drop(stopping);
        self.0.changed.notify_all();
    }

    /// Waits until `enough` holds, or no longer than to `until`.
    fn wait(&self, until: Option<Instant>, mut enough: impl FnMut(Stopping) -> bool) {
        let mut stopping = lock(&self.0.stopping);
        while !enough(*stopping) {
            let left = until.map_or(Duration::MAX, |until| until.duration_since(Instant::now()));
            if left.is_zero() {
                return;
            }
            stopping = wait(&self.0.changed, stopping, left.min(LONGEST_WAIT));
        }
    }
}

/// All machines and accepting loops of one server, so that a stop reaches them and its end is
/// known.
pub struct Roll<J: Job> {
    stopper: Stopper,
    next: AtomicU64,
    present: Mutex<Present<J>>,
}

struct Present<J: Job> {
    stopping: Stopping,
    mailboxes: BTreeMap<u64, Arc<Mailbox<J>>>,
}

impl<J: Job> Roll<J> {
    /// An empty roll, stopped by `stopper`.
    #[must_use]
    pub fn new(stopper: Stopper) -> Self {
        let present = Present { stopping: Stopping::No, mailboxes: BTreeMap::new() };
        Self { stopper, next: AtomicU64::new(0), present: Mutex::new(present) }
    }

    /// A mailbox that hears of the stop, also of one that has begun already, until it
    /// [`leave`](Self::leave)s.
    #[must_use]
    pub fn enter(&self) -> Arc<Mailbox<J>> {
        let mailbox = Arc::new(Mailbox::new(self.next.fetch_add(1, Ordering::Relaxed)));
        let mut present = lock(&self.present);
        if present.stopping != Stopping::No {
            mailbox.stop(present.stopping);
        }
        present.mailboxes.insert(mailbox.number(), Arc::clone(&mailbox));
        mailbox
    }

    /// The mailbox's owner has ended.
    pub fn leave(&self, mailbox: &Mailbox<J>) {
        let mut present = lock(&self.present);
        present.mailboxes.remove(&mailbox.number());
        let last = present.mailboxes.is_empty() && present.stopping != Stopping::No;
        drop(present);
        if last {
            // Under the lock, so that the one who waits either sees the empty roll or is woken.
            let guard = lock(&self.stopper.0.stopping);
            self.stopper.0.changed.notify_all();
            drop(guard);
        }
    }

    /// How many are present.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.present).mailboxes.len()
    }

    /// Waits for the stop and carries it out; returns when the last has left.
    pub fn see_out(&self, grace: Duration) {
        self.stopper.wait(None, |stopping| stopping != Stopping::No);
        self.tell(Stopping::Graceful);
        let until = Instant::now().checked_add(grace);
        self.stopper.wait(until, |stopping| stopping == Stopping::Now || self.count() == 0);
        let left = self.count();
        if left > 0 {
            log::warn!(left; "dropping what has not ended within the grace");
        }
        self.tell(Stopping::Now);
        self.stopper.wait(None, |_| self.count() == 0);
    }

    fn tell(&self, stopping: Stopping) {
        let mut present = lock(&self.present);
        present.stopping = stopping;
        for mailbox in present.mailboxes.values() {
            mailbox.stop(stopping);
        }
    }
}

impl<J: Job> fmt::Debug for Roll<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roll({} present)", self.count())
    }
}

fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, most: Duration) -> MutexGuard<'a, T> {
    condvar.wait_timeout(guard, most).unwrap_or_else(PoisonError::into_inner).0
}

/// A wait without end is cut into pieces of this length, which every system's clock can name.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
