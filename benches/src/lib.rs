//! What Pillarbox costs, beside its peers, on the machine where this runs.
//!
//! The parsers are measured by criterion (`cargo bench -p pillarbox-benches`), the whole server by
//! the program `load`, of which this is the inside: it starts each server in a folder of its own,
//! loads it over loopback, and charges it the CPU time and memory of its whole process tree. The
//! targets stand beside what is measured, in [`work::ROWS`].

pub mod client;
mod large;
pub mod picture;
pub mod servers;
pub mod table;
pub mod tree;
pub mod work;
