//! One thread for each machine.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::task::Waker;
use std::thread::Builder;
use std::time::{Duration, Instant};

use pillarbox_core::effect::{Factory, Job};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::accept::{Arrival, Guest, SHORTAGE_PAUSE, accept};
use crate::bell::Bell;
use crate::conversation::{Birth, Conversation, Ready, Report, Turn, Wait};
use crate::mailbox::Mailbox;
use crate::services::{Seat, Services};
use crate::setup::{Accept, Listener, RunError, Setup};
use crate::stop::Stopper;

/// Runs a server until it is stopped and all has ended. Jobs that are queued by then are carried
/// out before it returns.
///
/// One thread accepts for all listeners; each connection and each task has a thread of its own.
///
/// # Errors
/// It could not be started; see [`RunError`].
pub fn run<J: Job>(setup: Setup<J>, stopper: &Stopper) -> Result<(), RunError> {
    let Setup { listeners, tasks, crew, bodies, limits, statistics, threads: _ } = setup;
    let services = Services::begin(crew, &bodies, limits, statistics, stopper)?;
    let begun = begin(&services, listeners, tasks);
    if begun.is_err() {
        stopper.stop_now();
    }
    services.roll.see_out(services.limits.stop_grace);
    services.end();
    begun.map_err(RunError::System)
}

fn begin<J: Job>(
    services: &Arc<Services<J>>,
    listeners: Vec<Listener<J>>,
    tasks: Vec<Factory<J>>,
) -> io::Result<()> {
    let bell = Bell::new()?;
    let seat = Seat::take(services);
    let accepting = Arc::clone(services);
    Builder::new()
        .name("accept".into())
        .spawn(move || accept_all(&accepting, &listeners, &bell, &seat))?;
    for factory in tasks {
        spawn_task(services, factory, None)?;
    }
    Ok(())
}

fn accept_all<J: Job>(
    services: &Arc<Services<J>>,
    listeners: &[Listener<J>],
    bell: &Arc<Bell>,
    seat: &Seat<J>,
) {
    let sockets: Vec<(&TcpListener, &Accept<J>)> = listeners
        .iter()
        .flat_map(|listener| listener.sockets.iter().map(|socket| (socket, &listener.accept)))
        .collect();
    let waker = bell.waker();
    let mut pause = None;
    while seat.mailbox.arm(&waker) {
        let mut fds = vec![PollFd::new(bell.as_ref(), PollFlags::IN)];
        if pause.is_none() {
            fds.extend(sockets.iter().map(|(socket, _)| PollFd::new(*socket, PollFlags::IN)));
        }
        let waited = poll(&mut fds, timespec(pause).as_ref());
        let ready: Vec<bool> =
            fds.iter().skip(1).map(|fd| waited.is_ok() && !fd.revents().is_empty()).collect();
        pause = None;
        for ((socket, machine), _) in sockets.iter().zip(ready).filter(|(_, ready)| *ready) {
            let shortage = accept_waiting(services, socket, machine);
            pause = pause.or(shortage);
        }
    }
}

/// Accepts what waits at one socket, up to a bound; says how long to pause.
fn accept_waiting<J: Job>(
    services: &Arc<Services<J>>,
    socket: &TcpListener,
    machine: &Accept<J>,
) -> Option<Duration> {
    for _ in 0..ACCEPTED_AT_ONCE_MAX {
        match accept(socket, services) {
            Arrival::Guest(guest) => {
                if let Err(error) = spawn_guest(services, guest, Arc::clone(machine)) {
                    services.statistics.closed_unserved.add(1);
                    log::warn!(reason:% = error; "no thread for a connection");
                    return Some(SHORTAGE_PAUSE);
                }
            }
            Arrival::Nobody => {}
            Arrival::Empty => return None,
            Arrival::Shortage => return Some(SHORTAGE_PAUSE),
        }
    }
    None
}

fn spawn_guest<J: Job>(
    services: &Arc<Services<J>>,
    guest: Guest,
    machine: Accept<J>,
) -> io::Result<()> {
    spawn(services, move |seat| Conversation::accepted(seat, guest, &machine))
}

fn spawn_task<J: Job>(
    services: &Arc<Services<J>>,
    factory: Factory<J>,
    report: Option<Report<J>>,
) -> io::Result<()> {
    spawn(services, move |seat| Conversation::task(seat, factory, report))
}

/// The seat is taken before the thread begins, so that a stop overlooks nobody on the way.
fn spawn<J: Job>(
    services: &Arc<Services<J>>,
    begin: impl FnOnce(Seat<J>) -> Option<Conversation<J, TcpStream>> + Send + 'static,
) -> io::Result<()> {
    let seat = Seat::take(services);
    let thread = Builder::new().name("machine".into()).stack_size(services.limits.stack_bytes);
    thread.spawn(move || {
        let Some(conversation) = begin(seat) else { return };
        if let Err(error) = drive(conversation) {
            log::warn!(reason:% = error; "a machine's thread has failed");
        }
    })?;
    Ok(())
}

fn drive<J: Job>(mut conversation: Conversation<J, TcpStream>) -> io::Result<()> {
    let services = Arc::clone(conversation.services());
    let bell = Bell::new()?;
    let waker = bell.waker();
    let mut ready = Ready::default();
    loop {
        let turn = conversation.turn(ready);
        for Birth { factory, report } in conversation.births() {
            if let Err(error) = spawn_task(&services, factory, Some(report)) {
                log::warn!(reason:% = error; "no thread for a task");
            }
        }
        ready = match turn {
            Turn::Again => Ready::default(),
            Turn::Ended => return Ok(()),
            Turn::Wait(wait) => {
                let until = wait.until.map(|until| services.clock.instant(until));
                let socket = conversation.socket();
                wait_for(conversation.mailbox(), socket, wait, until, &bell, &waker)?
            }
        };
    }
}

/// The one place where a connection's thread waits.
fn wait_for<J: Job>(
    mailbox: &Mailbox<J>,
    socket: Option<&TcpStream>,
    wait: Wait,
    until: Option<Instant>,
    bell: &Bell,
    waker: &Waker,
) -> io::Result<Ready> {
    if !mailbox.arm(waker) {
        return Ok(Ready::default());
    }
    let mut interest = PollFlags::empty();
    interest.set(PollFlags::IN, wait.readable);
    interest.set(PollFlags::OUT, wait.writable);
    let ring = PollFd::new(bell, PollFlags::IN);
    let timeout = timespec(until.map(|until| until.saturating_duration_since(Instant::now())));
    // An error and a reset are told whatever the interest.
    let stream = socket.map(|socket| PollFd::new(socket, interest));
    let told = match stream {
        None => {
            poll_once(&mut [ring], bell, timeout.as_ref())?;
            PollFlags::empty()
        }
        Some(stream) => {
            let mut fds = [ring, stream];
            poll_once(&mut fds, bell, timeout.as_ref())?;
            let [_, stream] = fds;
            stream.revents()
        }
    };
    let broken = told.intersects(PollFlags::ERR | PollFlags::HUP);
    Ok(Ready {
        readable: broken || told.intersects(PollFlags::IN),
        writable: broken || told.intersects(PollFlags::OUT),
        broken,
    })
}

fn poll_once(fds: &mut [PollFd<'_>], bell: &Bell, most: Option<&Timespec>) -> io::Result<()> {
    match poll(fds, most) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => fds.iter_mut().for_each(PollFd::clear_revents),
        Err(error) => return Err(error.into()),
    }
    if fds.first().is_some_and(|ring| !ring.revents().is_empty()) {
        bell.hush();
    }
    Ok(())
}

fn timespec(duration: Option<Duration>) -> Option<Timespec> {
    duration.and_then(|duration| Timespec::try_from(duration).ok())
}

/// Connections accepted at one socket before the others have their turn.
const ACCEPTED_AT_ONCE_MAX: usize = 64;
