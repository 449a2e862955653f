//! The flags of a message in an mbox: header fields that mail programs add to it.
//!
//! `Status` has `R` (read) and `O` (old), `X-Status` `A`, `F`, `D` and `T` (answered, flagged,
//! deleted, draft), `X-Keywords` words. Others keep a mailbox's own numbers there.

use super::Marks;

/// Fields that are a mail program's own and no part of the message.
const OWN: [&str; 6] = ["Status", "X-Status", "X-Keywords", "X-UID", "X-IMAP", "X-IMAPbase"];

/// Takes the fields away from a header, whose lines end with CRLF, and reads them.
///
/// What [`block`] wrote stands first, all three lines of it: then only these go, so that a message
/// that has such fields of its own comes back as it was. Otherwise all of that name go, since
/// programs put them anywhere.
#[must_use]
pub fn take(header: &[u8]) -> (Marks, Vec<u8>) {
    let mut marks = Marks::default();
    let mut rest = header;
    let mut found = Vec::new();
    for expected in ["Status", "X-Status", "X-Keywords"] {
        // A line by itself: one behind it that begins with a blank is the message's own.
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (field, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        if named(field, expected).is_none() {
            break;
        }
        found.push(field);
        rest = behind;
    }
    if let [_, _, _] = found.as_slice() {
        found.into_iter().for_each(|field| read(field, &mut marks));
        return (marks, rest.to_vec());
    }
    let mut kept = Vec::with_capacity(header.len());
    let mut rest = header;
    while !rest.is_empty() {
        let (field, behind) = first_field(rest);
        rest = behind;
        if OWN.iter().any(|name| named(field, name).is_some()) {
            read(field, &mut marks);
        } else {
            kept.extend_from_slice(field);
        }
    }
    (marks, kept)
}

/// Whether a header is that of the note that some servers keep as the first message of an mbox.
#[must_use]
pub fn is_internal(header: &[u8]) -> bool {
    let mut rest = header;
    let (mut numbers, mut subject) = (false, false);
    while !rest.is_empty() {
        let (field, behind) = first_field(rest);
        rest = behind;
        numbers |= named(field, "X-IMAP").is_some() || named(field, "X-IMAPbase").is_some();
        subject |=
            named(field, "Subject").is_some_and(|value| value.contains("FOLDER INTERNAL DATA"));
    }
    numbers && subject
}

/// The lines that stand before a message in an mbox that we write, ended by LF. Always all three,
/// so that they can be told from the message's own.
#[must_use]
pub fn block(marks: &Marks) -> String {
    let letters = |known: &[(bool, char)]| -> String {
        known.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter).collect()
    };
    let status = letters(&[(marks.seen, 'R'), (true, 'O')]);
    let more = letters(&[
        (marks.answered, 'A'),
        (marks.flagged, 'F'),
        (marks.deleted, 'D'),
        (marks.draft, 'T'),
    ]);
    let keywords = marks.keywords.join(" ");
    format!("Status: {status}\nX-Status: {more}\nX-Keywords: {keywords}\n")
}

/// A field with the lines that go on with it, and what stands behind.
fn first_field(header: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    loop {
        let rest = header.get(end..).unwrap_or_default();
        match memchr::memchr(b'\n', rest) {
            Some(at) => end += at + 1,
            None => return (header, &[]),
        }
        if !matches!(header.get(end), Some(b' ' | b'\t')) {
            return header.split_at_checked(end).unwrap_or((header, &[]));
        }
    }
}

/// The value of a field that has this name.
fn named(field: &[u8], name: &str) -> Option<String> {
    let (found, value) = field.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name.as_bytes()).then(|| String::from_utf8_lossy(value).into_owned())
}

fn read(field: &[u8], marks: &mut Marks) {
    if let Some(status) = named(field, "Status") {
        marks.seen |= status.contains('R');
    } else if let Some(status) = named(field, "X-Status") {
        marks.answered |= status.contains('A');
        marks.flagged |= status.contains('F');
        marks.deleted |= status.contains('D');
        marks.draft |= status.contains('T');
    } else if let Some(words) = named(field, "X-Keywords") {
        // The last ones win no place: more than a mailbox can have say nothing.
        let room = KEYWORDS_MAX.saturating_sub(marks.keywords.len());
        marks.keywords.extend(words.split_ascii_whitespace().take(room).map(str::to_owned));
    }
}

/// The most keywords read of one message.
const KEYWORDS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(letters: &str, keywords: &[&str]) -> Marks {
        Marks {
            seen: letters.contains('S'),
            answered: letters.contains('A'),
            flagged: letters.contains('F'),
            deleted: letters.contains('D'),
            draft: letters.contains('T'),
            keywords: keywords.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn fields_are_taken_and_read() {
        for (header, expected, rest) in [
            ("Subject: a\r\n\r\n", marks("", &[]), "Subject: a\r\n\r\n"),
            ("Subject: a\r\nStatus: RO\r\n\r\n", marks("S", &[]), "Subject: a\r\n\r\n"),
            (
                "status: O\r\nSubject: a\r\n b\r\nX-STATUS: AFTD\r\nX-UID: 7\r\n\r\n",
                marks("AFTD", &[]),
                "Subject: a\r\n b\r\n\r\n",
            ),
            (
                "X-Keywords: $Junk  a\r\n b\r\nStatus: R\r\n\r\n",
                marks("S", &["$Junk", "a", "b"]),
                "\r\n",
            ),
            // Not these fields, though nearly.
            (
                "Statuses: R\r\nX-Status-: A\r\n\r\n",
                marks("", &[]),
                "Statuses: R\r\nX-Status-: A\r\n\r\n",
            ),
            // Ours stand first; what is behind is the message's own.
            (
                "Status: RO\r\nX-Status: A\r\nX-Keywords: x\r\nStatus: shipped\r\nX-UID: 1\r\n\r\n",
                marks("SA", &["x"]),
                "Status: shipped\r\nX-UID: 1\r\n\r\n",
            ),
            ("", marks("", &[]), ""),
        ] {
            let (found, left) = take(header.as_bytes());
            assert_eq!((found, String::from_utf8(left).unwrap().as_str()), (expected, rest));
        }
    }

    #[test]
    fn a_block_is_read_as_it_was_written() {
        for set in ["", "S", "AFTD", "SAFTD"] {
            let marks = marks(set, &["$Forwarded", "Blue"]);
            let header = block(&marks).replace('\n', "\r\n") + "Status: x\r\n\r\n";
            assert_eq!(take(header.as_bytes()), (marks, b"Status: x\r\n\r\n".to_vec()));
        }
    }

    #[test]
    fn notes_of_servers_are_known() {
        let note =
            "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\r\nX-IMAP: 1 2\r\n\r\n";
        assert!(is_internal(note.as_bytes()));
        assert!(!is_internal(b"Subject: FOLDER INTERNAL DATA\r\n\r\n"));
        assert!(!is_internal(b"X-IMAP: 1\r\n\r\n"));
    }
}
