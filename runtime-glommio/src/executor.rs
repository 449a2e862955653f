//! An executor and the tasks that live on it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_lite::FutureExt;
use glommio::timer::Timer;
use glommio::{GlommioError, LocalExecutor, LocalExecutorBuilder, Placement};
use pillarbox_core::effect::Job;
use pillarbox_runtime_std::mailbox::Mailbox;

/// An executor for this thread.
///
/// Unbound: the kernel keeps the thread to the processors that the process was given, by affinity
/// or by a control group, and an executor that is pinned waits where another would run.
pub(crate) fn make() -> Result<LocalExecutor, GlommioError<()>> {
    LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(IO_MEMORY)
        .ring_depth(RING_DEPTH)
        .preempt_timer(NEVER)
        .make()
}

/// The tasks of one executor.
pub(crate) struct Household {
    members: Cell<usize>,
    /// Waits for the last member to leave.
    waiting: RefCell<Option<Waker>>,
}

impl Household {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self { members: Cell::new(0), waiting: RefCell::new(None) })
    }

    /// Lets a task run by itself, on the executor of the thread that calls.
    pub(crate) fn spawn(self: &Rc<Self>, task: impl Future<Output = ()> + 'static) {
        let member = Member::of(self);
        spawn(async move {
            contained(AssertUnwindSafe(task).catch_unwind().await);
            drop(member);
        });
    }

    /// Ready when no task is left.
    pub(crate) async fn empty(&self) {
        poll_fn(|context| {
            if self.members.get() == 0 {
                return Poll::Ready(());
            }
            *self.waiting.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// A place in a household, left when dropped.
pub(crate) struct Member(Rc<Household>);

impl Member {
    pub(crate) fn of(household: &Rc<Household>) -> Self {
        household.members.set(household.members.get() + 1);
        Self(Rc::clone(household))
    }

    pub(crate) const fn household(&self) -> &Rc<Household> {
        &self.0
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let left = self.0.members.get() - 1;
        self.0.members.set(left);
        if left == 0
            && let Some(waker) = self.0.waiting.borrow_mut().take()
        {
            waker.wake();
        }
    }
}

/// Queues a task, which must not panic: that would end the executor and leave all others where
/// they are. `glommio::spawn_local` would run it at once, on the stack of the one that spawns it.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    let queue = glommio::executor().current_task_queue();
    match glommio::spawn_local_into(task, queue) {
        Ok(task) => drop(task.detach()),
        Err(error) => log::error!(reason:% = error; "a task cannot begin"),
    }
}

/// Ready after the rings have been looked at and all others that are ready have had their turn.
/// To wake oneself is not enough: the rings are looked at only when nobody is ready to run.
pub(crate) struct Breath(Timer);

impl Breath {
    pub(crate) fn new() -> Self {
        Self(Timer::new(BREATH))
    }
}

impl Future for Breath {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context).map(drop)
    }
}

/// What remains of a task that panicked is a line in the log. The result is `None` then.
pub(crate) fn contained<T>(outcome: Result<T, Box<dyn Any + Send>>) -> Option<T> {
    outcome.inspect_err(|panic| log_panic(panic.as_ref())).ok()
}

fn log_panic(panic: &(dyn Any + Send)) {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    log::error!(reason = said.unwrap_or("no message"); "a task has panicked");
}

/// Ready when anything lies in the mailbox.
pub(crate) async fn anything<J: Job>(mailbox: &Mailbox<J>) {
    poll_fn(|context| if mailbox.arm(context.waker()) { Poll::Pending } else { Poll::Ready(()) })
        .await;
}

/// Bytes that are registered with the rings, for direct I/O on files. We do none, but glommio
/// takes no less; its default of 10 MiB would be pinned in memory from the start, once for each
/// executor.
const IO_MEMORY: usize = 64 * 1024;

/// Entries of each of an executor's three rings. More wait outside, and go in with the next call:
/// this is how many go in together, not how many connections there may be. 128 take 12 KiB a
/// ring.
const RING_DEPTH: usize = 128;

/// After this time, tasks that are ready to run would be interrupted so that the rings are looked
/// at. But where the time is over before the first of them has begun, as on a busy machine, glommio
/// 0.9 takes it that there are none, and sleeps (`run_task_queues` in its `executor/mod.rs`). So
/// nobody is interrupted: a task that could go on for ever takes a [`Breath`] instead.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Long enough not to be over before it is waited for.
const BREATH: Duration = Duration::from_micros(1);

impl fmt::Debug for Household {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Household({} members)", self.members.get())
    }
}
