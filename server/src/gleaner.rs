//! What is gleaned from mail after it has been stored, by a thread of its own that nobody waits for:
//! the digests of large bodies, and those of stores that had none.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use pillarbox_core::effect::Hands;
use pillarbox_store::{Filler, Store, StoreError};

use crate::job::{Answer, Job, Worker};

/// How long what has come may wait for more, so that much is gleaned at once.
const WAIT: Duration = Duration::from_secs(1);
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
    let (tell, told) = sync_channel(1);
    thread::Builder::new()
        .name("gleaner".into())
        .stack_size(512 << 10)
        .spawn(move || glean(filler, &told))
        .map_err(|error| error.to_string())?;
    Ok(tell)
}

/// What an earlier run has left comes first.
fn glean(mut filler: Filler, told: &Receiver<()>) {
    loop {
        if let Err(error) = glean_all(&mut filler) {
            log::error!(why:% = error; "what is known of messages could not be kept at hand");
        }
        if told.recv().is_err() {
            return;
        }
        thread::sleep(WAIT);
        let _earlier = told.try_recv();
    }
}

fn glean_all(filler: &mut Filler) -> Result<(), StoreError> {
    loop {
        let begun = Instant::now();
        if filler.fill()? == 0 {
            return Ok(());
        }
        // Half of a processor at most: others have work that somebody waits for.
        thread::sleep(begun.elapsed().min(REST_MAX));
    }
}
