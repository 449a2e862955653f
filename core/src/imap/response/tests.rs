use super::*;
use crate::imap::command::BodySection;
use crate::imap::flags::{ANSWERED, DELETED, SEEN};
use crate::imap::grammar::Partial;

mod awkward;
mod strict;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn name(name: &str) -> MailboxName {
    MailboxName::new(name).unwrap()
}

fn item(which: Which, text: SectionText<Box<str>>, origin: Option<u64>) -> BodyItem {
    let section = BodySection { part: Vec::new(), text };
    let partial = origin.map(|origin| Partial { origin: Origin(origin), count: 9 });
    BodyItem { which, section, partial }
}

#[test]
fn progress_is_told_with_a_tag_that_can_be_told() {
    let said = |tag, done, goal| {
        let mut out = Vec::new();
        in_progress(tag, done, goal, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(said("a7", 175, Some(1_000)), "* OK [INPROGRESS (\"a7\" 175 1000)] still at it\r\n");
    assert_eq!(said("a]7", 0, None), "* OK [INPROGRESS (NIL 0 NIL)] still at it\r\n");
}

#[test]
fn lines_of_select() {
    // RFC 3501 §6.3.1
    let keywords = Keywords::new(["$Junk", "Work"]);
    let text = written(|out| {
        exists(172, out);
        recent(0, out);
        ok(Code::Unseen(12), "Message 12 is first unseen", out);
        ok(Code::UidValidity(3_857_529_045), "UIDs valid", out);
        ok(Code::UidNext(4_392), "Predicted next UID", out);
        flags(&keywords, out);
        permanent_flags(Some(&keywords), out);
        permanent_flags(None, out);
    });
    assert_eq!(
        text,
        "* 172 EXISTS\r\n* 0 RECENT\r\n* OK [UNSEEN 12] Message 12 is first unseen\r\n\
         * OK [UIDVALIDITY 3857529045] UIDs valid\r\n* OK [UIDNEXT 4392] Predicted next UID\r\n\
         * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk Work)\r\n\
         * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk Work \\*)] limited\r\n\
         * OK [PERMANENTFLAGS ()] read-only\r\n"
    );
}

#[test]
fn a_mailbox_with_all_keywords_takes_no_new_ones() {
    let all = |count: usize| Keywords::new((0..count).map(|number| format!("k{number}")));
    let ends = |count| written(|out| permanent_flags(Some(&all(count)), out));
    assert!(ends(58).ends_with("k57 \\*)] limited\r\n"));
    assert!(ends(59).ends_with("k58)] limited\r\n"));
}

#[test]
fn lines_about_mailboxes() {
    let text = written(|out| {
        list(&["\\HasNoChildren", "\\Sent"], &name("Sent Mail"), Spelling::Utf7, out);
        list(&[], &name("台北"), Spelling::Utf7, out);
        list(&[], &name("台\"北"), Spelling::Utf8, out);
        list(&[], &name("A&B"), Spelling::Utf8, out);
        list(&[], &name("a\"b\\"), Spelling::Utf7, out);
        lsub(&["\\Noselect"], &name("#news"), Spelling::Utf7, out);
        list_delimiter(out);
        status(
            &name("blurdybloop"),
            &[
                (StatusItem::Messages, 231),
                (StatusItem::UidNext, 44_292),
                (StatusItem::Recent, 0),
                (StatusItem::UidValidity, 7),
                (StatusItem::Unseen, 1),
                (StatusItem::Deleted, 2),
            ],
            Spelling::Utf7,
            out,
        );
        search([2, 84, 882], None, out);
        search([], None, out);
        search([2, 5], Some(917_162_500), out);
        expunge(44, out);
    });
    assert_eq!(
        text,
        "* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent Mail\"\r\n* LIST () \"/\" &U,BTFw-\r\n\
         * LIST () \"/\" \"台\\\"北\"\r\n* LIST () \"/\" A&B\r\n\
         * LIST () \"/\" \"a\\\"b\\\\\"\r\n* LSUB (\\Noselect) \"/\" #news\r\n* LIST (\\Noselect) \"/\" \"\"\r\n\
         * STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292 RECENT 0 UIDVALIDITY 7 UNSEEN 1 DELETED 2)\r\n\
         * SEARCH 2 84 882\r\n* SEARCH\r\n\
         * SEARCH 2 5 (MODSEQ 917162500)\r\n* 44 EXPUNGE\r\n"
    );
}

#[test]
fn uids_of_what_was_copied_and_appended() {
    let copied = |from: &[(u32, u32)], to: &[(u32, u32)]| {
        written(|out| Code::CopyUid(CopyUid { uidvalidity: 38_505, from, to }).write(out))
    };
    // RFC 4315 §3
    assert_eq!(
        copied(&[(304, 304), (319, 320)], &[(3_956, 3_958)]),
        "[COPYUID 38505 304,319:320 3956:3958] "
    );
    assert_eq!(copied(&[(1, 2), (4, u32::MAX)], &[(7, 7)]), "[COPYUID 38505 1:2,4:4294967295 7] ");
    let appended = |first, last| written(|out| Code::AppendUid(38_505, first, last).write(out));
    assert_eq!(appended(3_955, 3_955), "[APPENDUID 38505 3955] ");
    assert_eq!(appended(3_955, 3_957), "[APPENDUID 38505 3955:3957] ");
    assert_eq!(written(|out| Code::Modified(&[(7, 7), (9, 12)]).write(out)), "[MODIFIED 7,9:12] ");
    let highest = Code::HighestModSeq(u64::MAX >> 1);
    assert_eq!(written(|out| highest.write(out)), "[HIGHESTMODSEQ 9223372036854775807] ");
}

#[test]
fn items_of_fetch() {
    let keywords = Keywords::new(["Work", "Play"]);
    let text = written(|out| {
        let mut fetch = Fetch::begin(12, out);
        fetch.flags(FlagBits(SEEN | ANSWERED | DELETED | 64), true, &keywords, out);
        fetch.internal_date(UnixSeconds(0), out);
        fetch.size(4_286, out);
        fetch.uid(u32::MAX, out);
        fetch.end(out);
        let mut fetch = Fetch::begin(1, out);
        // A bit whose name is not known, as of a keyword that another session has just made.
        fetch.flags(FlagBits(1 << 60), false, &keywords, out);
        fetch.flags(FlagBits(0), true, &keywords, out);
        fetch.end(out);
    });
    assert_eq!(
        text,
        "* 12 FETCH (FLAGS (\\Recent \\Answered \\Deleted \\Seen Play) INTERNALDATE \" 1-Jan-1970 00:00:00 \
         +0000\" RFC822.SIZE 4286 UID 4294967295)\r\n* 1 FETCH (FLAGS () FLAGS (\\Recent))\r\n"
    );
}

#[test]
fn decoded_parts_are_named_by_their_numbers_and_origin() {
    let part = |part: &[u32], origin: Option<u64>| BinaryItem {
        peek: true,
        part: part.to_vec(),
        partial: origin.map(|origin| Partial { origin: Origin(origin), count: 9 }),
    };
    let text = written(|out| {
        let mut fetch = Fetch::begin(1, out);
        fetch.binary_head(&part(&[], None), 2, false, out);
        out.put(b"xy");
        fetch.binary_head(&part(&[4, 12], Some(7)), 2, true, out);
        out.put(b"\0y");
        fetch.binary_size(&[], 5, out);
        fetch.binary_size(&[1, 2], 3, out);
        fetch.end(out);
    });
    assert_eq!(
        text,
        "* 1 FETCH (BINARY[] {2}\r\nxy BINARY[4.12]<7> ~{2}\r\n\0y BINARY.SIZE[] 5 \
         BINARY.SIZE[1.2] 3)\r\n"
    );
}

#[test]
fn sections_are_named_as_they_were_asked_for() {
    let fields = |which| SectionText::Fields(which, vec!["DATE".into(), "x(y".into()]);
    let part = |part: &[u32], text| BodyItem {
        which: Which::Peek,
        section: BodySection { part: part.to_vec(), text },
        partial: None,
    };
    for (item, named) in [
        (item(Which::Rfc822, SectionText::Whole, None), "RFC822"),
        (item(Which::Header, SectionText::Header, None), "RFC822.HEADER"),
        (item(Which::Text, SectionText::Text, None), "RFC822.TEXT"),
        (item(Which::Body, SectionText::Whole, None), "BODY[]"),
        (item(Which::Peek, SectionText::Whole, Some(7)), "BODY[]<7>"),
        (item(Which::Peek, SectionText::Header, None), "BODY[HEADER]"),
        (item(Which::Body, SectionText::Text, Some(0)), "BODY[TEXT]<0>"),
        (item(Which::Body, fields(Fields::These), None), "BODY[HEADER.FIELDS (DATE \"x(y\")]"),
        (item(Which::Body, fields(Fields::Not), None), "BODY[HEADER.FIELDS.NOT (DATE \"x(y\")]"),
        (part(&[1], SectionText::Whole), "BODY[1]"),
        (part(&[1, 20, 3], SectionText::Mime), "BODY[1.20.3.MIME]"),
        (part(&[4], fields(Fields::These)), "BODY[4.HEADER.FIELDS (DATE \"x(y\")]"),
    ] {
        let text = written(|out| {
            let mut fetch = Fetch::begin(1, out);
            fetch.body(&item, b"a\r\n", out);
            fetch.uid(3, out);
            // The head first, the bytes by the owner: the same on the wire.
            fetch.body_head(&item, 2, out);
            out.put(b"xy");
            fetch.end(out);
        });
        assert_eq!(
            text,
            format!("* 1 FETCH ({named} {{3}}\r\na\r\n UID 3 {named} {{2}}\r\nxy)\r\n")
        );
    }
}
