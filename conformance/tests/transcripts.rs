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
use pillarbox_conformance::sockets::{self, Runtime};
use pillarbox_conformance::transcript::{Transcript, comparable};
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
    for transcript in comparable_runs().iter().filter(|transcript| !transcript.only_whole) {
        let whole = memory::run(&mold, transcript, Cut::Whole, false);
        for cut in [Cut::Bytes, Cut::Random(1), Cut::Random(2), Cut::Random(3)] {
            if memory::run(&mold, transcript, cut, false) != whole {
                faults.push(format!("{}: cut {cut:?}", transcript.file.display()));
            }
        }
    }
    none(&faults);
}

/// Those that go the same way each time.
fn comparable_runs() -> Vec<Transcript> {
    let mut all = transcripts();
    all.retain(|transcript| !transcript.only_drawn);
    all
}

/// Those that can be held under TLS from the first byte.
fn for_tls() -> Vec<Transcript> {
    let mut all = comparable_runs();
    all.retain(|transcript| !transcript.only_clear && !transcript.has_tls());
    all
}

#[test]
fn under_tls() {
    let mold = Mold::new();
    let mut faults = Vec::new();
    for transcript in for_tls() {
        let clear = comparable(&memory::run(&mold, &transcript, Cut::Whole, false), true);
        for cut in [Cut::Whole, Cut::Bytes, Cut::Random(4), Cut::Random(5)] {
            let secured = comparable(&memory::run(&mold, &transcript, cut, true), true);
            faults.extend(first_difference(&transcript, &clear, &secured, &format!("{cut:?}")));
        }
    }
    none(&faults);
}

#[test]
fn on_threads() {
    on_sockets(Runtime::Std);
}

#[test]
fn on_smol() {
    on_sockets(Runtime::Smol);
}

#[cfg(target_os = "linux")]
#[test]
fn on_glommio() {
    on_sockets(Runtime::Glommio);
}

fn on_sockets(runtime: Runtime) {
    let mold = Mold::new();
    let mut faults = Vec::new();
    for transcript in comparable_runs().iter().filter(|transcript| !transcript.moves_clock()) {
        let may_be_secured = !transcript.only_clear && !transcript.has_tls();
        for tls in [false, true].into_iter().filter(|tls| !tls || may_be_secured) {
            let expected = memory::run(&mold, transcript, Cut::Whole, tls);
            let heard = sockets::run(&mold, transcript, &expected, runtime, tls);
            let (expected, heard) = (comparable(&expected, false), comparable(&heard, false));
            faults.extend(first_difference(transcript, &expected, &heard, &format!("tls {tls}")));
        }
    }
    none(&faults);
}

fn first_difference(
    transcript: &Transcript,
    wanted: &[Vec<String>],
    heard: &[Vec<String>],
    way: &str,
) -> Option<String> {
    let file = transcript.file.display();
    let mut steps = wanted.iter().zip(heard);
    let (wanted, heard) = steps.find(|(wanted, heard)| wanted != heard)?;
    Some(format!(
        "{file} ({way}): expected\n{}\nbut heard\n{}\n",
        wanted.join("\n"),
        heard.join("\n")
    ))
}
