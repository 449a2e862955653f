//! Drives machines on io_uring, on Linux.
//!
//! Each thread has a glommio executor of its own; a connection lives and dies on the thread that
//! accepted it. What is done once for all runtimes (the contract with a machine, jobs, exchanges,
//! limits, the stop) comes from `pillarbox-runtime-std`; here is only the waiting.
//!
//! # What a client costs
//!
//! A connection is a task, which waits in one place only: `Task::wait` in `task.rs`, a race of
//! readable, writable, an answer, and the deadline. The ring tells when the stream is readable; a
//! turn is then one `recv` and one `send`, and the next wait goes into the ring together with
//! those of all other connections. An idle connection holds one descriptor, one entry in the ring
//! and no buffer.
//!
//! # How it is woken from outside
//!
//! A lane's thread wakes a task by the task's own waker. glommio allows that: the reference count
//! is atomic, and from another thread neither the task's state nor its queue is touched; the waker
//! is sent to the executor's thread, which is woken by an eventfd that its ring reads
//! (`task/raw.rs`, `SleepNotifier` in `sys/mod.rs` of glommio 0.9). This is the only thing of
//! glommio's that is used across threads: its channels are not.
//!
//! # What is left alone
//!
//! `spsc_queue` and `shared_channel` (unsound), `spawn_blocking` (a panic hangs its caller), task
//! queues of our own, and futures with I/O on its way that are dropped.

#![cfg(target_os = "linux")]

mod executor;
mod probe;
mod server;
mod socket;
mod task;

pub use probe::{NoRing, probe};
pub use server::run;
