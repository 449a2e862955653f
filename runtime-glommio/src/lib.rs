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
//! # Files
//!
//! Bodies' files are done on the file threads of `pillarbox-runtime-std`, not through the ring.
//! Measured on ext4 with ten at once, a body of 100 KiB written, synced with its folder, read and
//! removed through glommio's files took 0.65 ms of processor time, on file threads 0.3 ms; one of
//! 1 MiB in four pieces 2.4 and 0.9 ms, and at 95 against 245 a second. The kernel hands nearly
//! all of it to threads of its own (to open, to sync, to ask for the size), and each step goes
//! round the executor. Besides, glommio syncs a folder by `fdatasync` only, which promises nothing
//! of a new name, and unlinks on a blocking thread; and no test could make a sync through the ring
//! fail, as `server/tests/real/disk.rs` does with one that is a system call.
//!
//! # What is left alone
//!
//! `spsc_queue` and `shared_channel` (unsound), `spawn_blocking` (a panic hangs its caller), task
//! queues of our own, the preemption of tasks (it can lose their wakes, see `executor.rs`), and
//! futures with buffers in the ring, which would have to be awaited to their end.

#![cfg(target_os = "linux")]

mod executor;
mod probe;
mod server;
mod socket;
mod task;

pub use probe::{NoRing, probe};
pub use server::run;
