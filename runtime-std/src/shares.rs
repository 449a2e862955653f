//! What each thread does, on runtimes where threads are shared.

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use pillarbox_core::effect::{Factory, Job};

use crate::services::Services;
use crate::setup::{Accept, RunError, Setup};
use crate::stop::Stopper;

/// What one thread does.
pub struct Share<J: Job> {
    /// Its sockets, and who answers at each.
    pub doors: Vec<(TcpListener, Accept<J>)>,
    /// Machines without a stream.
    pub tasks: Vec<Factory<J>>,
}

/// Runs a server on threads that `begin` begins, until it is stopped and all has ended. Jobs that
/// are queued by then are carried out before it returns.
///
/// Machines live on `setup.threads` threads, at least one: a listener's first socket belongs to
/// the first thread, its second to the second, and so on round; tasks likewise.
///
/// # Errors
/// It could not be started; see [`RunError`].
pub fn run<J: Job>(
    setup: Setup<J>,
    stopper: &Stopper,
    begin: impl Fn(&Arc<Services<J>>, Share<J>) -> io::Result<JoinHandle<()>>,
) -> Result<(), RunError> {
    let Setup { listeners, tasks, crew, bodies, limits, statistics, threads } = setup;
    let services = Services::begin(crew, &bodies, limits, statistics, stopper)?;
    let mut shares: Vec<Share<J>> = (0..threads.max(1)).map(|_| Share::default()).collect();
    for listener in listeners {
        for (share, socket) in (0..shares.len()).cycle().zip(listener.sockets) {
            if let Some(share) = shares.get_mut(share) {
                share.doors.push((socket, Arc::clone(&listener.accept)));
            }
        }
    }
    for (share, task) in (0..shares.len()).cycle().zip(tasks) {
        if let Some(share) = shares.get_mut(share) {
            share.tasks.push(task);
        }
    }
    let mut begun = Vec::new();
    let result = shares.into_iter().try_for_each(|share| {
        begun.push(begin(&services, share)?);
        Ok(())
    });
    if result.is_err() {
        stopper.stop_now();
    }
    services.roll.see_out(services.limits.stop_grace);
    for thread in begun {
        if thread.join().is_err() {
            log::error!("a runtime's thread has panicked");
        }
    }
    services.end();
    result.map_err(RunError::System)
}

impl<J: Job> Default for Share<J> {
    fn default() -> Self {
        Self { doors: Vec::new(), tasks: Vec::new() }
    }
}

impl<J: Job> fmt::Debug for Share<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({} doors, {} tasks)", self.doors.len(), self.tasks.len())
    }
}
