//! Mail that leaves.
//!
//! `dispatch` is one machine that knows what is due and who is being served; for a destination it
//! starts a courier. A `courier` finds the servers of its destination and tries one address after
//! the other; for each it starts a call. A `call` is one conversation by SMTP or LMTP, which hands
//! over one parcel after the other. What came of a parcel is kept by `settle`, which also decides
//! when it is tried again and what its sender is told.

pub(crate) mod call;
pub(crate) mod courier;
pub(crate) mod dispatch;
mod enter;
pub(crate) mod fetch;
mod parcel;
mod report;
mod security;
mod settle;
mod sts;
mod tls_seen;
mod transcript;
mod way;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_core::dns::Name;
use pillarbox_core::effect::{BoxMachine, Topic};
use pillarbox_core::tls::Roots;

pub(crate) use enter::{Entry, outgoing};
pub(crate) use parcel::requiring_tls;
pub(crate) use report::{About, Telling};
pub(crate) use way::FAIL;

use crate::config;
use crate::context::Context;
use crate::job::Job;

/// The topic of what enters. No mailbox and no account has it.
pub const TOPIC: Topic = Topic(u64::MAX);

/// The topic of what operators have changed.
pub(crate) const CHANGED: Topic = Topic(u64::MAX - 1);

/// The machine that sends what leaves: by these rules, to our own port for mail from everybody what is
/// for our own domains, and believing these authorities.
#[must_use]
pub fn machine(
    context: Arc<Context>,
    rules: config::Queue,
    own_port: Option<SocketAddr>,
    roots: Roots,
) -> BoxMachine<Job> {
    dispatch::Dispatcher::machine(Arc::new(Post::new(context, rules, own_port, roots)))
}

/// What all that has to do with leaving mail shares.
pub(crate) struct Post {
    pub(crate) context: Arc<Context>,
    pub(crate) rules: config::Queue,
    /// Our names: mail is not handed to ourselves by them.
    own: Vec<Name>,
    /// Our own port for mail from everybody.
    own_port: Option<SocketAddr>,
    /// The authorities that are believed.
    roots: Roots,
    /// Of whose policies nothing came lately.
    sts_failures: sts::Failures,
    /// How many connections each address has.
    connections: Mutex<BTreeMap<IpAddr, usize>>,
}

impl Post {
    pub(crate) fn new(
        context: Arc<Context>,
        rules: config::Queue,
        own_port: Option<SocketAddr>,
        roots: Roots,
    ) -> Self {
        let own = Name::parse(&context.hostname).into_iter().collect();
        Self {
            context,
            rules,
            own,
            own_port,
            roots,
            sts_failures: sts::Failures::default(),
            connections: Mutex::default(),
        }
    }

    /// One more connection to an address, for as long as the seat is held; `None` where there are
    /// enough.
    fn seat(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let mut connections = self.connections();
        let count = connections.entry(address).or_default();
        if *count >= self.rules.per_address_max {
            return None;
        }
        *count += 1;
        Some(Seat { post: Arc::clone(self), address })
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Post({:?})", self.rules)
    }
}

/// A connection to an address that is counted.
struct Seat {
    post: Arc<Post>,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut connections = self.post.connections();
        if let Some(count) = connections.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.address);
            }
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seat({})", self.address)
    }
}
