//! One machine, its buffers and its stream, driven without waiting.
//!
//! A runtime calls [`turn`](Conversation::turn), waits for what the [`Turn`] names, and calls it
//! again with what has become [`Ready`]. Everything else of the contract between a machine and
//! its runtime is carried out here, once for all runtimes.

mod effects;
mod stream;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use pillarbox_core::effect::{BoxMachine, Completion, Factory, Fault, FaultKind, Job, Topic};
use pillarbox_core::{EffectId, Inbox, Input, Io, Moment, Now, Outbox, Stream, Want};

use crate::accept::Guest;
use crate::admission::Permit;
use crate::lanes::{ReplyTo, panic_message};
use crate::link::{Link, Open, Phase, Received, Receiving, Socket, finish_connect};
use crate::mailbox::Mailbox;
use crate::services::{Seat, Services};
use crate::setup::{Accept, Accepted};
use crate::stop::Stopping;

/// A machine under way.
pub struct Conversation<J: Job, S> {
    /// `None` once it has ended, while its stream is still closing.
    machine: Option<BoxMachine<J>>,
    inbox: Inbox,
    outbox: Outbox,
    want: Want,
    link: Link<S>,
    /// The deadline that the machine was called for last: one that stays is not told again.
    told: Option<Moment>,
    /// The outbox was above its mark, and the machine has not heard that it no longer is.
    above: bool,
    watches: Vec<(EffectId, Topic)>,
    births: Vec<Birth<J>>,
    report: Option<Report<J>>,
    /// Held to the end of the stream.
    _permit: Option<Permit>,
    /// The last to go: whoever waits for the empty roll may take all else for gone.
    seat: Seat<J>,
}

/// What has happened to the stream since the last turn, as far as the runtime knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready {
    /// A read would not wait.
    pub readable: bool,
    /// A write would not wait.
    pub writable: bool,
    /// An error lies on it, or both sides have ended.
    pub broken: bool,
}

/// What comes after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The next turn at once; others may have theirs before.
    Again,
    /// The next turn when any of this has happened, or when the mailbox holds something.
    Wait(Wait),
    /// It is over.
    Ended,
}

/// What to wait for. A turn that comes too early is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wait {
    /// Bytes or an end from the peer.
    pub readable: bool,
    /// Room for more bytes.
    pub writable: bool,
    /// A reset, where neither of the others is waited for. A runtime that cannot wait for a reset
    /// alone waits for `readable` instead, and tells it.
    pub reset: bool,
    /// The latest time for the next turn.
    pub until: Option<Moment>,
}

/// A machine to be started for another.
pub struct Birth<J: Job> {
    /// Builds it, on the thread where it will live.
    pub factory: Factory<J>,
    /// For the one that started it.
    pub report: Report<J>,
}

/// The outcome of a machine on its way to the one that started it. Delivered when dropped: there
/// is an answer whatever becomes of the machine.
pub struct Report<J: Job> {
    to: ReplyTo<J>,
    outcome: Option<J::Answer>,
}

impl<J: Job> Drop for Report<J> {
    fn drop(&mut self) {
        self.to.answer(Completion::Outcome(self.outcome.take()));
    }
}

impl<J: Job, S: Socket> Conversation<J, S> {
    /// Begins the machine of a connection that was accepted; it is stepped for the first time.
    /// `None` if the stream died or the machine could not be built.
    pub fn accepted(seat: Seat<J>, guest: Guest, accept: &Accept<J>) -> Option<Self> {
        let Guest { stream, peer, permit } = guest;
        let local = stream.local_addr().ok()?;
        let link = Link::Open(Open::new(S::adopt(stream).ok()?));
        let accepted = Accepted { local, peer, crowded: permit.crowded };
        let build = || accept(accepted);
        Self::begin(seat, build, link, None, Some(permit))
    }

    /// Begins a machine without a stream.
    pub fn task(seat: Seat<J>, factory: Factory<J>, report: Option<Report<J>>) -> Option<Self> {
        Self::begin(seat, factory, Link::None, report, None)
    }

    fn begin(
        seat: Seat<J>,
        build: impl FnOnce() -> BoxMachine<J>,
        link: Link<S>,
        report: Option<Report<J>>,
        permit: Option<Permit>,
    ) -> Option<Self> {
        let services = &seat.services;
        let machine = guarded(services, build)?;
        services.statistics.machines.add(1);
        let now = services.clock.now();
        let mut conversation = Self {
            machine: Some(machine),
            inbox: Inbox::new(services.limits.inbox_bytes),
            outbox: Outbox::new(services.limits.outbox_mark),
            want: Want::READ,
            link,
            told: None,
            above: false,
            watches: Vec::new(),
            births: Vec::new(),
            report,
            _permit: permit,
            seat,
        };
        conversation.step(now, Input::Start);
        Some(conversation)
    }

    /// What it shares with all others.
    #[must_use]
    pub fn services(&self) -> &Arc<Services<J>> {
        &self.seat.services
    }

    /// Where its answers come in: to be armed before waiting.
    #[must_use]
    pub fn mailbox(&self) -> &Arc<Mailbox<J>> {
        &self.seat.mailbox
    }

    /// The stream to wait for.
    #[must_use]
    pub fn socket(&self) -> Option<&S> {
        match &self.link {
            Link::None => None,
            Link::Connecting(connecting) => Some(&connecting.socket),
            Link::Open(open) => Some(&open.socket),
            Link::Closing(closing) => Some(&closing.socket),
        }
    }

    /// The same, where to wait changes it.
    pub fn socket_mut(&mut self) -> Option<&mut S> {
        match &mut self.link {
            Link::None => None,
            Link::Connecting(connecting) => Some(&mut connecting.socket),
            Link::Open(open) => Some(&mut open.socket),
            Link::Closing(closing) => Some(&mut closing.socket),
        }
    }

    /// The machines that this one has started since the last call. To be taken after each turn,
    /// the last included.
    pub fn births(&mut self) -> Vec<Birth<J>> {
        std::mem::take(&mut self.births)
    }

    /// Everything that can be done without waiting, up to a bound.
    pub fn turn(&mut self, mut ready: Ready) -> Turn {
        for _ in 0..ROUNDS_MAX {
            let now = self.seat.services.clock.now();
            if self.open_mailbox(now) == Stopping::Now {
                return Turn::Ended;
            }
            self.receive(now, ready);
            self.keep_time(now);
            self.send(now, ready);
            if self.machine.is_none() && matches!(self.link, Link::None) {
                return Turn::Ended;
            }
            if !self.may_go_on() {
                return Turn::Wait(self.wait(now.moment));
            }
            ready = Ready::default();
        }
        Turn::Again
    }

    /// One call of the machine, and all that follows from it.
    fn step(&mut self, now: Now, input: Input<Completion<J>>) {
        let Some(machine) = &mut self.machine else { return };
        let mut effects = Vec::new();
        let mut io = Io { inbox: &mut self.inbox, outbox: &mut self.outbox, effects: &mut effects };
        self.seat.services.statistics.steps.add(1);
        let Some(want) = guarded(&self.seat.services, || machine.step(now, input, &mut io)) else {
            self.cut();
            self.end_machine();
            return;
        };
        self.want = want;
        self.above |= !self.outbox.below_mark();
        // The stream first: a machine may leave one and ask for the next in the same step.
        match want.stream {
            Stream::Keep if !want.done => {}
            Stream::Keep | Stream::Flush => self.close(now.moment),
            Stream::Abort => self.cut(),
        }
        for (id, effect) in effects {
            self.carry_out(now.moment, id, effect);
        }
        if want.done {
            self.end_machine();
        }
    }

    fn open_mailbox(&mut self, now: Now) -> Stopping {
        let Some(letters) = self.seat.mailbox.take() else { return Stopping::No };
        if letters.stop == Stopping::Now {
            return letters.stop;
        }
        for (id, completion) in letters.answers {
            self.step(now, Input::Done(id, completion));
        }
        for id in letters.notices {
            self.step(now, Input::Done(id, Completion::Noticed));
        }
        if letters.stop == Stopping::Graceful {
            self.step(now, Input::Stop);
        }
        letters.stop
    }

    fn receive(&mut self, now: Now, ready: Ready) {
        let may_read = self.may_read();
        match &mut self.link {
            Link::None => {}
            Link::Connecting(connecting) => {
                if ready.writable || ready.broken {
                    match finish_connect(&mut connecting.socket) {
                        Ok(None) => {}
                        Ok(Some(connected)) => self.connected(now, connected),
                        Err(error) => {
                            let reason = format!("{}: {error}", connecting.to);
                            self.not_connected(now, Fault::new(FaultKind::Temporary, reason));
                        }
                    }
                }
            }
            Link::Open(open) => {
                if may_read && (ready.readable || open.receiving == Receiving::MoreLikely) {
                    let received = open.receive(&mut self.inbox);
                    self.received(now, &received);
                } else if !may_read && open.hears_reset(ready) {
                    self.gone(now);
                }
            }
            Link::Closing(closing) => {
                if closing.phase != Phase::Sending && (ready.readable || ready.broken) {
                    self.advance_closing(now.moment);
                }
            }
        }
    }

    fn received(&mut self, now: Now, received: &Received) {
        match *received {
            Received::Nothing => {}
            Received::Bytes(count) => {
                self.seat.services.statistics.bytes_in.add(count);
                self.step(now, Input::Bytes);
            }
            Received::Eof => self.step(now, Input::Eof),
            Received::Gone => self.gone(now),
        }
    }

    fn keep_time(&mut self, now: Now) {
        match &self.link {
            Link::Connecting(connecting) if connecting.until <= now.moment => {
                let reason = format!("{} could not be reached in time", connecting.to);
                self.not_connected(now, Fault::new(FaultKind::TimedOut, reason));
            }
            Link::Open(Open { stalled: Some(since), .. })
                if now.moment.since(*since) >= self.seat.services.limits.write_stall_max =>
            {
                self.gone(now);
            }
            Link::Closing(closing) if closing.until <= now.moment => {
                self.closed();
            }
            _ => {}
        }
        if let Some(deadline) = self.deadline()
            && deadline <= now.moment
        {
            self.told = Some(deadline);
            self.step(now, Input::Timer);
        }
    }

    fn send(&mut self, now: Now, ready: Ready) {
        let due = self.may_send();
        match &mut self.link {
            Link::Open(open) if due && (open.stalled.is_none() || ready.writable) => {
                match open.send(&mut self.outbox, now.moment) {
                    Ok(count) => self.seat.services.statistics.bytes_out.add(count),
                    Err(_) => return self.gone(now),
                }
                if self.above && self.outbox.below_mark() {
                    self.above = false;
                    self.step(now, Input::Drained);
                }
            }
            Link::Closing(closing) if closing.phase == Phase::Sending && ready.writable => {
                self.advance_closing(now.moment);
            }
            _ => {}
        }
    }

    /// Whether another round has something to do at once.
    fn may_go_on(&self) -> bool {
        match &self.link {
            Link::Open(open) => {
                (open.receiving == Receiving::MoreLikely && self.may_read())
                    || (open.stalled.is_none() && self.may_send())
            }
            _ => false,
        }
    }

    fn wait(&self, now: Moment) -> Wait {
        let limits = &self.seat.services.limits;
        let mut wait = Wait { until: self.deadline(), ..Wait::default() };
        let until = match &self.link {
            Link::None => None,
            Link::Connecting(connecting) => {
                wait.writable = true;
                Some(connecting.until)
            }
            Link::Open(open) => {
                wait.readable = self.may_read();
                wait.writable = open.stalled.is_some() && self.may_send();
                let deaf = !wait.readable && !wait.writable;
                let unheard = matches!(open.receiving, Receiving::Unheard | Receiving::Ended);
                wait.reset = deaf && !unheard;
                let probe = (deaf && unheard).then(|| now + RESET_PROBE);
                earlier(open.stalled.map(|since| since + limits.write_stall_max), probe)
            }
            Link::Closing(closing) => {
                wait.writable = closing.phase == Phase::Sending;
                wait.readable = !wait.writable;
                Some(closing.until)
            }
        };
        wait.until = earlier(wait.until, until);
        wait
    }

    fn deadline(&self) -> Option<Moment> {
        let deadline = if self.machine.is_some() { self.want.deadline } else { None };
        deadline.filter(|_| deadline != self.told)
    }

    fn may_read(&self) -> bool {
        let Link::Open(open) = &self.link else { return false };
        self.machine.is_some()
            && self.want.read
            && open.receiving != Receiving::Ended
            && self.inbox.room() > 0
    }

    fn may_send(&self) -> bool {
        let held = self.want.hold && self.outbox.below_mark();
        !held && !self.outbox.is_empty()
    }
}

impl<J: Job, S> Conversation<J, S> {
    /// Lets the machine go; its stream may still be closing.
    fn end_machine(&mut self) {
        for (id, topic) in self.watches.drain(..) {
            self.seat.services.topics.release(topic, id, &self.seat.mailbox);
        }
        let machine = self.machine.take();
        guarded(&self.seat.services, || drop(machine));
        self.report = None;
    }
}

impl<J: Job, S> Drop for Conversation<J, S> {
    fn drop(&mut self) {
        self.end_machine();
        self.seat.services.statistics.machines.subtract(1);
    }
}

/// A machine that panics takes nobody else with it.
fn guarded<J: Job, T>(services: &Services<J>, run: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(value) => Some(value),
        Err(panic) => {
            services.statistics.machines_panicked.add(1);
            log::error!(reason:% = panic_message(panic.as_ref()); "a machine failed");
            None
        }
    }
}

fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Reads and writes that one connection may have before others have theirs.
const ROUNDS_MAX: usize = 4;

/// Where a reset cannot be waited for, it is looked for this often.
const RESET_PROBE: Duration = Duration::from_millis(500);

impl<J: Job, S> fmt::Debug for Conversation<J, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("number", &self.seat.mailbox.number())
            .field("inbox", &self.inbox)
            .field("outbox", &self.outbox)
            .field("want", &self.want)
            .finish_non_exhaustive()
    }
}

impl<J: Job> fmt::Debug for Birth<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Birth(for {:?})", self.report.to)
    }
}

impl<J: Job> fmt::Debug for Report<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Report(to {:?})", self.to)
    }
}

#[cfg(test)]
mod tests;
