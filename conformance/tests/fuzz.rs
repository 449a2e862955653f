//! The fuzz targets: each on its corpus, on changed copies of it and on random bytes, the same on
//! every run; and under bolero for `./test --long`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use pillarbox_conformance::fuzz::{self, TARGETS, Target};

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 3, "{}: a corpus is missing", folder.display());
    files.into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound.max(1) as u64).unwrap()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }

    /// A copy with a few bytes changed, taken away, doubled or put in.
    fn changed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(changed.len() + 1);
            let end = (at + self.below(12)).min(changed.len());
            match self.below(4) {
                0 => drop(changed.splice(at..end, [])),
                1 => {
                    let piece = changed.get(at..end).unwrap().to_vec();
                    drop(changed.splice(at..at, piece));
                }
                2 => {
                    let count = 1 + self.below(6);
                    let piece = self.bytes(count);
                    drop(changed.splice(at..at, piece));
                }
                _ => {
                    if let Some(byte) = changed.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
        changed
    }
}

/// Runs a target and says with what it failed, so that it can be added to the corpus.
fn run(name: &str, target: Target, bytes: &[u8], what: &str) {
    let run = std::panic::AssertUnwindSafe(|| target(bytes));
    if std::panic::catch_unwind(run).is_err() {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
        std::fs::write(&file, bytes).unwrap();
        panic!("{name} fails on {what}; the input lies in {}", file.display());
    }
}

fn bounded(name: &str, random: usize, changed: usize) {
    let seed = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut chance = Chance(seed.unwrap_or(5_321));
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    for (path, bytes) in corpus(name) {
        run(name, target, &bytes, &path.display().to_string());
        for turn in 0..changed {
            let bytes = chance.changed(&bytes);
            run(name, target, &bytes, &format!("change {turn} of {}", path.display()));
        }
    }
    for turn in 0..random {
        let length = 8 << (turn % 4 * 2);
        let bytes = chance.bytes(length);
        run(name, target, &bytes, &format!("random input {turn}"));
    }
}

#[test]
fn smtp() {
    bounded("smtp", 400, 60);
}

#[test]
fn imap() {
    bounded("imap", 400, 60);
}

#[test]
fn sasl() {
    bounded("sasl", 4_000, 400);
}

#[test]
fn tls() {
    bounded("tls", 80, 4);
}

#[test]
fn hello() {
    bounded("hello", 80, 20);
}

#[test]
fn calls() {
    bounded("calls", 800, 60);
}

#[test]
fn reencode() {
    bounded("reencode", 4_000, 400);
}

#[test]
fn archive() {
    bounded("archive", 2_000, 300);
}

#[test]
fn order() {
    bounded("order", 2_000, 200);
}

#[test]
fn dkim() {
    bounded("dkim", 1_000, 200);
}

#[test]
fn client() {
    bounded("client", 3_000, 300);
}

#[test]
fn senders() {
    bounded("senders", 2_000, 200);
}

#[test]
fn dns() {
    bounded("dns", 4_000, 800);
}

#[test]
fn notice() {
    bounded("notice", 2_000, 200);
}

#[test]
fn policies() {
    bounded("policies", 4_000, 400);
}

#[test]
fn digest() {
    bounded("digest", 4_000, 400);
}

#[test]
fn http() {
    bounded("http", 400, 60);
}

#[test]
fn deflate() {
    bounded("deflate", 1_000, 60);
}

#[test]
fn every_target_has_a_corpus_and_a_wrapper() {
    for (name, _) in TARGETS {
        corpus(name);
        let wrapper = format!("{}/../fuzz/fuzz_targets/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(Path::new(&wrapper).exists(), "{wrapper} is missing");
    }
}

/// Under bolero, which also shrinks what fails.
macro_rules! under_bolero {
    ($($test:ident: $target:path;)*) => {$(
        #[test]
        #[ignore = "30 seconds: ./test --long"]
        fn $test() {
            bolero::check!().with_test_time(Duration::from_secs(30)).for_each(|bytes| $target(bytes));
        }
    )*};
}

under_bolero! {
    bolero_smtp: fuzz::smtp::target;
    bolero_imap: fuzz::imap::target;
    bolero_sasl: fuzz::sasl::target;
    bolero_tls: fuzz::tls::target;
    bolero_hello: fuzz::hello::target;
    bolero_calls: fuzz::calls::target;
    bolero_reencode: fuzz::reencode::target;
    bolero_notice: fuzz::notice::target;
    bolero_policies: fuzz::policies::target;
    bolero_digest: fuzz::digest::target;
    bolero_dkim: fuzz::dkim::target;
    bolero_dns: fuzz::dns::target;
    bolero_client: fuzz::client::target;
    bolero_senders: fuzz::senders::target;
    bolero_http: fuzz::http::target;
    bolero_order: fuzz::order::target;
    bolero_archive: fuzz::archive::target;
    bolero_deflate: fuzz::deflate::target;
}
