//! Scenarios that every runtime passes: each runtime's `tests/contract.rs` includes this module
//! beside its own `run`. The machines are no mail protocol.

mod effects;
mod harness;
mod stop;
mod stream;
