//! .

pub mod sim;
