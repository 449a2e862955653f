//! `pillarbox mail export`.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use pillarbox_core::archive::Marks;
use pillarbox_core::archive::from_line::FromLine;
use pillarbox_core::archive::lines::{Evenness, ToLf};
use pillarbox_core::archive::maildir::{Keywords, letters};
use pillarbox_core::archive::{mbox, status};
use pillarbox_core::imap::name::MailboxName;
use pillarbox_store::{
    AccountId, Facts, Flags, Found, MailboxId, MailboxInfo, Message, Read, Reader, Selected,
    StoreError, UidRange, What,
};

use super::Format;
use super::folders::{maildir_path, mbox_path};
use crate::cli::Trouble;
use crate::cli::place::{self, Place};
use crate::cli::progress::{Progress, bar};
use crate::cli::table::{self, count};

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct ExportArgs {
    /// The account's name or one of its addresses.
    account: String,
    /// The folder to write into; made if it is not there.
    path: PathBuf,
    /// What the files are to be.
    #[arg(long, value_enum, default_value = "maildir")]
    format: Format,
    /// Only this mailbox; may be given several times.
    #[arg(long = "mailbox", value_name = "NAME")]
    mailboxes: Vec<String>,
    #[command(flatten)]
    place: Place,
}

const HELP: &str = "\
A maildir has the form that Dovecot and Courier read (Maildir++): INBOX at its top, the mailbox A/B in
the folder .A.B; flags in the names of the files, keywords in dovecot-keywords (26 at most), the dates
of arrival as times of the files. As mbox the mailbox A/B is the file A/B.mbox (mboxrd), with the flags
in Status, X-Status and X-Keywords, which stand first in each message. Lines end with LF.

An export that was interrupted goes on when it is repeated. Repeated later, it brings new messages and
flags into a maildir; an mbox that is complete is left as it is. Nothing is ever removed.

`pillarbox mail import` reads the files as they were: the same bytes, flags and dates. (Except that in
an mbox the last line of a message always has an end.)

Examples:
  pillarbox mail export alice@example.org /tmp/alice
  pillarbox mail export alice --format mbox --mailbox Sent --mailbox INBOX /tmp/alice
  pillarbox export accounts.toml            # domains and accounts, without mail";

pub(super) fn run(args: &ExportArgs) -> Result<(), Trouble> {
    if args.format == Format::Mboxo {
        return Err(Trouble::Usage("an export is maildir or mbox".into()));
    }
    let mut hand = args.place.reach()?;
    let login = place::account(&mut hand, &args.account)?.name;
    let (reader, _server) = hand.reader()?;
    let mut exporter = Exporter { reader, account: AccountId(0), written: 0, kept: 0, lost: 0 };
    exporter.account = match exporter.read(Read::Credentials { login: login.clone() })? {
        Found::Credentials(found) => found.account,
        _ => return Err(place::astray().into()),
    };
    let account = exporter.account;
    let Found::Mailboxes(mut mailboxes) = exporter.read(Read::Mailboxes { account })? else {
        return Err(place::astray().into());
    };
    for name in &args.mailboxes {
        let known = MailboxName::new(name.as_str())
            .is_ok_and(|name| mailboxes.iter().any(|info| info.name == name.as_str()));
        if !known {
            return Err(Trouble::Failed(format!("{login} has no mailbox `{name}`")));
        }
    }
    let asked = |info: &MailboxInfo| {
        args.mailboxes.is_empty()
            || args.mailboxes.iter().any(|name| {
                MailboxName::new(name.as_str()).is_ok_and(|name| name.as_str() == info.name)
            })
    };
    mailboxes.retain(asked);
    let mut progress = Progress::new();
    for (number, info) in (1..).zip(&mailboxes) {
        let stage = format!("{} ({number} of {})", info.name, mailboxes.len());
        exporter.mailbox(info, args, &mut |done, all| progress.show(|| bar(done, all, &stage)))?;
    }
    sync(&args.path)?;
    drop(progress);
    let Exporter { written, kept, lost, .. } = exporter;
    let kept = match kept {
        0 => String::new(),
        number => format!("; {} was there already", count(number, "message or mbox")),
    };
    let what =
        format!("{} from {}", count(written, "message"), count(mailboxes.len() as u64, "mailbox"));
    table::print(&format!("{}: {what}{kept}\n", args.path.display()))?;
    if lost > 0 {
        table::note(&format!(
            "{} left out: a maildir has letters for 26 in each folder",
            count(lost, "keyword")
        ));
    }
    Ok(())
}

/// Once for all: an export is repeated if the power goes meanwhile.
fn sync(path: &Path) -> Result<(), String> {
    let fault = |error: io::Error| cannot_write(path, &error);
    let folder = File::open(path).map_err(fault)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&folder).map_err(|error| fault(error.into()))?;
    folder.sync_all().map_err(fault)
}

fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

/// An export under way.
struct Exporter {
    reader: Reader,
    account: AccountId,
    written: u64,
    kept: u64,
    /// Keywords for which there was no letter.
    lost: u64,
}

/// A mailbox that is written.
struct Source<'a> {
    id: MailboxId,
    selected: &'a Selected,
}

impl Exporter {
    fn read(&mut self, question: Read) -> Result<Found, String> {
        self.reader.read(question).map_err(|error| error.to_string())
    }

    fn mailbox(
        &mut self,
        info: &MailboxInfo,
        args: &ExportArgs,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<(), String> {
        let name = MailboxName::new(info.name.as_str())
            .map_err(|error| format!("mailbox `{}`: {error}", info.name))?;
        let question = Read::Select { by: self.account, mailbox: info.id, since: None };
        let Found::Selected(selected) = self.read(question)? else { return Err(place::astray()) };
        let source = Source { id: info.id, selected: &selected };
        let (path, mut to) = match args.format {
            Format::Maildir => {
                let path = args.path.join(maildir_path(&name));
                let to = Folder::open(&path).map_err(|error| cannot_write(&path, &error))?;
                (path, Target::Maildir(to))
            }
            Format::Mbox | Format::Mboxo => {
                let path = args.path.join(mbox_path(&name));
                if fs::symlink_metadata(&path).is_ok() {
                    self.kept += 1;
                    return Ok(());
                }
                let to = MboxFile::create(&path).map_err(|error| cannot_write(&path, &error))?;
                (path, Target::Mbox(to))
            }
        };
        self.messages(&source, &mut to, &path, tell)?;
        match to {
            Target::Maildir(folder) => {
                self.lost += folder.lost;
                Ok(())
            }
            Target::Mbox(file) => file.finish(&path).map_err(|error| cannot_write(&path, &error)),
        }
    }

    fn messages(
        &mut self,
        source: &Source<'_>,
        to: &mut Target,
        path: &Path,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<(), String> {
        let (mut after, all, mut done) = (Some(0), source.selected.status.messages, 0);
        while let Some(start) = after {
            let question = Read::Messages {
                by: self.account,
                mailbox: source.id,
                uids: vec![UidRange::ALL],
                after: start,
                count_max: PAGE,
                what: What::Text { each_max: WHOLE_MAX, all_max: PAGE_BYTES_MAX },
                also_expunged: false,
            };
            let Found::Messages(page) = self.read(question)? else { return Err(place::astray()) };
            for message in &page.messages {
                done += 1;
                tell(done, all);
                if let Target::Maildir(folder) = to {
                    match folder.has(source, &message.facts) {
                        Ok(false) => {}
                        Ok(true) => {
                            self.kept += 1;
                            continue;
                        }
                        Err(error) => return Err(cannot_write(path, &error)),
                    }
                }
                let mut text = Text { exporter: self, source, message };
                let written = match to {
                    Target::Maildir(folder) => folder.write(&mut text),
                    Target::Mbox(file) => file.write(&mut text),
                };
                match written {
                    Ok(()) => self.written += 1,
                    Err(Failed::Gone) => {}
                    Err(Failed::Read(why)) => return Err(why),
                    Err(Failed::Write(error)) => return Err(cannot_write(path, &error)),
                }
            }
            after = page.more;
        }
        Ok(())
    }
}

/// Messages in one page of answers.
const PAGE: usize = 100;
/// A larger message is read in pieces.
const WHOLE_MAX: u64 = 256 << 10;
const PAGE_BYTES_MAX: u64 = 1 << 20;
const PIECE: usize = 256 << 10;

impl Source<'_> {
    fn marks(&self, flags: Flags) -> Marks {
        let keywords = self.selected.keywords.iter();
        let keywords = keywords.filter(|keyword| flags.contains(keyword.flag()));
        Marks {
            seen: flags.contains(Flags::SEEN),
            answered: flags.contains(Flags::ANSWERED),
            flagged: flags.contains(Flags::FLAGGED),
            deleted: flags.contains(Flags::DELETED),
            draft: flags.contains(Flags::DRAFT),
            keywords: keywords.map(|keyword| keyword.name.clone()).collect(),
        }
    }
}

/// Why a message was not written.
enum Failed {
    /// Somebody has removed it meanwhile.
    Gone,
    Read(String),
    Write(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// A message on its way out.
struct Text<'a> {
    exporter: &'a mut Exporter,
    source: &'a Source<'a>,
    message: &'a Message,
}

impl Text<'_> {
    /// The message, piece by piece.
    fn each(&mut self, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), Failed> {
        if let Some(text) = &self.message.text {
            return Ok(take(text)?);
        }
        let Facts { uid, size, .. } = self.message.facts;
        let mut offset = 0;
        while offset < size {
            let question = Read::Bytes {
                by: self.exporter.account,
                mailbox: self.source.id,
                uid,
                offset,
                count: PIECE,
                also_expunged: true,
            };
            let bytes = match self.exporter.reader.read(question) {
                Ok(Found::Bytes(bytes)) if !bytes.is_empty() => bytes,
                Err(StoreError::NoSuchMessage | StoreError::NoSuchMailbox) => {
                    return Err(Failed::Gone);
                }
                Err(error) => return Err(Failed::Read(format!("message {uid}: {error}"))),
                Ok(_) => {
                    return Err(Failed::Read(format!("message {uid} is shorter than it says")));
                }
            };
            offset += bytes.len() as u64;
            take(&bytes)?;
        }
        Ok(())
    }

    /// The message with LF where that can be undone, else as it is.
    fn each_in_file(
        &mut self,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Failed> {
        let mut evenness = Evenness::default();
        self.each(&mut |bytes| {
            evenness.push(bytes);
            Ok(())
        })?;
        if !evenness.is_even() {
            return self.each(take);
        }
        let (mut lines, mut out) = (ToLf::default(), Vec::new());
        self.each(&mut |bytes| {
            out.clear();
            lines.push(bytes, &mut out);
            take(&out)
        })?;
        out.clear();
        lines.finish(&mut out);
        Ok(take(&out)?)
    }
}

enum Target {
    Maildir(Folder),
    Mbox(MboxFile),
}

/// A maildir's folder.
struct Folder {
    path: PathBuf,
    keywords: Keywords,
    /// What an export before has written, by what in its name does not change. Only where there
    /// was one: else nothing is kept for each message.
    present: HashMap<String, String>,
    lost: u64,
}

impl Folder {
    fn open(path: &Path) -> io::Result<Self> {
        for name in ["tmp", "new", "cur"] {
            fs::create_dir_all(path.join(name))?;
        }
        // Below the top of a maildir this says that it is one (Maildir++).
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            File::create(path.join("maildirfolder"))?;
        }
        let keywords = fs::read_to_string(path.join(KEYWORDS)).unwrap_or_default();
        let mut present = HashMap::new();
        for entry in fs::read_dir(path.join("cur"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some((unique, _)) = name.split_once(",S=") {
                present.insert(unique.to_owned(), name);
            }
        }
        let keywords = Keywords::read(&keywords);
        Ok(Self { path: path.to_owned(), keywords, present, lost: 0 })
    }

    /// Whether the message was written before; it gets the flags that it has now.
    fn has(&mut self, source: &Source<'_>, facts: &Facts) -> io::Result<bool> {
        let Some(before) = self.present.remove(&unique(source, facts)) else { return Ok(false) };
        let letters = self.letters(&source.marks(facts.flags))?;
        let name = before.split(":2,").next().unwrap_or_default();
        let name = format!("{name}:2,{letters}");
        if name != before {
            let folder = self.path.join("cur");
            fs::rename(folder.join(before), folder.join(name))?;
        }
        Ok(true)
    }

    fn write(&mut self, text: &mut Text<'_>) -> Result<(), Failed> {
        let facts = text.message.facts;
        let unique = unique(text.source, &facts);
        let tmp = self.path.join("tmp").join(&unique);
        let mut file = BufWriter::new(File::create(&tmp)?);
        let mut size = 0;
        let copied = text.each_in_file(&mut |bytes| {
            size += bytes.len() as u64;
            file.write_all(bytes)
        });
        if let Err(failed) = copied {
            fs::remove_file(&tmp)?;
            return Err(failed);
        }
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.set_modified(time_of(&facts))?;
        let letters = self.letters(&text.source.marks(facts.flags))?;
        let name = format!("{unique},S={size},W={}:2,{letters}", facts.size);
        fs::rename(&tmp, self.path.join("cur").join(name))?;
        Ok(())
    }

    /// The letters for these marks; what they mean is written down first.
    fn letters(&mut self, marks: &Marks) -> io::Result<String> {
        let before = self.keywords.clone();
        let (letters, lost) = letters(marks, &mut self.keywords);
        self.lost += lost.len() as u64;
        if self.keywords != before {
            fs::write(self.path.join(KEYWORDS), self.keywords.to_text())?;
        }
        Ok(letters)
    }
}

const KEYWORDS: &str = "dovecot-keywords";

/// What names a message in a maildir, whenever it is exported.
fn unique(source: &Source<'_>, facts: &Facts) -> String {
    let Facts { internaldate, uid, .. } = facts;
    format!("{}.V{}U{uid}.pillarbox", internaldate.0, source.selected.status.uidvalidity)
}

fn time_of(facts: &Facts) -> SystemTime {
    let since = Duration::from_secs(facts.internaldate.0.unsigned_abs());
    let time = if facts.internaldate.0 < 0 {
        UNIX_EPOCH.checked_sub(since)
    } else {
        UNIX_EPOCH.checked_add(since)
    };
    time.unwrap_or(UNIX_EPOCH)
}

/// An mbox that is being written; it has its name once it is complete.
struct MboxFile {
    partial: PathBuf,
    file: BufWriter<File>,
    writer: mbox::Writer,
}

impl MboxFile {
    fn create(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&partial)?;
        Ok(Self { partial, file: BufWriter::new(file), writer: mbox::Writer::default() })
    }

    fn write(&mut self, text: &mut Text<'_>) -> Result<(), Failed> {
        let begin = self.file.stream_position()?;
        let written = self.write_at_end(text);
        if written.is_err() {
            // Half a message would be the beginning of the next one.
            self.file.flush()?;
            self.file.get_ref().set_len(begin)?;
            self.file.seek(io::SeekFrom::Start(begin))?;
        }
        written
    }

    fn write_at_end(&mut self, text: &mut Text<'_>) -> Result<(), Failed> {
        let facts = text.message.facts;
        let sender = sender(text.message.text.as_deref().unwrap_or_default());
        let date = facts.internaldate;
        let mut out = Vec::new();
        self.writer.begin(&FromLine { sender, date }, &mut out);
        out.extend_from_slice(status::block(&text.source.marks(facts.flags)).as_bytes());
        self.file.write_all(&out)?;
        text.each_in_file(&mut |bytes| {
            out.clear();
            self.writer.push(bytes, &mut out);
            self.file.write_all(&out)
        })?;
        out.clear();
        self.writer.end(&mut out);
        Ok(self.file.write_all(&out)?)
    }

    fn finish(self, path: &Path) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&self.partial, path)
    }
}

/// The sender, where the message begins with it (RFC 5321 §4.4: `Return-Path`).
fn sender(text: &[u8]) -> String {
    let line = text.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let path = line.strip_prefix("Return-Path: <").and_then(|rest| rest.strip_suffix('>'));
    path.unwrap_or_default().to_owned()
}
