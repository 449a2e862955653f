//! Some hundred seeds of the simulator. `SIMULATOR_SEEDS` sets their number.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use pillarbox_conformance::sim::{self, Template};

/// Within a minute in a debug build on two cores.
const SEEDS: u64 = 200;

#[test]
fn the_promise_holds() {
    let asked = std::env::var("SIMULATOR_SEEDS").ok();
    let seeds = asked.map_or(SEEDS, |text| text.parse().expect("SIMULATOR_SEEDS is a number"));
    let template = &Template::new().unwrap();
    let (mut broken, mut faults) = (Vec::new(), 0);
    // A run is one thread and shares nothing with another.
    std::thread::scope(|scope| {
        let halves = [0, 1].map(|first| {
            scope.spawn(move || {
                (first..seeds)
                    .step_by(2)
                    .map(|seed| (seed, one(seed, template)))
                    .collect::<Vec<_>>()
            })
        });
        for (seed, (found, what)) in halves.into_iter().flat_map(|half| half.join().unwrap()) {
            faults += found;
            if !what.is_empty() {
                let replay = "cargo run -p pillarbox-conformance --bin simulate -- --seed";
                broken.push(format!("{replay} {seed}\n  {}", what.join("\n  ")));
            }
        }
    });
    assert!(broken.is_empty(), "{} of {seeds} seeds:\n{}", broken.len(), broken.join("\n"));
    assert!(faults > seeds, "a simulation without faults shows nothing");
}

/// How many faults a seed met, and what broke.
fn one(seed: u64, template: &Template) -> (u64, Vec<String>) {
    match sim::run(seed, false, template) {
        Ok(sim::Report { figures, violations, .. }) => {
            (figures.cuts + figures.kills + figures.losses, violations)
        }
        Err(why) => (0, vec![why]),
    }
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

/// Mail that leaves, among servers that do what servers do.
#[test]
fn the_queue_drains() {
    let asked = std::env::var("SIMULATOR_SEEDS").ok();
    let seeds = asked.map_or(SEEDS / 2, |text| text.parse().expect("SIMULATOR_SEEDS is a number"));
    let (mut broken, mut delivered, mut failed, mut kills) = (Vec::new(), 0, 0, 0);
    for seed in 0..seeds {
        match sim::run_post(seed) {
            Ok(report) if report.violations.is_empty() => {
                delivered += report.delivered;
                failed += report.failed;
                kills += report.kills;
            }
            Ok(report) => broken.push(format!("seed {seed}: {:?}", report.violations)),
            Err(why) => broken.push(format!("seed {seed}: {why}")),
        }
    }
    println!("{delivered} delivered, {failed} came back, {kills} kills");
    assert!(broken.is_empty(), "{} of {seeds} seeds:\n{}", broken.len(), broken.join("\n"));
    let seeds = usize::try_from(seeds).unwrap();
    assert!(delivered > seeds && failed > seeds / 2 && kills > 0, "{delivered} {failed} {kills}");
}
