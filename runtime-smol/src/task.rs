//! One machine as a local task.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use async_executor::LocalExecutor;
use async_io::{Async, Timer};
use pillarbox_core::Moment;
use pillarbox_core::effect::{Connected, Job};
use pillarbox_runtime_std::Socket;
use pillarbox_runtime_std::conversation::{Birth, Conversation, Ready, Turn, Wait};
use pillarbox_runtime_std::mailbox::Mailbox;
use pillarbox_runtime_std::services::Seat;

/// A stream known to the reactor. Reads and writes go past it, straight to the stream.
pub(crate) struct Registered(Async<TcpStream>);

impl Socket for Registered {
    fn adopt(stream: TcpStream) -> io::Result<Self> {
        Async::new_nonblocking(stream).map(Self)
    }

    fn receive(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.get_ref().read(space)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_ref().write(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.get_ref().shutdown(Shutdown::Write)
    }

    fn take_error(&mut self) -> io::Result<Option<io::Error>> {
        self.0.get_ref().take_error()
    }

    fn ends(&self) -> io::Result<Connected> {
        self.0.get_ref().ends()
    }
}

/// The tasks of one thread.
pub(crate) struct Household {
    executor: LocalExecutor<'static>,
    members: Cell<usize>,
    /// Waits for the last member to leave.
    waiting: RefCell<Option<Waker>>,
}

impl Household {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            executor: LocalExecutor::new(),
            members: Cell::new(0),
            waiting: RefCell::new(None),
        })
    }

    /// Runs tasks until the future is ready.
    pub(crate) async fn run<T>(&self, until: impl Future<Output = T>) -> T {
        self.executor.run(until).await
    }

    /// Lets a task run by itself.
    pub(crate) fn spawn(self: &Rc<Self>, task: impl Future<Output = ()> + 'static) {
        let member = Member::of(self);
        let task = async move {
            task.await;
            drop(member);
        };
        self.executor.spawn(task).detach();
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

struct Member(Rc<Household>);

impl Member {
    fn of(household: &Rc<Household>) -> Self {
        household.members.set(household.members.get() + 1);
        Self(Rc::clone(household))
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

/// Lets a machine run on the thread of this household, where it was begun.
pub(crate) fn spawn_machine<J: Job>(
    household: &Rc<Household>,
    begun: Option<Conversation<J, Registered>>,
) {
    if let Some(conversation) = begun {
        let (member, phase) = (Member::of(household), Phase::Turn(Ready::default()));
        let task = Task { conversation, alarm: None, phase, member };
        household.executor.spawn(task).detach();
    }
}

/// A future written by hand: an `async fn` would hold the conversation twice.
struct Task<J: Job> {
    conversation: Conversation<J, Registered>,
    alarm: Option<Alarm>,
    phase: Phase,
    member: Member,
}

enum Phase {
    /// The conversation's turn is next.
    Turn(Ready),
    /// A wait that has not slept yet.
    Begun(Wait),
    /// One that was woken.
    Slept(Wait),
}

/// Nothing in it is pinned; an application's answer, which it may hold, need not say so itself.
impl<J: Job> Unpin for Task<J> {}

impl<J: Job> Future for Task<J> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.phase {
                Phase::Turn(ready) => match self.turn(ready) {
                    Turn::Ended => return Poll::Ready(()),
                    Turn::Again => {
                        self.phase = Phase::Turn(Ready::default());
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Turn::Wait(wait) => self.phase = Phase::Begun(wait),
                },
                Phase::Begun(wait) | Phase::Slept(wait) => match self.wait(wait, context) {
                    Poll::Ready(ready) => self.phase = Phase::Turn(ready),
                    Poll::Pending => {
                        self.phase = Phase::Slept(wait);
                        return Poll::Pending;
                    }
                },
            }
        }
    }
}

impl<J: Job> Task<J> {
    fn turn(&mut self, ready: Ready) -> Turn {
        let turn = self.conversation.turn(ready);
        for Birth { factory, report } in self.conversation.births() {
            let seat = Seat::take(self.conversation.services());
            spawn_machine(&self.member.0, Conversation::task(seat, factory, Some(report)));
        }
        turn
    }

    /// The one place where a connection waits.
    fn wait(&mut self, wait: Wait, context: &mut Context<'_>) -> Poll<Ready> {
        let told = !self.conversation.mailbox().arm(context.waker());
        if self.is_time(wait.until, context) || told {
            return Poll::Ready(Ready::default());
        }
        if matches!(self.phase, Phase::Slept(_)) {
            // Only the stream is left. The reactor would say so too, but where another thread
            // has delivered the event it may take it for an old one and ask the kernel again.
            let readable = wait.readable || wait.reset;
            return Poll::Ready(Ready { readable, writable: wait.writable, broken: false });
        }
        let mut ready = Ready::default();
        if let Some(Registered(stream)) = self.conversation.socket() {
            // The reactor tells a reset as readiness; an error of its own is found by the next
            // read or write.
            if wait.readable || wait.reset {
                ready.readable = stream.poll_readable(context).is_ready();
            }
            if wait.writable {
                ready.writable = stream.poll_writable(context).is_ready();
            }
        }
        if ready == Ready::default() { Poll::Pending } else { Poll::Ready(ready) }
    }

    fn is_time(&mut self, until: Option<Moment>, context: &mut Context<'_>) -> bool {
        let Some(until) = until else {
            self.alarm = None;
            return false;
        };
        let clock = self.conversation.services().clock;
        match &mut self.alarm {
            // One that rings early is let ring: most deadlines move on before they come.
            Some(alarm) if alarm.at <= until => {}
            Some(alarm) => {
                alarm.at = until;
                alarm.timer.set_at(clock.instant(until));
            }
            none => *none = Some(Alarm { at: until, timer: Timer::at(clock.instant(until)) }),
        }
        let rung = self
            .alarm
            .as_mut()
            .is_some_and(|alarm| Pin::new(&mut alarm.timer).poll(context).is_ready());
        if rung {
            self.alarm = None;
        }
        rung
    }
}

struct Alarm {
    at: Moment,
    timer: Timer,
}

/// Ready when anything lies in the mailbox.
pub(crate) async fn anything<J: Job>(mailbox: &Mailbox<J>) {
    poll_fn(|context| if mailbox.arm(context.waker()) { Poll::Pending } else { Poll::Ready(()) })
        .await;
}

impl fmt::Debug for Household {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Household({} members)", self.members.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pillarbox_core::effect::Lane;

    struct Nothing;
    impl Job for Nothing {
        type Answer = ();
        fn lane(&self) -> Lane {
            Lane::Read
        }
    }

    #[test]
    fn an_idle_connection_is_small() {
        // The machine itself comes on top, and what the reactor keeps of a stream.
        let size = size_of::<Task<Nothing>>();
        assert!(size <= 450, "{size}");
    }
}
