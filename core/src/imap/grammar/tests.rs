use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::UnixSeconds;
use crate::imap::command::Verb;
use crate::imap::flags::{DELETED, SEEN};

mod deep;
mod modifiers;

fn read(line: &str) -> Request<'_> {
    match command(line.as_bytes()) {
        Ok((_, request)) => request,
        Err(at) => panic!("{line}: {at}"),
    }
}

fn miss(line: &[u8]) -> (usize, &'static str) {
    match command(line) {
        Ok(request) => panic!("{request:?}"),
        Err(At { offset, expected }) => (offset, expected),
    }
}

fn text(text: &str) -> Text<'_> {
    Cow::Borrowed(text.as_bytes())
}

fn select(mailbox: &str, read_only: bool) -> Request<'_> {
    Request::Select { mailbox: text(mailbox), read_only, params: SelectParams::default() }
}

fn plain_list<'a>(reference: &'a str, pattern: &'a str) -> Request<'a> {
    let patterns = vec![text(pattern)];
    Request::List { reference: text(reference), patterns, options: None }
}

const ONE: Option<u32> = Some(1);

#[test]
fn commands_without_arguments() {
    for verb in [
        Verb::Capability,
        Verb::Noop,
        Verb::Logout,
        Verb::StartTls,
        Verb::Close,
        Verb::Expunge,
        Verb::Idle,
    ] {
        assert_eq!(read(&format!("abcd {}", verb.name())), Request::Plain(verb));
        assert_eq!(read(&format!("a.1] {}", verb.name().to_lowercase())), Request::Plain(verb));
    }
    assert_eq!(command(b"A142 noop").unwrap().0, "A142");
}

#[test]
fn strings_of_every_kind() {
    // RFC 3501 §6.2.3
    assert_eq!(read("a001 LOGIN SMITH SESAME"), Request::Login(text("SMITH"), text("SESAME")));
    for (line, user, password) in [
        (r#"a LOGIN "" "a b""#, "", "a b"),
        (r#"a LOGIN "a\"b\\c" d]"#, r#"a"b\c"#, "d]"),
        ("a LOGIN {3}\r\na\r\n {4+}\r\n\"{1}", "a\r\n", "\"{1}"),
        ("a LOGIN {0}\r\n {0+}\r\n", "", ""),
        ("a LOGIN \"ü\" {2}\r\nü", "ü", "ü"),
    ] {
        assert_eq!(read(line), Request::Login(text(user), text(password)), "{line}");
    }
}

#[test]
fn sets_and_items() {
    // RFC 3501 §6.4.5
    let Request::Fetch { uid: false, set, items, .. } =
        read("A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])")
    else {
        panic!()
    };
    assert_eq!(set, Numbers::Ranges(vec![SetRange(Some(2), Some(4))]));
    let fields = SectionText::Fields(Fields::These, vec![text("DATE"), text("FROM")]);
    let section = Section { part: Vec::new(), text: fields };
    assert_eq!(
        items,
        [Item::Field(Field::Flags), Item::Body { which: Which::Body, section, partial: None }]
    );
    for (set, ranges) in [
        ("*", &[SetRange(None, None)][..]),
        ("1:*", &[SetRange(ONE, None)]),
        ("*:1", &[SetRange(None, ONE)]),
        ("4294967295,1", &[SetRange(Some(u32::MAX), Some(u32::MAX)), SetRange(ONE, ONE)]),
    ] {
        let line = format!("a UID FETCH {set} UID");
        let items = vec![Item::Field(Field::Uid)];
        assert_eq!(
            read(&line),
            Request::Fetch {
                uid: true,
                set: Numbers::Ranges(ranges.to_vec()),
                items,
                modifiers: FetchModifiers::default(),
            }
        );
    }
}

#[test]
fn fetch_items() {
    let part = |which, part: &[u32], text, partial| {
        let section = Section { part: part.to_vec(), text };
        Item::Body { which, section, partial }
    };
    let body = |which, text, partial| part(which, &[], text, partial);
    let binary = |peek, part: &[u32], partial| Item::Binary { peek, part: part.to_vec(), partial };
    let partial = |origin, count| Some(Partial { origin: Origin(origin), count });
    for (word, item) in [
        ("flags", Item::Field(Field::Flags)),
        ("INTERNALDATE", Item::Field(Field::InternalDate)),
        ("RFC822.SIZE", Item::Field(Field::Size)),
        ("SaveDate", Item::Field(Field::SaveDate)),
        ("EMAILID", Item::Field(Field::EmailId)),
        ("THREADID", Item::Field(Field::ThreadId)),
        ("RFC822", body(Which::Rfc822, SectionText::Whole, None)),
        ("RFC822.HEADER", body(Which::Header, SectionText::Header, None)),
        ("rfc822.text", body(Which::Text, SectionText::Text, None)),
        ("BODY[]", body(Which::Body, SectionText::Whole, None)),
        ("BODY.PEEK[]<0.2048>", body(Which::Peek, SectionText::Whole, partial(0, 2048))),
        (
            "BODY[TEXT]<7.9223372036854775807>",
            body(Which::Body, SectionText::Text, partial(7, i64::MAX as u64)),
        ),
        ("body.peek[header]", body(Which::Peek, SectionText::Header, None)),
        (
            "BODY[HEADER.FIELDS.NOT (\"X-A\")]",
            body(Which::Body, SectionText::Fields(Fields::Not, vec![text("X-A")]), None),
        ),
        ("ENVELOPE", Item::Envelope),
        ("preview", Item::Preview { lazy: false }),
        ("PREVIEW (Lazy)", Item::Preview { lazy: true }),
        ("PREVIEW (LAZY LAZY)", Item::Preview { lazy: true }),
        ("BODYSTRUCTURE", Item::Structure { extended: true }),
        ("BODY", Item::Structure { extended: false }),
        ("BODY[1]", part(Which::Body, &[1], SectionText::Whole, None)),
        ("BINARY[]", binary(false, &[], None)),
        ("binary.peek[4.2.2.1]<5.7>", binary(true, &[4, 2, 2, 1], partial(5, 7))),
        ("BINARY.SIZE[]", Item::BinarySize(vec![])),
        ("BINARY.SIZE[1.2]", Item::BinarySize(vec![1, 2])),
        ("BODY.PEEK[1.2.mime]<0.1>", part(Which::Peek, &[1, 2], SectionText::Mime, partial(0, 1))),
        ("BODY[3.TEXT]", part(Which::Body, &[3], SectionText::Text, None)),
        (
            "BODY[4.1.HEADER.FIELDS (TO)]",
            part(Which::Body, &[4, 1], SectionText::Fields(Fields::These, vec![text("TO")]), None),
        ),
    ] {
        let line = format!("a FETCH 1 {word}");
        let Request::Fetch { items, .. } = read(&line) else { panic!() };
        assert_eq!(items, [item], "{word}");
    }
    let fast = [Field::Flags, Field::InternalDate, Field::Size].map(Item::Field);
    let all = [&fast[..], &[Item::Envelope]].concat();
    let full = [&all[..], &[Item::Structure { extended: false }]].concat();
    for (word, expected) in [("fast", &fast[..]), ("ALL", &all), ("Full", &full)] {
        let line = format!("a FETCH 1 {word}");
        let Request::Fetch { items, .. } = read(&line) else { panic!() };
        assert_eq!(items, expected);
    }
}

#[test]
fn part_numbers_have_a_limit() {
    let line = |count: usize| format!("a FETCH 1 BODY[{}1]", "1.".repeat(count - 1));
    assert!(command(line(NUMBERS_MAX).as_bytes()).is_ok());
    assert!(command(line(NUMBERS_MAX + 1).as_bytes()).is_err());
}

#[test]
fn commands_beyond_the_first_ones() {
    let create =
        |name, uses: &[&'static str]| Request::Create { mailbox: text(name), uses: uses.to_vec() };
    for (line, request) in [
        ("a AUTHENTICATE plain", Request::Authenticate("plain", None)),
        ("a AUTHENTICATE PLAIN AGEAYg==", Request::Authenticate("PLAIN", Some("AGEAYg=="))),
        ("a AUTHENTICATE EXTERNAL =", Request::Authenticate("EXTERNAL", Some("="))),
        ("a023 ID NIL", Request::Plain(Verb::Id)),
        ("a ID ()", Request::Plain(Verb::Id)),
        ("a id (\"name\" \"sodr\" \"os\" NIL {1}\r\nx {2}\r\nyz)", Request::Plain(Verb::Id)),
        ("a NAMESPACE", Request::Plain(Verb::Namespace)),
        ("FXXZ CHECK", Request::Plain(Verb::Check)),
        ("a UNSELECT", Request::Plain(Verb::Unselect)),
        ("A003 CREATE owatagusiam/", create("owatagusiam/", &[])),
        ("t2 CREATE MySpecial (USE (\\Drafts \\Sent))", create("MySpecial", &["Drafts", "Sent"])),
        ("G0001 GETQUOTA \"!partition/sda4\"", Request::GetQuota(text("!partition/sda4"))),
        ("G0002 GETQUOTAROOT INBOX", Request::GetQuotaRoot(text("INBOX"))),
        ("S0001 SETQUOTA \"#user/alice\" (STORAGE 510)", Request::SetQuota),
        ("a SETQUOTA {0+}\r\n (storage 1 X-Y 0)", Request::SetQuota),
        ("a setquota x ()", Request::SetQuota),
        ("a create x (use ())", create("x", &[])),
        ("A683 DELETE {3}\r\na b", Request::Delete(text("a b"))),
        ("A683 RENAME \"a\" b", Request::Rename(text("a"), text("b"))),
        ("A002 SUBSCRIBE #news", Request::Subscribe(text("#news"), true)),
        ("A002 UNSUBSCRIBE #news", Request::Subscribe(text("#news"), false)),
        ("A002 LSUB \"\" \"%\"", Request::Lsub(text(""), text("%"))),
        (
            "a UID EXPUNGE 3000:*",
            Request::UidExpunge(Numbers::Ranges(vec![SetRange(Some(3000), None)])),
        ),
        (
            "A003 COPY 2:4 MEETING",
            Request::Copy {
                uid: false,
                set: Numbers::Ranges(vec![SetRange(Some(2), Some(4))]),
                mailbox: text("MEETING"),
            },
        ),
        (
            "a UID COPY 1 {1+}\r\nx",
            Request::Copy {
                uid: true,
                set: Numbers::Ranges(vec![SetRange(ONE, ONE)]),
                mailbox: text("x"),
            },
        ),
        (
            "a move * x",
            Request::Move {
                uid: false,
                set: Numbers::Ranges(vec![SetRange(None, None)]),
                mailbox: text("x"),
            },
        ),
        (
            "a UID MOVE 1 x",
            Request::Move {
                uid: true,
                set: Numbers::Ranges(vec![SetRange(ONE, ONE)]),
                mailbox: text("x"),
            },
        ),
    ] {
        assert_eq!(read(line), request, "{line}");
    }
}

#[test]
fn the_other_commands() {
    let all = StatusItem::Messages;
    for (line, request) in [
        ("A101 LIST \"\" \"\"", plain_list("", "")),
        ("A202 LIST ~/Mail/ %", plain_list("~/Mail/", "%")),
        ("a LIST \"\" a*b]%", plain_list("", "a*b]%")),
        (
            "A042 STATUS blurdybloop (UIDNEXT MESSAGES uidnext)",
            Request::Status(text("blurdybloop"), vec![StatusItem::UidNext, all]),
        ),
        ("a STATUS x (AppendLimit)", Request::Status(text("x"), vec![StatusItem::AppendLimit])),
        (
            "a STATUS x (messages size)",
            Request::Status(text("x"), vec![StatusItem::Messages, StatusItem::Size]),
        ),
        ("A142 SELECT INBOX", select("INBOX", false)),
        ("A932 EXAMINE blurdybloop", select("blurdybloop", true)),
        (
            "A003 STORE 2:4 +FLAGS (\\Deleted)",
            Request::Store {
                uid: false,
                set: Numbers::Ranges(vec![SetRange(Some(2), Some(4))]),
                unchanged_since: None,
                mode: StoreMode::Add,
                silent: false,
                flags: vec![FlagRef::System(DELETED)],
            },
        ),
        (
            "a UID STORE 1 -flags.silent \\seen $Junk",
            Request::Store {
                uid: true,
                set: Numbers::Ranges(vec![SetRange(ONE, ONE)]),
                unchanged_since: None,
                mode: StoreMode::Remove,
                silent: true,
                flags: vec![FlagRef::System(SEEN), FlagRef::Keyword("$Junk")],
            },
        ),
    ] {
        assert_eq!(read(line), request, "{line}");
    }
}

#[test]
fn an_id_within_its_limits_and_beyond() {
    let fields = |count: usize| vec!["\"a\" NIL"; count].join(" ");
    let sized = |field: usize, value: usize| {
        format!("a ID (\"{}\" \"{}\")", "f".repeat(field), "v".repeat(value))
    };
    for (line, is_one) in [
        (format!("a ID ({})", fields(30)), true),
        (format!("a ID ({})", fields(31)), false),
        (sized(30, 1024), true),
        (sized(31, 1), false),
        (sized(1, 1025), false),
        ("a ID".to_owned(), false),
        ("a ID (\"a\")".to_owned(), false),
        ("a ID (NIL \"a\")".to_owned(), false),
        ("a ID (\"a\" \"b\" )".to_owned(), false),
        ("a ID (\"a\" \"b\"".to_owned(), false),
        ("a ID NILS".to_owned(), false),
    ] {
        assert_eq!(command(line.as_bytes()).is_ok(), is_one, "{line}");
    }
}

#[test]
fn search_keys() {
    let day = Day(8_797); // 1 February 1994
    let seen = || Key::System(SEEN, true);
    for (keys, expected) in [
        ("ALL", Key::All),
        ("unseen", Key::System(SEEN, false)),
        ("SINCE 1-Feb-1994", Key::Since(day)),
        ("ON \"01-feb-1994\"", Key::On(day)),
        ("BEFORE 1-Feb-1994", Key::Before(day)),
        ("LARGER 0", Key::Larger(0)),
        ("SMALLER 5", Key::Smaller(5)),
        ("KEYWORD $x", Key::Keyword("$x", true)),
        ("UNKEYWORD x", Key::Keyword("x", false)),
        ("UID 1:*", Key::Uid(Numbers::Ranges(vec![SetRange(ONE, None)]))),
        ("$", Key::Sequence(Numbers::Saved)),
        ("NOT UID $", Key::Not(Box::new(Key::Uid(Numbers::Saved)))),
        ("*", Key::Sequence(Numbers::Ranges(vec![SetRange(None, None)]))),
        ("NOT SEEN", Key::Not(Box::new(seen()))),
        (
            "OR SEEN (ALL SEEN)",
            Key::Or(Box::new(seen()), Box::new(Key::And(vec![Key::All, seen()]))),
        ),
        ("((SEEN))", seen()),
        ("TEXT {2}\r\n()", Key::Text(text("()"))),
        ("body x", Key::Body(text("x"))),
        ("HEADER X-A \"\"", Key::Header(text("X-A"), text(""))),
        ("SUBJECT \"a b\"", Key::Header(text("Subject"), text("a b"))),
        ("bcc x", Key::Header(text("Bcc"), text("x"))),
        ("SENTBEFORE 1-Feb-1994", Key::SentBefore(Day(8_797))),
        ("SENTON 1-Feb-1994", Key::SentOn(Day(8_797))),
        ("SENTSINCE 1-Feb-1994", Key::SentSince(Day(8_797))),
        ("OLDER 1", Key::Older(1)),
        ("SAVEDBEFORE 1-Feb-1994", Key::SavedBefore(Day(8_797))),
        ("savedon 1-Feb-1994", Key::SavedOn(Day(8_797))),
        ("SAVEDSINCE 1-Feb-1994", Key::SavedSince(Day(8_797))),
        ("SAVEDATESUPPORTED", Key::All),
        ("EMAILID M12-3", Key::EmailId("M12-3")),
        ("ThreadId T_1", Key::ThreadId("T_1")),
        ("younger 4294967295", Key::Younger(u32::MAX)),
        ("MODSEQ 620162338", Key::ModSeq(620_162_338)),
        // RFC 7162 §3.1.5
        ("modseq \"/flags/\\\\draft\" all 0", Key::ModSeq(0)),
        ("RECENT", Key::Recent),
        ("OLD", Key::Not(Box::new(Key::Recent))),
        ("new", Key::And(vec![Key::Recent, Key::System(SEEN, false)])),
    ] {
        let line = format!("a SEARCH {keys}");
        assert_eq!(
            read(&line),
            Request::Search { uid: false, returns: None, charset: None, key: expected }
        );
    }
    assert_eq!(
        read("a UID SEARCH CHARSET UTF-8 SEEN ALL"),
        Request::Search {
            uid: true,
            returns: None,
            charset: Some(text("UTF-8")),
            key: Key::And(vec![seen(), Key::All])
        }
    );
}

#[test]
fn what_an_extended_search_is_to_tell() {
    use SearchReturn::{All, Count, Max, Min, Partial, Save};
    for (options, expected) in [
        ("", &[All][..]),
        ("MIN", &[Min]),
        ("count Max", &[Count, Max]),
        ("save MIN", &[Save, Min]),
        ("ALL MIN ALL COUNT", &[All, Min, Count]),
        ("partial 500:400", &[Partial(PartialRange { from_end: false, ends: (500, 400) })]),
        ("MIN PARTIAL -1:-100", &[Min, Partial(PartialRange { from_end: true, ends: (1, 100) })]),
    ] {
        let (line, key) = (format!("a UID SEARCH return ({options}) ALL"), Key::All);
        let returns = Some(expected.to_vec());
        assert_eq!(read(&line), Request::Search { uid: true, returns, charset: None, key });
    }
    let charset = Some(text("UTF-8"));
    let returns = Some(vec![Min]);
    assert_eq!(
        read("a SEARCH RETURN (MIN) CHARSET UTF-8 ALL"),
        Request::Search { uid: false, returns, charset, key: Key::All }
    );
}

#[test]
fn sort_programs() {
    use SortKey::{Arrival, Cc, Date, DisplayFrom, DisplayTo, From, Size, Subject, To};
    for (line, uid, expected) in [
        (
            "a SORT (arrival Cc DATE) us-ascii ALL",
            false,
            &[(Arrival, false), (Cc, false), (Date, false)][..],
        ),
        ("a UID SORT (FROM REVERSE SIZE) us-ascii ALL", true, &[(From, false), (Size, true)]),
        (
            "a SORT (reverse subject to SUBJECT) us-ascii ALL",
            false,
            &[(Subject, true), (To, false)],
        ),
        (
            "a SORT (DISPLAYFROM DISPLAYTO) us-ascii ALL",
            false,
            &[(DisplayFrom, false), (DisplayTo, false)],
        ),
    ] {
        let criteria = expected
            .iter()
            .map(|(key, reverse)| Criterion { key: *key, reverse: *reverse })
            .collect();
        let (returns, charset, key) = (None, text("us-ascii"), Key::All);
        assert_eq!(read(line), Request::Sort { uid, returns, criteria, charset, key });
    }
    for line in ["a SORT RETURN () (SIZE) x ALL", "a SORT return (all) (SIZE) \"x\" ALL"] {
        let Request::Sort { returns, charset, .. } = read(line) else { panic!("{line}") };
        assert_eq!((returns, charset), (Some(vec![SearchReturn::All]), text("x")));
    }
}

#[test]
fn an_extended_list() {
    use ListSelect::{RecursiveMatch, SpecialUse, Subscribed};
    let mut all = ListOptions::default();
    for (line, patterns, selects, returns, status) in [
        ("() \"\" *", &["*"][..], &[][..], &[][..], &[][..]),
        ("\"\" (INBOX a%)", &["INBOX", "a%"], &[], &[], &[]),
        ("\"\" x return ()", &["x"], &[], &[], &[]),
        (
            "(subscribed REMOTE RECURSIVEMATCH Subscribed SPECIAL-USE) \"\" (*)",
            &["*"],
            &[Subscribed, RecursiveMatch, SpecialUse],
            &[],
            &[],
        ),
        (
            "(REMOTE) \"\" % RETURN (CHILDREN STATUS (SIZE UNSEEN) Subscribed special-use)",
            &["%"],
            &[],
            &[ListReturn::Children, ListReturn::Subscribed, ListReturn::SpecialUse],
            &[StatusItem::Size, StatusItem::Unseen],
        ),
    ] {
        all.selects = selects.to_vec();
        all.returns = returns.to_vec();
        all.status = status.to_vec();
        let patterns = patterns.iter().map(|pattern| text(pattern)).collect();
        let expected = Request::List { reference: text(""), patterns, options: Some(all.clone()) };
        assert_eq!(read(&format!("a LIST {line}")), expected, "{line}");
    }
}

#[test]
fn mistakes_have_a_place_and_a_name() {
    for (line, offset, expected) in [
        (&b""[..], 0, "a tag of at most 64 bytes"),
        (b"+ NOOP", 0, "a tag of at most 64 bytes"),
        (b"a", 1, "a space"),
        (b"a ", 2, "a command"),
        (b"a FROB", 2, "a command"),
        (b"a UID CHECK 1", 2, "a command"),
        (b"a UID", 5, "a space"),
        (b"a NOOP ", 6, "the end of the command"),
        (b"a  NOOP", 2, "a command"),
        (b"a SEARCH EMAILID M1.2", 17, "an object identifier"),
        (b"a SEARCH THREADID \"T1\"", 18, "an atom"),
        (b"a CREATE x (USE (Sent))", 17, "a use with its backslash"),
        (b"a CREATE x (USE (\\Sent)", 23, "a closing parenthesis"),
        (b"a SETQUOTA x (STORAGE)", 21, "a space"),
        (b"a SETQUOTA x (STORAGE 1", 23, "a space"),
        (b"a CREATE x (SIZE 1)", 12, "USE"),
        (b"a SEARCH OLDER 0", 15, "a number from 1 to 4294967295"),
        (b"a SEARCH $,1", 10, "the end of the command"),
        (b"a LIST (RECURSIVEMATCH) \"\" *", 7, "what RECURSIVEMATCH goes with"),
        (b"a LIST (CHILDREN) \"\" *", 8, "a selection option"),
        (b"a LIST \"\" ()", 10, "at least one pattern"),
        (b"a LIST \"\" * RETURN (REMOTE)", 20, "a return option"),
        (b"a LIST \"\" * RETURN (STATUS)", 26, "a space"),
        (b"a LIST \"\" * MORE", 11, "the end of the command"),
        (b"a SEARCH RETURN", 9, "a search key"),
        (b"a SEARCH RETURN ALL", 16, "an opening parenthesis"),
        (b"a SEARCH RETURN (ALL)", 21, "a space"),
        (b"a SEARCH RETURN (MEAN) ALL", 17, "a result option"),
        (b"a SEARCH RETURN (ALL ) ALL", 21, "a result option"),
        (b"a SEARCH RETURN (ALL", 20, "a space or closing parenthesis"),
        (b"a LOGIN x", 9, "a space"),
        (b"a LOGIN x ", 10, "a string"),
        (b"a LOGIN x y z", 11, "the end of the command"),
        (b"a LOGIN \"x y", 8, "a quoted string that ends"),
        (b"a LOGIN \"x\ry\" z", 10, "a closing quote"),
        (b"a LOGIN \"x\\y\" z", 11, "a quote or backslash after a backslash"),
        (b"a LOGIN {2}\r\n\0a b", 13, "a literal without NUL"),
        (b"a LOGIN {9}\r\nab", 13, "the bytes of the literal"),
        (b"a AUTHENTICATE PLAIN A B", 22, "the end of the command"),
        (b"a FETCH 0 FLAGS", 8, "a number from 1 to 4294967295"),
        (b"a FETCH 4294967296 FLAGS", 8, "a number from 1 to 4294967295"),
        (b"a FETCH 1, FLAGS", 10, "a number or *"),
        (b"a FETCH 1 ()", 11, "a fetch item"),
        (b"a FETCH 1 (FAST)", 11, "a fetch item"),
        (b"a FETCH 1 (FLAGS", 16, "a space or closing parenthesis"),
        (b"a FETCH 1 BODY[MIME]", 15, "a section"),
        (b"a FETCH 1 BODY[HEADER", 21, "]"),
        (b"a FETCH 1 BODY[]<0.0>", 19, "a count above 0"),
        (b"a FETCH 1 BODY[HEADER.FIELDS ()]", 30, "a string"),
        (b"a FETCH 1 BODY[HEADER.FIELDS (\"a:b\")]", 30, "a header field name"),
        (b"a FETCH 1 BODY.PEEK", 19, "["),
        (b"a FETCH 1 BINARY", 16, "["),
        (b"a FETCH 1 BINARY[1.MIME]", 18, "]"),
        (b"a FETCH 1 BINARY[TEXT]", 17, "a number from 1 to 4294967295"),
        (b"a FETCH 1 BINARY[1]<0.0>", 22, "a count above 0"),
        (b"a APPEND x ~(", 12, "a literal"),
        (b"a STORE 1 FLAGS (\\Recent)", 17, "a flag that clients may set"),
        (b"a STORE 1 FLAG x", 10, "FLAGS"),
        (b"a SEARCH", 8, "a space"),
        (b"a SEARCH FROB", 9, "a search key"),
        (b"a SEARCH (ALL", 13, "a closing parenthesis"),
        (b"a SEARCH ON 31-Feb-1994", 12, "a date such as 1-Feb-1994"),
        (b"a STATUS x (BYTES)", 12, "a status item"),
        (b"a APPEND x \"32-Jan-1994 00:00:00 +0000\" {1}\r\n", 11, "a date and time"),
        (b"a APPEND x", 10, "a space"),
    ] {
        assert_eq!(miss(line), (offset, expected), "{}", line.escape_ascii());
    }
}

#[test]
fn each_limit_at_it_and_one_past_it() {
    let many = |count: usize, one: &str, between: &str| vec![one; count].join(between);
    let cases: [(&str, usize, &str, &str, &str); 7] = [
        ("a FETCH ", RANGES_MAX, "1", ",", " UID"),
        ("a FETCH 1 (", ITEMS_MAX, "UID", " ", ")"),
        ("a FETCH 1 BODY[HEADER.FIELDS (", NAMES_MAX, "To", " ", ")]"),
        ("a STORE 1 FLAGS (", crate::imap::flags::NAMED_MAX, "x", " ", ")"),
        ("a LIST \"\" (", PATTERNS_MAX, "x", " ", ")"),
        ("a SEARCH ", KEYS_MAX, "ALL", " ", ""),
        ("a SEARCH ", DEPTH_MAX - 1, "NOT", " ", " ALL"),
    ];
    for (before, limit, one, between, after) in cases {
        let line = |count| format!("{before}{}{after}", many(count, one, between));
        assert!(command(line(limit).as_bytes()).is_ok(), "{before}");
        let At { expected, .. } = command(line(limit + 1).as_bytes()).unwrap_err();
        assert!(expected.starts_with("at most"), "{before}: {expected}");
    }
    assert!(command(format!("{} NOOP", "t".repeat(64)).as_bytes()).is_ok());
    assert!(command(format!("{} NOOP", "t".repeat(65)).as_bytes()).is_err());
    let keyword = |length: usize| format!("a STORE 1 FLAGS {}", "k".repeat(length));
    assert!(command(keyword(64).as_bytes()).is_ok());
    assert!(command(keyword(65).as_bytes()).is_err());
    let parentheses = format!("a SEARCH {}", "(".repeat(100_000));
    assert_eq!(miss(parentheses.as_bytes()).1, "at most 32 nested search keys");
    let size = |digits: &str| format!("a FETCH 1 BODY[]<{digits}.1>");
    assert!(command(size("9223372036854775807").as_bytes()).is_ok());
    assert!(command(size("9223372036854775808").as_bytes()).is_err());
}

#[test]
fn every_day_of_the_calendar_and_no_other() {
    for (text, seconds) in [
        ("17-Jul-1996 02:44:25 -0700", Some(837_596_665)),
        (" 1-Jan-1970 00:00:00 +0000", Some(0)),
        ("01-Jan-1970 00:00:60 +0000", Some(60)),
        ("29-Feb-2000 12:00:00 +0530", Some(951_805_800)),
        ("29-Feb-1900 12:00:00 +0000", None),
        ("01-Jan-1970 24:00:00 +0000", None),
        ("01-Jan-1970 00:00:00 0000 ", None),
    ] {
        let line = format!("a APPEND x \"{text}\" {{1}}\r\n");
        let date = match command(line.as_bytes()) {
            Ok((_, Request::Append { message: AppendMessage { date, .. }, .. })) => {
                date.map(|time| time.0)
            }
            _ => None,
        };
        assert_eq!(date, seconds, "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = command(&bytes);
    }

    #[test]
    fn no_words_make_it_panic(words in proptest::collection::vec(proptest::sample::select(vec![
        "a", " ", "FETCH", "SEARCH", "UID", "STORE", "1", ":", "*", ",", "(", ")", "BODY[", "]",
        "HEADER.FIELDS", "<", ".", ">", "NOT", "OR", "ON", "1-Jan-1970", "\"", "\\", "{1}\r\n", "FLAGS",
        "APPEND", "x", "+", "KEYWORD", "LIST", "STATUS", "MESSAGES",
    ]), 0..20)) {
        let line = words.concat();
        if let Err(At { offset, .. }) = command(line.as_bytes()) {
            prop_assert!(offset <= line.len());
        }
    }

    #[test]
    fn numbers_round_trip(value in 0..=i64::MAX.unsigned_abs()) {
        let mut digits = Vec::new();
        write_number(value, |bytes| digits.extend_from_slice(bytes));
        prop_assert_eq!(String::from_utf8_lossy(&digits), value.to_string());
        prop_assert_eq!(primitive::number(&digits).unwrap().1, value);
    }

    #[test]
    fn strings_round_trip(text in "[^\0]{0,20}") {
        let mut line = b"a SELECT ".to_vec();
        crate::imap::response::string(text.as_bytes(), &mut line);
        let (_, request) = command(&line).unwrap();
        prop_assert_eq!(request, Request::Select {
            mailbox: Cow::Owned(text.into_bytes()),
            read_only: false,
            params: SelectParams::default(),
        });
    }

    #[test]
    fn dates_round_trip(seconds in -62_000_000_000_i64..250_000_000_000) {
        let line = format!("a APPEND x \"{}\" {{1}}\r\n", crate::wire::date::ImapDate(UnixSeconds(seconds)));
        let (_, request) = command(line.as_bytes()).unwrap();
        let Request::Append { message: AppendMessage { date, .. }, .. } = request else { panic!() };
        prop_assert_eq!(date, Some(UnixSeconds(seconds)));
    }
}
