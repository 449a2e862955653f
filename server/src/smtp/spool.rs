//! Where the body of a message waits until it is known whose it is: small ones in memory, large
//! ones in a file that the store will only have to name.

use pillarbox_core::Random;
use pillarbox_core::effect::{Effect, Fault, FaultKind, FileWork, Handle};
use pillarbox_core::flow::Desk;
use pillarbox_store::Write;

use crate::job::{self, Job};

/// Up to this many bytes a body stays in memory, and then in the database.
pub(crate) const INLINE_MAX: usize = 64 << 10;
/// A large body is written in pieces of this size: few writes, little memory.
const PIECE: usize = 256 << 10;

/// A body on its way in.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    memory: Vec<u8>,
    file: Option<Handle>,
    /// Bytes in the file.
    written: u64,
}

/// A body that has come whole.
#[derive(Debug)]
pub(crate) enum Body {
    /// All of it.
    Inline(Vec<u8>),
    /// In a file that survives a power loss.
    File { handle: Handle, size: u64 },
}

impl Body {
    /// Its file, if it is in one.
    pub(crate) const fn file(&self) -> Option<Handle> {
        match self {
            Self::Inline(_) => None,
            Self::File { handle, .. } => Some(*handle),
        }
    }
}

impl From<Vec<u8>> for Spool {
    /// With its first bytes.
    fn from(memory: Vec<u8>) -> Self {
        Self { memory, ..Self::default() }
    }
}

impl Spool {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    /// Its beginning, where it is still in memory: for a small one all of it.
    pub(crate) fn head(&self) -> &[u8] {
        if self.file.is_some() { &[] } else { &self.memory }
    }

    /// It, when only to be thrown away.
    pub(crate) fn without_memory(self) -> Self {
        Self { memory: Vec::new(), ..self }
    }

    /// Bytes so far.
    pub(crate) fn size(&self) -> u64 {
        self.written + self.memory.len() as u64
    }

    /// Whether enough has gathered to be written out: do so before pushing more.
    pub(crate) fn is_due(&self) -> bool {
        self.memory.len() >= PIECE
    }

    /// Writes out what has gathered.
    pub(crate) async fn write_out(
        mut self,
        desk: Desk<Job>,
        random: &mut dyn Random,
    ) -> (Self, Result<(), Fault>) {
        let handle = *self.file.get_or_insert_with(|| {
            let mut handle = [0; 16];
            random.fill(&mut handle);
            Handle(handle)
        });
        let piece = std::mem::take(&mut self.memory);
        let size = piece.len() as u64;
        let result = desk.file("body piece", handle, FileWork::Append(piece)).await;
        self.written += size;
        (self, result.map(drop))
    }

    /// Some of what is in it, from a place on; nothing at its end.
    pub(crate) async fn piece(&self, desk: &Desk<Job>, offset: u64) -> Result<Vec<u8>, Fault> {
        match self.file {
            Some(handle) if offset < self.written => {
                desk.file("body look", handle, FileWork::Read { offset, count: PIECE }).await
            }
            _ => {
                let begin =
                    usize::try_from(offset - self.written.min(offset)).unwrap_or(usize::MAX);
                let rest = self.memory.get(begin..).unwrap_or_default();
                Ok(rest.get(..PIECE).unwrap_or(rest).to_vec())
            }
        }
    }

    /// Makes the body ready for the store: a file is synced with its folder, so that the row that
    /// will name it never outlives it.
    pub(crate) async fn finish(
        self,
        desk: Desk<Job>,
        random: &mut dyn Random,
    ) -> (Option<Handle>, Result<Body, Fault>) {
        self.finish_within(INLINE_MAX, desk, random).await
    }

    /// The same where a body of more bytes than this, or than [`INLINE_MAX`], goes into a file.
    pub(crate) async fn finish_within(
        self,
        inline_max: usize,
        desk: Desk<Job>,
        random: &mut dyn Random,
    ) -> (Option<Handle>, Result<Body, Fault>) {
        if self.file.is_none() && self.memory.len() <= inline_max.min(INLINE_MAX) {
            return (None, Ok(Body::Inline(self.memory)));
        }
        let (spool, written) = self.write_out(desk.clone(), random).await;
        let Some(handle) = spool.file else { return (None, Ok(Body::Inline(spool.memory))) };
        let size = spool.written;
        let result = match written {
            Ok(()) => desk.file("body sync", handle, FileWork::Sync).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = &result
            && fault.kind == FaultKind::Unknown
        {
            distrust(&desk, fault).await;
        }
        (Some(handle), result.map(|_| Body::File { handle, size }))
    }

    /// Throws the body away.
    pub(crate) fn discard(self, desk: &Desk<Job>) {
        if let Some(handle) = self.file {
            desk.send(Effect::File(handle, FileWork::Remove));
        }
    }
}

/// Where a sync failed, nobody knows what a second one would mean: the store takes nothing more
/// until it is reopened. Its answer says only that.
async fn distrust(desk: &Desk<Job>, fault: &Fault) {
    let write = Write::Distrust { reason: fault.reason.clone() };
    let _refused_from_now_on = job::write(desk, "distrust", write).await;
}
