//! Text that all protocols share. It knows no protocol.

pub mod date;
pub mod network;
