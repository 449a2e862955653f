//! The server under test: the shipped machines, flows and store, and the lanes where their work
//! waits until the scheduler lets it be carried out.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use pillarbox::config::{
    Config, Delivery, Dns, Limits, Listener, Logins, Protocol, RuntimeKind, Web,
};
use pillarbox::context::Context;
use pillarbox::doors::{Entrance, Shown};
use pillarbox::job::{Answer, Job, Worker};
use pillarbox::rates::Allowances;
use pillarbox_core::EffectId;
use pillarbox_core::effect::{BoxMachine, FileWork, Handle, Hands};
use pillarbox_runtime_std::bodies::Bodies;
use pillarbox_store::{Options, Store, Sync};

use super::prng;

/// A connection's number, never used again in a run.
pub(super) type ConnId = usize;

/// A running server.
#[derive(Debug)]
pub(super) struct House {
    /// The open store.
    pub(super) store: Store,
    /// The writer's hands.
    pub(super) writer: Worker,
    /// Those of the read lane.
    pub(super) reader: Worker,
    /// Those of the work lane.
    pub(super) checker: Worker,
    /// The work on files.
    pub(super) bodies: Bodies,
    /// Told when the WAL should be written back.
    pub(super) checkpoint: Receiver<()>,
    /// Jobs that wait, in the order of asking.
    pub(super) writes: VecDeque<(ConnId, EffectId, Job)>,
    /// The same for reads and for computations.
    pub(super) looks: Vec<(ConnId, EffectId, Job)>,
    /// Work on files; of one connection in the order of asking.
    pub(super) files: Vec<(ConnId, EffectId, Handle, FileWork)>,
    smtp: Entrance,
    imap: Entrance,
}

/// How stores are opened here: nothing is synced, and the WAL is short and often written back.
#[must_use]
pub(super) fn options() -> Options {
    Options {
        sync: Sync::Off,
        checkpoint_pages: 24,
        wal_size: 64 << 10,
        cache_kib: 256,
        ..Options::default()
    }
}

impl House {
    /// Starts the server on a store, for the time that it is; `start` counts the starts.
    ///
    /// # Errors
    /// One line.
    pub(super) fn open(dir: &Path, start: u64) -> Result<Self, String> {
        let store = Store::open(dir, &options()).map_err(|error| error.to_string())?;
        let context = Context::new(
            "localhost".into(),
            start << 20,
            &Allowances::default(),
            store.login_secret().map_err(|error| error.to_string())?,
            prng::server_random,
        );
        let context = Arc::new(context);
        let (tell, checkpoint) = sync_channel(1);
        let writer = store.writer().map_err(|error| error.to_string())?;
        let reader = store.reader().map_err(|error| error.to_string())?;
        let config = config();
        let entrance = |protocol| {
            let address = (Ipv4Addr::LOCALHOST, 0).into();
            let listener = Listener {
                protocol,
                address,
                alpn: Vec::new(),
                login_without_tls: true,
                hide_mechanisms: Vec::new(),
                any_sender: false,
                proxies: Vec::new(),
                resumption: true,
                client_certificates: false,
                landing_page: false,
                metrics: false,
            };
            let entrance = Entrance::new(&context, &config, &listener, None, &Shown::default());
            entrance.map_err(|fault| fault.to_string())
        };
        Ok(Self {
            writer: Worker::Writer(writer, Some(tell)),
            reader: Worker::Reader(Box::new(reader)),
            checker: Worker::Checker,
            bodies: Bodies::open(store.bodies()).map_err(|error| error.to_string())?,
            checkpoint,
            writes: VecDeque::new(),
            looks: Vec::new(),
            files: Vec::new(),
            smtp: entrance(Protocol::Smtp)?,
            imap: entrance(Protocol::Imap)?,
            store,
        })
    }

    /// A machine for a new connection.
    #[must_use]
    pub(super) fn machine(&self, imap: bool) -> BoxMachine<Job> {
        let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
        if imap { self.imap.machine(peer, false) } else { self.smtp.machine(peer, false) }
    }

    /// Carries out the first `count` writes as one commit.
    pub(super) fn commit(&mut self, count: usize) -> Vec<(ConnId, EffectId, Answer)> {
        let (askers, jobs): (Vec<_>, Vec<_>) = self
            .writes
            .drain(..count.min(self.writes.len()))
            .map(|(conn, id, job)| ((conn, id), job))
            .unzip();
        let mut answers = Vec::new();
        self.writer.carry_out(jobs, &mut answers);
        askers.into_iter().zip(answers).map(|((conn, id), answer)| (conn, id, answer)).collect()
    }

    /// Carries out one read or computation.
    pub(super) fn look(&mut self, index: usize) -> Option<(ConnId, EffectId, Answer)> {
        if index >= self.looks.len() {
            return None;
        }
        let (conn, id, job) = self.looks.swap_remove(index);
        let mut answers = Vec::new();
        let hands =
            if matches!(job, Job::Check { .. }) { &mut self.checker } else { &mut self.reader };
        hands.carry_out(vec![job], &mut answers);
        Some((conn, id, answers.pop()?))
    }
}

fn config() -> Config {
    Config {
        file: "/nowhere/pillarbox.toml".into(),
        hostname: "localhost".into(),
        data: "/nowhere".into(),
        user: None,
        sandbox: false,
        runtime: RuntimeKind::Std,
        threads: 1,
        tls: None,
        listeners: Vec::new(),
        dns: Dns::default(),
        delivery: Delivery::default(),
        checks: None,
        queue: None,
        limits: Limits { stop_within: Duration::ZERO, ..Limits::default() },
        rates: Allowances::default(),
        web: Web::default(),
        logins: Logins::default(),
        log: log::LevelFilter::Off,
        sync: false,
    }
}
