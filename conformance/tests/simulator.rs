//! Some hundred seeds of the simulator. `SIMULATOR_SEEDS` sets their number.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use pillarbox_conformance::sim::{self, Template};

/// Within a minute in a debug build on one core of two.
const SEEDS: u64 = 300;

#[test]
fn the_promise_holds() {
    let asked = std::env::var("SIMULATOR_SEEDS").ok();
    let seeds = asked.map_or(SEEDS, |text| text.parse().expect("SIMULATOR_SEEDS is a number"));
    let template = Template::new().unwrap();
    let mut broken = Vec::new();
    let mut faults = 0;
    for seed in 0..seeds {
        let what = match sim::run(seed, false, &template) {
            Ok(report) => {
                faults += report.figures.cuts + report.figures.kills + report.figures.losses;
                report.violations
            }
            Err(why) => vec![why],
        };
        if !what.is_empty() {
            broken.push(format!(
                "cargo run -p pillarbox-conformance --bin simulate -- --seed {seed}\n  {}",
                what.join("\n  ")
            ));
        }
    }
    assert!(broken.is_empty(), "{} of {seeds} seeds:\n{}", broken.len(), broken.join("\n"));
    assert!(faults > seeds, "a simulation without faults shows nothing");
}

#[test]
fn a_seed_replays() {
    let template = Template::new().unwrap();
    for seed in [3, 4, 1_000_003] {
        let one = sim::run(seed, false, &template).unwrap();
        let two = sim::run(seed, false, &template).unwrap();
        assert_eq!(one.hash, two.hash, "seed {seed}");
    }
    let other = sim::run(5, false, &template).unwrap();
    assert_ne!(other.hash, sim::run(6, false, &template).unwrap().hash);
}
