//! Reports as they are written, and as they come back.

mod foreign;
mod written;
