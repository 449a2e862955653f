//! The application: configuration, the flows that decide, and the `pillarbox` program.

pub mod certificates;
pub mod config;
pub mod counters;
pub mod logging;
pub mod secrets;
