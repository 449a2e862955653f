//! Messages out of a maildir.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use pillarbox_core::archive::Marks;
use pillarbox_core::archive::lines::ToCrlf;
use pillarbox_core::archive::maildir::{Keywords, Name};

use super::import::{BATCH_BYTES_MAX, BATCH_MAX, Importer, Key, PIECE, cannot_read, row};
use crate::control::payload::Sink;

/// A message's file.
struct Letter {
    path: PathBuf,
    key: [u8; 16],
    marks: Marks,
}

/// A message that is going to be sent.
struct Open {
    file: File,
    letter: Letter,
    date: i64,
}

/// Imports one folder. A message is known by the part of its name that does not change.
pub(super) fn import(importer: &mut Importer, folder: &Path, mailbox: &str) -> Result<(), String> {
    let keywords = fs::read(folder.join("dovecot-keywords")).unwrap_or_default();
    let keywords = Keywords::read(&String::from_utf8_lossy(&keywords));
    let entries = |name: &str| match fs::read_dir(folder.join(name)) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot_read(&folder.join(name), &error)),
    };
    let mut all = 0;
    for name in ["new", "cur"] {
        all += entries(name)?.map_or(0, Iterator::count) as u64;
    }
    let mut done = 0;
    for name in ["new", "cur"] {
        let Some(entries) = entries(name)? else { continue };
        let mut batch = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| cannot_read(&folder.join(name), &error))?;
            done += 1;
            let file_name = entry.file_name();
            let file_name = file_name.to_string_lossy();
            let Some(read) = Name::read(&file_name) else { continue };
            let mut key = Key::new("maildir", mailbox);
            key.push(read.unique.as_bytes());
            let marks = read.marks(&keywords);
            batch.push(Letter { path: entry.path(), key: key.finish(), marks });
            if batch.len() == BATCH_MAX {
                flush(importer, mailbox, std::mem::take(&mut batch))?;
                importer.show(done, all);
            }
        }
        flush(importer, mailbox, batch)?;
        importer.show(done, all);
    }
    Ok(())
}

/// Sends those that have not come yet.
fn flush(importer: &mut Importer, mailbox: &str, batch: Vec<Letter>) -> Result<(), String> {
    if batch.is_empty() {
        return Ok(());
    }
    // One that is moved from `new` to `cur` while we read is seen twice.
    let wanted = importer.meet(true, batch.iter().map(|letter| letter.key).collect())?;
    let (mut open, mut bytes) = (Vec::new(), 0);
    for (letter, _) in batch.into_iter().zip(wanted).filter(|(_, wanted)| *wanted) {
        let found = File::open(&letter.path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = match found {
            Ok((metadata, file)) if metadata.is_file() => (metadata, file),
            // A folder, or the like.
            Ok(_) => continue,
            Err(error) => {
                importer.unread += 1;
                importer.note(&cannot_read(&letter.path, &error));
                continue;
            }
        };
        if bytes + metadata.len() > BATCH_BYTES_MAX && !open.is_empty() {
            send(importer, mailbox, std::mem::take(&mut open))?;
            bytes = 0;
        }
        bytes += metadata.len();
        open.push(Open { file, letter, date: metadata.mtime() });
    }
    send(importer, mailbox, open)
}

/// Sends messages; one that cannot be read to its end is left out, and the others are sent anew.
fn send(importer: &mut Importer, mailbox: &str, mut open: Vec<Open>) -> Result<(), String> {
    while !open.is_empty() {
        let rows = open.iter().map(|open| row(open.letter.marks.clone(), open.date)).collect();
        let (mut bad, mut nuls) = (None, 0);
        let mut fill = |sink: &mut dyn Sink| {
            for (at, open) in open.iter_mut().enumerate() {
                match copy(&mut open.file, sink)? {
                    Ok(with_nuls) => nuls += u64::from(with_nuls),
                    Err(error) => {
                        bad = Some(at);
                        return Ok(Err(cannot_read(&open.letter.path, &error)));
                    }
                }
                sink.end(open.letter.key)?;
            }
            Ok(Ok(()))
        };
        let sent = importer.send(mailbox, true, rows, &mut fill);
        match (sent, bad) {
            (Err(why), Some(at)) => {
                importer.unread += 1;
                importer.note(&why);
                open.remove(at);
                for open in &mut open {
                    io::Seek::rewind(&mut open.file)
                        .map_err(|error| cannot_read(&open.letter.path, &error))?;
                }
            }
            (sent, _) => {
                importer.nuls += nuls;
                return sent;
            }
        }
    }
    Ok(())
}

/// The file's bytes with the line ends of mail; says whether there was a NUL. The outer error is the
/// sink's.
fn copy(file: &mut File, sink: &mut dyn Sink) -> io::Result<io::Result<bool>> {
    let (mut lines, mut piece, mut out) = (ToCrlf::default(), vec![0; PIECE], Vec::new());
    loop {
        let count = match file.read(&mut piece) {
            Ok(0) => return Ok(Ok(lines.nuls > 0)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Err(error)),
        };
        out.clear();
        lines.push(piece.get(..count).unwrap_or_default(), &mut out);
        sink.piece(&out)?;
    }
}
