//! The futures of one connection: hyper's connection itself, and one for each stream of HTTP/2.
//!
//! Each has a waker of its own, and only those woken are polled: with all polled at each step, many
//! streams would cost the square of their number.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use hyper::rt::Executor;

/// Names a task; the connection itself is 0.
type Key = u64;

/// What takes hyper's futures, and polls them.
#[derive(Clone, Default)]
pub(super) struct Tasks {
    /// Those that are not being polled just now.
    tasks: Rc<RefCell<Table>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Table {
    last: Key,
    futures: BTreeMap<Key, Task>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
}

/// Who can go on. A [`Waker`] may be sent to another thread, so there is a lock, though nobody does.
#[derive(Debug, Default)]
struct Woken {
    keys: Mutex<BTreeSet<Key>>,
}

struct Bell {
    key: Key,
    woken: Arc<Woken>,
}

impl Woken {
    fn add(&self, key: Key) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
    }

    fn take(&self) -> BTreeSet<Key> {
        std::mem::take(&mut *self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.woken.add(self.key);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.add(self.key);
    }
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        let mut table = self.tasks.borrow_mut();
        table.last += 1;
        let key = table.last;
        let task = Task { future: Box::pin(future), waker: self.waker(key) };
        table.futures.insert(key, task);
        self.woken.add(key);
    }
}

impl Tasks {
    /// What wakes the connection itself.
    pub(super) fn connection_waker(&self) -> Waker {
        self.waker(0)
    }

    fn waker(&self, key: Key) -> Waker {
        Waker::from(Arc::new(Bell { key, woken: Arc::clone(&self.woken) }))
    }

    /// Polls each task that was woken, once. Says whether somebody was woken: the connection, or
    /// a task.
    pub(super) fn run(&self) -> bool {
        let woken = self.woken.take();
        let any = !woken.is_empty();
        for key in woken {
            // Out of the table, since a task may start another.
            let Some(mut task) = self.tasks.borrow_mut().futures.remove(&key) else { continue };
            if task.future.as_mut().poll(&mut Context::from_waker(&task.waker)).is_pending() {
                self.tasks.borrow_mut().futures.insert(key, task);
            }
        }
        any
    }

    /// Has all of them polled, as if bytes had come for each.
    #[cfg(test)]
    pub(super) fn wake_all(&self) {
        self.tasks.borrow().futures.keys().for_each(|key| self.woken.add(*key));
    }

    /// Drops all of them.
    pub(super) fn clear(&self) {
        let futures = std::mem::take(&mut self.tasks.borrow_mut().futures);
        drop(futures);
        self.woken.take();
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tasks({} under way)", self.tasks.borrow().futures.len())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::task::Poll;

    use super::*;

    #[test]
    fn only_who_is_woken_is_polled() {
        let tasks = Tasks::default();
        let polls: Vec<_> = (0..3).map(|_| Rc::new(Cell::new(0))).collect();
        let wakers: Vec<_> = (0..3).map(|_| Rc::new(RefCell::new(None::<Waker>))).collect();
        for (polls, waker) in polls.iter().zip(&wakers) {
            let (polls, waker) = (Rc::clone(polls), Rc::clone(waker));
            tasks.execute(std::future::poll_fn(move |context| {
                polls.set(polls.get() + 1);
                *waker.borrow_mut() = Some(context.waker().clone());
                if polls.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
            }));
        }
        assert!(tasks.run());
        assert!(!tasks.run());
        for _ in 0..2 {
            let waker = wakers[1].borrow_mut().take().unwrap();
            waker.wake_by_ref();
            waker.wake();
            assert!(tasks.run());
        }
        assert_eq!(polls.iter().map(|polls| polls.get()).collect::<Vec<_>>(), [1, 3, 1]);
        assert_eq!(format!("{tasks:?}"), "Tasks(2 under way)");
    }
}
