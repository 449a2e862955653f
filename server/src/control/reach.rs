//! From a command to the store: through the server that holds it, or by opening it.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use pillarbox_core::effect::{Completion, Effect, FileWork, Hands as _, Job as _, Lane};
use pillarbox_core::flow::{Desk, Flow};
use pillarbox_store::{OpenError, Options, Reader, Store, body_path};

use super::payload::{Cargo, Taking};
use super::wire::{Answer, Request};
use super::{Fill, connect, exchange, exchange_with};
use crate::accounts::{self, Asker};
use crate::job::{Job, Worker};
use crate::serve;

/// Whoever carries out a command's requests.
#[derive(Debug)]
pub(crate) enum Hand {
    /// A server runs with this folder.
    Server(PathBuf),
    /// This process holds the lock.
    Own(Box<Own>),
}

impl Hand {
    /// Opens the store in `dir`, or finds the server that has it open.
    ///
    /// # Errors
    /// One line for the user.
    pub(crate) fn reach(dir: &Path) -> Result<Self, String> {
        let until = Instant::now() + PATIENCE;
        loop {
            if connect(dir).is_ok() {
                return Ok(Self::Server(dir.to_owned()));
            }
            check_owner(dir)?;
            match Store::open(dir, &Options::default()) {
                Ok(store) => return Own::new(store).map(|own| Self::Own(Box::new(own))),
                // A server on its way up or down, or another command: neither takes long.
                Err(OpenError::InUse(_)) if Instant::now() < until => thread::sleep(PAUSE),
                Err(OpenError::InUse(dir)) => {
                    return Err(format!(
                        "{} is in use, and who uses it does not answer: wait for `pillarbox \
                         verify` or another command there to end",
                        dir.display()
                    ));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Carries out a request; what is left of a removal is told on the way.
    ///
    /// # Errors
    /// One line for the user.
    pub(crate) fn ask(
        &mut self,
        request: Request,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Answer, String> {
        match self {
            Self::Server(dir) => {
                let stream =
                    connect(dir).map_err(|error| format!("the server has gone: {error}"))?;
                exchange(&stream, request, progress)
            }
            Self::Own(own) => own.ask(request, Ok(Vec::new()), progress),
        }
    }

    /// Somebody who reads the store; while the stream lives, files of bodies stay.
    ///
    /// # Errors
    /// One line for the user.
    pub(crate) fn reader(&self) -> Result<(Reader, Option<UnixStream>), String> {
        match self {
            Self::Server(dir) => {
                let stream =
                    connect(dir).map_err(|error| format!("the server has gone: {error}"))?;
                exchange(&stream, Request::HoldBodies, &mut |_| {})?;
                let reader = Store::look(dir, &Options::default());
                reader.map(|reader| (reader, Some(stream))).map_err(|error| error.to_string())
            }
            Self::Own(own) => {
                let reader = own.store.reader().map_err(|error| error.to_string())?;
                Ok((reader, None))
            }
        }
    }

    /// Carries out a request with messages behind it.
    ///
    /// # Errors
    /// One line for the user.
    pub(crate) fn send(&mut self, request: Request, fill: &mut Fill<'_>) -> Result<Answer, String> {
        match self {
            Self::Server(dir) => {
                let stream =
                    connect(dir).map_err(|error| format!("the server has gone: {error}"))?;
                exchange_with(&stream, request, fill, &mut |_| {})
            }
            Self::Own(own) => {
                let mut taking = Taking::new(own.store.bodies());
                fill(&mut taking)
                    .map_err(|error| format!("the messages cannot be kept: {error}"))??;
                own.ask(request, taking.finish(), &mut |_| {})
            }
        }
    }
}

/// Files that another user's server could not write would be left behind.
fn check_owner(dir: &Path) -> Result<(), String> {
    let Ok(found) = fs::metadata(dir) else { return Ok(()) };
    let own = rustix::process::geteuid().as_raw();
    if found.uid() == own {
        return Ok(());
    }
    Err(format!(
        "{dir} belongs to the user with number {owner}: run this as that user (sudo -u '#{owner}' \
         pillarbox …)",
        dir = dir.display(),
        owner = found.uid()
    ))
}

/// An open store, and flows polled until they have their answer.
#[derive(Debug)]
pub(crate) struct Own {
    store: Store,
    writer: Worker,
    reader: Worker,
    /// Told when the WAL should be written back.
    checkpoints: Receiver<()>,
    /// What a crash has left was cleared.
    cleared: bool,
}

impl Own {
    fn new(store: Store) -> Result<Self, String> {
        let writer = store.writer().map_err(|error| error.to_string())?;
        let reader = store.reader().map_err(|error| error.to_string())?;
        let (tell, checkpoints) = mpsc::sync_channel(1);
        let writer = Worker::Writer(writer, Some(tell));
        Ok(Self {
            store,
            writer,
            reader: Worker::Reader(Box::new(reader)),
            checkpoints,
            cleared: false,
        })
    }

    fn ask(
        &mut self,
        request: Request,
        cargo: Cargo,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Answer, String> {
        if request.changes() && !self.cleared {
            self.cleared = true;
            // What a crash has left, as a server does at its start.
            let desk = Desk::default();
            let flow = {
                let desk = desk.clone();
                async move { accounts::finish_removals(&desk, &|_| {}, &Cell::new(false)).await }
            };
            self.drive(&desk, Flow::new(flow), &mut || {})??;
        }
        let desk = Desk::default();
        let (told, heard) = mpsc::channel();
        let tell = move |left| {
            let _always_heard = told.send(left);
        };
        let asker = Asker {
            tell: Box::new(tell),
            stopping: Rc::default(),
            logins: Box::new(Vec::new),
            cargo,
            now: serve::now(),
        };
        let flow = Flow::new(accounts::carry_out(desk.clone(), request, asker));
        self.drive(&desk, flow, &mut || heard.try_iter().for_each(&mut *progress))?
    }

    /// Polls a flow until its end, and does what it asks for. `between` is called at each turn.
    fn drive<T>(
        &mut self,
        desk: &Desk<Job>,
        mut flow: Flow<T>,
        between: &mut dyn FnMut(),
    ) -> Result<T, String> {
        loop {
            let answer = flow.poll();
            between();
            if let Some(answer) = answer {
                return Ok(answer);
            }
            if self.checkpoints.try_recv().is_ok() {
                self.store.checkpoint().map_err(|error| error.to_string())?;
            }
            if !self.work(desk) {
                return Err("our own mistake: a command waits for nothing".into());
            }
        }
    }

    /// Does what was asked for; says whether there was anything.
    fn work(&mut self, desk: &Desk<Job>) -> bool {
        let mut effects = Vec::new();
        desk.take_effects(&mut effects);
        let mut any = false;
        for (id, effect) in effects {
            if let Effect::File(handle, FileWork::Remove) = &effect {
                // What cannot be removed is swept at the next start.
                let _swept = fs::remove_file(body_path(self.store.bodies(), *handle));
            }
            // Nobody watches: notices are for the sessions of a server.
            if let Effect::Job(job) = effect {
                any = true;
                let mut answers = Vec::new();
                let hands =
                    if job.lane() == Lane::Write { &mut self.writer } else { &mut self.reader };
                hands.carry_out(vec![job], &mut answers);
                if let Some(answer) = answers.pop() {
                    desk.deliver(id, Completion::Answer(Ok(answer)));
                }
            }
        }
        any
    }
}

/// For another command, or for a server on its way up or down.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);
