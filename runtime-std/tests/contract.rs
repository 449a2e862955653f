//! The contract between a machine and its runtime, on threads.

#[cfg(test)]
use pillarbox_runtime_std::run;

#[cfg(test)]
mod scenarios;
