//! The contract between a machine and its runtime, on smol.

#[cfg(test)]
use pillarbox_runtime_smol::run;

#[cfg(test)]
#[path = "../../runtime-std/tests/scenarios/mod.rs"]
mod scenarios;
