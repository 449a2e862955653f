//! Threads, each with an executor and its share of the listeners.

use std::io;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use futures_lite::future::or;
use glommio::LocalExecutor;
use glommio::timer::sleep;
use pillarbox_core::effect::Job;
use pillarbox_runtime_std::accept::{Arrival, SHORTAGE_PAUSE, accept};
use pillarbox_runtime_std::conversation::Conversation;
use pillarbox_runtime_std::services::{Seat, Services};
use pillarbox_runtime_std::shares::{self, Share};
use pillarbox_runtime_std::{Accept, RunError, Setup, Stopper};

use crate::executor::{Breath, Household, anything, make};
use crate::socket::{door, plain, somebody_comes};
use crate::task::spawn_machine;

/// Runs a server until it is stopped and all has ended. Jobs that are queued by then are carried
/// out before it returns.
///
/// Machines live on `setup.threads` executors, at least one: a listener's first socket belongs to
/// the first executor, its second to the second, and so on round; tasks likewise.
///
/// # Errors
/// It could not be started; see [`RunError`].
pub fn run<J: Job>(setup: Setup<J>, stopper: &Stopper) -> Result<(), RunError> {
    shares::run(setup, stopper, begin)
}

/// Returns once its executor is there, or cannot be.
fn begin<J: Job>(services: &Arc<Services<J>>, share: Share<J>) -> io::Result<JoinHandle<()>> {
    let services = Arc::clone(services);
    // Taken before the thread begins, so that a stop does not overlook it.
    let seat = Seat::take(&services);
    let (tell, told) = sync_channel(1);
    let thread = Builder::new().name("glommio".into()).spawn(move || match make() {
        Err(error) => drop(tell.send(Err(plain(error)))),
        Ok(executor) => {
            drop(tell.send(Ok(())));
            let run = || keep_house(&executor, seat, share);
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                // glommio forgets the tasks of an executor that fails, and its sockets with them:
                // their clients would wait for ever. To be dropped is to be crashed, and a new
                // process serves them again.
                log::error!("an executor has failed: the program ends");
                std::process::exit(1);
            }
        }
    })?;
    told.recv().unwrap_or_else(|_| Err(io::Error::other("an executor's thread has ended")))?;
    Ok(thread)
}

fn keep_house<J: Job>(executor: &LocalExecutor, seat: Seat<J>, share: Share<J>) {
    let services = Arc::clone(&seat.services);
    executor.run(async move {
        let household = Household::new();
        for factory in share.tasks {
            let seat = Seat::take(&services);
            spawn_machine(&household, Conversation::task(seat, factory, None));
        }
        for (socket, machine) in share.doors {
            let seat = Seat::take(&services);
            let home = Rc::clone(&household);
            household.spawn(async move {
                accept_all(&seat, &socket, &machine, &home).await;
            });
        }
        anything(&seat.mailbox).await;
        drop(seat);
        household.empty().await;
        // What the ring still watches keeps its socket open, a listener's port taken. The ring is
        // told to leave it when the executor sleeps next.
        sleep(LAST_SLEEP).await;
    });
}

async fn accept_all<J: Job>(
    seat: &Seat<J>,
    socket: &TcpListener,
    machine: &Accept<J>,
    household: &Rc<Household>,
) {
    or(anything(&seat.mailbox), async {
        loop {
            accept_waiting(seat, socket, machine, household).await;
        }
    })
    .await;
}

/// Waits, and accepts what has come, up to a bound.
async fn accept_waiting<J: Job>(
    seat: &Seat<J>,
    socket: &TcpListener,
    machine: &Accept<J>,
    household: &Rc<Household>,
) {
    for _ in 0..ACCEPTED_AT_ONCE_MAX {
        match accept(socket, &seat.services) {
            Arrival::Guest(guest) => {
                let seat = Seat::take(&seat.services);
                spawn_machine(household, Conversation::accepted(seat, guest, machine));
            }
            Arrival::Nobody => {}
            Arrival::Empty => match door(socket) {
                Ok(door) => return somebody_comes(door).await,
                Err(error) => {
                    log::warn!(reason:% = error; "cannot wait for connections");
                    return sleep(SHORTAGE_PAUSE).await;
                }
            },
            Arrival::Shortage => return sleep(SHORTAGE_PAUSE).await,
        }
    }
    Breath::new().await;
}

/// Connections accepted at one socket before others have their turn.
const ACCEPTED_AT_ONCE_MAX: usize = 64;

/// The executor has nothing else to do, so that any sleep does.
const LAST_SLEEP: Duration = Duration::from_millis(1);
