//! A digest tells what the message does.

use proptest::prelude::*;

use crate::imap::grammar::Fields;
use crate::imap::response::Fetch;
use crate::imap::section::{header_end, header_fields};
use crate::mime::{DIGEST_BYTES_MAX, Digest, Structure, keeps};

/// What begins a digest, and is all of one that tells nothing.
const VERSION: u8 = 1;

const MESSAGE: &str = "Received: from elsewhere\r\nFrom: Ann <ann@example.org>\r\nTo: bob@example.org\r\n\
    Subject: long\r\n\tand folded\r\nX-Odd: 1\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
    --x\r\nContent-Type: text/plain\r\nX-Odd: 2\r\n\r\nHello, Bob!\r\n\
    --x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ntext\r\n--x--\r\n";

/// What FETCH tells of a message by its structure.
fn told(structure: &Structure) -> String {
    let mut out = Vec::new();
    let mut fetch = Fetch::begin(1, &mut out);
    fetch.envelope(structure.header(structure.root()), &mut out);
    fetch.structure(structure, true, &mut out);
    fetch.end(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn kept_fields(header: &[u8]) -> Vec<u8> {
    let names = ["subject", "FROM", "Content-Type", "To", "Resent-To", "List-Id"];
    let mut out = Vec::new();
    header_fields(header, Fields::These, &names, &mut out);
    out
}

#[test]
fn a_digest_tells_what_the_message_does() {
    let digest = Digest::read(&Digest::of(MESSAGE.as_bytes()), MESSAGE.len() as u64).unwrap();
    let structure = Structure::of(MESSAGE.as_bytes());
    assert_eq!(told(digest.structure()), told(&structure));
    assert_eq!(digest.preview(), "Hello, Bob!");
    assert_eq!(
        digest.header(),
        b"From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nSubject: long\r\n\tand folded\r\n\
          Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    );
}

#[test]
fn what_is_too_large_is_read_instead() {
    let many = format!("Subject: {}\r\n\r\n", "a".repeat(DIGEST_BYTES_MAX));
    assert_eq!(Digest::of(many.as_bytes()), [VERSION]);
    let long = format!("X: {}\r\nSubject: a\r\n\r\n", "a\r\n ".repeat(8 << 10));
    assert_eq!(Digest::of(long.as_bytes()), [VERSION]);
    assert_eq!(Digest::read(&[VERSION], 10), None);
}

#[test]
fn what_we_put_in_front_is_not_kept() {
    for name in ["Received", "Return-Path", "X-Odd", "", "Content", "Date-"] {
        assert!(!keeps(name.as_bytes()), "{name}");
    }
    for name in ["date", "CONTENT-ID", "List-Id", "resent-from", "x-priority"] {
        assert!(keeps(name.as_bytes()), "{name}");
    }
}

fn line() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "Subject: a\r\n",
        "subject : b\n",
        " folded\r\n",
        "\tfolded\n",
        "From: x@y\r\n",
        "To:\r\n",
        "X-Odd: 1\r\n",
        "Received: by\r\n",
        "garbage\r\n",
        "\r\n",
        "\n",
        "\r",
        "Content-Type: multipart/mixed; boundary=x\r\n",
        "Content-Type: message/rfc822\r\n",
        "Content-Type: text/html; charset=utf-8\r\n",
        "--x\r\n",
        "--x--\r\n",
        "Content-Transfer-Encoding: base64\r\n",
        "text",
        "From joe Mon\n",
        ": a\r\n",
        "\u{e4}: b\r\n",
        "List-Id: l\r\n",
        "Content-Disposition: attachment\r\n",
        "<p>",
    ])
}

proptest! {
    #[test]
    fn lines_in_front_make_no_difference(
        lines in prop::collection::vec(line(), 0..14),
        with_front in any::<bool>(),
    ) {
        let body = lines.concat();
        let front = if with_front { "Return-Path: <a@b>\r\nReceived: from x\r\n\tby y; now\r\n" } else { "" };
        let message = format!("{front}{body}");
        let digest = Digest::read(&Digest::of(body.as_bytes()), message.len() as u64).unwrap();
        let structure = Structure::of(message.as_bytes());
        prop_assert_eq!(told(digest.structure()), told(&structure));
        let header = &message.as_bytes()[..header_end(message.as_bytes())];
        prop_assert_eq!(kept_fields(digest.header()), kept_fields(header));
        for (short, long) in digest.structure().parts().zip(structure.parts()) {
            prop_assert_eq!((&short.header, &short.body, short.lines, short.content),
                (&long.header, &long.body, long.lines, long.content));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        size in 0_u64..400,
    ) {
        let mut made = vec![VERSION];
        made.extend(bytes);
        let mut changed = Digest::of(MESSAGE.as_bytes());
        *at.get_mut(&mut changed[..]) = byte;
        for bytes in [made, changed] {
            if let Some(digest) = Digest::read(&bytes, size) {
                prop_assert!(told(digest.structure()).len() < 10_000);
            }
        }
    }
}
