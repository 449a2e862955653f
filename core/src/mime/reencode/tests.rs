use proptest::prelude::*;

use super::super::parser::PARTS_MAX;
use super::super::transfer::BASE64_LINE;
use super::*;

fn take(message: &[u8], sizes: &[usize]) -> Result<Vec<u8>, BinaryFault> {
    let mut reencoder = Reencoder::new(PARTS_MAX);
    let mut out = Vec::new();
    let mut rest = message;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(usize::MAX).min(rest.len());
        let (piece, after) = rest.split_at(size);
        reencoder.push(piece, &mut out)?;
        // What waits is a header or the beginning of a line.
        assert!(reencoder.held.len() <= HEADER_BYTES_MAX);
        rest = after;
    }
    reencoder.finish(&mut out)?;
    Ok(out)
}

/// The same for some ways to cut it.
fn all(message: &[u8]) -> Result<String, BinaryFault> {
    let whole = take(message, &[]);
    for sizes in [&[1][..], &[2], &[3, 1, 7], &[64]] {
        assert_eq!(take(message, sizes), whole, "{}", message.escape_ascii());
    }
    whole.map(|out| String::from_utf8(out).unwrap())
}

const BINARY: &str = "Content-Transfer-Encoding: binary\r\n";
const BASE64: &str = "Content-Transfer-Encoding: base64\r\n";
const EIGHT: &str = "Content-Transfer-Encoding: 8bit\r\n";
const MIXED: &str = "Content-Type: multipart/mixed; boundary=x\r\n";
const MESSAGE: &str = "Content-Type: message/rfc822\r\n";

#[test]
fn binary_parts_get_base64() {
    for (message, expected) in [
        // Nothing to do.
        (String::new(), String::new()),
        ("A: 1\r\n\r\ntext\r\n".into(), "A: 1\r\n\r\ntext\r\n".into()),
        ("A: 1\r\n\r\nno line end".into(), "A: 1\r\n\r\nno line end".into()),
        // One part, one line, and as many as it takes.
        (format!("{BINARY}\r\nf\0"), format!("{BASE64}\r\nZgA=\r\n")),
        (format!("{BINARY}\r\n"), format!("{BASE64}\r\n")),
        (BINARY.into(), BASE64.into()),
        (
            format!("{BINARY}\r\n{}", "\0".repeat(58)),
            format!("{BASE64}\r\n{}\r\nAA==\r\n", "A".repeat(76)),
        ),
        // Line ends of all kinds are data.
        (format!("{BINARY}\r\n\r\n\r\n"), format!("{BASE64}\r\nDQoNCg==\r\n")),
        (format!("{BINARY}\r\n\r\r\n\n"), format!("{BASE64}\r\nDQ0KCg==\r\n")),
        // The line end before a boundary is not.
        (
            format!(
                "{MIXED}\r\nbefore\r\n--x\r\n{BINARY}\r\nf\0\r\n--x\r\n\r\nf\r\n--x--\r\nbehind"
            ),
            format!(
                "{MIXED}\r\nbefore\r\n--x\r\n{BASE64}\r\nZgA=\r\n--x\r\n\r\nf\r\n--x--\r\nbehind"
            ),
        ),
        (
            format!("{MIXED}\r\n--x\r\n{BINARY}\r\n\r\n\r\n--x \r\n{BINARY}\r\n--x--"),
            format!("{MIXED}\r\n--x\r\n{BASE64}\r\nDQo=\r\n--x \r\n{BASE64}\r\n--x--"),
        ),
        (
            format!("{MIXED}\r\n--x\r\n{BINARY}--x\r\n{BINARY}\r\n--x--"),
            format!("{MIXED}\r\n--x\r\n{BASE64}--x\r\n{BASE64}\r\n--x--"),
        ),
        // Nor is a boundary behind anything but CRLF.
        (
            format!("{MIXED}\r\n--x\r\n{BINARY}\r\nf\n--x\r\n--x--\r\n"),
            format!("{MIXED}\r\n--x\r\n{BASE64}\r\nZgotLXg=\r\n--x--\r\n"),
        ),
        // The end is missing.
        (
            format!("{MIXED}\r\n--x\r\n{BINARY}\r\nf\r\n-"),
            format!("{MIXED}\r\n--x\r\n{BASE64}\r\nZg0KLQ==\r\n"),
        ),
    ] {
        assert_eq!(all(message.as_bytes()).as_deref(), Ok(&*expected), "{message:?}");
    }
}

#[test]
fn what_holds_parts_says_8bit() {
    let (global, digest) =
        ("Content-Type: message/global\r\n", "Content-Type: multipart/digest; boundary=x\r\n");
    for (message, expected) in [
        (
            format!("{BINARY}{MIXED}\r\n--x\r\n{BINARY}\r\n\0\r\n--x--\r\n"),
            format!("{EIGHT}{MIXED}\r\n--x\r\n{BASE64}\r\nAA==\r\n--x--\r\n"),
        ),
        (
            format!("{BINARY}{MESSAGE}\r\n{BINARY}A: 1\r\n\r\n\0"),
            format!("{EIGHT}{MESSAGE}\r\n{BASE64}A: 1\r\n\r\nAA==\r\n"),
        ),
        (
            format!("{MIXED}\r\n--x\r\n{MESSAGE}{BINARY}\r\n{BINARY}\r\n\0\r\n--x--\r\n"),
            format!("{MIXED}\r\n--x\r\n{MESSAGE}{EIGHT}\r\n{BASE64}\r\nAA==\r\n--x--\r\n"),
        ),
        // A header that a boundary ends, and one that is missing altogether.
        (
            format!("{MIXED}\r\n--x\r\n{MESSAGE}{BINARY}--x\r\n{MESSAGE}\r\n{BINARY}--x--"),
            format!("{MIXED}\r\n--x\r\n{MESSAGE}{EIGHT}--x\r\n{MESSAGE}\r\n{BASE64}--x--"),
        ),
        (
            format!("{digest}\r\n--x\r\n{BINARY}\r\n{BINARY}\r\n\0\r\n--x--"),
            format!("{digest}\r\n--x\r\n{EIGHT}\r\n{BASE64}\r\nAA==\r\n--x--"),
        ),
        // RFC 6532 §3.5: it may be encoded, and then nothing may be encoded within it.
        (
            format!("{global}{BINARY}\r\n{BINARY}\r\n\0"),
            format!("{global}{EIGHT}\r\n{BASE64}\r\nAA==\r\n"),
        ),
        (
            format!("{global}{BASE64}\r\n{BINARY}\r\nf"),
            format!("{global}{BASE64}\r\n{BINARY}\r\nf"),
        ),
        // Of other messages nothing is known but that they may have no encoding.
        (
            format!("Content-Type: message/partial\r\n{BINARY}\r\n{BINARY}\r\nf"),
            format!("Content-Type: message/partial\r\n{EIGHT}\r\n{BINARY}\r\nf"),
        ),
        // No boundary, so no parts.
        (
            format!("Content-Type: multipart/mixed\r\n{BINARY}\r\nf"),
            format!("Content-Type: multipart/mixed\r\n{EIGHT}\r\nf"),
        ),
    ] {
        assert_eq!(all(message.as_bytes()).as_deref(), Ok(&*expected), "{message:?}");
    }
}

#[test]
fn fields_keep_what_is_not_the_word() {
    for (field, expected) in [
        ("content-transfer-encoding:BINARY\r\n", "content-transfer-encoding:base64\r\n"),
        (
            "Content-Transfer-Encoding : (a: binary)\r\n\tBinary (c) ; d\r\n",
            "Content-Transfer-Encoding : (a: binary)\r\n\tbase64 (c) ; d\r\n",
        ),
    ] {
        let message = format!("A: binary\r\n{field}B: binary\r\n\r\n\0");
        let expected = format!("A: binary\r\n{expected}B: binary\r\n\r\nAA==\r\n");
        assert_eq!(all(message.as_bytes()), Ok(expected));
    }
    for field in ["binary2", "(binary)", "x binary", "8bit", ""] {
        let message = format!("Content-Transfer-Encoding: {field}\r\n\r\nf");
        assert_eq!(all(message.as_bytes()), Ok(message.clone()));
    }
}

#[test]
fn what_is_refused() {
    use BinaryFault::{BareCr, BareLf, Nul, SeveralEncodings};
    for (message, fault) in [
        ("A: \0\r\n\r\n".into(), Nul(3)),
        ("A: 1\r\n\r\n\0".into(), Nul(8)),
        ("A: 1\n\r\n".into(), BareLf(4)),
        ("A: 1\r\n\n".into(), BareLf(6)),
        ("A: 1\r\r\n\r\n".into(), BareCr(4)),
        ("A: 1\r".into(), BareCr(4)),
        (format!("{BINARY}\r"), BareCr(35)),
        ("A: 1\r\n\r\na\nb".into(), BareLf(9)),
        ("A: 1\r\n\r\na\rb".into(), BareCr(9)),
        ("A: 1\r\n\r\na\r".into(), BareCr(9)),
        ("A: 1\r\n\r\na\r\0".into(), BareCr(9)),
        // The first of several.
        (format!("{MIXED}\r\n--x\r\n\r\na\nb\r\n--x\r\nA: \0"), BareLf(53)),
        // Before the parts, in their boundaries, in those that are not binary, and behind them.
        (format!("{MIXED}\r\n\0\r\n--x\r\n{BINARY}\r\n\0\r\n--x--"), Nul(45)),
        (format!("{MIXED}\r\n--x\0\r\n{BINARY}\r\n\0\r\n--x--"), Nul(48)),
        (format!("{MIXED}\r\n--x\r\n\r\n\0\r\n--x--"), Nul(52)),
        (format!("{MIXED}\r\n--x\r\n{BINARY}\r\n\0\r\n--x--\n"), BareLf(95)),
        (format!("{MIXED}\r\n--x\r\n{BINARY}\r\n\0\r\n--x--\r\n\0"), Nul(97)),
        // Nothing can be told of what is in it.
        (format!("Content-Type: multipart/mixed\r\n{BINARY}\r\n\0"), Nul(68)),
        (format!("Content-Type: message/partial\r\n{BINARY}\r\n\0"), Nul(68)),
        (format!("{BINARY}{EIGHT}\r\n"), SeveralEncodings(0)),
        (format!("{MIXED}\r\n--x\r\n{EIGHT}{BINARY}\r\n\r\n--x--"), SeveralEncodings(50)),
    ] {
        assert_eq!(all(message.as_bytes()), Err(fault), "{message:?}");
    }
}

#[test]
fn parts_at_the_limit_and_one_past_it() {
    let parts = |count: usize| {
        let part = format!("--x\r\n{BINARY}\r\n\0\r\n");
        format!("{MIXED}\r\n{}--x--\r\n", part.repeat(count))
    };
    let out = take(parts(PARTS_MAX - 1).as_bytes(), &[]).unwrap();
    assert_eq!(Structure::of(&out).parts().count(), PARTS_MAX);
    assert!(out.ends_with(b"\r\n\r\nAA==\r\n--x--\r\n"));
    for sizes in [&[][..], &[1], &[5]] {
        let fault = take(parts(PARTS_MAX).as_bytes(), sizes);
        assert_eq!(fault, Err(BinaryFault::TooManyParts(PARTS_MAX)));
    }
}

#[test]
fn depth_at_the_limit_and_one_past_it() {
    let messages =
        |depth: usize| format!("{BINARY}{MESSAGE}\r\n").repeat(depth) + BINARY + "\r\n\0";
    let out = all(messages(DEPTH_MAX - 1).as_bytes()).unwrap();
    assert!(out.ends_with("base64\r\n\r\nAA==\r\n"));
    assert_eq!(all(messages(DEPTH_MAX).as_bytes()), Err(BinaryFault::TooDeep));
    let multiparts = |depth: usize| {
        let mut message = String::new();
        for level in 0..depth {
            message +=
                &format!("{BINARY}Content-Type: multipart/mixed; boundary=b{level}.\r\n\r\n");
            message += &format!("--b{level}.\r\n");
        }
        message + BINARY + "\r\n\0"
    };
    let out = all(multiparts(DEPTH_MAX - 1).as_bytes()).unwrap();
    assert!(out.ends_with("base64\r\n\r\nAA==\r\n"));
    assert_eq!(all(multiparts(DEPTH_MAX).as_bytes()), Err(BinaryFault::TooDeep));
}

#[test]
fn headers_at_the_limit_and_one_past_it() {
    let sized = |length: usize| {
        let line = format!("A: {}\r\n", "a".repeat(95));
        let rest = length - BINARY.len() - 2;
        let last = format!("B: {}\r\n", "b".repeat(rest % 100 + 95));
        let header = line.repeat(rest / 100 - 1) + &last + BINARY + "\r\n";
        assert_eq!(header.len(), length);
        header
    };
    let message = sized(HEADER_BYTES_MAX) + "\0";
    for sizes in [&[][..], &[1], &[1_000]] {
        let out = take(message.as_bytes(), sizes).unwrap();
        assert!(out.ends_with(b"base64\r\n\r\nAA==\r\n"));
    }
    // Whether the header ends or goes on.
    for message in [sized(HEADER_BYTES_MAX + 1) + "\0", "A".repeat(HEADER_BYTES_MAX + 1)] {
        for sizes in [&[][..], &[1_000]] {
            assert_eq!(take(message.as_bytes(), sizes), Err(BinaryFault::HeaderTooLarge(0)));
        }
    }
    let parts = |count: usize| {
        let part = format!("--x\r\n{}\0\r\n", sized(HEADER_BYTES_MAX / 4));
        format!("{MIXED}\r\n{}--x--", part.repeat(count))
    };
    let per_part = HEADERS_BYTES_MAX / (HEADER_BYTES_MAX / 4);
    assert!(take(parts(per_part - 1).as_bytes(), &[]).is_ok());
    let fault = take(parts(per_part).as_bytes(), &[]);
    assert!(matches!(fault, Err(BinaryFault::HeaderTooLarge(_))), "{fault:?}");
}

/// A tree of parts, written in two ways.
#[derive(Debug, Clone)]
enum Tree {
    Text(String),
    Binary(Vec<u8>),
    Message(Box<Self>),
    Multipart(Vec<Self>),
}

impl Tree {
    fn any() -> impl Strategy<Value = Self> {
        // Bytes of which boundaries and line ends are made.
        let byte = prop::sample::select(b"\r\n\n-b0.\0\xFF a".to_vec());
        let leaf = prop_oneof![
            "[a-z -]{0,40}(\r\n[a-z -]{0,9})?".prop_map(Self::Text),
            prop::collection::vec(byte, 0..150).prop_map(Self::Binary),
        ];
        leaf.prop_recursive(4, 20, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|inner| Self::Message(Box::new(inner))),
                prop::collection::vec(inner, 1..4).prop_map(Self::Multipart),
            ]
        })
    }

    /// Writes it as it comes, or as it is to be given out.
    fn write(&self, depth: usize, last: bool, encoded: bool, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => out.extend_from_slice(format!("A: 1\r\n\r\n{text}").as_bytes()),
            Self::Binary(bytes) if encoded => {
                out.extend_from_slice(format!("{BASE64}\r\n").as_bytes());
                out.extend_from_slice(reference(bytes).as_bytes());
                if last && !bytes.is_empty() {
                    out.extend_from_slice(b"\r\n");
                }
            }
            Self::Binary(bytes) => {
                out.extend_from_slice(format!("{BINARY}\r\n").as_bytes());
                out.extend_from_slice(bytes);
            }
            Self::Message(inner) => {
                let encoding = if encoded { EIGHT } else { BINARY };
                out.extend_from_slice(format!("{MESSAGE}{encoding}\r\n").as_bytes());
                inner.write(depth + 1, last, encoded, out);
            }
            Self::Multipart(parts) => {
                let kind = format!("Content-Type: multipart/mixed; boundary=\"{depth}:\"\r\n");
                let encoding = if encoded { EIGHT } else { BINARY };
                out.extend_from_slice(format!("{kind}{encoding}\r\n").as_bytes());
                for part in parts {
                    out.extend_from_slice(format!("--{depth}:\r\n").as_bytes());
                    part.write(depth + 1, false, encoded, out);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(format!("--{depth}:--").as_bytes());
            }
        }
    }
}

/// RFC 2045 §6.8, a bit at a time.
fn reference(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".as_bytes();
    let mut text = String::new();
    for digit in 0..(bytes.len() * 8).div_ceil(24) * 4 {
        if digit > 0 && digit % BASE64_LINE == 0 {
            text += "\r\n";
        }
        let value = (0..6).fold(0, |value, at| value << 1 | bit(digit * 6 + at));
        let padding = digit * 6 >= bytes.len() * 8;
        text.push(if padding { '=' } else { char::from(digits[usize::from(value)]) });
    }
    text
}

proptest! {
    #[test]
    fn a_tree_comes_out_as_it_went_in(
        tree in Tree::any(),
        sizes in prop::collection::vec(1_usize..90, 1..20),
    ) {
        let (mut message, mut expected) = (Vec::new(), Vec::new());
        tree.write(0, true, false, &mut message);
        tree.write(0, true, true, &mut expected);
        let out = take(&message, &[]);
        prop_assert_eq!(&take(&message, &sizes), &out);
        prop_assert_eq!(out, Ok(expected), "{}", message.escape_ascii());
    }

    #[test]
    fn any_bytes_in_any_pieces(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "\r\n", "\n", "\r", "\0", "-", "--x", "\r\n--x\r\n", "\r\n--x--\r\n", "a", "text\r\n",
            BINARY, BASE64, MIXED, MESSAGE, "\r\n\r\n",
        ]), 0..40),
        sizes in prop::collection::vec(1_usize..9, 1..20),
    ) {
        let message = pieces.concat().into_bytes();
        let whole = take(&message, &[]);
        prop_assert_eq!(&take(&message, &sizes), &whole);
        if let Ok(out) = whole {
            let mut text = Text::default();
            prop_assert_eq!(text.check(&out, 0), Ok(()));
            prop_assert!(!text.after_cr);
            // There is nothing left to be done.
            prop_assert_eq!(take(&out, &[]), Ok(out.clone()));
        }
    }
}
