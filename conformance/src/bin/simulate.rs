//! Replays a seed of the simulator.
//!
//! ```text
//! cargo run -p pillarbox-conformance --bin simulate -- --seed N [--count N] [--trace]
//! ```

use std::process::ExitCode;
use std::time::Instant;

use pillarbox_conformance::sim::{self, Template};

fn main() -> ExitCode {
    match options().and_then(|options| simulate(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    seed: u64,
    count: u64,
    trace: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options { seed: 0, count: 1, trace: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().and_then(|value| value.parse().ok());
            value.ok_or_else(|| format!("{word} wants a number"))
        };
        match word.as_str() {
            "--seed" => options.seed = number()?,
            "--count" => options.count = number()?,
            "--trace" => options.trace = true,
            _ => return Err(format!("there is no option {word}: --seed N, --count N, --trace")),
        }
    }
    Ok(options)
}

/// Whether the promise held for all seeds.
fn simulate(options: &Options) -> Result<bool, String> {
    let Options { seed, count, trace } = *options;
    println!("seed {seed}, count {count}, trace {trace}");
    let template = Template::new()?;
    let begin = Instant::now();
    let (mut broken, mut resyncs) = (0_u64, 0);
    for seed in seed..seed.saturating_add(count) {
        match sim::run(seed, trace, &template) {
            Err(why) => {
                broken += 1;
                println!("seed {seed}: {why}");
            }
            Ok(report) => {
                broken += u64::from(!report.violations.is_empty());
                resyncs += report.resyncs;
                if count == 1 || !report.violations.is_empty() {
                    println!("seed {seed}: {report:#?}");
                }
            }
        }
    }
    let took = begin.elapsed().as_secs_f64();
    println!("{broken} of {count} seeds broken, {resyncs} times QRESYNC, {took:.1} s");
    Ok(broken == 0)
}
