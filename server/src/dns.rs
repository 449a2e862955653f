//! Questions to DNS, asked from flows: one [`Resolver`] for all sessions of a server.

pub(crate) mod console;
pub(crate) mod files;
pub(crate) mod probe;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use pillarbox_core::dns::{
    Cache, Exchange, Failure, Heard, Hosts, Lookup, Question, Resolution, Settings, Step, Zone,
    reserved,
};
use pillarbox_core::effect::{Completion, Effect, Fault, FaultKind};
use pillarbox_core::flow::Desk;
use pillarbox_core::{Moment, Random};

use crate::job::Job;

/// What all answers that are remembered may take together, in bytes.
const CACHE_BYTES: usize = 16 << 20;

/// Where answers come from.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// Servers; and what the machine's own file says of names to connect to.
    Servers(Settings, Hosts),
    /// Files of ours, and nothing else: for trying and testing.
    Zone(Zone),
}

/// Looks names up. Shared by all connections, with what is remembered.
pub struct Resolver {
    source: RwLock<Arc<Source>>,
    cache: Mutex<Cache>,
    /// The server that answered last: one that does not answer is waited for once, not each time.
    first: AtomicUsize,
    randomness: fn() -> Box<dyn Random>,
}

impl Resolver {
    /// Remembers nothing yet.
    pub fn new(source: Source, randomness: fn() -> Box<dyn Random>) -> Self {
        Self {
            source: RwLock::new(Arc::new(source)),
            cache: Mutex::new(Cache::new(CACHE_BYTES)),
            first: AtomicUsize::new(0),
            randomness,
        }
    }

    /// Looks a name up: in what is remembered, else where answers come from.
    ///
    /// # Errors
    /// That there is nothing, or that it cannot be found out now.
    pub async fn lookup(&self, desk: &Desk<Job>, now: Moment, question: &Question) -> Lookup {
        self.lookup_and_tell(desk, now, question, &mut |_, _| {}).await
    }

    /// The same; `tell` hears of each message to a server and what came of it.
    ///
    /// # Errors
    /// As [`lookup`](Self::lookup).
    pub async fn lookup_and_tell(
        &self,
        desk: &Desk<Job>,
        now: Moment,
        question: &Question,
        tell: &mut dyn FnMut(&Exchange, &Heard),
    ) -> Lookup {
        let source = self.source();
        let settings = match &*source {
            Source::Zone(zone) => return zone.lookup(question),
            Source::Servers(settings, _) => settings,
        };
        if let Some(known) = reserved(question) {
            return known;
        }
        if let Some(known) = self.cache().look(now, question) {
            return known;
        }
        let first = self.first.load(Ordering::Relaxed);
        let mut resolution = Resolution::new(question, settings, first);
        let mut random = (self.randomness)();
        let outcome = loop {
            match resolution.step(&mut *random) {
                Step::Done(outcome) => break outcome,
                Step::Ask(exchange) => {
                    let answer = carry_out(desk, exchange.clone()).await;
                    tell(&exchange, &resolution.answered(answer));
                }
            }
        };
        if let Some(server) = outcome.by {
            self.first.store(server, Ordering::Relaxed);
        }
        if let Err(Failure::Trouble(why)) = &outcome.lookup {
            log::info!(question:% = question, why = why.as_str(); "DNS gives no answer");
        }
        // Other servers may have been named meanwhile, who know other things.
        if Arc::ptr_eq(&source, &self.source()) {
            self.cache().keep(now, question, &outcome.lookup, outcome.keep);
        }
        outcome.lookup
    }

    /// What the machine's `/etc/hosts` says, where it has the name: for connecting to it.
    #[must_use]
    pub fn host(&self, question: &Question) -> Option<Lookup> {
        match &*self.source() {
            Source::Servers(_, hosts) => hosts.look(question),
            Source::Zone(_) => None,
        }
    }

    /// Where answers come from now.
    #[must_use]
    pub fn source(&self) -> Arc<Source> {
        Arc::clone(&self.source.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers come from elsewhere from now on; what is remembered is forgotten.
    pub(crate) fn replace(&self, source: Source) {
        *self.source.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(source);
        self.cache().clear();
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn carry_out(desk: &Desk<Job>, exchange: Exchange) -> Result<Vec<u8>, Fault> {
    let Exchange { over, to, question, answer_max, within } = exchange;
    match desk.ask("dns", Effect::Exchange { over, to, question, answer_max, within }).await {
        Completion::Exchanged(result) => result,
        other => Err(Fault::new(FaultKind::Unknown, format!("dns was answered with {other:?}"))),
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resolver({:?})", self.source())
    }
}

#[cfg(test)]
mod tests;
