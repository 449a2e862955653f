//! What each answer means, at each place.

use super::answer::Answer;
use super::text::Text;
use super::transaction::{At, Carrier, Fate, Todo};
use super::{Awaited, Client, Ending, Event, Next, Offers, Phase, Step};
use crate::smtp::config::Protocol;
use crate::smtp::reply::{Class, Code};
use crate::{Moment, Outbox};

impl Client {
    /// Reads on. `unread` is what has come and was not used, without a gap since the last call.
    pub fn next(&mut self, now: Moment, unread: &[u8], out: &mut Outbox) -> Step {
        let (used, event) = self.hear(unread, out);
        if self.since.is_none_or(|(progress, _)| progress != self.progress) {
            self.since = Some((self.progress, now));
        }
        let late = event.is_none() && self.deadline().is_some_and(|deadline| now >= deadline);
        let event = if late { Some(self.end(Ending::TimedOut)) } else { event };
        let next = match (event, &self.phase) {
            (Some(event), _) => Next::Event(event),
            (None, Phase::Closed) => Next::Closed,
            (None, Phase::Body(..)) if self.wants_body() => Next::AwaitBody,
            (None, Phase::Idle | Phase::Handshake) if self.awaited.is_empty() => Next::AwaitOwner,
            (None, _) => Next::NeedBytes,
        };
        Step { used, next }
    }

    fn hear(&mut self, unread: &[u8], out: &mut Outbox) -> (usize, Option<Event>) {
        if let Some(event) = self.pending.take() {
            return (0, Some(event));
        }
        let mut used = 0;
        while !matches!(self.phase, Phase::Handshake | Phase::Closed) {
            let rest = unread.get(used..).unwrap_or_default();
            let (taken, answer) = match self.reader.take(rest) {
                Ok(taken) => taken,
                Err(what) => return (unread.len(), Some(self.end(Ending::Malformed(what)))),
            };
            used += taken;
            let Some(answer) = answer else { break };
            self.progress += 1;
            let last = used == unread.len();
            let event = self.answered(answer, last, out);
            if event.is_some() {
                let closed = matches!(self.phase, Phase::Closed);
                return (if closed { unread.len() } else { used }, event);
            }
        }
        (used, None)
    }

    /// One answer. `last`: nothing has come behind it.
    fn answered(&mut self, answer: Answer, last: bool, out: &mut Outbox) -> Option<Event> {
        let Some(awaited) = self.awaited.pop_front() else {
            return Some(self.uncalled(answer));
        };
        if answer.code == Code::SHUTTING_DOWN && awaited != Awaited::Quit {
            return Some(self.shut(awaited, &answer.cut()));
        }
        match awaited {
            Awaited::Greeting if answer.class() == Class::Done => {
                self.hello(out);
                None
            }
            // RFC 5321 §3.1: a server that has no service is told goodbye.
            Awaited::Greeting => {
                out.push(b"QUIT\r\n");
                Some(self.end(Ending::Rejected(answer.cut())))
            }
            Awaited::Hello { extended } => self.greeted(extended, answer, out),
            Awaited::StartTls => Some(self.tls_answered(answer, last)),
            Awaited::Auth => self.login_answered(answer, out),
            Awaited::Quit => Some(self.end(Ending::Quit)),
            Awaited::Reset if answer.class() == Class::Done => self.go_on(out),
            Awaited::Reset => Some(self.end(Ending::Unexpected(answer.cut()))),
            Awaited::Mail
            | Awaited::Rcpt(_)
            | Awaited::Data
            | Awaited::LoneDot
            | Awaited::Chunk
            | Awaited::Message(_) => self.transacted(awaited, answer.cut(), out),
        }
    }

    fn greeted(&mut self, extended: bool, answer: Answer, out: &mut Outbox) -> Option<Event> {
        match answer.class() {
            Class::Done => {
                self.offers = if extended { Offers::read(&answer) } else { Offers::default() };
                self.phase = Phase::Idle;
                Some(Event::Ready)
            }
            // RFC 5321 §3.2: older servers do not know EHLO. LMTP has nothing older.
            Class::Permanent if extended && self.config.protocol == Protocol::Smtp => {
                let line = format!("HELO {}", self.config.name);
                self.say(&line, Awaited::Hello { extended: false }, out);
                None
            }
            _ => {
                out.push(b"QUIT\r\n");
                Some(self.end(Ending::Rejected(answer.cut())))
            }
        }
    }

    fn tls_answered(&mut self, answer: Answer, last: bool) -> Event {
        match answer.class() {
            // Bytes in clear behind the yes would be read as if they had come under TLS.
            Class::Done if !last => self.end(Ending::Injected),
            Class::Done => {
                self.phase = Phase::Handshake;
                Event::StartTls
            }
            Class::Temporary | Class::Permanent => Event::TlsRefused(answer.cut()),
            Class::GoOn => self.end(Ending::Unexpected(answer.cut())),
        }
    }

    /// An answer that nothing has asked for. In the midst of a message it refuses that, and what
    /// is still to come of it cannot be called back.
    fn uncalled(&mut self, answer: Answer) -> Event {
        let answer = answer.cut();
        let refuses = matches!(answer.class(), Class::Temporary | Class::Permanent);
        if let Phase::Body(transaction, _) = &mut self.phase
            && refuses
        {
            transaction.settle(&Fate::Refused { at: At::Body, answer: answer.clone() });
        }
        self.end(if answer.code == Code::SHUTTING_DOWN {
            Ending::ShuttingDown(answer)
        } else {
            Ending::Unexpected(answer)
        })
    }

    /// 421: also an answer to what was asked, where that is the message (RFC 5321 §3.8).
    fn shut(&mut self, awaited: Awaited, answer: &Answer) -> Event {
        if let (Phase::Sending(transaction), Awaited::Message(index)) = (&mut self.phase, awaited) {
            transaction.answered(index, answer);
        }
        self.end(Ending::ShuttingDown(answer.clone()))
    }

    fn transacted(&mut self, to: Awaited, answer: Answer, out: &mut Outbox) -> Option<Event> {
        let (Phase::Sending(transaction) | Phase::Body(transaction, _)) = &mut self.phase else {
            return Some(self.end(Ending::Unexpected(answer)));
        };
        let class = answer.class();
        let refused = matches!(class, Class::Temporary | Class::Permanent);
        let fits = refused
            || match to {
                Awaited::Data => class == Class::GoOn,
                _ => class == Class::Done,
            };
        if !fits {
            return Some(self.end(Ending::Unexpected(answer)));
        }
        match to {
            Awaited::Mail if refused => {
                transaction.settle(&Fate::Refused { at: At::Mail, answer });
            }
            Awaited::Mail => transaction.open = true,
            Awaited::Rcpt(index) => transaction.asked(index, answer),
            Awaited::Data if refused => {
                transaction.settle(&Fate::Refused { at: At::Data, answer });
            }
            // RFC 2920 §3.1: a server may take DATA though it took no recipient.
            Awaited::Data if !transaction.any() => {
                out.push(b".\r\n");
                self.awaited.push_back(Awaited::LoneDot);
                self.progress += 1;
            }
            Awaited::Data => self.begin_body(),
            Awaited::Chunk if refused => {
                transaction.settle(&Fate::Refused { at: At::Body, answer });
            }
            Awaited::Chunk => {}
            Awaited::LoneDot => transaction.open = false,
            Awaited::Message(index) => {
                transaction.answered(index, &answer);
                // A no may have been to the order of the commands, behind a chunk that was refused.
                transaction.open &= refused;
            }
            _ => {}
        }
        self.go_on(out)
    }

    fn begin_body(&mut self) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Sending(transaction) => {
                let stuffs = transaction.carrier == Carrier::Data;
                let text = Text::new(self.config.bare_ends, stuffs);
                Phase::Body(transaction, text)
            }
            other => other,
        };
    }

    /// What follows once an answer was taken in.
    fn go_on(&mut self, out: &mut Outbox) -> Option<Event> {
        if !self.awaited.is_empty() {
            return None;
        }
        match &self.phase {
            Phase::Body(transaction, _) if transaction.any() => return None,
            Phase::Sending(_) => {
                if self.say_next(out) {
                    return None;
                }
            }
            Phase::Body(..) => {}
            _ => return None,
        }
        if let Phase::Sending(transaction) = &self.phase
            && transaction.todo == Todo::Data
            && transaction.any()
        {
            self.begin_body();
            return None;
        }
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Sending(transaction) | Phase::Body(transaction, _) => {
                self.stale = transaction.open;
                Some(Event::Sent(transaction.fates()))
            }
            _ => None,
        }
    }
}
