//! What holds Pillarbox to its standards from outside: conversations as text files.
//!
//! A [`transcript`] is one conversation; a [`world`] is a server for it, always the same one.
//! It is run [in memory](memory), where bytes are cut at will and the clock is made up, and
//! [over sockets](sockets) on each runtime; what the server says must be the same every time.

pub mod memory;
pub mod sockets;
pub mod transcript;
pub mod world;
