//! Carries out work on bodies' files.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use pillarbox_core::effect::{Fault, FaultKind, FileWork, Handle};

/// One folder; each body's file is named by its handle's hex digits. All clones are one.
#[derive(Debug, Clone)]
pub struct Bodies {
    folder: PathBuf,
    /// Why nothing more is written: a sync has failed.
    failed: Arc<OnceLock<String>>,
}

impl Bodies {
    /// The bodies in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), failed: Arc::default() })
    }

    /// Does the work, blocking. What is returned is what was read, empty for other work.
    ///
    /// # Errors
    /// [`FaultKind::NoSpace`] where the disk or the quota is full, [`FaultKind::Permanent`] where
    /// there is no such file, [`FaultKind::Unknown`] where a sync failed: the kernel may have
    /// dropped what it could not write, and a second sync would then say that all is well. For
    /// the same reason all further appends and syncs, of any file, are [`FaultKind::Temporary`]
    /// then, until the folder is opened anew.
    pub fn carry_out(&self, handle: Handle, work: FileWork) -> Result<Vec<u8>, Fault> {
        let path = self.folder.join(handle.to_string());
        if let (FileWork::Append(_) | FileWork::Sync, Some(reason)) = (&work, self.failed.get()) {
            return Err(Fault::new(FaultKind::Temporary, reason.clone()));
        }
        match work {
            FileWork::Append(bytes) => append(&path, &bytes).map(|()| Vec::new()),
            FileWork::Sync => return self.sync(&path).map(|()| Vec::new()),
            FileWork::Read { offset, count } => read(&path, offset, count),
            FileWork::Remove => remove(&path).map(|()| Vec::new()),
        }
        .map_err(|error| fault(&path, &error))
    }

    /// First the file, then its name: a name that survives without its bytes would be worse than
    /// none.
    fn sync(&self, path: &Path) -> Result<(), Fault> {
        let file = File::open(path).map_err(|error| fault(path, &error))?;
        file.sync_data().and_then(|()| File::open(&self.folder)?.sync_all()).map_err(|error| {
            let known = fault(path, &error);
            if known.kind == FaultKind::NoSpace {
                return known;
            }
            log::error!(error:% = known.reason; "the disk failed: no body is written until a restart");
            let reason = format!("no body is written until a restart: {}", known.reason);
            // A second failure adds nothing to the first.
            let _ = self.failed.set(reason);
            Fault::new(FaultKind::Unknown, known.reason)
        })
    }
}

/// All of the bytes or none: what a failed append has left behind is cut off again, so that the
/// same append may be tried once more.
fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let before = file.metadata()?.len();
    file.write_all_at(bytes, before).inspect_err(|_| drop(file.set_len(before)))
}

fn read(path: &Path, offset: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let left = file.metadata()?.len().saturating_sub(offset);
    let count = u64::try_from(count).unwrap_or(u64::MAX).min(left);
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    file.seek(SeekFrom::Start(offset))?;
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn fault(path: &Path, error: &io::Error) -> Fault {
    let kind = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FaultKind::NoSpace,
        ErrorKind::NotFound | ErrorKind::FileTooLarge => FaultKind::Permanent,
        _ => FaultKind::Temporary,
    };
    Fault::new(kind, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_goes_round() {
        let folder = tempfile::tempdir().unwrap();
        let bodies = Bodies::open(&folder.path().join("bodies")).unwrap();
        let handle = Handle(*b"0123456789abcdef");
        let read = |offset, count| bodies.carry_out(handle, FileWork::Read { offset, count });
        let work = |work| bodies.carry_out(handle, work);

        assert_eq!(work(FileWork::Remove), Ok(vec![]));
        assert_eq!(read(0, 1).unwrap_err().kind, FaultKind::Permanent);
        assert_eq!(work(FileWork::Sync).unwrap_err().kind, FaultKind::Permanent);
        assert_eq!(work(FileWork::Append(b"one ".to_vec())), Ok(vec![]));
        assert_eq!(work(FileWork::Append(b"two".to_vec())), Ok(vec![]));
        assert_eq!(work(FileWork::Sync), Ok(vec![]));
        assert_eq!(read(0, 100), Ok(b"one two".to_vec()));
        assert_eq!(read(4, 2), Ok(b"tw".to_vec()));
        assert_eq!(read(7, usize::MAX), Ok(vec![]));
        assert_eq!(read(u64::MAX, 1), Ok(vec![]));
        assert_eq!(work(FileWork::Remove), Ok(vec![]));
        assert!(read(0, 1).is_err());
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let error = io::Error::from(ErrorKind::StorageFull);
        assert_eq!(fault(Path::new("x"), &error).kind, FaultKind::NoSpace);
        // Every write to this device fails with ENOSPC.
        let error = append(Path::new("/dev/full"), b"x").unwrap_err();
        assert_eq!(fault(Path::new("/dev/full"), &error).kind, FaultKind::NoSpace);
    }
}
