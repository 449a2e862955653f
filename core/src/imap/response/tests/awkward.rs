//! What is told of messages that nobody should have written is always of the grammar.

use proptest::prelude::*;

use super::strict::{Reader, Shape};
use super::*;
use crate::mime::{BOUNDARY_BYTES_MAX, Digest};

/// Reads what is told of a message; gives its parts.
fn told(structure: &Structure) -> Shape {
    let mut out = Vec::new();
    let mut fetch = Fetch::begin(1, &mut out);
    fetch.envelope(structure.header(structure.root()), &mut out);
    fetch.structure(structure, true, &mut out);
    fetch.structure(structure, false, &mut out);
    fetch.end(&mut out);
    let mut reader = Reader(&out);
    reader.take("* 1 FETCH (ENVELOPE ");
    reader.envelope();
    reader.take(" BODYSTRUCTURE ");
    let shape = reader.body(true);
    reader.take(" BODY ");
    assert_eq!(reader.body(false), shape);
    reader.take(")\r\n");
    assert_eq!(reader.0, b"");
    shape
}

/// The same by the message and by what is kept of it.
fn shape(message: &[u8]) -> Shape {
    let structure = Structure::of(message);
    let shape = told(&structure);
    assert_eq!(shape.parts, structure.parts().count());
    if let Some(digest) = Digest::read(&Digest::of(message), message.len() as u64) {
        assert_eq!(told(digest.structure()), shape);
    }
    shape
}

#[test]
fn boundaries_good_and_bad() {
    let long = "b".repeat(BOUNDARY_BYTES_MAX);
    let too_long = format!("{long}b");
    for (parameters, delimiter, parts, depth) in [
        ("boundary=b", "b", 3, 2),
        ("boundary=\"b c\"", "b c", 3, 2),
        ("boundary=\"b\\\"c\"", "b\"c", 3, 2),
        ("boundary=\"\"", "", 1, 1),
        ("boundary=", "", 1, 1),
        ("charset=utf-8", "b", 1, 1),
        (&format!("boundary={long}"), &long, 3, 2),
        (&format!("boundary={too_long}"), &too_long, 1, 1),
        // RFC 2231 §3, §4: in pieces, with a charset; the plain one goes first.
        ("boundary*0=y; boundary*1=z", "yz", 3, 2),
        ("boundary*=us-ascii''y%20z", "y z", 3, 2),
        ("boundary*0=y; boundary=x", "x", 3, 2),
    ] {
        let message = format!(
            "Content-Type: multipart/mixed; {parameters}\r\n\r\n--{delimiter}\r\n\r\none\r\n\
             --{delimiter}\r\n\r\ntwo\r\n--{delimiter}--\r\n"
        );
        assert_eq!(shape(message.as_bytes()), Shape { parts, depth }, "{parameters}");
    }
}

#[test]
fn broken_messages_have_the_parts_that_were_meant() {
    let same = "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--";
    for (head, body, parts, depth) in [
        ("", "", 1, 1),
        ("no field at all", "", 1, 1),
        ("\r\n\r\n", "\r\n", 1, 1),
        // What has no part is no multipart, and a delimiter without a line end opens none.
        ("Content-Type: multipart/mixed; boundary=b", "--b", 1, 1),
        ("Content-Type: multipart/mixed; boundary=b", "--b--", 1, 1),
        ("Content-Type: multipart/mixed; boundary=b", "--b\r\n", 2, 2),
        ("Content-Type: multipart/digest; boundary=b", "--b\r\n--b\r\n", 5, 3),
        // The innermost has a delimiter that several may have.
        ("Content-Type: multipart/mixed; boundary=b", same, 3, 3),
        // Of fields that come twice the first counts.
        ("Content-Type: a/b\r\nContent-Type: multipart/mixed; boundary=b", "--b\r\n", 1, 1),
        ("Content-Type: multipart/mixed; boundary=b\r\nContent-Type: a/b", "--b\r\n", 2, 2),
        ("Content-Type: multipart/; boundary=b", "--b\r\n\r\nx", 1, 1),
        ("Content-Type: /mixed; boundary=b", "--b\r\n\r\nx", 1, 1),
        ("Content-Type: message/rfc822", "", 2, 2),
        ("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64", "QQ==", 2, 2),
        // RFC 3501 §9: only a message/rfc822 has an envelope.
        ("Content-Type: message/global", "Subject: x", 1, 1),
        ("Content-Type: message/external-body; access-type=x", "Content-Type: a/b", 1, 1),
        (&format!("Subject: {}", "x".repeat(100_000)), "", 1, 1),
        (&format!("Subject: {}", "x\r\n y".repeat(20_000)), "", 1, 1),
        (&format!("To: {}", "(".repeat(100_000)), "", 1, 1),
        (&format!("To: {}", "a:".repeat(10_000)), "", 1, 1),
        ("Content-Transfer-Encoding: \"\0\"\r\nContent-Language: \"\0\"", "", 1, 1),
        ("Content-ID: \0\r\nContent-Type: a/b; c=\"\0\"\r\nFrom: \"\0\" <\0@\0>", "", 1, 1),
    ] {
        let message = format!("{head}\r\n\r\n{body}");
        let start = message.get(..200).unwrap_or(&message);
        assert_eq!(shape(message.as_bytes()), Shape { parts, depth }, "{start:?}");
    }
}

#[test]
fn as_many_parts_and_as_deep_as_there_may_be() {
    let many = |count: usize| {
        let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
        head + &"--b\r\n\r\nx\r\n".repeat(count) + "--b--\r\n"
    };
    let deep = |depth: usize| "Content-Type: message/rfc822\r\n\r\n".repeat(depth - 1) + "\r\nx";
    for (message, parts, depth) in [
        (many(999), 1_000, 2),
        (many(1_000), 1_001, 2),
        (many(1_001), 1_001, 2),
        (many(100_000), 1_001, 2),
        (deep(31), 31, 31),
        (deep(32), 32, 32),
        (deep(33), 32, 32),
        (deep(10_000), 32, 32),
    ] {
        assert_eq!(shape(message.as_bytes()), Shape { parts, depth });
    }
}

/// Pieces of what is often wrong in mail.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        &b"Content-Type: multipart/mixed; boundary=x\r\n"[..],
        b"Content-Type: multipart/digest; boundary=\"x y\"\n",
        b"Content-Type: multipart/alternative; boundary*0=x; boundary*1*=%20y\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: message/global\r\n",
        b"Content-Type: text/\xE4; name=\"a\\\"b\0\r\n c\"; ; =x; y; z=\r\n",
        b"Content-Type: MULTIPART/\r\n",
        b"Content-Type: text/plain(c); charset=(d)utf-8\r\n",
        b"Content-Transfer-Encoding: \"base64\"\r\n",
        b"Content-Transfer-Encoding: ;\0\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Disposition: inline; filename*=utf-8''%E4; a=\r\n",
        b"Content-Disposition: \"\"\r\n",
        b"Content-Language: en, , \"\", (c) de;\r\n",
        b"Content-Location: \0\r\n",
        b"Content-ID: \xFF\r\n",
        b"Content-Description:\r\n",
        b"Content-MD5: \"\\\r\n",
        b"--x\r\n",
        b"--x--\n",
        b"--x y \r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"From: G: a@b, ;, H:;\r\n",
        b"To: <@r,@s:a@b> (c) \"q\\\" : ;\r\n",
        b"Sender: ;:;;<>,@\0\xE4\r\n",
        b"Cc: A: B: c@d; e@f\r\n",
        b"Reply-To: \"\xE4\" <\"a b\"@[1.2.3.4]>\r\n",
        b"Bcc: ((()\r\n",
        b"Date: \"\0\\\r\n",
        b"Subject: \xE4\r\n\tb\r\n",
        b"In-Reply-To: <\r\n",
        b"Message-ID:\r\n",
        b"text",
    ]);
    prop_oneof![
        6 => known.prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_came_is_told_as_the_grammar_has_it(
        pieces in prop::collection::vec(piece(), 0..16),
    ) {
        let _shape = shape(&pieces.concat());
    }

    #[test]
    fn any_field_is_told_as_the_grammar_has_it(
        name in prop::sample::select(vec![
            "From", "Sender", "To", "Date", "Subject", "Message-ID", "Content-Type: a/b",
            "Content-Type", "Content-Disposition", "Content-Language", "Content-Transfer-Encoding",
            "Content-Type: multipart/mixed; boundary", "Content-ID", "Content-Location",
        ]),
        value in prop::collection::vec(prop::sample::select(
            b"aB1@.,;:<>()[]\"\\/=*'% \t\r\n\0\x7F\xC3\xA4?".to_vec()), 0..40),
    ) {
        let separator: &[u8] = if name.contains(':') { b";" } else { b":" };
        let message = [name.as_bytes(), separator, &value, b"\r\n\r\ntext"].concat();
        let _shape = shape(&message);
    }
}
