//! Who watches what, across all threads.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use pillarbox_core::EffectId;
use pillarbox_core::effect::{Job, Topic};

use crate::lock::lock;
use crate::mailbox::Mailbox;

/// The registry behind `Watch`, `Release` and `Notify`.
///
/// One lock guards it: to watch and to release cost O(log n), to notify costs the watchers of the
/// one topic. Whoever drops a machine releases its watches.
pub struct Topics<J: Job>(Mutex<BTreeMap<Topic, Watchers<J>>>);

/// By mailbox number and the watch's id: one machine may watch a topic twice.
type Watchers<J> = BTreeMap<(u64, EffectId), Arc<Mailbox<J>>>;

impl<J: Job> Default for Topics<J> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<J: Job> Topics<J> {
    /// From now on each notice of `topic` is laid into `mailbox` under `id`.
    pub fn watch(&self, topic: Topic, id: EffectId, mailbox: &Arc<Mailbox<J>>) {
        let key = (mailbox.number(), id);
        lock(&self.0).entry(topic).or_default().insert(key, Arc::clone(mailbox));
    }

    /// Ends the watch of that id.
    pub fn release(&self, topic: Topic, id: EffectId, mailbox: &Mailbox<J>) {
        let mut topics = lock(&self.0);
        if let Some(watchers) = topics.get_mut(&topic) {
            watchers.remove(&(mailbox.number(), id));
            if watchers.is_empty() {
                topics.remove(&topic);
            }
        }
    }

    /// Wakes everyone who watches the topic, whoever notifies among them.
    pub fn notify(&self, topic: Topic) {
        for (&(_, id), mailbox) in lock(&self.0).get(&topic).into_iter().flatten() {
            mailbox.notice(id);
        }
    }

    /// How many watches there are.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.0).values().map(BTreeMap::len).sum()
    }
}

impl<J: Job> fmt::Debug for Topics<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topics({} watches)", self.count())
    }
}
