//! Threads, each with its share of the listeners.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use async_io::{Async, Timer, block_on};
use futures_lite::future::{or, yield_now};
use pillarbox_core::effect::Job;
use pillarbox_runtime_std::accept::{Arrival, SHORTAGE_PAUSE, accept};
use pillarbox_runtime_std::conversation::Conversation;
use pillarbox_runtime_std::services::{Seat, Services};
use pillarbox_runtime_std::shares::{self, Share};
use pillarbox_runtime_std::{Accept, RunError, Setup, Stopper};

use crate::task::{Household, anything, spawn_machine};

/// Runs a server until it is stopped and all has ended. Jobs that are queued by then are carried
/// out before it returns.
///
/// Machines live on `setup.threads` threads, at least one: a listener's first socket belongs to
/// the first thread, its second to the second, and so on round; tasks likewise.
///
/// # Errors
/// It could not be started; see [`RunError`].
pub fn run<J: Job>(setup: Setup<J>, stopper: &Stopper) -> Result<(), RunError> {
    shares::run(setup, stopper, begin)
}

fn begin<J: Job>(services: &Arc<Services<J>>, share: Share<J>) -> io::Result<JoinHandle<()>> {
    let services = Arc::clone(services);
    // Taken before the thread begins, so that a stop does not overlook it.
    let seat = Seat::take(&services);
    Builder::new().name("smol".into()).spawn(move || {
        let household = Household::new();
        for factory in share.tasks {
            let seat = Seat::take(&services);
            spawn_machine(&household, Conversation::task(seat, factory, None));
        }
        for (socket, machine) in share.doors {
            let seat = Seat::take(&services);
            let home = Rc::clone(&household);
            household.spawn(async move {
                if let Err(error) = accept_all(&seat, socket, &machine, &home).await {
                    log::error!(reason:% = error; "a listener has failed");
                }
            });
        }
        block_on(household.run(async {
            anything(&seat.mailbox).await;
            drop(seat);
            household.empty().await;
        }));
    })
}

async fn accept_all<J: Job>(
    seat: &Seat<J>,
    socket: TcpListener,
    machine: &Accept<J>,
    household: &Rc<Household>,
) -> io::Result<()> {
    let socket = Async::new(socket)?;
    let stopped = async {
        anything(&seat.mailbox).await;
        Ok(())
    };
    or(stopped, async {
        loop {
            accept_waiting(seat, &socket, machine, household).await?;
        }
    })
    .await
}

/// Waits, and accepts what has come, up to a bound.
async fn accept_waiting<J: Job>(
    seat: &Seat<J>,
    socket: &Async<TcpListener>,
    machine: &Accept<J>,
    household: &Rc<Household>,
) -> io::Result<()> {
    for _ in 0..ACCEPTED_AT_ONCE_MAX {
        match accept(socket.get_ref(), &seat.services) {
            Arrival::Guest(guest) => {
                let seat = Seat::take(&seat.services);
                spawn_machine(household, Conversation::accepted(seat, guest, machine));
            }
            Arrival::Nobody => {}
            Arrival::Empty => return socket.readable().await,
            Arrival::Shortage => {
                Timer::after(SHORTAGE_PAUSE).await;
                return Ok(());
            }
        }
    }
    yield_now().await;
    Ok(())
}

/// Connections accepted at one socket before others have their turn.
const ACCEPTED_AT_ONCE_MAX: usize = 64;
