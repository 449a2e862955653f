//! What the store costs: processor time per message delivered and per message listed.
//!
//! `cargo run --release -p pillarbox-store --example measure [DIR]`

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pillarbox_core::UnixSeconds;
use pillarbox_store::{
    AccountId, Flags, Found, MailboxId, NewBody, Options, Place, Read, Recipient, Store, Sync,
    UidRange, What, Write, Writer, Written,
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
    list(&dir.join("Off-8192-10"))
}

/// Delivers letters of 2 KiB in batches; a checkpoint where one is due, as a server would.
fn deliver(dir: &Path, sync: Sync, page_size: u32, batch: usize) -> Outcome<()> {
    let store = Store::open(dir, &Options { sync, page_size, ..Options::default() })?;
    let mut writer = store.writer()?;
    let (account, messages) = (create(&mut writer)?, 6_000);
    let (start, cpu) = (Instant::now(), cpu()?);
    let mut checkpoints = Duration::ZERO;
    for _ in 0..messages / batch {
        let jobs = (0..batch).map(|_| letter(account)).collect();
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

fn letter(account: AccountId) -> Write {
    let prefix = vec![b'r'; 250];
    let recipient =
        Recipient { account, into: Place::Inbox, prefix, flags: Flags::NONE, alias: None };
    Write::Deliver {
        recipients: vec![recipient],
        body: NewBody::Inline(LETTER.repeat(8).into_bytes()),
        received: UnixSeconds(1_790_000_000),
    }
}

/// An eighth of a letter: its header is that of the whole.
const LETTER: &str = "From: Ann Example <ann@example.org>\r\nTo: bob@example.org\r\n\
    Subject: A letter of two kibibytes\r\nDate: Tue, 1 Dec 2026 00:00:00 +0000\r\n\
    Message-ID: <1234567890.abcdef@example.org>\r\nMIME-Version: 1.0\r\n\r\n\
    Dear Bob, this is what there is to say\r\n";

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
