//! Rows about mailboxes of very many messages: what a message or a command costs must not grow.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Imap, Smtp};
use crate::work::{Beside, Figure, Run, deliver_behind, letter, to_f64};

/// Messages in the large mailbox.
pub(crate) const LARGE: usize = 100_000;
/// Whose it is.
const OWNER: &str = "friend";

/// A session on a mailbox of [`LARGE`] messages of 2 KiB, and how many there are.
fn reader(run: &Run<'_>) -> io::Result<(Imap, usize)> {
    deliver_behind(run, LARGE, 0)?;
    let mut imap = Imap::connect(run.server.imap, None)?;
    imap.open(OWNER)?;
    let count = imap.count("INBOX")?;
    imap.command("SELECT INBOX")?;
    Ok((imap, count))
}

/// One command again and again; the cost of each message in µs.
pub(crate) fn per_message(run: &Run<'_>, command: &str, times: usize) -> io::Result<Figure> {
    let (mut imap, count) = reader(run)?;
    imap.command(command)?;
    let (cpu, _) = run.charge(|| (0..times).try_for_each(|_| imap.command(command).map(drop)))?;
    let cost = cpu.as_secs_f64() * 1e6 / to_f64(times * count);
    Ok(Figure { cost, beside: Beside::Nothing })
}

/// One message a command; the cost of each command in µs.
pub(crate) fn one_by_one(run: &mut Run<'_>) -> io::Result<Figure> {
    let (mut imap, count) = reader(run)?;
    let times = run.times(5_000);
    let (cpu, _) = run.charge(|| {
        (0..times).try_for_each(|turn| {
            // All over the mailbox.
            let number = 1 + turn * (count / times).max(1) % count.max(1);
            imap.command(&format!("FETCH {number} BODY.PEEK[]")).map(drop)
        })
    })?;
    Ok(Figure { cost: cpu.as_secs_f64() * 1e6 / to_f64(times), beside: Beside::Nothing })
}

/// What a phone does when it comes by.
pub(crate) fn visits(run: &mut Run<'_>) -> io::Result<Figure> {
    drop(reader(run)?);
    run.repeat(1, run.times(50), Duration::from_millis(1), |each| {
        (0..each).try_for_each(|_| {
            let mut imap = Imap::connect(run.server.imap, None)?;
            imap.open(OWNER)?;
            imap.command("FETCH 1:50 (UID FLAGS RFC822.SIZE)")?;
            imap.command("STORE 1 +FLAGS (\\Seen)")?;
            imap.command("NOOP")?;
            imap.command("LOGOUT").map(drop)
        })
    })
}

/// How long the slowest delivery takes, in ms, while all flags of the mailbox are changed.
pub(crate) fn delivery_beside_store(run: &mut Run<'_>) -> io::Result<Figure> {
    let (mut imap, _) = reader(run)?;
    let done = AtomicBool::new(false);
    let begun = Instant::now();
    let slowest = thread::scope(|scope| {
        let storing = scope.spawn(|| {
            let stored = ["+", "-"].into_iter().try_for_each(|sign| {
                imap.command(&format!("STORE 1:* {sign}FLAGS.SILENT (\\Flagged)")).map(drop)
            });
            done.store(true, Ordering::Release);
            stored
        });
        let mut smtp = Smtp::connect(run.server.smtp)?;
        let mut slowest = Duration::ZERO;
        while !done.load(Ordering::Acquire) {
            let sent = Instant::now();
            smtp.send(&format!("user@{}", run.server.domain), &letter(2 << 10))?;
            slowest = slowest.max(sent.elapsed());
        }
        let stored = storing.join().map_err(|_| io::Error::other("a client has panicked"))?;
        stored.map(|()| slowest)
    })?;
    let cost = slowest.as_secs_f64() * 1e3;
    Ok(Figure { cost, beside: Beside::Took(begun.elapsed()) })
}
