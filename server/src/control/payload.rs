//! Messages behind a request: of any size, in pieces.
//!
//! ```text
//! message = *(length piece) 4%x00 key
//! length  = 4 bytes, the highest first: 1 to 1,048,576
//! key     = 16 bytes
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use pillarbox_core::Random as _;
use pillarbox_core::effect::Handle;
use pillarbox_store::{NewBody, body_path};

use crate::context::SystemRandom;
use crate::smtp::spool::INLINE_MAX;

/// Where the messages of one request go, one after the other.
pub(crate) trait Sink {
    /// The next bytes of the message.
    ///
    /// # Errors
    /// They cannot be taken: there is no use in more.
    fn piece(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The message has ended.
    ///
    /// # Errors
    /// As above.
    fn end(&mut self, key: [u8; 16]) -> io::Result<()>;
}

/// Writes messages to whoever has the store.
#[derive(Debug)]
pub(crate) struct Frames<W: Write>(pub(crate) W);

impl<W: Write> Sink for Frames<W> {
    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE_MAX) {
            let length = u32::try_from(piece.len()).unwrap_or(0);
            self.0.write_all(&length.to_be_bytes())?;
            self.0.write_all(piece)?;
        }
        Ok(())
    }

    fn end(&mut self, key: [u8; 16]) -> io::Result<()> {
        self.0.write_all(&[0; 4])?;
        self.0.write_all(&key)
    }
}

/// A message that has come.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) key: [u8; 16],
    pub(crate) body: NewBody,
}

/// What came behind a request; a sync that failed, after which the disk is not to be trusted.
pub(crate) type Cargo = Result<Vec<Arrived>, String>;

/// Takes messages: small ones into memory, large ones into files of bodies. What was taken and not
/// handed on is removed.
#[derive(Debug)]
pub(crate) struct Taking {
    bodies: PathBuf,
    memory: Vec<u8>,
    file: Option<(Handle, File, u64)>,
    arrived: Vec<Arrived>,
    /// Bytes in memory, of all messages.
    held: usize,
    unsynced: Option<String>,
}

impl Taking {
    /// Into this folder.
    pub(crate) fn new(bodies: &Path) -> Self {
        Self {
            bodies: bodies.to_owned(),
            memory: Vec::new(),
            file: None,
            arrived: Vec::new(),
            held: 0,
            unsynced: None,
        }
    }

    /// Reads so many messages.
    ///
    /// # Errors
    /// What came is not in this form, or cannot be written.
    pub(crate) fn receive(&mut self, count: usize, from: &mut dyn Read) -> io::Result<()> {
        let mut piece = Vec::new();
        for _ in 0..count {
            loop {
                let mut length = [0; 4];
                from.read_exact(&mut length)?;
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if length == 0 {
                    break;
                }
                if length > PIECE_MAX {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                piece.resize(length, 0);
                from.read_exact(&mut piece)?;
                self.piece(&piece)?;
            }
            let mut key = [0; 16];
            from.read_exact(&mut key)?;
            self.end(key)?;
        }
        Ok(())
    }

    /// What has come, with the files and their folder synced.
    pub(crate) fn finish(mut self) -> Cargo {
        if self.unsynced.is_none() && self.files().next().is_some() {
            let synced = File::open(&self.bodies).and_then(|folder| folder.sync_all());
            self.unsynced = synced.err().map(|error| error.to_string());
        }
        match self.unsynced.take() {
            Some(reason) => Err(reason),
            None => Ok(std::mem::take(&mut self.arrived)),
        }
    }

    fn files(&self) -> impl Iterator<Item = Handle> {
        let begun = self.file.iter().map(|(handle, ..)| *handle);
        begun.chain(self.arrived.iter().filter_map(|arrived| match arrived.body {
            NewBody::File { handle, .. } => Some(handle),
            NewBody::Inline(_) => None,
        }))
    }
}

impl Sink for Taking {
    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some((_, file, size)) = &mut self.file {
            *size += bytes.len() as u64;
            return file.write_all(bytes);
        }
        if self.memory.len() + bytes.len() <= INLINE_MAX {
            self.held += bytes.len();
            if self.held > HELD_MAX {
                return Err(io::Error::other("too many messages in one request"));
            }
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let mut handle = [0; 16];
        SystemRandom::default().fill(&mut handle);
        let handle = Handle(handle);
        let path = body_path(&self.bodies, handle);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let before = std::mem::take(&mut self.memory);
        self.held -= before.len();
        let (_, file, size) = self.file.insert((handle, file, 0));
        *size = (before.len() + bytes.len()) as u64;
        file.write_all(&before)?;
        file.write_all(bytes)
    }

    fn end(&mut self, key: [u8; 16]) -> io::Result<()> {
        let body = match self.file.take() {
            None => NewBody::Inline(std::mem::take(&mut self.memory)),
            Some((handle, file, size)) => {
                if let Err(error) = file.sync_data() {
                    self.unsynced.get_or_insert_with(|| error.to_string());
                }
                NewBody::File { handle, size }
            }
        };
        self.arrived.push(Arrived { key, body });
        Ok(())
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        for handle in self.files() {
            // What cannot be removed is swept at the next start.
            let _swept = fs::remove_file(body_path(&self.bodies, handle));
        }
    }
}

const PIECE_MAX: usize = 1 << 20;
/// What the messages of one request may hold in memory together.
const HELD_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_as_they_were_sent_and_leave_nothing_where_they_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let files = || fs::read_dir(dir.path()).unwrap().count();
        let large: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut sent = Frames(Vec::new());
        for (text, key) in [(&b"small"[..], [1; 16]), (&large, [2; 16]), (b"", [3; 16])] {
            text.chunks(30_000).for_each(|piece| sent.piece(piece).unwrap());
            sent.end(key).unwrap();
        }
        let mut taking = Taking::new(dir.path());
        taking.receive(3, &mut sent.0.as_slice()).unwrap();
        let arrived = taking.finish().unwrap();
        let keys: Vec<u8> = arrived.iter().map(|arrived| arrived.key[0]).collect();
        assert_eq!(keys, [1, 2, 3]);
        assert_eq!(arrived[0].body, NewBody::Inline(b"small".to_vec()));
        assert_eq!(arrived[2].body, NewBody::Inline(vec![]));
        let NewBody::File { handle, size } = arrived[1].body else { panic!() };
        assert_eq!(size, 200_000);
        assert_eq!(fs::read(body_path(dir.path(), handle)).unwrap(), large);
        assert_eq!(files(), 1);

        for end in [0, 3, 50_000, 150_000, sent.0.len() - 1] {
            let mut taking = Taking::new(dir.path());
            assert!(taking.receive(3, &mut &sent.0[..end]).is_err());
            drop(taking);
            assert_eq!(files(), 1, "{end}");
        }
        let mut taking = Taking::new(dir.path());
        assert!(taking.receive(1, &mut &[0xff; 100][..]).is_err());
        let piece = [0; 60_000];
        let taken =
            (0..1_000).take_while(|_| taking.piece(&piece).is_ok() && taking.end([0; 16]).is_ok());
        assert!(taken.count() < 300);
    }
}
