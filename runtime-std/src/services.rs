//! What all machines of a server share.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use pillarbox_core::effect::{Crew, Job};

use crate::admission::Admission;
use crate::bodies::Bodies;
use crate::clock::Clock;
use crate::exchange::Exchanges;
use crate::lanes::Lanes;
use crate::mailbox::Mailbox;
use crate::setup::{Limits, RunError};
use crate::statistics::Statistics;
use crate::stop::{Roll, Stopper};
use crate::topics::Topics;

/// The shared half of a runtime: everything but waiting for streams.
///
/// A runtime [`begin`](Self::begin)s it, lets conversations and accepting loops enter the
/// [`roll`](Self::roll), waits in [`Roll::see_out`], and [`end`](Self::end)s it.
#[derive(Debug)]
pub struct Services<J: Job> {
    /// The present.
    pub clock: Clock,
    /// How much is too much.
    pub limits: Limits,
    /// Who may come in.
    pub admission: Arc<Admission>,
    /// Where jobs and file work are carried out.
    pub lanes: Lanes<J>,
    /// Where questions are asked.
    pub exchanges: Exchanges<J>,
    /// Who watches what.
    pub topics: Topics<J>,
    /// Who is there.
    pub roll: Roll<J>,
    /// What is counted.
    pub statistics: Arc<Statistics>,
}

impl<J: Job> Services<J> {
    /// Starts the threads of the lanes and of the exchanges.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn begin(
        crew: Crew<J>,
        bodies: &Path,
        limits: Limits,
        statistics: Arc<Statistics>,
        stopper: &Stopper,
    ) -> Result<Arc<Self>, RunError> {
        if crew.readers.is_empty() || crew.workers.is_empty() {
            return Err(RunError::NoHands);
        }
        let bodies =
            Bodies::open(bodies).map_err(|error| RunError::Bodies(bodies.into(), error))?;
        let exchanges = Exchanges::begin()?;
        let lanes = Lanes::begin(crew, &bodies, &limits, &statistics)?;
        Ok(Arc::new(Self {
            clock: Clock::begin(),
            admission: Arc::new(Admission::new(&limits, Arc::clone(&statistics))),
            lanes,
            exchanges,
            topics: Topics::default(),
            roll: Roll::new(stopper.clone()),
            limits,
            statistics,
        }))
    }

    /// Waits until all queued jobs and file works have been carried out, and ends the threads.
    pub fn end(&self) {
        self.lanes.drain();
        self.exchanges.close();
    }
}

/// A place in the roll, given up when dropped. Whoever is seated hears of the stop, and a server
/// does not end before all seats are empty.
pub struct Seat<J: Job> {
    /// What all share.
    pub services: Arc<Services<J>>,
    /// To be armed before waiting.
    pub mailbox: Arc<Mailbox<J>>,
}

impl<J: Job> Seat<J> {
    /// For a machine, or for an accepting loop, whose mailbox holds nothing but the stop.
    #[must_use]
    pub fn take(services: &Arc<Services<J>>) -> Self {
        Self { services: Arc::clone(services), mailbox: services.roll.enter() }
    }
}

impl<J: Job> Drop for Seat<J> {
    fn drop(&mut self) {
        self.mailbox.close();
        self.services.roll.leave(&self.mailbox);
    }
}

impl<J: Job> fmt::Debug for Seat<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seat({})", self.mailbox.number())
    }
}
