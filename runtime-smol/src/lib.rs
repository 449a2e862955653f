//! Drives machines as local tasks on smol.
//!
//! Each thread has an executor of its own; a connection lives and dies on the thread that accepted
//! it. What is done once for all runtimes (the contract with a machine, jobs, files, exchanges,
//! limits, the stop) comes from `pillarbox-runtime-std`; here is only the waiting.
//!
//! # What a client costs
//!
//! A connection is a task, which waits in one place only: `Task::wait` in `task.rs`, a race of readable,
//! writable, an answer, and the deadline. A typical turn is one `read` and one `write`, and for
//! the wait between them one `epoll_ctl` and a share of one `epoll_wait`. While the peer keeps
//! the stream full, it is read without waiting. A deadline that moves on with each command costs
//! nothing: the timer rings once at the old one and is then set again. An idle connection holds
//! one descriptor and no buffer.

mod server;
mod task;

pub use server::run;
