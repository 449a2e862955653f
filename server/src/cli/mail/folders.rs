//! Which mailboxes lie in a folder, and what they are called there.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use pillarbox_core::imap::name::{MailboxName, Spelling};

use super::Format;

/// A mailbox in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) format: Format,
    /// The file of an mbox, the folder of a maildir.
    pub(super) path: PathBuf,
    /// The mailbox's name here.
    pub(super) mailbox: String,
}

/// In a Maildir++ name a point stands between levels; this is one within a level.
const POINT: &str = "&AC4-";

/// All mailboxes in `path`, put below `into` where that is given.
///
/// # Errors
/// One line for the user.
pub(super) fn discover(
    path: &Path,
    format: Option<Format>,
    into: Option<&str>,
) -> Result<Vec<Folder>, String> {
    let fault = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let mut found = Vec::new();
    let top = into.map_or_else(Vec::new, |into| vec![into.to_owned()]);
    if path == Path::new("-") || fs::metadata(path).map_err(fault)?.is_file() {
        if format == Some(Format::Maildir) {
            return Err(format!("{} is a file, and a maildir is a folder", path.display()));
        }
        let format = format.unwrap_or(Format::Mbox);
        let mailbox = into.unwrap_or("INBOX").to_owned();
        return Ok(vec![Folder { format, path: path.to_owned(), mailbox }]);
    }
    look(path, &top, format, &mut found).map_err(fault)?;
    found.sort_by(|a, b| a.mailbox.cmp(&b.mailbox));
    if found.is_empty() {
        return Err(format!(
            "{} holds neither a maildir (a folder with `cur` and `new` in it) nor an mbox",
            path.display()
        ));
    }
    Ok(found)
}

fn is_maildir(path: &Path) -> bool {
    path.join("cur").is_dir()
}

/// The name of the mailbox on these levels; that at the top is INBOX.
fn name(levels: &[String]) -> String {
    match levels {
        [] => "INBOX".into(),
        levels => levels.join("/"),
    }
}

/// What lies in a folder that stands for these levels.
fn look(
    path: &Path,
    levels: &[String],
    format: Option<Format>,
    found: &mut Vec<Folder>,
) -> io::Result<()> {
    let maildir = is_maildir(path);
    if maildir && format.is_none_or(|format| format == Format::Maildir) {
        let mailbox = name(levels);
        found.push(Folder { format: Format::Maildir, path: path.to_owned(), mailbox });
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let (inner, file_name) = (entry.path(), entry.file_name());
        let file_name = file_name.to_string_lossy();
        if inner.is_dir() {
            if maildir && matches!(&*file_name, "cur" | "new" | "tmp") {
                continue;
            }
            let below: Vec<String> = match file_name.strip_prefix('.') {
                // Maildir++: all levels in one name, and nothing further within.
                Some(rest) if is_maildir(&inner) => rest.split('.').map(decode).collect(),
                Some(_) => continue,
                None => vec![decode(file_name.strip_suffix(".sbd").unwrap_or(&file_name))],
            };
            look(&inner, &[levels, &below].concat(), format, found)?;
        } else if !maildir && format != Some(Format::Maildir) && is_mbox(&inner, &file_name) {
            let level = decode(file_name.strip_suffix(".mbox").unwrap_or(&file_name));
            let mailbox = name(&[levels, &[level]].concat());
            found.push(Folder { format: format.unwrap_or(Format::Mbox), path: inner, mailbox });
        }
    }
    Ok(())
}

/// Whether a file is worth being read as an mbox: other programs keep indexes beside theirs.
fn is_mbox(path: &Path, name: &str) -> bool {
    if name.starts_with('.') || name.ends_with(".partial") {
        return false;
    }
    let mut begin = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut begin));
    let trimmed = begin.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    let empty = begin.is_empty() && name.ends_with(".mbox");
    read.is_ok()
        && (empty
            || begin.get(trimmed.unwrap_or(0)..).is_some_and(|text| text.starts_with(b"From ")))
}

/// A level as it is called in files: in modified UTF-7, or as it is.
fn decode(level: &str) -> String {
    let part = |part: &str| match MailboxName::read(part.as_bytes(), Spelling::Utf7) {
        // The only name whose case would change.
        Ok(name) if !name.is_inbox() => name.as_str().to_owned(),
        _ => part.to_owned(),
    };
    level.split(POINT).map(part).collect::<Vec<_>>().join(".")
}

/// Where a mailbox goes in a maildir: below its top, as Maildir++ has it.
pub(super) fn maildir_path(name: &MailboxName) -> PathBuf {
    if name.is_inbox() {
        return PathBuf::new();
    }
    let levels = name.spelled(Spelling::Utf7);
    let levels: Vec<String> = levels.split('/').map(|level| level.replace('.', POINT)).collect();
    PathBuf::from(format!(".{}", levels.join(".")))
}

/// Where it goes as an mbox.
pub(super) fn mbox_path(name: &MailboxName) -> PathBuf {
    PathBuf::from(format!("{}.mbox", name.spelled(Spelling::Utf7)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &Path, into: Option<&str>) -> Vec<(Format, String)> {
        let found = discover(path, None, into).unwrap();
        found.into_iter().map(|folder| (folder.format, folder.mailbox)).collect()
    }

    #[test]
    fn maildirs_are_found() {
        let dir = tempfile::tempdir().unwrap();
        for folder in [".", ".Sent", ".Lists.B&APw-cher", ".a&AC4-b", "plain", "plain/in"] {
            fs::create_dir_all(dir.path().join(folder).join("cur")).unwrap();
        }
        fs::create_dir_all(dir.path().join(".no/maildir/cur")).unwrap();
        let names =
            |into| found(dir.path(), into).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        let expected = ["INBOX", "Lists/Bücher", "Sent", "a.b", "plain", "plain/in"];
        assert_eq!(names(None), expected);
        assert_eq!(names(Some("Old"))[..2], ["Old", "Old/Lists/Bücher"]);
    }

    #[test]
    fn mboxes_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let from = "From a Thu Mar  4 05:06:07 2021\n";
        file("inbox.mbox", from);
        file("Sent", from);
        file("Sub.sbd/In", from);
        file("Sent.msf", "// an index");
        file("empty.mbox", "");
        let names: Vec<_> = found(dir.path(), None).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["Sent", "Sub/In", "empty", "inbox"]);
        let one = discover(&dir.path().join("Sent"), None, None).unwrap();
        assert_eq!((one.len(), one[0].mailbox.as_str()), (1, "INBOX"));
        assert!(discover(&dir.path().join("no"), None, None).is_err());
        let empty = tempfile::tempdir().unwrap();
        assert!(discover(empty.path(), None, None).unwrap_err().contains("neither"));
    }

    #[test]
    fn names_come_back() {
        for name in ["INBOX", "Sent", "a.b/c", "Bücher/R&D", "INBOX/x", "a./.b"] {
            let name = MailboxName::new(name).unwrap();
            let path = maildir_path(&name);
            let text = path.to_str().unwrap().strip_prefix('.').unwrap_or("");
            let levels: Vec<String> = match text {
                "" => vec![],
                text => text.split('.').map(decode).collect(),
            };
            assert_eq!(super::name(&levels), name.as_str());
            let mbox = mbox_path(&name);
            let text = mbox.to_str().unwrap().strip_suffix(".mbox").unwrap();
            let levels: Vec<String> = text.split('/').map(decode).collect();
            assert_eq!(super::name(&levels), name.as_str());
        }
    }
}
