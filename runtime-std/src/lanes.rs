//! The threads on which an application's hands carry out its jobs, and those that touch files.
//!
//! The writer's thread takes all jobs that wait, up to [`Limits::batch_max`], and carries them out
//! together: while one commit is on its way to the disk the next one gathers. Readers and workers
//! take one job at a time from a queue that their kind shares. File work is spread over the file
//! threads by handle, so that the works on one file keep their order.
//!
//! A queue's bound is its customers' own: a machine that waits for its answers puts in few.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use pillarbox_core::EffectId;
use pillarbox_core::effect::{
    Completion, Crew, Fault, FaultKind, FileWork, Handle, Hands, Job, Lane,
};

use crate::bodies::Bodies;
use crate::lock::lock;
use crate::mailbox::Mailbox;
use crate::setup::Limits;
use crate::statistics::Statistics;

/// Where an answer is to go.
pub struct ReplyTo<J: Job> {
    /// The mailbox of the machine that asked.
    pub mailbox: Arc<Mailbox<J>>,
    /// Its name for the question.
    pub id: EffectId,
}

impl<J: Job> ReplyTo<J> {
    /// Answers.
    pub fn answer(&self, completion: Completion<J>) {
        self.mailbox.post(self.id, completion);
    }
}

/// All lanes of a server.
pub struct Lanes<J: Job> {
    write: JobQueue<J>,
    read: JobQueue<J>,
    work: JobQueue<J>,
    files: Vec<FileQueue<J>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

type JobQueue<J> = Arc<Queue<(J, ReplyTo<J>)>>;
type FileQueue<J> = Arc<Queue<(Handle, FileWork, ReplyTo<J>)>>;

impl<J: Job> Lanes<J> {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn begin(
        crew: Crew<J>,
        bodies: &Bodies,
        limits: &Limits,
        statistics: &Arc<Statistics>,
    ) -> io::Result<Self> {
        let files = (0..limits.file_threads.max(1)).map(|_| Arc::default()).collect();
        let lanes = Self {
            write: Arc::default(),
            read: Arc::default(),
            work: Arc::default(),
            files,
            threads: Mutex::default(),
        };
        lanes.staff("writer", &lanes.write, vec![crew.writer], limits.batch_max, statistics)?;
        lanes.staff("reader", &lanes.read, crew.readers, 1, statistics)?;
        lanes.staff("worker", &lanes.work, crew.workers, 1, statistics)?;
        for queue in &lanes.files {
            let (queue, bodies) = (Arc::clone(queue), bodies.clone());
            let statistics = Arc::clone(statistics);
            lanes.thread("files", move || file_lane(&queue, &bodies, &statistics))?;
        }
        Ok(lanes)
    }

    /// Queues a job on its own lane.
    pub fn job(&self, job: J, reply_to: ReplyTo<J>) {
        let queue = match job.lane() {
            Lane::Write => &self.write,
            Lane::Read => &self.read,
            Lane::Work => &self.work,
        };
        queue.push((job, reply_to));
    }

    /// Queues work on a body's file, behind all earlier work on the same file.
    pub fn file(&self, handle: Handle, work: FileWork, reply_to: ReplyTo<J>) {
        let Handle([.., last]) = handle;
        if let Some(queue) = self.files.get(usize::from(last) % self.files.len().max(1)) {
            queue.push((handle, work, reply_to));
        }
    }

    /// Waits until all that is queued has been carried out, and ends the threads.
    pub fn drain(&self) {
        for queue in [&self.write, &self.read, &self.work] {
            queue.close();
        }
        self.files.iter().for_each(|queue| queue.close());
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            if thread.join().is_err() {
                log::error!("a lane's thread has panicked");
            }
        }
    }

    fn staff(
        &self,
        name: &str,
        queue: &JobQueue<J>,
        hands: Vec<Box<dyn Hands<J>>>,
        batch_max: usize,
        statistics: &Arc<Statistics>,
    ) -> io::Result<()> {
        for hands in hands {
            let (queue, statistics) = (Arc::clone(queue), Arc::clone(statistics));
            self.thread(name, move || job_lane(&queue, hands, batch_max, &statistics))?;
        }
        Ok(())
    }

    fn thread(&self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = Builder::new().name(name.to_owned()).spawn(run)?;
        lock(&self.threads).push(thread);
        Ok(())
    }
}

fn job_lane<J: Job>(
    queue: &Queue<(J, ReplyTo<J>)>,
    mut hands: Box<dyn Hands<J>>,
    batch_max: usize,
    statistics: &Statistics,
) {
    let mut left = false;
    while let Some(batch) = queue.take(batch_max, left) {
        if batch.is_empty() {
            left = go_on(hands.as_mut(), statistics);
            continue;
        }
        left = true;
        let (jobs, customers): (Vec<J>, Vec<ReplyTo<J>>) = batch.into_iter().unzip();
        statistics.jobs.add(jobs.len());
        if batch_max > 1 {
            statistics.batches.add(1);
            statistics.batch_largest.raise_to(jobs.len());
        }
        match carry_out(hands.as_mut(), jobs) {
            Ok(answers) => {
                for (customer, answer) in customers.iter().zip(answers) {
                    customer.answer(Completion::Answer(Ok(answer)));
                }
            }
            Err(fault) => {
                statistics.hands_failed.add(1);
                log::error!(reason:% = fault, jobs = customers.len(); "hands failed");
                for customer in &customers {
                    customer.answer(Completion::Answer(Err(fault.clone())));
                }
            }
        }
    }
}

/// What is left is done between jobs; a panic in it is no job's fault.
fn go_on<J: Job>(hands: &mut dyn Hands<J>, statistics: &Statistics) -> bool {
    let left = catch_unwind(AssertUnwindSafe(|| hands.go_on()));
    left.unwrap_or_else(|panic| {
        statistics.hands_failed.add(1);
        log::error!(reason = panic_message(panic.as_ref()).as_str(); "hands failed between jobs");
        false
    })
}

/// Whatever the hands do, there is one answer for each job, or a fault for all.
fn carry_out<J: Job>(hands: &mut dyn Hands<J>, jobs: Vec<J>) -> Result<Vec<J::Answer>, Fault> {
    let count = jobs.len();
    let mut answers = Vec::with_capacity(count);
    // The hands may be in any state after a panic, as after any error of theirs: to come back
    // from it is their own concern, and to try is better than to end the lane.
    catch_unwind(AssertUnwindSafe(|| hands.carry_out(jobs, &mut answers)))
        .map_err(|panic| Fault::new(FaultKind::Unknown, panic_message(panic.as_ref())))?;
    if answers.len() == count {
        Ok(answers)
    } else {
        let given = answers.len();
        Err(Fault::new(FaultKind::Unknown, format!("{given} answers were given for {count} jobs")))
    }
}

fn file_lane<J: Job>(
    queue: &Queue<(Handle, FileWork, ReplyTo<J>)>,
    bodies: &Bodies,
    statistics: &Statistics,
) {
    while let Some(works) = queue.take(1, false) {
        for (handle, work, customer) in works {
            statistics.file_works.add(1);
            customer.answer(Completion::File(bodies.carry_out(handle, work)));
        }
    }
}

/// What a panic said, for a log line.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", said.unwrap_or("no message"))
}

/// Many put in, several take out.
struct Queue<T> {
    state: Mutex<(VecDeque<T>, Open)>,
    changed: Condvar,
}

#[derive(PartialEq, Eq)]
enum Open {
    Yes,
    No,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { state: Mutex::new((VecDeque::new(), Open::Yes)), changed: Condvar::new() }
    }
}

impl<T> Queue<T> {
    fn push(&self, item: T) {
        lock(&self.state).0.push_back(item);
        self.changed.notify_one();
    }

    fn close(&self) {
        lock(&self.state).1 = Open::No;
        self.changed.notify_all();
    }

    /// Waits for at least one, but not where something is `left` to be done meanwhile, and takes at
    /// most `most`; `None` once closed and empty.
    fn take(&self, most: usize, left: bool) -> Option<Vec<T>> {
        let mut state = lock(&self.state);
        loop {
            let (items, open) = &mut *state;
            if !items.is_empty() {
                let count = items.len().min(most.max(1));
                return Some(items.drain(..count).collect());
            }
            if *open == Open::No {
                return None;
            }
            if left {
                return Some(Vec::new());
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<J: Job> fmt::Debug for ReplyTo<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyTo({:?} of {})", self.id, self.mailbox.number())
    }
}

impl<J: Job> fmt::Debug for Lanes<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lanes({} threads)", lock(&self.threads).len())
    }
}
