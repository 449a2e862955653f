//! `pillarbox backup`.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use pillarbox_store::OpenError;
use pillarbox_store::backup::{How, Made, Progress as Come, backup};

use super::Trouble;
use super::place::Place;
use super::progress::{Progress, bar};
use super::table::{self, count, size};
use crate::control;
use crate::control::wire::Request;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct BackupArgs {
    /// The folder to make. It must not be there yet.
    to: PathBuf,
    /// Copy large messages also where they could be linked: for a copy on the same disk that is
    /// to live on when files of the original are damaged.
    #[arg(long)]
    copy: bool,
    #[command(flatten)]
    place: Place,
}

const HELP: &str = "\
The copy is the server's data folder as it was at one moment: accounts, passwords' keys,
mail, flags and UIDs. The server goes on meanwhile; nothing of it waits. Where the copy
lies on the same file system, large messages (over 64 KiB) are linked and take no room.
The folder has its name only once all of it is on the disk; until then it is called
NAME.partial, and one that was interrupted is made anew by the next backup to the same
place.

The configuration and the keys of TLS are not in it: copy them beside it. Whoever has
the copy can read all mail.

To check it:      pillarbox verify --dir BACKUP
To go back to it: stop the server, put the folder in the place of the old one, start the server. Its
owner must be the server's user. docs/backup.md says more.

Examples:
  pillarbox backup --config /etc/pillarbox/pillarbox.toml /backup/mail-$(date +%F)
  pillarbox backup --dir /var/lib/pillarbox /mnt/usb/mail";

pub(super) fn run(args: &BackupArgs) -> Result<(), Trouble> {
    let from = args.place.data()?;
    let mut progress = Progress::new();
    let mut tell = |come| match come {
        Come::Database { done, all } => progress.show(|| bar(done, all, "database")),
        Come::Bodies { done, all } => progress.show(|| bar(done, all, "large messages")),
        Come::Missing(handle) => {
            progress.clear();
            table::note(&format!("file {handle}: missing or of wrong size"));
        }
    };
    let (made, holder) = copy(&from, &args.to, args.copy, &mut tell)?;
    drop(progress);
    let Made { database, files, bytes, linked, missing } = made;
    let how = if linked > 0 { "linked" } else { "copied" };
    table::print(&format!(
        "{}: database {}, {} with {} {how}\n",
        args.to.display(),
        size(database),
        count(files, "file"),
        size(bytes)
    ))?;
    if missing > 0 {
        return Err(Trouble::Failed(if holder.is_some_and(|stream| is_gone(&stream)) {
            format!(
                "{} is not whole: the server ended while it was made; remove it and make another",
                args.to.display()
            )
        } else {
            format!(
                "{} of the store are missing, there and so in the copy: look at {}",
                count(missing, "file"),
                "`pillarbox verify`"
            )
        }));
    }
    Ok(())
}

/// Copies, with the running server's help where there is one: the stream by which it helps.
fn copy(
    from: &Path,
    to: &Path,
    copy_files: bool,
    tell: &mut dyn FnMut(Come),
) -> Result<(Made, Option<UnixStream>), String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let holder = control::connect(from).ok();
        if let Some(stream) = &holder {
            control::exchange(stream, Request::HoldBodies, &mut |_| {})?;
        }
        match backup(from, to, How { running: holder.is_some(), copy_files }, tell) {
            Ok(made) => return Ok((made, holder)),
            // A server on its way up or down, or another command: neither takes long.
            Err(OpenError::InUse(dir)) if dir == from && Instant::now() < until => {
                thread::sleep(PAUSE);
            }
            Err(error) => return Err(explain(error, from, to)),
        }
    }
}

fn explain(error: OpenError, from: &Path, to: &Path) -> String {
    match error {
        OpenError::InUse(dir) if dir == from => format!(
            "{} is in use, and who uses it does not answer: wait for `pillarbox verify` or another \
             command there to end",
            dir.display()
        ),
        OpenError::InUse(_) => format!("another backup to {} is under way", to.display()),
        OpenError::Io(path, error) if error.kind() == io::ErrorKind::AlreadyExists => format!(
            "{} is there already: name a folder that is not, such as {}",
            path.display(),
            path.join("mail").display()
        ),
        OpenError::Io(path, error) if path.starts_with(from) => format!(
            "cannot read {}: {error}; name the server by --config FILE or --dir DIR",
            path.display()
        ),
        error => error.to_string(),
    }
}

/// Whether the server at the other end has ended.
fn is_gone(stream: &UnixStream) -> bool {
    let probed = stream.set_nonblocking(true).and_then(|()| {
        let mut stream = stream;
        io::Read::read(&mut stream, &mut [0])
    });
    !matches!(probed, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// As for other commands (`control/reach.rs`).
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);
