//! REFERENCES and REFS step by step as RFC 5256 §3 tells them, with trees that are walked through
//! again and again.

use super::Letter;
use crate::imap::subject;

struct Node {
    letter: Option<usize>,
    parent: Option<usize>,
    children: Vec<usize>,
}

struct Trees<'l> {
    letters: &'l [Letter],
    nodes: Vec<Node>,
    ids: Vec<(&'static str, usize)>,
    roots: Vec<usize>,
}

/// The response to THREAD REFERENCES, or to THREAD REFS, without its name.
pub(super) fn references(letters: &[Letter], subjects: bool) -> String {
    let mut trees = Trees { letters, nodes: Vec::new(), ids: Vec::new(), roots: Vec::new() };
    for letter in 0..letters.len() {
        trees.link(letter);
    }
    trees.roots = (0..trees.nodes.len()).filter(|n| trees.nodes[*n].parent.is_none()).collect();
    trees.prune();
    trees.sort_roots();
    if subjects {
        trees.gather();
        trees.sort_roots();
    } else {
        let mut roots = trees.roots.clone();
        roots.sort_by_key(|root| (trees.latest(*root), trees.key(*root)));
        trees.roots = roots;
    }
    trees.roots.iter().map(|root| format!("({})", trees.told(*root))).collect()
}

impl Trees<'_> {
    fn new_node(&mut self, letter: Option<usize>) -> usize {
        self.nodes.push(Node { letter, parent: None, children: Vec::new() });
        self.nodes.len() - 1
    }

    fn node_of(&mut self, id: &'static str) -> usize {
        if let Some((_, node)) = self.ids.iter().find(|(known, _)| *known == id) {
            return *node;
        }
        let node = self.new_node(None);
        self.ids.push((id, node));
        node
    }

    fn is_below(&self, node: usize, above: usize) -> bool {
        node == above || self.nodes[node].parent.is_some_and(|parent| self.is_below(parent, above))
    }

    fn join(&mut self, parent: usize, child: usize) {
        if !self.is_below(parent, child) {
            self.nodes[child].parent = Some(parent);
            self.nodes[parent].children.push(child);
        }
    }

    fn part(&mut self, child: usize) {
        if let Some(parent) = self.nodes[child].parent.take() {
            self.nodes[parent].children.retain(|other| *other != child);
        }
    }

    fn link(&mut self, letter: usize) {
        let Letter { id, references, .. } = &self.letters[letter];
        let mut own = if id.is_empty() { self.new_node(None) } else { self.node_of(id) };
        if self.nodes[own].letter.is_some() {
            own = self.new_node(None);
        }
        self.nodes[own].letter = Some(letter);
        let references: Vec<usize> = references.iter().map(|id| self.node_of(id)).collect();
        for pair in references.windows(2) {
            if self.nodes[pair[1]].parent.is_none() {
                self.join(pair[0], pair[1]);
            }
        }
        self.part(own);
        if let Some(last) = references.last() {
            self.join(*last, own);
        }
    }

    fn prune(&mut self) {
        let mut roots = Vec::new();
        for root in self.roots.clone() {
            let children = self.without_dummies(root);
            match (self.nodes[root].letter, children.as_slice()) {
                (None, []) => {}
                (None, [only]) => roots.push(*only),
                _ => roots.push(root),
            }
            self.nodes[root].children = children;
        }
        self.roots = roots;
    }

    /// The children of a node, dummies replaced by theirs.
    fn without_dummies(&mut self, node: usize) -> Vec<usize> {
        let mut kept = Vec::new();
        for child in self.nodes[node].children.clone() {
            let children = self.without_dummies(child);
            if self.nodes[child].letter.is_some() {
                self.nodes[child].children = children;
                kept.push(child);
            } else {
                kept.extend(children);
            }
        }
        kept
    }

    /// By what siblings are sorted.
    fn key(&self, node: usize) -> (i64, usize) {
        match self.nodes[node].letter {
            Some(letter) => (self.letters[letter].sent, letter),
            None => self.nodes[node].children.iter().map(|child| self.key(*child)).min().unwrap(),
        }
    }

    fn latest(&self, node: usize) -> i64 {
        let own = self.nodes[node].letter.map(|letter| self.letters[letter].received);
        let below = self.nodes[node].children.iter().map(|child| self.latest(*child));
        own.into_iter().chain(below).max().unwrap()
    }

    fn sort_roots(&mut self) {
        let mut roots = self.roots.clone();
        roots.sort_by_key(|root| self.key(*root));
        self.roots = roots;
    }

    fn subject(&self, root: usize) -> (String, bool) {
        let (_, letter) = self.key(root);
        let base = subject::base(self.letters[letter].subject);
        (base.text.to_owned(), base.replies)
    }

    fn gather(&mut self) {
        let mut table: Vec<(String, usize)> = Vec::new();
        for root in self.roots.clone() {
            let (subject, replies) = self.subject(root);
            if subject.is_empty() {
                continue;
            }
            let Some(entry) = table.iter_mut().find(|(known, _)| *known == subject) else {
                table.push((subject, root));
                continue;
            };
            let dummy = |node: usize| self.nodes[node].letter.is_none();
            let (_, known_replies) = self.subject(entry.1);
            if !dummy(entry.1) && (dummy(root) || (known_replies && !replies)) {
                entry.1 = root;
            }
        }
        for root in self.roots.clone() {
            let (subject, replies) = self.subject(root);
            let Some(at) = table.iter().position(|(known, _)| *known == subject) else { continue };
            let known = table[at].1;
            if known == root {
                continue;
            }
            let (_, known_replies) = self.subject(known);
            self.roots.retain(|other| *other != root);
            if self.nodes[known].letter.is_none() && self.nodes[root].letter.is_none() {
                let children = std::mem::take(&mut self.nodes[root].children);
                self.nodes[known].children.extend(children);
            } else if self.nodes[known].letter.is_none() || (replies && !known_replies) {
                self.nodes[known].children.push(root);
            } else {
                let dummy = self.new_node(None);
                self.nodes[dummy].children = vec![known, root];
                self.roots.retain(|other| *other != known);
                self.roots.push(dummy);
                table[at].1 = dummy;
            }
        }
    }

    fn told(&self, node: usize) -> String {
        let mut children = self.nodes[node].children.clone();
        children.sort_by_key(|child| self.key(*child));
        let own = self.nodes[node].letter.map(|letter| (letter + 1).to_string());
        let below = match children.as_slice() {
            [] => None,
            [only] => Some(self.told(*only)),
            several => {
                Some(several.iter().map(|child| format!("({})", self.told(*child))).collect())
            }
        };
        own.into_iter().chain(below).collect::<Vec<String>>().join(" ")
    }
}
