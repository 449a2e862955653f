//! From links to threads: steps 2 to 6 of REFERENCES, and ORDEREDSUBJECT (RFC 5256 §3).
//!
//! Places are numbers: those below the count of messages are the messages, in the order of the
//! mailbox; those above are dummies. A dummy stands at the top of a thread, above at least two
//! messages; one that is below another dummy has given its messages to it.

use super::Member;
use super::links::{Links, NodeId};
use super::write::Threads;
use crate::UnixSeconds;

/// Messages, each below another or at the top.
#[derive(Debug)]
pub(super) struct Forest<'m> {
    members: &'m [Member],
    /// Of each place the one above it.
    above: Vec<Option<usize>>,
}

impl<'m> Forest<'m> {
    /// ORDEREDSUBJECT: below the first message of each base subject all others that have it.
    pub(super) fn by_subject(members: &'m [Member]) -> Self {
        let mut forest = Self { members, above: vec![None; members.len()] };
        let subject = |place: &usize| members.get(*place).map(|member| member.subject);
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by_key(|place| (subject(place), forest.sent(*place)));
        for thread in order.chunk_by(|one, other| subject(one) == subject(other)) {
            if let Some((first, others)) = thread.split_first() {
                others.iter().for_each(|place| forest.put_below(*place, *first));
            }
        }
        forest
    }

    /// Steps 2 and 3: without dummies, but for those at the top with more than one child.
    pub(super) fn by_links(members: &'m [Member], links: &Links) -> Self {
        let mut forest = Self { members, above: vec![None; members.len()] };
        let mut places = vec![None; links.count()];
        for (place, member) in members.iter().enumerate() {
            if let Some(of) = places.get_mut(member.node.index()) {
                *of = Some(place);
            }
        }
        let heads = heads(links);
        let mut below_dummies = Vec::new();
        for (place, member) in members.iter().enumerate() {
            let Some(head) = heads.get(member.node.index()).copied().flatten() else { continue };
            match places.get(head.index()).copied().flatten() {
                Some(message) => forest.put_below(place, message),
                None => below_dummies.push((head.index(), place)),
            }
        }
        below_dummies.sort_unstable();
        for thread in below_dummies.chunk_by(|(one, _), (other, _)| one == other) {
            // A dummy with one child gives its place to it.
            if thread.len() > 1 {
                let dummy = forest.new_dummy();
                thread.iter().for_each(|(_, place)| forest.put_below(*place, dummy));
            }
        }
        forest
    }

    /// Step 5: joins threads with the same base subject, of which there are this many.
    pub(super) fn merge(&mut self, subjects: usize) {
        // Step 4 says which of two is first.
        let roots = self.roots(|_| ());
        let mut table: Vec<Option<usize>> = vec![None; subjects + 1];
        for (root, speaker) in &roots {
            let Some(entry) = self.subject(*speaker).and_then(|subject| table.get_mut(subject))
            else {
                continue;
            };
            let better = |known: usize| {
                !self.is_dummy(known)
                    && (self.is_dummy(*root) || (self.replies(known) && !self.replies(*root)))
            };
            if entry.is_none_or(better) {
                *entry = Some(*root);
            }
        }
        for (root, speaker) in roots {
            let Some(entry) = self.subject(speaker).and_then(|subject| table.get_mut(subject))
            else {
                continue;
            };
            let Some(known) = entry.filter(|known| *known != root) else { continue };
            if self.is_dummy(known) || (self.replies(root) && !self.replies(known)) {
                self.put_below(root, known);
            } else {
                let dummy = self.new_dummy();
                self.put_below(known, dummy);
                self.put_below(root, dummy);
                *entry = Some(dummy);
            }
        }
        // What is below a dummy that is below another goes to that one.
        for place in 0..self.members.len() {
            while let Some(dummy) = self.parent(place).filter(|parent| self.is_dummy(*parent))
                && let Some(other) = self.parent(dummy)
            {
                self.put_below(place, other);
            }
        }
    }

    /// Step 6, and for REFS its own order of threads: by when they got a message last.
    pub(super) fn threads(&self, by_arrival: bool) -> Threads {
        let roots = if by_arrival {
            let last = self.last_arrivals();
            self.roots(|root| last.get(root).copied())
        } else {
            self.roots(|_| ())
        };
        let mut children: Vec<usize> =
            (0..self.members.len()).filter(|place| self.parent(*place).is_some()).collect();
        children.sort_by_key(|place| (self.parent(*place), self.sent(*place)));
        let top = self.above.len();
        let below = children.into_iter().map(|place| (self.parent(place).unwrap_or(top), place));
        let roots = roots.into_iter().map(|(root, _)| (top, root));
        Threads::new(self.members.iter().map(|member| member.number), top, below.chain(roots))
    }

    /// Those at the top, each with the message that speaks for it: a dummy's first child. They are
    /// ordered by the key, then by when that message was sent.
    fn roots<K: Ord>(&self, key: impl Fn(usize) -> K) -> Vec<(usize, usize)> {
        let mut speakers: Vec<usize> = (0..self.above.len()).collect();
        for place in 0..self.members.len() {
            if let Some(parent) = self.parent(place).filter(|parent| self.is_dummy(*parent))
                && let Some(speaker) = speakers.get_mut(parent)
                && (*speaker == parent || self.sent(place) < self.sent(*speaker))
            {
                *speaker = place;
            }
        }
        let mut roots: Vec<(usize, usize)> = speakers
            .into_iter()
            .enumerate()
            .filter(|(root, _)| self.parent(*root).is_none())
            .collect();
        roots.sort_by_key(|(root, speaker)| (key(*root), self.sent(*speaker), *speaker));
        roots
    }

    /// Of each place at the top, when its thread got a message last.
    fn last_arrivals(&self) -> Vec<Option<UnixSeconds>> {
        let mut root_of: Vec<Option<usize>> = vec![None; self.above.len()];
        let mut last = vec![None; self.above.len()];
        let mut way = Vec::new();
        for (place, member) in self.members.iter().enumerate() {
            let mut root = place;
            while let Some(parent) = self.parent(root) {
                way.push(root);
                root = root_of.get(parent).copied().flatten().unwrap_or(parent);
            }
            for passed in way.drain(..) {
                if let Some(known) = root_of.get_mut(passed) {
                    *known = Some(root);
                }
            }
            if let Some(last) = last.get_mut(root) {
                *last = (*last).max(Some(member.received));
            }
        }
        last
    }

    fn new_dummy(&mut self) -> usize {
        self.above.push(None);
        self.above.len() - 1
    }

    fn put_below(&mut self, place: usize, parent: usize) {
        if let Some(above) = self.above.get_mut(place) {
            *above = Some(parent);
        }
    }

    fn parent(&self, place: usize) -> Option<usize> {
        self.above.get(place).copied().flatten()
    }

    const fn is_dummy(&self, place: usize) -> bool {
        place >= self.members.len()
    }

    fn sent(&self, place: usize) -> Option<UnixSeconds> {
        self.members.get(place).map(|member| member.sent)
    }

    /// The number of a message's base subject, unless that is empty.
    fn subject(&self, place: usize) -> Option<usize> {
        let subject = self.members.get(place)?.subject;
        usize::try_from(subject).ok().filter(|subject| *subject != 0)
    }

    fn replies(&self, place: usize) -> bool {
        self.members.get(place).is_some_and(|member| member.replies)
    }
}

/// Of each node the nearest message above it, else the dummy at the top of all that are above it.
fn heads(links: &Links) -> Vec<Option<NodeId>> {
    let mut heads = vec![None; links.count()];
    let mut known = vec![false; links.count()];
    let mut way = Vec::new();
    for node in links.nodes() {
        let mut next = Some(node);
        while let Some(node) = next.filter(|node| known.get(node.index()) == Some(&false)) {
            way.push(node);
            next = links.parent(node).filter(|parent| !links.is_real(*parent));
        }
        // From the top down.
        for node in way.drain(..).rev() {
            let parent = links.parent(node);
            let above = parent
                .filter(|parent| !links.is_real(*parent))
                .and_then(|parent| heads.get(parent.index()).copied().flatten());
            if let (Some(head), Some(known)) =
                (heads.get_mut(node.index()), known.get_mut(node.index()))
            {
                (*head, *known) = (above.or(parent), true);
            }
        }
    }
    heads
}
