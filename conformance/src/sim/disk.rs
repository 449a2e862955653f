//! What a disk keeps. The store really writes, to a directory in memory, and never syncs; what a
//! real disk would have had at a power loss is made from it here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::prng::Prng;

/// How the server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// The process dies; what it wrote stays.
    Killed,
    /// The power fails: what was not synced may be gone.
    Power,
}

/// What was on the disk before something that is to be cut short.
#[derive(Debug)]
pub(super) struct Before {
    database: Vec<u8>,
    wal: Vec<u8>,
    /// Bodies, kept by a second name: what is removed too early can come back.
    saved: PathBuf,
}

/// The files of a store.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    /// How much of each body's file is synced, by name.
    synced: BTreeMap<String, u64>,
}

/// One write of a disk is whole or not there.
const SECTOR: usize = 512;

impl Disk {
    /// The disk that holds the store in `dir`.
    #[must_use]
    pub(super) const fn new(dir: PathBuf) -> Self {
        Self { dir, synced: BTreeMap::new() }
    }

    /// A body's file was synced.
    pub(super) fn synced(&mut self, name: String) {
        let len = fs::metadata(self.bodies().join(&name)).map_or(0, |data| data.len());
        self.synced.insert(name, len);
    }

    fn bodies(&self) -> PathBuf {
        self.dir.join("bodies")
    }

    /// Takes down what is on the disk before a step in which the server dies.
    ///
    /// # Errors
    /// The real disk's.
    pub(super) fn before(&self) -> io::Result<Before> {
        let saved = self.dir.join("saved");
        fs::create_dir_all(&saved)?;
        for entry in fs::read_dir(self.bodies())? {
            let entry = entry?;
            fs::hard_link(entry.path(), saved.join(entry.file_name()))?;
        }
        let database = fs::read(self.dir.join(DATABASE))?;
        Ok(Before { database, wal: fs::read(self.dir.join(WAL))?, saved })
    }

    /// Ends the server, which is dropped by `end`, and leaves the files as they would be. All that
    /// was committed before `before` is synced; of what came after it a random part is there.
    ///
    /// # Errors
    /// The real disk's.
    pub(super) fn die(
        &mut self,
        loss: Loss,
        before: Option<Before>,
        prng: &mut Prng,
        end: impl FnOnce(),
    ) -> io::Result<()> {
        // Read first: SQLite tidies up when its connections are dropped, a dying process does not.
        let mut database = fs::read(self.dir.join(DATABASE))?;
        let mut wal = fs::read(self.dir.join(WAL))?;
        end();
        if let Some(before) = before {
            database = torn(before.database, &database, DATABASE_PAGE, loss, prng);
            wal = torn_wal(before.wal, &wal, loss, prng);
            for entry in fs::read_dir(&before.saved)? {
                let entry = entry?;
                // Fails where it was not removed.
                let _there = fs::hard_link(entry.path(), self.bodies().join(entry.file_name()));
            }
            fs::remove_dir_all(&before.saved)?;
        }
        if loss == Loss::Power {
            self.lose_bodies(prng)?;
        }
        let _gone = fs::remove_file(self.dir.join(INDEX));
        fs::write(self.dir.join(DATABASE), database)?;
        fs::write(self.dir.join(WAL), wal)
    }

    /// A file's bytes after its last sync may be there in part; if it never was synced, its name
    /// may be gone too.
    fn lose_bodies(&self, prng: &mut Prng) -> io::Result<()> {
        let mut names: Vec<_> = fs::read_dir(self.bodies())?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        for name in names {
            let path = self.bodies().join(&name);
            let len = fs::metadata(&path)?.len();
            let kept = self.synced.get(&name).copied();
            if kept.is_none() && prng.once_in(2) {
                fs::remove_file(&path)?;
            } else if kept.unwrap_or(0) < len {
                let most = usize::try_from(len).unwrap_or(0);
                let least = usize::try_from(kept.unwrap_or(0)).unwrap_or(0);
                let cut = u64::try_from(prng.between(least, most)).unwrap_or(0);
                fs::OpenOptions::new().write(true).open(&path)?.set_len(cut)?;
            }
        }
        Ok(())
    }
}

/// A mixture of what was there and what was written over it: for a process that dies the writes up
/// to some point, for a power loss any of them in any order.
fn torn(old: Vec<u8>, new: &[u8], unit: usize, loss: Loss, prng: &mut Prng) -> Vec<u8> {
    let mut mixed = old;
    mixed.resize(mixed.len().max(new.len()), 0);
    let changed: Vec<usize> = (0..new.len().div_ceil(unit))
        .map(|index| index * unit)
        .filter(|&at| mixed.get(at..at + unit) != new.get(at..at + unit))
        .collect();
    let cut = prng.below(changed.len() + 1);
    // Often all but a few, or a few only: there the edges are.
    let rarely = prng.between(2, 6);
    for (index, at) in changed.into_iter().enumerate() {
        let written = match loss {
            Loss::Killed => index < cut,
            Loss::Power => (index < cut) != prng.once_in(rarely),
        };
        let end = (at + unit).min(new.len());
        if written && let (Some(to), Some(from)) = (mixed.get_mut(at..end), new.get(at..end)) {
            to.copy_from_slice(from);
        }
    }
    mixed
}

/// The same for the WAL. When SQLite begins it anew it syncs the new header before it writes behind
/// it (SQLite's ticket ff5be73dee): under the old one, what is left of the old frames would count.
fn torn_wal(mut old: Vec<u8>, new: &[u8], loss: Loss, prng: &mut Prng) -> Vec<u8> {
    if loss == Loss::Power
        && let Some(header) = new.get(..WAL_HEADER)
        && old.get(..WAL_HEADER) != Some(header)
    {
        if prng.once_in(4) {
            return old;
        }
        old.resize(old.len().max(WAL_HEADER), 0);
        if let Some(to) = old.get_mut(..WAL_HEADER) {
            to.copy_from_slice(header);
        }
    }
    torn(old, new, SECTOR, loss, prng)
}

/// A fresh copy of a store that nobody has open.
///
/// # Errors
/// The real disk's.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to.join("bodies"))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

const DATABASE: &str = "pillarbox.db";
const WAL: &str = "pillarbox.db-wal";
const INDEX: &str = "pillarbox.db-shm";
const DATABASE_PAGE: usize = 4096;
const WAL_HEADER: usize = 32;
