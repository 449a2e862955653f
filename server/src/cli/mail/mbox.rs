//! Messages out of an mbox.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use pillarbox_core::archive::Marks;
use pillarbox_core::archive::from_line::FromLine;
use pillarbox_core::archive::lines::ToCrlf;
use pillarbox_core::archive::mbox::{Piece, Quoting, Reader};
use pillarbox_core::archive::status;

use super::import::{BATCH_BYTES_MAX, BATCH_MAX, Importer, Key, PIECE, cannot_read, row};
use crate::control::payload::Sink;
use crate::control::wire::mail::MessageRow;

/// Imports one file. A message is known by all of it, but for its flags.
pub(super) fn import(
    importer: &mut Importer,
    path: &Path,
    mailbox: &str,
    quoting: Quoting,
) -> Result<(), String> {
    let mut source = Source::open(path, quoting)?;
    let (mut batch, mut bytes, mut letter) = (Vec::new(), 0, None);
    while let Some(piece) = source.next()? {
        match piece {
            Piece::Begin(from) => letter = Some(Letter::new(from)),
            Piece::Bytes(more) => {
                let Some(begun) = &mut letter else { continue };
                begun.push(&more);
                if begun.text.len() > LARGE
                    && let Some(begun) = letter.take()
                {
                    flush(importer, mailbox, std::mem::take(&mut batch))?;
                    bytes = 0;
                    large(importer, mailbox, begun, &mut source)?;
                }
            }
            Piece::End => {
                let Some(whole) = letter.take().and_then(|letter| letter.finish(mailbox)) else {
                    continue;
                };
                importer.nuls += u64::from(whole.nuls);
                bytes += whole.text.len() as u64;
                batch.push(whole);
                if batch.len() == BATCH_MAX || bytes > BATCH_BYTES_MAX {
                    flush(importer, mailbox, std::mem::take(&mut batch))?;
                    bytes = 0;
                }
            }
        }
        importer.show(source.read, source.size);
    }
    flush(importer, mailbox, batch)
}

/// A larger message is not held, but sent while it is read.
const LARGE: usize = 1 << 20;

/// The file and what was found in it.
struct Source {
    path: PathBuf,
    file: Box<dyn Read>,
    reader: Option<Reader>,
    found: VecDeque<Piece>,
    buffer: Vec<u8>,
    read: u64,
    /// 0 where nobody knows.
    size: u64,
}

impl Source {
    fn open(path: &Path, quoting: Quoting) -> Result<Self, String> {
        let (file, size): (Box<dyn Read>, u64) = if path == Path::new("-") {
            (Box::new(io::stdin().lock()), 0)
        } else {
            let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
            let size = file.metadata().map_or(0, |metadata| metadata.len());
            (Box::new(file), size)
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            reader: Some(Reader::new(quoting)),
            found: VecDeque::new(),
            buffer: vec![0; PIECE],
            read: 0,
            size,
        })
    }

    fn next(&mut self) -> Result<Option<Piece>, String> {
        while self.found.is_empty() {
            let Some(reader) = &mut self.reader else { return Ok(None) };
            let mut found = Vec::new();
            let read = match self.file.read(&mut self.buffer) {
                Ok(0) => {
                    let reader = self.reader.take();
                    reader.map_or(Ok(()), |reader| reader.finish(&mut found))
                }
                Ok(count) => {
                    self.read += count as u64;
                    reader.push(self.buffer.get(..count).unwrap_or_default(), &mut found)
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let why = cannot_read(&self.path, &error);
                    return Err(format!("{why}, after {} bytes", self.read));
                }
            };
            read.map_err(|_| {
                format!(
                    "{} is no mbox: it does not begin with a line like `From alice@example.org \
                     Thu Mar  4 05:06:07 2021`",
                    self.path.display()
                )
            })?;
            self.found.extend(found);
        }
        Ok(self.found.pop_front())
    }
}

/// A message as far as it was read.
struct Letter {
    from: FromLine,
    lines: ToCrlf,
    text: Vec<u8>,
}

/// A message that was read.
struct Whole {
    key: [u8; 16],
    row: MessageRow,
    text: Vec<u8>,
    nuls: bool,
}

impl Letter {
    fn new(from: FromLine) -> Self {
        Self { from, lines: ToCrlf::default(), text: Vec::new() }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.lines.push(bytes, &mut self.text);
    }

    /// The flags out of the header. `None` for a server's own note.
    fn marks(&mut self) -> Option<Marks> {
        let end = if self.text.starts_with(b"\r\n") {
            0
        } else {
            let end = memchr::memmem::find(&self.text, b"\r\n\r\n").map(|at| at + 2);
            // Without one all of it is header, if it is not too long for that.
            end.unwrap_or(if self.text.len() > LARGE { 0 } else { self.text.len() })
        };
        let header = self.text.get(..end).unwrap_or_default();
        if status::is_internal(header) {
            return None;
        }
        let (marks, rest) = status::take(header);
        if rest.len() < end {
            self.text.splice(..end, rest);
        }
        Some(marks)
    }

    /// A key that knows the message so far.
    fn key(&self, mailbox: &str) -> Key {
        let mut key = Key::new("mbox", mailbox);
        key.push(format!("{}\0{}\0", self.from.sender, self.from.date.0).as_bytes());
        key.push(&self.text);
        key
    }

    fn finish(mut self, mailbox: &str) -> Option<Whole> {
        let row = row(self.marks()?, self.from.date.0);
        let key = self.key(mailbox).finish();
        Some(Whole { key, row, text: self.text, nuls: self.lines.nuls > 0 })
    }
}

/// Sends those that have not come yet.
fn flush(importer: &mut Importer, mailbox: &str, batch: Vec<Whole>) -> Result<(), String> {
    if batch.is_empty() {
        return Ok(());
    }
    let wanted = importer.meet(false, batch.iter().map(|whole| whole.key).collect())?;
    let batch = batch.into_iter().zip(wanted).filter(|(_, wanted)| *wanted);
    let batch: Vec<Whole> = batch.map(|(whole, _)| whole).collect();
    let rows = batch.iter().map(|whole| whole.row.clone()).collect();
    let mut fill = |sink: &mut dyn Sink| {
        for whole in &batch {
            sink.piece(&whole.text)?;
            sink.end(whole.key)?;
        }
        Ok(Ok(()))
    };
    importer.send(mailbox, true, rows, &mut fill)
}

/// Sends a message of which only the beginning was read.
fn large(
    importer: &mut Importer,
    mailbox: &str,
    mut letter: Letter,
    source: &mut Source,
) -> Result<(), String> {
    // No server's note is so long.
    let row = row(letter.marks().unwrap_or_default(), letter.from.date.0);
    let mut key = letter.key(mailbox);
    let mut nuls = false;
    let mut fill = |sink: &mut dyn Sink| {
        sink.piece(&letter.text)?;
        let (mut lines, mut out) = (letter.lines, Vec::new());
        loop {
            match source.next() {
                Ok(Some(Piece::Bytes(more))) => {
                    out.clear();
                    lines.push(&more, &mut out);
                    key.push(&out);
                    sink.piece(&out)?;
                }
                Ok(_) => break,
                Err(why) => return Ok(Err(why)),
            }
        }
        nuls = lines.nuls > 0;
        sink.end(key.clone().finish())?;
        Ok(Ok(()))
    };
    importer.send(mailbox, false, vec![row], &mut fill)?;
    importer.nuls += u64::from(nuls);
    Ok(())
}
