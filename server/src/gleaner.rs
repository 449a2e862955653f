//! What is gleaned from mail after it has been stored, by a thread of its own that nobody waits for:
//! the digests of large bodies, and those of stores that had none; and the index of texts.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use pillarbox_core::effect::Hands;
use pillarbox_store::{Filler, Indexer, Store, StoreError};

use crate::job::{Answer, Job, Worker};

/// How long what has come may wait for more, so that much is gleaned at once.
const WAIT: Duration = Duration::from_secs(1);
/// After so many new bodies the index is looked over for what is of bodies that are gone.
const TIDY_AFTER: usize = 10_000;
/// The longest rest between two steps.
const REST_MAX: Duration = Duration::from_millis(200);

/// The writer's hands, which tell the gleaner after each commit.
pub(crate) struct Telling {
    pub(crate) writer: Worker,
    pub(crate) gleaner: SyncSender<()>,
}

impl Hands<Job> for Telling {
    fn carry_out(&mut self, jobs: Vec<Job>, answers: &mut Vec<Answer>) {
        self.writer.carry_out(jobs, answers);
        // Full means told already.
        let _told_already = self.gleaner.try_send(());
    }
}

/// Starts the thread. It ends when nobody can tell it anything any more.
pub(crate) fn begin(store: &Arc<Store>) -> Result<SyncSender<()>, String> {
    let filler = store.filler().map_err(|error| error.to_string())?;
    // Opened before anything new comes: only then can be said whether it is of this mail.
    let indexer = store.indexer().map_err(|error| format!("the index of texts: {error}"))?;
    let (tell, told) = sync_channel(1);
    let gleaner = Gleaner { filler, indexer, tidied: Some(0) };
    thread::Builder::new()
        .name("gleaner".into())
        .stack_size(512 << 10)
        .spawn(move || gleaner.run(&told))
        .map_err(|error| error.to_string())?;
    Ok(tell)
}

struct Gleaner {
    filler: Filler,
    indexer: Indexer,
    /// From which block of the index on it is to be looked over; `None` once it has been.
    tidied: Option<i64>,
}

impl Gleaner {
    /// What an earlier run has left comes first.
    fn run(mut self, told: &Receiver<()>) {
        let mut since_tidied = 0;
        loop {
            since_tidied += match self.all() {
                Ok(indexed) => indexed,
                Err(error) => {
                    log::error!(why:% = error; "what is known of messages could not be kept at hand");
                    0
                }
            };
            if since_tidied > TIDY_AFTER {
                (since_tidied, self.tidied) = (0, Some(0));
            }
            if told.recv().is_err() {
                return;
            }
            thread::sleep(WAIT);
            let _earlier = told.try_recv();
        }
    }

    /// Does what there is to do; tells how many bodies are newly indexed.
    fn all(&mut self) -> Result<usize, StoreError> {
        while resting(|| self.filler.fill())? > 0 {}
        let mut indexed = 0;
        loop {
            match resting(|| self.indexer.step())? {
                0 => break,
                count => indexed += count,
            }
        }
        while let Some(from) = self.tidied {
            self.tidied = resting(|| self.indexer.tidy(from))?;
        }
        Ok(indexed)
    }
}

/// Half of a processor at most: others have work that somebody waits for.
fn resting<T>(step: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let begun = Instant::now();
    let done = step();
    thread::sleep(begun.elapsed().min(REST_MAX));
    done
}
