//! What each row of the table measures.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Imap, Smtp, Trust};
use crate::large::{self, LARGE};
use crate::servers::Server;

/// One row.
#[derive(Debug)]
pub struct Row {
    /// For `--only`.
    pub key: &'static str,
    /// What is done.
    pub title: &'static str,
    /// What its cost is counted in; less is better.
    pub unit: &'static str,
    /// What Pillarbox on smol may cost, in that unit.
    pub target: f64,
    measure: fn(&mut Run<'_>) -> io::Result<Figure>,
}

impl Row {
    /// Measures it on a server.
    ///
    /// # Errors
    /// What the server refused, or how the stream ended.
    pub fn measure(&self, run: &mut Run<'_>) -> io::Result<Figure> {
        (self.measure)(run)
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// In the row's unit.
    pub cost: f64,
    /// What came beside it.
    pub beside: Beside,
}

/// What is told beside a cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// So many a second.
    Rate(f64),
    /// Resident memory, where the cost is the proportional one, in the row's unit.
    Resident(f64),
    /// It took so long.
    Took(Duration),
}

/// The measuring of one server.
#[derive(Debug)]
pub struct Run<'a> {
    pub(crate) server: &'a Server,
    trust: Trust,
    /// By how much everything is done less often.
    shorter: usize,
    idlers: Vec<Imap>,
}

impl<'a> Run<'a> {
    /// Begins with a server that has just started.
    ///
    /// # Errors
    /// Where its certificate cannot be read.
    pub fn new(server: &'a Server, quick: bool) -> io::Result<Self> {
        let shorter = if quick { 10 } else { 1 };
        Ok(Self { server, trust: Trust::in_ca(&server.ca)?, shorter, idlers: Vec::new() })
    }

    pub(crate) fn times(&self, count: usize) -> usize {
        (count / self.shorter).max(1)
    }

    /// Charges what `work` makes the server compute, to its last millisecond.
    pub(crate) fn charge(
        &self,
        work: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<(Duration, Duration)> {
        let before = self.server.tree.cpu_when_idle();
        let begun = Instant::now();
        work()?;
        let took = begun.elapsed();
        Ok((self.server.tree.cpu_when_idle().saturating_sub(before), took))
    }

    /// Repeats the work on several threads; the cost of one in units of `unit`.
    pub(crate) fn repeat(
        &self,
        threads: usize,
        count: usize,
        unit: Duration,
        work: impl Fn(usize) -> io::Result<()> + Sync,
    ) -> io::Result<Figure> {
        let each = count.div_ceil(threads);
        let (cpu, took) = self.charge(|| together(threads, || work(each)))?;
        let done = to_f64(each * threads);
        Ok(Figure {
            cost: cpu.as_secs_f64() / unit.as_secs_f64() / done,
            beside: Beside::Rate(done / took.as_secs_f64()),
        })
    }

    fn deliver(
        &self,
        to: &str,
        connections: usize,
        count: usize,
        bytes: usize,
    ) -> io::Result<Figure> {
        let recipient = format!("{to}@{}", self.server.domain);
        let letter = letter(bytes);
        self.repeat(connections, count, MILLISECOND, |each| {
            let mut smtp = Smtp::connect(self.server.smtp)?;
            for _ in 0..each {
                smtp.send(&recipient, &letter)?;
            }
            smtp.quit()
        })
    }

    /// A session on a mailbox of [`MAILBOX`] messages of 2 KiB.
    fn reader(&self) -> io::Result<Imap> {
        let mut imap = Imap::connect(self.server.imap, None)?;
        imap.open(READER)?;
        let have = imap.count("INBOX")?;
        let want = self.times(MAILBOX);
        if have < want {
            self.deliver(READER_LOCALPART, 10, want - have, 2 << 10)?;
        }
        imap.command("SELECT INBOX")?;
        Ok(imap)
    }

    /// One command again and again; the cost of each message of the mailbox, or of the whole.
    fn ask(&self, command: &str, count: usize, unit: Duration, per: usize) -> io::Result<Figure> {
        let mut imap = self.reader()?;
        // The first may fill caches.
        imap.command(command)?;
        let (cpu, _) =
            self.charge(|| (0..count).try_for_each(|_| imap.command(command).map(drop)))?;
        let cost = cpu.as_secs_f64() / unit.as_secs_f64() / to_f64(count * per);
        Ok(Figure { cost, beside: Beside::Nothing })
    }

    fn per_message(&self, items: &str, count: usize) -> io::Result<Figure> {
        self.ask(&format!("FETCH 1:* {items}"), count, MICROSECOND, self.times(MAILBOX))
    }

    /// Opens the idle clients, unless they are there.
    fn gather(&mut self) -> io::Result<()> {
        if self.idlers.is_empty() {
            self.idlers = self.idle(false)?;
        }
        Ok(())
    }

    /// Clients that wait under TLS, and with everything compressed if that is wanted.
    fn idle(&self, compress: bool) -> io::Result<Vec<Imap>> {
        drop(self.reader()?);
        let count = self.times(IDLERS);
        let opened = thread::scope(|scope| {
            let some = || scope.spawn(|| self.some_idlers(count / 4, compress));
            let opened: Vec<_> = (0..4).map(|_| some()).collect();
            let opened = opened.into_iter().map(|thread| thread.join().map_err(|_| panicked())?);
            opened.collect::<io::Result<Vec<_>>>()
        })?;
        Ok(opened.into_iter().flatten().collect())
    }

    fn some_idlers(&self, count: usize, compress: bool) -> io::Result<Vec<Imap>> {
        let open = |_| {
            let mut imap = Imap::connect(self.server.imaps, Some(&self.trust))?;
            imap.open(READER)?;
            if compress {
                imap = imap.compress()?;
            }
            imap.idle()?;
            Ok(imap)
        };
        (0..count).map(open).collect()
    }
}

fn at_rest(run: &mut Run<'_>) -> io::Result<Figure> {
    run.server.tree.settle();
    let memory = run.server.tree.memory();
    let mib = |kib: u64| kib as f64 / 1_024.0;
    Ok(Figure { cost: mib(memory.pss), beside: Beside::Resident(mib(memory.rss)) })
}

fn smtp_visits(run: &mut Run<'_>) -> io::Result<Figure> {
    run.repeat(10, run.times(5_000), MILLISECOND, |each| {
        (0..each).try_for_each(|_| Smtp::connect(run.server.smtp)?.quit())
    })
}

fn smtp_tls_visits(run: &mut Run<'_>) -> io::Result<Figure> {
    run.repeat(10, run.times(2_000), MILLISECOND, |each| {
        (0..each).try_for_each(|_| Smtp::connect(run.server.smtp)?.starttls(&run.trust)?.quit())
    })
}

fn imap_visits(run: &Run<'_>, to_tls: bool, count: usize) -> io::Result<Figure> {
    let (to, trust) = match to_tls {
        true => (run.server.imaps, Some(&run.trust)),
        false => (run.server.imap, None),
    };
    run.repeat(10, run.times(count), MILLISECOND, |each| {
        (0..each).try_for_each(|_| {
            let mut imap = Imap::connect(to, trust)?;
            imap.command("CAPABILITY")?;
            imap.command("LOGOUT").map(drop)
        })
    })
}

fn append(run: &mut Run<'_>) -> io::Result<Figure> {
    let letter = letter(2 << 10);
    let letter = letter.strip_suffix(b".\r\n").unwrap_or(&letter);
    let mut imap = Imap::connect(run.server.imap, None)?;
    imap.open("friend")?;
    let count = run.times(1_000);
    let (cpu, took) = run.charge(|| (0..count).try_for_each(|_| imap.append(letter)))?;
    Ok(Figure {
        cost: cpu.as_secs_f64() * 1e3 / to_f64(count),
        beside: Beside::Rate(to_f64(count) / took.as_secs_f64()),
    })
}

fn one_by_one(run: &mut Run<'_>) -> io::Result<Figure> {
    let mut imap = run.reader()?;
    let count = run.times(MAILBOX);
    let (cpu, _) = run.charge(|| {
        (1..=count)
            .try_for_each(|number| imap.command(&format!("FETCH {number} BODY.PEEK[]")).map(drop))
    })?;
    Ok(Figure { cost: cpu.as_secs_f64() * 1e6 / to_f64(count), beside: Beside::Nothing })
}

/// A letter of 1 MiB, fetched again and again, in clear or under TLS.
fn fetch_large(run: &mut Run<'_>, tls: bool) -> io::Result<Figure> {
    let letter = letter(1 << 20);
    let (to, trust) = match tls {
        true => (run.server.imaps, Some(&run.trust)),
        false => (run.server.imap, None),
    };
    let mut imap = Imap::connect(to, trust)?;
    imap.open("friend")?;
    imap.append(letter.strip_suffix(b".\r\n").unwrap_or(&letter))?;
    imap.command("NOOP")?;
    let count = run.times(200);
    let (cpu, took) =
        run.charge(|| (0..count).try_for_each(|_| imap.command("FETCH * BODY.PEEK[]").map(drop)))?;
    Ok(Figure {
        cost: cpu.as_secs_f64() * 1e3 / to_f64(count),
        beside: Beside::Rate(to_f64(count) / took.as_secs_f64()),
    })
}

fn visits(run: &mut Run<'_>) -> io::Result<Figure> {
    drop(run.reader()?);
    run.repeat(1, run.times(50), MILLISECOND, |each| {
        (0..each).try_for_each(|_| {
            let mut imap = Imap::connect(run.server.imap, None)?;
            imap.open(READER)?;
            imap.command("FETCH 1:50 (UID FLAGS RFC822.SIZE)")?;
            imap.command("STORE 1 +FLAGS (\\Seen)")?;
            imap.command("NOOP")?;
            imap.command("LOGOUT").map(drop)
        })
    })
}

fn idle_memory(run: &mut Run<'_>) -> io::Result<Figure> {
    memory_of(run, |run| {
        run.gather()?;
        Ok(run.idlers.len())
    })
}

/// Beside those that wait without, so that these do not hide in the room of others.
fn packed_idle_memory(run: &mut Run<'_>) -> io::Result<Figure> {
    run.gather()?;
    let mut idlers = Vec::new();
    memory_of(run, |run| {
        idlers = run.idle(true)?;
        // What a client leaves behind is packed after a while.
        thread::sleep(RESTED);
        Ok(idlers.len())
    })
}

/// What so many more clients add to the server's memory, for each of them.
fn memory_of(
    run: &mut Run<'_>,
    open: impl FnOnce(&mut Run<'_>) -> io::Result<usize>,
) -> io::Result<Figure> {
    drop(run.reader()?);
    run.server.tree.settle();
    let before = run.server.tree.memory();
    let count = open(run)?;
    run.server.tree.settle();
    let after = run.server.tree.memory();
    let each = |kib: u64| kib as f64 / to_f64(count);
    Ok(Figure {
        cost: each(after.pss.saturating_sub(before.pss)),
        beside: Beside::Resident(each(after.rss.saturating_sub(before.rss))),
    })
}

fn waking(run: &mut Run<'_>) -> io::Result<Figure> {
    run.gather()?;
    let mut idlers = std::mem::take(&mut run.idlers);
    let (cpu, took) = run.charge(|| {
        let mut smtp = Smtp::connect(run.server.smtp)?;
        smtp.send(&format!("{READER_LOCALPART}@{}", run.server.domain), &letter(2 << 10))?;
        idlers.iter_mut().try_for_each(Imap::told)
    })?;
    Ok(Figure { cost: cpu.as_secs_f64() * 1e3, beside: Beside::Took(took) })
}

/// Delivery of so many letters into a mailbox of so many messages.
pub(crate) fn deliver_behind(run: &Run<'_>, stored: usize, count: usize) -> io::Result<Figure> {
    if run.server.fills_slowly {
        return Err(io::Error::other("not measured"));
    }
    let mut imap = Imap::connect(run.server.imap, None)?;
    imap.open("friend")?;
    let have = imap.count("INBOX")?;
    imap.command("LOGOUT")?;
    run.deliver("friend", 50, run.times(stored).saturating_sub(have), 2 << 10)?;
    run.deliver("friend", 10, count, 2 << 10)
}

/// Does the same on so many threads.
fn together(threads: usize, work: impl Fn() -> io::Result<()> + Sync) -> io::Result<()> {
    let work = &work;
    thread::scope(|scope| {
        let begun: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        begun.into_iter().try_for_each(|thread| thread.join().map_err(|_| panicked())?)
    })
}

fn panicked() -> io::Error {
    io::Error::other("a client has panicked")
}

/// A letter of so many bytes in lines of 76, with the line that ends it.
pub(crate) fn letter(bytes: usize) -> Vec<u8> {
    let mut letter = b"From: Sender <sender@client.example>\r\n\
        To: Reader <user@localhost>\r\n\
        Subject: a letter to be measured\r\n\
        Date: Tue, 24 Nov 2026 12:00:00 +0000\r\n\
        Message-ID: <measured@client.example>\r\n\
        \r\n"
        .to_vec();
    let line: Vec<u8> = (b'0'..b'0' + 76).chain(*b"\r\n").collect();
    while letter.len() + line.len() <= bytes {
        letter.extend_from_slice(&line);
    }
    letter.extend_from_slice(b".\r\n");
    letter
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) const fn to_f64(count: usize) -> f64 {
    count as f64
}

/// All rows, in the order in which they are measured: memory first, while the heap has no holes
/// that new clients could hide in. The targets are those of smol.
pub const ROWS: [Row; 37] = [
    row("rest", "memory of the server at rest", "MiB", 8.0, at_rest),
    row("idle", "memory of an idle TLS IMAP client, of 1,000", "KiB", 24.0, idle_memory),
    row("idle-packed", "the same with COMPRESS on", "KiB", 16.0, packed_idle_memory),
    row("wake", "one delivery told to 1,000 clients in IDLE", "ms", 20.0, waking),
    row("deliver-1", "receive and deliver 2 KiB, 1 connection", "ms", 0.35, |run| {
        run.deliver("friend", 1, run.times(1_000), 2 << 10)
    }),
    row("deliver-10", "receive and deliver 2 KiB, 10 connections", "ms", 0.25, |run| {
        run.deliver("friend", 10, run.times(5_000), 2 << 10)
    }),
    row("deliver-50", "receive and deliver 2 KiB, 50 connections", "ms", 0.25, |run| {
        run.deliver("friend", 50, run.times(5_000), 2 << 10)
    }),
    row("deliver-100k", "receive and deliver 100 KiB, 10 connections", "ms", 1.0, |run| {
        run.deliver("friend", 10, run.times(500), 100 << 10)
    }),
    row("deliver-10m", "receive and deliver 10 MiB, 10 connections", "ms", 40.0, |run| {
        run.deliver("friend", 10, run.times(40).max(10), 10 << 20)
    }),
    row("smtp", "SMTP: connect, EHLO, QUIT", "ms", 0.06, smtp_visits),
    row("smtp-tls", "SMTP under STARTTLS: connect, EHLO, QUIT", "ms", 0.22, smtp_tls_visits),
    row("imap", "IMAP: connect, CAPABILITY, LOGOUT", "ms", 0.06, |run| {
        imap_visits(run, false, 5_000)
    }),
    row("imaps", "IMAP under TLS: connect, CAPABILITY, LOGOUT", "ms", 0.2, |run| {
        imap_visits(run, true, 2_000)
    }),
    row("append", "IMAP APPEND 2 KiB", "ms", 0.2, append),
    row("fetch-flags", "FETCH (UID FLAGS), for each of 5,000", "µs", 0.5, |run| {
        run.per_message("(UID FLAGS)", 200)
    }),
    row("fetch-envelope", "FETCH (ENVELOPE BODYSTRUCTURE), for each", "µs", 5.0, |run| {
        run.per_message("(ENVELOPE BODYSTRUCTURE)", 20)
    }),
    row("fetch-body", "FETCH BODY.PEEK[] of 2 KiB, all, for each", "µs", 8.0, |run| {
        run.per_message("BODY.PEEK[]", 20)
    }),
    row("fetch-one", "FETCH BODY.PEEK[] of 2 KiB, one a command", "µs", 40.0, one_by_one),
    row("fetch-1m", "FETCH BODY.PEEK[] of 1 MiB", "ms", 0.4, |run| fetch_large(run, false)),
    row("fetch-1m-tls", "FETCH BODY.PEEK[] of 1 MiB under TLS", "ms", 0.9, |run| {
        fetch_large(run, true)
    }),
    row("search-all", "SEARCH ALL in 5,000", "ms", 0.3, |run| {
        run.ask("SEARCH ALL", 2_000, MILLISECOND, 1)
    }),
    row("search-unseen", "SEARCH UNSEEN", "ms", 0.3, |run| {
        run.ask("SEARCH UNSEEN", 2_000, MILLISECOND, 1)
    }),
    row("search-subject", "SEARCH SUBJECT", "ms", 1.0, |run| {
        run.ask("SEARCH SUBJECT measured", 50, MILLISECOND, 1)
    }),
    row("search-text", "SEARCH TEXT", "ms", 1.0, |run| {
        run.ask("SEARCH TEXT nowhere", 10, MILLISECOND, 1)
    }),
    row("behind-10000", "receive and deliver 2 KiB into 10,000", "ms", 0.25, |run| {
        deliver_behind(run, 10_000, run.times(5_000))
    }),
    row("behind-100000", "receive and deliver 2 KiB into 100,000", "ms", 0.25, |run| {
        deliver_behind(run, LARGE, run.times(5_000))
    }),
    row("visit", "log in, select, fetch 50, store, NOOP, log out", "ms", 0.8, visits),
    row("large-flags", "FETCH (UID FLAGS), for each of 100,000", "µs", 0.5, |run| {
        large::per_message(run, "FETCH 1:* (UID FLAGS)", 10)
    }),
    row("large-envelope", "FETCH (ENVELOPE BODYSTRUCTURE), for each", "µs", 5.0, |run| {
        large::per_message(run, "FETCH 1:* (ENVELOPE BODYSTRUCTURE)", 2)
    }),
    row("large-body", "FETCH BODY.PEEK[] of 2 KiB, all, for each", "µs", 8.0, |run| {
        large::per_message(run, "FETCH 1:* BODY.PEEK[]", 2)
    }),
    row("large-one", "FETCH BODY.PEEK[] of 2 KiB, one a command", "µs", 40.0, large::one_by_one),
    row("large-all", "SEARCH ALL, for each of 100,000", "µs", 0.06, |run| {
        large::per_message(run, "SEARCH ALL", 50)
    }),
    row("large-unseen", "SEARCH UNSEEN, for each", "µs", 0.06, |run| {
        large::per_message(run, "SEARCH UNSEEN", 50)
    }),
    row("large-subject", "SEARCH SUBJECT, for each", "µs", 0.2, |run| {
        large::per_message(run, "SEARCH SUBJECT nowhere", 5)
    }),
    row("large-text", "SEARCH TEXT, for each", "µs", 0.2, |run| {
        large::per_message(run, "SEARCH TEXT nowhere", 1)
    }),
    row("large-visit", "the visit, to a mailbox of 100,000", "ms", 0.8, large::visits),
    row("large-store", "the slowest delivery while STORE changes 100,000", "ms", 50.0, |run| {
        large::delivery_beside_store(run)
    }),
];

const fn row(
    key: &'static str,
    title: &'static str,
    unit: &'static str,
    target: f64,
    measure: fn(&mut Run<'_>) -> io::Result<Figure>,
) -> Row {
    Row { key, title, unit, target, measure }
}

/// Messages in the mailbox that is read.
const MAILBOX: usize = 5_000;
/// After this, what a client left behind is packed.
const RESTED: Duration = Duration::from_secs(25);
/// Clients that wait.
const IDLERS: usize = 1_000;
/// The login of the one who reads; the others' mail goes to `friend`.
const READER: &str = "user";
const READER_LOCALPART: &str = "user";
const MILLISECOND: Duration = Duration::from_millis(1);
const MICROSECOND: Duration = Duration::from_micros(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_their_size_and_keys_are_names() {
        for bytes in [2 << 10, 100 << 10] {
            let letter = letter(bytes);
            assert!(letter.len() <= bytes + 3 && letter.len() > bytes - 80, "{}", letter.len());
        }
        let mut keys: Vec<_> = ROWS.iter().map(|row| row.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), ROWS.len());
    }
}
