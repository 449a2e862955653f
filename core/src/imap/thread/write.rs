//! The THREAD response (RFC 5256 §4), in pieces.

use crate::imap::response::{self, Sink};

/// Threads in the order in which they are told, and how far that has come.
#[derive(Debug)]
pub struct Threads {
    /// Of each place below their count the number by which it is told; the others are dummies.
    numbers: Vec<u32>,
    /// The children of all places, one place after the other; at last those at the top.
    children: Vec<usize>,
    /// Where those of each place begin, and where the last end.
    begins: Vec<usize>,
    /// Where among the children to go on, and to stop, at each level that has more than one.
    levels: Vec<(usize, usize)>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    /// The next child of the innermost level is due.
    Next,
    /// This one is due, which is the only child of what was told before it, or begins a thread.
    At(usize),
    End,
}

impl Threads {
    /// Places and what is below them, ordered by the former; those at the top are below the last.
    pub(super) fn new(
        numbers: impl Iterator<Item = u32>,
        top: usize,
        below: impl Iterator<Item = (usize, usize)>,
    ) -> Self {
        let mut begins = Vec::with_capacity(top + 2);
        let mut children = Vec::new();
        for (parent, child) in below {
            if begins.len() <= parent {
                begins.resize(parent + 1, children.len());
            }
            children.push(child);
        }
        begins.resize(top + 1, children.len());
        begins.push(children.len());
        let numbers = numbers.collect();
        let mut threads =
            Self { numbers, children, begins, levels: Vec::new(), stage: Stage::Begin };
        threads.levels.push(threads.below(top));
        threads
    }

    /// Writes on while there is room; true if there is more to write. The first call begins the
    /// response, the last ends it.
    pub fn write<S: Sink>(&mut self, out: &mut S, has_room: impl Fn(&S) -> bool) -> bool {
        while self.stage != Stage::End && has_room(out) {
            self.stage = match self.stage {
                Stage::Begin => self.begin(out),
                Stage::Next => self.next(out),
                Stage::At(place) => self.tell(place, out),
                Stage::End => Stage::End,
            };
        }
        self.stage != Stage::End
    }

    fn begin(&self, out: &mut impl Sink) -> Stage {
        out.put(b"* THREAD");
        if !self.numbers.is_empty() {
            out.put(b" ");
        }
        Stage::Next
    }

    /// Begins the next thread of the innermost level, or ends the level.
    fn next(&mut self, out: &mut impl Sink) -> Stage {
        let next = self.levels.last_mut().and_then(|(next, end)| {
            let child = (*next < *end).then(|| self.children.get(*next).copied()).flatten();
            *next += 1;
            child
        });
        if let Some(child) = next {
            out.put(b"(");
            return Stage::At(child);
        }
        self.levels.pop();
        if self.levels.is_empty() {
            out.put(b"\r\n");
            return Stage::End;
        }
        out.put(b")");
        Stage::Next
    }

    /// Tells one message; what answers it follows behind, in brackets if there are several.
    fn tell(&mut self, place: usize, out: &mut impl Sink) -> Stage {
        let number = self.numbers.get(place);
        if let Some(number) = number {
            response::decimal((*number).into(), out);
        }
        let (begin, end) = self.below(place);
        match end - begin {
            0 => {
                out.put(b")");
                return Stage::Next;
            }
            _ if number.is_none() => {}
            _ => out.put(b" "),
        }
        if let (1, Some(only)) = (end - begin, self.children.get(begin)) {
            return Stage::At(*only);
        }
        self.levels.push((begin, end));
        Stage::Next
    }

    /// Where the children of a place are.
    fn below(&self, place: usize) -> (usize, usize) {
        let at = |place: usize| self.begins.get(place).copied().unwrap_or(self.children.len());
        (at(place), at(place + 1).max(at(place)))
    }
}
