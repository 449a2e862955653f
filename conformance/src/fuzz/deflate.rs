//! COMPRESS=DEFLATE: a stranger's stream, and our own.

use flate2::{Compress, Compression, FlushCompress};
use pillarbox_core::compression::{Broken, Inflater, deflate};
use pillarbox_core::{Inbox, Outbox};

use crate::fuzz::{Tape, cuts, imap};
use crate::zip::Zip;

/// The first byte chooses what is unpacked: bytes as they are, a good stream with one wrong byte,
/// or one of ours.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    match tape.below(3) {
        0 => {
            unpacked(tape.bytes(usize::MAX));
        }
        1 => {
            let (at, mask) = (usize::from(tape.byte()) * 8, tape.byte());
            let said = tape.said(imap::WORDS);
            let mut stream = foreign(&said);
            let found = stream.get_mut(at);
            if let Some(byte) = found {
                *byte ^= mask;
            }
            let good = mask == 0 || at >= stream.len();
            let (plain, broken) = unpacked(&stream);
            assert!(!good || (plain == said && !broken), "a good stream is misread");
        }
        _ => {
            let size = 1 + usize::from(tape.byte()) * 20;
            let said = tape.said(imap::WORDS);
            let mut outbox = Outbox::new(usize::MAX);
            for piece in said.chunks(size) {
                assert_eq!(deflate(piece, &mut outbox), piece.len());
            }
            assert_eq!(Zip::new().unpack(outbox.unsent()), said, "another library misreads us");
            assert_eq!(unpacked(outbox.unsent()), (said, false), "we misread ourselves");
        }
    }
}

/// What a client sends that flushes now and then.
fn foreign(said: &[u8]) -> Vec<u8> {
    let mut compress =
        Compress::new(Compression::new(u32::try_from(said.len() % 10).unwrap_or(0)), false);
    let mut stream = Vec::with_capacity(said.len() * 2 + 20_000);
    for piece in said.chunks(300) {
        compress.compress_vec(piece, &mut stream, FlushCompress::Sync).expect("memory only");
    }
    stream
}

/// The plain bytes and whether they end in nonsense, which must not depend on how a stream is cut
/// and when its reader rests.
fn unpacked(stream: &[u8]) -> (Vec<u8>, bool) {
    let mut all: Vec<_> = cuts(stream)
        .iter()
        .flat_map(|pieces| [false, true].map(|rests| unpacked_so(pieces, rests)))
        .collect();
    let first = all.pop().unwrap_or_default();
    assert!(all.iter().all(|other| *other == first), "it matters how a stream is cut");
    first
}

fn unpacked_so(pieces: &[&[u8]], rests: bool) -> (Vec<u8>, bool) {
    let mut inflater = Inflater::new();
    let (mut packed, mut plain, mut heard) = (Inbox::new(4_096), Inbox::new(500), Vec::new());
    for piece in pieces {
        let mut left = *piece;
        loop {
            let taken = packed.extend(left);
            left = left.get(taken..).unwrap_or_default();
            if packed.is_empty() && !inflater.holds_more() {
                break;
            }
            match inflater.inflate(&mut packed, &mut plain, 400) {
                Ok(count) => assert!(count <= 400, "more than was asked for"),
                Err(Broken) => return (heard, true),
            }
            heard.extend_from_slice(plain.unread());
            plain.clear();
            if heard.len() > HEARD_MAX {
                heard.truncate(HEARD_MAX);
                return (heard, false);
            }
            if rests {
                inflater.rest();
            }
        }
    }
    (heard, false)
}

/// A stream can come to a thousand times its size; to be compared up to here.
const HEARD_MAX: usize = 200_000;
