//! A machine that hears from a proxy first whose connection it is.

use core::net::SocketAddr;
use std::fmt;
use std::time::Duration;

use super::{Read, Source, Wrong, read};
use crate::{Input, Io, Machine, Moment, Now, Want};

/// Reads a header, then is the machine that was made for the client it names.
pub struct Behind<M>(State<M>);

/// Makes the machine, told the header; a mistake is told too, and makes none.
pub type Make<M> = Box<dyn FnOnce(Result<Source, Wrong>) -> Option<M>>;

enum State<M> {
    Header { make: Make<M>, until: Moment },
    Open(M),
    Ended,
}

/// A proxy sends its header at once. One that does not is no proxy.
const HEADER_WITHIN: Duration = Duration::from_secs(10);

impl<M: Machine> Behind<M> {
    /// A connection of which nothing has been read. `make` is given the address of the client and
    /// the one that it connected to, or what is wrong; then the connection is closed.
    pub fn new(make: Make<M>) -> Self {
        Self(State::Header { make, until: Moment::START })
    }

    /// A connection that did not come from a proxy of ours: closed at once, unread.
    #[must_use]
    pub const fn refused() -> Self {
        Self(State::Ended)
    }

    fn header(
        &mut self,
        now: Now,
        input: &Input<M::Completion>,
        io: &mut Io<'_, M::Effect>,
    ) -> Want {
        let State::Header { until, .. } = &mut self.0 else { return self.end() };
        if matches!(input, Input::Start) {
            *until = now.moment + HEADER_WITHIN;
        }
        let deadline = *until;
        let read = match read(io.inbox.unread()) {
            Ok(Read::NeedBytes) => match input {
                // A health check may be no more than a connection.
                Input::Eof | Input::Gone | Input::Stop => return self.end(),
                _ if now.moment >= deadline => return self.end(),
                _ => return Want { deadline: Some(deadline), ..Want::READ },
            },
            Ok(Read::Header(used, source)) => {
                io.inbox.consume(used);
                Ok(source)
            }
            Err(wrong) => Err(wrong),
        };
        let State::Header { make, .. } = std::mem::replace(&mut self.0, State::Ended) else {
            return self.end();
        };
        let Some(machine) = make(read) else { return self.end() };
        self.0 = State::Open(machine);
        let State::Open(machine) = &mut self.0 else { return self.end() };
        let mut want = machine.step(now, Input::Start, io);
        if !want.done && !io.inbox.is_empty() {
            want = machine.step(now, Input::Bytes, io);
        }
        if !want.done && matches!(input, Input::Eof) {
            want = machine.step(now, Input::Eof, io);
        }
        want
    }

    fn end(&mut self) -> Want {
        self.0 = State::Ended;
        Want::ABORT
    }
}

impl<M: Machine> Machine for Behind<M> {
    type Effect = M::Effect;
    type Completion = M::Completion;

    fn step(&mut self, now: Now, input: Input<M::Completion>, io: &mut Io<'_, M::Effect>) -> Want {
        match &mut self.0 {
            State::Open(machine) => machine.step(now, input, io),
            State::Header { .. } => self.header(now, &input, io),
            State::Ended => Want::ABORT,
        }
    }
}

impl<M: fmt::Debug> fmt::Debug for Behind<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            State::Header { .. } => f.write_str("Behind(header)"),
            State::Open(machine) => write!(f, "Behind({machine:?})"),
            State::Ended => f.write_str("Behind(ended)"),
        }
    }
}

impl Source {
    /// The client's address; the connection's own where the proxy speaks for itself.
    #[must_use]
    pub const fn client(self, peer: SocketAddr) -> SocketAddr {
        match self {
            Self::Client(from, _) => from,
            Self::Proxy => peer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Inbox, Outbox, UnixSeconds};

    /// Says who it is for, and repeats what it hears.
    struct Echo(SocketAddr);

    impl Machine for Echo {
        type Effect = ();
        type Completion = ();

        fn step(&mut self, _: Now, input: Input<()>, io: &mut Io<'_, ()>) -> Want {
            if matches!(input, Input::Start) {
                io.outbox.push(format!("{}\n", self.0).as_bytes());
            }
            let unread = io.inbox.unread().to_vec();
            io.outbox.push(&unread);
            io.inbox.consume(unread.len());
            if matches!(input, Input::Eof) { Want::END } else { Want::READ }
        }
    }

    fn behind() -> Behind<Echo> {
        let peer = "198.51.100.1:9".parse().unwrap();
        Behind::new(Box::new(move |read| read.ok().map(|source| Echo(source.client(peer)))))
    }

    fn at(seconds: u64) -> Now {
        Now { moment: Moment::START + Duration::from_secs(seconds), wall: UnixSeconds(0) }
    }

    /// What is said to these pieces, and the last wish.
    fn said(pieces: &[&[u8]]) -> (String, Want) {
        let mut machine = behind();
        let (mut inbox, mut outbox, mut effects) =
            (Inbox::new(4_096), Outbox::new(4_096), Vec::new());
        let mut step = |machine: &mut Behind<Echo>, input, bytes: &[u8]| {
            inbox.extend(bytes);
            let mut io = Io { inbox: &mut inbox, outbox: &mut outbox, effects: &mut effects };
            let want = machine.step(at(1), input, &mut io);
            (want, String::from_utf8(outbox.unsent().to_vec()).unwrap())
        };
        let (mut want, mut text) = step(&mut machine, Input::Start, b"");
        for piece in pieces {
            if !want.done {
                (want, text) = step(&mut machine, Input::Bytes, piece);
            }
        }
        (text, want)
    }

    #[test]
    fn the_machine_begins_behind_the_header() {
        let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nEHLO";
        assert_eq!(said(&[line]), ("192.0.2.1:56324\nEHLO".into(), Want::READ));
        for cut in 0..line.len() {
            assert_eq!(said(&[&line[..cut], &line[cut..]]).0, "192.0.2.1:56324\nEHLO");
        }
        assert_eq!(said(&[b"PROXY UNKNOWN\r\n"]).0, "198.51.100.1:9\n");
    }

    #[test]
    fn without_a_header_nothing_is_said() {
        assert_eq!(said(&[b"EHLO client.example\r\n"]), (String::new(), Want::ABORT));
    }

    #[test]
    fn a_stranger_is_not_heard() {
        let mut machine = Behind::<Echo>::refused();
        let (mut inbox, mut outbox, mut effects) = (Inbox::new(99), Outbox::new(99), Vec::new());
        let mut io = Io { inbox: &mut inbox, outbox: &mut outbox, effects: &mut effects };
        assert_eq!(machine.step(at(1), Input::Start, &mut io), Want::ABORT);
    }

    #[test]
    fn silence_ends() {
        let mut machine = behind();
        let (mut inbox, mut outbox, mut effects) = (Inbox::new(99), Outbox::new(99), Vec::new());
        let mut step = |input, seconds| {
            let mut io = Io { inbox: &mut inbox, outbox: &mut outbox, effects: &mut effects };
            machine.step(at(seconds), input, &mut io)
        };
        let want = step(Input::Start, 5);
        assert_eq!(want.deadline, Some(at(15).moment));
        assert_eq!(step(Input::Timer, 14), want);
        assert_eq!(step(Input::Timer, 15), Want::ABORT);
    }
}
