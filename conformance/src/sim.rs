//! The simulator: a whole server, its clients, its disk and its clock in one thread, from one seed.
//!
//! The machines, the flows and the store are those that are shipped. The world around them is not:
//! `world` moves bytes in pieces, delays and reorders answers, gathers writes into commits, cuts
//! connections, and lets the server die at any step; `disk` loses what a power loss would have
//! lost. Meanwhile `sender`s send letters and `reader`s read, file, flag, copy, move and expunge them, and
//! the `ledger` holds what they were promised. Then the faults end, the clients finish, the
//! server dies once more, and `check` looks into the store.
//!
//! Not simulated: TLS (it draws random bytes of its own), failures of the disk other than a loss,
//! the runtimes themselves, the real `fsync`. The store runs with `synchronous=OFF` and the disk
//! takes each finished commit for synced; that it really is, `./test` shows by other means.

mod check;
mod disk;
mod house;
mod ledger;
mod peer;
mod post;
pub(crate) mod prng;
mod reader;
mod resync;
mod seat;
mod sender;
mod trace;
mod world;

use std::path::{Path, PathBuf};

use pillarbox_core::UnixSeconds;
use pillarbox_store::{Secret, Store, Write, Writer, Written};
use tempfile::TempDir;

use disk::Loss;
use ledger::{ACCOUNTS, Kind, Ledger};
pub use post::{PostReport, run_post};
use prng::Prng;
use reader::ImapReader;
use seat::Client;
use sender::Sender;
use trace::Trace;
pub use world::Figures;
use world::World;

/// A store with accounts, copied for each run: a password is slow to make.
#[derive(Debug)]
pub struct Template(TempDir);

/// How a run ended.
#[derive(Debug)]
pub struct Report {
    /// Equal for equal runs.
    pub hash: u64,
    /// What was done.
    pub figures: Figures,
    /// How many letters there were, and how many were in doubt at some time.
    pub letters: (usize, usize),
    /// How often a reader that came again went on where it was.
    pub resyncs: usize,
    /// What broke the promise; nothing, if all is well.
    pub violations: Vec<String>,
}

impl Template {
    /// Makes the store.
    ///
    /// # Errors
    /// One line.
    pub fn new() -> Result<Self, String> {
        let dir = fresh_folder()?;
        let store = Store::open(dir.path(), &house::options()).map_err(|e| e.to_string())?;
        let mut writer = store.writer().map_err(|e| e.to_string())?;
        let domain = "localhost".to_owned();
        one(&mut writer, Write::CreateDomain { name: domain.clone() })?;
        for name in ACCOUNTS {
            let (name, now) = (name.to_owned(), UnixSeconds(1_799_999_000));
            let Written::Account(account) =
                one(&mut writer, Write::CreateAccount { name: name.clone(), now })?
            else {
                return Err("no account".into());
            };
            let domain = domain.clone();
            one(&mut writer, Write::CreateAddress { localpart: name, domain, account })?;
            let secrets = vec![Secret::Argon2id(PASSWORD.into())];
            one(&mut writer, Write::SetSecrets { account, secrets })?;
        }
        drop((writer, store));
        Ok(Self(dir))
    }
}

/// Runs a seed.
///
/// # Errors
/// What kept it from being run to its end: the server cannot be started again, or it is stuck.
pub fn run(seed: u64, print: bool, template: &Template) -> Result<Report, String> {
    let dir = fresh_folder()?;
    let path = dir.path().join("store");
    disk::copy(template.0.path(), &path).map_err(|error| error.to_string())?;
    let mut prng = Prng::new(seed);
    prng::seed_server(prng.bits());
    let mut ledger = Ledger::default();
    let clients = clients(&mut ledger, &mut prng);
    let chaos = prng.between(800, 4_000);
    let mut world = World::new(path.clone(), prng, clients, ledger, Trace::new(print))?;
    for _ in 0..chaos {
        world.step(true)?;
    }
    world.faults = false;
    settle(&mut world)?;
    world.ask_for_news();
    settle(&mut world)?;
    check::views(&mut world)?;
    check::letters(&mut world)?;
    world.restart(if seed.is_multiple_of(2) { Loss::Power } else { Loss::Killed })?;
    check::letters(&mut world)?;
    finish(world, &path)
}

fn finish(mut world: World, path: &Path) -> Result<Report, String> {
    world.close();
    check::whole(path, &mut world.ledger);
    let ledger = world.ledger;
    let doubted = ledger.letters.iter().filter(|letter| letter.doubts > 0).count();
    Ok(Report {
        hash: world.trace.hash(),
        figures: world.figures,
        letters: (ledger.letters.len(), doubted),
        resyncs: ledger.resyncs,
        violations: ledger.violations,
    })
}

fn clients(ledger: &mut Ledger, prng: &mut Prng) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..prng.between(1, 5) {
        let mut sender = Sender::default();
        for _ in 0..prng.between(2, 14) {
            let kind = if prng.once_in(8) { Kind::Smuggling } else { Kind::Plain };
            sender.todo.push_back(ledger.write(kind, prng));
        }
        clients.push(Client::Sender(sender));
    }
    for index in 0..prng.between(0, 5) {
        // Mostly several of one account.
        let account = if prng.once_in(4) { 1 } else { 0 };
        clients.push(Client::Reader(Box::new(ImapReader::new(account, index))));
    }
    clients
}

/// Without faults everybody comes to an end.
fn settle(world: &mut World) -> Result<(), String> {
    for _ in 0..STEPS_MAX {
        if !world.step(false)? {
            return if world.seats.iter().all(seat::Seat::is_done) {
                Ok(())
            } else {
                Err(format!("stuck:\n{}", world.stuck()))
            };
        }
    }
    Err(format!("no end in {STEPS_MAX} steps:\n{}", world.stuck()))
}

fn one(writer: &mut Writer, write: Write) -> Result<Written, String> {
    let answer = writer.commit(vec![write]).pop();
    answer.ok_or("no answer")?.map_err(|error| error.to_string())
}

/// In memory where the system offers that.
fn fresh_folder() -> Result<TempDir, String> {
    let memory = PathBuf::from("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.map_err(|error| format!("no folder for a store: {error}"))
}

/// Far more than clients that get their answers need.
const STEPS_MAX: usize = 200_000;
/// `pillarbox` with the least work that argon2id knows: a run logs in often.
const PASSWORD: &str = "$argon2id$v=19$m=8,t=1,p=1$c2ltdWxhdG9yc2FsdDAwMA$\
                        GquruoXfoPasV17kjlpejzHxAiyTtDtKXOZU+61NaR8";
