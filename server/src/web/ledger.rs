//! The requests under way on one connection: how long each may still take, and its line in the log.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use pillarbox_core::{Moment, Now};

use crate::context::Context;

/// What a request whose time is over has left to be answered in, before its connection goes.
const GRACE: Duration = Duration::from_secs(5);

/// All requests of one connection that are not answered to the end.
#[derive(Debug, Clone)]
pub(super) struct Ledger(Rc<RefCell<Entries>>);

#[derive(Debug)]
struct Entries {
    context: Arc<Context>,
    cid: String,
    peer: IpAddr,
    request_max: Duration,
    now: Now,
    stopping: bool,
    last: u64,
    under_way: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    until: Moment,
    /// Its time is over.
    expired: bool,
    /// Of whoever works on the answer.
    waker: Waker,
}

impl Ledger {
    /// For a connection of this id; each request may take so long.
    pub(super) fn new(
        context: Arc<Context>,
        cid: String,
        peer: IpAddr,
        request_max: Duration,
    ) -> Self {
        Self(Rc::new(RefCell::new(Entries {
            context,
            cid,
            peer,
            request_max,
            now: Now::default(),
            stopping: false,
            last: 0,
            under_way: BTreeMap::new(),
        })))
    }

    /// Sets the present, and wakes the requests whose time is over.
    pub(super) fn set_now(&self, now: Now) {
        let mut wakers = Vec::new();
        {
            let mut entries = self.0.borrow_mut();
            entries.now = now;
            for entry in entries.under_way.values_mut() {
                if !entry.expired && entry.until <= now.moment {
                    entry.expired = true;
                    wakers.push(entry.waker.clone());
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn now(&self) -> Now {
        self.0.borrow().now
    }

    /// The server is stopping.
    pub(super) fn stop(&self) {
        self.0.borrow_mut().stopping = true;
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.0.borrow().stopping
    }

    /// How many requests were begun so far.
    pub(super) fn begun(&self) -> u64 {
        self.0.borrow().last
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().under_way.is_empty()
    }

    /// When the next request's time is over: first for its answer to begin, then for all of it.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let ledger = self.0.borrow();
        let of = |entry: &Entry| if entry.expired { entry.until + GRACE } else { entry.until };
        ledger.under_way.values().map(of).min()
    }

    /// Whether the answer to some request has taken too long to leave.
    pub(super) fn is_overdue(&self) -> bool {
        let ledger = self.0.borrow();
        ledger.under_way.values().any(|entry| entry.until + GRACE <= ledger.now.moment)
    }

    /// Begins a request.
    pub(super) fn begin(&self, method: String, path: String, version: &'static str) -> Ticket {
        let mut entries = self.0.borrow_mut();
        entries.context.counters.web_requests.count();
        entries.last += 1;
        let (key, began) = (entries.last, entries.now.moment);
        let until = began + entries.request_max;
        let entry = Entry { until, expired: false, waker: Waker::noop().clone() };
        entries.under_way.insert(key, entry);
        Ticket { ledger: self.clone(), key, began, method, path, version, status: 0, bytes: 0 }
    }
}

/// One request; what becomes of it is logged when this is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    ledger: Ledger,
    key: u64,
    began: Moment,
    method: String,
    /// Without what follows the `?`: that may be somebody's address.
    path: String,
    version: &'static str,
    /// 0: none was sent.
    pub(super) status: u16,
    /// Of the body, as it is sent.
    pub(super) bytes: u64,
}

impl Ticket {
    /// What `answer` comes to, or `None` where it takes longer than a request may.
    pub(super) async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let mut answer = pin!(answer);
        std::future::poll_fn(|context| {
            if let Poll::Ready(value) = answer.as_mut().poll(context) {
                return Poll::Ready(Some(value));
            }
            match self.ledger.0.borrow_mut().under_way.get_mut(&self.key) {
                Some(entry) if !entry.expired => {
                    entry.waker.clone_from(context.waker());
                    Poll::Pending
                }
                _ => Poll::Ready(None),
            }
        })
        .await
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut entries = self.ledger.0.borrow_mut();
        entries.under_way.remove(&self.key);
        let (cid, peer) = (entries.cid.as_str(), entries.peer);
        let ms = u64::try_from(entries.now.moment.since(self.began).as_millis()).unwrap_or(0);
        let Self { method, path, version, status, bytes, .. } = &*self;
        let (method, path) = (method.as_str(), path.as_str());
        if *status == 0 {
            log::info!(cid, peer:% = peer, method, path, version, ms; "request abandoned");
        } else {
            log::info!(cid, peer:% = peer, method, path, version, status, bytes, ms; "request");
        }
    }
}
