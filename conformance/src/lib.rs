//! What holds Pillarbox to its standards from outside: conversations as text files, and a
//! simulator that runs a whole server from one seed.
//!
//! A [`transcript`] is one conversation; a [`world`] is a server for it, always the same one.
//! It is run [in memory](memory), where bytes are cut at will and the clock is made up, and
//! [over sockets](sockets) on each runtime; what the server says must be the same every time. The
//! simulator is [`sim`]. Other people's servers are asked [by address](address); two of them are
//! started by [`peers`]. [`stress`] has several clients do everything at random, and checks what each
//! of them is told.

pub mod address;
pub mod fuzz;
pub mod memory;
pub mod peers;
pub mod sim;
pub mod sockets;
pub mod stress;
pub mod transcript;
pub mod world;
pub mod zip;
