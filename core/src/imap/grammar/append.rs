//! APPEND and REPLACE (RFC 3501 §6.3.11, RFC 3502, RFC 8508): all but the messages.

use super::primitive::{announced, astring, byte, date_time, end, space, word};
use super::request::{FlagRef, Request, arguments, at, flag_list};
use super::sequence::{Numbers, number};
use super::{At, Miss, Read};
use crate::UnixSeconds;
use crate::imap::command::Verb;

/// What is said of one message before it comes: `append-message` (RFC 3502).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendMessage<'a> {
    /// Its flags.
    pub flags: Vec<FlagRef<'a>>,
    /// Its internal date, if not the present.
    pub date: Option<UnixSeconds>,
    /// How many bytes will follow.
    pub size: u64,
    /// Whether NUL may be among them: `~{size}` (RFC 3516 §4.4).
    pub binary: bool,
    /// Whether it is sent as `UTF8 (~{size} …)` (RFC 6855 §4), which RFC 9755 does
    /// without: a parenthesis closes behind it.
    pub utf8: bool,
}

/// Reads an APPEND or REPLACE up to and with the announcement of its first message, if `rest` ends
/// there. `None` if it ends with the announcement of another literal: that of the mailbox's name.
///
/// # Errors
/// The place where it went wrong.
pub fn append(verb: Verb, rest: &[u8], whole: usize) -> Result<Option<Request<'_>>, At> {
    // The bytes of a mailbox's literal are still to come when all that stands before the name is
    // followed by an announcement.
    let name = || -> Read<'_, ()> {
        let (rest, _) = replaced(verb, rest)?;
        let (rest, ()) = space(rest)?;
        let (rest, _) = announced(rest)?;
        end(rest)
    };
    if name().is_ok() { Ok(None) } else { arguments(verb, rest, whole).map(Some) }
}

/// Reads what stands between one message of an APPEND and the next, with the announcement of that.
///
/// # Errors
/// The place where it went wrong, counted from the end of the message before.
pub fn append_next(line: &[u8]) -> Result<AppendMessage<'_>, At> {
    let read = || {
        let (rest, message) = message(line)?;
        let (_, ()) = end(rest)?;
        Ok(message)
    };
    read().map_err(|miss| at(&miss, line.len()))
}

pub(super) fn read_append(verb: Verb, input: &[u8]) -> Read<'_, Request<'_>> {
    let (rest, replaces) = replaced(verb, input)?;
    let (rest, ()) = space(rest)?;
    let (rest, mailbox) = astring(rest)?;
    let (rest, message) = message(rest)?;
    Ok((rest, Request::Append { uid: verb == Verb::UidReplace, replaces, mailbox, message }))
}

/// The message that REPLACE removes (RFC 8508 §5).
fn replaced(verb: Verb, input: &[u8]) -> Read<'_, Option<Numbers>> {
    if !matches!(verb, Verb::Replace | Verb::UidReplace) {
        return Ok((input, None));
    }
    let (rest, ()) = space(input)?;
    number(rest).map(|(rest, number)| (rest, Some(number)))
}

fn message(input: &[u8]) -> Read<'_, AppendMessage<'_>> {
    let (rest, ()) = space(input)?;
    let (rest, flags) = match rest.first() {
        Some(b'(') => {
            let (rest, flags) = flag_list(rest)?;
            let (rest, ()) = space(rest)?;
            (rest, flags)
        }
        _ => (rest, Vec::new()),
    };
    let (rest, date) = match rest.first() {
        Some(b'"') => {
            let (rest, date) = date_time(rest)?;
            let (rest, ()) = space(rest)?;
            (rest, Some(date))
        }
        _ => (rest, None),
    };
    let (rest, utf8) = match word(rest, "UTF8 (") {
        Ok((rest, ())) => (rest, true),
        Err(_) => (rest, false),
    };
    // `literal8` (RFC 4466 §6), which may be non-synchronizing as others may.
    let (rest, binary) = match byte(rest, b'~', "a literal") {
        Ok((rest, ())) => (rest, true),
        Err(_) if utf8 => return Err(Miss::error(rest, "a literal8")),
        Err(_) => (rest, false),
    };
    let (rest, (size, _)) = announced(rest)?;
    Ok((rest, AppendMessage { flags, date, size, binary, utf8 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::imap::flags::{DRAFT, SEEN};
    use crate::imap::grammar::{SetRange, Text, command};

    const fn plain(size: u64) -> AppendMessage<'static> {
        AppendMessage { flags: Vec::new(), date: None, size, binary: false, utf8: false }
    }

    fn text(text: &str) -> Text<'_> {
        text.as_bytes().into()
    }

    fn one(number: Option<u32>) -> Option<Numbers> {
        Some(Numbers::Ranges(vec![SetRange(number, number)]))
    }

    #[test]
    fn appends_and_replacements() {
        let append = |mailbox, message| Request::Append {
            uid: false,
            replaces: None,
            mailbox: text(mailbox),
            message,
        };
        let replace = |uid, number, message| Request::Append {
            uid,
            replaces: one(number),
            mailbox: text("Drafts"),
            message,
        };
        let seen = vec![FlagRef::System(SEEN)];
        let draft = vec![FlagRef::System(SEEN), FlagRef::System(DRAFT)];
        let date = Some(UnixSeconds(760_686_745));
        for (line, request) in [
            (
                "A003 APPEND saved-messages (\\Seen) {310}\r\n",
                append("saved-messages", AppendMessage { flags: seen, ..plain(310) }),
            ),
            (
                "a APPEND {1}\r\nx () \" 7-Feb-1994 21:52:25 -0800\" {9999999999+}\r\n",
                append("x", AppendMessage { date, ..plain(9_999_999_999) }),
            ),
            ("a APPEND x ~{3+}\r\n", append("x", AppendMessage { binary: true, ..plain(3) })),
            (
                "a APPEND x utf8 (~{3}\r\n",
                append("x", AppendMessage { binary: true, utf8: true, ..plain(3) }),
            ),
            (
                "A003 REPLACE 4 Drafts (\\Seen \\Draft) {312}\r\n",
                replace(false, Some(4), AppendMessage { flags: draft, ..plain(312) }),
            ),
            ("a UID REPLACE 2000 {6+}\r\nDrafts {1}\r\n", replace(true, Some(2_000), plain(1))),
            ("a replace * Drafts {1}\r\n", replace(false, None, plain(1))),
        ] {
            assert_eq!(command(line.as_bytes()).map(|(_, found)| found), Ok(request), "{line}");
        }
    }

    #[test]
    fn a_literal_is_the_name_or_the_message() {
        for (verb, rest, is_message) in [
            (Verb::Append, " {3}\r\n", Some(false)),
            (Verb::Append, " {3}\r\nabc {3+}\r\n", Some(true)),
            (Verb::Append, " x {3}\r\n", Some(true)),
            (Verb::Append, " ~{3}\r\n", None),
            (Verb::Append, " 4 {3}\r\n", Some(true)),
            (Verb::Replace, " 4 {3}\r\n", Some(false)),
            (Verb::UidReplace, " 4 {3}\r\nabc {3}\r\n", Some(true)),
            (Verb::Replace, " {3}\r\n", None),
            (Verb::Replace, " 4:5 x {3}\r\n", None),
            (Verb::Replace, " $ x {3}\r\n", None),
        ] {
            let found = append(verb, rest.as_bytes(), rest.len());
            assert_eq!(found.ok().map(|request| request.is_some()), is_message, "{rest}");
        }
    }

    #[test]
    fn what_stands_between_two_messages() {
        let next = |line: &'static str| append_next(line.as_bytes()).map_err(|at| at.offset);
        assert_eq!(next(" {3}\r\n"), Ok(plain(3)));
        assert_eq!(next(" ~{3+}\r\n"), Ok(AppendMessage { binary: true, ..plain(3) }));
        assert_eq!(
            next(" (\\Seen) \" 7-Feb-1994 21:52:25 -0800\" {295}\r\n"),
            Ok(AppendMessage {
                flags: vec![FlagRef::System(SEEN)],
                date: Some(UnixSeconds(760_686_745)),
                ..plain(295)
            })
        );
        assert_eq!(next("{3}\r\n"), Err(0));
        assert_eq!(next(" x {3}\r\n"), Err(1));
        assert_eq!(next(" (\\Frob) {3}\r\n"), Err(2));
        assert_eq!(next(" () {3}\r\nabc"), Err(9));
    }
}
