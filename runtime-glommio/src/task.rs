//! One machine as a local task.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use glommio::timer::Timer;
use pillarbox_core::Moment;
use pillarbox_core::effect::Job;
use pillarbox_runtime_std::conversation::{Birth, Conversation, Ready, Turn, Wait};
use pillarbox_runtime_std::services::Seat;

use crate::executor::{Breath, Household, Member, contained, spawn};
use crate::socket::Watched;

/// Lets a machine run on the thread of this household, where it was begun.
pub(crate) fn spawn_machine<J: Job>(
    household: &Rc<Household>,
    begun: Option<Conversation<J, Watched>>,
) {
    if let Some(conversation) = begun {
        let (member, phase) = (Member::of(household), Phase::Turn(Ready::default()));
        spawn(Task { conversation, alarm: None, phase, member });
    }
}

/// A future written by hand: an `async fn` would hold the conversation twice.
struct Task<J: Job> {
    conversation: Conversation<J, Watched>,
    alarm: Option<Alarm>,
    phase: Phase,
    member: Member,
}

enum Phase {
    /// Others may have theirs before.
    Breath(Breath),
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
        let task = &mut *self;
        // The machine's own panics are caught further in, and end only the machine.
        let polled = catch_unwind(AssertUnwindSafe(|| task.proceed(context)));
        contained(polled).unwrap_or(Poll::Ready(()))
    }
}

impl<J: Job> Task<J> {
    fn proceed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.phase {
                Phase::Breath(breath) => {
                    if Pin::new(breath).poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    self.phase = Phase::Turn(Ready::default());
                }
                &mut Phase::Turn(ready) => match self.turn(ready, context) {
                    Turn::Ended => return Poll::Ready(()),
                    Turn::Again => self.phase = Phase::Breath(Breath::new()),
                    Turn::Wait(wait) => self.phase = Phase::Begun(wait),
                },
                &mut (Phase::Begun(wait) | Phase::Slept(wait)) => match self.wait(wait, context) {
                    Poll::Ready(ready) => self.phase = Phase::Turn(ready),
                    Poll::Pending => {
                        self.phase = Phase::Slept(wait);
                        return Poll::Pending;
                    }
                },
            }
        }
    }

    fn turn(&mut self, ready: Ready, context: &Context<'_>) -> Turn {
        if let Some(socket) = self.conversation.socket_mut() {
            socket.begin_turn(context.waker());
        }
        let turn = self.conversation.turn(ready);
        for Birth { factory, report } in self.conversation.births() {
            let seat = Seat::take(self.conversation.services());
            let born = Conversation::task(seat, factory, Some(report));
            spawn_machine(self.member.household(), born);
        }
        turn
    }

    /// The one place where a connection waits.
    fn wait(&mut self, wait: Wait, context: &mut Context<'_>) -> Poll<Ready> {
        let told = !self.conversation.mailbox().arm(context.waker());
        if self.is_time(wait.until, context) || told {
            return Poll::Ready(Ready::default());
        }
        let slept = matches!(self.phase, Phase::Slept(_));
        let Some(socket) = self.conversation.socket_mut() else { return Poll::Pending };
        // Only the stream is left to have woken us, and to read or to write finds out: there is
        // no need to ask first. Not so for a reset, since nobody reads then.
        let mut ready = Ready {
            readable: slept && wait.readable,
            writable: slept && wait.writable,
            broken: false,
        };
        if ready == Ready::default() {
            if wait.readable || wait.reset {
                ready.readable = socket.poll_readable(context).is_ready();
            }
            if wait.writable {
                ready.writable = socket.poll_writable(context).is_ready();
            }
            ready.broken = socket.is_broken();
        }
        if ready == Ready::default() { Poll::Pending } else { Poll::Ready(ready) }
    }

    fn is_time(&mut self, until: Option<Moment>, context: &mut Context<'_>) -> bool {
        let Some(until) = until else {
            self.alarm = None;
            return false;
        };
        let clock = self.conversation.services().clock;
        // One that rings early is let ring: most deadlines move on before they come.
        let alarm = match &mut self.alarm {
            Some(alarm) if alarm.at <= until => alarm,
            alarm => {
                let left = clock.instant(until).saturating_duration_since(Instant::now());
                let mut timer = Timer::new(left);
                // It keeps the waker, which is the same at each poll of a task.
                if Pin::new(&mut timer).poll(context).is_ready() {
                    *alarm = None;
                    return true;
                }
                alarm.insert(Alarm { at: until, _timer: timer })
            }
        };
        let rung = alarm.at <= clock.moment();
        if rung {
            self.alarm = None;
        }
        rung
    }
}

/// Wakes the task, as long as it is there.
struct Alarm {
    at: Moment,
    _timer: Timer,
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
        assert!(size <= 620, "{size}");
    }
}
