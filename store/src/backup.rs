//! `pillarbox backup`: the store as it is at one moment, while a server runs or none.
//!
//! The database is copied page by page out of one snapshot. That holds up nobody who writes; the
//! WAL grows by what is written meanwhile. Then come the files of bodies that the copy names: never
//! changed once written, they are linked where that is possible. What is removed meanwhile must stay
//! until all is done: whoever has the store open sees to that
//! ([`Store::hold_bodies`](crate::Store::hold_bodies)).
//!
//! ```text
//! TO.partial/                       while the copy is made
//! TO.partial/pillarbox.db.partial   until all the rest is on the disk
//! TO/                               all of it, or not there
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use pillarbox_core::effect::Handle;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::store::{BODIES, DATABASE, sync_folder, take_lock};
use crate::{OpenError, StoreError, body_path, make_folder, schema, sql, wake};

/// How a copy is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct How {
    /// A server has the store open and holds the files of bodies. Otherwise the lock is taken.
    pub running: bool,
    /// Files of bodies are copied also where they could be linked.
    pub copy_files: bool,
}

/// How far the copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Bytes of the database.
    Database {
        /// Copied.
        done: u64,
        /// In all.
        all: u64,
    },
    /// Bytes in files of bodies.
    Bodies {
        /// Linked or copied.
        done: u64,
        /// In all.
        all: u64,
    },
    /// A body's file was missing or had another size. The copy goes on without it.
    Missing(Handle),
}

/// A copy that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Made {
    /// The size of the database, in bytes.
    pub database: u64,
    /// How many files of bodies.
    pub files: u64,
    /// Their sizes together, in bytes.
    pub bytes: u64,
    /// How many of them were linked.
    pub linked: u64,
    /// How many there should have been more.
    pub missing: u64,
}

/// Copies the store in `from` to `to`, which must not be there, and answers once the copy is whole
/// and on the disk. The copy is a store: [`verify`](crate::verify::verify) looks at it, and
/// [`Store::open`](crate::Store::open) uses it. What an earlier copy to the same place has left
/// unfinished is removed.
///
/// # Errors
///
/// [`OpenError::Io`] of kind `AlreadyExists` where `to` is there, of kind `NotFound` where `from` holds no store;
/// [`OpenError::InUse`] where another process has `from` open without `running`, or makes a copy at
/// the same place; [`OpenError::Newer`]; the world's failures.
pub fn backup(
    from: &Path,
    to: &Path,
    how: How,
    tell: &mut dyn FnMut(Progress),
) -> Result<Made, OpenError> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(OpenError::Io(to.to_owned(), io::ErrorKind::AlreadyExists.into()));
    }
    // Looked for before anything is made: the lock's file, too, would be.
    let database = from.join(DATABASE);
    fs::metadata(&database).map_err(|error| OpenError::Io(database.clone(), error))?;
    let _lock = if how.running { None } else { Some(take_lock(from)?) };
    let source = open(&database)?;
    let partial = with_ending(to);
    make_folder(&partial)?;
    let _own = take_lock(&partial)?;
    clear(&partial)?;

    let unnamed = with_ending(&partial.join(DATABASE));
    let mut made = Made { database: copy_database(source, &unnamed, tell)?, ..Made::default() };
    copy_bodies(&unnamed, &from.join(BODIES), &partial.join(BODIES), how, &mut made, tell)?;
    sync_folder(&partial.join(BODIES))?;
    rename(&unnamed, &partial.join(DATABASE))?;
    sync_folder(&partial)?;
    rename(&partial, to)?;
    sync_folder(parent(to))?;
    Ok(made)
}

/// That what lies here is not half of a copy.
pub(crate) fn refuse_unfinished(dir: &Path) -> Result<(), OpenError> {
    if fs::symlink_metadata(with_ending(&dir.join(DATABASE))).is_ok() {
        return Err(OpenError::Unfinished(dir.to_owned()));
    }
    Ok(())
}

/// Not read-only: a crash may have left a WAL that has to be read first, which writes its index.
fn open(database: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(database, flags)?;
    conn.pragma_update(None, "query_only", true)?;
    schema::version(&conn)?;
    Ok(conn)
}

/// What an earlier copy has left. Only what such a one makes.
fn clear(partial: &Path) -> Result<(), OpenError> {
    let bodies = partial.join(BODIES);
    let absent = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match fs::remove_dir_all(&bodies) {
        Err(error) if !absent(&error) => return Err(OpenError::Io(bodies, error)),
        _ => {}
    }
    let unnamed = with_ending(&partial.join(DATABASE));
    for file in [partial.join(DATABASE), with_suffix(&unnamed, "-journal"), unnamed] {
        match fs::remove_file(&file) {
            Err(error) if !absent(&error) => return Err(OpenError::Io(file, error)),
            _ => {}
        }
    }
    Ok(())
}

/// Copies the database out of one snapshot; its size.
fn copy_database(
    source: Connection,
    to: &Path,
    tell: &mut dyn FnMut(Progress),
) -> Result<u64, OpenError> {
    let mut target = Connection::open(to)?;
    // It is synced once, when it is whole.
    target.pragma_update(None, "synchronous", "OFF")?;
    let page: u64 = source.pragma_query_value(None, "page_size", |row| sql::u64_at(row, 0))?;
    {
        // Without it the copy would begin anew whenever something is written.
        let snapshot = source.unchecked_transaction()?;
        schema::version(&snapshot)?;
        let copying = Backup::new(&snapshot, &mut target)?;
        loop {
            let step = copying.step(STEP_PAGES)?;
            let progress = copying.progress();
            let pages = |count: i32| u64::try_from(count).unwrap_or(0) * page;
            let all = pages(progress.pagecount);
            tell(Progress::Database { done: all - pages(progress.remaining), all });
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                // Of the copy, which nobody else has open.
                _ => return Err(StoreError::Misuse("somebody uses the copy").into()),
            }
        }
    }
    drop(source);
    // One file, whatever is done with it.
    target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    target.pragma_update(None, "application_id", wake::COPY)?;
    target.close().map_err(|(_, error)| error)?;
    sync(to)
}

/// Brings the files of all bodies that the copy names.
fn copy_bodies(
    database: &Path,
    from: &Path,
    to: &Path,
    how: How,
    made: &mut Made,
    tell: &mut dyn FnMut(Progress),
) -> Result<(), OpenError> {
    make_folder(to)?;
    let conn = open(database)?;
    let all = conn.query_row(
        "SELECT coalesce(sum(size), 0) FROM body WHERE handle IS NOT NULL",
        [],
        |row| sql::u64_at(row, 0),
    )?;
    let mut statement = conn.prepare("SELECT handle, size FROM body WHERE handle IS NOT NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (handle, size) = (Handle(row.get(0)?), sql::u64_at(row, 1)?);
        let (old, new) = (body_path(from, handle), body_path(to, handle));
        match fs::metadata(&old) {
            Ok(found) if found.len() == size => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(OpenError::Io(old, error));
            }
            _ => {
                made.missing += 1;
                tell(Progress::Missing(handle));
                continue;
            }
        }
        if !how.copy_files && fs::hard_link(&old, &new).is_ok() {
            made.linked += 1;
        } else {
            fs::copy(&old, &new).map_err(|error| OpenError::Io(old, error))?;
            sync(&new)?;
        }
        made.files += 1;
        made.bytes += size;
        tell(Progress::Bodies { done: made.bytes, all });
    }
    Ok(())
}

/// Syncs a file; its size.
fn sync(path: &Path) -> Result<u64, OpenError> {
    let synced = File::open(path).and_then(|file| {
        file.sync_all()?;
        Ok(file.metadata()?.len())
    });
    synced.map_err(|error| OpenError::Io(path.to_owned(), error))
}

fn rename(from: &Path, to: &Path) -> Result<(), OpenError> {
    fs::rename(from, to).map_err(|error| OpenError::Io(to.to_owned(), error))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// The name that something has until it is whole.
fn with_ending(path: &Path) -> PathBuf {
    with_suffix(path, ".partial")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Pages between two words of progress: 4 MiB at 8 KiB each.
const STEP_PAGES: i32 = 512;
