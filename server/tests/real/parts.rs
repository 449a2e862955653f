//! Looking into messages that are too large to be held: what is told of them must be what is told
//! of small ones.

use crate::on_each_runtime;
use crate::server::Place;
use crate::talk::Imap;

on_each_runtime!(
    parts_of_a_large_message_are_told_and_searched,
    fields_of_an_endless_header_are_found_up_to_a_limit,
);

/// How much of a large message is read at once (`server/src/imap/fetch.rs`).
const PIECE: usize = 256 << 10;

struct Large {
    whole: Vec<u8>,
    header: String,
    text: Vec<u8>,
    file: Vec<u8>,
}

/// A text with a word across the border of two pieces, a file, and a message in it.
fn large() -> Large {
    let header =
        "Date: 1 Oct 2024 10:00 +0000\r\nFrom: ann@b.test\r\nSubject: =?utf-8?q?gro=C3=9F?=\r\n\
        Content-Type: multipart/mixed; boundary=x\r\n\r\n"
            .to_owned();
    let mut text = b"some words and no more\r\n".repeat(2 * PIECE / 24);
    for (at, word) in [(PIECE - 3, &b"Nadel"[..]), (text.len() - 7, b"Ende")] {
        text[at..at + word.len()].copy_from_slice(word);
    }
    let file = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlq\r\n".repeat(10_000);
    let mut whole = header.clone().into_bytes();
    whole.extend_from_slice(b"--x\r\nContent-Type: text/plain\r\n\r\n");
    whole.extend_from_slice(&text);
    whole.extend_from_slice(
        b"\r\n--x\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    );
    whole.extend_from_slice(&file);
    whole.extend_from_slice(
        b"\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nTo: c@d.test\r\n\r\nlast\r\n--x--\r\n",
    );
    Large { whole, header, text, file }
}

fn parts_of_a_large_message_are_told_and_searched(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let mut imap = Imap::login(place.imap(), "user");
    let Large { whole, header, text, file } = large();
    assert!(imap.append("INBOX", b"Subject: small\r\n\r\nsmall words\r\n").starts_with("OK"));
    assert!(imap.append("INBOX", &whole).starts_with("OK"));
    imap.command("EXAMINE INBOX");
    told(&mut imap, &text, &file);
    let mut section = |name: &str| {
        let told = imap.command(&format!("FETCH 2 BODY.PEEK[{name}]"));
        assert!(
            told[0].starts_with(format!("* 2 FETCH (BODY[{}", &name[..1]).as_bytes()),
            "{name}"
        );
        told[1].clone()
    };
    assert_eq!(section("HEADER"), header.as_bytes());
    assert!(section("TEXT") == whole[header.len()..]);
    assert_eq!(section("HEADER.FIELDS (FROM)"), b"From: ann@b.test\r\n\r\n");
    assert!(section("1") == text);
    assert!(section("2") == file);
    assert_eq!(section("1.MIME"), b"Content-Type: text/plain\r\n\r\n");
    assert_eq!(section("3.HEADER"), b"Subject: inner\r\nTo: c@d.test\r\n\r\n");
    assert_eq!(section("3.HEADER.FIELDS.NOT (To)"), b"Subject: inner\r\n\r\n");
    assert_eq!(section("3.TEXT"), b"last");
    assert_eq!(section("3.1"), b"last");
    assert_eq!(section("4"), b"");
    let mut pieces = Vec::new();
    loop {
        let told = imap.command(&format!("FETCH 2 BODY.PEEK[2]<{}.200000>", pieces.len()));
        if told[1].is_empty() {
            break;
        }
        pieces.extend_from_slice(&told[1]);
    }
    assert!(pieces == file);
    searched(&mut imap);
    server.stop();
}

fn told(imap: &mut Imap, text: &[u8], file: &[u8]) {
    let told = imap.command("FETCH 2 (BODY ENVELOPE)");
    let from = "((NIL NIL \"ann\" \"b.test\"))";
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    let expected = format!(
        "* 2 FETCH (BODY ((\"text\" \"plain\" NIL NIL NIL \"7bit\" {} {})\
         (\"application\" \"octet-stream\" NIL NIL NIL \"base64\" {})\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 36 \
         (NIL \"inner\" NIL NIL NIL ((NIL NIL \"c\" \"d.test\")) NIL NIL NIL NIL) \
         (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 0) 3) \"mixed\") \
         ENVELOPE (\"1 Oct 2024 10:00 +0000\" \"=?utf-8?q?gro=C3=9F?=\" {from} {from} {from} \
         NIL NIL NIL NIL NIL))",
        text.len(),
        lines(text),
        file.len(),
    );
    assert_eq!(String::from_utf8_lossy(&told[0]), expected);
    // The header alone is enough for this one.
    let told = imap.command("FETCH 2 ENVELOPE");
    assert!(expected.ends_with(std::str::from_utf8(&told[0][b"* 2 FETCH (".len()..]).unwrap()));
}

fn searched(imap: &mut Imap) {
    for (keys, found) in [
        ("BODY nadel", "* SEARCH 2"),
        ("TEXT ende", "* SEARCH 2"),
        ("TEXT nothing", "* SEARCH"),
        ("BODY words", "* SEARCH 1 2"),
        ("BODY QUJDRE", "* SEARCH"),
        ("TEXT inner", "* SEARCH 2"),
        ("BODY last", "* SEARCH 2"),
        ("SUBJECT \"GROSS\"", "* SEARCH"),
        ("SUBJECT \"Groß\"", "* SEARCH 2"),
        ("SENTON 1-Oct-2024", "* SEARCH 2"),
        ("NOT FROM ann", "* SEARCH 1"),
        ("FROM ann NOT TEXT last", "* SEARCH"),
    ] {
        let told = imap.command(&format!("SEARCH {keys}"));
        assert_eq!(String::from_utf8_lossy(&told[0]), found, "{keys}");
    }
}

/// 1 MiB of a header is looked through for single fields; how long it is, is told exactly.
fn fields_of_an_endless_header_are_found_up_to_a_limit(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let mut imap = Imap::login(place.imap(), "user");
    let filling = format!("X: {}\r\n", "a".repeat(1_019)).repeat(1_023);
    let early = format!("Early: {}\r\n", "b".repeat(1_015));
    let header = format!("{filling}{early}Late: c\r\n\r\n");
    assert_eq!(filling.len() + early.len(), 1 << 20);
    for before in ["", "A: 1\r\n"] {
        let message = format!("{before}{header}text");
        assert!(imap.append("INBOX", message.as_bytes()).starts_with("OK"));
    }
    imap.command("EXAMINE INBOX");
    assert_eq!(imap.command("FETCH 1 BODY.PEEK[HEADER]")[1], header.as_bytes());
    assert_eq!(imap.command("FETCH 1 BODY.PEEK[TEXT]")[1], b"text");
    let found = imap.command("FETCH 1 BODY.PEEK[HEADER.FIELDS (EARLY LATE)]");
    assert_eq!(found[1], early.as_bytes());
    // A little later, and it is not whole any more.
    let found = imap.command("FETCH 2 BODY.PEEK[HEADER.FIELDS (A EARLY LATE)]");
    assert_eq!(found[1], b"A: 1\r\n");
    server.stop();
}
