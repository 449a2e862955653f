//! Searches of messages that nobody should have written, and each key by itself.

use super::*;
use crate::imap::flags::{DELETED, DRAFT, FLAGGED};

/// A text of this charset and transfer encoding.
fn text(charset: &str, encoding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "Content-Type: text/plain{charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn encoded_words_are_searched_as_they_are_read() {
    for (keys, field, found) in [
        ("SUBJECT \"grüße\"", &b"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?="[..], true),
        ("SUBJECT \"grüße\"", b"Subject: =?utf-8?B?R3LDvMOfZQ==?=", true),
        // Base64 without its end, and in lower case letters of the encoding's name.
        ("SUBJECT \"grüße\"", b"Subject: =?UTF-8?b?R3LDvMOfZQ?=", true),
        // RFC 2047 §6.2: the white space between two of them is none of the text.
        ("SUBJECT onetwo", b"Subject: =?utf-8?q?one?=  =?utf-8?q?two?=", true),
        ("SUBJECT onetwo", b"Subject: =?utf-8?q?one?=\r\n\t =?utf-8?b?dHdv?=", true),
        ("SUBJECT onetwo", b"Subject: =?utf-8?q?one?==?utf-8?q?two?=", true),
        ("SUBJECT \"one two\"", b"Subject: =?utf-8?q?one?= =?utf-8?q?_two?=", true),
        ("SUBJECT \"one two\"", b"Subject: =?utf-8?q?one?= two", true),
        ("SUBJECT onetwo", b"Subject: =?utf-8?q?one?= two", false),
        // Of different charsets, too.
        (
            "SUBJECT \"äя€\"",
            b"Subject: =?iso-8859-1?q?=E4?= =?koi8-r?q?=D1?=\r\n =?iso-8859-15?q?=A4?=",
            true,
        ),
        // A character that begins in one and ends in the next.
        ("SUBJECT \"x€y\"", b"Subject: =?utf-8?q?x=E2=82?= =?utf-8?q?=ACy?=", true),
        ("SUBJECT \"x€y\"", b"Subject: =?utf-8?q?x=E2?= =?UTF-8?b?gqx5?=", true),
        ("SUBJECT \"x€y\"", b"Subject: =?utf-8?q?x=E2=82?= - =?utf-8?q?=ACy?=", false),
        ("SUBJECT \"日本\"", b"Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", true),
        ("SUBJECT \"日本\"", b"Subject: =?shift_jis?B?k/o=?= =?shift_jis?B?lns=?=", true),
        // A charset that nobody knows is read as UTF-8.
        ("SUBJECT \"aä\"", b"Subject: =?x-unknown?q?a=C3=A4?=", true),
        // Of phrases, comments, and where there should be none: in quotes.
        (
            "FROM \"jürgen groß\"",
            b"From: =?utf-8?q?J=C3=BCrgen?= =?utf-8?q?_Gro=C3=9F?= <j@a.test>",
            true,
        ),
        ("FROM \"jürgen <j@\"", b"From: =?utf-8?q?J=C3=BCrgen?= <j@a.test>", true),
        ("FROM \"jürgen\"", b"From: j@a.test (=?iso-8859-1?q?J=FCrgen?=)", true),
        ("FROM \"jürgen\"", b"From: \"=?iso-8859-1?q?J=FCrgen?=\" <j@a.test>", true),
        // What is no encoded word stands as it is.
        ("SUBJECT =?utf-8?q?a", b"Subject: =?utf-8?q?a", true),
        ("SUBJECT =?utf-8?z?a?=", b"Subject: =?utf-8?z?a?=", true),
        ("SUBJECT utf-8", b"Subject: =?utf-8?q?a?=", false),
        // Blanks in an encoded word, and one that is folded: neither is allowed.
        ("SUBJECT \"a b\"", b"Subject: =?utf-8?q?a b?=", true),
        ("SUBJECT \"a b\"", b"Subject: =?utf-8?q?a\r\n b?=", true),
        // An octet that is not of the charset does no harm to what is around it.
        ("SUBJECT abc", b"Subject: =?utf-8?q?=FF?= abc", true),
        ("SUBJECT \"\"", b"Subject: =?utf-8?q??=", true),
        ("SUBJECT ab", b"Subject: a=?utf-8?q??=b", true),
    ] {
        let message = [b"X: 1\r\n", field, b"\r\n\r\ntext"].concat();
        assert_eq!(finds(keys, &message), found, "{keys} in {}", field.escape_ascii());
        // TEXT sees what each field sees.
        let (_, string) = keys.split_once(' ').unwrap();
        assert_eq!(finds(&format!("TEXT {string}"), &message), found || string == "\"\"", "{keys}");
    }
}

#[test]
fn fields_are_searched_unfolded() {
    for (keys, head, found) in [
        ("SUBJECT \"one two\"", &b"Subject: one\r\n two\r\n"[..], true),
        ("SUBJECT \"one two\"", b"Subject: one\n two\n", true),
        ("SUBJECT onetwo", b"Subject: one\r\n two\r\n", false),
        ("SUBJECT \"one\ttwo\"", b"Subject: one\r\n\ttwo\r\n", true),
        ("SUBJECT \"one  two\"", b"Subject: one \r\n two\r\n", true),
        ("SUBJECT one", b"Subject:\r\n one\r\n", true),
        ("SUBJECT one", b"subject : one\r\n", true),
        ("SUBJECT one", b"Subject:one\r\n", true),
        // The name of a field is no part of it, except for TEXT.
        ("SUBJECT subject", b"Subject: one\r\n", false),
        ("TEXT \"subject: one\"", b"Subject:   one\r\n", true),
        // A field that comes many times, and one that was never closed.
        (
            "HEADER Received third",
            b"Received: first\r\nReceived: second\r\nReceived: third\r\n",
            true,
        ),
        ("HEADER Received firstsecond", b"Received: first\r\nReceived: second\r\n", false),
        ("SUBJECT one", b"X: 1\r\nSubject: one", true),
        // RFC 3501 §6.4.4: the empty string asks whether there is such a field.
        ("HEADER X-Empty \"\"", b"X-Empty:\r\n", true),
        ("HEADER X-EMPTY \"\"", b"x-empty:   \r\n", true),
        ("HEADER X \"\"", b"X-Empty: a\r\n", false),
        ("HEADER \"\" \"\"", b"X: a\r\n", false),
        ("HEADER \"X:\" a", b"X: a\r\n", false),
        ("BCC \"\"", b"To: a@x.test\r\n", false),
        // Lines that are no fields.
        ("TEXT garbage", b"X: 1\r\ngarbage\r\nSubject: one\r\n", false),
        ("SUBJECT one", b"X: 1\r\ngarbage\r\nSubject: one\r\n", true),
        // RFC 6532 §3.1, and bytes that are of no charset.
        ("SUBJECT \"grüße\"", b"Subject: Gr\xC3\xBC\xC3\x9Fe\r\n", true),
        ("SUBJECT after", b"Subject: Gr\xFC\xDFe after\r\n", true),
        ("SUBJECT ab", b"Subject: a\0b\r\n", true),
        // Groups have names, and members (RFC 5322 §3.4).
        ("FROM team", b"From: Team: a@x.test, B <b@y.test>;\r\n", true),
        ("FROM b@y.test", b"From: Team: a@x.test, B <b@y.test>;\r\n", true),
        ("TO undisclosed", b"To: undisclosed-recipients:;\r\n", true),
        ("TO @", b"To: undisclosed-recipients:;\r\n", false),
        ("CC c@x.test", b"Cc: A: c@x.test; , B: d@y.test\r\n", true),
        ("BCC d@y.test", b"bcc: A: c@x.test; , B: d@y.test\r\n", true),
        ("FROM b@y.test", b"Sender: b@y.test\r\nReply-To: b@y.test\r\n", false),
    ] {
        let message = [head, b"\r\nthe text"].concat();
        assert_eq!(finds(keys, &message), found, "{keys} in {}", head.escape_ascii());
    }
}

#[test]
fn texts_are_searched_decoded() {
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
    for (string, message) in [
        // RFC 2045 §5.2: no Content-Type is plain text.
        ("plain", b"\r\nplain".to_vec()),
        ("plain", b"Content-Type: nonsense\r\n\r\nplain".to_vec()),
        ("hello world", text("", "base64", b"aGVsbG8gd29ybGQ=")),
        ("hello world", text("", "BASE64", b"aGVs*bG8\r\n\tg!d2\r\n9y%bGQ=\r\n")),
        ("hello world", text("", "base64", b"aGVsbG8=IHdvcmxk")),
        ("hello world", text("", "base64", b"aGVsbG8gd29ybGQ")),
        ("hello world", text("", "quoted-printable", b"hel=\r\nlo wor=\nld")),
        ("hello world", text("", "quoted-printable", b"hello=20wor= \t\r\nld=")),
        ("a=xz b", text("", "quoted-printable", b"a=XZ b")),
        ("aäb", text("; charset=utf-8", "quoted-printable", b"a=C3=\r\n=A4b")),
        // Unknown encodings are read as they stand.
        ("as it is", text("", "x-unknown", b"as it is")),
        ("as it is", text("", "8bit (comment)", b"as it is")),
        ("grüße", text("; charset=iso-8859-1", "8bit", b"Gr\xFC\xDFe")),
        ("grüße", text("; charset=\"ISO-8859-1\"", "8bit", b"Gr\xFC\xDFe")),
        ("grüße", text("; charset*=us-ascii'en'iso-8859-1", "8bit", b"Gr\xFC\xDFe")),
        ("grüße", text("; charset*0=iso-; charset*1=8859-1", "8bit", b"Gr\xFC\xDFe")),
        ("5 €", text("; charset=iso-8859-15", "8bit", b"5 \xA4")),
        ("5 €", text("; charset=windows-1252", "8bit", b"5 \x80")),
        ("привет", text("; charset=koi8-r", "8bit", b"\xF0\xD2\xC9\xD7\xC5\xD4")),
        ("日本", text("; charset=shift_jis", "base64", b"k/qWew==")),
        ("日本", text("; charset=iso-2022-jp", "7bit", b"\x1B$BF|K\\\x1B(B")),
        ("日本", text("; charset=gb18030", "8bit", b"\xC8\xD5\xB1\xBE")),
        ("💌", text("; charset=gb18030", "8bit", b"\x94\x39\xD7\x34")),
        ("grüße 💌", text("; charset=utf-16be", "8bit", &utf16("Grüße 💌"))),
        ("grüße", text("; charset=x-unknown", "8bit", "Grüße".as_bytes())),
        ("grüße", text("; charset=us-ascii", "8bit", "Grüße".as_bytes())),
        ("grüße", text("; charset=", "8bit", "Grüße".as_bytes())),
        // Case beyond ASCII, and what has none.
        ("ПРИВЕТ Ä É Ω", "\r\nпривет ä é ω".as_bytes().to_vec()),
        ("привет ä é ω", "\r\nПРИВЕТ Ä É Ω".as_bytes().to_vec()),
        ("ﬁ ß", "\r\nﬁ ß".as_bytes().to_vec()),
        // Octets that no text has.
        ("after", b"\r\na\0\xFF\x80after".to_vec()),
        ("one\rtwo", b"\r\none\rtwo".to_vec()),
    ] {
        let literal = format!("{{{}+}}\r\n{string}", string.len());
        for key in ["BODY", "TEXT"] {
            assert!(finds(&format!("{key} {literal}"), &message), "{key} {string}");
        }
        assert!(!finds(&format!("OR SUBJECT {literal} FROM {literal}"), &message), "{string}");
    }
}

/// A multipart with these parts.
fn multipart(parts: &[&str], end: &str) -> String {
    let mut out = "Content-Type: multipart/alternative; boundary=b\r\n\r\n".to_owned();
    for part in parts {
        out.push_str("--b\r\n");
        out.push_str(part);
        out.push_str("\r\n");
    }
    out + end
}

#[test]
fn parts_of_every_kind_are_searched() {
    let nested = "Content-Type: message/rfc822\r\n\r\nSubject: carried\r\n\
        X-Inner: =?utf-8?q?gr=C3=BCn?=\r\n\r\nletter inside";
    for (keys, message, found) in [
        // Alternatives are all looked at, HTML as it stands.
        (
            "BODY plain",
            multipart(&["\r\nplain", "Content-Type: text/html\r\n\r\n<b>h&auml;</b>"], ""),
            true,
        ),
        (
            "BODY \"<b>h&auml\"",
            multipart(&["\r\nplain", "Content-Type: text/html\r\n\r\n<b>h&auml;</b>"], "--b--\r\n"),
            true,
        ),
        // A boundary that never comes closes at the end.
        ("BODY last", multipart(&["\r\nfirst", "\r\nthe last"], ""), true),
        ("BODY last", multipart(&["\r\nfirst", "\r\nthe last"], "--b-"), true),
        // What stands around parts is of none of them.
        ("BODY epilogue", multipart(&["\r\nfirst"], "--b--\r\nepilogue"), false),
        ("TEXT epilogue", multipart(&["\r\nfirst"], "--b--\r\nepilogue"), false),
        // Nothing is found across two parts, nor in what divides them.
        ("BODY firstsecond", multipart(&["\r\nfirst", "\r\nsecond"], ""), false),
        ("BODY --b", multipart(&["\r\nfirst", "\r\nsecond"], ""), false),
        // RFC 9051 §6.4.4: TEXT is in any header, those of parts and of messages inside, too; BODY
        // is in no field of any header.
        ("TEXT carried", multipart(&[nested], ""), true),
        ("TEXT \"grün\"", multipart(&[nested], ""), true),
        ("TEXT \"x-inner: grün\"", multipart(&[nested], ""), true),
        ("TEXT message/rfc822", multipart(&[nested], ""), true),
        ("TEXT inside", multipart(&[nested], ""), true),
        ("BODY inside", multipart(&[nested], ""), true),
        ("BODY carried", multipart(&[nested], ""), false),
        ("BODY message/rfc822", multipart(&[nested], ""), false),
        ("SUBJECT carried", multipart(&[nested], ""), false),
        ("HEADER X-Inner \"\"", multipart(&[nested], ""), false),
        ("TEXT carried", nested.to_owned(), true),
        ("BODY inside", nested.to_owned(), true),
        ("SUBJECT carried", nested.to_owned(), false),
        // RFC 3501 §6.4.4: what is neither text nor message may be left out, but not its header.
        (
            "BODY hidden",
            multipart(&["Content-Type: image/png; name=photo\r\n\r\nhidden"], ""),
            false,
        ),
        (
            "TEXT hidden",
            multipart(&["Content-Type: image/png; name=photo\r\n\r\nhidden"], ""),
            false,
        ),
        ("TEXT photo", multipart(&["Content-Type: image/png; name=photo\r\n\r\nhidden"], ""), true),
        // Delivery reports are texts.
        (
            "BODY \"action: failed\"",
            multipart(&["Content-Type: message/delivery-status\r\n\r\nAction: failed"], ""),
            true,
        ),
        // A multipart that cannot be taken apart is looked at as it stands.
        (
            "BODY whole",
            "Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\nthe whole".to_owned(),
            true,
        ),
        (
            "BODY whole",
            "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\nthe whole".to_owned(),
            true,
        ),
        // No part of an empty message has anything but the empty string.
        ("BODY \"\"", String::new(), true),
        ("TEXT \"\"", String::new(), true),
        ("NOT BODY \"\"", "\r\nx".to_owned(), false),
        ("BODY x", String::new(), false),
    ] {
        assert_eq!(finds(keys, message.as_bytes()), found, "{keys} in {message:?}");
    }
}

/// RFC 9051 §6.4.4: the day that is written there, whatever the time and the zone.
#[test]
fn dates_are_days_as_they_are_written() {
    for (date, day) in [
        ("Tue, 1 Oct 2024 23:59:59 -1200", "1-Oct-2024"),
        ("Tue, 1 Oct 2024 00:00:00 +1400", "1-Oct-2024"),
        ("1 Oct 2024 24:61 nowhere", "1-Oct-2024"),
        ("01 Oct 2024", "1-Oct-2024"),
        // RFC 5322 §4.3: zones by name, years of two and three digits.
        ("Tue, 1 Oct 24 12:00:00 EST", "1-Oct-2024"),
        ("Fri, 1 Oct 99 12:00:00 GMT", "1-Oct-1999"),
        ("Tue, 1 Oct 124 12:00:00 A", "1-Oct-2024"),
        // Comments and folds may stand between any two words.
        ("(a) Tue (b), 1 (c (d)) Oct\r\n (e) 2024 (f) 12:00 +0000 (UTC)", "1-Oct-2024"),
        ("tuesday 1 october 2024", "1-Oct-2024"),
        ("1-Oct-2024 12:00", "1-Oct-2024"),
        ("29 Feb 2024 12:00 +0000", "29-Feb-2024"),
    ] {
        let message = format!("Date: {date}\r\nDate: 5 May 2005 12:00 +0000\r\n\r\n");
        for (keys, found) in [
            (format!("SENTON {day}"), true),
            (format!("SENTON \"{day}\""), true),
            (format!("SENTSINCE {day}"), true),
            (format!("SENTBEFORE {day}"), false),
            ("SENTBEFORE 2-Oct-2024".to_owned(), true),
            ("SENTSINCE 2-Oct-2024".to_owned(), false),
            ("SENTON 5-May-2005".to_owned(), false),
        ] {
            assert_eq!(finds(&keys, message.as_bytes()), found, "{keys}: {date}");
        }
    }
    // What names no day is of none, neither before nor since.
    for head in ["", "Date:\r\n", "Date: 30 Feb 2024 12:00 +0000\r\n", "Date: Oct 1 2024\r\n"] {
        let message = format!("{head}\r\n");
        let any = "OR SENTON 1-Oct-2024 OR SENTBEFORE 1-Jan-3000 SENTSINCE 1-Jan-1900";
        assert!(!finds(any, message.as_bytes()), "{head}");
        assert!(finds(&format!("NOT ({any})"), message.as_bytes()), "{head}");
    }
}

/// Whether two messages satisfy a key: one that has all that can be had, and one that has little.
fn judged(keys: &str) -> (bool, bool) {
    let all = ANSWERED | DELETED | DRAFT | FLAGGED | SEEN | 1 << 5;
    let with = Facts { sequence: 4, uid: 11, flags: FlagBits(all), size: 100, ..FACTS };
    let without = Facts { sequence: 1, uid: 2, flags: FlagBits(0), size: 101, ..FACTS };
    let without = Facts { received: noon(20_001), ..without };
    let letter = b"Date: 1 Oct 2024 12:00 +0000\r\nFrom: here\r\nTo: here\r\nCc: here\r\n\
        Bcc: here\r\nSubject: here\r\n\r\nhere";
    let other = b"Date: 2 Oct 2024 12:00 +0000\r\nX: there\r\n\r\nnothing";
    let search = search(keys);
    (search.matching(with).whole(letter), search.matching(without).whole(other))
}

/// Keys may be written in any case.
fn judges(table: &[(&str, bool, bool)]) {
    for (keys, one, two) in table {
        assert_eq!(judged(keys), (*one, *two), "{keys}");
        assert_eq!(judged(&keys.to_lowercase()), (*one, *two), "{keys} in lower case");
    }
}

/// Every key of RFC 3501 §6.4.4 and RFC 9051 §6.4.4, from A
#[test]
fn each_key_by_itself() {
    judges(&[
        ("ALL", true, true),
        ("4", true, false),
        ("1:3", false, true),
        ("*", true, false),
        ("*:4", true, false),
        ("5:*", true, false),
        ("1,*", true, true),
        ("5", false, false),
        ("ANSWERED", true, false),
        ("BCC HERE", true, false),
        ("BEFORE 5-Oct-2024", true, false),
        ("BODY HERE", true, false),
        ("CC HERE", true, false),
        ("DELETED", true, false),
        ("DRAFT", true, false),
        ("FLAGGED", true, false),
        ("FROM HERE", true, false),
        ("HEADER X THERE", false, true),
        ("HEADER X \"\"", false, true),
        ("KEYWORD $JUNK", true, false),
        ("KEYWORD none", false, false),
        ("LARGER 99", true, true),
        ("LARGER 100", false, true),
        ("LARGER 101", false, false),
        ("NEW", false, false),
        ("NOT 4", false, true),
        ("OLD", false, true),
        ("ON 4-Oct-2024", true, false),
        ("OR 4 1", true, true),
        ("OR 4 4", true, false),
        ("RECENT", true, false),
        ("SEEN", true, false),
    ]);
}

/// to Z.
#[test]
fn each_further_key_by_itself() {
    judges(&[
        ("SENTBEFORE 2-Oct-2024", true, false),
        ("SENTON 1-Oct-2024", true, false),
        ("SENTSINCE 2-Oct-2024", false, true),
        ("SINCE 5-Oct-2024", false, true),
        ("SMALLER 100", false, false),
        ("SMALLER 101", true, false),
        ("SMALLER 102", true, true),
        ("SMALLER 0", false, false),
        ("SUBJECT HERE", true, false),
        ("TEXT HERE", true, true),
        ("TEXT THERE", false, true),
        ("TO HERE", true, false),
        ("UID 11", true, false),
        ("UID 2:10", false, true),
        ("UID *", true, false),
        ("UID 12:*", true, false),
        ("UID 4", false, false),
        ("UNANSWERED", false, true),
        ("UNDELETED", false, true),
        ("UNDRAFT", false, true),
        ("UNFLAGGED", false, true),
        ("UNKEYWORD $Junk", false, true),
        ("UNKEYWORD none", true, true),
        ("UNSEEN", false, true),
    ]);
}

#[test]
fn keys_within_keys() {
    judges(&[
        ("(4)", true, false),
        ("(((SEEN)))", true, false),
        ("SEEN BODY here LARGER 99", true, false),
        ("SEEN BODY nothing", false, false),
        ("NOT NOT SEEN", true, false),
        ("NOT OR SEEN BODY nothing", false, false),
        ("OR NOT SEEN (BODY here DELETED)", true, true),
        ("OR OR OR 5 6 7 (NOT (NOT BODY nothing))", false, true),
        ("NOT (OR SEEN BODY here)", false, true),
    ]);
}
