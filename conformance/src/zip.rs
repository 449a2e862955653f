//! A client's side of COMPRESS=DEFLATE (RFC 4978), by another library's interface than ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a run that cannot go on fails the test"
)]

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// What a client needs once all is compressed: one stream in each direction.
#[derive(Debug)]
pub struct Zip {
    packs: Compress,
    unpacks: Decompress,
}

impl Zip {
    /// Where compression begins.
    #[must_use]
    pub fn new() -> Self {
        Self {
            packs: Compress::new(Compression::default(), false),
            unpacks: Decompress::new(false),
        }
    }

    /// Packs what is said, and flushes.
    pub fn pack(&mut self, plain: &[u8]) -> Vec<u8> {
        // Room for all of it, so that it is flushed once.
        let mut packed = Vec::with_capacity(plain.len() + plain.len() / 8 + 100);
        let status = self.packs.compress_vec(plain, &mut packed, FlushCompress::Sync).unwrap();
        assert_eq!(status, Status::Ok);
        packed
    }

    /// Unpacks what has come.
    pub fn unpack(&mut self, mut packed: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        loop {
            plain.reserve(4_096);
            let (before, had) = (self.unpacks.total_in(), plain.len());
            let status = self.unpacks.decompress_vec(packed, &mut plain, FlushDecompress::None);
            let used = usize::try_from(self.unpacks.total_in() - before).unwrap();
            packed = packed.get(used..).unwrap_or_default();
            match status.expect("the server packs badly") {
                _ if used == 0 && plain.len() == had => return plain,
                Status::Ok | Status::BufError => {}
                Status::StreamEnd => panic!("the server has ended its stream"),
            }
        }
    }
}

impl Default for Zip {
    fn default() -> Self {
        Self::new()
    }
}
