//! A session with TLS around it: the machine that a runtime drives for a client's connection.
//!
//! A [`Session`] is a machine that speaks a protocol in clear and knows when it wants TLS. Wrapped
//! in a [`Connection`], it never sees a cipher byte: cipher inbox → plain inbox → session → plain
//! outbox → cipher outbox. Without TLS the runtime's own buffers are handed straight through.

use std::fmt;
use std::time::Duration;

use crate::alpn;
use crate::tls::{Acceptor, Agreed, Connector, Layer, TlsError};
use crate::{Inbox, Input, Io, Machine, Moment, Now, Outbox, Stream, Want};

/// A machine that speaks a protocol in clear, and may ask for TLS around it.
pub trait Session: Machine {
    /// Asked after each step: true once, when the session has said yes to STARTTLS and everything
    /// after its reply is to be TLS.
    fn takes_tls(&mut self) -> bool;

    /// Asked after each step: once, with whom TLS begins as a client, which this session then is.
    /// Either the server has said yes to STARTTLS, or the stream was just connected (RFC 8314) and
    /// nothing was said yet.
    fn connects_tls(&mut self) -> Option<Connector> {
        None
    }

    /// The handshake is done. What was said before it does not count (RFC 3207 §4.2).
    fn secured(&mut self, agreed: Agreed);

    /// TLS went wrong, for the session's log; the next input is [`Input::Gone`].
    fn tls_failed(&mut self, error: &TlsError);
}

impl<S: Session + ?Sized> Session for Box<S> {
    fn takes_tls(&mut self) -> bool {
        (**self).takes_tls()
    }

    fn connects_tls(&mut self) -> Option<Connector> {
        (**self).connects_tls()
    }

    fn secured(&mut self, agreed: Agreed) {
        (**self).secured(agreed);
    }

    fn tls_failed(&mut self, error: &TlsError) {
        (**self).tls_failed(error);
    }
}

/// When TLS begins on a connection.
#[derive(Debug, Clone)]
pub enum Security {
    /// Never: the session must not ask for it.
    Clear,
    /// When the session asks for it (STARTTLS).
    Offered(Acceptor),
    /// At once (RFC 8314: implicit TLS).
    Implicit(Acceptor),
}

/// Sizes and times of the TLS layer.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The session's inbox under TLS, in bytes.
    pub inbox_max: usize,
    /// The mark of the session's outbox under TLS, in bytes.
    pub outbox_mark: usize,
    /// A handshake that takes longer ends the connection.
    pub handshake_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { inbox_max: 65_536, outbox_mark: 65_536, handshake_within: Duration::from_secs(60) }
    }
}

/// Makes the session of the protocol that a client has asked for.
pub type Choose<S> = Box<dyn FnOnce(alpn::Protocol) -> S>;

/// A session with TLS around it, where and when it wants it.
pub struct Connection<S> {
    session: S,
    /// Where the protocol is not settled before the handshake.
    choose: Option<Choose<S>>,
    layer: State,
    limits: Limits,
}

#[derive(Debug)]
enum State {
    Clear(Security),
    /// The session does not hear or say anything before the handshake is done.
    Handshake {
        tls: Box<Tls>,
        until: Moment,
        /// The session has not had its [`Input::Start`] yet.
        fresh: bool,
    },
    Open(Box<Tls>),
    /// The stream is closed, but the session still brings something to its end.
    Alone,
    Ended,
}

#[derive(Debug)]
struct Tls {
    layer: Layer,
    inbox: Inbox,
    outbox: Outbox,
    /// `close_notify` has come: an end of the stream is then no news, and no truncation.
    closed: bool,
}

impl<S: Session> Connection<S> {
    /// Wraps a session.
    pub const fn new(session: S, security: Security, limits: Limits) -> Self {
        Self { session, choose: None, layer: State::Clear(security), limits }
    }

    /// Speaks by ALPN what the client asks for; `session` is for those who do not ask, and hears
    /// of a handshake that fails.
    #[must_use]
    pub const fn choosing(
        session: S,
        choose: Choose<S>,
        acceptor: Acceptor,
        limits: Limits,
    ) -> Self {
        let layer = State::Clear(Security::Implicit(acceptor));
        Self { session, choose: Some(choose), layer, limits }
    }

    fn begin_tls(&mut self, now: Now, layer: Layer, fresh: bool) {
        self.layer = State::Handshake {
            tls: Box::new(Tls {
                layer,
                inbox: Inbox::new(self.limits.inbox_max),
                outbox: Outbox::new(self.limits.outbox_mark),
                closed: false,
            }),
            until: now.moment + self.limits.handshake_within,
            fresh,
        };
    }

    /// In clear: the session works on the runtime's buffers.
    fn step_clear(
        &mut self,
        now: Now,
        input: Input<S::Completion>,
        io: &mut Io<'_, S::Effect>,
    ) -> Want {
        let want = self.session.step(now, input, io);
        if let Some(connector) = self.session.connects_tls() {
            return self.connect(now, &connector, io);
        }
        if !self.session.takes_tls() {
            return want;
        }
        let State::Clear(Security::Offered(acceptor)) = &self.layer else {
            return Want::ABORT;
        };
        let acceptor = acceptor.clone();
        // RFC 3207 §4.2 and the injections of CVE-2011-0411: what came in clear behind STARTTLS
        // must not be read as if it had come under TLS. The session has refused it already.
        if !io.inbox.is_empty() {
            return Want::ABORT;
        }
        self.begin_tls(now, Layer::accept(&acceptor), false);
        self.handshake(now, io)
    }

    /// As a client.
    fn connect(&mut self, now: Now, connector: &Connector, io: &mut Io<'_, S::Effect>) -> Want {
        // RFC 3207 §4.2: as on the other side, what somebody put behind the yes in clear.
        let begun = match Layer::connect(connector, now.wall) {
            Ok(_) if !io.inbox.is_empty() => Err(TlsError::injected()),
            begun => begun,
        };
        match begun {
            Ok(layer) => {
                self.begin_tls(now, layer, false);
                self.handshake(now, io)
            }
            Err(error) => self.fail(now, &error, io),
        }
    }

    fn handshake(&mut self, now: Now, io: &mut Io<'_, S::Effect>) -> Want {
        let State::Handshake { tls, until, fresh } = &mut self.layer else {
            return Want::ABORT;
        };
        if now.moment >= *until {
            let error = TlsError::timed_out();
            return self.fail(now, &error, io);
        }
        let (until, fresh) = (*until, *fresh);
        match tls.layer.open(io.inbox, &mut tls.inbox, io.outbox) {
            Err(error) => self.fail(now, &error, io),
            Ok(opened) if opened.closed => {
                let error = TlsError::closed_early();
                self.fail(now, &error, io)
            }
            Ok(_) => {
                let Some(agreed) = tls.layer.agreed() else {
                    return Want { deadline: Some(until), ..Want::READ };
                };
                if let (Some(protocol), Some(choose)) = (agreed.alpn, self.choose.take()) {
                    self.session = choose(protocol);
                }
                self.session.secured(agreed);
                self.layer = match std::mem::replace(&mut self.layer, State::Ended) {
                    State::Handshake { tls, .. } => State::Open(tls),
                    other => other,
                };
                self.step_open(now, if fresh { Input::Start } else { Input::Bytes }, io)
            }
        }
    }

    /// Under TLS: the session works on buffers of its own, and we carry between the two pairs.
    fn step_open(
        &mut self,
        now: Now,
        input: Input<S::Completion>,
        io: &mut Io<'_, S::Effect>,
    ) -> Want {
        let mut next = Some(input);
        let mut want = Want::READ;
        loop {
            let State::Open(tls) = &mut self.layer else { return Want::ABORT };
            let opened = match tls.layer.open(io.inbox, &mut tls.inbox, io.outbox) {
                Ok(opened) => opened,
                Err(error) => return self.fail(now, &error, io),
            };
            let ended = opened.closed && !tls.closed;
            tls.closed |= opened.closed;
            if next.is_none() && !opened.bytes && !ended {
                return want;
            }
            // Bytes are told before the end behind them; the end is told once.
            let input = next.take().unwrap_or(Input::Bytes);
            let mut plain =
                Io { inbox: &mut tls.inbox, outbox: &mut tls.outbox, effects: &mut *io.effects };
            want = self.session.step(now, input, &mut plain);
            if ended && !want.done && want.stream == Stream::Keep {
                want = self.session.step(now, Input::Eof, &mut plain);
            }
            if want.done || want.stream != Stream::Keep {
                return self.close(want, io);
            }
            let was_above = !tls.outbox.below_mark();
            tls.layer.seal(&mut tls.outbox, io.outbox);
            if was_above && tls.outbox.below_mark() {
                next = Some(Input::Drained);
            } else if !want.read || !io.outbox.below_mark() {
                return want;
            }
        }
    }

    fn close(&mut self, want: Want, io: &mut Io<'_, S::Effect>) -> Want {
        if let State::Open(tls) = &mut self.layer
            && want.stream == Stream::Flush
        {
            tls.layer.finish(&mut tls.outbox, io.outbox);
        }
        self.layer = if want.done { State::Ended } else { State::Alone };
        want
    }

    /// The alert that tells the peer why, if one is due, lies in the outbox and is still sent.
    fn fail(&mut self, now: Now, error: &TlsError, io: &mut Io<'_, S::Effect>) -> Want {
        self.session.tls_failed(error);
        Want { stream: Stream::Flush, ..self.alone(now, Input::Gone, io) }
    }

    /// A step of a session that has no stream: what it would still say goes nowhere.
    fn alone(&mut self, now: Now, input: Input<S::Completion>, io: &mut Io<'_, S::Effect>) -> Want {
        let (mut inbox, mut outbox) = (Inbox::new(0), Outbox::new(1));
        let mut nowhere = Io { inbox: &mut inbox, outbox: &mut outbox, effects: &mut *io.effects };
        let want = self.session.step(now, input, &mut nowhere);
        self.layer = if want.done { State::Ended } else { State::Alone };
        // A stream that is being closed is left to end as it does.
        Want { read: false, hold: false, stream: Stream::Flush, ..want }
    }
}

impl<S: Session> Machine for Connection<S> {
    type Effect = S::Effect;
    type Completion = S::Completion;

    fn step(&mut self, now: Now, input: Input<S::Completion>, io: &mut Io<'_, S::Effect>) -> Want {
        match (&self.layer, input) {
            (State::Ended, _) => Want::ABORT,
            (State::Alone, input) => self.alone(now, input, io),
            (State::Clear(Security::Implicit(acceptor)), Input::Start) => {
                let acceptor = acceptor.clone();
                self.begin_tls(now, Layer::accept(&acceptor), true);
                self.handshake(now, io)
            }
            (State::Clear(_), input) => self.step_clear(now, input, io),
            (State::Handshake { .. }, Input::Eof | Input::Gone | Input::Stop) => {
                let error = TlsError::closed_early();
                self.fail(now, &error, io)
            }
            (State::Handshake { .. }, _) => self.handshake(now, io),
            // A stream that ends without `close_notify` may have been cut by somebody else
            // (RFC 8446 §6.1): nothing after the last whole command counts.
            (State::Open(tls), Input::Eof) if !tls.closed => {
                Want { stream: Stream::Abort, ..self.alone(now, Input::Gone, io) }
            }
            (State::Open(_), Input::Eof) => self.step_open(now, Input::Bytes, io),
            (State::Open(_), input) => self.step_open(now, input, io),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?}, {:?})", self.layer, self.session)
    }
}

#[cfg(test)]
mod tests;
