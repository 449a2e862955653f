//! What all sessions of a server share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pillarbox_core::Random;
use pillarbox_core::dns::Zone;

use crate::counters::Counters;
use crate::dns::{Resolver, Source};
use crate::imap::pins::Pins;
use crate::imap::recents::Recents;
use crate::login::{Attempts, Remembered};
use crate::rates::{Allowances, Rates};
use crate::smtp::Seen;

/// What all sessions of a server share; made once, before the first connection.
#[derive(Debug)]
pub struct Context {
    /// Our name in greetings and in `Received`.
    pub hostname: String,
    /// What is counted.
    pub counters: Counters,
    /// Which expunged messages are still numbered by somebody.
    pub(crate) pins: Arc<Pins>,
    /// Which messages somebody has claimed as recent.
    pub(crate) recents: Arc<Recents>,
    /// How much comes from each network.
    pub(crate) rates: Rates,
    /// Whether a domain wants CRAM-MD5, so that it is announced.
    pub(crate) cram_md5: bool,
    /// Logins and attempts at them that the store does not have yet.
    pub(crate) attempts: Arc<Attempts>,
    /// What was found of messages that the store does not have yet.
    pub(crate) seen: Arc<Seen>,
    /// The right passwords of the last minutes.
    pub(crate) remembered: Remembered,
    /// Looks names up.
    resolver: Arc<Resolver>,
    /// The next connection's id.
    next_id: AtomicU64,
    /// What the salts of names that do not exist are derived from.
    pub(crate) login_secret: [u8; 32],
    /// Makes a source of random bytes for one session.
    randomness: fn() -> Box<dyn Random>,
}

impl Context {
    /// `first_id` is the first connection's id; ids of one server never repeat, and ids of its
    /// later starts do not either where it is taken from the clock. `login_secret` is
    /// the store's.
    pub fn new(
        hostname: String,
        first_id: u64,
        allowances: &Allowances,
        login_secret: [u8; 32],
        randomness: fn() -> Box<dyn Random>,
    ) -> Self {
        Self {
            hostname,
            rates: Rates::new(allowances),
            counters: Counters::default(),
            pins: Arc::default(),
            recents: Arc::default(),
            resolver: Arc::new(Resolver::new(Source::Zone(Zone::default()), randomness)),
            next_id: AtomicU64::new(first_id),
            login_secret,
            cram_md5: false,
            attempts: Arc::default(),
            seen: Arc::default(),
            remembered: Remembered::new(REMEMBERED, &mut *randomness()),
            randomness,
        }
    }

    /// Announces CRAM-MD5, since a domain wants it.
    #[must_use]
    pub fn offering_cram_md5(self, offered: bool) -> Self {
        Self { cram_md5: offered, ..self }
    }

    /// Remembers a password that was right for this long, in the place of ten minutes; 0: not at
    /// all.
    #[must_use]
    pub fn remembering(self, span: Duration) -> Self {
        Self { remembered: self.remembered.lasting(span), ..self }
    }

    /// Looks names up there; without this there are none.
    #[must_use]
    pub fn resolving(self, resolver: Arc<Resolver>) -> Self {
        Self { resolver, ..self }
    }

    /// What looks names up.
    #[must_use]
    pub const fn resolver(&self) -> &Arc<Resolver> {
        &self.resolver
    }

    /// The id of a new connection.
    pub fn next_id(&self) -> Id {
        Id(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// What makes a source of random bytes.
    #[must_use]
    pub fn randomness(&self) -> fn() -> Box<dyn Random> {
        self.randomness
    }

    /// A source of random bytes.
    #[must_use]
    pub fn random(&self) -> Box<dyn Random> {
        (self.randomness)()
    }
}

/// How long a right password is remembered where nothing else is said.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(600);

/// Names a connection in logs, replies and `Received` lines, so that an operator who is told one
/// finds the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// The system's random bytes.
#[derive(Debug)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl Default for SystemRandom {
    fn default() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Random for SystemRandom {
    #[expect(clippy::expect_used, reason = "without random bytes nothing safe can be done at all")]
    fn fill(&mut self, bytes: &mut [u8]) {
        ring::rand::SecureRandom::fill(&self.0, bytes).expect("the system gives random bytes");
    }
}
