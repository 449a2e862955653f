//! A session whose bytes are compressed once it says so: COMPRESS=DEFLATE (RFC 4978).
//!
//! A [`Session`] wrapped in [`Compressing`] never sees a compressed byte: packed inbox → plain
//! inbox → session → plain outbox → packed outbox. Before that, and without it, the buffers are
//! handed straight through. It is a session itself, so that TLS goes around it: what is sent is
//! compressed first and enciphered then (RFC 4978 §3).
//!
//! What a client that waits costs is what it has said last: see [`Inflater`]. To say something
//! needs no state that stays: see [`deflate`].

mod deflater;
mod inflater;

use std::fmt;
use std::time::Duration;

pub use deflater::deflate;
pub use inflater::{Broken, Inflater};

use crate::connection::Session;
use crate::tls::{Agreed, TlsError};
use crate::{Inbox, Input, Io, Machine, Moment, Now, Outbox, Stream, Want};

/// A session that may ask for compression of all that follows.
pub trait Compresses: Session {
    /// Asked after each step: true once, when the session has said yes to COMPRESS and everything
    /// after its reply is to be compressed, in both directions.
    fn takes_compression(&mut self) -> bool;

    /// What the client sends cannot be unpacked, for the session's log; the next input is
    /// [`Input::Gone`].
    fn compression_failed(&mut self);
}

/// A session with compression around it, once it wants it.
pub struct Compressing<S> {
    session: S,
    state: State,
}

enum State {
    /// Nothing is compressed.
    Plain,
    Packed(Box<Packed>),
    /// The stream is closed, but the session still brings something to its end.
    Alone,
}

/// What lies between the packed buffers and the session.
struct Packed {
    inflater: Inflater,
    inbox: Inbox,
    outbox: Outbox,
    /// The client will send nothing more, and whether the session knows.
    ended: Option<Told>,
    /// When the inflater's memory is packed, too, unless something comes.
    rests_at: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    No,
    Yes,
}

/// One step unpacks no more, so that a connection with a thousandfold of its bytes in it does not
/// hold up the others; it goes on [a little later](BREATH).
const UNPACKED_AT_ONCE: usize = 256 << 10;

/// Later than the present on any clock.
const BREATH: Duration = Duration::from_millis(1);

/// Who has said nothing for so long is taken to be idle.
const RESTS_AFTER: Duration = Duration::from_secs(20);

impl<S: Compresses> Compressing<S> {
    /// Wraps a session.
    pub const fn new(session: S) -> Self {
        Self { session, state: State::Plain }
    }

    fn step_plain(
        &mut self,
        now: Now,
        input: Input<S::Completion>,
        io: &mut Io<'_, S::Effect>,
    ) -> Want {
        let want = self.session.step(now, input, io);
        if !self.session.takes_compression() || want.done || want.stream != Stream::Keep {
            return want;
        }
        self.state = State::Packed(Box::new(Packed {
            inflater: Inflater::new(),
            inbox: Inbox::new(io.inbox.limit()),
            outbox: Outbox::new(io.outbox.mark()),
            ended: None,
            rests_at: None,
        }));
        // What has come behind COMPRESS is compressed, or means nothing.
        if io.inbox.is_empty() { want } else { self.step_packed(now, Input::Bytes, io) }
    }

    /// The session works on buffers of its own, and we carry between the two pairs.
    fn step_packed(
        &mut self,
        now: Now,
        input: Input<S::Completion>,
        io: &mut Io<'_, S::Effect>,
    ) -> Want {
        let mut next = Some(input);
        let mut left = UNPACKED_AT_ONCE;
        let mut want = Want::READ;
        loop {
            let State::Packed(packed) = &mut self.state else { return Want::ABORT };
            let Ok(count) = packed.inflater.inflate(io.inbox, &mut packed.inbox, left) else {
                return self.fail(now, io);
            };
            left -= count.min(left);
            let ends = packed.ends(io.inbox);
            if next.is_none() && count == 0 && !ends {
                break;
            }
            // Bytes are told before the end behind them; the end is told once.
            let input = next.take().unwrap_or(Input::Bytes);
            let mut plain = Io {
                inbox: &mut packed.inbox,
                outbox: &mut packed.outbox,
                effects: &mut *io.effects,
            };
            want = self.session.step(now, input, &mut plain);
            if ends && !want.done && want.stream == Stream::Keep {
                packed.ended = Some(Told::Yes);
                want = self.session.step(now, Input::Eof, &mut plain);
            }
            if want.done || want.stream != Stream::Keep {
                if want.stream == Stream::Flush {
                    packed.say_all(io.outbox);
                }
                self.state = State::Alone;
                return want;
            }
            let was_above = !packed.outbox.below_mark();
            if !want.hold || was_above {
                packed.say(io.outbox);
            }
            if was_above && packed.outbox.below_mark() {
                next = Some(Input::Drained);
            } else if !want.read || !io.outbox.below_mark() || left == 0 {
                break;
            }
        }
        self.wait(now, want, left == 0)
    }

    /// With the moments at which something is to be done here.
    fn wait(&mut self, now: Now, want: Want, unfinished: bool) -> Want {
        let State::Packed(packed) = &mut self.state else { return want };
        let at = if unfinished { Some(now.moment + BREATH) } else { packed.rest(now.moment) };
        let deadline = match (want.deadline, at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Want { deadline, ..want }
    }

    /// What was answered before is still sent.
    fn fail(&mut self, now: Now, io: &mut Io<'_, S::Effect>) -> Want {
        self.session.compression_failed();
        if let State::Packed(packed) = &mut self.state {
            packed.say_all(io.outbox);
        }
        let want = self.alone(now, Input::Gone, io);
        Want { stream: Stream::Flush, ..want }
    }

    /// A step of a session that has no stream: what it would still say goes nowhere.
    fn alone(&mut self, now: Now, input: Input<S::Completion>, io: &mut Io<'_, S::Effect>) -> Want {
        self.state = State::Alone;
        let (mut inbox, mut outbox) = (Inbox::new(0), Outbox::new(1));
        let mut nowhere = Io { inbox: &mut inbox, outbox: &mut outbox, effects: &mut *io.effects };
        let want = self.session.step(now, input, &mut nowhere);
        Want { read: false, hold: false, ..want }
    }
}

impl Packed {
    /// Whether the session is to hear now that nothing more will come.
    fn ends(&self, inbox: &Inbox) -> bool {
        match self.ended {
            None => self.inflater.has_ended(),
            Some(told) => told == Told::No && inbox.is_empty() && !self.inflater.holds_more(),
        }
    }

    /// Packs what the session has said, until nothing is left or `outbox` is at its mark.
    fn say(&mut self, outbox: &mut Outbox) {
        while !self.outbox.is_empty() && outbox.below_mark() {
            let count = deflate(self.outbox.unsent(), outbox);
            self.outbox.sent(count);
        }
    }

    /// The same, however much it is: nothing comes after it.
    fn say_all(&mut self, outbox: &mut Outbox) {
        while !self.outbox.is_empty() {
            let count = deflate(self.outbox.unsent(), outbox);
            self.outbox.sent(count);
        }
    }

    /// Packs the inflater's memory once nothing has come for a while; until then, says when.
    fn rest(&mut self, now: Moment) -> Option<Moment> {
        if !self.inflater.can_rest() {
            self.rests_at = None;
        } else if self.rests_at.is_some_and(|at| at <= now) {
            self.inflater.rest();
            self.rests_at = None;
        } else if self.rests_at.is_none() {
            self.rests_at = Some(now + RESTS_AFTER);
        }
        self.rests_at
    }
}

impl<S: Compresses> Machine for Compressing<S> {
    type Effect = S::Effect;
    type Completion = S::Completion;

    fn step(&mut self, now: Now, input: Input<S::Completion>, io: &mut Io<'_, S::Effect>) -> Want {
        match (&mut self.state, input) {
            (State::Plain, input) => self.step_plain(now, input, io),
            (State::Alone, input) => self.alone(now, input, io),
            (State::Packed(packed), Input::Eof) => {
                packed.ended.get_or_insert(Told::No);
                self.step_packed(now, Input::Bytes, io)
            }
            (State::Packed(packed), input) => {
                if matches!(input, Input::Bytes) {
                    packed.rests_at = None;
                }
                self.step_packed(now, input, io)
            }
        }
    }
}

impl<S: Compresses> Session for Compressing<S> {
    fn takes_tls(&mut self) -> bool {
        self.session.takes_tls()
    }

    fn secured(&mut self, agreed: Agreed) {
        self.session.secured(agreed);
    }

    fn tls_failed(&mut self, error: &TlsError) {
        self.session.tls_failed(error);
    }
}

impl<S: fmt::Debug> fmt::Debug for Compressing<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Plain => "plain",
            State::Packed(_) => "packed",
            State::Alone => "alone",
        };
        write!(f, "Compressing({state}, {:?})", self.session)
    }
}

#[cfg(test)]
mod tests;
