//! The processes of a server: what they have computed and what they hold, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Processes and all that descend from them.
#[derive(Debug, Clone)]
pub struct Tree {
    roots: Vec<u32>,
}

/// Memory of a whole tree, in KiB. What the kernel holds for sockets is not in it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Resident: what several processes share counts for each.
    pub rss: u64,
    /// Resident, each shared page divided among those who share it.
    pub pss: u64,
}

/// One line of `/proc/PID/stat`.
struct Stat {
    parent: u32,
    /// Of the process, and of its children that have ended.
    cpu: Duration,
}

impl Tree {
    /// The tree below these processes.
    #[must_use]
    pub const fn new(roots: Vec<u32>) -> Self {
        Self { roots }
    }

    /// The processes at the roots.
    #[must_use]
    pub fn roots(&self) -> &[u32] {
        &self.roots
    }

    /// What all have computed since they began, those that have ended included. The kernel tells
    /// it in steps of 10 ms for each process.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        let all = processes();
        self.members(&all).filter_map(|pid| Some(all.get(&pid)?.cpu)).sum()
    }

    /// What all hold now. Of processes of other users only root is told.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let all = processes();
        self.members(&all).map(memory_of).fold(Memory::default(), |sum, one| Memory {
            rss: sum.rss + one.rss,
            pss: sum.pss + one.pss,
        })
    }

    /// How many processes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.members(&processes()).count()
    }

    /// What was computed in all once hardly anything is computed any more, for which it waits.
    ///
    /// Half of a server's cost can come after its reply: Postfix delivers then.
    #[must_use]
    pub fn cpu_when_idle(&self) -> Duration {
        self.settle();
        self.cpu()
    }

    /// Waits until hardly anything is computed any more.
    pub fn settle(&self) {
        let begun = Instant::now();
        let mut last = self.cpu();
        let mut quiet = 0;
        while quiet < QUIET_LOOKS && begun.elapsed() < IDLE_WITHIN {
            sleep(LOOK_EVERY);
            let now = self.cpu();
            // It can fall: a process that has ended counts nowhere until its parent has waited for it.
            quiet = if now.abs_diff(last) <= TICK { quiet + 1 } else { 0 };
            last = now;
        }
    }

    fn members<'a>(&'a self, all: &'a BTreeMap<u32, Stat>) -> impl Iterator<Item = u32> + 'a {
        let below = |pid: u32| {
            let mut place = pid;
            // As deep as trees of servers are.
            for _ in 0..DEPTH_MAX {
                if self.roots.contains(&place) {
                    return true;
                }
                match all.get(&place) {
                    Some(stat) if stat.parent > 1 => place = stat.parent,
                    _ => return false,
                }
            }
            false
        };
        all.keys().copied().filter(move |pid| below(*pid))
    }
}

fn processes() -> BTreeMap<u32, Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    entries
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, stat(&text)?))
        })
        .collect()
}

/// `proc_pid_stat(5)`: the name in parentheses may hold anything, so fields count from behind it.
fn stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let ticks = (11..=14).map(number).sum::<Option<u64>>()?;
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        cpu: TICK * u32::try_from(ticks).unwrap_or(u32::MAX),
    })
}

fn memory_of(pid: u32) -> Memory {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let kib = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
    };
    Memory { rss: kib("Rss:"), pss: kib("Pss:") }
}

/// `USER_HZ` is 100 on all that Linux runs on.
const TICK: Duration = Duration::from_millis(10);
const LOOK_EVERY: Duration = Duration::from_millis(250);
const QUIET_LOOKS: u32 = 3;
const IDLE_WITHIN: Duration = Duration::from_secs(120);
const DEPTH_MAX: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_process_name_cannot_shift_the_fields() {
        let line = "7 (a) b (c) S 3 7 7 0 -1 1 2 3 4 5 10 20 30 40 20 0";
        let stat = stat(line).unwrap();
        assert_eq!((stat.parent, stat.cpu), (3, Duration::from_secs(1)));
    }

    #[test]
    fn this_process_is_its_own_tree() {
        let tree = Tree::new(vec![std::process::id()]);
        assert!(tree.count() >= 1);
        assert!(tree.memory().rss >= tree.memory().pss);
    }
}
