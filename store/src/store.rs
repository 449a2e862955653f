//! A store's directory: its lock, its database, its folder of bodies.
//!
//! ```text
//! DIR/lock              held by the one process that has the store open
//! DIR/pillarbox.db      the database; beside it SQLite's own -wal and -shm
//! DIR/index.db          the index of texts, which can be thrown away; see `index`
//! DIR/bodies/           large bodies, each a file named by its handle
//! ```

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use pillarbox_core::effect::{Fault, FaultKind, Handle};
use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, DEFAULT_NAME, OpenFlags};

use crate::flag_runs::FlagRuns;
use crate::hold::{BodiesHold, Held};
use crate::index::INDEX;
use crate::index::find::Index;
use crate::{Filler, Indexer, OpenError, Reader, StoreError, Writer, backup, schema, sweep, wake};

/// How a store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The longest body that is a row of the database; longer ones are files. In bytes.
    pub inline_max: usize,
    /// What a commit waits for.
    pub sync: Sync,
    /// The most mailboxes that one account can have, and the most names that it can subscribe to:
    /// LIST and LSUB look at all of them at once.
    pub mailboxes_max: u32,
    /// How many runs of expunged UIDs are remembered for each mailbox. Somebody who was away for
    /// longer is told of more than is needed (RFC 7162 §5.3).
    pub tombstones_max: u32,
    /// How many bytes of messages an account may have that has no quota of its own; `None`: any
    /// number.
    pub quota: Option<u64>,
    /// The database's page size in bytes; counts only when the store is made. At 8 KiB letters of
    /// 2 KiB waste a third less room than at 4 KiB, for the same work (`examples/measure.rs`).
    pub page_size: u32,
    /// The page cache of each connection, in KiB.
    pub cache_kib: u32,
    /// [`Writer::checkpoint_due`] from this many pages in the WAL on.
    pub checkpoint_pages: u32,
    /// The WAL is made this long at the start, in bytes: to overwrite is cheaper than to grow.
    pub wal_size: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            inline_max: 64 * 1024,
            sync: Sync::Full,
            mailboxes_max: 10_000,
            tombstones_max: 10_000,
            quota: None,
            page_size: 8192,
            cache_kib: 1024,
            checkpoint_pages: 750,
            wal_size: 8 * 1024 * 1024,
        }
    }
}

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Until the disk says that it has it (`synchronous=FULL`).
    Full,
    /// For nothing. For tests: a power loss loses mail.
    Off,
}

/// An open store. It holds the lock, as do the writers and readers made from it.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    /// For checkpoints. Its being open also keeps the WAL when all others are closed.
    keeper: Mutex<Connection>,
}

/// What all connections of a store have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    dir: PathBuf,
    pub(crate) bodies: PathBuf,
    pub(crate) options: Options,
    /// Held, not used; `None` where another process holds it.
    _lock: Option<File>,
    /// Why nothing more is written.
    broken: OnceLock<Fault>,
    /// Whether files of bodies must stay.
    pub(crate) held: Held,
    pub(crate) flag_runs: FlagRuns,
}

impl Store {
    /// Opens the store in `dir`, which is made if absent. Takes the lock, brings the schema to
    /// this program's version, and sweeps what a crash left behind. A copy that
    /// [`backup`](crate::backup) made becomes the store itself by this: from then on nothing is
    /// given the UIDs and numbers that may have been given after the copy was made.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(dir: &Path, options: &Options) -> Result<Self, OpenError> {
        let bodies = dir.join(BODIES);
        make_folder(dir)?;
        make_folder(&bodies)?;
        let lock = take_lock(dir)?;
        backup::refuse_unfinished(dir)?;
        let mut conn = create(dir, options)?;
        schema::migrate(&mut conn)?;
        wake::wake(&mut conn)?;
        sweep::sweep(&conn, &bodies)?;
        lengthen_wal(&dir.join(WAL), options.wal_size)?;
        sync_folder(dir)?;
        let shared = Shared {
            dir: dir.to_owned(),
            bodies,
            options: options.clone(),
            _lock: Some(lock),
            broken: OnceLock::new(),
            held: Held::default(),
            flag_runs: FlagRuns::default(),
        };
        Ok(Self { shared: Arc::new(shared), keeper: Mutex::new(conn) })
    }

    /// A connection that reads the store of another process, which has it open and holds the files of
    /// bodies ([`hold_bodies`](Self::hold_bodies)).
    ///
    /// # Errors
    ///
    /// [`OpenError::Older`] and [`OpenError::Newer`] where it is of another version than this program;
    /// the world's failures.
    pub fn look(dir: &Path, options: &Options) -> Result<Reader, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(dir.join(DATABASE), flags)?;
        conn.busy_timeout(BUSY)?;
        conn.pragma_update(None, "query_only", true)?;
        keep_statements(&conn)?;
        let (found, known) = (schema::version(&conn)?, schema::known());
        if found < known {
            return Err(OpenError::Older { found, known });
        }
        let shared = Shared {
            dir: dir.to_owned(),
            bodies: dir.join(BODIES),
            options: options.clone(),
            _lock: None,
            broken: OnceLock::new(),
            held: Held::default(),
            flag_runs: FlagRuns::default(),
        };
        Ok(Reader { conn, shared: Arc::new(shared), index: Index::default() })
    }

    /// A connection that writes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] after a failed sync; the world's failures.
    pub fn writer(&self) -> Result<Writer, StoreError> {
        self.shared.check()?;
        let conn = connect(&self.shared.dir, &self.shared.options)?;
        Ok(Writer {
            conn,
            shared: Arc::clone(&self.shared),
            checkpoint_due: false,
            unpurged: VecDeque::new(),
        })
    }

    /// A connection that reads.
    ///
    /// # Errors
    ///
    /// The world's failures.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        let conn = connect(&self.shared.dir, &self.shared.options)?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(Reader { conn, shared: Arc::clone(&self.shared), index: Index::default() })
    }

    /// What makes the digests that are missing, in the background.
    ///
    /// # Errors
    ///
    /// The world's failures.
    pub fn filler(&self) -> Result<Filler, StoreError> {
        let conn = connect(&self.shared.dir, &self.shared.options)?;
        Filler::new(conn, Arc::clone(&self.shared))
    }

    /// What makes the index of texts, in the background. There is at most one.
    ///
    /// # Errors
    ///
    /// The world's failures.
    pub fn indexer(&self) -> Result<Indexer, StoreError> {
        Indexer::open(connect(&self.shared.dir, &self.shared.options)?, Arc::clone(&self.shared))
    }

    /// 32 random bytes, drawn when the store was made, which the answers to logins of names that
    /// do not exist are derived from.
    ///
    /// # Errors
    ///
    /// The world's failures.
    pub fn login_secret(&self) -> Result<[u8; 32], StoreError> {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let ask = "SELECT login_secret FROM meta";
        Ok(keeper.query_row(ask, [], |row| row.get::<_, [u8; 32]>(0))?)
    }

    /// Keeps the files of bodies, also of those that go meanwhile, until what is returned is
    /// dropped: for a [`backup`](crate::backup) by another process.
    #[must_use]
    pub fn hold_bodies(&self) -> BodiesHold {
        BodiesHold::new(Arc::clone(&self.shared))
    }

    /// The folder where large bodies lie; [`body_path`] tells the file.
    #[must_use]
    pub fn bodies(&self) -> &Path {
        &self.shared.bodies
    }

    /// Copies what is in the WAL into the database, as far as no reader is in the way, so that the
    /// WAL can be used again from its beginning. Blocks neither the writer nor readers, but
    /// itself takes as long as the disk does: call it where that does not matter.
    ///
    /// # Errors
    ///
    /// The world's failures. After [`StoreError::Io`] the writers take nothing more either.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        match keeper.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::PASSIVE) {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = error.into();
                self.shared.mark(&error);
                Err(error)
            }
        }
    }
}

impl Shared {
    /// The file of the index of texts.
    pub(crate) fn index(&self) -> PathBuf {
        self.dir.join(INDEX)
    }

    /// That the store may still be written to.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.broken.get() {
            None => Ok(()),
            Some(fault) => Err(StoreError::Io(fault.clone())),
        }
    }

    /// Remembers an error after which nothing more may be written.
    pub(crate) fn mark(&self, error: &StoreError) {
        if let StoreError::Io(fault) = error
            && self.broken.get().is_none()
        {
            log::error!(error:% = fault; "the disk failed: nothing is stored until the store is reopened");
            let reason = format!("nothing is stored until the store is reopened: {fault}");
            // A second failure adds nothing to the first.
            let _ = self.broken.set(Fault::new(FaultKind::Temporary, reason));
        }
    }
}

/// The file of a body, in the folder that [`Store::bodies`] tells.
///
/// One flat folder: ext4, XFS and Btrfs find a name among millions by hash or tree, and a second
/// level would be a second folder to sync with each new file.
#[must_use]
pub fn body_path(bodies: &Path, handle: Handle) -> PathBuf {
    bodies.join(handle.to_string())
}

pub(crate) const BODIES: &str = "bodies";
const LOCK: &str = "lock";
pub(crate) const DATABASE: &str = "pillarbox.db";
const WAL: &str = "pillarbox.db-wal";

/// The lock on a store's directory, held as long as the file is open.
pub(crate) fn take_lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(LOCK);
    let fault = |error| OpenError::Io(path.clone(), error);
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(fault(error)),
    }
}

/// The first connection: it also decides what cannot be changed later.
fn create(dir: &Path, options: &Options) -> Result<Connection, OpenError> {
    let conn = Connection::open(dir.join(DATABASE))?;
    // Both count for an empty database only, and before the first write.
    conn.pragma_update(None, "page_size", options.page_size)?;
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    configure(&conn, options)?;
    Ok(conn)
}

fn connect(dir: &Path, options: &Options) -> Result<Connection, StoreError> {
    let conn = Connection::open(dir.join(DATABASE))?;
    configure(&conn, options)?;
    Ok(conn)
}

fn configure(conn: &Connection, options: &Options) -> Result<(), rusqlite::Error> {
    conn.busy_timeout(BUSY)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match options.sync {
        Sync::Full => "FULL",
        Sync::Off => "OFF",
    };
    conn.pragma_update(None, "synchronous", synchronous)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // Negative: KiB instead of pages.
    conn.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    // A WAL that had to grow further shrinks to this when it is used again from its beginning.
    conn.pragma_update(None, "journal_size_limit", WAL_KEPT_MAX)?;
    keep_statements(conn)
}

/// Each statement is compiled once. Without the guarantee SQLite would look whether the values that
/// a statement is given allow another plan (those of partial indexes), and so compile it each time.
pub(crate) fn keep_statements(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// How long one writer waits for another, or for a recovery.
pub(crate) const BUSY: Duration = Duration::from_secs(10);
/// In bytes.
const WAL_KEPT_MAX: i64 = 64 * 1024 * 1024;
/// More than there are statements in this crate.
const STATEMENTS_MAX: usize = 128;

/// Fills the WAL with zeros up to `size`, so that commits overwrite blocks that the file has
/// already. SQLite takes zeros behind the last frame for what they are: no frame.
fn lengthen_wal(path: &Path, size: u64) -> Result<(), OpenError> {
    let lengthen = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        let len = file.seek(SeekFrom::End(0))?;
        let missing = size.saturating_sub(len);
        io::copy(&mut io::repeat(0).take(missing), &mut file)?;
        file.sync_all()
    };
    lengthen().map_err(|error| OpenError::Io(path.to_owned(), error))
}

/// Makes a folder for a store where there is none, with its name on the disk. Only its owner may
/// look into it. [`Store::open`] does so too; this is for those who must have it before.
///
/// # Errors
///
/// [`OpenError::Io`].
pub fn make_folder(path: &Path) -> Result<(), OpenError> {
    let fault = |error| OpenError::Io(path.to_owned(), error);
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(fault)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => Ok(()),
    }
}

pub(crate) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| OpenError::Io(path.to_owned(), error))
}
