//! What a runtime drives.
//!
//! A [`Machine`] is one conversation or one task. One call per wake-up goes in, and everything
//! that the machine wants comes back from it, so there is no order of calls to get wrong:
//!
//! 1. Something happened (bytes came, an answer came, the deadline passed): the runtime calls
//!    [`step`](Machine::step) with that as [`Input`].
//! 2. The machine uses what it can of [`Io::inbox`], appends to [`Io::outbox`], puts what it wants
//!    done elsewhere into [`Io::effects`], and returns a [`Want`].
//! 3. The runtime carries out the effects, sends the outbox, and waits for what `Want` names.
//!
//! `Want` is the whole present wish and replaces the last one; a runtime never computes a
//! difference. Spurious inputs are harmless: a machine looks at `now` and its buffers, not at the
//! reason for the call. A machine may be dropped at any moment; that is as harmless as a crash.

use crate::{Inbox, Moment, Now, Outbox};

/// Names an effect, so that its completion finds its way back. Chosen by the machine, unique
/// within it; a completion whose id the machine has forgotten is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EffectId(pub u64);

/// Why a machine is called.
#[derive(Debug)]
pub enum Input<C> {
    /// The first call. A machine on an accepted connection has its stream already.
    Start,
    /// The inbox holds more than before.
    Bytes,
    /// The peer will send nothing more (a half-close); commands already received are still
    /// answered. Told again with no further call: whoever cares remembers it.
    Eof,
    /// The stream is gone in both directions (reset, or a write failed); nothing can be sent.
    Gone,
    /// The outbox has fallen below its mark after having been above it.
    Drained,
    /// The deadline may have passed; it may come early or twice.
    Timer,
    /// The answer to an effect. A watch is answered many times.
    Done(EffectId, C),
    /// The server is stopping: finish what is begun, begin nothing new.
    Stop,
}

/// What a machine works on during one step.
#[derive(Debug)]
pub struct Io<'a, E> {
    /// Received and not yet used.
    pub inbox: &'a mut Inbox,
    /// To be sent.
    pub outbox: &'a mut Outbox,
    /// To be carried out, in this order of starting; answers may come in any order.
    pub effects: &'a mut Vec<(EffectId, E)>,
}

/// What becomes of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stream {
    /// It stays open.
    #[default]
    Keep,
    /// Send the outbox, then close in good order: the runtime ends its sending side and reads and
    /// discards for a short time, so that the last reply is not lost to a reset.
    Flush,
    /// Close at once; what waits in the outbox is dropped.
    Abort,
}

/// The whole present wish of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a wish that is not carried out leaves the machine waiting for ever"]
pub struct Want {
    /// Read from the stream when bytes come. While false, the peer feels back-pressure.
    pub read: bool,
    /// The output may wait for more: nothing is written unless the outbox is above its mark.
    /// This lets the replies to a pipelined group leave in one write.
    pub hold: bool,
    /// Call with [`Input::Timer`] at this moment. It runs on while the peer does not take its
    /// replies, so that such a peer holds no place for ever.
    pub deadline: Option<Moment>,
    /// What becomes of the stream.
    pub stream: Stream,
    /// The machine has ended; it is not called again.
    pub done: bool,
}

impl Want {
    /// Waits for bytes without end: the usual wish of an open connection.
    pub const READ: Self =
        Self { read: true, hold: false, deadline: None, stream: Stream::Keep, done: false };
    /// Ended, after what waits has been sent.
    pub const END: Self =
        Self { read: false, hold: false, deadline: None, stream: Stream::Flush, done: true };
    /// Ended, with nothing more sent.
    pub const ABORT: Self =
        Self { read: false, hold: false, deadline: None, stream: Stream::Abort, done: true };
}

/// One conversation or one task, driven from outside. See the [module](self) for the contract.
///
/// The work of one step is bounded by the inbox's limit and the outbox's mark, so no connection
/// starves another. There is no `Send` here: a machine is built on the thread where it lives.
pub trait Machine {
    /// What it asks of the world: owned data.
    type Effect;
    /// What the world answers.
    type Completion;

    /// Takes in what happened and gives out everything that follows from it.
    fn step(
        &mut self,
        now: Now,
        input: Input<Self::Completion>,
        io: &mut Io<'_, Self::Effect>,
    ) -> Want;
}

impl<M: Machine + ?Sized> Machine for Box<M> {
    type Effect = M::Effect;
    type Completion = M::Completion;

    fn step(
        &mut self,
        now: Now,
        input: Input<Self::Completion>,
        io: &mut Io<'_, Self::Effect>,
    ) -> Want {
        (**self).step(now, input, io)
    }
}
