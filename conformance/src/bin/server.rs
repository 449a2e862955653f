//! The `pillarbox` program, for tests here that want it as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    pillarbox::cli::run()
}
