use super::*;
use crate::imap::command::Command;
use crate::imap::flags::{ANSWERED, SEEN};
use crate::imap::grammar;
use crate::imap::name::Spelling;
use crate::imap::object::EmailId;

mod awkward;

/// The search of these keys.
fn search(keys: &str) -> Search {
    let mut view = View::new([2, 3, 10, 11], 1).with_recent_above(9);
    view.save(&[3, 11]);
    let line = format!("a SEARCH {keys}");
    let (_, request) = grammar::command(line.as_bytes()).unwrap();
    let Some(Command::Search { key: Ok(key), .. }) =
        Command::from_request(request, Spelling::Utf7).unwrap()
    else {
        panic!("no search");
    };
    Search::new(&key, &view, &Keywords::new(["$Junk"]), NOW)
}

/// The moment of the search: noon on 5 October 2024.
const NOW: UnixSeconds = UnixSeconds(20_001 * 86_400 + 43_200);

const fn noon(day: i64) -> UnixSeconds {
    UnixSeconds(day * 86_400 + 43_200)
}

/// Which of four messages a search finds, by sequence number.
fn found(keys: &str) -> Vec<u32> {
    let search = search(keys);
    let day = 20_000;
    let all = [
        Facts {
            sequence: 1,
            uid: 2,
            flags: FlagBits(SEEN),
            received: noon(day),
            saved: noon(day + 9 + 1),
            email: EmailId { body: 1, prefix: Some(5) },
            size: 10,
            modseq: 7,
        },
        Facts {
            sequence: 2,
            uid: 3,
            flags: FlagBits(0),
            received: noon(day + 1),
            saved: noon(day + 9 + 2),
            email: EmailId { body: 2, prefix: Some(5) },
            size: 20,
            modseq: 9,
        },
        Facts {
            sequence: 3,
            uid: 10,
            flags: FlagBits(32),
            received: noon(day + 2),
            saved: noon(day + 9 + 3),
            email: EmailId { body: 3, prefix: Some(5) },
            size: 30,
            modseq: 8,
        },
        Facts {
            sequence: 4,
            uid: 11,
            flags: FlagBits(SEEN | ANSWERED),
            received: noon(day + 3),
            saved: noon(day + 9 + 4),
            email: EmailId { body: 4, prefix: Some(5) },
            size: 40,
            modseq: 6,
        },
    ];
    all.iter()
        .filter(|facts| search.matching(**facts).verdict() == Some(true))
        .map(|facts| facts.sequence)
        .collect()
}

#[test]
fn keys_find_what_the_rfc_says() {
    // Day 20,000 is 4 October 2024.
    for (keys, numbers) in [
        ("ALL", &[1, 2, 3, 4][..]),
        ("SEEN", &[1, 4]),
        ("UNSEEN", &[2, 3]),
        ("SEEN UNANSWERED", &[1]),
        ("KEYWORD $junk", &[3]),
        ("UNKEYWORD $Junk", &[1, 2, 4]),
        ("KEYWORD other", &[]),
        ("UNKEYWORD other", &[1, 2, 3, 4]),
        ("2:3", &[2, 3]),
        ("4:2", &[2, 3, 4]),
        ("*", &[4]),
        ("9:*", &[4]),
        ("7", &[]),
        ("$", &[2, 4]),
        ("UID $ SEEN", &[4]),
        ("UID 3:10", &[2, 3]),
        ("UID 100:*", &[4]),
        ("UID 4:9", &[]),
        // RFC 5032: both have those that came at the very second.
        ("OLDER 86400", &[1]),
        ("OLDER 86401", &[]),
        ("OLDER 1", &[1]),
        ("YOUNGER 86400", &[1, 2, 3, 4]),
        ("YOUNGER 86399", &[2, 3, 4]),
        ("NOT YOUNGER 4294967295", &[]),
        ("BEFORE 5-Oct-2024", &[1]),
        ("ON 5-Oct-2024", &[2]),
        ("SINCE 5-Oct-2024", &[2, 3, 4]),
        ("LARGER 20", &[3, 4]),
        ("SMALLER 20", &[1]),
        ("RECENT", &[3, 4]),
        ("OLD", &[1, 2]),
        ("NEW", &[3]),
        ("NOT NEW", &[1, 2, 4]),
        ("NOT SEEN", &[2, 3]),
        ("OR ANSWERED KEYWORD $Junk", &[3, 4]),
        ("NOT (SEEN LARGER 15)", &[1, 2, 3]),
        ("CHARSET utf-8 1,3", &[1, 3]),
        ("SAVEDBEFORE 16-Oct-2024", &[1, 2]),
        ("SAVEDON 16-Oct-2024", &[3]),
        ("SAVEDSINCE 16-Oct-2024", &[3, 4]),
        ("SAVEDATESUPPORTED", &[1, 2, 3, 4]),
        ("EMAILID M2-5", &[2]),
        ("OR EMAILID M2-5 EMAILID M4-5", &[2, 4]),
        ("EMAILID m2-5", &[]),
        ("NOT EMAILID M2", &[1, 2, 3, 4]),
        ("THREADID T1", &[]),
        ("MODSEQ 8", &[2, 3]),
        ("NOT MODSEQ \"/flags/\\\\seen\" priv 8", &[1, 4]),
    ] {
        assert_eq!(found(keys), numbers, "{keys}");
    }
}

const FACTS: Facts = Facts {
    sequence: 1,
    uid: 2,
    flags: FlagBits(SEEN),
    received: noon(20_000),
    saved: noon(20_000),
    email: EmailId { body: 1, prefix: None },
    size: 10,
    modseq: 7,
};

/// Whether a message is found, read whole, and in pieces as a large one is.
fn finds(keys: &str, message: &[u8]) -> bool {
    let search = search(keys);
    let whole = search.matching(FACTS).whole(message);
    for size in [1, 7, 10_000] {
        let structure = Structure::of(message);
        let mut matching = search.matching(FACTS);
        matching.header(structure.header(structure.root()));
        matching.headers(&structure);
        for part in structure.parts() {
            let Some(mut reader) = TextReader::of(&structure, part) else { continue };
            let at = |offset| usize::try_from(offset).unwrap();
            for piece in message[at(part.body.start)..at(part.body.end)].chunks(size) {
                matching.piece(&mut reader, piece);
            }
            matching.part_end(&mut reader);
        }
        let verdict = matching.verdict();
        assert!(verdict.is_none_or(|verdict| verdict == whole), "{keys}");
        assert_eq!(matching.end(), whole, "{keys} in pieces of {size}");
    }
    whole
}

const LETTER: &str = "Date: Tue, 1 Oct 2024 23:30:00 -0800\r\n\
    From: =?utf-8?q?J=C3=BCrgen?= <j@a.test>\r\n\
    To: \"Ann, B.\" <ann@b.test>\r\n\
    Subject: A =?iso-8859-1?q?gr=FC?=\r\n =?iso-8859-1?q?=DFe?= from\r\n afar\r\n\
    X-Empty:\r\n\
    Content-Type: multipart/mixed; boundary=x\r\n\r\n\
    preamble\r\n\
    --x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nRWluIFNjaPZuZXIgVGV4dA==\r\n\
    --x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\
    X-Part: inner field\r\n\r\n<p>soft=\r\nbreak =E2=82=AC</p>\r\n\
    --x\r\nContent-Type: application/octet-stream\r\n\r\nbinary secret\r\n\
    --x\r\nContent-Type: message/rfc822\r\n\r\nSubject: forwarded\r\n\r\nnested words\r\n\
    --x--\r\nepilogue\r\n";

#[test]
fn what_stands_in_a_message_is_found() {
    for (keys, found) in [
        ("FROM \"jürgen\"", true),
        ("FROM \"J\u{dc}RGEN\"", true),
        ("FROM a.test", true),
        ("FROM ann", false),
        ("TO \"ann, b\"", true),
        ("CC ann", false),
        ("BCC \"\"", false),
        ("SUBJECT \"GRÜSSE\"", false),
        ("SUBJECT \"A Grüße FROM AFAR\"", true),
        ("SUBJECT =?iso", false),
        ("SUBJECT afar", true),
        ("HEADER X-Empty \"\"", true),
        ("HEADER x-empty a", false),
        ("HEADER X-None \"\"", false),
        ("HEADER X-Part inner", false),
        ("HEADER to \"\"", true),
        ("SENTON 1-Oct-2024", true),
        ("SENTON 2-Oct-2024", false),
        ("SENTBEFORE 1-Oct-2024", false),
        ("SENTBEFORE 2-Oct-2024", true),
        ("SENTSINCE 1-Oct-2024", true),
        ("SENTSINCE 2-Oct-2024", false),
        ("BODY \"ein schöner text\"", true),
        ("BODY softbreak", true),
        ("BODY \"€\"", true),
        ("BODY secret", false),
        ("BODY nested", true),
        ("BODY forwarded", false),
        ("BODY inner", false),
        ("BODY afar", false),
        ("BODY preamble", false),
        ("BODY \"texT<p>\"", false),
        ("BODY \"\"", true),
        ("TEXT forwarded", true),
        ("TEXT \"X-Part: inner\"", true),
        ("TEXT \"jürgen\"", true),
        ("TEXT \"schöner\"", true),
        ("TEXT secret", false),
        // Across two fields, and two texts.
        ("TEXT afarX-Empty", false),
        ("TEXT \"</p>nested\"", false),
        ("NOT TEXT secret", true),
        ("NOT BODY nested", false),
        ("OR BODY secret SUBJECT afar", true),
        ("BODY nested BODY \"schöner\" SEEN", true),
        ("BODY nested BODY secret", false),
        ("OR (BODY nested UNSEEN) NOT FROM ann", true),
    ] {
        assert_eq!(finds(keys, LETTER.as_bytes()), found, "{keys}");
    }
}

#[test]
fn odd_messages_are_searched_too() {
    for (keys, message, found) in [
        ("BODY a", &b""[..], false),
        ("TEXT a", b"", false),
        ("BODY text", b"\r\nthe text", true),
        ("SENTON 1-Oct-2024", b"Date: nonsense\r\n\r\n", false),
        ("NOT SENTSINCE 1-Oct-2024", b"\r\n", true),
        ("SUBJECT \"\"", b"A: 1\r\n\r\nSubject: no\r\n", false),
        ("SUBJECT x", b"Subject: a\r\nSubject: x\r\n\r\n", true),
        (
            "BODY inside",
            b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ninside",
            true,
        ),
        ("BODY inside", b"Content-Type: multipart/mixed\r\n\r\ninside", true),
        ("SUBJECT \"gr\u{fc}\"", b"Subject: gr\xC3\xBC\r\n\r\n", true),
    ] {
        assert_eq!(finds(keys, message), found, "{keys} in {}", message.escape_ascii());
    }
}

#[test]
fn a_message_is_read_only_as_far_as_it_decides() {
    let verdict = |keys: &str| search(keys).matching(FACTS).verdict();
    assert_eq!(verdict("UNSEEN BODY a"), Some(false));
    assert_eq!(verdict("BODY a UNSEEN"), Some(false));
    assert_eq!(verdict("OR BODY a SEEN"), Some(true));
    assert_eq!(verdict("OR BODY a UNSEEN"), None);
    assert_eq!(verdict("NOT (SUBJECT a SEEN)"), None);
    assert_eq!(verdict("NOT (SUBJECT a UNSEEN)"), Some(true));
    let after_header = |keys: &str| {
        let search = search(keys);
        let mut matching = search.matching(FACTS);
        matching.header(b"Subject: abc\r\n\r\n");
        matching.verdict()
    };
    assert_eq!(after_header("OR BODY x SUBJECT b"), Some(true));
    assert_eq!(after_header("TEXT x SUBJECT d"), Some(false));
    assert_eq!(after_header("TEXT x SUBJECT b"), None);
}

proptest::proptest! {
    #[test]
    fn any_bytes_can_be_searched(
        message in proptest::collection::vec(proptest::sample::select(
            b"Subject: =?utf-8?q?\r\n\r\n--x\xC3\xA4".to_vec()), 0..80),
        boundary in proptest::bool::ANY,
    ) {
        let head: &[u8] = if boundary {
            b"Content-Type: multipart/mixed; boundary=x\r\n"
        } else {
            b"Content-Transfer-Encoding: quoted-printable\r\n"
        };
        let message = [head, &message].concat();
        for keys in ["TEXT ub", "BODY =", "OR SUBJECT \"\u{e4}\" BODY x"] {
            let _found_or_not = finds(keys, &message);
        }
    }
}
