//! How far something has come that takes long: one line, written over and over.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// A line on standard error, where that is a terminal; nothing where it is a file or a log.
#[derive(Debug)]
pub(super) struct Progress {
    terminal: bool,
    last: Option<Instant>,
    /// The width of what stands there.
    width: usize,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), last: None, width: 0 }
    }

    /// Shows what `line` says, unless something was shown a moment ago.
    pub(super) fn show(&mut self, line: impl FnOnce() -> String) {
        if !self.terminal || self.last.is_some_and(|last| last.elapsed() < PAUSE) {
            return;
        }
        self.last = Some(Instant::now());
        self.write(&line());
    }

    /// Takes the line away, so that something else can be said.
    pub(super) fn clear(&mut self) {
        if self.width > 0 {
            self.write("");
        }
    }

    fn write(&mut self, line: &str) {
        let width = line.chars().count();
        let blanks = " ".repeat(self.width.saturating_sub(width));
        let mut out = io::stderr().lock();
        let _nobody_reads = write!(out, "\r{line}{blanks}\r{line}").and_then(|()| out.flush());
        self.width = width;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// `12 % [##          ] WHAT`.
pub(super) fn bar(done: u64, all: u64, what: &str) -> String {
    let part = |of: u64| {
        let share = u128::from(done.min(all)) * u128::from(of) / u128::from(all.max(1));
        usize::try_from(share).unwrap_or(0)
    };
    let full = part(BAR_WIDTH as u64);
    format!("{:>3} % [{:<BAR_WIDTH$}] {what}", part(100), "#".repeat(full))
}

const BAR_WIDTH: usize = 24;
const PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_what_is_done() {
        assert_eq!(bar(0, 0, "x"), format!("  0 % [{}] x", " ".repeat(24)));
        assert_eq!(bar(1, 2, "x"), format!(" 50 % [{}{}] x", "#".repeat(12), " ".repeat(12)));
        assert_eq!(bar(u64::MAX, u64::MAX, ""), format!("100 % [{}] ", "#".repeat(24)));
        assert_eq!(bar(9, 3, ""), bar(3, 3, ""));
    }
}
