//! How a machine's stream comes and goes.

use pillarbox_core::effect::{Completion, Connected, Fault, FaultKind, Job};
use pillarbox_core::{EffectId, Input, Moment, Now};

use super::Conversation;
use crate::link::{
    Closing, Connecting, Dial, Link, Open, Phase, Receiving, Socket, Step, begin_connect,
};

impl<J: Job, S: Socket> Conversation<J, S> {
    /// A connect effect: at once, or as soon as the last stream is closed.
    pub(super) fn connect(&mut self, dial: Dial) {
        match &mut self.link {
            Link::None => self.dial(&dial),
            Link::Closing(closing) if closing.then.is_none() => {
                closing.until = closing.until.min(dial.until);
                closing.then = Some(dial);
            }
            _ => self.refuse(dial.id, "the machine has a stream"),
        }
    }

    fn dial(&mut self, dial: &Dial) {
        match begin_connect(dial.to, dial.from).and_then(S::adopt) {
            Ok(socket) => {
                let &Dial { id, to, until, .. } = dial;
                self.link = Link::Connecting(Box::new(Connecting { socket, id, to, until }));
            }
            Err(error) => {
                let fault = Fault::new(FaultKind::Temporary, format!("{}: {error}", dial.to));
                self.seat.mailbox.post(dial.id, Completion::Connected(Err(fault)));
            }
        }
    }

    pub(super) fn connected(&mut self, now: Now, connected: Connected) {
        match std::mem::replace(&mut self.link, Link::None) {
            Link::Connecting(connecting) => {
                let Connecting { socket, id, .. } = *connecting;
                self.clear_buffers();
                self.link = Link::Open(Open::new(socket));
                self.step(now, Input::Done(id, Completion::Connected(Ok(connected))));
            }
            other => self.link = other,
        }
    }

    pub(super) fn not_connected(&mut self, now: Now, fault: Fault) {
        match std::mem::replace(&mut self.link, Link::None) {
            Link::Connecting(connecting) => {
                self.step(now, Input::Done(connecting.id, Completion::Connected(Err(fault))));
            }
            other => self.link = other,
        }
    }

    /// The stream has failed in both directions.
    pub(super) fn gone(&mut self, now: Now) {
        self.cut();
        self.step(now, Input::Gone);
    }

    /// Ends the stream in good order.
    pub(super) fn close(&mut self, now: Moment) {
        match std::mem::replace(&mut self.link, Link::None) {
            Link::Open(open) => {
                self.inbox.clear();
                self.above = false;
                self.link = Link::Closing(Box::new(Closing {
                    socket: open.socket,
                    phase: Phase::Sending,
                    until: now + self.seat.services.limits.write_stall_max,
                    ended: open.receiving == Receiving::Ended,
                    then: None,
                }));
                if open.stalled.is_none() {
                    self.advance_closing(now);
                }
            }
            Link::Connecting(connecting) => self.refuse(connecting.id, GIVEN_UP),
            other => self.link = other,
        }
    }

    pub(super) fn advance_closing(&mut self, now: Moment) {
        let Link::Closing(closing) = &mut self.link else { return };
        match closing.advance(&mut self.outbox, now + self.seat.services.limits.linger) {
            Ok(Step::Wait(sent)) => self.seat.services.statistics.bytes_out.add(sent),
            Ok(Step::Over(sent)) => {
                self.seat.services.statistics.bytes_out.add(sent);
                self.closed();
            }
            Err(_) => self.closed(),
        }
    }

    /// The stream is closed, in good order or because its time is over.
    pub(super) fn closed(&mut self) {
        self.clear_buffers();
        if let Link::Closing(closing) = std::mem::replace(&mut self.link, Link::None)
            && let Some(dial) = &closing.then
        {
            self.dial(dial);
        }
    }

    /// Ends the stream at once.
    pub(super) fn cut(&mut self) {
        self.clear_buffers();
        match std::mem::replace(&mut self.link, Link::None) {
            Link::Connecting(connecting) => self.refuse(connecting.id, GIVEN_UP),
            Link::Closing(closing) => {
                if let Some(dial) = &closing.then {
                    self.refuse(dial.id, GIVEN_UP);
                }
            }
            Link::None | Link::Open(_) => {}
        }
    }

    fn refuse(&self, id: EffectId, reason: &str) {
        let fault = Fault::new(FaultKind::Permanent, reason);
        self.seat.mailbox.post(id, Completion::Connected(Err(fault)));
    }

    fn clear_buffers(&mut self) {
        self.inbox.clear();
        self.outbox.clear();
        self.above = false;
    }
}

const GIVEN_UP: &str = "given up by the machine that asked for it";
