//! Drives machines on blocking threads, and holds what every runtime shares.
//!
//! A runtime moves bytes and carries out effects for any
//! [`Machine`](pillarbox_core::Machine) that speaks [`Effect`](pillarbox_core::effect::Effect).
//! It knows no protocol and no store.
//!
//! - [`setup`]: what a server is made of. [`listen`]: its sockets. [`run`]: runs it.
//! - [`conversation`]: one machine with its buffers and its stream, driven without waiting. The
//!   whole contract stands there; what differs between runtimes is only how they wait.
//! - [`services`]: what all machines share, done on plain threads on every runtime because it
//!   blocks: [`lanes`] for jobs and [`bodies`], [`exchange`] for questions, and beside them
//!   [`topics`], [`admission`], [`stop`] and [`statistics`].
//!
//! # What a client costs on threads
//!
//! A connection has a thread, which waits in one place only: `poll` on its socket and its
//! [`Bell`], with its deadline as the time limit. A typical turn (a command comes, its reply
//! goes) is three system calls: one `poll`, one `read`, one `write`; an answer from a lane adds
//! one write to the bell and one read from it, unless it comes while the thread is awake.
//! An idle connection holds two descriptors, no buffer, and its thread: the used pages of its
//! stack, and in the kernel another stack and the thread itself.

pub mod accept;
pub mod admission;
mod bell;
pub mod bodies;
pub mod clock;
pub mod conversation;
pub mod exchange;
pub mod lanes;
mod link;
pub mod listen;
mod lock;
pub mod mailbox;
pub mod services;
pub mod setup;
pub mod shares;
pub mod statistics;
pub mod stop;
mod threads;
pub mod topics;

pub use bell::Bell;
pub use link::Socket;
pub use setup::{Accept, Accepted, Crowded, Limits, Listener, RunError, Setup};
pub use statistics::Statistics;
pub use stop::Stopper;
pub use threads::run;
