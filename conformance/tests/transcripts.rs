//! Every transcript, in every way: what the server says must not depend on how it is asked.
//!
//! `UPDATE=1 cargo nextest run -p pillarbox-conformance --test transcripts whole` writes down what
//! the server says now; the diff is to be read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::Path;

use pillarbox_conformance::memory::{self, Cut};
use pillarbox_conformance::transcript::Transcript;
use pillarbox_conformance::world::Mold;

fn transcripts() -> Vec<Transcript> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts"));
    let all = Transcript::all(folder).unwrap();
    assert!(all.len() >= 5);
    all
}

/// Fails with all that is wrong, not only the first.
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn whole() {
    let mold = Mold::new();
    let mut faults = Vec::new();
    for transcript in transcripts() {
        let heard = memory::run(&mold, &transcript, Cut::Whole, false);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&transcript.file, transcript.rewritten(&heard)).unwrap();
        } else {
            faults.extend(transcript.difference(&heard));
        }
    }
    none(&faults);
}

#[test]
fn in_pieces() {
    let mold = Mold::new();
    let mut faults = Vec::new();
    for transcript in transcripts().iter().filter(|transcript| !transcript.only_whole) {
        let whole = memory::run(&mold, transcript, Cut::Whole, false);
        for cut in [Cut::Bytes, Cut::Random(1), Cut::Random(2), Cut::Random(3)] {
            if memory::run(&mold, transcript, cut, false) != whole {
                faults.push(format!("{}: cut {cut:?}", transcript.file.display()));
            }
        }
    }
    none(&faults);
}
