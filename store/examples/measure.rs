//! What the store costs: processor time per message delivered and per message listed.
//!
//! `cargo run --release -p pillarbox-store --example measure [DIR]`

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::command::SearchKey;
use pillarbox_core::imap::flags::Keywords;
use pillarbox_core::imap::search::Search;
use pillarbox_core::imap::view::View;
use pillarbox_store::{
    AccountId, Flags, Found, Leaving, MailboxId, NewBody, Options, Place, Read, Recipient, Store,
    Sync, UidRange, What, Write, Writer, Written,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let base = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = base.join(format!("pillarbox-measure-{}", std::process::id()));
    let outcome = measure(&dir);
    fs::remove_dir_all(&dir)?;
    outcome
}

fn measure(dir: &Path) -> Outcome<()> {
    for sync in [Sync::Off, Sync::Full] {
        for page_size in [4096, 8192] {
            for batch in [1, 10] {
                let dir = dir.join(format!("{sync:?}-{page_size}-{batch}"));
                deliver(&dir, sync, page_size, batch)?;
            }
        }
    }
    list(&dir.join("Off-8192-10"))?;
    index(&dir.join("Off-8192-10"))
}

/// Delivers letters of 2 KiB in batches; a checkpoint where one is due, as a server would.
fn deliver(dir: &Path, sync: Sync, page_size: u32, batch: usize) -> Outcome<()> {
    let store = Store::open(dir, &Options { sync, page_size, ..Options::default() })?;
    let mut writer = store.writer()?;
    let (account, messages) = (create(&mut writer)?, 6_000);
    let (start, cpu) = (Instant::now(), cpu()?);
    let mut checkpoints = Duration::ZERO;
    for round in 0..messages / batch {
        let jobs = (0..batch).map(|at| letter(account, round * batch + at)).collect();
        for answer in writer.commit(jobs) {
            answer?;
        }
        if writer.checkpoint_due() {
            let before = Instant::now();
            store.checkpoint()?;
            checkpoints += before.elapsed();
        }
    }
    println!(
        "deliver 2 KiB, sync {sync:?}, pages of {page_size}, batches of {batch}: {:.1} us CPU, \
         {:.1} us in all (of them {:.1} for checkpoints), {} bytes of database a message",
        per(self::cpu()? - cpu, messages),
        per(start.elapsed(), messages),
        per(checkpoints, messages),
        fs::metadata(dir.join("pillarbox.db"))?.len() / u64::try_from(messages)?,
    );
    Ok(())
}

/// Lists and reads the 6,000 messages that were delivered there.
fn list(dir: &Path) -> Outcome<()> {
    let store = Store::open(dir, &Options::default())?;
    let mut reader = store.reader()?;
    let by = AccountId(1);
    let mailbox = match reader.read(Read::MailboxByName { account: by, name: "INBOX".into() })? {
        Found::Mailbox(info) => info.id,
        other => return Err(format!("{other:?}").into()),
    };
    let text = What::Text { each_max: 1 << 16, all_max: 1 << 20 };
    let jobs: [(&str, Read); 5] = [
        ("select", Read::Select { by, mailbox, since: None }),
        ("facts", messages(by, mailbox, What::Facts)),
        ("digests", messages(by, mailbox, What::Digest)),
        ("text, up to 1 MiB at once", messages(by, mailbox, text)),
        ("changes since 0", Read::Changes { by, mailbox, since: 0 }),
    ];
    for (name, job) in jobs {
        let mut told = 0;
        let cpu = cpu()?;
        for _ in 0..100 {
            told += match reader.read(job.clone())? {
                Found::Selected(selected) => usize::try_from(selected.status.messages)?,
                Found::Messages(found) => found.messages.len(),
                Found::Changes(changes) => changes.new.len(),
                other => return Err(format!("{other:?}").into()),
            };
        }
        println!("{name}: {:.3} us CPU a message", per(self::cpu()? - cpu, told));
    }
    one_by_one(&mut reader, by, mailbox)
}

fn one_by_one(
    reader: &mut pillarbox_store::Reader,
    by: AccountId,
    mailbox: MailboxId,
) -> Outcome<()> {
    let cpu = cpu()?;
    for uid in 1..=5_000 {
        let (offset, count, also_expunged) = (0, 1 << 16, false);
        reader.read(Read::Bytes { by, mailbox, uid, offset, count, also_expunged })?;
    }
    println!("bytes, one message a job: {:.3} us CPU", per(self::cpu()? - cpu, 5_000));
    let cpu = self::cpu()?;
    for _ in 0..5_000 {
        reader.read(Read::Status { by, mailbox })?;
    }
    println!("status: {:.3} us CPU", per(self::cpu()? - cpu, 5_000));
    Ok(())
}

fn messages(by: AccountId, mailbox: MailboxId, what: What) -> Read {
    let (uids, after, count_max) = (vec![UidRange::ALL], 0, 5_000);
    Read::Messages { by, mailbox, uids, after, count_max, what, also_expunged: false }
}

fn create(writer: &mut Writer) -> Outcome<AccountId> {
    let job = Write::CreateAccount { name: "ann".into(), now: UnixSeconds(1_790_000_000) };
    match writer.commit(vec![job]).remove(0)? {
        Written::Account(account) => Ok(account),
        other => Err(format!("{other:?}").into()),
    }
}

fn letter(account: AccountId, number: usize) -> Write {
    let prefix = vec![b'r'; 250];
    let recipient =
        Recipient { account, into: Place::Inbox, prefix, flags: Flags::NONE, alias: None };
    Write::Deliver {
        recipients: vec![recipient],
        body: NewBody::Inline(text(number)),
        leaving: Leaving::default(),
        received: UnixSeconds(1_790_000_000),
    }
}

/// A letter of 2 KiB, with words of a language of some thousand words.
#[expect(clippy::indexing_slicing, reason = "by a remainder of the length")]
fn text(number: usize) -> Vec<u8> {
    let mut text = format!(
        "From: Ann Example <ann@example.org>\r\nTo: bob@example.org\r\n\
         Subject: Letter number {number} of many\r\nDate: Tue, 1 Dec 2026 00:00:00 +0000\r\n\
         Message-ID: <{number}.abcdef@example.org>\r\nMIME-Version: 1.0\r\n\r\n"
    );
    let mut state = u32::try_from(number).unwrap_or(0);
    let mut draw = |from: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % from
    };
    while text.len() < 2_048 {
        let mut word = draw(4_000) + 17;
        while word > 0 {
            text.push(char::from(b"etaoinshrdlucmfw"[word as usize % 16]));
            text.push(char::from(b"aeiou"[(word / 16) as usize % 5]));
            word /= 61;
        }
        text.push_str(if draw(12) == 0 { "\r\n" } else { " " });
    }
    text.into_bytes()
}

/// Indexes what was delivered there, and asks for it.
fn index(dir: &Path) -> Outcome<()> {
    let store = Store::open(dir, &Options::default())?;
    let (mut indexer, mut reader) = (store.indexer()?, store.reader()?);
    let (before, written) = (cpu()?, written()?);
    let mut docs = 0;
    loop {
        match indexer.step()? {
            0 => break,
            count => docs += count,
        }
    }
    println!(
        "index: {:.1} us CPU, {} bytes written, {} bytes kept a message",
        per(cpu()? - before, docs),
        (self::written()? - written) / u64::try_from(docs)?,
        fs::metadata(dir.join("index.db"))?.len() / u64::try_from(docs)?,
    );
    let by = AccountId(1);
    let mailbox = MailboxId(1);
    for term in ["number 1234 of", "number 123", "xyz", "eta", "shall not be found"] {
        let key = SearchKey::Text(term.into());
        let view = View::new([1], 1);
        let search = Search::new(&key, &view, &Keywords::new([""; 0]), UnixSeconds(0));
        let before = cpu()?;
        let mut told = None;
        for _ in 0..100 {
            let filter = search.filter();
            let Found::Candidates(found) = reader.read(Read::Candidates { by, mailbox, filter })?
            else {
                return Err("no candidates".into());
            };
            told = found.map(|ranges| ranges.iter().map(|r| r.last - r.first + 1).sum::<u32>());
        }
        println!("index, {term:?}: {:.1} us CPU, {told:?} of {docs}", per(cpu()? - before, 100));
    }
    Ok(())
}

/// What this process has had written to disks.
fn written() -> Outcome<u64> {
    let io = fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).ok_or("no io")?;
    Ok(line.parse()?)
}

/// Processor time of this process until now, in the kernel and out of it.
fn cpu() -> Outcome<Duration> {
    // Nanoseconds on the processor, of this process's one thread (proc(5), schedstat).
    let stat = fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = stat.split_whitespace().next().ok_or("empty")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn per(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX))
}
