//! The contract between a machine and its runtime, on glommio.
#![cfg(target_os = "linux")]

#[cfg(test)]
use pillarbox_runtime_glommio::run;

#[cfg(test)]
#[path = "../../runtime-std/tests/scenarios/mod.rs"]
mod scenarios;
