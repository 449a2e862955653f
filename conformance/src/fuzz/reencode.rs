//! Binary messages made into messages of lines: nothing is lost, and what is refused does not
//! depend on how it comes.

#![allow(clippy::indexing_slicing, reason = "a target panics where an invariant does not hold")]

use pillarbox_core::mime::header::fields;
use pillarbox_core::mime::media::Encoding;
use pillarbox_core::mime::transfer::{BASE64_LINE, Decoder};
use pillarbox_core::mime::{BinaryFault, Content, PARTS_MAX, Part, Reencoder, Structure};

use crate::fuzz::{Tape, cuts};

/// The first byte chooses between a message that is as it should be and one of any bytes.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    match tape.below(256) {
        choice @ 0..=99 => {
            let tree = Tree::read(&mut tape, choice % 6);
            orderly(&tree);
        }
        choice => any(&tape.said(WORDS), 1 + choice % 60),
    }
}

/// What matters to the machine.
const WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\0",
    "-",
    "--x",
    "--x\r\n",
    "\r\n--x\r\n",
    "\r\n--x--\r\n",
    "\r\n--xy\r\n",
    "\n--x\r\n",
    "text\r\n",
    "A: 1\r\n",
    " folded\r\n",
    "Content-Transfer-Encoding: binary\r\n",
    "Content-Transfer-Encoding: binary\r\n\r\n",
    "content-transfer-encoding :(c)\r\n BINARY; x\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Type: multipart/mixed; boundary=x\r\n",
    "Content-Type: multipart/digest; boundary=xy\r\n\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: message/rfc822\r\n\r\n",
    "Content-Type: message/partial\r\n\r\n",
];

fn run(pieces: &[&[u8]], parts_max: usize) -> Result<Vec<u8>, BinaryFault> {
    let mut reencoder = Reencoder::new(parts_max);
    let mut out = Vec::new();
    for piece in pieces {
        reencoder.push(piece, &mut out)?;
    }
    reencoder.finish(&mut out)?;
    Ok(out)
}

/// The same however it is cut.
fn reencode(message: &[u8], parts_max: usize) -> Result<Vec<u8>, BinaryFault> {
    let mut all = cuts(message).into_iter().map(|pieces| run(&pieces, parts_max));
    let whole = all.next().unwrap();
    assert!(all.all(|other| other == whole), "a cut matters");
    whole
}

fn any(message: &[u8], parts_max: usize) {
    match reencode(message, parts_max) {
        Ok(out) => {
            of_lines(&out);
            assert!(out.len() <= message.len() * 3 / 2 + 8);
            assert_eq!(run(&[&out], parts_max).as_ref(), Ok(&out), "it is not done at once");
            assert!(Structure::of(&out).parts().count() <= parts_max);
            if !has_bare_lf(message) && !holds(message, b"message/global") {
                same_parts(message, &out);
            }
        }
        Err(fault) => at_its_place(message, fault),
    }
}

fn of_lines(out: &[u8]) {
    for (at, byte) in out.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| out[at]);
        match byte {
            0 => panic!("a NUL is given out"),
            b'\n' => assert_eq!(before, Some(b'\r'), "a bare LF is given out"),
            _ => assert_ne!(before, Some(b'\r'), "a bare CR is given out"),
        }
    }
    assert_ne!(out.last(), Some(&b'\r'));
}

/// What is said to be there is there.
fn at_its_place(message: &[u8], fault: BinaryFault) {
    let byte = |at: u64| usize::try_from(at).ok().and_then(|at| message.get(at)).copied();
    match fault {
        BinaryFault::Nul(at) => assert_eq!(byte(at), Some(0)),
        BinaryFault::BareCr(at) => {
            assert_eq!(byte(at), Some(b'\r'));
            assert_ne!(byte(at + 1), Some(b'\n'));
        }
        BinaryFault::BareLf(at) => {
            assert_eq!(byte(at), Some(b'\n'));
            assert!(at == 0 || byte(at - 1) != Some(b'\r'));
        }
        BinaryFault::SeveralEncodings(at) | BinaryFault::HeaderTooLarge(at) => {
            assert!(byte(at).is_some());
        }
        BinaryFault::TooDeep | BinaryFault::TooManyParts(_) => {}
    }
}

/// Where no line end is a bare LF, the parser of all mail finds the parts that the machine found.
fn same_parts(message: &[u8], out: &[u8]) {
    let (before, after) = (Structure::of(message), Structure::of(out));
    assert_eq!(before.parts().count(), after.parts().count());
    for (came, given) in before.parts().zip(after.parts()) {
        let was = Encoding::read(encoding(&before, came));
        let is = Encoding::read(encoding(&after, given));
        if came.content == Content::Leaf {
            if was == Encoding::Identity && is == Encoding::Base64 {
                assert_eq!(decoded(body(out, given)), body(message, came));
            } else {
                assert_eq!(body(out, given), body(message, came));
            }
        }
        let holds_others = after
            .media_type(given)
            .is_some_and(|media| media.is_kind(b"multipart") || media.is_kind(b"message"));
        assert!(was == is || !holds_others, "RFC 2045 §6.4 forbids to encode it");
        let lengths = (header(message, came).len(), header(out, given).len());
        let names = |header| fields(header).map(|field| field.name.to_vec()).collect::<Vec<_>>();
        assert_eq!(names(header(message, came)), names(header(out, given)));
        // `8bit` is two bytes shorter than `binary`.
        assert!(lengths.0 == lengths.1 || lengths.0 == lengths.1 + 2, "{lengths:?}");
    }
}

fn encoding<'a>(structure: &'a Structure, part: &Part) -> &'a [u8] {
    structure.field(part, b"Content-Transfer-Encoding").map_or(b"", |field| field.value)
}

fn body<'a>(message: &'a [u8], part: &Part) -> &'a [u8] {
    slice(message, part.body.start, part.body.end)
}

fn header<'a>(message: &'a [u8], part: &Part) -> &'a [u8] {
    slice(message, part.header.start, part.header.end)
}

fn slice(message: &[u8], start: u64, end: u64) -> &[u8] {
    &message[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()]
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(Encoding::Base64);
    let mut bytes = Vec::new();
    decoder.push(text, &mut bytes);
    decoder.finish(&mut bytes);
    bytes
}

fn has_bare_lf(message: &[u8]) -> bool {
    message.starts_with(b"\n")
        || message.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r')
}

fn holds(message: &[u8], word: &[u8]) -> bool {
    message.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// A message that is as it should be.
enum Tree {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Message(Box<Self>),
    Multipart(Vec<Self>),
}

impl Tree {
    fn read(tape: &mut Tape<'_>, depth: usize) -> Self {
        match tape.below(8) {
            1 | 2 if depth > 0 => Self::Message(Box::new(Self::read(tape, depth - 1))),
            3 | 4 if depth > 0 => {
                let count = 1 + tape.below(4);
                Self::Multipart((0..count).map(|_| Self::read(tape, depth - 1)).collect())
            }
            5 | 6 => {
                let count = usize::from(tape.byte());
                Self::Binary(tape.bytes(count).iter().copied().map(not_boundary).collect())
            }
            7 => {
                // Nearly boundaries: they stand behind a bare LF.
                let words = ["-\n--0:", "-\n--1:--", "-\n--2:\r\n", "\r", "\n", "\r\n", "\0", "-"];
                Self::Binary(some_of(&words, tape))
            }
            _ => Self::Text(some_of(&["text", "-", "--", "\r\n", "\r\n--", " ", "\u{fc}"], tape)),
        }
    }

    /// Writes it as it comes.
    fn write(&self, depth: usize, out: &mut Vec<u8>) {
        let encoding = "Content-Transfer-Encoding: binary\r\n";
        match self {
            Self::Text(text) => {
                out.extend_from_slice(b"A: 1\r\n\r\n");
                out.extend_from_slice(text);
            }
            Self::Binary(bytes) => {
                out.extend_from_slice(format!("{encoding}\r\n").as_bytes());
                out.extend_from_slice(bytes);
            }
            Self::Message(inner) => {
                let kind = "Content-Type: message/rfc822\r\n";
                out.extend_from_slice(format!("{kind}{encoding}\r\n").as_bytes());
                inner.write(depth + 1, out);
            }
            Self::Multipart(parts) => {
                let kind = format!("Content-Type: multipart/mixed; boundary=\"{depth}:\"\r\n");
                out.extend_from_slice(format!("{kind}{encoding}\r\n").as_bytes());
                for part in parts {
                    out.extend_from_slice(format!("--{depth}:\r\n").as_bytes());
                    part.write(depth + 1, out);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(format!("--{depth}:--\r\n").as_bytes());
            }
        }
    }

    /// What its leaves hold, in their order.
    fn leaves<'a>(&'a self, all: &mut Vec<(bool, &'a [u8])>) {
        match self {
            Self::Text(text) => all.push((false, text)),
            Self::Binary(bytes) => all.push((true, bytes)),
            Self::Message(inner) => inner.leaves(all),
            Self::Multipart(parts) => parts.iter().for_each(|part| part.leaves(all)),
        }
    }
}

fn some_of(words: &[&str], tape: &mut Tape<'_>) -> Vec<u8> {
    let count = tape.below(12);
    (0..count).flat_map(|_| words[tape.below(words.len())].bytes()).collect()
}

/// Every boundary has a colon, and no data has that may stand behind CRLF.
fn not_boundary(byte: u8) -> u8 {
    if byte == b':' { b';' } else { byte }
}

/// Such a message is never refused, and each of its leaves can be read again.
fn orderly(tree: &Tree) {
    let mut message = Vec::new();
    tree.write(0, &mut message);
    let mut leaves = Vec::new();
    tree.leaves(&mut leaves);
    let result = reencode(&message, 10 * PARTS_MAX);
    let out = result.unwrap_or_else(|fault| panic!("{fault}: {}", message.escape_ascii()));
    of_lines(&out);
    let structure = Structure::of(&out);
    let found = structure.parts().filter(|part| part.content == Content::Leaf);
    let found: Vec<_> = found.map(|part| (encoding(&structure, part), body(&out, part))).collect();
    assert_eq!(found.len(), leaves.len());
    for ((encoding, text), (binary, bytes)) in found.into_iter().zip(leaves) {
        let is_base64 = Encoding::read(encoding) == Encoding::Base64;
        assert_eq!(is_base64, binary);
        // RFC 2045 §6.8.
        let lines = text.split(|byte| *byte == b'\n');
        assert!(!binary || lines.map(<[u8]>::len).all(|length| length <= BASE64_LINE + 1));
        let read = if binary { decoded(text) } else { text.to_vec() };
        assert_eq!(read, bytes, "{}", message.escape_ascii());
    }
}
