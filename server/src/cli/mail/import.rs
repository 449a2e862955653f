//! `pillarbox mail import`.

use std::io;
use std::path::PathBuf;

use clap::Args;
use pillarbox_core::Random as _;
use pillarbox_core::archive::Marks;
use pillarbox_core::archive::mbox::Quoting;
use pillarbox_store::Flags;

use super::folders::{Folder, discover};
use super::{Format, maildir, mbox};
use crate::cli::Trouble;
use crate::cli::place::{self, Place};
use crate::cli::progress::{Progress, bar};
use crate::cli::table::{self, count};
use crate::context::SystemRandom;
use crate::control::Fill;
use crate::control::reach::Hand;
use crate::control::wire::mail::{MailAnswer, MailRequest, MessageRow};
use crate::control::wire::{Answer, Request};

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct ImportArgs {
    /// The account's name or one of its addresses.
    account: String,
    /// A maildir, a folder of maildirs or mbox files, or one mbox file; `-` for an mbox on standard
    /// input.
    path: PathBuf,
    /// Put what is in one file into this mailbox (otherwise INBOX), and what is in a folder below
    /// it.
    #[arg(long, value_name = "MAILBOX")]
    into: Option<String>,
    /// What the files are, where that is not to be found out.
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    place: Place,
}

const HELP: &str = "\
Flags, keywords and the dates of arrival come with the messages. Mailboxes that are missing are made;
Sent Items, Spam and other names of the mailboxes that every account has mean those.

An import can be interrupted and repeated: what has come already is left out, also what has come
months ago and was removed since. So import everything while the old server still runs, and once more
when it has stopped. To bring all of it again: pillarbox mail forget ACCOUNT.

A message that cannot be read is named and passed over; the exit code is then 1. docs/moving.md tells
how to move from another server.

Examples:
  pillarbox mail import alice@example.org /home/alice/Maildir
  pillarbox mail import alice@example.org /var/mail/alice
  pillarbox mail import bob ~/old-mail --into Old --dir /var/lib/pillarbox
  zcat archive.mbox.gz | pillarbox mail import bob - --into Archive";

pub(super) fn run(args: &ImportArgs) -> Result<(), Trouble> {
    let folders = discover(&args.path, args.format, args.into.as_deref())?;
    let mut hand = args.place.reach()?;
    let name = place::account(&mut hand, &args.account)?.name;
    let mut run = [0; 8];
    SystemRandom::default().fill(&mut run);
    let mut importer = Importer {
        hand,
        login: name,
        run: i64::from_be_bytes(run),
        progress: Progress::new(),
        stage: String::new(),
        new: 0,
        known: 0,
        unread: 0,
        nuls: 0,
    };
    let all = folders.len();
    let ended = (1..).zip(&folders).try_for_each(|(number, folder)| {
        importer.stage = format!("{} ({number} of {all})", folder.mailbox);
        one(&mut importer, folder)
    });
    importer.progress.clear();
    let Importer { new, known, unread, nuls, login, .. } = importer;
    let known = match known {
        0 => String::new(),
        number => format!("; {} had come before", count(number, "message")),
    };
    let said = format!("{} imported into {login}{known}\n", count(new, "message"));
    if let Err(why) = ended {
        table::note(said.trim_end());
        return Err(Trouble::Failed(why));
    }
    table::print(&said)?;
    if nuls > 0 {
        table::note(&format!("{} had NULs, which are 0x80 now", count(nuls, "message")));
    }
    if unread > 0 {
        return Err(Trouble::Failed(format!(
            "{} could not be read: see above, and import again to get the rest",
            count(unread, "message")
        )));
    }
    Ok(())
}

fn one(importer: &mut Importer, folder: &Folder) -> Result<(), String> {
    match folder.format {
        Format::Maildir => maildir::import(importer, &folder.path, &folder.mailbox),
        Format::Mbox => mbox::import(importer, &folder.path, &folder.mailbox, Quoting::Rd),
        Format::Mboxo => mbox::import(importer, &folder.path, &folder.mailbox, Quoting::O),
    }
}

/// An import under way.
pub(super) struct Importer {
    hand: Hand,
    login: String,
    run: i64,
    progress: Progress,
    /// What is done just now.
    stage: String,
    new: u64,
    pub(super) known: u64,
    pub(super) unread: u64,
    pub(super) nuls: u64,
}

impl Importer {
    /// Which of these have not come yet; `once` says that there is one message only for a key.
    pub(super) fn meet(&mut self, once: bool, keys: Vec<[u8; 16]>) -> Result<Vec<bool>, String> {
        let number = keys.len();
        let request = MailRequest::Meet { login: self.login.clone(), run: self.run, once, keys };
        match place::ask(&mut self.hand, Request::Mail(request))? {
            Answer::Mail(MailAnswer::Wanted(wanted)) if wanted.len() == number => {
                self.known += wanted.iter().filter(|wanted| !**wanted).count() as u64;
                Ok(wanted)
            }
            _ => Err(place::astray()),
        }
    }

    /// Sends messages; `met` says that they are wanted.
    pub(super) fn send(
        &mut self,
        mailbox: &str,
        met: bool,
        messages: Vec<MessageRow>,
        fill: &mut Fill<'_>,
    ) -> Result<(), String> {
        let number = messages.len() as u64;
        if number == 0 {
            return Ok(());
        }
        let request = MailRequest::Import {
            login: self.login.clone(),
            run: self.run,
            mailbox: mailbox.to_owned(),
            met,
            messages,
        };
        match self.hand.send(Request::Mail(request), fill)? {
            Answer::Mail(MailAnswer::Imported { new }) => {
                self.new += new;
                self.known += number.saturating_sub(new);
                Ok(())
            }
            _ => Err(place::astray()),
        }
    }

    /// Shows how far the mailbox has come.
    pub(super) fn show(&mut self, done: u64, all: u64) {
        let (stage, new) = (&self.stage, self.new);
        self.progress.show(|| bar(done, all, &format!("{stage}, {}", count(new, "message"))));
    }

    /// A line for the user.
    pub(super) fn note(&mut self, line: &str) {
        self.progress.clear();
        table::note(line);
    }
}

/// A message as it is told.
pub(super) fn row(marks: Marks, date: i64) -> MessageRow {
    let flags = [
        (marks.seen, Flags::SEEN),
        (marks.answered, Flags::ANSWERED),
        (marks.flagged, Flags::FLAGGED),
        (marks.deleted, Flags::DELETED),
        (marks.draft, Flags::DRAFT),
    ];
    let flags = flags.into_iter().filter(|(set, _)| *set);
    let flags = flags.fold(Flags::NONE, |all, (_, flag)| all | flag).0;
    // An atom (RFC 3501 §9, `keyword`): else no client could be told.
    let atom = |name: &String| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte))
    };
    MessageRow { flags, keywords: marks.keywords.into_iter().filter(atom).collect(), date }
}

/// A key of what tells a message from others.
#[derive(Clone)]
pub(super) struct Key(ring::digest::Context);

impl Key {
    pub(super) fn new(format: &str, mailbox: &str) -> Self {
        let mut key = Self(ring::digest::Context::new(&ring::digest::SHA256));
        key.push(format!("{format}\0{mailbox}\0").as_bytes());
        key
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(self) -> [u8; 16] {
        self.0.finish().as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// How much of a file is read at once.
pub(super) const PIECE: usize = 64 << 10;
/// Messages in one request.
pub(super) const BATCH_MAX: usize = 100;
/// Bytes of messages in one request, but for one that is larger alone.
pub(super) const BATCH_BYTES_MAX: u64 = 4 << 20;

/// The name of a place in files, for errors.
pub(super) fn cannot_read(what: &std::path::Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", what.display())
}
