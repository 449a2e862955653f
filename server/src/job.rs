//! What the server asks of its own hands: work on the store, and slow computations.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use pillarbox_core::effect::{Fault, FaultKind, Hands, Job as IsJob, Lane};
use pillarbox_core::flow::Desk;
use pillarbox_core::imap::sort::Sorter;
use pillarbox_core::imap::thread::{Threader, Threads};
use pillarbox_core::sasl::Secret;
use pillarbox_store::{Found, Read, Reader, StoreError, Write, Writer, Written};

use crate::control::clerk::{Asked, Inlet};
use crate::pulse::Pulse;
use crate::queue::call::Called;
use crate::queue::courier::Carried;
use crate::queue::fetch::Fetched;
use crate::secrets;
use crate::smtp::signing::Unsigned;

/// A question to the server's own hands.
#[derive(Debug)]
pub enum Job {
    /// A change of the store; durable when answered.
    Write(Write),
    /// A look into the store.
    Read(Read),
    /// Whether a password is right: slow on purpose.
    Check {
        /// The password as it came.
        password: Secret,
        /// What is stored; `None` for an account that does not exist.
        argon2id: Option<String>,
    },
    /// Bring messages into an order.
    Sort(Sorter),
    /// Make messages into threads.
    Thread(Box<Threader>),
    /// Sign a message.
    Sign(Box<Unsigned>),
    /// Wait for the next command from outside.
    Listen(Arc<Inlet>),
    /// Tell the service manager that the server lives.
    Report(Arc<Pulse>),
}

/// The answer to a [`Job`], of the same kind.
#[derive(Debug)]
pub enum Answer {
    /// To [`Job::Write`].
    Written(Result<Written, StoreError>),
    /// To [`Job::Read`].
    Found(Result<Found, StoreError>),
    /// To [`Job::Check`].
    Checked(bool),
    /// To [`Job::Sort`].
    Sorted(Vec<u32>),
    /// To [`Job::Thread`].
    Threaded(Threads),
    /// To [`Job::Sign`]: the fields that go in front of it.
    Signed(String),
    /// To [`Job::Listen`]; `None` once nobody listens any more.
    Heard(Option<Asked>),
    /// To [`Job::Report`].
    Reported,
    /// The outcome of a courier.
    Carried(Box<Carried>),
    /// The outcome of a fetch of a policy.
    Fetched(Fetched),
    /// The outcome of a call.
    Called(Box<Called>),
}

impl IsJob for Job {
    type Answer = Answer;

    fn lane(&self) -> Lane {
        match self {
            Self::Write(_) => Lane::Write,
            Self::Read(_) | Self::Report(_) => Lane::Read,
            Self::Check { .. }
            | Self::Sort(_)
            | Self::Thread(_)
            | Self::Sign(_)
            | Self::Listen(_) => Lane::Work,
        }
    }
}

/// Changes the store and waits until that is durable.
///
/// # Errors
/// The store's reason; [`StoreError::Fault`] where the hands themselves failed.
pub async fn write(
    desk: &Desk<Job>,
    label: &'static str,
    write: Write,
) -> Result<Written, StoreError> {
    match desk.job(label, Job::Write(write)).await {
        Ok(Answer::Written(result)) => result,
        Ok(_) => Err(astray(label)),
        Err(fault) => Err(StoreError::Fault(fault)),
    }
}

/// Looks into the store.
///
/// # Errors
/// As [`fn@write`].
pub async fn read(desk: &Desk<Job>, label: &'static str, read: Read) -> Result<Found, StoreError> {
    match desk.job(label, Job::Read(read)).await {
        Ok(Answer::Found(result)) => result,
        Ok(_) => Err(astray(label)),
        Err(fault) => Err(StoreError::Fault(fault)),
    }
}

/// Whether the password fits what is stored; costs the same where nothing is.
///
/// # Errors
/// Where the hands themselves failed.
pub async fn check(
    desk: &Desk<Job>,
    password: Secret,
    argon2id: Option<String>,
) -> Result<bool, StoreError> {
    match desk.job("password", Job::Check { password, argon2id }).await {
        Ok(Answer::Checked(right)) => Ok(right),
        Ok(_) => Err(astray("password")),
        Err(fault) => Err(StoreError::Fault(fault)),
    }
}

/// The numbers of messages in their order.
///
/// # Errors
/// Where the hands themselves failed.
pub async fn sort(desk: &Desk<Job>, sorter: Sorter) -> Result<Vec<u32>, StoreError> {
    match desk.job("sort", Job::Sort(sorter)).await {
        Ok(Answer::Sorted(numbers)) => Ok(numbers),
        Ok(_) => Err(astray("sort")),
        Err(fault) => Err(StoreError::Fault(fault)),
    }
}

/// Messages as threads.
///
/// # Errors
/// Where the hands themselves failed.
pub async fn thread(desk: &Desk<Job>, threader: Box<Threader>) -> Result<Threads, StoreError> {
    match desk.job("thread", Job::Thread(threader)).await {
        Ok(Answer::Threaded(threads)) => Ok(threads),
        Ok(_) => Err(astray("thread")),
        Err(fault) => Err(StoreError::Fault(fault)),
    }
}

/// The fields of a message's signatures.
///
/// # Errors
/// Where the hands themselves failed.
pub async fn sign(desk: &Desk<Job>, unsigned: Box<Unsigned>) -> Result<String, StoreError> {
    match desk.job("sign", Job::Sign(unsigned)).await {
        Ok(Answer::Signed(fields)) => Ok(fields),
        Ok(_) => Err(astray("sign")),
        Err(fault) => Err(StoreError::Fault(fault)),
    }
}

/// A store that answers another question than the one asked: our own mistake, and the end of this
/// one flow only.
pub(crate) fn astray(label: &str) -> StoreError {
    StoreError::Fault(Fault::new(FaultKind::Unknown, format!("another question's answer: {label}")))
}

/// The hands of all three lanes. Each has what its lane needs: only one of them can write.
#[derive(Debug)]
pub enum Worker {
    /// For [`Lane::Write`]; and whom to tell that the WAL should be written back.
    Writer(Writer, Option<SyncSender<()>>),
    /// For [`Lane::Read`].
    Reader(Box<Reader>),
    /// For [`Lane::Work`]. One of them waits for commands most of the time.
    Checker,
}

impl Hands<Job> for Worker {
    fn carry_out(&mut self, jobs: Vec<Job>, answers: &mut Vec<Answer>) {
        match self {
            Self::Writer(writer, checkpoints) => {
                write_all(writer, jobs, answers);
                look_at_checkpoint(writer, checkpoints.as_ref());
            }
            Self::Reader(reader) => answers.extend(jobs.into_iter().map(|job| match job {
                Job::Read(read) => Answer::Found(reader.read(read)),
                Job::Report(pulse) => {
                    pulse.report();
                    Answer::Reported
                }
                Job::Write(_)
                | Job::Check { .. }
                | Job::Sort(_)
                | Job::Thread(_)
                | Job::Sign(_)
                | Job::Listen(_) => Answer::Found(Err(astray("read lane"))),
            })),
            Self::Checker => answers.extend(jobs.into_iter().map(|job| match job {
                Job::Check { password, argon2id } => {
                    Answer::Checked(secrets::verify(&password, argon2id.as_deref()))
                }
                Job::Sort(sorter) => Answer::Sorted(sorter.sorted()),
                Job::Thread(threader) => Answer::Threaded(threader.threads()),
                Job::Sign(unsigned) => Answer::Signed(unsigned.sign()),
                Job::Listen(inlet) => Answer::Heard(inlet.wait()),
                Job::Write(_) | Job::Read(_) | Job::Report(_) => {
                    Answer::Found(Err(astray("work lane")))
                }
            })),
        }
    }

    fn go_on(&mut self) -> bool {
        let Self::Writer(writer, checkpoints) = self else { return false };
        let left = writer.go_on();
        if left {
            look_at_checkpoint(writer, checkpoints.as_ref());
        }
        left
    }
}

fn look_at_checkpoint(writer: &Writer, checkpoints: Option<&SyncSender<()>>) {
    if let Some(checkpoints) = checkpoints
        && writer.checkpoint_due()
    {
        // Full means told already.
        let _told_already = checkpoints.try_send(());
    }
}

/// All that waits becomes one commit.
fn write_all(writer: &mut Writer, jobs: Vec<Job>, answers: &mut Vec<Answer>) {
    let count = jobs.len();
    let writes: Vec<_> = jobs
        .into_iter()
        .filter_map(|job| match job {
            Job::Write(write) => Some(write),
            _ => None,
        })
        .collect();
    if writes.len() == count {
        answers.extend(writer.commit(writes).into_iter().map(Answer::Written));
    } else {
        answers.extend((0..count).map(|_| Answer::Written(Err(astray("write lane")))));
    }
}
