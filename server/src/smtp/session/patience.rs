//! How long a client is waited for: for a command to begin, for the rest of it, for a body, and in
//! all. Without the last three, a byte a minute would hold a session for ever.
//!
//! What the client waits for does not count against it: the clock stands still meanwhile.

use std::time::Duration;

use pillarbox_core::smtp::Reading;
use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};
use pillarbox_core::{Moment, Outbox};

use super::SmtpSession;

/// How long an SMTP session may take, and how slowly it is answered. Who takes longer gets `421`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// Without a byte from the client. Default: 5 minutes, the least that RFC 5321 §4.5.3.2.7
    /// asks for.
    pub idle_max: Duration,
    /// From the first byte of a command to its end. Default: 5 minutes.
    pub command_max: Duration,
    /// For a body, all its chunks together. Default: 2 hours.
    pub body_max: Duration,
    /// Bytes a second that a body must bring once [`idle_max`](Self::idle_max) has passed since it
    /// began, on average; 0: any number. Default: 500.
    pub body_rate_min: u64,
    /// For the whole session; a body under way is waited for. Default: 6 hours.
    pub session_max: Duration,
    /// How much later a client that makes one mistake after the other is answered, at most; zero:
    /// no later than others. Default: 20 seconds. See also
    /// [`LINE_WAIT_MAX`](Self::LINE_WAIT_MAX).
    pub slow_max: Duration,
}

impl TimeLimits {
    /// How much later all the lines of a group are answered together, at most: clients wait five
    /// minutes (RFC 5321 §4.5.3.2), and not all of them wait that long.
    pub const LINE_WAIT_MAX: Duration = Duration::from_secs(25);
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            idle_max: Duration::from_secs(5 * 60),
            command_max: Duration::from_secs(5 * 60),
            body_max: Duration::from_secs(2 * 60 * 60),
            body_rate_min: 500,
            session_max: Duration::from_secs(6 * 60 * 60),
            slow_max: Duration::from_secs(20),
        }
    }
}

/// How long this client is still waited for.
#[derive(Debug)]
pub(super) struct Patience {
    limits: TimeLimits,
    began: Moment,
    /// When something that the client had sent was last of use.
    heard: Moment,
    /// When the line that has not come to its end began.
    line: Option<Moment>,
    body: Option<Body>,
    /// Since when the client waits for us.
    paused: Option<Moment>,
}

#[derive(Debug)]
struct Body {
    began: Moment,
    bytes: u64,
}

/// What has lasted too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooLong {
    Silence,
    Command,
    Body,
    Session,
}

impl Patience {
    pub(super) const fn new(limits: TimeLimits, now: Moment) -> Self {
        Self { limits, began: now, heard: now, line: None, body: None, paused: None }
    }

    /// So many bytes were used, and this is read now.
    pub(super) fn follow(&mut self, now: Moment, used: usize, reading: Reading) {
        if used > 0 {
            self.heard = now;
            self.line.take_if(|_| reading != Reading::LongLine);
        }
        match reading {
            Reading::Body => {
                let body = self.body.get_or_insert(Body { began: now, bytes: 0 });
                body.bytes = body.bytes.saturating_add(used as u64);
            }
            Reading::LongLine => {
                self.line.get_or_insert(now);
            }
            Reading::BetweenChunks => {}
            Reading::Line | Reading::Nothing => self.body = None,
        }
    }

    /// What has come is not enough to go on.
    pub(super) fn wait_for_more(&mut self, now: Moment, unread: &[u8], reading: Reading) {
        if !unread.is_empty() && matches!(reading, Reading::Line | Reading::BetweenChunks) {
            self.line.get_or_insert(now);
        }
    }

    /// The client waits for us from now on.
    pub(super) fn pause(&mut self, now: Moment) {
        self.paused.get_or_insert(now);
    }

    /// We wait for the client, and have not for a while.
    pub(super) fn resume(&mut self, now: Moment) {
        let Some(since) = self.paused.take() else { return };
        let span = now.since(since);
        self.heard = self.heard + span;
        self.line = self.line.map(|began| began + span);
        if let Some(body) = &mut self.body {
            body.began = body.began + span;
        }
    }

    /// Until when it lasts; `None` while the client waits for us.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.paused.is_none().then(|| self.ends().0)
    }

    /// What has lasted too long, if anything has.
    pub(super) fn ended(&self, now: Moment) -> Option<TooLong> {
        let (ends, why) = self.ends();
        (self.paused.is_none() && now >= ends).then_some(why)
    }

    fn ends(&self) -> (Moment, TooLong) {
        let near = match self.line {
            Some(began) => (began + self.limits.command_max, TooLong::Command),
            None => (self.heard + self.limits.idle_max, TooLong::Silence),
        };
        let far = match &self.body {
            Some(body) => (body.ends(&self.limits), TooLong::Body),
            None => (self.began + self.limits.session_max, TooLong::Session),
        };
        if far.0 < near.0 { far } else { near }
    }
}

impl Body {
    /// RFC 5321 §4.5.3.2.5 gives each piece of a body three minutes, so a total must grow with
    /// what has come.
    fn ends(&self, limits: &TimeLimits) -> Moment {
        let paid = self.bytes.checked_div(limits.body_rate_min).map(Duration::from_secs);
        let span = paid.map_or(limits.body_max, |paid| limits.idle_max.saturating_add(paid));
        self.began + span.min(limits.body_max)
    }
}

impl TooLong {
    /// RFC 3463 §3.5, X.4.2: the connection is no good.
    fn reply(self) -> Reply {
        let text = match self {
            Self::Silence => return Reply::timed_out(),
            Self::Command => "the command has not come to its end for too long",
            Self::Body => "the message comes too slowly",
            Self::Session => "this session has lasted for too long",
        };
        Reply::new(Code::SHUTTING_DOWN, Enhanced::new(4, 2), text)
    }
}

impl SmtpSession {
    /// Ends a conversation that has lasted too long.
    pub(super) fn on_timer(&mut self, now: Moment, out: &mut Outbox) {
        let Some(why) = self.patience.ended(now) else { return };
        let reply = why.reply();
        log::info!(cid = self.client.id.as_str(), why = reply.text(); "client too slow");
        self.smtp.close(&reply, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: TimeLimits = TimeLimits {
        idle_max: Duration::from_secs(10),
        command_max: Duration::from_secs(20),
        body_max: Duration::from_secs(100),
        body_rate_min: 5,
        session_max: Duration::from_secs(60),
        slow_max: Duration::ZERO,
    };

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    /// Nothing is too long a moment before; this is, then.
    fn ends(patience: &Patience, seconds: u64, why: TooLong) {
        assert_eq!(patience.deadline(), Some(at(seconds)));
        assert_eq!(
            patience.ended(Moment::after_start(Duration::from_millis(seconds * 1_000 - 1))),
            None
        );
        assert_eq!(patience.ended(at(seconds)), Some(why));
    }

    #[test]
    fn a_command_has_its_time_from_its_first_byte() {
        let mut patience = Patience::new(LIMITS, at(0));
        patience.wait_for_more(at(1), b"", Reading::Line);
        ends(&patience, 10, TooLong::Silence);
        for second in 9..28 {
            patience.wait_for_more(at(second), b"NO", Reading::Line);
            ends(&patience, 29, TooLong::Command);
        }
        patience.follow(at(28), 6, Reading::Line);
        ends(&patience, 38, TooLong::Silence);
    }

    #[test]
    fn the_rest_of_a_long_line_gives_no_more_time() {
        let mut patience = Patience::new(LIMITS, at(0));
        for second in 5..20 {
            patience.follow(at(second), 1_000, Reading::LongLine);
            ends(&patience, 25, TooLong::Command);
        }
        patience.follow(at(20), 1, Reading::Line);
        ends(&patience, 30, TooLong::Silence);
    }

    #[test]
    fn a_body_has_the_time_that_its_bytes_pay_for() {
        let mut patience = Patience::new(LIMITS, at(0));
        patience.follow(at(1), 0, Reading::Body);
        ends(&patience, 10, TooLong::Silence);
        patience.follow(at(4), 1, Reading::Body);
        ends(&patience, 11, TooLong::Body);
        patience.follow(at(9), 49, Reading::Body);
        ends(&patience, 19, TooLong::Silence);
        patience.follow(at(15), 4, Reading::Body);
        ends(&patience, 21, TooLong::Body);
        patience.follow(at(20), 1, Reading::Body);
        ends(&patience, 22, TooLong::Body);
        // The hard limit, however much has come; the session's does not cut a body.
        for second in 21..100 {
            patience.follow(at(second), 1_000_000, Reading::Body);
        }
        ends(&patience, 101, TooLong::Body);
        // A chunk is not the end of it.
        patience.follow(at(100), 0, Reading::BetweenChunks);
        ends(&patience, 101, TooLong::Body);
        patience.follow(at(100), 0, Reading::Nothing);
        ends(&patience, 60, TooLong::Session);
    }

    #[test]
    fn any_pace_will_do_where_none_is_asked_for() {
        let mut patience = Patience::new(TimeLimits { body_rate_min: 0, ..LIMITS }, at(0));
        for second in 1..100 {
            patience.follow(at(second), 1, Reading::Body);
        }
        ends(&patience, 101, TooLong::Body);
    }

    #[test]
    fn busy_sessions_end_too() {
        let mut patience = Patience::new(LIMITS, at(0));
        for second in 1..60 {
            patience.follow(at(second), 6, Reading::Line);
        }
        ends(&patience, 60, TooLong::Session);
    }

    #[test]
    fn what_we_take_is_not_the_clients() {
        let mut patience = Patience::new(LIMITS, at(0));
        patience.follow(at(1), 1, Reading::Body);
        patience.pause(at(2));
        patience.pause(at(30));
        assert_eq!((patience.deadline(), patience.ended(at(40))), (None, None));
        patience.resume(at(42));
        patience.resume(at(50));
        ends(&patience, 51, TooLong::Silence);
        patience.follow(at(50), 1, Reading::Body);
        ends(&patience, 51, TooLong::Body);
    }
}
