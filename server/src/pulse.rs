//! Signs of life for the service manager, which come only while the server lives.
//!
//! A beat is a machine among the others, one on each of the runtime's threads. Each beats when
//! its time has come; once all have, a reader's hands tell the manager: for the first time that
//! the server is ready, later that it lives. So a thread that is stuck, or a lane that carries out
//! nothing, is found out by silence, and the manager starts the server anew.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pillarbox_core::effect::{BoxMachine, Completion, Effect, Factory};
use pillarbox_core::{EffectId, Input, Io, Machine, Moment, Now, Want};
use pillarbox_runtime_std::Statistics;

use crate::job::Job;
use crate::notify;

/// What the beats of one server have in common.
pub struct Pulse {
    /// Between two beats; `None`: there is only the first.
    every: Option<Duration>,
    statistics: Arc<Statistics>,
    state: Mutex<State>,
}

struct State {
    /// Who has beaten since the last report.
    beaten: Vec<bool>,
    /// The manager knows that the server is ready.
    told: bool,
}

impl Pulse {
    /// The beats for `threads` threads, as the manager wants them: none without a manager, one
    /// each where it wants no watchdog.
    #[must_use]
    pub fn wanted(threads: usize, statistics: &Arc<Statistics>) -> Vec<Factory<Job>> {
        if !notify::is_wanted() {
            return Vec::new();
        }
        // Half, so that one that comes late is not the last.
        let every = notify::watchdog().map(|period| period / 2);
        let state = Mutex::new(State { beaten: vec![false; threads], told: false });
        let pulse = Arc::new(Self { every, statistics: Arc::clone(statistics), state });
        let beat = |place| {
            let pulse = Arc::clone(&pulse);
            Box::new(move || Beat::machine(pulse, place)) as Factory<Job>
        };
        (0..threads).map(beat).collect()
    }

    /// Says whether it was the last that was missing.
    fn beat(&self, place: usize) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(beaten) = state.beaten.get_mut(place) {
            *beaten = true;
        }
        let all = state.beaten.iter().all(|beaten| *beaten);
        if all {
            state.beaten.fill(false);
        }
        all
    }

    /// Tells the manager; may wait for it.
    pub(crate) fn report(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = !std::mem::replace(&mut state.told, true);
        drop(state);
        if first {
            notify::ready();
        } else {
            notify::alive(&format!("serving, {} connections", self.statistics.open.value()));
        }
    }
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pulse(every {:?})", self.every)
    }
}

/// One thread's.
#[derive(Debug)]
struct Beat {
    pulse: Arc<Pulse>,
    place: usize,
    due: Moment,
    /// A report is under way.
    reporting: bool,
}

impl Beat {
    fn machine(pulse: Arc<Pulse>, place: usize) -> BoxMachine<Job> {
        Box::new(Self { pulse, place, due: Moment::default(), reporting: false })
    }
}

impl Machine for Beat {
    type Effect = Effect<Job>;
    type Completion = Completion<Job>;

    fn step(
        &mut self,
        now: Now,
        input: Input<Completion<Job>>,
        io: &mut Io<'_, Effect<Job>>,
    ) -> Want {
        match input {
            Input::Stop => return Want::END,
            Input::Done(..) => self.reporting = false,
            _ => {}
        }
        if now.moment >= self.due {
            self.due = now.moment + self.pulse.every.unwrap_or(Duration::MAX);
            if self.pulse.beat(self.place) {
                self.reporting = true;
                let report = Job::Report(Arc::clone(&self.pulse));
                io.effects.push((EffectId(0), Effect::Job(report)));
            }
        }
        match self.pulse.every {
            None if self.reporting => Want { read: false, ..Want::READ },
            None => Want::END,
            Some(_) => Want { read: false, deadline: Some(self.due), ..Want::READ },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pillarbox_core::{Inbox, Outbox};

    fn pulse(every: Option<Duration>, threads: usize) -> Arc<Pulse> {
        let state = Mutex::new(State { beaten: vec![false; threads], told: false });
        Arc::new(Pulse { every, statistics: Arc::default(), state })
    }

    /// One call at this many seconds; the number of reports, and the wish.
    fn step(
        beat: &mut BoxMachine<Job>,
        second: u64,
        input: Input<Completion<Job>>,
    ) -> (usize, Want) {
        let (mut inbox, mut outbox) = (Inbox::new(1), Outbox::new(1));
        let mut effects = Vec::new();
        let mut io = Io { inbox: &mut inbox, outbox: &mut outbox, effects: &mut effects };
        let moment = Moment::after_start(Duration::from_secs(second));
        let want = beat.step(Now { moment, ..Now::default() }, input, &mut io);
        (effects.len(), want)
    }

    #[test]
    fn nothing_is_told_unless_all_have_beaten() {
        let pulse = pulse(Some(Duration::from_secs(5)), 2);
        let mut beats = [0, 1].map(|place| Beat::machine(Arc::clone(&pulse), place));
        assert_eq!(step(&mut beats[0], 0, Input::Start).0, 0);
        let (reports, want) = step(&mut beats[1], 1, Input::Start);
        assert_eq!(reports, 1);
        assert_eq!(want.deadline, Some(Moment::after_start(Duration::from_secs(6))));
        // Called too early, and twice.
        assert_eq!(step(&mut beats[0], 4, Input::Timer).0, 0);
        for second in [5, 10, 15] {
            assert_eq!(step(&mut beats[0], second, Input::Timer).0, 0, "the other is missing");
        }
        assert_eq!(step(&mut beats[1], 15, Input::Timer).0, 1);
        assert_eq!(step(&mut beats[1], 20, Input::Timer).0, 0);
        assert!(step(&mut beats[1], 20, Input::Stop).1.done);
    }

    #[test]
    fn without_a_watchdog_there_is_one_report() {
        let pulse = pulse(None, 2);
        let mut beats = [0, 1].map(|place| Beat::machine(Arc::clone(&pulse), place));
        assert!(step(&mut beats[0], 0, Input::Start).1.done);
        let (reports, want) = step(&mut beats[1], 0, Input::Start);
        assert_eq!((reports, want.done, want.deadline), (1, false, None));
        let told = Completion::Answer(Ok(crate::job::Answer::Reported));
        assert!(step(&mut beats[1], 1, Input::Done(EffectId(0), told)).1.done);
    }
}
