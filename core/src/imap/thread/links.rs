//! Steps 1.A and 1.B of REFERENCES (RFC 5256 §3): messages and those they refer to, each the child
//! of at most one other, without a loop.

use std::collections::BTreeMap;

use super::Digest;

/// One message, or a dummy in the place of one that is referred to and not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NodeId(u32);

/// All nodes.
#[derive(Debug)]
pub(super) struct Links {
    by_id: BTreeMap<Digest, NodeId>,
    nodes: Vec<Node>,
    dummies: usize,
    /// How many more steps may be gone upwards to look for loops.
    steps: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    parent: Option<NodeId>,
    children: u32,
    /// Whether it is a message, and no dummy.
    real: bool,
}

impl NodeId {
    pub(super) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Default for Links {
    fn default() -> Self {
        Self { by_id: BTreeMap::new(), nodes: Vec::new(), dummies: 0, steps: STEPS_FIRST }
    }
}

impl Links {
    /// Adds a message by its id, if it has one, and the ids of those it refers to, the farthest
    /// first.
    pub(super) fn add(&mut self, id: Option<Digest>, references: &[Digest]) -> NodeId {
        self.steps += STEPS_EACH;
        let node = self.message(id);
        let mut last = None;
        for reference in references {
            let Some(next) = self.referred(*reference) else { continue };
            if let Some(parent) = last
                && self.parent(next).is_none()
                && self.may_join(parent, next)
            {
                self.join(parent, next);
            }
            last = Some(next);
        }
        if self.parent(node) != last {
            self.part(node);
            if let Some(parent) = last.filter(|parent| self.may_join(*parent, node)) {
                self.join(parent, node);
            }
        }
        node
    }

    /// How many nodes there are.
    pub(super) const fn count(&self) -> usize {
        self.nodes.len()
    }

    /// All of them.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..).take(self.nodes.len()).map(NodeId)
    }

    pub(super) fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.nodes.get(node.index())?.parent
    }

    /// Whether a node is a message.
    pub(super) fn is_real(&self, node: NodeId) -> bool {
        self.nodes.get(node.index()).is_some_and(|node| node.real)
    }

    /// The node of a message. Of several with the same id the first is the one that others refer
    /// to, and one without is referred to by none.
    fn message(&mut self, id: Option<Digest>) -> NodeId {
        let known = id.and_then(|id| self.by_id.get(&id)).copied();
        if let Some(node) = known.and_then(|known| self.nodes.get_mut(known.index()))
            && !node.real
        {
            node.real = true;
            self.dummies -= 1;
            return known.unwrap_or_default();
        }
        let node = self.new_node(true);
        if let (Some(id), None) = (id, known) {
            self.by_id.insert(id, node);
        }
        node
    }

    /// The node of a message that another refers to. `None` if there is none, and are too many
    /// dummies.
    fn referred(&mut self, id: Digest) -> Option<NodeId> {
        if let Some(node) = self.by_id.get(&id) {
            return Some(*node);
        }
        if self.dummies == DUMMIES_MAX {
            return None;
        }
        self.dummies += 1;
        let node = self.new_node(false);
        self.by_id.insert(id, node);
        Some(node)
    }

    fn new_node(&mut self, real: bool) -> NodeId {
        // Messages have numbers below 2^32, and dummies are bounded.
        let node = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node { real, ..Node::default() });
        node
    }

    /// Whether one node can be the parent of another that has none: not if it is below it. Only a
    /// node with children can have another below it, so that a thread that is found in order, or
    /// backwards, costs no search; and where so much was searched that somebody must have made
    /// these messages up, they stay apart.
    fn may_join(&mut self, parent: NodeId, child: NodeId) -> bool {
        if parent == child {
            return false;
        }
        if self.nodes.get(child.index()).is_none_or(|node| node.children == 0) {
            return true;
        }
        let mut above = self.parent(parent);
        while let Some(node) = above {
            if node == child || self.steps == 0 {
                return false;
            }
            self.steps -= 1;
            above = self.parent(node);
        }
        true
    }

    fn join(&mut self, parent: NodeId, child: NodeId) {
        if let Some(node) = self.nodes.get_mut(child.index()) {
            node.parent = Some(parent);
        }
        if let Some(node) = self.nodes.get_mut(parent.index()) {
            node.children += 1;
        }
    }

    /// Takes a node from its parent.
    fn part(&mut self, child: NodeId) {
        let parent = self.nodes.get_mut(child.index()).and_then(|node| node.parent.take());
        if let Some(node) = parent.and_then(|parent| self.nodes.get_mut(parent.index())) {
            node.children -= 1;
        }
    }
}

/// How many messages that are not there are remembered.
const DUMMIES_MAX: usize = 1 << 20;
/// Steps upwards: for few messages, and what each adds. A thread of 100,000 in random order needs
/// about 12 each.
const STEPS_FIRST: usize = 1 << 20;
const STEPS_EACH: usize = 64;
